package vector

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestBoundedArithmetic compares integers whose bounds are known with the same ones row by row, also where a bound is too wide for a short way.
func TestBoundedArithmetic(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var s State
	short := 0
	for range 4000 {
		n := 1 + r.IntN(100)
		random := func() *Vector {
			v := New(Int, 0)
			width := r.IntN(64)
			for range n {
				x := int64(r.Uint64() >> (63 - width))
				switch r.IntN(8) {
				case 0:
					x = 1<<width - 1
				case 1:
					x = 0
				}
				if r.IntN(2) == 0 {
					x = -x
				}
				v.AppendInt(x)
			}
			v.Most = MostOf(v.Ints, nil, n)
			return v
		}
		a, b := random(), random()
		switch r.IntN(3) {
		case 0:
			b.Ints, b.Len, b.Const = b.Ints[:1], 1, true
		case 1:
			a.Ints, a.Len, a.Const = a.Ints[:1], 1, true
		}
		for op := Add; op <= Modulo; op++ {
			if op == Divide {
				continue
			}
			var out Vector
			err := s.Arith(op, a, b, &out, nil, n)
			failed := false
			for i := range n {
				want, rowErr := intArith(op, a.Int(i), b.Int(i))
				failed = failed || rowErr != nil
				if err == nil && (rowErr != nil || out.Int(i) != want) {
					t.Fatalf("%d op %d %d: %d, want %d, %v", a.Int(i), op, b.Int(i), out.Int(i), want, rowErr)
				}
				if err == nil && out.Most != 0 && Magnitude(want) > out.Most {
					t.Fatalf("%d is further from 0 than %d", want, out.Most)
				}
			}
			if failed != (err != nil) {
				t.Fatalf("op %d: %v, but a row fails: %t", op, err, failed)
			}
			if out.Most != 0 {
				short++
			}
		}
	}
	if short == 0 {
		t.Error("no short way was taken")
	}
	for _, x := range []int64{math.MinInt64, -8, -1, 0, 1, 7, math.MaxInt64} {
		if most := MostOf([]int64{x}, nil, 1); most == 0 || most < Magnitude(x) {
			t.Errorf("bound of %d: %d", x, most)
		}
	}
}
