package index

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/seed69692123/netdb/internal/waitheap"
	"github.com/seed69692123/netdb/redex"
)

// waitQueue holds those who wait. Each enters and then looks at the publication again, the driver publishes and then looks at the
// queue: one of them sees the other.
type waitQueue struct {
	max     int64
	n       atomic.Int64
	refused atomic.Int64
	lowest  atomic.Uint64 // of the sequences that are waited for; waitheap.None when none is

	mu   sync.Mutex
	heap waitheap.Heap
}

func (q *waitQueue) init(limit int) {
	q.max = int64(limit)
	q.lowest.Store(waitheap.None)
}

// enter adds a waiter, or returns nil when there are too many.
func (q *waitQueue) enter(seq redex.Seq) *waitheap.Waiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n.Load() >= q.max {
		q.refused.Add(1)
		return nil
	}
	q.n.Add(1)
	w := q.heap.Add(uint64(seq))
	q.changedLocked()
	return w
}

// leave takes a waiter away, whether or not it was woken.
func (q *waitQueue) leave(w *waitheap.Waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.n.Add(-1)
	if q.heap.Remove(w) {
		q.changedLocked()
	}
}

func (q *waitQueue) changedLocked() { q.lowest.Store(q.heap.Lowest()) }

// wake lets those go that wait for what is below next, or all.
func (q *waitQueue) wake(next redex.Seq, all bool) {
	if q.n.Load() == 0 || q.lowest.Load() >= uint64(next) && !all {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for w := q.heap.Take(uint64(next), all); w != nil; w = q.heap.Take(uint64(next), all) {
		close(w.Ready)
	}
	q.changedLocked()
}

// WaitFor returns nil once readers see what the event at seq changed. Otherwise the error is, in the order in which it is looked
// for:
//
//   - ErrClosed: the index or its store is closed, also while waiting;
//   - ErrSkipped, a *SkippedError: the index is past the event and left it out;
//   - redex.ErrRangeLost: it is past the event, which AcceptLost had counted as lost;
//   - redex.ErrLogDeleted: the log is deleted;
//   - ErrStopped, a *StoppedError with the cause: the index has stopped before the event;
//   - the context's error, when it ends first. A context that is over already makes WaitFor look once;
//   - ErrTooManyWaiters: it would have to wait and the limit is reached.
//
// All but the second, third and fifth come in a *WaitError. A wait costs no goroutine.
//
// A sequence says nothing about which of two events it names when the first was lost in a crash: Wait does.
func (x *Index) WaitFor(ctx context.Context, seq redex.Seq) error { return x.wait(ctx, seq, true) }

// Wait is WaitFor of the event at a position, as an append returns it. Besides the errors of WaitFor there are ErrForeign, for a
// position of another store or log, and redex.ErrEpoch, for one that was lost at the end of its epoch.
func (x *Index) Wait(ctx context.Context, p redex.Position) error {
	if pub := x.pub.Load(); !pub.closed {
		err := x.store.CheckPosition(p)
		switch {
		case errors.Is(err, redex.ErrForeign), p.Log != x.log.ID():
			err = ErrForeign
		case errors.Is(err, redex.ErrClosed):
			err = errors.Join(ErrClosed, err)
		}
		if err != nil {
			return x.waitError(p.Seq, pub.next, err)
		}
	}
	return x.wait(ctx, p.Seq, true)
}

// CatchUp returns when readers see everything that was visible in the log at the call, but for what was skipped or lost.
func (x *Index) CatchUp(ctx context.Context) error {
	next := x.log.Bounds().Next
	if next == 0 {
		return x.Err()
	}
	return x.wait(ctx, next-1, false)
}

func (x *Index) waitError(seq, next redex.Seq, err error) error {
	return &WaitError{Index: x.def.Name, Seq: seq, Next: next, Err: err}
}

// wait waits until the index is past seq. With strict set it tells when it is and the event is not in it.
func (x *Index) wait(ctx context.Context, seq redex.Seq, strict bool) error {
	if done, err := x.outcome(seq, strict); done {
		return err
	}
	if ctx.Err() != nil {
		return x.waitError(seq, x.pub.Load().next, endOf(ctx))
	}
	for {
		w := x.waits.enter(seq)
		if w == nil {
			return x.waitError(seq, x.pub.Load().next, ErrTooManyWaiters)
		}
		done, err := x.outcome(seq, strict)
		if done {
			x.waits.leave(w)
			return err
		}
		if x.lazy.Load() {
			x.wakeDriver()
		}
		ended := false
		select {
		case <-w.Ready:
		case <-ctx.Done():
			ended = true
		}
		x.waits.leave(w)
		if done, err := x.outcome(seq, strict); done {
			return err
		}
		if ended {
			return x.waitError(seq, x.pub.Load().next, endOf(ctx))
		}
	}
}

// endOf returns why a context ended: its error, and its cause when that says something else.
func endOf(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// outcome reports whether where the index is settles a wait for an event, and how.
func (x *Index) outcome(seq redex.Seq, strict bool) (done bool, err error) {
	p := x.pub.Load()
	switch {
	case p.closed:
		return true, x.waitError(seq, p.next, ErrClosed)
	case seq < p.next && !p.gone:
		if strict {
			err = x.leftOut(p, seq)
		}
		return true, err
	case p.gone:
		return true, x.waitError(seq, p.next, p.end)
	case p.end != nil:
		return true, p.end
	}
	return false, nil
}
