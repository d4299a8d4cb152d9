package netdb_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/seed69692123/netdb/redex"
)

// randomFields are the fields of random events: most are of one type most of the time, m is of any.
func randomFields() []string { return []string{"i", "f", "s", "b", "m", "g", "o"} }

// randomValue makes a value as JSON, to be seen often enough in several events.
func randomValue(r *rand.Rand, field string) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	if r.IntN(12) == 0 {
		field = "m"
	}
	switch field {
	case "i":
		return strconv.Itoa(r.IntN(9) - 3)
	case "f":
		return pick("0.5", "1.0", "-1.5", "2.25", "0.1", "1e2", "-0.0", "3.0", "1e-7", "0.30000000000000004")
	case "s":
		return pick(`"a"`, `"ab"`, `"B"`, `"été"`, `"ÉTÉ"`, `""`, `"12"`, `" 7 "`, `"1e2"`, `"日本"`, `"😀"`, `"a%b_c"`, `"true"`, `"x\ny"`, `"\u00e9"`, `"é"`)
	case "b":
		return pick("true", "false")
	case "g":
		return pick("9223372036854775807", "-9223372036854775808", "9223372036854775808", "123456789012345678901234567890", "-9223372036854775809",
			"9007199254740992", "9007199254740993", "9007199254740992.0", "1e308", "-1.7e308", "5e-324", "-0", "0", "18446744073709551616", "1.8446744073709552e19", "9223372036854775807.0")
	case "o":
		return `{"x":` + randomValue(r, pick("i", "f", "s")) + `,"y":` + pick("null", "1", `"t"`, "[1,2]", `{"z":3}`) + `}`
	}
	return pick("null", "null", "true", "false", "1", "1.0", "0", `"1"`, `"a"`, `""`, "[]", "[1,2]", "[1.0,2]", "{}", `{"x":1}`, `{"x":1.0}`, "9223372036854775808", "-2.5")
}

// randomEvent is an event and its payload in JSON, "{}" for one that has no fields.
type randomEvent struct {
	redex.Entry
	json string
}

// randomEvents makes n events. A few have no fields at all.
func randomEvents(r *rand.Rand, n int) []randomEvent {
	var out []randomEvent
	for range n {
		switch r.IntN(40) {
		case 0:
			out = append(out, randomEvent{redex.Entry{Encoding: redex.JSON, Payload: []byte(`{"i":1`)}, "{}"})
			continue
		case 1:
			out = append(out, randomEvent{redex.Entry{Encoding: redex.JSON, Payload: []byte(`["i"]`)}, "{}"})
			continue
		case 2:
			out = append(out, randomEvent{redex.Entry{Payload: []byte(`{"i":1}`)}, "{}"})
			continue
		}
		var fields []string
		for _, f := range randomFields() {
			switch r.IntN(10) {
			case 0:
			case 1:
				fields = append(fields, fmt.Sprintf(`"%s":null`, f))
			default:
				fields = append(fields, fmt.Sprintf(`"%s":%s`, f, randomValue(r, f)))
				if r.IntN(50) == 0 {
					fields = append(fields, fmt.Sprintf(`"%s":%s`, f, randomValue(r, "m"))) // the first counts
				}
			}
		}
		if r.IntN(4) == 0 {
			r.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		}
		e := randomEvent{json: "{" + strings.Join(fields, ",") + "}"}
		e.Encoding, e.Payload = redex.JSON, []byte(e.json)
		if r.IntN(6) == 0 {
			e.Entry = packed(e.Entry, fields)
		}
		out = append(out, e)
	}
	return out
}

