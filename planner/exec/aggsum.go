package exec

import (
	"math"
	"math/bits"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/planner/vector"
)

// sumState adds integers.
type sumState struct {
	ints int64 // the sum since it was last moved to the wide ones: it has not overflowed
	n    int64 // numbers added, doubles too
}

// doubleState adds doubles as two floats, apart from integers.
type doubleState struct {
	sum num.Sum
	n   int64
}

// sumAcc is sum and avg. Integers are added exactly: in 64 bits as long as what was added cannot have overflowed any group, and in 128 bits beyond.
type sumAcc struct {
	g       *storeGate
	avg     bool
	s       paged[sumState]
	most    uint64             // no sum in s is further from 0
	wide    paged[num.Int128]  // none until it is needed
	doubles paged[doubleState] // none until there is a double
	sel     vector.Sel
	odd     vector.Sel // rows of a batch that are no integers, where most are
	ints64  vector.Vector
}

func (a *sumAcc) grow(n int) {
	a.s.grow(n)
	if a.wide.n > 0 {
		a.wide.grow(n)
	}
	if a.doubles.n > 0 {
		a.doubles.grow(n)
	}
}

func (a *sumAcc) size(int) int { return 0 }

func (a *sumAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	v := args[0]
	if number := v.Type == vector.Int || v.Type == vector.Float; !number || v.Const {
		return a.addValues(v, groups, sel, n)
	}
	nulls := v.Nulls.Any()
	if nulls && (sel != nil || v.Type == vector.Float) {
		a.sel = vector.SelectNotNull(v, sel, n, a.sel[:0])
		sel, nulls = a.sel, false
	}
	switch {
	case v.Type == vector.Float:
		sel.All(n, func(i int) { a.addDouble(int(groups[i]), v.Floats[i]) })
	case !a.room(v, sel, n):
		if nulls {
			a.sel = vector.SelectNotNull(v, sel, n, a.sel[:0])
			sel = a.sel
		}
		a.needWide()
		sel.All(n, func(i int) {
			g := int(groups[i])
			a.wide.at(g).Add(v.Ints[i])
			a.s.at(g).n++
		})
	case nulls:
		a.addValid(v, groups, n)
	default:
		a.addInts(v.Ints, groups, sel, n)
	}
	return nil
}

// room sees to it that the rows of a batch can be added in 64 bits, and reports whether they can without sums being moved all the time.
func (a *sumAcc) room(v *vector.Vector, sel vector.Sel, n int) bool {
	most := v.Most
	if most == 0 {
		most = vector.MostOf(v.Ints, sel, n)
	}
	hi, sum := bits.Mul64(most, uint64(sel.Count(n)))
	if hi != 0 || sum > math.MaxInt64>>8 {
		return false
	}
	a.reserve(sum)
	return true
}

// reserve makes room for a sum that is no further from 0 than most, which is at most 2^63-1.
func (a *sumAcc) reserve(most uint64) {
	if a.most+most > math.MaxInt64 {
		a.needWide()
		for g := range a.s.n {
			s := a.s.at(g)
			a.wide.at(g).Add(s.ints)
			s.ints = 0
		}
		a.most = 0
	}
	a.most += most
}

func (a *sumAcc) needWide() {
	if a.wide.n == 0 {
		a.wide.grow(a.s.n)
	}
}

func (a *sumAcc) addInts(ints []int64, groups []int32, sel vector.Sel, n int) {
	flat := a.s.flat()
	switch {
	case a.s.n == 1 && sel == nil:
		sum := int64(0)
		for _, x := range ints[:n] {
			sum += x
		}
		flat[0].ints += sum
		flat[0].n += int64(n)
	case flat != nil && sel == nil:
		ints, groups = ints[:n], groups[:n]
		for i, x := range ints {
			s := &flat[groups[i]]
			s.ints += x
			s.n++
		}
	case a.s.n == 1:
		sum := int64(0)
		for _, i := range sel {
			sum += ints[i]
		}
		flat[0].ints += sum
		flat[0].n += int64(len(sel))
	case flat != nil:
		for _, i := range sel {
			s := &flat[groups[i]]
			s.ints += ints[i]
			s.n++
		}
	case sel == nil:
		ints, groups = ints[:n], groups[:n]
		for i, x := range ints {
			s := a.s.at(int(groups[i]))
			s.ints += x
			s.n++
		}
	default:
		for _, i := range sel {
			s := a.s.at(int(groups[i]))
			s.ints += ints[i]
			s.n++
		}
	}
}

