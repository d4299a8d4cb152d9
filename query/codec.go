package query

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// ErrVersion is returned by Decode for a tree of another version.
var ErrVersion = errors.New("query: unknown version of the encoded form")

// ErrEncoding is returned by Decode for bytes that Encode did not write, or that
// hold a tree deeper or larger than the limits.
var ErrEncoding = errors.New("query: bad encoding")

// Encode returns the canonical bytes of a statement or of any other node. Equal
// trees, and only those, have equal bytes; where they stood in a text does not
// count.
func Encode(n Node) []byte { return AppendEncoded(nil, n) }

// AppendEncoded appends what Encode returns.
func AppendEncoded(dst []byte, n Node) []byte {
	e := encoder{b: append(dst, 0x92, Version)}
	e.node(n)
	return e.b
}

// Decode reads what Encode wrote. It fails with ErrVersion or ErrEncoding; the
// memory it takes is bounded by the length of b, and the tree it returns is
// complete: no part that a node needs is missing.
func Decode(b []byte) (Node, error) {
	d := decoder{b: b, entries: len(b)}
	if len(b) < 2 || b[0] != 0x92 {
		return nil, fmt.Errorf("%w: no tree begins at byte 0", ErrEncoding)
	}
	d.at = 1
	version, ok := d.int()
	if ok && version != Version {
		return nil, fmt.Errorf("%w: %d, want %d", ErrVersion, version, Version)
	}
	n := d.node(nil)
	if n == nil || d.at != len(b) {
		d.fail()
	}
	if d.failed {
		return nil, fmt.Errorf("%w: at byte %d", ErrEncoding, d.failedAt)
	}
	return n, nil
}

// SameTree reports whether two trees are equal but for where they stood in a
// text.
func SameTree(a, b Node) bool { return string(Encode(a)) == string(Encode(b)) }

// encoder writes msgpack. items counts, for each array that is open, what was
// written to it.
type encoder struct {
	b     []byte
	items []int
}

func (e *encoder) item() {
	if n := len(e.items); n > 0 {
		e.items[n-1]++
	}
}

func (e *encoder) node(n Node) Node {
	e.item()
	if n == nil {
		e.b = append(e.b, 0xc0)
		return nil
	}
	at := len(e.b)
	e.b = append(e.b, 0, byte(n.tag()))
	e.items = append(e.items, 1)
	n.fields(e)
	last := len(e.items) - 1
	e.b[at] = 0x90 | byte(e.items[last]) // no node has more than 14 fields
	e.items = e.items[:last]
	return n
}

func (e *encoder) text(s *string)          { e.item(); e.b = appendStr(e.b, *s) }
func (e *encoder) flag(f *bool)            { e.item(); e.b = appendBool(e.b, *f) }
func (e *encoder) number(n *int)           { e.item(); e.b = appendInt(e.b, int64(*n)) }
func (e *encoder) small(p *uint8, _ uint8) { e.item(); e.b = appendInt(e.b, int64(*p)) }
func (e *encoder) value(v *Value)          { e.item(); e.b = appendValue(e.b, *v) }
func (e *encoder) span(*Span)              {}
func (e *encoder) copies() bool            { return false }
func (e *encoder) mismatch()               {}
func (e *encoder) end()                    { e.items = e.items[:len(e.items)-1] }

func (e *encoder) ident(id *Ident) {
	e.item()
	switch {
	case id.Quoted:
		e.b = appendStr(append(e.b, 0x91), id.Name)
	case id.Name == "":
		e.b = append(e.b, 0xc0)
	default:
		e.b = appendStr(e.b, id.Name)
	}
}

func (e *encoder) count(n int) int {
	e.item()
	e.b = appendHead(e.b, 0x90, 15, 0xdc, n)
	e.items = append(e.items, 0)
	return n
}

// appendHead writes the head of an array or string: with the length in the byte,
// or behind one of two or three bytes that follow wide.
func appendHead(b []byte, fix byte, most int, wide byte, n int) []byte {
	switch {
	case n <= most:
		return append(b, fix|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, wide), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, wide+1), uint32(n))
}

func appendStr(b []byte, s string) []byte {
	if len(s) > 31 && len(s) <= math.MaxUint8 {
		b = append(b, 0xd9, byte(len(s)))
	} else {
		b = appendHead(b, 0xa0, 31, 0xda, len(s))
	}
	return append(b, s...)
}

func appendBin(b []byte, s string) []byte {
	if len(s) <= math.MaxUint8 {
		b = append(b, 0xc4, byte(len(s)))
	} else {
		b = appendHead(b, 0, -1, 0xc5, len(s))
	}
	return append(b, s...)
}

func appendBool(b []byte, f bool) []byte {
	if f {
		return append(b, 0xc3)
	}
	return append(b, 0xc2)
}

