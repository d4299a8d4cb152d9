package redex

import (
	"errors"
	"math"
	"testing"
	"time"
)

// TestRedactTwice has two frames redact one event.
func TestRedactTwice(t *testing.T) {
	s := mustOpen(t, t.TempDir(), manual(Options{RunEvents: 2}))
	defer mustClose(t, s)
	l := mustLog(t, s, "log")
	mustAppend(t, l, "a", "b", "c")
	sealNow(t, s)
	for range 2 { // as two calls at once do, which both see that it is not redacted yet
		if err := l.redact(t.Context(), []Seq{1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l.sealed.redact != 0 || len(l.masked) != 0 {
		t.Errorf("%d to do, %d masked", l.sealed.redact, len(l.masked))
	}
	clean(t, s)
}

// TestRedactMany redacts so many events that work on each for each takes too long.
func TestRedactMany(t *testing.T) {
	l := &Log{}
	const n = 1 << 20
	seqs := make([]Seq, n)
	for i := range seqs {
		seqs[i] = Seq(i)
	}
	for i := 0; i < n; i += redactParts {
		l.mask(seqs[i : i+redactParts]...)
	}
	l.unmask(seqs)
	if len(l.masked) != 0 {
		t.Error("masked")
	}
}

// TestCompactWhileDeleted deletes a log, and makes another of its name, while the first is compacted.
func TestCompactWhileDeleted(t *testing.T) {
	dir := t.TempDir()
	o := manual(Options{RunEvents: 2})
	s := mustOpen(t, dir, o)
	l := keyed(t, s, "log", Compaction{ByKey: true})
	put(t, l, "a", "1")
	put(t, l, "a", "2")
	sealNow(t, s)
	runs, err := s.runsOf(l.id)
	if err != nil {
		t.Fatal(err)
	}
	k := &compaction{s: s, l: l, runs: runs, keys: newKeyMap(), limit: 2}
	if err := s.Delete(t.Context(), "log"); err != nil {
		t.Fatal(err)
	}
	next := mustLog(t, s, "log")
	mustAppend(t, next, "x")
	sealNow(t, s)
	if _, err := k.do(t.Context()); err != nil && !errors.Is(err, ErrLogDeleted) {
		t.Fatal(err)
	}
	mustClose(t, s)
	s = mustOpen(t, dir, o)
	defer mustClose(t, s)
	if got := mustLog(t, s, "log"); got.id != next.id {
		t.Errorf("log %d has the name, not %d", got.id, next.id)
	}
	clean(t, s)
}

// TestTombstoneAfterGivingWay trims a run away while it is compacted together with others: what those have goes later, and before
// the tombstones that delete it.
func TestTombstoneAfterGivingWay(t *testing.T) {
	s := mustOpen(t, t.TempDir(), manual(Options{RunEvents: 2}))
	defer mustClose(t, s)
	now := time.Unix(1000, 0).UnixNano()
	s.now = func() int64 { return now }
	l, other := keyed(t, s, "log", Compaction{ByKey: true, TombstonesFor: time.Second}), mustLog(t, s, "other")
	mustAppend(t, other, "the file of the", "first run stays")
	for _, value := range []string{"1", "2", ""} {
		put(t, l, "a", value)
		put(t, l, "b", value)
		sealNow(t, s)
	}
	runs, err := s.runsOf(l.id)
	if err != nil {
		t.Fatal(err)
	}
	k := &compaction{s: s, l: l, runs: runs, keys: newKeyMap(), limit: l.sealed.rowsFrom}
	k.setHorizon(&l.sealed, time.Second, math.MaxInt64)
	if err := l.Trim(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	sealNow(t, s)
	if _, err := k.do(t.Context()); err != nil && !errors.Is(err, errGaveWay) {
		t.Fatal(err)
	}
	for range 4 {
		now += int64(time.Hour)
		put(t, l, "c", "1")
		compactNow(t, l)
	}
	if got := contents(t, l); len(got) != 1 {
		t.Errorf("deleted keys came back: %q", got)
	}
}

// TestRetainWhileRewritten looks for what is to be given up while runs move to other files.
func TestRetainWhileRewritten(t *testing.T) {
	s := mustOpen(t, t.TempDir(), manual(Options{RunEvents: 2}))
	defer mustClose(t, s)
	l := mustLog(t, s, "log")
	mustAppend(t, l, "a", "b", "c", "d")
	sealNow(t, s)
	b := l.Bounds()
	done := make(chan error, 1)
	go func() {
		for range 500 {
			runs, err := s.runsOf(l.id)
			if err == nil {
				_, err = s.rewriteRuns(t.Context(), []*rewriteTask{{log: l, old: runs}}, nil)
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for {
		if seq, err := l.retainedFrom(t.Context(), Retention{Bytes: 2}, b); err != nil || seq != 2 {
			t.Error(seq, err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
}
