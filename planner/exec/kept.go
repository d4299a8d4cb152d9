package exec

import (
	"context"

	"github.com/seed69692123/netdb/planner/vector"
)

// Kept is the rows of a plan that several others read: they are computed once, when the first reader gets there, and stay until
// the query ends. As an operator it gives no rows itself.
type Kept struct {
	In    Operator
	Types []vector.Type
	Env   *Env

	s     *evalState
	acct  account
	rows  *vector.Rows
	locs  []vector.Loc
	open  bool
	ended bool
	err   error // behind the last row
	stats Stats
}

// Open does nothing: the plan is opened when it is read.
func (k *Kept) Open(context.Context) error { return nil }

// Next gives no rows.
func (k *Kept) Next(context.Context) (*vector.Batch, error) { return nil, nil }

// Stats returns what was counted.
func (k *Kept) Stats() Stats { return k.stats }

// more takes in the next batch.
func (k *Kept) more(ctx context.Context) {
	k.err = k.take(ctx)
	if k.ended = k.ended || k.err != nil; k.ended {
		k.err = joined(k.err, k.In.Close())
	}
}

func (k *Kept) take(ctx context.Context) error {
	if !k.open {
		k.open = true
		k.s = newEvalState(k.Env)
		k.acct = newAccount(k.Env, "kept table")
		k.rows = vector.NewRows(&storeGate{k.s, &k.acct}, k.Types)
		if err := k.In.Open(ctx); err != nil {
			return err
		}
	}
	k.s.begin(ctx)
	b, err := k.In.Next(ctx)
	if err != nil || b == nil {
		k.ended = true
		return err
	}
	if k.locs, err = k.rows.AppendBatch(k.locs[:0], b); err != nil {
		return err
	}
	k.stats.Rows += int64(b.Rows())
	err = k.acct.set(k.rows.MemoryBytes())
	k.stats.PeakBytes = k.acct.peak
	return err
}

// Close frees the rows and closes the plan.
func (k *Kept) Close() error {
	if !k.open {
		return nil
	}
	k.acct.release()
	k.s.close()
	k.rows = nil
	if k.ended {
		return nil
	}
	k.ended = true
	return k.In.Close()
}

// KeptScan reads kept rows, in their order.
type KeptScan struct {
	Of   *Kept
	Cols []int

	page, row int // of the next row
	sel       vector.Sel
	out       vector.Batch
	stats     Stats
}

// Open does nothing.
func (s *KeptScan) Open(context.Context) error { return nil }

// Next returns the next rows, of one page: they are not copied.
func (s *KeptScan) Next(ctx context.Context) (*vector.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for {
		if k := s.Of; k.rows != nil && s.page < k.rows.Pages() {
			cols, n := k.rows.Page(s.page)
			if s.row < n {
				return s.give(cols, n), nil
			}
			if s.page+1 < k.rows.Pages() {
				s.page, s.row = s.page+1, 0
				continue
			}
		}
		if s.Of.ended {
			return nil, s.Of.err
		}
		s.Of.more(ctx)
	}
}

func (s *KeptScan) give(cols []*vector.Vector, n int) *vector.Batch {
	if s.out.Cols == nil {
		for range s.Cols {
			s.out.Cols = append(s.out.Cols, &vector.Vector{})
		}
	}
	for i, c := range s.Cols {
		s.out.Cols[i].Alias(cols[c]) // the page may get more rows while this batch is used
	}
	end := min(n, s.row+s.Of.Env.batchRows())
	s.sel = s.sel[:0]
	for i := s.row; i < end; i++ {
		s.sel = append(s.sel, int32(i))
	}
	s.out.N, s.out.Sel = n, s.sel
	if len(s.sel) == n {
		s.out.Sel = nil
	}
	s.row = end
	s.stats.Rows += int64(len(s.sel))
	return &s.out
}

// Close does nothing: the rows are not its own.
func (s *KeptScan) Close() error { return nil }

// Stats returns what was counted.
func (s *KeptScan) Stats() Stats { return s.stats }
