package planner

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"strings"
	"testing"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// watched is a context that sees when it is looked at. Between two looks a query must not do much: what it may do is counted
// in rows that the source gives and in bytes that are allocated, not in time, so that the machine does not matter.
type watched struct {
	context.Context
	looks  int
	stopAt int // the look from which on it is cancelled; 0 never
	after  int // looks after that

	rows     int // given by the source since the last look
	mostRows int
	alloc    uint64 // bytes ever allocated, at the last look
	most     uint64 // between two looks
}

func (w *watched) Err() error {
	w.looks++
	w.mostRows, w.rows = max(w.mostRows, w.rows), 0
	if w.stopAt > 0 && w.looks >= w.stopAt {
		w.after++
		return context.Canceled
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if w.alloc > 0 {
		w.most = max(w.most, m.TotalAlloc-w.alloc)
	}
	runtime.ReadMemStats(&m) // not what was allocated here
	w.alloc = m.TotalAlloc
	return nil
}

// manyRows is a table of n rows: numbers in no order and texts of 40 bytes. It does not look at the context.
type manyRows struct {
	memTable
	n int
	w *watched
}

func newManyRows(n int) *manyRows {
	return &manyRows{n: n, memTable: memTable{name: "big", kind: KindFold, cols: []Column{
		{Name: "x", Type: vector.Int, InStar: true}, {Name: "s", Type: vector.Text, InStar: true},
	}}}
}

type manyRowsScan struct {
	t   *manyRows
	at  int
	out vector.Batch
	req Request
}

func (t *manyRows) Scan(_ context.Context, r Request) (Iterator, error) {
	s := &manyRowsScan{t: t, req: r}
	for _, o := range r.Outputs {
		s.out.Cols = append(s.out.Cols, vector.New(t.cols[o.Column].Type, vector.MaxRows))
	}
	return s, nil
}

func (s *manyRowsScan) Close() error { return nil }

func (s *manyRowsScan) Next(context.Context) (*vector.Batch, error) {
	n := min(vector.MaxRows, s.t.n-s.at)
	if n == 0 {
		return nil, nil
	}
	for k, o := range s.req.Outputs {
		v := s.out.Cols[k]
		v.Reset(v.Type)
		for i := range n {
			x := (s.at + i) * 7919 % 1000003
			if o.Column == 0 {
				v.AppendInt(int64(x))
			} else {
				v.AppendText(fmt.Appendf(nil, "the same beginning of all texts: %07d", x))
			}
		}
	}
	s.out.N, s.out.Sel = n, nil
	s.at += n
	s.t.w.rows += n
	return &s.out, nil
}

// TestLooks runs statements that keep all of many rows. Between two looks at the context no more than a few batches are read and
// little is allocated: a list that grows by being copied shows there. Sorts look as often as their comparisons need.
func TestLooks(t *testing.T) {
	const n = 100_000 / fewer
	sorted := bits.Len(n) - 3 // no sort gets by with fewer comparisons for each row
	for _, tt := range []struct {
		sql  string
		cmps int // comparisons that a sort has to do for each row
	}{
		{"SELECT x FROM big ORDER BY x", sorted},
		{"SELECT s, x FROM big ORDER BY s DESC", sorted},
		{"SELECT s FROM big ORDER BY s LIMIT 50000", 10},
		{"SELECT x, count(*) FROM big GROUP BY x", 0},
		{"SELECT s, max(s), min(x), sum(x), count(x), bool_or(x > 5) FROM big GROUP BY s", 0},
		{"SELECT DISTINCT s, x FROM big", 0},
		{"SELECT count(DISTINCT s), count(DISTINCT x) FROM big", 0},
		{"SELECT x % 50, string_agg(s, ',') FROM big GROUP BY 1", 0},
		{"SELECT x % 5, string_agg(s, ',' ORDER BY x), array_agg(x) FROM big GROUP BY 1", sorted},
		{"SELECT x % 50, array_agg(DISTINCT s ORDER BY s DESC) FROM big GROUP BY 1", sorted},
		{"SELECT median(x), quantile_disc(x, [0.1, 0.9]), stddev(x), first(s ORDER BY x), arg_max(s, x) FROM big", 0},
		{"SELECT quantile_disc(s, 0.5) FROM big", sorted},
		{"SELECT x, median(x), approx_quantile(x, 0.5), approx_count_distinct(x) FROM big GROUP BY x", 0},
		{"SELECT x % 300, approx_count_distinct(s) FROM big GROUP BY 1", 0},
		{"SELECT count(*) FROM big a JOIN big b ON a.s = b.s", 0},
		{"SELECT count(*) FROM big a LEFT JOIN big b ON a.x = b.x AND a.s < b.s", 0},
		{"SELECT count(*) FROM (VALUES (1), (2)) v(y) JOIN big b ON v.y <> b.x", 0},
		{"SELECT count(*) FROM big a FULL JOIN big b ON a.x = b.x + 7", 0},
		{"SELECT count(*) FROM big a SEMI JOIN big b ON a.s = b.s AND a.x >= b.x", 0},
		{"SELECT count(*) FROM big a ANTI JOIN big b ON a.x = b.x", 0},
		{"SELECT count(*) FROM big a ASOF JOIN big b ON a.s = b.s AND a.x >= b.x", 0},
		{"SELECT count(*) FROM big a WHERE a.s IN (SELECT s FROM big WHERE x > 7) OR a.x = 1", 0},
		{"SELECT count(*) FROM big a WHERE NOT EXISTS (SELECT 1 FROM big b WHERE a.s = b.s AND a.x + 1 > b.x)", 0},
		{"SELECT max((SELECT sum(b.x) FROM big b WHERE a.s = b.s)) FROM big a", 0},
		{"SELECT max((SELECT b.x + a.x FROM big b WHERE a.s = b.s)) FROM big a", 0},
		{"SELECT s FROM big INTERSECT SELECT s FROM big WHERE x > 7", 0},
		{"SELECT s, x FROM big EXCEPT ALL SELECT s, x FROM big WHERE x > 7", 0},
		{"SELECT DISTINCT ON (s) x FROM big", 0},
		{"WITH t AS MATERIALIZED (SELECT x, s FROM big) SELECT count(*) FROM t a JOIN t b ON a.s = b.s", 0},
		{"SELECT x FROM big UNION ALL SELECT length(s) FROM big ORDER BY 1", 2 * sorted},
		{"SELECT count(*) FROM big WHERE s LIKE '%7_7%'", 0},
		{"SELECT x // 9 - d, count(*), count(DISTINCT s) FROM big CROSS JOIN (VALUES (0), (1)) m(d) GROUP BY 1", 0},
		{"SELECT x - d, max(s) FROM big CROSS JOIN (VALUES (0), (1)) m(d) GROUP BY 1", 0}, // hardly any group has two rows
	} {
		w := &watched{Context: t.Context()}
		table := newManyRows(n)
		table.w = w
		c := memCatalog{TableName{KindFold, "big"}: table}
		if _, err := countRows(w, c, tt.sql, RunOptions{}); err != nil {
			t.Fatalf("%s: %v", tt.sql, err)
		}
		if w.mostRows > 2*vector.MaxRows {
			t.Errorf("%s: %d rows between two looks", tt.sql, w.mostRows)
		}
		if w.most > 3<<20 {
			t.Errorf("%s: %d KiB allocated between two looks", tt.sql, w.most>>10)
		}
		if least := n/vector.MaxRows + n*tt.cmps/4096; w.looks < least {
			t.Errorf("%s: %d looks, not %d", tt.sql, w.looks, least)
		}
		// Stopped in the middle, it ends with the next few looks.
		for _, part := range []int{3, 2} {
			stop := &watched{Context: t.Context(), stopAt: w.looks * (part - 1) / part}
			table.w = stop
			if _, err := countRows(stop, c, tt.sql, RunOptions{}); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", tt.sql, err)
			}
			if stop.after > 4 {
				t.Errorf("%s: went on for %d looks", tt.sql, stop.after)
			}
		}
	}
}

