package sql

import "github.com/seed69692123/netdb/query"

// startsQuery reports whether a query begins n tokens on. A parenthesis does not
// count: what is inside decides.
func (p *parser) startsQuery(n int) bool {
	switch t := p.at(n); t.kw {
	case kwSelect, kwFrom, kwWith:
		return true
	case kwValues:
		return p.at(n+1).sub == subLParen
	}
	return false
}

// continuesQuery reports whether the current token goes on with a query whose
// first part stood in parentheses.
func (p *parser) continuesQuery() bool {
	switch p.tok().kw {
	case kwUnion, kwIntersect, kwExcept, kwOrder, kwLimit, kwOffset, kwFetch:
		return true
	}
	return false
}

// query reads a whole query, WITH included.
func (p *parser) query() *query.Query {
	t := p.tok()
	var with *query.With
	p.enter()
	defer p.leave()
	if p.isKw(kwWith) {
		with = p.with()
	}
	return p.queryFrom(with, nil, t.Pos)
}

// queryFrom reads a query behind its WITH; left, if set, is its first operand,
// already read.
func (p *parser) queryFrom(with *query.With, left query.Body, pos int) *query.Query {
	outer := p.asOf
	p.asOf = nil
	q := &query.Query{With: with}
	if left == nil {
		left = p.queryTerm()
	}
	q.Body = p.setOps(left, 1)
	if p.isKw(kwOrder) {
		q.OrderBy = p.orderBy()
	}
	p.limit(q)
	p.maybeAsOf()
	q.AsOf = p.asOf
	p.asOf = outer
	q.Span = p.since(pos)
	return q
}

// asBody is a query in parentheses as an operand: what it holds, when it has
// neither order, limit nor WITH of its own.
func asBody(q *query.Query) query.Body {
	if q.With == nil && q.OrderBy == nil && q.Limit == nil && q.Offset == nil && q.AsOf == nil {
		return q.Body
	}
	return q
}

func setPrecedence(k kw) (int, query.SetKind) {
	switch k {
	case kwUnion:
		return 1, query.Union
	case kwExcept:
		return 1, query.Except
	case kwIntersect:
		return 2, query.Intersect
	}
	return 0, 0
}

// setOps reads UNION, EXCEPT and INTERSECT of at least a precedence.
func (p *parser) setOps(left query.Body, min int) query.Body {
	height := 0
	for {
		prec, kind := setPrecedence(p.tok().kw)
		if prec == 0 || prec < min {
			return left
		}
		p.advance()
		op := &query.SetOp{Kind: kind, L: left, All: p.acceptKw(kwAll)}
		if !op.All {
			p.acceptKw(kwDistinct)
		}
		if p.isKw(kwBy) {
			panic(query.ErrorAt(span(p.tok()), query.CodeUnsupported, "BY NAME is not supported").WithHint("name the columns in the same order"))
		}
		op.R = p.setOps(p.queryTerm(), prec+1)
		op.Span = query.Span{Pos: left.At().Pos, End: p.since(0).End}
		left = op
		height++
		p.grow(p.height+height, op.Span)
		p.height++
	}
}

// queryTerm reads one operand of a set operation.
func (p *parser) queryTerm() query.Body {
	t := p.tok()
	switch {
	case t.kw == kwSelect || t.kw == kwFrom:
		return p.block()
	case t.kw == kwValues && p.at(1).sub == subLParen:
		return p.values()
	case t.sub == subLParen:
		p.advance()
		p.enter()
		defer p.leave()
		if p.isKw(kwWith) {
			q := p.query()
			p.expect(subRParen, `")"`)
			return asBody(q)
		}
		q := p.queryFrom(nil, nil, p.tok().Pos)
		p.expect(subRParen, `")"`)
		return asBody(q)
	}
	p.unexpected("expected a query", "SELECT", "FROM", "VALUES", "WITH")
	return nil
}

func (p *parser) values() query.Body {
	t := p.advance()
	v := &query.ValuesList{}
	for {
		open := p.tok()
		p.expect(subLParen, `"("`)
		row := &query.Tuple{Items: p.exprs(subRParen)}
		p.expect(subRParen, `")"`)
		row.Span = p.since(open.Pos)
		if len(v.Rows) > 0 && len(row.Items) != len(v.Rows[0].Items) {
			panic(query.ErrorAt(row.Span, query.CodeSyntax, "row %d of VALUES has %d columns, the first has %d",
				len(v.Rows)+1, len(row.Items), len(v.Rows[0].Items)))
		}
		v.Rows = append(v.Rows, row)
		if !p.isSub(subComma) {
			break
		}
		p.advance()
	}
	v.Span = p.since(t.Pos)
	return v
}

