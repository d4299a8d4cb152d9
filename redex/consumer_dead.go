package redex

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seed69692123/netdb/redex/journal"
)

// The headers of an event in a dead-letter log, beside those it had. Numbers are decimal.
const (
	deadPrefix   = "netdb-dead-"
	deadLog      = deadPrefix + "log"      // the name the log had
	deadLogID    = deadPrefix + "log-id"   // its id
	deadConsumer = deadPrefix + "consumer" // the consumer's name
	deadSeq      = deadPrefix + "seq"      // the sequence it has in that log
	deadTime     = deadPrefix + "time"     // its time there, Unix nanoseconds
	deadAttempts = deadPrefix + "attempts"
	deadReason   = deadPrefix + "reason"
	deadOmitted  = deadPrefix + "omitted" // what had no room beside these: "headers", "headers payload"
)

// maxReason bounds the reason of Delivery.Reject that is kept.
const maxReason = 1024

// deadHeaderBytes is how much the headers of a dead letter may take beside those the event had, and maxDeadHeaders how many.
const (
	deadHeaderBytes = 4 << 10
	maxDeadHeaders  = 8
)

// DeadLetter says where an event of a dead-letter log is from.
type DeadLetter struct {
	Log      string // the name it had then
	LogID    LogID
	Consumer string
	Seq      Seq   // in that log
	Time     int64 // of the event there
	Attempts int
	Reason   string // of Delivery.Reject; "attempts" when there were too many
	Omitted  string // what of the event is not here, because it would have been too large: "headers" or "headers payload"
}

// DeadLetter returns where the event is from, and false when it is no dead letter.
func (e *Event) DeadLetter() (DeadLetter, bool) {
	var d DeadLetter
	found, ok := 0, true
	number := func(v []byte) int64 {
		n, err := strconv.ParseInt(string(v), 10, 64)
		ok = ok && err == nil && n >= 0
		return n
	}
	for i := range e.Headers {
		v := e.Headers[i].Value
		switch e.Headers[i].Name {
		case deadLog:
			d.Log = string(v)
			found++
		case deadLogID:
			d.LogID = LogID(number(v))
		case deadConsumer:
			d.Consumer = string(v)
		case deadSeq:
			d.Seq = Seq(number(v))
			found++
		case deadTime:
			d.Time = number(v)
		case deadAttempts:
			d.Attempts = int(number(v))
		case deadReason:
			d.Reason = string(v)
		case deadOmitted:
			d.Omitted = string(v)
		}
	}
	return d, ok && found == 2
}

// deadEntry makes an event a dead letter of at most limit bytes. What has no room is left out and named.
func (c *Consumer) deadEntry(ev *Event, attempts uint32, why string, limit int) Entry {
	e := Entry{
		Kind: ev.Kind, Encoding: ev.Encoding, Origin: ev.Origin, Tombstone: ev.Tombstone, SchemaVersion: ev.SchemaVersion,
		Key: ev.Key, Payload: ev.Payload,
	}
	size := 0
	for _, h := range ev.Headers {
		if !strings.HasPrefix(h.Name, deadPrefix) { // it may have been one before
			e.Headers = append(e.Headers, h)
			size += len(h.Name) + len(h.Value)
		}
	}
	const beside = deadHeaderBytes + MaxKeyBytes + partHeaderSize // of the entry beside payload and headers, at most
	omitted := ""
	if size > MaxHeaderBytes-deadHeaderBytes || len(e.Headers) > MaxHeaders-maxDeadHeaders || size+len(e.Payload)+beside > limit {
		e.Headers, omitted = nil, "headers"
		if len(e.Payload)+beside > limit {
			e.Payload, e.Encoding, omitted = nil, Raw, "headers payload"
		}
	}
	add := func(name, value string) { e.Headers = append(e.Headers, Header{name, []byte(value)}) }
	add(deadLog, c.l.Name())
	add(deadLogID, strconv.FormatUint(uint64(c.l.id), 10))
	add(deadConsumer, c.name)
	add(deadSeq, strconv.FormatUint(uint64(ev.Seq), 10))
	add(deadTime, strconv.FormatInt(ev.Time, 10))
	add(deadAttempts, strconv.FormatUint(uint64(attempts), 10))
	add(deadReason, why)
	if omitted != "" {
		add(deadOmitted, omitted)
	}
	return e
}

// buryAll moves what had its attempts to the dead-letter log.
func (c *Consumer) buryAll(r *consumerRun) {
	for r.ctx.Err() == nil {
		c.mu.Lock()
		if len(r.w.dying) == 0 {
			c.mu.Unlock()
			return
		}
		seq, gen := r.w.dying[0], r.gen
		r.w.dying = r.w.dying[1:]
		c.mu.Unlock()
		if _, err := c.bury(r.ctx, r, seq, gen); err != nil && r.ctx.Err() == nil {
			c.mu.Lock()
			r.trouble = err
			if it := r.w.at(seq); r.gen == gen && it != nil && it.state == itemDying {
				r.w.setTimer(seq, r.now()+troubleWait)
			}
			c.mu.Unlock()
		}
	}
}

