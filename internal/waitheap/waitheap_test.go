package waitheap

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestHeap compares a heap with a sorted list.
func TestHeap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var h Heap
	var want []*Waiter // by number, then arrival
	for i := range 5000 {
		switch op := r.IntN(4); {
		case op < 2:
			n := r.Uint64N(50)
			if n == 49 {
				n = None
			}
			w := h.Add(n)
			want = append(want, w)
			slices.SortStableFunc(want, func(a, b *Waiter) int { return cmp.Compare(a.For, b.For) })
		case op == 2 && len(want) > 0:
			k := r.IntN(len(want))
			w := want[k]
			want = slices.Delete(want, k, k+1)
			if !h.Remove(w) || h.Remove(w) {
				t.Fatal(i, "removed once, and no more")
			}
		case op == 3:
			next, all := r.Uint64N(60), r.IntN(20) == 0
			for len(want) > 0 && (all || want[0].For < next) {
				if w := h.Take(next, all); w != want[0] {
					t.Fatalf("%d: took %+v, want %+v", i, w, want[0])
				}
				want = want[1:]
			}
			if w := h.Take(next, all); w != nil {
				t.Fatalf("%d: took %+v below %d", i, w, next)
			}
		}
		low := uint64(None)
		if len(want) > 0 {
			low = want[0].For
		}
		if h.Len() != len(want) || h.Lowest() != low {
			t.Fatalf("%d: %d wait, the lowest for %d; want %d, %d", i, h.Len(), h.Lowest(), len(want), low)
		}
	}
}
