package vector

import (
	"encoding/hex"
	"math"
	"strconv"
	"time"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/internal/wallclock"
)

// zone returns the zone of the session.
func (s *State) zone() *time.Location {
	if s.Zone == nil {
		return time.UTC
	}
	return s.Zone
}

// dayOf returns the date of a time in the session's zone.
func (s *State) dayOf(ns int64) int64 {
	t := time.Unix(0, ns).In(s.zone())
	_, offset := t.Zone()
	return floorDiv(floorDiv(ns, 1e9)+int64(offset), 86400)
}

// midnight returns the time at which a date begins in the session's zone, and whether it fits.
func (s *State) midnight(days int64) (int64, bool) {
	if days < -dateLimit || days > dateLimit {
		return 0, false
	}
	first, _ := wallclock.First(s.zone(), days*86400)
	return mulInt(first, 1e9)
}

// unixNanos returns a time in nanoseconds, and whether it fits.
func unixNanos(t time.Time) (int64, bool) {
	second, rest := t.Unix(), int64(t.Nanosecond())
	if second < 0 { // count back from the next second: the earliest time of all is not a whole one
		second, rest = second+1, rest-1e9
	}
	whole, ok := mulInt(second, 1e9)
	ns, err := intArith(Add, whole, rest)
	return ns, ok && err == nil
}

// AppendText appends a value as text, the way CAST to TEXT does: integers and doubles in the digits that read back the same,
// times as RFC 3339 with nine digits in the session's zone, bytes as \x and hexadecimal digits, arrays and objects as they
// are. NULL appends nothing.
func (s *State) AppendText(dst []byte, v *Vector, i int) []byte {
	switch v.Class(i) {
	case ClassBool:
		return strconv.AppendBool(dst, v.Bool(i))
	case ClassInt:
		return strconv.AppendInt(dst, v.Int(i), 10)
	case ClassFloat:
		return num.AppendFloat(dst, v.Float(i))
	case ClassBig, ClassText, ClassArray, ClassObject:
		return append(dst, v.Bytes(i)...)
	case ClassBlob:
		return hex.AppendEncode(append(dst, `\x`...), v.Bytes(i))
	case ClassTime:
		return appendTime(dst, v.Int(i), s.zone())
	case ClassDate:
		return AppendDate(dst, v.Int(i))
	case ClassInterval:
		return appendInterval(dst, v.Interval(i))
	}
	return dst
}

// AppendDate appends a date as YYYY-MM-DD, with a sign and more digits of the year where four do not do.
func AppendDate(dst []byte, days int64) []byte {
	t := time.Unix(min(max(days, -dateLimit), dateLimit)*86400, 0).UTC()
	if y := t.Year(); y >= 0 && y <= 9999 {
		return t.AppendFormat(dst, time.DateOnly)
	}
	dst = strconv.AppendInt(dst, int64(t.Year()), 10)
	return t.AppendFormat(dst, "-01-02")
}

func appendTime(dst []byte, ns int64, zone *time.Location) []byte {
	t := time.Unix(0, ns).In(zone)
	if _, offset := t.Zone(); offset%60 != 0 {
		return t.AppendFormat(dst, "2006-01-02T15:04:05.000000000-07:00:00")
	}
	return t.AppendFormat(dst, "2006-01-02T15:04:05.000000000Z07:00")
}

// ParseDate reads YYYY-MM-DD, and reports whether it is a date.
func ParseDate(s []byte) (days int64, ok bool) {
	s = trimSpace(s)
	days, rest, ok := scanDate(s)
	return days, ok && len(rest) == 0
}

