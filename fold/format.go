package fold

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/seed69692123/netdb/redex"
)

// A fold's state is written as one stream, in checkpoints and in exports alike:
//
//	magic "NDBFOLD\x01"
//	record: the header (see header.append)
//	records: the rows of each table, in key order, as many as the header says; or the state, when it has no tables
//	CRC-32C of all before, 4 bytes, little endian
//
// A record is its length as a uvarint and its bytes. A checkpoint is the stream cut into pieces. Piece n of generation g is
// the value of key 'p' g n (8 and 4 bytes, big endian): at most pieceBytes of the stream and the CRC-32C of key and those. The
// value of key 'm' (see manifest) names the generation that counts.
const (
	streamMagic   = "NDBFOLD\x01"
	manifestMagic = "NDBM\x01"
	pieceBytes    = 31 << 10
	batchPieces   = 32
	maxRecord     = 1 << 30
	maxHeader     = 256 << 20
	maxReason     = 512 // bytes kept of why an event was skipped
)

// header is what a stream says of its state before the state.
type header struct {
	fold    string
	version int64
	layout  string
	store   redex.StoreID
	epoch   redex.Epoch
	logs    []logHeader
	lost    []LostRange
	skipped []SkippedEvent
	plain   bool // one record holds the state
	tables  []tableHeader
}

type logHeader struct {
	mark        Mark
	undecodable int64
	skips       skipSet
}

type tableHeader struct {
	name string
	rows uint64
}

func (h *header) append(b []byte) []byte {
	u := func(v uint64) { b = binary.AppendUvarint(b, v) }
	str := func(s string) { u(uint64(len(s))); b = append(b, s...) }
	flag := func(f bool) {
		if f {
			u(1)
		} else {
			u(0)
		}
	}
	str(h.fold)
	b = binary.AppendVarint(b, h.version)
	str(h.layout)
	b = append(b, h.store[:]...)
	u(uint64(h.epoch))
	u(uint64(len(h.logs)))
	for i := range h.logs {
		l := &h.logs[i]
		u(uint64(l.mark.Log))
		str(l.mark.Name)
		u(uint64(l.mark.Next))
		u(uint64(l.mark.Applied))
		u(uint64(l.mark.Ordinal))
		b = binary.AppendVarint(b, l.mark.Time)
		u(uint64(l.mark.Skipped))
		u(uint64(l.undecodable))
		u(uint64(l.skips.forgotten))
		u(uint64(len(l.skips.ranges)))
		at := uint64(0)
		for _, r := range l.skips.ranges {
			u(uint64(r.from) - at)
			u(uint64(r.to - r.from))
			at = uint64(r.to)
		}
	}
	u(uint64(len(h.lost)))
	for _, l := range h.lost {
		str(l.Log)
		u(uint64(l.From))
		u(uint64(l.To))
	}
	u(uint64(len(h.skipped)))
	for _, s := range h.skipped {
		str(s.Log)
		u(uint64(s.Seq))
		flag(s.Undecodable)
		str(s.Reason)
	}
	flag(h.plain)
	u(uint64(len(h.tables)))
	for _, t := range h.tables {
		str(t.name)
		u(t.rows)
	}
	return b
}

var errHeader = errors.New("malformed header")

