package exec

import (
	"errors"
	"math"
	"time"

	"github.com/seed69692123/netdb/internal/wallclock"
	"github.com/seed69692123/netdb/planner/vector"
)

var (
	errDateParts = errors.New("there is no such day or time of day")
	errNoLength  = errors.New("the part is no length of time")
)

// spanFunctions are the functions on two times, on spans of time, and those that make times of numbers.
func spanFunctions() []*Function {
	between := func(f func(p timePart, a, b time.Time) (int64, error)) func(c *call, i int) error {
		return func(c *call, i int) error {
			p, _, err := c.part(i)
			if err != nil {
				return err
			}
			z := c.zone()
			n, err := f(p, time.Unix(0, c.args[1].Int(i)).In(z), time.Unix(0, c.args[2].Int(i)).In(z))
			if errors.Is(err, errNoLength) {
				err = &TimePartError{string(c.args[0].Bytes(i))}
			}
			c.out.Ints[i] = n
			return err
		}
	}
	// of makes an interval of a number of units.
	of := func(name, example, answer string, months, days, nanos int64) *Function {
		return &Function{
			Name: name, Params: []Param{IntParam}, result: gives(vector.IntervalType), CanFail: true,
			row: func(c *call, i int) error {
				iv, ok := scaled(c.args[0].Int(i), months, days, nanos)
				if !ok {
					return vector.ErrTimeRange
				}
				c.out.Intervals[i] = iv
				return nil
			},
			Doc: name + "(n): an interval of n of them", Example: example, Answer: answer,
		}
	}
	three := []Param{TextParam, TimeParam, TimeParam}
	i := IntParam
	fns := []*Function{
		{
			Name: "age", Params: []Param{TimeParam, TimeParam}, Min: 1, result: gives(vector.IntervalType), CanFail: true,
			row: func(c *call, i int) error {
				a, z := c.args[0].Int(i), c.zone()
				if len(c.args) > 1 {
					c.out.Intervals[i] = age(time.Unix(0, a).In(z), time.Unix(0, c.args[1].Int(i)).In(z))
					return nil
				}
				y, m, d := c.env.Now.In(z).Date()
				c.out.Intervals[i] = age(wallclock.Date(z, y, m, d, 0, 0, 0, 0), time.Unix(0, a).In(z))
				return nil
			},
			Doc:     "age(a [, b]): the years, months, days and time from b to a on the clock; age(b) is that from b to today",
			Example: "age(TIMESTAMP '2024-03-01 00:00:00', TIMESTAMP '2023-01-31 12:00:00')", Answer: "1 year 1 month 12:00:00",
		},
		{
			Name: "date_diff", Aliases: []string{"datediff"}, Params: three, result: gives(vector.Int), CanFail: true, row: between(crossed),
			Doc:     "date_diff('part', a, b): how often a new year, month, week, day, hour … begins from a to b",
			Example: "date_diff('year', DATE '2023-12-31', DATE '2024-01-01')", Answer: "1",
		},
		{
			Name: "date_sub", Aliases: []string{"datesub"}, Params: three, result: gives(vector.Int), CanFail: true, row: between(complete),
			Doc:     "date_sub('part', a, b): how many whole years, months, weeks, days, hours … lie between a and b",
			Example: "date_sub('year', DATE '2023-12-31', DATE '2024-12-30')", Answer: "0",
		},
		{
			Name: "make_date", Params: []Param{i, i, i}, result: gives(vector.Date), CanFail: true,
			row: func(c *call, i int) error {
				y, m, d := c.args[0].Int(i), c.args[1].Int(i), c.args[2].Int(i)
				if !isDay(y, m, d) {
					return errDateParts
				}
				c.out.Ints[i] = floorDiv(time.Date(int(y), time.Month(m), int(d), 0, 0, 0, 0, time.UTC).Unix(), 86400)
				return nil
			},
			Doc: "make_date(year, month, day): a DATE", Example: "make_date(2024, 2, 29)", Answer: "2024-02-29",
		},
		{
			Name: "make_interval", Params: []Param{i, i, i, i, i, i, FloatParam}, Min: 1, result: gives(vector.IntervalType), CanFail: true, row: makeInterval,
			Doc:     "make_interval(years [, months [, weeks [, days [, hours [, minutes [, seconds]]]]]]): an interval",
			Example: "make_interval(1, 2, 0, 3, 4, 5, 6.5)", Answer: "1 year 2 months 3 days 04:05:06.5",
		},
		{
			Name: "make_timestamp", Aliases: []string{"make_timestamptz"}, Params: []Param{i, i, i, i, i, FloatParam, TextParam}, Min: 6, CanFail: true,
			result: gives(vector.Time), row: makeTimestamp,
			Doc:     "make_timestamp(year, month, day, hour, minute, seconds [, zone]): a time by the clock of the session's zone or another one; make_timestamp(n) is make_timestamp_us(n)",
			Example: "make_timestamp(2024, 7, 1, 12, 30, 1.5, 'Europe/Paris')", Answer: "2024-07-01T10:30:01.500000000Z",
		},
		{
			Name: "timezone", Params: []Param{TextParam, TimeParam}, result: gives(vector.Time), CanFail: true,
			row: func(c *call, i int) error {
				k, ok := c.kept.(*keptZone)
				if !ok {
					k = &keptZone{}
					c.kept = k
				}
				z, err := k.of(c.args[0].Bytes(i))
				if err != nil {
					return err
				}
				t := time.Unix(0, c.args[1].Int(i)).In(z)
				y, m, d := t.Date()
				h, mi, s := t.Clock()
				return c.setTime(i, wallclock.Date(c.zone(), y, m, d, h, mi, s, t.Nanosecond()))
			},
			Doc:     "timezone('zone', t): t AT TIME ZONE 'zone', the time at which the session's clock shows what the clock of that zone shows at t",
			Example: "timezone('Europe/Paris', TIMESTAMP '2024-07-01 12:00:00')", Answer: "2024-07-01T14:00:00.000000000Z",
		},
		of("to_centuries", "to_centuries(2)", "200 years", 1200, 0, 0),
		of("to_days", "to_days(2)", "2 days", 0, 1, 0),
		of("to_decades", "to_decades(2)", "20 years", 120, 0, 0),
		of("to_hours", "to_hours(2)", "02:00:00", 0, 0, 3600e9),
		of("to_microseconds", "to_microseconds(2)", "00:00:00.000002", 0, 0, 1e3),
		of("to_milliseconds", "to_milliseconds(2)", "00:00:00.002", 0, 0, 1e6),
		of("to_minutes", "to_minutes(2)", "00:02:00", 0, 0, 60e9),
		of("to_months", "to_months(2)", "2 months", 1, 0, 0),
		of("to_nanoseconds", "to_nanoseconds(2)", "00:00:00.000000002", 0, 0, 1),
		of("to_seconds", "to_seconds(2)", "00:00:02", 0, 0, 1e9),
		of("to_weeks", "to_weeks(2)", "14 days", 0, 7, 0),
		of("to_years", "to_years(2)", "2 years", 12, 0, 0),
	}
	return fns
}

