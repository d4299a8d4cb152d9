package netdb_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// compactedDB has a log of 3,000 events of which compaction leaves those of 50 keys, some of them redacted.
func compactedDB(t *testing.T) (db *netdb.DB, left []int64) {
	t.Helper()
	ctx := t.Context()
	db, err := netdb.Open(ctx, filepath.Join(t.TempDir(), "source"), netdb.Options{Store: redex.Options{
		Sync: redex.SyncPolicy{Mode: redex.SyncNever}, RunEvents: 64, MaintainRate: -1,
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	log, err := db.CreateLog(ctx, "settings", redex.LogOptions{Compaction: redex.Compaction{ByKey: true}})
	if err != nil {
		t.Fatal(err)
	}
	newest := map[int]int64{}
	for i := range 3000 {
		key := i % 40
		if i%300 == 7 {
			key = 1000 + i // once
		}
		newest[key] = int64(i)
		e := netdb.MustJSON(killEvent{Key: fmt.Sprint(key), N: int64(i)})
		e.Key = fmt.Append(nil, key)
		if _, err := log.Append(ctx, e, redex.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
		if i%500 == 499 {
			seal(t, db)
		}
	}
	if _, err := log.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	for _, n := range newest {
		left = append(left, n)
	}
	slices.Sort(left)
	return db, left
}

// TestQueriesOfCompacted asks a log with gaps in every direction, with one thread and several, in batches of any size.
func TestQueriesOfCompacted(t *testing.T) {
	db, left := compactedDB(t)
	where := func(f func(int64) bool) (out []int64) {
		for _, n := range left {
			if f(n) {
				out = append(out, n)
			}
		}
		return out
	}
	reversed := slices.Clone(left)
	slices.Reverse(reversed)
	for _, limits := range []netdb.Limits{{Threads: 1, BatchRows: 1}, {Threads: 1, BatchRows: 7}, {Threads: 1}, {Threads: 2, BatchRows: 16}, {Threads: 2}} {
		for sql, want := range map[string][]int64{
			`SELECT n FROM settings`:                                         left,
			`SELECT count(*) FROM settings`:                                  {int64(len(left))},
			`SELECT count(n) FROM settings`:                                  {int64(len(left))},
			`SELECT _seq FROM settings ORDER BY _seq DESC`:                   reversed,
			`SELECT _seq FROM settings ORDER BY _seq DESC LIMIT 3`:           reversed[:3],
			`SELECT n FROM settings LIMIT 4`:                                 left[:4],
			`SELECT n FROM settings LIMIT 4 OFFSET 3`:                        left[3:7],
			`SELECT n FROM settings WHERE _seq < 2000`:                       where(func(n int64) bool { return n < 2000 }),
			`SELECT count(*) FROM settings WHERE _seq >= 100 AND _seq < 310`: {int64(len(where(func(n int64) bool { return n >= 100 && n < 310 })))},
			`SELECT n FROM settings WHERE n = 307`:                           {307},
		} {
			rows, err := db.Do(t.Context(), netdb.Statement{SQL: sql, Limits: limits})
			if err != nil {
				t.Fatal(sql, err)
			}
			var got []int64
			for rows.Next() {
				var n int64
				if err := rows.Scan(&n); err != nil {
					t.Fatal(sql, err)
				}
				got = append(got, n)
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				t.Fatal(sql, err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%+v %s:\n%v\nwant\n%v", limits, sql, got, want)
			}
		}
	}
}

// TestQueryHoldsCompaction: a query finds of each key what was the newest at its moment, though compaction runs meanwhile.
func TestQueryHoldsCompaction(t *testing.T) {
	db, left := compactedDB(t)
	ctx := t.Context()
	rows, err := db.Do(ctx, netdb.Statement{SQL: `SELECT n FROM settings`, Limits: netdb.Limits{BatchRows: 1, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	log, err := db.Log("settings")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		e := netdb.MustJSON(killEvent{N: int64(10000 + i)})
		e.Key = fmt.Append(nil, i)
		if _, err := log.Append(ctx, e, redex.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := log.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	var got []int64
	for rows.Next() {
		got = append(got, rows.Value(0).Int())
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, left) {
		t.Errorf("%v\nwant\n%v", got, left)
	}
	if n, err := log.Compact(ctx); err != nil || n != 40 {
		t.Errorf("%d events went after the query: %v", n, err)
	}
}

// TestSnapshotOfCompacted: gaps and redactions survive a snapshot and its restore, and so does the compaction; folds pass the gaps.
func TestSnapshotOfCompacted(t *testing.T) {
	db, left := compactedDB(t)
	ctx := t.Context()
	log, err := db.Log("settings")
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Redact(ctx, redex.Seq(left[0]), redex.Seq(left[5])); err != nil {
		t.Fatal(err)
	}
	read := func(db *netdb.DB) (out []redex.Event) {
		t.Helper()
		log, err := db.Log("settings")
		if err != nil {
			t.Fatal(err)
		}
		for ev, err := range log.Scan(ctx, 0, 1<<40) {
			if err != nil {
				t.Fatal(err)
			}
			ev = ev.Clone()
			ev.Ordinal = 0
			out = append(out, ev)
		}
		return out
	}
	want := read(db)
	var file bytes.Buffer
	if _, err := db.Snapshot(ctx, &file, netdb.SnapshotOptions{Logs: []string{"*"}}); err != nil {
		t.Fatal(err)
	}
	again, err := netdb.Restore(ctx, filepath.Join(t.TempDir(), "restored"), &file, netdb.RestoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	got := read(again)
	if len(got) != len(left) {
		t.Fatalf("%d events, want %d", len(got), len(left))
	}
	for i := range got {
		if got[i].Seq != redex.Seq(left[i]) || got[i].Redacted != (i == 0 || i == 5) || !bytes.Equal(got[i].Payload, want[i].Payload) || got[i].Time != want[i].Time {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
	log, err = again.Log("settings")
	if err != nil {
		t.Fatal(err)
	}
	if i := log.Info(); !i.Compacted || i.Events != int64(len(left)) || !i.Options.Compaction.ByKey {
		t.Errorf("%+v", i)
	}
	if _, err := log.Read(ctx, 1); !errors.Is(err, redex.ErrCompacted) {
		t.Error(err)
	}
	if rep, err := again.Check(ctx); err != nil || len(rep.Problems) > 0 {
		t.Errorf("%+v %v", rep, err)
	}
	h, err := netdb.OpenFold(ctx, again, fold.Definition[int]{
		Name: "count", Logs: []string{"settings"},
		Fold: fold.Func[int](func(n *int, _ redex.Event) error { *n++; return nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
	h.View(func(n *int) {
		if *n != len(left) {
			t.Errorf("folded %d events, want %d", *n, len(left))
		}
	})
}
