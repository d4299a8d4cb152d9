package csvjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/seed69692123/netdb/internal/payload"
)

// Header says whether the first row names the columns.
type Header uint8

// The headers. FindHeader looks whether the first row is one.
const (
	FindHeader Header = iota
	WithHeader
	NoHeader
)

// Options say how CSV is read. The zero value finds everything.
type Options struct {
	Header    Header
	Delimiter byte            // 0: found
	Quote     byte            // 0: found
	Null      string          // the text, without quotes, that is null beside nothing at all
	Columns   []string        // names instead of those of the header
	Types     map[string]Type // of columns by name; others are found
	Zone      *time.Location  // of TIMESTAMP columns; nil is UTC
	Ragged    bool            // rows may end early: what is missing is null
	MaxRow    int             // bytes of the longest row; 0 is 16 MiB
}

// Column is a column and its type.
type Column struct {
	Name string
	Type Type
}

// Error is a fault of the text, with the line it is in, counted from 1.
type Error struct {
	Line   int64
	Column string // "" when it is not about one
	Reason string
}

func (e *Error) Error() string {
	if e.Column != "" {
		return fmt.Sprintf("line %d: column %q: %s", e.Line, e.Column, e.Reason)
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
}

const (
	sampleBytes = 256 << 10
	sampleRows  = 1000
	defaultRow  = 16 << 20
	maxColumns  = 10_000
)

// Reader reads CSV.
type Reader struct {
	r       io.Reader
	o       Options
	buf     []byte
	pos     int  // of what was not given yet
	eof     bool // there is no more to read
	err     error
	line    int64 // lines before pos
	quote   byte
	comma   byte
	cols    []Column
	names   [][]byte // of the columns as JSON, with comma and colon
	given   []bool   // the type was given
	ready   bool
	fields  []field
	scratch []byte
}

// field is a value of a row.
type field struct {
	text   []byte
	quoted bool
}

// NewReader returns a reader of CSV.
func NewReader(r io.Reader, o Options) *Reader {
	if o.MaxRow <= 0 {
		o.MaxRow = defaultRow
	}
	return &Reader{r: r, o: o, buf: make([]byte, 0, sampleBytes)}
}

// Columns returns the columns, whose types were found in a sample of the rows.
func (r *Reader) Columns() ([]Column, error) {
	if err := r.prepare(); err != nil {
		return nil, err
	}
	return r.cols, nil
}

// Line returns how many lines were read.
func (r *Reader) Line() int64 { return r.line }

// Next appends the next row as a JSON object to dst. At the end it returns io.EOF. An Error ends the reading.
func (r *Reader) Next(dst []byte) ([]byte, error) {
	if r.err != nil {
		return dst, r.err
	}
	if r.err = r.prepare(); r.err != nil {
		return dst, r.err
	}
	at := r.line + 1
	if r.err = r.row(); r.err != nil {
		return dst, r.err
	}
	out, err := r.object(dst, at)
	if err != nil {
		r.err = err
		return dst, err
	}
	return out, nil
}

// object appends the row that was read.
func (r *Reader) object(dst []byte, line int64) ([]byte, error) {
	if n := len(r.fields); n > len(r.cols) || n < len(r.cols) && !r.o.Ragged {
		return dst, &Error{Line: line, Reason: fmt.Sprintf("%d fields instead of %d", n, len(r.cols))}
	}
	dst = append(dst, '{')
	for i := range r.cols {
		dst = append(dst, r.names[i]...)
		if i >= len(r.fields) {
			dst = append(dst, "null"...)
			continue
		}
		f := r.fields[i]
		if r.null(f) {
			dst = append(dst, "null"...)
			continue
		}
		var ok bool
		if dst, ok = r.cols[i].Type.append(dst, f.text, r.o.Zone); ok {
			continue
		}
		if r.given[i] {
			return dst, &Error{line, r.cols[i].Name, fmt.Sprintf("%q is no %s", clip(f.text), r.cols[i].Type)}
		}
		dst = payload.AppendQuoted(dst, f.text)
	}
	return append(dst, '}'), nil
}

// null reports whether a field is null: nothing, or the text for it, without quotes.
func (r *Reader) null(f field) bool {
	return !f.quoted && (len(f.text) == 0 || r.o.Null != "" && string(f.text) == r.o.Null)
}

func clip(b []byte) string {
	const most = 40
	if len(b) <= most {
		return string(b)
	}
	n := most
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	return string(b[:n]) + "…"
}

// fill reads more behind what is there. It reports whether there was more.
func (r *Reader) fill() (bool, error) {
	if r.eof {
		return false, nil
	}
	if r.pos > 0 && r.pos >= len(r.buf)/2 {
		r.buf = r.buf[:copy(r.buf, r.buf[r.pos:])]
		r.pos = 0
	}
	if len(r.buf) == cap(r.buf) {
		most := r.o.MaxRow + sampleBytes
		if cap(r.buf) >= most && r.pos == 0 {
			return false, &Error{Line: r.line + 1, Reason: fmt.Sprintf("a row longer than %d bytes; is a quote not closed?", r.o.MaxRow)}
		}
		grown := make([]byte, len(r.buf)-r.pos, min(2*cap(r.buf), most))
		copy(grown, r.buf[r.pos:])
		r.buf, r.pos = grown, 0
	}
	for range 100 {
		n, err := r.r.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		if errors.Is(err, io.EOF) {
			r.eof = true
			return n > 0, nil
		}
		if err != nil {
			return false, err
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, io.ErrNoProgress
}

// row reads the next row that is not an empty line.
func (r *Reader) row() error {
	var scan rowScan
	for {
		rest := r.buf[r.pos:]
		n, ok := scan.end(rest, r.comma, r.quote, r.eof)
		if !ok {
			more, err := r.fill()
			if err != nil {
				return err
			}
			if !more && len(r.buf) == r.pos {
				return io.EOF
			}
			continue
		}
		text := rest[:n]
		r.pos += n
		if n > r.o.MaxRow {
			return &Error{Line: r.line + 1, Reason: fmt.Sprintf("a row longer than %d bytes", r.o.MaxRow)}
		}
		line := r.line + 1
		r.line += max(1, int64(bytes.Count(text, newline)))
		body := trimEnd(text)
		if len(body) == 0 {
			if n == 0 {
				return io.EOF
			}
			scan = rowScan{}
			continue
		}
		return r.split(body, line)
	}
}

var newline = []byte{'\n'}

func trimEnd(row []byte) []byte {
	if n := len(row); n > 0 && row[n-1] == '\n' {
		row = row[:n-1]
	}
	if n := len(row); n > 0 && row[n-1] == '\r' {
		row = row[:n-1]
	}
	return row
}

// rowScan looks for the end of a row, also when its text comes bit by bit. The zero value is at the start of one.
type rowScan struct {
	at     int  // bytes that were looked at
	quotes bool // there is a quote: from then on each byte counts
	inside bool // of quotes
	within bool // of a field without quotes, where they mean nothing
}

// end returns the length of the row that b begins with, and its line end. ok is false when b, which is not all there is, ends before.
func (s *rowScan) end(b []byte, comma, quote byte, eof bool) (n int, ok bool) {
	if !s.quotes {
		line := b[s.at:]
		i := bytes.IndexByte(line, '\n')
		if i >= 0 {
			line = line[:i]
		}
		switch {
		case bytes.IndexByte(line, quote) >= 0:
			*s = rowScan{quotes: true}
		case i >= 0:
			return s.at + i + 1, true
		default:
			s.at = len(b)
			return len(b), eof
		}
	}
	for ; s.at < len(b); s.at++ {
		c := b[s.at]
		switch {
		case s.inside:
			i := bytes.IndexByte(b[s.at:], quote)
			if i < 0 {
				s.at = len(b)
				return len(b), eof
			}
			s.at += i
			if s.at+1 == len(b) && !eof {
				return 0, false // another quote may follow
			}
			if s.at+1 < len(b) && b[s.at+1] == quote {
				s.at++
				continue
			}
			s.inside, s.within = false, true
		case c == '\n':
			return s.at + 1, true
		case c == quote && !s.within:
			s.inside = true
		default:
			s.within = c != comma
		}
	}
	return len(b), eof
}

// split takes a row apart. line is its first.
func (r *Reader) split(row []byte, line int64) error {
	r.fields = r.fields[:0]
	if !utf8.Valid(row) {
		at := 0
		for {
			c, n := utf8.DecodeRune(row[at:])
			if c == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
		line += int64(bytes.Count(row[:at], newline))
		return &Error{Line: line, Reason: fmt.Sprintf("byte 0x%02x is not UTF-8", row[at])}
	}
	fields, scratch, reason := split(r.fields, r.scratch[:0], row, r.comma, r.quote)
	r.fields, r.scratch = fields, scratch
	if reason != "" {
		return &Error{Line: line, Reason: reason}
	}
	return nil
}

// split appends the fields of a row. Texts with doubled quotes are put into scratch.
func split(fields []field, scratch, row []byte, comma, quote byte) ([]field, []byte, string) {
	for {
		if len(fields) >= maxColumns {
			return fields, scratch, fmt.Sprintf("more than %d fields", maxColumns)
		}
		if len(row) == 0 || row[0] != quote {
			i := bytes.IndexByte(row, comma)
			if i < 0 {
				return append(fields, field{text: row}), scratch, ""
			}
			fields = append(fields, field{text: row[:i]})
			row = row[i+1:]
			continue
		}
		row = row[1:]
		text := row
		from := len(scratch)
		for {
			i := bytes.IndexByte(row, quote)
			if i < 0 {
				return fields, scratch, "a quote is not closed"
			}
			if i+1 < len(row) && row[i+1] == quote {
				scratch = append(scratch, row[:i+1]...)
				row = row[i+2:]
				continue
			}
			if len(scratch) > from {
				scratch = append(scratch, row[:i]...)
				text = scratch[from:len(scratch):len(scratch)]
			} else {
				text = text[:i]
			}
			row = row[i+1:]
			break
		}
		fields = append(fields, field{text, true})
		switch {
		case len(row) == 0:
			return fields, scratch, ""
		case row[0] != comma:
			return fields, scratch, "something stands behind a closing quote"
		}
		row = row[1:]
	}
}
