package planner

import (
	"slices"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// endRowNode gives the first or the last row of each key, in the order of its input: a window whose row_number is asked to be 1, where rows come in
// its order or against it. It is computed as an aggregate, which several goroutines can do and which keeps of each key what is needed of that row.
type endRowNode struct {
	unary
	ids    []int       // columns that are needed; behind them by
	by     int         // of the last row: the column that says where it is among the others; -1: it is the first
	window *windowNode // what it is otherwise
	preds  []exec.Expr // on the number of the row, above the window
	aggs   []*exec.Aggregate
	slots  []int // where each of ids is among the keys and aggs
	free   bool  // nobody sees the order of the rows
}

// mostEndColumns is how many columns of a row are kept for each key. A row that is wider is rather found by its number.
const mostEndColumns = 4

func (n *endRowNode) outputs() []int { return n.ids }

// endRow puts an endRowNode in place of a filter that lets the first row of each partition of a window pass.
func (b *binder) endRow(f *filterNode) node {
	w, ok := f.in.(*windowNode)
	if !ok || len(w.calls) != 1 || len(w.partition) == 0 || slices.ContainsFunc(slices.Concat(w.exprs(), f.preds), exec.CanFail) {
		return f
	}
	n := &endRowNode{unary: unary{in: w.in}, ids: slices.Clone(w.in.outputs()), by: -1, window: w}
	unique := w.unique
	if !w.sorted {
		keys, at, _ := orderBelow(w.order, w.in)
		scan, ok := at.(*scanNode)
		if !ok || scan.reverse {
			return f
		}
		if n.by = lastBy(w.order, keys, scan); n.by < 0 {
			return f
		}
		unique = true
	}
	switch c := w.calls[0]; {
	case c.Agg != nil:
		return f
	case c.Fn.Name == "row_number", (c.Fn.Name == "rank" || c.Fn.Name == "dense_rank") && unique:
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

// lastBy returns the column of an order by which the last row of a scan is the first; -1 when that is not the order. keys are those of the order as
// the scan has them.
func lastBy(order, keys []exec.SortKey, scan *scanNode) int {
	for i, k := range keys {
		below, ok := k.Expr.(*exec.Col)
		if !ok || !k.Desc {
			return -1
		}
		switch role := scan.role(below.Index); {
		case role == RoleSeq:
			if c, ok := order[i].Expr.(*exec.Col); ok {
				return c.Index
			}
			return -1
		case role == RoleTime && i == 0: // as long as the sequence comes next
		default:
			return -1
		}
	}
	return -1
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

// endRows decides how the first or last rows of keys are found. whole says that all of them are asked for, free that nobody sees their order.
func (b *binder) endRows(n node, whole, free bool) node {
	inner, open := whole, false
	switch n := n.(type) {
	case *aggregateNode:
		inner = true
		open = len(n.keys) == 0 && !slices.ContainsFunc(n.aggs, func(a *exec.Aggregate) bool { return b.showsOrder(n.in, a) }) && !slices.ContainsFunc(aggExprs(n.aggs), exec.CanFail)
	case *sortNode:
		inner = true
	case *projectNode:
		open = free && !slices.ContainsFunc(n.exprs, exec.CanFail)
	case *filterNode:
		open = free && !slices.ContainsFunc(n.preds, exec.CanFail)
	case *computeNode:
		if open = free; len(n.ids) == 0 {
			return b.endRows(n.in, whole, free)
		}
	case *endRowNode:
		chosen := n.choose(b, whole, free)
		if n.in = b.endRows(n.in, whole || n.by >= 0, false); !chosen {
			return b.numbered(n)
		}
		return n
	default:
		inner = false
	}
	for i, c := range n.inputs() {
		n.setInput(i, b.endRows(c, inner, open))
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
func (n *endRowNode) choose(b *binder, whole, free bool) bool {
	name := "last"
	if n.free = free; n.by < 0 {
		if !whole {
			return false // rows come as they are found
		}
		name = "first"
	} else if !free && !slices.Contains(n.ids, n.by) {
		n.ids = append(n.ids, n.by)
	}
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
			n.aggs = append(n.aggs, &exec.Aggregate{Span: x.Span, Fn: exec.FindAggregate(name), Args: []exec.Expr{x}, T: x.T})
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

// numbered is the rows by their number. The log is read backwards for the last ones, if only filters are on the way: then they are the first that
// come, and only they are sorted back.
func (b *binder) numbered(n *endRowNode) node {
	w := n.window
	w.in = n.in
	f := &filterNode{unary: unary{in: w}, preds: n.preds}
	if n.by < 0 {
		return f
	}
	at := w.in
	for {
		below, ok := at.(*filterNode)
		if !ok || slices.ContainsFunc(below.preds, exec.CanFail) {
			break
		}
		at = below.in
	}
	scan, ok := at.(*scanNode)
	if !ok {
		return f
	}
	scan.reverse = true
	w.inOrder()
	w.keep = 0
	back := slices.Clone(w.order)
	for i := range back {
		back[i].Desc = false
	}
	return &sortNode{unary: unary{in: f}, keys: back}
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
	if n.by < 0 || n.free {
		return pick
	}
	at := slices.Index(n.ids, n.by)
	return &exec.Sort{In: pick, Keys: []exec.SortKey{{Expr: &exec.Col{Index: at, T: b.plan.cols[n.by].typ}}}, Env: b.env}
}

// describe says which row it is, and what is kept of it.
func (n *endRowNode) describe(list func(xs []exec.Expr, sep string) string) (name, detail string) {
	detail = "key=" + list(n.window.partition, ", ")
	if len(n.aggs) > 0 {
		detail += " of " + list(aggExprs(n.aggs), ", ")
	}
	if n.by < 0 {
		return "FirstRow", detail
	}
	return "LastRow", detail
}
