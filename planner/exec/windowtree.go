package exec

import "unsafe"

// stateTree has the states of blocks of rows, of blocks of these, and so on: that of a span of rows is put together from few of them.
// The order in which states are merged is not that of the rows.
type stateTree[S any] struct {
	lo     int
	levels []paged[S] // of the first, state k is that of the rows from lo+k*treeFan on
	leaf   func(pos int, into *S)
	merge  func(into, from *S)
}

const treeFan = 8

func (t *stateTree[S]) clear() {
	for k := range t.levels {
		t.levels[k].n = 0
	}
}

// build makes the tree for the rows of a partition. leaf adds a row to a state.
func (t *stateTree[S]) build(w *partWindow, p span, leaf func(pos int, into *S), merge func(into, from *S)) error {
	t.lo, t.leaf, t.merge = p.lo, leaf, merge
	n := p.hi - p.lo
	for level := 0; n > treeFan; level++ {
		if level == len(t.levels) {
			t.levels = append(t.levels, paged[S]{})
		}
		states := &t.levels[level]
		blocks := n / treeFan // one that is not full is never asked for whole
		states.grow(blocks)
		for k := range blocks {
			var s S
			for i := k * treeFan; i < (k+1)*treeFan; i++ {
				if level == 0 {
					leaf(p.lo+i, &s)
				} else {
					merge(&s, t.levels[level-1].at(i))
				}
			}
			*states.at(k) = s
			if err := w.s.Step(treeFan * rowStep); err != nil {
				return err
			}
		}
		n = blocks
	}
	return w.s.Fault()
}

// query adds the rows of a span to a state.
func (t *stateTree[S]) query(s span, into *S) {
	lo, hi := s.lo-t.lo, s.hi-t.lo
	visit := func(level, i int) {
		if level == 0 {
			t.leaf(t.lo+i, into)
		} else {
			t.merge(into, t.levels[level-1].at(i))
		}
	}
	for level := 0; lo < hi; level++ {
		if level == len(t.levels) || t.levels[level].n == 0 {
			for ; lo < hi; lo++ {
				visit(level, lo)
			}
			return
		}
		for ; lo < hi && lo%treeFan != 0; lo++ {
			visit(level, lo)
		}
		for ; lo < hi && hi%treeFan != 0; hi-- {
			visit(level, hi-1)
		}
		lo, hi = lo/treeFan, hi/treeFan
	}
}

func (t *stateTree[S]) bytes() int64 {
	var s S
	n := int64(0)
	for k := range t.levels {
		n += t.levels[k].bytes()
	}
	return n + int64(unsafe.Sizeof(s))
}
