package planner

import (
	"slices"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// endRowNode gives the last row of each key: a window whose row_number is asked to be 1, where rows come against its order. Where nobody sees the
// order of these rows it is computed as an aggregate, which several goroutines can do and which keeps of each key what is needed of that row. Else
// they are found by number, as sorting the rows of an aggregate takes longer.
type endRowNode struct {
	unary
	ids    []int       // columns that are needed
	window *windowNode // what it is otherwise
	preds  []exec.Expr // on the number of the row, above the window
	aggs   []*exec.Aggregate
	slots  []int // where each of ids is among the keys and aggs
}

// mostEndColumns is how many columns of a row are kept for each key. A row that is wider is rather found by its number.
const mostEndColumns = 4

func (n *endRowNode) outputs() []int { return n.ids }

// endRow puts an endRowNode in place of a filter that lets the first row of each partition of a window pass, which is the last that comes.
func (b *binder) endRow(f *filterNode) node {
	w, ok := f.in.(*windowNode)
	if !ok || w.sorted || len(w.calls) != 1 || len(w.partition) == 0 || slices.ContainsFunc(slices.Concat(w.exprs(), f.preds), exec.CanFail) {
		return f
	}
	n := &endRowNode{unary: unary{in: w.in}, ids: slices.Clone(w.in.outputs()), window: w}
	keys, at, _ := orderBelow(w.order, w.in)
	scan, ok := at.(*scanNode)
	if !ok || scan.reverse {
		return f
	}
	if !lastFirst(keys, scan) {
		return f
	}
	switch c := w.calls[0]; {
	case c.Agg != nil:
		return f
	case c.Fn.Name == "row_number", c.Fn.Name == "rank", c.Fn.Name == "dense_rank": // the same, as the order ends with the sequence
	default:
		return f
	}
	var rest []exec.Expr
	one := []exec.Expr{&exec.Const{Value: query.Int(1), T: vector.Int}}
	for _, x := range f.preds {
		if within(x, w.ids) && hasCols(x) {
			n.preds = append(n.preds, x)
		}
		rest = append(rest, b.fold(substitute(x, w.ids, one)))
	}
	if most := w.first(n.preds); most != 1 {
		return f
	}
	return b.wrap(&computeNode{unary: unary{in: n}, ids: w.ids, exprs: one}, rest)
}

// lastFirst reports whether the last row of a scan is the first by keys that are those of an order as the scan has them.
func lastFirst(keys []exec.SortKey, scan *scanNode) bool {
	for i, k := range keys {
		below, ok := k.Expr.(*exec.Col)
		if !ok || !k.Desc {
			return false
		}
		switch role := scan.role(below.Index); {
		case role == RoleSeq:
			return true
		case role == RoleTime && i == 0: // as long as the sequence comes next
		default:
			return false
		}
	}
	return false
}

// prune drops the columns that nobody needs, and returns those that are needed below.
func (n *endRowNode) prune(need map[int]bool) map[int]bool {
	n.ids = slices.DeleteFunc(n.ids, func(id int) bool { return !need[id] })
	below := ids(n.ids)
	for _, x := range n.window.exprs() {
		exec.Columns(x, below)
	}
	return below
}

// endRows decides how the last rows of keys are found. free says that nobody sees their order.
func (b *binder) endRows(n node, free bool) node {
	open := false
	switch n := n.(type) {
	case *aggregateNode:
		open = len(n.keys) == 0 && !slices.ContainsFunc(n.aggs, func(a *exec.Aggregate) bool { return b.showsOrder(n.in, a) }) && !slices.ContainsFunc(aggExprs(n.aggs), exec.CanFail)
	case *projectNode:
		open = free && !slices.ContainsFunc(n.exprs, exec.CanFail)
	case *filterNode:
		open = free && !slices.ContainsFunc(n.preds, exec.CanFail)
	case *computeNode:
		if open = free; len(n.ids) == 0 {
			return b.endRows(n.in, free)
		}
	case *endRowNode:
		chosen := free && n.choose(b)
		if n.in = b.endRows(n.in, false); !chosen {
			return n.numbered()
		}
		return n
	}
	for i, c := range n.inputs() {
		n.setInput(i, b.endRows(c, open))
	}
	return n
}

// showsOrder reports whether the result of a call over n may depend on the order of rows, be it in the last digit of a DOUBLE.
func (b *binder) showsOrder(n node, a *exec.Aggregate) bool {
	switch a.Fn.Name {
	case "sum", "avg":
		return a.Args[0].Type() != vector.Int
	case "min", "max": // which of 1 and 1.0 it is
		if c, ok := a.Args[0].(*exec.Col); ok && c.T.Dynamic() && !a.Distinct && len(a.OrderBy) == 0 {
			t := singleTypes{ctx: b.ctx, plan: &Plan{cols: b.cols, root: n}, known: map[int]vector.Type{}, fields: map[Source]map[string]vector.Type{}}
			return !sameWhenEqual(t.column(c.Index)) || t.err != nil
		}
	}
	return !mergesInAnyOrder(a)
}

// choose makes the aggregates that keep the rows, and reports whether that is the way to find them.
func (n *endRowNode) choose(b *binder) bool {
	for _, id := range n.ids {
		slot := slices.IndexFunc(n.window.partition, func(k exec.Expr) bool {
			c, ok := k.(*exec.Col)
			return ok && c.Index == id && sameWhenEqual(c.T)
		})
		if slot < 0 {
			x := b.col(id, n.window.calls[0].Span)
			switch x.T {
			case vector.JSON, vector.Blob:
				return false
			}
			slot = len(n.window.partition) + len(n.aggs)
			n.aggs = append(n.aggs, &exec.Aggregate{Span: x.Span, Fn: exec.FindAggregate("last"), Args: []exec.Expr{x}, T: x.T})
		}
		n.slots = append(n.slots, slot)
	}
	if len(n.aggs) > mostEndColumns {
		return false
	}
	below := ids(n.ids)
	for _, k := range n.window.partition {
		exec.Columns(k, below)
	}
	prune(n.in, below) // without the order
	return true
}

// sameWhenEqual reports whether values of a type that are equal are the same.
func sameWhenEqual(t vector.Type) bool {
	switch t {
	case vector.Int, vector.Time, vector.Date, vector.Bool, vector.Text:
		return true
	}
	return false
}

// numbered is the rows by their number.
func (n *endRowNode) numbered() node {
	n.window.in = n.in
	return latestFirst(&filterNode{unary: unary{in: n.window}, preds: n.preds})
}

// operator makes the operators.
func (n *endRowNode) operator(b *builder) exec.Operator {
	agg := &aggregateNode{unary: unary{in: n.in}, keys: n.window.partition, aggs: n.aggs}
	op := b.parallelAggregate(agg)
	if op == nil {
		op = b.aggregate(agg, b.build(n.in))
	}
	pick := &exec.Project{In: op, Env: b.env}
	for i, id := range n.ids {
		pick.Exprs = append(pick.Exprs, &exec.Col{Index: n.slots[i], Name: b.plan.cols[id].name, T: b.plan.cols[id].typ})
	}
	return pick
}

// describe says which row it is, and what is kept of it.
func (n *endRowNode) describe(list func(xs []exec.Expr, sep string) string) (name, detail string) {
	detail = "key=" + list(n.window.partition, ", ")
	if len(n.aggs) > 0 {
		detail += " of " + list(aggExprs(n.aggs), ", ")
	}
	return "LastRow", detail
}
