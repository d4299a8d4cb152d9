package exec

import (
	"bytes"
	"errors"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/seed69692123/netdb/planner/vector"
)

var (
	errChr     = errors.New("no such character")
	errLengths = errors.New("the texts have different lengths")
)

// splitFunctions are more functions on text: parts of it, single characters, distances.
func splitFunctions() []*Function {
	pad := func(right bool) func(c *call, i int) error {
		return func(c *call, i int) error {
			fill := []byte(" ")
			if len(c.args) > 2 {
				fill = c.args[2].Bytes(i)
			}
			return c.pad(i, c.args[0].Bytes(i), c.args[1].Int(i), fill, right)
		}
	}
	code := func(c *call, i int) error {
		c.out.Ints[i] = 0
		if s := c.args[0].Bytes(i); len(s) > 0 {
			r, _ := utf8.DecodeRune(s)
			c.out.Ints[i] = int64(r)
		}
		return nil
	}
	text, text2 := []Param{TextParam}, []Param{TextParam, TextParam}
	return []*Function{
		{
			Name: "ascii", Aliases: []string{"unicode", "ord"}, Params: text, result: gives(vector.Int), row: code,
			Doc: "ascii(text): the number of its first character, 0 of an empty text", Example: "ascii('é')", Answer: "233",
		},
		{
			Name: "bit_length", Params: text, result: gives(vector.Int),
			row: func(c *call, i int) error {
				c.out.Ints[i] = 8 * int64(len(c.args[0].Bytes(i)))
				return nil
			},
			Doc: "bit_length(text): the number of its bits", Example: "bit_length('é')", Answer: "16",
		},
		{
			Name: "chr", Params: []Param{IntParam}, result: gives(vector.Text), CanFail: true,
			row: func(c *call, i int) error {
				n := c.args[0].Int(i)
				if n < 0 || n > unicode.MaxRune || !utf8.ValidRune(rune(n)) {
					return errChr
				}
				return c.setText(i, utf8.AppendRune(nil, rune(n)))
			},
			Doc: "chr(n): the character of that number", Example: "chr(233)", Answer: "é",
		},
		{
			Name: "concat_ws", Params: []Param{TextParam, AnyParam}, Rest: true, nulls: true, result: gives(vector.Text), CanFail: true,
			row: concatSeparated,
			Doc: "concat_ws(separator, a, b, …): the values as text with separators between; NULLs are left out", Example: "concat_ws('-', 2024, NULL, 'x')", Answer: "2024-x",
		},
		{
			Name: "hamming", Aliases: []string{"mismatches"}, Params: text2, result: gives(vector.Int), CanFail: true,
			row: func(c *call, i int) error {
				a, b := c.args[0].Bytes(i), c.args[1].Bytes(i)
				n := int64(0)
				for len(a) > 0 && len(b) > 0 {
					x, dx := utf8.DecodeRune(a)
					y, dy := utf8.DecodeRune(b)
					if x != y {
						n++
					}
					a, b = a[dx:], b[dy:]
					if err := c.Step(dx + dy); err != nil {
						return err
					}
				}
				if len(a) != len(b) {
					return errLengths
				}
				c.out.Ints[i] = n
				return nil
			},
			Doc: "hamming(a, b): at how many places two texts of one length differ", Example: "hamming('karolin', 'kathrin')", Answer: "3",
		},
		{
			Name: "initcap", Params: text, result: gives(vector.Text), CanFail: true,
			row: func(c *call, i int) error {
				s := c.args[0].Bytes(i)
				return c.build(i, vector.ClassText, func(w *sink) error {
					inWord := false
					var one [utf8.UTFMax]byte
					for rest := s; len(rest) > 0; {
						r, n := utf8.DecodeRune(rest)
						rest = rest[n:]
						change := unicode.ToUpper
						if inWord {
							change = unicode.ToLower
						}
						inWord = unicode.IsLetter(r) || unicode.IsDigit(r)
						if err := w.add(utf8.AppendRune(one[:0], change(r))); err != nil {
							return err
						}
					}
					return nil
				})
			},
			Doc: "initcap(text): the first letter of each word in upper case, the others in lower case", Example: "initcap('hello wORLD')", Answer: "Hello World",
		},
		{
			Name: "levenshtein", Aliases: []string{"editdist3"}, Params: text2, result: gives(vector.Int), CanFail: true, row: levenshtein,
			Doc: "levenshtein(a, b): how many characters must be added, removed or changed to make b of a", Example: "levenshtein('kitten', 'sitting')", Answer: "3",
		},
		{
			Name: "lpad", Params: []Param{TextParam, IntParam, TextParam}, Min: 2, result: gives(vector.Text), row: pad(false), CanFail: true,
			Doc: "lpad(text, n [, fill]): n characters, with spaces or fill in front, or cut", Example: "lpad('7', 3, '0')", Answer: "007",
		},
		{
			Name: "rpad", Params: []Param{TextParam, IntParam, TextParam}, Min: 2, result: gives(vector.Text), row: pad(true), CanFail: true,
			Doc: "rpad(text, n [, fill]): n characters, with spaces or fill behind, or cut", Example: "rpad('ab', 4, '.')", Answer: "ab..",
		},
		{
			Name: "string_split", Aliases: []string{"split", "str_split", "string_to_array"}, Params: text2, result: gives(vector.JSON), CanFail: true,
			row: func(c *call, i int) error {
				s, sep := c.args[0].Bytes(i), c.args[1].Bytes(i)
				return c.list(i, func(w *sink, next func() error) error {
					return c.eachPart(s, sep, func(part []byte) error {
						if err := next(); err != nil {
							return err
						}
						return w.addQuoted(part)
					})
				})
			},
			Doc: "string_split(text, separator): a JSON array of the parts between separators; of the characters when it is empty", Example: "string_split('a,b', ',')", Answer: `["a","b"]`,
		},
		{
			Name: "translate", Params: []Param{TextParam, TextParam, TextParam}, result: gives(vector.Text), CanFail: true, row: translate,
			Doc: "translate(text, from, to): each character of from replaced by that of to in the same place, or removed", Example: "translate('12345', '143', 'ax')", Answer: "a2x5",
		},
	}
}

