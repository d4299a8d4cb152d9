package exec

import (
	"math"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/planner/vector"
)

// shortGroups finds the groups of most rows of a batch without their keys' hashes. Keys that have dictionaries, or are booleans or integers near
// each other, are numbered by what they are, and a table says which group such a number was; or a key is that of the row before. The rows that are left
// are looked up in the table of groups.
type shortGroups struct {
	typed []vector.Vector
	parts []keyPart
	slots []int32 // group + 1 of each combination of numbers, 0: not known
	at    []uint32
	coded []uint32   // the number of each row
	need  vector.Sel // to be looked up
	wait  vector.Sel // rows of a number that is not known
	runs  bool
	tired int // batches for which integers are not tried
	many  manyNumbers
}

// manyNumbers is where the combinations of numbers are that have come, when those that there may be are too many for a table of all: an open hash
// table.
type manyNumbers struct {
	on   bool
	keys []uint64 // of the rows of a batch
	have []uint64 // a combination and one, 0 for free; its group is in slots
	n    int
}

// room sees to it that so many combinations more find a place, and reports whether those that were there are gone.
func (m *manyNumbers) room(more int) bool {
	size := len(m.have)
	if (m.n+more)*2 <= size {
		return false
	}
	for size = max(size, 1<<12); (m.n+more)*2 > size; {
		size *= 2
	}
	if size > maxCombinations*4 {
		size = maxCombinations * 4
	}
	if size != len(m.have) {
		m.have = make([]uint64, size)
	}
	m.forget()
	return true
}

func (m *manyNumbers) forget() {
	clear(m.have)
	m.n = 0
}

// place returns where a combination is, or is put.
func (m *manyNumbers) place(key uint64) uint32 {
	mask := uint64(len(m.have) - 1)
	for at := num.HashInt(int64(key)) & mask; ; at = (at + 1) & mask {
		switch m.have[at] {
		case 0:
			m.have[at] = key + 1
			m.n++
			return uint32(at)
		case key + 1:
			return uint32(at)
		}
	}
}

// keyPart is how one key is numbered.
type keyPart struct {
	v    *vector.Vector
	kind keyKind
	dict *vector.Dict
	base int64 // of integers
	size int   // numbers: one for NULL too
}

type keyKind uint8

const (
	keyOther keyKind = iota
	keyCoded
	keyInt
	keyBool
)

const (
	maxCombinations = 1 << 16
	intWindow       = 1 << 12
	worthCodes      = 32 // rows of a batch
	tiredFor        = 15
)

// begin gives rows their groups, but for those that it returns and others that have to wait for them; false when there is no short way and
// that is all of them.
func (s *shortGroups) begin(cols []*vector.Vector, b *vector.Batch, groups []int32) (vector.Sel, bool) {
	if b.Rows() < worthCodes {
		return nil, false
	}
	if len(s.typed) != len(cols) {
		s.typed, s.parts = make([]vector.Vector, len(cols)), make([]keyPart, len(cols))
	}
	if !s.number(cols, b) {
		if s.runs = len(cols) == 1 && isInts(s.parts[0].v); !s.runs {
			return nil, false
		}
		return s.beginRuns(b), true
	}
	s.runs = false
	s.need, s.wait = s.need[:0], s.wait[:0]
	if b.Sel == nil {
		for i, c := range s.coded[:b.N] {
			g := s.slots[c]
			groups[i] = g - 1
			if g <= 0 {
				s.unknown(i, c, g)
			}
		}
	} else {
		for _, i := range b.Sel {
			c := s.coded[i]
			g := s.slots[c]
			groups[i] = g - 1
			if g <= 0 {
				s.unknown(int(i), c, g)
			}
		}
	}
	return notNilSel(s.need), true
}

// unknown notes a row of a number whose group is not known. The first of them is looked up.
func (s *shortGroups) unknown(i int, c uint32, g int32) {
	if g == 0 {
		s.slots[c] = -1
		s.need = append(s.need, int32(i))
	}
	s.wait = append(s.wait, int32(i))
}

