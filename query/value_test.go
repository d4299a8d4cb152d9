package query

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func bigInt(s string) Value {
	v, ok := ParseInteger(s)
	if !ok {
		panic(s)
	}
	return v
}

func decimal(s string) Value {
	v, err := ParseDecimal(s)
	if err != nil {
		panic(err)
	}
	return v
}

// inOrder are values in the order of Compare. Those of one entry are equal.
func inOrder() [][]Value {
	return [][]Value{
		{Bool(false), JSON("false")},
		{Bool(true), JSON(" true ")},
		{Double(math.Inf(-1))},
		{bigInt("-100000000000000000000000")},
		{bigInt("-9223372036854775809")},
		{Int(math.MinInt64), Double(-9223372036854775808), bigInt("-9223372036854775808"), JSON("-9223372036854775808")},
		{Int(math.MinInt64 + 1)},
		{Int(-1), Double(-1), decimal("-1.00")},
		{Double(-math.SmallestNonzeroFloat64)},
		{Int(0), Double(0), Double(math.Copysign(0, -1)), decimal("-0.0"), JSON("-0"), JSON("-0.0")},
		{Double(0.1), JSON("0.1"), JSON("1e-1")},
		{decimal("0.11")},
		{Int(1), Double(1), decimal("1.0"), JSON("1"), JSON("1.0")},
		{Double(1.5), decimal("1.50")},
		{Int(2)},
		{Int(1<<53 - 1)},
		{Int(1 << 53), Double(1 << 53)},
		{Int(1<<53 + 1), decimal("9007199254740993"), JSON("9007199254740993")},
		{Int(1<<53 + 2), Double(1<<53 + 2)},
		{Int(math.MaxInt64)},
		{bigInt("9223372036854775808"), Double(9223372036854775808), JSON("9223372036854775808")},
		{bigInt("9223372036854775809"), decimal("9223372036854775809.0")},
		{bigInt("100000000000000000000000"), JSON("100000000000000000000000")},
		{Double(1e23 + 1e8)},
		{Double(math.MaxFloat64)},
		{Double(math.Inf(1))},
		{Double(math.NaN()), Double(-math.NaN())},
		{Text(""), JSON(`""`)},
		{Text("1"), JSON(`"1"`)},
		{Text("Z")},
		{Text("a"), JSON(`"\u0061"`)},
		{Text("a\x00")},
		{Text("aa")},
		{Text("é")},
		{Blob(nil)},
		{Blob([]byte("a"))},
		{Blob([]byte{0xff})},
		{Nanos(math.MinInt64)},
		{Nanos(-1)},
		{Nanos(0)},
		{Date(-1)},
		{Date(0)},
		{Interval(0, 0, -1)},
		{Interval(0, 0, 0)},
		{Interval(0, 1, 0), Interval(0, 0, 86400e9)},
		{Interval(1, 0, 0), Interval(0, 30, 0), Interval(0, 29, 86400e9), Interval(1, 1, -86400e9)},
		{JSON("[]")},
		{JSON("[1]"), JSON("[1.0]")},
		{JSON("[1,2]"), JSON("[ 1 , 2.0 ]")},
		{JSON(`["a"]`)},
		{JSON("[[]]")},
		{JSON("{}")},
		{JSON(`{"a":1}`), JSON(`{ "a" : 1.0, "a": 2}`)},
		{JSON(`{"a":1,"b":2}`), JSON(`{"b":2,"a":1}`)},
		{JSON(`{"a":2}`)},
		{Null(), JSON("null")},
	}
}

func TestCompare(t *testing.T) {
	order := inOrder()
	for i, as := range order {
		for j, bs := range order {
			for _, a := range as {
				for _, b := range bs {
					want := sign(i - j)
					if got := sign(Compare(a, b)); got != want {
						t.Errorf("Compare(%v, %v) = %d, want %d", a, b, got, want)
					}
					if got := Equal(a, b); got != (want == 0) {
						t.Errorf("Equal(%v, %v) = %t", a, b, got)
					}
					ka, kb := a.AppendKey(nil), b.AppendKey(nil)
					if (string(ka) == string(kb)) != (want == 0) {
						t.Errorf("keys of %v and %v: %x %x", a, b, ka, kb)
					}
					if a.Kind() != KindDecimal && b.Kind() != KindDecimal && sign(strings.Compare(string(ka), string(kb))) != want {
						t.Errorf("keys of %v and %v are in another order", a, b)
					}
				}
			}
		}
	}
}

