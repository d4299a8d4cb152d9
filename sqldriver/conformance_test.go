package sqldriver_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/sqldriver"
)

// pool returns a sql.DB on a database in memory, and that.
func pool(t testing.TB) (*sql.DB, *netdb.DB) {
	t.Helper()
	db, err := netdb.OpenMemory(context.Background(), netdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := sql.OpenDB(sqldriver.NewConnector(db))
	t.Cleanup(func() {
		if err := errors.Join(p.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	return p, db
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func exec(t testing.TB, p execer, text string, args ...any) sql.Result {
	t.Helper()
	r, err := p.ExecContext(t.Context(), text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return r
}

type rower interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func one[T any](t testing.TB, p rower, text string, args ...any) (v T) {
	t.Helper()
	if err := p.QueryRowContext(t.Context(), text, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// ids has a Value method, which must be used.
type ids []int

func (v ids) Value() (driver.Value, error) { return fmt.Sprint([]int(v)), nil }

// wrapped gives another Valuer.
type wrapped struct{ ids }

func (v *wrapped) Value() (driver.Value, error) { return v.ids, nil }

// TestArguments sends each kind of argument through a log and back.
func TestArguments(t *testing.T) {
	p, _ := pool(t)
	at := time.Date(2026, 5, 1, 12, 30, 0, 123456789, time.FixedZone("", 7200))
	big20, _ := new(big.Int).SetString("12345678901234567890", 10)
	n := 7
	var none *big.Int
	for i, c := range []struct{ in, want any }{
		{nil, nil},
		{true, true},
		{int8(-3), int64(-3)},
		{uint64(math.MaxUint64), []byte("18446744073709551615")},
		{&n, int64(7)},
		{1.5, 1.5},
		{float32(0.5), 0.5},
		{"text", "text"},
		{[]byte{0, 255}, []byte{0, 255}},
		{[]byte(nil), nil},
		{at, at.UTC()},
		{time.Duration(90 * time.Minute), "01:30:00"},
		{json.RawMessage(`{"a": [1]}`), []byte(`{"a": [1]}`)},
		{json.Number("12"), int64(12)},
		{json.Number("1.25"), 1.25},
		{big.NewInt(5), int64(5)},
		{big20, []byte("12345678901234567890")},
		{none, nil},
		{sql.NullInt64{}, nil},
		{sql.NullInt64{Int64: 3, Valid: true}, int64(3)},
		{sql.Null[string]{V: "x", Valid: true}, "x"},
		{ids{1, 2}, "[1 2]"},
		{&wrapped{ids{3}}, "[3]"},
		{(*wrapped)(nil), nil},
		{query.Interval(1, 0, 0), "1 month"},
	} {
		log := fmt.Sprintf("log%d", i)
		exec(t, p, "INSERT INTO "+log+" (v, beside) VALUES (?, 1)", c.in)
		if got := one[any](t, p, "SELECT v FROM "+log); !cmp.Equal(got, c.want) {
			t.Errorf("%T %v: got %T %v, want %T %v", c.in, c.in, got, got, c.want, c.want)
		}
	}
	for _, bad := range []any{struct{}{}, make(chan int), "\xff", json.RawMessage("{"), time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC), sql.Out{Dest: &n}, json.Number("x"), []string{"a"}} {
		if _, err := p.Exec("INSERT INTO bad (v) VALUES (?)", bad); err == nil {
			t.Errorf("%T %v was taken", bad, bad)
		}
	}
	// NULL goes into every type that has room for it, and into no other.
	for _, dest := range []any{new(sql.NullBool), new(sql.NullInt64), new(sql.NullFloat64), new(sql.NullString), new(sql.NullTime), new([]byte), new(*int), new(any), new(sql.RawBytes)} {
		rows, err := p.Query("SELECT v FROM log0")
		if err != nil || !rows.Next() {
			t.Fatal(err)
		}
		if err := rows.Scan(dest); err != nil {
			t.Errorf("NULL into %T: %v", dest, err)
		}
		rows.Close()
	}
	if err := p.QueryRow("SELECT v FROM log0").Scan(&n); err == nil {
		t.Error("NULL into an int")
	}
}

func TestParameters(t *testing.T) {
	p, _ := pool(t)
	for _, c := range []struct {
		text string
		args []any
		want string
	}{
		{"SELECT ? || ? || ?", []any{"a", "b", "c"}, "abc"},
		{"SELECT $2 || $1 || $2", []any{"a", "b"}, "bab"},
		{"SELECT :x || @y || :x", []any{sql.Named("y", "b"), sql.Named("x", "a")}, "aba"},
		{"SELECT '?' || ?", []any{"a"}, "?a"},
	} {
		if got := one[string](t, p, c.text, c.args...); got != c.want {
			t.Errorf("%s: %s", c.text, got)
		}
		st, err := p.Prepare(c.text)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			var got string
			if err := st.QueryRow(c.args...).Scan(&got); err != nil || got != c.want {
				t.Errorf("%s, prepared: %s %v", c.text, got, err)
			}
		}
		st.Close()
	}
	for _, c := range []struct {
		text string
		args []any
		say  string
	}{
		{"SELECT ?", nil, "no value for $1"},
		{"SELECT ?", []any{1, 2}, "2 values were given"},
		{"SELECT ? + $1", []any{1}, "cannot be mixed"},
		{"SELECT :x", []any{sql.Named("y", 1)}, "no value for :x"},
		{"SELECT :x", []any{sql.Named("x", 1), sql.Named("y", 1)}, "does not have :y"},
		{"SELECT :x", []any{sql.Named("x", 1), sql.Named("x", 1)}, "second value"},
	} {
		_, err := p.Exec(c.text, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s with %v: %v", c.text, c.args, err)
		}
	}
	if _, err := p.Prepare("SELEC 1"); !isQueryError(err, query.CodeSyntax) {
		t.Errorf("Prepare of no SQL: %v", err)
	}
	_, err := p.Exec("SELECT nosuch FROM nosuch")
	if !isQueryError(err, query.CodeUnknownTable) {
		t.Errorf("an unknown table: %v", err)
	}
	for _, text := range []string{"BEGIN", "CREATE TABLE x (a int)", "UPDATE x SET a = 1", "DELETE FROM x", "SUBSCRIBE SELECT 1"} {
		if _, err := p.Exec(text); !isQueryError(err, query.CodeUnsupported) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func isQueryError(err error, code query.Code) bool {
	e, ok := errors.AsType[*query.Error](err)
	return ok && e.Code == code
}

// TestColumnTypes checks the one type of each column, and that values are of it.
func TestColumnTypes(t *testing.T) {
	p, _ := pool(t)
	exec(t, p, `INSERT INTO log (b, i, f, num, t, x, ts, j, mixed, o.in, gone, _key) VALUES
		(TRUE, 1, 1.5, 1, 'a', X'00', TIMESTAMP '2026-05-01 10:00:00', JSON '{"a":1}', 1, 7, NULL, 'k'),
		(FALSE, 2, 2.5, 2.5, 'b', X'01', TIMESTAMP '2026-05-01 11:00:00', JSON '[1]', 'text', 8, NULL, NULL)`)
	type col struct {
		name, typ string
		first     any
	}
	at := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string][]col{
		"SELECT b, i, f, num, t, x, ts, j, mixed, o.in, gone, _key, _seq, _ts > TIMESTAMP '2000-01-01' AS later FROM log": {
			{"b", "BOOLEAN", true},
			{"i", "BIGINT", int64(1)},
			{"f", "DOUBLE", 1.5},
			{"num", "DOUBLE", 1.0},
			{"t", "TEXT", "a"},
			{"x", "BLOB", []byte{0}},
			{"ts", "TIMESTAMPTZ", at},
			{"j", "JSON", []byte(`{"a":1}`)},
			{"mixed", "JSON", []byte("1")},
			{"in", "BIGINT", int64(7)},
			{"gone", "JSON", nil},
			{"_key", "TEXT", "k"},
			{"_seq", "BIGINT", int64(0)},
			{"later", "BOOLEAN", true},
		},
		"SELECT mixed FROM log WHERE _seq = 1":                       {{"mixed", "JSON", []byte(`"text"`)}},
		"SELECT max(i), sum(num), sum(i), avg(i), first(t) FROM log": {{"max(i)", "BIGINT", int64(2)}, {"sum(num)", "DOUBLE", 3.5}, {"sum(i)", "BIGINT", int64(3)}, {"avg(i)", "DOUBLE", 1.5}, {"first(t)", "TEXT", "a"}},
		"SELECT i + 1 AS a, i * f AS b, coalesce(gone, t) AS c, CASE WHEN b THEN i ELSE f END AS d, t || '!' AS e FROM log": {
			{"a", "BIGINT", int64(2)},
			{"b", "DOUBLE", 1.5},
			{"c", "JSON", []byte(`"a"`)},
			{"d", "DOUBLE", 1.0},
			{"e", "TEXT", "a!"},
		},
		"SELECT i FROM log UNION ALL SELECT f FROM log":                                          {{"i", "DOUBLE", 1.0}},
		"WITH w AS MATERIALIZED (SELECT i AS n FROM log) SELECT a.n FROM w a JOIN w b USING (n)": {{"n", "BIGINT", int64(1)}},
		"SELECT DATE '2026-05-01' AS d, INTERVAL '1 day' AS v, NULL AS n":                        {{"d", "DATE", time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}, {"v", "INTERVAL", "1 day"}, {"n", "JSON", nil}},
		"EXPLAIN SELECT 1": {{"plan", "TEXT", nil}},
		"INSERT INTO other (a, b) VALUES (1, 'x'), (2.5, 'y') RETURNING a, b, _seq": {{"a", "DOUBLE", 1.0}, {"b", "TEXT", "x"}, {"_seq", "BIGINT", int64(0)}},
		"SELECT nosuch FROM logs.log2": nil,
	} {
		rows, err := p.Query(text)
		if want == nil {
			if err == nil {
				t.Errorf("%s: no error", text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		types, err := rows.ColumnTypes()
		if err != nil || !rows.Next() {
			t.Fatal(text, err, rows.Err())
		}
		values := make([]any, len(types))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		var got []col
		for i, ct := range types {
			v := *values[i].(*any)
			if strings.HasPrefix(text, "EXPLAIN") {
				v = nil
			}
			got = append(got, col{ct.Name(), ct.DatabaseTypeName(), v})
			if null, ok := ct.Nullable(); !null || !ok {
				t.Errorf("%s: column %s is said not to be NULL", text, ct.Name())
			}
			if _, _, ok := ct.DecimalSize(); ok {
				t.Errorf("%s: column %s has a scale", text, ct.Name())
			}
			if _, ok := ct.Length(); ok != (ct.DatabaseTypeName() == "TEXT" || ct.DatabaseTypeName() == "BLOB" || ct.DatabaseTypeName() == "JSON") {
				t.Errorf("%s: length of %s", text, ct.Name())
			}
			if err := sqlScan(reflect.New(ct.ScanType()).Interface(), v); err != nil {
				t.Errorf("%s: %s into its scan type: %v", text, ct.Name(), err)
			}
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(col{})); d != "" {
			t.Errorf("%s: %s", text, d)
		}
		for rows.Next() {
			continue
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Error(err)
		}
	}
}

// sqlScan stores a value as database/sql would in a destination of a scan type.
func sqlScan(dest, v any) error {
	if s, ok := dest.(sql.Scanner); ok {
		return s.Scan(v)
	}
	if b, ok := dest.(*[]byte); ok {
		if v != nil {
			*b = v.([]byte)
		}
		return nil
	}
	return fmt.Errorf("%T is no destination", dest)
}

func TestResults(t *testing.T) {
	p, db := pool(t)
	r := exec(t, p, "INSERT INTO log (a) VALUES (1), (2), (3)")
	n, err := r.RowsAffected()
	last, lerr := r.LastInsertId()
	if n != 3 || last != 2 || err != nil || lerr != nil {
		t.Errorf("%d rows, the last is %d, %v %v", n, last, err, lerr)
	}
	r = exec(t, p, "SELECT a FROM log")
	if n, err := r.RowsAffected(); n != 0 || err != nil {
		t.Errorf("a query affected %d rows, %v", n, err)
	}
	if _, err := r.LastInsertId(); !errors.Is(err, sqldriver.ErrNoSequence) {
		t.Errorf("a query has a last sequence: %v", err)
	}
	if got := one[int](t, p, "INSERT INTO log (a) VALUES (4) RETURNING _seq"); got != 3 {
		t.Errorf("sequence %d was returned", got)
	}
	rows, err := p.Query("INSERT INTO log (a) VALUES (5)")
	if err != nil {
		t.Fatal(err)
	}
	if cols, err := rows.Columns(); len(cols) != 0 || err != nil || rows.Next() || rows.Err() != nil {
		t.Errorf("INSERT as a query: %v %v %v", cols, err, rows.Err())
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	if b := must(db.Log("log")).Bounds(); b.Next != 5 {
		t.Errorf("%+v", b)
	}
	if err := p.QueryRow("SELECT a FROM log WHERE a > 10").Scan(new(int)); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("no rows: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestSnapshot checks that the queries of a transaction see one moment, also one prepared before it.
func TestSnapshot(t *testing.T) {
	p, db := pool(t)
	exec(t, p, "INSERT INTO log (a) VALUES (1)")
	prepared := must(p.Prepare("SELECT count(*) FROM log"))
	defer prepared.Close()
	for _, o := range []sql.TxOptions{{ReadOnly: true}, {Isolation: sql.LevelSnapshot, ReadOnly: true}, {}} {
		before := one[int](t, p, "SELECT count(*) FROM log")
		tx := must(p.BeginTx(t.Context(), &o))
		exec(t, p, "INSERT INTO log (a) VALUES (2)")
		if _, err := db.Exec(t.Context(), "INSERT INTO fresh (a) VALUES (1)"); err != nil {
			t.Fatal(err)
		}
		if n := one[int](t, tx, "SELECT count(*) FROM log"); n != before {
			t.Errorf("%+v: the transaction sees %d events, %d were there", o, n, before)
		}
		var n int
		if err := tx.Stmt(prepared).QueryRow().Scan(&n); err != nil || n != before {
			t.Errorf("%+v: a prepared query sees %d events, %v", o, n, err)
		}
		if n := one[int](t, p, "SELECT count(*) FROM log"); n != before+1 {
			t.Errorf("outside there are %d events", n)
		}
		_, err := tx.Exec("INSERT INTO log (a) VALUES (3)")
		if o.ReadOnly != errors.Is(err, netdb.ErrTxReadOnly) {
			t.Errorf("%+v: INSERT: %v", o, err)
		}
		if n := one[int](t, tx, "SELECT count(*) FROM log"); n != before {
			t.Errorf("%+v: after an INSERT the transaction sees %d events", o, n)
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
		if n := one[int](t, p, "SELECT count(*) FROM log"); n != before+1 {
			t.Errorf("after Rollback there are %d events", n)
		}
	}
	for _, level := range []sql.IsolationLevel{sql.LevelReadUncommitted, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable, sql.LevelLinearizable} {
		if _, err := p.BeginTx(t.Context(), &sql.TxOptions{Isolation: level}); !errors.Is(err, sqldriver.ErrIsolation) {
			t.Errorf("%v: %v", level, err)
		}
	}
}

// TestCommit checks that a transaction's INSERTs are one batch over their logs.
func TestCommit(t *testing.T) {
	p, _ := pool(t)
	conn := must(p.Conn(t.Context()))
	defer conn.Close()
	tx := must(conn.BeginTx(t.Context(), nil))
	r := exec(t, tx, "INSERT INTO a (n) VALUES (1), (2)")
	if n, err := r.RowsAffected(); n != 2 || err != nil {
		t.Error(n, err)
	}
	if _, err := r.LastInsertId(); !errors.Is(err, sqldriver.ErrNoSequence) {
		t.Errorf("a sequence before Commit: %v", err)
	}
	exec(t, tx, "INSERT INTO b (n) VALUES (3)")
	exec(t, tx, "INSERT INTO a (n) VALUES (4)")
	if _, err := tx.Exec("SELECT * FROM a"); !isQueryError(err, query.CodeUnknownTable) {
		t.Errorf("a transaction reads what it has not committed: %v", err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	var results []netdb.Result
	if err := conn.Raw(func(c any) error { results = c.(*sqldriver.Conn).Results(); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(results) != 2 || results[0].Log != "a" || results[0].Count != 3 || results[1].Log != "b" || results[0].Token.Position().Ordinal != results[1].Token.Position().Ordinal {
		t.Errorf("%+v", results)
	}
	if n := one[int](t, p, "SELECT count(*) FROM (SELECT n FROM a UNION ALL SELECT n FROM b) t"); n != 4 {
		t.Errorf("%d events", n)
	}
	if n := one[int](t, p, "SELECT count(DISTINCT _ts) FROM logs('*')"); n != 1 {
		t.Errorf("%d frames", n)
	}

	// A context that ends rolls back.
	ctx, cancel := context.WithCancel(t.Context())
	tx = must(p.BeginTx(ctx, nil))
	exec(t, tx, "INSERT INTO a (n) VALUES (5)")
	cancel()
	if err := tx.Commit(); err == nil {
		t.Error("Commit after the context ended")
	}
	// A failed statement fails the transaction.
	tx = must(p.BeginTx(t.Context(), nil))
	exec(t, tx, "INSERT INTO a (n) VALUES (5)")
	if _, err := tx.Exec("INSERT INTO a (n) VALUES (1 // 0)"); err == nil {
		t.Error("division by zero")
	}
	if _, err := tx.Exec("INSERT INTO a (_kind) SELECT -1"); err == nil {
		t.Error("a bad kind")
	}
	if err := tx.Commit(); !errors.Is(err, netdb.ErrTxFailed) {
		t.Errorf("Commit after a failed INSERT: %v", err)
	}
	if n := one[int](t, p, "SELECT count(*) FROM a"); n != 3 {
		t.Errorf("%d events in a", n)
	}
	// A connection that is closed inside a transaction lets go of it.
	raw := must(sqldriver.NewConnector(must(netdb.OpenMemory(t.Context(), netdb.Options{}))).Connect(t.Context())).(*sqldriver.Conn)
	must(raw.Begin())
	if _, err := raw.Begin(); !errors.Is(err, sqldriver.ErrNested) {
		t.Errorf("a transaction in a transaction: %v", err)
	}
	if err := errors.Join(raw.Close(), raw.DB().Close()); err != nil {
		t.Error(err)
	}
	if _, err := raw.Prepare("SELECT 1"); !errors.Is(err, driver.ErrBadConn) {
		t.Errorf("a closed connection: %v", err)
	}
}

// TestTokens reads one's own writes from a fold, by the token of a connection and by that of another one.
func TestTokens(t *testing.T) {
	p, db := pool(t)
	type counts struct{ N fold.Table[string, int64] }
	if _, err := netdb.OpenFold(t.Context(), db, fold.Definition[counts]{Name: "counts", Logs: []string{"log", "other"}, Fold: fold.Func[counts](func(s *counts, _ redex.Event) error {
		n, _ := s.N.Get("all")
		s.N.Set("all", n+1)
		return nil
	})}); err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 100; i += 2 {
		conn := must(p.Conn(t.Context()))
		exec(t, conn, "INSERT INTO log (a) VALUES (?)", i)
		tx := must(conn.BeginTx(t.Context(), nil))
		exec(t, tx, "INSERT INTO other (a) VALUES (?)", i)
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		var token fold.WriteToken
		if err := conn.Raw(func(c any) error { token = c.(*sqldriver.Conn).Token(); return nil }); err != nil || token.IsZero() {
			t.Fatal(token, err)
		}
		conn.Close()
		if n := one[int](t, p, "SELECT value FROM folds.n WHERE key = ?", sqldriver.After(token), "all"); n != i+1 {
			t.Fatalf("after write %d the fold has %d", i+1, n)
		}
	}
	conn := must(p.Conn(t.Context()))
	defer conn.Close()
	if err := conn.Raw(func(c any) error {
		if tok := c.(*sqldriver.Conn).Token(); !tok.IsZero() {
			return fmt.Errorf("a token of somebody else: %s", tok)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	other, _ := pool(t)
	foreign := fold.TokenOf(redex.Position{Store: redex.StoreID{1}, Log: 1, Epoch: 1, Ordinal: 1})
	if _, err := other.Exec("SELECT 1", sqldriver.After(foreign)); !errors.Is(err, fold.ErrWrongOrigin) {
		t.Errorf("a token of another store: %v", err)
	}
}

// TestCancel checks that a context ends a query, before and between its rows, and that early Close lets everything go: TestMain
// looks for what is left.
func TestCancel(t *testing.T) {
	p, _ := pool(t)
	exec(t, p, "INSERT INTO log (a) SELECT 1 FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8)) a(x), (VALUES (1), (2), (3), (4), (5), (6), (7), (8)) b(x), (VALUES (1), (2), (3), (4)) c(x)")
	const endless = "SELECT count(*) FROM log a, log b, log c, log d, log e, log f"
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := p.QueryContext(ctx, "INSERT INTO never (a) "+endless); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an endless INSERT: %v", err)
	}
	rows, err := p.QueryContext(t.Context(), "SELECT a.a FROM log a, log b")
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	if rows, err = p.QueryContext(ctx, "SELECT a.a FROM log a, log b, log c"); err != nil || !rows.Next() {
		t.Fatal(err)
	}
	cancel()
	n := 0
	for rows.Next() {
		n++
	}
	if err := rows.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("after %d rows: %v", n, err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	if st := p.Stats(); st.InUse != 0 {
		t.Errorf("%d connections are in use", st.InUse)
	}
}

// TestPool uses pools of several sizes from many goroutines: prepared and direct statements, transactions and open rows.
func TestPool(t *testing.T) {
	for _, size := range []int{1, 2, 8} {
		p, _ := pool(t)
		p.SetMaxOpenConns(size)
		exec(t, p, "INSERT INTO log (who, n) VALUES (-1, 0)")
		st := must(p.Prepare("INSERT INTO log (who, n) VALUES (?, ?)"))
		const workers, each = 8, 20
		var wg sync.WaitGroup
		errs := make([]error, workers)
		for w := range workers {
			wg.Go(func() {
				for i := range each {
					if errs[w] = work(t.Context(), p, st, w, i); errs[w] != nil {
						return
					}
				}
			})
		}
		wg.Wait()
		if err := errors.Join(append(errs, st.Close())...); err != nil {
			t.Fatalf("%d connections: %v", size, err)
		}
		if n := one[int](t, p, "SELECT count(*) FROM log"); n != 1+workers*each*3 {
			t.Errorf("%d connections: %d events", size, n)
		}
		if st := p.Stats(); st.InUse != 0 || st.OpenConnections > size {
			t.Errorf("%+v", st)
		}
	}
}

// work writes three events and reads them.
func work(ctx context.Context, p *sql.DB, st *sql.Stmt, who, i int) error {
	if _, err := st.ExecContext(ctx, who, i); err != nil {
		return err
	}
	tx, err := p.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it says so
	for range 2 {
		if _, err := tx.StmtContext(ctx, st).ExecContext(ctx, who, i); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	rows, err := p.QueryContext(ctx, "SELECT n FROM log WHERE who = ? AND n = ?", who, i)
	if err != nil {
		return err
	}
	defer rows.Close()
	count := 0
	for ; rows.Next(); count++ {
		var n int
		if err := rows.Scan(&n); err != nil || n != i {
			return fmt.Errorf("read %d, want %d: %w", n, i, err)
		}
	}
	if count != 3 {
		return fmt.Errorf("worker %d reads %d of its events: %w", who, count, rows.Err())
	}
	return rows.Err()
}

// TestOpenRows reads several results at once, within a transaction on one connection too, and while others write.
func TestOpenRows(t *testing.T) {
	p, _ := pool(t)
	exec(t, p, "INSERT INTO log (a) VALUES (1), (2), (3)")
	tx := must(p.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true}))
	defer tx.Rollback() //nolint:errcheck // it is open
	a, b := must(tx.Query("SELECT a FROM log")), must(tx.Query("SELECT a * 10 FROM log"))
	var got []int
	for a.Next() && b.Next() {
		var x, y int
		if err := errors.Join(a.Scan(&x), b.Scan(&y)); err != nil {
			t.Fatal(err)
		}
		got = append(got, x, y)
		exec(t, p, "INSERT INTO log (a) VALUES (4)")
	}
	if err := errors.Join(a.Err(), b.Err(), a.Close(), b.Close()); err != nil || !cmp.Equal(got, []int{1, 10, 2, 20, 3, 30}) {
		t.Error(got, err)
	}
}

// TestClosed checks what a database that its owner has closed says, and that the pool does not try for ever.
func TestClosed(t *testing.T) {
	db := must(netdb.OpenMemory(t.Context(), netdb.Options{}))
	p := sql.OpenDB(sqldriver.NewConnector(db))
	defer p.Close()
	if err := p.Ping(); err != nil {
		t.Fatal(err)
	}
	tx := must(p.Begin())
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("INSERT INTO log (a) VALUES (1)"); !errors.Is(err, netdb.ErrClosed) {
		t.Errorf("in a transaction: %v", err)
	}
	if err := tx.Commit(); !errors.Is(err, netdb.ErrClosed) {
		t.Errorf("Commit: %v", err)
	}
	if _, err := p.Exec("SELECT 1"); !errors.Is(err, netdb.ErrClosed) {
		t.Errorf("a statement: %v", err)
	}
	if err := p.Ping(); !errors.Is(err, netdb.ErrClosed) {
		t.Errorf("Ping: %v", err)
	}
}
