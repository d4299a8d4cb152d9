package redex

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// TailOptions are the choices of a tail.
type TailOptions struct {
	Durable bool // deliver only events that are durable
}

// Tail reads a log from a sequence on and goes on with what is appended. Because it reads the log itself, by sequence, and is
// only woken by appends, nothing lies between history and live, a slow tail holds up nobody, and none is ever dropped.
//
// A tail is not safe for concurrent use.
type Tail struct {
	f       feed
	durable bool
	looked  Ordinal // the log has nothing for the tail up to it
	err     error
	wakeup  chan struct{} // receives when there may be something new; made with the first wait
	waiting bool          // in Log.waiting; guarded by Log.mu
}

// Tail returns a tail from sequence from on, which may be above the end. It must be closed.
func (l *Log) Tail(from Seq, o TailOptions) *Tail {
	return &Tail{f: feed{l: l, at: from, to: from}, durable: o.Durable}
}

// Next moves to the next event, waiting for one, and reports whether there is one; else Err says why: the context's error,
// after which the tail may go on with another Next, or the end of the tail: ErrRangeLost, ErrLogDeleted, ErrClosed, damage.
func (t *Tail) Next(ctx context.Context) bool {
	for {
		if t.TryNext(ctx) {
			return true
		}
		if t.err != nil {
			return false
		}
		t.listen()
		if t.TryNext(ctx) { // what came before the tail listened woke nobody
			return true
		}
		if t.err != nil {
			return false
		}
		select {
		case <-t.wakeup:
		case <-t.f.l.s.done:
		case <-ctx.Done():
			t.err = fmt.Errorf("tail of %q: %w", t.f.l.Name(), ctx.Err())
			return false
		}
	}
}

// TryNext moves to the next event if there is one now. It returns false with a nil Err when the tail has caught up.
func (t *Tail) TryNext(ctx context.Context) bool {
	if t.err != nil {
		if !isContext(t.err) {
			return false
		}
		t.err = nil
	}
	for t.f.err == nil { // compaction may have taken all the tail knows of, but not the log's newest event
		if t.f.at >= t.f.to && !t.extend() {
			return false
		}
		if t.f.next(ctx) {
			return true
		}
	}
	if err := t.f.err; err != nil {
		t.err = fmt.Errorf("tail: %w", err)
		if isContext(err) {
			t.f.err = nil
		}
	}
	return false
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// extend looks for events after those the tail knows of.
func (t *Tail) extend() bool {
	l := t.f.l
	if err := l.s.closedErr(); err != nil {
		t.err = fmt.Errorf("tail of %q: %w", l.Name(), err)
		return false
	}
	upTo := Ordinal(l.s.visible.Load())
	if t.durable {
		upTo = l.s.Durable()
	} else if upTo == t.looked { // a frame is visible after its effects; without the lock, appends do not wait for a reader that polls
		return false
	}
	l.mu.Lock()
	next := l.sealed.next
	if n, ok := l.hot.nextAt(upTo); ok {
		next = n
	}
	deleted, floor := l.deleted, l.floor
	l.mu.Unlock()
	switch {
	case deleted:
		t.err = fmt.Errorf("tail of %q: %w", l.Name(), ErrLogDeleted)
	case t.f.at < floor:
		t.err = fmt.Errorf("tail: %w", &RangeLostError{Log: l.Name(), From: t.f.at, To: floor})
	case next > t.f.at:
		t.f.to = next
		return true
	case !t.durable:
		t.looked = upTo
	default:
		if failed := l.s.j.Stats().Poisoned; failed != nil { // nothing will be durable any more
			t.err = fmt.Errorf("tail of %q: %w", l.Name(), l.s.wrap("wait for durable events", failed))
		}
	}
	return false
}

// Event returns the current event, valid until the next call of Next, TryNext or Close.
func (t *Tail) Event() *Event { return &t.f.ev }

// Err returns what ended the last call of Next or TryNext, or the tail; nil while it goes on.
func (t *Tail) Err() error { return t.err }

// Position returns the sequence of the event that comes next.
func (t *Tail) Position() Seq { return t.f.at }

// Close frees what the tail holds. Next returns false afterwards.
func (t *Tail) Close() error {
	l := t.f.l
	l.mu.Lock()
	if t.waiting {
		i := slices.Index(l.waiting, t)
		l.waiting = slices.Delete(l.waiting, i, i+1)
		l.waiters.Store(int32(len(l.waiting)))
		t.waiting = false
	}
	l.mu.Unlock()
	if t.durable {
		l.s.durable.remove(t)
	}
	if t.err == nil || isContext(t.err) {
		t.err = fmt.Errorf("tail of %q: closed by its reader", l.Name())
	}
	return t.f.close()
}

// listen makes the tail known to those who can wake it.
func (t *Tail) listen() {
	if t.wakeup == nil {
		t.wakeup = make(chan struct{}, 1)
	}
	l := t.f.l
	l.mu.Lock()
	if !t.waiting {
		t.waiting = true
		l.waiting = append(l.waiting, t)
		l.waiters.Store(int32(len(l.waiting)))
	}
	l.mu.Unlock()
	if t.durable {
		l.s.durable.add(t)
	}
}

// wakeUp never blocks: one note is enough, whatever came.
func (t *Tail) wakeUp() {
	select {
	case t.wakeup <- struct{}{}:
	default:
	}
}

// wake wakes the tails and followers that wait for the log. Without any it costs two loads.
func (l *Log) wake() {
	if l.followers.any() {
		l.followers.tell()
	}
	l.wakeTails()
}

func (l *Log) wakeTails() {
	if l.waiters.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, t := range l.waiting {
		t.waiting = false
		t.wakeUp()
		l.waiting[i] = nil
	}
	l.waiting = l.waiting[:0]
	l.waiters.Store(0)
}

// durableWaiters are the tails that wait for events to become durable.
type durableWaiters struct {
	n     atomic.Int32 // len(tails), to be looked at without the lock
	mu    sync.Mutex
	tails map[*Tail]struct{}
}

func (d *durableWaiters) add(t *Tail) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tails == nil {
		d.tails = map[*Tail]struct{}{}
	}
	d.tails[t] = struct{}{}
	d.n.Store(int32(len(d.tails)))
}

func (d *durableWaiters) remove(t *Tail) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.tails, t)
	d.n.Store(int32(len(d.tails)))
}

// wake wakes all. It is called after each sync, also one that failed.
func (d *durableWaiters) wake() {
	if d.n.Load() == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for t := range d.tails {
		t.wakeUp()
	}
	clear(d.tails)
	d.n.Store(0)
}
