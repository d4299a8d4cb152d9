package planner

import (
	"slices"
	"strings"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// exprs are the expressions of a join.
func (n *joinNode) exprs() []exec.Expr {
	out := append(slices.Clone(n.leftKeys), n.rightKeys...)
	out = append(out, n.residual...)
	if n.asof != nil {
		out = append(out, n.asof.left, n.asof.right)
	}
	if n.test != nil {
		out = append(out, n.test)
	}
	return append(out, aggExprs(n.aggs)...)
}

// pushJoin takes a join's condition and what stands above it apart: predicates on one side go to that side where the kind of
// the join allows it, equalities between the sides become keys.
func (b *binder) pushJoin(n *joinNode, preds []exec.Expr) node {
	left, right := n.left.outputs(), n.right.outputs()
	var toLeft, toRight, residual, above []exec.Expr
	cond := n.residual
	switch {
	case n.kind == exec.JoinInner && n.asof == nil:
		cond = append(slices.Clone(cond), preds...)
	case n.kind == exec.JoinFull:
		above = preds
	default: // a left row comes with what it has found, or not at all, whatever the other left rows are
		toLeft, above = b.split(preds, func(x exec.Expr) bool { return within(x, left) })
	}
	for _, x := range cond {
		safe := !exec.CanFail(x)
		switch {
		case safe && (n.kind == exec.JoinInner || n.kind == exec.JoinSemi) && within(x, left):
			toLeft = append(toLeft, x)
		case safe && n.kind != exec.JoinFull && within(x, right):
			toRight = append(toRight, x)
		case (safe || len(residual) == 0 && len(n.leftKeys) == 0) && n.takeKey(x, left, right):
		default:
			residual = append(residual, x)
		}
	}
	n.residual = residual
	n.left = b.push(n.left, toLeft)
	n.right = b.push(n.right, toRight)
	if i := slices.IndexFunc(above, n.wantsNoPartner); i >= 0 {
		return b.wrap(b.withoutPartner(n), slices.Delete(slices.Clone(above), i, i+1))
	}
	return b.wrap(n, above)
}

// wantsNoPartner reports whether a predicate above a left join is true of exactly the rows without a partner: that a key of the right side,
// which every partner has, is NULL.
func (n *joinNode) wantsNoPartner(x exec.Expr) bool {
	is, ok := x.(*exec.Is)
	if n.kind != exec.JoinLeft || n.asof != nil || !ok || is.Kind != query.IsNull || is.Negate || slices.ContainsFunc(n.exprs(), exec.CanFail) {
		return false
	}
	c, ok := is.X.(*exec.Col)
	return ok && slices.ContainsFunc(n.rightKeys, func(k exec.Expr) bool {
		key, ok := k.(*exec.Col)
		return ok && key.Index == c.Index
	})
}

// withoutPartner makes a left join the anti join that gives its rows without a partner, with NULL for the columns of the right side.
func (b *binder) withoutPartner(n *joinNode) node {
	p := &computeNode{unary: unary{in: n}, ids: slices.Clone(n.right.outputs())}
	for _, id := range p.ids {
		p.exprs = append(p.exprs, &exec.Const{Value: query.Null(), T: b.cols[id].typ})
	}
	n.kind = exec.JoinAnti
	return p
}

// takeKey makes x a key of the join if it is an equality between its sides.
func (n *joinNode) takeKey(x exec.Expr, left, right []int) bool {
	c, ok := x.(*exec.Compare)
	if !ok || c.Op != vector.Eq {
		return false
	}
	// Dates and times compare, but are not equal as keys; binding has cast static ones to one type.
	temporal := func(t vector.Type) bool { return t == vector.Date || t == vector.Time }
	if c.L.Type() != c.R.Type() && (temporal(c.L.Type()) || temporal(c.R.Type())) {
		return false
	}
	if !hasCols(c.L) || !hasCols(c.R) {
		return false
	}
	switch {
	case within(c.L, left) && within(c.R, right):
		n.leftKeys, n.rightKeys = append(n.leftKeys, c.L), append(n.rightKeys, c.R)
	case within(c.R, left) && within(c.L, right):
		n.leftKeys, n.rightKeys = append(n.leftKeys, c.R), append(n.rightKeys, c.L)
	default:
		return false
	}
	return true
}

// estimateJoin guesses the rows of a join of l and r rows, and chooses the side that is kept.
func (n *joinNode) estimateJoin(l, r int64) int64 {
	n.buildLeft = n.kind == exec.JoinInner && n.asof == nil && l < r
	switch {
	case n.kind == exec.JoinMark || n.kind == exec.JoinSingle || n.kind == exec.JoinFirst || n.kind == exec.JoinGroup,
		n.asof != nil && n.kind == exec.JoinLeft:
		return l
	case n.kind == exec.JoinSemi && r == 0:
		return 0
	case n.kind == exec.JoinSemi || n.kind == exec.JoinAnti || n.asof != nil:
		return (l + 1) / 2
	}
	est := mulSat(l, r)
	if len(n.leftKeys) > 0 {
		est = max(l, r)
	}
	f := float64(est)
	for _, x := range n.residual {
		f *= selectivity(x)
	}
	est = ceilRows(f)
	switch n.kind {
	case exec.JoinLeft:
		est = max(est, l)
	case exec.JoinFull:
		est = max(est, l, r)
	}
	return est
}

// describe is what EXPLAIN shows of a join: its kind, keys, the rest of its condition, what it asks of the pairs.
func (n *joinNode) describe(f exec.Formatter, list func([]exec.Expr, string) string) (name, detail string) {
	name = "HashJoin"
	switch {
	case n.asof != nil:
		name = "AsofJoin"
	case len(n.leftKeys) == 0:
		name = "NestedLoopJoin"
	}
	parts := []string{n.kind.String()}
	for i := range n.leftKeys {
		parts = append(parts, f.Expr(n.leftKeys[i])+" = "+f.Expr(n.rightKeys[i]))
	}
	if n.asof != nil {
		parts = append(parts, "nearest "+f.Expr(&exec.Compare{Op: n.asof.op, L: n.asof.left, R: n.asof.right}))
	}
	if len(n.residual) > 0 {
		parts = append(parts, "if "+list(n.residual, " AND "))
	}
	if n.test != nil {
		parts = append(parts, "any "+f.Expr(n.test))
	}
	for i, a := range n.aggs {
		if i == 0 {
			parts = append(parts, "giving "+f.Aggregate(a))
			continue
		}
		parts[len(parts)-1] += ", " + f.Aggregate(a)
	}
	if n.buildLeft {
		parts = append(parts, "build=left")
	}
	if n.filter != nil {
		parts = append(parts, "keys to scan of "+quoteName(n.filter.scan.alias))
	}
	return name, strings.Join(parts, " ")
}
