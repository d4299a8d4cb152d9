package netdb

import (
	"context"
	"fmt"
	"time"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

// Column is one column of a result.
type Column struct {
	Name string
	// Type is the SQL type: BOOLEAN, BIGINT, DOUBLE, TEXT, BLOB, TIMESTAMPTZ, DATE, INTERVAL, JSON, or ANY for a payload field,
	// whose values each have their own.
	Type string
}

// stream is a result in progress, as package planner gives it.
type stream interface {
	Next(ctx context.Context) (*vector.Batch, error)
	Close() error
}

// Rows is the answer to a query, read row by row (Next, Scan or Values) or batch by batch (NextBatch). Close must be called;
// reading to the end or to an error also frees everything. It is not safe for concurrent use.
type Rows struct {
	ctx      context.Context // of the query: it covers the whole of the answer, as in database/sql
	s        stream
	columns  []Column
	single   []vector.Type // of columns, when values are to be of them
	position Position
	zone     *time.Location
	done     func()
	unpin    func() // of its catalog
	result   Result // of an INSERT

	batch  *vector.Batch
	row    int // index within the alive rows of batch
	values []query.Value
	err    error
	closed bool
}

// Columns returns the result's columns. The slice must not be changed.
func (r *Rows) Columns() []Column { return r.columns }

// Position is the moment a query saw.
type Position struct {
	Cut    redex.Cut         // of all logs
	Tables map[string]string // of each fold read, by its title in EXPLAIN: log@sequence, the first not yet folded
}

// Position returns the moment the query read at.
func (r *Rows) Position() Position { return r.position }

// Result returns what the statement appended: zero when it was no INSERT.
func (r *Rows) Result() Result { return r.result }

// setColumns takes the columns from the plan whose rows are read.
func (r *Rows) setColumns(ctx context.Context, p *planner.Plan, single bool) error {
	for _, c := range p.Columns() {
		r.columns = append(r.columns, Column{Name: c.Name, Type: c.Type.String()})
	}
	if !single {
		return nil
	}
	types, err := p.SingleTypes(ctx)
	for i, t := range types {
		r.columns[i].Type = t.String()
	}
	r.single = types
	return err
}

// brought returns a value as one of its column's single type.
func (r *Rows) brought(v query.Value, t vector.Type) query.Value {
	switch k := v.Kind(); {
	case k == query.KindNull || k == query.KindJSON:
	case t == vector.JSON:
		return query.JSON(string(jsonOf(v, r.zone)))
	case t == vector.Float && k == query.KindInt:
		return query.Double(float64(v.Int()))
	}
	return v
}

// Next moves to the next row and reports whether there is one. After false, Err says whether that is the end.
func (r *Rows) Next() bool {
	if r.batch != nil {
		if r.row++; r.row < r.batch.Rows() {
			return true
		}
	}
	for {
		b, err := r.NextBatch()
		if b == nil || err != nil {
			return false
		}
		if b.Rows() > 0 {
			r.row = 0
			return true
		}
	}
}

// NextBatch returns the next rows as vectors, or nil at the end or on an error, which Err keeps. The batch is valid until the
// next call of Next, NextBatch or Close. Rows of the current batch that Next has not reached are passed over.
func (r *Rows) NextBatch() (*vector.Batch, error) {
	r.batch, r.row = nil, 0
	if r.closed {
		return nil, r.err
	}
	b, err := r.s.Next(r.ctx)
	if err != nil || b == nil {
		r.err = err
		if cerr := r.Close(); err == nil {
			r.err = cerr
		}
		return nil, r.err
	}
	r.batch = b
	return b, nil
}

// Value returns the value of column i in the current row. It must not be called where there is none.
func (r *Rows) Value(i int) query.Value {
	v := exec.ValueAt(r.batch.Cols[i], r.batch.Row(r.row))
	if r.single != nil {
		return r.brought(v, r.single[i])
	}
	return v
}

// Values returns the values of the current row, or nil where there is none: before the first Next and after the last. The slice
// is valid until the next call.
func (r *Rows) Values() []query.Value {
	if r.batch == nil {
		return nil
	}
	r.values = r.values[:0]
	for i := range r.columns {
		r.values = append(r.values, r.Value(i))
	}
	return r.values
}

// Scan copies the current row into dest: one pointer for each column, as in database/sql, with the rules of Select for each
// kind of value.
func (r *Rows) Scan(dest ...any) error {
	if r.batch == nil {
		return fmt.Errorf("netdb: Scan without a row: call Next first")
	}
	if len(dest) != len(r.columns) {
		return fmt.Errorf("netdb: Scan into %d values: the row has %d columns", len(dest), len(r.columns))
	}
	for i, d := range dest {
		if err := assign(d, r.Value(i), r.zone); err != nil {
			return doing(fmt.Sprintf("Scan of column %d %q", i+1, r.columns[i].Name), err)
		}
	}
	return nil
}

// Err returns what ended the rows before their end: nil, the context's error, or a *query.Error for what the statement met.
func (r *Rows) Err() error { return r.err }

// Close ends the query and frees what it holds. It is idempotent.
func (r *Rows) Close() error {
	if r.closed {
		return nil
	}
	r.closed, r.batch = true, nil
	err := r.s.Close()
	r.done()
	r.unpin()
	return err
}

// Zone returns the zone that times are read and printed in.
func (r *Rows) Zone() *time.Location { return r.zone }
