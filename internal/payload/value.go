package payload

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/seed69692123/netdb/internal/num"
)

// MaxDepth is how deep arrays and objects may be inside each other.
const MaxDepth = 512

// Format is how a payload is encoded.
type Format uint8

// The formats.
const (
	Opaque Format = iota // no fields
	JSON
	Msgpack
)

// Class is the type of a value.
type Class uint8

// The classes. Missing is the zero value: there is no such field.
const (
	Missing Class = iota
	Null
	Bool
	Int
	Big // an integer beyond int64
	Float
	Text
	Blob
	Time
	Array
	Object
)

// String returns the class's name as json_type gives it.
func (c Class) String() string {
	names := [...]string{"missing", "null", "boolean", "integer", "integer", "double", "text", "blob", "timestamp", "array", "object"}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// Value is one value inside a payload. It is valid as long as the payload's bytes.
type Value struct {
	// Bits is the value of Bool (0 or 1), Int (an int64), Float (math.Float64bits), Time (Unix nanoseconds in an int64); of Big in
	// MessagePack the uint64.
	Bits uint64
	// Raw is the bytes of Text (still escaped if Escaped is set) and Blob, the digits of Big in JSON, and the whole encoded value of
	// Array and Object.
	Raw     []byte
	Class   Class
	Format  Format
	Escaped bool // JSON text with escapes in it
}

// Int returns the value of Int or Time.
func (v *Value) Int() int64 { return int64(v.Bits) }

// Float returns the value of Float.
func (v *Value) Float() float64 { return math.Float64frombits(v.Bits) }

// AppendBytes appends the value's bytes: text without escapes, a blob, the digits of a Big, the JSON text of an array or object.
// For other classes it appends nothing.
func (v *Value) AppendBytes(dst []byte) []byte { return v.AppendBytesPaced(dst, nil) }

// AppendBytesPaced is AppendBytes of a value that may be large.
func (v *Value) AppendBytesPaced(dst []byte, pace *num.Pace) []byte {
	switch v.Class {
	case Text:
		if v.Escaped {
			return num.UnquotePaced(dst, v.Raw, pace)
		}
		return append(dst, v.Raw...)
	case Blob:
		return append(dst, v.Raw...)
	case Big:
		if v.Format == Msgpack {
			return strconv.AppendUint(dst, v.Bits, 10)
		}
		return append(dst, v.Raw...)
	case Array, Object:
		return v.appendJSON(dst, pace)
	}
	return dst
}

// AppendJSON appends the value as JSON text: what is JSON as it was written; of MessagePack a compact text, in which a blob is
// a string of \x and hexadecimal digits, a time one in RFC 3339 with nine digits in UTC, a key that is no string the text of its
// JSON, and NaN and infinities null. Missing is null.
func (v *Value) AppendJSON(dst []byte) []byte { return v.appendJSON(dst, nil) }

func (v *Value) appendJSON(dst []byte, pace *num.Pace) []byte {
	switch v.Class {
	case Bool:
		return strconv.AppendBool(dst, v.Bits != 0)
	case Int:
		return strconv.AppendInt(dst, v.Int(), 10)
	case Big:
		return v.AppendBytes(dst)
	case Float:
		f := v.Float()
		if f-f != 0 {
			if v.Format == JSON { // a number out of range: its class is all that must stay
				if f > 0 {
					return append(dst, "1e999"...)
				}
				return append(dst, "-1e999"...)
			}
			return append(dst, "null"...)
		}
		return num.AppendFloat(dst, f)
	case Text:
		if v.Format == JSON {
			return append(append(append(dst, '"'), v.Raw...), '"')
		}
		return AppendQuoted(dst, v.Raw)
	case Blob:
		dst = hex.AppendEncode(append(dst, `"\\x`...), v.Raw)
		return append(dst, '"')
	case Time:
		dst = time.Unix(0, v.Int()).UTC().AppendFormat(append(dst, '"'), "2006-01-02T15:04:05.000000000Z07:00")
		return append(dst, '"')
	case Array, Object:
		if v.Format == JSON {
			return append(dst, v.Raw...)
		}
		return appendMsgpackJSON(dst, v.Raw, pace)
	}
	return append(dst, "null"...)
}

// AppendQuoted appends UTF-8 text as a JSON string, with no more escapes than needed.
func AppendQuoted(dst, s []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i, c := range s {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	return append(append(dst, s[start:]...), '"')
}

// SyntaxError says why a payload is not well-formed.
type SyntaxError struct {
	Format Format
	Offset int // in bytes from the payload's start
	Reason string
}

func (e *SyntaxError) Error() string {
	name := "json"
	if e.Format == Msgpack {
		name = "msgpack"
	}
	return fmt.Sprintf("payload: %s at byte %d: %s", name, e.Offset, e.Reason)
}

// Check reads a whole payload and returns the class of its top value, or a SyntaxError when it is not well-formed. An opaque
// payload is a Blob.
func Check(f Format, p []byte) (Class, error) { return CheckPaced(f, p, nil) }

// CheckPaced is Check of a payload that may be large. One that is given up counts as not well-formed.
func CheckPaced(f Format, p []byte, pace *num.Pace) (Class, error) {
	switch f {
	case JSON:
		return checkJSON(p, pace)
	case Msgpack:
		return checkMsgpack(p, pace)
	}
	return Blob, nil
}

// HasFields reports whether a payload is well-formed and its top an object.
func HasFields(f Format, p []byte) bool {
	c, err := Check(f, p)
	return err == nil && c == Object
}

// Top returns the top value of a payload that Check has passed.
func Top(f Format, p []byte) Value { return TopPaced(f, p, nil) }

// TopPaced is Top of a payload that may be large.
func TopPaced(f Format, p []byte, pace *num.Pace) Value {
	switch f {
	case JSON:
		v, _ := jsonValue(p, jsonSpace(p, 0), pace)
		return v
	case Msgpack:
		v, _ := msgpackValue(p, 0, pace)
		return v
	}
	return Value{Class: Blob, Raw: p}
}

// Lookup returns the member of that name of an object, Missing when there is none or v is no object.
func Lookup(v Value, name []byte) Value { return LookupPaced(v, name, nil) }

// LookupPaced is Lookup in an object that may be large.
func LookupPaced(v Value, name []byte, pace *num.Pace) Value {
	if v.Class != Object {
		return Value{}
	}
	var found Value
	each(v, pace, func(key []byte, escaped bool, member Value) bool {
		if escaped {
			key = num.UnquotePaced(nil, key, pace)
		}
		if string(key) == string(name) {
			found = member
			return false
		}
		return true
	})
	return found
}

// Element returns an element of an array, counted from the end when i is negative; Missing when there is none or v is no array.
func Element(v Value, i int) Value { return ElementPaced(v, i, nil) }

// ElementPaced is Element of an array that may be large.
func ElementPaced(v Value, i int, pace *num.Pace) Value {
	if v.Class != Array {
		return Value{}
	}
	if i < 0 {
		i += LengthPaced(v, pace)
	}
	var found Value
	k := 0
	if i >= 0 {
		each(v, pace, func(_ []byte, _ bool, e Value) bool {
			found = e
			k++
			return k <= i
		})
	}
	if k <= i || i < 0 {
		return Value{}
	}
	return found
}

// Length returns the number of elements of an array or members of an object, 0 for other values.
func Length(v Value) int { return LengthPaced(v, nil) }

// LengthPaced is Length of a value that may be large.
func LengthPaced(v Value, pace *num.Pace) int {
	n := 0
	each(v, pace, func([]byte, bool, Value) bool { n++; return true })
	return n
}

// EachPaced calls f with each element of an array or member of an object, with its name as it is written, until f returns false.
func EachPaced(v Value, pace *num.Pace, f func(key []byte, escaped bool, v Value) bool) {
	each(v, pace, f)
}

// Elements gives the elements of a JSON array one by one. It may be stopped and gone on with.
type Elements struct {
	p []byte
	i int
}

// ElementsOf returns the elements of an array of JSON; of other values there are none.
func ElementsOf(v Value) Elements {
	if v.Class != Array || v.Format != JSON {
		return Elements{}
	}
	return Elements{p: v.Raw, i: 1}
}

// Next returns the next element, and whether there is one.
func (e *Elements) Next(pace *num.Pace) (Value, bool) {
	for e.i = jsonSpace(e.p, e.i); e.i < len(e.p) && e.p[e.i] == ','; e.i = jsonSpace(e.p, e.i+1) {
	}
	if e.i >= len(e.p) || e.p[e.i] == ']' {
		return Value{}, false
	}
	v, next := jsonValue(e.p, e.i, pace)
	if next <= e.i || pace.Step(next-e.i) {
		return Value{}, false
	}
	e.i = next
	return v, true
}

// each calls f with each element of an array or member of an object until it returns false.
func each(v Value, pace *num.Pace, f func(key []byte, escaped bool, v Value) bool) {
	if v.Class != Array && v.Class != Object || len(v.Raw) == 0 {
		return
	}
	if v.Format == JSON {
		eachJSON(v, pace, f)
		return
	}
	eachMsgpack(v, pace, f)
}
