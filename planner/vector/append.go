package vector

import "math"

// AppendNull appends a NULL; in a dynamic vector one for a missing field.
func (v *Vector) AppendNull() {
	v.Grow(1)
	v.SetNull(v.Len - 1)
}

// AppendExplicitNull appends a NULL that stands for a written null to a dynamic vector.
func (v *Vector) AppendExplicitNull() { v.appendBits(ClassNull, 1) }

// AppendBool appends to a Bool or dynamic vector.
func (v *Vector) AppendBool(b bool) {
	if v.Type.Dynamic() {
		var n uint64
		if b {
			n = 1
		}
		v.appendBits(ClassBool, n)
		return
	}
	v.Bools = append(v.Bools, b)
	v.grown()
}

// AppendInt appends to an Int, Time, Date or dynamic vector; to the last as ClassInt.
func (v *Vector) AppendInt(n int64) {
	if v.Type.Dynamic() {
		v.appendBits(ClassInt, uint64(n))
		return
	}
	v.Ints = append(v.Ints, n)
	v.Most = 0
	v.grown()
}

// AppendTime appends Unix nanoseconds to a Time or dynamic vector; to the last as ClassTime.
func (v *Vector) AppendTime(ns int64) {
	if v.Type.Dynamic() {
		v.appendBits(ClassTime, uint64(ns))
		return
	}
	v.Ints = append(v.Ints, ns)
	v.grown()
}

// AppendDate appends days since 1970-01-01 to a Date or dynamic vector; to the last as ClassDate.
func (v *Vector) AppendDate(days int64) {
	if v.Type.Dynamic() {
		v.appendBits(ClassDate, uint64(days))
		return
	}
	v.Ints = append(v.Ints, days)
	v.grown()
}

// AppendFloat appends to a Float or dynamic vector.
func (v *Vector) AppendFloat(f float64) {
	if v.Type.Dynamic() {
		v.appendBits(ClassFloat, math.Float64bits(f))
		return
	}
	v.Floats = append(v.Floats, f)
	v.grown()
}

// AppendInterval appends to an Interval or dynamic vector.
func (v *Vector) AppendInterval(iv Interval) {
	if v.Type.Dynamic() {
		off := len(v.Data)
		v.Data = encodeInterval(v.Data, iv)
		v.appendBits(ClassInterval, uint64(MakeRef(off, 16)))
		return
	}
	v.Intervals = append(v.Intervals, iv)
	v.grown()
}

// AppendText appends a copy of UTF-8 text to a Text or dynamic vector. It must not be longer than MaxValueBytes.
func (v *Vector) AppendText(b []byte) { v.AppendBytes(ClassText, b) }

// AppendBlob appends a copy of bytes to a Blob or dynamic vector. They must not be longer than MaxValueBytes.
func (v *Vector) AppendBlob(b []byte) { v.AppendBytes(ClassBlob, b) }

// AppendBytes appends a copy of a value of a class whose values are bytes; c is ignored by Text and Blob vectors. It panics
// above MaxValueBytes: who makes such values checks.
func (v *Vector) AppendBytes(c Class, b []byte) {
	v.AppendRef(c, v.AddData(b))
}

// AppendRef appends a value that is in Data already.
func (v *Vector) AppendRef(c Class, r Ref) {
	if v.Type.Dynamic() {
		v.appendBits(c, uint64(r))
		return
	}
	v.Refs = append(v.Refs, r)
	v.grown()
}

// AddData copies bytes to Data and returns where they are. It panics above MaxValueBytes.
func (v *Vector) AddData(b []byte) Ref {
	if len(b) > MaxValueBytes {
		panic("vector: value larger than MaxValueBytes")
	}
	off := len(v.Data)
	v.Data = append(v.Data, b...)
	return MakeRef(off, len(b))
}

// SetBytes writes a copy of a value of bytes to row i; c is ignored by Text and Blob vectors.
func (v *Vector) SetBytes(i int, c Class, b []byte) { v.SetRef(i, c, v.AddData(b)) }

// SetRef writes a value that is in Data already to row i.
func (v *Vector) SetRef(i int, c Class, r Ref) {
	if v.Type.Dynamic() {
		v.needBits()
		v.Classes[i], v.Bits[i] = c, uint64(r)
		return
	}
	v.Refs[i] = r
}

// SetBits writes a value without bytes to row i of a dynamic vector.
func (v *Vector) SetBits(i int, c Class, bits uint64) {
	v.needBits()
	v.Most = 0
	v.Classes[i], v.Bits[i] = c, bits
}

func (v *Vector) appendBits(c Class, bits uint64) {
	v.needBits()
	v.Classes, v.Bits = append(v.Classes, c), append(v.Bits, bits)
	v.Len++
	v.Uniform, v.Most = ClassNull, 0
}

// grown counts a row that was appended to the value slice of a typed vector.
func (v *Vector) grown() { v.Len++ }

// AppendFrom appends row i of src, which may be of another type when v is dynamic; else both have one type.
func (v *Vector) AppendFrom(src *Vector, i int) {
	c := src.Class(i)
	switch c {
	case ClassNull:
		if v.Type.Dynamic() && src.ExplicitNull(i) {
			v.AppendExplicitNull()
			return
		}
		v.AppendNull()
	case ClassBool:
		v.AppendBool(src.Bool(i))
	case ClassInt:
		v.AppendInt(src.Int(i))
	case ClassTime:
		v.AppendTime(src.Int(i))
	case ClassDate:
		v.AppendDate(src.Int(i))
	case ClassFloat:
		v.AppendFloat(src.Float(i))
	case ClassInterval:
		v.AppendInterval(src.Interval(i))
	default:
		v.AppendBytes(c, src.Bytes(i))
	}
}

// SetFrom writes row j of src to row i, under the same rule as AppendFrom.
func (v *Vector) SetFrom(i int, src *Vector, j int) {
	c := src.Class(j)
	if c == ClassNull {
		v.SetNull(i)
		if v.Type.Dynamic() && src.ExplicitNull(j) {
			v.Bits[i] = 1
		}
		return
	}
	if !v.Type.Dynamic() {
		if v.Nulls != nil && i>>6 < len(v.Nulls) {
			v.Nulls.Clear(i)
		}
		v.Most = 0
		switch v.Type {
		case Bool:
			v.Bools[i] = src.Bool(j)
		case Int, Time, Date:
			v.Ints[i] = src.Int(j)
		case Float:
			v.Floats[i] = src.Float(j)
		case IntervalType:
			v.Intervals[i] = src.Interval(j)
		case Text, Blob:
			v.Refs[i] = v.AddData(src.Bytes(j))
		}
		return
	}
	v.needBits()
	v.Most = 0
	switch c {
	case ClassBool:
		v.Classes[i], v.Bits[i] = c, 0
		if src.Bool(j) {
			v.Bits[i] = 1
		}
	case ClassInt, ClassTime, ClassDate:
		v.Classes[i], v.Bits[i] = c, uint64(src.Int(j))
	case ClassFloat:
		v.Classes[i], v.Bits[i] = c, math.Float64bits(src.Float(j))
	case ClassInterval:
		off := len(v.Data)
		v.Data = encodeInterval(v.Data, src.Interval(j))
		v.Classes[i], v.Bits[i] = c, uint64(MakeRef(off, 16))
	default:
		v.SetBytes(i, c, src.Bytes(j))
	}
}
