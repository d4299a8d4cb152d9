package redex

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// agedStore is a closed store that was opened a few times, so that its journal no longer begins at the first frame.
func agedStore(t *testing.T) (dir string, want map[string][]string) {
	t.Helper()
	dir, want = storeTree(t)
	o := Options{RunEvents: 20, SegmentBytes: 64 << 10}
	for i := range 4 {
		s := mustOpen(t, dir, o)
		p := fmt.Sprintf("reopened %d", i)
		mustAppend(t, mustLog(t, s, "run"), p)
		want["run"] = append(want["run"], p)
		if i < 3 { // the last event stays in the journal
			if err := s.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		mustClose(t, s)
	}
	return dir, want
}

// files returns the files of a store, without those that nothing depends on.
func storeFiles(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Base(path) != lockName && filepath.Base(path) != "ballast" {
			files = append(files, strings.TrimPrefix(path, dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestWholeFile takes away, empties, halves, zeroes and swaps one file of a store at a time. What is read is then right, or an
// error that names the place.
func TestWholeFile(t *testing.T) {
	dir, want := agedStore(t)
	files := storeFiles(t, dir)
	for i, file := range files {
		info, err := os.Stat(dir + file)
		if err != nil {
			t.Fatal(err)
		}
		harm := map[string]func(path string) error{
			"remove": os.Remove,
			"empty":  func(path string) error { return os.Truncate(path, 0) },
			"half":   func(path string) error { return os.Truncate(path, info.Size()/2) },
			"zero":   func(path string) error { return os.WriteFile(path, make([]byte, info.Size()), 0o600) },
		}
		if i > 0 && filepath.Dir(files[i-1]) == filepath.Dir(file) {
			harm["swap"] = func(path string) error {
				other := filepath.Dir(path) + "/" + filepath.Base(files[i-1])
				return errors.Join(os.Rename(path, path+".x"), os.Rename(other, path), os.Rename(path+".x", other))
			}
		}
		for how, do := range harm {
			t.Run(how+strings.ReplaceAll(file, "/", "_"), func(t *testing.T) {
				bad := t.TempDir() + "/store"
				copyTree(t, dir, bad)
				if err := do(bad + file); err != nil {
					t.Fatal(err)
				}
				readDamaged(t, t.Context(), bad, want)
			})
		}
	}
}

// TestEmptyDirectory takes away everything in one directory of a store. A store without a catalog is not taken for a new one,
// which would remove all row files as unknown; one without a journal begins a new epoch.
func TestEmptyDirectory(t *testing.T) {
	dir, want := agedStore(t)
	for _, part := range []string{journalDir, catalogDir, rowsDir} {
		t.Run(part, func(t *testing.T) {
			bad := t.TempDir() + "/store"
			copyTree(t, dir, bad)
			if err := errors.Join(os.RemoveAll(bad+"/"+part), os.Mkdir(bad+"/"+part, 0o755)); err != nil {
				t.Fatal(err)
			}
			rows, err := os.ReadDir(bad + "/" + rowsDir)
			if err != nil {
				t.Fatal(err)
			}
			if !readDamaged(t, context.Background(), bad, want) && part != journalDir {
				t.Error("nothing was noticed")
			}
			left, err := os.ReadDir(bad + "/" + rowsDir)
			if err != nil || len(left) < len(rows) {
				t.Errorf("%d row files, %d are left: %v", len(rows), len(left), err)
			}
			s, err := Open(t.Context(), bad, Options{})
			if part == catalogDir {
				if !errors.Is(err, ErrCorrupt) {
					t.Fatalf("open without a catalog: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if part == journalDir && s.Epoch() < 2 {
				t.Errorf("epoch %d after the journal was lost", s.Epoch())
			}
			mustClose(t, s)
		})
	}
}

// TestOldCatalog puts an older catalog back. The journal no longer holds what follows it: that is damage, and the row files
// that the catalog does not know stay for repair.
func TestOldCatalog(t *testing.T) {
	dir, _ := agedStore(t)
	old := t.TempDir() + "/catalog"
	copyTree(t, dir+"/"+catalogDir, old)
	o := Options{RunEvents: 20, SegmentBytes: 64 << 10}
	for range 4 {
		s := mustOpen(t, dir, o)
		mustAppend(t, mustLog(t, s, "run"), make([]string, 30)...)
		if err := s.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustClose(t, s)
	}
	mustClose(t, mustOpen(t, dir, o))
	if err := os.RemoveAll(dir + "/" + catalogDir); err != nil {
		t.Fatal(err)
	}
	copyTree(t, old, dir+"/"+catalogDir)
	rows, err := os.ReadDir(dir + "/" + rowsDir)
	if err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir, o)
	defer mustClose(t, s)
	if len(s.Recovery().Damage) == 0 || s.Epoch() < 2 {
		t.Errorf("epoch %d, recovery %+v", s.Epoch(), s.Recovery())
	}
	if left, err := os.ReadDir(dir + "/" + rowsDir); err != nil || len(left) != len(rows) {
		t.Errorf("%d row files, %d are left: %v", len(rows), len(left), err)
	}
}

// TestDamagedRows damages a block of the catalog's largest table, which holds rows of a few logs. They and all others go on to
// be written and sealed, far beyond the journal's limit; what was in the block is an error that names the place.
func TestDamagedRows(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir() + "/store"
	o := Options{RunEvents: 50, SegmentBytes: 64 << 10, SealBytes: 64 << 10, JournalBytes: 256 << 10, Sync: SyncPolicy{Mode: SyncNever}}
	payload := func(log, seq int) string { return fmt.Sprintf("%d %d %0200d", log, seq, log*seq) }
	const logs, before, after = 100, 20, 80
	s := mustOpen(t, dir, o)
	for i := range logs {
		for k := range before {
			mustAppend(t, mustLog(t, s, fmt.Sprintf("log%03d", i)), payload(i, k))
		}
	}
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	tables, err := filepath.Glob(dir + "/" + catalogDir + "/*.sst")
	if err != nil {
		t.Fatal(err)
	}
	largest, size := "", int64(0)
	for _, name := range tables {
		if info, err := os.Stat(name); err != nil {
			t.Fatal(err)
		} else if info.Size() > size {
			largest, size = name, info.Size()
		}
	}
	f, err := os.OpenFile(largest, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("damage"), size/2); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	s = mustOpen(t, dir, o)
	for k := before; k < after; k++ {
		for i := range logs {
			mustAppend(t, mustLog(t, s, fmt.Sprintf("log%03d", i)), payload(i, k))
		}
		if err := s.Seal(ctx); err != nil {
			t.Fatal(err)
		}
	}
	verify := func() {
		t.Helper()
		lost, harmed := 0, 0
		for i := range logs {
			l := mustLog(t, s, fmt.Sprintf("log%03d", i))
			was := lost
			for k := range after {
				ev, err := l.Read(ctx, Seq(k))
				switch {
				case err == nil && string(ev.Payload) == payload(i, k):
				case named(err) && k < before:
					lost++
				default:
					t.Fatalf("log %d sequence %d: %q, %v", i, k, ev.Payload, err)
				}
			}
			if lost > was {
				harmed++
			}
		}
		if lost == 0 || harmed > 5 {
			t.Errorf("%d events of %d logs are lost", lost, harmed)
		}
		if rep, err := s.Check(ctx); err != nil || len(rep.Damage) == 0 {
			t.Errorf("check: %+v, %v", rep, err)
		}
	}
	verify()
	mustClose(t, s)
	s = mustOpen(t, dir, o)
	verify()
	for i := range logs { // a log with damage can be trimmed, and deleted
		name := fmt.Sprintf("log%03d", i)
		if err := mustLog(t, s, name).Trim(ctx, before); err != nil {
			t.Fatal(err)
		}
		if err := s.Seal(ctx); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
}

// TestDamagedWindow damages the idempotency numbers of one origin. The store opens and seals, other origins go on, and none of
// its numbers is appended twice.
func TestDamagedWindow(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir() + "/store"
	put := func(l *Log, o Origin, number uint64) (Appended, error) {
		return l.Append(ctx, Entry{Origin: o, Idempotency: number}, AppendOptions{})
	}
	s := mustOpen(t, dir, Options{})
	l := mustLog(t, s, "a")
	for n := uint64(1); n < 4; n++ {
		if err := errors.Join(second(put(l, 1, n)), second(put(l, 2, n))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	fourth, err := put(l, 1, 4)
	if err != nil {
		t.Fatal(err)
	}
	b := s.kv.NewBatch()
	if err := errors.Join(b.Set(windowKey(l.id, 1, 0), []byte{255}), s.kv.Apply(ctx, b), b.Close()); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	for range 2 {
		s = mustOpen(t, dir, Options{})
		l = mustLog(t, s, "a")
		next := l.Bounds().Next
		for n := uint64(1); n < 6; n++ {
			a, err := put(l, 1, n)
			if n == 4 && (err != nil || a.Seq != fourth.Seq) || n != 4 && !errors.Is(err, ErrTooOld) {
				t.Errorf("number %d: %+v, %v", n, a, err)
			}
		}
		if a, err := put(l, 2, 3); err != nil || a.Duplicates != 1 || l.Bounds().Next != next {
			t.Errorf("another origin: %+v, %v", a, err)
		}
		if err := s.Seal(ctx); err != nil {
			t.Fatal(err)
		}
		mustClose(t, s)
	}
}

func second[T any](_ T, err error) error { return err }
