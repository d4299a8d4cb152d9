package exec

import (
	"errors"

	"github.com/seed69692123/netdb/planner/spill"
	"github.com/seed69692123/netdb/planner/vector"
)

// aggDisk is what a HashAggregate does when its groups are more than memory: hybrid hash aggregation. From some batch on, rows of
// groups that are in memory are added to them, all others are written to disk, divided by the hash of their keys. Then each part
// is read in the same way. The groups of each pass are written with the number of their first row, by which all are merged.
type aggDisk struct {
	parts     *partitions  // where rows of other groups go; nil as long as all are in memory
	frozenAt  int64        // bytes of the groups in memory then
	first     int64        // number of the first row of the batch being taken in
	numbers   []int64      // of the rows of a batch that came from disk
	firsts    paged[int64] // number of the first row of each group in memory
	again     bool         // the pass can begin again, with all rows divided first
	kept      vector.Sel   // rows of a batch whose groups are in memory
	row       []*vector.Vector
	firstRows vector.Vector // of the groups of a batch
	null      vector.Vector
	flag      [2]vector.Vector
	no        vector.Vector
	work      []aggPart
	results   *diskRuns
	final     *diskMerge
	out       vector.Batch
	failed    rowFailure // the first row that cannot be taken in: the query gives no group
	ended     rowFailure // the first group without a result: those before it come out
}

// aggPart is rows on disk that are to be grouped, divided so many times.
type aggPart struct {
	f     *spill.File
	level int
}

// rowFailure is the error of a row, and the number of that row.
type rowFailure struct {
	row int64
	err error
}

func (f *rowFailure) note(row int64, err error) {
	if err != nil && (f.err == nil || row < f.row) {
		f.row, f.err = row, err
	}
}

func (d *aggDisk) fail(row int64, err error) { d.failed.note(row, err) }

// number returns the number of row i of the batch that is being taken in.
func (d *aggDisk) number(i int) int64 {
	if d.numbers != nil {
		return d.numbers[i]
	}
	return d.first + int64(i)
}

// started notes that a group's first row is row i.
func (d *aggDisk) started(group int32, i int) {
	d.firsts.grow(int(group) + 1)
	*d.firsts.at(int(group)) = d.number(i)
}

func (d *aggDisk) bytes() int64 { return d.firsts.bytes() + d.parts.bytes() }

// errOvergrown ends a pass whose groups in memory have become too large.
var errOvergrown = errors.New("exec: groups have become too large")

// limit decides what happens when the groups in memory have n bytes.
func (h *HashAggregate) limit(n int64, full bool) error {
	d, share := &h.disk, h.spill.share()
	switch {
	case d.parts == nil && (full || n > share/4*3):
		h.freeze(n)
	case d.parts == nil || n <= max(share/8*7, d.frozenAt+share/8):
	case d.again && h.table.len() > 1, h.spill.over():
		return errOvergrown
	}
	return nil
}

// freeze lets no more groups into memory.
func (h *HashAggregate) freeze(n int64) {
	level := 0
	if k := len(h.disk.work); h.disk.numbers != nil && k > 0 {
		level = h.disk.work[k-1].level
	}
	h.disk.parts, h.disk.frozenAt = newPartitions(&h.spill, h.rowTypes(), level), n
}

// rowTypes are the columns of a row on disk: keys, for each aggregate whether the row counts (if it has a filter) and its
// arguments, the row's number.
func (h *HashAggregate) rowTypes() []vector.Type {
	var types []vector.Type
	for _, k := range h.Keys {
		types = append(types, k.Type())
	}
	for _, a := range h.aggs {
		if a.agg.Filter != nil {
			types = append(types, vector.Bool)
		}
		for _, x := range a.agg.Inputs() {
			types = append(types, x.Type())
		}
	}
	return append(types, vector.Int)
}

// makeRoom lets no more groups into memory when those of a batch could be too many: a value that is large may be refused in the
// middle of a row, from which there is no way back. A pass takes in its first batch in any case, so it has a group less to do.
func (h *HashAggregate) makeRoom(b *vector.Batch) {
	d := &h.disk
	if !h.spill.can() || d.parts != nil || h.table.len() == 0 && d.numbers != nil {
		return
	}
	left := h.spill.share()/4*3 - h.acct.held
	if most, ok := h.mostBytes(b); ok && most <= left {
		return
	}
	n := int64(0)
	for k := 0; k < b.Rows() && n <= left; k++ {
		i := b.Row(k)
		n += int64(rowBytes(h.keyVecs, i) + keyRefBytes*(1+len(h.aggs)))
		for _, a := range h.aggs {
			if a.agg.Filter != nil {
				continue // it may have no value here
			}
			for _, v := range a.vecs {
				if size := v.DataLen(i); size >= vector.LargeBytes {
					n += int64(size)
				}
			}
		}
	}
	if n > left {
		h.freeze(h.bytes())
	}
}

