package redex

import (
	"context"
	"errors"
	"slices"

	"github.com/seed69692123/netdb/redex/sealed"
)

// redacted are the redactions of the catalog by log, ascending.
type redacted map[LogID][]Seq

// within returns those of a log in [first, last].
func (r redacted) within(id LogID, first, last Seq) []Seq {
	seqs := r[id]
	from, _ := slices.BinarySearch(seqs, first)
	to, _ := slices.BinarySearch(seqs, last+1)
	return seqs[from:to:to]
}

// erase takes redacted payloads out of all files of the store. The catalog's records of redactions go last, so that a store that is
// opened after a crash begins anew. A pass may have given up what was to be moved: then it is done again.
func (s *Store) erase(ctx context.Context, pace *pacer) error {
	m := &s.maintain
	for range lookAgain {
		m.dueMu.Lock()
		o := m.redact
		m.dueMu.Unlock()
		if o == 0 {
			return nil
		}
		if err := s.sealTo(ctx, Ordinal(s.visible.Load())); err != nil {
			return err
		}
		what, err := s.allRedacted() // before the journal goes on: what is redacted later is not erased yet
		if err != nil {
			return err
		}
		if err := s.eraseJournal(ctx); err != nil {
			return err
		}
		err = s.eraseRuns(ctx, what, pace)
		if errors.Is(err, errGaveWay) {
			continue
		}
		if err == nil || errors.Is(err, ErrCorrupt) {
			m.dueMu.Lock()
			if m.redact == o {
				m.redact = 0
			}
			m.dueMu.Unlock()
		}
		return err
	}
	return nil // so many trims: it stays noted
}

// eraseJournal has the journal go on in a new segment, so that those with the payloads are let go, and the catalog write anew the
// tables that may have them.
func (s *Store) eraseJournal(ctx context.Context) error {
	if err := s.drainJournal(ctx); err != nil {
		return err
	}
	if err := s.kv.Compact(ctx, []byte{keyRow}, []byte{keyRow + 1}); err != nil {
		return s.wrap("catalog", err)
	}
	return nil
}

// allRedacted returns the redactions of all logs.
func (s *Store) allRedacted() (redacted, error) {
	it, err := s.kv.NewIter([]byte{keyRedact}, []byte{keyRedact + 1})
	if err != nil {
		return nil, s.wrap("catalog", err)
	}
	defer it.Close()
	what := redacted{}
	for ok := it.First(); ok; ok = it.Next() {
		id, err := keyLog(it.Key())
		seq, serr := keySeq(it.Key())
		if err := errors.Join(err, serr); err != nil {
			return nil, s.badRecord(it.Key(), err)
		}
		what[id] = append(what[id], seq)
	}
	if err := it.Err(); err != nil {
		return nil, s.wrap("catalog", err)
	}
	return what, nil
}

// eraseRuns empties the row files that have a redacted payload: in a run that lives, or in one that does no more, beside others.
// Then the records of the redactions go, but for those of logs that have runs in a damaged file.
func (s *Store) eraseRuns(ctx context.Context, what redacted, pace *pacer) error {
	if len(what) == 0 {
		return nil
	}
	files, err := s.fileNumbers()
	if err != nil {
		return err
	}
	if err := s.eraseDerived(ctx, what); err != nil {
		return err
	}
	var damage error
	for _, n := range files {
		logs, err := s.holdsRedacted(ctx, n, what)
		if err == nil && len(logs) > 0 {
			err = s.moveOut(ctx, n, pace, what)
		}
		switch {
		case err == nil:
		case !errors.Is(err, ErrCorrupt):
			return err
		case logs == nil: // it is not known what the file has
			return errors.Join(damage, err)
		default:
			damage = errors.Join(damage, err)
			for _, id := range logs {
				delete(what, id)
			}
		}
	}
	var tasks []*rewriteTask
	for id, seqs := range what {
		if l, err := s.byID(id); err != nil {
			damage = errors.Join(damage, err)
		} else if l != nil {
			tasks = append(tasks, &rewriteTask{log: l, redact: seqs})
		}
	}
	_, err = s.rewriteRuns(ctx, tasks, nil)
	return errors.Join(err, damage)
}

// fileNumbers returns the row files that something lives in.
func (s *Store) fileNumbers() (files []uint64, err error) {
	it, err := s.kv.NewIter([]byte{keyFile}, []byte{keyFile + 1})
	if err != nil {
		return nil, s.wrap("catalog", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		n, err := keyLog(it.Key()) // the number stands where a log's does
		if err != nil {
			return nil, s.badRecord(it.Key(), err)
		}
		files = append(files, uint64(n))
	}
	if err := it.Err(); err != nil {
		return nil, s.wrap("catalog", err)
	}
	return files, nil
}

// holdsRedacted returns the logs of which a row file has redacted events with their payloads.
func (s *Store) holdsRedacted(ctx context.Context, n uint64, what redacted) (logs []LogID, err error) {
	file, err := s.rows.acquire(n)
	if err != nil {
		if _, ok, gerr := s.kv.Get(fileKey(n), nil); gerr == nil && !ok {
			return nil, nil // it went meanwhile
		}
		return nil, err
	}
	defer func() { _ = s.rows.release(file) }() // only read from
	for info, err := range file.r.Runs() {
		if err != nil {
			return nil, fileError(s.rows.path(n), err)
		}
		seqs := what.within(LogID(info.Log), Seq(info.First), Seq(info.Last))
		if len(seqs) == 0 || slices.Contains(logs, LogID(info.Log)) {
			continue
		}
		run, err := file.r.Run(info.Location)
		has := err != nil // what cannot be read may be there
		for i := 0; i < len(seqs) && !has; i++ {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			var row sealed.Row
			ok, err := run.Read(uint64(seqs[i]), &row)
			has = err != nil || ok && row.Flags&rowRedacted == 0
		}
		if has {
			logs = append(logs, LogID(info.Log))
		}
	}
	return logs, nil
}
