package netdb

import (
	"context"
	"fmt"
	"slices"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/vector"
)

// rowIterator makes batches from rows that are got one at a time, for tables that are small or not columns to begin with.
type rowIterator struct {
	batch   vector.Batch
	types   []vector.Type
	rows    int // of a batch
	left    int64
	limited bool
	fill    func(cols []*vector.Vector) (bool, error) // appends one row, or reports the end
	ended   bool
}

func newRowIterator(columns []planner.Column, r planner.Request, fill func([]*vector.Vector) (bool, error)) *rowIterator {
	it := &rowIterator{rows: r.BatchRows, left: r.Limit, limited: r.Limit > 0, fill: fill}
	if it.rows <= 0 {
		it.rows = maxBatchRows
	}
	for _, o := range r.Outputs {
		t := columns[o.Column].Type
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
	return nil
}

// listSource is a system table: rows that are made when the query begins.
type listSource struct {
	name    string
	columns []planner.Column
	rows    [][]any // int64, string, bool or nil, by column
}

// Title implements planner.Source.
func (s *listSource) Title() string { return fmt.Sprintf("SystemScan netdb.%s", s.name) }

// Columns implements planner.Source.
func (s *listSource) Columns() []planner.Column { return s.columns }

// Fields implements planner.Source.
func (s *listSource) Fields(context.Context, bool) (planner.Catalogue, error) {
	return planner.Catalogue{}, nil
}

// Estimate implements planner.Source.
func (s *listSource) Estimate(context.Context, planner.Range) (planner.Estimate, error) {
	return planner.Estimate{Rows: int64(len(s.rows)), Exact: true}, nil
}

// Scan implements planner.Source.
func (s *listSource) Scan(_ context.Context, r planner.Request) (planner.Iterator, error) {
	rows := s.rows
	if r.Reverse {
		rows = slices.Clone(rows)
		slices.Reverse(rows)
	}
	next := 0
	return newRowIterator(s.columns, r, func(cols []*vector.Vector) (bool, error) {
		if next == len(rows) {
			return false, nil
		}
		for i, v := range cols {
			switch x := rows[next][r.Outputs[i].Column].(type) {
			case nil:
				v.AppendNull()
			case int64:
				if v.Type == vector.Time {
					v.AppendTime(x)
				} else {
					v.AppendInt(x)
				}
			case string:
				v.AppendText([]byte(x))
			case bool:
				v.AppendBool(x)
			}
		}
		next++
		return true, nil
	}), nil
}
