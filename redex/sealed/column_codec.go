package sealed

import (
	"encoding/binary"
	"math"

	"github.com/seed69692123/netdb/internal/payload"
)

// blockWriter encodes the blocks of a column, one after the other.
type blockWriter struct {
	b     *ColumnBuilder
	c     *columnValues
	kind  payload.Class
	coded bool // there is a dictionary, and the bits of texts are its codes
	at    int  // next value

	bits       [ColumnBlockRows]uint64
	data       []byte
	exceptions []Exception
}

type rowSet [ColumnBlockRows / 64]uint64

func (s *rowSet) add(i int) { s[i>>6] |= 1 << (i & 63) }

// append encodes the block of rows [first, first+rows).
//
// A block: u32 checksum · u8 flags · u8 class · the bits of rows that are absent, null, floating, each if its flag is set · values ·
// exceptions. Values of numbers, booleans and times are one packed column of their bits, of coded texts one of codes; of others
// one of lengths, then the stored bytes. Rows without a value repeat the one before.
func (w *blockWriter) append(dst []byte, first, rows int) ([]byte, zone, error) {
	var absent, null, floating rowSet
	for i := range absent {
		absent[i] = ^uint64(0)
	}
	if rows < ColumnBlockRows {
		absent = rowSet{}
		for i := range rows {
			absent.add(i)
		}
	}
	have := func(i int) { absent[i>>6] &^= 1 << (i & 63) }
	flags := byte(0)
	z := zone{least: math.MaxInt64, greatest: math.MinInt64, bounded: true}
	class := payload.Missing
	w.data, w.exceptions = w.data[:0], w.exceptions[:0]
	values := w.bits[:rows]
	clear(values)
	next := 0 // values below have been given one
	present, floats := 0, 0
	fill := func(upto int, x uint64) {
		for ; next < upto; next++ {
			values[next] = x
		}
	}
	last, any := uint64(0), false
	if only := w.dense(first, rows); only != payload.Missing {
		any, class, present, absent = true, only, rows, rowSet{}
		z.bounded = only == payload.Int || only == payload.Time
		bits := w.c.bits[w.at : w.at+rows]
		switch {
		case isBytes(only) && !w.coded:
			for i := range bits {
				v := w.c.value(w.at + i)
				w.data = append(w.data, v...)
				values[i] = uint64(len(v))
			}
		case z.bounded:
			for i, x := range bits {
				values[i] = x
				z.least, z.greatest = min(z.least, int64(x)), max(z.greatest, int64(x))
			}
		default:
			copy(values, bits)
		}
		next, last = rows, values[rows-1]
		w.at += rows
	}
	for ; w.at < len(w.c.rows) && int(w.c.rows[w.at]) < first+rows; w.at++ {
		k := w.at
		i := int(w.c.rows[k]) - first
		c := w.c.classes[k]
		if c == payload.Null {
			null.add(i)
			flags |= blockNull
			continue
		}
		have(i)
		present++
		if c != payload.Int && c != payload.Time {
			z.bounded = false
		}
		if c == InRow || kindOf(c) != w.kind {
			x := Exception{Row: i, Class: c, Bits: w.c.bits[k]}
			if isBytes(c) || c == payload.Big {
				x.Bytes, x.Bits = w.c.value(k), 0
			} else if c == InRow {
				x.Bits = 0
			}
			z.bounded = false
			w.exceptions = append(w.exceptions, x)
			flags |= blockExceptions
			continue
		}
		x := w.c.bits[k]
		switch {
		case w.coded: // it is a code
		case isBytes(c):
			v := w.c.value(k)
			w.data = append(w.data, v...)
			x = uint64(len(v))
			fill(i, 0)
		case c == payload.Float:
			floating.add(i)
			floats++
		case z.bounded:
			z.least, z.greatest = min(z.least, int64(x)), max(z.greatest, int64(x))
		}
		if !any {
			last, any = x, true
		}
		if w.coded || !isBytes(c) {
			fill(i, last)
		}
		values[i], last, next = x, x, i+1
		if class == payload.Missing || c == payload.Int {
			class = c
		}
	}
	if w.coded || !isBytes(w.kind) {
		fill(rows, last)
	}
	if z.bounded = z.bounded && z.least <= z.greatest; !z.bounded {
		z.least, z.greatest = 0, 0
	}
	if present < rows {
		flags |= blockAbsent
	}
	if floats > 0 && class == payload.Int {
		flags |= blockFloating
	}
	if w.coded && any {
		flags |= blockCoded
	}
	dst = append(dst, 0, 0, 0, 0, flags, byte(class))
	at := len(dst) - 6
	for _, s := range [...]struct {
		flag byte
		set  *rowSet
	}{{blockAbsent, &absent}, {blockNull, &null}, {blockFloating, &floating}} {
		if flags&s.flag != 0 {
			dst = appendBits(dst, s.set[:], rows)
		}
	}
	if any {
		if class == payload.Int || class == payload.Time {
			dst = w.b.pack.appendSigned(dst, values, true)
		} else {
			dst = w.b.pack.appendColumn(dst, values, class == payload.Float)
		}
		if isBytes(class) && flags&blockCoded == 0 {
			stored, codec, err := w.b.comp.compress(w.data)
			if err != nil {
				return dst, z, err
			}
			dst = appendStored(dst, stored, codec)
		}
	}
	if flags&blockExceptions != 0 {
		dst = binary.AppendUvarint(dst, uint64(len(w.exceptions)))
		before := 0
		for i := range w.exceptions {
			dst = appendException(dst, &w.exceptions[i], before)
			before = w.exceptions[i].Row
		}
	}
	return sealBlock(dst, at, w.b.salt), z, nil
}

