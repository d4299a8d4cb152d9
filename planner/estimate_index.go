package planner

import (
	"slices"

	"github.com/seed69692123/netdb/planner/exec"
)

// selectivityOf is selectivity of a predicate on the rows of in, counted where an index has few rows that satisfy it.
func (b *binder) selectivityOf(in node, x exec.Expr) (float64, error) {
	guess := selectivity(x)
	scan, ok := in.(*scanNode)
	if !ok || scan.est <= 0 {
		return guess, nil
	}
	src, ok := scan.source.(Indexed)
	if !ok {
		return guess, nil
	}
	col, m := matchOf(x)
	if col == nil {
		return guess, nil
	}
	i := slices.Index(scan.ids, col.Index)
	if i < 0 || scan.outs[i].Column >= 0 || len(scan.outs[i].Path) == 0 {
		return guess, nil
	}
	m.Path = scan.outs[i].Path
	rows, ok, err := src.Matching(b.ctx, scan.rng, m)
	if err != nil || !ok {
		return guess, err
	}
	return min(1, float64(rows)/float64(scan.est)), nil
}
