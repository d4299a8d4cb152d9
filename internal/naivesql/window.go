package naivesql

import (
	"math"
	"math/big"
	"slices"
	"sort"
	"strings"

	"github.com/seed69692123/netdb/query"
)

// windowCall is the call of a window function: its value is that of a column behind those of the rows.
type windowCall struct {
	name      string
	text      string
	t         typ
	partition []*node
	order     order
	frame     *query.Frame
	args      []*node
	agg       *aggregate
}

// windowing is the calls of a block, in the order of the text, and the columns that stand before them.
type windowing struct {
	calls []*windowCall
	width int
}

// windowing returns nil for a block without window functions. s is what their arguments see.
func (r *runner) windowing(b *query.Block, s *scope, by []*query.Order, width int) (*windowing, error) {
	w := &windowing{width: width}
	var exprs []query.Expr
	for _, it := range b.Items {
		exprs = append(exprs, it.Expr)
	}
	if b.Qualify != nil {
		exprs = append(exprs, b.Qualify)
	}
	for _, t := range by {
		exprs = append(exprs, t.Expr)
	}
	var failed error
	for _, e := range exprs {
		query.Walk(e, func(n query.Node) bool {
			c, ok := n.(*query.Call)
			if !ok || c.Over == nil || failed != nil {
				return true
			}
			if !slices.ContainsFunc(w.calls, func(o *windowCall) bool { return o.text == c.String() }) {
				var call *windowCall
				if call, failed = s.window(b, c); failed == nil {
					w.calls = append(w.calls, call)
				}
			}
			return false
		})
	}
	if failed != nil || len(w.calls) == 0 {
		return nil, failed
	}
	return w, nil
}

// scope is what expressions see above the windows.
func (w *windowing) scope(s *scope) *scope {
	above := *s
	above.instead = func(e query.Expr) (*node, error) {
		if c, ok := e.(*query.Call); ok && c.Over != nil {
			text := c.String()
			for i, call := range w.calls {
				if call.text == text {
					return &node{t: call.t, eval: func(row []value) (value, error) { return row[w.width+i], nil }}, nil
				}
			}
		}
		if s.instead != nil {
			return s.instead(e)
		}
		return nil, nil
	}
	return &above
}

func (s *scope) window(b *query.Block, c *query.Call) (*windowCall, error) {
	w := &windowCall{name: strings.ToLower(c.Name[0].Name), text: c.String()}
	over := c.Over
	if over.Name.Is() {
		if !over.Bare {
			return nil, unknown(c)
		}
		for _, n := range b.Windows {
			if n.Name.Name == over.Name.Name {
				over = n.Window
			}
		}
	}
	var err error
	if w.partition, err = s.compileAll(over.PartitionBy); err != nil {
		return nil, err
	}
	w.order.terms = over.OrderBy
	for _, o := range over.OrderBy {
		k, err := s.compile(o.Expr)
		if err != nil {
			return nil, err
		}
		w.order.keys = append(w.order.keys, k)
	}
	w.frame = over.Frame
	if w.frame == nil {
		w.frame = &query.Frame{Unit: query.FrameRange, Start: query.UnboundedPreceding, End: query.CurrentRow}
	}
	if w.frame.Unit == query.FrameRange && (w.frame.StartOffset != nil || w.frame.EndOffset != nil) {
		if t := w.order.keys[0].t; t == text || t == boolean {
			return nil, fail(query.CodeType)
		}
	}
	if isAggregate(w.name) {
		plain := *c
		plain.Over = nil
		if w.agg, err = s.aggregate(&plain); err != nil {
			return nil, err
		}
		w.t = w.agg.t
		return w, nil
	}
	if w.args, err = s.compileAll(c.Args); err != nil {
		return nil, err
	}
	switch w.name {
	case "row_number", "rank", "dense_rank", "ntile":
		w.t = bigint
	case "percent_rank", "cume_dist":
		w.t = double
	case "lag", "lead":
		w.t = w.args[0].t
		if len(w.args) > 2 {
			if w.t, err = unify([]*node{w.args[0], w.args[2]}); err != nil {
				return nil, err
			}
		}
	case "first_value", "last_value", "nth_value":
		w.t = w.args[0].t
	default:
		return nil, unknown(c)
	}
	return w, nil
}

