package fold

import (
	"context"
	"errors"
	"unsafe"

	"github.com/seed69692123/netdb/redex"
)

// merged reads several logs in the order of time, in the driver's goroutine. Times rise strictly from frame to frame over all
// logs of a store, so the order is the same at every reading. An event may be given when no log can still give an earlier one:
// when its time is not after a cut, and every log in which something may have become visible before the cut was looked at after
// it. A follower tells which those are, so that an event costs what happens in the logs and not how many there are.
type merged struct {
	ctx    context.Context
	open   tailFunc
	logs   []foldLog
	follow *redex.Follower
	lanes  []lane
	ready  []int // heap of the logs with an event at hand, by its time and then by place
	look   []int // logs to look at before the next event is given
	cut    redex.Cut
	cur    int // log of the current event; -1 when there is none
	failed error
	at     int // log that failed

	ahead int     // bytes that are read ahead of a log; 0: nothing
	spare []*feed // that no lane uses
}

// lane is one log of a merge.
type lane struct {
	t    tail
	held bool  // it has an event at hand, and so is in the heap
	feed *feed // what was read ahead; nil when the event at hand is the tail's own
	big  bool  // the feed has only the time of the event at hand: the tail reads it when it is due
	err  error // what ended the tail behind the feed
}

// A tail keeps what it reads in memory of its own, up to some hundred kilobytes. With more logs than directLanes, events are
// copied from it a few at a time and it gives that back: all logs together then have mergeBytes of events, and each at least
// leastAhead. Their memory grows by doubling, so that it may be three times as much.
// An event that alone is over a log's share is read twice: first for its time, and again when it is due.
const (
	directLanes = 64
	mergeBytes  = 64 << 20
	leastAhead  = 4 << 10
	mostAhead   = 64 << 10
	eventBytes  = int(unsafe.Sizeof(redex.Event{}))
)

func newMerged(ctx context.Context, open tailFunc, store *redex.Store, logs []foldLog, from []redex.Seq) *merged {
	m := &merged{ctx: ctx, open: open, logs: logs, lanes: make([]lane, len(logs)), cur: -1}
	if len(logs) > directLanes {
		m.ahead = min(max(mergeBytes/len(logs), leastAhead), mostAhead)
	}
	all := make([]*redex.Log, len(logs))
	for i, l := range logs {
		all[i] = l.log
		m.lanes[i].t = open(l.log, from[i])
	}
	m.follow = store.Follow(all)
	return m
}

func (m *merged) reopen(log int, from redex.Seq) {
	l := &m.lanes[log]
	l.t.Close()
	*l = lane{t: m.open(m.logs[log].log, from)}
	m.look = append(m.look, log)
	m.failed = nil
}

func (m *merged) try() bool { return m.advance(false) }

func (m *merged) next() bool { return m.advance(true) }

func (m *merged) advance(wait bool) bool {
	if m.cur >= 0 {
		m.pop()
	}
	for {
		for n := len(m.look) - 1; n >= 0 && m.failed == nil; n-- {
			log := m.look[n]
			m.look = m.look[:n]
			m.fetch(log)
		}
		if m.failed != nil {
			return false
		}
		if len(m.ready) > 0 && m.head(0).Time <= m.cut.Time {
			if !m.due(m.ready[0]) {
				continue
			}
			m.cur = m.ready[0]
			return true
		}
		m.cut, m.look = m.follow.Take(m.look)
		if len(m.look) > 0 || len(m.ready) > 0 {
			continue
		}
		if !wait {
			return false
		}
		if err := m.follow.Wait(m.ctx); err != nil {
			m.at, m.failed = 0, err
		}
	}
}

// head returns the event at hand of a place in the heap.
func (m *merged) head(i int) *redex.Event { return m.lanes[m.ready[i]].event() }

func (l *lane) event() *redex.Event {
	if l.feed != nil {
		return &l.feed.events[l.feed.next]
	}
	return l.t.Event()
}

// due has the event at hand of the log on top read, if only its time was.
func (m *merged) due(log int) bool {
	l := &m.lanes[log]
	if !l.big || l.t.TryNext(m.ctx) {
		return true
	}
	m.leave(log)
	m.fail(log, l.t.Err())
	return false
}

// leave takes the log on top out of the heap, whose feed is used up.
func (m *merged) leave(log int) {
	l := &m.lanes[log]
	m.drop()
	if len(m.spare) < directLanes {
		m.spare = append(m.spare, l.feed)
	}
	l.feed, l.big = nil, false
}

// pop leaves the current event, on top of the heap, behind.
func (m *merged) pop() {
	log := m.cur
	m.cur = -1
	l := &m.lanes[log]
	if l.feed == nil {
		if l.t.TryNext(m.ctx) {
			m.down()
			return
		}
		m.drop()
		m.fail(log, l.t.Err())
		return
	}
	if l.feed.next++; l.feed.next < len(l.feed.events) {
		m.down()
		return
	}
	if l.big {
		l.err = l.t.Release()
	}
	m.leave(log)
	if l.err != nil {
		m.fail(log, l.err)
		return
	}
	m.look = append(m.look, log)
}

