package kv

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// state is what the DB, Pebble's callbacks and the file system share: whether the DB has failed, whether the disk is full, and
// a signal that something changed. Pebble calls the callbacks with its own mutex held, so nothing here calls Pebble.
type state struct {
	log          *slog.Logger
	onCorruption func(*CorruptError)
	onFailure    func(error)
	ballastBytes int64

	closing   chan struct{} // closed by Close, before Pebble is closed
	closeOnce sync.Once

	mu       sync.Mutex
	change   chan struct{} // closed and replaced at every change
	failed   error
	full     bool
	fails    uint64 // flushes that failed
	failErr  error  // the last of them
	flushErr error  // what the last flush reported
	damage   []*CorruptError
	damages  int64
	tableErr int             // table writes that failed in a row
	kick     chan struct{}   // closed and replaced to end the waits of throttle
	kicked   bool            // since the last wait
	unread   map[string]bool // errors of tables that the scan for statistics could not read, since it last began
}

func newState(o Options) *state {
	return &state{
		log: o.Logger, onCorruption: o.OnCorruption, onFailure: o.OnFailure, ballastBytes: o.BallastBytes,
		closing: make(chan struct{}), change: make(chan struct{}), kick: make(chan struct{}),
	}
}

func (s *state) close() { s.closeOnce.Do(func() { close(s.closing) }) }

// next returns a channel that is closed at the next change.
func (s *state) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.change
}

func (s *state) changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changedLocked()
}

func (s *state) changedLocked() {
	close(s.change)
	s.change = make(chan struct{})
}

// failure returns the error that poisoned the DB, or nil.
func (s *state) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// poison fails the DB for good with the first cause it is given, and returns the error that stands.
func (s *state) poison(what string, cause error) error {
	s.mu.Lock()
	if s.failed != nil {
		defer s.mu.Unlock()
		return s.failed
	}
	err := fmt.Errorf("%w: %s: %w", ErrFailed, what, cause)
	s.failed = err
	s.changedLocked()
	s.mu.Unlock()
	s.log.Error("key-value map failed: no more writes until the store is opened again", "err", err)
	if s.onFailure != nil {
		s.onFailure(err)
	}
	return err
}

func (s *state) diskFull() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.full
}

func (s *state) setFull(full bool) {
	s.mu.Lock()
	was := s.full
	s.full = full
	if was != full {
		s.changedLocked()
	}
	s.mu.Unlock()
	if was != full {
		if full {
			s.log.Error("key-value map: disk full")
		} else {
			s.log.Info("key-value map: disk has room again")
		}
	}
}

// tableWrite notes how a step of writing a table went.
func (s *state) tableWrite(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.tableErr = 0
	} else {
		s.tableErr++
	}
}

// retryNow ends the waits of throttle, or the next one.
func (s *state) retryNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.kick)
	s.kick = make(chan struct{})
	s.kicked = true
}

// throttle is called before a table is made, by the goroutine of a flush or compaction and without locks. Pebble repeats what
// fails at once and for ever: while table writes fail, it waits here longer each time; once the DB has failed, until Close.
func (s *state) throttle() error {
	s.mu.Lock()
	failed, n, kick := s.failed, s.tableErr, s.kick
	if s.kicked {
		n = 0
	}
	s.kicked = false
	s.mu.Unlock()
	if failed != nil {
		<-s.closing
		return failed
	}
	if n == 0 {
		return nil
	}
	t := time.NewTimer(min(50*time.Millisecond<<min(n, 6), 2*time.Second))
	defer t.Stop()
	select {
	case <-t.C:
	case <-kick:
	case <-s.closing:
	}
	return s.failure()
}

// flushEnd is Pebble's report of a flush. A flush of a memtable that holds nothing carries an error, too; one that failed is
// followed by a report of the same error to backgroundError.
func (s *state) flushEnd(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushErr = err
	s.changedLocked()
}

func (s *state) flushFails() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fails
}

