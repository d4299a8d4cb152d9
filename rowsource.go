package netdb

import (
	"context"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/vector"
)

// A batch of a rowIterator has no more than so many values, and so many bytes of text and the like and one row.
const (
	maxBatchCells = 1 << 16
	maxBatchBytes = 1 << 20
)

// rowIterator makes batches from rows that are got one at a time, for tables that are small or not columns to begin with.
type rowIterator struct {
	batch   vector.Batch
	types   []vector.Type
	rows    int // of a batch
	left    int64
	limited bool
	fill    func(cols []*vector.Vector) (bool, error) // appends one row, or reports the end
	stop    func()
	ended   bool
}

// newRowIterator returns an iterator on what fill appends; stop is called once, at Close.
func newRowIterator(columns []planner.Column, r planner.Request, stop func(), fill func([]*vector.Vector) (bool, error)) *rowIterator {
	it := &rowIterator{rows: r.BatchRows, left: r.Limit, limited: r.Limit > 0, fill: fill, stop: stop}
	if it.rows <= 0 {
		it.rows = maxBatchRows
	}
	it.rows = min(it.rows, max(1, maxBatchCells/max(1, len(r.Outputs))))
	for _, o := range r.Outputs {
		t := vector.Any // of a dynamic field
		if o.Column >= 0 {
			t = columns[o.Column].Type
		}
		it.types = append(it.types, t)
		it.batch.Cols = append(it.batch.Cols, vector.New(t, it.rows))
	}
	return it
}

// Next implements planner.Iterator.
func (it *rowIterator) Next(ctx context.Context) (*vector.Batch, error) {
	if err := ctx.Err(); err != nil || it.ended {
		return nil, err
	}
	for i, c := range it.batch.Cols {
		c.Reset(it.types[i])
	}
	it.batch.N, it.batch.Sel = 0, nil
	for it.batch.N < it.rows && !(it.limited && it.left == 0) {
		ok, err := it.fill(it.batch.Cols)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		it.batch.N++
		it.left--
		size := 0
		for _, c := range it.batch.Cols {
			size += len(c.Data)
		}
		if size >= maxBatchBytes {
			break
		}
	}
	if it.batch.N == 0 {
		it.ended = true
		return nil, nil
	}
	return &it.batch, nil
}

// Close implements planner.Iterator.
func (it *rowIterator) Close() error {
	it.ended = true
	it.stop()
	return nil
}
