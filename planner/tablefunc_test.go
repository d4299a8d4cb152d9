package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/spilltest"
)

// TestSessionSpills asserts that a session larger than the memory goes through the disk, and that the answer is the same.
func TestSessionSpills(t *testing.T) {
	l := newLog("big")
	for i := range 30_000 {
		x := i
		if i >= 20_000 {
			x = i * 10 // short ones behind the long one
		}
		l.payloads = append(l.payloads, fmt.Sprintf(`{"x":%d,"k":%d,"s":"%0200d"}`, x, i%3, i))
		l.times = append(l.times, int64(i))
	}
	c := memCatalog{}
	c.log(l)
	for _, text := range []string{
		"SELECT x, s, window_start, window_end FROM session(big, x, 5)",
		"SELECT k, x, s, window_end FROM session(big, x, 7, k)",
		"SELECT _seq, s, window_end FROM session(big, _seq, 2)",
	} {
		want := mustRunTexts(t, c, text)
		for _, batch := range []int{100, 2048} {
			got, err := runSpilling(t.Context(), c, text, 1<<20, batch, &spilltest.FS{})
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if !slices.Equal(want, got.rows) {
				t.Errorf("%s: other rows", text)
			}
			if got.bytes < 1<<18 || got.peak > 1<<20+spillSlack {
				t.Errorf("%s: %d bytes on disk, %d in memory", text, got.bytes, got.peak)
			}
		}
		if _, err := runSQL(t.Context(), c, text, Options{}, RunOptions{MemoryBytes: 1 << 20}); !errors.Is(err, exec.ErrBudget) {
			t.Errorf("%s: error %v without a disk", text, err)
		}
	}
	// Where nobody asks for the end, nothing is kept.
	if _, err := runSQL(t.Context(), c, "SELECT s, window_start FROM session(big, _seq, 2)", Options{}, RunOptions{MemoryBytes: 1 << 20}); err != nil {
		t.Error(err)
	}
}

func mustRunTexts(t *testing.T, c Catalog, text string) []string {
	t.Helper()
	out, err := runSpilling(t.Context(), c, text, 0, 0, &spilltest.FS{})
	if err != nil {
		t.Fatal(err)
	}
	return out.rows
}

// TestWindowsInZones asserts that days and months are those of the session's zone, 23 and 25 hours long where they are.
func TestWindowsInZones(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"SELECT window_start, window_end FROM tumble((SELECT TIMESTAMP '2024-03-31 12:00:00' AS t), t, INTERVAL '1 day')":                                "2024-03-30T23:00:00Z 2024-03-31T22:00:00Z",
		"SELECT window_start, window_end FROM tumble((SELECT TIMESTAMP '2024-10-27 12:00:00' AS t), t, INTERVAL '1 day')":                                "2024-10-26T22:00:00Z 2024-10-27T23:00:00Z",
		"SELECT window_start, window_end FROM tumble((SELECT TIMESTAMP '2024-10-27 12:00:00' AS t), t, INTERVAL '24 hours')":                             "2024-10-26T23:00:00Z 2024-10-27T23:00:00Z",
		"SELECT window_start, window_end FROM tumble((SELECT TIMESTAMP '2024-10-31 12:00:00' AS t), t, INTERVAL '1 month')":                              "2024-09-30T22:00:00Z 2024-10-31T23:00:00Z",
		"SELECT window_start, window_end FROM tumble((SELECT TIMESTAMP '2024-10-31 12:00:00' AS t), t, INTERVAL '1 week', DATE '2024-01-01')":            "2024-10-27T23:00:00Z 2024-11-03T23:00:00Z",
		"SELECT window_start, window_end FROM tumble((SELECT TIMESTAMP '2024-10-31 12:00:00' AS t), t, INTERVAL '1 week', TIMESTAMP '2024-01-01 06:00')": "2024-10-28T05:00:00Z 2024-11-04T05:00:00Z",
		"SELECT count(*), min(window_end) FROM hop((SELECT TIMESTAMP '2024-03-31 12:00:00' AS t), t, INTERVAL '1 hour', INTERVAL '1 day')":               "24 2024-03-31T11:00:00Z",
	} {
		rows, err := runSQL(t.Context(), testCatalog(), text, Options{Zone: paris}, RunOptions{})
		if err != nil || len(rows) != 1 {
			t.Fatalf("%s: %v, %v", text, rows, err)
		}
		got := strings.ReplaceAll(strings.ReplaceAll(rows[0], ".000000000", ""), "|", " ")
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// TestTableFuncsCancel cancels at each look at the context, and asserts that between two looks little is read.
func TestTableFuncsCancel(t *testing.T) {
	table := newManyRows(40_000)
	c := memCatalog{}
	c[TableName{KindFold, "big"}] = table
	for _, text := range []string{
		"SELECT count(*) FROM hop(big, x, 1, 50)",
		"SELECT max(s), max(window_end) FROM hop(big, x, 10, 50)",
		"SELECT count(*) FROM tumble(big, x, 3) WHERE window_end > 5",
		"SELECT max(window_end) FROM session(big, x, 1000)",
		"SELECT max(s), max(window_end) FROM session(big, x, 1000, s)",
		"SELECT window_end FROM hop(big, x, 1, 1000) LIMIT 400000",
		"SELECT window_start FROM session((SELECT * FROM big ORDER BY x), x, 1)",
	} {
		w := &watched{Context: context.Background()}
		table.w = w
		if _, err := runSQL(w, c, text, Options{}, RunOptions{}); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if w.looks < 20 || w.mostRows > 4*2048 {
			t.Errorf("%s: %d looks, up to %d rows between two", text, w.looks, w.mostRows)
		}
		for _, stopAt := range []int{w.looks / 4, w.looks / 2, w.looks * 3 / 4} {
			w := &watched{Context: context.Background(), stopAt: stopAt}
			table.w = w
			if _, err := runSQL(w, c, text, Options{}, RunOptions{}); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: error %v at look %d", text, err, stopAt)
			}
		}
	}
}