// dense returns the class of a block's rows when each has a value of it, and no value of the column is of another; else Missing.
func (w *blockWriter) dense(first, rows int) payload.Class {
	at := w.c.rows[w.at:]
	if only := w.c.only(); only > payload.Null && only <= payload.Time && only != payload.Big && len(at) >= rows &&
		int(at[0]) == first && int(at[rows-1]) == first+rows-1 {
		return only
	}
	return payload.Missing
}

// decode decodes a block of so many rows that was opened; codes are below codes.
func (b *ColumnBlock) decode(src []byte, rows, codes int) (err error) {
	b.Rows = rows
	b.Exceptions = b.Exceptions[:0]
	if len(src) < 2 {
		return errTruncated
	}
	flags, class := src[0], payload.Class(src[1])
	src = src[2:]
	if flags >= blockCoded*2 || class > payload.Time || class == payload.Null || class == payload.Big {
		return errEncoding
	}
	b.Class, b.Coded = class, flags&blockCoded != 0
	if b.Coded && !isBytes(class) || flags&blockFloating != 0 && class != payload.Int {
		return errEncoding
	}
	if b.Absent, src, err = readSet(b.Absent, src, rows, flags&blockAbsent != 0); err != nil {
		return err
	}
	if b.Null, src, err = readSet(b.Null, src, rows, flags&blockNull != 0); err != nil {
		return err
	}
	if b.Floating, src, err = readSet(b.Floating, src, rows, flags&blockFloating != 0); err != nil {
		return err
	}
	for i := range b.Null {
		if len(b.Absent) == 0 || b.Null[i]&^b.Absent[i] != 0 {
			return errEncoding
		}
	}
	switch {
	case class == payload.Missing:
	case b.Coded:
		b.Codes = resized(b.Codes, rows)
		if codes == 0 {
			return errEncoding
		}
		if src, err = readColumn(b.Codes, src, uint64(codes-1)); err != nil {
			return err
		}
	case isBytes(class):
		b.Ends = resized(b.Ends, rows)
		if src, err = readColumn(b.Ends, src, maxColumnValue); err != nil {
			return err
		}
		n := sumLengths(b.Ends)
		if b.Data, src, err = readStored(b.Data, src, int(n)); err != nil {
			return err
		}
	default:
		b.Bits = resized(b.Bits, rows)
		if src, err = readColumn(b.Bits, src, math.MaxUint64); err != nil {
			return err
		}
	}
	v := varints{b: src}
	if flags&blockExceptions != 0 {
		before := 0
		for range v.length(ColumnBlockRows) {
			x := v.exception(before)
			if v.bad || x.Row >= rows || len(b.Exceptions) > 0 && x.Row == before || bitOf(b.Absent, x.Row) {
				return errEncoding
			}
			b.Exceptions = append(b.Exceptions, x)
			before = x.Row
		}
	}
	if v.bad || len(v.b) > 0 {
		return errEncoding
	}
	if class == payload.Missing && b.count() != rows {
		return errEncoding
	}
	return nil
}

// count returns how many rows are absent or exceptions.
func (b *ColumnBlock) count() int {
	n := len(b.Exceptions)
	for i := range b.Rows {
		if bitOf(b.Absent, i) {
			n++
		}
	}
	return n
}

func readSet(set []uint64, src []byte, rows int, there bool) ([]uint64, []byte, error) {
	if !there {
		return set[:0], src, nil
	}
	return readBits(set, src, rows)
}

func resized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
