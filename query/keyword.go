package query

import (
	"strings"
	"unicode"
)

// reserved are the keywords that a bare identifier cannot be, in order. They are
// fewer than PostgreSQL's, because the fields of events have names like user,
// desc, for or values; a name in this list needs double quotes.
var reserved = [...]string{
	"ALL", "AND", "ANY", "ARRAY", "AS", "BETWEEN", "CASE", "CAST", "CROSS", "DISTINCT", "ELSE", "END", "EXCEPT",
	"EXISTS", "FALSE", "FETCH", "FROM", "FULL", "GROUP", "HAVING", "ILIKE", "IN", "INNER", "INTERSECT", "IS", "JOIN",
	"LATERAL", "LEFT", "LIKE", "LIMIT", "NATURAL", "NOT", "NULL", "OFFSET", "ON", "OR", "ORDER", "OUTER", "QUALIFY",
	"RETURNING", "RIGHT", "SELECT", "SOME", "THEN", "TRUE", "TRY_CAST", "UNION", "USING", "WHEN", "WHERE", "WINDOW",
	"WITH",
}

// IsReserved reports whether a word cannot be an identifier without quotes. The
// case of the word does not matter.
func IsReserved(word string) bool {
	if len(word) < 2 || len(word) > 9 {
		return false
	}
	var up [9]byte
	for i := range len(word) {
		c := word[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		up[i] = c
	}
	lo, hi := 0, len(reserved)
	for lo < hi {
		mid := (lo + hi) / 2
		if reserved[mid] < string(up[:len(word)]) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(reserved) && reserved[lo] == string(up[:len(word)])
}

// ReservedWords returns the keywords for which IsReserved is true, in capitals
// and in order.
func ReservedWords() []string { return append([]string(nil), reserved[:]...) }

// IsFuncKeyword reports whether a reserved word is also the name of a function,
// which needs no quotes before its parenthesis.
func IsFuncKeyword(word string) bool {
	return strings.EqualFold(word, "left") || strings.EqualFold(word, "right")
}

// NeedsQuotes reports whether a name must be quoted to be one identifier: it is
// no sequence of letters, digits, _ and $ that starts with a letter or _, or it
// is reserved.
func NeedsQuotes(name string) bool {
	return !IsPlain(name) || IsReserved(name)
}

// IsPlain reports whether a name has the form of an unquoted identifier. A
// reserved word does; it can stand without quotes after a dot or after AS.
func IsPlain(name string) bool {
	for i, r := range name {
		if !IsIdentRune(r, i == 0) {
			return false
		}
	}
	return name != ""
}

// IsIdentRune reports whether r can stand in an unquoted identifier, first or
// later.
func IsIdentRune(r rune, first bool) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', r == '_':
		return true
	case '0' <= r && r <= '9', r == '$':
		return !first
	case r < 0x80 || r == unicode.ReplacementChar:
		return false
	}
	return unicode.IsLetter(r) || !first && (unicode.IsMark(r) || unicode.IsDigit(r))
}

// AppendQuotedIdent appends name in double quotes.
func AppendQuotedIdent(dst []byte, name string) []byte {
	dst = append(dst, '"')
	for {
		i := strings.IndexByte(name, '"')
		if i < 0 {
			break
		}
		dst = append(dst, name[:i+1]...)
		dst = append(dst, '"')
		name = name[i+1:]
	}
	dst = append(dst, name...)
	return append(dst, '"')
}

// QuoteIdent is name as an identifier: in double quotes only if it needs them.
func QuoteIdent(name string) string {
	if !NeedsQuotes(name) {
		return name
	}
	return string(AppendQuotedIdent(nil, name))
}

// AppendQuotedText appends s as a string literal.
func AppendQuotedText(dst []byte, s string) []byte {
	dst = append(dst, '\'')
	for {
		i := strings.IndexByte(s, '\'')
		if i < 0 {
			break
		}
		dst = append(dst, s[:i+1]...)
		dst = append(dst, '\'')
		s = s[i+1:]
	}
	dst = append(dst, s...)
	return append(dst, '\'')
}
