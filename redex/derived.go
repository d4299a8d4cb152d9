package redex

import (
	"context"
	"slices"
)

// Erasure says what of a log's events is to leave what was derived from them.
type Erasure struct {
	// Seqs are events whose payloads are redacted and about to leave the files, ascending.
	Seqs []Seq
	// Erased is what Log.Erased will be when they have left them.
	Erased int64
}

// Eraser takes out what was derived from the payloads of events, and returns when it is in no file any more: of those of an
// Erasure, and of those below the log's floor. Until it returns nil the redaction is not done, and it is called again.
type Eraser func(ctx context.Context, e Erasure) error

type eraser struct{ erase Eraser }

// OnErase has f called before the payloads of redacted events leave the store's files, and by each Store.Maintain, until release is
// called, which does not wait for a call in progress. It is for what is derived from the log and open. What is not open finds
// out by Erased; who opens it calls OnErase, then Redacting and then Erased, to miss nothing.
func (l *Log) OnErase(f Eraser) (release func()) {
	e := &eraser{f}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.erasers = append(slices.Clip(l.erasers), e)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.erasers = slices.DeleteFunc(slices.Clone(l.erasers), func(o *eraser) bool { return o == e })
	}
}

// Erased returns how many events were redacted and have left the store's files, since the log began. It only grows.
func (l *Log) Erased() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sealed.erased
}

// Redacting returns the events, ascending, that are redacted and may still be in the store's files. The slice must not be changed.
func (l *Log) Redacting() []Seq {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.masked
}

// derived returns who derived something from the log, and how many of its events are erased.
func (l *Log) derived() ([]*eraser, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.erasers, l.sealed.erased
}

// eraseDerived has redacted payloads leave what is derived from them, before the records of the redactions go.
func (s *Store) eraseDerived(ctx context.Context, what redacted) error {
	for id, seqs := range what {
		l, err := s.byID(id)
		if l == nil || err != nil {
			continue // who removes the records says so
		}
		erasers, erased := l.derived()
		for _, e := range erasers {
			if err := e.erase(ctx, Erasure{Seqs: seqs, Erased: erased + int64(len(seqs))}); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepDerived has what is derived from logs let go of events that retention took.
func (s *Store) sweepDerived(ctx context.Context) error {
	var logs []*Log
	s.reg.Lock()
	for id := range s.reg.logs {
		if l := s.liveLocked(id); l != nil {
			logs = append(logs, l)
		}
	}
	s.reg.Unlock()
	for _, l := range logs {
		erasers, erased := l.derived()
		for _, e := range erasers {
			if err := e.erase(ctx, Erasure{Erased: erased}); err != nil {
				return err
			}
		}
	}
	return nil
}
