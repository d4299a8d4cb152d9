package redex

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// places are where the events of a log are when its retention is applied: in the journal, in rows of the catalog, in runs, and in
// all of them.
var places = map[string]struct {
	events int
	seal   []int // after so many events
	runs   int   // RunEvents
}{
	"journal": {100, nil, 256},
	"rows":    {100, []int{100}, 256},
	"runs":    {3000, []int{1000, 2000, 3000}, 256},
	"all":     {1300, []int{1000, 1200}, 256},
}

// fill makes a log with events of 100 bytes each, and returns the time of each.
func fill(t *testing.T, s *Store, events int, seal []int) (*Log, []int64) {
	t.Helper()
	l := mustLog(t, s, "log")
	var times []int64
	for i := range events {
		a, err := l.Append(context.Background(), Entry{Payload: bytes.Repeat([]byte{byte(i)}, 90), Key: fmt.Appendf(nil, "%010d", i)}, AppendOptions{Durable: DurableNo})
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, a.Time)
		if len(seal) > 0 && i+1 == seal[0] {
			if err := s.Seal(context.Background()); err != nil {
				t.Fatal(err)
			}
			seal = seal[1:]
		}
	}
	return l, times
}

func retained(t *testing.T, s *Store, l *Log, r Retention) Bounds {
	t.Helper()
	before := l.Bounds()
	if err := s.SetOptions(context.Background(), l.Name(), LogOptions{Retention: r}); err != nil { // which also wakes the background
		t.Fatal(err)
	}
	n, err := s.Retain(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	after := l.Bounds()
	if int64(after.Floor-before.Floor) < n || after.Next != before.Next {
		t.Errorf("from %v to %v, and it said %d", before, after, n)
	}
	return after
}

func TestRetention(t *testing.T) {
	for name, p := range places {
		t.Run(name, func(t *testing.T) {
			s := mustOpen(t, t.TempDir(), Options{Sync: SyncPolicy{Mode: SyncNever}, RunEvents: p.runs})
			defer mustClose(t, s)
			var now atomic.Int64 // read in the background too
			now.Store(s.now())
			s.now = now.Load
			l, times := fill(t, s, p.events, p.seal)
			at := Seq(p.events / 10)
			if b := retained(t, s, l, Retention{Events: int64(p.events) - int64(at)}); b.Floor != at {
				t.Errorf("by count: %v, want from %d", b, at)
			}
			at = Seq(p.events / 5)
			now.Store(times[at] + int64(time.Hour))
			if b := retained(t, s, l, Retention{Age: time.Hour}); b.Floor != at {
				t.Errorf("by age: %v, want from %d", b, at)
			}
			now.Store(0) // a clock that went back
			if b := retained(t, s, l, Retention{Age: time.Hour}); b.Floor != at {
				t.Errorf("by age before all: %v, want from %d", b, at)
			}
			// By bytes, to the event in runs, to a span elsewhere; what is beside an event there counts too.
			for _, keep := range []int64{int64(p.events) * 60, 5000, 150} {
				b := retained(t, s, l, Retention{Bytes: keep})
				most, least := keep/100, (keep-spanBytes)/130
				if name == "runs" {
					least = most
				}
				if n := b.Len(); n > most || n < max(least, 1) {
					t.Errorf("by %d bytes: %d events are kept, want %d to %d", keep, n, least, most)
				}
				if again := retained(t, s, l, Retention{Bytes: keep}); again != b {
					t.Errorf("by %d bytes again: %v, was %v", keep, again, b)
				}
				if err := s.Seal(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			if b := retained(t, s, l, Retention{Bytes: 1}); b.Len() != 1 {
				t.Errorf("the newest event is not kept: %v", b)
			}
			now.Store(times[p.events-1] + int64(time.Hour))
			if b := retained(t, s, l, Retention{Age: time.Minute}); b.Len() != 0 || b.Next != Seq(p.events) {
				t.Errorf("by age, all of it: %v", b)
			}
			if a := mustAppend(t, l, "next"); a.Seq != Seq(p.events) {
				t.Errorf("sequence %d after all was given up", a.Seq)
			}
		})
	}
}

// TestRetentionInBackground: a log that grows is bounded without being asked, before and after the store is opened again, and
// who reads behind is told what is gone.
func TestRetentionInBackground(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	o := Options{Sync: SyncPolicy{Mode: SyncNever}, RetainEvery: 10 * time.Millisecond, SealBytes: 64 << 10}
	s := mustOpen(t, dir, o)
	l, err := s.Create(ctx, "log", LogOptions{Retention: Retention{Events: 50}})
	if err != nil {
		t.Fatal(err)
	}
	tail := l.Tail(0, TailOptions{})
	grow := func(l *Log) {
		t.Helper()
		for range 2000 {
			mustAppend(t, l, string(make([]byte, 100)))
		}
		for deadline := time.Now().Add(20 * time.Second); l.Bounds().Len() != 50; runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatalf("the log has %v", l.Bounds())
			}
		}
	}
	grow(l)
	for tail.TryNext(ctx) { // what it had read ahead
	}
	if lost, ok := errors.AsType[*RangeLostError](tail.Err()); !ok || lost.To != l.Bounds().Floor || lost.From >= lost.To {
		t.Errorf("a tail behind: %v", tail.Err())
	}
	if err := tail.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	s = mustOpen(t, dir, o)
	if l, err = s.Log("log"); err != nil {
		t.Fatal(err)
	}
	if r := l.Options().Retention; r.Events != 50 {
		t.Errorf("after opening: %+v", r)
	}
	grow(l)
	mustClose(t, s)
}

// TestRetentionAtOnce: a log with a new retention, or whose events were sealed, does not wait for the look at all logs.
func TestRetentionAtOnce(t *testing.T) {
	ctx := context.Background()
	s := mustOpen(t, t.TempDir(), Options{RetainEvery: time.Hour})
	defer mustClose(t, s)
	l := mustLog(t, s, "log")
	mustAppend(t, l, "a", "b", "c")
	until := func(floor Seq) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); l.Bounds().Floor != floor; runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatalf("the log has %v, not from %d", l.Bounds(), floor)
			}
		}
	}
	if err := s.SetOptions(ctx, "log", LogOptions{Retention: Retention{Events: 1}}); err != nil {
		t.Fatal(err)
	}
	until(2)
	mustAppend(t, l, "d", "e")
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	until(4)
}

