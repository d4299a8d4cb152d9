package sql

import (
	"strconv"
	"strings"

	"github.com/seed69692123/netdb/query"
)

// primary reads an operand without its operators.
func (p *parser) primary() query.Expr {
	t := p.tok()
	switch t.Kind {
	case Number:
		p.advance()
		return &query.Literal{Span: span(t), Value: p.number(t)}
	case String:
		p.advance()
		return &query.Literal{Span: span(t), Value: p.stringValue(t)}
	case Parameter:
		return p.param()
	case Identifier, QuotedIdent:
		return p.named()
	case Keyword:
		return p.keywordPrimary()
	case Punctuation:
		switch t.sub {
		case subLParen:
			return p.parens()
		case subLBracket:
			p.advance()
			return p.array(t.Pos)
		}
	}
	return p.noExpr()
}

func (p *parser) noExpr() query.Expr {
	if p.tok().Kind == Keyword && p.i > 0 && p.toks[p.i-1].sub == subComma && startsClause(p.tok().kw) {
		p.trailing()
	}
	p.unexpected("expected expression", "SELECT", "NOT", "CASE", "CAST", "EXISTS")
	return nil
}

func (p *parser) keywordPrimary() query.Expr {
	t := p.tok()
	lit := func(v query.Value) query.Expr {
		p.advance()
		return &query.Literal{Span: span(t), Value: v}
	}
	next := p.at(1)
	switch t.kw {
	case kwNull:
		return lit(query.Null())
	case kwTrue:
		return lit(query.Bool(true))
	case kwFalse:
		return lit(query.Bool(false))
	case kwCase:
		return p.caseExpr()
	case kwCast, kwTryCast:
		return p.cast()
	case kwExists:
		p.advance()
		p.expect(subLParen, `"(" after EXISTS`)
		q := p.query()
		p.expect(subRParen, `")"`)
		return &query.Exists{Span: p.since(t.Pos), Query: q}
	case kwArray:
		p.advance()
		if p.isSub(subLParen) {
			panic(query.ErrorAt(span(t), query.CodeUnsupported, "ARRAY of a query is not supported").WithHint("use array_agg"))
		}
		p.expect(subLBracket, `"[" after ARRAY`)
		return p.array(t.Pos)
	case kwLeft, kwRight:
		if next.sub == subLParen {
			return p.named()
		}
	case kwSelect:
		panic(query.ErrorAt(span(t), query.CodeSyntax, `expected expression, got "%s"`, p.text(t)).
			WithHint("a query inside an expression needs parentheses"))
	case kwRow:
		if next.sub == subLParen {
			p.advance()
			p.advance()
			items := p.exprs(subRParen)
			p.expect(subRParen, `")"`)
			return &query.Tuple{Span: p.since(t.Pos), Items: items}
		}
	case kwValues:
		if next.sub == subLParen {
			panic(query.ErrorAt(span(t), query.CodeSyntax, `expected expression, got "%s"`, p.text(t)).
				WithHint("a query inside an expression needs parentheses"))
		}
	case kwInterval:
		if next.Kind == String || next.Kind == Number && next.sub != subRadix {
			return p.interval()
		}
	case kwTimestamp:
		if (next.kw == kwWith || next.kw == kwWithout) && p.kwAt(2, kwTime) && p.kwAt(3, kwZone) && p.at(4).Kind == String {
			p.i += 3
			return p.typed(query.TypeTimestamp, t)
		}
	case kwCurrentTimestamp, kwCurrentDate:
		if next.sub != subLParen && next.sub != subDot {
			name := "now"
			if t.kw == kwCurrentDate {
				name = "current_date"
			}
			p.advance()
			return &query.Call{Span: span(t), Name: []query.Ident{{Span: span(t), Name: name}}}
		}
	case kwExtract, kwSubstring, kwPosition, kwTrim:
		if next.sub == subLParen {
			return p.keywordCall()
		}
	}
	if t.kw.isReserved() {
		return p.noExpr()
	}
	return p.named()
}

// named reads what begins with a name: a literal of a type, a call, a path.
func (p *parser) named() query.Expr {
	t := p.tok()
	if next := p.at(1); next.Kind == String && t.Kind != QuotedIdent && next.sub != subHex {
		if typ := typeWord(p.text(t)); typ != query.TypeNone {
			return p.typed(typ, t)
		}
	}
	p.advance()
	first := p.ident(t)
	if !p.isSub(subDot) && !p.isSub(subLParen) {
		n := &struct {
			query.Name
			one [1]query.Ident
		}{}
		n.one[0] = first
		n.Name = query.Name{Span: first.Span, Parts: n.one[:]}
		return &n.Name
	}
	parts := []query.Ident{first}
	for p.isSub(subDot) {
		p.advance()
		if p.isSub(subStar) {
			panic(query.ErrorAt(span(p.tok()), query.CodeSyntax, "a star cannot stand here").
				WithHint("%s.* stands alone in a select list", p.src[t.Pos:p.toks[p.i-2].End]))
		}
		parts = append(parts, p.label("a name after the dot"))
		p.grow(len(parts), first.Span)
	}
	if p.isSub(subLParen) {
		return p.call(t.Pos, parts)
	}
	return &query.Name{Span: p.since(t.Pos), Parts: parts}
}