func isDay(y, m, d int64) bool {
	if y < 1 || y > 9999 || m < 1 || m > 12 || d < 1 || d > 31 {
		return false
	}
	return time.Date(int(y), time.Month(m), int(d), 0, 0, 0, 0, time.UTC).Day() == int(d)
}

// setTime writes a time if it fits.
func (c *call) setTime(i int, t time.Time) error {
	ns := t.UnixNano()
	if back := time.Unix(0, ns); !back.Equal(t) {
		return vector.ErrTimeRange
	}
	c.out.Ints[i] = ns
	return nil
}

// scaled is n times a span.
func scaled(n, months, days, nanos int64) (vector.Interval, bool) {
	m, d, ns := n*months, n*days, n*nanos
	if n != 0 && (m/n != months || d/n != days || ns/n != nanos) || int64(int32(m)) != m || int64(int32(d)) != d {
		return vector.Interval{}, false
	}
	return vector.Interval{Months: int32(m), Days: int32(d), Nanos: ns}, true
}

// addSpans adds two spans.
func addSpans(a, b vector.Interval) (vector.Interval, bool) {
	m, d, ns := int64(a.Months)+int64(b.Months), int64(a.Days)+int64(b.Days), a.Nanos+b.Nanos
	fits := (ns > a.Nanos) == (b.Nanos > 0) && int64(int32(m)) == m && int64(int32(d)) == d
	return vector.Interval{Months: int32(m), Days: int32(d), Nanos: ns}, fits
}

func makeInterval(c *call, i int) error {
	units := [...]vector.Interval{{Months: 12}, {Months: 1}, {Days: 7}, {Days: 1}, {Nanos: 3600e9}, {Nanos: 60e9}}
	var sum vector.Interval
	for k, v := range c.args {
		var part vector.Interval
		var ok bool
		if k < len(units) {
			u := units[k]
			part, ok = scaled(v.Int(i), int64(u.Months), int64(u.Days), u.Nanos)
		} else {
			ns := math.Round(v.Float(i) * 1e9)
			ok = ns >= -1<<63 && ns < 1<<63
			part.Nanos = int64(ns)
		}
		if ok {
			sum, ok = addSpans(sum, part)
		}
		if !ok {
			return vector.ErrTimeRange
		}
	}
	c.out.Intervals[i] = sum
	return nil
}

func makeTimestamp(c *call, i int) error {
	y, m, d := c.args[0].Int(i), c.args[1].Int(i), c.args[2].Int(i)
	h, mi, s := c.args[3].Int(i), c.args[4].Int(i), c.args[5].Float(i)
	if !isDay(y, m, d) || h < 0 || h > 23 || mi < 0 || mi > 59 || !(s >= 0 && s < 60) {
		return errDateParts
	}
	z := c.zone()
	if len(c.args) > 6 {
		k, ok := c.kept.(*keptZone)
		if !ok {
			k = &keptZone{}
			c.kept = k
		}
		var err error
		if z, err = k.of(c.args[6].Bytes(i)); err != nil {
			return err
		}
	}
	whole := math.Floor(s)
	nanos := min(math.Round((s-whole)*1e9), 1e9-1)
	return c.setTime(i, wallclock.Date(z, int(y), time.Month(m), int(d), int(h), int(mi), int(whole), int(nanos)))
}

