package exec

import (
	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/planner/vector"
)

// intSet is pairs of a group and an integer: open hash tables, chosen by the upper bits of the hash, that grow one by one.
type intSet struct {
	parts [groupParts]intPart
}

// intPart is a table whose length is a power of two.
type intPart struct {
	slots []intSlot
	n     int
}

type intSlot struct {
	x     int64
	group int32 // and one, 0 for free
}

const intSlotBytes = 16

func hashPair(group int32, x int64) uint64 { return num.HashInt(x ^ int64(group)<<40) }

// add puts a pair into the set and reports whether it is new.
func (s *intSet) add(m *listMemory, group int32, x int64) (bool, error) {
	h := hashPair(group, x)
	p := &s.parts[h>>(64-groupPartBits)]
	if p.n*2 >= len(p.slots) {
		if err := p.grow(m); err != nil {
			return false, err
		}
	}
	return p.put(h, intSlot{x, group + 1}), nil
}

// has reports whether a pair is in the set.
func (s *intSet) has(group int32, x int64) bool {
	h := hashPair(group, x)
	p := &s.parts[h>>(64-groupPartBits)]
	if len(p.slots) == 0 {
		return false
	}
	mask := uint64(len(p.slots) - 1)
	for at := h & mask; p.slots[at] != (intSlot{}); at = (at + 1) & mask {
		if p.slots[at] == (intSlot{x, group + 1}) {
			return true
		}
	}
	return false
}

func (p *intPart) put(h uint64, slot intSlot) bool {
	mask := uint64(len(p.slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		switch p.slots[at] {
		case intSlot{}:
			p.slots[at] = slot
			p.n++
			return true
		case slot:
			return false
		}
	}
}

func (p *intPart) grow(m *listMemory) error {
	old := p.slots
	size := max(8, 2*len(old))
	if err := m.ask(size * intSlotBytes); err != nil {
		return err
	}
	p.slots, p.n = make([]intSlot, size), 0
	for _, s := range old {
		if s.group != 0 {
			p.put(hashPair(s.group-1, s.x), s)
		}
	}
	m.held -= int64(len(old) * intSlotBytes)
	return nil
}

// distinctCount is count(DISTINCT x). Integers lie in a set, as do doubles that are equal to one; texts are numbered, each kept once for all
// groups, and their numbers lie in another set; what else there is is kept as rows.
type distinctCount struct {
	listMemory
	agg   *Aggregate
	set   intSet
	texts *groupTable  // nil until there is one
	first paged[int32] // of each text the first group that has it, and one; 0 for none
	pairs intSet       // other groups and numbers of texts
	n     paged[int64]
	rest  *distinctAcc // nil until there is one
	sel   vector.Sel
	dict  *vector.Dict // that ids is of
	ids   []int32      // and one, of its texts; 0: not known
	need  vector.Sel   // rows with texts that are not known
	found []int32      // their numbers
	col   []*vector.Vector

	of     *HashAggregate // whose rows can go to disk; nil if they cannot
	frozen bool           // the sets take no more
}

func (d *distinctCount) grow(n int) {
	d.n.grow(n)
	if d.rest != nil {
		d.rest.grow(n)
	}
}

func (d *distinctCount) size(int) int { return 0 }

func (d *distinctCount) put(to *intSet, group int32, x int64) error {
	fresh, err := to.add(&d.listMemory, group, x)
	if fresh {
		*d.n.at(int(group))++
	}
	return err
}

// putText puts a group and the number of a text that it has into the set. Most texts are in one group only.
func (d *distinctCount) putText(group, id int32) error {
	d.first.grow(d.texts.len())
	switch first := d.first.at(int(id)); *first {
	case 0:
		*first = group + 1
		*d.n.at(int(group))++
		return nil
	case group + 1:
		return nil
	}
	return d.put(&d.pairs, group, int64(id))
}

// has reports whether a group has the text of a number.
func (d *distinctCount) has(group, id int32) bool {
	return int(id) < d.first.n && *d.first.at(int(id)) == group+1 || d.pairs.has(group, int64(id))
}

// number writes the numbers of texts, which are the rows of sel, to found.
func (d *distinctCount) number(cols []*vector.Vector, sel vector.Sel, n int, hashes []uint64) error {
	d.needTexts()
	d.found = grownTo(d.found, n)
	return d.texts.addAll(cols, sel, n, hashes, d.found, nil)
}

// hash is the hash by which the text of a row is found in texts: that of a row of one column.
func (d *distinctCount) hash(v *vector.Vector, i int) uint64 {
	return num.Combine(0, d.g.HashValue(v, i))
}

func (d *distinctCount) needTexts() {
	if d.texts == nil {
		d.texts = newGroupTable(d.g.evalState, d.g, []vector.Type{vector.Any})
	}
}

func (d *distinctCount) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	v := args[0]
	if d.frozen {
		return d.addFrozen(v, args, groups, sel, n)
	}
	if v.Type == vector.Int && !v.Const && !v.HasNulls() && sel == nil {
		for i, x := range v.Ints[:n] {
			if err := d.put(&d.set, groups[i], x); err != nil {
				return err
			}
		}
		return nil
	}
	d.col = append(d.col[:0], v)
	if v.Type == vector.Text && v.Dict != nil && !v.Const {
		return d.addCodes(v, groups, sel, n)
	}
	rest := d.sel[:0]
	for k := range sel.Count(n) {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		var err error
		switch v.Class(i) {
		case vector.ClassNull:
		case vector.ClassInt:
			err = d.put(&d.set, groups[i], v.Int(i))
		case vector.ClassFloat:
			f := v.Float(i)
			if f >= -0x1p63 && f < 0x1p63 && float64(int64(f)) == f {
				err = d.put(&d.set, groups[i], int64(f))
				break
			}
			rest = append(rest, int32(i))
		case vector.ClassText:
			var id int32
			d.needTexts()
			if id, _, err = d.texts.add(d.col, i, d.hash(v, i)); err == nil {
				err = d.putText(groups[i], id)
			}
		default:
			rest = append(rest, int32(i))
		}
		if err != nil {
			return err
		}
	}
	if d.sel = rest; len(rest) == 0 {
		return d.looked(sel, n)
	}
	d.needRest()
	return d.rest.add(args[:1], groups, rest, n)
}

