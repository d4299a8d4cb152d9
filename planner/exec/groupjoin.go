package exec

import (
	"context"
	"errors"

	"github.com/seed69692123/netdb/planner/vector"
)

// GroupJoin gives each row of its left side with aggregates of its partners on the right, in the order of the left side: what a
// query used as a value is that computes an aggregate for each row. Its batches have the left columns, then the aggregates,
// whose arguments see the columns of both sides. An aggregate of no row is that of an empty group. What is held are the groups
// of one batch of left rows, beside the right side, which is read when the first left row has come.
type GroupJoin struct {
	Join
	Aggs []*Aggregate

	g       *evalState // of the aggregates
	gacct   account
	aggs    []*aggState
	ks      []int32 // of the pairs: the group
	given   int     // groups of in that were given out
	fault   error   // of the row behind the last of in
	results []*vector.Vector
	idx     []int32
	give    vector.Batch
}

// Open opens both inputs.
func (j *GroupJoin) Open(ctx context.Context) error {
	j.g = newEvalState(j.Env)
	j.gacct = newAccount(j.Env, "aggregate")
	for _, a := range j.Aggs {
		st := &aggState{agg: a, args: j.g.compileAll(a.Inputs())}
		st.vecs = make([]*vector.Vector, len(st.args))
		if a.Filter != nil {
			st.filter = j.g.compile(a.Filter)
		}
		j.aggs = append(j.aggs, st)
		j.results = append(j.results, &vector.Vector{})
	}
	j.outer = j
	return j.Join.Open(ctx)
}

// Next returns the next left rows.
func (j *GroupJoin) Next(ctx context.Context) (*vector.Batch, error) {
	if j.err != nil {
		return nil, j.err
	}
	j.s.begin(ctx)
	j.res.s.begin(ctx)
	j.g.begin(ctx)
	for {
		if j.err = ctx.Err(); j.err != nil {
			return nil, j.err
		}
		if j.in != nil && j.given == j.in.Rows() {
			j.in = nil
			if j.fault != nil {
				j.pending = j.fault
			}
		}
		if j.in == nil {
			if j.err = j.pending; j.err != nil {
				return nil, j.err
			}
			if j.disk == nil {
				j.err = j.nextLeft(ctx)
			}
			if j.disk != nil && j.err == nil {
				var b *vector.Batch
				b, j.err = j.nextFromDisk(ctx)
				return b, j.err
			}
			if j.err != nil || j.in == nil {
				return nil, j.err
			}
			if j.err = j.aggregate(); j.err != nil {
				return nil, j.err
			}
			continue
		}
		if j.err = j.some(); j.err != nil {
			return nil, j.err
		}
		if n := j.give.N; n > 0 {
			j.stats.Rows += int64(n)
			return &j.give, nil
		}
	}
}

// aggregate computes the groups of in. Where one fails, in is cut before it and computed again: its groups must not have any of
// what failed.
func (j *GroupJoin) aggregate() error {
	j.given, j.fault = 0, nil
	for {
		for _, a := range j.aggs {
			a.acc = newAccumulator(&storeGate{j.g, &j.gacct}, a.agg)
			a.acc.grow(j.in.Rows())
		}
		k, err := j.partners()
		var ve *ValueError
		if err == nil || !errors.As(err, &ve) {
			return err
		}
		j.fault = err
		j.part.noteRow(&j.Join, j.in.Row(k))
		j.in.Sel = before(j.in.Sel, j.in.Row(k))
		if k == 0 {
			return nil
		}
	}
}

// partners goes through the pairs of in. An error of a value comes with the row of in it belongs to.
func (j *GroupJoin) partners() (failed int, err error) {
	limit := j.Env.batchRows()
	j.p, j.b, j.ks = j.p[:0], j.b[:0], j.ks[:0]
	for k := range j.in.Rows() {
		i := j.in.Row(k)
		for at := j.first(i); at >= 0; at = j.after(i, at) {
			j.p, j.b = append(j.p, int32(i)), append(j.b, j.build.refs.at(int(at)).loc)
			j.ks = append(j.ks, int32(k))
			if len(j.p) == limit {
				if failed, err := j.take(); err != nil {
					return failed, err
				}
			}
		}
	}
	if err := j.s.Fault(); err != nil {
		return 0, err
	}
	return j.take()
}

