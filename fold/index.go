package fold

import (
	"cmp"
	"iter"

	"github.com/google/btree"
)

// Index is a secondary index of a table: an *OrderedIndex or a *BitmapIndex. It holds no rows itself, so one may serve many
// tables; it is named in TableOptions.Indexes and then used to read a table.
type Index[K cmp.Ordered, V any] interface {
	indexName() string
	layout() string
	make() indexCore[K, V]
}

// indexCore is an index's content in one table. prepare works out what a change of a row does, and is the only one to call
// user code; apply does it and cannot fail.
type indexCore[K cmp.Ordered, V any] interface {
	prepare(k K, old, e *entry[K, V])
	apply(k K, row uint32)
	freeze() indexCore[K, V]
}

// OrderedIndex keeps rows in the order of a value, those with equal values in key order.
type OrderedIndex[K cmp.Ordered, V any, I cmp.Ordered] struct {
	name string
	of   func(k K, v *V) I
}

// Ordered declares an index in the order of what of returns.
func Ordered[K cmp.Ordered, V any, I cmp.Ordered](name string, of func(k K, v *V) I) *OrderedIndex[K, V, I] {
	return &OrderedIndex[K, V, I]{name, of}
}

// Between returns the rows of t whose value is in [from, to], both inclusive and nil for no bound, in ascending order or, with
// desc, descending; ties are in ascending key order both ways.
func (x *OrderedIndex[K, V, I]) Between(t *Table[K, V], from, to *I, desc bool) iter.Seq2[K, V] {
	return Query[K, V]{Within: x.Span(from, to), Order: x, Desc: desc, Limit: NoLimit}.In(t)
}

// Span returns the part of the index with values in [from, to], both inclusive and nil for no bound, for Query.Within.
func (x *OrderedIndex[K, V, I]) Span(from, to *I) Order[K, V] {
	return &span[K, V, I]{x, from, to}
}

func (x *OrderedIndex[K, V, I]) indexName() string { return x.name }

func (x *OrderedIndex[K, V, I]) layout() string {
	var i I
	return "ordered " + x.name + " " + kindOf(i)
}

func (x *OrderedIndex[K, V, I]) make() indexCore[K, V] {
	return &orderedCore[K, V, I]{of: x.of, tree: btree.NewG(degree, ordLess[K, I])}
}

// An OrderedIndex is the Order of all its rows.

func (x *OrderedIndex[K, V, I]) index() Index[K, V] { return x }

func (x *OrderedIndex[K, V, I]) compare(a, b *entry[K, V]) int {
	return cmp.Compare(x.of(a.key, &a.val), x.of(b.key, &b.val))
}

func (x *OrderedIndex[K, V, I]) contains(*entry[K, V]) bool { return true }

func (x *OrderedIndex[K, V, I]) bounded() bool { return false }

func (x *OrderedIndex[K, V, I]) walk(c *core[K, V], desc bool, yield func(row uint32) bool) {
	(&span[K, V, I]{x, nil, nil}).walk(c, desc, yield)
}

type span[K cmp.Ordered, V any, I cmp.Ordered] struct {
	*OrderedIndex[K, V, I]
	from, to *I
}

func (s *span[K, V, I]) contains(e *entry[K, V]) bool {
	v := s.of(e.key, &e.val)
	return (s.from == nil || cmp.Compare(v, *s.from) >= 0) && (s.to == nil || cmp.Compare(v, *s.to) <= 0)
}

func (s *span[K, V, I]) bounded() bool { return true }

func (s *span[K, V, I]) walk(c *core[K, V], desc bool, yield func(row uint32) bool) {
	tree := c.index(s.OrderedIndex).(*orderedCore[K, V, I]).tree
	if desc {
		s.descend(tree, yield)
		return
	}
	visit := func(it ordItem[K, I]) bool {
		return (s.to == nil || cmp.Compare(it.val, *s.to) <= 0) && yield(it.row)
	}
	if s.from == nil {
		tree.Ascend(visit)
	} else {
		tree.AscendGreaterOrEqual(ordItem[K, I]{val: *s.from, bound: before}, visit)
	}
}

// descend goes down by value but up by key among equal values. A value that only one row has costs no second seek.
func (s *span[K, V, I]) descend(tree *btree.BTreeG[ordItem[K, I]], yield func(row uint32) bool) {
	var pivot *ordItem[K, I]
	if s.to != nil {
		pivot = &ordItem[K, I]{val: *s.to, bound: after}
	}
	for {
		var held *ordItem[K, I] // met, not yielded: the next item tells whether its value has other rows
		group := false
		ok := true
		visit := func(it ordItem[K, I]) bool {
			if s.from != nil && cmp.Compare(it.val, *s.from) < 0 {
				return false
			}
			if held != nil {
				if group = cmp.Compare(held.val, it.val) == 0; group {
					return false
				}
				if ok = yield(held.row); !ok {
					return false
				}
			}
			held = &it
			return true
		}
		if pivot == nil {
			tree.Descend(visit)
		} else {
			tree.DescendLessOrEqual(*pivot, visit)
		}
		if !ok || held == nil {
			return
		}
		if !group {
			yield(held.row)
			return
		}
		tree.AscendGreaterOrEqual(ordItem[K, I]{val: held.val, bound: before}, func(it ordItem[K, I]) bool {
			if cmp.Compare(it.val, held.val) != 0 {
				return false
			}
			ok = yield(it.row)
			return ok
		})
		if !ok {
			return
		}
		pivot = &ordItem[K, I]{val: held.val, bound: before}
	}
}

// ordItem is one row in an ordered index. bound, in a pivot only, puts it before or after all rows of its value.
type ordItem[K, I cmp.Ordered] struct {
	val   I
	key   K
	row   uint32
	bound int8
}

const (
	before int8 = -1
	after  int8 = 1
)

func ordLess[K, I cmp.Ordered](a, b ordItem[K, I]) bool {
	if c := cmp.Compare(a.val, b.val); c != 0 {
		return c < 0
	}
	if a.bound != b.bound {
		return a.bound < b.bound
	}
	return cmp.Less(a.key, b.key)
}

type orderedCore[K cmp.Ordered, V any, I cmp.Ordered] struct {
	of   func(k K, v *V) I
	tree *btree.BTreeG[ordItem[K, I]]
	last *orderedCore[K, V, I]

	del, add       bool
	oldVal, newVal I
}

func (c *orderedCore[K, V, I]) prepare(k K, old, e *entry[K, V]) {
	c.del, c.add = old != nil, e != nil
	if c.del {
		c.oldVal = c.of(k, &old.val)
	}
	if c.add {
		c.newVal = c.of(k, &e.val)
	}
	if c.del && c.add && cmp.Compare(c.oldVal, c.newVal) == 0 {
		c.del, c.add = false, false
	}
}

func (c *orderedCore[K, V, I]) apply(k K, row uint32) {
	if c.del {
		c.tree.Delete(ordItem[K, I]{val: c.oldVal, key: k})
		c.last = nil
	}
	if c.add {
		c.tree.ReplaceOrInsert(ordItem[K, I]{val: c.newVal, key: k, row: row})
		c.last = nil
	}
}

func (c *orderedCore[K, V, I]) freeze() indexCore[K, V] {
	if c.last == nil {
		c.last = &orderedCore[K, V, I]{of: c.of, tree: c.tree.Clone()}
	}
	return c.last
}
