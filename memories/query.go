package memories

import (
	"context"
	"iter"
	"slices"

	"github.com/seed69692123/netdb/fold"
)

// Query builds a selection of memories. It is a value: each method returns a changed copy, a later call of the same method
// overwrites an earlier one, and a query may be kept and run many times. All its conditions must hold; bounds are inclusive, in
// Unix nanoseconds.
type Query struct {
	m   *Memories
	f   Filter
	ids []uint64 // nil: any
}

// Query returns a query that selects all memories by id.
func (m *Memories) Query() Query { return Query{m: m} }

func (q Query) filter(f Filter) Query {
	q.f = f
	return q
}

// WhereIDIn selects memories with one of the ids; with none given it selects nothing.
func (q Query) WhereIDIn(ids ...uint64) Query {
	q.ids = append([]uint64{}, ids...)
	return q
}

// WhereSource selects memories of exactly that source.
func (q Query) WhereSource(s string) Query {
	q.f.Source = &s
	return q
}

// ContentContains selects memories whose content contains s, compared in Unicode lower case. Every content contains "".
func (q Query) ContentContains(s string) Query {
	q.f.ContentContains = s
	return q
}

// WhereTag selects memories that have the tag.
func (q Query) WhereTag(tag string) Query {
	q.f.Tag = &tag
	return q
}

// WhereAnyTag selects memories that have at least one of the tags; with none given it is no constraint.
func (q Query) WhereAnyTag(tags ...string) Query {
	q.f.AnyTag = slices.Clone(tags)
	return q
}

// WhereAllTags selects memories that have all of the tags; with none given it is no constraint.
func (q Query) WhereAllTags(tags ...string) Query {
	q.f.AllTags = slices.Clone(tags)
	return q
}

// WherePinned selects memories that are pinned, or that are not.
func (q Query) WherePinned(pinned bool) Query {
	q.f.Pinned = &pinned
	return q
}

// CreatedAfter selects memories created at ns or later.
func (q Query) CreatedAfter(ns int64) Query {
	q.f.CreatedAfter = &ns
	return q
}

// CreatedBefore selects memories created at ns or earlier.
func (q Query) CreatedBefore(ns int64) Query {
	q.f.CreatedBefore = &ns
	return q
}

// UpdatedAfter selects memories updated at ns or later.
func (q Query) UpdatedAfter(ns int64) Query {
	q.f.UpdatedAfter = &ns
	return q
}

// UpdatedBefore selects memories updated at ns or earlier.
func (q Query) UpdatedBefore(ns int64) Query {
	q.f.UpdatedBefore = &ns
	return q
}

// OrderBy orders the result.
func (q Query) OrderBy(o Order) Query {
	q.f.Order = o
	return q
}

// Limit bounds the result, after the order; 0 selects nothing, below 0 is no limit.
func (q Query) Limit(n int) Query {
	q.f.Limit = &n
	return q
}

// Collect returns the memories. The slice and what it refers to are the caller's.
func (q Query) Collect() []Memory { return q.run(q.m.h.Snapshot().State) }

// Count returns the number of memories, whatever the limit.
func (q Query) Count() int {
	s := q.m.h.Snapshot().State
	return q.m.model.compile(s, &q.f, q.ids).Count(s)
}

// Exists reports whether there is a memory, whatever the limit.
func (q Query) Exists() bool {
	s := q.m.h.Snapshot().State
	return q.m.model.compile(s, &q.f, q.ids).Exists(s)
}

// First returns the first memory in the query's order, and whether there is one.
func (q Query) First() (Memory, bool) {
	if q.f.Limit == nil || *q.f.Limit != 0 {
		q = q.Limit(1)
	}
	if r := q.Collect(); len(r) > 0 {
		return r[0], true
	}
	return Memory{}, false
}

// Watch yields the result at once, and then whenever it is another list than the last one yielded. A slow reader gets the
// newest list, not every one; it holds nobody up. The last pair is an error, the reason of the end: fold.ErrFoldStopped,
// fold.ErrClosed or the context's.
func (q Query) Watch(ctx context.Context) iter.Seq2[[]Memory, error] {
	return mine(fold.Watch(ctx, q.m.h, q.shared, equal))
}

// SnapshotAndWatch returns the result now, and a watch that yields every list that follows it; the watch may be used once.
func (q Query) SnapshotAndWatch(ctx context.Context) ([]Memory, iter.Seq2[[]Memory, error]) {
	now, later := fold.SnapshotAndWatch(ctx, q.m.h, q.shared, equal)
	return clone(now), mine(later)
}

func equal(a, b []Memory) bool { return slices.EqualFunc(a, b, Memory.Equal) }

// shared returns the result with the state's own tags, which must not be changed.
func (q Query) shared(s *table) []Memory {
	out := []Memory{}
	for _, r := range q.m.model.compile(s, &q.f, q.ids).In(s) {
		out = append(out, r.Memory)
	}
	return out
}

func (q Query) run(s *table) []Memory { return clone(q.shared(s)) }

// mine gives the reader of a watch lists of its own, as the watch compares with what it yielded.
func mine(in iter.Seq2[[]Memory, error]) iter.Seq2[[]Memory, error] {
	return func(yield func([]Memory, error) bool) {
		for l, err := range in {
			if !yield(clone(l), err) {
				return
			}
		}
	}
}

func clone(l []Memory) []Memory {
	if l == nil {
		return nil
	}
	out := make([]Memory, len(l))
	for i := range l {
		out[i] = l[i]
		out[i].Tags = slices.Clone(l[i].Tags)
	}
	return out
}

func (r *row) copy() Memory {
	m := r.Memory
	m.Tags = slices.Clone(m.Tags)
	return m
}
