package index

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/seed69692123/netdb/redex"
)

// The first bytes of keys in the index's view. docs/format/index.md is the specification.
const (
	keyMeta    = 'm'
	keyEntry   = 'e'
	keySkipped = 's'
	keyLost    = 'x'
	keySwept   = 'r'
)

// Limits of what an index holds.
const (
	MaxKeyBytes   = 1024     // of a key
	MaxValueBytes = 32 << 10 // of a value
	inlineBytes   = 1024     // of a value that are in the key of its entry
	maxReason     = 256      // of the reason of a skip
)

// An entry's key is 'e', the index key with each byte 0 as 0 255, then 0 1, then the value. Of a value over inlineBytes it is that many
// bytes and the SHA-256 of all of them, and the entry's value is the value; else that is empty. So entries are in the order of keys,
// and no key is the beginning of another.
const (
	escape     = 0x00
	escaped    = 0xff
	terminator = 0x01
)

func appendEscaped(dst, key []byte) []byte {
	for {
		i := bytes.IndexByte(key, escape)
		if i < 0 {
			return append(dst, key...)
		}
		dst = append(append(dst, key[:i]...), escape, escaped)
		key = key[i+1:]
	}
}

// appendPrefix appends what the entries of a key begin with.
func appendPrefix(dst, key []byte) []byte {
	return append(appendEscaped(append(dst, keyEntry), key), escape, terminator)
}

// prefixEnd makes of what entries of a key begin with what is after all of them.
func prefixEnd(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	end[len(end)-1]++
	return end
}

// appendValue appends the value to the beginning of its entry's key, and reports whether it is too long to be there as a whole.
func appendValue(dst, value []byte) ([]byte, bool) {
	if len(value) <= inlineBytes {
		return append(dst, value...), false
	}
	sum := sha256.Sum256(value)
	return append(append(dst, value[:inlineBytes]...), sum[:]...), true
}

var (
	errEntry = errors.New("malformed entry")
	errMeta  = errors.New("malformed record")
)

// parseEntry appends to key the index key of an entry's key, and returns what is behind it: a value, or the beginning and the
// hash of a long one.
func parseEntry(entry, key []byte) (k, value []byte, long bool, err error) {
	if len(entry) == 0 || entry[0] != keyEntry {
		return nil, nil, false, errEntry
	}
	entry = entry[1:]
	for {
		i := bytes.IndexByte(entry, escape)
		if i < 0 || i+1 == len(entry) {
			return nil, nil, false, errEntry
		}
		key = append(key, entry[:i]...)
		after := entry[i+1]
		entry = entry[i+2:]
		switch after {
		case escaped:
			key = append(key, escape)
		case terminator:
			switch n := len(entry); {
			case n <= inlineBytes:
			case n == inlineBytes+sha256.Size:
				long = true
			default:
				return nil, nil, false, errEntry
			}
			return key, entry, long, nil
		default:
			return nil, nil, false, errEntry
		}
	}
}

// checkLong reports whether value is the long one that the end of its entry's key tells.
func checkLong(inKey, value []byte) error {
	sum := sha256.Sum256(value)
	if len(value) <= inlineBytes || len(value) > MaxValueBytes || !bytes.HasPrefix(inKey, value[:inlineBytes]) || !bytes.HasSuffix(inKey, sum[:]) {
		return errEntry
	}
	return nil
}

func seqKey(kind byte, seq redex.Seq) []byte {
	return binary.BigEndian.AppendUint64([]byte{kind}, uint64(seq))
}

func parseSeqKey(key []byte) (redex.Seq, error) {
	if len(key) != 9 {
		return 0, errEntry
	}
	return redex.Seq(binary.BigEndian.Uint64(key[1:])), nil
}

func appendSeq(dst []byte, s redex.Seq) []byte { return binary.BigEndian.AppendUint64(dst, uint64(s)) }

// meta is what an index is of and where it is.
type meta struct {
	version string
	from    redex.Seq
	store   redex.StoreID
	log     redex.LogID
	epoch   redex.Epoch
	ordinal redex.Ordinal // the highest of the events in it; 0 when they all were sealed
	next    redex.Seq
	keys    int64
	values  int64
	skipped int64
	lost    int64 // ranges
}