func sign(i int) int { return max(-1, min(1, i)) }

func TestIntegers(t *testing.T) {
	tests := []struct {
		in   string
		want Value
		ok   bool
	}{
		{"0", Int(0), true},
		{"-0", Int(0), true},
		{"+7", Int(7), true},
		{"007", Int(7), true},
		{"9223372036854775807", Int(math.MaxInt64), true},
		{"-9223372036854775808", Int(math.MinInt64), true},
		{"-0009223372036854775808", Int(math.MinInt64), true},
		{"9223372036854775808", Value{kind: KindBig, s: "9223372036854775808"}, true},
		{"-9223372036854775809", Value{kind: KindBig, s: "-9223372036854775809"}, true},
		{"0000000000000000000000000", Int(0), true},
		{strings.Repeat("9", MaxDigits), Value{kind: KindBig, s: strings.Repeat("9", MaxDigits)}, true},
		{strings.Repeat("9", MaxDigits+1), Null(), false},
		{"", Null(), false},
		{"-", Null(), false},
		{"1.0", Null(), false},
		{"1e3", Null(), false},
		{" 1", Null(), false},
	}
	for _, tt := range tests {
		got, ok := ParseInteger(tt.in)
		if got != tt.want || ok != tt.ok {
			t.Errorf("ParseInteger(%.30q) = %v, %t", tt.in, got, ok)
		}
	}
	for _, s := range []string{"0", "5", "-5", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "123456789012345678901234567890"} {
		v := bigInt(s)
		if got := v.Negate().Negate(); got != v {
			t.Errorf("-(-%s) = %v", s, got)
		}
		if v.Negate().IsNull() || Compare(v, Int(0)) != -Compare(v.Negate(), Int(0)) {
			t.Errorf("-(%s) = %v", s, v.Negate())
		}
	}
}

