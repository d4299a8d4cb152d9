package planner

import (
	"slices"

	"github.com/seed69692123/netdb/planner/exec"
)

// pushGroups moves predicates on keys below a grouping: a group of which one row passes is one of which all do.
func (b *binder) pushGroups(n *aggregateNode, preds []exec.Expr) node {
	down, rest := b.split(preds, func(x exec.Expr) bool { return len(n.keys) > 0 && within(x, n.keyIDs) && byValue(x) })
	for i, x := range down {
		down[i] = substitute(x, n.keyIDs, n.keys)
		if exec.CanFail(down[i]) {
			rest = append([]exec.Expr{x}, rest...)
			down[i] = nil
		}
	}
	n.in = b.push(n.in, slices.DeleteFunc(down, func(x exec.Expr) bool { return x == nil }))
	return b.wrap(n, rest)
}

// byValue reports whether a predicate is the same for values that are equal, such as 1 and 1.0: it may then be asked of any row of a group.
func byValue(x exec.Expr) bool {
	ok := true
	exec.Walk(x, func(x exec.Expr) bool {
		switch x := x.(type) {
		case *exec.Col, *exec.Const, *exec.Compare, *exec.Logic, *exec.Not, *exec.Is, *exec.In, *exec.Like:
		default:
			exec.Walk(x, func(x exec.Expr) bool {
				c, is := x.(*exec.Col)
				ok = ok && (!is || !c.T.Dynamic()) // values of one type that are equal are the same
				return ok
			})
			return false
		}
		return ok
	})
	return ok
}

// once tells scans of one column whose rows are all in one aggregate, directly above them, if that asks only which values there are.
func once(n node) {
	for _, c := range n.inputs() {
		once(c)
	}
	a, ok := n.(*aggregateNode)
	if !ok {
		return
	}
	scan, ok := a.in.(*scanNode)
	if !ok || len(scan.ids) != 1 || scan.outs[0].Column >= 0 || scan.limit > 0 || scan.reverse {
		return
	}
	if _, ok := scan.source.(Divisible); !ok {
		return // it has no columns
	}
	for _, k := range a.keys {
		if _, ok := k.(*exec.Col); !ok {
			return
		}
	}
	for _, g := range a.aggs {
		if g.Filter != nil || len(g.OrderBy) > 0 || len(g.Args) != 1 {
			return
		}
		if _, ok := g.Args[0].(*exec.Col); !ok {
			return
		}
		if name := g.Fn.Name; name != "min" && name != "max" && (name != "count" || !g.Distinct) {
			return
		}
	}
	scan.once = true
}
