package sql

import "iter"

// TokenKind is the class of a Token.
type TokenKind uint8

// Classes of tokens.
const (
	EOF         TokenKind = iota
	Identifier            // a name
	Keyword               // a word the grammar knows; it may still be a name
	QuotedIdent           // "name"
	String                // 'text', E'text', $$text$$, X'00'
	Number
	Parameter // $1, :name, ?
	Operator
	Punctuation // ( ) [ ] , ; .
	Comment     // only from Tokens
	Invalid     // what no statement can hold; the rest of an unterminated token
)

// Token is the smallest part of a statement: the bytes [Pos, End) of the text.
type Token struct {
	Kind TokenKind
	sub  sub
	kw   kw
	Pos  int
	End  int
}

// sub tells tokens of one kind apart.
type sub uint8

const (
	subNone sub = iota

	// String.
	subPlain
	subEscapes
	subDollar
	subHex

	// Number.
	subInteger
	subFraction
	subRadix // 0x, 0o, 0b

	// Parameter.
	subPosition
	subNamed
	subAtNamed // @name
	subQuestion

	// Punctuation and Operator.
	subLParen
	subRParen
	subLBracket
	subRBracket
	subComma
	subSemicolon
	subDot
	subColon
	subCast    // ::
	subArrow   // ->
	subArrow2  // ->>
	subNamed2  // =>
	subStar    // *
	subPlus    // +
	subMinus   // -
	subSlash   // /
	subSlash2  // //
	subPercent // %
	subCaret   // ^
	subEq      // =
	subNe      // <> !=
	subLt      // <
	subLe      // <=
	subGt      // >
	subGe      // >=
	subConcat  // ||
	subHas     // @>
	subWithin  // <@
	subTilde   // ~
	subTildeI  // ~*
	subNTilde  // !~
	subNTildeI // !~*
	subAmp     // &
	subPipe    // |
	subShl     // <<
	subShr     // >>
)

// Tokens goes over all tokens of a text, comments included; white space is what
// lies between them. It never fails: bytes that fit nowhere are Invalid, and so
// is what follows an opening quote or comment that is never closed.
func Tokens(src string) iter.Seq[Token] {
	return func(yield func(Token) bool) {
		l := lexer{src: src, comments: true}
		for {
			t := l.next()
			if t.Kind == EOF || !yield(t) {
				return
			}
		}
	}
}
