package exec

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
)

// orderedRows keeps rows with their groups, and gives them back group by group, each in the order of keys. Rows with equal keys
// stay in the order in which they came.
type orderedRows struct {
	g    *storeGate
	keys []SortKey
	rows *vector.Rows
	// A key is the number of the group, then the sort keys: one sort orders the rows of all groups.
	arena  arena
	refs   paged[keyRef] // as the rows came; once rows are given out, each page is sorted
	key    []byte
	sorted bool
	heads  []int // of each page, the next row
	heap   []int // pages that have one, the least first
	over   error // what a comparison saw: the query was cancelled
}

func newOrderedRows(g *storeGate, keys []SortKey, values []Expr) *orderedRows {
	types := make([]vector.Type, len(values))
	for i, x := range values {
		types[i] = x.Type()
	}
	return &orderedRows{g: g, keys: keys, rows: vector.NewRows(g, types)}
}

// appendKeys writes the keys of row i, so that their bytes compare as the rows do.
func (s *evalState) appendKeys(dst []byte, keys []SortKey, vecs []*vector.Vector, i int) ([]byte, error) {
	for k, v := range vecs {
		if keys[k].NullsFirst && v.Null(i) {
			dst = append(dst, 0) // below every value's first byte, also of an inverted key
			continue
		}
		var err error
		if dst, err = s.AppendSortKey(dst, v, i, keys[k].Desc); err != nil {
			return dst, err
		}
	}
	if len(dst) > math.MaxInt32 {
		return dst, vector.ErrValueTooLarge
	}
	return dst, nil
}

// add keeps rows: args are the values, then the keys.
func (o *orderedRows) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	values, vecs := args[:len(args)-len(o.keys)], args[len(args)-len(o.keys):]
	for k := range sel.Count(n) {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if err := o.addRow(values, vecs, i, int(groups[i])); err != nil {
			return &vector.RowError{Row: i, Err: err}
		}
	}
	return nil
}

// addRow keeps row i.
func (o *orderedRows) addRow(values, keys []*vector.Vector, i, group int) error {
	var err error
	o.key = binary.BigEndian.AppendUint32(o.key[:0], uint32(group))
	if o.key, err = o.g.appendKeys(o.key, o.keys, keys, i); err != nil {
		return err
	}
	return o.keep(values, i)
}

// keep adds row i of values with the key that was written.
func (o *orderedRows) keep(values []*vector.Vector, i int) error {
	if o.refs.n == math.MaxInt32 {
		return errTooManyRows
	}
	ref := keyRef{}
	ref.setPrefix(o.key)
	var err error
	if ref.at, err = o.arena.add(o.key, o.g); err != nil {
		return o.g.refuse(err)
	}
	if ref.loc, err = o.rows.Append(values, i); err != nil {
		return err
	}
	o.refs.grow(o.refs.n + 1)
	*o.refs.at(o.refs.n - 1) = ref
	return nil
}

// merge keeps the rows of another, as rows that come now.
func (o *orderedRows) merge(other *orderedRows, into []int32) error {
	for k := range other.refs.n {
		ref := other.refs.at(k)
		from := ref.group()
		if from >= len(into) || into[from] < 0 {
			continue
		}
		key := other.arena.get(ref.at, ref.n)
		o.key = binary.BigEndian.AppendUint32(o.key[:0], uint32(into[from]))
		o.key = append(o.key, key[4:]...)
		cols, row := other.rows.Row(ref.loc)
		if err := o.keep(cols, row); err != nil {
			return err
		}
		if err := o.g.Step(rowStep + len(key)); err != nil {
			return err
		}
	}
	return nil
}

// group is the group of a row whose key begins with it.
func (k *keyRef) group() int { return int(k.p0 >> 32) }

// sort prepares giving out: pages are sorted one by one, and merged while rows are taken.
func (o *orderedRows) sort() error {
	o.sorted = true
	o.heads = make([]int, len(o.refs.pages))
	for p := range o.refs.pages {
		slices.SortFunc(o.page(p), func(a, b keyRef) int { return o.compare(&a, &b) })
		if o.over != nil {
			return o.over
		}
		o.heap = append(o.heap, p)
	}
	for i := len(o.heap)/2 - 1; i >= 0; i-- {
		o.down(i)
	}
	return o.over
}

func (o *orderedRows) page(p int) []keyRef {
	return o.refs.pages[p][:min(pageSize, o.refs.n-p<<pageBits)]
}

// compare orders two rows. Once the query is cancelled all are equal, so that what sorts comes to its end.
func (o *orderedRows) compare(a, b *keyRef) int {
	if o.over != nil {
		return 0
	}
	c, work := o.arena.compareKeys(a, b)
	if o.g.done += work; o.g.done >= stepBytes {
		o.over = o.g.Step(0)
	}
	switch {
	case c != 0:
		return c
	case a.loc < b.loc:
		return -1
	case a.loc > b.loc:
		return 1
	}
	return 0
}

// down lets the page at i of the heap sink to its place.
func (o *orderedRows) down(i int) {
	head := func(i int) *keyRef { return &o.refs.pages[o.heap[i]][o.heads[o.heap[i]]] }
	for {
		least := i
		for _, c := range [...]int{2*i + 1, 2*i + 2} {
			if c < len(o.heap) && o.compare(head(c), head(least)) < 0 {
				least = c
			}
		}
		if least == i {
			return
		}
		o.heap[i], o.heap[least] = o.heap[least], o.heap[i]
		i = least
	}
}

