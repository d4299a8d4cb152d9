package redex

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/seed69692123/netdb/redex/journal"
)

// Member takes events of a consumer, each of which goes to one member. It is safe for concurrent use: several goroutines may share
// a member as they may have one each. A member that leaves, by Close or with the context of Join, gives back what it holds, and
// that is delivered to others at once.
type Member struct {
	c    *Consumer
	r    *consumerRun
	once sync.Once
	stop func() bool // of the context's AfterFunc
	left bool        // guarded by Consumer.mu
}

// Join returns a new member, which leaves when ctx ends, if not by Close before. Without members a consumer costs nothing.
func (c *Consumer) Join(ctx context.Context) (*Member, error) {
	fail := func(err error) (*Member, error) {
		return nil, fmt.Errorf("join consumer %q of %q: %w", c.name, c.l.Name(), err)
	}
	for {
		if err := ctx.Err(); err != nil {
			return fail(err)
		}
		if c.l.s.o.ReadOnly {
			return fail(ErrReadOnly)
		}
		if err := c.l.endErr(); err != nil {
			return fail(err)
		}
		c.mu.Lock()
		if c.gone {
			c.mu.Unlock()
			return fail(ErrConsumerDeleted)
		}
		r := c.run
		if r != nil && (r.ending || r.err != nil) {
			if !r.ending { // its members will leave, and another run may go on
				err := r.err
				c.mu.Unlock()
				return fail(err)
			}
			c.mu.Unlock()
			select {
			case <-r.ended:
			case <-ctx.Done():
			}
			continue
		}
		if r == nil {
			var err error
			if r, err = c.startLocked(); err != nil {
				c.mu.Unlock()
				return fail(err)
			}
		}
		r.members++
		m := &Member{c: c, r: r}
		m.stop = context.AfterFunc(ctx, m.leave)
		c.mu.Unlock()
		return m, nil
	}
}

// Close has the member leave. The last one to leave waits until what is settled is kept, as durable as an Ack is.
func (m *Member) Close() error {
	m.stop()
	m.leave()
	return nil
}

// leave gives back what the member holds.
func (m *Member) leave() {
	m.once.Do(func() {
		c, r := m.c, m.r
		c.mu.Lock()
		m.left = true
		var held []Seq
		for _, t := range r.w.timers {
			if r.w.at(t.seq).member == m {
				held = append(held, t.seq)
			}
		}
		slices.Sort(held)
		for _, seq := range held {
			c.failedLocked(r, seq, 0)
		}
		r.wakeAllLocked() // those who wait with this member
		r.members--
		last := r.members == 0
		c.changedLocked(r)
		c.mu.Unlock()
		if last {
			c.endRun(r, nil)
		}
	})
}

// Delivery is an event that was given to a member. It ends when it is settled (Ack, AckSync, Reject), given back (Nack, and when
// the member leaves), when Seek moved the consumer, or when AckWait has passed and the event was delivered again. Until then, also
// after AckWait, it can be settled. Of a delivery that has ended all methods return ErrDeliveryEnded. It is safe for concurrent use.
type Delivery struct {
	Event   Event // the receiver's own
	Attempt int   // 1 for the first delivery of the event

	m  *Member
	id uint64
}

// Next returns the next event, waiting for one. Its error is the context's; ErrMemberLeft; a GapError, after which Next goes on; or
// what has ended the consumer: ErrConsumerDeleted, ErrLogDeleted, ErrClosed, ErrFailed.
func (m *Member) Next(ctx context.Context) (*Delivery, error) {
	d, err := m.next(ctx, true)
	if err != nil {
		if _, ok := err.(*GapError); !ok {
			err = fmt.Errorf("consumer %q of %q: %w", m.c.name, m.c.l.Name(), err)
		}
		return nil, err
	}
	return d, nil
}

// TryNext is Next that does not wait for an event: it returns nil without an error when there is none now.
func (m *Member) TryNext(ctx context.Context) (*Delivery, error) {
	d, err := m.next(ctx, false)
	if err != nil {
		if _, ok := err.(*GapError); !ok {
			err = fmt.Errorf("consumer %q of %q: %w", m.c.name, m.c.l.Name(), err)
		}
		return nil, err
	}
	return d, nil
}

// All returns the events that Next returns, until the loop is left. An error is a pair of its own: after a GapError the loop goes
// on, any other is the last.
func (m *Member) All(ctx context.Context) iter.Seq2[*Delivery, error] {
	return func(yield func(*Delivery, error) bool) {
		for {
			d, err := m.Next(ctx)
			_, gap := errors.AsType[*GapError](err)
			if !yield(d, err) || err != nil && !gap {
				return
			}
		}
	}
}

