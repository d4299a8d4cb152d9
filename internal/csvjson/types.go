package csvjson

import (
	"strings"
	"time"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/query"
)

// Type is what the values of a column become.
type Type uint8

// The types.
const (
	Text Type = iota
	Bigint
	Double
	Boolean
	Timestamp // never found, only given
)

// String is the type's name.
func (t Type) String() string {
	return [...]string{"TEXT", "BIGINT", "DOUBLE", "BOOLEAN", "TIMESTAMP"}[t]
}

// ParseType returns the type of a name.
func ParseType(name string) (Type, bool) {
	switch strings.ToLower(name) {
	case "text", "varchar", "string":
		return Text, true
	case "bigint", "int", "integer":
		return Bigint, true
	case "double", "float", "real":
		return Double, true
	case "boolean", "bool":
		return Boolean, true
	case "timestamp", "timestamptz":
		return Timestamp, true
	}
	return Text, false
}

// append appends a value as JSON, and reports whether it is of the type; if not dst is as it was.
func (t Type) append(dst, text []byte, zone *time.Location) ([]byte, bool) {
	switch t {
	case Bigint:
		if isInteger(text) {
			return append(dst, text...), true
		}
	case Double:
		if isNumber(text) {
			return append(dst, text...), true
		}
	case Boolean:
		if b, ok := isBoolean(text); ok {
			return append(dst, b...), true
		}
	case Timestamp:
		if v, _, err := query.ParseTime(string(text), zone); err == nil {
			return payload.AppendQuoted(dst, []byte(time.Unix(0, v.Nanos()).UTC().Format("2006-01-02T15:04:05.000000000Z07:00"))), true
		}
	default:
		return payload.AppendQuoted(dst, text), true
	}
	return dst, false
}

// isInteger reports whether text is an integer as JSON has them, of 64 bits.
func isInteger(text []byte) bool {
	if len(text) == 0 || len(text) > 20 || !plainNumber(text) {
		return false
	}
	k, _, _ := num.Parse(text)
	return k == num.IsInt
}

// isNumber reports whether text is a number as JSON has them, and a finite one.
func isNumber(text []byte) bool {
	if len(text) == 0 || len(text) > 400 || !plainNumber(text) {
		return false
	}
	class, err := payload.Check(payload.JSON, text)
	if err != nil || class == payload.Missing {
		return false
	}
	v := payload.Top(payload.JSON, text)
	return v.Class == payload.Int || v.Class == payload.Float && v.Float()-v.Float() == 0
}

// plainNumber reports whether a text could be a number: it begins with a digit, or with a minus and a digit, and not with a zero that
// another digit follows.
func plainNumber(text []byte) bool {
	if text[0] == '-' {
		text = text[1:]
	}
	for _, c := range text {
		if (c < '0' || c > '9') && c != '.' && c|0x20 != 'e' && c != '+' && c != '-' {
			return false
		}
	}
	return len(text) > 0 && text[0] >= '0' && text[0] <= '9' && !(text[0] == '0' && len(text) > 1 && text[1] >= '0' && text[1] <= '9')
}

func isBoolean(text []byte) (string, bool) {
	switch len(text) {
	case 4:
		return "true", strings.EqualFold(string(text), "true")
	case 5:
		return "false", strings.EqualFold(string(text), "false")
	}
	return "", false
}

// typeOf is the narrowest type of a value.
func typeOf(text []byte) Type {
	if len(text) == 0 {
		return Text
	}
	if _, ok := isBoolean(text); ok {
		return Boolean
	}
	switch {
	case isInteger(text):
		return Bigint
	case isNumber(text):
		return Double
	}
	return Text
}

// both is the type of values of two types.
func both(a, b Type) Type {
	switch {
	case a == b:
		return a
	case a == Bigint && b == Double, a == Double && b == Bigint:
		return Double
	}
	return Text
}
