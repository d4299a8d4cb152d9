package journal

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// keeper makes room: it populates memory ahead of the last frame, makes the next segment in advance and switches to it.
// Close ends it.
func (j *Journal) keeper() {
	defer j.goroutines.Done()
	for {
		select {
		case <-j.quit:
			return
		case <-j.wakeKeeper:
		}
		j.mu.Lock()
		j.kept = false
		j.mu.Unlock()
		if j.poison.Load() != nil {
			j.notePoison()
		}
		for low := int64(populateLow); j.keep(low); low = populateAhead {
		}
	}
}

// keep does one piece of work and reports whether there may be more. It populates while less than low is ahead of the last
// frame. A segment in advance is made beside it, because that takes some syncs.
func (j *Journal) keep(low int64) bool {
	j.mu.Lock()
	if j.stop != nil {
		j.mu.Unlock()
		return false
	}
	s, need := j.active, j.needBytes
	switch {
	case s == nil || s.ended || j.epochWanted || j.rollWanted || need > 0 && j.tail+need+frameHeaderBytes > s.size:
		j.mu.Unlock()
		return j.roll(need) == nil
	case j.room-j.tail >= need && j.spareDueLocked():
		j.sparing = true
		j.goroutines.Add(1) // of which the keeper is one
		j.mu.Unlock()
		go j.spareAhead()
		return true
	case s.populated < s.size && !j.populating && (j.room-j.tail < low || j.room-j.tail < need):
		from := s.populated
		upTo := s.populateTo(max(j.tail+need+frameHeaderBytes, from+populateStep))
		j.populating = true
		j.mu.Unlock()
		return j.populate(s, from, upTo)
	}
	if need > 0 { // there is room already
		j.needBytes = 0
		j.broadcastLocked()
	}
	j.mu.Unlock()
	return false
}

// spareAhead makes the next segment in advance. It ends by itself.
func (j *Journal) spareAhead() {
	defer j.goroutines.Done()
	err := j.makeSpare(0)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.sparing = false
	j.spareFailed = err != nil // met again, and told, when the segment is needed
	j.broadcastLocked()
}

// populate makes [from, upTo) of s, from its populated part on, writable. The caller has set populating, under the lock: one at
// a time, and no segment ends meanwhile, because zeros may be written to the range.
func (j *Journal) populate(s *segment, from, upTo int64) bool {
	j.mu.Lock()
	unit := j.unitLocked()
	j.mu.Unlock()
	got, err := s.populateBy(from, upTo, unit)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.populating = false
	if err != nil {
		j.noRoomLocked(fmt.Errorf("%w: %w", ErrDiskFull, err))
		return false
	}
	s.populated = min(max(got, s.populated), s.size)
	s.unit = max(s.unit, unit)
	j.full = nil
	j.setRoomLocked()
	if j.room-j.tail >= j.needBytes {
		j.needBytes = 0
	}
	j.broadcastLocked()
	return true
}

// unitLocked returns the size of the pieces in which the system should manage memory that is populated now, 0: its own choice.
// Larger ones cost a fraction to make, but a sync of one byte writes a whole one. So a piece is at most an eighth of what one
// sync writes lately.
func (j *Journal) unitLocked() int {
	group := max(j.risk.bytes-j.risk.syncedBytes, j.risk.group)
	switch {
	case group >= 8*populateStep:
		return populateStep
	case group >= 8*populateSmall:
		return populateSmall
	}
	return 0
}

func (s *segment) populateBy(from, to int64, unit int) (int64, error) {
	if s.reused {
		return s.zeros(from, to, unit)
	}
	if p, ok := s.file.(UnitPopulator); ok && unit > 0 {
		return p.PopulateUnits(from, to-from, unit)
	}
	return s.file.Populate(from, to-from)
}

// setRoomLocked computes where the next frame has to end: behind it there must be room for an end frame.
func (j *Journal) setRoomLocked() {
	if s := j.active; s != nil && !s.ended {
		j.room = min(s.populated, s.size-frameHeaderBytes)
		return
	}
	j.room = 0
}

// noRoomLocked records a failed attempt to make room. Those who wait for it get the error; the next append tries again.
func (j *Journal) noRoomLocked(err error) {
	j.full = err
	j.attempts++
	j.needBytes = 0
	j.broadcastLocked()
}

