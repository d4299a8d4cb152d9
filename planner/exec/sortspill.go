package exec

import (
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
)

// makeRoom puts the rows in memory on disk when there is no room for those of a batch.
func (s *Sort) makeRoom(b *vector.Batch) error {
	if s.rows == nil || s.rows.Len() == 0 {
		return nil
	}
	if !s.spill.crowded(b, s.vecs) {
		return nil
	}
	return s.spillRun()
}

// spillRun writes the rows in memory to disk as a sorted run: their columns, then their key. Of a sort with a small Limit these are
// the first rows of those since the last run; what is not among them is not among the first of all.
func (s *Sort) spillRun() error {
	err := s.spill.fail(s.writeRun())
	s.stats.PeakBytes = max(s.stats.PeakBytes, s.acct.peak)
	return err
}

func (s *Sort) writeRun() error {
	s.bound.at = 0 // of a heap that ends here
	if err := s.sortRun(); err != nil {
		return err
	}
	types := append(slices.Clone(s.rows.Types()), vector.Blob)
	if s.disk == nil {
		s.disk = &diskRuns{p: &s.spill, types: types, key: len(types) - 1}
	}
	f := s.spill.file(types)
	row, key := make([]*vector.Vector, len(types)), vector.New(vector.Blob, 1)
	row[len(types)-1] = key
	s.merge.start(s)
	for ref := s.merge.next(); ref != nil && s.over == nil; ref = s.merge.next() {
		cols, i := s.rows.Row(ref.loc)
		copy(row, cols)
		key.Reset(vector.Blob)
		key.AppendShared(vector.ClassBlob, s.keys.get(ref.at, ref.n))
		key.Const = true // it is the key of row i, whatever i is
		if err := f.Append(row, i); err != nil {
			return err
		}
	}
	if s.over != nil {
		return s.over
	}
	if err := f.Finish(); err != nil {
		return err
	}
	s.rows, s.keys, s.refs, s.runs, s.held = vector.NewRows(s.gate, types[:len(types)-1]), arena{}, nil, nil, 0
	s.merge, s.next = merge{}, s.next[:0]
	s.acct.force(s.spill.area.MemoryBytes())
	return s.disk.add(f)
}

// mergeDisk gets ready to give out the rows on disk.
func (s *Sort) mergeDisk() error {
	if s.rows.Len() > 0 {
		if err := s.spillRun(); err != nil {
			return err
		}
	}
	s.rows, s.keys, s.refs = nil, arena{}, nil
	var err error
	s.final, err = s.disk.finish()
	return s.spill.fail(err)
}

// nextFromDisk returns the next rows, at most n.
func (s *Sort) nextFromDisk(n int) (*vector.Batch, error) {
	if n <= 0 {
		return nil, nil
	}
	if s.err = s.final.next(&s.out, n, nil); s.err != nil || s.out.N == 0 {
		return nil, s.err
	}
	s.stats.PeakBytes = max(s.stats.PeakBytes, s.acct.peak)
	s.given += int64(s.out.N)
	s.stats.Rows += int64(s.out.N)
	return &s.out, nil
}
