package vector

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// fill appends n random values of a type; values repeat, so that equal ones meet.
func fill(rng *rand.Rand, v *Vector, n int) {
	ints := []int64{0, 1, -1, 2, 1 << 53, 1<<53 + 1, math.MaxInt64, math.MinInt64, 86400e9, 86400e9 + 1}
	floats := []float64{0, math.Copysign(0, -1), 1, -1, 0.5, 1 << 53, 0x1p63, -0x1p63, math.NaN(), math.Inf(1), math.Inf(-1), 2}
	texts := []string{"", "a", "ab", "b", "a\x00", "ä", "Z"}
	jsons := []string{`[]`, `[1]`, `[ 1.0 ]`, `[2,"x"]`, `[10]`}
	objects := []string{`{}`, `{"a":1,"b":2}`, `{ "b":2, "a":1.0}`, `{"a":null}`}
	for range n {
		t := v.Type
		if t.Dynamic() {
			t = []Type{Any, Bool, Int, Float, Text, Blob, Time, Date, IntervalType, JSON, JSON}[rng.IntN(11)]
		} else if rng.IntN(5) == 0 {
			v.AppendNull()
			continue
		}
		switch t {
		case Any:
			if rng.IntN(2) == 0 {
				v.AppendNull()
			} else {
				v.AppendExplicitNull()
			}
		case Bool:
			v.AppendBool(rng.IntN(2) == 0)
		case Int:
			v.AppendInt(ints[rng.IntN(len(ints))])
		case Float:
			v.AppendFloat(floats[rng.IntN(len(floats))])
		case Text:
			v.AppendText([]byte(texts[rng.IntN(len(texts))]))
		case Blob:
			v.AppendBlob([]byte(texts[rng.IntN(len(texts))]))
		case Time:
			v.AppendTime(ints[rng.IntN(len(ints))])
		case Date:
			v.AppendDate(int64(rng.IntN(4) - 1))
		case IntervalType:
			v.AppendInterval(Interval{int32(rng.IntN(2)), int32(rng.IntN(2) * 30), int64(rng.IntN(3)-1) * 86400e9})
		case JSON:
			switch rng.IntN(3) {
			case 0:
				v.AppendBytes(ClassBig, []byte([]string{"9223372036854775808", "-9223372036854775809", "123456789012345678901234567890"}[rng.IntN(3)]))
			case 1:
				v.AppendBytes(ClassArray, []byte(jsons[rng.IntN(len(jsons))]))
			default:
				v.AppendBytes(ClassObject, []byte(objects[rng.IntN(len(objects))]))
			}
		}
	}
}

// asDict makes a text vector dictionary-coded.
func asDict(v *Vector) *Vector {
	d := &Vector{Type: v.Type, Len: v.Len, Nulls: v.Nulls, Dict: &Dict{Data: v.Data}}
	for _, r := range v.Refs {
		k := slices.Index(d.Dict.Refs, r)
		if k < 0 {
			k = len(d.Dict.Refs)
			d.Dict.Refs = append(d.Dict.Refs, r)
		}
		d.Codes = append(d.Codes, uint32(k))
	}
	return d
}

var allTypes = []Type{Any, Bool, Int, Float, Text, Blob, Time, Date, IntervalType, JSON}

// forms returns a random vector of a type as it is, as a constant, and for text coded.
func forms(rng *rand.Rand, t Type, n int) []*Vector {
	v := New(t, n)
	fill(rng, v, n)
	c := New(t, 1)
	fill(rng, c, 1)
	c.Const = true
	all := []*Vector{v, c}
	if t == Text || t == Blob {
		all = append(all, asDict(v))
	}
	return all
}

// selections returns no selection, one of every third row, one of a single row and an empty one.
func selections(n int) []Sel {
	third := Sel{}
	for i := 0; i < n; i += 3 {
		third = append(third, int32(i))
	}
	return []Sel{nil, third, {int32(n - 1)}, {}}
}

