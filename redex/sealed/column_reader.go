package sealed

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// ColumnChunk is a chunk of columns that is read. It keeps no descriptor of its own and needs no Close. It is safe for concurrent use.
type ColumnChunk struct {
	r       io.ReaderAt
	salt    uint64
	info    ChunkInfo
	columns []*Column
	byName  map[string]*Column
	bytes   int64
}

// Column is a column of a chunk. It is safe for concurrent use.
type Column struct {
	c     *ColumnChunk
	entry columnEntry
	at    []int64 // offset of each block, and of the end

	once sync.Once
	dict *Dictionary
	err  error
}

// OpenColumns reads the directory of a chunk of size bytes. ErrFormat is returned for other files and newer versions, ForeignError for
// those of another owner, CorruptError for damage.
func OpenColumns(r io.ReaderAt, size int64, owner uint64) (*ColumnChunk, error) {
	rd := &Reader{r: r, size: size}
	if size < headerBytes+objectHeaderBytes+trailerBytes {
		return nil, &CorruptError{Err: errTruncated}
	}
	var b [headerBytes]byte
	if err := rd.readAt(b[:], 0); err != nil {
		return nil, err
	}
	salt, have, err := parseFileHeader(b[:], columnsMagic)
	if err != nil {
		return nil, err
	}
	if have != owner {
		return nil, &ForeignError{Want: owner, Have: have}
	}
	rd.salt = salt
	var t [trailerBytes]byte
	if err := rd.readAt(t[:], size-trailerBytes); err != nil {
		return nil, err
	}
	loc, err := parseFileTrailer(t[:], columnsEndMagic, salt, size-trailerBytes, maxDirectory)
	if err != nil {
		return nil, &CorruptError{size - trailerBytes, err}
	}
	dir, err := rd.object(loc, kindFooter, maxDirectory)
	if err != nil {
		return nil, err
	}
	c := &ColumnChunk{r: r, salt: salt, byName: map[string]*Column{}, bytes: int64(len(dir)) * 2}
	if err := c.readDirectory(dir, loc.Offset); err != nil {
		return nil, &CorruptError{loc.Offset, err}
	}
	return c, nil
}

func (c *ColumnChunk) readDirectory(dir []byte, end int64) error {
	v := varints{b: dir}
	info, n := readChunkInfo(&v)
	c.info = info
	for range n {
		if v.bad {
			return errEncoding
		}
		col := &Column{c: c, entry: readColumnEntry(&v, info.Rows, end)}
		at := col.entry.start
		for i := range col.entry.blocks {
			col.at = append(col.at, at)
			at += int64(col.entry.blocks[i].length)
		}
		col.at = append(col.at, at)
		key := col.entry.name.key()
		if c.byName[key] != nil {
			return errEncoding
		}
		c.columns, c.byName[key] = append(c.columns, col), col
	}
	if v.bad || len(v.b) > 0 {
		return errEncoding
	}
	return nil
}

// Info returns what rows the chunk has.
func (c *ColumnChunk) Info() ChunkInfo { return c.info }

// Columns returns the columns, those of payloads in the order in which the fields first came.
func (c *ColumnChunk) Columns() []*Column { return c.columns }

// Column returns a column, nil when no row has a value there: unless Info().MoreFields is set, where it is not known.
func (c *ColumnChunk) Column(name ColumnName) *Column { return c.byName[name.key()] }

// SizeBytes is about what the chunk takes in memory, with the dictionaries that have been read.
func (c *ColumnChunk) SizeBytes() int64 { return c.bytes + int64(len(c.columns))*512 }

// Name returns the column's name.
func (c *Column) Name() ColumnName { return c.entry.name }

// Stats returns what is known of the column's values.
func (c *Column) Stats() *ColumnStats { return &c.entry.stats }

// Blocks returns the number of blocks: one for each ColumnBlockRows rows, none of a column that is in the rows.
func (c *Column) Blocks() int { return len(c.entry.blocks) }

// Zone returns bounds of the integers or times of block i, when all its values are such.
func (c *Column) Zone(i int) (least, greatest int64, ok bool) {
	z := &c.entry.blocks[i]
	return z.least, z.greatest, z.bounded
}

// Coded reports whether the column has a dictionary.
func (c *Column) Coded() bool { return c.entry.dict.values > 0 }

// Dictionary returns the column's dictionary, which is read the first time and shared. It must not be changed.
func (c *Column) Dictionary() (*Dictionary, error) {
	c.once.Do(func() {
		e := &c.entry.dict
		off := c.entry.start - int64(e.length)
		b := make([]byte, e.length)
		if c.err = c.c.readAt(b, off); c.err != nil {
			return
		}
		body, err := openBlock(b, c.c.salt, off)
		if err == nil {
			c.dict, err = readDictionary(body, e)
		}
		if err != nil {
			c.err = &CorruptError{off, err}
		}
	})
	return c.dict, c.err
}

// DictionaryBytes is what the dictionary takes in memory once it was read.
func (c *Column) DictionaryBytes() int64 {
	return int64(c.entry.dict.data) + int64(c.entry.dict.values)*4
}

func (c *ColumnChunk) readAt(b []byte, off int64) error {
	n, err := c.r.ReadAt(b, off)
	switch {
	case n == len(b):
		return nil
	case err == nil || errors.Is(err, io.EOF):
		return &CorruptError{off, errTruncated}
	}
	return fmt.Errorf("sealed: read %d bytes at %d: %w", len(b), off, err)
}

// ColumnCursor reads blocks of a column in any order, a number of neighbours at once. It is used by one goroutine.
type ColumnCursor struct {
	c        *Column
	buf      []byte
	from, to int64 // what of the file is in buf
}

// readBlocks is how many blocks a cursor reads at once.
const readBlocks = 16

// Reset makes the cursor one of another column.
func (r *ColumnCursor) Reset(c *Column) { r.c, r.from, r.to = c, 0, 0 }

// Column returns the column of the cursor, nil before Reset.
func (r *ColumnCursor) Column() *Column { return r.c }

// Decode decodes block i into b, whose bytes of exceptions are valid until the next call.
func (r *ColumnCursor) Decode(i int, b *ColumnBlock) error {
	c := r.c
	from, to := c.at[i], c.at[i+1]
	if from < r.from || to > r.to {
		r.from, r.to = from, c.at[min(i+readBlocks, len(c.at)-1)]
		r.buf = resized(r.buf, int(r.to-r.from))
		if err := c.c.readAt(r.buf, r.from); err != nil {
			r.to = r.from
			return err
		}
	}
	body, err := openBlock(r.buf[from-r.from:to-r.from], c.c.salt, from)
	if err == nil {
		rows := min(ColumnBlockRows, c.c.info.Rows-i*ColumnBlockRows)
		err = b.decode(body, rows, c.entry.dict.values)
	}
	if err != nil {
		return &CorruptError{from, err}
	}
	return nil
}
