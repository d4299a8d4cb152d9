package redex

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/seed69692123/netdb/redex/journal"
)

// cursor is the kept states of a consumer that the catalog may lack. A log has those of consumers with changes that are not
// sealed; a Consumer has its own. The append lock and the log's lock together guard changes, either of them reads.
type cursor struct {
	name     string
	versions []cursorVersion // ascending, at least one: the first is that of the catalog
}

// cursorVersion is a state that sealing may ask for. Changes of frames between which no pass ends make one version.
type cursorVersion struct {
	first, last Ordinal // of the frames that made it from the one before
	gen         uint64  // Store.dirtyGen then
	state       *cursorState
}

// kept returns the newest state, or nil when the consumer is deleted.
func (c *cursor) kept() *cursorState { return c.versions[len(c.versions)-1].state }

// loadCursor returns what is kept of a consumer, from memory or the catalog. It is not among Log.cursors before its first change.
func (l *Log) loadCursor(name string) (*cursor, error) {
	l.mu.Lock()
	c := l.cursors[name]
	l.mu.Unlock()
	if c != nil {
		return c, nil
	}
	var state *cursorState
	from, to := cursorKeys(l.id, name)
	err := l.s.eachCursor(from, to, func(_ LogID, _ string, s *cursorState, err error) error {
		state = s
		return err
	})
	if err != nil {
		return nil, err
	}
	return &cursor{name, []cursorVersion{{state: state}}}, nil
}

