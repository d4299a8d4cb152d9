package fold

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

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
	if l.n.Add(1) > l.max {
		l.n.Add(-1)
		return false
	}
	return true
}

func (l *WaitLimit) leave() {
	if l != nil {
		l.n.Add(-1)
	}
}

// waiter waits for a sequence of a log to be folded. ready is closed when that may be so.
type waiter struct {
	seq   redex.Seq
	order uint64 // of arrival
	at    int    // in its heap; -1 when no longer in it
	ready chan struct{}
}

// waitHeap has the lowest sequence, and of equal ones the longest waiting, on top.
type waitHeap []*waiter

func (q waitHeap) Len() int { return len(q) }

func (q waitHeap) Less(i, j int) bool {
	return q[i].seq < q[j].seq || q[i].seq == q[j].seq && q[i].order < q[j].order
}

func (q waitHeap) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

func (q *waitHeap) Push(x any) {
	w := x.(*waiter)
	w.at = len(*q)
	*q = append(*q, w)
}

func (q *waitHeap) Pop() any {
	old := *q
	n := len(old) - 1
	w := old[n]
	old[n] = nil
	*q = old[:n]
	w.at = -1
	return w
}

// waitQueue holds the waiters of one fold. A waiter enters it and then looks at the publication again; the driver publishes
// and then looks at the queue: one of them sees the other.
type waitQueue struct {
	n atomic.Int64

	mu    sync.Mutex
	logs  []waitHeap
	order uint64
}

func (q *waitQueue) add(log int, seq redex.Seq) *waiter {
	w := &waiter{seq: seq, ready: make(chan struct{})}
	q.mu.Lock()
	q.order++
	w.order = q.order
	heap.Push(&q.logs[log], w)
	q.n.Add(1)
	q.mu.Unlock()
	return w
}

func (q *waitQueue) remove(log int, w *waiter) {
	q.mu.Lock()
	if w.at >= 0 {
		heap.Remove(&q.logs[log], w.at)
		q.n.Add(-1)
	}
	q.mu.Unlock()
}

// wake lets the waiters go whose event the marks cover; all of them when the fold has ended.
func (q *waitQueue) wake(marks []Mark, all bool) {
	if q.n.Load() == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.logs {
		h := &q.logs[i]
		for len(*h) > 0 && (all || (*h)[0].seq < marks[i].Next) {
			close(heap.Pop(h).(*waiter).ready)
			q.n.Add(-1)
		}
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
	fail := func(log int, err error) error {
		e := &WaitError{Fold: h.def.Name, Token: t, Err: err}
		if log >= 0 {
			e.Next = h.pub.Load().marks[log].Next
		}
		return e
	}
	if h.pub.Load().closed {
		return fail(-1, ErrClosed)
	}
	log, ok := h.byID[t.pos.Log]
	if !ok || t.pos.Store != h.store.ID() {
		return fail(-1, ErrWrongOrigin)
	}
	if err := h.store.CheckPosition(t.pos); err != nil {
		switch {
		case errors.Is(err, redex.ErrForeign):
			err = ErrWrongOrigin
		case errors.Is(err, redex.ErrClosed):
			err = errors.Join(ErrClosed, err)
		}
		return fail(log, err)
	}
	err := h.waitFor(ctx, log, t.pos.Seq, true)
	switch {
	case err == nil, errors.Is(err, ErrSkipped), errors.Is(err, ErrFoldStopped):
		return err
	}
	return fail(log, err)
}

// waitFor waits until a log is folded past seq. With bounded set it counts as a wait and tells of a skip.
func (h *Handle[S]) waitFor(ctx context.Context, log int, seq redex.Seq, bounded bool) error {
	if done, err := h.outcome(log, seq, bounded); done {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if bounded {
		if !h.enterWait() {
			h.waitStats.refused.Add(1)
			return ErrTooManyWaiters
		}
		defer h.leaveWait()
		h.waitStats.waits.Add(1)
		start := time.Now()
		defer func() { h.waitStats.nanos.Add(int64(time.Since(start))) }()
	}
	for {
		w := h.waits.add(log, seq)
		if done, err := h.outcome(log, seq, bounded); done {
			h.waits.remove(log, w)
			return err
		}
		select {
		case <-w.ready:
		case <-ctx.Done():
			h.waits.remove(log, w)
			if done, err := h.outcome(log, seq, bounded); done {
				return err
			}
			if bounded {
				h.waitStats.timeouts.Add(1)
			}
			return context.Cause(ctx)
		}
	}
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

// outcome reports what is known of an event, and whether that is final.
func (h *Handle[S]) outcome(log int, seq redex.Seq, bounded bool) (bool, error) {
	p := h.pub.Load()
	switch {
	case seq < p.marks[log].Next:
		if bounded {
			return true, h.skipOf(p, log, seq)
		}
		return true, nil
	case p.end != nil:
		return true, p.end
	}
	return false, nil
}

// skipOf returns a *SkippedError when the event at seq, which is covered, did not change the state.
func (h *Handle[S]) skipOf(p *published[S], log int, seq redex.Seq) error {
	s := &p.skips[log]
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
		if err := h.waitFor(ctx, i, end-1, false); err != nil {
			return err
		}
	}
	return nil
}
