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

	s     *evalState
	acct  account
	table *groupTable
	count paged[int64] // of a row: how often it is still to be met
	cols  []*vector.Vector
	sel   vector.Sel
	out   vector.Batch
	read  bool
	err   error
	stats Stats
}

// Open opens both sides.
func (o *SetOp) Open(ctx context.Context) error {
	o.s = newEvalState(o.Env)
	o.acct = newAccount(o.Env, "set operation")
	o.table = newGroupTable(o.s, &storeGate{o.s, &o.acct}, o.Types)
	if err := o.Left.Open(ctx); err != nil {
		return err
	}
	return o.Right.Open(ctx)
}

// Next returns the next rows.
func (o *SetOp) Next(ctx context.Context) (*vector.Batch, error) {
	o.s.begin(ctx)
	for o.err == nil {
		b, err := o.Left.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		if !o.read {
			if o.err = o.readRight(ctx); o.err != nil {
				break
			}
			o.read = true
		}
		if o.err = o.meet(b); o.err != nil {
			break
		}
		if len(o.sel) > 0 {
			o.out.Cols = append(o.out.Cols[:0], o.cols...)
			o.out.N, o.out.Sel = b.N, o.sel
			o.stats.Rows += int64(len(o.sel))
			return &o.out, nil
		}
	}
	return nil, o.err
}

func (o *SetOp) readRight(ctx context.Context) error {
	for {
		b, err := o.Right.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		if err := o.each(b, 1, func(_ int, g int32, _ bool) {
			if n := o.count.at(int(g)); o.All || *n == 0 {
				*n++
			}
		}); err != nil {
			return err
		}
	}
}

// each finds the rows of a batch of a side in the table, or adds them.
func (o *SetOp) each(b *vector.Batch, side int, f func(i int, g int32, fresh bool)) error {
	o.cols = o.cols[:0]
	for _, c := range o.Maps[side] {
		o.cols = append(o.cols, b.Cols[c])
	}
	hashes, err := o.table.hash(o.cols, b.Sel, b.N)
	if err != nil {
		return err
	}
	for k := range b.Rows() {
		i := b.Row(k)
		if side == 0 && (o.All || !o.Except) {
			// A row that is not on the right need not be kept.
			if g := o.table.find(o.cols, i, hashes[i]); g >= 0 || o.Except {
				f(i, g, false)
			}
		} else {
			g, fresh, err := o.table.add(o.cols, i, hashes[i])
			if err != nil {
				return err
			}
			o.count.grow(int(g) + 1)
			f(i, g, fresh)
		}
		if err := o.s.Step(rowStep); err != nil {
			return err
		}
	}
	if err := o.s.Fault(); err != nil {
		return err
	}
	err = o.acct.set(o.table.bytes() + o.count.bytes())
	o.stats.PeakBytes = o.acct.peak
	return err
}

// meet finds the rows of a left batch that come out.
func (o *SetOp) meet(b *vector.Batch) error {
	o.sel = o.sel[:0]
	return o.each(b, 0, func(i int, g int32, fresh bool) {
		out := o.Except
		if g >= 0 {
			n := o.count.at(int(g))
			switch {
			case o.Except && !o.All:
				out = fresh
			case *n > 0:
				*n--
				out = !o.Except
			default:
				out = o.Except
			}
		}
		if out {
			o.sel = append(o.sel, int32(i))
		}
	})
}

// Close frees the rows and closes both sides.
func (o *SetOp) Close() error {
	o.acct.release()
	o.s.close()
	o.table, o.count = nil, paged[int64]{}
	return errors.Join(o.Left.Close(), o.Right.Close())
}

// Stats returns what was counted.
func (o *SetOp) Stats() Stats { return o.stats }

// DistinctOn passes each row whose keys are not those of an earlier one.
type DistinctOn struct {
	In   Operator
	Keys []Expr
	Env  *Env

	s     *evalState
	keys  []evaluator
	vecs  []*vector.Vector
	acct  account
	table *groupTable
	sel   vector.Sel
	out   vector.Batch
	err   error
	stats Stats
}

// Open opens the input.
func (d *DistinctOn) Open(ctx context.Context) error {
	d.s = newEvalState(d.Env)
	d.acct = newAccount(d.Env, "distinct")
	d.keys = d.s.compileAll(d.Keys)
	d.vecs = make([]*vector.Vector, len(d.keys))
	types := make([]vector.Type, len(d.Keys))
	for i, k := range d.Keys {
		types[i] = k.Type()
	}
	d.table = newGroupTable(d.s, &storeGate{d.s, &d.acct}, types)
	return d.In.Open(ctx)
}

// Next returns the next rows with new keys.
func (d *DistinctOn) Next(ctx context.Context) (*vector.Batch, error) {
	d.s.begin(ctx)
	for d.err == nil {
		if !d.s.more() {
			b, err := d.In.Next(ctx)
			if err != nil || b == nil {
				return nil, err
			}
			d.s.take(b)
		}
		d.err = d.s.part(d.add)
		if len(d.sel) > 0 {
			d.out.Sel = d.sel
			d.stats.Rows += int64(len(d.sel))
			return &d.out, nil
		}
	}
	return nil, d.err
}

// add finds the rows of a part of a batch that are new. Those before an error come out first.
func (d *DistinctOn) add(b *vector.Batch) error {
	d.sel = d.sel[:0]
	sel, failed := evalAll(d.keys, b, b.Sel, d.vecs)
	var ve *ValueError
	if failed != nil && !errors.As(failed, &ve) {
		return failed
	}
	b.Sel = sel
	d.out = *b
	hashes, err := d.table.hash(d.vecs, b.Sel, b.N)
	if err != nil {
		return err
	}
	for k := range b.Rows() {
		i := b.Row(k)
		_, fresh, err := d.table.add(d.vecs, i, hashes[i])
		if err != nil {
			d.sel = d.sel[:0]
			return err
		}
		if fresh {
			d.sel = append(d.sel, int32(i))
		}
	}
	if err := d.acct.set(d.table.bytes()); err != nil {
		d.sel = d.sel[:0]
		return err
	}
	d.stats.PeakBytes = d.acct.peak
	return failed
}

// Close frees the keys seen and closes the input.
func (d *DistinctOn) Close() error {
	d.acct.release()
	d.s.close()
	d.table = nil
	return d.In.Close()
}

// Stats returns what the operator counted.
func (d *DistinctOn) Stats() Stats {
	if d.s != nil {
		d.stats.OtherType = d.s.OtherType
	}
	return d.stats
}
