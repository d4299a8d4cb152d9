package logscan

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/redex"
)

func openDir(t testing.TB, dir string) *redex.Store {
	t.Helper()
	s, err := redex.Open(t.Context(), dir, redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}, RunEvents: 100, SegmentBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// onDisk returns a store in a directory of its own, and its catalogues. They are closed when the test ends.
func onDisk(t testing.TB) (*redex.Store, *Catalogues) {
	t.Helper()
	s, err := redex.Open(t.Context(), t.TempDir(), redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}})
	if err != nil {
		t.Fatal(err)
	}
	c := New(s)
	t.Cleanup(func() {
		c.Close()
		closeStore(t, s)
	})
	return s, c
}

func closeStore(t testing.TB, s *redex.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func seal(t testing.TB, s *redex.Store) {
	t.Helper()
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestHotSealedMixed reads the same rows hot, sealed into row files, as rows of the catalog, and mixed, on one thread and
// several, with one-row and full batches, before and after the catalogue has taken them in, and after reopening.
func TestHotSealedMixed(t *testing.T) {
	odd, wantOdd := awkward(t)
	rng := rand.New(rand.NewPCG(11, 12))
	var entries []redex.Entry
	var want []string
	for i := range 900 {
		k := rng.IntN(len(odd))
		if len(odd[k].Payload) > 1000 && i%50 != 0 {
			k = 0
		}
		entries = append(entries, odd[k])
		want = append(want, fmt.Sprintf("integer:%d %s", i, wantOdd[k]))
	}
	reversed := slices.Clone(want)
	slices.Reverse(reversed)
	out := outputs("_seq", "a", "a.b", "")
	catalogue := ""
	for _, state := range []string{"hot", "sealed", "mixed", "few rows sealed", "reopened"} {
		t.Run(state, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			s := openDir(t, dir)
			c := New(s)
			l := createLog(t, s, "x")
			switch state {
			case "hot":
				appendAll(t, l, entries...)
			case "sealed":
				appendAll(t, l, entries...)
				seal(t, s)
			case "few rows sealed":
				for at := 0; at < len(entries); at += 60 {
					appendAll(t, l, entries[at:at+60]...)
					seal(t, s)
				}
			default:
				appendAll(t, l, entries[:300]...)
				if _, err := c.Catalogue(t.Context(), l); err != nil {
					t.Fatal(err)
				}
				appendAll(t, l, entries[300:500]...)
				seal(t, s)
				appendAll(t, l, entries[500:]...)
			}
			if state == "reopened" {
				if err := c.Save(t.Context()); err != nil {
					t.Fatal(err)
				}
				closeStore(t, s)
				s = openDir(t, dir)
				c = New(s)
				var err error
				if l, err = s.Log("x"); err != nil {
					t.Fatal(err)
				}
				if f, err := c.fields(l); err != nil || f.position() != 300 {
					t.Errorf("the catalogue goes on at %d, want 300 (%v)", f.position(), err)
				}
			}
			for _, round := range []string{"first", "second"} {
				for _, batch := range []int{0, 1, 64} {
					for _, threads := range []int{1, 2} {
						src := source(t, c, s, l)
						what := fmt.Sprintf("%s scan, batches of %d, %d threads", round, batch, threads)
						wantRows(t, what, scan(t, src, planner.Request{Outputs: out, BatchRows: batch, Threads: threads}), want)
						wantRows(t, what+", in reverse", scan(t, src, planner.Request{Outputs: out, BatchRows: batch, Threads: threads, Reverse: true}), reversed)
					}
				}
				got, err := c.Catalogue(t.Context(), l)
				if err != nil {
					t.Fatal(err)
				}
				if catalogue == "" {
					catalogue = paths(got)
				}
				if paths(got) != catalogue {
					t.Errorf("catalogue %s, want %s", paths(got), catalogue)
				}
			}
			closeStore(t, s)
		})
	}
}

func TestTimeRange(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := openDir(t, dir)
	defer closeStore(t, s)
	l := createLog(t, s, "x")
	for i := range 300 {
		appendAll(t, l, jsonEntry(fmt.Sprintf(`{"i":%d}`, i)))
		if i == 150 {
			seal(t, s)
		}
	}
	src := source(t, New(s), s, l)
	times := make([]int64, 300)
	for i := range times {
		ev, err := l.Read(t.Context(), redex.Seq(i))
		if err != nil {
			t.Fatal(err)
		}
		times[i] = ev.Time
	}
	for _, c := range []struct{ from, to int64 }{
		{times[0], times[299]}, {times[100], times[200]}, {times[149] + 1, times[151]}, {times[299] + 1, times[299] + 5}, {times[20], times[10]}, {0, times[3]}, {times[290], 1<<63 - 1},
	} {
		var want []string
		for i, ns := range times {
			if ns >= c.from && ns < c.to {
				want = append(want, fmt.Sprint("integer:", i))
			}
		}
		r := planner.Range{Time: planner.Interval{From: c.from, To: c.to, Bounded: true}}
		wantRows(t, fmt.Sprint(c), scan(t, src, planner.Request{Outputs: outputs("_seq"), Range: r, Threads: 2, BatchRows: 8}), want)
		if e, err := src.Estimate(t.Context(), r); err != nil || e.Rows != int64(len(want)) {
			t.Errorf("estimate %+v %v, want %d", e, err, len(want))
		}
	}
}

func TestRetention(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := openDir(t, dir)
	defer closeStore(t, s)
	var entries []redex.Entry
	for i := range 400 {
		entries = append(entries, jsonEntry(fmt.Sprintf(`{"f%d":%d,"i":%d}`, i/100, i, i)))
	}
	l := createLog(t, s, "x", entries...)
	c := New(s)
	old := source(t, c, s, l)
	if err := l.Trim(t.Context(), 250); err != nil {
		t.Fatal(err)
	}
	src := source(t, c, s, l)
	got := scan(t, src, planner.Request{Outputs: outputs("_seq", "i"), Columns: planner.ColumnsNever})
	if len(got) != 150 || got[0] != "integer:250 integer:250" {
		t.Errorf("%d rows, first %s", len(got), got[0])
	}
	if got := c.loaded[l.ID()].position(); got != 400 {
		t.Errorf("a scan from the floor on took in rows up to %d, want 400", got)
	}
	if cat, err := src.Fields(t.Context(), true); err != nil || paths(cat) != "f2 BIGINT, i BIGINT, f3 BIGINT" {
		t.Errorf("catalogue %s %v", paths(cat), err)
	}
	it, err := old.Scan(t.Context(), planner.Request{Outputs: outputs("i")})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	if _, err := it.Next(t.Context()); !errors.Is(err, redex.ErrRangeLost) {
		t.Errorf("a scan of what is gone: %v", err)
	}
	if err := c.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	it2, err := src.Scan(t.Context(), planner.Request{Outputs: outputs("i"), Threads: 2, BatchRows: 10})
	if err == nil {
		defer it2.Close()
		_, err = it2.Next(t.Context())
	}
	if !errors.Is(err, redex.ErrLogDeleted) {
		t.Errorf("a scan of a deleted log: %v", err)
	}
	if err := c.Save(t.Context()); err != nil {
		t.Error(err)
	}
	for k, v := range s.Views("fields").Scan(nil, nil) {
		t.Errorf("%x of the deleted log is left (%v)", k, v.Err)
	}
}

// TestConcurrent scans, walks, saves and appends at once; every scan must see exactly the rows of its cut.
func TestConcurrent(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := openDir(t, dir)
	defer closeStore(t, s)
	l := createLog(t, s, "x", jsonEntry(`{"i":0}`))
	c := New(s)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	entry := func(i int) redex.Entry {
		if i%7 == 3 {
			return jsonEntry(fmt.Sprintf(`{"i":%d`, i))
		}
		return jsonEntry(fmt.Sprintf(`{"i":%d,"n%d":{"x":%d}}`, i, i%50, i))
	}
	wg.Go(func() {
		defer cancel()
		for i := 1; i < 4000; i++ {
			if _, err := l.Append(t.Context(), entry(i), redex.AppendOptions{}); err != nil {
				t.Error(err)
				return
			}
			if i%1000 == 0 {
				if err := s.Seal(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for k := range 4 {
		wg.Go(func() {
			for done := false; !done; {
				done = ctx.Err() != nil // once more at the end
				src, err := c.Source(t.Context(), l, s.Cut())
				if err != nil {
					t.Error(err)
					return
				}
				if k == 3 {
					if _, err := src.Fields(t.Context(), true); err != nil {
						t.Error(err)
					}
					if err := c.Save(t.Context()); err != nil {
						t.Error(err)
					}
					continue
				}
				n, err := count(t.Context(), src, planner.Request{Outputs: outputs("_seq", "i"), Threads: 1 + k%2, BatchRows: 64})
				if err != nil || n != src.Bounds().Len() {
					t.Errorf("%d rows of %d, %v", n, src.Bounds().Len(), err)
				}
			}
		})
	}
	wg.Wait()
	f, err := c.Faults(t.Context(), l, true)
	if err != nil || f.Malformed != 571 || f.Upto != 4000 {
		t.Errorf("faults %+v %v", f, err)
	}
	cat, err := c.Catalogue(t.Context(), l)
	if err != nil || len(cat.Fields) != 101 {
		t.Errorf("%d fields: %s", len(cat.Fields), paths(cat))
	}
}

// count reads a scan of _seq and i, and checks that they are the same where there is an i.
func count(ctx context.Context, src *Source, r planner.Request) (n int64, err error) {
	it, err := src.Scan(ctx, r)
	if err != nil {
		return 0, err
	}
	defer it.Close()
	for {
		b, err := it.Next(ctx)
		if err != nil || b == nil {
			return n, err
		}
		for i := range b.N {
			seq := b.Cols[0].Int(i)
			if seq != n || b.Cols[1].Null(i) != (seq%7 == 3) || !b.Cols[1].Null(i) && b.Cols[1].Int(i) != seq {
				return n, fmt.Errorf("row %d is %s %s", n, cell(b.Cols[0], i), cell(b.Cols[1], i))
			}
			n++
		}
	}
}

// TestUnsavedIsRebuilt loses a catalogue and gets the same again.
func TestUnsavedIsRebuilt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := openDir(t, dir)
	l := createLog(t, s, "x", generate(rand.New(rand.NewPCG(5, 5)), 500)...)
	c := New(s)
	first, err := c.Catalogue(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	s = openDir(t, dir)
	defer closeStore(t, s)
	if l, err = s.Log("x"); err != nil {
		t.Fatal(err)
	}
	c = New(s)
	again, err := c.Catalogue(t.Context(), l)
	if err != nil || paths(again) != paths(first) {
		t.Errorf("%s, want %s (%v)", paths(again), paths(first), err)
	}
	// A saved form that cannot be read is dropped.
	if err := c.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	var b redex.ViewBatch
	b.Set(viewKey('n', l.ID(), 1), []byte{99, 1, 'x'})
	if err := s.Views("fields").Commit(t.Context(), &b, 0); err != nil {
		t.Fatal(err)
	}
	if again, err = New(s).Catalogue(t.Context(), l); err != nil || paths(again) != paths(first) {
		t.Errorf("after damage: %s, want %s (%v)", paths(again), paths(first), err)
	}
}

func TestManyLogs(t *testing.T) {
	s := openStore(t)
	c := New(s)
	var last *redex.Log
	for i := range maxLoaded + 10 {
		last = createLog(t, s, fmt.Sprintf("l/%d", i), jsonEntry(`{"a":1}`))
		if _, err := c.fields(last); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.loaded) > maxLoaded {
		t.Errorf("%d catalogues in memory", len(c.loaded))
	}
	if cat, err := c.Catalogue(t.Context(), last); err != nil || paths(cat) != "a BIGINT" {
		t.Errorf("%s %v", paths(cat), err)
	}
	if !strings.Contains(source(t, c, s, last).Title(), last.Name()) {
		t.Error("the title does not name the log")
	}
}

// TestDamage flips a byte of a row file: the catalogue goes on behind the damage, and so does a scan that starts there; one that
// meets it fails.
func TestDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := openDir(t, dir)
	rng := rand.New(rand.NewPCG(3, 3))
	var entries []redex.Entry
	for i := range 1000 {
		b := make([]byte, 300)
		for k := range b {
			b[k] = byte('a' + rng.IntN(26))
		}
		entries = append(entries, jsonEntry(fmt.Sprintf(`{"f%d":%d,"t":%q}`, i/500, i, b)))
	}
	createLog(t, s, "x", entries...)
	seal(t, s)
	closeStore(t, s)
	files, err := filepath.Glob(filepath.Join(dir, "rows", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("row files %v %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/10] ^= 1
	if err := os.WriteFile(files[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	s = openDir(t, dir)
	defer closeStore(t, s)
	l, err := s.Log("x")
	if err != nil {
		t.Fatal(err)
	}
	c := New(s)
	src := source(t, c, s, l)
	if cat, err := src.Fields(t.Context(), true); err != nil || !strings.HasSuffix(paths(cat), "t TEXT, f1 BIGINT") {
		t.Errorf("catalogue %s %v", paths(cat), err)
	}
	if got := c.loaded[l.ID()].position(); got != 1000 {
		t.Errorf("position %d, want 1000", got)
	}
	if got := scan(t, src, planner.Request{Outputs: outputs("f1"), Reverse: true, Limit: 5}); len(got) != 5 || got[0] != "integer:999" {
		t.Errorf("rows behind the damage: %v", got)
	}
	for _, threads := range []int{1, 2} {
		it, err := src.Scan(t.Context(), planner.Request{Outputs: outputs("f1"), Threads: threads, BatchRows: 50})
		if err != nil {
			t.Fatal(err)
		}
		for b := it.Next; err == nil; {
			batch, e := b(t.Context())
			if err = e; batch == nil && e == nil {
				t.Fatal("a scan over damage ends without an error")
			}
		}
		if !errors.Is(err, redex.ErrCorrupt) {
			t.Errorf("a scan over damage: %v", err)
		}
		if err := it.Close(); err != nil {
			t.Error(err)
		}
	}
}
