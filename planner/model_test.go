package planner

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// modelRow is an event of the model: each field is absent (nil), nil for null, a bool, an integer, a float or a text.
type modelRow struct {
	seq  int
	k, v any
}

type modelNull struct{}

func randomValue(r *rand.Rand) any {
	switch r.IntN(9) {
	case 0:
		return nil
	case 1:
		return modelNull{}
	case 2:
		return r.IntN(2) == 0
	case 3:
		return []string{"", "a", "b", "1", "é"}[r.IntN(5)]
	case 4:
		return float64(r.IntN(7)-3) / 2
	}
	return int64(r.IntN(5) - 1)
}

func jsonOf(x any) string {
	switch x := x.(type) {
	case modelNull:
		return "null"
	case string:
		return strconv.Quote(x)
	case float64:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return fmt.Sprint(x)
}

func isNull(x any) bool {
	_, null := x.(modelNull)
	return x == nil || null
}

// rank and asFloat order values: booleans, numbers, text, NULL last.
func rank(x any) int {
	switch x.(type) {
	case bool:
		return 0
	case int64, float64:
		return 1
	case string:
		return 2
	}
	return 9
}

func asFloat(x any) float64 {
	if i, ok := x.(int64); ok {
		return float64(i)
	}
	return x.(float64)
}

func compareModel(a, b any) int {
	if ra, rb := rank(a), rank(b); ra != rb {
		return ra - rb
	}
	switch rank(a) {
	case 0:
		x, y := a.(bool), b.(bool)
		switch {
		case x == y:
			return 0
		case y:
			return -1
		}
		return 1
	case 1:
		x, y := asFloat(a), asFloat(b)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	case 2:
		return strings.Compare(a.(string), b.(string))
	}
	return 0
}

func textOf(x any) string {
	switch {
	case isNull(x):
		return "NULL"
	case rank(x) == 2:
		return x.(string)
	}
	if f, ok := x.(float64); ok {
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return fmt.Sprint(x)
}

func randomRows(r *rand.Rand, n int) []modelRow {
	rows := make([]modelRow, n)
	for i := range rows {
		rows[i] = modelRow{i, randomValue(r), randomValue(r)}
	}
	return rows
}

func modelLog(name string, rows []modelRow) *memLog {
	var payloads []string
	for _, row := range rows {
		var fields []string
		if row.k != nil {
			fields = append(fields, `"k":`+jsonOf(row.k))
		}
		if row.v != nil {
			fields = append(fields, `"v":`+jsonOf(row.v))
		}
		payloads = append(payloads, "{"+strings.Join(fields, ",")+"}")
	}
	// The catalogue must have the names whatever the rows are.
	payloads = append(payloads, `{"k":null,"v":null}`)
	return newLog(name, payloads...)
}

// TestModel compares groups, sorts, DISTINCT, joins and filters over values of mixed types with loops over slices.
func TestModel(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		a, b := randomRows(r, r.IntN(40)), randomRows(r, r.IntN(30))
		for _, size := range []int{1, 3, 2048} {
			c := memCatalog{}
			c.log(modelLog("a", a))
			c.log(modelLog("b", b))
			check := func(text string, want []string) {
				t.Helper()
				got, err := runSQL(t.Context(), c, text, Options{}, RunOptions{BatchRows: size})
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("seed %d, batches of %d: %s\n got %q %v\nwant %q", seed, size, text, got, err, want)
				}
			}
			na, nb := len(a), len(b)
			whereA, whereB := fmt.Sprintf("a._seq < %d", na), fmt.Sprintf("b._seq < %d", nb)
			check("SELECT k, count(*), count(v), sum(v), min(v), max(v), count(DISTINCT v), first(v) FROM a WHERE "+whereA+" GROUP BY k", modelGroups(a))
			check("SELECT _seq, k FROM a WHERE "+whereA+" ORDER BY k, v DESC", modelSort(a, 0, na))
			check("SELECT _seq, k FROM a WHERE "+whereA+" ORDER BY k, v DESC LIMIT 5 OFFSET 2", modelSort(a, 2, 5))
			check("SELECT a._seq, b._seq FROM a JOIN b ON a.k = b.k WHERE "+whereA+" AND "+whereB+" ORDER BY 1, 2", modelJoin(a, b, false, false))
			check("SELECT a._seq, b._seq FROM a LEFT JOIN b ON a.k = b.k AND "+whereB+" WHERE "+whereA+" ORDER BY 1, 2", modelJoin(a, b, true, false))
			check("SELECT a._seq, b._seq FROM a LEFT JOIN b ON a.k = b.k AND a.v < b.v AND "+whereB+" WHERE "+whereA+" ORDER BY 1, 2", modelJoin(a, b, true, true))
			check("SELECT a._seq, b._seq FROM a JOIN b ON a.k = b.k AND a.v < b.v AND "+whereB+" WHERE "+whereA+" ORDER BY 1, 2", modelJoin(a, b, false, true))
			check("SELECT a._seq, b._seq FROM a LEFT JOIN b ON a.v < b.v AND "+whereB+" AND a.k IS NOT NULL WHERE "+whereA+" ORDER BY 1, 2", modelLoopJoin(a, b))
			check("SELECT _seq FROM a WHERE k > v OR NOT (k = 1) OR v IS NULL", modelFilter(a))
		}
	}
}

