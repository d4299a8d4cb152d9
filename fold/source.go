package fold

import (
	"context"
	"fmt"
	"sync"

	"github.com/seed69692123/netdb/redex"
)

// tail is what a fold needs of a *redex.Tail.
type tail interface {
	Next(ctx context.Context) bool
	TryNext(ctx context.Context) bool
	Event() *redex.Event
	Err() error
	Close() error
}

// tailFunc opens a tail of a log.
type tailFunc func(l *redex.Log, from redex.Seq) tail

func storeTail(l *redex.Log, from redex.Seq) tail { return l.Tail(from, redex.TailOptions{}) }

// source gives the driver the events of all logs of a fold in the order in which they arrived.
type source interface {
	// try moves to the next event if there is one now, next waits for one. Both return false when there is none or when the
	// source has ended, which err tells apart.
	try() bool
	next() bool
	// event returns the current event and its log's place in the fold.
	event() (int, *redex.Event)
	// err returns the log and the reason that ended the source.
	err() (int, error)
	// reopen goes on after an error of a log, from a later sequence.
	reopen(log int, from redex.Seq)
	close()
}

func newSource(ctx context.Context, open tailFunc, store *redex.Store, logs []foldLog, from []redex.Seq) source {
	if open == nil {
		open = storeTail
	}
	if len(logs) == 1 {
		return &single{ctx: ctx, open: open, log: logs[0].log, t: open(logs[0].log, from[0])}
	}
	m := &merged{ctx: ctx, open: open, store: store, logs: logs, in: make(chan *feed), heads: make([]*feed, len(logs)), queued: make([]*feed, len(logs)), seen: from, feeders: make([]*feeder, len(logs)), cur: -1}
	for i := range logs {
		m.reopen(i, from[i])
	}
	return m
}

// single reads one log.
type single struct {
	ctx  context.Context
	open tailFunc
	log  *redex.Log
	t    tail
}

func (s *single) try() bool                  { return s.t.TryNext(s.ctx) }
func (s *single) next() bool                 { return s.t.Next(s.ctx) }
func (s *single) event() (int, *redex.Event) { return 0, s.t.Event() }
func (s *single) err() (int, error)          { return 0, s.t.Err() }
func (s *single) close()                     { s.t.Close() }

func (s *single) reopen(_ int, from redex.Seq) {
	s.t.Close()
	s.t = s.open(s.log, from)
}

// merged reads several logs in the order of time. Times rise strictly from frame to frame over all logs of a store, so the
// order is the same at every reading. An event may be taken when no log can still give an earlier one: when its time is not
// after a cut, and every log whose next event is not at hand has none at or before the cut.
type merged struct {
	ctx     context.Context
	open    tailFunc
	store   *redex.Store
	logs    []foldLog
	feeders []*feeder
	in      chan *feed
	heads   []*feed     // what is at hand of each log; nil for nothing
	queued  []*feed     // what came behind it
	seen    []redex.Seq // sequence after the last one at hand of each log
	cut     redex.Cut
	cur     int // log of the current event; -1 when there is none
	failed  error
	at      int // log that failed
}

// Bounds of what a feeder reads ahead: two feeds of each log.
const (
	feedEvents = 256
	feedBytes  = 64 << 10
)

// feeder is a goroutine that reads one log for a merged source. It ends with the source's context or with its tail.
type feeder struct {
	t    tail
	free chan *feed
	stop context.CancelFunc
	done sync.WaitGroup
}

// feed is some events of a log, in order, and what ended its tail behind them. Its events share its bytes.
type feed struct {
	log    int
	events []redex.Event
	next   int // the event that comes next
	bytes  []byte
	err    error
}

func (f *feed) head() *redex.Event { return &f.events[f.next] }

func (f *feed) add(ev *redex.Event) {
	keep := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		at := len(f.bytes)
		f.bytes = append(f.bytes, b...)
		return f.bytes[at:len(f.bytes):len(f.bytes)]
	}
	c := *ev
	c.Payload, c.Key = keep(ev.Payload), keep(ev.Key)
	if len(ev.Headers) > 0 {
		c.Headers = ev.Clone().Headers
	}
	f.events = append(f.events, c)
}

