package planner

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// truth is a condition of a row of a with a query in it. top is it as a conjunct of WHERE: there IN is a join, whose keys are
// compared before what can fail is evaluated.
type truth struct {
	sql  string
	eval func(x modelRow) tri
	top  func(x modelRow) tri
}

// inner makes the FROM and WHERE of a query over b, which uses columns of a where all is drawn.
func (m *model) inner() (string, func(x, y modelRow) tri) {
	if m.r.IntN(5) == 0 {
		return "FROM b", func(modelRow, modelRow) tri { return yes }
	}
	text, on := m.conds(2)
	return "FROM b WHERE " + text, on
}

// predicate makes a condition of a query.
func (m *model) predicate() truth {
	from, on := m.inner()
	if m.r.IntN(3) == 0 {
		not := m.r.IntN(2) == 0
		exists := func(x modelRow) tri {
			for _, y := range m.b {
				if v := on(x, y); v == yes || v == failed {
					return v
				}
			}
			return no
		}
		if not {
			exists, not := func(x modelRow) tri { return exists(x).not() }, "NOT EXISTS (SELECT 1 "
			return truth{not + from + ")", exists, exists}
		}
		return truth{"EXISTS (SELECT * " + from + ")", exists, exists}
	}
	l, r := "kv"[m.r.IntN(2)], "kv"[m.r.IntN(2)]
	value := func(row modelRow, f byte) any {
		if f == 'k' {
			return row.k
		}
		return row.v
	}
	op, word, not := "=", "IN", false
	switch m.r.IntN(4) {
	case 0:
		word, not = "NOT IN", true
	case 1, 2:
		op = []string{"=", "<>", "<", "<=", ">", ">="}[m.r.IntN(6)]
		if word = op + " ANY"; m.r.IntN(2) == 0 {
			word, not = op+" ALL", true
			op = map[string]string{"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}[op]
		}
	}
	eval := func(x modelRow, first bool) tri {
		out := no
		for _, y := range m.b {
			if first && compareTri(op, value(x, l), value(y, r)) != yes {
				continue
			}
			v := on(x, y)
			if v == failed {
				return failed
			}
			if v != yes {
				continue
			}
			if v = compareTri(op, value(x, l), value(y, r)); v == yes {
				out = yes
				break
			} else if v == unknown {
				out = unknown
			}
		}
		if not {
			return out.not()
		}
		return out
	}
	return truth{
		fmt.Sprintf("a.%c %s (SELECT b.%c %s)", l, word, r, from),
		func(x modelRow) tri { return eval(x, false) },
		func(x modelRow) tri { return eval(x, op == "=" && !not) },
	}
}

// mixed puts a query where SQL does not get to it for every row.
func (m *model) mixed() truth {
	q := m.predicate()
	p := truth{sql: "a.k > 0", eval: func(x modelRow) tri { return compareTri(">", x.k, int64(0)) }}
	if m.r.IntN(2) == 0 {
		p = truth{sql: "a.v IS NULL", eval: func(x modelRow) tri { return triOf(isNull(x.v)) }}
	}
	switch m.r.IntN(5) {
	case 0:
		return truth{sql: "(" + p.sql + " OR " + q.sql + ")", top: func(x modelRow) tri {
			l := p.eval(x)
			if l == yes {
				return yes
			}
			r := q.eval(x)
			if r == yes || r == failed {
				return r
			}
			return max(l, r)
		}}
	case 1:
		return truth{sql: p.sql + " AND " + q.sql, top: func(x modelRow) tri {
			if l := p.eval(x); l != yes {
				return no // of a WHERE
			}
			return q.top(x)
		}}
	case 2:
		return truth{sql: "CASE WHEN " + p.sql + " THEN " + q.sql + " ELSE a.k = 1 END", top: func(x modelRow) tri {
			if p.eval(x) == yes {
				return q.eval(x)
			}
			return compareTri("=", x.k, int64(1))
		}}
	case 3:
		if m.fail {
			break // the second, if it cannot fail, may be tested before the first
		}
		q2 := m.predicate()
		return truth{sql: q.sql + " AND " + q2.sql, top: func(x modelRow) tri {
			if l := q.top(x); l != yes {
				return l
			}
			return q2.top(x)
		}}
	}
	return q
}

// where is the rows of a on which a condition is true.
func (m *model) where(p truth) (out []string) {
	for _, x := range m.a {
		switch p.top(x) {
		case failed:
			return append(out, "!")
		case yes:
			out = append(out, fmt.Sprint(x.seq))
		}
	}
	return out
}

// scalar makes a query that gives a value for each row of a: the value as text, and whether it fails.
func (m *model) scalar() (string, func(x modelRow) (string, bool)) {
	from, on := m.inner()
	if !strings.Contains(from, "a.") {
		from, on = "FROM b WHERE b.k = a.k", func(x, y modelRow) tri { return compareTri("=", x.k, y.k) }
	}
	rows := m.b
	partners := func(x modelRow, most int) (out []modelRow, fails bool) {
		for _, y := range rows {
			switch on(x, y) {
			case failed:
				return nil, true
			case yes:
				if out = append(out, y); len(out) == most {
					return out, false
				}
			}
		}
		return out, false
	}
	switch m.r.IntN(3) {
	case 0:
		return "(SELECT b._seq " + from + ")", func(x modelRow) (string, bool) {
			found, fails := partners(x, -1)
			switch {
			case fails || len(found) > 1:
				return "", true
			case len(found) == 1:
				return strconv.Itoa(found[0].seq), false
			}
			return "NULL", false
		}
	case 1:
		order := ""
		if m.r.IntN(2) == 0 {
			order = " ORDER BY b.v DESC"
			rows = slices.Clone(m.b)
			slices.SortStableFunc(rows, func(p, q modelRow) int {
				if isNull(p.v) || isNull(q.v) {
					return map[bool]int{true: 1, false: 0}[isNull(p.v)] - map[bool]int{true: 1, false: 0}[isNull(q.v)]
				}
				return -compareModel(p.v, q.v)
			})
		}
		return "(SELECT b._seq * 10 + a._seq " + from + order + " LIMIT 1)", func(x modelRow) (string, bool) {
			found, fails := partners(x, 1)
			if fails || len(found) == 0 {
				return "NULL", fails
			}
			return strconv.Itoa(found[0].seq*10 + x.seq), false
		}
	}
	agg := []string{"count(*)", "count(b.v)", "max(b.k)", "min(b.v)", "sum(b._seq)", "sum(6 // (b._seq - 2))", "count(DISTINCT b.k)", "max(a._seq + b._seq)"}[m.r.IntN(8)]
	return "(SELECT " + agg + " " + from + ")", func(x modelRow) (string, bool) {
		found, fails := partners(x, -1)
		n, sum := 0, 0
		var best any
		var distinct []any
		for _, y := range found {
			switch agg {
			case "count(b.v)":
				if isNull(y.v) {
					n--
				}
			case "max(b.k)", "min(b.v)", "max(a._seq + b._seq)", "count(DISTINCT b.k)":
				v := map[string]any{"max(b.k)": y.k, "min(b.v)": y.v, "max(a._seq + b._seq)": int64(x.seq + y.seq), "count(DISTINCT b.k)": y.k}[agg]
				if isNull(v) {
					continue
				}
				if c := agg[:3]; best == nil || c == "max" && compareModel(v, best) > 0 || c == "min" && compareModel(v, best) < 0 {
					best = v
				}
				if !slices.ContainsFunc(distinct, func(d any) bool { return compareModel(d, v) == 0 }) {
					distinct = append(distinct, v)
				}
			case "sum(6 // (b._seq - 2))":
				if y.seq == 2 {
					return "", true
				}
				sum += 6 / (y.seq - 2)
			default:
				sum += y.seq
			}
			n++
		}
		switch {
		case fails:
			return "", true
		case agg == "count(DISTINCT b.k)":
			return strconv.Itoa(len(distinct)), false
		case agg[:3] == "cou":
			return strconv.Itoa(n), false
		case agg[:3] == "sum" && len(found) > 0:
			return strconv.Itoa(sum), false
		case agg[:3] == "sum":
			return "NULL", false
		}
		return textOf(best), false
	}
}

// TestSubqueryModel compares queries used as values, with NULLs, values of mixed types and conditions that may fail, with loops
// over slices.
func TestSubqueryModel(t *testing.T) {
	triText := [...]string{no: "false", yes: "true", unknown: "NULL"}
	for seed := range *joinSeeds {
		m := newModel(t, seed, 11)
		m.fail = m.r.IntN(3) == 0
		p := m.mixed()
		m.check("SELECT _seq FROM a WHERE "+p.sql, m.where(p), true)

		p = m.predicate()
		var want []string
		for _, x := range m.a {
			v := p.eval(x)
			if v == failed {
				want = append(want, "!")
				break
			}
			want = append(want, fmt.Sprintf("%d|%s", x.seq, triText[v]))
		}
		m.check("SELECT _seq, "+p.sql+" FROM a", want, true)

		text, value := m.scalar()
		want = nil
		guard := m.r.IntN(3) == 0
		for _, x := range m.a {
			v, fails := "NULL", false
			if !guard || x.seq%2 == 0 {
				v, fails = value(x)
			}
			if fails {
				want = append(want, "!")
				break
			}
			want = append(want, fmt.Sprintf("%d|%s", x.seq, v))
		}
		if guard {
			text = "CASE WHEN a._seq % 2 = 0 THEN " + text + " END"
		}
		m.check("SELECT _seq, "+text+" FROM a", want, true)

		text, value = m.scalar()
		want = nil
		for _, x := range m.a {
			v, fails := value(x)
			if fails {
				want = append(want, "!")
				break
			}
			if v == "NULL" {
				want = append(want, strconv.Itoa(x.seq))
			}
		}
		m.check("SELECT _seq FROM a WHERE "+text+" IS NULL", want, true)

		// How many rows it is true of, by an aggregate over it.
		p = m.predicate()
		n := 0
		want = nil
		for _, x := range m.a {
			v := p.eval(x)
			if v == failed {
				want = []string{"!"}
				break
			}
			if v == yes {
				n++
			}
		}
		if want == nil {
			want = []string{strconv.Itoa(n)}
		}
		m.check("SELECT count(CASE WHEN "+p.sql+" THEN 1 END) FROM a", want, true)

		m.check("SELECT k, count(*), (SELECT count(*) FROM b WHERE b.k = a.k) FROM a GROUP BY k", m.groupsWithCount(), true)
	}
}

// groupsWithCount is how many rows of a have a key, and how many of b.
func (m *model) groupsWithCount() (out []string) {
	var keys []any
	for _, x := range m.a {
		if slices.ContainsFunc(keys, func(k any) bool { return compareModel(k, x.k) == 0 }) {
			continue
		}
		keys = append(keys, x.k)
		n, partners := 0, 0
		for _, y := range m.a {
			if compareModel(y.k, x.k) == 0 {
				n++
			}
		}
		for _, y := range m.b {
			if compareTri("=", x.k, y.k) == yes {
				partners++
			}
		}
		out = append(out, fmt.Sprintf("%s|%d|%d", textOf(x.k), n, partners))
	}
	return out
}
