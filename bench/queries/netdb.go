package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/seed69692123/netdb"
	netquery "github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

// netSystem is NetDB, opened on a directory.
type netSystem struct{ db *netdb.DB }

// netOptions are the defaults. There is no cache of answers yet; when there is one, it is turned off here.
func netOptions() netdb.Options { return netdb.Options{} }

func openNetDB(ctx context.Context, dir string, o netdb.Options) (*netSystem, error) {
	db, err := netdb.Open(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	return &netSystem{db}, nil
}

// importBatch is how many events are appended at once, as the shell's import does.
const importBatch = 1024

// importNetDB appends the lines of both logs, and returns how many they are.
func importNetDB(ctx context.Context, db *netdb.DB, e events) (n int64, err error) {
	for _, name := range []string{commitsLog, changesLog} {
		k, err := appendLines(ctx, db, name, func(most int, f func(lines [][]byte) error) error { return e.batches(ctx, name, most, f) })
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// appendLines appends to a log what batches gives, and returns how many lines that were.
func appendLines(ctx context.Context, db *netdb.DB, name string, batches func(most int, f func(lines [][]byte) error) error) (n int64, err error) {
	log, err := db.OpenLog(ctx, name, redex.LogOptions{})
	if err != nil {
		return 0, err
	}
	entries := make([]redex.Entry, 0, importBatch)
	err = batches(importBatch, func(lines [][]byte) error {
		entries = entries[:0]
		for _, line := range lines {
			entries = append(entries, redex.Entry{Encoding: redex.JSON, Payload: line})
		}
		n += int64(len(lines))
		_, err := log.AppendBatch(ctx, entries, redex.AppendOptions{})
		return err
	})
	return n, err
}

func (s *netSystem) text(q query) string { return q.text }

func (s *netSystem) run(ctx context.Context, text string) error {
	return drain(s.db.Query(ctx, text))
}

func (s *netSystem) prepare(ctx context.Context, text string) (run func(ctx context.Context, args ...any) error, end func() error, err error) {
	stmt, err := s.db.Prepare(ctx, text)
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, args ...any) error { return drain(stmt.Query(ctx, args...)) }, func() error { return nil }, nil
}

// drain reads an answer to its end.
func drain(rows *netdb.Rows, err error) error {
	if err != nil {
		return err
	}
	for {
		b, err := rows.NextBatch()
		if err != nil {
			return err
		}
		if b == nil {
			return rows.Close()
		}
	}
}

func (s *netSystem) rows(ctx context.Context, text string) (out [][]any, err error) {
	rows, err := s.db.Query(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		row := make([]any, 0, len(rows.Columns()))
		for _, v := range rows.Values() {
			p, err := plainValue(v)
			if err != nil {
				return nil, err
			}
			row = append(row, p)
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// plainValue is plain for a value of NetDB's.
func plainValue(v netquery.Value) (any, error) {
	switch v.Kind() {
	case netquery.KindNull:
		return nil, nil
	case netquery.KindBool:
		return plain(v.Bool())
	case netquery.KindInt:
		return v.Int(), nil
	case netquery.KindDouble:
		return v.Double(), nil
	case netquery.KindText, netquery.KindJSON:
		return v.Text(), nil
	case netquery.KindTime:
		return plain(v.Time())
	case netquery.KindBig:
		n, ok := new(big.Int).SetString(v.Text(), 10)
		if !ok {
			return nil, fmt.Errorf("%q is no integer", v.Text())
		}
		return plain(n)
	}
	return nil, fmt.Errorf("a value of kind %v", v.Kind())
}

func (s *netSystem) Close() error { return s.db.Close() }

// loadNetDB makes a store from the events and leaves it closed, with everything sealed, and done what the background does after a while.
func loadNetDB(ctx context.Context, dir string, e events) error {
	db, err := netdb.Open(ctx, dir, netOptions())
	if err != nil {
		return err
	}
	if _, err := importNetDB(ctx, db, e); err != nil {
		return errors.Join(err, db.Close())
	}
	return errors.Join(db.Store().Maintain(ctx), db.Close())
}
