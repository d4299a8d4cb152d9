package planner

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed69692123/netdb/planner/exec"
)

// TestEagerGroups: groups that are made before rows are multiplied, and then merged, are those of the multiplied rows, in the same order, also where a
// row fails or memory does not last. A limit that is never reached keeps the rule away.
func TestEagerGroups(t *testing.T) {
	const aggs = `count(*), count(v), sum(w), avg(w), count(DISTINCT v), bool_or(k = 1), sum(_seq) FILTER (WHERE j = 1), min(_seq), max(_seq // 2)`
	multiplied := []struct{ from, key, aggs string }{
		{`t CROSS JOIN (VALUES (0), (1), (2), (0)) AS m(d)`, `_seq // 7 - d`, aggs},
		{`t CROSS JOIN (VALUES (3), (NULL), (1)) AS m(d)`, `k, d`, aggs},
		{`t CROSS JOIN (VALUES (0), (1)) AS m(d)`, `k, j, typeof(v), _seq % 3 * d`, aggs},
		{`(VALUES (0), (1)) AS m(d) CROSS JOIN t`, `_seq // 9 + d, d`, aggs},
		{`t CROSS JOIN (SELECT column1 AS d FROM (VALUES (0), (1), (2)) AS x WHERE column1 > 0) AS m`, `k, _seq // 50 - d`, aggs},
		{`t CROSS JOIN (SELECT column1 AS d FROM (VALUES (0), (1)) AS x WHERE column1 > 5) AS m`, `_seq // 50 - d`, aggs},
		{`t CROSS JOIN (VALUES (0), (1)) AS m(d)`, `9223372036854775806 + _seq // 60 + d`, aggs},
		{`t CROSS JOIN (VALUES (1), (0)) AS m(d)`, `_seq // 50 // d`, aggs},
		{`t CROSS JOIN (VALUES (0), (1)) AS m(d)`, `100 // (_seq - 40) + d`, aggs},
		// Not grouped first.
		{`t CROSS JOIN (VALUES (1), (0), (2)) AS m(d)`, `typeof(coalesce(k, d))`, `count(*)`},
		{`t CROSS JOIN (VALUES (1), (0), (2)) AS m(d)`, `_seq // 5 - d`, `min(k), max(v)`},
		{`t CROSS JOIN (VALUES (1), (0), (2)) AS m(d)`, `_seq // 5 - d`, `first(v), last(k), string_agg(CAST(_seq AS TEXT)), array_agg(k)`},
		{`t CROSS JOIN (VALUES (1), (0), (2)) AS m(d)`, `_seq // 5 - d`, `array_agg(DISTINCT k), any_value(k)`},
		{`hop(t, _seq, 10, 25)`, `window_start`, aggs},
		{`hop(t, _seq, 6, 4)`, `window_start, window_end, k`, aggs},
		{`hop(t, j, 3, 9)`, `window_end, k`, aggs},
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	grouped := 0
	for round := range 15 {
		d := &divided{memLog: randomLog(r, 5+r.IntN(200)), width: int64(1 + r.IntN(40)), panicAt: -1}
		c := memCatalog{{KindLog, "t"}: d}
		for _, m := range multiplied {
			sel := fmt.Sprintf(`SELECT %s, %s FROM `, m.key, m.aggs)
			by := ` GROUP BY ` + m.key
			eager := sel + m.from + by
			o := RunOptions{BatchRows: 1 + r.IntN(80)}
			want, wantErr := runSQL(t.Context(), c, sel+`(SELECT * FROM `+m.from+` LIMIT 1000000) AS s`+by, Options{}, o)
			plan, err := runSQL(t.Context(), c, `EXPLAIN `+eager, Options{}, o)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(strings.Join(plan, "\n"), "first by") {
				grouped++
			} else if m.aggs == aggs && !strings.Contains(m.from, "> 5") {
				t.Fatalf("%s is not grouped first:\n%s", eager, strings.Join(plan, "\n"))
			}
			for _, o.Threads = range []int{1, 2 + r.IntN(4)} {
				got, err := runSQL(t.Context(), c, eager, Options{}, o)
				if errText(err) != errText(wantErr) || !closeAnswers(got, want) {
					t.Fatalf("seed %d, round %d, %d threads: %s\n%q, %v\nwant\n%q, %v", seed, round, o.Threads, eager, got, err, want, wantErr)
				}
				small := o
				small.MemoryBytes = int64(1+r.IntN(64)) << 10
				got, err = runDivided(t.Context(), c, eager, small)
				if errors.Is(err, exec.ErrBudget) {
					continue
				}
				if errText(err) != errText(wantErr) || !closeAnswers(got, want) {
					t.Fatalf("seed %d, round %d, %d bytes: %s\n%q, %v\nwant\n%q, %v", seed, round, small.MemoryBytes, eager, got, err, want, wantErr)
				}
			}
		}
	}
	if grouped < 150 {
		t.Fatalf("only %d statements grouped first", grouped)
	}
}

// errText is what an error says, without where in the statement.
func errText(err error) string {
	text := fmt.Sprint(err)
	if _, after, ok := strings.Cut(text, ": "); ok {
		return after
	}
	return text
}
