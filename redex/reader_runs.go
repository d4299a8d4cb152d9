package redex

import (
	"errors"
	"fmt"

	"github.com/seed69692123/netdb/redex/sealed"
)

// locateSealed finds the run or the rows that hold the next event.
func (f *feed) locateSealed() error {
	s := f.l.s
	first, rec, found, err := s.findRun(f.l.id, f.at)
	if err != nil {
		return err
	}
	if !found || f.at > rec.last {
		return f.loadRows()
	}
	f.runTo = min(f.to, rec.last+1)
	if f.sparse, f.losses = rec.sparse, false; rec.sparse {
		lost, err := f.lostBetween(first, rec.last+1)
		if f.losses = lost != nil; err != nil {
			return err
		}
		if rec.file == 0 {
			return f.skipTo(f.runTo)
		}
	}
	if f.file, f.run, err = s.openRun(f.l.id, first, &rec); err != nil {
		return err
	}
	f.src = fromRun
	if !f.point {
		if f.runC == nil {
			f.runC = f.run.Cursor(uint64(f.at), uint64(f.runTo))
		} else {
			f.runC.Reset(f.run, uint64(f.at), uint64(f.runTo))
		}
	}
	return nil
}

// skipTo passes the sequences up to to, which a sparse run does not hold: damage is told, what compaction took is not.
func (f *feed) skipTo(to Seq) error {
	if f.losses {
		lost, err := f.lostBetween(f.at, to)
		if err != nil {
			return err
		}
		if lost != nil {
			f.at = max(f.at, lost.first)
			return lost.err
		}
	}
	f.at = to
	return errSkipped
}

// openRun opens a run of the catalog. The caller releases the file.
func (s *Store) openRun(id LogID, first Seq, rec *runRecord) (*rowFile, *sealed.Run, error) {
	file, err := s.rows.acquire(rec.file)
	if err != nil {
		// A file goes only when the catalog names it no more: it may have been read before that.
		if now, same, found, ferr := s.findRun(id, first); ferr == nil && (!found || now != first || same.at != rec.at || same.file != rec.file) {
			return nil, nil, errMoved
		}
		return nil, nil, quarantine(err, first, rec.last+1)
	}
	run, err := s.rows.run(file, rec.at)
	if err == nil && !rec.is(id, first, run.Info()) {
		err = &CorruptionError{File: s.rows.path(rec.file), Offset: rec.at.Offset, Err: errors.New("there is another run than the catalog says")}
	}
	if err != nil {
		return nil, nil, errors.Join(quarantine(err, first, rec.last+1), s.rows.release(file))
	}
	return file, run, nil
}

// quarantine notes the sequences that damage makes unreadable.
func quarantine(err error, first, end Seq) error {
	if c, ok := errors.AsType[*CorruptionError](err); ok {
		c.Seq, c.End = first, end
	}
	return err
}

// findRun returns the last run that begins at or below seq.
func (s *Store) findRun(id LogID, seq Seq) (first Seq, rec runRecord, found bool, err error) {
	from, to := logKeys(keyRun, id)
	it, err := s.kv.NewIter(from, to)
	if err != nil {
		return 0, rec, false, s.wrap("catalog", err)
	}
	defer it.Close()
	if it.SeekLT(logSeqKey(keyRun, id, seq+1)) {
		v, err := it.Value()
		if err != nil {
			return 0, rec, false, s.wrap("catalog", err)
		}
		if rec, err = decodeRun(v); err != nil {
			return 0, rec, false, s.badRecord(it.Key(), err)
		}
		first, err = keySeq(it.Key())
		if err != nil {
			return 0, rec, false, s.badRecord(it.Key(), err)
		}
		return first, rec, true, nil
	}
	if err := it.Err(); err != nil {
		return 0, rec, false, s.wrap("catalog", err)
	}
	return 0, rec, false, nil
}

