package sql

import "github.com/seed69692123/netdb/query"

// Binding levels, loosest first: the same as the printer's.
const (
	lowest = iota
	levelOr
	levelAnd
	levelNot
	levelIs
	levelCompare
	levelRange
	levelOther
	levelAdd
	levelMul
	levelPow
	levelUnary
	levelPostfix
	levelPrimary
)

// binaryOps gives operator and level of the tokens between two operands.
var binaryOps = [subShr + 1]struct {
	op    query.Op
	level uint8
}{
	subArrow:   {query.OpArrow, levelPostfix},
	subArrow2:  {query.OpArrowText, levelPostfix},
	subStar:    {query.OpMul, levelMul},
	subPlus:    {query.OpAdd, levelAdd},
	subMinus:   {query.OpSub, levelAdd},
	subSlash:   {query.OpDiv, levelMul},
	subSlash2:  {query.OpIntDiv, levelMul},
	subPercent: {query.OpMod, levelMul},
	subCaret:   {query.OpPow, levelPow},
	subEq:      {query.OpEq, levelCompare},
	subNe:      {query.OpNe, levelCompare},
	subLt:      {query.OpLt, levelCompare},
	subLe:      {query.OpLe, levelCompare},
	subGt:      {query.OpGt, levelCompare},
	subGe:      {query.OpGe, levelCompare},
	subConcat:  {query.OpConcat, levelOther},
	subHas:     {query.OpContains, levelOther},
	subWithin:  {query.OpContained, levelOther},
	subTilde:   {query.OpMatch, levelOther},
	subTildeI:  {query.OpMatchI, levelOther},
	subNTilde:  {query.OpNotMatch, levelOther},
	subNTildeI: {query.OpNotMatchI, levelOther},
	subAmp:     {query.OpBitAnd, levelOther},
	subPipe:    {query.OpBitOr, levelOther},
	subShl:     {query.OpShiftLeft, levelOther},
	subShr:     {query.OpShiftRight, levelOther},
}

// infix is the level at which the current token goes on with an expression, 0
// when it does not.
func (p *parser) infix() int {
	t := p.tok()
	switch t.Kind {
	case Operator:
		if t.sub == subCast {
			return levelPostfix
		}
		return int(binaryOps[t.sub].level)
	case Punctuation:
		if t.sub == subLBracket || t.sub == subDot {
			return levelPostfix
		}
	case Keyword:
		switch t.kw {
		case kwOr:
			return levelOr
		case kwAnd:
			return levelAnd
		case kwIs:
			return levelIs
		case kwLike, kwIlike, kwIn, kwBetween:
			return levelRange
		case kwSimilar:
			if p.kwAt(1, kwTo) {
				return levelRange
			}
		case kwNot:
			switch p.at(1).kw {
			case kwLike, kwIlike, kwIn, kwBetween, kwSimilar:
				return levelRange
			}
		case kwAt:
			if p.kwAt(1, kwTime) {
				return levelUnary
			}
		case kwCollate:
			return levelUnary
		}
	}
	return 0
}

// expr reads an expression whose operators bind at least as tight as min.
func (p *parser) expr(min int) query.Expr {
	p.enter()
	outer := p.height
	p.height = 0
	left := p.prefix(min)
	own := p.height + 1
	last := 0
	for {
		level := p.infix()
		if level == 0 || level < min {
			break
		}
		if level == last && (level == levelCompare || level == levelRange) {
			p.chained(level)
		}
		last = level
		p.height = 0
		left = p.operator(left, level)
		own = p.grow(max(own, p.height)+1, left.At())
	}
	p.height = max(outer, own)
	p.leave()
	return left
}

func (p *parser) chained(level int) {
	t := p.tok()
	if level == levelCompare {
		panic(query.ErrorAt(span(t), query.CodeSyntax, "comparisons do not chain: unexpected %s", p.got(t)).
			WithHint("write a < b AND b < c, or use parentheses"))
	}
	panic(query.ErrorAt(span(t), query.CodeSyntax, "unexpected %s after another test of its kind", p.got(t)).
		WithHint("use parentheses"))
}

