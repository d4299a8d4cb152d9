package redex

import "testing"

// TestWindowReadBeforePass has one append read a window from the catalog, and before it keeps what it read another add a number,
// a pass write that to the catalog, and the window leave memory. What was read then is not kept: the number would be appended
// once more.
func TestWindowReadBeforePass(t *testing.T) {
	ctx := t.Context()
	s := mustOpen(t, t.TempDir()+"/store", Options{})
	defer mustClose(t, s)
	l := mustLog(t, s, "a")
	number := func(o Origin, n uint64) []Batch {
		return []Batch{{Log: l, Entries: []Entry{{Origin: o, Idempotency: n}}}}
	}
	put := func() Appended {
		t.Helper()
		a, err := s.Append(ctx, number(1, 7), AppendOptions{Durable: DurableNo})
		if err != nil {
			t.Fatal(err)
		}
		return a[0]
	}
	read := func() (ref windowRef, w *window, sealed uint64) {
		t.Helper()
		missing, err := s.missingWindows(number(1, 7))
		if err != nil || len(missing) != 1 {
			t.Fatal(missing, err)
		}
		sealed = s.seal.ordinal.Load()
		if w, err = s.readWindow(l.id, 1); err != nil {
			t.Fatal(err)
		}
		return missing[0], w, sealed
	}
	others := Origin(2)
	pushOut := func() { // by windows of other origins
		t.Helper()
		for range maxWindows + 1 {
			others++
			if err := s.loadWindows(number(others, 1)); err != nil {
				t.Fatal(err)
			}
		}
	}

	ref, w, sealed := read()
	first := put() // another append
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	pushOut()
	if s.keepWindow(ref, w, sealed) {
		t.Error("a window that lacks a number is kept")
	}
	if again := put(); again.Duplicates != 1 || again.Seq != first.Seq {
		t.Errorf("number 7 was appended as %d, and again as %d", first.Seq, again.Seq)
	}

	pushOut()
	ref, w, sealed = read()
	if len(w.list) != 1 || !s.keepWindow(ref, w, sealed) {
		t.Errorf("a window of %d numbers is not kept, though nothing happened since it was read", len(w.list))
	}
	if again := put(); again.Duplicates != 1 || again.Seq != first.Seq {
		t.Errorf("number 7 was appended as %d, and again as %d", first.Seq, again.Seq)
	}
}
