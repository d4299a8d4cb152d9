package payload

import "github.com/seed69692123/netdb/internal/num"

// WalkValues calls visit with every member of the top object of a payload that has fields, and with those of the objects inside it, as
// Walk does, with the value of each. Of an object only the class is given. A value is valid during the call.
func WalkValues(f Format, p []byte, pace *num.Pace, visit func(node int32, name []byte, v *Value) int32) {
	switch f {
	case JSON:
		if i := jsonSpace(p, 0); i < len(p) && p[i] == '{' {
			walkJSONValues(p, i+1, 0, pace, visit)
		}
	case Msgpack:
		if h, ok := readMsgpackHead(p, 0); ok && h.class == Object {
			walkMsgpackValues(p, h.next, h.count, 0, pace, visit)
		}
	}
}

func walkJSONValues(p []byte, i int, node int32, pace *num.Pace, visit func(node int32, name []byte, v *Value) int32) int {
	last := i // position at the last step
	var v Value
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
			v, i = jsonValue(p, i, pace)
			visit(node, name, &v)
			continue
		}
		v = Value{Class: Object, Format: JSON}
		if child := visit(node, name, &v); child >= 0 {
			i = walkJSONValues(p, i+1, child, pace, visit)
		} else {
			i = jsonLeave(p, i+1, 1, pace)
		}
	}
}

func walkMsgpackValues(p []byte, i, count int, node int32, pace *num.Pace, visit func(node int32, name []byte, v *Value) int32) int {
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
			var v Value
			v, i = msgpackValue(p, i, pace)
			visit(node, key.Raw, &v)
			continue
		}
		if child := visit(node, key.Raw, &Value{Class: Object, Format: Msgpack}); child >= 0 {
			i = walkMsgpackValues(p, h.next, h.count, child, pace, visit)
		} else {
			i = msgpackSkip(p, i, pace)
		}
	}
	return i
}
