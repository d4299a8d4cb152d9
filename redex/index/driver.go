package index

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/seed69692123/netdb/redex"
)

const (
	batchEvents = 64 << 10               // most events of a commit
	staleAfter  = 200 * time.Millisecond // longest time that a batch grows while the index does not keep up
	clockEvents = 256                    // between two looks at the clock
	hurryEvents = 64                     // most events that follow one that somebody waits for
	saveEvents  = 4096                   // events without operations after which the position is saved

	leastPause = 10 * time.Millisecond // before a commit is tried again
	mostPause  = time.Second
)

// driver follows the log. It is one goroutine, apart from what Close reads when that has ended.
type driver struct {
	x     *Index
	at    meta // with everything that is projected; counts are those of saved
	saved meta // as it is in the store
	batch batch
	out   redex.ViewBatch

	since int       // events projected after the last flush
	first time.Time // when the batch got its first operation; zero while it has none
	hurry int       // events projected since one that somebody waits for; 0: nobody does
	notes []note

	swept      swept
	sweptDirty bool // it is not in the store yet
	sweeping   *sweep
	turn       int // events since the sweep had its

	fresh  *newKeys // nil: none
	record []byte

	end      error
	closed   bool
	gone     bool
	closeErr error
}

// note is a skipped event, or a lost range, that is not in the store yet.
type note struct {
	kind   byte
	seq    redex.Seq
	to     redex.Seq // of a lost range
	reason string
}

// run ends with Close or with the store.
func (d *driver) run() {
	defer close(d.x.done)
	for !d.closed {
		if d.end == nil {
			d.follow()
		}
		if !d.closed {
			d.rest()
		}
	}
	d.refuse()
}

// follow reads the log until something ends that, or a rebuild begins anew.
func (d *driver) follow() {
	if d.fresh = nil; d.saved.values == 0 && d.x.log.Bounds().Next >= d.at.next+longLog {
		d.fresh = makeNewKeys()
	}
	t := d.x.log.Tail(d.at.next, redex.TailOptions{})
	defer func() { _ = t.Close() }() // only read from
	for d.end == nil {
		if d.x.signal.Load() {
			return
		}
		if d.sweeping != nil {
			if d.turn--; d.turn < 0 {
				d.turn = sweepEvents
				d.sweepSome()
				continue
			}
		}
		switch {
		case t.TryNext(d.x.ctx):
			d.step(t.Event())
		case t.Err() == nil && d.sweeping != nil:
			d.turn = 0
		case t.Err() == nil:
			if d.idle(t) {
				return
			}
		case !d.passes(t.Err()):
			d.fail(t.Err())
			return
		default:
			return // with another tail, behind what is lost
		}
	}
}

// step projects an event.
func (d *driver) step(ev *redex.Event) {
	err := d.project(ev)
	if err != nil {
		d.batch.drop()
		if d.x.def.Options.Policy == Stop && !undecodable(err) {
			d.stop(ev.Seq, err)
			return
		}
		d.note(keySkipped, ev.Seq, 0, err)
		d.at.skipped++
	}
	d.batch.keep()
	d.at.next = ev.Seq + 1
	d.at.ordinal = max(d.at.ordinal, ev.Ordinal)
	d.x.events.Add(1)
	d.since++
	if d.hurry > 0 || d.x.waits.lowest.Load() <= uint64(ev.Seq) {
		d.hurry++
	}
	switch {
	case d.since >= batchEvents, d.batch.full(d.x.def.Options.BatchBytes), len(d.notes) >= saveEvents,
		d.since%clockEvents == 0 && d.dirty() && d.old(staleAfter), d.hurry > hurryEvents && d.dirty():
		d.flush()
	case d.hurry > hurryEvents:
		d.hurry = 0
		d.publish(nil)
	}
}

func (d *driver) note(kind byte, seq, to redex.Seq, why error) {
	reason := why.Error()
	d.notes = append(d.notes, note{kind, seq, to, reason[:min(len(reason), maxReason)]})
}