// TestLineageMemory asserts that a search counts what it finds, and gives it back.
func TestLineageMemory(t *testing.T) {
	l := newLog("chain")
	for i := range 20_000 {
		l.payloads = append(l.payloads, fmt.Sprintf(`{"by":%d}`, i-1))
		l.times = append(l.times, int64(i))
	}
	c := memCatalog{}
	c.log(l)
	for _, text := range []string{
		"SELECT count(*), max(depth) FROM lineage(chain, 19999, parents => 'by')",
		"SELECT count(*), max(depth) FROM lineage(chain, 0, 'forward', parents => 'by')",
	} {
		p, err := planSQL(t.Context(), c, text, Options{})
		if err != nil {
			t.Fatal(err)
		}
		r, b, err := p.start(t.Context(), RunOptions{}, false)
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		for batch, err := r.Next(t.Context()); batch != nil || err != nil; batch, err = r.Next(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if rows++; batch.Cols[0].Int(0) != 20_000 || batch.Cols[1].Int(0) != 19_999 {
				t.Errorf("%s: %d events, depth %d", text, batch.Cols[0].Int(0), batch.Cols[1].Int(0))
			}
		}
		if used, peak := b.env.Budget.Used(), b.env.Budget.Peak(); rows != 1 || used != 0 || peak < 20_000*nodeBytes {
			t.Errorf("%s: %d rows, %d bytes held, at most %d", text, rows, used, peak)
		}
		if _, err := runSQL(t.Context(), c, text, Options{}, RunOptions{MemoryBytes: 100 << 10}); !errors.Is(err, exec.ErrBudget) {
			t.Errorf("%s: error %v", text, err)
		}
	}
	// The paths of a chain are as long as it together squared.
	rows, err := runSQL(t.Context(), c, "SELECT max(length(CAST(path AS TEXT))) FROM lineage(chain, 3000, parents => 'by')", Options{}, RunOptions{MemoryBytes: 8 << 20})
	if err != nil || len(rows) != 1 {
		t.Errorf("%v, %v", rows, err)
	}
	cycle := newLog("cycle", `{"by":2}`, `{"by":0}`, `{"by":1}`)
	c.log(cycle)
	_, err = runSQL(t.Context(), c, "SELECT _seq FROM lineage(cycle, 1, parents => 'by')", Options{}, RunOptions{})
	ce, ok := errors.AsType[*CycleError](err)
	if want := []Link{{"cycle", 1}, {"cycle", 0}, {"cycle", 2}}; !ok || !slices.Equal(ce.Events, want) || !errors.Is(err, ErrCycle) {
		t.Errorf("error %v", err)
	}
}

// lineageLogs adds what the scripts on lineage search.
func lineageLogs(c memCatalog) {
	// 0 and 1 made 2, that 3 and 4, these 5; 6 names what is not there; 7 and 8 are in a cycle, 9 is its own.
	c.log(newLog("made",
		`{"n":"a"}`, `{"n":"b"}`, `{"n":"c","by":[0,1]}`, `{"n":"d","by":2}`, `{"n":"e","by":2.0}`,
		`{"n":"f","by":[4,3,{"log":"made too","seq":0}],"of":{"by":3}}`, `{"n":"g","by":[5,99,{"log":"none","seq":1},"x",-1,[3],null,2.5]}`,
		`{"n":"h","by":8}`, `{"n":"i","by":[2,7]}`, `{"n":"j","by":9}`, `{"n":"k","by":{"seq":10000000000000000000}}`,
	))
	c.log(newLog("made too", `{"n":"A","by":{"seq":0,"log":"made","why":{"seq":5}}}`, `{"n":"B","by":0}`))
}
