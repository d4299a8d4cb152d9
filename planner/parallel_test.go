package planner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/spill"
	"github.com/seed69692123/netdb/planner/spilltest"
	"github.com/seed69692123/netdb/planner/vector"
)

// divided is a memLog whose scans can be divided, and which may panic.
type divided struct {
	*memLog
	width   int64
	panicAt int64 // sequence at which a scan panics; below 0: never
	parts   atomic.Int64
}

func (d *divided) Divide(_ context.Context, r Request) (out []Interval, left ScanStats, err error) {
	from, to := d.rows(r.Range)
	for at := int64(from); at < int64(to); at += d.width {
		out = append(out, Interval{From: at, To: min(at+d.width, int64(to)), Bounded: true})
	}
	return out, left, nil
}

func (d *divided) Scan(_ context.Context, r Request) (Iterator, error) {
	own := *d.memLog // counts of its own: scans run at the same time
	own.scans = nil
	if r.Within != (Range{}) || r.Range.Seq.Bounded {
		d.parts.Add(1)
	}
	it, err := own.Scan(context.Background(), r)
	scan := &dividedScan{memLogScan: it.(*memLogScan), panicAt: d.panicAt, keys: r.Keys}
	for _, k := range r.Keys {
		scan.tests = append(scan.tests, vector.KeyTest{Filter: k.Filter})
	}
	return scan, err
}

type dividedScan struct {
	*memLogScan
	panicAt int64
	keys    []KeyHint
	tests   []vector.KeyTest
}

func (s *dividedScan) Next(ctx context.Context) (*vector.Batch, error) {
	if s.panicAt >= 0 && int64(s.from) <= s.panicAt && s.panicAt < int64(s.to) {
		panic("a defect")
	}
	for {
		b, err := s.memLogScan.Next(ctx)
		if err != nil || b == nil {
			return b, err
		}
		for k, h := range s.keys {
			if set := h.Filter.Set(); set != nil {
				var cols []*vector.Vector
				for _, o := range h.Outputs {
					cols = append(cols, b.Cols[o])
				}
				b.Sel = s.tests[k].Apply(set, cols, b.Sel, b.N)
			}
		}
		if b.Rows() > 0 {
			return b, nil
		}
	}
}

// randomLog has values of all classes, missing fields and few keys.
func randomLog(r *rand.Rand, n int) *memLog {
	values := []func() string{
		func() string { return fmt.Sprint(r.IntN(9)) },
		func() string { return fmt.Sprintf("%d.0", r.IntN(9)) },
		func() string { return fmt.Sprintf("%q", "w"+fmt.Sprint(r.IntN(12))) },
		func() string { return "null" },
		func() string { return []string{"true", "false"}[r.IntN(2)] },
		func() string { return "9223372036854775807" },
		func() string { return fmt.Sprintf("%g", r.Float64()) },
	}
	var rows []string
	for range n {
		var fields []string
		for _, f := range []string{"k", "j", "v", "w"} {
			if r.IntN(8) > 0 {
				v := values[r.IntN(len(values))]
				if f == "k" {
					v = values[r.IntN(3)]
				}
				fields = append(fields, fmt.Sprintf("%q: %s", f, v()))
			}
		}
		rows = append(rows, "{"+strings.Join(fields, ", ")+"}")
	}
	return newLog("t", rows...)
}

