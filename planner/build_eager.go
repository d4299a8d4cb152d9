package planner

import "github.com/seed69692123/netdb/planner/exec"

// eagerAggregate returns the operator of an aggregate whose rows are grouped before they are multiplied.
func (b *builder) eagerAggregate(n *aggregateNode) exec.Operator {
	e := n.eager
	small := &aggregateNode{unary: unary{in: e.table}, keys: e.keys, keyIDs: e.keyIDs, aggs: n.aggs, aggIDs: n.aggIDs}
	op := &exec.EagerAggregate{Env: b.env, Number: len(e.keyIDs)}
	if p := b.parallelAggregate(small); p != nil {
		op.Small = p.(*exec.ParallelAggregate)
	}
	if b.timed {
		b.sumUp(n.in)
	}
	if op.Small == nil {
		op.Small = b.aggregate(small, b.build(e.table))
	}
	ids := append(append([]int(nil), e.keyIDs...), e.number)
	outs := ids
	switch in := n.in.(type) {
	case *joinNode:
		few := in.right
		if in.buildLeft {
			few = in.left
		}
		outs = append(append([]int(nil), ids...), few.outputs()...)
		op.Multiply = func(groups exec.Operator) exec.Operator {
			return &exec.Join{
				Left: groups, Right: b.build(few), Kind: exec.JoinInner, LeftTypes: b.types(ids), RightTypes: b.types(few.outputs()), Env: b.env,
			}
		}
	case *hopNode:
		outs = append(append([]int(nil), ids...), in.ids...)
		op.Multiply = func(groups exec.Operator) exec.Operator {
			return &exec.Hop{In: groups, X: place(e.x, ids), Grid: in.grid, Ends: in.ends, Env: b.env}
		}
	}
	op.Keys = placeAll(e.outer, outs)
	op.Plain = b.aggregate(n, b.build(n.in))
	return op
}

// sumUp has what operators of a node and of those below it count added up.
func (b *builder) sumUp(n node) {
	if b.ops[n.common().id] == nil {
		b.ops[n.common().id] = &opSum{}
	}
	for _, c := range n.inputs() {
		b.sumUp(c)
	}
}
