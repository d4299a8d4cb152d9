package exec

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/seed69692123/netdb/planner/vector"
)

// TestVarianceIsExact compares with rational arithmetic, where a sum of squares less a square of the sum would leave nothing.
func TestVarianceIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	ints := func(f func() int64) *vector.Vector {
		v := vector.New(vector.Int, 0)
		for range 2000 {
			v.AppendInt(f())
		}
		return v
	}
	floats := func(f func() float64) *vector.Vector {
		v := vector.New(vector.Float, 0)
		for range 2000 {
			v.AppendFloat(f())
		}
		return v
	}
	for name, v := range map[string]*vector.Vector{
		"small":            ints(func() int64 { return int64(r.IntN(10)) }),
		"times":            ints(func() int64 { return 1_767_225_600_000_000_000 + int64(r.IntN(1000)) }),
		"ends of BIGINT":   ints(func() int64 { return []int64{math.MaxInt64, math.MinInt64, math.MinInt64 + 1}[r.IntN(3)] }),
		"beyond 2^53":      ints(func() int64 { return 1<<53 + int64(r.IntN(4)) }),
		"equal":            ints(func() int64 { return math.MaxInt64 }),
		"equal doubles":    floats(func() float64 { return 0.1 }),
		"far from 0":       floats(func() float64 { return 1e9 + r.Float64() }),
		"very far":         floats(func() float64 { return 1e15 + float64(r.IntN(2))/4 }),
		"first one is far": floats(func() float64 { return math.Exp(-20 * r.Float64()) }),
		"signs":            floats(r.NormFloat64),
	} {
		sum, squares, n := new(big.Rat), new(big.Rat), big.NewRat(int64(v.Len), 1)
		for i := range v.Len {
			x := new(big.Rat)
			if v.Type == vector.Int {
				x.SetInt64(v.Ints[i])
			} else {
				x.SetFloat64(v.Floats[i])
			}
			sum.Add(sum, x)
			squares.Add(squares, x.Mul(x, x))
		}
		sum.Mul(sum, sum)
		want, _ := squares.Sub(squares, sum.Quo(sum, n)).Quo(squares, n).Float64()
		got := ofColumn(t, r, "var_pop", v).Double()
		if math.Abs(got-want) > 4e-16*want {
			t.Errorf("%s: var_pop is %v, want %v", name, got, want)
		}
		if got := ofColumn(t, r, "stddev_pop", v).Double(); got != math.Sqrt(ofColumn(t, r, "var_pop", v).Double()) {
			t.Errorf("%s: stddev_pop is %v", name, got)
		}
	}
	for _, x := range []float64{math.Inf(1), math.NaN(), math.MaxFloat64} {
		v := vector.New(vector.Float, 0)
		v.AppendFloat(-x)
		v.AppendFloat(1)
		v.AppendFloat(x)
		if got := ofColumn(t, r, "var_pop", v).Double(); got == got {
			t.Errorf("var_pop of %v is %v", x, got)
		}
	}
}