// TestRetainedLogs: the catalog knows which logs have a retention, also when it comes and goes.
func TestRetainedLogs(t *testing.T) {
	ctx := context.Background()
	s := mustOpen(t, t.TempDir(), Options{})
	defer mustClose(t, s)
	ids := func() []LogID {
		t.Helper()
		if err := s.Seal(ctx); err != nil {
			t.Fatal(err)
		}
		ids, err := s.retainedLogs()
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	for i := range 3 {
		if _, err := s.Create(ctx, fmt.Sprint(i), LogOptions{Retention: Retention{Events: int64(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]LogID{2, 3}, ids()); d != "" {
		t.Error(d)
	}
	for name, r := range map[string]Retention{"0": {Age: 1}, "1": {}, "2": {Bytes: 5}} {
		if err := s.SetOptions(ctx, name, LogOptions{Retention: r}); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]LogID{1, 3}, ids()); d != "" {
		t.Error(d)
	}
	if err := s.Delete(ctx, "0"); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]LogID{3}, ids()); d != "" {
		t.Error(d)
	}
}

// TestPauseRetention: nothing goes while anyone asks for it, and what was asked meanwhile goes afterwards.
func TestPauseRetention(t *testing.T) {
	ctx := context.Background()
	s := mustOpen(t, t.TempDir(), Options{})
	defer mustClose(t, s)
	l, err := s.Create(ctx, "log", LogOptions{Retention: Retention{Events: 1}})
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, "a", "b", "c")
	one, two := s.PauseRetention(), s.PauseRetention()
	one()
	one()
	done := make(chan error)
	go func() {
		_, err := l.Retain(ctx)
		done <- err
	}()
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if _, err := l.Retain(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("during a pause: %v", err)
	}
	if b := l.Bounds(); b.Len() != 3 {
		t.Errorf("during a pause: %v", b)
	}
	two()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if b := l.Bounds(); b.Len() != 1 {
		t.Errorf("after a pause: %v", b)
	}
}

