package planner

import (
	"fmt"
	"slices"
	"testing"
)

// modelSet is a set operation by loops, over single values; NULL equals NULL.
func modelSet(op string, all bool, a, b []any) (out []any) {
	has := func(list []any, x any) int {
		return slices.IndexFunc(list, func(y any) bool { return compareModel(x, y) == 0 })
	}
	right := slices.Clone(b)
	for _, x := range a {
		if !all && has(out, x) >= 0 {
			continue
		}
		at := has(right, x)
		if all && at >= 0 && op != "UNION" {
			right = slices.Delete(right, at, at+1)
		}
		if op == "UNION" || (at >= 0) == (op == "INTERSECT") {
			out = append(out, x)
		}
	}
	if op == "UNION" {
		for _, x := range b {
			if all || has(out, x) < 0 {
				out = append(out, x)
			}
		}
	}
	return out
}

// TestSetModel compares set operations, DISTINCT ON and WITH tables that are kept with loops over slices.
func TestSetModel(t *testing.T) {
	for seed := range *joinSeeds / 2 {
		m := newModel(t, seed, 13)
		m.fail = false
		column := func(rows []modelRow, v bool) (out []any) {
			for _, r := range rows {
				if v {
					out = append(out, r.v)
				} else {
					out = append(out, r.k)
				}
			}
			return out
		}
		op := []string{"UNION", "INTERSECT", "EXCEPT"}[m.r.IntN(3)]
		all := m.r.IntN(2) == 0
		word := map[bool]string{true: " ALL", false: ""}[all]
		set := modelSet(op, all, column(m.a, false), column(m.b, true))
		var want []string
		for _, x := range set {
			want = append(want, textOf(x))
		}
		statement := "SELECT k FROM a " + op + word + " SELECT v FROM b"
		m.check(statement, want, true)

		// A WITH table is the same kept and put in.
		want = nil
		for _, x := range set {
			for i, y := range set {
				if compareTri("=", x, y) == yes {
					want = append(want, fmt.Sprintf("%s|%s", textOf(x), textOf(set[i])))
				}
			}
		}
		for _, how := range []string{"", "MATERIALIZED", "NOT MATERIALIZED"} {
			m.check("WITH t(x) AS "+how+" ("+statement+") SELECT p.x, q.x FROM t p LEFT JOIN t q ON p.x = q.x WHERE q.x IS NOT NULL", want, true)
		}

		want = nil
		var seen []any
		for _, s := range m.a {
			if !slices.ContainsFunc(seen, func(x any) bool { return compareModel(x, s.k) == 0 }) {
				seen = append(seen, s.k)
				want = append(want, fmt.Sprintf("%d", s.seq))
			}
		}
		m.check("SELECT DISTINCT ON (k) _seq FROM a", want, true)
	}
}
