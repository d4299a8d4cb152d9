package exec

import "github.com/seed69692123/netdb/planner/vector"

// keyCodes is a join's key where it is one column of texts of a dictionary: what is found for a text is found for all rows that have it.
type keyCodes struct {
	v     *vector.Vector // nil: the key is something else
	view  vector.Vector
	dict  *vector.Dict
	first []int32 // of each code: the first build row of its text + 2; 0: not known, 1: none
}

// see takes the keys of a batch, and reports whether they are codes.
func (c *keyCodes) see(keys []*vector.Vector) bool {
	c.v = nil
	if len(keys) != 1 || keys[0].Const {
		return false
	}
	v := keys[0].Typed(&c.view)
	if v.Type != vector.Text || v.Dict == nil {
		return false
	}
	if c.v = v; c.dict != v.Dict {
		c.dict, c.first = v.Dict, append(c.first[:0], make([]int32, len(v.Dict.Refs))...)
	}
	return true
}

// firstCoded is first for a key that is a code, behind findCoded.
func (j *Join) firstCoded(i int) int32 {
	c := &j.codes
	if c.v.Nulls.Get(i) {
		return -1
	}
	return c.first[c.v.Codes[i]] - 2
}

// fresh returns the rows of a batch of the build side without those whose key, a code, was there before: for a join that asks no more than whether
// there is a partner, or for the first.
func (c *keyCodes) fresh(keys []*vector.Vector, b *vector.Batch) vector.Sel {
	if !c.see(keys) {
		return b.Sel
	}
	sel := make(vector.Sel, 0, b.Rows())
	for k := range b.Rows() {
		i := b.Row(k)
		if !c.v.Nulls.Get(i) {
			code := c.v.Codes[i]
			if c.first[code] != 0 {
				continue
			}
			c.first[code] = 1
		}
		sel = append(sel, int32(i))
	}
	return sel
}
