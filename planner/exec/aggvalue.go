package exec

import (
	"cmp"
	"math"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/planner/vector"
)

// takes says which of two values of a group stays.
type takes uint8

const (
	takesFirst takes = iota
	takesLast
	takesLess
	takesGreater
)

// valueAcc keeps one value of each group: the least, the greatest, the first or the last.
type valueAcc struct {
	g     *storeGate
	takes takes
	nulls bool // NULLs are values too

	heads paged[valueHead]
	texts paged[[]byte] // of values that are bytes; reused by those that replace them
	held  int64         // bytes of texts
	coded codedTexts
	view  vector.Vector // the value being looked at
	typed vector.Vector // a column whose values are all of one type
	sel   vector.Sel
}

// valueHead is a value as in a dynamic vector, but for what Bits refers to.
type valueHead struct {
	bits  uint64
	class vector.Class
	have  bool
	coded bool // bits is the code of a text
}

func (a *valueAcc) grow(n int) { a.heads.grow(n) }

func (a *valueAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	v := args[0]
	if known := v.Type == vector.Int || v.Type == vector.Float || v.Type.Dynamic() && v.Uniform != vector.ClassNull; known && !v.Const && a.uniform(v.Typed(&a.typed), groups, sel, n) {
		return nil
	}
	if sel == nil && !v.Const && !v.HasNulls() && (v.Type == vector.Int || v.Type == vector.Float) {
		a.numbers(v, groups, n)
		return nil
	}
	if err := a.begin(v); err != nil {
		return err
	}
	for k := range sel.Count(n) {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if !a.nulls && v.Null(i) {
			continue
		}
		g := int(groups[i])
		if h := a.heads.at(g); h.have && !a.better(v, i, h, g) {
			continue
		}
		if err := a.put(g, v, i); err != nil {
			return &vector.RowError{Row: i, Err: err}
		}
	}
	return a.g.Fault()
}

func (a *valueAcc) merge(other accumulator, into []int32) error {
	o := other.(*valueAcc)
	var view vector.Vector
	err := eachMerged(a.g, into, func(from, to int) error {
		theirs := o.heads.at(from)
		if !theirs.have {
			return nil
		}
		v := o.look(&view, theirs, from)
		if h := a.heads.at(to); h.have && !a.better(v, 0, h, to) {
			return nil
		}
		return a.set(to, v, 0)
	})
	if err != nil {
		return err
	}
	return a.g.Fault()
}

// numbers is add of a column of integers or doubles without NULLs, whose groups have no values of other types.
func (a *valueAcc) numbers(v *vector.Vector, groups []int32, n int) {
	if v.Type == vector.Int {
		for i, x := range v.Ints[:n] {
			h := a.heads.at(int(groups[i]))
			if !h.have || a.takesNumber(cmp.Compare(x, int64(h.bits))) {
				*h = valueHead{bits: uint64(x), class: vector.ClassInt, have: true}
			}
		}
		return
	}
	for i, x := range v.Floats[:n] {
		h := a.heads.at(int(groups[i]))
		if !h.have || a.takesNumber(num.CompareFloats(x, math.Float64frombits(h.bits))) {
			*h = valueHead{bits: math.Float64bits(x), class: vector.ClassFloat, have: true}
		}
	}
}

// ints is add of integers that are not NULL, for min and max.
func (a *valueAcc) ints(v *vector.Vector, groups []int32, sel vector.Sel, n int) {
	less := a.takes == takesLess
	flat := a.heads.flat()
	one := func(h *valueHead, i int) {
		x := v.Ints[i]
		switch {
		case h.class == vector.ClassInt: // and so it has a value
			if y := int64(h.bits); x != y && x < y == less {
				h.bits = uint64(x)
			}
		case !h.have || a.better(v, i, h, int(groups[i])):
			*h = valueHead{bits: uint64(x), class: vector.ClassInt, have: true}
		}
	}
	switch {
	case a.heads.n == 1 && n > 0 && sel == nil:
		best := v.Ints[0]
		at := 0
		for i, x := range v.Ints[:n] {
			if x != best && x < best == less {
				best, at = x, i
			}
		}
		one(&flat[0], at)
	case flat != nil && sel == nil:
		for i, g := range groups[:n] {
			one(&flat[g], i)
		}
	case flat != nil:
		for _, i := range sel {
			one(&flat[groups[i]], int(i))
		}
	default:
		sel.All(n, func(i int) { one(a.heads.at(int(groups[i])), i) })
	}
}

