package memories

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// ErrArgument is returned by a write whose id is above MaxID or one of whose texts is not UTF-8. Nothing was appended.
var ErrArgument = errors.New("memories: bad argument")

// Options configure the model. The zero value is the default of each field.
type Options struct {
	Log     string           // "" means "cortex/memories"; it is made when it does not exist
	Name    string           // of the fold and its table in SQL; "" means "memories"
	Origin  redex.Origin     // of the events this handle writes
	Durable redex.Durability // of the writes
	Fold    fold.Options
}

// Memories is the open model. It is safe for concurrent use.
type Memories struct {
	o     Options
	log   *redex.Log
	model *model
	h     *fold.Handle[table]
}

// Open opens the model and returns when it has folded what its log holds. An error wraps fold.ErrFoldStopped when an event in
// the log stopped it, else it is of the store or of ctx; the model is closed then.
func Open(ctx context.Context, store *redex.Store, o Options) (*Memories, error) {
	if o.Log == "" {
		o.Log = "cortex/memories"
	}
	if o.Name == "" {
		o.Name = "memories"
	}
	log, err := store.OpenLog(ctx, o.Log, redex.LogOptions{})
	if err != nil {
		return nil, fmt.Errorf("memories: open: %w", err)
	}
	m := newModel()
	h, err := fold.Open(ctx, store, fold.Definition[table]{
		Name: o.Name, Version: 1, Logs: []string{o.Log}, Fold: m, New: m.newTable, Options: o.Fold,
	})
	if err != nil {
		return nil, fmt.Errorf("memories: open: %w", err)
	}
	if err := h.CatchUp(ctx); err != nil {
		return nil, fmt.Errorf("memories: open: %w", errors.Join(err, h.Close()))
	}
	return &Memories{o, log, m, h}, nil
}

// Fold returns the model's fold: its statistics, positions, frozen states and checkpoints.
func (m *Memories) Fold() fold.Instance { return m.h }

// Changes follows the model's fold. See fold.Handle.Changes.
func (m *Memories) Changes(ctx context.Context) iter.Seq2[fold.Change, error] {
	return m.h.Changes(ctx)
}

// Skipped returns the newest events of the log that are no events of memories, or were skipped. See fold.Handle.Skipped.
func (m *Memories) Skipped() []fold.SkippedEvent { return m.h.Skipped() }

// Store stores a memory. Of one that exists it changes content, tags and source, and keeps when it was created and whether it is
// pinned. now is in Unix nanoseconds. tags may be reused after return.
//
// Store, Retag, Pin, Unpin and Delete return the token of the event they appended. An error wraps ErrArgument, or is of the
// store; with redex.ErrInDoubt the token is that of the event whose durability is unknown, with any other it is zero.
func (m *Memories) Store(ctx context.Context, id uint64, content string, tags []string, source string, now int64) (fold.WriteToken, error) {
	return m.write(ctx, kindStore, payload{ID: &id, Content: &content, Tags: list(tags), Source: &source, At: &now})
}

// Retag replaces all tags of a memory, if it exists.
func (m *Memories) Retag(ctx context.Context, id uint64, tags []string, now int64) (fold.WriteToken, error) {
	return m.write(ctx, kindRetag, payload{ID: &id, Tags: list(tags), At: &now})
}

// Pin pins a memory, if it exists. Pinning it again changes only when it was updated.
func (m *Memories) Pin(ctx context.Context, id uint64, now int64) (fold.WriteToken, error) {
	return m.write(ctx, kindPin, payload{ID: &id, At: &now})
}

// Unpin unpins a memory, if it exists. Unpinning it again changes only when it was updated.
func (m *Memories) Unpin(ctx context.Context, id uint64, now int64) (fold.WriteToken, error) {
	return m.write(ctx, kindUnpin, payload{ID: &id, At: &now})
}

// Delete removes a memory, if it exists. Storing it later starts it afresh.
func (m *Memories) Delete(ctx context.Context, id uint64) (fold.WriteToken, error) {
	return m.write(ctx, kindDelete, payload{ID: &id})
}

// list makes sure that no tags are written as an empty list.
func list(tags []string) *[]string {
	if tags == nil {
		tags = []string{}
	}
	return &tags
}

func (m *Memories) write(ctx context.Context, kind redex.Kind, p payload) (fold.WriteToken, error) {
	switch {
	case *p.ID > MaxID:
		return fold.WriteToken{}, fmt.Errorf("%w: id %d is above 2^63-1", ErrArgument, *p.ID)
	case !p.valid():
		return fold.WriteToken{}, fmt.Errorf("%w: a text of memory %d is not UTF-8", ErrArgument, *p.ID)
	}
	b, err := p.encode()
	if err != nil {
		return fold.WriteToken{}, fmt.Errorf("memories: write of memory %d: %w", *p.ID, err)
	}
	a, err := m.log.Append(ctx, redex.Entry{Kind: kind, Encoding: redex.Msgpack, Origin: m.o.Origin, Payload: b}, redex.AppendOptions{Durable: m.o.Durable})
	if err != nil {
		var tok fold.WriteToken
		if doubt, ok := errors.AsType[*redex.InDoubtError](err); ok {
			tok = fold.TokenOf(doubt.Position)
		}
		return tok, fmt.Errorf("memories: write of memory %d: %w", *p.ID, err)
	}
	return fold.TokenOf(a.Position), nil
}

// Wait returns when reads include the token's event. See fold.Handle.Wait for its errors.
func (m *Memories) Wait(ctx context.Context, tok fold.WriteToken) error { return m.h.Wait(ctx, tok) }

// Close closes the model; reads go on with the last state. It is idempotent.
func (m *Memories) Close() error { return m.h.Close() }

// FindUnique returns the memory with that id, and whether there is one.
func (m *Memories) FindUnique(id uint64) (Memory, bool) {
	r, ok := m.h.Snapshot().State.Get(id)
	return r.copy(), ok
}

// Contains reports whether there is a memory with that id.
func (m *Memories) Contains(id uint64) bool { return m.h.Snapshot().State.Has(id) }

// Len returns the number of memories.
func (m *Memories) Len() int { return m.h.Snapshot().State.Len() }

// All returns all memories by id.
func (m *Memories) All() []Memory { return m.FindMany(Filter{}) }

// Pinned returns the pinned memories by id.
func (m *Memories) Pinned() []Memory { return m.FindMany(Filter{Pinned: new(true)}) }

// Unpinned returns the memories that are not pinned by id.
func (m *Memories) Unpinned() []Memory { return m.FindMany(Filter{Pinned: new(false)}) }

// FindMany returns the memories that f selects, in its order. The slice and what it refers to are the caller's.
func (m *Memories) FindMany(f Filter) []Memory { return m.Query().filter(f).Collect() }

// Count returns the number of memories that f selects, whatever its limit.
func (m *Memories) Count(f Filter) int { return m.Query().filter(f).Count() }

// Exists reports whether f selects a memory, whatever its limit.
func (m *Memories) Exists(f Filter) bool { return m.Query().filter(f).Exists() }

// Watch yields the memories that f selects, at once and then whenever the list is another one. See Query.Watch.
func (m *Memories) Watch(ctx context.Context, f Filter) iter.Seq2[[]Memory, error] {
	return m.Query().filter(f).Watch(ctx)
}

// SnapshotAndWatch returns the memories that f selects, and a watch of every later list. See Query.SnapshotAndWatch.
func (m *Memories) SnapshotAndWatch(ctx context.Context, f Filter) ([]Memory, iter.Seq2[[]Memory, error]) {
	return m.Query().filter(f).SnapshotAndWatch(ctx)
}
