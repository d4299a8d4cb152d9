package redex

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/seed69692123/netdb/redex/journal"
)

// Batch is entries for one log, as a part of an append to several.
type Batch struct {
	Log     *Log
	Expect  Expect
	Entries []Entry
}

// Appended is the result of an append to one log.
//
// When some entries were there already, by their idempotency numbers, First, Count and Position are about those that were
// appended now. When all were, they are about those: First is the lowest, Position the highest of their sequences.
type Appended struct {
	Position       // of the last entry
	First      Seq // of the first entry
	Count      int
	Time       int64
	Duplicates int // entries that were there already
}

// plan is one batch on its way into a frame. The append lock guards filling in what depends on the log's end.
type plan struct {
	log    *Log
	expect Expect
	count  int // entries
	bytes  int // of the entries
	off    int // of the part's header in the body
	spans  int // end of the plan's spans in scratch.spans
	result Appended
	undo   Seq  // the log's next sequence before this plan
	dup    bool // all entries are there already
}

// scratch is the memory of one append.
type scratch struct {
	body   []byte
	plans  []plan
	spans  []span // first is relative to the batch
	single [1]Batch
	drop   []bool
}

// maxScratch bounds what a scratch keeps between appends.
const maxScratch = 4 << 20

func (s *Store) getScratch() *scratch {
	if sc, ok := s.scratch.Get().(*scratch); ok {
		return sc
	}
	return &scratch{body: make([]byte, 0, 512)}
}

func (s *Store) putScratch(sc *scratch) {
	if cap(sc.body) > maxScratch || cap(sc.spans) > maxScratch/spanMemory {
		return
	}
	clear(sc.plans)
	sc.single[0] = Batch{}
	s.scratch.Put(sc)
}

// check reports what makes an entry unfit for the log.
func (l *Log) check(e *Entry) error {
	if err := checkEntry(e); err != nil {
		return fmt.Errorf("append to %q: %w", l.Name(), err)
	}
	if e.Encoding == JSON && l.checkJSON.Load() && !(json.Valid(e.Payload) && utf8.Valid(e.Payload)) {
		return fmt.Errorf("append to %q: %w as JSON", l.Name(), ErrEncoding)
	}
	return nil
}

// Append appends one entry. The entry's slices may be reused after return.
//
// The context is honoured until the event is placed. Afterwards the result is success, or an InDoubtError beside the position
// of the event: it is visible, but whether it is durable is unknown.
//
// Structs are filled in field by field here: copying a literal waits for what was just stored (10 ns each, measured).
func (l *Log) Append(ctx context.Context, e Entry, o AppendOptions) (r Appended, err error) {
	s := l.s
	if e.Idempotency != 0 {
		return l.AppendBatch(ctx, []Entry{e}, o)
	}
	if err := ctx.Err(); err != nil {
		return Appended{}, fmt.Errorf("append to %q: %w", l.Name(), err)
	}
	if err := l.check(&e); err != nil {
		return Appended{}, err
	}
	var few [96]byte // on the stack: enough for all but keys and headers
	head := appendEntryHead(appendPart(few[:0], partEvents, l.id, 0, 1), &e)
	size := len(head) - partHeaderSize + len(e.Payload)
	binary.LittleEndian.PutUint32(head[4:], uint32(size))
	frames := size <= spanFramesBytes/2
	if frames {
		size = journal.FrameBytes(partHeaderSize + size)
	}
	var body journal.Body
	body.Head, body.Tail, body.Events = head, e.Payload, 1
	var placed journal.Placed
	for {
		s.mu.Lock()
		err = l.appendableLocked(o.Expect, 1, len(head)-partHeaderSize+len(e.Payload))
		if err == nil {
			patchFirst(head, 0, l.next)
			err = s.j.TryAppendLocked(&body, &placed)
		}
		if err == nil {
			break
		}
		s.mu.Unlock()
		if errors.Is(err, journal.ErrBusy) {
			err = s.waitReady(ctx, body)
		} else {
			err = s.appendErr(l, err)
		}
		if err != nil {
			return Appended{}, err
		}
	}
	seq := l.next
	l.next++
	l.addHotLocked(&span{
		first: seq, ordinal: Ordinal(placed.Ordinal), time: placed.Time, loc: placed.Loc,
		off: partHeaderSize, size: uint32(size), count: 1, frames: frames,
	})
	s.appends++
	s.placedLocked(placed, len(head)+len(e.Payload))
	s.mu.Unlock()
	l.wake()
	r.Store, r.Log, r.Epoch, r.Ordinal, r.Seq = s.id, l.id, s.epoch, Ordinal(placed.Ordinal), seq
	r.First, r.Count, r.Time = seq, 1, placed.Time
	if err = s.settle(ctx, o.Durable, r.Ordinal); err != nil {
		return r, &InDoubtError{Position: r.Position, Err: err}
	}
	return r, nil
}

