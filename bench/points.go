package main

import (
	"context"
	"fmt"
)

// measurement is one run of one contender at one point: a value per row.
type measurement []float64

// row is one line of a table.
type row struct {
	name, unit string
	more       bool // more is better
}

// point is a row of a table, or several that one run gives: what is measured of each contender.
type point struct {
	table string
	rows  []row // one per value of the measurement
	run   func(ctx context.Context, c contender) (measurement, error)
	among func() []contender
	most  int // repeats, when greater than 0
}

// name is what -points selects by.
func (p *point) name() string { return p.table + ": " + p.rows[0].name }

// points returns everything that can be measured.
func points(b budget) []point {
	all := append(appendPoints(b), point{
		table: "settling, appends x1, 256 B, sync never", rows: stageRows(b), among: contenders, most: 3,
		run: func(ctx context.Context, c contender) (measurement, error) { return runSettling(ctx, c, b) },
	})
	all = append(all, togetherPoints(b)...)
	all = append(all, latencyPoints(b)...)
	all = append(all, longPoints(b)...)
	all = append(all, manyLogsPoints(b)...)
	all = append(all, storedPoints(b)...)
	return append(all, deliveryPoints(b)...)
}

func appendPoints(b budget) (all []point) {
	for _, pol := range []policy{never, interval, always} {
		for _, batch := range []int{1, 64, 1000} {
			for _, size := range []int{32, 256, 1024} {
				name := fmt.Sprintf("x%d, %d B", batch, size)
				p := point{table: "append, sync " + string(pol), rows: []row{{name: name, unit: "ns/event"}}, among: contenders}
				if pol == always {
					p.rows[0].unit, p.among = "µs/batch", stores
				}
				counted := pol == never && batch == 1
				if counted {
					p.rows = append(p.rows, row{name: name + ", allocations", unit: "/append"})
				}
				p.run = func(ctx context.Context, c contender) (measurement, error) {
					a, err := runAppends(ctx, c, settings{sync: pol}, b, workload{size: size, batch: batch})
					m := measurement{a.perEvent}
					if pol == always {
						m[0] *= float64(batch) / 1e3
					}
					if counted {
						m = append(m, a.allocs)
					}
					return m, err
				}
				all = append(all, p)
			}
		}
	}
	return all
}

func togetherPoints(b budget) (all []point) {
	for _, pol := range []policy{never, interval, always} {
		all = append(all, point{
			table: "append, 8 goroutines, x1, 256 B", among: contenders,
			rows: []row{{"sync " + string(pol), "k events/s", true}, {name: "p99 of one append", unit: "µs"}},
			run: func(ctx context.Context, c contender) (measurement, error) {
				a, err := runAppends(ctx, c, settings{sync: pol, together: 8}, b, workload{size: 256, batch: 1, timed: true})
				return measurement{1e6 / a.perEvent, us(a.latencies.quantile(0.99))}, err
			},
		})
	}
	return all
}

func latencyPoints(b budget) (all []point) {
	for _, pol := range []policy{never, interval, always} {
		all = append(all, point{
			table: "latency of one append, x1, 256 B", among: contenders,
			rows: []row{{name: "sync " + string(pol) + ", p50", unit: "ns"}, {name: "p99", unit: "ns"}, {name: "p99.9", unit: "ns"}},
			run: func(ctx context.Context, c contender) (measurement, error) {
				a, err := runAppends(ctx, c, settings{sync: pol}, b, workload{size: 256, batch: 1, timed: true})
				l := &a.latencies
				return measurement{ns(l.quantile(0.5)), ns(l.quantile(0.99)), ns(l.quantile(0.999))}, err
			},
		})
	}
	return all
}

// longPoints are measured once: they are long enough to be their own mean.
func longPoints(b budget) (all []point) {
	table := fmt.Sprintf("%v of appends, x%d, %d B, sync never", b.Sustained, sustainedBatch, sustainedSize)
	written := []row{{name: "written per byte appended, process", unit: "B/B"}, {name: "written per byte appended, device", unit: "B/B"}}
	return []point{{
		table: table, rows: append([]row{{"one log", "k events/s", true}}, written...), among: contenders, most: 1,
		run: func(ctx context.Context, c contender) (measurement, error) {
			m, err := runSustained(ctx, c, b, 1)
			if c.role == floor && len(m) > 0 {
				m = m[:1] // it writes nothing, and others have no part in that
			}
			return m, err
		},
	}, {
		table: table + fmt.Sprintf(", %d logs", manyLogs), rows: append([]row{{"a batch goes to 64 logs", "k events/s", true}}, written...), among: spreaders, most: 1,
		run: func(ctx context.Context, c contender) (measurement, error) { return runSustained(ctx, c, b, manyLogs) },
	}}
}

func storedPoints(b budget) (all []point) {
	events := short(b.Events)
	all = append(all, point{
		table: "read " + events + " × 256 B", among: readers,
		rows: []row{
			{name: "in order, after reopening", unit: "ns/event"},
			{name: "again", unit: "ns/event"},
			{name: "one event by number, warm", unit: "ns"},
			{name: "one event by number, any", unit: "ns"},
			{name: "bytes per event: row files; of others all files", unit: "B"},
			{name: "bytes per event: all files", unit: "B"},
		},
		run: func(ctx context.Context, c contender) (measurement, error) { return runRead(ctx, c, b) },
	})
	for _, closed := range []bool{true, false} {
		name := "killed"
		if closed {
			name = "closed"
		}
		all = append(all, point{
			table: "reopen with " + events + " × 256 B", among: stores, most: 3,
			rows: []row{{name: name + ": open and read the newest", unit: "ms"}, {name: "heap it holds then", unit: "MiB"}, {name: "RSS has grown by", unit: "MiB"}},
			run:  func(ctx context.Context, c contender) (measurement, error) { return runReopen(ctx, c, b, closed) },
		})
	}
	return all
}

func deliveryPoints(b budget) (all []point) {
	for _, active := range []bool{true, false} {
		name := "reader that waits"
		if active {
			name = "reader that is active"
		}
		all = append(all, point{
			table: "delivery of an event to a reader, x1, 256 B, sync never", among: tailers,
			rows: []row{{name: name + ", p50", unit: "µs"}, {name: "p99", unit: "µs"}},
			run:  func(ctx context.Context, c contender) (measurement, error) { return runDelivery(ctx, c, b, active) },
		})
	}
	return all
}

// short writes a count of events.
func short(n int) string {
	switch {
	case n >= 1e6 && n%1e6 == 0:
		return fmt.Sprintf("%d M", n/1e6)
	case n >= 1e3 && n%1e3 == 0:
		return fmt.Sprintf("%d k", n/1e3)
	}
	return fmt.Sprint(n)
}
