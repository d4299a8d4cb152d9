package exec

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/seed69692123/netdb/planner/vector"
)

// gridZones are zones with and without summer time, with days that begin later than midnight (São Paulo, Beirut), with a midnight that
// comes twice (Havana), with one just after which clocks go back to the day before (St John's), without the day 2011-12-30 (Apia), and far from UTC.
func gridZones(t *testing.T) []*time.Location {
	t.Helper()
	zones := []*time.Location{time.UTC, time.FixedZone("", 5*3600+1800)}
	for _, name := range []string{
		"Europe/Paris", "America/Sao_Paulo", "Asia/Beirut", "America/Havana", "America/St_Johns", "Pacific/Apia", "Asia/Manila", "Asia/Kathmandu",
	} {
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		zones = append(zones, z)
	}
	return zones
}

const wallLayout = "2006-01-02 15:04:05.000000000"

// quarter is a quarter of an hour and the latest wall time that clocks have shown up to it.
type quarter struct {
	at     time.Time
	latest string
}

func quarters(zone *time.Location, from, to int) (out []quarter) {
	latest := ""
	end := time.Date(to, 12, 31, 0, 0, 0, 0, time.UTC)
	for at := time.Date(from-1, 12, 25, 0, 0, 0, 0, time.UTC); at.Before(end); at = at.Add(15 * time.Minute) {
		latest = max(latest, at.In(zone).Format(wallLayout))
		out = append(out, quarter{at, latest})
	}
	return out
}

// naiveStarts are the starts of a calendar's windows from a year to another: the first quarters of an hour at which clocks show the
// wall time of the start or a later one.
func naiveStarts(g *Grid, zone *time.Location, from, to int, qs []quarter) []int64 {
	o := time.Unix(0, g.Origin).In(zone)
	var walls []string
	for k := -7000; k <= 7000; k++ {
		w := time.Date(o.Year(), o.Month(), o.Day()+k*int(g.Slide.Days), o.Hour(), o.Minute(), o.Second(), 0, time.UTC)
		if m := int(g.Slide.Months) * k; g.Slide.Months > 0 {
			w = time.Date(o.Year(), o.Month()+time.Month(m), 1, o.Hour(), o.Minute(), o.Second(), 0, time.UTC)
			last := w.AddDate(0, 1, -1).Day()
			w = w.AddDate(0, 0, min(o.Day(), last)-1)
		}
		if w.Year() >= from && w.Year() <= to {
			walls = append(walls, w.Format(wallLayout))
		}
	}
	var starts []int64
	for _, q := range qs {
		for len(walls) > 0 && walls[0] <= q.latest {
			if q.at.Year() >= from {
				starts = append(starts, q.at.UnixNano())
			}
			walls = walls[1:]
		}
	}
	return starts
}

func TestCalendarGrid(t *testing.T) {
	for _, zone := range gridZones(t) {
		for _, year := range []int{1999, 2007, 2011, 2017} {
			qs := quarters(zone, year, year+1)
			for _, step := range []Step{{Days: 1}, {Days: 7}, {Days: 3}, {Months: 1}, {Months: 5}} {
				origin := DefaultOrigin(step, zone)
				if year == 2017 { // 2010-01-31, 22:30 or as near as clocks have it
					origin = time.Date(2010, 1, 31, 22, 30, 0, 0, zone).UnixNano()
				}
				g := NewGrid(step, step, origin, zone)
				starts := naiveStarts(g, zone, year, year+1, qs)
				if len(starts) < 3 {
					t.Fatalf("%v: %d starts", step, len(starts))
				}
				for i := 1; i < len(starts); i++ {
					a, b := starts[i-1], starts[i]
					for _, x := range []int64{a, a + 1, min(a+1800e9, b-1), (a + b) / 2, b - 1} {
						m := g.floor(x)
						end, ok := g.end(m)
						if a == b || !m.ok || !ok {
							continue
						}
						if m.start != a || end != b {
							t.Fatalf("%v, step %v: %s is in %s to %s, want %s to %s", zone, step, show(x, zone), show(m.start, zone), show(end, zone),
								show(a, zone), show(b, zone))
						}
					}
				}
			}
		}
	}
}

