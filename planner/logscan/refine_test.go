package logscan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

// TestPointOfAscendingField looks for values of a field that ascends, here and there missing, null or not a number: all rows that there
// are come, and of an ordinary block hardly others.
func TestPointOfAscendingField(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	s := openStore(t)
	c := New(s)
	defer c.Close()
	const rows = 9*pageEvents + 300
	var entries []redex.Entry
	values := make([]any, rows) // an int, or nothing that compares with one
	at := 0
	for i := range rows {
		at += r.IntN(3)
		values[i] = at
		text := fmt.Sprintf(`{"at":%d,"i":%d}`, at, i)
		switch block := i / pageEvents; {
		case block < 3:
		case r.IntN(10) == 0:
			values[i] = nil
			text = fmt.Sprintf([]string{`{"i":%d}`, `{"at":null,"i":%d}`}[r.IntN(2)], i)
		case block > 5 && r.IntN(100) == 0:
			values[i] = nil
			text = fmt.Sprintf(`{"at":"odd","i":%d}`, i)
		}
		entries = append(entries, jsonEntry(text))
	}
	l := createLog(t, s, "x", entries...)
	src := source(t, c, s, l)
	scan(t, src, planner.Request{Outputs: outputs("at")}) // makes the pages
	for range 400 {
		lo := r.IntN(at+20) - 10
		hi, what := lo, []planner.Hint{{Op: vector.Eq, Value: query.Int(int64(lo))}}
		if r.IntN(2) == 0 {
			hi = lo + r.IntN(40)
			what = []planner.Hint{{Op: vector.Ge, Value: query.Int(int64(lo))}, {Op: vector.Lt, Value: query.Double(float64(hi) + 0.5)}}
		}
		req := planner.Request{Outputs: outputs("at", "i"), Where: what, Reverse: r.IntN(4) == 0}
		var want []string
		first, last := -1, -1
		for i, v := range values {
			if n, ok := v.(int); ok && n >= lo && n <= hi {
				want = append(want, fmt.Sprintf("integer:%d integer:%d", n, i))
				last = i
				if first < 0 {
					first = i
				}
			}
		}
		if req.Reverse {
			slices.Reverse(want)
		}
		var got []string
		for _, row := range scan(t, src, req) {
			var n, i int
			if _, err := fmt.Sscanf(row, "integer:%d integer:%d", &n, &i); err == nil && n >= lo && n <= hi {
				got = append(got, row)
			}
		}
		wantRows(t, fmt.Sprintf("%d to %d", lo, hi), got, want)
		it, err := src.Scan(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		for b, err := it.Next(t.Context()); b != nil; b, err = it.Next(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
		}
		read := it.(interface{ ScanStats() planner.ScanStats }).ScanStats().RowsRead
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		if last < 6*pageEvents && first >= 0 && first/pageEvents == last/pageEvents && read > int64(last-first+1+300) {
			t.Fatalf("%d to %d, rows %d to %d: %d read", lo, hi, first, last, read)
		}
	}
}

// TestHotPage scans a log to which rows are added: those of its last page are columns but for a few, and are made columns again seldom.
func TestHotPage(t *testing.T) {
	s := openStore(t)
	c := New(s)
	defer c.Close()
	l := createLog(t, s, "x", jsonEntry(`{"i":0}`))
	made := map[*chunk]bool{}
	want := []string{"integer:0"}
	for len(want) < 2*pageEvents+100 {
		for range 1 + len(want)%50 {
			appendAll(t, l, jsonEntry(fmt.Sprintf(`{"i":%d}`, len(want))))
			want = append(want, fmt.Sprint("integer:", len(want)))
		}
		src := source(t, c, s, l)
		wantRows(t, "forward", scan(t, src, planner.Request{Outputs: outputs("i")}), want)
		back := slices.Clone(want)
		slices.Reverse(back)
		wantRows(t, "in reverse", scan(t, src, planner.Request{Outputs: outputs("i"), Reverse: true}), back)
		covered := 0
		for _, k := range c.columns.chunks {
			made[k] = true
			covered += int(k.to - k.from)
		}
		if len(want)-covered >= hotRows {
			t.Fatalf("%d of %d rows are columns", covered, len(want))
		}
	}
	if most := len(want)/hotRows + 3; len(made) > most {
		t.Errorf("%d chunks made of %d rows, want at most %d", len(made), len(want), most)
	}
}
