package exec

import (
	"context"
	"errors"
	"time"

	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// Unnest gives each row of its input once for each element of its lists, which are taken side by side: where one is shorter its
// elements are NULL. A row without elements is left out, unless Outer is set: then it comes once with NULLs.
type Unnest struct {
	In    Operator
	Keep  int // the first columns of the input, which are passed on
	Lists []List
	Outer bool
	Env   *Env

	s       *evalState
	in      *vector.Batch
	row     int // of the input
	started bool
	given   int64 // elements of the row
	readers []listReader
	rows    []int32 // of the input, by row of the output
	out     vector.Batch
	cols    []*vector.Vector // memory of the output
	err     error
	stats   Stats
}

// List is what Unnest takes elements from: the JSON array in a column of the input, or the values from one to another.
type List struct {
	query.Span
	Col int
	// Series: the columns Col, Col+1 and Col+2 are the first value, the last and the step. Inclusive: the last is one of them.
	Series, Inclusive bool
	T                 vector.Type // of the elements
}

// Errors of a series.
var (
	errStepZero  = errors.New("the step must not be zero")
	errStepMixed = errors.New("the parts of the step go in different directions")
)

// listReader gives the elements of one list of one row.
type listReader struct {
	elements payload.Elements
	at, stop int64
	wall     moment // what the clock shows at at, and would have shown in a gap
	step     int64
	span     vector.Interval
	done     bool
}

// Open prepares the output.
func (u *Unnest) Open(ctx context.Context) error {
	u.s = newEvalState(u.Env)
	u.readers = make([]listReader, len(u.Lists))
	n := u.Keep + len(u.Lists)
	for range n {
		u.cols = append(u.cols, &vector.Vector{})
	}
	u.out.Cols = make([]*vector.Vector, n)
	for k, l := range u.Lists {
		u.s.output(u.cols[u.Keep+k], l.T)
	}
	return u.In.Open(ctx)
}

// Next returns the next rows, fewer when their elements are large.
func (u *Unnest) Next(ctx context.Context) (*vector.Batch, error) {
	u.s.begin(ctx)
	for u.err == nil {
		if u.in == nil {
			b, err := u.In.Next(ctx)
			if err != nil || b == nil {
				return nil, err
			}
			u.in, u.row, u.started = b, 0, false
		}
		u.fill()
		n := len(u.rows)
		if n > 0 {
			u.finish(n)
		}
		if u.row >= u.in.Rows() {
			u.in = nil
		}
		if n > 0 {
			u.stats.Rows += int64(n)
			return &u.out, nil
		}
	}
	return nil, u.err
}

// fill takes elements until the batch is full or the input's is at its end.
func (u *Unnest) fill() {
	u.rows = u.rows[:0]
	size, most := 0, u.Env.batchRows()
	for k, l := range u.Lists {
		u.cols[u.Keep+k].Reset(l.T)
	}
	for u.row < u.in.Rows() && len(u.rows) < most && size < partBytes {
		i := u.in.Row(u.row)
		if !u.started {
			u.started, u.given = true, 0
			for k := range u.Lists {
				if u.err = u.begin(k, i); u.err != nil {
					return
				}
			}
		}
		at := len(u.rows)
		found := false
		for k := range u.Lists {
			v := u.cols[u.Keep+k]
			v.Grow(1)
			var ok bool
			if ok, u.err = u.next(k, v, at); u.err != nil {
				return
			}
			if ok {
				size += v.DataLen(at)
			} else {
				v.SetNull(at)
			}
			found = found || ok
		}
		if !found && !(u.Outer && u.given == 0) {
			for k, l := range u.Lists {
				shrink(u.cols[u.Keep+k], l.T, at)
			}
			u.row++
			u.started = false
			if u.err = u.s.Step(rowStep); u.err != nil {
				return
			}
			continue
		}
		u.given++
		u.rows = append(u.rows, int32(i))
	}
}

// shrink takes the last row off a vector.
func shrink(v *vector.Vector, t vector.Type, n int) {
	if v.Len = n; t.Dynamic() {
		v.Classes, v.Bits = v.Classes[:n], v.Bits[:n]
		return
	}
	v.Ints = v.Ints[:n]
	if n>>6 < len(v.Nulls) {
		v.Nulls.Clear(n)
	}
}

// begin starts a list of row i.
func (u *Unnest) begin(k, i int) error {
	l, r := u.Lists[k], &u.readers[k]
	*r = listReader{done: true}
	v := u.in.Cols[l.Col]
	if !l.Series {
		switch v.Class(i) {
		case vector.ClassArray:
			r.elements, r.done = payload.ElementsOf(payload.TopPaced(payload.JSON, v.Bytes(i), u.s.pace)), false
			return u.s.Step(0)
		case vector.ClassNull:
		default:
			u.s.OtherType++
		}
		return nil
	}
	stop, step := u.in.Cols[l.Col+1], u.in.Cols[l.Col+2]
	if v.Null(i) || stop.Null(i) || step.Null(i) {
		return nil
	}
	r.at, r.stop, r.done = v.Int(i), stop.Int(i), false
	if l.T == vector.Int {
		r.step = step.Int(i)
	} else {
		r.span = step.Interval(i)
		r.wall = wallOf(r.at, u.zone())
		up := r.span.Months > 0 || r.span.Days > 0 || r.span.Nanos > 0
		down := r.span.Months < 0 || r.span.Days < 0 || r.span.Nanos < 0
		switch {
		case up && down:
			return u.fail(l, errStepMixed)
		case up:
			r.step = 1
		case down:
			r.step = -1
		}
	}
	if r.step == 0 {
		return u.fail(l, errStepZero)
	}
	return nil
}

// zone is the session's.
func (u *Unnest) zone() *time.Location {
	if u.Env.Zone == nil {
		return time.UTC
	}
	return u.Env.Zone
}

// after returns the time after r.at. Days and months go from what the clock would have shown: one that it skips once does not put off
// those that follow.
func (r *listReader) after(zone *time.Location) (int64, bool) {
	if r.span.Nanos != 0 {
		return vector.AddInterval(r.at, r.span, zone)
	}
	if ns, ok := r.wall.nanos(); ok {
		if ns, ok = vector.AddInterval(ns, r.span, nil); ok {
			r.wall = momentOf(ns)
			return momentOfWall(zone, r.wall).nanos()
		}
	}
	return 0, false
}

// wallOf returns what the clock of a zone shows at a time.
func wallOf(ns int64, zone *time.Location) moment {
	m := momentOf(ns)
	_, offset := time.Unix(m.sec, 0).In(zone).Zone()
	m.sec += int64(offset)
	return m
}

func (u *Unnest) fail(l List, err error) error {
	return &ValueError{Err: query.ErrorAt(l.Span, query.CodeBadValue, "%s", err.Error()), Cause: err}
}

// next writes the next element of a list to row at of v, and reports whether there is one.
func (u *Unnest) next(k int, v *vector.Vector, at int) (bool, error) {
	l, r := u.Lists[k], &u.readers[k]
	if r.done {
		return false, nil
	}
	if !l.Series {
		x, ok := r.elements.Next(u.s.pace)
		if !ok {
			r.done = true
			return false, u.s.Step(0)
		}
		u.s.several, u.s.left = false, partBytes
		return true, u.s.putPayload(v, at, &x)
	}
	if r.step > 0 && r.at > r.stop || r.step < 0 && r.at < r.stop || r.at == r.stop && !l.Inclusive {
		r.done = true
		return false, nil
	}
	v.Ints[at] = r.at
	next, ok := r.at+r.step, true
	if l.T == vector.Time {
		next, ok = r.after(u.zone())
	}
	if r.done = !ok || (next > r.at) != (r.step > 0); !r.done {
		r.at = next
	}
	return true, u.s.Step(rowStep)
}

// finish makes the output's columns of the rows that were taken.
func (u *Unnest) finish(n int) {
	for k := range u.cols {
		if k < u.Keep {
			gather(u.cols[k], u.in.Cols[k], u.rows)
		} else {
			shrinkTo(u.cols[k], n)
		}
		u.out.Cols[k] = u.cols[k]
	}
	u.out.N, u.out.Sel = n, nil
}

// shrinkTo takes off the row of an element that failed.
func shrinkTo(v *vector.Vector, n int) {
	if v.Len > n {
		shrink(v, v.Type, n)
	}
}

// gather makes out the rows of v, whose bytes it shares: it is valid as long as v is.
func gather(out, v *vector.Vector, rows []int32) {
	switch {
	case v.Const:
		out.Alias(v)
		return
	case v.Dict != nil && !v.Type.Dynamic():
		codes := out.Codes[:0]
		if !out.Owned() {
			codes = nil
		}
		out.Reset(v.Type)
		out.Grow(len(rows))
		for k, i := range rows {
			if v.Null(int(i)) {
				out.SetNull(k)
				codes = append(codes, 0)
				continue
			}
			codes = append(codes, v.Codes[i])
		}
		out.ShareDict(v.Dict)
		out.Codes = codes
		return
	}
	out.Resize(v.Type, len(rows))
	out.ShareData(v)
	for k, i := range rows {
		out.Take(k, v, int(i))
	}
}

// Close closes the input.
func (u *Unnest) Close() error {
	u.s.close()
	return u.In.Close()
}

// Stats returns what the operator counted.
func (u *Unnest) Stats() Stats {
	if u.s != nil {
		u.stats.OtherType = u.s.OtherType
	}
	return u.stats
}
