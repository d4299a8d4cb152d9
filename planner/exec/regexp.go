package exec

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	// patternBytes is the longest regular expression, keptPatterns and keptBytes how many are kept compiled.
	patternBytes = 1 << 15
	keptPatterns = 64
	keptBytes    = 1 << 10
	// wholeBytes is the longest text that is searched without a look at the context, wholeMatches how many matches are found at once.
	wholeBytes   = stepBytes / 4
	wholeMatches = 4096
	// regexpStep is what the search for one match counts for beside the characters.
	regexpStep = 256
)

var errPatternLong = errors.New("the regular expression is longer than 32 KiB")

// PatternError says why a regular expression or its options are none.
type PatternError struct{ Reason string }

func (e *PatternError) Error() string { return "regular expression: " + e.Reason }

// pattern is a compiled regular expression.
type pattern struct {
	re     *regexp.Regexp
	behind *regexp.Regexp // the same behind a first character, which it sees as what stands before; made when needed
	global bool
}

// patterns are the compiled expressions of a call. Nearly always there is one, the same for all rows.
type patterns struct {
	text, options []byte
	last          *pattern
	by            map[string]*pattern
}

// pattern returns the compiled form of an expression with options.
func (c *call) pattern(text, options []byte) (*pattern, error) {
	m, ok := c.kept.(*patterns)
	if !ok {
		m = &patterns{}
		c.kept = m
	}
	if m.last != nil && string(m.text) == string(text) && string(m.options) == string(options) {
		return m.last, nil
	}
	if len(text) > patternBytes {
		return nil, errPatternLong
	}
	if err := c.Step(64 * len(text)); err != nil {
		return nil, err
	}
	key := string(options) + "\x00" + string(text)
	p := m.by[key]
	if p == nil {
		var err error
		if p, err = compilePattern(string(text), string(options)); err != nil {
			return nil, err
		}
		if len(m.by) >= keptPatterns {
			clear(m.by)
		}
		if len(text) <= keptBytes {
			if m.by == nil {
				m.by = map[string]*pattern{}
			}
			m.by[key] = p
		}
	}
	m.last, m.text, m.options = p, append(m.text[:0], text...), append(m.options[:0], options...)
	return p, nil
}

// compilePattern compiles an expression. Options: c and i for upper and lower case being different or the same, s for a dot that is
// also a line end, l for text that is no expression, g for all matches; m, n and p change nothing.
func compilePattern(text, options string) (*pattern, error) {
	p := &pattern{}
	fold, dot, literal := false, false, false
	for _, o := range options {
		switch o {
		case 'c', 'i':
			fold = o == 'i'
		case 's':
			dot = true
		case 'm', 'n', 'p':
			dot = false
		case 'l':
			literal = true
		case 'g':
			p.global = true
		default:
			return nil, &PatternError{fmt.Sprintf("unknown option %q: want some of c, i, s, m, n, p, l and g", string(o))}
		}
	}
	if literal {
		text = regexp.QuoteMeta(text)
	}
	if fold {
		text = "(?i)" + text
	}
	if dot {
		text = "(?s)" + text
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, &PatternError{strings.TrimPrefix(err.Error(), "error parsing regexp: ")}
	}
	p.re = re
	return p, nil
}

// pacedRunes gives the characters of a long text, and ends when nobody wants the answer any more.
type pacedRunes struct {
	c   *call
	s   []byte
	at  int
	err error
}

// ReadRune implements io.RuneReader.
func (r *pacedRunes) ReadRune() (rune, int, error) {
	if r.at >= len(r.s) || r.err != nil {
		return 0, 0, io.EOF
	}
	x, n := utf8.DecodeRune(r.s[r.at:])
	r.at += n
	if r.at&(1<<12-1) < n { // an expression costs many times more than a copy
		if r.err = r.c.Step(stepBytes / 4); r.err != nil {
			return 0, 0, io.EOF
		}
	}
	return x, n, nil
}

// matches reports whether the expression occurs in s.
func (c *call) matches(re *regexp.Regexp, s []byte) (bool, error) {
	if len(s) <= wholeBytes {
		return re.Match(s), c.Step(len(s))
	}
	r := &pacedRunes{c: c, s: s}
	ok := re.MatchReader(r)
	return ok, r.err
}

// find returns the places of the first match and its groups, nil when there is none.
func (c *call) find(re *regexp.Regexp, s []byte) ([]int, error) {
	if len(s) <= wholeBytes {
		return re.FindSubmatchIndex(s), c.Step(len(s))
	}
	r := &pacedRunes{c: c, s: s}
	at := re.FindReaderSubmatchIndex(r)
	return at, r.err
}

// eachMatch calls f with the places of each match and its groups, from left to right, without overlap. An empty match right behind
// another one does not count.
func (c *call) eachMatch(p *pattern, s []byte, f func(at []int) error) error {
	var at []int
	var err error
	end := -1 // of the match before
	if len(s) <= wholeBytes {
		all := p.re.FindAllSubmatchIndex(s, wholeMatches)
		for _, at = range all {
			if err := f(at); err != nil {
				return err
			}
		}
		if len(all) < wholeMatches {
			return c.Step(len(s))
		}
		end = at[1]
	} else if at, err = c.find(p.re, s); err != nil || at == nil {
		return err
	}
	if p.behind == nil {
		behind, err := regexp.Compile(`\A(?s:.)(?s:.*?)(` + p.re.String() + `)`)
		if err != nil {
			return &PatternError{err.Error()}
		}
		p.behind = behind
	}
	for given := end >= 0; ; given = false {
		if !given && (at[1] > at[0] || at[0] != end) {
			if err := f(at); err != nil {
				return err
			}
		}
		end = at[1]
		// Go on from the end, or one character on behind an empty match, with the character before in sight.
		from := end
		if at[1] == at[0] {
			if from >= len(s) {
				return nil
			}
			_, n := utf8.DecodeRune(s[from:])
			from += n
		}
		_, n := utf8.DecodeLastRune(s[:from])
		r := &pacedRunes{c: c, s: s[from-n:]}
		next := p.behind.FindReaderSubmatchIndex(r)
		if r.err != nil || next == nil {
			return r.err
		}
		at = next[2:]
		for k := range at {
			if at[k] >= 0 {
				at[k] += from - n
			}
		}
		if err := c.Step(regexpStep); err != nil {
			return err
		}
	}
}
