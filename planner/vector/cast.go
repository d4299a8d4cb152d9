package vector

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"unicode/utf8"

	"github.com/seed69692123/netdb/internal/num"
)

// Castable reports whether values of one type can have a form in another. What cannot is a plan-time error between static
// types.
func Castable(from, to Type) bool {
	if from == to || from.Dynamic() || to.Dynamic() || to == Text || from == Text {
		return true
	}
	switch from {
	case Bool:
		return to == Int || to == Float
	case Int, Float:
		return to == Bool || to == Int || to == Float
	case Time, Date:
		return to == Time || to == Date
	}
	return false
}

// Cast writes a in the type to to out. A value without a form there is an error, a RowError of a CastError at the first such
// row of the selection, or NULL when try is set. A cast to Any changes nothing.
//
// From text: what AppendText writes is read back, with spaces around it allowed. DOUBLE to BIGINT rounds half to even. A BLOB is
// read from \x and hexadecimal digits, other text is its bytes. A TEXT cast to JSON must be JSON; text in a dynamic column becomes
// a JSON string. Times are taken in s.Zone.
func (s *State) Cast(a *Vector, to Type, try bool, out *Vector, sel Sel, n int) error {
	if a.Type == to || to == Any && a.Type == JSON {
		out.Alias(a)
		out.Type = to
		return nil
	}
	out.Resize(to, n)
	var failed error
	each(sel, n, func(i int) bool {
		c := a.Class(i)
		if c == ClassNull {
			out.SetNull(i)
			return true
		}
		ok := s.castAt(c, a, i, to, out)
		switch {
		case ok:
			return true
		case try:
			out.SetNull(i)
			return true
		}
		failed = &RowError{i, s.castError(c, a, i, to)}
		return false
	})
	return failed
}

