package fold

import (
	"context"
	"sync"
)

// published is what readers see of a fold: it is replaced as a whole and never changed.
type published[S any] struct {
	state   *S // nil when the state has no tables
	tables  []tableCore
	places  places
	lost    []LostRange
	skipped []SkippedEvent
	events  int64 // folded since Open
	end     error // why the fold has ended; nil while it runs
	closed  bool

	once sync.Once
	flat []Mark
}

// marks returns the position in each log: a list that is made when somebody asks for it.
func (p *published[S]) marks() []Mark {
	p.once.Do(func() { p.flat = marksOf(p.places.all()) })
	return p.flat
}

// publish shows readers what the driver has done, and wakes those who wait for it. Only the driver calls it.
func (h *Handle[S]) publish() {
	p := &published[S]{
		lost:    h.lost[:len(h.lost):len(h.lost)],
		skipped: h.skipped[:len(h.skipped):len(h.skipped)], events: h.events, end: h.end, closed: h.closed,
	}
	old := h.pub.Load()
	if old != nil {
		p.places = h.own.publish(old.places)
	} else {
		p.places = h.own.publish(nil)
	}
	switch {
	case h.tables == nil:
	case h.broken:
		p.state, p.tables = old.state, old.tables
	default:
		p.state = h.tables.freeze(h.live)
		for _, c := range h.live {
			p.tables = append(p.tables, c.frozenForm())
		}
	}
	h.unpublished, h.hurry = 0, false
	h.pub.Store(p)
	h.waits.wake(p.places, h.own.touched, p.end != nil)
	h.own.settle()
	h.wakeFollowers()
}

// follower is woken by every publication; many publications before it looks are one.
type follower struct{ wake chan struct{} }

func (h *Handle[S]) follow() *follower {
	f := &follower{make(chan struct{}, 1)}
	h.followMu.Lock()
	h.followers[f] = struct{}{}
	h.following.Store(int64(len(h.followers)))
	h.followMu.Unlock()
	return f
}

func (h *Handle[S]) unfollow(f *follower) {
	h.followMu.Lock()
	delete(h.followers, f)
	h.following.Store(int64(len(h.followers)))
	h.followMu.Unlock()
}

func (h *Handle[S]) wakeFollowers() {
	if h.following.Load() == 0 {
		return
	}
	h.followMu.Lock()
	defer h.followMu.Unlock()
	for f := range h.followers {
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

// next returns the newest publication once it is another one than last, or the context's error.
func (h *Handle[S]) nextAfter(ctx context.Context, f *follower, last *published[S]) (*published[S], error) {
	for {
		if p := h.pub.Load(); p != last {
			return p, nil
		}
		select {
		case <-f.wake:
		case <-ctx.Done():
			return last, endOf(ctx)
		}
	}
}