// AppendBatch appends entries as one frame: all of them or none. See Append for the context and the errors.
func (l *Log) AppendBatch(ctx context.Context, entries []Entry, o AppendOptions) (Appended, error) {
	s := l.s
	sc := s.getScratch()
	defer s.putScratch(sc)
	sc.single[0] = Batch{Log: l, Expect: o.Expect, Entries: entries}
	err := s.append(ctx, sc.single[:], o, sc)
	if len(sc.plans) == 0 {
		return Appended{}, err
	}
	return sc.plans[0].result, err
}

// Append appends to several logs as one frame: all of it or nothing survives a crash, and readers see it at once. The results
// are in the order of batches. Batches for one log follow each other, and each expects what those before it leave behind;
// AppendOptions.Expect must be unset. With an InDoubtError the results are valid too.
func (s *Store) Append(ctx context.Context, batches []Batch, o AppendOptions) ([]Appended, error) {
	if o.Expect.set {
		return nil, fmt.Errorf("%w: the expectation of an append to several logs belongs to its batches", ErrOptions)
	}
	sc := s.getScratch()
	defer s.putScratch(sc)
	err := s.append(ctx, batches, o, sc)
	if err != nil && !errors.Is(err, ErrInDoubt) {
		return nil, err
	}
	out := make([]Appended, len(sc.plans))
	for i := range sc.plans {
		out[i] = sc.plans[i].result
	}
	return out, err
}

// MaxBatchBytes bounds what one append may take: more bytes of payloads and keys together are ErrBatchTooLarge, and so are somewhat
// fewer, since a few bytes of each entry are not its own.
func (s *Store) MaxBatchBytes() int64 { return int64(s.j.MaxBodyBytes()) }

// append appends batches and leaves the results in sc.plans, which is empty when nothing was appended.
func (s *Store) append(ctx context.Context, batches []Batch, o AppendOptions, sc *scratch) error {
	sc.plans = sc.plans[:0]
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("redex: append: %w", err)
	}
	numbered, err := s.checkBatches(batches)
	if err != nil {
		return err
	}
	if err := s.encode(sc, batches, nil); err != nil {
		return err
	}
	var placed journal.Placed
	for {
		if numbered {
			if err := s.loadWindows(batches); err != nil {
				sc.plans = sc.plans[:0]
				return err
			}
		}
		placed, err = s.tryAppend(batches, numbered, sc)
		switch {
		case err == nil:
		case errors.Is(err, errWindow):
			continue
		case errors.Is(err, journal.ErrBusy):
			if err = s.waitReady(ctx, journal.Body{Head: sc.body, Events: 1}); err == nil {
				continue
			}
		}
		if err != nil {
			sc.plans = sc.plans[:0]
			return err
		}
		break
	}
	last := Ordinal(placed.Ordinal)
	for i := range sc.plans {
		p := &sc.plans[i]
		last = max(last, p.result.Ordinal)
		if p.count > 0 {
			p.log.wake()
		}
	}
	if err := s.settle(ctx, o.Durable, last); err != nil {
		return &InDoubtError{Position: sc.plans[len(sc.plans)-1].result.Position, Err: err}
	}
	return nil
}

// checkBatches looks at everything that can be looked at before encoding.
func (s *Store) checkBatches(batches []Batch) (numbered bool, err error) {
	if len(batches) == 0 {
		return false, fmt.Errorf("redex: append: %w", ErrEmptyBatch)
	}
	for i := range batches {
		b := &batches[i]
		if b.Log == nil || b.Log.s != s {
			return false, fmt.Errorf("redex: append: batch %d: %w in this store", i, ErrNoLog)
		}
		if len(b.Entries) == 0 {
			return false, fmt.Errorf("append to %q: %w", b.Log.Name(), ErrEmptyBatch)
		}
		for k := range b.Entries {
			if err := b.Log.check(&b.Entries[k]); err != nil {
				return false, err
			}
			numbered = numbered || b.Entries[k].Idempotency != 0
		}
	}
	return numbered, nil
}

