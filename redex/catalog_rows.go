package redex

import (
	"errors"
)

// eachRow calls f for the values of the rows of a log in [from, to). From damage on it looks for each row by itself, and
// returns the damage after all that can be read.
func (s *Store) eachRow(id LogID, from, to Seq, f func(seq Seq, v []byte) error) error {
	next := from
	err := s.scanRows(id, from, to, func(seq Seq, v []byte) error {
		next = seq + 1
		return f(seq, v)
	})
	if !errors.Is(err, ErrCorrupt) {
		return err
	}
	for ; next < to; next++ {
		v, ok, gerr := s.kv.Get(logSeqKey(keyRow, id, next), nil)
		switch {
		case gerr == nil && ok:
			gerr = f(next, v)
		case gerr != nil:
			gerr = s.wrap("catalog", gerr)
		}
		if gerr != nil && !errors.Is(gerr, ErrCorrupt) {
			return gerr
		}
	}
	return err
}

// scanRows is eachRow up to the first damage.
func (s *Store) scanRows(id LogID, from, to Seq, f func(seq Seq, v []byte) error) error {
	it, err := s.kv.NewIter(logSeqKey(keyRow, id, from), logSeqKey(keyRow, id, to))
	if err != nil {
		return s.wrap("catalog", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.Value()
		if err != nil {
			return s.wrap("catalog", err)
		}
		seq, err := keySeq(it.Key())
		if err != nil {
			return s.badRecord(it.Key(), err)
		}
		if err := f(seq, v); err != nil {
			return err
		}
	}
	if err := it.Err(); err != nil {
		return s.wrap("catalog", err)
	}
	return nil
}