func (h *header) parse(b []byte) error {
	bad := false
	u := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			bad, b = true, nil
			return 0
		}
		b = b[n:]
		return v
	}
	i := func() int64 {
		v, n := binary.Varint(b)
		if n <= 0 {
			bad, b = true, nil
			return 0
		}
		b = b[n:]
		return v
	}
	seq := func() redex.Seq {
		v := u()
		bad = bad || v > math.MaxInt64
		return redex.Seq(v)
	}
	str := func() string {
		n := u()
		if n > uint64(len(b)) {
			bad, b = true, nil
			return ""
		}
		s := string(b[:n])
		b = b[n:]
		return s
	}
	// A list has at least min bytes per item left, so its length bounds what is allocated.
	list := func(min int) int {
		n := u()
		if n > uint64(len(b)/min) {
			bad, b = true, nil
			return 0
		}
		return int(n)
	}
	h.fold, h.version, h.layout = str(), i(), str()
	if len(b) < len(h.store) {
		return errHeader
	}
	b = b[copy(h.store[:], b):]
	h.epoch = redex.Epoch(u())
	h.logs = make([]logHeader, list(10))
	for n := range h.logs {
		l := &h.logs[n]
		l.mark = Mark{Log: redex.LogID(u()), Name: str(), Next: seq(), Applied: seq(), Ordinal: redex.Ordinal(u()), Time: i(), Skipped: int64(seq())}
		l.undecodable = int64(seq())
		l.skips.forgotten = seq()
		l.skips.ranges = make([]skipRange, list(2))
		at := uint64(0)
		for k := range l.skips.ranges {
			from := at + uint64(seq())
			to := from + uint64(seq())
			if from < at || to <= from || to > uint64(l.mark.Next) {
				return errHeader
			}
			l.skips.ranges[k] = skipRange{redex.Seq(from), redex.Seq(to)}
			at = to
		}
		if l.mark.Applied > l.mark.Next || l.skips.forgotten > l.mark.Next {
			return errHeader
		}
	}
	h.lost = make([]LostRange, list(3))
	for n := range h.lost {
		h.lost[n] = LostRange{str(), seq(), seq()}
	}
	h.skipped = make([]SkippedEvent, list(4))
	for n := range h.skipped {
		h.skipped[n] = SkippedEvent{str(), seq(), u() != 0, str()}
	}
	h.plain = u() != 0
	h.tables = make([]tableHeader, list(2))
	for n := range h.tables {
		h.tables[n] = tableHeader{str(), u()}
	}
	if bad || len(b) != 0 || h.plain && len(h.tables) != 0 {
		return errHeader
	}
	return nil
}

// streamWriter writes records and keeps the checksum.
type streamWriter struct {
	w   *bufio.Writer
	sum uint32
	err error
}

func newStreamWriter(w io.Writer) *streamWriter {
	s := &streamWriter{w: bufio.NewWriterSize(w, 64<<10)}
	s.bytes([]byte(streamMagic))
	return s
}

func (s *streamWriter) bytes(b []byte) {
	if s.err == nil {
		s.sum = crc32.Update(s.sum, castagnoli, b)
		_, s.err = s.w.Write(b)
	}
}

func (s *streamWriter) record(b []byte) error {
	if len(b) > maxRecord && s.err == nil {
		s.err = fmt.Errorf("row of %d bytes", len(b))
	}
	var n [binary.MaxVarintLen64]byte
	s.bytes(binary.AppendUvarint(n[:0], uint64(len(b))))
	s.bytes(b)
	return s.err
}

func (s *streamWriter) finish() error {
	if s.err != nil {
		return s.err
	}
	if _, err := s.w.Write(binary.LittleEndian.AppendUint32(nil, s.sum)); err != nil {
		return err
	}
	return s.w.Flush()
}

// recordReader reads what streamWriter wrote, from a reader that is not trusted.
type recordReader struct {
	r   *bufio.Reader
	sum uint32
	buf []byte
}

var errStream = errors.New("malformed state stream")

func newRecordReader(r io.Reader) (*recordReader, error) {
	rr := &recordReader{r: bufio.NewReaderSize(r, 64<<10)}
	b, err := rr.exactly(len(streamMagic))
	if err != nil {
		return nil, err
	}
	if string(b[:len(b)-1]) != streamMagic[:len(b)-1] {
		return nil, fmt.Errorf("%w: not a fold's state", errStream)
	}
	if string(b) != streamMagic {
		return nil, fmt.Errorf("%w: format version %d is not known", errStream, b[len(b)-1])
	}
	return rr, nil
}

