package vector

import (
	"errors"
	"math"
	"testing"
	"time"
)

func TestArithmetic(t *testing.T) {
	const n = 5
	ints := func(xs ...int64) *Vector {
		v := New(Int, n)
		for _, x := range xs {
			v.AppendInt(x)
		}
		return v
	}
	dynamic := func(v *Vector) *Vector {
		d := New(Any, n)
		for i := range v.Len {
			d.AppendFrom(v, i)
		}
		return d
	}
	maxI, minI := int64(math.MaxInt64), int64(math.MinInt64)
	for _, c := range []struct {
		op   ArithOp
		a, b int64
		want int64
		err  error
	}{
		{Add, 2, 3, 5, nil},
		{Add, maxI, 1, 0, ErrOverflow},
		{Add, minI, -1, 0, ErrOverflow},
		{Add, maxI, minI, -1, nil},
		{Subtract, 2, 3, -1, nil},
		{Subtract, minI, 1, 0, ErrOverflow},
		{Subtract, 0, minI, 0, ErrOverflow},
		{Subtract, -1, minI, maxI, nil},
		{Multiply, 4, -5, -20, nil},
		{Multiply, -4, -5, 20, nil},
		{Multiply, 1 << 40, -1 << 40, 0, ErrOverflow},
		{Multiply, -4, 5, -20, nil},
		{Multiply, maxI, 2, 0, ErrOverflow},
		{Multiply, minI, -1, 0, ErrOverflow},
		{Multiply, minI, 1, minI, nil},
		{Multiply, 1 << 32, 1 << 31, 0, ErrOverflow},
		{Multiply, -1 << 32, 1 << 31, minI, nil},
		{IntDivide, -7, 2, -3, nil},
		{IntDivide, 1, 0, 0, ErrDivideByZero},
		{IntDivide, minI, -1, 0, ErrOverflow},
		{Modulo, -7, 2, -1, nil},
		{Modulo, minI, -1, 0, nil},
		{Modulo, 1, 0, 0, ErrDivideByZero},
	} {
		a, b := ints(1, 1, c.a, 1, 1), ints(1, 1, c.b, 1, 1)
		for _, pair := range [][2]*Vector{{a, b}, {dynamic(a), b}, {a, dynamic(b)}, {dynamic(a), dynamic(b)}} {
			for _, sel := range []Sel{nil, {0, 2}, {0, 1}} {
				var s State
				var out Vector
				err := s.Arith(c.op, pair[0], pair[1], &out, sel, n)
				if c.err == nil || sel != nil && sel[1] == 1 {
					if err != nil {
						t.Errorf("%d op %d %d: %v", c.a, c.op, c.b, err)
					} else if got := out.Int(2); (sel == nil || sel[1] == 2) && got != c.want {
						t.Errorf("%d op %d %d = %d, want %d", c.a, c.op, c.b, got, c.want)
					}
					continue
				}
				var row *RowError
				if !errors.Is(err, c.err) || !errors.As(err, &row) || row.Row != 2 {
					t.Errorf("%d op %d %d: error %v, want %v at row 2", c.a, c.op, c.b, err, c.err)
				}
			}
		}
		// A NULL beside it, or the same row NULL, never fails.
		a.SetNull(2)
		var s State
		var out Vector
		if err := s.Arith(c.op, a, b, &out, nil, n); err != nil || !out.Null(2) || out.Null(1) {
			t.Errorf("NULL op %d: %v", c.op, err)
		}
	}
	var s State
	var out Vector
	if err := s.Arith(Divide, ints(7), ints(2), &out, nil, 1); err != nil || out.Type != Float || out.Floats[0] != 3.5 {
		t.Errorf("7 / 2 = %v %v", out.Floats, err)
	}
	f := New(Float, 1)
	f.AppendFloat(0)
	if err := s.Arith(Divide, ints(7), f, &out, nil, 1); !errors.Is(err, ErrDivideByZero) {
		t.Errorf("7 / 0.0: %v", err)
	}
	d := New(Any, 3)
	d.AppendText([]byte("7"))
	d.AppendFloat(1.5)
	d.AppendInt(4)
	one := ints(1)
	one.Const = true
	if err := s.Arith(Add, d, one, &out, nil, 3); err != nil || !out.Null(0) || out.Float(1) != 2.5 || out.Int(2) != 5 || s.OtherType != 1 {
		t.Errorf("mixed + 1: %v, %d counted", err, s.OtherType)
	}
	big := New(Any, 1)
	big.AppendBytes(ClassBig, []byte("9223372036854775808"))
	if err := s.Arith(Add, big, one, &out, nil, 1); !errors.Is(err, ErrBigArithmetic) {
		t.Errorf("big + 1: %v", err)
	}
	if _, ok := ArithType(Modulo, Float, Int); ok {
		t.Error("% of a DOUBLE is allowed")
	}
	if err := s.Negate(ints(minI), &out, nil, 1); !errors.Is(err, ErrOverflow) {
		t.Errorf("-min: %v", err)
	}
}

func TestTimeArithmetic(t *testing.T) {
	at := func(s string) int64 {
		ns, ok := ParseTime([]byte(s), time.UTC)
		if !ok {
			t.Fatalf("%q is no time", s)
		}
		return ns
	}
	for _, c := range []struct{ from, add, want string }{
		{"2024-01-31", "1 month", "2024-02-29"},
		{"2023-01-31 10:00:00.000000001", "1 month", "2023-02-28 10:00:00.000000001"},
		{"2024-03-31", "-1 months", "2024-02-29"},
		{"2024-02-29", "1 year", "2025-02-28"},
		{"1969-12-31 23:00", "2 hours", "1970-01-01 01:00"},
		{"1960-05-05 12:00", "-13 months", "1959-04-05 12:00"},
		{"2024-01-01", "1 month 1 day -00:00:01", "2024-02-01 23:59:59"},
	} {
		iv, ok := ParseInterval([]byte(c.add))
		if !ok {
			t.Fatalf("%q is no interval", c.add)
		}
		var s State
		var out Vector
		a, b := New(Time, 1), New(IntervalType, 1)
		a.AppendTime(at(c.from))
		b.AppendInterval(iv)
		if err := s.Arith(Add, b, a, &out, nil, 1); err != nil || out.Type != Time || out.Ints[0] != at(c.want) {
			t.Errorf("%s + %s = %s, want %s (%v)", c.from, c.add, text(&out, 0), c.want, err)
		}
		if err := s.Arith(Subtract, a, b, &out, nil, 1); err != nil {
			t.Errorf("%s - %s: %v", c.from, c.add, err)
		}
	}
	var s State
	var out Vector
	a, b := New(Time, 1), New(Any, 1)
	a.AppendTime(at("2024-01-03 01:00"))
	b.AppendTime(at("2024-01-01"))
	if err := s.Arith(Subtract, a, b, &out, nil, 1); err != nil || out.Interval(0) != (Interval{Days: 2, Nanos: 3600e9}) {
		t.Errorf("time - time = %s, %v", text(&out, 0), err)
	}
	a.Ints[0] = math.MaxInt64
	iv := New(IntervalType, 1)
	iv.AppendInterval(Interval{Nanos: 1})
	if err := s.Arith(Add, a, iv, &out, nil, 1); !errors.Is(err, ErrTimeRange) {
		t.Errorf("the last time + 1 ns: %v", err)
	}
}