func (s *State) castError(c Class, a *Vector, i int, to Type) error {
	text := string(s.AppendText(nil, a, i))
	if len(text) > 64 {
		cut := 60
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return &CastError{Value: text, From: c.String(), To: to}
}

// castAt writes one value, and reports whether it has a form in the type.
func (s *State) castAt(c Class, a *Vector, i int, to Type, out *Vector) bool {
	switch to {
	case Any:
		out.SetFrom(i, a, i)
		return true
	case JSON:
		return s.castJSON(c, a, i, out)
	case Text:
		s.scratch = s.AppendText(s.scratch[:0], a, i)
		if len(s.scratch) > MaxValueBytes {
			return false
		}
		out.SetBytes(i, ClassText, s.scratch)
		return true
	case Bool:
		return castBool(c, a, i, out)
	case Int:
		return castInt(c, a, i, out)
	case Float:
		return castFloat(c, a, i, out)
	case Blob:
		return s.castBlob(c, a, i, out)
	}
	return s.castTime(c, a, i, to, out)
}

func castBool(c Class, a *Vector, i int, out *Vector) bool {
	switch c {
	case ClassBool:
		out.Bools[i] = a.Bool(i)
	case ClassInt:
		out.Bools[i] = a.Int(i) != 0
	case ClassFloat:
		out.Bools[i] = a.Float(i) != 0
	case ClassText:
		b, ok := parseBool(a.Bytes(i))
		out.Bools[i] = b
		return ok
	default:
		return false
	}
	return true
}

func parseBool(s []byte) (value, ok bool) {
	s = trimSpace(s)
	if len(s) == 0 || len(s) > 5 {
		return false, false
	}
	var low [5]byte
	for i, c := range s {
		low[i] = c
		if c >= 'A' && c <= 'Z' {
			low[i] += 'a' - 'A'
		}
	}
	switch string(low[:len(s)]) {
	case "true", "t", "yes", "y", "on", "1":
		return true, true
	case "false", "f", "no", "n", "off", "0":
		return false, true
	}
	return false, false
}

func castInt(c Class, a *Vector, i int, out *Vector) bool {
	switch c {
	case ClassBool:
		out.Ints[i] = 0
		if a.Bool(i) {
			out.Ints[i] = 1
		}
		return true
	case ClassInt:
		out.Ints[i] = a.Int(i)
		return true
	case ClassFloat:
		return floatToInt(a.Float(i), &out.Ints[i])
	case ClassText:
		switch k, n, f, _ := num.ParseText(a.Bytes(i)); k {
		case num.IsInt:
			out.Ints[i] = n
			return true
		case num.IsFloat:
			return floatToInt(f, &out.Ints[i])
		}
	}
	return false
}

func floatToInt(f float64, to *int64) bool {
	f = math.RoundToEven(f)
	if !(f >= -1<<63 && f < 1<<63) {
		return false
	}
	*to = int64(f)
	return true
}

func castFloat(c Class, a *Vector, i int, out *Vector) bool {
	switch c {
	case ClassBool:
		out.Floats[i] = 0
		if a.Bool(i) {
			out.Floats[i] = 1
		}
		return true
	case ClassInt:
		out.Floats[i] = float64(a.Int(i))
		return true
	case ClassFloat:
		out.Floats[i] = a.Float(i)
		return true
	case ClassText, ClassBig:
		switch k, n, f, big := num.ParseText(a.Bytes(i)); k {
		case num.IsInt:
			out.Floats[i] = float64(n)
			return true
		case num.IsFloat:
			out.Floats[i] = f
			return true
		case num.IsBig:
			out.Floats[i] = num.BigFloat(big)
			return true
		}
	}
	return false
}

func (s *State) castBlob(c Class, a *Vector, i int, out *Vector) bool {
	if c != ClassBlob && c != ClassText {
		return false
	}
	b := a.Bytes(i)
	switch {
	case c == ClassBlob:
	case len(b) >= 2 && b[0] == '\\' && b[1] == 'x':
		var err error
		if s.scratch, err = hex.AppendDecode(s.scratch[:0], b[2:]); err != nil {
			return false
		}
		b = s.scratch
	}
	out.SetBytes(i, ClassBlob, b)
	return true
}

func (s *State) castTime(c Class, a *Vector, i int, to Type, out *Vector) bool {
	switch {
	case to == IntervalType:
		switch c {
		case ClassInterval:
			out.Intervals[i] = a.Interval(i)
			return true
		case ClassText:
			iv, ok := ParseInterval(a.Bytes(i))
			out.Intervals[i] = iv
			return ok
		}
		return false
	case c == ClassText && to == Time:
		ns, ok := ParseTime(a.Bytes(i), s.zone())
		out.Ints[i] = ns
		return ok
	case c == ClassText:
		days, ok := ParseDate(a.Bytes(i))
		if !ok {
			var ns int64
			if ns, ok = ParseTime(a.Bytes(i), s.zone()); ok {
				days = s.dayOf(ns)
			}
		}
		out.Ints[i] = days
		return ok
	case c == ClassTime && to == Date:
		out.Ints[i] = s.dayOf(a.Int(i))
		return true
	case c == ClassDate && to == Time:
		ns, ok := s.midnight(a.Int(i))
		out.Ints[i] = ns
		return ok
	case c == ClassTime && to == Time || c == ClassDate && to == Date:
		out.Ints[i] = a.Int(i)
		return true
	}
	return false
}

// castJSON writes a value as JSON. A TEXT must be JSON text, but text in a dynamic column is a JSON string already; times, dates,
// intervals and bytes become strings.
func (s *State) castJSON(c Class, a *Vector, i int, out *Vector) bool {
	switch c {
	case ClassText:
		if a.Type == Text {
			return setJSON(out, i, a.Bytes(i))
		}
	case ClassBlob, ClassTime, ClassDate, ClassInterval:
		s.scratch = s.AppendText(s.scratch[:0], a, i)
		if len(s.scratch) > MaxValueBytes {
			return false
		}
		out.SetBytes(i, ClassText, s.scratch)
		return true
	}
	out.SetFrom(i, a, i)
	return true
}

// setJSON writes well-formed JSON text as the value it stands for, and reports whether it is well-formed.
func setJSON(out *Vector, i int, text []byte) bool {
	text = trimSpace(text)
	if !json.Valid(text) {
		return false
	}
	switch text[0] {
	case '{':
		out.SetBytes(i, ClassObject, text)
	case '[':
		out.SetBytes(i, ClassArray, text)
	case '"':
		out.SetBytes(i, ClassText, num.Unquote(nil, text[1:len(text)-1]))
	case 't':
		out.SetBits(i, ClassBool, 1)
	case 'f':
		out.SetBits(i, ClassBool, 0)
	case 'n':
		out.SetBits(i, ClassNull, 1)
	default:
		switch k, n, f := num.Parse(text); k {
		case num.IsInt:
			out.SetBits(i, ClassInt, uint64(n))
		case num.IsBig:
			out.SetBytes(i, ClassBig, text)
		default:
			out.SetBits(i, ClassFloat, math.Float64bits(f))
		}
	}
	return true
}

func trimSpace(s []byte) []byte {
	for len(s) > 0 && (s[0] == ' ' || s[0]-'\t' <= '\r'-'\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1]-'\t' <= '\r'-'\t') {
		s = s[:len(s)-1]
	}
	return s
}
