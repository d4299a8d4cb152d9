package exec

import (
	"github.com/seed69692123/netdb/planner/vector"
)

// groupTable numbers distinct rows in the order of their first appearance: an open hash table over stored key columns.
// Numbers do not depend on hashes, so the order of groups is that of the input.
type groupTable struct {
	st     *vector.State
	keys   []*vector.Vector // one row for each group
	hashes []uint64         // of each group
	slots  []int32          // group + 1, 0 for free; a power of two
	n      int
	buf    []uint64
}

func newGroupTable(st *vector.State, types []vector.Type) *groupTable {
	t := &groupTable{st: st, slots: make([]int32, 64)}
	for _, typ := range types {
		t.keys = append(t.keys, vector.New(typ, 0))
	}
	return t
}

// hash computes the hashes of the rows sel of cols.
func (t *groupTable) hash(cols []*vector.Vector, sel vector.Sel, n int) []uint64 {
	if cap(t.buf) < n {
		t.buf = make([]uint64, n)
	}
	t.buf = t.buf[:n]
	t.st.Hash(cols, sel, n, t.buf)
	return t.buf
}

// add returns the number of row i of cols, whose hash is h, and whether it is new.
func (t *groupTable) add(cols []*vector.Vector, i int, h uint64) (group int32, fresh bool) {
	mask := uint64(len(t.slots) - 1)
	at := h & mask
	for ; t.slots[at] != 0; at = (at + 1) & mask {
		g := t.slots[at] - 1
		if t.hashes[g] == h && t.st.EqualRows(cols, i, t.keys, int(g)) {
			return g, false
		}
	}
	g := int32(t.n)
	t.n++
	t.slots[at] = g + 1
	t.hashes = append(t.hashes, h)
	for k, c := range cols {
		t.keys[k].AppendFrom(c, i)
	}
	if t.n*2 > len(t.slots) {
		t.grow()
	}
	return g, true
}

func (t *groupTable) grow() {
	t.slots = make([]int32, len(t.slots)*2)
	mask := uint64(len(t.slots) - 1)
	for g, h := range t.hashes {
		at := h & mask
		for t.slots[at] != 0 {
			at = (at + 1) & mask
		}
		t.slots[at] = int32(g) + 1
	}
}

func (t *groupTable) bytes() int64 {
	n := int64(cap(t.hashes)*8 + cap(t.slots)*4 + cap(t.buf)*8)
	for _, k := range t.keys {
		n += k.MemoryBytes()
	}
	return n
}
