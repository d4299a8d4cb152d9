package exec

import (
	"context"

	"github.com/seed69692123/netdb/planner/vector"
)

// streamWindow computes window functions while rows pass: they come in the order of the window, and no result needs a row behind its
// own. It keeps what each partition needs for its next row.
type streamWindow struct {
	In        Operator
	Width     int // columns of the input that are passed on
	Partition []int
	Order     []SortKey
	Calls     []*WindowCall
	Exprs     []Expr // of the columns
	Env       *Env

	windowBase
	groups HashAggregate // finds the partitions
	evals  []streamEval
	n      int // partitions

	in    *vector.Batch
	taken int
	cols  []*vector.Vector // results in the order of rows, then in their places
	place []*vector.Vector
	sel   vector.Sel
	wide  bool
	out   vector.Batch
}

// streamEval computes a window function while rows pass.
type streamEval interface {
	// grow makes room for n partitions.
	grow(n int)
	// row appends the result for row i, which is of a partition.
	row(cols []*vector.Vector, i int, group int32, out *vector.Vector) error
	// bytes is the memory held.
	bytes() int64
}

// Open opens the input.
func (w *streamWindow) Open(ctx context.Context) error {
	w.prepare(w.Env)
	h := &w.groups
	h.Env, h.s, h.gate = w.Env, w.s, w.gate
	for _, c := range w.Partition {
		h.Keys = append(h.Keys, &Col{Index: c, T: w.Exprs[c].Type()})
	}
	h.keyVecs = make([]*vector.Vector, len(h.Keys))
	h.begin()
	for _, c := range w.Calls {
		w.evals = append(w.evals, w.eval(c))
		w.wide = w.wide || c.T.Dynamic() && (c.Agg == nil || c.Agg.Fn.Name != "sum") || c.T == vector.Text || c.T == vector.Blob
		w.cols, w.place = append(w.cols, &vector.Vector{}), append(w.place, &vector.Vector{})
	}
	if len(h.Keys) == 0 {
		w.grow(1)
	}
	return w.In.Open(ctx)
}

func (w *streamWindow) grow(n int) {
	if n == w.n {
		return
	}
	w.n = n
	for _, e := range w.evals {
		e.grow(n)
	}
}

// Next returns the next rows.
func (w *streamWindow) Next(ctx context.Context) (*vector.Batch, error) {
	if w.err != nil {
		return nil, w.err
	}
	w.s.begin(ctx)
	if w.in == nil || w.taken == w.in.Rows() {
		b, err := w.In.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		w.in, w.taken = b, 0
		if w.err = w.find(); w.err != nil {
			return nil, w.err
		}
	}
	if w.err = w.compute(); w.err != nil && w.out.Rows() == 0 {
		return nil, w.err
	}
	w.stats.Rows += int64(w.out.Rows())
	return &w.out, nil
}

// find finds the partitions of a batch's rows.
func (w *streamWindow) find() error {
	h := &w.groups
	if len(h.Keys) == 0 {
		for len(h.groups) < w.in.N {
			h.groups = append(h.groups, 0)
		}
		return nil
	}
	for k, c := range w.Partition {
		h.keyVecs[k] = w.in.Cols[c]
	}
	b := *w.in
	if err := h.take(&b); err != nil {
		return err
	}
	w.grow(h.table.len())
	return nil
}

// compute gives the next rows of the batch: all that are left, or fewer when their results are large. Those before one that fails
// come first.
func (w *streamWindow) compute() error {
	b := w.in
	for k, c := range w.Calls {
		w.cols[k].Reset(c.T)
	}
	step := b.Rows() - w.taken
	if w.wide {
		step = 1
	}
	var failed error
	done := 0
	for failed == nil && w.taken+done < b.Rows() {
		limit := step
		for k, e := range w.evals {
			for r := range limit {
				i := b.Row(w.taken + done + r)
				if err := e.row(b.Cols, i, w.groups.groups[i], w.cols[k]); err != nil {
					failed, limit = placed(w.s.errorAt(w.Calls[k].Span, err)), r
					w.cols[k].Len = done + r
					break
				}
			}
		}
		done += limit
		if err := w.s.Step(limit * len(w.evals) * rowStep); err != nil {
			return err
		}
		if w.wide && w.large() {
			break
		}
	}
	w.give(done)
	if failed == nil {
		failed = w.hold()
	}
	return failed
}

func (w *streamWindow) large() bool {
	n := 0
	for _, v := range w.cols {
		n += len(v.Data)
	}
	return n > partBytes
}

// give makes a batch of the next rows, whose results are there.
func (w *streamWindow) give(rows int) {
	b := w.in
	w.out.Cols, w.out.N, w.out.Sel = append(w.out.Cols[:0], b.Cols[:w.Width]...), b.N, b.Sel
	from := w.taken
	w.taken += rows
	if b.Sel == nil && from == 0 && rows == b.N {
		w.out.Cols = append(w.out.Cols, w.cols...)
		return
	}
	w.sel = w.sel[:0]
	if w.sel == nil {
		w.sel = vector.Sel{}
	}
	for k := range rows {
		w.sel = append(w.sel, int32(b.Row(from+k)))
	}
	w.out.Sel = w.sel
	for k, src := range w.cols {
		dst := w.place[k]
		dst.Resize(src.Type, b.N)
		dst.ShareData(src)
		for j, i := range w.sel {
			dst.Take(int(i), src, j)
		}
		w.out.Cols = append(w.out.Cols, dst)
	}
}