// TestText asserts what values print, and that each reads back exactly.
func TestText(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		v         Value
		text, sql string
	}{
		{Null(), "NULL", "NULL"},
		{Bool(true), "true", "TRUE"},
		{Int(-5), "-5", "-5"},
		{bigInt("123456789012345678901234567890"), "123456789012345678901234567890", "123456789012345678901234567890"},
		{Double(1), "1.0", "1.0"},
		{Double(0.1), "0.1", "0.1"},
		{Double(math.Copysign(0, -1)), "0.0", "0.0"},
		{Double(1e300), "1e+300", "1e+300"},
		{Double(1e-7), "1e-07", "1e-07"},
		{Double(123456789012345680), "1.2345678901234568e+17", "1.2345678901234568e+17"},
		{Double(math.NaN()), "NaN", "DOUBLE 'NaN'"},
		{Double(math.Inf(-1)), "-Infinity", "DOUBLE '-Infinity'"},
		{decimal("-1.50"), "-1.50", "DECIMAL '-1.50'"},
		{decimal(".05"), "0.05", "DECIMAL '0.05'"},
		{decimal("00012"), "12", "DECIMAL '12'"},
		{Text("it's"), "it's", "'it''s'"},
		{Blob([]byte{0, 255}), `\x00ff`, "X'00ff'"},
		{Nanos(0), "1970-01-01T00:00:00.000000000Z", "TIMESTAMPTZ '1970-01-01T00:00:00.000000000Z'"},
		{Nanos(-1), "1969-12-31T23:59:59.999999999Z", "TIMESTAMPTZ '1969-12-31T23:59:59.999999999Z'"},
		{Nanos(math.MaxInt64), "2262-04-11T23:47:16.854775807Z", "TIMESTAMPTZ '2262-04-11T23:47:16.854775807Z'"},
		{Nanos(math.MinInt64), "1677-09-21T00:12:43.145224192Z", "TIMESTAMPTZ '1677-09-21T00:12:43.145224192Z'"},
		{Date(0), "1970-01-01", "DATE '1970-01-01'"},
		{Date(math.MinInt64), "0001-01-01", "DATE '0001-01-01'"},
		{Date(math.MaxInt64), "9999-12-31", "DATE '9999-12-31'"},
		{Interval(14, -3, 4*3600e9+5*60e9+6e9+7), "1 year 2 months -3 days 04:05:06.000000007", "INTERVAL '1 year 2 months -3 days 04:05:06.000000007'"},
		{Interval(0, 0, 0), "00:00:00", "INTERVAL '00:00:00'"},
		{Interval(-1, 0, -500e6), "-1 month -00:00:00.5", "INTERVAL '-1 month -00:00:00.5'"},
		{Interval(0, 0, math.MinInt64), "-2562047:47:16.854775808", "INTERVAL '-2562047:47:16.854775808'"},
		{JSON(` {"a": 'x'} `), `{"a": 'x'}`, `JSON '{"a": ''x''}'`},
	}
	for _, tt := range tests {
		if got := tt.v.String(); got != tt.text {
			t.Errorf("text %s, want %s", got, tt.text)
		}
		if got := string(tt.v.AppendSQL(nil)); got != tt.sql {
			t.Errorf("SQL %s, want %s", got, tt.sql)
		}
		switch tt.v.Kind() {
		case KindNull, KindBig, KindJSON:
			continue
		}
		for _, zone := range []*time.Location{nil, paris} {
			text := string(tt.v.AppendText(nil, zone))
			back, err := ParseValue(text, tt.v.Kind().Type(), time.UTC)
			if err != nil || back != tt.v && tt.v.Kind() != KindText {
				t.Errorf("%s reads back as %v, %v", text, back, err)
			}
		}
	}
}

func TestParseTime(t *testing.T) {
	const noon = 1709208000 * 1e9 // 2024-02-29 12:00 UTC
	tests := []struct {
		in    string
		ns    int64
		zoned bool
	}{
		{"2024-02-29T12:00:00Z", noon, true},
		{"2024-02-29t12:00:00z", noon, true},
		{"2024-02-29 12:00:00", noon, false},
		{" 2024-02-29  12:00 ", noon, false},
		{"2024-02-29", noon - 12*3600e9, false},
		{"2024-02-29 UTC", noon - 12*3600e9, true},
		{"2024-02-29 14:00+02", noon, true},
		{"2024-02-29 14:00 +0200", noon, true},
		{"2024-02-29 14:00:00.000+02:00", noon, true},
		{"2024-02-29 12:09:21+00:09:21", noon, true},
		{"2024-02-29 06:30:00-05:30", noon, true},
		{"2024-02-29 12:00:00.000000001 utc", noon + 1, true},
		{"2024-02-29 12:00:00.1", noon + 1e8, false},
		{"2024-02-29 12:00:00.123456789000", noon + 123456789, false},
	}
	for _, tt := range tests {
		v, zoned, err := ParseTime(tt.in, nil)
		if err != nil || v != Nanos(tt.ns) || zoned != tt.zoned {
			t.Errorf("ParseTime(%q) = %v, %t, %v", tt.in, v, zoned, err)
		}
	}
	if v, _, err := ParseTime("2024-02-29 13:00", time.FixedZone("", 3600)); err != nil || v != Nanos(noon) {
		t.Errorf("in a zone: %v, %v", v, err)
	}
	for _, bad := range []string{
		"", "2024", "2024-2-29", "2023-02-29", "2024-13-01", "2024-00-10", "0000-01-01", "2024-02-29T", "2024-02-29 12",
		"2024-02-29 24:00", "2024-02-29 12:60", "2024-02-29 12:00:60", "2024-02-29 12:00:00.", "2024-02-29 12:00:00.1234567891",
		"2024-02-29 12:00:00 PST", "2024-02-29 12:00:00+", "2024-02-29 12:00:00+2", "2024-02-29 12:00:00+16", "2024-02-29 12:00:00+02:60",
		"1677-09-21T00:12:43.145224191Z", "2262-04-11T23:47:16.854775808Z", "0001-01-01", "9999-12-31", "2024-02-29 12:00:00Zx",
	} {
		if v, _, err := ParseTime(bad, nil); err == nil {
			t.Errorf("ParseTime(%q) = %v", bad, v)
		}
	}
}

