package netdb

import (
	"context"
	"errors"
	"time"

	"github.com/seed69692123/netdb/fold"
)

// Statement is a query with its arguments and the choices of one run.
type Statement struct {
	SQL string
	// Args are the values of $1, $2, …; a sql.NamedArg is the value of :name.
	Args []any
	// After, when set, makes the query wait until the folds it reads include that write. Logs always do.
	After  fold.WriteToken
	Limits Limits
}

// Limits of one run of a query. Zero values are those of Options.
type Limits struct {
	Timeout   time.Duration // of the whole query, waiting and reading of the rows included; 0 means none
	Bytes     int64         // of memory
	Threads   int
	BatchRows int
}

// Query runs a query. Its arguments are the values of $1, $2, …, or sql.NamedArg for :name. ctx covers the reading of the rows
// too. An error in the statement is a *query.Error that says where.
func (db *DB) Query(ctx context.Context, sql string, args ...any) (*Rows, error) {
	return db.Do(ctx, Statement{SQL: sql, Args: args})
}

// Do runs a statement.
func (db *DB) Do(ctx context.Context, s Statement) (*Rows, error) {
	stmt, err := db.Prepare(ctx, s.SQL)
	if err != nil {
		return nil, err
	}
	return stmt.do(ctx, s)
}

// Stmt is a parsed statement, bound anew to the tables at each run. It is safe for concurrent use and needs no Close.
type Stmt struct {
	db   *DB
	text string
}

// Prepare parses a statement.
func (db *DB) Prepare(ctx context.Context, sql string) (*Stmt, error) {
	if err := db.check(ctx); err != nil {
		return nil, err
	}
	return &Stmt{db: db, text: sql}, nil
}

// Query runs the statement with other arguments.
func (s *Stmt) Query(ctx context.Context, args ...any) (*Rows, error) {
	return s.do(ctx, Statement{SQL: s.text, Args: args})
}

func (s *Stmt) do(ctx context.Context, st Statement) (*Rows, error) {
	return nil, errors.New("netdb: queries are being connected")
}
