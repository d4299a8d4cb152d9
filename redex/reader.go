package redex

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed69692123/netdb/redex/journal"
	"github.com/seed69692123/netdb/redex/sealed"
)

// What a feed reads ahead of the event it is at.
const (
	feedSpans = 256
	feedBytes = 256 << 10 // of one frame, or of rows of the catalog
	feedRows  = 512
)

// feed reads the events of [at, to) in order, from wherever they are: a run in a row file, rows of the catalog, the journal.
// Between two reads the events may move from the journal to the catalog, and from rows to a run; a feed that does not find
// what it expected looks again. It holds no lock and no segment between calls, only its own memory and an open row file.
// It is not safe for concurrent use.
type feed struct {
	l     *Log
	at    Seq // of the next event
	to    Seq
	point bool // one event is wanted: do not read ahead
	ev    Event
	err   error
	steps uint

	src     source
	masked  []Seq    // of Log
	masks   bool     // some events may be masked
	buf     []byte   // entries of a frame, or rows of the catalog
	headers []Header // memory of ev.Headers
	rest    []byte   // of buf, from the next entry on

	// Of fromJournal: spans that are not read yet, and the span whose entries are in rest.
	spans []span
	cur   span
	until Seq // the sequence after the last entry in rest, or in frames

	// Of fromJournal, when cur has frames.
	frames journal.Frames
	after  Seq // of the event after the last one read, and where its frame is if it follows
	place  journal.Loc

	// Of fromRows: the ends of the rows in buf.
	ends []int

	// Of fromRun.
	file   *rowFile
	run    *sealed.Run
	runC   *sealed.Cursor
	runTo  Seq  // where runC ends
	sparse bool // compaction took events of the run
	losses bool // and damage took some
	row    sealed.Row
}

// source is where a feed reads at present.
type source uint8

const (
	fromNowhere source = iota // look where the next event is
	fromJournal
	fromRows
	fromRun
)

// lookAgain bounds how often a feed looks for one event that moved before it was read.
const lookAgain = 8

// Returned inside a feed:
var (
	errMoved   = errors.New("moved")   // the event is no longer where it was found
	errSkipped = errors.New("skipped") // compaction took the event, and the feed is at the next one it has to look for
)

// next moves to the next event and reports whether there is one.
func (f *feed) next(ctx context.Context) bool {
	if f.err != nil || f.at >= f.to {
		return false
	}
	if f.steps++; f.steps%512 == 0 {
		if err := ctx.Err(); err != nil {
			f.err = f.l.readErr(f.at, err)
			return false
		}
	}
	for tries := 0; tries < lookAgain; tries++ {
		var err error
		switch f.src {
		case fromJournal:
			if f.at < f.until {
				err = f.nextEntry()
			} else {
				err = f.nextSpan(ctx)
			}
		case fromRows:
			err = f.nextRow()
		case fromRun:
			err = f.nextOfRun()
		default:
			if err = f.locate(ctx); err == nil {
				continue
			}
		}
		switch {
		case err == nil:
			f.ev.Log, f.ev.Seq = f.l.id, f.at
			if f.masks {
				f.mask()
			}
			f.at++
			return true
		case errors.Is(err, errSkipped):
			if f.src = fromNowhere; f.at >= f.to {
				return false
			}
			tries = -1
		case errors.Is(err, errMoved):
			f.src = fromNowhere
		default:
			f.err = f.l.readErr(f.at, err)
			return false
		}
	}
	f.err = f.l.readErr(f.at, &CorruptionError{File: f.l.s.catalogPath(), Err: errors.New("the catalog has neither a row nor a run for it")})
	return false
}

// mask takes the payload and headers off the current event if it is redacted, and still to be taken out of its file.
func (f *feed) mask() {
	if _, ok := slices.BinarySearch(f.masked, f.at); ok || f.l.maskAll {
		f.ev.redact()
	}
}

// redact takes out what Log.Redact does.
func (e *Event) redact() { e.Redacted, e.Payload, e.Headers, e.Encoding = true, nil, nil, Raw }

// readErr adds what was read to an error.
func (l *Log) readErr(seq Seq, err error) error {
	if c, ok := errors.AsType[*CorruptionError](err); ok {
		c := *c
		if c.Log == "" {
			c.Log, c.Seq = l.Name(), max(c.Seq, seq)
		}
		return &c
	}
	if r, ok := errors.AsType[*RangeLostError](err); ok {
		return r
	}
	if closed := l.s.closedErr(); closed != nil {
		err = closed
	}
	return fmt.Errorf("read %q sequence %d: %w", l.Name(), seq, err)
}

