package exec

import (
	"context"
	"errors"
	"math"

	"github.com/seed69692123/netdb/planner/spill"
	"github.com/seed69692123/netdb/planner/vector"
)

// Session divides rows, which come ordered by keys and then by time, into sessions: a row belongs to that of the row before if it has
// the same keys and comes less than the gap after it. The bounds of its session stand behind a row's columns: the first time, and the
// last one and the gap. The end is not known before a session is over, so where it is asked for its rows are kept until then, on
// disk above the budget.
type Session struct {
	In   Operator
	Keys []int // positions of the keys
	X    int   // of the time: not NULL, and with the gap within the values of the type
	Gap  int64
	Ends []bool // of the columns that are added: an end, not a start
	Env  *Env

	s     *evalState
	acct  account
	gate  *storeGate
	spill spiller

	open        bool // there is a session
	first, last int64
	prev        []vector.Vector // the keys of the session: one row
	key         []*vector.Vector

	rows *vector.Rows // of the session, from batches before this one
	file *spill.File  // those that came before rows
	locs []vector.Loc

	in       *vector.Batch
	at, tail int // rows of in up to which it was given out, and from which the session is not over
	giving   bool
	reader   *spill.Reader
	block    *vector.Batch // of reader
	page     int           // of rows
	row      int           // of block or page
	ended    bool

	bounds []vector.Vector // of the rows of in
	kept   []vector.Vector // of those that were kept
	sel    vector.Sel
	cols   []vector.Vector
	out    vector.Batch
	err    error
	stats  Stats
}

// Open prepares the operator.
func (o *Session) Open(ctx context.Context) error {
	o.s = newEvalState(o.Env)
	o.acct = newAccount(o.Env, "session")
	o.gate = &storeGate{o.s, &o.acct}
	o.spill.gate = o.gate
	if o.keeps() {
		o.spill.open(o.Env)
	}
	o.bounds = make([]vector.Vector, len(o.Ends))
	o.kept = make([]vector.Vector, len(o.Ends))
	o.key, o.prev = make([]*vector.Vector, len(o.Keys)), make([]vector.Vector, len(o.Keys))
	return o.In.Open(ctx)
}

// keeps reports whether rows are kept until their session is over.
func (o *Session) keeps() bool {
	for _, end := range o.Ends {
		if end {
			return true
		}
	}
	return false
}

// Next returns the next rows.
func (o *Session) Next(ctx context.Context) (*vector.Batch, error) {
	o.s.begin(ctx)
	for o.err == nil && (!o.ended || o.giving) {
		if o.err = ctx.Err(); o.err != nil {
			break
		}
		var b *vector.Batch
		if b, o.err = o.step(ctx); b != nil && o.err == nil {
			o.stats.Rows += int64(b.Rows())
			return b, nil
		}
	}
	return nil, o.err
}

// step does the next thing there is to do, and returns rows if that gave some.
func (o *Session) step(ctx context.Context) (*vector.Batch, error) {
	switch {
	case o.giving:
		return o.giveKept()
	case o.in != nil && o.at < o.tail:
		return o.giveBatch(), nil
	case o.in != nil:
		err := o.keepTail()
		o.in = nil
		return nil, err
	}
	b, err := o.In.Next(ctx)
	if err != nil {
		return nil, err
	}
	if b == nil {
		o.ended = true
		o.close()
		return nil, nil
	}
	return nil, o.take(b)
}

// close begins to give out the rows that were kept of the session, whose last time is known now.
func (o *Session) close() {
	if o.rows == nil || o.rows.Len() == 0 && o.file == nil {
		return
	}
	o.giving, o.page, o.row = true, 0, 0
	for k, end := range o.Ends {
		v := &o.kept[k]
		v.Resize(o.rows.Types()[o.X], 1)
		v.Ints[0], v.Const = o.bound(end), true
	}
}

// bound is the start or the end of the session, as far as it is known.
func (o *Session) bound(end bool) int64 {
	if end {
		return o.last + o.Gap
	}
	return o.first
}

