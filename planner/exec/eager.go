package exec

import (
	"context"
	"errors"
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
)

// EagerAggregate is a HashAggregate over an operator that gives each row of a table several times. It groups the rows of the table by
// what the others are computed of, has the groups multiplied instead of the rows, and merges them. Where that fails, does not fit into memory or
// does not make rows fewer, it is done as it is written.
type EagerAggregate struct {
	// Plain does it as it is written. It is opened only then.
	Plain *HashAggregate
	// Small makes the groups of the table: a HashAggregate or a ParallelAggregate with the same aggregates.
	Small interface {
		Operator
		wholeGroups(ctx context.Context, most int64) (*HashAggregate, error)
	}
	// Multiply returns what gives each row of an operator several times, one after the other: the rows are the keys of the groups and their numbers, and
	// what it adds comes behind.
	Multiply func(groups Operator) Operator
	// Number is the column of a group's number.
	Number int
	// Keys are over the rows of what Multiply returned.
	Keys []Expr
	Env  *Env

	reserve spiller // counts among those who share the budget, until it is known who does
	result  *HashAggregate
	acct    account
	closed  bool // Small is
	err     error
}

// Open does nothing but to have a part of the budget.
func (e *EagerAggregate) Open(context.Context) error {
	e.reserve.open(e.Env)
	e.acct = newAccount(e.Env, "aggregate")
	return nil
}

// Next reads all of the input, then returns the groups.
func (e *EagerAggregate) Next(ctx context.Context) (*vector.Batch, error) {
	if e.err != nil {
		return nil, e.err
	}
	if e.result == nil {
		if e.err = e.run(ctx); e.err != nil {
			return nil, e.err
		}
	}
	return e.result.Next(ctx)
}

func (e *EagerAggregate) run(ctx context.Context) error {
	most := e.reserve.mostShared(e.Env)
	result, err := e.group(ctx, most)
	e.acct.release()
	if err != nil {
		if result != nil {
			err = errors.Join(ctx.Err(), result.Close())
		} else {
			err = ctx.Err()
		}
		result = nil
	}
	e.closed = true
	if err := errors.Join(err, e.Small.Close(), e.reserve.close()); err != nil || result != nil {
		e.result = result
		return err
	}
	e.result = e.Plain
	return e.Plain.Open(ctx)
}

// mostShared returns how many bytes may be held by what is given up when it is more; 0: any number.
func (s *spiller) mostShared(env *Env) int64 {
	if env.Budget == nil || env.Budget.limit <= 0 {
		return 0
	}
	if s.can() {
		return s.share() / 2
	}
	return env.Budget.limit / 2
}

// mostPairs is how many groups may come of the multiplication of groups.
const mostPairs = 1 << 22

// group returns the groups. It may return some with an error.
func (e *EagerAggregate) group(ctx context.Context, most int64) (*HashAggregate, error) {
	small, err := e.Small.wholeGroups(ctx, most/2)
	if err != nil {
		return nil, err
	}
	h := &HashAggregate{Keys: e.Keys, Aggs: small.Aggs, Env: e.Env, part: true, most: most / 2}
	h.In = e.Multiply(&groupKeys{of: small})
	if err := h.Open(ctx); err != nil {
		return h, err
	}
	h.s.begin(ctx)
	// into[k] are the groups of the k-th time that each of the small ones is given.
	var into [][]int32
	last, times := int64(-1), 0
	for {
		if err := ctx.Err(); err != nil {
			return h, err
		}
		b, err := h.In.Next(ctx)
		if err != nil {
			return h, err
		}
		if b == nil {
			break
		}
		err = h.s.each(b, func(part *vector.Batch) error {
			sel, err := evalAll(h.keys, part, part.Sel, h.keyVecs)
			if err != nil {
				return err
			}
			part.Sel = sel
			h.groups = grownTo(h.groups, part.N)
			if err := h.lookUp(part); err != nil {
				return err
			}
			for k := range part.Rows() {
				i := part.Row(k)
				if g := part.Cols[e.Number].Int(i); g != last {
					last, times = g, 0
				}
				if times == len(into) {
					if (len(into)+1)*small.total > mostPairs {
						return errPartTooLarge
					}
					if err := e.acct.set(e.acct.held + int64(small.total)*4); err != nil {
						return err
					}
					into = append(into, slices.Repeat([]int32{-1}, small.total))
				}
				into[times][last] = h.groups[i]
				times++
			}
			return h.count()
		})
		if err != nil {
			return h, err
		}
	}
	h.setGroups(h.table.len())
	for _, groups := range into {
		for k, a := range h.aggs {
			if err := a.acc.merge(small.aggs[k].acc, groups); err != nil {
				return h, err
			}
		}
		if err := h.count(); err != nil {
			return h, err
		}
	}
	h.s.OtherType += small.s.OtherType
	h.done, h.most = true, 0
	return h, nil
}

