package spill

import (
	"github.com/seed69692123/netdb/planner/vector"
)

// File is a list of rows on disk. Rows are added until Finish, and read by any number of Readers: those before the last Flush at any
// time, all after Finish.
type File struct {
	area   *Area
	types  []vector.Type
	block  int // bytes of values at which a block is written
	f      file
	open   bool
	closed bool
	rows   int64

	buf      []*vector.Vector // the block that is being filled
	n        int
	bytes    int // of its values
	one      []*vector.Vector
	maxData  []int // for each column, the most bytes of values in a block
	maxRows  int
	maxBytes int64 // the most memory that a block takes
	blocks   []Block
	written  int64 // rows of blocks
	enc      encoder
}

// Block sizes are kept within these bounds.
const (
	minBlock = 4 << 10
	maxBlock = 256 << 10
)

// Create returns an empty file of rows of these types. A block is written when its values have about blockBytes; that much memory
// is held while rows are added, and by each Reader.
func (a *Area) Create(types []vector.Type, blockBytes int) *File {
	f := &File{area: a, types: types, block: min(max(blockBytes, minBlock), maxBlock), maxData: make([]int, len(types))}
	a.files[f] = struct{}{}
	return f
}

// Rows returns the number of rows, Types their types.
func (f *File) Rows() int64 { return f.rows }

// Types returns the types of the columns.
func (f *File) Types() []vector.Type { return f.types }

// SizeBytes returns the size of the file.
func (f *File) SizeBytes() int64 { return f.f.size }

// BlockBytes returns the most memory that a block of the file takes when it is read.
func (f *File) BlockBytes() int64 { return f.maxBytes }

// MemoryBytes returns the memory held by rows that are not written yet, and by the list of blocks.
func (f *File) MemoryBytes() int64 {
	n := int64(cap(f.blocks) * 16)
	for _, v := range f.buf {
		n += v.MemoryBytes()
	}
	return n
}

// Append adds a copy of row i of cols.
func (f *File) Append(cols []*vector.Vector, i int) error {
	size := 0
	for k, v := range cols {
		size += fixedBytes(f.types[k]) + v.DataLen(i)
	}
	f.rows++
	if size >= vector.LargeBytes {
		return f.appendLarge(cols, i)
	}
	if f.buf == nil {
		f.buf = make([]*vector.Vector, len(f.types))
		for k, t := range f.types {
			f.buf[k] = vector.New(t, 0)
		}
	}
	for k, v := range cols {
		f.buf[k].AppendFrom(v, i)
	}
	f.n++
	if f.bytes += size; f.bytes >= f.block || f.n == vector.MaxRows {
		return f.Flush()
	}
	return nil
}

// appendLarge writes a row as a block of its own, without copying it first.
func (f *File) appendLarge(cols []*vector.Vector, i int) error {
	if err := f.Flush(); err != nil {
		return err
	}
	if f.one == nil {
		f.one = make([]*vector.Vector, len(f.types))
		for k := range f.one {
			f.one[k] = &vector.Vector{}
		}
	}
	for k, v := range cols {
		if v.Type == f.types[k] {
			f.one[k].Gather(v, []int32{int32(i)})
			continue
		}
		f.one[k].Reset(f.types[k]) // a typed value in a dynamic column
		if n := v.DataLen(i); n > 0 && v.Type != vector.IntervalType {
			f.one[k].AppendShared(v.Class(i), v.Bytes(i))
		} else {
			f.one[k].AppendFrom(v, i)
		}
	}
	err := f.write(f.one, 1)
	for _, v := range f.one {
		v.Reset(v.Type) // lets what it shares go
	}
	return err
}

// Flush writes what is not written yet: Readers get there.
func (f *File) Flush() error {
	if f.n == 0 {
		return nil
	}
	err := f.write(f.buf, f.n)
	for k, v := range f.buf {
		v.Reset(f.types[k])
	}
	f.n, f.bytes = 0, 0
	return err
}

// write appends a block.
func (f *File) write(cols []*vector.Vector, n int) error {
	if !f.open {
		var err error
		if f.f, err = f.area.dir.open(); err != nil {
			return err
		}
		f.open = true
	}
	f.blocks = append(f.blocks, Block{First: f.written, at: f.f.size})
	f.written += int64(n)
	f.enc.f = f
	return f.enc.block(cols, n)
}

// Block is where a block is, and the number of its first row.
type Block struct {
	First int64
	at    int64
}

// Blocks returns the blocks that are written. They are valid until the next call.
func (f *File) Blocks() []Block { return f.blocks }

// Finish writes what is not written yet. Nothing can be added after it.
func (f *File) Finish() error {
	err := f.Flush()
	f.buf, f.one, f.enc = nil, nil, encoder{}
	return err
}

// Close removes the file. It may be called twice.
func (f *File) Close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	f.buf, f.one = nil, nil
	delete(f.area.files, f)
	if !f.open {
		return nil
	}
	return f.f.close()
}

// Reader gives the rows of a finished file in order.
type Reader struct {
	f   *File
	dec decoder
	out vector.Batch
}

// Reader returns a reader at the first row. It needs no closing.
func (f *File) Reader() *Reader {
	r := &Reader{f: f}
	r.dec.f = f
	for _, t := range f.types {
		r.out.Cols = append(r.out.Cols, vector.New(t, 0))
	}
	return r
}

// More reports whether there are rows left that are written.
func (r *Reader) More() bool { return r.dec.at < r.f.f.size }

// Next returns the rows of the next block, or nil at the end. They are valid until the next call.
func (r *Reader) Next() (*vector.Batch, error) {
	if !r.More() {
		return nil, nil
	}
	n, err := r.dec.block(r.out.Cols)
	if err != nil {
		return nil, err
	}
	r.out.N, r.out.Sel = n, nil
	return &r.out, nil
}

// Seek goes to a block of the file.
func (r *Reader) Seek(block int) { r.dec.at = r.f.blocks[block].at }

// MemoryBytes returns the memory held.
func (r *Reader) MemoryBytes() int64 {
	n := int64(0)
	for _, v := range r.out.Cols {
		n += v.MemoryBytes()
	}
	return n
}
