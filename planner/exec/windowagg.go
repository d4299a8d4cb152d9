package exec

import (
	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/planner/vector"
)

// An aggregate over frames is computed in one of these ways, by what it is and how frames move:
//
//   - frames that begin with the partition grow: rows are added to one accumulator, whose result is asked for;
//   - counts, BIGINT sums and bool_and are differences of sums from the beginning, which are exact;
//   - DOUBLE sums, variances, least and greatest values are put together from the nodes of a tree over the rows;
//   - of all others the rows of each frame are added to an accumulator of its own.
//
// A row whose frame is that of the row before has the same result. (V. Leis et al., "Efficient Processing of Window Functions in
// Analytical SQL Queries", VLDB 2015, has the tree.)

// frameAgg is what the ways have in common.
type frameAgg struct {
	w      *partWindow
	call   *WindowCall
	args   []operand
	filter int // column, -1 for none
	frames frames
	way    aggWay

	last   []span
	have   bool
	result vector.Vector // for last
}

// aggWay computes the result for a frame.
type aggWay interface {
	start(p span) error
	// frame appends the result for the rows of a frame.
	frame(spans []span, out *vector.Vector) error
	bytes() int64
}

func (w *partWindow) aggregate(c *WindowCall) windowEval {
	a := &frameAgg{w: w, call: c, filter: -1, frames: frames{w: w, f: c.Frame}}
	for _, x := range c.Agg.Inputs() {
		a.args = append(a.args, newOperand(x))
	}
	if c.Agg.Filter != nil {
		a.filter = c.Agg.Filter.(*Col).Index
	}
	plain := !c.Agg.Distinct && len(c.Agg.OrderBy) == 0
	switch name := c.Agg.Fn.Name; {
	case name == "first" && plain, name == "last" && plain, name == "any_value" && plain:
		a.way = &endWay{a: a, last: name == "last", nulls: name != "any_value"}
	case c.Frame.running() && c.Agg.repeats(), c.Frame.Whole():
		a.way = &runningWay{a: a}
	case name == "min" || name == "max":
		a.way = &bestWay{a: a, by: 0, greatest: name == "max"}
	case (name == "arg_min" || name == "arg_max") && plain:
		a.way = &bestWay{a: a, by: 1, greatest: name == "arg_max"}
	case !plain:
		a.way = &freshWay{a: a}
	case name == "count" || name == "bool_and" || name == "bool_or":
		a.way = &countWay{a: a, name: name}
	case name == "sum" || name == "avg":
		a.way = &sumWay{a: a, avg: name == "avg"}
	case name == "var_samp" || name == "var_pop" || name == "stddev_samp" || name == "stddev_pop":
		a.way = &varianceWay{a: a}
	default:
		a.way = &freshWay{a: a}
	}
	return a
}

func (a *frameAgg) start(p span) error {
	a.frames.start(p)
	a.have = false
	return a.way.start(p)
}

func (a *frameAgg) row(pos int, out *vector.Vector) error {
	spans := a.frames.of(pos)
	if a.have && sameSpans(spans, a.last) {
		return a.w.appendRow(out, &a.result, 0)
	}
	at := out.Len
	if err := a.way.frame(spans, out); err != nil {
		a.have = false
		return err
	}
	a.last, a.have = append(a.last[:0], spans...), true
	a.result.Reset(out.Type)
	return a.w.appendRow(&a.result, out, at)
}

func (a *frameAgg) bytes() int64 { return a.way.bytes() + a.result.MemoryBytes() }

func sameSpans(a, b []span) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// passes reports whether FILTER lets a row pass.
func (a *frameAgg) passes(pos int) bool {
	if a.filter < 0 {
		return true
	}
	v, i := a.w.value(a.filter, pos)
	return !v.Null(i) && v.Bool(i)
}

// counts reports whether a row passes the filter and the argument is not NULL.
func (a *frameAgg) counts(pos, arg int) bool {
	if !a.passes(pos) {
		return false
	}
	if len(a.args) == 0 {
		return true
	}
	v, i := a.args[arg].at(a.w, pos)
	return !v.Null(i)
}

