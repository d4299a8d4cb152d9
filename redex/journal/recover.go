package journal

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
)

// recovery reads what is in the directory. It writes nothing.
type recovery struct {
	ctx    context.Context
	fs     FS
	opt    Options
	after  Ordinal
	replay func(Frame) error

	files []*candidate // by number
	chain []*link      // oldest first
	head  *candidate   // the newest with a header
	note  bool         // a sync failed in the last run

	begun *link // the last segment, if it ends as one does that has another one behind it

	known    Ordinal // highest ordinal that something seen says is durable
	surveyed bool    // everything there is was seen

	next     Ordinal // the ordinal after the last one recovered
	lastTime int64
	end      endOf
	lost     bool // something shows that a visible frame is gone
	clean    bool
	report   Recovery
	buf, far []byte // of load: the segment at work, and those looked at ahead of it
}

// candidate is a segment file found.
type candidate struct {
	number uint32
	seg    *segment // header decoded; nil: it has none
	file   File
	name   string
	err    error // why it has no header
	used   bool  // in the chain
	reused bool  // the file was another segment's before
}

// link is a segment in the chain.
type link struct {
	*segment
	c       *candidate
	reread  bool    // it was read once more
	limit   int64   // where the successor says that it ends; the file's length if there is none
	salvage bool    // the successor is gone, and with it the knowledge of where this one ends
	last    Ordinal // of its last frame, after the scan
}

// sectorBytes is the least that a disk gives or does not.
const sectorBytes = 512

// discover opens all segments and reads their headers.
func (r *recovery) discover() error {
	names, err := r.fs.List()
	if err != nil {
		return fmt.Errorf("journal: list: %w", err)
	}
	for _, name := range names {
		if name == poisonName {
			r.note = true
		}
		number, ok := parseSegmentName(name)
		if !ok {
			continue
		}
		f, err := r.fs.Open(name, !r.opt.ReadOnly)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) && r.opt.ReadOnly {
				continue // its writer released it
			}
			return fmt.Errorf("journal: open %s: %w", name, err)
		}
		c := &candidate{number: number, file: f, name: name}
		r.files = append(r.files, c)
		s := newSegment(name, f, &header{number: number})
		page := make([]byte, min(headerPageBytes, s.size))
		var unread []badRange
		if err := s.copyOut(page, 0); err != nil && !errors.Is(err, io.EOF) {
			unread = s.loadRange(page, 0, sectorBytes, nil)
		}
		c.reused = decodeReuseMark(page, number)
		h, err := decodeHeader(page)
		switch {
		case err != nil && len(unread) > 0 && !r.opt.ReadOnly: // it may be one that frames were written behind
			return fmt.Errorf("journal: the header of %s cannot be read: %w", name, unread[0].err)
		case errors.Is(err, ErrFormat):
			return fmt.Errorf("journal: %s: %w", name, err)
		case err != nil:
			c.err = err
		case h.id != r.opt.ID:
			return &ForeignError{File: name, Want: r.opt.ID, Have: h.id}
		case h.number != number:
			c.err = fmt.Errorf("%w: of segment %d", errHeader, h.number)
		default:
			s.hdr, s.salt, s.reused = h, uint32(h.salt), c.reused
			c.seg = s
		}
	}
	slices.SortFunc(r.files, func(a, b *candidate) int { return cmp.Compare(a.number, b.number) })
	return nil
}

func (r *recovery) find(number uint32) *candidate {
	i, ok := slices.BinarySearchFunc(r.files, number, func(c *candidate, n uint32) int { return cmp.Compare(c.number, n) })
	if !ok {
		return nil
	}
	return r.files[i]
}

// link builds the chain from the newest segment with a header back to the first, or to what was released.
func (r *recovery) link() {
	for _, c := range slices.Backward(r.files) {
		if c.seg != nil {
			r.head = c
			break
		}
	}
	if r.head == nil {
		return
	}
	r.push(r.head, r.head.seg.size, false)
	for {
		h := r.chain[0].hdr
		if h.prev == 0 {
			return
		}
		if c := r.find(h.prev); c != nil && c.seg != nil && c.seg.hdr.first <= h.first {
			r.push(c, min(h.prevEnd, c.seg.size), false)
			continue
		}
		if h.first-1 <= r.after {
			return // released, in whichever order the unlinks reached the disk
		}
		// The predecessor is gone or has lost its header. Those before it are read as far as they go.
		var older *candidate
		for _, c := range r.files {
			if c.number < h.number && c.seg != nil && c.seg.hdr.first < h.first {
				older = c
			}
		}
		if older == nil {
			return
		}
		r.push(older, older.seg.size, true)
	}
}

