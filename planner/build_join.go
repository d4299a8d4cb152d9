package planner

import (
	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
)

// join makes the operator of a join.
func (b *builder) join(n *joinNode) exec.Operator {
	return b.joinOf(n, true, b.tables[n])
}

// joinOf makes the operator of a join: without its build side when that is in a table, and without the probe side for what makes one.
func (b *builder) joinOf(n *joinNode, probe bool, table *exec.JoinTable) exec.Operator {
	l, r, pairs := n.left.outputs(), n.right.outputs(), n.pairs()
	var filter *vector.KeyFilter
	if n.filter != nil && table == nil {
		filter = &vector.KeyFilter{}
		b.keys[n.filter.scan] = append(b.keys[n.filter.scan], KeyHint{Outputs: n.filter.outputs, Filter: filter})
	}
	var left, right exec.Operator
	if n.buildLeft && table == nil || !n.buildLeft && probe {
		left = b.build(n.left)
	}
	if !n.buildLeft && table == nil || n.buildLeft && probe {
		right = b.build(n.right)
	}
	leftKeys, rightKeys := placeAll(n.leftKeys, l), placeAll(n.rightKeys, r)
	if n.asof != nil {
		return &exec.AsofJoin{
			Left: left, Right: right, Kind: n.kind, LeftKeys: leftKeys, RightKeys: rightKeys, Op: n.asof.op,
			LeftValue: place(n.asof.left, l), RightValue: place(n.asof.right, r), LeftTypes: b.types(l), RightTypes: b.types(r), Env: b.env,
		}
	}
	core := exec.Join{
		Left: left, Right: right, Kind: n.kind, LeftKeys: leftKeys, RightKeys: rightKeys, Residual: placeAll(n.residual, pairs),
		BuildLeft: n.buildLeft, Cols: positions(n.outs, pairs), Filter: filter, Table: table, LeftTypes: b.types(l), RightTypes: b.types(r), Env: b.env,
	}
	switch n.kind {
	case exec.JoinSemi, exec.JoinAnti, exec.JoinMark, exec.JoinSingle, exec.JoinFirst:
		return &exec.Lookup{Join: core, Test: place(n.test, pairs), At: n.at}
	case exec.JoinGroup:
		op := &exec.GroupJoin{Join: core}
		for _, a := range n.aggs {
			op.Aggs = append(op.Aggs, a.Map(func(x exec.Expr) exec.Expr { return place(x, pairs) }))
		}
		return op
	}
	return &core
}
