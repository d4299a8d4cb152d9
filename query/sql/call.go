package sql

import (
	"strings"

	"github.com/seed69692123/netdb/query"
)

// call reads what follows the name of a function, from its parenthesis on.
func (p *parser) call(pos int, name []query.Ident) *query.Call {
	p.enter()
	defer p.leave()
	c := &query.Call{Name: name}
	p.expect(subLParen, `"("`)
	switch {
	case p.isSub(subStar):
		p.advance()
		c.Star = true
	case p.isSub(subRParen):
	default:
		if p.acceptKw(kwDistinct) {
			c.Distinct = true
		} else {
			p.acceptKw(kwAll)
		}
		p.args(c)
	}
	if p.isKw(kwOrder) {
		c.OrderBy = p.orderBy()
	}
	p.expect(subRParen, `")"`)
	if p.isKw(kwWithin) && p.kwAt(1, kwGroup) {
		p.advance()
		p.advance()
		p.expect(subLParen, `"("`)
		c.WithinGroup = p.orderBy()
		p.expect(subRParen, `")"`)
	}
	if p.isKw(kwFilter) && p.at(1).sub == subLParen {
		p.advance()
		p.advance()
		p.expectKw(kwWhere)
		c.Filter = p.expr(lowest)
		p.expect(subRParen, `")"`)
	}
	if p.isKw(kwOver) && (p.at(1).sub == subLParen || p.isName(p.at(1))) {
		p.advance()
		c.Over = p.over()
	}
	c.Span = p.since(pos)
	return c
}

func (p *parser) args(c *query.Call) {
	named := false
	for {
		t := p.tok()
		if p.isName(t) && p.at(1).sub == subNamed2 {
			named = true
			name := p.name("a name")
			p.advance()
			e := p.expr(lowest)
			c.Args = append(c.Args, &query.NamedArg{Span: p.since(t.Pos), Name: name, Expr: e})
		} else {
			e := p.expr(lowest)
			if named {
				panic(query.ErrorAt(e.At(), query.CodeSyntax, "an argument without a name follows one with a name"))
			}
			c.Args = append(c.Args, e)
		}
		if !p.comma(subRParen) {
			return
		}
	}
}

// keywordCall reads the calls that SQL writes with words between the arguments,
// and makes plain calls of them.
func (p *parser) keywordCall() query.Expr {
	t := p.tok()
	word, at := t.kw, p.i
	p.advance()
	p.advance()
	c := &query.Call{Name: []query.Ident{{Span: span(t), Name: strings.ToLower(p.text(t))}}}
	switch word {
	case kwExtract:
		c.Name[0].Name = "date_part"
		f := p.tok()
		if f.Kind != Identifier && f.Kind != Keyword && f.Kind != String {
			p.unexpected("expected a part of a time such as year or hour")
		}
		p.advance()
		part := query.Text(strings.ToLower(p.text(f)))
		if f.Kind == String {
			part = p.stringValue(f)
		}
		p.expectKw(kwFrom)
		c.Args = []query.Expr{&query.Literal{Span: span(f), Value: part}, p.expr(lowest)}
	case kwPosition:
		needle := p.expr(levelRange + 1)
		if !p.acceptKw(kwIn) {
			p.i = at
			return p.plainCall()
		}
		c.Name[0].Name = "strpos"
		c.Args = []query.Expr{p.expr(lowest), needle}
	case kwSubstring:
		c.Args = []query.Expr{p.expr(lowest)}
		if !p.isKw(kwFrom) && !p.isKw(kwFor) {
			p.i = at
			return p.plainCall()
		}
		if p.acceptKw(kwFrom) {
			c.Args = append(c.Args, p.expr(lowest))
		} else {
			c.Args = append(c.Args, &query.Literal{Value: query.Int(1)})
		}
		if p.acceptKw(kwFor) {
			c.Args = append(c.Args, p.expr(lowest))
		}
	case kwTrim:
		side := p.tok().kw
		switch side {
		case kwLeading:
			c.Name[0].Name = "ltrim"
		case kwTrailing:
			c.Name[0].Name = "rtrim"
		case kwBoth:
		default:
			side = kwNone
		}
		if side != kwNone {
			p.advance()
		}
		var chars query.Expr
		if !p.isKw(kwFrom) {
			chars = p.expr(lowest)
		}
		if !p.acceptKw(kwFrom) {
			if side != kwNone {
				p.unexpected("expected FROM", "FROM")
			}
			p.i = at
			return p.plainCall()
		}
		c.Args = []query.Expr{p.expr(lowest)}
		if chars != nil {
			c.Args = append(c.Args, chars)
		}
	}
	p.expect(subRParen, `")"`)
	c.Span = p.since(t.Pos)
	return c
}

