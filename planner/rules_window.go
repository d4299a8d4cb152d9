package planner

import (
	"math"
	"slices"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// unbucket puts a range of x in place of a comparison of the window that x is in with a constant. It says exactly the same, and a
// range is what scans leave out rows by.
func (b *binder) unbucket(preds []exec.Expr) []exec.Expr {
	if !slices.ContainsFunc(preds, func(x exec.Expr) bool { _, _, _, ok := bucketCompare(x); return ok }) {
		return preds
	}
	var out []exec.Expr
	for _, x := range preds {
		bucket, op, c, ok := bucketCompare(x)
		if !ok {
			out = append(out, x)
			continue
		}
		from, to, ok := bucket.Grid.Where(op, bucket.End, c)
		if !ok {
			out = append(out, x)
			continue
		}
		out = append(out, b.between64(bucket.X, bucket.Type(), from, to)...)
	}
	return out
}

// bucketCompare takes a comparison of a Bucket with a constant apart.
func bucketCompare(x exec.Expr) (bucket *exec.Bucket, op vector.CompareOp, c int64, ok bool) {
	l, r, op, ok := constCompare(x)
	if !ok {
		return nil, 0, 0, false
	}
	if bucket, ok = l.(*exec.Bucket); !ok || bucket.Grid.Slide != bucket.Grid.Size {
		return nil, 0, 0, false
	}
	c, ok = boundOf(r, bucket.Type())
	return bucket, op, c, ok
}

// constCompare takes a comparison with a constant apart.
func constCompare(x exec.Expr) (l exec.Expr, c *exec.Const, op vector.CompareOp, ok bool) {
	cmp, ok := x.(*exec.Compare)
	if !ok {
		return nil, nil, 0, false
	}
	l, r, op := cmp.L, cmp.R, cmp.Op
	if _, ok := l.(*exec.Const); ok {
		l, r, op = r, l, op.Swap()
	}
	c, ok = r.(*exec.Const)
	return l, c, op, ok
}

// boundOf returns the bound of a window that a constant is.
func boundOf(c *exec.Const, t vector.Type) (int64, bool) {
	switch {
	case t == vector.Time && c.Value.Kind() == query.KindTime:
		return c.Value.Nanos(), true
	case t == vector.Int && c.Value.Kind() == query.KindInt:
		return c.Value.Int(), true
	}
	return 0, false
}

// pushWindows moves predicates below a hop or a session; of another node they stay above.
func (b *binder) pushWindows(n node, preds []exec.Expr) node {
	switch n := n.(type) {
	case *hopNode:
		return b.pushHop(n, preds)
	case *sessionNode:
		return b.pushSession(n, preds)
	}
	return b.wrap(n, preds)
}

// pruneWindows drops the bounds that are not needed, and adds to need what a hop or a session needs of its input.
func pruneWindows(n node, need map[int]bool) map[int]bool {
	switch n := n.(type) {
	case *hopNode:
		n.prune(need)
		exec.Columns(n.x, need)
	case *sessionNode:
		n.prune(need)
		for _, id := range append([]int{n.x}, n.keys...) {
			need[id] = true
		}
	}
	return need
}

// pushHop moves predicates below a hop: those of its input as they are, and what those of the windows' bounds mean for x.
func (b *binder) pushHop(n *hopNode, preds []exec.Expr) node {
	ins := n.in.outputs()
	down, rest := b.split(preds, func(x exec.Expr) bool { return within(x, ins) })
	for _, x := range rest {
		if exec.CanFail(x) || exec.CanFail(n.x) {
			break
		}
		l, c, op, ok := constCompare(x)
		col, isCol := l.(*exec.Col)
		if !ok || !isCol {
			continue
		}
		at := slices.Index(n.ids, col.Index)
		if at < 0 {
			continue
		}
		if v, ok := boundOf(c, n.grid.Type()); ok {
			down = append(down, b.hopRange(n, op, n.ends[at], v)...)
		}
	}
	n.in = b.push(n.in, down)
	return b.wrap(n, rest)
}

// hopRange is what follows for x when the start or the end of one of its windows compares so with c.
func (b *binder) hopRange(n *hopNode, op vector.CompareOp, end bool, c int64) []exec.Expr {
	from, to := n.grid.Reach(op, end, c)
	bounds := b.between64(n.x, n.grid.Type(), from, to)
	if to == math.MaxInt64 {
		bounds = bounds[:1]
	}
	if from == math.MinInt64 {
		bounds = bounds[1:]
	}
	return bounds
}

// pushSession moves predicates on the keys below a session: it has all rows of a key, or none.
func (b *binder) pushSession(n *sessionNode, preds []exec.Expr) node {
	down, rest := b.split(preds, func(x exec.Expr) bool { return within(x, n.keys) && byValue(x) })
	n.in = b.push(n.in, down)
	return b.wrap(n, rest)
}

// windowKeys leaves the end of a window out of the keys of an aggregate that groups by its start, too: it follows from that, and one
// key is quicker than two.
func (b *binder) windowKeys(n node) node {
	for i, c := range n.inputs() {
		n.setInput(i, b.windowKeys(c))
	}
	agg, ok := n.(*aggregateNode)
	if !ok || len(agg.keys) < 2 {
		return n
	}
	for i, k := range agg.keys {
		end, ok := windowBound(agg.in, k)
		if !ok || !end.End {
			continue
		}
		for j, k := range agg.keys {
			start, ok := windowBound(agg.in, k)
			if !ok || start.End || !start.Grid.Equal(end.Grid) || !exec.Equal(start.X, end.X) {
				continue
			}
			above := &computeNode{
				unary: unary{in: agg}, ids: []int{agg.keyIDs[i]},
				exprs: []exec.Expr{&exec.Bucket{Span: k.At(), X: b.col(agg.keyIDs[j], k.At()), Grid: end.Grid, End: true}},
			}
			agg.keys, agg.keyIDs = slices.Delete(agg.keys, i, i+1), slices.Delete(agg.keyIDs, i, i+1)
			return above
		}
	}
	return n
}

// windowBound returns what a column is that tumble or hop added.
func windowBound(n node, x exec.Expr) (*exec.Bucket, bool) {
	c, ok := x.(*exec.Col)
	if !ok {
		return nil, false
	}
	for {
		switch at := n.(type) {
		case *filterNode:
			n = at.in
			continue
		case *computeNode:
			if i := slices.Index(at.ids, c.Index); i >= 0 {
				bucket, ok := at.exprs[i].(*exec.Bucket)
				return bucket, ok
			}
			n = at.in
			continue
		case *hopNode:
			if i := slices.Index(at.ids, c.Index); i >= 0 {
				return &exec.Bucket{X: at.x, Grid: at.grid, End: at.ends[i]}, true
			}
		}
		return nil, false
	}
}
