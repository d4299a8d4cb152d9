package netdb_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/redex"
)

// TestTx checks that a transaction's queries see one moment, and that its INSERTs are one batch over their logs.
func TestTx(t *testing.T) {
	db := memoryDB(t, netdb.Options{})
	ctx := t.Context()
	mustExec(t, db, "INSERT INTO a (n) VALUES (1)")
	tx := must(db.Begin(ctx, netdb.TxOptions{}))
	mustExec(t, db, "INSERT INTO a (n) VALUES (2)")
	for _, sql := range []string{"INSERT INTO a (n) SELECT n + 10 FROM a", "INSERT INTO new/log (n) VALUES (1)", `INSERT INTO "new/log" (n) VALUES (1), (2)`, "INSERT INTO a (n) VALUES (12)", "INSERT INTO nothing (n) SELECT 1 WHERE false"} {
		r, err := tx.Exec(ctx, sql)
		if strings.Contains(sql, "INTO new/") {
			if err == nil {
				t.Error("a name without quotes")
			}
			continue
		}
		if err != nil || !r.Token.IsZero() {
			t.Fatal(sql, r, err)
		}
	}
	count := func(tx *netdb.Tx, sql string) string {
		t.Helper()
		return strings.Join(linesOf(t, db, netdb.Statement{SQL: sql, Tx: tx}), " ")
	}
	if got := count(tx, "SELECT n FROM a"); got != "1" {
		t.Errorf("the transaction sees %s", got)
	}
	if got := count(nil, "SELECT n FROM a"); got != "1 2" {
		t.Errorf("others see %s", got)
	}
	if _, err := db.Log("new/log"); err == nil {
		t.Error("a log was made before Commit")
	}
	results, err := tx.Commit(ctx)
	if err != nil || len(results) != 2 {
		t.Fatal(results, err)
	}
	if results[0].Log != "a" || results[0].Count != 2 || results[0].First != 2 || results[1].Log != "new/log" || results[1].Count != 2 {
		t.Errorf("%+v", results)
	}
	if results[0].Token.Position().Ordinal != results[1].Token.Position().Ordinal {
		t.Error("two frames")
	}
	if got := count(nil, `SELECT n FROM a UNION ALL SELECT n FROM "new/log"`); got != "1 2 11 12 1 2" {
		t.Errorf("after Commit: %s", got)
	}
	if _, err := db.Log("nothing"); err == nil {
		t.Error("an INSERT of nothing made a log")
	}
	if _, err := tx.Commit(ctx); !errors.Is(err, netdb.ErrTxDone) {
		t.Errorf("a second Commit: %v", err)
	}
	if _, err := tx.Query(ctx, "SELECT 1"); !errors.Is(err, netdb.ErrTxDone) {
		t.Errorf("a query after Commit: %v", err)
	}

	tx = must(db.Begin(ctx, netdb.TxOptions{ReadOnly: true}))
	if _, err := tx.Exec(ctx, "INSERT INTO a (n) VALUES (1)"); !errors.Is(err, netdb.ErrTxReadOnly) {
		t.Errorf("INSERT in a read-only transaction: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}

	tx = must(db.Begin(ctx, netdb.TxOptions{}))
	if _, err := tx.Exec(ctx, "INSERT INTO a (n) VALUES (100)"); err != nil {
		t.Error(err)
	}
	if _, err := tx.Exec(ctx, "INSERT INTO a (n) VALUES (1) RETURNING _seq"); err == nil || !strings.Contains(err.Error(), "RETURNING") {
		t.Errorf("RETURNING: %v", err)
	}
	if _, err := tx.Exec(ctx, "INSERT INTO a (_kind) VALUES (-1)"); err == nil {
		t.Error("a bad kind")
	}
	if _, err := tx.Commit(ctx); !errors.Is(err, netdb.ErrTxFailed) || !strings.Contains(err.Error(), "kind") {
		t.Errorf("Commit after a failure: %v", err)
	}
	other := memoryDB(t, netdb.Options{})
	tx = must(db.Begin(ctx, netdb.TxOptions{}))
	if _, err := other.Do(ctx, netdb.Statement{SQL: "SELECT 1", Tx: tx}); err == nil {
		t.Error("a transaction of another database")
	}
	if _, err := tx.Exec(ctx, "INSERT INTO a (n) VALUES (100)"); err != nil {
		t.Error(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
	if got := count(nil, "SELECT count(*) FROM a WHERE n = 100"); got != "0" {
		t.Errorf("%s events of transactions that did not commit", got)
	}
}

// TestTxPin checks that the moment of a transaction is held until it has ended and its rows are closed: compaction by key waits.
func TestTxPin(t *testing.T) {
	db := memoryDB(t, netdb.Options{Store: redex.Options{MaintainRate: -1}})
	ctx := t.Context()
	log := must(db.OpenLog(ctx, "log", redex.LogOptions{Compaction: redex.Compaction{ByKey: true}}))
	mustExec(t, db, "INSERT INTO log (_key, n) VALUES ('k', 1)")
	tx := must(db.Begin(ctx, netdb.TxOptions{ReadOnly: true}))
	mustExec(t, db, "INSERT INTO log (_key, n) VALUES ('k', 2)")
	mustExec(t, db, "INSERT INTO log (_key, n) VALUES ('other', 3)")
	compact := func() int64 {
		t.Helper()
		if err := db.Store().Seal(ctx); err != nil {
			t.Fatal(err)
		}
		return must(log.Compact(ctx))
	}
	rows := must(tx.Query(ctx, "SELECT n FROM log"))
	if n := compact(); n != 0 {
		t.Errorf("compaction took %d events that a transaction sees", n)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n := compact(); n != 0 {
		t.Errorf("compaction took %d events that rows see", n)
	}
	if err := errors.Join(rows.Close(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	if n := compact(); n != 1 {
		t.Errorf("compaction took %d events, want 1", n)
	}
}
