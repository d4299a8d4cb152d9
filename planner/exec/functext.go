package exec

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/seed69692123/netdb/planner/vector"
)

var errNegativeLength = errors.New("negative length")

// textFunctions are the functions on text. Positions count characters from 1.
func textFunctions() []*Function {
	trim := func(left, right bool) func(c *call, i int) error {
		return func(c *call, i int) error {
			s := string(c.args[0].Bytes(i))
			cut := " "
			if len(c.args) > 1 {
				cut = string(c.args[1].Bytes(i))
			}
			if left {
				s = strings.TrimLeft(s, cut)
			}
			if right {
				s = strings.TrimRight(s, cut)
			}
			return c.setText(i, []byte(s))
		}
	}
	test := func(f func(s, part []byte) bool) func(c *call, i int) error {
		return func(c *call, i int) error {
			c.out.Bools[i] = f(c.args[0].Bytes(i), c.args[1].Bytes(i))
			return nil
		}
	}
	text, text2 := []Param{TextParam}, []Param{TextParam, TextParam}
	return []*Function{
		{
			Name: "||", Params: []Param{AnyParam, AnyParam}, nulls: true, result: concatType, row: concatRow, CanFail: true,
			Doc: "a || b: text joined; NULL if one is NULL",
		},
		{
			Name: "concat", Params: []Param{AnyParam}, Rest: true, nulls: true, result: gives(vector.Text), CanFail: true,
			row: func(c *call, i int) error {
				c.buf = c.buf[:0]
				for _, v := range c.args {
					c.buf = c.AppendText(c.buf, v, i)
				}
				return c.setText(i, c.buf)
			},
			Doc: "concat(a, b, …): the values as text, joined; NULLs are left out",
		},
		{
			Name: "contains", Params: text2, result: gives(vector.Bool), row: test(bytes.Contains),
			Doc: "contains(text, part): whether part occurs in text",
		},
		{
			Name: "ends_with", Aliases: []string{"suffix"}, Params: text2, result: gives(vector.Bool), row: test(bytes.HasSuffix),
			Doc: "ends_with(text, end): whether text ends with end",
		},
		{
			Name: "left", Params: []Param{TextParam, IntParam}, result: gives(vector.Text),
			row: func(c *call, i int) error {
				s, n := c.args[0].Bytes(i), c.args[1].Int(i)
				if n < 0 {
					n = max(0, int64(utf8.RuneCount(s))+n)
				}
				return c.setText(i, substring(s, 1, n))
			},
			Doc: "left(text, n): the first n characters; all but the last -n when n is negative",
		},
		{
			Name: "length", Aliases: []string{"char_length", "character_length", "len"}, Params: []Param{AnyParam}, result: textOrBlob,
			row: func(c *call, i int) error {
				v := c.args[0]
				switch v.Class(i) {
				case vector.ClassText:
					c.out.Ints[i] = int64(utf8.RuneCount(v.Bytes(i)))
				case vector.ClassBlob:
					c.out.Ints[i] = int64(len(v.Bytes(i)))
				default:
					c.OtherType++
					c.out.SetNull(i)
				}
				return nil
			},
			Doc: "length(x): the number of characters of a text, of bytes of a blob",
		},
		{
			Name: "lower", Aliases: []string{"lcase"}, Params: text, result: gives(vector.Text),
			row: func(c *call, i int) error { return c.setText(i, bytes.ToLower(c.args[0].Bytes(i))) },
			Doc: "lower(text): in lower case",
		},
		{
			Name: "ltrim", Params: text2, Min: 1, result: gives(vector.Text), row: trim(true, false),
			Doc: "ltrim(text [, characters]): without the spaces, or those characters, at its start",
		},
		{
			Name: "octet_length", Params: []Param{AnyParam}, result: textOrBlob,
			row: func(c *call, i int) error {
				v := c.args[0]
				if k := v.Class(i); k != vector.ClassText && k != vector.ClassBlob {
					c.OtherType++
					c.out.SetNull(i)
					return nil
				}
				c.out.Ints[i] = int64(len(v.Bytes(i)))
				return nil
			},
			Doc: "octet_length(x): the number of bytes of a text or blob",
		},
		{
			Name: "repeat", Params: []Param{TextParam, IntParam}, result: gives(vector.Text), CanFail: true,
			row: func(c *call, i int) error {
				s, n := c.args[0].Bytes(i), max(0, c.args[1].Int(i))
				if len(s) > 0 && n > int64(vector.MaxValueBytes/len(s)) {
					return vector.ErrValueTooLarge
				}
				if len(s) == 0 {
					n = 0
				}
				return c.setText(i, bytes.Repeat(s, int(n)))
			},
			Doc: "repeat(text, n): text n times",
		},
		{
			Name: "replace", Params: []Param{TextParam, TextParam, TextParam}, result: gives(vector.Text), CanFail: true,
			row: func(c *call, i int) error {
				s, from, to := c.args[0].Bytes(i), c.args[1].Bytes(i), c.args[2].Bytes(i)
				if len(from) == 0 {
					return c.setText(i, s)
				}
				if grow := int64(len(to) - len(from)); grow > 0 && int64(bytes.Count(s, from))*grow > vector.MaxValueBytes {
					return vector.ErrValueTooLarge
				}
				return c.setText(i, bytes.ReplaceAll(s, from, to))
			},
			Doc: "replace(text, from, to): with every from replaced by to",
		},
		{
			Name: "reverse", Params: text, result: gives(vector.Text),
			row: func(c *call, i int) error {
				s := c.args[0].Bytes(i)
				c.buf = c.buf[:0]
				for len(s) > 0 {
					_, n := utf8.DecodeLastRune(s)
					c.buf = append(c.buf, s[len(s)-n:]...)
					s = s[:len(s)-n]
				}
				return c.setText(i, c.buf)
			},
			Doc: "reverse(text): its characters backwards",
		},
		{
			Name: "right", Params: []Param{TextParam, IntParam}, result: gives(vector.Text),
			row: func(c *call, i int) error {
				s, n := c.args[0].Bytes(i), c.args[1].Int(i)
				count := int64(utf8.RuneCount(s))
				if n < 0 {
					n = max(0, count+n)
				}
				return c.setText(i, substring(s, max(1, count-min(n, count)+1), n))
			},
			Doc: "right(text, n): the last n characters; all but the first -n when n is negative",
		},
		{
			Name: "rtrim", Params: text2, Min: 1, result: gives(vector.Text), row: trim(false, true),
			Doc: "rtrim(text [, characters]): without the spaces, or those characters, at its end",
		},
		{
			Name: "split_part", Params: []Param{TextParam, TextParam, IntParam}, result: gives(vector.Text),
			row: func(c *call, i int) error {
				s, sep, n := string(c.args[0].Bytes(i)), string(c.args[1].Bytes(i)), c.args[2].Int(i)
				parts := []string{s}
				if sep != "" {
					parts = strings.Split(s, sep)
				}
				if n < 0 {
					n += int64(len(parts)) + 1
				}
				if n < 1 || n > int64(len(parts)) {
					return c.setText(i, nil)
				}
				return c.setText(i, []byte(parts[n-1]))
			},
			Doc: "split_part(text, separator, n): the n-th of the parts between separators, from 1; from the end when n is negative",
		},
		{
			Name: "starts_with", Aliases: []string{"prefix"}, Params: text2, result: gives(vector.Bool), row: test(bytes.HasPrefix),
			Doc: "starts_with(text, start): whether text begins with start",
		},
		{
			Name: "strpos", Aliases: []string{"instr"}, Params: text2, result: gives(vector.Int),
			row: func(c *call, i int) error {
				s := c.args[0].Bytes(i)
				at := bytes.Index(s, c.args[1].Bytes(i))
				c.out.Ints[i] = 0
				if at >= 0 {
					c.out.Ints[i] = int64(utf8.RuneCount(s[:at])) + 1
				}
				return nil
			},
			Doc: "strpos(text, part): the character at which part first occurs, 0 when it does not",
		},
		{
			Name: "substr", Aliases: []string{"substring"}, Params: []Param{TextParam, IntParam, IntParam}, Min: 2, result: gives(vector.Text), CanFail: true,
			row: func(c *call, i int) error {
				s, start := c.args[0].Bytes(i), c.args[1].Int(i)
				n := int64(len(s))
				if len(c.args) > 2 {
					if n = c.args[2].Int(i); n < 0 {
						return errNegativeLength
					}
				}
				if start < 0 {
					start = max(start+int64(utf8.RuneCount(s))+1, 1)
				} else if start < 1 && len(c.args) > 2 {
					n, start = max(0, n+start-1), 1
				}
				return c.setText(i, substring(s, max(start, 1), n))
			},
			Doc: "substr(text, start [, length]): characters from start on, counted from 1, from the end when negative",
		},
		{
			Name: "trim", Aliases: []string{"btrim"}, Params: text2, Min: 1, result: gives(vector.Text), row: trim(true, true),
			Doc: "trim(text [, characters]): without the spaces, or those characters, at both ends",
		},
		{
			Name: "upper", Aliases: []string{"ucase"}, Params: text, result: gives(vector.Text),
			row: func(c *call, i int) error { return c.setText(i, bytes.ToUpper(c.args[0].Bytes(i))) },
			Doc: "upper(text): in upper case",
		},
	}
}