// addRows adds the rows of a span to an accumulator of one group.
func (a *frameAgg) addRows(acc accumulator, s span, groups *[]int32, sel *vector.Sel) error {
	if len(*groups) < vector.MaxRows {
		*groups = make([]int32, vector.MaxRows)
	}
	vecs := make([]*vector.Vector, len(a.args))
	had := acc.bytes()
	add := func(sel vector.Sel, n int) error {
		if err := acc.add(vecs, *groups, sel, n); err != nil {
			return err
		}
		if more := acc.bytes() - had; more > partBytes/4 { // what it is counted with comes behind all rows
			if err := a.w.acct.ask(more); err != nil {
				return a.w.s.refuse(err)
			}
		}
		return nil
	}
	return a.w.eachPage(s, func(cols []*vector.Vector, from, to int) error {
		n := to
		for k, o := range a.args {
			if o.col < 0 {
				vecs[k] = o.value
				continue
			}
			vecs[k] = cols[o.col]
		}
		if from == 0 && a.filter < 0 {
			if to == a.w.size {
				return add(nil, n)
			}
		}
		if *sel = (*sel)[:0]; *sel == nil {
			*sel = vector.Sel{}
		}
		for i := from; i < to; i++ {
			if a.filter >= 0 && (cols[a.filter].Null(i) || !cols[a.filter].Bool(i)) {
				continue
			}
			*sel = append(*sel, int32(i))
		}
		return add(*sel, n)
	})
}

// runningWay adds rows to one accumulator as frames grow.
type runningWay struct {
	a      *frameAgg
	acc    accumulator
	at     int // rows before it are in
	lo     int
	groups []int32
	sel    vector.Sel
	failed error
}

func (r *runningWay) start(p span) error {
	r.acc, r.at, r.lo, r.failed = newAccumulator(r.a.w.gate, r.a.call.Agg), p.lo, p.lo, nil
	r.acc.grow(1)
	return r.a.w.s.Step(accumulatorBytes)
}

// accumulatorBytes is about what a new accumulator takes.
const accumulatorBytes = 1 << 11

func (r *runningWay) frame(spans []span, out *vector.Vector) error {
	hi := r.lo
	if len(spans) > 0 {
		hi = spans[0].hi
	}
	if hi < r.at { // frames of groups of values without an order may shrink
		if err := r.start(span{r.lo, r.lo}); err != nil {
			return err
		}
	}
	if r.failed == nil && hi > r.at {
		r.failed = r.a.addRows(r.acc, span{r.at, hi}, &r.groups, &r.sel)
		r.at = hi
	}
	if r.failed != nil {
		return r.failed
	}
	return r.acc.result(out, 0)
}

func (r *runningWay) bytes() int64 {
	if r.acc == nil {
		return 0
	}
	return r.acc.bytes() + int64(cap(r.groups)*4+cap(r.sel)*4)
}

// countWay is count, bool_and and bool_or: how many rows count, and how many are true, from the beginning of the partition.
type countWay struct {
	a    *frameAgg
	name string
	lo   int
	n    paged[int32]
	yes  paged[int32]
}

func (c *countWay) start(p span) error {
	c.lo = p.lo
	if c.name == "count" && c.a.filter < 0 && len(c.a.args) == 0 {
		return nil
	}
	c.n.n, c.yes.n = 0, 0
	c.n.grow(p.hi - p.lo + 1)
	*c.n.at(0) = 0
	if c.name != "count" {
		c.yes.grow(p.hi - p.lo + 1)
		*c.yes.at(0) = 0
	}
	for pos := p.lo; pos < p.hi; pos++ {
		k := pos - p.lo
		n, yes := int32(0), int32(0)
		if c.a.counts(pos, 0) {
			n = 1
			if c.name != "count" {
				if v, i := c.a.args[0].at(c.a.w, pos); v.Bool(i) {
					yes = 1
				}
			}
		}
		*c.n.at(k + 1) = *c.n.at(k) + n
		if c.name != "count" {
			*c.yes.at(k + 1) = *c.yes.at(k) + yes
		}
		if err := c.a.w.s.Step(rowStep); err != nil {
			return err
		}
	}
	return nil
}

func (c *countWay) frame(spans []span, out *vector.Vector) error {
	n, yes := int64(0), int64(0)
	for _, s := range spans {
		if c.n.n == 0 {
			n += int64(s.hi - s.lo)
			continue
		}
		n += int64(*c.n.at(s.hi - c.lo) - *c.n.at(s.lo - c.lo))
		if c.name != "count" {
			yes += int64(*c.yes.at(s.hi - c.lo) - *c.yes.at(s.lo - c.lo))
		}
	}
	switch {
	case c.name == "count":
		out.AppendInt(n)
	case n == 0:
		out.AppendNull()
	case c.name == "bool_and":
		out.AppendBool(yes == n)
	default:
		out.AppendBool(yes > 0)
	}
	return nil
}

