package sql

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed69692123/netdb/query"
)

// lexer cuts text into tokens. It keeps the first error; the token at fault is
// Invalid and the lexer goes on behind it.
type lexer struct {
	src      string
	pos      int
	comments bool // give comments as tokens
	err      *query.Error
}

func (l *lexer) fail(pos, end int, format string, args ...any) *query.Error {
	e := query.ErrorAt(query.Span{Pos: pos, End: end}, query.CodeSyntax, format, args...)
	if l.err == nil {
		l.err = e
	}
	return e
}

func (l *lexer) peek(i int) byte {
	if l.pos+i < len(l.src) {
		return l.src[l.pos+i]
	}
	return 0
}

// next returns the next token, and EOF again and again at the end.
func (l *lexer) next() Token {
	for l.pos < len(l.src) {
		start := l.pos
		switch c := l.src[l.pos]; c {
		case ' ', '\t', '\n', '\r', '\f', '\v':
			l.pos++
			continue
		case '-':
			if l.peek(1) != '-' {
				return l.operator()
			}
			if i := strings.IndexByte(l.src[l.pos:], '\n'); i >= 0 {
				l.pos += i
			} else {
				l.pos = len(l.src)
			}
		case '/':
			if l.peek(1) != '*' {
				return l.operator()
			}
			if !l.blockComment() {
				l.fail(start, start+2, "comment is not closed").WithHint("add a closing */")
				return Token{Kind: Invalid, Pos: start, End: l.pos}
			}
		default:
			return l.token(c)
		}
		if l.comments {
			return Token{Kind: Comment, Pos: start, End: l.pos}
		}
	}
	return Token{Kind: EOF, Pos: len(l.src), End: len(l.src)}
}

// blockComment skips a comment that may hold others, and reports whether it
// ends.
func (l *lexer) blockComment() bool {
	depth := 0
	for l.pos < len(l.src) {
		switch {
		case l.peek(0) == '/' && l.peek(1) == '*':
			depth++
			l.pos += 2
		case l.peek(0) == '*' && l.peek(1) == '/':
			depth--
			l.pos += 2
			if depth == 0 {
				return true
			}
		default:
			l.pos++
		}
	}
	return false
}

func (l *lexer) token(c byte) Token {
	start := l.pos
	switch {
	case c == '\'':
		return l.quoted(start, '\'', String, subPlain)
	case c == '"':
		return l.quoted(start, '"', QuotedIdent, subNone)
	case (c == 'E' || c == 'e') && l.peek(1) == '\'':
		l.pos++
		return l.quoted(start, '\'', String, subEscapes)
	case (c == 'X' || c == 'x') && l.peek(1) == '\'':
		l.pos++
		return l.quoted(start, '\'', String, subHex)
	case isLetter(c), c >= utf8.RuneSelf:
		return l.word()
	case isDigit(c), c == '.' && isDigit(l.peek(1)):
		return l.number()
	case c == '$':
		return l.dollar()
	case (c == ':' || c == '@') && (isLetter(l.peek(1)) || l.peek(1) >= utf8.RuneSelf):
		l.pos++
		t := l.word()
		if t.Kind != Invalid {
			t.Kind, t.sub, t.kw = Parameter, subNamed, kwNone
			if c == '@' {
				t.sub = subAtNamed
			}
		}
		t.Pos = start
		return t
	case c == '?':
		l.pos++
		return Token{Kind: Parameter, sub: subQuestion, Pos: start, End: l.pos}
	}
	return l.operator()
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// quoted reads up to the closing quote; a doubled quote does not close. With
// subEscapes a backslash hides the byte behind it.
func (l *lexer) quoted(start int, quote byte, kind TokenKind, s sub) Token {
	open := l.pos
	l.pos++
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		l.pos++
		switch {
		case c == '\\' && s == subEscapes && l.pos < len(l.src):
			l.pos++
		case c == quote && l.peek(0) == quote:
			l.pos++
		case c == quote:
			return Token{Kind: kind, sub: s, Pos: start, End: l.pos}
		}
	}
	if kind == QuotedIdent {
		l.fail(open, open+1, "quoted name is not closed").WithHint(`add a closing "`)
	} else {
		l.fail(open, open+1, "unterminated string literal").WithHint("add a closing '")
	}
	return Token{Kind: Invalid, Pos: start, End: l.pos}
}