func show(ns int64, zone *time.Location) string {
	return time.Unix(0, ns).In(zone).Format(time.RFC3339Nano)
}

// TestGridBounds asserts that windows cover the whole range of values, that none is wrong at its ends, and what Where and Reach say.
func TestGridBounds(t *testing.T) {
	var grids []*Grid
	for _, zone := range slices.Concat(gridZones(t)[:1], gridZones(t)[2:4]) {
		for _, s := range []Step{{Units: 1}, {Units: 7}, {Units: 3600e9}, {Units: math.MaxInt64}, {Days: 1}, {Days: 7}, {Days: 40_000}, {Months: 1}, {Months: 1200}} {
			grids = append(grids, NewGrid(s, s, DefaultOrigin(s, zone), zone), NewGrid(s, s, math.MinInt64+5, zone), NewGrid(s, s, math.MaxInt64-5, zone))
		}
	}
	for _, u := range []int64{1, 10, 10_000, 1 << 62, math.MaxInt64} {
		for _, o := range []int64{0, 3, -3, math.MinInt64, math.MaxInt64} {
			grids = append(grids, NewNumberGrid(u, u, o))
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	values := []int64{math.MinInt64, math.MinInt64 + 1, math.MinInt64 + 6, -1, 0, 1, math.MaxInt64 - 6, math.MaxInt64 - 1, math.MaxInt64}
	for range 12 {
		values = append(values, r.Int64()-r.Int64(), r.Int64()>>r.IntN(62), math.MinInt64+r.Int64N(1<<50), math.MaxInt64-r.Int64N(1<<50))
	}
	for _, g := range grids {
		from, to := g.Bounds()
		type window struct {
			start, end int64
			ok         bool
		}
		windows := make([]window, len(values))
		for i, x := range values {
			m := g.floor(x)
			w := &windows[i]
			if m.ok {
				w.start = m.start
				w.end, w.ok = g.end(m)
			}
			if w.ok != (x >= from && x < to) {
				t.Fatalf("grid%s: %d has a window: %v, but bounds are %d to %d", g.Text(), x, w.ok, from, to)
			}
			if !w.ok {
				continue
			}
			if w.start > x || w.end <= x {
				t.Fatalf("grid%s: %d is not in [%d, %d)", g.Text(), x, w.start, w.end)
			}
			if u := g.Slide.Units; u > 0 {
				length := new(big.Int).Sub(big.NewInt(w.end), big.NewInt(w.start))
				off := new(big.Int).Sub(big.NewInt(w.start), big.NewInt(g.Origin))
				if length.Cmp(big.NewInt(u)) != 0 || new(big.Int).Mod(off, big.NewInt(u)).Sign() != 0 {
					t.Fatalf("grid%s: [%d, %d) is no window", g.Text(), w.start, w.end)
				}
			}
		}
		for _, c := range append(values, windows[7].start, windows[7].end, windows[20].start, windows[20].end) {
			for _, op := range []vector.CompareOp{vector.Eq, vector.Lt, vector.Le, vector.Gt, vector.Ge} {
				for _, end := range []bool{false, true} {
					lo, hi, ok := g.Where(op, end, c)
					low, high := g.Reach(op, end, c)
					if !ok {
						t.Fatal("no range")
					}
					for i, x := range values {
						bound := windows[i].start
						if end {
							bound = windows[i].end
						}
						want := windows[i].ok && compares(op, bound, c)
						if got := x >= lo && x < hi; got != want {
							t.Fatalf("grid%s: %d in [%d, %d): %s %v %d is %v, but Where says [%d, %d)", g.Text(), x, windows[i].start, windows[i].end,
								map[bool]string{false: "start", true: "end"}[end], op, c, want, lo, hi)
						}
						if want && (x < low || x >= high && high != math.MaxInt64) {
							t.Fatalf("grid%s: Reach of %v %d is [%d, %d), without %d", g.Text(), op, c, low, high, x)
						}
					}
				}
			}
		}
	}
}

func compares(op vector.CompareOp, a, b int64) bool {
	switch op {
	case vector.Eq:
		return a == b
	case vector.Lt:
		return a < b
	case vector.Le:
		return a <= b
	case vector.Gt:
		return a > b
	}
	return a >= b
}

// TestHops compares the windows of hop with those found by trying all near starts.
func TestHops(t *testing.T) {
	paris := gridZones(t)[2]
	r := rand.New(rand.NewPCG(3, 4))
	var grids []*Grid
	for range 60 {
		slide, size := 1+r.Int64N(20), 1+r.Int64N(60)
		grids = append(grids, NewNumberGrid(slide, size, r.Int64N(50)-25))
	}
	grids = append(grids, NewNumberGrid(math.MaxInt64, 5, 0), NewNumberGrid(5, 9, math.MaxInt64), NewNumberGrid(1<<62, math.MaxInt64, 0))
	for _, g := range grids {
		w := hops{g: g}
		for range 60 {
			x := r.Int64N(200) - 100
			switch r.IntN(10) {
			case 0:
				x = math.MinInt64 + r.Int64N(100)
			case 1:
				x = math.MaxInt64 - r.Int64N(100)
			}
			w.find(x)
			var want []int64
			for k := int64(-120); k <= 120; k++ {
				// A start near x, in numbers as large as need be.
				s := new(big.Int).Sub(big.NewInt(x), big.NewInt(g.Origin))
				u := big.NewInt(g.Slide.Units)
				s.Sub(s, new(big.Int).Mod(s, u)).Add(s, new(big.Int).Mul(big.NewInt(k), u)).Add(s, big.NewInt(g.Origin))
				e := new(big.Int).Add(s, big.NewInt(g.Size.Units))
				if s.IsInt64() && e.IsInt64() && s.Int64() <= x && x < e.Int64() {
					want = append(want, s.Int64())
				}
			}
			if !slices.Equal(w.starts, want) {
				t.Fatalf("hop%s from %d: %d is in %v, want %v", g.Text(), g.Origin, x, w.starts, want)
			}
		}
	}
	// Weeks by days: seven windows, also where a day has 23 or 25 hours.
	g := NewGrid(Step{Days: 1}, Step{Days: 7}, DefaultOrigin(Step{Days: 1}, paris), paris)
	w := hops{g: g}
	for hour := range 24 * 40 {
		x := time.Date(2024, 3, 10, 0, 0, 0, 0, paris).Add(time.Duration(hour) * time.Hour)
		w.find(x.UnixNano())
		if len(w.starts) != 7 {
			t.Fatalf("%v is in %d weeks", x, len(w.starts))
		}
		for i, s := range w.starts {
			y, m, d := x.Date()
			start, end := time.Date(y, m, d-6+i, 0, 0, 0, 0, paris), time.Date(y, m, d+1+i, 0, 0, 0, 0, paris)
			if s != start.UnixNano() || w.ends[i] != end.UnixNano() {
				t.Fatalf("%v is in %s to %s, want %v to %v", x, show(s, paris), show(w.ends[i], paris), start, end)
			}
		}
	}
}

// BenchmarkBucket is the start of daily windows of times in order.
func BenchmarkBucket(b *testing.B) {
	for _, name := range []string{"UTC", "Europe/Paris"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			b.Fatal(err)
		}
		for _, step := range []Step{{Days: 1}, {Units: 3600e9}, {Months: 1}} {
			b.Run(fmt.Sprintf("zone=%s/step=%v", name, step), func(b *testing.B) {
				v := vector.New(vector.Time, 0)
				for i := range vector.MaxRows {
					v.AppendTime(1.7e18 + int64(i)*60e9)
				}
				s := newEvalState(&Env{})
				s.begin(context.Background())
				e := s.compile(&Bucket{X: &Col{T: vector.Time}, Grid: NewGrid(step, step, 0, zone)})
				batch := &vector.Batch{Cols: []*vector.Vector{v}, N: v.Len}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := e.eval(batch, nil); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/vector.MaxRows, "ns/row")
			})
		}
	}
}
