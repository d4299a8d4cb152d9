package exec

import (
	"context"
	"errors"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// Aggregate is an aggregate call: Fn over Args, which are empty for count(*).
type Aggregate struct {
	query.Span
	Fn       *AggregateFunction
	Args     []Expr
	Distinct bool
	Filter   Expr // nil: all rows
	T        vector.Type
}

// Same reports whether two calls give the same result.
func (a *Aggregate) Same(b *Aggregate) bool {
	if a.Fn != b.Fn || a.Distinct != b.Distinct || len(a.Args) != len(b.Args) || !Equal(a.Filter, b.Filter) {
		return false
	}
	for i := range a.Args {
		if !Equal(a.Args[i], b.Args[i]) {
			return false
		}
	}
	return true
}

// Map returns a copy with f applied to its expressions.
func (a *Aggregate) Map(f func(Expr) Expr) *Aggregate {
	c := *a
	c.Args = make([]Expr, len(a.Args))
	for i, x := range a.Args {
		c.Args[i] = f(x)
	}
	if a.Filter != nil {
		c.Filter = f(a.Filter)
	}
	return &c
}

// HashAggregate groups rows by keys and computes aggregates of each group. Without keys there is one group, also of no rows.
// Its batches have the keys, then the aggregates; groups come in the order of their first rows.
type HashAggregate struct {
	In   Operator
	Keys []Expr
	Aggs []*Aggregate
	Env  *Env

	s       *evalState
	keys    []evaluator
	keyVecs []*vector.Vector
	aggs    []*aggState
	table   *groupTable
	groups  []int32
	acct    account
	done    bool
	at      int // groups given out
	total   int
	out     vector.Batch
	err     error
	stats   Stats
}

// aggState is an aggregate in progress.
type aggState struct {
	agg    *Aggregate
	args   []evaluator
	filter evaluator
	vecs   []*vector.Vector
	acc    accumulator
	seen   *groupTable // of DISTINCT: (group, value)
	group  vector.Vector
	sel    [2]vector.Sel
}

// Open prepares the expressions.
func (h *HashAggregate) Open(ctx context.Context) error {
	h.s = newEvalState(h.Env)
	h.acct = newAccount(h.Env, "aggregate")
	h.keys = h.s.compileAll(h.Keys)
	h.keyVecs = make([]*vector.Vector, len(h.keys))
	types := make([]vector.Type, len(h.Keys))
	for i, k := range h.Keys {
		types[i] = k.Type()
	}
	if len(h.keys) > 0 {
		h.table = newGroupTable(&h.s.State, types)
	}
	for _, a := range h.Aggs {
		st := &aggState{agg: a, args: h.s.compileAll(a.Args), vecs: make([]*vector.Vector, len(a.Args))}
		if a.Filter != nil {
			st.filter = h.s.compile(a.Filter)
		}
		st.acc = a.Fn.start(&h.s.State, a)
		if a.Distinct {
			seenTypes := []vector.Type{vector.Int}
			for _, x := range a.Args[:1] {
				seenTypes = append(seenTypes, x.Type())
			}
			st.seen = newGroupTable(&h.s.State, seenTypes)
		}
		h.aggs = append(h.aggs, st)
	}
	return h.In.Open(ctx)
}

// Next reads all of the input, then returns the groups.
func (h *HashAggregate) Next(ctx context.Context) (*vector.Batch, error) {
	if h.err != nil {
		return nil, h.err
	}
	if !h.done {
		if h.err = h.consume(ctx); h.err != nil {
			return nil, h.err
		}
		h.done = true
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var b *vector.Batch
	b, h.err = h.emit()
	return b, h.err
}

func (h *HashAggregate) consume(ctx context.Context) error {
	if len(h.keys) == 0 {
		h.setGroups(1)
	}
	for {
		b, err := h.In.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			return nil
		}
		if err := h.add(b); err != nil {
			return h.earliest(b, err)
		}
		if err := h.acct.set(h.bytes()); err != nil {
			return err
		}
		h.stats.PeakBytes = h.acct.peak
	}
}

// earliest returns the error of the first row that fails, which is not always the first that was found: which one a query
// fails with does not depend on the size of batches.
func (h *HashAggregate) earliest(b *vector.Batch, err error) error {
	for {
		var re *rowError
		if !errors.As(err, &re) {
			return err
		}
		b.Sel = before(b.Sel, re.row)
		if err = h.add(b); err == nil {
			return re.err
		}
	}
}

func (h *HashAggregate) setGroups(n int) {
	if n == h.total {
		return
	}
	h.total = n
	for _, a := range h.aggs {
		a.acc.grow(n)
	}
}

// add takes in a batch.
func (h *HashAggregate) add(b *vector.Batch) error {
	if cap(h.groups) < b.N {
		h.groups = make([]int32, b.N)
	}
	h.groups = h.groups[:b.N]
	if len(h.keys) > 0 {
		for i, k := range h.keys {
			v, err := k.eval(b, b.Sel)
			if err != nil {
				return err
			}
			h.keyVecs[i] = v
		}
		hashes := h.table.hash(h.keyVecs, b.Sel, b.N)
		for k := range b.Rows() {
			i := b.Row(k)
			h.groups[i], _ = h.table.add(h.keyVecs, i, hashes[i])
		}
		h.setGroups(h.table.n)
	} else {
		clear(h.groups)
	}
	for _, a := range h.aggs {
		if err := a.add(h.s, b, h.groups); err != nil {
			return err
		}
	}
	return nil
}

func (a *aggState) add(s *evalState, b *vector.Batch, groups []int32) error {
	sel := b.Sel
	if a.filter != nil {
		v, err := a.filter.eval(b, sel)
		if err != nil {
			return err
		}
		a.sel[0] = s.SelectTrue(v, sel, b.N, a.sel[0][:0])
		sel = a.sel[0]
	}
	for i, x := range a.args {
		v, err := x.eval(b, sel)
		if err != nil {
			return err
		}
		a.vecs[i] = v
	}
	if a.seen != nil {
		a.group.Resize(vector.Int, b.N)
		for i, g := range groups {
			a.group.Ints[i] = int64(g)
		}
		cols := []*vector.Vector{&a.group, a.vecs[0]}
		hashes := a.seen.hash(cols, sel, b.N)
		fresh := a.sel[1][:0]
		sel.All(b.N, func(i int) {
			if a.vecs[0].Null(i) {
				return
			}
			if _, isNew := a.seen.add(cols, i, hashes[i]); isNew {
				fresh = append(fresh, int32(i))
			}
		})
		if fresh == nil {
			fresh = vector.Sel{}
		}
		a.sel[1], sel = fresh, fresh
	}
	if err := a.acc.add(a.vecs, groups, sel, b.N); err != nil {
		return errorAt(a.agg.Span, err)
	}
	return nil
}

func (h *HashAggregate) bytes() int64 {
	n := int64(cap(h.groups) * 4)
	if h.table != nil {
		n += h.table.bytes()
	}
	for _, a := range h.aggs {
		n += a.acc.bytes()
		if a.seen != nil {
			n += a.seen.bytes()
		}
	}
	return n
}

// emit returns the next groups.
func (h *HashAggregate) emit() (*vector.Batch, error) {
	n := min(h.Env.batchRows(), h.total-h.at)
	if n <= 0 {
		return nil, nil
	}
	if h.out.Cols == nil {
		for range len(h.Keys) + len(h.Aggs) {
			h.out.Cols = append(h.out.Cols, &vector.Vector{})
		}
	}
	idx := make([]int32, n)
	for i := range idx {
		idx[i] = int32(h.at + i)
	}
	for k := range h.Keys {
		h.out.Cols[k].Gather(h.table.keys[k], idx)
	}
	for k, a := range h.aggs {
		out := h.out.Cols[len(h.Keys)+k]
		out.Reset(a.agg.T)
		for i := range n {
			if err := a.acc.result(out, h.at+i); err != nil {
				return nil, placed(errorAt(a.agg.Span, err))
			}
		}
	}
	h.at += n
	h.out.N, h.out.Sel = n, nil
	h.stats.Rows += int64(n)
	return &h.out, nil
}

// placed takes the row off an error.
func placed(err error) error {
	var re *rowError
	if errors.As(err, &re) {
		return re.err
	}
	return err
}

// Close frees the groups and closes the input.
func (h *HashAggregate) Close() error {
	h.acct.release()
	h.s.close()
	h.table, h.aggs = nil, nil
	h.done, h.total, h.at = true, 0, 0
	return h.In.Close()
}

// Stats returns what the operator counted.
func (h *HashAggregate) Stats() Stats {
	if h.s != nil {
		h.stats.OtherType = h.s.OtherType
	}
	return h.stats
}

// Distinct passes each row the first time a row equal in all columns comes.
type Distinct struct {
	In   Operator
	Cols []int // positions that are compared; they are the columns of the output
	Env  *Env

	types []vector.Type
	st    vector.State
	table *groupTable
	acct  account
	sel   vector.Sel
	out   vector.Batch
	err   error
	stats Stats
}

// Open opens the input.
func (d *Distinct) Open(ctx context.Context) error {
	d.acct = newAccount(d.Env, "distinct")
	return d.In.Open(ctx)
}

// Next returns the new rows of the next batch that has any.
func (d *Distinct) Next(ctx context.Context) (*vector.Batch, error) {
	for d.err == nil {
		b, err := d.In.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		d.out.Cols = d.out.Cols[:0]
		for _, c := range d.Cols {
			d.out.Cols = append(d.out.Cols, b.Cols[c])
		}
		if d.table == nil {
			for _, c := range d.out.Cols {
				d.types = append(d.types, c.Type)
			}
			d.table = newGroupTable(&d.st, d.types)
		}
		hashes := d.table.hash(d.out.Cols, b.Sel, b.N)
		d.sel = d.sel[:0]
		for k := range b.Rows() {
			i := b.Row(k)
			if _, fresh := d.table.add(d.out.Cols, i, hashes[i]); fresh {
				d.sel = append(d.sel, int32(i))
			}
		}
		if d.err = d.acct.set(d.table.bytes()); d.err != nil {
			break
		}
		d.stats.PeakBytes = d.acct.peak
		if len(d.sel) > 0 {
			d.out.N, d.out.Sel = b.N, d.sel
			d.stats.Rows += int64(len(d.sel))
			return &d.out, nil
		}
	}
	return nil, d.err
}

// Close frees the rows seen and closes the input.
func (d *Distinct) Close() error {
	d.acct.release()
	d.table = nil
	return d.In.Close()
}

// Stats returns what the operator counted.
func (d *Distinct) Stats() Stats { return d.stats }