// undecodable reports whether err says only that an event's bytes are none of the projection's.
func undecodable(err error) bool {
	return errors.Is(err, redex.ErrDecode) && !errors.Is(err, redex.ErrNewerSchema) && !errors.Is(err, redex.ErrNoUpgrade)
}

// project calls the projection.
func (d *driver) project(ev *redex.Event) (err error) {
	if ev.Redacted && d.x.def.Options.EventOf != nil {
		return nil
	}
	ops := Ops{b: &d.batch}
	defer func() {
		if r := recover(); r != nil {
			err = &redex.PanicError{Value: r, Stack: debug.Stack()}
		}
	}()
	if err := d.x.def.Project(ev, &ops); err != nil {
		return err
	}
	return ops.err
}

// dirty reports whether there is something that readers do not see.
func (d *driver) dirty() bool { return len(d.batch.ops) > 0 || len(d.notes) > 0 }

// old reports whether the batch is older than that. The first look begins the time.
func (d *driver) old(than time.Duration) bool {
	if d.first.IsZero() {
		d.first = time.Now()
		return false
	}
	return time.Since(d.first) >= than
}

// idle is called when everything is projected. It sleeps until there is something to do, and reports whether to begin anew.
func (d *driver) idle(t *redex.Tail) bool {
	x := d.x
	if next := t.Position(); next > d.at.next {
		d.at.next = next
	}
	if d.fresh != nil && !d.dirty() {
		d.fresh = nil
	}
	if d.sweepsFloor(); d.sweeping != nil {
		return d.end != nil
	}
	sleep := x.nap()
	x.lazy.Store(d.dirty())
	defer x.lazy.Store(false)
	if x.signal.Load() {
		return true
	}
	every := x.def.Options.Every
	switch {
	case !d.dirty():
		if d.at.next-d.saved.next >= saveEvents {
			d.flush()
			return d.end != nil
		}
		d.publish(nil)
	case x.waits.lowest.Load() < uint64(d.at.next) || d.old(every):
		d.flush()
		return d.end != nil
	}
	if d.dirty() {
		ctx, stop := context.WithDeadline(sleep, d.first.Add(every))
		defer stop()
		sleep = ctx
	}
	if t.Next(sleep) {
		d.step(t.Event())
		return false
	}
	if err := t.Err(); errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	} else if !d.passes(err) {
		d.fail(err)
	}
	return true
}

// passes deals with an error of the tail behind which the index may go on.
func (d *driver) passes(err error) bool {
	if errors.Is(err, context.Canceled) { // the driver is closed
		return true
	}
	if !d.x.def.Options.AcceptLost {
		return false
	}
	from, to := d.at.next, d.at.next
	if lost, ok := errors.AsType[*redex.RangeLostError](err); ok {
		to = lost.To
	} else if damage, ok := errors.AsType[*redex.CorruptionError](err); ok && damage.Seq <= from {
		to = damage.End
	}
	if to <= from {
		return false
	}
	d.note(keyLost, from, to, err)
	d.at.lost++
	d.at.next = to
	d.x.def.Options.Logger.Warn("index: events are lost", "index", d.x.def.Name, "log", d.x.log.Name(), "from", from, "to", to, "err", err)
	return true
}

// fail ends the index with an error of its tail.
func (d *driver) fail(err error) {
	switch {
	case d.x.ctx.Err() != nil, errors.Is(err, redex.ErrClosed):
		d.close()
	case errors.Is(err, redex.ErrLogDeleted):
		d.forget(err)
	default:
		d.stop(d.at.next, err)
	}
}

// stop ends the index before an event. What came before is in it.
func (d *driver) stop(seq redex.Seq, cause error) {
	if !d.flush() {
		return // which ended it for another reason
	}
	d.end = &StoppedError{Index: d.x.def.Name, Log: d.x.log.Name(), Seq: seq, Cause: cause}
	d.x.def.Options.Logger.Error("index: stopped", "index", d.x.def.Name, "err", d.end)
	d.publish(nil)
}

