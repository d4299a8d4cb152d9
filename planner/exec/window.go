package exec

import (
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// WindowFunction is an entry of the table of window functions. Aggregates are window functions too; they have a table of their own.
type WindowFunction struct {
	Name string
	// Min and Max are the number of arguments.
	Min, Max int
	// Framed: the result depends on the frame.
	Framed bool
	Doc    string

	kind windowKind
}

type windowKind uint8

const (
	rowNumber windowKind = iota
	rankOf
	denseRank
	percentRank
	cumeDist
	ntile
	lagBehind
	leadAhead
	firstValue
	lastValue
	nthValue
)

// Of reports whether the function gives values of its first argument, and not numbers.
func (f *WindowFunction) Of() bool { return f.kind >= lagBehind }

// Shifts reports whether the arguments are a value, how many rows away, and what stands for one that is not there.
func (f *WindowFunction) Shifts() bool { return f.kind == lagBehind || f.kind == leadAhead }

// Type is the type of a function that gives numbers.
func (f *WindowFunction) Type() vector.Type {
	if f.kind == percentRank || f.kind == cumeDist {
		return vector.Float
	}
	return vector.Int
}

// WindowFunctions is the table of window functions, in alphabetical order.
func WindowFunctions() []*WindowFunction {
	return []*WindowFunction{
		{Name: "cume_dist", kind: cumeDist, Doc: "cume_dist(): the part of the partition's rows that are not behind this one and its peers"},
		{Name: "dense_rank", kind: denseRank, Doc: "dense_rank(): the number of the row's group of peers, from 1"},
		{Name: "first_value", Min: 1, Max: 1, Framed: true, kind: firstValue, Doc: "first_value(x): x of the first row of the frame"},
		{Name: "lag", Min: 1, Max: 3, kind: lagBehind, Doc: "lag(x, n, default): x of the row n rows before; n is 1 if it is left out"},
		{Name: "last_value", Min: 1, Max: 1, Framed: true, kind: lastValue, Doc: "last_value(x): x of the last row of the frame"},
		{Name: "lead", Min: 1, Max: 3, kind: leadAhead, Doc: "lead(x, n, default): x of the row n rows behind; n is 1 if it is left out"},
		{Name: "nth_value", Min: 2, Max: 2, Framed: true, kind: nthValue, Doc: "nth_value(x, n): x of the n-th row of the frame, from 1"},
		{Name: "ntile", Min: 1, Max: 1, kind: ntile, Doc: "ntile(n): the number of the row's part, from 1, when the partition is divided into n of nearly one size"},
		{Name: "percent_rank", kind: percentRank, Doc: "percent_rank(): (rank - 1) / (rows of the partition - 1), 0 for a single row"},
		{Name: "rank", kind: rankOf, Doc: "rank(): the number of the row's first peer"},
		{Name: "row_number", kind: rowNumber, Doc: "row_number(): the number of the row in its partition, from 1"},
	}
}

// FindWindowFunction returns the window function of a lower-case name, or nil.
func FindWindowFunction(name string) *WindowFunction {
	for _, f := range WindowFunctions() {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// Frame is which rows of the partition a function sees, from those around the current row.
type Frame struct {
	Unit       query.FrameUnit
	Start, End query.BoundKind
	// From and To are the offsets of Preceding and Following: of ROWS and GROUPS a BIGINT, of RANGE what is added to the key.
	From, To query.Value
	Exclude  query.FrameExclude
}

// Whole reports whether the frame of each row is the whole partition.
func (f *Frame) Whole() bool {
	return f.Start == query.UnboundedPreceding && f.End == query.UnboundedFollowing && f.Exclude == query.ExcludeNothing
}

// running reports whether frames begin with the partition, so that each has at least the rows of the one before.
func (f *Frame) running() bool {
	return f.Start == query.UnboundedPreceding && f.Exclude == query.ExcludeNothing
}

// WindowCall is the call of a window function: of Fn, or of an aggregate.
type WindowCall struct {
	query.Span
	Fn    *WindowFunction
	Args  []Expr     // of Fn
	Agg   *Aggregate // instead of Fn
	Frame Frame
	T     vector.Type
}

// Name is the name of the function.
func (c *WindowCall) Name() string {
	if c.Agg != nil {
		return c.Agg.Fn.Name
	}
	return c.Fn.Name
}

// Exprs are the expressions of a call.
func (c *WindowCall) Exprs() []Expr {
	if c.Agg == nil {
		return c.Args
	}
	out := append([]Expr(nil), c.Agg.Inputs()...)
	if c.Agg.Filter != nil {
		out = append(out, c.Agg.Filter)
	}
	return out
}

// Same reports whether two calls over the same rows give the same.
func (c *WindowCall) Same(o *WindowCall) bool {
	if c.Fn != o.Fn && (c.Fn == nil || o.Fn == nil || c.Fn.kind != o.Fn.kind) || (c.Agg == nil) != (o.Agg == nil) || len(c.Args) != len(o.Args) {
		return false
	}
	if c.Frame != o.Frame && (c.Agg != nil || c.Fn.Framed) {
		return false
	}
	if c.Agg != nil {
		return c.Agg.Same(o.Agg)
	}
	for i := range c.Args {
		if !Equal(c.Args[i], o.Args[i]) {
			return false
		}
	}
	return true
}

// Map returns a copy with f applied to its expressions.
func (c *WindowCall) Map(f func(Expr) Expr) *WindowCall {
	n := *c
	if c.Agg != nil {
		n.Agg = c.Agg.Map(f)
		return &n
	}
	n.Args = make([]Expr, len(c.Args))
	for i, x := range c.Args {
		n.Args[i] = f(x)
	}
	return &n
}

// CanFail reports whether the function itself can give an error for values that are fine.
func (c *WindowCall) CanFail() bool {
	if c.Agg == nil {
		return false
	}
	switch c.Agg.Fn.Name {
	case "count", "min", "max", "any_value", "first", "last", "bool_and", "bool_or", "arg_min", "arg_max":
		return false
	}
	return true
}

// constInt returns the value of a constant integer.
func constInt(x Expr) (int64, bool) {
	c, ok := x.(*Const)
	if !ok || c.Value.Kind() != query.KindInt {
		return 0, false
	}
	return c.Value.Int(), true
}

// maxLag is the most rows that a lag keeps of each partition while rows pass.
const maxLag = 1024

// Streams reports whether the result for a row needs no row behind it, and can be found without keeping the partition: when rows
// come in the order of the window, they can be passed on as they come. Unique says that no two rows are peers.
func (c *WindowCall) Streams(unique bool) bool {
	if c.Agg == nil {
		switch c.Fn.kind {
		case rowNumber:
			return true
		case rankOf, denseRank:
			return unique // they are the number of the row
		case lagBehind:
			if len(c.Args) > 1 {
				n, ok := constInt(c.Args[1])
				return ok && n >= 0 && n <= maxLag
			}
			return true
		}
		return false
	}
	return c.streamedFrame(unique) && c.Agg.streams(c.Frame.Start == query.UnboundedPreceding)
}

// streamedFrame reports whether the frame ends with the current row or before it.
func (c *WindowCall) streamedFrame(unique bool) bool {
	f := &c.Frame
	if f.Exclude != query.ExcludeNothing || f.Unit != query.FrameRows && !unique {
		return false
	}
	if f.Unit == query.FrameRange && (f.Start == query.Preceding || f.Start == query.Following || f.End == query.Preceding || f.End == query.Following) {
		return false // such an offset is no number of rows
	}
	if f.End != query.CurrentRow && f.End != query.Preceding {
		return false
	}
	return f.Start == query.UnboundedPreceding && f.End == query.CurrentRow || f.Start == query.Preceding || f.Start == query.CurrentRow
}

// streams reports whether the result can be asked for after each row; of a frame whose start moves, whether rows can leave.
func (a *Aggregate) streams(fromStart bool) bool {
	switch a.Fn.Name {
	case "sum", "avg", "count":
		return !a.Distinct || fromStart
	}
	return fromStart && a.repeats()
}

// repeats reports whether the accumulator may take in rows after it was asked for its result, and asking takes little time.
func (a *Aggregate) repeats() bool {
	if len(a.OrderBy) > 0 {
		return false
	}
	switch a.Fn.Name {
	case "string_agg", "array_agg", "median", "quantile_cont", "quantile_disc", "approx_quantile", "approx_count_distinct":
		return false
	}
	return true
}
