package planner

import (
	"slices"
	"strings"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/query"
)

// setOp binds UNION, INTERSECT and EXCEPT.
func (b *binder) setOp(op *query.SetOp, ctes *cteScope) (bound, error) {
	what := [...]string{query.Union: "UNION", query.Intersect: "INTERSECT", query.Except: "EXCEPT"}[op.Kind]
	l, err := b.body(op.L, ctes)
	if err != nil {
		return bound{}, err
	}
	r, err := b.body(op.R, ctes)
	if err != nil {
		return bound{}, err
	}
	if len(l.cols) != len(r.cols) {
		return bound{}, query.Errorf(op.R, query.CodeType, "%s wants as many columns on both sides: %d and %d", what, len(l.cols), len(r.cols))
	}
	u := &unionNode{maps: make([][]int, 2)}
	sides := [2]bound{l, r}
	var out []outCol
	casts := [2]*projectNode{{}, {}}
	for k := range l.cols {
		pair := []exec.Expr{b.col(l.cols[k].id, op.Span), b.col(r.cols[k].id, op.Span)}
		t, err := b.unify(pair, what)
		if err != nil {
			return bound{}, err
		}
		for i, x := range pair {
			if x, err = b.convert(x, t); err != nil {
				return bound{}, err
			}
			id := b.newColumn(l.cols[k].name, t)
			casts[i].exprs, casts[i].ids = append(casts[i].exprs, x), append(casts[i].ids, id)
			u.maps[i] = append(u.maps[i], id)
		}
		id := b.newColumn(l.cols[k].name, t)
		u.ids = append(u.ids, id)
		out = append(out, outCol{l.cols[k].name, id})
	}
	for i, c := range casts {
		c.in = sides[i].node
		u.ins = append(u.ins, c)
	}
	if op.Kind != query.Union {
		return bound{&setNode{ins: u.ins, maps: u.maps, ids: u.ids, except: op.Kind == query.Except, all: op.All}, out}, nil
	}
	if op.All {
		return bound{u, out}, nil
	}
	return bound{&distinctNode{unary: unary{in: u}, cols: u.ids}, out}, nil
}

// usesOf counts how often a WITH table is named in the query it stands before. A table of the same name further in counts too.
func usesOf(q *query.Query, c *query.CTE) int {
	n := 0
	query.Walk(q, func(x query.Node) bool {
		if t, ok := x.(*query.TableName); ok && len(t.Parts) == 1 && strings.EqualFold(t.Parts[0].Name, c.Name.Name) {
			n++
		}
		if f, ok := x.(*query.TableFunc); ok {
			if t, ok := tableOfFunc(f).(*query.TableName); ok && len(t.Parts) == 1 && strings.EqualFold(t.Parts[0].Name, c.Name.Name) {
				n++
			}
		}
		return true
	})
	return n
}

// keeps decides whether a WITH table is computed once and kept, or put in wherever it is named: what AS [NOT] MATERIALIZED says;
// else it is kept if it is named twice and more than a selection from a table, which is cheaper to read again: predicates and
// the choice of columns then get to its scan, and no row is held.
func (c *cteScope) keeps(n node) bool {
	switch c.cte.Materialize {
	case query.MaterializeAlways:
		return true
	case query.MaterializeNever:
		return false
	}
	return c.uses > 1 && !selects(n)
}

// selects reports whether a plan is a selection from one table.
func selects(n node) bool {
	switch n := n.(type) {
	case *scanNode, *valuesNode, *keptNode:
		return true
	case *filterNode:
		return selects(n.in)
	case *projectNode:
		return selects(n.in)
	}
	return false
}

// cteTable binds the name of a WITH table.
func (b *binder) cteTable(s *scope, ref *query.TableName, c *cteScope) (node, error) {
	name := c.cte.Name.Name
	if c.kept != nil {
		return b.readKept(s, ref, c)
	}
	saved := b.enclosing
	b.enclosing = nil // it is the same wherever it is named
	res, err := b.query(c.cte.Query, c.seen)
	b.enclosing = saved
	if err != nil {
		return nil, err
	}
	if len(c.cte.Columns) > len(res.cols) {
		return nil, query.Errorf(c.cte, query.CodeSyntax, "table %q has %d columns but %d names", name, len(res.cols), len(c.cte.Columns))
	}
	for i, col := range c.cte.Columns {
		res.cols[i].name = col.Name
	}
	if !c.keeps(res.node) {
		return b.derived(s, ref, res, name, ref.Alias)
	}
	c.kept, c.cols = &keepNode{unary: unary{in: res.node}, name: name, need: map[int]bool{}}, res.cols
	b.defs = append(b.defs, c.kept)
	return b.readKept(s, ref, c)
}

// readKept adds a kept table to a scope, with columns of its own.
func (b *binder) readKept(s *scope, ref *query.TableName, c *cteScope) (node, error) {
	n := &keptNode{of: c.kept, alias: c.cte.Name.Name}
	if ref.Alias != nil {
		n.alias = ref.Alias.Name.Name
	}
	var cols []outCol
	for _, col := range c.cols {
		id := b.newColumn(col.name, b.cols[col.id].typ)
		b.cols[id].table = n.alias
		n.ids, n.from = append(n.ids, id), append(n.from, col.id)
		cols = append(cols, outCol{col.name, id})
	}
	return b.derived(s, ref, bound{n, cols}, c.cte.Name.Name, ref.Alias)
}

// distinctOn binds the keys of DISTINCT ON: as in ORDER BY, a number or an alias names an item.
func (b *binder) distinctOn(s *scope, q *query.Block, aliases []aliasItem) ([]exec.Expr, error) {
	order := make([]*query.Order, len(q.DistinctOn))
	for i, e := range q.DistinctOn {
		order[i] = &query.Order{Expr: e}
	}
	s.where = "DISTINCT ON"
	keys, err := b.orderBy(s, order, aliases)
	exprs := make([]exec.Expr, len(keys))
	for i, k := range keys {
		exprs[i] = k.Expr
	}
	return exprs, err
}

// pruneKept notes which columns of a kept table are read.
func (n *keptNode) prune(need map[int]bool) {
	k := 0
	for i, id := range n.ids {
		if need[id] {
			n.ids[k], n.from[k] = id, n.from[i]
			n.of.need[n.from[i]] = true
			k++
		}
	}
	n.ids, n.from = n.ids[:k], n.from[:k]
}

// prune drops the columns that nobody reads.
func (n *keepNode) prune() {
	need := map[int]bool{}
	n.ids = nil
	for id := range n.need {
		need[id] = true
	}
	prune(n.in, need)
	for _, id := range n.in.outputs() {
		if n.need[id] && !slices.Contains(n.ids, id) {
			n.ids = append(n.ids, id)
		}
	}
}
