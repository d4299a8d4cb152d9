package netdb_test

import (
	"fmt"
	"strings"
)

// offset is that of a frame.
func (g *queryGen) offset(unit string) string {
	if unit == "RANGE" {
		return g.oneOf("0", "1", "2", "3", "0.5", "1.5", "1e2", "9223372036854775807", "1e300")
	}
	return g.oneOf("0", "1", "1", "2", "3", "5", "100", "9223372036854775807")
}

// frame is a frame, often none.
func (g *queryGen) frame(keys int) string {
	if g.chance(3) {
		return ""
	}
	unit := g.oneOf("ROWS", "ROWS", "RANGE", "GROUPS")
	if keys == 0 && unit == "GROUPS" {
		unit = "ROWS"
	}
	bounds := []string{"UNBOUNDED PRECEDING", g.offset(unit) + " PRECEDING", "CURRENT ROW", g.offset(unit) + " FOLLOWING", "UNBOUNDED FOLLOWING"}
	if unit == "RANGE" && keys != 1 {
		bounds[1], bounds[3] = "UNBOUNDED PRECEDING", "UNBOUNDED FOLLOWING"
	}
	from := g.r.IntN(4)
	if from == 3 && bounds[3] == bounds[4] {
		from = 0
	}
	to := max(1, from) + g.r.IntN(5-max(1, from))
	if to == 1 && bounds[1] == bounds[0] {
		to = 2
	}
	start, end := bounds[from], bounds[to]
	if from == to && from == 1 || from == to && from == 3 {
		end = g.offset(unit) + strings.TrimLeft(end, "0123456789.e")
	}
	sql := " " + unit + " "
	if to == 2 && from < 3 && g.chance(2) {
		sql += start
	} else {
		sql += "BETWEEN " + start + " AND " + end
	}
	return sql + g.oneOf("", "", "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES", " EXCLUDE NO OTHERS")
}

// over is a window; key makes an expression that it may divide or order by.
func (g *queryGen) over(key func() string) string {
	sql := ""
	if g.chance(2) {
		sql = " PARTITION BY " + key()
		if g.chance(4) {
			sql += ", " + key()
		}
	}
	keys := 0
	if !g.chance(5) {
		keys = 1
		sql += " ORDER BY " + key() + g.direction()
		if g.chance(4) {
			keys++
			sql += ", " + key() + g.direction()
		}
	}
	return "(" + strings.TrimSpace(sql+g.frame(keys)) + ")"
}

// windowCall is a window function over a window.
func (g *queryGen) windowCall(over string, arg func() string, whole func() string) string {
	filter := ""
	if g.chance(6) {
		filter = " FILTER (WHERE " + arg() + " IS NOT NULL)"
	}
	var call string
	switch g.r.IntN(12) {
	case 0, 1:
		call = g.oneOf("row_number()", "rank()", "dense_rank()", "percent_rank()", "cume_dist()", fmt.Sprintf("ntile(%d)", 1+g.r.IntN(6)))
	case 2, 3:
		call = g.oneOf("lag(", "lead(") + arg()
		if g.chance(2) {
			call += ", " + g.oneOf("0", "1", "2", "-1", "7", "9223372036854775807", "NULL", "TRY_CAST("+arg()+" AS BIGINT)")
			if g.chance(2) {
				call += ", " + g.oneOf("NULL", arg())
			}
		}
		call += ")"
	case 4, 5:
		call = g.oneOf("first_value(", "last_value(") + arg() + ")"
		if g.chance(3) {
			call = fmt.Sprintf("nth_value(%s, %d)", arg(), 1+g.r.IntN(4))
		}
	case 6, 7, 8:
		call = g.oneOf("sum(", "avg(", "sum(", "sum(DISTINCT ") + whole() + ")" + filter
	case 9:
		call = g.oneOf("count(*)", "count("+arg()+")", "count(DISTINCT "+arg()+")") + filter
	case 10:
		call = g.oneOf("min(", "max(", "first(", "last(", "any_value(") + arg() + ")" + filter
	default:
		call = g.oneOf("bool_and("+arg()+" IS NULL)", "bool_or("+arg()+" = 1)", "string_agg(CAST("+arg()+" AS TEXT), '-')") + filter
	}
	return call + " OVER " + over
}

// windowed is a whole SELECT with window functions over a log, or over its groups.
func (g *queryGen) windowed(log string) string {
	g.plain = g.plain || !g.chance(4)
	var items, keys []string
	key := func() string {
		return g.oneOf(g.field("any"), g.field("any"), g.field("num"), g.field("num"), g.num(1), g.text(1), "_seq", "_seq", g.cond(0))
	}
	arg := func() string { return g.oneOf(g.any(1), g.field("any"), g.num(1)) }
	whole := func() string {
		return g.oneOf("i", "i", "f", g.field("num"), g.field("whole"), "length("+g.field("text")+")", "TRY_CAST("+g.field("any")+" AS BIGINT)", "TRY_CAST("+g.field("any")+" AS DOUBLE)")
	}
	sql := " FROM " + log + g.where()
	if g.chance(5) { // over groups
		k := g.oneOf("i", "s", "b", "m")
		keys = []string{k, "count(*)", "sum(i)", "min(f)"}
		items = append(items, k)
		one := func() string { return g.oneOf(keys...) }
		number := func() string { return g.oneOf("count(*)", "sum(i)") }
		key, arg, whole = one, one, number
		sql += " GROUP BY " + k
	}
	for range g.r.IntN(2) {
		items = append(items, arg())
	}
	n := 1 + g.r.IntN(3)
	over := g.over(key)
	named := g.chance(5)
	for range n {
		w := over
		switch {
		case named && g.chance(2):
			w = "w"
		case g.chance(2):
			w = g.over(key)
		}
		items = append(items, g.windowCall(w, arg, whole))
	}
	for i := range items {
		items[i] += fmt.Sprintf(" AS c%d", i+1)
	}
	if named {
		sql += " WINDOW w AS " + over
	}
	switch g.r.IntN(6) {
	case 0:
		sql += fmt.Sprintf(" QUALIFY row_number() OVER %s %s %d", g.over(key), g.oneOf("<=", "=", "<"), 1+g.r.IntN(3))
	case 1:
		sql += fmt.Sprintf(" QUALIFY c%d IS NOT NULL", len(items))
	case 2:
		if len(keys) == 0 {
			over := "(PARTITION BY " + g.field("any") + " ORDER BY " + g.oneOf("_seq", "_seq DESC", key()+g.direction()) + ")"
			return "SELECT _seq AS c1, row_number() OVER " + over + " AS c2" + sql[:strings.Index(sql+" WINDOW", " WINDOW")] + fmt.Sprintf(" QUALIFY c2 <= %d", 1+g.r.IntN(3))
		}
	}
	if g.chance(3) {
		sql += g.orderBy(len(items), false)
	}
	if len(keys) == 0 {
		sql += g.limit()
	}
	return "SELECT " + g.oneOf("", "", "", "", "DISTINCT ") + strings.Join(items, ", ") + sql
}
