package planner

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"testing"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// liveHeap returns the bytes that were reachable at the last garbage collection.
func liveHeap() int64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}

// peakHeap returns how many bytes more than before were reachable at some time while f ran. The collector runs whenever the heap
// has grown by a tenth, and each time a finalizer looks.
func peakHeap(f func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	runtime.GC()
	base := liveHeap()
	var peak atomic.Int64
	var stopped atomic.Bool
	look := func() {
		for live, p := liveHeap(), peak.Load(); live > p && !peak.CompareAndSwap(p, live); p = peak.Load() {
		}
	}
	type sentinel struct{ _ *int } // a pointer, so that it is not allocated together with others
	var arm func()
	arm = func() {
		runtime.SetFinalizer(new(sentinel), func(*sentinel) {
			if look(); !stopped.Load() {
				arm()
			}
		})
	}
	arm()
	f()
	look()
	stopped.Store(true)
	return peak.Load() - base
}

// countRows runs a statement and returns the number of its rows, without keeping them.
func countRows(ctx context.Context, c Catalog, text string, o RunOptions) (int, error) {
	p, err := planSQL(ctx, c, text, Options{})
	if err != nil {
		return 0, err
	}
	r, err := Run(ctx, p, o)
	if err != nil {
		return 0, err
	}
	rows := 0
	for {
		b, err := r.Next(ctx)
		if err != nil || b == nil {
			return rows, errors.Join(err, r.Close())
		}
		rows += b.Rows()
	}
}

// TestPeakMemory runs statements whose intermediate values are together many times the budget. What is reachable at any time is
// the budget and a constant more, and a statement fails only when it has to keep more than its budget.
func TestPeakMemory(t *testing.T) {
	const (
		limit    = 16 << 20
		constant = 8 << 20
		rows     = 300 / fewer
	)
	table := &memTable{name: "t", kind: KindFold, cols: []Column{
		{Name: "i", Type: vector.Int, InStar: true}, {Name: "s", Type: vector.Text, InStar: true}, {Name: "d", Type: vector.Any, InStar: true},
	}}
	for i := range rows {
		text := query.Text(fmt.Sprintf("src/some/path/of/file-%06d.go", i*7919%rows))
		table.rows = append(table.rows, []query.Value{query.Int(int64(i)), text, text})
	}
	c := memCatalog{}
	c.table(table)
	// 300 KB a row, 90 MB together.
	big := "repeat(s, 10000)"
	for _, tt := range []struct {
		sql  string
		rows int // -1: it has to keep more than the budget
	}{
		{"SELECT max(" + big + ") FROM t", 1},
		{"SELECT last(" + big + "), min(repeat(d, 10000)) FROM t", 1},
		{"SELECT " + big + " FROM t", rows},
		{"SELECT " + big + ", lower(" + big + ") FROM t", rows},
		{"SELECT i FROM t WHERE " + big + " || s = 'x'", 0},
		{"SELECT sum(length(concat(" + big + ", s, " + big + "))) FROM t", 1},
		{"SELECT sum(length(replace(repeat(s, 100), 'a', repeat('b', 500)))) FROM t", 1},
		{"SELECT sum(length(reverse(" + big + "))), sum(length(upper(" + big + "))) FROM t", 1},
		{"SELECT count(CAST('[\"' || " + big + " || '\"]' AS JSON)->0) FROM t", 1},
		{"SELECT sum(length(to_json(" + big + "))) FROM t", 1},
		{"SELECT sum(length(regexp_replace(repeat(s, 1000), 's', 'tt', 'g'))) FROM t", 1},
		{"SELECT sum(json_array_length(string_split(" + big + ", '/'))) FROM t", 1},
		{"SELECT sum(length(list_sort(string_split(repeat(s, 300), '/'))::text)) FROM t", 1},
		{"SELECT sum(length(hex(" + big + "))), sum(length(url_encode(" + big + "))), sum(length(to_base64(" + big + "))) FROM t", 1},
		{"SELECT count(x), max(length(t.d)) FROM t, unnest(string_split(" + big + ", '-')) AS u(x)", 1},
		{"SELECT sum(length(t.s)) FROM t, range(100000)", 1},
		{"SELECT lpad('x', 200000000, 'ab')", -1},
		{"SELECT sum(length(rpad(s, 300000, 'é'))), sum(length(translate(" + big + ", 's', 'ß'))), sum(length(concat_ws('-', " + big + ", s))) FROM t", 1},
		{"SELECT sum(octet_length(CAST(CAST(" + big + " AS BLOB) AS TEXT))) FROM t", 1},
		{"SELECT sum(length(CASE WHEN i % 2 = 0 THEN " + big + " ELSE repeat(s, 9999) END)) FROM t", 1},
		{"SELECT sum(length(coalesce(nullif(" + big + ", 'x'), s))) FROM t", 1},
		{"SELECT i FROM t WHERE " + big + " ILIKE '%x_y%'", 0},
		{"SELECT i FROM t ORDER BY " + big + " LIMIT 5", 5},
		{"SELECT i, " + big + " FROM t ORDER BY i DESC LIMIT 5", 5},
		{"SELECT count(*) FROM t a JOIN t b ON repeat(a.s, 10000) = b.s", 1},
		{"SELECT i, sum(length(" + big + ")) FROM t GROUP BY i", rows},
		{"SELECT i % 3, max(" + big + ") FROM t GROUP BY 1", 3},
		{"SELECT * FROM (VALUES (repeat('x', 3000000)), (repeat('y', 3000000)), (repeat('z', 3000000)), (repeat('z', 3000000)), (repeat('z', 3000000)), (repeat('z', 3000000)))", 6},
		{"SELECT i FROM t ORDER BY " + big, -1},
		{"SELECT " + big + ", count(*) FROM t GROUP BY 1", -1},
		{"SELECT DISTINCT " + big + " FROM t", -1},
		{"SELECT count(DISTINCT " + big + ") FROM t", -1},
		{"SELECT string_agg(" + big + ", ',') FROM t", -1},
		{"SELECT string_agg(" + big + ", ',' ORDER BY i DESC) FROM t", -1},
		{"SELECT array_agg(" + big + ") FROM t", -1},
		{"SELECT quantile_disc(" + big + ", 0.5) FROM t", -1},
		{"SELECT array_agg(DISTINCT " + big + " ORDER BY " + big + ") FROM t", -1},
		{"SELECT i, arg_max(" + big + ", i) FROM t GROUP BY i", -1},
		{"SELECT arg_max(" + big + ", i), first(" + big + " ORDER BY i DESC), last(i ORDER BY " + big + ") FROM t", 1},
		{"SELECT approx_count_distinct(" + big + "), median(length(" + big + ")) FROM t", 1},
		{"SELECT i, max(" + big + ") FROM t GROUP BY i", -1},
		{"SELECT count(*) FROM t a JOIN (SELECT repeat(s, 10000) AS x FROM t) b ON a.s = b.x", -1},
		{"SELECT max(repeat(s, 1000000)) FROM t", -1},
		{"SELECT repeat(repeat(s, 10), 500000) FROM t", -1},
		{"SELECT repeat('x', 20000000)", -1},
		{"SELECT length(repeat(repeat('x', 20000000), 2))", -1},
	} {
		var got int
		var err error
		peak := peakHeap(func() { got, err = countRows(t.Context(), c, tt.sql, RunOptions{MemoryBytes: limit}) })
		switch {
		case tt.rows < 0 && !errors.Is(err, exec.ErrBudget):
			t.Errorf("%s: %d rows, %v, not a budget error", tt.sql, got, err)
		case tt.rows >= 0 && (err != nil || got != tt.rows):
			t.Errorf("%s: %d rows, %v, want %d", tt.sql, got, err, tt.rows)
		}
		if peak > limit+constant {
			t.Errorf("%s: %d MiB reachable", tt.sql, peak>>20)
		}
	}
}