// dollar reads $1, or text between two equal $tag$.
func (l *lexer) dollar() Token {
	start := l.pos
	l.pos++
	if isDigit(l.peek(0)) {
		for isDigit(l.peek(0)) {
			l.pos++
		}
		return Token{Kind: Parameter, sub: subPosition, Pos: start, End: l.pos}
	}
	for isLetter(l.peek(0)) || l.pos > start+1 && isDigit(l.peek(0)) {
		l.pos++
	}
	if l.peek(0) != '$' {
		l.pos = start + 1
		l.fail(start, l.pos, `unexpected "$"`).WithHint("a parameter is $1 or :name")
		return Token{Kind: Invalid, Pos: start, End: l.pos}
	}
	l.pos++
	mark := l.src[start:l.pos]
	i := strings.Index(l.src[l.pos:], mark)
	if i < 0 {
		l.fail(start, l.pos, "unterminated string literal").WithHint("add a closing %s", mark)
		l.pos = len(l.src)
		return Token{Kind: Invalid, Pos: start, End: l.pos}
	}
	l.pos += i + len(mark)
	return Token{Kind: String, sub: subDollar, Pos: start, End: l.pos}
}

func (l *lexer) word() Token {
	start := l.pos
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		if isLetter(c) || l.pos > start && (isDigit(c) || c == '$') {
			l.pos++
			continue
		}
		if c < utf8.RuneSelf {
			break
		}
		r, n := utf8.DecodeRuneInString(l.src[l.pos:])
		if !query.IsIdentRune(r, l.pos == start) {
			if l.pos > start {
				break // the next token reports it
			}
			return l.strange(r, n)
		}
		l.pos += n
	}
	word := l.src[start:l.pos]
	if k := lookup(word); k != kwNone {
		return Token{Kind: Keyword, kw: k, Pos: start, End: l.pos}
	}
	return Token{Kind: Identifier, Pos: start, End: l.pos}
}

// strange reports a character that is no part of the language, above all those
// that word processors put where plain ones were meant.
func (l *lexer) strange(r rune, n int) Token {
	start := l.pos
	l.pos += n
	switch {
	case r == utf8.RuneError && n == 1:
		l.fail(start, l.pos, "the text is not UTF-8: byte 0x%02x", l.src[start])
	case unicode.IsSpace(r), unicode.Is(unicode.Cf, r):
		l.fail(start, l.pos, "unexpected character U+%04X", r).WithHint("it looks like a space or like nothing: remove it or type a plain space")
	case strings.ContainsRune("‘’‚‛′`", r):
		l.fail(start, l.pos, "unexpected character %q", r).WithHint("%s", plainQuotes)
	case strings.ContainsRune("“”„‟″", r):
		l.fail(start, l.pos, "unexpected character %q", r).WithHint("%s", plainQuotes)
	case r == '–' || r == '—' || r == '−':
		l.fail(start, l.pos, "unexpected character %q", r).WithHint("a minus is written -")
	default:
		l.fail(start, l.pos, "unexpected character %q", r)
	}
	return Token{Kind: Invalid, Pos: start, End: l.pos}
}

const plainQuotes = `plain quotes are wanted: 'text' for a string, "name" for a name`

