package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// The layout of a segment file. docs/format/journal.md is the specification; a test compares the two.
//
// Header page, little endian, twice: at 0 and at headerCopyAt.
//
//	  0  8  magic "NETDBJNL"
//	  8  4  version
//	 12  4  segment number
//	 16 16  boot id
//	 32  8  salt; the lower 32 bits seed the frames' checksums
//	 40  8  ordinal of the first frame
//	 48  8  highest ordinal known durable
//	 56  8  time of the last frame before this segment
//	 64  4  number of the predecessor, 0: none
//	 68  4  offset at which the predecessor ends
//	 72  8  epoch
//	 80  8  length of the file
//	 88  4  count of epochs
//	 92  4  zero
//	 96 16  journal id
//	112 16  zero
//	128     epochs, 16 bytes each: number, first ordinal; the newest maxHeaderEpochs, oldest first
//	1728 4  crc32c of all before
//
// The page of a file that was another segment's before also has, from the moment it got its name:
//
//	reuseMarkAt  8  magic "NETDBUSE"
//	          8  4  segment number
//	         12  4  crc32c of the 12 bytes before
//
// Frame, 8-byte aligned:
//
//	 0  8  ordinal
//	 8  8  time
//	16  4  body length in the lower 28 bits, kind in the upper 4
//	20  4  lag: ordinal minus the highest ordinal known durable; lagUnknown: unknown
//	24  4  kindFrame: crc32c of the body; kindLarge: of the table
//	28  4  crc32c of the 28 bytes before
//	32     kindLarge: a table of one crc32c per blockBytes of the body, padded to 8; then the body, padded to 8 with zeros
const (
	magic           = "NETDBJNL"
	version         = 1
	headerPageBytes = 4096
	headerCopyAt    = 2048
	headerFixed     = 128
	reuseMarkAt     = 4064 // behind the second copy, in a sector that a header is never without
	reuseMagic      = "NETDBUSE"
	maxHeaderEpochs = 100
	headerBytes     = headerFixed + 16*maxHeaderEpochs + 4

	frameHeaderBytes = 32
	blockBytes       = 64 << 10
	maxBodyBits      = 28
	lagUnknown       = 1<<32 - 1

	segmentSuffix = ".seg"
	damagedSuffix = ".damaged"
	poisonName    = "POISONED"
)

