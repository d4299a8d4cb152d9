package sql

import (
	"strconv"
	"strings"

	"github.com/seed69692123/netdb/query"
)

// verbs are the words that statements begin with.
var verbs = [...]string{
	"SELECT", "FROM", "WITH", "VALUES", "EXPLAIN", "DESCRIBE", "SUMMARIZE", "SHOW", "SET", "INSERT", "SUBSCRIBE", "CREATE", "DROP",
	"UPDATE", "DELETE",
}

// oneStatement reads a statement, the semicolons behind it, and the end.
func (p *parser) oneStatement() query.Stmt {
	for p.accept(subSemicolon) {
		continue
	}
	if p.tok().Kind == EOF {
		panic(query.ErrorAt(span(p.tok()), query.CodeSyntax, "empty statement"))
	}
	s := p.statement()
	if p.isSub(subSemicolon) {
		for p.accept(subSemicolon) {
			continue
		}
		if p.tok().Kind != EOF {
			panic(query.ErrorAt(span(p.tok()), query.CodeSyntax, "expected one statement, got a second one at %s", p.got(p.tok())))
		}
		return s
	}
	p.end("expected end of statement")
	return s
}

func (p *parser) statement() query.Stmt {
	p.enter()
	defer p.leave()
	t := p.tok()
	if p.startsQuery(0) || t.sub == subLParen {
		return p.query()
	}
	switch t.kw {
	case kwExplain:
		return p.explain()
	case kwDescribe:
		return p.describe()
	case kwSummarize:
		return p.summarize()
	case kwShow:
		return p.show()
	case kwCreate:
		return p.create()
	case kwDrop:
		return p.drop()
	case kwSet:
		return p.set()
	case kwInsert:
		return p.insert()
	case kwSubscribe:
		return p.subscribe()
	case kwUpdate, kwDelete:
		p.refuseChange()
	case kwAlter, kwTruncate, kwMerge:
		panic(query.ErrorAt(span(t), query.CodeUnsupported, "%s is not supported", t.kw).WithHint(made))
	case kwBegin, kwStart, kwCommit, kwRollback:
		panic(query.ErrorAt(span(t), query.CodeUnsupported, "%s is not supported", t.kw).
			WithHint("every query reads at one cut and every INSERT is one batch"))
	}
	p.unexpected("expected a statement", verbs[:]...)
	return nil
}

func (p *parser) explain() query.Stmt {
	t := p.advance()
	e := &query.Explain{}
	e.Analyze = p.acceptKw(kwAnalyze)
	if p.isSub(subLParen) && (p.kwAt(1, kwFormat) || p.kwAt(1, kwAnalyze)) {
		p.advance()
		for {
			if p.acceptKw(kwAnalyze) {
				e.Analyze = true
			} else {
				p.expectKw(kwFormat)
				switch {
				case p.acceptKw(kwJson):
					e.Format = query.ExplainJSON
				case !p.acceptKw(kwText):
					p.unexpected("expected TEXT or JSON", "TEXT", "JSON")
				}
			}
			if !p.accept(subComma) {
				break
			}
		}
		p.expect(subRParen, `")"`)
	}
	if p.isKw(kwExplain) {
		panic(query.ErrorAt(span(p.tok()), query.CodeSyntax, "EXPLAIN cannot explain itself"))
	}
	e.Stmt = p.statement()
	e.Span = p.since(t.Pos)
	return e
}

func (p *parser) describe() query.Stmt {
	t := p.advance()
	d := &query.Describe{}
	d.Table, d.Query = p.tableOrQuery()
	d.Span = p.since(t.Pos)
	return d
}

func (p *parser) set() query.Stmt {
	t := p.advance()
	s := &query.Set{}
	if p.isKw(kwTime) && p.kwAt(1, kwZone) {
		at := p.advance()
		p.advance()
		s.Name = query.Ident{Span: p.since(at.Pos), Name: "timezone"}
	} else {
		s.Name = p.name("a setting")
		if !p.acceptKw(kwTo) {
			p.expect(subEq, `"=" or TO`)
		}
	}
	s.Value = p.expr(lowest)
	s.Span = p.since(t.Pos)
	return s
}

