package redex

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
)

// Log is a handle on one log. It is safe for concurrent use. All handles on a log are the same pointer while one is in use.
type Log struct {
	s         *Store
	id        LogID
	name      atomic.Pointer[string] // changed by Rename
	created   int64
	toRun     atomic.Bool // the next pass makes its rows a run
	checkJSON atomic.Bool // options.CheckJSON, for every append
	options   atomic.Pointer[LogOptions]

	// Guarded by the store's append lock.
	next     Seq    // that the next event gets
	gone     bool   // deleted
	quota    *Quota // nil: none
	dirtyGen uint64 // Store.dirtyGen when it was put on the list of dirty logs
	windows  map[Origin]*window

	waiters   atomic.Int32 // len(waiting), to be looked at without the lock
	followers followers

	// mu guards what follows. It is taken inside the append lock and never held over I/O. Readers see frames up to
	// Store.visible only, so spans above it are invisible.
	mu      sync.Mutex
	hot     hot
	floor   Seq       // lowest readable
	sealed  logRecord // of the catalog; events below sealed.next are read from there, others from hot
	named   string    // in the catalog
	changes []change  // of the catalog that sealing has not written, ascending
	masked  []Seq     // events to be shown without payload, ascending; never changed in place
	maskAll bool      // it is not known which; set when the Log is made
	deleted bool
	erasers []*eraser          // that have derived something from the events
	waiting []*Tail            // that wait for an event or the end of the log
	cursors map[string]*cursor // of consumers with changes that sealing has not written
}

// change is a change of a log's place in the catalog by one frame.
type change struct {
	ordinal Ordinal
	typ     uint8 // partCreate, partDelete, partSettings, partFloor, partRename, partRedact
	options LogOptions
	floor   Seq // or the event of partRedact
	name    string
}

// ID returns the log's id.
func (l *Log) ID() LogID { return l.id }

// Name returns the log's name, which Store.Rename may change.
func (l *Log) Name() string { return *l.name.Load() }

// Options returns the log's options.
func (l *Log) Options() LogOptions { return *l.options.Load() }

// Bounds returns what can be read now, as one consistent pair.
func (l *Log) Bounds() Bounds {
	visible := Ordinal(l.s.visible.Load())
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.boundsLocked(visible)
}

// boundsLocked returns what can be read of frames up to o, which must not be below what is sealed.
func (l *Log) boundsLocked(o Ordinal) Bounds {
	b := Bounds{l.floor, l.sealed.next}
	if next, ok := l.hot.nextAt(o); ok {
		b.Next = next
	}
	b.Floor = min(b.Floor, b.Next)
	return b
}

// BoundsAt returns what could be read at the cut and still can. It may read sealed files, and so can wait and fail, also for damage
// that leaves open where the cut lies.
func (l *Log) BoundsAt(ctx context.Context, c Cut) (Bounds, error) {
	l.mu.Lock()
	b := l.boundsLocked(c.Ordinal)
	sealed, lastTime := l.sealed.next, l.sealed.lastTime
	l.mu.Unlock()
	if b.Next > sealed || lastTime <= c.Time {
		return b, nil
	}
	next, err := l.seekSealed(ctx, c.Time+1)
	if err != nil {
		return Bounds{}, err
	}
	b.Next = min(b.Next, next)
	b.Floor = min(b.Floor, b.Next)
	return b, nil
}

// Read returns a copy of one event: ErrNoEvent above the end, ErrCompacted, which is an ErrNoEvent too, for one that compaction by
// key took, ErrRangeLost below the floor.
func (l *Log) Read(ctx context.Context, seq Seq) (Event, error) {
	if next := l.Bounds().Next; seq >= next {
		if err := l.endErr(); err != nil {
			return Event{}, fmt.Errorf("read %q: %w", l.Name(), err)
		}
		return Event{}, fmt.Errorf("read %q sequence %d of %d: %w", l.Name(), seq, next, ErrNoEvent)
	}
	f := feed{l: l, at: seq, to: seq + 1, point: true}
	defer f.close()
	if !f.next(ctx) {
		if f.err == nil {
			return Event{}, fmt.Errorf("read %q sequence %d: %w", l.Name(), seq, ErrCompacted)
		}
		return Event{}, f.err
	}
	return f.ev.Clone(), nil
}

// endErr returns why the log can no longer be read, if it cannot.
func (l *Log) endErr() error {
	if err := l.s.closedErr(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deleted {
		return ErrLogDeleted
	}
	return nil
}

// Latest returns a copy of the newest event, or ErrNoEvent when there is none.
func (l *Log) Latest(ctx context.Context) (Event, error) {
	b := l.Bounds()
	if b.Len() == 0 {
		if err := l.endErr(); err != nil {
			return Event{}, fmt.Errorf("read %q: %w", l.Name(), err)
		}
		return Event{}, fmt.Errorf("read %q: %w", l.Name(), ErrNoEvent)
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
	f feed
}

// Cursor returns a cursor on the events of [from, to) that exist now. It must be closed. Of a single event the block is kept in the cache, as
// Read does.
func (l *Log) Cursor(from, to Seq) *Cursor {
	to = min(to, l.Bounds().Next)
	return &Cursor{feed{l: l, at: from, to: to, point: to == from+1}}
}

// Next moves to the next event and reports whether there is one.
func (c *Cursor) Next(ctx context.Context) bool { return c.f.next(ctx) }

// Event returns the current event, valid until the next call of Next or Close.
func (c *Cursor) Event() *Event { return &c.f.ev }

// Err returns what ended the cursor before its range did.
func (c *Cursor) Err() error { return c.f.err }

// Close frees what the cursor holds.
func (c *Cursor) Close() error { return c.f.close() }
