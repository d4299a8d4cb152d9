package exec

import (
	"math"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// streamMoving is sum, avg and count of rows that enter and leave as the frame moves on. Integers leave by subtraction, which is exact.
// Doubles cannot: the sum of those that are in is put together from two parts (see floatQueue).
type streamMoving struct {
	arg    *operand // nil for count(*)
	filter int
	count  bool
	// from and to are how many rows before the row the frame begins and ends.
	from, to int64
	avg      bool
	groups   paged[movingSum]
	held     int64
	g        *storeGate
}

// movingSum is the frame of one partition. Rows have numbers from 0.
type movingSum struct {
	cells []movingCell // row k is at k modulo the length, a power of two; those from first on are there
	rows  int64        // that came
	first int64
	lo    int64 // rows from lo up to hi are in the sums: what leaves has come in before, because to is not more than from
	hi    int64
	sums  windowSum
	large int64 // integers beyond BIGINT that are in
	queue floatQueue
}

type movingCell struct {
	bits  uint64
	class vector.Class // ClassNull for what does not count
}

const movingCellBytes = 16

func newStreamMoving(g *storeGate, c *WindowCall, args []operand, filter int) *streamMoving {
	e := &streamMoving{filter: filter, count: c.Agg.Fn.Name == "count", g: g}
	if len(args) > 0 {
		e.arg = &args[0]
	}
	if c.Frame.Start == query.Preceding {
		e.from = c.Frame.From.Int()
	}
	if c.Frame.End == query.Preceding {
		e.to = c.Frame.To.Int()
	}
	e.avg = c.Agg.Fn.Name == "avg"
	return e
}

func (e *streamMoving) grow(n int)   { e.groups.grow(n) }
func (e *streamMoving) bytes() int64 { return e.groups.bytes() + e.held }

func (e *streamMoving) row(cols []*vector.Vector, i int, group int32, out *vector.Vector) error {
	m := e.groups.at(int(group))
	cell := movingCell{class: vector.ClassBool} // counts
	if e.filter >= 0 && (cols[e.filter].Null(i) || !cols[e.filter].Bool(i)) {
		cell.class = vector.ClassNull
	} else if e.arg != nil {
		v := e.arg.of(cols)
		switch cell.class = v.Class(i); cell.class {
		case vector.ClassInt:
			cell.bits = uint64(v.Int(i))
		case vector.ClassFloat:
			cell.bits = math.Float64bits(v.Float(i))
		case vector.ClassBig, vector.ClassNull:
		default:
			if cell.class = vector.ClassBool; !e.count {
				cell.class = vector.ClassNull
				e.g.OtherType++
			}
		}
	}
	if err := e.push(m, cell); err != nil {
		return err
	}
	row := m.rows - 1
	if e.from < e.to { // the frame is always empty
		m.first = m.rows
		if e.count {
			out.AppendInt(0)
		} else {
			out.AppendNull()
		}
		return nil
	}
	for ; m.hi <= row-e.to; m.hi++ {
		e.enter(m, m.at(m.hi))
	}
	for ; m.lo < row-e.from; m.lo++ {
		if err := e.leave(m); err != nil {
			return err
		}
	}
	m.first = m.lo
	switch {
	case e.count:
		out.AppendInt(m.sums.n)
		return nil
	case m.large > 0:
		return vector.ErrBigArithmetic
	}
	s := m.sums
	if s.nf > 0 {
		s.floats = m.queue.sum(m.lo)
	}
	return s.result(out, e.avg)
}

func (m *movingSum) at(row int64) movingCell { return m.cells[row&int64(len(m.cells)-1)] }

// push keeps the cell of the next row.
func (e *streamMoving) push(m *movingSum, c movingCell) error {
	if int(m.rows-m.first) == len(m.cells) {
		size := max(8, 2*len(m.cells))
		if n := int64(size) * movingCellBytes; n >= vector.LargeBytes {
			if err := e.g.acct.ask(n); err != nil {
				return e.g.refuse(err)
			}
		}
		cells := make([]movingCell, size)
		for k := m.first; k < m.rows; k++ {
			cells[k&int64(size-1)] = m.at(k)
		}
		e.held += int64(size-len(m.cells)) * movingCellBytes
		m.cells = cells
		if err := e.g.Step(size * movingCellBytes); err != nil {
			return err
		}
	}
	m.cells[m.rows&int64(len(m.cells)-1)] = c
	m.rows++
	return nil
}

func (e *streamMoving) enter(m *movingSum, c movingCell) {
	if c.class == vector.ClassNull {
		return
	}
	m.sums.n++
	if e.count {
		return
	}
	switch c.class {
	case vector.ClassInt:
		m.sums.ints.Add(int64(c.bits))
	case vector.ClassFloat:
		m.sums.nf++
		m.queue.back.Add(math.Float64frombits(c.bits))
	case vector.ClassBig:
		m.sums.n--
		m.large++
	}
}

// leave takes the first row out.
func (e *streamMoving) leave(m *movingSum) error {
	c := m.at(m.lo)
	if m.sums.nf > 0 && m.lo >= m.queue.to {
		if err := e.turn(m); err != nil {
			return err
		}
	}
	if c.class == vector.ClassNull {
		return nil
	}
	m.sums.n--
	if e.count {
		return nil
	}
	switch c.class {
	case vector.ClassInt:
		var x num.Int128
		x.Add(int64(c.bits))
		m.sums.ints.Merge(x.Negative())
	case vector.ClassFloat:
		if m.sums.nf--; m.sums.nf == 0 {
			m.queue.back, m.queue.to = num.Sum{}, 0
		}
	case vector.ClassBig:
		m.sums.n++
		m.large--
	}
	return nil
}

// floatQueue is the sum of doubles that enter at one end and leave at the other, without subtracting: of the rows before to it has the
// sums from each of them on, of those behind one sum. When all rows of the first kind have left, those behind become them.
type floatQueue struct {
	from, to int64
	front    []num.Sum // of rows from up to to
	back     num.Sum
}

const sumBytes = 24

// sum returns the sum of the rows from lo on.
func (q *floatQueue) sum(lo int64) num.Sum {
	s := q.back
	if lo < q.to {
		s = q.front[lo-q.from]
		s.Merge(q.back)
	}
	return s
}

// turn makes sums of all rows that are in, and leaves none behind.
func (e *streamMoving) turn(m *movingSum) error {
	q := &m.queue
	n := int(m.hi - m.lo)
	if n > cap(q.front) {
		if size := int64(n) * sumBytes; size >= vector.LargeBytes {
			if err := e.g.acct.ask(size); err != nil {
				return e.g.refuse(err)
			}
		}
		e.held += int64(n-cap(q.front)) * sumBytes
		q.front = make([]num.Sum, n)
	}
	q.front = q.front[:n]
	var s num.Sum
	for k := n - 1; k >= 0; k-- {
		if c := m.at(m.lo + int64(k)); c.class == vector.ClassFloat {
			s.Add(math.Float64frombits(c.bits))
		}
		q.front[k] = s
	}
	q.from, q.to, q.back = m.lo, m.hi, num.Sum{}
	return e.g.Step(n * rowStep)
}