func (r *recovery) push(c *candidate, limit int64, salvage bool) {
	c.used = true
	r.chain = slices.Insert(r.chain, 0, &link{segment: c.seg, c: c, limit: limit, salvage: salvage})
}

// scan reads the chain and replays it. It ends with the last frame of the prefix that is whole, but for damage.
func (r *recovery) scan() error {
	if len(r.chain) == 0 {
		return nil
	}
	first := r.chain[0].hdr
	r.next, r.lastTime = first.first, first.lastTime
	r.known = max(first.durable, r.after)
	if first.first > r.after+1 {
		// The owner had these once, or they would not have been released.
		err := errors.New("the segments before it are missing")
		if first.prev != 0 {
			err = fmt.Errorf("segment %s is missing", segmentName(first.prev))
		}
		r.damaged(r.chain[0].segment, 0, r.after+1, first.first-1, err)
	}
	for i := range r.chain {
		more, err := r.segment(i)
		if err != nil {
			return err
		}
		if !more {
			r.chain = r.chain[:i+1]
			break
		}
	}
	l := r.chain[len(r.chain)-1]
	r.end = endOf{number: l.hdr.number, offset: l.end, last: r.next - 1, lastTime: r.lastTime}
	return nil
}

// segment reads one segment of the chain and reports whether the next one counts too.
func (r *recovery) segment(i int) (bool, error) {
	l := r.chain[i]
	var succ *header
	top := Ordinal(math.MaxUint64)
	if i+1 < len(r.chain) {
		succ = r.chain[i+1].hdr
		top = succ.first - 1
	}
	l.end, l.last = l.limit, top
	if succ != nil && top <= r.after {
		r.next, r.lastTime = succ.first, max(r.lastTime, succ.lastTime)
		l.segment.limit.Store(l.end)
		return true, nil
	}
	r.known = max(r.known, l.hdr.durable)
	c := scanner{seg: l.segment, off: headerPageBytes, next: l.hdr.first, time: max(r.lastTime, l.hdr.lastTime)}
	r.buf, c.bad = l.load(r.buf, l.limit)
	c.buf = r.buf
	more := true
	for done := false; !done; {
		h, f := c.look()
		switch {
		case succ != nil && c.next == succ.first:
			done = true
		case f == foundFrame:
			if err := r.give(&c, &h); err != nil {
				return false, err
			}
			c.pass(&h)
		case succ == nil && (f == foundEnd || f == foundClean || f == foundLimit):
			r.clean = f == foundClean
			done, more = true, false
			r.lost = r.lost || !r.clean && l.size < l.hdr.size // somebody made it shorter
			if f == foundEnd {
				r.begun = l
			}
		default:
			var err error
			if done, more, err = r.stopped(i, &c, &h, f, top); err != nil {
				return false, err
			}
		}
	}
	r.known = max(r.known, c.known)
	l.end = c.off
	if succ != nil && more {
		l.end = min(l.limit, int64(len(c.buf)))
	}
	l.last = c.next - 1
	l.segment.limit.Store(l.end)
	r.next, r.lastTime = c.next, c.time
	if succ != nil && more {
		r.lastTime = max(r.lastTime, succ.lastTime)
	}
	return more, nil
}

// give hands a frame out.
func (r *recovery) give(c *scanner, h *frameHeader) error {
	if h.ordinal <= r.after || r.replay == nil {
		return nil
	}
	if h.ordinal%256 == 0 && r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	at := c.off + h.bodyAt()
	return r.replay(Frame{
		Ordinal: h.ordinal, Time: h.time, Epoch: c.seg.hdr.epoch,
		Loc:  makeLoc(c.seg.hdr.number, c.off),
		Body: c.buf[at : at+h.size : at+h.size],
	})
}

