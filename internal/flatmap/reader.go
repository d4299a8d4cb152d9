package flatmap

import "encoding/binary"

// Reader reads one map. Next moves to a key; one of Uint, Int, Text and Texts must then read its value. A Reader that has met
// something it does not take returns false from Next and OK from then on.
type Reader struct {
	b    []byte // what is not read yet
	left int    // pairs
	bad  bool
	key  []byte
}

// Read begins to read a payload.
func Read(payload []byte) Reader {
	r := Reader{b: payload}
	switch c := r.code(); {
	case c&0xf0 == 0x80:
		r.left = int(c & 0x0f)
	case c == 0xde:
		r.left = int(r.number(2))
	case c == 0xdf:
		r.left = int(r.number(4))
	default:
		r.bad = true
	}
	return r
}

// Next moves to the next key and reports whether there is one.
func (r *Reader) Next() bool {
	if r.bad || r.left == 0 {
		return false
	}
	r.left--
	r.key = r.Text()
	return !r.bad
}

// Key returns the current key.
func (r *Reader) Key() []byte { return r.key }

// OK reports whether the payload was one map, read to its end, and nothing behind it.
func (r *Reader) OK() bool { return !r.bad && r.left == 0 && len(r.b) == 0 }

// GiveUp makes the reader stop: the caller met something that it does not take.
func (r *Reader) GiveUp() { r.bad = true }

// Uint reads an unsigned number.
func (r *Reader) Uint() uint64 {
	switch c := r.code(); {
	case c < 0x80:
		return uint64(c)
	case c >= 0xcc && c <= 0xcf:
		return r.number(1 << (c - 0xcc))
	}
	r.bad = true
	return 0
}

// Int reads a number of 64 bits with a sign.
func (r *Reader) Int() int64 {
	c := r.code()
	switch c {
	case 0xd0:
		return int64(int8(r.number(1)))
	case 0xd1:
		return int64(int16(r.number(2)))
	case 0xd2:
		return int64(int32(r.number(4)))
	case 0xd3:
		return int64(r.number(8))
	}
	switch {
	case c < 0x80 || c >= 0xe0:
		return int64(int8(c))
	case c >= 0xcc && c <= 0xcf:
		if n := r.number(1 << (c - 0xcc)); n <= 1<<63-1 {
			return int64(n)
		}
	}
	r.bad = true
	return 0
}

// Text reads a text. The bytes are those of the payload; whether they are UTF-8 is not looked at.
func (r *Reader) Text() []byte {
	n := uint64(0)
	switch c := r.code(); {
	case c&0xe0 == 0xa0:
		n = uint64(c & 0x1f)
	case c >= 0xd9 && c <= 0xdb:
		n = r.number(1 << (c - 0xd9))
	default:
		r.bad = true
	}
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	t := r.b[:n]
	r.b = r.b[n:]
	return t
}

// Texts reads an array of texts.
func (r *Reader) Texts() []string {
	n := uint64(0)
	switch c := r.code(); {
	case c&0xf0 == 0x90:
		n = uint64(c & 0x0f)
	case c == 0xdc:
		n = r.number(2)
	case c == 0xdd:
		n = r.number(4)
	default:
		r.bad = true
	}
	if r.bad || n > uint64(len(r.b)) { // a text has a byte at least
		r.bad = true
		return nil
	}
	list := make([]string, 0, min(n, 64)) // n is not to be trusted: a string's header is larger than a text may be
	for range n {
		t := r.Text()
		if r.bad {
			return nil
		}
		list = append(list, string(t))
	}
	return list
}

// code reads the byte that says what follows; 0xc1, which is never used, when there is none.
func (r *Reader) code() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0xc1
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

// number reads a big-endian number of 1, 2, 4 or 8 bytes.
func (r *Reader) number(bytes int) uint64 {
	if len(r.b) < bytes {
		r.bad = true
		return 0
	}
	b := r.b
	r.b = b[bytes:]
	switch bytes {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(b))
	case 4:
		return uint64(binary.BigEndian.Uint32(b))
	}
	return binary.BigEndian.Uint64(b)
}