// fetch looks for the next event of a log. A log that has one at hand is left as it is.
func (m *merged) fetch(log int) {
	l := &m.lanes[log]
	if l.held {
		return
	}
	if !l.t.TryNext(m.ctx) {
		m.fail(log, l.t.Err())
		return
	}
	if m.ahead > 0 {
		m.readAhead(log)
	}
	m.up(log)
}

// readAhead copies the tail's event and some behind it, and has the tail give back its memory.
func (m *merged) readAhead(log int) {
	l := &m.lanes[log]
	l.feed, l.err = m.newFeed(), nil
	for ok := true; ok; ok = l.feed.bytes() < m.ahead && l.t.TryNext(m.ctx) {
		ev := l.t.Event()
		if sizeOf(ev) > m.ahead {
			seq := ev.Seq
			if l.big = len(l.feed.events) == 0; l.big {
				l.feed.events = append(l.feed.events, redex.Event{Seq: seq, Time: ev.Time})
			}
			l.t.Close()
			l.t = m.open(m.logs[log].log, seq)
			return
		}
		l.feed.add(ev)
	}
	l.err = errors.Join(l.t.Err(), l.t.Release())
}

// fail notes what ended a log. Its error counts once the events before it are folded. Nil is no error.
func (m *merged) fail(log int, err error) {
	if err != nil && m.failed == nil {
		m.at, m.failed = log, err
	}
}

func (m *merged) event() (int, *redex.Event) {
	l := &m.lanes[m.cur]
	if l.big {
		return m.cur, l.t.Event()
	}
	return m.cur, l.event()
}

func (m *merged) err() (int, error) { return m.at, m.failed }

func (m *merged) close() {
	m.follow.Close()
	for i := range m.lanes {
		m.lanes[i].t.Close()
	}
}

// before reports the order of two places in the heap.
func (m *merged) before(i, j int) bool {
	a, b := m.head(i).Time, m.head(j).Time
	return a < b || a == b && m.ready[i] < m.ready[j]
}

// up puts a log into the heap.
func (m *merged) up(log int) {
	m.lanes[log].held = true
	m.ready = append(m.ready, log)
	for i := len(m.ready) - 1; i > 0; {
		parent := (i - 1) / 2
		if !m.before(i, parent) {
			return
		}
		m.ready[i], m.ready[parent] = m.ready[parent], m.ready[i]
		i = parent
	}
}

// down finds the place of the log on top, whose event has changed.
func (m *merged) down() {
	for i := 0; ; {
		least := i
		for kid := 2*i + 1; kid <= 2*i+2 && kid < len(m.ready); kid++ {
			if m.before(kid, least) {
				least = kid
			}
		}
		if least == i {
			return
		}
		m.ready[i], m.ready[least] = m.ready[least], m.ready[i]
		i = least
	}
}

// drop takes the log on top out of the heap.
func (m *merged) drop() {
	m.lanes[m.ready[0]].held = false
	n := len(m.ready) - 1
	m.ready[0] = m.ready[n]
	m.ready = m.ready[:n]
	m.down()
}

// feed is some events of a log, in order, with memory of their own.
type feed struct {
	events []redex.Event
	next   int // the event at hand
	data   []byte
}

func (m *merged) newFeed() *feed {
	n := len(m.spare)
	if n == 0 {
		return &feed{}
	}
	f := m.spare[n-1]
	m.spare = m.spare[:n-1]
	clear(f.events)
	f.events, f.data, f.next = f.events[:0], f.data[:0], 0
	return f
}

// sizeOf is about what an event takes in memory.
func sizeOf(ev *redex.Event) int {
	n := eventBytes + len(ev.Payload) + len(ev.Key)
	for _, h := range ev.Headers {
		n += int(unsafe.Sizeof(h)) + len(h.Name) + len(h.Value)
	}
	return n
}

func (f *feed) bytes() int { return len(f.data) + len(f.events)*eventBytes }

func (f *feed) add(ev *redex.Event) {
	c := *ev
	c.Payload, c.Key = f.keep(ev.Payload), f.keep(ev.Key)
	if len(ev.Headers) > 0 {
		c.Headers = make([]redex.Header, len(ev.Headers))
		for i, h := range ev.Headers {
			c.Headers[i] = redex.Header{Name: h.Name, Value: f.keep(h.Value)}
		}
	}
	f.events = append(f.events, c)
}

func (f *feed) keep(b []byte) []byte {
	if b == nil {
		return nil
	}
	at := len(f.data)
	f.data = append(f.data, b...)
	return f.data[at:len(f.data):len(f.data)]
}
