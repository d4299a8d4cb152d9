package vector

import (
	"bytes"
	"slices"

	"github.com/seed69692123/netdb/internal/num"
)

// This file is about whole rows, for grouping, joins, DISTINCT and ORDER BY: every type has its place there, NULL equals
// NULL, and numbers are equal by value.

// Hash writes to out[i] the hash of row i of the columns, for the rows of sel; out must reach over n rows. Equal rows have
// equal hashes; a hash is the same within a process only, so no order may follow from it.
func (s *State) Hash(cols []*Vector, sel Sel, n int, out []uint64) {
	sel.All(n, func(i int) { out[i] = 0 })
	for _, v := range cols {
		if v.Type == Int && !v.Const && len(v.Nulls) == 0 {
			x := v.Ints
			sel.All(n, func(i int) { out[i] = num.Combine(out[i], num.HashInt(x[i])) })
			continue
		}
		var view Vector
		if x := v.Typed(&view); x.Type == Text && !x.Const && !x.Nulls.Any() && x.Dict == nil {
			sel.All(n, func(i int) { out[i] = num.Combine(out[i], num.HashBytes(x.Refs[i].In(x.Data))+uint64(ClassText)) })
			continue
		}
		sel.All(n, func(i int) { out[i] = num.Combine(out[i], s.HashValue(v, i)) })
	}
}

// HashValue returns the hash of one value.
func (s *State) HashValue(v *Vector, i int) uint64 {
	switch c := v.Class(i); c {
	case ClassNull:
		return 0x6e756c6c
	case ClassBool:
		if v.Bool(i) {
			return 0x74727565
		}
		return 0x66616c73
	case ClassInt:
		return num.HashInt(v.Int(i))
	case ClassFloat:
		return num.HashFloat(v.Float(i))
	case ClassBig:
		return num.HashBig(v.Bytes(i))
	case ClassText, ClassBlob:
		return num.HashBytes(v.Bytes(i)) + uint64(c)
	case ClassTime, ClassDate:
		return num.HashInt(v.Int(i)) + uint64(c)
	default:
		s.scratch = s.scratchKey(s.scratch, v, i)
		return num.HashBytes(s.scratch)
	}
}

// EqualRows reports whether row i of a equals row j of b, which have the same number of columns.
func (s *State) EqualRows(a []*Vector, i int, b []*Vector, j int) bool {
	for k := range a {
		if !s.EqualValues(a[k], i, b[k], j) {
			return false
		}
	}
	return true
}

// EqualValues reports whether two values are equal for grouping: NULL equals NULL, values of different types differ.
func (s *State) EqualValues(a *Vector, i int, b *Vector, j int) bool {
	ca, cb := a.Class(i), b.Class(j)
	if ca.rank() != cb.rank() {
		return false
	}
	if ca == ClassText || ca == ClassBlob {
		return bytes.Equal(a.Bytes(i), b.Bytes(j))
	}
	return ca == ClassNull || s.compareSame(ca, a, i, cb, b, j) == 0
}

// CompareTotal orders two values of any types: by class, then by value; NULL is last, also when descending.
func (s *State) CompareTotal(a *Vector, i int, b *Vector, j int, descending bool) int {
	ca, cb := a.Class(i), b.Class(j)
	ra, rb := ca.rank(), cb.rank()
	var c int
	switch {
	case ra != rb:
		c = ra - rb
		if ca == ClassNull || cb == ClassNull {
			return c
		}
	case ca == ClassNull:
		return 0
	default:
		c = s.compareSame(ca, a, i, cb, b, j)
	}
	if descending {
		return -c
	}
	return c
}

// CompareRows orders row i of a and row j of b by their columns; descending[k] turns the order of column k.
func (s *State) CompareRows(a []*Vector, i int, b []*Vector, j int, descending []bool) int {
	for k := range a {
		if c := s.CompareTotal(a[k], i, b[k], j, descending[k]); c != 0 {
			return c
		}
	}
	return 0
}

