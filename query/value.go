package query

import (
	"math"
	"strings"
	"time"
)

// Kind is what a Value holds. Numbers are part of the encoded form.
type Kind uint8

// Kinds of values.
const (
	KindNull     Kind = iota
	KindBool          // BOOLEAN
	KindInt           // BIGINT
	KindBig           // an integer beyond BIGINT, all digits kept
	KindDouble        // DOUBLE
	KindDecimal       // DECIMAL
	KindText          // TEXT, UTF-8
	KindBlob          // BLOB
	KindTime          // TIMESTAMPTZ, nanoseconds since 1970 UTC
	KindDate          // DATE, days since 1970-01-01
	KindInterval      // INTERVAL: months, days and nanoseconds apart
	KindJSON          // JSON text
	kindEnd
)

// Type is the SQL type of the kind. A KindBig is a BIGINT that does not fit; a
// KindNull has TypeNone.
func (k Kind) Type() Type {
	switch k {
	case KindBool:
		return TypeBoolean
	case KindInt, KindBig:
		return TypeBigint
	case KindDouble:
		return TypeDouble
	case KindDecimal:
		return TypeDecimal
	case KindText:
		return TypeText
	case KindBlob:
		return TypeBlob
	case KindTime:
		return TypeTimestamp
	case KindDate:
		return TypeDate
	case KindInterval:
		return TypeInterval
	case KindJSON:
		return TypeJSON
	}
	return TypeNone
}

// Value is one scalar: a literal, a parameter, a cell of a result. The zero
// Value is NULL. Values are small, immutable and comparable with Compare and
// Equal; the operator == is stricter than SQL (1 and 1.0 differ).
type Value struct {
	s      string // text, blob, big and decimal digits, JSON
	n      int64  // bool, integer, bits of a double, nanoseconds, days
	months int32  // of an interval
	days   int32  // of an interval; scale of a decimal
	kind   Kind
}

// Null is NULL.
func Null() Value { return Value{} }

// Bool is a BOOLEAN.
func Bool(b bool) Value {
	v := Value{kind: KindBool}
	if b {
		v.n = 1
	}
	return v
}

// Int is a BIGINT.
func Int(i int64) Value { return Value{kind: KindInt, n: i} }

// Double is a DOUBLE. Negative zero becomes zero and every NaN the same one.
func Double(f float64) Value {
	if f == 0 {
		f = 0
	}
	if math.IsNaN(f) {
		f = math.NaN()
	}
	return Value{kind: KindDouble, n: int64(math.Float64bits(f))}
}

// Text is a TEXT. The string must be UTF-8.
func Text(s string) Value { return Value{kind: KindText, s: s} }

// Blob is a BLOB; the bytes are copied.
func Blob(b []byte) Value { return Value{kind: KindBlob, s: string(b)} }

// Nanos is a TIMESTAMPTZ, in nanoseconds since 1970 UTC.
func Nanos(ns int64) Value { return Value{kind: KindTime, n: ns} }

// Date is a DATE, in days since 1970-01-01. Days outside the years 1 to 9999
// become the nearest day inside.
func Date(days int64) Value {
	return Value{kind: KindDate, n: min(max(days, minDays), maxDays)}
}

// The first day of year 1 and the last of year 9999.
const (
	minDays = -719162
	maxDays = 2932896
)

// Interval is an INTERVAL. Months, days and nanoseconds are kept apart, since a
// month has no fixed number of days and a day none of hours.
func Interval(months, days int32, ns int64) Value {
	return Value{kind: KindInterval, months: months, days: days, n: ns}
}

// JSON is a JSON value from well-formed text, which is kept as it is. The text
// null is NULL's equal in every comparison, but not a KindNull: see Unwrap.
func JSON(text string) Value { return Value{kind: KindJSON, s: strings.TrimSpace(text)} }

// Kind is what v holds.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether v is NULL. JSON null counts.
func (v Value) IsNull() bool {
	return v.kind == KindNull || v.kind == KindJSON && v.s == "null"
}

// Bool is the value of a KindBool.
func (v Value) Bool() bool { return v.n != 0 }

// Int is the value of a KindInt.
func (v Value) Int() int64 { return v.n }

// Double is the value of a KindDouble.
func (v Value) Double() float64 { return math.Float64frombits(uint64(v.n)) }

// Text is the text of a KindText, the JSON text of a KindJSON, the bytes of a
// KindBlob, the digits of a KindBig, and the plain notation of a KindDecimal.
func (v Value) Text() string {
	if v.kind == KindDecimal {
		return decimalText(v.s, int(v.days))
	}
	return v.s
}

// Bytes is a copy of the bytes of a KindBlob.
func (v Value) Bytes() []byte { return []byte(v.s) }

// Nanos is the value of a KindTime, in nanoseconds since 1970 UTC.
func (v Value) Nanos() int64 { return v.n }

// Days is the value of a KindDate, in days since 1970-01-01.
func (v Value) Days() int64 { return v.n }

// Interval is the value of a KindInterval.
func (v Value) Interval() (months, days int32, ns int64) { return v.months, v.days, v.n }

// Time is the value of a KindTime or KindDate as a time in UTC.
func (v Value) Time() time.Time {
	if v.kind == KindDate {
		return time.Unix(v.n*86400, 0).UTC()
	}
	return time.Unix(0, v.n).UTC()
}
