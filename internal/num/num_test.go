package num

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// value is a number in one of its three forms.
type value struct {
	kind Kind
	i    int64
	f    float64
	b    []byte
}

func (v value) key() []byte {
	switch v.kind {
	case IsInt:
		return KeyInt(nil, v.i)
	case IsFloat:
		return KeyFloat(nil, v.f)
	}
	return KeyBig(nil, v.b)
}

func (v value) hash() uint64 {
	switch v.kind {
	case IsInt:
		return HashInt(v.i)
	case IsFloat:
		return HashFloat(v.f)
	}
	return HashBig(v.b)
}

func compareValues(a, b value) int {
	switch {
	case a.kind == IsInt && b.kind == IsInt:
		switch {
		case a.i < b.i:
			return -1
		case a.i > b.i:
			return 1
		}
		return 0
	case a.kind == IsInt && b.kind == IsFloat:
		return CompareIntFloat(a.i, b.f)
	case a.kind == IsFloat && b.kind == IsFloat:
		return CompareFloats(a.f, b.f)
	case a.kind == IsBig && b.kind == IsBig:
		return CompareBigs(a.b, b.b)
	case a.kind == IsBig && b.kind == IsInt:
		return CompareBigInt(a.b, b.i)
	case a.kind == IsBig:
		return CompareBigFloat(a.b, b.f)
	}
	return -compareValues(b, a)
}

// oracle compares with math/big; infinities and NaN by rank.
func oracle(a, b value) int {
	rank := func(v value) int {
		switch {
		case v.kind != IsFloat:
			return 0
		case v.f != v.f:
			return 2
		case math.IsInf(v.f, 1):
			return 1
		case math.IsInf(v.f, -1):
			return -1
		}
		return 0
	}
	if ra, rb := rank(a), rank(b); ra != rb || ra != 0 {
		return min(1, max(-1, ra-rb))
	}
	rat := func(v value) *big.Rat {
		r := new(big.Rat)
		switch v.kind {
		case IsInt:
			r.SetInt64(v.i)
		case IsFloat:
			r.SetFloat64(v.f)
		default:
			r.SetString(string(v.b))
		}
		return r
	}
	return rat(a).Cmp(rat(b))
}

func samples() []value {
	var all []value
	ints := []int64{0, 1, -1, 2, 1<<53 - 1, 1 << 53, 1<<53 + 1, -1<<53 - 1, math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 - 1023, math.MaxInt64 - 1024, math.MinInt64, math.MinInt64 + 1}
	floats := []float64{
		0, math.Copysign(0, -1), 0.5, -0.5, 1, -1, 1.5, 1 << 53, 1<<53 + 2, 0x1p63, -0x1p63, 0x1p63 - 1024, 0x1p64, -0x1p64, 1e300, -1e300,
		math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1), math.NaN(), 1e-300,
	}
	bigs := []string{
		"9223372036854775808", "9223372036854775809", "-9223372036854775809", "18446744073709551616", "-18446744073709551616", "18446744073709551617",
		"1" + strings.Repeat("0", 300), "9" + strings.Repeat("9", 400), "-9" + strings.Repeat("9", 400), new(big.Float).SetFloat64(math.MaxFloat64).Text('f', 0),
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		i := int64(rng.Uint64()) >> rng.IntN(64)
		ints = append(ints, i, i+1)
		f := math.Float64frombits(rng.Uint64())
		floats = append(floats, f, float64(i), math.Nextafter(float64(i), 0), float64(i)+0.25)
		if f > 0x1p63 && f < math.MaxFloat64 {
			bigs = append(bigs, strconv.FormatFloat(f, 'f', 0, 64))
		}
	}
	for _, i := range ints {
		all = append(all, value{kind: IsInt, i: i})
	}
	for _, f := range floats {
		all = append(all, value{kind: IsFloat, f: f})
	}
	for _, b := range bigs {
		all = append(all, value{kind: IsBig, b: []byte(b)})
	}
	return all
}

