package redex

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed69692123/netdb/redex/sealed"
)

// Retention says what of a log is kept: an event goes when one of the bounds says so. The zero value keeps everything. What goes
// is what comes first: the log's floor rises, as Log.Trim has it, and readers behind it get ErrRangeLost, folds and scans too.
//
// The store looks at logs with a retention every Options.RetainEvery and after sealing their events, and gives up what is over
// a bound then; in between a log may hold more. Store.Retain does it at once.
type Retention struct {
	Events int64 // the newest so many; what compaction by key took does not count
	// Bytes keeps the newest that take together at most so much: payload, keys and headers, and what is stored beside them before
	// an event is in a row file. It is exact to the event there, to 8 KiB in the journal. The newest event is kept however large.
	Bytes int64
	Age   time.Duration // those that arrived not longer ago, by their times
}

func (r Retention) any() bool { return r != Retention{} }

func (r Retention) validate() error {
	if r.Events < 0 || r.Bytes < 0 || r.Age < 0 {
		return fmt.Errorf("%w: negative bound of a retention", ErrOptions)
	}
	return nil
}

// Quota bounds a log: an append that would put it over gets ErrQuota and leaves it as it was. The zero value bounds nothing.
// What Retention or Trim gave up does not count.
type Quota struct {
	Events int64 // the log may hold; what compaction by key took does not count, also below the floor
	// Bytes counts payload, keys and headers, and what is stored beside them before an event is in a row file. Events below the
	// floor count until their run of up to some ten thousand events goes.
	Bytes int64
}

func (q Quota) validate() error {
	if q.Events < 0 || q.Bytes < 0 {
		return fmt.Errorf("%w: negative bound of a quota", ErrOptions)
	}
	return nil
}

// quotaLocked returns a QuotaError when n more events, of so many bytes, are too many.
func (l *Log) quotaLocked(q Quota, n int, bytes int64) error {
	l.mu.Lock()
	have, gone := l.bytesLocked(), l.sealed.gone
	floor := l.floor
	l.mu.Unlock()
	events := max(int64(l.next-min(floor, l.next))-gone, 0) + int64(n)
	if q.Events > 0 && events > q.Events || q.Bytes > 0 && have+bytes > q.Bytes {
		return &QuotaError{Log: l.Name(), Quota: q, Events: events, Bytes: have + bytes}
	}
	return nil
}

// bytesLocked returns what the log's events take before compression, wherever they are.
func (l *Log) bytesLocked() int64 { return l.sealed.rawBytes + l.sealed.rowsBytes + l.hot.bytes }

// retainer applies retentions in the background.
type retainer struct {
	mu      sync.Mutex // one log at a time; taken before all other locks
	pauses  int
	resumed chan struct{} // closed when pauses ends

	wake  chan struct{} // of capacity 1: there are logs in due
	dueMu sync.Mutex
	due   []LogID // with a retention, and grown, or with a new one
}

// kick has some logs looked at soon. It never blocks.
func (r *retainer) kick(ids ...LogID) {
	if len(ids) == 0 {
		return
	}
	r.dueMu.Lock()
	r.due = append(r.due, ids...)
	r.dueMu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// PauseRetention keeps retentions from giving anything up until resume is called, which is idempotent: for those who read what
// they have seen to be there, such as snapshots. Log.Trim is not held up.
func (s *Store) PauseRetention() (resume func()) {
	r := &s.retain
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pauses++; r.pauses == 1 {
		r.resumed = make(chan struct{})
	}
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.pauses--; r.pauses == 0 {
			close(r.resumed)
		}
	})
}

// lockRetention takes the lock when nobody pauses retention.
func (s *Store) lockRetention(ctx context.Context) error {
	r := &s.retain
	for {
		r.mu.Lock()
		if r.pauses == 0 {
			return nil
		}
		resumed := r.resumed
		r.mu.Unlock()
		select {
		case <-resumed:
		case <-s.done:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *retainer) take() []LogID {
	r.dueMu.Lock()
	defer r.dueMu.Unlock()
	ids := r.due
	r.due = nil
	return ids
}

// retainLoop applies retentions until the store is closed: of the logs that may have something to give up now, and of all of them
// at times.
func (s *Store) retainLoop() {
	defer s.wg.Done()
	tick := time.NewTicker(s.o.RetainEvery)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-s.done:
			return
		case <-s.retain.wake:
			_, err = s.retainLogs(s.bg, s.retain.take(), "")
		case <-tick.C:
			_, err = s.Retain(s.bg, "")
		}
		if err != nil && s.closedErr() == nil {
			s.log.Error("redex: retention failed", "err", err)
		}
	}
}

