package tasks

import (
	"context"
	"iter"
	"slices"

	"github.com/seed69692123/netdb/fold"
)

// Query builds a selection of tasks. It is a value: each method returns a changed copy, a later call of the same method
// overwrites an earlier one, and a query may be kept and run many times. All its conditions must hold; bounds are inclusive, in
// Unix nanoseconds.
type Query struct {
	t   *Tasks
	f   Filter
	ids []uint64 // nil: any
}

// Query returns a query that selects all tasks by id.
func (t *Tasks) Query() Query { return Query{t: t} }

func (q Query) filter(f Filter) Query {
	q.f = f
	return q
}

// WhereStatus selects tasks of that status.
func (q Query) WhereStatus(s Status) Query {
	q.f.Status = &s
	return q
}

// WhereIDIn selects tasks with one of the ids; with none given it selects nothing.
func (q Query) WhereIDIn(ids ...uint64) Query {
	q.ids = append([]uint64{}, ids...)
	return q
}

// TitleContains selects tasks whose title contains s, compared in Unicode lower case. Every title contains "".
func (q Query) TitleContains(s string) Query {
	q.f.TitleContains = s
	return q
}

// CreatedAfter selects tasks created at ns or later.
func (q Query) CreatedAfter(ns int64) Query {
	q.f.CreatedAfter = &ns
	return q
}

// CreatedBefore selects tasks created at ns or earlier.
func (q Query) CreatedBefore(ns int64) Query {
	q.f.CreatedBefore = &ns
	return q
}

// UpdatedAfter selects tasks updated at ns or later.
func (q Query) UpdatedAfter(ns int64) Query {
	q.f.UpdatedAfter = &ns
	return q
}

// UpdatedBefore selects tasks updated at ns or earlier.
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

// Collect returns the tasks. The slice is the caller's.
func (q Query) Collect() []Task { return q.run(q.t.h.Snapshot().State) }

// Count returns the number of tasks, whatever the limit.
func (q Query) Count() int {
	s := q.t.h.Snapshot().State
	return q.t.model.compile(s, &q.f, q.ids).Count(s)
}

// Exists reports whether there is a task, whatever the limit.
func (q Query) Exists() bool {
	s := q.t.h.Snapshot().State
	return q.t.model.compile(s, &q.f, q.ids).Exists(s)
}

// First returns the first task in the query's order, and whether there is one.
func (q Query) First() (Task, bool) {
	if q.f.Limit == nil || *q.f.Limit != 0 {
		q = q.Limit(1)
	}
	if r := q.Collect(); len(r) > 0 {
		return r[0], true
	}
	return Task{}, false
}

// Watch yields the result at once, and then whenever it is another list than the last one yielded. A slow reader gets the
// newest list, not every one; it holds nobody up. The last pair is an error, the reason of the end: fold.ErrFoldStopped,
// fold.ErrClosed or the context's.
func (q Query) Watch(ctx context.Context) iter.Seq2[[]Task, error] {
	return mine(fold.Watch(ctx, q.t.h, q.run, slices.Equal[[]Task]))
}

// SnapshotAndWatch returns the result now, and a watch that yields every list that follows it; the watch may be used once.
func (q Query) SnapshotAndWatch(ctx context.Context) ([]Task, iter.Seq2[[]Task, error]) {
	now, later := fold.SnapshotAndWatch(ctx, q.t.h, q.run, slices.Equal[[]Task])
	return slices.Clone(now), mine(later)
}

func (q Query) run(s *table) []Task {
	out := []Task{}
	for _, r := range q.t.model.compile(s, &q.f, q.ids).In(s) {
		out = append(out, r.Task)
	}
	return out
}

// mine gives the reader of a watch lists of its own, as the watch compares with what it yielded.
func mine(in iter.Seq2[[]Task, error]) iter.Seq2[[]Task, error] {
	return func(yield func([]Task, error) bool) {
		for l, err := range in {
			if !yield(slices.Clone(l), err) {
				return
			}
		}
	}
}
