package netdb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/internal/simdisk"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

// long is a text beyond what an index keeps of a key.
var long = strings.Repeat("lang ", 80)

// indexedValues are values of a field, and indexedTests predicates on it that an index is used for.
func indexedValues() []string {
	return []string{
		`1`, `1.0`, `"1"`, `true`, `false`, `null`, `"a"`, `"ab"`, `"abc"`, `"b"`, `""`, `"a\u0000b"`, `"a\u0000"`, `"é"`, `-0.0`, `0`, `-1`,
		`9007199254740993`, `9007199254740992.0`, `9223372036854775808`, `9.223372036854775808e18`, `123456789012345678901234567890`, `1e300`,
		`[1]`, `{"a":1}`, `"` + long + `"`, `"` + long + `x"`, `"` + long + `y"`, `"` + long[:256] + `"`, `"100%"`, `"100_"`,
	}
}

func indexedTests() []string {
	tests := []string{
		`v = 1`, `1.0 = v`, `v = '1'`, `v = true`, `v = false`, `v = ''`, `v = 0`, `v = 'a'`, `v = X'00'`, `v = 9007199254740993`, `v = 9007199254740992`,
		`v = 9223372036854775808`, `v = 123456789012345678901234567890`, `v = 1e300`, `v = 'nosuch'`, `v = 12.5`,
		`v IN (1, 'a', true, NULL)`, `v IN ('abc', 'b', 'abc')`, `v LIKE 'a%'`, `v LIKE 'ab%c'`, `v LIKE 'a_c'`, `v LIKE 'abc'`, `starts_with(v, 'a')`, `v LIKE '100\%'`,
		`v LIKE '100^_' ESCAPE '^'`, `v LIKE '%'`, `v LIKE 'é%'`, `starts_with(v, '')`, `v = 'a' AND n > 40`, `v IN (1, 2) AND w = 1`, `w = 3 AND v = 1`,
		`v = TIMESTAMP '2024-01-01'`, `v = DATE '2024-01-01'`, `v = 'a' OR v = 1`, `v LIKE 'A%'`, `v ILIKE 'A%'`, `v <> 1`, `v = 1 AND v = '1'`,
	}
	for _, t := range []string{long, long + "x", long[:256], long[:300]} {
		tests = append(tests, fmt.Sprintf(`v = '%s'`, t), fmt.Sprintf(`starts_with(v, '%s')`, t))
	}
	return tests
}

// sameWithIndex holds the answers of queries that may use an index against those of queries that cannot.
func sameWithIndex(t *testing.T, db *netdb.DB, log, asOf, when string) {
	t.Helper()
	for _, test := range indexedTests() {
		for _, q := range []string{`SELECT n, v FROM %[1]s WHERE %[2]s%[3]s`, `SELECT _seq FROM %[1]s WHERE %[2]s ORDER BY _seq DESC LIMIT 3%[3]s`, `SELECT count(*) AS c, max(n) AS m FROM %[1]s WHERE %[2]s%[3]s`} {
			with := run1(t, db, fmt.Sprintf(q, log, test, asOf))
			without := run1(t, db, fmt.Sprintf(q, log, `CASE WHEN `+test+` THEN true END`, asOf))
			if with != without {
				t.Errorf("%s: %s: %s", when, fmt.Sprintf(q, log, test, asOf), cmp.Diff(without, with))
			}
		}
	}
}

