package vector

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"github.com/seed69692123/netdb/internal/num"
)

// Like is a compiled LIKE pattern. It is immutable and safe for concurrent use.
type Like struct {
	fold  bool // ILIKE
	kind  likeKind
	lit   []byte    // of the kinds without '_'
	parts [][]token // of likeGeneral: what stands between the '%'
}

type likeKind uint8

const (
	likeExact likeKind = iota
	likePrefix
	likeSuffix
	likeContains
	likeGeneral
)

// token is a literal, or one character of any kind when any is set.
type token struct {
	lit []byte
	any bool
}

// CompileLike compiles a pattern: '%' is any text, '_' any one character, and a character behind escape (0 for none) is
// itself. With fold set, upper and lower case are the same (ILIKE). It returns ErrPattern when the pattern ends with escape.
func CompileLike(pattern []byte, escape rune, fold bool) (*Like, error) {
	l := &Like{fold: fold}
	part := []token{}
	var lit []byte
	flush := func() {
		if lit != nil {
			part = append(part, token{lit: lit})
			lit = nil
		}
	}
	for len(pattern) > 0 {
		r, size := utf8.DecodeRune(pattern)
		c := pattern[:size]
		pattern = pattern[size:]
		switch {
		case escape != 0 && r == escape:
			if len(pattern) == 0 {
				return nil, ErrPattern
			}
			_, size = utf8.DecodeRune(pattern)
			lit = l.foldTo(lit, pattern[:size])
			pattern = pattern[size:]
		case r == '%':
			flush()
			l.parts = append(l.parts, part)
			part = []token{}
		case r == '_':
			flush()
			part = append(part, token{any: true})
		default:
			lit = l.foldTo(lit, c)
		}
	}
	flush()
	l.parts = append(l.parts, part)
	l.classify()
	return l, nil
}

// classify finds the patterns that need no general matching.
func (l *Like) classify() {
	l.kind = likeGeneral
	for _, p := range l.parts {
		if len(p) > 1 || len(p) == 1 && p[0].any {
			return
		}
	}
	text := func(i int) []byte {
		if len(l.parts[i]) == 0 {
			return nil
		}
		return l.parts[i][0].lit
	}
	switch {
	case len(l.parts) == 1:
		l.kind, l.lit = likeExact, text(0)
	case len(l.parts) == 2 && len(l.parts[1]) == 0:
		l.kind, l.lit = likePrefix, text(0)
	case len(l.parts) == 2 && len(l.parts[0]) == 0:
		l.kind, l.lit = likeSuffix, text(1)
	case len(l.parts) == 3 && len(l.parts[0]) == 0 && len(l.parts[2]) == 0:
		l.kind, l.lit = likeContains, text(1)
	}
}

// foldTo appends text, in lower case when the pattern folds.
func (l *Like) foldTo(dst, s []byte) []byte {
	if !l.fold {
		return append(dst, s...)
	}
	for len(s) > 0 {
		if s[0] < utf8.RuneSelf {
			c := s[0]
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
			s = s[1:]
			continue
		}
		r, size := utf8.DecodeRune(s)
		dst = utf8.AppendRune(dst, unicode.ToLower(r))
		s = s[size:]
	}
	return dst
}

// Prefix returns the literal text that every match begins with, and whether the pattern is nothing but that text. It returns
// nothing for a pattern that folds case.
func (l *Like) Prefix() (prefix []byte, exact bool) {
	switch {
	case l.fold:
		return nil, false
	case l.kind == likeExact || l.kind == likePrefix:
		return l.lit, l.kind == likeExact
	case l.kind == likeGeneral && len(l.parts[0]) > 0 && !l.parts[0][0].any:
		return l.parts[0][0].lit, false
	}
	return nil, false
}

// Match reports whether text matches. A folding pattern uses scratch and returns it grown. When the pace ends the work, the
// answer is arbitrary.
func (l *Like) Match(s, scratch []byte, pace *num.Pace) (ok bool, _ []byte) {
	if l.fold {
		scratch = scratch[:0]
		for len(s) > num.PaceBytes && !pace.Step(num.PaceBytes) {
			n := num.PaceBytes
			for !utf8.RuneStart(s[n]) {
				n--
			}
			scratch, s = l.foldTo(scratch, s[:n]), s[n:]
		}
		scratch = l.foldTo(scratch, s)
		s = scratch
	}
	switch l.kind {
	case likeExact:
		return bytes.Equal(s, l.lit), scratch
	case likePrefix:
		return bytes.HasPrefix(s, l.lit), scratch
	case likeSuffix:
		return bytes.HasSuffix(s, l.lit), scratch
	case likeContains:
		return IndexPaced(s, l.lit, pace) >= 0, scratch
	}
	return l.general(s, pace), scratch
}

