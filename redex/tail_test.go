package redex

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestTailsDuringImport has ten tails from 0 while four goroutines append and sealing moves events away under them. One of the
// tails is slow. Each sees every event once, in order.
func TestTailsDuringImport(t *testing.T) {
	s := mustOpen(t, t.TempDir()+"/store", Options{Sync: SyncPolicy{Mode: SyncNever}, SealBytes: 32 << 10, RunEvents: 50, OpenFiles: 1})
	defer mustClose(t, s)
	l := mustLog(t, s, "a")
	const writers, each = 4, 3000
	ctx := t.Context()
	var wg sync.WaitGroup
	turn := make(chan struct{}) // lets the slow tail go on
	for i := range 10 {
		wg.Go(func() {
			tail := l.Tail(0, TailOptions{Durable: i%3 == 0})
			defer tail.Close()
			var last [writers]int
			for n := range Seq(writers * each) {
				if i == 9 && n%1000 == 0 {
					<-turn
				}
				if !tail.Next(ctx) {
					t.Errorf("tail %d ended at %d: %v", i, n, tail.Err())
					return
				}
				var w, k int
				if _, err := fmt.Sscanf(string(tail.Event().Payload), "%d %d", &w, &k); err != nil || tail.Event().Seq != n || k != last[w] {
					t.Errorf("tail %d at %d: %d %q, want %d of writer %d", i, n, tail.Event().Seq, tail.Event().Payload, last[w], w)
					return
				}
				last[w]++
			}
			if tail.TryNext(ctx) || tail.Err() != nil {
				t.Errorf("tail %d goes on after the end: %v", i, tail.Err())
			}
		})
	}
	var imports sync.WaitGroup
	for w := range writers {
		imports.Go(func() {
			for k := range each {
				if _, err := l.Append(ctx, Entry{Payload: fmt.Appendf(nil, "%d %d some payload to fill the journal", w, k)}, AppendOptions{}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	imports.Wait()
	if err := s.Sync(ctx); err != nil {
		t.Error(err)
	}
	for range writers * each / 1000 {
		turn <- struct{}{}
	}
	wg.Wait()
	if n := l.waiters.Load(); n != 0 {
		t.Errorf("%d tails still wait", n)
	}
}

func TestTailDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := OpenMemory(t.Context(), Options{Sync: SyncPolicy{Mode: SyncNever}})
		if err != nil {
			t.Fatal(err)
		}
		l := mustLog(t, s, "a")
		mustAppend(t, l, "x")
		all, durable := l.Tail(0, TailOptions{}), l.Tail(0, TailOptions{Durable: true})
		if !all.TryNext(t.Context()) {
			t.Error(all.Err())
		}
		if durable.TryNext(t.Context()) || durable.Err() != nil {
			t.Error("an event was delivered before it was durable", durable.Err())
		}
		got := make(chan bool)
		go func() { got <- durable.Next(t.Context()) }()
		synctest.Wait()
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !<-got {
			t.Error(durable.Err())
		}
		if err := errors.Join(all.Close(), durable.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestTailContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := OpenMemory(t.Context(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		l := mustLog(t, s, "a")
		tail := l.Tail(2, TailOptions{}) // beyond the end
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if tail.Next(ctx) || !errors.Is(tail.Err(), context.DeadlineExceeded) {
			t.Errorf("%v", tail.Err())
		}
		mustAppend(t, l, "0", "1", "2")
		if !tail.Next(t.Context()) || tail.Event().Seq != 2 {
			t.Errorf("tail does not go on after its context ended: %v", tail.Err())
		}
		if err := l.Trim(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		late := l.Tail(1, TailOptions{})
		lost, ok := (*RangeLostError)(nil), false
		if late.Next(t.Context()) {
			t.Error("delivered what is gone")
		}
		if lost, ok = errors.AsType[*RangeLostError](late.Err()); !ok || lost.From != 1 || lost.To != 3 {
			t.Errorf("%v", late.Err())
		}
		got := make(chan error)
		go func() {
			tail.Next(t.Context())
			got <- tail.Err()
		}()
		synctest.Wait()
		if err := s.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if err := <-got; !errors.Is(err, ErrLogDeleted) {
			t.Errorf("%v", err)
		}
		if err := errors.Join(tail.Close(), late.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
}

// TestBatchIsOne has a reader look at two logs while batches are appended to both: it never sees one without the other.
func TestBatchIsOne(t *testing.T) {
	s, err := OpenMemory(t.Context(), Options{Sync: SyncPolicy{Mode: SyncNever}, SealBytes: 32 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, s)
	a, b := mustLog(t, s, "a"), mustLog(t, s, "b")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 5000 {
			if _, err := s.Append(context.Background(), []Batch{{Log: a, Entries: []Entry{{}}}, {Log: b, Entries: []Entry{{}, {}}}}, AppendOptions{}); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for open := true; open; {
		select {
		case <-done:
			open = false
		default:
		}
		na := a.Bounds().Next
		if nb := b.Bounds().Next; nb < 2*na || nb%2 != 0 {
			t.Fatalf("%d events in one log, %d in the other", na, nb)
		}
		c := s.Cut()
		ba, err1 := a.BoundsAt(t.Context(), c)
		bb, err2 := b.BoundsAt(t.Context(), c)
		if err1 != nil || err2 != nil || bb.Next != 2*ba.Next {
			t.Fatalf("at one cut: %v and %v, %v, %v", ba, bb, err1, err2)
		}
	}
}
