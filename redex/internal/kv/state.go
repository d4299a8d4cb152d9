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

	closing   chan struct{} // closed by Close, before Pebble is closed
	closeOnce sync.Once

	mu        sync.Mutex
	change    chan struct{} // closed and replaced at every change
	kick      chan struct{} // closed and replaced when what rests is to go on
	failed    error
	opened    bool          // Open is done: the manifest may wait for room
	full      bool          // a flush or the manifest found no room, and there has been none since
	manifests int           // steps of writing the manifest that are under way
	stuck     bool          // one of them waits for room
	attempts  int64         // that have begun: to flush a table, or to write a part of the manifest
	failedAt  int64         // the newest of them that failed
	failErr   error         // why it did
	flushAt   int64         // the newest that flushes
	flushErr  error         // what the last flush reported
	misses    int           // flushes that failed in a row
	missed    bool          // the last one did, and the next has not made a table
	tried     chan struct{} // kick, when a flush last made a table
	damage    []*CorruptError
	damages   int64
	unread    map[string]bool // errors of tables that the scan for statistics could not read, since it last began
}

// mostRest is how long something that found no room rests before it looks again.
const mostRest = 2 * time.Second

// backoff is the wait before what failed n times in a row is tried again.
func backoff(n int, most time.Duration) time.Duration {
	return min(50*time.Millisecond<<min(n, 16), most)
}

func newState(o Options) *state {
	s := &state{
		log: o.Logger, onCorruption: o.OnCorruption, onFailure: o.OnFailure,
		closing: make(chan struct{}), change: make(chan struct{}), kick: make(chan struct{}),
	}
	s.tried = s.kick
	return s
}

func (s *state) close() { s.closeOnce.Do(func() { close(s.closing) }) }

// ended reports whether the DB is being closed or has failed.
func (s *state) ended() bool {
	select {
	case <-s.closing:
		return true
	default:
		return s.failure() != nil
	}
}

// open is called when Open is done.
func (s *state) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = true
}

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

// retryNow ends every rest, those too that begin later after an attempt that began before.
func (s *state) retryNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retryNowLocked()
}

func (s *state) retryNowLocked() {
	close(s.kick)
	s.kick = make(chan struct{})
}

// attempt is something that may fail, and is tried again then.
type attempt struct {
	n    int64
	kick <-chan struct{} // closed by the first retryNow after it began
}

func (s *state) begin() attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts++
	return attempt{s.attempts, s.kick}
}

// rest waits after an attempt that failed.
func (s *state) rest(d time.Duration, kick <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-kick:
	case <-s.closing:
	}
}

func (s *state) attemptFailedLocked(n int64, err error) {
	if n >= s.failedAt {
		s.failedAt, s.failErr = n, err
	}
	s.changedLocked()
}

// begun returns the number of attempts that have begun.
func (s *state) begun() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempts
}

// attemptError returns why an attempt failed that began after begun returned n, or nil when none did.
func (s *state) attemptError(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.failedAt <= n:
		return nil
	case noRoom(s.failErr):
		return fmt.Errorf("%w: %w", ErrDiskFull, s.failErr)
	}
	return fmt.Errorf("kv: flush: %w", s.failErr)
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
	s.retryNowLocked()
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

// manifestBusy notes that a step of writing the manifest begins, or is over. Pebble's figures wait for it.
func (s *state) manifestBusy(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.manifests += n
	s.changedLocked()
}

// manifest reports whether the manifest is being written, and whether that waits for room.
func (s *state) manifest() (writing, stuck bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.manifests > 0, s.stuck
}

// waitForRoom rests after the manifest found no room for the n-th time in a row, and reports whether to try again. Nobody waits
// in Open.
func (s *state) waitForRoom(n int, a attempt, err error) bool {
	s.mu.Lock()
	if !s.opened || s.failed != nil {
		s.mu.Unlock()
		return false
	}
	s.stuck = true
	s.attemptFailedLocked(a.n, err)
	s.mu.Unlock()
	s.rest(backoff(n, mostRest), a.kick)
	s.mu.Lock()
	s.stuck = false
	s.mu.Unlock()
	return !s.ended()
}

// beforeFlush is called before a flush makes a table, by its goroutine and without locks. Pebble repeats a flush that failed at
// once and for ever: it rests here, longer each time; once the DB has failed, until Close.
func (s *state) beforeFlush() error {
	s.mu.Lock()
	failed, missed, n, tried := s.failed, s.missed, s.misses, s.tried
	s.missed = false
	s.mu.Unlock()
	if failed != nil {
		<-s.closing
		return failed
	}
	if missed {
		s.rest(backoff(n, mostRest), tried)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts++
	s.flushAt, s.tried = s.attempts, s.kick
	return s.failed
}

// flushEnd is Pebble's report of a flush. A flush of a memtable that holds nothing carries an error, too; one that failed is
// followed by a report of the same error to backgroundError.
func (s *state) flushEnd(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushErr = err
	if err == nil {
		s.misses = 0
	}
	s.changedLocked()
}

// backgroundError is Pebble's report of a flush or compaction that failed and will be tried again.
func (s *state) backgroundError(err error) {
	s.mu.Lock()
	if s.flushErr != nil && errors.Is(err, s.flushErr) {
		s.misses++
		s.missed = true
		s.flushErr = nil
		s.attemptFailedLocked(s.flushAt, err)
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
		s.rest(time.Minute, nil)
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