// The last byte of the magic is the version of the format.
const metaMagic = "NDBX\x01"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (m *meta) append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, metaMagic...)
	dst = binary.AppendUvarint(dst, uint64(len(m.version)))
	dst = append(dst, m.version...)
	dst = append(dst, m.store[:]...)
	for _, v := range []uint64{
		uint64(m.from), uint64(m.log), uint64(m.epoch), uint64(m.ordinal), uint64(m.next),
		uint64(m.keys), uint64(m.values), uint64(m.skipped), uint64(m.lost),
	} {
		dst = binary.AppendUvarint(dst, v)
	}
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli))
}

func parseMeta(b []byte) (meta, error) {
	var m meta
	fail := func(why string) (meta, error) { return meta{}, fmt.Errorf("%w: %s", errMeta, why) }
	if len(b) < len(metaMagic)+4 || string(b[:len(metaMagic)]) != metaMagic {
		return fail("another format")
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return fail("its checksum does not match")
	}
	body = body[len(metaMagic):]
	number := func() (v uint64, ok bool) {
		v, n := binary.Uvarint(body)
		if n <= 0 || n > 1 && body[n-1] == 0 {
			return 0, false
		}
		body = body[n:]
		return v, true
	}
	n, ok := number()
	if !ok || n > maxVersionBytes || n > uint64(len(body)) {
		return fail("version")
	}
	m.version, body = string(body[:n]), body[n:]
	if len(body) < len(m.store) {
		return fail("too short")
	}
	body = body[copy(m.store[:], body):]
	var keys, values, skipped, lost uint64
	for _, f := range []*uint64{
		(*uint64)(&m.from), (*uint64)(&m.log), (*uint64)(&m.epoch), (*uint64)(&m.ordinal), (*uint64)(&m.next),
		&keys, &values, &skipped, &lost,
	} {
		if *f, ok = number(); !ok {
			return fail("a number")
		}
	}
	if len(body) != 0 {
		return fail("bytes behind its end")
	}
	if max(uint64(m.from), uint64(m.next), keys, values, skipped, lost) > math.MaxInt64 || m.next < m.from || keys > values {
		return fail("numbers that contradict each other")
	}
	m.keys, m.values, m.skipped, m.lost = int64(keys), int64(values), int64(skipped), int64(lost)
	return m, nil
}

// keyHead returns the first eight bytes of b as a number that is ordered as they are.
func keyHead(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var few [8]byte
	copy(few[:], b)
	return binary.BigEndian.Uint64(few[:])
}

// lostAt reads the record of a lost range.
func lostAt(it *redex.ViewIter) (LostRange, error) {
	from, err := parseSeqKey(it.Key())
	if err != nil {
		return LostRange{}, err
	}
	b, err := it.Value()
	if err != nil {
		return LostRange{}, err
	}
	if len(b) < 8 {
		return LostRange{}, errEntry
	}
	return LostRange{from, redex.Seq(binary.BigEndian.Uint64(b)), string(b[8:])}, nil
}

// swept is what of the log's erasures the index has done.
type swept struct {
	erased   int64     // Log.Erased as it is when all have left the log
	floor    redex.Seq // entries of events below are gone
	unpacked bool      // removed entries may be in files yet
}

// sweptKey is the key of it.
var sweptKey = []byte{keySwept}

func (s *swept) append(dst []byte) []byte {
	at := len(dst)
	flags := uint64(0)
	if s.unpacked {
		flags = 1
	}
	for _, v := range []uint64{uint64(s.erased), uint64(s.floor), flags} {
		dst = binary.AppendUvarint(dst, v)
	}
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli))
}

// parseSwept reads what append made; of nothing it makes the zero value.
func parseSwept(b []byte) (s swept, err error) {
	if len(b) == 0 {
		return s, nil
	}
	if len(b) < 4 || crc32.Checksum(b[:len(b)-4], castagnoli) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return s, fmt.Errorf("%w: its checksum does not match", errMeta)
	}
	b = b[:len(b)-4]
	var v [3]uint64
	for i := range v {
		n := 0
		if v[i], n = binary.Uvarint(b); n <= 0 {
			return s, fmt.Errorf("%w: too short", errMeta)
		}
		b = b[n:]
	}
	if s = (swept{int64(v[0]), redex.Seq(v[1]), v[2] == 1}); s.erased < 0 || v[2] > 1 || len(b) > 0 {
		return swept{}, fmt.Errorf("%w: out of range", errMeta)
	}
	return s, nil
}