// AppendKey appends a value as bytes that compare as CompareTotal orders values, ascending, and are equal exactly if the
// values are. No key is the beginning of another, so the keys of several columns may follow each other.
func AppendKey(dst []byte, v *Vector, i int) []byte {
	switch v.Class(i) {
	case ClassNull:
		return num.KeyNull(dst)
	case ClassBool:
		return num.KeyBool(dst, v.Bool(i))
	case ClassInt:
		return num.KeyInt(dst, v.Int(i))
	case ClassBig:
		return num.KeyBig(dst, v.Bytes(i))
	case ClassFloat:
		return num.KeyFloat(dst, v.Float(i))
	case ClassText:
		return num.KeyText(dst, v.Bytes(i))
	case ClassBlob:
		return num.KeyBlob(dst, v.Bytes(i))
	case ClassTime:
		return num.KeyTime(dst, v.Int(i))
	case ClassDate:
		return num.KeyDate(dst, v.Int(i))
	case ClassInterval:
		days, nanos := v.Interval(i).span()
		return num.KeySpan(dst, days, nanos)
	default:
		return num.KeyJSON(dst, v.Bytes(i))
	}
}

// AppendSortKey appends a value as bytes that compare as CompareTotal orders values in the given direction.
func AppendSortKey(dst []byte, v *Vector, i int, descending bool) []byte {
	at := len(dst)
	dst = AppendKey(dst, v, i)
	if descending && !v.Null(i) {
		num.Invert(dst[at:])
	}
	return dst
}

// Gather replaces v with the rows of src that idx names, in that order; a row may occur many times, and -1 gives NULL. Text
// and bytes are not copied: v shares Data and Dict with src and is valid as long as src is.
func (v *Vector) Gather(src *Vector, idx []int32) {
	v.Reset(src.Type)
	n := len(idx)
	mask := int32(src.mask())
	switch {
	case src.Type.Dynamic():
		v.gatherDynamic(src, idx, mask)
	case src.Dict != nil:
		v.Codes = gather(v.Codes, src.Codes, idx, mask)
		v.Dict = src.Dict
	case src.Type == Bool:
		v.Bools = gather(v.Bools, src.Bools, idx, mask)
	case src.Type == Float:
		v.Floats = gather(v.Floats, src.Floats, idx, mask)
	case src.Type == IntervalType:
		v.Intervals = gather(v.Intervals, src.Intervals, idx, mask)
	case src.Type == Text || src.Type == Blob:
		v.Refs = gather(v.Refs, src.Refs, idx, mask)
	default:
		v.Ints = gather(v.Ints, src.Ints, idx, mask)
	}
	v.Len = n
	if !src.Type.Dynamic() {
		for k, i := range idx {
			if i < 0 || len(src.Nulls) > 0 && src.Nulls.Get(int(i&mask)) {
				v.SetNull(k)
			}
		}
	}
	if v.Dict == nil || src.Type.Dynamic() {
		v.ShareData(src)
	}
}

func (v *Vector) gatherDynamic(src *Vector, idx []int32, mask int32) {
	v.Uniform, v.NoNulls, v.CodesOnly = src.Uniform, src.NoNulls, src.CodesOnly
	v.Classes = gather(v.Classes, src.Classes, idx, mask)
	for _, i := range idx {
		if i < 0 {
			v.NoNulls = false
			break
		}
	}
	if !v.CodesOnly {
		v.Bits = gather(v.Bits, src.Bits, idx, mask)
	} else if src.Written.Any() {
		v.Written = extend(v.Written, words(len(idx)))
		clear(v.Written)
		for k, i := range idx {
			if i >= 0 && src.Written.Get(int(i&mask)) {
				v.Written.Set(k)
			}
		}
	}
	if src.Dict != nil {
		v.Codes = gather(v.Codes, src.Codes, idx, mask)
		v.Dict = src.Dict
	}
	if v.Uniform != ClassNull && !v.NoNulls {
		v.Nulls = extend(v.Nulls, words(len(idx)))
		clear(v.Nulls)
		for k, c := range v.Classes {
			if c == ClassNull {
				v.Nulls.Set(k)
			}
		}
	}
}

