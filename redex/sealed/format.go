package sealed

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A row file, specified in docs/format/rows.md:
//
//	header    32 bytes
//	runs      each: blocks, then the run's index; directory pages in between when they fill
//	pages     the rest of the directory
//	footer    totals and where the pages are
//	trailer   28 bytes
//
// Integers of fixed width are little endian; "varint" is encoding/binary's. Every object's checksum is seeded with the file's
// salt and the object's offset, so that intact bytes in the wrong place, or of another file, do not pass.
const (
	headerBytes  = 32
	trailerBytes = 28
	version      = 1

	headerMagic  = "NDBROWS\x00"
	trailerMagic = "NDBROWE\x00"

	blockHeaderBytes  = 24
	objectHeaderBytes = 12

	kindBlock  = 1
	kindIndex  = 2
	kindPage   = 3
	kindFooter = 4

	codecNone = 0
	codecS2   = 1
	codecZstd = 2

	maxBlockRows    = 2048
	maxBlockBytes   = 64 << 10 // row bytes of a block with more than one row
	maxColumnsBytes = 11 * (2 + 10 + 10 + 256*8 + maxBlockRows*8)
	maxRunBlocks    = 16384
	maxIndexBytes   = 2 << 20
	pageBytes       = 64 << 10 // a page is written when it is as large
	maxPageBytes    = 2 * pageBytes
	maxFooterBytes  = 16 << 20
)

// castagnoli is computed by the processor on amd64 and arm64, detects every burst of up to 32 bits, is in the standard library
// and is what the journal uses.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errChecksum  = errors.New("checksum mismatch")
	errTruncated = errors.New("truncated")
	errEncoding  = errors.New("malformed encoding")
)

// seed returns the checksum state for an object at off: the high half of a mix (splitmix64) of salt and offset.
func seed(salt uint64, off int64) uint32 {
	x := salt + uint64(off)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return uint32((x ^ x>>31) >> 32)
}

// File header: magic 8 · version u16 · zero u16 · salt u64 · owner u64 · crc32c u32 of the 28 bytes before it.
func appendHeader(dst []byte, salt, owner uint64) []byte {
	return appendFileHeader(dst, headerMagic, salt, owner)
}

func appendFileHeader(dst []byte, magic string, salt, owner uint64) []byte {
	n := len(dst)
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint16(dst, version)
	dst = binary.LittleEndian.AppendUint16(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, salt)
	dst = binary.LittleEndian.AppendUint64(dst, owner)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[n:], castagnoli))
}

func parseHeader(b []byte) (salt, owner uint64, err error) { return parseFileHeader(b, headerMagic) }

func parseFileHeader(b []byte, magic string) (salt, owner uint64, err error) {
	if string(b[:8]) != magic {
		return 0, 0, ErrFormat
	}
	if crc32.Checksum(b[:28], castagnoli) != binary.LittleEndian.Uint32(b[28:]) {
		return 0, 0, &CorruptError{Err: errChecksum}
	}
	if binary.LittleEndian.Uint16(b[8:]) != version {
		return 0, 0, ErrFormat
	}
	return binary.LittleEndian.Uint64(b[12:]), binary.LittleEndian.Uint64(b[20:]), nil
}

// Trailer: footer offset u64 · footer length u32 · version u16 · zero u16 · crc32c u32 of the 16 bytes before it, seeded with
// the salt and the trailer's offset · magic 8.
func appendTrailer(dst []byte, salt uint64, at, footerOff int64, footerLen int) []byte {
	return appendFileTrailer(dst, trailerMagic, salt, at, footerOff, footerLen)
}

func appendFileTrailer(dst []byte, magic string, salt uint64, at, footerOff int64, footerLen int) []byte {
	n := len(dst)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(footerOff))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(footerLen))
	dst = binary.LittleEndian.AppendUint16(dst, version)
	dst = binary.LittleEndian.AppendUint16(dst, 0)
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Update(seed(salt, at), castagnoli, dst[n:]))
	return append(dst, magic...)
}

func parseTrailer(b []byte, salt uint64, at int64) (footer Location, err error) {
	return parseFileTrailer(b, trailerMagic, salt, at, maxFooterBytes)
}

func parseFileTrailer(b []byte, magic string, salt uint64, at int64, most uint32) (footer Location, err error) {
	if string(b[20:28]) != magic || crc32.Update(seed(salt, at), castagnoli, b[:16]) != binary.LittleEndian.Uint32(b[16:]) {
		return footer, errChecksum
	}
	off := binary.LittleEndian.Uint64(b)
	n := binary.LittleEndian.Uint32(b[8:])
	if n < objectHeaderBytes || n > most || int64(off) != at-int64(n) || off < headerBytes {
		return footer, errEncoding
	}
	return Location{int64(off), n}, nil
}

// An index, page or footer begins: crc32c u32 of what follows · kind u8 · zero 3 · body length u32.
func appendObjectHeader(dst []byte, kind uint8) []byte {
	return append(dst, 0, 0, 0, 0, kind, 0, 0, 0, 0, 0, 0, 0)
}

// sealObject fills in length and checksum of the object b that lies at off.
func sealObject(b []byte, salt uint64, off int64) {
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)-objectHeaderBytes))
	binary.LittleEndian.PutUint32(b, crc32.Update(seed(salt, off), castagnoli, b[4:]))
}

// openObject verifies an object and returns its body.
func openObject(b []byte, kind uint8, salt uint64, off int64) ([]byte, error) {
	if len(b) < objectHeaderBytes {
		return nil, errTruncated
	}
	if crc32.Update(seed(salt, off), castagnoli, b[4:]) != binary.LittleEndian.Uint32(b) {
		return nil, errChecksum
	}
	if b[4] != kind || int(binary.LittleEndian.Uint32(b[8:])) != len(b)-objectHeaderBytes {
		return nil, errEncoding
	}
	return b[objectHeaderBytes:], nil
}

// blockHeader: crc32c u32 of the rest of the header and the columns · kind u8 · codec u8 · rows u16 · columns length u32 ·
// stored length u32 · raw length u32 · crc32c u32 of the stored bytes. The columns follow, then the stored bytes, which are
// payloads, keys and headers, each in row order, compressed as one.
type blockHeader struct {
	codec   uint8
	rows    int
	columns int
	stored  int
	raw     int
	dataCRC uint32
}

func (h *blockHeader) put(b []byte) {
	b[4], b[5] = kindBlock, h.codec
	binary.LittleEndian.PutUint16(b[6:], uint16(h.rows))
	binary.LittleEndian.PutUint32(b[8:], uint32(h.columns))
	binary.LittleEndian.PutUint32(b[12:], uint32(h.stored))
	binary.LittleEndian.PutUint32(b[16:], uint32(h.raw))
	binary.LittleEndian.PutUint32(b[20:], h.dataCRC)
}

// parse reads the header of a block whose header and columns are b, of stored bytes in the file, and checks both.
func (h *blockHeader) parse(b []byte, total int64, salt uint64, off int64) error {
	if len(b) < blockHeaderBytes {
		return errTruncated
	}
	if crc32.Update(seed(salt, off), castagnoli, b[4:]) != binary.LittleEndian.Uint32(b) {
		return errChecksum
	}
	h.codec = b[5]
	h.rows = int(binary.LittleEndian.Uint16(b[6:]))
	h.columns = int(binary.LittleEndian.Uint32(b[8:]))
	h.stored = int(binary.LittleEndian.Uint32(b[12:]))
	h.raw = int(binary.LittleEndian.Uint32(b[16:]))
	h.dataCRC = binary.LittleEndian.Uint32(b[20:])
	switch {
	case b[4] != kindBlock, h.codec > codecZstd,
		h.rows < 1 || h.rows > maxBlockRows,
		h.columns != len(b)-blockHeaderBytes,
		int64(blockHeaderBytes)+int64(h.columns)+int64(h.stored) != total,
		h.raw > MaxRowBytes || h.rows > 1 && h.raw > maxBlockBytes,
		h.codec == codecNone && h.raw != h.stored,
		h.codec != codecNone && h.stored >= h.raw:
		return errEncoding
	}
	return nil
}

// varints reads a sequence of varints; bad is set at the first that is malformed, and zeros follow.
type varints struct {
	b   []byte
	bad bool
}

func (v *varints) uint() uint64 {
	x, n := binary.Uvarint(v.b)
	if n <= 0 {
		v.bad, v.b = true, nil
		return 0
	}
	v.b = v.b[n:]
	return x
}

func (v *varints) int() int64 {
	x := v.uint()
	return int64(x>>1) ^ -int64(x&1)
}

// length reads a number that is at most max.
func (v *varints) length(max int64) int64 {
	x := v.uint()
	if x > uint64(max) {
		v.bad = true
		return 0
	}
	return int64(x)
}

// blockEntry is a block in its run's index.
type blockEntry struct {
	total            int64 // bytes in the file
	columns          int
	rows             int
	first, last      uint64
	minTime, maxTime int64
}

// Index body: varints log · first sequence · raw bytes · blocks; then per block: bytes − header − columns · columns · rows · first −
// previous last · last − first · signed least time − previous least · greatest − least time. The blocks lie one after the other
// and end where the index begins. For the first block the previous last is the run's first sequence and the previous time 0.
func appendIndex(dst []byte, r *RunInfo, blocks []blockEntry) []byte {
	dst = binary.AppendUvarint(dst, r.Log)
	dst = binary.AppendUvarint(dst, r.First)
	dst = binary.AppendUvarint(dst, uint64(r.RawBytes))
	dst = binary.AppendUvarint(dst, uint64(len(blocks)))
	last, least := r.First, int64(0)
	for i := range blocks {
		e := &blocks[i]
		dst = binary.AppendUvarint(dst, uint64(e.total)-blockHeaderBytes-uint64(e.columns))
		dst = binary.AppendUvarint(dst, uint64(e.columns))
		dst = binary.AppendUvarint(dst, uint64(e.rows))
		dst = binary.AppendUvarint(dst, e.first-last)
		dst = binary.AppendUvarint(dst, e.last-e.first)
		dst = binary.AppendVarint(dst, e.minTime-least)
		dst = binary.AppendUvarint(dst, uint64(e.maxTime)-uint64(e.minTime))
		last, least = e.last, e.minTime
	}
	return dst
}

// parseIndex returns what appendIndex encoded, for the index at loc.
func parseIndex(body []byte, loc Location) (RunInfo, []blockEntry, error) {
	v := varints{b: body}
	info := RunInfo{Location: loc, StoredBytes: int64(loc.Length)}
	info.Log = v.uint()
	info.First = v.uint()
	info.RawBytes = v.length(1 << 62)
	n := v.length(maxRunBlocks)
	const least = 7 // bytes of an entry
	if v.bad || n == 0 || n*least > int64(len(v.b)) {
		return info, nil, errEncoding
	}
	blocks := make([]blockEntry, n)
	last, lowest := info.First, int64(0)
	for i := range blocks {
		e := &blocks[i]
		e.total = v.length(MaxRowBytes)
		e.columns = int(v.length(maxColumnsBytes))
		e.total += blockHeaderBytes + int64(e.columns)
		e.rows = int(v.length(maxBlockRows))
		gap := v.uint()
		e.first = last + gap
		span := v.uint()
		e.last = e.first + span
		e.minTime = lowest + v.int()
		e.maxTime = int64(uint64(e.minTime) + v.uint())
		if v.bad || e.rows == 0 || span < uint64(e.rows-1) || e.first < last || e.last < e.first || (gap == 0) != (i == 0) || e.maxTime < e.minTime {
			return info, nil, errEncoding
		}
		last, lowest = e.last, e.minTime
		info.StoredBytes += e.total
		info.Rows += int64(e.rows)
		if i == 0 {
			info.MinTime, info.MaxTime = e.minTime, e.maxTime
		}
		info.MinTime, info.MaxTime = min(info.MinTime, e.minTime), max(info.MaxTime, e.maxTime)
	}
	info.Last = last
	if len(v.b) != 0 || info.StoredBytes-int64(loc.Length) > loc.Offset-headerBytes {
		return info, nil, errEncoding
	}
	return info, blocks, nil
}

// Page entry: varints log − previous log · first sequence · last − first · rows · signed least time − previous least · greatest
// − least time · raw bytes · stored bytes · index offset − previous index offset · index length. For the first entry of a page
// everything previous is 0.
func appendPageEntry(dst []byte, prev, r *RunInfo) []byte {
	dst = binary.AppendUvarint(dst, r.Log-prev.Log)
	dst = binary.AppendUvarint(dst, r.First)
	dst = binary.AppendUvarint(dst, r.Last-r.First)
	dst = binary.AppendUvarint(dst, uint64(r.Rows))
	dst = binary.AppendVarint(dst, r.MinTime-prev.MinTime)
	dst = binary.AppendUvarint(dst, uint64(r.MaxTime)-uint64(r.MinTime))
	dst = binary.AppendUvarint(dst, uint64(r.RawBytes))
	dst = binary.AppendUvarint(dst, uint64(r.StoredBytes))
	dst = binary.AppendUvarint(dst, uint64(r.Location.Offset-prev.Location.Offset))
	return binary.AppendUvarint(dst, uint64(r.Location.Length))
}

// readPageEntry reads an entry, for a page that lies at at.
func readPageEntry(v *varints, prev RunInfo, at int64) (r RunInfo, err error) {
	r.Log = prev.Log + v.uint()
	r.First = v.uint()
	r.Last = r.First + v.uint()
	r.Rows = v.length(1 << 62)
	r.MinTime = prev.MinTime + v.int()
	r.MaxTime = int64(uint64(r.MinTime) + v.uint())
	r.RawBytes = v.length(1 << 62)
	r.StoredBytes = v.length(at)
	r.Location.Offset = prev.Location.Offset + v.length(at)
	r.Location.Length = uint32(v.length(maxIndexBytes))
	switch {
	case v.bad, r.Rows == 0, r.Last-r.First < uint64(r.Rows-1), r.Last < r.First, r.MaxTime < r.MinTime,
		r.Log < prev.Log || r.Log == prev.Log && prev.Rows > 0 && r.First <= prev.Last,
		r.Location.Offset+int64(r.Location.Length) > at, r.Location.Offset < headerBytes:
		return r, errEncoding
	}
	return r, nil
}

// pageEntry is a page of the directory in the footer.
type pageEntry struct {
	loc  Location
	runs int64
	log  uint64 // of its first run
	seq  uint64 // first of its first run
}

// Footer body: varints runs · rows · raw bytes · signed least time · signed greatest time · pages; then per page: offset −
// previous offset · length · runs · first log − previous first log · first sequence.
func appendFooter(dst []byte, f *FileInfo, pages []pageEntry) []byte {
	dst = binary.AppendUvarint(dst, uint64(f.Runs))
	dst = binary.AppendUvarint(dst, uint64(f.Rows))
	dst = binary.AppendUvarint(dst, uint64(f.RawBytes))
	dst = binary.AppendVarint(dst, f.MinTime)
	dst = binary.AppendVarint(dst, f.MaxTime)
	dst = binary.AppendUvarint(dst, uint64(len(pages)))
	var prev pageEntry
	for _, p := range pages {
		dst = binary.AppendUvarint(dst, uint64(p.loc.Offset-prev.loc.Offset))
		dst = binary.AppendUvarint(dst, uint64(p.loc.Length))
		dst = binary.AppendUvarint(dst, uint64(p.runs))
		dst = binary.AppendUvarint(dst, p.log-prev.log)
		dst = binary.AppendUvarint(dst, p.seq)
		prev = p
	}
	return dst
}

// parseFooter returns what appendFooter encoded, for the footer at at.
func parseFooter(body []byte, at int64) (f FileInfo, pages []pageEntry, err error) {
	v := varints{b: body}
	f.Runs = v.length(1 << 62)
	f.Rows = v.length(1 << 62)
	f.RawBytes = v.length(1 << 62)
	f.MinTime, f.MaxTime = v.int(), v.int()
	n := v.length(int64(len(v.b)))
	const least = 5 // bytes of an entry
	if v.bad || n*least > int64(len(v.b)) {
		return f, nil, errEncoding
	}
	pages = make([]pageEntry, n)
	var prev pageEntry
	end := int64(headerBytes)
	var runs int64
	for i := range pages {
		p := &pages[i]
		p.loc.Offset = prev.loc.Offset + v.length(at)
		p.loc.Length = uint32(v.length(maxPageBytes))
		p.runs = v.length(pageBytes)
		p.log = prev.log + v.uint()
		p.seq = v.uint()
		if v.bad || p.runs == 0 || p.log < prev.log || p.loc.Offset < end || p.loc.Offset+int64(p.loc.Length) > at {
			return f, nil, errEncoding
		}
		end = p.loc.Offset + int64(p.loc.Length)
		runs += p.runs
		prev = *p
	}
	if len(v.b) != 0 || runs != f.Runs || end != at && n > 0 {
		return f, nil, errEncoding
	}
	return f, pages, nil
}
