package main

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// modes are the output modes by name.
func modes() []string { return []string{"box", "csv", "json", "jsonl", "tsv", "markdown", "line"} }

// rowWriter writes one result. Rows are written as they come; only box holds back its first rows, to choose widths.
type rowWriter interface {
	begin(columns []string) error
	row(r *row) error
	flush() error         // write everything that was given so far
	end(whole bool) error // after the last row; not whole when an error cut the rows short
}

// outputStyle is where a result goes.
type outputStyle struct {
	mode     string
	terminal bool // bytes go to a terminal: nothing may drive it, lines should fit
	width    int  // of the terminal in columns; 0 when unknown
}

// newRowWriter returns the writer of the style's mode, or nil when there is no such mode.
func newRowWriter(w *bufio.Writer, s outputStyle) rowWriter {
	switch s.mode {
	case "box":
		return &boxWriter{w: w, terminal: s.terminal, width: s.width}
	case "csv":
		return &csvWriter{w: w, terminal: s.terminal}
	case "json":
		return &jsonWriter{w: w, array: true}
	case "jsonl":
		return &jsonWriter{w: w}
	case "tsv":
		return &tsvWriter{w: w}
	case "markdown":
		return &markdownWriter{w: w}
	case "line":
		return &lineWriter{w: w}
	}
	return nil
}

// csvWriter writes RFC 4180 with line feeds: a header, an empty field for NULL, "" for an empty text.
type csvWriter struct {
	w        *bufio.Writer
	terminal bool
	scratch  []byte
}

func (c *csvWriter) begin(columns []string) error {
	for i, name := range columns {
		c.field(i, []byte(name), kindText)
	}
	return c.w.WriteByte('\n')
}

func (c *csvWriter) row(r *row) error {
	for i := range r.cells {
		c.field(i, r.at(i), r.cells[i].kind)
	}
	return c.w.WriteByte('\n')
}

func (c *csvWriter) field(i int, text []byte, k kind) {
	if i > 0 {
		c.w.WriteByte(',')
	}
	if k == kindNull {
		return
	}
	if c.terminal {
		c.scratch = appendVisible(c.scratch[:0], text)
		text = c.scratch
	}
	if len(text) > 0 && !bytes.ContainsAny(text, ",\"\r\n") && text[0] != ' ' && text[len(text)-1] != ' ' {
		c.w.Write(text)
		return
	}
	c.w.WriteByte('"')
	for len(text) > 0 {
		n := bytes.IndexByte(text, '"')
		if n < 0 {
			c.w.Write(text)
			break
		}
		c.w.Write(text[:n])
		c.w.WriteString(`""`)
		text = text[n+1:]
	}
	c.w.WriteByte('"')
}

func (c *csvWriter) flush() error   { return c.w.Flush() }
func (c *csvWriter) end(bool) error { return c.w.Flush() }

// tsvWriter writes tab-separated lines as PostgreSQL's COPY does: a backslash before what would break a line, \xHH for other
// control characters, \N for NULL. The first line has the names.
type tsvWriter struct {
	w       *bufio.Writer
	scratch []byte
}

func (t *tsvWriter) begin(columns []string) error {
	for i, name := range columns {
		t.field(i, []byte(name))
	}
	return t.w.WriteByte('\n')
}

func (t *tsvWriter) row(r *row) error {
	for i := range r.cells {
		if r.cells[i].kind != kindNull {
			t.field(i, r.at(i))
			continue
		}
		if i > 0 {
			t.w.WriteByte('\t')
		}
		t.w.WriteString(`\N`)
	}
	return t.w.WriteByte('\n')
}

func (t *tsvWriter) field(i int, text []byte) {
	if i > 0 {
		t.w.WriteByte('\t')
	}
	b := t.scratch[:0]
	for j := 0; j < len(text); j++ {
		switch c := text[j]; {
		case c == '\\':
			b = append(b, `\\`...)
		case c < 0x20 || c == 0x7f:
			b = appendControl(b, c)
		case c == 0xc2 && j+1 < len(text) && text[j+1] >= 0x80 && text[j+1] <= 0x9f: // U+0080 to U+009F in UTF-8
			b = append(b, '\\', 'x', 'c', '2', '\\', 'x', hexDigits[text[j+1]>>4], hexDigits[text[j+1]&15])
			j++
		default:
			b = append(b, c)
		}
	}
	t.scratch = b
	t.w.Write(b)
}

func (t *tsvWriter) flush() error   { return t.w.Flush() }
func (t *tsvWriter) end(bool) error { return t.w.Flush() }

// jsonWriter writes one object per row: lines (JSON lines), or one array of them. Of columns with one name the later get a
// number, because an object's names must differ.
type jsonWriter struct {
	w       *bufio.Writer
	array   bool
	names   [][]byte // as JSON strings with the colon
	rows    int64
	scratch []byte
}

