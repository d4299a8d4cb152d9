package planner

import (
	"math"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
)

// estimate sets the estimated rows of n and everything below it, and the build sides of joins. Sources count what they can;
// the rest is guessed from the form of predicates, the same for the same plan.
func (b *binder) estimate(n node) error {
	for _, c := range n.inputs() {
		if err := b.estimate(c); err != nil {
			return err
		}
	}
	in := func(i int) int64 { return n.inputs()[i].common().est }
	est := int64(0)
	switch n := n.(type) {
	case *scanNode:
		e, err := n.source.Estimate(b.ctx, n.rng)
		if err != nil {
			return err
		}
		est, n.exact = e.Rows, e.Exact
	case *valuesNode:
		est = int64(len(n.rows))
	case *filterNode:
		f := float64(in(0))
		for _, x := range n.preds {
			part, err := b.selectivityOf(n.in, x)
			if err != nil {
				return err
			}
			f *= part
		}
		est = int64(math.Ceil(f))
	case *aggregateNode:
		est = 1
		if len(n.keys) > 0 {
			est = distinctRows(in(0), len(n.keys))
		}
	case *distinctNode:
		est = distinctRows(in(0), len(n.cols))
	case *limitNode:
		est = max(0, in(0)-n.offset)
		if n.count >= 0 {
			est = min(est, n.count)
		}
	case *joinNode:
		est = n.estimateJoin(in(0), in(1))
	case *hopNode:
		est = mulSat(in(0), n.grid.Hops())
	case *keptNode:
		est = n.of.in.common().est
	case *distinctOnNode:
		est = distinctRows(in(0), len(n.keys))
	case *endRowNode:
		est = distinctRows(in(0), len(n.window.partition))
	case *unnestNode:
		est = mulSat(in(0), 4)
	case *setNode:
		if est = in(0); !n.except {
			est = min(est, in(1))
		}
	case *withNode:
		est = in(len(n.ins) - 1)
	case *unionNode:
		for i := range n.ins {
			est += in(i)
		}
	default:
		est = in(0)
	}
	n.common().est = est
	return nil
}

func ceilRows(f float64) int64 { return int64(math.Ceil(f)) }

func mulSat(a, b int64) int64 {
	if a != 0 && b > math.MaxInt64/4/a {
		return math.MaxInt64 / 4
	}
	return a * b
}

// distinctRows guesses how many of n rows differ in so many columns.
func distinctRows(n int64, columns int) int64 {
	return min(n, int64(math.Ceil(math.Pow(float64(n), 1-1/float64(columns+1)))))
}

// selectivity guesses the part of rows on which a predicate is true.
func selectivity(x exec.Expr) float64 {
	switch x := x.(type) {
	case *exec.Compare:
		switch x.Op {
		case vector.Eq, vector.IsNotDistinct:
			return 0.1
		case vector.Ne, vector.IsDistinct:
			return 0.9
		}
		return 0.33
	case *exec.Logic:
		if !x.Or {
			f := 1.0
			for _, a := range x.Args {
				f *= selectivity(a)
			}
			return f
		}
		f := 0.0
		for _, a := range x.Args {
			f += selectivity(a)
		}
		return min(f, 1)
	case *exec.Not:
		return 1 - selectivity(x.X)
	case *exec.In:
		f := min(0.1*float64(len(x.List)), 0.5)
		if x.Negate {
			return 1 - f
		}
		return f
	case *exec.Is:
		if x.Negate {
			return 0.9
		}
		return 0.1
	case *exec.Like:
		if x.Negate {
			return 0.75
		}
		return 0.25
	}
	return 0.5
}
