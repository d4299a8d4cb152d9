package query

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Code is the class of an Error: a five-character SQLSTATE, so that drivers and
// the PostgreSQL wire can pass it on.
type Code string

// The codes in use.
const (
	CodeSyntax         Code = "42601"
	CodeUnknownColumn  Code = "42703"
	CodeUnknownTable   Code = "42P01"
	CodeUnknownFunc    Code = "42883"
	CodeAmbiguous      Code = "42702"
	CodeAmbiguousTable Code = "42P09"
	CodeDuplicate      Code = "42712"
	CodeType           Code = "42804"
	CodeGrouping       Code = "42803"
	CodeWindow         Code = "42P20"
	CodeUnknownParam   Code = "42P02"
	CodeBadValue       Code = "22P02"
	CodeBadTime        Code = "22007"
	CodeOutOfRange     Code = "22003"
	CodeDivideByZero   Code = "22012"
	CodeUnsupported    Code = "0A000"
	CodeTooDeep        Code = "54001"
	CodeCardinality    Code = "21000"
)

// Error is what is wrong with a statement and where. Parser and binder both
// return it. Pos and End are byte offsets in the statement; Line and Col count
// from 1, Col in characters; Line is 0 when the statement did not come from
// text. Near is the text at fault, Source the line it stands in.
type Error struct {
	Pos, End  int
	Line, Col int
	Code      Code
	Msg       string
	Hint      string
	Near      string
	Source    string

	known bool // Pos and End were given
}

// Errorf makes an Error at the span of n, without its line yet: see In. A nil n
// makes one without a place.
func Errorf(n interface{ At() Span }, code Code, format string, args ...any) *Error {
	e := &Error{Code: code, Msg: fmt.Sprintf(format, args...)}
	if n != nil {
		if at := n.At(); !at.IsZero() {
			e.Pos, e.End, e.known = at.Pos, at.End, true
		}
	}
	return e
}

// ErrorAt makes an Error at a place in the text, which may be empty: the end of
// the statement, say.
func ErrorAt(at Span, code Code, format string, args ...any) *Error {
	return &Error{Pos: at.Pos, End: at.End, known: true, Code: code, Msg: fmt.Sprintf(format, args...)}
}

// WithHint sets the hint and returns e.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// In fills Line, Col, Near and Source from the text of the statement and
// returns e. It leaves an error without a place, or with one already found,
// as it is.
func (e *Error) In(source string) *Error {
	if !e.known || e.Line != 0 || e.Pos < 0 || e.Pos > len(source) {
		return e
	}
	end := min(max(e.End, e.Pos), len(source))
	start := strings.LastIndexByte(source[:e.Pos], '\n') + 1
	stop := len(source)
	if i := strings.IndexByte(source[e.Pos:], '\n'); i >= 0 {
		stop = e.Pos + i
	}
	e.Line = strings.Count(source[:start], "\n") + 1
	e.Col = utf8.RuneCountInString(source[start:e.Pos]) + 1
	e.Source = strings.TrimSuffix(source[start:stop], "\r")
	e.Near = source[e.Pos:min(end, stop)]
	return e
}

// Error is one line: place, message and hint.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "%d:%d: ", e.Line, e.Col)
	}
	b.WriteString(e.Msg)
	if e.Hint != "" {
		b.WriteString(" (hint: ")
		b.WriteString(e.Hint)
		b.WriteByte(')')
	}
	return b.String()
}

// maxExcerpt is the longest part of a source line, in characters, that Detail
// shows.
const maxExcerpt = 100

// Detail is the error for people: the message, the line it is in, a caret under
// the place, and the hint, each on a line of its own and without a newline at
// the end.
func (e *Error) Detail() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", e.Line, e.Col)
	}
	b.WriteString(e.Msg)
	if e.Line > 0 {
		text, caret, width := e.excerpt()
		b.WriteString("\n  ")
		b.WriteString(text)
		b.WriteString("\n  ")
		b.WriteString(caret)
		b.WriteString(strings.Repeat("^", width))
	}
	if e.Hint != "" {
		b.WriteString("\nhint: ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

// excerpt cuts the source line to a window around the place and returns it with
// the white space that brings a caret under the place.
func (e *Error) excerpt() (text, indent string, width int) {
	line := []rune(e.Source)
	at := min(e.Col-1, len(line))
	width = max(1, utf8.RuneCountInString(e.Near))
	var prefix, suffix string
	if len(line) > maxExcerpt {
		from := max(0, min(at-maxExcerpt/2, len(line)-maxExcerpt))
		to := from + maxExcerpt
		if from > 0 {
			prefix = "…"
		}
		if to < len(line) {
			suffix = "…"
		}
		line, at = line[from:to], at-from
	}
	width = max(1, min(width, len(line)-at))
	var pad strings.Builder
	if prefix != "" {
		pad.WriteByte(' ')
	}
	for _, r := range line[:at] {
		if r == '\t' {
			pad.WriteByte('\t')
		} else {
			pad.WriteByte(' ')
		}
	}
	return prefix + string(line) + suffix, pad.String(), width
}
