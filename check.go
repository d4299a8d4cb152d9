package netdb

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// counts are the running totals of a DB.
type counts struct {
	queries, failed, active atomic.Int64
}

// Metrics are figures of a database at one moment. Counters are since Open.
type Metrics struct {
	Store         redex.Metrics
	Folds         []fold.Stats
	Queries       int64 // begun
	QueriesFailed int64 // of them, those that ended before their first row
	QueriesActive int64 // whose rows are not closed
	TempBytes     int64 // that temporary files of queries take
}

// Metrics returns the figures of now. It never waits for a disk.
func (db *DB) Metrics() Metrics {
	m := Metrics{
		Store: db.store.Metrics(), Queries: db.counts.queries.Load(), QueriesFailed: db.counts.failed.Load(),
		QueriesActive: db.counts.active.Load(), TempBytes: db.spill.UsedBytes(),
	}
	for _, f := range db.Folds() {
		m.Folds = append(m.Folds, f.Stats())
	}
	return m
}

// Report is what Check found.
type Report struct {
	Store redex.CheckReport
	// Problems has a line for everything that is wrong, the store's damage included; empty when the database is whole.
	Problems []string
}

// Check reads everything that is stored, compares journal, row files and catalog with each other, and reports what is damaged
// and which folds have stopped. Appends and reads go on meanwhile. The error says only why it could not go on.
func (db *DB) Check(ctx context.Context) (Report, error) {
	if err := db.check(ctx); err != nil {
		return Report{}, err
	}
	var r Report
	var err error
	if r.Store, err = db.store.Check(ctx); err != nil {
		return r, doing("check", err)
	}
	for _, d := range db.store.Recovery().Damage {
		r.Problems = append(r.Problems, "found at open: "+d.Error())
	}
	for _, d := range r.Store.Damage {
		r.Problems = append(r.Problems, d.Error())
	}
	for _, f := range db.Folds() {
		if s := f.Stats(); s.Err != nil {
			r.Problems = append(r.Problems, fmt.Sprintf("fold %q: %v", s.Name, s.Err))
		}
	}
	return r, nil
}
