package planner

import (
	"slices"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
)

// eagerGroups says how the groups of an aggregate are made of smaller ones: the rows of a table are grouped before each of them becomes several, by a
// cross join with a few constant rows or by windows that overlap; then the groups become several, and are merged. What is merged are states of
// aggregates, not their results, so a sum is out of range only where its whole is.
type eagerGroups struct {
	table  node
	keys   []exec.Expr // of the smaller groups, over the table
	keyIDs []int
	number int         // column of a smaller group's number
	outer  []exec.Expr // the aggregate's keys, over those of the smaller groups and what multiplies them
	x      exec.Expr   // of windows: what of a smaller group is in them
}

// mostConstantRows is how many rows a table may have that multiplies groups: each is a pass over all groups.
const mostConstantRows = 256

// eager looks for aggregates whose rows can be grouped before they are multiplied.
func (b *binder) eager(n node) {
	for _, c := range n.inputs() {
		b.eager(c)
	}
	agg, ok := n.(*aggregateNode)
	if !ok || len(agg.keys) == 0 || slices.ContainsFunc(agg.keys, whimsical) {
		return
	}
	e := &eagerGroups{}
	switch in := agg.in.(type) {
	case *joinNode:
		if in.kind != exec.JoinInner || in.asof != nil || len(in.leftKeys) > 0 || len(in.residual) > 0 {
			return
		}
		// The order of pairs is that of the table, as if its rows were not grouped.
		few := in.right
		if e.table = in.left; in.buildLeft {
			e.table, few = in.right, in.left
		}
		if !constantRows(few) {
			return
		}
	case *hopNode:
		pane := in.grid.Pane()
		if pane == nil {
			return
		}
		e.table = in.in
		e.x = e.key(b, &exec.Bucket{Span: in.x.At(), X: in.x, Grid: pane})
	default:
		return
	}
	if _, ok := e.table.(*valuesNode); ok {
		return
	}
	outs := e.table.outputs()
	for _, a := range agg.aggs {
		if !mergesInAnyOrder(a) || slices.ContainsFunc(aggExprs([]*exec.Aggregate{a}), func(x exec.Expr) bool { return whimsical(x) || !within(x, outs) }) {
			return
		}
	}
	for _, k := range agg.keys {
		if within(k, outs) && hasCols(k) { // groups show the first of equal values, as the smaller ones do
			e.outer = append(e.outer, e.key(b, k))
			continue
		}
		k, ok := e.take(b, k, outs)
		if !ok {
			return
		}
		e.outer = append(e.outer, k)
	}
	if len(e.keys) == 0 { // a group without rows would be one
		return
	}
	e.number = b.newColumn("", vector.Int)
	agg.eager = e
}

// key makes x a key of the smaller groups, and returns its column.
func (e *eagerGroups) key(b *binder, x exec.Expr) exec.Expr {
	i := slices.IndexFunc(e.keys, func(k exec.Expr) bool { return exec.Equal(k, x) })
	if i < 0 {
		i = len(e.keys)
		e.keys, e.keyIDs = append(e.keys, x), append(e.keyIDs, b.newColumn("", x.Type()))
	}
	return b.col(e.keyIDs[i], x.At())
}

// take replaces what of x is computed of the table by columns of the smaller groups. Their values must be the same where they are equal: 1 and 1.0 are
// one group, of which an expression may show which it was.
func (e *eagerGroups) take(b *binder, x exec.Expr, outs []int) (exec.Expr, bool) {
	if hasCols(x) && within(x, outs) {
		switch x.Type() {
		case vector.Int, vector.Time, vector.Date, vector.Bool, vector.Text:
			return e.key(b, x), true
		}
		return nil, false
	}
	ok := true
	y, _ := exec.MapArgs(x, func(a exec.Expr) (exec.Expr, error) {
		if a == nil {
			return nil, nil
		}
		z, is := e.take(b, a, outs)
		if ok = ok && is; !ok {
			return a, nil
		}
		return z, nil
	})
	return y, ok
}

// whimsical reports whether an expression may have another value when it is asked for again, or runs a query.
func whimsical(x exec.Expr) bool {
	found := runsQuery(x)
	exec.Walk(x, func(x exec.Expr) bool {
		if c, ok := x.(*exec.Call); ok {
			found = found || c.Fn.Volatile
		}
		return !found
	})
	return found
}

// constantRows reports whether a node gives a few constant rows.
func constantRows(n node) bool {
	switch n := n.(type) {
	case *valuesNode:
		return len(n.rows) <= mostConstantRows && !slices.ContainsFunc(slices.Concat(n.rows...), whimsical)
	case *filterNode:
		return constantRows(n.in) && !slices.ContainsFunc(n.preds, whimsical)
	case *projectNode:
		return constantRows(n.in) && !slices.ContainsFunc(n.exprs, whimsical)
	}
	return false
}

// mergesInAnyOrder reports whether the result of a call is the same in whatever order the states of parts of its rows are merged.
func mergesInAnyOrder(a *exec.Aggregate) bool {
	if len(a.OrderBy) > 0 {
		return false
	}
	switch a.Fn.Name {
	case "count":
		return true
	case "sum", "avg", "bool_and", "bool_or", "approx_count_distinct":
		return !a.Distinct
	case "min", "max": // which of 1 and 1.0 is shown is that of the first row
		switch a.Args[0].Type() {
		case vector.Int, vector.Time, vector.Date, vector.Bool, vector.Text:
			return !a.Distinct
		}
	}
	return false
}
