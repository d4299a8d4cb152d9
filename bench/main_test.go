package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the child that the point about killed stores starts.
func TestMain(m *testing.M) {
	if what := os.Getenv(child); what != "" {
		if err := runChild(context.Background(), what, os.Stdout); err != nil {
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// TestReport measures a little of every kind of point and checks that each table has a row with a figure for each store.
func TestReport(t *testing.T) {
	var out, progress bytes.Buffer
	args := []string{
		"-time", "2ms", "-bytes", "100000", "-events", "3000", "-repeat", "1", "-dir", t.TempDir(),
		"-points", "x1, 256 B|x64, 32 B|8 goroutines|latency|read|reopen",
	}
	if err := run(t.Context(), args, &out, &progress); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{"# Measurements", "append, sync always", "append, sync never", "latency of one append", "## read 3 k", "## reopen with 3 k", "killed:"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	rows := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| |") {
			continue
		}
		rows++
		if n := strings.Count(line, "±"); n != 5 && n != 7 {
			t.Errorf("%d figures in %s", n, line)
		}
	}
	if rows < 20 {
		t.Errorf("%d rows", rows)
	}
}

// TestEngines checks that every store returns what was appended, after reopening too.
func TestEngines(t *testing.T) {
	for _, c := range append(contenders(), readers()[:3]...) {
		for _, p := range []policy{always, interval, never} {
			t.Run(c.name+"/"+string(p), func(t *testing.T) {
				dir := t.TempDir()
				want := payloads(300, 40)
				var bytes int64
				for _, p := range want {
					bytes += int64(len(p))
				}
				e, err := c.open(t.Context(), settings{dir: dir, sync: p})
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(e.append(t.Context(), want[:1]), e.append(t.Context(), want[1:200])); err != nil {
					t.Fatal(err)
				}
				if s, ok := e.(settler); ok {
					if err := s.settle(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
				if e, err = c.open(t.Context(), settings{dir: dir, sync: p, together: 2}); err != nil {
					t.Fatal(err)
				}
				if err := e.append(t.Context(), want[200:]); err != nil {
					t.Fatal(err)
				}
				n, got, err := e.scan(t.Context())
				if err != nil || n != 300 || got != bytes {
					t.Errorf("%d events, %d bytes, want 300 and %d: %v", n, got, bytes, err)
				}
				last, err := e.last(t.Context())
				if err != nil || string(last) != string(want[299]) {
					t.Errorf("last %q, want %q: %v", last, want[299], err)
				}
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestPayloads(t *testing.T) {
	for _, size := range []int{32, 256, 1024} {
		for _, p := range payloads(50, size) {
			if len(p) != size {
				t.Errorf("%d bytes, want %d", len(p), size)
			}
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in          []measurement
		mid, spread float64
	}{
		{[]measurement{{5}}, 5, 0},
		{[]measurement{{3}, {1}, {2}}, 2, 1},
		{[]measurement{{1}, {3}}, 2, 1},
	} {
		if mid, spread := median(c.in, 0); mid != c.mid || spread != c.spread {
			t.Errorf("%v: %v %v", c.in, mid, spread)
		}
	}
	l := []time.Duration{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	if quantile(l, 0.5) != 6 || quantile(l, 0.999) != 10 || quantile(nil, 0.5) != 0 {
		t.Error(quantile(l, 0.5), quantile(l, 0.999))
	}
	for in, want := range map[float64]string{0: "0.00", 1.234: "1.23", 57.26: "57.3", 123: "123", 1234: "1,234", 1234567: "1,234,567"} {
		if got := figure(in); got != want {
			t.Errorf("%v: %s, want %s", in, got, want)
		}
	}
}

func TestFlags(t *testing.T) {
	var out, progress bytes.Buffer
	if err := run(t.Context(), []string{"-list"}, &out, &progress); err != nil || !strings.Contains(out.String(), "append, sync never: x1, 256 B\n") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if err := run(t.Context(), []string{"-nonsense"}, &out, &progress); !errors.Is(err, errUsage) {
		t.Error(err)
	}
	if err := run(t.Context(), []string{"-h"}, &out, &progress); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
	for _, bad := range [][]string{{"-points", "("}, {"-stores", "("}, {"-points", "no such point"}} {
		if err := run(t.Context(), bad, &out, &progress); err == nil {
			t.Errorf("%v accepted", bad)
		}
	}
}