// wholeGroups makes the groups of all of the input, which is not open, and holds no more than most bytes.
func (h *HashAggregate) wholeGroups(ctx context.Context, most int64) (*HashAggregate, error) {
	h.sparse = true
	return h, unlessPanic(groupStretch(ctx, h, most))
}

// wholeGroups is that of HashAggregate.
func (p *ParallelAggregate) wholeGroups(ctx context.Context, most int64) (*HashAggregate, error) {
	n, err := p.Divide(ctx)
	if err != nil {
		return nil, err
	}
	if n <= 1 {
		p.result = p.Serial
		return p.Serial.wholeGroups(ctx, most)
	}
	part := p.Part
	p.Part = func(d *Division, first int) *HashAggregate {
		h := part(d, first)
		h.sparse = true
		return h
	}
	if err := p.group(ctx, n, most/int64(p.Threads)); err != nil {
		return nil, err
	}
	if err := p.merge(ctx); err != nil {
		return nil, err
	}
	p.result = p.parts[0].h
	return p.result, nil
}

// unlessPanic brings a panic on.
func unlessPanic(err error) error {
	if pe, ok := errors.AsType[*PanicError](err); ok {
		panic(pe)
	}
	return err
}

// enoughRows is after how many rows groups that are hardly fewer are given up.
const enoughRows = 1 << 14

// tooSparse reports whether there are so many groups that it was not worth to make them.
func (h *HashAggregate) tooSparse() bool {
	return h.sparse && h.disk.first >= enoughRows && int64(h.total)*4 > h.disk.first
}

// Close frees the groups and closes the input.
func (e *EagerAggregate) Close() error {
	errs := []error{e.reserve.close()}
	e.acct.release()
	if !e.closed {
		e.closed = true
		errs = append(errs, e.Small.Close())
	}
	if e.result != nil {
		errs = append(errs, e.result.Close())
	}
	return errors.Join(errs...)
}

// Stats returns what the operator counted.
func (e *EagerAggregate) Stats() Stats {
	if e.result == nil {
		return Stats{}
	}
	return e.result.Stats()
}

// groupKeys gives the keys of groups, and their numbers behind.
type groupKeys struct {
	of     *HashAggregate
	page   int
	row    int // of the page
	g      int
	idx    []int32
	number vector.Vector
	out    vector.Batch
}

// Open does nothing: the groups are there.
func (k *groupKeys) Open(context.Context) error { return nil }

// Next returns the next groups.
func (k *groupKeys) Next(context.Context) (*vector.Batch, error) {
	if k.g == k.of.total {
		return nil, nil
	}
	cols, rows := k.of.table.rows.Page(k.page)
	if k.row == rows {
		k.page, k.row = k.page+1, 0
		cols, rows = k.of.table.rows.Page(k.page)
	}
	for len(k.out.Cols) < len(cols) {
		k.out.Cols = append(k.out.Cols, &vector.Vector{})
	}
	n := min(rows-k.row, k.of.Env.batchRows())
	k.idx = k.idx[:0]
	k.number.Resize(vector.Int, n)
	for i := range n {
		k.idx = append(k.idx, int32(k.row+i))
		k.number.Ints[i] = int64(k.g + i)
	}
	for c, v := range cols {
		k.out.Cols[c].Gather(v, k.idx)
	}
	k.row, k.g = k.row+n, k.g+n
	k.out.N = n
	return &vector.Batch{Cols: append(slices.Clone(k.out.Cols[:len(cols)]), &k.number), N: n}, nil
}

// Close does nothing.
func (k *groupKeys) Close() error { return nil }

// Stats is empty.
func (k *groupKeys) Stats() Stats { return Stats{} }
