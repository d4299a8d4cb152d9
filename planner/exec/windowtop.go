package exec

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
)

// topWindow numbers the first Keep rows of each partition, and leaves others out. It keeps only those that may be among them. When even
// these are too many, they are what Rest works on, which numbers rows that are sorted.
type topWindow struct {
	In        Operator
	Rest      Operator // over topRest
	Partition []int
	Order     []SortKey
	Keep      int
	Width     int // columns of the input that are passed on; the last one behind them is the number of the row
	Exprs     []Expr
	Env       *Env

	windowBase
	spill  spiller
	groups HashAggregate
	vecs   []*vector.Vector
	rows   *vector.Rows
	keys   arena
	key    []byte
	tops   paged[[]keyRef] // of each partition the first rows, in order
	live   int             // of rows
	held   int64

	ended   bool
	divided bool // rows were given to Rest
	locs    []topLoc
	next    []vector.Loc
	out     vector.Batch
	number  vector.Vector
}

// topLoc is a row that is kept and its number in the partition.
type topLoc struct {
	loc vector.Loc
	n   int32
}

// MaxKeep is the most rows of a partition that are kept apart from others.
const MaxKeep = 256

// Open opens what is below.
func (t *topWindow) Open(ctx context.Context) error {
	t.prepare(t.Env)
	t.spill.gate = t.gate
	t.spill.open(t.Env)
	t.vecs = make([]*vector.Vector, len(t.Order))
	t.begin()
	return t.Rest.Open(ctx)
}

func (t *topWindow) begin() {
	t.groups = HashAggregate{Env: t.Env, s: t.s, gate: t.gate}
	for _, c := range t.Partition {
		t.groups.Keys = append(t.groups.Keys, &Col{Index: c, T: t.Exprs[c].Type()})
	}
	t.groups.keyVecs = make([]*vector.Vector, len(t.Partition))
	t.groups.begin()
	types := make([]vector.Type, len(t.Exprs))
	for i, x := range t.Exprs {
		types[i] = x.Type()
	}
	t.rows, t.keys, t.tops, t.live, t.held = vector.NewRows(t.gate, types), arena{}, paged[[]keyRef]{}, 0, 0
}

// Next returns the next rows, in the order of the input.
func (t *topWindow) Next(ctx context.Context) (*vector.Batch, error) {
	if t.err != nil {
		return nil, t.err
	}
	t.s.begin(ctx)
	if !t.ended && !t.divided {
		if t.err = t.read(ctx); t.err != nil {
			return nil, t.err
		}
	}
	if t.divided {
		b, err := t.Rest.Next(ctx)
		t.err = err
		return b, err
	}
	if t.err = ctx.Err(); t.err != nil {
		return nil, t.err
	}
	return t.give(t.Width)
}

// give returns the next of the kept rows, with their numbers behind the columns.
func (t *topWindow) give(width int) (*vector.Batch, error) {
	n := min(len(t.locs), t.Env.batchRows())
	if n == 0 {
		return nil, nil
	}
	t.next = t.next[:0]
	for _, l := range t.locs[:n] {
		t.next = append(t.next, l.loc)
	}
	n = t.rows.Fit(nil, t.next, partBytes)
	if t.out.Cols == nil {
		for range t.Exprs {
			t.out.Cols = append(t.out.Cols, &vector.Vector{})
		}
	}
	cols := t.out.Cols[:len(t.Exprs):len(t.Exprs)]
	t.rows.Gather(cols, t.next[:n])
	if err := t.s.Step(n * len(cols) * rowStep); err != nil {
		return nil, err
	}
	t.number.Resize(vector.Int, n)
	for k, l := range t.locs[:n] {
		t.number.Ints[k] = int64(l.n)
	}
	t.locs = t.locs[n:]
	out := &vector.Batch{Cols: append(slices.Clone(cols[:width]), &t.number), N: n}
	if width == t.Width {
		out.Cols = append(out.Cols, &t.number) // where Rest has the number of the row
	}
	return out, nil
}

// read takes in rows to the end of the input, or until they are too many to be kept. Then all that are kept are ready to be given out.
func (t *topWindow) read(ctx context.Context) error {
	for {
		b, err := t.In.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			t.ended = true
			return t.finish()
		}
		if err := t.add(b); err != nil {
			return err
		}
		n := t.groups.bytes() + t.rows.MemoryBytes() + t.keys.held + t.tops.bytes() + t.held
		full, err := t.spill.hold(n)
		t.stats.PeakBytes = t.acct.peak
		if err != nil {
			return err
		}
		if full {
			t.divided = true
			return t.finish()
		}
	}
}

