package vector

import (
	"errors"
	"math"
	"math/bits"
	"time"

	"github.com/seed69692123/netdb/internal/wallclock"
)

// ErrTimeRange is returned for a time or interval beyond what 64 bits of nanoseconds or 32 bits of months and days hold.
var ErrTimeRange = errors.New("time out of range")

// ArithType returns the type of a op b and whether the operation is defined for the two types. With a dynamic operand it is
// defined: values for which it is not are NULL.
func ArithType(op ArithOp, a, b Type) (Type, bool) {
	if a.Dynamic() || b.Dynamic() {
		for _, t := range [...]Type{a, b} {
			if !t.Dynamic() && !numeric(t) && (op > Multiply || t == Bool || t == Text || t == Blob) || t == Float && op > Divide {
				return Any, false
			}
		}
		switch op {
		case Divide:
			return Float, true
		case IntDivide, Modulo:
			return Int, true
		}
		return Any, true
	}
	if numeric(a) && numeric(b) {
		switch {
		case op == Divide:
			return Float, true
		case a == Int && b == Int:
			return Int, true
		case op < Divide:
			return Float, true
		}
		return Any, false
	}
	switch op {
	case Add:
		switch {
		case (a == Time || a == Date) && b == IntervalType || a == IntervalType && (b == Time || b == Date):
			return Time, true
		case a == IntervalType && b == IntervalType:
			return IntervalType, true
		case a == Date && b == Int || a == Int && b == Date:
			return Date, true
		}
	case Subtract:
		switch {
		case (a == Time || a == Date) && b == IntervalType:
			return Time, true
		case a == IntervalType && b == IntervalType, a == Time && b == Time, a == Time && b == Date, a == Date && b == Time:
			return IntervalType, true
		case a == Date && b == Int:
			return Date, true
		case a == Date && b == Date:
			return Int, true
		}
	case Multiply:
		if a == IntervalType && b == Int || a == Int && b == IntervalType {
			return IntervalType, true
		}
	}
	return Any, false
}

// Arith writes a op b to out, in the type that ArithType gives. A BIGINT result outside int64, a division by zero and
// arithmetic on integers beyond BIGINT are errors, a RowError at the first such row of the selection; rows that are not
// selected, and NULLs, never fail. The types must be ones that ArithType accepts.
func (s *State) Arith(op ArithOp, a, b, out *Vector, sel Sel, n int) error {
	t, _ := ArithType(op, a.Type, b.Type)
	if done, err := s.arithUniform(op, t, a, b, out, sel, n); done {
		return err
	}
	if done, err := s.arithMixed(op, t, a, b, out, sel, n); done {
		return err
	}
	out.Resize(t, n)
	switch {
	case a.Type == Int && b.Type == Int && t == Int:
		return arithInts(op, a, b, out, sel, n)
	case t == Float && numeric(a.Type) && numeric(b.Type):
		return arithFloats(op, a, b, out, sel, n)
	}
	if sel == nil {
		for i := range n {
			if err := s.arithAt(op, a, b, out, i); err != nil {
				return &RowError{i, err}
			}
		}
		return nil
	}
	for _, i := range sel {
		if err := s.arithAt(op, a, b, out, int(i)); err != nil {
			return &RowError{int(i), err}
		}
	}
	return nil
}

// arithUniform calculates with dynamic vectors of which it is known that all rows are numbers of one type; false when they are not.
func (s *State) arithUniform(op ArithOp, t Type, a, b, out *Vector, sel Sel, n int) (done bool, err error) {
	if !a.Type.Dynamic() && !b.Type.Dynamic() || a.Const && b.Const {
		return false, nil
	}
	x, y := a.Typed(&s.a), b.Typed(&s.b)
	if !numeric(x.Type) || !numeric(y.Type) {
		return false, nil
	}
	result, _ := ArithType(op, x.Type, y.Type)
	if result == Any || t != Any && t != result {
		return false, nil
	}
	to := out
	if t == Any {
		out.Reset(t)
		out.Classes, out.Bits, out.Len = extend(out.Classes, n), extend(out.Bits, n), n
		to = &s.c
		to.Reset(result)
		to.Ints, to.Floats, to.Len = as[int64](out.Bits), as[float64](out.Bits), n
		to.shared = true
	} else {
		out.Resize(t, n)
	}
	if result == Int {
		err = arithInts(op, x, y, to, sel, n)
	} else {
		err = arithFloats(op, x, y, to, sel, n)
	}
	if err == nil && t == Any {
		out.setUniform(to, result.Class())
	}
	return true, err
}

