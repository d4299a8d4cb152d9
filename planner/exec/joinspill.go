package exec

import (
	"context"
	"errors"
	"slices"

	"github.com/seed69692123/netdb/planner/spill"
	"github.com/seed69692123/netdb/planner/vector"
)

// joinDisk is what a Join does when its build side is more than memory. With keys both sides are divided by hash to disk and the
// parts are joined one by one, each by a Join that may divide again (a grace hash join). A part that does not become smaller, and a
// join without keys, is a nested loop over blocks: as many probe rows as memory holds meet one chunk of the build side after the
// other. Either way rows carry the number of their probe row, by which what was joined is merged: the order is that of a join in
// memory. Joins that give each left row once do the same with parts of their own kind (joinOuter). In a full join build rows have
// numbers too: those without a partner come behind all others, by these.
type joinDisk struct {
	build *partitions
	file  *spill.File // the build side of a nested loop
	probe *partitions

	next    int64 // number of the next probe row
	extra   []int // keys of the probe side that are no column
	row     []*vector.Vector
	no      vector.Vector
	block   *vector.Rows  // probe rows of a nested loop
	numbers []int64       // of these
	partner []lookupState // whether they have had one
	seen    paged[uint64] // a bit for each build row of a full join that has had one in a nested loop
	builds  int64         // number of the next build row
	buildNo numberColumn
	single  *spill.File // rows of the build side of a full join whose key is NULL
	ended   bool        // the probe side has
	results *diskRuns
	final   *diskMerge
	out     vector.Batch
	failed  rowFailure // the probe row at which the join fails
	sub     Operator   // the part that is running, and its Join
	core    *Join
}

// joinPart is what a Join knows that is a part of another one.
type joinPart struct {
	of        *Join
	level     int
	loop      bool // to divide it would not help
	number    int  // column of the probe side with the numbers of rows
	build     int  // column of the build side with the numbers of rows, of a full join
	seed      func(number int64) lookupState
	failed    int64 // number of the probe row that failed
	otherType int64 // of the parts of this one
}

// note keeps the number of the probe row whose pair failed.
func (p *joinPart) note(j *Join, rows []int32, err error) {
	if err != nil && p.of != nil {
		p.noteRow(j, int(rows[j.res.failedAt]))
	}
}

// noteRow keeps the number of a probe row that failed.
func (p *joinPart) noteRow(j *Join, row int) {
	if p.of != nil {
		p.failed = j.in.Cols[p.number].Ints[row]
	}
}

// headBytes is the most that a row of the build side takes of the table of chains.
const headBytes = 16

// toDisk puts the rows of the build side on disk, and those that are to come.
func (j *Join) toDisk() error {
	bs := &j.build
	d := &joinDisk{}
	j.disk = d
	types := append(j.outTypes(), vector.Int)
	for _, t := range types[:len(types)-1] {
		d.out.Cols = append(d.out.Cols, vector.New(t, 0))
	}
	d.results = &diskRuns{p: &j.spill, types: types, key: len(types) - 1}
	if len(bs.keys) == 0 || j.part.loop {
		d.file = j.spill.file(j.buildTypes())
		j.spill.pass(1)
	} else {
		d.build = newPartitions(&j.spill, j.buildTypes(), j.part.level)
	}
	for i := range bs.refs.n {
		ref := bs.refs.at(i)
		cols, row := bs.rows.Row(ref.loc)
		if err := j.writeBuild(cols, row, ref.hash); err != nil {
			return err
		}
		bs.rows.Release(ref.loc)
		if err := j.s.Step(rowStep); err != nil {
			return err
		}
	}
	bs.rows, bs.refs = vector.NewRows(j.gate, bs.rows.Types()), paged[buildRef]{}
	j.holdDisk()
	return nil
}

// holdDisk sets the account to what is held while rows are written.
func (j *Join) holdDisk() {
	d := j.disk
	n := d.build.bytes() + d.probe.bytes() + int64(len(d.numbers)*9) + d.seen.bytes()
	if d.single != nil {
		n += d.single.MemoryBytes()
	}
	if d.file != nil {
		n += d.file.MemoryBytes()
	}
	if d.block != nil {
		n += d.block.MemoryBytes()
	}
	j.spill.base = n
	j.acct.force(n + j.spill.memory())
}

