package exec

import (
	"math"
	"slices"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/planner/vector"
)

// digest is a merging t-digest: the values so far as means of neighbours, of few values near the ends and of more in the middle.
// (T. Dunning, O. Ertl, "Computing extremely accurate quantiles using t-digests", 2019, with the scale function k1.)
type digest struct {
	means, weights []float64 // of the centroids, ascending
	fresh          []float64 // values that are not in centroids yet
	n              int64
	min, max       float64
}

const (
	digestCompression = 100
	digestFresh       = 512 // values that wait for being put into centroids
)

// digestAcc is approx_quantile.
type digestAcc struct {
	listMemory
	fractions []float64
	list      bool
	d         paged[digest]

	means, weights []float64 // scratch
	values         []float64
	buf            []byte
}

func newDigestAcc(g *storeGate, a *Aggregate) *digestAcc {
	q := &digestAcc{listMemory: listMemory{g: g}}
	q.fractions, q.list, _ = Fractions(a.Args[1].(*Const))
	return q
}

func (a *digestAcc) grow(n int) { a.d.grow(n) }

func (a *digestAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	v := args[0]
	if v.Type == vector.Float && !v.Const && !v.HasNulls() && sel == nil {
		for i, x := range v.Floats[:n] {
			if err := a.put(a.d.at(int(groups[i])), x); err != nil {
				return err
			}
		}
		return nil
	}
	for k := range sel.Count(n) {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		var err error
		switch v.Class(i) {
		case vector.ClassInt:
			err = a.put(a.d.at(int(groups[i])), float64(v.Int(i)))
		case vector.ClassFloat:
			err = a.put(a.d.at(int(groups[i])), v.Float(i))
		case vector.ClassBig:
			err = vector.ErrBigArithmetic
		case vector.ClassNull:
		default:
			a.g.OtherType++
		}
		if err != nil {
			return &vector.RowError{Row: i, Err: err}
		}
	}
	return nil
}

// put adds a value. Those that are not finite have no mean, and do not count.
func (a *digestAcc) put(d *digest, x float64) error {
	if x-x != 0 {
		return nil
	}
	if len(d.fresh) == cap(d.fresh) {
		if len(d.fresh) >= digestFresh {
			if err := a.settle(d); err != nil {
				return err
			}
		} else {
			size := max(8, 2*len(d.fresh))
			if err := a.ask(8 * (size - len(d.fresh))); err != nil {
				return err
			}
			d.fresh = append(make([]float64, 0, size), d.fresh...)
		}
	}
	if d.n == 0 {
		d.min, d.max = x, x
	}
	d.min, d.max = min(d.min, x), max(d.max, x)
	d.n++
	d.fresh = append(d.fresh, x)
	return nil
}

// settle puts the fresh values into centroids.
func (a *digestAcc) settle(d *digest) error {
	slices.Sort(d.fresh)
	err := a.join(d, d.fresh, nil)
	d.fresh = d.fresh[:0]
	return err
}

// join merges ascending centroids into those of d, each as large as the scale allows; nil weights are 1.
func (a *digestAcc) join(d *digest, means, weights []float64) error {
	if len(means) == 0 {
		return nil
	}
	total := 0.0
	for _, w := range d.weights {
		total += w
	}
	for _, w := range weights {
		total += w
	}
	if weights == nil {
		total += float64(len(means))
	}
	// k grows by 1 within a centroid. limit is the weight up to which the one that is being made may reach.
	limit := func(w float64) float64 {
		k := math.Asin(2*min(w/total, 1)-1) + math.Pi/digestCompression
		if k >= math.Pi/2 {
			return total
		}
		return total * (math.Sin(k) + 1) / 2
	}
	a.means, a.weights = a.means[:0], a.weights[:0]
	done, upTo := 0.0, limit(0)
	i, j, last := 0, 0, -1
	for i < len(d.means) || j < len(means) {
		var x, w float64
		if j == len(means) || i < len(d.means) && d.means[i] <= means[j] {
			x, w = d.means[i], d.weights[i]
			i++
		} else {
			if x, w = means[j], 1; weights != nil {
				w = weights[j]
			}
			j++
		}
		if last >= 0 && done+a.weights[last]+w <= upTo {
			a.weights[last] += w
			a.means[last] += (x - a.means[last]) * (w / a.weights[last])
			continue
		}
		if last >= 0 {
			done += a.weights[last]
			upTo = limit(done)
		}
		a.means, a.weights = append(a.means, x), append(a.weights, w)
		last++
	}
	if n := len(a.means); n > cap(d.means) {
		n = min(2*n, max(n, 2*digestCompression))
		if err := a.ask(16 * (n - cap(d.means))); err != nil {
			return err
		}
		d.means, d.weights = make([]float64, 0, n), make([]float64, 0, n)
	}
	d.means, d.weights = append(d.means[:0], a.means...), append(d.weights[:0], a.weights...)
	return a.g.Step((len(means) + len(d.means)) * 64)
}

