package vector

import (
	"bytes"
	"cmp"
	"math"

	"github.com/seed69692123/netdb/internal/num"
)

// holds returns which of the results -1, 0 and 1 of a comparison make the operation true, as bits 0, 1 and 2.
func (op CompareOp) holds() uint8 {
	return [...]uint8{Eq: 0b010, Ne: 0b101, Lt: 0b001, Le: 0b011, Gt: 0b100, Ge: 0b110, IsDistinct: 0b101, IsNotDistinct: 0b010}[op]
}

// Swap returns the operation that gives the same with its operands exchanged.
func (op CompareOp) Swap() CompareOp {
	return [...]CompareOp{Eq: Eq, Ne: Ne, Lt: Gt, Le: Ge, Gt: Lt, Ge: Le, IsDistinct: IsDistinct, IsNotDistinct: IsNotDistinct}[op]
}

// outcome is what comparing two values gave.
type outcome uint8

const (
	compared outcome = iota
	isNull           // one of them is NULL
	isOther          // they are of different types
)

// Compare writes a op b to out, as Bool. Numbers compare exactly whatever their form, text and bytes by bytes, a date with a
// time as its midnight in UTC, arrays and objects element by element. Values of different types give NULL, counted in
// OtherType; IsDistinct and IsNotDistinct take them as different and never give NULL.
func (s *State) Compare(op CompareOp, a, b, out *Vector, sel Sel, n int) {
	out.Resize(Bool, n)
	if a.Const && !b.Const {
		a, b, op = b, a, op.Swap()
	}
	if op >= IsDistinct {
		s.compareDistinct(op, a, b, out, sel, n)
		return
	}
	if s.compareUniform(op, a, b, out, sel, n) || s.compareMixed(op, a, b, out, sel, n) {
		return
	}
	switch {
	case a.Type.Dynamic() && !a.Const && b.Const:
		s.compareDynamicConst(op, a, b, out, sel, n)
		return
	case a.Type.Dynamic() || b.Type.Dynamic():
	case numeric(a.Type) && numeric(b.Type):
		if compareNumbers(op, a, b, out, sel, n) {
			orNulls(out, a, b)
			return
		}
	case a.Type == b.Type && (a.Type == Time || a.Type == Date) && !a.Const:
		compareOrdered(op, a.Ints, b.Ints, b.Const, out.Bools, sel, n)
		orNulls(out, a, b)
		return
	case a.Type == b.Type && (a.Type == Text || a.Type == Blob):
		compareBytes(op, a, b, out, sel, n)
		orNulls(out, a, b)
		return
	}
	holds := op.holds()
	if sel == nil {
		for i := range n {
			s.compareAt(holds, a, b, out, i)
		}
		return
	}
	for _, i := range sel {
		s.compareAt(holds, a, b, out, int(i))
	}
}

// compareUniform compares dynamic vectors of which it is known that all rows are of one type; false when they do not compare by type.
func (s *State) compareUniform(op CompareOp, a, b, out *Vector, sel Sel, n int) bool {
	if !a.Type.Dynamic() && !b.Type.Dynamic() {
		return false
	}
	x, y := a.Typed(&s.a), b.Typed(&s.b)
	if y.Type.Dynamic() && y.Const {
		s.b = Vector{Type: Any, shared: true}
		switch y.Class(0) {
		case ClassInt:
			s.b.Type, s.b.Ints = Int, as[int64](y.Bits)
		case ClassFloat:
			s.b.Type, s.b.Floats = Float, as[float64](y.Bits)
		case ClassTime:
			s.b.Type, s.b.Ints = Time, as[int64](y.Bits)
		case ClassText:
			s.b.Type, s.b.Refs, s.b.Data = Text, as[Ref](y.Bits), y.Data
		}
		s.b.Len, s.b.Const = y.Len, true
		y = &s.b
	}
	switch {
	case x.Type.Dynamic() || y.Type.Dynamic() || x.Const:
		return false
	case numeric(x.Type) && numeric(y.Type):
		if !compareNumbers(op, x, y, out, sel, n) {
			return false
		}
	case x.Type == y.Type && x.Type == Time:
		compareOrdered(op, x.Ints, y.Ints, y.Const, out.Bools, sel, n)
	case x.Type == Text && y.Type == Text && x.Dict != nil && y.Const && !y.Nulls.Get(0) && (op == Eq || op == Ne):
		text := y.Bytes(0)
		_ = s.testCodes(string(text), x, op == Ne, out, sel, n, func(t []byte) (bool, error) { return bytes.Equal(t, text), nil })
	case x.Type == Text && y.Type == Text:
		compareBytes(op, x, y, out, sel, n)
	default:
		return false
	}
	orNulls(out, x, y)
	return true
}

