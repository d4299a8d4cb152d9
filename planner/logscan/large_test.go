package logscan

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/redex"
)

// counted is a context that counts how often it is looked at, and is cancelled from the stopAt-th time on.
type counted struct {
	context.Context
	looks, stopAt, after int
}

func (c *counted) Err() error {
	if c.looks++; c.stopAt > 0 && c.looks >= c.stopAt {
		c.after++
		return context.Canceled
	}
	return nil
}

// TestLooksInsidePayloads reads payloads of several MiB: the context is looked at while one is read, and a cancelled scan ends
// inside it. What was given up is taken in by the next one.
func TestLooksInsidePayloads(t *testing.T) {
	const size = 4 << 20
	s := openStore(t)
	text := `{"a":[` + strings.Repeat("1,", size/2) + `1],"b":"` + strings.Repeat(`\n`, size/4) + `","z":1}`
	l := createLog(t, s, "x", jsonEntry(`{"first":1}`), jsonEntry(text))
	read := func(ctx context.Context, r planner.Request) error {
		src := source(t, New(s), s, l)
		it, err := src.Scan(ctx, r)
		if err != nil {
			return err
		}
		defer it.Close()
		for {
			if b, err := it.Next(ctx); err != nil || b == nil {
				return err
			}
		}
	}
	catalogue := func(ctx context.Context) error {
		_, err := source(t, New(s), s, l).Fields(ctx, true)
		return err
	}
	for name, work := range map[string]func(ctx context.Context) error{
		"field":   func(ctx context.Context) error { return read(ctx, planner.Request{Outputs: outputs("z")}) },
		"text":    func(ctx context.Context) error { return read(ctx, planner.Request{Outputs: outputs("b")}) },
		"payload": func(ctx context.Context) error { return read(ctx, planner.Request{Outputs: outputs("_payload")}) },
		"reverse": func(ctx context.Context) error {
			return read(ctx, planner.Request{Outputs: outputs("a"), Reverse: true})
		},
		"catalogue": catalogue,
	} {
		c := &counted{Context: t.Context()}
		if err := work(c); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if least := size >> 18; c.looks < least {
			t.Errorf("%s: %d looks in %d MiB, not %d", name, c.looks, size>>20, least)
		}
		for _, part := range []int{4, 2, 1} {
			stop := &counted{Context: t.Context(), stopAt: max(1, c.looks*part/5)}
			if err := work(stop); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: stopped at look %d of %d: %v", name, stop.stopAt, c.looks, err)
			}
			if stop.after > 6 {
				t.Errorf("%s: went on for %d looks", name, stop.after)
			}
		}
	}
	// A walk that is given up leaves the row to the next one, whole and not malformed.
	catalogues := New(s)
	src := source(t, catalogues, s, l)
	for stopAt := 1; ; stopAt += 3 {
		_, err := src.Fields(&counted{Context: t.Context(), stopAt: stopAt}, true)
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if src.fields.position() > 1 {
			t.Fatalf("look %d: a payload that was not read whole is taken in", stopAt)
		}
	}
	f, err := catalogues.Faults(t.Context(), l, true)
	if err != nil || f.Malformed != 0 || f.Upto != 2 {
		t.Errorf("%+v, %v", f, err)
	}
	c, err := src.Fields(t.Context(), true)
	if err != nil || paths(c) == "" || len(c.Fields) != 4 {
		t.Errorf("%v, %v", c.Fields, err)
	}
}

// TestLargeEventsAheadAreFew scans large events with several threads and reads slowly: only one for each thread is held.
func TestLargeEventsAheadAreFew(t *testing.T) {
	s := openStore(t)
	l := createLog(t, s, "x")
	text := strings.Repeat("x", 5<<20)
	const events = 40
	for range events {
		appendAll(t, l, jsonEntry(`{"t":"`+text+`"}`))
	}
	src := source(t, New(s), s, l)
	it := newParallel(src, newProjection(outputs("t")), []span{{0, events}}, span{}, 1, 2, planner.ScanStats{})
	defer it.Close()
	for n := 0; ; n++ {
		b, err := it.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			if n != events {
				t.Errorf("%d events", n)
			}
			break
		}
		if n < 3 {
			waitAlone(t)
			if ahead := len(it.workers[0].out); ahead != 0 {
				t.Errorf("event %d: %d ahead", n, ahead)
			}
		}
	}
}

// waitAlone waits until a worker waits for its batches.
func waitAlone(t *testing.T) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); runtime.Gosched() {
		if strings.Contains(string(buf[:runtime.Stack(buf, true)]), "logscan.(*worker).alone") {
			return
		}
	}
	t.Fatal("no worker waits with a large event")
}

// TestWideBatchesAreShort: a batch of very many columns has few rows.
func TestWideBatchesAreShort(t *testing.T) {
	s := openStore(t)
	var entries []redex.Entry
	for range 3000 {
		entries = append(entries, jsonEntry(`{"a":1}`))
	}
	l := createLog(t, s, "x", entries...)
	var outs []planner.Output
	for range 1000 {
		outs = append(outs, outputs("a")...)
	}
	it, err := source(t, New(s), s, l).Scan(t.Context(), planner.Request{Outputs: outs})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	b, err := it.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b.N > maxBatchBytes/cellBytes/1000 || b.N < 10 {
		t.Errorf("%d rows of 1,000 columns", b.N)
	}
	if got := b.Cols[999].Class(b.N - 1); got != vector.ClassInt {
		t.Errorf("class %v", got)
	}
}
