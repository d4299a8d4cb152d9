package tasks

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"unicode/utf8"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// ErrArgument is returned by a write whose id is above MaxID or whose title is not UTF-8. Nothing was appended.
var ErrArgument = errors.New("tasks: bad argument")

// Options configure the model. The zero value is the default of each field.
type Options struct {
	Log     string           // "" means "cortex/tasks"; it is made when it does not exist
	Name    string           // of the fold and its table in SQL; "" means "tasks"
	Origin  redex.Origin     // of the events this handle writes
	Durable redex.Durability // of the writes
	Fold    fold.Options
}

// Tasks is the open model. It is safe for concurrent use.
type Tasks struct {
	o     Options
	log   *redex.Log
	model *model
	h     *fold.Handle[table]
}

// Open opens the model and returns when it has folded what its log holds. An error wraps fold.ErrFoldStopped when an event in
// the log stopped it, else it is of the store or of ctx; the model is closed then.
func Open(ctx context.Context, store *redex.Store, o Options) (*Tasks, error) {
	if o.Log == "" {
		o.Log = "cortex/tasks"
	}
	if o.Name == "" {
		o.Name = "tasks"
	}
	log, err := store.OpenLog(ctx, o.Log, redex.LogOptions{})
	if err != nil {
		return nil, fmt.Errorf("tasks: open: %w", err)
	}
	m := newModel()
	h, err := fold.Open(ctx, store, fold.Definition[table]{
		Name: o.Name, Version: 1, Logs: []string{o.Log}, Fold: m, New: m.newTable, Options: o.Fold,
	})
	if err != nil {
		return nil, fmt.Errorf("tasks: open: %w", err)
	}
	if err := h.CatchUp(ctx); err != nil {
		return nil, fmt.Errorf("tasks: open: %w", errors.Join(err, h.Close()))
	}
	return &Tasks{o, log, m, h}, nil
}

// Fold returns the model's fold: its statistics, positions, frozen states and checkpoints.
func (t *Tasks) Fold() fold.Instance { return t.h }

// Changes follows the model's fold. See fold.Handle.Changes.
func (t *Tasks) Changes(ctx context.Context) iter.Seq2[fold.Change, error] { return t.h.Changes(ctx) }

// Skipped returns the newest events of the log that are no events of tasks, or were skipped. See fold.Handle.Skipped.
func (t *Tasks) Skipped() []fold.SkippedEvent { return t.h.Skipped() }

// Create creates a pending task, or replaces the one with that id. now is in Unix nanoseconds.
//
// Create, Rename, Complete and Delete return the token of the event they appended. An error wraps ErrArgument, or is of the
// store; with redex.ErrInDoubt the token is that of the event whose durability is unknown, with any other it is zero.
func (t *Tasks) Create(ctx context.Context, id uint64, title string, now int64) (fold.WriteToken, error) {
	return t.write(ctx, kindCreate, payload{ID: &id, Title: &title, At: &now})
}

// Rename changes the title of a task, if it exists.
func (t *Tasks) Rename(ctx context.Context, id uint64, title string, now int64) (fold.WriteToken, error) {
	return t.write(ctx, kindRename, payload{ID: &id, Title: &title, At: &now})
}

// Complete makes a task completed, if it exists. Completing it again changes only when it was updated.
func (t *Tasks) Complete(ctx context.Context, id uint64, now int64) (fold.WriteToken, error) {
	return t.write(ctx, kindComplete, payload{ID: &id, At: &now})
}

// Delete removes a task, if it exists.
func (t *Tasks) Delete(ctx context.Context, id uint64) (fold.WriteToken, error) {
	return t.write(ctx, kindDelete, payload{ID: &id})
}

func (t *Tasks) write(ctx context.Context, kind redex.Kind, p payload) (fold.WriteToken, error) {
	switch {
	case *p.ID > MaxID:
		return fold.WriteToken{}, fmt.Errorf("%w: id %d is above 2^63-1", ErrArgument, *p.ID)
	case p.Title != nil && !utf8.ValidString(*p.Title):
		return fold.WriteToken{}, fmt.Errorf("%w: title of task %d is not UTF-8", ErrArgument, *p.ID)
	}
	b, err := p.encode()
	if err != nil {
		return fold.WriteToken{}, fmt.Errorf("tasks: write of task %d: %w", *p.ID, err)
	}
	a, err := t.log.Append(ctx, redex.Entry{Kind: kind, Encoding: redex.Msgpack, Origin: t.o.Origin, Payload: b}, redex.AppendOptions{Durable: t.o.Durable})
	if err != nil {
		var tok fold.WriteToken
		if doubt, ok := errors.AsType[*redex.InDoubtError](err); ok {
			tok = fold.TokenOf(doubt.Position)
		}
		return tok, fmt.Errorf("tasks: write of task %d: %w", *p.ID, err)
	}
	return fold.TokenOf(a.Position), nil
}

// Wait returns when reads include the token's event. See fold.Handle.Wait for its errors.
func (t *Tasks) Wait(ctx context.Context, tok fold.WriteToken) error { return t.h.Wait(ctx, tok) }

// Close closes the model; reads go on with the last state. It is idempotent.
func (t *Tasks) Close() error { return t.h.Close() }

// FindUnique returns the task with that id, and whether there is one.
func (t *Tasks) FindUnique(id uint64) (Task, bool) {
	r, ok := t.h.Snapshot().State.Get(id)
	return r.Task, ok
}

// Contains reports whether there is a task with that id.
func (t *Tasks) Contains(id uint64) bool { return t.h.Snapshot().State.Has(id) }

// Len returns the number of tasks.
func (t *Tasks) Len() int { return t.h.Snapshot().State.Len() }

// All returns all tasks by id.
func (t *Tasks) All() []Task { return t.FindMany(Filter{}) }

// Pending returns the pending tasks by id.
func (t *Tasks) Pending() []Task { return t.FindMany(Filter{Status: new(Pending)}) }

// Completed returns the completed tasks by id.
func (t *Tasks) Completed() []Task { return t.FindMany(Filter{Status: new(Completed)}) }

// FindMany returns the tasks that f selects, in its order. The slice is the caller's.
func (t *Tasks) FindMany(f Filter) []Task { return t.Query().filter(f).Collect() }

// Count returns the number of tasks that f selects, whatever its limit.
func (t *Tasks) Count(f Filter) int { return t.Query().filter(f).Count() }

// Exists reports whether f selects a task, whatever its limit.
func (t *Tasks) Exists(f Filter) bool { return t.Query().filter(f).Exists() }

// Watch yields the tasks that f selects, at once and then whenever the list is another one. See Query.Watch.
func (t *Tasks) Watch(ctx context.Context, f Filter) iter.Seq2[[]Task, error] {
	return t.Query().filter(f).Watch(ctx)
}

// SnapshotAndWatch returns the tasks that f selects, and a watch of every later list. See Query.SnapshotAndWatch.
func (t *Tasks) SnapshotAndWatch(ctx context.Context, f Filter) ([]Task, iter.Seq2[[]Task, error]) {
	return t.Query().filter(f).SnapshotAndWatch(ctx)
}
