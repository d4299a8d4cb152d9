package redex

import (
	"errors"
	"fmt"
	"math"

	"github.com/seed69692123/netdb/redex/journal"
)

// errWindow is returned under the append lock when a window must be loaded before it.
var errWindow = errors.New("window not in memory")

// Bounds of the windows kept in memory. Those with numbers the catalog lacks stay whatever the bounds say: sealing bounds
// them.
const (
	maxWindows        = 1 << 14
	maxWindowsNumbers = 1 << 18
)

// windowSet are the windows in memory, in the order they were loaded. The append lock guards it.
type windowSet struct {
	order   []windowRef
	numbers int
}

type windowRef struct {
	log    *Log
	origin Origin
}

// addWindowLocked keeps a window in memory.
func (s *Store) addWindowLocked(l *Log, o Origin, w *window) {
	if l.windows == nil {
		l.windows = map[Origin]*window{}
	}
	l.windows[o] = w
	s.windows.order = append(s.windows.order, windowRef{l, o})
	s.windows.numbers += len(w.list)
	// Each call looks at a few of the oldest only, so that its cost does not depend on how many cannot go yet.
	sealed := Ordinal(s.seal.ordinal.Load())
	for range 16 {
		if len(s.windows.order) <= maxWindows && s.windows.numbers <= maxWindowsNumbers {
			return
		}
		old := s.windows.order[0]
		s.windows.order = s.windows.order[1:]
		switch w := old.log.windows[old.origin]; {
		case w == nil:
		case w.last <= sealed && !(old.log == l && old.origin == o):
			delete(old.log.windows, old.origin)
			s.windows.numbers -= len(w.list)
		default:
			s.windows.order = append(s.windows.order, old)
		}
	}
}

// eachNumbered calls f for each entry with an idempotency number. at counts entries over all batches.
func eachNumbered(batches []Batch, f func(at, batch int, e *Entry) error) error {
	at := 0
	for i := range batches {
		for k := range batches[i].Entries {
			if e := &batches[i].Entries[k]; e.Idempotency != 0 {
				if err := f(at, i, e); err != nil {
					return err
				}
			}
			at++
		}
	}
	return nil
}

// loadWindows brings the windows that batches need into memory.
func (s *Store) loadWindows(batches []Batch) error {
	missing, err := s.missingWindows(batches)
	for _, ref := range missing {
		for kept := false; err == nil && !kept; {
			sealed := s.seal.ordinal.Load()
			var w *window
			if w, err = s.readWindow(ref.log.id, ref.origin); err == nil {
				kept = s.keepWindow(ref, w, sealed)
			}
		}
	}
	return err
}

// missingWindows returns the windows that batches need and that are not in memory.
func (s *Store) missingWindows(batches []Batch) (missing []windowRef, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = eachNumbered(batches, func(_, i int, e *Entry) error {
		ref := windowRef{batches[i].Log, e.Origin}
		if n := len(missing); ref.log.windows[e.Origin] == nil && (n == 0 || missing[n-1] != ref) {
			missing = append(missing, ref)
		}
		return nil
	})
	return missing, err
}

// keepWindow keeps a window that was read from the catalog when passes up to sealed had ended, and reports whether the window is
// in memory now. It is not when there was a pass since: another may have loaded the window, added numbers, and had it leave
// memory after the pass that wrote them. Without one all numbers of a window that is not in memory were in the catalog.
func (s *Store) keepWindow(ref windowRef, w *window, sealed uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ref.log.windows[ref.origin] != nil {
		return true
	}
	if s.seal.ordinal.Load() != sealed {
		return false
	}
	s.addWindowLocked(ref.log, ref.origin, w)
	return true
}

// readWindow reads a window from the catalog; it is empty when there is none.
func (s *Store) readWindow(id LogID, o Origin) (*window, error) {
	from, to := windowKey(id, o, 0), windowKey(id, o, 255)
	it, err := s.kv.NewIter(from, to)
	if err != nil {
		return nil, s.wrap("read idempotency numbers", err)
	}
	defer it.Close()
	w := &window{}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.Value()
		if err != nil {
			return nil, s.wrap(fmt.Sprintf("idempotency numbers of log %d", id), err)
		}
		if err := decodeWindow(w, v); err != nil {
			return nil, s.badRecord(it.Key(), err)
		}
	}
	if err := it.Err(); err != nil {
		return nil, s.wrap("read idempotency numbers", err)
	}
	return w, nil
}

