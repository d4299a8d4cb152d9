package redex

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// Sealing keeps up with appends, so it compresses fast. What has come to rest is packed: its row files are written once more, with a
// compression that is five times as slow, takes four tenths less room and is read as fast. Runs that are written anew for another reason
// are packed by that.
//
// It is the last thing a store does: a file at a time, once nobody has appended or pinned a cut for repackRest, which is what queries
// do. Others who come meanwhile leave it a quarter of MaintainRate. A store that never rests packs at that pace what is older than
// the newest repackBehind.
const (
	repackRest   = time.Second
	repackStill  = 60        // rests after which a cut that stays pinned does not count: somebody forgot it
	repackLeast  = 1 << 20   // bytes of a file that is worth it; what is in smaller ones is merged one day
	repackBehind = 256 << 20 // bytes of files
)

// loose reports whether the file is to be packed.
func (r *fileRecord) loose() bool { return !r.packed && r.bytes >= repackLeast }

// noteLoose takes note of files to be packed.
func (m *maintainer) noteLoose(files []uint64) {
	if len(files) == 0 {
		return
	}
	m.dueMu.Lock()
	if m.loose == nil {
		m.loose = map[uint64]struct{}{}
	}
	for _, n := range files {
		m.loose[n] = struct{}{}
	}
	m.dueMu.Unlock()
	m.kick()
}

// looseFiles returns the files to be packed, oldest first.
func (m *maintainer) looseFiles() []uint64 {
	m.dueMu.Lock()
	defer m.dueMu.Unlock()
	return slices.Sorted(maps.Keys(m.loose))
}

func (m *maintainer) dropLoose(n uint64) {
	m.dueMu.Lock()
	defer m.dueMu.Unlock()
	delete(m.loose, n)
}

// quiet tells whether others have work for the store.
type quiet struct {
	s      *Store
	placed int64
	pinned int
	still  int // looks in a row that found nothing new, but pinned cuts
}

// look reports whether anything was appended or any cut pinned since the last look, and whether a cut is pinned still.
func (q *quiet) look() (changed, asked bool) {
	q.s.pins.mu.Lock()
	pinned, open := q.s.pins.id, len(q.s.pins.cuts)
	q.s.pins.mu.Unlock()
	q.s.mu.Lock()
	placed := q.s.placed
	q.s.mu.Unlock()
	changed = pinned != q.pinned || placed != q.placed
	q.pinned, q.placed = pinned, placed
	return changed, open > 0
}

func (q *quiet) busy() bool {
	changed, asked := q.look()
	return changed || asked
}

// repackTimer receives when it is time to look whether there is time to pack; it is nil when there is nothing to do.
func (s *Store) repackTimer() <-chan time.Time {
	if len(s.maintain.looseFiles()) == 0 {
		return nil
	}
	return time.After(repackRest)
}

// repackTurn packs a file, if the store has been at rest since the last turn or is far behind, and returns when the next turn is.
func (s *Store) repackTurn(q *quiet) <-chan time.Time {
	files := s.maintain.looseFiles()
	if len(files) == 0 {
		return nil
	}
	changed, asked := q.look()
	if q.still++; changed {
		q.still = 0
	}
	if (changed || asked && q.still < repackStill) && !s.repackBehind(files) {
		return time.After(repackRest)
	}
	s.maintain.mu.Lock()
	err := s.repack(s.bg, files[0], &pacer{rate: s.o.MaintainRate, haste: &s.maintain.wait, busy: q.busy})
	s.maintain.mu.Unlock()
	switch {
	case s.closedErr() != nil:
		return nil
	case err != nil:
		s.log.Error("redex: packing a row file failed", "err", err)
		return time.After(maintainRest)
	case len(files) == 1:
		return s.repackTimer()
	}
	return time.After(0) // what others did meanwhile is seen by the next look
}

// repackBehind reports whether files are more than may wait.
func (s *Store) repackBehind(files []uint64) bool {
	var sum int64
	for _, n := range files {
		if rec, err := s.readFile(n); err == nil {
			sum += rec.bytes
		}
	}
	return sum > repackBehind
}

// repackAll packs what is to be packed now. Damage stays where it is and is in the error. The caller has the maintainer's lock.
func (s *Store) repackAll(ctx context.Context) error {
	var damage []error
	for _, n := range s.maintain.looseFiles() {
		err := s.repack(ctx, n, nil)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			return errors.Join(append(damage, err)...)
		}
		damage = append(damage, err)
	}
	return errors.Join(damage...)
}

// repack packs one file. One that is damaged is not tried again before the store is opened anew. The caller has the maintainer's
// lock.
func (s *Store) repack(ctx context.Context, n uint64, pace *pacer) error {
	_, ok, err := s.kv.Get(fileKey(n), nil)
	if err != nil {
		return s.wrap("catalog", err)
	}
	if ok {
		var rec fileRecord
		if rec, err = s.readFile(n); err == nil && !rec.packed {
			err = s.moveRuns(ctx, n, pace, nil)
		}
	}
	if errors.Is(err, errGaveWay) {
		return nil // a pass took some away: the next turn takes what is left
	}
	if err == nil || errors.Is(err, ErrCorrupt) {
		s.maintain.dropLoose(n)
	}
	return err
}