func TestQuota(t *testing.T) {
	ctx := context.Background()
	s := mustOpen(t, t.TempDir(), Options{})
	defer func() { mustClose(t, s) }()
	l, err := s.Create(ctx, "log", LogOptions{Quota: Quota{Bytes: 10_000}})
	if err != nil {
		t.Fatal(err)
	}
	other := mustLog(t, s, "other")
	payload := make([]byte, 900)
	for i := range 30 {
		_, err = l.Append(ctx, Entry{Payload: payload}, AppendOptions{})
		if i == 3 {
			if err := s.Seal(ctx); err != nil { // the first ones count where they are now
				t.Fatal(err)
			}
		}
		if err != nil {
			break
		}
	}
	if q, ok := errors.AsType[*QuotaError](err); !ok || q.Log != "log" || q.Bytes <= 10_000 || q.Bytes > 10_000+1000 {
		t.Fatal(err)
	}
	n := l.Bounds().Len()
	if n < 10 || n > 11 {
		t.Errorf("%d events of 900 bytes fit", n)
	}
	// An append to several logs is refused as a whole.
	if _, err := s.Append(ctx, []Batch{{Log: other, Entries: []Entry{{}}}, {Log: l, Entries: []Entry{{Payload: payload}}}}, AppendOptions{}); !errors.Is(err, ErrQuota) {
		t.Error(err)
	}
	if other.Bounds().Len() != 0 || l.Bounds().Len() != n {
		t.Error(other.Bounds(), l.Bounds())
	}
	// What was given up makes room once it is gone from the catalog.
	if err := l.Trim(ctx, l.Bounds().Next); err != nil {
		t.Fatal(err)
	}
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(ctx, Entry{Payload: payload}, AppendOptions{}); err != nil {
		t.Error(err)
	}
	for _, o := range []LogOptions{{Quota: Quota{Events: -1}}, {Retention: Retention{Age: -1}}, {Retention: Retention{Bytes: -1}}} {
		if err := s.SetOptions(ctx, "log", o); !errors.Is(err, ErrOptions) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestRenames: names that logs pass on to each other between two passes of sealing, and before and after opening.
func TestRenames(t *testing.T) {
	ctx := context.Background()
	for _, seal := range []bool{false, true} {
		for _, reopen := range []bool{false, true} {
			dir := t.TempDir()
			s := mustOpen(t, dir, Options{})
			a, b := mustLog(t, s, "a"), mustLog(t, s, "b")
			mustAppend(t, a, "in a")
			mustAppend(t, b, "in b")
			if seal {
				if err := s.Seal(ctx); err != nil {
					t.Fatal(err)
				}
			}
			for _, names := range [][2]string{{"a", "x"}, {"b", "a"}, {"x", "b"}} {
				if err := s.Rename(ctx, names[0], names[1]); err != nil {
					t.Fatal(err)
				}
			}
			c := mustLog(t, s, "x")
			mustAppend(t, c, "in x")
			if err := s.Delete(ctx, "x"); err != nil {
				t.Fatal(err)
			}
			if reopen {
				mustClose(t, s)
				s = mustOpen(t, dir, Options{})
			}
			check := func() {
				t.Helper()
				var got []string
				for i, err := range s.Logs("") {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, fmt.Sprint(i.Name, i.ID, i.Bounds.Next))
				}
				if d := cmp.Diff([]string{"a2 1", "b1 1"}, got); d != "" {
					t.Errorf("seal=%v reopen=%v: %s", seal, reopen, d)
				}
				for name, want := range map[string]string{"a": "in b", "b": "in a"} {
					l, err := s.Log(name)
					if err != nil {
						t.Fatal(err)
					}
					if ev, err := l.Latest(ctx); err != nil || string(ev.Payload) != want {
						t.Errorf("%q has %q, %v", name, ev.Payload, err)
					}
				}
			}
			check()
			if err := s.Seal(ctx); err != nil {
				t.Fatal(err)
			}
			check()
			if rep, err := s.Check(ctx); err != nil || len(rep.Damage) > 0 {
				t.Error(rep, err)
			}
			mustClose(t, s)
			s = mustOpen(t, dir, Options{})
			check()
			for name, want := range map[string]error{"": ErrName, "a b": ErrName, "a": ErrLogExists} {
				if err := s.Rename(ctx, "b", name); !errors.Is(err, want) {
					t.Errorf("rename to %q: %v", name, err)
				}
			}
			if err := s.Rename(ctx, "none", "y"); !errors.Is(err, ErrNoLog) {
				t.Error(err)
			}
			mustClose(t, s)
		}
	}
}

// TestRetainOverGaps checks that a retention leaves the floor where it is when compaction by key took all that lies before the oldest
// event to keep: readers that wait there have lost nothing.
func TestRetainOverGaps(t *testing.T) {
	ctx := t.Context()
	s := mustOpen(t, t.TempDir(), Options{RunEvents: 2, Sync: SyncPolicy{Mode: SyncNever}})
	defer s.Close()
	o := LogOptions{Compaction: Compaction{ByKey: true}}
	l, err := s.OpenLog(ctx, "log", o)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "a", "b", "a", "c", "b"} {
		if _, err := l.Append(ctx, Entry{Key: []byte(key), Payload: []byte("x")}, AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := l.Compact(ctx); n != 3 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	for _, want := range []struct {
		keep, gone int64
		floor      Seq
	}{{3, 0, 0}, {2, 4, 4}} {
		o.Retention = Retention{Events: want.keep}
		if err := s.SetOptions(ctx, "log", o); err != nil {
			t.Fatal(err)
		}
		// Setting it had it applied in the background, or will: then this finds nothing left.
		if n, err := l.Retain(ctx); n > want.gone || err != nil {
			t.Errorf("keeping %d: %d are gone, %v", want.keep, n, err)
		}
		if b := l.Bounds(); b.Floor != want.floor {
			t.Errorf("keeping %d: floor %d, want %d", want.keep, b.Floor, want.floor)
		}
	}
}
