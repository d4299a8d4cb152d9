package sql

// Open says why a text does not end where a statement ends.
type Open uint8

// What is still open at the end of a text.
const (
	OpenNothing   Open = iota // only white space and comments follow the last semicolon
	OpenStatement             // a statement without its semicolon
	OpenString                // a string without its closing quote
	OpenName                  // a quoted name without its closing quote
	OpenComment               // a comment without its end
)

// Piece is one statement of a text, without its semicolon and without the white
// space and comments around it.
type Piece struct {
	Text     string
	Pos, End int // bytes of the text
}

// Split finds the statements of a text: what lies between semicolons outside
// quotes and comments. Statements of nothing but comments are left out. rest is
// what follows the last semicolon, from its first token on; open says whether it
// is empty or why it may go on. A text with an open quote or comment is still
// incomplete even if it holds a semicolon.
//
// Split does not check statements: it never fails.
func Split(src string) (done []Piece, rest Piece, open Open) {
	l := lexer{src: src}
	start, end := -1, 0
	piece := func() Piece { return Piece{Text: src[start:end], Pos: start, End: end} }
	for {
		t := l.next()
		switch {
		case t.Kind == EOF:
			if start < 0 {
				return done, Piece{Pos: len(src), End: len(src)}, OpenNothing
			}
			return done, piece(), OpenStatement
		case t.sub == subSemicolon:
			if start >= 0 {
				done = append(done, piece())
			}
			start = -1
			continue
		}
		if start < 0 {
			start = t.Pos
		}
		end = t.End
		if t.Kind == Invalid && t.End == len(src) {
			if open := opened(src[t.Pos:]); open != OpenNothing {
				return done, piece(), open
			}
		}
	}
}

// opened says what the last, invalid token of a text has left open.
func opened(s string) Open {
	switch {
	case s[0] == '\'', len(s) > 1 && s[1] == '\'', s[0] == '$' && len(s) > 1:
		return OpenString
	case s[0] == '"':
		return OpenName
	case len(s) > 1 && s[:2] == "/*":
		return OpenComment
	}
	return OpenNothing
}
