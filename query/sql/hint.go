package sql

import (
	"strconv"
	"strings"

	"github.com/seed69692123/netdb/query"
)

// clauses are the words that people misspell between the parts of a query.
var clauses = [...]string{
	"FROM", "WHERE", "GROUP BY", "HAVING", "ORDER BY", "LIMIT", "OFFSET", "JOIN", "LEFT", "RIGHT", "INNER", "CROSS", "ASOF",
	"ON", "USING", "UNION", "INTERSECT", "EXCEPT", "QUALIFY", "WINDOW", "AND", "OR", "IS", "IN", "LIKE", "ILIKE", "BETWEEN", "NOT",
	"AS", "DESC", "ASC", "NULLS", "SELECT", "VALUES", "RETURNING", "WHEN", "THEN", "ELSE", "END",
}

// got describes a token in an error.
func (p *parser) got(t *Token) string {
	if t.Kind == EOF {
		return "end of input"
	}
	text := p.text(t)
	const most = 40
	if len(text) > most {
		cut := most
		for cut > 0 && text[cut]&0xC0 == 0x80 {
			cut--
		}
		text = text[:cut] + "…"
	}
	if t.Kind == String || t.Kind == QuotedIdent {
		return text
	}
	return `"` + text + `"`
}

// unexpected ends the parse at the current token. words are the keywords that
// could stand there, for the hint.
func (p *parser) unexpected(msg string, words ...string) {
	t := p.tok()
	if t.Kind == Invalid {
		panic(p.lexErr)
	}
	e := query.ErrorAt(span(t), query.CodeSyntax, "%s, got %s", msg, p.got(t))
	e.Hint = p.hint(t, words)
	panic(e)
}

// hint guesses what was meant where token t does not fit.
func (p *parser) hint(t *Token, words []string) string {
	if len(words) == 0 {
		words = clauses[:]
	}
	if p.alias >= 0 && p.alias == p.i-1 {
		// The word before was taken for an alias. It may be a misspelt keyword.
		a := &p.toks[p.alias]
		if near := query.Nearest(p.text(a), clauses[:]); near != "" && a.Kind == Identifier {
			return "did you mean " + near + " instead of " + p.got(a) + " at offset " + strconv.Itoa(a.Pos)
		}
	}
	switch t.Kind {
	case Identifier:
		if near := query.Nearest(p.text(t), words); near != "" {
			return "did you mean " + near
		}
		if p.alias >= 0 && p.alias == p.i-1 {
			return "is a comma missing before " + p.got(t) + "?"
		}
	case Keyword:
		if t.kw == kwNot {
			return "NOT behind a value is followed by LIKE, IN or BETWEEN"
		}
		if t.kw == kwSelect && p.toks[0].kw == kwFrom {
			return "in a query that begins with FROM, SELECT stands directly behind the tables"
		}
		if p.i > 0 && t.kw.isReserved() && !startsClause(t.kw) {
			return p.got(t) + " is a keyword; as a name it needs double quotes"
		}
	case Operator:
		if s := p.slashedName(t); s != "" {
			return "a name like this needs double quotes: " + s
		}
	}
	return ""
}

// startsClause reports whether a reserved word is more likely meant as itself
// than as a name.
func startsClause(k kw) bool {
	switch k {
	case kwOffset, kwEnd, kwLimit, kwWindow, kwLeft, kwRight, kwFull, kwOrder, kwGroup, kwAll, kwAny, kwArray, kwUsing, kwFetch:
		return false
	}
	return true
}

// slashedName finds a name such as app/log or my-log around an operator that
// touches words on both sides, and returns it in quotes.
func (p *parser) slashedName(t *Token) string {
	if t.sub != subSlash && t.sub != subMinus || p.i == 0 {
		return ""
	}
	word := func(t *Token) bool { return t.Kind == Identifier || t.Kind == Keyword || t.Kind == Number }
	from := p.i - 1
	if !word(&p.toks[from]) || p.toks[from].End != t.Pos {
		return ""
	}
	end := t.End
	for i := p.i + 1; i < len(p.toks) && p.toks[i].Pos == end; i++ {
		n := &p.toks[i]
		if !word(n) && n.sub != subSlash && n.sub != subMinus && n.sub != subDot {
			break
		}
		end = n.End
	}
	if end == t.End {
		return ""
	}
	return string(query.AppendQuotedIdent(nil, p.src[p.toks[from].Pos:end]))
}

// undouble replaces each doubled quote by one.
func undouble(s string, quote byte) string {
	if strings.IndexByte(s, quote) < 0 {
		return s
	}
	q := string(quote)
	return strings.ReplaceAll(s, q+q, q)
}
