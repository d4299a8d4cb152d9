package redex

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// The part that changes a consumer, and its record in the catalog; docs/format/events.md and catalog.md are the specification.
const (
	partCursor = 7 // a consumer of a log is made, changed, moved or deleted; fields

	// Tags of the fields of a cursor part. Of those that change something, the lower one comes first.
	tagCursorName     = 1
	tagCursorOptions  = 2
	tagCursorBegin    = 3
	tagCursorEnd      = 4
	tagCursorCut      = 5
	tagCursorSettled  = 6
	tagCursorAttempts = 7
	tagCursorClear    = 8
	tagCursorReserve  = 9
	tagCursorCounts   = 10

	// Tags of a consumer's options.
	tagAckWait     = 1
	tagMaxAttempts = 2
	tagBackoff     = 3
	tagDeadLetter  = 4
	tagMaxInFlight = 5
	tagLookahead   = 6
	tagOrder       = 7
	tagHold        = 8

	keyCursor = 'c' // log, consumer, 0, piece -> a piece of a cursorState

	cursorPiece  = 24 << 10 // bytes of a piece of a record
	cursorPieces = 1 << 10  // of one record
)

// cursorKey is the key of a piece of a consumer's record.
func cursorKey(id LogID, name string, piece int) []byte {
	return binary.BigEndian.AppendUint16(append(append(be([]byte{keyCursor}, uint64(id)), name...), 0), uint16(piece))
}

// cursorKeys returns the range [from, to) of a consumer's keys.
func cursorKeys(id LogID, name string) (from, to []byte) {
	to = append(append(be([]byte{keyCursor}, uint64(id)), name...), 1)
	return cursorKey(id, name, 0), to
}

// parseCursorKey is the reverse of cursorKey.
func parseCursorKey(k []byte) (id LogID, name string, piece int, err error) {
	if id, err = keyLog(k); err != nil || len(k) < 12 || k[len(k)-3] != 0 || bytes.IndexByte(k[9:], 0) != len(k)-12 {
		return 0, "", 0, errRecord
	}
	return id, string(k[9 : len(k)-3]), int(binary.BigEndian.Uint16(k[len(k)-2:])), nil
}

// appendRanges appends a set: of each range the gap to the one before, and its length.
func appendRanges(dst []byte, rs seqRanges) []byte {
	at := Seq(0)
	for _, r := range rs {
		dst = appendUvarints(dst, uint64(r.from-at), uint64(r.to-r.from))
		at = r.to
	}
	return dst
}

func decodeRanges(b []byte) (rs seqRanges, err error) {
	at := Seq(0)
	for len(b) > 0 {
		var gap, n uint64
		if gap, b, err = uvarint(b); err != nil {
			return nil, err
		}
		if n, b, err = uvarint(b); err != nil {
			return nil, err
		}
		if n == 0 || gap == 0 && len(rs) > 0 || gap > uint64(maxSeq-at) || n > uint64(maxSeq-at)-gap {
			return nil, errVarint
		}
		r := seqRange{at + Seq(gap), at + Seq(gap+n)}
		rs, at = append(rs, r), r.to
	}
	return rs, nil
}

// appendAttempts appends attempts: of each the difference of its sequence to the one after the one before, and the number.
func appendAttempts(dst []byte, as []attempt) []byte {
	at := Seq(0)
	for _, a := range as {
		dst = appendUvarints(dst, uint64(a.seq-at), uint64(a.n))
		at = a.seq + 1
	}
	return dst
}

func decodeAttempts(b []byte) (as []attempt, err error) {
	at := Seq(0)
	for len(b) > 0 {
		var gap, n uint64
		if gap, b, err = uvarint(b); err != nil {
			return nil, err
		}
		if n, b, err = uvarint(b); err != nil {
			return nil, err
		}
		if gap >= uint64(maxSeq-at) || n > math.MaxUint32 {
			return nil, errVarint
		}
		a := attempt{at + Seq(gap), uint32(n)}
		as, at = append(as, a), a.seq+1
	}
	return as, nil
}