func (p *parser) with() *query.With {
	t := p.advance()
	w := &query.With{Recursive: p.isKw(kwRecursive) && p.isName(p.at(1))}
	if w.Recursive {
		p.advance()
	}
	for {
		at := p.tok()
		c := &query.CTE{Name: p.name("a name after WITH")}
		if p.isSub(subLParen) {
			c.Columns = p.names("a column name")
		}
		p.expectKw(kwAs)
		switch {
		case p.isKw(kwNot) && p.kwAt(1, kwMaterialized):
			p.advance()
			p.advance()
			c.Materialize = query.MaterializeNever
		case p.isKw(kwMaterialized):
			p.advance()
			c.Materialize = query.MaterializeAlways
		}
		p.expect(subLParen, `"("`)
		c.Query = p.query()
		p.expect(subRParen, `")"`)
		c.Span = p.since(at.Pos)
		w.Tables = append(w.Tables, c)
		if !p.comma(subNone) {
			break
		}
	}
	w.Span = p.since(t.Pos)
	return w
}

// block reads SELECT …, or FROM … [SELECT …] ….
func (p *parser) block() *query.Block {
	t := p.tok()
	b := &query.Block{}
	if p.isKw(kwFrom) {
		p.from(b)
	}
	if p.isKw(kwSelect) {
		p.advance()
		p.selectList(b)
	} else {
		star := &query.Star{Span: query.Span{Pos: t.Pos, End: t.Pos}}
		b.Items = []*query.Item{{Span: star.Span, Expr: star}}
	}
	if b.From == nil && p.isKw(kwFrom) {
		p.from(b)
	}
	if p.acceptKw(kwWhere) {
		b.Where = p.expr(lowest)
	}
	if p.isKw(kwGroup) {
		p.groupBy(b)
	}
	if p.acceptKw(kwHaving) {
		b.Having = p.expr(lowest)
	}
	if p.acceptKw(kwWindow) {
		p.windows(b)
	}
	if p.acceptKw(kwQualify) {
		b.Qualify = p.expr(lowest)
	}
	if b.Windows == nil && p.acceptKw(kwWindow) {
		p.windows(b)
	}
	b.Span = p.since(t.Pos)
	return b
}

func (p *parser) windows(b *query.Block) {
	for {
		t := p.tok()
		w := &query.NamedWindow{Name: p.name("the name of a window")}
		p.expectKw(kwAs)
		if !p.isSub(subLParen) {
			p.unexpected(`expected "("`)
		}
		w.Window = p.over()
		w.Span = p.since(t.Pos)
		b.Windows = append(b.Windows, w)
		if !p.comma(subNone) {
			return
		}
	}
}

func (p *parser) groupBy(b *query.Block) {
	p.advance()
	p.expectKw(kwBy)
	if p.isKw(kwAll) {
		p.advance()
		b.GroupByAll = true
		return
	}
	switch t := p.tok(); {
	case (t.kw == kwRollup || t.kw == kwCube) && p.at(1).sub == subLParen, t.kw == kwGrouping && p.kwAt(1, kwSets):
		panic(query.ErrorAt(span(t), query.CodeUnsupported, "%s is not supported", t.kw).WithHint("join several queries with UNION ALL"))
	}
	b.GroupBy = p.exprs(subNone)
}

func (p *parser) selectList(b *query.Block) {
	if p.acceptKw(kwDistinct) {
		b.Distinct = true
		if p.acceptKw(kwOn) {
			p.expect(subLParen, `"("`)
			b.DistinctOn = p.exprs(subRParen)
			p.expect(subRParen, `")"`)
		}
	} else {
		p.acceptKw(kwAll)
	}
	b.Items = p.items()
}

// items reads a select list.
func (p *parser) items() []*query.Item {
	list := make([]*query.Item, 0, 4)
	for {
		list = append(list, p.item())
		if !p.isSub(subComma) {
			return list
		}
		p.advance()
		if p.tok().Kind == EOF || p.isSub(subSemicolon) || p.isSub(subRParen) {
			p.trailing()
		}
	}
}

func (p *parser) item() *query.Item {
	t := p.tok()
	it := &query.Item{}
	if star := p.star(); star != nil {
		it.Expr = star
		it.Span = star.Span
		return it
	}
	it.Expr = p.expr(lowest)
	switch {
	case p.isKw(kwAs) && !(p.kwAt(1, kwOf) && (p.kwAt(2, kwTimestamp) || p.kwAt(2, kwSeq))):
		p.advance()
		if p.tok().Kind == String {
			p.namesAreDouble(p.tok())
		}
		it.Alias = p.label("a name after AS")
	case p.isName(p.tok()):
		p.alias = p.i
		it.Alias = p.name("a name")
	}
	it.Span = p.since(t.Pos)
	return it
}

// namesAreDouble reports a string where a name belongs.
func (p *parser) namesAreDouble(t *Token) {
	panic(query.ErrorAt(span(t), query.CodeSyntax, "expected a name, got %s", p.got(t)).
		WithHint("names go between double quotes: %s", query.AppendQuotedIdent(nil, p.stringValue(t).Text())))
}

