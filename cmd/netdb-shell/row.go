package main

import (
	"unicode/utf8"
)

// kind is what the output modes need to know about a value.
type kind uint8

const (
	kindNull   kind = iota
	kindBool        // text is true or false
	kindNumber      // text is a JSON number
	kindJSON        // text is one well-formed JSON value
	kindText        // anything else; a string in JSON
)

// cell is one value of a row in its text form.
type cell struct {
	kind     kind
	from, to int // in the row's buf
}

// row is a row of values in their text form. Its memory is reused from row to row.
type row struct {
	buf   []byte
	cells []cell
}

func (r *row) reset() { r.buf, r.cells = r.buf[:0], r.cells[:0] }

// add ends a cell whose text was appended to buf since the last one ended.
func (r *row) add(k kind) {
	from := 0
	if n := len(r.cells); n > 0 {
		from = r.cells[n-1].to
	}
	r.cells = append(r.cells, cell{k, from, len(r.buf)})
}

func (r *row) text(s string) {
	r.buf = append(r.buf, s...)
	r.add(kindText)
}

func (r *row) null() { r.add(kindNull) }

// at returns the text of cell i, valid until reset.
func (r *row) at(i int) []byte { return r.buf[r.cells[i].from:r.cells[i].to] }

func (r *row) clone() row {
	return row{append([]byte(nil), r.buf...), append([]cell(nil), r.cells...)}
}

const hexDigits = "0123456789abcdef"

// appendVisible appends text so that it shows what it holds and cannot drive a terminal: control characters, marks that
// turn the direction of text and line separators become escapes, as do bytes that are not UTF-8.
func appendVisible(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if c < 0x20 || c == 0x7f {
				dst = appendControl(dst, c)
			} else {
				dst = append(dst, c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		case hidden(r):
			dst = append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
		default:
			dst = append(dst, text[i:i+n]...)
		}
		i += n
	}
	return dst
}

func appendControl(dst []byte, c byte) []byte {
	switch c {
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
}

// hidden reports whether r moves the cursor, ends a line or reorders text instead of showing something.
func hidden(r rune) bool {
	switch {
	case r < 0x80:
		return r < 0x20 || r == 0x7f
	case r <= 0x9f, r == 0x061c, r == 0x200e, r == 0x200f, r == 0xfeff:
		return true
	case r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}

// appendJSONString appends text as a JSON string. What is not UTF-8 becomes U+FFFD; control characters are escaped, also
// those JSON would allow, because a terminal obeys them.
func appendJSONString(dst, text []byte) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			switch {
			case c == '"' || c == '\\':
				dst = append(dst, '\\', c)
			case c == '\n':
				dst = append(dst, `\n`...)
			case c == '\r':
				dst = append(dst, `\r`...)
			case c == '\t':
				dst = append(dst, `\t`...)
			case c < 0x20 || c == 0x7f:
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			default:
				dst = append(dst, c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, `\ufffd`...)
		case hidden(r):
			dst = append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
		default:
			dst = append(dst, text[i:i+n]...)
		}
		i += n
	}
	return append(dst, '"')
}

// appendJSONLine appends a well-formed JSON value on one line: white space between tokens that is a control character goes,
// and what would drive a terminal inside strings is escaped.
func appendJSONLine(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			switch {
			case c == 0x7f:
				dst = append(dst, `\u007f`...)
			case c >= 0x20:
				dst = append(dst, c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		if hidden(r) {
			dst = append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
		} else {
			dst = append(dst, text[i:i+n]...)
		}
		i += n
	}
	return dst
}
