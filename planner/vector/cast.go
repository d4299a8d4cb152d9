package vector

import (
	"encoding/hex"
	"encoding/json"
	"errors"
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
		ok, err := s.castAt(c, a, i, to, out)
		switch {
		case err != nil && (!try || !errors.Is(err, ErrValueTooLarge)):
			failed = &RowError{i, err}
			return false
		case ok && err == nil:
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
	var text string
	if n := a.DataLen(i); n > 128 && c != ClassBlob {
		text = string(a.Bytes(i)[:128]) // no more is shown
	} else if n > 128 {
		text = `\x` + hex.EncodeToString(a.Bytes(i)[:64])
	} else {
		text = string(s.AppendText(nil, a, i))
	}
	if len(text) > 64 {
		cut := 60
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return &CastError{Value: text, From: c.String(), To: to}
}

// castAt writes one value, and reports whether it has a form in the type. An error is the gate's, or ErrValueTooLarge.
func (s *State) castAt(c Class, a *Vector, i int, to Type, out *Vector) (bool, error) {
	switch to {
	case Any:
		return true, s.SetFrom(out, i, a, i)
	case JSON:
		return s.castJSON(c, a, i, out)
	case Text:
		return true, s.setText(c, a, i, out)
	case Bool:
		return castBool(c, a, i, out), nil
	case Int:
		return castInt(c, a, i, out), nil
	case Float:
		return castFloat(c, a, i, out), nil
	case Blob:
		return s.castBlob(c, a, i, out)
	}
	return s.castTime(c, a, i, to, out), nil
}

// setText writes a value as text.
func (s *State) setText(c Class, a *Vector, i int, out *Vector) error {
	switch c {
	case ClassBig, ClassText, ClassArray, ClassObject:
		r, err := s.AddData(out, a.Bytes(i))
		out.SetRef(i, ClassText, r)
		return err
	case ClassBlob:
		return s.setHex(a.Bytes(i), i, out)
	}
	at := len(out.Data)
	out.Data = s.AppendText(out.Data, a, i)
	out.SetRef(i, ClassText, MakeRef(at, len(out.Data)-at))
	return nil
}

// setHex writes bytes as \x and hexadecimal digits.
func (s *State) setHex(b []byte, i int, out *Vector) error {
	n := 2 + 2*len(b)
	if n > MaxValueBytes {
		return ErrValueTooLarge
	}
	if err := s.room(out, n); err != nil {
		return err
	}
	at := len(out.Data)
	out.Data = append(out.Data, `\x`...)
	for ; len(b) > num.PaceBytes && s.Gate != nil; b = b[num.PaceBytes:] {
		out.Data = hex.AppendEncode(out.Data, b[:num.PaceBytes])
		if err := s.Gate.Step(num.PaceBytes); err != nil {
			return err
		}
	}
	out.Data = hex.AppendEncode(out.Data, b)
	out.SetRef(i, ClassText, MakeRef(at, n))
	return nil
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

func (s *State) castBlob(c Class, a *Vector, i int, out *Vector) (bool, error) {
	if c != ClassBlob && c != ClassText {
		return false, nil
	}
	b := a.Bytes(i)
	if c == ClassBlob || len(b) < 2 || b[0] != '\\' || b[1] != 'x' {
		r, err := s.AddData(out, b)
		out.SetRef(i, ClassBlob, r)
		return true, err
	}
	if b = b[2:]; len(b)%2 != 0 {
		return false, nil
	}
	if err := s.room(out, len(b)/2); err != nil {
		return false, err
	}
	at := len(out.Data)
	for len(b) > 0 {
		part := b[:min(len(b), num.PaceBytes)]
		var err error
		if out.Data, err = hex.AppendDecode(out.Data, part); err != nil {
			return false, nil //nolint:nilerr // no hexadecimal digits: no form
		}
		if b = b[len(part):]; s.Gate != nil {
			if err := s.Gate.Step(len(part)); err != nil {
				return false, err
			}
		}
	}
	out.SetRef(i, ClassBlob, MakeRef(at, len(out.Data)-at))
	return true, nil
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
func (s *State) castJSON(c Class, a *Vector, i int, out *Vector) (bool, error) {
	switch c {
	case ClassText:
		if a.Type == Text {
			return s.setJSON(out, i, a.Bytes(i))
		}
	case ClassBlob, ClassTime, ClassDate, ClassInterval:
		return true, s.setText(c, a, i, out)
	}
	return true, s.SetFrom(out, i, a, i)
}

// setJSON writes JSON text as the value it stands for, and reports whether it is JSON.
func (s *State) setJSON(out *Vector, i int, text []byte) (bool, error) {
	text = trimSpace(text)
	valid := s.ValidJSON
	if valid == nil {
		valid = json.Valid
	}
	if !valid(text) {
		return false, nil
	}
	c := ClassBig
	switch text[0] {
	case '{':
		c = ClassObject
	case '[':
		c = ClassArray
	case '"':
		c, text = ClassText, text[1:len(text)-1]
	case 't':
		out.SetBits(i, ClassBool, 1)
		return true, nil
	case 'f':
		out.SetBits(i, ClassBool, 0)
		return true, nil
	case 'n':
		out.SetBits(i, ClassNull, 1)
		return true, nil
	default:
		switch k, n, f := num.Parse(text); k {
		case num.IsInt:
			out.SetBits(i, ClassInt, uint64(n))
			return true, nil
		case num.IsFloat, num.NotNumber:
			out.SetBits(i, ClassFloat, math.Float64bits(f))
			return true, nil
		}
	}
	if c != ClassText {
		r, err := s.AddData(out, text)
		out.SetRef(i, c, r)
		return true, err
	}
	if err := s.room(out, len(text)); err != nil {
		return false, err
	}
	var pace *num.Pace
	if s.Gate != nil && len(text) > LargeBytes {
		pace = s.Gate.Pace()
	}
	at := len(out.Data)
	out.Data = num.UnquotePaced(out.Data, text, pace)
	out.SetRef(i, c, MakeRef(at, len(out.Data)-at))
	return true, nil
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