// mostBytes returns more than the groups of a batch can take, without looking at its rows; false when that takes a look at them.
func (h *HashAggregate) mostBytes(b *vector.Batch) (int64, bool) {
	const cell = 64
	all := int64(0) // beside what is counted for each row
	n := int64(keyRefBytes * (1 + len(h.aggs)))
	for _, v := range h.keyVecs {
		switch n += cell; {
		case v.Dict != nil && len(h.keyVecs) == 1: // groups differ
			all += int64(len(v.Dict.Data))
		case v.Dict != nil:
			n += int64(len(v.Dict.Data))
		case v.Type.Dynamic() && (v.Uniform == vector.ClassNull || v.Uniform.HasBytes()), v.Type == vector.Text, v.Type == vector.Blob:
			if len(v.Data) > 0 {
				return 0, false
			}
		}
	}
	for _, a := range h.aggs {
		for _, v := range a.vecs {
			if v.Dict == nil && len(v.Data) >= vector.LargeBytes {
				return 0, false
			}
		}
	}
	return all + n*int64(b.Rows()), true
}

// divide writes the rows of groups that are not in memory to disk and leaves the others in b.
func (h *HashAggregate) divide(b *vector.Batch, hashes []uint64) error {
	d := &h.disk
	d.kept = d.kept[:0]
	counts := make([]vector.Sel, len(h.aggs)) // rows of each aggregate that are not looked at yet
	for k, a := range h.aggs {
		if counts[k] = a.rows; a.rows == nil {
			counts[k] = h.s.sel(nil, b.N)
		}
	}
	for k := range b.Rows() {
		i := b.Row(k)
		g, err := h.table.groupOf(h.keyVecs, i, hashes[i])
		if err != nil {
			return err
		}
		if g >= 0 {
			h.groups[i] = g
			d.kept = append(d.kept, int32(i))
			continue
		}
		if err := h.write(i, hashes[i], counts); err != nil {
			return err
		}
	}
	if d.kept == nil {
		d.kept = vector.Sel{}
	}
	b.Sel = d.kept
	for _, a := range h.aggs {
		if a.agg.Filter == nil {
			a.rows = d.kept
		} else {
			a.rows = intersect(a.rows, d.kept)
		}
	}
	return h.s.rows(nil, b.Rows())
}

// write writes row i to disk. counts are the rows that each aggregate counts, from about i on.
func (h *HashAggregate) write(i int, hash uint64, counts []vector.Sel) error {
	d := &h.disk
	if d.no.Len == 0 {
		d.no.Resize(vector.Int, 1)
		d.no.Const = true
		for b := range d.flag {
			d.flag[b].Resize(vector.Bool, 1)
			d.flag[b].Const, d.flag[b].Bools[0] = true, b == 1
		}
		d.null.Resize(vector.Any, 1)
		d.null.Const = true
	}
	row := append(d.row[:0], h.keyVecs...)
	for k, a := range h.aggs {
		passes := true
		if a.agg.Filter != nil {
			for len(counts[k]) > 0 && int(counts[k][0]) < i {
				counts[k] = counts[k][1:]
			}
			passes = len(counts[k]) > 0 && int(counts[k][0]) == i
			flag := &d.flag[0]
			if passes {
				flag = &d.flag[1]
			}
			row = append(row, flag)
		}
		for _, v := range a.vecs {
			if !passes {
				v = &d.null // it has no value
			}
			row = append(row, v)
		}
	}
	d.no.Ints[0] = d.number(i)
	d.row = append(row, &d.no)
	return d.parts.add(d.row, i, hash)
}

// intersect returns the rows that are in both, in the memory of a.
func intersect(a, b vector.Sel) vector.Sel {
	out := a[:0]
	for _, i := range a {
		for len(b) > 0 && b[0] < i {
			b = b[1:]
		}
		if len(b) > 0 && b[0] == i {
			out = append(out, i)
		}
	}
	return out
}

// endOnDisk groups the rows on disk, when there are any, after the input has ended or failed.
func (h *HashAggregate) endOnDisk(err error) error {
	err = h.endDistinct(err)
	var ve *ValueError
	if err != nil && (h.disk.parts == nil || !errors.As(err, &ve)) {
		return h.overgrown(err)
	}
	if h.disk.parts == nil {
		return nil
	}
	return h.drain()
}

// overgrown says for errOvergrown that it is the budget's.
func (h *HashAggregate) overgrown(err error) error {
	if errors.Is(err, errOvergrown) {
		return h.spill.budgetError()
	}
	return err
}

