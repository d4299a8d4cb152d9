package fold

import (
	"cmp"
	"slices"
)

// nodeItems is how many items, or kids, a node has at most. A change of a node that a snapshot shares copies the node, so it is
// small; a row costs a search of each node on its way, so it is not tiny.
const nodeItems = 32

// item is what a tree holds: p under (a, b), by which items are ordered.
type item[A, B cmp.Ordered, P any] struct {
	a A
	b B
	p P
}

// tree is a sorted set of items: a B+ tree. A node whose gen is not the tree's is shared with a frozen tree and is copied
// before it is changed. What comes in ascending order fills nodes to the end.
//
// The code is our own because nearly all of a replay's time goes by here: the compiler compares the keys in place, where a
// library calls a function for each comparison.
type tree[A, B cmp.Ordered, P any] struct {
	root *treeNode[A, B, P]
	n    int
	gen  uint64
}

// treeNode is a leaf, or has kids. Item i of a node with kids is not above the items of kid i and above those of the kids
// before; that of kid 0 is never looked at.
type treeNode[A, B cmp.Ordered, P any] struct {
	gen   uint64
	items []item[A, B, P]
	kids  []*treeNode[A, B, P]
}

func (t *tree[A, B, P]) len() int { return t.n }

// freeze returns the present tree; the live one goes on with copies.
func (t *tree[A, B, P]) freeze() tree[A, B, P] {
	f := *t
	t.gen++
	return f
}

// find returns the place of (a, b), and whether it is there.
func (n *treeNode[A, B, P]) find(a A, b B) (int, bool) {
	lo, hi := 0, len(n.items)
	if hi == 0 {
		return 0, false
	}
	if last := &n.items[hi-1]; cmp.Compare(last.a, a) < 0 { // ascending order is frequent
		return hi, false
	}
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		it := &n.items[mid]
		c := cmp.Compare(it.a, a)
		if c == 0 {
			c = cmp.Compare(it.b, b)
		}
		switch {
		case c < 0:
			lo = mid + 1
		case c > 0:
			hi = mid
		default:
			return mid, true
		}
	}
	return lo, false
}

// kid returns the place of the kid that (a, b) belongs to.
func (n *treeNode[A, B, P]) kid(a A, b B) int {
	i, found := n.find(a, b)
	if found {
		return i
	}
	return max(i-1, 0)
}

func (t *tree[A, B, P]) get(a A, b B) (p P, ok bool) {
	n := t.root
	if n == nil {
		return p, false
	}
	for n.kids != nil {
		n = n.kids[n.kid(a, b)]
	}
	i, ok := n.find(a, b)
	if ok {
		p = n.items[i].p
	}
	return p, ok
}

// own returns the node for changes.
func (t *tree[A, B, P]) own(n *treeNode[A, B, P]) *treeNode[A, B, P] {
	if n.gen == t.gen {
		return n
	}
	room := nodeItems
	if len(n.items) <= nodeItems/4 {
		room = 2 * len(n.items)
	}
	c := t.node(n.kids != nil, room)
	c.items = append(c.items, n.items...)
	c.kids = append(c.kids, n.kids...)
	return c
}

func (t *tree[A, B, P]) node(inner bool, room int) *treeNode[A, B, P] {
	n := &treeNode[A, B, P]{gen: t.gen, items: make([]item[A, B, P], 0, room)}
	if inner {
		n.kids = make([]*treeNode[A, B, P], 0, room)
	}
	return n
}

// set puts p under (a, b), instead of what is there.
func (t *tree[A, B, P]) set(a A, b B, p P) {
	if t.root == nil {
		t.root = &treeNode[A, B, P]{gen: t.gen}
	}
	t.root = t.own(t.root)
	if right := t.insert(t.root, item[A, B, P]{a, b, p}); right != nil {
		up := t.node(true, nodeItems)
		up.items = append(up.items, t.root.items[0], right.items[0])
		up.kids = append(up.kids, t.root, right)
		t.root = up
	}
}

// insert puts an item into an own node. It returns the right part when it had to split the node.
func (t *tree[A, B, P]) insert(n *treeNode[A, B, P], it item[A, B, P]) (right *treeNode[A, B, P]) {
	if n.kids == nil {
		i, found := n.find(it.a, it.b)
		if found {
			n.items[i] = it
			return nil
		}
		t.n++
		if len(n.items) == nodeItems {
			right = t.split(n, i)
			if i -= len(n.items); i >= 0 {
				right.items = slices.Insert(right.items, i, it)
				return right
			}
			i += len(n.items)
		}
		n.items = slices.Insert(n.items, i, it)
		return right
	}
	i := n.kid(it.a, it.b)
	kid := t.own(n.kids[i])
	n.kids[i] = kid
	if kid = t.insert(kid, it); kid == nil {
		return nil
	}
	i++ // where the right part of the kid goes
	if len(n.kids) == nodeItems {
		right = t.split(n, i)
		if i -= len(n.kids); i >= 0 {
			right.items = slices.Insert(right.items, i, kid.items[0])
			right.kids = slices.Insert(right.kids, i, kid)
			return right
		}
		i += len(n.kids)
	}
	n.items = slices.Insert(n.items, i, kid.items[0])
	n.kids = slices.Insert(n.kids, i, kid)
	return right
}

