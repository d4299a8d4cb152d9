package exec

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
)

// AsofJoin gives each row of its left side with the nearest row of the right: among those with equal keys the one with the
// greatest value (with the least, for < and <=) for which `left Op right` is true. Of several nearest ones it is the last (the
// first, for < and <=) in their order. The right side has to come in the order of its value; it is read when the first left row
// has come. Rows whose key or value is NULL have no partner, nor have values of different types.
type AsofJoin struct {
	Left, Right           Operator
	Kind                  JoinKind // inner or left
	LeftKeys, RightKeys   []Expr
	Op                    vector.CompareOp // <, <=, > or >=
	LeftValue, RightValue Expr
	// LeftTypes and RightTypes are the types of the columns.
	LeftTypes, RightTypes []vector.Type
	Env                   *Env

	s     *evalState
	acct  account
	gate  *storeGate
	rows  *vector.Rows // of the right side, with the value as last column
	keys  *groupTable  // which keys there are; nil without keys
	group paged[int32] // of each row, -1 where it has no partner
	locs  paged[vector.Loc]
	order paged[int32] // rows by key, each key's in the order of values
	from  paged[int32] // where a key's rows begin in order
	read  bool
	fault error // of the right side; it counts once there is a left row

	evals   []evaluator // keys of the left side, then its value
	vecs    []*vector.Vector
	in      *vector.Batch
	at      int // rows of in that were given out
	idx     []int32
	found   []vector.Loc
	out     vector.Batch
	buf     []vector.Loc
	pending error
	err     error
	stats   Stats

	spill   spiller
	full    bool          // the right side is more than memory
	waiting *vector.Batch // of the right side, for which there is no room
	first   *vector.Batch // of the left side
	disk    *asofDisk
}

// Open opens both inputs.
func (a *AsofJoin) Open(ctx context.Context) error {
	a.s = newEvalState(a.Env)
	a.acct = newAccount(a.Env, "asof join")
	a.gate = &storeGate{a.s, &a.acct}
	a.spill.gate = a.gate
	a.spill.open(a.Env)
	a.rows = vector.NewRows(a.gate, append(slices.Clone(a.RightTypes), a.RightValue.Type()))
	if len(a.LeftKeys) > 0 {
		types := make([]vector.Type, len(a.RightKeys))
		for i, k := range a.RightKeys {
			types[i] = k.Type()
		}
		a.keys = newGroupTable(a.s, a.gate, types)
	}
	a.evals = a.s.compileAll(append(slices.Clone(a.LeftKeys), a.LeftValue))
	a.vecs = make([]*vector.Vector, len(a.evals))
	for _, t := range append(slices.Clone(a.LeftTypes), a.RightTypes...) {
		a.out.Cols = append(a.out.Cols, vector.New(t, 0))
	}
	if err := a.Left.Open(ctx); err != nil {
		return err
	}
	return a.Right.Open(ctx)
}

// Next returns the next left rows with their partners.
func (a *AsofJoin) Next(ctx context.Context) (*vector.Batch, error) {
	if a.err != nil {
		return nil, a.err
	}
	a.s.begin(ctx)
	for {
		if a.err = ctx.Err(); a.err != nil {
			return nil, a.err
		}
		if a.in == nil {
			if a.err = a.pending; a.err != nil {
				return nil, a.err
			}
			if a.disk == nil {
				a.err = a.next(ctx)
			}
			if a.disk != nil && a.err == nil {
				var b *vector.Batch
				if b, a.err = a.nextFromDisk(ctx); b != nil {
					a.stats.Rows += int64(b.Rows())
				}
				return b, a.err
			}
			if a.err != nil || a.in == nil {
				return nil, a.err
			}
		}
		n := 0
		if n, a.err = a.emit(); a.err != nil {
			return nil, a.err
		}
		if n > 0 {
			a.stats.Rows += int64(n)
			return &a.out, nil
		}
		a.in = nil
	}
}

// next takes the next left rows and finds their partners.
func (a *AsofJoin) next(ctx context.Context) error {
	if !a.s.more() {
		b, err := a.Left.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		if !a.read {
			if err := a.readRight(ctx); err != nil {
				return err
			}
			a.read = true
		}
		if a.fault != nil {
			return a.fault
		}
		if a.disk != nil {
			a.first = b
			return nil
		}
		a.s.take(b)
	}
	return a.s.part(func(b *vector.Batch) error {
		evals := a.evals
		if a.rows.Len() == 0 {
			evals = nil // there is no pair to evaluate them for
		}
		sel, err := evalAll(evals, b, b.Sel, a.vecs)
		var ve *ValueError
		if err != nil && !errors.As(err, &ve) {
			return err
		}
		if b.Sel = sel; b.Rows() == 0 {
			return err
		}
		a.pending = err
		in := *b
		a.in, a.at = &in, 0
		return a.find()
	})
}

