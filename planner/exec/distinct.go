package exec

import (
	"context"

	"github.com/seed69692123/netdb/planner/vector"
)

// Distinct passes each row the first time a row equal in all columns comes.
type Distinct struct {
	In   Operator
	Cols []int // positions that are compared; they are the columns of the output
	Env  *Env

	s     *evalState
	table *groupTable
	acct  account
	sel   vector.Sel
	out   vector.Batch
	err   error
	stats Stats
}

// Open opens the input.
func (d *Distinct) Open(ctx context.Context) error {
	d.s = newEvalState(d.Env)
	d.acct = newAccount(d.Env, "distinct")
	return d.In.Open(ctx)
}

// Next returns the new rows of the next batch that has any.
func (d *Distinct) Next(ctx context.Context) (*vector.Batch, error) {
	d.s.begin(ctx)
	for d.err == nil {
		b, err := d.In.Next(ctx)
		if err != nil || b == nil {
			return nil, err
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
			d.stats.Rows += int64(len(d.sel))
			return &d.out, nil
		}
	}
	return nil, d.err
}

// add finds the rows of a batch that are new.
func (d *Distinct) add(b *vector.Batch) error {
	if d.table == nil {
		types := make([]vector.Type, len(d.out.Cols))
		for i, c := range d.out.Cols {
			types[i] = c.Type
		}
		d.table = newGroupTable(d.s, &storeGate{d.s, &d.acct}, types)
	}
	hashes, err := d.table.hash(d.out.Cols, b.Sel, b.N)
	if err != nil {
		return err
	}
	d.sel = d.sel[:0]
	for k := range b.Rows() {
		i := b.Row(k)
		_, fresh, err := d.table.add(d.out.Cols, i, hashes[i])
		if err != nil {
			return err
		}
		if fresh {
			d.sel = append(d.sel, int32(i))
		}
	}
	err = d.acct.set(d.table.bytes())
	d.stats.PeakBytes = d.acct.peak
	return err
}

// Close frees the rows seen and closes the input.
func (d *Distinct) Close() error {
	d.acct.release()
	d.s.close()
	d.table = nil
	return d.In.Close()
}

// Stats returns what the operator counted.
func (d *Distinct) Stats() Stats { return d.stats }
