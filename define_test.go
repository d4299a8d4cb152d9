package netdb_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

// run1 runs a statement that must succeed.
func run1(t *testing.T, db *netdb.DB, statement string) string {
	t.Helper()
	c := queryCase{sql: statement}
	got, err := c.run(t.Context(), db, dataState{}, netdb.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return got
}

func appendJSON(t *testing.T, db *netdb.DB, log string, payloads ...string) {
	t.Helper()
	l, err := db.OpenLog(t.Context(), log, redex.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range payloads {
		if _, err := l.Append(t.Context(), redex.Entry{Encoding: redex.JSON, Payload: []byte(p)}, redex.AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

func openDir(t *testing.T, dir string, o netdb.Options) *netdb.DB {
	t.Helper()
	db, err := netdb.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// TestViewKeepsItsColumns makes a view, has the log get more fields, and another table its name. The view is the same after the
// database was opened again, for reading only, and in a restored snapshot that was not asked for the schema's log.
func TestViewKeepsItsColumns(t *testing.T) {
	dir, restored := t.TempDir(), t.TempDir()
	db := openDir(t, dir, netdb.Options{})
	appendJSON(t, db, "orders", `{"id":1,"cents":5,"_seq":"own"}`)
	run1(t, db, `CREATE VIEW v (seq, id, cents, own) AS SELECT * EXCLUDE (_ts) FROM orders`)
	run1(t, db, `CREATE VIEW total (n, sum) AS SELECT count(*), sum(cents) FROM v`)
	run1(t, db, `CREATE INDEX by_id ON orders (id)`)
	appendJSON(t, db, "orders", `{"id":2,"cents":7,"later":true}`)
	appendJSON(t, db, "v", `{"log":1}`)
	check := func(db *netdb.DB, orders bool) {
		t.Helper()
		if orders {
			if got, want := run1(t, db, `SELECT * FROM views.v`), "seq\tid\tcents\town\n0\t1\t5\town\n1\t2\t7\tNULL"; got != want {
				t.Errorf("v: %s", got)
			}
			if got := run1(t, db, `SELECT * FROM total`); got != "n\tsum\n2\t12" {
				t.Errorf("total: %s", got)
			}
		}
		if got := run1(t, db, `SHOW VIEWS`); got != "name\tkind\ntotal\tview\nv\tview" {
			t.Errorf("SHOW VIEWS: %s", got)
		}
		if got := run1(t, db, `SELECT name, log, path FROM netdb.indexes`); got != "name\tlog\tpath\nby_id\torders\tid" {
			t.Errorf("netdb.indexes: %s", got)
		}
		const text = `CREATE VIEW v (seq, id, cents, own) AS SELECT orders._seq, orders.id, orders.cents, orders._payload._seq FROM logs.orders`
		if got := run1(t, db, `SHOW CREATE VIEW v`); got != "name\tstatement\nv\t"+text {
			t.Errorf("SHOW CREATE VIEW: %s", got)
		}
		if _, err := db.Query(t.Context(), `SELECT * FROM v`); err == nil || !strings.Contains(err.Error(), `views.v or logs."v"`) {
			t.Errorf("an ambiguous name: %v", err)
		}
	}
	check(db, true)
	var snapshot bytes.Buffer
	if _, err := db.Snapshot(t.Context(), &snapshot, netdb.SnapshotOptions{Logs: []string{"v"}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openDir(t, dir, netdb.Options{})
	check(db, true)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = openDir(t, dir, netdb.Options{Store: redex.Options{ReadOnly: true}})
	check(db, true)
	for _, s := range []string{`CREATE VIEW w AS SELECT 1 AS x`, `DROP VIEW v`, `DROP INDEX by_id`, `CREATE INDEX ON orders (cents)`, `DROP VIEW IF EXISTS nosuch`} {
		if _, err := db.Query(t.Context(), s); !errors.Is(err, redex.ErrReadOnly) {
			t.Errorf("%s: %v", s, err)
		}
	}
	db, err := netdb.Restore(t.Context(), filepath.Join(restored, "db"), &snapshot, netdb.RestoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	check(db, false)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDefinitionErrors(t *testing.T) {
	db := openDir(t, t.TempDir(), netdb.Options{})
	appendJSON(t, db, "orders", `{"id":1,"cents":5}`)
	for _, s := range []string{`CREATE VIEW a AS SELECT id FROM orders`, `CREATE VIEW b AS SELECT id FROM a`, `CREATE VIEW c AS SELECT id FROM b`} {
		run1(t, db, s)
	}
	for _, c := range []struct {
		sql, text string
		is        error
	}{
		{`CREATE VIEW a AS SELECT 1`, "there is a view of that name", netdb.ErrViewExists},
		{`CREATE OR REPLACE VIEW a AS SELECT id FROM c`, `view "c": view "b": view "a" reads itself`, nil},
		{`CREATE OR REPLACE VIEW a AS SELECT id FROM a`, `view "a" reads itself`, nil},
		{`CREATE VIEW d AS SELECT $1`, "a view has no parameters", nil},
		{`CREATE VIEW d AS SELECT id FROM orders AS OF SEQ 1`, "AS OF holds for a whole statement", nil},
		{`CREATE VIEW d AS SELECT * FROM (SELECT id, id FROM orders)`, `column "id" is ambiguous`, nil},
		{`CREATE VIEW d (x, y) AS SELECT id FROM orders`, "has 1 columns, not 2", nil},
		{`CREATE VIEW d AS SELECT nosuch FROM orders`, "no column nosuch", nil},
		{`CREATE VIEW d AS SELECT * FROM orders a NATURAL JOIN orders b`, "NATURAL JOIN in a view", nil},
		{`CREATE VIEW x.d AS SELECT 1`, "a name like x.d cannot be given", nil},
		{`DROP VIEW d`, "there is no view of that name", netdb.ErrNoView},
		{`DROP INDEX d`, "there is no index of that name", netdb.ErrNoIndex},
		{`SHOW CREATE VIEW d`, `no view "d"`, nil},
		{`CREATE INDEX i ON orders (nosuch)`, "no column nosuch", nil},
		{`CREATE INDEX i ON orders (_seq)`, "_seq is no field", nil},
		{`CREATE INDEX i ON a (id)`, "a is no log", nil},
		{`EXPLAIN CREATE VIEW d AS SELECT 1`, "is not supported", nil},
		{fmt.Sprintf(`CREATE VIEW "%s" AS SELECT 1`, strings.Repeat("x", 256)), "a name of 256 bytes", netdb.ErrDefinition},
		{fmt.Sprintf(`CREATE VIEW d AS SELECT '%s' AS x`, strings.Repeat("x", netdb.MaxViewBytes)), "when `*` is written out", netdb.ErrDefinition},
	} {
		_, err := db.Query(t.Context(), c.sql)
		if err == nil || !strings.Contains(err.Error(), c.text) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%.80s: %v", c.sql, err)
		}
	}
	for _, s := range []string{
		`CREATE VIEW IF NOT EXISTS a AS SELECT 1`, `DROP VIEW IF EXISTS nosuch`, `DROP INDEX IF EXISTS nosuch`, `CREATE OR REPLACE VIEW views.a AS SELECT 3 AS id`,
	} {
		if got := run1(t, db, s); got != "" {
			t.Errorf("%s: %s", s, got)
		}
	}
	if got := run1(t, db, `SELECT * FROM c`); got != "id\n3" {
		t.Errorf("a view over a view that was made anew: %s", got)
	}
	tx, err := db.Begin(t.Context(), netdb.TxOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `CREATE VIEW d AS SELECT 1 AS x`); err == nil || !strings.Contains(err.Error(), "a transaction cannot define anything") {
		t.Errorf("in a transaction: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	if _, err := db.Query(t.Context(), `INSERT INTO views.a (id) VALUES (1)`); err == nil {
		t.Error("a view takes an INSERT")
	}
	if err := db.DeleteLog(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	run1(t, db, `CREATE VIEW gone AS SELECT 1 AS x`)
	run1(t, db, `CREATE OR REPLACE VIEW b AS SELECT * FROM gone`)
	run1(t, db, `DROP VIEW gone`)
	_, err = db.Query(t.Context(), `SELECT * FROM c`)
	var qe *query.Error
	if !errors.As(err, &qe) || qe.Code != query.CodeUnknownTable || qe.Pos != 14 || !strings.HasPrefix(qe.Msg, `view "c": view "b": no table "views.gone"`) {
		t.Errorf("a view of a view that is gone: %v", err)
	}
}

// TestSchemaSpecification compares the constants of docs/format/schema.md with those of the code.
func TestSchemaSpecification(t *testing.T) {
	text := string(must(os.ReadFile("docs/format/schema.md")))
	for _, want := range []string{
		fmt.Sprintf("the log `%s`", netdb.SchemaLog), fmt.Sprintf("| views | %d |", netdb.MaxViews), fmt.Sprintf("| indexes | %d |", netdb.MaxIndexes),
		fmt.Sprintf("| bytes of a view's query | %d |", netdb.MaxViewBytes), "| version of a definition | 1 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("docs/format/schema.md does not say %q", want)
		}
	}
	db := openDir(t, t.TempDir(), netdb.Options{})
	appendJSON(t, db, "log", `{"a":{"b":1}}`)
	run1(t, db, `CREATE VIEW "a view" AS SELECT * EXCLUDE (_seq, _ts) FROM log`)
	run1(t, db, `CREATE INDEX ON log (a.b)`)
	run1(t, db, `DROP VIEW "a view"`)
	var got []string
	log := must(db.Log(netdb.SchemaLog))
	for ev, err := range log.Scan(t.Context(), 0, log.Bounds().Next) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %v %s", ev.Key, ev.Tombstone, ev.Payload))
	}
	want := []string{
		`view/a view false {"version":1,"columns":["a"],"query":"SELECT log.a FROM logs.log"}`,
		`index/log_a_b false {"version":1,"log":"log","path":["a","b"]}`, `view/a view true {}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestViewsNameTables: a view means the table it was made of, also inside functions in FROM, when a view of that name is made later.
func TestViewsNameTables(t *testing.T) {
	db := openDir(t, t.TempDir(), netdb.Options{})
	appendJSON(t, db, "a/b", `{"n":1}`, `{"n":11}`, `{"n":12}`)
	appendJSON(t, db, "order", `{"n":5}`)
	texts := map[string]string{
		`SELECT window_start, count(*) AS c FROM tumble("a/b", n, 10) GROUP BY window_start ORDER BY 1`: "window_start\tc\n0\t1\n10\t2",
		`SELECT count(*) AS c FROM hop(data => TABLE("a/b"), timecol => n, slide => 5, size => 10)`:     "c\n6",
		`SELECT count(*) AS c FROM session(tumble("a/b", n, 10), n, 5)`:                                 "c\n3",
		`SELECT depth FROM lineage("a/b", 2, parents => 'cause')`:                                       "depth\n0",
		`SELECT n FROM tumble((SELECT n FROM "order"), n, 10)`:                                          "n\n5",
	}
	i := 0
	for text, want := range texts {
		i++
		run1(t, db, fmt.Sprintf(`CREATE VIEW v%d AS %s`, i, text))
		if got := run1(t, db, fmt.Sprintf(`SELECT * FROM v%d`, i)); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
	run1(t, db, `CREATE VIEW "a/b" AS SELECT 100 AS n, 'x' AS cause`)
	run1(t, db, `CREATE VIEW "order" AS SELECT 100 AS n`)
	for i := range len(texts) {
		text := run1(t, db, fmt.Sprintf(`SELECT query FROM netdb.views WHERE name = 'v%d'`, i+1))
		if got := run1(t, db, fmt.Sprintf(`SELECT * FROM v%d`, i+1)); !slices.Contains(slices.Collect(maps.Values(texts)), got) {
			t.Errorf("%s: %s", text, got)
		}
	}
}
