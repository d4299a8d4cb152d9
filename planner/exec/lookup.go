package exec

import (
	"context"
	"errors"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// Lookup joins each row of its left side with at most one of the right: it is a semi, anti, mark, single or first join. Rows
// come in the order of the left side. Of a left row the pairs are looked at in the order of the right side and only up to the
// one that decides; an error of a later one does not count. The right side is read when the first left row has come.
type Lookup struct {
	Join
	// Test, of a mark join, is a condition with three values on the pairs that pass the residual: the mark is true where it is
	// true for one of them, else NULL where it is NULL for one, else false. Without it the mark is true where there is a pair.
	Test Expr
	// At is where a single join's query stands, for the error about a second partner.
	At query.Span

	test  evaluator
	rows  []lookupRow // of in
	ks    []int32     // of the pairs: which of rows
	end   int         // rows before the first that failed
	fault error       // of that row
	given int         // rows of in that were given out
	sel   vector.Sel
	idx   []int32
	locs  []vector.Loc
	mark  vector.Vector
	give  vector.Batch
}

// lookupRow is what is known of a left row.
type lookupRow struct {
	next  int32 // the next build row to look at; -1 for none
	found vector.Loc
	state lookupState
}

type lookupState uint8

const (
	stateNone  lookupState = iota // no partner yet
	stateNull                     // the test was NULL
	stateFound                    // a partner
)

// Open opens both inputs.
func (l *Lookup) Open(ctx context.Context) error {
	l.outer = l
	err := l.Join.Open(ctx)
	l.build.once = l.decides()
	if l.Test != nil {
		l.test = l.res.s.compile(l.Test)
	}
	return err
}

// Next returns the next left rows.
func (l *Lookup) Next(ctx context.Context) (*vector.Batch, error) {
	if l.err != nil {
		return nil, l.err
	}
	l.s.begin(ctx)
	l.res.s.begin(ctx)
	for {
		if l.err = ctx.Err(); l.err != nil {
			return nil, l.err
		}
		if l.in != nil && l.given == l.end {
			l.in = nil
			if l.fault != nil {
				l.pending = l.fault
			}
		}
		if l.in == nil {
			if l.err = l.pending; l.err != nil {
				return nil, l.err
			}
			if l.disk == nil {
				l.err = l.nextLeft(ctx)
			}
			if l.disk != nil && l.err == nil {
				var b *vector.Batch
				b, l.err = l.nextFromDisk(ctx)
				return b, l.err
			}
			if l.err != nil || l.in == nil {
				return nil, l.err
			}
			if l.err = l.find(); l.err != nil {
				return nil, l.err
			}
		}
		n, err := l.some()
		if l.err = err; err != nil {
			return nil, err
		}
		if n > 0 {
			l.stats.Rows += int64(n)
			return &l.give, nil
		}
	}
}

// nextLeft takes the next rows of the left side. The right one is read once there is one. If that is on disk, the rows are left to
// nextFromDisk.
func (j *Join) nextLeft(ctx context.Context) error {
	if !j.s.more() {
		b, err := j.Left.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		if !j.read {
			if err := j.readBuild(ctx); err != nil {
				return err
			}
			j.read = true
		}
		if j.build.err != nil {
			return j.build.err
		}
		j.s.take(b)
	}
	if j.disk != nil {
		return nil
	}
	return j.probePart()
}

// find decides the rows of in. Each undecided row has a few of its pairs looked at, then more: most are decided by the first.
func (l *Lookup) find() error {
	n := l.in.Rows()
	l.rows, l.end, l.given, l.fault = l.rows[:0], n, 0, nil
	for k := range n {
		r := lookupRow{next: l.first(l.in.Row(k)), found: vector.NoRow}
		if l.part.seed != nil {
			r.state = l.part.seed(l.in.Cols[l.part.number].Ints[l.in.Row(k)])
		}
		if r.next >= 0 && l.decides() {
			r.state, r.found = stateFound, l.build.refs.at(int(r.next)).loc
		}
		l.rows = append(l.rows, r)
	}
	if err := l.s.Fault(); err != nil || l.decides() {
		return err
	}
	limit := l.Env.batchRows()
	for width := 1; ; width = min(4*width, limit) {
		open := false
		l.p, l.b, l.ks = l.p[:0], l.b[:0], l.ks[:0]
		for k := 0; k < l.end; k++ {
			r := &l.rows[k]
			for w := 0; w < width && r.next >= 0 && !l.decided(r); w++ {
				i := l.in.Row(k)
				l.p, l.b = append(l.p, int32(i)), append(l.b, l.build.refs.at(int(r.next)).loc)
				l.ks = append(l.ks, int32(k))
				r.next = l.after(i, r.next)
				if len(l.p) == limit {
					if err := l.look(); err != nil {
						return err
					}
				}
			}
			open = open || r.next >= 0 && !l.decided(r)
		}
		if err := l.look(); err != nil || !open {
			return err
		}
	}
}

// decides reports whether equal keys alone decide.
func (l *Lookup) decides() bool {
	return len(l.Residual) == 0 && l.Test == nil && l.Kind != JoinSingle
}

// decided reports whether no further pair of a row matters.
func (l *Lookup) decided(r *lookupRow) bool { return r.state == stateFound && l.Kind != JoinSingle }

// look evaluates the pairs that were collected.
func (l *Lookup) look() error {
	if err := l.s.Fault(); err != nil {
		return err
	}
	for at := 0; at < len(l.p); {
		n := l.build.rows.Fit(nil, l.b[at:], partBytes)
		l.gather(l.p[at:at+n], l.b[at:at+n])
		ks, locs := l.ks[at:at+n], l.b[at:at+n]
		at += n
		failed, err := l.judge(ks, locs)
		if err == nil {
			continue
		}
		var ve *ValueError
		if !errors.As(err, &ve) {
			return err
		}
		k := ks[failed]
		if r := &l.rows[k]; int(k) >= l.end || !l.decided(r) {
			l.end, l.fault = min(l.end, int(k)), err
			l.part.noteRow(&l.Join, l.in.Row(l.end))
			break // what follows are pairs of this row and of later ones
		}
		// An error behind the pair that decided: on with the pairs of the next row.
		for at += failed - n; at < len(l.p) && l.ks[at] == k; at++ {
		}
	}
	l.p, l.b, l.ks = l.p[:0], l.b[:0], l.ks[:0]
	return nil
}

// judge evaluates the condition on the pairs in out. An error comes with the pair that failed, and those before it count.
func (l *Lookup) judge(ks []int32, locs []vector.Loc) (failed int, err error) {
	sel, err := l.res.apply(&l.out)
	failed = l.res.failedAt
	note := func(i int, s lookupState) error {
		k := int(ks[i])
		r := &l.rows[k]
		switch {
		case k >= l.end, s == stateNone, l.decided(r):
		case l.Kind == JoinSingle && r.state == stateFound:
			e := query.ErrorAt(l.At, query.CodeCardinality, "the query gives more than one row")
			return &ValueError{Err: e, Cause: ErrCardinality}
		case s > r.state:
			if r.state = s; s == stateFound {
				r.found = locs[i]
			}
		}
		return nil
	}
	if l.Test == nil {
		var second error
		sel.All(l.out.N, func(i int) {
			if second == nil {
				if second = note(i, stateFound); second != nil {
					failed = i
				}
			}
		})
		if second != nil {
			return failed, second
		}
		return failed, err
	}
	b := l.out
	b.Sel = sel
	for l.res.s.take(&b); l.res.s.more(); {
		perr := l.res.s.part(func(part *vector.Batch) error {
			v, err := l.test.eval(part, part.Sel)
			var re *rowError
			for errors.As(err, &re) {
				part.Sel = before(part.Sel, re.row)
				v, err = l.test.eval(part, part.Sel)
			}
			if err != nil {
				return err
			}
			part.Sel.All(part.N, func(i int) {
				switch {
				case v.Null(i):
					note(i, stateNull)
				case v.Bool(i):
					note(i, stateFound)
				}
			})
			if re != nil {
				failed = re.row
				return re.err
			}
			return nil
		})
		if perr != nil {
			return failed, perr
		}
	}
	return failed, err
}

// ErrCardinality is the cause of the error that a query used as a value gives more than one row.
var ErrCardinality = errors.New("more than one row")

// some gives out the next rows of in that were decided.
func (l *Lookup) some() (int, error) {
	from := l.given
	l.give.Cols = l.give.Cols[:0]
	switch l.Kind {
	case JoinSemi, JoinAnti, JoinMark:
		l.given, l.sel = l.end, l.sel[:0]
		for k := range l.end {
			if found := l.rows[k].state == stateFound; l.Kind == JoinMark || found == (l.Kind == JoinSemi) {
				l.sel = append(l.sel, int32(l.in.Row(k)))
			}
		}
		l.give.Cols = append(l.give.Cols, l.in.Cols...)
		l.give.N, l.give.Sel = l.in.N, l.sel
		if l.Kind == JoinMark {
			l.marks(from, l.end, l.in.N, func(k int) int { return l.in.Row(k) })
			l.give.Cols = append(l.give.Cols, &l.mark)
		}
		return len(l.sel), nil
	}
	l.idx, l.locs = l.idx[:0], l.locs[:0]
	for k := from; k < l.end; k++ {
		l.idx, l.locs = append(l.idx, int32(l.in.Row(k))), append(l.locs, l.rows[k].found)
	}
	n := len(l.locs)
	if n == 0 {
		return 0, nil
	}
	n = l.build.rows.Fit(nil, l.locs, partBytes)
	l.given += n
	l.gather(l.idx[:n], l.locs[:n])
	l.marks(from, l.given, n, func(k int) int { return k - from })
	l.give.Cols = append(append(l.give.Cols, l.out.Cols...), &l.mark)
	l.give.N, l.give.Sel = n, nil
	return n, l.s.Step(n * rowStep)
}

// marks writes whether the rows from to to have a partner into a column of n rows.
func (l *Lookup) marks(from, to, n int, at func(k int) int) {
	l.mark.Resize(vector.Bool, n)
	for k := from; k < to; k++ {
		switch l.rows[k].state {
		case stateNull:
			l.mark.SetNull(at(k))
		default:
			l.mark.Bools[at(k)] = l.rows[k].state == stateFound
		}
	}
}
