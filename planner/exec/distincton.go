package exec

import (
	"context"
	"errors"
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
)

// DistinctOn passes each row whose keys are not those of an earlier one. When the keys are more than memory, rows whose keys are not
// among those seen are divided by hash to disk; they are later ones than all that were passed. Each part is a pass like the first, and
// what passes is merged by the rows' numbers.
type DistinctOn struct {
	In   Operator
	Keys []Expr
	Env  *Env

	keys  []evaluator
	vecs  []*vector.Vector
	seen  rowSet
	sel   vector.Sel
	out   vector.Batch
	disk  *distinctDisk // when keys are on disk
	next  int64         // number of the next row
	err   error
	stats Stats
}

// distinctDisk is the rows on disk: their columns, keys and numbers.
type distinctDisk struct {
	types  []vector.Type
	parts  *partitions
	number numberColumn
	row    []*vector.Vector
	block  int64 // bytes of what is read
	work   []aggPart
	runs   *diskRuns
	final  *diskMerge
	out    vector.Batch
	failed error // of the input, behind all rows
	ended  bool
}

// Open opens the input.
func (d *DistinctOn) Open(ctx context.Context) error {
	types := make([]vector.Type, len(d.Keys))
	for i, k := range d.Keys {
		types[i] = k.Type()
	}
	d.seen.open(d.Env, "distinct", types)
	d.keys = d.seen.s.compileAll(d.Keys)
	d.vecs = make([]*vector.Vector, len(d.keys))
	return d.In.Open(ctx)
}

// Next returns the next rows with new keys.
func (d *DistinctOn) Next(ctx context.Context) (*vector.Batch, error) {
	s := d.seen.s
	s.begin(ctx)
	for d.err == nil {
		if d.disk != nil && d.disk.ended {
			var b *vector.Batch
			if b, d.err = d.nextFromDisk(ctx); b != nil && d.err == nil {
				d.stats.Rows += int64(b.Rows())
				return b, nil
			}
			return nil, d.err
		}
		if !s.more() {
			b, err := d.In.Next(ctx)
			if d.disk != nil && (b == nil || err != nil) {
				d.end(err)
				continue
			}
			if err != nil || b == nil {
				return nil, err
			}
			s.take(b)
		}
		err := s.part(d.add)
		if err != nil && d.disk != nil {
			d.end(err) // no row passes any more but from disk
			continue
		}
		d.err = err
		if len(d.sel) > 0 {
			d.out.Sel = d.sel
			d.stats.Rows += int64(len(d.sel))
			return &d.out, nil
		}
	}
	return nil, d.err
}

// end is called when the input has ended or failed. The rows before an error of a value come first.
func (d *DistinctOn) end(err error) {
	var ve *ValueError
	if d.disk.ended = true; err != nil && !errors.As(err, &ve) {
		d.err = err
		return
	}
	d.disk.failed = err
}

// add finds the rows of a part of a batch that are new. Those before an error come out first.
func (d *DistinctOn) add(b *vector.Batch) error {
	d.sel = d.sel[:0]
	sel, failed := evalAll(d.keys, b, b.Sel, d.vecs)
	var ve *ValueError
	if failed != nil && !errors.As(failed, &ve) {
		return failed
	}
	b.Sel = sel
	d.out = *b
	first := d.next
	d.next += int64(b.N)
	err := d.take(b, d.vecs, func(i int) int64 { return first + int64(i) }, func(i int) error {
		d.sel = append(d.sel, int32(i))
		return nil
	})
	if err != nil {
		d.sel = d.sel[:0]
		return err
	}
	return failed
}

// take calls fresh for the rows whose keys are new, and writes those to disk of which there is no memory to tell.
func (d *DistinctOn) take(b *vector.Batch, keys []*vector.Vector, number func(i int) int64, fresh func(i int) error) error {
	t := &d.seen
	hashes, err := t.table.hash(keys, b.Sel, b.N)
	if err != nil {
		return err
	}
	t.room(&vector.Batch{Cols: keys, N: b.N, Sel: b.Sel})
	for k := range b.Rows() {
		i := b.Row(k)
		g, isFresh, err := t.add(keys, i, hashes[i])
		switch {
		case err != nil:
		case isFresh:
			err = fresh(i)
		case g < 0:
			err = d.toDisk(b.Cols, keys, i, hashes[i], number(i))
		}
		if err != nil {
			return err
		}
		if err := t.s.Step(rowStep); err != nil {
			return err
		}
	}
	if err := t.s.Fault(); err != nil {
		return err
	}
	return d.hold()
}