// wallDays is the day that the clock shows, counted from 1970-01-01.
func wallDays(t time.Time) int64 {
	_, offset := t.Zone()
	return floorDiv(t.Unix()+int64(offset), 86400)
}

// crossed counts the beginnings of a part from a to b: of parts from a day up by the clock, of shorter ones by the time that passed.
func crossed(p timePart, a, b time.Time) (int64, error) {
	var x, y int64
	index := func(t time.Time) int64 {
		year, month, _ := t.Date()
		switch p {
		case partWeek:
			return floorDiv(wallDays(t)+3, 7) // 1970-01-01 was a Thursday
		case partDay, partDow, partDoy, partIsodow:
			return wallDays(t)
		case partMonth:
			return int64(year)*12 + int64(month)
		case partQuarter:
			return int64(year)*4 + int64(month-1)/3
		}
		n, _ := partOf(p, t)
		return n
	}
	switch p {
	case partWeek, partDay, partDow, partDoy, partIsodow, partMonth, partQuarter, partYear, partDecade, partCentury, partMillennium, partIsoyear:
		x, y = index(a), index(b)
	case partNanosecond:
		x, y = a.UnixNano(), b.UnixNano()
		if d := y - x; (d > 0) != (y > x) {
			return 0, vector.ErrTimeRange
		}
	case partMicrosecond, partMillisecond, partSecond, partMinute, partHour, partEpoch:
		unit := int64(1e9)
		if p != partEpoch {
			unit = partNanos[p]
		}
		_, offset := a.Zone()
		shift := int64(offset) * 1e9 % unit
		x, y = floorDiv(a.UnixNano(), unit), floorDiv(b.UnixNano(), unit)
		if shift != 0 {
			x, y = floorDiv(floorDiv(a.UnixNano(), 1e9)+shift/1e9, unit/1e9), floorDiv(floorDiv(b.UnixNano(), 1e9)+shift/1e9, unit/1e9)
		}
	default:
		return 0, errNoLength
	}
	return y - x, nil
}

// complete counts the whole parts between a and b, less than 0 when b is before a.
func complete(p timePart, a, b time.Time) (int64, error) {
	if b.Before(a) {
		n, err := complete(p, b, a)
		return -n, err
	}
	months := int64(0)
	switch p {
	case partMonth:
		months = 1
	case partQuarter:
		months = 3
	case partYear, partIsoyear:
		months = 12
	case partDecade:
		months = 120
	case partCentury:
		months = 1200
	case partMillennium:
		months = 12000
	}
	switch {
	case months > 0:
		iv := age(b, a)
		return int64(iv.Months) / months, nil
	case p == partDay, p == partWeek:
		days := wallDays(b) - wallDays(a)
		if clockOf(b) < clockOf(a) {
			days--
		}
		if p == partWeek {
			days /= 7
		}
		return days, nil
	case p >= partNanosecond && p <= partHour:
		unit := partNanos[p]
		seconds, nanos := b.Unix()-a.Unix(), int64(b.Nanosecond()-a.Nanosecond())
		if unit >= 1e9 {
			if nanos < 0 {
				seconds--
			}
			return seconds / (unit / 1e9), nil
		}
		if p == partNanosecond && seconds > math.MaxInt64/1_000_000_000-1 {
			return 0, vector.ErrTimeRange
		}
		return seconds*(1e9/unit) + floorDiv(nanos, unit), nil
	}
	return 0, errNoLength
}

// clockOf is the time of day that the clock shows.
func clockOf(t time.Time) int64 {
	h, m, s := t.Clock()
	return (int64(h)*3600+int64(m)*60+int64(s))*1e9 + int64(t.Nanosecond())
}

// age is the span from b to a on the clock: whole months first, then days, those of the month of the earlier time, then time.
func age(a, b time.Time) vector.Interval {
	if a.Before(b) {
		iv := age(b, a)
		return vector.Interval{Months: -iv.Months, Days: -iv.Days, Nanos: -iv.Nanos}
	}
	ay, am, ad := a.Date()
	by, bm, bd := b.Date()
	months := (ay-by)*12 + int(am-bm)
	days := ad - bd
	nanos := clockOf(a) - clockOf(b)
	if nanos < 0 {
		nanos += 86400e9
		days--
	}
	for days < 0 {
		days += time.Date(by, bm+1, 0, 0, 0, 0, 0, time.UTC).Day()
		months--
	}
	if months < 0 { // the clock was put back in between
		return vector.Interval{Nanos: a.UnixNano() - b.UnixNano()}
	}
	return vector.Interval{Months: int32(months), Days: int32(days), Nanos: nanos}
}
