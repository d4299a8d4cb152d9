package exec

import (
	"context"

	"github.com/seed69692123/netdb/planner/vector"
)

// TieOrder takes rows in descending order of column Col, read backwards from a source, and puts each run of equal values back
// into the order of the source: what a stable descending sort would give.
type TieOrder struct {
	In   Operator
	Col  int
	Want int64 // rows that will be asked for, 0 for all: no more runs are read than they need
	Env  *Env

	run   []*vector.Vector
	n     int // rows in run
	more  *vector.Batch
	pos   int // next row of more
	end   bool
	order []int32
	at    int
	acct  account
	st    vector.State
	out   vector.Batch
	// failed is the input's error while rows before it are given out; err is what Next returns again and again.
	failed error
	err    error
	stats  Stats
}

// Open opens the input.
func (t *TieOrder) Open(ctx context.Context) error {
	t.acct = newAccount(t.Env, "order of ties")
	return t.In.Open(ctx)
}

// Next returns the next rows.
func (t *TieOrder) Next(ctx context.Context) (*vector.Batch, error) {
	if t.err != nil {
		return nil, t.err
	}
	if t.at == len(t.order) {
		if t.err = t.fill(ctx); t.err != nil {
			return nil, t.err
		}
	}
	n := min(t.Env.batchRows(), len(t.order)-t.at)
	if n <= 0 {
		return nil, nil
	}
	for k, c := range t.run {
		t.out.Cols[k].Gather(c, t.order[t.at:t.at+n])
	}
	t.at += n
	t.out.N, t.out.Sel = n, nil
	t.stats.Rows += int64(n)
	return &t.out, nil
}

// fill reads whole runs until there are rows for a batch.
func (t *TieOrder) fill(ctx context.Context) error {
	if t.failed != nil {
		return t.failed
	}
	t.order, t.at, t.n = t.order[:0], 0, 0
	for _, c := range t.run {
		c.Reset(c.Type)
	}
	start := 0 // of the current run
	finish := func() {
		for i := t.n - 1; i >= start; i-- {
			t.order = append(t.order, int32(i))
		}
		start = t.n
	}
	for {
		if t.more == nil || t.pos == t.more.Rows() {
			if t.end {
				finish()
				return nil
			}
			b, err := t.In.Next(ctx)
			if err != nil {
				if len(t.order) == 0 {
					return err
				}
				t.failed = err // after the runs that are complete
				return nil
			}
			if b == nil {
				t.end, t.more = true, nil
				continue
			}
			t.more, t.pos = b, 0
			if t.run == nil {
				for _, c := range b.Cols {
					t.run = append(t.run, vector.New(c.Type, 0))
					t.out.Cols = append(t.out.Cols, &vector.Vector{})
				}
			}
		}
		for ; t.pos < t.more.Rows(); t.pos++ {
			i := t.more.Row(t.pos)
			if t.n > start && !t.st.EqualValues(t.run[t.Col], t.n-1, t.more.Cols[t.Col], i) {
				finish()
				if t.n >= t.Env.batchRows() || t.Want > 0 && t.stats.Rows+int64(t.n) >= t.Want {
					return nil
				}
			}
			for k, c := range t.more.Cols {
				t.run[k].AppendFrom(c, i)
			}
			t.n++
		}
		size := int64(0)
		for _, c := range t.run {
			size += c.MemoryBytes()
		}
		if err := t.acct.set(size); err != nil {
			return err
		}
		t.stats.PeakBytes = t.acct.peak
	}
}

// Close frees the rows and closes the input.
func (t *TieOrder) Close() error {
	t.acct.release()
	t.run, t.order, t.at = nil, nil, 0
	t.end, t.more = true, nil
	return t.In.Close()
}

// Stats returns what the operator counted.
func (t *TieOrder) Stats() Stats { return t.stats }