// encode makes the frame's body, without the entries that drop says (nil: none), counted over all batches.
func (s *Store) encode(sc *scratch, batches []Batch, drop []bool) error {
	sc.body, sc.spans, sc.plans = sc.body[:0], sc.spans[:0], sc.plans[:0]
	limit := s.j.MaxBodyBytes()
	size := 0
	for i := range batches {
		size += partHeaderSize
		for k := range batches[i].Entries {
			size += len(batches[i].Entries[k].Payload) + likelyHead
		}
	}
	sc.body = slices.Grow(sc.body, min(size, limit))
	at := 0
	for i := range batches {
		b := &batches[i]
		off := len(sc.body)
		sc.body = appendPart(sc.body, partEvents, b.Log.id, 0, 0)
		open := span{off: uint32(len(sc.body))}
		n, bytes := 0, 0
		for k := range b.Entries {
			at++
			if drop != nil && drop[at-1] {
				continue
			}
			e := &b.Entries[k]
			start := len(sc.body)
			if start+len(e.Payload) > limit {
				sc.plans = sc.plans[:0]
				return fmt.Errorf("append to %q: %w: over %d bytes", b.Log.Name(), ErrBatchTooLarge, limit)
			}
			sc.body = append(appendEntryHead(sc.body, e), e.Payload...)
			if size := len(sc.body) - start; open.count > 0 && (open.count == spanEntries || int(open.size)+size > spanBytes) {
				sc.spans = append(sc.spans, open)
				open = span{first: Seq(n), off: uint32(start)}
			}
			open.size = uint32(len(sc.body)) - open.off
			open.count++
			n++
			bytes += len(sc.body) - start
		}
		if n > 0 {
			sc.spans = append(sc.spans, open)
			binary.LittleEndian.PutUint32(sc.body[off+partCountAt:], uint32(n))
			endPart(sc.body, off)
		} else {
			sc.body = sc.body[:off]
		}
		sc.plans = append(sc.plans, plan{log: b.Log, expect: b.Expect, count: n, bytes: bytes, off: off, spans: len(sc.spans)})
	}
	if len(sc.body) > limit {
		sc.plans = sc.plans[:0]
		return fmt.Errorf("redex: append: %w: %d bytes, at most %d", ErrBatchTooLarge, len(sc.body), limit)
	}
	return nil
}

// tryAppend places the frame, or finds that all of it is there already (Placed.Ordinal is then 0). It returns
// journal.ErrBusy and errWindow when something must be waited for or loaded first.
func (s *Store) tryAppend(batches []Batch, numbered bool, sc *scratch) (journal.Placed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var dups int
	if numbered {
		n, err := s.dedupeLocked(batches, sc)
		if err != nil {
			return journal.Placed{}, err
		}
		if dups = n; dups > 0 {
			if err := s.encode(sc, batches, sc.drop); err != nil {
				return journal.Placed{}, err
			}
			s.firstResultsLocked(batches, sc)
		}
	}
	events := 0
	for i := range sc.plans {
		p := &sc.plans[i]
		p.undo = p.log.next
		expect := p.expect
		if p.dup {
			expect = Expect{} // a repeated append succeeds although the log has moved since
		}
		if err := p.log.appendableLocked(expect, p.count, p.bytes); err != nil {
			s.undoLocked(sc.plans[:i])
			return journal.Placed{}, s.appendErr(p.log, err)
		}
		if p.count > 0 {
			patchFirst(sc.body, p.off, p.log.next)
			p.log.next += Seq(p.count)
			events += p.count
		}
	}
	if events == 0 {
		return journal.Placed{}, nil
	}
	var placed journal.Placed
	if err := s.j.TryAppendLocked(&journal.Body{Head: sc.body, Events: events}, &placed); err != nil {
		s.undoLocked(sc.plans)
		if errors.Is(err, journal.ErrBusy) {
			return placed, err
		}
		return placed, s.wrap("append", err)
	}
	span := 0
	for i := range sc.plans {
		p := &sc.plans[i]
		for ; span < p.spans; span++ {
			sp := &sc.spans[span]
			sp.first += p.undo
			sp.ordinal, sp.time, sp.loc = Ordinal(placed.Ordinal), placed.Time, placed.Loc
			p.log.addHotLocked(sp)
		}
		if p.count > 0 {
			p.result.Position = Position{Store: s.id, Log: p.log.id, Epoch: s.epoch, Ordinal: Ordinal(placed.Ordinal), Seq: p.undo + Seq(p.count) - 1}
			p.result.First, p.result.Count, p.result.Time = p.undo, p.count, placed.Time
		}
	}
	if numbered {
		s.rememberLocked(batches, sc, placed)
	}
	s.appends++
	s.placedLocked(placed, len(sc.body))
	return placed, nil
}