// addCodes is add of texts of a dictionary: each text is looked at once.
func (d *distinctCount) addCodes(v *vector.Vector, groups []int32, sel vector.Sel, n int) error {
	if d.dict != v.Dict {
		d.dict, d.ids = v.Dict, append(d.ids[:0], make([]int32, len(v.Dict.Refs))...)
	}
	nulls := v.HasNulls()
	d.need = d.need[:0]
	look := func(i int) {
		if c := v.Codes[i]; d.ids[c] == 0 && !(nulls && v.Nulls.Get(i)) {
			d.ids[c] = -1
			d.need = append(d.need, int32(i))
		}
	}
	if sel == nil {
		ids := d.ids
		for i, c := range v.Codes[:n] {
			if ids[c] == 0 {
				look(i)
			}
		}
	} else {
		for _, i := range sel {
			look(int(i))
		}
	}
	if len(d.need) > 0 {
		d.needTexts()
		hashes, err := d.texts.hash(d.col, d.need, n)
		if err == nil {
			err = d.number(d.col, d.need, n, hashes)
		}
		if err != nil {
			d.dict = nil
			return err
		}
		for _, i := range d.need {
			d.ids[v.Codes[i]] = d.found[i] + 1
		}
	}
	if d.n.n == 1 { // the one group has all the others
		for _, i := range d.need {
			if err := d.putText(groups[i], d.found[i]); err != nil {
				d.dict = nil
				return err
			}
		}
		return d.looked(sel, n)
	}
	last, lastOf := int32(0), int32(-1)
	for k := range sel.Count(n) {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if nulls && v.Nulls.Get(i) {
			continue
		}
		id := d.ids[v.Codes[i]]
		if id == last && groups[i] == lastOf {
			continue
		}
		last, lastOf = id, groups[i]
		if err := d.putText(lastOf, id-1); err != nil {
			d.dict = nil
			return err
		}
	}
	return d.looked(sel, n)
}

// looked ends a batch.
func (d *distinctCount) looked(sel vector.Sel, n int) error {
	if err := d.g.Fault(); err != nil {
		return err
	}
	return d.g.rows(sel, n)
}