// Retain gives up what the retentions of the logs say, of those whose names begin with prefix, and returns how many events went.
// Trouble with one log, or its end, does not keep it from the others; the errors are joined. The room on disk is given back with
// sealing: of row files when nothing lives in them.
func (s *Store) Retain(ctx context.Context, prefix string) (int64, error) {
	if s.o.ReadOnly {
		return 0, fmt.Errorf("retain: %w", ErrReadOnly)
	}
	ids, err := s.retainedLogs()
	if err != nil {
		return 0, fmt.Errorf("retain: %w", err)
	}
	return s.retainLogs(ctx, ids, prefix)
}

func (s *Store) retainLogs(ctx context.Context, ids []LogID, prefix string) (gone int64, err error) {
	var errs []error
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if err := cmp.Or(ctx.Err(), s.closedErr()); err != nil {
			errs = append(errs, fmt.Errorf("retain: %w", err))
			break
		}
		l, err := s.byID(id)
		if err == nil && l != nil && strings.HasPrefix(l.Name(), prefix) {
			var n int64
			n, err = l.Retain(ctx)
			gone += n
		}
		if err != nil && !errors.Is(err, ErrLogDeleted) {
			errs = append(errs, err)
		}
	}
	return gone, errors.Join(errs...)
}

// retainedLogs returns the logs with a retention: of the catalog, and of those it does not know yet.
func (s *Store) retainedLogs() ([]LogID, error) {
	if err := s.closedErr(); err != nil {
		return nil, err
	}
	var ids []LogID
	s.mu.Lock()
	for _, l := range slices.Concat(s.dirty, s.passing) {
		if l.Options().Retention.any() {
			ids = append(ids, l.id)
		}
	}
	s.mu.Unlock()
	it, err := s.kv.NewIter([]byte{keyRetain}, []byte{keyRetain + 1})
	if err != nil {
		return nil, s.wrap("catalog", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		id, err := keyLog(it.Key())
		if err != nil {
			return nil, s.badRecord(it.Key(), err)
		}
		ids = append(ids, id)
	}
	if err := it.Err(); err != nil {
		return nil, s.wrap("catalog", err)
	}
	return ids, nil
}

// Retain gives up what the log's retention says, and returns how many sequences went, gaps of compaction among them. It is durable on
// return.
func (l *Log) Retain(ctx context.Context) (int64, error) {
	if l.s.o.ReadOnly {
		return 0, fmt.Errorf("retain %q: %w", l.Name(), ErrReadOnly)
	}
	if err := l.s.lockRetention(ctx); err != nil {
		return 0, fmt.Errorf("retain %q: %w", l.Name(), err)
	}
	defer l.s.retain.mu.Unlock()
	r := l.Options().Retention
	before := l.Bounds()
	if !r.any() || before.Len() == 0 {
		return 0, nil
	}
	floor, err := l.retainedFrom(ctx, r, before)
	if floor > before.Floor {
		held, herr := l.heldFrom()
		if herr != nil { // nobody knows what is held
			return 0, errors.Join(err, herr)
		}
		floor = min(floor, held)
	}
	if floor > before.Floor && !l.nothingIn(ctx, before.Floor, floor) {
		if terr := l.Trim(ctx, floor); terr != nil {
			return 0, errors.Join(err, terr)
		}
		return int64(floor - before.Floor), err
	}
	return 0, err
}

// nothingIn reports whether compaction by key took everything in [from, to): then a floor there would only stop readers that wait before
// it, for the loss of nothing. What cannot be read was something.
func (l *Log) nothingIn(ctx context.Context, from, to Seq) bool {
	l.mu.Lock()
	sparse := l.sealed.gone > 0
	l.mu.Unlock()
	if !sparse {
		return false
	}
	c := l.Cursor(from, to)
	some := c.Next(ctx) || c.Err() != nil
	return c.Close() == nil && !some
}

// retainedFrom returns the first sequence to keep. When a bound cannot be looked at, for damage, the others count.
func (l *Log) retainedFrom(ctx context.Context, r Retention, b Bounds) (Seq, error) {
	floor := b.Floor
	var errs []error
	if r.Events > 0 && b.Len() > r.Events {
		seq, err := whereIs(func() (Seq, error) { return l.seekEvents(ctx, b, r.Events) })
		errs = append(errs, err)
		if err == nil {
			floor = max(floor, min(seq, b.Next))
		}
	}
	if r.Age > 0 {
		seq, err := l.SeekTime(ctx, l.s.now()-int64(r.Age))
		errs = append(errs, err)
		if err == nil {
			floor = max(floor, min(seq, b.Next))
		}
	}
	if r.Bytes > 0 {
		seq, err := whereIs(func() (Seq, error) { return l.seekBytes(ctx, r.Bytes) })
		errs = append(errs, err)
		if err == nil {
			floor = max(floor, min(seq, b.Next-1))
		}
	}
	return floor, errors.Join(errs...)
}

// whereIs looks again when runs are rewritten meanwhile.
func whereIs(look func() (Seq, error)) (seq Seq, err error) {
	for range lookAgain {
		if seq, err = look(); !errors.Is(err, errMoved) {
			break
		}
	}
	return seq, err
}

// seekEvents returns the sequence of the event from which on there are so many.
func (l *Log) seekEvents(ctx context.Context, b Bounds, keep int64) (Seq, error) {
	l.mu.Lock()
	sparse, rowsFrom := l.sealed.gone > 0, l.sealed.rowsFrom
	l.mu.Unlock()
	left := keep - int64(b.Next-rowsFrom) // of those in runs
	if !sparse || left <= 0 {
		return b.Next - Seq(keep), nil
	}
	s := l.s
	for at := rowsFrom; left > 0 && at > b.Floor; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		first, rec, found, err := s.findRun(l.id, at-1)
		if err != nil {
			return 0, l.readErr(at-1, err)
		}
		if !found {
			break
		}
		if left <= rec.rows {
			seq, err := s.seqInRun(l.id, first, &rec, rec.rows-left)
			if err != nil {
				return 0, l.readErr(first, err)
			}
			return max(seq, b.Floor), nil
		}
		left -= rec.rows
		at = first
	}
	return b.Floor, nil
}

