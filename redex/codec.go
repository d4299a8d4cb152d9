package redex

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// The body of a frame is a list of parts; docs/format/events.md is the specification.
//
//	 0     1      2         4      8     16      24      28         32
//	+----+-------+---------+------+-----+-------+-------+----------+----------
//	|type| flags | 0       | size | log | first | count | 0        | size bytes
//	+----+-------+---------+------+-----+-------+-------+----------+----------
//
// The bytes after the header of an events part are entries:
//
//	size uvarint | flags u8 | kind uvarint? | origin u64? | fields? | payload
//
// All integers are little-endian.
const (
	partHeaderSize = 32
	partFirstAt    = 16 // where the first sequence is patched in under the append lock
	partCountAt    = 24

	partEvents   = 1 // entries of a log; first and count are set
	partCreate   = 2 // a log is made; fields: name, options
	partDelete   = 3 // a log is deleted; first is its next sequence
	partSettings = 4 // a log's options are replaced; fields: options
	partFloor    = 5 // sequences of a log below first are gone
	partRename   = 6 // a log gets another name; fields: name
	partRedact   = 8 // the payload and headers of a log's event first are gone

	partOptional = 1 // part flag: a reader that does not know the type skips the part

	entryKind      = 1 << 0 // a kind follows
	entryOrigin    = 1 << 1 // an origin follows
	entryFields    = 1 << 2 // tagged fields follow
	entryTombstone = 1 << 3
	entryEncoding  = 4 // shift of the encoding, the upper four bits

	// Tags of an entry's fields, ascending. A reader skips unknown tags from tagOptional on, and refuses the others.
	tagKey         = 1
	tagIdempotency = 2
	tagHeaders     = 3
	tagSchema      = 4
	tagRedacted    = 5 // of rows of the catalog only
	tagOptional    = 128

	// Tags of the fields of catalog parts, by the same rule.
	tagName      = 1
	tagOptions   = 2
	tagCheckJSON = 1 // of options
	tagFields    = 2 // of options
	tagRetention = 3 // of options
	tagQuota     = 4 // of options
	tagCompact   = 5 // of options
)

// Limits of an entry besides MaxPayloadBytes.
const (
	MaxKeyBytes    = 4 << 10  // of Entry.Key
	MaxHeaderBytes = 32 << 10 // of the names and values of Entry.Headers together
	MaxHeaders     = 256      // headers of one entry
)

// maxSeq is the greatest sequence an event may have.
const maxSeq = Seq(math.MaxInt64)

var (
	errShort    = errors.New("too short")
	errVarint   = errors.New("bad integer")
	errReserved = errors.New("reserved bits set")
)

// part is one decoded part header, and the bytes that follow it.
type part struct {
	typ   uint8
	flags uint8
	log   LogID
	first Seq
	count uint32
	off   int // of data in the body
	data  []byte
}

// appendPart appends a part header whose size is filled in by endPart.
func appendPart(dst []byte, typ uint8, log LogID, first Seq, count int) []byte {
	n := len(dst)
	dst = slices.Grow(dst, partHeaderSize)[:n+partHeaderSize]
	h := dst[n:]
	binary.LittleEndian.PutUint64(h, uint64(typ))
	binary.LittleEndian.PutUint64(h[8:], uint64(log))
	binary.LittleEndian.PutUint64(h[16:], uint64(first))
	binary.LittleEndian.PutUint64(h[24:], uint64(uint32(count)))
	return dst
}

// endPart fills in the size of the part whose header is at off, which reaches to the end of dst.
func endPart(dst []byte, off int) {
	binary.LittleEndian.PutUint32(dst[off+4:], uint32(len(dst)-off-partHeaderSize))
}

// patchFirst sets the first sequence of the part whose header is at off.
func patchFirst(body []byte, off int, first Seq) {
	binary.LittleEndian.PutUint64(body[off+partFirstAt:], uint64(first))
}