// next is Next, that waits or returns nil.
func (m *Member) next(ctx context.Context, wait bool) (*Delivery, error) {
	c, r := m.c, m.r
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c.mu.Lock()
		if err := m.noteLocked(); err != nil {
			c.mu.Unlock()
			return nil, err
		}
		seq, ok := r.w.pick(&c.options)
		if !ok {
			var ready chan struct{}
			if wait {
				ready = r.waitLocked()
			}
			r.kickLocked(c.l.s.o.Sync.Mode != SyncInterval) // to sync, when there is something that is not
			c.mu.Unlock()
			if !wait {
				return nil, nil
			}
			select {
			case <-ready:
			case <-ctx.Done():
				c.mu.Lock()
				r.unwaitLocked(ready, &c.options)
				c.mu.Unlock()
				return nil, ctx.Err()
			}
			continue
		}
		placed, err := c.recordLocked(r, seq)
		if err != nil {
			r.wakeLocked(&c.options) // the event is for another one then
			body := slices.Clone(c.body)
			c.mu.Unlock()
			if errors.Is(err, journal.ErrBusy) {
				err = c.l.s.waitReady(ctx, journal.Body{Head: body})
			}
			if err != nil {
				return nil, err
			}
			continue
		}
		c.delivery++
		d := &Delivery{m: m, id: c.delivery}
		r.w.deliver(seq, m, d.id, r.now()+c.options.AckWait)
		it := r.w.at(seq)
		ev := it.ev
		r.w.uncache(it)
		d.Attempt = int(it.attempts)
		d.Event.Seq = seq
		c.changedLocked(r)
		c.mu.Unlock()
		if ev != nil {
			d.Event = *ev
		}
		if ev == nil || placed != 0 {
			again, err := d.complete(ctx, ev == nil, placed)
			if err != nil {
				return nil, err
			}
			if again {
				continue
			}
		}
		return d, nil
	}
}

// noteLocked returns what a member is to be told before it gets an event.
func (m *Member) noteLocked() error {
	r := m.r
	switch {
	case r.err != nil:
		return r.err
	case m.left:
		return ErrMemberLeft
	case len(r.gaps) > 0:
		gap := r.gaps[0]
		r.gaps = r.gaps[1:]
		return gap
	}
	return nil
}