// arithInts calculates without looking where bounds show that nothing can overflow. Else it first goes through without branches, remembering
// whether anything was wrong, and only then looks for the row.
func arithInts(op ArithOp, a, b, out *Vector, sel Sel, n int) error {
	if most := mostOfArith(op, a, b); most != 0 && (sel == nil || len(sel) > n/8) {
		arithBounded(op, a, b, out.Ints[:n])
		orNulls(out, a, b)
		out.Most = most
		return nil
	}
	am, bm := a.mask(), b.mask()
	x, y, o := a.Ints, b.Ints, out.Ints
	bad := true // unless the quick way shows that nothing is
	if op <= Multiply && sel != nil {
		var over int64
		for _, k := range sel {
			i := int(k)
			p, q := x[i&am], y[i&bm]
			var r int64
			switch op {
			case Add:
				r = p + q
				over |= (p ^ r) & (q ^ r)
			case Subtract:
				r = p - q
				over |= (p ^ q) & (p ^ r)
			default:
				var ok bool
				if r, ok = mulInt(p, q); !ok {
					over = -1
				}
			}
			o[i] = r
		}
		bad = over < 0
	}
	if op <= Multiply && sel == nil {
		var over int64
		switch op {
		case Add:
			for i := range o {
				p, q := x[i&am], y[i&bm]
				r := p + q
				o[i] = r
				over |= (p ^ r) & (q ^ r)
			}
		case Subtract:
			for i := range o {
				p, q := x[i&am], y[i&bm]
				r := p - q
				o[i] = r
				over |= (p ^ q) & (p ^ r)
			}
		case Multiply:
			for i := range o {
				r, ok := mulInt(x[i&am], y[i&bm])
				o[i] = r
				if !ok {
					over = -1
				}
			}
		}
		bad = over < 0
	}
	orNulls(out, a, b)
	if !bad {
		return nil
	}
	var failed error
	each(sel, n, func(i int) bool {
		if out.Nulls.Get(i) {
			return true
		}
		r, err := intArith(op, x[i&am], y[i&bm])
		if err != nil {
			failed = &RowError{i, err}
			return false
		}
		o[i] = r
		return true
	})
	return failed
}

func mulInt(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	h := int64(hi) - a>>63&b - b>>63&a // the signed high word
	return int64(lo), h == int64(lo)>>63
}

func intArith(op ArithOp, p, q int64) (int64, error) {
	switch op {
	case Add:
		r := p + q
		if (p^r)&(q^r) < 0 {
			return 0, ErrOverflow
		}
		return r, nil
	case Subtract:
		r := p - q
		if (p^q)&(p^r) < 0 {
			return 0, ErrOverflow
		}
		return r, nil
	case Multiply:
		r, ok := mulInt(p, q)
		if !ok {
			return 0, ErrOverflow
		}
		return r, nil
	}
	switch {
	case q == 0:
		return 0, ErrDivideByZero
	case op == Modulo && q == -1:
		return 0, nil
	case op == Modulo:
		return p % q, nil
	case p == math.MinInt64 && q == -1:
		return 0, ErrOverflow
	}
	return p / q, nil
}

func floatArith(op ArithOp, p, q float64) (float64, error) {
	switch op {
	case Add:
		return p + q, nil
	case Subtract:
		return p - q, nil
	case Multiply:
		return p * q, nil
	}
	if q == 0 {
		return 0, ErrDivideByZero
	}
	return p / q, nil
}

func arithFloats(op ArithOp, a, b, out *Vector, sel Sel, n int) error {
	orNulls(out, a, b)
	if a.Type == Float && b.Type == Float && sel == nil && op != Divide {
		am, bm := a.mask(), b.mask()
		x, y, o := a.Floats, b.Floats, out.Floats
		switch op {
		case Add:
			for i := range o {
				o[i] = x[i&am] + y[i&bm]
			}
		case Subtract:
			for i := range o {
				o[i] = x[i&am] - y[i&bm]
			}
		case Multiply:
			for i := range o {
				o[i] = x[i&am] * y[i&bm]
			}
		}
		return nil
	}
	var failed error
	each(sel, n, func(i int) bool {
		if out.Nulls.Get(i) {
			return true
		}
		r, err := floatArith(op, toFloat(a, i), toFloat(b, i))
		if err != nil {
			failed = &RowError{i, err}
			return false
		}
		out.Floats[i] = r
		return true
	})
	return failed
}

func toFloat(v *Vector, i int) float64 {
	if v.Type == Int {
		return float64(v.Int(i))
	}
	return v.Float(i)
}

