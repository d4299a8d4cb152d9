package netdb

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/redex"
)

// systemTables are the tables of the schema netdb.
var systemTables = []string{"folds", "indexes", "logs", "views"}

// systemTable returns the system table of that name at the catalog's cut, nil when there is none.
func (c *catalog) systemTable(ctx context.Context, name string) (planner.Source, error) {
	switch name {
	case "logs":
		return c.db.logsTable(c.cut), nil
	case "folds":
		return c.db.foldsTable(), nil
	case "indexes", "views":
		d, err := c.definitions(ctx)
		if err != nil {
			return nil, err
		}
		if name == "views" {
			return viewsTable(d), nil
		}
		return c.db.indexesTable(d), nil
	}
	return nil, nil
}

func star(name string, t vector.Type) planner.Column {
	return planner.Column{Name: name, Type: t, InStar: true}
}

// logsTable is netdb.logs: a row for each log, in name order.
func (db *DB) logsTable(cut redex.Cut) planner.Source {
	columns := []planner.Column{
		star("name", vector.Text), star("id", vector.Int), star("floor", vector.Int), star("next", vector.Int),
		star("events", vector.Int), star("created", vector.Time), star("malformed", vector.Int),
	}
	const floor, next, events, malformed = 2, 3, 4, 6 // malformed costs a walk over events not yet looked at
	return &rowSource{name: "logs", columns: columns, rows: func(ctx context.Context, want []bool, yield func([]cell, error) bool) {
		row := make([]cell, len(columns))
		for info, err := range db.store.Logs("") {
			if err != nil {
				yield(nil, err)
				return
			}
			if info.Created > cut.Time {
				continue
			}
			var b redex.Bounds
			var bad int64
			if want[floor] || want[next] || want[events] || want[malformed] { // a list of names opens no logs
				var err error
				b, bad, err = db.logAt(ctx, info, cut, want[malformed])
				if errors.Is(err, redex.ErrNoLog) || errors.Is(err, redex.ErrLogDeleted) { // deleted since the listing
					continue
				}
				if err != nil {
					yield(nil, err)
					return
				}
			}
			row[0], row[1], row[5] = textCell(info.Name), intCell(int64(info.ID)), intCell(info.Created)
			gone := info.Bounds.Len() - info.Events // by compaction
			row[floor], row[next], row[events] = intCell(int64(b.Floor)), intCell(int64(b.Next)), intCell(max(b.Len()-gone, 0))
			row[malformed] = intCell(bad)
			if !yield(row, nil) {
				return
			}
		}
	}}
}

// foldsTable is netdb.folds: a row for each log of each open fold.
func (db *DB) foldsTable() planner.Source {
	columns := []planner.Column{
		star("name", vector.Text), star("log", vector.Text), star("next", vector.Int), star("applied", vector.Int),
		star("lag", vector.Int), star("skipped", vector.Int), star("state", vector.Text), star("error", vector.Text),
	}
	return &rowSource{name: "folds", columns: columns, rows: func(_ context.Context, _ []bool, yield func([]cell, error) bool) {
		row := make([]cell, len(columns))
		for _, f := range db.Folds() {
			s := f.Stats()
			for _, m := range s.Marks {
				row[0], row[1], row[2], row[3] = textCell(s.Name), textCell(m.Name), intCell(int64(m.Next)), intCell(int64(m.Applied))
				row[4], row[5], row[6], row[7] = intCell(s.Lag), intCell(m.Skipped), textCell(s.State.String()), cell{null: true}
				if s.Err != nil {
					row[7] = textCell(s.Err.Error())
				}
				if !yield(row, nil) {
					return
				}
			}
		}
	}}
}

// cell is a value of a system table: text, an integer, a time or NULL, by its column's type.
type cell struct {
	null bool
	n    int64
	text string
}

func textCell(s string) cell { return cell{text: s} }
func intCell(n int64) cell   { return cell{n: n} }

// rowSource is a system table: rows that are made while it is read.
type rowSource struct {
	name    string
	columns []planner.Column
	// rows yields the rows, each valid until the next one. Columns not wanted may be anything.
	rows func(ctx context.Context, want []bool, yield func([]cell, error) bool)
}

// Title implements planner.Source.
func (s *rowSource) Title() string { return fmt.Sprintf("SystemScan netdb.%s", s.name) }

// Columns implements planner.Source.
func (s *rowSource) Columns() []planner.Column { return s.columns }

// Fields implements planner.Source.
func (s *rowSource) Fields(context.Context, bool) (planner.Catalogue, error) {
	return planner.Catalogue{}, nil
}

// Estimate implements planner.Source.
func (s *rowSource) Estimate(context.Context, planner.Range) (planner.Estimate, error) {
	return planner.Estimate{Rows: 100}, nil
}

// Scan implements planner.Source.
func (s *rowSource) Scan(ctx context.Context, r planner.Request) (planner.Iterator, error) {
	want := make([]bool, len(s.columns))
	for _, o := range r.Outputs {
		want[o.Column] = true
	}
	next, stop := iter.Pull2(func(yield func([]cell, error) bool) { s.rows(ctx, want, yield) })
	return newRowIterator(s.columns, r, stop, func(cols []*vector.Vector) (bool, error) {
		row, err, ok := next()
		if err != nil || !ok {
			return false, err
		}
		for i, v := range cols {
			c := row[r.Outputs[i].Column]
			switch {
			case c.null:
				v.AppendNull()
			case v.Type == vector.Text:
				v.AppendText([]byte(c.text))
			case v.Type == vector.Time:
				v.AppendTime(c.n)
			default:
				v.AppendInt(c.n)
			}
		}
		return true, nil
	}), nil
}

// logAt returns a log's bounds at a cut and, when asked, how many of its events have no fields although their encoding could
// have them.
func (db *DB) logAt(ctx context.Context, info redex.LogInfo, cut redex.Cut, malformed bool) (redex.Bounds, int64, error) {
	log, err := db.store.LogByID(info.ID)
	if err != nil {
		return redex.Bounds{}, 0, err
	}
	b, err := log.BoundsAt(ctx, cut)
	if err != nil || !malformed {
		return b, 0, err
	}
	f, err := db.fields.Faults(ctx, log, true)
	return b, f.Malformed + f.NoObject, err
}
