package redex

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// manual is a store that does no maintenance by itself.
func manual(o Options) Options {
	o.MaintainRate = -1
	o.Sync = SyncPolicy{Mode: SyncNever}
	return o
}

func keyed(t *testing.T, s *Store, name string, c Compaction) *Log {
	t.Helper()
	l, err := s.OpenLog(t.Context(), name, LogOptions{Compaction: c})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// put appends an event with a key, or its tombstone when value is "".
func put(t *testing.T, l *Log, key, value string) Appended {
	t.Helper()
	e := Entry{Key: []byte(key), Payload: []byte(value), Tombstone: value == ""}
	if key == "" {
		e.Key = nil
	}
	a, err := l.Append(t.Context(), e, AppendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func sealNow(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func compactNow(t *testing.T, l *Log) int64 {
	t.Helper()
	n, err := l.Compact(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// contents returns the sequences and payloads of a log.
func contents(t *testing.T, l *Log) []string {
	t.Helper()
	var out []string
	for ev, err := range l.Scan(t.Context(), l.Bounds().Floor, maxSeq) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%d %s=%s", ev.Seq, ev.Key, ev.Payload))
	}
	return out
}

func same[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%v\nwant\n%v", what, got, want)
	}
}

func clean(t *testing.T, s *Store) CheckReport {
	t.Helper()
	rep, err := s.Check(t.Context())
	if err != nil || len(rep.Damage) > 0 {
		t.Fatalf("check: %v %v", rep.Damage, err)
	}
	return rep
}

// TestTombstones: a tombstone outlives what it deletes by the time that was asked for, whatever the clock does.
func TestTombstones(t *testing.T) {
	s := mustOpen(t, t.TempDir(), manual(Options{RunEvents: 2}))
	defer mustClose(t, s)
	l := keyed(t, s, "log", Compaction{ByKey: true, TombstonesFor: time.Hour})
	now := time.Now().UnixNano()
	s.now = func() int64 { return now }
	put(t, l, "a", "1")
	put(t, l, "a", "")
	put(t, l, "", "no key")
	put(t, l, "b", "1")
	put(t, l, "a", "") // supersedes the first
	put(t, l, "c", "1")
	step := func(what string, want ...string) {
		t.Helper()
		compactNow(t, l)
		same(t, what, contents(t, l), want)
		clean(t, s)
	}
	step("what is superseded", "2 =no key", "3 b=1", "4 a=", "5 c=1")
	now += int64(time.Hour) - 1
	step("a tombstone before its time", "2 =no key", "3 b=1", "4 a=", "5 c=1")
	now -= int64(10 * time.Hour) // and the clock goes back: the time begins anew
	step("a clock that goes back", "2 =no key", "3 b=1", "4 a=", "5 c=1")
	now += int64(time.Hour)
	step("a tombstone after its time", "2 =no key", "3 b=1", "5 c=1")
	put(t, l, "c", "")
	now += int64(100 * time.Hour)
	step("a new tombstone, however long ago the last compaction was", "2 =no key", "3 b=1", "6 c=")
	now += int64(time.Hour)
	step("the newest event stays, also as a tombstone", "2 =no key", "3 b=1", "6 c=")
	if ev, err := l.Latest(t.Context()); err != nil || ev.Seq != 6 {
		t.Error(ev.Seq, err)
	}
	if _, err := l.Read(t.Context(), 1); !errors.Is(err, ErrCompacted) || !errors.Is(err, ErrNoEvent) {
		t.Error(err)
	}
}

// TestPinCut: what was the newest of its key at a pinned moment stays for as long as that is pinned.
func TestPinCut(t *testing.T) {
	s := mustOpen(t, t.TempDir(), manual(Options{RunEvents: 2}))
	defer mustClose(t, s)
	l := keyed(t, s, "log", Compaction{ByKey: true, TombstonesFor: 1})
	put(t, l, "a", "1")
	put(t, l, "a", "2")
	put(t, l, "b", "1")
	cut, unpin := s.PinCut()
	put(t, l, "a", "3")
	put(t, l, "b", "")
	put(t, l, "c", "1")
	for range 3 {
		compactNow(t, l)
		same(t, "while it is pinned", contents(t, l), []string{"1 a=2", "2 b=1", "3 a=3", "4 b=", "5 c=1"})
	}
	if b, err := l.BoundsAt(t.Context(), cut); err != nil || b != (Bounds{0, 3}) {
		t.Error(b, err)
	}
	unpin()
	unpin()
	compactNow(t, l)
	same(t, "afterwards", contents(t, l), []string{"3 a=3", "4 b=", "5 c=1"})
	compactNow(t, l)
	same(t, "and at last", contents(t, l), []string{"3 a=3", "5 c=1"})
}

// TestSparseReads has a log of which compaction left few events, far apart, and reads it in every way, before and after it was opened
// again.
func TestSparseReads(t *testing.T) {
	dir := t.TempDir()
	o := manual(Options{RunEvents: 16})
	s := mustOpen(t, dir, o)
	l := keyed(t, s, "log", Compaction{ByKey: true})
	var want []Seq
	times := map[Seq]int64{}
	newest := map[string]Seq{}
	for i := range 1000 {
		key := fmt.Sprint("k", i%7)
		if i%250 == 100 {
			key = fmt.Sprint("once ", i)
		}
		a := put(t, l, key, fmt.Sprint(i))
		newest[key], times[a.Seq] = a.Seq, a.Time
		if i%100 == 99 {
			sealNow(t, s)
		}
	}
	want = slices.Sorted(maps.Values(newest))
	if n := compactNow(t, l); n != int64(1000-len(want)) {
		t.Errorf("%d events went, want %d", n, 1000-len(want))
	}
	if n := compactNow(t, l); n != 0 {
		t.Errorf("%d events went again", n)
	}
	for range 2 {
		left := func(from Seq) []Seq { return want[slices.IndexFunc(want, func(q Seq) bool { return q >= from }):] }
		for _, from := range []Seq{0, 1, 100, 101, 350, 351, 600, 993, 999} {
			var got []Seq
			for ev, err := range l.Scan(t.Context(), from, maxSeq) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, ev.Seq)
			}
			same(t, fmt.Sprint("scan from ", from), got, left(from))
			tail := l.Tail(from, TailOptions{})
			for _, seq := range left(from) {
				if !tail.TryNext(t.Context()) || tail.Event().Seq != seq {
					t.Fatalf("tail from %d: %d, want %d: %v", from, tail.Event().Seq, seq, tail.Err())
				}
			}
			if tail.TryNext(t.Context()) || tail.Err() != nil || tail.Position() != 1000 {
				t.Errorf("tail from %d ends at %d: %v", from, tail.Position(), tail.Err())
			}
			if err := tail.Close(); err != nil {
				t.Error(err)
			}
			if seq, err := l.SeekTime(t.Context(), times[from]); err != nil || seq != left(from)[0] {
				t.Errorf("seek to the time of %d: %d, %v", from, seq, err)
			}
		}
		// A range that ends in a gap.
		c := l.Cursor(101, 340)
		if c.Next(t.Context()) || c.Err() != nil {
			t.Error("a range that was compacted away", c.Event().Seq, c.Err())
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		for seq := range Seq(1000) {
			ev, err := l.Read(t.Context(), seq)
			if kept := slices.Contains(want, seq); kept && (err != nil || string(ev.Payload) != fmt.Sprint(seq)) || !kept && !errors.Is(err, ErrCompacted) {
				t.Errorf("read %d: %q %v", seq, ev.Payload, err)
			}
		}
		if i := l.Info(); !i.Compacted || i.Events != int64(len(want)) || i.Bounds != (Bounds{0, 1000}) {
			t.Errorf("%+v", i)
		}
		if rep := clean(t, s); rep.Events != int64(len(want)) {
			t.Errorf("%+v", rep)
		}
		mustClose(t, s)
		s = mustOpen(t, dir, o)
		l = keyed(t, s, "log", Compaction{ByKey: true})
	}
	// Retention counts what is there.
	for keep := int64(len(want)) - 1; keep > 0; keep-- {
		if err := s.SetOptions(t.Context(), "log", LogOptions{Retention: Retention{Events: keep}, Compaction: Compaction{ByKey: true}}); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Retain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if b := l.Bounds(); b.Floor != want[int64(len(want))-keep] {
			t.Errorf("%d events are to be kept: %v of %v", keep, b, want)
		}
	}
	mustClose(t, s)
}

// TestCompactionIsDue: the background compacts a log when as much is new as is old.
func TestCompactionIsDue(t *testing.T) {
	s := mustOpen(t, t.TempDir(), manual(Options{}))
	defer mustClose(t, s)
	l := keyed(t, s, "log", Compaction{ByKey: true})
	e := Entry{Payload: bytes.Repeat([]byte("x"), 1000)}
	more := func(n, keys int) {
		t.Helper()
		for i := range n {
			e.Key = fmt.Append(nil, i%keys)
			if _, err := l.Append(t.Context(), e, AppendOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	more(900, 900)
	if i := l.Info(); i.Events != 900 {
		t.Errorf("%d events after less than the least", i.Events)
	}
	more(900, 100)
	if i := l.Info(); i.Events != 900 {
		t.Errorf("%d events, want of each key one", i.Events)
	}
	more(900, 100) // below the least again
	if i := l.Info(); i.Events != 1800 {
		t.Errorf("%d events", i.Events)
	}
	clean(t, s)
}

// TestMerge: many small runs become few, of the same events, and the files they were in go.
func TestMerge(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, manual(Options{RunEvents: 4}))
	logs := map[string]*Log{}
	want := map[string][]string{}
	for i := range 120 {
		for _, name := range []string{"a", "b"} {
			if logs[name] == nil {
				logs[name] = keyed(t, s, name, Compaction{})
			}
			for k := range 4 {
				put(t, logs[name], "", fmt.Sprint(name, i, k))
			}
		}
		sealNow(t, s)
		if i%8 == 7 {
			if err := s.Maintain(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, l := range logs {
		want[name] = contents(t, l)
		if st := l.Stats(); st.Runs > 64/8+8 || len(want[name]) != 480 || l.Info().Compacted {
			t.Errorf("%+v, %d events", st, len(want[name]))
		}
	}
	files := func() int {
		names, err := filepath.Glob(filepath.Join(dir, rowsDir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	rep := clean(t, s)
	if files() > 20 || int64(files()) != rep.Files {
		t.Errorf("%d files, the catalog has %d", files(), rep.Files)
	}
	mustClose(t, s)
	s = mustOpen(t, dir, manual(Options{RunEvents: 4}))
	defer mustClose(t, s)
	for name := range logs {
		same(t, name, contents(t, mustLog(t, s, name)), want[name])
	}
}

// TestMoveOut: what lives in a file of which less than half does moves out of it.
func TestMoveOut(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, manual(Options{RunEvents: 4, Compression: CompressNone}))
	for i := range 20 {
		l := keyed(t, s, fmt.Sprint("log", i), Compaction{})
		for k := range 100 {
			put(t, l, "", fmt.Sprint(i, k, "…………………………………………………………………………………………………………………………………………………………………………"))
		}
	}
	sealNow(t, s)
	before := clean(t, s)
	for i := range 20 {
		if i%4 != 0 {
			if err := s.Delete(t.Context(), fmt.Sprint("log", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	var want [][]string
	for i := 0; i < 20; i += 4 {
		want = append(want, contents(t, mustLog(t, s, fmt.Sprint("log", i))))
	}
	sealNow(t, s)
	mustClose(t, s) // and it is known after that, too
	s = mustOpen(t, dir, manual(Options{RunEvents: 4}))
	defer mustClose(t, s)
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := clean(t, s)
	if before.Files != 1 || after.Files != 1 || after.Bytes > before.Bytes/2 || after.Runs != 5 {
		t.Errorf("%+v, was %+v", after, before)
	}
	for i := range want {
		same(t, "log", contents(t, mustLog(t, s, fmt.Sprint("log", 4*i))), want[i])
	}
}

// TestMergeWhileTrimmed: a pass that gives up runs while they are merged wins, and nothing is lost or comes back.
func TestMergeWhileTrimmed(t *testing.T) {
	s := mustOpen(t, t.TempDir(), manual(Options{RunEvents: 4}))
	defer mustClose(t, s)
	l := keyed(t, s, "log", Compaction{})
	for i := range 10 {
		for k := range 4 {
			put(t, l, "", fmt.Sprint(i, k))
		}
		sealNow(t, s)
	}
	tasks, err := s.mergeable(l)
	if err != nil || len(tasks) != 1 {
		t.Fatal(len(tasks), err)
	}
	if err := l.Trim(t.Context(), 6); err != nil {
		t.Fatal(err)
	}
	want := contents(t, l)
	sealNow(t, s) // gives up the first run
	if _, err := s.rewriteRuns(t.Context(), tasks, nil); err != nil || tasks[0].done {
		t.Error(err, tasks[0].done)
	}
	same(t, "trimmed", contents(t, l), want)
	rep := clean(t, s)
	names, err := filepath.Glob(filepath.Join(s.dir, rowsDir, "*"))
	if err != nil || len(names) != int(rep.Files) {
		t.Errorf("%d files, the catalog has %d: %v", len(names), rep.Files, err)
	}
}

// TestReadersWhileRewritten reads all the time while runs are merged and files go.
func TestReadersWhileRewritten(t *testing.T) {
	s := mustOpen(t, t.TempDir(), manual(Options{RunEvents: 4, OpenFiles: 2, CacheBytes: 64 << 10}))
	defer mustClose(t, s)
	l := keyed(t, s, "log", Compaction{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 4)
	for range cap(done) {
		go func() {
			for ctx.Err() == nil {
				b := l.Bounds()
				at := b.Floor
				for ev, err := range l.Scan(context.Background(), b.Floor, b.Next) {
					if err != nil || ev.Seq != at || string(ev.Payload) != fmt.Sprint(at) {
						done <- fmt.Errorf("%d %q, want %d: %w", ev.Seq, ev.Payload, at, err)
						return
					}
					at++
				}
				if at != b.Next {
					done <- fmt.Errorf("scan of %v ended at %d", b, at)
					return
				}
			}
			done <- nil
		}()
	}
	for i := range 400 {
		put(t, l, "", fmt.Sprint(i))
		if i%4 == 3 {
			sealNow(t, s)
			if err := s.Maintain(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	stop()
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if st := s.rewrites.Load(); st == 0 {
		t.Error("nothing was rewritten")
	}
}

// TestRedact takes payloads out wherever they are, and looks for them in every file.
func TestRedact(t *testing.T) {
	for name, p := range places {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := manual(Options{RunEvents: p.runs, Compression: CompressNone})
			s := mustOpen(t, dir, o)
			l := mustLog(t, s, "log")
			seal := p.seal
			secret := []byte("the secret of ")
			for i := range p.events {
				e := Entry{Key: fmt.Append(nil, i), Kind: 7, Payload: fmt.Append(nil, "other ", i), Headers: []Header{{"h", []byte("other")}}}
				if i%97 == 5 {
					e.Payload, e.Encoding, e.Headers = fmt.Appendf(nil, `{"x":"%s %d"}`, secret, i), JSON, []Header{{"h", secret}}
				}
				if _, err := l.Append(t.Context(), e, AppendOptions{}); err != nil {
					t.Fatal(err)
				}
				if len(seal) > 0 && i+1 == seal[0] {
					sealNow(t, s)
					seal = seal[1:]
				}
			}
			var seqs []Seq
			for i := 5; i < p.events; i += 97 {
				seqs = append(seqs, Seq(i))
			}
			if len(inFiles(t, dir, secret)) == 0 {
				t.Fatal("the test does not find what it looks for")
			}
			if err := l.Redact(t.Context(), seqs...); err != nil {
				t.Fatal(err)
			}
			check := func(when string) {
				t.Helper()
				n := 0
				for ev, err := range l.Scan(t.Context(), 0, maxSeq) {
					if err != nil {
						t.Fatal(err)
					}
					n++
					if redacted := ev.Seq%97 == 5; ev.Redacted != redacted || redacted == (ev.Payload != nil) || redacted == (ev.Headers != nil) ||
						redacted && ev.Encoding != Raw || ev.Kind != 7 || string(ev.Key) != fmt.Sprint(ev.Seq) {
						t.Fatalf("%s: %+v", when, ev)
					}
				}
				if n != p.events {
					t.Errorf("%s: %d events", when, n)
				}
				clean(t, s)
			}
			check("at once")
			mustClose(t, s)
			s = mustOpen(t, dir, o)
			l = mustLog(t, s, "log")
			check("opened again")
			sealNow(t, s)
			check("sealed")
			mustClose(t, s)
			s = mustOpen(t, dir, o)
			l = mustLog(t, s, "log")
			check("sealed and opened again")
			if err := l.Redact(t.Context(), seqs...); err != nil { // again, which changes nothing
				t.Fatal(err)
			}
			mustAppend(t, l, "so that the journal has something")
			if err := l.Redact(t.Context(), 6); err != nil { // not a secret
				t.Fatal(err)
			}
			if err := s.Maintain(t.Context()); err != nil {
				t.Fatal(err)
			}
			if found := inFiles(t, dir, secret); len(found) > 0 {
				t.Errorf("it is still in %v", found)
			}
			if len(l.masked) != 0 || l.sealed.redact != 0 {
				t.Errorf("%d masked, %d to do", len(l.masked), l.sealed.redact)
			}
			if ev, err := l.Read(t.Context(), 6); err != nil || !ev.Redacted {
				t.Errorf("%+v %v", ev, err)
			}
			clean(t, s)
			mustClose(t, s)
		})
	}
}

// TestRedactRefused: what is not there cannot be redacted, and then nothing is.
func TestRedactRefused(t *testing.T) {
	s := mustOpen(t, t.TempDir(), manual(Options{RunEvents: 2}))
	defer mustClose(t, s)
	l := keyed(t, s, "log", Compaction{ByKey: true})
	for i := range 4 {
		put(t, l, "a", fmt.Sprint(i))
	}
	compactNow(t, l)
	put(t, l, "b", "1")
	if err := l.Redact(t.Context(), 3, 9); !errors.Is(err, ErrNoEvent) {
		t.Error(err)
	}
	if err := l.Redact(t.Context(), 3, 1); !errors.Is(err, ErrCompacted) {
		t.Error(err)
	}
	if err := l.Trim(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	if err := l.Redact(t.Context(), 4, 3); !errors.Is(err, ErrRangeLost) {
		t.Error(err)
	}
	if ev, err := l.Read(t.Context(), 4); err != nil || ev.Redacted {
		t.Error(ev, err)
	}
}

// TestSmallFilesStay: what a small file has beside its runs does not make it half dead, which would move its runs for ever.
func TestSmallFilesStay(t *testing.T) {
	s := mustOpen(t, t.TempDir(), manual(Options{RunEvents: 4}))
	defer mustClose(t, s)
	for i := range 3 {
		l := keyed(t, s, fmt.Sprint("log", i), Compaction{})
		for k := range 4 {
			put(t, l, "", fmt.Sprint(k))
		}
		sealNow(t, s)
	}
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := s.rewrites.Load(); n != 0 {
		t.Errorf("%d rewrites of files in which everything lives", n)
	}
	clean(t, s)
}
