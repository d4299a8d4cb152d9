package redex

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seed69692123/netdb/redex/sealed"
)

// sweep removes the row files that a pass left which was cut short: those the catalog does not name. A file is not removed while
// there is any doubt: it may be all there is of some events.
func (s *Store) sweep() error {
	names, err := s.fs.List(s.rows.dir)
	if err != nil {
		return err
	}
	var all, unnamed []uint64
	for _, name := range names {
		if n, ok := parseRowFileName(name); ok {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	if len(all) > 0 {
		if err := s.checkOwner(all[len(all)-1]); err != nil {
			return err
		}
	}
	if s.o.ReadOnly {
		return nil
	}
	for _, n := range all {
		s.seal.nextFile.Store(max(s.seal.nextFile.Load(), n+1))
		_, named, err := s.kv.Get(fileKey(n), nil)
		if err != nil {
			if err = s.fileDamaged(n, s.wrap("catalog", err)); err != nil {
				return err
			}
		} else if !named {
			unnamed = append(unnamed, n)
		}
	}
	if len(unnamed) == 0 || len(s.recovery.Damage) > 0 { // the catalog may be what is wrong
		return nil
	}
	living, err := s.filesOfRuns()
	if errors.Is(err, ErrCorrupt) {
		s.log.Error("redex: leftover row files stay: the catalog is damaged", "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	for _, n := range unnamed {
		if living[n] {
			if err := s.fileDamaged(n, s.badRecord(fileKey(n), fmt.Errorf("%w: it is missing", errRecord))); err != nil {
				return err
			}
			continue
		}
		if err := s.checkOwner(n); err != nil {
			return err
		}
		if err := s.rows.remove(n); err != nil {
			return err
		}
	}
	return nil
}

// filesOfRuns returns the files that runs in the catalog lie in.
func (s *Store) filesOfRuns() (map[uint64]bool, error) {
	it, err := s.kv.NewIter([]byte{keyRun}, []byte{keyRun + 1})
	if err != nil {
		return nil, s.wrap("catalog", err)
	}
	defer it.Close()
	living := map[uint64]bool{}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.Value()
		if err != nil {
			return nil, s.wrap("catalog", err)
		}
		rec, err := decodeRun(v)
		if err != nil {
			return nil, s.badRecord(it.Key(), err)
		}
		living[rec.file] = true
	}
	if err := it.Err(); err != nil {
		return nil, s.wrap("catalog", err)
	}
	return living, nil
}

// checkOwner returns a ForeignFilesError when a row file is of another store. One whose header cannot be read is nobody's.
func (s *Store) checkOwner(n uint64) error {
	f, err := s.fs.Open(s.rows.path(n))
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = sealed.NewReader(f, info.Size(), sealed.ReaderOptions{Owner: s.rows.owner})
	}
	_ = f.Close() // only read from
	if foreign, ok := errors.AsType[*sealed.ForeignError](err); ok {
		return &ForeignFilesError{Path: s.rows.path(n), Want: s.files.String(), Have: ownerString(foreign.Have)}
	}
	return nil
}

// fileDamaged returns nil for damage of the record of a row file. Nothing is known of how many runs live in the file, so it stays
// for good; the runs say where they are, and are read and sealed as ever.
func (s *Store) fileDamaged(n uint64, err error) error {
	if !errors.Is(err, ErrCorrupt) {
		return err
	}
	s.log.Error("redex: a row file stays for good: its record is damaged", "file", s.rows.path(n), "err", err)
	return nil
}