func (d *DistinctOn) hold() error {
	buffers := int64(0)
	if d.disk != nil {
		buffers = d.disk.parts.bytes() + d.disk.block
	}
	err := d.seen.hold(buffers)
	d.stats.PeakBytes = max(d.stats.PeakBytes, d.seen.acct.peak)
	return err
}

// toDisk writes row i, whose keys have a hash.
func (d *DistinctOn) toDisk(cols, keys []*vector.Vector, i int, hash uint64, number int64) error {
	k := d.disk
	if k == nil {
		k = &distinctDisk{}
		d.disk = k
		for _, c := range cols {
			k.types = append(k.types, c.Type)
			k.out.Cols = append(k.out.Cols, vector.New(c.Type, 0))
		}
		k.runs = &diskRuns{p: &d.seen.spill, types: append(slices.Clone(k.types), vector.Int), key: len(k.types)}
		k.types = append(append(k.types, d.seen.types...), vector.Int)
	}
	if k.parts == nil {
		level := 0
		if n := len(k.work); n > 0 {
			level = k.work[n-1].level
		}
		k.parts = newPartitions(&d.seen.spill, k.types, level)
	}
	k.row = append(append(append(k.row[:0], cols...), keys...), k.number.of(number))
	return k.parts.add(k.row, i, hash)
}

// nextFromDisk returns the next rows that pass.
func (d *DistinctOn) nextFromDisk(ctx context.Context) (*vector.Batch, error) {
	k := d.disk
	if k.final == nil {
		err := d.endPass(0)
		for err == nil && len(k.work) > 0 {
			if err = ctx.Err(); err == nil {
				err = d.pass(k.work[len(k.work)-1])
			}
		}
		if err == nil {
			k.final, err = k.runs.finish()
		}
		if err != nil {
			return nil, d.seen.spill.fail(err)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err := k.final.next(&k.out, d.Env.batchRows(), nil)
	d.stats.PeakBytes = max(d.stats.PeakBytes, d.seen.acct.peak)
	if err != nil {
		return nil, err
	}
	if k.out.N == 0 {
		return nil, k.failed
	}
	return &k.out, nil
}

// endPass puts the parts that a pass has made on the list.
func (d *DistinctOn) endPass(level int) error {
	k := d.disk
	if k.parts == nil {
		return nil
	}
	if err := k.parts.finish(); err != nil {
		return err
	}
	for _, f := range k.parts.files {
		if f != nil {
			k.work = append(k.work, aggPart{f, level + 1})
		}
	}
	k.parts = nil
	d.seen.done()
	return nil
}

// pass finds the rows of a part that pass.
func (d *DistinctOn) pass(part aggPart) error {
	k := d.disk
	d.seen.reset()
	columns, last := len(k.types)-1-len(d.keys), len(k.types)-1
	run := d.seen.spill.file(k.runs.types)
	for r := part.f.Reader(); ; {
		b, err := r.Next()
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		k.block = r.MemoryBytes() + run.MemoryBytes()
		numbers := b.Cols[last].Ints
		rows := vector.Batch{Cols: b.Cols[:columns], N: b.N}
		if err := d.take(&rows, b.Cols[columns:last], func(i int) int64 { return numbers[i] }, func(i int) error {
			k.row = append(append(k.row[:0], rows.Cols...), b.Cols[last])
			return run.Append(k.row, i)
		}); err != nil {
			return err
		}
	}
	k.block = 0
	k.work = k.work[:len(k.work)-1]
	if err := errors.Join(part.f.Close(), run.Finish()); err != nil {
		return err
	}
	if err := d.endPass(part.level); err != nil {
		return err
	}
	d.seen.done()
	return k.runs.add(run)
}

// Close frees the keys seen and closes the input.
func (d *DistinctOn) Close() error {
	d.disk = nil
	return errors.Join(d.seen.close(), d.In.Close())
}

// Stats returns what the operator counted.
func (d *DistinctOn) Stats() Stats {
	s := d.stats
	if d.seen.s != nil {
		s.OtherType = d.seen.s.OtherType
	}
	d.seen.spill.count(&s)
	return s
}
