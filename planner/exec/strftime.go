package exec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/seed69692123/netdb/internal/wallclock"
)

// FormatError says what is wrong with the format of a time or a number.
type FormatError struct{ Reason string }

func (e *FormatError) Error() string { return "format: " + e.Reason }

// longestFormat bounds the format of a time, and with it how long its text can be.
const longestFormat = 4096

// timeFormat is a format of strftime taken apart.
type timeFormat struct {
	text  string
	parts []formatPart
}

type formatPart struct {
	lit   string
	verb  byte
	short bool // %-d: without a zero in front
}

const timeVerbs = "aAbBcdfgGhHIjmMnpSuUVwWxXyYzZ"

// compileTimeFormat takes a format apart.
func compileTimeFormat(text string) (*timeFormat, error) {
	if len(text) > longestFormat {
		return nil, &FormatError{"longer than 4 KiB"}
	}
	f := &timeFormat{text: text}
	var lit []byte
	flush := func() {
		if len(lit) > 0 {
			f.parts = append(f.parts, formatPart{lit: string(lit)})
			lit = nil
		}
	}
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			lit = append(lit, text[i])
			continue
		}
		i++
		short := i < len(text) && text[i] == '-'
		if short {
			i++
		}
		if i >= len(text) {
			return nil, &FormatError{"it ends behind a %"}
		}
		v := text[i]
		switch {
		case v == '%' && !short:
			lit = append(lit, '%')
			continue
		case strings.IndexByte(timeVerbs, v) < 0, short && strings.IndexByte("dHIjmMSy", v) < 0:
			return nil, &FormatError{fmt.Sprintf("there is no %%%s%s", map[bool]string{true: "-"}[short], string(rune(v)))}
		}
		flush()
		switch v {
		case 'c':
			f.parts = append(f.parts, must("%Y-%m-%d %H:%M:%S")...)
		case 'x':
			f.parts = append(f.parts, must("%Y-%m-%d")...)
		case 'X':
			f.parts = append(f.parts, must("%H:%M:%S")...)
		default:
			f.parts = append(f.parts, formatPart{verb: v, short: short})
		}
	}
	flush()
	return f, nil
}

// must takes a format apart that is known to be good.
func must(text string) []formatPart {
	f, err := compileTimeFormat(text)
	if err != nil {
		panic(err)
	}
	return f.parts
}

// append writes a time.
func (f *timeFormat) append(dst []byte, t time.Time) []byte {
	padded := func(n, width int, short bool) {
		if short {
			width = 1
		}
		dst = appendPadded(dst, n, width)
	}
	for _, p := range f.parts {
		switch p.verb {
		case 0:
			dst = append(dst, p.lit...)
		case 'a':
			dst = append(dst, t.Weekday().String()[:3]...)
		case 'A':
			dst = append(dst, t.Weekday().String()...)
		case 'b', 'h':
			dst = append(dst, t.Month().String()[:3]...)
		case 'B':
			dst = append(dst, t.Month().String()...)
		case 'd':
			padded(t.Day(), 2, p.short)
		case 'f':
			padded(t.Nanosecond()/1e3, 6, false)
		case 'g':
			padded(t.Nanosecond()/1e6, 3, false)
		case 'n':
			padded(t.Nanosecond(), 9, false)
		case 'G':
			y, _ := t.ISOWeek()
			padded(y, 4, false)
		case 'H':
			padded(t.Hour(), 2, p.short)
		case 'I':
			padded((t.Hour()+11)%12+1, 2, p.short)
		case 'j':
			padded(t.YearDay(), 3, p.short)
		case 'm':
			padded(int(t.Month()), 2, p.short)
		case 'M':
			padded(t.Minute(), 2, p.short)
		case 'p':
			dst = append(dst, [...]string{"AM", "PM"}[t.Hour()/12]...)
		case 'S':
			padded(t.Second(), 2, p.short)
		case 'u':
			padded((int(t.Weekday())+6)%7+1, 1, false)
		case 'U': // weeks that begin on Sunday
			padded((t.YearDay()+6-int(t.Weekday()))/7, 2, false)
		case 'V':
			_, w := t.ISOWeek()
			padded(w, 2, false)
		case 'w':
			padded(int(t.Weekday()), 1, false)
		case 'W': // weeks that begin on Monday
			padded((t.YearDay()+6-(int(t.Weekday())+6)%7)/7, 2, false)
		case 'y':
			padded(t.Year()%100, 2, p.short)
		case 'Y':
			padded(t.Year(), 4, false)
		case 'z':
			_, offset := t.Zone()
			sign := byte('+')
			if offset < 0 {
				sign, offset = '-', -offset
			}
			dst = append(dst, sign)
			padded(offset/3600, 2, false)
			if m := offset / 60 % 60; m != 0 {
				dst = append(dst, ':')
				padded(m, 2, false)
			}
		case 'Z':
			name, _ := t.Zone()
			dst = append(dst, name...)
		}
	}
	return dst
}

func appendPadded(dst []byte, n, width int) []byte {
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], int64(n), 10)
	for k := len(text); k < width; k++ {
		dst = append(dst, '0')
	}
	return append(dst, text...)
}

var errNoMatch = errors.New("the text is not of that format")

// parse reads a time written in the format. What the format does not say is 1900-01-01 00:00:00 in the zone.
func (f *timeFormat) parse(s string, zone *time.Location) (time.Time, error) {
	p := parsedTime{year: 1900, month: 1, day: 1, zone: zone}
	for _, part := range f.parts {
		var ok bool
		if part.verb == 0 {
			s, ok = strings.CutPrefix(s, part.lit)
		} else {
			s, ok = p.read(part.verb, s)
		}
		if !ok {
			return time.Time{}, errNoMatch
		}
	}
	if s != "" {
		return time.Time{}, errNoMatch
	}
	return p.time()
}

