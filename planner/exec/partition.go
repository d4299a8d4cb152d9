package exec

import (
	"errors"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/planner/spill"
	"github.com/seed69692123/netdb/planner/vector"
)

// partitions is rows on disk, divided by the hash of their keys: equal keys are in the same file, in the order in which they came.
type partitions struct {
	p     *spiller
	types []vector.Type
	level int // how often the rows were divided before; each time by another hash
	files [spillParts]*spill.File
	held  int64
	rows  int64
}

// maxLevel is how often rows are divided: more does not help where hashes are equal.
const maxLevel = 12

func newPartitions(p *spiller, types []vector.Type, level int) *partitions {
	p.pass(level + 1)
	return &partitions{p: p, types: types, level: level}
}

// part returns the number of the file for rows whose keys have the hash h.
func (q *partitions) part(h uint64) int {
	return int(num.Combine(uint64(q.level)+1, h) >> (64 - spillPartBits))
}

// add writes row i of cols, whose keys have the hash h.
func (q *partitions) add(cols []*vector.Vector, i int, h uint64) error {
	k := q.part(h)
	f := q.files[k]
	if f == nil {
		f = q.p.fileOf(q.types, int(q.p.share()/spillParts/8))
		q.files[k] = f
	}
	q.rows++
	q.held -= f.MemoryBytes()
	err := f.Append(cols, i)
	q.held += f.MemoryBytes()
	return q.p.fail(err)
}

// bytes is the memory of rows that are not written yet.
func (q *partitions) bytes() int64 {
	if q == nil {
		return 0
	}
	return q.held
}

// finish ends the writing.
func (q *partitions) finish() error {
	for _, f := range q.files {
		if f != nil {
			if err := f.Finish(); err != nil {
				return q.p.fail(err)
			}
		}
	}
	q.held = 0
	return nil
}

// drop removes the files.
func (q *partitions) drop() error {
	var errs []error
	for _, f := range q.files {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