// stopped decides what it means that the frame expected is not there: the end of what was written, a torn tail, or damage.
// It reports whether the segment is done, and whether the next one counts.
func (r *recovery) stopped(i int, c *scanner, h *frameHeader, f found, top Ordinal) (done, more bool, err error) {
	l := r.chain[i]
	at, from := c.off, c.next
	beyond := r.survey(i, c)
	if (f == foundBadBody || beyond || r.known >= from) && r.readAgain(l, c) {
		return false, true, nil
	}
	if r.inEpoch(from) && (f == foundBadBody || beyond) || i+1 == len(r.chain) && l.size < l.hdr.size {
		r.lost = true
	}
	if r.known < from && !l.salvage {
		if err := c.unread(h, f); err != nil {
			if err := r.mayGoOn(l, at, err); err != nil {
				return true, false, err
			}
		}
		return true, false, r.cut(i, c, f, at)
	}
	unread := c.readError(at, int64(len(c.buf)))
	why := c.why(h, f)
	lastSegment := i+1 == len(r.chain)
	rest := false // nothing else in this segment
	switch {
	case f == foundBadBody && at+h.bytes() <= int64(len(c.buf)):
		c.pass(h)
	case !l.salvage && c.resync(top):
	case lastSegment && unread != nil && r.mayGoOn(l, at, unread) != nil:
		return true, false, r.mayGoOn(l, at, unread)
	case lastSegment:
		r.lost = true
		c.next, rest = r.known+1, true
	default:
		c.next, rest = top+1, true
	}
	to := c.next - 1
	if to > r.known && !l.salvage {
		if err := r.mayGoOn(l, at, unread); unread != nil && err != nil {
			return true, false, err
		}
		// Behind what was durable a tail is torn, whatever stands behind that.
		r.damaged(l.segment, at, from, r.known, why)
		c.off, c.next = at, r.known+1
		return true, false, r.cut(i, c, foundBad, at)
	}
	r.damaged(l.segment, at, from, to, why)
	return rest, !lastSegment, nil
}

// mayGoOn returns the error with which an open for writing ends because the disk does not give what stands at a place of a segment: to end
// the segment there would void frames that may be read another time.
func (r *recovery) mayGoOn(l *link, at int64, err error) error {
	if r.opt.ReadOnly {
		return nil
	}
	return fmt.Errorf("journal: %s cannot be read at %d, where it may go on: %w", l.name, at, err)
}

// readAgain reads a segment once more, before something at the scanner's place is taken for damage, and reports whether what is
// there is something else now.
func (r *recovery) readAgain(l *link, c *scanner) bool {
	if l.reread || c.off >= int64(len(c.buf)) {
		return false
	}
	l.reread = true
	was, size := c.buf, int64(len(c.buf))
	r.buf, c.bad = l.load(nil, size)
	c.buf = r.buf
	return !bytes.Equal(was[c.off:], c.buf[c.off:])
}

// inEpoch reports whether the current epoch has the frame. That one of an earlier epoch is lost begins no other.
func (r *recovery) inEpoch(o Ordinal) bool {
	epochs := r.head.seg.hdr.epochs
	return len(epochs) == 0 || o >= epochs[len(epochs)-1].First
}

// survey looks at everything from the scanner's place on, once, for what it says is durable, and reports whether there is
// anything that was written after the frame expected.
func (r *recovery) survey(i int, c *scanner) bool {
	ahead := *c
	beyond := ahead.resync(math.MaxUint64) || i+1 < len(r.chain)
	if r.surveyed {
		return beyond
	}
	r.surveyed = true
	ahead = *c
	ahead.survey()
	r.known = max(r.known, ahead.known)
	for _, l := range r.chain[i+1:] {
		r.known = max(r.known, l.hdr.durable)
		a := scanner{seg: l.segment, off: headerPageBytes, next: l.hdr.first, time: l.hdr.lastTime}
		r.far, a.bad = l.load(r.far, l.limit)
		a.buf = r.far
		a.survey()
		r.known = max(r.known, a.known)
	}
	return beyond
}

// cut ends the chain at an offset of segment i and notes what is dropped.
func (r *recovery) cut(i int, c *scanner, f found, at int64) error {
	l := r.chain[i]
	if err := c.readError(at, int64(len(c.buf))); err != nil && !r.opt.ReadOnly {
		// What cannot be read may have been acknowledged: that is not for a program to drop.
		return l.corrupt(at, fmt.Errorf("cannot tell where the journal ends: %w", err))
	}
	if f == foundIdle {
		at += frameHeaderBytes
	}
	dropped := c.written(at)
	for _, later := range r.chain[i+1:] {
		a := scanner{seg: later.segment, next: later.hdr.first, time: later.hdr.lastTime}
		r.far, a.bad = later.load(r.far, later.limit)
		a.buf = r.far
		dropped += headerPageBytes + a.written(headerPageBytes)
	}
	if dropped > 0 {
		r.report.Cut = &Cut{Segment: l.hdr.number, File: l.name, Offset: c.off, Bytes: dropped}
	}
	return nil
}

