package index_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/redex/index"
)

// TestWaits: each way in which a wait ends, told apart.
func TestWaits(t *testing.T) {
	s := memory(t)
	l := openLog(t, s, "in")
	g := newGate(1)
	d := wordsDef()
	d.Project = g.project
	d.Options.MaxWaiters = 2
	x := open(t, s, d)
	first := add(t, l, "+k=0")
	if err := x.Wait(short(t), first); err != nil {
		t.Fatal(err)
	}
	held := add(t, l, "+k=1")
	add(t, l, "+k=2")
	<-g.reached
	if lag := x.Lag(); lag != (index.Lag{Next: 1, End: 3, Events: 2}) {
		t.Fatalf("%+v", lag)
	}
	over, stop := context.WithCancel(t.Context())
	stop()
	if err := x.WaitFor(over, 0); err != nil { // it is there: a look is enough
		t.Fatal(err)
	}
	past, stop := context.WithDeadline(t.Context(), time.Now().Add(-1))
	defer stop()
	err := x.Wait(past, held)
	if w, ok := errors.AsType[*index.WaitError](err); !ok || !w.Timeout() || w.Seq != 1 || w.Next != 1 || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if err := x.WaitFor(over, 1); !errors.Is(err, context.Canceled) || x.Stats().Waiting != 0 {
		t.Fatal(err)
	}
	foreign := held
	foreign.Store[0]++
	if err := x.Wait(short(t), foreign); !errors.Is(err, index.ErrForeign) {
		t.Fatal(err)
	}
	results := make(chan error, 2)
	ctx, because := context.WithCancelCause(t.Context())
	go func() { results <- x.WaitFor(short(t), 2) }()
	go func() { results <- x.WaitFor(ctx, 1<<40) }()
	for x.Stats().Waiting < 2 {
		runtime.Gosched()
	}
	if err := x.WaitFor(short(t), 1); !errors.Is(err, index.ErrTooManyWaiters) || x.Stats().WaitRefused != 1 {
		t.Fatal(err)
	}
	why := errors.New("why")
	because(why)
	if err := <-results; !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
		t.Fatal(err)
	}
	close(g.goOn)
	if err := <-results; err != nil {
		t.Fatal(err)
	}
	go func() { results <- x.WaitFor(short(t), 1<<40) }()
	go func() { results <- x.WaitFor(short(t), 1<<41) }()
	for x.Stats().Waiting < 2 {
		runtime.Gosched()
	}
	closeIt(t, x)
	for range 2 {
		if err := <-results; !errors.Is(err, index.ErrClosed) || errors.Is(err, index.ErrStopped) {
			t.Fatal(err)
		}
	}
	if err := x.WaitFor(short(t), 0); !errors.Is(err, index.ErrClosed) {
		t.Fatal(err)
	}
	noGoroutines(t)
}

// TestReadYourWrites: each write of eight goroutines is seen after its wait, and a ninth rebuilds meanwhile.
func TestReadYourWrites(t *testing.T) {
	each := 1000
	if testing.Short() {
		each = 100
	}
	s := memory(t)
	l := openLog(t, s, "in")
	x := open(t, s, wordsDef())
	const writers = 8
	var wg sync.WaitGroup
	var rebuilding atomic.Bool
	for g := range writers {
		wg.Go(func() {
			for i := range each {
				key, value := fmt.Sprint(g), fmt.Sprint(i)
				a, err := l.Append(t.Context(), redex.Entry{Payload: fmt.Appendf(nil, "+%s=%s", key, value)}, redex.AppendOptions{})
				if err == nil {
					err = x.Wait(t.Context(), a.Position)
				}
				has, err2 := x.Contains([]byte(key), []byte(value))
				if err := errors.Join(err, err2); err != nil || !has && !rebuilding.Load() {
					t.Errorf("%s=%s: %v, %v", key, value, has, err)
					return
				}
				if g == 0 && i == each/2 {
					rebuilding.Store(true)
					if err := x.Rebuild(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := x.CatchUp(short(t)); err != nil {
		t.Fatal(err)
	}
	dump(t, x)
	if st := x.Stats(); st.Keys != writers || st.Values != int64(writers*each) || st.Events < st.Values {
		t.Fatalf("%+v", st)
	}
}
