package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Journal is an open journal. It is safe for concurrent use.
//
// Locks, in this order: syncMu before mu; neither is held while the disk works. Frames are placed under mu, so visible is
// always the last one placed. Readers take no lock: they hold a segment by its reference count and read only bytes before
// visible, which never change.
type Journal struct {
	fs       FS
	opt      Options
	base     time.Time // origin of the monotonic clock
	maxBody  int
	readOnly bool

	durable  atomic.Uint64
	awaited  atomic.Int32               // callers of Sync
	segments atomic.Pointer[[]*segment] // by number, the active one last; replaced under mu
	poison   atomic.Pointer[PoisonedError]
	noteOnce sync.Once

	mu          *sync.Mutex // Options.Lock, or one of its own
	stop        error       // nil while appends are allowed
	active      *segment    // nil: none yet (the disk was full when the journal was opened)
	visible     Ordinal     // of the last frame
	lastTime    int64       // of the last visible frame
	tail        int64       // where the next frame goes
	room        int64       // where it has to end: the populated part, less what an end frame needs
	spare       *segment    // the next segment, without a header
	shelf       shelf       // has a lock of its own
	heldBytes   int64       // frames in segments not released
	clock       clock
	scratch     []byte                 // a frame on its way to WriteAt
	mark        [frameHeaderBytes]byte // an idle mark on its way
	progress    chan struct{}
	waiting     int
	sparing     bool  // a segment is being made in advance
	populating  bool  // somebody populates memory of the active segment
	needBytes   int64 // a frame of this length waits for room
	attempts    int64 // failed attempts to make room
	full        error // why the last one failed, nil after a success
	epochWanted bool  // the next segment starts an epoch
	rollWanted  bool  // the next segment is to be begun now
	epochs      []EpochStart
	nextNumber  uint32
	forgotten   uint32 // of reused files those with lower numbers are not for the next segment
	nextSize    int64
	spareFailed bool // the last attempt to make a segment in advance failed
	kept        bool // the keeper was woken and has not looked yet
	unsynced    []*segment
	cleanup     []string // files that are void once the active segment exists
	aside       []string // files that are renamed then, for repair
	damage      []Damage
	end         endOf // of the last segment, when there is no active one
	risk        risk
	stat        counters
	closing     bool
	closeErr    error
	closed      chan struct{}
	quit        chan struct{}
	wakeKeeper  chan struct{}
	wakeSyncer  chan struct{}
	goroutines  sync.WaitGroup

	syncMu   sync.Mutex
	syncing  bool
	syncDone chan struct{} // closed when the running sync ends; nil: nobody waits for it
}

// endOf says where a chain of segments ends.
type endOf struct {
	number   uint32 // 0: there is none
	offset   int64
	last     Ordinal
	lastTime int64
}

// risk is what SyncInterval bounds.
type risk struct {
	bytes, events             int64 // placed so far
	syncedBytes, syncedEvents int64
	since                     int64 // monotonic time of the first frame placed after the last sync began; 0: none
	group                     int64 // bytes of the last sync
	captured                  int64 // of the first one the running sync covers; 0: none
	wanted                    bool  // an append waits for a sync
}

type counters struct {
	appends, waits, limitWaits, riskWaits, syncs int64
	waitTime, syncTime                           time.Duration
}

// now returns the monotonic time since the journal was opened, never 0.
func (j *Journal) now() int64 { return int64(time.Since(j.base)) + 1 }

// clockLocked returns the wall clock in Unix nanoseconds.
func (j *Journal) clockLocked() int64 {
	if j.opt.Now != nil {
		return UnixNano(j.opt.Now())
	}
	return j.clock.now()
}

// Visible returns the highest ordinal whose frame, and every one before, is complete.
func (j *Journal) Visible() Ordinal {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.visible
}

// Durable returns the highest ordinal whose frame, and every one before, is on disk. In a journal opened read-only it is what
// was known to be when it was opened.
func (j *Journal) Durable() Ordinal { return Ordinal(j.durable.Load()) }

// LastTime returns the time of the last visible frame, or of the last one before all that are held.
func (j *Journal) LastTime() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lastTime
}

// MaxBodyBytes returns the longest body Append takes: a quarter of the largest segment and 64 KiB.
func (j *Journal) MaxBodyBytes() int { return j.maxBody }

// Epoch returns the current epoch.
func (j *Journal) Epoch() Epoch {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.epochs[len(j.epochs)-1].Epoch
}

// Epochs returns the epochs known, oldest first.
func (j *Journal) Epochs() []EpochStart {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.epochs)
}

