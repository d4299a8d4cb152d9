package fold

import (
	"cmp"
	"iter"
	"math/bits"
	"slices"
)

// NoLimit is the Limit of a query that wants all rows.
const NoLimit = -1

// Query selects rows of a table: those that satisfy all of its fields. The zero Query selects nothing, because its Limit is 0.
type Query[K cmp.Ordered, V any] struct {
	// Keys, when not nil, are the only keys considered. An empty slice selects nothing.
	Keys []K
	// Rows, when not nil, are the only rows considered: what bitmap indexes of the same table at the same moment gave.
	Rows *RowSet
	// Within, when not nil, is a span of an ordered index that rows must be in.
	Within Order[K, V]
	// Where, when not nil, must be true of a row. It must not change or keep v.
	Where func(k K, v *V) bool
	// Order is the order of the result: an ordered index of the table, or nil for key order. Ties are in ascending key order.
	// A span of an index orders and, when Within is nil, selects.
	Order Order[K, V]
	// Desc reverses Order, though not that of ties.
	Desc bool
	// Limit is the greatest number of rows; 0 selects nothing; below 0 is no limit.
	Limit int
}

// Order is an order of a table's rows: an *OrderedIndex, or a Span of one.
type Order[K cmp.Ordered, V any] interface {
	index() Index[K, V]
	compare(a, b *entry[K, V]) int
	contains(e *entry[K, V]) bool
	bounded() bool
	walk(c *core[K, V], desc bool, yield func(row uint32) bool)
}

// In returns the rows of t that the query selects, in its order. In Apply they are those at the call.
func (q Query[K, V]) In(t *Table[K, V]) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		q.run(t.fixed(), func(e *entry[K, V]) bool { return yield(e.key, e.val) })
	}
}

// Count returns how many rows of t the query selects, whatever its Limit.
func (q Query[K, V]) Count(t *Table[K, V]) int {
	c := t.fixed()
	q.normalise()
	if q.Keys == nil && q.Within == nil && q.Where == nil {
		if q.Rows == nil {
			return c.len()
		}
		return q.Rows.Len()
	}
	n := 0
	q.source(c)(func(_ uint32, e *entry[K, V]) bool {
		n++
		return true
	})
	return n
}

// Exists reports whether the query selects a row of t, whatever its Limit.
func (q Query[K, V]) Exists(t *Table[K, V]) bool {
	found := false
	q.normalise()
	q.source(t.fixed())(func(uint32, *entry[K, V]) bool {
		found = true
		return false
	})
	return found
}

// normalise makes a span that was given as the order a bound of the result too.
func (q *Query[K, V]) normalise() {
	if q.Within == nil && q.Order != nil && q.Order.bounded() {
		q.Within = q.Order
	}
}

type rowSeq[K cmp.Ordered, V any] func(yield func(row uint32, e *entry[K, V]) bool)

func (q *Query[K, V]) run(c *core[K, V], yield func(e *entry[K, V]) bool) {
	if q.Limit == 0 {
		return
	}
	q.normalise()
	left := q.Limit
	emit := func(_ uint32, e *entry[K, V]) bool {
		left--
		return yield(e) && left != 0
	}
	if q.walks(c) {
		q.filtered(c, q.ordered(c))(emit)
		return
	}
	var found []*entry[K, V]
	q.source(c)(func(_ uint32, e *entry[K, V]) bool {
		found = append(found, e)
		return true
	})
	slices.SortFunc(found, func(a, b *entry[K, V]) int {
		d := 0
		if q.Order != nil {
			d = q.Order.compare(a, b)
		}
		if d != 0 {
			if q.Desc {
				return -d
			}
			return d
		}
		if q.Order == nil && q.Desc {
			return cmp.Compare(b.key, a.key)
		}
		return cmp.Compare(a.key, b.key)
	})
	for _, e := range found {
		if !emit(0, e) {
			return
		}
	}
}

// walks decides between going through the rows in the query's order and dropping those that do not fit, and gathering those
// that fit and sorting them.
func (q *Query[K, V]) walks(c *core[K, V]) bool {
	switch {
	case q.Keys != nil:
		return false
	case q.Within != nil && (q.Order == nil || q.Order.index() != q.Within.index()):
		return false
	case q.Rows == nil:
		return true
	}
	n, k := c.len(), q.Rows.Len()
	if k == 0 {
		return false
	}
	gather := k * (2 + bits.Len(uint(k)))
	walk := n
	if q.Limit > 0 && q.Limit < k {
		walk = int(float64(n) * float64(q.Limit) / float64(k))
	}
	return walk < gather
}

// ordered returns the rows in the query's order.
func (q *Query[K, V]) ordered(c *core[K, V]) func(yield func(row uint32) bool) {
	switch {
	case q.Order == nil && q.Desc:
		return func(yield func(uint32) bool) {
			c.keys.descend(nil, func(kr *keyRow[K]) bool { return yield(kr.p) })
		}
	case q.Order == nil:
		return func(yield func(uint32) bool) {
			c.keys.ascend(nil, func(kr *keyRow[K]) bool { return yield(kr.p) })
		}
	case q.Within != nil:
		return func(yield func(uint32) bool) { q.Within.walk(c, q.Desc, yield) }
	}
	return func(yield func(uint32) bool) { q.Order.walk(c, q.Desc, yield) }
}

// source returns the rows that the query selects, in whatever order is cheapest.
func (q *Query[K, V]) source(c *core[K, V]) rowSeq[K, V] {
	switch {
	case q.Keys != nil:
		keys := slices.Clone(q.Keys)
		slices.Sort(keys)
		keys = slices.Compact(keys)
		return q.filtered(c, func(yield func(uint32) bool) {
			for _, k := range keys {
				if row, ok := c.keys.get(k, 0); ok && !yield(row) {
					return
				}
			}
		})
	case q.Rows != nil && (q.Within == nil || q.Rows.Len() < c.len()/8):
		return q.filtered(c, q.Rows.each)
	case q.Within != nil:
		return q.filtered(c, func(yield func(uint32) bool) { q.Within.walk(c, false, yield) })
	}
	return q.filtered(c, func(yield func(uint32) bool) {
		c.keys.ascend(nil, func(kr *keyRow[K]) bool { return yield(kr.p) })
	})
}

func (q *Query[K, V]) filtered(c *core[K, V], rows func(yield func(row uint32) bool)) rowSeq[K, V] {
	return func(yield func(uint32, *entry[K, V]) bool) {
		rows(func(row uint32) bool {
			if q.Rows != nil && !q.Rows.contains(row) {
				return true
			}
			e := c.rows.get(row)
			if q.Within != nil && !q.Within.contains(e) || q.Where != nil && !q.Where(e.key, &e.val) {
				return true
			}
			return yield(row, e)
		})
	}
}
