package redex

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed69692123/netdb/redex/internal/kv"
	"github.com/seed69692123/netdb/redex/journal"
)

// Store is a directory of logs, or their in-memory form. It is safe for concurrent use.
type Store struct {
	o       Options
	id      StoreID
	files   journal.ID // of identity
	dir     string
	fs      vfs.FS
	lock    io.Closer // nil in memory
	copied  bool      // from another store that goes on: see checkpointName
	j       *journal.Journal
	kv      *kv.DB
	rows    *rowFiles
	columns *Columns
	log     *slog.Logger
	epoch   Epoch

	scratch sync.Pool // of *scratch

	// Recovery is what Open found, never changed.
	recovery Recovery
	epochs   []epochStart
	// damages are the places of journal damage that spans point to, from 1. Written at open only.
	damages []CorruptionError

	// createMu serialises the making and renaming of logs, so that no name is given twice. It is taken before mu.
	createMu sync.Mutex

	// mu is the append lock: it orders frames, and guards what follows and the fields of Log that say so.
	mu       sync.Mutex
	closed   bool
	nextLog  LogID
	dirty    []*Log // logs with changes that the catalog lacks, without those that sealing holds
	passing  []*Log // those that sealing holds
	dirtyGen uint64 // Log.dirtyGen of those in dirty
	unsealed int64  // bytes of frames placed and not sealed
	placed   int64  // bytes of all frames placed
	appends  int64  // frames of events
	marks    []mark // places at which sealing may stop, ascending
	windows  windowSet
	lastTime int64    // of the last visible frame
	_        [64]byte // apart from what readers write

	// visible is the ordinal of the last frame that readers may see. It is written under mu.
	visible atomic.Uint64

	reg *registry // its lock is taken inside mu and outside Log.mu

	seal      sealer
	retain    retainer
	maintain  maintainer
	now       func() int64 // the clock, in Unix nanoseconds
	durable   durableWaiters
	claims    claims
	done      chan struct{} // closed by Close
	stop      context.CancelCauseFunc
	bg        context.Context // ends with Close
	wg        sync.WaitGroup
	closing   sync.Once
	closeIt   func() error
	passes    atomic.Int64 // of sealing
	rewrites  atomic.Int64
	pins      pins
	consumers consumers
}

// mark is a frame, and how many bytes of frames were placed up to it.
type mark struct {
	ordinal Ordinal
	time    int64
	placed  int64
}

// pendingName is a name that was given or taken away by a frame the catalog does not hold yet.
type pendingName struct {
	id      LogID // 0: deleted
	ordinal Ordinal
}

// ID returns the store's identity.
func (s *Store) ID() StoreID { return s.id }

// Dir returns the store's directory, or "" of a store in memory.
func (s *Store) Dir() string { return s.dir }

// Epoch returns the current epoch.
func (s *Store) Epoch() Epoch { return s.epoch }

// EpochStart says which frame began an epoch.
type EpochStart struct {
	Epoch Epoch
	First Ordinal
}

// Epochs returns the epochs of the store that it remembers, the newest 1,024, oldest first.
func (s *Store) Epochs() []EpochStart {
	out := make([]EpochStart, len(s.epochs))
	for i, e := range s.epochs {
		out[i] = EpochStart{e.epoch, e.first}
	}
	return out
}

// epochOf returns the epoch a frame was placed in.
func (s *Store) epochOf(o Ordinal) Epoch {
	for i := len(s.epochs) - 1; i >= 0; i-- {
		if s.epochs[i].first <= o {
			return s.epochs[i].epoch
		}
	}
	return s.epochs[0].epoch
}

// CheckPosition returns nil if p names an event that this store has or had, ErrForeign for another store's and ErrEpoch for
// one that was lost at the end of its epoch, or that this store has not reached.
func (s *Store) CheckPosition(p Position) error {
	if p.Store != s.id {
		return fmt.Errorf("position in store %s: %w", p.Store, ErrForeign)
	}
	for i, e := range s.epochs {
		if e.epoch != p.Epoch {
			continue
		}
		switch {
		case p.Ordinal < e.first:
		case i+1 < len(s.epochs):
			if p.Ordinal < s.epochs[i+1].first {
				return nil
			}
		case p.Ordinal <= Ordinal(s.visible.Load()):
			return nil
		}
		break
	}
	return fmt.Errorf("position %d of epoch %d: %w", p.Ordinal, p.Epoch, ErrEpoch)
}

// Cut returns the present moment: everything visible.
func (s *Store) Cut() Cut {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cutLocked()
}

func (s *Store) cutLocked() Cut { return Cut{Ordinal(s.visible.Load()), s.lastTime} }

// publishLocked lets readers see everything up to a frame.
func (s *Store) publishLocked(o Ordinal, time int64) {
	s.lastTime = time
	s.visible.Store(uint64(o))
}

// Durable returns the ordinal up to which every frame is synced.
func (s *Store) Durable() Ordinal { return Ordinal(s.j.Durable()) }

// Sync returns when everything visible at the call is durable.
func (s *Store) Sync(ctx context.Context) error { return s.SyncTo(ctx, Ordinal(s.visible.Load())) }