// NewEpoch starts a new epoch with the next frame. It is durable when NewEpoch returns. After an error, if ctx ended, it may
// still begin.
func (j *Journal) NewEpoch(ctx context.Context) (EpochStart, error) {
	j.mu.Lock()
	before := len(j.epochs)
	last := j.epochs[before-1].Epoch
	j.epochWanted = true
	failed := j.attempts
	for {
		if j.stop != nil {
			err := j.stop
			j.mu.Unlock()
			return EpochStart{}, err
		}
		if e := j.epochs[len(j.epochs)-1]; e.Epoch > last {
			j.mu.Unlock()
			return e, nil
		}
		if j.full != nil && j.attempts > failed {
			err := j.full
			j.epochWanted = false
			j.mu.Unlock()
			return EpochStart{}, err
		}
		j.wakeKeeperLocked()
		if err := j.waitLocked(ctx, nil); err != nil {
			return EpochStart{}, err
		}
		j.mu.Lock()
	}
}

// Roll ends the active segment, unless it is empty, so that Release may remove it, and returns the last frame before the new one.
// Of the segments there were nothing is used again. After an error, if ctx ended, it may still happen.
func (j *Journal) Roll(ctx context.Context) (Ordinal, error) {
	if j.readOnly {
		return 0, ErrReadOnly
	}
	j.mu.Lock()
	before, failed := j.active, j.attempts
	kept := j.shelf.clear(j.nextNumber)
	j.forgotten = j.nextNumber
	j.mu.Unlock()
	if err := j.discard(kept...); err != nil {
		return 0, err
	}
	j.mu.Lock()
	for {
		switch {
		case j.stop != nil:
			err := j.stop
			j.mu.Unlock()
			return 0, err
		case (j.active != before || j.tail == headerPageBytes) && !j.forgottenLocked(j.active):
			last := j.active.hdr.first - 1
			j.mu.Unlock()
			return last, nil
		case j.full != nil && j.attempts > failed:
			err := j.full
			j.rollWanted = false
			j.mu.Unlock()
			return 0, err
		}
		j.rollWanted = true
		j.wakeKeeperLocked()
		err := j.waitLocked(ctx, nil)
		j.mu.Lock()
		if err != nil {
			j.rollWanted = false // the keeper may have begun
			j.mu.Unlock()
			return 0, err
		}
	}
}

// Release removes the segments whose frames all have ordinals up to upTo, which must be durable. The last segment stays.
// Locations in a removed segment get ErrReleased.
func (j *Journal) Release(upTo Ordinal) error {
	if j.readOnly {
		return ErrReadOnly
	}
	if upTo > j.Durable() {
		return fmt.Errorf("release up to %d, durable is %d: %w", upTo, j.Durable(), ErrRange)
	}
	j.mu.Lock()
	if j.closing {
		j.mu.Unlock()
		return ErrClosed
	}
	all := *j.segments.Load()
	n := 0
	for n+1 < len(all) && all[n+1].hdr.first-1 <= upTo && (all[n] != j.active) {
		n++
	}
	gone := all[:n]
	if n > 0 {
		rest := slices.Clone(all[n:])
		j.segments.Store(&rest)
		for _, s := range gone {
			j.heldBytes -= s.end - headerPageBytes
		}
		j.damage = slices.DeleteFunc(slices.Clone(j.damage), func(d Damage) bool { return d.To > 0 && d.To < rest[0].hdr.first })
		j.broadcastLocked()
	}
	j.mu.Unlock()
	var mu sync.Mutex // guards errs: the last reader may run the function below
	var errs []error
	for _, s := range gone {
		s.retired = func() {
			err := j.retire(s)
			mu.Lock()
			errs = append(errs, err)
			mu.Unlock()
		}
		s.drop()
	}
	mu.Lock()
	defer mu.Unlock()
	return errors.Join(errs...)
}

// Stats returns counters and gauges.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := *j.segments.Load()
	st := Stats{
		Visible: j.visible, Durable: j.Durable(), Segments: len(all), Bytes: j.heldBytes, LimitBytes: max(j.opt.LimitBytes, 0),
		AtRiskBytes: j.risk.bytes - j.risk.syncedBytes, AtRiskEvents: j.risk.events - j.risk.syncedEvents,
		Waiting: j.waiting, Waits: j.stat.waits, WaitTime: j.stat.waitTime, LimitWaits: j.stat.limitWaits,
		RiskWaits: j.stat.riskWaits, Appends: j.stat.appends, Syncs: j.stat.syncs, SyncTime: j.stat.syncTime, DiskFull: j.full,
	}
	if p := j.poison.Load(); p != nil {
		st.Poisoned = p
	}
	st.First = j.visible + 1
	for i, s := range all {
		if i == 0 {
			st.First = s.hdr.first
		}
		st.AllocatedBytes += s.size
		st.Mapped = s.mem != nil
	}
	if j.spare != nil {
		st.AllocatedBytes += j.spare.size
	}
	st.AllocatedBytes += j.shelf.bytes()
	return st
}

