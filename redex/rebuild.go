package redex

import (
	"errors"
	"fmt"
)

// rebuild returns a log that has events in the journal and whose records in the catalog are damaged: else one bad block of the
// catalog would keep the whole store from being opened. Its runs and rows are found by its id, and what they say is all that is
// known; its options are those of a new log. The next pass writes the record anew.
func (r *replay) rebuild(id LogID, time int64, cause error) (*Log, error) {
	s := r.s
	name, rec, err := s.nameOf(id)
	if err != nil {
		return nil, err
	}
	lost := "the name of its id was lost"
	if rec == nil {
		lost = "its record was lost, and rebuilt without options"
		if rec, err = s.rebuiltRecord(id); err != nil {
			return nil, err
		}
		rec.created = time // or earlier
		if r.rebuilt == nil {
			r.rebuilt = map[LogID]bool{}
		}
		r.rebuilt[id] = true
	}
	d := &CorruptionError{Log: name, File: s.catalogPath(), Err: fmt.Errorf("%s: %w", lost, cause)}
	s.log.Error("redex: damaged log", "log", name, "id", id, "err", d)
	r.damage = append(r.damage, d)
	s.reg.Lock()
	defer s.reg.Unlock()
	if p, ok := s.reg.names[name]; ok && p.id != id { // a frame has given it to another
		name = recoveredName(id)
	}
	l := s.newLogLocked(name, *rec)
	s.reg.names[name] = pendingName{id, r.last} // until the catalog has it again
	return l, nil
}

// nameOf returns the name of a log, and its record if that can be read; where one of the two is damaged the other tells.
func (s *Store) nameOf(id LogID) (string, *logRecord, error) {
	b, ok, err := s.kv.Get(idKey(id), nil)
	if err != nil {
		if err := s.wrap("catalog", err); !errors.Is(err, ErrCorrupt) {
			return "", nil, err
		}
	} else if ok && len(b) > 0 {
		rec, ok, err := s.readLog(string(b))
		switch {
		case errors.Is(err, ErrCorrupt):
			return string(b), nil, nil
		case err != nil:
			return "", nil, err
		case ok && rec.id == id:
			return string(b), &rec, nil
		}
	}
	it, err := s.kv.NewIter([]byte{keyName}, []byte{keyName + 1})
	if err != nil {
		return "", nil, s.wrap("catalog", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.Value()
		if err != nil {
			break // told with the rest
		}
		if rec, err := decodeLog(v); err == nil && rec.id == id {
			return string(it.Key()[1:]), &rec, nil
		}
	}
	return recoveredName(id), nil, nil
}

// rebuiltRecord makes the record of a log from its runs and rows, as far as they can be read.
func (s *Store) rebuiltRecord(id LogID) (*logRecord, error) {
	rec := &logRecord{id: id}
	found := false
	begin := func(first Seq) {
		if !found {
			found, rec.floor = true, first
		}
	}
	err := s.eachRun(id, 0, maxSeq, func(first Seq, _ []byte, run runRecord) error {
		begin(first)
		rec.next, rec.rowsFrom, rec.lastTime = run.last+1, run.last+1, max(rec.lastTime, run.max)
		rec.runs++
		rec.rawBytes += run.raw
		rec.storedBytes += run.stored
		rec.gone += run.gone
		return nil
	})
	if err != nil && !errors.Is(err, ErrCorrupt) {
		return nil, err
	}
	err = s.scanRows(id, rec.next, maxSeq, func(seq Seq, v []byte) error {
		begin(seq)
		if rec.rowsBytes == 0 && rec.runs == 0 {
			rec.rowsFrom = seq
		}
		rec.next = seq + 1
		rec.rowsBytes += int64(len(v))
		var ev Event
		if _, err := decodeRow(v, &ev); err == nil {
			rec.lastTime = max(rec.lastTime, ev.Time)
		}
		return nil
	})
	if err != nil && !errors.Is(err, ErrCorrupt) {
		return nil, err
	}
	return rec, nil
}

// resume is called before the first event in the journal of a log that was rebuilt: the catalog held all before it, also what
// can no longer be read, or was trimmed.
func (r *replay) resume(l *Log, first Seq) {
	if !r.rebuilt[l.id] || first <= l.next || len(l.hot.chunks) > 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sealed.floor == l.sealed.next {
		l.sealed.floor, l.sealed.rowsFrom = first, first
		l.floor = max(l.floor, first)
	}
	l.next, l.sealed.next = first, first
}
