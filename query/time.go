package query

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/seed69692123/netdb/internal/wallclock"
)

// ParseTime reads a timestamp: a date, then optionally a T or spaces and a time
// of day with up to nine digits behind the second, then optionally a zone, which
// is Z, UTC or an offset such as +02, +0200, +02:00 or +02:00:00. RFC 3339 and
// SQL's own form are both of this kind. Without a zone the time is one of the
// given location, UTC when nil: the first moment at which its clock shows it,
// or a later one where it skips it. zoned says whether the text had one.
//
// Nothing is rounded: a tenth digit must be 0. A TIMESTAMPTZ lies between
// 1677-09-21 and 2262-04-11.
func ParseTime(s string, in *time.Location) (v Value, zoned bool, err error) {
	if in == nil {
		in = time.UTC
	}
	bad := func(why string) (Value, bool, error) {
		return Value{}, false, fmt.Errorf("%q is no timestamp: %s", clip(s), why)
	}
	r := reader{s: strings.TrimSpace(s)}
	year, month, day, ok := r.date()
	if !ok {
		return bad("expected a date such as 2024-01-31")
	}
	if !validDate(year, month, day) {
		return bad("there is no such day")
	}
	hour, minute, second, nanos := 0, 0, 0, 0
	sep := r.accept('T') || r.accept('t')
	spaces := r.spaces()
	if sep || spaces > 0 && isDigitByte(r.peek()) {
		if hour, minute, second, nanos, ok = r.clock(); !ok {
			return bad("expected a time such as 15:04:05.999999999")
		}
		if hour > 23 || minute > 59 || second > 59 {
			return bad("there is no such time of day")
		}
		r.spaces()
	}
	offset, zoned, ok := r.zone()
	if !ok || !r.done() {
		return bad("expected a zone such as Z or +02:00")
	}
	if zoned {
		in = time.FixedZone("", offset)
	}
	t := wallclock.Date(in, year, time.Month(month), day, hour, minute, second, nanos)
	ns, ok := unixNano(t)
	if !ok {
		return bad("it is out of range")
	}
	return Nanos(ns), zoned, nil
}

// unixNano is t in nanoseconds, if they fit.
func unixNano(t time.Time) (int64, bool) {
	sec, ns := t.Unix(), int64(t.Nanosecond())
	if sec < math.MinInt64/1_000_000_000-1 || sec > math.MaxInt64/1_000_000_000 {
		return 0, false
	}
	total := t.UnixNano()
	back := time.Unix(0, total)
	return total, back.Unix() == sec && int64(back.Nanosecond()) == ns
}

// TimeOf is t as a TIMESTAMPTZ; ok is false when it is out of range.
func TimeOf(t time.Time) (v Value, ok bool) {
	ns, ok := unixNano(t)
	return Nanos(ns), ok
}

// ParseDate reads a date of the years 1 to 9999, such as 2024-01-31.
func ParseDate(s string) (Value, error) {
	r := reader{s: strings.TrimSpace(s)}
	year, month, day, ok := r.date()
	if !ok || !r.done() {
		return Value{}, fmt.Errorf("%q is no date: expected one such as 2024-01-31", clip(s))
	}
	if !validDate(year, month, day) {
		return Value{}, fmt.Errorf("%q is no date: there is no such day", clip(s))
	}
	return Date(time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Unix() / 86400), nil
}

func validDate(year, month, day int) bool {
	if year < 1 || month < 1 || month > 12 || day < 1 || day > 31 {
		return false
	}
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Day() == day
}

// reader takes the parts of a date or time from the front of a text.
type reader struct {
	s string
	i int
}

func isDigitByte(c byte) bool { return '0' <= c && c <= '9' }

func (r *reader) peek() byte {
	if r.i < len(r.s) {
		return r.s[r.i]
	}
	return 0
}

func (r *reader) done() bool { return r.i == len(r.s) }

func (r *reader) accept(c byte) bool {
	if r.peek() != c {
		return false
	}
	r.i++
	return true
}

func (r *reader) spaces() (n int) {
	for r.accept(' ') {
		n++
	}
	return n
}

// digits takes exactly n digits.
func (r *reader) digits(n int) (v int, ok bool) {
	for range n {
		c := r.peek()
		if !isDigitByte(c) {
			return 0, false
		}
		v = v*10 + int(c-'0')
		r.i++
	}
	return v, true
}

func (r *reader) date() (year, month, day int, ok bool) {
	if year, ok = r.digits(4); !ok || !r.accept('-') {
		return 0, 0, 0, false
	}
	if month, ok = r.digits(2); !ok || !r.accept('-') {
		return 0, 0, 0, false
	}
	day, ok = r.digits(2)
	return year, month, day, ok
}

// clock takes hh:mm[:ss[.fraction]].
func (r *reader) clock() (hour, minute, second, nanos int, ok bool) {
	if hour, ok = r.digits(2); !ok || !r.accept(':') {
		return 0, 0, 0, 0, false
	}
	if minute, ok = r.digits(2); !ok {
		return 0, 0, 0, 0, false
	}
	if r.accept(':') {
		if second, ok = r.digits(2); !ok {
			return 0, 0, 0, 0, false
		}
		if r.accept('.') {
			if nanos, ok = r.fraction(); !ok {
				return 0, 0, 0, 0, false
			}
		}
	}
	return hour, minute, second, nanos, true
}

// fraction takes digits behind the point of a second, as nanoseconds.
func (r *reader) fraction() (nanos int, ok bool) {
	n := 0
	for ; isDigitByte(r.peek()); n++ {
		c := int(r.peek() - '0')
		r.i++
		switch {
		case n < 9:
			nanos = nanos*10 + c
		case c != 0:
			return 0, false
		}
	}
	for i := n; i < 9; i++ {
		nanos *= 10
	}
	return nanos, n > 0
}

// zone takes Z, UTC, GMT or an offset in seconds; none is fine too.
func (r *reader) zone() (offset int, zoned, ok bool) {
	switch c := r.peek(); {
	case c == 0:
		return 0, false, true
	case c == 'Z' || c == 'z':
		r.i++
		return 0, true, true
	case c == '+' || c == '-':
		r.i++
		part, ok := r.digits(2)
		if !ok || part > 15 {
			return 0, false, false
		}
		offset = part * 3600
		for _, unit := range [2]int{60, 1} {
			colon := r.accept(':')
			if !colon && !isDigitByte(r.peek()) {
				break
			}
			part, ok = r.digits(2)
			if !ok || part > 59 {
				return 0, false, false
			}
			offset += part * unit
		}
		if c == '-' {
			offset = -offset
		}
		return offset, true, true
	}
	if rest := r.s[r.i:]; strings.EqualFold(rest, "UTC") || strings.EqualFold(rest, "GMT") {
		r.i = len(r.s)
		return 0, true, true
	}
	return 0, false, false
}