// operator reads what follows left, whose level infix gave.
func (p *parser) operator(left query.Expr, level int) query.Expr {
	pos := left.At().Pos
	t := p.tok()
	if t.Kind == Keyword {
		return p.keywordOperator(left, pos)
	}
	switch t.sub {
	case subCast:
		p.advance()
		typ := p.typeName()
		return &query.Cast{Span: p.since(pos), Expr: left, Type: typ}
	case subLBracket:
		p.advance()
		index := p.expr(lowest)
		if p.isSub(subColon) || p.tok().sub == subNamed {
			panic(query.ErrorAt(span(p.tok()), query.CodeUnsupported, "slices of arrays are not supported"))
		}
		p.expect(subRBracket, `"]"`)
		return &query.Index{Span: p.since(pos), Expr: left, Index: index}
	case subDot:
		p.advance()
		name := p.label("a name after the dot")
		return &query.Field{Span: p.since(pos), Expr: left, Name: name}
	}
	op := binaryOps[t.sub].op
	at := span(p.advance())
	if level == levelCompare && (p.isKw(kwAny) || p.isKw(kwSome) || p.isKw(kwAll)) && p.at(1).sub == subLParen {
		return p.quantified(left, op, pos)
	}
	var right query.Expr
	if level == levelPostfix {
		right = p.arrowKey()
	} else {
		right = p.expr(level + 1)
	}
	return &query.Binary{Span: p.since(pos), Op: op, L: left, R: right, OpSpan: at}
}

// arrowKey reads what stands behind -> or ->>: a literal, a parameter, a name,
// a call, a number with a sign, or anything in parentheses.
func (p *parser) arrowKey() query.Expr {
	if t := p.tok(); t.sub == subMinus && p.at(1).Kind == Number {
		p.advance()
		n := p.advance()
		return &query.Literal{Span: p.since(t.Pos), Value: p.number(n).Negate()}
	}
	return p.expr(levelPrimary)
}

func (p *parser) quantified(left query.Expr, op query.Op, pos int) query.Expr {
	q := &query.Quantified{Op: op, Expr: left, All: p.isKw(kwAll)}
	p.advance()
	p.expect(subLParen, `"("`)
	if p.startsQuery(0) {
		q.Query = p.query()
	} else {
		q.Array = p.expr(lowest)
	}
	p.expect(subRParen, `")"`)
	q.Span = p.since(pos)
	return q
}

// keywordOperator reads AND, OR, IS, [NOT] LIKE, IN, BETWEEN and their like.
func (p *parser) keywordOperator(left query.Expr, pos int) query.Expr {
	t := p.advance()
	switch t.kw {
	case kwAnd, kwOr:
		op, level := query.OpAnd, levelAnd
		if t.kw == kwOr {
			op, level = query.OpOr, levelOr
		}
		right := p.expr(level + 1)
		return &query.Binary{Span: p.since(pos), Op: op, L: left, R: right, OpSpan: span(t)}
	case kwIs:
		return p.is(left, pos, t)
	case kwAt:
		p.expectKw(kwTime)
		p.expectKw(kwZone)
		zone := p.expr(levelUnary + 1)
		return &query.Call{
			Span: p.since(pos), Name: []query.Ident{{Span: span(t), Name: "timezone"}}, Args: []query.Expr{zone, left},
		}
	case kwCollate:
		panic(query.ErrorAt(span(t), query.CodeUnsupported, "COLLATE is not supported").WithHint("text orders and compares by bytes"))
	}
	not := t.kw == kwNot
	if not {
		t = p.advance()
	}
	switch t.kw {
	case kwSimilar:
		panic(query.ErrorAt(span(t), query.CodeUnsupported, "SIMILAR TO is not supported").WithHint("use LIKE"))
	case kwIn:
		return p.in(left, pos, not)
	case kwBetween:
		lo := p.expr(levelRange + 1)
		p.expectKw(kwAnd)
		hi := p.expr(levelRange + 1)
		return &query.Between{Span: p.since(pos), Expr: left, Lo: lo, Hi: hi, Not: not}
	}
	like := &query.Like{Expr: left, Not: not, Fold: t.kw == kwIlike}
	like.Pattern = p.expr(levelRange + 1)
	if p.acceptKw(kwEscape) {
		like.Escape = p.expr(levelRange + 1)
	}
	like.Span = p.since(pos)
	return like
}

