package query_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/query/sql"
)

// TestBuild compares what is built with what the parser makes of the same query.
func TestBuild(t *testing.T) {
	inner := query.Select("id").From("vip").Where(query.Col("since").Lt(time.Unix(0, 0)))
	vip, err := inner.Build()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		b    *query.Builder
		want string
	}{
		{query.Select().From("orders"), "SELECT * FROM orders"},
		{
			query.Select("status", query.Count().As("n"), query.Fn("sum", query.Col("total")).As("select")).
				From("orders").
				Where(query.Col("total").Gt(10)).Where(query.Col("meta", "zone").Eq("eu")).
				GroupBy("status").Having(query.Count().Ge(2)).
				OrderBy(query.Count().Desc().NullsFirst(), "status").Limit(10).Offset(5),
			"SELECT status, count(*) AS n, sum(total) AS \"select\" FROM orders WHERE total > 10 AND meta.zone = 'eu' GROUP BY status " +
				"HAVING count(*) >= 2 ORDER BY count(*) DESC NULLS FIRST, status LIMIT 10 OFFSET 5",
		},
		{
			query.Select(query.All("o"), query.Col("c", "name")).From(query.Table("app/log").As("o")).
				LeftJoin(query.Table("folds", "customers").As("c"), query.Col("o", "customer").Eq(query.Col("c", "id"))).
				Join(query.Logs("x/**").As("l"), query.Col("l", "id").Same(query.Col("o", "id"))),
			`SELECT o.*, c.name FROM "app/log" AS o LEFT JOIN folds.customers AS c ON o.customer = c.id JOIN logs('x/**') AS l ON l.id IS NOT DISTINCT FROM o.id`,
		},
		{
			query.Select(query.Col("a").Add(1).Mul(query.Col("b").Sub(-2)), query.Col("a").Div(2).Concat("x"), query.Col("a").IntDiv(2).Mod(3)).
				From(query.Sub(query.Select("a", "b").From("t")).As("s")).Distinct(),
			"SELECT DISTINCT (a + 1) * (b - -2), a / 2 || 'x', a // 2 % 3 FROM (SELECT a, b FROM t) AS s",
		},
		{
			query.Select(query.Col("p").Get("a").GetText(0).TryCast(query.TypeBigint), query.Arg(2), query.Named("x"), query.Lit(nil), query.Lit(true), query.Lit(uint64(1<<63))).
				From("t").Where(query.Col("a").In(1, 2.5, "x").Or(query.Col("b").In(vip)).And(query.Col("c").Like("x%").Not()).
				And(query.Col("d").Between(1, 2)).And(query.Col("e").IsNull().Or(query.Col("f").IsNotNull()))),
			"SELECT TRY_CAST(p->'a'->>0 AS BIGINT), $2, :x, NULL, TRUE, 9223372036854775808 FROM t WHERE (a IN (1, 2.5, 'x') OR " +
				"b IN (SELECT id FROM vip WHERE since < TIMESTAMPTZ '1970-01-01T00:00:00.000000000Z')) AND NOT c LIKE 'x%' AND d BETWEEN 1 AND 2 AND (e IS NULL OR f IS NOT NULL)",
		},
		{
			query.Select(query.Fn("count", query.Col("a")).Distinct().Filter(query.Col("b").Ne(90 * time.Minute))).From("t").AsOfSeq(9),
			"SELECT count(DISTINCT a) FILTER (WHERE b <> INTERVAL '01:30:00') FROM t AS OF SEQ 9",
		},
		{query.Select(query.Fn("left", query.Col("left"), 2)).From("t").Where(query.Col("a").In()), `SELECT left("left", 2) FROM t WHERE FALSE`},
	}
	for _, tt := range tests {
		q, err := tt.b.Build()
		if err != nil {
			t.Errorf("%s: %v", tt.want, err)
			continue
		}
		want, err := sql.Parse(tt.want, sql.Options{})
		if err != nil {
			t.Errorf("%s: %v", tt.want, err)
			continue
		}
		if !query.SameTree(q, want) {
			t.Errorf("built  %s\nparsed %s", q, want)
		}
	}
}