// nextPart decodes the part at body[off:] and returns the offset of the one after it.
func nextPart(body []byte, off int) (part, int, error) {
	b := body[off:]
	if len(b) < partHeaderSize {
		return part{}, 0, fmt.Errorf("part header: %w", errShort)
	}
	p := part{
		typ: b[0], flags: b[1],
		log:   LogID(binary.LittleEndian.Uint64(b[8:])),
		first: Seq(binary.LittleEndian.Uint64(b[16:])),
		count: binary.LittleEndian.Uint32(b[24:]),
		off:   off + partHeaderSize,
	}
	size := binary.LittleEndian.Uint32(b[4:])
	switch {
	case uint64(size) > uint64(len(b)-partHeaderSize):
		return part{}, 0, fmt.Errorf("part of %d bytes: %w", size, errShort)
	case p.flags&^partOptional != 0 || binary.LittleEndian.Uint16(b[2:]) != 0 || binary.LittleEndian.Uint32(b[28:]) != 0:
		return part{}, 0, fmt.Errorf("part header: %w", errReserved)
	case p.first > maxSeq || Seq(p.count) > maxSeq-p.first:
		return part{}, 0, fmt.Errorf("part of sequences from %d: beyond the greatest sequence", p.first)
	case p.typ == partEvents && (p.count == 0 || uint64(p.count)*2 > uint64(size)):
		return part{}, 0, fmt.Errorf("part of %d entries in %d bytes", p.count, size)
	}
	p.data = b[partHeaderSize : partHeaderSize+int(size) : partHeaderSize+int(size)]
	return p, off + partHeaderSize + int(size), nil
}

// uvarintLen is the length of v as a uvarint.
func uvarintLen(v uint64) int {
	n := 1
	for v >= 0x80 {
		v >>= 7
		n++
	}
	return n
}

// uvarint reads an integer in its shortest form.
func uvarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || n > 1 && b[n-1] == 0 {
		return 0, nil, errVarint
	}
	return v, b[n:], nil
}

// lengthPrefixed reads a length and as many bytes.
func lengthPrefixed(b []byte) (v, rest []byte, err error) {
	n, b, err := uvarint(b)
	if err != nil {
		return nil, nil, err
	}
	if n > uint64(len(b)) {
		return nil, nil, errShort
	}
	return b[:n:n], b[n:], nil
}

func appendLengthPrefixed(dst []byte, v []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(v))), v...)
}

// checkEntry reports what of an entry is over its limits.
func checkEntry(e *Entry) error {
	switch {
	case len(e.Payload) > MaxPayloadBytes:
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(e.Payload), MaxPayloadBytes)
	case len(e.Key) > MaxKeyBytes:
		return fmt.Errorf("%w: key of %d bytes, at most %d", ErrTooLarge, len(e.Key), MaxKeyBytes)
	case e.Encoding > Msgpack:
		return fmt.Errorf("redex: unknown encoding %d", e.Encoding)
	case len(e.Headers) > 0:
		if len(e.Headers) > MaxHeaders {
			return fmt.Errorf("%w: %d headers, at most %d", ErrTooLarge, len(e.Headers), MaxHeaders)
		}
		n := 0
		for i := range e.Headers {
			n += len(e.Headers[i].Name) + len(e.Headers[i].Value)
		}
		if n > MaxHeaderBytes {
			return fmt.Errorf("%w: headers of %d bytes, at most %d", ErrTooLarge, n, MaxHeaderBytes)
		}
	}
	return nil
}

// headersSize is the length of appendHeaders' result.
func headersSize(hs []Header) int {
	n := uvarintLen(uint64(len(hs)))
	for i := range hs {
		n += uvarintLen(uint64(len(hs[i].Name))) + len(hs[i].Name) + uvarintLen(uint64(len(hs[i].Value))) + len(hs[i].Value)
	}
	return n
}

