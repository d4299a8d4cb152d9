package query

import "strings"

// reserved are the keywords that a bare identifier cannot be. They are fewer
// than PostgreSQL's, because an event's fields have names like user, order_id,
// start or desc; a name in this list needs double quotes.
var reserved = [...]string{
	"ALL", "AND", "ANTI", "ANY", "ARRAY", "AS", "ASC", "ASOF", "BETWEEN", "BY", "CASE", "CAST", "CROSS", "DESC", "DISTINCT",
	"ELSE", "END", "EXCEPT", "EXISTS", "FALSE", "FETCH", "FOR", "FROM", "FULL", "GROUP", "HAVING", "ILIKE", "IN", "INNER",
	"INTERSECT", "INTO", "IS", "ISNULL", "JOIN", "LATERAL", "LEFT", "LIKE", "LIMIT", "NATURAL", "NOT", "NOTNULL", "NULL",
	"OFFSET", "ON", "OR", "ORDER", "OUTER", "QUALIFY", "RETURNING", "RIGHT", "SELECT", "SEMI", "SOME", "THEN", "TRUE",
	"TRY_CAST", "UNION", "USING", "VALUES", "WHEN", "WHERE", "WINDOW", "WITH",
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

// NeedsQuotes reports whether a name must be quoted to be one identifier: it is
// no sequence of letters, digits, _ and $ that starts with a letter or _, or it
// is reserved.
func NeedsQuotes(name string) bool {
	if name == "" {
		return true
	}
	for i := range len(name) {
		if c := name[i]; !IsIdentByte(c, i == 0) {
			return true
		}
	}
	return IsReserved(name)
}

// IsIdentByte reports whether c can stand in an unquoted identifier, first or
// later. Bytes of letters beyond ASCII can.
func IsIdentByte(c byte, first bool) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_', c >= 0x80:
		return true
	case '0' <= c && c <= '9', c == '$':
		return !first
	}
	return false
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
