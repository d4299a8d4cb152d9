package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// measurement is one run of one contender at one point: a value per column of the point's table.
type measurement []float64

// point is a row of a table, or several: what is measured of each contender.
type point struct {
	table string
	rows  []string // one per value of the measurement
	unit  string
	run   func(ctx context.Context, c contender) (measurement, error)
	among func() []contender
	most  int // repeats, when greater than 0
}

// name is what -points selects by.
func (p *point) name() string { return p.table + ": " + p.rows[0] }

// points returns everything that can be measured.
func points(b budget) []point {
	var all []point
	for _, pol := range []policy{always, interval, never} {
		for _, batch := range []int{1, 64, 1000} {
			for _, size := range []int{32, 256, 1024} {
				all = append(all, point{
					table: "append, sync " + string(pol), rows: []string{fmt.Sprintf("x%d, %d B", batch, size)}, unit: "ns/event", among: contenders,
					run: func(ctx context.Context, c contender) (measurement, error) {
						a, err := runAppends(ctx, c, settings{sync: pol}, b, size, batch, false)
						return measurement{a.perEvent}, err
					},
				})
			}
		}
	}
	for _, pol := range []policy{always, interval, never} {
		all = append(all, point{
			table: "append, 8 goroutines, x1, 256 B", unit: "ns/event", among: contenders,
			rows: []string{"sync " + string(pol), "sync " + string(pol) + ", p99 of one append"},
			run: func(ctx context.Context, c contender) (measurement, error) {
				a, err := runAppends(ctx, c, settings{sync: pol, together: 8}, b, 256, 1, true)
				return measurement{a.perEvent, float64(quantile(a.latencies, 0.99).Nanoseconds())}, err
			},
		})
	}
	for _, pol := range []policy{never, interval, always} {
		all = append(all, point{
			table: "latency of one append, x1, 256 B", unit: "ns", among: contenders,
			rows: []string{"sync " + string(pol) + ", p50", "p99", "p99.9"},
			run: func(ctx context.Context, c contender) (measurement, error) {
				a, err := runAppends(ctx, c, settings{sync: pol}, b, 256, 1, true)
				l := a.latencies
				return measurement{ns(quantile(l, 0.5)), ns(quantile(l, 0.99)), ns(quantile(l, 0.999))}, err
			},
		})
	}
	events := short(b.events)
	all = append(all, point{
		table: "read " + events + " × 256 B", rows: []string{"in order, after reopening", "again", "bytes on disk per event"}, unit: "ns/event or B", among: readers,
		run: func(ctx context.Context, c contender) (measurement, error) { return runRead(ctx, c, b) },
	}, point{
		table: "reopen with " + events + " × 256 B", rows: []string{"closed: open and read the newest", "heap it holds then, MiB"}, unit: "µs or MiB", among: contenders,
		run: func(ctx context.Context, c contender) (measurement, error) { return runReopen(ctx, c, b) },
	}, point{
		table: "reopen with " + events + " × 256 B", rows: []string{"killed: open and read the newest"}, unit: "µs", among: contenders,
		run: func(ctx context.Context, c contender) (measurement, error) { return runKilled(ctx, c, b) }, most: 2,
	})
	return all
}

func ns(d time.Duration) float64 { return float64(d.Nanoseconds()) }

func short(n int) string {
	switch {
	case n%1_000_000 == 0:
		return fmt.Sprint(n/1_000_000, " M")
	case n%1000 == 0:
		return fmt.Sprint(n/1000, " k")
	}
	return fmt.Sprint(n)
}

func runRead(ctx context.Context, c contender, b budget) (m measurement, err error) {
	err = fresh(b.dir, func(dir string) error {
		e, err := c.open(ctx, settings{dir: dir, sync: never})
		if err != nil {
			return err
		}
		if err := errors.Join(load(ctx, e, b.events), e.Close()); err != nil {
			return err
		}
		size, err := dirBytes(dir)
		if err != nil {
			return err
		}
		if e, err = c.open(ctx, settings{dir: dir, sync: never}); err != nil {
			return err
		}
		for range 2 {
			begin := time.Now()
			n, _, err := e.scan(ctx)
			took := time.Since(begin)
			if err = errors.Join(err, checkEnd(n, int64(b.events))); err != nil {
				return errors.Join(err, e.Close())
			}
			m = append(m, ns(took)/float64(n))
		}
		m = append(m, float64(size)/float64(b.events))
		return e.Close()
	})
	return m, err
}

// timeOpen opens a store, reads its newest event and returns how long both took, and the heap that is held then.
func timeOpen(ctx context.Context, c contender, dir string) (took time.Duration, heap float64, err error) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begin := time.Now()
	e, err := c.open(ctx, settings{dir: dir, sync: never})
	if err != nil {
		return 0, 0, err
	}
	v, err := e.last(ctx)
	took = time.Since(begin)
	if err == nil && len(v) != 256 {
		err = fmt.Errorf("newest event of %d bytes", len(v))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	heap = max(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/(1<<20), 0)
	return took, heap, errors.Join(err, e.Close())
}

func runReopen(ctx context.Context, c contender, b budget) (m measurement, err error) {
	err = fresh(b.dir, func(dir string) error {
		e, err := c.open(ctx, settings{dir: dir, sync: never})
		if err != nil {
			return err
		}
		if err := errors.Join(load(ctx, e, b.events), e.Close()); err != nil {
			return err
		}
		took, heap, err := timeOpen(ctx, c, dir)
		m = measurement{float64(took.Microseconds()), heap}
		return err
	})
	return m, err
}

// child is the variable that makes this program a child that fills a store and waits to be killed: contender, events and
// directory.
const child = "NETDB_BENCH_CHILD"

func runKilled(ctx context.Context, c contender, b budget) (m measurement, err error) {
	err = fresh(b.dir, func(dir string) error {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, self)
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s,%d,%s", child, c.name, b.events, dir))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || line != "loaded\n" {
			return errors.Join(fmt.Errorf("child said %q: %w", line, err), cmd.Process.Kill(), cmd.Wait())
		}
		if err := cmd.Process.Kill(); err != nil {
			return err
		}
		_ = cmd.Wait() // it was killed
		took, _, err := timeOpen(ctx, c, dir)
		m = measurement{float64(took.Microseconds())}
		return err
	})
	return m, err
}

// runChild is what a child does: it never returns nil.
func runChild(ctx context.Context, what string, out io.Writer) error {
	name, rest, _ := strings.Cut(what, ",")
	count, dir, _ := strings.Cut(rest, ",")
	var events int
	if _, err := fmt.Sscan(count, &events); err != nil {
		return err
	}
	for _, c := range contenders() {
		if c.name != name {
			continue
		}
		e, err := c.open(ctx, settings{dir: dir, sync: never})
		if err != nil {
			return err
		}
		if err := loadOnly(ctx, e, events); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, "loaded"); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	return fmt.Errorf("no contender %q", name)
}

// loadOnly is load without settling.
func loadOnly(ctx context.Context, e engine, events int) error {
	return load(ctx, struct{ engine }{e}, events)
}
