package vector

import (
	"encoding/binary"
	"math/bits"
)

// truth is a value of three-valued logic.
type truth uint8

const (
	isFalse truth = iota
	isTrue
	unknown
)

// truthAt returns a row of a Bool or dynamic vector; a dynamic value that is no boolean is unknown, and counted.
func (s *State) truthAt(v *Vector, i int) truth {
	switch v.Class(i) {
	case ClassBool:
		if v.Bool(i) {
			return isTrue
		}
		return isFalse
	case ClassNull:
	default:
		s.OtherType++
	}
	return unknown
}

func setTruth(out *Vector, i int, t truth) {
	if t == unknown {
		out.SetNull(i)
		return
	}
	out.Bools[i] = t == isTrue
}

// And writes a AND b to out, as Bool. Operands are Bool or dynamic.
func (s *State) And(a, b, out *Vector, sel Sel, n int) {
	if plainBools(a, b) && sel == nil {
		out.Resize(Bool, n)
		x, y, o := a.Bools[:n], b.Bools[:n], out.Bools[:n]
		for i := range o {
			o[i] = x[i] && y[i]
		}
		return
	}
	table := [9]truth{isFalse, isFalse, isFalse, isFalse, isTrue, unknown, isFalse, unknown, unknown}
	s.logic(&table, a, b, out, sel, n)
}

// Or writes a OR b to out, as Bool. Operands are Bool or dynamic.
func (s *State) Or(a, b, out *Vector, sel Sel, n int) {
	if plainBools(a, b) && sel == nil {
		out.Resize(Bool, n)
		x, y, o := a.Bools[:n], b.Bools[:n], out.Bools[:n]
		for i := range o {
			o[i] = x[i] || y[i]
		}
		return
	}
	table := [9]truth{isFalse, isTrue, unknown, isTrue, isTrue, isTrue, unknown, isTrue, unknown}
	s.logic(&table, a, b, out, sel, n)
}

// plainBools reports whether both are Bool vectors with a row for each row, none of them NULL.
func plainBools(a, b *Vector) bool {
	return a.Type == Bool && b.Type == Bool && !a.Const && !b.Const && !a.Nulls.Any() && !b.Nulls.Any()
}

func (s *State) logic(table *[9]truth, a, b, out *Vector, sel Sel, n int) {
	out.Resize(Bool, n)
	if a.Type != Bool || b.Type != Bool || a.Const || b.Const {
		sel.All(n, func(i int) { setTruth(out, i, table[s.truthAt(a, i)*3+s.truthAt(b, i)]) })
		return
	}
	if sel == nil {
		for i := range n {
			setTruth(out, i, table[a.truth(i)*3+b.truth(i)])
		}
		return
	}
	for _, i := range sel {
		setTruth(out, int(i), table[a.truth(int(i))*3+b.truth(int(i))])
	}
}

// truth returns a row of a Bool vector that is not constant.
func (v *Vector) truth(i int) truth {
	if w := i >> 6; w < len(v.Nulls) && v.Nulls[w]>>(i&63)&1 != 0 {
		return unknown
	}
	if v.Bools[i] {
		return isTrue
	}
	return isFalse
}

// Not writes NOT a to out, as Bool.
func (s *State) Not(a, out *Vector, sel Sel, n int) {
	out.Resize(Bool, n)
	not := [3]truth{isTrue, isFalse, unknown}
	if a.Type == Bool && !a.Const && sel == nil {
		for i := range n {
			setTruth(out, i, not[a.truth(i)])
		}
		return
	}
	sel.All(n, func(i int) { setTruth(out, i, not[s.truthAt(a, i)]) })
}

// IsNull writes a IS NULL to out, as Bool, or a IS NOT NULL when not is set.
func IsNull(a, out *Vector, not bool, sel Sel, n int) {
	out.Resize(Bool, n)
	if !a.Const && a.Type.Dynamic() && sel == nil {
		for i, c := range a.Classes[:n] {
			out.Bools[i] = c == ClassNull != not
		}
		return
	}
	sel.All(n, func(i int) { out.Bools[i] = a.Null(i) != not })
}

// IsTruth writes a IS TRUE (want true) or a IS FALSE to out, as Bool, inverted when not is set. It never gives NULL.
func (s *State) IsTruth(a, out *Vector, want, not bool, sel Sel, n int) {
	out.Resize(Bool, n)
	w := isFalse
	if want {
		w = isTrue
	}
	sel.All(n, func(i int) { out.Bools[i] = (s.truthAt(a, i) == w) != not })
}

