package query

import (
	"strings"
	"unicode/utf8"
)

// Nearest returns the candidate that name is most likely a misspelling of, and
// "" when none is near: at most a third of the letters may be wrong. A swap of
// two neighbours is one mistake; case does not count but breaks ties. Of equally
// near ones the first wins, so the answer does not depend on anything but the
// arguments.
func Nearest(name string, candidates []string) string {
	if len(name) > 256 {
		return ""
	}
	lower := []rune(strings.ToLower(name))
	limit := max(1, (len(lower)+1)/3)
	best, bestAt := "", 2*limit+2
	var rows [3][]int
	for _, c := range candidates {
		if c == "" || c == name || abs(utf8.RuneCountInString(c)-len(lower)) > limit {
			continue
		}
		d := distance(lower, []rune(strings.ToLower(c)), limit, &rows)
		if d > limit {
			continue
		}
		d *= 2
		if d > 0 && !strings.EqualFold(c[:1], string(lower[:min(1, len(lower))])) {
			d++ // people get the first letter right
		}
		if d < bestAt {
			best, bestAt = c, d
		}
	}
	return best
}

func abs(i int) int {
	if i < 0 {
		return -i
	}
	return i
}

// distance is the optimal string alignment distance of a and b, or any number
// above limit when it is greater. rows are buffers kept between calls.
func distance(a, b []rune, limit int, rows *[3][]int) int {
	for i := range rows {
		if cap(rows[i]) < len(b)+1 {
			rows[i] = make([]int, len(b)+1)
		}
		rows[i] = rows[i][:len(b)+1]
	}
	before, last, cur := rows[0], rows[1], rows[2]
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(last[j]+1, cur[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, before[j-2]+1)
			}
			cur[j] = d
			least = min(least, d)
		}
		if least > limit {
			return least
		}
		before, last, cur = last, cur, before
	}
	return last[len(b)]
}
