package sqldriver

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/seed69692123/netdb"
)

// stmt is a prepared statement. It is parsed once, and bound to the tables at each run.
type stmt struct {
	conn *Conn
	stmt *netdb.Stmt
}

var (
	_ driver.StmtExecContext  = (*stmt)(nil)
	_ driver.StmtQueryContext = (*stmt)(nil)
)

// Close implements driver.Stmt.
func (s *stmt) Close() error { return nil }

// NumInput implements driver.Stmt: the planner counts the arguments, and knows which is missing.
func (s *stmt) NumInput() int { return -1 }

// Exec implements driver.Stmt.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), named(args))
}

// Query implements driver.Stmt.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), named(args))
}

func named(args []driver.Value) []driver.NamedValue {
	out := make([]driver.NamedValue, len(args))
	for i, v := range args {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return out
}

// ExecContext implements driver.StmtExecContext.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	r, err := s.run(ctx, args, false)
	if err != nil {
		return nil, err
	}
	for r.Next() {
		continue
	}
	if err := s.conn.note(nil, r.Err()); err != nil {
		return nil, err
	}
	return result{r.Result()}, nil
}

// QueryContext implements driver.StmtQueryContext.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	r, err := s.run(ctx, args, true)
	if err != nil {
		return nil, err
	}
	return newRows(s.conn, r), nil
}

func (s *stmt) run(ctx context.Context, args []driver.NamedValue, single bool) (*netdb.Rows, error) {
	if s.conn.closed {
		return nil, driver.ErrBadConn
	}
	values, wait := arguments(args)
	r, err := s.stmt.Do(ctx, netdb.Statement{Args: values, After: wait, Tx: s.conn.tx, SingleTypes: single})
	if s.conn.note(nil, err) != nil {
		return nil, err
	}
	if done := r.Result(); !done.Token.IsZero() {
		s.conn.results = []netdb.Result{done}
	}
	return r, nil
}

// ErrNoSequence is returned by LastInsertId where no event has a sequence: of statements that appended nothing, and in transactions,
// whose events get theirs when they commit.
var ErrNoSequence = errors.New("sqldriver: no event of the statement has a sequence")

// result is a driver.Result.
type result struct{ netdb.Result }

// LastInsertId implements driver.Result: the sequence of the last event.
func (r result) LastInsertId() (int64, error) {
	if r.Token.IsZero() {
		return 0, ErrNoSequence
	}
	return int64(r.Last), nil
}

// RowsAffected implements driver.Result: the number of events.
func (r result) RowsAffected() (int64, error) { return r.Count, nil }
