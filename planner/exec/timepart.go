package exec

import (
	"fmt"
	"strings"
	"time"

	"github.com/seed69692123/netdb/internal/wallclock"
	"github.com/seed69692123/netdb/planner/vector"
)

// timePart is a part of a time or the length of one.
type timePart uint8

const (
	partNone timePart = iota
	partNanosecond
	partMicrosecond
	partMillisecond
	partSecond
	partMinute
	partHour
	partDay
	partWeek
	partMonth
	partQuarter
	partYear
	partDecade
	partCentury
	partMillennium
	partDow
	partIsodow
	partDoy
	partIsoyear
	partYearweek
	partEra
	partEpoch
	partJulian
	partZone
	partZoneHour
	partZoneMinute
)

// timeParts are the parts by their names, the first of which names the function that gives the part.
var timeParts = map[timePart][]string{
	partNanosecond: {"nanosecond", "nanoseconds", "ns"}, partMicrosecond: {"microsecond", "microseconds", "us", "usec"},
	partMillisecond: {"millisecond", "milliseconds", "ms", "msec"}, partSecond: {"second", "seconds", "s", "sec"},
	partMinute: {"minute", "minutes", "m", "min"}, partHour: {"hour", "hours", "h", "hr"},
	partDay: {"day", "days", "d", "dayofmonth"}, partWeek: {"week", "weeks", "w", "weekofyear"},
	partMonth: {"month", "months", "mon"}, partQuarter: {"quarter", "quarters"}, partYear: {"year", "years", "y", "yr"},
	partDecade: {"decade", "decades"}, partCentury: {"century", "centuries"}, partMillennium: {"millennium", "millennia", "millenium"},
	partDow: {"dow", "dayofweek", "weekday"}, partIsodow: {"isodow"}, partDoy: {"doy", "dayofyear"}, partIsoyear: {"isoyear"},
	partYearweek: {"yearweek"}, partEra: {"era"}, partEpoch: {"epoch"}, partJulian: {"julian"},
	partZone: {"timezone"}, partZoneHour: {"timezone_hour"}, partZoneMinute: {"timezone_minute"},
}

var partsByName = func() map[string]timePart {
	m := map[string]timePart{}
	for p, names := range timeParts {
		for _, n := range names {
			m[n] = p
		}
	}
	return m
}()

// TimePartError says that a text names no part of a time that a function knows.
type TimePartError struct{ Part string }

func (e *TimePartError) Error() string {
	return fmt.Sprintf("no part of a time is called %q: year, quarter, month, week, day, hour, minute and second are", e.Part)
}

// truncSpan is times that date_trunc makes one, the first of them: from start to last.
type truncSpan struct {
	known       bool
	start, last int64
}

// has reports whether a time is in the span.
func (s *truncSpan) has(ns int64) bool { return s.known && s.start <= ns && ns <= s.last }

// learn takes in that a time becomes start. When that is the span's, it grows to twice as far if what is there becomes the same: times that
// ascend need few looks at the calendar.
func (s *truncSpan) learn(ns, start int64, truncate func(ns int64) (int64, error)) {
	if !s.known || start != s.start || ns < s.last {
		*s = truncSpan{true, start, ns}
		return
	}
	s.last = ns
	if far := ns + (ns - start); far > ns {
		if at, err := truncate(far); err == nil && at == start {
			s.last = far
		}
	}
}

// keptPart is the part that a call got last.
type keptPart struct {
	text string
	part timePart
	zone keptZone
	span truncSpan
}

// part returns the part that argument 0 names.
func (c *call) part(i int) (timePart, *keptPart, error) {
	k, ok := c.kept.(*keptPart)
	if !ok {
		k = &keptPart{}
		c.kept = k
	}
	text := c.args[0].Bytes(i)
	if k.part == partNone || string(text) != k.text {
		p := partsByName[strings.ToLower(string(text[:min(len(text), 32)]))]
		if p == partNone {
			return 0, nil, &TimePartError{string(text[:min(len(text), 32)])}
		}
		k.text, k.part, k.span = string(text), p, truncSpan{}
	}
	return k.part, k, nil
}

// keptZone is the time zone that a call got last.
type keptZone struct {
	name string
	zone *time.Location
}

// ZoneError says that there is no time zone of a name.
type ZoneError struct{ Name string }

func (e *ZoneError) Error() string { return fmt.Sprintf("no time zone is called %q", e.Name) }

// of returns the zone of a name: one of the time zone database, or an offset such as +02:00.
func (k *keptZone) of(name []byte) (*time.Location, error) {
	if k.zone != nil && k.name == string(name) {
		return k.zone, nil
	}
	z, err := loadZone(string(name[:min(len(name), 64)]))
	if err != nil {
		return nil, err
	}
	k.name, k.zone = string(name), z
	return z, nil
}

func loadZone(name string) (*time.Location, error) {
	if name != "" && name != "Local" {
		if t, err := time.Parse("-07:00", name); err == nil {
			return t.Location(), nil
		}
		if z, err := time.LoadLocation(name); err == nil {
			return z, nil
		}
		if strings.EqualFold(name, "utc") || strings.EqualFold(name, "z") {
			return time.UTC, nil
		}
	}
	return nil, &ZoneError{name}
}

