package fold

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed69692123/netdb/internal/waitheap"
	"github.com/seed69692123/netdb/redex"
)

// empty reports what is left in a queue of waiters, which should be nothing.
func (q *waitQueue) empty(t *testing.T) {
	t.Helper()
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.logs {
		if q.logs[i].Len() != 0 || q.lowest[i].Load() != waitheap.None {
			t.Errorf("log %d: %d waiters, the lowest for %d", i, q.logs[i].Len(), q.lowest[i].Load())
		}
	}
	if n := q.n.Load(); n != 0 {
		t.Errorf("%d waiters are counted", n)
	}
}

// TestManyWaiters: 100,000 waiters at once cost no goroutine; each is woken by its event or by the end, none is left, and
// those who gave up are forgotten.
func TestManyWaiters(t *testing.T) {
	s, l := memoryStore(t)
	const events, waiters, workers = 1000, 100_000, 8
	gate := make(chan struct{})
	d := sumDef(Options{Checkpoint: Checkpoint{Off: true}})
	plain := d.Fold
	d.Fold = Func[sums](func(s *sums, ev redex.Event) error {
		if ev.Seq == events/2 {
			<-gate
		}
		return plain.Apply(s, ev)
	})
	fill(t, l, events)
	h, err := Open(t.Context(), s, d)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	release := sync.OnceFunc(func() { close(gate) })
	defer release()
	var wg sync.WaitGroup
	enter := func(from, to uint64) []*waitheap.Waiter {
		all := make([]*waitheap.Waiter, waiters)
		for k := range workers {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(k), 1))
				for i := k; i < waiters; i += workers {
					w := h.waits.add(0, redex.Seq(from+r.Uint64N(to-from)))
					if i%3 == 0 {
						h.waits.remove(0, w)
						continue
					}
					all[i] = w
				}
			})
		}
		wg.Wait()
		return all
	}
	woken := func(all []*waitheap.Waiter) {
		t.Helper()
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		for i, w := range all {
			if w == nil {
				continue
			}
			select {
			case <-w.Ready:
			case <-ctx.Done():
				t.Fatal("waiter", i, "for", w.For, "was never woken")
			}
		}
		h.waits.empty(t)
	}
	all := enter(events/2, events)
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	if n, g := h.waits.n.Load(), bytes.Count(stacks, []byte("netdb/fold.(*Handle[...]).run(")); n < waiters/2 || g != 1 || bytes.Contains(stacks, []byte("fold.(*waitQueue)")) {
		t.Fatalf("%d waiters, %d drivers\n%s", n, g, stacks)
	}
	release()
	woken(all)
	all = append(enter(events+1, math.MaxUint64), h.waits.add(0, math.MaxUint64))
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	woken(all)
}

