package num

import (
	"bytes"
	"cmp"
	"math"
	"strconv"
)

// Limits of int64 as float64: every float64 in [minInt, maxInt) has an int64 of its integer part.
const (
	minInt = -1 << 63
	maxInt = 1 << 63
)

// CompareFloats orders floats: -0 equals 0, NaN equals itself and is the largest.
func CompareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	// One of them is NaN.
	switch {
	case a == a:
		return -1
	case b == b:
		return 1
	}
	return 0
}

// CompareIntFloat orders an integer and a float exactly.
func CompareIntFloat(i int64, f float64) int {
	switch {
	case f != f || f >= maxInt:
		return -1
	case f < minInt:
		return 1
	}
	t := math.Trunc(f)
	if c := cmp.Compare(i, int64(t)); c != 0 {
		return c
	}
	return CompareFloats(t, f) // the same integer part: the fraction decides
}

// CompareBigs orders two bigs.
func CompareBigs(a, b []byte) int {
	an, bn := a[0] == '-', b[0] == '-'
	switch {
	case an && !bn:
		return -1
	case bn && !an:
		return 1
	case an:
		a, b = b[1:], a[1:]
	}
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return bytes.Compare(a, b)
}

// CompareBigInt orders a big and an int64: the big's sign decides.
func CompareBigInt(a []byte, _ int64) int {
	if a[0] == '-' {
		return -1
	}
	return 1
}

// CompareBigFloat orders a big and a float exactly.
func CompareBigFloat(a []byte, f float64) int {
	neg := a[0] == '-'
	switch {
	case f != f || f > math.MaxFloat64:
		return -1
	case f < -math.MaxFloat64:
		return 1
	case f >= maxInt && !neg || f < minInt && neg:
		var buf [320]byte
		return CompareBigs(a, strconv.AppendFloat(buf[:0], f, 'f', 0, 64))
	case neg:
		return -1 // f is at least -2^63
	}
	return 1 // f is below 2^63
}

// BigFloat returns the float64 nearest to a big, an infinity when it is out of range.
func BigFloat(a []byte) float64 { return parseFloat(a) }
