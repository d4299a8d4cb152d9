package journal

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Sync returns nil when every frame up to upTo is durable. Concurrent callers share a sync: one of them does it, for all that
// is visible when it begins; who comes later waits and the first of them does the next. ErrRange: upTo is not visible. After
// ctx ended durability is unknown.
func (j *Journal) Sync(ctx context.Context, upTo Ordinal) error {
	if j.Durable() >= upTo {
		return nil
	}
	if visible := j.Visible(); upTo > visible {
		return fmt.Errorf("sync up to %d, visible is %d: %w", upTo, visible, ErrRange)
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if j.readOnly {
		return ErrReadOnly
	}
	j.awaited.Add(1)
	defer j.awaited.Add(-1)
	return j.sync(ctx, upTo)
}

// Awaited reports whether somebody waits for a sync. It is one load.
func (j *Journal) Awaited() bool { return j.awaited.Load() > 0 }

// syncUp makes everything visible durable.
func (j *Journal) syncUp() error { return j.sync(context.Background(), j.Visible()) }

func (j *Journal) sync(ctx context.Context, upTo Ordinal) error {
	for {
		j.syncMu.Lock()
		if j.Durable() >= upTo {
			j.syncMu.Unlock()
			return nil
		}
		if p := j.poison.Load(); p != nil {
			j.syncMu.Unlock()
			return p
		}
		if !j.syncing {
			j.syncing = true
			j.syncMu.Unlock()
			j.lead()
			continue
		}
		if j.syncDone == nil {
			j.syncDone = make(chan struct{})
		}
		done := j.syncDone
		j.syncMu.Unlock()
		select {
		case <-done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// lead does one sync and wakes those who wait for it.
func (j *Journal) lead() {
	j.syncVisible()
	j.syncMu.Lock()
	j.syncing = false
	if j.syncDone != nil {
		close(j.syncDone)
		j.syncDone = nil
	}
	j.syncMu.Unlock()
	if f := j.opt.OnSync; f != nil {
		f()
	}
}

// syncRange is a part of a segment that a sync covers.
type syncRange struct {
	s        *segment
	from, to int64
}

// syncVisible syncs all that is visible now, older segments first, and advances Durable.
func (j *Journal) syncVisible() {
	var few [4]syncRange
	ranges := few[:0]
	j.mu.Lock()
	v := j.visible
	for _, s := range j.unsynced {
		if to := s.written(); s.synced < to && s.hold() {
			ranges = append(ranges, syncRange{s, s.synced, to})
		}
	}
	bytes, events := j.risk.bytes, j.risk.events
	if j.risk.captured == 0 {
		j.risk.captured = j.risk.since
	}
	j.risk.since, j.risk.wanted = 0, false
	j.mu.Unlock()

	start := j.now()
	var failed error
	for _, r := range ranges {
		if failed == nil {
			if err := r.s.file.SyncRange(r.from, r.to-r.from); err != nil {
				failed = fmt.Errorf("sync %s from %d to %d: %w", r.s.name, r.from, r.to, err)
			}
		}
	}
	if failed != nil {
		j.fail(failed)
	} else {
		j.synced(ranges, v, bytes, events, time.Duration(j.now()-start))
	}
	for _, r := range ranges {
		r.s.drop()
	}
}

// synced records that everything up to v is durable, and marks it behind the last frame.
func (j *Journal) synced(ranges []syncRange, v Ordinal, bytes, events int64, took time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.poison.Load() != nil {
		return
	}
	for _, r := range ranges {
		r.s.synced = r.to
	}
	for len(j.unsynced) > 1 && j.unsynced[0].settled() {
		j.unsynced = j.unsynced[1:]
	}
	j.durable.Store(uint64(v))
	j.risk.group = bytes - j.risk.syncedBytes
	j.risk.syncedBytes, j.risk.syncedEvents, j.risk.captured = bytes, events, 0
	j.stat.syncs++
	j.stat.syncTime += took
	j.broadcastLocked()
	if j.visible == v && len(ranges) > 0 {
		j.idleMarkLocked(v)
	}
}

// idleMarkLocked writes an idle mark where the next frame goes. Without one a crash could not tell damage of the last frames
// from frames that were never written.
func (j *Journal) idleMarkLocked(v Ordinal) {
	s := j.active
	if s == nil || s.ended || j.tail+frameHeaderBytes > s.populated {
		return
	}
	putFrameHeader(j.mark[:], s.salt, v, j.lastTime, 0, kindIdle, v, 0)
	if err := s.write(j.mark[:], j.tail); err != nil && s.mem != nil {
		j.failLocked(fmt.Errorf("write an idle mark to %s at %d: %w", s.name, j.tail, err))
	}
}

// endFrameLocked writes an end frame where the segment before the next one ends, also over the mark of a close. It says that
// the next one had a header: that is synced already, and no frame behind it is durable before the end frame is. Should the
// next one be missing one day, or be empty, the journal does not look as if it had ended here.
func (j *Journal) endFrameLocked() error {
	all := *j.segments.Load()
	i := slices.IndexFunc(all, func(s *segment) bool { return s.hdr.number == j.end.number })
	if i < 0 || all[i].endFrame || j.end.offset+frameHeaderBytes > all[i].size {
		return nil
	}
	s := all[i]
	mark := make([]byte, frameHeaderBytes)
	putFrameHeader(mark, s.salt, j.end.last, j.end.lastTime, 0, kindEnd, min(j.Durable(), j.end.last), 0)
	if err := s.write(mark, j.end.offset); IsDiskFull(err) {
		return nil // it can do without
	} else if err != nil {
		return fmt.Errorf("write the end frame of %s at %d: %w", s.name, j.end.offset, err)
	}
	s.endFrame = true
	if !slices.Contains(j.unsynced, s) { // an earlier run wrote it
		j.unsynced = append(j.unsynced, s)
	}
	return nil
}

// syncer syncs by the bounds of SyncInterval until Close.
func (j *Journal) syncer() {
	defer j.goroutines.Done()
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-j.quit:
			return
		case <-timer.C:
		case <-j.wakeSyncer:
		}
		wait := j.untilSync()
		for ; wait == 0; wait = j.untilSync() {
			if err := j.syncUp(); err != nil {
				return // poisoned: every caller gets the reason
			}
		}
		timer.Reset(wait)
	}
}

// untilSync returns how long the next sync of SyncInterval can wait, at most an hour; 0: it is due.
func (j *Journal) untilSync() time.Duration {
	j.mu.Lock()
	defer j.mu.Unlock()
	r, p := &j.risk, &j.opt.Sync
	if r.bytes == r.syncedBytes {
		return time.Hour
	}
	if r.wanted || j.boundReachedLocked() {
		return 0
	}
	if p.Every == 0 || r.since == 0 {
		return time.Hour
	}
	return max(p.Every-time.Duration(j.now()-r.since), 0)
}
