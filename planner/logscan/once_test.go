package logscan

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/redex"
)

// TestOnce scans for each value once: in the order of first rows there are the values of all rows, also where some are NULL, long, odd, redacted
// or cut off by the range.
func TestOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	s := openStore(t)
	const rows = redex.ChunkEvents + 3000
	var entries []redex.Entry
	for i := range rows {
		odd := fmt.Sprintf(`"o%d"`, r.IntN(9))
		if r.IntN(5000) == 0 {
			odd = []string{"null", "7", fmt.Sprintf(`"%01200d"`, i)}[r.IntN(3)]
		}
		long := fmt.Sprintf(`"%d"`, i%5)
		if i == 4000 {
			long = fmt.Sprintf(`"%01200d"`, i)
		}
		entries = append(entries, jsonEntry(fmt.Sprintf(`{"word":"w%d","odd":%s,"long":%s}`, r.IntN(300), odd, long)))
	}
	l := variedLog(t, s, "once", entries, redex.LogOptions{})
	c := New(s)
	defer c.Close()
	check := func(what string, words bool) {
		t.Helper()
		src := source(t, c, s, l)
		for _, path := range []string{"word", "odd", "long"} {
			for _, seqs := range []planner.Interval{{}, {From: 10, To: rows, Bounded: true}, {To: redex.ChunkEvents, Bounded: true}, {To: redex.ChunkEvents - 1, Bounded: true}} {
				req := planner.Request{Outputs: outputs(path), Threads: 1, BatchRows: 500 + r.IntN(1548), Range: planner.Range{Seq: seqs}}
				req.Columns = planner.ColumnsNever
				all := rowsText(t, src, req)
				req.Columns, req.Once = planner.ColumnsAlways, true
				for _, reverse := range []bool{false, true} {
					req.Reverse = reverse
					got := rowsText(t, src, req)
					if reverse && len(got) != len(all) {
						t.Errorf("%s: %s of %v backwards has %d rows, not %d", what, path, seqs, len(got), len(all))
					} else if !reverse {
						wantRows(t, fmt.Sprintf("%s: %s of %v", what, path, seqs), firsts(got), firsts(all))
					}
					if words && !reverse && path == "word" && !seqs.Bounded && len(got) > rows/2 {
						t.Errorf("%s: %d rows of %d", what, len(got), len(all))
					}
				}
				req.Reverse = false
				parts := divided(t, src, req)
				wantRows(t, fmt.Sprintf("%s: %s of %v in parts", what, path, seqs), firsts(parts), firsts(all))
			}
		}
	}
	seal(t, s)
	check("sealed", true)
	if err := l.Redact(t.Context(), 77); err != nil {
		t.Fatal(err)
	}
	check("redacted", false)
	if err := l.Trim(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	check("trimmed", false)
}

// firsts returns each row the first time that it comes.
func firsts(rows []string) (out []string) {
	seen := map[string]bool{}
	for _, r := range rows {
		if !seen[r] {
			seen[r] = true
			out = append(out, r)
		}
	}
	return out
}
