package exec

import (
	"slices"

	"github.com/seed69692123/netdb/planner/spill"
	"github.com/seed69692123/netdb/planner/vector"
)

// windowRows is the rows of partitions, by position: in memory, and above the budget those that came first on disk, of which a few
// blocks are in memory. Functions go through a partition in order, most with one or two places in it at a time.
type windowRows struct {
	spill  *spiller
	gate   *storeGate
	types  []vector.Type
	mem    *vector.Rows // behind those on disk
	file   *spill.File
	onDisk int
	starts []int // of each page, the position of its first row: blocks of the file, then pages of mem
	blocks int   // of the file
	held   [windowBlocks]windowBlock
	clock  int
	last   *vector.Rows // the row that came last, when it is on disk
	fault  error        // of reading a block
}

// windowBlocks is how many blocks are in memory at least: no function has as many rows in its hands at once.
const windowBlocks = 8

// windowBlock is a block of the file in memory.
type windowBlock struct {
	reader *spill.Reader
	cols   []*vector.Vector
	n      int
	page   int
	used   int // when it was asked for last; 0: it is empty
}

// Len returns the number of rows.
func (r *windowRows) Len() int { return r.onDisk + r.mem.Len() }

// bytes is the memory held.
func (r *windowRows) bytes() int64 {
	n := r.mem.MemoryBytes() + int64(cap(r.starts)*8) + r.spill.memory()
	for k := range r.held {
		if b := &r.held[k]; b.reader != nil {
			n += b.reader.MemoryBytes()
		}
	}
	return n
}

// index notes where pages begin.
func (r *windowRows) index() {
	r.starts = r.starts[:0]
	r.blocks = 0
	if r.file != nil {
		for _, b := range r.file.Blocks() {
			r.starts = append(r.starts, int(b.First))
		}
		r.blocks = len(r.starts)
	}
	n := r.onDisk
	for k := range r.mem.Pages() {
		_, rows := r.mem.Page(k)
		r.starts = append(r.starts, n)
		n += rows
	}
}

// find returns the columns and the number of rows of the page that has a position, and the place there. A block is valid until
// windowBlocks others were asked for. When it cannot be read the rows are of another one, and fault says so.
func (r *windowRows) find(pos, hint int) (cols []*vector.Vector, n, page, i int) {
	k := hint
	if k >= len(r.starts) || pos < r.starts[k] || k+1 < len(r.starts) && pos >= r.starts[k+1] {
		k, _ = slices.BinarySearch(r.starts, pos+1)
		k--
	}
	if k >= r.blocks {
		cols, n = r.mem.Page(k - r.blocks)
		return cols, n, k, pos - r.starts[k]
	}
	b := r.block(k)
	if i = pos - r.starts[k]; r.fault != nil {
		i = 0
	}
	return b.cols, b.n, k, i
}

// block returns a block of the file.
func (r *windowRows) block(page int) *windowBlock {
	oldest := &r.held[0]
	r.clock++
	for k := range r.held {
		b := &r.held[k]
		if b.used > 0 && b.page == page {
			b.used = r.clock
			return b
		}
		if b.used < oldest.used {
			oldest = b
		}
	}
	if oldest.reader == nil {
		oldest.reader = r.file.Reader()
	}
	oldest.reader.Seek(page)
	b, err := oldest.reader.Next()
	if err != nil {
		r.fault = r.gate.refuse(err) // no error of a value
		oldest.cols, oldest.n = nil, 1
		for _, t := range r.types {
			v := vector.New(t, 1)
			v.AppendNull()
			oldest.cols = append(oldest.cols, v)
		}
	} else {
		oldest.cols, oldest.n = b.Cols, b.N
	}
	oldest.page, oldest.used = page, r.clock
	return oldest
}

// lastRow returns the row that came last.
func (r *windowRows) lastRow() ([]*vector.Vector, int) {
	from := r.mem
	if from.Len() == 0 {
		from = r.last
	}
	cols, n := from.Page(from.Pages() - 1)
	return cols, n - 1
}

// toDisk puts the rows in memory behind those on disk.
func (r *windowRows) toDisk() error {
	if r.mem.Len() == 0 {
		return nil
	}
	if r.file == nil {
		r.file = r.spill.file(r.types)
	}
	r.spill.pass(1)
	cols, i := r.lastRow()
	r.last = vector.NewRows(r.gate, r.types)
	if _, err := r.last.Append(cols, i); err != nil {
		return err
	}
	for p := range r.mem.Pages() {
		cols, n := r.mem.Page(p)
		for i := range n {
			if err := r.file.Append(cols, i); err != nil {
				return r.spill.fail(err)
			}
		}
		if err := r.gate.Step(n * rowStep); err != nil {
			return err
		}
	}
	if err := r.file.Flush(); err != nil {
		return r.spill.fail(err)
	}
	r.onDisk += r.mem.Len()
	r.mem = vector.NewRows(r.gate, r.types)
	r.index()
	return nil
}

// close removes the file.
func (r *windowRows) close() error {
	if r == nil || r.file == nil {
		return nil
	}
	f := r.file
	r.file = nil
	return f.Close()
}
