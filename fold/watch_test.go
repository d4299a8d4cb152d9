package fold_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// TestChanges: merged changes say how many events they stand for (6.4, 75).
func TestChanges(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	h := open(t, s, wordsDef(fold.Options{}))
	feed := h.Changes(t.Context())
	for range 100 {
		add(t, l, word("a"))
	}
	if err := h.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	var events int64
	n := 0
	for c, err := range feed {
		if err != nil {
			if !errors.Is(err, fold.ErrClosed) {
				t.Fatal(err)
			}
			break
		}
		n++
		events += c.Events
		if c.Marks[0].Next != redex.Seq(events) {
			t.Fatalf("%+v", c)
		}
		switch {
		case n == 1 && events != 100:
			t.Fatal("history was told in more than one change to a reader that came late:", events)
		case n == 1:
			add(t, l, word("b"))
		case events == 101:
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if events != 101 {
		t.Fatal(events)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	h = open(t, s, wordsDef(fold.Options{}))
	for _, err := range h.Changes(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
}

// TestWatch: first answer at once, only different ones, the last of a burst always, and the reason of the end (6.5, 91 to 94).
func TestWatch(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	h := open(t, s, wordsDef(fold.Options{}))
	n := func(c *counts) int { v, _ := c.Words.Get("w"); return v }
	same := func(a, b int) bool { return a == b }
	var got []int
	const burst = 5000
	finished := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		var end error
		for v, err := range fold.Watch(t.Context(), h, n, same) {
			if end = err; err != nil {
				break
			}
			if got = append(got, v); len(got) == 1 {
				close(started)
			}
		}
		finished <- end
	}()
	<-started
	batch := make([]redex.Entry, 50)
	for i := range batch {
		batch[i] = word("w")
	}
	for range burst / len(batch) {
		if _, err := l.AppendBatch(t.Context(), batch, redex.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 {
		add(t, l, word("other")) // does not change the answer
	}
	if err := h.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-finished; !errors.Is(err, fold.ErrClosed) {
		t.Fatal(err)
	}
	if got[0] != 0 || got[len(got)-1] != burst || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Fatal(got)
	}
}

// TestView: a state without tables, locked while it is read.
func TestView(t *testing.T) {
	type plain struct {
		Sum   int
		Names map[string]int
	}
	s := store(t)
	l := openLog(t, s, "in")
	d := fold.Definition[plain]{
		Name: "plain", Logs: []string{"in"}, New: func() *plain { return &plain{Names: map[string]int{}} },
		Fold: fold.Func[plain](func(p *plain, ev redex.Event) error {
			var w struct{ Word string }
			if err := fold.Decode(&ev, &w); err != nil {
				return err
			}
			if w.Word == "bad" {
				return errBad
			}
			p.Sum++
			p.Names[w.Word]++
			return nil
		}), Options: fold.Options{Policy: fold.Skip},
	}
	h := open(t, s, d)
	for _, w := range []string{"a", "b", "a"} {
		add(t, l, word(w))
	}
	add(t, l, redex.Entry{Payload: []byte("?")}) // refused before anything was changed: skipped
	if err := h.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		h.View(func(p *plain) {
			if p.Sum != 3 || p.Names["a"] != 2 {
				t.Errorf("%+v", p)
			}
		})
	}
	check()
	if h.Snapshot().State != nil {
		t.Fatal("a snapshot of what cannot have one")
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h = open(t, s, d)
	check()
	if st := h.Stats(); !st.Resumed || st.Events != 0 || st.Undecodable != 1 {
		t.Fatalf("%+v", st)
	}
	// A watch sees it too.
	for v, err := range fold.Watch(short(t), h, func(p *plain) int { return p.Sum }, func(a, b int) bool { return a == b }) {
		if err != nil || v == 4 {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		add(t, l, word("c"))
	}
	// It cannot be rolled back: it stops whatever the policy.
	tok := add(t, l, word("bad"))
	if err := h.Wait(short(t), tok); !errors.Is(err, fold.ErrFoldStopped) || !errors.Is(err, errBad) {
		t.Fatal(err)
	}
	f, err := h.Frozen()
	if err != nil || len(f.Tables()) != 0 {
		t.Fatal(f, err)
	}
}

// TestViewHoldsFold: a plain state does not change under its reader; tables do not hold the fold (6.4, 86).
func TestViewHoldsFold(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	h := open(t, s, wordsDef(fold.Options{}))
	h.View(func(c *counts) {
		tok := add(t, l, word("a"))
		if err := h.Wait(short(t), tok); err != nil {
			t.Error("a reader of tables holds the fold:", err)
		}
		if c.Words.Len() != 0 {
			t.Error("a snapshot changed")
		}
	})
	plain := open(t, s, fold.Definition[int]{Name: "plain", Logs: []string{"in"}, Fold: fold.Func[int](func(n *int, _ redex.Event) error { *n++; return nil })})
	if err := plain.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	plain.View(func(n *int) {
		before := *n
		tok := add(t, l, word("b"))
		ctx, stop := context.WithTimeout(t.Context(), 0)
		defer stop()
		if err := plain.Wait(ctx, tok); !errors.Is(err, context.DeadlineExceeded) || *n != before {
			t.Error("a plain state changed under its reader", err)
		}
	})
}
