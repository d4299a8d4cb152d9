package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// TestFeed checks that a read that is given up loses nothing: the next reader gets what it waited for.
func TestFeed(t *testing.T) {
	r, w := io.Pipe()
	f := newFeed(r)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	buf := make([]byte, 3)
	for range 2 {
		if n, err := f.within(ctx).Read(buf); n != 0 || !errors.Is(err, context.Canceled) {
			t.Fatalf("read %d bytes, %v", n, err)
		}
	}
	go func() {
		io.WriteString(w, "hello ")
		io.WriteString(w, "world")
		w.CloseWithError(errors.New("torn"))
	}()
	got, err := io.ReadAll(f.within(t.Context()))
	if string(got) != "hello world" || err == nil || err.Error() != "torn" {
		t.Errorf("%q, %v", got, err)
	}
	if n, err := f.within(t.Context()).Read(buf); n != 0 || err == nil || err.Error() != "torn" {
		t.Errorf("after the end: %d bytes, %v", n, err)
	}
	if err := iotest.TestReader(newFeed(strings.NewReader("some text")).within(t.Context()), []byte("some text")); err != nil {
		t.Error(err)
	}
}

func TestReadInput(t *testing.T) {
	name := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(name, []byte("0123"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := readInput(t.Context(), name, 4); string(b) != "0123" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if err := os.Truncate(name, 1<<40); err != nil { // no memory holds that
		t.Fatal(err)
	}
	if _, err := readInput(t.Context(), name, 1<<20); err == nil || !strings.HasSuffix(err.Error(), "data is larger than 1 MiB") {
		t.Error(err)
	}
	if _, err := readInput(t.Context(), t.TempDir(), 4); err == nil || !strings.HasSuffix(err.Error(), "is a directory") {
		t.Error(err)
	}
}
