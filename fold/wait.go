package fold

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed69692123/netdb/internal/waitheap"
	"github.com/seed69692123/netdb/redex"
)

// WaitLimit bounds the waits of several folds together. It is safe for concurrent use.
type WaitLimit struct {
	max int64
	n   atomic.Int64
}

// NewWaitLimit returns a bound of n concurrent waits, at least 1.
func NewWaitLimit(n int) *WaitLimit { return &WaitLimit{max: int64(max(n, 1))} }

func (l *WaitLimit) enter() bool {
	if l == nil {
		return true
	}
	// Not an addition that is taken back: what would be over the bound for a moment would refuse others, who have a place.
	for n := l.n.Load(); n < l.max; n = l.n.Load() {
		if l.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

func (l *WaitLimit) leave() {
	if l != nil {
		l.n.Add(-1)
	}
}

// waitQueue holds the waiters of one fold. A waiter enters it and then looks at the publication again; the driver publishes
// and then looks at the queue: one of them sees the other.
type waitQueue struct {
	n       atomic.Int64
	entered atomic.Bool     // somebody has entered since the driver looked
	lowest  []atomic.Uint64 // of each log, the sequence that is waited for first; waitheap.None when none is

	mu   sync.Mutex
	logs []waitheap.Heap

	woken []*waitheap.Waiter // of the driver
}

func newWaitQueue(logs int) *waitQueue {
	q := &waitQueue{logs: make([]waitheap.Heap, logs), lowest: make([]atomic.Uint64, logs)}
	for i := range q.lowest {
		q.lowest[i].Store(waitheap.None)
	}
	return q
}

func (q *waitQueue) add(log int, seq redex.Seq) *waitheap.Waiter {
	q.mu.Lock()
	w := q.logs[log].Add(uint64(seq))
	q.n.Add(1)
	q.changedLocked(log)
	q.mu.Unlock()
	q.entered.Store(true)
	return w
}

func (q *waitQueue) remove(log int, w *waitheap.Waiter) {
	q.mu.Lock()
	if q.logs[log].Remove(w) {
		q.n.Add(-1)
		q.changedLocked(log)
	}
	q.mu.Unlock()
}

func (q *waitQueue) changedLocked(log int) { q.lowest[log].Store(q.logs[log].Lowest()) }

// wants tells the driver, which has folded an event and not published it, whether somebody waits for it or may wait for one
// like it. Those who wait for what is still far off are no reason for haste.
func (q *waitQueue) wants(log int, seq redex.Seq) bool {
	if q.n.Load() == 0 {
		return false
	}
	return q.lowest[log].Load() <= uint64(seq) || q.entered.Load() && q.entered.Swap(false)
}

// wake lets the waiters go whose event is covered, in the logs that were touched; all of them when the fold has ended. Only
// the driver calls it, and Close after it.
func (q *waitQueue) wake(now places, touched []int, all bool) {
	if q.n.Load() == 0 {
		return
	}
	q.mu.Lock()
	if all {
		for log := range q.logs {
			q.takeLocked(log, 0, true)
		}
	} else {
		for _, log := range touched {
			q.takeLocked(log, now.at(log).mark.Next, false)
		}
	}
	q.mu.Unlock()
	for _, w := range q.woken {
		close(w.Ready)
	}
	const keep = 1024
	if cap(q.woken) > keep {
		q.woken = nil
	}
	clear(q.woken)
	q.woken = q.woken[:0]
}

// takeLocked takes the waiters for what is below next, or all, out of the queue.
func (q *waitQueue) takeLocked(log int, next redex.Seq, all bool) {
	h, before := &q.logs[log], len(q.woken)
	for w := h.Take(uint64(next), all); w != nil; w = h.Take(uint64(next), all) {
		q.woken = append(q.woken, w)
		q.n.Add(-1)
	}
	if len(q.woken) != before {
		q.changedLocked(log)
	}
}

// Wait returns nil once the state, as Snapshot and View give it, includes the token's event. Otherwise the error is, in the
// order in which it is looked for:
//
//   - ErrClosed: the handle or its store is closed, also while waiting;
//   - ErrWrongOrigin: the token is of another store or of a log that this fold does not read;
//   - ErrEpoch: the token's event was lost at the end of its epoch;
//   - ErrSkipped: the fold is past the event and did not apply it;
//   - ErrFoldStopped: the fold has stopped before the event, also while waiting;
//   - the context's error, when it ends first. A context that is over already makes Wait look once;
//   - ErrTooManyWaiters: it would have to wait and the limit is reached. Nothing is waited for then.
//
// All but ErrSkipped and ErrFoldStopped come in a *WaitError. A wait costs no goroutine.
func (h *Handle[S]) Wait(ctx context.Context, t WriteToken) error {
	fail := func(next redex.Seq, err error) error {
		return &WaitError{Fold: h.def.Name, Token: t, Next: next, Err: err}
	}
	p := h.pub.Load()
	if p.closed {
		return fail(0, ErrClosed)
	}
	log, ok := h.byID[t.pos.Log]
	if !ok || t.pos.Store != h.store.ID() {
		return fail(0, ErrWrongOrigin)
	}
	if err := h.store.CheckPosition(t.pos); err != nil {
		switch {
		case errors.Is(err, redex.ErrForeign):
			err = ErrWrongOrigin
		case errors.Is(err, redex.ErrClosed):
			err = errors.Join(ErrClosed, err)
		}
		return fail(p.places.at(log).mark.Next, err)
	}
	next, err := h.waitFor(ctx, log, t.pos.Seq, true)
	switch {
	case err == nil, errors.Is(err, ErrSkipped), errors.Is(err, ErrFoldStopped):
		return err
	}
	return fail(next, err)
}

// waitFor waits until a log is folded past seq, and returns how far it was folded at the end. With bounded set it counts as a
// wait and tells of a skip.
func (h *Handle[S]) waitFor(ctx context.Context, log int, seq redex.Seq, bounded bool) (redex.Seq, error) {
	next, done, err := h.outcome(log, seq, bounded)
	if done {
		return next, err
	}
	if ctx.Err() != nil {
		return next, endOf(ctx)
	}
	if bounded {
		if !h.enterWait() {
			h.waitStats.refused.Add(1)
			return next, ErrTooManyWaiters
		}
		defer h.leaveWait()
		h.waitStats.waits.Add(1)
		start := time.Now()
		defer func() { h.waitStats.nanos.Add(int64(time.Since(start))) }()
	}
	for {
		w := h.waits.add(log, seq)
		if next, done, err = h.outcome(log, seq, bounded); done {
			h.waits.remove(log, w)
			return next, err
		}
		select {
		case <-w.Ready:
		case <-ctx.Done():
			h.waits.remove(log, w)
			if next, done, err = h.outcome(log, seq, bounded); done {
				return next, err
			}
			if bounded {
				h.waitStats.timeouts.Add(1)
			}
			return next, endOf(ctx)
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

// enterWait takes a place under both bounds, or none.
func (h *Handle[S]) enterWait() bool {
	if !h.limit.enter() {
		return false
	}
	if !h.def.Options.Waiters.enter() {
		h.limit.leave()
		return false
	}
	return true
}

func (h *Handle[S]) leaveWait() {
	h.def.Options.Waiters.leave()
	h.limit.leave()
}

// outcome reports how far a log is folded, whether that settles a wait for an event, and how.
func (h *Handle[S]) outcome(log int, seq redex.Seq, bounded bool) (next redex.Seq, done bool, err error) {
	p := h.pub.Load()
	next = p.places.at(log).mark.Next
	switch {
	case seq < next:
		if bounded {
			err = h.skipOf(p, log, seq)
		}
		return next, true, err
	case p.end != nil:
		return next, true, p.end
	}
	return next, false, nil
}

// skipOf returns a *SkippedError when the event at seq, which is covered, did not change the state.
func (h *Handle[S]) skipOf(p *published[S], log int, seq redex.Seq) error {
	s := &p.places.at(log).skips
	name := h.logs[log].name
	switch {
	case seq < s.forgotten:
		return &SkippedError{Fold: h.def.Name, Log: name, Seq: seq, Forgotten: true}
	case !s.has(seq):
		for _, l := range p.lost {
			if l.Log == name && l.From <= seq && seq < l.To {
				return &SkippedError{Fold: h.def.Name, Log: name, Seq: seq, Reason: &redex.RangeLostError{Log: name, From: l.From, To: l.To}}
			}
		}
		return nil
	}
	e := &SkippedError{Fold: h.def.Name, Log: name, Seq: seq}
	for _, k := range p.skipped {
		if k.Log == name && k.Seq == seq {
			e.Reason = errors.New(k.Reason)
		}
	}
	return e
}

// CatchUp implements Instance: it returns when everything is folded that was visible at the call.
func (h *Handle[S]) CatchUp(ctx context.Context) error {
	ends := make([]redex.Seq, len(h.logs))
	for i := range h.logs {
		ends[i] = h.logs[i].log.Bounds().Next
	}
	return h.reach(ctx, ends)
}

// reach waits until every log is folded up to, not including, its end.
func (h *Handle[S]) reach(ctx context.Context, ends []redex.Seq) error {
	for i, end := range ends {
		if end == 0 {
			continue
		}
		if _, err := h.waitFor(ctx, i, end-1, false); err != nil {
			return err
		}
	}
	return nil
}