func (d *distinctCount) needRest() {
	if d.rest == nil {
		plain := *d.agg
		plain.OrderBy = nil
		d.rest = newDistinctAcc(d.g, &plain, &countAcc{g: d.g})
		d.rest.grow(d.n.n)
		if d.of != nil {
			d.rest.rest = &distinctRest{of: d.of}
		}
	}
}

// addFrozen is add when the sets take no more: what is not in them goes on to the rest.
func (d *distinctCount) addFrozen(v *vector.Vector, args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	d.col = append(d.col[:0], v)
	rest := notNilSel(d.sel[:0])
	for k := range sel.Count(n) {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		seen := false
		switch v.Class(i) {
		case vector.ClassNull:
			seen = true
		case vector.ClassInt:
			seen = d.set.has(groups[i], v.Int(i))
		case vector.ClassFloat:
			f := v.Float(i)
			seen = f >= -0x1p63 && f < 0x1p63 && float64(int64(f)) == f && d.set.has(groups[i], int64(f))
		case vector.ClassText:
			if d.texts != nil {
				id, err := d.texts.groupOf(d.col, i, d.hash(v, i))
				if err != nil {
					return err
				}
				seen = id >= 0 && d.has(groups[i], id)
			}
		}
		if !seen {
			rest = append(rest, int32(i))
		}
	}
	if d.sel = rest; len(rest) == 0 {
		return d.g.Fault()
	}
	d.needRest()
	return d.rest.add(args[:1], groups, rest, n)
}

func (d *distinctCount) merge(other accumulator, into []int32) error {
	o := other.(*distinctCount)
	if err := d.eachPair(&o.set, into, func(group int32, x int64) error { return d.put(&d.set, group, x) }); err != nil {
		return err
	}
	if o.texts != nil {
		d.dict = nil
		ids := make([]int32, o.texts.len())
		var hashes []uint64
		at := 0
		for p := range o.texts.rows.Pages() {
			cols, n := o.texts.rows.Page(p)
			hashes = hashes[:0]
			for i := range n {
				hashes = append(hashes, o.texts.refs.at(at+i).hash)
			}
			if err := d.number(cols, nil, n, hashes); err != nil {
				return err
			}
			for i, id := range d.found {
				ids[at+i] = id
				if at+i >= o.first.n {
					continue
				}
				if first := *o.first.at(at + i) - 1; first >= 0 && int(first) < len(into) && into[first] >= 0 {
					if err := d.putText(into[first], id); err != nil {
						return err
					}
				}
			}
			at += n
			if err := d.g.rows(nil, n); err != nil {
				return err
			}
		}
		if err := d.mergeTexts(&o.pairs, into, ids); err != nil {
			return err
		}
	}
	if o.rest == nil {
		return nil
	}
	d.needRest()
	return d.rest.merge(o.rest, into)
}

// mergeTexts takes in the groups of texts that are not their first, whose numbers become ids.
func (d *distinctCount) mergeTexts(from *intSet, into, ids []int32) error {
	return d.eachPair(from, into, func(group int32, x int64) error { return d.putText(group, ids[x]) })
}

// eachPair calls f with the pairs of another set, whose groups become those of into.
func (d *distinctCount) eachPair(from *intSet, into []int32, f func(group int32, x int64) error) error {
	for p := range from.parts {
		for _, s := range from.parts[p].slots {
			if s.group == 0 || int(s.group) > len(into) || into[s.group-1] < 0 {
				continue
			}
			if err := f(into[s.group-1], s.x); err != nil {
				return err
			}
		}
		if err := d.g.Step(len(from.parts[p].slots) * intSlotBytes); err != nil {
			return err
		}
	}
	return nil
}

func (d *distinctCount) result(out *vector.Vector, g int) error {
	n := *d.n.at(g)
	if d.rest != nil {
		n += *d.rest.accumulator.(*countAcc).n.at(g)
	}
	out.AppendInt(n)
	return nil
}

func (d *distinctCount) bytes() int64 {
	n := d.listMemory.bytes() + d.n.bytes() + d.first.bytes() + int64((cap(d.sel)+cap(d.ids)+cap(d.need)+cap(d.found))*4)
	if d.texts != nil {
		n += d.texts.bytes()
	}
	if d.rest != nil {
		n += d.rest.bytes()
	}
	return n
}
