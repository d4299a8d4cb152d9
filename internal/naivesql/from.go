package naivesql

import (
	"slices"

	"github.com/seed69692123/netdb/query"
)

// from returns the rows of FROM: those of one table, or of joins.
func (r *runner) from(refs []query.TableRef, where query.Expr) (*result, error) {
	switch len(refs) {
	case 0:
		return &result{rows: [][]value{nil}, ordered: true}, nil
	case 1:
		return r.table(refs[0], where)
	}
	return nil, unknown("a list of tables")
}

// table returns the rows of one table. where is the condition above it.
func (r *runner) table(ref query.TableRef, where query.Expr) (*result, error) {
	switch ref := ref.(type) {
	case *query.TableName:
		t := r.tables[ref.Parts[0].Name]
		if t == nil || len(ref.Parts) != 1 {
			return nil, unknown(ref)
		}
		name := ref.Parts[0].Name
		if ref.Alias != nil {
			name = ref.Alias.Name.Name
		}
		out := &result{rows: t.Rows, ordered: true}
		for _, c := range t.Columns {
			col := column{table: name, name: c}
			if t.Whole[c] {
				col.t = bigint
			}
			out.cols = append(out.cols, col)
		}
		return out, nil
	case *query.TableQuery:
		in, err := r.query(ref.Query)
		if err != nil {
			return nil, err
		}
		for i := range in.cols {
			in.cols[i].table = ref.Alias.Name.Name
		}
		in.keys = nil
		return in, nil
	case *query.TableFunc:
		return r.windows(ref)
	case *query.Join:
		return r.join(ref, where)
	}
	return nil, unknown(ref)
}

// join looks at every pair of rows. A lenient runner passes over errors of pairs that WHERE takes out.
func (r *runner) join(j *query.Join, where query.Expr) (*result, error) {
	if j.On == nil || j.Kind != query.JoinInner && j.Kind != query.JoinLeft {
		return nil, unknown(j)
	}
	left, err := r.table(j.L, nil)
	if err != nil {
		return nil, err
	}
	right, err := r.table(j.R, nil)
	if err != nil {
		return nil, err
	}
	out := &result{cols: append(append([]column(nil), left.cols...), right.cols...), loose: true}
	on, err := conditions(&scope{cols: out.cols}, j.On)
	if err != nil {
		return nil, err
	}
	above, err := conditions(&scope{cols: out.cols}, where)
	if err != nil {
		return nil, err
	}
	nothing := make([]value, len(right.cols))
	if left.err != nil || right.err != nil {
		return nil, unknown("a join over an error")
	}
	for _, a := range left.rows {
		found := false
		for _, b := range right.rows {
			row := append(append([]value(nil), a...), b...)
			ok, err := r.holds(on, row)
			if err != nil && r.lenient && refused(above, row) && (j.Kind == query.JoinInner || refused(above, append(append([]value(nil), a...), nothing...))) {
				continue
			}
			if err != nil {
				out.err = err
				return out, nil
			}
			if ok {
				found = true
				out.rows = append(out.rows, row)
			}
		}
		if !found && j.Kind == query.JoinLeft {
			out.rows = append(out.rows, append(append([]value(nil), a...), nothing...))
		}
	}
	return out, nil
}

// conditions compiles a condition, taken apart at its ANDs.
func conditions(s *scope, e query.Expr) ([]*node, error) {
	if b, ok := e.(*query.Binary); ok && b.Op == query.OpAnd {
		l, err := conditions(s, b.L)
		if err != nil {
			return nil, err
		}
		r, err := conditions(s, b.R)
		return append(l, r...), err
	}
	if e == nil {
		return nil, nil
	}
	x, err := s.compile(e)
	if err == nil {
		x, err = condition(x)
	}
	return []*node{x}, err
}

// holds evaluates conditions on a row, each only if all before it are true. To a lenient runner an error does not count if
// another condition is not true.
func (r *runner) holds(conds []*node, row []value) (bool, error) {
	for _, c := range conds {
		v, err := c.eval(row)
		if err != nil && r.lenient && refused(conds, row) {
			err = nil
		}
		if err != nil || v != true {
			return false, err
		}
	}
	return true, nil
}

// refused reports whether one of the conditions can be evaluated and is not true.
func refused(conds []*node, row []value) bool {
	for _, c := range conds {
		if v, err := c.eval(row); err == nil && v != true {
			return true
		}
	}
	return false
}

// union is UNION ALL: the rows of one side, then those of the other. UNION takes equal rows once.
func (r *runner) union(u *query.SetOp, by []*query.Order, limit, offset int64) (*result, error) {
	if u.Kind != query.Union {
		return nil, unknown(u)
	}
	var sides [2]*result
	for i, body := range []query.Body{u.L, u.R} {
		var err error
		switch b := body.(type) {
		case *query.Block:
			sides[i], err = r.block(b, nil, -1, 0)
		case *query.Query:
			sides[i], err = r.query(b)
		case *query.SetOp:
			sides[i], err = r.union(b, nil, -1, 0)
		default:
			err = unknown(b)
		}
		if err != nil {
			return nil, err
		}
	}
	l, right := sides[0], sides[1]
	if len(l.cols) != len(right.cols) {
		return nil, fail(query.CodeType)
	}
	out := &result{ordered: l.ordered && right.ordered, loose: l.loose || right.loose}
	for i := range l.cols {
		t, err := unify([]*node{{t: l.cols[i].t}, {t: right.cols[i].t}})
		if err != nil {
			return nil, err
		}
		out.cols = append(out.cols, column{name: l.cols[i].name, t: t})
	}
	rows, failed := l.rows, l.err
	if failed == nil {
		rows, failed = append(append([][]value(nil), l.rows...), right.rows...), right.err
	}
	var all [][]value
	for _, row := range rows {
		values := make([]value, len(row))
		for i, v := range row {
			values[i] = as(v, out.cols[i].t)
		}
		if u.All || !slices.ContainsFunc(all, func(o []value) bool { return equal(o, values) }) {
			all = append(all, values)
		}
	}
	if limit == 0 {
		return out, nil
	}
	if by != nil && failed != nil {
		return &result{cols: out.cols, err: failed}, nil
	}
	if limit >= 0 && int64(len(all)) >= limit+offset {
		failed = nil
	}
	sorting := &order{terms: by}
	for _, row := range all {
		var keys []value
		for _, t := range by {
			lit, ok := t.Expr.(*query.Literal)
			if !ok || lit.Value.Int() < 1 || lit.Value.Int() > int64(len(row)) {
				return nil, unknown(t)
			}
			keys = append(keys, row[lit.Value.Int()-1])
		}
		if by != nil {
			out.keys = append(out.keys, keys)
		}
	}
	out.rows = out.cut(all, sorting, limit, offset)
	out.err = failed
	return out, nil
}
