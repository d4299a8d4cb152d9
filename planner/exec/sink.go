package exec

import (
	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner/vector"
)

// sink takes the parts of a value whose length is not known before. The first parts go to a small buffer; when that is full the
// rest is only counted, and the value is made once more where it belongs, after its memory was asked for.
type sink struct {
	c     *call
	buf   []byte
	n     int
	count bool // buf is full
	out   bool // buf is the place of the value
}

// build writes what emit adds as row i. emit is called twice when that is much, and must add the same both times.
func (c *call) build(i int, class vector.Class, emit func(w *sink) error) error {
	w := &c.sink
	*w = sink{c: c, buf: w.buf[:0]}
	if err := emit(w); err != nil {
		return err
	}
	if !w.count {
		r, err := c.AddData(&c.out, w.buf)
		if err == nil {
			c.out.SetRef(i, class, r)
		}
		return err
	}
	if err := c.Room(&c.out, w.n); err != nil {
		return err
	}
	at := len(c.out.Data)
	second := sink{c: c, buf: c.out.Data, out: true}
	if err := emit(&second); err != nil {
		return err
	}
	c.out.Data = second.buf
	c.out.SetRef(i, class, vector.MakeRef(at, len(c.out.Data)-at))
	return nil
}

// add adds bytes.
func (w *sink) add(b []byte) error {
	w.n += len(b)
	switch {
	case w.n > vector.MaxValueBytes:
		return vector.ErrValueTooLarge
	case w.out:
		return w.c.pieces(b, func(part []byte) { w.buf = append(w.buf, part...) })
	case !w.count && w.n <= vector.LargeBytes:
		w.buf = append(w.buf, b...)
	default:
		w.count = true
	}
	return w.c.Step(len(b))
}

func (w *sink) addString(s string) error {
	if !w.out && !w.count && w.n+len(s) <= vector.LargeBytes {
		w.buf = append(w.buf, s...)
		w.n += len(s)
		return nil
	}
	return w.add([]byte(s))
}

// addQuoted adds text as a JSON string.
func (w *sink) addQuoted(s []byte) error {
	if err := w.addString(`"`); err != nil {
		return err
	}
	var scratch []byte
	var failed error
	err := w.c.pieces(s, func(part []byte) {
		if failed == nil {
			scratch = payload.AppendQuoted(scratch[:0], part)
			failed = w.add(scratch[1 : len(scratch)-1])
		}
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	return w.addString(`"`)
}

// addValue adds row i of a vector as JSON.
func (w *sink) addValue(v *vector.Vector, i int) error {
	switch v.Class(i) {
	case vector.ClassText:
		return w.addQuoted(v.Bytes(i))
	case vector.ClassArray, vector.ClassObject, vector.ClassBig:
		return w.add(v.Bytes(i))
	case vector.ClassBlob:
		return w.c.hexadecimal(w, `"\\x`, v.Bytes(i), `"`)
	}
	var small [smallText]byte
	return w.add(appendJSONText(small[:0], v, i))
}

// addElement adds a value found in JSON as it was written.
func (w *sink) addElement(x *payload.Value) error {
	switch x.Class {
	case payload.Text:
		if err := w.addString(`"`); err != nil {
			return err
		}
		if err := w.add(x.Raw); err != nil {
			return err
		}
		return w.addString(`"`)
	case payload.Array, payload.Object, payload.Big:
		return w.add(x.Raw)
	}
	var small [smallText]byte
	return w.add(x.AppendJSON(small[:0]))
}

// hexadecimal adds bytes as hexadecimal digits between two texts.
func (c *call) hexadecimal(w *sink, before string, b []byte, after string) error {
	if err := w.addString(before); err != nil {
		return err
	}
	var text [2048]byte
	const digits = "0123456789abcdef"
	for len(b) > 0 {
		n := min(len(b), len(text)/2)
		for k, x := range b[:n] {
			text[2*k], text[2*k+1] = digits[x>>4], digits[x&15]
		}
		if err := w.add(text[:2*n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return w.addString(after)
}

// list writes a JSON array as row i; each calls add for every element.
func (c *call) list(i int, each func(w *sink, next func() error) error) error {
	return c.build(i, vector.ClassArray, func(w *sink) error {
		first := true
		if err := w.addString("["); err != nil {
			return err
		}
		err := each(w, func() error {
			if first {
				first = false
				return nil
			}
			return w.addString(",")
		})
		if err != nil {
			return err
		}
		return w.addString("]")
	})
}
