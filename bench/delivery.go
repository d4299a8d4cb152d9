package main

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"
)

const (
	parkedPause = 500 * time.Microsecond // long enough for a reader, and the processor it was on, to go to sleep
	activePause = 20 * time.Microsecond
)

// runDelivery measures how long after the beginning of an append a reader of the log has the event: one that waits for it, or one
// that is active and looks again and again.
func runDelivery(ctx context.Context, c contender, b budget, active bool) (m measurement, err error) {
	err = fresh(b.Dir, func(dir string) error {
		e, err := c.open(ctx, settings{dir: dir, sync: never})
		if err != nil {
			return err
		}
		t, ok := e.(tailer)
		if !ok {
			return errors.Join(errNone, e.Close())
		}
		reader, err := t.tail(ctx)
		if err != nil {
			return errors.Join(err, e.Close())
		}
		h, err := timeDelivery(ctx, e, reader, b, active)
		m = measurement{us(h.quantile(0.5)), us(h.quantile(0.99))}
		return errors.Join(err, reader.Close(), e.Close())
	})
	return m, err
}

func timeDelivery(ctx context.Context, e engine, reader tail, b budget, active bool) (*histogram, error) {
	h := new(histogram)
	pool := payloads(4096, 256)
	begin := time.Now()
	var sent, taken atomic.Int64 // when the event on its way was appended; how many have arrived
	var warm atomic.Bool
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- readAll(ctx, reader, active, begin, &sent, &taken, &warm, h) }()
	appendNext := func(n int64) error {
		sent.Store(int64(time.Since(begin)))
		if err := e.append(ctx, pool[n%int64(len(pool)):][:1]); err != nil {
			return err
		}
		for wait := true; wait; wait = taken.Load() <= n {
			select {
			case err := <-done:
				return errors.Join(err, errors.New("the reader has ended"))
			default:
			}
			if active {
				spin(activePause)
			} else {
				time.Sleep(parkedPause)
			}
		}
		return nil
	}
	for n := int64(0); n < 3 || time.Since(begin) < b.Warm/4+b.Time; n++ {
		warm.Store(n >= 2 && time.Since(begin) > b.Warm/4)
		if err := appendNext(n); err != nil {
			return h, err
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		return h, err
	}
	return h, nil
}

// readAll takes events until ctx ends.
func readAll(ctx context.Context, t tail, active bool, begin time.Time, sent, taken *atomic.Int64, warm *atomic.Bool, h *histogram) error {
	for {
		if active {
			for {
				_, ok, err := t.try(ctx)
				if err != nil {
					return err
				}
				if ok {
					break
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				runtime.Gosched()
			}
		} else if _, err := t.next(ctx); err != nil {
			return err
		}
		if took := time.Since(begin) - time.Duration(sent.Load()); warm.Load() {
			h.add(took)
		}
		taken.Add(1)
	}
}

// spin lets other goroutines run for so long without going to sleep.
func spin(d time.Duration) {
	for begin := time.Now(); time.Since(begin) < d; {
		runtime.Gosched()
	}
}
