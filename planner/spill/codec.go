package spill

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"slices"

	"github.com/klauspost/compress/s2"

	"github.com/seed69692123/netdb/planner/vector"
)

// A file is blocks, a block is chunks:
//
//	chunk   raw length u32 (bit 31: not compressed), stored length u32, checksum u32, bytes
//	block   rows u32, then each column; it begins and ends with a chunk
//	column  its NULLs unless the type is dynamic: u8 whether there are any, then a bit for each row in u64s
//	        Bool: u8 a row. Int, Time, Date, Float: u64 a row. Interval: u64 with months and days, u64
//	        Text, Blob: length u32 a row, then the bytes of all rows
//	        dynamic: class u8 a row, u64 a row (a length where the value is bytes), then the bytes of all rows
//
// All is little-endian. The checksum is CRC-32C of the file's number, the chunk's place, the two lengths and the bytes.
const (
	chunkHead  = 12
	maxChunk   = 256<<10 - chunkHead // bytes of a chunk, before and after compression
	storedFlag = 1 << 31
)

// castagnoli never changes.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errChecksum = errors.New("wrong checksum")
	errLength   = errors.New("impossible length")
	errValue    = errors.New("impossible value")
	errEnd      = errors.New("bytes behind the end of a block")
)

func checksum(id uint64, at int64, head, b []byte) uint32 {
	var place [16]byte
	binary.LittleEndian.PutUint64(place[:], id)
	binary.LittleEndian.PutUint64(place[8:], uint64(at))
	c := crc32.Update(0, castagnoli, place[:])
	return crc32.Update(crc32.Update(c, castagnoli, head), castagnoli, b)
}

// fixedBytes is what a row of a type takes beside the bytes of its value.
func fixedBytes(t vector.Type) int {
	switch t {
	case vector.Bool:
		return 1
	case vector.IntervalType:
		return 16
	case vector.Any, vector.JSON:
		return 9
	}
	return 8
}

// encoder writes blocks at the end of a file. The chunk that is being made is in the area's raw.
type encoder struct{ f *File }

func (e *encoder) block(cols []*vector.Vector, n int) error {
	a := e.f.area
	a.raw = a.raw[:0]
	if err := e.u32(uint32(n)); err != nil {
		return err
	}
	size := int64(0)
	for k, v := range cols {
		data, err := e.column(v, n)
		if err != nil {
			return err
		}
		e.f.maxData[k] = max(e.f.maxData[k], data)
		size += int64(data + n*(fixedBytes(v.Type)+1))
	}
	e.f.maxRows = max(e.f.maxRows, n)
	e.f.maxBytes = max(e.f.maxBytes, size)
	return e.chunk()
}

// column writes a column and returns how many bytes its values have.
func (e *encoder) column(v *vector.Vector, n int) (int, error) {
	if !v.Type.Dynamic() {
		if err := e.nulls(v, n); err != nil {
			return 0, err
		}
	}
	var err error
	data := 0
	switch v.Type {
	case vector.Bool:
		for i := 0; i < n && err == nil; i++ {
			b := byte(0)
			if v.Bool(i) {
				b = 1
			}
			err = e.put([]byte{b})
		}
	case vector.Int, vector.Time, vector.Date:
		for i := 0; i < n && err == nil; i++ {
			err = e.u64(uint64(v.Int(i)))
		}
	case vector.Float:
		for i := 0; i < n && err == nil; i++ {
			err = e.u64(math.Float64bits(v.Float(i)))
		}
	case vector.IntervalType:
		for i := 0; i < n && err == nil; i++ {
			iv := v.Interval(i)
			if err = e.u64(uint64(uint32(iv.Months)) | uint64(uint32(iv.Days))<<32); err == nil {
				err = e.u64(uint64(iv.Nanos))
			}
		}
	case vector.Text, vector.Blob:
		for i := 0; i < n && err == nil; i++ {
			l := v.DataLen(i)
			data += l
			err = e.u32(uint32(l))
		}
		err = e.bytes(v, n, err)
	default:
		for i := 0; i < n && err == nil; i++ {
			err = e.put([]byte{byte(v.Classes[v.At(i)])})
		}
		for i := 0; i < n && err == nil; i++ {
			var bits uint64
			switch {
			case v.Classes[v.At(i)].HasBytes():
				l := len(v.Bytes(i))
				data += l
				bits = uint64(l)
			case !v.CodesOnly:
				bits = v.Bits[v.At(i)]
			case v.ExplicitNull(i):
				bits = 1
			}
			err = e.u64(bits)
		}
		err = e.bytes(v, n, err)
	}
	return data, err
}

// bytes writes the values that are bytes, unless there was an error before.
func (e *encoder) bytes(v *vector.Vector, n int, err error) error {
	for i := 0; i < n && err == nil; i++ {
		if v.Type.Dynamic() && v.Class(i).HasBytes() || !v.Type.Dynamic() && !v.Null(i) {
			err = e.put(v.Bytes(i))
		}
	}
	return err
}

