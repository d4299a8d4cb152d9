package query

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxParams is the greatest number of a parameter.
const MaxParams = 65535

// MaxDigits is the greatest number of digits of an integer beyond BIGINT.
const MaxDigits = 4096

// ParseInteger reads an integer: digits with an optional sign. One that fits is
// a BIGINT, a longer one keeps its digits, without leading zeros. ok is false
// when s is no integer or has more than MaxDigits digits.
func ParseInteger(s string) (v Value, ok bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return Int(n), true
	}
	sign, digits := "", s
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		if digits[0] == '-' {
			sign = "-"
		}
		digits = digits[1:]
	}
	if !allDigits(digits) {
		return Value{}, false
	}
	digits = strings.TrimLeft(digits, "0")
	if len(digits) > MaxDigits {
		return Value{}, false
	}
	if n, err := strconv.ParseInt(sign+digits, 10, 64); err == nil {
		return Int(n), true
	}
	if digits == "" {
		return Int(0), true
	}
	return Value{kind: KindBig, s: sign + digits}, true
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// Negate is -v of a number, exactly; any other value is returned as it is.
func (v Value) Negate() Value {
	switch v.kind {
	case KindInt:
		if v.n == math.MinInt64 {
			return Value{kind: KindBig, s: "9223372036854775808"}
		}
		return Int(-v.n)
	case KindDouble:
		return Double(-v.Double())
	case KindBig, KindDecimal:
		if s, ok := strings.CutPrefix(v.s, "-"); ok {
			v.s = s
		} else if v.s != "0" {
			v.s = "-" + v.s
		}
		if v.kind == KindBig {
			v, _ = ParseInteger(v.s)
		}
	}
	return v
}

// ParseDecimal reads a DECIMAL in plain notation: digits, an optional sign and
// point, no exponent, at most MaxPrecision digits. The scale is the number of
// digits behind the point.
func ParseDecimal(s string) (Value, error) {
	body := strings.TrimSpace(s)
	sign := ""
	if body != "" && (body[0] == '-' || body[0] == '+') {
		if body[0] == '-' {
			sign = "-"
		}
		body = body[1:]
	}
	whole, frac, _ := strings.Cut(body, ".")
	if whole+frac == "" || !allDigits(whole+frac) {
		return Value{}, fmt.Errorf("%q is no decimal number", clip(s))
	}
	digits := strings.TrimLeft(whole+frac, "0")
	if len(digits) > MaxPrecision || len(frac) > MaxPrecision {
		return Value{}, fmt.Errorf("%q has more than %d digits", clip(s), MaxPrecision)
	}
	if digits == "" {
		digits, sign = "0", ""
	}
	return Value{kind: KindDecimal, s: sign + digits, days: int32(len(frac))}, nil
}

// ParseValue reads the text of a value of a type, as CAST of a TEXT does. Times
// without a zone are in zone, UTC when nil. What AppendText writes is read back
// exactly.
func ParseValue(s string, t Type, zone *time.Location) (Value, error) {
	trimmed := strings.TrimSpace(s)
	switch t {
	case TypeText:
		if !utf8.ValidString(s) {
			return Value{}, errors.New("the text is not UTF-8")
		}
		return Text(s), nil
	case TypeBoolean:
		switch strings.ToLower(trimmed) {
		case "true", "t", "yes", "y", "on", "1":
			return Bool(true), nil
		case "false", "f", "no", "n", "off", "0":
			return Bool(false), nil
		}
	case TypeBigint:
		if v, ok := ParseInteger(trimmed); ok {
			if v.kind == KindBig {
				return Value{}, fmt.Errorf("%q does not fit BIGINT", clip(s))
			}
			return v, nil
		}
	case TypeDouble:
		// ParseFloat also takes hexadecimal numbers and underscores.
		if f, err := strconv.ParseFloat(trimmed, 64); (err == nil || errors.Is(err, strconv.ErrRange)) && !strings.ContainsAny(trimmed, "xX_pP") {
			if err != nil {
				return Value{}, fmt.Errorf("%q does not fit DOUBLE", clip(s))
			}
			return Double(f), nil
		}
	case TypeDecimal:
		return ParseDecimal(s)
	case TypeBlob:
		if hexa, ok := strings.CutPrefix(s, `\x`); ok {
			b, err := hex.DecodeString(hexa)
			if err != nil {
				return Value{}, fmt.Errorf("%q is no BLOB: \\x is followed by pairs of hexadecimal digits", clip(s))
			}
			return Value{kind: KindBlob, s: string(b)}, nil
		}
		return Value{kind: KindBlob, s: s}, nil
	case TypeTimestamp:
		v, _, err := ParseTime(s, zone)
		return v, err
	case TypeDate:
		return ParseDate(s)
	case TypeInterval:
		return ParseInterval(s)
	case TypeJSON:
		return ParseJSON(s)
	}
	return Value{}, fmt.Errorf("%q is no %s", clip(s), t)
}

// clip shortens a text for an error.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
