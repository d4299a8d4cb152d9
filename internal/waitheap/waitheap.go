package waitheap

import (
	"container/heap"
	"math"
)

// None is what Lowest returns when nobody waits, or for nothing lower.
const None = math.MaxUint64

// Waiter waits for a number.
type Waiter struct {
	For   uint64
	Ready chan struct{} // made by Add, for the owner to close

	order uint64 // of arrival
	at    int    // in the heap; -1 when no longer in it
}

// Heap holds waiters. The zero value has none.
type Heap struct {
	list  list
	order uint64
}

// Len returns how many wait.
func (h *Heap) Len() int { return len(h.list) }

// Lowest returns the number that is waited for first, or None.
func (h *Heap) Lowest() uint64 {
	if len(h.list) == 0 {
		return None
	}
	return h.list[0].For
}

// Add adds one who waits for n.
func (h *Heap) Add(n uint64) *Waiter {
	h.order++
	w := &Waiter{For: n, Ready: make(chan struct{}), order: h.order}
	heap.Push(&h.list, w)
	return w
}

// Remove takes a waiter away and reports whether it was there still.
func (h *Heap) Remove(w *Waiter) bool {
	if w.at < 0 {
		return false
	}
	heap.Remove(&h.list, w.at)
	return true
}

// Take takes out the first, if it waits for a number below next or if any is wanted; else it returns nil.
func (h *Heap) Take(next uint64, anyOne bool) *Waiter {
	if len(h.list) == 0 || h.list[0].For >= next && !anyOne {
		return nil
	}
	return heap.Pop(&h.list).(*Waiter)
}

type list []*Waiter

func (l list) Len() int { return len(l) }

func (l list) Less(i, j int) bool {
	return l[i].For < l[j].For || l[i].For == l[j].For && l[i].order < l[j].order
}

func (l list) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].at, l[j].at = i, j
}

func (l *list) Push(x any) {
	w := x.(*Waiter)
	w.at = len(*l)
	*l = append(*l, w)
}

func (l *list) Pop() any {
	old := *l
	n := len(old) - 1
	w := old[n]
	old[n] = nil
	*l = old[:n]
	w.at = -1
	return w
}