// packed is an event in MessagePack whose fields are numbers, texts and the like; others stay as they are.
func packed(e redex.Entry, fields []string) redex.Entry {
	var b bytes.Buffer
	enc := msgpack.NewEncoder(&b)
	err := enc.EncodeMapLen(len(fields))
	for _, f := range fields {
		name, v, _ := strings.Cut(f, ":")
		if err == nil {
			err = enc.EncodeString(strings.Trim(name, `"`))
		}
		if err != nil {
			panic(err)
		}
		i, notInt := strconv.ParseInt(v, 10, 64)
		x, notFloat := strconv.ParseFloat(v, 64)
		switch {
		case v == "null":
			err = enc.EncodeNil()
		case v == "true" || v == "false":
			err = enc.EncodeBool(v == "true")
		case notInt == nil:
			err = enc.EncodeInt(i)
		case notFloat == nil && strings.ContainsAny(v, ".e"):
			err = enc.EncodeFloat64(x)
		case v[0] == '"' && !strings.Contains(v, `\`):
			err = enc.EncodeString(strings.Trim(v, `"`))
		default:
			return e
		}
	}
	return redex.Entry{Encoding: redex.Msgpack, Payload: b.Bytes()}
}

// queryGen makes statements that are mostly right.
type queryGen struct {
	r      *rand.Rand
	tables []genTable // in scope
	plain  bool       // nothing that can fail
}

type genTable struct {
	alias string // "" where names stand alone
	names map[string][]string
}

func (g *queryGen) oneOf(list ...string) string { return list[g.r.IntN(len(list))] }

func (g *queryGen) chance(n int) bool { return g.r.IntN(n) == 0 }

// logTable has the fields of a log by what they mostly are.
func logTable(alias string) genTable {
	return genTable{alias, map[string][]string{
		"num": {"i", "i", "i", "f", "f", "m", "g", "o.x"}, "whole": {"i", "i", "m"}, "text": {"s", "s", "s", "m", "o.x"},
		"bool": {"b", "b", "m"}, "any": {"i", "f", "s", "b", "m", "m", "g", "o", "o.x", "o.y"},
	}}
}

// field is the name of a column.
func (g *queryGen) field(kind string) string {
	t := g.tables[g.r.IntN(len(g.tables))]
	name := g.oneOf(t.names[kind]...)
	if t.alias != "" {
		return t.alias + "." + name
	}
	return name
}

// seq is _seq of a log in scope, or "".
func (g *queryGen) seq() string {
	t := g.tables[g.r.IntN(len(g.tables))]
	switch {
	case len(t.names["num"]) < 3:
		return ""
	case t.alias != "":
		return t.alias + "._seq"
	}
	return "_seq"
}

func (g *queryGen) number() string {
	return g.oneOf("0", "1", "1", "2", "-1", "3", "0.5", "1.0", "-1.5", "1e2", "9223372036854775807", "9007199254740993", "9007199254740992.0", "9223372036854775808", "0.1")
}

func (g *queryGen) literal(kind string) string {
	switch {
	case kind == "text":
		return g.oneOf("'a'", "'ab'", "''", "'1'", "'é'", "'été'", "'日本'", "'B'", "'12'")
	case kind == "bool":
		return g.oneOf("TRUE", "TRUE", "FALSE")
	case kind == "num":
		return g.oneOf(g.oneOf("-1", "0", "1", "2", "0.5", "1.0", "3"), g.number())
	case g.chance(12):
		return "NULL"
	}
	return g.literal(g.oneOf("text", "bool", "num", "num"))
}

// compared is a column beside what it can be compared with, most of the time.
func (g *queryGen) compared() string {
	kind := g.oneOf("num", "num", "text", "text", "bool", "any")
	op := g.oneOf("=", "<>", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")
	with := g.literal(kind)
	if g.chance(4) {
		with = g.field(kind)
	}
	return "(" + g.field(kind) + " " + op + " " + with + ")"
}

func (g *queryGen) num(depth int) string {
	if depth <= 0 || g.chance(3) {
		if g.chance(4) {
			return g.number()
		}
		return g.field("num")
	}
	d := depth - 1
	if !g.plain {
		switch g.r.IntN(8) {
		case 0, 1:
			return "(" + g.num(d) + " " + g.oneOf("+", "-", "*") + " " + g.num(d) + ")"
		case 2:
			return "(" + g.num(d) + " / " + g.oneOf("2", "0.5", "3", g.num(d)) + ")"
		case 3:
			return "(" + g.whole(d) + " " + g.oneOf("//", "%") + " " + g.oneOf("2", "3", "-2", g.whole(d)) + ")"
		case 4:
			return g.oneOf("abs(", "-(") + g.num(d) + ")"
		case 5:
			if g.chance(3) {
				return "CAST(" + g.any(d) + " AS " + g.oneOf("BIGINT", "DOUBLE") + ")"
			}
		}
	}
	switch g.r.IntN(7) {
	case 0:
		return "TRY_CAST(" + g.any(d) + " AS " + g.oneOf("BIGINT", "DOUBLE") + ")"
	case 1:
		return "length(" + g.text(d) + ")"
	case 2:
		return g.oneOf("coalesce(", "greatest(", "least(", "nullif(") + g.num(d) + ", " + g.num(d) + ")"
	case 3:
		return "CASE WHEN " + g.cond(d) + " THEN " + g.num(d) + g.oneOf("", " ELSE "+g.num(d)) + " END"
	case 4:
		return "if(" + g.cond(d) + ", " + g.num(d) + ", " + g.num(d) + ")"
	case 5:
		if s := g.seq(); s != "" && g.chance(3) {
			return s
		}
	}
	return g.field("num")
}

// whole is an expression that is not a DOUBLE without a row.
func (g *queryGen) whole(depth int) string {
	switch g.r.IntN(5) {
	case 0:
		return "TRY_CAST(" + g.any(depth-1) + " AS BIGINT)"
	case 1:
		return "length(" + g.text(depth-1) + ")"
	case 2:
		return "coalesce(" + g.field("whole") + ", " + g.oneOf("0", "1", "7") + ")"
	}
	return g.field("whole")
}

func (g *queryGen) text(depth int) string {
	if depth <= 0 || g.chance(3) {
		return g.field("text")
	}
	d := depth - 1
	switch g.r.IntN(10) {
	case 8:
		return g.oneOf("reverse(", "md5(") + g.text(d) + ")"
	case 9:
		if !g.plain {
			return g.oneOf("left("+g.text(d)+", 2)", "replace("+g.text(d)+", 'a', 'éx')", "regexp_replace("+g.text(d)+", '[ab]+|^$', '_', 'g')")
		}
	case 0:
		return g.oneOf("lower(", "upper(") + g.text(d) + ")"
	case 1:
		if !g.plain {
			return "(" + g.text(d) + " || " + g.any(d) + ")"
		}
	case 2:
		return "CAST(" + g.any(d) + " AS TEXT)"
	case 3:
		return g.oneOf("coalesce(", "greatest(", "least(") + g.text(d) + ", " + g.oneOf("'z'", g.text(d)) + ")"
	case 4:
		return "CASE WHEN " + g.cond(d) + " THEN " + g.text(d) + " ELSE " + g.oneOf("'none'", g.text(d)) + " END"
	case 5:
		return "json_type(" + g.field("any") + ")"
	}
	return g.field("text")
}

func (g *queryGen) any(depth int) string {
	switch g.r.IntN(8) {
	case 0:
		return g.num(depth)
	case 1:
		return g.text(depth)
	case 2:
		return g.cond(depth)
	case 3:
		return "coalesce(" + g.field("any") + ", " + g.field("any") + ")"
	}
	return g.field("any")
}

// cond is a condition.
func (g *queryGen) cond(depth int) string {
	d := depth - 1
	op := g.oneOf("=", "=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")
	if depth > 0 {
		switch g.r.IntN(9) {
		case 0, 1:
			return "(" + g.cond(d) + g.oneOf(" AND ", " OR ") + g.cond(d) + ")"
		case 2:
			return "(NOT (" + g.cond(d) + "))"
		case 3:
			return "(" + g.num(d) + " " + op + " " + g.num(d) + ")"
		case 4:
			return "(" + g.text(d) + " " + op + " " + g.text(d) + ")"
		}
	}
	not := g.oneOf("", "", "NOT ")
	switch g.r.IntN(18) {
	case 0:
		return g.field("bool")
	case 1:
		return "(" + g.text(d) + " " + not + g.oneOf("LIKE ", "LIKE ", "ILIKE ") + g.oneOf("'a%'", "'%b%'", "'_'", "'%é%'", "'ab'", "'%'", "'a\\%b_c'", "'__%'", "'É%'", "'%t_'", "'a!%%' ESCAPE '!'") + ")"
	case 2:
		kind := g.oneOf("num", "text", "any")
		return "(" + g.field(kind) + " " + not + "IN (" + g.literal(kind) + ", " + g.literal(kind) + g.oneOf("", ", "+g.literal(kind), ", "+g.field("any")) + "))"
	case 3:
		return "(" + g.num(d) + " " + not + "BETWEEN " + g.num(d) + " AND " + g.number() + ")"
	case 4:
		return "(" + g.any(d) + " IS " + not + "NULL)"
	case 5:
		return "(" + g.cond(d) + " IS " + not + g.oneOf("TRUE", "FALSE", "UNKNOWN") + ")"
	case 6:
		return "TRY_CAST(" + g.any(d) + " AS BOOLEAN)"
	case 7:
		if s := g.seq(); s != "" {
			return "(" + s + " " + g.oneOf("=", "<", "<=", ">", ">=") + " <" + strconv.Itoa(g.r.IntN(60)) + ">)"
		}
	case 8:
		return "(" + g.any(d) + " " + op + " " + g.literal("any") + ")"
	case 9:
		if !g.plain {
			return "((12 // " + g.whole(d) + ") " + op + " 4)"
		}
	}
	return g.compared()
}

// where is a WHERE, often none.
func (g *queryGen) where() string {
	switch g.r.IntN(8) {
	case 0:
		return " WHERE " + g.cond(2)
	case 1:
		return " WHERE " + g.cond(1)
	case 2:
		return " WHERE " + g.compared() + " AND " + g.cond(1) + g.oneOf("", "", " AND "+g.cond(2))
	case 3:
		return " WHERE " + g.compared() + " OR " + g.cond(1)
	}
	return ""
}

func (g *queryGen) limit() string {
	switch g.r.IntN(3) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(" LIMIT %d", g.r.IntN(30))
	}
	return fmt.Sprintf(" LIMIT %d OFFSET %d", g.r.IntN(20), g.r.IntN(6))
}

func (g *queryGen) direction() string {
	return g.oneOf("", "", " DESC") + g.oneOf("", "", "", " NULLS FIRST", " NULLS LAST")
}

// orderBy sorts by some of n items; by all of them when all is set.
func (g *queryGen) orderBy(n int, all bool) string {
	at := g.r.Perm(n)
	if !all {
		at = at[:1+g.r.IntN(n)]
	}
	var keys []string
	for _, k := range at {
		keys = append(keys, g.oneOf(fmt.Sprintf("c%d", k+1), strconv.Itoa(k+1))+g.direction())
	}
	return " ORDER BY " + strings.Join(keys, ", ")
}

// items is a select list of n, the first named c1.
func (g *queryGen) items(n int) string {
	var out []string
	for k := range n {
		x := ""
		switch g.r.IntN(4) {
		case 0:
			x = g.num(2)
		case 1:
			x = g.text(2)
		case 2:
			x = g.cond(2)
		default:
			x = g.any(2)
		}
		out = append(out, fmt.Sprintf("%s AS c%d", x, k+1))
	}
	return strings.Join(out, ", ")
}

// aggregate is a call of one; ordered says that rows have an order that it may follow.
func (g *queryGen) aggregate(ordered bool) string {
	filter := ""
	if g.chance(5) {
		filter = " FILTER (WHERE " + g.cond(1) + ")"
	}
	if ordered && g.chance(6) {
		return g.oneOf("first("+g.any(1)+")", "last("+g.any(1)+")", "string_agg("+g.field("text")+", '-')", "any_value("+g.field("any")+")") + filter
	}
	number := g.oneOf(g.num(1), g.num(1), g.field("whole"), "TRY_CAST("+g.field("any")+" AS BIGINT)", "TRY_CAST("+g.field("any")+" AS DOUBLE)")
	switch g.r.IntN(9) {
	case 0:
		return "count(*)" + filter
	case 1:
		return "count(" + g.any(1) + ")" + filter
	case 2:
		return "count(DISTINCT " + g.any(1) + ")" + filter
	case 3, 4:
		return "sum(" + number + ")" + filter
	case 5:
		return "avg(" + number + ")" + filter
	case 6:
		return g.oneOf("bool_and(", "bool_or(") + g.cond(1) + ")" + filter
	}
	return g.oneOf("min(", "max(") + g.any(1) + ")" + filter
}

// grouped is a whole SELECT with groups over FROM from.
func (g *queryGen) grouped(from string, ordered bool) string {
	var keys, items []string
	for range g.r.IntN(3) {
		k := g.oneOf(g.field("any"), g.field("any"), g.num(1), g.cond(1), g.text(1))
		if !strings.ContainsAny(k, "abcdefghijklmnopqrstuvwxyz") {
			continue // a constant is no key
		}
		keys = append(keys, k)
		items = append(items, fmt.Sprintf("%s AS c%d", k, len(items)+1))
	}
	for range 1 + g.r.IntN(3) {
		items = append(items, fmt.Sprintf("%s AS c%d", g.aggregate(ordered), len(items)+1))
	}
	sql := "SELECT " + strings.Join(items, ", ") + " FROM " + from + g.where()
	for i := range keys {
		if g.chance(3) {
			keys[i] = g.oneOf(fmt.Sprintf("c%d", i+1), strconv.Itoa(i+1))
		}
	}
	if len(keys) > 0 {
		sql += " GROUP BY " + strings.Join(keys, ", ")
	}
	if g.chance(5) {
		sql += " HAVING " + g.oneOf("count(*) > 1", "count(*) >= 2 AND max("+g.field("num")+") > 0", "NOT (min("+g.field("any")+") IS NULL)", "sum("+g.field("whole")+") > 1")
	}
	switch g.r.IntN(3) {
	case 0:
		sql += g.orderBy(len(items), false)
	case 1:
		sql += g.orderBy(len(items), true) + g.limit()
	}
	return sql
}

// rows is a whole SELECT without groups over FROM from.
func (g *queryGen) rows(from string, ordered bool) string {
	n := 1 + g.r.IntN(3)
	distinct := g.oneOf("", "", "", "DISTINCT ")
	sql := "SELECT " + distinct + g.items(n) + " FROM " + from + g.where()
	switch g.r.IntN(4) {
	case 0:
		sql += g.orderBy(n, false)
		if ordered {
			sql += g.limit()
		}
	case 1:
		sql += g.orderBy(n, true) + g.limit()
	case 2:
		if distinct == "" && ordered {
			sql += " ORDER BY " + g.num(1) + " + 0" + g.direction() + ", " + g.field("any") + g.direction() + g.limit()
		}
	default:
		if ordered {
			sql += g.limit()
		}
	}
	return sql
}

// statement makes a whole one.
func (g *queryGen) statement() string {
	log := g.oneOf("a", "a", "a", "a", "a", "b", "b", "b", g.oneOf("none", "a"))
	g.tables, g.plain = []genTable{logTable("")}, g.chance(3)
	switch g.r.IntN(12) {
	case 10, 11:
		return g.windowed(log)
	case 0, 1, 2:
		return g.grouped(log, true)
	case 3, 4:
		other := g.oneOf("a", "b", "b", "b", "b", "none")
		from := log + " x " + g.oneOf("JOIN ", "LEFT JOIN ") + other + " y ON "
		x, y := logTable("x"), logTable("y")
		g.tables = []genTable{x}
		left := g.oneOf(g.field("any"), g.field("any"), g.num(1), g.text(1))
		g.tables = []genTable{y}
		right := g.oneOf(g.field("any"), g.field("any"), g.num(1))
		if g.chance(2) {
			key := g.oneOf("i", "s", "f", "m", "g", "b", "o")
			left, right = "x."+key, "y."+key
		}
		g.tables = []genTable{x, y}
		from += g.oneOf(left+" = "+right, right+" = "+left)
		if g.chance(3) {
			from += " AND " + g.cond(1)
		}
		if g.chance(3) {
			return g.grouped(from, false)
		}
		return g.rows(from, false)
	case 5:
		g.plain = true
		inner := g.rows(log, true)
		for strings.Contains(inner, " + 0") {
			inner = g.rows(log, true)
		}
		n := strings.Count(inner, " AS c")
		var names []string
		for k := range n {
			names = append(names, fmt.Sprintf("c%d", k+1))
		}
		g.tables = []genTable{{"", map[string][]string{"any": names}}}
		outer := "SELECT q." + strings.Join(names, " AS d1, q.") + " AS d9 FROM (" + inner + ") q"
		if g.chance(2) {
			outer += " WHERE q." + g.oneOf(names...) + " " + g.oneOf("IS NOT NULL", "IS NULL", "IS DISTINCT FROM 1")
		}
		if g.chance(2) {
			return outer
		}
		return "SELECT q.c1 AS c1, count(*) AS c2, min(q." + g.oneOf(names...) + ") AS c3 FROM (" + inner + ") q GROUP BY q.c1"
	case 6:
		n := 1 + g.r.IntN(3)
		sql := "SELECT " + g.items(n) + " FROM " + log + g.where()
		sql += " UNION " + g.oneOf("ALL ", "ALL ", "") + "SELECT " + g.items(n) + " FROM " + g.oneOf("a", "b", "none") + g.where()
		if g.chance(2) {
			var keys []string
			for k := range n {
				keys = append(keys, strconv.Itoa(k+1)+g.direction())
			}
			sql += " ORDER BY " + strings.Join(keys, ", ") + g.limit()
		}
		return sql
	}
	return g.rows(log, true)
}
