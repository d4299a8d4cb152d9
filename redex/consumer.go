package redex

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
	"weak"

	"github.com/seed69692123/netdb/redex/journal"
)

// Consumer is a named reader of a log whose position the store keeps: which events are settled, and how often the others were
// delivered. Any number of members share its events (Join). It is safe for concurrent use, and all handles on a consumer are the
// same pointer while one is in use. A handle needs no closing; members do.
//
// What is promised:
//
//  1. Only durable events are delivered. When a member waits and no SyncInterval is going to make them durable, the consumer syncs.
//  2. Every event is delivered until it is settled: acknowledged, moved to the dead-letter log, or lost to retention or damage,
//     which Next tells as a GapError. What compaction by key takes is passed over. A crash redelivers what was not durably acknowledged.
//  3. Attempts are recorded before an event is given to a member: each from the second on by itself and as durable as the store's
//     policy says, the first ones 64 sequences at a time and not waiting for a sync. So an event that kills its process is
//     delivered MaxAttempts times at most; a power cut may take back attempts that were not synced. After a crash an event that was
//     next in line may have one attempt more than it had deliveries, unless MaxAttempts is 1: then each first attempt is recorded
//     by itself as well.
//  4. Moving to the dead-letter log is one frame, with the settling: the event is there exactly once.
type Consumer struct {
	l    *Log
	name string
	cur  *cursor

	mu       sync.Mutex // taken before the append lock; never held over a wait
	options  ConsumerOptions
	gone     bool         // deleted
	run      *consumerRun // while it has members
	delivery uint64       // number of the last one
	body     []byte       // of the last frame
}

// consumers are those in use, by log and name. The pointers are weak: members hold their consumer, and what nobody holds has
// nothing that is not kept.
type consumers struct {
	openMu sync.Mutex // one is made, changed or deleted at a time, as with Store.createMu
	mu     sync.Mutex // a leaf
	live   map[consumerKey]weak.Pointer[Consumer]
	closed bool
}

type consumerKey struct {
	log  LogID
	name string
}

func (cs *consumers) get(k consumerKey) *Consumer {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	p, ok := cs.live[k]
	if !ok {
		return nil
	}
	c := p.Value()
	if c == nil {
		delete(cs.live, k)
	}
	return c
}

func (cs *consumers) put(k consumerKey, c *Consumer) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.live == nil {
		cs.live = map[consumerKey]weak.Pointer[Consumer]{}
	}
	maps.DeleteFunc(cs.live, func(_ consumerKey, p weak.Pointer[Consumer]) bool { return len(cs.live) > 64 && p.Value() == nil })
	cs.live[k] = weak.Make(c)
}

func (cs *consumers) remove(k consumerKey) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.live, k)
}

// close ends all runs: what members acknowledged is kept. No consumer runs afterwards.
func (cs *consumers) close() {
	cs.mu.Lock()
	cs.closed = true
	var live []*Consumer
	for _, p := range cs.live {
		if c := p.Value(); c != nil {
			live = append(live, c)
		}
	}
	cs.mu.Unlock()
	for _, c := range live {
		c.mu.Lock()
		r := c.run
		c.mu.Unlock()
		if r != nil {
			c.endRun(r, ErrClosed)
		}
	}
}

// logDeleted tells the members of a log's consumers that it is gone: a consumer that does not read, for want of room, would not see it.
func (cs *consumers) logDeleted(id LogID) {
	cs.mu.Lock()
	var of []*Consumer
	for k, p := range cs.live {
		if c := p.Value(); c != nil && k.log == id {
			of = append(of, c)
		}
	}
	cs.mu.Unlock()
	for _, c := range of {
		c.mu.Lock()
		if r := c.run; r != nil && r.err == nil {
			r.err = ErrLogDeleted
			r.wakeAllLocked()
		}
		c.mu.Unlock()
	}
}

// OpenConsumer returns the consumer of that name, and makes it when it does not exist. Names follow CheckName. When the consumer
// exists and its options differ from o in anything but From, that is a ConsumerDiffersError: UpdateConsumer changes them.
func (l *Log) OpenConsumer(ctx context.Context, name string, o ConsumerOptions) (*Consumer, error) {
	c, err := l.openConsumer(ctx, name, o)
	if err != nil {
		return nil, fmt.Errorf("open consumer %q of %q: %w", name, l.Name(), err)
	}
	return c, nil
}