func TestParseInterval(t *testing.T) {
	tests := []struct {
		in   string
		want Value
	}{
		{"1 day", Interval(0, 1, 0)},
		{"1day", Interval(0, 1, 0)},
		{"2 weeks -3 days", Interval(0, 11, 0)},
		{"1 year 2 mons", Interval(14, 0, 0)},
		{"1.5 hours", Interval(0, 0, 5400e9)},
		{"1.5 days", Interval(0, 1, 43200e9)},
		{"0.5 week", Interval(0, 3, 43200e9)},
		{"-1.5 s", Interval(0, 0, -15e8)},
		{"90 minutes 1 ns", Interval(0, 0, 5400e9+1)},
		{"04:05", Interval(0, 0, 4*3600e9+5*60e9)},
		{"-100:00:00.5", Interval(0, 0, -(360000e9 + 5e8))},
		{"1 century", Interval(1200, 0, 0)},
	}
	for _, tt := range tests {
		v, err := ParseInterval(tt.in)
		if err != nil || v != tt.want {
			t.Errorf("ParseInterval(%q) = %v, %v", tt.in, v, err)
		}
	}
	for _, bad := range []string{
		"", "day", "1", "1 dy", "1.5 months", "1 day 2", "3 00000 days", "99999999999 days", "9223372036854775808 ns",
		"1.0000000001 s", "0.0000000001 s", "2562048:00:00", "1:60", "1:2", "0.1 ns", "9223372036 s 999999999 s", "1 s;",
	} {
		if v, err := ParseInterval(bad); err == nil {
			t.Errorf("ParseInterval(%q) = %v", bad, v)
		}
	}
}

func TestParseValue(t *testing.T) {
	tests := []struct {
		in   string
		t    Type
		want Value
	}{
		{" true ", TypeBoolean, Bool(true)},
		{"OFF", TypeBoolean, Bool(false)},
		{" 42 ", TypeBigint, Int(42)},
		{"1e3", TypeDouble, Double(1000)},
		{"-inf", TypeDouble, Double(math.Inf(-1))},
		{"nan", TypeDouble, Double(math.NaN())},
		{"1.5", TypeDecimal, decimal("1.5")},
		{" x ", TypeText, Text(" x ")},
		{`\x6162`, TypeBlob, Blob([]byte("ab"))},
		{"ab", TypeBlob, Blob([]byte("ab"))},
		{"2024-01-01", TypeDate, Date(19723)},
		{`{"a":1}`, TypeJSON, JSON(`{"a":1}`)},
	}
	for _, tt := range tests {
		v, err := ParseValue(tt.in, tt.t, nil)
		if err != nil || v != tt.want {
			t.Errorf("ParseValue(%q, %v) = %v, %v", tt.in, tt.t, v, err)
		}
	}
	bad := map[Type][]string{
		TypeBoolean:  {"", "maybe", "2"},
		TypeBigint:   {"", "1.5", "x", "9223372036854775808", "0x10", "1_000"},
		TypeDouble:   {"", "x", "0x1p3", "1_0.5", "1e999"},
		TypeDecimal:  {"", ".", "1e3", strings.Repeat("1", 39), "1.2.3"},
		TypeText:     {"\xff"},
		TypeBlob:     {`\x0`, `\xzz`},
		TypeDate:     {"", "2023-02-29", "2024-01-01 00:00"},
		TypeJSON:     {"", "{", "'a'", "\"\xff\""},
		TypeNone:     {"x"},
		TypeInterval: {"x"},
	}
	for typ, list := range bad {
		for _, in := range list {
			if v, err := ParseValue(in, typ, nil); err == nil {
				t.Errorf("ParseValue(%q, %v) = %v", in, typ, v)
			}
		}
	}
}

