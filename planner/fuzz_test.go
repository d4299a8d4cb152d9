package planner

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/query"
)

// grammar makes a statement of the choices that bytes stand for.
type grammar struct {
	choices []byte
	depth   int
	tables  int
}

func (g *grammar) pick(n int) int {
	if len(g.choices) == 0 {
		return 0
	}
	c := g.choices[0]
	g.choices = g.choices[1:]
	return int(c) % n
}

func (g *grammar) of(options ...string) string { return options[g.pick(len(options))] }

func (g *grammar) column() string {
	if g.tables > 1 {
		return g.of("d.", "t.") + g.of("id", "id", "_seq", "title", "n", "zone", "done", "price")
	}
	return g.of("id", "n", "zone", "name", "at.x", "ok", "_seq", "_ts", "tags", "_payload", "at", "_kind", "_payload->>'n'")
}

func (g *grammar) expr() string {
	if g.depth++; g.depth > 6 {
		g.depth--
		return g.column()
	}
	defer func() { g.depth-- }()
	switch g.pick(21) {
	default:
		return g.column()
	case 12:
		return "(" + g.subquery(g.of("count(*)", "max(x.title)", "sum(x.id)", "sum(10 // (x.id - 2))", "x.id", "x.price")) + g.of("", " LIMIT 1", " ORDER BY x.price LIMIT 1") + ")"
	case 1:
		return g.of("1", "0", "-3", "2.5", "'eu'", "NULL", "true", "9223372036854775807", "'ten'", "1e308", "9223372036854775808")
	case 2, 3:
		return "(" + g.expr() + g.of(" + ", " - ", " * ", " / ", " // ", " % ", " || ") + g.expr() + ")"
	case 4, 5:
		return "(" + g.cond() + ")"
	case 6:
		return "CASE WHEN " + g.cond() + " THEN " + g.expr() + " ELSE " + g.expr() + " END"
	case 7:
		return g.of("CAST(", "TRY_CAST(") + g.expr() + " AS " + g.of("BIGINT", "DOUBLE", "TEXT", "BOOLEAN", "TIMESTAMPTZ", "JSON", "DATE", "BLOB", "INTERVAL") + ")"
	case 8:
		return g.of("lower", "length", "abs", "round", "typeof", "json_type", "trim", "floor", "to_json") + "(" + g.expr() + ")"
	case 9:
		return g.of("coalesce", "greatest", "least", "concat", "nullif", "json_get", "starts_with") + "(" + g.expr() + ", " + g.expr() + ")"
	case 10:
		return "substr(" + g.expr() + ", " + g.expr() + ", " + g.expr() + ")"
	case 11:
		return "(" + g.expr() + ")" + g.of("->", "->>") + g.of("'x'", "0", "-1")
	}
}

func (g *grammar) cond() string {
	if g.depth++; g.depth > 6 {
		g.depth--
		return g.column() + " IS NULL"
	}
	defer func() { g.depth-- }()
	switch g.pick(11) {
	default:
		return g.expr() + g.of(" = ", " < ", " >= ", " <> ", " > ", " <= ", " IS DISTINCT FROM ") + g.expr()
	case 2:
		return g.cond() + g.of(" AND ", " OR ") + g.cond()
	case 3:
		return "NOT (" + g.cond() + ")"
	case 4:
		return g.expr() + g.of(" IN (", " NOT IN (") + g.expr() + ", " + g.expr() + ")"
	case 5:
		return g.expr() + g.of(" LIKE ", " ILIKE ", " NOT LIKE ") + g.of("'%a%'", "'e_'", "'%'", "'\\'", "zone")
	case 6:
		return g.expr() + " BETWEEN " + g.expr() + " AND " + g.expr()
	case 7:
		return g.expr() + g.of(" IS NULL", " IS NOT NULL")
	case 9:
		return g.of("EXISTS (", "NOT EXISTS (") + g.subquery("1") + ")"
	case 10:
		return g.expr() + g.of(" IN (", " NOT IN (", " = ANY (", " < ANY (", " >= ALL (") + g.subquery(g.of("x.id", "x.price", "x.title", "x.meta")) + ")"
	case 8:
		return "(" + g.cond() + ")" + g.of(" IS TRUE", " IS NOT FALSE", " IS UNKNOWN")
	}
}

// subquery is a query over tasks that may use the rows around it.
func (g *grammar) subquery(item string) string {
	s := "SELECT " + item + " FROM tasks x"
	switch g.pick(4) {
	case 1:
		s += " WHERE x.id = " + g.column()
	case 2:
		s += " WHERE x.price < " + g.column() + " AND " + g.cond()
	case 3:
		s += " WHERE x.id = " + g.column() + " AND 6 // (x.id - 2) > " + g.expr()
	}
	return s
}

