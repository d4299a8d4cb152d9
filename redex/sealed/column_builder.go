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
// Set for each value of the row, at most once for a column. Reset begins another chunk with the same memory. It is used by one
// goroutine.
type ColumnBuilder struct {
	info    ChunkInfo
	owner   uint64
	salt    uint64
	budget  int64
	used    int64
	columns []*columnValues // the beginning of all
	all     []*columnValues
	byName  map[string]int
	pack    packer
	comp    compressor
	words   []byte // of a dictionary, one after the other
}

// columnValues are the values of one column, in the order of rows.
type columnValues struct {
	name    ColumnName
	rows    []uint16
	classes []payload.Class
	bits    []uint64 // of texts, blobs and big integers: offset in data << 32 | length, or a code
	data    []byte
	stats   ColumnStats
	held    [16]int32 // values by class, as they are in classes

	// The texts, or the blobs, are codes of words while they repeat enough.
	coded payload.Class // Text or Blob; Missing: none came yet, or they do not
	plain bool          // they do not
	words *words
}

// reset forgets all but the memory.
func (c *columnValues) reset(name ColumnName) {
	if c.words != nil {
		c.words.reset()
	}
	*c = columnValues{name: name, rows: c.rows[:0], classes: c.classes[:0], bits: c.bits[:0], data: c.data[:0], words: c.words}
}

// NewColumnBuilder returns a builder of a chunk of a log's sequences from on, for files of an owner (see WriterOptions). At most budget
// bytes of values are held; beyond, the largest columns are given up, which leaves them to the payloads.
func NewColumnBuilder(log, from, owner uint64, budget int64) (*ColumnBuilder, error) {
	b := &ColumnBuilder{owner: owner, budget: budget, byName: map[string]int{}}
	return b, b.Reset(log, from)
}

