package exec

import (
	"context"
	"errors"

	"github.com/seed69692123/netdb/planner/vector"
)

// SetOp is INTERSECT or EXCEPT: rows of its left side that are, or are not, on the right, in their order. NULL equals NULL. With
// All, a row counts as often as it occurs: of INTERSECT ALL the less of both counts, of EXCEPT ALL the difference; else each
// row comes once. The right side is read when the first left row has come.
type SetOp struct {
	Left, Right Operator
	Maps        [2][]int // where each side has the columns
	Except, All bool
	Types       []vector.Type
	Env         *Env

	right rowSet    // with how often each row is still to be met
	once  *Distinct // of EXCEPT
	disk  *setDisk  // when the right side is more than memory
	cols  []*vector.Vector
	sel   vector.Sel
	out   vector.Batch
	read  bool
	err   error
	stats Stats
}

// Open opens both sides.
func (o *SetOp) Open(ctx context.Context) error {
	o.right.open(o.Env, "set operation", o.Types)
	if !o.Except || o.All {
		return o.openSides(ctx)
	}
	o.once = &Distinct{In: setRows{o}, Env: o.Env}
	for k := range o.Types {
		o.once.Cols = append(o.once.Cols, k)
	}
	return o.once.Open(ctx)
}

func (o *SetOp) openSides(ctx context.Context) error {
	if err := o.Left.Open(ctx); err != nil {
		return err
	}
	return o.Right.Open(ctx)
}

// Next returns the next rows.
func (o *SetOp) Next(ctx context.Context) (b *vector.Batch, err error) {
	if o.once != nil {
		b, err = o.once.Next(ctx)
	} else {
		b, err = o.next(ctx)
	}
	if b != nil {
		o.stats.Rows += int64(b.Rows())
	}
	return b, err
}

// next returns the next left rows that pass, which of EXCEPT may come again.
func (o *SetOp) next(ctx context.Context) (*vector.Batch, error) {
	o.right.s.begin(ctx)
	for o.err == nil {
		if o.disk != nil {
			var b *vector.Batch
			b, o.err = o.nextFromDisk(ctx)
			return b, o.err
		}
		b, err := o.Left.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		if !o.read {
			if o.err = o.readRight(ctx); o.err != nil {
				break
			}
			o.read = true
			if o.disk != nil {
				o.disk.in = b
				continue
			}
		}
		if o.err = o.meet(b); o.err != nil {
			break
		}
		if len(o.sel) > 0 {
			o.out.Cols = append(o.out.Cols[:0], o.cols...)
			o.out.N, o.out.Sel = b.N, o.sel
			return &o.out, nil
		}
	}
	return nil, o.err
}

// side returns the columns of a batch of a side, and their hashes.
func (o *SetOp) side(b *vector.Batch, side int) ([]uint64, error) {
	o.cols = o.cols[:0]
	for _, c := range o.Maps[side] {
		o.cols = append(o.cols, b.Cols[c])
	}
	return o.right.table.hash(o.cols, b.Sel, b.N)
}

func (o *SetOp) readRight(ctx context.Context) error {
	for {
		b, err := o.Right.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			if o.disk != nil {
				return o.disk.right.finish()
			}
			return nil
		}
		hashes, err := o.side(b, 1)
		if err != nil {
			return err
		}
		if err := o.take(&vector.Batch{Cols: o.cols, N: b.N, Sel: b.Sel}, hashes, nil); err != nil {
			return err
		}
	}
}

// take counts rows of the right side, each once or as often as counts says. Rows that are not in memory go to disk.
func (o *SetOp) take(b *vector.Batch, hashes []uint64, counts []int64) error {
	r := &o.right
	r.room(b)
	for k := range b.Rows() {
		i := b.Row(k)
		times := int64(1)
		if counts != nil {
			times = counts[i]
		}
		g, _, err := r.add(b.Cols, i, hashes[i])
		if err != nil {
			return err
		}
		if g >= 0 {
			n := r.count.at(int(g))
			if *n += times; !o.All {
				*n = 1
			}
		} else if err := o.rightToDisk(b.Cols, i, hashes[i], times); err != nil {
			return err
		}
		if err := r.s.Step(rowStep); err != nil {
			return err
		}
	}
	if err := r.s.Fault(); err != nil {
		return err
	}
	return o.hold()
}

// passes reports whether a left row comes out whose number on the right is g, -1 for none.
func (o *SetOp) passes(g int32) bool {
	if g < 0 {
		return o.Except
	}
	n := o.right.count.at(int(g))
	if *n == 0 {
		return o.Except
	}
	if o.All || !o.Except {
		*n--
	}
	return !o.Except
}

// meet finds the rows of a left batch that come out.
func (o *SetOp) meet(b *vector.Batch) error {
	hashes, err := o.side(b, 0)
	if err != nil {
		return err
	}
	o.sel = o.sel[:0]
	for k := range b.Rows() {
		i := b.Row(k)
		if o.passes(o.right.table.find(o.cols, i, hashes[i])) {
			o.sel = append(o.sel, int32(i))
		}
		if err := o.right.s.Step(rowStep); err != nil {
			return err
		}
	}
	return o.right.s.Fault()
}

// hold sets the account to what is held.
func (o *SetOp) hold() error {
	buffers := int64(0)
	if d := o.disk; d != nil {
		buffers = d.right.bytes() + d.left.bytes() + d.block
		if d.run != nil {
			buffers += d.run.MemoryBytes()
		}
	}
	err := o.right.hold(buffers)
	o.stats.PeakBytes = max(o.stats.PeakBytes, o.right.acct.peak)
	return err
}

// Close frees the rows and closes both sides.
func (o *SetOp) Close() error {
	if o.once != nil {
		return o.once.Close()
	}
	return o.closeSides()
}

func (o *SetOp) closeSides() error {
	o.disk = nil
	return errors.Join(o.right.close(), o.Left.Close(), o.Right.Close())
}

// Stats returns what was counted.
func (o *SetOp) Stats() Stats {
	s := o.stats
	o.right.spill.count(&s)
	if o.once != nil {
		d := o.once.Stats()
		s.PeakBytes += d.PeakBytes
		s.SpillBytes += d.SpillBytes
		s.SpillPasses = max(s.SpillPasses, d.SpillPasses)
	}
	return s
}

// setRows is an EXCEPT whose rows may come again.
type setRows struct{ o *SetOp }

// Open implements Operator.
func (r setRows) Open(ctx context.Context) error { return r.o.openSides(ctx) }

// Next implements Operator.
func (r setRows) Next(ctx context.Context) (*vector.Batch, error) { return r.o.next(ctx) }

// Close implements Operator.
func (r setRows) Close() error { return r.o.closeSides() }

// Stats implements Operator.
func (r setRows) Stats() Stats { return Stats{} }