// arithAt is the general case: any types, one row.
func (s *State) arithAt(op ArithOp, a, b, out *Vector, i int) error {
	ca, cb := a.Class(i), b.Class(i)
	if ca == ClassNull || cb == ClassNull {
		out.SetNull(i)
		return nil
	}
	if ca.Number() && cb.Number() {
		return s.arithNumbers(op, ca, cb, a, b, out, i)
	}
	t, ok := ArithType(op, classType(ca), classType(cb))
	if !ok || classType(ca) == Any || classType(cb) == Any {
		s.OtherType++
		out.SetNull(i)
		return nil
	}
	return s.arithTimes(op, t, ca, cb, a, b, out, i)
}

func (s *State) arithNumbers(op ArithOp, ca, cb Class, a, b, out *Vector, i int) error {
	switch {
	case ca == ClassBig || cb == ClassBig:
		return ErrBigArithmetic
	case ca == ClassInt && cb == ClassInt && op != Divide:
		r, err := intArith(op, a.Int(i), b.Int(i))
		if err != nil {
			return err
		}
		setInt(out, i, r)
		return nil
	case op > Divide: // // and % of a DOUBLE
		s.OtherType++
		out.SetNull(i)
		return nil
	}
	r, err := floatArith(op, numberAsFloat(ca, a, i), numberAsFloat(cb, b, i))
	if err != nil {
		return err
	}
	if out.Type == Float {
		out.Floats[i] = r
		return nil
	}
	out.SetBits(i, ClassFloat, math.Float64bits(r))
	return nil
}

func numberAsFloat(c Class, v *Vector, i int) float64 {
	if c == ClassInt {
		return float64(v.Int(i))
	}
	return v.Float(i)
}

func setInt(out *Vector, i int, r int64) {
	if out.Type.Dynamic() {
		out.SetBits(i, ClassInt, uint64(r))
		return
	}
	out.Ints[i] = r
}

// classType returns the static type of a class, Any for those that have none to calculate with.
func classType(c Class) Type {
	switch c {
	case ClassBool:
		return Bool
	case ClassInt:
		return Int
	case ClassFloat:
		return Float
	case ClassText:
		return Text
	case ClassBlob:
		return Blob
	case ClassTime:
		return Time
	case ClassDate:
		return Date
	case ClassInterval:
		return IntervalType
	}
	return Any
}

// arithTimes calculates with times, dates and intervals, by the clock of the session's zone.
func (s *State) arithTimes(op ArithOp, t Type, ca, cb Class, a, b, out *Vector, i int) error {
	if cb == ClassTime || cb == ClassDate || ca == ClassInt {
		if op != Subtract { // addition and multiplication commute: the time or interval goes left
			a, b, ca, cb = b, a, cb, ca
		}
	}
	switch t {
	case Int: // date - date
		setInt(out, i, a.Int(i)-b.Int(i))
	case Date:
		r, err := intArith(op, a.Int(i), b.Int(i))
		if err != nil || r < -dateLimit || r > dateLimit {
			return ErrTimeRange
		}
		setTyped(out, i, ClassDate, r)
	case Time:
		iv := b.Interval(i)
		if op == Subtract {
			if iv.Months == math.MinInt32 || iv.Days == math.MinInt32 || iv.Nanos == math.MinInt64 {
				return ErrTimeRange
			}
			iv = Interval{-iv.Months, -iv.Days, -iv.Nanos}
		}
		ns, ok := s.asNanos(ca, a.Int(i))
		if ok {
			ns, ok = AddInterval(ns, iv, s.Zone)
		}
		if !ok {
			return ErrTimeRange
		}
		setTyped(out, i, ClassTime, ns)
	case IntervalType:
		iv, ok := s.intervalArith(op, ca, cb, a, b, i)
		if !ok {
			return ErrTimeRange
		}
		if out.Type.Dynamic() {
			off := len(out.Data)
			out.Data = encodeInterval(out.Data, iv)
			out.SetRef(i, ClassInterval, MakeRef(off, 16))
			return nil
		}
		out.Intervals[i] = iv
	}
	return nil
}

func setTyped(out *Vector, i int, c Class, r int64) {
	if out.Type.Dynamic() {
		out.SetBits(i, c, uint64(r))
		return
	}
	out.Ints[i] = r
}

// dateLimit keeps dates far inside what time.Time can do.
const dateLimit = 1 << 40

// asNanos returns a time, or the time at which a date begins, and whether it fits.
func (s *State) asNanos(c Class, x int64) (int64, bool) {
	if c == ClassTime {
		return x, true
	}
	return s.midnight(x)
}

