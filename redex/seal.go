package redex

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed69692123/netdb/redex/internal/kv"
	"github.com/seed69692123/netdb/redex/journal"
)

// sealer moves events from the journal to row files and the catalog, pass by pass.
//
// A pass takes everything up to one frame T that is synced first. It writes the runs to one new row file, syncs it and its
// directory, and applies one batch: runs, rows, records of all logs that changed, and T. Readers are then told where the events
// are now. Only when the batch is flushed may the journal forget what it holds: before, a crash takes the catalog back to an
// earlier T, from which the journal is replayed. Row files that the catalog does not name are removed when a store is opened.
type sealer struct {
	mu       sync.Mutex    // one pass at a time; taken before the append lock
	wake     chan struct{} // of capacity 1
	hotBytes atomic.Int64  // memory of all hot indexes
	ordinal  atomic.Uint64 // T of the last pass that readers know of

	nextFile atomic.Uint64  // number of the next row file
	syncing  atomic.Bool    // syncAhead is at work
	ahead    sync.WaitGroup // and its goroutine; under mu

	// Guarded by mu.
	nextLog LogID    // that the catalog knows of
	flushed Ordinal  // T of the last pass that is flushed
	applied Ordinal  // T of the last pass that is applied
	dead    []uint64 // row files to remove when applied is flushed

	failMu sync.Mutex
	failed error // of the last pass, in the background or on demand
	failID int
	onFail map[int]context.CancelCauseFunc
}

// takeFile returns the number of a new row file, which is never used twice, also when what takes it fails.
func (sl *sealer) takeFile() uint64 { return sl.nextFile.Add(1) - 1 }

// kick starts a pass in the background soon. It never blocks.
func (sl *sealer) kick() {
	select {
	case sl.wake <- struct{}{}:
	default:
	}
}

// onFailure has cancel called with the cause when a pass has failed or fails; the returned function ends that.
func (sl *sealer) onFailure(cancel context.CancelCauseFunc) (stop func()) {
	sl.failMu.Lock()
	defer sl.failMu.Unlock()
	if sl.failed != nil {
		cancel(sl.failed)
	}
	sl.failID++
	id := sl.failID
	if sl.onFail == nil {
		sl.onFail = map[int]context.CancelCauseFunc{}
	}
	sl.onFail[id] = cancel
	return func() {
		sl.failMu.Lock()
		defer sl.failMu.Unlock()
		delete(sl.onFail, id)
	}
}

// setFailed notes how a pass ended.
func (sl *sealer) setFailed(err error) {
	sl.failMu.Lock()
	defer sl.failMu.Unlock()
	sl.failed = err
	if err != nil {
		for _, cancel := range sl.onFail {
			cancel(err)
		}
	}
}

// err returns why the last pass failed, or nil.
func (sl *sealer) err() error {
	sl.failMu.Lock()
	defer sl.failMu.Unlock()
	return sl.failed
}

// sealLoop seals in the background until the store is closed.
func (s *Store) sealLoop() {
	defer s.wg.Done()
	for {
		select {
		case <-s.done:
			return
		case <-s.seal.wake:
		}
		wanted := s.j.Stats().Bytes >= s.o.JournalBytes/2 ||
			s.seal.err() != nil // appends that have to wait get that error until a pass succeeds
		s.mu.Lock()
		due := wanted || s.dueLocked()
		target := Ordinal(s.visible.Load())
		s.mu.Unlock()
		if !due {
			continue
		}
		if s.awaitLull(s.urgentLocked) != nil {
			return
		}
		if err := s.sealTo(s.bg, target); err != nil && s.closedErr() == nil {
			s.log.Error("redex: sealing failed", "err", err)
		}
	}
}

// A burst of appends is not disturbed by sealing, which would take a processor and the disk from it, until burstPart of
// JournalBytes waits to be sealed, or the index has its memory. burstBytes in lullTime are a burst.
const (
	burstPart  = 4
	burstBytes = 1 << 20
	lullTime   = 10 * time.Millisecond
)

