package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxStatementBytes is the longest statement or line a script may have.
const maxStatementBytes = 64 << 20

// statement is one piece of a script: SQL without its semicolon, or a line that begins with a dot.
type statement struct {
	text    string
	line    int // of its first line, from 1
	command bool
}

// splitter cuts lines into statements. A semicolon ends one, except inside quotes and comments; a line that begins with a dot
// where a statement could begin is a dot-command. Its zero value is ready.
type splitter struct {
	text  strings.Builder
	line  int  // of the last line added
	first int  // line on which text begins
	begun bool // text holds more than white space
	some  bool // and more than comments
	in    byte // ' or " inside quotes, - in a line comment, * in a block comment, 0 elsewhere
	esc   bool // inside E'…', where a backslash takes the next byte along
	depth int  // of block comments
}

// pending reports whether a statement has begun and not ended.
func (s *splitter) pending() bool { return s.some || s.in != 0 }

// begin notes that the statement's text starts on this line, unless it did before.
func (s *splitter) begin() {
	if !s.begun {
		s.begun, s.first = true, s.line
	}
}

// add takes one line, without its line feed, and returns the statements it ends.
func (s *splitter) add(line string) []statement {
	s.line++
	if !s.pending() {
		s.text.Reset()
		s.begun = false
		if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, ".") {
			return []statement{{trimmed, s.line, true}}
		}
	}
	var out []statement
	start := 0
	for i := 0; i < len(line); i++ {
		c := line[i]
		next := byte(0)
		if i+1 < len(line) {
			next = line[i+1]
		}
		switch s.in {
		case '\'', '"':
			switch {
			case s.esc && c == '\\' && next != 0:
				i++
			case c == s.in:
				s.in = 0 // a doubled quote opens again at once
			}
			continue
		case '*':
			switch {
			case c == '*' && next == '/':
				i++
				if s.depth--; s.depth == 0 {
					s.in = 0
				}
			case c == '/' && next == '*':
				i++
				s.depth++
			}
			continue
		}
		switch {
		case c == '-' && next == '-':
			s.begin()
			i = len(line)
		case c == '/' && next == '*':
			s.begin()
			s.in, s.depth = '*', 1
			i++
		case c == ';':
			s.text.WriteString(line[start:i])
			start = i + 1
			if s.some {
				out = append(out, statement{strings.TrimSpace(s.text.String()), s.first, false})
			}
			s.text.Reset()
			s.begun, s.some = false, false
		case c == ' ' || c == '\t' || c == '\r':
		default:
			s.begin()
			s.some = true
			if c == '\'' || c == '"' {
				s.in = c
				s.esc = c == '\'' && i > 0 && (line[i-1] == 'E' || line[i-1] == 'e') && (i == 1 || !wordByte(line[i-2]))
			}
		}
	}
	s.text.WriteString(line[start:])
	s.text.WriteByte('\n')
	return out
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// end returns the last statement when it lacks its semicolon.
func (s *splitter) end() []statement {
	if !s.some {
		return nil
	}
	last := statement{strings.TrimSpace(s.text.String()), s.first, false}
	s.reset()
	return []statement{last}
}

// reset forgets the statement that has begun.
func (s *splitter) reset() { *s = splitter{line: s.line} }

// split cuts a whole text.
func split(text string) []statement {
	var s splitter
	var out []statement
	for line := range strings.SplitSeq(text, "\n") {
		out = append(out, s.add(strings.TrimSuffix(line, "\r"))...)
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
		if err == nil {
			line = strings.TrimSuffix(line[:len(line)-1], "\r")
		}
		return line, err
	}
}
