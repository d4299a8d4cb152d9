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
		if i < len(x) {
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
	return mid, (v[len(v)-1] - v[0]) / mid
}

// writeTable writes the rows of points that share a table. All values are such that less is better. The ratio is the best other
// store's value divided by our best: 2 means that ours takes half.
func writeTable(w io.Writer, all []point, results []samples, among []contender) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s (%s)\n\n| |", all[0].table, all[0].unit)
	for _, c := range among {
		fmt.Fprintf(&b, " %s |", c.name)
	}
	b.WriteString(" best other ÷ ours |\n|---|")
	b.WriteString(strings.Repeat("---:|", len(among)+1))
	b.WriteString("\n")
	for i := range all {
		for row, name := range all[i].rows {
			fmt.Fprintf(&b, "| %s |", name)
			ours, others := math.Inf(1), math.Inf(1)
			for _, c := range among {
				mid, spread := median(results[i][c.name], row)
				if math.IsNaN(mid) {
					b.WriteString(" – |")
					continue
				}
				fmt.Fprintf(&b, " %s ±%.0f %% |", figure(mid), 50*spread)
				if c.ours {
					ours = min(ours, mid)
				} else {
					others = min(others, mid)
				}
			}
			if math.IsInf(ours, 1) || math.IsInf(others, 1) || ours <= 0 {
				b.WriteString(" – |\n")
			} else {
				fmt.Fprintf(&b, " **%.2f** |\n", others/ours)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
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
