package vector

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestRows keeps random rows of all types and compares what comes back with the vectors they came from.
func TestRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	types := []Type{Any, Bool, Int, Float, Text, Blob, Time, Date, IntervalType, JSON}
	var st State
	for round := range 20 {
		rows := NewRows(nil, types)
		var batches []*Batch
		var locs []Loc
		type origin struct{ batch, row int }
		var from []origin
		for k := range 1 + rng.IntN(12) {
			n := 1 + rng.IntN(900)
			b := &Batch{N: n}
			for _, typ := range types {
				v := New(typ, n)
				fill(rng, v, n)
				if rng.IntN(6) == 0 {
					c := New(typ, 1)
					c.AppendFrom(v, 0)
					c.Const = true
					v = c
				}
				b.Cols = append(b.Cols, v)
			}
			if rng.IntN(4) == 0 { // rows that do not fit a page together
				b.Cols[4] = New(Text, n)
				for range n {
					b.Cols[4].AppendText([]byte(strings.Repeat("x", rng.IntN(2000))))
				}
			}
			if rng.IntN(2) == 0 {
				b.Sel = Sel{}
				for i := range n {
					if rng.IntN(3) > 0 {
						b.Sel = append(b.Sel, int32(i))
					}
				}
			}
			batches = append(batches, b)
			if rng.IntN(3) == 0 {
				for j := range b.Rows() {
					l, err := rows.Append(b.Cols, b.Row(j))
					if err != nil {
						t.Fatal(err)
					}
					locs = append(locs, l)
				}
			} else {
				var err error
				if locs, err = rows.AppendBatch(locs, b); err != nil {
					t.Fatal(err)
				}
			}
			for j := range b.Rows() {
				from = append(from, origin{k, b.Row(j)})
			}
		}
		if rows.Len() != len(from) || len(locs) != len(from) {
			t.Fatalf("round %d: %d rows, %d places, want %d", round, rows.Len(), len(locs), len(from))
		}
		for i, l := range locs {
			if i > 0 && l <= locs[i-1] {
				t.Fatalf("round %d: places do not ascend", round)
			}
			cols, row := rows.Row(l)
			if b := batches[from[i].batch]; !st.EqualRows(cols, row, b.Cols, from[i].row) {
				t.Fatalf("round %d: row %d is another", round, i)
			}
		}
		inPages := 0
		for k := range rows.Pages() {
			_, n := rows.Page(k)
			inPages += n
		}
		if inPages != rows.Len() || rows.MemoryBytes() <= 0 {
			t.Errorf("round %d: %d rows in pages, %d bytes", round, inPages, rows.MemoryBytes())
		}
		out := make([]*Vector, len(types))
		for i := range out {
			out[i] = &Vector{}
		}
		for range 5 {
			pick := make([]Loc, 0, 60)
			var want []int
			for range 1 + rng.IntN(60) {
				i := rng.IntN(len(locs)+1) - 1
				want = append(want, i)
				if i < 0 {
					pick = append(pick, NoRow)
				} else {
					pick = append(pick, locs[i])
				}
			}
			n := rows.Fit(nil, pick, 1<<rng.IntN(16))
			if n < 1 || n > len(pick) {
				t.Fatalf("%d of %d rows fit", n, len(pick))
			}
			rows.Gather(out, pick[:n])
			for k := range n {
				for c := range out {
					if out[c].Len != n {
						t.Fatalf("%d rows, want %d", out[c].Len, n)
					}
					if want[k] < 0 {
						if !out[c].Null(k) {
							t.Errorf("row %d is not NULL", k)
						}
						continue
					}
					o := from[want[k]]
					if src := batches[o.batch].Cols[c]; !st.EqualValues(out[c], k, src, o.row) || out[c].ExplicitNull(k) != (types[c].Dynamic() && src.ExplicitNull(o.row)) {
						t.Fatalf("round %d: gathered row %d of type %v is another", round, k, types[c])
					}
				}
			}
		}
	}
}
