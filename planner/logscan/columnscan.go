package logscan

import (
	"context"
	"errors"
	"math/bits"
	"slices"
	"sort"

	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/redex/sealed"
)

// columnReader fills batches from chunks. It belongs to one goroutine.
type columnReader struct {
	r     *reader
	names []sealed.ColumnName // of the outputs
	k     *chunk              // nil: none
	outs  []columnOutput
	seqs  columnOutput // of a sparse chunk
	keys  []keyTest
	words int  // of the chunk's dictionary that were given instead of its rows
	share bool // batches are used up before the next one is filled: they may share the memory of decoded blocks
}

// columnOutput is an output within the chunk.
type columnOutput struct {
	cur   sealed.ColumnCursor
	dict  *vector.Dict
	block int // that blk has, -1: none
	blk   sealed.ColumnBlock
	none  bool // no row has a value
	find  *payload.Selector

	classes []vector.Class // of a batch that shares the block's memory
	nulls   vector.Bitmap
	written vector.Bitmap
}

// newColumnReader returns nil when the outputs are none that chunks have.
func newColumnReader(r *reader) *columnReader {
	if r.p.columns == planner.ColumnsNever {
		return nil
	}
	c := &columnReader{r: r, outs: make([]columnOutput, len(r.p.outputs))}
	for _, o := range r.p.outputs {
		switch {
		case o.Column < 0 && len(o.Path) > 0:
			c.names = append(c.names, sealed.ColumnName{Path: o.Path})
		case o.Column >= 0 && ownColumns[o.Column] != nil:
			c.names = append(c.names, *ownColumns[o.Column])
		default:
			return nil
		}
	}
	for _, h := range r.p.keys {
		c.keys = append(c.keys, newKeyTest(h))
	}
	return c
}

func (c *columnReader) close() {
	if c.k != nil {
		c.r.s.catalogues.columns.release(c.k)
		c.k = nil
	}
}

// at sees to it that the chunk is one that has a sequence and all outputs, and reports whether there is one.
func (c *columnReader) at(ctx context.Context, seq redex.Seq) (bool, error) {
	if c.k != nil && c.k.from <= seq && seq < c.k.to {
		return c.k.ColumnChunk != nil, nil
	}
	c.close()
	cols := c.r.s.catalogues.columns
	k, err := cols.chunkOf(ctx, c.r.s, seq, c.r.all, c.r.p.columns == planner.ColumnsAlways)
	if err != nil || k == nil {
		return false, err
	}
	if k.ColumnChunk == nil || !c.bind(k) {
		cols.release(k)
		return false, nil
	}
	c.k = k
	return true, nil
}

// endsAt reports whether the chunk in use has no row at or above a sequence. A nil reader has none in use.
func (c *columnReader) endsAt(seq redex.Seq) bool { return c != nil && c.k != nil && c.k.to <= seq }

// bind finds the outputs in a chunk, and reports whether it has all.
func (c *columnReader) bind(k *chunk) bool {
	c.words = 0
	for i := range c.outs {
		o := &c.outs[i]
		o.block, o.dict, o.none = -1, nil, false
		if c.r.p.outputs[i].Column == colSeq && !k.Info().Sparse {
			continue
		}
		col := k.Column(c.names[i])
		switch {
		case col == nil:
			if k.Info().MoreFields && !c.names[i].Own {
				return false
			}
			o.none = true
		case col.Stats().InRows:
			return false
		default:
			o.cur.Reset(col)
		}
	}
	if k.Info().Sparse {
		c.seqs.block = -1
		c.seqs.cur.Reset(k.Column(ownSeq))
	}
	for i := range c.keys {
		c.keys[i].chunk = false
	}
	return true
}

// load decodes a block of an output.
func (c *columnReader) load(o *columnOutput, block int) error {
	if o.block == block {
		return nil
	}
	o.block = -1
	if err := o.cur.Decode(block, &o.blk); err != nil {
		return err
	}
	if o.blk.Coded && o.dict == nil {
		var err error
		if o.dict, err = c.r.s.catalogues.columns.dict(c.k, o.cur.Column()); err != nil {
			return err
		}
	}
	o.block = block
	return nil
}

