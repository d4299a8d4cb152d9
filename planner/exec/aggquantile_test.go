package exec

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// ofColumn aggregates a whole column as one group.
func ofColumn(t *testing.T, r *rand.Rand, name string, col *vector.Vector, settings ...Expr) query.Value {
	t.Helper()
	f := FindAggregate(name)
	a := &Aggregate{Fn: f, Args: append([]Expr{&Col{Index: 0, T: col.Type}}, settings...)}
	var ok bool
	if a.T, ok = f.Result(a.Args); !ok {
		t.Fatalf("no %s for %s", name, col.Type)
	}
	x := aggRun{t, &Env{Budget: NewBudget(0)}}
	acc := x.start(a)
	acc.grow(1)
	x.feed(r, acc, a, []*vector.Vector{col}, 0, col.Len, func(int) int { return 0 })
	return x.results(acc, a, 1)[0]
}

// TestQuantilesOfMany compares quantiles of lists that are long enough for every round of the selection with the sorted list.
func TestQuantilesOfMany(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	shapes := map[string]func() float64{
		"uniform":  r.Float64,
		"few":      func() float64 { return float64(r.IntN(3)) },
		"equal":    func() float64 { return 7.5 },
		"wide":     func() float64 { return math.Float64frombits(r.Uint64() &^ (1 << 62)) },
		"signs":    func() float64 { return r.NormFloat64() },
		"close":    func() float64 { return 1 + float64(r.IntN(100))*0x1p-52 },
		"integers": func() float64 { return float64(r.IntN(1 << 20)) },
		"special": func() float64 {
			return []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1)}[r.IntN(5)]
		},
		"one of it": func() float64 { return float64(r.IntN(20000)) * 1e-3 },
	}
	for name, shape := range shapes {
		for _, n := range []int{1, 2, 31, 32, 33, 1000, 12_000} {
			floats, ints := vector.New(vector.Float, n), vector.New(vector.Int, n)
			sorted, sortedInts := make([]float64, n), make([]int64, n)
			for i := range n {
				sorted[i] = shape()
				sortedInts[i] = int64(max(-1e18, min(1e18, sorted[i]*1e6)))
				floats.AppendFloat(sorted[i])
				ints.AppendInt(sortedInts[i])
			}
			slices.SortFunc(sorted, compareDoubles)
			slices.Sort(sortedInts)
			for _, p := range []float64{0, 0.01, 0.5, 1, -0.1, r.Float64()} {
				f := fraction(query.Double(p))
				at := max(1, int(math.Ceil(math.Abs(p)*float64(n)-1e-9))) - 1
				if math.Signbit(p) {
					at = n - 1 - at
				}
				got := ofColumn(t, r, "quantile_disc", floats, f).Double()
				if compareDoubles(got, sorted[at]) != 0 {
					t.Fatalf("%s: quantile_disc(%v) of %d is %v, want %v", name, p, n, got, sorted[at])
				}
				if got := ofColumn(t, r, "quantile_disc", ints, f).Int(); got != sortedInts[at] {
					t.Fatalf("%s: quantile_disc(%v) of %d integers is %d, want %d", name, p, n, got, sortedInts[at])
				}
				want := between(sorted, p)
				got = ofColumn(t, r, "quantile_cont", floats, f).Double()
				if !(math.Abs(got-want) <= 1e-12*math.Abs(want)) && compareDoubles(got, want) != 0 {
					t.Fatalf("%s: quantile_cont(%v) of %d is %v, want %v", name, p, n, got, want)
				}
			}
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func compareDoubles(a, b float64) int {
	switch {
	case a == b || a != a && b != b:
		return 0
	case a != a || a > b && b == b:
		return 1
	}
	return -1
}

// between is quantile_cont of a sorted list.
func between(sorted []float64, p float64) float64 {
	at := math.Abs(p) * float64(len(sorted)-1)
	if math.Signbit(p) {
		at = float64(len(sorted)-1) - at
	}
	lo, hi := sorted[int(at)], sorted[int(math.Ceil(at))]
	if part := at - math.Floor(at); part > 0 && lo != hi {
		return lo*(1-part) + hi*part
	}
	return lo
}

// TestQuantilesOfMixedValues ranks payload values of all types: as exact as ORDER BY, also where integers are not floats.
func TestQuantilesOfMixedValues(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 9))
		n := 1 + r.IntN(300)
		col := vector.New(vector.Any, n)
		base := int64(1) << (50 + r.IntN(13))
		for range n {
			x := base + int64(r.IntN(2100)) - 1050
			switch r.IntN(12) {
			case 0:
				col.AppendBool(r.IntN(2) == 0)
			case 1:
				col.AppendText([]byte{'a' + byte(r.IntN(5))})
			case 2:
				col.AppendBytes(vector.ClassBig, []byte("-9223372036854775809"))
			case 3:
				col.AppendBytes(vector.ClassBig, []byte("9223372036854775808"))
			case 4:
				col.AppendFloat([]float64{1e300, -1e300, 0x1p63, -0x1p63, math.NaN(), math.Inf(-1)}[r.IntN(6)])
			case 5, 6, 7:
				col.AppendFloat(float64(x))
			case 8:
				col.AppendNull()
			default:
				col.AppendInt(x)
			}
		}
		var st vector.State
		order := []int{}
		for i := range n {
			if !col.Null(i) {
				order = append(order, i)
			}
		}
		slices.SortStableFunc(order, func(a, b int) int {
			if c := st.CompareTotal(col, a, col, b, false); c != 0 {
				return c
			}
			return btoi(col.Class(b) == vector.ClassInt) - btoi(col.Class(a) == vector.ClassInt) // the integer before the double
		})
		for range 20 {
			p := r.Float64()
			got := ofColumn(t, r, "quantile_disc", col, fraction(query.Double(p)))
			if len(order) == 0 {
				if !got.IsNull() {
					t.Fatalf("seed %d: %v of no values", seed, got)
				}
				continue
			}
			want := ValueAt(col, order[discreteRank(p, len(order))])
			if got != want {
				t.Fatalf("seed %d: quantile_disc(%v) of %d is %v, want %v", seed, p, len(order), got, want)
			}
		}
	}
}

// TestRanks holds the ranks of quantiles to exact arithmetic.
func TestRanks(t *testing.T) {
	for n := 1; n <= 60; n++ {
		for percent := 0; percent <= 100; percent++ {
			p := float64(percent) / 100
			want := max(1, (percent*n+99)/100) - 1
			if got := discreteRank(p, n); got != want {
				t.Errorf("rank of %v of %d is %d, want %d", p, n, got, want)
			}
			if got := discreteRank(-p, n); p > 0 && got != n-1-want {
				t.Errorf("rank of %v of %d is %d, want %d", -p, n, got, n-1-want)
			}
			at := big.NewRat(int64(percent*(n-1)), 100)
			for _, sign := range []float64{1, -1} {
				if sign < 0 {
					at.Sub(big.NewRat(int64(n-1), 1), at)
				}
				r, part := continuousRank(math.Copysign(p, sign), n)
				exact, _ := at.Float64()
				if got := float64(r) + part; math.Abs(got-exact) > 1e-12*float64(n) || part < 0 || part >= 1 || r < 0 || r >= n || part > 0 && r == n-1 {
					t.Errorf("%v of %d is %d and %v, want %v", sign*p, n, r, part, exact)
				}
			}
		}
	}
}