// split moves the right half of a full own node into a new one, for an insertion at i; nothing when that is the end.
func (t *tree[A, B, P]) split(n *treeNode[A, B, P], i int) *treeNode[A, B, P] {
	at := nodeItems / 2
	if i == nodeItems {
		at = nodeItems
	}
	right := t.node(n.kids != nil, nodeItems)
	right.items = append(right.items, n.items[at:]...)
	clear(n.items[at:])
	n.items = n.items[:at]
	if n.kids != nil {
		right.kids = append(right.kids, n.kids[at:]...)
		clear(n.kids[at:])
		n.kids = n.kids[:at]
	}
	return right
}

// delete removes what is under (a, b), if there is something.
func (t *tree[A, B, P]) delete(a A, b B) {
	if _, ok := t.get(a, b); !ok {
		return
	}
	t.n--
	t.root = t.own(t.root)
	t.remove(t.root, a, b)
	for len(t.root.kids) == 1 {
		t.root = t.root.kids[0]
	}
}

// remove removes (a, b), which is there, from an own node.
func (t *tree[A, B, P]) remove(n *treeNode[A, B, P], a A, b B) {
	if n.kids == nil {
		i, _ := n.find(a, b)
		n.items = slices.Delete(n.items, i, i+1)
		return
	}
	i := n.kid(a, b)
	kid := t.own(n.kids[i])
	n.kids[i] = kid
	t.remove(kid, a, b)
	switch {
	case len(kid.items) == 0:
		n.items = slices.Delete(n.items, i, i+1)
		n.kids = slices.Delete(n.kids, i, i+1)
	case len(kid.items) > nodeItems/4:
	case i+1 < len(n.kids) && len(kid.items)+len(n.kids[i+1].items) <= nodeItems*3/4:
		t.join(n, i)
	case i > 0 && len(kid.items)+len(n.kids[i-1].items) <= nodeItems*3/4:
		t.join(n, i-1)
	}
}

// join makes kid i+1 of an own node a part of kid i.
func (t *tree[A, B, P]) join(n *treeNode[A, B, P], i int) {
	left, right := t.own(n.kids[i]), n.kids[i+1]
	first := len(left.items)
	left.items = append(left.items, right.items...)
	if left.kids != nil {
		left.items[first] = n.items[i+1]
		left.kids = append(left.kids, right.kids...)
	}
	n.kids[i] = left
	n.items = slices.Delete(n.items, i+1, i+2)
	n.kids = slices.Delete(n.kids, i+1, i+2)
}

// side is where a walk begins: at an item, or before or behind all items with the same a.
type side int8

const (
	before side = -1
	exact  side = 0
	behind side = 1
)

// pivot is where a walk begins.
type pivot[A, B cmp.Ordered] struct {
	a    A
	b    B
	side side
}

// below reports how many items of a node lie before the pivot, and with exact at it.
func (n *treeNode[A, B, P]) below(p *pivot[A, B], at bool) int {
	lo, hi := 0, len(n.items)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		c := cmp.Compare(n.items[mid].a, p.a)
		if c == 0 {
			if c = -int(p.side); c == 0 {
				c = cmp.Compare(n.items[mid].b, p.b)
			}
		}
		if c < 0 || c == 0 && at {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// ascend yields the items from the pivot on, in order; all when it is nil. Items must not be changed.
func (t *tree[A, B, P]) ascend(from *pivot[A, B], yield func(*item[A, B, P]) bool) {
	if t.root != nil {
		t.root.ascend(from, yield)
	}
}

func (n *treeNode[A, B, P]) ascend(from *pivot[A, B], yield func(*item[A, B, P]) bool) bool {
	if n.kids == nil {
		i := 0
		if from != nil {
			i = n.below(from, false)
		}
		for ; i < len(n.items); i++ {
			if !yield(&n.items[i]) {
				return false
			}
		}
		return true
	}
	i := 0
	if from != nil {
		i = max(n.below(from, true)-1, 0)
	}
	for ; i < len(n.kids); i++ {
		if !n.kids[i].ascend(from, yield) {
			return false
		}
		from = nil
	}
	return true
}

// descend yields the items from the pivot down, in reverse; all when it is nil.
func (t *tree[A, B, P]) descend(from *pivot[A, B], yield func(*item[A, B, P]) bool) {
	if t.root != nil {
		t.root.descend(from, yield)
	}
}

func (n *treeNode[A, B, P]) descend(from *pivot[A, B], yield func(*item[A, B, P]) bool) bool {
	if n.kids == nil {
		i := len(n.items)
		if from != nil {
			i = n.below(from, true)
		}
		for i--; i >= 0; i-- {
			if !yield(&n.items[i]) {
				return false
			}
		}
		return true
	}
	i := len(n.kids) - 1
	if from != nil {
		i = max(n.below(from, true)-1, 0)
	}
	for ; i >= 0; i-- {
		if !n.kids[i].descend(from, yield) {
			return false
		}
		from = nil
	}
	return true
}
