package fold

import (
	"cmp"
	"iter"
	"slices"
	"sort"

	"github.com/RoaringBitmap/roaring/v2"
)

// BitmapIndex keeps, for each value, the set of rows that have it, as roaring bitmaps.
type BitmapIndex[K cmp.Ordered, V any, I cmp.Ordered] struct {
	name string
	one  func(k K, v *V) I   // FewValued
	many func(k K, v *V) []I // Tags
}

// FewValued declares an index for a value of which a table has few different ones, such as a status.
func FewValued[K cmp.Ordered, V any, I cmp.Ordered](name string, of func(k K, v *V) I) *BitmapIndex[K, V, I] {
	return &BitmapIndex[K, V, I]{name: name, one: of}
}

// Tags declares an index for several values per row. Repeated values count once. The slice is not kept.
func Tags[K cmp.Ordered, V any, I cmp.Ordered](name string, of func(k K, v *V) []I) *BitmapIndex[K, V, I] {
	return &BitmapIndex[K, V, I]{name: name, many: of}
}

// Rows returns the rows of t that have at least one of the values. In Apply the set is valid until the next write to t.
func (x *BitmapIndex[K, V, I]) Rows(t *Table[K, V], values ...I) RowSet {
	var out RowSet
	c := x.core(t)
	for i, v := range values {
		var one RowSet
		c.tree.ascend(&pivot[I, uint32]{a: v, side: before}, func(it *bitItem[I]) bool {
			if cmp.Compare(it.a, v) != 0 {
				return false
			}
			one.parts = append(one.parts, rowPart{it.b, it.p.rows})
			return true
		})
		if i == 0 {
			out = one
		} else {
			out = out.Or(one)
		}
	}
	return out
}

// Values returns the values that rows of t have, in order, and how many rows have each.
func (x *BitmapIndex[K, V, I]) Values(t *Table[K, V]) iter.Seq2[I, int] {
	return func(yield func(I, int) bool) {
		var cur I
		n := 0
		ok := true
		x.core(t).tree.ascend(nil, func(it *bitItem[I]) bool {
			if n > 0 && cmp.Compare(it.a, cur) != 0 {
				if ok = yield(cur, n); !ok {
					return false
				}
				n = 0
			}
			cur = it.a
			n += int(it.p.rows.GetCardinality())
			return true
		})
		if ok && n > 0 {
			yield(cur, n)
		}
	}
}

func (x *BitmapIndex[K, V, I]) core(t *Table[K, V]) *bitmapCore[K, V, I] {
	return t.live0().index(x).(*bitmapCore[K, V, I])
}

func (x *BitmapIndex[K, V, I]) indexName() string { return x.name }

func (x *BitmapIndex[K, V, I]) layout() string {
	var i I
	kind := "few-valued "
	if x.many != nil {
		kind = "tags "
	}
	return kind + x.name + " " + kindOf(i)
}

func (x *BitmapIndex[K, V, I]) make() indexCore[K, V] {
	return &bitmapCore[K, V, I]{x: x}
}

// bitTree is a bitmap index: the rows of one value whose numbers have the same upper 16 bits, by value and those bits.
type bitTree[I cmp.Ordered] = tree[I, uint32, *bitSet]

type bitItem[I cmp.Ordered] = item[I, uint32, *bitSet]

// bitSet is shared with a frozen index when its gen is not the live index's, and is then copied before a change.
type bitSet struct {
	gen  uint64
	rows *roaring.Bitmap // lower 16 bits of row numbers
}

type bitmapCore[K cmp.Ordered, V any, I cmp.Ordered] struct {
	x    *BitmapIndex[K, V, I]
	tree bitTree[I]
	gen  uint64
	last *bitmapCore[K, V, I]

	olds, news []I // values to take the row from, and to put it to
}

func (c *bitmapCore[K, V, I]) prepare(k K, old, e *entry[K, V]) {
	c.olds, c.news = c.values(c.olds[:0], k, old), c.values(c.news[:0], k, e)
	if len(c.olds) == 0 || len(c.news) == 0 {
		return
	}
	// Drop what both have; both are sorted and without repeats.
	o, n := c.olds[:0], c.news[:0]
	i, j := 0, 0
	for i < len(c.olds) || j < len(c.news) {
		switch {
		case j == len(c.news) || i < len(c.olds) && cmp.Less(c.olds[i], c.news[j]):
			o = append(o, c.olds[i])
			i++
		case i == len(c.olds) || cmp.Less(c.news[j], c.olds[i]):
			n = append(n, c.news[j])
			j++
		default:
			i++
			j++
		}
	}
	c.olds, c.news = o, n
}