// TestCompareAgreesWithKeys compares every form of every type with every other; what must come out follows from the keys,
// which are made another way.
func TestCompareAgreesWithKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 70
	var s State
	var out Vector
	for _, ta := range allTypes {
		for _, tb := range allTypes {
			for _, a := range forms(rng, ta, n) {
				for _, b := range forms(rng, tb, n) {
					for op := Eq; op <= IsNotDistinct; op++ {
						for _, sel := range selections(n) {
							s.OtherType = 0
							s.Compare(op, a, b, &out, sel, n)
							other := int64(0)
							sel.All(n, func(i int) {
								want, isOther := expected(op, a, b, i)
								if isOther {
									other++
								}
								got := unknown
								if !out.Null(i) {
									got = isFalse
									if out.Bools[i] {
										got = isTrue
									}
								}
								if got != want {
									t.Fatalf("row %d: %v %v %d %v %v = %d, want %d", i, ta, text(a, i), op, tb, text(b, i), got, want)
								}
							})
							if op < IsDistinct && s.OtherType != other {
								t.Fatalf("%v %d %v: %d values of another type counted, want %d", ta, op, tb, s.OtherType, other)
							}
						}
					}
				}
			}
		}
	}
}

func text(v *Vector, i int) string {
	var s State
	return v.Class(i).String() + " " + string(s.AppendText(nil, v, i))
}

func expected(op CompareOp, a, b *Vector, i int) (truth, bool) {
	an, bn := a.Null(i), b.Null(i)
	ca, cb := a.Class(i), b.Class(i)
	mixed := ca == ClassDate && cb == ClassTime || ca == ClassTime && cb == ClassDate
	other := !an && !bn && ca.rank() != cb.rank() && !mixed
	var c int
	if mixed {
		nanos := func(c Class, x int64) int64 {
			if c == ClassDate {
				return x * 86400e9
			}
			return x
		}
		x, y := nanos(ca, a.Int(i)), nanos(cb, b.Int(i))
		switch {
		case x < y:
			c = -1
		case x > y:
			c = 1
		}
	} else {
		c = bytes.Compare(AppendKey(nil, a, i), AppendKey(nil, b, i))
	}
	var r bool
	switch op {
	case IsDistinct, IsNotDistinct:
		r = c == 0 == (op == IsNotDistinct)
		if r {
			return isTrue, false
		}
		return isFalse, false
	case Eq:
		r = c == 0
	case Ne:
		r = c != 0
	case Lt:
		r = c < 0
	case Le:
		r = c <= 0
	case Gt:
		r = c > 0
	case Ge:
		r = c >= 0
	}
	switch {
	case an || bn || other:
		return unknown, other
	case r:
		return isTrue, false
	}
	return isFalse, false
}

func TestRowsHaveOneOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var s State
	const n = 60
	var all []*Vector
	for _, ty := range allTypes {
		all = append(all, forms(rng, ty, n)...)
	}
	hash := func(v *Vector, i int) uint64 {
		h := make([]uint64, n)
		s.Hash([]*Vector{v}, Sel{int32(i)}, n, h)
		return h[i]
	}
	for _, a := range all {
		for _, b := range all {
			for range 40 {
				i, j := rng.IntN(n), rng.IntN(n)
				for _, desc := range []bool{false, true} {
					want := bytes.Compare(AppendSortKey(nil, a, i, desc), AppendSortKey(nil, b, j, desc))
					got := s.CompareRows([]*Vector{a}, i, []*Vector{b}, j, []bool{desc})
					if min(1, max(-1, got)) != want {
						t.Fatalf("%s and %s order %d, want %d (descending %v)", text(a, i), text(b, j), got, want, desc)
					}
					if equal := s.EqualRows([]*Vector{a}, i, []*Vector{b}, j); equal != (want == 0) {
						t.Fatalf("%s and %s: equal is %v", text(a, i), text(b, j), equal)
					}
					if want == 0 && hash(a, i) != hash(b, j) {
						t.Fatalf("%s and %s are equal, their hashes are not", text(a, i), text(b, j))
					}
				}
				if a.Null(i) && !b.Null(j) && (s.CompareTotal(a, i, b, j, true) <= 0 || s.CompareTotal(a, i, b, j, false) <= 0) {
					t.Fatal("NULL is not last in both directions")
				}
			}
		}
	}
}

