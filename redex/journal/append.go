package journal

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// blocked says why a frame cannot be placed now.
type blocked uint8

const (
	placed       blocked = iota
	blockedRoom          // the next segment, or its memory, is not ready
	blockedLimit         // the size limit
	blockedRisk          // SyncInterval's bounds
	blockedForGood
)

// Append places a frame and returns when it is visible. It does not wait for a sync. It may wait, before anything is placed,
// for the bounds of SyncInterval (not exceeded), the size limit (Release) or the next segment; ctx ends these waits. After an
// error nothing was placed. ErrDiskFull is not sticky.
func (j *Journal) Append(ctx context.Context, b Body) (Placed, error) {
	if err := ctx.Err(); err != nil {
		return Placed{}, context.Cause(ctx)
	}
	size := len(b.Head) + len(b.Tail)
	if size == 0 || size > j.maxBody {
		return Placed{}, j.badSize(size)
	}
	var p Placed
	j.mu.Lock()
	why, err := j.placeLocked(&b, int64(size), &p)
	if why == placed {
		j.mu.Unlock()
		return p, nil
	}
	if why == blockedForGood {
		j.mu.Unlock()
		return Placed{}, err
	}
	return j.appendWaiting(ctx, &b, int64(size), true)
}

// TryAppend is Append that returns ErrBusy instead of waiting.
func (j *Journal) TryAppend(b Body) (p Placed, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	err = j.TryAppendLocked(&b, &p)
	return p, err
}

// TryAppendLocked is TryAppend for an owner that holds Options.Lock, to order with the frames what it keeps itself. It fills in
// p unless it fails. After ErrBusy call Ready, without the lock.
func (j *Journal) TryAppendLocked(b *Body, p *Placed) error {
	size := len(b.Head) + len(b.Tail)
	if size == 0 || size > j.maxBody {
		return j.badSize(size)
	}
	switch why, err := j.placeLocked(b, int64(size), p); why {
	case placed:
		return nil
	case blockedForGood:
		return err
	}
	return ErrBusy
}

// Ready waits until TryAppend of b would have succeeded. It looks at the lengths of b only.
func (j *Journal) Ready(ctx context.Context, b Body) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	size := len(b.Head) + len(b.Tail)
	if size == 0 || size > j.maxBody {
		return j.badSize(size)
	}
	j.mu.Lock()
	_, err := j.appendWaiting(ctx, &b, int64(size), false)
	return err
}

func (j *Journal) badSize(size int) error {
	if size == 0 {
		return ErrEmpty
	}
	return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, j.maxBody)
}

// appendWaiting places b, or only waits until it could, and unlocks mu.
func (j *Journal) appendWaiting(ctx context.Context, b *Body, size int64, place bool) (Placed, error) {
	failed := j.attempts
	counted := false
	for {
		var p Placed
		var why blocked
		var err error
		if place {
			why, err = j.placeLocked(b, size, &p)
		} else {
			why, err = j.admitLocked(b, frameBytes(size))
		}
		if why == placed || why == blockedForGood {
			j.mu.Unlock()
			return p, err
		}
		if why == blockedRoom {
			if j.full != nil && j.attempts > failed {
				err := j.full
				j.mu.Unlock()
				return Placed{}, err
			}
			if s := j.active; j.canPopulateLocked(s, frameBytes(size)) {
				j.helpLocked(s, frameBytes(size))
				continue
			}
			j.needBytes = max(j.needBytes, frameBytes(size))
			j.wakeKeeperLocked()
		}
		var reason *int64
		if !counted {
			counted = true
			j.stat.waits++
			switch why {
			case blockedLimit:
				reason = &j.stat.limitWaits
			case blockedRisk:
				reason = &j.stat.riskWaits
			}
		}
		if err := j.waitLocked(ctx, reason); err != nil {
			return Placed{}, err
		}
		j.mu.Lock()
	}
}

// canPopulateLocked reports whether all that a frame of need bytes lacks is memory of the active segment, and nobody makes it
// already.
func (j *Journal) canPopulateLocked(s *segment, need int64) bool {
	return !j.populating && s != nil && !s.ended && !j.epochWanted && s.populated < s.size && j.tail+need+frameHeaderBytes <= s.size
}

// helpLocked populates what the caller waits for, and a little more, instead of waiting for the keeper, who may be making a
// segment or not have got a processor.
func (j *Journal) helpLocked(s *segment, need int64) {
	from := s.populated
	upTo := s.populateTo(max(j.tail+need+frameHeaderBytes, from+populateHelp))
	if !s.hold() {
		return // not so: the journal itself holds the active segment
	}
	j.populating = true
	j.goroutines.Add(1) // Close, which has not begun, waits
	j.mu.Unlock()
	j.populate(s, from, upTo)
	s.drop()
	j.goroutines.Done()
	j.mu.Lock()
}

// admitLocked reports whether a frame of need bytes may be placed now.
func (j *Journal) admitLocked(b *Body, need int64) (blocked, error) {
	if j.stop != nil {
		return blockedForGood, j.stop
	}
	if j.opt.LimitBytes > 0 && j.heldBytes+need > j.opt.LimitBytes && !b.Urgent {
		return blockedLimit, nil
	}
	if j.opt.Sync.Mode == SyncInterval && j.riskyLocked(b, need) {
		j.risk.wanted = true
		j.wakeSyncerLocked()
		return blockedRisk, nil
	}
	if j.tail+need > j.room {
		return blockedRoom, nil
	}
	return placed, nil
}