func FuzzParseValue(f *testing.F) {
	for _, list := range inOrder() {
		for _, v := range list {
			f.Add(v.String(), uint8(v.Kind().Type()))
		}
	}
	f.Add("-0.5 weeks", uint8(TypeInterval))
	f.Add("2024-01-01 00:00:00.5 +01:30", uint8(TypeTimestamp))
	f.Fuzz(func(t *testing.T, s string, typ uint8) {
		v, err := ParseValue(s, Type(typ), nil)
		if err != nil {
			return
		}
		if back, err := ParseValue(v.String(), v.Kind().Type(), nil); err != nil || back != v {
			t.Errorf("%q gives %v, which reads back as %v, %v", s, v, back, err)
		}
		if !Equal(v, v) || Compare(v, Null()) > 0 {
			t.Errorf("%v is not itself", v)
		}
		decoded, err := Decode(Encode(&Literal{Value: v}))
		if err != nil || decoded.(*Literal).Value != v {
			t.Errorf("%v is decoded as %v, %v", v, decoded, err)
		}
	})
}

func TestNearest(t *testing.T) {
	words := []string{"repo", "author", "author_ts", "path", "Ext", "id"}
	tests := []struct{ in, want string }{
		{"rpeo", "repo"},
		{"autor", "author"},
		{"AUTHOR", "author"},
		{"author_t", "author_ts"},
		{"ext", "Ext"},
		{"pth", "path"},
		{"di", "id"},
		{"zzzz", ""},
		{"repository", ""},
		{"", ""},
		{strings.Repeat("a", 300), ""},
	}
	for _, tt := range tests {
		if got := Nearest(tt.in, words); got != tt.want {
			t.Errorf("Nearest(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	if got := Nearest("aa", []string{"", "ab", "ac"}); got != "ab" {
		t.Errorf("of two equally near ones: %q", got)
	}
}

func TestError(t *testing.T) {
	const source = "SELECT a\r\nFROM größe\n\tWHERE x = 1"
	at := strings.Index(source, "größe")
	e := ErrorAt(Span{at, at + len("größe")}, CodeUnknownTable, "unknown table %q", "größe").WithHint("did you mean %s", "grosse").In(source)
	if got, want := e.Error(), `2:6: unknown table "größe" (hint: did you mean grosse)`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	want := "line 2, column 6: unknown table \"größe\"\n  FROM größe\n       ^^^^^\nhint: did you mean grosse"
	if diff := cmp.Diff(want, e.Detail()); diff != "" {
		t.Error(diff)
	}
	at = strings.Index(source, "x =")
	e = ErrorAt(Span{at, at + 1}, CodeUnknownColumn, "unknown column").In(source)
	if diff := cmp.Diff("line 3, column 8: unknown column\n  \tWHERE x = 1\n  \t      ^", e.Detail()); diff != "" {
		t.Error(diff)
	}
	if e := Errorf(nil, CodeType, "no place").In(source); e.Error() != "no place" || e.Detail() != "no place" {
		t.Error(e.Detail())
	}
	long := strings.Repeat("x", 300) + "HERE" + strings.Repeat("y", 300)
	e = ErrorAt(Span{300, 304}, CodeSyntax, "long").In(long)
	lines := strings.Split(e.Detail(), "\n")
	from := strings.IndexByte(lines[2], '^')
	if got := string([]rune(lines[1])[from : from+4]); got != "HERE" || len([]rune(lines[1])) > maxExcerpt+10 {
		t.Errorf("the caret is under %q\n%s", got, e.Detail())
	}
}

func TestParams(t *testing.T) {
	q, err := Select(Named("b").Add(Arg(3)), Named("a"), Named("b")).From("t").Where(Col("x").Eq(Arg(1))).Build()
	if err != nil {
		t.Fatal(err)
	}
	if n, names := Params(q); n != 3 || !slices.Equal(names, []string{"b", "a"}) {
		t.Errorf("Params = %d, %q", n, names)
	}
}
