package num

import (
	"bytes"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// KeyJSON appends the key of a JSON text, which must be well-formed: arrays order by element, then by length; objects as the
// list of their names and values in the order of names. Spaces, the order of names, the form of numbers and of escapes do not
// show; of a name that occurs twice the first counts.
func KeyJSON(dst, text []byte) []byte { return KeyJSONPaced(dst, text, nil) }

// KeyJSONPaced is KeyJSON of a text that may be large.
func KeyJSONPaced(dst, text []byte, pace *Pace) []byte {
	k := jsonKey{in: text, pace: pace}
	return k.value(dst)
}

type jsonKey struct {
	in   []byte
	at   int
	pace *Pace
	last int // position at the last step of pace
}

// peek skips spaces and returns the next byte, 0 at the end.
func (k *jsonKey) peek() byte {
	for k.at < len(k.in) {
		c := k.in[k.at]
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return c
		}
		k.at++
	}
	return 0
}

func (k *jsonKey) value(dst []byte) []byte {
	if k.pace != nil {
		if k.pace.Step(k.at - k.last) {
			k.at = len(k.in)
			return KeyNull(dst)
		}
		k.last = k.at
	}
	switch c := k.peek(); c {
	case '{':
		return k.object(dst)
	case '[':
		return k.array(dst)
	case '"':
		s := k.str()
		if bytes.IndexByte(s, '\\') >= 0 {
			s = UnquotePaced(nil, s, k.pace)
		}
		return keyBytes(append(dst, tagText), s, k.pace)
	case 't':
		k.at += 4
		return KeyBool(dst, true)
	case 'f':
		k.at += 5
		return KeyBool(dst, false)
	case 'n':
		k.at += 4
		return KeyNull(dst)
	}
	start := k.at
	for k.at < len(k.in) && numberByte(k.in[k.at]) {
		k.at++
	}
	s := k.in[start:k.at]
	switch kind, i, f := Parse(s); kind {
	case IsInt:
		return KeyInt(dst, i)
	case IsBig:
		return KeyBig(dst, s)
	case IsFloat:
		return KeyFloat(dst, f)
	}
	k.at = len(k.in) // not JSON: end rather than stand still
	return KeyNull(dst)
}

func numberByte(c byte) bool {
	return c-'0' <= 9 || c == '-' || c == '.' || c|0x20 == 'e' || c == '+'
}

func (k *jsonKey) array(dst []byte) []byte {
	dst = append(dst, tagArray)
	k.at++
	for {
		switch k.peek() {
		case ']', 0:
			k.at++
			return append(dst, tagEnd)
		case ',':
			k.at++
		default:
			dst = k.value(dst)
		}
	}
}

func (k *jsonKey) object(dst []byte) []byte {
	// Members are appended as they come, and moved only when they are out of order.
	type member struct{ name, value, end int } // where its key, its value's and the next one's begin
	var few [8]member
	members, inOrder := few[:0], true
	dst = append(dst, tagObject)
	k.at++
	for done := false; !done; {
		switch k.peek() {
		case '"':
			m := member{name: len(dst)}
			name := k.str()
			if bytes.IndexByte(name, '\\') >= 0 {
				name = UnquotePaced(nil, name, k.pace)
			}
			dst = keyBytes(append(dst, tagText), name, k.pace)
			m.value = len(dst)
			if k.peek() == ':' {
				k.at++
			}
			dst = k.value(dst)
			m.end = len(dst)
			if n := len(members); n > 0 {
				last := members[n-1]
				inOrder = inOrder && bytes.Compare(dst[last.name:last.value], dst[m.name:m.value]) < 0
			}
			members = append(members, m)
		case ',':
			k.at++
		default: // '}' or the end
			k.at++
			done = true
		}
	}
	if !inOrder && !k.pace.Over() {
		start := members[0].name
		old := slices.Clone(dst[start:])
		name := func(m member) []byte { return old[m.name-start : m.value-start] }
		members = sortPaced(members, func(a, b member) int { return bytes.Compare(name(a), name(b)) }, k.pace)
		dst = dst[:start]
		for i, m := range members {
			if i > 0 && bytes.Equal(name(m), name(members[i-1])) {
				continue // a later one of the same name
			}
			dst = append(dst, old[m.name-start:m.end-start]...)
		}
	}
	return append(dst, tagEnd)
}

// str returns what is between the quotes of the string at the position and moves behind it.
func (k *jsonKey) str() []byte {
	start := k.at + 1
	for i := start; i < len(k.in); i++ {
		switch k.in[i] {
		case '\\':
			i++
		case '"':
			k.at = i + 1
			return k.in[start:i]
		}
	}
	k.at = len(k.in)
	return k.in[min(start, len(k.in)):]
}

// sortPaced sorts stably: short runs, which are merged then. What was given up is in any order.
func sortPaced[T any](s []T, cmp func(a, b T) int, pace *Pace) []T {
	const run, each = 1 << 12, 32 // rows, and the bytes that comparing one counts for
	for at := 0; at < len(s) && !pace.Step(run*each); at += run {
		slices.SortStableFunc(s[at:min(at+run, len(s))], cmp)
	}
	if len(s) <= run {
		return s
	}
	out := make([]T, len(s))
	for width := run; width < len(s); width *= 2 {
		for lo := 0; lo < len(s); lo += 2 * width {
			i, mid, hi := lo, min(lo+width, len(s)), min(lo+2*width, len(s))
			j := mid
			for k := lo; k < hi; k++ {
				if pace.Step(each) {
					return s
				}
				if j >= hi || i < mid && cmp(s[i], s[j]) <= 0 {
					out[k] = s[i]
					i++
				} else {
					out[k] = s[j]
					j++
				}
			}
		}
		s, out = out, s
	}
	return s
}

// Unquote appends what the inside of a well-formed JSON string stands for. An unpaired surrogate becomes U+FFFD.
func Unquote(dst, s []byte) []byte { return UnquotePaced(dst, s, nil) }

// UnquotePaced is Unquote of a string that may be large.
func UnquotePaced(dst, s []byte, pace *Pace) []byte {
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 || i+1 >= len(s) {
			return append(dst, s...)
		}
		if pace.Step(i + 6) {
			return dst
		}
		dst = append(dst, s[:i]...)
		c := s[i+1]
		s = s[i+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := hex4(s)
			s = s[min(4, len(s)):]
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
					low = hex4(s[2:])
				}
				if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
					r, s = pair, s[6:]
				} else {
					r = utf8.RuneError
				}
			}
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
	}
}

func hex4(s []byte) rune {
	if len(s) < 4 {
		return utf8.RuneError
	}
	var r rune
	for _, c := range s[:4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20-'a' <= 5:
			c = c | 0x20 - 'a' + 10
		default:
			return utf8.RuneError
		}
		r = r<<4 | rune(c)
	}
	return r
}