func appendCounts(dst []byte, c cursorCounts) []byte {
	return appendUvarints(dst, c.acked, c.redelivered, c.dead, c.lost)
}

func decodeCounts(b []byte) (c cursorCounts, err error) {
	for _, to := range []*uint64{&c.acked, &c.redelivered, &c.dead, &c.lost} {
		if *to, b, err = uvarint(b); err != nil {
			return c, err
		}
	}
	if len(b) > 0 {
		err = errVarint
	}
	return c, err
}

// appendConsumerOptions appends options with defaults as fields.
func appendConsumerOptions(dst []byte, o *ConsumerOptions) []byte {
	number := func(tag byte, v uint64) {
		if v != 0 {
			dst = appendLengthPrefixed(append(dst, tag), binary.AppendUvarint(nil, v))
		}
	}
	number(tagAckWait, uint64(o.AckWait))
	number(tagMaxAttempts, uint64(o.MaxAttempts))
	if len(o.Backoff) > 0 {
		var b []byte
		for _, d := range o.Backoff {
			b = binary.AppendUvarint(b, uint64(d))
		}
		dst = appendLengthPrefixed(append(dst, tagBackoff), b)
	}
	if o.DeadLetter != "" {
		dst = appendLengthPrefixed(append(dst, tagDeadLetter), []byte(o.DeadLetter))
	}
	number(tagMaxInFlight, uint64(o.MaxInFlight))
	number(tagLookahead, uint64(o.Lookahead))
	number(tagOrder, uint64(o.Order))
	if o.HoldRetention {
		number(tagHold, 1)
	}
	return dst
}

func decodeConsumerOptions(b []byte) (*ConsumerOptions, error) {
	o := &ConsumerOptions{}
	err := eachField(b, func(tag uint8, v []byte) (bool, error) {
		switch tag {
		case tagBackoff:
			for len(v) > 0 {
				n, rest, err := uvarint(v)
				if err != nil || n > math.MaxInt64 {
					return true, errVarint
				}
				o.Backoff, v = append(o.Backoff, time.Duration(n)), rest
			}
			return true, nil
		case tagDeadLetter:
			o.DeadLetter = string(v)
			return true, nil
		}
		if tag > tagHold {
			return false, nil
		}
		n, err := wholeUvarint(v)
		if err != nil || n == 0 || n > math.MaxInt64 {
			return true, errVarint
		}
		switch tag {
		case tagAckWait:
			o.AckWait = time.Duration(n)
		case tagMaxAttempts:
			o.MaxAttempts = int(min(n, maxAttempts+1))
		case tagMaxInFlight:
			o.MaxInFlight = int(min(n, maxInFlight+1))
		case tagLookahead:
			o.Lookahead = int(min(n, maxLookahead+1))
		case tagOrder:
			o.Order = Order(min(n, math.MaxUint8))
		case tagHold:
			if n != 1 {
				return true, errVarint
			}
			o.HoldRetention = true
		default:
			return false, nil
		}
		return true, nil
	})
	if err == nil {
		err = o.validate()
	}
	return o, err
}

// appendCursor appends a part that changes a consumer.
func appendCursor(dst []byte, id LogID, name string, ch *cursorChange) []byte {
	at := len(dst)
	dst = append(appendPart(dst, partCursor, id, 0, 0), tagCursorName)
	dst = appendLengthPrefixed(dst, []byte(name))
	if ch.options != nil {
		dst = appendLengthPrefixed(append(dst, tagCursorOptions), appendConsumerOptions(nil, ch.options))
	}
	if ch.begin {
		dst = appendLengthPrefixed(append(dst, tagCursorBegin), binary.AppendUvarint(nil, uint64(ch.position)))
	}
	if ch.end {
		dst = append(dst, tagCursorEnd, 0)
	}
	if ch.cut {
		dst = appendLengthPrefixed(append(dst, tagCursorCut), binary.AppendUvarint(nil, uint64(ch.position)))
	}
	var few [64]byte
	if len(ch.settled) > 0 {
		dst = appendLengthPrefixed(append(dst, tagCursorSettled), appendRanges(few[:0], ch.settled))
	}
	if len(ch.attempts) > 0 {
		dst = appendLengthPrefixed(append(dst, tagCursorAttempts), appendAttempts(few[:0], ch.attempts))
	}
	if ch.clear {
		dst = append(dst, tagCursorClear, 0)
	}
	if len(ch.reserve) > 0 {
		dst = appendLengthPrefixed(append(dst, tagCursorReserve), appendRanges(few[:0], ch.reserve))
	}
	if ch.counts != (cursorCounts{}) {
		dst = appendLengthPrefixed(append(dst, tagCursorCounts), appendCounts(few[:0], ch.counts))
	}
	endPart(dst, at)
	return dst
}