func (c *bitmapCore[K, V, I]) values(to []I, k K, e *entry[K, V]) []I {
	if e == nil {
		return to
	}
	if c.x.one != nil {
		return append(to, c.x.one(k, &e.val))
	}
	to = append(to, c.x.many(k, &e.val)...)
	slices.Sort(to)
	return slices.CompactFunc(to, func(a, b I) bool { return cmp.Compare(a, b) == 0 })
}

func (c *bitmapCore[K, V, I]) apply(_ K, row uint32) {
	high, low := row>>16, row&0xffff
	for _, v := range c.olds {
		s := c.own(v, high)
		s.rows.Remove(low)
		if s.rows.IsEmpty() {
			c.tree.delete(v, high)
		}
	}
	for _, v := range c.news {
		c.own(v, high).rows.Add(low)
	}
	// Values may be strings of large rows: do not keep them alive.
	clear(c.olds)
	clear(c.news)
}

func (c *bitmapCore[K, V, I]) own(v I, high uint32) *bitSet {
	c.last = nil
	have, ok := c.tree.get(v, high)
	if ok && have.gen == c.gen {
		return have
	}
	s := &bitSet{gen: c.gen}
	if ok {
		s.rows = have.rows.Clone()
	} else {
		s.rows = roaring.New()
	}
	c.tree.set(v, high, s)
	return s
}

func (c *bitmapCore[K, V, I]) freeze() indexCore[K, V] {
	if c.last == nil {
		c.last = &bitmapCore[K, V, I]{x: c.x, tree: c.tree.freeze()}
		c.gen++
	}
	return c.last
}

// RowSet is a set of rows of one table at one moment, from its bitmap indexes. It is good only for that table at that moment.
// The zero RowSet is empty.
type RowSet struct {
	parts []rowPart // by ascending high
}

type rowPart struct {
	high uint32
	rows *roaring.Bitmap
}

// Len returns the number of rows.
func (s RowSet) Len() int {
	n := uint64(0)
	for _, p := range s.parts {
		n += p.rows.GetCardinality()
	}
	return int(n)
}

// And returns the rows that are in both sets.
func (s RowSet) And(o RowSet) RowSet {
	var out RowSet
	i, j := 0, 0
	for i < len(s.parts) && j < len(o.parts) {
		a, b := s.parts[i], o.parts[j]
		switch {
		case a.high < b.high:
			i++
		case a.high > b.high:
			j++
		default:
			if r := roaring.And(a.rows, b.rows); !r.IsEmpty() {
				out.parts = append(out.parts, rowPart{a.high, r})
			}
			i++
			j++
		}
	}
	return out
}

// Or returns the rows that are in at least one of the sets.
func (s RowSet) Or(o RowSet) RowSet {
	var out RowSet
	i, j := 0, 0
	for i < len(s.parts) || j < len(o.parts) {
		switch {
		case j == len(o.parts) || i < len(s.parts) && s.parts[i].high < o.parts[j].high:
			out.parts = append(out.parts, s.parts[i])
			i++
		case i == len(s.parts) || s.parts[i].high > o.parts[j].high:
			out.parts = append(out.parts, o.parts[j])
			j++
		default:
			out.parts = append(out.parts, rowPart{s.parts[i].high, roaring.Or(s.parts[i].rows, o.parts[j].rows)})
			i++
			j++
		}
	}
	return out
}

func (s RowSet) contains(row uint32) bool {
	high := row >> 16
	i := sort.Search(len(s.parts), func(i int) bool { return s.parts[i].high >= high })
	return i < len(s.parts) && s.parts[i].high == high && s.parts[i].rows.Contains(row&0xffff)
}

func (s RowSet) each(yield func(row uint32) bool) {
	for _, p := range s.parts {
		it := p.rows.Iterator()
		for it.HasNext() {
			if !yield(p.high<<16 | it.Next()) {
				return
			}
		}
	}
}