// writeBuild writes a row of the build side to disk, unless it cannot have a partner and need not come alone.
func (j *Join) writeBuild(cols []*vector.Vector, i int, hash uint64) error {
	d := j.disk
	number := d.builds
	if j.Kind == JoinFull {
		if d.builds++; j.part.of == nil {
			d.row = append(append(d.row[:0], cols...), d.buildNo.of(number))
			cols = d.row
		} else {
			number = cols[j.part.build].Ints[i]
		}
	}
	for _, k := range j.build.keys {
		if !cols[k].Null(i) {
			continue
		}
		if j.Kind != JoinFull {
			return nil
		}
		if d.single == nil {
			d.single = j.spill.file(d.results.types)
		}
		return j.spill.fail(j.writeAlone(d.single, cols, i, number))
	}
	if d.file != nil {
		return j.spill.fail(d.file.Append(cols, i))
	}
	return d.build.add(cols, i, hash)
}

// aloneNumber is added to the numbers of build rows without a partner: they come behind all probe rows.
const aloneNumber = 1 << 62

// writeAlone writes a row of the build side that has no partner.
func (j *Join) writeAlone(f *spill.File, cols []*vector.Vector, i int, number int64) error {
	row := make([]*vector.Vector, 0, len(j.disk.results.types))
	for range j.LeftTypes {
		row = append(row, &nullRow)
	}
	row = append(append(row, cols[:len(j.RightTypes)]...), j.disk.buildNo.of(aloneNumber+number))
	return f.Append(row, i)
}

// nullRow is a column of NULL; it never changes.
var nullRow = vector.Vector{Type: vector.Any, Len: 1, Const: true, Classes: []vector.Class{vector.ClassNull}, Bits: []uint64{0}}

// buildTypes are the columns of build rows on disk: their own, the keys that are no column and, of a full join, the number.
func (j *Join) buildTypes() []vector.Type {
	types := j.build.rows.Types()
	if j.Kind == JoinFull && j.part.of == nil {
		types = append(slices.Clone(types), vector.Int)
	}
	return types
}

// keepOnDisk writes rows of the build side to disk, if that is where they have to go.
func (j *Join) keepOnDisk(row *vector.Batch) (bool, error) {
	if j.disk == nil {
		if j.build.refs.n == 0 || !j.spill.crowded(row, nil) {
			return false, nil
		}
		if err := j.toDisk(); err != nil {
			return false, err
		}
	}
	for k := range row.Rows() {
		i := row.Row(k)
		hash := uint64(0)
		if len(j.build.keys) > 0 {
			hash = j.hashes[i]
		}
		if err := j.writeBuild(row.Cols, i, hash); err != nil {
			return false, err
		}
	}
	j.holdDisk()
	return true, j.s.rows(row.Sel, row.N)
}

// endBuildOnDisk is called when the build side was read.
func (j *Join) endBuildOnDisk() error {
	d := j.disk
	var err error
	switch {
	case j.build.err != nil && j.Kind != JoinFull: // which rows there are does not matter: the first probe row ends the join
		err = j.spill.drop()
		j.disk = nil
		j.acct.force(0)
		return err
	case d.file != nil:
		err = j.spill.fail(d.file.Finish())
	default:
		err = d.build.finish()
	}
	if err == nil && d.single != nil {
		if err = d.single.Finish(); err == nil {
			err = d.results.add(d.single)
		}
		d.single, err = nil, j.spill.fail(err)
	}
	d.no.Resize(vector.Int, 1)
	d.no.Const = true
	_, keys := j.probeSide()
	for k, x := range keys {
		if _, ok := x.(*Col); !ok {
			d.extra = append(d.extra, k)
		}
	}
	j.holdDisk()
	return err
}

// probeSide returns the types of the probe side's columns and its keys.
func (j *Join) probeSide() ([]vector.Type, []Expr) {
	if j.BuildLeft {
		return j.RightTypes, j.RightKeys
	}
	return j.LeftTypes, j.LeftKeys
}

// probeTypes are the columns of probe rows on disk: their own, the keys that are no column, the number.
func (j *Join) probeTypes() []vector.Type {
	types, keys := j.probeSide()
	types = slices.Clone(types)
	for _, k := range j.disk.extra {
		types = append(types, keys[k].Type())
	}
	return append(types, vector.Int)
}

// probeRow returns the columns of probe row i of j.in, with its number.
func (j *Join) probeRow(i int) []*vector.Vector {
	d := j.disk
	d.row = append(d.row[:0], j.in.Cols...)
	for _, k := range d.extra {
		d.row = append(d.row, j.keys[k])
	}
	d.no.Ints[0] = d.next
	if j.part.of != nil {
		d.no.Ints[0] = j.in.Cols[j.part.number].Ints[i]
	}
	d.next = d.no.Ints[0] + 1
	return append(d.row, &d.no)
}