func (g *grammar) aggregate() string {
	s := g.of("count(*)", "count(DISTINCT "+g.expr()+")", g.of("sum", "avg", "min", "max", "first", "last", "count", "bool_and", "any_value")+"("+g.expr()+")", "string_agg("+g.expr()+", ',')",
		g.of("median", "stddev", "var_pop", "array_agg", "approx_count_distinct", "first", "array_agg")+"("+g.of("", "", "DISTINCT ")+g.expr()+g.of("", " ORDER BY "+g.expr()+g.of("", " DESC", " DESC NULLS FIRST"))+")",
		g.of("arg_min", "arg_max")+"("+g.expr()+", "+g.expr()+g.of("", " ORDER BY "+g.expr())+")",
		g.of("quantile_disc", "quantile_cont", "approx_quantile")+"("+g.expr()+", "+g.of("0.5", "-0.1", "[0, 0.9]")+")",
		g.of("percentile_disc", "percentile_cont")+"(0.3) WITHIN GROUP (ORDER BY "+g.expr()+g.of("", " DESC")+")")
	if g.pick(4) == 1 {
		s += " FILTER (WHERE " + g.cond() + ")"
	}
	return s
}

func (g *grammar) statement() string {
	var b strings.Builder
	if g.pick(12) == 1 {
		b.WriteString(g.of("EXPLAIN ", "EXPLAIN (FORMAT JSON) "))
	}
	from := "demo"
	g.tables = 1
	switch g.pick(8) {
	case 3:
		g.tables = 2
		from = "demo d ASOF " + g.of("JOIN", "LEFT JOIN") + " tasks t ON " + g.of("", "d.id = t.id AND ") + g.of("d.n", "d.id", "d.id // d.n") + g.of(" >= ", " > ", " <= ", " < ") + g.of("t.price", "t.id", "t.id // t.price")
	case 4:
		g.tables = 2
		cond := g.cond()
		g.tables = 1
		from = "demo d " + g.of("SEMI", "ANTI") + " JOIN tasks t ON " + g.of("d.id = t.id", cond, "d.n >= t.price AND "+cond)
	case 1:
		g.tables = 2
		from = "demo d " + g.of("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN") + " tasks t ON " + g.of("d.id = t.id", g.cond(), "d.n = t.price AND "+g.cond())
	case 2:
		from = "(SELECT * FROM demo WHERE " + g.cond() + g.of("", " ORDER BY _ts DESC LIMIT 3", " LIMIT 4") + ") s"
	}
	grouped := g.pick(3) == 1
	var keys []string
	b.WriteString("SELECT ")
	if !grouped && g.pick(3) == 1 {
		b.WriteString("DISTINCT " + g.of("", "ON ("+g.expr()+") "))
	}
	for i := range 1 + g.pick(3) {
		if i > 0 {
			b.WriteString(", ")
		}
		switch {
		case grouped && i == 0 && g.pick(2) == 1:
			keys = append(keys, g.expr())
			b.WriteString(keys[0])
		case grouped:
			b.WriteString(g.aggregate())
		default:
			b.WriteString(g.expr())
		}
	}
	b.WriteString(" FROM " + from)
	if g.pick(2) == 1 {
		b.WriteString(" WHERE " + g.cond())
	}
	if len(keys) > 0 {
		b.WriteString(" GROUP BY " + g.of("ALL", keys[0], "1"))
	}
	if grouped && g.pick(3) == 1 {
		b.WriteString(" HAVING " + g.aggregate() + " > 1")
	}
	if g.pick(2) == 1 {
		b.WriteString(" ORDER BY " + g.of("1", "_seq", "_seq DESC", "_ts DESC", g.expr()) + g.of("", " DESC", " NULLS FIRST"))
	}
	if g.pick(2) == 1 {
		b.WriteString(g.of(" LIMIT 2", " LIMIT 0", " LIMIT 3 OFFSET 1", " OFFSET 2"))
	}
	return b.String()
}

// sameAnswers runs a statement with batches of one and of all rows: equal rows, equal errors, no panic.
func sameAnswers(t *testing.T, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	run := func(size int) []string {
		rows, err := runSQL(ctx, testCatalog(), text, Options{}, RunOptions{BatchRows: size, MemoryBytes: 16 << 20})
		switch qe, isQuery := errors.AsType[*query.Error](err); {
		case err == nil:
		case ctx.Err() != nil, errors.Is(err, exec.ErrBudget):
			return []string{"over a limit"}
		case isQuery && qe.Code == "":
			t.Errorf("%s: error without code: %v", text, err)
		default:
			rows = append(rows, "error "+err.Error())
		}
		return rows
	}
	one, all := run(1), run(2048)
	limited := func(rows []string) bool { return len(rows) == 1 && rows[0] == "over a limit" }
	if !slices.Equal(one, all) && !limited(one) && !limited(all) {
		t.Errorf("%s\nbatches of one row, of 2,048: %s", text, cmp.Diff(one, all))
	}
}

// FuzzGrammar runs statements that mostly bind.
func FuzzGrammar(f *testing.F) {
	for i := range 64 {
		seed := make([]byte, 48)
		for k := range seed {
			seed[k] = byte(i*131 + k*k*7 + k*i*3)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		if len(choices) > 400 {
			return
		}
		g := grammar{choices: choices}
		sameAnswers(t, g.statement())
	})
}

// FuzzSQL runs any text.
func FuzzSQL(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for part := range strings.SplitSeq(string(text), "\n\n") {
			stmt, _, _ := strings.Cut(part, "\n----")
			f.Add(stmt)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2000 || strings.Contains(strings.ToUpper(text), "ANALYZE") {
			return // times differ
		}
		sameAnswers(t, text)
	})
}
