package planner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/spill"
	"github.com/seed69692123/netdb/planner/spilltest"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// spillSlack is what a query that spills may hold above its budget: a batch that was taken in before it was counted, and the
// buffers of a few files.
const spillSlack = 2 << 20

// spilled is a run of a statement whose operators may spill.
type spilled struct {
	rows   []string
	bytes  int64
	passes int64
	peak   int64
}

// runSpilling runs a statement with a budget, on a file system that has to be empty at the end.
func runSpilling(ctx context.Context, c Catalog, sql string, budget int64, batch int, fs *spilltest.FS) (out spilled, err error) {
	p, err := planSQL(ctx, c, sql, Options{})
	if err != nil {
		return out, err
	}
	d := spill.Open(spill.Options{FS: fs})
	r, b, err := p.start(ctx, RunOptions{MemoryBytes: budget, BatchRows: batch, Spill: d}, true)
	if err != nil {
		return out, err
	}
	for err == nil {
		var v *vector.Batch
		if v, err = r.Next(ctx); err != nil || v == nil {
			break
		}
		out.rows = append(out.rows, rowTexts(v)...)
	}
	err = errors.Join(err, r.Close())
	for _, op := range b.ops {
		s := op.Stats()
		out.bytes += s.SpillBytes
		out.passes = max(out.passes, s.SpillPasses)
	}
	out.peak = b.env.Budget.Peak()
	names, open := fs.Left()
	if len(names) > 0 || open > 0 || d.UsedBytes() != 0 {
		err = errors.Join(err, fmt.Errorf("left %v, %d open files, %d bytes", names, open, d.UsedBytes()))
	}
	if used := b.env.Budget.Used(); used != 0 {
		err = errors.Join(err, fmt.Errorf("%d bytes still held", used))
	}
	return out, err
}

// rowTexts writes the rows of a batch with the class of each value.
func rowTexts(b *vector.Batch) []string {
	var st vector.State
	var out []string
	for k := range b.Rows() {
		i := b.Row(k)
		var text []byte
		for _, v := range b.Cols {
			text = append(text, v.Class(i).String()...)
			text = append(text, ':')
			if n := v.DataLen(i); n > 200 {
				text = fmt.Appendf(text, "%d bytes of %x", n, st.HashValue(v, i))
			} else {
				text = st.AppendText(text, v, i)
			}
			text = append(text, '|')
		}
		out = append(out, string(text))
	}
	return out
}

// spillCatalog has a log of n events with values of every type that JSON has, and one of fewer whose keys meet those.
func spillCatalog(n int) memCatalog {
	mixed := func(i int) string {
		x := i * 7919 % 1000003
		switch i % 9 {
		case 0:
			return "null"
		case 1:
			return fmt.Sprintf(`"%d"`, x%(n/2+1))
		case 2:
			return fmt.Sprintf("%d.5", x%(n/2+1))
		case 3:
			return fmt.Sprint(x%2 == 0)
		case 4:
			return fmt.Sprintf("[%d,null]", x%50)
		case 5:
			return fmt.Sprintf("12345678901234567890%d", x%(n/4+1))
		case 6:
			return fmt.Sprintf("%d.0", x%(n/2+1))
		}
		return fmt.Sprint(x % (n/2 + 1))
	}
	var l, r []string
	for i := range n {
		x := i * 7919 % 1000003
		k := ""
		if i%11 > 0 {
			k = `"k":` + mixed(i) + `,`
		}
		l = append(l, fmt.Sprintf(`{%s"i":%d,"g":%d,"s":"the text of number %d%s","f":%d.25}`, k, x, x%(n/3+1), x%(n/2+1), strings.Repeat(".", i%40), x))
		if i%3 == 0 {
			r = append(r, fmt.Sprintf(`{"k":%s,"i":%d,"t":"right %d"}`, mixed(i*5), i*5*7919%1000003, i))
		}
	}
	c := memCatalog{}
	c.log(newLog("l", l...))
	c.log(newLog("r", r...))
	return c
}

