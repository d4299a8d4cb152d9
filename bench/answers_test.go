package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

var (
	answersSeed    = flag.Uint64("answersseed", 1, "seed of TestAnswersOfSQLite; 0 takes one from the clock")
	answersQueries = flag.Int("answersqueries", 400, "statements of TestAnswersOfSQLite")
)

// TestAnswersOfSQLite asks random statements of the same rows in SQLite, of the part of SQL in which both mean the same: one type
// in a column, text by bytes, integers far from overflow, fractions that DOUBLE holds exactly, no division by zero, NULLs placed
// by the text, and an order whenever rows are cut off.
func TestAnswersOfSQLite(t *testing.T) {
	seed := *answersSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-answersseed=%d", seed)
	const perRows = 200
	rowsSeen := 0
	for round := range (*answersQueries + perRows - 1) / perRows {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		lite, db := fillBoth(t, r)
		for n := range min(perRows, *answersQueries-round*perRows) {
			if n == perRows/2 {
				if err := db.Store().Seal(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			text, ordered := (&bothGen{r: r}).statement()
			want, err := liteRows(t.Context(), lite, text)
			if err != nil {
				t.Fatalf("round %d, statement %d: %s\nSQLite: %v", round, n, text, err)
			}
			got, err := netdbRows(t.Context(), db, text)
			if !ordered {
				slices.Sort(want)
				slices.Sort(got)
			}
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("round %d, statement %d: %s\n%v\n%s\nSQLite\n%s", round, n, text, err, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			rowsSeen += len(want)
		}
	}
	if rowsSeen < *answersQueries {
		t.Errorf("%d rows in all: the answers say little", rowsSeen)
	}
}

// fillBoth makes the tables a and b in both.
func fillBoth(t *testing.T, r *rand.Rand) (*sql.DB, *netdb.DB) {
	t.Helper()
	dir := t.TempDir()
	lite, err := sql.Open("sqlite", filepath.Join(dir, "lite"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lite.Close() })
	lite.SetMaxOpenConns(1) // the pragma is of a connection
	exec := func(text string, args ...any) {
		t.Helper()
		if _, err := lite.Exec(text, args...); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	exec("PRAGMA case_sensitive_like = ON")
	exec("PRAGMA synchronous = OFF")
	db, err := netdb.Open(t.Context(), filepath.Join(dir, "netdb"), netdb.Options{Store: redex.Options{
		Sync: redex.SyncPolicy{Mode: redex.SyncNever}, RunEvents: 16,
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, name := range []string{"a", "b"} {
		exec("CREATE TABLE " + name + " (k, i, f, s)") // without types: values keep theirs
		log, err := db.OpenLog(t.Context(), name, redex.LogOptions{Fields: [][]string{{"k"}, {"i"}, {"f"}, {"s"}}})
		if err != nil {
			t.Fatal(err)
		}
		for k := range 5 + r.IntN(60) {
			row := map[string]any{"k": k}
			if r.IntN(6) > 0 {
				row["i"] = r.IntN(9) - 3
			}
			if r.IntN(6) > 0 {
				row["f"] = float64(r.IntN(17)-6)/4 + 0.125
			}
			if r.IntN(6) > 0 {
				row["s"] = []string{"", "a", "ab", "B", "b%", "é", "日本", "zz", "12", "a_b"}[r.IntN(10)]
			}
			exec("INSERT INTO "+name+" VALUES (?, ?, ?, ?)", row["k"], row["i"], row["f"], row["s"])
			if _, err := log.Append(t.Context(), netdb.MustJSON(row), redex.AppendOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return lite, db
}

// cell is a value in one form for both: SQLite has numbers for booleans, and both may keep 1 or 1.0 of two that are equal.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case bool:
		if v {
			return "1"
		}
		return "0"
	case int64:
		return fmt.Sprint(v)
	case float64:
		if v == 0 {
			v = 0 // not -0
		}
		return fmt.Sprintf("%.13g", v) // means are rounded in different ways
	case []byte:
		return "'" + string(v) + "'"
	}
	return fmt.Sprintf("'%v'", v)
}

func liteRows(ctx context.Context, lite *sql.DB, text string) (out []string, err error) {
	rows, err := lite.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		values, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			to[i] = &values[i]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		var cells []string
		for _, v := range values {
			cells = append(cells, cell(v))
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out, rows.Err()
}

func netdbRows(ctx context.Context, db *netdb.DB, text string) (out []string, err error) {
	rows, err := db.Query(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var cells []string
		for _, v := range rows.Values() {
			var x any
			switch v.Kind() {
			case query.KindNull:
			case query.KindBool:
				x = v.Bool()
			case query.KindInt:
				x = v.Int()
			case query.KindDouble:
				x = v.Double()
			default:
				x = v.String()
			}
			cells = append(cells, cell(x))
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out, rows.Err()
}

// bothGen makes statements that mean the same in both.
type bothGen struct {
	r      *rand.Rand
	tables []string // aliases in scope; "" where names stand alone
}

func (g *bothGen) oneOf(list ...string) string { return list[g.r.IntN(len(list))] }

func (g *bothGen) column(name string) string {
	if t := g.oneOf(g.tables...); t != "" {
		return t + "." + name
	}
	return name
}

func (g *bothGen) num(d int) string {
	if d > 0 {
		switch g.r.IntN(9) {
		case 0:
			return "(" + g.num(d-1) + g.oneOf(" + ", " - ", " * ") + g.num(d-1) + ")"
		case 1:
			return "(" + g.num(d-1) + " / " + g.oneOf("2.0", "-4.0") + ")"
		case 2:
			return "(" + g.column("i") + " % " + g.oneOf("2", "3") + ")"
		case 3:
			return "CASE WHEN " + g.cond(d-1) + " THEN " + g.num(d-1) + g.oneOf("", " ELSE "+g.num(d-1)) + " END"
		case 4:
			return g.oneOf("coalesce(", "nullif(") + g.num(d-1) + ", " + g.num(d-1) + ")"
		case 5:
			return "length(" + g.text(d-1) + ")"
		case 6:
			return "abs(" + g.num(d-1) + ")"
		}
	}
	return g.oneOf(g.column("i"), g.column("i"), g.column("f"), g.column("f"), g.column("k"), "1", "2", "0.25", "-3")
}

func (g *bothGen) text(d int) string {
	if d > 0 {
		switch g.r.IntN(6) {
		case 0:
			return "(" + g.text(d-1) + " || " + g.oneOf(g.text(d-1), g.column("i")) + ")"
		case 1:
			return "coalesce(" + g.text(d-1) + ", 'none')"
		case 2:
			return "CASE WHEN " + g.cond(d-1) + " THEN " + g.text(d-1) + " ELSE 'other' END"
		case 3:
			return "substr(" + g.text(d-1) + ", " + g.oneOf("1", "2") + ", 2)"
		case 4:
			return "CAST(" + g.column("i") + " AS TEXT)"
		}
	}
	return g.column("s")
}

func (g *bothGen) cond(d int) string {
	op := g.oneOf(" = ", " <> ", " < ", " <= ", " > ", " >= ", " IS DISTINCT FROM ", " IS NOT DISTINCT FROM ")
	if d > 0 {
		switch g.r.IntN(5) {
		case 0:
			return "(" + g.cond(d-1) + g.oneOf(" AND ", " OR ") + g.cond(d-1) + ")"
		case 1:
			return "(NOT " + g.cond(d-1) + ")"
		}
	}
	not := g.oneOf("", "NOT ")
	switch g.r.IntN(7) {
	case 0:
		return "(" + g.text(d-1) + op + g.oneOf("'a'", "'ab'", "'é'", "''", g.column("s")) + ")"
	case 1:
		return "(" + g.text(d-1) + " " + not + "LIKE " + g.oneOf("'a%'", "'%b%'", "'_'", "'%é%'", "'__'", "'B'") + ")"
	case 2:
		return "(" + g.num(d-1) + " " + not + "IN (1, 0.375, -2" + g.oneOf("", ", NULL", ", "+g.column("k")) + "))"
	case 3:
		return "(" + g.column("s") + " " + not + "IN ('a', 'zz', ''))"
	case 4:
		return "(" + g.num(d-1) + " " + not + "BETWEEN -1 AND " + g.num(d-1) + ")"
	case 5:
		return "(" + g.oneOf(g.num(d-1), g.text(d-1)) + " IS " + not + "NULL)"
	}
	return "(" + g.num(d-1) + op + g.num(d-1) + ")"
}

func (g *bothGen) where() string { return g.oneOf("", " WHERE "+g.cond(1), " WHERE "+g.cond(2)) }

// order sorts by all of n items, so that which rows are cut off is not open.
func (g *bothGen) order(n int) string {
	var keys []string
	for _, k := range g.r.Perm(n) {
		keys = append(keys, fmt.Sprintf("%d%s NULLS %s", k+1, g.oneOf("", " DESC"), g.oneOf("FIRST", "LAST")))
	}
	return " ORDER BY " + strings.Join(keys, ", ") + g.oneOf("", " LIMIT 5", " LIMIT 7 OFFSET 2")
}

func (g *bothGen) item() string { return g.oneOf(g.num(2), g.num(1), g.text(2), g.cond(2)) }

func (g *bothGen) aggregate() string {
	x := g.oneOf(
		"count(*)", "count("+g.item()+")", "count(DISTINCT "+g.oneOf(g.num(1), g.text(1))+")", "sum("+g.num(1)+")", "avg("+g.num(1)+")",
		"min("+g.oneOf(g.num(1), g.text(1))+")", "max("+g.oneOf(g.num(1), g.text(1))+")",
	)
	if g.r.IntN(5) == 0 {
		x += " FILTER (WHERE " + g.cond(1) + ")"
	}
	return x
}

// statement makes one, and says whether its rows have an order.
func (g *bothGen) statement() (text string, ordered bool) {
	g.tables = []string{""}
	from := g.oneOf("a", "b")
	if g.r.IntN(3) == 0 {
		g.tables = []string{"x", "y"}
		key := g.oneOf("i", "f", "s", "k")
		from = g.oneOf("a", "b") + " x " + g.oneOf("JOIN ", "LEFT JOIN ") + g.oneOf("a", "b") + " y ON x." + key + " = y." + key + g.oneOf("", " AND "+g.cond(1))
	}
	n := 1 + g.r.IntN(3)
	items := make([]string, n)
	for i := range items {
		items[i] = g.item()
	}
	switch g.r.IntN(4) {
	case 0: // groups
		keys := make([]string, 0, n)
		for i := range items {
			keys = append(keys, fmt.Sprint(i+1))
		}
		items = append(items, g.aggregate(), g.aggregate())
		text = "SELECT " + strings.Join(items, ", ") + " FROM " + from + g.where() + " GROUP BY " + strings.Join(keys, ", ")
		text += g.oneOf("", " HAVING count(*) > 1", " HAVING max("+g.column("k")+") > 3")
		n += 2
	case 1: // one group
		items = []string{g.aggregate(), g.aggregate(), g.aggregate()}
		return "SELECT " + strings.Join(items, ", ") + " FROM " + from + g.where(), false
	case 2:
		text = "SELECT " + g.oneOf("", "DISTINCT ") + strings.Join(items, ", ") + " FROM " + from + g.where()
	default:
		kinds := []func(int) string{g.num, g.text, g.cond}
		var l, r []string
		for range n {
			kind := kinds[g.r.IntN(3)]
			l, r = append(l, kind(1)), append(r, kind(1))
		}
		text = "SELECT " + strings.Join(l, ", ") + " FROM " + from + g.where() + " UNION " + g.oneOf("ALL ", "")
		text += "SELECT " + strings.Join(r, ", ") + " FROM " + from + g.where()
	}
	if g.r.IntN(2) == 0 {
		return text + g.order(n), true
	}
	return text, false
}
