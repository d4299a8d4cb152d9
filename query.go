package netdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/query"
	qsql "github.com/seed69692123/netdb/query/sql"
	"github.com/seed69692123/netdb/redex"
)

// ErrBudget is returned when a query needs more memory than its limit and cannot use temporary files instead, or more of those
// than theirs; see exec.BudgetError.
var ErrBudget = exec.ErrBudget

// Statement is a query with its arguments and the choices of one run.
type Statement struct {
	SQL string
	// Args are the values of $1, $2, …; a sql.NamedArg is the value of :name.
	Args []any
	// After, when set, makes the query wait until the folds that read the token's log include that write. Logs always do.
	After  fold.WriteToken
	Limits Limits
	// Durable is that of what an INSERT appends outside of a transaction.
	Durable redex.Durability
	// SingleTypes gives every column one type before the rows: a payload field has the one that all its values have, DOUBLE for mixed
	// numbers, and JSON is what has none. Values are brought to it. It may cost a walk over events that no query has read yet.
	SingleTypes bool
	// Tx, when set, is the transaction that the statement is a part of.
	Tx *Tx
}

// Limits of one run of a query. Zero values are those of Options.
type Limits struct {
	Timeout   time.Duration // of the whole query, waiting and reading of the rows included; 0 means none
	Bytes     int64         // of memory
	Threads   int
	BatchRows int
	// Columns says whether events are read by column: where it pays, as a rule. Answers do not depend on it.
	Columns ColumnUse
}

// ColumnUse says whether a query reads the events of logs by column.
type ColumnUse = planner.ColumnUse

// The uses of columns.
const (
	// ColumnsAuto reads column files where there are any, and makes them of sealed events when a query wants enough of those.
	ColumnsAuto = planner.ColumnsAuto
	// ColumnsNever reads events one by one.
	ColumnsNever = planner.ColumnsNever
	// ColumnsAlways makes columns of all events that a query wants, however few: to compare, or to test.
	ColumnsAlways = planner.ColumnsAlways
)

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
	return stmt.Do(ctx, s)
}

// Stmt is a parsed statement, bound anew to the tables at each run. It is safe for concurrent use and needs no Close.
type Stmt struct {
	db   *DB
	text string
	ast  query.Stmt
}

// Prepare parses a statement. It does not look at the tables: they are those of each run.
func (db *DB) Prepare(ctx context.Context, sql string) (*Stmt, error) {
	return db.PrepareWith(ctx, sql, qsql.Options{})
}

// PrepareWith is Prepare of a text that is written by other rules than usual, such as those of package database/sql.
func (db *DB) PrepareWith(ctx context.Context, sql string, o qsql.Options) (*Stmt, error) {
	if err := db.check(ctx); err != nil {
		return nil, err
	}
	ast, err := qsql.Parse(sql, o)
	if err != nil {
		return nil, err
	}
	return &Stmt{db: db, text: sql, ast: ast}, nil
}

// Query runs the statement with these arguments.
func (s *Stmt) Query(ctx context.Context, args ...any) (*Rows, error) {
	return s.Do(ctx, Statement{Args: args})
}

// Do runs the statement with the arguments and choices of st, whose SQL is not looked at.
func (s *Stmt) Do(ctx context.Context, st Statement) (*Rows, error) {
	db := s.db
	if err := db.check(ctx); err != nil {
		return nil, err
	}
	o := planner.Options{Text: s.text, Zone: db.o.Zone}
	if err := arguments(&o, st.Args); err != nil {
		return nil, err
	}
	cancel := func() {}
	if st.Limits.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, st.Limits.Timeout)
	}
	rows, err := s.start(ctx, o, st)
	if err != nil {
		cancel()
		db.counts.failed.Add(1)
		return nil, err
	}
	db.counts.active.Add(1)
	rows.done = func() {
		cancel()
		db.counts.active.Add(-1)
	}
	return rows, nil
}

func (s *Stmt) start(ctx context.Context, o planner.Options, st Statement) (rows *Rows, err error) {
	db := s.db
	db.counts.queries.Add(1)
	if !st.After.IsZero() {
		if err := db.Wait(ctx, st.After); err != nil {
			return nil, err
		}
	}
	if defines(s.ast) {
		if st.Tx != nil {
			return nil, query.Errorf(s.ast, query.CodeUnsupported, "a transaction cannot define anything").In(s.text)
		}
		if err := db.runDefinition(ctx, s.ast, o); err != nil {
			return nil, err
		}
		return &Rows{unpin: func() {}, ctx: ctx, s: nothing{}, zone: db.o.Zone}, nil
	}
	cat, unpin, err := db.catalogOf(st.Tx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			unpin()
		}
	}()
	plan, err := planner.Make(ctx, cat, s.ast, o)
	if err != nil {
		return nil, err
	}
	run := planner.RunOptions{BatchRows: db.o.BatchRows, Threads: db.o.QueryThreads, MemoryBytes: db.o.QueryBytes, Spill: db.spill, GiveWay: db.store.GiveWay}
	if st.Limits.BatchRows > 0 {
		run.BatchRows = min(st.Limits.BatchRows, maxBatchRows)
	}
	if run.Columns = st.Limits.Columns; run.Columns == ColumnsAuto {
		run.Columns = db.o.Columns
	}
	if st.Limits.Threads > 0 {
		run.Threads = st.Limits.Threads
	}
	if st.Limits.Bytes > 0 {
		run.MemoryBytes = st.Limits.Bytes
	}
	if plan.Insert() != nil {
		return s.insert(ctx, unpin, plan, run, o, st)
	}
	result, err := planner.Run(ctx, plan, run)
	if err != nil {
		return nil, err
	}
	rows = &Rows{unpin: unpin, ctx: ctx, s: result, position: Position{Cut: cat.cut, Tables: result.Positions()}, zone: db.o.Zone}
	if err := rows.setColumns(ctx, plan, st.SingleTypes); err != nil {
		return nil, errors.Join(err, result.Close())
	}
	return rows, nil
}

// arguments turns Go values into those of a statement's parameters.
func arguments(o *planner.Options, args []any) error {
	for i, a := range args {
		named, isNamed := a.(sql.NamedArg)
		if isNamed {
			a = named.Value
		}
		v, err := valueOf(a)
		if err != nil {
			return fmt.Errorf("netdb: argument %d: %w", i+1, err)
		}
		if !isNamed {
			o.Args = append(o.Args, v)
			continue
		}
		if o.Named == nil {
			o.Named = map[string]query.Value{}
		}
		if _, ok := o.Named[named.Name]; ok {
			return fmt.Errorf("netdb: argument %d: a second value for :%s", i+1, named.Name)
		}
		o.Named[named.Name] = v
	}
	return nil
}