func appendInt(b []byte, n int64) []byte {
	switch {
	case n >= 0 && n <= 127 || n < 0 && n >= -32:
		return append(b, byte(n))
	case n > 0 && n <= math.MaxUint8:
		return append(b, 0xcc, byte(n))
	case n > 0 && n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, 0xcd), uint16(n))
	case n > 0 && n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, 0xce), uint32(n))
	case n > 0:
		return binary.BigEndian.AppendUint64(append(b, 0xcf), uint64(n))
	case n >= math.MinInt8:
		return append(b, 0xd0, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(b, 0xd1), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(b, 0xd2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(n))
}

func appendValue(b []byte, v Value) []byte {
	items := byte(2)
	switch v.kind {
	case KindNull:
		items = 1
	case KindDecimal:
		items = 3
	case KindInterval:
		items = 4
	}
	b = append(b, 0x90|items, byte(v.kind))
	switch v.kind {
	case KindBool:
		b = appendBool(b, v.n != 0)
	case KindInt, KindTime, KindDate:
		b = appendInt(b, v.n)
	case KindDouble:
		b = binary.BigEndian.AppendUint64(append(b, 0xcb), uint64(v.n))
	case KindDecimal:
		b = appendInt(appendStr(b, v.s), int64(v.days))
	case KindInterval:
		b = appendInt(appendInt(appendInt(b, int64(v.months)), int64(v.days)), v.n)
	case KindBlob:
		b = appendBin(b, v.s)
	case KindBig, KindText, KindJSON:
		b = appendStr(b, v.s)
	}
	return b
}

// decoder reads msgpack. After the first mistake it reads nothing more.
type decoder struct {
	b        []byte
	at       int
	depth    int
	nodes    int
	entries  int   // that lists may still have: each takes a byte or more
	items    []int // read so far from each open array
	failed   bool
	failedAt int
}

func (d *decoder) fail() {
	if !d.failed {
		d.failed, d.failedAt = true, d.at
		d.at = len(d.b)
	}
}

func (d *decoder) item() {
	if n := len(d.items); n > 0 {
		d.items[n-1]++
	}
}

func (d *decoder) byte() byte {
	if d.failed || d.at >= len(d.b) {
		d.fail()
		return 0xc1 // never used by msgpack
	}
	d.at++
	return d.b[d.at-1]
}

// take returns the next n bytes, nil when there are fewer.
func (d *decoder) take(n int) []byte {
	if d.failed || n < 0 || n > len(d.b)-d.at {
		d.fail()
		return nil
	}
	d.at += n
	return d.b[d.at-n : d.at]
}

func (d *decoder) uint(n int) uint64 {
	var u uint64
	for _, c := range d.take(n) {
		u = u<<8 | uint64(c)
	}
	return u
}

// int reads an integer in its shortest form.
func (d *decoder) int() (int64, bool) {
	start := d.at
	var n int64
	switch c := d.byte(); {
	case c <= 0x7f || c >= 0xe0:
		n = int64(int8(c))
	case c >= 0xcc && c <= 0xcf:
		u := d.uint(1 << (c - 0xcc))
		if u > math.MaxInt64 {
			d.fail()
		}
		n = int64(u)
	case c >= 0xd0 && c <= 0xd3:
		width := 1 << (c - 0xd0)
		shift := 64 - 8*width
		n = int64(d.uint(width)<<shift) >> shift
	default:
		d.fail()
	}
	if !d.failed && len(appendInt(nil, n)) != d.at-start {
		d.fail()
	}
	return n, !d.failed
}

// head reads the length of an array, in its shortest form.
func (d *decoder) head() int {
	var n uint64
	least := uint64(0)
	switch c := d.byte(); {
	case c&0xf0 == 0x90:
		n = uint64(c & 0x0f)
	case c == 0xdc:
		n, least = d.uint(2), 16
	case c == 0xdd:
		n, least = d.uint(4), math.MaxUint16+1
	default:
		d.fail()
	}
	if n < least || n > uint64(len(d.b)-d.at) { // an entry takes a byte or more
		d.fail()
	}
	if d.failed {
		return 0
	}
	return int(n)
}

func (d *decoder) str() string {
	var n, least uint64
	switch c := d.byte(); {
	case c&0xe0 == 0xa0:
		n = uint64(c & 0x1f)
	case c == 0xd9:
		n, least = d.uint(1), 32
	case c == 0xda:
		n, least = d.uint(2), math.MaxUint8+1
	case c == 0xdb:
		n, least = d.uint(4), math.MaxUint16+1
	default:
		d.fail()
	}
	b := d.take(int(n))
	if n < least || !utf8.Valid(b) {
		d.fail()
	}
	if d.failed {
		return ""
	}
	return string(b)
}

