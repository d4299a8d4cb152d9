package netdb_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

func memoryDB(t testing.TB, o netdb.Options) *netdb.DB {
	t.Helper()
	db, err := netdb.OpenMemory(t.Context(), o)
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

func mustExec(t testing.TB, db *netdb.DB, sql string, args ...any) netdb.Result {
	t.Helper()
	r, err := db.Exec(t.Context(), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return r
}

// linesOf returns the rows of a query, a line each, values as text.
func linesOf(t testing.TB, db *netdb.DB, s netdb.Statement) []string {
	t.Helper()
	out, err := tryLines(t.Context(), db, s)
	if err != nil {
		t.Fatalf("%s: %v", s.SQL, err)
	}
	return out
}

func tryLines(ctx context.Context, db *netdb.DB, s netdb.Statement) ([]string, error) {
	rows, err := db.Do(ctx, s)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []string{}
	for rows.Next() {
		var line []string
		for _, v := range rows.Values() {
			line = append(line, v.String())
		}
		out = append(out, strings.Join(line, "|"))
	}
	return out, rows.Err()
}

// TestInsertTypes writes a value of every type and reads it back: the same value with the same type, where an encoding has one.
func TestInsertTypes(t *testing.T) {
	now := time.Date(2026, 5, 1, 10, 0, 0, 123456789, time.UTC)
	for _, c := range []struct {
		arg      any
		want     query.Value
		encoding string
	}{
		{nil, query.Null(), "json"},
		{true, query.Bool(true), "json"},
		{false, query.Bool(false), "json"},
		{0, query.Int(0), "json"},
		{math.MaxInt64, query.Int(math.MaxInt64), "json"},
		{math.MinInt64, query.Int(math.MinInt64), "json"},
		{uint64(math.MaxUint64), mustInteger("18446744073709551615"), "json"},
		{mustInteger("-123456789012345678901234567890"), mustInteger("-123456789012345678901234567890"), "json"},
		{1.5, query.Double(1.5), "json"},
		{1.0, query.Double(1), "json"},
		{1e300, query.Double(1e300), "json"},
		{5e-324, query.Double(5e-324), "json"},
		{math.Copysign(0, -1), query.Double(0), "json"},
		{0.1 + 0.2, query.Double(0.1 + 0.2), "json"},
		{math.NaN(), query.Double(math.NaN()), "msgpack"},
		{math.Inf(1), query.Double(math.Inf(1)), "msgpack"},
		{math.Inf(-1), query.Double(math.Inf(-1)), "msgpack"},
		{"", query.Text(""), "json"},
		{"Zoë \"quoted\" \\ \n \x00 \U0001f600 </script>", query.Text("Zoë \"quoted\" \\ \n \x00 \U0001f600 </script>"), "json"},
		{[]byte{}, query.Blob(nil), "msgpack"},
		{[]byte("\x00\xff"), query.Blob([]byte("\x00\xff")), "msgpack"},
		{now, query.Nanos(now.UnixNano()), "msgpack"},
		{time.Unix(0, -1), query.Nanos(-1), "msgpack"},
		{query.Date(20000), query.Text(query.Date(20000).String()), "json"},
		{query.Interval(14, 3, 5e9), query.Text(query.Interval(14, 3, 5e9).String()), "json"},
		{query.JSON(`[1, {"a": 1.0}, null, 12345678901234567890123]`), query.JSON(`[1, {"a": 1.0}, null, 12345678901234567890123]`), "json"},
		{query.JSON(`{"a":{"b":"c"}}`), query.JSON(`{"a":{"b":"c"}}`), "json"},
		{query.JSON(`"x"`), query.Text("x"), "json"},
		{query.JSON(`1e3`), query.Double(1000), "json"},
		{query.JSON(`null`), query.Null(), "json"},
	} {
		t.Run(fmt.Sprintf("%T %v", c.arg, c.arg), func(t *testing.T) {
			for _, how := range []string{"VALUES ($1, 'beside')", "SELECT $1, 'beside'", "VALUES ('other', ''), ($1, 'beside')"} {
				db := memoryDB(t, netdb.Options{})
				r := mustExec(t, db, "INSERT INTO log (a.v, b) "+how, c.arg)
				rows, err := db.Query(t.Context(), "SELECT a.v, b, _encoding FROM log WHERE _seq = $1", int64(r.Last))
				if err != nil {
					t.Fatal(err)
				}
				defer rows.Close()
				if !rows.Next() {
					t.Fatal("no row", rows.Err())
				}
				if got := rows.Values(); got[0] != c.want || got[1].Text() != "beside" || got[2].Text() != c.encoding {
					t.Errorf("%s: got %v of kind %v beside %s in %s, want %v of kind %v in %s", how, got[0], got[0].Kind(), got[1], got[2], c.want, c.want.Kind(), c.encoding)
				}
			}
		})
	}
}

func mustInteger(s string) query.Value {
	v, ok := query.ParseInteger(s)
	if !ok {
		panic(s)
	}
	return v
}

// TestInsertText checks values as they are written in SQL, and that CAST reads dates and intervals again.
func TestInsertText(t *testing.T) {
	db := memoryDB(t, netdb.Options{})
	mustExec(t, db, `INSERT INTO log (day, span, at, many, json) VALUES (DATE '2026-05-01', INTERVAL '1 day 2 hours', TIMESTAMP '2026-05-01 10:00:00.5', 1, JSON '{"x": [1]}'),
		('text', 2.5, TRUE, 'mixed', NULL)`)
	got := linesOf(t, db, netdb.Statement{SQL: `SELECT CAST(day AS DATE), CAST(span AS INTERVAL), at, many, json, json_type(_payload->'many') FROM log WHERE _seq = 0
		UNION ALL SELECT NULL, NULL, at, many, json, json_type(_payload->'many') FROM log WHERE _seq = 1`})
	want := []string{
		`2026-05-01|1 day 02:00:00|2026-05-01T10:00:00.500000000Z|1|{"x":[1]}|integer`,
		`NULL|NULL|true|mixed|NULL|text`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestInsertShape checks which object the paths of a statement make.
func TestInsertShape(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{`INSERT INTO log (a.b, a.c, d, a.e.f) VALUES (1, 2, 3, 4)`, `{"a":{"b":1,"c":2,"e":{"f":4}},"d":3}`},
		{`INSERT INTO log ("a.b", a) VALUES (1, 2)`, `{"a.b":1,"a":2}`},
		{`INSERT INTO log (a, b) VALUES (NULL, 1)`, `{"a":null,"b":1}`},
		{`INSERT INTO log (_payload._seq, _payload.x.y) VALUES (1, 2)`, `{"_seq":1,"x":{"y":2}}`},
		{`INSERT INTO log (_payload) VALUES ('{"a": [1,  2]}')`, `{"a": [1,  2]}`},
		{`INSERT INTO log (_payload) VALUES (JSON '{"a": 1}')`, `{"a": 1}`},
		{`INSERT INTO log (_payload) SELECT '{"a": 1}'`, `{"a": 1}`},
		{`INSERT INTO log (_payload) VALUES ('7')`, `7`},
		{`INSERT INTO log (_kind) VALUES (7)`, `{}`},
		{`INSERT INTO log SELECT 1 AS a, 'x' AS "B c"`, `{"a":1,"B c":"x"}`},
		{`INSERT INTO log (v) FROM (VALUES (1)) t(v)`, `{"v":1}`},
		{`INSERT INTO logs."log" (v) VALUES (1)`, `{"v":1}`},
		{`INSERT INTO log ("quo""te\") VALUES (1)`, `{"quo\"te\\":1}`},
	} {
		db := memoryDB(t, netdb.Options{})
		mustExec(t, db, c.sql)
		ev, err := must(db.Log("log")).Read(t.Context(), 0)
		if err != nil || string(ev.Payload) != c.want {
			t.Errorf("%s: %s %v", c.sql, ev.Payload, err)
		}
	}
}

// TestInsertOwn checks what is not in the payload, and the defaults.
func TestInsertOwn(t *testing.T) {
	db := memoryDB(t, netdb.Options{Origin: 0xabc})
	r := mustExec(t, db, `INSERT INTO log (_kind, _origin, _key, a) VALUES (7, '00000000000000ff', 'k', 1), (NULL, NULL, NULL, 2), (4294967295, NULL, X'ff00', 3), (0, NULL, '', 4)`)
	if r.Count != 4 || r.First != 0 || r.Last != 3 || r.Log != "log" || r.Token.IsZero() {
		t.Errorf("%+v", r)
	}
	got := linesOf(t, db, netdb.Statement{SQL: `SELECT _kind, _origin, _key, a FROM log`, After: r.Token})
	want := []string{"7|00000000000000ff|k|1", "0|0000000000000abc|NULL|2", `4294967295|0000000000000abc|\xff00|3`, "0|0000000000000abc|NULL|4"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if n := len(linesOf(t, db, netdb.Statement{SQL: "SELECT DISTINCT _ts FROM log"})); n != 1 {
		t.Errorf("%d times in one batch", n)
	}
	if r := mustExec(t, db, "SELECT 1"); r != (netdb.Result{}) {
		t.Errorf("a query appended %+v", r)
	}
}

// TestInsertRefused checks that each of these appends nothing, makes no log, and says what is wrong and where.
func TestInsertRefused(t *testing.T) {
	db := memoryDB(t, netdb.Options{})
	mustExec(t, db, "INSERT INTO src (a, t, o, n) VALUES (1, 'x', JSON '{\"b\":1}', 0), (2, 'y', JSON '[1]', 1)")
	if _, err := db.Tasks(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ sql, say string }{
		{`INSERT INTO log (a, a.b) VALUES (1, 2)`, `1:21: INSERT sets a.b, which is inside a, and that too`},
		{`INSERT INTO log (a.b, a) VALUES (1, 2)`, `INSERT sets a, and something inside it too`},
		{`INSERT INTO log (a, a) VALUES (1, 2)`, `INSERT names a twice`},
		{`INSERT INTO log (_kind, _kind) VALUES (1, 2)`, `INSERT names _kind twice`},
		{`INSERT INTO log (_payload, a) VALUES ('{}', 2)`, `INSERT sets _payload, and fields in it too`},
		{`INSERT INTO log (_seq) VALUES (1)`, `INSERT cannot set _seq`},
		{`INSERT INTO log (_id) VALUES (1)`, `a payload's own field of that name is _payload._id`},
		{`INSERT INTO log (_kind.x) VALUES (1)`, `_kind has no fields`},
		{`INSERT INTO log SELECT * FROM src`, `* EXCLUDE (_seq, _ts)`},
		{`INSERT INTO log VALUES (1)`, `INSERT of VALUES names no fields`},
		{`INSERT INTO log (a, b) SELECT 1`, `INSERT names 2 columns and gives 1 values`},
		{`INSERT INTO log (a) VALUES (1), (1, 2)`, ``},
		{`INSERT INTO log SELECT 1 AS a, 2 AS a`, `INSERT names a twice`},
		{`INSERT INTO log (a) VALUES (1 // 0)`, `division by zero`},
		{`INSERT INTO log (a) SELECT 10 // (n - 1) FROM src`, `division by zero`},
		{`INSERT INTO log (a) VALUES ($1)`, `no value for $1`},
		{`INSERT INTO log (_kind) VALUES (-1)`, `INSERT: _kind of row 1: a kind goes from 0`},
		{`INSERT INTO log (_kind) VALUES (4294967296)`, `a kind goes from 0`},
		{`INSERT INTO log (_kind) VALUES (99999999999999999999)`, `a kind goes from 0`},
		{`INSERT INTO log (_kind) VALUES (1), ('x')`, `_kind of row 2: a kind is a BIGINT, not text`},
		{`INSERT INTO log (_origin) VALUES ('xyz')`, `16 hexadecimal digits`},
		{`INSERT INTO log (_origin) VALUES (1)`, `16 hexadecimal digits`},
		{`INSERT INTO log (_key) VALUES (1)`, `a key is TEXT or BLOB, not integer`},
		{`INSERT INTO log (_key) VALUES ('` + strings.Repeat("x", redex.MaxKeyBytes+1) + `')`, `payload too large: key of 4097 bytes`},
		{`INSERT INTO log (_payload) VALUES ('{')`, ``},
		{`INSERT INTO log (_payload) SELECT t FROM src`, `_payload of row 1`},
		{`INSERT INTO log (_payload) VALUES (NULL)`, `a payload is not NULL`},
		{`INSERT INTO log (_payload) SELECT a FROM src`, `a payload is JSON, not integer`},
		{`INSERT INTO log (_payload) VALUES (X'00')`, ``},
		{`INSERT INTO log (a, b) VALUES (X'00', 99999999999999999999)`, `needs JSON`},
		{`INSERT INTO log (a) VALUES (1) RETURNING nosuch`, `no column nosuch`},
		{`INSERT INTO log (a) VALUES (1) RETURNING 1 // a`, `RETURNING gives columns only`},
		{`INSERT INTO "a b" (a) VALUES (1)`, `invalid log name`},
		{`INSERT INTO app.log (a) VALUES (1)`, `no table "app.log"`},
		{`INSERT INTO tasks (a) VALUES (1)`, `a fold takes no INSERT`},
		{`INSERT INTO folds.nosuch (a) VALUES (1)`, `a fold takes no INSERT`},
		{`INSERT INTO views.nosuch (a) VALUES (1)`, `a view takes no INSERT`},
		{`INSERT INTO netdb.logs (a) VALUES (1)`, `a table of the system takes no INSERT`},
		{`EXPLAIN ANALYZE INSERT INTO log (a) VALUES (1)`, `it would append`},
		{`INSERT INTO log (` + strings.Repeat("a.", 600) + `a) VALUES (1)`, `levels deep`},
		{`UPDATE log SET a = 1`, `append an event`},
		{`DELETE FROM log WHERE a = 1`, `append an event`},
	} {
		_, err := db.Exec(t.Context(), c.sql)
		if err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%.100s: %v", c.sql, err)
		}
		if _, err := db.Log("log"); err == nil {
			t.Fatalf("%.100s made a log", c.sql)
		}
	}
	if got := linesOf(t, db, netdb.Statement{SQL: "SELECT count(*) FROM src"}); got[0] != "2" {
		t.Errorf("%s events in the log read", got)
	}
	if _, err := db.Exec(t.Context(), "INSERT INTO log (a) VALUES ($1)", query.Text("\xff")); err == nil || !strings.Contains(err.Error(), "not UTF-8") {
		t.Errorf("text that is none: %v", err)
	}
	for _, e := range []int64{math.MinInt64, math.MaxInt64} {
		if _, err := db.Exec(t.Context(), "INSERT INTO log (a) VALUES ($1)", query.Nanos(e)); err == nil || !strings.Contains(err.Error(), "beyond the times") {
			t.Errorf("time %d: %v", e, err)
		}
	}
}

// TestInsertSelect checks that a statement reads at its cut, also from the log it writes to, keeps the order, and is one batch.
func TestInsertSelect(t *testing.T) {
	db := memoryDB(t, netdb.Options{})
	mustExec(t, db, "INSERT INTO log (n) VALUES (3), (1), (2)")
	for i, want := range []int64{3, 6, 12} {
		if r := mustExec(t, db, "INSERT INTO log (n, gen) SELECT n * 10, $1 FROM log ORDER BY n", i); r.Count != want || int64(r.Last-r.First)+1 != want {
			t.Fatalf("%+v, want %d", r, want)
		}
	}
	if got, want := strings.Join(linesOf(t, db, netdb.Statement{SQL: "SELECT n FROM log WHERE gen = 1"}), " "), "10 20 30 100 200 300"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if r := mustExec(t, db, "INSERT INTO other (n) SELECT n FROM log WHERE false"); r != (netdb.Result{Log: "other"}) {
		t.Errorf("%+v", r)
	}
	if _, err := db.Log("other"); !errors.Is(err, redex.ErrNoLog) {
		t.Errorf("an INSERT of nothing made a log: %v", err)
	}
	mustExec(t, db, "INSERT INTO copy (_payload, _kind, _key) SELECT _payload, _kind, _key FROM log")
	if got := linesOf(t, db, netdb.Statement{SQL: "SELECT count(*) FROM (SELECT n, gen FROM log EXCEPT ALL SELECT n, gen FROM copy) t"}); got[0] != "0" {
		t.Errorf("%s events differ in the copy", got)
	}
}

func TestReturning(t *testing.T) {
	db := memoryDB(t, netdb.Options{Origin: 1})
	mustExec(t, db, "INSERT INTO log (z) VALUES (0)")
	for _, c := range []struct {
		sql     string
		columns string
		want    []string
	}{
		{"INSERT INTO log (a.b, c) VALUES (1, X'00'), (2, 'x') RETURNING _seq, a.b AS n, c, a, _encoding", "_seq n c a _encoding", []string{`1|1|\x00|{"b":1}|msgpack`, `2|2|x|{"b":2}|json`}},
		{"INSERT INTO log (a, _kind, _key) VALUES (99999999999999999999, 4, 'k') RETURNING a, _kind, _key, _origin, _size, _payload, log._seq", "a _kind _key _origin _size _payload _seq", []string{`99999999999999999999|4|k|0000000000000001|26|{"a":99999999999999999999}|3`}},
		{"INSERT INTO log (_payload) VALUES ('{\"q\": 1}') RETURNING q, nosuch", "q nosuch", []string{"1|NULL"}},
		{"INSERT INTO log (a) SELECT 1 WHERE false RETURNING _seq", "_seq", []string{}},
		{"INSERT INTO log (a) VALUES (1.5) RETURNING * EXCLUDE (_ts)", "_seq a", []string{"5|1.5"}},
	} {
		rows, err := db.Query(t.Context(), c.sql)
		if err != nil {
			t.Fatalf("%s: %v", c.sql, err)
		}
		var names []string
		for _, col := range rows.Columns() {
			names = append(names, col.Name)
		}
		got := []string{}
		for rows.Next() {
			var line []string
			for _, v := range rows.Values() {
				line = append(line, v.String())
			}
			got = append(got, strings.Join(line, "|"))
		}
		if d := cmp.Diff(c.want, got); d != "" || rows.Err() != nil || strings.Join(names, " ") != c.columns {
			t.Errorf("%s: %s %v %s", c.sql, names, rows.Err(), d)
		}
		if r := rows.Result(); r.Count != int64(len(c.want)) {
			t.Errorf("%s: %+v", c.sql, r)
		}
	}
	if a, b := linesOf(t, db, netdb.Statement{SQL: "INSERT INTO log (a) VALUES (1) RETURNING _ts, _seq"}), linesOf(t, db, netdb.Statement{SQL: "SELECT _ts, _seq FROM log ORDER BY _seq DESC LIMIT 1"}); a[0] != b[0] {
		t.Errorf("returned %s, read %s", a, b)
	}
}

// TestInsertLimits checks that a batch which is too large is refused whole, that memory is counted, and that a cancelled
// statement leaves nothing.
func TestInsertLimits(t *testing.T) {
	db := memoryDB(t, netdb.Options{Store: redex.Options{SegmentBytes: 64 << 10, JournalBytes: 1 << 20, SealBytes: 128 << 10}})
	limit := db.Store().MaxBatchBytes()
	mustExec(t, db, "INSERT INTO src (s) VALUES ($1)", strings.Repeat("x", 10_000))
	for range 6 {
		mustExec(t, db, "INSERT INTO src (s) SELECT s FROM src WHERE _seq < 4")
	}
	_, err := db.Exec(t.Context(), "INSERT INTO log (a) SELECT a.s FROM src a, src b, src c, src d, src e, src f")
	if !errors.Is(err, redex.ErrBatchTooLarge) {
		t.Errorf("a batch over %d bytes: %v", limit, err)
	}
	_, err = db.Exec(t.Context(), "INSERT INTO log (a) VALUES ($1)", strings.Repeat("x", redex.MaxPayloadBytes))
	if !errors.Is(err, redex.ErrTooLarge) {
		t.Errorf("a payload over 16 MiB: %v", err)
	}
	large := memoryDB(t, netdb.Options{})
	mustExec(t, large, "INSERT INTO src (s) VALUES ($1), ($1), ($1), ($1)", strings.Repeat("x", 100_000))
	const thirty = "INSERT INTO log (a) SELECT a.s FROM src a, src b, src c LIMIT 30"
	_, err = tryLines(t.Context(), large, netdb.Statement{SQL: thirty, Limits: netdb.Limits{Bytes: 2 << 20, BatchRows: 2}})
	if be, ok := errors.AsType[*exec.BudgetError](err); !ok || be.Operator != "insert" {
		t.Errorf("with little memory: %v", err)
	}
	if _, err := tryLines(t.Context(), large, netdb.Statement{SQL: thirty, Limits: netdb.Limits{Bytes: 16 << 20, BatchRows: 2}}); err != nil {
		t.Errorf("with enough memory: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.Exec(ctx, "INSERT INTO log (a) VALUES (1)"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	_, err = tryLines(t.Context(), db, netdb.Statement{SQL: "INSERT INTO log (a) SELECT count(*) FROM src a, src b, src c, src d, src e, src f, src g, src h", Limits: netdb.Limits{Timeout: 20 * time.Millisecond}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("out of time: %v", err)
	}
	if _, err := db.Log("log"); !errors.Is(err, redex.ErrNoLog) {
		t.Errorf("something was appended: %v", err)
	}
	if _, err := db.OpenLog(t.Context(), "small", redex.LogOptions{Quota: redex.Quota{Events: 2}}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), "INSERT INTO small (a) VALUES (1), (2), (3)"); !errors.Is(err, redex.ErrQuota) {
		t.Errorf("over the quota: %v", err)
	}
	if b := must(db.Log("small")).Bounds(); b.Len() != 0 {
		t.Errorf("a part of a batch: %+v", b)
	}
}

// TestInsertDurable checks durability, the read-only store and what is left after a crash of the process: all of a statement.
func TestInsertDurable(t *testing.T) {
	dir := t.TempDir()
	db := must(netdb.Open(t.Context(), dir, netdb.Options{Store: redex.Options{Sync: redex.SyncPolicy{Mode: redex.SyncNever}}}))
	before := db.Store().Durable()
	r := mustExec(t, db, "INSERT INTO log (a) VALUES (1), (2)")
	if o := r.Token.Position().Ordinal; db.Store().Durable() >= o || db.Store().Durable() != before {
		t.Errorf("durable up to %d, the INSERT was %d", db.Store().Durable(), o)
	}
	rows := must(db.Do(t.Context(), netdb.Statement{SQL: "INSERT INTO log (a) VALUES (3)", Durable: redex.DurableYes}))
	if o := rows.Result().Token.Position().Ordinal; db.Store().Durable() < o {
		t.Errorf("durable up to %d, the INSERT was %d", db.Store().Durable(), o)
	}
	if err := errors.Join(rows.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	db = must(netdb.Open(t.Context(), dir, netdb.Options{Store: redex.Options{ReadOnly: true}}))
	defer db.Close()
	for _, sql := range []string{"INSERT INTO log (a) VALUES (3)", "INSERT INTO new (a) VALUES (3)"} {
		if _, err := db.Exec(t.Context(), sql); !errors.Is(err, redex.ErrReadOnly) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if got := linesOf(t, db, netdb.Statement{SQL: "SELECT a FROM log"}); strings.Join(got, " ") != "1 2 3" {
		t.Errorf("read back %s", got)
	}
}

// TestInsertFold checks that a fold applies what an INSERT appended, and that its token waits for that.
func TestInsertFold(t *testing.T) {
	db := memoryDB(t, netdb.Options{})
	type sums struct{ By fold.Table[string, int64] }
	if _, err := netdb.OpenFold(t.Context(), db, fold.Definition[sums]{Name: "sums", Logs: []string{"orders"}, Fold: fold.Func[sums](func(s *sums, ev redex.Event) error {
		var o struct {
			Who string `json:"who" msgpack:"who"`
			N   int64  `json:"n" msgpack:"n"`
		}
		if err := fold.Decode(&ev, &o); err != nil {
			return err
		}
		n, _ := s.By.Get(o.Who)
		s.By.Set(o.Who, n+o.N)
		return nil
	})}); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		r := mustExec(t, db, "INSERT INTO orders (who, n, at) VALUES ('ada', 1, now()), ('bob', 2, NULL)")
		got := linesOf(t, db, netdb.Statement{SQL: `FROM folds."by" ORDER BY 1`, After: r.Token})
		if want := []string{fmt.Sprintf("ada|%d", i+1), fmt.Sprintf("bob|%d", 2*i+2)}; !cmp.Equal(want, got) {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

func TestExplainInsert(t *testing.T) {
	db := memoryDB(t, netdb.Options{})
	got := linesOf(t, db, netdb.Statement{SQL: "EXPLAIN INSERT INTO log (a.b, _kind, _payload._x) SELECT 1 AS x, 2, 3 ORDER BY x"})
	if !strings.HasPrefix(got[0], "Insert log (a.b, _kind, _payload._x)") || !strings.HasPrefix(got[1], "└─ ") {
		t.Error(strings.Join(got, "\n"))
	}
	if _, err := db.Log("log"); err == nil {
		t.Error("EXPLAIN appended")
	}
}

// FuzzInsert checks that no text panics, and that what is accepted is there and read back as it was returned.
func FuzzInsert(f *testing.F) {
	for _, s := range []string{
		`INSERT INTO log (a, b.c) VALUES (1, 'x'), (2.5, NULL) RETURNING *`, `INSERT INTO log (_payload) VALUES ('{"a":[1]}')`,
		`INSERT INTO "x/y" (_kind, _key, _origin) SELECT 1, X'00', '00000000000000ff'`, `INSERT INTO log (a) VALUES (X'00'), (now()), (DOUBLE 'NaN'), (99999999999999999999)`,
		`INSERT INTO src SELECT * EXCLUDE (_seq, _ts) FROM src`, `INSERT INTO log (a, a.b) VALUES (1, 2)`, `EXPLAIN INSERT INTO log (a) FROM src`,
		`INSERT INTO log ("", a."b c".d) VALUES (JSON '{"x":1}', INTERVAL '1 day')`, `INSERT INTO src (t) SELECT string_agg(t) FROM src GROUP BY n`,
	} {
		f.Add(s)
	}
	// Opening a database takes longer than most statements: one serves until a statement has changed it.
	var db *netdb.DB
	var end redex.Ordinal
	forget := func() {
		if db != nil {
			if err := db.Close(); err != nil {
				f.Error(err)
			}
		}
		db = nil
	}
	f.Cleanup(forget)
	f.Fuzz(func(t *testing.T, text string) {
		if db != nil && db.Store().Cut().Ordinal != end {
			forget()
		}
		if db == nil {
			var err error
			db, err = netdb.OpenMemory(context.Background(), netdb.Options{Store: redex.Options{SegmentBytes: 64 << 10, JournalBytes: 1 << 20, SealBytes: 128 << 10}})
			if err != nil {
				t.Fatal(err)
			}
			mustExec(t, db, `INSERT INTO src (n, t, o) VALUES (1, 'x', JSON '{"a":[1,2]}'), (2.5, X'00', NULL)`)
			end = db.Store().Cut().Ordinal
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		before := must(db.Log("src")).Bounds().Next
		rows, err := db.Do(ctx, netdb.Statement{SQL: text, Limits: netdb.Limits{Bytes: 8 << 20}})
		if err != nil {
			if b := must(db.Log("src")).Bounds().Next; b != before {
				t.Fatalf("%v, and %d events", err, b-before)
			}
			return
		}
		r, err := readAll(rows)
		if err != nil || r.Count == 0 {
			return
		}
		log := must(db.Log(r.Log))
		if n := int64(r.Last-r.First) + 1; n != r.Count || log.Bounds().Next != r.Last+1 {
			t.Fatalf("%+v, the log goes to %d", r, log.Bounds().Next)
		}
		want := linesOf(t, db, netdb.Statement{SQL: "SELECT malformed FROM netdb.logs WHERE name = $1", Args: []any{r.Log}})
		if want[0] != "0" {
			for ev, err := range log.Scan(t.Context(), r.First, r.Last+1) {
				if err != nil || !strings.HasPrefix(strings.TrimSpace(string(ev.Payload)), "{") && ev.Encoding == redex.JSON {
					return // a payload that was given whole need not be an object
				}
			}
			t.Fatalf("%s of %d events have no fields", want, r.Count)
		}
	})
}

func readAll(rows *netdb.Rows) (netdb.Result, error) {
	defer rows.Close()
	for rows.Next() {
		rows.Values()
	}
	return rows.Result(), rows.Err()
}
