package redex

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// TestFollower has one goroutine read many logs while others append to them. After each Take it has read, of every log,
// everything up to the cut, though it looked only at those that were taken.
func TestFollower(t *testing.T) {
	s := mustOpen(t, t.TempDir()+"/store", Options{Sync: SyncPolicy{Mode: SyncNever}, SealBytes: 32 << 10, RunEvents: 50})
	defer mustClose(t, s)
	const writers, each, count = 4, 900, 40
	ctx := t.Context()
	var logs []*Log
	var tails []*Tail
	for i := range count {
		logs = append(logs, mustLog(t, s, fmt.Sprint("log", i)))
		tails = append(tails, logs[i].Tail(0, TailOptions{}))
		defer tails[i].Close()
	}
	all := make([]Batch, count)
	for i, l := range logs {
		all[i] = Batch{Log: l, Entries: []Entry{{}}}
	}
	f := s.Follow(logs)
	defer f.Close()
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for k := range each {
				var err error
				if k%3 > 0 {
					_, err = logs[(w+k*7)%count].Append(ctx, Entry{Payload: []byte("one")}, AppendOptions{})
				} else {
					_, err = s.Append(ctx, all, AppendOptions{}) // wakes one after the other
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var taken []int
	for n, takes := 0, 0; n < writers*each*(2+count)/3; takes++ {
		var c Cut
		c, taken = f.Take(taken[:0])
		if sorted := slices.Sorted(slices.Values(taken)); len(slices.Compact(sorted)) != len(taken) || takes == 0 && len(taken) != count {
			t.Fatal("taken:", taken)
		}
		for _, i := range taken {
			for tails[i].TryNext(ctx) {
				n++
			}
			if err := tails[i].Err(); err != nil {
				t.Fatal(err)
			}
			if takes%3 == 0 {
				if err := tails[i].Release(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i, l := range logs {
			b, err := l.BoundsAt(ctx, c)
			if err != nil {
				t.Fatal(err)
			}
			if at := tails[i].Position(); at < b.Next {
				t.Fatalf("take %d: log %d is read up to %d, at the cut it had %d; taken were %v", takes, i, at, b.Next, taken)
			}
		}
		if len(taken) == 0 {
			if err := f.Wait(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	wg.Wait()
	f.Close()
	for _, l := range logs {
		if l.followers.get() != nil {
			t.Fatal("a log is still followed")
		}
	}
}

// TestFollowerBeforeWake: an append that has become visible and has not woken anybody yet is taken.
func TestFollowerBeforeWake(t *testing.T) {
	s := mustOpen(t, t.TempDir()+"/store", Options{Sync: SyncPolicy{Mode: SyncNever}})
	defer mustClose(t, s)
	a, b := mustLog(t, s, "a"), mustLog(t, s, "b")
	f := s.Follow([]*Log{a, b})
	defer f.Close()
	f.Take(nil)
	batches := []Batch{{Log: b, Entries: []Entry{{}}}}
	sc := s.getScratch()
	defer s.putScratch(sc)
	if err := s.encode(sc, batches, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.tryAppend(batches, false, sc); err != nil {
		t.Fatal(err)
	}
	if c, taken := f.Take(nil); !slices.Equal(taken, []int{1}) || c.Ordinal != sc.plans[0].result.Ordinal {
		t.Fatal("taken", taken, "at", c)
	}
}

// TestFollowerWait: it ends with an append, a deletion, the context and the store, and is not lost when they come first.
func TestFollowerWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := OpenMemory(t.Context(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		a, b := mustLog(t, s, "a"), mustLog(t, s, "b")
		f := s.Follow([]*Log{a, b})
		defer f.Close()
		take := func(want ...int) {
			t.Helper()
			if _, got := f.Take(nil); !slices.Equal(got, want) {
				t.Fatal("taken", got, "instead of", want)
			}
		}
		take(0, 1)
		take()
		ended := make(chan error)
		wait := func(ctx context.Context) {
			go func() { ended <- f.Wait(ctx) }()
			synctest.Wait()
			select {
			case err := <-ended:
				t.Fatal("it did not wait:", err)
			default:
			}
		}
		wait(t.Context())
		mustAppend(t, b, "x")
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		take(1)
		mustAppend(t, a, "x", "y") // before anybody waits
		if err := f.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		take(0)
		ctx, cancel := context.WithCancel(t.Context())
		wait(ctx)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		wait(t.Context())
		if err := s.Delete(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		take(1)
		wait(t.Context())
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
		if err := f.Wait(t.Context()); !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
	})
}

// TestTailRelease: a tail that gives everything back after each event reads the same, from the journal, rows and runs.
func TestTailRelease(t *testing.T) {
	s := mustOpen(t, t.TempDir()+"/store", Options{Sync: SyncPolicy{Mode: SyncNever}, RunEvents: 50})
	defer mustClose(t, s)
	l := mustLog(t, s, "a")
	const n = 170
	for i := range n {
		if _, err := l.Append(t.Context(), Entry{Payload: fmt.Append(nil, i), Headers: []Header{{Name: "n", Value: fmt.Append(nil, i)}}}, AppendOptions{}); err != nil {
			t.Fatal(err)
		}
		if i == 100 || i == 120 { // a run, and rows behind it
			if err := s.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	tail := l.Tail(0, TailOptions{})
	for i := range n {
		if !tail.TryNext(t.Context()) {
			t.Fatal(i, tail.Err())
		}
		ev := tail.Event()
		if want := fmt.Sprint(i); ev.Seq != Seq(i) || string(ev.Payload) != want || string(ev.Headers[0].Value) != want {
			t.Fatalf("%d: %+v", i, ev)
		}
		if err := tail.Release(); err != nil {
			t.Fatal(err)
		}
		if f := tail.f; f.buf != nil || f.file != nil || f.runC != nil || f.ev.Payload != nil {
			t.Fatal("something is held")
		}
	}
	if tail.TryNext(t.Context()) || tail.Err() != nil {
		t.Fatal(tail.Err())
	}
	if err := tail.Close(); err != nil {
		t.Fatal(err)
	}
	if err := tail.Release(); err != nil || tail.TryNext(t.Context()) || tail.Err() == nil {
		t.Fatal("a closed tail goes on", err, tail.Err())
	}
}

// TestFollowedTwice: followers of one log do not disturb each other, a log may have two places in one, and a deletion comes to
// all of them.
func TestFollowedTwice(t *testing.T) {
	s := mustOpen(t, t.TempDir()+"/store", Options{Sync: SyncPolicy{Mode: SyncNever}})
	defer mustClose(t, s)
	a, b := mustLog(t, s, "a"), mustLog(t, s, "b")
	first, second := s.Follow([]*Log{a, b, a}), s.Follow([]*Log{b, a})
	defer second.Close()
	take := func(f *Follower, want ...int) {
		t.Helper()
		_, got := f.Take(nil)
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Fatal("taken", got, "instead of", want)
		}
	}
	take(first, 0, 1, 2)
	take(second, 0, 1)
	mustAppend(t, a, "x", "y")
	take(first, 0, 2)
	take(second, 1)
	take(first)
	first.Close()
	first.Close()
	mustAppend(t, a, "x")
	take(first)
	take(second, 1)
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	take(second, 1)
	if err := second.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	late := s.Follow([]*Log{a}) // a deleted log can be followed: its tail says that it is
	defer late.Close()
	take(late, 0)
}
