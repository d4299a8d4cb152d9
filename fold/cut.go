package fold

import (
	"context"
	"slices"

	"github.com/seed69692123/netdb/redex"
)

// pin holds the driver back: before it applies an event it waits while a pin has no cut, or one older than the event.
type pin[S any] struct {
	h   *Handle[S]
	cut *redex.Cut
}

// Pin implements Instance: the fold applies no event that becomes visible after the call, until the pin is given a cut or
// released.
func (h *Handle[S]) Pin() Pin {
	p := &pin[S]{h: h}
	h.pinMu.Lock()
	h.pins[p] = struct{}{}
	h.pinsN.Store(int64(len(h.pins)))
	h.pinMu.Unlock()
	return p
}

// Release implements Pin.
func (p *pin[S]) Release() {
	p.h.pinMu.Lock()
	delete(p.h.pins, p)
	p.h.pinsN.Store(int64(len(p.h.pins)))
	p.h.pinned.Broadcast()
	p.h.pinMu.Unlock()
}

// Reach implements Pin.
func (p *pin[S]) Reach(ctx context.Context, c redex.Cut) (Frozen, error) {
	h := p.h
	ends := make([]redex.Seq, len(h.logs))
	for i := range h.logs {
		b, err := h.logs[i].log.BoundsAt(ctx, c)
		if err != nil {
			return nil, err
		}
		ends[i] = b.Next
	}
	h.pinMu.Lock()
	p.cut = &c
	h.pinned.Broadcast()
	h.pinMu.Unlock()
	if err := h.reach(ctx, ends); err != nil {
		return nil, err
	}
	f, err := h.Frozen()
	if err != nil {
		return nil, err
	}
	for i, m := range f.Marks() {
		if m.Next > ends[i] {
			return nil, ErrPastCut
		}
	}
	return f, nil
}

// heldBack waits until no pin holds the driver before an event of that time. It reports false when the handle closes.
func (h *Handle[S]) heldBack(time int64) bool {
	if h.unpublished > 0 {
		h.publish()
	}
	h.pinMu.Lock()
	defer h.pinMu.Unlock()
	for !h.stopping.Load() {
		held := false
		for p := range h.pins {
			held = held || p.cut == nil || time > p.cut.Time
		}
		if !held {
			return true
		}
		h.pinned.Wait()
	}
	return false
}

// Frozen implements Instance. A state without tables is encoded under its lock, at its newest position.
func (h *Handle[S]) Frozen() (Frozen, error) {
	p := h.pub.Load()
	if h.tables != nil {
		return h.frozenAt(p.tables, p.places.all(), p.lost, p.skipped), nil
	}
	h.stateMu.RLock()
	defer h.stateMu.RUnlock()
	return h.freezeHere(), nil
}

// freezeHere is Frozen for the driver, or under the state's lock.
func (h *Handle[S]) freezeHere() *frozen {
	if h.tables != nil {
		p := h.pub.Load()
		return h.frozenAt(p.tables, p.places.all(), p.lost, p.skipped)
	}
	logs := make([]logHeader, len(h.own.logs))
	for i := range logs {
		at := &h.own.logs[i] // not copied whole: publish changes skips.shared without the lock
		skips := skipSet{ranges: slices.Clone(at.skips.ranges), forgotten: at.skips.forgotten}
		logs[i] = logHeader{at.mark, at.undecodable, skips}
	}
	f := h.frozenAt(nil, logs, slices.Clone(h.lost), slices.Clone(h.skipped))
	if f.broken == nil {
		f.plain, f.broken = h.encodeState()
	}
	return f
}

func (h *Handle[S]) encodeState() (b []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = newPanic(r)
		}
	}()
	return encodePlain(h.state)
}

func (h *Handle[S]) frozenAt(tables []tableCore, logs []logHeader, lost []LostRange, skipped []SkippedEvent) *frozen {
	f := &frozen{tables: tables, marks: marksOf(logs), broken: h.unwritable}
	f.head = header{
		fold: h.def.Name, version: int64(h.def.Version), layout: h.layout, store: h.store.ID(), epoch: h.store.Epoch(),
		logs: logs, lost: lost, skipped: h.newestSkipped(skipped),
	}
	return f
}
