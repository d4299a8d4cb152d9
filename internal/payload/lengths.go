package payload

// CheckLengths reports whether p is exactly one MessagePack value whose lengths lie within p and that is no deeper than MaxDepth:
// a decoder for one type cannot be made to allocate for what is not there, nor to exhaust the stack. Unlike Check it does not
// ask whether text is UTF-8, which values of Go need not be. It appends to timestamps where the data of each timestamp begins;
// any other extension is refused, because only its decoder knows what lengths are in it.
func CheckLengths(p []byte, timestamps []int) ([]int, error) {
	var few [16]int            // on the stack
	left := append(few[:0], 1) // values still to come, by depth
	fail := func(i int, reason string) ([]int, error) {
		return timestamps, &SyntaxError{Msgpack, i, reason}
	}
	for i := 0; ; {
		for left[len(left)-1] == 0 {
			if left = left[:len(left)-1]; len(left) > 0 {
				continue
			}
			if i < len(p) {
				return fail(i, "something behind the value")
			}
			return timestamps, nil
		}
		left[len(left)-1]--
		if i < len(p) && (p[i] < 0x80 || p[i] >= 0xe0) { // a small number
			i++
			continue
		}
		h, ok := readMsgpackHead(p, i)
		switch {
		case !ok && i < len(p) && p[i] == 0xc1:
			return fail(i, "invalid byte")
		case !ok:
			return fail(i, "unexpected end")
		}
		count := h.count
		if h.class == Object {
			count *= 2
		}
		if count < 0 || count > len(p)-h.next { // every value takes a byte at least
			return fail(i, "unexpected end")
		}
		if h.isExt {
			if h.ext != -1 || count != 4 && count != 8 && count != 12 {
				return fail(i, "an extension that is no timestamp")
			}
			timestamps = append(timestamps, h.next)
		}
		switch h.class {
		case Text, Blob:
			i = h.next + count
		case Array, Object:
			if len(left) > MaxDepth {
				return fail(i, "nested too deep")
			}
			left = append(left, count)
			i = h.next
		default:
			i = h.next
		}
	}
}
