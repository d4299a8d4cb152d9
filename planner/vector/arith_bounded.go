package vector

import (
	"math"
	"math/bits"
)

// mostOfArith returns how far results can be from 0, when both sides are bounded so that none can overflow; else 0.
func mostOfArith(op ArithOp, a, b *Vector) uint64 {
	p, q := a.most(), b.most()
	if p == 0 || q == 0 || p > math.MaxInt32<<29 || q > math.MaxInt32<<29 {
		return 0
	}
	switch op {
	case Add, Subtract:
		return p + q
	case Multiply:
		if hi, lo := bits.Mul64(p, q); hi == 0 && lo <= math.MaxInt64 {
			return lo
		}
	case IntDivide, Modulo:
		if b.Const && !a.Const && b.Ints[0] > 1 && p <= math.MaxUint32 && q <= math.MaxUint32 {
			return p
		}
	}
	return 0
}

// most is Most, of a constant too.
func (v *Vector) most() uint64 {
	if v.Const && len(v.Ints) > 0 {
		return max(Magnitude(v.Ints[0]), 1)
	}
	return v.Most
}

// arithBounded calculates all rows, also those that nobody looks at.
func arithBounded(op ArithOp, a, b *Vector, o []int64) {
	x, y := a.Ints, b.Ints
	switch {
	case a.Const && b.Const:
		for i := range o {
			o[i], _ = intArith(op, x[0], y[0])
		}
	case b.Const:
		constant(op, x[:len(o)], y[0], o)
	case a.Const && op == Subtract:
		p := x[0]
		for i, q := range y[:len(o)] {
			o[i] = p - q
		}
	case a.Const:
		constant(op, y[:len(o)], x[0], o)
	default:
		x, y = x[:len(o)], y[:len(o)]
		switch op {
		case Add:
			for i := range o {
				o[i] = x[i] + y[i]
			}
		case Subtract:
			for i := range o {
				o[i] = x[i] - y[i]
			}
		case Multiply:
			for i := range o {
				o[i] = x[i] * y[i]
			}
		}
	}
}

// constant calculates with one number on the right.
func constant(op ArithOp, x []int64, q int64, o []int64) {
	switch op {
	case Add:
		for i := range o {
			o[i] = x[i] + q
		}
	case Subtract:
		for i := range o {
			o[i] = x[i] - q
		}
	case Multiply:
		for i := range o {
			o[i] = x[i] * q
		}
	default:
		// Division of 32 bits by a multiplication, which is exact. (D. Lemire, O. Kaser, N. Kurz, "Faster remainder by direct computation", 2019.)
		inverse := math.MaxUint64/uint64(q) + 1
		for i, p := range x {
			sign := p >> 63
			quotient, _ := bits.Mul64(inverse, uint64((p^sign)-sign))
			r := (int64(quotient) ^ sign) - sign
			if op == Modulo {
				r = p - r*q
			}
			o[i] = r
		}
	}
}