func (p *parser) is(left query.Expr, pos int, t *Token) query.Expr {
	not := p.acceptKw(kwNot)
	if p.acceptKw(kwDistinct) {
		op := query.OpIsDistinct
		if not {
			op = query.OpIsNotDistinct
		}
		p.expectKw(kwFrom)
		at := p.since(t.Pos)
		right := p.expr(levelIs + 1)
		return &query.Binary{Span: p.since(pos), Op: op, L: left, R: right, OpSpan: at}
	}
	var kind query.IsKind
	switch p.tok().kw {
	case kwNull:
		kind = query.IsNull
	case kwTrue:
		kind = query.IsTrue
	case kwFalse:
		kind = query.IsFalse
	case kwUnknown:
		kind = query.IsUnknown
	default:
		p.unexpected("expected NULL, TRUE, FALSE or DISTINCT FROM", "NULL", "NOT", "TRUE", "FALSE", "UNKNOWN", "DISTINCT")
	}
	p.advance()
	return &query.Is{Span: p.since(pos), Expr: left, Kind: kind, Not: not}
}

func (p *parser) in(left query.Expr, pos int, not bool) query.Expr {
	in := &query.In{Expr: left, Not: not}
	p.expect(subLParen, `"(" after IN`)
	switch {
	case p.startsQuery(0):
		in.Query = p.query()
	case p.isSub(subRParen):
		panic(query.ErrorAt(span(p.tok()), query.CodeSyntax, "the list of IN is empty"))
	default:
		in.List = p.exprs(subRParen)
	}
	p.expect(subRParen, `")"`)
	in.Span = p.since(pos)
	return in
}

// exprs reads one expression or more, separated by commas.
func (p *parser) exprs(closing sub) []query.Expr {
	list := make([]query.Expr, 0, 2)
	for {
		list = append(list, p.expr(lowest))
		if !p.comma(closing) {
			return list
		}
	}
}

// prefix reads what an expression begins with: a sign, NOT, or a primary.
func (p *parser) prefix(min int) query.Expr {
	t := p.tok()
	switch {
	case t.sub == subMinus || t.sub == subPlus:
		if min <= levelUnary {
			return p.sign(t)
		}
	case t.kw == kwNot:
		if min > levelNot {
			panic(query.ErrorAt(span(t), query.CodeSyntax, "expected expression, got %s", p.got(t)).
				WithHint("put NOT and what follows it in parentheses"))
		}
		p.advance()
		e := p.expr(levelNot)
		p.height++
		return &query.Unary{Span: p.since(t.Pos), Op: query.OpNot, Expr: e}
	}
	return p.primary()
}

// sign reads -x or +x. A minus directly before a number is part of it.
func (p *parser) sign(t *Token) query.Expr {
	p.advance()
	number := p.tok().Kind == Number
	e := p.expr(levelUnary)
	if l, ok := e.(*query.Literal); ok && number {
		if t.sub == subMinus {
			l.Value = l.Value.Negate()
		}
		l.Pos = t.Pos
		return l
	}
	op := query.OpNeg
	if t.sub == subPlus {
		op = query.OpPos
	}
	p.height++
	return &query.Unary{Span: p.since(t.Pos), Op: op, Expr: e}
}