func TestClassOrder(t *testing.T) {
	v := New(Any, 0)
	v.AppendBool(true)
	v.AppendFloat(math.NaN())
	v.AppendText([]byte(""))
	v.AppendBlob([]byte(""))
	v.AppendTime(0)
	v.AppendDate(0)
	v.AppendInterval(Interval{})
	v.AppendBytes(ClassArray, []byte("[]"))
	v.AppendBytes(ClassObject, []byte("{}"))
	v.AppendNull()
	var s State
	for i := 1; i < v.Len; i++ {
		if s.CompareTotal(v, i-1, v, i, false) >= 0 {
			t.Errorf("%v is not below %v", v.Class(i-1), v.Class(i))
		}
	}
}

func TestLogic(t *testing.T) {
	v := func(x string) *Vector {
		b := New(Bool, 0)
		for _, c := range x {
			switch c {
			case 't':
				b.AppendBool(true)
			case 'f':
				b.AppendBool(false)
			default:
				b.AppendNull()
			}
		}
		return b
	}
	show := func(b *Vector) string {
		var r strings.Builder
		for i := range b.Len {
			switch {
			case b.Null(i):
				r.WriteString("n")
			case b.Bool(i):
				r.WriteString("t")
			default:
				r.WriteString("f")
			}
		}
		return r.String()
	}
	var s State
	var out Vector
	a, b := v("tttfffnnn"), v("tfntfntfn")
	for _, c := range []struct {
		name, want string
		f          func()
	}{
		{"and", "tfnfffnfn", func() { s.Truth(a, &out, nil, 9); out.AndRows(b, nil, 9) }},
		{"or", "ttttfntnn", func() { s.Truth(a, &out, nil, 9); out.OrRows(b, nil, 9) }},
		{"not", "ftnftnftn", func() { s.Not(b, &out, nil, 9) }},
		{"is null", "fftfftfft", func() { IsNull(b, &out, false, nil, 9) }},
		{"is not null", "ttfttfttf", func() { IsNull(b, &out, true, nil, 9) }},
		{"is true", "tfftfftff", func() { s.IsTruth(b, &out, true, false, nil, 9) }},
		{"is not false", "tfttfttft", func() { s.IsTruth(b, &out, false, true, nil, 9) }},
	} {
		if c.f(); show(&out) != c.want {
			t.Errorf("%s: %s, want %s", c.name, show(&out), c.want)
		}
	}
	for _, c := range []struct {
		name string
		got  Sel
		want Sel
	}{
		{"true", s.SelectTrue(b, nil, 9, nil), Sel{0, 3, 6}},
		{"not false", s.SelectNotFalse(b, nil, 9, nil), Sel{0, 2, 3, 5, 6, 8}},
		{"not true", s.SelectNotTrue(b, Sel{0, 1, 2}, 9, nil), Sel{1, 2}},
		{"null", SelectNull(b, nil, 9, nil), Sel{2, 5, 8}},
		{"none", s.SelectTrue(v("fff"), nil, 3, nil), Sel{}},
	} {
		if !slices.Equal(c.got, c.want) || c.got == nil {
			t.Errorf("select %s: %v, want %v", c.name, c.got, c.want)
		}
	}
	x, y := v("ttff"), v("tftf")
	s.Truth(x, &out, nil, 4)
	if out.AndRows(y, nil, 4); show(&out) != "tfff" {
		t.Errorf("and without NULL: %s", show(&out))
	}
	s.Truth(x, &out, nil, 4)
	if out.OrRows(y, nil, 4); show(&out) != "tttf" {
		t.Errorf("or without NULL: %s", show(&out))
	}
	if got := s.SelectTrue(b, Sel{0, 2, 5, 6}, 9, nil); !slices.Equal(got, Sel{0, 6}) {
		t.Errorf("select of a selection: %v", got)
	}
	d := New(Any, 0)
	d.AppendBool(true)
	d.AppendInt(1)
	s.OtherType = 0
	if s.Not(d, &out, nil, 2); show(&out) != "fn" || s.OtherType != 1 {
		t.Errorf("NOT of a number: %s, %d counted", show(&out), s.OtherType)
	}
}