// TestIndexAnswers asks what an index is used for, while the index is behind, up to date, and after retention, redaction and sealing
// took what it has.
func TestIndexAnswers(t *testing.T) {
	db := openDir(t, t.TempDir(), netdb.Options{Store: redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}, RunEvents: 64, MaintainRate: -1}})
	ctx, values, n := t.Context(), indexedValues(), 0
	more := func(count int) {
		var list []string
		for range count {
			v := `"other"`
			if n%9 == 0 {
				v = values[n/9%len(values)]
			}
			list = append(list, fmt.Sprintf(`{"n":%d,"w":%d,"v":%s}`, n, n%5, v))
			n++
		}
		appendJSON(t, db, "log", list...)
	}
	more(600)
	run1(t, db, `CREATE INDEX ON log (v)`)
	run1(t, db, `CREATE INDEX "by w" ON log (w)`)
	sameWithIndex(t, db, "log", "", "at once")
	if err := db.CatchUpIndexes(ctx); err != nil {
		t.Fatal(err)
	}
	sameWithIndex(t, db, "log", "", "up to date")
	sameWithIndex(t, db, "log", " AS OF SEQ 300", "in the past")
	plan := run1(t, db, `EXPLAIN SELECT n FROM log WHERE v = 'abc'`)
	if !strings.Contains(plan, `index log_v (v = 'abc')`) {
		t.Errorf("no index: %s", plan)
	}
	count := run1(t, db, `SELECT count(*) AS n FROM log WHERE v = 'abc'`)
	if n := strings.TrimPrefix(count, "n\n"); !strings.Contains(plan, "est "+strings.Repeat(" ", 7-len(n))+n) {
		t.Errorf("%s rows are not what is estimated: %s", n, plan)
	}
	if plan := run1(t, db, `EXPLAIN SELECT n FROM log WHERE w = 1`); strings.Contains(plan, "index") {
		t.Errorf("an index of what a fifth of the rows have: %s", plan)
	}
	if plan := run1(t, db, `EXPLAIN ANALYZE SELECT n FROM log WHERE v LIKE 'abc%'`); !strings.Contains(plan, `index log_v (v LIKE 'abc%')`) || !strings.Contains(plan, "skipped 59") {
		t.Errorf("what an index leaves out is not counted: %s", plan)
	}
	if plan := run1(t, db, `EXPLAIN SELECT count(*) FROM logs('l*') WHERE v IN ('abc', 'b')`); strings.Contains(plan, "error") {
		t.Errorf("a pattern: %s", plan)
	}
	if a, b := run1(t, db, `SELECT count(*) FROM logs('l*') WHERE v IN ('abc', 'b')`), run1(t, db, `SELECT count(*) FROM logs('l*') WHERE CASE WHEN v IN ('abc', 'b') THEN true END`); a != b {
		t.Errorf("logs of a pattern: %s, not %s", a, b)
	}
	more(150)
	sameWithIndex(t, db, "log", "", "behind")
	seal(t, db)
	sameWithIndex(t, db, "log", "", "sealed")
	log, err := db.Log("log")
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Redact(ctx, collect[redex.Seq](t, db, `SELECT _seq FROM log WHERE v = 'abc' LIMIT 2`)...); err != nil {
		t.Fatal(err)
	}
	if err := log.Trim(ctx, 128); err != nil {
		t.Fatal(err)
	}
	sameWithIndex(t, db, "log", "", "redacted and trimmed")
	if err := db.Store().Maintain(ctx); err != nil {
		t.Fatal(err)
	}
	sameWithIndex(t, db, "log", "", "maintained")

	// A log of the same name is another one.
	if err := db.DeleteLog(ctx, "log"); err != nil {
		t.Fatal(err)
	}
	if got := run1(t, db, `SELECT name, keys FROM netdb.indexes WHERE error IS NOT NULL`); got != "name\tkeys\nby w\tNULL\nlog_v\tNULL" {
		t.Errorf("indexes of a log that is gone: %s", got)
	}
	n = 0
	more(200)
	sameWithIndex(t, db, "log", "", "another log")
	if err := db.CatchUpIndexes(ctx); err != nil {
		t.Fatal(err)
	}
	sameWithIndex(t, db, "log", "", "another log, up to date")
	run1(t, db, `DROP INDEX log_v`)
	run1(t, db, `CREATE INDEX log_v ON log (n)`)
	if err := db.CatchUpIndexes(ctx); err != nil {
		t.Fatal(err)
	}
	sameWithIndex(t, db, "log", "", "another index of the name")
	if plan := run1(t, db, `EXPLAIN SELECT n FROM log WHERE n = 7`); !strings.Contains(plan, `index log_v (n = 7)`) {
		t.Errorf("no index: %s", plan)
	}
}