// TestLooksWhilePlanning: a long statement is given up while it is bound, and long chains are not gone through again and again.
func TestLooksWhilePlanning(t *testing.T) {
	const n = 3000
	for _, text := range []string{
		"SELECT " + strings.Repeat("id + ", n) + "id FROM demo",
		"SELECT 1 FROM demo WHERE " + strings.Repeat("id <> 1 AND ", n) + "id = 2",
		"SELECT CASE " + strings.Repeat("WHEN id = 1 THEN n ", n) + "END FROM demo",
		"SELECT 1 FROM demo WHERE id IN (" + strings.Repeat("1, ", n) + "2)",
		"SELECT " + strings.Repeat("id, ", n) + "id FROM demo",
	} {
		w := &watched{Context: t.Context()}
		c := testCatalog()
		if _, err := planSQL(w, c, text, Options{}); err != nil {
			t.Fatalf("%.40s: %v", text, err)
		}
		if w.looks < n {
			t.Errorf("%.40s: %d looks", text, w.looks)
		}
		stop := &watched{Context: t.Context(), stopAt: n / 2}
		if _, err := planSQL(stop, c, text, Options{}); !errors.Is(err, context.Canceled) || stop.after > 2 {
			t.Errorf("%.40s: %v after %d more looks", text, err, stop.after)
		}
	}
}

// valuesTable is a catalog of one table with one row, whose values have about size bytes.
func valuesTable(size int) memCatalog {
	text := strings.Repeat("aé,X ", size/6)
	array := "[" + strings.Repeat("1,", size/2) + "1]"
	object := `{"a":{` + strings.Repeat(`"k":[1],`, size/8) + `"z":1},"b":"` + strings.Repeat(`\n`, size/4) + `"}`
	table := &memTable{name: "t", kind: KindFold}
	row := []query.Value{}
	for _, f := range []struct {
		name string
		typ  vector.Type
		v    query.Value
	}{
		{"s", vector.Text, query.Text(text)},
		{"blank", vector.Text, query.Text(strings.Repeat(" ", size))},
		{"b", vector.Blob, query.Blob([]byte(text))},
		{"a", vector.JSON, query.JSON(array)},
		{"a2", vector.JSON, query.JSON(strings.TrimSuffix(array, "1]") + "1.0]")},
		{"o", vector.JSON, query.JSON(object)},
		{"list", vector.Text, query.Text(array)},
		{"n", vector.Int, query.Int(int64(size))},
	} {
		table.cols = append(table.cols, Column{Name: f.name, Type: f.typ, InStar: true})
		row = append(row, f.v)
	}
	table.rows = append(table.rows, row)
	c := memCatalog{}
	c.table(table)
	return c
}

