package planner

import (
	"context"
	"math"
	"slices"
	"sync"

	"github.com/seed69692123/netdb/planner/exec"
)

// Divisible is a Source whose scans can be divided among goroutines.
type Divisible interface {
	Source
	// Divide returns sequences at which a scan may be divided: scans of these, with r.Range as what they are within, deliver in this order
	// the rows of the whole that satisfy its hints. Fewer than two say that it is not worth it. The counts are of what is outside of the parts, and of chunks.
	Divide(ctx context.Context, r Request) ([]Interval, ScanStats, error)
}

// divisible returns the scan at the end of a chain of nodes that look at one row at a time; nil when the node is something else.
func divisible(n node) *scanNode {
	plain := func(xs []exec.Expr) bool {
		return !slices.ContainsFunc(xs, runsQuery)
	}
	switch n := n.(type) {
	case *scanNode:
		if _, ok := n.source.(Divisible); ok && !n.reverse && n.limit == 0 {
			return n
		}
	case *filterNode:
		if plain(n.preds) {
			return divisible(n.in)
		}
	case *projectNode:
		if plain(n.exprs) {
			return divisible(n.in)
		}
	case *computeNode:
		if plain(n.exprs) {
			return divisible(n.in)
		}
	case *joinNode:
		if n.shares() && plain(n.exprs()) {
			return divisible(n.probe())
		}
	}
	return nil
}

// probe returns the side whose rows look for those of the other, and build that one.
func (n *joinNode) probe() node {
	if n.buildLeft {
		return n.right
	}
	return n.left
}

func (n *joinNode) build() node {
	if n.buildLeft {
		return n.left
	}
	return n.right
}

// shares reports whether several goroutines can look for partners in one build side, which is read for them beforehand. WITH tables count who
// reads them, and are not read for nothing.
func (n *joinNode) shares() bool {
	switch n.kind {
	case exec.JoinInner, exec.JoinLeft, exec.JoinSemi, exec.JoinAnti, exec.JoinMark:
		return n.asof == nil && len(n.leftKeys) > 0 && !readsKept(n.build())
	}
	return false
}

// readsKept reports whether a node reads a table that is kept for several.
func readsKept(n node) bool {
	_, kept := n.(*keptNode)
	return kept || slices.ContainsFunc(n.inputs(), readsKept)
}

// runsQuery reports whether an expression asks for the answer of a query, which one goroutine runs.
func runsQuery(x exec.Expr) bool {
	found := false
	exec.Walk(x, func(x exec.Expr) bool {
		if _, ok := x.(*exec.Query); ok {
			found = true
		}
		return !found
	})
	return found
}

// parallelAggregate returns the operator of a node that several goroutines can do, else nil.
func (b *builder) parallelAggregate(n *aggregateNode) exec.Operator {
	scan := divisible(n.in)
	if scan == nil || b.opts.Threads < 2 || slices.ContainsFunc(n.keys, runsQuery) {
		return nil
	}
	for _, a := range n.aggs {
		if slices.ContainsFunc(a.Inputs(), runsQuery) || a.Filter != nil && runsQuery(a.Filter) {
			return nil
		}
	}
	if b.timed {
		b.sumUp(n.in)
	}
	serial := b.aggregate(n, b.build(n.in))
	s := *b // of the build sides
	s.keys, s.tables = map[*scanNode][]KeyHint{}, map[*joinNode]*exec.JoinTable{}
	tables := s.joinTables(n.in)
	whole := s.request(scan)
	within := whole.Range
	if within == (Range{}) {
		within.Seq = Interval{From: math.MinInt64, To: math.MaxInt64, Bounded: true}
	}
	var parts []Interval
	return &exec.ParallelAggregate{
		Serial:  serial,
		Tables:  tables,
		Threads: b.opts.Threads,
		Fixed:   slices.ContainsFunc(n.aggs, func(a *exec.Aggregate) bool { return a.Fn.Divided }),
		Env:     b.env,
		Divide: func(ctx context.Context) (int, error) {
			var left ScanStats
			var err error
			parts, left, err = scan.source.(Divisible).Divide(ctx, whole)
			if sum, ok := b.ops[scan.id].(*opSum); ok && len(parts) > 1 {
				sum.add(left.counts())
			}
			return len(parts), err
		},
		Part: func(d *exec.Division, first int) *exec.HashAggregate {
			p := s
			p.part = func(*scanNode) exec.Operator {
				req := whole
				req.Threads, req.Within = 1, within
				return &exec.PartScan{
					Of: d, At: first, Count: countScan,
					Start: func(ctx context.Context, part int) (exec.Iterator, error) {
						req.Range.Seq = parts[part]
						return scan.source.Scan(ctx, req)
					},
				}
			}
			return p.aggregate(n, p.build(n.in))
		},
	}
}

// joinTables makes the build sides of the joins that are in each part, in which n is, the upper ones first.
func (b *builder) joinTables(n node) (tables []*exec.JoinTable) {
	for {
		switch m := n.(type) {
		case *scanNode:
			return tables
		case *joinNode:
			t := exec.NewJoinTable(b.joinOf(m, false, nil))
			t.Done = func(s exec.Stats) {
				if sum, ok := b.ops[m.id].(*opSum); ok {
					sum.add(s)
				}
			}
			tables, n = append(tables, t), m.probe()
			b.tables[m] = t
		default:
			n = m.inputs()[0]
		}
	}
}

// opSum is what several operators that did the work of one node counted.
type opSum struct {
	exec.Operator
	mu    sync.Mutex
	stats exec.Stats
}

func (s *opSum) add(o exec.Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Add(o)
}

// Stats returns the sum.
func (s *opSum) Stats() exec.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// summed is an operator whose counts are added to a sum when it is closed.
type summed struct {
	exec.Operator
	to *opSum
}

// Close closes the operator.
func (s *summed) Close() error {
	err := s.Operator.Close()
	if s.to != nil {
		s.to.add(s.Operator.Stats())
		s.to = nil
	}
	return err
}
