package vector

import (
	"math"
	"math/bits"
	"unsafe"
)

// as gives the bits of a dynamic vector as what they are of.
func as[T int64 | float64 | Ref](b []uint64) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b))
}

// asBytes gives booleans as the 0 and 1 that they are in memory.
func asBytes(b []bool) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(b))), len(b))
}

func asClassBytes(c []Class) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(c))), len(c))
}

// typed makes dst the values of a uniform dynamic vector as a typed one, which shares its memory, and reports whether there is such a
// type. Rows that are NULL are so in dst, too.
func (v *Vector) typed(dst *Vector) bool {
	if v.Uniform == ClassNull || v.Const || !v.NoNulls && len(v.Nulls) < words(v.Len) {
		return false
	}
	*dst = Vector{Len: v.Len, Most: v.Most, shared: true}
	if !v.NoNulls {
		dst.Nulls = v.Nulls
	}
	switch v.Uniform {
	case ClassInt:
		dst.Type, dst.Ints = Int, as[int64](v.Bits)
	case ClassFloat:
		dst.Type, dst.Floats = Float, as[float64](v.Bits)
	case ClassTime:
		dst.Type, dst.Ints = Time, as[int64](v.Bits)
	case ClassText:
		if dst.Type = Text; v.Dict != nil {
			dst.Dict, dst.Codes = v.Dict, v.Codes
		} else {
			dst.Refs, dst.Data = as[Ref](v.Bits), v.Data
		}
	default:
		return false
	}
	return true
}

// Typed returns the values of a dynamic vector as a typed one, when it is known that all have one type: v itself when it is typed, dst when
// it could be made one, which shares the memory of v; else v.
func (v *Vector) Typed(dst *Vector) *Vector {
	if v.Type.Dynamic() && v.typed(dst) {
		return dst
	}
	return v
}

// setUniform makes a dynamic vector the values of a typed one of integers or floats, which lie in its Bits already.
func (v *Vector) setUniform(x *Vector, class Class) {
	n := x.Len
	v.Uniform, v.NoNulls, v.Most = class, !x.Nulls.Any(), x.Most
	fillClasses(v.Classes, class)
	if v.NoNulls {
		return
	}
	v.Nulls = append(v.Nulls[:0], x.Nulls...)
	v.needNulls()
	for w, set := range v.Nulls {
		for ; set != 0; set &= set - 1 {
			if i := w<<6 + bits.TrailingZeros64(set); i < n {
				v.Classes[i], v.Bits[i] = ClassNull, 0
			}
		}
	}
}

// fillClasses makes all classes one, in pieces that double.
func fillClasses(c []Class, class Class) {
	if len(c) == 0 {
		return
	}
	c[0] = class
	for n := 1; n < len(c); n *= 2 {
		copy(c[n:], c[:n])
	}
}

// byCode keeps what a predicate gives for each value of a dictionary. Values are looked at when a row has them.
type byCode struct {
	of     any // what the predicate is
	dict   *Dict
	result []uint8 // 0: not known, 1: false, 2: true
}

// codes returns the results of a predicate of a text, of being identified by what it is, for the values of a dictionary. Those of the newest
// few predicates are kept, each for the newest dictionary.
func (s *State) codes(of any, d *Dict) []uint8 {
	const kept = 8
	for i := range s.byCode {
		c := &s.byCode[i]
		if c.of != of {
			continue
		}
		if c.dict != d {
			c.dict = d
			c.result = extend(c.result[:0], len(d.Refs))
			clear(c.result)
		}
		return c.result
	}
	if len(s.byCode) == kept {
		s.byCode = append(s.byCode[:0], s.byCode[1:]...)
	}
	s.byCode = append(s.byCode, byCode{of: of, dict: d, result: make([]uint8, len(d.Refs))})
	return s.byCode[len(s.byCode)-1].result
}

// testCodes writes what a predicate gives for the rows of a vector of texts that has a dictionary. NULL rows are left to the caller.
func (s *State) testCodes(of any, v *Vector, not bool, out *Vector, sel Sel, n int, test func(text []byte) (bool, error)) error {
	known := s.codes(of, v.Dict)
	var failed error
	each(sel, n, func(i int) bool {
		if v.Nulls.Get(i) {
			return true
		}
		code := v.Codes[i]
		r := known[code]
		if r == 0 {
			ok, err := test(v.Dict.Value(code))
			if err != nil {
				failed = err
				return false
			}
			if r = 1; ok {
				r = 2
			}
			known[code] = r
		}
		out.Bools[i] = (r == 2) != not
		return true
	})
	return failed
}

