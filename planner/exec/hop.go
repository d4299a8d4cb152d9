package exec

import (
	"context"
	"math"
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
)

// Hop gives each row once for each window of a grid that X is in, in the order of the windows, with the window's bounds behind its
// columns. A row that is in none, because X is NULL or of another type or no such window fits the type, is left out.
type Hop struct {
	In   Operator
	X    Expr
	Grid *Grid
	Ends []bool // of the columns that are added: an end, not a start
	Env  *Env

	s     *evalState
	evals []evaluator
	x     []*vector.Vector
	cur   vector.Batch // rows that are being given out
	row   int          // of it
	hop   int          // of the row's windows
	wins  hops
	idx   []int32
	bound []vector.Vector
	out   vector.Batch
	err   error // behind the rows of cur
	stats Stats
}

// Open prepares the expression.
func (h *Hop) Open(ctx context.Context) error {
	h.s = newEvalState(h.Env)
	h.evals = []evaluator{h.s.compile(h.X)}
	h.x = make([]*vector.Vector, 1)
	h.bound = make([]vector.Vector, len(h.Ends))
	h.wins.g = h.Grid
	return h.In.Open(ctx)
}

// Next returns the next rows.
func (h *Hop) Next(ctx context.Context) (*vector.Batch, error) {
	h.s.begin(ctx)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if h.fill(); len(h.idx) > 0 {
			return h.give(), nil
		}
		if h.err != nil {
			return nil, h.err
		}
		if !h.s.more() {
			b, err := h.In.Next(ctx)
			if err != nil || b == nil {
				return nil, err
			}
			h.s.take(b)
		}
		h.row, h.hop = 0, 0
		h.err = h.s.part(func(b *vector.Batch) error {
			var err error
			h.cur = *b
			h.cur.Sel, err = evalAll(h.evals, b, b.Sel, h.x)
			return err
		})
	}
}

// fill takes rows and windows for a batch.
func (h *Hop) fill() {
	h.idx = h.idx[:0]
	for k := range h.bound {
		h.bound[k].Reset(h.Grid.Type())
	}
	most := h.Env.batchRows()
	for rows := h.cur.Rows(); h.row < rows; h.row, h.hop = h.row+1, 0 {
		i := h.cur.Row(h.row)
		if h.hop == 0 {
			x, ok, other := h.Grid.position(h.x[0], i)
			if other {
				h.s.OtherType++
			}
			if !ok {
				continue
			}
			h.wins.find(x)
		}
		n := min(len(h.wins.starts)-h.hop, most-len(h.idx))
		for range n {
			h.idx = append(h.idx, int32(i))
		}
		for k, end := range h.Ends {
			from := h.wins.starts
			if end {
				from = h.wins.ends
			}
			v := &h.bound[k]
			v.Ints = append(v.Ints, from[h.hop:h.hop+n]...)
			v.Len += n
		}
		if h.hop += n; h.hop < len(h.wins.starts) {
			return // full
		}
	}
}

func (h *Hop) give() *vector.Batch {
	for len(h.out.Cols) < len(h.cur.Cols)+len(h.bound) {
		h.out.Cols = append(h.out.Cols, &vector.Vector{})
	}
	for k, c := range h.cur.Cols {
		h.out.Cols[k].Gather(c, h.idx)
	}
	for k := range h.bound {
		h.out.Cols[len(h.cur.Cols)+k] = &h.bound[k]
	}
	h.out.N, h.out.Sel = len(h.idx), nil
	h.stats.Rows += int64(len(h.idx))
	return &h.out
}

// Close closes the input.
func (h *Hop) Close() error {
	h.s.close()
	return h.In.Close()
}

// Stats returns what the operator counted.
func (h *Hop) Stats() Stats {
	if h.s != nil {
		h.stats.OtherType = h.s.OtherType
	}
	return h.stats
}

// hops are the windows that a value is in, in order. They are those of the value before as long as from <= x < to.
type hops struct {
	g            *Grid
	from, to     int64
	starts, ends []int64
}

func (w *hops) find(x int64) {
	if x >= w.from && x < w.to {
		return
	}
	w.starts, w.ends = w.starts[:0], w.ends[:0]
	w.from, w.to = 0, 0
	m := w.g.floor(x)
	if !m.ok {
		return
	}
	from, to := m.start, int64(math.MaxInt64)
	if next := w.g.next(m); next.ok {
		to = next.start
	}
	for ; m.ok; m = w.g.prev(m) {
		end, ok := w.g.end(m)
		if !ok {
			continue // beyond the values of the type
		}
		if end <= x {
			from = max(from, end)
			break
		}
		if end > m.start {
			w.starts, w.ends = append(w.starts, m.start), append(w.ends, end)
		}
		to = min(to, end)
	}
	slices.Reverse(w.starts)
	slices.Reverse(w.ends)
	w.from, w.to = from, to
}

// Pane returns the grid of the longest windows that follow each other and of which each lies within the same windows of g as any of its values; nil when
// g is one of a calendar.
func (g *Grid) Pane() *Grid {
	if g.Slide.Units <= 0 || g.Size.Units <= 0 || g.Slide.calendar() || g.Size.calendar() {
		return nil
	}
	a, b := g.Slide.Units, g.Size.Units
	for b > 0 {
		a, b = b, a%b
	}
	pane := *g
	pane.Slide, pane.Size = Step{Units: a}, Step{Units: a}
	return &pane
}