// riskyLocked reports whether b would put twice a bound of SyncInterval at risk.
func (j *Journal) riskyLocked(b *Body, need int64) bool {
	p, r := &j.opt.Sync, &j.risk
	bytes := r.bytes - r.syncedBytes
	if bytes == 0 {
		return false
	}
	if p.Bytes > 0 && bytes+need > maxAtRisk*p.Bytes {
		return true
	}
	if p.Events > 0 && r.events-r.syncedEvents+max(int64(b.Events), 1) > maxAtRisk*p.Events {
		return true
	}
	since := r.captured
	if since == 0 {
		since = r.since
	}
	return p.Every > 0 && j.now()-since > maxAtRisk*int64(p.Every)
}

// placeLocked places a frame, or says why not.
func (j *Journal) placeLocked(b *Body, size int64, p *Placed) (blocked, error) {
	need := frameBytes(size)
	if why, err := j.admitLocked(b, need); why != placed {
		return why, err
	}
	s, at := j.active, j.tail
	ordinal := j.visible + 1
	t := max(j.clockLocked(), j.lastTime+1)
	if t <= j.lastTime { // int64 ended, which no clock of ours brings about
		return blockedForGood, fmt.Errorf("%w: after %d", ErrTime, j.lastTime)
	}
	var err error
	if s.mem != nil {
		if s.obs != nil {
			s.obs.BeginWrite()
		}
		err = placeMapped(s.mem[at:at+need], s.salt, ordinal, t, Ordinal(j.durable.Load()), b)
		if s.obs != nil {
			s.obs.EndWrite(at, need)
		}
		if err != nil {
			j.failLocked(fmt.Errorf("write %s at %d: %w", s.name, at, err))
			return blockedForGood, j.stop
		}
	} else if err = j.placeWritten(s, at, need, ordinal, t, b); err != nil {
		if IsDiskFull(err) {
			return blockedForGood, fmt.Errorf("%w: write %s at %d: %w", ErrDiskFull, s.name, at, err)
		}
		j.failLocked(fmt.Errorf("write %s at %d: %w", s.name, at, err))
		return blockedForGood, j.stop
	}
	j.tail = at + need
	s.end = j.tail
	j.heldBytes += need
	j.stat.appends++
	events := max(int64(b.Events), 1)
	j.risk.bytes += need
	j.risk.events += events
	j.lastTime = t
	j.visible = ordinal
	if j.opt.Sync.Mode == SyncInterval {
		j.notePlacedLocked()
	}
	if j.room-j.tail < populateLow && !j.kept && (s.populated < s.size || j.spareDueLocked()) {
		j.wakeKeeperLocked()
	}
	*p = Placed{Ordinal: ordinal, Time: t, Loc: makeLoc(s.hdr.number, at)}
	return placed, nil
}

// spareDueLocked reports whether it is time to make the next segment.
func (j *Journal) spareDueLocked() bool {
	return j.spare == nil && !j.sparing && !j.spareFailed && j.tail > j.active.size/spareFromRemainderPart
}

// notePlacedLocked wakes the syncer when a frame is the first one at risk, or reached a bound.
func (j *Journal) notePlacedLocked() {
	p, r := &j.opt.Sync, &j.risk
	first := r.since == 0
	if first {
		r.since = j.now()
	}
	if (first && p.Every > 0) || j.boundReachedLocked() {
		j.wakeSyncerLocked()
	}
}

// boundReachedLocked reports whether as many frames wait for a sync as SyncInterval's bounds on them allow.
func (j *Journal) boundReachedLocked() bool {
	p, r := &j.opt.Sync, &j.risk
	return p.Events > 0 && r.events-r.syncedEvents >= p.Events || p.Bytes > 0 && r.bytes-r.syncedBytes >= p.Bytes
}

func placeMapped(dst []byte, salt uint32, ordinal Ordinal, time int64, durable Ordinal, b *Body) (err error) {
	defer faulted(debug.SetPanicOnFault(true), &err)
	putFrame(dst, salt, ordinal, time, durable, b.Head, b.Tail)
	return nil
}

// placeWritten places a frame with one WriteAt. What a failed one leaves behind is overwritten by the next.
func (j *Journal) placeWritten(s *segment, at, need int64, ordinal Ordinal, time int64, b *Body) error {
	const keep = 1 << 20
	if int64(cap(j.scratch)) < need {
		j.scratch = make([]byte, need)
	}
	buf := j.scratch[:need]
	if need > keep {
		j.scratch = nil
	}
	putFrame(buf, s.salt, ordinal, time, Ordinal(j.durable.Load()), b.Head, b.Tail)
	n, err := s.file.WriteAt(buf, at)
	if err == nil && int64(n) != need {
		err = errors.New("short write")
	}
	return err
}

func (j *Journal) wakeKeeperLocked() {
	if !j.kept && !j.readOnly {
		j.kept = true
		select {
		case j.wakeKeeper <- struct{}{}:
		default:
		}
	}
}

func (j *Journal) wakeSyncerLocked() {
	select {
	case j.wakeSyncer <- struct{}{}:
	default:
	}
}
