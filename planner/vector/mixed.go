package vector

import (
	"encoding/binary"
	"errors"
)

// Columns of a log's fields have an odd value here and there: a text among a million numbers. A batch with one is no longer of one class, and
// its rows would be worked on one by one. Instead all of it is worked on as if it were, and the odd rows once more, each by its own class.

// usual returns the class of machine words that most of a few rows, taken from all over the vector, have: ClassInt, ClassFloat or ClassTime.
// It is ClassNull when there is none, and of a typed vector whose rows may be NULL.
func (v *Vector) usual() Class {
	const samples = 8
	class := ClassNull
	switch {
	case v.Len == 0:
	case v.Const:
		class = v.Class(0)
	case !v.Type.Dynamic():
		if !v.Nulls.Any() {
			class = v.Type.Class()
		}
	default:
		alike := 0
		for k := range samples {
			if c := v.Classes[k*v.Len/samples]; c == class {
				alike++
			} else if class == ClassNull || alike == 0 {
				class, alike = c, 1
			} else {
				alike--
			}
		}
		if alike == 0 {
			return ClassNull
		}
	}
	if class == ClassInt || class == ClassFloat || class == ClassTime {
		return class
	}
	return ClassNull
}

// words makes dst the rows of v as if all were of a class of machine words; what rows of others have there means nothing.
func (v *Vector) words(class Class, dst *Vector) *Vector {
	if !v.Type.Dynamic() {
		return v
	}
	*dst = Vector{Len: v.Len, Const: v.Const, shared: true}
	switch class {
	case ClassFloat:
		dst.Type, dst.Floats = Float, as[float64](v.Bits)
	case ClassTime:
		dst.Type, dst.Ints = Time, as[int64](v.Bits)
	default:
		dst.Type, dst.Ints = Int, as[int64](v.Bits)
	}
	return dst
}

// AppendOdd appends the rows of sel, or of the first n, that are not of a class.
func (v *Vector) AppendOdd(class Class, sel Sel, n int, odd Sel) Sel {
	if v.Const || !v.Type.Dynamic() {
		return odd // see usual
	}
	if sel != nil {
		for _, i := range sel {
			if v.Classes[i] != class {
				odd = append(odd, i)
			}
		}
		return odd
	}
	i := 0
	for alike := uint64(class) * 0x0101_0101_0101_0101; i+8 <= n; i += 8 {
		c := v.Classes[i : i+8 : i+8]
		if binary.LittleEndian.Uint64(asClassBytes(c)) == alike {
			continue
		}
		for k, of := range c {
			if of != class {
				odd = append(odd, int32(i+k))
			}
		}
	}
	for ; i < n; i++ {
		if v.Classes[i] != class {
			odd = append(odd, int32(i))
		}
	}
	return odd
}

// Without appends the rows of sel, or of the first n, that are not in odd, whose rows are in the same order.
func (sel Sel) Without(odd Sel, n int, to Sel) Sel {
	if to == nil {
		to = Sel{} // not all rows
	}
	row := func(i int32) {
		if len(odd) > 0 && odd[0] == i {
			odd = odd[1:]
			return
		}
		to = append(to, i)
	}
	if sel == nil {
		for i := range int32(n) {
			row(i)
		}
		return to
	}
	for _, i := range sel {
		row(i)
	}
	return to
}

// Usual returns the class that most rows of a dynamic vector may have, if it is one of machine words, and the rows as those of a typed vector,
// which shares its memory. Rows of another class, which AppendOdd finds, mean nothing there. It returns ClassNull when there is no such class.
func (v *Vector) Usual(dst *Vector) (Class, *Vector) {
	class := v.usual()
	if class == ClassNull || !v.Type.Dynamic() || v.CodesOnly {
		return ClassNull, nil
	}
	return class, v.words(class, dst)
}