// TestParallelAggregates: what several goroutines compute of a divided table is what one computes, in the same order, whatever the parts, also
// where it fails, with too little memory, and with some of it on disk.
func TestParallelAggregates(t *testing.T) {
	statements := []string{
		`SELECT count(*), count(v), sum(w), avg(w), min(v), max(v), first(v), last(v), count(DISTINCT v), string_agg(k), array_agg(v) FROM t WHERE typeof(w) <> 'BIGINT' OR w < 100`,
		`SELECT k, count(*), min(w), max(w), first(v), last(v), any_value(w), count(DISTINCT k), median(w), bool_or(v) FROM t GROUP BY k`,
		`SELECT k, j, string_agg(v ORDER BY w DESC, _seq), array_agg(DISTINCT v), arg_max(_seq, w), approx_count_distinct(v) FROM t GROUP BY k, j`,
		`SELECT k, stddev(_seq), var_pop(_seq), sum(_seq) FILTER (WHERE j = 1), quantile_disc(v, 0.3), approx_quantile(_seq, 0.5) IS NULL FROM t WHERE k IS NOT NULL GROUP BY k`,
		`SELECT x, count(*) FROM (SELECT _seq % 5 AS x, v FROM t WHERE _seq > 3) s WHERE x > 0 GROUP BY x`,
		`SELECT sum(w) FROM t`,
		`SELECT k, sum(1 // (_seq - 70)) FROM t GROUP BY k`,
		`SELECT count(*) FROM t WHERE 100 // (_seq - 40) > 1 AND CAST(v AS BIGINT) > 1`,
		`SELECT j, count(*) FROM t WHERE v = (SELECT max(v) FROM t) GROUP BY j`,
		`SELECT count(*), min(k) FROM t WHERE k = 'no such'`,
		`SELECT k, count(*) FROM t WHERE k = 'no such' GROUP BY k`,
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	parts := int64(0)
	for round := range 60 {
		d := &divided{memLog: randomLog(r, r.IntN(300)), width: int64(1 + r.IntN(60)), panicAt: -1}
		c := memCatalog{{KindLog, "t"}: d}
		for _, text := range statements {
			o := RunOptions{BatchRows: 1 + r.IntN(80)}
			want, wantErr := runSQL(t.Context(), c, text, Options{}, o)
			o.Threads = 2 + r.IntN(4)
			d.parts.Store(0)
			got, err := runSQL(t.Context(), c, text, Options{}, o)
			parts += d.parts.Load()
			if fmt.Sprint(err) != fmt.Sprint(wantErr) || !closeAnswers(got, want) {
				t.Fatalf("seed %d, round %d: %s\n%q, %v\nwant\n%q, %v", seed, round, text, got, err, want, wantErr)
			}
			o.MemoryBytes = int64(1+r.IntN(64)) << 10
			spilled, err := runDivided(t.Context(), c, text, o)
			if err != nil && errors.Is(err, exec.ErrBudget) {
				continue
			}
			if fmt.Sprint(err) != fmt.Sprint(wantErr) || !closeAnswers(spilled, want) {
				t.Fatalf("seed %d, round %d, %d bytes: %s\n%q, %v\nwant\n%q, %v", seed, round, o.MemoryBytes, text, spilled, err, want, wantErr)
			}
		}
	}
	if parts < 1000 {
		t.Fatalf("only %d parts were read", parts)
	}
}

// TestParallelJoins: joins whose probe side is divided, and whose scans leave out rows without a partner, give what they give without either, in the
// same order: also where something fails, with too little memory, and with some of it on disk.
func TestParallelJoins(t *testing.T) {
	statements := []string{
		`SELECT t.k, count(*), sum(u._seq), first(u._seq), last(t._seq) FROM t JOIN u ON t.k = u.k GROUP BY t.k`,
		`SELECT u.j, count(*), string_agg(t._seq || '-' || u._seq, ',') FROM t JOIN u ON t.v = u.v WHERE t.k <> 'w3' AND u._seq > 5 GROUP BY u.j`,
		`SELECT count(*), max(u.w) FROM t JOIN u ON t.k = u.k AND t.j = u.j`,
		`SELECT t.j, count(u.k), count(*), last(u._seq) FROM t LEFT JOIN u ON t.k = u.j AND u._seq > t._seq GROUP BY t.j`,
		`SELECT k, count(*), first(_seq) FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.v = t.v) GROUP BY k`,
		`SELECT k, count(*), last(_seq) FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE u.v = t.v AND u._seq < t._seq) GROUP BY k`,
		`SELECT v IN (SELECT w FROM u), count(*) FROM t GROUP BY 1`,
		`SELECT t.k, count(*) FROM t LEFT JOIN u ON t.v = u.v WHERE u.v IS NULL GROUP BY t.k`,
		`SELECT t.k, count(*), max(x._seq) FROM t JOIN u ON t.k = u.k JOIN u x ON t.j = x.j WHERE x._seq < 9 GROUP BY t.k`,
		`SELECT count(*), sum(t._seq) FROM t JOIN (SELECT DISTINCT v FROM u WHERE j IS NOT NULL) x ON t.v = x.v`,
		`SELECT count(*) FROM t FULL JOIN u ON t.k = u.k AND t.j = u.j`,
		`SELECT count(*) FROM t JOIN u ON t.k = u.k AND 10 // (t._seq - 40) > u._seq`,
		`SELECT count(*) FROM t JOIN u ON 100 // (u._seq - 7) = t._seq`,
		`SELECT count(*) FROM (SELECT k, 100 // (_seq - 60) AS x FROM t) s JOIN u ON s.k = u.k`,
		`SELECT count(*) FROM t JOIN (SELECT k, 100 // (_seq - 3) AS x FROM u) s ON s.k = t.k AND s.x > 1`,
		`SELECT t._seq, u._seq, u.w FROM t JOIN u ON t.k = u.k WHERE u.j = 3 ORDER BY t._seq, u._seq LIMIT 50`,
		`SELECT t._seq, u.w, t.v FROM t LEFT JOIN u ON t.v = u.v AND u.k = t.k`,
		`WITH x AS (SELECT k, count(*) AS n FROM u GROUP BY k) SELECT count(*), max(x.n) FROM t JOIN x ON t.k = x.k JOIN x y ON t.j = y.k`,
		`SELECT count(*) FROM t JOIN u ON t.k = u.k WHERE t.v < (SELECT max(v) FROM u)`,
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	parts := int64(0)
	for round := range 25 {
		tl, ul := randomLog(r, 1+r.IntN(300)), randomLog(r, r.IntN(80))
		d := &divided{memLog: tl, width: int64(1 + r.IntN(60)), panicAt: -1}
		c := memCatalog{{KindLog, "t"}: d, {KindLog, "u"}: &divided{memLog: ul, width: int64(1 + r.IntN(60)), panicAt: -1}}
		plain := memCatalog{{KindLog, "t"}: tl, {KindLog, "u"}: ul}
		for _, text := range statements {
			o := RunOptions{BatchRows: 1 + r.IntN(80)}
			want, wantErr := runSQL(t.Context(), plain, text, Options{}, o)
			for _, o.Threads = range []int{1, 2 + r.IntN(4)} {
				d.parts.Store(0)
				got, err := runSQL(t.Context(), c, text, Options{}, o)
				parts += d.parts.Load()
				if fmt.Sprint(err) != fmt.Sprint(wantErr) || !closeAnswers(got, want) {
					t.Fatalf("seed %d, round %d, %d threads: %s\n%q, %v\nwant\n%q, %v", seed, round, o.Threads, text, got, err, want, wantErr)
				}
			}
			o.MemoryBytes = int64(1+r.IntN(128)) << 10
			spilled, err := runDivided(t.Context(), c, text, o)
			if err != nil && errors.Is(err, exec.ErrBudget) {
				continue
			}
			if fmt.Sprint(err) != fmt.Sprint(wantErr) || !closeAnswers(spilled, want) {
				t.Fatalf("seed %d, round %d, %d bytes: %s\n%q, %v\nwant\n%q, %v", seed, round, o.MemoryBytes, text, spilled, err, want, wantErr)
			}
		}
	}
	if parts < 500 {
		t.Fatalf("only %d parts were read", parts)
	}
}

// runDivided runs a statement by several goroutines with a budget, of which nothing is held at the end.
func runDivided(ctx context.Context, c Catalog, text string, o RunOptions) (rows []string, err error) {
	fs := &spilltest.FS{}
	o.Spill = spill.Open(spill.Options{FS: fs})
	p, err := planSQL(ctx, c, text, Options{})
	if err != nil {
		return nil, err
	}
	r, b, err := p.start(ctx, o, true)
	if err != nil {
		return nil, err
	}
	for err == nil {
		var v *vector.Batch
		if v, err = r.Next(ctx); err != nil || v == nil {
			break
		}
		for k := range v.Rows() {
			var cells []string
			for _, p := range v.Cols {
				cells = append(cells, exec.ValueAt(p, v.Row(k)).String())
			}
			rows = append(rows, strings.Join(cells, "|"))
		}
	}
	if closed := r.Close(); closed != nil {
		return rows, closed
	}
	if names, open := fs.Left(); len(names) > 0 || open > 0 || b.env.Budget.Used() != 0 {
		return rows, fmt.Errorf("left %v, %d open files, %d bytes held", names, open, b.env.Budget.Used())
	}
	return rows, err
}

// closeAnswers compares rows, in whose doubles the last digits may differ.
func closeAnswers(a, b []string) bool {
	return slices.EqualFunc(a, b, func(x, y string) bool {
		return x == y || slices.EqualFunc(strings.Split(x, "|"), strings.Split(y, "|"), func(x, y string) bool {
			if x == y {
				return true
			}
			var f, g float64
			if n, _ := fmt.Sscan(x+" "+y, &f, &g); n != 2 {
				return false
			}
			return f-g < 1e-12*max(f, -f, 1) && g-f < 1e-12*max(f, -f, 1)
		})
	})
}

// TestParallelPanic: a panic in any goroutine of a query is the query's error, with where it was, and the next query runs.
func TestParallelPanic(t *testing.T) {
	for i, text := range slices.Repeat([]string{`SELECT k, count(*) FROM t GROUP BY k`, `SELECT window_start, count(*) FROM hop(t, _seq, 2, 4) GROUP BY window_start`}, 2) {
		threads := 1 + i/2*2
		d := &divided{memLog: randomLog(rand.New(rand.NewPCG(1, 2)), 100), width: 10, panicAt: 55}
		c := memCatalog{{KindLog, "t"}: d}
		_, err := runSQL(t.Context(), c, text, Options{}, RunOptions{Threads: threads, BatchRows: 7})
		pe, ok := errors.AsType[*exec.PanicError](err)
		if !ok || pe.Value != "a defect" || !strings.Contains(string(pe.Stack), "dividedScan") {
			t.Fatalf("%d threads: %v", threads, err)
		}
		d.panicAt = -1
		if _, err := runSQL(t.Context(), c, `SELECT k, count(*) FROM t GROUP BY k`, Options{}, RunOptions{Threads: threads}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestParallelAnalyze: EXPLAIN ANALYZE of a divided scan counts all its rows.
func TestParallelAnalyze(t *testing.T) {
	d := &divided{memLog: randomLog(rand.New(rand.NewPCG(1, 2)), 100), width: 10, panicAt: -1}
	c := memCatalog{{KindLog, "t"}: d}
	rows, err := runSQL(t.Context(), c, `EXPLAIN ANALYZE SELECT _seq % 2 AS x, count(*) FROM t WHERE _seq < 90 AND _seq % 3 = 0 GROUP BY x`, Options{}, RunOptions{Threads: 3, BatchRows: 7})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(rows, "\n")
	for _, want := range []string{"act 30", "act 90", "act 2"} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