// take adds the pairs that were collected to their groups.
func (j *GroupJoin) take() (failed int, err error) {
	for at := 0; at < len(j.p); {
		n := j.build.rows.Fit(nil, j.b[at:], partBytes)
		j.gather(j.p[at:at+n], j.b[at:at+n])
		ks := j.ks[at : at+n]
		at += n
		sel, err := j.res.apply(&j.out)
		var ve *ValueError
		if err != nil && !errors.As(err, &ve) {
			return 0, err
		}
		failed := j.res.failedAt
		j.out.Sel = sel
		if err2 := j.add(ks, &failed); err2 != nil {
			err = err2
		}
		if err != nil {
			return int(ks[failed]), err
		}
	}
	j.p, j.b, j.ks = j.p[:0], j.b[:0], j.ks[:0]
	return 0, nil
}

// add adds the rows of out to the groups ks. An error of a value comes with the row that failed.
func (j *GroupJoin) add(ks []int32, failed *int) error {
	return j.g.each(&j.out, func(b *vector.Batch) error {
		for _, a := range j.aggs {
			if err := a.eval(j.g, b); err != nil {
				var re *rowError
				if errors.As(err, &re) {
					*failed = re.row
					return re.err
				}
				return err
			}
		}
		for _, a := range j.aggs {
			if err := a.add(j.g, b, ks); err != nil {
				var re *rowError
				if errors.As(err, &re) {
					*failed = re.row
					return re.err
				}
				return err
			}
		}
		return j.count(0)
	})
}

func (j *GroupJoin) count(more int64) error {
	n := more
	for _, a := range j.aggs {
		n += a.acc.bytes()
	}
	err := j.gacct.set(n)
	j.stats.PeakBytes = j.acct.peak + j.gacct.peak
	return err
}

// some makes the results of the next groups, no more than their bytes allow: a large one is alone.
func (j *GroupJoin) some() error {
	for i, a := range j.aggs {
		j.results[i].Reset(a.agg.T)
	}
	n, data := 0, 0
	j.idx = j.idx[:0]
	for k := j.given; k < j.in.Rows() && n < j.Env.batchRows() && data < partBytes; k++ {
		large := false
		for _, a := range j.aggs {
			large = large || a.acc.size(k) >= vector.LargeBytes
		}
		if large {
			if n > 0 {
				break
			}
			data = partBytes
		}
		for i, a := range j.aggs {
			if err := a.acc.result(j.results[i], k); err != nil {
				var ve *ValueError
				if err = placed(j.g.errorAt(a.agg.Span, err)); !errors.As(err, &ve) {
					return err
				}
				j.fault = err
				j.part.noteRow(&j.Join, j.in.Row(k))
				j.in.Sel = before(j.in.Sel, j.in.Row(k))
				return j.put(n)
			}
			data += a.acc.size(k)
		}
		j.idx = append(j.idx, int32(j.in.Row(k)))
		n++
	}
	return j.put(n)
}

// put makes the batch of the next n left rows and their results.
func (j *GroupJoin) put(n int) error {
	j.given += n
	j.give.Cols = j.give.Cols[:0]
	for k, c := range j.probeC {
		c.Gather(j.in.Cols[k], j.idx[:n])
		j.give.Cols = append(j.give.Cols, c)
	}
	more := int64(0)
	for _, v := range j.results {
		more += v.DataBytes()
	}
	j.give.Cols = append(j.give.Cols, j.results...)
	j.give.N, j.give.Sel = n, nil
	if err := j.count(more); err != nil {
		return err
	}
	return j.g.Step(n * rowStep)
}

// Close frees what is held and closes both inputs.
func (j *GroupJoin) Close() error {
	j.gacct.release()
	j.g.close()
	j.aggs = nil
	return j.Join.Close()
}

// Stats returns what the operator counted.
func (j *GroupJoin) Stats() Stats {
	st := j.Join.Stats()
	if j.g != nil {
		st.OtherType += j.g.OtherType
	}
	return st
}