func numeric(t Type) bool { return t == Int || t == Float }

func (s *State) compareAt(holds uint8, a, b, out *Vector, i int) {
	c, how := s.compareValues(a, i, b, i)
	switch how {
	case compared:
		out.Bools[i] = holds>>uint(c+1)&1 != 0
		return
	case isOther:
		s.OtherType++
	}
	out.SetNull(i)
}

func (s *State) compareDistinct(op CompareOp, a, b, out *Vector, sel Sel, n int) {
	sel.All(n, func(i int) {
		c, how := s.compareValues(a, i, b, i)
		equal := how == compared && c == 0 || how == isNull && a.Null(i) && b.Null(i)
		out.Bools[i] = equal == (op == IsNotDistinct)
	})
}

// orNulls makes rows of out NULL where one of two typed vectors is.
func orNulls(out, a, b *Vector) {
	for _, v := range [...]*Vector{a, b} {
		if v == nil || len(v.Nulls) == 0 {
			continue
		}
		if v.Const {
			if v.Nulls.Get(0) {
				out.needNulls()
				for i := range out.Nulls {
					out.Nulls[i] = ^uint64(0)
				}
			}
			continue
		}
		out.needNulls()
		for i := range min(len(out.Nulls), len(v.Nulls)) {
			out.Nulls[i] |= v.Nulls[i]
		}
	}
	if k := out.Len & 63; k != 0 && len(out.Nulls) == words(out.Len) {
		out.Nulls[len(out.Nulls)-1] &= 1<<k - 1 // rows that may be appended are not NULL
	}
}

// compareNumbers compares two columns of numbers; false when no quick loop fits. a is constant only if b is too.
func compareNumbers(op CompareOp, a, b, out *Vector, sel Sel, n int) bool {
	switch {
	case a.Const:
		return false
	case a.Type == Int && b.Type == Int:
		compareOrdered(op, a.Ints, b.Ints, b.Const, out.Bools, sel, n)
	case a.Type == Float && b.Type == Float && (!b.Const || b.Floats[0] == b.Floats[0]):
		if b.Const {
			compareOrdered(op, a.Floats, b.Floats, true, out.Bools, sel, n)
			return true
		}
		holds := op.holds()
		x, y, o := a.Floats[:n], b.Floats[:n], out.Bools[:n]
		if sel != nil {
			for _, i := range sel {
				o[i] = holds>>uint(num.CompareFloats(x[i], y[i])+1)&1 != 0
			}
			return true
		}
		for i := range x {
			o[i] = holds>>uint(num.CompareFloats(x[i], y[i])+1)&1 != 0
		}
	case a.Type == Float && b.Type == Int && b.Const && exactFloat(b.Ints[0]):
		y := [1]float64{float64(b.Ints[0])}
		compareOrdered(op, a.Floats, y[:], true, out.Bools, sel, n)
	default:
		return false
	}
	return true
}

// exactFloat reports whether an integer is a float64 without loss.
func exactFloat(i int64) bool { return i >= -1<<53 && i <= 1<<53 }