// compute puts the results behind the rows. errs[i], when not nil, is why row i has none.
func (w *windowing) compute(r *runner, rows [][]value) (out [][]value, errs []error) {
	errs = make([]error, len(rows))
	for _, row := range rows {
		out = append(out, append([]value(nil), row...))
	}
	for _, c := range w.calls {
		c.compute(r, rows, out, errs)
	}
	return out, errs
}

// windowRow is a row of a partition.
type windowRow struct {
	at     int // of the rows
	row    []value
	keys   []value
	group  int // of its peers
	arg    value
	passes bool
}

func (w *windowCall) compute(r *runner, rows, out [][]value, errs []error) {
	var parts [][]*windowRow
	var names [][]value
	for i, row := range rows {
		x := &windowRow{at: i, row: row, passes: true}
		part, err := w.read(x)
		if err != nil { // the rows before are all there is
			if errs[i] == nil {
				errs[i] = err
			}
			break
		}
		k := slices.IndexFunc(names, func(o []value) bool { return equal(o, part) })
		if k < 0 {
			k = len(names)
			names, parts = append(names, part), append(parts, nil)
		}
		parts[k] = append(parts[k], x)
	}
	for _, part := range parts {
		sort.SliceStable(part, func(i, j int) bool { return w.order.compare(part[i].keys, part[j].keys) < 0 })
		for k, x := range part {
			if k > 0 {
				if x.group = part[k-1].group; w.order.compare(part[k-1].keys, x.keys) != 0 {
					x.group++
				}
			}
		}
		var last []*windowRow
		var lastValue value
		var lastErr error
		for k := range part {
			i := part[k].at
			if !w.framed() {
				v, err := w.ranked(part, k)
				out[i] = append(out[i], v)
				if err != nil && errs[i] == nil {
					errs[i] = err
				}
				continue
			}
			frame := w.rows(part, k)
			if last == nil || !slices.Equal(frame, last) {
				lastValue, lastErr = w.over(r, frame)
				last = append([]*windowRow{}, frame...)
			}
			out[i] = append(out[i], lastValue)
			if lastErr != nil && errs[i] == nil {
				errs[i] = lastErr
			}
		}
	}
}

// read evaluates the partition, keys and argument of a row.
func (w *windowCall) read(x *windowRow) (part []value, err error) {
	if part, err = keysOf(w.partition, x.row); err != nil {
		return nil, err
	}
	if x.keys, err = keysOf(w.order.keys, x.row); err != nil {
		return nil, err
	}
	args := w.args
	if w.agg != nil {
		if args = w.agg.args; w.agg.filter != nil {
			v, err := w.agg.filter.eval(x.row)
			if err != nil {
				return nil, err
			}
			x.passes = v == true
		}
	}
	if len(args) > 0 && x.passes {
		x.arg, err = args[0].eval(x.row)
	}
	return part, err
}

func (w *windowCall) framed() bool {
	return w.agg != nil || strings.HasSuffix(w.name, "_value")
}

// ranked is a function that has no frame, for row k.
func (w *windowCall) ranked(part []*windowRow, k int) (value, error) {
	n, first, last := len(part), k, k
	for first > 0 && part[first-1].group == part[k].group {
		first--
	}
	for last+1 < n && part[last+1].group == part[k].group {
		last++
	}
	switch w.name {
	case "row_number":
		return int64(k + 1), nil
	case "rank":
		return int64(first + 1), nil
	case "dense_rank":
		return int64(part[k].group + 1), nil
	case "percent_rank":
		if n == 1 {
			return 0.0, nil
		}
		return float64(first) / float64(n-1), nil
	case "cume_dist":
		return float64(last+1) / float64(n), nil
	case "ntile":
		tiles := int(w.args[0].literal.(int64))
		// Rows are dealt out: the first parts get one more.
		for at, part := 0, 1; ; part++ {
			size := n / tiles
			if part <= n%tiles {
				size++
			}
			if at += size; k < at {
				return int64(part), nil
			}
		}
	}
	away := big.NewInt(1)
	if len(w.args) > 1 {
		v, err := w.args[1].eval(part[k].row)
		if err != nil {
			return nil, err
		}
		i, ok := v.(int64)
		if !ok {
			return nil, nil
		}
		away.SetInt64(i)
	}
	if w.name == "lag" {
		away.Neg(away)
	}
	if away.Add(away, big.NewInt(int64(k))); away.Sign() >= 0 && away.Cmp(big.NewInt(int64(n))) < 0 {
		return as(part[away.Int64()].arg, w.t), nil
	}
	if len(w.args) > 2 {
		v, err := w.args[2].eval(part[k].row)
		return as(v, w.t), err
	}
	return nil, nil
}

