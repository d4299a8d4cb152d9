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
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/query"
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
		{90 * time.Minute, "01:30:00"},
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
