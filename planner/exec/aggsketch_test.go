package exec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

func (x aggRun) memory() *listMemory {
	s := newEvalState(x.env)
	s.begin(x.t.Context())
	acct := newAccount(x.env, "aggregate")
	return &listMemory{g: &storeGate{s, &acct}}
}

// TestDistinctSketch holds estimates to the standard error of 2^14 registers, 1.04/128: the mean square of many, and three times
// it for each. Before the first two hashes fall into one register they are exact.
func TestDistinctSketch(t *testing.T) {
	const standard = 1.04 / 128
	m := aggRun{t, &Env{}}.memory()
	forms := map[bool]int{}
	next := uint64(0)
	for _, n := range []int{0, 1, 2, 10, 100, 500, 1500, 1600, 3000, 10_000, 30_000, 50_000, 100_000, 1_000_000} {
		runs := min(60, max(4, 1_500_000/max(n, 1)))
		squares := 0.0
		for range runs {
			a := distinctSketch{listMemory: *m}
			a.grow(1)
			for range n {
				for range 1 + next%2 { // some come twice
					if err := a.put(0, mixBits(next)); err != nil {
						t.Fatal(err)
					}
				}
				next++
			}
			r := a.regs.at(0)
			forms[r.dense != nil]++
			if held := int64(4*len(r.sparse) + len(r.dense)); a.held != held {
				t.Fatalf("%d values: %d bytes counted of %d", n, a.held, held)
			}
			e := r.estimate()
			if n <= 10 && math.Round(e) != float64(n) {
				t.Errorf("%d values: %v", n, e)
			}
			if n == 0 {
				continue
			}
			e = e/float64(n) - 1
			if math.Abs(e) > 3.5*standard {
				t.Errorf("%d values: %.2f %% off", n, e*100)
			}
			squares += e * e
		}
		if rms := math.Sqrt(squares / float64(runs)); rms > 1.25*standard && runs > 20 || rms > 2*standard {
			t.Errorf("%d values: %.2f %% off in the mean of %d", n, rms*100, runs)
		}
	}
	if forms[true] == 0 || forms[false] == 0 {
		t.Errorf("forms: %v", forms)
	}
}

// TestDistinctSketchOfValues counts values of all types: equal ones are one, whatever their form, and the same in every process.
func TestDistinctSketchOfValues(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for name, value := range map[string]func(v *vector.Vector, i int){
		"integers": func(v *vector.Vector, i int) { v.AppendInt(int64(i) - 5000) },
		"doubles":  func(v *vector.Vector, i int) { v.AppendFloat(float64(i) / 7) },
		"large":    func(v *vector.Vector, i int) { v.AppendFloat(float64(i+1) * 1e30) },
		"texts":    func(v *vector.Vector, i int) { v.AppendText(fmt.Appendf(nil, "key-%d", i)) },
		"long":     func(v *vector.Vector, i int) { v.AppendText(fmt.Appendf(nil, "%0100d", i)) },
		"blobs":    func(v *vector.Vector, i int) { v.AppendBlob(fmt.Appendf(nil, "%d", i)) },
		"times":    func(v *vector.Vector, i int) { v.AppendTime(int64(i) * 1e9) },
		"arrays":   func(v *vector.Vector, i int) { v.AppendBytes(vector.ClassArray, fmt.Appendf(nil, "[%d]", i)) },
		"mixed": func(v *vector.Vector, i int) {
			switch i % 3 {
			case 0:
				v.AppendInt(int64(i))
				v.AppendFloat(float64(i)) // the same
			case 1:
				v.AppendText(fmt.Appendf(nil, "%d", i))
				v.AppendNull()
			default:
				v.AppendTime(int64(i))
				v.AppendTime(int64(i))
			}
		},
	} {
		col := vector.New(vector.Any, 0)
		const n = 20_000
		for i := range n {
			value(col, i)
		}
		if got := ofColumn(t, r, "approx_count_distinct", col).Int(); math.Abs(float64(got)/n-1) > 0.02 {
			t.Errorf("%d %s: %d", n, name, got)
		}
	}
	col := vector.New(vector.Any, 0)
	for range 3 {
		col.AppendBytes(vector.ClassBig, []byte("18446744073709551616"))
		col.AppendFloat(0x1p64)
		col.AppendInt(1)
		col.AppendFloat(1)
		col.AppendFloat(math.Copysign(0, -1))
		col.AppendInt(0)
		col.AppendBool(false)
		col.AppendBool(true)
		col.AppendText(nil)
		col.AppendBlob(nil)
		col.AppendFloat(math.NaN())
		col.AppendFloat(-math.NaN())
		col.AppendBytes(vector.ClassArray, []byte("[1, 2]"))
		col.AppendBytes(vector.ClassArray, []byte("[1.0,2]"))
		col.AppendNull()
	}
	if got := ofColumn(t, r, "approx_count_distinct", col); got != query.Int(9) {
		t.Errorf("%v of 9 values", got)
	}
	a := distinctSketch{listMemory: *aggRun{t, &Env{}}.memory()}
	v := vector.New(vector.Text, 1)
	v.AppendText([]byte("a text of more than sixteen bytes"))
	if h, _ := a.hash(v, 0); h != 0x3f54977ac9105234 {
		t.Errorf("the hash of a text is %#x: sketches of different processes would not agree", h)
	}
}

// TestDigest holds the ranks of approximate quantiles to 1 %, and to less at the ends, whatever the order of the values, in
// one pass and merged from parts.
func TestDigest(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const n = 100_000
	fractions := []float64{0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1}
	for name, shape := range map[string]func(i int) float64{
		"uniform":     func(int) float64 { return r.Float64() },
		"normal":      func(int) float64 { return r.NormFloat64() },
		"exponential": func(int) float64 { return r.ExpFloat64() },
		"heavy":       func(int) float64 { return math.Exp(4 * r.NormFloat64()) },
		"ascending":   func(i int) float64 { return float64(i) },
		"descending":  func(i int) float64 { return -float64(i) },
		"saw":         func(i int) float64 { return float64(i*7919%1000) + r.Float64() },
		"two":         func(int) float64 { return r.NormFloat64() + 1000*float64(r.IntN(2)) },
	} {
		for _, parts := range []int{1, 8} {
			m := aggRun{t, &Env{}}.memory()
			values, all := make([]float64, n), &digestAcc{listMemory: *m}
			all.grow(1)
			for p := range parts {
				part := &digestAcc{listMemory: *m}
				if part.grow(1); parts == 1 {
					part = all
				}
				for i := n * p / parts; i < n*(p+1)/parts; i++ {
					values[i] = shape(i)
					if err := part.put(part.d.at(0), values[i]); err != nil {
						t.Fatal(err)
					}
				}
				if parts > 1 {
					if err := all.merge(part, []int32{0}); err != nil {
						t.Fatal(err)
					}
				}
			}
			d := all.d.at(0)
			if err := all.settle(d); err != nil {
				t.Fatal(err)
			}
			if len(d.means) > 2*digestCompression || !slices.IsSorted(d.means) {
				t.Errorf("%s: %d centroids", name, len(d.means))
			}
			slices.Sort(values)
			for _, p := range fractions {
				x := d.quantile(p)
				at, _ := slices.BinarySearch(values, x)
				bound := 0.01 * max(0.05, min(1, 4*p*(1-p)))
				if e := math.Abs(float64(at)/n - p); e > bound {
					t.Errorf("%s in %d parts: quantile %v is %v, off by %.3f %%", name, parts, p, x, e*100)
				}
			}
		}
	}
}