func TestNumbersCompareExactly(t *testing.T) {
	all := samples()
	for _, a := range all {
		for _, b := range all {
			want := oracle(a, b)
			if got := compareValues(a, b); got != want {
				t.Fatalf("compare %+v %+v = %d, want %d", a, b, got, want)
			}
			if got := bytes.Compare(a.key(), b.key()); got != want {
				t.Fatalf("keys of %+v %+v compare %d, want %d", a, b, got, want)
			}
			if (want == 0) != (a.hash() == b.hash()) {
				t.Fatalf("hashes of %+v %+v: equal is %v, want %v", a, b, a.hash() == b.hash(), want == 0)
			}
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in string
		k  Kind
		i  int64
		f  float64
	}{
		{"0", IsInt, 0, 0},
		{"-0", IsInt, 0, 0},
		{"12", IsInt, 12, 0},
		{"-12", IsInt, -12, 0},
		{"9223372036854775807", IsInt, math.MaxInt64, 0},
		{"9223372036854775808", IsBig, 0, 0},
		{"-9223372036854775808", IsInt, math.MinInt64, 0},
		{"-9223372036854775809", IsBig, 0, 0},
		{"99999999999999999999", IsBig, 0, 0},
		{"1.0", IsFloat, 0, 1},
		{"1e2", IsFloat, 0, 100},
		{"-1.5E-1", IsFloat, 0, -0.15},
		{"1e999", IsFloat, 0, math.Inf(1)},
		{"-1e999", IsFloat, 0, math.Inf(-1)},
		{"1e-999", IsFloat, 0, 0},
		{"", NotNumber, 0, 0},
		{"-", NotNumber, 0, 0},
		{"01", NotNumber, 0, 0},
		{"1.", NotNumber, 0, 0},
		{".5", NotNumber, 0, 0},
		{"1e", NotNumber, 0, 0},
		{"1e+", NotNumber, 0, 0},
		{"+1", NotNumber, 0, 0},
		{"1x", NotNumber, 0, 0},
		{"0x1", NotNumber, 0, 0},
		{"1.5e3x", NotNumber, 0, 0},
		{"-01", NotNumber, 0, 0},
	} {
		if k, i, f := Parse([]byte(c.in)); k != c.k || i != c.i || f != c.f {
			t.Errorf("Parse(%q) = %d %d %v", c.in, k, i, f)
		}
	}
	for _, c := range []struct {
		in, big string
		k       Kind
		i       int64
		f       float64
	}{
		{" +12 ", "", IsInt, 12, 0},
		{"007", "", IsInt, 7, 0},
		{"-0009223372036854775809", "-9223372036854775809", IsBig, 0, 0},
		{".5", "", IsFloat, 0, 0.5},
		{"5.", "", IsFloat, 0, 5},
		{"-Infinity", "", IsFloat, 0, math.Inf(-1)},
		{"INF", "", IsFloat, 0, math.Inf(1)},
		{"1e400", "", IsFloat, 0, math.Inf(1)},
		{"0x10", "", NotNumber, 0, 0},
		{"1_000", "", NotNumber, 0, 0},
		{"", "", NotNumber, 0, 0},
		{"infin", "", NotNumber, 0, 0},
		{"--1", "", NotNumber, 0, 0},
		{"-", "", NotNumber, 0, 0},
		{"1 2", "", NotNumber, 0, 0},
		{".", "", NotNumber, 0, 0},
		{"infinityx", "", NotNumber, 0, 0},
	} {
		k, i, f, b := ParseText([]byte(c.in))
		if k != c.k || i != c.i || f != c.f || k == IsBig && string(b) != c.big {
			t.Errorf("ParseText(%q) = %d %d %v %q", c.in, k, i, f, b)
		}
	}
	if k, _, f, _ := ParseText([]byte("NaN")); k != IsFloat || f == f {
		t.Errorf("ParseText(NaN) = %d %v", k, f)
	}
}

func TestAppendFloat(t *testing.T) {
	for in, want := range map[float64]string{1: "1.0", -0.5: "-0.5", 1e16: "1e+16", 1e15: "1000000000000000.0", 1e-6: "1e-06", 0: "0.0", math.Inf(1): "Infinity", math.Inf(-1): "-Infinity"} {
		if got := string(AppendFloat(nil, in)); got != want {
			t.Errorf("%v prints as %s, want %s", in, got, want)
		}
	}
	if got := string(AppendFloat(nil, math.NaN())); got != "NaN" {
		t.Errorf("NaN prints as %s", got)
	}
}

func TestInt128(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var a, b Int128
		want := new(big.Int)
		for range rng.IntN(20) {
			i := int64(rng.Uint64())
			want.Add(want, big.NewInt(i))
			if rng.IntN(2) == 0 {
				a.Add(i)
			} else {
				b.Add(i)
			}
		}
		a.Merge(b)
		got, ok := a.Int64()
		if ok != want.IsInt64() || ok && got != want.Int64() {
			t.Fatalf("sum = %d %v, want %v", got, ok, want)
		}
		exact, _ := new(big.Float).SetInt(want).Float64()
		if f := a.Float64(); math.Abs(f-exact) > math.Abs(exact)*1e-15 {
			t.Fatalf("float = %v, want %v", f, exact)
		}
	}
}

