package sqldriver

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"

	qsql "github.com/seed69692123/netdb/query/sql"
)

// Conn is a connection. Users of database/sql reach it through sql.Conn.Raw:
//
//	err := conn.Raw(func(c any) error { token = c.(*sqldriver.Conn).Token(); return nil })
type Conn struct {
	db      *netdb.DB
	tx      *netdb.Tx // nil outside of a transaction
	results []netdb.Result
	release func() error // of a connection that holds its handle alone
	closed  bool
	lost    bool // the database was closed
}

var (
	_ driver.Conn               = (*Conn)(nil)
	_ driver.ConnBeginTx        = (*Conn)(nil)
	_ driver.ConnPrepareContext = (*Conn)(nil)
	_ driver.ExecerContext      = (*Conn)(nil)
	_ driver.QueryerContext     = (*Conn)(nil)
	_ driver.NamedValueChecker  = (*Conn)(nil)
	_ driver.Pinger             = (*Conn)(nil)
	_ driver.SessionResetter    = (*Conn)(nil)
	_ driver.Validator          = (*Conn)(nil)
)

// DB returns the database.
func (c *Conn) DB() *netdb.DB { return c.db }

// Results returns what the last INSERT or Commit of the connection appended, a result for each log. The pool clears it when
// somebody else gets the connection.
func (c *Conn) Results() []netdb.Result { return c.results }

// Token returns the token of that, zero when there is none. Of a Commit to several logs, whose events are one batch, it is that of
// the last log in Results; waiting for each of them is waiting for all folds.
func (c *Conn) Token() fold.WriteToken {
	if len(c.results) == 0 {
		return fold.WriteToken{}
	}
	return c.results[len(c.results)-1].Token
}

// note remembers what a statement appended, and whether its error ends the connection.
func (c *Conn) note(results []netdb.Result, err error) error {
	if len(results) > 0 && results[0].Count > 0 {
		c.results = results
	}
	if errors.Is(err, netdb.ErrClosed) || errors.Is(err, redex.ErrClosed) {
		c.lost = true
	}
	return err
}

// Prepare implements driver.Conn.
func (c *Conn) Prepare(text string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), text)
}

// PrepareContext implements driver.ConnPrepareContext.
func (c *Conn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	if c.closed {
		return nil, driver.ErrBadConn
	}
	s, err := c.db.PrepareWith(ctx, text, qsql.Options{QuestionMarks: true})
	if c.note(nil, err) != nil {
		return nil, err
	}
	return &stmt{c, s}, nil
}

// ExecContext implements driver.ExecerContext.
func (c *Conn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return s.(*stmt).ExecContext(ctx, args)
}

// QueryContext implements driver.QueryerContext.
func (c *Conn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return s.(*stmt).QueryContext(ctx, args)
}

// Ping implements driver.Pinger.
func (c *Conn) Ping(ctx context.Context) error {
	_, err := c.PrepareContext(ctx, "SELECT 1")
	return err
}

// ResetSession implements driver.SessionResetter.
func (c *Conn) ResetSession(context.Context) error {
	if !c.IsValid() {
		return driver.ErrBadConn // nothing has been done yet: another connection can do it
	}
	c.results = nil
	return nil
}

// IsValid implements driver.Validator.
func (c *Conn) IsValid() bool { return !c.closed && !c.lost }

// Close implements driver.Conn. A transaction that is still open is rolled back.
func (c *Conn) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	var errs []error
	if c.tx != nil {
		errs = append(errs, c.tx.Rollback())
		c.tx = nil
	}
	if c.release != nil {
		errs = append(errs, c.release())
	}
	return errors.Join(errs...)
}

// ErrIsolation is returned for isolation levels that there are not.
var ErrIsolation = errors.New("sqldriver: no such isolation level: a transaction is a snapshot")

// ErrNested is returned for a transaction inside a transaction.
var ErrNested = errors.New("sqldriver: the connection is in a transaction")

// Begin implements driver.Conn.
func (c *Conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx implements driver.ConnBeginTx.
func (c *Conn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if c.closed {
		return nil, driver.ErrBadConn
	}
	if c.tx != nil {
		return nil, ErrNested
	}
	switch level := sql.IsolationLevel(o.Isolation); level {
	case sql.LevelDefault, sql.LevelSnapshot:
	default:
		return nil, fmt.Errorf("%w, not %v", ErrIsolation, level)
	}
	tx, err := c.db.Begin(ctx, netdb.TxOptions{ReadOnly: o.ReadOnly})
	if c.note(nil, err) != nil {
		return nil, err
	}
	c.tx = tx
	return &transaction{c, tx, context.WithoutCancel(ctx)}, nil
}

// transaction is a driver.Tx. Its context has the values of the one it was begun with; that one's end rolls back, by database/sql,
// which must not stop a Commit halfway.
type transaction struct {
	conn *Conn
	tx   *netdb.Tx
	ctx  context.Context
}

// Commit implements driver.Tx.
func (t *transaction) Commit() error {
	t.conn.tx = nil
	results, err := t.tx.Commit(t.ctx)
	return t.conn.note(results, err)
}

// Rollback implements driver.Tx.
func (t *transaction) Rollback() error {
	t.conn.tx = nil
	return t.tx.Rollback()
}
