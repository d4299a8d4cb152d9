package planner

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/seed69692123/netdb/planner/exec"
)

// TestJoinsGiveBack runs joins, queries used as values and kept tables under budgets from almost nothing to enough, to their end
// and only to their first batch. What they held is given back, every scan is closed, and the only error is that of the budget.
func TestJoinsGiveBack(t *testing.T) {
	c := memCatalog{}
	var payloads []string
	for i := range 3000 {
		payloads = append(payloads, `{"k":`+itoa(i%700)+`,"s":"some text, the same but for its number `+itoa(i*7919%3000)+`"}`)
	}
	logs := []*memLog{c.log(newLog("a", payloads...)), c.log(newLog("b", payloads[:2000]...))}
	for _, text := range []string{
		"SELECT a.s, b.s FROM a FULL JOIN b ON a.s = b.s AND a.k >= b.k",
		"SELECT a.s FROM a SEMI JOIN b ON a.s = b.s",
		"SELECT a.s FROM a ANTI JOIN b ON a.s = b.s AND a._seq <> b._seq",
		"SELECT a.s, b.s FROM a ASOF LEFT JOIN b ON a.k = b.k AND a.s > b.s",
		"SELECT s, s NOT IN (SELECT s FROM b) FROM a",
		"SELECT s, (SELECT max(s) FROM b WHERE b.k = a.k) FROM a",
		"SELECT s, (SELECT b.s FROM b WHERE b.k = a.k LIMIT 1) FROM a",
		"SELECT s FROM a WHERE k = 1 OR k IN (SELECT k FROM b WHERE b.s > a.s)",
		"SELECT s FROM a EXCEPT SELECT s FROM b WHERE k > 10",
		"SELECT DISTINCT ON (s) k FROM a",
		"WITH t AS (SELECT s, count(*) AS n FROM a GROUP BY s) SELECT * FROM t x JOIN t y ON x.s = y.s",
	} {
		p, err := planSQL(t.Context(), c, text, Options{})
		if err != nil {
			t.Fatal(text, err)
		}
		failures, rows := 0, 0
		for limit := int64(1 << 10); limit <= 8<<20; limit *= 16 {
			for _, once := range []bool{false, true} {
				r, b, err := p.start(t.Context(), RunOptions{MemoryBytes: limit, BatchRows: 100}, false)
				if err != nil {
					t.Fatal(text, err)
				}
				for {
					batch, err := r.Next(t.Context())
					if err != nil && !errors.Is(err, exec.ErrBudget) {
						t.Errorf("%s: %d bytes: %v", text, limit, err)
					}
					if err != nil {
						failures++
					}
					if err != nil || batch == nil {
						break
					}
					if rows += batch.Rows(); once {
						break
					}
				}
				if err := r.Close(); err != nil {
					t.Errorf("%s: close: %v", text, err)
				}
				if n := b.env.Budget.Used(); n != 0 {
					t.Errorf("%s: %d of %d bytes are still held", text, n, limit)
				}
				if logs[0].active+logs[1].active != 0 {
					t.Errorf("%s: scans are left open", text)
				}
			}
		}
		if failures == 0 || rows == 0 {
			t.Errorf("%s: %d failures, %d rows", text, failures, rows)
		}
	}
}

// TestRunsAtOnce runs one plan many times at the same time: what a run keeps of queries and kept tables is its own.
func TestRunsAtOnce(t *testing.T) {
	c := testCatalog()
	for text, want := range map[string]string{
		"WITH z AS (SELECT done, count(*) AS c FROM tasks GROUP BY done) SELECT (SELECT max(c) FROM z), (SELECT count(*) FROM z WHERE done IS NULL)": "2|1",
		"SELECT count(*) FROM tasks t WHERE id IN (SELECT id FROM tasks WHERE done) OR (SELECT count(*) FROM tasks d WHERE d.id <= t.id) > 2":        "3",
	} {
		for _, prefix := range []string{"", "EXPLAIN ANALYZE ", "EXPLAIN (ANALYZE, FORMAT JSON) "} {
			p, err := planSQL(t.Context(), c, prefix+text, Options{})
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					rows, err := runPlan(t.Context(), p, RunOptions{BatchRows: 2})
					if err != nil || prefix == "" && !slices.Equal(rows, []string{want}) || len(rows) == 0 {
						t.Errorf("%s%s: %q %v", prefix, text, rows, err)
					}
				})
			}
			wg.Wait()
		}
	}
}
