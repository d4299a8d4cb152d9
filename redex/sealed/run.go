package sealed

import (
	"sort"
)

// Run is one run of a file: its index in memory, its blocks in the file. It is safe for concurrent use.
type Run struct {
	r       *Reader
	info    RunInfo
	blocks  []blockEntry
	offsets []int64
}

// Info returns what the index says about the run.
func (r *Run) Info() RunInfo { return r.info }

// Blocks returns the number of blocks.
func (r *Run) Blocks() int { return len(r.blocks) }

// Block describes block i.
func (r *Run) Block(i int) BlockInfo {
	e := &r.blocks[i]
	return BlockInfo{Offset: r.offsets[i], StoredBytes: e.total, Rows: e.rows, First: e.first, Last: e.last, MinTime: e.minTime, MaxTime: e.maxTime}
}

// FindBlock returns the first block that holds a sequence of seq or above; Blocks() when none does.
func (r *Run) FindBlock(seq uint64) int {
	return sort.Search(len(r.blocks), func(i int) bool { return r.blocks[i].last >= seq })
}

// SizeBytes returns the memory the run holds.
func (r *Run) SizeBytes() int64 { return int64(len(r.blocks))*64 + 256 }

// Decode decodes block i into b, reusing its memory. With Columns only the columns are read from the file.
func (r *Run) Decode(i int, b *Block, p Parts) error {
	e, off := &r.blocks[i], r.offsets[i]
	n := int(e.total)
	if p == Columns {
		n = blockHeaderBytes + e.columns
	}
	if cap(b.file) < n {
		b.file = make([]byte, n)
	}
	src := b.file[:n]
	if err := r.r.readAt(src, off); err != nil {
		b.Seq, b.bytes = b.Seq[:0], nil
		return err
	}
	if err := b.decode(src, e.columns, e.total, p, r.r.salt, off); err != nil {
		return &CorruptError{off, err}
	}
	if b.Rows() != e.rows || b.Seq[0] != e.first || b.Seq[e.rows-1] != e.last {
		b.Seq, b.bytes = b.Seq[:0], nil
		return &CorruptError{off, errEncoding}
	}
	return nil
}

// cached returns block i from the cache, or nil.
func (r *Run) cached(i int) *Block {
	if r.r.o.Cache == nil {
		return nil
	}
	return r.r.o.Cache.Get(BlockKey{r.r.o.FileID, r.offsets[i]})
}

// Load returns block i, whole, from the cache or the file, and puts it there. It is shared and must not be changed.
func (r *Run) Load(i int) (*Block, error) {
	if b := r.cached(i); b != nil {
		return b, nil
	}
	b := &Block{}
	if err := r.Decode(i, b, All); err != nil {
		return nil, err
	}
	if b.raw != nil {
		b.file = nil // its bytes were decompressed
	}
	if r.r.o.Cache != nil {
		r.r.o.Cache.Put(BlockKey{r.r.o.FileID, r.offsets[i]}, b)
	}
	return b, nil
}

// Read reads the row with that sequence into dst and reports whether there is one. dst's slices may point into a cached block:
// they stay valid, and must not be written to.
func (r *Run) Read(seq uint64, dst *Row) (bool, error) {
	i := r.FindBlock(seq)
	if i == len(r.blocks) || seq < r.blocks[i].first {
		return false, nil
	}
	b, err := r.Load(i)
	if err != nil {
		return false, err
	}
	j := b.find(seq)
	if b.Seq[j] != seq {
		return false, nil
	}
	b.Row(j, dst)
	return true, nil
}

// SeekTime returns the sequence of the first row whose time is t or later, or false when there is none, and the sequence after
// the row before it, which for the first row of the run is that row's own. Times must ascend with sequences, as they do in a
// log.
func (r *Run) SeekTime(t int64) (after, seq uint64, ok bool, err error) {
	i := sort.Search(len(r.blocks), func(i int) bool { return r.blocks[i].maxTime >= t })
	if i == len(r.blocks) {
		return 0, 0, false, nil
	}
	after = r.blocks[i].first
	if i > 0 {
		after = r.blocks[i-1].last + 1
	}
	if r.blocks[i].minTime >= t {
		return after, r.blocks[i].first, true, nil
	}
	b := r.cached(i)
	if b == nil {
		b = &Block{}
		if err := r.Decode(i, b, Columns); err != nil {
			return 0, 0, false, err
		}
	}
	j := b.findTime(t)
	if j == b.Rows() {
		return 0, 0, false, &CorruptError{r.offsets[i], errEncoding}
	}
	if j > 0 {
		after = b.Seq[j-1] + 1
	}
	return after, b.Seq[j], true, nil
}

// Cursor returns a cursor on the rows with sequences in [from, to), in order.
func (r *Run) Cursor(from, to uint64) *Cursor {
	c := &Cursor{}
	c.Reset(r, from, to)
	return c
}

// Cursor reads a range of a run in order and reuses its memory: no allocation per row in steady state. The zero value has no
// rows. It is not safe for concurrent use.
type Cursor struct {
	run  *Run
	to   uint64
	next int    // block to read next
	at   int    // next row of blk
	end  int    // row of blk to stop at
	blk  *Block // own or a cached one
	own  Block
	row  Row
	err  error
	from uint64
}

// Reset makes the cursor read [from, to) of another run with the memory it has.
func (c *Cursor) Reset(r *Run, from, to uint64) {
	c.run, c.from, c.to, c.err = r, from, to, nil
	c.at, c.end, c.blk = 0, 0, nil
	c.next = r.FindBlock(from)
}

// Next moves to the next row and reports whether there is one.
func (c *Cursor) Next() bool {
	if c.at == c.end && !c.NextBlock() {
		return false
	}
	c.blk.Row(c.at, &c.row)
	c.at++
	return true
}

// NextBlock moves to the next block that has rows of the range, past what Next has not yet returned of the current one, and
// reports whether there is one. Block and Rows then give its rows as columns; Next goes on with the same rows.
func (c *Cursor) NextBlock() bool {
	c.at, c.end = 0, 0
	for c.err == nil && c.run != nil && c.next < len(c.run.blocks) && c.run.blocks[c.next].first < c.to {
		i := c.next
		c.next++
		if c.blk = c.run.cached(i); c.blk == nil {
			if c.err = c.run.Decode(i, &c.own, All); c.err != nil {
				return false
			}
			c.blk = &c.own
		}
		c.at, c.end = c.blk.find(c.from), c.blk.find(c.to)
		if c.at < c.end {
			return true
		}
		c.at, c.end = 0, 0
	}
	return false
}

// Block returns the current block, and the rows [from, to) of it that are in the range and not yet returned by Next. It is
// valid until the next call of Next, NextBlock or Reset and must not be changed.
func (c *Cursor) Block() (b *Block, from, to int) { return c.blk, c.at, c.end }

// Row returns the current row, valid until the next call of Next, NextBlock or Reset. Its slices must not be written to.
func (c *Cursor) Row() *Row { return &c.row }

// Err returns what ended the cursor before its range did.
func (c *Cursor) Err() error { return c.err }