// drain ends the first pass, makes the others and gets ready to give out the groups.
func (h *HashAggregate) drain() error {
	d := &h.disk
	if d.results == nil {
		var types []vector.Type
		for _, k := range h.Keys {
			types = append(types, k.Type())
		}
		for _, a := range h.Aggs {
			types = append(types, a.T)
		}
		for _, t := range types {
			d.out.Cols = append(d.out.Cols, vector.New(t, 0))
		}
		d.results = &diskRuns{p: &h.spill, types: append(types, vector.Int), key: len(types)}
	}
	if err := h.endPass(0); err != nil {
		return err
	}
	for len(d.work) > 0 {
		part := d.work[len(d.work)-1]
		err := h.pass(part, false)
		if be, _ := errors.AsType[*BudgetError](err); d.again && h.table.len() > 1 && (errors.Is(err, errOvergrown) || be != nil && be.Err == nil) {
			// The rows are on disk still: they are divided before they are grouped.
			if err = d.parts.drop(); err == nil {
				err = h.pass(part, true)
			}
		}
		if err != nil {
			return h.overgrown(err)
		}
	}
	if d.failed.err != nil {
		return d.failed.err
	}
	h.table, h.total, h.at = nil, 0, 0
	var err error
	d.final, err = d.results.finish()
	return h.spill.fail(err)
}

// pass groups the rows of a part. When it is divided first, no group is in memory.
func (h *HashAggregate) pass(part aggPart, divided bool) error {
	d := &h.disk
	h.reset()
	d.numbers = []int64{}
	d.again = !divided && part.level < maxLevel
	if divided {
		h.freeze(0)
	}
	r := part.f.Reader()
	for {
		b, err := r.Next()
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		d.numbers = b.Cols[len(b.Cols)-1].Ints
		rows := vector.Batch{N: b.N}
		add := func(rows *vector.Batch) error {
			h.takeColumns(b.Cols, rows)
			return h.take(rows)
		}
		if err := add(&rows); err != nil {
			var ve *ValueError
			if err = h.earliest(&rows, err, add); !errors.As(err, &ve) {
				return err
			}
			break // rows on disk may fail earlier, those behind this one do not matter
		}
		if err := h.count(); err != nil {
			return err
		}
	}
	var ve *ValueError
	if err := h.endDistinct(nil); err != nil && !errors.As(err, &ve) {
		return err
	}
	d.work = d.work[:len(d.work)-1]
	if err := part.f.Close(); err != nil {
		return err
	}
	return h.endPass(part.level)
}

// takeColumns makes the columns of rows on disk the keys and arguments.
func (h *HashAggregate) takeColumns(cols []*vector.Vector, b *vector.Batch) {
	at := copy(h.keyVecs, cols)
	for _, a := range h.aggs {
		a.rows = b.Sel
		if a.agg.Filter != nil {
			a.sel = h.s.SelectTrue(cols[at], b.Sel, b.N, a.sel[:0])
			a.rows = a.sel
			at++
		}
		at += copy(a.vecs, cols[at:])
	}
}

// reset forgets the groups in memory.
func (h *HashAggregate) reset() {
	h.begin()
	h.disk.parts, h.disk.firsts, h.disk.frozenAt = nil, paged[int64]{}, 0
}

// endPass writes the groups in memory to disk, as a run in the order of their first rows, and puts the parts that the pass has made
// on the list.
func (h *HashAggregate) endPass(level int) error {
	d := &h.disk
	if d.parts != nil {
		if err := d.parts.finish(); err != nil {
			return err
		}
		for _, f := range d.parts.files {
			if f != nil {
				d.work = append(d.work, aggPart{f, level + 1})
			}
		}
	}
	if d.failed.err == nil && h.total > 0 {
		f, err := h.writeGroups()
		if err != nil {
			return h.spill.fail(err)
		}
		h.reset()
		return h.spill.fail(d.results.add(f))
	}
	h.reset()
	return nil
}

// writeGroups writes the groups in memory. It stops at one that has no result.
func (h *HashAggregate) writeGroups() (*spill.File, error) {
	d := &h.disk
	f := h.spill.file(d.results.types)
	for {
		at := h.at
		b, err := h.emit()
		var ve *ValueError
		if errors.As(err, &ve) {
			d.ended.note(*d.firsts.at(at), err)
			h.late = nil
			break
		}
		if err != nil {
			return nil, err
		}
		if b == nil {
			break
		}
		d.firstRows.Resize(vector.Int, b.N)
		for i := range b.N {
			d.firstRows.Ints[i] = *d.firsts.at(at + i)
		}
		d.row = append(append(d.row[:0], b.Cols...), &d.firstRows)
		for i := range b.N {
			if err := f.Append(d.row, i); err != nil {
				return nil, err
			}
		}
		if err := h.s.rows(nil, b.N); err != nil {
			return nil, err
		}
	}
	return f, f.Finish()
}

// nextFromDisk returns the next groups.
func (h *HashAggregate) nextFromDisk() (*vector.Batch, error) {
	d := &h.disk
	err := d.final.next(&d.out, h.Env.batchRows(), func(cols []*vector.Vector, i int) bool {
		return d.ended.err != nil && cols[len(cols)-1].Ints[i] >= d.ended.row
	})
	if h.err = err; err == nil && d.out.N == 0 {
		h.err = d.ended.err
	}
	h.stats.PeakBytes = h.acct.peak
	if h.err != nil || d.out.N == 0 {
		return nil, h.err
	}
	h.stats.Rows += int64(d.out.N)
	return &d.out, nil
}