// checkSpilled compares the answers of statements with little memory to those with enough.
func checkSpilled(t *testing.T, c Catalog, statements []string, budgets ...int64) {
	t.Helper()
	for _, sql := range statements {
		want, err := runSpilling(t.Context(), c, sql, 0, 0, &spilltest.FS{})
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if want.bytes > 0 || len(want.rows) == 0 {
			t.Fatalf("%s: %d rows, %d bytes spilled without a budget", sql, len(want.rows), want.bytes)
		}
		for k, budget := range budgets {
			for _, batch := range []int{0, 1} {
				if batch == 1 && (k > 0 || fewer > 1) {
					continue
				}
				got, err := runSpilling(t.Context(), c, sql, budget, batch, &spilltest.FS{})
				if err != nil {
					t.Errorf("%s: with %d KiB: %v", sql, budget>>10, err)
					continue
				}
				if !slices.Equal(got.rows, want.rows) {
					t.Errorf("%s: with %d KiB, batches of %d: %s", sql, budget>>10, batch, firstDifference(got.rows, want.rows))
				}
				if got.bytes == 0 || got.passes == 0 {
					t.Errorf("%s: with %d KiB nothing was spilled", sql, budget>>10)
				}
				if got.peak > budget+spillSlack {
					t.Errorf("%s: %d KiB held with a budget of %d KiB", sql, got.peak>>10, budget>>10)
				}
				t.Logf("%s: %d KiB: %d KiB spilled, %d passes, %d KiB held", sql, budget>>10, got.bytes>>10, got.passes, got.peak>>10)
			}
		}
	}
}

func firstDifference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("row %d is %.100s, not %.100s", i, got[i], want[i])
		}
	}
	return fmt.Sprintf("%d rows, not %d", len(got), len(want))
}

func TestSpillSort(t *testing.T) {
	checkSpilled(t, spillCatalog(10_000), []string{
		"SELECT k, i FROM l ORDER BY k",
		"SELECT k, i, s FROM l ORDER BY k DESC NULLS FIRST, s",
		"SELECT _payload FROM l ORDER BY s DESC",
		"SELECT i FROM l ORDER BY g",
		"SELECT s, i FROM l ORDER BY g % 7 LIMIT 5000",
		"SELECT s, i FROM l ORDER BY g % 7 LIMIT 70000 OFFSET 20",
	}, 200<<10, 400<<10)
}

func TestSpillGroups(t *testing.T) {
	checkSpilled(t, spillCatalog(10_000), []string{
		"SELECT i, count(*) FROM l GROUP BY i",
		"SELECT k, count(*), sum(i), min(s), max(s), first(i), last(i), avg(f) FROM l GROUP BY k",
		"SELECT s, g, sum(f) FILTER (WHERE i % 3 = 0), max(s) FILTER (WHERE i % 2 = 0), bool_or(i % 5 = 0) FROM l GROUP BY s, g",
		"SELECT _payload, count(*) FROM l GROUP BY _payload",
		"SELECT s, any_value(k), min(k), max(k) FROM l GROUP BY s",
		"SELECT s, i, array_agg(k ORDER BY g DESC), quantile_cont(f, 0.5), var_samp(f), arg_min(k, g) FILTER (WHERE g > 3) FROM l GROUP BY s, i",
	}, 200<<10, 400<<10)
	checkSpilled(t, spillCatalog(10_000), []string{
		"SELECT i, count(DISTINCT g), string_agg(s, ',') FROM l GROUP BY i",
		"SELECT s, g, count(DISTINCT f), string_agg(s, ',') FROM l GROUP BY s, g",
	}, 200<<10)
}

