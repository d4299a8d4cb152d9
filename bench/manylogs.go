package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	turnLogs      = 10_000    // written in turn
	smallLogs     = 1_000_000 // that hold few events each
	eventsOfSmall = 5
)

// router is an engine that holds many logs and takes single events for each, from many goroutines.
type router interface {
	// prepare makes so many logs.
	prepare(ctx context.Context, logs int) error
	// to appends to one of them.
	to(ctx context.Context, log int, payload []byte) error
}

// lister is an engine whose logs can be listed.
type lister interface {
	// create makes a log of that number with these events.
	create(ctx context.Context, log int, payloads [][]byte) error
	// list returns how many logs there are whose number, written with seven digits, has the first so many digits of log's.
	list(ctx context.Context, log, digits int) (int, error)
}

func manyLogsPoints(b budget) []point {
	table := fmt.Sprintf("append to logs in turn, 8 goroutines, x1, 256 B, sync never, %v", b.manyTime())
	all := make([]point, 0, 3)
	for _, logs := range []int{1, turnLogs} {
		all = append(all, point{
			table: table, rows: []row{{short(logs) + " logs", "k events/s", true}}, among: func() []contender { return named(contenders(), "netdb", "pebble") },
			run: func(ctx context.Context, c contender) (measurement, error) { return runTurns(ctx, c, b, logs) },
		})
	}
	n := min(smallLogs, b.Events)
	return append(all, point{
		table: fmt.Sprintf("%s logs of %d events of 256 B", short(n), eventsOfSmall), most: 1,
		among: func() []contender { return named(contenders(), "netdb") },
		rows: []row{
			{"made and filled by 8 goroutines", "logs/s", true},
			{name: "open", unit: "ms"},
			{name: "heap it holds then", unit: "MiB"},
			{name: "list 1,000 of them by prefix", unit: "ms"},
			{name: "list all", unit: "ms"},
		},
		run: func(ctx context.Context, c contender) (measurement, error) { return runSmallLogs(ctx, c, b, n) },
	})
}

// manyTime is how long appends in turn are measured: long enough for what is put off to be the most of it.
func (b *budget) manyTime() time.Duration { return 8 * b.Time }

// runTurns appends to each of so many logs in turn from eight goroutines.
func runTurns(ctx context.Context, c contender, b budget, logs int) (m measurement, err error) {
	err = fresh(b.Dir, func(dir string) error {
		e, err := c.open(ctx, settings{dir: dir, sync: never, together: 8})
		if err != nil {
			return err
		}
		r, ok := e.(router)
		if !ok {
			return errors.Join(errNone, e.Close())
		}
		if err := r.prepare(ctx, logs); err != nil {
			return errors.Join(err, e.Close())
		}
		pool := payloads(4096, 256)
		var next atomic.Int64
		begin := time.Now()
		err = together(8, func() error {
			for time.Since(begin) < b.manyTime() {
				end := int(next.Add(64))
				for at := end - 64; at < end; at++ {
					if err := r.to(ctx, at%logs, pool[at%len(pool)]); err != nil {
						return err
					}
				}
			}
			return nil
		})
		m = measurement{float64(next.Load()) / time.Since(begin).Seconds() / 1e3}
		return errors.Join(err, e.Close())
	})
	return m, err
}

// runSmallLogs makes many small logs, seals and closes the store, opens it again and lists them.
func runSmallLogs(ctx context.Context, c contender, b budget, logs int) (m measurement, err error) {
	err = fresh(b.Dir, func(dir string) error {
		e, err := c.open(ctx, settings{dir: dir, sync: never, together: 8})
		if err != nil {
			return err
		}
		l, ok := e.(lister)
		if !ok {
			return errors.Join(errNone, e.Close())
		}
		pool := payloads(4096, 256)
		var next atomic.Int64
		begin := time.Now()
		err = together(8, func() error {
			for i := next.Add(1) - 1; i < int64(logs); i = next.Add(1) - 1 {
				at := int(i) % (len(pool) - eventsOfSmall)
				if err := l.create(ctx, int(i), pool[at:at+eventsOfSmall]); err != nil {
					return err
				}
			}
			return nil
		})
		m = measurement{float64(logs) / time.Since(begin).Seconds()}
		if f, ok := e.(finisher); ok && err == nil {
			err = f.finish(ctx)
		}
		if err = errors.Join(err, e.Close()); err != nil {
			return err
		}
		more, err := timeLists(ctx, c, dir, logs)
		m = append(m, more...)
		return err
	})
	return m, err
}

// timeLists opens a store of many logs and lists them.
func timeLists(ctx context.Context, c contender, dir string, logs int) (measurement, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begin := time.Now()
	e, err := c.open(ctx, settings{dir: dir, sync: never})
	if err != nil {
		return nil, err
	}
	m := measurement{ns(time.Since(begin)) / 1e6}
	runtime.GC()
	runtime.ReadMemStats(&after)
	m = append(m, max(float64(after.HeapAlloc)-float64(before.HeapAlloc), 0)/(1<<20))
	l := e.(lister)
	for _, want := range []struct{ digits, logs int }{{4, min(logs, 1000)}, {0, logs}} {
		begin = time.Now()
		n, err := l.list(ctx, 0, want.digits)
		m = append(m, ns(time.Since(begin))/1e6)
		if err = errors.Join(err, checkEnd(int64(n), int64(want.logs))); err != nil {
			return m, errors.Join(err, e.Close())
		}
	}
	return m, e.Close()
}

// together runs f in so many goroutines and returns what they return.
func together(n int, f func() error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = f() })
	}
	wg.Wait()
	return errors.Join(errs...)
}