// keptWindow is readWindow for replay and sealing, which damage of one window must not stop. It can then not be told which
// numbers were used, so that all but those that follow from the journal are too old.
func (s *Store) keptWindow(l *Log, o Origin) (*window, error) {
	w, err := s.readWindow(l.id, o)
	if errors.Is(err, ErrCorrupt) {
		s.log.Error("redex: idempotency numbers lost to damage", "log", l.Name(), "origin", o, "err", err)
		return &window{forgotten: math.MaxUint64}, nil
	}
	return w, err
}

// dedupeLocked marks in sc.drop the entries that are there already, or come twice, and returns their number.
func (s *Store) dedupeLocked(batches []Batch, sc *scratch) (int, error) {
	total := 0
	for i := range batches {
		total += len(batches[i].Entries)
	}
	if cap(sc.drop) < total {
		sc.drop = make([]bool, total)
	}
	sc.drop = sc.drop[:total]
	clear(sc.drop)
	type key struct {
		log    *Log
		origin Origin
		number uint64
	}
	var last key
	var seen map[key]bool
	ascending, dups := true, 0
	err := eachNumbered(batches, func(at, i int, e *Entry) error {
		l := batches[i].Log
		w := l.windows[e.Origin]
		if w == nil {
			return errWindow
		}
		k := key{l, e.Origin, e.Idempotency}
		ascending = ascending && (last.log == nil || last.log == l && last.origin == e.Origin && last.number < e.Idempotency)
		last = k
		_, found, tooOld := w.find(e.Idempotency)
		if tooOld {
			return fmt.Errorf("append to %q: origin %s, number %d: %w", l.Name(), e.Origin, e.Idempotency, ErrTooOld)
		}
		if found {
			sc.drop[at] = true
			dups++
		}
		return nil
	})
	if err != nil || ascending {
		return dups, err
	}
	seen = map[key]bool{}
	err = eachNumbered(batches, func(at, i int, e *Entry) error {
		k := key{batches[i].Log, e.Origin, e.Idempotency}
		if seen[k] && !sc.drop[at] {
			sc.drop[at] = true
			dups++
		}
		seen[k] = true
		return nil
	})
	return dups, err
}

// firstResultsLocked fills in the results of entries that are there already.
func (s *Store) firstResultsLocked(batches []Batch, sc *scratch) {
	at := 0
	for i := range batches {
		b, p := &batches[i], &sc.plans[i]
		var lowest, highest remembered
		for k := range b.Entries {
			e := &b.Entries[k]
			if at++; !sc.drop[at-1] {
				continue
			}
			p.result.Duplicates++
			r, found, _ := b.Log.windows[e.Origin].find(e.Idempotency)
			if !found { // it is in this call twice, and appended once
				continue
			}
			if lowest.number == 0 || r.seq < lowest.seq {
				lowest = r
			}
			if highest.number == 0 || r.seq > highest.seq {
				highest = r
			}
		}
		if p.count == 0 {
			p.dup = true
			p.result.Position = Position{Store: s.id, Log: b.Log.id, Epoch: s.epochOf(highest.ordinal), Ordinal: highest.ordinal, Seq: highest.seq}
			p.result.First, p.result.Count, p.result.Time = lowest.seq, p.result.Duplicates, highest.time
		}
	}
}

// rememberLocked remembers the numbers of a frame.
func (s *Store) rememberLocked(batches []Batch, sc *scratch, placed journal.Placed) {
	dropped := len(sc.drop) > 0
	at := 0
	for i := range batches {
		b, p := &batches[i], &sc.plans[i]
		seq := p.undo
		for k := range b.Entries {
			e := &b.Entries[k]
			if at++; dropped && sc.drop[at-1] {
				continue
			}
			if e.Idempotency != 0 {
				w := b.Log.windows[e.Origin]
				before := len(w.list)
				w.add(remembered{e.Idempotency, seq, Ordinal(placed.Ordinal), placed.Time})
				s.windows.numbers += len(w.list) - before
			}
			seq++
		}
	}
}
