package planner

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/spill"
	"github.com/seed69692123/netdb/planner/spilltest"
)

// TestSpillWindow: partitions one after the other from disk give what they give in memory.
func TestSpillWindow(t *testing.T) {
	checkSpilled(t, spillCatalog(10_000), []string{
		"SELECT i, row_number() OVER (PARTITION BY g ORDER BY k), sum(f) OVER (PARTITION BY g ORDER BY i ROWS 2 PRECEDING) FROM l",
		"SELECT k, s, lag(s) OVER (PARTITION BY i % 1000 ORDER BY s DESC), max(k) OVER (PARTITION BY i % 1000) FROM l",
		"SELECT i, string_agg(s, ',') OVER (PARTITION BY g), count(*) OVER (PARTITION BY s ORDER BY k NULLS FIRST) FROM l",
		"SELECT _payload, dense_rank() OVER (PARTITION BY g % 97 ORDER BY s) FROM l",
		"SELECT i, s FROM l QUALIFY row_number() OVER (PARTITION BY g ORDER BY s) <= 2",
		"SELECT i, k, s FROM l QUALIFY row_number() OVER (PARTITION BY i ORDER BY s DESC) = 1",
		"SELECT i, first_value(s) OVER (PARTITION BY g % 13 ORDER BY k GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE TIES) FROM l",
	}, 400<<10, 800<<10)
}

// TestSpillWindowFaults has calls of the file system fail: the query fails, or its answer is right, and nothing is left.
func TestSpillWindowFaults(t *testing.T) {
	c := spillCatalog(1500)
	const budget = 128 << 10
	for _, sql := range []string{
		"SELECT k, i, sum(f) OVER (PARTITION BY g ORDER BY k ROWS 1 PRECEDING) FROM l",
		"SELECT i, s FROM l QUALIFY row_number() OVER (PARTITION BY s ORDER BY k) = 1",
	} {
		clean := &spilltest.FS{}
		want, err := runSpilling(t.Context(), c, sql, budget, 100, clean)
		if err != nil || want.bytes == 0 {
			t.Fatalf("%s: %d bytes spilled, %v", sql, want.bytes, err)
		}
		calls, _ := clean.Calls()
		for at := 2; at <= calls; at += 1 + calls/30 {
			fs := &spilltest.FS{FailAt: at}
			got, err := runSpilling(t.Context(), c, sql, budget, 100, fs)
			switch {
			case err == nil && !slices.Equal(got.rows, want.rows):
				t.Errorf("%s: call %d: %s", sql, at, firstDifference(got.rows, want.rows))
			case err != nil && !errors.Is(err, spilltest.ErrFault):
				t.Errorf("%s: call %d: %v", sql, at, err)
			}
		}
	}
}

