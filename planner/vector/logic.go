package vector

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

// Truth writes a condition, Bool or dynamic, to out as Bool: what is no boolean is NULL.
func (s *State) Truth(a, out *Vector, sel Sel, n int) {
	if a.isBools() {
		out.copyBools(a, n)
		return
	}
	out.Resize(Bool, n)
	sel.All(n, func(i int) { setTruth(out, i, s.truthAt(a, i)) })
}

// Not writes NOT a to out, as Bool.
func (s *State) Not(a, out *Vector, sel Sel, n int) {
	if a.isBools() {
		out.copyBools(a, n)
		for i, x := range asBytes(out.Bools[:n]) {
			out.Bools[i] = x == 0
		}
		return
	}
	out.Resize(Bool, n)
	not := [3]truth{isTrue, isFalse, unknown}
	sel.All(n, func(i int) { setTruth(out, i, not[s.truthAt(a, i)]) })
}

// IsNull writes a IS NULL to out, as Bool, or a IS NOT NULL when not is set.
func IsNull(a, out *Vector, not bool, sel Sel, n int) {
	out.Resize(Bool, n)
	if !a.Const && a.Type.Dynamic() && a.Uniform != ClassNull && a.NoNulls {
		for i := range out.Bools {
			out.Bools[i] = not
		}
		return
	}
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
	return s.selectWhere(cond, sel, n, dst, 1<<isTrue)
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
	if cond.isBools() {
		return selectBools(cond, sel, n, dst, want)
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
