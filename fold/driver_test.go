package fold_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// noGoroutines fails when goroutines of this package are left after the test closed everything.
func noGoroutines(t *testing.T) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for range 10_000 {
		if !strings.Contains(string(buf[:runtime.Stack(buf, true)]), "netdb/fold.(*") {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("goroutines left:\n%s", buf)
}

func TestEmptyLog(t *testing.T) {
	s := store(t)
	h := open(t, s, wordsDef(fold.Options{}))
	if err := h.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	m := h.Marks()
	if len(m) != 1 || m[0].Next != 0 || m[0].Applied != 0 || m[0].Time != 0 {
		t.Fatalf("%+v", m)
	}
	st := h.Stats()
	if st.State != fold.Running || st.Lag != 0 || st.Resumed || st.Rebuilt != nil {
		t.Fatalf("%+v", st)
	}
	if h.Snapshot().State.Words.Len() != 0 {
		t.Fatal("not empty")
	}
}

func TestDefinitions(t *testing.T) {
	s := store(t)
	f := fold.Func[counts](countWords)
	for i, d := range []fold.Definition[counts]{
		{},
		{Name: "x", Logs: []string{"in"}},
		{Name: "x", Fold: f},
		{Name: "", Logs: []string{"in"}, Fold: f},
		{Name: "a//b", Logs: []string{"in"}, Fold: f},
		{Name: strings.Repeat("x", 129), Logs: []string{"in"}, Fold: f},
		{Name: "x", Logs: []string{"in", "in"}, Fold: f},
		{Name: "x", Logs: []string{"in"}, Fold: f, Options: fold.Options{Policy: 9}},
	} {
		if h, err := fold.Open(t.Context(), s, d); !errors.Is(err, fold.ErrName) || h != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if _, err := fold.Open(t.Context(), s, fold.Definition[counts]{Name: "x", Logs: []string{"a//b"}, Fold: f}); !errors.Is(err, redex.ErrName) {
		t.Error(err)
	}
	type mixed struct {
		T fold.Table[int, int]
		N int
	}
	if _, err := fold.Open(t.Context(), s, fold.Definition[mixed]{Name: "x", Logs: []string{"in"}, Fold: fold.Func[mixed](nil)}); !errors.Is(err, fold.ErrName) {
		t.Error(err)
	}
	type twice struct{ A, B fold.Table[int, int] }
	_, err := fold.Open(t.Context(), s, fold.Definition[twice]{
		Name: "x", Logs: []string{"in"}, Fold: fold.Func[twice](nil), New: func() *twice {
			return &twice{A: fold.NewTable(fold.TableOptions[int, int]{Name: "b"})}
		},
	})
	if !errors.Is(err, fold.ErrDuplicateTable) {
		t.Error(err)
	}
}

// TestUndecodable: bytes that are no event never stop a fold, and are not logic failures (6.4, 60).
func TestUndecodable(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	h := open(t, s, wordsDef(fold.Options{}))
	good := add(t, l, word("a"))
	bad := add(t, l, redex.Entry{Encoding: redex.JSON, Payload: []byte("{")})
	raw := add(t, l, redex.Entry{Payload: []byte("{}")})
	after := add(t, l, word("b"))
	for _, tok := range []fold.WriteToken{good, after} {
		if err := h.Wait(short(t), tok); err != nil {
			t.Fatal(err)
		}
	}
	for _, tok := range []fold.WriteToken{bad, raw} {
		err := h.Wait(short(t), tok)
		skipped, ok := errors.AsType[*fold.SkippedError](err)
		if !ok || skipped.Seq != tok.Position().Seq || skipped.Log != "in" || skipped.Reason == nil || !errors.Is(err, fold.ErrSkipped) {
			t.Fatal(err)
		}
	}
	st := h.Stats()
	if st.Undecodable != 2 || st.Skipped != 0 || st.State != fold.Running || st.Marks[0].Skipped != 2 {
		t.Fatalf("%+v", st)
	}
	sk := h.Skipped()
	if len(sk) != 2 || !sk[0].Undecodable || sk[0].Seq != 1 || sk[1].Seq != 2 || !strings.Contains(sk[1].Reason, "raw") {
		t.Fatalf("%+v", sk)
	}
}

// TestStop: the fold ends before the event, keeps what came before, and everything asked of it says so (6.4, 61, 65, 66, 69, 74).
func TestStop(t *testing.T) {
	for _, w := range []string{"bad", "panic"} {
		t.Run(w, func(t *testing.T) {
			s := store(t)
			l := openLog(t, s, "in")
			h := open(t, s, wordsDef(fold.Options{}))
			changes := h.Changes(short(t))
			before := add(t, l, word("a"))
			bad := add(t, l, word(w))
			after := add(t, l, word("b"))
			for range 2 { // waiting, and when all is over
				for _, tok := range []fold.WriteToken{bad, after} {
					err := h.Wait(short(t), tok)
					stopped, ok := errors.AsType[*fold.StoppedError](err)
					if !ok || !errors.Is(err, fold.ErrFoldStopped) || stopped.Seq != 1 || stopped.Log != "in" || stopped.Fold != "words" {
						t.Fatal(err)
					}
					if w == "bad" && !errors.Is(err, errBad) {
						t.Fatal(err)
					}
					if p, ok := errors.AsType[*fold.PanicError](err); w == "panic" && (!ok || p.Value != "at the word" || len(p.Stack) == 0) {
						t.Fatal(err)
					}
				}
				if err := h.Wait(short(t), before); err != nil {
					t.Fatal(err)
				}
			}
			if err := h.CatchUp(short(t)); !errors.Is(err, fold.ErrFoldStopped) {
				t.Fatal(err)
			}
			m := h.Marks()[0]
			if m.Next != 1 || m.Applied != 1 || m.Skipped != 0 {
				t.Fatalf("%+v", m)
			}
			st := h.Stats()
			if st.State != fold.Stopped || !errors.Is(st.Err, fold.ErrFoldStopped) || st.Lag != 2 {
				t.Fatalf("%+v", st)
			}
			state := h.Snapshot().State
			if n, _ := state.Words.Get("a"); n != 1 || state.Words.Has(w) || state.Words.Len() != 1 {
				t.Fatal("state has the event that failed")
			}
			var events int64
			var end error
			for c, err := range changes {
				events += c.Events
				end = err
			}
			if events != 1 || !errors.Is(end, fold.ErrFoldStopped) {
				t.Fatal(events, end)
			}
			// Writing goes on, and a repaired fold goes on where this one stopped.
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}
			d := wordsDef(fold.Options{})
			d.Fold = fold.Func[counts](func(s *counts, ev redex.Event) error {
				if err := countWords(s, ev); !errors.Is(err, errBad) {
					return err
				}
				return nil
			})
			if w == "panic" {
				d.Filter = func(ev *redex.Event) bool { return ev.Seq != 1 }
			}
			h = open(t, s, d)
			if err := h.Wait(short(t), after); err != nil {
				t.Fatal(err)
			}
			if st := h.Stats(); !st.Resumed || st.Events != 2 {
				t.Fatalf("%+v", st)
			}
		})
	}
}

// TestSkip: a failing event is rolled back and covered, its token says so, and later waits are not frozen (6.4, 61, 62, 66).
func TestSkip(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	h := open(t, s, wordsDef(fold.Options{Policy: fold.Skip}))
	var bad []fold.WriteToken
	for range 3 {
		bad = append(bad, add(t, l, word("bad")), add(t, l, word("panic")))
		add(t, l, word("a"))
	}
	last := add(t, l, word("bad"))
	check := func() {
		t.Helper()
		for _, tok := range append(bad, last) {
			if err := h.Wait(short(t), tok); !errors.Is(err, fold.ErrSkipped) || errors.Is(err, fold.ErrFoldStopped) {
				t.Fatal(err)
			}
		}
		m := h.Marks()[0]
		if m.Next != 10 || m.Applied != 9 || m.Skipped != 7 {
			t.Fatalf("%+v", m)
		}
		if st := h.Stats(); st.Skipped != 7 || st.Undecodable != 0 || st.State != fold.Running {
			t.Fatalf("%+v", st)
		}
		st := h.Snapshot().State
		if n, _ := st.Words.Get("a"); n != 3 || st.Words.Len() != 1 {
			t.Fatal("a failed event left something behind")
		}
		if len(h.Skipped()) != 7 || h.Skipped()[6].Seq != 9 || h.Skipped()[0].Reason != errBad.Error() {
			t.Fatalf("%+v", h.Skipped())
		}
	}
	check()
	// A checkpoint knows all that.
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h = open(t, s, wordsDef(fold.Options{Policy: fold.Skip}))
	check()
	if st := h.Stats(); st.Events != 0 || !st.Resumed {
		t.Fatalf("%+v", st)
	}
}

func TestSkippedIsBounded(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	h := open(t, s, wordsDef(fold.Options{Policy: fold.Skip, SkippedKept: 4}))
	var toks []fold.WriteToken
	for range 50 {
		toks = append(toks, add(t, l, word("bad")))
		if err := h.CatchUp(short(t)); err != nil {
			t.Fatal(err)
		}
	}
	sk := h.Skipped()
	if len(sk) != 4 || sk[0].Seq != 46 || sk[3].Seq != 49 {
		t.Fatalf("%+v", sk)
	}
	for _, tok := range toks { // the fact is kept of all
		if err := h.Wait(short(t), tok); !errors.Is(err, fold.ErrSkipped) {
			t.Fatal(err)
		}
	}
}

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

// TestClose: it ends waits, watches and feeds, leaves no goroutine, and the state can still be read (6.4, 70).
func TestClose(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	inApply, release := make(chan struct{}), make(chan struct{})
	d := wordsDef(fold.Options{})
	d.Fold = fold.Func[counts](func(s *counts, ev redex.Event) error {
		if ev.Seq == 1 {
			close(inApply)
			<-release
		}
		return countWords(s, ev)
	})
	h := open(t, s, d)
	add(t, l, word("a"))
	held := add(t, l, word("b"))
	<-inApply
	far := fold.TokenOf(func() redex.Position { p := held.Position(); p.Seq += 100; return p }())
	errs := make(chan error, 3)
	go func() { errs <- h.Wait(t.Context(), far) }()
	go func() {
		for _, err := range h.Changes(t.Context()) {
			if err != nil {
				errs <- err
			}
		}
	}()
	go func() {
		for _, err := range fold.Watch(t.Context(), h, func(c *counts) int { return c.Words.Len() }, func(a, b int) bool { return a == b }) {
			if err != nil {
				errs <- err
			}
		}
	}()
	until(t, func() bool { return h.Stats().Waiting == 1 })
	closed := make(chan error, 2)
	go func() { closed <- h.Close() }()
	go func() { closed <- h.Close() }()
	close(release)
	for range 3 {
		if err := <-errs; !errors.Is(err, fold.ErrClosed) {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
	}
	if h.Stats().State != fold.Closed || h.Snapshot().State.Words.Len() != 2 {
		t.Fatal("state after close")
	}
	noGoroutines(t)
}

// TestStoreClose: a closed store ends the fold with ErrClosed.
func TestStoreClose(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	h := open(t, s, wordsDef(fold.Options{}))
	tok := add(t, l, word("a"))
	if err := h.Wait(short(t), tok); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, err := range h.Changes(short(t)) {
		if err != nil && !errors.Is(err, fold.ErrClosed) {
			t.Fatal(err)
		}
	}
	if err := h.Wait(short(t), tok); !errors.Is(err, fold.ErrClosed) {
		t.Fatal(err)
	}
	if err := h.Close(); !errors.Is(err, redex.ErrClosed) {
		t.Fatal("a checkpoint cannot have been written:", err)
	}
	noGoroutines(t)
}

// TestLogDeleted: the fold stops and says why.
func TestLogDeleted(t *testing.T) {
	s := store(t)
	openLog(t, s, "in")
	h := open(t, s, wordsDef(fold.Options{}))
	if err := s.Delete(t.Context(), "in"); err != nil {
		t.Fatal(err)
	}
	for _, err := range h.Changes(short(t)) {
		if !errors.Is(err, fold.ErrFoldStopped) || !errors.Is(err, redex.ErrLogDeleted) {
			t.Fatal(err)
		}
	}
}

// TestBurst: a writer far ahead of a slow fold loses nothing and needs no help (6.4, 72).
func TestBurst(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	const n = 100 * 256
	d := wordsDef(fold.Options{})
	d.Fold = fold.Func[counts](func(s *counts, ev redex.Event) error {
		if ev.Seq%64 == 0 {
			runtime.Gosched()
		}
		return countWords(s, ev)
	})
	h := open(t, s, d)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			batch := make([]redex.Entry, 64)
			for i := range batch {
				batch[i] = word("w")
			}
			for range n / 4 / len(batch) {
				if _, err := l.AppendBatch(t.Context(), batch, redex.AppendOptions{Durable: redex.DurableNo}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := h.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, _ := h.Snapshot().State.Words.Get("w"); got != n {
		t.Fatal(got)
	}
	if st := h.Stats(); st.Lag != 0 || st.Events != n {
		t.Fatalf("%+v", st)
	}
}

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

// TestUnwritable: a state that would lose fields in a checkpoint gets none, and says so.
func TestUnwritable(t *testing.T) {
	type hidden struct{ n int }
	s := store(t)
	l := openLog(t, s, "in")
	d := fold.Definition[hidden]{Name: "hidden", Logs: []string{"in"}, Fold: fold.Func[hidden](func(h *hidden, _ redex.Event) error { h.n++; return nil })}
	for range 2 {
		add(t, l, word("a"))
		h := open(t, s, d)
		if err := h.CatchUp(short(t)); err != nil {
			t.Fatal(err)
		}
		if st := h.Stats(); st.Resumed || !errors.Is(st.CheckpointErr, fold.ErrNoCheckpoint) {
			t.Fatalf("%+v", st)
		}
		f, err := h.Frozen()
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Export(new(strings.Builder)); !errors.Is(err, fold.ErrNoCheckpoint) {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
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