// appendHeaders appends the form headers have in entries and row files: their number, then each name and value.
func appendHeaders(dst []byte, hs []Header) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(hs)))
	for i := range hs {
		dst = binary.AppendUvarint(dst, uint64(len(hs[i].Name)))
		dst = append(dst, hs[i].Name...)
		dst = appendLengthPrefixed(dst, hs[i].Value)
	}
	return dst
}

// decodeHeaders decodes headers into hs, whose memory it reuses. Values point into b.
func decodeHeaders(b []byte, hs []Header) ([]Header, error) {
	hs = hs[:0]
	if len(b) == 0 {
		return hs, nil
	}
	n, b, err := uvarint(b)
	if err != nil {
		return hs, err
	}
	if n == 0 || n > MaxHeaders {
		return hs, fmt.Errorf("%d headers", n)
	}
	for range n {
		var name, value []byte
		if name, b, err = lengthPrefixed(b); err != nil {
			return hs, err
		}
		if value, b, err = lengthPrefixed(b); err != nil {
			return hs, err
		}
		if len(value) == 0 {
			value = nil
		}
		hs = append(hs, Header{Name: string(name), Value: value})
	}
	if len(b) != 0 {
		return hs, fmt.Errorf("%d bytes after the headers", len(b))
	}
	return hs, nil
}

// fieldsSize is the length of an entry's tagged fields, without the length before them; 0 when it has none.
func fieldsSize(e *Entry) int {
	n := 0
	if e.Key != nil {
		n += 1 + uvarintLen(uint64(len(e.Key))) + len(e.Key)
	}
	if e.Idempotency != 0 {
		n += 2 + uvarintLen(e.Idempotency)
	}
	if len(e.Headers) > 0 {
		h := headersSize(e.Headers)
		n += 1 + uvarintLen(uint64(h)) + h
	}
	if e.SchemaVersion != 0 {
		n += 2 + uvarintLen(uint64(e.SchemaVersion))
	}
	return n
}

// appendEntryHead appends what comes before the payload of an entry that checkEntry accepts.
func appendEntryHead(dst []byte, e *Entry) []byte { return appendRowHead(dst, e, false) }

// appendRowHead is appendEntryHead for rows of the catalog, which may be of a redacted event.
func appendRowHead(dst []byte, e *Entry, redacted bool) []byte {
	flags := uint8(e.Encoding) << entryEncoding
	size := 1 + len(e.Payload)
	if e.Kind != 0 {
		flags |= entryKind
		size += uvarintLen(uint64(e.Kind))
	}
	if e.Origin != 0 {
		flags |= entryOrigin
		size += 8
	}
	if e.Tombstone {
		flags |= entryTombstone
	}
	fields := 0
	if e.Key != nil || e.Idempotency != 0 || len(e.Headers) > 0 || e.SchemaVersion != 0 || redacted {
		fields = fieldsSize(e)
		if redacted {
			fields += 3
		}
		flags |= entryFields
		size += uvarintLen(uint64(fields)) + fields
	}
	dst = binary.AppendUvarint(dst, uint64(size))
	dst = append(dst, flags)
	if e.Kind != 0 {
		dst = binary.AppendUvarint(dst, uint64(e.Kind))
	}
	if e.Origin != 0 {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Origin))
	}
	if fields != 0 {
		dst = binary.AppendUvarint(dst, uint64(fields))
		if e.Key != nil {
			dst = appendLengthPrefixed(append(dst, tagKey), e.Key)
		}
		if e.Idempotency != 0 {
			dst = append(dst, tagIdempotency, byte(uvarintLen(e.Idempotency)))
			dst = binary.AppendUvarint(dst, e.Idempotency)
		}
		if len(e.Headers) > 0 {
			dst = binary.AppendUvarint(append(dst, tagHeaders), uint64(headersSize(e.Headers)))
			dst = appendHeaders(dst, e.Headers)
		}
		if e.SchemaVersion != 0 {
			dst = append(dst, tagSchema, byte(uvarintLen(uint64(e.SchemaVersion))))
			dst = binary.AppendUvarint(dst, uint64(e.SchemaVersion))
		}
		if redacted {
			dst = append(dst, tagRedacted, 1, 1)
		}
	}
	return dst
}

