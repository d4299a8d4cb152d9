package planner

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed69692123/netdb/planner/exec"
)

// TestEndRows compares the first or last rows of keys, seen in order or counted, with those that a window numbers, under a condition that no rule knows.
func TestEndRows(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	oneOf := func(list ...string) string { return list[r.IntN(len(list))] }
	parts, planned := int64(0), 0
	for round := range 800 / fewer {
		d := &divided{memLog: randomLog(r, r.IntN(300)), width: int64(1 + r.IntN(60)), panicAt: -1}
		c := memCatalog{{KindLog, "t"}: d}
		number := fmt.Sprintf("%s() OVER (PARTITION BY %s %s)", oneOf("row_number", "row_number", "rank", "dense_rank"), oneOf("k", "k, j", "_seq % 7", "k, _seq % 3", "upper(k)"),
			oneOf("ORDER BY _seq DESC", "ORDER BY _seq DESC", "ORDER BY _ts DESC, _seq DESC", "ORDER BY _seq", "ORDER BY _ts", "ORDER BY _ts DESC", "ORDER BY v DESC", ""))
		from := oneOf("t", "t", "t", "t WHERE w IS NOT NULL", "t WHERE EXISTS (SELECT 1 FROM t o WHERE o.j = t.j AND o._seq < 50)", "(SELECT * FROM t WHERE _seq > 5) s")
		text := fmt.Sprintf("SELECT %s FROM %s QUALIFY ", oneOf("_seq", "v, w", "k, v", "k, j, _seq, v", "*", "v, "+number+" AS n", "v, 10 // (_seq - 20)"), from)
		if r.IntN(3) == 0 {
			text = "SELECT _seq, v, k FROM (SELECT *, " + number + " AS n FROM " + from + ") s WHERE "
		}
		ask, plain := oneOf("= 1", "<= 1", "< 2"), "% 1000000 = 1"
		if strings.Contains(text, " WHERE ") && strings.HasSuffix(text, " WHERE ") {
			number = "n"
		}
		end := oneOf("", "", " AND v IS NOT NULL", " ORDER BY _seq", " ORDER BY _seq DESC", " LIMIT 3")
		wrap := "%s"
		if !strings.Contains(end, "ORDER") && r.IntN(4) > 0 && strings.Contains(text, "v") {
			wrap = oneOf("SELECT count(*) FROM (%s) o", "SELECT count(*) FROM (%s) o", "SELECT count(v), count(*) FROM (%s) o", "SELECT count(*), min(v), max(v) FROM (%s) o", "SELECT first(v), sum(v) FROM (%s) o", "SELECT v, count(*) FROM (%s) o GROUP BY v")
		}
		if strings.Contains(wrap, "(v)") && strings.HasPrefix(text, "SELECT _seq FROM") {
			wrap = "%s"
		}
		text, slow := fmt.Sprintf(wrap, text+number+" "+ask+end), fmt.Sprintf(wrap, text+number+" "+plain+end)
		o := RunOptions{BatchRows: 1 + r.IntN(80)}
		want, wantErr := runSQL(t.Context(), c, slow, Options{}, o)
		if plan, err := runSQL(t.Context(), c, "EXPLAIN "+text, Options{}, o); err == nil && slices.ContainsFunc(plan, func(s string) bool { return strings.Contains(s, "tRow key") }) {
			planned++
		}
		for _, threads := range []int{1, 2 + r.IntN(3)} {
			o.Threads = threads
			d.parts.Store(0)
			got, err := runSQL(t.Context(), c, text, Options{}, o)
			parts += d.parts.Load()
			if !sameFailure(err, wantErr) || !closeAnswers(got, want) {
				t.Fatalf("seed %d, round %d, %d threads: %s\n%q, %v\nwant\n%q, %v", seed, round, threads, text, got, err, want, wantErr)
			}
			tight := o
			tight.MemoryBytes = int64(1+r.IntN(64)) << 10
			spilled, err := runDivided(t.Context(), c, text, tight)
			if err != nil && errors.Is(err, exec.ErrBudget) {
				continue
			}
			if !sameFailure(err, wantErr) || !closeAnswers(spilled, want) {
				if pe, ok := errors.AsType[*exec.PanicError](err); ok {
					t.Logf("%s", pe.Stack)
				}
				t.Fatalf("seed %d, round %d, %d bytes: %s\n%q, %v\nwant\n%q, %v", seed, round, tight.MemoryBytes, text, spilled, err, want, wantErr)
			}
		}
	}
	if planned < 12/fewer || parts < 400/fewer {
		t.Fatalf("only %d plans had a node for such rows, and %d parts were read", planned, parts)
	}
}

// sameFailure compares errors without their place in the text.
func sameFailure(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	x, y := a.Error(), b.Error()
	return x[strings.LastIndex(x, ":")+1:] == y[strings.LastIndex(y, ":")+1:]
}