func (l *Log) openConsumer(ctx context.Context, name string, o ConsumerOptions) (*Consumer, error) {
	o = o.withDefaults()
	if err := errors.Join(CheckName(name), o.validate()); err != nil {
		return nil, err
	}
	if o.DeadLetter == l.Name() {
		return nil, fmt.Errorf("%w: the DeadLetter log is the log itself", ErrOptions)
	}
	s := l.s
	s.consumers.openMu.Lock()
	c, err := l.consumer(name)
	if err == nil || !errors.Is(err, ErrNoConsumer) {
		s.consumers.openMu.Unlock()
		if err != nil {
			return nil, err
		}
		stored := c.Options()
		if field := stored.differs(&o); field != "" {
			return nil, &ConsumerDiffersError{Log: l.Name(), Consumer: name, Field: field, Stored: stored}
		}
		return c, nil
	}
	c, placed, err := l.makeConsumer(ctx, name, o)
	s.consumers.openMu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := s.settle(ctx, DurableByPolicy, placed); err != nil {
		return nil, &InDoubtError{Position: Position{Store: s.id, Log: l.id, Epoch: s.epoch, Ordinal: placed}, Err: err}
	}
	return c, nil
}

// makeConsumer places the frame that makes a consumer.
func (l *Log) makeConsumer(ctx context.Context, name string, o ConsumerOptions) (*Consumer, Ordinal, error) {
	s := l.s
	from := o.From
	o.From = Start{}
	at, err := l.start(ctx, from)
	if err != nil {
		return nil, 0, err
	}
	cur, err := l.loadCursor(name)
	if err != nil {
		return nil, 0, err
	}
	c := &Consumer{l: l, name: name, cur: cur, options: o}
	ch := &cursorChange{options: &o, begin: true, position: at}
	placed, err := c.place(ctx, func() (*cursorChange, error) { return ch, nil })
	if err != nil {
		return nil, 0, err
	}
	s.consumers.put(consumerKey{l.id, name}, c)
	return c, placed, nil
}

// start returns the sequence that a Start means now. What is below is durable.
func (l *Log) start(ctx context.Context, from Start) (Seq, error) {
	b := l.Bounds()
	at := b.Floor
	switch from.kind {
	case startEnd:
		at = b.Next
	case startSeq:
		if from.seq > b.Next {
			return 0, fmt.Errorf("sequence %d of %d: %w", from.seq, b.Next, ErrNoEvent)
		}
		at = max(from.seq, b.Floor)
	case startTime:
		seq, err := l.SeekTime(ctx, from.time)
		if err != nil {
			return 0, err
		}
		at = max(min(seq, b.Next), b.Floor)
	}
	return at, l.s.SyncTo(ctx, Ordinal(l.s.visible.Load()))
}

// Consumer returns the consumer of that name, or ErrNoConsumer.
func (l *Log) Consumer(name string) (*Consumer, error) {
	l.s.consumers.openMu.Lock()
	defer l.s.consumers.openMu.Unlock()
	c, err := l.consumer(name)
	if err != nil {
		return nil, fmt.Errorf("open consumer %q of %q: %w", name, l.Name(), err)
	}
	return c, nil
}

// consumer finds a consumer. The lock for opening must be held.
func (l *Log) consumer(name string) (*Consumer, error) {
	if err := l.endErr(); err != nil {
		return nil, err
	}
	k := consumerKey{l.id, name}
	if c := l.s.consumers.get(k); c != nil {
		return c, nil
	}
	cur, err := l.loadCursor(name)
	if err != nil {
		return nil, err
	}
	state := cur.kept()
	if state == nil {
		return nil, ErrNoConsumer
	}
	c := &Consumer{l: l, name: name, cur: cur, options: state.options}
	l.s.consumers.put(k, c)
	return c, nil
}

