package exec

import (
	"math"

	"github.com/seed69692123/netdb/planner/vector"
)

// moments are the sums that variances come from: of the distances d from a value of the group, and of their squares. Each is an
// unevaluated pair of floats, so the order of adding does not show (see num.Sum), and taking the distance from a value that is
// there keeps what the subtraction at the end cancels small: equal values have a variance of exactly 0.
type moments struct {
	n          int64
	at         float64 // what distances are from: the group's first value
	sum, sumLo float64
	sq, sqLo   float64
}

// twoSum returns a+b as a float and the error of that (D. E. Knuth, The Art of Computer Programming 2, 4.2.2).
func twoSum(a, b float64) (s, e float64) {
	s = a + b
	t := s - a
	return s, (a - (s - t)) + (b - t)
}

// add takes in hi+lo, where lo is 0 or what an integer is beside its nearest float.
func (m *moments) add(hi, lo float64) {
	if m.n == 0 {
		m.at = hi
	}
	m.n++
	d, e := twoSum(hi, -m.at)
	if e += lo; e != 0 {
		d, e = twoSum(d, e) // what the square leaves out is e², which is nothing beside d² only now
	}
	var f float64
	m.sum, f = twoSum(m.sum, d)
	m.sumLo += f + e
	p := d * d
	q := math.FMA(d, d, -p) + 2*d*e
	m.sq, f = twoSum(m.sq, p)
	m.sqLo += f + q
}

// merge adds the sums of another group, as distances from this one's value: with c the distance between the two, the sum of d+c
// is sum(d) + n·c, that of (d+c)² is sum(d²) + 2c·sum(d) + n·c².
func (m *moments) merge(o *moments) {
	if o.n == 0 {
		return
	}
	if m.n == 0 {
		*m = *o
		return
	}
	n := float64(o.n)
	c, e := twoSum(o.at, -m.at)
	addPair := func(hi, lo *float64, x, y float64) {
		var f float64
		*hi, f = twoSum(*hi, x)
		*lo += f + y
	}
	product := func(a, b float64) (float64, float64) {
		p := a * b
		return p, math.FMA(a, b, -p)
	}
	addPair(&m.sum, &m.sumLo, o.sum, o.sumLo)
	p, q := product(n, c)
	addPair(&m.sum, &m.sumLo, p, q+n*e)

	addPair(&m.sq, &m.sqLo, o.sq, o.sqLo)
	s, f := product(2*c, o.sum)
	addPair(&m.sq, &m.sqLo, s, f+2*(c*o.sumLo+e*o.sum))
	s, f = product(p, c)
	addPair(&m.sq, &m.sqLo, s, f+q*c+2*n*c*e)
	m.n += o.n
}

// squares returns the sum of the squares of the distances from the mean: sum(d²) - sum(d)²/n.
func (m *moments) squares() float64 {
	n := float64(m.n)
	s, lo := twoSum(m.sum, m.sumLo)
	p := s * s
	q := math.FMA(s, s, -p) + 2*s*lo
	a, b := twoSum(m.sq, m.sqLo)
	t := n * a
	u := math.FMA(n, a, -t) + n*b
	d, e := twoSum(t, -p)
	r := (d + (e + (u - q))) / n
	if r < 0 {
		return 0 // what is left of rounding
	}
	return r
}

// varianceAcc is variance and stddev, of a sample or of all.
type varianceAcc struct {
	g    *storeGate
	root bool  // stddev
	less int64 // 1 for a sample: what n is divided by is less by that
	m    paged[moments]
}

func (a *varianceAcc) grow(n int)   { a.m.grow(n) }
func (a *varianceAcc) size(int) int { return 0 }

// exactInts are the integers that are floats.
const exactInts = 1 << 53

func (a *varianceAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	v := args[0]
	if v.Type == vector.Float && !v.Const && !v.HasNulls() && sel == nil {
		for i, x := range v.Floats[:n] {
			a.m.at(int(groups[i])).add(x, 0)
		}
		return nil
	}
	if v.Type == vector.Int && !v.Const && !v.HasNulls() && sel == nil {
		for i, x := range v.Ints[:n] {
			a.m.at(int(groups[i])).addInt(x)
		}
		return nil
	}
	var failed error
	sel.All(n, func(i int) {
		switch v.Class(i) {
		case vector.ClassInt:
			a.m.at(int(groups[i])).addInt(v.Int(i))
		case vector.ClassFloat:
			a.m.at(int(groups[i])).add(v.Float(i), 0)
		case vector.ClassBig:
			if failed == nil {
				failed = &vector.RowError{Row: i, Err: vector.ErrBigArithmetic}
			}
		case vector.ClassNull:
		default:
			a.g.OtherType++
		}
	})
	return failed
}

func (m *moments) addInt(x int64) {
	if x >= -exactInts && x <= exactInts {
		m.add(float64(x), 0)
		return
	}
	low := x & (1<<10 - 1)
	hi := float64(x - low) // exact: at most 53 bits are left
	m.add(hi, float64(low))
}

func (a *varianceAcc) merge(other accumulator, into []int32) error {
	o := other.(*varianceAcc)
	return eachMerged(a.g, into, func(from, to int) error {
		a.m.at(to).merge(o.m.at(from))
		return nil
	})
}

func (a *varianceAcc) result(out *vector.Vector, g int) error {
	m := a.m.at(g)
	if m.n <= a.less {
		out.AppendNull()
		return nil
	}
	x := m.squares() / float64(m.n-a.less)
	if x-x != 0 { // a value is not finite, or a square is not
		x = math.NaN()
	}
	if a.root {
		x = math.Sqrt(x)
	}
	out.AppendFloat(x)
	return nil
}

func (a *varianceAcc) bytes() int64 { return a.m.bytes() }

// varianceFunctions are the aggregates of squares.
func varianceFunctions() []*AggregateFunction {
	result := func(args []Expr) (vector.Type, bool) { return vector.Float, numeric(args[0].Type()) }
	start := func(root bool, less int64) func(*storeGate, *Aggregate) accumulator {
		return func(g *storeGate, _ *Aggregate) accumulator { return &varianceAcc{g: g, root: root, less: less} }
	}
	return []*AggregateFunction{
		{
			Name: "stddev_pop", Divided: true, Arity: 1, params: []Param{AnyParam}, result: result, start: start(true, 0),
			Doc: "stddev_pop(x): the standard deviation of the numbers, taken for all there are",
		},
		{
			Name: "stddev_samp", Divided: true, Aliases: []string{"stddev"}, Arity: 1, params: []Param{AnyParam}, result: result, start: start(true, 1),
			Doc: "stddev_samp(x): the standard deviation of the numbers, taken for a sample; NULL of fewer than two",
		},
		{
			Name: "var_pop", Divided: true, Arity: 1, params: []Param{AnyParam}, result: result, start: start(false, 0),
			Doc: "var_pop(x): the mean square of the distances from the mean",
		},
		{
			Name: "var_samp", Divided: true, Aliases: []string{"variance"}, Arity: 1, params: []Param{AnyParam}, result: result, start: start(false, 1),
			Doc: "var_samp(x): the same for a sample, divided by n-1; NULL of fewer than two",
		},
	}
}
