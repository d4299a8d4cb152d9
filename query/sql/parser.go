package sql

import (
	"unicode/utf8"

	"github.com/seed69692123/netdb/query"
)

// Limits of a statement. MaxDepth bounds how deep parts may be nested in the
// text, maxHeight how high the tree may grow (a chain of 3,000 ANDs is flat text
// but a high tree), MaxBytes the text itself.
const (
	MaxDepth  = 200
	maxHeight = 4000
	MaxBytes  = 1 << 30
)

// Options change what the parser accepts. The zero value is the language as
// documented.
type Options struct {
	// QuestionMarks accepts ? as a parameter, numbered from 1 in the order of
	// the text. It then cannot be mixed with $n. And it accepts @name for :name.
	// For the database/sql driver.
	QuestionMarks bool
}

// Parse reads one statement; a semicolon may follow it. Every error is a
// *query.Error with its place filled in.
func Parse(src string, opts Options) (query.Stmt, error) {
	var p parser
	var stmt query.Stmt
	err := p.run(src, opts, func() { stmt = p.oneStatement() })
	if err != nil {
		return nil, err
	}
	return stmt, nil
}

// ParseExpr reads an expression with nothing behind it, such as a filter that
// stands alone.
func ParseExpr(src string, opts Options) (query.Expr, error) {
	var p parser
	var e query.Expr
	err := p.run(src, opts, func() {
		e = p.expr(lowest)
		p.end("expected end of expression")
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// parser holds all tokens of a text, so that looking ahead is an index. A
// mistake is a panic with a *query.Error, which run turns into its result:
// nothing else in the package panics.
type parser struct {
	src  string
	opts Options
	toks []Token
	i    int // the current token

	depth  int // of nesting, now
	height int // of the highest tree made since it was last set to 0

	alias     int // index of the last alias that stood without AS, or -1
	questions int
	numbered  bool // $n was seen
	asOf      *query.AsOf
	lexErr    *query.Error
	buf       [64]Token
}

func (p *parser) run(src string, opts Options, parse func()) (err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *query.Error:
			err = e.In(src)
		default:
			panic(e)
		}
	}()
	p.src, p.opts, p.alias = src, opts, -1
	p.scan()
	parse()
	return nil
}

// scan cuts the whole text into tokens. It ends at the first bad one: the parser
// reports what is wrong before it, or it.
func (p *parser) scan() {
	if len(p.src) > MaxBytes {
		panic(query.ErrorAt(query.Span{}, query.CodeTooDeep, "the statement has %d bytes; the limit is %d", len(p.src), MaxBytes))
	}
	if !utf8.ValidString(p.src) {
		at := 0
		for at < len(p.src) {
			r, n := utf8.DecodeRuneInString(p.src[at:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
		panic(query.ErrorAt(query.Span{Pos: at, End: at + 1}, query.CodeSyntax, "the text is not UTF-8: byte 0x%02x", p.src[at]))
	}
	l := lexer{src: p.src}
	p.toks = p.buf[:0]
	for {
		t := l.next()
		p.toks = append(p.toks, t)
		if t.Kind == EOF || t.Kind == Invalid {
			p.lexErr = l.err
			return
		}
	}
}

func (p *parser) tok() *Token { return &p.toks[p.i] }

// at returns the token n places on; behind the last one it is the last one.
func (p *parser) at(n int) *Token { return &p.toks[min(p.i+n, len(p.toks)-1)] }

// advance takes the current token. The last one is never taken.
func (p *parser) advance() *Token {
	t := &p.toks[p.i]
	if p.i < len(p.toks)-1 {
		p.i++
	}
	return t
}

func (p *parser) text(t *Token) string { return p.src[t.Pos:t.End] }

func span(t *Token) query.Span { return query.Span{Pos: t.Pos, End: t.End} }

// since is the span from a place to the end of the last token taken.
func (p *parser) since(pos int) query.Span {
	if p.i == 0 {
		return query.Span{Pos: pos, End: pos}
	}
	return query.Span{Pos: pos, End: p.toks[p.i-1].End}
}

func (p *parser) isKw(k kw) bool   { return p.toks[p.i].kw == k }
func (p *parser) isSub(s sub) bool { return p.toks[p.i].sub == s }

// kwAt reports whether the token n places on is a keyword.
func (p *parser) kwAt(n int, k kw) bool { return p.at(n).kw == k }

func (p *parser) acceptKw(k kw) bool {
	if p.toks[p.i].kw != k {
		return false
	}
	p.advance()
	return true
}

func (p *parser) accept(s sub) bool {
	if p.toks[p.i].sub != s {
		return false
	}
	p.advance()
	return true
}

func (p *parser) expectKw(k kw) *Token {
	if p.toks[p.i].kw != k {
		p.unexpected("expected "+k.String(), k.String())
	}
	return p.advance()
}

func (p *parser) expect(s sub, what string) *Token {
	if p.toks[p.i].sub != s {
		p.unexpected("expected " + what)
	}
	return p.advance()
}

// end wants the end of the text.
func (p *parser) end(msg string) {
	if p.tok().Kind != EOF {
		p.unexpected(msg)
	}
}

// enter counts one level of nesting; leave takes it back.
func (p *parser) enter() {
	p.depth++
	if p.depth > MaxDepth {
		panic(query.ErrorAt(span(p.tok()), query.CodeTooDeep, "the statement is nested deeper than %d levels", MaxDepth))
	}
}

func (p *parser) leave() { p.depth-- }

// grow records that a tree of this height stands at pos.
func (p *parser) grow(height int, at query.Span) int {
	if height > maxHeight {
		panic(query.ErrorAt(at, query.CodeTooDeep, "the statement chains more than %d operators or names", maxHeight).
			WithHint("a long list of alternatives is shorter as IN (…)"))
	}
	return height
}

// isName reports whether a token can be a name: an identifier, a quoted one, or
// a keyword that is not reserved.
func (p *parser) isName(t *Token) bool {
	switch t.Kind {
	case Identifier, QuotedIdent:
		return true
	case Keyword:
		return !t.kw.isReserved()
	}
	return false
}

// name takes a name.
func (p *parser) name(what string) query.Ident {
	if !p.isName(p.tok()) {
		p.unexpected("expected " + what)
	}
	return p.ident(p.advance())
}

// label takes a name that follows a dot or AS, where keywords are names too.
func (p *parser) label(what string) query.Ident {
	switch p.tok().Kind {
	case Identifier, QuotedIdent, Keyword:
		return p.ident(p.advance())
	}
	p.unexpected("expected " + what)
	return query.Ident{}
}

func (p *parser) ident(t *Token) query.Ident {
	if t.Kind != QuotedIdent {
		return query.Ident{Span: span(t), Name: p.text(t)}
	}
	name := undouble(p.src[t.Pos+1:t.End-1], '"')
	if name == "" {
		panic(query.ErrorAt(span(t), query.CodeSyntax, "a name cannot be empty"))
	}
	return query.Ident{Span: span(t), Name: name, Quoted: true}
}

// path takes a name, a.b.c.
func (p *parser) path(what string) []query.Ident {
	parts := []query.Ident{p.name(what)}
	for p.isSub(subDot) {
		p.advance()
		parts = append(parts, p.label("a name after the dot"))
		p.grow(len(parts), parts[0].Span)
	}
	return parts
}

// names takes a list of names in parentheses.
func (p *parser) names(what string) []query.Ident {
	p.expect(subLParen, `"("`)
	var list []query.Ident
	for {
		list = append(list, p.name(what))
		if !p.comma(subRParen) {
			break
		}
	}
	p.expect(subRParen, `")"`)
	return list
}

// comma takes a comma between two entries of a list that ends with close, and
// reports whether another entry follows.
func (p *parser) comma(closing sub) bool {
	if !p.isSub(subComma) {
		return false
	}
	p.advance()
	if closing != subNone && p.isSub(closing) {
		p.trailing()
	}
	return true
}

// trailing reports a comma with nothing behind it.
func (p *parser) trailing() {
	got := p.got(p.tok())
	if p.tok().Kind == Keyword {
		got = p.tok().kw.String()
	}
	panic(query.ErrorAt(span(p.tok()), query.CodeSyntax, "expected expression, got %s", p.got(p.tok())).
		WithHint("remove the trailing comma before %s", got))
}