// UpdateConsumer replaces the options of a consumer; From does not count. Members notice nothing, but Order can only be changed
// while there are none: else ErrConsumerBusy.
func (l *Log) UpdateConsumer(ctx context.Context, name string, o ConsumerOptions) error {
	fail := func(err error) error { return fmt.Errorf("update consumer %q of %q: %w", name, l.Name(), err) }
	o = o.withDefaults()
	o.From = Start{}
	if err := o.validate(); err != nil {
		return fail(err)
	}
	if o.DeadLetter == l.Name() {
		return fail(fmt.Errorf("%w: the DeadLetter log is the log itself", ErrOptions))
	}
	l.s.consumers.openMu.Lock()
	c, err := l.consumer(name)
	var placed Ordinal
	if err == nil {
		placed, err = c.place(ctx, func() (*cursorChange, error) {
			if c.run != nil && o.Order != c.options.Order {
				return nil, ErrConsumerBusy
			}
			return &cursorChange{options: &o}, nil
		})
	}
	l.s.consumers.openMu.Unlock()
	if err != nil {
		return fail(err)
	}
	c.mu.Lock()
	c.options = o
	if c.run != nil {
		c.changedLocked(c.run)
	}
	c.mu.Unlock()
	if err := l.s.settle(ctx, DurableByPolicy, placed); err != nil {
		return fail(err)
	}
	return nil
}

// DeleteConsumer deletes a consumer: members get ErrConsumerDeleted. One that is made again under the name is another one.
func (l *Log) DeleteConsumer(ctx context.Context, name string) error {
	fail := func(err error) error { return fmt.Errorf("delete consumer %q of %q: %w", name, l.Name(), err) }
	l.s.consumers.openMu.Lock()
	defer l.s.consumers.openMu.Unlock()
	c, err := l.consumer(name)
	if errors.Is(err, ErrCorrupt) { // what cannot be read can still go
		c, err = &Consumer{l: l, name: name, cur: &cursor{name, []cursorVersion{{}}}}, nil
	}
	if err != nil {
		return fail(err)
	}
	placed, err := c.place(ctx, func() (*cursorChange, error) { return &cursorChange{end: true}, nil })
	if err != nil {
		return fail(err)
	}
	l.s.consumers.remove(consumerKey{l.id, name})
	c.mu.Lock()
	r := c.run
	c.mu.Unlock()
	if r != nil {
		c.endRun(r, ErrConsumerDeleted)
	}
	if err := l.s.settle(ctx, DurableByPolicy, placed); err != nil {
		return fail(err)
	}
	return nil
}

// ConsumerInfo describes a consumer as it is kept. Positions of one with members may be a little behind, see Consumer.Stats.
type ConsumerInfo struct {
	Name     string
	Options  ConsumerOptions
	Created  int64 // Unix nanoseconds
	Position Seq   // every event below is settled
}

// Consumers returns the consumers of the log, in name order. An error is about those that cannot be read; the others are there.
func (l *Log) Consumers() ([]ConsumerInfo, error) {
	if err := l.endErr(); err != nil {
		return nil, fmt.Errorf("list consumers of %q: %w", l.Name(), err)
	}
	states, err := l.cursorStates()
	var out []ConsumerInfo
	for _, name := range slices.Sorted(maps.Keys(states)) {
		s := states[name]
		out = append(out, ConsumerInfo{Name: name, Options: s.options, Created: s.created, Position: s.position})
	}
	if err != nil {
		err = fmt.Errorf("list consumers of %q: %w", l.Name(), err)
	}
	return out, err
}

// Name returns the consumer's name.
func (c *Consumer) Name() string { return c.name }

// Log returns the log it reads.
func (c *Consumer) Log() *Log { return c.l }

// Options returns the consumer's options, with defaults filled in.
func (c *Consumer) Options() ConsumerOptions {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.options
	o.Backoff = slices.Clone(o.Backoff)
	return o
}

// Seek has the consumer go on at sequence seq, or at the first event if that comes later, as if none from there on had been
// delivered and all before were settled. It is at most the next sequence. What members hold can no longer be settled.
func (c *Consumer) Seek(ctx context.Context, seq Seq) error {
	fail := func(err error) error { return fmt.Errorf("seek consumer %q of %q: %w", c.name, c.l.Name(), err) }
	at, err := c.l.start(ctx, FromSeq(seq))
	if err != nil {
		return fail(err)
	}
	placed, err := c.place(ctx, func() (*cursorChange, error) {
		ch := &cursorChange{begin: true, position: at}
		if c.run != nil {
			ch.counts = c.run.counts
		}
		return ch, nil
	})
	if err != nil {
		return fail(err)
	}
	if err := c.l.s.settle(ctx, DurableByPolicy, placed); err != nil {
		return fail(err)
	}
	return nil
}