func (s *State) intervalArith(op ArithOp, ca, cb Class, a, b *Vector, i int) (Interval, bool) {
	if ca != ClassInterval { // time - time
		x, ok1 := s.asNanos(ca, a.Int(i))
		y, ok2 := s.asNanos(cb, b.Int(i))
		r, err := intArith(Subtract, x, y)
		if !ok1 || !ok2 || err != nil {
			return Interval{}, false
		}
		return Interval{Days: int32(r / dayNanos), Nanos: r % dayNanos}, true
	}
	x := a.Interval(i)
	var months, days, nanos int64
	var err error
	if op == Multiply {
		k := b.Int(i)
		var ok1, ok2, ok3 bool
		months, ok1 = mulInt(int64(x.Months), k)
		days, ok2 = mulInt(int64(x.Days), k)
		nanos, ok3 = mulInt(x.Nanos, k)
		if !ok1 || !ok2 || !ok3 {
			return Interval{}, false
		}
	} else {
		y := b.Interval(i)
		months, _ = intArith(op, int64(x.Months), int64(y.Months))
		days, _ = intArith(op, int64(x.Days), int64(y.Days))
		nanos, err = intArith(op, x.Nanos, y.Nanos)
	}
	return Interval{int32(months), int32(days), nanos}, err == nil && months == int64(int32(months)) && days == int64(int32(days))
}

// AddInterval adds an interval to a time in Unix nanoseconds: first the months, keeping the day of the month or taking its last, then the
// days, both keeping what the clock of the zone shows, then nanoseconds. Where the clock skips that time, it is the moment behind the
// gap; where it shows it twice, the first. A nil zone is UTC, in which a day has 24 hours. It reports whether the result fits.
func AddInterval(ns int64, iv Interval, zone *time.Location) (int64, bool) {
	if iv.Months != 0 || iv.Days != 0 {
		sec, offset := floorDiv(ns, 1e9), 0
		nanos := ns - sec*1e9
		if zone != nil && zone != time.UTC {
			_, offset = time.Unix(sec, 0).In(zone).Zone()
		}
		day := floorDiv(sec+int64(offset), 86400)
		clock := sec + int64(offset) - day*86400
		if iv.Months != 0 {
			year, month, d := time.Unix(day*86400, 0).UTC().Date()
			m := int64(year)*12 + int64(month-1) + int64(iv.Months)
			first := time.Date(int(floorDiv(m, 12)), time.Month(m-floorDiv(m, 12)*12+1), 1, 0, 0, 0, 0, time.UTC)
			day = floorDiv(first.Unix(), 86400) + int64(min(d, first.AddDate(0, 1, -1).Day())) - 1
		}
		day += int64(iv.Days)
		unix, shown := wallclock.First(zone, day*86400+clock)
		if !shown {
			nanos = 0
		}
		var ok bool
		if ns, ok = unixNanos(time.Unix(unix, nanos)); !ok {
			return 0, false
		}
	}
	r, err := intArith(Add, ns, iv.Nanos)
	return r, err == nil
}

// Negate writes -a to out, in the type of a: a number or interval, or dynamic. It fails as Arith does.
func (s *State) Negate(a, out *Vector, sel Sel, n int) error {
	out.Resize(a.Type, n)
	var failed error
	each(sel, n, func(i int) bool {
		var err error
		switch c := a.Class(i); c {
		case ClassNull:
			out.SetNull(i)
		case ClassInt:
			x := a.Int(i)
			if x == math.MinInt64 {
				err = ErrOverflow
			}
			setInt(out, i, -x)
		case ClassFloat:
			x := 0 - a.Float(i)
			if out.Type == Float {
				out.Floats[i] = x
			} else {
				out.SetBits(i, c, math.Float64bits(x))
			}
		case ClassBig:
			err = ErrBigArithmetic
		case ClassInterval:
			iv := a.Interval(i)
			if iv.Months == math.MinInt32 || iv.Days == math.MinInt32 || iv.Nanos == math.MinInt64 {
				err = ErrTimeRange
				break
			}
			iv = Interval{-iv.Months, -iv.Days, -iv.Nanos}
			if out.Type.Dynamic() {
				off := len(out.Data)
				out.Data = encodeInterval(out.Data, iv)
				out.SetRef(i, c, MakeRef(off, 16))
			} else {
				out.Intervals[i] = iv
			}
		default:
			s.OtherType++
			out.SetNull(i)
		}
		if err != nil {
			failed = &RowError{i, err}
		}
		return err == nil
	})
	return failed
}
