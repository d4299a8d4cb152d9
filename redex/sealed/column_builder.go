package sealed

import (
	"bytes"
	"fmt"
	"math"

	"github.com/seed69692123/netdb/internal/payload"
)

// ChunkInfo says what rows a chunk has.
type ChunkInfo struct {
	Log        uint64
	From, To   uint64 // the sequences [From, To) of the log that it covers
	Rows       int
	Sparse     bool // there are fewer rows than sequences: the own column "seq" tells which
	MoreFields bool // payloads have paths that no column is of
}

// ColumnBuilder collects the values of up to MaxChunkRows rows of a log and makes a chunk of them. Rows are added in order: Row, then
// Set for each value of the row, at most once for a column. It is used by one goroutine.
type ColumnBuilder struct {
	info    ChunkInfo
	owner   uint64
	salt    uint64
	budget  int64
	used    int64
	columns []*columnValues
	byName  map[string]int
	pack    packer
	comp    compressor
}

// columnValues are the values of one column, in the order of rows.
type columnValues struct {
	name    ColumnName
	rows    []uint16
	classes []payload.Class
	bits    []uint64 // of texts, blobs and big integers: offset in data << 32 | length
	data    []byte
	stats   ColumnStats
}

// NewColumnBuilder returns a builder of a chunk of a log's sequences from on, for files of an owner (see WriterOptions). At most budget
// bytes of values are held; beyond, the largest columns are given up, which leaves them to the payloads.
func NewColumnBuilder(log, from, owner uint64, budget int64) (*ColumnBuilder, error) {
	salt, err := newSalt()
	if err != nil {
		return nil, err
	}
	return &ColumnBuilder{
		info: ChunkInfo{Log: log, From: from, To: from}, owner: owner, salt: salt, budget: budget, byName: map[string]int{},
	}, nil
}

// Column returns the number of a column, -1 when there are too many.
func (b *ColumnBuilder) Column(name ColumnName) int {
	k := name.key()
	if i, ok := b.byName[k]; ok {
		return i
	}
	if len(b.columns) == MaxColumns || len(k) > maxColumnName {
		b.info.MoreFields = true
		return -1
	}
	b.byName[k] = len(b.columns)
	b.columns = append(b.columns, &columnValues{name: name})
	return len(b.columns) - 1
}

// MoreFields notes that payloads have paths that no column is of.
func (b *ColumnBuilder) MoreFields() { b.info.MoreFields = true }

// Rows returns how many rows there are.
func (b *ColumnBuilder) Rows() int { return b.info.Rows }

// Row begins a row. Sequences ascend; there is no room for more than MaxChunkRows.
func (b *ColumnBuilder) Row() { b.info.Rows++ }

// Set gives a column of the row a value. Of text and blobs the bytes are v, which are copied. Arrays and objects may be given with any
// bytes: they are noted as being in the row.
func (b *ColumnBuilder) Set(column int, c payload.Class, bits uint64, v []byte) {
	col := b.columns[column]
	col.stats.Counts[c]++
	if col.stats.InRows {
		return
	}
	switch {
	case c == payload.Array || c == payload.Object || len(v) > maxColumnValue:
		c = InRow
	case isBytes(c) || c == payload.Big:
		bits = uint64(len(col.data))<<32 | uint64(len(v))
		col.data = append(col.data, v...)
	}
	col.rows = append(col.rows, uint16(b.info.Rows-1))
	col.classes = append(col.classes, c)
	col.bits = append(col.bits, bits)
	const perValue = 11
	b.used += perValue + int64(len(v))
	if b.used > b.budget {
		b.giveUpLargest()
	}
}

// giveUpLargest leaves the column that takes most to the payloads.
func (b *ColumnBuilder) giveUpLargest() {
	var largest *columnValues
	for _, c := range b.columns {
		if !c.name.Own && !c.stats.InRows && (largest == nil || c.bytes() > largest.bytes()) {
			largest = c
		}
	}
	if largest != nil {
		b.used -= largest.bytes()
		largest.giveUp()
	}
}

func (c *columnValues) bytes() int64 { return int64(len(c.rows))*11 + int64(len(c.data)) }

func (c *columnValues) giveUp() {
	c.rows, c.classes, c.bits, c.data = nil, nil, nil, nil
	c.stats.InRows = true
}

func (c *columnValues) value(i int) []byte {
	b := c.bits[i]
	return c.data[b>>32 : b>>32+b&math.MaxUint32]
}

// Finish returns the chunk as the content of a file. It covers the sequences up to to; with sparse set not all of them are rows, and
// the caller has set the own column "seq" of each. Compression is that of texts.
func (b *ColumnBuilder) Finish(to uint64, sparse bool, how Compression) ([]byte, error) {
	b.info.To, b.info.Sparse = to, sparse
	b.comp.how = how
	out := appendFileHeader(nil, columnsMagic, b.salt, b.owner)
	dir := appendChunkInfo(nil, &b.info, len(b.columns))
	for _, c := range b.columns {
		var err error
		if out, dir, err = b.column(out, dir, c); err != nil {
			return nil, err
		}
	}
	at := int64(len(out))
	if len(dir) > maxDirectory {
		return nil, fmt.Errorf("%w: a directory of %d bytes", ErrTooLarge, len(dir))
	}
	object := append(appendObjectHeader(nil, kindFooter), dir...)
	sealObject(object, b.salt, at)
	out = append(out, object...)
	return appendFileTrailer(out, columnsEndMagic, b.salt, int64(len(out)), at, len(object)), nil
}