// complete makes the record of an attempt durable and reads the event, where that is still to be done. When it cannot, the event
// is given back. again means that there is none: it was lost.
func (d *Delivery) complete(ctx context.Context, read bool, placed Ordinal) (again bool, err error) {
	c, r := d.m.c, d.m.r
	if placed != 0 {
		err = c.l.s.settle(ctx, DurableByPolicy, placed)
	}
	if err == nil && read {
		var ev Event
		if ev, err = c.l.Read(ctx, d.Event.Seq); err == nil {
			d.Event = ev
		}
	}
	if err == nil {
		return false, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	it := d.itemLocked()
	if it == nil || it.state != itemFlight {
		return true, nil // it has taken so long that another got the event
	}
	defer c.changedLocked(r)
	if c.goneLocked(r, d.Event.Seq, err) {
		return true, nil
	}
	r.w.release(d.Event.Seq)
	it.delivery = 0
	if it.attempts--; it.attempts == 0 {
		r.w.outstanding--
	}
	if !isContext(err) {
		it.state = itemWaiting // a while, not to try again at once
		r.w.setTimer(d.Event.Seq, r.now()+troubleWait)
	} else {
		r.w.ready(d.Event.Seq, &c.options)
	}
	return false, err
}

// goneLocked settles an event that cannot be read, when err says that this is for good.
func (c *Consumer) goneLocked(r *consumerRun, seq Seq, err error) bool {
	switch {
	case errors.Is(err, ErrCompacted):
		c.settledLocked(r, seq, seq+1)
	case errors.Is(err, ErrRangeLost), errors.Is(err, ErrCorrupt):
		c.loseLocked(r, seq, seq+1, err)
	default:
		return false
	}
	r.w.settle(seq, &c.options)
	return true
}

// itemLocked returns the item of a delivery that has not ended, or nil.
func (d *Delivery) itemLocked() *item {
	r := d.m.r
	if r.ending || r.err != nil {
		return nil
	}
	it := r.w.at(d.Event.Seq)
	if it == nil || it.delivery != d.id || it.state == itemSettled {
		return nil
	}
	return it
}

// ended is the error of a delivery that has ended.
func (d *Delivery) ended(op string) error {
	err := ErrDeliveryEnded
	if d.m.r.err != nil {
		err = errors.Join(err, d.m.r.err)
	}
	return fmt.Errorf("%s sequence %d, consumer %q of %q: %w", op, d.Event.Seq, d.m.c.name, d.m.c.l.Name(), err)
}

// Ack settles the event: it will not be delivered again. The store keeps this together with other acknowledgements, soon
// (ackDelay, or some hundred of them): a crash before redelivers the event, and so may a power cut before the next sync. When it was
// the last of MaxAttempts, the event becomes a dead letter then.
func (d *Delivery) Ack() error {
	c := d.m.c
	c.mu.Lock()
	defer c.mu.Unlock()
	return d.ackLocked()
}

func (d *Delivery) ackLocked() error {
	c, r := d.m.c, d.m.r
	if d.itemLocked() == nil {
		return d.ended("acknowledge")
	}
	r.w.settle(d.Event.Seq, &c.options)
	r.counts.acked++
	c.settledLocked(r, d.Event.Seq, d.Event.Seq+1)
	c.changedLocked(r)
	return nil
}

// AckSync is Ack that returns when it is durable. Concurrent calls share frames and syncs. After an error other than
// ErrDeliveryEnded the event is settled, and it is unknown whether a crash redelivers it.
func (d *Delivery) AckSync(ctx context.Context) error {
	c := d.m.c
	c.mu.Lock()
	err := d.ackLocked()
	c.mu.Unlock()
	if err == nil {
		err = c.sync(ctx, d.m.r)
	}
	return err
}

// Sync returns when all acknowledgements until now are durable.
func (c *Consumer) Sync(ctx context.Context) error {
	c.mu.Lock()
	r := c.run
	c.mu.Unlock()
	if r == nil { // the last run kept them when it ended
		if err := c.l.s.Sync(ctx); err != nil {
			return fmt.Errorf("sync consumer %q of %q: %w", c.name, c.l.Name(), err)
		}
		return nil
	}
	return c.sync(ctx, r)
}

func (c *Consumer) sync(ctx context.Context, r *consumerRun) error {
	placed, err := c.flush(ctx, r)
	if err == nil {
		err = c.l.s.SyncTo(ctx, placed)
	}
	if err != nil {
		return fmt.Errorf("sync consumer %q of %q: %w", c.name, c.l.Name(), err)
	}
	return nil
}

// Nack gives the event back: it was not dealt with and is delivered again, after delay, or with delay 0 when Backoff says. When it
// was attempted MaxAttempts times it moves to the dead-letter log instead.
func (d *Delivery) Nack(delay time.Duration) error {
	c, r := d.m.c, d.m.r
	c.mu.Lock()
	defer c.mu.Unlock()
	it := d.itemLocked()
	if it == nil || it.state != itemFlight {
		return d.ended("give back")
	}
	if delay <= 0 {
		delay = c.options.backoff(it.attempts)
	}
	it.delivery = 0
	c.failedLocked(r, d.Event.Seq, delay)
	c.changedLocked(r)
	return nil
}

// InProgress begins AckWait anew.
func (d *Delivery) InProgress() error {
	c, r := d.m.c, d.m.r
	c.mu.Lock()
	defer c.mu.Unlock()
	if it := d.itemLocked(); it == nil || it.state != itemFlight {
		return d.ended("extend")
	}
	r.w.setTimer(d.Event.Seq, r.now()+c.options.AckWait)
	return nil
}

// Reject moves the event to the dead-letter log now, whatever its attempts, with the reason (its first 1,024 bytes). It returns
// when that is as durable as the store's policy says. After an error the consumer goes on trying. ErrNoDeadLetter leaves the
// delivery as it was.
func (d *Delivery) Reject(ctx context.Context, reason string) error {
	c, r := d.m.c, d.m.r
	c.mu.Lock()
	it := d.itemLocked()
	switch {
	case it == nil || it.state == itemDying:
		defer c.mu.Unlock()
		return d.ended("reject")
	case c.options.DeadLetter == "":
		c.mu.Unlock()
		return fmt.Errorf("reject sequence %d, consumer %q of %q: %w", d.Event.Seq, c.name, c.l.Name(), ErrNoDeadLetter)
	}
	r.w.release(d.Event.Seq)
	it.state, it.why, it.delivery = itemDying, reason[:min(len(reason), maxReason)], 0
	gen := r.gen
	c.changedLocked(r)
	c.mu.Unlock()
	placed, err := c.bury(ctx, r, d.Event.Seq, gen)
	if err != nil {
		c.mu.Lock()
		c.buryLaterLocked(r, d.Event.Seq, gen)
		c.mu.Unlock()
	} else if placed == 0 { // the consumer was moved, its run has ended, or the event is gone
		c.mu.Lock()
		defer c.mu.Unlock()
		return d.ended("reject")
	} else {
		err = c.l.s.settle(ctx, DurableByPolicy, placed)
	}
	if err != nil {
		return fmt.Errorf("reject sequence %d, consumer %q of %q: %w", d.Event.Seq, c.name, c.l.Name(), err)
	}
	return nil
}