// SelectTrue appends to dst the rows of sel at which a condition is true: what WHERE keeps. dst may be sel[:0].
func (s *State) SelectTrue(cond *Vector, sel Sel, n int, dst Sel) Sel {
	if cond.Type != Bool || cond.Const {
		return s.selectWhere(cond, sel, n, dst, 1<<isTrue)
	}
	// Every row is written, and kept if it is true: without a branch that would be guessed wrong.
	b := asBytes(cond.Bools)
	at := len(dst)
	dst = extend(dst, at+sel.Count(n))
	switch {
	case sel == nil:
		for from := 0; from < n; from += 64 {
			null := uint64(0)
			if w := from >> 6; w < len(cond.Nulls) {
				null = cond.Nulls[w]
			}
			set := eightBits(b[from:min(n, from+64)]) &^ null
			if bits.OnesCount64(set) <= fewOf64 {
				for ; set != 0; set &= set - 1 {
					dst[at] = int32(from + bits.TrailingZeros64(set))
					at++
				}
				continue
			}
			for k := range min(64, n-from) {
				dst[at] = int32(from + k)
				at += int(set >> k & 1)
			}
		}
	case !cond.Nulls.Any():
		for _, i := range sel {
			dst[at] = i
			at += int(b[i])
		}
	default:
		for _, i := range sel {
			dst[at] = i
			if b[i] != 0 && !cond.Nulls.Get(int(i)) {
				at++
			}
		}
	}
	return notNil(dst[:at])
}

// fewOf64 is up to how many of 64 rows are looked for one by one.
const fewOf64 = 24

// eightBits gives at most 64 bytes that are 0 or 1 as bits. (Eight bytes are gathered by a multiplication that has each of them move to
// a place of its own in the highest byte.)
func eightBits(b []byte) (set uint64) {
	k := 0
	for ; k+8 <= len(b); k += 8 {
		set |= binary.LittleEndian.Uint64(b[k:]) * 0x0102040810204080 >> 56 << k
	}
	for ; k < len(b); k++ {
		set |= uint64(b[k]) << k
	}
	return set
}

// SelectNotFalse appends to dst the rows at which a condition is true or unknown: where the right side of AND must be known.
func (s *State) SelectNotFalse(cond *Vector, sel Sel, n int, dst Sel) Sel {
	return s.selectWhere(cond, sel, n, dst, 1<<isTrue|1<<unknown)
}

// SelectNotTrue appends to dst the rows at which a condition is false or unknown: where the right side of OR, or the next
// branch of CASE, must be known.
func (s *State) SelectNotTrue(cond *Vector, sel Sel, n int, dst Sel) Sel {
	return s.selectWhere(cond, sel, n, dst, 1<<isFalse|1<<unknown)
}

// SelectNull appends to dst the rows at which v is NULL: where the next argument of COALESCE must be known.
func SelectNull(v *Vector, sel Sel, n int, dst Sel) Sel {
	if v.Uniform != ClassNull && v.NoNulls || !v.HasNulls() {
		return notNil(dst)
	}
	sel.All(n, func(i int) {
		if v.Null(i) {
			dst = append(dst, int32(i))
		}
	})
	return notNil(dst)
}

// SelectNotNull appends to dst the rows of sel at which v, which is not constant, is not NULL. dst may be sel[:0].
func SelectNotNull(v *Vector, sel Sel, n int, dst Sel) Sel {
	at := len(dst)
	dst = extend(dst, at+sel.Count(n))
	switch {
	case v.Type.Dynamic() && sel == nil:
		for i, c := range v.Classes[:n] {
			dst[at] = int32(i)
			if c != ClassNull {
				at++
			}
		}
	case v.Type.Dynamic():
		for _, i := range sel {
			c := v.Classes[i]
			dst[at] = i
			if c != ClassNull {
				at++
			}
		}
	case sel == nil:
		for from := 0; from < n; from += 64 {
			valid := ^uint64(0)
			if w := from >> 6; w < len(v.Nulls) {
				valid = ^v.Nulls[w]
			}
			for i := from; i < min(n, from+64); i++ {
				dst[at] = int32(i)
				at += int(valid & 1)
				valid >>= 1
			}
		}
	default:
		for _, i := range sel {
			null := v.Nulls.Get(int(i))
			dst[at] = i
			if !null {
				at++
			}
		}
	}
	return notNil(dst[:at])
}

// SelectBetween appends to dst the places of the integers in [lo, hi].
func SelectBetween(ints []int64, lo, hi int64, dst Sel) Sel {
	at := len(dst)
	dst = extend(dst, at+len(ints))
	for i, x := range ints {
		dst[at] = int32(i)
		if x >= lo && x <= hi {
			at++
		}
	}
	return notNil(dst[:at])
}

func (s *State) selectWhere(cond *Vector, sel Sel, n int, dst Sel, want uint8) Sel {
	if cond.Type == Bool && !cond.Const {
		at := len(dst)
		dst = extend(dst, at+sel.Count(n))
		if sel == nil {
			for i := range n {
				dst[at] = int32(i)
				if want>>cond.truth(i)&1 != 0 {
					at++
				}
			}
		} else {
			for _, i := range sel {
				dst[at] = i
				if want>>cond.truth(int(i))&1 != 0 {
					at++
				}
			}
		}
		return notNil(dst[:at])
	}
	other := s.OtherType
	sel.All(n, func(i int) {
		if want>>s.truthAt(cond, i)&1 != 0 {
			dst = append(dst, int32(i))
		}
	})
	if want != 1<<isTrue {
		s.OtherType = other // And and Or look at the same rows again and count them
	}
	return notNil(dst)
}

// notNil makes an empty selection differ from none.
func notNil(s Sel) Sel {
	if s == nil {
		return Sel{}
	}
	return s
}
