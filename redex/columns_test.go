package redex

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// keepColumns keeps a column file of a chunk.
func keepColumns(t *testing.T, s *Store, l *Log, chunk uint64, content string) bool {
	t.Helper()
	kept, err := s.Columns().Keep(t.Context(), l, chunk, s.Columns().Edits(l), []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// columnsOf returns the content of the column file of a chunk, "" when there is none.
func columnsOf(t *testing.T, s *Store, l *Log, chunk uint64) string {
	t.Helper()
	f, err := s.Columns().Open(l, chunk)
	if err != nil {
		t.Fatal(err)
	}
	if f == nil {
		return ""
	}
	b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// keyedLog makes a log of two chunks of events, with keys of which many repeat.
func keyedLog(t *testing.T, s *Store, name string, o LogOptions) *Log {
	t.Helper()
	l, err := s.OpenLog(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < 2*ChunkEvents; {
		var entries []Entry
		for range 4096 {
			entries = append(entries, Entry{Key: fmt.Appendf(nil, "k%d", at%1000), Payload: []byte("p")})
			at++
		}
		if _, err := s.Append(t.Context(), []Batch{{Log: l, Entries: entries}}, AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// TestColumnFiles keeps, opens, drops and finds column files again, and has those go whose events are changed or taken away.
func TestColumnFiles(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	o := Options{Sync: SyncPolicy{Mode: SyncNever}}
	s := mustOpen(t, dir, o)
	l := keyedLog(t, s, "a", LogOptions{})
	if got := s.Columns().SealedTo(l); got != 2*ChunkEvents {
		t.Errorf("sealed to %d", got)
	}
	if !keepColumns(t, s, l, 0, "zero") || !keepColumns(t, s, l, 1, "one") {
		t.Fatal("not kept")
	}
	if n, err := s.Columns().StoredBytes(l); n != 7 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	mustClose(t, s)
	if err := os.WriteFile(filepath.Join(dir, columnsDir, columnFileName(l.ID(), 5)+".7"+columnSuffix+".new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir, o)
	l = mustLog(t, s, "a")
	if a, b, c := columnsOf(t, s, l, 0), columnsOf(t, s, l, 1), columnsOf(t, s, l, 2); a != "zero" || b != "one" || c != "" {
		t.Fatalf("%q %q %q", a, b, c)
	}
	if left, err := os.ReadDir(filepath.Join(dir, columnsDir)); len(left) != 2 || err != nil {
		t.Errorf("%v %v", left, err)
	}

	// Redaction, of an event of chunk 1: while it is being erased nothing is kept.
	before := s.Columns().Edits(l)
	if err := l.Redact(ctx, ChunkEvents+3); err != nil {
		t.Fatal(err)
	}
	if a, b := columnsOf(t, s, l, 0), columnsOf(t, s, l, 1); a != "zero" || b != "" {
		t.Errorf("after redaction: %q %q", a, b)
	}
	if kept, err := s.Columns().Keep(ctx, l, 0, before, []byte("late")); kept || err != nil {
		t.Errorf("what was read before the redaction was kept: %v", err)
	}
	if keepColumns(t, s, l, 1, "masked") {
		t.Error("a chunk with a masked event was kept")
	}
	if err := s.Maintain(ctx); err != nil {
		t.Fatal(err)
	}
	if !keepColumns(t, s, l, 1, "again") || columnsOf(t, s, l, 1) != "again" {
		t.Error("not kept after the redaction was done")
	}

	// Retention and deletion.
	if err := l.Trim(ctx, ChunkEvents); err != nil {
		t.Fatal(err)
	}
	if err := s.Maintain(ctx); err != nil {
		t.Fatal(err)
	}
	if a, b := columnsOf(t, s, l, 0), columnsOf(t, s, l, 1); a != "" || b != "again" {
		t.Errorf("after retention: %q %q", a, b)
	}
	if err := s.Columns().Drop(l, 1); err != nil || columnsOf(t, s, l, 1) != "" {
		t.Errorf("after Drop: %v", err)
	}
	keepColumns(t, s, l, 1, "gone")
	if err := s.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if keepColumns(t, s, l, 1, "of the dead") {
		t.Error("kept of a deleted log")
	}
	if err := s.Maintain(ctx); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, columnsDir)); len(left) != 0 || err != nil {
		t.Errorf("%v %v", left, err)
	}
	mustClose(t, s)
}

// TestColumnFilesCompaction compacts a log by key: column files of what it changes go.
func TestColumnFilesCompaction(t *testing.T) {
	s := mustOpen(t, t.TempDir(), Options{Sync: SyncPolicy{Mode: SyncNever}})
	defer mustClose(t, s)
	l := keyedLog(t, s, "a", LogOptions{Compaction: Compaction{ByKey: true}})
	keepColumns(t, s, l, 0, "zero")
	before := s.Columns().Edits(l)
	n, err := l.Compact(t.Context())
	if err != nil || n == 0 {
		t.Fatalf("%d compacted, %v", n, err)
	}
	if got := columnsOf(t, s, l, 0); got != "" {
		t.Errorf("%q is there after compaction", got)
	}
	if s.Columns().Edits(l) == before {
		t.Error("a compaction is no edit")
	}
}

// TestColumnFilesAfterRepair repairs a store: no column file is left.
func TestColumnFilesAfterRepair(t *testing.T) {
	dir := t.TempDir()
	o := Options{Sync: SyncPolicy{Mode: SyncNever}}
	s := mustOpen(t, dir, o)
	l := mustLog(t, s, "a")
	mustAppend(t, l, "x")
	keepColumns(t, s, l, 0, "zero")
	mustClose(t, s)
	if _, err := Repair(context.Background(), dir, RepairOptions{Store: o}); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir, o)
	defer mustClose(t, s)
	if got := columnsOf(t, s, mustLog(t, s, "a"), 0); got != "" {
		t.Errorf("%q", got)
	}
}

// TestColumnFileNames reads names back, and no others.
func TestColumnFileNames(t *testing.T) {
	if id, n, ok := parseColumnFileName(columnFileName(12, 3456)); id != 12 || n != 3456 || !ok {
		t.Errorf("%d %d %v", id, n, ok)
	}
	for _, name := range []string{"", ".cols", "1-00000002", "01-00000002.cols", "1-2.cols", "1-00000002.cols.new", "x-00000001.cols", "-00000001.cols"} {
		if _, _, ok := parseColumnFileName(name); ok {
			t.Errorf("%q is taken for a column file", name)
		}
	}
	if bytes.Contains([]byte(columnFileName(1, 2)), []byte("/")) {
		t.Error("a name with a slash")
	}
}
