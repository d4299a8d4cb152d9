package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// budget bounds one measured run.
type budget struct {
	Time           time.Duration
	Bytes          int64         // of payloads appended
	Warm           time.Duration // what comes before it is measured
	WarmBytes      int64
	Events         int // of the reading points
	Sustained      time.Duration
	SustainedBytes int64
	Dir            string
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

// fresh runs f with an empty directory, and removes it. What runs before it left to be written is written first.
func fresh(parent string, f func(dir string) error) error {
	if err := syncFileSystem(parent); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, "store-")
	if err != nil {
		return err
	}
	return errors.Join(f(dir), os.RemoveAll(dir))
}

// workload is what a run of appends does.
type workload struct {
	size, batch int
	timed       bool // take latencies: it costs two readings of the clock per append
}

// appending is the result of a run of appends.
type appending struct {
	perEvent  float64 // wall time in ns ÷ events of all goroutines
	latencies histogram
	allocs    float64 // objects allocated on the Go heap per append, by whatever goroutine
}

// runAppends appends from as many goroutines as the settings say for the budget's time or bytes.
func runAppends(ctx context.Context, c contender, s settings, b budget, w workload) (a appending, err error) {
	err = fresh(b.Dir, func(dir string) error {
		s.dir = dir
		e, err := c.open(ctx, s)
		if err != nil {
			return err
		}
		return errors.Join(timeAppends(ctx, e, s, b, w, &a), e.Close())
	})
	return a, err
}

// appender is one of the goroutines of a run.
type appender struct {
	batches   int64
	latencies histogram
	err       error
}

func timeAppends(ctx context.Context, e engine, s settings, b budget, w workload, a *appending) error {
	goroutines := max(s.together, 1)
	pool := payloads(max(4096, w.batch), w.size)
	// Until memory, files that grow by doubling, caches and the processor's clock are what they are later, nothing is measured.
	warm := b.WarmBytes / int64(w.size*w.batch)
	for begin, n := time.Now(), int64(0); n < 3 || n < warm && time.Since(begin) < b.Warm; n++ {
		at := int(n) * w.batch % (len(pool) - w.batch + 1)
		if err := e.append(ctx, pool[at:at+w.batch]); err != nil {
			return err
		}
	}
	limit := max(b.Bytes/int64(w.size*w.batch*goroutines), 1)
	results := make([]*appender, goroutines)
	for g := range results {
		results[g] = new(appender)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var stop atomic.Bool
	timer := time.AfterFunc(b.Time, func() { stop.Store(true) })
	defer timer.Stop()
	var wg sync.WaitGroup
	begin := time.Now()
	for g, r := range results {
		wg.Go(func() {
			at := g * 131 % (len(pool) - w.batch + 1)
			for r.batches == 0 || r.batches < limit && !stop.Load() {
				var t time.Time
				if w.timed {
					t = time.Now()
				}
				if r.err = e.append(ctx, pool[at:at+w.batch]); r.err != nil {
					return
				}
				if w.timed {
					r.latencies.add(time.Since(t))
				}
				r.batches++
				if at += w.batch; at+w.batch > len(pool) {
					at = 0
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	var batches int64
	for _, r := range results {
		if r.err != nil {
			return r.err
		}
		batches += r.batches
		a.latencies.merge(&r.latencies)
	}
	a.perEvent = ns(took) / float64(batches*int64(w.batch))
	a.allocs = float64(after.Mallocs-before.Mallocs) / float64(batches)
	return nil
}

func ns(d time.Duration) float64 { return float64(d.Nanoseconds()) }

func us(d time.Duration) float64 { return ns(d) / 1e3 }

// load fills a store with events of 256 bytes, and lets it finish what it has put off if it is to settle.
func load(ctx context.Context, e engine, events int, settle bool) error {
	const batch = 1000
	pool := payloads(20*batch, 256)
	for at := 0; at < events; at += batch {
		n := min(batch, events-at)
		from := at % len(pool)
		if err := e.append(ctx, pool[from:from+n]); err != nil {
			return err
		}
	}
	if s, ok := e.(settler); ok && settle {
		return s.settle(ctx)
	}
	return nil
}
