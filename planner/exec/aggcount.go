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

// distinctCount is count(DISTINCT x): integers lie in a set of their own, as do doubles that are equal to one; what else there
// is is kept as rows.
type distinctCount struct {
	listMemory
	agg  *Aggregate
	set  intSet
	n    paged[int64]
	rest *distinctAcc // nil until there is one
	sel  vector.Sel
	dict *vector.Dict // that seen is of
	seen []bool       // texts of it that were counted
}

func (d *distinctCount) grow(n int) {
	d.n.grow(n)
	if d.rest != nil {
		d.rest.grow(n)
	}
}

func (d *distinctCount) size(int) int { return 0 }

func (d *distinctCount) put(group int32, x int64) error {
	fresh, err := d.set.add(&d.listMemory, group, x)
	if fresh {
		*d.n.at(int(group))++
	}
	return err
}

func (d *distinctCount) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	v := args[0]
	if v.Type == vector.Int && !v.Const && !v.HasNulls() && sel == nil {
		for i, x := range v.Ints[:n] {
			if err := d.put(groups[i], x); err != nil {
				return err
			}
		}
		return nil
	}
	if v.Type == vector.Text && v.Dict != nil && !v.Const && d.n.n == 1 {
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
			err = d.put(groups[i], v.Int(i))
		case vector.ClassFloat:
			f := v.Float(i)
			if f >= -0x1p63 && f < 0x1p63 && float64(int64(f)) == f {
				err = d.put(groups[i], int64(f))
				break
			}
			rest = append(rest, int32(i))
		default:
			rest = append(rest, int32(i))
		}
		if err != nil {
			return err
		}
	}
	if d.sel = rest; len(rest) == 0 {
		return nil
	}
	d.needRest()
	return d.rest.add(args[:1], groups, rest, n)
}

// addCodes is add of texts of a dictionary to the only group: each text is looked at once.
func (d *distinctCount) addCodes(v *vector.Vector, groups []int32, sel vector.Sel, n int) error {
	if d.dict != v.Dict {
		d.dict, d.seen = v.Dict, append(d.seen[:0], make([]bool, len(v.Dict.Refs))...)
	}
	fresh := d.sel[:0]
	for k := range sel.Count(n) {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if c := v.Codes[i]; !d.seen[c] && !v.Nulls.Get(i) {
			d.seen[c] = true
			fresh = append(fresh, int32(i))
		}
	}
	if d.sel = fresh; len(fresh) == 0 {
		return nil
	}
	d.needRest()
	if err := d.rest.add([]*vector.Vector{v}, groups, fresh, n); err != nil {
		d.dict = nil
		return err
	}
	return nil
}

func (d *distinctCount) needRest() {
	if d.rest == nil {
		plain := *d.agg
		plain.OrderBy = nil
		d.rest = newDistinctAcc(d.g, &plain, &countAcc{g: d.g})
		d.rest.grow(d.n.n)
	}
}

func (d *distinctCount) merge(other accumulator, into []int32) error {
	o := other.(*distinctCount)
	for p := range o.set.parts {
		for _, s := range o.set.parts[p].slots {
			if s.group == 0 || int(s.group) > len(into) || into[s.group-1] < 0 {
				continue
			}
			if err := d.put(into[s.group-1], s.x); err != nil {
				return err
			}
		}
		if err := d.g.Step(len(o.set.parts[p].slots) * intSlotBytes); err != nil {
			return err
		}
	}
	if o.rest == nil {
		return nil
	}
	d.needRest()
	return d.rest.merge(o.rest, into)
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
	n := d.listMemory.bytes() + d.n.bytes() + int64(cap(d.sel)*4)
	if d.rest != nil {
		n += d.rest.bytes()
	}
	return n
}