// take finds the sessions of a batch. Rows that belong to the one that was open before are kept with it.
func (o *Session) take(b *vector.Batch) error {
	if o.cols == nil {
		o.begin(b)
	}
	x := b.Cols[o.X]
	for k := range o.bounds {
		o.bounds[k].Resize(x.Type, b.N)
	}
	keep := o.keeps()
	goesOn := o.open // a session of earlier batches does
	from := 0        // the first row of the session, if it began in this batch
	o.in, o.at, o.tail = b, 0, b.Rows()
	for k := range b.Rows() {
		i := b.Row(k)
		t := x.Int(i)
		same, err := o.same(b, i, t)
		if err != nil {
			return err
		}
		if !same {
			if keep && goesOn {
				if err := o.keep(b, 0, k); err != nil {
					return err
				}
				o.at = k
				o.close()
			} else {
				o.setBounds(b, from, k)
			}
			goesOn, from = false, k
			if err := o.begins(b, i, t); err != nil {
				return err
			}
		}
		o.last = t
	}
	if keep {
		o.tail = from
	} else {
		o.setBounds(b, from, b.Rows())
	}
	return o.s.rows(b.Sel, b.N)
}

// begin makes what depends on the types of the columns.
func (o *Session) begin(b *vector.Batch) {
	types := make([]vector.Type, len(b.Cols))
	for k, c := range b.Cols {
		types[k] = c.Type
	}
	o.rows = vector.NewRows(o.gate, types)
	o.cols = make([]vector.Vector, len(types))
	o.out.Cols = make([]*vector.Vector, 0, len(types)+len(o.bounds))
	for k := range o.cols {
		o.out.Cols = append(o.out.Cols, &o.cols[k])
	}
}

// same reports whether a row belongs to the open session.
func (o *Session) same(b *vector.Batch, i int, t int64) (bool, error) {
	if !o.open || uint64(t)-uint64(o.last) >= uint64(o.Gap) { // of another key it may be less
		return false, nil
	}
	if len(o.Keys) == 0 {
		return true, nil
	}
	for k, c := range o.Keys {
		o.key[k] = b.Cols[c]
	}
	equal := true
	for k := range o.key {
		equal = equal && o.s.EqualValues(&o.prev[k], 0, o.key[k], i)
	}
	return equal, o.s.Fault()
}

// begins makes a row the first of a session.
func (o *Session) begins(b *vector.Batch, i int, t int64) error {
	o.open, o.first = true, t
	if len(o.Keys) == 0 {
		return nil
	}
	large := false
	for k, c := range o.Keys {
		src := b.Cols[c]
		o.prev[k].Reset(src.Type)
		if n := src.DataLen(i); n >= vector.LargeBytes {
			large = true
			if err := o.gate.Room(&o.prev[k], n); err != nil {
				return err
			}
		}
		o.prev[k].AppendFrom(src, i)
	}
	if large {
		return o.count()
	}
	return nil
}

// setBounds writes the bounds of the session for the rows from <= k < to of a batch, in which it lies.
func (o *Session) setBounds(b *vector.Batch, from, to int) {
	for n, end := range o.Ends {
		x, v := o.bound(end), o.bounds[n].Ints
		if b.Sel == nil {
			for k := from; k < to; k++ {
				v[k] = x
			}
			continue
		}
		for _, i := range b.Sel[from:to] {
			v[i] = x
		}
	}
}

// part are the rows from <= k < to of a batch.
func (o *Session) part(b *vector.Batch, from, to int) vector.Sel {
	o.sel = o.sel[:0]
	for k := from; k < to; k++ {
		o.sel = append(o.sel, int32(b.Row(k)))
	}
	return notNilSel(o.sel)
}

// keep keeps rows of a batch until their session is over.
func (o *Session) keep(b *vector.Batch, from, to int) error {
	if from == to {
		return nil
	}
	some := *b
	some.Sel = o.part(b, from, to)
	if o.spill.crowded(&some, nil) && o.rows.Len() > 0 {
		if err := o.toDisk(); err != nil {
			return err
		}
	}
	var err error
	if o.locs, err = o.rows.AppendBatch(o.locs[:0], &some); err != nil {
		return err
	}
	return o.count()
}

// count sets the account to what is held. What is more than may be goes to disk.
func (o *Session) count() error {
	n := o.rows.MemoryBytes() + o.spill.memory()
	for k := range o.prev {
		n += o.prev[k].MemoryBytes()
	}
	if o.reader != nil {
		n += o.reader.MemoryBytes()
	}
	full, err := o.spill.hold(n)
	o.stats.PeakBytes = o.acct.peak
	if err == nil && full && o.rows.Len() > 0 && !o.giving {
		err = o.toDisk()
	}
	return err
}

