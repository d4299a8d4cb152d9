package planner

import (
	"slices"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// join binds a join of two tables.
func (b *binder) join(s *scope, j *query.Join) (node, error) {
	if f := lateral(j.R); f != nil {
		return b.joinRows(s, j, f)
	}
	n := &joinNode{}
	swap := false
	switch j.Kind {
	case query.JoinInner, query.JoinCross:
		n.kind = exec.JoinInner
	case query.JoinLeft:
		n.kind = exec.JoinLeft
	case query.JoinRight:
		n.kind, swap = exec.JoinLeft, true
	case query.JoinFull:
		n.kind = exec.JoinFull
	case query.JoinSemi:
		n.kind = exec.JoinSemi
	case query.JoinAnti:
		n.kind = exec.JoinAnti
	}
	if j.Asof && j.Kind != query.JoinInner && j.Kind != query.JoinLeft {
		names := map[query.JoinKind]string{query.JoinRight: "RIGHT", query.JoinFull: "FULL", query.JoinSemi: "SEMI", query.JoinAnti: "ANTI"}
		return nil, unsupported(j, "ASOF "+names[j.Kind]+" JOIN").WithHint("ASOF JOIN and ASOF LEFT JOIN are")
	}
	// Each side is bound in a scope of its own, so that USING and ON see which side a column is of.
	ls, rs := &scope{ctes: s.ctes}, &scope{ctes: s.ctes}
	var err error
	if n.left, err = b.tableRef(ls, j.L); err != nil {
		return nil, err
	}
	if n.right, err = b.tableRef(rs, j.R); err != nil {
		return nil, err
	}
	both := &scope{where: "ON", ctes: s.ctes, outer: s.outer, merged: append(slices.Clone(ls.merged), rs.merged...)}
	for _, t := range append(slices.Clone(ls.tables), rs.tables...) {
		if err := both.addTable(j, t); err != nil {
			return nil, err
		}
	}
	visible := both
	if n.kind == exec.JoinSemi || n.kind == exec.JoinAnti {
		visible = ls // the right side only decides
	}
	for _, t := range visible.tables {
		if err := s.addTable(j, t); err != nil {
			return nil, err
		}
	}
	s.merged = append(s.merged, visible.merged...)
	using := j.Using
	if j.Natural {
		if using, err = b.common(ls, rs); err != nil {
			return nil, err
		}
	}
	conds, full, err := b.using(s, n, using, ls, rs, j.Asof, swap)
	if err != nil {
		return nil, err
	}
	if j.On != nil {
		on, err := b.condition(both, j.On)
		if err != nil {
			return nil, err
		}
		conds = append(conds, conjuncts(on)...)
	}
	if j.Asof {
		return b.asofJoin(j, n, conds)
	}
	n.residual = conds
	if swap {
		n.left, n.right = n.right, n.left
	}
	if len(full.ids) > 0 {
		full.in = n
		return full, nil
	}
	return n, nil
}

// using binds the columns of USING: their equalities, of which the last is >= in an ASOF join, and which column the name means
// afterwards. In a full join that is one computed from both.
func (b *binder) using(s *scope, n *joinNode, names []query.Ident, ls, rs *scope, asof, swap bool) ([]exec.Expr, *computeNode, error) {
	var conds []exec.Expr
	full := &computeNode{}
	for i, id := range names {
		name := &query.Name{Span: id.Span, Parts: []query.Ident{id}}
		l, err := b.name(ls, name)
		if err != nil {
			return nil, nil, err
		}
		r, err := b.name(rs, name)
		if err != nil {
			return nil, nil, err
		}
		op := query.OpEq
		if asof && i == len(names)-1 {
			op = query.OpGe
		}
		x, err := b.compare(id.Span, op, l, r)
		if err != nil {
			return nil, nil, err
		}
		conds = append(conds, x)
		lc, ok1 := l.(*exec.Col)
		rc, ok2 := r.(*exec.Col)
		if !ok1 || !ok2 {
			return nil, nil, query.Errorf(id, query.CodeType, "USING wants a column")
		}
		kept := lc.Index
		switch n.kind {
		case exec.JoinSemi, exec.JoinAnti:
			continue
		case exec.JoinFull:
			pair := []exec.Expr{l, r}
			t, err := b.unify(pair, "USING")
			if err != nil {
				return nil, nil, err
			}
			for i := range pair {
				if pair[i], err = b.convert(pair[i], t); err != nil {
					return nil, nil, err
				}
			}
			kept = b.newColumn(id.Name, t)
			full.exprs, full.ids = append(full.exprs, &exec.Coalesce{Span: id.Span, Args: pair, T: t}), append(full.ids, kept)
		}
		if swap {
			kept = rc.Index // the side that is kept has a value in every row
		}
		s.merge(ls.tables, outCol{id.Name, lc.Index}, kept)
		s.merge(rs.tables, outCol{id.Name, rc.Index}, kept)
	}
	return conds, full, nil
}

// asofJoin makes the join of conditions that are equalities and one inequality between the sides.
func (b *binder) asofJoin(j *query.Join, n *joinNode, conds []exec.Expr) (node, error) {
	left, right := n.left.outputs(), n.right.outputs()
	for _, x := range conds {
		if n.takeKey(x, left, right) {
			continue
		}
		c, ok := x.(*exec.Compare)
		if ok && n.asof == nil && (c.Op == vector.Lt || c.Op == vector.Le || c.Op == vector.Gt || c.Op == vector.Ge) && hasCols(c.L) && hasCols(c.R) {
			switch {
			case within(c.L, left) && within(c.R, right):
				n.asof = &asofCond{c.Op, c.L, c.R}
				continue
			case within(c.R, left) && within(c.L, right):
				n.asof = &asofCond{c.Op.Swap(), c.R, c.L}
				continue
			}
		}
		return nil, query.Errorf(x, query.CodeUnsupported, "ASOF JOIN takes equalities between its sides and exactly one inequality").
			WithHint("put other conditions into WHERE, or into a query in FROM")
	}
	if n.asof == nil {
		return nil, query.Errorf(j, query.CodeSyntax, "ASOF JOIN wants exactly one inequality between its sides").
			WithHint("ON a.key = b.key AND a.time >= b.time")
	}
	// The right side comes in the order of its value, which that of the log may be.
	n.right = &sortNode{unary: unary{in: n.right}, keys: []exec.SortKey{{Expr: n.asof.right}}}
	return n, nil
}

// hasCols reports whether an expression has columns.
func hasCols(e exec.Expr) bool {
	set := map[int]bool{}
	exec.Columns(e, set)
	return len(set) > 0
}

// merge notes that column c of one of the tables is one with column kept, as USING says: a bare name and `*` find it once.
func (s *scope) merge(tables []*table, c outCol, kept int) {
	for _, t := range tables {
		if t.merged == nil {
			t.merged = map[int]bool{}
		}
		t.merged[c.id] = true
	}
	for i, m := range s.merged {
		if m.id == c.id || m.id == kept {
			s.merged[i].id = kept
			return
		}
	}
	s.merged = append(s.merged, outCol{c.name, kept})
}

// common returns the names that both sides of a NATURAL join have in their `*` columns, in the order of the left one.
func (b *binder) common(ls, rs *scope) ([]query.Ident, error) {
	l, err := b.starAll(ls)
	if err != nil {
		return nil, err
	}
	r, err := b.starAll(rs)
	if err != nil {
		return nil, err
	}
	var ids []query.Ident
	for _, c := range l {
		if slices.ContainsFunc(r, func(o outCol) bool { return o.name == c.name }) &&
			!slices.ContainsFunc(ids, func(id query.Ident) bool { return id.Name == c.name }) {
			ids = append(ids, query.Ident{Name: c.name, Quoted: true})
		}
	}
	return ids, nil
}
