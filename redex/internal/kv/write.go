package kv

import (
	"context"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// maxUnflushed is the number of memtables' worth of bytes that may be unflushed, and maxSublevels the number of overlapping
// files that flushes may pile up while a compaction is under way.
const (
	maxUnflushed = 4
	maxSublevels = 24
)

// Apply applies the batch: readers see all of it or nothing. It waits while too much is unflushed, but not when flushes fail: then
// their error is returned, ErrDiskFull when there is no room. The batch is emptied when nil is returned. After another error the batch was not
// applied, except when the DB failed meanwhile, where readers may see it.
func (db *DB) Apply(ctx context.Context, b *Batch) error {
	if b.Empty() {
		return nil
	}
	if db.o.ReadOnly {
		return ErrReadOnly
	}
	if err := db.makeRoom(ctx, int64(b.Len())); err != nil {
		return err
	}
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	if err := db.state.failure(); err != nil {
		return err
	}
	if err := db.p.Apply(b.p, pebble.NoSync); err != nil {
		return fmt.Errorf("kv: apply: %w", err)
	}
	db.applied.Add(1)
	b.renew()
	return db.state.failure()
}

// makeRoom waits until n more bytes may be applied.
func (db *DB) makeRoom(ctx context.Context, n int64) error {
	if db.unseen.Add(n) < db.o.MemtableBytes/4 {
		return nil
	}
	before := db.state.begun()
	var got <-chan *pebble.Metrics
	var asked <-chan struct{} // closed by the first change after got was asked for, which got may not show
	for {
		change := db.state.next()
		if err := db.state.failure(); err != nil {
			return err
		}
		if _, stuck := db.state.manifest(); stuck {
			return ErrDiskFull
		}
		if got == nil {
			var err error
			if got, err = db.ask(); err != nil {
				return err
			}
			asked = change
		}
		select {
		case m := <-got:
			got = nil
			tables := int64(m.MemTable.Size) > maxUnflushed*db.o.MemtableBytes
			levels := int(m.Levels[0].Sublevels) > maxSublevels && m.Compact.NumInProgress > 0
			if !tables && !levels {
				db.unseen.Store(0)
				return nil
			}
			if tables && db.diskFull() {
				return ErrDiskFull
			}
			if err := db.state.attemptError(before); tables && err != nil {
				return err
			}
			if err := db.await(ctx, asked); err != nil {
				return err
			}
		case <-change:
		case <-db.state.closing:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// await waits for a change.
func (db *DB) await(ctx context.Context, change <-chan struct{}) error {
	select {
	case <-change:
		return nil
	case <-db.state.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// askFlush asks Pebble for a flush of everything that was applied, unless it was asked for already: each time it is asked it makes
// a new memtable, and while flushes fail none goes. It returns how many batches that covers, and a channel that is closed when
// they are flushed, or nil when they are already.
func (db *DB) askFlush() (upTo uint64, done <-chan struct{}, err error) {
	if err := db.enter(); err != nil {
		return 0, nil, err
	}
	defer db.leave()
	if err := db.state.failure(); err != nil {
		return 0, nil, err
	}
	db.flushMu.Lock()
	defer db.flushMu.Unlock()
	upTo = db.applied.Load()
	if db.flushed.Load() >= upTo {
		return upTo, nil, nil
	}
	if db.asked < upTo {
		if done, err = db.p.AsyncFlush(); err != nil {
			return 0, nil, fmt.Errorf("kv: flush: %w", err)
		}
		db.asked, db.done = upTo, done
	}
	return upTo, db.done, nil
}

// Flush returns when everything applied before the call would survive a crash. ErrDiskFull is returned when there is no room for
// that now. After an error that is not ErrFailed it may be called again: nothing is lost while the DB is open.
func (db *DB) Flush(ctx context.Context) error {
	if db.o.ReadOnly {
		return ErrReadOnly
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	before := db.state.begun()
	upTo, done, err := db.askFlush()
	if err != nil || done == nil {
		return err
	}
	db.state.retryNow()
	for {
		change := db.state.next()
		select {
		case <-done:
			if err := db.state.failure(); err != nil {
				return err
			}
			for {
				old := db.flushed.Load()
				if old >= upTo || db.flushed.CompareAndSwap(old, upTo) {
					return nil
				}
			}
		default:
		}
		if err := db.state.failure(); err != nil {
			return err
		}
		if err := db.state.attemptError(before); err != nil {
			return err
		}
		select {
		case <-done:
		case <-change:
		case <-db.state.closing:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Compact flushes, and writes the tables with keys of [from, to) anew, so that what was deleted or replaced is in no file any more.
// What stands in Pebble's way, such as a manifest that waits for room, does not keep Compact from ending with ctx: Pebble then goes on
// by itself until it can, or until Close.
func (db *DB) Compact(ctx context.Context, from, to []byte) error {
	if err := db.Flush(ctx); err != nil {
		return err
	}
	if err := db.enter(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	failed, _ := db.compactions.failures()
	done := make(chan error, 1)
	from, to = slices.Clone(from), slices.Clone(to)
	go func() {
		defer db.leave()
		done <- db.p.Compact(ctx, from, to, false)
	}()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		db.endWith(ctx, failed, cancel)
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	cancel(nil)
	<-watched
	if err != nil {
		if noRoom(err) {
			err = fmt.Errorf("%w: %w", ErrDiskFull, err)
		}
		return db.readError("compact", err) // a table that cannot be read keeps its range from being compacted
	}
	return db.state.failure()
}

// endWith cancels when the DB fails, is closed or has no room, since no compaction begins then, and when more compactions than so
// many have failed, since Pebble tries for ever. It returns when ctx has ended.
func (db *DB) endWith(ctx context.Context, failed int64, cancel context.CancelCauseFunc) {
	for {
		change := db.state.next()
		if err := db.state.failure(); err != nil {
			cancel(err)
		} else if db.diskFull() {
			cancel(ErrDiskFull)
		} else if n, err := db.compactions.failures(); n > failed {
			cancel(err)
		}
		select {
		case <-change:
		case <-db.state.closing:
			cancel(ErrClosed)
			<-ctx.Done()
			return
		case <-ctx.Done():
			return
		}
	}
}