// exactly returns the next n bytes, valid until the next call. Memory grows only with bytes that are really there.
func (r *recordReader) exactly(n int) ([]byte, error) {
	r.buf = r.buf[:0]
	for len(r.buf) < n {
		step := min(n-len(r.buf), 1<<20)
		at := len(r.buf)
		if cap(r.buf) < at+step {
			grown := make([]byte, at, max(at+step, 2*cap(r.buf)))
			copy(grown, r.buf)
			r.buf = grown
		}
		r.buf = r.buf[:at+step]
		if _, err := io.ReadFull(r.r, r.buf[at:]); err != nil {
			return nil, fmt.Errorf("%w: it ends early: %w", errStream, err)
		}
	}
	r.sum = crc32.Update(r.sum, castagnoli, r.buf)
	return r.buf, nil
}

func (r *recordReader) length() (int, error) {
	var b [binary.MaxVarintLen64]byte
	for i := range b {
		c, err := r.r.ReadByte()
		if err != nil {
			return 0, fmt.Errorf("%w: it ends early: %w", errStream, err)
		}
		b[i] = c
		if c < 0x80 {
			v, n := binary.Uvarint(b[:i+1])
			if n <= 0 || v > maxRecord {
				break
			}
			r.sum = crc32.Update(r.sum, castagnoli, b[:i+1])
			return int(v), nil
		}
	}
	return 0, fmt.Errorf("%w: a record's length", errStream)
}

func (r *recordReader) record() ([]byte, error) {
	n, err := r.length()
	if err != nil {
		return nil, err
	}
	return r.exactly(n)
}

func (r *recordReader) header() (*header, error) {
	b, err := r.record()
	if err != nil {
		return nil, err
	}
	if len(b) > maxHeader {
		return nil, errHeader
	}
	h := new(header)
	return h, h.parse(b)
}

// finish checks that the stream is whole and has nothing behind its end.
func (r *recordReader) finish() error {
	sum := r.sum
	b, err := r.exactly(4)
	if err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(b) != sum {
		return fmt.Errorf("%w: its checksum does not match", errStream)
	}
	if _, err := r.r.ReadByte(); err != io.EOF {
		return fmt.Errorf("%w: bytes behind its end", errStream)
	}
	return nil
}

// skim reads the rest of a stream without understanding it.
func (r *recordReader) skim(h *header) error {
	n := uint64(0)
	if h.plain {
		n = 1
	}
	for _, t := range h.tables {
		if n+t.rows < n {
			return errHeader
		}
		n += t.rows
	}
	for ; n > 0; n-- {
		if _, err := r.record(); err != nil {
			return err
		}
	}
	return r.finish()
}

// manifest names the generation of pieces that is the checkpoint.
type manifest struct {
	generation uint64
	pieces     uint32
	bytes      uint64
}

func (m manifest) append(b []byte) []byte {
	at := len(b)
	b = append(b, manifestMagic...)
	b = binary.LittleEndian.AppendUint64(b, m.generation)
	b = binary.LittleEndian.AppendUint32(b, m.pieces)
	b = binary.LittleEndian.AppendUint64(b, m.bytes)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[at:], castagnoli))
}

func parseManifest(b []byte) (manifest, error) {
	const n = len(manifestMagic)
	if len(b) != n+8+4+8+4 || string(b[:n]) != manifestMagic || binary.LittleEndian.Uint32(b[n+20:]) != crc32.Checksum(b[:n+20], castagnoli) {
		return manifest{}, errors.New("malformed manifest")
	}
	return manifest{binary.LittleEndian.Uint64(b[n:]), binary.LittleEndian.Uint32(b[n+8:]), binary.LittleEndian.Uint64(b[n+12:])}, nil
}

var manifestKey = []byte{'m'}

func pieceKey(generation uint64, n uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64([]byte{'p'}, generation), n)
}

// appendPiece appends a piece's value: data and checksum.
func appendPiece(b, key, data []byte) []byte {
	b = append(b, data...)
	return binary.LittleEndian.AppendUint32(b, crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, data))
}

func parsePiece(key, value []byte) ([]byte, error) {
	n := len(value) - 4
	if n < 0 || binary.LittleEndian.Uint32(value[n:]) != crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value[:n]) {
		return nil, fmt.Errorf("piece %d is missing or damaged", binary.BigEndian.Uint32(key[9:]))
	}
	return value[:n], nil
}