func (c *countWay) bytes() int64 { return c.n.bytes() + c.yes.bytes() }

// sumWay is sum and avg: integers are differences of sums from the beginning, doubles come from a tree.
type sumWay struct {
	a    *frameAgg
	avg  bool
	lo   int
	sums paged[sumsTo]
	tree stateTree[num.Sum]
}

// sumsTo is of the rows before a position the sum of the integers, and how many numbers, doubles, and integers beyond BIGINT there are.
type sumsTo struct {
	ints             num.Int128
	n, floats, large int32
}

func (w *sumWay) start(p span) error {
	w.lo = p.lo
	w.sums.n = 0
	w.sums.grow(p.hi - p.lo + 1)
	*w.sums.at(0) = sumsTo{}
	var s sumsTo
	for pos := p.lo; pos < p.hi; pos++ {
		if w.a.passes(pos) {
			switch v, i := w.a.args[0].at(w.a.w, pos); v.Class(i) {
			case vector.ClassInt:
				s.ints.Add(v.Int(i))
				s.n++
			case vector.ClassFloat:
				s.n++
				s.floats++
			case vector.ClassBig:
				s.large++
			case vector.ClassNull:
			default:
				w.a.w.s.OtherType++
			}
		}
		*w.sums.at(pos - p.lo + 1) = s
		if err := w.a.w.s.Step(rowStep); err != nil {
			return err
		}
	}
	w.tree.clear()
	if s.floats == 0 {
		return nil
	}
	return w.tree.build(w.a.w, p, func(pos int, into *num.Sum) {
		if !w.a.passes(pos) {
			return
		}
		if v, i := w.a.args[0].at(w.a.w, pos); v.Class(i) == vector.ClassFloat {
			into.Add(v.Float(i))
		}
	}, func(into, from *num.Sum) { into.Merge(*from) })
}

func (w *sumWay) frame(spans []span, out *vector.Vector) error {
	var s windowSum
	for _, r := range spans {
		a, b := w.sums.at(r.lo-w.lo), w.sums.at(r.hi-w.lo)
		if a.large != b.large {
			return vector.ErrBigArithmetic
		}
		s.ints.Merge(b.ints)
		s.ints.Merge(a.ints.Negative())
		s.n += int64(b.n - a.n)
		nf := int64(b.floats - a.floats)
		if s.nf += nf; nf > 0 {
			w.tree.query(r, &s.floats)
		}
	}
	return s.result(out, w.avg)
}

// windowSum is the numbers of a frame: integers exactly, doubles as two floats, apart from each other.
type windowSum struct {
	ints   num.Int128
	floats num.Sum
	n, nf  int64 // numbers, and of them doubles
}

