package exec

import (
	"math"

	"github.com/seed69692123/netdb/planner/vector"
)

// groupTable numbers distinct rows in the order of their first appearance: open hash tables over stored key columns.
// Numbers do not depend on hashes, so the order of groups is that of the input.
type groupTable struct {
	s    *evalState
	rows *vector.Rows // one for each group
	refs paged[groupRef]
	// parts are tables of their own, chosen by the upper bits of the hash: one that is full grows without the others, so
	// that no step is long and little is held twice.
	parts [groupParts]groupPart
	slots int // of all parts
	buf   []uint64
}

// groupRef is the hash of a group's key and where it is.
type groupRef struct {
	hash uint64
	loc  vector.Loc
}

// groupPart is a table of group numbers + 1, 0 for free; its length is a power of two.
type groupPart struct {
	slots []int32
	n     int
}

const (
	groupParts    = 1 << groupPartBits
	groupPartBits = 6
)

func newGroupTable(s *evalState, g *storeGate, types []vector.Type) *groupTable {
	return &groupTable{s: s, rows: vector.NewRows(g, types)}
}

// hash computes the hashes of the rows sel of cols.
func (t *groupTable) hash(cols []*vector.Vector, sel vector.Sel, n int) ([]uint64, error) {
	if cap(t.buf) < n {
		t.buf = make([]uint64, n)
	}
	t.buf = t.buf[:n]
	t.s.Hash(cols, sel, n, t.buf)
	return t.buf, t.s.Fault()
}

// len returns the number of groups.
func (t *groupTable) len() int { return t.refs.n }

// add returns the number of row i of cols, whose hash is h, and whether it is new.
func (t *groupTable) add(cols []*vector.Vector, i int, h uint64) (group int32, fresh bool, err error) {
	p := &t.parts[h>>(64-groupPartBits)]
	if p.n*2 >= len(p.slots) {
		if err := t.grow(p); err != nil {
			return 0, false, err
		}
	}
	mask := uint64(len(p.slots) - 1)
	at := h & mask
	for ; p.slots[at] != 0; at = (at + 1) & mask {
		g := p.slots[at] - 1
		if r := t.refs.at(int(g)); r.hash == h {
			keys, row := t.rows.Row(r.loc)
			if t.s.EqualRows(cols, i, keys, row) {
				return g, false, t.s.Fault()
			}
		}
	}
	if err := t.s.Fault(); err != nil {
		return 0, false, err
	}
	g := t.refs.n
	if g == math.MaxInt32 {
		return 0, false, errTooManyRows
	}
	loc, err := t.rows.Append(cols, i)
	if err != nil {
		return 0, false, err
	}
	t.refs.grow(g + 1)
	*t.refs.at(g) = groupRef{hash: h, loc: loc}
	p.slots[at] = int32(g) + 1
	p.n++
	return int32(g), true, nil
}

// groupOf returns the number of row i of cols, whose hash is h, or -1 when it is new.
func (t *groupTable) groupOf(cols []*vector.Vector, i int, h uint64) (int32, error) {
	p := &t.parts[h>>(64-groupPartBits)]
	if len(p.slots) == 0 {
		return -1, nil
	}
	mask := uint64(len(p.slots) - 1)
	for at := h & mask; p.slots[at] != 0; at = (at + 1) & mask {
		g := p.slots[at] - 1
		if r := t.refs.at(int(g)); r.hash == h {
			keys, row := t.rows.Row(r.loc)
			if t.s.EqualRows(cols, i, keys, row) {
				return g, t.s.Fault()
			}
		}
	}
	return -1, t.s.Fault()
}

func (t *groupTable) grow(p *groupPart) error {
	old := p.slots
	p.slots = make([]int32, max(8, len(old)*2))
	t.slots += len(p.slots) - len(old)
	mask := uint64(len(p.slots) - 1)
	for _, g := range old {
		if g == 0 {
			continue
		}
		at := t.refs.at(int(g)-1).hash & mask
		for p.slots[at] != 0 {
			at = (at + 1) & mask
		}
		p.slots[at] = g
	}
	return t.s.Step(len(old) * rowStep)
}

func (t *groupTable) bytes() int64 {
	return t.rows.MemoryBytes() + t.refs.bytes() + int64(t.slots*4+cap(t.buf)*8)
}

// find returns the number of row i of cols, whose hash is h; -1 when there is none.
func (t *groupTable) find(cols []*vector.Vector, i int, h uint64) int32 {
	p := &t.parts[h>>(64-groupPartBits)]
	if len(p.slots) == 0 {
		return -1
	}
	mask := uint64(len(p.slots) - 1)
	for at := h & mask; p.slots[at] != 0; at = (at + 1) & mask {
		g := p.slots[at] - 1
		if r := t.refs.at(int(g)); r.hash == h {
			keys, row := t.rows.Row(r.loc)
			if t.s.EqualRows(cols, i, keys, row) {
				return g
			}
		}
	}
	return -1
}