func (d *decoder) bin() string {
	var n, least uint64
	switch d.byte() {
	case 0xc4:
		n = d.uint(1)
	case 0xc5:
		n, least = d.uint(2), math.MaxUint8+1
	case 0xc6:
		n, least = d.uint(4), math.MaxUint16+1
	default:
		d.fail()
	}
	b := d.take(int(n))
	if n < least {
		d.fail()
	}
	return string(b)
}

func (d *decoder) bool() bool {
	switch d.byte() {
	case 0xc2:
	case 0xc3:
		return true
	default:
		d.fail()
	}
	return false
}

func (d *decoder) node(Node) Node {
	d.item()
	if d.at < len(d.b) && d.b[d.at] == 0xc0 {
		d.at++
		return nil
	}
	d.nodes++
	if d.nodes > maxDecodeNodes || d.depth >= maxDecodeDepth {
		d.fail()
	}
	want := d.head()
	t, _ := d.int()
	if d.failed || t <= 0 || t >= int64(tagEnd) {
		d.fail()
		return nil
	}
	n := newNode(tag(t))
	d.depth++
	d.items = append(d.items, 1)
	n.fields(d)
	last := len(d.items) - 1
	if d.failed || d.items[last] != want || !complete(n) {
		d.fail()
	}
	d.items = d.items[:last]
	d.depth--
	if d.failed {
		return nil
	}
	return n
}

func (d *decoder) text(s *string) { d.item(); *s = d.str() }
func (d *decoder) flag(f *bool)   { d.item(); *f = d.bool() }
func (d *decoder) span(*Span)     {}
func (d *decoder) copies() bool   { return false }
func (d *decoder) mismatch()      { d.fail() }
func (d *decoder) end()           { d.items = d.items[:len(d.items)-1] }

func (d *decoder) number(p *int) {
	d.item()
	n, _ := d.int()
	if n < 0 || n > math.MaxInt32 {
		d.fail()
		n = 0
	}
	*p = int(n)
}

func (d *decoder) small(p *uint8, end uint8) {
	d.item()
	n, _ := d.int()
	if n < 0 || n >= int64(end) {
		d.fail()
		n = 0
	}
	*p = uint8(n)
}

func (d *decoder) ident(id *Ident) {
	d.item()
	if d.at < len(d.b) {
		switch d.b[d.at] {
		case 0xc0:
			d.at++
			return
		case 0x91:
			d.at++
			id.Quoted = true
		}
	}
	id.Name = d.str()
	if id.Name == "" {
		d.fail()
	}
}

// count reads the length of a list. All lists together have no more entries than
// the input has bytes, so their memory is bounded by it.
func (d *decoder) count(int) int {
	d.item()
	n := d.head()
	if n > d.entries {
		d.fail()
		n = 0
	}
	d.entries -= n
	d.items = append(d.items, 0)
	return n
}

func (d *decoder) value(v *Value) {
	d.item()
	items := d.head()
	kind, _ := d.int()
	*v = Value{kind: Kind(kind)}
	want, ok := 2, true
	switch v.kind {
	case KindNull:
		want = 1
	case KindBool:
		*v = Bool(d.bool())
	case KindInt, KindTime:
		v.n, _ = d.int()
	case KindDate:
		v.n, _ = d.int()
		ok = *v == Date(v.n)
	case KindDouble:
		ok = d.byte() == 0xcb
		v.n = int64(d.uint(8))
		ok = ok && *v == Double(v.Double())
	case KindDecimal:
		want = 3
		v.s = d.str()
		scale, _ := d.int()
		ok = scale >= 0 && scale <= MaxPrecision && allDigits(trimSign(v.s))
		if ok {
			v.days = int32(scale)
			same, err := ParseDecimal(decimalText(v.s, int(scale)))
			ok = err == nil && same == *v
		}
	case KindInterval:
		want = 4
		months, _ := d.int()
		days, _ := d.int()
		v.months, v.days = int32(months), int32(days)
		v.n, _ = d.int()
		ok = int64(v.months) == months && int64(v.days) == days
	case KindBlob:
		v.s = d.bin()
	case KindText:
		v.s = d.str()
	case KindBig:
		v.s = d.str()
		same, valid := ParseInteger(v.s)
		ok = valid && same == *v
	case KindJSON:
		v.s = d.str()
		ok = json.Valid([]byte(v.s)) && JSON(v.s) == *v
	default:
		ok = false
	}
	if !ok || items != want || kind != int64(v.kind) {
		d.fail()
	}
	if d.failed {
		*v = Value{}
	}
}

func trimSign(s string) string {
	if s != "" && s[0] == '-' {
		return s[1:]
	}
	return s
}
