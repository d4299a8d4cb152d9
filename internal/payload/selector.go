package payload

import (
	"github.com/seed69692123/netdb/internal/num"
)

// Selector finds the values at a number of paths in one pass over a payload. It keeps scratch, so each goroutine needs its own.
type Selector struct {
	nodes   []selectNode
	round   uint32
	left    int // values still to find in this payload
	wanted  int // nodes with outputs
	out     []Value
	scratch []byte
	pace    *num.Pace // of the payload that is being read
}

// selectNode is one name of one or more paths.
type selectNode struct {
	name     string
	children []int32
	outs     []int32
	seen     uint32 // round in which the name occurred
}

// NewSelector returns a selector of paths, each a list of names from the top object down. An empty path is the payload itself.
func NewSelector(paths [][]string) *Selector {
	s := &Selector{nodes: make([]selectNode, 1)}
	for k, path := range paths {
		at := int32(0)
		for _, name := range path {
			at = s.child(at, name)
		}
		if len(s.nodes[at].outs) == 0 {
			s.wanted++
		}
		s.nodes[at].outs = append(s.nodes[at].outs, int32(k))
	}
	return s
}

// child returns the node of a name below a node, made if need be.
func (s *Selector) child(at int32, name string) int32 {
	for _, c := range s.nodes[at].children {
		if s.nodes[c].name == name {
			return c
		}
	}
	c := int32(len(s.nodes))
	s.nodes = append(s.nodes, selectNode{name: name})
	s.nodes[at].children = append(s.nodes[at].children, c)
	return c
}

// Find writes the value at each path to out, which has one place for each, Missing where there is none. The payload must have
// fields (HasFields), else every path but the empty one is Missing. Values point into p.
func (s *Selector) Find(f Format, p []byte, out []Value) { s.FindPaced(f, p, out, nil) }

// FindPaced is Find in a payload that may be large.
func (s *Selector) FindPaced(f Format, p []byte, out []Value, pace *num.Pace) {
	clear(out)
	if len(s.nodes) == 0 {
		return
	}
	s.out, s.left, s.pace = out, s.wanted, pace
	if s.round++; s.round == 0 { // wrapped around
		for i := range s.nodes {
			s.nodes[i].seen = 0
		}
		s.round = 1
	}
	root := &s.nodes[0]
	if len(root.outs) > 0 {
		s.put(root, TopPaced(f, p, pace))
	}
	if len(root.children) == 0 {
		return
	}
	switch f {
	case JSON:
		if i := jsonSpace(p, 0); i < len(p) && p[i] == '{' {
			s.findJSON(p, i+1, root)
		}
	case Msgpack:
		if h, ok := readMsgpackHead(p, 0); ok && h.class == Object {
			s.findMsgpack(p, h.next, h.count, root)
		}
	}
	s.out, s.pace = nil, nil
}

func (s *Selector) put(n *selectNode, v Value) {
	for _, k := range n.outs {
		s.out[k] = v
	}
	s.left--
}

// match returns the child of n with that name, nil when there is none or it has occurred: the first of duplicates counts.
func (s *Selector) match(n *selectNode, name []byte) *selectNode {
	for _, k := range n.children {
		c := &s.nodes[k]
		if len(c.name) == len(name) && c.name == string(name) {
			if c.seen == s.round {
				return nil
			}
			c.seen = s.round
			return c
		}
	}
	return nil
}

// findJSON reads the members of the object whose inside begins at i and returns the position behind it. It stops early, with
// any position, once nothing is left to find.
func (s *Selector) findJSON(p []byte, i int, n *selectNode) int {
	pending := len(n.children)
	last := i // position at the last step
	for {
		if i = jsonSpace(p, i); i >= len(p) || s.pace.Step(i-last) {
			return len(p)
		}
		last = i
		switch p[i] {
		case ',':
			i++
			continue
		case '"':
		default: // '}'
			return i + 1
		}
		end, escaped := jsonString(p, i+1)
		name := p[i+1 : max(end, i+1)]
		if escaped {
			s.scratch = num.UnquotePaced(s.scratch[:0], name, s.pace)
			name = s.scratch
		}
		if i = end + 1; i < len(p) && p[i] == ':' {
			i++
		} else if i = jsonSpace(p, i); i < len(p) {
			i++
		}
		if i < len(p) && p[i] <= ' ' {
			i = jsonSpace(p, i)
		}
		c := s.match(n, name)
		if c == nil {
			i = jsonSkip(p, i, s.pace)
			continue
		}
		pending--
		switch {
		case i < len(p) && p[i] == '{' && len(c.children) > 0:
			start := i
			if i = s.findJSON(p, i+1, c); s.left == 0 {
				return i
			}
			if len(c.outs) > 0 {
				s.put(c, Value{Class: Object, Format: JSON, Raw: p[start:min(i, len(p))]})
			}
		case len(c.outs) > 0:
			var v Value
			v, i = jsonValue(p, i, s.pace)
			s.put(c, v)
		default:
			i = jsonSkip(p, i, s.pace)
		}
		if s.left == 0 {
			return i
		}
		if pending == 0 {
			return jsonLeave(p, i, 1, s.pace)
		}
	}
}

// findMsgpack does the same for count members from i on.
func (s *Selector) findMsgpack(p []byte, i, count int, n *selectNode) int {
	pending := len(n.children)
	last := i // position at the last step
	for k := range count {
		if i >= len(p) || s.pace.Step(i-last) {
			return len(p)
		}
		last = i
		var c *selectNode
		if b := p[i]; b >= 0xa0 && b < 0xc0 && len(p)-i > int(b&31) {
			c = s.match(n, p[i+1:i+1+int(b&31)])
			i += 1 + int(b&31)
		} else {
			var key Value
			if key, i = msgpackValue(p, i, s.pace); key.Class == Text {
				c = s.match(n, key.Raw)
			}
		}
		if c == nil {
			if i < len(p) && (p[i] < 0x80 || p[i] >= 0xe0) {
				i++
			} else {
				i = msgpackSkipMany(p, i, 1, s.pace)
			}
			continue
		}
		pending--
		var h msgpackHead
		if len(c.children) > 0 {
			h, _ = readMsgpackHead(p, i)
		}
		switch {
		case h.class == Object:
			start := i
			if i = s.findMsgpack(p, h.next, h.count, c); s.left == 0 {
				return i
			}
			if len(c.outs) > 0 {
				s.put(c, Value{Class: Object, Format: Msgpack, Raw: p[start:min(i, len(p))]})
			}
		case len(c.outs) > 0:
			var v Value
			v, i = msgpackValue(p, i, s.pace)
			s.put(c, v)
		default:
			i = msgpackSkip(p, i, s.pace)
		}
		if s.left == 0 {
			return i
		}
		if pending == 0 {
			return msgpackSkipMany(p, i, 2*(count-k-1), s.pace)
		}
	}
	return i
}

// Walk calls visit with every member of the top object of a payload that has fields, and with those of the objects inside it, an
// object before its members, in the order of the payload. node is what visit returned for the object around the member, 0 for
// the top; the members of an object are left out when visit returns a negative number for it. Arrays are not entered. Duplicate
// keys are visited too: visit must leave out all but the first. name is valid during the call.
func Walk(f Format, p []byte, visit func(node int32, name []byte, c Class) int32) {
	WalkValues(f, p, nil, func(node int32, name []byte, v *Value) int32 { return visit(node, name, v.Class) })
}
