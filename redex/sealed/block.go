package sealed

import (
	"hash/crc32"
	"slices"
	"sort"
)

// Parts says what of a block is decoded.
type Parts uint8

// The parts of a block.
const (
	Columns Parts = iota // the integer columns only: row bytes are not read; Row leaves them nil
	All
)

// Block is a decoded block: columns as plain slices of equal length. A block may be used again for decoding; its slices are
// then overwritten.
type Block struct {
	Seq           []uint64
	Time          []int64
	Origin        []uint64
	Idempotency   []uint64
	Kind          []uint32
	SchemaVersion []uint32
	Encoding      []uint8
	Flags         []uint8

	// Where the bytes of row i end in bytes; those of row i begin where those of row i-1 end.
	payloadEnd, keyEnd, headersEnd []uint32
	keys, headers                  bool // some row has a key, headers
	hasKey                         []bool
	keyStart, headersStart         uint32
	bytes                          []byte // payloads, keys, headers; nil when only columns are decoded
	file                           []byte // memory of the file's bytes
	raw                            []byte // memory of decompressed bytes
}

// Rows returns the number of rows.
func (b *Block) Rows() int { return len(b.Seq) }

// Row sets dst to row i. dst's slices point into the block.
func (b *Block) Row(i int, dst *Row) {
	dst.Seq = b.Seq[i]
	dst.Time = b.Time[i]
	dst.Origin = b.Origin[i]
	dst.Idempotency = b.Idempotency[i]
	dst.Kind = b.Kind[i]
	dst.SchemaVersion = b.SchemaVersion[i]
	dst.Encoding = b.Encoding[i]
	dst.Flags = b.Flags[i]
	dst.Key, dst.Headers = nil, nil
	dst.Payload = b.Payload(i)
	if b.keys {
		dst.Key = b.Key(i)
	}
	if b.headers {
		dst.Headers = b.Headers(i)
	}
}

// Payload returns the payload of row i, as part of the block's memory.
func (b *Block) Payload(i int) []byte { return b.slice(0, b.payloadEnd, i) }

// Key returns the key of row i, as part of the block's memory; nil when it has none.
func (b *Block) Key(i int) []byte {
	if !b.keys || !b.hasKey[i] || b.bytes == nil {
		return nil
	}
	from := b.keyStart
	if i > 0 {
		from = b.keyEnd[i-1]
	}
	return b.bytes[from:b.keyEnd[i]:b.keyEnd[i]]
}

// Headers returns the header bytes of row i, as part of the block's memory.
func (b *Block) Headers(i int) []byte {
	if !b.headers {
		return nil
	}
	return b.slice(b.headersStart, b.headersEnd, i)
}

func (b *Block) slice(from uint32, end []uint32, i int) []byte {
	if i > 0 {
		from = end[i-1]
	}
	to := end[i]
	if from == to || b.bytes == nil {
		return nil
	}
	return b.bytes[from:to:to]
}

// RowBytes returns how many bytes of payload, key and headers row i has, also when only columns are decoded.
func (b *Block) RowBytes(i int) int64 {
	n := int64(0)
	for _, part := range [...]struct {
		from uint32
		end  []uint32
	}{{0, b.payloadEnd}, {b.keyStart, b.keyEnd}, {b.headersStart, b.headersEnd}} {
		from := part.from
		if i > 0 {
			from = part.end[i-1]
		}
		n += int64(part.end[i] - from)
	}
	return n
}

// SizeBytes returns the memory the block holds.
func (b *Block) SizeBytes() int64 {
	const perRow = 4*8 + 2*4 + 2 + 3*4 + 1
	return int64(cap(b.Seq))*perRow + int64(cap(b.file)) + int64(cap(b.raw)) + 512
}

// find returns the index of the first row with sequence seq or above.
func (b *Block) find(seq uint64) int {
	n := len(b.Seq)
	if n == 0 || seq <= b.Seq[0] {
		return 0
	}
	if last := b.Seq[n-1]; seq > last {
		return n
	} else if last-b.Seq[0] == uint64(n-1) {
		return int(seq - b.Seq[0])
	}
	i, _ := slices.BinarySearch(b.Seq, seq)
	return i
}

// findTime returns the index of the first row with time t or later, for times that ascend.
func (b *Block) findTime(t int64) int {
	return sort.Search(len(b.Time), func(i int) bool { return b.Time[i] >= t })
}

// resize makes room for n rows.
func (b *Block) resize(n int) {
	if cap(b.Seq) < n {
		b.Seq, b.Time, b.Origin, b.Idempotency = make([]uint64, n), make([]int64, n), make([]uint64, n), make([]uint64, n)
		b.Kind, b.SchemaVersion, b.Encoding, b.Flags = make([]uint32, n), make([]uint32, n), make([]uint8, n), make([]uint8, n)
		b.payloadEnd, b.keyEnd, b.headersEnd, b.hasKey = make([]uint32, n), make([]uint32, n), make([]uint32, n), make([]bool, n)
	}
	b.Seq, b.Time, b.Origin, b.Idempotency = b.Seq[:n], b.Time[:n], b.Origin[:n], b.Idempotency[:n]
	b.Kind, b.SchemaVersion, b.Encoding, b.Flags = b.Kind[:n], b.SchemaVersion[:n], b.Encoding[:n], b.Flags[:n]
	b.payloadEnd, b.keyEnd, b.headersEnd, b.hasKey = b.payloadEnd[:n], b.keyEnd[:n], b.headersEnd[:n], b.hasKey[:n]
}

// decode fills the block from src: what lies in the file at off, the header and columns or all of it, of a block of total
// bytes. It verifies every checksum of what it uses. Bytes of the block may point into src afterwards.
func (b *Block) decode(src []byte, columns int, total int64, p Parts, salt uint64, off int64) error {
	b.Seq, b.bytes = b.Seq[:0], nil
	if len(src) < blockHeaderBytes+columns {
		return errTruncated
	}
	var h blockHeader
	if err := h.parse(src[:blockHeaderBytes+columns], total, salt, off); err != nil {
		return err
	}
	b.resize(h.rows)
	if err := b.decodeColumns(src[blockHeaderBytes:blockHeaderBytes+columns], h.raw); err != nil {
		b.Seq = b.Seq[:0]
		return err
	}
	if p == Columns {
		return nil
	}
	if err := b.decodeBytes(src[blockHeaderBytes+columns:], &h); err != nil {
		b.Seq, b.bytes = b.Seq[:0], nil
		return err
	}
	return nil
}

func (b *Block) decodeBytes(src []byte, h *blockHeader) error {
	if len(src) != h.stored {
		return errTruncated
	}
	if crc32.Checksum(src, castagnoli) != h.dataCRC {
		return errChecksum
	}
	if h.codec == codecNone {
		b.bytes = src
		return nil
	}
	if cap(b.raw) < h.raw {
		b.raw = make([]byte, h.raw)
	}
	out, err := decompress(b.raw[:0:cap(b.raw)], src, h.codec, h.raw)
	if err != nil {
		return err
	}
	b.bytes = out
	return nil
}
