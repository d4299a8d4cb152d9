package exec

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// callOf is a call of a function with constants, or columns, of given types.
func callOf(t testing.TB, name string, args ...Expr) *Call {
	t.Helper()
	f := FindFunction(name)
	types := make([]vector.Type, len(args))
	for i, a := range args {
		types[i] = a.Type()
	}
	typ, ok := f.Result(types)
	if !ok {
		t.Fatalf("no %s of %v", name, types)
	}
	return &Call{Fn: f, Args: args, T: typ}
}

// TestDictionary asserts that over a dictionary each function gives what it gives row by row, and is called once for each value.
func TestDictionary(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	words := []string{"", "a", "é,b", "12", "[1,2]", "x-y-z", "never used: bad \xc3\xa9", strings.Repeat("long ", 100)}
	dict := dictOf(words...)
	col := &Col{T: vector.Text}
	counted := &Function{Name: "counted", Params: []Param{TextParam}, result: gives(vector.Int)}
	calls := 0
	counted.row = func(c *call, i int) error {
		calls++
		c.out.Ints[i] = int64(len(c.args[0].Bytes(i)))
		return nil
	}
	for _, e := range []*Call{
		callOf(t, "upper", col), callOf(t, "length", col), callOf(t, "starts_with", col, textConst("a")), callOf(t, "string_split", col, textConst(",")),
		callOf(t, "repeat", col, &Const{Value: query.Int(3), T: vector.Int}), callOf(t, "try_strptime", col, textConst("%d")), callOf(t, "make_interval", &Const{Value: query.Int(3), T: vector.Int}),
		callOf(t, "replace", textConst("a,b"), col, &Const{T: vector.Text}), callOf(t, "json_array_length", col), callOf(t, "regexp_extract", col, textConst("[a-z]")),
		{Fn: counted, Args: []Expr{col}, T: vector.Int},
	} {
		s := newEvalState(&Env{})
		s.begin(t.Context())
		over, row := s.compile(e), newEvalState(&Env{})
		row.begin(t.Context())
		byRow := row.compile(e)
		for range 3 {
			n := 1 + rng.IntN(300)
			if rng.IntN(2) == 0 { // another chunk
				words = append(words[1:len(words):len(words)], words[0])
				dict = dictOf(words...)
			}
			coded := &vector.Vector{Type: vector.Text, Dict: dict, Len: n, Nulls: make(vector.Bitmap, (n+63)/64)}
			plain := vector.New(vector.Text, n)
			var sel vector.Sel
			for i := range n {
				code := uint32(rng.IntN(len(words)))
				if coded.Codes = append(coded.Codes, code); rng.IntN(5) == 0 {
					coded.Nulls.Set(i)
					plain.AppendNull()
				} else {
					plain.AppendText([]byte(words[code]))
				}
				if rng.IntN(3) > 0 {
					sel = append(sel, int32(i))
				}
			}
			if rng.IntN(2) == 0 {
				sel = nil
			}
			got, err := over.eval(&vector.Batch{N: n, Cols: []*vector.Vector{coded}}, sel)
			if err != nil {
				t.Fatal(e.Fn.Name, err)
			}
			want, err := byRow.eval(&vector.Batch{N: n, Cols: []*vector.Vector{plain}}, sel)
			if err != nil {
				t.Fatal(e.Fn.Name, err)
			}
			sel.All(n, func(i int) {
				if a, b := ValueAt(got, i), ValueAt(want, i); a != b {
					t.Fatalf("%s: row %d: %v, row by row %v", e.Fn.Name, i, a, b)
				}
			})
		}
		if s.OtherType != row.OtherType {
			t.Errorf("%s: %d values of other types, row by row %d", e.Fn.Name, s.OtherType, row.OtherType)
		}
	}
	// Once over the dictionary, then for each row without.
	calls = 0
	s := newEvalState(&Env{})
	s.begin(t.Context())
	ev := s.compile(&Call{Fn: counted, Args: []Expr{col}, T: vector.Int})
	coded := &vector.Vector{Type: vector.Text, Dict: dict, Len: 1000}
	for i := range 1000 {
		coded.Codes = append(coded.Codes, uint32(i%4))
	}
	for range 3 {
		if _, err := ev.eval(&vector.Batch{N: 1000, Cols: []*vector.Vector{coded}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if calls != 4 {
		t.Errorf("called %d times for 4 values in 3 batches", calls)
	}
}

// TestDictionaryError asserts that the error is that of the first selected row with the value that fails.
func TestDictionaryError(t *testing.T) {
	dict := &vector.Dict{Refs: []vector.Ref{vector.MakeRef(0, 1), vector.MakeRef(1, 1)}, Data: []byte("az")}
	col := &Col{T: vector.Text}
	s := newEvalState(&Env{})
	s.begin(t.Context())
	ev := s.compile(callOf(t, "unhex", col)) // of z there is none
	v := &vector.Vector{Type: vector.Text, Dict: dict, Len: 6, Codes: []uint32{1, 0, 0, 0, 1, 1}}
	if _, err := ev.eval(&vector.Batch{N: 6, Cols: []*vector.Vector{v}}, vector.Sel{1, 2, 3}); err != nil {
		t.Fatal("rows without it:", err)
	}
	_, err := ev.eval(&vector.Batch{N: 6, Cols: []*vector.Vector{v}}, vector.Sel{1, 3, 4, 5})
	var re *rowError
	if !errors.As(err, &re) || re.row != 4 {
		t.Fatalf("%v, want one at row 4", err)
	}
	out, err := ev.eval(&vector.Batch{N: 6, Cols: []*vector.Vector{v}}, vector.Sel{1, 3})
	if err != nil || string(out.Bytes(3)) != "\x0a" {
		t.Error("after it:", err)
	}
}

// TestEachMatch compares the matches in long texts, which are found one by one, with those of the standard library.
func TestEachMatch(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	pieces := []string{"a", "b", "é", "\n", " ", "ab", "1"}
	patterns := []string{
		"a", "a*", "", "b+", `\b`, "^a", "a$", "(?m)^a*", "(?m)$", `\Ba`, "(a)|(b)", "é|ab", "(a|ab)(b|$)", "[^a]", `\z`, `\A`, "a?b??", "(?s).{3}", "(?i)A|É",
	}
	for _, text := range patterns {
		p, err := compilePattern(text, "")
		if err != nil {
			t.Fatal(err)
		}
		for range 1 {
			var b strings.Builder
			for least := wholeBytes - 20_000 + rng.IntN(40_000); b.Len() < least; {
				b.WriteString(pieces[rng.IntN(len(pieces))])
			}
			s := []byte(b.String())
			env := newEvalState(&Env{})
			env.begin(t.Context())
			c := &call{evalState: env}
			var got [][]int
			if err := c.eachMatch(p, s, func(at []int) error {
				got = append(got, slices.Clone(at))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(p.re.FindAllSubmatchIndex(s, -1), got); d != "" {
				t.Fatalf("%q: %.300s", text, d)
			}
		}
	}
}

// TestPatterns asserts that kept patterns are bounded, and that each row gets its own.
func TestPatterns(t *testing.T) {
	s := newEvalState(&Env{})
	s.begin(t.Context())
	c := &call{evalState: s}
	for i := range 500 {
		p, err := c.pattern(fmt.Appendf(nil, "x%d$", i%200), nil)
		if err != nil || !p.re.MatchString(fmt.Sprintf("x%d", i%200)) {
			t.Fatal(i, err)
		}
	}
	if n := len(c.kept.(*patterns).by); n > keptPatterns {
		t.Errorf("%d patterns kept", n)
	}
	if _, err := c.pattern([]byte(strings.Repeat("x", patternBytes+1)), nil); !errors.Is(err, errPatternLong) {
		t.Error(err)
	}
}

// TestTruncate asserts that the start of a part is not behind the time, that it is one itself, and that the moment before it is in
// another one.
func TestTruncate(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	for _, name := range []string{"UTC", "Europe/Paris", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana"} {
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			x := time.Unix(rng.Int64N(4e9)-1e9, rng.Int64N(1e9)).In(z)
			for p := partNanosecond; p <= partMillennium; p++ {
				start, ok := truncate(p, x)
				if !ok || start.After(x) {
					t.Fatalf("%s %d of %v: %v %v", name, p, x, start, ok)
				}
				if again, _ := truncate(p, start); !again.Equal(start) {
					t.Fatalf("%s %d of %v: %v, of which %v", name, p, x, start, again)
				}
				if before, _ := truncate(p, start.Add(-1)); !before.Before(start) {
					t.Fatalf("%s %d of %v: %v, and before it %v", name, p, x, start, before)
				}
			}
		}
	}
}

// TestAge asserts that adding the age of two times to the earlier one gives the later one.
func TestAge(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 9))
	for range 5000 {
		a, b := time.Unix(rng.Int64N(4e9), rng.Int64N(1e9)).UTC(), time.Unix(rng.Int64N(4e9), rng.Int64N(1e9)).UTC()
		if a.Before(b) {
			a, b = b, a
		}
		iv := age(a, b)
		if iv.Months < 0 || iv.Days < 0 || iv.Days > 31 || iv.Nanos < 0 || iv.Nanos >= 86400e9 {
			t.Fatalf("from %v to %v: %+v", b, a, iv)
		}
		got, ok := vector.AddInterval(b.UnixNano(), vector.Interval{Months: iv.Months}, time.UTC)
		if !ok {
			t.Fatal("out of range")
		}
		// The days are counted from the day of the month in the first month, which may be cut in a shorter one.
		rest := time.Unix(0, got).Add(time.Duration(iv.Days)*24*time.Hour + time.Duration(iv.Nanos)).Sub(a)
		if rest < -72*time.Hour || rest > 72*time.Hour {
			t.Fatalf("from %v to %v: %+v is off by %v", b, a, iv, rest)
		}
	}
}

// TestStrftime compares with the standard library's formats, and reads back what was written.
func TestStrftime(t *testing.T) {
	z, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	pairs := map[string]string{
		"%Y-%m-%d %H:%M:%S": time.DateTime, "%d/%b/%Y:%H:%M:%S": "02/Jan/2006:15:04:05", "%A %-d %B %y": "Monday 2 January 06", "%-I:%M %p": "3:04 PM",
		"%a %I.%f": "Mon 03.", "%j": "002", "%Y%m%dT%H%M%S.%n": "20060102T150405.000000000", "%H:%M:%S.%g": "15:04:05.000", "%c": time.DateTime, "%x": time.DateOnly, "%X": time.TimeOnly, "%%": "%",
	}
	rng := rand.New(rand.NewPCG(8, 8))
	for format, layout := range pairs {
		f, err := compileTimeFormat(format)
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			x := time.Unix(rng.Int64N(4e9), rng.Int64N(1e9)).In(z)
			want := x.Format(layout)
			if format == "%a %I.%f" {
				want = x.Format("Mon 03") + x.Format(".000000")
			}
			if got := string(f.append(nil, x)); got != want {
				t.Fatalf("%s of %v: %q, want %q", format, x, got, want)
			}
		}
	}
	f, err := compileTimeFormat("%G week %V day %u, %W %U %w | %Y-%m-%d %H:%M:%S.%n %z")
	if err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		x := time.Unix(rng.Int64N(9e9)-2e9, rng.Int64N(1e9)).In(z)
		if _, offset := x.Zone(); offset%60 != 0 {
			continue // the seconds of such an offset are not written
		}
		text := string(f.append(nil, x))
		back, err := f.parse(text, time.UTC)
		if err != nil || !back.Equal(x) {
			t.Fatalf("%v was written as %q and read as %v %v", x, text, back, err)
		}
	}
}

