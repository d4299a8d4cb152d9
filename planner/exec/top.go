package exec

import (
	"bytes"
	"cmp"
	"container/heap"
	"math"
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
)

// topHeap is the kept rows of a Sort with a small Limit, with the last in order on top.
type topHeap struct{ s *Sort }

func (h topHeap) Len() int           { return len(h.s.refs) }
func (h topHeap) Less(i, j int) bool { return h.s.compare(&h.s.refs[i], &h.s.refs[j]) > 0 }
func (h topHeap) Swap(i, j int)      { h.s.refs[i], h.s.refs[j] = h.s.refs[j], h.s.refs[i] }
func (h topHeap) Push(x any)         { h.s.refs = append(h.s.refs, x.(keyRef)) }
func (h topHeap) Pop() any {
	n := len(h.s.refs) - 1
	x := h.s.refs[n]
	h.s.refs = h.s.refs[:n]
	return x
}

// addTop keeps those rows of a batch that are among the first Limit. Rows that were pushed out stay in the store until there are
// more of them than kept ones.
func (s *Sort) addTop(b *vector.Batch) error {
	h := topHeap{s}
	for k := range b.Rows() {
		i := b.Row(k)
		if err := s.appendKey(i); err != nil {
			return err
		}
		ref := keyRef{loc: vector.NoRow} // behind all that are kept
		ref.setPrefix(s.key)
		full := int64(len(s.refs)) >= s.Limit
		if full && s.compareTop(&ref) >= 0 {
			continue
		}
		var err error
		if ref.at, err = s.keys.add(s.key, s.gate); err != nil {
			return err
		}
		if ref.loc, err = s.rows.Append(b.Cols, i); err != nil {
			return err
		}
		if full {
			s.refs[0] = ref
			heap.Fix(h, 0)
		} else {
			heap.Push(h, ref)
		}
		dead := s.rows.Len() - len(s.refs)
		if dead > len(s.refs) && (dead > vector.MaxRows || s.rows.MemoryBytes()+s.keys.held > partBytes) {
			if err := s.compact(); err != nil {
				return err
			}
		}
	}
	if s.over != nil {
		return s.over
	}
	return s.count()
}

// compareTop compares the key that was made last with that of the row on top of the heap.
func (s *Sort) compareTop(a *keyRef) int {
	b := &s.refs[0]
	if c := cmp.Or(cmp.Compare(a.p0, b.p0), cmp.Compare(a.p1, b.p1)); c != 0 || a.n <= prefixBytes && b.n <= prefixBytes {
		return c
	}
	if err := s.s.Step(min(len(s.key), int(b.n))); err != nil {
		s.over = err
		return 0
	}
	return bytes.Compare(s.key, s.keys.get(b.at, b.n))
}

// compact drops the rows that are no longer in the heap. Pages go as soon as what is kept of them was copied.
func (s *Sort) compact() error {
	slices.SortFunc(s.refs, func(a, b keyRef) int {
		if s.s.done += rowStep; s.s.done >= stepBytes && s.over == nil {
			s.over = s.s.Step(0)
		}
		return cmp.Compare(a.loc, b.loc)
	})
	if s.over != nil {
		return s.over
	}
	old, keys := s.rows, s.keys
	s.rows, s.keys, s.bound.at = vector.NewRows(s.gate, old.Types()), arena{}, 0
	for i := range s.refs {
		ref := &s.refs[i]
		key := keys.get(ref.at, ref.n)
		at, err := s.keys.add(key, s.gate)
		if err != nil {
			return err
		}
		keys.release(ref.at)
		cols, row := old.Row(ref.loc)
		loc, err := s.rows.Append(cols, row)
		if err != nil {
			return err
		}
		old.Release(ref.loc)
		ref.at, ref.loc = at, loc
		if err := s.s.Step(rowStep * (len(cols) + 1)); err != nil {
			return err
		}
	}
	heap.Init(topHeap{s})
	return s.over
}

