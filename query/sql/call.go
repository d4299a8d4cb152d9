package sql

import (
	"strings"

	"github.com/seed69692123/netdb/query"
)

// call reads what follows the name of a function, from its parenthesis on.
func (p *parser) call(pos int, name []query.Ident) *query.Call {
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
	return p.endCall(c, pos)
}

// endCall reads what follows the arguments of a call.
func (p *parser) endCall(c *query.Call, pos int) *query.Call {
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
// and makes plain calls of them. Nothing is read twice: what turns out to be a
// plain call goes on from its first argument.
func (p *parser) keywordCall() query.Expr {
	t := p.advance()
	p.advance()
	c := &query.Call{Name: []query.Ident{p.ident(t)}}
	rename := func(name string) { c.Name[0].Name = name }
	switch t.kw {
	case kwExtract:
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
		rename("date_part")
		c.Args = []query.Expr{&query.Literal{Span: span(f), Value: part}, p.expr(lowest)}
	case kwPosition:
		if p.isSub(subRParen) {
			break
		}
		needle := p.expr(levelRange + 1)
		if !p.acceptKw(kwIn) {
			return p.plainCall(c, needle, t.Pos)
		}
		rename("strpos")
		c.Args = []query.Expr{p.expr(lowest), needle}
	case kwSubstring:
		if p.isSub(subRParen) {
			break
		}
		text := p.expr(lowest)
		if !p.isKw(kwFrom) && !p.isKw(kwFor) {
			return p.plainCall(c, text, t.Pos)
		}
		var from query.Expr = &query.Literal{Span: text.At(), Value: query.Int(1)}
		if p.acceptKw(kwFrom) {
			from = p.expr(lowest)
		}
		rename("substring")
		c.Args = []query.Expr{text, from}
		if p.acceptKw(kwFor) {
			c.Args = append(c.Args, p.expr(lowest))
		}
	case kwTrim:
		if p.isSub(subRParen) {
			break
		}
		side := p.tok().kw
		if side == kwLeading || side == kwTrailing || side == kwBoth {
			p.advance()
		} else {
			side = kwNone
		}
		var chars query.Expr
		if !p.isKw(kwFrom) {
			chars = p.expr(lowest)
		}
		if !p.acceptKw(kwFrom) {
			if side != kwNone {
				p.unexpected("expected FROM", "FROM")
			}
			return p.plainCall(c, chars, t.Pos)
		}
		switch rename("trim"); side {
		case kwLeading:
			rename("ltrim")
		case kwTrailing:
			rename("rtrim")
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

// plainCall goes on with a call whose first argument is read.
func (p *parser) plainCall(c *query.Call, first query.Expr, pos int) query.Expr {
	c.Args = []query.Expr{first}
	if p.comma(subRParen) {
		p.args(c)
	}
	return p.endCall(c, pos)
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