// uniform is add of a column of integers, floats or times among which may be NULLs, while the groups may have values of other types: it
// reports false, and has done nothing, when that is not what v is.
func (a *valueAcc) uniform(v *vector.Vector, groups []int32, sel vector.Sel, n int) bool {
	class := v.Type.Class()
	if a.nulls || a.takes != takesLess && a.takes != takesGreater || class != vector.ClassInt && class != vector.ClassFloat {
		return false
	}
	if v.HasNulls() {
		a.sel = vector.SelectNotNull(v, sel, n, a.sel[:0])
		sel = a.sel
	}
	if class == vector.ClassInt {
		a.ints(v, groups, sel, n)
		return true
	}
	sel.All(n, func(i int) {
		x := v.Floats[i]
		h := a.heads.at(int(groups[i]))
		takes := h.class == class && a.takesNumber(num.CompareFloats(x, math.Float64frombits(h.bits)))
		if !h.have || takes || h.class != class && a.better(v, i, h, int(groups[i])) {
			*h = valueHead{bits: math.Float64bits(x), class: class, have: true}
		}
	})
	return true
}

// takesNumber reports whether a value replaces one that it compares with as c.
func (a *valueAcc) takesNumber(c int) bool {
	switch a.takes {
	case takesLess:
		return c < 0
	case takesGreater:
		return c > 0
	}
	return a.takes == takesLast
}

// better reports whether row i of v replaces the value of a group.
func (a *valueAcc) better(v *vector.Vector, i int, h *valueHead, g int) bool {
	var c int
	switch {
	case a.takes == takesFirst:
		return false
	case a.takes == takesLast:
		return true
	case h.class == vector.ClassInt && v.Class(i) == vector.ClassInt:
		c = cmp.Compare(v.Int(i), int64(h.bits))
	case h.class == vector.ClassFloat && v.Class(i) == vector.ClassFloat:
		c = num.CompareFloats(v.Float(i), math.Float64frombits(h.bits))
	default:
		c = a.g.CompareTotal(v, i, a.value(h, g), 0, false)
	}
	return c < 0 && a.takes == takesLess || c > 0 && a.takes == takesGreater
}

// text returns the bytes of a group's value, valid until it changes.
func (a *valueAcc) text(h *valueHead, g int) []byte {
	if h.coded {
		return a.coded.dict.Value(uint32(h.bits))
	}
	return *a.texts.at(g)
}

// value returns the value of a group as a vector of one row, valid until the next call.
func (a *valueAcc) value(h *valueHead, g int) *vector.Vector { return a.look(&a.view, h, g) }

// look makes view a vector of one row with the value of a group.
func (a *valueAcc) look(view *vector.Vector, h *valueHead, g int) *vector.Vector {
	view.Reset(vector.Any)
	if h.class.HasBytes() {
		view.AppendShared(h.class, a.text(h, g))
	} else {
		view.Grow(1)
		view.SetBits(0, h.class, h.bits)
	}
	return view
}

// set makes row i of v the value of a group.
func (a *valueAcc) set(g int, v *vector.Vector, i int) error {
	c := v.Class(i)
	h := a.heads.at(g)
	h.class, h.have, h.coded = c, true, false
	if !c.HasBytes() {
		a.view.Reset(vector.Any)
		a.view.AppendFrom(v, i)
		h.bits = a.view.Bits[0]
		return nil
	}
	b := a.bytesOf(v, i)
	a.texts.grow(a.heads.n)
	return a.g.keep(a.texts.at(g), b, &a.held)
}

// keep makes a copy of b in dst, which is used again when it is long enough; held counts what is new.
func (g *storeGate) keep(dst *[]byte, b []byte, held *int64) error {
	if cap(*dst) < len(b) {
		if err := g.acct.ask(int64(len(b))); err != nil && len(b) >= vector.LargeBytes {
			return g.refuse(err)
		}
		*held += int64(len(b) - cap(*dst))
		*dst = make([]byte, 0, len(b))
	}
	*dst = (*dst)[:0]
	for ; len(b) > stepBytes; b = b[stepBytes:] {
		*dst = append(*dst, b[:stepBytes]...)
		if err := g.Step(stepBytes); err != nil {
			return err
		}
	}
	*dst = append(*dst, b...)
	return nil
}

// bytesOf returns the bytes of row i of v, also of an interval.
func (a *valueAcc) bytesOf(v *vector.Vector, i int) []byte {
	if v.Type != vector.IntervalType {
		return v.Bytes(i)
	}
	a.view.Reset(vector.Any)
	a.view.AppendFrom(v, i)
	return a.view.Bytes(0)
}

func (a *valueAcc) size(g int) int {
	if h := a.heads.at(g); h.have && h.class.HasBytes() {
		return len(a.text(h, g))
	}
	return 0
}