func scanDate(s []byte) (days int64, rest []byte, ok bool) {
	year, s, ok1 := scanInt(s, 4, 4)
	s, ok2 := scanByte(s, '-')
	month, s, ok3 := scanInt(s, 1, 2)
	s, ok4 := scanByte(s, '-')
	day, s, ok5 := scanInt(s, 1, 2)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || month < 1 || month > 12 || day < 1 {
		return 0, nil, false
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return floorDiv(t.Unix(), 86400), s, t.Day() == day
}

// ParseTime reads a date, or a date and a time of day behind 'T' or a space, with up to nine digits of a second and an offset
// or Z; without one it is in zone. It reports whether it is a time that fits into 64 bits of nanoseconds.
func ParseTime(s []byte, zone *time.Location) (ns int64, ok bool) {
	days, s, ok := scanDate(trimSpace(s))
	if !ok {
		return 0, false
	}
	var hour, minute, second, nanos int
	if len(s) > 0 && (s[0] == 'T' || s[0] == 't' || s[0] == ' ') {
		var ok1, ok2, ok3 bool
		hour, s, ok1 = scanInt(s[1:], 1, 2)
		s, ok2 = scanByte(s, ':')
		minute, s, ok3 = scanInt(s, 2, 2)
		if !ok1 || !ok2 || !ok3 {
			return 0, false
		}
		if len(s) > 0 && s[0] == ':' {
			if second, s, ok = scanInt(s[1:], 2, 2); !ok {
				return 0, false
			}
			if len(s) > 0 && s[0] == '.' {
				if nanos, s, ok = scanFraction(s[1:]); !ok {
					return 0, false
				}
			}
		}
	}
	if hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	if len(s) > 1 && s[0] == ' ' {
		s = s[1:]
	}
	offset, local, ok := scanOffset(s)
	if !ok {
		return 0, false
	}
	if local {
		y, m, d := time.Unix(days*86400, 0).UTC().Date()
		return unixNanos(wallclock.Date(zone, y, m, d, hour, minute, second, nanos))
	}
	return unixNanos(time.Unix(days*86400+int64(hour*3600+minute*60+second-offset), int64(nanos)))
}

// scanOffset reads Z, ±HH, ±HHMM, ±HH:MM or ±HH:MM:SS, which must be all of s; nothing is local time.
func scanOffset(s []byte) (seconds int, local, ok bool) {
	if len(s) == 0 {
		return 0, true, true
	}
	if (s[0] == 'Z' || s[0] == 'z') && len(s) == 1 {
		return 0, false, true
	}
	if s[0] != '+' && s[0] != '-' {
		return 0, false, false
	}
	sign := 1
	if s[0] == '-' {
		sign = -1
	}
	s = s[1:]
	unit := 3600
	for k := range 3 {
		if k > 0 && len(s) > 0 && s[0] == ':' {
			s = s[1:]
		} else if k > 0 && len(s) == 0 {
			break
		}
		var x int
		if x, s, ok = scanInt(s, 2, 2); !ok || k > 0 && x > 59 || k == 0 && x > 23 {
			return 0, false, false
		}
		seconds += x * unit
		unit /= 60
	}
	return sign * seconds, false, len(s) == 0
}

func scanByte(s []byte, c byte) ([]byte, bool) {
	if len(s) == 0 || s[0] != c {
		return s, false
	}
	return s[1:], true
}

func scanInt(s []byte, least, most int) (n int, rest []byte, ok bool) {
	k := 0
	for k < len(s) && k < most && s[k]-'0' <= 9 {
		n = n*10 + int(s[k]-'0')
		k++
	}
	return n, s[k:], k >= least
}

// scanFraction reads digits behind a point as billionths. Nothing is rounded: a tenth digit must be 0.
func scanFraction(s []byte) (nanos int, rest []byte, ok bool) {
	k := 0
	for k < len(s) && s[k]-'0' <= 9 {
		switch {
		case k < 9:
			nanos = nanos*10 + int(s[k]-'0')
		case s[k] != '0':
			return 0, s, false
		}
		k++
	}
	for j := k; j < 9; j++ {
		nanos *= 10
	}
	return nanos, s[k:], k > 0
}

// appendInterval appends an interval in the form of DuckDB: years and months, days, then hours, minutes and seconds.
func appendInterval(dst []byte, iv Interval) []byte {
	start := len(dst)
	unit := func(n int64, name string) {
		if n == 0 {
			return
		}
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		dst = strconv.AppendInt(dst, n, 10)
		dst = append(append(dst, ' '), name...)
		if n != 1 && n != -1 {
			dst = append(dst, 's')
		}
	}
	unit(int64(iv.Months)/12, "year")
	unit(int64(iv.Months)%12, "month")
	unit(int64(iv.Days), "day")
	if iv.Nanos == 0 && len(dst) > start {
		return dst
	}
	if len(dst) > start {
		dst = append(dst, ' ')
	}
	u := uint64(iv.Nanos)
	if iv.Nanos < 0 {
		dst = append(dst, '-')
		u = -u
	}
	second, frac := u/1e9, u%1e9
	if second < 36000 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendUint(dst, second/3600, 10)
	for _, part := range [2]uint64{second / 60 % 60, second % 60} {
		dst = append(dst, ':', byte('0'+part/10), byte('0'+part%10))
	}
	if frac == 0 {
		return dst
	}
	dst = append(dst, '.')
	for digit := uint64(1e8); frac > 0; digit /= 10 {
		dst = append(dst, byte('0'+frac/digit))
		frac %= digit
	}
	return dst
}

// intervalUnits are the units an interval is written with, as months, days and nanoseconds.
func intervalUnit(name string) (months, days, nanos int64) {
	switch name {
	case "year", "years", "y":
		return 12, 0, 0
	case "month", "months", "mon", "mons":
		return 1, 0, 0
	case "week", "weeks", "w":
		return 0, 7, 0
	case "day", "days", "d":
		return 0, 1, 0
	case "hour", "hours", "hr", "hrs", "h":
		return 0, 0, 3600e9
	case "minute", "minutes", "min", "mins", "m":
		return 0, 0, 60e9
	case "second", "seconds", "sec", "secs", "s":
		return 0, 0, 1e9
	case "millisecond", "milliseconds", "ms":
		return 0, 0, 1e6
	case "microsecond", "microseconds", "us":
		return 0, 0, 1e3
	case "nanosecond", "nanoseconds", "ns":
		return 0, 0, 1
	}
	return 0, 0, 0
}

// ParseInterval reads numbers with units and a time of day, in any order, each with its sign: "1 year 2 days -03:04:05.6",
// "90 seconds", "1.5 hours". Only units from an hour to a millisecond may have a fraction. It reports whether the text is an interval that fits.
func ParseInterval(s []byte) (iv Interval, ok bool) {
	var months, days, nanos int64
	any := false
	add := func(to *int64, count, unit int64) bool {
		x, ok := mulInt(count, unit)
		r, err := intArith(Add, *to, x)
		*to = r
		return ok && err == nil
	}
	for s = trimSpace(s); len(s) > 0; s = trimSpace(s) {
		any = true
		sign := int64(1)
		if s[0] == '-' || s[0] == '+' {
			if s[0] == '-' {
				sign = -1
			}
			s = s[1:]
		}
		k := 0
		for k < len(s) && s[k]-'0' <= 9 {
			k++
		}
		if k == 0 || k > 19 {
			return Interval{}, false
		}
		u, err := strconv.ParseUint(string(s[:k]), 10, 64)
		if err != nil || u > math.MaxInt64+1 || u > math.MaxInt64 && sign > 0 {
			return Interval{}, false
		}
		count := int64(u)
		if sign < 0 {
			count = -count
		}
		s = s[k:]
		frac := 0
		if len(s) > 0 && s[0] == '.' {
			var ok bool
			if frac, s, ok = scanFraction(s[1:]); !ok {
				return Interval{}, false
			}
		}
		if len(s) > 0 && s[0] == ':' && frac == 0 {
			rest, day, ok := scanClock(s)
			if !ok || !add(&nanos, count, 3600e9) || !add(&nanos, sign, day) {
				return Interval{}, false
			}
			s = rest
			continue
		}
		s = trimSpace(s)
		k = 0
		for k < len(s) && s[k]|0x20-'a' < 26 {
			k++
		}
		if k > 12 {
			return Interval{}, false
		}
		m, d, n := intervalUnit(lower(s[:k]))
		s = s[k:]
		switch {
		case m == 0 && d == 0 && n == 0, frac != 0 && n < 1e6:
			return Interval{}, false
		}
		part := sign * fraction(frac, n)
		if !add(&months, count, m) || !add(&days, count, d) || !add(&nanos, count, n) || !add(&nanos, part, 1) {
			return Interval{}, false
		}
	}
	iv = Interval{int32(months), int32(days), nanos}
	return iv, any && int64(iv.Months) == months && int64(iv.Days) == days
}

// fraction returns frac billionths of a unit of n nanoseconds.
func fraction(frac int, n int64) int64 {
	if n >= 1e9 {
		return int64(frac) * (n / 1e9)
	}
	return int64(frac) * n / 1e9
}

// scanClock reads :MM, :MM:SS or :MM:SS.fraction as nanoseconds.
func scanClock(s []byte) (rest []byte, nanos int64, ok bool) {
	minute, s, ok := scanInt(s[1:], 2, 2)
	if !ok || minute > 59 {
		return nil, 0, false
	}
	nanos = int64(minute) * 60e9
	if len(s) > 0 && s[0] == ':' {
		second, rest, ok := scanInt(s[1:], 2, 2)
		if !ok || second > 59 {
			return nil, 0, false
		}
		s = rest
		nanos += int64(second) * 1e9
		if len(s) > 0 && s[0] == '.' {
			frac, rest, ok := scanFraction(s[1:])
			if !ok {
				return nil, 0, false
			}
			s = rest
			nanos += int64(frac)
		}
	}
	return s, nanos, true
}

func lower(s []byte) string {
	b := []byte(string(s))
	for i := range b {
		b[i] |= 0x20
	}
	return string(b)
}
