package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	manyLogs       = 8000
	sustainedBatch = 64
	sustainedSize  = 256
	roomWanted     = 1 << 30
)

// runSustained appends batches for a long time, to one log or round many, and returns thousands of events a second, and bytes
// written per byte appended, by this process's count and by the device's, when the store is closed and all is on disk.
func runSustained(ctx context.Context, c contender, b budget, logs int) (m measurement, err error) {
	err = fresh(b.Dir, func(dir string) error {
		e, err := c.open(ctx, settings{dir: dir, sync: never})
		if err != nil {
			return err
		}
		before, err := writtenNow(dir)
		if err != nil {
			return errors.Join(err, e.Close())
		}
		events, took, err := sustain(ctx, e, b, dir, logs)
		if err = errors.Join(err, e.Close()); err != nil {
			return err
		}
		after, err := writtenNow(dir)
		w := after.since(before)
		appended := float64(events * sustainedSize)
		m = measurement{float64(events) / took.Seconds() / 1e3, w.process / appended, w.device / appended}
		return err
	})
	return m, err
}

// sustain returns how many events were appended in how long, which includes finishing what the store has put off.
func sustain(ctx context.Context, e engine, b budget, dir string, logs int) (events int64, took time.Duration, err error) {
	add := func(_ int64, p [][]byte) error { return e.append(ctx, p) }
	if logs > 1 {
		s, ok := e.(spreader)
		if !ok {
			return 0, 0, errNone
		}
		if err := s.prepare(ctx, logs); err != nil {
			return 0, 0, err
		}
		add = func(at int64, p [][]byte) error { return s.spread(ctx, int(at%int64(logs)), p) }
	}
	pool := payloads(4096, sustainedSize)
	limit := max(b.SustainedBytes/sustainedSize, 1)
	begin := time.Now()
	for looked := begin; events < limit && looked.Sub(begin) < b.Sustained; looked = time.Now() {
		room, err := roomLeft(dir)
		if err != nil {
			return 0, 0, err
		}
		if room < roomWanted {
			return 0, 0, fmt.Errorf("only %d MiB are left on the disk; -sustainedbytes bounds what is appended", room>>20)
		}
		for range 16 {
			at := int(events % int64(len(pool)))
			if err := add(events, pool[at:at+sustainedBatch]); err != nil {
				return 0, 0, err
			}
			events += sustainedBatch
		}
	}
	if f, ok := e.(finisher); ok {
		err = f.finish(ctx)
	}
	return events, time.Since(begin), err
}