// textOrBlob: a BIGINT for text and blobs, and for dynamic values where they are one.
func textOrBlob(args []vector.Type) (vector.Type, bool) {
	return vector.Int, args[0] == vector.Text || args[0] == vector.Blob || args[0].Dynamic()
}

// concatType: two blobs make a blob, everything else text.
func concatType(args []vector.Type) (vector.Type, bool) {
	if args[0] == vector.Blob && args[1] == vector.Blob {
		return vector.Blob, true
	}
	return vector.Text, true
}

func concatRow(c *call, i int) error {
	c.buf = c.buf[:0]
	for _, v := range c.args {
		if v.Null(i) {
			c.out.SetNull(i)
			return nil
		}
		if c.out.Type == vector.Blob {
			c.buf = append(c.buf, v.Bytes(i)...)
		} else {
			c.buf = c.AppendText(c.buf, v, i)
		}
	}
	if len(c.buf) > vector.MaxValueBytes {
		return vector.ErrValueTooLarge
	}
	c.out.SetBytes(i, c.out.Type.Class(), c.buf)
	return nil
}

// substring returns n characters of s from character start on, start at least 1, n at least 0.
func substring(s []byte, start, n int64) []byte {
	for ; start > 1 && len(s) > 0; start-- {
		_, size := utf8.DecodeRune(s)
		s = s[size:]
	}
	if start > 1 {
		return nil
	}
	end := 0
	for ; n > 0 && end < len(s); n-- {
		_, size := utf8.DecodeRune(s[end:])
		end += size
	}
	return s[:end]
}