// add takes in a batch.
func (t *topWindow) add(b *vector.Batch) error {
	for k, c := range t.Partition {
		t.groups.keyVecs[k] = b.Cols[c]
	}
	for k, o := range t.Order {
		t.vecs[k] = b.Cols[o.Expr.(*Col).Index]
	}
	part := *b
	if err := t.groups.take(&part); err != nil {
		return err
	}
	n := 1
	if t.groups.table != nil {
		n = t.groups.table.len()
	}
	t.tops.grow(n)
	for k := range b.Rows() {
		i := b.Row(k)
		var err error
		if t.key, err = t.s.appendKeys(t.key[:0], t.Order, t.vecs, i); err != nil {
			return err
		}
		if err := t.put(b.Cols, i, t.tops.at(int(t.groups.groups[i]))); err != nil {
			return err
		}
	}
	if dead := t.rows.Len() - t.live; dead > t.live && dead > vector.MaxRows {
		return t.compact()
	}
	return t.s.rows(b.Sel, b.N)
}

// put keeps a row if it is among the first of its partition. It comes behind those with the same key.
func (t *topWindow) put(cols []*vector.Vector, i int, top *[]keyRef) error {
	ref := keyRef{}
	ref.setPrefix(t.key)
	list := *top
	at := len(list)
	for at > 0 && t.before(&ref, &list[at-1]) {
		at--
	}
	if at == t.Keep {
		return nil
	}
	var err error
	if ref.at, err = t.keys.add(t.key, t.gate); err != nil {
		return err
	}
	if ref.loc, err = t.rows.Append(cols, i); err != nil {
		return err
	}
	if len(list) == t.Keep {
		list = list[:len(list)-1]
	} else {
		t.live++
	}
	old := cap(list)
	*top = slices.Insert(list, at, ref)
	t.held += int64(cap(*top)-old) * keyRefBytes
	return nil
}

// before reports whether the key that was made last comes before that of a row that is kept.
func (t *topWindow) before(a, b *keyRef) bool {
	c := cmp.Or(cmp.Compare(a.p0, b.p0), cmp.Compare(a.p1, b.p1))
	if c == 0 && (a.n > prefixBytes || b.n > prefixBytes) {
		c = bytes.Compare(t.key, t.keys.get(b.at, b.n))
		t.s.done += int(min(a.n, b.n))
	}
	return c < 0
}

// compact drops the rows that are not kept any more. Pages go as soon as what is kept of them was copied.
func (t *topWindow) compact() error {
	refs := make([]*keyRef, 0, t.live)
	for g := range t.tops.n {
		list := *t.tops.at(g)
		for k := range list {
			refs = append(refs, &list[k])
		}
	}
	slices.SortFunc(refs, func(a, b *keyRef) int { return cmp.Compare(a.loc, b.loc) })
	if err := t.s.Step(len(refs) * rowStep); err != nil {
		return err
	}
	old, keys := t.rows, t.keys
	t.rows, t.keys = vector.NewRows(t.gate, old.Types()), arena{}
	for _, ref := range refs {
		at, err := t.keys.add(keys.get(ref.at, ref.n), t.gate)
		if err != nil {
			return err
		}
		keys.release(ref.at)
		cols, row := old.Row(ref.loc)
		loc, err := t.rows.Append(cols, row)
		if err != nil {
			return err
		}
		old.Release(ref.loc)
		ref.at, ref.loc = at, loc
		if err := t.s.Step(rowStep * (len(cols) + 1)); err != nil {
			return err
		}
	}
	return nil
}

// finish makes the list of rows that are kept, in the order in which they came.
func (t *topWindow) finish() error {
	t.locs = t.locs[:0]
	for g := range t.tops.n {
		for k, ref := range *t.tops.at(g) {
			t.locs = append(t.locs, topLoc{ref.loc, int32(k) + 1})
		}
		if err := t.s.Step(rowStep); err != nil {
			return err
		}
	}
	slices.SortFunc(t.locs, func(a, b topLoc) int { return cmp.Compare(a.loc, b.loc) })
	t.tops, t.keys, t.groups.table = paged[[]keyRef]{}, arena{}, nil
	return t.s.Step(len(t.locs) * rowStep)
}

// Close frees what is held and closes what is below.
func (t *topWindow) Close() error {
	t.rows, t.keys, t.tops, t.locs, t.next = nil, arena{}, paged[[]keyRef]{}, nil, nil
	t.groups.table = nil
	return errors.Join(t.spill.close(), t.close(t.Rest))
}

// topRest gives the rows that a topWindow could not keep to what sorts them.
type topRest struct{ t *topWindow }

// Open opens the input.
func (r *topRest) Open(ctx context.Context) error { return r.t.In.Open(ctx) }

// Next returns the next rows.
func (r *topRest) Next(ctx context.Context) (*vector.Batch, error) {
	t := r.t
	t.s.begin(ctx)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b, err := t.give(len(t.Exprs))
		if err != nil {
			return nil, err
		}
		if b != nil {
			b.Cols = b.Cols[:len(t.Exprs)]
			return b, nil
		}
		if t.ended {
			return nil, nil
		}
		t.begin()
		t.acct.force(0)
		if err := t.read(ctx); err != nil {
			return nil, err
		}
	}
}

// Close closes the input.
func (r *topRest) Close() error { return r.t.In.Close() }

// Stats is empty.
func (r *topRest) Stats() Stats { return Stats{} }