// concatSeparated joins the arguments behind the first, which stands between them.
func concatSeparated(c *call, i int) error {
	if c.args[0].Null(i) {
		c.out.SetNull(i)
		return nil
	}
	sep := c.args[0].Bytes(i)
	return c.build(i, vector.ClassText, func(w *sink) error {
		first := true
		for _, v := range c.args[1:] {
			class := v.Class(i)
			if class == vector.ClassNull {
				continue
			}
			if !first {
				if err := w.add(sep); err != nil {
					return err
				}
			}
			first = false
			if err := w.addText(v, i); err != nil {
				return err
			}
		}
		return nil
	})
}

// addText adds row i of a vector as CAST to TEXT gives it.
func (w *sink) addText(v *vector.Vector, i int) error {
	switch v.Class(i) {
	case vector.ClassText, vector.ClassArray, vector.ClassObject, vector.ClassBig:
		return w.add(v.Bytes(i))
	case vector.ClassBlob:
		return w.c.hexadecimal(w, `\x`, v.Bytes(i), "")
	}
	var small [smallText]byte
	return w.add(w.c.AppendText(small[:0], v, i))
}

// pad writes s cut or filled to n characters.
func (c *call) pad(i int, s []byte, n int64, fill []byte, right bool) error {
	n = max(0, n)
	has, err := c.count(s)
	if err != nil {
		return err
	}
	if has >= n || len(fill) == 0 {
		return c.setSubstring(i, s, 1, n)
	}
	n -= has
	chars, err := c.count(fill)
	if err != nil {
		return err
	}
	whole, rest := n/chars, n%chars
	if whole > int64(vector.MaxValueBytes/len(fill)) {
		return vector.ErrValueTooLarge
	}
	end, err := c.skip(fill, rest)
	if err != nil {
		return err
	}
	return c.build(i, vector.ClassText, func(w *sink) error {
		if right {
			if err := w.add(s); err != nil {
				return err
			}
		}
		for range whole {
			if err := w.add(fill); err != nil {
				return err
			}
		}
		if err := w.add(fill[:end]); err != nil || right {
			return err
		}
		return w.add(s)
	})
}

