package redex

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Redact takes the payload and the headers out of events, for good: their sequence, time, key, kind and origin stay, and Event.Redacted
// says so. On return the redaction is durable, and readers that begin afterwards do not see what was taken; one that reads already may
// have read ahead. The bytes leave the disk in the background: at the latest with the return of Store.Maintain they are in none of the
// store's files. Snapshots, backups and checkpoints made before, and what folds derived, are their owners' business.
//
// An event that is redacted already is none the worse for it. ErrNoEvent is returned, and nothing done, when one was never written or
// went with compaction, ErrRangeLost when one is below the floor.
func (l *Log) Redact(ctx context.Context, seqs ...Seq) error {
	s := l.s
	seqs = slices.Clone(seqs)
	slices.Sort(seqs)
	seqs = slices.Compact(seqs)
	if s.o.ReadOnly {
		return fmt.Errorf("redact %q: %w", l.Name(), ErrReadOnly)
	}
	for i, seq := range seqs {
		ev, err := l.Read(ctx, seq)
		switch {
		case errors.Is(err, ErrCorrupt): // what cannot be read now may be readable to others
		case err != nil:
			return fmt.Errorf("redact: %w", err)
		case ev.Redacted:
			seqs[i] = maxSeq
		}
	}
	seqs = slices.DeleteFunc(seqs, func(seq Seq) bool { return seq == maxSeq })
	for len(seqs) > 0 {
		n := min(len(seqs), redactParts)
		if err := l.redact(ctx, seqs[:n]); err != nil {
			return err
		}
		seqs = seqs[n:]
	}
	return nil
}

// redactParts is how many redactions a frame has at most.
const redactParts = 512

func (l *Log) redact(ctx context.Context, seqs []Seq) error {
	s := l.s
	var placed Ordinal
	err := s.changeLog(ctx, "redact", l, func() ([]byte, error) {
		var body []byte
		for _, seq := range seqs {
			body = appendPart(body, partRedact, l.id, seq, 0)
		}
		return body, nil
	}, func(o Ordinal) {
		placed = o
		for _, seq := range seqs {
			l.addChangeLocked(change{ordinal: o, typ: partRedact, floor: seq})
		}
	})
	if err != nil {
		return err
	}
	// What cannot be undone waits for durability, as with Trim.
	if err := s.SyncTo(ctx, placed); err != nil {
		return &InDoubtError{Position: Position{Store: s.id, Log: l.id, Epoch: s.epoch, Ordinal: placed}, Err: err}
	}
	l.mask(seqs...)
	s.maintain.setRedact(placed)
	if err := s.columns.edited(l.id, seqs[0], seqs[len(seqs)-1]+1); err != nil {
		return fmt.Errorf("redact %q: %w", l.Name(), err) // erasing them tries again
	}
	return nil
}

// mask hides the payloads of events, ascending, from readers.
func (l *Log) mask(seqs ...Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.maskLocked(seqs)
}

func (l *Log) maskLocked(seqs []Seq) {
	if n := len(l.masked); n == 0 || len(seqs) > 0 && l.masked[n-1] < seqs[0] {
		l.masked = append(l.masked, seqs...) // behind what others read
		return
	}
	masked := slices.Concat(l.masked, seqs)
	slices.Sort(masked)
	l.masked = slices.Compact(masked)
}

// unmask ends the hiding of events, ascending, whose payload is gone.
func (l *Log) unmask(seqs []Seq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.masked) == 0 {
		return
	}
	l.masked = slices.DeleteFunc(slices.Clone(l.masked), func(seq Seq) bool {
		_, gone := slices.BinarySearch(seqs, seq)
		return gone
	})
}

// redactedEntry is the entry of a redacted event, as a row of the catalog has it.
func redactedEntry(ev *Event) []byte {
	e := Entry{
		Kind: ev.Kind, Encoding: ev.Encoding, Origin: ev.Origin, Idempotency: ev.Idempotency, Tombstone: ev.Tombstone,
		SchemaVersion: ev.SchemaVersion, Key: ev.Key,
	}
	return appendRowHead(nil, &e, true)
}

// redactsSeq reports whether a pass has to redact an event.
func (d *sealedLog) redactsSeq(seq Seq) bool {
	if len(d.redacts) == 0 {
		return false
	}
	_, ok := slices.BinarySearch(d.redacts, seq)
	return ok
}

// redact takes redacted payloads out of rows of the catalog, and notes them all: they are to leave the files.
func (p *pass) redact(d *sealedLog) error {
	slices.Sort(d.redacts)
	d.redacts = slices.Compact(d.redacts) // two calls may have redacted one event
	id := d.log.id
	for _, seq := range d.redacts {
		// The record stays until the payload is in no file any more, wherever the event is, and whatever becomes of it.
		_, ok, err := p.s.kv.Get(redactKey(id, seq), nil)
		if err != nil {
			return p.s.wrap("catalog", err)
		}
		if !ok {
			d.rec.redact++
		}
		if err := p.batch.Set(redactKey(id, seq), nil); err != nil {
			return err
		}
		if seq < d.rec.rowsFrom || seq >= d.from {
			continue // it is in a run, or it is sealed now
		}
		key := logSeqKey(keyRow, id, seq)
		v, ok, err := p.s.kv.Get(key, nil)
		if err != nil {
			err = p.s.wrap("catalog", err)
		} else if ok {
			if _, err = decodeRow(v, &p.ev); err != nil {
				err = p.s.badRecord(key, err)
			}
		}
		if err != nil {
			if err = p.passOver(d, err); err != nil {
				return err
			}
			continue
		}
		if !ok {
			continue
		}
		p.ev.redact()
		p.kbuf = encodeRow(p.kbuf[:0], p.ev.Time, redactedEntry(&p.ev))
		d.rec.rowsBytes += int64(len(p.kbuf) - len(v))
		if err := p.batch.Set(key, p.kbuf); err != nil {
			return err
		}
	}
	return nil
}

// redactions returns the events of a log below a sequence whose payloads are to be taken out of their runs, ascending.
func (s *Store) redactions(id LogID, below Seq) ([]Seq, error) {
	it, err := s.kv.NewIter(redactKey(id, 0), redactKey(id, below))
	if err != nil {
		return nil, s.wrap("catalog", err)
	}
	defer it.Close()
	var seqs []Seq
	for ok := it.First(); ok; ok = it.Next() {
		seq, err := keySeq(it.Key())
		if err != nil {
			return nil, s.badRecord(it.Key(), err)
		}
		seqs = append(seqs, seq)
	}
	if err := it.Err(); err != nil {
		return nil, s.wrap("catalog", err)
	}
	return seqs, nil
}

// setRedact notes that a frame redacts an event, and has that looked after.
func (m *maintainer) setRedact(o Ordinal) {
	m.dueMu.Lock()
	m.redact = max(m.redact, o)
	m.dueMu.Unlock()
	m.kick()
}
