package fold_test

import (
	"bytes"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// TestOneHandleOfAName: a fold is open once in a store. Else one handle takes away the pieces of a checkpoint that another reads.
func TestOneHandleOfAName(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	h := open(t, s, wordsDef(fold.Options{}))
	refused := func() {
		t.Helper()
		for _, off := range []bool{false, true} {
			b, err := fold.Open(t.Context(), s, wordsDef(fold.Options{Checkpoint: fold.Checkpoint{Off: off}}))
			if !errors.Is(err, fold.ErrOpen) || b != nil {
				t.Fatal(err)
			}
		}
		if err := fold.Import(t.Context(), s, "words", bytes.NewReader(nil)); !errors.Is(err, fold.ErrOpen) {
			t.Fatal(err)
		}
	}
	refused()
	if err := h.Wait(short(t), add(t, l, word("a"))); err != nil {
		t.Fatal("a refused handle did something to the first:", err)
	}
	other := wordsDef(fold.Options{})
	other.Name = "other"
	open(t, s, other)
	open(t, store(t), wordsDef(fold.Options{}))

	add(t, l, word("bad")) // a fold that has stopped is open still
	for _, err := range h.Changes(short(t)) {
		if err != nil && !errors.Is(err, fold.ErrFoldStopped) {
			t.Fatal(err)
		}
	}
	refused()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.Checkpoint(short(t)); !errors.Is(err, fold.ErrClosed) {
		t.Fatal("a closed handle writes a checkpoint:", err)
	}

	// An Open that fails takes nothing.
	d := wordsDef(fold.Options{})
	d.New = func() *counts { panic("no state") }
	if _, err := fold.Open(t.Context(), s, d); err == nil || errors.Is(err, fold.ErrOpen) {
		t.Fatal(err)
	}
	h = open(t, s, wordsDef(fold.Options{}))
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil { // the second gives up nothing that is another's by now
		t.Fatal(err)
	}
	open(t, s, wordsDef(fold.Options{}))
	h.Close()
	refused()
}

// TestConcurrentOpens: of many that open and close one fold, one has it at a time, and each goes on where the one before closed.
func TestConcurrentOpens(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	const workers, rounds = 4, 8
	var holders, opened atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for n := 0; n < rounds; {
				h, err := fold.Open(t.Context(), s, wordsDef(fold.Options{}))
				if errors.Is(err, fold.ErrOpen) {
					runtime.Gosched()
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				n++
				if holders.Add(1) != 1 {
					t.Error("two have it")
				}
				st := h.Stats()
				if first := opened.Add(1) == 1; st.Resumed == first || st.Rebuilt != nil {
					t.Errorf("%+v", st)
				}
				a, err := l.Append(t.Context(), word("a"), redex.AppendOptions{Durable: redex.DurableNo})
				if err == nil {
					err = h.Wait(t.Context(), fold.TokenOf(a.Position))
				}
				if st := h.Stats(); err != nil || st.Events != 1 {
					t.Errorf("%v: %+v", err, st)
				}
				holders.Add(-1)
				if err := h.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	h := open(t, s, wordsDef(fold.Options{}))
	rightState(t, h, workers*rounds)
}