func TestBuildErrors(t *testing.T) {
	tests := map[string]*query.Builder{
		"a channel":         query.Select(query.Col("a").Eq(make(chan int))).From("t"),
		"no name":           query.Select(query.Col()).From("t"),
		"an empty name":     query.Select("").From("t"),
		"a table":           query.Select("a").From(7),
		"an empty table":    query.Select("a").From(query.T{}),
		"an empty E":        query.Select("a").From("t").Where(query.E{}),
		"a join first":      query.Select("a").Join("u", query.Lit(true)),
		"a parameter":       query.Select(query.Arg(0)),
		"a named one":       query.Select(query.Named("a b")),
		"a negative limit":  query.Select("a").Limit(-1),
		"a cast to nothing": query.Select(query.Col("a").Cast(query.TypeNone)),
		"no aggregate":      query.Select(query.Col("a").Distinct()),
		"bytes as text":     query.Select(query.Lit("\xff")),
		"a far time":        query.Select(query.Lit(time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC))),
		"a bad subquery":    query.Select("a").From(query.Sub(query.Select("")).As("s")),
		"a bad node":        query.Select(&query.Name{}),
	}
	for name, b := range tests {
		if q, err := b.Build(); !errors.Is(err, query.ErrBuild) {
			t.Errorf("%s: %v, %v", name, q, err)
		}
	}
}

func TestInsertBuilder(t *testing.T) {
	s, err := query.InsertInto("app/log", "id", "_kind").Values(1, 2).Values("x", nil).Build()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.String(), `INSERT INTO "app/log" (id, _kind) VALUES (1, 2), ('x', NULL)`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for name, b := range map[string]*query.InsertBuilder{
		"nothing":  query.InsertInto("t", "a"),
		"too few":  query.InsertInto("t", "a", "b").Values(1),
		"uneven":   query.InsertInto("t").Values(1).Values(1, 2),
		"no log":   query.InsertInto("", "a").Values(1),
		"a func":   query.InsertInto("t", "a").Values(func() {}),
		"no value": query.InsertInto("t").Values(),
	} {
		if s, err := b.Build(); !errors.Is(err, query.ErrBuild) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}

func ExampleSelect() {
	q, err := query.Select("repo", query.Count().As("n")).
		From("changes").
		Where(query.Col("ext").Eq("go")).
		GroupBy("repo").
		OrderBy(query.Count().Desc()).
		Limit(10).
		Build()
	if err != nil {
		panic(err)
	}
	fmt.Println(q)
	// Output: SELECT repo, count(*) AS n FROM changes WHERE ext = 'go' GROUP BY repo ORDER BY count(*) DESC LIMIT 10
}

// ExampleTransform renames a column everywhere.
func ExampleTransform() {
	stmt, err := sql.Parse("SELECT a, sum(b) FROM t WHERE a > 1 GROUP BY a", sql.Options{})
	if err != nil {
		panic(err)
	}
	renamed := query.Transform(stmt, func(n query.Node) query.Node {
		if name, ok := n.(*query.Name); ok && name.Parts[0].Name == "a" {
			name.Parts[0].Name = "customer"
		}
		return n
	})
	fmt.Println(renamed)
	fmt.Println(stmt)
	// Output:
	// SELECT customer, sum(b) FROM t WHERE customer > 1 GROUP BY customer
	// SELECT a, sum(b) FROM t WHERE a > 1 GROUP BY a
}

// TestWalk asserts that a false visit keeps out what lies below.
func TestWalk(t *testing.T) {
	stmt, err := sql.Parse("SELECT a FROM t WHERE b IN (SELECT c FROM u) AND d = 1", sql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	query.Walk(stmt, func(n query.Node) bool {
		if n, ok := n.(*query.Name); ok {
			names = append(names, n.String())
		}
		_, in := n.(*query.In)
		return !in
	})
	if got := strings.Join(names, " "); got != "a d" {
		t.Errorf("visited %s", got)
	}
}
