package redex

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/seed69692123/netdb/redex/journal"
)

// Bounds of what a consumer keeps in one frame, and of what it keeps waiting.
const (
	ackDelay      = 10 * time.Millisecond // at most until an acknowledgement is in a frame
	ackBatch      = 256                   // acknowledgements that wait for one
	frameRanges   = 256                   // of sequences, or attempts, in one frame
	reserveEvents = 64                    // first attempts that one frame records
	maxReserved   = 4096                  // recorded so and perhaps not delivered
	prefetch      = 256                   // events ready
	readBatch     = 64
	maxGaps       = 64          // GapErrors that wait for a member
	troubleWait   = time.Second // until something that failed is tried again
)

// consumerRun is what a consumer has in memory while it has members. Its goroutine, Consumer.work, reads the log ahead, looks at
// deadlines, keeps what is settled and moves events to the dead-letter log; it ends with the last member, or the store.
type consumerRun struct {
	began time.Time // of its clock
	seed  maphash.Seed
	kick  chan struct{} // of capacity 1: there is something to do
	ctx   context.Context
	stop  context.CancelFunc
	done  chan struct{} // closed when the goroutine has ended
	ended chan struct{} // closed when the run has
	end   sync.Once

	// Guarded by Consumer.mu.
	w        lookahead
	gen      int // goes up with Seek
	members  int
	ending   bool
	err      error           // what has ended it
	trouble  error           // what failed last and is tried again
	known    map[Seq]attempt // attempts of events that are not read yet; n is negated when it is only reserved
	settled  seqRanges       // by an earlier run, and not read yet
	reserved seqRanges       // first attempts that are recorded
	waiters  []chan struct{}
	gaps     []*GapError
	full     bool          // the goroutine does not read for want of room
	sleeping time.Duration // until when the goroutine sleeps

	unkept  seqRanges // settled and in no frame; made a set when it is placed
	acks    int       // calls that made it
	counts  cursorCounts
	flushAt time.Duration // when it is due; 0: nothing waits
	placed  Ordinal       // of the last frame that kept some
}

const never = time.Duration(math.MaxInt64)

// startLocked begins a run.
func (c *Consumer) startLocked() (*consumerRun, error) {
	s := c.l.s
	s.consumers.mu.Lock()
	closed := s.consumers.closed // who closes looks for this run after us
	s.consumers.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	r := &consumerRun{
		began: time.Now(), seed: maphash.MakeSeed(), kick: make(chan struct{}, 1), done: make(chan struct{}), ended: make(chan struct{}),
	}
	c.l.mu.Lock()
	state := c.cur.kept().clone()
	c.l.mu.Unlock()
	next := c.l.Bounds().Next
	if state.position > next {
		return nil, &CorruptionError{Log: c.l.Name(), Seq: next, File: s.catalogPath(), Err: fmt.Errorf("consumer %q is at %d", c.name, state.position)}
	}
	r.w.base, r.settled, r.reserved = state.position, state.settled, state.reserved
	r.known = map[Seq]attempt{}
	for seq, n := range state.attempts {
		r.known[seq] = attempt{seq, n}
	}
	for _, g := range slices.Clone(state.reserved).below(next) { // reservations go beyond the end of the log
		for seq := g.from; seq < g.to; seq++ {
			if _, ok := r.known[seq]; !ok && !r.settled.has(seq) {
				r.known[seq] = attempt{seq, presumed}
			}
		}
	}
	r.ctx, r.stop = context.WithCancel(s.bg)
	c.run = r
	go c.work(r)
	return r, nil
}

// presumed marks one attempt that was reserved, and may not have been made.
const presumed = math.MaxUint32

// moveLocked forgets everything and goes on at a sequence.
func (r *consumerRun) moveLocked(to Seq) {
	r.gen++
	r.w = lookahead{base: to}
	r.known, r.settled, r.reserved, r.unkept, r.gaps = nil, nil, nil, nil, nil
	r.acks, r.counts, r.flushAt, r.full = 0, cursorCounts{}, 0, false
	r.kickLocked(true)
}