// moreProbe takes the next rows of the probe side into j.in; none are left when it is nil. An error of a row counts behind those
// before it.
func (j *Join) moreProbe(ctx context.Context) error {
	d := j.disk
	j.in = nil
	if d.ended {
		return nil
	}
	err := j.pending
	if err == nil {
		err = j.nextProbe(ctx)
	}
	if err != nil {
		var ve *ValueError
		if !errors.As(err, &ve) {
			return err
		}
		d.failed.note(d.next, err)
	}
	d.ended = err != nil || j.in == nil
	return nil
}

// nextFromDisk returns the next pairs.
func (j *Join) nextFromDisk(ctx context.Context) (*vector.Batch, error) {
	d := j.disk
	for {
		if d.final == nil {
			if d.ended {
				return nil, d.failed.err
			}
			var err error
			if d.file != nil {
				err = j.joinBlock(ctx)
			} else {
				err = j.joinParts(ctx)
			}
			if err == nil {
				d.final, err = d.results.finish()
			}
			if err != nil {
				return nil, j.spill.fail(err)
			}
		}
		err := d.final.next(&d.out, j.Env.batchRows(), func(cols []*vector.Vector, i int) bool {
			return d.failed.err != nil && cols[len(cols)-1].Ints[i] > d.failed.row
		})
		j.stats.PeakBytes = max(j.stats.PeakBytes, j.acct.peak)
		if err != nil {
			return nil, err
		}
		if d.out.N > 0 {
			j.stats.Rows += int64(d.out.N)
			return &d.out, nil
		}
		if d.failed.err != nil {
			return nil, d.failed.err
		}
		if err := d.final.close(); err != nil {
			return nil, err
		}
		d.final = nil
	}
}