// TestIndexErases looks for the values of a path, in the index and in the files, after redaction and retention.
func TestIndexErases(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	o := netdb.Options{Store: redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}, RunEvents: 64, MaintainRate: -1, Compression: redex.CompressNone}}
	db := openDir(t, dir, o)
	for i := range 400 {
		appendJSON(t, db, "log", fmt.Sprintf(`{"n":%d,"w":%d,"v":"secret%d"}`, i, i%5, i))
	}
	run1(t, db, `CREATE INDEX v ON log (v)`)
	if err := db.CatchUpIndexes(ctx); err != nil {
		t.Fatal(err)
	}
	log, err := db.Log("log")
	if err != nil {
		t.Fatal(err)
	}
	seal(t, db)
	for _, redact := range []bool{true, false} {
		if redact {
			err = log.Redact(ctx, 7, 300)
		} else {
			err = log.Trim(ctx, 200)
		}
		if err = errors.Join(err, db.Store().Maintain(ctx)); err != nil {
			t.Fatal(err)
		}
		if got, want := run1(t, db, `SELECT keys, "values" FROM netdb.indexes`), map[bool]string{true: "keys\tvalues\n398\t398", false: "keys\tvalues\n199\t199"}[redact]; got != want {
			t.Errorf("redacted %v: %s, not %s", redact, got, want)
		}
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !strings.HasPrefix(e.Name(), "MANIFEST-") {
			b, err := os.ReadFile(path)
			if err == nil && bytes.Contains(b, []byte("secret300")) {
				t.Errorf("it is still in %s", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	sameWithIndex(t, db, "log", "", "erased")
}

// TestDefineConcurrently makes and drops a view and an index while they are used and events come.
func TestDefineConcurrently(t *testing.T) {
	db := openDir(t, t.TempDir(), netdb.Options{Store: redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}}})
	appendJSON(t, db, "log", `{"n":0,"v":1}`)
	run1(t, db, `CREATE VIEW ones AS SELECT n FROM log WHERE v = 1`)
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for w := range 2 {
		writers.Go(func() {
			for i := range 40 {
				for _, s := range []string{
					`CREATE OR REPLACE VIEW ones AS SELECT n, n AS m` + fmt.Sprint(i) + ` FROM log WHERE v = 1`,
					fmt.Sprintf(`CREATE VIEW IF NOT EXISTS temp AS SELECT %d AS x`, w), `CREATE INDEX IF NOT EXISTS v ON log (v)`,
					`DROP VIEW IF EXISTS temp`, `DROP INDEX IF EXISTS v`,
				} {
					if rows, err := db.Query(t.Context(), s); err != nil {
						t.Errorf("%s: %v", s, err)
					} else if err := rows.Close(); err != nil {
						t.Error(err)
					}
				}
				appendJSON(t, db, "log", `{"n":1,"v":1}`, `{"n":2,"v":2}`)
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			last := int64(0)
			for {
				select {
				case <-done:
					return
				default:
				}
				n := collect[int64](t, db, `SELECT count(n) FROM ones`)
				if n[0] < last {
					t.Errorf("%d ones after %d", n[0], last)
				}
				last = n[0]
				rows, err := db.Query(t.Context(), `SELECT x FROM temp`)
				if qe, ok := errors.AsType[*query.Error](err); err != nil && (!ok || qe.Code != query.CodeUnknownTable) {
					t.Error(err)
				}
				if err == nil {
					if err := rows.Close(); err != nil {
						t.Error(err)
					}
				}
				run1(t, db, `SELECT * FROM netdb.indexes`)
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	if n := collect[int64](t, db, `SELECT count(*) FROM ones`); n[0] != 81 {
		t.Errorf("%d ones", n[0])
	}
}

// definer is a database on a disk whose power goes, and the definitions that were acknowledged.
type definer struct {
	t       *testing.T
	views   map[string]string // by name, what each gives
	index   bool
	pending string // the statement that may or may not have happened
}

func (p *definer) statement(ctx context.Context, db *netdb.DB, s string, did func()) bool {
	p.pending = s
	rows, err := db.Query(ctx, s)
	if err != nil || rows.Close() != nil {
		return false
	}
	did()
	p.pending = ""
	return true
}

func (p *definer) work(d *simdisk.Disk, seed uint64) {
	ctx, rng := context.Background(), rand.New(rand.NewPCG(seed, 2))
	db, err := netdb.Open(ctx, "db", onDisk(d))
	if err != nil {
		return
	}
	defer db.Close()
	log, err := db.OpenLog(ctx, "log", redex.LogOptions{})
	if err != nil {
		return
	}
	for i := range 25 {
		payload := fmt.Appendf(nil, `{"n":%d,"v":%d}`, i, rng.IntN(4))
		if _, err := log.Append(ctx, redex.Entry{Encoding: redex.JSON, Payload: payload}, redex.AppendOptions{}); err != nil {
			return
		}
		name, text := fmt.Sprintf("v%d", rng.IntN(3)), fmt.Sprint(seed*100+uint64(i))
		var ok bool
		switch _, there := p.views[name]; {
		case i%5 == 4 && p.index:
			ok = p.statement(ctx, db, `DROP INDEX IF EXISTS x`, func() { p.index = false })
		case i%5 == 4:
			ok = p.statement(ctx, db, `CREATE INDEX IF NOT EXISTS x ON log (v)`, func() { p.index = true })
		case there && rng.IntN(2) == 0:
			ok = p.statement(ctx, db, `DROP VIEW IF EXISTS `+name, func() { delete(p.views, name) })
		default:
			ok = p.statement(ctx, db, `CREATE OR REPLACE VIEW `+name+` AS SELECT `+text+` AS x`, func() { p.views[name] = text })
		}
		if !ok || i%8 == 7 && db.Store().Seal(ctx) != nil || i%6 == 5 && db.CatchUpIndexes(ctx) != nil {
			return
		}
	}
}

// verify holds the database against what was acknowledged, and learns which of two states a pending statement left.
func (p *definer) verify(d *simdisk.Disk) {
	t, ctx := p.t, context.Background()
	db, err := netdb.Open(ctx, "db", onDisk(d))
	if err != nil {
		select {
		case <-d.Off():
		default:
			t.Errorf("with the power on: %v", err)
		}
		return
	}
	defer db.Close()
	get := func(sql string) (out []string) {
		for v, err := range netdb.Select[string](ctx, db, sql) {
			if err != nil {
				select {
				case <-d.Off():
				default:
					t.Errorf("with the power on: %s: %v", sql, err)
				}
				return nil
			}
			out = append(out, v)
		}
		return out
	}
	there := map[string]string{}
	for _, name := range get(`SELECT name FROM netdb.views`) {
		if x := get(`SELECT CAST(x AS TEXT) FROM ` + name); len(x) == 1 {
			there[name] = x[0]
		}
	}
	indexes := get(`SELECT name FROM netdb.indexes`)
	logs := get(`SELECT name FROM netdb.logs WHERE name = 'log'`)
	var with, without []string
	if len(logs) == 1 {
		with = get(`SELECT CAST(_seq AS TEXT) FROM logs.log WHERE _payload.v = 1`)
		without = get(`SELECT CAST(_seq AS TEXT) FROM logs.log WHERE CASE WHEN _payload.v = 1 THEN true END`)
	}
	select {
	case <-d.Off():
		return
	default:
	}
	if diff := cmp.Diff(without, with); diff != "" {
		t.Errorf("answers with the index: %s", diff)
	}
	for name := range there {
		if there[name] != p.views[name] && !strings.Contains(p.pending, " "+name+" AS SELECT "+there[name]+" ") {
			t.Errorf("view %s is %s, not %s; pending: %s", name, there[name], p.views[name], p.pending)
		}
	}
	for name := range p.views {
		if _, ok := there[name]; !ok && !strings.HasPrefix(p.pending, "DROP VIEW IF EXISTS "+name) {
			t.Errorf("view %s is gone; pending: %s", name, p.pending)
		}
	}
	if has := len(indexes) == 1; has != p.index && !strings.Contains(p.pending, "INDEX") {
		t.Errorf("an index: %v, not %v; pending: %s", has, p.index, p.pending)
	}
	p.views, p.index, p.pending = there, len(indexes) == 1, ""
}

// TestPowerCutsWhileDefining cuts the power while views and indexes are made and dropped: a statement that returned is done, one that
// did not is done or not.
func TestPowerCutsWhileDefining(t *testing.T) {
	cutPower(t, func() cutDisk { return &definer{t: t, views: map[string]string{}} })
}

// TestStoredDefinitions reads what is none of a definition: it is an error of what it names, and of nothing else.
func TestStoredDefinitions(t *testing.T) {
	db := openDir(t, t.TempDir(), netdb.Options{})
	run1(t, db, `CREATE VIEW good AS SELECT 1 AS x`)
	log, err := db.Log(netdb.SchemaLog)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range []string{
		`{`, `{"version":2,"columns":["x"],"query":"SELECT 1"}`, `{"version":1,"columns":["x"],"query":"SELEC"}`, `{"version":1,"columns":["x"],"query":"SHOW TABLES"}`,
		`{"version":1,"query":"SELECT 1"}`, `{"version":1,"columns":["x","y"],"query":"SELECT 1"}`, `null`,
	} {
		for _, key := range []string{fmt.Sprintf("view/bad%d", i), fmt.Sprintf("index/bad%d", i)} {
			if _, err := log.Append(t.Context(), redex.Entry{Encoding: redex.JSON, Key: []byte(key), Payload: []byte(p)}, redex.AppendOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.Query(t.Context(), fmt.Sprintf(`SELECT * FROM bad%d`, i)); err == nil || !strings.Contains(err.Error(), fmt.Sprintf(`view "bad%d"`, i)) {
			t.Errorf("%s: %v", p, err)
		}
	}
	if _, err := log.Append(t.Context(), redex.Entry{Key: []byte("other/x"), Payload: bytes.Repeat([]byte{0xff}, 10)}, redex.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := run1(t, db, `SELECT * FROM good`); got != "x\n1" {
		t.Errorf("good: %s", got)
	}
	if got := run1(t, db, `SELECT count(*) AS n, count(error) AS bad FROM netdb.views`); got != "n\tbad\n8\t6" {
		t.Errorf("netdb.views: %s", got)
	}
	if got := run1(t, db, `SELECT count(*) AS n, count(error) AS bad FROM netdb.indexes`); got != "n\tbad\n7\t7" {
		t.Errorf("netdb.indexes: %s", got)
	}
	run1(t, db, `CREATE OR REPLACE VIEW bad0 AS SELECT 2 AS x`)
	run1(t, db, `DROP VIEW bad1`)
	run1(t, db, `DROP INDEX bad0`)
}
