package exec

import (
	"math"
	"time"

	"github.com/seed69692123/netdb/planner/vector"
)

// minSeconds is the first second that is wholly within int64 nanoseconds.
const minSeconds = math.MinInt64/1_000_000_000 + 1

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
	ofInterval := &Function{
		Name: "epoch", Params: []Param{IntervalParam}, result: gives(vector.Float),
		row: func(c *call, i int) error {
			iv := c.args[0].Interval(i) // a year has 365.25 days, a month 30
			years, months := float64(iv.Months/12), float64(iv.Months%12)
			c.out.Floats[i] = (years*365.25+months*30+float64(iv.Days))*86400 + float64(iv.Nanos)/1e9
			return nil
		},
	}
	return []*Function{
		{
			Name: "current_date", Params: nil, result: gives(vector.Date), Doc: "current_date(): the day of now() in the session's zone", Example: "current_date = CAST(now() AS DATE)", Answer: "true",
			row: func(c *call, i int) error {
				c.out.Ints[i] = dayOf(c.env.Now, c.zone())
				return nil
			},
		},
		{
			Name: "epoch", Params: []Param{TimeParam}, result: gives(vector.Float), Interval: ofInterval,
			row: func(c *call, i int) error {
				c.out.Floats[i] = float64(c.args[0].Int(i)) / 1e9
				return nil
			},
			Doc: "epoch(t): seconds since 1970, DOUBLE", Example: "epoch(TIMESTAMP '1970-01-01 00:01:00.5')", Answer: "60.5",
		},
		{Name: "epoch_ms", Params: []Param{TimeParam}, result: gives(vector.Int), row: unix(1e6), batch: dividedBy(1e6), Doc: "epoch_ms(t): whole milliseconds since 1970", Example: "epoch_ms(TIMESTAMP '1970-01-01 00:00:01')", Answer: "1000"},
		{Name: "epoch_ns", Params: []Param{TimeParam}, result: gives(vector.Int), row: unix(1), batch: dividedBy(1), Doc: "epoch_ns(t): nanoseconds since 1970", Example: "epoch_ns(TIMESTAMP '1970-01-01 00:00:01')", Answer: "1000000000"},
		{Name: "epoch_us", Params: []Param{TimeParam}, result: gives(vector.Int), row: unix(1e3), batch: dividedBy(1e3), Doc: "epoch_us(t): whole microseconds since 1970", Example: "epoch_us(TIMESTAMP '1970-01-01 00:00:01')", Answer: "1000000"},
		{
			Name: "make_timestamp_ms", Params: []Param{NumberParam}, result: gives(vector.Time), CanFail: true, row: fromUnix(1e6, 1e6), batch: timesPer(1e6),
			Doc: "make_timestamp_ms(n): the time n milliseconds after 1970", Example: "make_timestamp_ms(1500)", Answer: "1970-01-01T00:00:01.500000000Z",
		},
		{
			Name: "make_timestamp_ns", Params: []Param{NumberParam}, result: gives(vector.Time), CanFail: true, row: fromUnix(1, 1), batch: timesPer(1),
			Doc: "make_timestamp_ns(n): the time n nanoseconds after 1970", Example: "make_timestamp_ns(15)", Answer: "1970-01-01T00:00:00.000000015Z",
		},
		{
			Name: "make_timestamp_us", Params: []Param{NumberParam}, result: gives(vector.Time), CanFail: true, row: fromUnix(1e3, 1e3), batch: timesPer(1e3),
			Doc: "make_timestamp_us(n): the time n microseconds after 1970", Example: "make_timestamp_us(1500000)", Answer: "1970-01-01T00:00:01.500000000Z",
		},
		{
			Name: "now", Aliases: []string{"current_timestamp", "transaction_timestamp"}, Params: nil, result: gives(vector.Time), row: now,
			Doc: "now(): the time the query started", Example: "now() = now()", Answer: "true",
		},
		{
			Name: "to_timestamp", Params: []Param{NumberParam}, result: gives(vector.Time), CanFail: true, row: fromUnix(1e9, 1e9), batch: timesPer(1e9),
			Doc: "to_timestamp(n): the time n seconds after 1970", Example: "to_timestamp(1.5)", Answer: "1970-01-01T00:00:01.500000000Z",
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
