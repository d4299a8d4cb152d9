package exec

import "github.com/seed69692123/netdb/planner/vector"

// codedTexts lets a valueAcc keep codes in place of texts as long as the dictionary is the same: of the values that replace each other in a chunk
// only those that stay are copied, when the next dictionary comes. Those of the last one are never copied.
type codedTexts struct {
	dict   *vector.Dict // of the groups whose heads are coded
	codes  []uint32     // of the column that is being added; nil: it has none
	groups []int32      // that may be coded
	size   int64        // of dict
}

// codedPart is which part of the budget a dictionary may take that is kept after its chunk.
const codedPart = 64

// begin is called before rows of v are put.
func (a *valueAcc) begin(v *vector.Vector) error {
	c := &a.coded
	c.codes = nil
	x := v.Typed(&a.typed)
	if x.Type != vector.Text || x.Dict == nil || x.Const {
		return nil
	}
	if x.Dict != c.dict {
		size := int64(len(x.Dict.Data) + 8*len(x.Dict.Refs))
		if b := a.g.acct.b; b != nil && b.limit > 0 && size > b.limit/codedPart {
			return nil
		}
		if err := a.settle(); err != nil {
			return err
		}
		c.dict, c.size = x.Dict, size
	}
	c.codes = x.Codes
	return nil
}

// put is set of a row of the column that begin was called with.
func (a *valueAcc) put(g int, v *vector.Vector, i int) error {
	c := &a.coded
	if c.codes == nil || v.Null(i) {
		return a.set(g, v, i)
	}
	h := a.heads.at(g)
	if !h.coded {
		c.groups = append(c.groups, int32(g))
	}
	*h = valueHead{bits: uint64(c.codes[i]), class: vector.ClassText, have: true, coded: true}
	return nil
}

// settle copies the texts of the groups that are coded.
func (a *valueAcc) settle() error {
	c := &a.coded
	a.texts.grow(a.heads.n)
	for len(c.groups) > 0 {
		last := len(c.groups) - 1
		g := int(c.groups[last])
		if h := a.heads.at(g); h.coded {
			if err := a.g.keep(a.texts.at(g), a.text(h, g), &a.held); err != nil {
				return err
			}
			h.coded = false
		}
		c.groups = c.groups[:last]
		if err := a.g.Step(rowStep); err != nil {
			return err
		}
	}
	c.dict, c.size = nil, 0
	return nil
}

func (c *codedTexts) bytes() int64 { return c.size + int64(cap(c.groups)*4) }
