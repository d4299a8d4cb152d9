package exec

import (
	"context"
	"errors"

	"github.com/seed69692123/netdb/planner/vector"
)

// Window gives each row of its input with the results of window functions behind its columns, in the order of the input.
//
// Rows that do not come in the order of the window are numbered, sorted by partition and order, computed (see partWindow) and sorted
// back by their numbers: both sorts, and partitions, put rows on disk where memory does not do.
type Window struct {
	In        Operator
	Types     []vector.Type // of the columns of the input
	Partition []Expr
	Order     []SortKey
	Calls     []*WindowCall
	// Sorted says that the rows come in the order of the window. With a partition they do so in each, and all Calls stream.
	Sorted bool
	// Unique says that no two rows have equal keys of the order.
	Unique bool
	// Keep, when not 0, is the most rows of a partition that are asked for: the first by Order. Rows that are not among them may be
	// left out; Calls are row_number then.
	Keep int64
	Env  *Env

	op    Operator
	parts []Operator // of which op is made
	stats Stats
	out   vector.Batch
	last  int // column of the numbers, -1 if there are none
}

// Open makes the operators that the work is done by.
func (w *Window) Open(ctx context.Context) error {
	lay := &windowLayout{types: w.Types}
	for i, t := range w.Types {
		lay.exprs = append(lay.exprs, &Col{Index: i, T: t})
	}
	var calls []*WindowCall
	for _, c := range w.Calls {
		placed := c.Map(lay.place)
		if c.Agg != nil && c.Agg.Filter != nil {
			placed.Agg.Filter = lay.col(c.Agg.Filter)
		}
		calls = append(calls, placed)
	}
	var part []int
	for _, x := range w.Partition {
		part = append(part, lay.column(x))
	}
	order := make([]SortKey, len(w.Order))
	for i, k := range w.Order {
		order[i] = SortKey{Expr: lay.col(k.Expr), Desc: k.Desc, NullsFirst: k.NullsFirst}
	}
	w.last = -1
	op := w.In
	if len(part) == 0 && len(order) == 0 {
		w.Sorted = true // any order is that of the window
	}
	if !w.Sorted {
		op = &numberRows{In: op}
		lay.exprs = append(lay.exprs, &Col{Index: len(w.Types), T: vector.Int})
		w.last = len(w.Types) + len(calls)
	}
	if len(lay.exprs) > len(w.Types) {
		op = &Project{In: op, Exprs: lay.exprs, Env: w.Env}
		w.parts = append(w.parts, op)
	}
	if w.Sorted && w.streams() {
		op = &streamWindow{In: op, Width: len(w.Types), Partition: part, Order: order, Calls: calls, Exprs: lay.exprs, Env: w.Env}
		w.parts = append(w.parts, op)
	} else {
		op = w.sorted(op, lay, part, order, calls)
	}
	w.op = op
	return op.Open(ctx)
}

// sorted puts the operators behind each other that bring rows into the order of the window and back.
func (w *Window) sorted(op Operator, lay *windowLayout, part []int, order []SortKey, calls []*WindowCall) Operator {
	run := func(op Operator) Operator {
		w.parts = append(w.parts, op)
		return op
	}
	p := &partWindow{Width: len(w.Types), Number: -1, Partition: part, Order: order, Calls: calls, Exprs: lay.exprs, Env: w.Env}
	if w.Sorted {
		p.In = op
		return run(p)
	}
	p.Number = len(lay.exprs) - 1
	var keys []SortKey
	for _, c := range part {
		keys = append(keys, SortKey{Expr: &Col{Index: c, T: lay.exprs[c].Type()}})
	}
	keys = append(keys, order...)
	var top *topWindow
	if w.Keep > 0 {
		top = &topWindow{In: op, Partition: part, Order: order, Keep: int(w.Keep), Width: len(w.Types), Exprs: lay.exprs, Env: w.Env}
		run(top)
		op = &topRest{top}
		keys = append(keys, SortKey{Expr: &Col{Index: p.Number, T: vector.Int}}) // they do not come in order
	}
	p.In = run(&Sort{In: op, Keys: keys, Env: w.Env})
	op = run(&Sort{In: run(p), Keys: []SortKey{{Expr: &Col{Index: w.last, T: vector.Int}}}, Env: w.Env})
	if top != nil {
		top.Rest = op
		return top
	}
	return op
}

