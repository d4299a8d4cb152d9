package exec

import (
	"context"
	"errors"

	"github.com/seed69692123/netdb/planner/vector"
)

// Distinct passes each row the first time a row equal in all columns comes. Rows of which it has no memory to tell are put on disk;
// they come after the others, as they are later ones.
type Distinct struct {
	In   Operator
	Cols []int // positions that are compared; they are the columns of the output
	Env  *Env

	groups HashAggregate // of all columns, without aggregates
	ended  bool          // the input has
	failed error         // of the input, when rows are to be given out before it
	sel    vector.Sel
	out    vector.Batch
	err    error
	rows   int64
}

// Open opens the input.
func (d *Distinct) Open(ctx context.Context) error {
	d.groups.Env = d.Env
	d.groups.prepare("distinct")
	return d.In.Open(ctx)
}

// Next returns the new rows of the next batch that has any.
func (d *Distinct) Next(ctx context.Context) (*vector.Batch, error) {
	d.groups.s.begin(ctx)
	for d.err == nil && !d.ended {
		b, err := d.In.Next(ctx)
		if err != nil || b == nil {
			if d.groups.disk.parts == nil {
				return nil, err
			}
			var ve *ValueError
			if err != nil && !errors.As(err, &ve) {
				return nil, err
			}
			d.ended, d.failed = true, err
			d.groups.at = d.groups.total // they were given out
			d.err = d.groups.drain()
			break
		}
		d.out.Cols = d.out.Cols[:0]
		for _, c := range d.Cols {
			d.out.Cols = append(d.out.Cols, b.Cols[c])
		}
		if d.err = d.add(b); d.err != nil {
			break
		}
		if len(d.sel) > 0 {
			d.out.N, d.out.Sel = b.N, d.sel
			d.rows += int64(len(d.sel))
			return &d.out, nil
		}
	}
	if d.err != nil {
		return nil, d.err
	}
	if d.err = ctx.Err(); d.err != nil {
		return nil, d.err
	}
	b, err := d.groups.nextFromDisk()
	if d.err = err; err == nil && b == nil {
		d.err = d.failed
	}
	if b != nil {
		d.rows += int64(b.N)
	}
	return b, d.err
}

// add finds the rows of a batch that are new.
func (d *Distinct) add(b *vector.Batch) error {
	h := &d.groups
	if h.table == nil {
		for i, c := range d.out.Cols {
			h.Keys = append(h.Keys, &Col{Index: i, T: c.Type})
		}
		h.keyVecs = make([]*vector.Vector, len(h.Keys))
		h.begin()
	}
	copy(h.keyVecs, d.out.Cols)
	rows := vector.Batch{Cols: d.out.Cols, N: b.N, Sel: b.Sel}
	before := h.table.len()
	if err := h.take(&rows); err != nil {
		return err
	}
	d.sel = d.sel[:0]
	for k := range rows.Rows() {
		if i := rows.Row(k); int(h.groups[i]) == before { // groups are numbered as they come
			d.sel = append(d.sel, int32(i))
			before++
		}
	}
	h.disk.first += int64(b.N)
	return h.overgrown(h.count())
}

// Close frees the rows seen and closes the input.
func (d *Distinct) Close() error {
	h := &d.groups
	h.acct.release()
	h.s.close()
	h.table, h.disk = nil, aggDisk{}
	return errors.Join(h.spill.close(), d.In.Close())
}

// Stats returns what the operator counted.
func (d *Distinct) Stats() Stats {
	s := Stats{Rows: d.rows, PeakBytes: d.groups.acct.peak}
	d.groups.spill.count(&s)
	return s
}
