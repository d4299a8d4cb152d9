package exec

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
)

// buildSide is the rows kept.
type buildSide struct {
	rows   *vector.Rows // columns, then those keys that are no column
	keys   []int        // where each key is in rows
	refs   paged[buildRef]
	once   bool         // rows whose key came before may be left out
	codes  keyCodes     // of the rows that are kept
	heads  paged[int32] // by hash: the first row of a chain + 1, 0 is none
	mask   uint64
	locs   []vector.Loc
	filter int64 // bytes of the set of keys that a scan is given
	err    error // a key failed; it counts once there is a probe row
}

// buildRef is a row of the build side. Rows are numbered as they come; next is the number + 1 of the next one in its bucket.
type buildRef struct {
	hash uint64
	loc  vector.Loc
	next int32
}

// readBuild takes in the build side.
func (j *Join) readBuild(ctx context.Context) error {
	in, _, keys := j.sides()
	evals := j.s.compileAll(keys)
	vecs := make([]*vector.Vector, len(evals))
	for j.build.err == nil || j.Kind == JoinFull {
		b, err := in.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if err := j.s.each(b, func(part *vector.Batch) error {
			if j.build.err != nil {
				return j.keep(part, nullKeys(evals))
			}
			sel, err := evalAll(evals, part, part.Sel, vecs)
			var ve *ValueError
			switch {
			case errors.As(err, &ve):
				// It counts once there is a probe row; which partners there are does not matter then, only that there are
				// rows: a full join gives them when there is no probe row.
				j.build.err = err
				if j.Kind == JoinFull {
					return j.keep(part, nullKeys(evals))
				}
				return errStop
			case err != nil:
				return err
			}
			part.Sel = sel
			return j.keep(part, vecs)
		}); err != nil && !errors.Is(err, errStop) {
			return err
		}
	}
	if j.disk == nil && j.spill.can() && j.acct.ask(int64(j.build.refs.n)*headBytes) != nil {
		if err := j.toDisk(); err != nil {
			return err
		}
	}
	if j.disk == nil && j.Kind == JoinFull {
		if err := j.full.start(j); err != nil { // which may be what is too much
			return err
		}
	}
	switch {
	case j.disk != nil:
		j.full = fullSide{}
		return j.endBuildOnDisk()
	case len(evals) == 0:
		return nil
	}
	return j.chains()
}

// keep adds rows to the build side.
func (j *Join) keep(b *vector.Batch, keys []*vector.Vector) error {
	bs := &j.build
	if int64(bs.rows.Len())+int64(b.Rows()) > math.MaxInt32 {
		return errTooManyRows
	}
	if bs.once && j.disk == nil {
		if b.Sel = bs.codes.fresh(keys, b); b.Rows() == 0 {
			return nil
		}
	}
	row := vector.Batch{Cols: slices.Clone(b.Cols), N: b.N, Sel: b.Sel}
	for k, at := range bs.keys {
		if at == len(row.Cols) {
			row.Cols = append(row.Cols, keys[k])
		}
	}
	if len(keys) > 0 {
		if cap(j.hashes) < b.N {
			j.hashes = make([]uint64, b.N)
		}
		j.s.Hash(keys, b.Sel, b.N, j.hashes[:b.N])
		if err := j.s.Fault(); err != nil {
			return err
		}
	}
	if onDisk, err := j.keepOnDisk(&row); onDisk || err != nil {
		return err
	}
	var err error
	if bs.locs, err = bs.rows.AppendBatch(bs.locs[:0], &row); err != nil {
		return err
	}
	n := bs.refs.n
	bs.refs.grow(n + len(bs.locs))
	for k, loc := range bs.locs {
		ref := bs.refs.at(n + k)
		if ref.loc = loc; len(keys) > 0 {
			ref.hash = j.hashes[b.Row(k)]
		}
	}
	return j.count()
}

func (j *Join) count() error {
	bs := &j.build
	n := bs.rows.MemoryBytes() + bs.refs.bytes() + bs.heads.bytes() + bs.filter + j.full.seen.bytes() + j.find.bytes()
	if j.most > 0 && n > j.most {
		return errPartTooLarge
	}
	full, err := j.spill.hold(n)
	if !j.read && bs.heads.n == 0 && (full || j.spill.can() && n+int64(bs.refs.n)*headBytes > j.spill.share()) {
		err = j.toDisk()
	}
	j.stats.PeakBytes = j.acct.peak
	return err
}

// chains puts the rows that can have a partner into buckets.
func (j *Join) chains() error {
	bs := &j.build
	size := 64
	for size < 2*bs.refs.n {
		size *= 2
	}
	if err := j.acct.ask(int64(size) * 4); err != nil {
		return err
	}
	for n := 0; n < size; {
		n = min(size, n+pageSize)
		bs.heads.grow(n)
		if err := j.s.Step(pageSize * rowStep); err != nil {
			return err
		}
	}
	bs.mask = uint64(size - 1)
	filter := j.newKeySet()
	// Backwards, so that each chain is in order.
	for i := bs.refs.n - 1; i >= 0; i-- {
		if err := j.s.Step(compareStep); err != nil {
			return err
		}
		ref := bs.refs.at(i)
		cols, row := bs.rows.Row(ref.loc)
		null := false
		for _, k := range bs.keys {
			null = null || cols[k].Null(row)
		}
		if null {
			continue
		}
		head := bs.heads.at(int(ref.hash & bs.mask))
		ref.next, *head = *head, int32(i)+1
		if filter != nil {
			filter.Add(ref.hash, cols, bs.keys, row)
		}
	}
	if filter != nil {
		j.Filter.Publish(filter)
	}
	return j.count()
}

// mostFiltered is how many keys a scan is given at most: the set of more is larger than the processor's caches, and no faster than the join.
const mostFiltered = 4 << 20

// newKeySet returns the set of keys to make for the scan of the probe side; nil when there is none, or no memory for one.
func (j *Join) newKeySet() *vector.KeySet {
	bs := &j.build
	if j.Filter == nil || bs.err != nil || bs.refs.n > mostFiltered {
		return nil
	}
	n := vector.KeySetBytes(bs.refs.n)
	if j.acct.ask(n) != nil {
		return nil
	}
	bs.filter = n
	return vector.NewKeySet(len(bs.keys), bs.refs.n)
}
