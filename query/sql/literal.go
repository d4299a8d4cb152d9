package sql

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed69692123/netdb/query"
)

// stringValue is the value of a string token: TEXT, or BLOB for X'…'.
func (p *parser) stringValue(t *Token) query.Value {
	text := p.text(t)
	switch t.sub {
	case subDollar:
		n := strings.IndexByte(text[1:], '$') + 2
		return query.Text(text[n : len(text)-n])
	case subEscapes:
		return query.Text(p.unescape(t, text[2:len(text)-1]))
	case subHex:
		b, err := hex.DecodeString(text[2 : len(text)-1])
		if err != nil {
			panic(query.ErrorAt(span(t), query.CodeSyntax, "X'…' holds an even number of hexadecimal digits"))
		}
		return query.Blob(b)
	}
	return query.Text(undouble(text[1:len(text)-1], '\''))
}

// unescape resolves the escapes of E'…': those of C, with \u and \U.
func (p *parser) unescape(t *Token, s string) string {
	bad := func(i, n int) {
		from := t.Pos + 2 + i
		panic(query.ErrorAt(query.Span{Pos: from, End: min(from+n, t.End-1)}, query.CodeSyntax, "bad escape in a string").
			WithHint(`the escapes are \b \f \n \r \t \\ \' \xHH \uHHHH \UHHHHHHHH`))
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\'':
			i++ // doubled
			b = append(b, c)
			continue
		case c != '\\':
			b = append(b, c)
			continue
		}
		at := i
		i++
		if i == len(s) {
			bad(at, 1)
		}
		digits := 0
		switch s[i] {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case '\\', '\'', '"', '/':
			b = append(b, s[i])
		case 'x':
			digits = 2
		case 'u':
			digits = 4
		case 'U':
			digits = 8
		default:
			bad(at, 2)
		}
		if digits == 0 {
			continue
		}
		if i+digits >= len(s)+0 && i+digits > len(s)-1 {
			bad(at, 2+digits)
		}
		n, err := strconv.ParseUint(s[i+1:i+1+digits], 16, 32)
		if err != nil || n > utf8.MaxRune {
			bad(at, 2+digits)
		}
		i += digits
		if digits == 2 {
			b = append(b, byte(n))
			continue
		}
		if n >= 0xD800 && n < 0xE000 {
			bad(at, 2+digits)
		}
		b = utf8.AppendRune(b, rune(n))
	}
	if !utf8.Valid(b) {
		panic(query.ErrorAt(span(t), query.CodeSyntax, "the string is not UTF-8").WithHint("write bytes as X'00ff'"))
	}
	return string(b)
}

// typeWord is the type that one word names, TypeNone for no type.
func typeWord(s string) query.Type {
	if len(s) < 3 || len(s) > 11 {
		return query.TypeNone
	}
	switch strings.ToLower(s) {
	case "boolean", "bool":
		return query.TypeBoolean
	case "bigint", "integer", "int", "int8", "int4", "int2", "smallint", "tinyint", "long":
		return query.TypeBigint
	case "double", "float", "float8", "float4", "real":
		return query.TypeDouble
	case "decimal", "numeric":
		return query.TypeDecimal
	case "text", "varchar", "string", "char", "character":
		return query.TypeText
	case "blob", "bytea", "binary":
		return query.TypeBlob
	case "timestamptz", "timestamp", "datetime":
		return query.TypeTimestamp
	case "date":
		return query.TypeDate
	case "interval":
		return query.TypeInterval
	case "json", "jsonb":
		return query.TypeJSON
	}
	return query.TypeNone
}

// typeNames are offered when a type is misspelt.
var typeNames = [...]string{
	"BOOLEAN", "BIGINT", "DOUBLE", "DECIMAL", "TEXT", "BLOB", "TIMESTAMPTZ", "DATE", "INTERVAL", "JSON",
	"INTEGER", "VARCHAR", "TIMESTAMP", "NUMERIC",
}