// awaitLull returns when no burst goes on, when urgentLocked says that there is no time to wait for that, or ErrClosed.
func (s *Store) awaitLull(urgentLocked func() bool) error {
	before := int64(-1)
	for {
		s.mu.Lock()
		placed := s.placed
		must := urgentLocked()
		s.mu.Unlock()
		if must || before >= 0 && placed-before < burstBytes {
			return nil
		}
		before = placed
		select {
		case <-s.done:
			return ErrClosed
		case <-time.After(lullTime):
		}
	}
}

// urgentLocked reports whether a pass should not wait any longer.
func (s *Store) urgentLocked() bool {
	return s.unsealed >= s.o.JournalBytes/burstPart || s.indexBytesLocked() >= s.o.HotBytes
}

// logMemory is about what a log in memory takes beside its spans.
const logMemory = 512

// dueLocked reports whether it is time for a pass.
func (s *Store) dueLocked() bool {
	return s.unsealed >= s.passBytesLocked() || s.indexBytesLocked() >= s.o.HotBytes
}

// indexBytesLocked returns about how much memory what is not sealed takes.
func (s *Store) indexBytesLocked() int64 {
	return s.seal.hotBytes.Load() + int64(len(s.dirty))*logMemory
}

// Seal moves every event that is visible at the call from the journal to row files and the catalog. It is what the store does
// by itself in the background; backups and tests want it done.
func (s *Store) Seal(ctx context.Context) error {
	if s.o.ReadOnly {
		return fmt.Errorf("seal: %w", ErrReadOnly)
	}
	return s.sealTo(ctx, Ordinal(s.visible.Load()))
}

