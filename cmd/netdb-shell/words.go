package main

import (
	"errors"
	"flag"
	"io"
	"strings"
)

// words reads the arguments of a dot-command, from its line or as the command line has split them.
type words struct {
	line string
	argv []string // when set, line is not used
}

// next returns the next word. Words are apart by spaces; 'quotes' keep everything and double a quote to hold one, "quotes"
// know \" and \\ too.
func (w *words) next() (word string, ok bool, err error) {
	if w.argv != nil {
		if len(w.argv) == 0 {
			return "", false, nil
		}
		word, w.argv = w.argv[0], w.argv[1:]
		return word, true, nil
	}
	s := strings.TrimLeft(w.line, " \t")
	if s == "" {
		w.line = ""
		return "", false, nil
	}
	var b strings.Builder
	for s != "" && s[0] != ' ' && s[0] != '\t' {
		q := s[0]
		if q != '\'' && q != '"' {
			b.WriteByte(q)
			s = s[1:]
			continue
		}
		s = s[1:]
		for open := true; open; {
			if s == "" {
				return "", false, usagef("a quote %c is not closed", q)
			}
			c := s[0]
			s = s[1:]
			switch {
			case c == q && s != "" && s[0] == q, c == '\\' && q == '"' && s != "" && (s[0] == '"' || s[0] == '\\'):
				b.WriteByte(s[0])
				s = s[1:]
			case c == q:
				open = false
			default:
				b.WriteByte(c)
			}
		}
	}
	w.line = s
	return b.String(), true, nil
}

// rest returns everything that was not read as it stands.
func (w *words) rest() string {
	if w.argv != nil {
		s := strings.Join(w.argv, " ")
		w.argv = []string{}
		return s
	}
	s := strings.TrimSpace(w.line)
	w.line = ""
	return s
}

// all reads the remaining words.
func (w *words) all() ([]string, error) {
	var out []string
	for {
		word, ok, err := w.next()
		if err != nil || !ok {
			return out, err
		}
		out = append(out, word)
	}
}

// parse reads the remaining words as flags of fs, before, between and behind other words, and returns those: at least and at
// most as many as said.
func (w *words) parse(fs *flag.FlagSet, least, most int) ([]string, error) {
	given, err := w.all()
	if err != nil {
		return nil, err
	}
	fs.SetOutput(io.Discard)
	var plain []string
	for len(given) > 0 {
		if err := fs.Parse(given); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				err = errors.New("see .help " + fs.Name())
			}
			return nil, usagef(".%s: %v", fs.Name(), err)
		}
		if given = fs.Args(); len(given) > 0 {
			plain = append(plain, given[0])
			given = given[1:]
		}
	}
	switch {
	case len(plain) < least:
		return nil, usagef(".%s needs more arguments: see .help %s", fs.Name(), fs.Name())
	case len(plain) > most:
		return nil, usagef(".%s: %q is one argument too many: see .help %s", fs.Name(), plain[most], fs.Name())
	}
	return plain, nil
}