func (e *encoder) nulls(v *vector.Vector, n int) error {
	some := false
	for i := 0; i < n && !some; i++ {
		some = v.Null(i)
	}
	if !some {
		return e.put([]byte{0})
	}
	if err := e.put([]byte{1}); err != nil {
		return err
	}
	for i := 0; i < n; i += 64 {
		w := uint64(0)
		for k := i; k < min(n, i+64); k++ {
			if v.Null(k) {
				w |= 1 << (k - i)
			}
		}
		if err := e.u64(w); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) u32(n uint32) error {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], n)
	return e.put(b[:])
}

func (e *encoder) u64(n uint64) error {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	return e.put(b[:])
}

// put adds bytes to the chunk, and writes it when it is full.
func (e *encoder) put(b []byte) error {
	a := e.f.area
	for len(b) > 0 {
		if len(a.raw) == maxChunk {
			if err := e.chunk(); err != nil {
				return err
			}
		}
		n := min(len(b), maxChunk-len(a.raw))
		a.raw = append(a.raw, b[:n]...)
		b = b[n:]
	}
	return nil
}

// chunk writes the chunk.
func (e *encoder) chunk() error {
	a, f := e.f.area, &e.f.f
	if len(a.raw) == 0 {
		return nil
	}
	if err := a.gate.Step(len(a.raw)); err != nil {
		return err
	}
	if need := chunkHead + s2.MaxEncodedLen(len(a.raw)); cap(a.comp) < need {
		a.comp = make([]byte, need)
	}
	comp := a.comp[:cap(a.comp)]
	b := s2.Encode(comp[chunkHead:], a.raw)
	raw := uint32(len(a.raw))
	if len(b) >= len(a.raw) {
		b = comp[chunkHead : chunkHead+copy(comp[chunkHead:], a.raw)]
		raw |= storedFlag
	}
	binary.LittleEndian.PutUint32(comp, raw)
	binary.LittleEndian.PutUint32(comp[4:], uint32(len(b)))
	binary.LittleEndian.PutUint32(comp[8:], checksum(f.id, f.size, comp[:8], b))
	n := int64(chunkHead + len(b))
	if err := f.dir.take(n); err != nil {
		return err
	}
	if _, err := f.h.WriteAt(comp[:n], f.size); err != nil {
		f.dir.take(-n)
		return &Error{"write", f.path(), err}
	}
	f.size += n
	a.wrote += n
	a.raw = a.raw[:0]
	return nil
}

// decoder reads blocks of a file.
type decoder struct {
	f    *File
	at   int64  // of the next chunk
	cur  int64  // of this one
	rest []byte // of this one, in the area's raw
	buf  []byte
}

func (d *decoder) corrupt(err error) error {
	return &CorruptionError{Path: d.f.f.path(), Offset: d.cur, Err: err}
}

// chunk reads the next chunk.
func (d *decoder) chunk() error {
	a, f := d.f.area, &d.f.f
	d.cur = d.at
	if f.size-d.at < chunkHead {
		return d.corrupt(io.ErrUnexpectedEOF)
	}
	var head [chunkHead]byte
	if err := d.readAt(head[:], d.at); err != nil {
		return err
	}
	raw, n := binary.LittleEndian.Uint32(head[:]), int64(binary.LittleEndian.Uint32(head[4:]))
	stored := raw&storedFlag != 0
	raw &^= storedFlag
	if raw == 0 || raw > maxChunk || n == 0 || n > int64(raw) || n > f.size-d.at-chunkHead {
		return d.corrupt(errLength)
	}
	if err := a.gate.Step(int(raw)); err != nil {
		return err
	}
	if cap(a.comp) < int(n) {
		a.comp = make([]byte, n)
	}
	b := a.comp[:n]
	if err := d.readAt(b, d.at+chunkHead); err != nil {
		return err
	}
	if checksum(f.id, d.at, head[:8], b) != binary.LittleEndian.Uint32(head[8:]) {
		return d.corrupt(errChecksum)
	}
	if cap(a.raw) < int(raw) {
		a.raw = make([]byte, raw)
	}
	a.raw = a.raw[:raw]
	if m, err := s2.DecodedLen(b); stored && n == int64(raw) {
		copy(a.raw, b)
	} else if stored || err != nil || m != int(raw) {
		return d.corrupt(errLength)
	} else if _, err := s2.Decode(a.raw, b); err != nil {
		return d.corrupt(err)
	}
	d.rest = a.raw
	d.at += chunkHead + n
	return nil
}

func (d *decoder) readAt(b []byte, at int64) error {
	n, err := d.f.f.h.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) { // the file was longer
		return d.corrupt(io.ErrUnexpectedEOF)
	}
	return &Error{"read", d.f.f.path(), err}
}

