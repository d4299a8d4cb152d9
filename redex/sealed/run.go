package sealed

// Run is one run of a file: its index in memory, its blocks in the file.
type Run struct{}

// Info returns what the index says about the run.
func (r *Run) Info() RunInfo { return RunInfo{} }

// Blocks returns the run's blocks in order. The slice belongs to the run.
func (r *Run) Blocks() []BlockInfo { return nil }

// Read reads the row with that sequence into dst and reports whether there is one. dst's slices may point into a cached block:
// they stay valid, and must not be written to.
func (r *Run) Read(seq uint64, dst *Row) (bool, error) { return false, nil }

// SeekTime returns the sequence of the first row whose time is t or later, or false when there is none. Times must ascend
// with sequences, as they do in a log.
func (r *Run) SeekTime(t int64) (uint64, bool, error) { return 0, false, nil }

// Parts says what of a block is decoded.
type Parts uint8

// The parts of a block.
const (
	Columns Parts = iota // the integer columns only: nothing is decompressed, Row leaves bytes nil
	All
)

// Decode decodes block i into b, reusing its memory.
func (r *Run) Decode(i int, b *Block, p Parts) error { return nil }

// Cursor returns a cursor on the rows with sequences in [from, to), in order.
func (r *Run) Cursor(from, to uint64) *Cursor { return &Cursor{} }

// Cursor reads a range of a run in order and reuses its memory: no allocation per row in steady state. It is not safe for
// concurrent use.
type Cursor struct{}

// Reset makes the cursor read [from, to) of another run with the memory it has.
func (c *Cursor) Reset(r *Run, from, to uint64) {}

// Next moves to the next row and reports whether there is one.
func (c *Cursor) Next() bool { return false }

// Row returns the current row, valid until the next call of Next or Reset. Its slices must not be written to.
func (c *Cursor) Row() *Row { return nil }

// Err returns what ended the cursor before its range did.
func (c *Cursor) Err() error { return nil }

// Block is a decoded block: columns as plain slices of equal length.
type Block struct {
	Seq           []uint64
	Time          []int64
	Origin        []uint64
	Idempotency   []uint64
	Kind          []uint32
	SchemaVersion []uint32
	Encoding      []uint8
	Flags         []uint8
}

// Rows returns the number of rows.
func (b *Block) Rows() int { return len(b.Seq) }

// Row sets dst to row i. dst's slices point into the block.
func (b *Block) Row(i int, dst *Row) {}

// Payload returns the payload of row i, as part of the block's memory.
func (b *Block) Payload(i int) []byte { return nil }

// SizeBytes returns the memory the block holds.
func (b *Block) SizeBytes() int64 { return 0 }
