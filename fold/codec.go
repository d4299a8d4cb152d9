package fold

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/seed69692123/netdb/redex"
	"github.com/vmihailenco/msgpack/v5"
)

// The text of a token is "w1" and, in unpadded URL base64, the store's 16 bytes, then log, epoch, ordinal and sequence as
// minimal unsigned varints, then the CRC-32C of all that, big endian.
const (
	tokenPrefix   = "w1"
	maxTokenChars = 2 + 4*(16+4*binary.MaxVarintLen64+4+2)/3
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var tokenText = base64.RawURLEncoding.Strict()

func appendToken(b []byte, t WriteToken) []byte {
	if t.IsZero() {
		return b
	}
	var buf [16 + 4*binary.MaxVarintLen64 + 4]byte
	p := append(buf[:0], t.pos.Store[:]...)
	p = binary.AppendUvarint(p, uint64(t.pos.Log))
	p = binary.AppendUvarint(p, uint64(t.pos.Epoch))
	p = binary.AppendUvarint(p, uint64(t.pos.Ordinal))
	p = binary.AppendUvarint(p, uint64(t.pos.Seq))
	p = binary.BigEndian.AppendUint32(p, crc32.Checksum(p, castagnoli))
	return tokenText.AppendEncode(append(b, tokenPrefix...), p)
}

func parseToken(s string) (WriteToken, error) {
	fail := func(why string) (WriteToken, error) { return WriteToken{}, fmt.Errorf("%w: %s", ErrToken, why) }
	if len(s) > maxTokenChars {
		return fail("too long")
	}
	if len(s) < len(tokenPrefix) || s[:len(tokenPrefix)] != tokenPrefix {
		return fail(`does not begin with "` + tokenPrefix + `"`)
	}
	p, err := tokenText.DecodeString(s[len(tokenPrefix):])
	if err != nil {
		return fail("not a base64 text")
	}
	if len(p) < 16+4+4 {
		return fail("too short")
	}
	body, sum := p[:len(p)-4], p[len(p)-4:]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(sum) {
		return fail("its checksum does not match")
	}
	var t WriteToken
	body = body[copy(t.pos.Store[:], body):]
	for _, f := range []*uint64{(*uint64)(&t.pos.Log), (*uint64)(&t.pos.Epoch), (*uint64)(&t.pos.Ordinal), (*uint64)(&t.pos.Seq)} {
		v, n := binary.Uvarint(body)
		if n <= 0 || n > 1 && body[n-1] == 0 {
			return fail("a number in it is malformed")
		}
		*f, body = v, body[n:]
	}
	switch {
	case len(body) != 0:
		return fail("bytes after its end")
	case t.pos.Seq > math.MaxInt64:
		return fail("its sequence is above 2^63-1")
	case t.IsZero():
		return fail("it names nothing")
	case t.String() != s: // the decoder passes over line ends
		return fail("characters that belong to no token")
	}
	return t, nil
}

// Decode reads an event's payload into v: MessagePack or JSON, by the event's encoding. Names of fields follow the tags of
// those formats; unknown fields are ignored. v shares no memory with the event. What cannot be read, and a raw payload, gives
// an error made by Undecodable, for Apply to return.
func Decode(ev *redex.Event, v any) error {
	var err error
	switch ev.Encoding {
	case redex.Msgpack:
		err = redex.DecodePayload(ev, v)
	case redex.JSON:
		err = json.Unmarshal(ev.Payload, v)
	default:
		err = fmt.Errorf("payload is %v", ev.Encoding)
	}
	if err != nil {
		return Undecodable(err)
	}
	return nil
}

const maxMsgpackDepth = 64

var errMsgpack = errors.New("malformed msgpack")

// checkMsgpack reports whether b is exactly one well-formed value, no deeper than maxMsgpackDepth, whose lengths all lie within
// b: after that, a decoder can be trusted to allocate no more than b's size warrants and not to exhaust the stack.
func checkMsgpack(b []byte) error {
	var left [maxMsgpackDepth]uint64 // values still to come, by depth
	depth := 0
	left[0] = 1
	for {
		for left[depth] == 0 {
			if depth == 0 {
				if len(b) != 0 {
					return errMsgpack
				}
				return nil
			}
			depth--
		}
		left[depth]--
		if len(b) == 0 {
			return errMsgpack
		}
		c := b[0]
		b = b[1:]
		skip, size, items := 0, 0, uint64(0) // bytes of a scalar; bytes of a length; values of a container
		isMap, isContainer, extra := false, false, uint64(0)
		switch {
		case c <= 0x7f || c >= 0xe0 || c == 0xc0 || c == 0xc2 || c == 0xc3:
		case c <= 0x8f:
			isContainer, isMap, items = true, true, uint64(c&0xf)
		case c <= 0x9f:
			isContainer, items = true, uint64(c&0xf)
		case c <= 0xbf:
			skip = int(c & 0x1f)
		case c == 0xc1:
			return errMsgpack
		case c <= 0xc6: // bin 8, 16, 32
			size = 1 << (c - 0xc4)
		case c <= 0xc9: // ext 8, 16, 32
			size, extra = 1<<(c-0xc7), 1
		case c == 0xca:
			skip = 4
		case c == 0xcb:
			skip = 8
		case c <= 0xcf:
			skip = 1 << (c - 0xcc)
		case c <= 0xd3:
			skip = 1 << (c - 0xd0)
		case c <= 0xd8: // fixext 1 to 16
			skip = 1 + 1<<(c-0xd4)
		case c <= 0xdb: // str 8, 16, 32
			size = 1 << (c - 0xd9)
		case c <= 0xdd:
			isContainer, size = true, 2<<(c-0xdc)
		default:
			isContainer, isMap, size = true, true, 2<<(c-0xde)
		}
		if size > 0 {
			if len(b) < size {
				return errMsgpack
			}
			n := uint64(0)
			for _, x := range b[:size] {
				n = n<<8 | uint64(x)
			}
			b = b[size:]
			if isContainer {
				items = n
			} else if n += extra; n > uint64(len(b)) {
				return errMsgpack
			} else {
				skip = int(n)
			}
		}
		if skip > len(b) {
			return errMsgpack
		}
		b = b[skip:]
		if isContainer {
			if isMap {
				items *= 2
			}
			if items > uint64(len(b)) {
				return errMsgpack
			}
			if depth++; depth == maxMsgpackDepth {
				return fmt.Errorf("%w: deeper than %d", errMsgpack, maxMsgpackDepth)
			}
			left[depth] = items
		}
	}
}

// encode writes the rows of a frozen core: key and row as MessagePack, or the row as its codec's bytes.
func (c *core[K, V]) encode(w *streamWriter) error {
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	enc.UseArrayEncodedStructs(true)
	enc.UseCompactInts(true)
	enc.SetSortMapKeys(true)
	var scratch []byte
	var err error
	c.keys.ascend(nil, func(kr *keyRow[K]) bool {
		e := c.rows.get(kr.p)
		buf.Reset()
		if err = enc.Encode(&e.key); err != nil {
			return false
		}
		if c.o.Codec == nil {
			if err = enc.Encode(&e.val); err != nil {
				return false
			}
		} else {
			if scratch, err = c.o.Codec.Append(scratch[:0], &e.val); err != nil {
				return false
			}
			buf.Write(scratch)
		}
		err = w.record(buf.Bytes())
		return err == nil
	})
	return err
}

// decode fills an empty live core.
func (c *core[K, V]) decode(r *recordReader, rows uint64) error {
	in := bytes.NewReader(nil)
	dec := msgpack.NewDecoder(in)
	for range rows {
		rec, err := r.record()
		if err != nil {
			return err
		}
		keyLen, err := msgpackLen(rec)
		if err != nil {
			return err
		}
		if err := checkMsgpack(rec[:keyLen]); err != nil {
			return err
		}
		var k K
		var v V
		in.Reset(rec[:keyLen])
		dec.Reset(in)
		if err := dec.Decode(&k); err != nil {
			return err
		}
		if c.o.Codec != nil {
			err = c.o.Codec.Decode(rec[keyLen:], &v)
		} else if err = checkMsgpack(rec[keyLen:]); err == nil {
			in.Reset(rec[keyLen:])
			dec.Reset(in)
			err = dec.Decode(&v)
		}
		if err != nil {
			return err
		}
		c.set(k, v)
		c.commit()
	}
	return nil
}

func (c *core[K, V]) len() int { return c.keys.len() }

// msgpackLen returns the length of the scalar that b begins with; keys of tables are numbers and strings.
func msgpackLen(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, errMsgpack
	}
	n := 0
	switch c := b[0]; {
	case c <= 0x7f || c >= 0xe0:
		n = 1
	case c >= 0xa0 && c <= 0xbf:
		n = 1 + int(c&0x1f)
	case c == 0xca:
		n = 5
	case c == 0xcb:
		n = 9
	case c >= 0xcc && c <= 0xcf:
		n = 1 + 1<<(c-0xcc)
	case c >= 0xd0 && c <= 0xd3:
		n = 1 + 1<<(c-0xd0)
	case c >= 0xd9 && c <= 0xdb:
		size := 1 << (c - 0xd9)
		if len(b) < 1+size {
			return 0, errMsgpack
		}
		for _, x := range b[1 : 1+size] {
			n = n<<8 | int(x)
		}
		n += 1 + size
	default:
		return 0, errMsgpack
	}
	if n > len(b) {
		return 0, errMsgpack
	}
	return n, nil
}

// encodePlain writes a state that is not made of tables.
func encodePlain(state any) ([]byte, error) {
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	enc.UseArrayEncodedStructs(true)
	enc.UseCompactInts(true)
	enc.SetSortMapKeys(true)
	err := enc.Encode(state)
	return buf.Bytes(), err
}

func decodePlain(b []byte, state any) error {
	if err := checkMsgpack(b); err != nil {
		return err
	}
	return msgpack.Unmarshal(b, state)
}
