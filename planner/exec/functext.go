package exec

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"github.com/seed69692123/netdb/planner/vector"
)

var errNegativeLength = errors.New("negative length")

// textFunctions are the functions on text. Positions count characters from 1.
func textFunctions() []*Function {
	trim := func(left, right bool) func(c *call, i int) error {
		return func(c *call, i int) error {
			s, cut := c.args[0].Bytes(i), " "
			if len(c.args) > 1 {
				cut = string(c.args[1].Bytes(i))
			}
			var err error
			if left && err == nil {
				s, err = c.trimLeft(s, cut)
			}
			if right && err == nil {
				s, err = c.trimRight(s, cut)
			}
			if err != nil {
				return err
			}
			return c.setText(i, s)
		}
	}
	test := func(f func(c *call, s, part []byte) bool) func(c *call, i int) error {
		return func(c *call, i int) error {
			c.out.Bools[i] = f(c, c.args[0].Bytes(i), c.args[1].Bytes(i))
			return c.Step(0)
		}
	}
	contains := func(c *call, s, part []byte) bool { return vector.IndexPaced(s, part, c.pace) >= 0 }
	prefix := func(_ *call, s, part []byte) bool { return bytes.HasPrefix(s, part) }
	suffix := func(_ *call, s, part []byte) bool { return bytes.HasSuffix(s, part) }
	// inCase maps a text by parts: one letter may become longer than it was.
	inCase := func(f func([]byte) []byte) func(c *call, i int) error {
		return func(c *call, i int) error {
			s := c.args[0].Bytes(i)
			if err := c.Room(&c.out, len(s)*3/2); err != nil {
				return err
			}
			return c.write(i, len(s), func(dst []byte) ([]byte, error) {
				err := c.pieces(s, func(part []byte) { dst = append(dst, f(part)...) })
				return dst, err
			})
		}
	}
	text, text2 := []Param{TextParam}, []Param{TextParam, TextParam}
	return []*Function{
		{
			Name: "||", Params: []Param{AnyParam, AnyParam}, nulls: true, result: concatType, row: concatRow, CanFail: true,
			Doc: "a || b: text joined; NULL if one is NULL", Example: "'a' || 1", Answer: "a1",
		},
		{
			Name: "concat", Params: []Param{AnyParam}, Rest: true, nulls: true, result: gives(vector.Text), CanFail: true,
			row: func(c *call, i int) error { return c.join(i) },
			Doc: "concat(a, b, …): the values as text, joined; NULLs are left out", Example: "concat('a', NULL, 2)", Answer: "a2",
		},
		{
			Name: "contains", Params: text2, result: gives(vector.Bool), row: test(contains),
			Doc: "contains(text, part): whether part occurs in text", Example: "contains('abc', 'b')", Answer: "true",
		},
		{
			Name: "ends_with", Aliases: []string{"suffix"}, Params: text2, result: gives(vector.Bool), row: test(suffix),
			Doc: "ends_with(text, end): whether text ends with end", Example: "ends_with('abc', 'bc')", Answer: "true",
		},
		{
			Name: "left", Params: []Param{TextParam, IntParam}, result: gives(vector.Text),
			row: func(c *call, i int) error {
				s, n := c.args[0].Bytes(i), c.args[1].Int(i)
				if n < 0 {
					count, err := c.count(s)
					if err != nil {
						return err
					}
					n = max(0, count+n)
				}
				return c.setSubstring(i, s, 1, n)
			},
			Doc: "left(text, n): the first n characters; all but the last -n when n is negative", Example: "left('héllo', 2)", Answer: "hé",
		},
		{
			Name: "length", Aliases: []string{"char_length", "character_length", "len"}, Params: []Param{AnyParam}, result: textOrBlob,
			row: func(c *call, i int) error {
				v := c.args[0]
				switch v.Class(i) {
				case vector.ClassText:
					n, err := c.count(v.Bytes(i))
					c.out.Ints[i] = n
					return err
				case vector.ClassBlob:
					c.out.Ints[i] = int64(len(v.Bytes(i)))
				default:
					c.OtherType++
					c.out.SetNull(i)
				}
				return nil
			},
			Doc: "length(x): the number of characters of a text, of bytes of a blob", Example: "length('né')", Answer: "2",
		},
		{
			Name: "lower", Aliases: []string{"lcase"}, Params: text, result: gives(vector.Text),
			row: inCase(bytes.ToLower),
			Doc: "lower(text): in lower case", Example: "lower('ÀB')", Answer: "àb",
		},
		{
			Name: "ltrim", Params: text2, Min: 1, result: gives(vector.Text), row: trim(true, false),
			Doc: "ltrim(text [, characters]): without the spaces, or those characters, at its start", Example: "ltrim('xxa', 'x')", Answer: "a",
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
			Doc: "octet_length(x): the number of bytes of a text or blob", Example: "octet_length('né')", Answer: "3",
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
				return c.write(i, len(s)*int(n), func(dst []byte) ([]byte, error) {
					at, end := len(dst), len(dst)+len(s)*int(n)
					for len(dst) < end {
						if len(s) > stepBytes {
							if err := c.pieces(s, func(part []byte) { dst = append(dst, part...) }); err != nil {
								return dst, err
							}
							continue
						}
						part := s
						if done := dst[at:]; len(done) > 0 { // twice as much each time, up to a step
							part = done[:max(len(s), min(len(done), stepBytes)/len(s)*len(s))]
						}
						dst = append(dst, part[:min(len(part), end-len(dst))]...)
						if err := c.Step(len(part)); err != nil {
							return dst, err
						}
					}
					return dst, nil
				})
			},
			Doc: "repeat(text, n): text n times", Example: "repeat('ab', 3)", Answer: "ababab",
		},
		{
			Name: "replace", Params: []Param{TextParam, TextParam, TextParam}, result: gives(vector.Text), CanFail: true,
			row: func(c *call, i int) error {
				s, from, to := c.args[0].Bytes(i), c.args[1].Bytes(i), c.args[2].Bytes(i)
				if len(from) == 0 {
					return c.setText(i, s)
				}
				return c.replace(i, s, from, to)
			},
			Doc: "replace(text, from, to): with every from replaced by to", Example: "replace('a-b-c', '-', '+')", Answer: "a+b+c",
		},
		{
			Name: "reverse", Params: text, result: gives(vector.Text),
			row: func(c *call, i int) error {
				s := c.args[0].Bytes(i)
				return c.write(i, len(s), func(dst []byte) ([]byte, error) {
					for len(s) > 0 {
						_, n := utf8.DecodeLastRune(s)
						dst = append(dst, s[len(s)-n:]...)
						s = s[:len(s)-n]
						if err := c.Step(n); err != nil {
							return dst, err
						}
					}
					return dst, nil
				})
			},
			Doc: "reverse(text): its characters backwards", Example: "reverse('héllo')", Answer: "olléh",
		},
		{
			Name: "right", Params: []Param{TextParam, IntParam}, result: gives(vector.Text),
			row: func(c *call, i int) error {
				s, n := c.args[0].Bytes(i), c.args[1].Int(i)
				count, err := c.count(s)
				if err != nil {
					return err
				}
				if n < 0 {
					n = max(0, count+n)
				}
				return c.setSubstring(i, s, max(1, count-min(n, count)+1), n)
			},
			Doc: "right(text, n): the last n characters; all but the first -n when n is negative", Example: "right('hello', 2)", Answer: "lo",
		},
		{
			Name: "rtrim", Params: text2, Min: 1, result: gives(vector.Text), row: trim(false, true),
			Doc: "rtrim(text [, characters]): without the spaces, or those characters, at its end", Example: "rtrim('a..', '.')", Answer: "a",
		},
		{
			Name: "split_part", Params: []Param{TextParam, TextParam, IntParam}, result: gives(vector.Text),
			row: func(c *call, i int) error {
				part, err := c.splitPart(c.args[0].Bytes(i), c.args[1].Bytes(i), c.args[2].Int(i))
				if err != nil {
					return err
				}
				return c.setText(i, part)
			},
			Doc: "split_part(text, separator, n): the n-th of the parts between separators, from 1; from the end when n is negative", Example: "split_part('a,b,c', ',', 2)", Answer: "b",
		},
		{
			Name: "starts_with", Aliases: []string{"prefix"}, Params: text2, result: gives(vector.Bool), row: test(prefix),
			Doc: "starts_with(text, start): whether text begins with start", Example: "starts_with('abc', 'ab')", Answer: "true",
		},
		{
			Name: "strpos", Aliases: []string{"instr"}, Params: text2, result: gives(vector.Int),
			row: func(c *call, i int) error {
				s := c.args[0].Bytes(i)
				at := vector.IndexPaced(s, c.args[1].Bytes(i), c.pace)
				c.out.Ints[i] = 0
				if at < 0 {
					return c.Step(0)
				}
				n, err := c.count(s[:at])
				c.out.Ints[i] = n + 1
				return err
			},
			Doc: "strpos(text, part): the character at which part first occurs, 0 when it does not", Example: "strpos('abc', 'c')", Answer: "3",
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
					count, err := c.count(s)
					if err != nil {
						return err
					}
					start = max(start+count+1, 1)
				} else if start < 1 && len(c.args) > 2 {
					n, start = max(0, n+start-1), 1
				}
				return c.setSubstring(i, s, max(start, 1), n)
			},
			Doc: "substr(text, start [, length]): characters from start on, counted from 1, from the end when negative", Example: "substr('hello', 2, 3)", Answer: "ell",
		},
		{
			Name: "trim", Aliases: []string{"btrim"}, Params: text2, Min: 1, result: gives(vector.Text), row: trim(true, true),
			Doc: "trim(text [, characters]): without the spaces, or those characters, at both ends", Example: "trim('  a ')", Answer: "a",
		},
		{
			Name: "upper", Aliases: []string{"ucase"}, Params: text, result: gives(vector.Text),
			row: inCase(bytes.ToUpper),
			Doc: "upper(text): in upper case", Example: "upper('straße')", Answer: "STRAßE",
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