func (p *parser) param() query.Expr {
	t := p.advance()
	switch t.sub {
	case subAtNamed:
		if !p.opts.QuestionMarks {
			panic(query.ErrorAt(span(t), query.CodeSyntax, "%s is no parameter here", p.text(t)).WithHint("write :%s", p.src[t.Pos+1:t.End]))
		}
		return &query.Param{Span: span(t), Name: p.src[t.Pos+1 : t.End]}
	case subNamed:
		return &query.Param{Span: span(t), Name: p.src[t.Pos+1 : t.End]}
	case subQuestion:
		if !p.opts.QuestionMarks {
			panic(query.ErrorAt(span(t), query.CodeSyntax, "? is no parameter here").WithHint("write $1 or :name"))
		}
		p.questions++
	default:
		p.numbered = true
	}
	if p.questions > 0 && p.numbered {
		panic(query.ErrorAt(span(t), query.CodeSyntax, "? and $1 cannot be mixed in one statement"))
	}
	if t.sub == subQuestion {
		return &query.Param{Span: span(t), Index: p.questions}
	}
	n, err := strconv.Atoi(p.src[t.Pos+1 : t.End])
	if err != nil || n < 1 || n > query.MaxParams {
		panic(query.ErrorAt(span(t), query.CodeUnknownParam, "%s is no parameter: they go from $1 to $%d", p.text(t), query.MaxParams))
	}
	return &query.Param{Span: span(t), Index: n}
}

// parens reads (expr), (a, b) or (query).
func (p *parser) parens() query.Expr {
	open := p.advance()
	if p.startsQuery(0) {
		return p.subquery(open, p.query())
	}
	inner := p.tok()
	e := p.expr(lowest)
	if s, ok := e.(*query.Subquery); ok && inner.sub == subLParen && s.Pos == inner.Pos && p.continuesQuery() {
		return p.subquery(open, p.queryFrom(nil, asBody(s.Query), s.Pos))
	}
	if p.isSub(subComma) {
		items := []query.Expr{e}
		for p.comma(subRParen) {
			items = append(items, p.expr(lowest))
		}
		p.expect(subRParen, `")"`)
		return &query.Tuple{Span: p.since(open.Pos), Items: items}
	}
	p.expect(subRParen, `")"`)
	return widen(e, p.since(open.Pos))
}

func (p *parser) subquery(open *Token, q *query.Query) query.Expr {
	p.expect(subRParen, `")"`)
	return &query.Subquery{Span: p.since(open.Pos), Query: q}
}

// widen lets a literal in parentheses carry their span, so that a sign before
// the parenthesis is not taken for a part of the number.
func widen(e query.Expr, s query.Span) query.Expr {
	switch e := e.(type) {
	case *query.Literal:
		e.Span = s
	case *query.Name:
		e.Span = s
	case *query.Binary:
		e.Span = s
	}
	return e
}

func (p *parser) array(pos int) query.Expr {
	a := &query.Array{}
	if !p.isSub(subRBracket) {
		a.Items = p.exprs(subRBracket)
	}
	p.expect(subRBracket, `"]"`)
	a.Span = p.since(pos)
	return a
}

func (p *parser) caseExpr() query.Expr {
	t := p.advance()
	c := &query.Case{}
	if !p.isKw(kwWhen) {
		c.Operand = p.expr(lowest)
	}
	for p.isKw(kwWhen) {
		at := p.advance()
		w := &query.When{Cond: p.expr(lowest)}
		p.expectKw(kwThen)
		w.Then = p.expr(lowest)
		w.Span = p.since(at.Pos)
		c.Whens = append(c.Whens, w)
	}
	if len(c.Whens) == 0 {
		p.unexpected("expected WHEN", "WHEN")
	}
	if p.acceptKw(kwElse) {
		c.Else = p.expr(lowest)
	}
	if !p.isKw(kwEnd) {
		p.unexpected("expected WHEN, ELSE or END", "WHEN", "ELSE", "END")
	}
	p.advance()
	c.Span = p.since(t.Pos)
	return c
}

func (p *parser) cast() query.Expr {
	t := p.advance()
	c := &query.Cast{Try: t.kw == kwTryCast}
	p.expect(subLParen, `"("`)
	c.Expr = p.expr(lowest)
	p.expectKw(kwAs)
	c.Type = p.typeName()
	p.expect(subRParen, `")"`)
	c.Span = p.since(t.Pos)
	return c
}

// number is the value of a number token. Without point and exponent it is an
// integer of any size, else a DOUBLE.
func (p *parser) number(t *Token) query.Value {
	text := strings.ReplaceAll(p.text(t), "_", "")
	bad := func(why string) query.Value {
		panic(query.ErrorAt(span(t), query.CodeOutOfRange, "%s: %s", p.got(t), why))
	}
	switch t.sub {
	case subRadix:
		n, err := strconv.ParseUint(text, 0, 64)
		if err != nil || n > 1<<63-1 {
			return bad("expected at least one digit and at most 63 bits")
		}
		return query.Int(int64(n))
	case subFraction:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return bad("the number is too large for a DOUBLE")
		}
		return query.Double(f)
	}
	v, ok := query.ParseInteger(text)
	if !ok {
		return bad("the number has too many digits")
	}
	return v
}