func gather[E any](dst, src []E, idx []int32, mask int32) []E {
	dst = extend(dst, len(idx))
	var zero E
	for k, i := range idx {
		if i < 0 {
			dst[k] = zero
			continue
		}
		dst[k] = src[i&mask]
	}
	return dst
}

// AppendRows appends copies of the rows of src that sel selects of its first n.
func (v *Vector) AppendRows(src *Vector, sel Sel, n int) {
	if sel == nil && !src.Const && src.Dict == nil && src.Type == v.Type && len(src.Data) == 0 {
		v.appendPlain(src, n)
		return
	}
	if v.Type.Dynamic() && src.Type.Dynamic() && !src.Const {
		v.appendDynamic(src, sel, n)
		return
	}
	sel.All(n, func(i int) { v.AppendFrom(src, i) })
}

// appendDynamic appends copies of rows of a dynamic vector to another.
func (v *Vector) appendDynamic(src *Vector, sel Sel, n int) {
	v.Classes, v.Bits = slices.Grow(v.Classes, sel.Count(n)), slices.Grow(v.Bits, sel.Count(n))
	classes, bits, data := v.Classes, v.Bits, v.Data
	sel.All(n, func(i int) {
		c, x := src.Classes[i], uint64(0)
		switch {
		case c.HasBytes():
			off := len(data)
			data = append(data, src.Bytes(i)...)
			x = uint64(MakeRef(off, len(data)-off))
		case !src.CodesOnly:
			x = src.Bits[i]
		case src.Written.Get(i):
			x = 1
		}
		classes, bits = append(classes, c), append(bits, x)
	})
	v.Classes, v.Bits, v.Data = classes, bits, data
	v.Len, v.Uniform, v.Most = len(classes), ClassNull, 0
}

// appendPlain appends the first n rows of a vector of the same type that has no bytes.
func (v *Vector) appendPlain(src *Vector, n int) {
	at := v.Len
	v.Len += n
	switch v.Type {
	case Bool:
		v.Bools = append(v.Bools, src.Bools[:n]...)
	case Int, Time, Date:
		v.Ints = append(v.Ints, src.Ints[:n]...)
	case Float:
		v.Floats = append(v.Floats, src.Floats[:n]...)
	case IntervalType:
		v.Intervals = append(v.Intervals, src.Intervals[:n]...)
	case Any, JSON:
		v.Classes = append(v.Classes, src.Classes[:n]...)
		v.Bits = append(v.Bits, src.Bits[:n]...)
		return
	case Text, Blob:
		v.Refs = append(v.Refs, src.Refs[:n]...)
	}
	if src.Nulls.Any() {
		for i := range n {
			if src.Nulls.Get(i) {
				v.SetNull(at + i)
			}
		}
	}
}

// CopyFrom makes v a vector of its own with the first n rows of src, which may be constant or dictionary-coded.
func (v *Vector) CopyFrom(src *Vector, n int) {
	v.Reset(src.Type)
	v.AppendRows(src, nil, n)
}

// MemoryBytes returns the bytes that the vector's own slices hold.
func (v *Vector) MemoryBytes() int64 {
	if v.shared {
		return 0
	}
	return v.DataBytes() + int64(cap(v.Nulls)*8+cap(v.Bools)+cap(v.Ints)*8+cap(v.Floats)*8+cap(v.Intervals)*16+cap(v.Classes)+
		cap(v.Bits)*8+cap(v.Refs)*8)
}

// DataBytes returns the bytes that the vector's own Data holds.
func (v *Vector) DataBytes() int64 {
	if v.shared || v.sharedData {
		return 0
	}
	return int64(cap(v.Data))
}