func (m *merged) reopen(log int, from redex.Seq) {
	if f := m.feeders[log]; f != nil {
		f.stop()
		f.done.Wait()
	}
	ctx, stop := context.WithCancel(m.ctx)
	f := &feeder{t: m.open(m.logs[log].log, from), free: make(chan *feed, 2), stop: stop}
	f.free <- &feed{log: log}
	f.free <- &feed{log: log}
	m.feeders[log], m.heads[log], m.queued[log], m.seen[log] = f, nil, nil, from
	m.failed = nil
	f.done.Go(func() { f.run(ctx, m.in) })
}

func (f *feeder) run(ctx context.Context, in chan<- *feed) {
	defer f.t.Close()
	for {
		var b *feed
		select {
		case b = <-f.free:
		case <-ctx.Done():
			return
		}
		b.events, b.bytes, b.next = b.events[:0], b.bytes[:0], 0
		for ok := f.t.Next(ctx); ok; ok = len(b.events) < feedEvents && len(b.bytes) < feedBytes && f.t.TryNext(ctx) {
			b.add(f.t.Event())
		}
		b.err = f.t.Err()
		select {
		case in <- b:
		case <-ctx.Done():
			return
		}
		if b.err != nil {
			return
		}
	}
}

func (m *merged) try() bool { return m.advance(false) }

func (m *merged) next() bool { return m.advance(true) }

func (m *merged) advance(wait bool) bool {
	if m.cur >= 0 {
		m.pop(m.cur)
		m.cur = -1
	}
	for fresh := false; m.failed == nil; fresh = true {
		// Whatever lies at or before the cut was visible when it was taken: a log that has more than was received of it will
		// give it now.
		for i := range m.logs {
			for m.heads[i] == nil && m.seen[i] < m.logs[i].log.Bounds().Next {
				if !m.receive() {
					return false
				}
			}
		}
		first := -1
		for i, f := range m.heads {
			if f != nil && (first < 0 || f.head().Time < m.heads[first].head().Time) {
				first = i
			}
		}
		if first >= 0 && m.heads[first].head().Time <= m.cut.Time {
			m.cur = first
			return true
		}
		if first < 0 && fresh && (!wait || !m.receive()) {
			return false
		}
		m.cut = m.store.Cut()
	}
	return false
}

// pop leaves a log's current event behind.
func (m *merged) pop(log int) {
	f := m.heads[log]
	if f.next++; f.next < len(f.events) {
		return
	}
	m.heads[log] = nil
	if f.err != nil {
		m.at, m.failed = log, f.err
		return
	}
	m.feeders[log].free <- f
	if q := m.queued[log]; q != nil {
		m.queued[log] = nil
		m.take(q)
	}
}

// receive takes what any log has.
func (m *merged) receive() bool {
	select {
	case f := <-m.in:
		if m.heads[f.log] != nil {
			m.queued[f.log] = f
		} else {
			m.take(f)
		}
		return m.failed == nil
	case <-m.ctx.Done():
		m.failed = m.ctx.Err()
		return false
	}
}

// take makes a feed what is at hand of its log. A log's error counts once the events before it are folded.
func (m *merged) take(f *feed) {
	if len(f.events) == 0 {
		m.at, m.failed = f.log, f.err
		return
	}
	m.heads[f.log] = f
	m.seen[f.log] = f.events[len(f.events)-1].Seq + 1
}

func (m *merged) event() (int, *redex.Event) { return m.cur, m.heads[m.cur].head() }
func (m *merged) err() (int, error)          { return m.at, m.failed }

func (m *merged) close() {
	for _, f := range m.feeders {
		f.stop()
		f.done.Wait()
	}
}

// gapError is what a fold stops with when its tail left out events, which no tail may do.
func gapError(log string, want, got redex.Seq) error {
	return fmt.Errorf("tail of log %q gave sequence %d instead of %d: %w", log, got, want, &redex.RangeLostError{Log: log, From: want, To: got})
}
