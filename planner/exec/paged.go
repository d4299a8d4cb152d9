package exec

import (
	"bytes"
	"encoding/binary"
	"unsafe"

	"github.com/seed69692123/netdb/planner/vector"
)

// paged is a list that grows without moving what it has: a growing slice of many million elements is copied for longer than a
// cancelled query may take, and held twice meanwhile.
type paged[T any] struct {
	pages [][]T
	n     int
}

const (
	pageBits = 12
	pageSize = 1 << pageBits
)

// grow makes the list n elements long; new ones are zero.
func (p *paged[T]) grow(n int) {
	for p.n < n {
		k := p.n >> pageBits
		if k == len(p.pages) {
			size := pageSize
			if k == 0 { // many lists stay short
				size = 16
			}
			p.pages = append(p.pages, make([]T, size))
		}
		for size := len(p.pages[k]); size < pageSize && size < n; size = len(p.pages[k]) {
			p.pages[k] = append(make([]T, 0, 4*size), p.pages[k]...)[:4*size]
		}
		p.n = min(n, k<<pageBits+len(p.pages[k]))
	}
}

func (p *paged[T]) at(i int) *T { return &p.pages[i>>pageBits][i&(pageSize-1)] }

// flat returns the elements when they are few enough to lie in one piece, else nil: for loops that are shorter with it.
func (p *paged[T]) flat() []T {
	if len(p.pages) != 1 {
		return nil
	}
	return p.pages[0]
}

func (p *paged[T]) bytes() int64 {
	var zero T
	n := 0
	if k := len(p.pages); k > 0 {
		n = len(p.pages[0]) + (k-1)*pageSize
	}
	return int64(n)*int64(unsafe.Sizeof(zero)) + int64(cap(p.pages)*24)
}

// arena keeps keys of rows in chunks that do not move.
type arena struct {
	chunks [][]byte
	held   int64
}

const chunkBytes = 1 << 18

// add keeps a copy of b and returns where it is.
func (a *arena) add(b []byte, g *storeGate) (uint64, error) {
	k := len(a.chunks) - 1
	if k < 0 || cap(a.chunks[k])-len(a.chunks[k]) < len(b) {
		size := max(chunkBytes, len(b))
		if k < 0 {
			size = max(1<<12, len(b)) // many sorts are small
		}
		if len(b) >= vector.LargeBytes {
			if err := g.acct.ask(int64(size)); err != nil {
				return 0, err
			}
		}
		a.chunks = append(a.chunks, make([]byte, 0, size))
		a.held += int64(size)
		k++
	}
	off := len(a.chunks[k])
	for len(b) > stepBytes {
		a.chunks[k] = append(a.chunks[k], b[:stepBytes]...)
		b = b[stepBytes:]
		if err := g.Step(stepBytes); err != nil {
			return 0, err
		}
	}
	a.chunks[k] = append(a.chunks[k], b...)
	return uint64(k)<<32 | uint64(off), nil
}

// get returns n bytes of a key.
func (a *arena) get(at uint64, n uint32) []byte {
	off := uint32(at)
	return a.chunks[at>>32][off : off+n]
}

// release lets the chunks before that of a key go.
func (a *arena) release(at uint64) {
	for k := int(at>>32) - 1; k >= 0 && a.chunks[k] != nil; k-- {
		a.chunks[k] = nil
	}
}

// keyRef is the key of a row, with its first bytes for quick comparison. No key is the beginning of another, so two keys with
// the same first bytes are equal if they have no more. Rows are kept in the order of the input, so that of their places is
// the order of ties.
type keyRef struct {
	p0, p1 uint64
	at     uint64 // in the arena
	n      uint32
	loc    vector.Loc
}

const (
	keyRefBytes = 32
	prefixBytes = 16 // length of p0 and p1
	compareStep = 64 // bytes of work that a comparison counts for
)

func (k *keyRef) setPrefix(key []byte) {
	var b [prefixBytes]byte
	copy(b[:], key)
	k.p0, k.p1, k.n = binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:]), uint32(len(key))
}

// compareKeys orders two keys of an arena, and returns how many bytes that took.
func (a *arena) compareKeys(x, y *keyRef) (c, work int) {
	switch {
	case x.p0 != y.p0:
		if x.p0 < y.p0 {
			return -1, compareStep
		}
		return 1, compareStep
	case x.p1 != y.p1:
		if x.p1 < y.p1 {
			return -1, compareStep
		}
		return 1, compareStep
	case x.n <= prefixBytes && y.n <= prefixBytes:
		return 0, compareStep
	}
	k, l := a.get(x.at, x.n), a.get(y.at, y.n)
	return bytes.Compare(k, l), compareStep + min(len(k), len(l))
}
