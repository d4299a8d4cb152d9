package sealed

// How the integers of a block are encoded; the frame around them is in format.go. A column is one mode byte and:
//
//	0 constant   uvarint value
//	1 offsets    uvarint least · u8 bits · value − least, packed
//	2 deltas     uvarint first · varint least delta · u8 bits · delta − least, packed, one fewer than rows
//	3 dictionary u8 size − 1 · size × u64 · u8 bits · indexes, packed
//
// Packed means the low bits of each number one after the other, from the low bit of the first byte on. Bits are 0 to 56, or 64.
// Arithmetic is modulo 2^64; signed columns are stored as their two's complement.

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

const (
	modeConst  = 0
	modeOffset = 1
	modeDelta  = 2
	modeDict   = 3
)

func width(x uint64) int {
	if n := bits.Len64(x); n <= 56 {
		return n
	}
	return 64
}

// packer encodes columns and keeps scratch memory.
type packer struct {
	tmp  []uint64
	dict map[uint64]uint8
	keys []uint64
}

// appendSigned is appendColumn of numbers that are two's complements: those around 0 are neighbours.
func (p *packer) appendSigned(dst []byte, v []uint64, dict bool) []byte {
	return p.appendFrom(dst, v, dict, 1<<63)
}

// appendColumn appends v, which is not empty, in the smallest mode. Dictionaries are tried when dict is set.
func (p *packer) appendColumn(dst []byte, v []uint64, dict bool) []byte {
	return p.appendFrom(dst, v, dict, 0)
}

// appendFrom takes numbers as ordered after zero was added to them.
func (p *packer) appendFrom(dst []byte, v []uint64, dict bool, zero uint64) []byte {
	lo, hi := v[0]+zero, v[0]+zero
	var dlo, dhi int64
	for i := 1; i < len(v); i++ {
		lo, hi = min(lo, v[i]+zero), max(hi, v[i]+zero)
		d := int64(v[i] - v[i-1])
		if i == 1 {
			dlo, dhi = d, d
		}
		dlo, dhi = min(dlo, d), max(dhi, d)
	}
	lo, hi = lo-zero, hi-zero
	if lo == hi {
		return binary.AppendUvarint(append(dst, modeConst), lo)
	}
	ow, dw := width(hi-lo), width(uint64(dhi)-uint64(dlo))
	if dict && ow > 8 && dw > 8 {
		if n := p.distinct(v); n > 0 {
			w := width(uint64(n - 1))
			if n*8*8+w*len(v) < min(ow, dw)*len(v) {
				dst = append(dst, modeDict, uint8(n-1))
				for _, k := range p.keys {
					dst = binary.LittleEndian.AppendUint64(dst, k)
				}
				p.tmp = p.tmp[:0]
				for _, x := range v {
					p.tmp = append(p.tmp, uint64(p.dict[x]))
				}
				return appendPacked(append(dst, uint8(w)), p.tmp, w)
			}
		}
	}
	p.tmp = p.tmp[:0]
	if dw < ow {
		dst = binary.AppendUvarint(append(dst, modeDelta), v[0])
		dst = binary.AppendVarint(dst, dlo)
		for i := 1; i < len(v); i++ {
			p.tmp = append(p.tmp, v[i]-v[i-1]-uint64(dlo))
		}
		return appendPacked(append(dst, uint8(dw)), p.tmp, dw)
	}
	dst = binary.AppendUvarint(append(dst, modeOffset), lo)
	for _, x := range v {
		p.tmp = append(p.tmp, x-lo)
	}
	return appendPacked(append(dst, uint8(ow)), p.tmp, ow)
}

// distinct fills dict and keys and returns how many values differ, or 0 when there are more than 256.
func (p *packer) distinct(v []uint64) int {
	if p.dict == nil {
		p.dict = make(map[uint64]uint8, 256)
	}
	clear(p.dict)
	p.keys = p.keys[:0]
	for i, x := range v {
		if i > 0 && x == v[i-1] {
			continue
		}
		if _, ok := p.dict[x]; !ok {
			if len(p.keys) == 256 {
				return 0
			}
			p.dict[x] = uint8(len(p.keys))
			p.keys = append(p.keys, x)
		}
	}
	return len(p.keys)
}

func packedBytes(n, w int) int { return (n*w + 7) / 8 }

func appendPacked(dst []byte, v []uint64, w int) []byte {
	switch w {
	case 0:
		return dst
	case 64:
		for _, x := range v {
			dst = binary.LittleEndian.AppendUint64(dst, x)
		}
		return dst
	}
	var acc uint64
	n := 0
	if w <= 32 {
		dst = slices.Grow(dst, packedBytes(len(v), w)+4)
		for _, x := range v {
			acc |= x << n
			if n += w; n >= 32 {
				dst = binary.LittleEndian.AppendUint32(dst, uint32(acc))
				acc >>= 32
				n -= 32
			}
		}
		for ; n > 0; n -= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
		}
		return dst
	}
	for _, x := range v {
		acc |= x << n
		n += w
		for n >= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
			n -= 8
		}
	}
	if n > 0 {
		dst = append(dst, byte(acc))
	}
	return dst
}

