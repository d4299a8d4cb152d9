package main

import (
	"math/bits"
	"time"
)

// histogram counts durations in classes at most 1/128 of their value wide. It is small: a list of millions of durations would
// take new memory, a page for every 512 of them, in the middle of what it measures.
type histogram struct {
	counts [64 << histogramBits]int64
	n      int64
}

const histogramBits = 7

func (h *histogram) add(d time.Duration) {
	h.counts[histogramClass(uint64(max(d, 0)))]++
	h.n++
}

// histogramClass returns the class of v: exact below 2^8, then by the eight highest bits.
func histogramClass(v uint64) int {
	shift := max(bits.Len64(v)-histogramBits-1, 0)
	return shift<<histogramBits + int(v>>shift)
}

// histogramValue returns the least value of a class.
func histogramValue(class int) uint64 {
	shift := max(class>>histogramBits-1, 0)
	return uint64(class-shift<<histogramBits) << shift
}

func (h *histogram) merge(o *histogram) {
	for i, c := range o.counts {
		h.counts[i] += c
	}
	h.n += o.n
}

// quantile returns the q-th quantile, 0 when there is nothing.
func (h *histogram) quantile(q float64) time.Duration {
	rank := min(int64(q*float64(h.n)), h.n-1)
	for i, c := range h.counts {
		if rank -= c; rank < 0 {
			return time.Duration(histogramValue(i))
		}
	}
	return 0
}