// find finds the partners of the rows of in.
func (a *AsofJoin) find() error {
	a.idx, a.found = a.idx[:0], a.found[:0]
	var hashes []uint64
	var err error
	if a.keys != nil && a.rows.Len() > 0 {
		if hashes, err = a.keys.hash(a.vecs[:len(a.LeftKeys)], a.in.Sel, a.in.N); err != nil {
			return err
		}
	}
	for k := range a.in.Rows() {
		i := a.in.Row(k)
		loc := vector.NoRow
		if a.rows.Len() > 0 && !slices.ContainsFunc(a.vecs, func(v *vector.Vector) bool { return v.Null(i) }) {
			g := int32(0)
			if a.keys != nil {
				g = a.keys.find(a.vecs[:len(a.LeftKeys)], i, hashes[i])
			}
			if g >= 0 {
				loc = a.nearest(i, int(*a.from.at(int(g))), int(*a.from.at(int(g) + 1)))
			}
		}
		if loc == vector.NoRow && a.Kind == JoinInner {
			continue
		}
		a.idx, a.found = append(a.idx, int32(i)), append(a.found, loc)
		if err := a.s.Step(compareStep); err != nil {
			return err
		}
	}
	return a.s.Fault()
}

// nearest searches the rows lo to hi of order, which are in the order of their values, for the partner of row i.
func (a *AsofJoin) nearest(i, lo, hi int) vector.Loc {
	x := a.vecs[len(a.vecs)-1]
	end := hi
	compare := func(at int) (c int, v *vector.Vector, row int, loc vector.Loc) {
		loc = *a.locs.at(int(*a.order.at(at)))
		cols, row := a.rows.Row(loc)
		v = cols[len(cols)-1]
		return a.s.CompareTotal(v, row, x, i, false), v, row, loc
	}
	// lo becomes the first row that is greater (after > and <=: not less) than x.
	least := 1
	if a.Op == vector.Gt || a.Op == vector.Le {
		least = 0
	}
	first := lo
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if c, _, _, _ := compare(mid); c >= least {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	if a.Op == vector.Gt || a.Op == vector.Ge {
		lo--
	}
	if lo < first || lo >= end {
		return vector.NoRow
	}
	_, v, row, loc := compare(lo)
	if !v.Class(row).Comparable(x.Class(i)) {
		return vector.NoRow
	}
	return loc
}

// emit gives out the next rows that were found.
func (a *AsofJoin) emit() (int, error) {
	locs := a.found[a.at:]
	if len(locs) == 0 {
		return 0, nil
	}
	n := a.rows.Fit(nil, locs, partBytes)
	idx := a.idx[a.at : a.at+n]
	a.at += n
	l := len(a.LeftTypes)
	for k, c := range a.out.Cols[:l] {
		c.Gather(a.in.Cols[k], idx)
	}
	a.rows.Gather(a.out.Cols[l:], locs[:n])
	a.out.N, a.out.Sel = n, nil
	return n, a.s.Step(n * rowStep)
}

// readRight keeps the right side, by key.
func (a *AsofJoin) readRight(ctx context.Context) error {
	evals := a.s.compileAll(append(slices.Clone(a.RightKeys), a.RightValue))
	vecs := make([]*vector.Vector, len(evals))
	for a.fault == nil {
		b, err := a.Right.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if a.rows.Len() > 0 && a.spill.crowded(b, nil) {
			a.waiting = b
			a.toDisk()
			return nil
		}
		if err := a.s.each(b, func(part *vector.Batch) error {
			sel, err := evalAll(evals, part, part.Sel, vecs)
			var ve *ValueError
			switch {
			case errors.As(err, &ve):
				a.fault = err
				return errStop
			case err != nil:
				return err
			}
			part.Sel = sel
			return a.keep(part, vecs)
		}); err != nil && !errors.Is(err, errStop) {
			return err
		}
		if a.full && a.fault == nil {
			a.toDisk()
			return nil
		}
	}
	if a.fault == nil && a.spill.can() && a.acct.ask(int64(a.locs.n)*8) != nil {
		a.toDisk()
		return nil
	}
	return a.sort()
}

// keep adds rows to the right side.
func (a *AsofJoin) keep(b *vector.Batch, vecs []*vector.Vector) error {
	n := len(vecs) - 1
	if int64(a.rows.Len())+int64(b.Rows()) > math.MaxInt32 {
		return errTooManyRows
	}
	var hashes []uint64
	var err error
	if a.keys != nil {
		if hashes, err = a.keys.hash(vecs[:n], b.Sel, b.N); err != nil {
			return err
		}
	}
	row := vector.Batch{Cols: append(slices.Clone(b.Cols), vecs[n]), N: b.N, Sel: b.Sel}
	if a.buf, err = a.rows.AppendBatch(a.buf[:0], &row); err != nil {
		return err
	}
	at := a.locs.n
	a.locs.grow(at + len(a.buf))
	a.group.grow(at + len(a.buf))
	for k, loc := range a.buf {
		i := b.Row(k)
		g := int32(0)
		switch {
		case slices.ContainsFunc(vecs, func(v *vector.Vector) bool { return v.Null(i) }):
			g = -1
		case a.keys != nil:
			if g, _, err = a.keys.add(vecs[:n], i, hashes[i]); err != nil {
				return err
			}
		}
		*a.locs.at(at + k), *a.group.at(at + k) = loc, g
	}
	return a.count()
}

// sort puts the rows of each key together, in the order they came.
func (a *AsofJoin) sort() error {
	groups := 1
	if a.keys != nil {
		groups = a.keys.len()
	}
	if err := a.acct.ask(int64(groups+a.locs.n) * 4); err != nil {
		return err
	}
	if err := a.grow(&a.from, groups+1); err != nil {
		return err
	}
	if err := a.grow(&a.order, a.locs.n); err != nil {
		return err
	}
	// from[g+1] counts the rows of g, then says where those of g+1 begin.
	for r := range a.group.n {
		if g := *a.group.at(r); g >= 0 {
			*a.from.at(int(g) + 1)++
		}
		if err := a.s.Step(rowStep); err != nil {
			return err
		}
	}
	for g := range groups {
		*a.from.at(g + 1) += *a.from.at(g)
	}
	for r := a.group.n - 1; r >= 0; r-- {
		if g := *a.group.at(r); g >= 0 {
			// Backwards from the end of each key; afterwards from[g+1] is where g begins.
			at := a.from.at(int(g) + 1)
			*at--
			*a.order.at(int(*at)) = int32(r)
		}
		if err := a.s.Step(rowStep); err != nil {
			return err
		}
	}
	for g := range groups {
		*a.from.at(g) = *a.from.at(g + 1)
	}
	rows := int32(0)
	for r := range a.group.n {
		if *a.group.at(r) >= 0 {
			rows++
		}
	}
	*a.from.at(groups) = rows
	return a.count()
}

func (a *AsofJoin) grow(p *paged[int32], to int) error {
	for n := 0; n < to; {
		n = min(to, n+pageSize)
		p.grow(n)
		if err := a.s.Step(pageSize * rowStep); err != nil {
			return err
		}
	}
	return nil
}

func (a *AsofJoin) count() error {
	n := a.rows.MemoryBytes() + a.locs.bytes() + a.group.bytes() + a.order.bytes() + a.from.bytes()
	if a.keys != nil {
		n += a.keys.bytes()
	}
	full, err := a.spill.hold(n)
	a.full = a.full || full || a.spill.can() && n > a.spill.share()/2
	a.stats.PeakBytes = a.acct.peak
	return err
}

// Close frees the right side and closes both inputs.
func (a *AsofJoin) Close() error {
	err := a.disk.close(a)
	a.acct.release()
	a.s.close()
	a.rows, a.keys, a.in, a.first, a.waiting = nil, nil, nil, nil, nil
	a.group, a.order, a.from, a.locs = paged[int32]{}, paged[int32]{}, paged[int32]{}, paged[vector.Loc]{}
	return errors.Join(err, a.spill.close(), a.Left.Close(), a.Right.Close())
}

// Stats returns what the operator counted.
func (a *AsofJoin) Stats() Stats {
	if a.s != nil {
		a.stats.OtherType = a.s.OtherType
	}
	a.spill.count(&a.stats)
	return a.stats
}
