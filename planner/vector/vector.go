package vector

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// Vector is one column of a batch. The exported slices are there for kernels and for wrapping column chunks; which ones are
// used depends on Type:
//
//	Bool          Bools, Nulls
//	Int           Ints, Nulls
//	Time, Date    Ints (nanoseconds, days), Nulls
//	Float         Floats, Nulls
//	Text, Blob    Refs into Data, Nulls; or Codes into Dict, Nulls
//	IntervalType  Intervals, Nulls
//	Any, JSON     Classes, Bits, Data for what Bits refers to; and what Uniform says
//
// The zero value is an empty vector of type Any.
type Vector struct {
	Type  Type
	Len   int
	Const bool // the vector has one row, which stands for every row; Len is 1

	Nulls     Bitmap // typed vectors only: rows that are NULL; may be shorter than Len
	Bools     []bool
	Ints      []int64
	Floats    []float64
	Intervals []Interval
	Classes   []Class
	Bits      []uint64
	Refs      []Ref
	Data      []byte

	// Dict, when set, is the dictionary of a Text or Blob vector: row i is value Codes[i] of it, and Refs and Data are unused.
	// A Dict vector is read only: CopyFrom makes an ordinary one of it. In a dynamic vector Dict and Codes say once more what Bits
	// refers to: each row that is not NULL is text. CodesOnly says that Bits are not there; Written has the NULLs that were written, then.
	Dict      *Dict
	Codes     []uint32
	CodesOnly bool
	Written   Bitmap

	// Uniform, unless it is ClassNull, is the class of every row of a dynamic vector that is not NULL, and NoNulls says that none is.
	// Who makes a vector may say so, for kernels that have a short way then; whatever changes rows resets it.
	Uniform Class
	NoNulls bool

	// Most, unless it is 0, says that the integer of no row that is selected, NULL or not, is further from 0. Who makes a vector of integers,
	// typed or uniform, may say so; whatever changes rows resets it.
	Most uint64

	shared     bool // every slice belongs to somebody else
	sharedData bool // Data does
}

// Dict is the distinct values of a dictionary-coded text column. It is immutable and may be shared by vectors.
type Dict struct {
	Refs []Ref
	Data []byte
}

// Value returns the bytes of code c.
func (d *Dict) Value(c uint32) []byte { return d.Refs[c].In(d.Data) }

// New returns an empty vector with room for n rows.
func New(t Type, n int) *Vector {
	v := &Vector{Type: t}
	v.Grow(n)
	v.Reset(t)
	return v
}

// Reset empties the vector, gives it a type and keeps its memory, unless that is not its own.
func (v *Vector) Reset(t Type) {
	if v.shared {
		*v = Vector{Type: t}
		return
	}
	if v.sharedData {
		v.Data, v.sharedData = nil, false
	}
	v.Type, v.Len, v.Const = t, 0, false
	v.Nulls, v.Bools, v.Ints, v.Floats = v.Nulls[:0], v.Bools[:0], v.Ints[:0], v.Floats[:0]
	v.Intervals, v.Classes, v.Bits, v.Refs, v.Data = v.Intervals[:0], v.Classes[:0], v.Bits[:0], v.Refs[:0], v.Data[:0]
	v.Dict, v.Codes, v.CodesOnly, v.Written = nil, v.Codes[:0], false, v.Written[:0]
	v.Uniform, v.NoNulls, v.Most = ClassNull, false, 0
}

// Resize empties the vector, gives it a type and n rows whose values are undefined but which are not NULL (dynamic rows are
// NULL). Kernels call it on their outputs.
func (v *Vector) Resize(t Type, n int) {
	v.Reset(t)
	v.Grow(n)
}

