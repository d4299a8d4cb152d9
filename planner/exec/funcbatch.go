package exec

import (
	"math"
	"math/bits"
	"time"

	"github.com/seed69692123/netdb/planner/vector"
)

// batchOf returns an argument as a typed vector of integers or times with a row for each row; nil when it is something else.
func (c *call) batchOf(arg int, t vector.Type) *vector.Vector {
	if x := c.args[arg].Typed(&c.view); x.Type == t && !x.Const {
		return x
	}
	return nil
}

// timesPer is the batch of a function that multiplies integers, whose rows fail where the product has more than 64 bits.
func timesPer(per int64) func(c *call, sel vector.Sel, n int) (bool, error) {
	return func(c *call, sel vector.Sel, n int) (bool, error) {
		x := c.batchOf(0, vector.Int)
		if x == nil {
			return false, nil
		}
		most := x.Most
		if most == 0 {
			most = vector.MostOf(x.Ints, sel, n)
		}
		hi, lo := bits.Mul64(most, uint64(per))
		if hi != 0 || lo > math.MaxInt64 {
			return false, nil
		}
		out := c.out.Ints[:n]
		for i, v := range x.Ints[:n] {
			out[i] = v * per
		}
		c.out.Nulls = append(c.out.Nulls, x.Nulls...)
		c.out.Most = lo
		return true, nil
	}
}

// dividedBy is the batch of a function that divides times and rounds down. Each divisor has a loop of its own, in which it is a constant.
func dividedBy(per int64) func(c *call, sel vector.Sel, n int) (bool, error) {
	return func(c *call, _ vector.Sel, n int) (bool, error) {
		x := c.batchOf(0, vector.Time)
		if x == nil {
			return false, nil
		}
		out := c.out.Ints[:n]
		switch per {
		case 1e6:
			for i, v := range x.Ints[:n] {
				q := v / 1e6
				out[i] = q + (v-q*1e6)>>63
			}
		case 1e3:
			for i, v := range x.Ints[:n] {
				q := v / 1e3
				out[i] = q + (v-q*1e3)>>63
			}
		case 1:
			copy(out, x.Ints[:n])
		default:
			return false, nil
		}
		c.out.Nulls = append(c.out.Nulls, x.Nulls...)
		return true, nil
	}
}

// truncBatch is the batch of date_trunc with a constant part: a time within what the one before was cut to is cut to the same.
func truncBatch(c *call, sel vector.Sel, n int) (bool, error) {
	x := c.batchOf(1, vector.Time)
	if x == nil || len(c.args) != 2 || !c.args[0].Const || c.args[0].Null(0) {
		return false, nil
	}
	p, k, err := c.part(0)
	if err != nil {
		return false, nil // the row says so, if there is one
	}
	unit := int64(0) // of parts that always have the same length
	if c.zone() == time.UTC && p <= partDay {
		if unit = 86400e9; p < partDay {
			unit = partNanos[p]
		}
	}
	in, out := x.Ints[:n], c.out.Ints[:n]
	c.out.Nulls = append(c.out.Nulls, x.Nulls...)
	nulls := x.Nulls.Any()
	start, length := int64(0), uint64(0) // what the newest rows were cut to, and how much is cut to it
	row := func(i int) error {
		ns := in[i]
		if uint64(ns)-uint64(start) < length {
			out[i] = start
			return nil
		}
		if nulls && x.Nulls.Get(i) {
			return nil
		}
		if err := dateTrunc(c, i); err != nil {
			return &vector.RowError{Row: i, Err: err}
		}
		switch {
		case unit > 0:
			start, length = out[i], uint64(unit)
		case k.span.has(ns):
			start, length = k.span.start, uint64(k.span.last)-uint64(k.span.start)+1
		default:
			length = 0
		}
		return nil
	}
	if sel == nil {
		for i := range in {
			if err := row(i); err != nil {
				return true, err
			}
		}
		return true, nil
	}
	for _, i := range sel {
		if err := row(int(i)); err != nil {
			return true, err
		}
	}
	return true, nil
}
