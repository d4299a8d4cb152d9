package exec

import "github.com/seed69692123/netdb/planner/vector"

// argAcc is arg_min and arg_max: a value of the row that has the least or greatest other value. The first of equal ones counts;
// rows where either is NULL do not.
type argAcc struct {
	by  valueAcc
	arg valueAcc
}

func (a *argAcc) grow(n int) {
	a.by.grow(n)
	a.arg.grow(n)
}

func (a *argAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	x, by := args[0], args[1]
	if err := a.by.begin(by); err != nil {
		return err
	}
	if err := a.arg.begin(x); err != nil {
		return err
	}
	for k := range sel.Count(n) {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if x.Null(i) || by.Null(i) {
			continue
		}
		g := int(groups[i])
		if h := a.by.heads.at(g); h.have && !a.by.better(by, i, h, g) {
			continue
		}
		err := a.by.put(g, by, i)
		if err == nil {
			err = a.arg.put(g, x, i)
		}
		if err != nil {
			return &vector.RowError{Row: i, Err: err}
		}
	}
	return a.by.g.Fault()
}

// put makes row i of x the value of a group if that of by is better than the one it has.
func (a *argAcc) put(group int, x, by *vector.Vector, i int) error {
	if h := a.by.heads.at(group); h.have && !a.by.better(by, i, h, group) {
		return nil
	}
	if err := a.by.set(group, by, i); err != nil {
		return err
	}
	return a.arg.set(group, x, i)
}

func (a *argAcc) merge(other accumulator, into []int32) error {
	o := other.(*argAcc)
	var x, by vector.Vector
	err := eachMerged(a.by.g, into, func(from, to int) error {
		h := o.by.heads.at(from)
		if !h.have {
			return nil
		}
		return a.put(to, o.arg.look(&x, o.arg.heads.at(from), from), o.by.look(&by, h, from), 0)
	})
	if err != nil {
		return err
	}
	return a.by.g.Fault()
}

func (a *argAcc) result(out *vector.Vector, g int) error { return a.arg.result(out, g) }
func (a *argAcc) size(g int) int                         { return a.arg.size(g) }
func (a *argAcc) bytes() int64                           { return a.by.bytes() + a.arg.bytes() }

// argFunctions are arg_min and arg_max.
func argFunctions() []*AggregateFunction {
	result := func(args []Expr) (vector.Type, bool) { return args[0].Type(), true }
	start := func(t takes) func(*storeGate, *Aggregate) accumulator {
		return func(g *storeGate, _ *Aggregate) accumulator {
			return &argAcc{by: valueAcc{g: g, takes: t}, arg: valueAcc{g: g}}
		}
	}
	return []*AggregateFunction{
		{
			Name: "arg_max", Aliases: []string{"argmax", "max_by"}, Arity: 2, Ordered: true, params: []Param{AnyParam}, result: result,
			start: start(takesGreater),
			Doc:   "arg_max(x, y): x of the first row with the greatest y, of those where neither is NULL",
		},
		{
			Name: "arg_min", Aliases: []string{"argmin", "min_by"}, Arity: 2, Ordered: true, params: []Param{AnyParam}, result: result,
			start: start(takesLess),
			Doc:   "arg_min(x, y): x of the first row with the least y, of those where neither is NULL",
		},
	}
}
