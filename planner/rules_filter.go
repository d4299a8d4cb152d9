package planner

import (
	"slices"

	"github.com/seed69692123/netdb/planner/exec"
)

// keyFilter is a scan below the probe side of a join that can leave out rows whose key the build side does not have.
type keyFilter struct {
	scan    *scanNode
	outputs []int // of the scan: the key
}

const (
	// filterBuild is the most that the build side may be larger than the scan.
	filterBuild = 4
	// filterProbe is the least part of the scan's rows that reach the join: a test of each costs more than looking for a few.
	filterProbe = 16
)

// keyFilters finds the joins below n whose keys a scan of the probe side is given, when they are known (vector.KeyFilter). Between the two there
// is nothing that can fail, because a row left out does not fail any more, and nothing that looks at more than a row.
func keyFilters(n node) {
	for _, in := range n.inputs() {
		keyFilters(in)
	}
	j, ok := n.(*joinNode)
	if !ok || j.asof != nil || j.kind != exec.JoinInner && j.kind != exec.JoinSemi || len(j.leftKeys) == 0 {
		return
	}
	probe, build, keys := j.left, j.right, j.leftKeys
	if j.buildLeft {
		probe, build, keys = j.right, j.left, j.rightKeys
	}
	ids := make([]int, len(keys))
	for i, k := range keys {
		c, ok := k.(*exec.Col)
		if !ok {
			return
		}
		ids[i] = c.Index
	}
	scan := scanOf(probe, ids)
	if scan == nil || build.common().est/filterBuild > scan.est || probe.common().est < scan.est/filterProbe {
		return
	}
	f := &keyFilter{scan: scan}
	for _, id := range ids {
		f.outputs = append(f.outputs, slices.Index(scan.ids, id))
	}
	j.filter = f
}

// scanOf returns the scan of a log whose outputs the columns ids of n are, and below which rows without a partner may be left out; nil for none. It
// changes ids to those of the scan.
func scanOf(n node, ids []int) *scanNode {
	switch n := n.(type) {
	case *scanNode:
		if _, ok := n.source.(Divisible); ok && !n.reverse && n.limit == 0 && !slices.ContainsFunc(ids, func(id int) bool { return !slices.Contains(n.ids, id) }) {
			return n
		}
	case *filterNode:
		if !slices.ContainsFunc(n.preds, exec.CanFail) {
			return scanOf(n.in, ids)
		}
	case *computeNode:
		return scanOf(n.in, ids)
	case *projectNode:
		if slices.ContainsFunc(n.exprs, exec.CanFail) {
			return nil
		}
		for i, id := range ids {
			c, ok := n.exprs[slices.Index(n.ids, id)].(*exec.Col)
			if !ok {
				return nil
			}
			ids[i] = c.Index
		}
		return scanOf(n.in, ids)
	case *distinctNode:
		return scanOf(n.in, ids)
	case *joinNode:
		// All pairs of a row of the probe side have its key. Other kinds of join read their right side only once there is a left row, and it may fail.
		if n.kind != exec.JoinInner && n.kind != exec.JoinLeft || n.asof != nil || slices.ContainsFunc(n.exprs(), exec.CanFail) {
			return nil
		}
		if n.buildLeft {
			return scanOf(n.right, ids)
		}
		return scanOf(n.left, ids)
	}
	return nil
}
