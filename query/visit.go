package query

import "slices"

// visitor goes over the parts of one node. Each node describes its parts once,
// in fields; walking, rewriting, encoding and decoding are visitors.
type visitor interface {
	text(*string)
	flag(*bool)
	number(*int)
	small(p *uint8, end uint8) // an enumeration below end
	value(*Value)
	ident(*Ident)
	span(*Span)

	// node visits a child, nil where there is none, and returns what takes
	// its place.
	node(Node) Node
	// count is the length of a list, the one given or the one decoded; end
	// follows the last entry.
	count(int) int
	end()
	// copies reports that lists must be copied before they are changed.
	copies() bool
	// mismatch says that a child does not fit its place, or that one is
	// missing.
	mismatch()
}

// childNode is a node type or an interface of nodes, so that nil can be told.
type childNode interface {
	comparable
	Node
}

// child visits a part that must be there.
func child[T childNode](v visitor, p *T) {
	maybe(v, p)
	var none T
	if *p == none {
		v.mismatch()
	}
}

// maybe visits a part that may be nil.
func maybe[T childNode](v visitor, p *T) {
	var none T
	var in Node
	if *p != none {
		in = *p
	}
	out := v.node(in)
	if out == nil {
		*p = none
		return
	}
	t, ok := out.(T)
	if !ok {
		v.mismatch()
		return
	}
	*p = t
}

func children[T childNode](v visitor, p *[]T) {
	list(v, p, child[T])
}

func list[T any](v visitor, p *[]T, each func(visitor, *T)) {
	n := v.count(len(*p))
	switch {
	case n == 0:
		*p = nil
	case n != len(*p) || v.copies():
		fresh := make([]T, n)
		copy(fresh, *p)
		*p = fresh
	}
	for i := range *p {
		each(v, &(*p)[i])
	}
	v.end()
}

func idents(v visitor, p *[]Ident) { list(v, p, ident) }

func ident(v visitor, id *Ident) { v.ident(id) }

func enum[T ~uint8](v visitor, p *T, end T) {
	b := uint8(*p)
	v.small(&b, uint8(end))
	*p = T(b)
}

// Walk calls visit for n and the nodes below it, parents first and in the order
// of the text. It does not go below a node for which visit returns false.
func Walk(n Node, visit func(Node) bool) {
	w := walker{visit}
	w.node(n)
}

type walker struct{ visit func(Node) bool }

func (w walker) node(n Node) Node {
	if n != nil && w.visit(n) {
		n.fields(w)
	}
	return n
}

func (walker) text(*string)        {}
func (walker) flag(*bool)          {}
func (walker) number(*int)         {}
func (walker) small(*uint8, uint8) {}
func (walker) value(*Value)        {}
func (walker) ident(*Ident)        {}
func (walker) span(*Span)          {}
func (walker) end()                {}
func (walker) count(n int) int     { return n }
func (walker) copies() bool        { return false }
func (walker) mismatch()           {}

// Params returns the parameters of a statement: the greatest number of a $n, and
// the names of the others, each once, in the order of the text.
func Params(n Node) (count int, names []string) {
	Walk(n, func(n Node) bool {
		if p, ok := n.(*Param); ok {
			count = max(count, p.Index)
			if p.Name != "" && !slices.Contains(names, p.Name) {
				names = append(names, p.Name)
			}
		}
		return true
	})
	return count, names
}

// Transform returns a copy of n in which every node has been replaced by what f
// gives for it, children before parents. f gets a node that it may change in
// place and return; the input is never changed and shares no node with the
// result. A result that does not fit its place (a Stmt for an Expr) panics: it
// is a mistake in f. f must not return nil.
func Transform[T Node](n T, f func(Node) Node) T {
	return rewriter{f}.node(n).(T)
}

// Clone returns a copy of n that shares no node with it.
func Clone[T Node](n T) T {
	return Transform(n, func(n Node) Node { return n })
}

type rewriter struct{ f func(Node) Node }

func (r rewriter) node(n Node) Node {
	if n == nil {
		return nil
	}
	c := n.clone()
	c.fields(r)
	return r.f(c)
}

func (rewriter) text(*string)        {}
func (rewriter) flag(*bool)          {}
func (rewriter) number(*int)         {}
func (rewriter) small(*uint8, uint8) {}
func (rewriter) value(*Value)        {}
func (rewriter) ident(*Ident)        {}
func (rewriter) span(*Span)          {}
func (rewriter) end()                {}
func (rewriter) count(n int) int     { return n }
func (rewriter) copies() bool        { return true }
func (rewriter) mismatch()           { panic("query: Transform: node does not fit its place") }

// Moved returns a copy of n all of whose parts are said to stand at one place: where the text of a view stands in the statement
// that names it, say.
func Moved[T Node](n T, at Span) T {
	return mover{at}.node(n).(T)
}

type mover struct{ at Span }

func (m mover) node(n Node) Node {
	if n == nil {
		return nil
	}
	c := n.clone()
	c.move(m.at)
	c.fields(m)
	return c
}

func (m mover) ident(id *Ident)   { id.Span = m.at }
func (m mover) span(s *Span)      { *s = m.at }
func (mover) text(*string)        {}
func (mover) flag(*bool)          {}
func (mover) number(*int)         {}
func (mover) small(*uint8, uint8) {}
func (mover) value(*Value)        {}
func (mover) end()                {}
func (mover) count(n int) int     { return n }
func (mover) copies() bool        { return true }
func (mover) mismatch()           { panic("query: Moved: node does not fit its place") }
