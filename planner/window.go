package planner

import (
	"slices"
	"strings"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// windowNode gives the columns of its input and the results of window functions of one window, in the order of its input.
type windowNode struct {
	unary
	partition []exec.Expr
	order     []exec.SortKey
	calls     []*exec.WindowCall
	ids       []int
	sorted    bool  // the input comes in the order of the window
	unique    bool  // no two rows have equal keys of the order
	keep      int64 // rows of each partition that are asked for, 0: all
}

func (n *windowNode) outputs() []int {
	return append(append([]int(nil), n.in.outputs()...), n.ids...)
}

// same reports whether a window has this partition and this order.
func (n *windowNode) same(d *windowDef) bool {
	return slices.EqualFunc(n.partition, d.partition, exec.Equal) && slices.EqualFunc(n.order, d.order, func(a, b exec.SortKey) bool {
		return a.Desc == b.Desc && a.NullsFirst == b.NullsFirst && exec.Equal(a.Expr, b.Expr)
	})
}

// exprs are the expressions of the window and its calls.
func (n *windowNode) exprs() []exec.Expr {
	out := slices.Clone(n.partition)
	for _, k := range n.order {
		out = append(out, k.Expr)
	}
	for _, c := range n.calls {
		out = append(out, c.Exprs()...)
	}
	return out
}

// rewrite replaces the expressions of the window and its calls.
func (n *windowNode) rewrite(f func(exec.Expr) (exec.Expr, error)) error {
	var failed error
	change := func(x exec.Expr) exec.Expr {
		if failed != nil {
			return x
		}
		y, err := f(x)
		if err != nil {
			failed = err
			return x
		}
		return y
	}
	for i := range n.partition {
		n.partition[i] = change(n.partition[i])
	}
	for i := range n.order {
		n.order[i].Expr = change(n.order[i].Expr)
	}
	for i := range n.calls {
		n.calls[i] = n.calls[i].Map(change)
	}
	return failed
}

// push moves predicates below a window that take out whole partitions: those of its columns that make no difference between values
// that are equal.
func (n *windowNode) push(b *binder, preds []exec.Expr) node {
	var ids []int
	for _, p := range n.partition {
		if c, ok := p.(*exec.Col); ok {
			ids = append(ids, c.Index)
		}
	}
	down, rest := b.split(preds, func(x exec.Expr) bool { return hasCols(x) && within(x, ids) && byValue(x) })
	n.in = b.push(n.in, down)
	n.keepFirst(rest)
	return b.wrap(n, rest)
}

// keepFirst notes how many rows of each partition predicates leave, when row_number is all that is computed.
func (n *windowNode) keepFirst(preds []exec.Expr) {
	if len(n.calls) != 1 || n.calls[0].Agg != nil || n.calls[0].Fn.Name != "row_number" || slices.ContainsFunc(preds, exec.CanFail) {
		return
	}
	if most := n.first(preds); most > 0 && most <= exec.MaxKeep && (n.keep == 0 || most < n.keep) {
		n.keep = most
	}
}

// first returns to which of the first numbers predicates bound that of a row, 0 when they do not.
func (n *windowNode) first(preds []exec.Expr) int64 {
	least := int64(0)
	for _, x := range preds {
		l, v, op, ok := constCompare(x)
		col, isCol := l.(*exec.Col)
		if !ok || !isCol || col.Index != n.ids[0] || v.Value.Kind() != query.KindInt {
			continue
		}
		most := v.Value.Int()
		switch op {
		case vector.Eq, vector.Le:
		case vector.Lt:
			most--
		default:
			continue
		}
		if most >= 1 && (least == 0 || most < least) {
			least = most
		}
	}
	return least
}

// inOrder finds out whether the rows come in the order of the window: that in which a log is read.
func (n *windowNode) inOrder() {
	keys, at, _ := orderBelow(n.order, n.in)
	scan, ok := at.(*scanNode)
	if len(keys) == 0 {
		n.sorted = n.sorted || n.streams(false) || len(n.partition) == 0
		return
	}
	if !ok {
		return
	}
	role := func(i int) Role {
		if i < len(keys) && keys[i].Desc == scan.reverse {
			if c, ok := keys[i].Expr.(*exec.Col); ok {
				return scan.role(c.Index)
			}
		}
		return RoleNone
	}
	unique := false
	switch {
	case role(0) == RoleSeq:
		unique = true
	case role(0) == RoleTime && role(1) == RoleSeq:
		unique = true
	case role(0) == RoleTime && len(keys) == 1 && !scan.reverse:
	default:
		return
	}
	n.unique = unique
	n.sorted = len(n.partition) == 0 || n.streams(unique)
}

// latestFirst has a log read backwards where the last rows of each partition are asked for: then they are the first that come, and
// only they are sorted back.
func latestFirst(f *filterNode) node {
	w, ok := f.in.(*windowNode)
	if !ok || w.keep == 0 || w.sorted || len(w.order) == 0 || slices.ContainsFunc(w.exprs(), exec.CanFail) {
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
	if !ok || scan.reverse {
		return f
	}
	scan.reverse = true
	if w.inOrder(); !w.sorted || !w.unique {
		scan.reverse, w.sorted, w.unique = false, false, false
		return f
	}
	w.keep = 0
	back := slices.Clone(w.order)
	for i := range back {
		back[i].Desc = false
	}
	return &sortNode{unary: unary{in: f}, keys: back}
}

// streams reports whether all calls can be computed while rows pass.
func (n *windowNode) streams(unique bool) bool {
	return !slices.ContainsFunc(n.calls, func(c *exec.WindowCall) bool { return !c.Streams(unique) })
}

// prune drops the calls that nobody needs.
func (n *windowNode) prune(need map[int]bool) {
	k := 0
	for i, id := range n.ids {
		if need[id] {
			n.ids[k], n.calls[k] = id, n.calls[i]
			k++
		}
	}
	n.ids, n.calls = n.ids[:k], n.calls[:k]
}

// operator makes the operator.
func (n *windowNode) operator(b *builder) exec.Operator {
	in := b.build(n.in)
	if len(n.calls) == 0 {
		return in
	}
	outs := n.in.outputs()
	op := &exec.Window{
		In: in, Types: b.types(outs), Partition: placeAll(n.partition, outs), Sorted: n.sorted, Unique: n.unique, Keep: n.keep, Env: b.env,
	}
	for _, k := range n.order {
		k.Expr = place(k.Expr, outs)
		op.Order = append(op.Order, k)
	}
	for _, c := range n.calls {
		op.Calls = append(op.Calls, c.Map(func(x exec.Expr) exec.Expr { return place(x, outs) }))
	}
	return op
}

// describe says what the window computes, and how.
func (n *windowNode) describe(f exec.Formatter) (name, detail string) {
	calls := make([]string, len(n.calls))
	for i, c := range n.calls {
		calls[i] = f.WindowCall(c)
	}
	var over []string
	if len(n.partition) > 0 {
		keys := make([]string, len(n.partition))
		for i, x := range n.partition {
			keys[i] = f.Expr(x)
		}
		over = append(over, "PARTITION BY "+strings.Join(keys, ", "))
	}
	if len(n.order) > 0 {
		keys := make([]string, len(n.order))
		for i, k := range n.order {
			keys[i] = f.SortKey(k)
		}
		over = append(over, "ORDER BY "+strings.Join(keys, ", "))
	}
	detail = strings.Join(calls, ", ") + " OVER (" + strings.Join(over, " ") + ")"
	switch {
	case n.sorted && n.streams(n.unique):
		detail += " (as rows come)"
	case n.sorted:
		detail += " (not sorted)"
	case n.keep > 0:
		detail += " (first " + itoa(int(n.keep)) + " of each)"
	}
	return "Window", detail
}
