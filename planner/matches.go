package planner

import (
	"context"
	"slices"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// Match is a predicate on a field for which an index of the field has the rows: the field equals one of Values or, when there are
// none, is a text that begins with Prefix.
type Match struct {
	Path   []string
	Values []query.Value // not NULL, at most maxMatchValues
	Prefix string
}

// maxMatchValues is the longest IN list that is looked up value by value.
const maxMatchValues = 1000

// Indexed is a Source that may have indexes.
type Indexed interface {
	Source
	// Index says in words which index a scan uses, "" for none.
	Index(ctx context.Context, r Request) (string, error)
	// Matching counts the rows of a range that satisfy a match. ok is false when no index has them, or more than are counted for an
	// estimate.
	Matching(ctx context.Context, r Range, m Match) (rows int64, ok bool, err error)
}

// match notes what a predicate says of a field of the scan. Like hints, matches stand before any predicate that can fail.
func (n *scanNode) match(x exec.Expr) {
	col, m := matchOf(x)
	if col == nil {
		return
	}
	i := slices.Index(n.ids, col.Index)
	if i < 0 || n.outs[i].Column >= 0 || len(n.outs[i].Path) == 0 {
		return
	}
	m.Path = n.outs[i].Path
	n.matches = append(n.matches, m)
}

func matchOf(x exec.Expr) (*exec.Col, Match) {
	switch x := x.(type) {
	case *exec.Compare:
		l, r := x.L, x.R
		if _, ok := l.(*exec.Const); ok {
			l, r = r, l
		}
		col, ok := l.(*exec.Col)
		if c, isConst := r.(*exec.Const); ok && isConst && x.Op == vector.Eq && matchable(c.Value) {
			return col, Match{Values: []query.Value{c.Value}}
		}
	case *exec.In:
		col, ok := x.X.(*exec.Col)
		if !ok || x.Negate || len(x.List) > maxMatchValues {
			break
		}
		var m Match
		for _, item := range x.List {
			c, ok := item.(*exec.Const)
			if !ok {
				return nil, m
			}
			if c.Value.IsNull() { // nothing equals it
				continue
			}
			if !matchable(c.Value) {
				return nil, m
			}
			m.Values = append(m.Values, c.Value)
		}
		if len(m.Values) > 0 {
			return col, m
		}
	case *exec.Like:
		col, ok := textColumn(x.X)
		c, isConst := x.Pattern.(*exec.Const)
		if !ok || !isConst || x.Negate || c.Value.Kind() != query.KindText {
			break
		}
		l, err := vector.CompileLike([]byte(c.Value.Text()), x.Escape, x.Fold)
		if err != nil {
			break
		}
		prefix, exact := l.Prefix()
		switch {
		case exact:
			return col, Match{Values: []query.Value{query.Text(string(prefix))}}
		case len(prefix) > 0:
			return col, Match{Prefix: string(prefix)}
		}
	case *exec.Call:
		if x.Fn.Name != "starts_with" {
			break
		}
		col, ok := textColumn(x.Args[0])
		c, isConst := x.Args[1].(*exec.Const)
		if ok && isConst && c.Value.Kind() == query.KindText && c.Value.Text() != "" {
			return col, Match{Prefix: c.Value.Text()}
		}
	}
	return nil, Match{}
}

// textColumn returns the column whose texts an expression is.
func textColumn(x exec.Expr) (*exec.Col, bool) {
	if n, ok := x.(*exec.Narrow); ok && n.T == vector.Text {
		x = n.X
	}
	c, ok := x.(*exec.Col)
	return c, ok
}

// matchable reports whether an index tells the rows whose field equals a value: those of other kinds may equal one of a class of
// their own, as a DATE does a time.
func matchable(v query.Value) bool {
	switch v.Kind() {
	case query.KindBool, query.KindInt, query.KindBig, query.KindDouble, query.KindText, query.KindBlob, query.KindTime:
		return true
	}
	return false
}

// request is what a scan asks of its source whatever the options of the run are.
func (n *scanNode) request() Request {
	return Request{Outputs: n.outs, Range: n.rng, Where: n.hints, Matches: n.matches, Reverse: n.reverse, Limit: n.limit, Once: n.once}
}

// findIndexes asks, for EXPLAIN, which indexes the scans use.
func findIndexes(ctx context.Context, n node) error {
	for _, c := range n.inputs() {
		if err := findIndexes(ctx, c); err != nil {
			return err
		}
	}
	s, ok := n.(*scanNode)
	if !ok || len(s.matches) == 0 {
		return nil
	}
	src, ok := s.source.(Indexed)
	if !ok {
		return nil
	}
	var err error
	s.index, err = src.Index(ctx, s.request())
	return err
}

// IndexTarget returns the log and the path that CREATE INDEX names. The path is spelled as events have it.
func IndexTarget(ctx context.Context, cat Catalog, s *query.CreateIndex, o Options) (log string, path []string, err error) {
	log, path, err = indexTarget(&binder{ctx: ctx, cat: cat, opts: o}, s)
	return log, path, locate(err, o.Text)
}

func indexTarget(b *binder, s *query.CreateIndex) (string, []string, error) {
	name, err := b.lookup(s.Table)
	if err != nil {
		return "", nil, err
	}
	if name.Kind != KindLog {
		return "", nil, query.Errorf(s.Table, query.CodeUnsupported, "%s is no log: only logs have indexes", s.Table)
	}
	src, err := b.cat.Table(b.ctx, name)
	if err != nil {
		return "", nil, err
	}
	if src == nil {
		return "", nil, query.Errorf(s.Table, query.CodeUnknownTable, "table %q is gone", name.Name)
	}
	scope := &scope{where: "CREATE INDEX"}
	if _, err := b.scan(scope, s.Table, src, name.Name, "", nil); err != nil {
		return "", nil, err
	}
	x, err := b.name(scope, s.Path)
	if err != nil {
		return "", nil, err
	}
	if col, ok := x.(*exec.Col); ok {
		if f, ok := b.fields[col.Index]; ok && len(f.path) > 0 {
			return name.Name, f.path, nil
		}
	}
	return "", nil, query.Errorf(s.Path, query.CodeUnsupported, "%s is no field: only fields of payloads have indexes", s.Path)
}
