package planner

import (
	"math"
	"slices"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
)

// connect puts the tables of a chain of inner joins in another order where that of the text would multiply two of them which
// equalities connect by way of a third: `a, b, c WHERE a.x = c.x AND c.y = b.y`. It begins with the first table and goes on with
// the smallest of those that are connected with what there is; else with the next of the text. Otherwise the order of the text
// stays, and with it that of the rows.
func (b *binder) connect(n *joinNode, preds []exec.Expr) *joinNode {
	tables, conds := flatten(n, nil, nil)
	conds = append(conds, preds...)
	if len(tables) < 3 || slices.ContainsFunc(conds, exec.CanFail) {
		return n // what can fail keeps its place
	}
	owner := map[int]int{} // table of a column
	for i, t := range tables {
		for _, id := range t.outputs() {
			owner[id] = i
		}
	}
	var edges []map[int]bool // the tables of each equality
	for _, x := range conds {
		c, ok := x.(*exec.Compare)
		if !ok || c.Op != vector.Eq || !hasCols(c.L) || !hasCols(c.R) {
			continue
		}
		cols, edge := map[int]bool{}, map[int]bool{}
		exec.Columns(x, cols)
		for id := range cols {
			edge[owner[id]] = true
		}
		if len(edge) > 1 {
			edges = append(edges, edge)
		}
	}
	// connected reports whether an equality is between t and the tables there are.
	connected := func(have map[int]bool, t int) bool {
		return slices.ContainsFunc(edges, func(edge map[int]bool) bool {
			if !edge[t] {
				return false
			}
			for o := range edge {
				if o != t && !have[o] {
					return false
				}
			}
			return true
		})
	}
	have := map[int]bool{0: true}
	order := []int{0}
	changed := false
	for len(order) < len(tables) {
		next, first := -1, -1
		for t := range tables {
			if have[t] {
				continue
			}
			if first < 0 {
				first = t
			}
			if connected(have, t) && (next < 0 || b.rows(tables[t]) < b.rows(tables[next])) {
				next = t
			}
			if next == first {
				break // the text's own
			}
		}
		if next < 0 {
			next = first
		}
		changed = changed || next != first
		have[next] = true
		order = append(order, next)
	}
	if !changed {
		return n
	}
	var tree node = tables[order[0]]
	for _, t := range order[1:] {
		tree = &joinNode{left: tree, right: tables[t], kind: exec.JoinInner}
	}
	top := tree.(*joinNode)
	top.residual = conds[:len(conds)-len(preds)]
	return top
}

// flatten returns the tables of a chain of inner joins, and its conditions, in the order of the text.
func flatten(n node, tables []node, conds []exec.Expr) ([]node, []exec.Expr) {
	j, ok := n.(*joinNode)
	if !ok || j.kind != exec.JoinInner || j.asof != nil {
		return append(tables, n), conds
	}
	tables, conds = flatten(j.left, tables, conds)
	tables, conds = flatten(j.right, tables, conds)
	return tables, append(conds, j.residual...)
}

// rows estimates a table before anything was pushed down to it; a source that cannot say counts as large.
func (b *binder) rows(n node) int64 {
	if err := b.estimate(n); err != nil {
		return 1 << 60
	}
	return n.common().est
}

// pushLimit tells sorts and scans below a limit how many rows it wants.
func pushLimit(n node) {
	if l, ok := n.(*limitNode); ok && l.count >= 0 && l.count <= math.MaxInt64-l.offset {
		wants(l.in, l.count+l.offset)
	}
	for _, c := range n.inputs() {
		pushLimit(c)
	}
}

// orderBelow goes down through what keeps the order of its input, and returns the keys as they are there. forwards says that something on the
// way depends on the direction in which it is read.
func orderBelow(keys []exec.SortKey, n node) (below []exec.SortKey, at node, forwards bool) {
	keys = slices.Clone(keys)
	for {
		switch x := n.(type) {
		case *filterNode:
			n = x.in
			continue
		case *windowNode:
			n, forwards = x.in, true
			continue
		case *endRowNode:
			n, forwards = x.in, true
			continue
		case *computeNode: // what it adds has no order
			n = x.in
			continue
		case *joinNode:
			if x.kind >= exec.JoinSemi { // left rows come once, or not at all
				n = x.left
				continue
			}
		case *projectNode:
			for i := range keys {
				keys[i].Expr = substitute(keys[i].Expr, x.ids, x.exprs)
			}
			n = x.in
			continue
		}
		return keys, n, forwards
	}
}