// TestWindowLooks: windows look at the context as often as other operators do, and end with the next few looks.
func TestWindowLooks(t *testing.T) {
	const n = 30_000 / fewer
	for _, sql := range []string{
		"SELECT x, sum(x) OVER (ORDER BY x) FROM big",
		"SELECT x, sum(x) OVER (ORDER BY x ROWS BETWEEN 100 PRECEDING AND 1 FOLLOWING), avg(x / 2) OVER (ORDER BY s ROWS BETWEEN 5 PRECEDING AND 5 FOLLOWING) FROM big",
		"SELECT s, max(s) OVER (ORDER BY x ROWS BETWEEN 100 PRECEDING AND 100 FOLLOWING), count(DISTINCT s) OVER () FROM big",
		"SELECT x, var_pop(x) OVER (ORDER BY x ROWS BETWEEN 1000 PRECEDING AND 1000 FOLLOWING EXCLUDE TIES), last_value(s) OVER (ORDER BY x RANGE BETWEEN 1 PRECEDING AND 5 FOLLOWING) FROM big",
		"SELECT x, median(x) OVER (ORDER BY x ROWS 50 PRECEDING) FROM big",
		"SELECT x, string_agg(CAST(x AS TEXT), ',') OVER (PARTITION BY x // 100), ntile(7) OVER (PARTITION BY x % 10 ORDER BY s) FROM big",
		"SELECT x FROM big QUALIFY row_number() OVER (PARTITION BY x % 5000 ORDER BY s DESC) <= 2",
		"SELECT x, row_number() OVER (PARTITION BY s) FROM big",
		"SELECT max(s) FROM (SELECT s FROM big QUALIFY row_number() OVER (PARTITION BY x) = 1)",
		"SELECT x, count(*) OVER (ROWS 70000 PRECEDING), sum(x / 2) OVER (ROWS 30000 PRECEDING) FROM big",
	} {
		for _, budget := range []int64{0, 3 << 20} {
			err := looksOf(t, n, sql, budget, 3)
			if errors.Is(err, exec.ErrBudget) && budget > 0 {
				continue // a state is in memory whole
			}
			if err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
	}
}

// TestWindowMemory: a partition that is larger than the budget goes to disk, a state that is ends the query, and what is held is counted.
func TestWindowMemory(t *testing.T) {
	const limit, constant = 16 << 20, 8 << 20
	c := largeRows(300 / fewer)
	for _, tt := range []struct {
		sql string
		ok  bool
	}{
		{"SELECT i, row_number() OVER (PARTITION BY i ORDER BY s), repeat(s, 10000) FROM t", true},
		{"SELECT max(x) FROM (SELECT max(x) OVER (PARTITION BY i) AS x FROM (SELECT i, repeat(s, 10000) AS x FROM t))", true},
		{"SELECT length(x) FROM (SELECT string_agg(x, ',') OVER (PARTITION BY i % 100) AS x FROM (SELECT i, repeat(s, 10000) AS x FROM t))", true},
		{"SELECT length(lag(x) OVER (ORDER BY i)) FROM (SELECT i, repeat(s, 10000) AS x FROM t, (VALUES (1), (2), (3), (4)) v(k))", true},
		{"SELECT length(string_agg(x, ',') OVER ()) FROM (SELECT i, repeat(s, 10000) AS x FROM t)", false},
	} {
		dir := spill.Open(spill.Options{Path: t.TempDir()})
		var err error
		peak := peakHeap(func() { _, err = countRows(t.Context(), c, tt.sql, RunOptions{MemoryBytes: limit, Spill: dir}) })
		if tt.ok && err != nil || !tt.ok && !errors.Is(err, exec.ErrBudget) {
			t.Errorf("%s: %v", tt.sql, err)
		}
		if peak > limit+constant {
			t.Errorf("%s: %d MiB reachable", tt.sql, peak>>20)
		}
		if dir.Files() != 0 || dir.UsedBytes() != 0 {
			t.Errorf("%s: %d files, %d bytes left", tt.sql, dir.Files(), dir.UsedBytes())
		}
	}
}

// TestWindowBounds has frames with offsets around the size of the partition, and the greatest there is.
func TestWindowBounds(t *testing.T) {
	const n = 5
	var rows []string
	for i := range n {
		rows = append(rows, fmt.Sprintf(`{"i":%d}`, i))
	}
	c := memCatalog{}
	c.log(newLog("l", rows...))
	offsets := []int64{0, 1, n - 1, n, n + 1, 1<<63 - 2, 1<<63 - 1}
	for _, order := range []string{"_seq", "i + 0"} { // as rows come, and sorted
		for _, unit := range []string{"ROWS", "GROUPS", "RANGE"} {
			for _, a := range offsets {
				for _, z := range offsets {
					for _, f := range []struct {
						text   string
						lo, hi func(at int64) (int64, bool) // bounds; false when there is none
					}{
						{"%d PRECEDING AND %d PRECEDING", minus(a), minus(z)},
						{"%d PRECEDING AND %d FOLLOWING", minus(a), plus(z)},
						{"%d FOLLOWING AND %d FOLLOWING", plus(a), plus(z)},
					} {
						sql := fmt.Sprintf("SELECT count(*) OVER w, sum(i) OVER w FROM l WINDOW w AS (ORDER BY %s %s BETWEEN "+f.text+")", order, unit, a, z)
						var want []string
						for at := range int64(n) {
							lo, hasLo := f.lo(at)
							hi, hasHi := f.hi(at)
							count, sum := 0, int64(0)
							for x := range int64(n) {
								// A bound that does not fit lies beyond all rows: the start of what precedes, the end of what follows.
								if (hasLo && x < lo) || (!hasLo && f.text[3] == 'F') || (hasHi && x > hi) || (!hasHi && f.text[len(f.text)-9:] == "PRECEDING") {
									continue
								}
								count++
								sum += x
							}
							text := fmt.Sprintf("%d|%d", count, sum)
							if count == 0 {
								text = "0|NULL"
							}
							want = append(want, text)
						}
						got, err := runSQL(t.Context(), c, sql, Options{}, RunOptions{})
						if err != nil || !slices.Equal(got, want) {
							t.Errorf("%s: %v, %v; want %v", sql, got, err, want)
						}
					}
				}
			}
		}
	}
}

func minus(n int64) func(at int64) (int64, bool) {
	return func(at int64) (int64, bool) { return at - n, true }
}

func plus(n int64) func(at int64) (int64, bool) {
	return func(at int64) (int64, bool) { return at + n, at+n >= 0 }
}

// TestWindowPieces: a partition that is larger than the budget is computed in pieces where no call looks far.
func TestWindowPieces(t *testing.T) {
	const n = 60_000 / fewer
	x := func(i int) int64 { return int64(i * 7919 % 1000003) }
	table := newManyRows(n)
	table.w = &watched{Context: t.Context()}
	c := memCatalog{TableName{KindFold, "big"}: table}
	for _, part := range []int{n, 17_000} { // rows of a partition
		over := fmt.Sprintf("OVER (PARTITION BY k // %d ORDER BY k", part)
		from := "(SELECT x, s, row_number() OVER () - 1 AS k FROM big)"
		sql := "SELECT x, sum(x) " + over + " ROWS BETWEEN 3 PRECEDING AND 2 FOLLOWING), lead(x, 5, -1) " + over + "), lag(x, 7, -1) " + over +
			"), row_number() " + over + "), min(x) " + over + " ROWS BETWEEN 10 FOLLOWING AND 3000 FOLLOWING EXCLUDE TIES), length(max(s) " + over + " ROWS 1 PRECEDING)) FROM " + from
		for _, o := range []RunOptions{{}, {MemoryBytes: 3 << 20, Spill: spill.Open(spill.Options{Path: t.TempDir()})}} {
			// No call looks at another row.
			if got, err := runSQL(t.Context(), c, "SELECT count(*) FROM (SELECT k, row_number() "+over+fmt.Sprintf(" DESC) AS r FROM %s) WHERE r = least((k // %d + 1) * %[2]d, %d) - k", from, part, n), Options{}, o); err != nil || got[0] != fmt.Sprint(n) {
				t.Fatalf("%v of %d rows, %v", got, n, err)
			}
			rows, err := runSQL(t.Context(), c, sql, Options{}, o)
			if err != nil || len(rows) != n {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			for i := 0; i < n; i += 1 + i%7 {
				lo, hi := i/part*part, min(i/part*part+part, n)
				at := func(k int) int64 {
					if k < lo || k >= hi {
						return -1
					}
					return x(k)
				}
				sum, least := int64(0), "NULL"
				for k := max(lo, i-3); k < min(hi, i+3); k++ {
					sum += x(k)
				}
				if i%1000 == 0 || i > hi-3100 || i < lo+20 {
					small := int64(1 << 62)
					for k := i + 10; k < min(hi, i+3001); k++ {
						small = min(small, x(k))
					}
					if small < 1<<62 {
						least = fmt.Sprint(small)
					}
				} else {
					least = strings.Split(rows[i], "|")[5]
				}
				want := fmt.Sprintf("%d|%d|%d|%d|%d|%s|40", x(i), sum, at(i+5), at(i-7), i-lo+1, least)
				if rows[i] != want {
					t.Fatalf("partitions of %d, %+v: row %d is %s, want %s", part, o, i, rows[i], want)
				}
			}
		}
	}
}
