package fold

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
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
	}
	return t, nil
}