// endRun ends a run, once: cause is nil when its last member left. What is settled is kept, and what was attempted, exactly.
func (c *Consumer) endRun(r *consumerRun, cause error) {
	r.end.Do(func() {
		c.mu.Lock()
		if cause != nil && r.err == nil {
			r.err = cause
		}
		r.wakeAllLocked()
		c.mu.Unlock()
		r.stop()
		<-r.done
		if _, err := c.flush(c.l.s.bg, r); err != nil && c.worthTelling(err) {
			c.l.s.log.Error("redex: acknowledgements are not kept, their events will be delivered again", "log", c.l.Name(), "consumer", c.name, "err", err)
		}
		c.mu.Lock()
		r.ending = true
		if err := c.exactLocked(r, true); err != nil && !errors.Is(err, journal.ErrBusy) && c.worthTelling(err) {
			c.l.s.log.Error("redex: attempts are not kept exactly", "log", c.l.Name(), "consumer", c.name, "err", err)
		}
		r.w = lookahead{base: r.w.base}
		c.run = nil
		c.mu.Unlock()
		close(r.ended)
	})
	<-r.ended
}

// worthTelling reports whether an error is not just the end of the log or the consumer.
func (c *Consumer) worthTelling(err error) bool {
	return !errors.Is(err, ErrConsumerDeleted) && !errors.Is(err, ErrLogDeleted)
}

// failedLocked ends an attempt that did not settle its event.
func (c *Consumer) failedLocked(r *consumerRun, seq Seq, delay time.Duration) {
	r.w.release(seq)
	if it := r.w.at(seq); delay > 0 && !it.exhausted(&c.options) {
		it.state = itemWaiting
		r.w.setTimer(seq, r.now()+delay)
		return
	}
	r.w.ready(seq, &c.options)
}

// settledLocked notes that sequences are settled, for the next frame.
func (c *Consumer) settledLocked(r *consumerRun, from, to Seq) {
	r.unkept = r.unkept.note(from, to)
	if r.flushAt == 0 {
		r.flushAt = r.now() + ackDelay
	}
	if r.acks++; r.acks >= ackBatch {
		if err := c.flushLocked(r); err != nil { // the goroutine tries again, and waits
			r.flushAt = 1
			r.kickLocked(true)
		}
	}
}

// loseLocked notes that [from, to) is lost. The caller settles its items.
func (c *Consumer) loseLocked(r *consumerRun, from, to Seq, cause error) {
	lost := int64(to-from) - r.settled.below(to).fromSeq(from).len()
	r.counts.lost += uint64(lost)
	c.settledLocked(r, from, to)
	n := len(r.gaps)
	if n > 0 && (r.gaps[n-1].To == from || n == maxGaps) { // one for all
		g := *r.gaps[n-1]
		g.From, g.To, g.Events, g.Err = min(g.From, from), max(g.To, to), g.Events+lost, cause
		r.gaps[n-1] = &g
	} else {
		r.gaps = append(r.gaps, &GapError{Log: c.l.Name(), Consumer: c.name, From: from, To: to, Events: lost, Err: cause})
	}
	r.wakeAllLocked()
}

// takeLocked moves what is settled to a change, as much as one frame holds. drop takes it back out when the frame is placed.
func (r *consumerRun) takeLocked(ch *cursorChange) (drop func(Ordinal)) {
	r.unkept = r.unkept.normal()
	n := min(len(r.unkept), frameRanges)
	ch.settled = r.unkept[:n]
	ch.counts.add(r.counts)
	return func(o Ordinal) {
		r.unkept = r.unkept[:copy(r.unkept, r.unkept[n:])]
		r.counts = cursorCounts{}
		r.placed = o
		if r.acks = len(r.unkept); r.acks == 0 {
			r.flushAt = 0
		}
	}
}

// flushLocked places what is settled, or returns journal.ErrBusy.
func (c *Consumer) flushLocked(r *consumerRun) error {
	for len(r.unkept) > 0 {
		ch := &cursorChange{}
		drop := r.takeLocked(ch)
		o, err := c.placeLocked(ch)
		if err != nil {
			return err
		}
		drop(o)
	}
	return nil
}

// flush is flushLocked that waits for room. It returns the last frame with what was settled.
func (c *Consumer) flush(ctx context.Context, r *consumerRun) (Ordinal, error) {
	for {
		c.mu.Lock()
		err := c.flushLocked(r)
		placed, body := r.placed, slices.Clone(c.body)
		c.mu.Unlock()
		if !errors.Is(err, journal.ErrBusy) {
			return placed, err
		}
		if err := c.l.s.waitReady(ctx, journal.Body{Head: body}); err != nil {
			return 0, err
		}
	}
}

