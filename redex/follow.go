package redex

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// Follower tells a reader of many logs which of them have something new, so that one goroutine can read them all with
// Tail.TryNext and wait for them in one place. Take is for that goroutine alone.
type Follower struct {
	s    *Store
	logs []*Log
	wake chan struct{} // receives when there may be something to take

	mu    sync.Mutex // taken last: inside the append lock and those of logs
	noted []int      // places in logs, each once
	turn  []uint64   // of each log, the turn in which it was noted
	now   uint64     // goes up with every Take
	spare []int      // memory of the noted before
}

// following is a follower in a log's list.
type following struct {
	f  *Follower
	at int // the log's place in it
}

// followers is the list of those who follow a log. It is replaced, never changed.
type followers struct {
	list atomic.Pointer[[]following]
}

// Follow returns a follower of logs of this store, which are named by their places in the slice. The first Take returns all of
// them. It must be closed.
func (s *Store) Follow(logs []*Log) *Follower {
	f := &Follower{s: s, logs: slices.Clone(logs), wake: make(chan struct{}, 1), turn: make([]uint64, len(logs)), now: 1}
	for i, l := range f.logs {
		l.mu.Lock()
		l.followers.set(append(slices.Clone(l.followers.get()), following{f, i}))
		l.mu.Unlock()
		f.note(i)
	}
	return f
}

// Take returns a cut, and appends to dst the logs that have changed since the Take before: what is visible at the cut in any
// other log was so at that one. It never waits for a disk.
func (f *Follower) Take(dst []int) (Cut, []int) {
	// An append notes its log and becomes visible under the same lock, so none lies between its note and the cut.
	f.s.mu.Lock()
	c := f.s.cutLocked()
	f.mu.Lock()
	noted := f.noted
	f.noted, f.spare = f.spare[:0], noted
	f.now++
	f.mu.Unlock()
	f.s.mu.Unlock()
	return c, append(dst, noted...)
}

// Wait returns nil when there may be something to take, or the context's error, or ErrClosed.
func (f *Follower) Wait(ctx context.Context) error {
	if err := f.s.closedErr(); err != nil {
		return fmt.Errorf("wait for one of %d logs: %w", len(f.logs), err)
	}
	select {
	case <-f.wake:
		return nil
	case <-f.s.done:
		return fmt.Errorf("wait for one of %d logs: %w", len(f.logs), ErrClosed)
	case <-ctx.Done():
		return fmt.Errorf("wait for one of %d logs: %w", len(f.logs), ctx.Err())
	}
}

// Close lets the logs go.
func (f *Follower) Close() {
	for _, l := range f.logs {
		l.mu.Lock()
		l.followers.set(slices.DeleteFunc(slices.Clone(l.followers.get()), func(x following) bool { return x.f == f }))
		l.mu.Unlock()
	}
}

func (f *Follower) note(at int) {
	f.mu.Lock()
	if f.turn[at] != f.now {
		f.turn[at] = f.now
		f.noted = append(f.noted, at)
	}
	f.mu.Unlock()
}

func (l *followers) get() []following {
	if p := l.list.Load(); p != nil {
		return *p
	}
	return nil
}

// set replaces the list, under the log's lock.
func (l *followers) set(list []following) {
	if len(list) == 0 {
		l.list.Store(nil)
		return
	}
	l.list.Store(&list)
}

// any costs a log without followers one load, and no call.
func (l *followers) any() bool { return l.list.Load() != nil }

// note tells the followers that the log will have something new.
func (l *followers) note() {
	for _, x := range l.get() {
		x.f.note(x.at)
	}
}

// tell notes it and wakes those who wait.
func (l *followers) tell() {
	for _, x := range l.get() {
		x.f.note(x.at)
		select {
		case x.f.wake <- struct{}{}:
		default:
		}
	}
}

// Release gives back the memory and the file that the tail holds between two events. The current event is no longer valid; the
// next one costs a search. It is for readers of many logs that go on with one now and then.
func (t *Tail) Release() error {
	f := &t.f
	err := f.dropFile()
	*f = feed{l: f.l, at: f.at, to: f.to, err: f.err, after: f.after, place: f.place}
	return err
}