// decodeCursor decodes what follows the header of a cursor part. The name is checked.
func decodeCursor(p part) (name string, ch *cursorChange, err error) {
	ch = &cursorChange{}
	empty := func(v []byte) error {
		if len(v) > 0 {
			return errVarint
		}
		return nil
	}
	err = eachField(p.data, func(tag uint8, v []byte) (bool, error) {
		var err error
		switch tag {
		case tagCursorName:
			name = string(v)
		case tagCursorOptions:
			ch.options, err = decodeConsumerOptions(v)
		case tagCursorBegin, tagCursorCut:
			var n uint64
			if n, err = wholeUvarint(v); err == nil && (n > uint64(maxSeq) || ch.begin) {
				err = errVarint
			}
			ch.begin, ch.cut, ch.position = tag == tagCursorBegin, tag == tagCursorCut, Seq(n)
		case tagCursorEnd:
			ch.end, err = true, empty(v)
		case tagCursorSettled:
			ch.settled, err = decodeRanges(v)
		case tagCursorAttempts:
			ch.attempts, err = decodeAttempts(v)
		case tagCursorClear:
			ch.clear, err = true, empty(v)
		case tagCursorReserve:
			ch.reserve, err = decodeRanges(v)
		case tagCursorCounts:
			ch.counts, err = decodeCounts(v)
		default:
			return false, nil
		}
		return true, err
	})
	if err == nil {
		err = CheckName(name)
	}
	return name, ch, err
}

// encodeCursor returns the pieces of a consumer's record.
func encodeCursor(s *cursorState) [][]byte {
	f := newRecord()
	f.putBytes(appendConsumerOptions(nil, &s.options))
	f.putInt(s.created)
	f.putUint(uint64(s.position))
	f.putBytes(appendCounts(nil, s.counts))
	f.putBytes(appendRanges(nil, s.settled))
	f.putBytes(appendAttempts(nil, s.sortedAttempts()))
	f.putBytes(appendRanges(nil, s.reserved))
	var pieces [][]byte
	for b := f.b; len(b) > 0; {
		n := min(len(b), cursorPiece)
		pieces = append(pieces, b[:n])
		b = b[n:]
	}
	return pieces
}

// decodeCursorState decodes the pieces of a record, put together.
func decodeCursorState(b []byte) (*cursorState, error) {
	f := readRecord(b)
	s := &cursorState{}
	var errs [5]error
	o, err := decodeConsumerOptions(f.bytes())
	if errs[0] = err; err == nil {
		s.options = *o
	}
	s.created = f.int()
	s.position = Seq(f.count())
	s.counts, errs[1] = decodeCounts(f.bytes())
	s.settled, errs[2] = decodeRanges(f.bytes())
	as, err := decodeAttempts(f.bytes())
	errs[3] = err
	for _, a := range as {
		if s.attempts == nil {
			s.attempts = make(map[Seq]uint32, len(as))
		}
		s.attempts[a.seq] = a.n
	}
	s.reserved, errs[4] = decodeRanges(f.bytes())
	if err := errors.Join(f.done(), errors.Join(errs[:]...)); err != nil {
		return nil, fmt.Errorf("record of a consumer: %w", err)
	}
	if len(s.settled) > 0 && s.settled[0].from <= s.position {
		return nil, fmt.Errorf("record of a consumer: %w", errRecord)
	}
	return s, nil
}