func (w *streamWindow) hold() error {
	n := w.groups.bytes() + int64(cap(w.sel)*4)
	for _, e := range w.evals {
		n += e.bytes()
	}
	for k := range w.cols {
		n += w.cols[k].MemoryBytes() + w.place[k].MemoryBytes()
	}
	return w.count(n)
}

// Close frees what is held and closes the input.
func (w *streamWindow) Close() error {
	w.evals, w.in = nil, nil
	w.groups.table, w.groups.aggs = nil, nil
	return w.close(w.In)
}

// eval makes what computes a call.
func (w *streamWindow) eval(c *WindowCall) streamEval {
	if c.Agg == nil {
		if c.Fn.kind != lagBehind {
			return &streamNumber{}
		}
		e := &streamLag{store: valueAcc{g: w.gate, nulls: true}, arg: newOperand(c.Args[0]), n: 1}
		if len(c.Args) > 1 {
			e.n, _ = constInt(c.Args[1])
		}
		if len(c.Args) > 2 {
			o := newOperand(c.Args[2])
			e.other = &o
		}
		return e
	}
	filter := -1
	if c.Agg.Filter != nil {
		filter = c.Agg.Filter.(*Col).Index
	}
	var args []operand
	for _, x := range c.Agg.Inputs() {
		args = append(args, newOperand(x))
	}
	if c.Frame.running() {
		return &streamRunning{agg: c.Agg, acc: newAccumulator(w.gate, c.Agg), args: args, filter: filter}
	}
	return newStreamMoving(w.gate, c, args, filter)
}

// of returns the operand of row i.
func (o *operand) of(cols []*vector.Vector) *vector.Vector {
	if o.col < 0 {
		return o.value
	}
	return cols[o.col]
}

// streamNumber is row_number.
type streamNumber struct{ n paged[int64] }

func (e *streamNumber) grow(n int)   { e.n.grow(n) }
func (e *streamNumber) bytes() int64 { return e.n.bytes() }
func (e *streamNumber) row(_ []*vector.Vector, _ int, group int32, out *vector.Vector) error {
	n := e.n.at(int(group))
	*n++
	out.AppendInt(*n)
	return nil
}

// streamLag keeps the last n values of each partition, as groups of an accumulator.
type streamLag struct {
	store valueAcc
	arg   operand
	other *operand
	n     int64
	rows  paged[int64]
}

func (e *streamLag) grow(n int) {
	e.rows.grow(n)
	e.store.grow(n * int(e.n))
}
func (e *streamLag) bytes() int64 { return e.store.bytes() + e.rows.bytes() }

func (e *streamLag) row(cols []*vector.Vector, i int, group int32, out *vector.Vector) error {
	v := e.arg.of(cols)
	if e.n == 0 {
		return e.append(out, v, i)
	}
	rows := e.rows.at(int(group))
	slot := int(group)*int(e.n) + int(*rows%e.n)
	switch {
	case *rows >= e.n:
		if err := e.store.result(out, slot); err != nil {
			return err
		}
	case e.other != nil:
		if err := e.append(out, e.other.of(cols), i); err != nil {
			return err
		}
	default:
		out.AppendNull()
	}
	*rows++
	return e.store.set(slot, v, i)
}

func (e *streamLag) append(out, v *vector.Vector, i int) error {
	if v.DataLen(i) < vector.LargeBytes {
		out.AppendFrom(v, i)
		return nil
	}
	out.AppendNull()
	return e.store.g.SetFrom(out, out.Len-1, v, i)
}

// streamRunning is an aggregate from the beginning of the partition to the row.
type streamRunning struct {
	agg    *Aggregate
	acc    accumulator
	args   []operand
	vecs   []*vector.Vector
	filter int
	groups []int32
}

func (e *streamRunning) grow(n int) { e.acc.grow(n) }
func (e *streamRunning) bytes() int64 {
	return e.acc.bytes() + int64(cap(e.groups)*4)
}

func (e *streamRunning) row(cols []*vector.Vector, i int, group int32, out *vector.Vector) error {
	if e.filter < 0 || !cols[e.filter].Null(i) && cols[e.filter].Bool(i) {
		e.vecs = e.vecs[:0]
		for _, o := range e.args {
			e.vecs = append(e.vecs, o.of(cols))
		}
		for len(e.groups) <= i {
			e.groups = append(e.groups, 0)
		}
		e.groups[i] = group
		one := [1]int32{int32(i)}
		if err := e.acc.add(e.vecs, e.groups, one[:], i+1); err != nil {
			return err
		}
	}
	return e.acc.result(out, int(group))
}