// parsedTime is what was read of a time.
type parsedTime struct {
	year, month, day       int
	hour, minute, second   int
	nanos, yearDay, hour12 int
	pm, half, twelve       bool
	zone                   *time.Location
}

func (p *parsedTime) read(verb byte, s string) (rest string, ok bool) {
	number := func(to *int, most int) {
		var n, k int
		for k < len(s) && k < most && s[k] >= '0' && s[k] <= '9' {
			n = n*10 + int(s[k]-'0')
			k++
		}
		*to, s, ok = n, s[k:], k > 0
	}
	var ignored int
	switch verb {
	case 'a', 'A':
		for d := time.Sunday; d <= time.Saturday; d++ {
			if rest, ok := cutName(s, d.String(), verb == 'a'); ok {
				return rest, true
			}
		}
		return s, false
	case 'b', 'h', 'B':
		for m := time.January; m <= time.December; m++ {
			if rest, ok := cutName(s, m.String(), verb != 'B'); ok {
				p.month = int(m)
				return rest, true
			}
		}
		return s, false
	case 'd':
		number(&p.day, 2)
	case 'f', 'n', 'g':
		n, k := 0, 0
		for k < len(s) && k < 9 && s[k] >= '0' && s[k] <= '9' {
			n = n*10 + int(s[k]-'0')
			k++
		}
		for j := k; j < 9; j++ {
			n *= 10
		}
		p.nanos, s, ok = n, s[k:], k > 0
	case 'H':
		number(&p.hour, 2)
	case 'I':
		number(&p.hour12, 2)
		p.twelve = true
		ok = ok && p.hour12 >= 1 && p.hour12 <= 12
	case 'j':
		number(&p.yearDay, 3)
		ok = ok && p.yearDay >= 1
	case 'm':
		number(&p.month, 2)
	case 'M':
		number(&p.minute, 2)
	case 'p':
		if len(s) < 2 || !strings.EqualFold(s[1:2], "m") || !strings.EqualFold(s[:1], "a") && !strings.EqualFold(s[:1], "p") {
			return s, false
		}
		p.half, p.pm = true, s[0]|0x20 == 'p'
		return s[2:], true
	case 'S':
		number(&p.second, 2)
	case 'u', 'w':
		number(&ignored, 1)
	case 'U', 'V', 'W':
		number(&ignored, 2)
	case 'G':
		number(&ignored, 4)
	case 'y':
		number(&p.year, 2)
		if p.year += 1900; p.year < 1969 {
			p.year += 100
		}
	case 'Y':
		number(&p.year, 4)
	case 'z':
		return p.readOffset(s)
	case 'Z':
		k := 0
		for k < len(s) && (s[k]|0x20 >= 'a' && s[k]|0x20 <= 'z' || s[k] == '/' || s[k] == '_' || k > 0 && (s[k] == '-' || s[k] == '+' || s[k] >= '0' && s[k] <= '9')) {
			k++
		}
		z, err := loadZone(s[:k])
		if err != nil {
			return s, false
		}
		p.zone = z
		return s[k:], true
	}
	return s, ok
}

// readOffset reads Z, +HH, +HHMM or +HH:MM.
func (p *parsedTime) readOffset(s string) (string, bool) {
	if s != "" && s[0]|0x20 == 'z' {
		p.zone = time.UTC
		return s[1:], true
	}
	if s == "" || s[0] != '+' && s[0] != '-' {
		return s, false
	}
	digit := func(k int) (int, bool) {
		if k+1 >= len(s) || s[k] < '0' || s[k] > '9' || s[k+1] < '0' || s[k+1] > '9' {
			return 0, false
		}
		return int(s[k]-'0')*10 + int(s[k+1]-'0'), true
	}
	hours, ok := digit(1)
	if !ok || hours > 23 {
		return s, false
	}
	end, at := 3, 3
	if at < len(s) && s[at] == ':' {
		at++
	}
	minutes := 0
	if m, ok := digit(at); ok && m < 60 {
		minutes, end = m, at+2
	}
	offset := hours*3600 + minutes*60
	if s[0] == '-' {
		offset = -offset
	}
	p.zone = time.FixedZone("", offset)
	return s[end:], true
}

func cutName(s, name string, short bool) (string, bool) {
	if short {
		name = name[:3]
	}
	if len(s) >= len(name) && strings.EqualFold(s[:len(name)], name) {
		return s[len(name):], true
	}
	return s, false
}

func (p *parsedTime) time() (time.Time, error) {
	if p.twelve {
		p.hour = p.hour12 % 12
	}
	if p.half && p.pm && p.hour < 12 {
		p.hour += 12
	}
	if p.yearDay > 0 {
		d := time.Date(p.year, 1, p.yearDay, 0, 0, 0, 0, time.UTC)
		if d.Year() != p.year {
			return time.Time{}, errDateParts
		}
		p.month, p.day = int(d.Month()), d.Day()
	}
	if !isDay(int64(p.year), int64(p.month), int64(p.day)) || p.hour > 23 || p.minute > 59 || p.second > 59 {
		return time.Time{}, errDateParts
	}
	return wallclock.Date(p.zone, p.year, time.Month(p.month), p.day, p.hour, p.minute, p.second, p.nanos), nil
}