// eachCursor calls f for the consumers in a range of the catalog, with damage of their records.
func (s *Store) eachCursor(from, to []byte, f func(id LogID, name string, state *cursorState, err error) error) error {
	it, err := s.kv.NewIter(from, to)
	if err != nil {
		return s.wrap("catalog", err)
	}
	defer it.Close()
	var b, key []byte
	var id LogID
	var name string
	next := 0 // piece
	flush := func() error {
		if next == 0 {
			return nil
		}
		state, err := decodeCursorState(b)
		if err != nil {
			err = s.badRecord(key, err)
		}
		b, next = b[:0], 0
		return f(id, name, state, err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		i, n, piece, err := parseCursorKey(it.Key())
		if err != nil {
			return s.badRecord(it.Key(), err)
		}
		if i != id || n != name {
			if err := flush(); err != nil {
				return err
			}
		}
		v, err := it.Value()
		if err != nil {
			return s.wrap("catalog", err)
		}
		if piece != next { // a record that lacks a piece cannot be decoded
			b = append(b[:0], 0)
		}
		if next == 0 {
			id, name, key = i, n, slices.Clone(it.Key())
		}
		b, next = append(b, v...), piece+1
	}
	if err := it.Err(); err != nil {
		return s.wrap("catalog", err)
	}
	return flush()
}

// cursorStates returns copies of what is kept of all consumers of the log, by name.
func (l *Log) cursorStates() (map[string]*cursorState, error) {
	out := map[string]*cursorState{}
	l.mu.Lock()
	for name, c := range l.cursors {
		out[name] = nil
		if s := c.kept(); s != nil {
			out[name] = s.clone()
		}
	}
	l.mu.Unlock()
	from, to := logKeys(keyCursor, l.id)
	err := l.s.eachCursor(from, to, func(_ LogID, name string, s *cursorState, err error) error {
		if _, ok := out[name]; !ok {
			out[name] = s
		}
		return err
	})
	maps.DeleteFunc(out, func(_ string, s *cursorState) bool { return s == nil })
	return out, err
}

// changeCursorLocked does what a frame says to a consumer. The append lock must be held.
func (l *Log) changeCursorLocked(c *cursor, ch *cursorChange, o Ordinal, time int64) {
	s := l.s
	l.mu.Lock()
	v := &c.versions[len(c.versions)-1]
	if n := len(s.marks); v.gen != s.dirtyGen || n > 0 && s.marks[n-1].ordinal >= v.first { // a pass may end between the two
		state := v.state
		if state != nil {
			state = state.clone()
		}
		c.versions = append(c.versions, cursorVersion{first: o, gen: s.dirtyGen, state: state})
		v = &c.versions[len(c.versions)-1]
	}
	v.last, v.state = o, v.state.apply(ch, time)
	if l.cursors == nil {
		l.cursors = map[string]*cursor{}
	}
	l.cursors[c.name] = c
	l.mu.Unlock()
	l.markDirtyLocked()
}

// cursorsDirtyLocked reports whether the catalog lacks changes of consumers. The log's lock must be held.
func (l *Log) cursorsDirtyLocked() bool {
	for _, c := range l.cursors {
		if len(c.versions) > 1 {
			return true
		}
	}
	return false
}

// at returns the index of the version at a frame.
func (c *cursor) at(o Ordinal) int {
	i := len(c.versions) - 1
	for c.versions[i].last > o {
		i--
	}
	return i
}

// cursors writes the consumers of a log, as they were at T, to the catalog.
func (p *pass) cursors(d *sealedLog) error {
	type version struct {
		name  string
		state *cursorState
	}
	var changed []version
	d.log.mu.Lock()
	for name, c := range d.log.cursors {
		if i := c.at(p.t.ordinal); i > 0 {
			changed = append(changed, version{name, c.versions[i].state})
		}
	}
	d.log.mu.Unlock()
	for _, v := range changed { // T is past, so the states do not change any more
		errs := []error{p.batch.DeleteRange(cursorKeys(d.log.id, v.name))}
		if v.state != nil {
			for i, piece := range encodeCursor(v.state) {
				errs = append(errs, p.batch.Set(cursorKey(d.log.id, v.name, i), piece))
			}
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

// installCursorsLocked forgets the versions that the catalog has left behind. The log's lock must be held.
func (l *Log) installCursorsLocked(o Ordinal) {
	for name, c := range l.cursors {
		c.versions = slices.Delete(c.versions, 0, c.at(o))
		c.versions[0].first, c.versions[0].last, c.versions[0].gen = 0, 0, 0
		if len(c.versions) == 1 {
			delete(l.cursors, name)
		}
	}
}

// cursor replays a part that changes a consumer.
func (r *replay) cursor(p part, l *Log, at Ordinal, time int64) error {
	name, ch, err := decodeCursor(p)
	if err != nil {
		return err
	}
	c, err := l.loadCursor(name)
	if errors.Is(err, ErrCorrupt) { // opening it says so; it can be deleted
		if !ch.end && !(ch.begin && ch.options != nil) {
			r.s.log.Error("redex: the record of a consumer is damaged", "log", l.Name(), "consumer", name, "err", err)
			return nil
		}
		c, err = &cursor{name, []cursorVersion{{}}}, nil
	}
	if err != nil {
		return err
	}
	if c.kept() == nil && !(ch.begin && ch.options != nil) && !ch.end {
		r.orphans++ // damage has taken the frame that made it
		r.s.log.Error("redex: a consumer was lost to damage", "log", l.Name(), "consumer", name)
		return nil
	}
	l.changeCursorLocked(c, ch, at, time)
	return nil
}

// cutCursors takes consumers back that have settled events which damage took, whose sequences are given again. It is the end of
// replay; without damage there are none.
func (s *Store) cutCursors(ctx context.Context) error {
	s.mu.Lock()
	dirty := slices.Clone(s.dirty)
	s.mu.Unlock()
	damaged := len(s.recovery.Damage) > 0
	for _, l := range dirty {
		if l.gone {
			continue
		}
		states := map[string]*cursorState{}
		for name, c := range l.cursors {
			if state := c.kept(); state != nil {
				states[name] = state.clone()
			}
		}
		if damaged { // also those of a log whose end was lost, and with it that of the catalog's
			more, err := l.cursorStates()
			if err != nil && !errors.Is(err, ErrCorrupt) {
				return err
			}
			states = more
		}
		for name, state := range states {
			if !state.cut(l.next) {
				continue
			}
			if !damaged {
				return &CorruptionError{Log: l.Name(), File: s.catalogPath(), Err: fmt.Errorf("consumer %q has settled events from %d on, which do not exist", name, l.next)}
			}
			s.log.Error("redex: a consumer goes back to what is left of its log", "log", l.Name(), "consumer", name, "next", l.next)
			c, err := l.loadCursor(name)
			if err != nil {
				return err
			}
			ch := &cursorChange{cut: true, position: l.next}
			if s.o.ReadOnly {
				s.mu.Lock()
				l.changeCursorLocked(c, ch, Ordinal(s.visible.Load()), s.lastTime)
				s.mu.Unlock()
				continue
			}
			if s.j.Stats().Bytes >= s.o.JournalBytes { // nobody else makes room yet
				if err := s.Seal(ctx); err != nil {
					return err
				}
			}
			err = s.catalogFrame(ctx, func() ([]byte, error) { return appendCursor(nil, l.id, name, ch), nil },
				func(p journal.Placed) { l.changeCursorLocked(c, ch, Ordinal(p.Ordinal), p.Time) })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// heldFrom returns the first sequence that a consumer keeps retention from giving up, or maxSeq.
func (l *Log) heldFrom() (Seq, error) {
	states, err := l.cursorStates()
	held := maxSeq
	for _, s := range states {
		if s.options.HoldRetention {
			held = min(held, s.position)
		}
	}
	return held, err
}

// cursors checks the records of consumers.
func (c *checker) cursors(ctx context.Context) error {
	return c.s.eachCursor([]byte{keyCursor}, []byte{keyCursor + 1}, func(id LogID, name string, state *cursorState, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return c.catalogDamage(err)
		}
		k := cursorKey(id, name, 0)
		b, ok, err := c.s.kv.Get(idKey(id), nil)
		if err != nil {
			return c.catalogDamage(c.s.wrap("catalog", err))
		}
		if !ok {
			c.bad(k, "log %d is not in the catalog", id)
			return nil
		}
		rec, ok, err := c.s.readLog(string(b))
		if err != nil {
			return c.catalogDamage(err)
		}
		if ok && state.cut(rec.next) {
			c.bad(k, "consumer %q has settled events beyond %d, the end of its log", name, rec.next)
		}
		return nil
	})
}
