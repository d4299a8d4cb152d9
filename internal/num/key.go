package num

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"
)

// The first byte of a value's key. Their order is the order of classes; 0x00 ends arrays and objects, so it is below all.
const (
	tagEnd     = 0x00
	tagFalse   = 0x01
	tagTrue    = 0x02
	tagNegInf  = 0x10
	tagNegHuge = 0x11 // below -2^63
	tagNumber  = 0x12
	tagPosHuge = 0x13 // from 2^63 on
	tagPosInf  = 0x14
	tagNaN     = 0x15
	tagText    = 0x20
	tagBlob    = 0x21
	tagTime    = 0x22
	tagDate    = 0x23
	tagSpan    = 0x24
	tagArray   = 0x30
	tagObject  = 0x31
	tagNull    = 0xff
)

// A key is bytes that compare as the values do, over all classes; equal values have equal keys, and no key is the beginning of
// another, so keys of several columns may follow each other. Keys are for memory and
// temporary files; those of single values are also kept by indexes of logs, whose version changes with them (logscan.IndexVersion).

// KeyNull appends the key of NULL, which is the last; it is never inverted.
func KeyNull(dst []byte) []byte { return append(dst, tagNull) }

// KeyBool appends the key of a boolean.
func KeyBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, tagTrue)
	}
	return append(dst, tagFalse)
}

// KeyInt appends the key of an integer.
func KeyInt(dst []byte, i int64) []byte {
	f := float64(i)
	if CompareIntFloat(i, f) < 0 {
		f = math.Nextafter(f, math.Inf(-1))
	}
	return keyNumber(dst, f, uint16(i-int64(f)))
}

// keyNumber appends the key of f+rest, where f is the largest float64 not above the number and rest the difference.
func keyNumber(dst []byte, f float64, rest uint16) []byte {
	u := math.Float64bits(f + 0) // -0 becomes 0
	if u>>63 != 0 {
		u = ^u
	} else {
		u |= 1 << 63
	}
	dst = binary.BigEndian.AppendUint64(append(dst, tagNumber), u)
	return binary.BigEndian.AppendUint16(dst, rest)
}

// KeyFloat appends the key of a float.
func KeyFloat(dst []byte, f float64) []byte {
	switch {
	case f >= minInt && f < maxInt:
		return keyNumber(dst, f, 0)
	case f != f:
		return append(dst, tagNaN)
	case f > math.MaxFloat64:
		return append(dst, tagPosInf)
	case f < -math.MaxFloat64:
		return append(dst, tagNegInf)
	}
	var buf [320]byte
	return KeyBig(dst, strconv.AppendFloat(buf[:0], f, 'f', 0, 64))
}

// KeyBig appends the key of a big.
func KeyBig(dst, a []byte) []byte {
	if a[0] != '-' {
		dst = binary.BigEndian.AppendUint32(append(dst, tagPosHuge), uint32(len(a)))
		return append(dst, a...)
	}
	dst = append(dst, tagNegHuge)
	at := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(a)-1))
	dst = append(dst, a[1:]...)
	Invert(dst[at:])
	return dst
}

// KeyText appends the key of text.
func KeyText(dst, s []byte) []byte { return keyBytes(append(dst, tagText), s, nil) }

// KeyBlob appends the key of bytes.
func KeyBlob(dst, s []byte) []byte { return keyBytes(append(dst, tagBlob), s, nil) }

// KeyTextPaced is KeyText of a text that may be large.
func KeyTextPaced(dst, s []byte, pace *Pace) []byte { return keyBytes(append(dst, tagText), s, pace) }

// KeyBlobPaced is KeyBlob of bytes that may be many.
func KeyBlobPaced(dst, s []byte, pace *Pace) []byte { return keyBytes(append(dst, tagBlob), s, pace) }

// keyBytes writes 0x00 as 0x00 0xff and ends with 0x00 0x01.
func keyBytes(dst, s []byte, pace *Pace) []byte {
	for len(s) > 0 {
		part := s[:min(len(s), PaceBytes)]
		i := bytes.IndexByte(part, 0)
		if i < 0 {
			i = len(part)
		}
		dst = append(dst, part[:i]...)
		if s = s[i:]; i < len(part) {
			dst = append(dst, 0, 0xff)
			s = s[1:]
		}
		if pace.Step(i + 1) {
			break
		}
	}
	return append(dst, 0, 1)
}

// KeyTime appends the key of a time in Unix nanoseconds.
func KeyTime(dst []byte, ns int64) []byte { return keyInt64(append(dst, tagTime), ns) }

// KeyDate appends the key of a date in days.
func KeyDate(dst []byte, days int64) []byte { return keyInt64(append(dst, tagDate), days) }

// KeySpan appends the key of an interval in whole days of 24 hours and the nanoseconds beyond them.
func KeySpan(dst []byte, days, nanos int64) []byte {
	return keyInt64(keyInt64(append(dst, tagSpan), days), nanos)
}

func keyInt64(dst []byte, i int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(i)^1<<63)
}

// Invert makes a key order the other way round.
func Invert(key []byte) {
	for i := range key {
		key[i] = ^key[i]
	}
}