func modelGroups(rows []modelRow) []string {
	type group struct {
		key      any
		n, nv    int
		ints     *big.Int
		floats   float64
		isFloat  bool
		numbers  int
		min, max any
		distinct []any
		first    any
	}
	var groups []*group
	for _, row := range rows {
		i := slices.IndexFunc(groups, func(g *group) bool { return compareModel(g.key, row.k) == 0 })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &group{key: row.k, ints: new(big.Int), first: row.v})
		}
		g := groups[i]
		g.n++
		if isNull(row.v) {
			continue
		}
		g.nv++
		if rank(row.v) == 1 {
			g.numbers++
			if x, ok := row.v.(int64); ok {
				g.ints.Add(g.ints, big.NewInt(x))
			} else {
				g.floats += row.v.(float64)
				g.isFloat = true
			}
		}
		if g.min == nil || compareModel(row.v, g.min) < 0 {
			g.min = row.v
		}
		if g.max == nil || compareModel(row.v, g.max) > 0 {
			g.max = row.v
		}
		if !slices.ContainsFunc(g.distinct, func(x any) bool { return compareModel(x, row.v) == 0 }) {
			g.distinct = append(g.distinct, row.v)
		}
	}
	var out []string
	for _, g := range groups {
		sum := "NULL"
		switch {
		case g.numbers == 0:
		case g.isFloat:
			f, _ := new(big.Float).SetInt(g.ints).Float64()
			sum = textOf(f + g.floats)
		default:
			sum = g.ints.String()
		}
		out = append(out, fmt.Sprintf("%s|%d|%d|%s|%s|%s|%d|%s", textOf(g.key), g.n, g.nv, sum, textOf(g.min), textOf(g.max), len(g.distinct), textOf(g.first)))
	}
	return out
}

func modelSort(rows []modelRow, offset, limit int) []string {
	sorted := slices.Clone(rows)
	sort.SliceStable(sorted, func(i, j int) bool {
		if c := compareModel(sorted[i].k, sorted[j].k); c != 0 {
			return c < 0
		}
		x, y := sorted[i].v, sorted[j].v
		if isNull(x) || isNull(y) {
			return !isNull(x) && isNull(y) // NULLs last, also descending
		}
		return compareModel(x, y) > 0
	})
	var out []string
	for i, row := range sorted {
		if i >= offset && i < offset+limit {
			out = append(out, fmt.Sprintf("%d|%s", row.seq, textOf(row.k)))
		}
	}
	return out
}

// lessModel is a < b in SQL: false unless both are of one type.
func lessModel(a, b any) bool { return !isNull(a) && rank(a) == rank(b) && compareModel(a, b) < 0 }

func modelJoin(a, b []modelRow, left, less bool) []string {
	var out []string
	for _, x := range a {
		matched := false
		for _, y := range b {
			if !isNull(x.k) && compareModel(x.k, y.k) == 0 && (!less || lessModel(x.v, y.v)) {
				matched = true
				out = append(out, fmt.Sprintf("%d|%d", x.seq, y.seq))
			}
		}
		if left && !matched {
			out = append(out, fmt.Sprintf("%d|NULL", x.seq))
		}
	}
	return out
}

func modelLoopJoin(a, b []modelRow) []string {
	var out []string
	for _, x := range a {
		matched := false
		for _, y := range b {
			if lessModel(x.v, y.v) && !isNull(x.k) {
				matched = true
				out = append(out, fmt.Sprintf("%d|%d", x.seq, y.seq))
			}
		}
		if !matched {
			out = append(out, fmt.Sprintf("%d|NULL", x.seq))
		}
	}
	return out
}

func modelFilter(rows []modelRow) []string {
	var out []string
	for _, row := range rows {
		greater := lessModel(row.v, row.k)
		// k = 1 is NULL unless k is a number.
		notOne := !isNull(row.k) && rank(row.k) == 1 && compareModel(row.k, int64(1)) != 0
		if greater || notOne || isNull(row.v) {
			out = append(out, strconv.Itoa(row.seq))
		}
	}
	n := len(rows) // the last event, which only fills the catalogue
	return append(out, strconv.Itoa(n))
}
