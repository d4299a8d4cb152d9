package exec

import (
	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner/vector"
)

// listAcc is array_agg: the text of a JSON array, without its brackets until the end. NULLs are elements.
type listAcc struct {
	textAcc
	buf []byte
}

func newListAcc(g *storeGate) *listAcc {
	return &listAcc{textAcc: textAcc{g: g, sep: []byte{','}}}
}

func (a *listAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	v := args[0]
	for k := range sel.Count(n) {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		t := a.have.at(int(groups[i]))
		var err error
		if t.have {
			err = a.append(t, a.sep)
		}
		if t.have = true; err == nil {
			err = a.value(t, v, i)
		}
		if err != nil {
			return &vector.RowError{Row: i, Err: err}
		}
	}
	return nil
}

// value adds row i of v as JSON.
func (a *listAcc) value(t *textParts, v *vector.Vector, i int) error {
	c, large := v.Class(i), v.DataLen(i) >= vector.LargeBytes
	switch {
	case c == vector.ClassBig || c == vector.ClassArray || c == vector.ClassObject:
		return a.append(t, v.Bytes(i))
	case c == vector.ClassText && large:
		return a.quote(t, v.Bytes(i))
	case c == vector.ClassBlob && large:
		return a.hex(t, v.Bytes(i))
	}
	a.buf = appendJSONText(a.buf[:0], v, i)
	return a.append(t, a.buf)
}

// pieceBytes is how much of a large value is written at once.
const pieceBytes = 1 << 12

// quote adds a large text as a JSON string, piece by piece.
func (a *listAcc) quote(t *textParts, s []byte) error {
	err := a.append(t, []byte{'"'})
	for len(s) > 0 && err == nil {
		n := min(len(s), pieceBytes)
		a.buf = payload.AppendQuoted(a.buf[:0], s[:n]) // byte by byte: a character may be cut
		err = a.append(t, a.buf[1:len(a.buf)-1])
		s = s[n:]
	}
	if err != nil {
		return err
	}
	return a.append(t, []byte{'"'})
}

// hex adds large bytes as their text.
func (a *listAcc) hex(t *textParts, s []byte) error {
	const digits = "0123456789abcdef"
	err := a.append(t, []byte(`"\\x`))
	for len(s) > 0 && err == nil {
		n := min(len(s), pieceBytes)
		a.buf = a.buf[:0]
		for _, b := range s[:n] {
			a.buf = append(a.buf, digits[b>>4], digits[b&15])
		}
		err = a.append(t, a.buf)
		s = s[n:]
	}
	if err != nil {
		return err
	}
	return a.append(t, []byte{'"'})
}

func (a *listAcc) merge(other accumulator, into []int32) error {
	return a.textAcc.merge(&other.(*listAcc).textAcc, into)
}

func (a *listAcc) size(g int) int { return a.textAcc.size(g) + len("[]") }

// result closes the array.
func (a *listAcc) result(out *vector.Vector, g int) error {
	t := a.have.at(g)
	if !t.have {
		out.AppendNull()
		return nil
	}
	return a.write(out, t, vector.ClassArray, "[", "]")
}

func (a *listAcc) bytes() int64 { return a.textAcc.bytes() + int64(cap(a.buf)) }
