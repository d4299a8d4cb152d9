package payload

import "github.com/seed69692123/netdb/internal/num"

// WalkValues calls visit with every member of the top object of a payload that has fields, and with those of the objects inside it, as
// Walk does, with the value of each. Of an object only the class is given. A value is valid during the call.
func WalkValues(f Format, p []byte, pace *num.Pace, visit func(node int32, name []byte, v *Value) int32) {
	w := ValueWalker{Visit: visit}
	w.Walk(f, p, pace)
}

// ValueWalker is WalkValues for who walks many payloads: it allocates nothing. It is used by one goroutine.
type ValueWalker struct {
	Visit func(node int32, name []byte, v *Value) int32
	v     Value
}

// Walk calls Visit as WalkValues does.
func (w *ValueWalker) Walk(f Format, p []byte, pace *num.Pace) {
	switch f {
	case JSON:
		if i := jsonSpace(p, 0); i < len(p) && p[i] == '{' {
			w.json(p, i+1, 0, pace)
		}
	case Msgpack:
		if h, ok := readMsgpackHead(p, 0); ok && h.class == Object {
			w.msgpack(p, h.next, h.count, 0, pace)
		}
	}
}

func (w *ValueWalker) json(p []byte, i int, node int32, pace *num.Pace) int {
	last := i // position at the last step
	for {
		if i = jsonSpace(p, i); i >= len(p) || pace.Step(i-last) {
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
			name = num.UnquotePaced(nil, name, pace)
		}
		i = jsonSpace(p, min(jsonSpace(p, end+1)+1, len(p))) // behind the colon
		if i >= len(p) || p[i] != '{' {
			w.v, i = jsonValue(p, i, pace)
			w.Visit(node, name, &w.v)
			continue
		}
		w.v = Value{Class: Object, Format: JSON}
		if child := w.Visit(node, name, &w.v); child >= 0 {
			i = w.json(p, i+1, child, pace)
		} else {
			i = jsonLeave(p, i+1, 1, pace)
		}
	}
}

func (w *ValueWalker) msgpack(p []byte, i, count int, node int32, pace *num.Pace) int {
	last := i // position at the last step
	for range count {
		if i >= len(p) || pace.Step(i-last) {
			return len(p)
		}
		last = i
		key, next := msgpackValue(p, i, pace)
		if i = next; key.Class != Text {
			i = msgpackSkip(p, i, pace)
			continue
		}
		h, ok := readMsgpackHead(p, i)
		if !ok {
			return len(p)
		}
		if h.class != Object {
			w.v, i = msgpackValue(p, i, pace)
			w.Visit(node, key.Raw, &w.v)
			continue
		}
		w.v = Value{Class: Object, Format: Msgpack}
		if child := w.Visit(node, key.Raw, &w.v); child >= 0 {
			i = w.msgpack(p, h.next, h.count, child, pace)
		} else {
			i = msgpackSkip(p, i, pace)
		}
	}
	return i
}
