package exec

import (
	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/planner/vector"
)

// AggregateFunction is an entry of the table of aggregates.
type AggregateFunction struct {
	Name    string
	Aliases []string
	Arity   int
	Doc     string

	params []Param
	result func(arg vector.Type) (vector.Type, bool)
	start  func(st *vector.State, a *Aggregate) accumulator
}

// Param returns what argument i must be.
func (f *AggregateFunction) Param(i int) Param { return f.params[min(i, len(f.params)-1)] }

// Result returns the type of the aggregate for its arguments, and whether it is defined for them.
func (f *AggregateFunction) Result(args []Expr) (vector.Type, bool) {
	if len(args) == 0 {
		return vector.Int, true
	}
	return f.result(args[0].Type())
}

// accumulator computes one aggregate for all groups.
type accumulator interface {
	// grow makes room for groups below n.
	grow(n int)
	// add takes in the rows sel of args; groups[i] is the group of row i.
	add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error
	// result appends the result of a group.
	result(out *vector.Vector, group int) error
	// bytes is the memory held.
	bytes() int64
}

// AggregateFunctions is the table of aggregates, in alphabetical order.
func AggregateFunctions() []*AggregateFunction { return aggregateTable() }

// FindAggregate returns the aggregate of a lower-case name, or nil.
func FindAggregate(name string) *AggregateFunction { return aggregatesByName()[name] }

func same(t vector.Type) (vector.Type, bool) { return t, true }

func numeric(t vector.Type) bool { return t == vector.Int || t == vector.Float || t.Dynamic() }

// countAcc is count(*) and count(x).
type countAcc struct{ n []int64 }

func (c *countAcc) grow(n int) { c.n = growTo(c.n, n) }
func (c *countAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	switch {
	case len(args) == 0 && sel == nil:
		for _, g := range groups[:n] {
			c.n[g]++
		}
	case len(args) == 0:
		for _, i := range sel {
			c.n[groups[i]]++
		}
	default:
		v := args[0]
		sel.All(n, func(i int) {
			if !v.Null(i) {
				c.n[groups[i]]++
			}
		})
	}
	return nil
}

func (c *countAcc) result(out *vector.Vector, g int) error {
	out.AppendInt(c.n[g])
	return nil
}
func (c *countAcc) bytes() int64 { return int64(cap(c.n) * 8) }

func growTo[T any](s []T, n int) []T {
	if n <= cap(s) {
		return s[:n]
	}
	out := make([]T, n, max(n, 2*cap(s), 16))
	copy(out, s)
	return out
}

// sumState adds integers exactly and doubles as two floats, apart from each other.
type sumState struct {
	ints   num.Int128
	floats num.Sum
	n      int64 // numbers added
	nf     int64 // of them doubles
}

// sumAcc is sum and avg.
type sumAcc struct {
	st  *vector.State
	avg bool
	s   []sumState
}

func (a *sumAcc) grow(n int) { a.s = growTo(a.s, n) }
func (a *sumAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	v := args[0]
	var failed error
	switch {
	case v.Type == vector.Int && !v.Const && !v.HasNulls():
		sel.All(n, func(i int) {
			s := &a.s[groups[i]]
			s.ints.Add(v.Ints[i])
			s.n++
		})
	case v.Type == vector.Float && !v.Const && !v.HasNulls():
		sel.All(n, func(i int) {
			s := &a.s[groups[i]]
			s.floats.Add(v.Floats[i])
			s.n++
			s.nf++
		})
	default:
		sel.All(n, func(i int) {
			s := &a.s[groups[i]]
			switch v.Class(i) {
			case vector.ClassInt:
				s.ints.Add(v.Int(i))
				s.n++
			case vector.ClassFloat:
				s.floats.Add(v.Float(i))
				s.n++
				s.nf++
			case vector.ClassBig:
				if failed == nil {
					failed = &vector.RowError{Row: i, Err: vector.ErrBigArithmetic}
				}
			case vector.ClassNull:
			default:
				a.st.OtherType++
			}
		})
	}
	return failed
}