// locate finds out where the next event is.
func (f *feed) locate(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f.l.s.closedErr(); err != nil {
		return err
	}
	f.drop()
	l := f.l
	l.mu.Lock()
	floor, deleted, inSealed := l.floor, l.deleted, f.at < l.sealed.next
	f.masked, f.masks = l.masked, len(l.masked) > 0 || l.maskAll
	if !deleted && !inSealed && f.at >= floor {
		n := feedSpans
		if f.point {
			n = 1
		}
		f.spans = l.hot.spansFrom(f.at, f.spans[:0], n)
	}
	l.mu.Unlock()
	switch {
	case deleted:
		return ErrLogDeleted
	case f.at < floor:
		return &RangeLostError{Log: l.Name(), From: f.at, To: floor}
	case inSealed:
		return f.locateSealed()
	case len(f.spans) == 0 || f.spans[0].first > f.at:
		return fmt.Errorf("sequence is not in the index: %w", ErrNoEvent)
	}
	f.src, f.until = fromJournal, f.at
	return nil
}

// nextSpan reads the next spans of one frame, and the first event of them.
func (f *feed) nextSpan(ctx context.Context) error {
	if len(f.spans) == 0 {
		return errMoved // not read yet, that is: the next ones
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if sp := f.spans[0]; sp.damage != 0 {
		c := f.l.s.damages[sp.damage-1]
		c.Log, c.Seq, c.End = f.l.Name(), sp.first, sp.end()
		return &c
	}
	if f.spans[0].frames {
		return f.openFrames()
	}
	sp, n := joinSpans(f.spans, f.to)
	buf, err := f.l.s.readSpan(&sp, f.buf[:0])
	if n > 1 && errors.Is(err, ErrCorrupt) { // not all of them need be damaged
		sp, n = f.spans[0], 1
		buf, err = f.l.s.readSpan(&sp, f.buf[:0])
	}
	if err != nil {
		return err
	}
	f.spans = f.spans[n:]
	f.buf, f.rest, f.cur, f.until = buf, buf, sp, sp.end()
	for skip := f.at - sp.first; skip > 0; skip-- {
		if f.rest, err = skipEntry(f.rest); err != nil {
			return f.l.s.badEntry(&sp, err)
		}
	}
	return f.nextEntry()
}

// openFrames reads the frames of the next span, from the next event on if it is known where that is, and the first event of them.
func (f *feed) openFrames() error {
	sp := f.spans[0]
	if f.after == f.at && f.at > sp.first && f.place > sp.loc && f.place < sp.loc.Next(int(sp.size)) {
		skip := uint32(f.at - sp.first)
		sp.size -= uint32(f.place - sp.loc)
		sp.first, sp.ordinal, sp.loc, sp.count = f.at, sp.ordinal+Ordinal(skip), f.place, sp.count-skip
	}
	var err error
	if f.buf, err = f.l.s.readFrames(&f.frames, &sp, f.buf); err != nil {
		return err
	}
	f.frames.Skip = journal.Ordinal(sp.ordinal) + journal.Ordinal(f.at-sp.first)
	f.spans = f.spans[1:]
	f.rest, f.cur, f.until = nil, sp, sp.end()
	return f.nextFrame()
}

// nextFrame decodes the entry of the frame of the next event.
func (f *feed) nextFrame() error {
	want := journal.Ordinal(f.cur.ordinal) + journal.Ordinal(f.at-f.cur.first)
	fr := &f.frames
	for fr.Next() {
		if fr.Until <= want {
			continue
		}
		if fr.Err != nil {
			return f.l.s.frameErr(&f.cur, fr)
		}
		headers, rest, err := decodeEntry(fr.Body[min(partHeaderSize, len(fr.Body)):], &f.ev)
		if err == nil && len(rest) > 0 {
			err = errors.New("bytes after the entry")
		}
		if err == nil {
			err = f.setHeaders(headers)
		}
		if err != nil {
			return f.l.s.badEntry(&f.cur, err)
		}
		f.ev.Time, f.ev.Ordinal = fr.Time, Ordinal(fr.Ordinal)
		f.after, f.place = f.at+1, fr.Loc.Next(journal.FrameBytes(len(fr.Body)))
		return nil
	}
	return errMoved
}

// readFrames reads the frames of a span into buf, for fr to go through.
func (s *Store) readFrames(fr *journal.Frames, sp *span, buf []byte) ([]byte, error) {
	buf, err := s.j.ReadFrames(fr, sp.loc, int(sp.size), journal.Ordinal(sp.ordinal), int(sp.count), buf)
	return buf, s.spanErr(sp.first, sp.end(), err)
}

// frameErr returns why fr could not read frames of a span, naming their sequences.
func (s *Store) frameErr(sp *span, fr *journal.Frames) error {
	from := sp.first + Seq(Ordinal(fr.Ordinal)-sp.ordinal)
	return s.spanErr(from, from+Seq(fr.Until-fr.Ordinal), fr.Err)
}

// nextEntry decodes the next entry of the span that is read.
func (f *feed) nextEntry() error {
	if f.cur.frames {
		return f.nextFrame()
	}
	headers, rest, err := decodeEntry(f.rest, &f.ev)
	if err == nil {
		err = f.setHeaders(headers)
	}
	if err != nil {
		return f.l.s.badEntry(&f.cur, err)
	}
	f.rest = rest
	f.ev.Time, f.ev.Ordinal = f.cur.time, f.cur.ordinal
	return nil
}

// setHeaders decodes the current event's headers. Most events have none.
func (f *feed) setHeaders(b []byte) error {
	f.ev.Headers = nil
	if len(b) == 0 {
		return nil
	}
	hs, err := decodeHeaders(b, f.headers)
	f.headers, f.ev.Headers = hs, hs
	return err
}

// readSpan appends the entries of a span to dst.
func (s *Store) readSpan(sp *span, dst []byte) ([]byte, error) {
	b, err := s.j.Read(sp.loc, int(sp.off), int(sp.size), dst)
	return b, s.spanErr(sp.first, sp.end(), err)
}

// spanErr adds which sequences could not be read to an error of the journal.
func (s *Store) spanErr(from, to Seq, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, journal.ErrReleased) {
		return errMoved
	}
	if c, ok := errors.AsType[*journal.CorruptionError](err); ok {
		return &CorruptionError{Seq: from, End: to, File: s.journalPath(c.File), Offset: c.Offset, Err: c.Err}
	}
	return s.wrap("journal", err)
}

