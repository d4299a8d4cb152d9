package index

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/seed69692123/netdb/redex"
)

// Coder makes bytes of a key or value and reads them. Bytes must be in the order of what they are made of, for ranges to make sense. It
// is used by several goroutines at once.
type Coder[T any] interface {
	Append(dst []byte, v T) []byte
	// Decode reads what Append made, and refuses anything else. It must not keep b.
	Decode(b []byte) (T, error)
}

var errLength = errors.New("index: wrong length")

// Text is the coder of strings.
type Text[T ~string] struct{}

// Append implements Coder.
func (Text[T]) Append(dst []byte, v T) []byte { return append(dst, v...) }

// Decode implements Coder.
func (Text[T]) Decode(b []byte) (T, error) { return T(b), nil }

// Unsigned is the coder of unsigned numbers, redex.Seq among them: 8 bytes, big-endian.
type Unsigned[T ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64] struct{}

// Append implements Coder.
func (Unsigned[T]) Append(dst []byte, v T) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(v))
}

// Decode implements Coder.
func (Unsigned[T]) Decode(b []byte) (T, error) {
	if len(b) != 8 {
		return 0, errLength
	}
	u := binary.BigEndian.Uint64(b)
	if uint64(T(u)) != u {
		return 0, fmt.Errorf("index: %d is out of range", u)
	}
	return T(u), nil
}

// Signed is the coder of signed numbers: 8 bytes, big-endian, with the first bit turned, so that the negative come first.
type Signed[T ~int | ~int8 | ~int16 | ~int32 | ~int64] struct{}

// Append implements Coder.
func (Signed[T]) Append(dst []byte, v T) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(v)^1<<63)
}

// Decode implements Coder.
func (Signed[T]) Decode(b []byte) (T, error) {
	if len(b) != 8 {
		return 0, errLength
	}
	i := int64(binary.BigEndian.Uint64(b) ^ 1<<63)
	if int64(T(i)) != i {
		return 0, fmt.Errorf("index: %d is out of range", i)
	}
	return T(i), nil
}

// Seqs is the coder of sequences, the value of most indexes.
type Seqs = Unsigned[redex.Seq]
