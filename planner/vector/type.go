package vector

import "fmt"

// MaxRows is the largest number of rows of a batch. Kernels accept vectors of any length.
const MaxRows = 2048

// Type is the static type of a column.
type Type uint8

// The types of a column. Any and JSON are dynamic: each row has its class.
const (
	Any          Type = iota // a payload field: each row has its own class
	Bool                     // BOOLEAN
	Int                      // BIGINT
	Float                    // DOUBLE
	Text                     // TEXT, UTF-8
	Blob                     // BLOB
	Time                     // TIMESTAMPTZ, Unix nanoseconds
	Date                     // DATE, days since 1970-01-01
	IntervalType             // INTERVAL
	JSON                     // a JSON value, laid out like Any
)

// String returns the type's name in SQL; "ANY" for Any, which has none.
func (t Type) String() string {
	switch t {
	case Any:
		return "ANY"
	case Bool:
		return "BOOLEAN"
	case Int:
		return "BIGINT"
	case Float:
		return "DOUBLE"
	case Text:
		return "TEXT"
	case Blob:
		return "BLOB"
	case Time:
		return "TIMESTAMPTZ"
	case Date:
		return "DATE"
	case IntervalType:
		return "INTERVAL"
	case JSON:
		return "JSON"
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// Dynamic reports whether rows of the type have a class each.
func (t Type) Dynamic() bool { return t == Any || t == JSON }

// Class is the type of one value of a dynamic vector. The order of the constants is the order of values of different classes,
// except that Int, Big and Float are one class of numbers and that NULL is last (see Class.rank).
type Class uint8

// The classes of a value.
const (
	ClassNull     Class = iota // Bits: 0 missing, 1 an explicit null
	ClassBool                  // Bits: 0 or 1
	ClassInt                   // Bits: an int64
	ClassBig                   // an integer beyond int64: Bits is a Ref to its decimal digits, a minus sign first, no leading zero
	ClassFloat                 // Bits: math.Float64bits
	ClassText                  // Bits: a Ref
	ClassBlob                  // Bits: a Ref
	ClassTime                  // Bits: an int64, Unix nanoseconds
	ClassDate                  // Bits: an int64, days since 1970-01-01
	ClassInterval              // Bits: a Ref to 16 bytes (see Interval)
	ClassArray                 // Bits: a Ref to well-formed JSON text
	ClassObject                // Bits: a Ref to well-formed JSON text
	numClasses
)

// String returns the class's name as json_type and messages give it.
func (c Class) String() string {
	names := [...]string{"null", "boolean", "integer", "integer", "double", "text", "blob", "timestamp", "date", "interval", "array", "object"}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// rank orders classes: all numbers are one, NULL is last.
func (c Class) rank() int {
	switch c {
	case ClassNull:
		return int(numClasses)
	case ClassBig, ClassFloat:
		return int(ClassInt)
	}
	return int(c)
}

// Number reports whether c is one of the classes of numbers.
func (c Class) Number() bool { return c == ClassInt || c == ClassBig || c == ClassFloat }

// HasBytes reports whether values of the class are bytes in Data, when they are in a dynamic vector.
func (c Class) HasBytes() bool {
	return c == ClassBig || c == ClassText || c == ClassBlob || c >= ClassInterval
}

// Class returns the class of the non-NULL values of a typed column, ClassNull for the dynamic types.
func (t Type) Class() Class {
	return [...]Class{ClassNull, ClassBool, ClassInt, ClassFloat, ClassText, ClassBlob, ClassTime, ClassDate, ClassInterval, ClassNull}[t]
}

// Interval is a span of time whose months and days have no fixed length.
type Interval struct {
	Months, Days int32
	Nanos        int64
}

// MaxValueBytes is the largest value of text, bytes or JSON that a vector holds: 256 MiB - 1. Who makes larger ones checks.
const MaxValueBytes = 1<<lenBits - 1

const lenBits = 28

// Ref is where in a vector's Data a value lies: 36 bits of offset, 28 of length.
type Ref uint64

// MakeRef packs an offset and a length of at most MaxValueBytes.
func MakeRef(off, n int) Ref { return Ref(off)<<lenBits | Ref(n) }

// Off returns the offset of the value's first byte.
func (r Ref) Off() int { return int(r >> lenBits) }

// Len returns the value's length in bytes.
func (r Ref) Len() int { return int(r & MaxValueBytes) }

// In returns the value's bytes within data; they must not be appended to.
func (r Ref) In(data []byte) []byte {
	o, n := int(r>>lenBits), int(r&MaxValueBytes)
	return data[o : o+n : o+n]
}
