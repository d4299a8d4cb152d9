package netdb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// snapshotSource makes a database with plain logs, an empty one, a deleted one, a fold and a model, half of it sealed.
func snapshotSource(t *testing.T) *netdb.DB {
	t.Helper()
	ctx := t.Context()
	db, err := netdb.Open(ctx, filepath.Join(t.TempDir(), "source"), netdb.Options{Store: redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := netdb.OpenFold(ctx, db, killFold()); err != nil {
		t.Fatal(err)
	}
	gone, err := db.CreateLog(ctx, "gone", redex.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gone.Append(ctx, redex.Entry{Payload: []byte("x")}, redex.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteLog(ctx, "gone"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.CreateLog(ctx, "empty", redex.LogOptions{
		CheckJSON: true, Retention: redex.Retention{Events: 9, Age: time.Hour}, Quota: redex.Quota{Bytes: 1 << 30},
	}); err != nil {
		t.Fatal(err)
	}
	m, err := db.Tasks(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 600 {
		name := killLogs[i%len(killLogs)]
		log, err := db.Log(name)
		if err != nil {
			t.Fatal(err)
		}
		e := netdb.MustJSON(killEvent{Key: fmt.Sprint("k", i%5), N: int64(i)})
		e.Origin, e.Idempotency, e.Key = 7, uint64(i+1), []byte{byte(i)}
		e.Headers = []redex.Header{{Name: "i", Value: []byte{byte(i)}}}
		if _, err := log.Append(ctx, e, redex.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
		if i == 300 {
			seal(t, db)
		}
		if _, err := m.Create(ctx, uint64(i%50), fmt.Sprint("task ", i), int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// dump returns every event and fold row of a database as text.
func dump(t *testing.T, db *netdb.DB) map[string][]string {
	t.Helper()
	ctx := t.Context()
	out := map[string][]string{}
	for info, err := range db.Logs("") {
		if err != nil {
			t.Fatal(err)
		}
		log, err := db.Log(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		out[info.Name] = []string{fmt.Sprint(info.ID, info.Options, info.Created, log.Bounds())}
		for ev, err := range log.Scan(ctx, log.Bounds().Floor, log.Bounds().Next) {
			if err != nil {
				t.Fatal(err)
			}
			ev.Ordinal = 0
			out[info.Name] = append(out[info.Name], fmt.Sprintf("%+v", ev))
		}
	}
	for _, sql := range []string{`SELECT * FROM totals ORDER BY key`, `SELECT * FROM tasks ORDER BY id`} {
		rows, err := db.Query(ctx, sql)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			out[sql] = append(out[sql], fmt.Sprint(rows.Values()))
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func openFolds(t *testing.T, db *netdb.DB) *fold.Handle[killTotals] {
	t.Helper()
	h, err := netdb.OpenFold(t.Context(), db, killFold())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Tasks(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestSnapshotAndRestore(t *testing.T) {
	ctx := t.Context()
	db := snapshotSource(t)
	var file bytes.Buffer
	info, err := db.Snapshot(ctx, &file, netdb.SnapshotOptions{Logs: []string{"**"}})
	if err != nil {
		t.Fatal(err)
	}
	if info.Logs != 6 || info.Folds != 2 || info.Events != 1200 {
		t.Errorf("%+v", info)
	}
	openFolds := func(db *netdb.DB) *fold.Handle[killTotals] { return openFolds(t, db) }
	want := func() map[string][]string {
		for _, f := range db.Folds() {
			if err := f.CatchUp(ctx); err != nil {
				t.Fatal(err)
			}
		}
		return dump(t, db)
	}()
	log, _ := db.Log("left")
	before := log.Bounds()
	later, err := log.Append(ctx, netdb.MustJSON(killEvent{Key: "late", N: 1}), redex.AppendOptions{})
	if err != nil {
		t.Fatal(err)
	}

	dir := filepath.Join(t.TempDir(), "deep", "restored")
	again, err := netdb.Restore(ctx, dir, bytes.NewReader(file.Bytes()), netdb.RestoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	h := openFolds(again)
	if s := h.Stats(); !s.Resumed || s.Events != 0 {
		t.Errorf("the fold did not go on from the snapshot: resumed %t, %d events folded, %v", s.Resumed, s.Events, s.Rebuilt)
	}
	if diff := cmp.Diff(want, dump(t, again)); diff != "" {
		t.Error("restored:", diff)
	}
	if id, epoch := again.Store().ID(), again.Store().Epoch(); id != db.Store().ID() || epoch != db.Store().Epoch()+1 {
		t.Errorf("store %s epoch %d, of %s epoch %d", id, epoch, db.Store().ID(), db.Store().Epoch())
	}
	// What came after the cut is of an epoch that ended there: its token gets no other event's answer.
	restored, err := again.Log("left")
	if err != nil {
		t.Fatal(err)
	}
	if restored.Bounds() != before {
		t.Errorf("bounds %v, were %v", restored.Bounds(), before)
	}
	if _, err := restored.Append(ctx, netdb.MustJSON(killEvent{Key: "other", N: 1}), redex.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := again.Wait(ctx, fold.TokenOf(later.Position)); !errors.Is(err, redex.ErrEpoch) {
		t.Errorf("token from beyond the cut: %v", err)
	}
	// A retry of an append from before the snapshot is still known.
	retry := netdb.MustJSON(killEvent{})
	retry.Origin, retry.Idempotency = 7, 597
	done, err := restored.Append(ctx, retry, redex.AppendOptions{})
	if err != nil || done.Duplicates != 1 {
		t.Errorf("retry: %+v %v", done, err)
	}
	report, err := again.Check(ctx)
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("check: %v %v", report.Problems, err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := netdb.Restore(ctx, dir, bytes.NewReader(file.Bytes()), netdb.RestoreOptions{}); !errors.Is(err, netdb.ErrDirExists) {
		t.Errorf("restore over a database: %v", err)
	}
}

// TestSnapshotOfStateOnly restores folds without the events they were made of: the logs go on where they were.
func TestSnapshotOfStateOnly(t *testing.T) {
	ctx := t.Context()
	db := snapshotSource(t)
	var file bytes.Buffer
	if _, err := db.Snapshot(ctx, &file, netdb.SnapshotOptions{Logs: []string{"many/*"}}); err != nil {
		t.Fatal(err)
	}
	want := dump(t, db)
	again, err := netdb.Restore(ctx, filepath.Join(t.TempDir(), "r"), &file, netdb.RestoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	h := openFolds(t, again)
	got := dump(t, again)
	for _, k := range []string{"many/a", "many/b", "SELECT * FROM totals ORDER BY key", "SELECT * FROM tasks ORDER BY id"} {
		if diff := cmp.Diff(want[k], got[k]); diff != "" {
			t.Error(k, diff)
		}
	}
	left, err := again.Log("left")
	if err != nil {
		t.Fatal(err)
	}
	if b := left.Bounds(); b.Len() != 0 || b.Next != 150 {
		t.Errorf("bounds of a log that is not held: %v", b)
	}
	if _, err := left.Read(ctx, 3); !errors.Is(err, redex.ErrRangeLost) {
		t.Errorf("read below the cut: %v", err)
	}
	done, err := left.Append(ctx, netdb.MustJSON(killEvent{Key: "k0", N: 1_000_000}), redex.AppendOptions{})
	if err != nil || done.Seq != 150 {
		t.Fatalf("%+v %v", done, err)
	}
	if err := again.Wait(ctx, fold.TokenOf(done.Position)); err != nil {
		t.Fatal(err)
	}
	if total, _ := h.Snapshot().State.Totals.Get("k0"); total.Sum <= 1_000_000 {
		t.Errorf("the fold does not go on from its state: %+v", total)
	}
}

// TestSnapshotWhileWriting takes snapshots during appends to two logs at once: each is one cut.
func TestSnapshotWhileWriting(t *testing.T) {
	ctx := t.Context()
	db := snapshotSource(t)
	left, _ := db.Log("left")
	right, _ := db.Log("right")
	offset := int64(left.Bounds().Next) - int64(right.Bounds().Next)
	for range 5 {
		done := make(chan error)
		go func() {
			for range 1000 {
				e := []redex.Entry{netdb.MustJSON(killEvent{Key: "pair", N: 1})}
				if _, err := db.Store().Append(ctx, []redex.Batch{{Log: left, Entries: e}, {Log: right, Entries: e}}, redex.AppendOptions{}); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		var file bytes.Buffer
		if _, err := db.Snapshot(ctx, &file, netdb.SnapshotOptions{Logs: []string{"**"}}); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		again, err := netdb.Restore(ctx, filepath.Join(t.TempDir(), "r"), &file, netdb.RestoreOptions{})
		if err != nil {
			t.Fatal(err)
		}
		l, _ := again.Log("left")
		r, _ := again.Log("right")
		if d := int64(l.Bounds().Next) - int64(r.Bounds().Next); d != offset {
			t.Errorf("the cut parts a batch: left is %d ahead, not %d", d, offset)
		}
		h := openFolds(t, again)
		pair, _ := h.Snapshot().State.Totals.Get("pair")
		if n := int64(r.Bounds().Next) - 150; pair.Events != 2*n {
			t.Errorf("the fold has %d events of pairs, the logs %d", pair.Events, 2*n)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestRestoreOfBadFiles damages a snapshot at sampled bytes and ends: a restore either refuses it, leaving nothing, or is whole:
// about one bit in 10,000 means nothing to zstd, and the file unpacks to the same.
func TestRestoreOfBadFiles(t *testing.T) {
	ctx := t.Context()
	db := snapshotSource(t)
	var file bytes.Buffer
	if _, err := db.Snapshot(ctx, &file, netdb.SnapshotOptions{Logs: []string{"**"}}); err != nil {
		t.Fatal(err)
	}
	whole := file.Bytes()
	parent := t.TempDir()
	try := func(name string, b io.Reader) error {
		dir := filepath.Join(parent, name)
		again, err := netdb.Restore(ctx, dir, b, netdb.RestoreOptions{Options: netdb.Options{Store: redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}}}})
		if err == nil {
			return again.Close()
		}
		return err
	}
	for i := range 24 {
		at := len(whole) * i / 24
		bad := bytes.Clone(whole)
		bad[at] ^= 0x10
		for _, b := range [][]byte{bad, whole[:at]} {
			err := try("bad", bytes.NewReader(b))
			if err == nil && bytes.Equal(unpack(t, b), unpack(t, whole)) {
				if err := os.RemoveAll(filepath.Join(parent, "bad")); err != nil {
					t.Fatal(err)
				}
				continue
			}
			place, ok := errors.AsType[*netdb.SnapshotError](err)
			if !ok || !errors.Is(err, netdb.ErrSnapshot) || place.Section == "" || place.Offset < 0 {
				t.Errorf("byte %d changed, or %d bytes: %v", at, len(b), err)
				continue
			}
			if text := err.Error(); strings.Count(text, "netdb: ") != 1 || strings.Count(text, "snapfile: ") != 0 || strings.Count(text, "fold: ") > 1 {
				t.Errorf("%d: %s", at, text)
			}
		}
	}
	if err := try("text", bytes.NewReader([]byte("{\"not\": \"a snapshot, but long enough\"}"))); !errors.Is(err, netdb.ErrSnapshot) {
		t.Error(err)
	}
	broken := errors.New("the network went away")
	if err := try("reader", io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), failing{broken})); !errors.Is(err, broken) {
		t.Error(err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if err := try("good", bytes.NewReader(whole)); err != nil {
		t.Error(err)
	}
}

func unpack(t *testing.T, snapshot []byte) []byte {
	d, err := zstd.NewReader(bytes.NewReader(snapshot))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	b, err := io.ReadAll(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestSnapshotErrors(t *testing.T) {
	ctx := t.Context()
	db := snapshotSource(t)
	for _, p := range []string{"nosuch/*", "[", ""} {
		if _, err := db.Snapshot(ctx, io.Discard, netdb.SnapshotOptions{Logs: []string{p}}); !errors.Is(err, netdb.ErrPattern) {
			t.Errorf("pattern %q: %v", p, err)
		}
	}
	broken := errors.New("no room")
	if _, err := db.Snapshot(ctx, failingWriter{broken}, netdb.SnapshotOptions{}); !errors.Is(err, broken) {
		t.Error(err)
	}
	// Where there is room for a part only, more writes fail after the first; the error is told once.
	log, err := db.OpenLog(ctx, "large", redex.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	large := make([]byte, 10<<20)
	rand.NewChaCha8([32]byte{}).Read(large)
	if _, err := log.Append(ctx, redex.Entry{Payload: large}, redex.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err = db.Snapshot(ctx, &limitedWriter{1 << 10, broken}, netdb.SnapshotOptions{Logs: []string{"**"}})
	if !errors.Is(err, broken) || strings.Count(err.Error(), broken.Error()) != 1 {
		t.Errorf("%v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Snapshot(ctx, io.Discard, netdb.SnapshotOptions{}); !errors.Is(err, netdb.ErrClosed) {
		t.Error(err)
	}
}

// TestSnapshotGivenUp cancels a snapshot while it is written: what was written is no snapshot.
func TestSnapshotGivenUp(t *testing.T) {
	db := snapshotSource(t)
	ctx, cancel := context.WithCancel(t.Context())
	var file bytes.Buffer
	if _, err := db.Snapshot(ctx, writerFunc(func(p []byte) (int, error) {
		cancel()
		return file.Write(p)
	}), netdb.SnapshotOptions{Logs: []string{"**"}}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	again, err := netdb.Restore(t.Context(), filepath.Join(t.TempDir(), "r"), &file, netdb.RestoreOptions{})
	if err == nil {
		again.Close()
	}
	if !errors.Is(err, netdb.ErrSnapshot) || !strings.Contains(err.Error(), "ends early") {
		t.Errorf("restore: %v", err)
	}
}

type limitedWriter struct {
	room int
	err  error
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	if l.room -= len(p); l.room < 0 {
		return 0, l.err
	}
	return len(p), nil
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }
