package sealed

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/seed69692123/netdb/internal/payload"
)

// A column file, specified in docs/format/columns.md, is a chunk:
//
//	header      32 bytes, as that of a row file
//	columns     each: its dictionary if it has one, then its blocks
//	directory   an object of kind footer: the chunk, then an entry for each column
//	trailer     28 bytes, as that of a row file
const (
	columnsMagic    = "NDBCOLS\x00"
	columnsEndMagic = "NDBCOLE\x00"
	checksumBytes   = 4
)

func newSalt() (uint64, error) {
	for {
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			return 0, fmt.Errorf("sealed: salt: %w", err)
		}
		if salt := binary.LittleEndian.Uint64(b[:]); salt != 0 {
			return salt, nil
		}
	}
}

// sealBlock fills in the checksum of the dictionary or block b[at:], whose first four bytes are kept for it.
func sealBlock(b []byte, at int, salt uint64) []byte {
	binary.LittleEndian.PutUint32(b[at:], crc32.Update(seed(salt, int64(at)), castagnoli, b[at+checksumBytes:]))
	return b
}

// openBlock verifies a dictionary or block that lies at off and returns what is in it.
func openBlock(b []byte, salt uint64, off int64) ([]byte, error) {
	if len(b) < checksumBytes {
		return nil, errTruncated
	}
	if crc32.Update(seed(salt, off), castagnoli, b[checksumBytes:]) != binary.LittleEndian.Uint32(b) {
		return nil, errChecksum
	}
	return b[checksumBytes:], nil
}

const (
	chunkSparse     = 1
	chunkMoreFields = 2
)

// The chunk in a directory: varints log · from · to − from · rows · flags · columns.
func appendChunkInfo(dst []byte, c *ChunkInfo, columns int) []byte {
	flags := uint64(0)
	if c.Sparse {
		flags |= chunkSparse
	}
	if c.MoreFields {
		flags |= chunkMoreFields
	}
	for _, x := range [...]uint64{c.Log, c.From, c.To - c.From, uint64(c.Rows), flags, uint64(columns)} {
		dst = binary.AppendUvarint(dst, x)
	}
	return dst
}

func readChunkInfo(v *varints) (c ChunkInfo, columns int) {
	c.Log, c.From = v.uint(), v.uint()
	c.To = c.From + v.uint()
	c.Rows = int(v.length(MaxChunkRows))
	flags := v.length(chunkSparse | chunkMoreFields)
	c.Sparse, c.MoreFields = flags&chunkSparse != 0, flags&chunkMoreFields != 0
	columns = int(v.length(MaxColumns))
	if c.To < c.From || c.To-c.From < uint64(c.Rows) || !c.Sparse && c.To-c.From != uint64(c.Rows) {
		v.bad = true
	}
	return c, columns
}

// columnEntry is a column in the directory.
type columnEntry struct {
	name   ColumnName
	stats  ColumnStats
	start  int64 // offset of its first block; its dictionary lies before it
	dict   dictEntry
	blocks []zone
}

type dictEntry struct {
	values int
	length int // bytes in the file
	data   int // bytes of the values
}

// zone is what the directory says of a block.
type zone struct {
	length   int
	least    int64 // of its integers or times
	greatest int64
	bounded  bool // no row has a value of another class
}

func appendPath(dst []byte, path []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(path)))
	for _, p := range path {
		dst = binary.AppendUvarint(dst, uint64(len(p)))
		dst = append(dst, p...)
	}
	return dst
}

func (v *varints) bytes(most int64) []byte {
	n := v.length(min(most, int64(len(v.b))))
	if v.bad {
		return nil
	}
	b := v.b[:n:n]
	v.b = v.b[n:]
	return b
}

const (
	columnOwn     = 1
	columnInRows  = 2
	columnAscends = 4
	columnDict    = 8
)

// An entry: u8 flags · path · 16 varints counts; unless it is in the rows: signed varints least and greatest integer, u64 × 2 bits of
// least and greatest float, varint NaNs, least and greatest text with their lengths, varint offset of the first block, the
// dictionary's values, length and bytes if it has one, then per block: varint length × 2 + 1 if it is bounded, and then signed varint least, varint
// greatest − least.
func (e *columnEntry) append(dst []byte) []byte {
	s := &e.stats
	flags := byte(0)
	for bit, on := range map[byte]bool{columnOwn: e.name.Own, columnInRows: s.InRows, columnAscends: s.Ascends, columnDict: e.dict.values > 0} {
		if on {
			flags |= bit
		}
	}
	dst = appendPath(append(dst, flags), e.name.Path)
	for _, n := range s.Counts {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	if s.InRows {
		return dst
	}
	for _, x := range s.Ints {
		dst = binary.AppendVarint(dst, x)
	}
	for _, x := range s.Floats {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
	}
	dst = binary.AppendUvarint(dst, uint64(s.NaNs))
	for _, t := range s.Texts {
		dst = binary.AppendUvarint(dst, uint64(len(t)))
		dst = append(dst, t...)
	}
	dst = binary.AppendUvarint(dst, uint64(e.start))
	if e.dict.values > 0 {
		for _, x := range [...]int{e.dict.values, e.dict.length, e.dict.data} {
			dst = binary.AppendUvarint(dst, uint64(x))
		}
	}
	for i := range e.blocks {
		z := &e.blocks[i]
		if !z.bounded {
			dst = binary.AppendUvarint(dst, uint64(z.length)*2)
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(z.length)*2+1)
		dst = binary.AppendVarint(dst, z.least)
		dst = binary.AppendUvarint(dst, uint64(z.greatest)-uint64(z.least))
	}
	return dst
}

// readColumnEntry reads an entry of a chunk of so many rows whose columns end at end.
func readColumnEntry(v *varints, rows int, end int64) (e columnEntry) {
	if len(v.b) == 0 {
		v.bad = true
		return e
	}
	flags := v.b[0]
	v.b = v.b[1:]
	s := &e.stats
	e.name.Own, s.InRows, s.Ascends = flags&columnOwn != 0, flags&columnInRows != 0, flags&columnAscends != 0
	for range v.length(64) {
		e.name.Path = append(e.name.Path, string(v.bytes(maxColumnName)))
		if v.bad {
			return e
		}
	}
	for i := range s.Counts {
		s.Counts[i] = v.length(MaxChunkRows)
	}
	if s.Values() > int64(rows) || len(e.name.Path) == 0 || flags >= 16 {
		v.bad = true
	}
	if s.InRows || v.bad {
		return e
	}
	s.Ints = [2]int64{v.int(), v.int()}
	for i := range s.Floats {
		if len(v.b) < 8 {
			v.bad = true
			return e
		}
		s.Floats[i] = math.Float64frombits(binary.LittleEndian.Uint64(v.b))
		v.b = v.b[8:]
	}
	s.NaNs = v.length(MaxChunkRows)
	for i := range s.Texts {
		s.Texts[i] = v.bytes(boundBytes)
	}
	e.start = v.length(end)
	if flags&columnDict != 0 {
		e.dict.values = int(v.length(maxDictionary))
		e.dict.length = int(v.length(end))
		e.dict.data = int(v.length(maxColumnValue * maxDictionary))
		if e.dict.values == 0 {
			v.bad = true
		}
	}
	if e.start-int64(e.dict.length) < headerBytes {
		v.bad = true
	}
	at := e.start
	for n := rows; n > 0 && !v.bad; n -= ColumnBlockRows {
		x := v.uint()
		z := zone{length: int(min(x/2, math.MaxInt32)), bounded: x&1 != 0}
		if z.bounded {
			z.least = v.int()
			z.greatest = int64(uint64(z.least) + v.uint())
		}
		if at += int64(z.length); at > end || z.greatest < z.least {
			v.bad = true
		}
		e.blocks = append(e.blocks, z)
	}
	return e
}

// A dictionary: u32 checksum · column of lengths · u8 codec · varint stored length · stored bytes.
func appendDictionary(dst []byte, p *packer, lengths []uint64, stored []byte, codec uint8) []byte {
	dst = p.appendColumn(append(dst, 0, 0, 0, 0), lengths, false)
	return appendStored(dst, stored, codec)
}

func appendStored(dst, stored []byte, codec uint8) []byte {
	dst = binary.AppendUvarint(append(dst, codec), uint64(len(stored)))
	return append(dst, stored...)
}

// readStored decodes n bytes into dst's memory and returns them and what follows.
func readStored(dst, b []byte, n int) (data, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, errTruncated
	}
	codec := b[0]
	v := varints{b: b[1:]}
	stored := v.bytes(math.MaxInt32)
	if v.bad {
		return nil, nil, errTruncated
	}
	if codec == codecNone {
		if len(stored) != n {
			return nil, nil, errEncoding
		}
		return append(dst[:0], stored...), v.b, nil
	}
	if cap(dst) < n {
		dst = make([]byte, n)
	}
	data, err = decompress(dst, stored, codec, n)
	return data, v.b, err
}

func readDictionary(b []byte, e *dictEntry) (*Dictionary, error) {
	d := &Dictionary{Ends: make([]uint32, e.values)}
	rest, err := readColumn(d.Ends, b, maxColumnValue)
	if err != nil {
		return nil, err
	}
	if sum := sumLengths(d.Ends); sum != uint64(e.data) {
		return nil, errEncoding
	}
	d.Data, rest, err = readStored(nil, rest, e.data)
	if err == nil && len(rest) > 0 {
		err = errEncoding
	}
	return d, err
}

// sumLengths makes lengths of at most maxColumnValue the ends of what they are of, and returns the last.
func sumLengths(n []uint32) uint64 {
	at := uint64(0)
	for i, x := range n {
		at += uint64(x)
		n[i] = uint32(at)
	}
	return at
}

const (
	blockAbsent     = 1
	blockNull       = 2
	blockFloating   = 4
	blockExceptions = 8
	blockCoded      = 16
)

func appendBits(dst []byte, set []uint64, rows int) []byte {
	for i := range (rows + 63) / 64 {
		dst = binary.LittleEndian.AppendUint64(dst, set[i])
	}
	return dst
}

func readBits(set []uint64, b []byte, rows int) ([]uint64, []byte, error) {
	words := (rows + 63) / 64
	if len(b) < words*8 {
		return nil, nil, errTruncated
	}
	set = set[:0]
	for i := range words {
		set = append(set, binary.LittleEndian.Uint64(b[i*8:]))
	}
	if rows%64 != 0 && set[words-1]>>(rows%64) != 0 {
		return nil, nil, errEncoding
	}
	return set, b[words*8:], nil
}

func appendException(dst []byte, x *Exception, before int) []byte {
	dst = binary.AppendUvarint(dst, uint64(x.Row-before))
	dst = append(dst, byte(x.Class))
	if isBytes(x.Class) || x.Class == payload.Big {
		dst = binary.AppendUvarint(dst, uint64(len(x.Bytes)))
		return append(dst, x.Bytes...)
	}
	return binary.AppendUvarint(dst, x.Bits)
}

func (v *varints) exception(before int) (x Exception) {
	x.Row = before + int(v.length(ColumnBlockRows))
	if len(v.b) == 0 {
		v.bad = true
		return x
	}
	x.Class = payload.Class(v.b[0])
	v.b = v.b[1:]
	switch {
	case isBytes(x.Class) || x.Class == payload.Big:
		x.Bytes = v.bytes(maxColumnValue)
	case x.Class == payload.Bool || x.Class == payload.Int || x.Class == payload.Float || x.Class == payload.Time || x.Class == InRow:
		x.Bits = v.uint()
	default:
		v.bad = true
	}
	return x
}