// take appends to locs the next rows of a group, until there are n. Groups are asked for in ascending order.
func (o *orderedRows) take(group int, locs []vector.Loc, n int) ([]vector.Loc, error) {
	if !o.sorted {
		if err := o.sort(); err != nil {
			return locs, err
		}
	}
	for len(locs) < n && len(o.heap) > 0 && o.over == nil {
		p := o.heap[0]
		ref := &o.refs.pages[p][o.heads[p]]
		if ref.group() > group {
			break
		}
		if ref.group() == group {
			locs = append(locs, ref.loc)
		}
		if o.heads[p]++; o.heads[p] == len(o.page(p)) {
			last := len(o.heap) - 1
			o.heap[0] = o.heap[last]
			o.heap = o.heap[:last]
		}
		o.down(0)
	}
	return locs, o.over
}

func (o *orderedRows) bytes() int64 {
	return o.rows.MemoryBytes() + o.arena.held + o.refs.bytes() + int64(cap(o.key)+16*cap(o.heads))
}

// orderedAcc gives rows to an accumulator in the order of the call: it keeps them until a group's result is asked for.
type orderedAcc struct {
	accumulator
	rows   *orderedRows
	ready  int // groups below it were given on
	locs   []vector.Loc
	vecs   []*vector.Vector
	groups []int32
	err    error
}

// newOrderedAcc wraps the accumulator of a call that has an order. First and last keep one row of each group only.
func newOrderedAcc(g *storeGate, a *Aggregate, acc accumulator) accumulator {
	if v, ok := acc.(*valueAcc); ok {
		return &endAcc{valueAcc: v, order: a.OrderBy}
	}
	values := a.values()
	o := &orderedAcc{accumulator: acc, rows: newOrderedRows(g, a.OrderBy, values)}
	for range values {
		o.vecs = append(o.vecs, &vector.Vector{})
	}
	return o
}

func (o *orderedAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	return o.rows.add(args, groups, sel, n)
}

func (o *orderedAcc) merge(other accumulator, into []int32) error {
	return o.rows.merge(other.(*orderedAcc).rows, into)
}

// finish gives on the rows of a group.
func (o *orderedAcc) finish(group int) {
	if group < o.ready || o.err != nil {
		return
	}
	o.ready = group + 1
	for {
		if o.locs, o.err = o.rows.take(group, o.locs, vector.MaxRows); o.err != nil || len(o.locs) == 0 {
			return
		}
		n := o.rows.rows.Fit(nil, o.locs, partBytes)
		o.rows.rows.Gather(o.vecs, o.locs[:n])
		o.locs = o.locs[:copy(o.locs, o.locs[n:])]
		o.groups = o.groups[:0]
		for range n {
			o.groups = append(o.groups, int32(group))
		}
		if o.err = o.accumulator.add(o.vecs, o.groups, nil, n); o.err == nil {
			o.err = o.rows.g.Step(n * rowStep)
		}
		if o.err != nil {
			return
		}
	}
}

func (o *orderedAcc) size(group int) int {
	o.finish(group)
	return o.accumulator.size(group)
}

func (o *orderedAcc) result(out *vector.Vector, group int) error {
	if o.finish(group); o.err != nil {
		return o.err
	}
	return o.accumulator.result(out, group)
}

func (o *orderedAcc) bytes() int64 {
	n := o.accumulator.bytes() + o.rows.bytes() + int64(cap(o.locs)*4+cap(o.groups)*4)
	for _, v := range o.vecs {
		n += v.MemoryBytes()
	}
	return n
}

// endAcc is first, last and any_value with an order: the value of the row with the least or the greatest key.
type endAcc struct {
	*valueAcc
	order []SortKey
	keys  paged[[]byte]
	kept  int64 // bytes of keys
	key   []byte
}

func (e *endAcc) grow(n int) {
	e.valueAcc.grow(n)
	e.keys.grow(n)
}

func (e *endAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	v := args[0]
	for k := range sel.Count(n) {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if !e.nulls && v.Null(i) {
			continue
		}
		var err error
		if e.key, err = e.g.appendKeys(e.key[:0], e.order, args[1:], i); err == nil {
			err = e.put(int(groups[i]), v, i, e.key)
		}
		if err != nil {
			return &vector.RowError{Row: i, Err: err}
		}
	}
	return nil
}

// put makes row i of v the value of a group, unless the one it has is nearer to the end that is looked for.
func (e *endAcc) put(group int, v *vector.Vector, i int, key []byte) error {
	if e.heads.at(group).have {
		c := bytes.Compare(key, *e.keys.at(group))
		if e.takes == takesLast && c < 0 || e.takes != takesLast && c >= 0 {
			return nil
		}
	}
	if err := e.g.keep(e.keys.at(group), key, &e.kept); err != nil {
		return err
	}
	return e.set(group, v, i)
}

func (e *endAcc) merge(other accumulator, into []int32) error {
	o := other.(*endAcc)
	var view vector.Vector
	return eachMerged(e.g, into, func(from, to int) error {
		h := o.heads.at(from)
		if !h.have {
			return nil
		}
		return e.put(to, o.look(&view, h, from), 0, *o.keys.at(from))
	})
}

func (e *endAcc) bytes() int64 {
	return e.valueAcc.bytes() + e.keys.bytes() + e.kept + int64(cap(e.key))
}
