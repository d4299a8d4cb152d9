package exec

import (
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
)

// distinctAcc passes the first of the rows of a group that are equal in all values of a call.
type distinctAcc struct {
	accumulator
	g     *storeGate
	seen  *groupTable // (group, values), in the order in which they came
	order []int       // which value each key of the order is
	group vector.Vector
	cols  []*vector.Vector
	sel   vector.Sel
	into  []int32
	rest  *distinctRest // instead of seen, where rows can go to disk
	found []int32
}

func newDistinctAcc(g *storeGate, a *Aggregate, acc accumulator) *distinctAcc {
	d := &distinctAcc{accumulator: acc, g: g}
	types := []vector.Type{vector.Int}
	values := a.values()
	for _, x := range values {
		types = append(types, x.Type())
	}
	for _, k := range a.OrderBy {
		d.order = append(d.order, slices.IndexFunc(values, func(x Expr) bool { return Equal(x, k.Expr) }))
	}
	d.seen = newGroupTable(g.evalState, g, types)
	return d
}

func (d *distinctAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	d.group.Resize(vector.Int, n)
	for i, g := range groups[:n] {
		d.group.Ints[i] = int64(g)
	}
	d.cols = append(append(d.cols[:0], &d.group), args[:len(args)-len(d.order)]...)
	if d.rest != nil {
		if !d.rest.began {
			d.rest.begin(d.seen.rows.Types())
		}
		var err error
		if d.sel, err = d.rest.fresh(d.cols, sel, n, notNilSel(d.sel[:0])); err != nil {
			return d.g.refuse(err) // no error of a value
		}
		return d.accumulator.add(args, groups, d.sel, n)
	}
	hashes, err := d.seen.hash(d.cols, sel, n)
	if err != nil {
		return err
	}
	if d.sel = d.sel[:0]; d.sel == nil {
		d.sel = vector.Sel{}
	}
	d.found = grownTo(d.found, n)
	err = d.seen.addAll(d.cols, sel, n, hashes, d.found, func(_ int32, i int) { d.sel = append(d.sel, int32(i)) })
	if err == nil {
		err = d.g.rows(sel, n)
	}
	if err != nil {
		return err
	}
	return d.accumulator.add(args, groups, d.sel, n)
}

// merge takes in the rows that the other has seen as if they came now: the results of both cannot be added up.
func (d *distinctAcc) merge(other accumulator, into []int32) error {
	rows := other.(*distinctAcc).seen.rows
	for p := range rows.Pages() {
		cols, n := rows.Page(p)
		sel, groups := vector.Sel{}, d.into[:0]
		for i := range n {
			g := int32(-1)
			if from := cols[0].Ints[i]; from < int64(len(into)) {
				g = into[from]
			}
			if groups = append(groups, g); g >= 0 {
				sel = append(sel, int32(i))
			}
		}
		d.into = groups
		args := slices.Clone(cols[1:])
		for _, k := range d.order {
			args = append(args, cols[1+k])
		}
		if err := d.add(args, groups, sel, n); err != nil {
			return err
		}
		if err := d.g.rows(sel, n); err != nil {
			return err
		}
	}
	return nil
}

func (d *distinctAcc) bytes() int64 {
	return d.accumulator.bytes() + d.seen.bytes() + d.group.MemoryBytes() + int64((cap(d.sel)+cap(d.into)+cap(d.found))*4)
}