// row returns the number of the first row of the chunk at or above a sequence.
func (c *columnReader) row(seq redex.Seq) (int, error) {
	info := c.k.Info()
	if !info.Sparse {
		return int(seq - c.k.from), nil
	}
	col := c.seqs.cur.Column()
	block := sort.Search(col.Blocks(), func(i int) bool {
		_, greatest, _ := col.Zone(i)
		return redex.Seq(greatest) >= seq
	})
	if block == col.Blocks() {
		return info.Rows, nil
	}
	if err := c.load(&c.seqs, block); err != nil {
		return 0, err
	}
	i, _ := slices.BinarySearch(c.seqs.blk.Bits, uint64(seq))
	return block*sealed.ColumnBlockRows + i, nil
}

// fill replaces b, which is empty, with the next rows of the range, at most n and all of one block, and moves the reader behind them. The
// chunk has the reader's sequence. There may be none, when the rows there were are gone. It reports false when the chunk is damaged: it is
// given up, and its rows are to be read.
func (c *columnReader) fill(ctx context.Context, b *vector.Batch, n int) (bool, error) {
	err := c.fillRows(ctx, b, n)
	if errors.Is(err, sealed.ErrCorrupt) {
		cols, k := c.r.s.catalogues.columns, c.k
		cols.discard(c.r.s, k)
		c.close()
		c.k = &chunk{from: k.from, to: k.to}
		c.r.clear(b)
		return false, nil
	}
	return true, err
}

func (c *columnReader) fillRows(ctx context.Context, b *vector.Batch, n int) error {
	r := c.r
	if c.onlyWords() {
		return c.fillWords(b, n)
	}
	end := min(r.to, c.k.to)
	if err := ctx.Err(); err != nil { // batches without a row do not come out
		return err
	}
	if none, err := c.skips(); none || err != nil {
		if err == nil {
			r.stats.ChunksKeyed++
			r.stats.RowsSkipped += int64(end - r.at)
			r.at = end
		}
		return err
	}
	row, err := c.row(r.at)
	if err != nil {
		return err
	}
	if row >= c.k.Info().Rows {
		r.at = end
		return nil
	}
	block := row / sealed.ColumnBlockRows
	lo := row % sealed.ColumnBlockRows
	hi := min(lo+n, sealed.ColumnBlockRows, lo+c.k.Info().Rows-row)
	var seqs []uint64
	if c.k.Info().Sparse {
		if err := c.load(&c.seqs, block); err != nil {
			return err
		}
		below, _ := slices.BinarySearch(c.seqs.blk.Bits[:hi], uint64(end))
		if hi = below; hi <= lo {
			r.at = end
			return nil
		}
		seqs = c.seqs.blk.Bits[lo:hi]
	} else {
		hi = min(hi, lo+int(end-r.at))
	}
	n = hi - lo
	sel, err := c.fillKeys(ctx, b, block, seqs, lo, hi)
	if err != nil {
		return err
	}
	b.N, b.Sel = n, sel
	if sel != nil && len(sel) == 0 {
		r.clear(b)
	} else {
		for i := range c.outs {
			if b.Cols[i].Len == 0 {
				if err := c.fillOutput(ctx, i, b.Cols[i], block, seqs, lo, hi); err != nil {
					return err
				}
			}
		}
	}
	if seqs != nil {
		r.at = redex.Seq(seqs[len(seqs)-1]) + 1
	} else {
		r.at += redex.Seq(n)
	}
	r.stats.RowsRead += int64(n)
	return nil
}

