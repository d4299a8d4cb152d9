package query

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/seed69692123/netdb/internal/num"
)

// String is v as text, times in UTC; NULL is "NULL".
func (v Value) String() string { return string(v.AppendText(nil, time.UTC)) }

// AppendText appends v as people and exports see it, without quotes: times in
// zone (UTC when nil) with all nine digits, doubles as the shortest text that
// reads back the same, blobs as \x and hexadecimal digits, NULL as NULL. Each
// form but NULL is read back exactly by Parse of its type.
func (v Value) AppendText(dst []byte, zone *time.Location) []byte {
	switch v.kind {
	case KindBool:
		return strconv.AppendBool(dst, v.n != 0)
	case KindInt:
		return strconv.AppendInt(dst, v.n, 10)
	case KindDouble:
		return AppendDouble(dst, v.Double())
	case KindDecimal:
		return append(dst, decimalText(v.s, int(v.days))...)
	case KindBlob:
		dst = append(dst, `\x`...)
		return hex.AppendEncode(dst, []byte(v.s))
	case KindTime:
		return AppendTime(dst, v.n, zone)
	case KindDate:
		return v.Time().AppendFormat(dst, time.DateOnly)
	case KindInterval:
		return appendInterval(dst, v.months, v.days, v.n)
	case KindBig, KindText, KindJSON:
		return append(dst, v.s...)
	}
	return append(dst, "NULL"...)
}

// AppendSQL appends v as a literal that the parser reads back as v.
func (v Value) AppendSQL(dst []byte) []byte {
	switch v.kind {
	case KindBool:
		if v.n != 0 {
			return append(dst, "TRUE"...)
		}
		return append(dst, "FALSE"...)
	case KindText:
		return AppendQuotedText(dst, v.s)
	case KindDouble:
		if f := v.Double(); math.IsNaN(f) || math.IsInf(f, 0) {
			break
		}
		return AppendDouble(dst, v.Double())
	case KindBlob:
		dst = append(dst, "X'"...)
		dst = hex.AppendEncode(dst, []byte(v.s))
		return append(dst, '\'')
	case KindJSON:
		dst = append(dst, "JSON "...)
		return AppendQuotedText(dst, v.s)
	case KindNull, KindInt, KindBig:
		return v.AppendText(dst, nil)
	}
	dst = append(dst, v.kind.Type().String()...)
	dst = append(dst, " '"...)
	dst = v.AppendText(dst, nil)
	return append(dst, '\'')
}

// isNumber reports whether AppendSQL gives digits, with a sign or not.
func (v Value) isNumber() bool {
	switch v.kind {
	case KindInt, KindBig:
		return true
	case KindDouble:
		return !math.IsNaN(v.Double()) && !math.IsInf(v.Double(), 0)
	}
	return false
}

// isSigned reports whether AppendSQL begins with a minus.
func (v Value) isSigned() bool {
	switch v.kind {
	case KindInt:
		return v.n < 0
	case KindBig:
		return v.s[0] == '-'
	case KindDouble:
		return v.isNumber() && v.Double() < 0
	}
	return false
}

// AppendDouble appends the shortest text that reads back as f. It always has a
// point or an exponent, so it is not taken for a BIGINT; infinities and NaN are
// Infinity, -Infinity and NaN, and -0 is 0.
func AppendDouble(dst []byte, f float64) []byte { return num.AppendFloat(dst, f) }

// AppendTime appends a time, in nanoseconds since 1970 UTC, as RFC 3339 with
// nine digits in zone (UTC when nil). An offset with seconds, as old zones have
// it, is written with them.
func AppendTime(dst []byte, ns int64, zone *time.Location) []byte {
	if zone == nil {
		zone = time.UTC
	}
	t := time.Unix(0, ns).In(zone)
	if _, offset := t.Zone(); offset%60 != 0 {
		return t.AppendFormat(dst, "2006-01-02T15:04:05.000000000-07:00:00")
	}
	return t.AppendFormat(dst, "2006-01-02T15:04:05.000000000Z07:00")
}

// decimalText writes unscaled digits, with a minus or not, with scale of them
// behind the point.
func decimalText(digits string, scale int) string {
	if scale <= 0 {
		return digits
	}
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale+1-len(digits)) + digits
	}
	at := len(digits) - scale
	return sign + digits[:at] + "." + digits[at:]
}

// appendInterval appends an interval in the form of DuckDB: the years and
// months, days, then hours, minutes and seconds with the digits they need.
func appendInterval(dst []byte, months, days int32, ns int64) []byte {
	start := len(dst)
	unit := func(n int64, name string) {
		if n == 0 {
			return
		}
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		dst = strconv.AppendInt(dst, n, 10)
		dst = append(dst, ' ')
		dst = append(dst, name...)
		if n != 1 && n != -1 {
			dst = append(dst, 's')
		}
	}
	unit(int64(months)/12, "year")
	unit(int64(months)%12, "month")
	unit(int64(days), "day")
	if ns == 0 && len(dst) > start {
		return dst
	}
	if len(dst) > start {
		dst = append(dst, ' ')
	}
	u := uint64(ns)
	if ns < 0 {
		dst = append(dst, '-')
		u = -u
	}
	second, frac := u/1e9, u%1e9
	if second < 36000 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendUint(dst, second/3600, 10)
	for _, part := range [2]uint64{second / 60 % 60, second % 60} {
		dst = append(dst, ':', byte('0'+part/10), byte('0'+part%10))
	}
	if frac != 0 {
		var digits [9]byte
		for i := 8; i >= 0; i-- {
			digits[i] = byte('0' + frac%10)
			frac /= 10
		}
		dst = append(dst, '.')
		dst = append(dst, strings.TrimRight(string(digits[:]), "0")...)
	}
	return dst
}
