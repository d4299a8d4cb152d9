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
	parts  [groupParts]groupPart
	slots  int // of all parts
	buf    []uint64
	search groupSearch
}

// groupRef is the hash of a group's key and where it is.
type groupRef struct {
	hash uint64
	loc  vector.Loc
}

// groupPart is a table of groups; its length is a power of two.
type groupPart struct {
	slots []groupSlot
	n     int
}

// groupSlot is the lower half of a hash, which tells most groups apart without a look at their keys, and the group's number + 1; 0 is free.
type groupSlot uint64

func newGroupSlot(hash uint64, group int32) groupSlot {
	return groupSlot(hash<<32 | uint64(group+1))
}

// is reports whether the slot may be of a hash.
func (s groupSlot) is(hash uint64) bool { return uint32(s>>32) == uint32(hash) }

func (s groupSlot) group() int32 { return int32(uint32(s)) - 1 }

const (
	groupParts     = 1 << groupPartBits
	groupPartBits  = 6
	groupSlotBytes = 8
)

func newGroupTable(s *evalState, g *storeGate, types []vector.Type) *groupTable {
	return &groupTable{s: s, rows: vector.NewRows(g, types)}
}

// hash computes the hashes of the rows sel of cols.
func (t *groupTable) hash(cols []*vector.Vector, sel vector.Sel, n int) ([]uint64, error) {
	t.buf = grownTo(t.buf, n)
	t.s.Hash(cols, sel, n, t.buf)
	return t.buf, t.s.Fault()
}

// len returns the number of groups.
func (t *groupTable) len() int { return t.refs.n }

// part returns the table in which groups of a hash are.
func (t *groupTable) part(h uint64) *groupPart { return &t.parts[h>>(64-groupPartBits)] }

