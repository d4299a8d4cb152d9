package payload

import (
	"encoding/binary"
	"math"

	"github.com/seed69692123/netdb/internal/num"
)

// The functions that begin with AppendMsgpack append a value as MessagePack in its shortest form.

// AppendMsgpackInt appends an integer.
func AppendMsgpackInt(dst []byte, n int64) []byte {
	switch {
	case n >= 0:
		return AppendMsgpackUint(dst, uint64(n))
	case n >= -32:
		return append(dst, byte(n))
	case n >= math.MinInt8:
		return append(dst, 0xd0, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, 0xd1), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, 0xd2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(n))
}

// AppendMsgpackUint appends an integer that is not negative.
func AppendMsgpackUint(dst []byte, n uint64) []byte {
	switch {
	case n < 0x80:
		return append(dst, byte(n))
	case n <= math.MaxUint8:
		return append(dst, 0xcc, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcf), n)
}

// AppendMsgpackBig appends an integer given by its digits, or reports that it is beyond int64 and uint64.
func AppendMsgpackBig(dst, digits []byte) ([]byte, bool) {
	var u uint64
	for _, c := range digits {
		if c-'0' > 9 || u > math.MaxUint64/10 || u == math.MaxUint64/10 && c > '5' {
			return dst, false
		}
		u = u*10 + uint64(c-'0')
	}
	return AppendMsgpackUint(dst, u), len(digits) > 0
}

// AppendMsgpackNull appends null.
func AppendMsgpackNull(dst []byte) []byte { return append(dst, 0xc0) }

// AppendMsgpackBool appends a boolean.
func AppendMsgpackBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 0xc3)
	}
	return append(dst, 0xc2)
}

// AppendMsgpackFloat appends a float.
func AppendMsgpackFloat(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, 0xcb), math.Float64bits(f))
}

// AppendMsgpackText appends UTF-8 text.
func AppendMsgpackText(dst, s []byte) []byte {
	switch n := len(s); {
	case n < 32:
		dst = append(dst, 0xa0|byte(n))
	case n <= math.MaxUint8:
		dst = append(dst, 0xd9, byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0xda), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xdb), uint32(n))
	}
	return append(dst, s...)
}

// AppendMsgpackBlob appends bytes.
func AppendMsgpackBlob(dst, b []byte) []byte {
	switch n := len(b); {
	case n <= math.MaxUint8:
		dst = append(dst, 0xc4, byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0xc5), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xc6), uint32(n))
	}
	return append(dst, b...)
}

// AppendMsgpackTime appends a timestamp in Unix nanoseconds.
func AppendMsgpackTime(dst []byte, ns int64) []byte {
	sec, nanos := ns/1e9, ns%1e9
	if nanos < 0 {
		sec, nanos = sec-1, nanos+1e9
	}
	switch {
	case sec < 0 || sec >= 1<<34:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xc7, 12, 0xff), uint32(nanos))
		return binary.BigEndian.AppendUint64(dst, uint64(sec))
	case nanos == 0 && sec <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0xd6, 0xff), uint32(sec))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd7, 0xff), uint64(nanos)<<34|uint64(sec))
}

// AppendMsgpackObject appends the head of an object of n members: a key and a value for each follow.
func AppendMsgpackObject(dst []byte, n int) []byte { return appendMsgpackCount(dst, n, 0x80, 0xde) }

// AppendMsgpackArray appends the head of an array of n elements, which follow.
func AppendMsgpackArray(dst []byte, n int) []byte { return appendMsgpackCount(dst, n, 0x90, 0xdc) }

func appendMsgpackCount(dst []byte, n int, short, long byte) []byte {
	switch {
	case n < 16:
		return append(dst, short|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, long), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, long+1), uint32(n))
}

// AppendMsgpack appends a value of a payload that Check has passed as MessagePack. It reports false, and nothing useful, when
// there is an integer in it that MessagePack has no form for: one below int64 or above uint64.
func (v *Value) AppendMsgpack(dst []byte) ([]byte, bool) {
	switch v.Class {
	case Bool:
		return AppendMsgpackBool(dst, v.Bits != 0), true
	case Int:
		return AppendMsgpackInt(dst, v.Int()), true
	case Big:
		if v.Format == Msgpack {
			return AppendMsgpackUint(dst, v.Bits), true
		}
		return AppendMsgpackBig(dst, v.Raw)
	case Float:
		return AppendMsgpackFloat(dst, v.Float()), true
	case Text:
		if v.Escaped {
			return AppendMsgpackText(dst, num.Unquote(nil, v.Raw)), true
		}
		return AppendMsgpackText(dst, v.Raw), true
	case Blob:
		return AppendMsgpackBlob(dst, v.Raw), true
	case Time:
		return AppendMsgpackTime(dst, v.Int()), true
	case Array, Object:
		if v.Format == Msgpack {
			return append(dst, v.Raw...), true
		}
		return v.jsonToMsgpack(dst)
	}
	return AppendMsgpackNull(dst), true
}

func (v *Value) jsonToMsgpack(dst []byte) ([]byte, bool) {
	n := Length(*v)
	if v.Class == Array {
		dst = AppendMsgpackArray(dst, n)
	} else {
		dst = AppendMsgpackObject(dst, n)
	}
	ok := true
	each(*v, nil, func(key []byte, escaped bool, member Value) bool {
		if v.Class == Object {
			if escaped {
				key = num.Unquote(nil, key)
			}
			dst = AppendMsgpackText(dst, key)
		}
		dst, ok = member.AppendMsgpack(dst)
		return ok
	})
	return dst, ok
}
