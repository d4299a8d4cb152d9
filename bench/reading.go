package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"
)

// nearby is how many events the warm point reads are among: they fit every store's cache.
const nearby = 10_000

// runRead loads a store, opens it again and reads it.
func runRead(ctx context.Context, c contender, b budget) (m measurement, err error) {
	err = fresh(b.Dir, func(dir string) error {
		if err := fill(ctx, c, b, dir, true); err != nil {
			return err
		}
		whole, err := dirBytes(dir)
		if err != nil {
			return err
		}
		data, err := dirBytes(dir + "/" + c.data)
		if err != nil {
			return err
		}
		e, err := c.open(ctx, settings{dir: dir, sync: never})
		if err != nil {
			return err
		}
		m, err = timeReads(ctx, e, b)
		m = append(m, float64(data)/float64(b.Events), float64(whole)/float64(b.Events))
		return errors.Join(err, e.Close())
	})
	return m, err
}

func timeReads(ctx context.Context, e engine, b budget) (m measurement, err error) {
	for range 2 {
		begin := time.Now()
		n, _, err := e.scan(ctx)
		took := time.Since(begin)
		if err = errors.Join(err, checkEnd(n, int64(b.Events))); err != nil {
			return m, err
		}
		m = append(m, ns(took)/float64(n))
	}
	among := min(nearby, b.Events)
	first := uint64(b.Events-among) / 2
	for n := range uint64(among) {
		if _, err := e.at(ctx, first+n); err != nil {
			return m, err
		}
	}
	warm, err := timePoints(ctx, e, b, first, among)
	if err != nil {
		return m, err
	}
	all, err := timePoints(ctx, e, b, 0, b.Events)
	return append(m, warm, all), err
}

// timePoints reads single events at random from among so many and returns how long one takes.
func timePoints(ctx context.Context, e engine, b budget, first uint64, among int) (float64, error) {
	const most = 200_000
	rng := rand.New(rand.NewPCG(1, 2))
	begin := time.Now()
	n := 0
	for ; n < most && time.Since(begin) < b.Time; n++ {
		v, err := e.at(ctx, first+rng.Uint64N(uint64(among)))
		if err != nil {
			return 0, err
		}
		if len(v) != 256 {
			return 0, fmt.Errorf("an event of %d bytes", len(v))
		}
	}
	return ns(time.Since(begin)) / float64(max(n, 1)), nil
}

// runReopen opens a store that another process has filled and closed, or that was killed when it had filled it, and reads the
// newest event.
func runReopen(ctx context.Context, c contender, b budget, closed bool) (m measurement, err error) {
	err = fresh(b.Dir, func(dir string) error {
		if err := fill(ctx, c, b, dir, closed); err != nil {
			return err
		}
		m, err = timeOpen(ctx, c, dir)
		return err
	})
	return m, err
}

// timeOpen returns how long it takes to open and read, and what heap and memory have grown by.
func timeOpen(ctx context.Context, c contender, dir string) (measurement, error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	resident, err := residentBytes()
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	e, err := c.open(ctx, settings{dir: dir, sync: never})
	if err != nil {
		return nil, err
	}
	v, err := e.last(ctx)
	took := time.Since(begin)
	if err == nil && len(v) != 256 {
		err = fmt.Errorf("newest event of %d bytes", len(v))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	now, failed := residentBytes()
	return measurement{
		ns(took) / 1e6, max(float64(after.HeapAlloc)-float64(before.HeapAlloc), 0) / (1 << 20), max(now-resident, 0) / (1 << 20),
	}, errors.Join(err, failed, e.Close())
}
