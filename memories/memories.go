// Package memories is the memories model.
package memories

import (
	"context"
	"iter"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// Memory is one memory.
type Memory struct {
	ID      uint64
	Content string
	Tags    []string
	Source  string
	Created int64 // Unix nanoseconds
	Updated int64 // Unix nanoseconds
	Pinned  bool
}

// Order is an order of memories. Ties are broken by id, ascending.
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

// Filter selects memories. A nil field and an empty list are no constraint; all others must hold. Bounds are inclusive.
type Filter struct {
	Source          *string
	ContentContains string
	Tag             *string
	AnyTag          []string
	AllTags         []string
	Pinned          *bool
	CreatedAfter    *int64
	CreatedBefore   *int64
	UpdatedAfter    *int64
	UpdatedBefore   *int64
	Order           Order
	Limit           *int // nil is no limit, 0 selects nothing
}

// Options configure the model. The zero value is the default of each field.
type Options struct {
	Log     string       // "" means "cortex/memories"
	Name    string       // of the fold and its table in SQL; "" means "memories"
	Origin  redex.Origin // of the events this handle writes
	Durable redex.Durability
	Fold    fold.Options
}

// Memories is the open model. It is safe for concurrent use.
type Memories struct{ h *fold.Handle[state] }

type state struct {
	Memories fold.Table[uint64, Memory]
}

// Open opens the model and returns when it has folded what its log holds.
func Open(ctx context.Context, store *redex.Store, o Options) (*Memories, error) { return nil, nil }

// Fold returns the model's fold.
func (m *Memories) Fold() fold.Instance { return m.h }

// Store stores a memory; of one that exists it changes content, tags and source. now is in Unix nanoseconds.
func (m *Memories) Store(ctx context.Context, id uint64, content string, tags []string, source string, now int64) (fold.WriteToken, error) {
	return fold.WriteToken{}, nil
}

// Retag replaces a memory's tags.
func (m *Memories) Retag(ctx context.Context, id uint64, tags []string, now int64) (fold.WriteToken, error) {
	return fold.WriteToken{}, nil
}

// Pin pins a memory.
func (m *Memories) Pin(ctx context.Context, id uint64, now int64) (fold.WriteToken, error) {
	return fold.WriteToken{}, nil
}

// Unpin unpins a memory.
func (m *Memories) Unpin(ctx context.Context, id uint64, now int64) (fold.WriteToken, error) {
	return fold.WriteToken{}, nil
}

// Delete removes a memory.
func (m *Memories) Delete(ctx context.Context, id uint64) (fold.WriteToken, error) {
	return fold.WriteToken{}, nil
}

// Wait returns when reads include the token's write. See fold.Handle.Wait.
func (m *Memories) Wait(ctx context.Context, tok fold.WriteToken) error { return nil }

// FindUnique returns the memory with that id.
func (m *Memories) FindUnique(id uint64) (Memory, bool) { return Memory{}, false }

// FindMany returns the memories that f selects.
func (m *Memories) FindMany(f Filter) []Memory { return nil }

// Count returns the number of memories that f selects, whatever its limit.
func (m *Memories) Count(f Filter) int { return 0 }

// Exists reports whether f selects a memory, whatever its limit.
func (m *Memories) Exists(f Filter) bool { return false }

// All returns all memories by id.
func (m *Memories) All() []Memory { return nil }

// Len returns the number of memories.
func (m *Memories) Len() int { return 0 }

// Watch follows the memories that f selects.
func (m *Memories) Watch(ctx context.Context, f Filter) iter.Seq2[[]Memory, error] { return nil }

// SnapshotAndWatch returns the memories that f selects and every later list that differs.
func (m *Memories) SnapshotAndWatch(ctx context.Context, f Filter) ([]Memory, iter.Seq2[[]Memory, error]) {
	return nil, nil
}

// Close closes the model.
func (m *Memories) Close() error { return nil }
