package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// budget bounds one measured run.
type budget struct {
	time   time.Duration
	bytes  int64 // of payloads appended
	events int   // of the reading points
	dir    string
}

// payloads returns n different JSON objects of size bytes (fewer than 24 are not possible).
func payloads(n, size int) [][]byte {
	rng := rand.New(rand.NewPCG(1, uint64(size)))
	words := []string{"north", "south", "harbour", "station", "created", "shipped", "https://example.org/items/", "temperature"}
	out := make([][]byte, n)
	for i := range out {
		b := fmt.Appendf(nil, `{"n":%d,"v":"`, rng.IntN(1e6))
		for len(b) < size-2 {
			if rng.IntN(2) == 0 {
				b = append(b, words[rng.IntN(len(words))]...)
			} else {
				b = fmt.Appendf(b, " %x ", rng.Uint32())
			}
		}
		out[i] = append(b[:max(size-2, 0)], `"}`...)
	}
	return out
}

// fresh runs f with an empty directory, and removes it.
func fresh(parent string, f func(dir string) error) error {
	dir, err := os.MkdirTemp(parent, "store-")
	if err != nil {
		return err
	}
	return errors.Join(f(dir), os.RemoveAll(dir))
}

// appending is the result of a run of appends.
type appending struct {
	perEvent  float64 // wall time in ns ÷ events of all goroutines
	latencies []time.Duration
}

// runAppends appends batches of batch events of size bytes from as many goroutines for the budget's time or bytes. Latencies
// are taken when timed is set: it costs two readings of the clock per append.
func runAppends(ctx context.Context, c contender, s settings, b budget, size, batch int, timed bool) (a appending, err error) {
	err = fresh(b.dir, func(dir string) error {
		s.dir = dir
		e, err := c.open(ctx, s)
		if err != nil {
			return err
		}
		a, err = timeAppends(ctx, e, s, b, size, batch, timed)
		return errors.Join(err, e.Close())
	})
	return a, err
}

func timeAppends(ctx context.Context, e engine, s settings, b budget, size, batch int, timed bool) (appending, error) {
	goroutines := max(s.together, 1)
	pool := payloads(max(4096, batch), size)
	limit := max(b.bytes/int64(size*batch*goroutines), 1)
	// Files that grow by doubling, caches and the processor's clock settle before anything is measured.
	for begin, n := time.Now(), int64(0); n < 3 || n < limit/5 && time.Since(begin) < b.time/5; n++ {
		if err := e.append(ctx, pool[:batch]); err != nil {
			return appending{}, err
		}
	}
	var stop atomic.Bool
	timer := time.AfterFunc(b.time, func() { stop.Store(true) })
	defer timer.Stop()
	type result struct {
		batches   int64
		latencies []time.Duration
		err       error
	}
	results := make([]result, goroutines)
	var wg sync.WaitGroup
	begin := time.Now()
	for g := range results {
		wg.Go(func() {
			r := &results[g]
			if timed {
				r.latencies = make([]time.Duration, 0, min(limit, 4<<20))
			}
			at := g * 131 % (len(pool) - batch + 1)
			for r.batches < limit && !stop.Load() {
				var t time.Time
				if timed {
					t = time.Now()
				}
				if r.err = e.append(ctx, pool[at:at+batch]); r.err != nil {
					return
				}
				if timed {
					r.latencies = append(r.latencies, time.Since(t))
				}
				r.batches++
				if at += batch; at+batch > len(pool) {
					at = 0
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	var a appending
	var events int64
	for i := range results {
		if results[i].err != nil {
			return a, results[i].err
		}
		events += results[i].batches * int64(batch)
		a.latencies = append(a.latencies, results[i].latencies...)
	}
	a.perEvent = float64(took.Nanoseconds()) / float64(max(events, 1))
	slices.Sort(a.latencies)
	return a, nil
}

// quantile returns the q-th quantile of sorted latencies.
func quantile(l []time.Duration, q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	return l[min(int(q*float64(len(l))), len(l)-1)]
}

// settler is an engine that has something to finish before it is read or reopened.
type settler interface {
	settle(ctx context.Context) error
}

// load fills a store with events of 256 bytes.
func load(ctx context.Context, e engine, events int) error {
	const batch = 1000
	pool := payloads(20*batch, 256)
	for at := 0; at < events; at += batch {
		n := min(batch, events-at)
		from := at % len(pool)
		if err := e.append(ctx, pool[from:from+n]); err != nil {
			return err
		}
	}
	if s, ok := e.(settler); ok {
		return s.settle(ctx)
	}
	return nil
}
