package planner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/spill"
	"github.com/seed69692123/netdb/planner/spilltest"
	"github.com/seed69692123/netdb/planner/vector"
)

// randomCatalog has logs a and b of n and m events: keys of mixed types of which many are NULL or missing, some come often and most
// are rare, and texts that differ in length.
func randomCatalog(seed uint64, n, m int) memCatalog {
	r := rand.New(rand.NewPCG(seed, 7))
	key := func() string {
		x := r.IntN(n)
		if r.IntN(3) == 0 {
			x = r.IntN(6) // comes often
		}
		switch r.IntN(10) {
		case 0:
			return "null"
		case 1:
			return fmt.Sprintf(`"%d"`, x)
		case 2:
			return fmt.Sprintf("%d.5", x)
		case 3:
			return fmt.Sprintf("%d.0", x) // equals the integer
		case 4:
			return fmt.Sprintf("[%d,null]", x)
		case 5:
			return fmt.Sprintf("12345678901234567890%d", x)
		}
		return fmt.Sprint(x)
	}
	rows := func(n int) []string {
		var out []string
		for i := range n {
			k := ""
			if r.IntN(12) > 0 {
				k = `"k":` + key() + `,`
			}
			out = append(out, fmt.Sprintf(`{%s"v":%s,"i":%d,"g":%d,"s":"%s of %d"}`, k, key(), i, r.IntN(n/5+1), strings.Repeat("text ", r.IntN(9)), r.IntN(n)))
		}
		return out
	}
	c := memCatalog{}
	c.log(newLog("a", rows(n)...))
	c.log(newLog("b", rows(m)...))
	return c
}

// spillSeeds are printed with what fails.
var spillSeeds = []uint64{1, 20}

// checkRandom is checkSpilled over several catalogues.
func checkRandom(t *testing.T, n, m int, statements []string, budgets ...int64) {
	t.Helper()
	for _, seed := range spillSeeds[:max(1, len(spillSeeds)/fewer)] {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			checkSpilled(t, randomCatalog(seed, n/min(fewer, 2), m/min(fewer, 2)), statements, budgets...)
		})
	}
}

// checkFaults has calls of the file system fail, and be full, and reads give a wrong bit: the query fails with that, or its answer is
// right, and nothing is left.
func checkFaults(t *testing.T, c Catalog, statements []string, budget int64) {
	t.Helper()
	const most = 8 // calls that fail, of all
	for _, sql := range statements {
		clean := &spilltest.FS{}
		want, err := runSpilling(t.Context(), c, sql, budget, 100, clean)
		if err != nil || want.bytes == 0 {
			t.Errorf("%s: %d bytes spilled, %v", sql, want.bytes, err)
			continue
		}
		calls, reads := clean.Calls()
		failures := 0
		run := func(fs *spilltest.FS, is func(error) bool) {
			got, err := runSpilling(t.Context(), c, sql, budget, 100, fs)
			switch {
			case err == nil && !slices.Equal(got.rows, want.rows):
				t.Errorf("%s: call %d, read %d: %s", sql, fs.FailAt, fs.FlipAt, firstDifference(got.rows, want.rows))
			case err != nil && !is(err):
				t.Errorf("%s: call %d, read %d: %v", sql, fs.FailAt, fs.FlipAt, err)
			}
			if err != nil {
				failures++
			}
		}
		for at := 2; at <= calls; at += 1 + calls/most {
			run(&spilltest.FS{FailAt: at}, func(err error) bool { return errors.Is(err, spilltest.ErrFault) && !errors.Is(err, exec.ErrBudget) })
			run(&spilltest.FS{FailAt: at, Err: syscall.ENOSPC}, func(err error) bool {
				return errors.Is(err, syscall.ENOSPC) && (errors.Is(err, exec.ErrBudget) || closing(err))
			})
		}
		for at := 1; at <= reads; at += 1 + reads/most {
			run(&spilltest.FS{FlipAt: at}, func(err error) bool {
				_, ok := errors.AsType[*spill.CorruptionError](err)
				return ok
			})
		}
		if failures == 0 {
			t.Errorf("%s: %d calls, none of which failed the query", sql, calls)
		}
	}
}

