package redex

import (
	"context"
	"errors"
	"hash/maphash"
	"maps"
	"time"

	"github.com/seed69692123/netdb/redex/journal"
)

// work is the goroutine of a run.
func (c *Consumer) work(r *consumerRun) {
	defer close(r.done)
	rd := &consumerReader{c: c, r: r}
	defer rd.close()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for r.ctx.Err() == nil {
		c.tick(r)
		c.buryAll(r)
		more, err := rd.read()
		if err != nil {
			c.mu.Lock()
			if r.err == nil && r.ctx.Err() == nil {
				r.err = err
			}
			r.wakeAllLocked()
			c.mu.Unlock()
			<-r.ctx.Done()
			return
		}
		if more {
			continue
		}
		c.mu.Lock()
		due := r.dueLocked()
		if len(r.w.dying) > 0 {
			due = 0
		}
		r.sleeping = due
		wait := time.Hour
		if due != never {
			wait = max(0, due-r.now())
		}
		c.mu.Unlock()
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-r.kick:
		case <-rd.wakeup():
			rd.listening = false
		case <-r.ctx.Done():
		}
		c.mu.Lock()
		r.sleeping = 0 // it looks at the clock before it sleeps again
		c.mu.Unlock()
	}
}

// tick does what is due by the clock.
func (c *Consumer) tick(r *consumerRun) {
	c.mu.Lock()
	now := r.now()
	for w := &r.w; len(w.timers) > 0 && w.timers[0].at <= now; {
		seq := w.timers[0].seq
		switch it := w.at(seq); it.state {
		case itemFlight: // the delivery goes on until there is another
			c.failedLocked(r, seq, c.options.backoff(it.attempts))
		case itemDying:
			w.dropTimer(seq)
			w.dying = append(w.dying, seq)
		default:
			w.dropTimer(seq)
			w.ready(seq, &c.options)
		}
	}
	r.wakeLocked(&c.options)
	flush := r.flushAt != 0 && r.flushAt <= now
	var err error
	if flush {
		err = c.flushLocked(r)
	}
	c.mu.Unlock()
	if errors.Is(err, journal.ErrBusy) {
		_, err = c.flush(r.ctx, r)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if flush && (err == nil || r.ctx.Err() == nil) {
		if r.trouble = err; err != nil {
			r.flushAt = r.now() + troubleWait
		}
	}
}

// consumerReader reads the log ahead of the members. It belongs to the goroutine of the run.
type consumerReader struct {
	c         *Consumer
	r         *consumerRun
	tail      *Tail
	listening bool // the tail is to wake the goroutine
	batch     []*Event
}

func (rd *consumerReader) close() {
	if rd.tail != nil {
		_ = rd.tail.Close() // only read from
		rd.tail = nil
	}
	rd.listening = false
}

// wakeup returns the channel that tells of new events, or nil.
func (rd *consumerReader) wakeup() <-chan struct{} {
	if rd.tail == nil || !rd.listening {
		return nil
	}
	return rd.tail.wakeup
}

// read reads some events, and reports whether it is to be called again at once. Its error ends the run.
func (rd *consumerReader) read() (more bool, err error) {
	c, r := rd.c, rd.r
	c.mu.Lock()
	skipped := c.skipLocked(r)
	want := r.roomLocked(&c.options)
	r.full = want == 0
	at, gen, hungry := r.w.end(), r.gen, len(r.waiters) > 0
	c.mu.Unlock()
	if skipped {
		return true, nil
	}
	if want == 0 {
		return false, nil
	}
	for rd.tail != nil && rd.tail.Position() < at && at-rd.tail.Position() <= readBatch && rd.tail.TryNext(r.ctx) {
		continue // over a few it is cheaper to read on than to search
	}
	if rd.tail == nil || rd.tail.Position() != at {
		rd.close()
		rd.tail = c.l.Tail(at, TailOptions{Durable: true})
	}
	rd.batch = rd.batch[:0]
	for len(rd.batch) < min(want, readBatch) && rd.tail.TryNext(r.ctx) {
		ev := rd.tail.Event().Clone()
		rd.batch = append(rd.batch, &ev)
	}
	if to := rd.tail.Position(); to > at && (len(rd.batch) > 0 || rd.tail.Err() == nil) {
		return rd.take(gen, to), nil
	}
	if err := rd.tail.Err(); err != nil {
		return rd.failed(at, gen, err)
	}
	if !rd.listening {
		rd.tail.listen()
		rd.listening = true
		return true, nil // what came before it listened woke nobody
	}
	s := c.l.s
	if hungry && s.o.Sync.Mode != SyncInterval && c.l.Bounds().Next > at {
		return s.SyncTo(r.ctx, Ordinal(s.visible.Load())) == nil, nil // a tail tells when it has failed
	}
	return false, nil
}

// take takes in the events of the batch, after which the tail is at a sequence. What is not among them went with compaction by key.
// It returns false when there is no room.
func (rd *consumerReader) take(gen int, to Seq) bool {
	c, r := rd.c, rd.r
	defer clear(rd.batch)
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.gen != gen {
		return true
	}
	for _, ev := range rd.batch {
		if !c.compactedLocked(r, ev.Seq) {
			return false
		}
		if r.settled.has(ev.Seq) { // by an earlier run
			if !c.passLocked(r, ev.Seq+1) {
				return false
			}
			continue
		}
		c.addLocked(r, ev)
		r.wakeLocked(&c.options)
	}
	return c.compactedLocked(r, to)
}

// compactedLocked passes over what went with compaction, up to a sequence: it is settled, as nobody will see it.
func (c *Consumer) compactedLocked(r *consumerRun, to Seq) bool {
	from := r.w.end()
	if from == to {
		return true
	}
	if !c.passLocked(r, to) {
		return false
	}
	c.settledLocked(r, from, to)
	c.changedLocked(r)
	return true
}

// skipLocked passes over what an earlier run has settled.
func (c *Consumer) skipLocked(r *consumerRun) bool {
	g, ok := r.settled.at(r.w.end())
	if !ok || g.from > r.w.end() {
		return false
	}
	return c.passLocked(r, g.to)
}

// passLocked passes over everything up to a sequence, which is settled. It returns false when there is no room for that yet.
func (c *Consumer) passLocked(r *consumerRun, to Seq) bool {
	n := to - r.w.end()
	switch {
	case r.w.n == 0:
		r.w.jump(to)
	case Seq(r.w.n)+n <= Seq(c.options.Lookahead):
		r.w.pass(int(n))
	default:
		r.full = true
		return false
	}
	r.settled = r.settled.fromSeq(to)
	if n < Seq(len(r.known)) {
		for seq := to - n; seq < to; seq++ {
			delete(r.known, seq)
		}
	} else {
		maps.DeleteFunc(r.known, func(seq Seq, _ attempt) bool { return seq < to })
	}
	return true
}

// addLocked adds the next event to those that members may get.
func (c *Consumer) addLocked(r *consumerRun, ev *Event) {
	n, exact := uint32(0), false
	if a, ok := r.known[ev.Seq]; ok {
		delete(r.known, ev.Seq)
		if n, exact = a.n, true; n == presumed {
			n, exact = 1, false
		}
	}
	chained, chain := false, uint64(0)
	switch c.options.Order {
	case OrderStrict:
		chained = true
	case OrderByKey:
		if ev.Key != nil { // keys of one hash wait for each other, which nobody notices
			chained, chain = true, maphash.Bytes(r.seed, ev.Key)
		}
	}
	r.w.add(ev, chained, chain, n, exact, &c.options)
}

// failed deals with the end of a tail: what is lost is passed over.
func (rd *consumerReader) failed(at Seq, gen int, err error) (more bool, end error) {
	c, r := rd.c, rd.r
	rd.close()
	var to Seq
	if lost, ok := errors.AsType[*RangeLostError](err); ok {
		to = lost.To
	} else if damage, ok := errors.AsType[*CorruptionError](err); ok {
		to = max(damage.End, at+1)
	} else if errors.Is(err, context.Canceled) {
		return false, nil
	} else {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.gen != gen {
		return true, nil
	}
	if Seq(r.w.n)+(to-at) > Seq(c.options.Lookahead) && r.w.n > 0 {
		r.full = true // until what is before it is settled
		return false, nil
	}
	c.loseLocked(r, at, to, err)
	c.passLocked(r, to)
	return true, nil
}
