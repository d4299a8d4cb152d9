package exec

import (
	"bytes"
	"unicode/utf8"

	"github.com/seed69692123/netdb/planner/vector"
)

// This file is what the functions on text do with one row. A text may have 256 MiB: all of it is done in parts, with a look at
// the context between.

// concatRow is a || b.
func concatRow(c *call, i int) error {
	for _, v := range c.args {
		if v.Null(i) {
			c.out.SetNull(i)
			return nil
		}
	}
	return c.join(i)
}

// join writes the arguments that are not NULL one behind the other: bytes when the result is a BLOB, else as text.
func (c *call) join(i int) error {
	n, small := 0, 0
	for _, v := range c.args {
		switch class := v.Class(i); {
		case class == vector.ClassNull:
		case class == vector.ClassBlob && c.out.Type != vector.Blob:
			n += 2 + 2*v.DataLen(i)
		case v.DataLen(i) > 0 && class != vector.ClassInterval:
			n += v.DataLen(i)
		default:
			small += smallText
		}
	}
	if n > vector.MaxValueBytes {
		return vector.ErrValueTooLarge
	}
	return c.write(i, min(n+small, vector.MaxValueBytes), func(dst []byte) ([]byte, error) {
		for _, v := range c.args {
			switch class := v.Class(i); {
			case class == vector.ClassBlob && c.out.Type != vector.Blob:
				dst = c.AppendText(dst, v, i)
			case v.DataLen(i) > 0 && class != vector.ClassInterval:
				if err := c.pieces(v.Bytes(i), func(part []byte) { dst = append(dst, part...) }); err != nil {
					return dst, err
				}
			default:
				dst = c.AppendText(dst, v, i)
			}
		}
		return dst, nil
	})
}

// smallText is the most bytes that a number, time or interval takes as text.
const smallText = 96

// count returns the number of characters.
func (c *call) count(s []byte) (int64, error) {
	n := 0
	err := c.pieces(s, func(part []byte) { n += utf8.RuneCount(part) })
	return int64(n), err
}

// trimLeft returns s without the characters of cut at its start.
func (c *call) trimLeft(s []byte, cut string) ([]byte, error) {
	for len(s) > stepBytes {
		n := stepBytes
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		if rest := bytes.TrimLeft(s[:n], cut); len(rest) > 0 {
			return s[n-len(rest):], nil
		}
		s = s[n:]
		if err := c.Step(n); err != nil {
			return nil, err
		}
	}
	return bytes.TrimLeft(s, cut), nil
}

// trimRight returns s without the characters of cut at its end.
func (c *call) trimRight(s []byte, cut string) ([]byte, error) {
	for len(s) > stepBytes {
		n := len(s) - stepBytes
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		if rest := bytes.TrimRight(s[n:], cut); len(rest) > 0 {
			return s[:n+len(rest)], nil
		}
		s = s[:n]
		if err := c.Step(stepBytes); err != nil {
			return nil, err
		}
	}
	return bytes.TrimRight(s, cut), nil
}

// replace writes s with every from, which is not empty, replaced by to.
func (c *call) replace(i int, s, from, to []byte) error {
	n := len(s)
	if grow := len(to) - len(from); grow > 0 {
		for rest := s; ; {
			at := vector.IndexPaced(rest, from, c.pace)
			if at < 0 {
				break
			}
			if n += grow; n > vector.MaxValueBytes {
				return vector.ErrValueTooLarge
			}
			rest = rest[at+len(from):]
			if err := c.Step(at + len(from)); err != nil {
				return err
			}
		}
	}
	return c.write(i, n, func(dst []byte) ([]byte, error) {
		for {
			at := vector.IndexPaced(s, from, c.pace)
			if at < 0 {
				err := c.pieces(s, func(part []byte) { dst = append(dst, part...) })
				return dst, err
			}
			if err := c.pieces(s[:at], func(part []byte) { dst = append(dst, part...) }); err != nil {
				return dst, err
			}
			dst = append(dst, to...)
			if err := c.Step(len(from) + len(to)); err != nil {
				return dst, err
			}
			s = s[at+len(from):]
		}
	})
}

// splitPart returns the n-th of the parts between separators, nothing when there is none.
func (c *call) splitPart(s, sep []byte, n int64) ([]byte, error) {
	if len(sep) == 0 {
		if n == 1 || n == -1 {
			return s, nil
		}
		return nil, nil
	}
	if n < 0 {
		parts := int64(1)
		for rest := s; ; parts++ {
			at := vector.IndexPaced(rest, sep, c.pace)
			if at < 0 {
				break
			}
			rest = rest[at+len(sep):]
			if err := c.Step(at + len(sep)); err != nil {
				return nil, err
			}
		}
		n += parts + 1
	}
	if n < 1 {
		return nil, c.Step(0)
	}
	for ; ; n-- {
		at := vector.IndexPaced(s, sep, c.pace)
		switch {
		case at < 0 && n == 1:
			return s, c.Step(0)
		case at < 0:
			return nil, c.Step(0)
		case n == 1:
			return s[:at], nil
		}
		s = s[at+len(sep):]
		if err := c.Step(at + len(sep)); err != nil {
			return nil, err
		}
	}
}

// setSubstring writes n characters of s from character start on, start at least 1, n at least 0.
func (c *call) setSubstring(i int, s []byte, start, n int64) error {
	from, err := c.skip(s, start-1)
	if err != nil {
		return err
	}
	s = s[from:]
	to, err := c.skip(s, n)
	if err != nil {
		return err
	}
	return c.setText(i, s[:to])
}

// skip returns the position behind the first n characters of s, its end when there are fewer.
func (c *call) skip(s []byte, n int64) (int, error) {
	at := 0
	for ; n > 0 && at < len(s); n-- {
		_, size := utf8.DecodeRune(s[at:])
		at += size
		if n&(stepBytes>>4-1) == 0 {
			if err := c.Step(stepBytes >> 3); err != nil {
				return 0, err
			}
		}
	}
	return at, nil
}
