package vector

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestBoolRows compares logic and selections over many rows, with and without NULLs and selections, with the truths row by row.
func TestBoolRows(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	and := [9]truth{isFalse, isFalse, isFalse, isFalse, isTrue, unknown, isFalse, unknown, unknown}
	or := [9]truth{isFalse, isTrue, unknown, isTrue, isTrue, isTrue, unknown, isTrue, unknown}
	var s State
	for range 2000 {
		n := 1 + r.IntN(200)
		trues, nulls := r.IntN(100), r.IntN(60)*r.IntN(2)
		random := func() *Vector {
			v := New(Bool, 0)
			for range n {
				switch x := r.IntN(100); {
				case x < nulls:
					v.AppendNull()
					v.Bools[v.Len-1] = r.IntN(2) == 0 // what is under a NULL does not count
				default:
					v.AppendBool(r.IntN(100) < trues)
				}
			}
			return v
		}
		a, b := random(), random()
		var sel Sel
		if r.IntN(2) == 0 {
			sel = Sel{}
			for i := range n {
				if r.IntN(3) > 0 {
					sel = append(sel, int32(i))
				}
			}
		}
		for _, c := range []struct {
			table *[9]truth
			f     func(out *Vector)
		}{
			{&and, func(out *Vector) { out.AndRows(b, sel, n) }},
			{&or, func(out *Vector) { out.OrRows(b, sel, n) }},
		} {
			var out Vector
			s.Truth(a, &out, nil, n)
			c.f(&out)
			sel.All(n, func(i int) {
				if got, want := s.truthAt(&out, i), c.table[s.truthAt(a, i)*3+s.truthAt(b, i)]; got != want {
					t.Fatalf("row %d of %d: %d, want %d", i, n, got, want)
				}
			})
		}
		for want, f := range map[uint8]func(*Vector, Sel, int, Sel) Sel{
			1 << isTrue: s.SelectTrue, 1<<isTrue | 1<<unknown: s.SelectNotFalse, 1<<isFalse | 1<<unknown: s.SelectNotTrue,
		} {
			expected := Sel{}
			sel.All(n, func(i int) {
				if want>>s.truthAt(a, i)&1 != 0 {
					expected = append(expected, int32(i))
				}
			})
			if got := f(a, sel, n, nil); !slices.Equal(got, expected) || got == nil {
				t.Fatalf("want %b of %d rows: %v, want %v", want, n, got, expected)
			}
		}
	}
}
