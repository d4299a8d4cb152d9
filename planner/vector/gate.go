package vector

import (
	"bytes"

	"github.com/seed69692123/netdb/internal/num"
)

// Gate is what a kernel asks before it takes much memory or time. An error of it ends the kernel and is returned as it is.
type Gate interface {
	// Room is called before v.Data grows by n bytes, or scratch to n bytes when v is nil. v.Data has room for them then.
	Room(v *Vector, n int) error
	// Step is called when about n bytes more are worked on; now and then it looks whether the result is still wanted.
	Step(n int) error
	// Pace is Step in the form for the readers of large values.
	Pace() *num.Pace
}

// LargeBytes is the size from which on a single value is large: copies and keys of it ask the gate.
const LargeBytes = 1 << 16

// room asks the gate, if there is one, for n bytes.
func (s *State) room(v *Vector, n int) error {
	if s.Gate == nil {
		return nil
	}
	return s.Gate.Room(v, n)
}

// Fault returns the gate's error that ended a kernel which cannot return one: Compare, Hash and equality of large values. Its
// results are arbitrary then.
func (s *State) Fault() error { return s.fault }

// DataLen returns how many bytes of Data row i refers to.
func (v *Vector) DataLen(i int) int {
	if c := v.Class(i); c.HasBytes() && (c != ClassInterval || v.Type.Dynamic()) {
		return len(v.Bytes(i))
	}
	return 0
}

// DataTotal returns the sum of DataLen over rows that are alive.
func (v *Vector) DataTotal(sel Sel, n int) int {
	sum := 0
	switch {
	case v.Const:
		return sel.Count(n) * v.DataLen(0)
	case v.Type == Text || v.Type == Blob, v.Uniform.HasBytes() && v.NoNulls && v.Type.Dynamic():
		refs := v.Refs
		switch {
		case v.CodesOnly, v.Dict != nil && !v.Type.Dynamic():
			nulls := v.Type != Any && v.Type != JSON && v.Nulls.Any()
			sel.All(n, func(i int) {
				if !nulls || !v.Nulls.Get(i) {
					sum += v.Dict.Refs[v.Codes[i]].Len()
				}
			})
			return sum
		case v.Type.Dynamic():
			refs = as[Ref](v.Bits)
		}
		nulls := !v.Type.Dynamic() && v.Nulls.Any()
		sel.All(n, func(i int) {
			if !nulls || !v.Nulls.Get(i) {
				sum += refs[i].Len()
			}
		})
	case v.Type.Dynamic() && (v.Uniform == ClassNull || v.Uniform.HasBytes()):
		sel.All(n, func(i int) {
			if v.Classes[i].HasBytes() {
				sum += len(v.Bytes(i))
			}
		})
	}
	return sum
}

// AddData copies bytes to the Data of v and returns where they are.
func (s *State) AddData(v *Vector, b []byte) (Ref, error) {
	if len(b) > MaxValueBytes {
		return 0, ErrValueTooLarge
	}
	if err := s.room(v, len(b)); err != nil {
		return 0, err
	}
	off, n := len(v.Data), len(b)
	for s.Gate != nil && len(b) > num.PaceBytes {
		v.Data = append(v.Data, b[:num.PaceBytes]...)
		b = b[num.PaceBytes:]
		if err := s.Gate.Step(num.PaceBytes); err != nil {
			return 0, err
		}
	}
	v.Data = append(v.Data, b...)
	return MakeRef(off, n), nil
}

// SetFrom is Vector.SetFrom, asking the gate for the bytes of the value.
func (s *State) SetFrom(v *Vector, i int, src *Vector, j int) error {
	c := src.Class(j)
	if !c.HasBytes() || c == ClassInterval {
		v.SetFrom(i, src, j)
		return nil
	}
	r, err := s.AddData(v, src.Bytes(j))
	if err != nil {
		return err
	}
	if !v.Type.Dynamic() && i>>6 < len(v.Nulls) {
		v.Nulls.Clear(i)
	}
	v.SetRef(i, c, r)
	return nil
}

// keyJSONFactor bounds what the key of a JSON text takes: the array [1,1] has 11 bytes for each two.
const keyJSONFactor = 6

// AppendSortKey appends a value as AppendSortKey does, asking the gate when it is large.
func (s *State) AppendSortKey(dst []byte, v *Vector, i int, descending bool) ([]byte, error) {
	n := v.DataLen(i)
	if n < LargeBytes || s.Gate == nil {
		return AppendSortKey(dst, v, i, descending), nil
	}
	at := len(dst)
	dst, err := s.appendLarge(dst, v, i)
	if err == nil && descending {
		num.Invert(dst[at:])
		err = s.Gate.Step(n)
	}
	return dst, err
}

// appendLarge is AppendKey of a large value.
func (s *State) appendLarge(dst []byte, v *Vector, i int) ([]byte, error) {
	c, b := v.Class(i), v.Bytes(i)
	n := len(b)
	switch c {
	case ClassArray, ClassObject:
		n *= keyJSONFactor
	case ClassText, ClassBlob:
		n += bytes.Count(b, []byte{0}) + 3
	}
	if n += len(dst); n > cap(dst) {
		if err := s.Gate.Room(nil, n); err != nil {
			return dst, err
		}
		if c != ClassArray && c != ClassObject {
			dst = append(make([]byte, 0, n), dst...)
		}
	}
	pace := s.Gate.Pace()
	switch c {
	case ClassArray, ClassObject:
		dst = num.KeyJSONPaced(dst, b, pace)
	case ClassText:
		dst = num.KeyTextPaced(dst, b, pace)
	case ClassBlob:
		dst = num.KeyBlobPaced(dst, b, pace)
	default:
		dst = AppendKey(dst, v, i)
	}
	return dst, s.Gate.Step(0)
}

// scratchKey writes the key of a value to scratch. After a fault it is empty.
func (s *State) scratchKey(scratch []byte, v *Vector, i int) []byte {
	if s.fault != nil {
		return scratch[:0]
	}
	if s.Gate == nil || v.DataLen(i) < LargeBytes {
		return AppendKey(scratch[:0], v, i)
	}
	scratch, s.fault = s.appendLarge(scratch[:0], v, i)
	return scratch
}