// streams reports whether all calls can be computed while rows pass.
func (w *Window) streams() bool {
	for _, c := range w.Calls {
		if !c.Streams(w.Unique) {
			return false
		}
	}
	return true
}

// Next returns the next rows.
func (w *Window) Next(ctx context.Context) (*vector.Batch, error) {
	b, err := w.op.Next(ctx)
	if err != nil || b == nil {
		return nil, err
	}
	w.out = *b
	if w.last >= 0 {
		w.out.Cols = b.Cols[:w.last:w.last]
	}
	w.stats.Rows += int64(w.out.Rows())
	return &w.out, nil
}

// Close closes the operators.
func (w *Window) Close() error {
	if w.op == nil {
		return w.In.Close()
	}
	return w.op.Close()
}

// Stats returns what the operators counted.
func (w *Window) Stats() Stats {
	s := w.stats
	for _, p := range w.parts {
		t := p.Stats()
		s.OtherType += t.OtherType
		s.PeakBytes += t.PeakBytes
		s.SpillBytes += t.SpillBytes
		s.SpillPasses = max(s.SpillPasses, t.SpillPasses)
	}
	return s
}

// windowLayout is the columns that rows have while windows are computed: those of the input, then the values of expressions.
type windowLayout struct {
	types []vector.Type
	exprs []Expr
}

// column returns where the value of an expression is.
func (l *windowLayout) column(x Expr) int {
	if c, ok := x.(*Col); ok && c.Index < len(l.types) {
		return c.Index
	}
	for i, o := range l.exprs {
		if Equal(o, x) {
			return i
		}
	}
	l.exprs = append(l.exprs, x)
	return len(l.exprs) - 1
}

// place returns the column that has the value of an expression; constants stay.
func (l *windowLayout) place(x Expr) Expr {
	if _, ok := x.(*Const); ok {
		return x
	}
	return l.col(x)
}

func (l *windowLayout) col(x Expr) Expr {
	return &Col{Span: x.At(), Index: l.column(x), T: x.Type()}
}

// numberRows puts the number of each row behind its columns.
type numberRows struct {
	In  Operator
	n   int64
	col vector.Vector
	out vector.Batch
}

// Open opens the input.
func (o *numberRows) Open(ctx context.Context) error { return o.In.Open(ctx) }

// Next returns the next batch.
func (o *numberRows) Next(ctx context.Context) (*vector.Batch, error) {
	b, err := o.In.Next(ctx)
	if err != nil || b == nil {
		return nil, err
	}
	o.col.Resize(vector.Int, b.N)
	for i := range o.col.Ints {
		o.col.Ints[i] = o.n
		o.n++
	}
	o.out = *b
	o.out.Cols = append(o.out.Cols[:len(b.Cols):len(b.Cols)], &o.col)
	return &o.out, nil
}

// Close closes the input.
func (o *numberRows) Close() error { return o.In.Close() }

// Stats is empty.
func (o *numberRows) Stats() Stats { return Stats{} }

// windowBase is what the operators of windows share.
type windowBase struct {
	s     *evalState
	acct  account
	gate  *storeGate
	stats Stats
	err   error
}

func (w *windowBase) prepare(env *Env) {
	w.s = newEvalState(env)
	w.acct = newAccount(env, "window")
	w.gate = &storeGate{w.s, &w.acct}
}

// count sets the account to what is held.
func (w *windowBase) count(n int64) error {
	err := w.acct.set(n)
	w.stats.PeakBytes = w.acct.peak
	return err
}

func (w *windowBase) close(in Operator) error {
	w.acct.release()
	w.s.close()
	if w.err == nil {
		w.err = errors.New("exec: a closed window was read")
	}
	return in.Close()
}

// Stats returns what the operator counted.
func (w *windowBase) Stats() Stats {
	if w.s != nil {
		w.stats.OtherType = w.s.OtherType
	}
	return w.stats
}
