package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// tolerance is how far apart two DOUBLEs of the same answer may be, as a part of the greater.
const tolerance = 1e-9

// differ says how two answers differ, "" when they do not. Without ordered, the order of rows does not count.
func differ(a, b [][]any, ordered bool) string {
	if len(a) != len(b) {
		return fmt.Sprintf("%d rows, not %d", len(a), len(b))
	}
	if !ordered {
		a, b = inOrder(a), inOrder(b)
	}
	for i := range a {
		if len(a[i]) != len(b[i]) {
			return fmt.Sprintf("row %d: %d columns, not %d", i, len(a[i]), len(b[i]))
		}
		for k := range a[i] {
			if !same(a[i][k], b[i][k]) {
				return fmt.Sprintf("row %d: %v, not %v", i, a[i], b[i])
			}
		}
	}
	return ""
}

func same(a, b any) bool {
	if a == b {
		return true
	}
	x, okA := number(a)
	y, okB := number(b)
	_, intA := a.(int64)
	_, intB := b.(int64)
	if !okA || !okB || intA && intB {
		return false
	}
	return math.Abs(x-y) <= tolerance*max(math.Abs(x), math.Abs(y))
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// inOrder returns the rows in an order that only their values decide; DOUBLEs count with six digits, so that equal answers have
// the same order.
func inOrder(rows [][]any) [][]any {
	keys := make([]string, len(rows))
	at := make([]int, len(rows))
	for i, row := range rows {
		var b strings.Builder
		for _, v := range row {
			switch x, ok := v.(float64); {
			case !ok:
				fmt.Fprintf(&b, "%v|", v)
			case x == math.Trunc(x) && math.Abs(x) < 1<<53:
				fmt.Fprintf(&b, "%d|", int64(x))
			default:
				fmt.Fprintf(&b, "%.6g|", x)
			}
		}
		keys[i], at[i] = b.String(), i
	}
	slices.SortStableFunc(at, func(i, k int) int { return strings.Compare(keys[i], keys[k]) })
	out := make([][]any, len(rows))
	for i, k := range at {
		out[i] = rows[k]
	}
	return out
}