func (a *digestAcc) merge(other accumulator, into []int32) error {
	o := other.(*digestAcc)
	return eachMerged(a.g, into, func(from, to int) error {
		d, theirs := a.d.at(to), o.d.at(from)
		if theirs.n == 0 {
			return nil
		}
		if d.n == 0 {
			d.min, d.max = theirs.min, theirs.max
		}
		d.min, d.max = min(d.min, theirs.min), max(d.max, theirs.max)
		d.n += theirs.n
		if err := a.join(d, theirs.means, theirs.weights); err != nil {
			return err
		}
		a.values = append(a.values[:0], theirs.fresh...)
		slices.Sort(a.values)
		return a.join(d, a.values, nil)
	})
}

// quantile returns the value at a fraction of the weights: centroids stand at the middle of theirs, with the least and the
// greatest value at the ends, and straight lines between.
func (d *digest) quantile(p float64) float64 {
	if math.Signbit(p) {
		p++
	}
	at := p * float64(d.n)
	x0, y0, done := 0.0, d.min, 0.0
	for i, w := range d.weights {
		x1, y1 := done+w/2, d.means[i]
		if at < x1 {
			return line(at, x0, y0, x1, y1)
		}
		x0, y0, done = x1, y1, done+w
	}
	return line(at, x0, y0, done, d.max)
}

func line(at, x0, y0, x1, y1 float64) float64 {
	if x1 <= x0 || y0 == y1 {
		return y1
	}
	part := min(1, (at-x0)/(x1-x0))
	if d := y1 - y0; d-d == 0 {
		return y0 + d*part
	}
	return y0*(1-part) + y1*part
}

func (a *digestAcc) size(int) int {
	if !a.list {
		return 0
	}
	return len(a.fractions) * smallText
}

func (a *digestAcc) result(out *vector.Vector, g int) error {
	d := a.d.at(g)
	if d.n == 0 {
		out.AppendNull()
		return nil
	}
	if err := a.settle(d); err != nil {
		return err
	}
	if !a.list {
		out.AppendFloat(d.quantile(a.fractions[0]))
		return nil
	}
	a.buf = append(a.buf[:0], '[')
	for i, p := range a.fractions {
		if i > 0 {
			a.buf = append(a.buf, ',')
		}
		a.buf = num.AppendFloat(a.buf, d.quantile(p))
	}
	a.buf = append(a.buf, ']')
	out.AppendBytes(vector.ClassArray, a.buf)
	return nil
}

func (a *digestAcc) bytes() int64 {
	return a.listMemory.bytes() + a.d.bytes() + int64(8*(cap(a.means)+cap(a.weights)+cap(a.values))+cap(a.buf))
}

// sketchFunctions are the aggregates that are near the truth in little memory.
func sketchFunctions() []*AggregateFunction {
	return []*AggregateFunction{
		{
			Name: "approx_count_distinct", Arity: 1, params: []Param{AnyParam},
			result: func([]Expr) (vector.Type, bool) { return vector.Int, true },
			start: func(g *storeGate, _ *Aggregate) accumulator {
				return &distinctSketch{listMemory: listMemory{g: g}}
			},
			Doc: "approx_count_distinct(x): about count(DISTINCT x), with a standard error of 0.8 %, in 16 KiB for a group",
		},
		{
			Name: "approx_quantile", Divided: true, Arity: 2, Settings: []string{"fraction"}, params: []Param{AnyParam, FloatParam},
			result: func(args []Expr) (vector.Type, bool) {
				t := vector.Float
				if args[1].Type() == vector.JSON {
					t = vector.JSON
				}
				return t, numeric(args[0].Type())
			},
			start: func(g *storeGate, a *Aggregate) accumulator { return newDigestAcc(g, a) },
			Doc:   "approx_quantile(x, p): about quantile_cont(x, p), DOUBLE, in a few KiB for a group; of [p, …] a JSON array",
		},
	}
}
