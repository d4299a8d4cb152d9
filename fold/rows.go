package fold

import "cmp"

// rowMap maps row numbers to entries: a radix tree of 32-way nodes. A node whose gen is not the map's is shared with a
// frozen map and is copied before it is changed.
type rowMap[K cmp.Ordered, V any] struct {
	root  *rowNode[K, V]
	depth int // levels above the leaves
	gen   uint64
}

const rowBits = 5

type rowNode[K cmp.Ordered, V any] struct {
	gen  uint64
	kids []*rowNode[K, V] // above the leaves
	vals []*entry[K, V]   // in a leaf
}

func (m *rowMap[K, V]) get(row uint32) *entry[K, V] {
	n := m.root
	if n == nil || row>>(rowBits*m.depth)>>rowBits != 0 {
		return nil
	}
	for d := m.depth; d > 0; d-- {
		if n = n.kids[row>>(rowBits*d)&(1<<rowBits-1)]; n == nil {
			return nil
		}
	}
	return n.vals[row&(1<<rowBits-1)]
}

func (m *rowMap[K, V]) set(row uint32, e *entry[K, V]) {
	if m.root == nil {
		m.root = m.node(0)
	}
	for row>>(rowBits*m.depth)>>rowBits != 0 {
		m.depth++
		up := m.node(m.depth)
		up.kids[0] = m.root
		m.root = up
	}
	at := &m.root
	for d := m.depth; ; d-- {
		n := m.own(*at, d)
		*at = n
		if d == 0 {
			n.vals[row&(1<<rowBits-1)] = e
			return
		}
		at = &n.kids[row>>(rowBits*d)&(1<<rowBits-1)]
	}
}

func (m *rowMap[K, V]) node(depth int) *rowNode[K, V] {
	n := &rowNode[K, V]{gen: m.gen}
	if depth == 0 {
		n.vals = make([]*entry[K, V], 1<<rowBits)
	} else {
		n.kids = make([]*rowNode[K, V], 1<<rowBits)
	}
	return n
}

func (m *rowMap[K, V]) own(n *rowNode[K, V], depth int) *rowNode[K, V] {
	if n == nil {
		return m.node(depth)
	}
	if n.gen == m.gen {
		return n
	}
	c := m.node(depth)
	copy(c.kids, n.kids)
	copy(c.vals, n.vals)
	return c
}

// freeze returns the present map; the live one goes on with copies.
func (m *rowMap[K, V]) freeze() rowMap[K, V] {
	f := *m
	m.gen++
	return f
}
