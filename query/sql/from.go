package sql

import "github.com/seed69692123/netdb/query"

// from reads FROM and its entries, and the AS OF behind them.
func (p *parser) from(b *query.Block) {
	p.advance()
	for {
		b.From = append(b.From, p.tableRef())
		if !p.isSub(subComma) {
			break
		}
		p.advance()
	}
	p.maybeAsOf()
}

// tableRef reads a table and what is joined to it.
func (p *parser) tableRef() query.TableRef {
	p.enter()
	defer p.leave()
	left := p.tableFactor()
	height := p.height
	for {
		j, conditional := p.joinHead()
		if j == nil {
			p.height = max(p.height, height)
			return left
		}
		j.L = left
		j.R = p.tableFactor()
		if conditional {
			switch {
			case p.acceptKw(kwOn):
				j.On = p.expr(lowest)
			case p.acceptKw(kwUsing):
				j.Using = p.names("a column name")
			default:
				p.unexpected("expected ON or USING", "ON", "USING")
			}
		}
		j.Span = query.Span{Pos: left.At().Pos, End: p.since(0).End}
		left = j
		height = p.grow(max(height, p.height)+1, j.Span)
	}
}

// joinHead reads the words up to JOIN, nil when no join follows, and says whether
// a condition must.
func (p *parser) joinHead() (*query.Join, bool) {
	j := &query.Join{}
	n := 0
	if p.kwAt(n, kwNatural) {
		j.Natural = true
		n++
	}
	if p.kwAt(n, kwAsof) {
		j.Asof = true
		n++
	}
	switch p.at(n).kw {
	case kwInner:
		n++
	case kwLeft:
		j.Kind = query.JoinLeft
		n++
	case kwRight:
		j.Kind = query.JoinRight
		n++
	case kwFull:
		j.Kind = query.JoinFull
		n++
	case kwCross:
		j.Kind = query.JoinCross
		n++
	case kwSemi:
		j.Kind = query.JoinSemi
		n++
	case kwAnti:
		j.Kind = query.JoinAnti
		n++
	}
	switch j.Kind {
	case query.JoinLeft, query.JoinRight, query.JoinFull:
		if p.kwAt(n, kwOuter) {
			n++
		}
	}
	if !p.kwAt(n, kwJoin) {
		if n > 0 && (p.tok().Kind == Keyword && p.tok().kw.isReserved()) {
			p.i += n
			p.unexpected("expected JOIN", "JOIN")
		}
		return nil, false
	}
	p.i += n + 1
	if j.Kind == query.JoinCross && (j.Asof || j.Natural) {
		panic(query.ErrorAt(p.since(p.toks[p.i-1].Pos), query.CodeSyntax, "a cross join has no condition"))
	}
	return j, j.Kind != query.JoinCross && !j.Natural
}

// tableFactor reads one table: a name, a function, a query, or a join in
// parentheses.
func (p *parser) tableFactor() query.TableRef {
	t := p.tok()
	lateral := p.acceptKw(kwLateral)
	switch {
	case p.isSub(subLParen):
		if p.startsQuery(1) {
			p.advance()
			return p.tableQuery(t, lateral, p.query())
		}
		if !lateral {
			return p.tableParens()
		}
	case p.tok().Kind == String:
		p.namesAreDouble(p.tok())
	case !p.isName(p.tok()):
		p.unexpected("expected a table", "SELECT", "LATERAL")
	}
	start := p.tok()
	parts := p.path("a table")
	if p.isSub(subLParen) {
		f := &query.TableFunc{Lateral: lateral, Call: p.call(start.Pos, parts)}
		f.Alias = p.tableAlias()
		f.Span = p.since(t.Pos)
		return f
	}
	if lateral {
		p.unexpected("expected a query or a function after LATERAL")
	}
	n := &query.TableName{Parts: parts}
	n.Alias = p.tableAlias()
	n.Span = p.since(t.Pos)
	return n
}

// tableQuery ends a query in FROM, whose text is read up to its parenthesis.
func (p *parser) tableQuery(open *Token, lateral bool, q *query.Query) query.TableRef {
	p.expect(subRParen, `")"`)
	f := &query.TableQuery{Lateral: lateral, Query: q}
	f.Alias = p.tableAlias()
	f.Span = p.since(open.Pos)
	return f
}

// tableParens reads (a JOIN b …), or a query whose first operand is in
// parentheses too.
func (p *parser) tableParens() query.TableRef {
	open := p.advance()
	inner := p.tok()
	ref := p.tableRef()
	if q, ok := ref.(*query.TableQuery); ok && q.Alias == nil && inner.sub == subLParen {
		if p.continuesQuery() {
			return p.tableQuery(open, false, p.queryFrom(nil, asBody(q.Query), inner.Pos))
		}
		p.expect(subRParen, `")"`)
		q.Alias = p.tableAlias()
		q.Span = p.since(open.Pos)
		return q
	}
	p.expect(subRParen, `")"`)
	if a := p.tableAlias(); a != nil {
		panic(query.ErrorAt(a.Span, query.CodeUnsupported, "a join in parentheses has no name of its own").
			WithHint("name the tables inside, or write (SELECT * FROM …) AS %s", query.QuoteIdent(a.Name.Name)))
	}
	return ref
}

// tableAlias reads [AS] name [(columns)], nil when there is none.
func (p *parser) tableAlias() *query.Alias {
	t := p.tok()
	switch {
	case p.isKw(kwAs):
		if p.kwAt(1, kwOf) && (p.kwAt(2, kwTimestamp) || p.kwAt(2, kwTimestamptz) || p.kwAt(2, kwSeq) || !p.aliasEnds(2)) {
			return nil
		}
		p.advance()
		if p.tok().Kind == String {
			p.namesAreDouble(p.tok())
		}
	case !p.isName(t):
		return nil
	case t.kw == kwAsof || t.kw == kwSemi || t.kw == kwAnti:
		for n := 1; n < 4; n++ {
			if p.kwAt(n, kwJoin) {
				return nil
			}
		}
		p.alias = p.i
	default:
		p.alias = p.i
	}
	a := &query.Alias{Name: p.name("a name after AS")}
	if p.isSub(subLParen) {
		a.Columns = p.names("a column name")
	}
	a.Span = p.since(t.Pos)
	return a
}

// aliasEnds reports whether the token n places on can follow a table's alias, so
// that AS OF before it names an alias "of".
func (p *parser) aliasEnds(n int) bool {
	t := p.at(n)
	switch t.Kind {
	case EOF, Punctuation:
		return true
	case Keyword:
		return t.kw.isReserved()
	}
	return false
}
