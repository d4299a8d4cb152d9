package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// stages is how many times the bytes of a run double in the point that shows when figures settle.
const stages = 6

// stageEnds returns how many bytes have been appended at the end of each stage.
func stageEnds(b budget) (ends []int64) {
	for i := range stages {
		ends = append(ends, max((b.WarmBytes+b.Bytes)>>(stages-1-i), 1))
	}
	return ends
}

func stageRows(b budget) (rows []row) {
	from := "0"
	for _, end := range stageEnds(b) {
		to := fmt.Sprintf("%.4g", float64(end)/(1<<20))
		rows = append(rows, row{name: from + " to " + to + " MiB", unit: "ns/event"})
		from = to
	}
	return rows
}

// runSettling appends one by one from the first byte of a new store on, and returns what an event costs in each stage. Nothing is
// known of stages that the time for warming up and measuring together does not reach the end of.
func runSettling(ctx context.Context, c contender, b budget) (m measurement, err error) {
	const size = 256
	err = fresh(b.Dir, func(dir string) error {
		e, err := c.open(ctx, settings{dir: dir, sync: never})
		if err != nil {
			return err
		}
		pool := payloads(4096, size)
		begin := time.Now()
		late := false
		var n int64
		for _, end := range stageEnds(b) {
			from, at := n, time.Now()
			for ; n*size < end && !late; n++ {
				if err := e.append(ctx, pool[n%int64(len(pool)):][:1]); err != nil {
					return errors.Join(err, e.Close())
				}
				late = n%64 == 63 && time.Since(begin) > b.Warm+b.Time
			}
			if late || n == from {
				m = append(m, math.NaN())
				continue
			}
			m = append(m, ns(time.Since(at))/float64(n-from))
		}
		return e.Close()
	})
	return m, err
}
