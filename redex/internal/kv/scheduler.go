package kv

import (
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// scheduler lets one compaction run at a time. It takes the place of Pebble's own, which keeps a goroutine that looks ten times a
// second whether more are allowed, and leaves it behind when Open fails.
//
//   - None starts before Open is done: when Open fails, Pebble frees what a compaction that has begun still uses, and the process
//     would end with its panic.
//   - After one that failed the next waits, longer each time, since Pebble tries again at once and for ever.
//   - None starts once the DB has failed.
//
// Pebble asks once (TrySchedule), and when it was refused never again: it counts on a grant later. So everything that ends a
// reason to refuse calls grant.
type scheduler struct {
	s *state

	mu      sync.Mutex
	settled *sync.Cond // signalled when grants goes down
	db      pebble.DBForCompaction
	open    bool
	ended   bool
	running bool
	refused bool        // since grant last asked Pebble
	grants  int         // calls of grant that talk to Pebble
	misses  int         // compactions that failed in a row
	failed  int64       // compactions that failed
	cause   error       // of the last one
	rest    *time.Timer // runs while the next one has to wait
}

var (
	_ pebble.CompactionScheduler   = (*scheduler)(nil)
	_ pebble.CompactionGrantHandle = (*scheduler)(nil)
)

func newScheduler(s *state) *scheduler {
	c := &scheduler{s: s}
	c.settled = sync.NewCond(&c.mu)
	return c
}

// Register is called by Pebble before anything else.
func (c *scheduler) Register(_ int, db pebble.DBForCompaction) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.db = db
}

// start lets compactions run, those too that Pebble wanted before.
func (c *scheduler) start() {
	c.mu.Lock()
	c.open = true
	c.mu.Unlock()
	c.grant()
}

// Unregister ends it: afterwards Pebble is not called again.
func (c *scheduler) Unregister() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.rest != nil {
		c.rest.Stop()
	}
	for c.grants > 0 {
		c.settled.Wait()
	}
}

func (c *scheduler) mayRunLocked() bool {
	return c.open && !c.ended && !c.running && c.rest == nil && c.s.failure() == nil
}

// TrySchedule is called by Pebble, with its mutex held, when it wants a compaction.
func (c *scheduler) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.mayRunLocked() {
		c.refused = true
		return false, nil
	}
	c.running = true
	return true, c
}

// UpdateGetAllowedWithoutPermission is for schedulers that allow more compactions when there is more to do.
func (c *scheduler) UpdateGetAllowedWithoutPermission() {}

// grant starts the compaction that Pebble waits for, if there is one and it may run. No lock of Pebble's may be held.
func (c *scheduler) grant() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.mayRunLocked() {
		c.running, c.refused = true, false
		c.grants++
		c.mu.Unlock()
		wanted, _ := c.db.GetWaitingCompaction()
		begun := wanted && c.db.Schedule(c)
		c.mu.Lock()
		c.grants--
		c.settled.Broadcast()
		if begun {
			return // it may be over already
		}
		if c.running = false; !c.refused {
			return
		}
	}
}

// compactionEnd is Pebble's report of a compaction; Done follows.
func (c *scheduler) compactionEnd(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.misses = 0
	} else {
		c.misses++
		c.failed++
		c.cause = err
	}
}

// failures returns how many compactions have failed, and why the last one did.
func (c *scheduler) failures() (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed, c.cause
}

// Done is called by Pebble, without locks, after a compaction.
func (c *scheduler) Done() {
	c.mu.Lock()
	c.running = false
	if c.misses > 0 && !c.ended {
		c.rest = time.AfterFunc(backoff(c.misses, time.Minute), c.rested)
	}
	c.mu.Unlock()
	c.s.changed()
	c.grant()
}

// rested ends the wait after a compaction that failed.
func (c *scheduler) rested() {
	c.mu.Lock()
	c.rest = nil
	c.mu.Unlock()
	c.grant()
}

// Started, MeasureCPU and CumulativeStats are for schedulers that measure compactions.
func (c *scheduler) Started()                                          {}
func (c *scheduler) MeasureCPU(pebble.CompactionGoroutineKind)         {}
func (c *scheduler) CumulativeStats(pebble.CompactionGrantHandleStats) {}