// plainCall reads a call whose name is the current token.
func (p *parser) plainCall() query.Expr {
	t := p.advance()
	return p.call(t.Pos, []query.Ident{p.ident(t)})
}

// over reads what follows OVER.
func (p *parser) over() *query.Window {
	t := p.tok()
	if !p.isSub(subLParen) {
		name := p.name("the name of a window")
		return &query.Window{Span: span(t), Name: name, Bare: true}
	}
	p.advance()
	w := &query.Window{}
	if p.isName(p.tok()) && !p.startsWindowPart() {
		w.Name = p.name("the name of a window")
	}
	if p.acceptKw(kwPartition) {
		p.expectKw(kwBy)
		w.PartitionBy = p.exprs(subNone)
	}
	if p.isKw(kwOrder) {
		w.OrderBy = p.orderBy()
	}
	if p.isKw(kwRows) || p.isKw(kwRange) || p.isKw(kwGroups) {
		w.Frame = p.frame()
	}
	if !p.isSub(subRParen) {
		p.unexpected(`expected ")"`, "PARTITION BY", "ORDER BY", "ROWS", "RANGE", "GROUPS")
	}
	p.advance()
	w.Span = p.since(t.Pos)
	return w
}

func (p *parser) startsWindowPart() bool {
	switch p.tok().kw {
	case kwPartition:
		return p.kwAt(1, kwBy)
	case kwRows, kwRange, kwGroups:
		return p.at(1).sub != subRParen
	}
	return p.tok().Kind == Identifier && p.at(1).Kind == Keyword && p.kwAt(1, kwBy)
}

func (p *parser) frame() *query.Frame {
	t := p.advance()
	f := &query.Frame{End: query.CurrentRow}
	switch t.kw {
	case kwRange:
		f.Unit = query.FrameRange
	case kwGroups:
		f.Unit = query.FrameGroups
	}
	if p.acceptKw(kwBetween) {
		f.Start, f.StartOffset = p.bound()
		p.expectKw(kwAnd)
		f.End, f.EndOffset = p.bound()
	} else {
		f.Start, f.StartOffset = p.bound()
	}
	if f.Start == query.UnboundedFollowing || f.End == query.UnboundedPreceding || f.Start > f.End {
		panic(query.ErrorAt(p.since(t.Pos), query.CodeWindow, "the frame ends before it begins"))
	}
	if p.acceptKw(kwExclude) {
		switch p.advance().kw {
		case kwNo:
			p.expectKw(kwOthers)
		case kwCurrent:
			p.expectKw(kwRow)
			f.Exclude = query.ExcludeCurrentRow
		case kwGroup:
			f.Exclude = query.ExcludeGroup
		case kwTies:
			f.Exclude = query.ExcludeTies
		default:
			p.i--
			p.unexpected("expected NO OTHERS, CURRENT ROW, GROUP or TIES", "NO", "CURRENT", "GROUP", "TIES")
		}
	}
	f.Span = p.since(t.Pos)
	return f
}

func (p *parser) bound() (query.BoundKind, query.Expr) {
	switch {
	case p.isKw(kwUnbounded):
		p.advance()
		if p.acceptKw(kwPreceding) {
			return query.UnboundedPreceding, nil
		}
		if !p.acceptKw(kwFollowing) {
			p.unexpected("expected PRECEDING or FOLLOWING", "PRECEDING", "FOLLOWING")
		}
		return query.UnboundedFollowing, nil
	case p.isKw(kwCurrent) && p.kwAt(1, kwRow):
		p.advance()
		p.advance()
		return query.CurrentRow, nil
	}
	offset := p.expr(levelOther)
	if p.acceptKw(kwPreceding) {
		return query.Preceding, offset
	}
	if !p.acceptKw(kwFollowing) {
		p.unexpected("expected PRECEDING or FOLLOWING", "PRECEDING", "FOLLOWING")
	}
	return query.Following, offset
}
