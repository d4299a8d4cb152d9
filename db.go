package netdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/memories"
	"github.com/seed69692123/netdb/planner/logscan"
	"github.com/seed69692123/netdb/planner/spill"
	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/tasks"
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	store *redex.Store
	o     Options

	waiters *fold.WaitLimit
	fields  *logscan.Catalogues
	spill   *spill.Dir // temporary files of queries
	counts  counts

	schema  schema
	indexes indexes

	foldMu      sync.Mutex // also held while a fold opens, so that its name is taken once
	folds       []fold.Instance
	tasks       *tasks.Tasks
	memories    *memories.Memories
	foldsClosed bool

	shredding     sync.WaitGroup
	stopShredding context.CancelFunc       // nil: there is none
	tails         map[redex.LogID]struct{} // logs whose last chunk is to be shredded; of shred, then of Close

	closing atomic.Bool
	once    sync.Once
	err     error // of Close
}

// Open opens the database in dir, and creates it there when dir does not exist or is empty. It returns redex.ErrLocked when
// another process has it open, and redex.ErrFormat when dir holds something else or a newer format.
func Open(ctx context.Context, dir string, o Options) (*DB, error) {
	return open(o, func(o Options) (*redex.Store, error) { return redex.Open(ctx, dir, o.Store) })
}

// OpenMemory makes a database that lives in memory and is gone with Close.
func OpenMemory(ctx context.Context, o Options) (*DB, error) {
	return open(o, func(o Options) (*redex.Store, error) { return redex.OpenMemory(ctx, o.Store) })
}

func open(o Options, store func(Options) (*redex.Store, error)) (*DB, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	s, err := store(o)
	if err != nil {
		return nil, err
	}
	db := &DB{
		store: s, o: o, waiters: fold.NewWaitLimit(o.MaxWaiters), fields: logscan.New(s),
		spill: spill.Open(spill.Options{Path: o.tempDir(s.Dir()), LimitBytes: o.TempBytes}), tails: map[redex.LogID]struct{}{},
	}
	db.openIndexes(context.Background())
	if o.Columns != ColumnsNever && !o.Store.ReadOnly {
		db.fields.ShredAhead()
		ctx, cancel := context.WithCancel(context.Background())
		db.stopShredding = cancel
		db.shredding.Go(func() { db.shred(ctx) })
	}
	return db, nil
}

const (
	tailsAfter   = 2 * time.Second // without sealing, the tails of logs are shredded
	tailsAtClose = time.Second     // is how long Close takes for that
)

// shred makes column files of the chunks that sealing completes, one at a time, and rests as long as each one took: queries make those
// they come upon themselves. Once nothing was sealed for a while it makes those of tails, for who opens the database next.
func (db *DB) shred(ctx context.Context) {
	rest, quiet := time.NewTimer(0), time.NewTimer(tailsAfter)
	defer rest.Stop()
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-quiet.C:
			db.shredTails(ctx)
			continue
		case <-db.store.Columns().Grown():
			quiet.Reset(tailsAfter)
		}
		for _, id := range db.store.Columns().TakeWhole() {
			l, err := db.store.LogByID(id)
			for chunk := uint64(0); err == nil; chunk++ {
				began := time.Now()
				var more bool
				if more, err = db.fields.Shred(ctx, l, chunk); !more {
					break
				}
				rest.Reset(time.Since(began))
				select {
				case <-ctx.Done():
					return
				case <-rest.C:
				}
			}
		}
	}
}

// shredTails makes column files of the tails that sealing has made longer.
func (db *DB) shredTails(ctx context.Context) {
	for _, id := range db.store.Columns().TakeTails() {
		db.tails[id] = struct{}{}
	}
	for id := range db.tails {
		if l, err := db.store.LogByID(id); err == nil { // else it is deleted, or who reads it is told
			db.fields.ShredTail(ctx, l)
		}
		if ctx.Err() != nil {
			return
		}
		delete(db.tails, id)
	}
}

// shredLast makes them when the database is closed, as far as that is soon done.
func (db *DB) shredLast() {
	if db.store.Dir() == "" { // nobody opens it again
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), tailsAtClose)
	defer cancel()
	db.store.SealLast()
	db.shredTails(ctx)
}

// Store returns the logs below the database.
func (db *DB) Store() *redex.Store { return db.store }

// CreateLog makes a log: redex.ErrLogExists when there is one of that name.
func (db *DB) CreateLog(ctx context.Context, name string, o redex.LogOptions) (*redex.Log, error) {
	return db.store.Create(ctx, name, o)
}

// Log returns the log of that name, or redex.ErrNoLog.
func (db *DB) Log(name string) (*redex.Log, error) { return db.store.Log(name) }

// OpenLog returns the log of that name and makes it when there is none; o applies only to a log that is made.
func (db *DB) OpenLog(ctx context.Context, name string, o redex.LogOptions) (*redex.Log, error) {
	return db.store.OpenLog(ctx, name, o)
}

// DeleteLog deletes a log and its events.
func (db *DB) DeleteLog(ctx context.Context, name string) error { return db.store.Delete(ctx, name) }

// Logs returns the logs whose names begin with prefix, in name order.
func (db *DB) Logs(prefix string) iter.Seq2[redex.LogInfo, error] { return db.store.Logs(prefix) }

// MustJSON returns an entry whose payload is v as JSON. It panics when encoding/json refuses v, which depends on v's type only.
func MustJSON(v any) redex.Entry {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("netdb: MustJSON of %T: %v", v, err))
	}
	return redex.Entry{Encoding: redex.JSON, Payload: b}
}

// Sync returns when everything appended before the call is durable.
func (db *DB) Sync(ctx context.Context) error { return db.store.Sync(ctx) }

// alive returns ErrClosed once Close was called.
func (db *DB) alive() error {
	if db.closing.Load() {
		return ErrClosed
	}
	return nil
}

// check returns the error of an operation that must not begin.
func (db *DB) check(ctx context.Context) error {
	if err := db.alive(); err != nil {
		return err
	}
	return ctx.Err()
}

// Close ends watches, waits and tails, stops the folds after writing their checkpoints, makes everything durable and releases
// the directory. Queries in progress end with an error. It takes up to a second more to make column files for who opens the database
// next. It is idempotent, closes everything whatever fails, and reports all that failed.
func (db *DB) Close() error {
	db.once.Do(func() {
		db.closing.Store(true)
		var errs []error
		db.foldMu.Lock()
		db.foldsClosed = true
		for _, f := range slices.Backward(db.folds) {
			errs = append(errs, f.Close())
		}
		db.foldMu.Unlock()
		errs = append(errs, db.closeIndexes())
		if db.stopShredding != nil {
			db.stopShredding()
			db.shredding.Wait()
			db.shredLast()
		}
		if !db.o.Store.ReadOnly {
			errs = append(errs, db.fields.Save(context.Background()))
		}
		db.fields.Close()
		errs = append(errs, db.store.Close())
		db.err = errors.Join(errs...)
	})
	return db.err
}
