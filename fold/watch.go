package fold

import (
	"context"
	"iter"
)

// Change says that a fold has moved.
type Change struct {
	Marks  []Mark // the newest position
	Events int64  // events folded since the change before, or since Changes was called: over 1 when changes were merged
}

// Changes follows the fold from the call on. A slow reader gets one change for all it missed, never a queue of them. The last
// pair is an error, the reason of the end: ErrFoldStopped, ErrClosed or the context's error; every position the fold reached
// is told before, and an event that stopped the fold is not.
func (h *Handle[S]) Changes(ctx context.Context) iter.Seq2[Change, error] {
	first := h.pub.Load()
	return func(yield func(Change, error) bool) {
		f := h.follow()
		defer h.unfollow(f)
		p, told := first, first.events
		for {
			if p.events != told {
				if !yield(Change{p.marks(), p.events - told}, nil) {
					return
				}
				told = p.events
			}
			if p.end != nil {
				yield(Change{}, p.end)
				return
			}
			var err error
			if p, err = h.nextAfter(ctx, f, p); err != nil {
				yield(Change{}, err)
				return
			}
		}
	}
}

// Watch follows a query on a fold's state: it yields the query's answer at once, and then whenever the newest state gives
// another one than the last yielded. The query runs when the reader asks for the next answer, so a slow reader skips what lay
// between, holds nobody up, and always gets the last. The last pair is an error, the reason of the end: ErrFoldStopped,
// ErrClosed or the context's error. query must not change the state, nor keep it unless it is made of tables.
func Watch[S, R any](ctx context.Context, h *Handle[S], query func(*S) R, equal func(a, b R) bool) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		p := h.pub.Load()
		r := ask(h, p, query)
		if yield(r, nil) {
			follow(ctx, h, p, r, query, equal, yield)
		}
	}
}

// SnapshotAndWatch returns the query's answer now, and a watch that yields every later answer, from that one on; the watch
// may be used once.
func SnapshotAndWatch[S, R any](ctx context.Context, h *Handle[S], query func(*S) R, equal func(a, b R) bool) (R, iter.Seq2[R, error]) {
	p := h.pub.Load()
	r := ask(h, p, query)
	return r, func(yield func(R, error) bool) { follow(ctx, h, p, r, query, equal, yield) }
}

// follow yields answers that differ from last, the answer at p.
func follow[S, R any](ctx context.Context, h *Handle[S], p *published[S], last R, query func(*S) R, equal func(a, b R) bool, yield func(R, error) bool) {
	f := h.follow()
	defer h.unfollow(f)
	var none R
	for {
		if p.end != nil {
			yield(none, p.end)
			return
		}
		var err error
		if p, err = h.nextAfter(ctx, f, p); err != nil {
			yield(none, err)
			return
		}
		if r := ask(h, p, query); !equal(last, r) {
			if !yield(r, nil) {
				return
			}
			last = r
		}
	}
}

func ask[S, R any](h *Handle[S], p *published[S], query func(*S) R) R {
	if p.state != nil {
		return query(p.state)
	}
	h.stateMu.RLock()
	defer h.stateMu.RUnlock()
	return query(h.state)
}
