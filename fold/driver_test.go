package fold_test

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"

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
			if err := h.Wait(short(t), bad); !errors.Is(err, fold.ErrClosed) || h.Stats().State != fold.Closed {
				t.Fatal("closed, but", err)
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

// TestPanicIsNoVerdict: a panic stops the fold even when its value says that the event is undecodable.
func TestPanicIsNoVerdict(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	d := wordsDef(fold.Options{})
	d.Fold = fold.Func[counts](func(*counts, redex.Event) error { panic(fold.Undecodable(errBad)) })
	h := open(t, s, d)
	if err := h.Wait(short(t), add(t, l, word("a"))); !errors.Is(err, fold.ErrFoldStopped) {
		t.Fatal(err)
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
	h.Stats()
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