// buryLaterLocked has the goroutine do what a call could not.
func (c *Consumer) buryLaterLocked(r *consumerRun, seq Seq, gen int) {
	if it := r.w.at(seq); r.gen == gen && it != nil && it.state == itemDying {
		r.w.dying = append(r.w.dying, seq)
		r.kickLocked(true)
	}
}

// bury moves one event to the dead-letter log, in one frame with settling it. It returns the frame; 0 when there is nothing to move
// any more.
func (c *Consumer) bury(ctx context.Context, r *consumerRun, seq Seq, gen int) (Ordinal, error) {
	ev, err := c.l.Read(ctx, seq)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		it := r.w.at(seq)
		if r.gen != gen || it == nil || it.state != itemDying {
			return 0, nil
		}
		if c.goneLocked(r, seq, err) {
			c.changedLocked(r)
			return 0, nil
		}
		return 0, err
	}
	for {
		name := c.Options().DeadLetter
		if name == "" { // it had one when the event was given up
			return 0, ErrNoDeadLetter
		}
		dead, err := c.l.s.OpenLog(ctx, name, LogOptions{})
		if err != nil {
			return 0, err
		}
		if dead == c.l {
			return 0, fmt.Errorf("%w: the DeadLetter log is the log itself", ErrOptions)
		}
		o, body, err := c.placeDead(r, seq, gen, &ev, dead)
		switch {
		case errors.Is(err, journal.ErrBusy):
			err = c.l.s.waitReady(ctx, journal.Body{Head: body, Events: 1})
		case errors.Is(err, ErrLogDeleted) && dead.endErr() != nil && c.l.endErr() == nil: // it is made again
			err = ctx.Err()
		case err == nil:
			dead.wake()
			return o, nil
		}
		if err != nil {
			return 0, fmt.Errorf("dead letter to %q: %w", name, err)
		}
	}
}

// placeDead places the frame of a dead letter, or returns journal.ErrBusy and the frame's body.
func (c *Consumer) placeDead(r *consumerRun, seq Seq, gen int, ev *Event, dead *Log) (Ordinal, []byte, error) {
	s := c.l.s
	c.mu.Lock()
	defer c.mu.Unlock()
	it := r.w.at(seq)
	if r.gen != gen || it == nil || it.state != itemDying || r.ending {
		return 0, nil, nil // acknowledged after all, or moved
	}
	if c.gone {
		return 0, nil, ErrConsumerDeleted
	}
	if err := c.flushLocked(r); err != nil { // what was settled before stays before, also for who comes after a crash
		return 0, slices.Clone(c.body), err
	}
	ch := &cursorChange{settled: seqRanges{{seq, seq + 1}}, counts: cursorCounts{dead: 1}}
	cursor := appendCursor(nil, c.l.id, c.name, ch)
	e := c.deadEntry(ev, it.attempts, it.why, s.j.MaxBodyBytes()-len(cursor))
	if err := dead.check(&e); errors.Is(err, ErrEncoding) {
		e.Encoding = Raw // the payload is what it is
	} else if err != nil {
		return 0, nil, err
	}
	body := appendPart(make([]byte, 0, partHeaderSize+len(e.Payload)+MaxHeaderBytes/8+len(cursor)), partEvents, dead.id, 0, 1)
	body = append(appendEntryHead(body, &e), e.Payload...)
	endPart(body, 0)
	size := len(body) - partHeaderSize
	body = append(body, cursor...)
	var p journal.Placed
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.l.gone {
		return 0, nil, ErrLogDeleted
	}
	if err := dead.appendableLocked(Expect{}, 1, size); err != nil {
		return 0, nil, s.appendErr(dead, err)
	}
	patchFirst(body, 0, dead.next)
	if err := s.j.TryAppendLocked(&journal.Body{Head: body, Events: 1}, &p); errors.Is(err, journal.ErrBusy) {
		return 0, body, err
	} else if err != nil {
		return 0, nil, s.wrap("append", err)
	}
	dead.addHotLocked(&span{
		first: dead.next, ordinal: Ordinal(p.Ordinal), time: p.Time, loc: p.Loc, off: partHeaderSize, size: uint32(size), count: 1,
	})
	dead.next++
	c.l.changeCursorLocked(c.cur, ch, Ordinal(p.Ordinal), p.Time)
	s.appends++
	s.placedLocked(p, len(body))
	r.w.settle(seq, &c.options)
	r.trouble = nil
	c.changedLocked(r)
	return Ordinal(p.Ordinal), nil, nil
}