// addValid is addInts of all rows but those that are NULL: stretches of 64 rows without one are added as such.
func (a *sumAcc) addValid(v *vector.Vector, groups []int32, n int) {
	for from := 0; from < n; from += 64 {
		to := min(from+64, n)
		null := uint64(0)
		if w := from >> 6; w < len(v.Nulls) {
			null = v.Nulls[w]
		}
		if null == 0 {
			a.addInts(v.Ints[from:to], groups[from:to], nil, to-from)
			continue
		}
		for valid := ^null & (^uint64(0) >> (64 - (to - from))); valid != 0; valid &= valid - 1 {
			i := from + bits.TrailingZeros64(valid)
			s := a.s.at(int(groups[i]))
			s.ints += v.Ints[i]
			s.n++
		}
	}
}

func (a *sumAcc) addInt(group int, x int64) {
	most := vector.Magnitude(x)
	if most > math.MaxInt64 {
		a.needWide()
		a.wide.at(group).Add(x)
	} else {
		a.reserve(most)
		a.s.at(group).ints += x
	}
	a.s.at(group).n++
}

func (a *sumAcc) addDouble(group int, x float64) {
	if a.doubles.n == 0 {
		a.doubles.grow(a.s.n)
	}
	d := a.doubles.at(group)
	d.sum.Add(x)
	d.n++
	a.s.at(group).n++
}

// addAll adds rows that are all integers.
func (a *sumAcc) addAll(ints []int64, groups []int32) {
	if len(ints) == 0 {
		return
	}
	if a.room(&vector.Vector{Ints: ints}, nil, len(ints)) {
		a.addInts(ints, groups, nil, len(ints))
		return
	}
	for i, x := range ints {
		a.addInt(int(groups[i]), x)
	}
}

// addValues is add of values of any type.
func (a *sumAcc) addValues(v *vector.Vector, groups []int32, sel vector.Sel, n int) error {
	var failed error
	if class, ints := v.Usual(&a.ints64); class == vector.ClassInt && !v.Const {
		a.odd = v.AppendOdd(class, sel, n, a.odd[:0])
		from := 0
		for k := 0; sel == nil && k <= len(a.odd); k++ {
			to := n
			if k < len(a.odd) {
				to = int(a.odd[k])
			}
			a.addAll(ints.Ints[from:to], groups[from:to])
			from = to + 1
		}
		if sel != nil {
			a.sel = sel.Without(a.odd, n, a.sel[:0])
			if a.room(ints, a.sel, n) {
				a.addInts(ints.Ints, groups, a.sel, n)
			} else {
				for _, i := range a.sel {
					a.addInt(int(groups[i]), ints.Ints[i])
				}
			}
		}
		if sel = a.odd; sel == nil {
			sel = vector.Sel{}
		}
	}
	sel.All(n, func(i int) {
		switch v.Class(i) {
		case vector.ClassInt:
			a.addInt(int(groups[i]), v.Int(i))
		case vector.ClassFloat:
			a.addDouble(int(groups[i]), v.Float(i))
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

// ints returns the sum of the integers of a group.
func (a *sumAcc) ints(group int) (sum num.Int128) {
	if a.wide.n > 0 {
		sum = *a.wide.at(group)
	}
	sum.Add(a.s.at(group).ints)
	return sum
}

func (a *sumAcc) merge(other accumulator, into []int32) error {
	o := other.(*sumAcc)
	if o.doubles.n > 0 && a.doubles.n == 0 {
		a.doubles.grow(a.s.n)
	}
	if o.wide.n > 0 {
		a.needWide()
	}
	a.reserve(o.most)
	return eachMerged(a.g, into, func(from, to int) error {
		s, t := a.s.at(to), o.s.at(from)
		s.ints += t.ints
		s.n += t.n
		if o.wide.n > 0 {
			a.wide.at(to).Merge(*o.wide.at(from))
		}
		if o.doubles.n > 0 {
			d, e := a.doubles.at(to), o.doubles.at(from)
			d.sum.Merge(e.sum)
			d.n += e.n
		}
		return nil
	})
}

func (a *sumAcc) result(out *vector.Vector, g int) error {
	s := a.s.at(g)
	var d doubleState
	if a.doubles.n > 0 {
		d = *a.doubles.at(g)
	}
	switch {
	case s.n == 0:
		out.AppendNull()
	case a.avg:
		d.sum.AddInts(a.ints(g))
		out.AppendFloat(d.sum.Div(s.n))
	case d.n > 0 || out.Type == vector.Float:
		d.sum.AddInts(a.ints(g))
		out.AppendFloat(d.sum.Value())
	default:
		sum := a.ints(g)
		i, ok := sum.Int64()
		if !ok {
			return vector.ErrOverflow
		}
		out.AppendInt(i)
	}
	return nil
}

func (a *sumAcc) bytes() int64 {
	return a.s.bytes() + a.wide.bytes() + a.doubles.bytes() + int64(cap(a.sel)+cap(a.odd))*4
}
