package redex

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// commitLines returns n payloads that compress as those of real events do: names that repeat, numbers, and hashes.
func commitLines(n int) []Entry {
	rng := rand.New(rand.NewPCG(7, 9))
	entries := make([]Entry, n)
	ts := 1_500_000_000
	for i := range entries {
		ts += rng.IntN(5000)
		entries[i] = Entry{Encoding: JSON, Payload: fmt.Appendf(nil,
			`{"seq":%d,"repo":"repository-%d","sha":"%016x%016x","path":"planner/exec/part%03d/file_%d.go","dir":"planner","ext":"go","ins":%d,"del":%d,"ts":%d}`,
			i, i>>13, rng.Uint64(), rng.Uint64(), rng.IntN(200), rng.IntN(40), rng.IntN(300), rng.IntN(90), ts)}
	}
	return entries
}

func appendAll(t *testing.T, s *Store, name string, entries []Entry) *Log {
	t.Helper()
	l, err := s.OpenLog(t.Context(), name, LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(entries, 1000) {
		if _, err := l.AppendBatch(t.Context(), part, AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func dirBytes(t *testing.T, dir string) (n int64) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		n += info.Size()
	}
	return n
}

// TestRepack: maintenance makes row files smaller, once, and they hold the same events; with CompressS2 it leaves them alone.
func TestRepack(t *testing.T) {
	entries := commitLines(40_000)
	raw := int64(0)
	for _, e := range entries {
		raw += int64(len(e.Payload))
	}
	for _, c := range []struct {
		how      Compression
		rewrites int64
		most     float64 // of the raw bytes
	}{{CompressAuto, 1, 0.22}, {CompressS2, 0, 1}, {CompressZstd, 0, 0.22}} {
		t.Run(fmt.Sprint(c.how), func(t *testing.T) {
			dir := t.TempDir()
			o := manual(Options{Compression: c.how})
			s := mustOpen(t, dir, o)
			l := appendAll(t, s, "log", entries)
			sealNow(t, s)
			before := contents(t, l)
			for range 2 {
				if err := s.Maintain(t.Context()); err != nil {
					t.Fatal(err)
				}
				if n := s.Metrics().Rewrites; n != c.rewrites {
					t.Errorf("%d rewrites, want %d", n, c.rewrites)
				}
			}
			same(t, "events", contents(t, l), before)
			clean(t, s)
			mustClose(t, s)
			n := float64(dirBytes(t, filepath.Join(dir, rowsDir))) / float64(raw)
			t.Logf("row files take %.3f of the events", n)
			if n > c.most {
				t.Errorf("row files take %.3f of the events, more than %.3f", n, c.most)
			}
			s = mustOpen(t, dir, o)
			defer mustClose(t, s)
			if files := s.maintain.looseFiles(); len(files) > 0 {
				t.Errorf("files %v are to be packed again", files)
			}
		})
	}
}

// TestRepackAfterOpen: what a store had no time for is found when it is opened again.
func TestRepackAfterOpen(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, manual(Options{}))
	appendAll(t, s, "log", commitLines(40_000))
	sealNow(t, s)
	mustClose(t, s)
	s = mustOpen(t, dir, manual(Options{}))
	defer mustClose(t, s)
	if n := len(s.maintain.looseFiles()); n != 1 {
		t.Fatalf("%d files are to be packed, want 1", n)
	}
	if err := s.Maintain(t.Context()); err != nil || s.Metrics().Rewrites != 1 {
		t.Errorf("%d rewrites, %v", s.Metrics().Rewrites, err)
	}
}

// TestRepackAtRest: a file is packed in the background once nobody has had work for the store for a second, not before.
func TestRepackAtRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := OpenMemory(t.Context(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer mustClose(t, s)
		l := appendAll(t, s, "log", commitLines(40_000))
		sealNow(t, s)
		synctest.Wait()
		for range 20 {
			time.Sleep(repackRest / 2)
			synctest.Wait()
			put(t, l, "", "one more")
		}
		if n := s.Metrics().Rewrites; n != 0 {
			t.Errorf("%d rewrites beside appends", n)
		}
		for range 20 {
			time.Sleep(repackRest / 2)
			synctest.Wait()
			_, unpin := s.PinCut()
			unpin()
		}
		if n := s.Metrics().Rewrites; n != 0 {
			t.Errorf("%d rewrites beside queries", n)
		}
		_, unpin := s.PinCut() // a query that takes long
		time.Sleep(30 * repackRest)
		synctest.Wait()
		if n := s.Metrics().Rewrites; n != 0 {
			t.Errorf("%d rewrites beside a query", n)
		}
		unpin()
		time.Sleep(4 * repackRest) // 5 MiB at 32 MiB a second
		synctest.Wait()
		if n := s.Metrics().Rewrites; n != 1 {
			t.Errorf("%d rewrites at rest, want 1", n)
		}
	})
}

// TestRepackBeside: who has work for the store meanwhile leaves packing a quarter of the rate.
func TestRepackBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := OpenMemory(t.Context(), manual(Options{}))
		if err != nil {
			t.Fatal(err)
		}
		defer mustClose(t, s)
		q := quiet{s: s}
		q.busy()
		for _, c := range []struct {
			what string
			work func()
			want time.Duration
		}{
			{"at rest", func() {}, time.Second},
			{"beside appends", func() { appendAll(t, s, "log", commitLines(1)) }, 4 * time.Second},
			{"beside queries", func() { _, unpin := s.PinCut(); unpin() }, 4 * time.Second},
		} {
			p := pacer{rate: 32 << 20, haste: &s.maintain.wait, busy: q.busy}
			began := time.Now()
			for range 32 {
				c.work()
				if err := p.wait(t.Context(), 1<<20); err != nil {
					t.Fatal(err)
				}
			}
			if took := time.Since(began); took < c.want*9/10 || took > c.want*11/10 {
				t.Errorf("%s 32 MiB took %v, want about %v", c.what, took, c.want)
			}
		}
	})
}

// TestCloseEmptiesJournal: a closed store keeps no segment of events that are sealed, unless they are less than a quarter of SealBytes.
func TestCloseEmptiesJournal(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, manual(Options{SealBytes: 256 << 10}))
	l := appendAll(t, s, "log", commitLines(40_000))
	sealNow(t, s)
	put(t, l, "", "one more") // too little to be sealed for its own sake
	mustClose(t, s)
	if n := dirBytes(t, filepath.Join(dir, journalDir)); n > 64<<10 {
		t.Errorf("the journal of a closed store takes %d bytes", n)
	}
	s = mustOpen(t, dir, manual(Options{}))
	defer mustClose(t, s)
	l, err := s.Log("log")
	if err != nil {
		t.Fatal(err)
	}
	if b := l.Bounds(); b.Next != 40_001 {
		t.Errorf("bounds %v", b)
	}
	if !s.Recovery().Clean {
		t.Error("the store was not closed cleanly")
	}
}
