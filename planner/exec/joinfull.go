package exec

import "github.com/seed69692123/netdb/planner/vector"

// fullSide is what a full join knows of its build side: which rows have had a partner. Those that have not come at the end, in
// their order, with NULLs on the left.
type fullSide struct {
	seen paged[uint64] // a bit for each row
	at   int           // rows that have been looked at for the end
	locs []vector.Loc
	idx  []int32
}

// start makes room for a bit of each row of the build side.
func (f *fullSide) start(j *Join) error {
	words := (j.build.refs.n + 63) / 64
	if err := j.acct.ask(int64(words) * 8); err != nil {
		return err
	}
	for n := 0; n < words; {
		n = min(words, n+pageSize)
		f.seen.grow(n)
		if err := j.s.Step(pageSize * 8); err != nil {
			return err
		}
	}
	return j.count()
}

// match notes that a build row, -1 for none, has a partner.
func (f *fullSide) match(ref int32) {
	if ref >= 0 {
		*f.seen.at(int(ref >> 6)) |= 1 << (ref & 63)
	}
}

// unmatched returns the next build rows without a partner; nil at the end and in other joins.
func (j *Join) unmatched() (*vector.Batch, error) {
	f := &j.full
	f.locs = f.locs[:0]
	if j.Kind != JoinFull {
		return nil, nil
	}
	from := f.at
	for ; f.at < j.build.refs.n && len(f.locs) < j.Env.batchRows(); f.at++ {
		if *f.seen.at(f.at >> 6)>>(f.at&63)&1 == 0 {
			f.locs = append(f.locs, j.build.refs.at(f.at).loc)
		}
		if err := j.s.Step(rowStep); err != nil {
			return nil, err
		}
	}
	if len(f.locs) == 0 {
		return nil, nil
	}
	if n := j.build.rows.Fit(j.buildC, f.locs, partBytes); n < len(f.locs) {
		// The rest come with the next batch: go back to the first of them.
		last := f.locs[n]
		f.locs = f.locs[:n]
		for f.at = from; j.build.refs.at(f.at).loc != last; f.at++ {
		}
	}
	n := len(f.locs)
	for len(f.idx) < n {
		f.idx = append(f.idx, -1)
	}
	for k, c := range j.probeC {
		if c == nil {
			continue
		}
		c.Gather(vector.New(j.LeftTypes[k], 0), f.idx[:n])
	}
	j.build.rows.Gather(j.buildC, f.locs)
	j.out.N, j.out.Sel = n, nil
	j.stats.Rows += int64(n)
	return &j.out, nil
}

// nullKeys are keys that no row has a partner by.
func nullKeys(keys []evaluator) []*vector.Vector {
	out := make([]*vector.Vector, len(keys))
	for i := range out {
		out[i] = constVector(&Const{})
	}
	return out
}