// compareOrdered is the loop over one machine type. A constant right side must not be NaN; the left may be: it is the largest.
func compareOrdered[T int64 | float64](op CompareOp, a, b []T, constant bool, out []bool, sel Sel, n int) {
	if constant {
		compareConst(op, a, b[0], out, sel, n)
		return
	}
	a, b, out = a[:n], b[:n], out[:n]
	if sel != nil {
		holds := op.holds()
		for _, i := range sel {
			out[i] = holds>>uint(cmp.Compare(a[i], b[i])+1)&1 != 0
		}
		return
	}
	switch op {
	case Eq:
		for i, x := range a {
			out[i] = x == b[i]
		}
	case Ne:
		for i, x := range a {
			out[i] = x != b[i]
		}
	case Lt:
		for i, x := range a {
			out[i] = x < b[i]
		}
	case Le:
		for i, x := range a {
			out[i] = x <= b[i]
		}
	case Gt:
		for i, x := range a {
			out[i] = !(x <= b[i])
		}
	case Ge:
		for i, x := range a {
			out[i] = !(x < b[i])
		}
	}
}

func compareConst[T int64 | float64](op CompareOp, a []T, y T, out []bool, sel Sel, n int) {
	a, out = a[:n], out[:n]
	if sel != nil {
		switch op {
		case Eq:
			for _, i := range sel {
				out[i] = a[i] == y
			}
		case Ne:
			for _, i := range sel {
				out[i] = a[i] != y
			}
		case Lt:
			for _, i := range sel {
				out[i] = a[i] < y
			}
		case Le:
			for _, i := range sel {
				out[i] = a[i] <= y
			}
		case Gt:
			for _, i := range sel {
				out[i] = !(a[i] <= y)
			}
		case Ge:
			for _, i := range sel {
				out[i] = !(a[i] < y)
			}
		}
		return
	}
	switch op {
	case Eq:
		for i, x := range a {
			out[i] = x == y
		}
	case Ne:
		for i, x := range a {
			out[i] = x != y
		}
	case Lt:
		for i, x := range a {
			out[i] = x < y
		}
	case Le:
		for i, x := range a {
			out[i] = x <= y
		}
	case Gt:
		for i, x := range a {
			out[i] = !(x <= y)
		}
	case Ge:
		for i, x := range a {
			out[i] = !(x < y)
		}
	}
}

func compareBytes(op CompareOp, a, b, out *Vector, sel Sel, n int) {
	holds := op.holds()
	equality := op == Eq || op == Ne
	row := func(i int) {
		if a.Null(i) || b.Null(i) {
			return
		}
		x, y := a.Bytes(i), b.Bytes(i)
		if equality {
			out.Bools[i] = bytes.Equal(x, y) == (op == Eq)
			return
		}
		out.Bools[i] = holds>>uint(bytes.Compare(x, y)+1)&1 != 0
	}
	sel.All(n, row)
}

// compareDynamicConst compares a payload field with a literal: the commonest filter.
func (s *State) compareDynamicConst(op CompareOp, a, b, out *Vector, sel Sel, n int) {
	holds := op.holds()
	out.needNulls()
	other := int64(0)
	var row func(i int)
	switch b.Class(0) {
	case ClassInt:
		y := b.Int(0)
		row = func(i int) {
			var c int
			switch a.Classes[i] {
			case ClassInt:
				c = cmp.Compare(int64(a.Bits[i]), y)
			case ClassFloat:
				c = -num.CompareIntFloat(y, math.Float64frombits(a.Bits[i]))
			case ClassBig:
				c = num.CompareBigInt(a.Bytes(i), y)
			case ClassNull:
				out.Nulls.Set(i)
				return
			default:
				other++
				out.Nulls.Set(i)
				return
			}
			out.Bools[i] = holds>>uint(c+1)&1 != 0
		}
	case ClassText:
		y := b.Bytes(0)
		row = func(i int) {
			if a.Classes[i] != ClassText {
				if a.Classes[i] != ClassNull {
					other++
				}
				out.Nulls.Set(i)
				return
			}
			x := a.Bytes(i)
			switch op {
			case Eq:
				out.Bools[i] = string(x) == string(y)
			case Ne:
				out.Bools[i] = string(x) != string(y)
			default:
				out.Bools[i] = holds>>uint(bytes.Compare(x, y)+1)&1 != 0
			}
		}
	default:
		row = func(i int) { s.compareAt(holds, a, b, out, i) }
	}
	if sel == nil {
		for i := range n {
			row(i)
		}
	} else {
		for _, i := range sel {
			row(int(i))
		}
	}
	s.OtherType += other
}

