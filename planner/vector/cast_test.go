package vector

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/seed69692123/netdb/internal/num"
)

func TestCast(t *testing.T) {
	zone := time.FixedZone("x", 2*3600)
	for _, c := range []struct {
		in   string
		to   Type
		want string // "!" for no form
	}{
		{"12", Int, "12"},
		{" 12 ", Int, "12"},
		{"1.5", Int, "2"},
		{"2.5", Int, "2"},
		{"1e3", Int, "1000"},
		{"9223372036854775808", Int, "!"},
		{"1e30", Int, "!"},
		{"x", Int, "!"},
		{"", Int, "!"},
		{"NaN", Int, "!"},
		{"12", Float, "12.0"},
		{"nan", Float, "NaN"},
		{"-inf", Float, "-Infinity"},
		{"9223372036854775808", Float, "9.223372036854776e+18"},
		{"TRUE", Bool, "true"},
		{"off", Bool, "false"},
		{"2", Bool, "!"},
		{"2024-02-29", Date, "2024-02-29"},
		{"2023-02-29", Date, "!"},
		{"2024-02-29T23:30:00Z", Date, "2024-03-01"},
		{"2024-01-01", Time, "2024-01-01T00:00:00.000000000+02:00"},
		{"2024-01-01T00:00:00.123456789Z", Time, "2024-01-01T02:00:00.123456789+02:00"},
		{"2024-01-01 10:00:00+05:30", Time, "2024-01-01T06:30:00.000000000+02:00"},
		{"2024-01-01 25:00:00", Time, "!"},
		{"9999-01-01", Time, "!"},
		{"2024-01-01T00:00:00.1234567891Z", Time, "!"},
		{"2024-01-01T00:00:00.1234567890Z", Time, "2024-01-01T02:00:00.123456789+02:00"},
		{`\xdeAD`, Blob, `\xdead`},
		{`\xd`, Blob, "!"},
		{"ab", Blob, `\x6162`},
		{"1 year 2 months 3 days 04:05:06.7", IntervalType, "1 year 2 months 3 days 04:05:06.7"},
		{"-1 day -00:00:01", IntervalType, "-1 day -00:00:01"},
		{"1.5 hours", IntervalType, "01:30:00"},
		{"100 weeks", IntervalType, "700 days"},
		{"1.5 days", IntervalType, "!"},
		{"5", IntervalType, "!"},
		{"", IntervalType, "!"},
		{"3000000000 days", IntervalType, "!"},
		{"90 seconds", IntervalType, "00:01:30"},
		{"100:00:00", IntervalType, "100:00:00"},
		{`{"a": 1}`, JSON, `{"a": 1}`},
		{`[1,`, JSON, "!"},
		{`"a\u0062"`, JSON, "ab"},
		{"12345678901234567890", JSON, "12345678901234567890"},
		{"null", JSON, ""},
	} {
		a := New(Text, 1)
		a.AppendText([]byte(c.in))
		s := State{Zone: zone}
		var out Vector
		err := s.Cast(a, c.to, false, &out, nil, 1)
		if c.want == "!" {
			if !errors.Is(err, ErrCast) {
				t.Errorf("CAST(%q AS %v): error %v, got %s", c.in, c.to, err, text(&out, 0))
			}
			if err := s.Cast(a, c.to, true, &out, nil, 1); err != nil || !out.Null(0) {
				t.Errorf("TRY_CAST(%q AS %v): %v", c.in, c.to, err)
			}
			continue
		}
		if got := string(s.AppendText(nil, &out, 0)); err != nil || got != c.want {
			t.Errorf("CAST(%q AS %v) = %q %v, want %q", c.in, c.to, got, err, c.want)
		}
	}
}

// TestCastTextRoundTrip casts every value to text and back.
func TestCastTextRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, ty := range allTypes {
		if ty.Dynamic() {
			continue
		}
		v := New(ty, 0)
		fill(rng, v, 100)
		if ty == Time {
			v.AppendTime(1)
			v.AppendTime(-1)
		}
		for _, zone := range []*time.Location{nil, time.FixedZone("", -3*3600-25*60-45)} {
			s := State{Zone: zone}
			var mid, back Vector
			if err := s.Cast(v, Text, false, &mid, nil, v.Len); err != nil {
				t.Fatal(err)
			}
			if err := s.Cast(&mid, ty, true, &back, nil, v.Len); err != nil {
				t.Fatal(err)
			}
			for i := range v.Len {
				if !s.EqualValues(v, i, &back, i) {
					t.Errorf("%v %s reads back as %s", ty, text(v, i), text(&back, i))
				}
			}
		}
	}
}

// TestCastNever fails for rows that are not selected or NULL, and every pair of types is either refused or does not panic.
func TestCastEveryPair(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	var s State
	var out Vector
	for _, from := range allTypes {
		for _, to := range allTypes {
			if !Castable(from, to) {
				continue
			}
			for _, v := range forms(rng, from, 30) {
				if err := s.Cast(v, to, true, &out, nil, 30); err != nil {
					t.Fatal(err)
				}
				for i := range 30 {
					if v.Null(i) && !out.Null(i) {
						t.Fatalf("%v NULL cast to %v is not NULL", from, to)
					}
				}
			}
		}
	}
	d := New(Any, 0)
	d.AppendText([]byte("[1"))
	d.AppendTime(0)
	if err := s.Cast(d, JSON, false, &out, nil, 2); err != nil || text(&out, 0) != "text [1" || text(&out, 1) != "text 1970-01-01T00:00:00.000000000Z" {
		t.Errorf("dynamic text as JSON: %s, %s, %v", text(&out, 0), text(&out, 1), err)
	}
	bad := New(Text, 0)
	for _, x := range []string{"1", "x", "3"} {
		bad.AppendText([]byte(x))
	}
	if err := s.Cast(bad, Int, false, &out, Sel{0, 2}, 3); err != nil || out.Ints[2] != 3 {
		t.Errorf("a row that is not selected fails: %v", err)
	}
	var row *RowError
	if err := s.Cast(bad, Int, false, &out, nil, 3); !errors.As(err, &row) || row.Row != 1 || !strings.Contains(err.Error(), `"x"`) {
		t.Errorf("error %v, want one at row 1 naming the value", err)
	}
}