type integer interface {
	~uint8 | ~uint32 | ~uint64 | ~int64
}

// readColumn decodes a column of len(dst) numbers, none above limit, and returns what follows it.
func readColumn[T integer](dst []T, b []byte, limit uint64) ([]byte, error) {
	if len(b) == 0 {
		return nil, errTruncated
	}
	mode := b[0]
	v := varints{b: b[1:]}
	var table []byte
	size := 0
	var base, step uint64
	n := len(dst)
	switch mode {
	case modeConst:
		x := v.uint()
		if v.bad || x > limit {
			return nil, errEncoding
		}
		for i := range dst {
			dst[i] = T(x)
		}
		return v.b, nil
	case modeOffset:
		base = v.uint()
	case modeDelta:
		if n == 0 {
			return nil, errEncoding
		}
		base, step = v.uint(), uint64(v.int())
		n--
	case modeDict:
		if len(v.b) < 1 {
			return nil, errTruncated
		}
		size = int(v.b[0]) + 1
		if len(v.b) < 1+size*8 {
			return nil, errTruncated
		}
		table, v.b = v.b[1:1+size*8], v.b[1+size*8:]
	default:
		return nil, errEncoding
	}
	if v.bad || len(v.b) < 1 {
		return nil, errTruncated
	}
	w := int(v.b[0])
	if w > 56 && w != 64 {
		return nil, errEncoding
	}
	src := v.b[1:]
	used := packedBytes(n, w)
	if len(src) < used {
		return nil, errTruncated
	}
	rest := src[used:]
	switch mode {
	case modeOffset:
		if !unpack(dst, src, used, base, limit, w) {
			return nil, errEncoding
		}
	case modeDelta:
		if !readDeltas(dst, src, used, base, step, limit, w) {
			return nil, errEncoding
		}
	case modeDict:
		for i := range size {
			if binary.LittleEndian.Uint64(table[i*8:]) > limit {
				return nil, errEncoding
			}
		}
		if !unpack(dst, src, used, 0, uint64(size-1), w) {
			return nil, errEncoding
		}
		for i, c := range dst {
			dst[i] = T(binary.LittleEndian.Uint64(table[int(uint8(c))*8:]))
		}
	}
	return rest, nil
}

// above returns a number that is not 0 when x > limit.
func above(x, limit uint64) uint64 {
	_, borrow := bits.Sub64(limit, x, 0)
	return borrow
}

func max0(x int) int { return max(x, 0) }

// decodeColumns decodes the columns of a block with raw row bytes, in the order sequence, time, origin, idempotency number, kind,
// schema version, encoding, flags, payload length, key length + 1 or 0 for none, headers length.
func (b *Block) decodeColumns(src []byte, raw int) (err error) {
	if src, err = readColumn(b.Seq, src, math.MaxUint64); err != nil {
		return err
	}
	for i := 1; i < len(b.Seq); i++ {
		if b.Seq[i] <= b.Seq[i-1] {
			return errEncoding
		}
	}
	if src, err = readColumn(b.Time, src, math.MaxUint64); err != nil {
		return err
	}
	if src, err = readColumn(b.Origin, src, math.MaxUint64); err != nil {
		return err
	}
	if src, err = readColumn(b.Idempotency, src, math.MaxUint64); err != nil {
		return err
	}
	if src, err = readColumn(b.Kind, src, math.MaxUint32); err != nil {
		return err
	}
	if src, err = readColumn(b.SchemaVersion, src, math.MaxUint32); err != nil {
		return err
	}
	if src, err = readColumn(b.Encoding, src, math.MaxUint8); err != nil {
		return err
	}
	if src, err = readColumn(b.Flags, src, math.MaxUint8); err != nil {
		return err
	}
	if src, err = readColumn(b.payloadEnd, src, MaxRowBytes); err != nil {
		return err
	}
	if src, err = readColumn(b.keyEnd, src, MaxRowBytes+1); err != nil {
		return err
	}
	if src, err = readColumn(b.headersEnd, src, MaxRowBytes); err != nil {
		return err
	}
	if len(src) != 0 {
		return errEncoding
	}
	// Lengths become ends. The sums cannot overflow uint64; they fit uint32 once the total is known to.
	var at uint64
	for i, n := range b.payloadEnd {
		at += uint64(n)
		b.payloadEnd[i] = uint32(at)
	}
	b.keyStart = uint32(at)
	b.keys = false
	for i, n := range b.keyEnd {
		b.hasKey[i] = n > 0
		if n > 0 {
			b.keys = true
			at += uint64(n - 1)
		}
		b.keyEnd[i] = uint32(at)
	}
	b.headersStart = uint32(at)
	for i, n := range b.headersEnd {
		at += uint64(n)
		b.headersEnd[i] = uint32(at)
	}
	b.headers = at > uint64(b.headersStart)
	if at != uint64(raw) {
		return errEncoding
	}
	return nil
}