// FuzzStrftime asserts that no format and no text makes a panic, and that what is written in a format with all parts is read.
func FuzzStrftime(f *testing.F) {
	for _, s := range []string{"%Y-%m-%d", "%", "%-", "%-q", "%%%f%n%g", "%I %p %j %U %W %V %G %u %w %c %x %X %Z %z", "é%Y"} {
		f.Add(s, "2024-05-01 é 12", int64(1e18))
	}
	f.Fuzz(func(t *testing.T, format, text string, ns int64) {
		c, err := compileTimeFormat(format)
		if err != nil {
			var fe *FormatError
			if !errors.As(err, &fe) {
				t.Fatal(err)
			}
			return
		}
		out := c.append(nil, time.Unix(0, ns).UTC())
		if len(out) > 20*len(format)+20 {
			t.Fatalf("%q makes %d bytes", format, len(out))
		}
		_, _ = c.parse(text, time.UTC)
		_, _ = c.parse(string(out), time.UTC)
	})
}

// FuzzRegexp asserts that patterns, options and replacements end in an answer or an error of a value.
func FuzzRegexp(f *testing.F) {
	f.Add("a(b)", "ig", `\1\0\9`, "xabab")
	f.Add(`\b`, "", `\`, "a b")
	f.Add("", "l", "x", "é")
	f.Fuzz(func(t *testing.T, pattern, options, by, text string) {
		if len(pattern) > 200 || len(text) > 2000 {
			return
		}
		texts := []string{text}
		if len(text)%16 == 1 {
			texts = append(texts, strings.Repeat(" ", wholeBytes)+text)
		}
		for _, s := range texts {
			for _, e := range []Expr{
				callOf(t, "regexp_replace", textConst(s), textConst(pattern), textConst(by), textConst(options)), callOf(t, "regexp_matches", textConst(s), textConst(pattern), textConst(options)),
				callOf(t, "regexp_extract_all", textConst(s), textConst(pattern)), callOf(t, "regexp_split_to_array", textConst(s), textConst(pattern)), callOf(t, "regexp_full_match", textConst(s), textConst(pattern)),
			} {
				_, err := EvalConst(context.Background(), e, Env{})
				var ve *ValueError
				if err != nil && !errors.As(err, &ve) {
					t.Fatal(err)
				}
			}
		}
		if _, err := regexp.Compile(pattern); err == nil {
			if _, err := compilePattern(pattern, ""); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzPrintf asserts the same of formats of printf.
func FuzzPrintf(f *testing.F) {
	f.Add("%d %5.2f|%-9s|%x%%", int64(5), 2.5, "é")
	f.Add("%", int64(0), 0.0, "")
	f.Add("%1001d%c%+#08o", int64(-1), 1e300, "x")
	f.Fuzz(func(t *testing.T, format string, n int64, x float64, s string) {
		_, err := EvalConst(t.Context(), callOf(t, "printf", textConst(format), &Const{Value: query.Int(n), T: vector.Int}, &Const{Value: query.Double(x), T: vector.Float}, textConst(s)), Env{})
		var ve *ValueError
		if err != nil && !errors.As(err, &ve) {
			t.Fatal(err)
		}
	})
}

// TestTruncSpans: what is remembered of a span of times is what the calendar says of each, whatever the order of times and the zone.
func TestTruncSpans(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 1))
	known := 0
	for _, name := range []string{"UTC", "Europe/Paris", "America/Sao_Paulo", "Asia/Beirut", "Pacific/Apia", "America/St_Johns"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []timePart{partDay, partWeek, partMonth, partQuarter, partYear, partDecade, partIsoyear} {
			cut := func(ns int64) (int64, error) {
				at, _ := truncate(p, time.Unix(0, ns).In(zone))
				return at.UnixNano(), nil
			}
			var s truncSpan
			at := time.Date(1990+r.IntN(30), time.Month(1+r.IntN(12)), 1, 0, 0, 0, 0, zone).UnixNano()
			for range 3000 {
				if at += r.Int64N(int64(3 * time.Hour)); r.IntN(100) == 0 {
					at -= r.Int64N(int64(200 * time.Hour))
				}
				want, _ := cut(at)
				if s.has(at) {
					if known++; s.start != want {
						t.Fatalf("%s, part %d, %v: %v, want %v", name, p, time.Unix(0, at).In(zone), time.Unix(0, s.start).In(zone), time.Unix(0, want).In(zone))
					}
					continue
				}
				s.learn(at, want, cut)
			}
		}
	}
	if known < 60_000 {
		t.Fatal("only", known, "were known")
	}
}
