package vector

import "bytes"

// Matcher compares values of a batch with rows of a store, many at a time: so that what one comparison waits for in memory, the next waits for
// as well.
type Matcher struct {
	view Vector
	text [][]byte // of the store's rows
}

// Match makes same[k] false where row rows[k] of v is not equal, for grouping, to row locs[k] of column c of r. It leaves out those that are
// false already.
func (m *Matcher) Match(s *State, r *Rows, c int, v *Vector, rows []int32, locs []Loc, same []bool) {
	if v = v.Typed(&m.view); v.Const || v.Type != Text && !v.Type.Dynamic() {
		for k, l := range locs {
			if same[k] {
				cols, j := r.Row(l)
				same[k] = s.EqualValues(v, int(rows[k]), cols[c], j)
			}
		}
		return
	}
	// First where the texts are, then what they are.
	m.text = extend(m.text, len(locs))
	for k, l := range locs {
		m.text[k] = nil
		if !same[k] {
			continue
		}
		col, i, j := r.pages[l>>locBits].cols[c], int(rows[k]), int(l&(MaxRows-1))
		var ref, mine Ref
		switch {
		case v.Class(i) != ClassText || col.Class(j) != ClassText:
			same[k] = s.EqualValues(v, i, col, j)
			continue
		case v.Type.Dynamic() && !v.CodesOnly:
			mine = Ref(v.Bits[i])
		case v.Dict != nil:
			mine = v.Dict.Refs[v.Codes[i]]
		default:
			mine = v.Refs[i]
		}
		if col.Type.Dynamic() {
			ref = Ref(col.Bits[j])
		} else {
			ref = col.Refs[j]
		}
		if same[k] = ref.Len() == mine.Len(); same[k] && ref.Len() > 0 {
			m.text[k] = ref.In(col.Data)
		}
	}
	for k, text := range m.text {
		if text != nil {
			same[k] = bytes.Equal(text, v.Bytes(int(rows[k])))
		}
	}
}

// Bytes is the memory held.
func (m *Matcher) Bytes() int64 { return int64(cap(m.text) * 24) }
