package exec

import (
	"context"
	"slices"

	"github.com/seed69692123/netdb/planner/spill"
	"github.com/seed69692123/netdb/planner/vector"
)

// joinBlock joins the next block of the probe side with all of the build side, a chunk at a time.
func (j *Join) joinBlock(ctx context.Context) error {
	d := j.disk
	d.block = vector.NewRows(j.gate, j.probeTypes())
	d.numbers = d.numbers[:0]
	for d.block.MemoryBytes() < j.spill.share()/4 {
		if err := j.moreProbe(ctx); err != nil {
			return err
		}
		if j.in == nil {
			break
		}
		for k := range j.in.Rows() {
			i := j.in.Row(k)
			if _, err := d.block.Append(j.probeRow(i), i); err != nil {
				return err
			}
			d.numbers = append(d.numbers, d.no.Ints[0])
		}
		j.holdDisk()
		if err := j.s.rows(j.in.Sel, j.in.N); err != nil {
			return err
		}
	}
	d.partner = make([]lookupState, len(d.numbers))
	if len(d.numbers) > 0 {
		if err := j.joinChunks(ctx); err != nil {
			return err
		}
	}
	d.block = nil
	j.holdDisk()
	if j.Kind == JoinFull && d.ended && d.failed.err == nil {
		return j.writeUnseen()
	}
	return nil
}

// joinChunks joins the block with one chunk of the build side after the other.
func (j *Join) joinChunks(ctx context.Context) error {
	d := j.disk
	kind := j.Kind
	switch kind {
	case JoinLeft, JoinFull:
		kind = JoinInner
	case JoinAnti:
		kind = JoinSemi
	}
	for r := d.file.Reader(); r.More(); {
		chunk := &fileScan{j: j, f: d.file, r: r, limit: j.spill.share() / 4}
		probe := &rowsScan{rows: d.block}
		part := joinPart{of: j}
		switch kind {
		case JoinInner:
		case JoinSingle: // a second partner is an error
			part.seed = func(n int64) lookupState { return *j.stateOf(n) }
		default: // one is enough
			if !slices.ContainsFunc(d.partner, func(s lookupState) bool { return s != stateFound }) {
				return j.writeSingle() // no chunk would be read
			}
			probe.leave = d.partner
		}
		sub, core := j.subJoin(chunk, probe, kind, part)
		core.Env.share = j.spill.share() / 2
		if err := j.collect(ctx, sub, core, d.failed.err != nil); err != nil {
			return err
		}
	}
	if j.Kind == JoinInner {
		return nil
	}
	return j.writeSingle()
}

// stateOf returns what is known of the row of the block with a number.
func (j *Join) stateOf(number int64) *lookupState {
	at, _ := slices.BinarySearch(j.disk.numbers, number)
	return &j.disk.partner[at]
}

// met notes what a chunk has given for the row of the block with a number, and reports whether that is a row of the answer.
func (j *Join) met(b *vector.Batch, i int, number int64, sub *Join) bool {
	d := j.disk
	state := j.stateOf(number)
	before := *state
	switch j.Kind {
	case JoinSemi, JoinAnti:
		*state = stateFound
		return false // with the others, so that the mark of all is one column
	case JoinMark, JoinSingle, JoinFirst:
		switch mark := b.Cols[len(b.Cols)-1]; {
		case mark.Null(i):
			*state = max(*state, stateNull)
		case mark.Bool(i):
			*state = stateFound
		}
		return j.Kind != JoinMark && before != stateFound && *state == stateFound
	case JoinFull:
		n := b.Cols[len(sub.LeftTypes)+sub.part.build].Ints[i]
		d.seen.grow(int(n>>6) + 1)
		*d.seen.at(int(n >> 6)) |= 1 << (n & 63)
	}
	*state = stateFound
	return true
}

// writeSingle writes the rows of the block that come without columns of a partner, as a run.
func (j *Join) writeSingle() error {
	d := j.disk
	f := j.spill.file(d.results.types)
	row := make([]*vector.Vector, len(d.results.types))
	for k := range row {
		row[k] = &nullRow
	}
	mark := vector.New(vector.Bool, 1)
	mark.Resize(vector.Bool, 1)
	mark.Const = true
	if k := len(row) - 2; j.Kind == JoinMark || j.Kind == JoinSingle || j.Kind == JoinFirst {
		row[k] = mark
	}
	at := 0
	for p := range d.block.Pages() {
		cols, n := d.block.Page(p)
		copy(row, cols[:len(j.LeftTypes)])
		row[len(row)-1] = cols[len(cols)-1]
		for i := range n {
			state := d.partner[at]
			alone := state != stateFound
			switch j.Kind {
			case JoinSemi:
				alone = !alone
			case JoinMark:
				alone = true
				mark.Resize(vector.Bool, 1)
				mark.Const = true
				if mark.Bools[0] = state == stateFound; state == stateNull {
					mark.SetNull(0)
				}
			}
			if alone && (d.failed.err == nil || d.numbers[at] < d.failed.row) {
				if err := f.Append(row, i); err != nil {
					return err
				}
			}
			at++
		}
		if err := j.s.rows(nil, n); err != nil {
			return err
		}
	}
	return j.addRun(f)
}

// writeUnseen writes the build rows of a full join that have had no partner, as a run.
func (j *Join) writeUnseen() error {
	d := j.disk
	f := j.spill.file(d.results.types)
	for r := d.file.Reader(); ; {
		b, err := r.Next()
		if err != nil {
			return err
		}
		if b == nil {
			return j.addRun(f)
		}
		for i := range b.N {
			n := b.Cols[len(b.Cols)-1].Ints[i]
			if w := int(n >> 6); w < d.seen.n && *d.seen.at(w)>>(n&63)&1 != 0 {
				continue
			}
			if err := j.writeAlone(f, b.Cols, i, n); err != nil {
				return err
			}
		}
		if err := j.s.rows(nil, b.N); err != nil {
			return err
		}
	}
}

func (j *Join) addRun(f *spill.File) error {
	if err := f.Finish(); err != nil {
		return err
	}
	return j.disk.results.add(f)
}

// rowsScan gives rows in memory, but those that have a partner according to leave.
type rowsScan struct {
	rows  *vector.Rows
	leave []lookupState
	at    int
	first int // number of the page's first row
	sel   vector.Sel
	out   vector.Batch
}

// Open implements Operator.
func (s *rowsScan) Open(context.Context) error { return nil }

// Next implements Operator.
func (s *rowsScan) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		if err := ctx.Err(); err != nil || s.at == s.rows.Pages() {
			return nil, err
		}
		s.out.Cols, s.out.N = s.rows.Page(s.at)
		s.out.Sel = nil
		first := s.first
		s.at++
		s.first += s.out.N
		if s.leave == nil {
			return &s.out, nil
		}
		s.sel = s.sel[:0]
		for i := range s.out.N {
			if s.leave[first+i] != stateFound {
				s.sel = append(s.sel, int32(i))
			}
		}
		if len(s.sel) > 0 {
			s.out.Sel = s.sel
			return &s.out, nil
		}
	}
}

// Close implements Operator.
func (s *rowsScan) Close() error { return nil }

// Stats implements Operator.
func (s *rowsScan) Stats() Stats { return Stats{} }
