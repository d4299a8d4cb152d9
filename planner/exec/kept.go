package exec

import (
	"context"

	"github.com/seed69692123/netdb/planner/spill"
	"github.com/seed69692123/netdb/planner/vector"
)

// Kept is the rows of a plan that several others read: they are computed once, when the first reader gets there, and stay until
// the query ends. What is more than memory is on disk, the rows that came first. As an operator it gives no rows itself.
type Kept struct {
	In    Operator
	Types []vector.Type
	Env   *Env

	s      *evalState
	acct   account
	gate   *storeGate
	rows   *vector.Rows // behind those in file
	file   *spill.File  // nil as long as all rows are in memory
	onDisk int64        // rows of file
	moves  int          // how often rows went to disk
	locs   []vector.Loc
	open   bool
	ended  bool
	err    error // behind the last row
	spill  spiller
	stats  Stats
}

// Open only says that the rows may go to disk: the plan is opened when it is read.
func (k *Kept) Open(context.Context) error {
	k.s = newEvalState(k.Env)
	k.acct = newAccount(k.Env, "kept table")
	k.gate = &storeGate{k.s, &k.acct}
	k.spill.gate = k.gate
	k.spill.open(k.Env)
	return nil
}

// Next gives no rows.
func (k *Kept) Next(context.Context) (*vector.Batch, error) { return nil, nil }

// Stats returns what was counted.
func (k *Kept) Stats() Stats {
	k.spill.count(&k.stats)
	return k.stats
}

// more takes in the next batch.
func (k *Kept) more(ctx context.Context) {
	k.err = k.take(ctx)
	if k.ended = k.ended || k.err != nil; k.ended {
		k.err = joined(k.err, k.In.Close())
	}
}

func (k *Kept) take(ctx context.Context) error {
	k.s.begin(ctx)
	if !k.open {
		k.open = true
		k.rows = vector.NewRows(k.gate, k.Types)
		if err := k.In.Open(ctx); err != nil {
			return err
		}
	}
	b, err := k.In.Next(ctx)
	if err != nil || b == nil {
		k.ended = true
		return err
	}
	if k.rows.Len() > 0 && k.spill.crowded(b, nil) {
		if err := k.toDisk(); err != nil {
			return err
		}
	}
	if k.locs, err = k.rows.AppendBatch(k.locs[:0], b); err != nil {
		return err
	}
	k.stats.Rows += int64(b.Rows())
	full, err := k.spill.hold(k.rows.MemoryBytes() + k.spill.memory())
	if err == nil && full {
		err = k.toDisk()
	}
	k.stats.PeakBytes = k.acct.peak
	return err
}

// toDisk puts the rows in memory behind those on disk.
func (k *Kept) toDisk() error {
	if k.file == nil {
		k.file = k.spill.file(k.Types)
	}
	k.spill.pass(1)
	for p := range k.rows.Pages() {
		cols, n := k.rows.Page(p)
		for i := range n {
			if err := k.file.Append(cols, i); err != nil {
				return k.spill.fail(err)
			}
		}
		if err := k.gate.Step(n * rowStep); err != nil {
			return err
		}
	}
	if err := k.file.Flush(); err != nil {
		return k.spill.fail(err)
	}
	k.onDisk, k.moves = k.file.Rows(), k.moves+1
	k.rows = vector.NewRows(k.gate, k.Types)
	k.acct.force(k.spill.memory() + k.file.MemoryBytes())
	return nil
}

// Close frees the rows and closes the plan.
func (k *Kept) Close() error {
	if k.s == nil {
		return nil
	}
	k.acct.release()
	k.s.close()
	k.rows, k.file = nil, nil
	err := k.spill.close()
	if !k.open || k.ended {
		return err
	}
	k.ended = true
	return joined(err, k.In.Close())
}

// KeptScan reads kept rows, in their order.
type KeptScan struct {
	Of   *Kept
	Cols []int

	at        int64 // rows that were given out
	moves     int   // of the table, when page and row were true
	page, row int   // of the next row that is in memory
	reader    *spill.Reader
	block     *vector.Batch // of reader, and the number of its first row
	first     int64
	acct      account
	sel       vector.Sel
	out       vector.Batch
	stats     Stats
}

// Open does nothing.
func (s *KeptScan) Open(context.Context) error {
	s.acct = newAccount(s.Of.Env, "kept table")
	return nil
}

// Next returns the next rows, of one page or block: they are not copied.
func (s *KeptScan) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		k := s.Of
		if s.at < k.onDisk {
			if err := s.read(ctx); err != nil {
				return nil, err
			}
			b := s.give(s.block.Cols, s.block.N, int(s.at-s.first))
			return b, nil
		}
		if s.moves != k.moves { // no row in memory was given out
			s.moves, s.page, s.row = k.moves, 0, 0
		}
		if k.rows != nil && s.page < k.rows.Pages() {
			cols, n := k.rows.Page(s.page)
			if s.row < n {
				b := s.give(cols, n, s.row)
				s.row += b.Rows()
				return b, nil
			}
			if s.page+1 < k.rows.Pages() {
				s.page, s.row = s.page+1, 0
				continue
			}
		}
		if k.ended {
			return nil, k.err
		}
		k.more(ctx)
	}
}

// read gets the block that has the next row. A reader that was in memory before its rows went to disk has some to pass by.
func (s *KeptScan) read(ctx context.Context) error {
	k := s.Of
	k.s.begin(ctx)
	if s.reader == nil {
		s.reader = k.file.Reader()
	}
	for s.block == nil || s.at >= s.first+int64(s.block.N) {
		if s.block != nil {
			s.first += int64(s.block.N)
		}
		var err error
		if s.block, err = s.reader.Next(); err != nil {
			return err
		}
		s.acct.force(s.reader.MemoryBytes())
	}
	return nil
}

// give gives out rows of a page or block from one on.
func (s *KeptScan) give(cols []*vector.Vector, n, from int) *vector.Batch {
	if s.out.Cols == nil {
		for range s.Cols {
			s.out.Cols = append(s.out.Cols, &vector.Vector{})
		}
	}
	for i, c := range s.Cols {
		s.out.Cols[i].Alias(cols[c]) // the page may get more rows while this batch is used
	}
	end := min(n, from+s.Of.Env.batchRows())
	s.sel = s.sel[:0]
	for i := from; i < end; i++ {
		s.sel = append(s.sel, int32(i))
	}
	s.out.N, s.out.Sel = n, s.sel
	if len(s.sel) == n {
		s.out.Sel = nil
	}
	s.at += int64(len(s.sel))
	s.stats.Rows += int64(len(s.sel))
	return &s.out
}

// Close frees what was read: the rows are not its own.
func (s *KeptScan) Close() error {
	s.acct.release()
	s.reader, s.block = nil, nil
	return nil
}

// Stats returns what was counted.
func (s *KeptScan) Stats() Stats { return s.stats }
