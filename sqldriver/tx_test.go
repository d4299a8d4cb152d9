package sqldriver_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/sqldriver"
)

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