// read fills b from the chunks.
func (d *decoder) read(b []byte) error {
	for len(b) > 0 {
		if len(d.rest) == 0 {
			if err := d.chunk(); err != nil {
				return err
			}
		}
		n := copy(b, d.rest)
		b, d.rest = b[n:], d.rest[n:]
	}
	return nil
}

// fixed reads n bytes into memory that is used again.
func (d *decoder) fixed(n int) ([]byte, error) {
	if cap(d.buf) < n {
		d.buf = make([]byte, n)
	}
	b := d.buf[:n]
	return b, d.read(b)
}

// block reads a block into cols and returns the number of its rows.
func (d *decoder) block(cols []*vector.Vector) (int, error) {
	d.rest = nil
	b, err := d.fixed(4)
	if err != nil {
		return 0, err
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n == 0 || n > d.f.maxRows {
		return 0, d.corrupt(errLength)
	}
	for k, v := range cols {
		v.Resize(d.f.types[k], n)
		if err := d.column(v, n, d.f.maxData[k]); err != nil {
			return 0, err
		}
	}
	if len(d.rest) > 0 {
		return 0, d.corrupt(errEnd)
	}
	return n, nil
}

func (d *decoder) column(v *vector.Vector, n, most int) error {
	if !v.Type.Dynamic() {
		if err := d.nulls(v, n); err != nil {
			return err
		}
	}
	switch v.Type {
	case vector.Bool:
		b, err := d.fixed(n)
		if err != nil {
			return err
		}
		for i, x := range b {
			v.Bools[i] = x != 0
		}
	case vector.Int, vector.Time, vector.Date, vector.Float:
		b, err := d.fixed(8 * n)
		if err != nil {
			return err
		}
		for i := range n {
			x := binary.LittleEndian.Uint64(b[8*i:])
			if v.Type == vector.Float {
				v.Floats[i] = math.Float64frombits(x)
			} else {
				v.Ints[i] = int64(x)
			}
		}
	case vector.IntervalType:
		b, err := d.fixed(16 * n)
		if err != nil {
			return err
		}
		for i := range n {
			x := binary.LittleEndian.Uint64(b[16*i:])
			v.Intervals[i] = vector.Interval{Months: int32(x), Days: int32(x >> 32), Nanos: int64(binary.LittleEndian.Uint64(b[16*i+8:]))}
		}
	case vector.Text, vector.Blob:
		b, err := d.fixed(4 * n)
		if err != nil {
			return err
		}
		size := 0
		for i := range n {
			l := int(binary.LittleEndian.Uint32(b[4*i:]))
			if l > most-size {
				return d.corrupt(errLength)
			}
			v.Refs[i] = vector.MakeRef(size, l)
			size += l
		}
		return d.data(v, size)
	default:
		return d.dynamic(v, n, most)
	}
	return nil
}

func (d *decoder) dynamic(v *vector.Vector, n, most int) error {
	b, err := d.fixed(n)
	if err != nil {
		return err
	}
	for i, c := range b {
		if v.Classes[i] = vector.Class(c); v.Classes[i] > vector.ClassObject {
			return d.corrupt(errValue)
		}
	}
	if b, err = d.fixed(8 * n); err != nil {
		return err
	}
	size := 0
	for i := range n {
		bits := binary.LittleEndian.Uint64(b[8*i:])
		c := v.Classes[i]
		if !c.HasBytes() {
			v.Bits[i] = bits
			continue
		}
		if bits > uint64(most-size) || c == vector.ClassInterval && bits != 16 {
			return d.corrupt(errLength)
		}
		v.Bits[i] = uint64(vector.MakeRef(size, int(bits)))
		size += int(bits)
	}
	return d.data(v, size)
}

// data reads the bytes of a column's values.
func (d *decoder) data(v *vector.Vector, size int) error {
	if size > cap(v.Data) {
		v.Data = nil // let go before the new one is made
		if size >= vector.LargeBytes {
			if err := d.f.area.gate.Room(v, size); err != nil {
				return err
			}
		}
		if size > cap(v.Data) {
			v.Data = make([]byte, 0, size)
		}
	}
	v.Data = v.Data[:size]
	return d.read(v.Data)
}

func (d *decoder) nulls(v *vector.Vector, n int) error {
	b, err := d.fixed(1)
	if err != nil {
		return err
	}
	switch b[0] {
	case 0:
		v.Nulls = v.Nulls[:0]
		return nil
	case 1:
	default:
		return d.corrupt(errValue)
	}
	words := (n + 63) / 64
	if b, err = d.fixed(8 * words); err != nil {
		return err
	}
	v.Nulls = slices.Grow(v.Nulls[:0], words)[:words]
	for i := range words {
		v.Nulls[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return nil
}
