package exec

import (
	"context"
	"errors"
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
)

// asofDisk is what an AsofJoin does when its right side is more than memory: both sides are sorted by keys and value and read once, side
// by side, and what was found is sorted back by the numbers of the left rows. The sorts put rows on disk; what is held beside them is one
// right row, so keys that come often do no harm.
type asofDisk struct {
	right, left *Sort
	back        *Sort
	pairs       *asofPairs
	failed      error // of a left row, behind those before it
	out         vector.Batch
}

// toDisk begins to join on disk. Rows of the right side that are in memory come first, then the others.
func (a *AsofJoin) toDisk() {
	e := *a.Env
	e.share = a.spill.share() / 3
	d := &asofDisk{}
	a.disk = d
	keys := func(types []vector.Type, from int, evals []Expr) []SortKey {
		var out []SortKey
		for k, x := range evals {
			out = append(out, SortKey{Expr: &Col{Index: from + k, T: x.Type()}})
		}
		return out
	}
	rightExprs := append(slices.Clone(a.RightKeys), a.RightValue)
	leftExprs := append(slices.Clone(a.LeftKeys), a.LeftValue)
	// The right side has the order of its value, and ties in theirs, but it is the order of the sort that is relied on.
	d.right = &Sort{In: &asofRight{a: a}, Keys: keys(a.RightTypes, len(a.RightTypes), rightExprs), Env: &e}
	d.left = &Sort{In: &asofLeft{a: a}, Keys: keys(a.LeftTypes, len(a.LeftTypes), leftExprs), Env: &e}
	d.pairs = &asofPairs{a: a}
	number := len(a.LeftTypes) + len(a.RightTypes)
	d.back = &Sort{In: d.pairs, Keys: []SortKey{{Expr: &Col{Index: number, T: vector.Int}}}, Env: &e}
}

// nextFromDisk returns the next left rows with their partners.
func (a *AsofJoin) nextFromDisk(ctx context.Context) (*vector.Batch, error) {
	d := a.disk
	if !d.pairs.open {
		d.pairs.open = true
		if err := d.back.Open(ctx); err != nil {
			return nil, err
		}
	}
	b, err := d.back.Next(ctx)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, d.failed
	}
	d.out = *b
	d.out.Cols = b.Cols[:len(b.Cols)-1]
	return &d.out, nil
}

// close closes the sorts and counts what they wrote.
func (d *asofDisk) close(a *AsofJoin) error {
	if d == nil || !d.pairs.open {
		return nil
	}
	d.pairs.open = false
	err := d.back.Close()
	for _, s := range []*Sort{d.right, d.left, d.back} {
		st := s.Stats()
		a.spill.wrote += st.SpillBytes
		a.spill.pass(int(st.SpillPasses))
		a.stats.PeakBytes += st.PeakBytes
	}
	return err
}

// asofRight gives the right side with its keys and value.
type asofRight struct {
	a     *AsofJoin
	page  int
	evals []evaluator
	vecs  []*vector.Vector
	s     *evalState
	cols  []*vector.Vector
	out   vector.Batch
}

// Open implements Operator.
func (r *asofRight) Open(context.Context) error {
	r.s = newEvalState(r.a.Env)
	r.evals = r.s.compileAll(append(slices.Clone(r.a.RightKeys), r.a.RightValue))
	r.vecs = make([]*vector.Vector, len(r.evals))
	return nil
}