// Grow adds n rows: undefined and not NULL in a typed vector, missing in a dynamic one.
func (v *Vector) Grow(n int) {
	n += v.Len
	v.needBits()
	v.Most = 0
	switch v.Type {
	case Bool:
		v.Bools = extend(v.Bools, n)
	case Int, Time, Date:
		v.Ints = extend(v.Ints, n)
	case Float:
		v.Floats = extend(v.Floats, n)
	case Text, Blob:
		v.Refs = extend(v.Refs, n)
		clear(v.Refs[v.Len:])
	case IntervalType:
		v.Intervals = extend(v.Intervals, n)
	case Any, JSON:
		v.Classes, v.Bits = extend(v.Classes, n), extend(v.Bits, n)
		clear(v.Classes[v.Len:])
		clear(v.Bits[v.Len:])
	}
	v.Len = n
}

// extend returns s with length n; what is beyond its old length is undefined.
func extend[E any](s []E, n int) []E {
	if n > cap(s) {
		s = slices.Grow(s, n-len(s))
	}
	return s[:n]
}

// Alias makes v the same column as src, sharing its memory: v is valid as long as src is, and must not be appended to.
func (v *Vector) Alias(src *Vector) {
	*v = *src
	v.shared = true
}

// Share makes v the column that src describes, whose slices are somebody else's: v is valid as long as they are, and must not be
// appended to.
func (v *Vector) Share(src Vector) {
	*v = src
	v.shared = true
}

// ShareData makes a vector without bytes refer to those of src, which has no Dict: it is valid as long as src is. It must not
// get bytes of its own until it is reset.
func (v *Vector) ShareData(src *Vector) { v.shareBytes(src.Data) }

func (v *Vector) shareBytes(b []byte) {
	if len(b) > 0 {
		v.Data, v.sharedData = b[:len(b):len(b)], true
	}
}

// ShareDict makes a vector without bytes refer to those of a dictionary: it is valid as long as d is.
func (v *Vector) ShareDict(d *Dict) {
	v.Dict = d
	v.shareBytes(d.Data)
}

// Take is SetFrom of a row of a vector whose Data v shares: bytes are not copied.
func (v *Vector) Take(i int, src *Vector, j int) {
	c := src.Class(j)
	if !c.HasBytes() || c == ClassInterval && !(src.Type.Dynamic() && v.Type.Dynamic()) {
		v.SetFrom(i, src, j)
		return
	}
	j &= src.mask()
	var r Ref
	switch {
	case src.CodesOnly:
		r = src.Dict.Refs[src.Codes[j]]
	case src.Type.Dynamic():
		r = Ref(src.Bits[j])
	default:
		r = src.Refs[j]
	}
	if !v.Type.Dynamic() && i>>6 < len(v.Nulls) {
		v.Nulls.Clear(i)
	}
	v.SetRef(i, c, r)
}

// AppendShared appends a value of bytes. To a vector without any it becomes a reference, valid as long as b does not change.
func (v *Vector) AppendShared(c Class, b []byte) {
	if len(v.Data) > 0 {
		v.AppendBytes(c, b)
		return
	}
	v.shareBytes(b)
	v.AppendRef(c, MakeRef(0, len(b)))
}

// Owned reports whether the vector's slices are its own, so that it may be appended to and reused.
func (v *Vector) Owned() bool { return !v.shared }

// At returns the index at which row i is kept: 0 in a constant.
func (v *Vector) At(i int) int {
	if v.Const {
		return 0
	}
	return i
}

// mask is what a row number is and-ed with to give its index.
func (v *Vector) mask() int {
	if v.Const {
		return 0
	}
	return -1
}

// Null reports whether row i is NULL.
func (v *Vector) Null(i int) bool {
	i &= v.mask()
	if v.Type.Dynamic() {
		return v.Classes[i] == ClassNull
	}
	return v.Nulls.Get(i)
}

// HasNulls reports whether a row may be NULL.
func (v *Vector) HasNulls() bool {
	return v.Type.Dynamic() || v.Nulls.Any()
}

// SetNull makes row i of the vector NULL.
func (v *Vector) SetNull(i int) {
	if v.Type.Dynamic() {
		v.needBits()
		v.Classes[i], v.Bits[i] = ClassNull, 0
		v.Uniform, v.Most = ClassNull, 0
		return
	}
	v.needNulls()
	v.Nulls.Set(i)
}

