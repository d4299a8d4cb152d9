package fold_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

func store(t testing.TB) *redex.Store {
	t.Helper()
	s, err := redex.OpenMemory(t.Context(), redex.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openLog(t testing.TB, s *redex.Store, name string) *redex.Log {
	t.Helper()
	l, err := s.OpenLog(t.Context(), name, redex.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func add(t testing.TB, l *redex.Log, e redex.Entry) fold.WriteToken {
	t.Helper()
	a, err := l.Append(t.Context(), e, redex.AppendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return fold.TokenOf(a.Position)
}

// counts is the state of most tests: how often each word was seen.
type counts struct {
	Words fold.Table[string, int]
}

var errBad = errors.New("bad word")

func countWords(s *counts, ev redex.Event) error {
	var w struct{ Word string }
	if err := fold.Decode(&ev, &w); err != nil {
		return err
	}
	n, _ := s.Words.Get(w.Word)
	s.Words.Set(w.Word, n+1)
	switch w.Word {
	case "bad":
		return errBad
	case "panic":
		panic("at the word")
	}
	return nil
}

func wordsDef(o fold.Options) fold.Definition[counts] {
	return fold.Definition[counts]{Name: "words", Logs: []string{"in"}, Fold: fold.Func[counts](countWords), Options: o}
}

func word(w string) redex.Entry {
	b, _ := json.Marshal(map[string]string{"Word": w})
	return redex.Entry{Encoding: redex.JSON, Payload: b}
}

func open[S any](t testing.TB, s *redex.Store, d fold.Definition[S]) *fold.Handle[S] {
	t.Helper()
	h, err := fold.Open(t.Context(), s, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func short(t testing.TB) context.Context {
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(stop)
	return ctx
}

// TestReadYourWrites: each of 100,000 writes of 8 goroutines is seen after its wait. With -short it is 4,000.
func TestReadYourWrites(t *testing.T) {
	each := 12_500
	if testing.Short() {
		each = 500
	}
	s := store(t)
	l := openLog(t, s, "in")
	h := open(t, s, wordsDef(fold.Options{}))
	const writers = 8
	var wg sync.WaitGroup
	for g := range writers {
		wg.Go(func() {
			for i := range each {
				w := fmt.Sprintf("%d-%d", g, i)
				a, err := l.Append(t.Context(), word(w), redex.AppendOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				if err := h.Wait(t.Context(), fold.TokenOf(a.Position)); err != nil {
					t.Error(err)
					return
				}
				if n, _ := h.Snapshot().State.Words.Get(w); n != 1 {
					t.Errorf("%s: %d", w, n)
				}
			}
		})
	}
	wg.Wait()
	if n := h.Snapshot().State.Words.Len(); n != writers*each {
		t.Fatal(n)
	}
}

func TestReopen(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	h := open(t, s, wordsDef(fold.Options{}))
	for i := range 1000 {
		add(t, l, word(fmt.Sprint(i%10)))
	}
	if err := h.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	add(t, l, word("3"))
	h = open(t, s, wordsDef(fold.Options{}))
	if err := h.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	st := h.Stats()
	if !st.Resumed || st.Events != 1 {
		t.Fatalf("%+v", st)
	}
	if n, _ := h.Snapshot().State.Words.Get("3"); n != 101 {
		t.Fatal(n)
	}
}