func (j *jsonWriter) begin(columns []string) error {
	for _, name := range distinct(columns) {
		j.names = append(j.names, append(appendJSONString(nil, []byte(name)), ':'))
	}
	if j.array {
		return j.w.WriteByte('[')
	}
	return nil
}

func (j *jsonWriter) row(r *row) error {
	b := j.scratch[:0]
	if j.array && j.rows > 0 {
		b = append(b, ",\n"...)
	}
	j.rows++
	b = append(b, '{')
	for i := range r.cells {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, j.names[i]...)
		switch text := r.at(i); r.cells[i].kind {
		case kindNull:
			b = append(b, "null"...)
		case kindBool, kindNumber:
			b = append(b, text...)
		case kindJSON:
			b = appendJSONLine(b, text)
		default:
			b = appendJSONString(b, text)
		}
	}
	b = append(b, '}')
	if !j.array {
		b = append(b, '\n')
	}
	j.scratch = b
	_, err := j.w.Write(b)
	return err
}

func (j *jsonWriter) flush() error { return j.w.Flush() }

// end leaves an array open whose rows are not all: no reader takes it for the whole.
func (j *jsonWriter) end(whole bool) error {
	switch {
	case j.array && whole:
		j.w.WriteString("]\n")
	case j.array:
		j.w.WriteByte('\n')
	}
	return j.w.Flush()
}

// distinct returns names with _2, _3, … behind those that came before.
func distinct(names []string) []string {
	out := make([]string, 0, len(names))
	for _, name := range names {
		try := name
		for n := 2; slices.Contains(out, try) || (try != name && slices.Contains(names, try)); n++ {
			try = name + "_" + itoa(n)
		}
		out = append(out, try)
	}
	return out
}

// markdownWriter writes a GitHub table. Columns are not padded, so that rows can be written as they come.
type markdownWriter struct {
	w       *bufio.Writer
	scratch []byte
}

func (m *markdownWriter) begin(columns []string) error {
	for i, name := range columns {
		m.cell(i, []byte(name))
	}
	m.w.WriteString(" |\n")
	for range columns {
		m.w.WriteString("| --- ")
	}
	_, err := m.w.WriteString("|\n")
	return err
}

func (m *markdownWriter) row(r *row) error {
	for i := range r.cells {
		if r.cells[i].kind == kindNull {
			m.cell(i, []byte("NULL"))
		} else {
			m.cell(i, r.at(i))
		}
	}
	_, err := m.w.WriteString(" |\n")
	return err
}

func (m *markdownWriter) cell(i int, text []byte) {
	if i > 0 {
		m.w.WriteByte(' ')
	}
	m.w.WriteString("| ")
	m.scratch = appendVisible(m.scratch[:0], text)
	for _, c := range m.scratch {
		if c == '|' {
			m.w.WriteByte('\\')
		}
		m.w.WriteByte(c)
	}
}

func (m *markdownWriter) flush() error   { return m.w.Flush() }
func (m *markdownWriter) end(bool) error { return m.w.Flush() }

// lineWriter writes a line per value, whole, and an empty line between rows.
type lineWriter struct {
	w       *bufio.Writer
	names   []string // right-aligned
	rows    int64
	scratch []byte
}

func (l *lineWriter) begin(columns []string) error {
	widest := 0
	for _, name := range columns {
		name = string(appendVisible(nil, []byte(name)))
		l.names = append(l.names, name)
		widest = max(widest, textWidth([]byte(name)))
	}
	for i, name := range l.names {
		l.names[i] = strings.Repeat(" ", widest-textWidth([]byte(name))) + name
	}
	return nil
}

func (l *lineWriter) row(r *row) error {
	if l.rows > 0 {
		l.w.WriteByte('\n')
	}
	l.rows++
	for i := range r.cells {
		l.w.WriteString(l.names[i])
		l.w.WriteString(" = ")
		if r.cells[i].kind == kindNull {
			l.w.WriteString("NULL")
		} else {
			l.scratch = appendVisible(l.scratch[:0], r.at(i))
			l.w.Write(l.scratch)
		}
		if err := l.w.WriteByte('\n'); err != nil {
			return err
		}
	}
	return nil
}

func (l *lineWriter) flush() error   { return l.w.Flush() }
func (l *lineWriter) end(bool) error { return l.w.Flush() }

// stickyWriter keeps the first error of w and reports it again on every later write: the writers above look at the last of
// several writes only.
type stickyWriter struct {
	w   io.Writer
	err error
}

func (s *stickyWriter) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	s.err = err
	return n, err
}

// ascii reports whether text is printable ASCII only, one column a byte.
func ascii(text []byte) bool {
	for _, c := range text {
		if c < 0x20 || c >= utf8.RuneSelf-1 {
			return false
		}
	}
	return true
}