func TestLike(t *testing.T) {
	for _, c := range []struct {
		s, pattern string
		want       bool
	}{
		{"", "", true},
		{"", "%", true},
		{"a", "", false},
		{"abc", "abc", true},
		{"abc", "ab", false},
		{"abc", "a%", true},
		{"abc", "%c", true},
		{"abc", "%b%", true},
		{"abc", "a_c", true},
		{"aäc", "a_c", true},
		{"ac", "a_c", false},
		{"abc", "___", true},
		{"abcd", "___", false},
		{"abcabc", "%b%b%", true},
		{"abc", "%b%b%", false},
		{"aab", "%ab", true},
		{"abab", "ab%ab", true},
		{"ab", "ab%ab", false},
		{"a%c", "a!%c", true},
		{"abc", "a!%c", false},
		{"a_c", "a!_c", true},
		{"a!c", "a!!c", true},
		{"xaybzc", "%a_b%c", true},
		{"xaybz", "%a_b%c", false},
		{"aXbX", "%_X", true},
		{"ä", "_", true},
		{"ää", "_%_", true},
		{"ä", "_%_", false},
		{"mississippi", "%iss%ip_i", true},
	} {
		l, err := CompileLike([]byte(c.pattern), '!', false)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := l.Match([]byte(c.s), nil, nil); got != c.want {
			t.Errorf("%q LIKE %q is %v", c.s, c.pattern, got)
		}
	}
	l, _ := CompileLike([]byte("ÄB%"), 0, true)
	if ok, _ := l.Match([]byte("äbc"), nil, nil); !ok {
		t.Error("ILIKE does not fold")
	}
	if _, err := CompileLike([]byte("a!"), '!', false); !errors.Is(err, ErrPattern) {
		t.Errorf("pattern ending in escape: %v", err)
	}
	if l, _ := CompileLike([]byte("ab_c%"), 0, false); string(first(l.Prefix())) != "ab" {
		t.Error("prefix of ab_c% is not ab")
	}
}

func first(b []byte, _ bool) []byte { return b }

// FuzzLike compares with a matcher that tries everything.
func FuzzLike(f *testing.F) {
	f.Add("mississippi", "%iss%ip_i")
	f.Add("a\x00ä", "_%_")
	f.Add("%%", "!%%!%")
	f.Fuzz(func(t *testing.T, s, pattern string) {
		if len(s) > 40 || len(pattern) > 12 {
			return
		}
		s, pattern = strings.ToValidUTF8(s, "?"), strings.ToValidUTF8(pattern, "?")
		l, err := CompileLike([]byte(pattern), '!', false)
		if err != nil {
			return
		}
		got, _ := l.Match([]byte(s), nil, nil)
		if want := slowLike([]rune(s), []rune(pattern)); got != want {
			t.Fatalf("%q LIKE %q is %v, want %v", s, pattern, got, want)
		}
	})
}

func slowLike(s, p []rune) bool {
	if len(p) == 0 {
		return len(s) == 0
	}
	switch {
	case p[0] == '%':
		return slowLike(s, p[1:]) || len(s) > 0 && slowLike(s[1:], p)
	case len(s) == 0:
		return false
	case p[0] == '!':
		return s[0] == p[1] && slowLike(s[1:], p[2:])
	}
	return (p[0] == '_' || p[0] == s[0]) && slowLike(s[1:], p[1:])
}

// FuzzParse reads times and intervals: no panic, and what is printed reads back the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"2024-01-01T00:00:00.123456789Z", "2024-01-01 1:02 +05", "1 year -2 mons 03:04:05.6", "-9223372036854775808 ns", "1.5 hours"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if ns, ok := ParseTime([]byte(s), time.UTC); ok {
			if back, ok := ParseTime(appendTime(nil, ns, time.UTC), time.UTC); !ok || back != ns {
				t.Fatalf("%q is %d and reads back as %d", s, ns, back)
			}
		}
		if iv, ok := ParseInterval([]byte(s)); ok {
			if back, ok := ParseInterval(appendInterval(nil, iv)); !ok || back != iv {
				t.Fatalf("%q is %+v and %s reads back as %+v", s, iv, appendInterval(nil, iv), back)
			}
		}
	})
}

// TestIndexPaced looks for a part that lies around the end of a window.
func TestIndexPaced(t *testing.T) {
	for _, n := range []int{1, 2, 9, num.PaceBytes + 5} {
		part := append(bytes.Repeat([]byte("a"), n-1), 'b')
		for _, at := range []int{0, 1, num.PaceBytes - n, num.PaceBytes - n + 1, num.PaceBytes - 1, num.PaceBytes, num.PaceBytes + 1, 2*num.PaceBytes - 1, 3 * num.PaceBytes} {
			if at < 0 {
				continue
			}
			s := append(append(bytes.Repeat([]byte("c"), at), part...), bytes.Repeat([]byte("c"), num.PaceBytes/2)...)
			if got := IndexPaced(s, part, nil); got != at {
				t.Errorf("%d bytes at %d: found at %d", n, at, got)
			}
			if got := IndexPaced(s[:at+n-1], part, nil); got != -1 {
				t.Errorf("%d bytes, the last one missing: found at %d", n, got)
			}
		}
	}
}
