package num

import (
	"math"
	"strconv"
	"unsafe"
)

// Kind is the form of a number.
type Kind uint8

// The forms that Parse finds.
const (
	NotNumber Kind = iota
	IsInt          // fits int64
	IsBig          // an integer beyond int64
	IsFloat
)

// Parse reads a number as JSON writes it (RFC 8259). Without point and exponent it is an integer: IsInt with its value, or IsBig
// when it does not fit; s itself, less nothing, is the big then, because JSON has no leading zeros. Others are the nearest
// float64, an infinity when they are out of its range. Anything else is NotNumber.
func Parse(s []byte) (Kind, int64, float64) {
	i := 0
	neg := len(s) > 0 && s[0] == '-'
	if neg {
		i++
	}
	start := i
	var n uint64
	for i < len(s) && s[i]-'0' <= 9 {
		if i-start < 19 {
			n = n*10 + uint64(s[i]-'0')
		}
		i++
	}
	digits := i - start
	if digits == 0 || digits > 1 && s[start] == '0' {
		return NotNumber, 0, 0
	}
	if i < len(s) {
		if !floatTail(s[i:]) {
			return NotNumber, 0, 0
		}
		return IsFloat, 0, parseFloat(s)
	}
	switch {
	case digits <= 18:
	case digits > 19:
		return IsBig, 0, 0
	case n > math.MaxInt64 && (!neg || n > 1<<63):
		return IsBig, 0, 0
	}
	if neg {
		return IsInt, -int64(n), 0
	}
	return IsInt, int64(n), 0
}

// floatTail reports whether s is a fraction, an exponent or both.
func floatTail(s []byte) bool {
	if s[0] == '.' {
		d := digits(s[1:])
		if d == 0 {
			return false
		}
		s = s[1+d:]
	}
	if len(s) == 0 {
		return true
	}
	if s[0]|0x20 != 'e' {
		return false
	}
	s = s[1:]
	if len(s) > 0 && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	d := digits(s)
	return d > 0 && d == len(s)
}

func digits(s []byte) int {
	i := 0
	for i < len(s) && s[i]-'0' <= 9 {
		i++
	}
	return i
}

// parseFloat reads a well-formed number. An exponent out of range gives an infinity or 0, as strconv has it.
func parseFloat(s []byte) float64 {
	f, _ := strconv.ParseFloat(unsafe.String(unsafe.SliceData(s), len(s)), 64)
	return f
}

// ParseText reads a number as SQL's CAST from text does: spaces around it, a plus sign and leading zeros are allowed, a point
// may stand first or last, and nan, inf and infinity (any case, signed) are floats. A big is returned without zeros and plus
// sign in big, which may share memory with s.
func ParseText(s []byte) (k Kind, i int64, f float64, big []byte) {
	s = trim(s)
	if len(s) == 0 {
		return NotNumber, 0, 0, nil
	}
	body, neg := s, false
	if s[0] == '-' || s[0] == '+' {
		neg, body = s[0] == '-', s[1:]
	}
	if d := digits(body); d > 0 && d == len(body) {
		for len(body) > 1 && body[0] == '0' {
			body = body[1:]
		}
		if neg {
			body = append([]byte{'-'}, body...)
		}
		k, i, f = Parse(body)
		return k, i, f, body
	}
	// strconv also takes hexadecimal floats and underscores (the latter only with a base prefix); SQL does not.
	for _, c := range body {
		if !(c-'0' <= 9 || c == '.' || c|0x20 == 'e' || c == '+' || c == '-') {
			return parseNamed(body, neg)
		}
	}
	v, err := strconv.ParseFloat(string(s), 64)
	if err != nil && !math.IsInf(v, 0) {
		return NotNumber, 0, 0, nil
	}
	return IsFloat, 0, v, nil
}

func parseNamed(s []byte, neg bool) (Kind, int64, float64, []byte) {
	var low [8]byte
	if len(s) > len(low) {
		return NotNumber, 0, 0, nil
	}
	for i, c := range s {
		low[i] = c | 0x20
	}
	sign := 1
	if neg {
		sign = -1
	}
	switch string(low[:len(s)]) {
	case "nan":
		return IsFloat, 0, math.NaN(), nil
	case "inf", "infinity":
		return IsFloat, 0, math.Inf(sign), nil
	}
	return NotNumber, 0, 0, nil
}

func trim(s []byte) []byte {
	for len(s) > 0 && space(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && space(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func space(c byte) bool { return c == ' ' || c-'\t' <= '\r'-'\t' }

// AppendFloat appends a float as text that reads back as the same float and not as an integer: the shortest digits, always with
// a point or an exponent; NaN, Infinity and -Infinity.
func AppendFloat(dst []byte, f float64) []byte {
	switch {
	case f != f:
		return append(dst, "NaN"...)
	case f > math.MaxFloat64:
		return append(dst, "Infinity"...)
	case f < -math.MaxFloat64:
		return append(dst, "-Infinity"...)
	case f == 0:
		return append(dst, "0.0"...) // -0 is 0
	}
	format := byte('f')
	if a := math.Abs(f); a < 1e-5 || a >= 1e16 {
		format = 'e'
	}
	at := len(dst)
	dst = strconv.AppendFloat(dst, f, format, -1, 64)
	for _, c := range dst[at:] {
		if c == '.' || c == 'e' {
			return dst
		}
	}
	return append(dst, ".0"...)
}