// TestSumHidesOrder adds the same numbers in many orders and partitions.
func TestSumHidesOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	xs := make([]float64, 10000)
	exact := new(big.Float).SetPrec(2000)
	for i := range xs {
		xs[i] = (rng.Float64() - 0.5) * math.Pow(10, float64(rng.IntN(16)))
		exact.Add(exact, new(big.Float).SetFloat64(xs[i]))
	}
	want, _ := exact.Float64()
	naive := map[float64]bool{}
	for range 100 {
		rng.Shuffle(len(xs), func(i, j int) { xs[i], xs[j] = xs[j], xs[i] })
		parts := make([]Sum, 1+rng.IntN(20))
		n := 0.0
		for _, x := range xs {
			parts[rng.IntN(len(parts))].Add(x)
			n += x
		}
		naive[n] = true
		var total Sum
		for _, p := range parts {
			total.Merge(p)
		}
		if got := total.Value(); got != want {
			t.Fatalf("sum = %v, want %v", got, want)
		}
	}
	if len(naive) < 10 {
		t.Fatalf("only %d naive sums differ: the numbers are too easy", len(naive))
	}
}

func TestSumSpecial(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		in   []float64
		want float64
	}{
		{nil, 0},
		{[]float64{1, inf, 2}, inf},
		{[]float64{inf, -inf}, nan},
		{[]float64{1, nan}, nan},
		{[]float64{-inf, 5}, -inf},
		{[]float64{math.MaxFloat64, math.MaxFloat64}, inf},
		{[]float64{1e308, 1, -1e308}, 1},
	} {
		var s Sum
		for _, x := range c.in {
			s.Add(x)
		}
		if got := s.Value(); CompareFloats(got, c.want) != 0 {
			t.Errorf("sum of %v = %v, want %v", c.in, got, c.want)
		}
	}
	var s Sum
	s.AddInt(math.MaxInt64)
	s.AddInt(-math.MaxInt64 + 3)
	if got := s.Value(); got != 3 {
		t.Errorf("integers beyond 2^53 sum to %v", got)
	}
	s = Sum{}
	for range 3 {
		s.Add(0.1)
	}
	if got := s.Div(3); got != 0.1 {
		t.Errorf("avg of 0.1 = %v", got)
	}
}