func TestSpillDistinct(t *testing.T) {
	checkSpilled(t, spillCatalog(10_000), []string{
		"SELECT DISTINCT i FROM l",
		"SELECT DISTINCT k, s FROM l",
		"SELECT DISTINCT s, k, g FROM l",
		"SELECT DISTINCT _payload FROM l",
		"SELECT count(*), sum(i) FROM (SELECT DISTINCT s, i, g FROM l)",
	}, 200<<10, 400<<10)
}

func TestSpillJoin(t *testing.T) {
	c := spillCatalog(10_000)
	checkSpilled(t, c, []string{
		"SELECT l.i, l.s, r.t FROM l JOIN r ON l.i = r.i",
		"SELECT l.i, l.s, r.t FROM l LEFT JOIN r ON l.i = r.i",
		"SELECT l.k, l.i, r.k, r.t FROM r LEFT JOIN l ON l.k = r.k AND l.i + r.i > 100",
		"SELECT l.k, l.i, r.k, r.t FROM r JOIN l ON l.k = r.k AND l.g = r.i % 1000",
		"SELECT a.i, b.s FROM l a JOIN l b ON a.i + 1 = b.i + 1",
	}, 128<<10, 200<<10)
	checkSpilled(t, c, []string{
		"SELECT a.i, b.i, a.s FROM l a LEFT JOIN l b ON a.s = b.s AND a.g < b.g",
		"SELECT a.i, b.s FROM l a JOIN l b ON a.i + 1 = b.i + 1",
		"SELECT a.i, b.s FROM l a LEFT JOIN l b ON a.i % 5 = b.i AND b.f > 1",
	}, 200<<10, 400<<10)
	// One key only, and no key: nothing can be divided.
	checkSpilled(t, c, []string{
		"SELECT a.x, b.y FROM (SELECT i AS x, 1 AS k FROM r WHERE i % 40 = 0) a LEFT JOIN (SELECT s AS y, i AS z, 1 AS k FROM l) b ON a.k = b.k AND a.x + b.z < 5000",
		"SELECT a.i, b.i, b.s FROM (SELECT i FROM r WHERE i % 50 = 0) a LEFT JOIN l b ON a.i < b.i AND b.i < a.i + 200",
		"SELECT a.i, b.s FROM (SELECT i FROM l WHERE i % 60 = 0) a JOIN (SELECT i, s FROM l WHERE i % 2 = 1) b ON a.i < b.i AND b.i < a.i + 300",
	}, 128<<10)
}