// TestWaitsRace: writers, waits that end in every way, and the end of the fold at once. Waits for what was written end with
// nil, and when all is over nothing is left of any.
func TestWaitsRace(t *testing.T) {
	s, err := redex.OpenMemory(t.Context(), redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, err := s.OpenLog(t.Context(), "in", redex.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.OpenLog(t.Context(), "beside", redex.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	shared := NewWaitLimit(40)
	d := Definition[sums]{Name: "sums", Logs: []string{"in", "beside"}, Options: Options{Waiters: shared}, Fold: Func[sums](func(s *sums, ev redex.Event) error {
		s.Seen.Set(uint64(ev.Ordinal), 1)
		return nil
	})}
	h, err := Open(t.Context(), s, d)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	life, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var writers, forever, watchers sync.WaitGroup
	var refused, ended, over atomic.Int64
	for i := range 32 {
		writers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 2))
			for range 200 {
				at, err := []*redex.Log{a, b}[r.IntN(2)].Append(life, redex.Entry{}, redex.AppendOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				ctx, cancel := context.WithCancel(life)
				way := r.IntN(4)
				switch way {
				case 0:
					go cancel()
				case 1:
					cancel()
				}
				err = h.Wait(ctx, TokenOf(at.Position))
				cancel()
				switch {
				case err == nil && way == 1, errors.Is(err, context.Canceled) && way < 2:
					ended.Add(1)
				case errors.Is(err, ErrTooManyWaiters):
					refused.Add(1)
				case err != nil:
					t.Error(way, err)
				case err == nil:
					if _, ok := h.Snapshot().State.Seen.Get(uint64(at.Ordinal)); !ok {
						t.Error("a wait returned before its event was there")
					}
				}
			}
		})
	}
	for range 16 { // for what never comes, until the end
		forever.Go(func() {
			p := redex.Position{Store: s.ID(), Log: a.ID(), Epoch: s.Epoch(), Ordinal: 1, Seq: 1 << 40}
			if err := h.Wait(life, TokenOf(p)); !errors.Is(err, ErrClosed) && !errors.Is(err, ErrTooManyWaiters) {
				t.Error(err)
			}
		})
	}
	done := make(chan struct{})
	watchers.Go(func() {
		for {
			if h.Stats().Waiting < 0 || shared.n.Load() > 40 {
				over.Add(1)
			}
			select {
			case <-done:
				return
			default:
				runtime.Gosched()
			}
		}
	})
	writers.Wait()
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	forever.Wait()
	close(done)
	watchers.Wait()
	h.waits.empty(t)
	if st := h.Stats(); st.Waiting != 0 || shared.n.Load() != 0 || over.Load() != 0 || st.WaitRefused < refused.Load() {
		t.Errorf("%d places are kept, %d over the bound, %+v", shared.n.Load(), over.Load(), st)
	}
	if ended.Load() == 0 {
		t.Error("no wait was cancelled: nothing is tested")
	}
}

// TestWaitLimitNeverOver: what is refused does not for a moment take the place of what is not.
func TestWaitLimitNeverOver(t *testing.T) {
	l := NewWaitLimit(1)
	if !l.enter() {
		t.Fatal("refused")
	}
	var wg sync.WaitGroup
	var running atomic.Int64
	for range 3 {
		running.Add(1)
		wg.Go(func() {
			defer running.Add(-1)
			for range 300_000 {
				if l.enter() {
					t.Error("two have the one place")
					return
				}
			}
		})
	}
	for running.Load() > 0 {
		if n := l.n.Load(); n != 1 {
			t.Error(n, "of 1 places are taken")
			break
		}
	}
	wg.Wait()
	l.leave()
	if !l.enter() {
		t.Error("a place that was given back is not to be had")
	}
}

// TestHaste: who waits for an event sees it after at most publishWaited more; who waits for a far one does not make the fold
// publish at every turn. In the bubble no time passes, so only counts make it publish.
func TestHaste(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := redex.OpenMemory(t.Context(), redex.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		l, err := s.OpenLog(t.Context(), "in", redex.LogOptions{})
		if err != nil {
			t.Fatal(err)
		}
		const n, middle = 10_000, 5_000
		pos := fill(t, l, n)
		gate := make(chan struct{})
		var h *Handle[sums]
		publications := map[*published[sums]]bool{}
		d := sumDef(Options{Checkpoint: Checkpoint{Off: true}})
		d.Fold = Func[sums](func(_ *sums, ev redex.Event) error {
			if ev.Seq == 0 {
				<-gate
			}
			p := h.pub.Load()
			publications[p] = true
			if next := p.places.at(0).mark.Next; ev.Seq > middle+publishWaited && next <= middle {
				t.Errorf("at %d only what is below %d is published", ev.Seq, next)
			}
			return nil
		})
		if h, err = Open(t.Context(), s, d); err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		ended := make(chan error)
		for _, seq := range []redex.Seq{middle, n - 1} {
			p := pos
			p.Seq = seq
			go func() { ended <- h.Wait(t.Context(), TokenOf(p)) }()
		}
		synctest.Wait()
		close(gate)
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if most := n/publishEvents + 6; len(publications) > most {
			t.Errorf("%d publications, not %d", len(publications), most)
		}
	})
}
