package exec

import (
	"context"
	"errors"
	"slices"

	"github.com/seed69692123/netdb/planner/spill"
	"github.com/seed69692123/netdb/planner/vector"
)

// setDisk is what a SetOp does when its right side is more than memory. Right rows that are in memory go on to be counted there, and
// left rows that meet them are decided at once. The others of both sides are divided by hash, and each part is a pass like the
// first. Left rows carry their numbers, by which those that come out are merged.
type setDisk struct {
	right  *partitions // with how often each row comes
	left   *partitions
	in     *vector.Batch // the first batch of the left side
	next   int64         // number of the next left row
	number numberColumn
	row    []*vector.Vector
	block  int64 // bytes of what is read
	work   []setPart
	run    *spill.File // rows of this pass that come out
	runs   *diskRuns
	final  *diskMerge
	failed error // of the left side, behind all rows
	out    vector.Batch
}

// setPart is the rows of both sides that are in one part, divided so many times.
type setPart struct {
	right, left *spill.File
	level       int
}

// rightToDisk writes row i of the right side, which comes so many times.
func (o *SetOp) rightToDisk(cols []*vector.Vector, i int, hash uint64, times int64) error {
	if o.disk == nil {
		o.disk = &setDisk{}
	}
	d := o.disk
	if d.right == nil {
		d.right = newPartitions(&o.right.spill, o.diskTypes(), d.level())
	}
	d.row = append(append(d.row[:0], cols...), d.number.of(times))
	return d.right.add(d.row, i, hash)
}

// diskTypes are the columns of rows on disk: their own and a count or number.
func (o *SetOp) diskTypes() []vector.Type { return append(slices.Clone(o.Types), vector.Int) }

// level is how often the rows of this pass were divided.
func (d *setDisk) level() int {
	if k := len(d.work); k > 0 {
		return d.work[k-1].level
	}
	return 0
}

// nextFromDisk returns the next rows.
func (o *SetOp) nextFromDisk(ctx context.Context) (*vector.Batch, error) {
	d := o.disk
	if d.final == nil {
		if err := o.drain(ctx); err != nil {
			return nil, o.right.spill.fail(err)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err := d.final.next(&d.out, o.Env.batchRows(), nil)
	o.stats.PeakBytes = max(o.stats.PeakBytes, o.right.acct.peak)
	if err != nil {
		return nil, err
	}
	if d.out.N == 0 {
		return nil, d.failed
	}
	return &d.out, nil
}

// drain reads the left side and makes all passes.
func (o *SetOp) drain(ctx context.Context) error {
	d := o.disk
	d.runs = &diskRuns{p: &o.right.spill, types: o.diskTypes(), key: len(o.Types)}
	for _, t := range o.Types {
		d.out.Cols = append(d.out.Cols, vector.New(t, 0))
	}
	d.left = newPartitions(&o.right.spill, o.diskTypes(), 0)
	d.run = o.right.spill.file(o.diskTypes())
	b := d.in
	for d.in = nil; b != nil; {
		hashes, err := o.side(b, 0)
		if err != nil {
			return err
		}
		if err := o.meetOnDisk(&vector.Batch{Cols: o.cols, N: b.N, Sel: b.Sel}, hashes, nil); err != nil {
			return err
		}
		b, err = o.Left.Next(ctx)
		var ve *ValueError
		if err != nil && !errors.As(err, &ve) {
			return err
		}
		if d.failed = err; err != nil {
			break
		}
	}
	if err := o.endPass(); err != nil {
		return err
	}
	for len(d.work) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := o.pass(d.work[len(d.work)-1]); err != nil {
			return err
		}
	}
	var err error
	d.final, err = d.runs.finish()
	return err
}

// meetOnDisk decides the rows of a left batch that are in memory, or on the right nowhere; the others go to disk.
func (o *SetOp) meetOnDisk(b *vector.Batch, hashes []uint64, numbers []int64) error {
	d := o.disk
	for k := range b.Rows() {
		i := b.Row(k)
		no := d.next
		if numbers != nil {
			no = numbers[i]
		}
		d.next = no + 1
		d.row = append(append(d.row[:0], b.Cols...), d.number.of(no))
		g := o.right.table.find(b.Cols, i, hashes[i])
		var err error
		switch {
		case g < 0 && d.right != nil && d.right.files[d.right.part(hashes[i])] != nil:
			err = d.left.add(d.row, i, hashes[i])
		case o.passes(g):
			err = d.run.Append(d.row, i)
		}
		if err != nil {
			return err
		}
		if err := o.right.s.Step(rowStep); err != nil {
			return err
		}
	}
	if err := o.right.s.Fault(); err != nil {
		return err
	}
	return o.hold()
}

// pass decides the rows of a part.
func (o *SetOp) pass(part setPart) error {
	d, r := o.disk, &o.right
	r.reset()
	d.right = nil
	if err := o.eachBlock(part.right, func(b *vector.Batch, hashes []uint64, times []int64) error {
		return o.take(b, hashes, times)
	}); err != nil {
		return err
	}
	if d.right != nil {
		if err := d.right.finish(); err != nil {
			return err
		}
	}
	d.left = newPartitions(&r.spill, o.diskTypes(), part.level)
	d.run = r.spill.file(o.diskTypes())
	if err := o.eachBlock(part.left, o.meetOnDisk); err != nil {
		return err
	}
	d.work = d.work[:len(d.work)-1]
	d.next = 0
	return o.endPassAt(part.level)
}

// eachBlock calls f with the rows of a file, their hashes and their last column, and removes it.
func (o *SetOp) eachBlock(f *spill.File, take func(b *vector.Batch, hashes []uint64, last []int64) error) error {
	r := f.Reader()
	for {
		b, err := r.Next()
		if err != nil {
			return err
		}
		if b == nil {
			o.disk.block = 0
			return f.Close()
		}
		o.disk.block = r.MemoryBytes()
		cols := b.Cols[:len(o.Types)]
		hashes, err := o.right.table.hash(cols, nil, b.N)
		if err != nil {
			return err
		}
		if err := take(&vector.Batch{Cols: cols, N: b.N}, hashes, b.Cols[len(o.Types)].Ints); err != nil {
			return err
		}
	}
}

func (o *SetOp) endPass() error { return o.endPassAt(0) }

// endPassAt adds the rows that came out as a run, and puts the parts that the pass has made on the list.
func (o *SetOp) endPassAt(level int) error {
	d := o.disk
	if err := d.left.finish(); err != nil {
		return err
	}
	for k, left := range d.left.files {
		if left != nil {
			d.work = append(d.work, setPart{d.right.files[k], left, level + 1})
		} else if d.right != nil && d.right.files[k] != nil {
			if err := d.right.files[k].Close(); err != nil {
				return err
			}
		}
	}
	d.right, d.left = nil, nil
	o.right.done()
	f := d.run
	d.run = nil
	if err := f.Finish(); err != nil {
		return err
	}
	return d.runs.add(f)
}
