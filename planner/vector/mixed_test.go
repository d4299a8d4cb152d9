package vector

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// mostlyVector returns a dynamic vector, or a typed one, most of whose rows are of one class; constant in one of six.
func mostlyVector(r *rand.Rand, n, odd int) *Vector {
	class := []Class{ClassInt, ClassInt, ClassFloat, ClassTime}[r.IntN(4)]
	if r.IntN(5) == 0 {
		v := New([]Type{Int, Float, Time}[r.IntN(3)], n)
		for range n {
			appendOf(r, v, v.Type.Class())
		}
		return v
	}
	v := New(Any, n)
	constant := r.IntN(6) == 0
	if constant {
		n = 1
	}
	for range n {
		c := class
		if odd > 0 && r.IntN(odd) == 0 {
			c = []Class{ClassNull, ClassInt, ClassFloat, ClassTime, ClassText, ClassBool, ClassBig}[r.IntN(7)]
		}
		appendOf(r, v, c)
	}
	v.Const = constant
	return v
}

func appendOf(r *rand.Rand, v *Vector, c Class) {
	switch c {
	case ClassNull:
		v.AppendNull()
	case ClassInt:
		v.AppendInt([]int64{0, int64(r.IntN(100)) - 50, r.Int64() - 1<<62, math.MinInt64}[min(r.IntN(40), 3)])
	case ClassFloat:
		v.AppendFloat([]float64{0, r.NormFloat64() * 100, math.NaN(), math.Inf(1)}[min(r.IntN(40), 3)])
	case ClassTime:
		v.AppendTime(int64(r.IntN(100)))
	case ClassText:
		v.AppendText([]byte("text"))
	case ClassBool:
		v.AppendBool(true)
	default:
		v.AppendBytes(ClassBig, []byte("99999999999999999999"))
	}
}

// TestMixed calculates and compares vectors most of whose rows are of one class as a whole, and row by row.
func TestMixed(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 7))
	done := 0
	for range 20_000 {
		n := 1 + r.IntN(100)
		odd := []int{0, 50, 10, 2}[r.IntN(4)]
		a, b := mostlyVector(r, n, odd), mostlyVector(r, n, odd)
		var sel Sel
		if r.IntN(3) == 0 {
			sel = Sel{}
			for i := range n {
				if r.IntN(2) == 0 {
					sel = append(sel, int32(i))
				}
			}
		}
		op := CompareOp(r.IntN(6))
		if !a.Const || !b.Const {
			got, want := New(Bool, 0), New(Bool, 0)
			want.Resize(Bool, n)
			var s, rows State
			s.Compare(op, a, b, got, sel, n)
			sel.All(n, func(i int) {
				rows.compareAt(op.holds(), a, b, want, i)
				if got.Null(i) != want.Null(i) || !got.Null(i) && got.Bool(i) != want.Bool(i) {
					t.Fatalf("row %d of %d, %d: %v %v, want %v %v", i, n, op, got.Null(i), got.Bool(i), want.Null(i), want.Bool(i))
				}
			})
			if s.OtherType != rows.OtherType {
				t.Fatalf("%d of another type, want %d", s.OtherType, rows.OtherType)
			}
		}
		arith := ArithOp(r.IntN(6))
		to, ok := ArithType(arith, a.Type, b.Type)
		if !ok || a.Const && b.Const {
			continue
		}
		got, want := New(to, 0), New(to, 0)
		want.Resize(to, n)
		var s, rows State
		err := s.Arith(arith, a, b, got, sel, n)
		failed := -1
		var wantErr error
		each(sel, n, func(i int) bool {
			if wantErr = rows.arithAt(arith, a, b, want, i); wantErr != nil {
				failed = i
			}
			return wantErr == nil
		})
		if of, ok := errors.AsType[*RowError](err); ok != (wantErr != nil) || ok && (of.Row != failed || !errors.Is(err, wantErr)) {
			t.Fatalf("%v, want %v in row %d", err, wantErr, failed)
		}
		if err != nil {
			continue
		}
		view := *got
		each(sel, n, func(i int) bool {
			for _, v := range []*Vector{got, got.Typed(&view)} { // as it is, and as what it says it is
				if v.Null(i) != want.Null(i) || !v.Null(i) && string(AppendKey(nil, v, i)) != string(AppendKey(nil, want, i)) {
					t.Fatalf("row %d of %d: %v %d %d", i, n, v.Null(i), arith, want.Class(i))
				}
			}
			return true
		})
		if s.OtherType != rows.OtherType {
			t.Fatalf("%d of another type, want %d", s.OtherType, rows.OtherType)
		}
		if _, mixed := s.pairOf(a, b, sel, n); mixed {
			done++
		}
	}
	if done < 1000 {
		t.Errorf("%d pairs were mixed", done)
	}
}
