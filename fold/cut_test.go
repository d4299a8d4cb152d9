package fold_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// order is a state that remembers in what order it saw events.
type order = fold.Table[int, seen]

type seen struct {
	Log  uint64
	Seq  uint64
	Time int64
}

func orderDef(name string, logs ...string) fold.Definition[order] {
	return fold.Definition[order]{Name: name, Logs: logs, Fold: fold.Func[order](func(t *order, ev redex.Event) error {
		t.Set(t.Len(), seen{uint64(ev.Log), uint64(ev.Seq), ev.Time})
		return nil
	})}
}

// TestAtCut: folds of several logs are brought to exactly one cut while writers go on (6.6, 99).
func TestAtCut(t *testing.T) {
	s := store(t)
	names := []string{"a", "b", "c"}
	var logs []*redex.Log
	for _, n := range names {
		logs = append(logs, openLog(t, s, n))
	}
	one := open(t, s, orderDef("one", "a"))
	all := open(t, s, orderDef("all", names...))
	plain := open(t, s, fold.Definition[int]{Name: "plain", Logs: []string{"b"}, Fold: fold.Func[int](func(n *int, _ redex.Event) error { *n++; return nil })})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for k := i; ctx.Err() == nil; k++ {
				batch := []redex.Batch{{Log: logs[k%3], Entries: []redex.Entry{{}, {}}}, {Log: logs[(k+1)%3], Entries: []redex.Entry{{}}}}
				a, err := s.Append(t.Context(), batch, redex.AppendOptions{Durable: redex.DurableNo})
				if err == nil && k%50 == i { // not further ahead than that
					err = all.Wait(t.Context(), fold.TokenOf(a[0].Position))
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 300 {
		c, states, err := fold.AtCut(short(t), s.Cut, one, all, plain)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range states {
			for _, m := range f.Marks() {
				l, err := s.LogByID(m.Log)
				if err != nil {
					t.Fatal(err)
				}
				b, err := l.BoundsAt(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				if m.Next != b.Next || m.Time > c.Time {
					t.Fatalf("fold %d at %+v, log at %+v, cut %+v", i, m, b, c)
				}
			}
		}
		rows := 0
		for _, m := range states[1].Marks() {
			rows += int(m.Next)
		}
		if states[1].Tables()[0].Len() != rows {
			t.Fatal("rows", states[1].Tables()[0].Len(), "of", rows)
		}
	}
	stop()
	wg.Wait()
	for _, h := range []fold.Instance{one, all, plain} {
		if err := h.CatchUp(short(t)); err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	noGoroutines(t)
}

// TestAtCutErrors: a fold that can not reach the cut says why, and the others go on.
func TestAtCutErrors(t *testing.T) {
	s := store(t)
	l := openLog(t, s, "in")
	h := open(t, s, wordsDef(fold.Options{}))
	sound := open(t, s, orderDef("sound", "in"))
	add(t, l, word("bad"))
	if _, _, err := fold.AtCut(short(t), s.Cut, sound, h); !errors.Is(err, fold.ErrFoldStopped) {
		t.Fatal(err)
	}
	old := s.Cut()
	if err := sound.Wait(short(t), add(t, l, word("a"))); err != nil {
		t.Fatal("a pin was left behind:", err)
	}
	p := sound.Pin()
	defer p.Release()
	if _, err := p.Reach(short(t), old); !errors.Is(err, fold.ErrPastCut) {
		t.Fatal(err)
	}
	// A pinned fold closes.
	add(t, l, word("a"))
	if err := sound.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Reach(short(t), s.Cut()); !errors.Is(err, fold.ErrClosed) {
		t.Fatal(err)
	}
}

// TestMerged: the events of several logs come in the order of time, the same at every replay, by one goroutine however many
// logs there are.
func TestMerged(t *testing.T) {
	for _, count := range []int{4, 1000} {
		t.Run(fmt.Sprint("logs=", count), func(t *testing.T) { merge(t, count) })
	}
}

func merge(t *testing.T, count int) {
	s := store(t)
	var names []string
	var logs []*redex.Log
	for i := range count {
		names = append(names, fmt.Sprintf("%03d", i))
		logs = append(logs, openLog(t, s, names[i]))
	}
	d := orderDef("order", names...)
	d.Options = fold.Options{Checkpoint: fold.Checkpoint{Off: true}}
	h := open(t, s, d)
	var wg sync.WaitGroup
	const each = 400
	for i := range 4 {
		wg.Go(func() {
			for k := range each {
				at := (i + k*5) % count
				batch := []redex.Batch{{Log: logs[at], Entries: []redex.Entry{{Headers: []redex.Header{{Name: "x", Value: []byte("y")}}}}}}
				if k%3 == 0 {
					batch = append(batch, redex.Batch{Log: logs[(at+1)%count], Entries: []redex.Entry{{Key: []byte("k")}, {Payload: []byte("p")}}})
				}
				if _, err := s.Append(t.Context(), batch, redex.AppendOptions{}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	var lists [][]seen
	for range 3 {
		if err := h.CatchUp(short(t)); err != nil {
			t.Fatal(err)
		}
		if n := goroutines(); n > 1 {
			t.Errorf("%d goroutines", n)
		}
		var list []seen
		for _, x := range h.Snapshot().State.All() {
			list = append(list, x)
		}
		lists = append(lists, list)
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		slices.Reverse(d.Logs) // the definition's order of logs does not matter
		h = open(t, s, d)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(lists[0], lists[1]) || !slices.Equal(lists[0], lists[2]) {
		t.Fatal("a replay gave another order")
	}
	if len(lists[0]) != 4*(each+(each+2)/3*2) {
		t.Fatal(len(lists[0]))
	}
	next := map[uint64]uint64{}
	for i, x := range lists[0] {
		if next[x.Log] != x.Seq || i > 0 && (lists[0][i-1].Time > x.Time || lists[0][i-1].Time == x.Time && lists[0][i-1].Log > x.Log) {
			t.Fatal(i, x)
		}
		next[x.Log]++
	}
	noGoroutines(t)
}

// TestMergedDeleted: a fold of which a log is deleted stops and says so. All that it says to have folded of every log is in its
// state, and a fold of the other logs has all of theirs.
func TestMergedDeleted(t *testing.T) {
	for _, count := range []int{3, 100} {
		s := store(t)
		var names []string
		var logs []*redex.Log
		for i := range count {
			names = append(names, fmt.Sprintf("%03d", i))
			logs = append(logs, openLog(t, s, names[i]))
		}
		h := open(t, s, orderDef("all", names...))
		for k := range 10 * count {
			if k == 5*count {
				if err := s.Delete(t.Context(), names[1]); err != nil {
					t.Fatal(err)
				}
			}
			if k%count != 1 || k < 5*count {
				add(t, logs[k%count], redex.Entry{})
			}
		}
		err := h.CatchUp(short(t))
		stopped, ok := errors.AsType[*fold.StoppedError](err)
		if !ok || !errors.Is(err, redex.ErrLogDeleted) || stopped.Log != names[1] {
			t.Fatal(err)
		}
		seen := map[uint64]redex.Seq{}
		snap := h.Snapshot()
		for _, x := range snap.State.All() {
			if redex.Seq(x.Seq) != seen[x.Log] {
				t.Fatalf("log %d: %d instead of %d", x.Log, x.Seq, seen[x.Log])
			}
			seen[x.Log]++
		}
		for _, m := range snap.Marks() {
			if m.Next != seen[uint64(m.Log)] {
				t.Fatalf("log %d is said to be folded below %d, and is below %d", m.Log, m.Next, seen[uint64(m.Log)])
			}
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		rest := open(t, s, orderDef("rest", slices.Delete(slices.Clone(names), 1, 2)...))
		if err := rest.CatchUp(short(t)); err != nil {
			t.Fatal(err)
		}
		if n := rest.Snapshot().State.Len(); n != 10*(count-1) {
			t.Fatal(count, "logs:", n, "events")
		}
	}
}

// goroutines returns how many goroutines of this package there are.
func goroutines() int {
	buf := make([]byte, 4<<20)
	n := 0
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "netdb/fold.(*") {
			n++
		}
	}
	return n
}

// TestMergedResume: a checkpoint of several logs goes on in each where it was.
func TestMergedResume(t *testing.T) {
	s := store(t)
	a, b := openLog(t, s, "a"), openLog(t, s, "b")
	total := 0
	for round := range 5 {
		h := open(t, s, orderDef("order", "b", "a"))
		if st := h.Stats(); st.Resumed != (round > 0) || st.Rebuilt != nil {
			t.Fatalf("%d: %+v", round, st)
		}
		var last fold.WriteToken
		for i := range 10 {
			last = add(t, []*redex.Log{a, b}[i*round%2], redex.Entry{})
			total++
		}
		if err := h.Wait(short(t), last); err != nil {
			t.Fatal(err)
		}
		if err := h.CatchUp(short(t)); err != nil {
			t.Fatal(err)
		}
		if n := h.Snapshot().State.Len(); n != total {
			t.Fatal(n, total)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// Another set of logs is another fold.
	h := open(t, s, orderDef("order", "a"))
	if st := h.Stats(); !errors.Is(st.Rebuilt, fold.ErrLayout) {
		t.Fatalf("%+v", st)
	}
}