// number makes coded the numbers of the rows; false when a key cannot be numbered.
func (s *shortGroups) number(cols []*vector.Vector, b *vector.Batch) bool {
	combinations, same, tried := uint64(1), true, false
	for i, c := range cols {
		p := &s.parts[i]
		p.v = c.Typed(&s.typed[i])
		old := *p
		switch {
		case p.v.Const:
			p.kind = keyOther
		case p.v.Type == vector.Text && p.v.Dict != nil:
			p.kind, p.dict, p.size = keyCoded, p.v.Dict, len(p.v.Dict.Refs)+1
		case isInts(p.v):
			if s.tired > 0 || !p.near(b) {
				tried = true
				p.kind = keyOther
			}
		case p.v.Type == vector.Bool, p.v.Uniform == vector.ClassBool && (p.v.NoNulls || len(p.v.Nulls)*64 >= p.v.Len):
			p.kind, p.size = keyBool, 3
		default:
			p.kind = keyOther
		}
		if p.kind == keyOther {
			if tried && s.tired == 0 {
				s.tired = tiredFor + 1
			}
			s.tired = max(0, s.tired-1)
			s.forget()
			return false
		}
		if combinations > math.MaxUint64>>1/uint64(p.size) {
			s.forget()
			return false
		}
		combinations *= uint64(p.size)
		same = same && p.kind == old.kind && p.size == old.size && (p.kind != keyCoded || p.dict == old.dict) && p.base == old.base
	}
	if cap(s.at) < b.N {
		s.at = make([]uint32, b.N)
	}
	if combinations > maxCombinations {
		s.numberMany(b, same)
		return true
	}
	if !same || s.many.on || len(s.slots) != int(combinations) {
		s.table(int(combinations))
	}
	s.many.on = false
	for i := range s.parts {
		s.parts[i].put(s, b, i == 0)
	}
	return true
}

// table makes slots a table of n numbers, none of which is known.
func (s *shortGroups) table(n int) {
	if cap(s.slots) < n {
		s.slots = make([]int32, n)
	}
	s.slots = s.slots[:n]
	clear(s.slots)
}

// numberMany is number for keys that have too many combinations.
func (s *shortGroups) numberMany(b *vector.Batch, same bool) {
	m := &s.many
	if !same || !m.on {
		m.forget()
	}
	if m.room(b.N) || !same || !m.on {
		s.table(len(m.have))
	}
	m.on = true
	if cap(m.keys) < b.N {
		m.keys = make([]uint64, b.N)
	}
	keys, at := m.keys[:b.N], s.at[:b.N]
	for k := range s.parts {
		s.parts[k].putWide(keys, b, k == 0)
	}
	if b.Sel == nil {
		for i, key := range keys {
			at[i] = m.place(key)
		}
	} else {
		for _, i := range b.Sel {
			at[i] = m.place(keys[i])
		}
	}
	s.coded = at
}

// putWide is put for many combinations.
func (p *keyPart) putWide(keys []uint64, b *vector.Batch, first bool) {
	size, nulls := uint64(p.size), p.v.Nulls.Any()
	if first {
		clear(keys)
	}
	if b.Sel == nil && p.kind == keyCoded && !nulls {
		for i, c := range p.v.Codes[:b.N] {
			keys[i] = keys[i]*size + uint64(c)
		}
		return
	}
	for k := range b.Rows() {
		i := b.Row(k)
		keys[i] = keys[i]*size + uint64(p.number(i, nulls))
	}
}

// number returns the number of row i.
func (p *keyPart) number(i int, nulls bool) uint32 {
	switch v := p.v; {
	case nulls && v.Nulls.Get(i):
		return uint32(p.size - 1)
	case p.kind == keyCoded:
		return v.Codes[i]
	case p.kind == keyInt:
		return uint32(uint64(v.Ints[i]) - uint64(p.base))
	case v.Bool(i):
		return 1
	}
	return 0
}