// TestPeakMemoryOfMany does the same with small values and very many rows: no list that grows is held twice.
func TestPeakMemoryOfMany(t *testing.T) {
	const limit, constant = 24 << 20, 6 << 20
	for _, text := range []string{
		"SELECT x FROM big ORDER BY x",
		"SELECT x, CAST(x AS TEXT) FROM big ORDER BY 2 DESC",
		"SELECT x, count(*) FROM big GROUP BY x",
		"SELECT x, max(CAST(x AS TEXT)), sum(x) FROM big GROUP BY x",
		"SELECT DISTINCT CAST(x AS TEXT) FROM big",
		"SELECT count(DISTINCT x) FROM big",
		"SELECT string_agg(CAST(x AS TEXT), ',') FROM big",
		"SELECT string_agg(CAST(x AS TEXT), ',' ORDER BY x DESC) FROM big",
		"SELECT array_agg(x) FROM big",
		"SELECT median(x) FROM big",
		"SELECT quantile_disc(CAST(x AS TEXT), 0.5) FROM big",
		"SELECT x, median(x), stddev(x), arg_min(x, x) FROM big GROUP BY x",
		"SELECT x % 9000, approx_count_distinct(x) FROM big GROUP BY 1",
		"SELECT x // 3, approx_quantile(x, 0.5), first(x ORDER BY x DESC) FROM big GROUP BY 1",
		"SELECT count(*) FROM (VALUES (1)) v(y) LEFT JOIN big ON big.x = v.y",
		"SELECT y IN (SELECT x FROM big) FROM (VALUES (1)) v(y)",
		"SELECT y FROM (VALUES (-1)) v(y) WHERE y = (SELECT count(*) FROM big WHERE big.x > v.y)",
		"SELECT (SELECT string_agg(CAST(x AS TEXT), ',') FROM big WHERE big.x > v.y) FROM (VALUES (-1)) v(y)",
		"SELECT y FROM (VALUES (-1)) v(y) EXCEPT SELECT x FROM big",
		"SELECT DISTINCT ON (x) x FROM big",
		"WITH t AS MATERIALIZED (SELECT x FROM big) SELECT max(x) FROM t",
		"SELECT count(*) FROM (VALUES (1)) v(y) FULL JOIN big ON big.x = v.y",
		"SELECT count(*) FROM (VALUES (1)) v(y) SEMI JOIN big ON big.x = v.y",
		"SELECT count(*) FROM (VALUES (1)) v(y) ASOF JOIN big ON big.x = v.y AND v.y >= big.x",
		"SELECT count(*) FROM (VALUES (1)) v(y) LEFT JOIN big ON CAST(big.x AS TEXT) < CAST(v.y AS TEXT)",
	} {
		e := &endless{memTable: memTable{name: "big", kind: KindFold, cols: []Column{{Name: "x", Type: vector.Int, InStar: true}}}, distinct: true}
		var err error
		peak := peakHeap(func() {
			_, err = countRows(t.Context(), memCatalog{TableName{KindFold, "big"}: e}, text, RunOptions{MemoryBytes: limit})
		})
		if !errors.Is(err, exec.ErrBudget) || peak > limit+constant {
			t.Errorf("%s: %d MiB reachable, %v", text, peak>>20, err)
		}
	}
}