// add returns the number of row i of cols, whose hash is h, and whether it is new.
func (t *groupTable) add(cols []*vector.Vector, i int, h uint64) (group int32, fresh bool, err error) {
	p := t.part(h)
	if p.n*2 >= len(p.slots) {
		if err := t.grow(p); err != nil {
			return 0, false, err
		}
	}
	group, at := t.look(p, cols, i, h)
	if err := t.s.Fault(); err != nil || group >= 0 {
		return group, false, err
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
	p.slots[at] = newGroupSlot(h, int32(g))
	p.n++
	return int32(g), true, nil
}

// look returns the group of row i of cols, whose hash is h, in the table where it must be; -1 when there is none, and the slot for it.
func (t *groupTable) look(p *groupPart, cols []*vector.Vector, i int, h uint64) (int32, uint64) {
	mask := uint64(len(p.slots) - 1)
	at := h & mask
	for ; p.slots[at] != 0; at = (at + 1) & mask {
		if s := p.slots[at]; s.is(h) {
			keys, row := t.rows.Row(t.refs.at(int(s.group())).loc)
			if t.s.EqualRows(cols, i, keys, row) {
				return s.group(), at
			}
		}
	}
	return -1, at
}

// addAll is add for the rows of sel, whose numbers it writes to groups. New groups are numbered in the order of rows, and fresh, which may be nil, is
// called for each.
func (t *groupTable) addAll(cols []*vector.Vector, sel vector.Sel, n int, hashes []uint64, groups []int32, fresh func(group int32, i int)) error {
	rest, err := t.findAll(cols, sel, n, hashes, groups)
	if err != nil {
		return err
	}
	for _, i := range rest {
		g, is, err := t.add(cols, int(i), hashes[i])
		if err != nil {
			return err
		}
		if groups[i] = g; is && fresh != nil {
			fresh(g, int(i))
		}
	}
	return nil
}

// groupSearch is what a search for many groups at once keeps.
type groupSearch struct {
	slots []groupSlot
	rows  []int32
	locs  []vector.Loc
	same  []bool
	rest  vector.Sel
	match vector.Matcher
}

// findAll writes the groups of the rows of sel that are easily found to groups, and returns the others. A table that is larger than the processor's
// caches answers one question as fast as many that do not depend on each other.
func (t *groupTable) findAll(cols []*vector.Vector, sel vector.Sel, n int, hashes []uint64, groups []int32) (vector.Sel, error) {
	f := &t.search
	f.rest = f.rest[:0]
	if sel == nil {
		sel = t.s.sel(nil, n)
	}
	if t.slots < worthSearch || len(sel) < worthCodes {
		return sel, nil
	}
	f.slots = grownTo(f.slots, len(sel))
	for k, i := range sel {
		h := hashes[i]
		p := t.part(h)
		f.slots[k] = 0
		if mask := uint64(len(p.slots) - 1); len(p.slots) > 0 {
			f.slots[k] = p.slots[h&mask]
		}
	}
	f.rows = f.rows[:0]
	for k, i := range sel {
		s, h := f.slots[k], hashes[i]
		if s == 0 {
			groups[i] = -1
			continue
		}
		if !s.is(h) {
			p := t.part(h)
			mask := uint64(len(p.slots) - 1)
			for at := (h + 1) & mask; ; at = (at + 1) & mask {
				if s = p.slots[at]; s == 0 || s.is(h) {
					break
				}
			}
		}
		if groups[i] = s.group(); s != 0 {
			f.rows = append(f.rows, i)
		}
	}
	f.locs, f.same = grownTo(f.locs, len(f.rows)), grownTo(f.same, len(f.rows))
	for k, i := range f.rows {
		f.locs[k], f.same[k] = t.refs.at(int(groups[i])).loc, true
	}
	for c, v := range cols {
		f.match.Match(&t.s.State, t.rows, c, v, f.rows, f.locs, f.same)
	}
	if err := t.s.Fault(); err != nil {
		return nil, err
	}
	for k, i := range f.rows {
		if !f.same[k] {
			groups[i] = -1
		}
	}
	for _, i := range sel {
		if groups[i] < 0 {
			f.rest = append(f.rest, i)
		}
	}
	return f.rest, nil
}

// worthSearch is how many slots a table has that is worth to be searched for many rows at once.
const worthSearch = 1 << 12

// grownTo returns s with a length; what was in it may be lost.
func grownTo[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, max(n, 2*cap(s))) // many tables stay small
	}
	return s[:n]
}

// groupOf returns the number of row i of cols, whose hash is h, or -1 when it is new.
func (t *groupTable) groupOf(cols []*vector.Vector, i int, h uint64) (int32, error) {
	return t.find(cols, i, h), t.s.Fault()
}

func (t *groupTable) grow(p *groupPart) error {
	old := p.slots
	p.slots = make([]groupSlot, max(8, len(old)*2))
	t.slots += len(p.slots) - len(old)
	mask := uint64(len(p.slots) - 1)
	for _, s := range old {
		if s == 0 {
			continue
		}
		at := uint64(s>>32) & mask // fewer bits than half of a hash: groups are numbered by int32
		for p.slots[at] != 0 {
			at = (at + 1) & mask
		}
		p.slots[at] = s
	}
	return t.s.Step(len(old) * rowStep)
}

func (t *groupTable) bytes() int64 {
	return t.rows.MemoryBytes() + t.refs.bytes() + int64(t.slots*groupSlotBytes+cap(t.buf)*8) + t.search.bytes()
}

func (f *groupSearch) bytes() int64 {
	return int64(cap(f.slots)*8+cap(f.rows)*4+cap(f.locs)*4+cap(f.same)+cap(f.rest)*4) + f.match.Bytes()
}

// find returns the number of row i of cols, whose hash is h; -1 when there is none.
func (t *groupTable) find(cols []*vector.Vector, i int, h uint64) int32 {
	p := t.part(h)
	if len(p.slots) == 0 {
		return -1
	}
	g, _ := t.look(p, cols, i, h)
	return g
}
