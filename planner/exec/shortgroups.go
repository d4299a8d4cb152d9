package exec

import "github.com/seed69692123/netdb/planner/vector"

// shortGroups finds the groups of most rows of a batch without their keys' hashes: by the codes of keys that have dictionaries, or
// because a key is that of the row before. The rows that are left are looked up in the table of groups.
type shortGroups struct {
	typed []vector.Vector
	keys  []*vector.Vector
	dicts []*vector.Dict
	slots []int32 // group + 1 of each combination of codes, 0: not known
	need  vector.Sel
	runs  bool
}

const (
	maxCombinations = 1 << 16
	worthCodes      = 32 // rows of a batch
)

// begin returns the rows whose group is to be looked up; false when there is no short way and that is all of them.
func (s *shortGroups) begin(cols []*vector.Vector, b *vector.Batch) (vector.Sel, bool) {
	if b.Rows() < worthCodes {
		return nil, false
	}
	if len(s.typed) != len(cols) {
		s.typed, s.keys, s.dicts = make([]vector.Vector, len(cols)), make([]*vector.Vector, len(cols)), make([]*vector.Dict, len(cols))
	}
	for i, c := range cols {
		s.keys[i] = c.Typed(&s.typed[i])
	}
	if s.runs = len(cols) == 1 && isInts(s.keys[0]); s.runs {
		return s.beginRuns(b), true
	}
	combinations := 1
	same := true
	for i, k := range s.keys {
		if k.Const || k.Type != vector.Text || k.Dict == nil {
			return nil, false
		}
		if combinations *= len(k.Dict.Refs) + 1; combinations > maxCombinations {
			return nil, false
		}
		same = same && s.dicts[i] == k.Dict
		s.dicts[i] = k.Dict
	}
	if !same {
		if cap(s.slots) < combinations {
			s.slots = make([]int32, combinations)
		}
		s.slots = s.slots[:combinations]
		clear(s.slots)
	}
	s.need = s.need[:0]
	for k := range b.Rows() {
		i := b.Row(k)
		if at := s.slot(i); s.slots[at] == 0 {
			s.slots[at] = -1
			s.need = append(s.need, int32(i))
		}
	}
	return notNilSel(s.need), true
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

// slot returns the place of the codes of a row.
func (s *shortGroups) slot(i int) int {
	at := 0
	for _, k := range s.keys {
		code := len(k.Dict.Refs)
		if !k.Nulls.Get(i) {
			code = int(k.Codes[i])
		}
		at = at*(len(k.Dict.Refs)+1) + code
	}
	return at
}

func (s *shortGroups) beginRuns(b *vector.Batch) vector.Sel {
	v := s.keys[0]
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

// end gives the other rows their groups, those in need having theirs.
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
		s.slots[s.slot(int(i))] = groups[i] + 1
	}
	if len(s.keys) == 1 && b.Sel == nil && !s.keys[0].Nulls.Any() {
		for i, c := range s.keys[0].Codes[:b.N] {
			groups[i] = s.slots[c] - 1
		}
		return
	}
	for k := range b.Rows() {
		i := b.Row(k)
		groups[i] = s.slots[s.slot(i)] - 1
	}
}

// forget gives up what is known, because looking up a group failed.
func (s *shortGroups) forget() { clear(s.dicts) }

func (s *shortGroups) bytes() int64 { return int64(cap(s.slots)*4 + cap(s.need)*4) }
