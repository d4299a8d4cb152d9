package vector

import (
	"math"
	"math/rand/v2"
	"testing"
)

// uniformOf returns rows of one class, some NULL, as a scan of columns gives them; coded texts have a dictionary.
func uniformOf(r *rand.Rand, class Class, n int, nulls, coded bool) *Vector {
	v := New(Any, 0)
	d := &Dict{}
	for _, w := range []string{"", "a", "b", "abc", "b%"} {
		d.Refs = append(d.Refs, MakeRef(len(d.Data), len(w)))
		d.Data = append(d.Data, w...)
	}
	if class == ClassText {
		v.ShareDict(d)
		if !coded {
			v.Dict = nil
		}
	}
	for i := range n {
		code := uint32(r.IntN(len(d.Refs)))
		bits := uint64(r.Int64N(9) - 4)
		switch class {
		case ClassFloat:
			bits = math.Float64bits([]float64{1, -1.5, math.NaN(), math.Inf(1), 0, math.Copysign(0, -1)}[r.IntN(6)])
		case ClassInt:
			if r.IntN(20) == 0 {
				bits = math.MaxInt64
			}
		case ClassText:
			bits = uint64(d.Refs[code])
			if coded {
				v.Codes = append(v.Codes, code)
			}
		}
		c := class
		if nulls && r.IntN(3) == 0 {
			c, bits = ClassNull, 0
		}
		v.appendBits(c, bits)
		if c == ClassNull {
			for len(v.Nulls) <= i/64 {
				v.Nulls = append(v.Nulls, 0)
			}
			v.Nulls.Set(i)
		}
	}
	for len(v.Nulls) < words(n) {
		v.Nulls = append(v.Nulls, 0)
	}
	v.Uniform, v.NoNulls = class, !nulls
	return v
}

// plain returns the same rows without saying what they are.
func plain(v *Vector) *Vector {
	out := New(v.Type, 0)
	for i := range v.Len {
		out.AppendFrom(v, i)
	}
	return out
}

// TestUniform compares, calculates, matches and looks up rows that are known to be of one class: as if it were not known.
func TestUniform(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	like, err := CompileLike([]byte("%b%"), 0, false)
	if err != nil {
		t.Fatal(err)
	}
	constant := func(f func(*Vector)) *Vector {
		v := New(Any, 0)
		f(v)
		v.Const = true
		return v
	}
	constants := []*Vector{
		constant(func(v *Vector) { v.AppendInt(1) }), constant(func(v *Vector) { v.AppendFloat(0.5) }), constant(func(v *Vector) { v.AppendText([]byte("b")) }),
		constant(func(v *Vector) { v.AppendNull() }), constant(func(v *Vector) { v.AppendTime(2) }), constant(func(v *Vector) { v.AppendBool(true) }),
		constant(func(v *Vector) { v.AppendFloat(math.NaN()) }), constant(func(v *Vector) { v.AppendInt(math.MaxInt64) }),
	}
	set := NewSet(constant(func(v *Vector) { v.AppendText([]byte("b")) }), constant(func(v *Vector) { v.AppendText([]byte("")) }))
	classes := []Class{ClassInt, ClassFloat, ClassTime, ClassText}
	for range 3000 {
		n := 1 + r.IntN(200)
		make := func() *Vector { return uniformOf(r, classes[r.IntN(len(classes))], n, r.IntN(2) == 0, r.IntN(2) == 0) }
		a, b := make(), make()
		if r.IntN(3) == 0 {
			b = constants[r.IntN(len(constants))]
		}
		if r.IntN(4) == 0 {
			idx := []int32{}
			for range n {
				idx = append(idx, int32(r.IntN(n)))
			}
			g := New(Any, 0)
			g.Gather(a, idx)
			a = g
		}
		var sel Sel
		if r.IntN(2) == 0 {
			sel = Sel{}
			for i := range n {
				if r.IntN(3) > 0 {
					sel = append(sel, int32(i))
				}
			}
		}
		pb := b
		if !b.Const {
			pb = plain(b)
		}
		var s, p State
		got, want := New(Bool, 0), New(Bool, 0)
		op := CompareOp(r.IntN(8))
		s.Compare(op, a, b, got, sel, n)
		p.Compare(op, plain(a), pb, want, sel, n)
		sameRows(t, "compare", got, want, sel, n)
		if err := s.Like(a, like, n%2 == 0, got, sel, n); err != nil {
			t.Fatal(err)
		}
		if err := p.Like(plain(a), like, n%2 == 0, want, sel, n); err != nil {
			t.Fatal(err)
		}
		sameRows(t, "like", got, want, sel, n)
		s.In(a, set, n%2 == 0, got, sel, n)
		p.In(plain(a), set, n%2 == 0, want, sel, n)
		sameRows(t, "in", got, want, sel, n)
		if s.OtherType != p.OtherType {
			t.Fatalf("%d values of another type, want %d", s.OtherType, p.OtherType)
		}
		arith := ArithOp(r.IntN(6))
		x, y := New(Any, 0), New(Any, 0)
		errGot, errWant := s.Arith(arith, a, b, x, sel, n), p.Arith(arith, plain(a), pb, y, sel, n)
		if (errGot == nil) != (errWant == nil) || errGot != nil && errGot.Error() != errWant.Error() {
			t.Fatalf("%v %v %v: %v, want %v", a.Uniform, arith, b.Uniform, errGot, errWant)
		}
		if errGot == nil {
			sameRows(t, "arith", x, y, sel, n)
		}
	}
}

func sameRows(t *testing.T, what string, got, want *Vector, sel Sel, n int) {
	t.Helper()
	sel.All(n, func(i int) {
		g, w := AppendKey(nil, got, i), AppendKey(nil, want, i)
		if got.Class(i) != want.Class(i) || string(g) != string(w) {
			t.Fatalf("%s, row %d: %v %x, want %v %x", what, i, got.Class(i), g, want.Class(i), w)
		}
	})
}