func (p *parser) insert() query.Stmt {
	t := p.advance()
	p.expectKw(kwInto)
	s := &query.Insert{}
	at := p.tok()
	if at.Kind == String {
		p.namesAreDouble(at)
	}
	s.Table = &query.TableName{Parts: p.path("the name of a log")}
	s.Table.Span = p.since(at.Pos)
	if p.isSub(subLParen) && !p.startsQuery(1) && p.at(1).sub != subLParen {
		p.advance()
		for {
			at := p.tok()
			n := &query.Name{Parts: p.path("a path")}
			n.Span = p.since(at.Pos)
			s.Columns = append(s.Columns, n)
			if !p.comma(subRParen) {
				break
			}
		}
		p.expect(subRParen, `")"`)
	}
	if !p.startsQuery(0) && !p.isSub(subLParen) {
		p.unexpected("expected VALUES or a query", "VALUES", "SELECT", "FROM", "WITH")
	}
	s.Source = p.query()
	p.checkRows(s)
	if p.acceptKw(kwReturning) {
		s.Returning = p.items()
	}
	if p.isKw(kwOn) {
		panic(query.ErrorAt(span(p.tok()), query.CodeUnsupported, "ON CONFLICT is not supported").WithHint("a log keeps every event; nothing conflicts"))
	}
	s.Span = p.since(t.Pos)
	return s
}

// checkRows compares the number of columns with that of VALUES.
func (p *parser) checkRows(s *query.Insert) {
	v, ok := s.Source.Body.(*query.ValuesList)
	if !ok || s.Columns == nil || len(v.Rows[0].Items) == len(s.Columns) {
		return
	}
	panic(query.ErrorAt(v.Rows[0].Span, query.CodeSyntax, "INSERT names %d columns and gives %d values", len(s.Columns), len(v.Rows[0].Items)))
}

func (p *parser) subscribe() query.Stmt {
	t := p.advance()
	s := &query.Subscribe{}
	queryAt := func(n int) bool { return p.startsQuery(n) || p.at(n).sub == subLParen }
	switch {
	case p.isKw(kwFrom) && p.kwAt(1, kwStart) && queryAt(2):
		p.i += 2
		s.From = query.SubscribeStart
	case p.isKw(kwFrom) && p.kwAt(1, kwSeq) && (p.at(2).Kind == Number || p.at(2).Kind == Parameter):
		p.i += 2
		s.From = query.SubscribeSeq
		s.Seq = p.expr(levelOther)
	case p.isKw(kwWith) && p.kwAt(1, kwSnapshot) && queryAt(2) && !(p.at(2).sub == subLParen && !p.startsQuery(3)):
		p.i += 2
		s.From = query.SubscribeSnapshot
	}
	if !queryAt(0) {
		p.unexpected("expected a query", "SELECT", "FROM", "WITH")
	}
	s.Query = p.query()
	s.Span = p.since(t.Pos)
	return s
}

// refuseChange reads UPDATE or DELETE as far as it can and says which event to
// append instead.
func (p *parser) refuseChange() {
	t := p.advance()
	e := query.ErrorAt(span(t), query.CodeUnsupported, "%s is not possible: events are never changed or removed", t.kw)
	del := t.kw == kwDelete
	if del {
		p.expectKw(kwFrom)
	}
	table := &query.TableName{Parts: p.path("a table")}
	if !p.isKw(kwSet) {
		p.tableAlias()
	}
	var fields []string // of the event, as JSON
	add := func(n *query.Name, v query.Expr) {
		value := "…" // an event holds values, not what they are computed from
		switch v := v.(type) {
		case *query.Literal:
			if value = v.Value.String(); v.Value.Kind() == query.KindText {
				value = strconv.Quote(value)
			}
		case *query.Param:
			value = v.String()
		}
		fields = append(fields, strconv.Quote(n.String())+": "+value)
	}
	var set []func()
	if !del {
		p.expectKw(kwSet)
		for {
			at := p.tok()
			n := &query.Name{Parts: p.path("a column")}
			n.Span = p.since(at.Pos)
			p.expect(subEq, `"="`)
			v := p.expr(lowest)
			set = append(set, func() { add(n, v) })
			if !p.comma(subNone) {
				break
			}
		}
	}
	if p.acceptKw(kwWhere) {
		keys(p.expr(lowest), add)
	}
	for _, f := range set {
		f()
	}
	if del {
		fields = append(fields, `"deleted": true`)
	}
	panic(e.WithHint("append an event to %s that says so: {%s}", table, strings.Join(fields, ", ")))
}

// keys calls add for every column = literal that a condition demands.
func keys(e query.Expr, add func(*query.Name, query.Expr)) {
	b, ok := e.(*query.Binary)
	if !ok {
		return
	}
	switch b.Op {
	case query.OpAnd:
		keys(b.L, add)
		keys(b.R, add)
	case query.OpEq:
		n, isName := b.L.(*query.Name)
		switch b.R.(type) {
		case *query.Literal, *query.Param:
			if isName {
				add(n, b.R)
			}
		}
	}
}