func TestKeyJSON(t *testing.T) {
	// In ascending order; those of one line are equal.
	lines := [][]string{
		{"false"},
		{"true"},
		{"-1e400"},
		{"-9223372036854775809"},
		{"0", "-0", "0.0", "-0.0", "0e5"},
		{"1", "1.0", "1e0", "10e-1"},
		{"9223372036854775807"},
		{"9223372036854775808", "9223372036854775808.0", "9.223372036854775808e18"},
		{`""`},
		{`"\u0000"`},
		{`"\u0000\u0000"`},
		{`"\u0001"`},
		{`"a"`, `"\u0061"`},
		{`"a\u0000"`},
		{`"ab"`},
		{`"😀"`, `"\ud83d\ude00"`},
		{`[]`, `[ ]`},
		{`[false]`},
		{`[1]`, `[ 1.0 ]`},
		{`[1,1]`, `[1, 1.0]`},
		{`[2]`},
		{`[10]`},
		{`[[]]`},
		{`[null]`},
		{`{}`, ` { } `},
		{`{"a":1}`, `{"a":1.0,"a":2}`},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, `{ "b" : 2 , "\u0061" : 1 }`, `{"b":2,"a":1,"b":0,"a":0}`},
		{`{"b":1}`},
		{"null"},
	}
	var prev []byte
	for _, line := range lines {
		first := KeyJSON(nil, []byte(line[0]))
		if bytes.Compare(prev, first) >= 0 {
			t.Errorf("%s is not above the line before", line[0])
		}
		for _, same := range line[1:] {
			if !bytes.Equal(first, KeyJSON(nil, []byte(same))) {
				t.Errorf("%s is not equal to %s", same, line[0])
			}
		}
		prev = first
	}
}

func TestUnquote(t *testing.T) {
	for _, s := range []string{`a`, `\"\\\/\b\f\n\r\t`, `\u00e4\ud83d\ude00x`, `\ud83d`, `\ud83dx`, `\ude00\ud83d`, `\ud83d\u0041`, `é`} {
		var want string
		if err := json.Unmarshal([]byte(`"`+s+`"`), &want); err != nil {
			t.Fatal(err)
		}
		if got := string(Unquote(nil, []byte(s))); got != want {
			t.Errorf("%s = %q, want %q", s, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0", "-0", "1e5", "123456789012345678901", "-9223372036854775808", "1.5", "01", "+1", " 1", "nan", "1.e1", "1e999", "--"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		k, i, fl := Parse(s)
		valid := json.Valid(s) && len(s) > 0 && (s[0] == '-' || s[0]-'0' <= 9) && s[len(s)-1] > ' '
		if (k != NotNumber) != valid {
			t.Fatalf("Parse(%q) = %d, valid is %v", s, k, valid)
		}
		if k == NotNumber {
			return
		}
		r, err := strconv.ParseInt(string(s), 10, 64)
		if (k == IsInt) != (err == nil) || k == IsInt && r != i {
			t.Fatalf("Parse(%q) = %d %d", s, k, i)
		}
		if k == IsFloat {
			if w, _ := strconv.ParseFloat(string(s), 64); w != fl {
				t.Fatalf("Parse(%q) = %v, want %v", s, fl, w)
			}
		}
		if tk, ti, tf, _ := ParseText(slices.Clone(s)); tk != k || ti != i || CompareFloats(tf, fl) != 0 {
			t.Fatalf("ParseText(%q) = %d %d %v", s, tk, ti, tf)
		}
	})
}

func FuzzKeyJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2,{"b":null}],"a":2}`, `[1e5,"\ud83d\ude00",true]`, `{"":`, `[[[`, `"\u12`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		if len(s) > 1000 {
			return
		}
		key := KeyJSON(nil, s)
		if !json.Valid(s) {
			return
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, s); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(key, KeyJSON(nil, compact.Bytes())) {
			t.Fatalf("spaces show in the key of %q", s)
		}
	})
}

func BenchmarkSum(b *testing.B) {
	xs := make([]float64, 2048)
	for i := range xs {
		xs[i] = float64(i) * 0.1
	}
	var s Sum
	for b.Loop() {
		for _, x := range xs {
			s.Add(x)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(xs)), "ns/row")
}
