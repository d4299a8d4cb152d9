package query

import (
	"fmt"
	"math"
	"math/bits"
	"strings"
)

const nanosPerHour = uint64(3600e9)

// intervalUnit is a unit of an interval: how many months, days or nanoseconds
// one of it is.
type intervalUnit struct{ months, days, nanos uint64 }

func unitOf(name string) (intervalUnit, bool) {
	if len(name) > 12 {
		return intervalUnit{}, false
	}
	name = strings.ToLower(name)
	if name != "s" && name != "ms" && name != "us" && name != "ns" {
		name = strings.TrimSuffix(name, "s")
	}
	switch name {
	case "millennium", "millennia", "millenium":
		return intervalUnit{months: 12000}, true
	case "century", "centurie":
		return intervalUnit{months: 1200}, true
	case "decade":
		return intervalUnit{months: 120}, true
	case "year", "yr", "y":
		return intervalUnit{months: 12}, true
	case "quarter":
		return intervalUnit{months: 3}, true
	case "month", "mon":
		return intervalUnit{months: 1}, true
	case "week", "w":
		return intervalUnit{days: 7}, true
	case "day", "d":
		return intervalUnit{days: 1}, true
	case "hour", "hr", "h":
		return intervalUnit{nanos: 3600e9}, true
	case "minute", "min", "m":
		return intervalUnit{nanos: 60e9}, true
	case "second", "sec", "s":
		return intervalUnit{nanos: 1e9}, true
	case "millisecond", "msec", "ms":
		return intervalUnit{nanos: 1e6}, true
	case "microsecond", "usec", "us":
		return intervalUnit{nanos: 1e3}, true
	case "nanosecond", "nsec", "ns":
		return intervalUnit{nanos: 1}, true
	}
	return intervalUnit{}, false
}

// IsIntervalUnit reports whether a word names a unit of an interval: year,
// months, DAY, h.
func IsIntervalUnit(word string) bool {
	_, ok := unitOf(word)
	return ok
}

// ParseInterval reads an interval: numbers with units, in any order, and a time
// of day, which may be negative: 1 year 2 months -3 days 04:05:06.5. A fraction
// is allowed for weeks and shorter units; of a week or a day it becomes whole
// days and nanoseconds. Nothing is rounded and nothing overflows.
func ParseInterval(s string) (Value, error) {
	var months, days, nanos int64
	bad := func(why string) (Value, error) {
		return Value{}, fmt.Errorf("%q is no interval: %s", clip(s), why)
	}
	parts := 0
	for r := (reader{s: strings.TrimSpace(s)}); !r.done(); parts++ {
		negative := r.accept('-')
		if !negative {
			r.accept('+')
		}
		start := r.i
		whole, frac, scale, ok := r.quantity()
		if !ok {
			return bad("expected a number")
		}
		if r.peek() == ':' && scale == 0 {
			r.i = start
			ns, ok := r.duration()
			if !ok {
				return bad("expected a time such as 04:05:06.5")
			}
			if nanos, ok = addScaled(nanos, ns, 1, negative); !ok {
				return bad("it is out of range")
			}
		} else {
			r.spaces()
			unit, ok := r.unit()
			if !ok {
				return bad("expected a unit such as days or hours")
			}
			if ok := addUnit(&months, &days, &nanos, unit, whole, frac, scale, negative); !ok {
				return bad("it is out of range, or a fraction has no whole number of nanoseconds")
			}
		}
		r.spaces()
	}
	if parts == 0 {
		return bad("it is empty")
	}
	if int64(int32(months)) != months || int64(int32(days)) != days {
		return bad("it is out of range")
	}
	return Interval(int32(months), int32(days), nanos), nil
}

// quantity takes digits and an optional fraction of at most nine digits.
func (r *reader) quantity() (whole, frac, scale uint64, ok bool) {
	n := 0
	for ; isDigitByte(r.peek()); n++ {
		c := uint64(r.peek() - '0')
		if whole > (math.MaxInt64-c)/10 {
			return 0, 0, 0, false
		}
		whole = whole*10 + c
		r.i++
	}
	if r.accept('.') {
		scale = 1
		for isDigitByte(r.peek()) {
			if scale == 1e9 {
				return 0, 0, 0, false
			}
			frac = frac*10 + uint64(r.peek()-'0')
			scale *= 10
			r.i++
			n++
		}
	}
	return whole, frac, scale, n > 0
}

func (r *reader) unit() (intervalUnit, bool) {
	start := r.i
	for c := r.peek() | 0x20; 'a' <= c && c <= 'z'; c = r.peek() | 0x20 {
		r.i++
	}
	return unitOf(r.s[start:r.i])
}

// duration takes h:mm[:ss[.fraction]] with any number of hours, in nanoseconds.
func (r *reader) duration() (uint64, bool) {
	var hours uint64
	for isDigitByte(r.peek()) {
		hours = hours*10 + uint64(r.peek()-'0')
		if hours > math.MaxInt64/nanosPerHour {
			return 0, false
		}
		r.i++
	}
	r.accept(':')
	minute, ok := r.digits(2)
	second, nanos := 0, 0
	if ok && r.accept(':') {
		if second, ok = r.digits(2); ok && r.accept('.') {
			nanos, ok = r.fraction()
		}
	}
	if !ok || minute > 59 || second > 59 {
		return 0, false
	}
	return hours*nanosPerHour + uint64(minute)*60e9 + uint64(second)*1e9 + uint64(nanos), true
}

// addUnit adds whole + frac/scale units.
func addUnit(months, days, nanos *int64, u intervalUnit, whole, frac, scale uint64, negative bool) bool {
	var ok [3]bool
	*months, ok[0] = addScaled(*months, whole, u.months, negative)
	*days, ok[1] = addScaled(*days, whole, u.days, negative)
	*nanos, ok[2] = addScaled(*nanos, whole, u.nanos, negative)
	if !ok[0] || !ok[1] || !ok[2] {
		return false
	}
	if frac == 0 {
		return true
	}
	if u.months != 0 {
		return false
	}
	// A fraction of days is counted in nanoseconds; those of a week first give
	// whole days. The product fits 128 bits and the quotient 64.
	hi, lo := bits.Mul64(frac, u.days*86400e9+u.nanos)
	quo, rem := bits.Div64(hi, lo, scale)
	if rem != 0 {
		return false
	}
	wholeDays := uint64(0)
	if u.days != 0 {
		wholeDays, quo = quo/86400e9, quo%86400e9
	}
	*days, ok[0] = addScaled(*days, wholeDays, 1, negative)
	*nanos, ok[1] = addScaled(*nanos, quo, 1, negative)
	return ok[0] && ok[1]
}

// addScaled is sum ± n*unit, if it fits.
func addScaled(sum int64, n, unit uint64, negative bool) (int64, bool) {
	hi, lo := bits.Mul64(n, unit)
	if hi != 0 || lo > math.MaxInt64+1 || lo == math.MaxInt64+1 && !negative {
		return 0, false
	}
	d := int64(lo)
	if negative {
		d = -d
	}
	out := sum + d
	if d > 0 && out < sum || d < 0 && out > sum {
		return 0, false
	}
	return out, true
}