// SyncTo returns when every frame up to o is durable. After an error it is unknown whether it is.
func (s *Store) SyncTo(ctx context.Context, o Ordinal) error {
	if s.o.ReadOnly {
		return nil
	}
	if err := s.j.Sync(ctx, journal.Ordinal(o)); err != nil {
		return s.wrap("sync", err)
	}
	return nil
}

// GiveWay lets other goroutines run while an append or a Sync waits to be durable. It is for work that takes a processor for long, between
// parts of it: the runtime by itself takes a processor back only after 10 ms, which is many times what a sync takes. It costs one load
// when nobody waits.
func (s *Store) GiveWay() {
	if s.j.Awaited() {
		runtime.Gosched()
	}
}

// wrap turns an error of the journal or the catalog into one of this package.
func (s *Store) wrap(op string, err error) error {
	if c, ok := errors.AsType[*journal.CorruptionError](err); ok {
		return &CorruptionError{File: s.journalPath(c.File), Offset: c.Offset, Err: c.Err}
	}
	if f, ok := errors.AsType[*journal.ForeignError](err); ok {
		return &ForeignFilesError{Path: s.journalPath(f.File), Want: f.Want.String(), Have: f.Have.String()}
	}
	if c, ok := errors.AsType[*kv.CorruptError](err); ok {
		return &CorruptionError{File: c.Path, Err: c.Err}
	}
	switch {
	case errors.Is(err, journal.ErrClosed), errors.Is(err, kv.ErrClosed):
		return fmt.Errorf("%s: %w", op, ErrClosed)
	case errors.Is(err, journal.ErrReadOnly), errors.Is(err, kv.ErrReadOnly):
		return fmt.Errorf("%s: %w", op, ErrReadOnly)
	case errors.Is(err, journal.ErrDiskFull), errors.Is(err, kv.ErrDiskFull):
		return fmt.Errorf("%s: %w: %w", op, ErrReadOnly, err)
	case errors.Is(err, journal.ErrPoisoned), errors.Is(err, kv.ErrFailed):
		return fmt.Errorf("%s: %w: %w", op, ErrFailed, err)
	case errors.Is(err, journal.ErrTooLarge):
		return fmt.Errorf("%s: %w", op, ErrBatchTooLarge)
	}
	return fmt.Errorf("%s: %w", op, err)
}

func (s *Store) journalPath(file string) string {
	return s.fs.PathJoin(s.dir, journalDir, file)
}

// closedErr returns ErrClosed after Close.
func (s *Store) closedErr() error {
	select {
	case <-s.done:
		return ErrClosed
	default:
		return nil
	}
}

// Close makes everything durable, ends tails with ErrClosed and releases the directory. It first seals what waits for that, some
// 300 MiB a second. It is idempotent: later calls return what the first did. Appends that are waiting for durability get it, or
// ErrInDoubt.
func (s *Store) Close() error {
	s.closing.Do(func() {
		err := s.close()
		s.closeIt = func() error { return err }
	})
	return s.closeIt()
}

// SealLast seals what waits for that, unless it is little: the next open would have to go through all of it. Then it lets go of the
// journal, whose last segment is up to SegmentBytes of events that are sealed. What cannot be sealed is safe there. Close begins with it;
// who wants to do something with what is sealed calls it before.
func (s *Store) SealLast() {
	if s.o.ReadOnly || s.dir == "" {
		return
	}
	s.mu.Lock()
	waiting := s.unsealed
	s.mu.Unlock()
	if max(waiting, s.j.Stats().Bytes) < s.o.SealBytes/4 {
		return
	}
	err := s.Seal(s.bg)
	if err == nil {
		err = s.drainJournal(s.bg)
	}
	if err != nil {
		s.log.Warn("redex: not sealed at close", "err", err)
	}
}

// drainJournal seals what is in the journal and has it go on in a new segment, so that no file has events that are sealed.
func (s *Store) drainJournal(ctx context.Context) error {
	last, err := s.j.Roll(ctx)
	if err != nil {
		return s.wrap("journal", err)
	}
	if err := s.sealTo(ctx, Ordinal(last)); err != nil {
		return err
	}
	s.seal.mu.Lock()
	defer s.seal.mu.Unlock()
	return s.finishPass(ctx)
}

func (s *Store) close() error {
	s.consumers.close() // while there is a journal for what they have to keep
	s.SealLast()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	close(s.done)
	s.stop(ErrClosed)
	s.wg.Wait()
	s.seal.mu.Lock() // a pass or check on demand ends first
	defer s.seal.mu.Unlock()
	s.seal.ahead.Wait()
	var errs []error
	if err := s.j.Close(); err != nil {
		errs = append(errs, s.wrap("close", err))
	} else if !s.o.ReadOnly {
		if err := s.kv.Flush(context.Background()); err != nil {
			errs = append(errs, s.wrap("close", err))
		}
	}
	errs = append(errs, s.rows.Close(), s.kv.Close())
	if l, ok := s.lock.(*dirLock); ok && errors.Join(errs...) == nil {
		errs = append(errs, l.closed())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("redex: close %s: %w", s.dir, err)
	}
	return nil
}