// compareValues compares two values by the rules of Compare.
func (s *State) compareValues(a *Vector, i int, b *Vector, j int) (int, outcome) {
	ca, cb := a.Class(i), b.Class(j)
	if ca == ClassNull || cb == ClassNull {
		return 0, isNull
	}
	if ca.rank() != cb.rank() {
		switch {
		case ca == ClassDate && cb == ClassTime:
			return s.compareDateTime(a.Int(i), b.Int(j)), compared
		case ca == ClassTime && cb == ClassDate:
			return -s.compareDateTime(b.Int(j), a.Int(i)), compared
		}
		return 0, isOther
	}
	return s.compareSame(ca, a, i, cb, b, j), compared
}

const dayNanos = 86400 * 1e9

// compareDateTime orders the time at which a day begins in the session's zone and a time.
func (s *State) compareDateTime(day, ns int64) int {
	if begin, ok := s.midnight(day); ok {
		return cmp.Compare(begin, ns)
	}
	return cmp.Compare(day, floorDiv(ns, dayNanos)) // a time has no such day
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// compareSame compares two values whose classes have one rank.
func (s *State) compareSame(ca Class, a *Vector, i int, cb Class, b *Vector, j int) int {
	switch ca {
	case ClassBool:
		x, y := a.Bool(i), b.Bool(j)
		switch {
		case x == y:
			return 0
		case y:
			return -1
		}
		return 1
	case ClassInt:
		switch cb {
		case ClassInt:
			return cmp.Compare(a.Int(i), b.Int(j))
		case ClassFloat:
			return num.CompareIntFloat(a.Int(i), b.Float(j))
		}
		return -num.CompareBigInt(b.Bytes(j), a.Int(i))
	case ClassFloat:
		switch cb {
		case ClassInt:
			return -num.CompareIntFloat(b.Int(j), a.Float(i))
		case ClassFloat:
			return num.CompareFloats(a.Float(i), b.Float(j))
		}
		return -num.CompareBigFloat(b.Bytes(j), a.Float(i))
	case ClassBig:
		switch cb {
		case ClassInt:
			return num.CompareBigInt(a.Bytes(i), b.Int(j))
		case ClassFloat:
			return num.CompareBigFloat(a.Bytes(i), b.Float(j))
		}
		return num.CompareBigs(a.Bytes(i), b.Bytes(j))
	case ClassText, ClassBlob:
		return bytes.Compare(a.Bytes(i), b.Bytes(j))
	case ClassTime, ClassDate:
		return cmp.Compare(a.Int(i), b.Int(j))
	case ClassInterval:
		d1, n1 := a.Interval(i).span()
		d2, n2 := b.Interval(j).span()
		return cmp.Or(cmp.Compare(d1, d2), cmp.Compare(n1, n2))
	}
	x, y := a.Bytes(i), b.Bytes(j)
	if bytes.Equal(x, y) {
		return 0
	}
	s.scratch = s.scratchKey(s.scratch, a, i)
	s.scratch2 = s.scratchKey(s.scratch2, b, j)
	return bytes.Compare(s.scratch, s.scratch2)
}

// span returns an interval as whole days of 24 hours, a month being 30, and the nanoseconds beyond them.
func (iv Interval) span() (days, nanos int64) {
	d := floorDiv(iv.Nanos, dayNanos)
	return int64(iv.Months)*30 + int64(iv.Days) + d, iv.Nanos - d*dayNanos
}