// fillOutput makes v the rows [lo, hi) of a block of output i.
func (c *columnReader) fillOutput(ctx context.Context, i int, v *vector.Vector, block int, seqs []uint64, lo, hi int) error {
	o := &c.outs[i]
	if c.r.p.outputs[i].Column == colSeq && seqs == nil {
		v.Ints = resize(v.Ints, hi-lo)
		for k := range v.Ints {
			v.Ints[k] = int64(c.r.at) + int64(k)
		}
		v.Len, v.Most = hi-lo, max(uint64(c.r.at)+uint64(hi-lo), 1)
		return nil
	}
	if o.none {
		v.Grow(hi - lo)
		if !v.Type.Dynamic() {
			for k := range hi - lo {
				v.SetNull(k)
			}
		}
		return nil
	}
	if err := c.load(o, block); err != nil {
		return err
	}
	if v.Type.Dynamic() {
		o.fillDynamic(v, lo, hi, c.share)
		if least, greatest, ok := o.cur.Column().Zone(block); ok && v.Uniform == vector.ClassInt {
			v.Most = max(vector.Magnitude(least), vector.Magnitude(greatest), 1)
		}
	} else {
		o.fillTyped(v, lo, hi)
	}
	return c.fromRows(ctx, o, i, v, seqs, lo, hi)
}

// onlyWords reports whether the dictionary of the only output has what is wanted of all rows of the chunk, and the reader is at its beginning:
// each of its texts is in a row, and they are in the order of their first rows.
func (c *columnReader) onlyWords() bool {
	if !c.r.p.once || len(c.outs) != 1 || c.outs[0].none || c.r.p.outputs[0].Column >= 0 || c.r.at > c.k.from || c.r.to < c.k.to {
		return false
	}
	col := c.outs[0].cur.Column()
	s := col.Stats() // long texts count as such, too, but are in their rows
	return col.Coded() && s.Counts[payload.Text] == int64(c.k.Info().Rows) && s.Counts[sealed.InRow] == 0
}

