package fold_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// TestWaitErrors provokes each error of Wait (6.4, 64, 65, 76, 77, 78).
func TestWaitErrors(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	other := openLog(t, s, "other")
	release := make(chan struct{})
	d := wordsDef(fold.Options{MaxWaiters: 2})
	d.Fold = fold.Func[counts](func(s *counts, ev redex.Event) error {
		if ev.Seq == 1 {
			<-release
		}
		return countWords(s, ev)
	})
	h := open(t, s, d)
	done := add(t, l, word("a"))
	if err := h.Wait(short(t), done); err != nil {
		t.Fatal(err)
	}
	held := add(t, l, word("b"))
	over, stop := context.WithTimeout(t.Context(), 0)
	defer stop()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	errWhy := errors.New("nobody asks any more")
	why, give := context.WithCancelCause(t.Context())
	give(errWhy)

	foreign := held.Position()
	foreign.Store[3]++
	lost := held.Position()
	lost.Epoch += 7
	otherTok := add(t, other, word("a"))
	for i, c := range []struct {
		ctx  context.Context
		tok  fold.WriteToken
		want error
	}{
		{over, done, nil}, // a deadline that is over polls
		{cancelled, done, nil},
		{over, held, context.DeadlineExceeded},
		{cancelled, held, context.Canceled},
		{why, held, context.Canceled}, // the kind of end and its cause
		{why, held, errWhy},
		{t.Context(), fold.TokenOf(foreign), fold.ErrWrongOrigin},
		{t.Context(), otherTok, fold.ErrWrongOrigin},
		{t.Context(), fold.WriteToken{}, fold.ErrWrongOrigin},
		{t.Context(), fold.TokenOf(lost), fold.ErrEpoch},
	} {
		err := h.Wait(c.ctx, c.tok)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%d: %v, want %v", i, err, c.want)
		}
		w, ok := errors.AsType[*fold.WaitError](err)
		if err != nil && (!ok || w.Token != c.tok || w.Fold != "words" || w.Timeout() != errors.Is(c.want, context.DeadlineExceeded)) {
			t.Errorf("%d: %#v", i, err)
		}
		if c.want == context.DeadlineExceeded && w.Next != 1 {
			t.Errorf("%d: folded below %d", i, w.Next)
		}
	}

	// Two may wait, the third is refused before it waits, and a place given back can be had again.
	errs := make(chan error, 2)
	mortal, kill := context.WithCancel(t.Context())
	go func() { errs <- h.Wait(mortal, held) }()
	go func() { errs <- h.Wait(t.Context(), held) }()
	until(t, func() bool { return h.Stats().Waiting == 2 })
	if err := h.Wait(t.Context(), held); !errors.Is(err, fold.ErrTooManyWaiters) {
		t.Fatal(err)
	}
	if err := h.Wait(t.Context(), done); err != nil {
		t.Fatal("a wait that need not wait was refused:", err)
	}
	kill()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	go func() { errs <- h.Wait(t.Context(), held) }()
	until(t, func() bool { return h.Stats().Waiting == 2 })
	close(release)
	for range 2 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	st := h.Stats()
	if st.Waiting != 0 || st.WaitRefused != 1 || st.WaitTimeout != 1 || st.Waits < 3 {
		t.Fatalf("%+v", st)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.Wait(t.Context(), done); !errors.Is(err, fold.ErrClosed) {
		t.Fatal(err)
	}
}

func until(t *testing.T, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !cond(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("never happened")
		}
	}
}

// TestWaitLimitIsShared: one bound for several folds (6.4, 77).
func TestWaitLimitIsShared(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	limit := fold.NewWaitLimit(1)
	release := make(chan struct{})
	d := wordsDef(fold.Options{Waiters: limit})
	d.Fold = fold.Func[counts](func(*counts, redex.Event) error { <-release; return nil })
	a := open(t, s, d)
	d.Name = "second"
	b := open(t, s, d)
	tok := add(t, l, word("a"))
	errs := make(chan error, 1)
	go func() { errs <- a.Wait(t.Context(), tok) }()
	until(t, func() bool { return a.Stats().Waiting == 1 })
	if err := b.Wait(t.Context(), tok); !errors.Is(err, fold.ErrTooManyWaiters) {
		t.Fatal(err)
	}
	if b.Stats().Waiting != 0 {
		t.Fatal("a refused wait kept its place")
	}
	close(release)
	if err := <-errs; err != nil {
		t.Fatal(err)
	}
	if err := b.Wait(short(t), tok); err != nil {
		t.Fatal(err)
	}
}

// TestDeadline: a wait ends at its deadline and not before.
func TestDeadline(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	tok := add(t, l, word("a"))
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		d := wordsDef(fold.Options{Checkpoint: fold.Checkpoint{Off: true}})
		d.Fold = fold.Func[counts](func(*counts, redex.Event) error { <-release; return nil })
		h, err := fold.Open(t.Context(), s, d)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		start := time.Now()
		if err := h.Wait(ctx, tok); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Hour {
			t.Fatal(err, time.Since(start))
		}
		close(release)
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