// skipEntry returns what follows the entry at the start of b.
func skipEntry(b []byte) ([]byte, error) {
	n, rest, err := uvarint(b)
	if err != nil {
		return nil, err
	}
	if n == 0 || n > uint64(len(rest)) {
		return nil, errShort
	}
	return rest[n:], nil
}

// decodeEntry decodes the entry at the start of b into ev, which keeps its Log, Seq, Time, Ordinal and Headers, and returns
// the bytes for decodeHeaders and what follows the entry. All slices point into b.
func decodeEntry(b []byte, ev *Event) (headers, rest []byte, err error) {
	e, rest, err := lengthPrefixed(b)
	if err != nil {
		return nil, nil, fmt.Errorf("entry: %w", err)
	}
	if len(e) == 0 {
		return nil, nil, fmt.Errorf("entry: %w", errShort)
	}
	flags := e[0]
	e = e[1:]
	ev.Kind, ev.Origin, ev.Idempotency, ev.SchemaVersion, ev.Key, ev.Redacted = 0, 0, 0, 0, nil, false
	ev.Tombstone = flags&entryTombstone != 0
	ev.Encoding = Encoding(flags >> entryEncoding)
	if ev.Encoding > Msgpack {
		return nil, nil, fmt.Errorf("entry with %w encoding %d", ErrFormat, ev.Encoding)
	}
	if flags&entryKind != 0 {
		var v uint64
		if v, e, err = uvarint(e); err != nil || v > math.MaxUint32 {
			return nil, nil, fmt.Errorf("entry kind: %w", errVarint)
		}
		ev.Kind = Kind(v)
	}
	if flags&entryOrigin != 0 {
		if len(e) < 8 {
			return nil, nil, fmt.Errorf("entry origin: %w", errShort)
		}
		ev.Origin = Origin(binary.LittleEndian.Uint64(e))
		e = e[8:]
	}
	if flags&entryFields != 0 {
		var fields []byte
		if fields, e, err = lengthPrefixed(e); err != nil {
			return nil, nil, fmt.Errorf("entry fields: %w", err)
		}
		if headers, err = decodeFields(fields, ev); err != nil {
			return nil, nil, fmt.Errorf("entry fields: %w", err)
		}
	}
	if ev.Payload = e; len(e) == 0 {
		ev.Payload = nil
	}
	return headers, rest, nil
}

func decodeFields(b []byte, ev *Event) (headers []byte, err error) {
	err = eachField(b, func(tag uint8, v []byte) (bool, error) {
		switch tag {
		case tagKey:
			ev.Key = v
		case tagIdempotency:
			n, err := wholeUvarint(v)
			if err != nil || n == 0 {
				return true, errVarint
			}
			ev.Idempotency = n
		case tagHeaders:
			headers = v
		case tagSchema:
			n, err := wholeUvarint(v)
			if err != nil || n == 0 || n > math.MaxUint32 {
				return true, errVarint
			}
			ev.SchemaVersion = uint32(n)
		case tagRedacted:
			if len(v) != 1 || v[0] != 1 {
				return true, errVarint
			}
			ev.Redacted = true
		default:
			return false, nil
		}
		return true, nil
	})
	return headers, err
}

// wholeUvarint reads an integer that is all of b.
func wholeUvarint(b []byte) (uint64, error) {
	v, rest, err := uvarint(b)
	if err == nil && len(rest) != 0 {
		err = errVarint
	}
	return v, err
}