// fillWords makes b the next texts of the dictionary. The reader moves on behind the last one.
func (c *columnReader) fillWords(b *vector.Batch, n int) error {
	r, o := c.r, &c.outs[0]
	if o.dict == nil {
		var err error
		if o.dict, err = r.s.catalogues.columns.dict(c.k, o.cur.Column()); err != nil {
			return err
		}
	}
	n = min(n, sealed.ColumnBlockRows, len(o.dict.Refs)-c.words)
	o.block = -1
	o.blk = sealed.ColumnBlock{Rows: n, Class: payload.Text, Coded: true, Codes: resize(o.blk.Codes, n)}
	for i := range o.blk.Codes {
		o.blk.Codes[i] = uint32(c.words + i)
	}
	o.fillCoded(b.Cols[0], 0, n, c.share)
	b.N = n
	if c.words += n; c.words == len(o.dict.Refs) {
		r.at = c.k.to
		r.stats.RowsSkipped += int64(c.k.Info().Rows)
	}
	return nil
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// classes are those of vectors for those of payloads.
var classes = [...]vector.Class{
	payload.Missing: vector.ClassNull, payload.Null: vector.ClassNull, payload.Bool: vector.ClassBool, payload.Int: vector.ClassInt,
	payload.Big: vector.ClassBig, payload.Float: vector.ClassFloat, payload.Text: vector.ClassText, payload.Blob: vector.ClassBlob,
	payload.Time: vector.ClassTime, payload.Array: vector.ClassArray, payload.Object: vector.ClassObject,
}

// uniform are rows of one class, to be copied.
var uniform = func() (u [payload.Object + 1][sealed.ColumnBlockRows]vector.Class) {
	for c := range u {
		for i := range u[c] {
			u[c][i] = classes[c]
		}
	}
	return u
}()

// fillDynamic makes v the rows [lo, hi) of the block, with share so that it uses the block's memory. Those whose value is in the row are left NULL.
func (o *columnOutput) fillDynamic(v *vector.Vector, lo, hi int, share bool) {
	blk := &o.blk
	n := hi - lo
	class := classes[blk.Class]
	if share && blk.Class != payload.Missing && !class.HasBytes() && len(blk.Exceptions) == 0 && len(blk.Floating) == 0 {
		v.Share(vector.Vector{Len: n, Classes: uniform[blk.Class][:n], Bits: blk.Bits[lo:hi], Uniform: class, NoNulls: len(blk.Absent) == 0})
		if !v.NoNulls {
			o.classes = append(o.classes[:0], v.Classes...)
			v.Classes = o.classes
			each(blk.Absent, lo, hi, func(i int) { v.Classes[i], v.Bits[i] = vector.ClassNull, 0 })
			each(blk.Null, lo, hi, func(i int) { v.Bits[i] = 1 })
			o.nulls = appendBits(o.nulls[:0], blk.Absent, lo, hi)
			v.Nulls = o.nulls
		}
		return
	}
	plain := len(blk.Exceptions) == 0
	if blk.Coded && plain {
		o.fillCoded(v, lo, hi, share)
		return
	}
	v.Classes = append(v.Classes[:0], uniform[blk.Class][:n]...)
	v.Bits = resize(v.Bits, n)
	v.Len = n
	switch {
	case blk.Class == payload.Missing:
		clear(v.Bits)
	case blk.Coded: // bytes of exceptions come beside those of the dictionary
		for i, code := range blk.Codes[lo:hi] {
			v.Bits[i] = uint64(v.AddData(o.dict.Value(code)))
		}
	case class.HasBytes():
		from := uint32(0)
		if lo > 0 {
			from = blk.Ends[lo-1]
		}
		v.Data = append(v.Data, blk.Data[from:blk.Ends[hi-1]]...)
		at := from
		for i, end := range blk.Ends[lo:hi] {
			v.Bits[i] = uint64(vector.MakeRef(int(at-from), int(end-at)))
			at = end
		}
	default:
		copy(v.Bits, blk.Bits[lo:hi])
	}
	each(blk.Floating, lo, hi, func(i int) { v.Classes[i] = vector.ClassFloat })
	each(blk.Absent, lo, hi, func(i int) { v.Classes[i], v.Bits[i] = vector.ClassNull, 0 })
	each(blk.Null, lo, hi, func(i int) { v.Bits[i] = 1 })
	for k := range blk.Exceptions {
		x := &blk.Exceptions[k]
		i := x.Row - lo
		switch {
		case x.Row < lo || x.Row >= hi:
		case x.Class == sealed.InRow:
			v.Classes[i], v.Bits[i] = vector.ClassNull, 0
		case classes[x.Class].HasBytes():
			v.Classes[i], v.Bits[i] = classes[x.Class], uint64(v.AddData(x.Bytes))
		default:
			v.Classes[i], v.Bits[i] = classes[x.Class], x.Bits
		}
	}
	if plain && len(blk.Floating) == 0 && class != vector.ClassNull {
		v.Uniform, v.NoNulls = class, len(blk.Absent) == 0
		v.Nulls = appendBits(v.Nulls[:0], blk.Absent, lo, hi)
	}
}

// fillCoded is fillDynamic of texts of the column's dictionary.
func (o *columnOutput) fillCoded(v *vector.Vector, lo, hi int, share bool) {
	blk := &o.blk
	c := vector.Vector{
		Len: hi - lo, Classes: uniform[blk.Class][:hi-lo], Dict: o.dict, Data: o.dict.Data, Codes: blk.Codes[lo:hi], CodesOnly: true,
		Uniform: classes[blk.Class], NoNulls: len(blk.Absent) == 0,
	}
	if !c.NoNulls {
		o.classes = append(o.classes[:0], c.Classes...)
		each(blk.Absent, lo, hi, func(i int) { o.classes[i] = vector.ClassNull })
		o.nulls = appendBits(o.nulls[:0], blk.Absent, lo, hi)
		o.written = appendBits(o.written[:0], blk.Null, lo, hi)
		c.Classes, c.Nulls, c.Written = o.classes, o.nulls, o.written
	}
	if share {
		v.Share(c)
		return
	}
	v.ShareDict(o.dict)
	v.Classes, v.Codes = append(v.Classes[:0], c.Classes...), append(v.Codes[:0], c.Codes...)
	v.Nulls, v.Written = append(v.Nulls[:0], c.Nulls...), append(v.Written[:0], c.Written...)
	v.Len, v.CodesOnly, v.Uniform, v.NoNulls = c.Len, true, c.Uniform, c.NoNulls
}

// appendBits appends the bits [lo, hi) of a set.
func appendBits(dst vector.Bitmap, set []uint64, lo, hi int) vector.Bitmap {
	if len(set) == 0 {
		return dst
	}
	shift := lo & 63
	for w := lo >> 6; w<<6 < hi; w++ {
		x := set[w] >> shift
		if shift > 0 && w+1 < len(set) {
			x |= set[w+1] << (64 - shift)
		}
		dst = append(dst, x)
	}
	dst = dst[:(hi-lo+63)/64]
	if k := (hi - lo) & 63; k != 0 {
		dst[len(dst)-1] &= 1<<k - 1
	}
	return dst
}

// each calls f with each row of [lo, hi) that is in a set, counted from lo.
func each(set []uint64, lo, hi int, f func(i int)) {
	if len(set) == 0 {
		return
	}
	for w := lo >> 6; w <= (hi-1)>>6; w++ {
		x := set[w]
		if w == lo>>6 {
			x &= ^uint64(0) << (lo & 63)
		}
		if w == hi>>6 {
			x &= 1<<(hi&63) - 1
		}
		for ; x != 0; x &= x - 1 {
			f(w<<6 + bits.TrailingZeros64(x) - lo)
		}
	}
}

// fillTyped makes v, one of the log's own columns, the rows [lo, hi) of the block.
func (o *columnOutput) fillTyped(v *vector.Vector, lo, hi int) {
	blk := &o.blk
	n := hi - lo
	switch {
	case v.Type != vector.Text:
		v.Ints = resize(v.Ints, n)
		for i, x := range blk.Bits[lo:hi] {
			v.Ints[i] = int64(x)
		}
		v.Len = n
	case blk.Coded:
		v.Dict = o.dict
		v.Codes = append(v.Codes[:0], blk.Codes[lo:hi]...)
		v.Len = n
	default:
		from := uint32(0)
		if lo > 0 {
			from = blk.Ends[lo-1]
		}
		for _, end := range blk.Ends[lo:hi] {
			v.AppendText(blk.Data[from:end])
			from = end
		}
	}
}

// fromRows fills in the values of an output that are in their rows only.
func (c *columnReader) fromRows(ctx context.Context, o *columnOutput, output int, v *vector.Vector, seqs []uint64, lo, hi int) error {
	for k := range o.blk.Exceptions {
		x := &o.blk.Exceptions[k]
		if x.Class != sealed.InRow || x.Row < lo || x.Row >= hi {
			continue
		}
		i := x.Row - lo
		seq := c.r.at + redex.Seq(i)
		if seqs != nil {
			seq = redex.Seq(seqs[i])
		}
		ev, err := c.r.s.log.Read(ctx, seq)
		switch {
		case errors.Is(err, redex.ErrCompacted): // since the chunk was made
			continue
		case err != nil:
			return err
		}
		one := vector.New(vector.Any, 0)
		pace := paceOf(ctx, &ev)
		if c.names[output].Own { // a long key
			c.r.static(one, colKey, &ev, true, pace)
		} else {
			if o.find == nil {
				o.find = payload.NewSelector([][]string{c.names[output].Path})
			}
			var found [1]payload.Value
			o.find.FindPaced(format(ev.Encoding), ev.Payload, found[:], pace)
			appendValue(one, &found[0], pace)
		}
		if pace.Over() {
			return ctx.Err()
		}
		v.SetFrom(i, one, 0)
	}
	return nil
}