// pair is two operands of which at least one is dynamic, as what most of their rows are, and the rows that are not.
type pair struct {
	x, y *Vector
	odd  Sel
}

func (s *State) pairOf(a, b *Vector, sel Sel, n int) (p pair, ok bool) {
	if !a.Type.Dynamic() && !b.Type.Dynamic() || a.Const && b.Const || a.CodesOnly || b.CodesOnly {
		return p, false
	}
	ca, cb := a.usual(), b.usual()
	if ca == ClassNull || cb == ClassNull {
		return p, false
	}
	p.x, p.y = a.words(ca, &s.a), b.words(cb, &s.b)
	s.odd = a.AppendOdd(ca, sel, n, s.odd[:0])
	if mid := len(s.odd); !b.Const && b.Type.Dynamic() {
		if mid == 0 {
			s.odd = b.AppendOdd(cb, sel, n, s.odd)
		} else { // in order, each row once
			s.odd = s.odd[:0]
			sel.All(n, func(i int) {
				if a.Class(i) != ca || b.Classes[i] != cb {
					s.odd = append(s.odd, int32(i))
				}
			})
		}
	}
	p.odd = s.odd
	return p, true
}

// arithMixed is Arith of operands most of whose rows are numbers; false when it does not do them.
func (s *State) arithMixed(op ArithOp, t Type, a, b, out *Vector, sel Sel, n int) (done bool, err error) {
	p, ok := s.pairOf(a, b, sel, n)
	if !ok || !numeric(p.x.Type) || !numeric(p.y.Type) {
		return false, nil
	}
	result, _ := ArithType(op, p.x.Type, p.y.Type)
	if result == Any || t != Any && t != result {
		return false, nil
	}
	out.Resize(t, n)
	to := out
	if t == Any {
		to = &s.c
		*to = Vector{Type: result, Len: n, Ints: as[int64](out.Bits), Floats: as[float64](out.Bits), shared: true}
		fillClasses(out.Classes, result.Class())
	}
	calculate := arithInts
	if result == Float {
		calculate = arithFloats
	}
	if err = calculate(op, p.x, p.y, to, sel, n); err != nil && len(p.odd) > 0 { // of a row that means nothing, perhaps
		s.even = sel.Without(p.odd, n, s.even[:0])
		err = calculate(op, p.x, p.y, to, s.even, n)
	}
	failed := n
	if of, ok := errors.AsType[*RowError](err); ok {
		failed = of.Row
	}
	uniform := t == Any && err == nil
	for _, i := range p.odd {
		if int(i) > failed {
			break
		}
		if err := s.arithAt(op, a, b, out, int(i)); err != nil {
			return true, &RowError{int(i), err}
		}
		uniform = uniform && (out.Classes[i] == ClassNull || out.Classes[i] == result.Class())
	}
	if !uniform {
		return true, err
	}
	out.Uniform, out.NoNulls = result.Class(), true
	out.Nulls = out.Nulls[:0]
	for _, i := range p.odd {
		if out.Classes[i] == ClassNull {
			out.NoNulls = false
			out.needNulls()
			out.Nulls.Set(int(i))
		}
	}
	return true, nil
}

// compareMixed is Compare of operands most of whose rows are of one class; false when it does not do them.
func (s *State) compareMixed(op CompareOp, a, b, out *Vector, sel Sel, n int) bool {
	p, ok := s.pairOf(a, b, sel, n)
	switch {
	case !ok || a.Const:
		return false
	case numeric(p.x.Type) && numeric(p.y.Type):
		if !compareNumbers(op, p.x, p.y, out, sel, n) {
			return false
		}
	case p.x.Type == Time && p.y.Type == Time:
		compareOrdered(op, p.x.Ints, p.y.Ints, p.y.Const, out.Bools, sel, n)
	default:
		return false
	}
	holds := op.holds()
	for _, i := range p.odd {
		s.compareAt(holds, a, b, out, int(i))
	}
	return true
}
