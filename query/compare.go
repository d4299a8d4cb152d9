package query

import (
	"bytes"
	"cmp"
	"math/big"
	"strconv"
	"strings"

	"github.com/seed69692123/netdb/internal/num"
)

// Ranks of the classes of values, in their order. Numbers of all kinds are one
// class; a JSON scalar is of the class of what it holds.
const (
	rankBool = iota
	rankNumber
	rankText
	rankBlob
	rankTime
	rankDate
	rankInterval
	rankArray
	rankObject
	rankNull
)

// Unwrap returns the plain value of a JSON scalar: a BOOLEAN, a number, a TEXT,
// or NULL for null. Anything else, arrays and objects included, is returned as
// it is.
func (v Value) Unwrap() Value {
	if v.kind != KindJSON || v.s == "" {
		return v
	}
	switch v.s[0] {
	case '{', '[':
		return v
	case '"':
		if len(v.s) < 2 {
			return v
		}
		return Text(string(num.Unquote(nil, []byte(v.s[1:len(v.s)-1]))))
	case 't':
		return Bool(true)
	case 'f':
		return Bool(false)
	case 'n':
		return Null()
	}
	switch kind, i, f := num.Parse([]byte(v.s)); kind {
	case num.IsInt:
		return Int(i)
	case num.IsBig:
		return Value{kind: KindBig, s: v.s}
	case num.IsFloat:
		return Double(f)
	}
	return v
}

func (v Value) rank() int {
	switch v.kind {
	case KindBool:
		return rankBool
	case KindInt, KindBig, KindDouble, KindDecimal:
		return rankNumber
	case KindText:
		return rankText
	case KindBlob:
		return rankBlob
	case KindTime:
		return rankTime
	case KindDate:
		return rankDate
	case KindInterval:
		return rankInterval
	case KindJSON:
		if v.s != "" && v.s[0] == '[' {
			return rankArray
		}
		return rankObject
	}
	return rankNull
}

// Compare is the order of all values, as ORDER BY has it: booleans (false
// first), numbers, text, blobs, times, dates, intervals, arrays, objects, and
// NULL last, which equals itself. Numbers compare exactly whatever their kinds;
// NaN equals itself and is the largest. Text and blobs compare by bytes.
// Intervals compare with a month of 30 days and a day of 24 hours. Arrays order
// by element, then by length; objects as the list of their names and values in
// the order of names. A JSON scalar is what it holds.
func Compare(a, b Value) int {
	a, b = a.Unwrap(), b.Unwrap()
	ra, rb := a.rank(), b.rank()
	if ra != rb {
		return cmp.Compare(ra, rb)
	}
	switch ra {
	case rankBool, rankTime, rankDate:
		return cmp.Compare(a.n, b.n)
	case rankNumber:
		return compareNumbers(a, b)
	case rankText, rankBlob:
		return strings.Compare(a.s, b.s)
	case rankInterval:
		d1, n1 := a.intervalSpan()
		d2, n2 := b.intervalSpan()
		return cmp.Or(cmp.Compare(d1, d2), cmp.Compare(n1, n2))
	case rankArray, rankObject:
		return bytes.Compare(num.KeyJSON(nil, []byte(a.s)), num.KeyJSON(nil, []byte(b.s)))
	}
	return 0
}

// Equal reports whether a and b are the same to GROUP BY and DISTINCT: Compare
// gives 0. NULL equals NULL here.
func Equal(a, b Value) bool { return Compare(a, b) == 0 }

func compareNumbers(a, b Value) int {
	if a.kind == KindDecimal || b.kind == KindDecimal {
		return compareDecimals(a, b)
	}
	switch {
	case a.kind == KindInt && b.kind == KindInt:
		return cmp.Compare(a.n, b.n)
	case a.kind == KindDouble && b.kind == KindDouble:
		return num.CompareFloats(a.Double(), b.Double())
	case a.kind == KindInt && b.kind == KindDouble:
		return num.CompareIntFloat(a.n, b.Double())
	case a.kind == KindBig && b.kind == KindBig:
		return num.CompareBigs([]byte(a.s), []byte(b.s))
	case a.kind == KindBig && b.kind == KindDouble:
		return num.CompareBigFloat([]byte(a.s), b.Double())
	case a.kind == KindBig && b.kind == KindInt:
		return num.CompareBigInt([]byte(a.s), b.n)
	}
	return -compareNumbers(b, a)
}

// compareDecimals orders two numbers of which one is a DECIMAL. It is exact and
// not quick.
func compareDecimals(a, b Value) int {
	x, ok := a.rational()
	if !ok {
		return num.CompareFloats(a.Double(), 0)
	}
	y, ok := b.rational()
	if !ok {
		return num.CompareFloats(0, b.Double())
	}
	return x.Cmp(y)
}

// rational is a number as a fraction; ok is false for infinities and NaN, which
// lie on the same side of 0 as of every DECIMAL.
func (v Value) rational() (r *big.Rat, ok bool) {
	r = new(big.Rat)
	switch v.kind {
	case KindInt:
		return r.SetInt64(v.n), true
	case KindDouble:
		return r, r.SetFloat64(v.Double()) != nil
	}
	_, ok = r.SetString(v.Text())
	return r, ok
}

// intervalSpan is an interval in whole days of 24 hours and the nanoseconds
// beyond them, which are not negative.
func (v Value) intervalSpan() (days, nanos int64) {
	const day = int64(86400e9)
	days, nanos = v.n/day, v.n%day
	if nanos < 0 {
		days, nanos = days-1, nanos+day
	}
	return days + int64(v.months)*30 + int64(v.days), nanos
}

// AppendKey appends bytes that are equal for two values exactly when Equal says
// so, whatever their kinds. The keys of several values may follow each other.
// Their order is that of Compare, but for a DECIMAL that is neither an integer
// nor a DOUBLE. Keys are for maps in memory, not for files.
func (v Value) AppendKey(dst []byte) []byte {
	v = v.Unwrap()
	switch v.kind {
	case KindBool:
		return num.KeyBool(dst, v.n != 0)
	case KindInt:
		return num.KeyInt(dst, v.n)
	case KindBig:
		return num.KeyBig(dst, []byte(v.s))
	case KindDouble:
		return num.KeyFloat(dst, v.Double())
	case KindDecimal:
		return v.appendDecimalKey(dst)
	case KindText:
		return num.KeyText(dst, []byte(v.s))
	case KindBlob:
		return num.KeyBlob(dst, []byte(v.s))
	case KindTime:
		return num.KeyTime(dst, v.n)
	case KindDate:
		return num.KeyDate(dst, v.n)
	case KindInterval:
		days, nanos := v.intervalSpan()
		return num.KeySpan(dst, days, nanos)
	case KindJSON:
		return num.KeyJSON(dst, []byte(v.s))
	}
	return num.KeyNull(dst)
}

// tagFraction begins the key of a DECIMAL that no BIGINT and no DOUBLE equals.
// It is a byte that no key of package num begins with.
const tagFraction = 0x16

func (v Value) appendDecimalKey(dst []byte) []byte {
	r, _ := v.rational()
	if r.IsInt() {
		whole, _ := ParseInteger(r.Num().String())
		return whole.AppendKey(dst)
	}
	if f, exact := r.Float64(); exact {
		return num.KeyFloat(dst, f)
	}
	text := strings.TrimRight(v.Text(), "0")
	dst = append(dst, tagFraction)
	dst = strconv.AppendInt(dst, int64(len(text)), 10)
	dst = append(dst, ' ')
	return append(dst, text...)
}
