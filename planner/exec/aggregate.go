package exec

import (
	"context"
	"errors"
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// Aggregate is an aggregate call: Fn over Args, which are empty for count(*). The arguments that are settings are constants.
type Aggregate struct {
	query.Span
	Fn       *AggregateFunction
	Args     []Expr
	Distinct bool
	OrderBy  []SortKey // the order in which rows are taken in; with Distinct its keys are among Args
	Filter   Expr      // nil: all rows
	T        vector.Type
}

// Same reports whether two calls give the same result.
func (a *Aggregate) Same(b *Aggregate) bool {
	if a.Fn != b.Fn || a.Distinct != b.Distinct || len(a.Args) != len(b.Args) || len(a.OrderBy) != len(b.OrderBy) || !Equal(a.Filter, b.Filter) {
		return false
	}
	for i, k := range a.OrderBy {
		if o := b.OrderBy[i]; k.Desc != o.Desc || k.NullsFirst != o.NullsFirst || !Equal(k.Expr, o.Expr) {
			return false
		}
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
	c.OrderBy = slices.Clone(a.OrderBy)
	for i := range c.OrderBy {
		c.OrderBy[i].Expr = f(c.OrderBy[i].Expr)
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
	short   shortGroups
	acct    account
	gate    *storeGate
	done    bool
	total   int
	at      int // groups given out
	page    int // of the keys of the next group, and its row there
	row     int
	idx     []int32
	out     vector.Batch
	err     error
	stats   Stats
	part    bool  // it groups a stretch of a table for a ParallelAggregate
	most    int64 // bytes it may then hold; 0: any number
	sparse  bool  // it is given up when its groups are hardly fewer than its rows
	late    error // of the result of the next group, when those before it are given out

	spill   spiller
	disk    aggDisk
	dropped error // of files that were closed when a pass began
}

// aggState is an aggregate in progress.
type aggState struct {
	agg    *Aggregate
	args   []evaluator
	filter evaluator
	vecs   []*vector.Vector
	typed  []vector.Vector // arguments whose values are all of one type
	rows   vector.Sel      // that pass the filter
	acc    accumulator
	sel    vector.Sel
}

// Open prepares the expressions.
func (h *HashAggregate) Open(ctx context.Context) error {
	h.prepare("aggregate")
	h.keys = h.s.compileAll(h.Keys)
	h.keyVecs = make([]*vector.Vector, len(h.keys))
	for _, a := range h.Aggs {
		st := &aggState{agg: a, args: h.s.compileAll(a.Inputs())}
		st.vecs = make([]*vector.Vector, len(st.args))
		if a.Filter != nil {
			st.filter = h.s.compile(a.Filter)
		}
		h.aggs = append(h.aggs, st)
	}
	h.begin()
	return h.In.Open(ctx)
}

// prepare opens what groups need of the query.
func (h *HashAggregate) prepare(name string) {
	h.s = newEvalState(h.Env)
	h.acct = newAccount(h.Env, name)
	h.gate = &storeGate{h.s, &h.acct}
	h.spill.gate = h.gate
	// A single group cannot be divided, but what DISTINCT has seen of it can.
	if !h.part && (name == "distinct" || len(h.Keys) > 0 || slices.ContainsFunc(h.Aggs, func(a *Aggregate) bool { return a.Distinct })) {
		h.spill.open(h.Env)
	}
}

// begin makes the tables and accumulators of no group.
func (h *HashAggregate) begin() {
	if len(h.Keys) > 0 {
		types := make([]vector.Type, len(h.Keys))
		for i, k := range h.Keys {
			types[i] = k.Type()
		}
		h.table = newGroupTable(h.s, h.gate, types)
	}
	h.total, h.at, h.page, h.row = 0, 0, 0, 0
	h.short = shortGroups{}
	h.dropped = errors.Join(h.dropped, h.closeDistinct())
	for _, st := range h.aggs {
		st.acc = newAccumulator(h.gate, st.agg)
	}
	h.spillDistinct()
}

// Next reads all of the input, then returns the groups.
func (h *HashAggregate) Next(ctx context.Context) (*vector.Batch, error) {
	if h.err != nil {
		return nil, h.err
	}
	h.s.begin(ctx)
	if !h.done {
		if h.err = h.consume(ctx); h.err != nil {
			return nil, h.err
		}
		h.done = true
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if h.disk.final != nil {
		return h.nextFromDisk()
	}
	var b *vector.Batch
	if b, h.err = h.emit(); b != nil {
		h.stats.Rows += int64(b.N)
	}
	return b, h.err
}

func (h *HashAggregate) consume(ctx context.Context) error {
	if len(h.Keys) == 0 {
		h.setGroups(1)
	}
	for {
		b, err := h.In.Next(ctx)
		if err != nil || b == nil {
			h.disk.fail(h.disk.first, err)
			return h.endOnDisk(err)
		}
		if err := h.s.each(b, func(part *vector.Batch) error {
			if err := h.add(part); err != nil {
				return h.earliest(part, err, h.add)
			}
			return h.count()
		}); err != nil {
			return h.endOnDisk(err)
		}
		h.disk.first += int64(b.N)
	}
}

// count sets the account to what is held. When that is too much, rows of groups that are not in memory go to disk from now on.
func (h *HashAggregate) count() error {
	n := h.bytes()
	if h.most > 0 && n > h.most || h.tooSparse() {
		return errPartTooLarge
	}
	full, err := h.spill.hold(n + h.disk.bytes() + h.spill.memory())
	if err == nil && h.spill.can() {
		if full || n > h.spill.share()/2 {
			h.freezeDistinct()
		}
		switch {
		case len(h.Keys) > 0:
			err = h.limit(n, full)
		case h.disk.frozenAt == 0 && full:
			h.disk.frozenAt = n
		case h.disk.frozenAt > 0 && n > h.disk.frozenAt+max(h.spill.share()/8, partBytes/4) && h.spill.over():
			err = h.spill.budgetError() // what grows is no rows that were seen
		}
	}
	h.stats.PeakBytes = h.acct.peak
	return err
}

// earliest returns the error of the first row that fails, which is not always the first that was found: which one a query
// fails with does not depend on the size of batches. Rows are tried by calling add.
func (h *HashAggregate) earliest(b *vector.Batch, err error, add func(b *vector.Batch) error) error {
	for {
		var re *rowError
		if !errors.As(err, &re) {
			return err
		}
		b.Sel = before(b.Sel, re.row)
		if err = add(b); err == nil {
			h.disk.fail(h.disk.number(re.row), re.err)
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

// add takes in a batch: it evaluates everything, then changes the groups.
func (h *HashAggregate) add(b *vector.Batch) error {
	for i, k := range h.keys {
		v, err := k.eval(b, b.Sel)
		if err != nil {
			return err
		}
		h.keyVecs[i] = v
	}
	for _, a := range h.aggs {
		if err := a.eval(h.s, b); err != nil {
			return err
		}
	}
	return h.take(b)
}

// take adds rows whose keys and arguments are evaluated to their groups.
func (h *HashAggregate) take(b *vector.Batch) error {
	if cap(h.groups) < b.N {
		h.groups = make([]int32, b.N)
	}
	h.groups = h.groups[:b.N]
	if len(h.Keys) > 0 {
		if err := h.lookUp(b); err != nil {
			return err
		}
		h.setGroups(h.table.len())
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

// lookUp finds the groups of rows, or leaves in b those whose group is in memory and writes the others to disk.
func (h *HashAggregate) lookUp(b *vector.Batch) error {
	if h.makeRoom(b); h.disk.parts != nil {
		hashes, err := h.table.hash(h.keyVecs, b.Sel, b.N)
		if err != nil {
			return err
		}
		return h.divide(b, hashes)
	}
	look := vector.Batch{N: b.N, Sel: b.Sel}
	need, short := h.short.begin(h.keyVecs, b, h.groups)
	if short {
		look.Sel = need
	}
	hashes, err := h.table.hash(h.keyVecs, look.Sel, b.N)
	if err != nil {
		h.short.forget()
		return err
	}
	var fresh func(group int32, i int)
	if h.spill.can() {
		fresh = h.disk.started
	}
	if err := h.table.addAll(h.keyVecs, look.Sel, look.N, hashes, h.groups, fresh); err != nil {
		h.short.forget()
		return err
	}
	if short {
		h.short.end(b, h.groups)
	}
	return nil
}

// eval computes which rows of a batch count and the arguments for them.
func (a *aggState) eval(s *evalState, b *vector.Batch) error {
	a.rows = b.Sel
	if a.filter != nil {
		v, err := a.filter.eval(b, b.Sel)
		if err != nil {
			return err
		}
		a.sel = s.SelectTrue(v, b.Sel, b.N, a.sel[:0])
		a.rows = a.sel
	}
	for i, x := range a.args {
		v, err := x.eval(b, a.rows)
		if err != nil {
			return err
		}
		a.vecs[i] = v
		if a.agg.Fn.typed && len(a.agg.OrderBy) == 0 && (!a.agg.Distinct || a.agg.Fn.distinct != nil) {
			if a.typed == nil {
				a.typed = make([]vector.Vector, len(a.args))
			}
			a.vecs[i] = v.Typed(&a.typed[i])
		}
	}
	return nil
}

func (a *aggState) add(s *evalState, b *vector.Batch, groups []int32) error {
	if err := a.acc.add(a.vecs, groups, a.rows, b.N); err != nil {
		return s.errorAt(a.agg.Span, err)
	}
	return s.rows(a.rows, b.N)
}

func (h *HashAggregate) bytes() int64 {
	n := int64(cap(h.groups)*4) + h.short.bytes()
	if h.table != nil {
		n += h.table.bytes()
	}
	for _, a := range h.aggs {
		n += a.acc.bytes()
	}
	return n
}

// emit returns the next groups, of one page of keys: those are not copied. A group with a large result is alone in its batch.
func (h *HashAggregate) emit() (*vector.Batch, error) {
	n := min(h.Env.batchRows(), h.total-h.at)
	if n <= 0 || h.late != nil {
		return nil, h.late
	}
	if h.out.Cols == nil {
		for range len(h.Keys) + len(h.Aggs) {
			h.out.Cols = append(h.out.Cols, &vector.Vector{})
		}
	}
	var keys []*vector.Vector
	if h.table != nil {
		cols, rows := h.table.rows.Page(h.page)
		if h.row == rows {
			h.page, h.row = h.page+1, 0
			cols, rows = h.table.rows.Page(h.page)
		}
		keys, n = cols, min(n, rows-h.row)
	}
	results := h.out.Cols[len(h.Keys):]
	for k, a := range h.aggs {
		results[k].Reset(a.agg.T)
	}
	data := 0
	for i := 0; i < n; i++ {
		size := 0
		for _, a := range h.aggs {
			size = max(size, a.acc.size(h.at+i))
		}
		large := size >= vector.LargeBytes
		if i > 0 && (large || data+size > partBytes) {
			n = i
			break
		}
		for k, a := range h.aggs {
			if err := a.acc.result(results[k], h.at+i); err != nil {
				h.late, n = placed(h.s.errorAt(a.agg.Span, err)), i // the groups before it first
				break
			}
			data += a.acc.size(h.at + i)
		}
		if large {
			n = min(n, 1)
		}
	}
	if n == 0 {
		return nil, h.late
	}
	more := int64(0)
	for _, v := range results {
		more += v.DataBytes()
	}
	if _, err := h.spill.hold(h.bytes() + more + h.spill.memory()); err != nil {
		return nil, err
	}
	h.stats.PeakBytes = h.acct.peak
	h.idx = h.idx[:0]
	for i := range n {
		h.idx = append(h.idx, int32(h.row+i))
	}
	for k := range keys {
		h.out.Cols[k].Gather(keys[k], h.idx)
	}
	h.at, h.row = h.at+n, h.row+n
	h.out.N, h.out.Sel = n, nil
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
	err := errors.Join(h.dropped, h.closeDistinct())
	h.dropped = nil
	h.acct.release()
	h.s.close()
	h.table, h.aggs = nil, nil
	h.done, h.total, h.at = true, 0, 0
	h.disk = aggDisk{}
	return errors.Join(err, h.spill.close(), h.In.Close())
}

// Stats returns what the operator counted.
func (h *HashAggregate) Stats() Stats {
	if h.s != nil {
		h.stats.OtherType = h.s.OtherType
	}
	h.spill.count(&h.stats)
	return h.stats
}
