package logscan

import (
	"context"
	"slices"

	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex/sealed"
)

// keyTest leaves out rows whose key a join does not have: chunks and blocks of which statistics or dictionaries say that they have none of the
// keys, then row by row, before the columns that are no key are decoded.
type keyTest struct {
	outs  []int // outputs that are the key
	test  vector.KeyTest
	cols  []*vector.Vector
	set   *vector.KeySet
	where [][]condition // of set, for each column
	chunk bool          // the chunk was looked at
	none  bool          // no row of it has one of the keys
}

func newKeyTest(h planner.KeyHint) keyTest {
	return keyTest{outs: h.Outputs, test: vector.KeyTest{Filter: h.Filter}, cols: make([]*vector.Vector, len(h.Outputs))}
}

// see takes the keys there are now, and reports whether there are any to test.
func (t *keyTest) see() bool {
	set := t.test.Filter.Set()
	if set == t.set || set == nil {
		return set != nil
	}
	t.set, t.where, t.chunk = set, nil, false
	for i := range set.Bounds {
		var c []condition
		between := func(least, greatest query.Value) {
			c = append(c, condition{op: vector.Ge, value: least}, condition{op: vector.Le, value: greatest})
		}
		switch b := &set.Bounds[i]; b.Class {
		case vector.ClassInt:
			between(query.Int(b.Least), query.Int(b.Greatest))
		case vector.ClassTime:
			between(query.Nanos(b.Least), query.Nanos(b.Greatest))
		case vector.ClassText:
			least, greatest := b.Texts()
			between(query.Text(string(least)), query.Text(string(greatest)))
			c[0].text, c[1].text = least, greatest
		}
		t.where = append(t.where, c)
	}
	return true
}

// skips reports whether no row of the chunk has one of a join's keys.
func (c *columnReader) skips() (bool, error) {
	for i := range c.keys {
		t := &c.keys[i]
		if !t.see() {
			continue
		}
		if !t.chunk {
			none, err := c.without(t)
			if err != nil {
				return false, err
			}
			t.chunk, t.none = true, none
		}
		if t.none {
			return true, nil
		}
	}
	return false, nil
}

// without reports whether no row of the chunk has one of the keys.
func (c *columnReader) without(t *keyTest) (bool, error) {
	for k, out := range t.outs {
		o, b := &c.outs[out], &t.set.Bounds[k]
		switch {
		case o.none:
			return true, nil
		case c.dense(out):
			if b.Class == vector.ClassInt && !b.Between(int64(c.k.from), int64(c.k.to)-1) {
				return true, nil
			}
			continue
		}
		col := o.cur.Column()
		for w := range t.where[k] {
			if may, err := t.where[k][w].mayHold(c.r.s.catalogues.columns, c.k, col); !may || err != nil {
				return err == nil, err
			}
		}
		s := col.Stats()
		if b.Class == vector.ClassInt && s.Counts[payload.Int] == s.Values()-s.Counts[payload.Null] && s.Counts[sealed.InRow] == 0 && !b.Between(s.Ints[0], s.Ints[1]) {
			return true, nil
		}
		// All values of a column that is coded and has no other kind of value are in its dictionary.
		if len(t.outs) > 1 || !col.Coded() || s.Counts[sealed.InRow] > 0 || s.Values() != s.Counts[payload.Text]+s.Counts[payload.Null] {
			continue
		}
		d, err := c.r.s.catalogues.columns.dict(c.k, col)
		if err != nil || !t.test.Any(t.set, d) {
			return err == nil, err
		}
	}
	return false, nil
}

// dense reports whether an output is the sequence of a chunk that has all of them.
func (c *columnReader) dense(output int) bool {
	return c.r.p.outputs[output].Column == colSeq && !c.k.Info().Sparse
}

// fillKeys fills the outputs that are keys with the rows [lo, hi) of a block, and returns the rows that may have a partner; nil when all
// may. When none has, not all keys are filled.
func (c *columnReader) fillKeys(ctx context.Context, b *vector.Batch, block int, seqs []uint64, lo, hi int) (vector.Sel, error) {
	n := hi - lo
	var sel vector.Sel
	for i := range c.keys {
		t := &c.keys[i]
		if !t.see() {
			continue
		}
		for k, out := range t.outs {
			if !c.mayMeet(t, k, block, n) {
				c.r.stats.RowsSkipped += int64(n)
				c.r.stats.RowsRead -= int64(n)
				return vector.Sel{}, nil
			}
			v := b.Cols[out]
			if v.Len == 0 {
				if err := c.fillOutput(ctx, out, v, block, seqs, lo, hi); err != nil {
					return nil, err
				}
			}
			t.cols[k] = v
		}
		if sel = t.test.Apply(t.set, t.cols, sel, n); len(sel) == 0 {
			break
		}
	}
	if sel == nil || len(sel) == n {
		return nil, nil
	}
	return c.keyed(n, sel), nil
}

// mayMeet reports whether column k of a key may be that of a partner in a row of a block.
func (c *columnReader) mayMeet(t *keyTest, k, block, n int) bool {
	b, out := &t.set.Bounds[k], t.outs[k]
	switch {
	case c.outs[out].none:
		return false
	case c.dense(out):
		return b.Class != vector.ClassInt || b.Between(int64(c.r.at), int64(c.r.at)+int64(n)-1)
	}
	least, greatest, ok := c.outs[out].cur.Column().Zone(block)
	if !ok {
		return true
	}
	// The block has integers only, or times only; the chunk's statistics tell which.
	switch s := c.outs[out].cur.Column().Stats(); {
	case b.Class == vector.ClassInt && s.Counts[payload.Time] == 0, b.Class == vector.ClassTime && s.Counts[payload.Int] == 0:
		return b.Between(least, greatest)
	}
	return true
}

// keyed counts the rows that are left out. A batch that is read ahead needs a selection of its own.
func (c *columnReader) keyed(n int, sel vector.Sel) vector.Sel {
	c.r.stats.RowsKeyed += int64(n - len(sel))
	if !c.share {
		return append(vector.Sel{}, sel...)
	}
	return slices.Clip(sel)
}