// makeSpare makes the file of the next segment, with room for a frame of need bytes: allocated, its directory entry durable,
// the first part populated. It has no header yet, so it counts for nothing. One at a time: the keeper waits for spareAhead.
func (j *Journal) makeSpare(need int64) error {
	j.mu.Lock()
	old := j.spare
	if old != nil && old.size >= headerPageBytes+need+frameHeaderBytes && !j.forgottenLocked(old) {
		j.mu.Unlock()
		return nil
	}
	j.spare = nil
	size := j.nextSize
	number := j.nextNumber
	j.nextNumber++
	unit := j.unitLocked()
	j.mu.Unlock()
	if old != nil {
		if err := j.discard(old); err != nil {
			return err
		}
	}
	if want := segmentsPerFrame * need; size < want {
		size = (want + headerPageBytes - 1) &^ (headerPageBytes - 1)
	}
	name := segmentName(number)
	s, err := j.reuse(name, number, size, unit)
	if err != nil {
		return fmt.Errorf("make segment %s: %w", name, err)
	}
	if s == nil {
		f, err := j.fs.Create(name, size)
		if err != nil {
			return fmt.Errorf("make segment %s of %d bytes: %w", name, size, err)
		}
		s = newSegment(name, f, &header{number: number})
		unit = 0
	}
	got, err := s.populateBy(s.populated, s.populateTo(max(populateStep, headerPageBytes+need+frameHeaderBytes)), unit)
	if err == nil {
		err = j.fs.SyncDir()
	} else {
		err = fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	if err != nil {
		err = fmt.Errorf("make segment %s of %d bytes: %w", name, size, err)
		return errors.Join(err, j.discard(s))
	}
	s.populated, s.unit = min(got, size), max(s.unit, unit)
	j.mu.Lock()
	j.spare = s
	j.mu.Unlock()
	return nil
}

// roll ends the active segment and switches to a new one with room for a frame of need bytes. It is called by Open before
// the keeper is started, and by the keeper.
func (j *Journal) roll(need int64) error {
	j.mu.Lock()
	growth := int64(2)
	if need > 0 && j.spare == nil && j.active != nil {
		growth = growthWaited
	}
	for j.sparing {
		if err := j.waitLocked(context.Background(), nil); err != nil {
			return err
		}
		j.mu.Lock()
	}
	j.mu.Unlock()
	if err := j.makeSpare(need); err != nil {
		return j.rollFailed(err)
	}
	j.mu.Lock()
	for j.populating { // the end frame may be behind the populated part
		if err := j.waitLocked(context.Background(), nil); err != nil {
			return err
		}
		j.mu.Lock()
	}
	j.endSegmentLocked()
	s := j.spare
	j.spare = nil
	epochs := j.epochs
	newEpoch := j.epochWanted
	if newEpoch {
		epochs = append(slices.Clip(epochs), EpochStart{epochs[len(epochs)-1].Epoch + 1, j.end.last + 1})
	}
	var salt [8]byte
	_, _ = rand.Read(salt[:]) // never fails
	h := &header{
		number: s.hdr.number, boot: j.fs.BootID(), salt: binary.LittleEndian.Uint64(salt[:]),
		first: j.end.last + 1, durable: min(j.Durable(), j.end.last), lastTime: j.end.lastTime,
		prev: j.end.number, prevEnd: j.end.offset,
		epoch: epochs[len(epochs)-1].Epoch, size: s.size, id: j.opt.ID, epochs: epochs,
	}
	j.mu.Unlock()

	page := encodeHeader(h)
	if s.reused {
		putReuseMark(page, h.number)
	}
	err := s.write(page, 0)
	if err == nil {
		err = s.file.SyncRange(0, headerPageBytes)
	}
	if err != nil {
		err = fmt.Errorf("write the header of %s: %w", s.name, err)
		return j.rollFailed(errors.Join(err, j.discard(s)))
	}
	j.mu.Lock()
	if err := j.endFrameLocked(); err != nil { // only now: see DESIGN.md
		j.failLocked(err)
		j.mu.Unlock()
		return errors.Join(err, s.file.Close())
	}
	s.hdr, s.salt = h, uint32(h.salt)
	s.end, s.synced = headerPageBytes, headerPageBytes
	all := append(slices.Clone(*j.segments.Load()), s)
	j.segments.Store(&all)
	j.active, j.tail = s, headerPageBytes
	j.unsynced = append(j.unsynced, s)
	j.epochs = epochs
	j.rollWanted = false
	if newEpoch {
		j.epochWanted = false
	}
	j.nextSize = min(max(j.nextSize, min(s.size, j.opt.MaxSegmentBytes))*growth, j.opt.MaxSegmentBytes)
	j.full, j.spareFailed = nil, false
	j.needBytes = 0
	j.setRoomLocked()
	cleanup, aside := j.cleanup, j.aside
	j.cleanup, j.aside = nil, nil
	j.broadcastLocked()
	j.mu.Unlock()
	return j.clean(cleanup, aside)
}

// endSegmentLocked ends the active segment, if there is one, and records where.
func (j *Journal) endSegmentLocked() {
	s := j.active
	if s == nil || s.ended {
		return
	}
	s.ended = true
	s.limit.Store(j.tail)
	j.end = endOf{number: s.hdr.number, offset: j.tail, last: j.visible, lastTime: j.lastTime}
	j.setRoomLocked()
}

// rollFailed records why there is no next segment. A full disk heals; what else a disk can say to a sync does not.
func (j *Journal) rollFailed(err error) error {
	if IsDiskFull(err) && !errors.Is(err, ErrDiskFull) {
		err = fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	j.mu.Lock()
	j.noRoomLocked(err)
	j.mu.Unlock()
	return err
}

// clean removes files that became void, and moves others aside.
func (j *Journal) clean(void, aside []string) error {
	if len(void)+len(aside) == 0 {
		return nil
	}
	var errs []error
	for _, name := range aside {
		if err := j.fs.Rename(name, name+damagedSuffix); err != nil {
			errs = append(errs, fmt.Errorf("journal: move %s aside: %w", name, err))
		}
	}
	for _, name := range void {
		errs = append(errs, removeFile(j.fs, name))
	}
	errs = append(errs, j.fs.SyncDir())
	return errors.Join(errs...)
}
