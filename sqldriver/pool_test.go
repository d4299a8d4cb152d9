package sqldriver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/sqldriver"
)

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
	if err := rows.Close(); err != nil { // waits for the one that the context has begun
		t.Error(err)
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
		if err := errors.Join(errors.Join(errs...), st.Close()); err != nil {
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