// star reads * or t.*, nil when neither stands here.
func (p *parser) star() *query.Star {
	n := 0
	for p.isName(p.at(n)) && p.at(n+1).sub == subDot {
		n += 2
	}
	if p.at(n).sub != subStar {
		return nil
	}
	t := p.tok()
	s := &query.Star{}
	for range n / 2 {
		s.Table = append(s.Table, p.ident(p.advance()))
		p.advance()
	}
	p.advance()
	if p.acceptKw(kwExclude) {
		if p.isSub(subLParen) {
			s.Exclude = p.names("a column name")
		} else {
			s.Exclude = []query.Ident{p.name("a column name")}
		}
	}
	s.Span = p.since(t.Pos)
	return s
}

// orderBy reads ORDER BY and its keys.
func (p *parser) orderBy() []*query.Order {
	p.expectKw(kwOrder)
	p.expectKw(kwBy)
	var list []*query.Order
	for {
		t := p.tok()
		o := &query.Order{Expr: p.expr(lowest)}
		if p.acceptKw(kwDesc) {
			o.Desc = true
		} else {
			p.acceptKw(kwAsc)
		}
		if p.acceptKw(kwNulls) {
			switch {
			case p.acceptKw(kwFirst):
				o.Nulls = query.NullsFirst
			case p.acceptKw(kwLast):
				o.Nulls = query.NullsLast
			default:
				p.unexpected("expected FIRST or LAST", "FIRST", "LAST")
			}
		}
		o.Span = p.since(t.Pos)
		list = append(list, o)
		if !p.comma(subNone) {
			return list
		}
	}
}

// limit reads LIMIT, OFFSET and FETCH, in any order.
func (p *parser) limit(q *query.Query) {
	limited := false
	for {
		t := p.tok()
		switch t.kw {
		case kwLimit, kwFetch:
			if limited {
				panic(query.ErrorAt(span(t), query.CodeSyntax, "the limit is given twice"))
			}
			limited = true
			p.advance()
			if t.kw == kwFetch {
				q.Limit = p.fetch()
				continue
			}
			if p.acceptKw(kwAll) {
				continue
			}
			q.Limit = p.expr(lowest)
			if l, ok := q.Limit.(*query.Literal); ok && l.Value.IsNull() {
				q.Limit = nil
			}
			if p.isSub(subComma) && q.Limit != nil {
				first := q.Limit
				p.advance()
				second := p.expr(lowest)
				panic(query.ErrorAt(p.since(t.Pos), query.CodeSyntax, "LIMIT has one number").
					WithHint("write LIMIT %s OFFSET %s", second, first))
			}
		case kwOffset:
			if q.Offset != nil {
				panic(query.ErrorAt(span(t), query.CodeSyntax, "the offset is given twice"))
			}
			p.advance()
			q.Offset = p.expr(lowest)
			if p.isKw(kwRow) || p.isKw(kwRows) {
				p.advance()
			}
		default:
			return
		}
	}
}

// fetch reads FIRST n ROWS ONLY.
func (p *parser) fetch() query.Expr {
	if !p.acceptKw(kwFirst) && !p.acceptKw(kwNext) {
		p.unexpected("expected FIRST or NEXT", "FIRST", "NEXT")
	}
	var n query.Expr = &query.Literal{Value: query.Int(1)}
	if !p.isKw(kwRow) && !p.isKw(kwRows) {
		n = p.expr(levelOther)
	}
	if !p.acceptKw(kwRow) && !p.acceptKw(kwRows) {
		p.unexpected("expected ROWS", "ROWS", "ROW")
	}
	p.expectKw(kwOnly)
	return n
}

// maybeAsOf reads AS OF TIMESTAMP t or AS OF SEQ n. It belongs to the innermost
// whole query around it.
func (p *parser) maybeAsOf() {
	if !p.isKw(kwAs) || !p.kwAt(1, kwOf) {
		return
	}
	t := p.advance()
	p.advance()
	a := &query.AsOf{}
	switch {
	case p.acceptKw(kwTimestamp) || p.acceptKw(kwTimestamptz):
		if p.tok().Kind == String {
			p.i-- // the literal TIMESTAMP '…'
		}
	case p.acceptKw(kwSeq):
		a.Kind = query.AsOfSeq
	default:
		p.unexpected("expected TIMESTAMP or SEQ after AS OF", "TIMESTAMP", "SEQ")
	}
	a.Expr = p.expr(levelOther)
	a.Span = p.since(t.Pos)
	if p.asOf != nil {
		panic(query.ErrorAt(a.Span, query.CodeSyntax, "AS OF is given twice").WithHint("a query has one cut: all its tables are read at it"))
	}
	p.asOf = a
}
