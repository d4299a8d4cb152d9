package payload

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/seed69692123/netdb/internal/num"
)

// msgpackHead is the first bytes of a value: what it is and, for scalars, its value.
type msgpackHead struct {
	class Class
	bits  uint64
	count int // of Text and Blob the bytes, of Array the elements, of Object the members
	ext   int8
	isExt bool
	next  int // position behind the head: that of the bytes, elements or members
}

// readMsgpackHead reads the head of the value at i. It reports whether there is one, not whether what follows is there.
func readMsgpackHead(p []byte, i int) (h msgpackHead, ok bool) {
	if i >= len(p) {
		return h, false
	}
	c := p[i]
	h.next = i + 1
	switch {
	case c < 0x80:
		h.class, h.bits = Int, uint64(c)
		return h, true
	case c < 0x90:
		h.class, h.count = Object, int(c&15)
		return h, true
	case c < 0xa0:
		h.class, h.count = Array, int(c&15)
		return h, true
	case c < 0xc0:
		h.class, h.count = Text, int(c&31)
		return h, true
	case c >= 0xe0:
		h.class, h.bits = Int, uint64(int64(int8(c)))
		return h, true
	}
	width := int(msgpackWidth[c-0xc0])
	if len(p)-h.next < width {
		return h, false
	}
	var u uint64
	switch width {
	case 1:
		u = uint64(p[i+1])
	case 2:
		u = uint64(binary.BigEndian.Uint16(p[i+1:]))
	case 4:
		u = uint64(binary.BigEndian.Uint32(p[i+1:]))
	case 8:
		u = binary.BigEndian.Uint64(p[i+1:])
	}
	h.next += width
	switch c {
	case 0xc0:
		h.class = Null
	case 0xc2, 0xc3:
		h.class, h.bits = Bool, uint64(c&1)
	case 0xc4, 0xc5, 0xc6:
		h.class, h.count = Blob, int(u)
	case 0xc7, 0xc8, 0xc9:
		h.count = int(u)
		return readMsgpackExt(p, h)
	case 0xca:
		h.class, h.bits = Float, math.Float64bits(float64(math.Float32frombits(uint32(u))))
	case 0xcb:
		h.class, h.bits = Float, u
	case 0xcc, 0xcd, 0xce, 0xcf:
		h.class, h.bits = Int, u
		if u > math.MaxInt64 {
			h.class = Big
		}
	case 0xd0:
		h.class, h.bits = Int, uint64(int64(int8(u)))
	case 0xd1:
		h.class, h.bits = Int, uint64(int64(int16(u)))
	case 0xd2:
		h.class, h.bits = Int, uint64(int64(int32(u)))
	case 0xd3:
		h.class, h.bits = Int, u
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		h.count = 1 << (c - 0xd4)
		return readMsgpackExt(p, h)
	case 0xd9, 0xda, 0xdb:
		h.class, h.count = Text, int(u)
	case 0xdc, 0xdd:
		h.class, h.count = Array, int(u)
	case 0xde, 0xdf:
		h.class, h.count = Object, int(u)
	default: // 0xc1 is never used
		return h, false
	}
	return h, true
}

// msgpackWidth is how many bytes of number follow the bytes 0xc0 to 0xdf.
var msgpackWidth = [32]uint8{
	0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8,
	1, 2, 4, 8, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4,
}

// readMsgpackExt reads the type of an extension; its data is h.count bytes from h.next on.
func readMsgpackExt(p []byte, h msgpackHead) (msgpackHead, bool) {
	if h.next >= len(p) {
		return h, false
	}
	h.class, h.isExt, h.ext = Blob, true, int8(p[h.next])
	h.next++
	return h, true
}

// timestamp decodes a timestamp extension; false when it is none or does not fit.
func timestamp(ext int8, data []byte) (ns int64, ok bool) {
	if ext != -1 {
		return 0, false
	}
	var sec int64
	var nanos uint64
	switch len(data) {
	case 4:
		sec = int64(binary.BigEndian.Uint32(data))
	case 8:
		u := binary.BigEndian.Uint64(data)
		sec, nanos = int64(u&(1<<34-1)), u>>34
	case 12:
		nanos, sec = uint64(binary.BigEndian.Uint32(data)), int64(binary.BigEndian.Uint64(data[4:]))
	default:
		return 0, false
	}
	const limit = math.MaxInt64 / 1_000_000_000 // one second less than fits at either end
	if nanos >= 1e9 || sec < -limit || sec >= limit {
		return 0, false
	}
	return sec*1e9 + int64(nanos), true
}

