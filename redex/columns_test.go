package redex

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// keepColumns keeps a column file of a chunk.
func keepColumns(t *testing.T, s *Store, l *Log, chunk uint64, content string) bool {
	t.Helper()
	kept, err := s.Columns().Keep(t.Context(), l, chunk, Seq(chunk+1)*ChunkEvents, s.Columns().Edits(l), []byte(content))
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
	if kept, err := s.Columns().Keep(ctx, l, 0, ChunkEvents, before, []byte("late")); kept || err != nil {
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

// TestColumnFilesOfTails keeps files of a chunk that is not whole yet: they are known from those that are, replaced, and go like others.
func TestColumnFilesOfTails(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	o := Options{Sync: SyncPolicy{Mode: SyncNever}}
	s := mustOpen(t, dir, o)
	c := s.Columns()
	l := keyedLog(t, s, "a", LogOptions{})
	if ids := c.TakeTails(); len(ids) != 0 {
		t.Errorf("tails of %v: there is none", ids)
	}
	add := func(n int) {
		t.Helper()
		entries := make([]Entry, n)
		for i := range entries {
			entries[i].Payload = []byte("p")
		}
		if _, err := l.AppendBatch(ctx, entries, AppendOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := s.Seal(ctx); err != nil {
			t.Fatal(err)
		}
	}
	add(TailEvents - 1)
	c.Missed(l)
	if ids := c.TakeTails(); len(ids) != 0 {
		t.Errorf("tails of %v: too few events", ids)
	}
	add(1)
	<-c.Grown()
	if ids := c.TakeTails(); !slices.Equal(ids, []LogID{l.ID()}) || len(c.TakeTails()) > 0 {
		t.Errorf("tails of %v", ids)
	}
	c.Missed(l)
	if ids := c.TakeTails(); !slices.Equal(ids, []LogID{l.ID()}) {
		t.Errorf("tails of %v after one was missed", ids)
	}
	keep := func(to Seq, content string) {
		t.Helper()
		if kept, err := s.Columns().Keep(ctx, l, 2, to, s.Columns().Edits(l), []byte(content)); !kept || err != nil {
			t.Fatal(kept, err)
		}
		if got := columnsOf(t, s, l, 2); got != content {
			t.Errorf("%q, want %q", got, content)
		}
	}
	keepColumns(t, s, l, 1, "one")
	keep(2*ChunkEvents+1024, "tail")
	keep(2*ChunkEvents+2048, "longer tail")
	if !c.HasWhole(l, 1) || c.HasWhole(l, 2) {
		t.Error("a tail is taken for a whole chunk, or not one for a tail")
	}
	mustClose(t, s)
	s = mustOpen(t, dir, o)
	l = mustLog(t, s, "a")
	if got := columnsOf(t, s, l, 2); got != "longer tail" {
		t.Errorf("%q after opening", got)
	}
	if !s.Columns().HasWhole(l, 1) || s.Columns().HasWhole(l, 2) {
		t.Error("opened: a tail is taken for a whole chunk, or not one for a tail")
	}
	keep(3*ChunkEvents, "whole")
	if !s.Columns().HasWhole(l, 2) {
		t.Error("not whole")
	}
	if err := l.Redact(ctx, 2*ChunkEvents+3); err != nil || columnsOf(t, s, l, 2) != "" {
		t.Errorf("after redaction: %v", err)
	}
	mustClose(t, s)
}

// closedWithColumns returns the directory of a store with a column file, and its options.
func closedWithColumns(t *testing.T) (string, Options) {
	t.Helper()
	dir := t.TempDir()
	o := Options{Sync: SyncPolicy{Mode: SyncNever}}
	s := mustOpen(t, dir, o)
	l := mustLog(t, s, "a")
	mustAppend(t, l, "x")
	keepColumns(t, s, l, 0, "zero")
	mustClose(t, s)
	return dir, o
}

// TestColumnFilesAfterDamage finds events damaged when the store is opened: their sequences may be given again, so all column files go.
func TestColumnFilesAfterDamage(t *testing.T) {
	dir, o := closedWithColumns(t)
	for _, readOnly := range []bool{true, false} {
		o.ReadOnly = readOnly
		s := mustOpen(t, dir, o)
		s.recovery.Damage = []*CorruptionError{{Err: errors.New("damage")}}
		if got := columnsOf(t, s, mustLog(t, s, "a"), 0); got != "" {
			t.Errorf("read only %v: %q", readOnly, got)
		}
		mustClose(t, s)
		if left, err := os.ReadDir(filepath.Join(dir, columnsDir)); err != nil || (len(left) > 0) != readOnly {
			t.Errorf("read only %v: %v %v", readOnly, left, err)
		}
	}
}

// TestColumnFilesAfterRepair repairs a store: no column file is left.
func TestColumnFilesAfterRepair(t *testing.T) {
	dir, o := closedWithColumns(t)
	if _, err := Repair(context.Background(), dir, RepairOptions{Store: o}); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir, o)
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
