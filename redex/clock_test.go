package redex

import (
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"time"
)

// TestClock has clocks that go back, stand still, and are far ahead, within a run and between two: times of a log grow whatever the clock
// says, and so they do when all is opened again.
func TestClock(t *testing.T) {
	last := time.Unix(0, math.MaxInt64) // in 2262; the nanosecond after it is no int64
	clocks := map[string][]time.Time{
		"zero":       {time.Time{}, time.Unix(0, 0), time.Time{}},
		"1970":       {time.Unix(0, 0), time.Unix(0, 0), time.Unix(0, 1)},
		"back":       {time.Unix(2e9, 0), time.Unix(1e9, 0), time.Unix(1, 0), time.Unix(2e9, 5)},
		"last":       {last.Add(-time.Second), last, last, last},
		"behind":     {last.Add(1), last.Add(time.Hour), last.Add(-time.Hour)},
		"far":        {time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(2e9, 0), time.Unix(math.MaxInt64, 0)},
		"1600":       {time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1e9, 0), time.Date(1677, 1, 1, 0, 0, 0, 0, time.UTC)},
		"there+back": {time.Unix(1e9, 0), last, time.Unix(1e9+1, 0)},
	}
	for name, times := range clocks {
		t.Run(name, func(t *testing.T) { runClock(t, times) })
	}
}

func runClock(t *testing.T, times []time.Time) {
	ctx := t.Context()
	var now atomic.Pointer[time.Time]
	now.Store(&times[0])
	o := Options{RunEvents: 4, Sync: SyncPolicy{Mode: SyncNever}, clock: func() time.Time { return *now.Load() }}
	dir := t.TempDir() + "/store"
	var seen []int64
	check := func(s *Store) {
		t.Helper()
		l := mustLog(t, s, "a")
		at := 0
		for ev, err := range l.Scan(ctx, 0, maxSeq) {
			if err != nil || at == len(seen) || ev.Time != seen[at] || at > 0 && ev.Time <= seen[at-1] || ev.Time < 0 {
				t.Fatalf("event %d at %d of %v: %v", at, ev.Time, seen, err)
			}
			if seq, err := l.SeekTime(ctx, ev.Time); err != nil || seq != Seq(at) {
				t.Fatalf("event %d at %d is found at %d, %v", at, ev.Time, seq, err)
			}
			at++
		}
		if at != len(seen) {
			t.Fatalf("%d events, want %d", at, len(seen))
		}
	}
	for round := range 4 {
		s := mustOpen(t, dir, o)
		if s.Recovery().MayHaveLost {
			t.Fatalf("%+v", s.Recovery())
		}
		check(s)
		for i := range times {
			now.Store(&times[(i+round)%len(times)])
			for range 3 {
				seen = append(seen, mustAppend(t, mustLog(t, s, "a"), fmt.Sprint(len(seen))).Time)
			}
			check(s)
			if i == round%2 {
				if err := s.Seal(ctx); err != nil {
					t.Fatal(err)
				}
				check(s)
			}
		}
		if rep, err := s.Check(ctx); err != nil || len(rep.Damage) > 0 {
			t.Fatalf("check: %v, %v", rep.Damage, err)
		}
		mustClose(t, s)
	}
}

// TestRetentionAndClock gives up by age under clocks that say anything: one that went back, or to before there were any, gives nothing up,
// whatever the age; the longest age gives nothing up of what is new.
func TestRetentionAndClock(t *testing.T) {
	ctx := t.Context()
	start := time.Unix(1.7e9, 0)
	var now atomic.Pointer[time.Time]
	now.Store(&start)
	s := mustOpen(t, t.TempDir()+"/store", Options{clock: func() time.Time { return *now.Load() }, RetainEvery: 24 * time.Hour})
	defer mustClose(t, s)
	for _, age := range []time.Duration{1, time.Hour, math.MaxInt64} {
		l, err := s.Create(ctx, fmt.Sprint("age/", int64(age)), LogOptions{Retention: Retention{Age: age}})
		if err != nil {
			t.Fatal(err)
		}
		mustAppend(t, l, "one", "two")
		for _, clock := range []time.Time{{}, time.Unix(0, 0), time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC), start.Add(-time.Hour)} {
			now.Store(&clock)
			if _, err := s.Retain(ctx, ""); err != nil {
				t.Fatal(err)
			}
			if b := l.Bounds(); b != (Bounds{0, 2}) {
				t.Fatalf("age %v at %v: %v is left", age, clock, b)
			}
		}
		now.Store(&start)
	}
	far := time.Date(2262, 4, 12, 0, 0, 0, 0, time.UTC) // its nanoseconds are no int64
	now.Store(&far)
	if _, err := s.Retain(ctx, ""); err != nil {
		t.Fatal(err)
	}
	for age, want := range map[time.Duration]Bounds{1: {2, 2}, time.Hour: {2, 2}, math.MaxInt64: {0, 2}} {
		if b := mustLog(t, s, fmt.Sprint("age/", int64(age))).Bounds(); b != want {
			t.Errorf("age %v, with a clock far ahead: %v is left, want %v", age, b, want)
		}
	}
}
