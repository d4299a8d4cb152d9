package redex

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestRedactBesideOthers redacts an event in a row file in which runs of other logs live.
func TestRedactBesideOthers(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, manual(Options{RunEvents: 2, Compression: CompressNone}))
	defer mustClose(t, s)
	l, other := mustLog(t, s, "log"), mustLog(t, s, "other")
	mustAppend(t, l, "the secret", "b", "c")
	for i := range 200 {
		mustAppend(t, other, fmt.Sprint("something longer ", i))
	}
	sealNow(t, s)
	if err := l.Redact(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found := inFiles(t, dir, []byte("the secret")); len(found) > 0 {
		t.Errorf("it is still in %v", found)
	}
	clean(t, s)
}

// TestRedactBelowFloor redacts an event and trims the log behind it, within its run.
func TestRedactBelowFloor(t *testing.T) {
	for _, sealBetween := range []bool{false, true} {
		dir := t.TempDir()
		s := mustOpen(t, dir, manual(Options{RunEvents: 2, Compression: CompressNone}))
		l := mustLog(t, s, "log")
		mustAppend(t, l, "the secret", "b", "c")
		sealNow(t, s)
		if err := l.Redact(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if sealBetween {
			sealNow(t, s)
		}
		if err := l.Trim(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		if err := s.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if found := inFiles(t, dir, []byte("the secret")); len(found) > 0 {
			t.Errorf("it is still in %v", found)
		}
		clean(t, s)
		mustClose(t, s)
	}
}

// TestRedactOpenedAgain opens a store whose redaction is sealed, and in which nothing else was done about it.
func TestRedactOpenedAgain(t *testing.T) {
	dir := t.TempDir()
	o := manual(Options{Compression: CompressNone})
	s := mustOpen(t, dir, o)
	l := mustLog(t, s, "log")
	mustAppend(t, l, "the secret", "b", "c")
	sealNow(t, s)
	if err := l.Redact(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	sealNow(t, s)
	mustClose(t, s)
	s = mustOpen(t, dir, o)
	defer mustClose(t, s)
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found := inFiles(t, dir, []byte("the secret")); len(found) > 0 {
		t.Errorf("it is still in %v", found)
	}
}

// TestRedactInDoubt redacts with a context that has ended when the redaction is to become durable: it is done all the same.
func TestRedactInDoubt(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, manual(Options{RunEvents: 2, Compression: CompressNone}))
	defer mustClose(t, s)
	l := mustLog(t, s, "log")
	mustAppend(t, l, "the secret", "b", "c")
	sealNow(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.changeLog(ctx, "redact", l, func() ([]byte, error) { return appendPart(nil, partRedact, l.id, 0, 0), nil }, func(o Ordinal) {
		l.addChangeLocked(change{ordinal: o, typ: partRedact, floor: 0})
		cancel()
	})
	if err != nil {
		t.Fatal(err)
	}
	sealNow(t, s)
	if ev, err := l.Read(t.Context(), 0); err != nil || !ev.Redacted {
		t.Error(ev, err)
	}
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found := inFiles(t, dir, []byte("the secret")); len(found) > 0 {
		t.Errorf("it is still in %v", found)
	}
	clean(t, s)
}

// TestRedactMerged redacts an event of which a file has a copy that lives no more, and one that is compacted away before it is erased.
func TestRedactMerged(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, manual(Options{RunEvents: 2, Compression: CompressNone}))
	defer mustClose(t, s)
	l, other := keyed(t, s, "log", Compaction{ByKey: true}), mustLog(t, s, "other")
	for i := range 9 {
		put(t, l, fmt.Sprint(i), "the secret")
		put(t, l, "k", "the secret")
		mustAppend(t, other, fmt.Sprint("something that is much longer than what the other log has, and stays in its file for longer ", i), "b")
		sealNow(t, s)
	}
	put(t, l, "k", "other")
	sealNow(t, s)
	if tasks, err := s.mergeable(l); err != nil || len(tasks) != 1 {
		t.Fatal(len(tasks), err)
	} else if _, err := s.rewriteRuns(t.Context(), tasks, nil); err != nil || !tasks[0].done {
		t.Fatal(err)
	}
	for i := range Seq(18) {
		if err := l.Redact(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	compactNow(t, l)
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found := inFiles(t, dir, []byte("the secret")); len(found) > 0 {
		t.Errorf("it is still in %v", found)
	}
	if l.sealed.redact != 0 || len(l.masked) != 0 {
		t.Errorf("%d to do, %d masked", l.sealed.redact, len(l.masked))
	}
	clean(t, s)
}

// inFiles returns the files under dir that have the bytes.
func inFiles(t *testing.T, dir string, what []byte) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) { // Pebble removes tables when it comes to it
			return nil
		}
		if bytes.Contains(b, what) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