// msgpackChecker reads a whole value.
type msgpackChecker struct {
	p    []byte
	err  *SyntaxError
	pace *num.Pace
	last int // position at the last step of pace
}

func checkMsgpack(p []byte, pace *num.Pace) (Class, error) {
	c := msgpackChecker{p: p, pace: pace}
	i := c.values(0, 1, 0)
	if i >= 0 && i < len(p) {
		i = c.fail(i, "something behind the value")
	}
	if i < 0 {
		return Missing, c.err
	}
	h, _ := readMsgpackHead(p, 0)
	if h.isExt {
		v, _ := msgpackValue(p, 0, nil)
		return v.Class, nil
	}
	return h.class, nil
}

// fail notes the error and returns -1, which values hands on.
func (c *msgpackChecker) fail(i int, reason string) int {
	c.err = &SyntaxError{Msgpack, i, reason}
	return -1
}

// values reads n values from i on and returns the position behind them.
func (c *msgpackChecker) values(i, n, depth int) int {
	p := c.p
	for ; n > 0; n-- {
		if i >= len(p) {
			return c.fail(i, "unexpected end")
		}
		if c.pace != nil && i-c.last >= num.PaceBytes>>4 {
			if c.pace.Step(i - c.last) {
				return c.fail(i, "given up")
			}
			c.last = i
		}
		b := p[i]
		if b < 0x80 || b >= 0xe0 {
			i++
			continue
		}
		if b >= 0xa0 && b < 0xc0 {
			end := i + 1 + int(b&31)
			if end > len(p) {
				return c.fail(i, "unexpected end")
			}
			if !validText(p[i+1 : end]) {
				return c.fail(i, "not UTF-8")
			}
			i = end
			continue
		}
		h, ok := readMsgpackHead(p, i)
		if !ok {
			if b == 0xc1 {
				return c.fail(i, "invalid byte")
			}
			return c.fail(i, "unexpected end")
		}
		at := i
		i = h.next
		switch h.class {
		case Text, Blob:
			if len(p)-i < h.count {
				return c.fail(at, "unexpected end")
			}
			if h.class == Text && !validText(p[i:i+h.count]) {
				return c.fail(at, "not UTF-8")
			}
			i += h.count
		case Array, Object:
			count := h.count
			if h.class == Object {
				count *= 2
			}
			if count > len(p)-i { // every value takes a byte at least
				return c.fail(at, "unexpected end")
			}
			if depth == MaxDepth {
				return c.fail(at, "nested too deep")
			}
			if i = c.values(i, count, depth+1); i < 0 {
				return i
			}
		}
	}
	return i
}

// validText reports whether s is UTF-8; short ASCII, the usual case, without a call.
func validText(s []byte) bool {
	for i, c := range s {
		if c >= utf8.RuneSelf {
			return utf8.Valid(s[i:])
		}
	}
	return true
}

// msgpackSkip returns the position behind the value at i, the end when it is not complete.
func msgpackSkip(p []byte, i int, pace *num.Pace) int {
	return msgpackSkipMany(p, i, 1, pace)
}

// msgpackSkipMany returns the position behind n values.
func msgpackSkipMany(p []byte, i, n int, pace *num.Pace) int {
	next := i + num.PaceBytes
	for ; n > 0; n-- {
		if i >= len(p) {
			return len(p)
		}
		if i >= next {
			if pace.Step(i - next + num.PaceBytes) {
				return len(p)
			}
			next = i + num.PaceBytes
		}
		c := p[i]
		switch {
		case c < 0x80 || c >= 0xe0:
			i++
			continue
		case c < 0x90:
			n += 2 * int(c&15)
			i++
			continue
		case c < 0xa0:
			n += int(c & 15)
			i++
			continue
		case c < 0xc0:
			i += 1 + int(c&31)
			continue
		}
		if size := int(msgpackSize[c-0xc0]); size > 0 {
			i += size
			continue
		}
		h, ok := readMsgpackHead(p, i)
		if !ok {
			return len(p)
		}
		i = h.next
		switch h.class {
		case Text, Blob:
			i += h.count
		case Array:
			n += h.count
		case Object:
			n += 2 * h.count
		}
		if n > len(p) {
			return len(p)
		}
	}
	return min(i, len(p))
}

