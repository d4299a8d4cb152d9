package exec

import (
	"github.com/seed69692123/netdb/planner/vector"
)

// eval makes what computes a call.
func (w *partWindow) eval(c *WindowCall) windowEval {
	if c.Agg != nil {
		return w.aggregate(c)
	}
	switch c.Fn.kind {
	case lagBehind, leadAhead:
		e := &shiftEval{w: w, col: newOperand(c.Args[0]), ahead: c.Fn.kind == leadAhead}
		if len(c.Args) > 1 {
			o := newOperand(c.Args[1])
			e.offset = &o
		}
		if len(c.Args) > 2 {
			o := newOperand(c.Args[2])
			e.other = &o
		}
		return e
	case firstValue, lastValue, nthValue:
		e := &frameValue{w: w, kind: c.Fn.kind, col: newOperand(c.Args[0]), frames: frames{w: w, f: c.Frame}}
		if c.Fn.kind == nthValue {
			e.n, _ = constInt(c.Args[1])
		}
		return e
	}
	e := &rankEval{w: w, kind: c.Fn.kind}
	if c.Fn.kind == ntile {
		e.tiles, _ = constInt(c.Args[0])
	}
	return e
}

// operand is an argument: a column, or a constant.
type operand struct {
	col   int
	value *vector.Vector // one row
}

func newOperand(x Expr) operand {
	if c, ok := x.(*Const); ok {
		return operand{-1, constVector(c)}
	}
	return operand{x.(*Col).Index, nil}
}

// at returns the operand for the row at a position, as a row of a vector.
func (o *operand) at(w *partWindow, pos int) (*vector.Vector, int) {
	if o.col < 0 {
		return o.value, 0
	}
	return w.value(o.col, pos)
}

// appendRow appends row i of v to out, asking for the bytes of a large value.
func (w *partWindow) appendRow(out, v *vector.Vector, i int) error {
	if v.DataLen(i) < vector.LargeBytes {
		out.AppendFrom(v, i)
		return nil
	}
	out.AppendNull()
	return w.s.SetFrom(out, out.Len-1, v, i)
}

// rankEval is the functions that number rows.
type rankEval struct {
	w     *partWindow
	kind  windowKind
	tiles int64
	part  span
}

func (e *rankEval) start(p span) error {
	e.part = p
	return nil
}
func (e *rankEval) bytes() int64 { return 0 }

func (e *rankEval) row(pos int, out *vector.Vector) error {
	n, at := int64(e.part.hi-e.part.lo), int64(pos-e.part.lo)
	switch e.kind {
	case rowNumber:
		if e.part.lo == 0 {
			at += e.w.piece.gone
		}
		out.AppendInt(at + 1)
	case rankOf:
		out.AppendInt(int64(e.w.group(pos).lo-e.part.lo) + 1)
	case denseRank:
		out.AppendInt(int64(*e.w.peerOf.at(pos)-*e.w.peerOf.at(e.part.lo)) + 1)
	case percentRank:
		if n == 1 {
			out.AppendFloat(0)
			break
		}
		out.AppendFloat(float64(e.w.group(pos).lo-e.part.lo) / float64(n-1))
	case cumeDist:
		out.AppendFloat(float64(e.w.group(pos).hi-e.part.lo) / float64(n))
	case ntile:
		// The first n % tiles parts have a row more than the others.
		size, more := n/e.tiles, n%e.tiles
		if first := more * (size + 1); at < first {
			out.AppendInt(at/(size+1) + 1)
		} else {
			out.AppendInt(more + (at-first)/size + 1)
		}
	}
	return nil
}

// shiftEval is lag and lead.
type shiftEval struct {
	w             *partWindow
	col           operand
	offset, other *operand
	ahead         bool
	part          span
}

func (e *shiftEval) start(p span) error {
	e.part = p
	return nil
}
func (e *shiftEval) bytes() int64 { return 0 }

func (e *shiftEval) row(pos int, out *vector.Vector) error {
	n := int64(1)
	if e.offset != nil {
		v, i := e.offset.at(e.w, pos)
		if v.Null(i) {
			out.AppendNull()
			return nil
		}
		n = v.Int(i)
	}
	// A negative offset looks to the other side; the negative of the least one is beyond every partition, too.
	back := !e.ahead
	if n < 0 {
		back, n = !back, -(n + 1)
		if n < 1<<62 {
			n++
		}
	}
	var v *vector.Vector
	var i int
	switch {
	case back && n <= int64(pos-e.part.lo):
		v, i = e.col.at(e.w, pos-int(n))
	case !back && n < int64(e.part.hi-pos):
		v, i = e.col.at(e.w, pos+int(n))
	case e.other != nil:
		v, i = e.other.at(e.w, pos)
	default:
		out.AppendNull()
		return nil
	}
	return e.w.appendRow(out, v, i)
}

// frameValue is first_value, last_value and nth_value.
type frameValue struct {
	w      *partWindow
	kind   windowKind
	col    operand
	n      int64
	frames frames
}

func (e *frameValue) start(p span) error {
	e.frames.start(p)
	return nil
}
func (e *frameValue) bytes() int64 { return 0 }

func (e *frameValue) row(pos int, out *vector.Vector) error {
	spans := e.frames.of(pos)
	at := -1
	switch {
	case len(spans) == 0:
	case e.kind == firstValue:
		at = spans[0].lo
	case e.kind == lastValue:
		at = spans[len(spans)-1].hi - 1
	default:
		n := e.n - 1
		for _, s := range spans {
			if n < int64(s.hi-s.lo) {
				at = s.lo + int(n)
				break
			}
			n -= int64(s.hi - s.lo)
		}
	}
	if at < 0 {
		out.AppendNull()
		return nil
	}
	v, i := e.col.at(e.w, at)
	return e.w.appendRow(out, v, i)
}
