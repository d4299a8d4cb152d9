package fold

import (
	"cmp"
	"iter"
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
	return &orderedCore[K, V, I]{of: x.of}
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
	tree := &c.index(s.OrderedIndex).(*orderedCore[K, V, I]).tree
	if desc {
		s.descend(tree, yield)
		return
	}
	var from *pivot[I, K]
	if s.from != nil {
		from = &pivot[I, K]{a: *s.from, side: before}
	}
	tree.ascend(from, func(it *ordItem[K, I]) bool {
		return (s.to == nil || cmp.Compare(it.a, *s.to) <= 0) && yield(it.p)
	})
}

// descend goes down by value but up by key among equal values. A value that only one row has costs no second seek.
func (s *span[K, V, I]) descend(tree *ordTree[K, I], yield func(row uint32) bool) {
	var from *pivot[I, K]
	if s.to != nil {
		from = &pivot[I, K]{a: *s.to, side: behind}
	}
	for {
		var held *ordItem[K, I] // met, not yielded: the next item tells whether its value has other rows
		group := false
		ok := true
		tree.descend(from, func(it *ordItem[K, I]) bool {
			if s.from != nil && cmp.Compare(it.a, *s.from) < 0 {
				return false
			}
			if held != nil {
				if group = cmp.Compare(held.a, it.a) == 0; group {
					return false
				}
				if ok = yield(held.p); !ok {
					return false
				}
			}
			held = it
			return true
		})
		if !ok || held == nil {
			return
		}
		if !group {
			yield(held.p)
			return
		}
		tree.ascend(&pivot[I, K]{a: held.a, side: before}, func(it *ordItem[K, I]) bool {
			if cmp.Compare(it.a, held.a) != 0 {
				return false
			}
			ok = yield(it.p)
			return ok
		})
		if !ok {
			return
		}
		from = &pivot[I, K]{a: held.a, side: before}
	}
}

// ordTree is an ordered index: numbers of rows by value and key.
type ordTree[K, I cmp.Ordered] = tree[I, K, uint32]

type ordItem[K, I cmp.Ordered] = item[I, K, uint32]

type orderedCore[K cmp.Ordered, V any, I cmp.Ordered] struct {
	of   func(k K, v *V) I
	tree ordTree[K, I]
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
		c.tree.delete(c.oldVal, k)
		c.last = nil
	}
	if c.add {
		c.tree.set(c.newVal, k, row)
		c.last = nil
	}
}

func (c *orderedCore[K, V, I]) freeze() indexCore[K, V] {
	if c.last == nil {
		c.last = &orderedCore[K, V, I]{of: c.of, tree: c.tree.freeze()}
	}
	return c.last
}