// recordLocked records that an event is about to be delivered. It returns the frame if the delivery is to wait for that.
func (c *Consumer) recordLocked(r *consumerRun, seq Seq) (Ordinal, error) {
	it := r.w.at(seq)
	n := it.attempts + 1
	exact := n > 1 || c.options.MaxAttempts == 1
	ch := &cursorChange{}
	switch {
	case exact:
		ch.attempts = []attempt{{seq, n}}
		if n > 1 {
			ch.counts.redelivered = 1
		}
	case r.reserved.has(seq):
		return 0, nil
	default:
		if r.reserved = r.reserved.fromSeq(r.w.base); r.reserved.len() >= maxReserved {
			if err := c.exactLocked(r, false); err != nil {
				return 0, err
			}
			ch.clear = true
		}
		ch.reserve = seqRanges{{seq, min(seq, maxSeq-reserveEvents) + reserveEvents}}
	}
	drop := r.takeLocked(ch)
	o, err := c.placeLocked(ch)
	if err != nil {
		return 0, err
	}
	drop(o)
	if ch.clear {
		r.reserved = nil
	}
	r.reserved = r.reserved.union(ch.reserve)
	if it.exact = exact; exact {
		return o, nil
	}
	return 0, nil
}

// exactLocked records the attempts that are only reserved, so that the reservations can go. clear has them go.
func (c *Consumer) exactLocked(r *consumerRun, clear bool) error {
	if len(r.reserved) == 0 {
		return nil
	}
	var as []attempt
	place := func(atLeast int) error {
		if len(as) < atLeast {
			return nil
		}
		_, err := c.placeLocked(&cursorChange{attempts: as})
		for _, a := range as {
			if err != nil {
				break
			}
			if it := r.w.at(a.seq); it != nil {
				it.exact = true
			} else {
				r.known[a.seq] = a
			}
		}
		as = as[:0]
		return err
	}
	for seq := r.w.base; seq < r.w.end(); seq++ {
		if it := r.w.at(seq); it.state != itemSettled && it.attempts > 0 && !it.exact {
			as = append(as, attempt{seq, it.attempts})
			if err := place(frameRanges); err != nil {
				return err
			}
		}
	}
	var later []Seq // of events that are not read yet
	for seq, a := range r.known {
		if a.n == presumed {
			later = append(later, seq)
		}
	}
	slices.Sort(later)
	for _, seq := range later {
		as = append(as, attempt{seq, 1})
		if err := place(frameRanges); err != nil {
			return err
		}
	}
	if err := place(1); err != nil || !clear {
		return err
	}
	_, err := c.placeLocked(&cursorChange{clear: true})
	return err
}

// waitLocked returns a channel that gets a note when there may be an event for a member.
func (r *consumerRun) waitLocked() chan struct{} {
	ch := make(chan struct{}, 1)
	r.waiters = append(r.waiters, ch)
	return ch
}

// unwaitLocked ends a wait. A note that came meanwhile is passed on.
func (r *consumerRun) unwaitLocked(ch chan struct{}, o *ConsumerOptions) {
	if i := slices.Index(r.waiters, ch); i >= 0 {
		r.waiters = slices.Delete(r.waiters, i, i+1)
		return
	}
	r.wakeLocked(o)
}

// wakeLocked wakes the member that has waited longest if there is an event for it. That one wakes the next.
func (r *consumerRun) wakeLocked(o *ConsumerOptions) {
	if len(r.waiters) == 0 {
		return
	}
	if _, ok := r.w.pick(o); ok {
		r.waiters[0] <- struct{}{} // has room: it is sent once
		r.waiters = r.waiters[1:]
	}
}

func (r *consumerRun) wakeAllLocked() {
	for _, ch := range r.waiters {
		ch <- struct{}{}
	}
	r.waiters = nil
}

// kickLocked has the goroutine look for something to do.
func (r *consumerRun) kickLocked(now bool) {
	if !now {
		return
	}
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// dueLocked returns when the goroutine has something to do by the clock.
func (r *consumerRun) dueLocked() time.Duration {
	due := never
	if len(r.w.timers) > 0 {
		due = r.w.timers[0].at
	}
	if r.flushAt != 0 {
		due = min(due, r.flushAt)
	}
	return due
}

// changedLocked is called after every change of what is ready, in flight or settled: it wakes those whom that concerns.
func (c *Consumer) changedLocked(r *consumerRun) {
	r.wakeLocked(&c.options)
	want := 0
	if r.full {
		want = r.roomLocked(&c.options)
	}
	r.kickLocked(len(r.w.dying) > 0 || r.dueLocked() < r.sleeping || want >= readBatch || want > 0 && len(r.w.fresh) == 0)
}

// roomLocked returns how many more events may be read.
func (r *consumerRun) roomLocked(o *ConsumerOptions) int {
	room := o.Lookahead - r.w.n
	if o.Order == OrderStrict {
		room = min(room, prefetch-r.w.n)
	}
	return max(0, min(room, prefetch-len(r.w.fresh)))
}