// broadcastLocked wakes everybody in waitLocked.
func (j *Journal) broadcastLocked() {
	if j.progress != nil {
		close(j.progress)
		j.progress = nil
	}
}

// waitLocked unlocks mu and returns after something changed that an append may wait for, or with why to wait no longer.
func (j *Journal) waitLocked(ctx context.Context, reason *int64) error {
	if j.progress == nil {
		j.progress = make(chan struct{})
	}
	ch := j.progress
	j.waiting++
	if reason != nil {
		*reason++
	}
	j.mu.Unlock()
	start := j.now()
	var err error
	select {
	case <-ch:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	j.mu.Lock()
	j.waiting--
	j.stat.waitTime += time.Duration(j.now() - start)
	j.mu.Unlock()
	return err
}

// failLocked makes err the end of all writing.
func (j *Journal) failLocked(err error) {
	if j.poison.Load() == nil {
		p := &PoisonedError{Durable: j.Durable(), Err: err}
		j.poison.Store(p)
		if j.stop == nil {
			j.stop = p
		}
	}
	j.wakeKeeperLocked() // it leaves the note
	j.broadcastLocked()
}

// fail is failLocked and notePoison.
func (j *Journal) fail(err error) *PoisonedError {
	j.mu.Lock()
	j.failLocked(err)
	j.mu.Unlock()
	j.notePoison()
	return j.poison.Load()
}

// notePoison leaves a note for the next open: what is visible now may be gone then, though the machine runs on.
func (j *Journal) notePoison() {
	j.noteOnce.Do(func() {
		if f, err := j.fs.Create(poisonName, 0); err == nil {
			_ = f.Close()      // the file is empty
			_ = j.fs.SyncDir() // as good as it gets: the disk fails already
		}
	})
}

// Close syncs, writes the end mark and stops all goroutines of the journal. Waiting calls return ErrClosed. It is idempotent:
// later calls wait for the first and return its error.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closing {
		j.mu.Unlock()
		<-j.closed
		return j.closeErr
	}
	j.closing = true
	poisoned := j.stop != nil && !j.readOnly
	if j.stop == nil || j.readOnly {
		j.stop = ErrClosed
	}
	j.broadcastLocked()
	j.mu.Unlock()
	close(j.quit)
	j.goroutines.Wait()

	var errs []error
	if p := j.poison.Load(); poisoned && p != nil {
		j.notePoison()
		errs = append(errs, p)
	} else if !j.readOnly {
		errs = append(errs, j.finish())
	}
	j.mu.Lock()
	j.stop = ErrClosed
	empty := []*segment{}
	all := *j.segments.Swap(&empty)
	spare := j.spare
	j.spare, j.active = nil, nil
	j.mu.Unlock()
	if spare != nil {
		errs = append(errs, j.discard(spare))
	}
	errs = append(errs, j.discard(j.shelf.close()...))
	var mu sync.Mutex
	clean := errors.Join(errs...) == nil && !j.readOnly
	for i, s := range all {
		s.retired = func() {
			var err error
			if clean && i == len(all)-1 {
				err = s.file.Truncate((s.end + frameHeaderBytes + headerPageBytes - 1) &^ (headerPageBytes - 1))
			}
			err = errors.Join(err, s.file.Close())
			mu.Lock()
			errs = append(errs, err)
			mu.Unlock()
		}
		s.drop()
	}
	mu.Lock()
	j.closeErr = errors.Join(errs...)
	mu.Unlock()
	close(j.closed)
	return j.closeErr
}

// finish makes everything durable and writes the end mark.
func (j *Journal) finish() error {
	if err := j.syncUp(); err != nil {
		return err
	}
	j.mu.Lock()
	s := j.active
	last, at := j.visible, j.lastTime
	j.mu.Unlock()
	if s == nil {
		return nil
	}
	tail := s.end // over the end frame, if there is one
	mark := make([]byte, frameHeaderBytes)
	putFrameHeader(mark, s.salt, last, at, 0, kindClean, last, 0)
	if err := s.write(mark, tail); err != nil {
		return fmt.Errorf("journal: write the end mark of %s: %w", s.name, err)
	}
	if err := s.file.SyncRange(tail, frameHeaderBytes); err != nil {
		return j.fail(fmt.Errorf("sync the end mark: %w", err))
	}
	s.limit.Store(tail)
	return nil
}