// The kinds of frames. All but the first two have no body and their ordinal is that of the last frame before them.
const (
	kindFrame = 1 // body of at most blockBytes
	kindLarge = 2 // longer body
	kindEnd   = 3 // the segment ends here, another follows
	kindIdle  = 4 // a sync was done and nothing followed; overwritten by the next frame
	kindClean = 5 // the journal was closed
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is the decoded header page of a segment.
type header struct {
	number   uint32
	boot     [16]byte
	salt     uint64
	first    Ordinal
	durable  Ordinal
	lastTime int64
	prev     uint32
	prevEnd  int64
	epoch    Epoch
	size     int64
	id       ID
	epochs   []EpochStart
}

// encodeHeader returns the header page of a segment.
func encodeHeader(h *header) []byte {
	page := make([]byte, headerPageBytes)
	le := binary.LittleEndian
	copy(page, magic)
	le.PutUint32(page[8:], version)
	le.PutUint32(page[12:], h.number)
	copy(page[16:32], h.boot[:])
	le.PutUint64(page[32:], h.salt)
	le.PutUint64(page[40:], uint64(h.first))
	le.PutUint64(page[48:], uint64(h.durable))
	le.PutUint64(page[56:], uint64(h.lastTime))
	le.PutUint32(page[64:], h.prev)
	le.PutUint32(page[68:], uint32(h.prevEnd))
	le.PutUint64(page[72:], uint64(h.epoch))
	le.PutUint64(page[80:], uint64(h.size))
	copy(page[96:112], h.id[:])
	list := h.epochs[max(0, len(h.epochs)-maxHeaderEpochs):]
	le.PutUint32(page[88:], uint32(len(list)))
	for i, e := range list {
		le.PutUint64(page[headerFixed+16*i:], uint64(e.Epoch))
		le.PutUint64(page[headerFixed+16*i+8:], uint64(e.First))
	}
	le.PutUint32(page[headerBytes-4:], crc32.Checksum(page[:headerBytes-4], castagnoli))
	copy(page[headerCopyAt:], page[:headerBytes])
	return page
}

// putReuseMark writes to a header page that the file was another segment's before.
func putReuseMark(page []byte, number uint32) {
	m := page[reuseMarkAt : reuseMarkAt+16]
	copy(m, reuseMagic)
	binary.LittleEndian.PutUint32(m[8:], number)
	binary.LittleEndian.PutUint32(m[12:], crc32.Checksum(m[:12], castagnoli))
}

// decodeReuseMark reports whether a header page says that the file of that segment was another one's before.
func decodeReuseMark(page []byte, number uint32) bool {
	if len(page) < reuseMarkAt+16 {
		return false
	}
	m := page[reuseMarkAt : reuseMarkAt+16]
	return string(m[:8]) == reuseMagic && binary.LittleEndian.Uint32(m[8:]) == number &&
		binary.LittleEndian.Uint32(m[12:]) == crc32.Checksum(m[:12], castagnoli)
}

var errHeader = errors.New("bad segment header")

// decodeHeader decodes the header page of a segment from its first bytes, from whichever copy is whole.
func decodeHeader(page []byte) (*header, error) {
	h, err := decodeHeaderCopy(page)
	if err != nil && len(page) > headerCopyAt {
		if h2, err2 := decodeHeaderCopy(page[headerCopyAt:]); err2 == nil || errors.Is(err2, ErrFormat) {
			return h2, err2
		}
	}
	return h, err
}

func decodeHeaderCopy(b []byte) (*header, error) {
	if len(b) < headerBytes {
		return nil, fmt.Errorf("%w: %d bytes", errHeader, len(b))
	}
	b = b[:headerBytes]
	le := binary.LittleEndian
	if string(b[:8]) != magic {
		return nil, fmt.Errorf("%w: magic", errHeader)
	}
	if crc32.Checksum(b[:headerBytes-4], castagnoli) != le.Uint32(b[headerBytes-4:]) {
		return nil, fmt.Errorf("%w: checksum", errHeader)
	}
	if v := le.Uint32(b[8:]); v != version {
		return nil, fmt.Errorf("%w: %d, this program knows %d", ErrFormat, v, version)
	}
	h := &header{
		number:   le.Uint32(b[12:]),
		boot:     [16]byte(b[16:32]),
		salt:     le.Uint64(b[32:]),
		first:    Ordinal(le.Uint64(b[40:])),
		durable:  Ordinal(le.Uint64(b[48:])),
		lastTime: int64(le.Uint64(b[56:])),
		prev:     le.Uint32(b[64:]),
		prevEnd:  int64(le.Uint32(b[68:])),
		epoch:    Epoch(le.Uint64(b[72:])),
		size:     int64(le.Uint64(b[80:])),
		id:       ID(b[96:112]),
	}
	n := le.Uint32(b[88:])
	switch {
	case n > maxHeaderEpochs, h.number == 0, h.first == 0, h.epoch == 0, h.durable >= h.first, h.prev >= h.number:
		return nil, fmt.Errorf("%w: impossible values", errHeader)
	case h.prev != 0 && (h.prevEnd < headerPageBytes || h.prevEnd%8 != 0):
		return nil, fmt.Errorf("%w: predecessor ends at %d", errHeader, h.prevEnd)
	}
	h.epochs = make([]EpochStart, n)
	for i := range h.epochs {
		at := b[headerFixed+16*i:]
		h.epochs[i] = EpochStart{Epoch(le.Uint64(at)), Ordinal(le.Uint64(at[8:]))}
	}
	return h, nil
}

// frameHeader is the decoded header of a frame.
type frameHeader struct {
	ordinal Ordinal
	time    int64
	size    int64 // of the body
	kind    uint8
	durable Ordinal // highest known, 0: none or unknown
	crc     uint32
}

// tableBytes returns the length of the checksum table of a large frame's body, padded.
func tableBytes(size int64) int64 { return ((size+blockBytes-1)/blockBytes*4 + 7) &^ 7 }

// frameBytes returns the room a frame with a body of size bytes takes.
func frameBytes(size int64) int64 {
	n := frameHeaderBytes + (size+7)&^7
	if size > blockBytes {
		n += tableBytes(size)
	}
	return n
}

// bytes returns the room the frame takes.
func (h *frameHeader) bytes() int64 { return frameBytes(h.size) }

// bodyAt returns the offset of the body from the frame's start.
func (h *frameHeader) bodyAt() int64 {
	if h.kind == kindLarge {
		return frameHeaderBytes + tableBytes(h.size)
	}
	return frameHeaderBytes
}

// putFrameHeader writes a header to dst[:frameHeaderBytes].
func putFrameHeader(dst []byte, salt uint32, ordinal Ordinal, time int64, size int, kind uint8, durable Ordinal, crc uint32) {
	_ = dst[frameHeaderBytes-1]
	le := binary.LittleEndian
	lag := min(uint64(ordinal-durable), lagUnknown)
	le.PutUint64(dst, uint64(ordinal))
	le.PutUint64(dst[8:], uint64(time))
	le.PutUint32(dst[16:], uint32(size)|uint32(kind)<<maxBodyBits)
	le.PutUint32(dst[20:], uint32(lag))
	le.PutUint32(dst[24:], crc)
	le.PutUint32(dst[28:], crc32.Update(salt, castagnoli, dst[:28]))
}

// putFrame writes a frame whose body is head followed by tail to dst, which is frameBytes long. The header goes last.
func putFrame(dst []byte, salt uint32, ordinal Ordinal, time int64, durable Ordinal, head, tail []byte) {
	size := len(head) + len(tail)
	if size > blockBytes {
		putLargeFrame(dst, salt, ordinal, time, durable, head, tail)
		return
	}
	body := dst[frameHeaderBytes:]
	n := copy(body, head)
	n += copy(body[n:], tail)
	clear(body[n:])
	putFrameHeader(dst, salt, ordinal, time, size, kindFrame, durable, crc32.Update(salt, castagnoli, body[:n]))
}

func putLargeFrame(dst []byte, salt uint32, ordinal Ordinal, time int64, durable Ordinal, head, tail []byte) {
	size := len(head) + len(tail)
	table := dst[frameHeaderBytes : frameHeaderBytes+tableBytes(int64(size))]
	body := dst[frameHeaderBytes+len(table):]
	n := copy(body, head)
	n += copy(body[n:], tail)
	clear(body[n:])
	clear(table)
	for i := 0; i*blockBytes < size; i++ {
		block := body[i*blockBytes : min((i+1)*blockBytes, size)]
		binary.LittleEndian.PutUint32(table[4*i:], crc32.Update(salt, castagnoli, block))
	}
	putFrameHeader(dst, salt, ordinal, time, size, kindLarge, durable, crc32.Update(salt, castagnoli, table))
}

// decodeFrameHeader decodes a frame's header from b, which may be short, and reports whether it is one.
func decodeFrameHeader(b []byte, salt uint32) (frameHeader, bool) {
	if len(b) < frameHeaderBytes {
		return frameHeader{}, false
	}
	le := binary.LittleEndian
	word := le.Uint32(b[16:])
	kind := uint8(word >> maxBodyBits)
	size := int64(word & (1<<maxBodyBits - 1))
	switch kind {
	case kindFrame:
		if size == 0 || size > blockBytes {
			return frameHeader{}, false
		}
	case kindLarge:
		if size <= blockBytes {
			return frameHeader{}, false
		}
	case kindEnd, kindIdle, kindClean:
		if size != 0 {
			return frameHeader{}, false
		}
	default:
		return frameHeader{}, false
	}
	if crc32.Update(salt, castagnoli, b[:28]) != le.Uint32(b[28:]) {
		return frameHeader{}, false
	}
	h := frameHeader{
		ordinal: Ordinal(le.Uint64(b)), time: int64(le.Uint64(b[8:])),
		size: size, kind: kind, crc: le.Uint32(b[24:]),
	}
	lag := Ordinal(le.Uint32(b[20:]))
	if lag > h.ordinal && lag != lagUnknown {
		return frameHeader{}, false
	}
	if lag != lagUnknown {
		h.durable = h.ordinal - lag
	}
	return h, true
}

// frameOrdinal returns the ordinal of what may be a frame's header.
func frameOrdinal(b []byte) Ordinal { return Ordinal(binary.LittleEndian.Uint64(b)) }

var (
	errFrame    = errors.New("no frame")
	errChecksum = errors.New("checksum mismatch")
)

func crcOf(salt uint32, b []byte) uint32 { return crc32.Update(salt, castagnoli, b) }

// checkBody verifies the body of the frame at the start of b, and the table of a large one.
func (h *frameHeader) checkBody(b []byte, salt uint32) error {
	at := h.bodyAt()
	if at+h.size > int64(len(b)) {
		return fmt.Errorf("frame of %d bytes in %d", at+h.size, len(b))
	}
	body := b[at : at+h.size]
	if h.kind != kindLarge {
		if crc32.Update(salt, castagnoli, body) != h.crc {
			return errChecksum
		}
		return nil
	}
	table := b[frameHeaderBytes:at]
	if crc32.Update(salt, castagnoli, table) != h.crc {
		return fmt.Errorf("%w in the table", errChecksum)
	}
	return checkBlocks(body, table, salt, 0, (int64(len(body))-1)/blockBytes)
}

// checkBlocks verifies blocks [from, to] of a large frame's body.
func checkBlocks(body, table []byte, salt uint32, from, to int64) error {
	for i := from; i <= to; i++ {
		block := body[i*blockBytes : min((i+1)*blockBytes, int64(len(body)))]
		if crc32.Update(salt, castagnoli, block) != binary.LittleEndian.Uint32(table[4*i:]) {
			return fmt.Errorf("%w in block %d", errChecksum, i)
		}
	}
	return nil
}

// segmentName returns the file name of a segment.
func segmentName(number uint32) string { return fmt.Sprintf("%010d%s", number, segmentSuffix) }

// parseSegmentName is the inverse of segmentName.
func parseSegmentName(name string) (uint32, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) != 10 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), err == nil && n > 0 && segmentName(uint32(n)) == name
}

func makeLoc(number uint32, off int64) Loc { return Loc(number)<<32 | Loc(uint32(off)) }

// Segment returns the number of the segment.
func (l Loc) Segment() uint32 { return uint32(l >> 32) }

// Offset returns the offset of the frame in its segment.
func (l Loc) Offset() int64 { return int64(uint32(l)) }

// String returns the file name and the offset.
func (l Loc) String() string { return fmt.Sprintf("%s@%d", segmentName(l.Segment()), l.Offset()) }