func (s *Store) undoLocked(plans []plan) {
	for i := len(plans) - 1; i >= 0; i-- {
		plans[i].log.next = plans[i].undo
	}
}

// appendableLocked returns why n entries of so many bytes cannot be appended to the log now.
func (l *Log) appendableLocked(expect Expect, n, bytes int) error {
	switch {
	case l.s.closed:
		return ErrClosed
	case l.s.o.ReadOnly:
		return ErrReadOnly
	case l.gone:
		return ErrLogDeleted
	case expect.set && expect.seq != l.next:
		return &ConflictError{Log: l.Name(), Expected: expect.seq, Next: l.next}
	case l.next > maxSeq-Seq(n):
		return fmt.Errorf("%w: no sequences left", ErrTooLarge)
	case l.quota != nil && n > 0:
		return l.quotaLocked(*l.quota, n, int64(bytes))
	}
	return nil
}

// appendErr adds the log to an error of appendableLocked or of the journal.
func (s *Store) appendErr(l *Log, err error) error {
	switch {
	case errors.Is(err, ErrConflict), errors.Is(err, ErrQuota):
		return err
	case errors.Is(err, ErrClosed), errors.Is(err, ErrReadOnly), errors.Is(err, ErrLogDeleted), errors.Is(err, ErrTooLarge):
		return fmt.Errorf("append to %q: %w", l.Name(), err)
	}
	return s.wrap(fmt.Sprintf("append to %q", l.Name()), err)
}

// addHotLocked adds a span to the index of the log. Readers see it when the frame is published.
func (l *Log) addHotLocked(sp *span) {
	l.mu.Lock()
	took := l.hot.add(sp)
	l.mu.Unlock()
	if took != 0 {
		l.s.seal.hotBytes.Add(took)
	}
	l.markDirtyLocked()
	if l.followers.any() {
		l.followers.note()
	}
}

// markDirtyLocked puts the log on the list of those the catalog is behind of.
func (l *Log) markDirtyLocked() {
	if l.dirtyGen != l.s.dirtyGen {
		l.dirtyGen = l.s.dirtyGen
		l.s.dirty = append(l.s.dirty, l)
	}
}

// placedLocked publishes a frame whose effects are all in memory.
func (s *Store) placedLocked(p journal.Placed, bytes int) {
	s.publishLocked(Ordinal(p.Ordinal), p.Time)
	s.placed += int64(bytes) + frameOverhead
	s.unsealed += int64(bytes) + frameOverhead
	step := s.o.SealBytes / 4
	if n := len(s.marks); n == 0 || s.placed-s.marks[n-1].placed >= step {
		s.marks = append(s.marks, mark{Ordinal(p.Ordinal), p.Time, s.placed})
		if s.dueLocked() {
			s.seal.kick()
		}
	}
}

// likelyHead is about what an entry takes beside its payload, when it has neither key nor headers.
const likelyHead = 12

// frameOverhead is about what a frame takes beside its body.
const frameOverhead = 40

// settle waits for the durability an append asked for.
func (s *Store) settle(ctx context.Context, d Durability, o Ordinal) error {
	if d == DurableNo || d == DurableByPolicy && s.o.Sync.Mode != SyncAlways {
		return nil
	}
	if err := s.j.Sync(ctx, journal.Ordinal(o)); err != nil {
		return s.wrap("sync", err)
	}
	return nil
}

// waitReady waits until there is room for a frame: for the bounds of SyncInterval, the journal's limit or its next segment.
// When sealing fails, and so will not make room, it returns the cause.
func (s *Store) waitReady(ctx context.Context, b journal.Body) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer s.seal.onFailure(cancel)()
	s.seal.kick()
	err := s.j.Ready(ctx, b)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("redex: append: waiting for room: %w", context.Cause(ctx))
	}
	return s.wrap("append", err)
}