// close ends the index for good.
func (d *driver) close() {
	if d.end == nil {
		d.flush()
	}
	d.end, d.closed = ErrClosed, true
	d.endSweep(nil)
	d.publish(nil)
}

// forget drops what the index holds of a log that was deleted. When that cannot be done now, the next Open does it.
func (d *driver) forget(cause error) {
	m := d.x.empty()
	m.next = d.at.next
	d.at, d.saved = m, m
	d.clear()
	d.end, d.gone = cause, true
	d.endSweep(nil)
	d.publish(nil)
	// The deletion first: an index must not go before its log is sure to be gone.
	if err := dropAll(context.Background(), d.x.views, nil, nil, d.x.store.Cut().Ordinal); err != nil {
		d.x.def.Options.Logger.Warn("index: not dropped with its log", "index", d.x.def.Name, "err", err)
	}
}

func (d *driver) clear() {
	d.batch.reset()
	d.out.Reset()
	d.notes = d.notes[:0]
	d.since, d.hurry, d.first = 0, 0, time.Time{}
}

// rest waits for a rebuild or for Close, and does it.
func (d *driver) rest() {
	for {
		sleep := d.x.nap()
		if d.x.ctx.Err() != nil {
			d.close()
			return
		}
		d.beginErasures()
		for d.sweeping != nil && d.end != nil && d.x.ctx.Err() == nil {
			d.sweepSome()
		}
		if d.x.asked() {
			d.restart()
			if d.end == nil {
				return
			}
			continue
		}
		if d.end == nil {
			return
		}
		<-sleep.Done()
	}
}

// restart answers those who ask for a rebuild.
func (d *driver) restart() {
	err := d.end
	if !d.gone {
		m := d.x.empty()
		sw := d.x.sweptNow(max(d.swept.erased, d.x.log.Erased()), true)
		if err = dropAll(d.x.ctx, d.x.views, &m, &sw, 0); err == nil {
			d.at, d.saved, d.end = m, m, nil
			d.swept, d.sweptDirty = sw, false
			d.clear()
			d.endSweep(nil)
			d.publish(nil)
		}
	}
	d.x.answer(err)
}

// refuse answers those who ask too late.
func (d *driver) refuse() { d.x.answer(d.end) }

// publish tells readers where the index is. What is not committed they do not see, so only a batch without operations moves it.
func (d *driver) publish(commitErr error) {
	p := &published{meta: d.saved, end: d.end, closed: d.closed, gone: d.gone, commitErr: commitErr}
	if !d.dirty() {
		p.next = d.at.next
	}
	if old := d.x.pub.Load(); old.meta == p.meta && old.end == nil && p.end == nil && old.commitErr == nil && commitErr == nil {
		return
	}
	d.x.publish(p)
}

// nap returns the context of the driver's next sleep. Whoever wakes it afterwards ends it.
func (x *Index) nap() context.Context {
	x.kickMu.Lock()
	defer x.kickMu.Unlock()
	if x.sleep.Err() != nil {
		x.sleep, x.kick = context.WithCancel(x.ctx)
	}
	return x.sleep
}

// wakeDriver ends the driver's sleep.
func (x *Index) wakeDriver() {
	x.kickMu.Lock()
	x.kick()
	x.kickMu.Unlock()
}

// asked reports whether somebody asks for a rebuild.
func (x *Index) asked() bool {
	x.kickMu.Lock()
	defer x.kickMu.Unlock()
	return len(x.rebuild) > 0
}

func (x *Index) answer(err error) {
	x.kickMu.Lock()
	defer x.kickMu.Unlock()
	for _, a := range x.rebuild {
		a <- err
	}
	x.rebuild = nil
	if x.ctx.Err() == nil {
		x.signal.Store(false)
	}
}
