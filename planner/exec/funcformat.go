package exec

import (
	"fmt"
	"time"

	"github.com/seed69692123/netdb/planner/vector"
)

// ParseFormatError says which text is not of a format.
type ParseFormatError struct {
	Text, Format string
	Cause        error
}

func (e *ParseFormatError) Error() string {
	return fmt.Sprintf("cannot read %q as %q: %v", e.Text, e.Format, e.Cause)
}

// Unwrap returns the cause.
func (e *ParseFormatError) Unwrap() error { return e.Cause }

// formatFunctions write and read times in formats, and write other values in one.
func formatFunctions() []*Function {
	parse := func(try bool) func(c *call, i int) error {
		return func(c *call, i int) error {
			f, err := c.timeFormat(c.args[1].Bytes(i))
			if err != nil {
				return err
			}
			s := c.args[0].Bytes(i)
			t, err := time.Time{}, errNoMatch
			if len(s) <= 2*longestFormat {
				t, err = f.parse(string(s), c.zone())
			}
			if err == nil {
				err = c.setTime(i, t)
			} else {
				err = &ParseFormatError{string(s[:min(len(s), 64)]), f.text, err}
			}
			if err != nil && try {
				c.out.SetNull(i)
				return nil
			}
			return err
		}
	}
	return []*Function{
		{
			Name: "printf", Params: []Param{TextParam, AnyParam}, Min: 1, Rest: true, result: gives(vector.Text), CanFail: true,
			row: printf,
			Doc: "printf(format, a, b, …): the values in a format of C: %d, %x, %f, %e, %g, %s with flags, width and precision", Example: "printf('%05.1f|%-4s|%x', 3.14159, 'ab', 255)", Answer: "003.1|ab  |ff",
		},
		{
			Name: "strftime", Params: []Param{TimeParam, TextParam}, result: gives(vector.Text), CanFail: true,
			row: func(c *call, i int) error {
				f, err := c.timeFormat(c.args[1].Bytes(i))
				if err != nil {
					return err
				}
				var small [64]byte
				return c.setText(i, f.append(small[:0], time.Unix(0, c.args[0].Int(i)).In(c.zone())))
			},
			Doc:     "strftime(t, format): a time as text: %Y %m %d %H %M %S, %y %-m %-d %I %p, %b %B %a %A, %f %g %n for micro-, milli- and nanoseconds, %j %u %w %U %W %V %G, %z %Z, %c %x %X, %%",
			Example: "strftime(TIMESTAMP '2024-05-01 13:05:09.25', '%a %-d %b %Y, %I:%M %p %g')", Answer: "Wed 1 May 2024, 01:05 PM 250",
		},
		{
			Name: "strptime", Params: []Param{TextParam, TextParam}, result: gives(vector.Time), CanFail: true, row: parse(false),
			Doc: "strptime(text, format): the time that a text in that format is", Example: "strptime('1 May 2024 +02', '%d %b %Y %z')", Answer: "2024-04-30T22:00:00.000000000Z",
		},
		{
			Name: "try_strptime", Params: []Param{TextParam, TextParam}, result: gives(vector.Time), CanFail: true, row: parse(true),
			Doc: "try_strptime(text, format): the same, NULL when the text is not in that format", Example: "try_strptime('May', '%d')", Answer: "NULL",
		},
	}
}

// timeFormat returns a format taken apart.
func (c *call) timeFormat(text []byte) (*timeFormat, error) {
	if f, ok := c.kept.(*timeFormat); ok && f.text == string(text) {
		return f, nil
	}
	f, err := compileTimeFormat(string(text[:min(len(text), longestFormat+1)]))
	if err != nil {
		return nil, err
	}
	c.kept = f
	return f, nil
}

// mostWidth bounds width and precision in a format.
const mostWidth = 1000

// printf writes the other arguments in the format that the first one is.
func printf(c *call, i int) error {
	format := c.args[0].Bytes(i)
	return c.build(i, vector.ClassText, func(w *sink) error {
		next := 1
		for k := 0; k < len(format); {
			if format[k] != '%' {
				end := k + 1
				for end < len(format) && format[end] != '%' {
					end++
				}
				if err := w.add(format[k:end]); err != nil {
					return err
				}
				k = end
				continue
			}
			start := k
			for k++; k < len(format) && (format[k] == '-' || format[k] == '+' || format[k] == ' ' || format[k] == '#' || format[k] == '0'); k++ {
			}
			for n, dots := 0, 0; k < len(format) && (format[k] >= '0' && format[k] <= '9' || format[k] == '.'); k++ {
				if n = n*10 + int(format[k]-'0'); format[k] == '.' {
					n = 0
					dots++
				}
				if n > mostWidth || dots > 1 {
					return &FormatError{"width or precision above 1000"}
				}
			}
			for k < len(format) && (format[k] == 'l' || format[k] == 'h') { // the sizes of C
				k++
			}
			if k == len(format) {
				return &FormatError{"it ends behind a %"}
			}
			verb := format[k]
			k++
			if verb == '%' {
				if err := w.addString("%"); err != nil {
					return err
				}
				continue
			}
			if next >= len(c.args) {
				return &FormatError{"it wants more values than there are"}
			}
			if err := w.addFormatted(string(format[start:k-1]), verb, c.args[next], i); err != nil {
				return err
			}
			next++
		}
		return nil
	})
}

// addFormatted adds one value.
func (w *sink) addFormatted(flags string, verb byte, v *vector.Vector, i int) error {
	for len(flags) > 0 && (flags[len(flags)-1] == 'l' || flags[len(flags)-1] == 'h') {
		flags = flags[:len(flags)-1]
	}
	wrong := func(want string) error {
		return &FormatError{fmt.Sprintf("%%%s wants %s, not a %s", string(rune(verb)), want, classType(v.Class(i)))}
	}
	class := v.Class(i)
	switch verb {
	case 'd', 'i', 'u', 'x', 'X', 'o', 'c':
		if class != vector.ClassInt {
			return wrong("a BIGINT")
		}
		if verb == 'i' || verb == 'u' {
			verb = 'd'
		}
		return w.addString(fmt.Sprintf(flags+string(rune(verb)), v.Int(i)))
	case 'f', 'F', 'e', 'E', 'g', 'G':
		x := 0.0
		switch class {
		case vector.ClassInt:
			x = float64(v.Int(i))
		case vector.ClassFloat:
			x = v.Float(i)
		default:
			return wrong("a number")
		}
		return w.addString(fmt.Sprintf(flags+string(rune(verb)), x))
	case 's':
		if flags == "%" {
			return w.addText(v, i)
		}
		if v.DataLen(i) > vector.LargeBytes {
			return wrong("a short text")
		}
		var small [smallText]byte
		return w.addString(fmt.Sprintf(flags+"s", w.c.AppendText(small[:0], v, i)))
	}
	return &FormatError{fmt.Sprintf("there is no %%%s", string(rune(verb)))}
}
