// Package tasks is the tasks model.
package tasks

import (
	"context"
	"iter"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// Status is a task's status.
type Status uint8

// The statuses.
const (
	Pending Status = iota
	Completed
)

// Task is one task.
type Task struct {
	ID      uint64
	Title   string
	Status  Status
	Created int64 // Unix nanoseconds
	Updated int64 // Unix nanoseconds
}

// Order is an order of tasks. Ties are broken by id, ascending.
type Order uint8

// The orders.
const (
	IDAsc Order = iota
	IDDesc
	CreatedAsc
	CreatedDesc
	UpdatedAsc
	UpdatedDesc
)

// Filter selects tasks. A nil field is no constraint; all others must hold. Bounds are inclusive.
type Filter struct {
	Status        *Status
	TitleContains string
	CreatedAfter  *int64
	CreatedBefore *int64
	UpdatedAfter  *int64
	UpdatedBefore *int64
	Order         Order
	Limit         *int // nil is no limit, 0 selects nothing
}

// Options configure the model. The zero value is the default of each field.
type Options struct {
	Log     string       // "" means "cortex/tasks"
	Name    string       // of the fold and its table in SQL; "" means "tasks"
	Origin  redex.Origin // of the events this handle writes
	Durable redex.Durability
	Fold    fold.Options
}

// Tasks is the open model. It is safe for concurrent use.
type Tasks struct{ h *fold.Handle[state] }

type state struct{ Tasks fold.Table[uint64, Task] }

// Open opens the model and returns when it has folded what its log holds.
func Open(ctx context.Context, store *redex.Store, o Options) (*Tasks, error) { return nil, nil }

// Fold returns the model's fold.
func (t *Tasks) Fold() fold.Instance { return t.h }

// Create creates a task, or replaces the one with that id. now is in Unix nanoseconds.
func (t *Tasks) Create(ctx context.Context, id uint64, title string, now int64) (fold.WriteToken, error) {
	return fold.WriteToken{}, nil
}

// Rename changes a task's title.
func (t *Tasks) Rename(ctx context.Context, id uint64, title string, now int64) (fold.WriteToken, error) {
	return fold.WriteToken{}, nil
}

// Complete marks a task as completed.
func (t *Tasks) Complete(ctx context.Context, id uint64, now int64) (fold.WriteToken, error) {
	return fold.WriteToken{}, nil
}

// Delete removes a task.
func (t *Tasks) Delete(ctx context.Context, id uint64) (fold.WriteToken, error) {
	return fold.WriteToken{}, nil
}

// Wait returns when reads include the token's write. See fold.Handle.Wait.
func (t *Tasks) Wait(ctx context.Context, tok fold.WriteToken) error { return nil }

// FindUnique returns the task with that id.
func (t *Tasks) FindUnique(id uint64) (Task, bool) { return Task{}, false }

// FindMany returns the tasks that f selects.
func (t *Tasks) FindMany(f Filter) []Task { return nil }

// Count returns the number of tasks that f selects, whatever its limit.
func (t *Tasks) Count(f Filter) int { return 0 }

// Exists reports whether f selects a task, whatever its limit.
func (t *Tasks) Exists(f Filter) bool { return false }

// All returns all tasks by id.
func (t *Tasks) All() []Task { return nil }

// Pending returns the pending tasks by id.
func (t *Tasks) Pending() []Task { return nil }

// Completed returns the completed tasks by id.
func (t *Tasks) Completed() []Task { return nil }

// Len returns the number of tasks.
func (t *Tasks) Len() int { return 0 }

// Watch follows the tasks that f selects.
func (t *Tasks) Watch(ctx context.Context, f Filter) iter.Seq2[[]Task, error] { return nil }

// SnapshotAndWatch returns the tasks that f selects and every later list that differs.
func (t *Tasks) SnapshotAndWatch(ctx context.Context, f Filter) ([]Task, iter.Seq2[[]Task, error]) {
	return nil, nil
}

// Close closes the model.
func (t *Tasks) Close() error { return nil }