// number reads an integer, a fraction with or without an exponent, or 0x…. An
// underscore may stand between two digits.
func (l *lexer) number() Token {
	start, s := l.pos, subInteger
	if c := l.peek(1) | 0x20; l.peek(0) == '0' && (c == 'x' || c == 'o' || c == 'b') {
		s = subRadix
		l.pos += 2
		for isHex(l.peek(0)) || l.peek(0) == '_' && isHex(l.peek(1)) {
			l.pos++
		}
	} else {
		l.digits()
		if l.peek(0) == '.' && l.peek(1) != '.' {
			s = subFraction
			l.pos++
			l.digits()
		}
		if c := l.peek(0); c|0x20 == 'e' {
			n := 1
			if l.peek(1) == '+' || l.peek(1) == '-' {
				n = 2
			}
			if isDigit(l.peek(n)) {
				s = subFraction
				l.pos += n
				l.digits()
			}
		}
	}
	if l.pos < len(l.src) && (isLetter(l.peek(0)) || isDigit(l.peek(0)) || l.peek(0) >= utf8.RuneSelf) {
		end := l.pos
		for l.pos < len(l.src) && (isLetter(l.peek(0)) || isDigit(l.peek(0))) {
			l.pos++
		}
		if l.pos > end {
			l.fail(start, l.pos, "%q is no number", l.src[start:l.pos]).WithHint("a name that begins with a digit needs double quotes")
			return Token{Kind: Invalid, Pos: start, End: l.pos}
		}
	}
	return Token{Kind: Number, sub: s, Pos: start, End: l.pos}
}

func (l *lexer) digits() {
	for isDigit(l.peek(0)) || l.peek(0) == '_' && isDigit(l.peek(1)) {
		l.pos++
	}
}

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// operator reads operators and punctuation, the longest that fits.
func (l *lexer) operator() Token {
	start := l.pos
	c, d, e := l.peek(0), l.peek(1), l.peek(2)
	punct := func(s sub) Token {
		l.pos++
		return Token{Kind: Punctuation, sub: s, Pos: start, End: l.pos}
	}
	op := func(s sub, n int) Token {
		l.pos += n
		return Token{Kind: Operator, sub: s, Pos: start, End: l.pos}
	}
	switch c {
	case '(':
		return punct(subLParen)
	case ')':
		return punct(subRParen)
	case '[':
		return punct(subLBracket)
	case ']':
		return punct(subRBracket)
	case ',':
		return punct(subComma)
	case ';':
		return punct(subSemicolon)
	case '.':
		return punct(subDot)
	case ':':
		if d == ':' {
			return op(subCast, 2)
		}
		return punct(subColon)
	case '-':
		switch {
		case d == '>' && e == '>':
			return op(subArrow2, 3)
		case d == '>':
			return op(subArrow, 2)
		}
		return op(subMinus, 1)
	case '+':
		return op(subPlus, 1)
	case '*':
		return op(subStar, 1)
	case '/':
		if d == '/' {
			return op(subSlash2, 2)
		}
		return op(subSlash, 1)
	case '%':
		return op(subPercent, 1)
	case '^':
		return op(subCaret, 1)
	case '=':
		if d == '>' {
			return op(subNamed2, 2)
		}
		if d == '=' {
			return op(subEq, 2)
		}
		return op(subEq, 1)
	case '<':
		switch d {
		case '>':
			return op(subNe, 2)
		case '=':
			return op(subLe, 2)
		case '@':
			return op(subWithin, 2)
		case '<':
			return op(subShl, 2)
		}
		return op(subLt, 1)
	case '>':
		switch d {
		case '=':
			return op(subGe, 2)
		case '>':
			return op(subShr, 2)
		}
		return op(subGt, 1)
	case '!':
		switch {
		case d == '=':
			return op(subNe, 2)
		case d == '~' && e == '*':
			return op(subNTildeI, 3)
		case d == '~':
			return op(subNTilde, 2)
		}
	case '~':
		if d == '*' {
			return op(subTildeI, 2)
		}
		return op(subTilde, 1)
	case '|':
		if d == '|' {
			return op(subConcat, 2)
		}
		return op(subPipe, 1)
	case '&':
		return op(subAmp, 1)
	case '@':
		if d == '>' {
			return op(subHas, 2)
		}
	case '`':
		l.pos++
		l.fail(start, l.pos, "unexpected character '`'").WithHint(`names go between double quotes: "name"`)
		return Token{Kind: Invalid, Pos: start, End: l.pos}
	}
	l.pos++
	l.fail(start, l.pos, "unexpected character %q", rune(c))
	return Token{Kind: Invalid, Pos: start, End: l.pos}
}
