package vector

import (
	"encoding/binary"
	"math/bits"
)

// isBools reports whether v is a Bool vector with a row for each row.
func (v *Vector) isBools() bool { return v.Type == Bool && !v.Const }

// copyBools makes v the first n rows of a Bool vector.
func (v *Vector) copyBools(a *Vector, n int) {
	v.Resize(Bool, n)
	copy(v.Bools, a.Bools[:n])
	v.Nulls = append(v.Nulls, a.Nulls[:min(len(a.Nulls), words(n))]...)
}

// OrRows makes v v OR b at the rows of sel. Both are Bool and not constant.
func (v *Vector) OrRows(b *Vector, sel Sel, n int) { v.combine(b, sel, n, true) }

// AndRows makes v v AND b at the rows of sel. Both are Bool and not constant.
func (v *Vector) AndRows(b *Vector, sel Sel, n int) { v.combine(b, sel, n, false) }

// combine decides rows that are open: b decides one with the value that decides the operation; and NULL is left where neither side does.
func (v *Vector) combine(b *Vector, sel Sel, n int, or bool) {
	x, y := asBytes(v.Bools[:n]), asBytes(b.Bools[:n])
	if !v.Nulls.Any() && !b.Nulls.Any() {
		switch {
		case sel == nil && or:
			for i := range x {
				x[i] |= y[i]
			}
		case sel == nil:
			for i := range x {
				x[i] &= y[i]
			}
		case or:
			for _, i := range sel {
				x[i] |= y[i]
			}
		default:
			for _, i := range sel {
				x[i] &= y[i]
			}
		}
		return
	}
	v.needNulls()
	nulls := v.Nulls
	flip := byte(1) // the value that decides is 1 after it is flipped
	if or {
		flip = 0
	}
	row := func(i int) {
		w, k := i>>6, i&63
		p, q := nulls[w]>>k&1, uint64(0)
		if w < len(b.Nulls) {
			q = b.Nulls[w] >> k & 1
		}
		decided := uint64(x[i]^flip)&^p | uint64(y[i]^flip)&^q
		x[i] = byte(decided) ^ flip
		nulls[w] = nulls[w]&^(1<<k) | ((p|q)&^decided)<<k
	}
	if sel != nil {
		for _, i := range sel {
			row(int(i))
		}
		return
	}
	for i := range x {
		row(i)
	}
}

// selectBools appends to dst the rows of sel at which a Bool vector is one of what is wanted, a set of truths.
func selectBools(cond *Vector, sel Sel, n int, dst Sel, want uint8) Sel {
	// Every row is written, and kept if it is wanted: without a branch that would be guessed wrong.
	b := asBytes(cond.Bools)
	at := len(dst)
	dst = extend(dst, at+sel.Count(n))
	unknowns := uint64(0)
	if want>>unknown&1 != 0 {
		unknowns = ^uint64(0)
	}
	flip := uint64(0) // of what is wanted of the rows that are known
	if want>>isFalse&1 != 0 {
		flip = ^uint64(0)
	}
	nulls := cond.Nulls
	switch {
	case sel == nil:
		for from := 0; from < n; from += 64 {
			null := uint64(0)
			if w := from >> 6; w < len(nulls) {
				null = nulls[w]
			}
			to := min(n, from+64)
			set := (eightBits(b[from:to])^flip)&^null | null&unknowns
			set &= ^uint64(0) >> (64 - (to - from))
			if bits.OnesCount64(set) <= fewOf64 {
				for ; set != 0; set &= set - 1 {
					dst[at] = int32(from + bits.TrailingZeros64(set))
					at++
				}
				continue
			}
			for k := range to - from {
				dst[at] = int32(from + k)
				at += int(set >> k & 1)
			}
		}
	case !nulls.Any():
		f := byte(flip & 1)
		for _, i := range sel {
			dst[at] = i
			at += int(b[i] ^ f)
		}
	default:
		for _, i := range sel {
			dst[at] = i
			null := uint64(0)
			if w := int(i) >> 6; w < len(nulls) {
				null = nulls[w] >> (i & 63) & 1
			}
			at += int((uint64(b[i])^flip)&1&^null | null&unknowns)
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
