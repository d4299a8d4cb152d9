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
	start  func(g *storeGate, a *Aggregate) accumulator
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
	// result appends the result of a group. A large one may stay where it is: out is valid until the next group's.
	result(out *vector.Vector, group int) error
	// size is the bytes of text and the like in a result.
	size(group int) int
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
type countAcc struct{ n paged[int64] }

func (c *countAcc) grow(n int)   { c.n.grow(n) }
func (c *countAcc) size(int) int { return 0 }
func (c *countAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	switch {
	case len(args) == 0 && c.n.n == 1:
		*c.n.at(0) += int64(sel.Count(n))
	case len(args) == 0 && sel == nil:
		for _, g := range groups[:n] {
			*c.n.at(int(g))++
		}
	case len(args) == 0:
		for _, i := range sel {
			*c.n.at(int(groups[i]))++
		}
	default:
		v := args[0]
		sel.All(n, func(i int) {
			if !v.Null(i) {
				*c.n.at(int(groups[i]))++
			}
		})
	}
	return nil
}

func (c *countAcc) result(out *vector.Vector, g int) error {
	out.AppendInt(*c.n.at(g))
	return nil
}
func (c *countAcc) bytes() int64 { return c.n.bytes() }

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
	s   paged[sumState]
}

func (a *sumAcc) grow(n int)   { a.s.grow(n) }
func (a *sumAcc) size(int) int { return 0 }
func (a *sumAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	v := args[0]
	var failed error
	switch {
	case v.Type == vector.Int && !v.Const && !v.HasNulls():
		sel.All(n, func(i int) {
			s := a.s.at(int(groups[i]))
			s.ints.Add(v.Ints[i])
			s.n++
		})
	case v.Type == vector.Float && !v.Const && !v.HasNulls():
		sel.All(n, func(i int) {
			s := a.s.at(int(groups[i]))
			s.floats.Add(v.Floats[i])
			s.n++
			s.nf++
		})
	default:
		sel.All(n, func(i int) {
			s := a.s.at(int(groups[i]))
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
	s := a.s.at(g)
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
func (a *sumAcc) bytes() int64 { return a.s.bytes() }

// boolAcc is bool_and and bool_or.
type boolAcc struct {
	or    bool
	state paged[uint8] // 0 none, 1 false, 2 true
}

func (a *boolAcc) grow(n int)   { a.state.grow(n) }
func (a *boolAcc) size(int) int { return 0 }
func (a *boolAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	v := args[0]
	sel.All(n, func(i int) {
		if v.Null(i) {
			return
		}
		s := a.state.at(int(groups[i]))
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
	if s := *a.state.at(g); s == 0 {
		out.AppendNull()
	} else {
		out.AppendBool(s == 2)
	}
	return nil
}
func (a *boolAcc) bytes() int64 { return a.state.bytes() }