// badEntry is the error for entries that passed their checksum and cannot be decoded.
func (s *Store) badEntry(sp *span, err error) error {
	return &CorruptionError{Seq: sp.first, End: sp.end(), File: s.fs.PathJoin(s.dir, journalDir), Offset: int64(uint32(sp.loc)), Err: err}
}

// catalogPath is named in errors about the catalog as a whole.
func (s *Store) catalogPath() string { return s.fs.PathJoin(s.dir, catalogDir) }

// badRecord is the error for a record of the catalog that passed its checksum and cannot be decoded.
func (s *Store) badRecord(key []byte, err error) error {
	return &CorruptionError{File: s.catalogPath(), Err: fmt.Errorf("key %x: %w", key, err)}
}

// loadRows reads rows of the catalog from the next event on.
func (f *feed) loadRows() error {
	s := f.l.s
	it, err := s.kv.NewIter(logSeqKey(keyRow, f.l.id, f.at), logSeqKey(keyRow, f.l.id, f.to))
	if err != nil {
		return s.wrap("catalog", err)
	}
	defer it.Close()
	f.buf, f.ends = f.buf[:0], f.ends[:0]
	for ok := it.First(); ok; ok = it.Next() {
		seq, err := keySeq(it.Key())
		if err != nil {
			return s.badRecord(it.Key(), err)
		}
		if seq != f.at+Seq(len(f.ends)) {
			break
		}
		v, err := it.Value()
		if err != nil {
			return f.loadRow(s.wrap("catalog", err))
		}
		f.buf = append(f.buf, v...)
		f.ends = append(f.ends, len(f.buf))
		if f.point || len(f.ends) == feedRows || len(f.buf) >= feedBytes {
			break
		}
	}
	if err := it.Err(); err != nil {
		return f.loadRow(s.wrap("catalog", err))
	}
	if len(f.ends) == 0 {
		return f.lost()
	}
	f.src, f.rest = fromRows, f.buf
	return nil
}

// loadRow is called when the rows from the next event on could not all be read. It goes on with those that were, or with the
// first one when that is not in the damaged place; else it returns the cause.
func (f *feed) loadRow(cause error) error {
	if len(f.ends) == 0 {
		if !errors.Is(cause, ErrCorrupt) {
			return cause
		}
		b, ok, err := f.l.s.kv.Get(logSeqKey(keyRow, f.l.id, f.at), f.buf[:0])
		if err != nil || !ok {
			return cause
		}
		f.buf, f.ends = b, append(f.ends, len(b))
	}
	f.src, f.rest = fromRows, f.buf
	return nil
}

// nextRow decodes the next of the rows that were loaded.
func (f *feed) nextRow() error {
	if len(f.ends) == 0 {
		return errMoved // to the next ones
	}
	start := len(f.buf) - len(f.rest)
	row := f.buf[start:f.ends[0]:f.ends[0]]
	f.rest, f.ends = f.buf[f.ends[0]:], f.ends[1:]
	headers, err := decodeRow(row, &f.ev)
	if err == nil {
		err = f.setHeaders(headers)
	}
	if err != nil {
		return f.l.s.badRecord(logSeqKey(keyRow, f.l.id, f.at), err)
	}
	return nil
}

// drop gives up what the feed read ahead.
func (f *feed) drop() {
	f.src, f.spans, f.rest, f.ends = fromNowhere, f.spans[:0], nil, f.ends[:0]
	_ = f.dropFile() // only read from
}

func (f *feed) dropFile() error {
	if f.file == nil {
		return nil
	}
	file := f.file
	f.file, f.run = nil, nil
	return f.l.s.rows.release(file)
}

// close frees what the feed holds.
func (f *feed) close() error {
	err := f.dropFile()
	*f = feed{l: f.l, err: f.err}
	if f.err == nil {
		f.err = fmt.Errorf("read %q: cursor is closed", f.l.Name())
	}
	return err
}
