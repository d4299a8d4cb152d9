package payload

import (
	"encoding/binary"
	"math"
	"math/bits"
	"unicode/utf8"

	"github.com/seed69692123/netdb/internal/num"
)

// Eight bytes of one value each, for looking at eight bytes of a string at once. Of (x-ones*c)&^x&highs the lowest bit set is
// that of the first byte below c; higher ones may be wrong, so only the lowest is used.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// jsonChecker reads a whole JSON text.
type jsonChecker struct {
	p    []byte
	err  *SyntaxError
	pace *num.Pace
	last int // position at the last step of pace
}

func checkJSON(p []byte, pace *num.Pace) (Class, error) {
	c := jsonChecker{p: p, pace: pace}
	i := jsonSpace(p, 0)
	class, i := c.value(i, 0)
	if i >= 0 {
		if i = jsonSpace(p, i); i < len(p) {
			i = c.fail(i, "something behind the value")
		}
	}
	if i < 0 {
		return Missing, c.err
	}
	return class, nil
}

// fail notes the first error and returns -1, which all functions hand on.
func (c *jsonChecker) fail(i int, reason string) int {
	if c.err == nil {
		c.err = &SyntaxError{JSON, i, reason}
	}
	return -1
}

// step notes how far the text was read, and gives it up when nobody wants the answer.
func (c *jsonChecker) step(i int) bool {
	if i-c.last < num.PaceBytes>>4 {
		return false
	}
	over := c.pace.Step(i - c.last)
	c.last = i
	if over {
		c.fail(i, "given up")
	}
	return over
}

// value reads the value at i and returns the position behind it.
func (c *jsonChecker) value(i, depth int) (Class, int) {
	p := c.p
	if c.pace != nil && c.step(i) {
		return Missing, -1
	}
	if i >= len(p) {
		return Missing, c.fail(i, "unexpected end")
	}
	switch p[i] {
	case '{':
		return Object, c.object(i+1, depth+1)
	case '[':
		return Array, c.array(i+1, depth+1)
	case '"':
		return Text, c.str(i + 1)
	case 't':
		return Bool, c.word(i, "true")
	case 'f':
		return Bool, c.word(i, "false")
	case 'n':
		return Null, c.word(i, "null")
	}
	return Float, c.number(i)
}

func (c *jsonChecker) word(i int, w string) int {
	if len(c.p)-i < len(w) || string(c.p[i:i+len(w)]) != w {
		return c.fail(i, "invalid value")
	}
	return i + len(w)
}

func (c *jsonChecker) number(i int) int {
	p := c.p
	start := i
	if p[i] == '-' {
		i++
	}
	d := digits(p, i)
	if d == i {
		if i == start {
			return c.fail(i, "invalid value")
		}
		return c.fail(i, "digit expected")
	}
	if p[i] == '0' && d > i+1 {
		return c.fail(i, "leading zero")
	}
	i = d
	if i < len(p) && p[i] == '.' {
		if d = digits(p, i+1); d == i+1 {
			return c.fail(d, "digit expected")
		}
		i = d
	}
	if i < len(p) && p[i]|0x20 == 'e' {
		i++
		if i < len(p) && (p[i] == '+' || p[i] == '-') {
			i++
		}
		if d = digits(p, i); d == i {
			return c.fail(d, "digit expected")
		}
		i = d
	}
	return i
}

func digits(p []byte, i int) int {
	for i < len(p) && p[i]-'0' <= 9 {
		i++
	}
	return i
}

func (c *jsonChecker) object(i, depth int) int {
	p := c.p
	if depth > MaxDepth {
		return c.fail(i-1, "nested too deep")
	}
	if i = jsonSpace(p, i); i < len(p) && p[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(p) || p[i] != '"' {
			return c.fail(i, "name expected")
		}
		if i = c.str(i + 1); i < 0 {
			return i
		}
		if i = jsonSpace(p, i); i >= len(p) || p[i] != ':' {
			return c.fail(i, "colon expected")
		}
		if _, i = c.value(jsonSpace(p, i+1), depth); i < 0 {
			return i
		}
		i = jsonSpace(p, i)
		switch {
		case i < len(p) && p[i] == ',':
			i = jsonSpace(p, i+1)
		case i < len(p) && p[i] == '}':
			return i + 1
		default:
			return c.fail(i, "comma or } expected")
		}
	}
}