func (a *sumAcc) result(out *vector.Vector, g int) error {
	s := &a.s[g]
	switch {
	case s.n == 0:
		out.AppendNull()
	case a.avg:
		f := s.floats
		f.AddInts(s.ints)
		out.AppendFloat(f.Div(s.n))
	case s.nf > 0 || out.Type == vector.Float:
		f := s.floats
		f.AddInts(s.ints)
		out.AppendFloat(f.Value())
	default:
		i, ok := s.ints.Int64()
		if !ok {
			return vector.ErrOverflow
		}
		out.AppendInt(i)
	}
	return nil
}
func (a *sumAcc) bytes() int64 { return int64(cap(a.s) * 48) }

// valueAcc keeps one value of each group: the least, the greatest, the first or the last.
type valueAcc struct {
	best  *vector.Vector
	have  []bool
	live  int64 // bytes of Data that are in use
	takes func(v *vector.Vector, i int, best *vector.Vector, g int) bool
	nulls bool // NULLs are values too
}

func (a *valueAcc) grow(n int) {
	a.have = growTo(a.have, n)
	if n > a.best.Len {
		at := a.best.Len
		a.best.Grow(n - at)
		if !a.best.Type.Dynamic() {
			for i := at; i < n; i++ {
				a.best.SetNull(i)
			}
		}
	}
}

func (a *valueAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	v := args[0]
	sel.All(n, func(i int) {
		if !a.nulls && v.Null(i) {
			return
		}
		g := int(groups[i])
		if a.have[g] && !a.takes(v, i, a.best, g) {
			return
		}
		a.have[g] = true
		a.best.SetFrom(g, v, i)
	})
	// Values that were replaced leave their bytes behind.
	if len(a.best.Data) > 1<<16 && int64(len(a.best.Data)) > 2*a.live {
		c := vector.New(a.best.Type, a.best.Len)
		c.CopyFrom(a.best, a.best.Len)
		a.best, a.live = c, int64(len(c.Data))
	}
	return nil
}

func (a *valueAcc) result(out *vector.Vector, g int) error {
	out.AppendFrom(a.best, g)
	return nil
}
func (a *valueAcc) bytes() int64 { return a.best.MemoryBytes() + int64(cap(a.have)) }

// boolAcc is bool_and and bool_or.
type boolAcc struct {
	or    bool
	state []uint8 // 0 none, 1 false, 2 true
}

func (a *boolAcc) grow(n int) { a.state = growTo(a.state, n) }
func (a *boolAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	v := args[0]
	sel.All(n, func(i int) {
		if v.Null(i) {
			return
		}
		s := &a.state[groups[i]]
		switch {
		case *s == 0 && v.Bool(i):
			*s = 2
		case *s == 0:
			*s = 1
		case a.or && v.Bool(i):
			*s = 2
		case !a.or && !v.Bool(i):
			*s = 1
		}
	})
	return nil
}

func (a *boolAcc) result(out *vector.Vector, g int) error {
	if a.state[g] == 0 {
		out.AppendNull()
	} else {
		out.AppendBool(a.state[g] == 2)
	}
	return nil
}
func (a *boolAcc) bytes() int64 { return int64(cap(a.state)) }

// textAcc is string_agg.
type textAcc struct {
	sep   []byte
	parts [][]byte // nil: none yet
	size  int64
}

func (a *textAcc) grow(n int) { a.parts = growTo(a.parts, n) }
func (a *textAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	v := args[0]
	var failed error
	sel.All(n, func(i int) {
		if v.Null(i) || failed != nil {
			return
		}
		p := &a.parts[groups[i]]
		before := cap(*p)
		if *p == nil {
			*p = append([]byte{}, v.Bytes(i)...)
		} else {
			*p = append(append(*p, a.sep...), v.Bytes(i)...)
		}
		if len(*p) > vector.MaxValueBytes {
			failed = &vector.RowError{Row: i, Err: vector.ErrValueTooLarge}
		}
		a.size += int64(cap(*p) - before)
	})
	return failed
}

func (a *textAcc) result(out *vector.Vector, g int) error {
	if a.parts[g] == nil {
		out.AppendNull()
	} else {
		out.AppendText(a.parts[g])
	}
	return nil
}
func (a *textAcc) bytes() int64 { return a.size + int64(cap(a.parts)*24) }