// msgpackSize is how long values that begin with the bytes 0xc0 to 0xdf are; 0 where the value says so itself.
var msgpackSize = [32]uint8{
	1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 5, 9, 2, 3, 5, 9,
	2, 3, 5, 9, 3, 4, 6, 10, 18, 0, 0, 0, 0, 0, 0, 0,
}

// msgpackValue returns the value at i and the position behind it.
func msgpackValue(p []byte, i int, pace *num.Pace) (Value, int) {
	if i < len(p) {
		if b := p[i]; b < 0x80 || b >= 0xe0 {
			return Value{Format: Msgpack, Class: Int, Bits: uint64(int64(int8(b)))}, i + 1
		}
	}
	h, ok := readMsgpackHead(p, i)
	if !ok {
		return Value{}, len(p)
	}
	v := Value{Format: Msgpack, Class: h.class, Bits: h.bits}
	switch h.class {
	case Text, Blob:
		if len(p)-h.next < h.count {
			return Value{}, len(p)
		}
		end := h.next + h.count
		v.Raw = p[h.next:end]
		if h.isExt {
			if ns, ok := timestamp(h.ext, v.Raw); ok {
				v.Class, v.Bits, v.Raw = Time, uint64(ns), nil
			}
		}
		return v, end
	case Array, Object:
		end := msgpackSkip(p, i, pace)
		v.Raw = p[i:end]
		return v, end
	}
	return v, h.next
}

func eachMsgpack(v Value, pace *num.Pace, f func(key []byte, escaped bool, v Value) bool) {
	p := v.Raw
	h, ok := readMsgpackHead(p, 0)
	if !ok {
		return
	}
	i := h.next
	for range h.count {
		var key []byte
		if h.class == Object {
			k, next := msgpackValue(p, i, pace)
			if i = next; k.Class == Text {
				key = k.Raw
			} else if i < len(p) { // a key that cannot be named
				if i = msgpackSkip(p, i, pace); i < len(p) {
					continue
				}
				return
			}
		}
		if i >= len(p) {
			return
		}
		start := i
		var member Value
		if member, i = msgpackValue(p, i, pace); pace.Step(i-start) || !f(key, false, member) {
			return
		}
	}
}

// appendMsgpackJSON appends an encoded value as compact JSON text. It goes no deeper than MaxDepth.
func appendMsgpackJSON(dst, p []byte, pace *num.Pace) []byte {
	dst, _ = msgpackToJSON(dst, p, 0, 0, pace)
	return dst
}

func msgpackToJSON(dst, p []byte, i, depth int, pace *num.Pace) ([]byte, int) {
	h, ok := readMsgpackHead(p, i)
	if !ok || depth > MaxDepth || pace.Step(h.next-i+h.count) {
		return append(dst, "null"...), len(p)
	}
	if h.class != Array && h.class != Object {
		v, next := msgpackValue(p, i, pace)
		return v.AppendJSON(dst), next
	}
	begin, end := byte('['), byte(']')
	if h.class == Object {
		begin, end = '{', '}'
	}
	dst = append(dst, begin)
	i = h.next
	for k := range h.count {
		if i >= len(p) {
			break
		}
		if k > 0 {
			dst = append(dst, ',')
		}
		if h.class == Object {
			dst, i = msgpackKey(dst, p, i, depth, pace)
			dst = append(dst, ':')
		}
		dst, i = msgpackToJSON(dst, p, i, depth+1, pace)
	}
	return append(dst, end), i
}

// msgpackKey appends a key as a JSON string: one that is no string as the text of its JSON, but arrays and maps as \x and their
// bytes in hexadecimal, like a blob. Their JSON would be quoted anew for each key inside a key, and double every time.
func msgpackKey(dst, p []byte, i, depth int, pace *num.Pace) ([]byte, int) {
	v, next := msgpackValue(p, i, pace)
	switch v.Class {
	case Text, Blob, Time:
		return v.AppendJSON(dst), next
	case Int:
		dst = strconv.AppendInt(append(dst, '"'), v.Int(), 10)
		return append(dst, '"'), next
	case Float:
		dst = num.AppendFloat(append(dst, '"'), v.Float())
		return append(dst, '"'), next
	}
	if v.Class == Array || v.Class == Object {
		next = min(msgpackSkip(p, i, pace), len(p))
		return AppendQuoted(dst, hex.AppendEncode([]byte(`\x`), p[i:next])), next
	}
	text, next := msgpackToJSON(nil, p, i, depth+1, pace)
	return AppendQuoted(dst, text), next
}