// damaged reports [from, to], as far as the owner needs it from the journal.
func (r *recovery) damaged(s *segment, off int64, from, to Ordinal, err error) {
	if from = max(from, r.after+1); from <= to {
		r.report.Damage = append(r.report.Damage, Damage{From: from, To: to, Err: s.corrupt(off, err)})
	}
}

// headless reports the files whose header is gone although frames were written behind it, or that must have had one. One newer
// than every other is the loss of the newest frames, of unknown number.
func (r *recovery) headless() (aside []string) {
	var empty *candidate
	for _, c := range r.files {
		if c.seg != nil || r.head != nil && c.number < r.head.number {
			continue
		}
		s := newSegment(c.name, c.file, &header{number: c.number})
		a := scanner{seg: s}
		size := s.size
		if c.reused { // of one never used what comes here would be zero, and the rest is of an earlier use
			size = 2 * headerPageBytes
		}
		r.far, a.bad = s.load(r.far, size)
		a.buf = r.far
		if len(a.bad) == 0 && a.written(min(headerPageBytes, s.size)) == 0 {
			if empty == nil {
				empty = c
			}
			continue // made in advance, never used, but for what follows
		}
		aside = append(aside, c.name)
		r.missing(s.corrupt(0, c.err))
	}
	switch {
	case len(aside) > 0 || r.begun == nil && (r.head != nil || !r.opt.MustExist):
	case empty != nil: // the end frame before it, or the owner, knows that it had a header
		r.missing(&CorruptionError{Segment: empty.number, File: empty.name, Err: fmt.Errorf("%w: it was in use and is empty", errHeader)})
	case r.begun != nil:
		r.missing(r.begun.corrupt(r.begun.end, errors.New("the segment after it is missing")))
	default:
		r.missing(&CorruptionError{Err: errors.New("there is no segment")})
	}
	return aside
}

// missing reports the loss of the newest frames.
func (r *recovery) missing(err *CorruptionError) {
	r.lost = true
	r.report.Damage = append(r.report.Damage, Damage{Err: err})
}

// offsetOf returns where the first frame above o begins in a segment, or where the segment ends.
func (r *recovery) offsetOf(l *link, o Ordinal) int64 {
	c := scanner{seg: l.segment, off: headerPageBytes, next: l.hdr.first, time: l.hdr.lastTime}
	r.buf, c.bad = l.load(r.buf, l.end)
	c.buf = r.buf
	for c.next <= o {
		h, f := c.look()
		switch f {
		case foundFrame, foundBadBody:
			c.pass(&h)
		default:
			if !c.resync(l.last) {
				return l.end
			}
		}
	}
	return min(c.off, l.end)
}

// settle makes durable in place what was recovered and is not known to be: the same bytes are written again, so that the
// system cannot take them for written when an earlier attempt failed, and synced.
func (r *recovery) settle() error {
	if r.clean {
		return nil
	}
	for _, l := range r.chain {
		if l.last <= r.known || l.end <= headerPageBytes {
			continue
		}
		off := r.offsetOf(l, r.known)
		if off >= l.end {
			continue
		}
		if _, bad := l.load(r.buf, l.end); len(bad) > 0 {
			return l.corrupt(bad[0].from, bad[0].err)
		}
		const step = 1 << 20
		for from := off; from < l.end; from += step {
			part := r.buf[from:min(from+step, l.end)]
			if err := l.write(part, from); err != nil {
				return fmt.Errorf("journal: rewrite %s at %d: %w", l.name, from, err)
			}
		}
		if err := l.file.SyncRange(off, l.end-off); err != nil {
			return fmt.Errorf("journal: sync %s from %d to %d: %w", l.name, off, l.end, err)
		}
	}
	return nil
}

// closeFiles closes every file that is not to be kept.
func (r *recovery) closeFiles(keep func(*candidate) bool) error {
	var errs []error
	for _, c := range r.files {
		if !keep(c) {
			errs = append(errs, c.file.Close())
		}
	}
	return errors.Join(errs...)
}