// TestLooksInsideValues runs functions and operators on one value of several MiB. They look at the context for every few hundred
// KiB, and end when it is cancelled.
func TestLooksInsideValues(t *testing.T) {
	const size = 1 << 20 / fewer
	small, large := valuesTable(64), valuesTable(size)
	for _, x := range []string{
		"length(s)", "left(s, -1)", "right(s, n // 6)", "substr(s, 2)", "substr(s, -5)", "lower(s)", "upper(s)", "reverse(s)",
		"repeat('ab', n // 2)", "repeat(s, 2)", "replace(s, 'X', 'yy')", "replace(s, 'aéX', 'y')", "trim(blank)", "ltrim(blank)", "rtrim(blank)",
		"split_part(s, ',', -3)", "split_part(s, ',', n // 7)", "strpos(s, 'no')", "contains(s, 'no')", "concat(s, s)", "s || s", "b || b",
		"to_json(s)", "CAST(b AS TEXT)", "CAST(CAST(b AS TEXT) AS BLOB)", "CAST(list AS JSON)", "CAST(s AS BLOB)",
		"s LIKE '%no%'", "s LIKE '%X_no%'", "s ILIKE '%X_no%'", "s LIKE '%__________________no%'", "s LIKE s || '_%'",
		"json_array_length(a)", "a->0", "a->-1", "o->'a'->'z'", "o->>'b'", "o->'nosuch'", "a = a2", "a < a2", "a IN (a2, JSON '[1]')", "o = o || ''",
		"CASE WHEN length(b) > 0 THEN s ELSE 'x' END", "coalesce(s, 'x')", "greatest(a, a2)", "nullif(a, a2)",
	} {
		looks(t, small, large, "SELECT "+x+" AS x FROM t", size)
	}
	for _, sql := range []string{
		"SELECT 1 FROM t ORDER BY s", "SELECT 1 FROM t ORDER BY s DESC", "SELECT 1 FROM t ORDER BY a LIMIT 1", "SELECT s FROM t ORDER BY length(list)",
		"SELECT count(*) FROM t GROUP BY a", "SELECT count(*) FROM t GROUP BY s", "SELECT DISTINCT o FROM t", "SELECT count(DISTINCT a) FROM t",
		"SELECT max(s) FROM t", "SELECT string_agg(s, ',') FROM t", "SELECT array_agg(s), array_agg(b) FROM t", "SELECT string_agg(s, ',' ORDER BY b) FROM t",
		"SELECT first(s ORDER BY a) FROM t", "SELECT arg_max(a, s) FROM t", "SELECT quantile_disc(s, 0.5) FROM t", "SELECT approx_count_distinct(s), approx_count_distinct(a) FROM t", "SELECT count(*) FROM t x JOIN t y ON x.a = y.a2", "SELECT y.s FROM t x JOIN t y ON x.b = y.b",
	} {
		looks(t, small, large, sql, size)
	}
}

// looks runs a statement on small values and on those of size bytes, then stops the latter in the middle.
func looks(t *testing.T, small, large Catalog, sql string, size int) {
	t.Helper()
	few, w := &watched{Context: t.Context()}, &watched{Context: t.Context()}
	_, err := countRows(few, small, sql, RunOptions{})
	if err == nil {
		_, err = countRows(w, large, sql, RunOptions{})
	}
	if err != nil {
		t.Errorf("%s: %v", sql, err)
		return
	}
	if more, least := w.looks-few.looks, size>>19; more < least {
		t.Errorf("%s: %d more looks at the context in %d MiB, not %d", sql, more, size>>20, least)
	}
	stop := &watched{Context: t.Context(), stopAt: (few.looks + w.looks) / 2}
	if _, err := countRows(stop, large, sql, RunOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%s: stopped, got %v", sql, err)
	}
	if stop.after > 8 {
		t.Errorf("%s: went on for %d looks", sql, stop.after)
	}
}

// TestGiveWay asserts that work on many rows lets others run on the way.
func TestGiveWay(t *testing.T) {
	table := newManyRows(200_000)
	table.w = &watched{Context: t.Context()}
	cat := memCatalog{TableName{KindFold, "big"}: table}
	for _, text := range []string{
		"SELECT count(*) FROM big WHERE x > 3", "SELECT s, count(*) FROM big GROUP BY s", "SELECT x FROM big ORDER BY s LIMIT 3",
	} {
		ways := 0
		if _, err := countRows(t.Context(), cat, text, RunOptions{GiveWay: func() { ways++ }}); err != nil {
			t.Fatal(err)
		}
		if ways < 10 {
			t.Errorf("%s: gave way %d times", text, ways)
		}
	}
}