// place places a frame that changes the consumer, waiting for room. change is called under the consumer's lock, perhaps more than
// once; what it returns is done in memory before the lock is given up.
func (c *Consumer) place(ctx context.Context, change func() (*cursorChange, error)) (Ordinal, error) {
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		c.mu.Lock()
		ch, err := change()
		var placed Ordinal
		if err == nil {
			placed, err = c.placeLocked(ch)
		}
		if err == nil {
			if ch.begin && c.run != nil {
				c.run.moveLocked(ch.position)
				c.changedLocked(c.run)
			}
			c.gone = c.gone || ch.end
		}
		body := slices.Clone(c.body)
		c.mu.Unlock()
		if !errors.Is(err, journal.ErrBusy) {
			return placed, err
		}
		if err := c.l.s.waitReady(ctx, journal.Body{Head: body}); err != nil {
			return 0, err
		}
	}
}

// placeLocked places a frame that changes the consumer, or returns journal.ErrBusy.
func (c *Consumer) placeLocked(ch *cursorChange) (Ordinal, error) {
	s := c.l.s
	switch {
	case s.o.ReadOnly:
		return 0, ErrReadOnly
	case c.gone:
		return 0, ErrConsumerDeleted
	}
	c.body = appendCursor(c.body[:0], c.l.id, c.name, ch)
	jb := journal.Body{Head: c.body}
	var p journal.Placed
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return 0, ErrClosed
	case c.l.gone:
		return 0, ErrLogDeleted
	}
	if err := s.j.TryAppendLocked(&jb, &p); errors.Is(err, journal.ErrBusy) {
		return 0, err
	} else if err != nil {
		return 0, s.wrap("append", err)
	}
	c.l.changeCursorLocked(c.cur, ch, Ordinal(p.Ordinal), p.Time)
	s.placedLocked(p, len(c.body))
	return Ordinal(p.Ordinal), nil
}

// ConsumerStats are figures of a consumer at one moment. Those of events are since it was made, or as far as they are kept.
type ConsumerStats struct {
	Position Seq   // every event below is settled
	Above    int64 // events settled above Position
	Pending  int64 // visible events that are not settled: the lag
	Members  int
	InFlight int // events that members have
	Waiting  int // events that were delivered, are not settled, and no member has

	Acked        uint64
	Redelivered  uint64 // deliveries beyond the first of an event
	DeadLettered uint64
	Lost         uint64 // events lost to retention or damage before they were settled
	Full         bool   // Lookahead keeps the consumer from reading on
	Err          error  // what keeps it from delivering, from storing what is settled or from moving events to the dead-letter log
}

// Stats returns figures.
func (c *Consumer) Stats() ConsumerStats {
	next := c.l.Bounds().Next
	c.mu.Lock()
	defer c.mu.Unlock()
	var st ConsumerStats
	if r := c.run; r != nil {
		w := &r.w
		st = ConsumerStats{Position: w.base, Members: r.members, InFlight: w.flight, Waiting: w.outstanding - w.flight, Err: r.err}
		for seq := w.base; seq < w.end(); seq++ {
			if w.at(seq).state == itemSettled {
				st.Above++
			}
		}
		st.Above += r.settled.fromSeq(w.end()).len()
		st.Waiting += len(r.known)
		st.Full = w.n >= c.options.Lookahead
		if st.Err == nil {
			st.Err = r.trouble
		}
	}
	c.l.mu.Lock()
	if s := c.cur.kept(); s != nil {
		counts := s.counts
		if c.run == nil {
			st.Position, st.Above, st.Waiting = s.position, s.settled.len(), len(s.attempts)
		} else {
			counts.add(c.run.counts)
		}
		st.Acked, st.Redelivered, st.DeadLettered, st.Lost = counts.acked, counts.redelivered, counts.dead, counts.lost
	}
	c.l.mu.Unlock()
	st.Pending = max(0, int64(next)-int64(st.Position)-st.Above)
	return st
}

// now is a clock that neither the wall clock nor its changes move.
func (r *consumerRun) now() time.Duration { return time.Since(r.began) }