// seqInRun returns the sequence of the n-th event of a run.
func (s *Store) seqInRun(id LogID, first Seq, rec *runRecord, n int64) (seq Seq, err error) {
	file, run, err := s.openRun(id, first, rec)
	if err != nil {
		return first, err
	}
	defer func() { err = errors.Join(err, s.rows.release(file)) }()
	for i := range run.Blocks() {
		rows := int64(run.Block(i).Rows)
		if n >= rows {
			n -= rows
			continue
		}
		var b sealed.Block
		if err := run.Decode(i, &b, sealed.Columns); err != nil {
			return first, quarantine(fileError(s.rows.path(rec.file), err), first, rec.last+1)
		}
		return Seq(b.Seq[n]), nil
	}
	return rec.last + 1, nil
}

// seekBytes returns the first sequence from which on the log takes at most so many bytes.
func (l *Log) seekBytes(ctx context.Context, keep int64) (Seq, error) {
	l.mu.Lock()
	rec, floor := l.sealed, l.floor
	over := l.bytesLocked() - keep
	hot := over - rec.rawBytes - rec.rowsBytes
	seq := rec.next
	if hot > 0 {
		seq = l.hot.afterBytes(hot)
	}
	l.mu.Unlock()
	if over <= 0 {
		return floor, nil
	}
	if hot > 0 {
		return seq, nil
	}
	seq, err := l.afterSealed(ctx, rec, over)
	if err != nil {
		return 0, l.readErr(seq, err)
	}
	return max(seq, floor), nil
}

// afterSealed returns the sequence after the first sealed events that take at least so many bytes. What lies below the floor and
// was not given up yet counts, as it does in the log's bytes.
func (l *Log) afterSealed(ctx context.Context, rec logRecord, bytes int64) (seq Seq, err error) {
	err = l.s.eachRun(l.id, 0, rec.rowsFrom, func(first Seq, _ []byte, run runRecord) error {
		if bytes <= 0 {
			return errStop
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if bytes >= run.raw {
			bytes -= run.raw
			seq = run.last + 1
			return nil
		}
		n, err := l.s.afterInRun(l.id, first, &run, bytes)
		seq, bytes = n, 0
		return err
	})
	if err == nil && bytes > 0 {
		err = l.s.eachRow(l.id, rec.rowsFrom, rec.next, func(at Seq, v []byte) error {
			if bytes <= 0 {
				return errStop
			}
			seq = at + 1
			bytes -= int64(len(v))
			return nil
		})
	}
	if errors.Is(err, errStop) {
		err = nil
	}
	return seq, err
}

// afterInRun returns the sequence after the first rows of a run that take at least so many bytes.
func (s *Store) afterInRun(id LogID, first Seq, rec *runRecord, bytes int64) (seq Seq, err error) {
	file, run, err := s.openRun(id, first, rec)
	if err != nil {
		return first, err
	}
	defer func() { err = errors.Join(err, s.rows.release(file)) }()
	seq = first
	var b sealed.Block
	for i := 0; i < run.Blocks() && bytes > 0; i++ {
		if err := run.Decode(i, &b, sealed.Columns); err != nil {
			return seq, quarantine(fileError(s.rows.path(rec.file), err), first, rec.last+1)
		}
		for k := 0; k < b.Rows() && bytes > 0; k++ {
			bytes -= b.RowBytes(k)
			seq = Seq(b.Seq[k]) + 1
		}
	}
	return seq, nil
}
