package exec

import (
	"math"
	"strings"
	"time"

	"github.com/seed69692123/netdb/planner/vector"
)

// partFunctions give parts of times, and the times at which parts begin.
func partFunctions() []*Function {
	datePart := &Function{
		Name: "date_part", Aliases: []string{"datepart", "extract"}, Params: []Param{TextParam, TimeParam}, result: gives(vector.Int), CanFail: true,
		row: func(c *call, i int) error {
			p, _, err := c.part(i)
			if err != nil {
				return err
			}
			x, ok := partOf(p, time.Unix(0, c.args[1].Int(i)).In(c.zone()))
			if !ok {
				return &TimePartError{string(c.args[0].Bytes(i))}
			}
			c.out.Ints[i] = x
			return nil
		},
		Doc:     "date_part('part', t): a part of a time in the session's zone, or of an interval: year, quarter, month, week, day, hour, minute, second, millisecond, microsecond, nanosecond, dow, isodow, doy, isoyear, yearweek, decade, century, millennium, timezone; also EXTRACT(part FROM t). The part epoch is DOUBLE",
		Example: "date_part('week', TIMESTAMP '2024-12-30 10:00:00')", Answer: "1",
	}
	datePart.Interval = &Function{
		Name: "date_part", Params: []Param{TextParam, IntervalParam}, result: gives(vector.Int), CanFail: true,
		row: func(c *call, i int) error {
			p, _, err := c.part(i)
			if err != nil {
				return err
			}
			x, ok := partOfInterval(p, c.args[1].Interval(i))
			if !ok {
				return &TimePartError{string(c.args[0].Bytes(i))}
			}
			c.out.Ints[i] = x
			return nil
		},
	}
	fns := []*Function{
		datePart,
		{
			Name: "date_trunc", Aliases: []string{"datetrunc"}, Params: []Param{TextParam, TimeParam, TextParam}, Min: 2, result: gives(vector.Time), CanFail: true, row: dateTrunc, batch: truncBatch,
			Doc:     "date_trunc('part', t [, zone]): the start of the year, quarter, month, week, day, hour, minute, second … that t is in, by the clock of the session's zone or another one",
			Example: "date_trunc('day', TIMESTAMP '2024-07-01 23:30:00', 'Europe/Paris')", Answer: "2024-07-01T22:00:00.000000000Z",
		},
		{
			Name: "dayname", Params: []Param{TimeParam}, result: gives(vector.Text),
			row: func(c *call, i int) error {
				return c.setText(i, []byte(time.Unix(0, c.args[0].Int(i)).In(c.zone()).Weekday().String()))
			},
			Doc: "dayname(t): the name of the day of the week", Example: "dayname(DATE '2024-05-01')", Answer: "Wednesday",
		},
		{
			Name: "last_day", Params: []Param{TimeParam}, result: gives(vector.Date),
			row: func(c *call, i int) error {
				y, m, _ := time.Unix(0, c.args[0].Int(i)).In(c.zone()).Date()
				c.out.Ints[i] = time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Unix() / 86400
				return nil
			},
			Doc: "last_day(t): the last day of the month", Example: "last_day(DATE '2024-02-10')", Answer: "2024-02-29",
		},
		{
			Name: "monthname", Params: []Param{TimeParam}, result: gives(vector.Text),
			row: func(c *call, i int) error {
				return c.setText(i, []byte(time.Unix(0, c.args[0].Int(i)).In(c.zone()).Month().String()))
			},
			Doc: "monthname(t): the name of the month", Example: "monthname(DATE '2024-05-01')", Answer: "May",
		},
	}
	examples := map[timePart][2]string{
		partYear: {"2024", "year(t): the year"}, partQuarter: {"4", "quarter(t): 1 to 4"}, partMonth: {"12", "month(t): 1 to 12"},
		partWeek: {"1", "week(t): the week of the ISO year, 1 to 53"}, partDay: {"30", "day(t): the day of the month"},
		partHour: {"23", "hour(t): 0 to 23"}, partMinute: {"59", "minute(t): 0 to 59"}, partSecond: {"58", "second(t): 0 to 59"},
		partMillisecond: {"58765", "millisecond(t): of the minute"}, partMicrosecond: {"58765432", "microsecond(t): of the minute"},
		partNanosecond: {"58765432100", "nanosecond(t): of the minute"}, partDow: {"1", "dow(t): the day of the week, Sunday is 0"},
		partIsodow: {"1", "isodow(t): the day of the week, from Monday 1 to Sunday 7"}, partDoy: {"365", "doy(t): the day of the year"},
		partIsoyear: {"2025", "isoyear(t): the year that the week belongs to"}, partYearweek: {"202501", "yearweek(t): isoyear and week"},
	}
	for p := partNone + 1; p <= partZoneMinute; p++ {
		text, ok := examples[p]
		if !ok {
			continue
		}
		fns = append(fns, &Function{
			Name: timeParts[p][0], Aliases: longNames(timeParts[p][1:]), Params: []Param{TimeParam}, result: gives(vector.Int),
			row: func(c *call, i int) error {
				c.out.Ints[i], _ = partOf(p, time.Unix(0, c.args[0].Int(i)).In(c.zone()))
				return nil
			},
			Doc: text[1], Example: timeParts[p][0] + "(TIMESTAMP '2024-12-30 23:59:58.7654321')", Answer: text[0],
		})
	}
	return fns
}

// longNames are the names that are also functions: abbreviations and plurals are not.
func longNames(names []string) (out []string) {
	for _, n := range names {
		if strings.HasPrefix(n, "dayof") || strings.HasSuffix(n, "ofyear") || n == "weekday" {
			out = append(out, n)
		}
	}
	return out
}

func dateTrunc(c *call, i int) error {
	p, k, err := c.part(i)
	if err != nil {
		return err
	}
	z, ns := c.zone(), c.args[1].Int(i)
	if len(c.args) > 2 {
		if z, err = k.zone.of(c.args[2].Bytes(i)); err != nil {
			return err
		}
	}
	if z == time.UTC && p <= partDay && ns > math.MinInt64+86400e9 {
		unit := int64(86400e9)
		if p < partDay {
			unit = partNanos[p]
		}
		c.out.Ints[i] = floorDiv(ns, unit) * unit
		return nil
	}
	cut := func(ns int64) (int64, error) {
		t, ok := truncate(p, time.Unix(0, ns).In(z))
		if !ok {
			return 0, &TimePartError{string(c.args[0].Bytes(i))}
		}
		if t.Unix() < minSeconds {
			return 0, vector.ErrTimeRange
		}
		return t.UnixNano(), nil
	}
	spans := p >= partDay && len(c.args) == 2 // of a clock, whose hours may come twice, days and longer do not
	if spans && k.span.has(ns) {
		c.out.Ints[i] = k.span.start
		return nil
	}
	start, err := cut(ns)
	if err != nil {
		return err
	}
	if spans {
		k.span.learn(ns, start, cut)
	}
	c.out.Ints[i] = start
	return nil
}
