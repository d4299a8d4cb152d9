package netdb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/memories"
	"github.com/seed69692123/netdb/redex"
	"github.com/seed69692123/netdb/tasks"
)

// Conditions of the folds of a database.
var (
	ErrFoldOpen   = fold.ErrOpen                                       // OpenFold, Tasks, Memories: the name is taken
	ErrTableTaken = errors.New("netdb: table name is taken by a fold") // OpenFold: another fold has a table of that name
	ErrClosed     = errors.New("netdb: closed")                        // every operation after Close
)

// OpenFold opens a fold over logs of the database and keeps it until db is closed: its tables can be queried by name, Wait and
// Snapshot include it. It does not wait for the logs to be folded: see (*fold.Handle).CatchUp. A name can be open once
// (ErrFoldOpen), and so can the name of a table (ErrTableTaken).
func OpenFold[S any](ctx context.Context, db *DB, def fold.Definition[S]) (*fold.Handle[S], error) {
	if err := db.check(ctx); err != nil {
		return nil, err
	}
	db.foldMu.Lock()
	defer db.foldMu.Unlock()
	if db.foldsClosed {
		return nil, ErrClosed
	}
	if slices.ContainsFunc(db.folds, func(f fold.Instance) bool { return f.Name() == def.Name }) {
		return nil, doing(fmt.Sprintf("open fold %q", def.Name), ErrFoldOpen)
	}
	if def.Options.Waiters == nil {
		def.Options.Waiters = db.waiters
	}
	if def.Options.Logger == nil {
		def.Options.Logger = db.o.Store.Logger
	}
	h, err := fold.Open(ctx, db.store, def)
	if err != nil {
		return nil, err
	}
	if err := db.addFoldLocked(h); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// addFoldLocked keeps a fold unless one of its tables has a name that is taken.
func (db *DB) addFoldLocked(f fold.Instance) error {
	frozen, err := f.Frozen()
	if err != nil {
		return err
	}
	for _, t := range frozen.Tables() {
		if _, err := db.foldTableLocked(t.Name()); !errors.Is(err, errNoTable) {
			return doing(fmt.Sprintf("open fold %q", f.Name()), fmt.Errorf("%w: %q", ErrTableTaken, t.Name()))
		}
	}
	db.folds = append(db.folds, f)
	return nil
}

var errNoTable = errors.New("netdb: no such table")

// foldTableLocked returns the fold that has a table of that name.
func (db *DB) foldTableLocked(name string) (fold.Instance, error) {
	for _, f := range db.folds {
		frozen, err := f.Frozen()
		if err != nil {
			return nil, err
		}
		for _, t := range frozen.Tables() {
			if t.Name() == name {
				return f, nil
			}
		}
	}
	return nil, errNoTable
}

// Folds returns the open folds in the order they were opened.
func (db *DB) Folds() []fold.Instance {
	db.foldMu.Lock()
	defer db.foldMu.Unlock()
	return slices.Clone(db.folds)
}

// Tasks returns the tasks model, opened at the first call: its log is made when there is none, and the call returns when what
// is in the log has been folded. The model is closed with db.
func (db *DB) Tasks(ctx context.Context) (*tasks.Tasks, error) {
	if err := db.check(ctx); err != nil {
		return nil, err
	}
	db.foldMu.Lock()
	defer db.foldMu.Unlock()
	if db.foldsClosed {
		return nil, ErrClosed
	}
	if db.tasks == nil {
		m, err := tasks.Open(ctx, db.store, tasks.Options{Origin: db.o.Origin, Fold: fold.Options{Waiters: db.waiters, Logger: db.o.Store.Logger}})
		if err != nil {
			return nil, err
		}
		if err := db.addFoldLocked(m.Fold()); err != nil {
			return nil, errors.Join(err, m.Close())
		}
		db.tasks = m
	}
	return db.tasks, nil
}

// Memories returns the memories model, as Tasks does.
func (db *DB) Memories(ctx context.Context) (*memories.Memories, error) {
	if err := db.check(ctx); err != nil {
		return nil, err
	}
	db.foldMu.Lock()
	defer db.foldMu.Unlock()
	if db.foldsClosed {
		return nil, ErrClosed
	}
	if db.memories == nil {
		m, err := memories.Open(ctx, db.store, memories.Options{Origin: db.o.Origin, Fold: fold.Options{Waiters: db.waiters, Logger: db.o.Store.Logger}})
		if err != nil {
			return nil, err
		}
		if err := db.addFoldLocked(m.Fold()); err != nil {
			return nil, errors.Join(err, m.Close())
		}
		db.memories = m
	}
	return db.memories, nil
}

// Wait returns when every open fold that reads the token's log includes its event; at once when none does, for the log itself
// shows an event as soon as its append has returned. A context that is over polls. The errors are those of
// (*fold.Handle).Wait.
func (db *DB) Wait(ctx context.Context, t fold.WriteToken) error {
	if err := db.alive(); err != nil {
		return err
	}
	pos := t.Position()
	if err := db.store.CheckPosition(pos); err != nil {
		if errors.Is(err, redex.ErrForeign) {
			err = fold.ErrWrongOrigin
		}
		return doing("wait for "+t.String(), err)
	}
	for _, f := range db.Folds() {
		reads := slices.ContainsFunc(f.Marks(), func(m fold.Mark) bool { return m.Log == pos.Log })
		if !reads {
			continue
		}
		if err := f.Wait(ctx, t); err != nil {
			return err
		}
	}
	return nil
}