// needBits makes the Bits of a vector that has codes only.
func (v *Vector) needBits() {
	if !v.CodesOnly {
		return
	}
	v.CodesOnly = false
	if v.shared {
		v.Bits = nil
	}
	v.Bits = extend(v.Bits, v.Len)
	for i, c := range v.Codes[:v.Len] {
		if v.Bits[i] = 0; v.Classes[i] != ClassNull {
			v.Bits[i] = uint64(v.Dict.Refs[c])
		}
	}
	eachSet(v.Written, v.Len, func(i int) { v.Bits[i] = 1 })
}

// needNulls makes the bitmap reach over every row.
func (v *Vector) needNulls() {
	if w := words(v.Len); len(v.Nulls) < w {
		old := len(v.Nulls)
		v.Nulls = extend(v.Nulls, w)
		clear(v.Nulls[old:])
	}
}

// Class returns the class of row i: of a typed vector that of its type, ClassNull where it is NULL.
func (v *Vector) Class(i int) Class {
	i &= v.mask()
	if v.Type.Dynamic() {
		return v.Classes[i]
	}
	if v.Nulls.Get(i) {
		return ClassNull
	}
	return v.Type.Class()
}

// Bool returns a row of class ClassBool.
func (v *Vector) Bool(i int) bool {
	i &= v.mask()
	if v.Type.Dynamic() {
		return v.Bits[i] != 0
	}
	return v.Bools[i]
}

// Int returns a row of class ClassInt, ClassTime or ClassDate.
func (v *Vector) Int(i int) int64 {
	i &= v.mask()
	if v.Type.Dynamic() {
		return int64(v.Bits[i])
	}
	return v.Ints[i]
}

// Magnitude returns how far an integer is from 0.
func Magnitude(x int64) uint64 {
	if x < 0 {
		return -uint64(x)
	}
	return uint64(x)
}

// MostOf returns a bound, that is not 0, of how far integers are from 0.
func MostOf(ints []int64, sel Sel, n int) uint64 {
	var set int64
	if sel == nil {
		for _, x := range ints[:n] {
			set |= x ^ x>>63
		}
	} else {
		for _, i := range sel {
			set |= ints[i] ^ ints[i]>>63
		}
	}
	// What is below 0 is one further away than its bits say.
	return uint64(1)<<bits.Len64(uint64(set)) | 1
}

// Float returns a row of class ClassFloat.
func (v *Vector) Float(i int) float64 {
	i &= v.mask()
	if v.Type.Dynamic() {
		return math.Float64frombits(v.Bits[i])
	}
	return v.Floats[i]
}

// Bytes returns a row of a class whose values are bytes: text, blob, the digits of a big integer, the JSON text of an array
// or object. They are valid as long as the batch, and must not be changed.
func (v *Vector) Bytes(i int) []byte {
	i &= v.mask()
	if v.Type.Dynamic() && !v.CodesOnly {
		return Ref(v.Bits[i]).In(v.Data)
	}
	if v.Dict != nil {
		return v.Dict.Value(v.Codes[i])
	}
	return v.Refs[i].In(v.Data)
}

// Interval returns a row of class ClassInterval.
func (v *Vector) Interval(i int) Interval {
	i &= v.mask()
	if v.Type.Dynamic() {
		return decodeInterval(Ref(v.Bits[i]).In(v.Data))
	}
	return v.Intervals[i]
}

// ExplicitNull reports whether a NULL row of a dynamic vector stands for a null that was written, not for a missing field.
func (v *Vector) ExplicitNull(i int) bool {
	i &= v.mask()
	if !v.Type.Dynamic() || v.Classes[i] != ClassNull {
		return false
	}
	if v.CodesOnly {
		return v.Written.Get(i)
	}
	return v.Bits[i] == 1
}

func encodeInterval(dst []byte, iv Interval) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(iv.Months))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(iv.Days))
	return binary.LittleEndian.AppendUint64(dst, uint64(iv.Nanos))
}

func decodeInterval(b []byte) Interval {
	return Interval{
		int32(binary.LittleEndian.Uint32(b)), int32(binary.LittleEndian.Uint32(b[4:])),
		int64(binary.LittleEndian.Uint64(b[8:])),
	}
}