// eachField calls f for each tagged field. f reports whether it knows the tag.
func eachField(b []byte, f func(tag uint8, v []byte) (known bool, err error)) error {
	last := -1
	for len(b) > 0 {
		tag := b[0]
		if int(tag) <= last {
			return fmt.Errorf("tag %d after %d", tag, last)
		}
		last = int(tag)
		v, rest, err := lengthPrefixed(b[1:])
		if err != nil {
			return fmt.Errorf("tag %d: %w", tag, err)
		}
		b = rest
		known, err := f(tag, v)
		if err != nil {
			return fmt.Errorf("tag %d: %w", tag, err)
		}
		if !known && tag < tagOptional {
			return fmt.Errorf("%w: tag %d", ErrFormat, tag)
		}
	}
	return nil
}

// appendOptions appends a log's options as fields; nothing for the default.
func appendOptions(dst []byte, o LogOptions) []byte {
	if o.CheckJSON {
		dst = append(dst, tagCheckJSON, 1, 1)
	}
	if len(o.Fields) > 0 {
		var paths, names []byte
		for _, path := range o.Fields {
			names = names[:0]
			for _, name := range path {
				names = appendLengthPrefixed(names, []byte(name))
			}
			paths = appendLengthPrefixed(paths, names)
		}
		dst = appendLengthPrefixed(append(dst, tagFields), paths)
	}
	if r := o.Retention; r.any() {
		dst = appendLengthPrefixed(append(dst, tagRetention), appendUvarints(nil, uint64(r.Events), uint64(r.Bytes), uint64(r.Age)))
	}
	if q := o.Quota; q != (Quota{}) {
		dst = appendLengthPrefixed(append(dst, tagQuota), appendUvarints(nil, uint64(q.Events), uint64(q.Bytes)))
	}
	if c := o.Compaction; c.ByKey {
		dst = appendLengthPrefixed(append(dst, tagCompact), appendUvarints(nil, uint64(c.TombstonesFor)))
	}
	return dst
}

func appendUvarints(dst []byte, vs ...uint64) []byte {
	for _, v := range vs {
		dst = binary.AppendUvarint(dst, v)
	}
	return dst
}

// appendCreate appends the body of the frame that makes a log.
func appendCreate(dst []byte, id LogID, name string, o LogOptions) []byte {
	at := len(dst)
	dst = appendPart(dst, partCreate, id, 0, 0)
	dst = append(dst, tagName)
	dst = appendLengthPrefixed(dst, []byte(name))
	if opt := appendOptions(nil, o); len(opt) > 0 {
		dst = appendLengthPrefixed(append(dst, tagOptions), opt)
	}
	endPart(dst, at)
	return dst
}

// appendSettings appends the body of the frame that replaces a log's options.
func appendSettings(dst []byte, id LogID, o LogOptions) []byte {
	at := len(dst)
	dst = appendPart(dst, partSettings, id, 0, 0)
	if opt := appendOptions(nil, o); len(opt) > 0 {
		dst = appendLengthPrefixed(append(dst, tagOptions), opt)
	}
	endPart(dst, at)
	return dst
}

// appendRename appends the body of the frame that gives a log another name.
func appendRename(dst []byte, id LogID, name string) []byte {
	at := len(dst)
	dst = append(appendPart(dst, partRename, id, 0, 0), tagName)
	dst = appendLengthPrefixed(dst, []byte(name))
	endPart(dst, at)
	return dst
}

// decodeCatalogPart decodes what follows the header of a create, settings or rename part. A name is checked.
func decodeCatalogPart(p part) (name string, o LogOptions, err error) {
	err = eachField(p.data, func(tag uint8, v []byte) (bool, error) {
		switch {
		case tag == tagName && p.typ != partSettings:
			name = string(v)
		case tag == tagOptions && p.typ != partRename:
			var err error
			o, err = decodeOptions(v)
			return true, err
		default:
			return false, nil
		}
		return true, nil
	})
	if err == nil && p.typ != partSettings {
		err = CheckName(name)
	}
	return name, o, err
}
