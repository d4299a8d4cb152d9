package sql

import "github.com/seed69692123/netdb/query"

// made says how what SQL does not define comes to be.
const made = "logs and folds are made and removed by the program; SQL makes views and indexes"

// tableName takes the name of a table, without an alias.
func (p *parser) tableName(what string) *query.TableName {
	at := p.tok()
	if at.Kind == String {
		p.namesAreDouble(at)
	}
	t := &query.TableName{Parts: p.path(what)}
	t.Span = p.since(at.Pos)
	return t
}

// tableOrQuery takes what DESCRIBE and SUMMARIZE look at.
func (p *parser) tableOrQuery() (*query.TableName, *query.Query) {
	if p.startsQuery(0) || p.isSub(subLParen) {
		return nil, p.query()
	}
	return p.tableName("a table or a query"), nil
}

func (p *parser) summarize() query.Stmt {
	t := p.advance()
	s := &query.Summarize{}
	s.Table, s.Query = p.tableOrQuery()
	s.Span = p.since(t.Pos)
	return s
}

// show reads SHOW. SHOW COLUMNS FROM t is DESCRIBE t.
func (p *parser) show() query.Stmt {
	t := p.advance()
	switch {
	case p.isKw(kwColumns) && p.kwAt(1, kwFrom):
		p.i += 2
		d := &query.Describe{Table: p.tableName("a table")}
		d.Span = p.since(t.Pos)
		return d
	case p.isKw(kwCreate) && p.kwAt(1, kwView):
		p.i += 2
		s := &query.ShowCreate{Name: p.tableName("the name of a view")}
		s.Span = p.since(t.Pos)
		return s
	}
	n := p.name("what to show")
	return &query.Show{Span: p.since(t.Pos), What: n}
}

// exists takes IF NOT EXISTS, or IF EXISTS.
func (p *parser) exists(not bool) bool {
	if !p.isKw(kwIf) || !p.kwAt(1, kwNot) && !p.kwAt(1, kwExists) {
		return false
	}
	p.advance()
	if not {
		p.expectKw(kwNot)
	}
	p.expectKw(kwExists)
	return true
}

func (p *parser) create() query.Stmt {
	t := p.advance()
	replace := false
	if p.acceptKw(kwOr) {
		p.expectKw(kwReplace)
		replace = true
	}
	switch {
	case p.acceptKw(kwView):
		v := &query.CreateView{Replace: replace, IfNotExists: p.exists(true)}
		if replace && v.IfNotExists {
			panic(query.ErrorAt(p.since(t.Pos), query.CodeSyntax, "a view is made anew with OR REPLACE, or kept with IF NOT EXISTS"))
		}
		v.Name = p.tableName("the name of a view")
		if p.isSub(subLParen) {
			v.Columns = p.names("the name of a column")
		}
		p.expectKw(kwAs)
		if !p.startsQuery(0) && !p.isSub(subLParen) {
			p.unexpected("expected a query", "SELECT", "FROM", "WITH", "VALUES")
		}
		v.Query = p.query()
		v.Span = p.since(t.Pos)
		return v
	case !replace && p.acceptKw(kwIndex):
		x := &query.CreateIndex{IfNotExists: p.exists(true)}
		if !p.isKw(kwOn) {
			x.Name = p.name("the name of an index, or ON")
		}
		p.expectKw(kwOn)
		x.Table = p.tableName("the name of a log")
		p.expect(subLParen, `"("`)
		at := p.tok()
		x.Path = &query.Name{Parts: p.path("a path")}
		x.Path.Span = p.since(at.Pos)
		if p.isSub(subComma) {
			panic(query.ErrorAt(span(p.tok()), query.CodeUnsupported, "an index is of one path").
				WithHint("make one index for each: a query uses the best"))
		}
		p.expect(subRParen, `")"`)
		x.Span = p.since(t.Pos)
		return x
	}
	p.refuseOther(t)
	return nil
}

func (p *parser) drop() query.Stmt {
	t := p.advance()
	d := &query.Drop{}
	what := "the name of a view"
	switch {
	case p.acceptKw(kwView):
	case p.acceptKw(kwIndex):
		d.Kind, what = query.DropIndex, "the name of an index"
	default:
		p.refuseOther(t)
	}
	d.IfExists = p.exists(false)
	d.Name = p.tableName(what)
	d.Span = p.since(t.Pos)
	return d
}

// refuseOther ends a CREATE or DROP of something else than a view or an index.
func (p *parser) refuseOther(t *Token) {
	if at := p.tok(); at.Kind != Keyword && at.Kind != Identifier {
		p.unexpected("expected VIEW or INDEX", "VIEW", "INDEX")
	}
	panic(query.ErrorAt(p.since(t.Pos).To(span(p.tok())), query.CodeUnsupported, "%s %s is not supported", t.kw, p.text(p.tok())).WithHint(made))
}
