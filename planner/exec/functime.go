package exec

import (
	"errors"
	"math"
	"strings"
	"time"

	"github.com/seed69692123/netdb/planner/vector"
)

// minSeconds is the first second that is wholly within int64 nanoseconds.
const minSeconds = math.MinInt64/1_000_000_000 + 1

var errTimePart = errors.New("unknown part of a time: want year, quarter, month, week, day, hour, minute, second, millisecond, microsecond, dow, doy or epoch")

// timeFunctions are the functions on times. Parts of a time are those in the session's zone.
func timeFunctions() []*Function {
	now := func(c *call, i int) error {
		c.out.Ints[i] = c.env.Now.UnixNano()
		return nil
	}
	fromUnix := func(unit float64, per int64) func(c *call, i int) error {
		return func(c *call, i int) error {
			v := c.args[0]
			switch v.Class(i) {
			case vector.ClassInt:
				x := v.Int(i)
				if y := x * per; y/per == x {
					c.out.Ints[i] = y
					return nil
				}
				return vector.ErrTimeRange
			case vector.ClassFloat:
				f := math.Round(v.Float(i) * unit)
				if !(f >= -1<<63 && f < 1<<63) {
					return vector.ErrTimeRange
				}
				c.out.Ints[i] = int64(f)
			case vector.ClassBig:
				return vector.ErrTimeRange
			default:
				c.other(i)
			}
			return nil
		}
	}
	unix := func(per int64) func(c *call, i int) error {
		return func(c *call, i int) error {
			c.out.Ints[i] = floorDiv(c.args[0].Int(i), per)
			return nil
		}
	}
	return []*Function{
		{
			Name: "current_date", Params: nil, result: gives(vector.Date), Doc: "current_date(): the day of now() in the session's zone",
			row: func(c *call, i int) error {
				c.out.Ints[i] = dayOf(c.env.Now, c.zone())
				return nil
			},
		},
		{
			Name: "date_part", Aliases: []string{"extract"}, Params: []Param{TextParam, TimeParam}, result: gives(vector.Int), CanFail: true,
			row: func(c *call, i int) error {
				x, ok := timePart(strings.ToLower(string(c.args[0].Bytes(i))), time.Unix(0, c.args[1].Int(i)).In(c.zone()))
				if !ok {
					return errTimePart
				}
				c.out.Ints[i] = x
				return nil
			},
			Doc: "date_part('part', t): year, quarter, month, week, day, hour, minute, second, dow, doy, epoch … of a time",
		},
		{
			Name: "date_trunc", Params: []Param{TextParam, TimeParam}, result: gives(vector.Time), CanFail: true,
			row: func(c *call, i int) error {
				t, ok := truncate(strings.ToLower(string(c.args[0].Bytes(i))), time.Unix(0, c.args[1].Int(i)).In(c.zone()))
				if !ok {
					return errTimePart
				}
				if t.Unix() < minSeconds {
					return vector.ErrTimeRange
				}
				c.out.Ints[i] = t.UnixNano()
				return nil
			},
			Doc: "date_trunc('part', t): the start of the year, quarter, month, week, day, hour, minute or second that t is in",
		},
		{
			Name: "epoch", Params: []Param{TimeParam}, result: gives(vector.Float),
			row: func(c *call, i int) error {
				c.out.Floats[i] = float64(c.args[0].Int(i)) / 1e9
				return nil
			},
			Doc: "epoch(t): seconds since 1970, DOUBLE",
		},
		{Name: "epoch_ms", Params: []Param{TimeParam}, result: gives(vector.Int), row: unix(1e6), Doc: "epoch_ms(t): whole milliseconds since 1970"},
		{Name: "epoch_ns", Params: []Param{TimeParam}, result: gives(vector.Int), row: unix(1), Doc: "epoch_ns(t): nanoseconds since 1970"},
		{Name: "epoch_us", Params: []Param{TimeParam}, result: gives(vector.Int), row: unix(1e3), Doc: "epoch_us(t): whole microseconds since 1970"},
		{
			Name: "make_timestamp_ms", Params: []Param{NumberParam}, result: gives(vector.Time), CanFail: true, row: fromUnix(1e6, 1e6),
			Doc: "make_timestamp_ms(n): the time n milliseconds after 1970",
		},
		{
			Name: "make_timestamp_ns", Params: []Param{NumberParam}, result: gives(vector.Time), CanFail: true, row: fromUnix(1, 1),
			Doc: "make_timestamp_ns(n): the time n nanoseconds after 1970",
		},
		{
			Name: "now", Aliases: []string{"current_timestamp", "transaction_timestamp"}, Params: nil, result: gives(vector.Time), row: now,
			Doc: "now(): the time the query started",
		},
		{
			Name: "to_timestamp", Params: []Param{NumberParam}, result: gives(vector.Time), CanFail: true, row: fromUnix(1e9, 1e9),
			Doc: "to_timestamp(n): the time n seconds after 1970",
		},
	}
}

func (c *call) zone() *time.Location {
	if c.env.Zone == nil {
		return time.UTC
	}
	return c.env.Zone
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// dayOf returns the day of a time in a zone, counted from 1970-01-01.
func dayOf(t time.Time, zone *time.Location) int64 {
	y, m, d := t.In(zone).Date()
	return floorDiv(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix(), 86400)
}

func timePart(part string, t time.Time) (int64, bool) {
	switch part {
	case "year", "years":
		return int64(t.Year()), true
	case "quarter":
		return int64(t.Month()+2) / 3, true
	case "month", "months":
		return int64(t.Month()), true
	case "week", "weeks":
		_, w := t.ISOWeek()
		return int64(w), true
	case "day", "days":
		return int64(t.Day()), true
	case "hour", "hours":
		return int64(t.Hour()), true
	case "minute", "minutes":
		return int64(t.Minute()), true
	case "second", "seconds":
		return int64(t.Second()), true
	case "millisecond", "milliseconds":
		return int64(t.Second())*1000 + int64(t.Nanosecond())/1e6, true
	case "microsecond", "microseconds":
		return int64(t.Second())*1e6 + int64(t.Nanosecond())/1e3, true
	case "dow", "weekday", "dayofweek":
		return int64(t.Weekday()), true
	case "doy", "dayofyear":
		return int64(t.YearDay()), true
	case "epoch":
		return t.Unix(), true
	}
	return 0, false
}

func truncate(part string, t time.Time) (time.Time, bool) {
	y, m, d := t.Date()
	z := t.Location()
	switch part {
	case "year":
		return time.Date(y, 1, 1, 0, 0, 0, 0, z), true
	case "quarter":
		return time.Date(y, (m-1)/3*3+1, 1, 0, 0, 0, 0, z), true
	case "month":
		return time.Date(y, m, 1, 0, 0, 0, 0, z), true
	case "week":
		return time.Date(y, m, d-(int(t.Weekday())+6)%7, 0, 0, 0, 0, z), true
	case "day":
		return time.Date(y, m, d, 0, 0, 0, 0, z), true
	case "hour":
		// Times are cut by what the clock shows, which differs from UTC by minutes in some zones.
		return t.Add(-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond())), true
	case "minute":
		return t.Add(-time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond())), true
	case "second":
		return t.Add(-time.Duration(t.Nanosecond())), true
	case "millisecond", "milliseconds":
		return t.Add(-time.Duration(t.Nanosecond() % 1e6)), true
	case "microsecond", "microseconds":
		return t.Add(-time.Duration(t.Nanosecond() % 1e3)), true
	}
	return t, false
}
