package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// samples are the measurements of one contender at one point, one per repeat.
type samples map[string][]measurement

// median returns the median of value i over the repeats, and the spread: greatest minus least, as a part of it.
func median(m []measurement, i int) (mid, spread float64) {
	var v []float64
	for _, x := range m {
		if i < len(x) && !math.IsNaN(x[i]) {
			v = append(v, x[i])
		}
	}
	if len(v) == 0 {
		return math.NaN(), 0
	}
	slices.Sort(v)
	mid = v[len(v)/2]
	if len(v)%2 == 0 {
		mid = (v[len(v)/2-1] + mid) / 2
	}
	if mid == 0 {
		return 0, 0
	}
	return mid, (v[len(v)-1] - v[0]) / mid
}

// writeTable writes the rows of points that share a table. The last columns compare the best of ours with the best other store,
// and with the floor: 2 means that ours is twice as good, in whichever direction is good.
func writeTable(w io.Writer, all []point, results []samples, among []contender) error {
	var b strings.Builder
	among = slices.DeleteFunc(slices.Clone(among), func(c contender) bool {
		return !slices.ContainsFunc(results, func(s samples) bool { return len(s[c.name]) > 0 })
	})
	fmt.Fprintf(&b, "\n## %s\n\n| | |", all[0].table)
	for _, c := range among {
		fmt.Fprintf(&b, " %s |", c.name)
	}
	b.WriteString(" ours to best other |")
	hasFloor := slices.ContainsFunc(among, func(c contender) bool { return c.role == floor })
	columns := len(among) + 1
	if hasFloor {
		b.WriteString(" ours to floor |")
		columns++
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---:|", columns) + "\n")
	for i := range all {
		for n, r := range all[i].rows {
			fmt.Fprintf(&b, "| %s | %s |", r.name, r.unit)
			best := map[role]float64{}
			for _, c := range among {
				mid, spread := median(results[i][c.name], n)
				if math.IsNaN(mid) {
					b.WriteString(" – |")
					continue
				}
				fmt.Fprintf(&b, " %s ±%.0f %% |", figure(mid), 50*spread)
				if v, ok := best[c.role]; !ok || r.more == (mid > v) {
					best[c.role] = mid
				}
			}
			fmt.Fprintf(&b, " **%s** |", ratio(r, best, other))
			if hasFloor {
				fmt.Fprintf(&b, " %s |", ratio(r, best, floor))
			}
			b.WriteString("\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// least is the least value that figure does not write as nothing.
const least = 0.005

// ratio says how many times better the best of ours is than the best of those.
func ratio(r row, best map[role]float64, than role) string {
	a, okA := best[ours]
	b, okB := best[than]
	if !okA || !okB {
		return "–"
	}
	if !r.more {
		a, b = b, a
	}
	if min(a, b) < least {
		return "–" // of nothing nothing is a part
	}
	return fmt.Sprintf("%.2f", a/b)
}

// figure writes a number with three digits that count and separators.
func figure(x float64) string {
	switch {
	case math.Abs(x) < 10:
		return fmt.Sprintf("%.2f", x)
	case math.Abs(x) < 100:
		return fmt.Sprintf("%.1f", x)
	}
	s := fmt.Sprintf("%.0f", x)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
