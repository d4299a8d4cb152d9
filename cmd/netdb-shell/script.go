package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/seed69692123/netdb/query/sql"
)

// maxStatementBytes is the longest statement or line a script may have.
const maxStatementBytes = 64 << 20

// statement is one piece of a script: SQL without its semicolon, or a line that begins with a dot.
type statement struct {
	text    string
	line    int // of its first line, from 1
	command bool
	before  string // what stands before it on its first line
}

// splitter cuts lines into statements as they come. A semicolon ends one, except inside quotes and comments; a line that begins
// with a dot where a statement could begin is a dot-command. Its zero value is ready.
type splitter struct {
	text   strings.Builder // lines that end no statement yet
	first  int             // the line text begins on
	before string          // what stands before text on that line
	line   int             // the last line added
}

// pending reports whether a statement has begun and not ended.
func (s *splitter) pending() bool {
	if s.text.Len() == 0 {
		return false
	}
	_, _, open := sql.Split(s.text.String())
	return open != sql.OpenNothing
}

// add takes one line, without its line feed, and returns the statements it ends.
func (s *splitter) add(line string) []statement {
	s.line++
	if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, ".") && !s.pending() {
		s.reset()
		return []statement{{trimmed, s.line, true, ""}}
	}
	if s.text.Len() == 0 {
		s.first = s.line
	}
	s.text.WriteString(line)
	s.text.WriteByte('\n')
	if !strings.Contains(line, ";") {
		return nil
	}
	text := s.text.String()
	done, rest, open := sql.Split(text)
	out := s.statements(text, done)
	before := s.lineBefore(text, rest.Pos)
	s.reset()
	if open != sql.OpenNothing {
		s.first += strings.Count(text[:rest.Pos], "\n")
		s.before = before
		s.text.WriteString(text[rest.Pos:])
	}
	return out
}

// statements gives pieces of text their lines.
func (s *splitter) statements(text string, pieces []sql.Piece) []statement {
	var out []statement
	line, at := s.first, 0
	for _, p := range pieces {
		line += strings.Count(text[at:p.Pos], "\n")
		at = p.Pos
		out = append(out, statement{p.Text, line, false, s.lineBefore(text, p.Pos)})
	}
	return out
}

// lineBefore returns what stands before a place in text on its line.
func (s *splitter) lineBefore(text string, at int) string {
	if from := strings.LastIndexByte(text[:at], '\n'); from >= 0 {
		return text[from+1 : at]
	}
	return s.before + text[:at]
}

// end returns the last statement when it lacks its semicolon.
func (s *splitter) end() []statement {
	text := strings.TrimSuffix(s.text.String(), "\n")
	_, rest, open := sql.Split(text)
	var out []statement
	if open != sql.OpenNothing {
		out = s.statements(text, []sql.Piece{rest})
	}
	s.reset()
	return out
}

// reset forgets the statement that has begun.
func (s *splitter) reset() {
	s.text.Reset()
	s.before = ""
}

// split cuts a whole text.
func split(text string) []statement {
	var s splitter
	var out []statement
	for line := range strings.Lines(text) {
		out = append(out, s.add(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"))...)
	}
	return append(out, s.end()...)
}

// eachStatement calls fn for every statement of a script until it returns an error.
func eachStatement(r io.Reader, fn func(statement) error) error {
	br := bufio.NewReaderSize(r, 64<<10)
	var s splitter
	for {
		line, err := readLine(br)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("line %d: %w", s.line+1, err)
		}
		if s.line == 0 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if s.text.Len()+len(line) > maxStatementBytes {
			return fmt.Errorf("line %d: statement longer than %d MiB", s.line+1, maxStatementBytes>>20)
		}
		if err == nil || line != "" {
			for _, st := range s.add(line) {
				if err := fn(st); err != nil {
					return err
				}
			}
		}
		if err != nil {
			for _, st := range s.end() {
				if err := fn(st); err != nil {
					return err
				}
			}
			return nil
		}
	}
}

// readLine returns a line without its end. At the end of the input it returns what is left, and io.EOF.
func readLine(br *bufio.Reader) (string, error) {
	var long []byte
	for {
		part, err := br.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			if long = append(long, part...); len(long) > maxStatementBytes {
				return "", fmt.Errorf("longer than %d MiB", maxStatementBytes>>20)
			}
			continue
		}
		line := string(part)
		if long != nil {
			line = string(append(long, part...))
		}
		return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), err
	}
}