// TestSpillRecursion: parts are divided again and again.
func TestSpillRecursion(t *testing.T) {
	table := newManyRows(60_000)
	table.w = &watched{}
	c := memCatalog{TableName{KindFold, "big"}: table}
	for _, sql := range []string{
		"SELECT a.s, b.x FROM big a JOIN big b ON a.s = b.s",
		"SELECT a.s, b.x FROM big a LEFT JOIN big b ON a.x = b.x + 1",
		"SELECT s, count(*), max(x) FROM big GROUP BY s",
		"SELECT DISTINCT s, x FROM big",
		"SELECT s FROM big ORDER BY x",
	} {
		want, err := runSpilling(t.Context(), c, sql, 0, 0, &spilltest.FS{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := runSpilling(t.Context(), c, sql, 160<<10, 0, &spilltest.FS{})
		if err != nil || !slices.Equal(got.rows, want.rows) || got.passes < 2 || !strings.Contains(sql, "ORDER BY") && got.passes < 3 || got.peak > 160<<10+spillSlack {
			t.Errorf("%s: %s; %d passes, %d KiB held, %v", sql, firstDifference(got.rows, want.rows), got.passes, got.peak>>10, err)
		}
		t.Logf("%s: %d KiB spilled, %d passes, %d KiB held", sql, got.bytes>>10, got.passes, got.peak>>10)
	}
}

// TestSpillFaults has calls of the file system fail, the disk be full at them, and reads give a wrong bit. The query fails,
// or its answer is right, and nothing is left.
func TestSpillFaults(t *testing.T) {
	c := spillCatalog(1500)
	for _, sql := range []string{
		"SELECT k, i, s FROM l ORDER BY k",
		"SELECT k, count(*), max(s), sum(i) FROM l GROUP BY k, i",
		"SELECT DISTINCT k, s FROM l",
		"SELECT a.i, b.s FROM l a LEFT JOIN l b ON a.i % 300 = b.i AND b.f > 1",
		"SELECT a.i, b.s FROM (SELECT i FROM r WHERE i % 50 = 0) a LEFT JOIN l b ON a.i < b.i AND b.i < a.i + 20",
	} {
		const budget, most = 64 << 10, 40 // calls that fail, of all
		clean := &spilltest.FS{}
		want, err := runSpilling(t.Context(), c, sql, budget, 100, clean)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		calls, reads := clean.Calls()
		if calls < 30 || reads < 10 {
			t.Fatalf("%s: %d calls, %d reads", sql, calls, reads)
		}
		harmless := 0 // the removal of a name that is made again
		run := func(fs *spilltest.FS, is func(error) bool) {
			got, err := runSpilling(t.Context(), c, sql, budget, 100, fs)
			switch {
			case err == nil && !slices.Equal(got.rows, want.rows):
				t.Errorf("%s: call %d, read %d: %s", sql, fs.FailAt, fs.FlipAt, firstDifference(got.rows, want.rows))
			case err == nil && fs.Faults() == 0:
				t.Errorf("%s: call %d, read %d: no fault", sql, fs.FailAt, fs.FlipAt)
			case err != nil && !is(err):
				t.Errorf("%s: call %d, read %d: %v", sql, fs.FailAt, fs.FlipAt, err)
			}
			if err == nil {
				harmless++
			}
		}
		for at := 2; at <= calls; at += 1 + calls/most { // the first lists the directory
			run(&spilltest.FS{FailAt: at}, func(err error) bool { return errors.Is(err, spilltest.ErrFault) && !errors.Is(err, exec.ErrBudget) })
			run(&spilltest.FS{FailAt: at, Err: syscall.ENOSPC}, func(err error) bool {
				return errors.Is(err, syscall.ENOSPC) && (errors.Is(err, exec.ErrBudget) || closing(err))
			})
		}
		if removed := 2 * clean.Created(); harmless > removed {
			t.Errorf("%s: %d faults without an error, with %d files", sql, harmless, clean.Created())
		}
		for at := 1; at <= reads; at += 1 + reads/most {
			run(&spilltest.FS{FlipAt: at}, func(err error) bool {
				_, ok := errors.AsType[*spill.CorruptionError](err)
				return ok
			})
		}
	}
}

// closing reports whether an error is one of the end of a file, when nothing is written any more.
func closing(err error) bool {
	e, ok := errors.AsType[*spill.Error](err)
	return ok && (e.Op == "close" || e.Op == "read")
}

// TestSpillFailures: which error a statement ends with, and which rows come before it, does not depend on what was on disk.
func TestSpillFailures(t *testing.T) {
	const n = 6000
	var rows []string
	for i := range n {
		big := "1"
		if i == n/3 || i == n/3+7 {
			big = "123456789012345678901234567890"
		}
		later := "1"
		if i > n/3 && i < n/3+60 {
			later = "123456789012345678901234567890"
		}
		rows = append(rows, fmt.Sprintf(`{"i":%d,"b":%s,"c":%s,"z":%d,"s":"%050d","m":%d}`, i, big, later, n/2-i, i%(n/2), math.MaxInt64/2))
	}
	c := memCatalog{}
	c.log(newLog("l", rows...))
	for _, sql := range []string{
		"SELECT i, sum(b) FROM l GROUP BY i",                                    // inside an aggregate
		"SELECT s, sum(b) FROM l GROUP BY s",                                    // the group was in memory, or not
		"SELECT i, sum(b), sum(c) FROM l GROUP BY i",                            // another in many later rows
		"SELECT i, sum(b), sum(1 // z) FROM l GROUP BY i",                       // a division by zero in a later row
		"SELECT i, sum(b) FROM (SELECT i, b, 1 // z AS q FROM l) GROUP BY i, q", // and below
		"SELECT i, sum(1 // (z + 1000)) FROM l GROUP BY i",
		"SELECT i, sum(x) FROM (SELECT i, CAST(m AS BIGINT) + z AS x FROM l UNION ALL SELECT i, 4611686018427387900 FROM l WHERE i % 300 = 299 UNION ALL SELECT i, 4611686018427387900 FROM l WHERE i % 300 = 299) GROUP BY i", // no result
		"SELECT DISTINCT i, 1 // z FROM l",
		"SELECT DISTINCT s, 1 // z FROM l",
		"SELECT i FROM l ORDER BY 1 // z",
		"SELECT a.i, b.i FROM l a JOIN l b ON a.i = b.i + 1 AND 1 // a.z <> 7",
		"SELECT a.i, b.i FROM l a LEFT JOIN l b ON a.i = b.i + 1 AND 1 // b.z <> 7",
		"SELECT a.i, b.i FROM l a LEFT JOIN l b ON 1 // a.z = b.i AND a.i + b.i > 3",
		"SELECT a.i, b.i FROM l a LEFT JOIN l b ON a.i = 1 // b.z",
		"SELECT a.i, a.q, b.i FROM (SELECT i, 1 // z AS q FROM l) a LEFT JOIN l b ON a.i = b.i",
		"SELECT a.i, b.i FROM (SELECT i, z FROM l WHERE i % 100 = 0) a LEFT JOIN l b ON a.i < b.i AND b.i < a.i + 30 AND 1 // (a.z + b.z + 15) <> 7",
		// More pairs of the row that fails are in chunks behind.
		"SELECT a.i, b.i FROM (SELECT i, z FROM l WHERE i % 100 = 0) a LEFT JOIN (SELECT i, z FROM l) b ON a.i < b.i AND b.i < a.i + 2000 AND 1 // ((b.z + 50) * (b.z + 50) + a.z * a.z) <> 7",
		"SELECT a.i, b.i FROM (SELECT i, z FROM l WHERE i % 100 = 0) a LEFT JOIN (SELECT i, z FROM l) b ON a.i < b.i AND 1 // (b.z - 3) <> 7 AND b.i < a.i + 30",
		"SELECT a.i, b.i FROM (SELECT i, z FROM l WHERE i % 100 = 0) a LEFT JOIN (SELECT i, z FROM l) b ON a.i > b.i + 500 AND b.i > a.i - 530 AND 1 // (b.z + a.z - 515) <> 7",
		// Operators that spill beside these.
		"SELECT a.i FROM l a SEMI JOIN l b ON a.i = b.i + 1 AND 1 // a.z <> 7",
		"SELECT a.i FROM l a ANTI JOIN l b ON a.i = b.i + 1 AND 1 // (b.z + 100) <> 7",
		"SELECT a.i, b.i FROM l a FULL JOIN l b ON a.i = b.i + 1 AND 1 // a.z <> 7",
		"SELECT a.i, b.i FROM l a FULL JOIN l b ON a.s = b.s AND 1 // (b.z + 1) <> 7",
		"SELECT i, (SELECT sum(b.b) FROM l b WHERE b.i = a.i + 3) FROM l a",
		"SELECT i, (SELECT max(1 // b.z) FROM l b WHERE b.i = a.i + 3) FROM l a",
		"SELECT i, (SELECT b.s FROM l b WHERE CAST(b.s AS BIGINT) = a.i - 1000) FROM l a", // two partners
		"SELECT i, (SELECT b.s FROM l b WHERE CAST(b.s AS BIGINT) = a.i + 1 AND 1 // (b.z - 20) < 7 LIMIT 1) FROM l a",
		"SELECT a.i FROM (SELECT i, z FROM l WHERE i % 100 = 0) a ANTI JOIN (SELECT i, z, s FROM l) b ON a.i < b.i AND b.i < a.i + 30 AND 1 // (a.z + b.z + 15) > 7 AND b.s <> ''",
		"SELECT i, (SELECT b.s FROM l b WHERE b.i > a.i * 300 AND b.i < a.i * 300 + 2) FROM (SELECT * FROM l WHERE i < 30) a WHERE 1 // (i - 15) < 7",
		"SELECT i, s FROM l WHERE 1 // z < 7 EXCEPT SELECT i + 6, s FROM l",
		"SELECT s, 1 // z FROM l INTERSECT ALL SELECT s, 1 // (z + 4000) FROM l",
		"SELECT DISTINCT ON (s, 1 // z) i FROM l",
		"SELECT DISTINCT ON (i) s, q FROM (SELECT i, s, 1 // z AS q FROM l)",
		"SELECT sum(DISTINCT b), count(DISTINCT i), count(DISTINCT s) FROM l",
		"SELECT count(DISTINCT i), count(DISTINCT s), sum(1 // z) FROM l",
		"SELECT sum(DISTINCT CASE WHEN i = 2500 THEN b * 0 + c ELSE i END), count(DISTINCT s), sum(1 // (z + 1000)) FROM l",
		"SELECT a.i, b.i FROM l a ASOF LEFT JOIN l b ON a.m = b.m AND 1 // a.z <= b.z",
		"SELECT a.i, b.i FROM (SELECT i, m, 1 // z AS q FROM l) a ASOF JOIN l b ON a.m = b.m AND a.q <= b.z",
		"SELECT a.i, b.i FROM l a ASOF JOIN l b ON a.i >= 1 // b.z",
	} {
		run := func(budget int64, batch int) (spilled, string) {
			got, err := runSpilling(t.Context(), c, sql, budget, batch, &spilltest.FS{})
			if _, ok := errors.AsType[*exec.ValueError](err); !ok {
				t.Errorf("%s: with %d KiB: %v", sql, budget>>10, err)
			}
			return got, fmt.Sprint(err)
		}
		want, wantErr := run(0, 0)
		t.Logf("%s: %d rows, then %s", sql, len(want.rows), wantErr)
		budgets := []int64{64 << 10, 256 << 10}
		if strings.Contains(sql, "(DISTINCT") || strings.Contains(sql, "EXCEPT") {
			budgets = budgets[1:] // several tables, each of which takes in a batch
		}
		for _, budget := range budgets {
			for _, batch := range []int{0, 1, 100} {
				if batch < 100 && (budget > 100<<10 || fewer > 1) {
					continue
				}
				got, err := run(budget, batch)
				if err != wantErr || !slices.Equal(got.rows, want.rows) {
					t.Errorf("%s: with %d KiB, batches of %d: %s, not %s; %s", sql, budget>>10, batch, err, wantErr, firstDifference(got.rows, want.rows))
				}
				early := strings.Contains(sql, "ORDER BY") || strings.Contains(sql, "= 1 // b.z") || strings.Contains(sql, "(z + 4000)")
				if got.bytes == 0 && !early {
					t.Errorf("%s: with %d KiB, batches of %d nothing was spilled", sql, budget>>10, batch)
				}
			}
		}
	}
}

// TestSpillLooks: a query that spills looks at the context as often as one that does not, and ends with the next few looks.
func TestSpillLooks(t *testing.T) {
	checkLooks(t, 60_000/fewer, []string{
		"SELECT x FROM big ORDER BY x",
		"SELECT s, x FROM big ORDER BY s DESC",
		"SELECT x, count(*) FROM big GROUP BY x",
		"SELECT s, max(s), min(x), sum(x), count(x), bool_or(x > 5) FROM big GROUP BY s",
		"SELECT DISTINCT s, x FROM big",
		"SELECT a.s, b.x FROM big a JOIN big b ON a.s = b.s",
		"SELECT a.s, b.x FROM big a LEFT JOIN big b ON a.x = b.x + 1 AND a.s < b.s",
		"SELECT v.y, b.x FROM (VALUES (1), (2)) v(y) LEFT JOIN big b ON v.y < b.x",
	}, 200<<10)
}

// largeRows is a table of few rows that become large texts.
func largeRows(n int) memCatalog {
	table := &memTable{name: "t", kind: KindFold, cols: []Column{
		{Name: "i", Type: vector.Int, InStar: true}, {Name: "s", Type: vector.Text, InStar: true}, {Name: "d", Type: vector.Any, InStar: true},
	}}
	for i := range n {
		text := query.Text(fmt.Sprintf("src/some/path/of/file-%06d.go", i*7919%n))
		table.rows = append(table.rows, []query.Value{query.Int(int64(i)), text, text})
	}
	c := memCatalog{}
	c.table(table)
	return c
}

// TestSpillLargeValues: values of which a budget holds few. What is reachable is the budget and what TestPeakMemory allows.
func TestSpillLargeValues(t *testing.T) {
	const (
		limit    = 16 << 20
		constant = 8 << 20
		rows     = 300 / fewer
	)
	c := largeRows(rows)
	const big = "repeat(s, 10000)"
	for _, tt := range []struct {
		sql  string
		rows int // -1: a part of it is over the budget; -2: some
	}{
		{"SELECT i FROM t ORDER BY " + big, rows},
		{"SELECT " + big + " FROM t ORDER BY i DESC", rows},
		{"SELECT " + big + ", repeat(d, 9000) FROM t ORDER BY 2", rows},
		{"SELECT " + big + " FROM t ORDER BY i DESC LIMIT 200", min(rows, 200)},
		{"SELECT i FROM t ORDER BY repeat(s, 1000000)", -1},
		{"SELECT " + big + ", count(*) FROM t GROUP BY 1", rows},
		{"SELECT i, max(" + big + ") FROM t GROUP BY i", rows},
		{"SELECT i, string_agg(" + big + ", ',') FROM t GROUP BY i", rows},
		{"SELECT DISTINCT " + big + " FROM t", rows},
		{"SELECT b.x FROM t a JOIN (SELECT s, repeat(s, 10000) AS x FROM t) b ON a.s = b.s", rows},
		{"SELECT b.x FROM t a LEFT JOIN (SELECT repeat(s, 10000) AS x FROM t) b ON repeat(a.s, 10000) = b.x", rows},
		{"SELECT a.i, b.x FROM (SELECT i FROM t WHERE i < 3) a LEFT JOIN (SELECT i, repeat(s, 10000) AS x FROM t) b ON a.i < b.i AND b.i < 90", -2},
		{"SELECT i % 1, string_agg(" + big + ", ',') FROM t GROUP BY 1", -1},
		{"SELECT string_agg(" + big + ", ',') FROM t", -1},
	} {
		dir := spill.Open(spill.Options{Path: t.TempDir()})
		var got int
		var err error
		peak := peakHeap(func() { got, err = countRows(t.Context(), c, tt.sql, RunOptions{MemoryBytes: limit, Spill: dir}) })
		switch {
		case tt.rows == -2 && (err != nil || got < 50):
			t.Errorf("%s: %d rows, %v", tt.sql, got, err)
		case tt.rows == -1 && !errors.Is(err, exec.ErrBudget):
			t.Errorf("%s: %d rows, %v, not a budget error", tt.sql, got, err)
		case tt.rows >= 0 && (err != nil || got != tt.rows):
			t.Errorf("%s: %d rows, %v, want %d", tt.sql, got, err, tt.rows)
		}
		if peak > limit+constant {
			t.Errorf("%s: %d MiB reachable", tt.sql, peak>>20)
		}
		if dir.Files() != 0 || dir.UsedBytes() != 0 {
			t.Errorf("%s: %d files, %d bytes left", tt.sql, dir.Files(), dir.UsedBytes())
		}
	}
}
