package exec

import "github.com/seed69692123/netdb/planner/vector"

// AggregateFunction is an entry of the table of aggregates.
type AggregateFunction struct {
	Name    string
	Aliases []string
	Arity   int
	Min     int // arguments that must be given; 0 means all
	// Settings names the arguments at the end that are constants which say how to compute: they are no input.
	Settings []string
	// Ordered: the result depends on the order of the rows.
	Ordered bool
	// Divided: the result depends on how rows were divided before they were merged.
	Divided bool
	Doc     string
	// typed: the function takes a column as a typed one where all its values in a batch have one type.
	typed bool

	params []Param
	result func(args []Expr) (vector.Type, bool)
	start  func(g *storeGate, a *Aggregate) accumulator
	// distinct, when set, computes calls with DISTINCT.
	distinct func(g *storeGate, a *Aggregate) accumulator
}

// Param returns what argument i must be.
func (f *AggregateFunction) Param(i int) Param { return f.params[min(i, len(f.params)-1)] }

// Bounds returns the least and the greatest number of arguments.
func (f *AggregateFunction) Bounds() (lo, hi int) {
	if f.Min > 0 {
		return f.Min, f.Arity
	}
	return f.Arity, f.Arity
}

// Setting returns what argument i is called when it is a setting, else "".
func (f *AggregateFunction) Setting(i int) string {
	if i < f.Arity-len(f.Settings) {
		return ""
	}
	return f.Settings[i-(f.Arity-len(f.Settings))]
}

// Result returns the type of the aggregate for its arguments, and whether it is defined for them.
func (f *AggregateFunction) Result(args []Expr) (vector.Type, bool) {
	if len(args) == 0 {
		return vector.Int, true
	}
	return f.result(args)
}

// accumulator computes one aggregate for all groups.
type accumulator interface {
	// grow makes room for groups below n.
	grow(n int)
	// add takes in the rows sel of args; groups[i] is the group of row i. Args are Aggregate.Inputs.
	add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error
	// merge takes in what another accumulator of the same aggregate holds, whose rows come after all of this one's: its group
	// i becomes part of group into[i], or is left out where that is negative. No two groups go into the same one. The other is
	// only read, so it may be merged again, also by others at the same time, but this one may share its memory: nothing is
	// added to the other from then on.
	merge(other accumulator, into []int32) error
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

func same(args []Expr) (vector.Type, bool) { return args[0].Type(), true }

func numeric(t vector.Type) bool { return t == vector.Int || t == vector.Float || t.Dynamic() }

// Inputs are the expressions whose values an accumulator is given: the arguments without settings, then the keys of the order.
func (a *Aggregate) Inputs() []Expr {
	in := a.values()
	for _, k := range a.OrderBy {
		in = append(in[:len(in):len(in)], k.Expr)
	}
	return in
}

// values are the arguments without settings.
func (a *Aggregate) values() []Expr {
	if len(a.Args) == 0 {
		return nil
	}
	return a.Args[:len(a.Args)-a.Fn.settings(len(a.Args))]
}

// settings returns how many of n arguments are settings.
func (f *AggregateFunction) settings(n int) int { return max(0, n-(f.Arity-len(f.Settings))) }

// newAccumulator returns what computes an aggregate: rows pass DISTINCT, are put into the order of the call, and reach the
// function.
func newAccumulator(g *storeGate, a *Aggregate) accumulator {
	if a.Distinct && a.Fn.distinct != nil {
		return a.Fn.distinct(g, a)
	}
	acc := a.Fn.start(g, a)
	if len(a.OrderBy) > 0 && a.Fn.Ordered {
		acc = newOrderedAcc(g, a, acc)
	}
	if a.Distinct {
		acc = newDistinctAcc(g, a, acc)
	}
	return acc
}

// eachMerged calls f with every group that is merged and the one it becomes part of, looking at the context on the way.
func eachMerged(g *storeGate, into []int32, f func(from, to int) error) error {
	for from, to := range into {
		if to < 0 {
			continue
		}
		if err := f(from, int(to)); err != nil {
			return err
		}
		if err := g.Step(rowStep); err != nil {
			return err
		}
	}
	return nil
}

// countAcc is count(*) and count(x).
type countAcc struct {
	g   *storeGate
	n   paged[int64]
	sel vector.Sel
}

func (c *countAcc) grow(n int)   { c.n.grow(n) }
func (c *countAcc) size(int) int { return 0 }
func (c *countAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	if len(args) > 0 {
		switch v := args[0]; {
		case v.Const && v.Null(0):
			return nil
		case !v.Const && v.HasNulls():
			c.sel = vector.SelectNotNull(v, sel, n, c.sel[:0])
			sel = c.sel
		}
	}
	flat := c.n.flat()
	switch {
	case c.n.n == 1:
		flat[0] += int64(sel.Count(n))
	case flat != nil && sel == nil:
		for _, g := range groups[:n] {
			flat[g]++
		}
	case flat != nil:
		for _, i := range sel {
			flat[groups[i]]++
		}
	default:
		sel.All(n, func(i int) { *c.n.at(int(groups[i]))++ })
	}
	return nil
}

func (c *countAcc) merge(other accumulator, into []int32) error {
	o := other.(*countAcc)
	return eachMerged(c.g, into, func(from, to int) error {
		*c.n.at(to) += *o.n.at(from)
		return nil
	})
}

func (c *countAcc) result(out *vector.Vector, g int) error {
	out.AppendInt(*c.n.at(g))
	return nil
}
func (c *countAcc) bytes() int64 { return c.n.bytes() + int64(cap(c.sel)*4) }

// boolAcc is bool_and and bool_or.
type boolAcc struct {
	g     *storeGate
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
		b := uint8(1)
		if v.Bool(i) {
			b = 2
		}
		a.put(int(groups[i]), b)
	})
	return nil
}

// put adds a state to that of a group.
func (a *boolAcc) put(group int, b uint8) {
	switch s := a.state.at(group); {
	case *s == 0, a.or && b == 2, !a.or && b == 1:
		*s = b
	}
}

func (a *boolAcc) merge(other accumulator, into []int32) error {
	o := other.(*boolAcc)
	return eachMerged(a.g, into, func(from, to int) error {
		if b := *o.state.at(from); b != 0 {
			a.put(to, b)
		}
		return nil
	})
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