// typeName reads a type.
func (p *parser) typeName() *query.TypeName {
	t := p.tok()
	if !p.isName(t) {
		p.unexpected("expected a type", typeNames[:]...)
	}
	n := &query.TypeName{Type: query.TypeNone}
	if t.Kind != QuotedIdent {
		n.Type = typeWord(p.text(t))
	}
	if n.Type == query.TypeNone {
		e := query.ErrorAt(span(t), query.CodeType, "unknown type %s", p.got(t))
		if near := query.Nearest(p.text(t), typeNames[:]); near != "" {
			e.Hint = "did you mean " + near
		} else {
			e.Hint = "the types are BOOLEAN, BIGINT, DOUBLE, DECIMAL, TEXT, BLOB, TIMESTAMPTZ, DATE, INTERVAL and JSON"
		}
		panic(e)
	}
	p.advance()
	switch n.Type {
	case query.TypeDouble:
		p.acceptKw(kwPrecision)
	case query.TypeText:
		p.acceptKw(kwVarying)
	case query.TypeTimestamp:
		if (p.isKw(kwWith) || p.isKw(kwWithout)) && p.kwAt(1, kwTime) && p.kwAt(2, kwZone) {
			p.i += 3
		}
	case query.TypeDecimal:
		n.Precision, n.Scale = 18, 3
	}
	if p.isSub(subLParen) && (n.Type == query.TypeDecimal || n.Type == query.TypeText) {
		p.typeArgs(n)
	}
	n.Span = p.since(t.Pos)
	return n
}

// typeArgs reads (p, s) of a DECIMAL. The length of a VARCHAR is read and, as in
// DuckDB, of no effect.
func (p *parser) typeArgs(n *query.TypeName) {
	p.advance()
	first := p.size()
	if n.Type == query.TypeDecimal {
		n.Precision, n.Scale = first, 0
		if p.accept(subComma) {
			n.Scale = p.size()
		}
		if n.Precision < 1 || n.Precision > query.MaxPrecision || n.Scale > n.Precision {
			panic(query.ErrorAt(p.since(p.toks[p.i-1].Pos), query.CodeType,
				"a DECIMAL has 1 to %d digits, of which at most all are behind the point", query.MaxPrecision))
		}
	}
	p.expect(subRParen, `")"`)
}

func (p *parser) size() int {
	t := p.tok()
	if t.sub != subInteger {
		p.unexpected("expected a number")
	}
	p.advance()
	n, err := strconv.Atoi(p.text(t))
	if err != nil {
		panic(query.ErrorAt(span(t), query.CodeOutOfRange, "%s is too large", p.got(t)))
	}
	return n
}

// typed reads a literal such as DATE '2024-01-31', whose type begins at first.
// The current token is the one before the string.
func (p *parser) typed(typ query.Type, first *Token) query.Expr {
	if typ == query.TypeInterval {
		return p.interval()
	}
	p.advance()
	t := p.advance()
	text := p.stringValue(t).Text()
	whole := p.since(first.Pos)
	if typ == query.TypeTimestamp {
		if v, zoned, err := query.ParseTime(text, nil); err != nil {
			panic(query.ErrorAt(span(t), query.CodeBadTime, "%v", err))
		} else if zoned {
			return &query.Literal{Span: whole, Value: v}
		}
	} else if typ != query.TypeText {
		v, err := query.ParseValue(text, typ, nil)
		if err != nil {
			panic(query.ErrorAt(span(t), query.CodeBadValue, "%v", err))
		}
		return &query.Literal{Span: whole, Value: v}
	}
	// Its value depends on the zone of the session.
	return &query.Cast{
		Span: whole, Expr: &query.Literal{Span: span(t), Value: query.Text(text)},
		Type: &query.TypeName{Span: query.Span{Pos: first.Pos, End: p.toks[p.i-2].End}, Type: typ},
	}
}

// interval reads INTERVAL '…', INTERVAL '3' DAY or INTERVAL 3 DAY.
func (p *parser) interval() query.Expr {
	first := p.advance()
	t := p.advance()
	text := p.text(t)
	if t.Kind == String {
		text = p.stringValue(t).Text()
	}
	unit := p.tok()
	if unit.Kind == Identifier && query.IsIntervalUnit(p.text(unit)) {
		text += " " + p.text(unit)
		p.advance()
	}
	v, err := query.ParseInterval(text)
	if err != nil {
		panic(query.ErrorAt(span(t), query.CodeBadTime, "%v", err).WithHint("write INTERVAL '1 day 2 hours' or INTERVAL 3 DAY"))
	}
	return &query.Literal{Span: p.since(first.Pos), Value: v}
}