func (a *valueAcc) result(out *vector.Vector, g int) error {
	h := a.heads.at(g)
	switch {
	case !h.have:
		out.AppendNull()
	case h.class.HasBytes() && h.class != vector.ClassInterval && a.size(g) >= vector.LargeBytes:
		out.AppendShared(h.class, a.text(h, g))
	default:
		out.AppendFrom(a.value(h, g), 0)
	}
	return nil
}

func (a *valueAcc) bytes() int64 {
	return a.heads.bytes() + a.texts.bytes() + a.held + a.coded.bytes() + int64(cap(a.sel)*4)
}

// textAcc is string_agg. The text of a group is kept in pieces that are not moved when it grows.
type textAcc struct {
	g    *storeGate
	sep  []byte
	have paged[textParts]
	held int64
}

type textParts struct {
	parts [][]byte
	n     int
	have  bool
}

func (a *textAcc) grow(n int) { a.have.grow(n) }

func (a *textAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	v := args[0]
	for k := range sel.Count(n) {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if v.Null(i) {
			continue
		}
		t := a.have.at(int(groups[i]))
		var err error
		if t.have {
			err = a.append(t, a.sep)
		}
		if t.have = true; err == nil {
			err = a.append(t, v.Bytes(i))
		}
		if err != nil {
			return &vector.RowError{Row: i, Err: err}
		}
	}
	return nil
}

func (a *textAcc) merge(other accumulator, into []int32) error {
	o := other.(*textAcc)
	return eachMerged(a.g, into, func(from, to int) error {
		t, theirs := a.have.at(to), o.have.at(from)
		if !theirs.have {
			return nil
		}
		if t.have {
			if err := a.append(t, a.sep); err != nil {
				return err
			}
		}
		t.have = true
		return a.share(t, theirs)
	})
}

// share adds the pieces of another text without copying them.
func (a *textAcc) share(t, other *textParts) error {
	if t.n += other.n; t.n > vector.MaxValueBytes {
		return vector.ErrValueTooLarge
	}
	for _, p := range other.parts {
		p = p[:len(p):len(p)] // what follows goes into a piece of its own
		t.parts = append(t.parts, p)
		a.held += int64(cap(p)) + 24
		if err := a.g.Step(rowStep); err != nil {
			return err
		}
	}
	return nil
}

// append adds bytes to a text.
func (a *textAcc) append(t *textParts, b []byte) error {
	if t.n += len(b); t.n > vector.MaxValueBytes {
		return vector.ErrValueTooLarge
	}
	for len(b) > 0 {
		k := len(t.parts) - 1
		if k < 0 || len(t.parts[k]) == cap(t.parts[k]) {
			// Each piece is as long as all before it, up to a limit.
			size := min(max(len(b), t.n-len(b), 16), chunkBytes)
			if size >= vector.LargeBytes {
				if err := a.g.acct.ask(int64(size)); err != nil {
					return a.g.refuse(err)
				}
			}
			t.parts = append(t.parts, make([]byte, 0, size))
			a.held += int64(size) + 24
			k++
			if err := a.g.Step(size); err != nil {
				return err
			}
		}
		n := min(len(b), cap(t.parts[k])-len(t.parts[k]))
		t.parts[k] = append(t.parts[k], b[:n]...)
		b = b[n:]
		if err := a.g.Step(n); err != nil {
			return err
		}
	}
	return nil
}

func (a *textAcc) size(g int) int { return a.have.at(g).n }

// result joins the pieces, and lets each go when it was copied.
func (a *textAcc) result(out *vector.Vector, g int) error {
	t := a.have.at(g)
	if !t.have {
		out.AppendNull()
		return nil
	}
	return a.write(out, t, vector.ClassText, "", "")
}

// write appends a text between two others to out.
func (a *textAcc) write(out *vector.Vector, t *textParts, c vector.Class, before, after string) error {
	n := t.n + len(before) + len(after)
	if n > vector.MaxValueBytes {
		return vector.ErrValueTooLarge
	}
	if n >= vector.LargeBytes {
		if err := a.g.Room(out, n); err != nil {
			return err
		}
	}
	at := len(out.Data)
	out.Data = append(out.Data, before...)
	for k, p := range t.parts {
		out.Data = append(out.Data, p...)
		t.parts[k] = nil
		a.held -= int64(cap(p)) + 24
		if err := a.g.Step(len(p)); err != nil {
			return err
		}
	}
	out.Data = append(out.Data, after...)
	out.AppendRef(c, vector.MakeRef(at, n))
	return nil
}

func (a *textAcc) bytes() int64 { return a.have.bytes() + a.held }
