package num

import (
	"math"
	"math/bits"
)

// Int128 is a sum of int64 that cannot overflow: it is checked once, at the end. The zero value is 0.
type Int128 struct {
	hi int64
	lo uint64
}

// Add adds i.
func (s *Int128) Add(i int64) {
	lo, carry := bits.Add64(s.lo, uint64(i), 0)
	s.lo = lo
	s.hi += i>>63 + int64(carry)
}

// AddAll adds integers, at most 2^31.
func (s *Int128) AddAll(xs []int64) {
	var lo uint64 // of the lower halves, taken as unsigned; it cannot overflow, nor can hi
	var hi int64
	for _, x := range xs {
		lo += uint64(uint32(x))
		hi += x >> 32
	}
	s.Add(int64(lo & (1<<32 - 1)))
	hi += int64(lo >> 32)
	s.Merge(Int128{lo: uint64(hi) << 32, hi: hi >> 32})
}

// Merge adds another sum.
func (s *Int128) Merge(o Int128) {
	lo, carry := bits.Add64(s.lo, o.lo, 0)
	s.lo = lo
	s.hi += o.hi + int64(carry)
}

// Negative returns the sum with the other sign.
func (s Int128) Negative() Int128 {
	lo, carry := bits.Add64(^s.lo, 1, 0)
	return Int128{hi: ^s.hi + int64(carry), lo: lo}
}

// Int64 returns the sum and whether it fits.
func (s Int128) Int64() (int64, bool) {
	return int64(s.lo), s.hi == int64(s.lo)>>63
}

// Float64 returns the sum as the nearest float64 or one beside it.
func (s Int128) Float64() float64 {
	if i, ok := s.Int64(); ok {
		return float64(i)
	}
	return float64(s.hi)*0x1p64 + float64(s.lo)
}

// Sum is a sum of float64 kept as an unevaluated pair of floats, so that the order of adding does not show: after n additions
// the error is about n²·2^-106 of the sum of magnitudes, far below what the one rounding of Value can show. The zero value is
// 0. (T. J. Dekker, "A floating-point technique for extending the available precision", 1971, with D. E. Knuth's two-sum.)
// The order does show where a partial sum leaves the range of float64.
type Sum struct {
	hi, lo  float64
	special float64 // sum of what was added that is not finite, and of partial sums that overflowed
}

// Add adds x.
func (s *Sum) Add(x float64) {
	t := s.hi + x
	if t-t != 0 { // x is not finite, or the sum is not
		s.addSpecial(x)
		return
	}
	b := t - s.hi
	s.lo += (s.hi - (t - b)) + (x - b)
	s.hi = t
}

func (s *Sum) addSpecial(x float64) {
	if x-x != 0 {
		s.special += x
		return
	}
	s.special += s.hi + x
	s.hi, s.lo = 0, 0
}

// AddInt adds an integer exactly.
func (s *Sum) AddInt(i int64) {
	hi := float64(i >> 32 << 32)
	s.Add(hi)
	s.Add(float64(i & (1<<32 - 1)))
}

// AddInts adds a sum of integers.
func (s *Sum) AddInts(o Int128) {
	if i, ok := o.Int64(); ok {
		s.AddInt(i)
		return
	}
	s.Add(float64(o.hi) * 0x1p64)
	s.Add(float64(o.lo>>32) * 0x1p32)
	s.Add(float64(o.lo & (1<<32 - 1)))
}

// Merge adds another sum.
func (s *Sum) Merge(o Sum) {
	s.special += o.special
	s.Add(o.hi)
	s.Add(o.lo)
}

// Value returns the sum, rounded once.
func (s Sum) Value() float64 {
	if s.special != 0 {
		return s.special
	}
	return s.hi + s.lo
}

// Div returns the sum divided by n, rounded once more. n must not be 0.
func (s Sum) Div(n int64) float64 {
	if s.special != 0 {
		return s.special / float64(n)
	}
	d := float64(n)
	q := (s.hi + s.lo) / d
	if q-q != 0 {
		return q
	}
	// One step of correction: what q leaves of the pair.
	r := math.FMA(-q, d, s.hi) + s.lo
	return q + r/d
}