// near reports whether integers are in the window of those before, or in a new one.
func (p *keyPart) near(b *vector.Batch) bool {
	ints := p.v.Ints
	lo, hi := int64(0), int64(0)
	have := false
	look := func(x int64) {
		if !have {
			lo, hi, have = x, x, true
		}
		lo, hi = min(lo, x), max(hi, x)
	}
	switch nulls := p.v.Nulls.Any(); {
	case b.Sel == nil && !nulls:
		lo, hi, have = ints[0], ints[0], true
		for _, x := range ints[:b.N] {
			lo, hi = min(lo, x), max(hi, x)
		}
	case !nulls:
		for _, i := range b.Sel {
			look(ints[i])
		}
	default:
		for k := range b.Rows() {
			if i := b.Row(k); !p.v.Nulls.Get(i) {
				look(ints[i])
			}
		}
	}
	span := uint64(hi) - uint64(lo)
	if span >= intWindow {
		return false
	}
	if p.kind != keyInt || uint64(lo)-uint64(p.base) >= intWindow || uint64(hi)-uint64(p.base) >= intWindow {
		// Numbers may go up or down from here.
		p.base = int64(uint64(lo) - (intWindow-span)/2)
	}
	p.kind, p.size = keyInt, intWindow+1
	return true
}

// put adds the numbers of a key to those of the keys before it.
func (p *keyPart) put(s *shortGroups, b *vector.Batch, first bool) {
	v := p.v
	nulls := v.Nulls.Any()
	if p.kind == keyCoded && first && !nulls {
		s.coded = v.Codes // which nobody changes: later keys write to at
		return
	}
	from, to, size := s.coded, s.at[:b.N], uint32(p.size)
	if first {
		from, size = to, 0
	}
	s.coded = to
	switch {
	case b.Sel != nil:
		for _, i := range b.Sel {
			to[i] = from[i]*size + p.number(int(i), nulls)
		}
	case p.kind == keyCoded && !nulls:
		for i, c := range v.Codes[:b.N] {
			to[i] = from[i]*size + c
		}
	case p.kind == keyInt && !nulls:
		base := uint64(p.base)
		for i, x := range v.Ints[:b.N] {
			to[i] = from[i]*size + uint32(uint64(x)-base)
		}
	case p.kind == keyBool && !nulls && v.Type.Dynamic():
		for i, x := range v.Bits[:b.N] {
			to[i] = from[i]*size + uint32(min(x, 1))
		}
	default:
		for i := range b.N {
			to[i] = from[i]*size + p.number(i, nulls)
		}
	}
}

// notNilSel returns a selection that is none, and not all, when it is empty.
func notNilSel(sel vector.Sel) vector.Sel {
	if sel == nil {
		return vector.Sel{}
	}
	return sel
}

func isInts(v *vector.Vector) bool {
	return !v.Const && (v.Type == vector.Int || v.Type == vector.Time || v.Type == vector.Date)
}

func (s *shortGroups) beginRuns(b *vector.Batch) vector.Sel {
	v := s.parts[0].v
	s.need = s.need[:0]
	if b.Sel == nil && !v.Nulls.Any() {
		last := ^v.Ints[0]
		for i, x := range v.Ints[:b.N] {
			if x != last {
				s.need = append(s.need, int32(i))
				last = x
			}
		}
		return s.need
	}
	before := -1
	for k := range b.Rows() {
		i := b.Row(k)
		if before < 0 || v.Ints[i] != v.Ints[before] || v.Nulls.Get(i) || v.Nulls.Get(before) {
			s.need = append(s.need, int32(i))
		}
		before = i
	}
	return s.need
}

// end gives the rows that wait their groups, those that were returned by begin having theirs.
func (s *shortGroups) end(b *vector.Batch, groups []int32) {
	if s.runs {
		next, g := 0, int32(0)
		for k := range b.Rows() {
			i := b.Row(k)
			if next < len(s.need) && int(s.need[next]) == i {
				g = groups[i]
				next++
				continue
			}
			groups[i] = g
		}
		return
	}
	for _, i := range s.need {
		s.slots[s.coded[i]] = groups[i] + 1
	}
	for _, i := range s.wait {
		groups[i] = s.slots[s.coded[i]] - 1
	}
}

// forget gives up what is known.
func (s *shortGroups) forget() { s.slots, s.many.on = s.slots[:0], false }

func (s *shortGroups) bytes() int64 {
	return int64(cap(s.slots)*4 + cap(s.need)*4 + cap(s.wait)*4 + cap(s.at)*4 + (cap(s.many.keys)+cap(s.many.have))*8)
}
