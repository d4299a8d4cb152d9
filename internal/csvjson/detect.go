package csvjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/seed69692123/netdb/internal/payload"
)

// prepare reads the sample and finds what was not given.
func (r *Reader) prepare() error {
	if r.ready {
		return nil
	}
	for len(r.buf) < sampleBytes && !r.eof {
		if _, err := r.fill(); err != nil {
			return err
		}
	}
	if bytes.HasPrefix(r.buf, []byte("\ufeff")) {
		r.pos = 3
	}
	sample := r.buf[r.pos:]
	r.comma, r.quote = r.o.Delimiter, r.o.Quote
	if r.quote == 0 {
		r.quote = findQuote(sample, r.comma)
	}
	if r.comma == 0 {
		r.comma = findDelimiter(sample, r.quote, r.eof)
	}
	if r.comma == r.quote || r.comma == '\n' || r.comma == '\r' || r.quote == '\n' || r.quote == '\r' {
		return &Error{Line: 1, Reason: fmt.Sprintf("%q cannot be delimiter with the quote %q", r.comma, r.quote)}
	}
	rows := sampleOf(sample, r.comma, r.quote, r.eof, sampleRows)
	if err := r.columns(rows); err != nil {
		return err
	}
	r.ready = true
	return nil
}

// columns names the columns, and finds their types.
func (r *Reader) columns(rows [][]field) error {
	header := r.o.Header
	if header == FindHeader {
		if header = NoHeader; len(rows) > 0 && looksLikeHeader(rows[0]) {
			header = WithHeader
		}
	}
	body := rows
	if header == WithHeader && len(rows) > 0 {
		body = rows[1:]
	}
	types := r.findTypes(body) // before the buffer moves
	var names []string
	if header == WithHeader {
		line := r.line + 1
		if err := r.row(); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for _, f := range r.fields {
			names = append(names, string(f.text))
		}
		r.fields = r.fields[:0]
		if err := r.nameColumns(names, line); err != nil {
			return err
		}
	} else {
		n := len(r.o.Columns)
		if len(rows) > 0 && n == 0 {
			n = len(rows[0])
		}
		if err := r.nameColumns(make([]string, n), 1); err != nil {
			return err
		}
	}
	r.given = make([]bool, len(r.cols))
	for i := range r.cols {
		c := &r.cols[i]
		if c.Type, r.given[i] = r.o.Types[c.Name]; !r.given[i] && i < len(types) {
			c.Type = types[i]
		}
	}
	for name := range r.o.Types {
		if !r.has(name) {
			return &Error{Line: 1, Reason: fmt.Sprintf("there is no column %q to have a type", name)}
		}
	}
	return nil
}

func (r *Reader) has(name string) bool {
	for _, c := range r.cols {
		if c.Name == name {
			return true
		}
	}
	return false
}

// nameColumns takes the names of a header, or those that were given.
func (r *Reader) nameColumns(names []string, line int64) error {
	if n := len(r.o.Columns); n > 0 {
		if len(names) > 0 && n != len(names) {
			return &Error{Line: line, Reason: fmt.Sprintf("%d columns, but %d names for them", len(names), n)}
		}
		names = r.o.Columns
	}
	seen := map[string]bool{}
	for i, name := range names {
		if name == "" {
			name = fmt.Sprintf("column%d", i+1)
		}
		if seen[name] {
			return &Error{Line: line, Reason: fmt.Sprintf("two columns are called %q", name)}
		}
		seen[name] = true
		r.cols = append(r.cols, Column{Name: name})
		quoted := []byte{','}
		if i == 0 {
			quoted = nil
		}
		r.names = append(r.names, append(payload.AppendQuoted(quoted, []byte(name)), ':'))
	}
	return nil
}

// findTypes returns the type that all values of each column in the sample have.
func (r *Reader) findTypes(rows [][]field) (types []Type) {
	var some []bool
	for _, row := range rows {
		for len(types) < len(row) {
			types, some = append(types, Text), append(some, false)
		}
		for i, f := range row {
			if r.null(f) || some[i] && types[i] == Text {
				continue
			}
			t := typeOf(f.text)
			if f.quoted && len(f.text) == 0 {
				t = Text
			}
			if some[i] {
				t = both(types[i], t)
			}
			types[i], some[i] = t, true
		}
	}
	return types
}

// looksLikeHeader reports whether a row names columns: all its fields are text, there and different.
func looksLikeHeader(row []field) bool {
	seen := map[string]bool{}
	for _, f := range row {
		if len(f.text) == 0 || typeOf(f.text) != Text || seen[string(f.text)] {
			return false
		}
		seen[string(f.text)] = true
	}
	return len(row) > 0
}

// findQuote returns the single quote where fields stand in such and double quotes do not occur, else the double quote.
func findQuote(sample []byte, comma byte) byte {
	if bytes.IndexByte(sample, '"') >= 0 {
		return '"'
	}
	delimiters := []byte(",\t;|")
	if comma != 0 {
		delimiters = []byte{comma}
	}
	opened := 0
	for _, d := range delimiters {
		opened += bytes.Count(sample, []byte{'\'', d, '\''})
	}
	if opened > 0 {
		return '\''
	}
	return '"'
}

// findDelimiter returns the delimiter that parts most rows of the sample into the same number of fields, more than one.
func findDelimiter(sample []byte, quote byte, eof bool) byte {
	best, bestScore := byte(','), 0
	for _, d := range []byte(",\t;|") {
		rows := sampleOf(sample, d, quote, eof, 100)
		if len(rows) == 0 || len(rows[0]) < 2 {
			continue
		}
		same := 0
		for _, row := range rows {
			if len(row) == len(rows[0]) {
				same++
			}
		}
		if score := same*1000/len(rows)*100 + min(len(rows[0]), 99); score > bestScore {
			best, bestScore = d, score
		}
	}
	return best
}

// sampleOf takes the first rows apart. A row that the sample ends in is not one of them, nor one that cannot be taken apart.
func sampleOf(sample []byte, comma, quote byte, eof bool, most int) (rows [][]field) {
	for len(rows) < most && len(sample) > 0 {
		n, ok := new(rowScan).end(sample, comma, quote, eof)
		if !ok {
			break
		}
		row := trimEnd(sample[:n])
		sample = sample[n:]
		if len(row) == 0 {
			continue
		}
		fields, _, reason := split(nil, nil, row, comma, quote)
		if reason == "" {
			rows = append(rows, fields)
		}
	}
	return rows
}
