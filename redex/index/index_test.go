package index_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/redex/index"
)

func memory(t testing.TB) *redex.Store {
	t.Helper()
	s, err := redex.OpenMemory(context.Background(), redex.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func openLog(t testing.TB, s *redex.Store, name string) *redex.Log {
	t.Helper()
	l, err := s.OpenLog(context.Background(), name, redex.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func add(t testing.TB, l *redex.Log, payload string) redex.Position {
	t.Helper()
	a, err := l.Append(context.Background(), redex.Entry{Payload: []byte(payload)}, redex.AppendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return a.Position
}

func open(t testing.TB, s *redex.Store, d index.Definition) *index.Index {
	t.Helper()
	x, err := index.Open(context.Background(), s, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// short is a context for what must not take long.
func short(t testing.TB) context.Context {
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(stop)
	return ctx
}

var errBad = errors.New("bad word")

// words is the projection of most tests. A payload is words, each an operation: "+key=value", "-key=value", "!key", or "bad", "panic".
func words(ev *redex.Event, ops *index.Ops) error {
	for w := range strings.FieldsSeq(string(ev.Payload)) {
		key, value, _ := strings.Cut(w[1:], "=")
		switch w[0] {
		case '+':
			ops.Insert([]byte(key), []byte(value))
		case '-':
			ops.Remove([]byte(key), []byte(value))
		case '!':
			ops.RemoveAll([]byte(key))
		}
		switch w {
		case "bad":
			return errBad
		case "panic":
			panic("at the word")
		}
	}
	return nil
}

func wordsDef() index.Definition {
	return index.Definition{Name: "words", Log: "in", Project: words}
}

// dump returns all entries of the index, and checks that counts and order agree with them.
func dump(t testing.TB, x *index.Index) string {
	t.Helper()
	var b strings.Builder
	keys, values := int64(0), int64(0)
	last, before := "", ""
	for e, err := range x.Scan(context.Background(), index.Range{}) {
		if err != nil {
			t.Fatal(err)
		}
		k := string(e.Key)
		if values > 0 && k < last || k == last && values > 0 && string(e.Value) <= before {
			t.Fatalf("%q=%q after %q=%q", k, e.Value, last, before)
		}
		if values == 0 || k != last {
			keys++
		}
		values++
		last, before = k, string(e.Value)
		fmt.Fprintf(&b, "%s=%s ", k, e.Value)
	}
	if st := x.Stats(); st.Keys != keys || st.Values != values {
		t.Fatalf("%d keys and %d values are counted, there are %d and %d", st.Keys, st.Values, keys, values)
	}
	return strings.TrimSpace(b.String())
}

func want(t testing.TB, x *index.Index, what string) {
	t.Helper()
	if err := x.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, x); got != what {
		t.Fatalf("%q, want %q", got, what)
	}
}

// noGoroutines fails when goroutines of this package are left after the test closed everything.
func noGoroutines(t *testing.T) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for range 10_000 {
		if !strings.Contains(string(buf[:runtime.Stack(buf, true)]), "redex/index.(*") {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("goroutines left:\n%s", buf)
}

func TestOperations(t *testing.T) {
	s := memory(t)
	l := openLog(t, s, "in")
	x := open(t, s, wordsDef())
	want(t, x, "")
	add(t, l, "+b=2 +a=1 +b=1 +b=2")
	want(t, x, "a=1 b=1 b=2")
	add(t, l, "-b=1 -b=9 -c=1")
	want(t, x, "a=1 b=2")
	add(t, l, "+b=3 !b +b=4 -a=1")
	want(t, x, "b=4")
	add(t, l, "!b +c= +d=")
	want(t, x, "c= d=")
	add(t, l, "!c +c= -d=")
	want(t, x, "c=")
	add(t, l, "+c= !c")
	want(t, x, "")
	add(t, l, "nothing")
	want(t, x, "")
	if st := x.Stats(); st.Next != 7 || st.Lag.Events != 0 || st.Events != 7 {
		t.Fatalf("%+v", st)
	}
}

// TestDurableFirst: what readers see of the index is never ahead of what is durable.
func TestDurableFirst(t *testing.T) {
	s, err := redex.OpenMemory(t.Context(), redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := openLog(t, s, "in")
	x := open(t, s, wordsDef())
	for i := range 100 {
		p := add(t, l, fmt.Sprintf("+k=%d", i))
		if err := x.Wait(short(t), p); err != nil {
			t.Fatal(err)
		}
		if s.Durable() < p.Ordinal {
			t.Fatal("the index has what is not durable")
		}
	}
}

// TestMany changes one key of very many values, and takes them all.
func TestMany(t *testing.T) {
	s := memory(t)
	l := openLog(t, s, "in")
	x := open(t, s, wordsDef())
	for i := range 20 {
		var b strings.Builder
		for k := range 100 {
			fmt.Fprintf(&b, "+many=%04d ", 100*i+k)
		}
		add(t, l, b.String())
	}
	add(t, l, "+other=1")
	if err := x.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	if n, err := x.Count(t.Context(), []byte("many")); err != nil || n != 2000 {
		t.Fatal(n, err)
	}
	add(t, l, "+many=new !many +many=0001")
	want(t, x, "many=0001 other=1")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := x.Get(ctx, []byte("many")); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