// toDisk puts the rows that are kept on disk.
func (o *Session) toDisk() error {
	if o.file == nil {
		o.file = o.spill.file(o.rows.Types())
	}
	o.spill.pass(1)
	for p := range o.rows.Pages() {
		cols, n := o.rows.Page(p)
		for i := range n {
			if err := o.file.Append(cols, i); err != nil {
				return o.spill.fail(err)
			}
		}
		if err := o.gate.Step(n * rowStep); err != nil {
			return err
		}
	}
	o.rows = vector.NewRows(o.gate, o.rows.Types())
	o.acct.force(o.spill.memory())
	return nil
}

// keepTail keeps the rows of the session that is not over at the end of the batch.
func (o *Session) keepTail() error {
	if !o.keeps() {
		return nil
	}
	return o.keep(o.in, o.tail, o.in.Rows())
}

// giveBatch gives out rows of the batch whose sessions are over.
func (o *Session) giveBatch() *vector.Batch {
	b := o.in
	end := min(o.tail, o.at+o.Env.batchRows())
	o.out.N, o.out.Sel = b.N, b.Sel
	if o.at > 0 || end < b.Rows() {
		o.out.Sel = o.part(b, o.at, end)
	}
	o.at = end
	for k, c := range b.Cols {
		o.cols[k].Alias(c)
	}
	return o.given(o.bounds)
}

// giveKept gives out rows that were kept, those on disk first.
func (o *Session) giveKept() (*vector.Batch, error) {
	if o.file != nil && o.reader == nil {
		if err := o.file.Finish(); err != nil {
			return nil, o.spill.fail(err)
		}
		o.reader = o.file.Reader()
	}
	if o.reader != nil {
		if o.block == nil || o.row == o.block.N {
			var err error
			if o.block, err = o.reader.Next(); err != nil {
				return nil, err
			}
			o.row = 0
			if err := o.count(); err != nil {
				return nil, err
			}
		}
		if o.block != nil {
			return o.giveRows(o.block.Cols, o.block.N), nil
		}
		err := o.file.Close()
		o.file, o.reader = nil, nil
		return nil, err
	}
	if o.page < o.rows.Pages() {
		cols, n := o.rows.Page(o.page)
		b := o.giveRows(cols, n)
		if o.row == n {
			o.page, o.row = o.page+1, 0
		}
		return b, nil
	}
	o.giving = false
	o.rows = vector.NewRows(o.gate, o.rows.Types())
	return nil, o.count()
}

// giveRows gives out rows of one session.
func (o *Session) giveRows(cols []*vector.Vector, n int) *vector.Batch {
	for k, c := range cols {
		o.cols[k].Alias(c)
	}
	end := min(n, o.row+o.Env.batchRows())
	o.out.N, o.out.Sel = n, nil
	if o.row > 0 || end < n {
		o.sel = o.sel[:0]
		for i := o.row; i < end; i++ {
			o.sel = append(o.sel, int32(i))
		}
		o.out.Sel = o.sel
	}
	o.row = end
	return o.given(o.kept)
}

// given is the output, whose bounds are these.
func (o *Session) given(bounds []vector.Vector) *vector.Batch {
	o.out.Cols = o.out.Cols[:len(o.cols)]
	for k := range bounds {
		o.out.Cols = append(o.out.Cols, &bounds[k])
	}
	return &o.out
}

// Close frees the rows and closes the input.
func (o *Session) Close() error {
	o.acct.release()
	o.s.close()
	o.rows, o.prev, o.in, o.block, o.reader, o.file, o.ended, o.giving = nil, nil, nil, nil, nil, nil, true, false
	return errors.Join(o.spill.close(), o.In.Close())
}

// Stats returns what the operator counted.
func (o *Session) Stats() Stats {
	if o.s != nil {
		o.stats.OtherType = o.s.OtherType
	}
	o.spill.count(&o.stats)
	return o.stats
}

// LastStart is the greatest time that has a session within the values of the type.
func LastStart(gap int64) int64 { return math.MaxInt64 - gap }