// Next implements Operator.
func (r *asofRight) Next(ctx context.Context) (*vector.Batch, error) {
	r.s.begin(ctx)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !r.s.more() {
			b, err := r.batch(ctx)
			if err != nil || b == nil {
				return nil, err
			}
			r.s.take(b)
		}
		r.out.N = 0
		err := r.s.part(func(b *vector.Batch) error {
			sel, err := evalAll(r.evals, b, b.Sel, r.vecs)
			if err != nil {
				return err // readRight has seen that there is none
			}
			r.cols = append(append(r.cols[:0], b.Cols[:len(r.a.RightTypes)]...), r.vecs...)
			r.out = vector.Batch{Cols: r.cols, N: b.N, Sel: withoutNulls(r.vecs, sel, b.N)}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if r.out.Rows() > 0 {
			return &r.out, nil
		}
	}
}

// batch returns the next rows of the right side: those in memory, the batch for which there was no room, the others.
func (r *asofRight) batch(ctx context.Context) (*vector.Batch, error) {
	a := r.a
	if a.rows != nil && r.page < a.rows.Pages() {
		cols, n := a.rows.Page(r.page)
		r.page++
		return &vector.Batch{Cols: cols[:len(a.RightTypes)], N: n}, nil
	}
	if a.rows != nil {
		a.rows = nil
		a.acct.force(0)
	}
	if b := a.waiting; b != nil {
		a.waiting = nil
		return b, nil
	}
	return a.Right.Next(ctx)
}

// Close implements Operator.
func (r *asofRight) Close() error { r.s.close(); return nil }

// Stats implements Operator.
func (r *asofRight) Stats() Stats { return Stats{} }

// withoutNulls returns the rows of sel where no column is NULL.
func withoutNulls(cols []*vector.Vector, sel vector.Sel, n int) vector.Sel {
	out := vector.Sel{}
	sel.All(n, func(i int) {
		if !slices.ContainsFunc(cols, func(v *vector.Vector) bool { return v.Null(i) }) {
			out = append(out, int32(i))
		}
	})
	return out
}

// asofLeft gives the left side with its keys and value, and the numbers of its rows.
type asofLeft struct {
	a      *AsofJoin
	s      *evalState
	evals  []evaluator
	vecs   []*vector.Vector
	number vector.Vector
	next   int64
	cols   []*vector.Vector
	out    vector.Batch
	ended  bool
}

// Open implements Operator.
func (l *asofLeft) Open(context.Context) error {
	l.s = newEvalState(l.a.Env)
	l.evals = l.s.compileAll(append(slices.Clone(l.a.LeftKeys), l.a.LeftValue))
	l.vecs = make([]*vector.Vector, len(l.evals))
	return nil
}

// Next implements Operator. Behind a row that fails there are none.
func (l *asofLeft) Next(ctx context.Context) (*vector.Batch, error) {
	l.s.begin(ctx)
	for !l.ended {
		if !l.s.more() {
			b, err := l.a.first, error(nil)
			if l.a.first = nil; b == nil {
				b, err = l.a.Left.Next(ctx)
			}
			if err := l.fail(err); err != nil || b == nil {
				return nil, err
			}
			l.s.take(b)
		}
		l.out.N = 0
		if err := l.fail(l.s.part(func(b *vector.Batch) error {
			sel, err := evalAll(l.evals, b, b.Sel, l.vecs)
			l.number.Resize(vector.Int, b.N)
			for i := range b.N {
				l.number.Ints[i] = l.next + int64(i)
			}
			l.next += int64(b.N)
			l.cols = append(append(append(l.cols[:0], b.Cols...), l.vecs...), &l.number)
			l.out = vector.Batch{Cols: l.cols, N: b.N, Sel: sel}
			return err
		})); err != nil {
			return nil, err
		}
		if l.out.Rows() > 0 {
			return &l.out, nil
		}
	}
	return nil, nil
}

// fail notes the error of a value, behind which there is no row; others are returned.
func (l *asofLeft) fail(err error) error {
	var ve *ValueError
	if err == nil || !errors.As(err, &ve) {
		return err
	}
	l.ended, l.a.disk.failed = true, err
	return nil
}

// Close implements Operator.
func (l *asofLeft) Close() error { l.s.close(); return nil }

// Stats implements Operator.
func (l *asofLeft) Stats() Stats { return Stats{} }

// asofPairs gives left rows with their partners, in the order of keys and value.
type asofPairs struct {
	a     *AsofJoin
	open  bool
	begun bool
	left  *vector.Batch
	at    int // rows of left that were given out
	right *vector.Batch
	next  int // of right: the first row that is not before the left one
	kept  *vector.Rows
	cand  []*vector.Vector // the last row before next, its place, and whether it is in right
	row   int
	here  bool
	out   vector.Batch
}

// Open opens the sorts.
func (p *asofPairs) Open(ctx context.Context) error {
	a := p.a
	for _, t := range append(append(slices.Clone(a.LeftTypes), a.RightTypes...), vector.Int) {
		p.out.Cols = append(p.out.Cols, vector.New(t, 0))
	}
	if err := a.disk.left.Open(ctx); err != nil {
		return err
	}
	return a.disk.right.Open(ctx)
}

// Next implements Operator.
func (p *asofPairs) Next(ctx context.Context) (*vector.Batch, error) {
	a := p.a
	if !p.begun {
		p.begun = true
		if err := p.nextRight(ctx); err != nil {
			return nil, err
		}
	}
	for k, v := range p.out.Cols {
		v.Reset(p.types(k))
	}
	p.out.N, p.out.Sel = 0, nil
	data := 0
	for p.out.N < a.Env.batchRows() {
		if p.left == nil || p.at == p.left.Rows() {
			if p.out.N > 0 {
				break
			}
			b, err := a.disk.left.Next(ctx)
			if err != nil || b == nil {
				return nil, err
			}
			p.left, p.at = b, 0
		}
		i := p.left.Row(p.at)
		cols, row, wait, err := p.partner(ctx, i, p.out.N > 0)
		if err != nil {
			return nil, err
		}
		if wait {
			break
		}
		if cols == nil && a.Kind == JoinInner {
			p.at++
			continue
		}
		size := 0
		for _, v := range p.left.Cols[:len(a.LeftTypes)] {
			size += v.DataLen(i)
		}
		for k := range a.RightTypes {
			if cols != nil {
				size += cols[k].DataLen(row)
			}
		}
		if data += size; p.out.N > 0 && data > partBytes {
			break
		}
		p.at++
		if p.put(i, cols, row, size >= vector.LargeBytes); size >= vector.LargeBytes {
			break
		}
	}
	return &p.out, ctx.Err()
}

func (p *asofPairs) types(k int) vector.Type {
	a := p.a
	switch l := len(a.LeftTypes); {
	case k < l:
		return a.LeftTypes[k]
	case k < l+len(a.RightTypes):
		return a.RightTypes[k-l]
	}
	return vector.Int
}

// put appends left row i with its partner. A large row is alone, and not copied.
func (p *asofPairs) put(i int, cols []*vector.Vector, row int, large bool) {
	l := len(p.a.LeftTypes)
	for k, v := range p.out.Cols {
		var src *vector.Vector
		at := i
		switch {
		case k < l:
			src = p.left.Cols[k]
		case k == len(p.out.Cols)-1:
			src = p.left.Cols[len(p.left.Cols)-1]
		case cols != nil:
			src, at = cols[k-l], row
		}
		switch {
		case src == nil:
			v.AppendNull()
		case large:
			v.Gather(src, []int32{int32(at)})
		default:
			v.AppendFrom(src, at)
		}
	}
	p.out.N++
}

// nextRight gets the next batch of the right side; the row that may be a partner still is copied before.
func (p *asofPairs) nextRight(ctx context.Context) error {
	a := p.a
	if p.here {
		types := make([]vector.Type, len(p.cand))
		for k, v := range p.cand {
			types[k] = v.Type
		}
		p.kept, p.here = vector.NewRows(a.gate, types), false
		l, err := p.kept.Append(p.cand, p.row)
		if err != nil {
			return err
		}
		p.cand, p.row = p.kept.Row(l)
		a.acct.force(p.kept.MemoryBytes())
	}
	var err error
	p.right, err = a.disk.right.Next(ctx)
	p.next = 0
	return err
}

// partner finds the partner of left row i. It waits when that would take the next batch while rows of this one are in out.
func (p *asofPairs) partner(ctx context.Context, i int, some bool) (cols []*vector.Vector, row int, wait bool, err error) {
	a := p.a
	l := p.left.Cols[len(a.LeftTypes) : len(p.left.Cols)-1]
	if slices.ContainsFunc(l, func(v *vector.Vector) bool { return v.Null(i) }) {
		return nil, 0, false, nil
	}
	equal := a.Op == vector.Ge || a.Op == vector.Lt // rows with an equal value are passed by
	for p.right != nil {
		if p.next == p.right.Rows() {
			if some {
				return nil, 0, true, nil
			}
			if err := p.nextRight(ctx); err != nil {
				return nil, 0, false, err
			}
			continue
		}
		at := p.right.Row(p.next)
		c := p.compare(p.right.Cols, at, l, i, len(l))
		if c > 0 || c == 0 && !equal {
			break
		}
		p.cand, p.row, p.here = p.right.Cols, at, true
		p.next++
		if err := a.s.Step(compareStep); err != nil {
			return nil, 0, false, err
		}
	}
	switch {
	case a.Op == vector.Gt || a.Op == vector.Ge:
		cols, row = p.cand, p.row
	case p.right != nil:
		cols, row = p.right.Cols, p.right.Row(p.next)
	}
	if err := a.s.Fault(); err != nil {
		return nil, 0, false, err
	}
	if cols == nil || p.compare(cols, row, l, i, len(l)-1) != 0 || !cols[len(cols)-1].Class(row).Comparable(l[len(l)-1].Class(i)) {
		return nil, 0, false, nil
	}
	return cols, row, false, nil
}

// compare orders a right row and a left one by the first n of their keys and value.
func (p *asofPairs) compare(right []*vector.Vector, row int, left []*vector.Vector, i, n int) int {
	from := len(p.a.RightTypes)
	for k := range n {
		if c := p.a.s.CompareTotal(right[from+k], row, left[k], i, false); c != 0 {
			return c
		}
	}
	return 0
}

// Close closes the sorts.
func (p *asofPairs) Close() error {
	p.left, p.right, p.kept, p.cand = nil, nil, nil, nil
	return errors.Join(p.a.disk.left.Close(), p.a.disk.right.Close())
}

// Stats implements Operator.
func (p *asofPairs) Stats() Stats { return Stats{} }
