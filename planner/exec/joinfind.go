package exec

import "github.com/seed69692123/netdb/planner/vector"

// joinFind looks for the first build rows of many probe rows at once: in passes of which each asks memory for something of all of them, because a
// build side is mostly larger than the processor's caches.
type joinFind struct {
	first []int32 // by row: the first build row; -1 for none
	sel   vector.Sel
	rows  []int32 // that may have one
	locs  []vector.Loc
	same  []bool
	match vector.Matcher
}

// findAll writes the first build rows of the probe rows sel, whose keys have hashes and are not NULL.
func (j *Join) findAll(sel vector.Sel, n int) error {
	f := &j.find
	f.first = grownTo(f.first, n)
	for _, i := range sel {
		f.first[i] = *j.build.heads.at(int(j.hashes[i] & j.build.mask)) - 1
	}
	f.rows, f.locs, f.same = f.rows[:0], f.locs[:0], f.same[:0]
	for _, i := range sel {
		at := f.first[i]
		for at >= 0 {
			ref := j.build.refs.at(int(at))
			if ref.hash == j.hashes[i] {
				f.rows, f.locs, f.same = append(f.rows, i), append(f.locs, ref.loc), append(f.same, true)
				break
			}
			at = ref.next - 1
		}
		f.first[i] = at
	}
	for k, at := range j.build.keys {
		f.match.Match(&j.s.State, j.build.rows, at, j.keys[k], f.rows, f.locs, f.same)
	}
	for k, i := range f.rows {
		if !f.same[k] { // another key of the same hash
			f.first[i] = j.match(int(i), j.build.refs.at(int(f.first[i])).next-1, j.hashes[i])
		}
	}
	return j.s.Fault()
}

// findHashed looks for the rows of a batch by the hashes of their keys.
func (j *Join) findHashed(b *vector.Batch) error {
	f := &j.find
	j.hashes = grownTo(j.hashes, b.N)
	j.s.Hash(j.keys, b.Sel, b.N, j.hashes)
	if j.disk != nil || j.build.rows.Len() == 0 {
		return j.s.Fault()
	}
	sel := j.s.sel(b.Sel, b.N)
	nulls := false
	for _, v := range j.keys {
		nulls = nulls || v.HasNulls()
	}
	if nulls {
		f.first, f.sel = grownTo(f.first, b.N), f.sel[:0]
		for _, i := range sel {
			null := false
			for _, v := range j.keys {
				null = null || v.Null(int(i))
			}
			if !null {
				f.sel = append(f.sel, i)
			}
		}
		if len(f.sel) < len(sel) {
			f.first = grownTo(f.first, b.N)
			for _, i := range sel {
				f.first[i] = -1
			}
		}
		sel = f.sel
	}
	return j.findAll(sel, b.N)
}

// findCoded looks for the rows of a batch whose key is a code that was not there before.
func (j *Join) findCoded(b *vector.Batch) error {
	c, f := &j.codes, &j.find
	f.sel = f.sel[:0]
	for k := range b.Rows() {
		i := b.Row(k)
		if c.v.Nulls.Get(i) {
			continue
		}
		if code := c.v.Codes[i]; c.first[code] == 0 {
			c.first[code] = 1
			f.sel = append(f.sel, int32(i))
		}
	}
	if len(f.sel) == 0 {
		return nil
	}
	j.hashes = grownTo(j.hashes, b.N)
	j.s.Hash(j.keys, f.sel, b.N, j.hashes)
	err := j.s.Fault()
	if err == nil {
		err = j.findAll(f.sel, b.N)
	}
	if err != nil {
		c.dict = nil
		return err
	}
	for _, i := range f.sel {
		c.first[c.v.Codes[i]] = f.first[i] + 2
	}
	return nil
}

func (f *joinFind) bytes() int64 {
	return int64((cap(f.first)+cap(f.sel)+cap(f.rows)+cap(f.locs))*4+cap(f.same)) + f.match.Bytes()
}