// partOf returns a part of a time; ok is false for those that are no BIGINT.
func partOf(p timePart, t time.Time) (int64, bool) {
	switch p {
	case partNanosecond:
		return int64(t.Second())*1e9 + int64(t.Nanosecond()), true
	case partMicrosecond:
		return int64(t.Second())*1e6 + int64(t.Nanosecond())/1e3, true
	case partMillisecond:
		return int64(t.Second())*1e3 + int64(t.Nanosecond())/1e6, true
	case partSecond:
		return int64(t.Second()), true
	case partMinute:
		return int64(t.Minute()), true
	case partHour:
		return int64(t.Hour()), true
	case partDay:
		return int64(t.Day()), true
	case partWeek:
		_, w := t.ISOWeek()
		return int64(w), true
	case partMonth:
		return int64(t.Month()), true
	case partQuarter:
		return int64(t.Month()+2) / 3, true
	case partYear:
		return int64(t.Year()), true
	case partDecade:
		return floorDiv(int64(t.Year()), 10), true
	case partCentury:
		return floorDiv(int64(t.Year())-1, 100) + 1, true
	case partMillennium:
		return floorDiv(int64(t.Year())-1, 1000) + 1, true
	case partDow:
		return int64(t.Weekday()), true
	case partIsodow:
		return int64(t.Weekday()+6)%7 + 1, true
	case partDoy:
		return int64(t.YearDay()), true
	case partIsoyear:
		y, _ := t.ISOWeek()
		return int64(y), true
	case partYearweek:
		y, w := t.ISOWeek()
		return int64(y)*100 + int64(w), true
	case partEra:
		return 1, true // a TIMESTAMPTZ lies within it
	}
	_, offset := t.Zone()
	switch p {
	case partZone:
		return int64(offset), true
	case partZoneHour:
		return int64(offset / 3600), true
	case partZoneMinute:
		return int64(offset / 60 % 60), true
	case partEpoch:
		return t.Unix(), true
	}
	return 0, false
}

// partOfInterval returns a part of an interval.
func partOfInterval(p timePart, iv vector.Interval) (int64, bool) {
	months, nanos := int64(iv.Months), iv.Nanos
	switch p {
	case partNanosecond:
		return nanos % 60e9, true
	case partMicrosecond:
		return nanos % 60e9 / 1e3, true
	case partMillisecond:
		return nanos % 60e9 / 1e6, true
	case partSecond:
		return nanos / 1e9 % 60, true
	case partMinute:
		return nanos / 60e9 % 60, true
	case partHour:
		return nanos / 3600e9, true
	case partDay:
		return int64(iv.Days), true
	case partWeek:
		return int64(iv.Days) / 7, true
	case partMonth:
		return months % 12, true
	case partQuarter:
		return months%12/3 + 1, true
	case partYear:
		return months / 12, true
	case partDecade:
		return months / 120, true
	case partCentury:
		return months / 1200, true
	case partMillennium:
		return months / 12000, true
	}
	return 0, false
}

// truncate returns the start of the part that a time is in.
func truncate(p timePart, t time.Time) (time.Time, bool) {
	y, m, d := t.Date()
	z := t.Location()
	start := func(y int, m time.Month, d int) (time.Time, bool) {
		return wallclock.Date(z, y, m, d, 0, 0, 0, 0), true
	}
	era := func(years int) (time.Time, bool) { return start((y-1)/years*years+1, 1, 1) }
	switch p {
	case partMillennium:
		return era(1000)
	case partCentury:
		return era(100)
	case partDecade:
		return start(y/10*10, 1, 1)
	case partYear:
		return start(y, 1, 1)
	case partQuarter:
		return start(y, (m-1)/3*3+1, 1)
	case partMonth:
		return start(y, m, 1)
	case partWeek:
		return start(y, m, d-(int(t.Weekday())+6)%7)
	case partIsoyear:
		iso, _ := t.ISOWeek()
		first := time.Date(iso, 1, 4, 0, 0, 0, 0, time.UTC) // is in the first week
		return start(iso, 1, 4-(int(first.Weekday())+6)%7)
	case partDay:
		return start(y, m, d)
	case partHour:
		// Times are cut by what the clock shows, which differs from UTC by minutes in some zones.
		return t.Add(-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond())), true
	case partMinute:
		return t.Add(-time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond())), true
	case partSecond:
		return t.Add(-time.Duration(t.Nanosecond())), true
	case partMillisecond:
		return t.Add(-time.Duration(t.Nanosecond() % 1e6)), true
	case partMicrosecond:
		return t.Add(-time.Duration(t.Nanosecond() % 1e3)), true
	case partNanosecond:
		return t, true
	}
	return t, false
}

// partNanos is how long the parts of a fixed length are.
var partNanos = [...]int64{
	partNanosecond: 1, partMicrosecond: 1e3, partMillisecond: 1e6, partSecond: 1e9, partMinute: 60e9, partHour: 3600e9,
}
