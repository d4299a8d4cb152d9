package netdb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/redex"
)

// noMoreGoroutines fails when goroutines of this module are left after a while.
func noMoreGoroutines(t *testing.T, before int) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			var b bytes.Buffer
			_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, b.String())
		}
		runtime.Gosched()
	}
}

// manyEvents makes a database with n events in a log, most of them sealed.
func manyEvents(t *testing.T, n int) *netdb.DB {
	t.Helper()
	ctx := t.Context()
	db, err := netdb.Open(ctx, t.TempDir(), netdb.Options{Store: redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	log, err := db.CreateLog(ctx, "events", redex.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	batch := make([]redex.Entry, 1000)
	for from := 0; from < n; from += len(batch) {
		for i := range batch {
			k := from + i
			batch[i] = redex.Entry{Encoding: redex.JSON, Payload: fmt.Appendf(nil, `{"n":%d,"m":%d,"s":"some text %d"}`, k, k%1000, k*7919%n)}
		}
		if _, err := log.AppendBatch(ctx, batch, redex.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
		if from == n*3/4 {
			seal(t, db)
		}
	}
	return db
}

// orderedRows returns the rows of a query.
func orderedRows(t *testing.T, db *netdb.DB, sql string) [][]any {
	t.Helper()
	rows, err := valuesOf(t.Context(), db, sql, netdb.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestCloseMakesTails closes a database with fewer events than a chunk: a column file is left, made of what was sealed meanwhile or of what a query
// missed.
func TestCloseMakesTails(t *testing.T) {
	const text = `SELECT m, count(*), sum(n) FROM events GROUP BY m ORDER BY m`
	db := manyEvents(t, 9_000)
	dir := db.Store().Dir()
	want := fmt.Sprint(orderedRows(t, db, text))
	seal(t, db)
	for _, why := range []string{"sealed", "missed", "there"} {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "columns", "*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("%s: column files %v, %v", why, files, err)
		}
		if why == "sealed" {
			if err := os.Remove(files[0]); err != nil {
				t.Fatal(err)
			}
		}
		if db, err = netdb.Open(t.Context(), dir, netdb.Options{}); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(orderedRows(t, db, text)); got != want {
			t.Errorf("%s: other rows", why)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCancelledQueryReturns cancels queries of several shapes in the middle: each returns at once, with the context's error and
// no goroutine left.
func TestCancelledQueryReturns(t *testing.T) {
	db := manyEvents(t, 200_000)
	shapes := []string{
		`SELECT count(*) FROM events WHERE s LIKE '%9%'`,
		`SELECT s, count(*) AS c FROM events GROUP BY s`,
		`SELECT n, s FROM events ORDER BY s DESC`,
		`SELECT count(DISTINCT s) FROM events`,
		`SELECT count(*) FROM events a JOIN events b ON a.m = b.m`,
		`SELECT count(*) FROM events a JOIN events b ON a.n < b.m`,
		`SELECT DISTINCT s FROM events`,
	}
	before := runtime.NumGoroutine()
	for _, sql := range shapes {
		for _, after := range []time.Duration{time.Millisecond, 30 * time.Millisecond, 90 * time.Millisecond} {
			cancelAfter(t, db, sql, after)
		}
	}
	noMoreGoroutines(t, before)
}

// cancelAfter cancels a query, if it is not done before, and fails the test when it goes on too long. On a busy machine the wall
// clock says little: then the processor time of this process counts, and nothing may wait for twenty times as long.
func cancelAfter(t *testing.T, db *netdb.DB, sql string, after time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var cancelled time.Time
	var used time.Duration
	timer := time.AfterFunc(after, func() {
		cancelled, used = time.Now(), processorTime()
		cancel()
	})
	err := drain(db.Query(ctx, sql))
	took, used2 := time.Now(), processorTime()
	if timer.Stop() {
		return
	}
	<-ctx.Done()
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("%s: %v", sql, err)
	}
	if wall, worked := took.Sub(cancelled), used2-used; wall > soon && worked > soon || wall > 20*soon {
		t.Errorf("%s: returned %v after it was cancelled, having worked for %v", sql, wall, worked)
	}
}

func drain(rows *netdb.Rows, err error) error {
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return errors.Join(rows.Err(), rows.Close())
}

// TestCloseDuringQuery closes a database while rows are read: the reader gets an error or the end, never a crash.
func TestCloseDuringQuery(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, sql := range []string{`SELECT * FROM events`, `SELECT s, count(*) FROM events GROUP BY s`, `SELECT n FROM events ORDER BY s`} {
		db := manyEvents(t, 20_000)
		rows, err := db.Query(t.Context(), sql)
		if err != nil {
			t.Fatal(err)
		}
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
		}
		if err := rows.Err(); err != nil && !errors.Is(err, redex.ErrClosed) {
			t.Errorf("%s: %v", sql, err)
		}
		if err := rows.Close(); err != nil && !errors.Is(err, redex.ErrClosed) {
			t.Errorf("%s: close: %v", sql, err)
		}
		if _, err := db.Query(t.Context(), sql); !errors.Is(err, netdb.ErrClosed) {
			t.Errorf("query after close: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
	}
	noMoreGoroutines(t, before)
}

// TestQueryLimits runs into the limits of a statement.
func TestQueryLimits(t *testing.T) {
	db := manyEvents(t, 20_000)
	before := runtime.NumGoroutine()
	err := drain(db.Do(t.Context(), netdb.Statement{SQL: `SELECT string_agg(s, ',') FROM events`, Limits: netdb.Limits{Bytes: 100_000}}))
	if !errors.Is(err, netdb.ErrBudget) || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("over the memory limit: %v", err)
	}
	err = drain(db.Do(t.Context(), netdb.Statement{SQL: `SELECT count(*) FROM events a JOIN events b ON a.n < b.n`, Limits: netdb.Limits{Timeout: 20 * time.Millisecond}}))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("over the time limit: %v", err)
	}
	rows, err := db.Query(t.Context(), `SELECT n FROM events LIMIT 10`)
	if err != nil {
		t.Fatal(err)
	}
	rows.Next()
	if m := db.Metrics(); m.QueriesActive != 1 || m.Queries < 3 {
		t.Errorf("%+v", m)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	if m := db.Metrics(); m.QueriesActive != 0 {
		t.Errorf("%d queries active", m.QueriesActive)
	}
	noMoreGoroutines(t, before)
}

// TestArguments passes arguments that are no SQL values.
func TestArguments(t *testing.T) {
	db, err := netdb.OpenMemory(t.Context(), netdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	type name string
	for _, arg := range []any{"\xff", name("a\xc3"), json.RawMessage("{"), json.RawMessage("\"\xff\""), make(chan int), func() {}, time.Time{}} {
		if err := drain(db.Query(t.Context(), `SELECT $1 AS x`, arg)); err == nil || !strings.Contains(err.Error(), "argument 1") {
			t.Errorf("%#v: %v", arg, err)
		}
	}
}

// TestNoRow asks for values where there is no row.
func TestNoRow(t *testing.T) {
	db, err := netdb.OpenMemory(t.Context(), netdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(t.Context(), `SELECT 1 AS x`)
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		var x int
		if v, err := rows.Values(), rows.Scan(&x); v != nil || err == nil {
			t.Errorf("%s: %v, %v", when, v, err)
		}
	}
	check("before the first row")
	if !rows.Next() || len(rows.Values()) != 1 || rows.Next() {
		t.Error("not one row")
	}
	check("after the last row")
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	check("after Close")
}