// checkLooks has queries that spill looked at as looksOf does.
func checkLooks(t *testing.T, n int, statements []string, budget int64) {
	t.Helper()
	for _, sql := range statements {
		if err := looksOf(t, n, sql, budget, 1); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// looksOf runs a query over a table of n rows: it looks at the context often enough. Then it is cancelled at each step-th of seven places: it ends with
// the next few looks, and nothing is left. An error of the first run is returned.
func looksOf(t *testing.T, n int, sql string, budget int64, step int) error {
	t.Helper()
	dir := spill.Open(spill.Options{Path: t.TempDir()})
	o := RunOptions{MemoryBytes: budget, Spill: dir}
	w := &watched{Context: t.Context()}
	table := newManyRows(n)
	table.w = w
	c := memCatalog{TableName{KindFold, "big"}: table}
	if _, err := countRows(w, c, sql, o); err != nil {
		return err
	}
	if w.mostRows > 2*vector.MaxRows {
		t.Errorf("%s: %d rows between two looks", sql, w.mostRows)
	}
	if w.most > 3<<20 {
		t.Errorf("%s: %d KiB allocated between two looks", sql, w.most>>10)
	}
	for part := 1; part < 8; part += step {
		stop := &watched{Context: t.Context(), stopAt: w.looks * part / 8}
		table.w = stop
		if _, err := countRows(stop, c, sql, o); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", sql, err)
		}
		if stop.after > 4 {
			t.Errorf("%s: went on for %d looks", sql, stop.after)
		}
	}
	if dir.Files() != 0 || dir.UsedBytes() != 0 {
		t.Errorf("%s: %d files, %d bytes left", sql, dir.Files(), dir.UsedBytes())
	}
	return nil
}

// keptStatements read a kept table twice: one side after the other, side by side, and not to the end.
var keptStatements = []string{
	"WITH t AS MATERIALIZED (SELECT k, i, s FROM a) SELECT count(*), sum(i), max(s) FROM t UNION ALL SELECT count(*), min(i), min(s) FROM t",
	"WITH t AS MATERIALIZED (SELECT k, i, s FROM a) SELECT * FROM t UNION ALL SELECT * FROM t",
	"WITH t AS (SELECT k, count(*) AS n, min(i) AS i FROM a GROUP BY k) SELECT x.k, y.n FROM t x JOIN t y ON x.i = y.i",
	"WITH t AS MATERIALIZED (SELECT i, s, v FROM a) SELECT x.i, x.s, x.v FROM (SELECT * FROM t LIMIT 500) x UNION ALL SELECT * FROM t UNION ALL SELECT i, s, v FROM t WHERE i > (SELECT avg(i) FROM t)",
}

func TestSpillKept(t *testing.T) {
	checkRandom(t, 8000, 100, keptStatements, 200<<10)
	checkFaults(t, randomCatalog(3, 1500, 10), keptStatements[:3], 64<<10)
	checkLooks(t, 20_000/fewer, []string{
		"WITH t AS MATERIALIZED (SELECT s, x FROM big) SELECT * FROM t UNION ALL SELECT * FROM t",
	}, 200<<10)
}

var setStatements = []string{
	"SELECT k, s FROM a INTERSECT SELECT k, s FROM b",
	"SELECT k FROM a INTERSECT ALL SELECT v FROM b",
	"SELECT v, g FROM a EXCEPT SELECT k, g FROM b",
	"SELECT s, k FROM a EXCEPT ALL SELECT s, k FROM b",
	"SELECT k FROM b EXCEPT ALL SELECT k FROM a",
	"SELECT s, i FROM a EXCEPT SELECT s, i FROM b WHERE i < 20", // the left side is what is large
	"SELECT DISTINCT ON (k) i, s, v FROM a",
	"SELECT DISTINCT ON (s, g) * FROM a",
	"SELECT k, v FROM a UNION SELECT v, k FROM b",
}

func TestSpillSets(t *testing.T) {
	checkRandom(t, 6000, 5000, setStatements, 128<<10)
	checkFaults(t, randomCatalog(3, 900, 800), []string{setStatements[1], setStatements[2], setStatements[3], setStatements[7]}, 64<<10)
	checkLooks(t, 20_000/fewer, []string{
		"SELECT s, x FROM big INTERSECT SELECT s, x FROM big",
		"SELECT x FROM big EXCEPT SELECT x + 1 FROM big",
		"SELECT DISTINCT ON (s) x FROM big",
	}, 200<<10)
}

var lookupStatements = []string{
	"SELECT a.i, a.k FROM a SEMI JOIN b ON a.k = b.k AND a.g = b.g",
	"SELECT a.i, a.s FROM a SEMI JOIN b ON a.s = b.s",
	"SELECT a.i, a.k FROM a ANTI JOIN b ON a.k = b.v AND a.g < b.g",
	"SELECT a.i, a.k FROM a ANTI JOIN b ON a.g = b.g + 1",
	"SELECT i, k FROM a WHERE k IN (SELECT v FROM b)",
	"SELECT i, k, k NOT IN (SELECT v FROM b WHERE b.g = a.g) FROM a",                                        // a mark with three values
	"SELECT i, (SELECT b.s FROM b WHERE b.k = a.k AND b.i > a.i LIMIT 1) FROM a",                            // first
	"SELECT i, (SELECT min(b.s) FROM b WHERE b.s = a.s AND b.g > a.g) FROM a",                               // group
	"SELECT i, (SELECT count(DISTINCT b.i) FROM b WHERE b.i = a.i) FROM a",                                  // group
	"SELECT x.i, (SELECT y.s FROM a y WHERE y.i = x.i) FROM a x",                                            // single
	"SELECT a.i, b.i, a.s, b.s FROM a FULL JOIN b ON a.s = b.s AND a.g >= b.g",                              // both sides
	"SELECT a.k, b.k, a.i, b.i FROM a FULL JOIN b ON a.k = b.k AND a.g = b.g",                               // NULL keys
	"SELECT a.i, b.i, a.g FROM (SELECT * FROM a WHERE i % 3 = 0) a FULL JOIN b ON a.g = b.g AND a.s <= b.s", // duplicates
}

// loopStatements have no keys, or a single one: nothing can be divided.
var loopStatements = []string{
	"SELECT a.i FROM a SEMI JOIN b ON a.i < b.i AND b.i < a.i + 3 AND a.i % 7 = b.g % 7",
	"SELECT a.i FROM a ANTI JOIN b ON a.i < b.i AND b.i < a.i + 3 AND a.i % 7 = b.g % 7",
	"SELECT x.i, x.i + 5 > ANY (SELECT CASE WHEN b.g % 9 = 0 THEN NULL ELSE b.i END FROM b WHERE b.i > x.i + 2 AND b.s > '') FROM a x",
	"SELECT x.i, (SELECT b.s FROM b WHERE b.i > x.i AND b.i % 5 = x.i % 5 LIMIT 1) FROM a x",
	"SELECT x.i, (SELECT b.s FROM b WHERE b.i <= x.i AND b.i >= x.i) FROM a x",
	"SELECT x.i, b.i, b.s FROM (SELECT * FROM a WHERE i % 7 = 0) x FULL JOIN (SELECT * FROM b WHERE i % 3 > 0) b ON x.i < b.i AND b.i < x.i + 4",
	"SELECT x.i, b.i, b.s FROM (SELECT i, 1 AS o FROM a WHERE i % 7 = 0) x FULL JOIN (SELECT i, s, 1 AS o FROM b WHERE i % 3 > 0) b ON x.o = b.o AND x.i < b.i AND b.i < x.i + 4",
	"SELECT x.i FROM (SELECT i, 1 AS o FROM a) x ANTI JOIN (SELECT i, g, s, 1 AS o FROM b) b ON x.o = b.o AND x.i < b.i AND b.i < x.i + 3 AND b.s <> 'x' AND x.i % 7 = b.g % 7",
}

func TestSpillLookups(t *testing.T) {
	checkRandom(t, 6000, 5000, lookupStatements, 128<<10)
	t.Run("loops, seed=20", func(t *testing.T) {
		checkSpilled(t, randomCatalog(20, 400/fewer, 1800), loopStatements, 160<<10)
	})
	checkFaults(t, randomCatalog(3, 1000, 1000), []string{lookupStatements[0], lookupStatements[7], lookupStatements[11]}, 64<<10)
	checkFaults(t, randomCatalog(3, 100, 1800), loopStatements[5:7], 160<<10)
	checkLooks(t, 20_000/fewer, []string{
		"SELECT a.x FROM big a SEMI JOIN big b ON a.s = b.s AND a.x <= b.x",
		"SELECT a.x, b.x FROM big a FULL JOIN big b ON a.x = b.x + 1",
		"SELECT x, (SELECT max(b.s) FROM big b WHERE b.x = a.x) FROM big a",
		"SELECT v.y FROM (VALUES (1), (2)) v(y) WHERE NOT EXISTS (SELECT 1 FROM big b WHERE b.x = v.y - 100 OR b.x + 1 = v.y - 50)",
	}, 200<<10)
}

var distinctAggregates = []string{
	"SELECT count(DISTINCT k), count(DISTINCT s), count(*) FROM a",
	"SELECT sum(DISTINCT i), avg(DISTINCT i / 3), count(DISTINCT s) FILTER (WHERE g % 2 = 0), min(v) FROM a",
	"SELECT length(string_agg(DISTINCT s, ',')), count(DISTINCT i) FROM (SELECT i, CAST(g % 900 AS TEXT) AS s FROM a)",
	"SELECT g % 3, count(DISTINCT i), sum(DISTINCT i), count(DISTINCT k) FROM a GROUP BY 1",
	"SELECT k, count(DISTINCT s), max(i) FROM a GROUP BY k",
	"SELECT first(DISTINCT v), last(DISTINCT s), array_agg(DISTINCT g % 700), string_agg(DISTINCT s, '-' ORDER BY s DESC) FILTER (WHERE g < 40) FROM a",
}

func TestSpillDistinctAggregates(t *testing.T) {
	checkRandom(t, 8000, 10, distinctAggregates, 300<<10)
	checkFaults(t, randomCatalog(3, 2000, 10), distinctAggregates[:2], 100<<10)
	checkLooks(t, 20_000/fewer, []string{
		"SELECT count(DISTINCT x), count(DISTINCT s) FROM big",
		"SELECT x % 2, sum(DISTINCT x) FROM big GROUP BY 1",
	}, 200<<10)
}

var asofStatements = []string{
	"SELECT a.i, a.v, b.i, b.s FROM a ASOF LEFT JOIN b ON a.k = b.k AND a.v >= b.v",
	"SELECT a.i, b.i, b.s FROM a ASOF JOIN b ON a.g > b.g",
	"SELECT a.i, b.i, b.s, a.s FROM a ASOF LEFT JOIN b ON a.g % 7 = b.g % 7 AND a.k < b.k",
	"SELECT a.i, b.i, b.s FROM a ASOF LEFT JOIN b ON a.k = b.k AND a.g = b.g AND a.s <= b.s",
	"SELECT a.i, b.i, b.s FROM a ASOF JOIN b ON a.i <= b.g * 5",
}

func TestSpillAsof(t *testing.T) {
	checkRandom(t, 5000, 6000, asofStatements, 160<<10)
	checkFaults(t, randomCatalog(3, 800, 1500), asofStatements[:2], 100<<10)
	checkLooks(t, 20_000/fewer, []string{
		"SELECT a.x, b.s FROM big a ASOF JOIN big b ON a.x % 3 = b.x % 3 AND a.x > b.x",
	}, 200<<10)
}

// partitionStatements have partitions that are more than memory, in which functions look far.
var partitionStatements = []string{
	"SELECT i, sum(g) OVER (), count(*) OVER (PARTITION BY i % 2) FROM a",
	"SELECT i, k, rank() OVER (ORDER BY k), cume_dist() OVER (ORDER BY k), ntile(7) OVER (ORDER BY k), first_value(s) OVER (ORDER BY k) FROM a",
	"SELECT i, max(s) OVER (PARTITION BY i % 2 ORDER BY g RANGE BETWEEN 5 PRECEDING AND 5 FOLLOWING), last_value(s) OVER (PARTITION BY i % 2 ORDER BY g RANGE BETWEEN 5 PRECEDING AND UNBOUNDED FOLLOWING) FROM a",
	"SELECT i, sum(i) OVER (ORDER BY v, i), nth_value(s, 3000) OVER (ORDER BY v, i ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM a",
	"SELECT i, count(s) OVER (ORDER BY g GROUPS BETWEEN 3 PRECEDING AND 2 FOLLOWING EXCLUDE TIES), lead(s, 2000) OVER (ORDER BY g, i) FROM a",
}

func TestSpillPartitions(t *testing.T) {
	checkRandom(t, 8000, 10, partitionStatements, 500<<10)
	checkFaults(t, randomCatalog(3, 3000, 10), partitionStatements[1:3], 200<<10)
	checkLooks(t, 20_000/fewer, []string{
		"SELECT x, percent_rank() OVER (ORDER BY s), max(s) OVER () FROM big",
	}, 800<<10)
}