// CopyRows is SetFrom of each row of sel, or of the first n, from a vector of numbers, times or booleans that are all of one type. It reports
// false, and has done nothing, for others.
func (v *Vector) CopyRows(src *Vector, sel Sel, n int) bool {
	var view Vector
	x := src
	if src.Const {
		if src.Null(0) || v.Type != src.Type && !v.Type.Dynamic() {
			return false
		}
		class := src.Class(0)
		var bits uint64
		switch class {
		case ClassInt, ClassTime:
			bits = uint64(src.Int(0))
		case ClassFloat:
			bits = math.Float64bits(src.Float(0))
		case ClassBool:
			if src.Bool(0) {
				bits = 1
			}
		default:
			return false
		}
		return v.setAll(class, bits, sel, n)
	}
	if x = src.Typed(&view); x.Type != Int && x.Type != Float && x.Type != Time {
		return false
	}
	nulls := x.Nulls.Any()
	if nulls && !v.Type.Dynamic() {
		return false
	}
	switch {
	case v.Type.Dynamic():
		class := x.Type.Class()
		to := v.Bits
		if x.Type == Float {
			copyRows(as[float64](to), x.Floats, sel, n)
		} else {
			copyRows(as[int64](to), x.Ints, sel, n)
		}
		switch {
		case sel == nil:
			fillClasses(v.Classes[:n], class)
		case !nulls:
			for _, i := range sel {
				v.Classes[i] = class
			}
		default:
			for _, i := range sel {
				if v.Classes[i] = class; x.Nulls.Get(int(i)) {
					v.Classes[i], v.Bits[i] = ClassNull, 0
				}
			}
			return true
		}
		if nulls {
			eachSet(x.Nulls, n, func(i int) { v.Classes[i], v.Bits[i] = ClassNull, 0 })
		}
		return true
	case v.Type != x.Type || v.Nulls.Any():
		return false
	case x.Type == Float:
		copyRows(v.Floats, x.Floats, sel, n)
	default:
		copyRows(v.Ints, x.Ints, sel, n)
	}
	return true
}

func copyRows[T int64 | float64](to, from []T, sel Sel, n int) {
	if sel == nil {
		copy(to[:n], from)
		return
	}
	for _, i := range sel {
		to[i] = from[i]
	}
}

// setAll makes rows one value.
func (v *Vector) setAll(class Class, bits uint64, sel Sel, n int) bool {
	if !v.Type.Dynamic() {
		if v.Nulls.Any() || class == ClassBool {
			return false
		}
		x := int64(bits)
		if class == ClassFloat {
			f := math.Float64frombits(bits)
			sel.All(n, func(i int) { v.Floats[i] = f })
			return true
		}
		sel.All(n, func(i int) { v.Ints[i] = x })
		return true
	}
	if sel == nil {
		fillClasses(v.Classes[:n], class)
		for i := range v.Bits[:n] {
			v.Bits[i] = bits
		}
		return true
	}
	for _, i := range sel {
		v.Classes[i], v.Bits[i] = class, bits
	}
	return true
}

// each calls f with each selected row until it returns false.
func each(sel Sel, n int, f func(i int) bool) {
	if sel == nil {
		for i := range n {
			if !f(i) {
				return
			}
		}
		return
	}
	for _, i := range sel {
		if !f(int(i)) {
			return
		}
	}
}

// eachSet calls f with each row below n that is in a set.
func eachSet(set Bitmap, n int, f func(i int)) {
	for w, x := range set {
		for ; x != 0; x &= x - 1 {
			if i := w<<6 + bits.TrailingZeros64(x); i < n {
				f(i)
			}
		}
	}
}

// FindUniform looks whether the rows of sel of a dynamic vector, the only ones anybody reads, are numbers or times of one class but for NULLs,
// and has it say so.
func (v *Vector) FindUniform(sel Sel) {
	if !v.Type.Dynamic() || v.Const || v.Len == 0 || v.Uniform != ClassNull {
		return
	}
	class, nulls := ClassNull, false
	ok := func(c Class) bool {
		switch {
		case c == class && c != ClassNull:
		case c == ClassNull:
			nulls = true
		case class == ClassNull && (c == ClassInt || c == ClassFloat || c == ClassTime):
			class = c
		default:
			return false
		}
		return true
	}
	if sel == nil {
		for _, c := range v.Classes {
			if !ok(c) {
				return
			}
		}
	} else {
		for _, i := range sel {
			if !ok(v.Classes[i]) {
				return
			}
		}
	}
	if class == ClassNull {
		return
	}
	v.Uniform, v.NoNulls = class, !nulls
	if v.Nulls = v.Nulls[:0]; !nulls {
		return
	}
	v.needNulls()
	for i, c := range v.Classes {
		if c == ClassNull {
			v.Nulls.Set(i)
		}
	}
}

// WithValue returns a dictionary with one text more, at the end.
func (d *Dict) WithValue(text []byte) *Dict {
	e := &Dict{Refs: append(make([]Ref, 0, len(d.Refs)+1), d.Refs...), Data: append(make([]byte, 0, len(d.Data)+len(text)), d.Data...)}
	e.Refs = append(e.Refs, MakeRef(len(e.Data), len(text)))
	e.Data = append(e.Data, text...)
	return e
}

// FillCoded makes v the texts of src, dynamic with a dictionary, and for NULL the last text of d, which is that dictionary with one more. It reports
// false, and has done nothing, when src is something else.
func (v *Vector) FillCoded(src *Vector, d *Dict, n int) bool {
	var view Vector
	x := src.Typed(&view)
	if !v.Type.Dynamic() || !src.Type.Dynamic() || x.Type != Text || x.Dict == nil || x.Const || len(d.Refs) != len(x.Dict.Refs)+1 {
		return false
	}
	v.Reset(v.Type)
	v.Len = n
	v.Classes = extend(v.Classes, n)
	v.ShareDict(d)
	v.Codes = append(v.Codes[:0], x.Codes[:n]...)
	last := uint32(len(d.Refs) - 1)
	eachSet(x.Nulls, n, func(i int) { v.Codes[i] = last })
	fillClasses(v.Classes, ClassText)
	v.Uniform, v.NoNulls, v.Nulls, v.CodesOnly = ClassText, true, v.Nulls[:0], true
	return true
}
