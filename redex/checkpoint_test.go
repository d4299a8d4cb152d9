package redex

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// whole is tree with the LOCK file, and the modes of directories.
func wholeTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := tree(t, dir)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		all[path+" "] = fmt.Sprint(info.Mode(), info.ModTime())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// busyStore is a store in which everything happens at once, and where each event says what it must be.
type busyStore struct {
	s    *Store
	stop atomic.Bool
	wg   sync.WaitGroup
}

// busyOptions make many small passes, segments and files.
func busyOptions() Options {
	return Options{
		SealBytes: 16 << 10, RunEvents: 8, SegmentBytes: 64 << 10, JournalBytes: 512 << 10, CacheBytes: 256 << 10, OpenFiles: 4,
		Sync: SyncPolicy{Mode: SyncNever},
	}
}

// busyPayload is that of the event of a sequence in a log.
func busyPayload(name string, seq Seq) []byte {
	return fmt.Appendf(nil, "%s %d %s", name, seq, strings.Repeat("y", int(seq)%200))
}

// startBusy begins to append to pairs of logs, each batch one event to both, to trim them, to make and delete logs, and to commit
// how far a view is.
func startBusy(t *testing.T, s *Store) *busyStore {
	t.Helper()
	ctx := context.Background()
	b := &busyStore{s: s}
	for pair := range 2 {
		left, right := mustLog(t, s, fmt.Sprintf("left/%d", pair)), mustLog(t, s, fmt.Sprintf("right/%d", pair))
		b.wg.Go(func() {
			for !b.stop.Load() {
				seq := left.Bounds().Next
				_, err := s.Append(ctx, []Batch{
					{Log: left, Entries: []Entry{{Payload: busyPayload(left.Name(), seq)}}},
					{Log: right, Entries: []Entry{{Payload: busyPayload(right.Name(), seq)}}},
				}, AppendOptions{})
				if err == nil && seq%97 == 96 {
					err = left.Trim(ctx, seq-50)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	b.wg.Go(func() {
		v := s.Views("test")
		for i := 0; !b.stop.Load(); i++ {
			name := fmt.Sprintf("short/%d", i)
			l, err := s.OpenLog(ctx, name, LogOptions{})
			if err == nil {
				_, err = l.Append(ctx, Entry{Payload: busyPayload(name, 0)}, AppendOptions{})
			}
			if err == nil && i >= 3 {
				err = s.Delete(ctx, fmt.Sprintf("short/%d", i-3))
			}
			var batch ViewBatch
			at := s.Cut().Ordinal
			batch.Set([]byte("at"), binary.LittleEndian.AppendUint64(nil, uint64(at)))
			if err == nil {
				err = v.Commit(ctx, &batch, at)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	return b
}

func (b *busyStore) end() {
	b.stop.Store(true)
	b.wg.Wait()
}

// verifyBusy checks that a store is what a busyStore was at a cut.
func verifyBusy(t *testing.T, s *Store, cut Cut) (events int) {
	t.Helper()
	ctx := t.Context()
	if got := s.Cut(); got.Ordinal != cut.Ordinal || got.Time < cut.Time {
		t.Errorf("the store is at %+v, not %+v", got, cut)
	}
	if rep, err := s.Check(ctx); err != nil || len(rep.Damage) > 0 {
		t.Errorf("check: %v, %v", rep.Damage, err)
	}
	next := map[string]Seq{}
	short := 0
	for info, err := range s.Logs("") {
		if err != nil {
			t.Fatal(err)
		}
		next[info.Name] = info.Bounds.Next
		if strings.HasPrefix(info.Name, "short/") {
			short++
		}
		l := mustLogOf(t, s, info.Name)
		for ev, err := range l.Scan(ctx, info.Bounds.Floor, info.Bounds.Next) {
			if err != nil {
				t.Fatal(err)
			}
			if string(ev.Payload) != string(busyPayload(info.Name, ev.Seq)) {
				t.Fatalf("%s %d: %q", info.Name, ev.Seq, ev.Payload)
			}
			if ev.Time > cut.Time {
				t.Fatalf("%s %d is of after the cut", info.Name, ev.Seq)
			}
			events++
		}
	}
	for pair := range 2 {
		if l, r := next[fmt.Sprintf("left/%d", pair)], next[fmt.Sprintf("right/%d", pair)]; l != r {
			t.Errorf("pair %d: %d and %d events: half of a batch", pair, l, r)
		}
	}
	if short > 4 {
		t.Errorf("%d short logs", short)
	}
	if b, err := s.Views("test").Get([]byte("at")); err != nil || len(b) == 8 && Ordinal(binary.LittleEndian.Uint64(b)) > cut.Ordinal {
		t.Errorf("the view is at %x, the store at %d: %v", b, cut.Ordinal, err)
	}
	return events
}

func mustLogOf(t *testing.T, s *Store, name string) *Log {
	t.Helper()
	l, err := s.Log(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestCheckpointBusy makes checkpoints of a store in which everything goes on. Each is the store at its cut.
func TestCheckpointBusy(t *testing.T) {
	ctx := t.Context()
	base := t.TempDir()
	s := mustOpen(t, base+"/store", busyOptions())
	b := startBusy(t, s)
	linked, events := 0, 0
	for i := range 6 {
		dir := fmt.Sprintf("%s/copy%d", base, i)
		for s.Cut().Ordinal < Ordinal(400*(i+1)) { // so that there is something new
			if err := s.Sync(ctx); err != nil {
				t.Fatal(err)
			}
		}
		before := s.Cut()
		info, err := s.Checkpoint(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		if info.Cut.Ordinal < before.Ordinal {
			t.Errorf("the cut %+v is before the call at %+v", info.Cut, before)
		}
		linked += info.Linked
		r := mustOpen(t, dir, Options{ReadOnly: true})
		if !r.Recovery().Clean || r.Recovery().MayHaveLost || r.Epoch() != s.Epoch() || r.ID() != s.ID() || r.Durable() != info.Cut.Ordinal {
			t.Errorf("%+v, epoch %d, durable %d", r.Recovery(), r.Epoch(), r.Durable())
		}
		events += verifyBusy(t, r, info.Cut)
		mustClose(t, r)
	}
	b.end()
	mustClose(t, s)
	if linked == 0 || events == 0 {
		t.Errorf("%d files linked, %d events read", linked, events)
	}
	names, err := filepath.Glob(base + "/*.checkpoint-*")
	if err != nil || len(names) > 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

// TestCheckpointKeepsFiles removes row files and segments while a checkpoint is being made. They stay until it is done, and go then.
func TestCheckpointKeepsFiles(t *testing.T) {
	ctx := t.Context()
	base := t.TempDir()
	s := mustOpen(t, base+"/store", busyOptions())
	defer mustClose(t, s)
	l := mustLog(t, s, "a")
	for i := range 100 {
		mustAppend(t, l, string(busyPayload("a", Seq(i))))
	}
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	st, err := newStaging(s.plainFS(), base+"/copy", "checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	h, err := s.holdCut(ctx, st.path(catalogDir))
	if err != nil {
		t.Fatal(err)
	}
	let := sync.OnceValue(h.close)
	defer func() { _ = let() }() // when the test fails: the store could not be closed
	rows, err := filepath.Glob(base + "/store/rows/*")
	if err != nil || len(rows) == 0 {
		t.Fatal(rows, err)
	}
	mustAppend(t, l, "newer")
	if err := l.Trim(ctx, 100); err != nil {
		t.Fatal(err)
	}
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	for _, name := range rows {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("it is gone while it is held: %v", err)
		}
	}
	if _, err := h.checkpointTo(ctx, st); err != nil {
		t.Fatal(err)
	}
	second, err := s.Checkpoint(ctx, base+"/second") // of what is there now
	if err != nil {
		t.Fatal(err)
	}
	if err := let(); err != nil {
		t.Fatal(err)
	}
	for _, name := range rows {
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	r := mustOpen(t, base+"/copy", Options{ReadOnly: true})
	if b := mustLogOf(t, r, "a").Bounds(); b != (Bounds{0, 100}) {
		t.Errorf("the copy has %+v", b)
	}
	mustClose(t, r)
	r = mustOpen(t, base+"/second", Options{ReadOnly: true})
	if b := mustLogOf(t, r, "a").Bounds(); b != (Bounds{100, 101}) {
		t.Errorf("the second copy has %+v", b)
	}
	mustClose(t, r)
	if names, err := os.ReadDir(base + "/second/rows"); err != nil || slices.ContainsFunc(names, func(e fs.DirEntry) bool { return filepath.Base(rows[0]) == e.Name() }) {
		t.Errorf("%+v holds what the store gave up: %v, %v", second, names, err)
	}
}

// TestCheckpointReadOnly opens a checkpoint as many readers do. Not a byte of it changes, nor a time, not even without the right to
// write; no write is taken, and a writer has to wait.
func TestCheckpointReadOnly(t *testing.T) {
	ctx := t.Context()
	base := t.TempDir()
	s := mustOpen(t, base+"/store", Options{RunEvents: 4})
	l := mustLog(t, s, "a")
	for i := range 20 {
		mustAppend(t, l, fmt.Sprint(i))
		if i == 9 {
			if err := s.Seal(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	dir := base + "/copy"
	info, err := s.Checkpoint(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, "after")
	chmod := func(d, f os.FileMode) {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if e.IsDir() {
				return os.Chmod(path, d)
			}
			return os.Chmod(path, f)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	chmod(0o555, 0o444)
	before := wholeTree(t, dir)
	a, b := mustOpen(t, dir, Options{ReadOnly: true}), mustOpen(t, dir, Options{ReadOnly: true})
	for _, r := range []*Store{a, b} {
		l := mustLogOf(t, r, "a")
		if l.Bounds().Next != 20 {
			t.Errorf("%+v", l.Bounds())
		}
		for ev, err := range l.Scan(ctx, 0, 20) {
			if err != nil || string(ev.Payload) != fmt.Sprint(ev.Seq) {
				t.Errorf("%d: %q, %v", ev.Seq, ev.Payload, err)
			}
		}
		_, appended := l.Append(ctx, Entry{}, AppendOptions{})
		_, created := r.Create(ctx, "b", LogOptions{})
		_, retained := r.Retain(ctx, "")
		var batch ViewBatch
		batch.Set([]byte("k"), nil)
		for what, err := range map[string]error{
			"append": appended, "create": created, "retain": retained, "delete": r.Delete(ctx, "a"), "rename": r.Rename(ctx, "a", "b"),
			"options": r.SetOptions(ctx, "a", LogOptions{}), "trim": l.Trim(ctx, 1), "seal": r.Seal(ctx), "view": r.Views("v").Commit(ctx, &batch, 0),
		} {
			if !errors.Is(err, ErrReadOnly) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if rep, err := r.Check(ctx); err != nil || len(rep.Damage) > 0 || rep.Events != 20 {
			t.Errorf("check: %+v, %v", rep, err)
		}
	}
	if _, err := Open(ctx, dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("a writer beside readers: %v", err)
	}
	again, err := a.Checkpoint(ctx, base+"/again") // of a store that is only read
	if err != nil || again.Cut != info.Cut {
		t.Errorf("%+v, %v", again, err)
	}
	mustClose(t, a)
	mustClose(t, b)
	sameTree(t, "reading only", before, wholeTree(t, dir))
	chmod(0o755, 0o644)

	// Opened to write, a copy is another store of the same past.
	pos := Position{Store: s.ID(), Log: l.ID(), Epoch: s.Epoch(), Ordinal: info.Cut.Ordinal + 1, Seq: 20}
	for _, dir := range []string{dir, base + "/again"} {
		w := mustOpen(t, dir, Options{})
		if w.ID() != s.ID() || w.Epoch() != s.Epoch()+1 {
			t.Errorf("epoch %d of store %s", w.Epoch(), w.ID())
		}
		if err := w.CheckPosition(pos); !errors.Is(err, ErrEpoch) {
			t.Errorf("the position of an event of the other store: %v", err)
		}
		mustAppend(t, mustLogOf(t, w, "a"), "20 of the copy")
		if err := w.CheckPosition(pos); !errors.Is(err, ErrEpoch) {
			t.Errorf("the position of an event of the other store: %v", err)
		}
		mustClose(t, w)
		w = mustOpen(t, dir, Options{})
		if w.Epoch() != s.Epoch()+1 {
			t.Errorf("epoch %d, opened once more", w.Epoch())
		}
		mustClose(t, w)
	}
	if ev, err := l.Read(ctx, 20); err != nil || string(ev.Payload) != "after" {
		t.Errorf("%q, %v", ev.Payload, err)
	}
	if rep, err := s.Check(ctx); err != nil || len(rep.Damage) > 0 {
		t.Errorf("check of the store: %v, %v", rep.Damage, err)
	}
	mustClose(t, s)
}

// TestCheckpointRefused calls it wrongly.
func TestCheckpointRefused(t *testing.T) {
	ctx := t.Context()
	base := t.TempDir()
	s := mustOpen(t, base+"/store", Options{})
	mustAppend(t, mustLog(t, s, "a"), "x")
	if err := os.MkdirAll(base+"/full/x", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(base+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for dir, want := range map[string]error{
		base + "/full": os.ErrExist, base + "/file": os.ErrExist, base + "/store": ErrOptions, base + "/store/copy": ErrOptions,
	} {
		if _, err := s.Checkpoint(ctx, dir); !errors.Is(err, want) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if _, err := s.Checkpoint(ended, base+"/new"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := os.Mkdir(base+"/empty", 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Checkpoint(ctx, base+"/empty"); err != nil {
		t.Errorf("to an empty directory: %v", err)
	}
	mustClose(t, s)
	if _, err := s.Checkpoint(ctx, base+"/new"); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	names, err := os.ReadDir(base)
	if err != nil || len(names) != 4 {
		t.Errorf("%v, %v", names, err)
	}
	m, err := OpenMemory(ctx, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Checkpoint(ctx, base+"/new"); !errors.Is(err, ErrOptions) {
		t.Errorf("in memory: %v", err)
	}
	mustClose(t, m)
}