// eachPart calls f with the parts of s between separators, with its characters when the separator is empty.
func (c *call) eachPart(s, sep []byte, f func(part []byte) error) error {
	for {
		at := 0
		if len(sep) > 0 {
			at = vector.IndexPaced(s, sep, c.pace)
		} else if _, at = utf8.DecodeRune(s); at == len(s) {
			at = -1
		}
		if err := c.Step(max(at, 0) + len(sep)); err != nil {
			return err
		}
		if at < 0 {
			return f(s)
		}
		if err := f(s[:at]); err != nil {
			return err
		}
		s = s[at+len(sep):]
	}
}

// translate replaces single characters.
func translate(c *call, i int) error {
	s, from, to := c.args[0].Bytes(i), c.args[1].Bytes(i), c.args[2].Bytes(i)
	if len(from)+len(to) > vector.LargeBytes {
		return vector.ErrValueTooLarge
	}
	by := map[rune]rune{} // -1: removed
	for len(from) > 0 {
		r, n := utf8.DecodeRune(from)
		from = from[n:]
		x := rune(-1)
		if len(to) > 0 {
			x, n = utf8.DecodeRune(to)
			to = to[n:]
		}
		if _, ok := by[r]; !ok {
			by[r] = x
		}
	}
	return c.build(i, vector.ClassText, func(w *sink) error {
		var one [utf8.UTFMax]byte
		for rest := s; len(rest) > 0; {
			r, n := utf8.DecodeRune(rest)
			part := rest[:n]
			rest = rest[n:]
			if x, ok := by[r]; ok {
				if part = nil; x >= 0 {
					part = utf8.AppendRune(one[:0], x)
				}
			}
			if err := w.add(part); err != nil {
				return err
			}
		}
		return nil
	})
}

// levenshtein is the distance of two texts: one row of the table of distances is kept.
func levenshtein(c *call, i int) error {
	a, b := c.args[0].Bytes(i), c.args[1].Bytes(i)
	if len(a) < len(b) {
		a, b = b, a
	}
	if len(b) > vector.LargeBytes {
		if err := c.Room(nil, 12*len(b)); err != nil {
			return err
		}
	}
	short := bytes.Runes(b)
	row := make([]int32, len(short)+1)
	for k := range row {
		row[k] = int32(k)
	}
	for len(a) > 0 {
		r, n := utf8.DecodeRune(a)
		a = a[n:]
		diagonal := row[0]
		row[0]++
		for k, x := range short {
			cost := diagonal
			if x != r {
				cost++
			}
			diagonal = row[k+1]
			row[k+1] = min(cost, row[k]+1, diagonal+1)
			if k&(stepBytes-1) == stepBytes-1 {
				if err := c.Step(stepBytes); err != nil {
					return err
				}
			}
		}
		if err := c.Step(len(short) + 1); err != nil {
			return err
		}
	}
	c.out.Ints[i] = int64(row[len(short)])
	return nil
}

// appendSize writes a number of bytes with a unit.
func appendSize(dst []byte, n int64) []byte {
	units := [...]string{"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	x, k := float64(n), 0
	for (x >= 1024 || x <= -1024) && k < len(units)-1 {
		x /= 1024
		k++
	}
	if k == 0 {
		dst = strconv.AppendInt(dst, n, 10)
	} else {
		dst = strconv.AppendFloat(dst, x, 'f', 1, 64)
	}
	return append(append(dst, ' '), units[k]...)
}