// Reset makes the builder one of another chunk, without rows and columns, of the same owner and budget.
func (b *ColumnBuilder) Reset(log, from uint64) (err error) {
	if b.salt, err = newSalt(); err != nil {
		return err
	}
	b.info = ChunkInfo{Log: log, From: from, To: from}
	held := int64(0)
	for _, c := range b.all {
		held += c.capacity()
	}
	if held > b.budget {
		b.all = nil
	}
	b.used, b.columns = 0, nil
	clear(b.byName)
	return nil
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
	n := len(b.columns)
	if n == len(b.all) {
		b.all = append(b.all, &columnValues{})
	}
	b.columns = b.all[:n+1]
	b.columns[n].reset(name)
	return n
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
	used := int64(perValue)
	switch {
	case c == payload.Array || c == payload.Object || len(v) > maxColumnValue:
		c = InRow
	case isBytes(c):
		before := col.textBytes()
		bits = col.text(c, v)
		used += col.textBytes() - before
	case c == payload.Big:
		bits = col.put(v)
		used += int64(len(v))
	}
	col.rows = append(col.rows, uint16(b.info.Rows-1))
	col.classes = append(col.classes, c)
	col.bits = append(col.bits, bits)
	col.held[c]++
	if b.used += used; b.used > b.budget {
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

// What a value takes beside its bytes, and a word.
const (
	perValue = 2 + 1 + 8
	perWord  = 8 + 4 + 8*4 // slots are up to eight times the words
)

func (c *columnValues) bytes() int64 { return int64(len(c.rows))*perValue + c.textBytes() }

func (c *columnValues) textBytes() int64 {
	n := int64(len(c.data))
	if c.words != nil {
		n += int64(len(c.words.refs)) * perWord
	}
	return n
}

// capacity is the memory the column holds on to.
func (c *columnValues) capacity() int64 {
	n := int64(cap(c.rows))*perValue + int64(cap(c.data))
	if c.words != nil {
		n += int64(cap(c.words.refs))*(8+4) + int64(cap(c.words.slots))*4
	}
	return n
}

func (c *columnValues) giveUp() {
	c.rows, c.classes, c.bits, c.data, c.words = nil, nil, nil, nil, nil
	c.coded, c.held = payload.Missing, [16]int32{}
	c.stats.InRows = true
}

// put takes bytes into data and returns where they are.
func (c *columnValues) put(v []byte) uint64 {
	at := len(c.data)
	c.data = append(c.data, v...)
	return uint64(at)<<32 | uint64(len(v))
}

// text takes a text or blob in and returns its bits.
func (c *columnValues) text(class payload.Class, v []byte) uint64 {
	if c.coded == payload.Missing && !c.plain {
		if c.coded = class; c.words == nil {
			c.words = newWords()
		}
	}
	if c.coded != class {
		return c.put(v)
	}
	code, slot, hash, ok := c.words.find(c.data, v)
	if ok {
		return uint64(code)
	}
	if k := len(c.words.refs); k == maxDictionary || k > 2048+int(c.held[class]+1)/2 {
		c.uncode()
		return c.put(v)
	}
	return uint64(c.words.put(c.put(v), slot, hash, c.data))
}

// recode codes the values of another class than before, and reports whether it did.
func (c *columnValues) recode(kind payload.Class) bool {
	c.uncode()
	c.words.reset()
	codes := make([]uint64, 0, c.held[kind])
	for i, cl := range c.classes {
		if cl != kind {
			continue
		}
		code, slot, hash, ok := c.words.find(c.data, c.value(i))
		if !ok {
			if k := len(c.words.refs); k == maxDictionary || k > 2048+(len(codes)+1)/2 {
				return false
			}
			code = c.words.put(c.bits[i], slot, hash, c.data)
		}
		codes = append(codes, uint64(code))
	}
	for i, cl := range c.classes {
		if cl == kind {
			c.bits[i], codes = codes[0], codes[1:]
		}
	}
	c.coded, c.plain = kind, false
	return true
}

// uncode has all texts be where they are in data: they do not repeat enough for a dictionary.
func (c *columnValues) uncode() {
	for i, cl := range c.classes {
		if cl == c.coded {
			c.bits[i] = c.words.refs[c.bits[i]]
		}
	}
	c.coded, c.plain = payload.Missing, true
}

func (c *columnValues) value(i int) []byte {
	b := c.bits[i]
	if c.coded != payload.Missing && c.classes[i] == c.coded {
		return c.words.bytes(c.data, uint32(b))
	}
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
		if max(others, int64(c.held[InRow])) > 8+c.stats.Values()/20 {
			c.giveUp()
		}
	}
	e := columnEntry{name: c.name, stats: c.stats}
	if c.stats.InRows {
		return out, e.append(dir), nil
	}
	c.measure(&e.stats, b.info.Rows)
	coded, err := b.dictionary(&out, &e, c, kind)
	if err != nil {
		return out, dir, err
	}
	e.start = int64(len(out))
	w := blockWriter{b: b, c: c, kind: kind, coded: coded}
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
	counts := c.held
	counts[payload.Int] += counts[payload.Float]
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
	if only := c.only(); len(c.rows) > 0 && (only == payload.Int || only == payload.Time) {
		for _, b := range c.bits {
			x := int64(b)
			s.Ints[0], s.Ints[1] = min(s.Ints[0], x), max(s.Ints[1], x)
			s.Ascends = s.Ascends && x >= last
			last = x
		}
		return
	}
	haveText := false
	text := func(v []byte) {
		if !haveText || bytes.Compare(v, s.Texts[0]) < 0 {
			s.Texts[0] = v
		}
		if !haveText || bytes.Compare(v, s.Texts[1]) > 0 {
			s.Texts[1] = v
		}
		haveText = true
	}
	if c.coded == payload.Text {
		for code := range c.words.refs {
			text(c.words.bytes(c.data, uint32(code)))
		}
	}
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
			if c.coded != cl {
				text(c.value(i))
			}
		default:
			s.Ascends = false
		}
	}
	for i, t := range s.Texts {
		s.Texts[i] = t[:min(len(t), boundBytes)]
	}
	// Long texts are not looked at: they are without bounds.
	if n := c.held[InRow]; n > 0 {
		s.Texts[0], s.Texts[1] = nil, nil
		s.Counts[InRow] += int64(n)
	}
}

// only returns the class that all values are of, Missing when they are of several.
func (c *columnValues) only() payload.Class {
	if len(c.classes) > 0 {
		if cl := c.classes[0]; int(c.held[cl]) == len(c.classes) {
			return cl
		}
	}
	return payload.Missing
}

// dictionary writes a dictionary of the column's texts when they repeat, and reports whether there is one: their bits are its codes then.
func (b *ColumnBuilder) dictionary(out *[]byte, e *columnEntry, c *columnValues, kind payload.Class) (bool, error) {
	if !isBytes(kind) || c.plain {
		return false, nil
	}
	if c.coded != kind && !c.recode(kind) {
		return false, nil
	}
	if len(c.words.refs) > int(c.held[kind])*3/4 {
		return false, nil
	}
	lengths := make([]uint64, len(c.words.refs))
	data := b.words[:0]
	for i, r := range c.words.refs {
		lengths[i] = r & math.MaxUint32
		data = append(data, c.words.bytes(c.data, uint32(i))...)
	}
	b.words = data
	stored, codec, err := b.comp.compress(data)
	if err != nil {
		return false, err
	}
	at := len(*out)
	d := appendDictionary(*out, &b.pack, lengths, stored, codec)
	*out = sealBlock(d, at, b.salt)
	e.dict = dictEntry{values: len(lengths), length: len(*out) - at, data: len(data)}
	return true, nil
}
