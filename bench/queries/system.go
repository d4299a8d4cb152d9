package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// system answers queries.
type system interface {
	text(q query) string                        // the query in its words; "" where it has no such thing
	run(ctx context.Context, text string) error // reads the answer and drops it: what is timed
	// prepare returns what runs a statement, and what ends it.
	prepare(ctx context.Context, text string) (run func(ctx context.Context, args ...any) error, end func() error, err error)
	rows(ctx context.Context, text string) ([][]any, error)
	Close() error
}

// sqlSystem is a system behind database/sql.
type sqlSystem struct {
	db   *sql.DB
	pick func(q query) string
}

func (s *sqlSystem) text(q query) string { return s.pick(q) }

func (s *sqlSystem) run(ctx context.Context, text string) error {
	return readAll(s.db.QueryContext(ctx, text))
}

func (s *sqlSystem) prepare(ctx context.Context, text string) (run func(ctx context.Context, args ...any) error, end func() error, err error) {
	stmt, err := s.db.PrepareContext(ctx, text)
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, args ...any) error { return readAll(stmt.QueryContext(ctx, args...)) }, stmt.Close, nil
}

func readAll(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	for rows.Next() { // the driver makes a row's values here
	}
	return errors.Join(rows.Err(), rows.Close())
}

func (s *sqlSystem) rows(ctx context.Context, text string) (out [][]any, err error) {
	rows, err := s.db.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		for i, v := range row {
			if row[i], err = plain(v); err != nil {
				return nil, err
			}
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

func (s *sqlSystem) Close() error { return s.db.Close() }

// plain returns a value as nil, int64, float64 or string. Booleans become 0 and 1: SQLite has no others.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case nil, int64, float64, string:
		return v, nil
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case int:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case []byte:
		return string(v), nil
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), nil
	case *big.Int:
		if v.IsInt64() {
			return v.Int64(), nil
		}
		return v.String(), nil
	}
	return nil, fmt.Errorf("a value of type %T", v)
}
