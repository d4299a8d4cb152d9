package planner

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed69692123/netdb/query"
)

// joinSeeds is how many random cases TestJoinModel and TestSubqueryModel run each; by hand many more.
var joinSeeds = flag.Uint64("joinseeds", 400, "random cases of joins and subqueries")

// tri is a truth value of SQL, or that the evaluation failed.
type tri uint8

const (
	no tri = iota
	yes
	unknown
	failed
)

func triOf(b bool) tri {
	if b {
		return yes
	}
	return no
}

func (t tri) not() tri { return [...]tri{no: yes, yes: no, unknown: unknown, failed: failed}[t] }

// compareTri compares as SQL does: values of different types, like NULL, give NULL.
func compareTri(op string, a, b any) tri {
	if isNull(a) || isNull(b) || rank(a) != rank(b) {
		return unknown
	}
	c := compareModel(a, b)
	return triOf(map[string]bool{"=": c == 0, "<>": c != 0, "<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[op])
}

// joinCond is a condition on a pair of rows of a and b.
type joinCond struct {
	sql  string
	eval func(x, y modelRow) tri
}

// divides fails where its two sides are equal.
var divides = joinCond{"6 // (a._seq % 3 - b._seq % 4) <= 2", func(x, y modelRow) tri {
	d := x.seq%3 - y.seq%4
	if d == 0 {
		return failed
	}
	return triOf(6/d <= 2)
}}

func (m *model) cond() joinCond {
	r := m.r
	field := func(s byte) (string, func(x, y modelRow) any) {
		name := string(s) + [...]string{".k", ".v"}[r.IntN(2)]
		return name, func(x, y modelRow) any {
			row := x
			if s == 'b' {
				row = y
			}
			if strings.HasSuffix(name, "k") {
				return row.k
			}
			return row.v
		}
	}
	l, lf := field("ab"[r.IntN(2)])
	switch r.IntN(8) {
	case 0:
		return joinCond{l + " IS NOT NULL", func(x, y modelRow) tri { return triOf(!isNull(lf(x, y))) }}
	case 1:
		return joinCond{l + " > 0", func(x, y modelRow) tri { return compareTri(">", lf(x, y), int64(0)) }}
	case 2:
		rt, rf := field("ab"[r.IntN(2)])
		return joinCond{"(" + l + " = 1 OR " + rt + " = 'a')", func(x, y modelRow) tri {
			p, q := compareTri("=", lf(x, y), int64(1)), compareTri("=", rf(x, y), "a")
			switch {
			case p == yes || q == yes:
				return yes
			case p == unknown || q == unknown:
				return unknown
			}
			return no
		}}
	}
	l, lf = field('a')
	rt, rf := field('b')
	op := []string{"=", "=", "=", "<>", "<", ">="}[r.IntN(6)]
	return joinCond{l + " " + op + " " + rt, func(x, y modelRow) tri { return compareTri(op, lf(x, y), rf(x, y)) }}
}

// model is a random case: two tables and what to say about them.
type model struct {
	t    *testing.T
	seed uint64
	r    *rand.Rand
	a, b []modelRow
	c    memCatalog
	fail bool // a condition may fail
}

func newModel(t *testing.T, seed, stream uint64) *model {
	m := &model{t: t, seed: seed, r: rand.New(rand.NewPCG(seed, stream)), c: memCatalog{}}
	m.a, m.b = randomRows(m.r, m.r.IntN(14)), randomRows(m.r, m.r.IntN(14))
	m.c.log(modelLog("a", m.a))
	m.c.log(modelLog("b", m.b))
	// The event that fills the catalogue.
	m.a = append(m.a, modelRow{len(m.a), modelNull{}, modelNull{}})
	m.b = append(m.b, modelRow{len(m.b), modelNull{}, modelNull{}})
	if m.r.IntN(8) == 0 {
		l := newLog("b")
		l.open = true
		m.c.log(l)
		m.b = nil
	}
	return m
}

// conds makes a condition of up to most parts. One that can fail is the last: those before are tested first, in any order.
func (m *model) conds(most int) (string, func(x, y modelRow) tri) {
	var list []joinCond
	for range 1 + m.r.IntN(most) {
		list = append(list, m.cond())
	}
	if m.fail && m.r.IntN(3) == 0 {
		list = append(list, divides)
	}
	text := make([]string, len(list))
	for i, c := range list {
		text[i] = c.sql
	}
	return strings.Join(text, " AND "), func(x, y modelRow) tri {
		out := yes
		for _, c := range list {
			switch v := c.eval(x, y); v {
			case no, failed:
				return v // AND of a WHERE or ON goes no further after NULL either, but then it is not true anyway
			case unknown:
				return unknown
			}
		}
		return out
	}
}

// check runs a statement with a random size of batches. A want that ends in "!" stands for an error after these rows.
func (m *model) check(text string, want []string, ordered bool) {
	m.t.Helper()
	size := []int{1, 2, 3, 5, 2048}[m.r.IntN(5)]
	got, err := runSQL(m.t.Context(), m.c, text, Options{}, RunOptions{BatchRows: size})
	if err != nil {
		var qe *query.Error
		if !errors.As(err, &qe) || qe.Code != query.CodeDivideByZero && qe.Code != query.CodeCardinality {
			m.t.Fatalf("seed %d: %s: %v", m.seed, text, err)
		}
		got = append(got, "!")
	}
	if !ordered {
		got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	}
	if !slices.Equal(got, want) {
		m.t.Errorf("seed %d, batches of %d: %s\n got %q %v\nwant %q\na %v\nb %v", m.seed, size, text, got, err, want, m.a, m.b)
	}
}

// join is a join by loops.
func (m *model) join(kind string, on func(x, y modelRow) tri) (out []string) {
	matched := map[int]bool{}
	for _, x := range m.a {
		found := false
		for _, y := range m.b {
			switch on(x, y) {
			case failed:
				return append(out, "!")
			case yes:
				found = true
				matched[y.seq] = true
				if kind == "SEMI" || kind == "ANTI" {
					break
				}
				out = append(out, fmt.Sprintf("%d|%d", x.seq, y.seq))
			}
			if found && (kind == "SEMI" || kind == "ANTI") {
				break
			}
		}
		switch {
		case kind == "SEMI" && found, kind == "ANTI" && !found:
			out = append(out, fmt.Sprint(x.seq))
		case !found && (kind == "LEFT" || kind == "FULL"):
			out = append(out, fmt.Sprintf("%d|NULL", x.seq))
		}
	}
	if kind == "FULL" {
		for _, y := range m.b {
			if !matched[y.seq] {
				out = append(out, fmt.Sprintf("NULL|%d", y.seq))
			}
		}
	}
	return out
}

// asof is an ASOF join by loops.
func (m *model) asof(left bool, op string, equal, value func(modelRow) any) (out []string) {
	for _, x := range m.a {
		best := -1
		for i, y := range m.b {
			if equal != nil && compareTri("=", equal(x), equal(y)) != yes || compareTri(op, value(x), value(y)) != yes {
				continue
			}
			if best >= 0 {
				c := compareModel(value(y), value(m.b[best]))
				if op[0] == '>' && c < 0 || op[0] == '<' && c >= 0 {
					continue
				}
			}
			best = i
		}
		switch {
		case best >= 0:
			out = append(out, fmt.Sprintf("%d|%d", x.seq, m.b[best].seq))
		case left:
			out = append(out, fmt.Sprintf("%d|NULL", x.seq))
		}
	}
	return out
}

// TestJoinModel compares joins of all kinds, over values of mixed types and conditions that may fail, with loops over slices.
func TestJoinModel(t *testing.T) {
	for seed := range *joinSeeds {
		m := newModel(t, seed, 7)
		kind := []string{"", "LEFT", "RIGHT", "FULL", "SEMI", "ANTI", "CROSS"}[m.r.IntN(7)]
		m.fail = kind != "" && kind != "RIGHT"
		text, on := m.conds(3)
		switch kind {
		case "CROSS":
			m.check("SELECT a._seq, b._seq FROM a CROSS JOIN b", m.join("", func(modelRow, modelRow) tri { return yes }), false)
		case "RIGHT":
			// The same as a left join with its sides exchanged.
			swapped := *m
			swapped.a, swapped.b = m.b, m.a
			want := swapped.join("LEFT", func(x, y modelRow) tri { return on(y, x) })
			m.check("SELECT b._seq, a._seq FROM a RIGHT JOIN b ON "+text, want, true)
		case "SEMI", "ANTI":
			m.check("SELECT _seq FROM a "+kind+" JOIN b ON "+text, m.join(kind, on), true)
		default:
			m.check("SELECT a._seq, b._seq FROM a "+kind+" JOIN b ON "+text, m.join(kind, on), kind != "")
		}

		op := []string{">=", ">", "<=", "<"}[m.r.IntN(4)]
		keys := []func(modelRow) any{func(r modelRow) any { return r.k }, func(r modelRow) any { return r.v }}
		swap := m.r.IntN(2)
		equal, value := keys[swap], keys[1-swap]
		names := [2]string{"k", "v"}
		cond := fmt.Sprintf("a.%s %s b.%[1]s", names[1-swap], op)
		if m.r.IntN(3) == 0 {
			equal = nil
		} else {
			cond = fmt.Sprintf("a.%s = b.%[1]s AND %s", names[swap], cond)
		}
		left := m.r.IntN(2) == 0
		word := map[bool]string{true: "LEFT ", false: ""}[left]
		m.check("SELECT a._seq, b._seq FROM a ASOF "+word+"JOIN b ON "+cond, m.asof(left, op, equal, value), true)
	}
}
