package redex

import (
	"context"
	"errors"
	"fmt"
)

// SeekTime returns the sequence of the first event that arrived at t (Unix nanoseconds) or later; Bounds().Next if none did.
// What is below the floor is not considered. When the event may be one of those that damage took, the error is that of reading
// them.
func (l *Log) SeekTime(ctx context.Context, t int64) (Seq, error) {
	if err := l.s.closedErr(); err != nil {
		return 0, fmt.Errorf("seek in %q: %w", l.Name(), err)
	}
	for range lookAgain {
		visible := Ordinal(l.s.visible.Load())
		l.mu.Lock()
		b := l.boundsLocked(visible)
		deleted, sparse := l.deleted, l.sealed.gone > 0
		inSealed := l.sealed.next > l.floor && l.sealed.lastTime >= t
		from, to := b.Next, b.Next
		if !inSealed && !deleted {
			from, to = l.seekHotLocked(b, t)
		}
		l.mu.Unlock()
		var seq Seq
		var err error
		switch {
		case deleted:
			return 0, fmt.Errorf("seek in %q: %w", l.Name(), ErrLogDeleted)
		case inSealed:
			seq, err = l.seekSealed(ctx, t)
		default:
			seq, err = l.seekGap(ctx, from, to, t)
		}
		if err == nil && sparse && seq <= b.Floor { // compaction may have taken the event of that sequence
			seq, err = l.seekGap(ctx, b.Floor, b.Next, t)
		}
		if errors.Is(err, ErrRangeLost) { // trimmed meanwhile
			continue
		}
		return max(seq, b.Floor), err
	}
	return 0, l.readErr(0, errMoved)
}

// seekHotLocked returns which events of the journal have to be read to find the first at time t or later: it is one of them, or
// the one after them. The index says the time of the first of several frames only, and damage has to be told.
func (l *Log) seekHotLocked(b Bounds, t int64) (from, to Seq) {
	at, before, found, isBefore := l.hot.seekTime(t)
	from, to = b.Next, b.Next
	if found && at.first < b.Next {
		from, to = at.first, at.first
		if at.damage != 0 {
			to++
		}
	}
	if isBefore && before.frames {
		from = min(from, max(before.first, l.sealed.next))
	}
	return max(from, b.Floor), max(to, b.Floor)
}

// seekSealed returns the sequence of the first sealed event at time t or later, and the sequence after the last sealed one
// when there is none.
func (l *Log) seekSealed(ctx context.Context, t int64) (Seq, error) {
	for range lookAgain {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		l.mu.Lock()
		rec, floor := l.sealed, l.floor
		l.mu.Unlock()
		seq, err := l.seekBelow(ctx, rec, floor, t)
		if errors.Is(err, errMoved) || errors.Is(err, ErrRangeLost) { // sealed, or trimmed, meanwhile
			continue
		}
		return seq, err
	}
	return 0, l.readErr(0, errMoved)
}

// seekBelow is seekSealed for the record of the log and its floor as they were at one moment.
func (l *Log) seekBelow(ctx context.Context, rec logRecord, floor Seq, t int64) (Seq, error) {
	s := l.s
	first, run, found, err := s.seekRun(l.id, floor, rec.rowsFrom, t)
	if err != nil {
		return 0, l.readErr(first, err)
	}
	border, to := rec.rowsFrom, rec.next // runs that were made since are not looked for: their rows are found where they are now
	if found && run.file == 0 {          // all of it was compacted away
		return l.seekGap(ctx, max(first, floor), to, t)
	}
	if found {
		after, seq, err := s.seekInRun(l.id, first, &run, t)
		if err != nil {
			return 0, l.readErr(first, err)
		}
		if seq > first { // there may be rows missing before it
			return l.seekGap(ctx, max(after, floor), seq, t)
		}
		border, to = first, first
	}
	// Behind the run before are rows: those after the last run, or what damage left between two runs.
	from, err := s.endOfRun(l.id, border)
	if err != nil {
		return 0, l.readErr(border, err)
	}
	return l.seekGap(ctx, max(from, floor), max(to, floor), t)
}

// seekGap returns the sequence of the first event in [from, to) at time t or later, or to, whose event is not earlier. It reads
// the events. Damage is an error when what follows it is not before t.
func (l *Log) seekGap(ctx context.Context, from, to Seq, t int64) (Seq, error) {
	var damage error // of what was passed last
	for at := from; at < to; {
		f := feed{l: l, at: at, to: to}
		for f.next(ctx) {
			if f.ev.Time >= t {
				seq := f.ev.Seq
				return seq, errors.Join(damage, f.close())
			}
			damage = nil // that was before t as well
		}
		err := f.err
		at = f.at
		_ = f.close() // only read from
		if c, ok := errors.AsType[*CorruptionError](err); ok {
			damage, at = err, max(c.End, at+1)
		} else if err != nil {
			return 0, err
		}
	}
	return to, damage
}

// seekRun finds the first run that ends at time t or later, among those that begin in [from, to), by halves.
func (s *Store) seekRun(id LogID, from, to Seq, t int64) (first Seq, run runRecord, found bool, err error) {
	// All runs that begin below lo end before t; the run found begins at hi, when there is one.
	lo, hi := Seq(0), to
	for lo < hi {
		mid := lo + (hi-lo-1)/2
		start, rec, ok, err := s.findRun(id, mid)
		if err != nil {
			return 0, run, false, err
		}
		if !ok || start < lo || rec.max < t || rec.last < from {
			lo = mid + 1
			if ok && rec.last >= mid {
				lo = rec.last + 1
			}
			continue
		}
		first, run, found, hi = start, rec, true, start
	}
	return first, run, found, nil
}

// endOfRun returns the sequence after the last run that begins below seq, and 0 when there is none.
func (s *Store) endOfRun(id LogID, seq Seq) (Seq, error) {
	if seq == 0 {
		return 0, nil
	}
	_, rec, found, err := s.findRun(id, seq-1)
	if err != nil || !found {
		return 0, err
	}
	return rec.last + 1, nil
}

// seekInRun returns the sequence of the first row of a run at time t or later, and the sequence after the row before that: when
// it is less, what was between them is lost.
func (s *Store) seekInRun(id LogID, first Seq, rec *runRecord, t int64) (after, seq Seq, err error) {
	file, run, err := s.openRun(id, first, rec)
	if err != nil {
		return 0, 0, err
	}
	a, q, ok, err := run.SeekTime(t)
	switch {
	case err != nil:
		err = quarantine(fileError(s.rows.path(rec.file), err), first, rec.last+1)
	case !ok:
		err = errMoved
	}
	return Seq(a), Seq(q), errors.Join(err, s.rows.release(file))
}