// result appends the sum, or the mean.
func (s *windowSum) result(out *vector.Vector, avg bool) error {
	f := s.floats
	switch {
	case s.n == 0:
		out.AppendNull()
	case avg:
		f.AddInts(s.ints)
		out.AppendFloat(f.Div(s.n))
	case s.nf > 0 || out.Type == vector.Float:
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

func (w *sumWay) bytes() int64 { return w.sums.bytes() + w.tree.bytes() }

// varianceWay is the aggregates of squares.
type varianceWay struct {
	a     *frameAgg
	lo    int
	large paged[int32] // integers beyond BIGINT before each position
	tree  stateTree[moments]
	acc   *varianceAcc
}

func (w *varianceWay) start(p span) error {
	if w.acc == nil {
		w.acc = w.a.call.Agg.Fn.start(w.a.w.gate, w.a.call.Agg).(*varianceAcc)
		w.acc.grow(1)
	}
	w.lo = p.lo
	w.large.n = 0
	w.large.grow(p.hi - p.lo + 1)
	*w.large.at(0) = 0
	for pos := p.lo; pos < p.hi; pos++ {
		k, n := pos-p.lo, int32(0)
		if w.a.passes(pos) {
			switch v, i := w.a.args[0].at(w.a.w, pos); v.Class(i) {
			case vector.ClassBig:
				n = 1
			case vector.ClassInt, vector.ClassFloat, vector.ClassNull:
			default:
				w.a.w.s.OtherType++
			}
		}
		*w.large.at(k + 1) = *w.large.at(k) + n
	}
	w.tree.clear()
	return w.tree.build(w.a.w, p, func(pos int, into *moments) {
		if !w.a.passes(pos) {
			return
		}
		switch v, i := w.a.args[0].at(w.a.w, pos); v.Class(i) {
		case vector.ClassInt:
			into.addInt(v.Int(i))
		case vector.ClassFloat:
			into.add(v.Float(i), 0)
		}
	}, func(into, from *moments) { into.merge(from) })
}

func (w *varianceWay) frame(spans []span, out *vector.Vector) error {
	m := w.acc.m.at(0)
	*m = moments{}
	for _, r := range spans {
		if *w.large.at(r.lo - w.lo) != *w.large.at(r.hi - w.lo) {
			return vector.ErrBigArithmetic
		}
		w.tree.query(r, m)
	}
	return w.acc.result(out, 0)
}

func (w *varianceWay) bytes() int64 { return w.large.bytes() + w.tree.bytes() }

// bestWay is min, max, arg_min and arg_max: nodes of the tree say where the best row is.
type bestWay struct {
	a        *frameAgg
	by       int // argument that decides
	greatest bool
	tree     stateTree[int32] // position and one, 0 for none
}

func (w *bestWay) start(p span) error {
	w.tree.clear()
	return w.tree.build(w.a.w, p, func(pos int, into *int32) {
		if !w.a.counts(pos, w.by) || w.by > 0 && !w.a.counts(pos, 0) {
			return
		}
		at := int32(pos) + 1
		w.better(into, &at)
	}, w.better)
}

// better keeps the better row of two; of equal ones the first.
func (w *bestWay) better(into, from *int32) {
	switch {
	case *from == 0 || *from == *into:
		return
	case *into == 0:
		*into = *from
		return
	}
	x, i := w.a.args[w.by].at(w.a.w, int(*into)-1)
	y, j := w.a.args[w.by].at(w.a.w, int(*from)-1)
	c := w.a.w.s.CompareTotal(x, i, y, j, w.greatest)
	if c > 0 || c == 0 && *from < *into {
		*into = *from
	}
	w.a.w.s.done += compareStep
}

func (w *bestWay) frame(spans []span, out *vector.Vector) error {
	best := int32(0)
	for _, r := range spans {
		w.tree.query(r, &best)
	}
	if err := w.a.w.s.Step(0); err != nil {
		return err
	}
	if best == 0 {
		out.AppendNull()
		return nil
	}
	v, i := w.a.args[0].at(w.a.w, int(best)-1)
	return w.a.w.appendRow(out, v, i)
}

func (w *bestWay) bytes() int64 { return w.tree.bytes() }

// endWay is first, last and any_value, in the order of the window.
type endWay struct {
	a     *frameAgg
	last  bool
	nulls bool
	lo    int
	// next is for each row the nearest one, from it on in the direction that is looked in, that counts, -1 for none; not used when all do.
	next paged[int32]
}

func (e *endWay) start(p span) error {
	e.lo = p.lo
	if e.nulls && e.a.filter < 0 {
		return nil
	}
	e.next.n = 0
	e.next.grow(p.hi - p.lo)
	near := int32(-1)
	for k := range p.hi - p.lo {
		pos := p.hi - 1 - k
		if e.last {
			pos = p.lo + k
		}
		if e.nulls && e.a.passes(pos) || !e.nulls && e.a.counts(pos, 0) {
			near = int32(pos)
		}
		*e.next.at(pos - p.lo) = near
		if err := e.a.w.s.Step(rowStep); err != nil {
			return err
		}
	}
	return nil
}

func (e *endWay) frame(spans []span, out *vector.Vector) error {
	for k := range spans {
		s := spans[k]
		if e.last {
			s = spans[len(spans)-1-k]
		}
		pos := s.lo
		if e.last {
			pos = s.hi - 1
		}
		if e.next.n > 0 {
			pos = int(*e.next.at(pos - e.lo))
		}
		if pos >= s.lo && pos < s.hi {
			v, i := e.a.args[0].at(e.a.w, pos)
			return e.a.w.appendRow(out, v, i)
		}
	}
	out.AppendNull()
	return nil
}

func (e *endWay) bytes() int64 { return e.next.bytes() }