// sealTo runs passes until everything up to a frame is sealed.
func (s *Store) sealTo(ctx context.Context, target Ordinal) error {
	s.seal.mu.Lock()
	defer s.seal.mu.Unlock()
	for s.seal.applied < target || s.seal.flushed < s.seal.applied {
		if err := s.closedErr(); err != nil {
			return fmt.Errorf("seal: %w", err)
		}
		err := s.sealPass(ctx, target)
		if (journal.IsDiskFull(err) || errors.Is(err, kv.ErrDiskFull)) && !errors.Is(err, ErrFailed) {
			if !errors.Is(err, ErrReadOnly) {
				err = fmt.Errorf("%w: %w", ErrReadOnly, err) // until there is room again
			}
			err = errors.Join(err, s.j.FreeSpace())
		}
		if err != nil {
			err = fmt.Errorf("seal: %w", err)
		}
		if ctx.Err() == nil {
			s.seal.setFailed(err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// manyLogs is how many dirty logs make a pass larger than SealBytes, so that each of them has something to give: a pass takes some
// microseconds for every log, and what is too little for a run is written again and again.
const manyLogs = 256

// passBytesLocked returns about how many bytes of frames wait before a pass is due.
func (s *Store) passBytesLocked() int64 {
	if len(s.dirty) < manyLogs {
		return s.o.SealBytes
	}
	return max(s.o.SealBytes, min(s.o.JournalBytes/burstPart, int64(len(s.dirty))*2*runBytes))
}

// behindParts is how many times SealBytes a pass moves while urgentLocked: each pass waits for some syncs.
const behindParts = 2

// freeze chooses the frame a pass goes up to, so that it moves about as much as one should, and takes over the list of dirty logs.
func (s *Store) freeze() (t mark, dirty []*Log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cut := s.cutLocked()
	t = mark{cut.Ordinal, cut.Time, s.placed}
	bytes := s.passBytesLocked()
	if s.urgentLocked() {
		bytes = max(bytes, min(behindParts*s.o.SealBytes, s.o.JournalBytes/burstPart))
	}
	if limit := s.placed - s.unsealed + bytes; s.placed > limit {
		for i, m := range s.marks {
			if i > 0 && m.placed > limit {
				break
			}
			t = m
		}
	}
	s.marks = slices.DeleteFunc(s.marks, func(m mark) bool { return m.ordinal <= t.ordinal })
	dirty = s.dirty
	s.dirty, s.passing = nil, slices.Clone(dirty)
	s.dirtyGen++
	return t, dirty
}

// thaw puts logs that still have changes back on the list.
func (s *Store) thaw(logs []*Log, sealed int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsealed -= sealed
	s.passing = nil
	for _, l := range logs {
		l.mu.Lock()
		dirty := len(l.hot.chunks) > 0 && !l.deleted || len(l.changes) > 0 || !l.deleted && l.cursorsDirtyLocked()
		l.mu.Unlock()
		if dirty {
			l.markDirtyLocked()
		}
	}
}

// sealPass moves what is up to one frame.
func (s *Store) sealPass(ctx context.Context, target Ordinal) (err error) {
	sl := &s.seal
	if sl.flushed < sl.applied { // an earlier pass could not finish
		if err := s.finishPass(ctx); err != nil {
			return err
		}
		if sl.applied >= target {
			return nil
		}
	}
	t, dirty := s.freeze()
	slices.SortFunc(dirty, func(a, b *Log) int {
		switch {
		case a.id < b.id:
			return -1
		case a.id > b.id:
			return 1
		}
		return 0
	})
	dirty = slices.Compact(dirty)
	before := s.sealedBytes()
	p := &pass{s: s, t: t, batch: s.kv.NewBatch(), files: map[uint64]fileChange{}}
	applied := false
	defer func() {
		var done int64
		if applied {
			done = max(t.placed-before, 0)
		}
		s.thaw(dirty, done)
		if e := p.batch.Close(); err == nil {
			err = e
		}
	}()
	if err := s.j.Sync(ctx, journal.Ordinal(t.ordinal)); err != nil {
		return s.wrap("sync", err)
	}
	s.syncAhead()
	for _, l := range dirty {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, p.abandon())
		}
		if err := p.add(l); err != nil {
			return errors.Join(fmt.Errorf("log %q: %w", l.Name(), err), p.abandon())
		}
	}
	if err := p.finishFile(); err != nil {
		return errors.Join(err, p.abandon())
	}
	if err := p.finishBatch(); err != nil {
		return errors.Join(err, p.abandon())
	}
	if err := s.applyBatch(ctx, p); err != nil {
		return err
	}
	applied = true
	sl.applied = t.ordinal
	sl.dead = append(sl.dead, p.dead...)
	p.install()
	for _, d := range p.logs {
		if d.grown && d.rec.options.Retention.any() {
			s.retain.kick(d.log.id)
		}
		s.maintain.noteLog(d)
	}
	s.maintain.note(p.sparse)
	s.maintain.noteLoose(p.loose)
	sl.ordinal.Store(uint64(t.ordinal))
	s.passes.Add(1)
	return s.finishPass(ctx)
}

// syncAhead syncs beside a pass what later passes will wait for, if that is much: what appends leave to the system otherwise is
// synced all at once when a pass comes to it, and with the journal at its limit they wait for that.
func (s *Store) syncAhead() {
	if s.j.Stats().AtRiskBytes < s.o.SealBytes || !s.seal.syncing.CompareAndSwap(false, true) {
		return
	}
	target := journal.Ordinal(s.visible.Load())
	s.seal.ahead.Go(func() {
		defer s.seal.syncing.Store(false)
		_ = s.j.Sync(s.bg, target) // whoever needs it asks again
	})
}

// applyBatch has the catalog take the batch of a pass.
func (s *Store) applyBatch(ctx context.Context, p *pass) error {
	err := s.kv.Apply(ctx, p.batch)
	if err == nil {
		return nil
	}
	if errors.Is(err, kv.ErrFailed) {
		return s.wrap("catalog", err) // the batch may have reached the disk: the file stays until the next open knows
	}
	return errors.Join(s.wrap("catalog", err), p.abandon())
}

// sealedBytes returns how many bytes of frames were placed up to the last pass.
func (s *Store) sealedBytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.placed - s.unsealed
}

// finishPass flushes what passes applied, and lets go what is not needed any more.
func (s *Store) finishPass(ctx context.Context) error {
	sl := &s.seal
	if err := s.kv.Flush(ctx); err != nil {
		return s.wrap("flush", err)
	}
	sl.flushed = sl.applied
	dead := sl.dead
	sl.dead = nil
	var errs []error
	for _, n := range dead {
		if err := s.rows.remove(n); err != nil { // it stays until the store is opened again
			errs = append(errs, err)
		}
	}
	if err := s.j.Release(journal.Ordinal(sl.flushed)); err != nil {
		errs = append(errs, s.wrap("release", err))
	}
	return errors.Join(errs...)
}