func (c *jsonChecker) array(i, depth int) int {
	p := c.p
	if depth > MaxDepth {
		return c.fail(i-1, "nested too deep")
	}
	if i = jsonSpace(p, i); i < len(p) && p[i] == ']' {
		return i + 1
	}
	for {
		if _, i = c.value(i, depth); i < 0 {
			return i
		}
		i = jsonSpace(p, i)
		switch {
		case i < len(p) && p[i] == ',':
			i = jsonSpace(p, i+1)
		case i < len(p) && p[i] == ']':
			return i + 1
		default:
			return c.fail(i, "comma or ] expected")
		}
	}
}

// str reads a string from behind its first quote.
func (c *jsonChecker) str(i int) int {
	p := c.p
	for {
		for i+8 <= len(p) {
			x := binary.LittleEndian.Uint64(p[i:])
			q, b := x^ones*'"', x^ones*'\\'
			m := ((q-ones)&^q | (b-ones)&^b | (x-ones*' ')&^x | x) & highs
			if m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		if i >= len(p) {
			return c.fail(i, "unterminated string")
		}
		if c.pace != nil && c.step(i) {
			return -1
		}
		switch ch := p[i]; {
		case ch == '"':
			return i + 1
		case ch == '\\':
			if i = c.escape(i); i < 0 {
				return i
			}
		case ch < ' ':
			return c.fail(i, "control character in a string")
		case ch < utf8.RuneSelf:
			i++
		default:
			r, size := utf8.DecodeRune(p[i:])
			if r == utf8.RuneError && size == 1 {
				return c.fail(i, "not UTF-8")
			}
			i += size
		}
	}
}

func (c *jsonChecker) escape(i int) int {
	p := c.p
	if i+1 >= len(p) {
		return c.fail(i, "unterminated string")
	}
	switch p[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		for k := i + 2; k < i+6; k++ {
			if k >= len(p) || !(p[k]-'0' <= 9 || p[k]|0x20-'a' <= 5) {
				return c.fail(i, "invalid escape")
			}
		}
		return i + 6
	}
	return c.fail(i, "invalid escape")
}

// jsonSpace returns the position of the first byte from i on that is no space.
func jsonSpace(p []byte, i int) int {
	for i < len(p) && p[i] <= ' ' && (p[i] == ' ' || p[i] == '\n' || p[i] == '\r' || p[i] == '\t') {
		i++
	}
	return i
}

// jsonString returns the position of the closing quote of the string whose inside begins at i, and whether there are escapes.
// Without a closing quote it is the end.
func jsonString(p []byte, i int) (end int, escaped bool) {
	for {
		for i+8 <= len(p) {
			x := binary.LittleEndian.Uint64(p[i:])
			q, b := x^ones*'"', x^ones*'\\'
			m := ((q-ones)&^q | (b-ones)&^b) & highs
			if m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		if i >= len(p) {
			return len(p), escaped
		}
		switch p[i] {
		case '"':
			return i, escaped
		case '\\':
			escaped = true
			i++
		}
		i++
	}
}

// jsonSkip returns the position behind the value at i.
func jsonSkip(p []byte, i int, pace *num.Pace) int {
	if i >= len(p) {
		return len(p)
	}
	switch p[i] {
	case '"':
		end, _ := jsonString(p, i+1)
		return min(end+1, len(p))
	case '{', '[':
		return jsonLeave(p, i+1, 1, pace)
	}
	for i < len(p) && p[i] != ',' && p[i] != '}' && p[i] != ']' && p[i] > ' ' {
		i++
	}
	return i
}

// jsonLeave returns the position behind the end of the depth innermost arrays and objects around i.
func jsonLeave(p []byte, i, depth int, pace *num.Pace) int {
	for i < len(p) {
		start := i
		for end := min(len(p), i+num.PaceBytes); i < end; i++ {
			switch p[i] {
			case '"':
				i, _ = jsonString(p, i+1)
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
		if pace.Step(i - start) {
			break
		}
	}
	return len(p)
}

// jsonValue returns the value at i and the position behind it.
func jsonValue(p []byte, i int, pace *num.Pace) (Value, int) {
	if i >= len(p) {
		return Value{}, len(p)
	}
	v := Value{Format: JSON}
	switch p[i] {
	case '{', '[':
		end := jsonLeave(p, i+1, 1, pace)
		v.Class, v.Raw = Object, p[i:end]
		if p[i] == '[' {
			v.Class = Array
		}
		return v, end
	case '"':
		end, escaped := jsonString(p, i+1)
		v.Class, v.Raw, v.Escaped = Text, p[i+1:max(end, i+1)], escaped
		return v, min(end+1, len(p))
	case 't':
		v.Class, v.Bits = Bool, 1
		return v, min(i+4, len(p))
	case 'f':
		v.Class = Bool
		return v, min(i+5, len(p))
	case 'n':
		v.Class = Null
		return v, min(i+4, len(p))
	}
	if n, end, ok := jsonSmall(p, i); ok {
		v.Class, v.Bits = Int, n
		return v, end
	}
	end := jsonSkip(p, i, pace)
	digits := p[i:end]
	switch k, n, f := num.Parse(digits); k {
	case num.IsInt:
		v.Class, v.Bits = Int, uint64(n)
	case num.IsBig:
		v.Class, v.Raw = Big, digits
	case num.IsFloat:
		v.Class, v.Bits = Float, math.Float64bits(f)
	}
	return v, end
}

// jsonSmall reads an integer of 1 to 18 digits without sign that does not begin with 0, or is 0: most numbers are such.
func jsonSmall(p []byte, i int) (n uint64, end int, ok bool) {
	start := i
	for ; i < len(p) && i-start < 19; i++ {
		d := uint64(p[i] - '0')
		if d > 9 {
			break
		}
		n = n*10 + d
	}
	if i == start || i == len(p) || i-start > 18 || p[start] == '0' && i > start+1 {
		return 0, 0, false
	}
	switch p[i] {
	case ',', '}', ']', ' ', '\n', '\r', '\t':
		return n, i, true
	}
	return 0, 0, false
}

func eachJSON(v Value, pace *num.Pace, f func(key []byte, escaped bool, v Value) bool) {
	p := v.Raw
	i := 1
	for {
		for i = jsonSpace(p, i); i < len(p) && p[i] == ','; i = jsonSpace(p, i+1) {
		}
		if i >= len(p) || p[i] == '}' || p[i] == ']' {
			return
		}
		var key []byte
		var escaped bool
		if v.Class == Object {
			if p[i] != '"' {
				return
			}
			var end int
			end, escaped = jsonString(p, i+1)
			key = p[i+1 : max(end, i+1)]
			if i = jsonSpace(p, end+1); i >= len(p) || p[i] != ':' {
				return
			}
			i = jsonSpace(p, i+1)
		}
		member, next := jsonValue(p, i, pace)
		if next <= i || pace.Step(next-i) || !f(key, escaped, member) {
			return
		}
		i = next
	}
}

// AppendCompact appends a well-formed JSON text without the spaces between its parts.
func AppendCompact(dst, text []byte) []byte {
	i := 0
	for i < len(text) {
		start := i
		if text[i] == '"' {
			end, _ := jsonString(text, i+1)
			i = min(end+1, len(text))
		} else {
			for i < len(text) && text[i] > ' ' && text[i] != '"' {
				i++
			}
		}
		dst = append(dst, text[start:i]...)
		i = jsonSpace(text, i)
		if i == start { // a control character: not JSON
			i++
		}
	}
	return dst
}