// nextOfRun reads the next event of the run.
func (f *feed) nextOfRun() error {
	if f.point {
		ok, err := f.run.Read(uint64(f.at), &f.row)
		switch {
		case err != nil:
			return f.runErr(err)
		case !ok && f.sparse:
			return f.skipTo(f.at + 1)
		case !ok:
			return f.lost()
		}
		return f.setRow(&f.row)
	}
	if f.runC.Next() {
		r := f.runC.Row()
		if Seq(r.Seq) != f.at {
			if !f.sparse {
				return f.lost()
			}
			if err := f.skipTo(Seq(r.Seq)); !errors.Is(err, errSkipped) {
				return err
			}
		}
		return f.setRow(r)
	}
	if err := f.runC.Err(); err != nil {
		return f.runErr(err)
	}
	if f.sparse && f.at < f.runTo {
		return f.skipTo(f.runTo)
	}
	if f.at <= Seq(f.run.Info().Last) {
		return f.lost()
	}
	return errMoved // to what follows the run
}

// runErr adds to damage of a run which sequences cannot be read.
func (f *feed) runErr(err error) error {
	err = fileError(f.l.s.rows.path(f.file.n), err)
	if c, ok := errors.AsType[*CorruptionError](err); ok {
		info := f.run.Info()
		c.Seq, c.End = Seq(info.First), Seq(info.Last)+1
		for i := range f.run.Blocks() {
			if b := f.run.Block(i); f.at <= Seq(b.Last) {
				c.Seq, c.End = min(f.at, Seq(b.First)), Seq(b.Last)+1
				break
			}
		}
	}
	return err
}

// setRow makes a row the current event.
func (f *feed) setRow(r *sealed.Row) (err error) {
	err = f.setHeaders(r.Headers)
	if err != nil || Encoding(r.Encoding) > Msgpack || r.Flags&^(rowTombstone|rowRedacted) != 0 {
		return &CorruptionError{Seq: f.at, End: f.at + 1, File: f.l.s.rows.path(f.file.n), Err: fmt.Errorf("row cannot be decoded: %w", errors.Join(errRecord, err))}
	}
	f.ev = Event{
		Time: r.Time, Kind: Kind(r.Kind), Encoding: Encoding(r.Encoding), Tombstone: r.Flags&rowTombstone != 0, Redacted: r.Flags&rowRedacted != 0,
		Origin: Origin(r.Origin), Idempotency: r.Idempotency, SchemaVersion: r.SchemaVersion,
		Key: r.Key, Headers: f.ev.Headers, Payload: r.Payload,
	}
	return nil
}

// lost returns why an event that should be sealed is not: damage took it from the journal before, or errMoved.
func (f *feed) lost() error {
	lost, err := f.lostBetween(f.at, f.at+1)
	switch {
	case err != nil:
		return err
	case lost != nil:
		return lost.err
	}
	return errMoved
}

// lostSpan is a range of sequences that damage took.
type lostSpan struct {
	first Seq
	err   error // of reading it: a CorruptionError, or a RangeLostError once a repair has settled it
}

// lostBetween returns the first range that damage took and that has sequences of [from, to), or nil.
func (f *feed) lostBetween(from, to Seq) (*lostSpan, error) {
	s := f.l.s
	first, end := logKeys(keyLost, f.l.id)
	it, err := s.kv.NewIter(first, end)
	if err != nil {
		return nil, s.wrap("catalog", err)
	}
	defer it.Close()
	for ok := it.SeekLT(logSeqKey(keyLost, f.l.id, from+1)) || it.Err() == nil && it.First(); ok; ok = it.Next() {
		v, err := it.Value()
		if err != nil {
			return nil, s.wrap("catalog", err)
		}
		rec, err := decodeLost(v)
		if err != nil {
			return nil, s.badRecord(it.Key(), err)
		}
		first, err := keySeq(it.Key())
		switch {
		case err != nil:
			return nil, s.badRecord(it.Key(), err)
		case first >= to:
			return nil, nil
		case from < rec.end && rec.settled:
			return &lostSpan{first, &RangeLostError{Log: f.l.Name(), From: max(first, from), To: rec.end}}, nil
		case from < rec.end:
			return &lostSpan{first, &CorruptionError{Log: f.l.Name(), Seq: first, End: rec.end, File: rec.file, Offset: rec.offset, Err: errors.New(rec.why)}}, nil
		}
	}
	if err := it.Err(); err != nil {
		return nil, s.wrap("catalog", err)
	}
	return nil, nil
}
