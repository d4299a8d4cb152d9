package exec

import (
	"bytes"
	"cmp"
	"container/heap"
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
	s.rows, s.keys = vector.NewRows(s.gate, old.Types()), arena{}
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