// joinParts divides the probe side and joins the parts.
func (j *Join) joinParts(ctx context.Context) error {
	d := j.disk
	d.probe = newPartitions(&j.spill, j.probeTypes(), j.part.level)
	for {
		if err := j.moreProbe(ctx); err != nil {
			return err
		}
		if j.in == nil {
			break
		}
		for k := range j.in.Rows() {
			i := j.in.Row(k)
			row := j.probeRow(i)
			if (j.Kind == JoinInner || j.Kind == JoinSemi) && d.build.files[d.build.part(j.hashes[i])] == nil {
				continue // it has no partner
			}
			if err := d.probe.add(row, i, j.hashes[i]); err != nil {
				return err
			}
		}
		j.holdDisk()
		if err := j.s.rows(j.in.Sel, j.in.N); err != nil {
			return err
		}
	}
	if err := d.probe.finish(); err != nil {
		return err
	}
	j.holdDisk()
	for k, probe := range d.probe.files {
		build := d.build.files[k]
		if probe == nil && (j.Kind != JoinFull || build == nil) {
			continue
		}
		loop := j.part.level > 0 && build != nil && build.Rows() == d.build.rows || j.part.level >= maxLevel
		b, p := &fileScan{j: j, f: build}, &fileScan{j: j, f: probe}
		sub, core := j.subJoin(b, p, j.Kind, joinPart{of: j, level: j.part.level + 1, loop: loop})
		core.Env.share = j.spill.share() - j.spill.share()/16
		core.Env.Spill = j.Env.Spill
		if err := j.collect(ctx, sub, core, false); err != nil {
			return err
		}
		if build != nil {
			if err := build.Close(); err != nil {
				return err
			}
		}
		if probe != nil {
			if err := probe.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

// subJoin returns a join of a part of the build side with one of the probe side, whose columns are those on disk.
func (j *Join) subJoin(build, probe Operator, kind JoinKind, part joinPart) (Operator, *Join) {
	d := j.disk
	e := *j.Env
	e.Spill = nil
	sub := &Join{Kind: kind, BuildLeft: j.BuildLeft, Env: &e, part: part}
	bt, pt := j.buildTypes(), j.probeTypes()
	sub.part.number, sub.part.build = len(pt)-1, len(bt)-1
	var bk, pk []Expr
	_, keys := j.probeSide()
	at := len(pt) - 1 - len(d.extra)
	for k, x := range keys {
		bk = append(bk, &Col{Index: j.build.keys[k], T: bt[j.build.keys[k]]})
		if c, ok := x.(*Col); ok {
			pk = append(pk, &Col{Index: c.Index, T: pt[c.Index]})
			continue
		}
		pk = append(pk, &Col{Index: at, T: pt[at]})
		at++
	}
	sub.Left, sub.LeftTypes, sub.LeftKeys = probe, pt, pk
	sub.Right, sub.RightTypes, sub.RightKeys = build, bt, bk
	if j.BuildLeft {
		sub.Left, sub.Right = sub.Right, sub.Left
		sub.LeftTypes, sub.RightTypes = sub.RightTypes, sub.LeftTypes
		sub.LeftKeys, sub.RightKeys = sub.RightKeys, sub.LeftKeys
	}
	more := len(sub.LeftTypes) - len(j.LeftTypes)
	move := func(x Expr) Expr {
		return Rewrite(x, func(e Expr) Expr {
			c, ok := e.(*Col)
			if !ok || c.Index < len(j.LeftTypes) {
				return e
			}
			moved := *c
			moved.Index += more
			return &moved
		})
	}
	for _, x := range j.Residual {
		sub.Residual = append(sub.Residual, move(x))
	}
	if j.outer != nil {
		return j.outer.subOf(sub, move)
	}
	return sub, sub
}

// collect writes what a part of the join gives as a run; of one that comes behind a pair that failed, only rows before that one.
func (j *Join) collect(ctx context.Context, op Operator, sub *Join, before bool) error {
	d := j.disk
	d.sub, d.core = op, sub
	if err := op.Open(ctx); err != nil {
		return err
	}
	number := sub.part.number
	if j.BuildLeft {
		number += len(sub.LeftTypes)
	}
	last := d.failed.row
	f := j.spill.file(d.results.types)
	for {
		b, err := op.Next(ctx)
		var ve *ValueError
		if errors.As(err, &ve) {
			d.failed.note(sub.failedNumber(), err)
			break
		}
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		d.row = append(j.outRow(d.row[:0], b, sub), b.Cols[number])
		for k := range b.Rows() {
			i := b.Row(k)
			n := b.Cols[number].Ints[i]
			if j.Kind == JoinFull && b.Cols[number].Null(i) {
				n = b.Cols[len(sub.LeftTypes)+sub.part.build].Ints[i]
				if err := j.writeAlone(f, b.Cols[len(sub.LeftTypes):], i, n); err != nil {
					return err
				}
				continue
			}
			if before && n >= last {
				break
			}
			if d.block != nil && !j.met(b, i, n, sub) {
				continue
			}
			if err := f.Append(d.row, i); err != nil {
				return err
			}
		}
		if err := j.s.rows(b.Sel, b.N); err != nil {
			return err
		}
	}
	if err := j.closeSub(); err != nil {
		return err
	}
	if err := f.Finish(); err != nil {
		return err
	}
	return d.results.add(f)
}

// failedNumber returns the number of the probe row at which the join has failed.
func (j *Join) failedNumber() int64 {
	if j.disk != nil {
		return j.disk.failed.row
	}
	return j.part.failed
}

// closeSub ends the part of the join that is running.
func (j *Join) closeSub() error {
	sub := j.disk.sub
	if sub == nil {
		return nil
	}
	j.disk.sub, j.disk.core = nil, nil
	err := sub.Close()
	s := sub.Stats()
	j.part.otherType += s.OtherType
	j.spill.wrote += s.SpillBytes
	j.spill.pass(int(s.SpillPasses) + 1)
	j.stats.PeakBytes = max(j.stats.PeakBytes, s.PeakBytes)
	return err
}

// closeDisk removes the files.
func (j *Join) closeDisk() error {
	var err error
	if j.disk != nil {
		err = j.closeSub()
		j.disk.block, j.disk.final, j.disk.ended = nil, nil, true
	}
	j.acct.release()
	return errors.Join(err, j.spill.close())
}

// fileScan gives the rows of a file: all, or from where a Reader stands so many bytes.
type fileScan struct {
	j     *Join
	f     *spill.File // nil has no row
	r     *spill.Reader
	limit int64
	given int64
	acct  account
}

// Open implements Operator.
func (s *fileScan) Open(context.Context) error {
	s.acct = newAccount(s.j.Env, "join")
	if s.f != nil && s.r == nil {
		s.r = s.f.Reader()
	}
	return nil
}

// Next implements Operator.
func (s *fileScan) Next(ctx context.Context) (*vector.Batch, error) {
	if err := ctx.Err(); err != nil || s.r == nil || s.limit > 0 && s.given >= s.limit {
		return nil, err
	}
	b, err := s.r.Next()
	if err != nil || b == nil {
		return nil, err
	}
	s.acct.force(s.r.MemoryBytes())
	s.given += s.acct.held + int64(b.N)*2*headBytes // with what a join makes of it
	return b, nil
}

// Close implements Operator.
func (s *fileScan) Close() error {
	s.acct.release()
	return nil
}

// Stats implements Operator.
func (s *fileScan) Stats() Stats { return Stats{} }