// flushError returns why a flush failed since flushFails returned n, or nil when none did.
func (s *state) flushError(n uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.fails == n:
		return nil
	case noRoom(s.failErr):
		return fmt.Errorf("%w: %w", ErrDiskFull, s.failErr)
	}
	return fmt.Errorf("kv: flush: %w", s.failErr)
}

// backgroundError is Pebble's report of a flush or compaction that failed and will be tried again.
func (s *state) backgroundError(err error) {
	s.mu.Lock()
	if s.flushErr != nil && errors.Is(err, s.flushErr) {
		s.fails++
		s.failErr = err
		s.flushErr = nil
		s.changedLocked()
	}
	quiet := s.failed != nil // it was said once
	s.mu.Unlock()
	if !quiet {
		s.log.Error("key-value map: background work failed", "err", err)
	}
	if inStatsScan() {
		s.statsFailed(err)
	}
}

// inStatsScan reports whether the caller was called by Pebble's scan of the tables for their statistics. Pebble holds no lock
// there.
func inStatsScan() bool {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		if strings.Contains(f.Function, ".scanReadStateTableStats") {
			return true
		}
		if !more {
			return false
		}
	}
}

// statsFailed notes that the scan could not read a table. Pebble begins the scan again at once, for as long as one table cannot be
// read: when a table fails for the second time, a scan has begun again, and waits here.
func (s *state) statsFailed(err error) {
	s.mu.Lock()
	again := s.unread[err.Error()]
	if again || s.unread == nil {
		s.unread = map[string]bool{}
	}
	s.unread[err.Error()] = true
	s.mu.Unlock()
	if again {
		t := time.NewTimer(time.Minute)
		defer t.Stop()
		select {
		case <-t.C:
		case <-s.closing:
		}
	}
}

func (s *state) dataCorruption(i pebble.DataCorruptionInfo) {
	s.reportCorruption(&CorruptError{Path: i.Path, From: i.Bounds.Start, To: i.Bounds.End.Key, Err: i.Details})
}

// reportCorruption calls the listener unless it was called for that place; the first thousand places are remembered.
func (s *state) reportCorruption(c *CorruptError) {
	s.mu.Lock()
	known := len(s.damage) == 1000 || slices.ContainsFunc(s.damage, func(o *CorruptError) bool {
		return o.Path == c.Path && slices.Equal(o.From, c.From) && slices.Equal(o.To, c.To)
	})
	if !known {
		s.damage = append(s.damage, c)
		s.damages++
	}
	s.mu.Unlock()
	if known {
		return
	}
	s.log.Error("key-value map: corrupt", "path", c.Path, "err", c.Err)
	if s.onCorruption != nil {
		s.onCorruption(c)
	}
}

func (s *state) corruptions() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damages
}

// logger is Pebble's logger. Pebble calls Fatalf where it cannot go on: when it does not know what the manifest on disk holds
// (which guardFS does not let it see), or when an invariant is broken. It expects not to come back. Here Fatalf poisons the DB
// and returns. What is on disk is safe then: the file system refuses every write, sync, removal and rename in the directory from
// that moment on, and every write of this package asks for the failure before it reports success. A flush or compaction that
// Pebble starts again waits in throttle until Close.
//
// Ending the goroutine instead would leave Pebble's flush marked as running, and Close waiting for it for ever; blocking it
// would hold Pebble's mutex and stop reads.
type logger struct{ s *state }

// Infof drops what Pebble tells about its normal work.
func (l logger) Infof(string, ...any) {}

// Errorf logs an error that Pebble goes on after.
func (l logger) Errorf(format string, args ...any) {
	l.s.log.Error("key-value map", "err", fmt.Sprintf(format, args...))
}

// Fatalf poisons the DB and returns.
func (l logger) Fatalf(format string, args ...any) {
	_ = l.s.poison("pebble", fmt.Errorf(format, args...)) // kept in the state
}