func TestIn(t *testing.T) {
	d := New(Any, 0)
	d.AppendInt(1)
	d.AppendFloat(1)
	d.AppendFloat(2.5)
	d.AppendText([]byte("1"))
	d.AppendNull()
	d.AppendInt(7)
	set := func(f ...func(v *Vector)) *Set {
		v := New(Any, 0)
		for _, g := range f {
			g(v)
		}
		return NewSet(v)
	}
	i := func(x int64) func(*Vector) { return func(v *Vector) { v.AppendInt(x) } }
	fl := func(x float64) func(*Vector) { return func(v *Vector) { v.AppendFloat(x) } }
	tx := func(x string) func(*Vector) { return func(v *Vector) { v.AppendText([]byte(x)) } }
	null := func(v *Vector) { v.AppendNull() }
	for _, c := range []struct {
		set  *Set
		want string
	}{
		{set(), "ffffff"},
		{set(i(1), i(2)), "ttfnnf"},
		{set(fl(1), fl(2.5)), "tttnnf"},
		{set(fl(7), i(2), tx("x")), "nnnnnt"},
		{set(tx("1")), "nnntnn"},
		{set(null), "nnnnnn"},
		{set(i(1), null), "ttnnnn"},
		{set(i(1), fl(1)), "ttfnnf"},
	} {
		var s State
		var out Vector
		for _, not := range []bool{false, true} {
			s.In(d, c.set, not, &out, nil, d.Len)
			var got strings.Builder
			for k := range d.Len {
				switch {
				case out.Null(k):
					got.WriteString("n")
				case out.Bool(k) != not:
					got.WriteString("t")
				default:
					got.WriteString("f")
				}
			}
			if got.String() != c.want {
				t.Errorf("%+v (not %v): %s, want %s", c.set, not, got.String(), c.want)
			}
		}
	}
}

func TestGatherAndAppend(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const n = 50
	idx := []int32{3, -1, 49, 3, 0}
	for _, ty := range allTypes {
		for _, src := range forms(rng, ty, n) {
			var g Vector
			for round := range 2 { // the second reuses the memory
				g.Gather(src, idx)
				for k, i := range idx {
					if i < 0 {
						if !g.Null(k) {
							t.Fatalf("%v: row -1 is not NULL", ty)
						}
						continue
					}
					if !bytes.Equal(AppendKey(nil, &g, k), AppendKey(nil, src, int(i))) || g.ExplicitNull(k) != src.ExplicitNull(int(i)) {
						t.Fatalf("%v round %d: row %d differs", ty, round, k)
					}
				}
			}
			before := AppendKey(nil, src, 1)
			own := New(ty, 0)
			own.AppendRows(src, nil, n)
			own.AppendRows(src, Sel{1, 2}, n)
			any := New(Any, 0)
			any.AppendRows(src, nil, n)
			for k := range n {
				if want := AppendKey(nil, src, k); !bytes.Equal(AppendKey(nil, own, k), want) || !bytes.Equal(AppendKey(nil, any, k), want) {
					t.Fatalf("%v: appended row %d differs", ty, k)
				}
			}
			if own.Len != n+2 || !bytes.Equal(AppendKey(nil, own, n), before) {
				t.Fatalf("%v: selected rows differ", ty)
			}
			// Appending to what was gathered must not write into the source.
			if g.Dict == nil && !ty.Dynamic() {
				g.AppendFrom(src, 1)
				if !bytes.Equal(AppendKey(nil, src, 1), before) {
					t.Fatalf("%v: the source changed", ty)
				}
			}
		}
	}
}

func TestResetKeepsMemory(t *testing.T) {
	v := New(Any, 0)
	row := func() {
		v.Reset(Any)
		for range 100 {
			v.AppendText([]byte("some text of a payload"))
			v.AppendInt(1)
			v.AppendNull()
		}
		v.Reset(Int)
		for range 100 {
			v.AppendInt(3)
			v.AppendNull()
		}
	}
	row()
	if n := testing.AllocsPerRun(10, row); n != 0 {
		t.Errorf("%v allocations for each batch", n)
	}
	v.Reset(Int)
	v.AppendNull()
	v.Reset(Int)
	v.AppendInt(1)
	if v.Null(0) {
		t.Error("a NULL of the batch before is still there")
	}
}
