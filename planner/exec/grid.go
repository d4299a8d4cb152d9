package exec

import (
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/seed69692123/netdb/internal/wallclock"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// Step is a distance between windows: months, or days, or nanoseconds (of numbers: ones). Months and days are those of a calendar.
type Step struct {
	Months, Days int64
	Units        int64
}

// StepOf returns an interval as a step. It must be of one kind and longer than nothing.
func StepOf(months, days int32, nanos int64) (Step, error) {
	s := Step{int64(months), int64(days), nanos}
	kinds := 0
	for _, n := range [...]int64{s.Months, s.Days, s.Units} {
		if n < 0 {
			return Step{}, fmt.Errorf("it must not be negative")
		}
		if n > 0 {
			kinds++
		}
	}
	switch kinds {
	case 0:
		return Step{}, fmt.Errorf("it must be longer than nothing")
	case 1:
		return s, nil
	}
	return Step{}, fmt.Errorf("it must be months, or days, or hours and less, not several of these: their lengths differ")
}

func (s Step) calendar() bool { return s.Units == 0 }

// Fixed returns a step whose days are 24 hours. Months have no fixed length.
func (s Step) Fixed() (Step, bool) {
	if s.Days > 0 {
		if s.Days > math.MaxInt64/int64(86400e9) {
			return s, false
		}
		s.Units, s.Days = s.Days*86400e9, 0
	}
	return s, s.Months == 0
}

// text writes the step as an interval, or as a number.
func (s Step) text(numbers bool) string {
	if numbers {
		return query.Int(s.Units).String()
	}
	return "INTERVAL '" + query.Interval(int32(s.Months), int32(s.Days), s.Units).String() + "'"
}

// Grid is windows of one size whose starts are one slide apart, on a line of times (Unix nanoseconds) or of integers. A start that is
// a month or day of the calendar is the first moment at which the clocks of the zone show its wall time or a later one: so starts never
// descend, whatever clocks do. A Grid is immutable.
type Grid struct {
	Numbers bool
	Slide   Step
	Size    Step  // of the calendar only if Slide is
	Origin  int64 // a start

	zone     *time.Location
	day      int64 // of the origin in the zone, from 1970-01-01
	month    int64 // from the year 0
	monthDay int
	clock    moment // of the origin's day
}

// moment is seconds and nanoseconds, of the clock of UTC or on the wall: more than 64 bits of nanoseconds have.
type moment struct{ sec, nano int64 }

func momentOf(ns int64) moment {
	sec := floorDiv(ns, 1e9)
	return moment{sec, ns - sec*1e9}
}

func (m moment) less(o moment) bool { return m.sec < o.sec || m.sec == o.sec && m.nano < o.nano }

// nanos returns the moment in nanoseconds, if they fit.
func (m moment) nanos() (int64, bool) {
	hi, lo := mul128(m.sec, 1e9)
	lo, carry := bits.Add64(lo, uint64(m.nano), 0)
	hi += int64(carry)
	return int64(lo), hi == int64(lo)>>63
}

func mul128(a, b int64) (hi int64, lo uint64) {
	h, l := bits.Mul64(uint64(a), uint64(b))
	return int64(h) - a>>63&b - b>>63&a, l
}

// addInt is a + b, if it fits.
func addInt(a, b int64) (int64, bool) {
	r := a + b
	return r, (a^r)&(b^r) >= 0
}

// DefaultOrigin is midnight of a Monday, 2000-01-03, and for months of 2000-01-01, in a zone.
func DefaultOrigin(s Step, zone *time.Location) int64 {
	day := 3
	if s.Months > 0 {
		day = 1
	}
	return wallclock.Date(zone, 2000, 1, day, 0, 0, 0, 0).UnixNano()
}

// NewGrid makes a grid of times in a zone.
func NewGrid(slide, size Step, origin int64, zone *time.Location) *Grid {
	g := &Grid{Slide: slide, Size: size, Origin: origin, zone: zone}
	t := time.Unix(0, origin).In(zone)
	g.day = dayOf(t, zone)
	y, m, d := t.Date()
	g.month, g.monthDay = int64(y)*12+int64(m)-1, d
	g.clock = moment{int64(t.Hour())*3600 + int64(t.Minute())*60 + int64(t.Second()), int64(t.Nanosecond())}
	return g
}

// NewNumberGrid makes a grid of integers.
func NewNumberGrid(slide, size, origin int64) *Grid {
	return &Grid{Numbers: true, Slide: Step{Units: slide}, Size: Step{Units: size}, Origin: origin}
}

// Type is the type of the windows' bounds.
func (g *Grid) Type() vector.Type {
	if g.Numbers {
		return vector.Int
	}
	return vector.Time
}

// Equal reports whether two grids have the same windows.
func (g *Grid) Equal(o *Grid) bool {
	return g.Numbers == o.Numbers && g.Slide == o.Slide && g.Size == o.Size && g.Origin == o.Origin && g.zone == o.zone
}

// mark is a window: its start, and of a calendar its number. Starts of a calendar may be beyond 64 bits.
type mark struct {
	start int64
	ok    bool // start fits
	k     int64
}

// floor returns the last window that starts at x or before.
func (g *Grid) floor(x int64) mark {
	if u := g.Slide.Units; u > 0 {
		start, ok := addInt(x, -g.offset(x))
		return mark{start: start, ok: ok}
	}
	at := momentOf(x)
	t := time.Unix(0, x).In(g.zone)
	var k int64
	if g.Slide.Months > 0 {
		y, m, _ := t.Date()
		k = floorDiv(int64(y)*12+int64(m)-1-g.month, g.Slide.Months)
	} else {
		k = floorDiv(dayOf(t, g.zone)-g.day, g.Slide.Days)
	}
	for at.less(g.moment(k)) {
		k--
	}
	for !at.less(g.moment(k + 1)) {
		k++
	}
	return g.mark(k)
}

// offset is how far x is behind the start of its window, when slides are units.
func (g *Grid) offset(x int64) int64 {
	u := uint64(g.Slide.Units)
	a, b := floorMod(x, u), floorMod(g.Origin, u)
	if a < b {
		a += u // both are below 2^63
	}
	return int64(a - b)
}

func floorMod(x int64, u uint64) uint64 {
	if x >= 0 {
		return uint64(x) % u
	}
	r := (-uint64(x)) % u
	if r > 0 {
		r = u - r
	}
	return r
}

func (g *Grid) mark(k int64) mark {
	m := mark{k: k}
	m.start, m.ok = g.moment(k).nanos()
	return m
}

// moment is the start of window k of a calendar.
func (g *Grid) moment(k int64) moment {
	if g.Slide.Months > 0 {
		return g.wall(dayOfMonth(g.month+k*g.Slide.Months, g.monthDay), g.clock)
	}
	return g.wall(g.day+k*g.Slide.Days, g.clock)
}

// dayOfMonth returns a day of a month, its last one where it has fewer, from 1970-01-01.
func dayOfMonth(month int64, day int) int64 {
	y := floorDiv(month, 12)
	m := time.Month(month - y*12 + 1)
	first := time.Date(int(y), m, 1, 0, 0, 0, 0, time.UTC)
	last := time.Date(int(y), m+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return floorDiv(first.Unix(), 86400) + int64(min(day, last)) - 1
}

// wall returns the first moment at which the clocks of the zone show a wall time or a later one.
func (g *Grid) wall(day int64, clock moment) moment {
	return momentOfWall(g.zone, moment{day*86400 + clock.sec, clock.nano})
}

// momentOfWall returns the first moment at which the clocks of a zone show a wall time or a later one.
func momentOfWall(zone *time.Location, wall moment) moment {
	sec, shown := wallclock.First(zone, wall.sec)
	if !shown {
		wall.nano = 0
	}
	return moment{sec, wall.nano}
}

// next returns the window after m.
func (g *Grid) next(m mark) mark {
	if g.Slide.calendar() {
		return g.mark(m.k + 1)
	}
	if !m.ok {
		return m
	}
	m.start, m.ok = addInt(m.start, g.Slide.Units)
	return m
}

// prev returns the window before m.
func (g *Grid) prev(m mark) mark {
	if g.Slide.calendar() {
		return g.mark(m.k - 1)
	}
	if !m.ok {
		return m
	}
	m.start, m.ok = addInt(m.start, -g.Slide.Units)
	return m
}

// end returns the end of a window whose start fits, and whether it does, too. Ends never descend.
func (g *Grid) end(m mark) (int64, bool) {
	s, size := g.Slide, g.Size
	switch {
	case size.Units > 0:
		return addInt(m.start, size.Units)
	case s.Months > 0:
		// From the origin's day of the month, which the start's may not have.
		return g.wall(dayOfMonth(g.month+m.k*s.Months+size.Months, g.monthDay)+size.Days, g.clock).nanos()
	}
	day := g.day + m.k*s.Days + size.Days
	if size.Months > 0 {
		y, month, d := time.Unix(day*86400, 0).UTC().Date()
		day = dayOfMonth(int64(y)*12+int64(month)-1+size.Months, d)
	}
	return g.wall(day, g.clock).nanos()
}

// Bounds returns the values from <= x < to whose window fits, for windows that follow each other without a gap.
func (g *Grid) Bounds() (from, to int64) {
	from, ok := g.ceil(math.MinInt64)
	last := g.floor(math.MaxInt64)
	if !ok || !last.ok {
		return 0, 0
	}
	return from, last.start
}

// ceil returns the first start at x or after, if it fits.
func (g *Grid) ceil(x int64) (int64, bool) {
	m := g.floor(x)
	if m.ok && m.start == x {
		return x, true
	}
	if u := g.Slide.Units; u > 0 {
		return addInt(x, u-g.offset(x))
	}
	m = g.mark(m.k + 1)
	return m.start, m.ok
}

// above returns the first start after x, if it fits.
func (g *Grid) above(x int64) (int64, bool) {
	if u := g.Slide.Units; u > 0 {
		return addInt(x, u-g.offset(x))
	}
	m := g.mark(g.floor(x).k + 1)
	return m.start, m.ok
}

// below returns the last start before x, if it fits.
func (g *Grid) below(x int64) (int64, bool) {
	if x == math.MinInt64 {
		return 0, false
	}
	m := g.floor(x - 1)
	return m.start, m.ok
}

// Where returns the values from <= x < to for which the start of x's window (the end, if end is set) compares so with c. exact is
// false for comparisons that are no range.
func (g *Grid) Where(op vector.CompareOp, end bool, c int64) (from, to int64, exact bool) {
	from, to = g.Bounds()
	atLeast := func(f func(int64) (int64, bool), none int64) {
		if v, ok := f(c); ok {
			from = max(from, v)
		} else {
			from = max(from, none)
		}
	}
	less := func(f func(int64) (int64, bool), none int64) {
		if v, ok := f(c); ok {
			to = min(to, v)
		} else {
			to = min(to, none)
		}
	}
	floor := func(x int64) (int64, bool) {
		m := g.floor(x)
		return m.start, m.ok
	}
	// What has no start above c is above all windows, what has none below is below all.
	const above, below = math.MaxInt64, math.MinInt64
	switch op {
	case vector.Ge:
		if end {
			atLeast(g.below, below)
		} else {
			atLeast(g.ceil, above)
		}
	case vector.Gt:
		if end {
			atLeast(floor, below)
		} else {
			atLeast(g.above, above)
		}
	case vector.Lt:
		if end {
			less(g.below, below)
		} else {
			less(g.ceil, above)
		}
	case vector.Le:
		if end {
			less(floor, below)
		} else {
			less(g.above, above)
		}
	case vector.Eq:
		m := g.floor(c)
		switch {
		case !m.ok || m.start != c:
			return 0, 0, true
		case end:
			atLeast(g.below, below)
			to = min(to, c)
		default:
			from = max(from, c)
			less(g.above, above)
		}
	default:
		return 0, 0, false
	}
	return from, max(from, to), true
}

// Reach returns values from <= x < to, outside of which no x is in a window whose start (or end) compares so with c. A bound of
// math.MinInt64 or math.MaxInt64 is none.
func (g *Grid) Reach(op vector.CompareOp, end bool, c int64) (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if op == vector.Ge || op == vector.Gt || op == vector.Eq {
		switch u := g.Size.Units; {
		case !end:
			from = c // a window starts before what is in it
		case u > 0:
			if v, ok := addInt(c, -u); ok {
				from = v
			}
		}
	}
	if op == vector.Le || op == vector.Lt || op == vector.Eq {
		if end {
			return from, c
		}
		if m := g.floor(c); m.ok {
			if v, ok := g.end(m); ok {
				to = v
			}
		}
	}
	return from, to
}

// MaxHops is how many windows a row may be in.
const MaxHops = 100_000

// Hops is about how many windows a row is in, at least.
func (g *Grid) Hops() int64 {
	length := func(s Step, month float64) float64 {
		return float64(s.Months)*month*86400e9 + float64(s.Days)*86400e9 + float64(s.Units)
	}
	return max(1, int64(min(length(g.Size, 28)/length(g.Slide, 31), 1<<40)))
}

// Text writes what the grid is, behind a column.
func (g *Grid) Text() string {
	out := ", " + g.Slide.text(g.Numbers)
	if g.Size != g.Slide {
		out += ", " + g.Size.text(g.Numbers)
	}
	return out + g.originText()
}

// originText writes an origin that is not the default.
func (g *Grid) originText() string {
	switch {
	case g.Numbers && g.Origin != 0:
		return ", " + query.Int(g.Origin).String()
	case !g.Numbers && g.Origin != DefaultOrigin(g.Slide, g.zone):
		return ", TIMESTAMP '" + query.Nanos(g.Origin).String() + "'"
	}
	return ""
}
