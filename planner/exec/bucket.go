package exec

import (
	"math"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// Bucket is the start, or the end, of the window of a grid that X is in. It is NULL where X is, or of another type than the grid's, or
// where the window does not lie within the values of the type. Where windows overlap it is the last that starts before X.
type Bucket struct {
	query.Span
	X    Expr
	Grid *Grid
	End  bool
}

// Type is the type of the grid's bounds.
func (e *Bucket) Type() vector.Type { return e.Grid.Type() }

func (e *Bucket) args() []Expr { return []Expr{e.X} }

func (e *Bucket) with(a []Expr) Expr {
	c := *e
	c.X = a[0]
	return &c
}

// format writes the call as it is written in a statement.
func (e *Bucket) format(b *printer) {
	name := "time_bucket("
	if e.End {
		name = "time_bucket_end("
	}
	b.WriteString(name + e.Grid.Slide.text(e.Grid.Numbers) + ", ")
	b.format(e.X, 0)
	b.WriteString(e.Grid.originText() + ")")
}

// bucketEval remembers the window of the row before: the next one's is mostly the same.
type bucketEval struct {
	s    *evalState
	e    *Bucket
	x    evaluator
	out  vector.Vector
	view vector.Vector

	from, to int64 // from <= x < to is in the window
	bound    int64 // its start or end
}

func (s *evalState) compileBucket(e *Bucket) evaluator {
	c := &bucketEval{s: s, e: e, x: s.compile(e.X)}
	s.output(&c.out, e.Type())
	return c
}

func (e *bucketEval) eval(b *vector.Batch, sel vector.Sel) (*vector.Vector, error) {
	x, err := e.x.eval(b, sel)
	if err != nil {
		return nil, err
	}
	t := e.e.Type()
	e.out.Resize(t, b.N)
	if v := x.Typed(&e.view); v.Type == t && !v.Const && v.Dict == nil {
		e.typed(v, sel, b.N)
		return &e.out, e.s.rows(sel, b.N)
	}
	sel.All(b.N, func(i int) {
		at, ok, other := e.e.Grid.position(x, i)
		if other {
			e.s.OtherType++
		}
		if !ok || !e.find(at) {
			e.out.SetNull(i)
			return
		}
		e.out.Ints[i] = e.bound
	})
	return &e.out, e.s.rows(sel, b.N)
}

// typed is eval for a vector of the grid's type.
func (e *bucketEval) typed(v *vector.Vector, sel vector.Sel, n int) {
	out, nulls := e.out.Ints, v.Nulls.Any()
	if sel == nil && !nulls {
		from, to, bound := e.from, e.to, e.bound
		for i, x := range v.Ints[:n] {
			if x >= from && x < to {
				out[i] = bound
				continue
			}
			if !e.find(x) {
				e.out.SetNull(i)
				continue
			}
			from, to, bound = e.from, e.to, e.bound
			out[i] = bound
		}
		return
	}
	sel.All(n, func(i int) {
		if nulls && v.Nulls.Get(i) || !e.find(v.Ints[i]) {
			e.out.SetNull(i)
			return
		}
		out[i] = e.bound
	})
}

// find makes the window of x the remembered one; false when it does not fit.
func (e *bucketEval) find(x int64) bool {
	if x >= e.from && x < e.to {
		return true
	}
	g := e.e.Grid
	m := g.floor(x)
	if !m.ok {
		return false
	}
	end, ok := g.end(m)
	if !ok {
		return false
	}
	e.from, e.to, e.bound = m.start, end, m.start
	if next := g.next(m); next.ok {
		e.to = min(end, next.start)
	}
	if e.e.End {
		e.bound = end
	}
	return true
}

// position returns where row i of a vector is on the grid's line: a time, or the integer that a number is not below. other says that
// it is a value of another type.
func (g *Grid) position(v *vector.Vector, i int) (x int64, ok, other bool) {
	switch c := v.Class(i); {
	case c == vector.ClassNull:
		return 0, false, false
	case c == g.Type().Class():
		return v.Int(i), true, false
	case g.Numbers && c == vector.ClassFloat:
		f := math.Floor(v.Float(i))
		return int64(f), f >= -1<<63 && f < 1<<63, false
	case g.Numbers && c == vector.ClassBig:
		return 0, false, false
	}
	return 0, false, true
}
