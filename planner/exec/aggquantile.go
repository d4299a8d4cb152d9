package exec

import (
	"encoding/json"
	"math"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// Fractions returns what the fraction of a quantile is: a number, or several as a JSON array. Each is within [-1, 1]; a
// negative one counts from the greatest value down. ok is false for anything else.
func Fractions(c *Const) (fractions []float64, list, ok bool) {
	switch c.Value.Kind() {
	case query.KindDouble:
		fractions = []float64{c.Value.Double()}
	case query.KindInt:
		fractions = []float64{float64(c.Value.Int())}
	case query.KindJSON:
		list = true
		if err := json.Unmarshal([]byte(c.Value.Text()), &fractions); err != nil || len(fractions) == 0 {
			return nil, true, false
		}
	}
	for _, f := range fractions {
		if !(f >= -1 && f <= 1) {
			return nil, list, false
		}
	}
	return fractions, list, len(fractions) > 0
}

// FractionConst is the constant that Fractions reads.
func FractionConst(at query.Span, fractions []float64, list bool) *Const {
	if !list {
		return &Const{Span: at, Value: query.Double(fractions[0]), T: vector.Float}
	}
	text := []byte{'['}
	for i, f := range fractions {
		if i > 0 {
			text = append(text, ',')
		}
		text = num.AppendFloat(text, f)
	}
	return &Const{Span: at, Value: query.JSON(string(append(text, ']'))), T: vector.JSON}
}

// portion returns a fraction of n. What is a whole number but for the digits of p that a float has not, is that number: a fraction
// 0.56 of 25 is 14.
func portion(p float64, n int) float64 {
	at := math.Abs(p) * float64(n)
	if whole := math.Round(at); math.Abs(at-whole) <= at*0x1p-51 {
		return whole
	}
	return at
}

// discreteRank is the rank of the least value that a fraction p of n values is not above.
func discreteRank(p float64, n int) int {
	k := max(1, int(math.Ceil(portion(p, n)))) - 1
	if math.Signbit(p) {
		return n - 1 - k
	}
	return k
}

// continuousRank is the rank of the value at or below a fraction p of n values, and how far from there to the next it is.
func continuousRank(p float64, n int) (rank int, part float64) {
	at := portion(p, n-1)
	k := int(at)
	part = at - float64(k)
	switch {
	case !math.Signbit(p):
		return k, part
	case part == 0:
		return n - 1 - k, 0
	}
	return n - 2 - k, 1 - part
}

// quantileAcc is quantile_disc, which gives values that are there, and quantile_cont, which goes from one to the next in a
// straight line. It keeps the numbers of a group as bits; what else quantile_disc is asked about is kept as rows in order.
type quantileAcc struct {
	listMemory
	t          vector.Type // of the values
	result1    vector.Type // of one quantile
	continuous bool
	fractions  []float64
	list       bool // the result is a JSON array

	nums   paged[numbers]
	others *orderedRows      // nil until there is one
	counts paged[otherCount] // of others
	sel    selection
	col    [1]*vector.Vector

	ready int    // groups below it have their result
	found []cell // the results of the last of them, one for each fraction; none of no rows
	out   vector.Vector
	locs  []vector.Loc
	err   error
	buf   []byte
}

// cell is row i of a vector.
type cell struct {
	v *vector.Vector
	i int
}

// otherCount is how many rows a group has beside its numbers, below and above these.
type otherCount struct{ below, above int }

func newQuantileAcc(g *storeGate, a *Aggregate, continuous bool) *quantileAcc {
	q := &quantileAcc{listMemory: listMemory{g: g}, t: a.Args[0].Type(), continuous: continuous, fractions: []float64{0.5}}
	q.sel.g = g
	if len(a.Args) > 1 {
		q.fractions, q.list, _ = Fractions(a.Args[1].(*Const))
	}
	q.result1 = a.T
	if q.list {
		q.result1 = vector.Any
	}
	return q
}

func (q *quantileAcc) grow(n int) {
	q.nums.grow(n)
	if q.others != nil {
		q.counts.grow(n)
	}
}

func (q *quantileAcc) add(args []*vector.Vector, groups []int32, sel vector.Sel, n int) error {
	v := args[0]
	if sel == nil && !v.Const && !v.HasNulls() {
		switch {
		case v.Type == vector.Float:
			for i, x := range v.Floats[:n] {
				if err := q.nums.at(int(groups[i])).floats.add(&q.listMemory, floatBits(x)); err != nil {
					return err
				}
			}
			return nil
		case v.Type == vector.Int && q.continuous:
			for i, x := range v.Ints[:n] {
				if err := q.nums.at(int(groups[i])).floats.add(&q.listMemory, floatBits(float64(x))); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for k := range sel.Count(n) {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if err := q.value(v, i, int(groups[i])); err != nil {
			return &vector.RowError{Row: i, Err: err}
		}
	}
	return nil
}

// value takes in one value. Among those of any type, doubles beyond BIGINT are no numbers here: integers beyond it are beside
// them in the order.
func (q *quantileAcc) value(v *vector.Vector, i, group int) error {
	n := q.nums.at(group)
	switch c := v.Class(i); {
	case c == vector.ClassNull:
		return nil
	case c == vector.ClassInt && q.continuous:
		return n.floats.add(&q.listMemory, floatBits(float64(v.Int(i))))
	case c == vector.ClassInt, v.Type == vector.Time, v.Type == vector.Date:
		return n.ints.add(&q.listMemory, intBits(v.Int(i)))
	case c == vector.ClassFloat:
		if f := v.Float(i); q.continuous || v.Type == vector.Float || f >= -0x1p63 && f < 0x1p63 {
			return n.floats.add(&q.listMemory, floatBits(f))
		}
	case q.continuous && c == vector.ClassBig:
		return vector.ErrBigArithmetic
	case q.continuous:
		q.g.OtherType++
		return nil
	}
	return q.other(v, i, group)
}

// other keeps a value that is not among the numbers.
func (q *quantileAcc) other(v *vector.Vector, i, group int) error {
	q.needOthers()
	below := false
	switch v.Class(i) {
	case vector.ClassBool:
		below = true
	case vector.ClassBig:
		below = v.Bytes(i)[0] == '-'
	case vector.ClassFloat:
		below = v.Float(i) < 0
	}
	if count := q.counts.at(group); below {
		count.below++
	} else {
		count.above++
	}
	q.col[0] = v
	return q.others.addRow(q.col[:], q.col[:], i, group)
}

func (q *quantileAcc) needOthers() {
	if q.others == nil {
		value := &Col{T: q.t}
		q.others = newOrderedRows(q.g, []SortKey{{Expr: value}}, []Expr{value})
		q.counts.grow(q.nums.n)
	}
}

func (q *quantileAcc) merge(other accumulator, into []int32) error {
	o := other.(*quantileAcc)
	if o.others != nil {
		q.needOthers()
		if err := q.others.merge(o.others, into); err != nil {
			return err
		}
	}
	return eachMerged(q.g, into, func(from, to int) error {
		n, theirs := q.nums.at(to), o.nums.at(from)
		if o.others != nil {
			c, d := q.counts.at(to), o.counts.at(from)
			c.below, c.above = c.below+d.below, c.above+d.above
		}
		if err := n.ints.share(&q.listMemory, &theirs.ints); err != nil {
			return err
		}
		return n.floats.share(&q.listMemory, &theirs.floats)
	})
}

// finish computes the quantiles of a group.
func (q *quantileAcc) finish(group int) {
	if group < q.ready || q.err != nil {
		return
	}
	q.ready = group + 1
	n, count := q.nums.at(group), otherCount{}
	if q.others != nil {
		count = *q.counts.at(group)
	}
	total := n.len() + count.below + count.above
	if q.found = q.found[:0]; total == 0 {
		return
	}
	q.out.Resize(q.result1, len(q.fractions))
	for k, p := range q.fractions {
		q.found = append(q.found, cell{&q.out, k})
		switch r := discreteRank(p, total); {
		case q.continuous:
			q.err = q.interpolate(k, n, p)
		case r >= count.below && r < count.below+n.len():
			q.err = q.pick(k, n, r-count.below)
		}
		if q.err != nil {
			return
		}
	}
	if q.others != nil {
		q.err = q.pickOthers(group, total, count)
	}
}

// pickOthers finds the results that are among the rows beside the numbers.
func (q *quantileAcc) pickOthers(group, total int, count otherCount) error {
	for at := 0; ; at += len(q.locs) {
		var err error
		if q.locs, err = q.others.take(group, q.locs[:0], vector.MaxRows); err != nil || len(q.locs) == 0 {
			return err
		}
		for k, p := range q.fractions {
			r := discreteRank(p, total)
			switch {
			case r >= total-count.above:
				r -= total - count.below - count.above
			case r >= count.below:
				continue // a number
			}
			if r >= at && r < at+len(q.locs) {
				cols, row := q.others.rows.Row(q.locs[r-at])
				q.found[k] = cell{cols[0], row}
			}
		}
		if err := q.g.Step(len(q.locs) * rowStep); err != nil {
			return err
		}
	}
}

// pick sets result k to the number of rank r. Of an integer and a double that are equal the integer comes first.
func (q *quantileAcc) pick(k int, n *numbers, r int) error {
	ints, floats := source{pieces: n.ints.pieces}, source{pieces: n.floats.pieces}
	switch {
	case n.floats.n == 0:
		key, _, err := q.sel.find([]source{ints}, n.ints.n, r)
		q.setInt(k, bitsInt(key))
		return err
	case n.ints.n == 0:
		key, _, err := q.sel.find([]source{floats}, n.floats.n, r)
		q.setFloat(k, bitsFloat(key))
		return err
	}
	ints.floors = true
	key, _, err := q.sel.find([]source{ints, floats}, n.len(), r)
	if err != nil {
		return err
	}
	// Of those with this key come integers that are equal to it, doubles, and integers above it, which are less than the next
	// float, so at most 1023 above.
	var rests [1024]int
	base, equal := bitsFloat(key), 0
	for _, p := range n.ints.pieces {
		for _, x := range p {
			f, rest := floorFloat(bitsInt(x))
			switch {
			case f < base:
				r--
			case f == base:
				rests[rest]++
			}
		}
		if err := q.g.Step(len(p) * 8); err != nil {
			return err
		}
	}
	if err := q.sel.each([]source{floats}, func(keys []uint64) {
		for _, x := range keys {
			switch {
			case x < key:
				r--
			case x == key:
				equal++
			}
		}
	}); err != nil {
		return err
	}
	switch {
	case r < rests[0]:
		q.setInt(k, int64(base))
		return nil
	case r < rests[0]+equal:
		q.setFloat(k, base)
		return nil
	}
	r -= equal
	rest := 0
	for ; r >= rests[rest]; rest++ {
		r -= rests[rest]
	}
	q.setInt(k, int64(base)+int64(rest))
	return nil
}

// setInt sets result k to an integer, which stands for a value of the type that there is.
func (q *quantileAcc) setInt(k int, x int64) {
	c := vector.ClassInt
	switch {
	case !q.out.Type.Dynamic():
		q.out.Ints[k] = x
		return
	case !q.t.Dynamic():
		c = q.t.Class()
	}
	q.out.SetBits(k, c, uint64(x))
}

func (q *quantileAcc) setFloat(k int, f float64) {
	if q.out.Type.Dynamic() {
		q.out.SetBits(k, vector.ClassFloat, math.Float64bits(f))
		return
	}
	q.out.Floats[k] = f
}

// interpolate sets result k to the continuous quantile p.
func (q *quantileAcc) interpolate(k int, n *numbers, p float64) error {
	r, part := continuousRank(p, n.len())
	if q.t == vector.Time {
		a, b, err := q.sel.find([]source{{pieces: n.ints.pieces}}, n.ints.n, r)
		lo, hi := bitsInt(a), bitsInt(b)
		if part > 0 {
			lo += int64(math.Round(float64(uint64(hi)-uint64(lo)) * part))
		}
		q.setInt(k, lo)
		return err
	}
	a, b, err := q.sel.find([]source{{pieces: n.floats.pieces}}, n.floats.n, r)
	lo, hi := bitsFloat(a), bitsFloat(b)
	if part > 0 && lo != hi {
		if d := hi - lo; d-d == 0 {
			lo += d * part
		} else { // infinite, or the difference of two large numbers
			lo = lo*(1-part) + hi*part
		}
	}
	q.setFloat(k, lo)
	return err
}

// size bounds the bytes of a result; of a list, of its text.
func (q *quantileAcc) size(group int) int {
	q.finish(group)
	size := 0
	for _, c := range q.found {
		if size += c.v.DataLen(c.i); q.list {
			size += 5*c.v.DataLen(c.i) + smallText
		}
	}
	return size
}

func (q *quantileAcc) result(out *vector.Vector, group int) error {
	q.finish(group)
	switch {
	case q.err != nil:
		return q.err
	case len(q.found) == 0:
		out.AppendNull()
		return nil
	case !q.list:
		c := q.found[0]
		if n := c.v.DataLen(c.i); n >= vector.LargeBytes {
			out.AppendShared(c.v.Class(c.i), c.v.Bytes(c.i))
			return nil
		}
		out.AppendFrom(c.v, c.i)
		return nil
	}
	if n := q.size(group); n >= vector.LargeBytes {
		if err := q.g.acct.ask(2 * int64(n)); err != nil {
			return q.g.refuse(err)
		}
	}
	q.buf = append(q.buf[:0], '[')
	for i, c := range q.found {
		if i > 0 {
			q.buf = append(q.buf, ',')
		}
		q.buf = appendJSONText(q.buf, c.v, c.i)
		if err := q.g.Step(c.v.DataLen(c.i)); err != nil {
			return err
		}
	}
	if len(q.buf) >= vector.MaxValueBytes {
		return vector.ErrValueTooLarge
	}
	q.buf = append(q.buf, ']')
	out.AppendBytes(vector.ClassArray, q.buf)
	return nil
}

func (q *quantileAcc) bytes() int64 {
	n := q.listMemory.bytes() + q.nums.bytes() + q.counts.bytes() + q.out.MemoryBytes() + int64(cap(q.buf)+8*cap(q.sel.few)+8*cap(q.sel.floors)+4*cap(q.locs))
	if q.others != nil {
		n += q.others.bytes()
	}
	return n
}

// quantileFunctions are the exact quantiles.
func quantileFunctions() []*AggregateFunction {
	result := func(of func(t vector.Type) (vector.Type, bool)) func([]Expr) (vector.Type, bool) {
		return func(args []Expr) (vector.Type, bool) {
			t, ok := of(args[0].Type())
			if len(args) > 1 && args[1].Type() == vector.JSON {
				t = vector.JSON
			}
			return t, ok
		}
	}
	continuous := result(func(t vector.Type) (vector.Type, bool) {
		if t == vector.Time {
			return t, true
		}
		return vector.Float, numeric(t)
	})
	discrete := result(func(t vector.Type) (vector.Type, bool) { return t, true })
	start := func(continuous bool) func(*storeGate, *Aggregate) accumulator {
		return func(g *storeGate, a *Aggregate) accumulator { return newQuantileAcc(g, a, continuous) }
	}
	params, settings := []Param{AnyParam, FloatParam}, []string{"fraction"}
	return []*AggregateFunction{
		{
			Name: "median", Arity: 1, params: params, result: continuous, start: start(true),
			Doc: "median(x): quantile_cont(x, 0.5)",
		},
		{
			Name: "quantile_cont", Aliases: []string{"percentile_cont"}, Arity: 2, Settings: settings, params: params, result: continuous, start: start(true),
			Doc: "quantile_cont(x, p): where a fraction p of the numbers is passed, in a straight line from one to the next; of [p, …] a JSON array",
		},
		{
			Name: "quantile_disc", Aliases: []string{"percentile_disc", "quantile"}, Arity: 2, Settings: settings, params: params, result: discrete, start: start(false),
			Doc: "quantile_disc(x, p): the least value that a fraction p of all is not above, in the order of ORDER BY; of [p, …] a JSON array",
		},
	}
}
