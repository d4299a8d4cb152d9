package redex

import (
	"context"
	"fmt"
	"iter"
	"sort"
)

// Log is a handle on one log. It is safe for concurrent use.
type Log struct {
	s       *Store
	id      LogID
	name    string
	options LogOptions
	events  []Event
	deleted bool
}

// ID returns the log's id.
func (l *Log) ID() LogID { return l.id }

// Name returns the log's name.
func (l *Log) Name() string { return l.name }

// Append appends one entry.
func (l *Log) Append(ctx context.Context, e Entry, o AppendOptions) (Appended, error) {
	return l.AppendBatch(ctx, []Entry{e}, o)
}

// AppendBatch appends entries as one frame: all of them or none.
func (l *Log) AppendBatch(ctx context.Context, entries []Entry, o AppendOptions) (Appended, error) {
	r, err := l.s.Append(ctx, []Batch{{Log: l, Expect: o.Expect, Entries: entries}}, o)
	if err != nil {
		return Appended{}, err
	}
	return r[0], nil
}

// Bounds returns what can be read now, as one consistent pair.
func (l *Log) Bounds() Bounds {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return Bounds{0, Seq(len(l.events))}
}

// BoundsAt returns what could be read at the cut and still can. It may read sealed files, and so can wait and fail.
func (l *Log) BoundsAt(ctx context.Context, c Cut) (Bounds, error) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return Bounds{0, Seq(sort.Search(len(l.events), func(i int) bool { return l.events[i].Time > c.Time }))}, nil
}

// SeekTime returns the sequence of the first event that arrived at t (Unix nanoseconds) or later; Bounds().Next if none did.
func (l *Log) SeekTime(ctx context.Context, t int64) (Seq, error) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	return Seq(sort.Search(len(l.events), func(i int) bool { return l.events[i].Time >= t })), nil
}

// Read returns a copy of one event: ErrNoEvent above the end, ErrRangeLost below the floor.
func (l *Log) Read(ctx context.Context, seq Seq) (Event, error) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	if l.deleted {
		return Event{}, ErrLogDeleted
	}
	if int(seq) >= len(l.events) {
		return Event{}, fmt.Errorf("read %q sequence %d: %w", l.name, seq, ErrNoEvent)
	}
	return l.events[seq].Clone(), nil
}

// Latest returns a copy of the newest event, or ErrNoEvent.
func (l *Log) Latest(ctx context.Context) (Event, error) {
	b := l.Bounds()
	if b.Len() == 0 {
		return Event{}, ErrNoEvent
	}
	return l.Read(ctx, b.Next-1)
}

// Scan returns the events of [from, to) that exist now, in order. An event's slices are valid until the next one. The error
// is the last pair.
func (l *Log) Scan(ctx context.Context, from, to Seq) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		c := l.Cursor(from, to)
		defer c.Close()
		for c.Next(ctx) {
			if !yield(*c.Event(), nil) {
				return
			}
		}
		if err := c.Err(); err != nil {
			yield(Event{}, err)
		}
	}
}

// Follow returns the events from sequence from on, first history, then live, each once and in order, until ctx ends, the
// store is closed (ErrClosed) or the log deleted (ErrLogDeleted). An event's slices are valid until the next one.
func (l *Log) Follow(ctx context.Context, from Seq) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		t := l.Tail(from, TailOptions{})
		defer t.Close()
		for t.Next(ctx) {
			if !yield(*t.Event(), nil) {
				return
			}
		}
		yield(Event{}, t.Err())
	}
}

// Cursor reads a range of a log in order. It is not safe for concurrent use.
type Cursor struct {
	l    *Log
	at   Seq
	to   Seq
	ev   Event
	err  error
	done bool
}

// Cursor returns a cursor on the events of [from, to) that exist now.
func (l *Log) Cursor(from, to Seq) *Cursor {
	return &Cursor{l: l, at: from, to: min(to, l.Bounds().Next)}
}

// Next moves to the next event and reports whether there is one.
func (c *Cursor) Next(ctx context.Context) bool {
	if c.err != nil || c.at >= c.to {
		return false
	}
	if c.err = ctx.Err(); c.err != nil {
		return false
	}
	c.ev, c.err = c.l.Read(ctx, c.at)
	c.at++
	return c.err == nil
}

// Event returns the current event, valid until the next call of Next or Close.
func (c *Cursor) Event() *Event { return &c.ev }

// Err returns what ended the cursor before its range did.
func (c *Cursor) Err() error { return c.err }

// Close frees what the cursor holds.
func (c *Cursor) Close() error { return nil }

// TailOptions are the choices of a tail.
type TailOptions struct {
	Durable bool // deliver only events that are durable
}

// Tail reads a log from a sequence on and goes on with what is appended. It is not safe for concurrent use.
type Tail struct {
	l   *Log
	at  Seq
	ev  Event
	err error
}

// Tail returns a tail from sequence from on.
func (l *Log) Tail(from Seq, o TailOptions) *Tail { return &Tail{l: l, at: from} }

// Next moves to the next event, waiting for one, and reports whether there is one; else Err says why.
func (t *Tail) Next(ctx context.Context) bool {
	for {
		t.l.s.mu.Lock()
		changed := t.l.s.changed
		t.l.s.mu.Unlock()
		if t.TryNext(ctx) {
			return true
		}
		if t.err != nil {
			return false
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.err = ctx.Err()
			return false
		}
	}
}

// TryNext moves to the next event if there is one now. It returns false with a nil Err when the tail has caught up.
func (t *Tail) TryNext(ctx context.Context) bool {
	if t.err != nil {
		return false
	}
	t.l.s.mu.Lock()
	n, deleted, closed := len(t.l.events), t.l.deleted, t.l.s.closed
	t.l.s.mu.Unlock()
	switch {
	case deleted:
		t.err = ErrLogDeleted
		return false
	case int(t.at) < n:
		t.ev, t.err = t.l.Read(ctx, t.at)
		t.at++
		return t.err == nil
	case closed:
		t.err = ErrClosed
	}
	return false
}

// Event returns the current event, valid until the next call of Next, TryNext or Close.
func (t *Tail) Event() *Event { return &t.ev }

// Err returns what ended the tail; nil while it goes on.
func (t *Tail) Err() error { return t.err }

// Close frees what the tail holds.
func (t *Tail) Close() error { return nil }