// IndexPaced returns where part begins in s, -1 when it does not occur.
func IndexPaced(s, part []byte, pace *num.Pace) int {
	at := 0
	for len(s)-at > num.PaceBytes+len(part) {
		// The window holds every place at which part could begin within the next PaceBytes.
		if i := bytes.Index(s[at:at+num.PaceBytes+len(part)-1], part); i >= 0 {
			return at + i
		}
		at += num.PaceBytes
		if pace.Step(num.PaceBytes + len(part)) {
			return -1
		}
	}
	if i := bytes.Index(s[at:], part); i >= 0 {
		return at + i
	}
	return -1
}

// general matches the first part at the start, the last at the end, and each between at the first place it fits: a later
// place could not match more.
func (l *Like) general(s []byte, pace *num.Pace) bool {
	n := matchAt(l.parts[0], s)
	if n < 0 {
		return false
	}
	if len(l.parts) == 1 {
		return n == len(s)
	}
	s = s[n:]
	for _, p := range l.parts[1 : len(l.parts)-1] {
		at, n := find(p, s, pace)
		if at < 0 {
			return false
		}
		s = s[at+n:]
	}
	return matchEnd(l.parts[len(l.parts)-1], s)
}

// matchAt returns how many bytes at the start of s the part takes, -1 when it does not match.
func matchAt(part []token, s []byte) int {
	at := 0
	for _, t := range part {
		if t.any {
			if at == len(s) {
				return -1
			}
			_, size := utf8.DecodeRune(s[at:])
			at += size
			continue
		}
		if !bytes.HasPrefix(s[at:], t.lit) {
			return -1
		}
		at += len(t.lit)
	}
	return at
}

func find(part []token, s []byte, pace *num.Pace) (at, n int) {
	if len(part) == 0 {
		return 0, 0
	}
	most := 0 // bytes that trying the part at one place looks at
	for _, t := range part {
		most += len(t.lit) + utf8.UTFMax
	}
	for {
		if pace.Step(most) {
			return -1, 0
		}
		if !part[0].any {
			i := IndexPaced(s[at:], part[0].lit, pace)
			if i < 0 {
				return -1, 0
			}
			at += i
		}
		if n := matchAt(part, s[at:]); n >= 0 {
			return at, n
		}
		if at == len(s) {
			return -1, 0
		}
		_, size := utf8.DecodeRune(s[at:])
		at += size
	}
}

// matchEnd matches a part from the end backwards.
func matchEnd(part []token, s []byte) bool {
	for i := len(part) - 1; i >= 0; i-- {
		t := part[i]
		if t.any {
			if len(s) == 0 {
				return false
			}
			_, size := utf8.DecodeLastRune(s)
			s = s[:len(s)-size]
			continue
		}
		if !bytes.HasSuffix(s, t.lit) {
			return false
		}
		s = s[:len(s)-len(t.lit)]
	}
	return true
}

// Like writes a LIKE pattern to out, as Bool, inverted when not is set. A value that is no text is NULL, and counted when it is
// dynamic. Its error is the gate's.
func (s *State) Like(a *Vector, l *Like, not bool, out *Vector, sel Sel, n int) error {
	out.Resize(Bool, n)
	if t := a.Typed(&s.a); t.Type == Text && t.Dict != nil && !t.Const {
		orNulls(out, t, nil)
		return s.testCodes(l, t, not, out, sel, n, func(text []byte) (bool, error) { return s.MatchLike(l, text) })
	}
	var failed error
	each(sel, n, func(i int) bool {
		c := a.Class(i)
		if c != ClassText {
			if c != ClassNull {
				s.OtherType++
			}
			out.SetNull(i)
			return true
		}
		var ok bool
		ok, failed = s.MatchLike(l, a.Bytes(i))
		out.Bools[i] = ok != not
		return failed == nil
	})
	return failed
}

// MatchLike reports whether text matches a pattern. Its error is the gate's.
func (s *State) MatchLike(l *Like, text []byte) (ok bool, err error) {
	var pace *num.Pace
	if s.Gate != nil {
		if l.fold && len(text) > LargeBytes {
			if err := s.Gate.Room(nil, 2*len(text)); err != nil { // one letter may need more bytes in lower case
				return false, err
			}
		}
		pace = s.Gate.Pace()
	}
	ok, s.scratch = l.Match(text, s.scratch, pace)
	if pace.Over() {
		err = s.Gate.Step(0)
	}
	return ok, err
}