// column appends a column's dictionary and blocks to out, and its entry to dir.
func (b *ColumnBuilder) column(out, dir []byte, c *columnValues) (newOut, newDir []byte, err error) {
	kind := c.kind()
	if !c.stats.InRows {
		var others int64
		for i, n := range c.stats.Counts {
			if cl := payload.Class(i); cl > payload.Null && kindOf(cl) != kind {
				others += n
			}
		}
		long := int64(0)
		for _, cl := range c.classes {
			if cl == InRow {
				long++
			}
		}
		if max(others, long) > 8+c.stats.Values()/20 {
			c.giveUp()
		}
	}
	e := columnEntry{name: c.name, stats: c.stats}
	if c.stats.InRows {
		return out, e.append(dir), nil
	}
	c.measure(&e.stats, b.info.Rows)
	codes, err := b.dictionary(&out, &e, c, kind)
	if err != nil {
		return out, dir, err
	}
	e.start = int64(len(out))
	w := blockWriter{b: b, c: c, kind: kind, codes: codes}
	for first := 0; first < b.info.Rows; first += ColumnBlockRows {
		at := len(out)
		rows := min(ColumnBlockRows, b.info.Rows-first)
		var z zone
		if out, z, err = w.append(out, first, rows); err != nil {
			return out, dir, err
		}
		z.length = len(out) - at
		e.blocks = append(e.blocks, z)
	}
	return out, e.append(dir), nil
}

// kind returns the kind that most values are of; Missing when all are null or in their rows.
func (c *columnValues) kind() payload.Class {
	counts := [16]int64{}
	for _, cl := range c.classes {
		counts[kindOf(cl)]++
	}
	best := payload.Missing
	for _, k := range [...]payload.Class{payload.Bool, payload.Int, payload.Text, payload.Blob, payload.Time} {
		if counts[k] > 0 && (best == payload.Missing || counts[k] > counts[best]) {
			best = k
		}
	}
	return best
}

// measure fills in the bounds of the column's values.
func (c *columnValues) measure(s *ColumnStats, rows int) {
	s.Ints = [2]int64{math.MaxInt64, math.MinInt64}
	s.Floats = [2]float64{math.Inf(1), math.Inf(-1)}
	first := payload.Missing
	s.Ascends = len(c.rows) == rows && rows > 0
	last := int64(math.MinInt64)
	haveText := false
	for i, cl := range c.classes {
		if i == 0 {
			first = cl
		}
		s.Ascends = s.Ascends && cl == first
		switch cl {
		case payload.Int, payload.Time:
			x := int64(c.bits[i])
			s.Ints[0], s.Ints[1] = min(s.Ints[0], x), max(s.Ints[1], x)
			s.Ascends = s.Ascends && x >= last
			last = x
		case payload.Float:
			s.Ascends = false
			if f := math.Float64frombits(c.bits[i]); f == f {
				s.Floats[0], s.Floats[1] = min(s.Floats[0], f), max(s.Floats[1], f)
			} else {
				s.NaNs++
			}
		case payload.Text:
			s.Ascends = false
			v := c.value(i)
			if !haveText || bytes.Compare(v, s.Texts[0]) < 0 {
				s.Texts[0] = v
			}
			if !haveText || bytes.Compare(v, s.Texts[1]) > 0 {
				s.Texts[1] = v
			}
			haveText = true
		default:
			s.Ascends = false
		}
	}
	for i, t := range s.Texts {
		s.Texts[i] = t[:min(len(t), boundBytes)]
	}
	// Long texts are not looked at: they are without bounds.
	for _, cl := range c.classes {
		if cl == InRow {
			s.Texts[0], s.Texts[1] = nil, nil
			s.Counts[InRow]++
		}
	}
}

// dictionary writes a dictionary of the column's texts when they repeat, and returns the code of each value. Nil means none.
func (b *ColumnBuilder) dictionary(out *[]byte, e *columnEntry, c *columnValues, kind payload.Class) ([]uint32, error) {
	if !isBytes(kind) {
		return nil, nil
	}
	codes := make([]uint32, len(c.rows))
	known := make(map[string]uint32, 256)
	lengths := make([]uint64, 0, 256)
	var data []byte
	seen := 0
	for i, cl := range c.classes {
		if cl != kind {
			continue
		}
		seen++
		v := c.value(i)
		k, ok := known[string(v)]
		if !ok {
			if k = uint32(len(lengths)); k == maxDictionary || int(k) > 2048+seen/2 {
				return nil, nil
			}
			known[string(v)] = k
			lengths = append(lengths, uint64(len(v)))
			data = append(data, v...)
		}
		codes[i] = k
	}
	if len(lengths) > seen*3/4 || len(lengths) == 0 {
		return nil, nil
	}
	stored, codec, err := b.comp.compress(data)
	if err != nil {
		return nil, err
	}
	at := len(*out)
	d := appendDictionary(*out, &b.pack, lengths, stored, codec)
	*out = sealBlock(d, at, b.salt)
	e.dict = dictEntry{values: len(lengths), length: len(*out) - at, data: len(data)}
	return codes, nil
}
