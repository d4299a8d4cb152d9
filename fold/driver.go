package fold

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/seed69692123/netdb/redex"
)

const (
	publishEvents = 1024                 // most events folded before readers see them
	publishEvery  = 2 * time.Millisecond // and the longest time, apart from that of one Apply
	publishWaited = 16                   // most events when somebody waits for one of them
)

// pace tells when publishEvery has passed, without asking the clock for every event of a fast fold.
type pace struct {
	start, last time.Time // of the batch, and of the clock's last reading
	since       int       // events after that reading
	every       int       // events per reading
}

func (p *pace) begin() {
	p.start = time.Now()
	p.last, p.since, p.every = p.start, 0, max(p.every, 1)
}

// due counts an event.
func (p *pace) due(now bool) bool {
	if p.since++; p.since < p.every && !now {
		return false
	}
	at := time.Now()
	p.every = 1
	if at.Sub(p.last)/time.Duration(p.since) < publishEvery/16 {
		p.every = 16
	}
	p.last, p.since = at, 0
	return at.Sub(p.start) >= publishEvery
}

// run is the driver: it ends with Close, with the store, or with an error.
func (h *Handle[S]) run() {
	defer close(h.done)
	defer h.src.close()
	h.pace.begin()
	for h.end == nil {
		if h.stopping.Load() {
			h.end, h.closed = ErrClosed, true
			break
		}
		if !h.src.try() && !h.idle() {
			continue
		}
		log, ev := h.src.event()
		if h.pinsN.Load() > 0 && !h.heldBack(ev.Time) {
			h.end, h.closed = ErrClosed, true
			break
		}
		h.step(log, ev)
		h.hurry = h.hurry || h.waits.wants(log, ev.Seq)
		if h.unpublished >= publishEvents || h.pace.due(h.hurry) || h.hurry && h.unpublished >= publishWaited || h.pinsN.Load() > 0 {
			h.publish()
			h.pace.begin()
			if h.end == nil && h.checkpointDue() {
				h.startCheckpoint()
			}
		}
	}
	h.publish()
	if h.end != nil && !h.closed {
		h.def.Options.Logger.Error("fold: stopped", "fold", h.def.Name, "err", h.end)
	}
}

// idle publishes and waits for an event. It returns false when there is none, after dealing with the reason.
func (h *Handle[S]) idle() bool {
	if _, err := h.src.err(); err == nil {
		if h.unpublished > 0 {
			h.publish()
		}
		if h.checkpointDue() {
			h.startCheckpoint()
		}
		ok := h.src.next()
		h.pace.begin()
		if ok {
			return true
		}
	}
	log, err := h.src.err()
	var lost *redex.RangeLostError
	switch {
	case h.stopping.Load(), errors.Is(err, redex.ErrClosed):
		h.end, h.closed = ErrClosed, true
	case errors.As(err, &lost) && h.def.Options.AcceptLost && lost.To > h.own.logs[log].mark.Next:
		h.stateMu.Lock()
		h.accept(log, lost.To)
		h.stateMu.Unlock()
		h.src.reopen(log, lost.To)
	default:
		h.stop(log, err)
	}
	return false
}

// accept lets a range that retention removed count as covered.
func (h *Handle[S]) accept(log int, to redex.Seq) {
	m := &h.own.touch(log).mark
	h.lost = append(h.lost, LostRange{m.Name, m.Next, to})
	m.Next = to
	h.unpublished++
}

func (h *Handle[S]) stop(log int, cause error) {
	m := &h.own.logs[log].mark
	h.end = &StoppedError{Fold: h.def.Name, Log: m.Name, Seq: m.Next, Cause: cause}
}

// step folds one event.
func (h *Handle[S]) step(log int, ev *redex.Event) {
	if h.tables == nil {
		h.stateMu.Lock()
		defer h.stateMu.Unlock()
	}
	m := &h.own.touch(log).mark
	if ev.Seq != m.Next {
		compacted := ev.Seq > m.Next && h.logs[log].compacted()
		if !compacted && (!h.def.Options.AcceptLost || ev.Seq < m.Next) {
			h.stop(log, gapError(m.Name, m.Next, ev.Seq))
			return
		}
		if !compacted {
			h.accept(log, ev.Seq)
		}
	}
	err := h.apply(ev)
	for _, c := range h.live {
		if err == nil {
			c.commit()
		}
	}
	if err != nil {
		if !h.rollback() {
			h.broken = true
			h.stop(log, fmt.Errorf("its changes could not be undone: %w", err))
			return
		}
		bad := undecodableOnly(err)
		if !bad && (h.def.Options.Policy == Stop || h.tables == nil) {
			h.stop(log, err)
			return
		}
		h.skip(log, ev.Seq, bad, err)
	} else {
		m.Applied = ev.Seq + 1
	}
	m.Next = ev.Seq + 1
	m.Ordinal = max(m.Ordinal, ev.Ordinal)
	m.Time = ev.Time
	h.events++
	h.unpublished++
	h.since.events++
	h.since.bytes += int64(len(ev.Payload) + len(ev.Key))
}

// undecodableOnly reports whether err says that the event is none of the fold's. A panic never says that.
func undecodableOnly(err error) bool {
	var p *PanicError
	return errors.Is(err, ErrUndecodable) && !errors.As(err, &p)
}

func (h *Handle[S]) apply(ev *redex.Event) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = newPanic(r)
		}
	}()
	if h.def.Filter != nil && !h.def.Filter(ev) {
		return nil
	}
	return h.def.Fold.Apply(h.state, *ev)
}

// rollback undoes the event's changes to tables. It reports false when user code made even that panic.
func (h *Handle[S]) rollback() (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			ok = false
		}
	}()
	for _, c := range h.live {
		c.rollback()
	}
	return true
}

func (h *Handle[S]) skip(log int, seq redex.Seq, undecodable bool, why error) {
	at := h.own.touch(log)
	at.skips.add(seq)
	at.mark.Skipped++
	if undecodable {
		at.undecodable++
	}
	reason := why.Error()
	if len(reason) > maxReason {
		reason = reason[:maxReason]
	}
	// Publications share the slice: it is only appended to, and replaced when it is full.
	if keep := h.def.Options.SkippedKept; len(h.skipped) >= 2*keep {
		h.skipped = append(make([]SkippedEvent, 0, 2*keep), h.skipped[len(h.skipped)-keep+1:]...)
	}
	h.skipped = append(h.skipped, SkippedEvent{at.mark.Name, seq, undecodable, reason})
}

func newPanic(r any) *PanicError { return &PanicError{r, debug.Stack()} }