// rows are those of the frame of row k.
func (w *windowCall) rows(part []*windowRow, k int) []*windowRow {
	out := []*windowRow{}
	for j, x := range part {
		if !w.within(part, j, k, w.frame.Start, w.frame.StartOffset, 1) || !w.within(part, j, k, w.frame.End, w.frame.EndOffset, -1) {
			continue
		}
		peer := x.group == part[k].group
		switch w.frame.Exclude {
		case query.ExcludeCurrentRow:
			if j == k {
				continue
			}
		case query.ExcludeGroup:
			if peer {
				continue
			}
		case query.ExcludeTies:
			if peer && j != k {
				continue
			}
		}
		out = append(out, x)
	}
	return out
}

// within reports whether row j is not outside of a bound of the frame of row k: the start for side 1, the end for side -1.
func (w *windowCall) within(part []*windowRow, j, k int, kind query.BoundKind, offset query.Expr, side int) bool {
	if kind == query.UnboundedPreceding || kind == query.UnboundedFollowing {
		return true
	}
	a, b := j, k
	if w.frame.Unit != query.FrameRows {
		a, b = part[j].group, part[k].group
	}
	if kind == query.CurrentRow {
		return (a-b)*side >= 0
	}
	by := offset.(*query.Literal).Value
	if w.frame.Unit != query.FrameRange {
		d := big.NewInt(by.Int())
		if kind == query.Preceding {
			d.Neg(d)
		}
		return big.NewInt(int64(a-b)).Cmp(d)*side >= 0
	}
	at := part[k].keys[0]
	if rank(at) != 1 {
		return (a-b)*side >= 0
	}
	minus := (kind == query.Preceding) != w.order.terms[0].Desc
	bound := []value{shift(at, by, minus)}
	return w.order.compare(part[j].keys, bound)*side >= 0
}

// shift adds an offset to a number, or takes it away: exactly where both are integers.
func shift(at value, by query.Value, minus bool) value {
	x, isFloat := at.(float64)
	if !isFloat && by.Kind() == query.KindInt {
		a, _ := exact(at)
		i, b := new(big.Int).Set(a.Num()), big.NewInt(by.Int())
		if minus {
			b.Neg(b)
		}
		return integer(i.Add(i, b))
	}
	if !isFloat {
		x = toFloat(at)
	}
	d := by.Double()
	if by.Kind() == query.KindInt {
		d = float64(by.Int())
	}
	if minus {
		d = -d
	}
	if s := x + d; !math.IsNaN(s) || math.IsNaN(x) {
		return s
	}
	return d
}

// over is a function of the rows of a frame.
func (w *windowCall) over(r *runner, frame []*windowRow) (value, error) {
	if w.agg == nil {
		at := 0
		switch w.name {
		case "last_value":
			at = len(frame) - 1
		case "nth_value":
			at = int(w.args[1].literal.(int64)) - 1
		}
		if at < 0 || at >= len(frame) {
			return nil, nil
		}
		return frame[at].arg, nil
	}
	a := *w.agg
	a.filter = nil
	if len(a.args) > 0 {
		a.args = slices.Clone(a.args)
		a.args[0] = &node{t: w.agg.args[0].t, eval: func(row []value) (value, error) { return row[0], nil }}
	}
	g := newGroup(nil, 1)
	for _, x := range frame {
		if !x.passes {
			continue
		}
		if err := g.add([]*aggregate{&a}, []value{x.arg}); err != nil {
			return nil, err
		}
	}
	v, magnitude, err := g.result(0, &a)
	r.magnitude = max(r.magnitude, magnitude)
	return v, err
}
