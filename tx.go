package netdb

import (
	"context"
	"errors"
	"sync"

	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

// Conditions of transactions.
var (
	ErrTxDone     = errors.New("netdb: transaction has ended")    // every use after Commit or Rollback
	ErrTxReadOnly = errors.New("netdb: transaction is read-only") // INSERT in a transaction that was begun so
	ErrTxFailed   = errors.New("netdb: a statement of it failed") // Commit, after an INSERT in the transaction failed
	errTxOther    = errors.New("netdb: the transaction is of another database")
)

// TxOptions are the choices of a transaction.
type TxOptions struct {
	ReadOnly bool
	// Durable is that of the batch which Commit appends.
	Durable redex.Durability
}

// Tx is a transaction: queries that all see the database at the moment it was begun, and INSERTs that are gathered and appended by
// Commit as one batch over all their logs, so that all of it is there or nothing.
//
// Queries do not see what the transaction has not committed yet. The sequences of events are given by Commit: RETURNING is
// refused. Nothing is locked, and Commit never conflicts with other writers: it appends. An INSERT that failed makes Commit fail.
// A fold is seen in the state in which the first query that reads tables finds it.
//
// Events that compaction by key would take stay until the transaction has ended and its rows are closed: a Tx must be ended. It is
// safe for concurrent use.
type Tx struct {
	db  *DB
	o   TxOptions
	cat *catalog

	writing sync.Mutex // one INSERT runs at a time, so that together they keep within the limits; taken before mu
	size    gathered   // sums over what was gathered: bytes and held

	mu      sync.Mutex
	done    bool
	failed  error
	inserts []*gathered
	users   int // queries whose rows are open, and the transaction itself until it ends
}

// Begin begins a transaction. ctx covers this call only.
func (db *DB) Begin(ctx context.Context, o TxOptions) (*Tx, error) {
	if err := db.check(ctx); err != nil {
		return nil, err
	}
	return &Tx{db: db, o: o, cat: db.newCatalog(), users: 1}, nil
}

// Cut returns the moment that the transaction's queries see.
func (tx *Tx) Cut() redex.Cut { return tx.cat.cut }

// Query runs a query in the transaction.
func (tx *Tx) Query(ctx context.Context, sql string, args ...any) (*Rows, error) {
	return tx.db.Do(ctx, Statement{SQL: sql, Args: args, Tx: tx})
}

// Exec runs a statement in the transaction. Of an INSERT it returns the log and the number of events.
func (tx *Tx) Exec(ctx context.Context, sql string, args ...any) (Result, error) {
	return tx.db.exec(ctx, Statement{SQL: sql, Args: args, Tx: tx})
}

// Commit ends the transaction and appends what was gathered. It returns a result for each log in the order of its first INSERT,
// also beside a redex.ErrInDoubt. With another error nothing was appended, but that logs which were to be made may be there, empty.
func (tx *Tx) Commit(ctx context.Context) ([]Result, error) {
	inserts, err := tx.end()
	if err != nil {
		return nil, err
	}
	if err := tx.db.check(ctx); err != nil {
		return nil, doing("commit", err)
	}
	return tx.db.appendGathered(ctx, inserts, tx.o.Durable)
}

// Rollback ends the transaction and drops what was gathered. After Commit it is ErrTxDone and does nothing.
func (tx *Tx) Rollback() error {
	_, err := tx.end()
	if errors.Is(err, ErrTxFailed) {
		return nil
	}
	return err
}

// end ends the transaction and returns what it has gathered.
func (tx *Tx) end() ([]*gathered, error) {
	tx.mu.Lock()
	if tx.done {
		tx.mu.Unlock()
		return nil, ErrTxDone
	}
	tx.done = true
	inserts, failed := tx.inserts, tx.failed
	tx.inserts = nil
	tx.mu.Unlock()
	tx.release()
	if failed != nil {
		return nil, &txFailedError{failed}
	}
	return inserts, nil
}

// txFailedError is ErrTxFailed with what failed.
type txFailedError struct{ cause error }

func (e *txFailedError) Error() string        { return ErrTxFailed.Error() + ": " + e.cause.Error() }
func (e *txFailedError) Is(target error) bool { return target == ErrTxFailed }
func (e *txFailedError) Unwrap() error        { return e.cause }

// catalogOf returns what a statement sees, and the function that lets go of it, which is idempotent.
func (db *DB) catalogOf(tx *Tx) (*catalog, func(), error) {
	if tx == nil {
		cat := db.newCatalog()
		return cat, cat.unpin, nil
	}
	if tx.db != db {
		return nil, nil, errTxOther
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if tx.done {
		return nil, nil, ErrTxDone
	}
	tx.users++
	return tx.cat, sync.OnceFunc(tx.release), nil
}

// release counts a user off; the last one lets go of the moment.
func (tx *Tx) release() {
	tx.mu.Lock()
	tx.users--
	last := tx.users == 0
	tx.mu.Unlock()
	if last {
		tx.cat.unpin()
	}
}

// insert gathers the events of an INSERT.
func (tx *Tx) insert(ctx context.Context, s *Stmt, ast *query.Insert, plan *planner.Plan, run planner.RunOptions) (*gathered, error) {
	switch {
	case tx.o.ReadOnly:
		return nil, ErrTxReadOnly
	case ast.Returning != nil:
		return nil, query.Errorf(ast.Returning[0], query.CodeUnsupported, "RETURNING is not possible in a transaction: its events get their sequences when it commits").In(s.text)
	}
	tx.writing.Lock()
	defer tx.writing.Unlock()
	g, err := tx.db.gather(ctx, plan, run, s.text, &tx.size)
	tx.mu.Lock()
	defer tx.mu.Unlock()
	switch {
	case tx.done:
		return nil, ErrTxDone
	case err != nil:
		tx.failed = err
		return nil, err
	}
	tx.inserts = append(tx.inserts, g)
	tx.size.bytes += g.bytes
	tx.size.held += g.held
	return g, nil
}