// topBound says which first keys rows of a full heap's order may have.
type topBound struct {
	at    uint64 // of the key on top of the heap when this was found
	typ   vector.Type
	bound int64 // the last integer in the order that is not behind the top
	none  bool  // every integer is behind it
	null  bool  // NULL is not
	dict  *vector.Dict
	codes []uint8 // of each text of dict: 0 not known, 1 behind, 2 not
	view  vector.Vector
	one   vector.Vector
	key   []byte
	sel   vector.Sel
}

// hopeful returns the rows of a batch whose first key is not behind that of the row on top of a full heap, so far as that is quickly seen.
func (s *Sort) hopeful(b *vector.Batch) vector.Sel {
	t := &s.bound
	v := s.vecs[0].Typed(&t.view)
	ints, coded := v.Type == vector.Int || v.Type == vector.Time, v.Type == vector.Text && v.Dict != nil
	if int64(len(s.refs)) < s.Limit || v.Const || !ints && !coded {
		return b.Sel
	}
	if top := s.refs[0].at + 1; top != t.at || v.Type != t.typ || v.Dict != t.dict {
		t.at, t.typ, t.dict = top, v.Type, v.Dict
		t.one.Reset(v.Type)
		t.one.AppendNull()
		t.null = !s.behind()
		if ints {
			s.findBound()
		} else {
			t.codes = append(t.codes[:0], make([]uint8, len(v.Dict.Refs))...)
		}
	}
	dst := t.sel[:0]
	switch nulls := v.HasNulls(); {
	case ints && !nulls && !t.none && b.Sel == nil:
		dst = vector.SelectBetween(v.Ints[:b.N], t.least(s), t.greatest(s), dst)
	default:
		for k := range b.Rows() {
			i := b.Row(k)
			var ok bool
			switch {
			case nulls && v.Null(i):
				ok = t.null
			case ints:
				ok = !t.none && v.Ints[i] >= t.least(s) && v.Ints[i] <= t.greatest(s)
			default:
				ok = s.hopefulCode(v.Codes[i])
			}
			if ok {
				dst = append(dst, int32(i))
			}
		}
	}
	t.sel = notNilSel(dst)
	return t.sel
}

func (t *topBound) least(s *Sort) int64 {
	if s.Keys[0].Desc {
		return t.bound
	}
	return math.MinInt64
}

func (t *topBound) greatest(s *Sort) int64 {
	if s.Keys[0].Desc {
		return math.MaxInt64
	}
	return t.bound
}

// hopefulCode reports whether a text of the dictionary is not behind the top.
func (s *Sort) hopefulCode(code uint32) bool {
	t := &s.bound
	if t.codes[code] == 0 {
		text := t.dict.Value(code)
		if len(text) >= vector.LargeBytes {
			return true // compared with care later
		}
		t.one.Reset(vector.Text)
		t.one.AppendText(text)
		t.codes[code] = 2
		if s.behind() {
			t.codes[code] = 1
		}
	}
	return t.codes[code] == 2
}

// behind reports whether the value in one, as a first key, is behind that of the row on top of the heap.
func (s *Sort) behind() bool {
	t, top := &s.bound, &s.refs[0]
	if t.key = t.key[:0]; s.Keys[0].NullsFirst && t.one.Null(0) {
		t.key = append(t.key, 0)
	} else {
		t.key = vector.AppendSortKey(t.key, &t.one, 0, s.Keys[0].Desc)
	}
	have := s.keys.get(top.at, top.n)
	return bytes.Compare(t.key, have[:min(len(have), len(t.key))]) > 0
}

// findBound searches for the last integer that is not behind the top.
func (s *Sort) findBound() {
	t := &s.bound
	t.one.Reset(t.typ)
	t.one.Grow(1)
	ahead := func(n uint64) bool { // the integer that n others come before in the order is not behind
		x := int64(n ^ 1<<63)
		if s.Keys[0].Desc {
			x = ^x
		}
		t.one.Ints[0] = x
		return !s.behind()
	}
	if t.none = !ahead(0); t.none {
		return
	}
	n := uint64(0)
	for bit := 63; bit >= 0; bit-- {
		if m := n | 1<<bit; ahead(m) {
			n = m
		}
	}
	if t.bound = int64(n ^ 1<<63); s.Keys[0].Desc {
		t.bound = ^t.bound
	}
}
