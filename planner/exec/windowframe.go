package exec

import (
	"math"
	"math/big"
	"time"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// frames finds the frames of the rows of a partition.
type frames struct {
	w    *partWindow
	f    Frame
	part span
	// last are the bounds of the row before: those of the next one are mostly near.
	last  span
	bound vector.Vector // one row: the value that the keys of a RANGE are compared with
	buf   [3]span
}

func (f *frames) start(part span) { f.part, f.last = part, span{part.lo, part.lo} }

// of returns the rows of the frame of the row at pos, as spans in order, none of which is empty. It is valid until the next call.
func (f *frames) of(pos int) []span {
	s := f.bounds(pos)
	if s.lo >= s.hi {
		return nil
	}
	out := f.buf[:0]
	add := func(lo, hi int) {
		if lo, hi = max(lo, s.lo), min(hi, s.hi); lo < hi {
			out = append(out, span{lo, hi})
		}
	}
	g := span{pos, pos + 1}
	if f.f.Exclude == query.ExcludeGroup || f.f.Exclude == query.ExcludeTies {
		g = f.w.group(pos)
	}
	switch f.f.Exclude {
	case query.ExcludeNothing:
		add(s.lo, s.hi)
		return out
	case query.ExcludeTies:
		add(s.lo, g.lo)
		add(pos, pos+1)
	default:
		add(s.lo, g.lo)
	}
	add(g.hi, s.hi)
	return out
}

// bounds returns the frame before anything is excluded.
func (f *frames) bounds(pos int) span {
	var s span
	switch f.f.Unit {
	case query.FrameRows:
		s = f.rows(pos)
	case query.FrameGroups:
		s = f.groups(pos)
	default:
		s = f.ranges(pos)
	}
	if s.lo > s.hi {
		s.hi = s.lo
	}
	f.last = s
	return s
}

// before64 returns at-n, but not less than lo; n may be any number that is not negative.
func before64(at, lo int, n int64) int {
	if n > int64(at-lo) {
		return lo
	}
	return at - int(n)
}

// behind64 returns at+n, but not more than hi.
func behind64(at, hi int, n int64) int {
	if n > int64(hi-at) {
		return hi
	}
	return at + int(n)
}

func (f *frames) rows(pos int) span {
	s := f.part
	switch f.f.Start {
	case query.Preceding:
		s.lo = before64(pos, f.part.lo, f.f.From.Int())
	case query.CurrentRow:
		s.lo = pos
	case query.Following:
		s.lo = behind64(pos, f.part.hi, f.f.From.Int())
	}
	switch f.f.End {
	case query.Preceding:
		s.hi = before64(pos+1, f.part.lo, f.f.To.Int())
	case query.CurrentRow:
		s.hi = pos + 1
	case query.Following:
		s.hi = behind64(pos+1, f.part.hi, f.f.To.Int())
	}
	return s
}

func (f *frames) groups(pos int) span {
	first, last := int(*f.w.peerOf.at(f.part.lo)), int(*f.w.peerOf.at(f.part.hi - 1))
	g := int(*f.w.peerOf.at(pos))
	s := f.part
	switch f.f.Start {
	case query.Preceding:
		s.lo = f.w.groupAt(before64(g, first, f.f.From.Int())).lo
	case query.CurrentRow:
		s.lo = f.w.groupAt(g).lo
	case query.Following:
		if n := f.f.From.Int(); n > int64(last-g) {
			s.lo = f.part.hi
		} else {
			s.lo = f.w.groupAt(g + int(n)).lo
		}
	}
	switch f.f.End {
	case query.Preceding:
		if n := f.f.To.Int(); n > int64(g-first) {
			s.hi = f.part.lo
		} else {
			s.hi = f.w.groupAt(g - int(n)).hi
		}
	case query.CurrentRow:
		s.hi = f.w.groupAt(g).hi
	case query.Following:
		s.hi = f.w.groupAt(behind64(g, last, f.f.To.Int())).hi
	}
	return s
}

// ranges is bounds by values. The row of a key from which the offset cannot be taken, such as NULL or text, has its peers.
func (f *frames) ranges(pos int) span {
	s := f.part
	switch f.f.Start {
	case query.CurrentRow:
		s.lo = f.w.group(pos).lo
	case query.Preceding, query.Following:
		s.lo = f.w.group(pos).lo
		if f.shift(pos, f.f.From, f.f.Start == query.Preceding, true) {
			s.lo = f.search(f.last.lo, 0)
		}
	}
	switch f.f.End {
	case query.CurrentRow:
		s.hi = f.w.group(pos).hi
	case query.Preceding, query.Following:
		s.hi = f.w.group(pos).hi
		if f.shift(pos, f.f.To, f.f.End == query.Preceding, false) {
			s.hi = f.search(f.last.hi, 1)
		}
	}
	return s
}

// search returns the first position of the partition whose key, compared with the bound in the order of the window, gives at least
// least. It begins near a guess.
func (f *frames) search(guess, least int) int {
	key := f.w.Order[0]
	col := key.Expr.(*Col).Index
	reached := func(pos int) bool {
		v, i := f.w.value(col, pos)
		if v.Null(i) {
			return !key.NullsFirst
		}
		return f.w.s.CompareTotal(v, i, &f.bound, 0, key.Desc) >= least
	}
	lo, hi := f.part.lo, f.part.hi // what is before lo is not reached, what is from hi on is
	if guess = min(max(guess, lo), hi); guess < hi && !reached(guess) {
		lo = guess + 1
		for step := 1; lo < hi; step *= 2 {
			at := min(lo+step, hi) - 1
			if reached(at) {
				hi = at
				break
			}
			lo = at + 1
		}
	} else {
		hi = guess
		for step := 1; lo < hi; step *= 2 {
			at := max(lo, hi-step)
			if !reached(at) {
				lo = at + 1
				break
			}
			hi = at
		}
	}
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if reached(mid) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// shift sets the bound to the key of a row less or plus an offset, in the order of the window, and reports whether there is such a
// value. lower says that the bound is that of the frame's start.
func (f *frames) shift(pos int, by query.Value, preceding, lower bool) bool {
	key := f.w.Order[0]
	v, i := f.w.value(key.Expr.(*Col).Index, pos)
	minus := preceding != key.Desc
	f.bound.Reset(vector.Any)
	c := v.Class(i)
	switch by.Kind() {
	case query.KindInterval:
		months, days, nanos := by.Interval()
		iv := vector.Interval{Months: months, Days: days, Nanos: nanos}
		if minus {
			iv = vector.Interval{Months: -months, Days: -days, Nanos: -nanos}
		}
		switch c {
		case vector.ClassTime:
			f.bound.AppendTime(addClamped(v.Int(i), iv, minus))
		case vector.ClassDate:
			f.bound.AppendDate(addDate(v.Int(i), iv, minus, lower != key.Desc))
		default:
			return false
		}
		return true
	case query.KindInt:
		if c == vector.ClassDate {
			f.bound.AppendDate(addSaturated(v.Int(i), by.Int(), minus))
			return true
		}
	}
	if !c.Number() {
		return false
	}
	if c == vector.ClassFloat || by.Kind() == query.KindDouble {
		f.bound.AppendFloat(shiftFloat(floatOf(v, i), doubleOf(by), minus))
		return true
	}
	x := new(big.Int)
	if c == vector.ClassBig {
		x.SetString(string(v.Bytes(i)), 10)
	} else {
		a, b := v.Int(i), by.Int()
		if minus {
			b = -b // an offset is not negative
		}
		if s := a + b; (s > a) == (b > 0) {
			f.bound.AppendInt(s)
			return true
		}
		x.SetInt64(a)
	}
	if y := big.NewInt(by.Int()); minus {
		x.Sub(x, y)
	} else {
		x.Add(x, y)
	}
	if x.IsInt64() {
		f.bound.AppendInt(x.Int64())
	} else {
		f.bound.AppendBytes(vector.ClassBig, []byte(x.String()))
	}
	return true
}

// shiftFloat keeps a bound from being NaN where the key is none: an infinite offset reaches everything.
func shiftFloat(x, by float64, minus bool) float64 {
	if minus {
		by = -by
	}
	s := x + by
	if s != s && x == x {
		return by
	}
	return s
}

func addSaturated(a, b int64, minus bool) int64 {
	switch {
	case minus && a < math.MinInt64+b:
		return math.MinInt64
	case minus:
		return a - b
	case a > math.MaxInt64-b:
		return math.MaxInt64
	}
	return a + b
}

// addClamped adds an interval, whose days have 24 hours so that frames never move back, to a time; beyond what times reach it gives the end.
func addClamped(ns int64, iv vector.Interval, minus bool) int64 {
	t, ok := vector.AddInterval(ns, iv, nil)
	switch {
	case ok:
		return t
	case minus:
		return math.MinInt64
	}
	return math.MaxInt64
}

const dayNanos = int64(24 * time.Hour)

// addDate adds an interval to a date: the first day that is not before the result, or the last that is not after it.
func addDate(day int64, iv vector.Interval, minus, up bool) int64 {
	if day < math.MinInt64/dayNanos || day > math.MaxInt64/dayNanos {
		return day // such a date has no time
	}
	ns, ok := vector.AddInterval(day*dayNanos, iv, nil)
	switch {
	case !ok && minus:
		return math.MinInt64
	case !ok:
		return math.MaxInt64
	}
	d := ns / dayNanos
	if r := ns % dayNanos; r < 0 && !up {
		d--
	} else if r > 0 && up {
		d++
	}
	return d
}

func floatOf(v *vector.Vector, i int) float64 {
	switch v.Class(i) {
	case vector.ClassFloat:
		return v.Float(i)
	case vector.ClassBig:
		return num.BigFloat(v.Bytes(i))
	}
	return float64(v.Int(i))
}

func doubleOf(v query.Value) float64 {
	if v.Kind() == query.KindDouble {
		return v.Double()
	}
	return float64(v.Int())
}

// IntervalNegative reports whether an interval is below 0.
func IntervalNegative(v query.Value) bool {
	months, days, nanos := v.Interval()
	z := vector.New(vector.IntervalType, 2)
	z.AppendInterval(vector.Interval{Months: months, Days: days, Nanos: nanos})
	z.AppendInterval(vector.Interval{})
	var s vector.State
	return s.CompareTotal(z, 0, z, 1, false) < 0
}
