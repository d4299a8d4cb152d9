//go:build unix && !solaris && !aix

package redex

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// linkTree copies a directory as cp -al does: its files are hard links.
func linkTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		at := to + strings.TrimPrefix(path, from)
		if d.IsDir() {
			return os.Mkdir(at, 0o755)
		}
		return os.Link(path, at)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestLinked opens copies of hard links, made while the store is open, after it was closed, and after its process died: they share
// their files with the store, and are refused, also once it is closed. The store itself goes on.
func TestLinked(t *testing.T) {
	base := t.TempDir()
	dir := base + "/store"
	refused := func(name string, want error) {
		t.Helper()
		for _, o := range []Options{{}, {ReadOnly: true}} {
			if _, err := Open(t.Context(), base+"/"+name, o); !errors.Is(err, want) {
				t.Errorf("open %s (read-only %v): %v, want %v", name, o.ReadOnly, err, want)
			}
		}
	}
	s := mustOpen(t, dir, Options{})
	mustAppend(t, mustLog(t, s, "a"), "x")
	linkTree(t, dir, base+"/open")
	refused("open", ErrLocked)
	mustClose(t, s)
	refused("open", ErrCopied)
	linkTree(t, dir, base+"/closed")
	refused("closed", ErrCopied)
	for range 2 {
		s = mustOpen(t, dir, Options{})
		mustAppend(t, mustLog(t, s, "a"), "y")
		mustClose(t, s)
	}

	dead := base + "/dead"
	_, kill := otherProcess(t, dead)
	linkTree(t, dead, base+"/of-dead")
	refused("of-dead", ErrLocked)
	kill()
	refused("of-dead", ErrCopied)
	s = mustOpen(t, dead, Options{})
	readOther(t, s)
	mustClose(t, s)

	if err := os.Rename(dir, base+"/moved"); err != nil { // that is no copy
		t.Fatal(err)
	}
	s = mustOpen(t, base+"/moved", Options{})
	if b := mustLog(t, s, "a").Bounds(); b.Next != 3 {
		t.Errorf("%d events", b.Next)
	}
	mustClose(t, s)
}
