package exec

import (
	"errors"
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
)

// distinctRest is the rows that a distinctAcc has seen, where they can go to disk: those of which there is no memory to tell whether they
// were seen are added behind the last row of the aggregate, in their order.
type distinctRest struct {
	of    *HashAggregate // whose aggregate it is
	seen  HashAggregate  // of the group and the values, without aggregates
	began bool
}

// spillDistinct has the DISTINCT aggregates put rows on disk.
func (h *HashAggregate) spillDistinct() {
	if h.part || !h.spill.can() {
		return
	}
	h.spill.inside = 0
	for _, st := range h.aggs {
		switch acc := st.acc.(type) {
		case *distinctAcc:
			acc.rest = &distinctRest{of: h}
			h.spill.inside++
		case *distinctCount:
			acc.of = h
			h.spill.inside++
		}
	}
}

// eachDistinct calls f with the DISTINCT aggregates that have rows which may be on disk.
func (h *HashAggregate) eachDistinct(f func(st *aggState, d *distinctAcc) error) error {
	for _, st := range h.aggs {
		d, _ := st.acc.(*distinctAcc)
		if c, ok := st.acc.(*distinctCount); ok {
			d = c.rest
		}
		if d == nil || d.rest == nil || !d.rest.began {
			continue
		}
		if err := f(st, d); err != nil {
			return err
		}
	}
	return nil
}

// closeDistinct removes the files of DISTINCT aggregates and frees what they hold.
func (h *HashAggregate) closeDistinct() error {
	var errs []error
	_ = h.eachDistinct(func(_ *aggState, d *distinctAcc) error {
		r := d.rest
		var s Stats
		r.seen.spill.count(&s)
		h.spill.wrote += s.SpillBytes
		h.spill.pass(int(s.SpillPasses))
		r.seen.acct.release()
		r.seen.s.close()
		r.began = false
		errs = append(errs, r.seen.spill.close())
		return nil
	})
	return errors.Join(errs...)
}

// endDistinct adds the rows on disk of DISTINCT aggregates, when the input has ended or failed. One of them may fail earlier.
func (h *HashAggregate) endDistinct(err error) error {
	var ve *ValueError
	if err != nil && !errors.As(err, &ve) {
		return err
	}
	also := h.eachDistinct(func(st *aggState, d *distinctAcc) error {
		if d.rest.seen.disk.parts == nil {
			return nil
		}
		h.s.gate = nil
		e := d.drain()
		var row *vector.RowError
		if !errors.As(e, &row) {
			return h.overgrown(e)
		}
		h.disk.fail(int64(row.Row), placed(errorAt(st.agg.Span, row)))
		return nil
	})
	if also != nil {
		return also
	}
	if h.disk.failed.err != nil {
		return h.disk.failed.err
	}
	return err
}

// freezeDistinct lets no more values into the sets of count(DISTINCT x): others go on to what can be put on disk.
func (h *HashAggregate) freezeDistinct() {
	for _, st := range h.aggs {
		if c, ok := st.acc.(*distinctCount); ok && c.of != nil {
			c.frozen = true
		}
	}
}

// begin makes the table of rows that were seen. It has its part of what the aggregate may hold.
func (r *distinctRest) begin(types []vector.Type) {
	r.began = true
	e := *r.of.Env
	e.share = r.of.spill.share()
	g := &r.seen
	g.Env = &e
	g.prepare("distinct")
	for i, t := range types {
		g.Keys = append(g.Keys, &Col{Index: i, T: t})
	}
	g.keyVecs = make([]*vector.Vector, len(g.Keys))
	g.begin()
}

// fresh appends to sel the rows of a batch that are new. Others may be so too, and are on disk.
func (r *distinctRest) fresh(cols []*vector.Vector, sel vector.Sel, n int, to vector.Sel) (vector.Sel, error) {
	g := &r.seen
	g.s.begin(r.of.s.ctx)
	copy(g.keyVecs, cols)
	g.disk.first, g.disk.numbers = r.of.disk.first, r.of.disk.numbers
	rows := vector.Batch{Cols: cols, N: n, Sel: sel}
	before := g.table.len()
	if err := g.take(&rows); err != nil {
		return to, err
	}
	for k := range rows.Rows() {
		if i := rows.Row(k); int(g.groups[i]) == before {
			to = append(to, int32(i))
			before++
		}
	}
	return to, g.overgrown(g.count())
}

// drain adds the rows on disk. An error of a row comes with its number.
func (d *distinctAcc) drain() error {
	g := &d.rest.seen
	g.s.begin(d.rest.of.s.ctx)
	g.at = g.total // they were added
	g.disk.numbers = nil
	if err := g.drain(); err != nil {
		return err
	}
	number := vector.New(vector.Int, 0)
	g.disk.out.Cols = append(g.disk.out.Cols, number)
	for {
		b, err := g.nextFromDisk()
		if err != nil || b == nil {
			return err
		}
		d.into = d.into[:0]
		for _, group := range b.Cols[0].Ints[:b.N] {
			d.into = append(d.into, int32(group))
		}
		values := b.Cols[1 : len(b.Cols)-1]
		args := slices.Clone(values)
		for _, k := range d.order {
			args = append(args, values[k])
		}
		if err := d.accumulator.add(args, d.into, nil, b.N); err != nil {
			var re *vector.RowError
			switch {
			case d.g.gate != nil:
				return d.g.gate
			case errors.As(err, &re):
				return &vector.RowError{Row: int(number.Ints[re.Row]), Err: re.Err}
			}
			return &vector.RowError{Row: int(number.Ints[0]), Err: err}
		}
		if err := d.g.rows(nil, b.N); err != nil {
			return err
		}
	}
}
