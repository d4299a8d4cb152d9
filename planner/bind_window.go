package planner

import (
	"slices"
	"strings"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// windowCollector gathers the calls of window functions of a block, by window.
type windowCollector struct {
	named   []*query.NamedWindow
	windows []*windowNode // without input, in the order of the text
}

// has reports whether a column is the result of a window function.
func (c *windowCollector) has(id int) bool {
	return c != nil && slices.ContainsFunc(c.windows, func(w *windowNode) bool { return slices.Contains(w.ids, id) })
}

// in reports whether an expression uses such a result.
func (c *windowCollector) in(x exec.Expr) bool {
	found := false
	exec.Walk(x, func(x exec.Expr) bool {
		if col, ok := x.(*exec.Col); ok && c.has(col.Index) {
			found = true
		}
		return !found
	})
	return found
}

// windowDef is a window that was bound.
type windowDef struct {
	partition []exec.Expr
	order     []exec.SortKey
	frame     exec.Frame
}

// windowCall binds the call of a window function: the expression is the column that will hold its result.
func (b *binder) windowCall(s *scope, e *query.Call, name string) (exec.Expr, error) {
	if s.windows == nil {
		where := s.where
		if where == "" {
			where = "this place"
		}
		err := query.Errorf(e, query.CodeWindow, "window function %s is not allowed in %s", name, where)
		if where == "WHERE" || where == "HAVING" {
			err = err.WithHint("use QUALIFY")
		}
		return nil, err
	}
	inner := *s
	inner.windows, inner.where = nil, "a window function"
	def, err := b.window(&inner, s.windows.named, e.Over)
	if err != nil {
		return nil, err
	}
	call := &exec.WindowCall{Span: e.Span, Frame: def.frame}
	switch agg := exec.FindAggregate(name); {
	case agg != nil:
		err = b.windowAggregate(&inner, e, agg, call)
	case exec.FindWindowFunction(name) != nil:
		err = b.windowFunction(&inner, e, exec.FindWindowFunction(name), call)
	case exec.FindFunction(name) != nil || name == "coalesce" || name == "ifnull" || name == "if" || name == "iif" || name == "nullif":
		return nil, query.Errorf(e, query.CodeWindow, "%s is neither a window function nor an aggregate", name)
	default:
		return nil, b.unknownFunction(e, name)
	}
	if err != nil {
		return nil, err
	}
	var n *windowNode
	for _, w := range s.windows.windows {
		if w.same(def) {
			n = w
		}
	}
	if n == nil {
		n = &windowNode{partition: def.partition, order: def.order}
		s.windows.windows = append(s.windows.windows, n)
	}
	for i, o := range n.calls {
		if o.Same(call) {
			return b.col(n.ids[i], e.Span), nil
		}
	}
	id := b.newColumn(e.String(), call.T)
	n.calls, n.ids = append(n.calls, call), append(n.ids, id)
	return b.col(id, e.Span), nil
}

// windowAggregate binds an aggregate over a window.
func (b *binder) windowAggregate(s *scope, e *query.Call, fn *exec.AggregateFunction, call *exec.WindowCall) error {
	plain := *e
	plain.Over = nil
	agg, err := b.aggregateCall(s, &plain, fn)
	if err != nil {
		return err
	}
	if len(agg.OrderBy) > 0 {
		return unsupported(e.OrderBy[0], "ORDER BY in an aggregate over a window").WithHint("rows are taken in the order of the window")
	}
	call.Agg, call.T = agg, agg.T
	return nil
}

// windowFunction binds a function that is no aggregate.
func (b *binder) windowFunction(s *scope, e *query.Call, fn *exec.WindowFunction, call *exec.WindowCall) error {
	switch {
	case e.Star:
		return query.Errorf(e, query.CodeSyntax, "%s(*) means nothing: only count(*) does", fn.Name)
	case e.Distinct, len(e.OrderBy) > 0, len(e.WithinGroup) > 0, e.Filter != nil:
		return query.Errorf(e, query.CodeSyntax, "%s is no aggregate", fn.Name).WithHint("it takes no DISTINCT, ORDER BY, WITHIN GROUP or FILTER")
	case len(e.Args) < fn.Min || len(e.Args) > fn.Max:
		want := plural(fn.Max)
		if fn.Min < fn.Max {
			want = itoa(fn.Min) + " to " + want
		}
		return arity(e, fn.Name, want, len(e.Args))
	}
	args := make([]exec.Expr, len(e.Args))
	for i, a := range e.Args {
		x, err := b.expr(s, a)
		if err != nil {
			return err
		}
		args[i] = x
	}
	call.Fn, call.Args = fn, args
	var err error
	switch {
	case fn.Shifts():
		if len(args) > 1 {
			if args[1], err = b.argument(fn.Name, exec.IntParam, args[1]); err != nil {
				return err
			}
		}
		call.T = args[0].Type()
		if len(args) > 2 {
			both := []exec.Expr{args[0], args[2]}
			if call.T, err = b.unify(both, fn.Name); err != nil {
				return err
			}
			for _, k := range []int{0, 2} {
				if args[k], err = b.convert(args[k], call.T); err != nil {
					return err
				}
			}
		}
	case fn.Of():
		call.T = args[0].Type()
	default:
		call.T = fn.Type()
	}
	switch fn.Name {
	case "ntile":
		err = b.positive(fn.Name, "the number of parts", e.Args[0], args[0])
	case "nth_value":
		err = b.positive(fn.Name, "the number of a row", e.Args[1], args[1])
	}
	return err
}

// positive checks an argument that must be a constant integer above 0.
func (b *binder) positive(name, what string, at query.Expr, x exec.Expr) error {
	c, ok := x.(*exec.Const)
	switch {
	case !ok:
		return unsupported(at, what+" of "+name+" that is not constant")
	case c.Value.Kind() != query.KindInt && c.Value.Kind() != query.KindBig:
		return query.Errorf(at, query.CodeType, "%s wants an integer, not %s", name, typeName(x))
	case c.Value.Kind() == query.KindBig || c.Value.Int() < 1:
		return query.Errorf(at, query.CodeOutOfRange, "%s of %s goes from 1 to 9223372036854775807", what, name)
	}
	return nil
}

// namedWindow returns the entry of WINDOW that a name means: exactly that, else the only one that differs in case.
func namedWindow(named []*query.NamedWindow, id query.Ident) (*query.NamedWindow, int, error) {
	at := -1
	for i, w := range named {
		if w.Name.Name == id.Name {
			return w, i, nil
		}
		if !id.Quoted && strings.EqualFold(w.Name.Name, id.Name) {
			at = i
		}
	}
	if at >= 0 {
		return named[at], at, nil
	}
	err := query.Errorf(id, query.CodeWindow, "no window %s", quoteName(id.Name))
	var names []string
	for _, w := range named {
		names = append(names, w.Name.Name)
	}
	if near := query.Nearest(id.Name, names); near != "" {
		err = err.WithHint("did you mean %s?", near)
	}
	return nil, 0, err
}

// resolve puts what a window builds on into it. It returns a window without a name.
func resolve(named []*query.NamedWindow, w *query.Window) (*query.Window, error) {
	if !w.Name.Is() {
		return w, nil
	}
	entry, at, err := namedWindow(named, w.Name)
	if err != nil {
		return nil, err
	}
	base, err := resolve(named[:at], entry.Window)
	if err != nil || w.Bare {
		return base, err
	}
	out := *w
	out.Name = query.Ident{}
	switch {
	case len(w.PartitionBy) > 0:
		return nil, query.Errorf(w.PartitionBy[0], query.CodeWindow, "window %s has its partition, another cannot be given", quoteName(entry.Name.Name))
	case len(w.OrderBy) > 0 && len(base.OrderBy) > 0:
		return nil, query.Errorf(w.OrderBy[0], query.CodeWindow, "window %s has an order, another cannot be given", quoteName(entry.Name.Name))
	case base.Frame != nil:
		return nil, query.Errorf(w.Name, query.CodeWindow, "window %s has a frame, so nothing can build on it", quoteName(entry.Name.Name)).
			WithHint("OVER %s, without parentheses, takes it as it is", quoteName(entry.Name.Name))
	}
	out.PartitionBy = base.PartitionBy
	if len(w.OrderBy) == 0 {
		out.OrderBy = base.OrderBy
	}
	return &out, nil
}

// namedWindows checks the entries of WINDOW, also those that nothing uses.
func (b *binder) namedWindows(s *scope, named []*query.NamedWindow) error {
	inner := *s
	inner.windows, inner.where = nil, "WINDOW"
	for i, w := range named {
		if slices.ContainsFunc(named[:i], func(o *query.NamedWindow) bool { return o.Name.Name == w.Name.Name }) {
			return query.Errorf(w.Name, query.CodeWindow, "WINDOW names %s twice", quoteName(w.Name.Name))
		}
		if _, err := b.window(&inner, named[:i], w.Window); err != nil {
			return err
		}
	}
	return nil
}

// window binds what follows OVER.
func (b *binder) window(s *scope, named []*query.NamedWindow, w *query.Window) (*windowDef, error) {
	w, err := resolve(named, w)
	if err != nil {
		return nil, err
	}
	d := &windowDef{}
	for _, p := range w.PartitionBy {
		x, err := b.expr(s, p)
		if err != nil {
			return nil, err
		}
		if _, ok := x.(*exec.Const); ok || slices.ContainsFunc(d.partition, func(o exec.Expr) bool { return exec.Equal(o, x) }) {
			continue // it divides nothing
		}
		d.partition = append(d.partition, x)
	}
	var keys []exec.Expr
	for _, o := range w.OrderBy {
		x, err := b.expr(s, o.Expr)
		if err != nil {
			return nil, err
		}
		keys = append(keys, x)
		if _, ok := x.(*exec.Const); ok && (w.Frame == nil || w.Frame.StartOffset == nil && w.Frame.EndOffset == nil) {
			continue // it orders nothing
		}
		d.order = append(d.order, exec.SortKey{Expr: x, Desc: o.Desc, NullsFirst: o.Nulls == query.NullsFirst})
	}
	d.frame, err = b.frame(w, keys)
	return d, err
}

// frame binds a frame; keys are the expressions of ORDER BY.
func (b *binder) frame(w *query.Window, keys []exec.Expr) (exec.Frame, error) {
	if w.Frame == nil {
		f := exec.Frame{Unit: query.FrameRange, Start: query.UnboundedPreceding, End: query.CurrentRow}
		if len(keys) == 0 {
			f.End = query.UnboundedFollowing
		}
		return f, nil
	}
	q := w.Frame
	f := exec.Frame{Unit: q.Unit, Start: q.Start, End: q.End, Exclude: q.Exclude}
	offsets := q.StartOffset != nil || q.EndOffset != nil
	switch {
	case q.Unit == query.FrameGroups && len(keys) == 0:
		return f, query.Errorf(q, query.CodeWindow, "GROUPS needs an ORDER BY in the window")
	case q.Unit == query.FrameRange && offsets && len(keys) != 1:
		return f, query.Errorf(q, query.CodeWindow, "RANGE with an offset needs exactly one ORDER BY in the window")
	}
	var err error
	if q.StartOffset != nil {
		if f.From, err = b.frameOffset(q, q.StartOffset, keys); err != nil {
			return f, err
		}
	}
	if q.EndOffset != nil {
		if f.To, err = b.frameOffset(q, q.EndOffset, keys); err != nil {
			return f, err
		}
	}
	if len(keys) == 0 && q.Unit == query.FrameRange { // all rows are peers
		f.Start, f.End = query.UnboundedPreceding, query.UnboundedFollowing
	}
	return f, nil
}

// frameOffset evaluates the offset of a frame, which is not negative.
func (b *binder) frameOffset(q *query.Frame, e query.Expr, keys []exec.Expr) (query.Value, error) {
	x, err := b.expr(&scope{where: "a frame"}, e)
	if err != nil {
		if isUnknownColumn(err) {
			return query.Value{}, unsupported(e, "the offset of a frame that is not constant")
		}
		return query.Value{}, err
	}
	if q.Unit == query.FrameRange && isTextConst(x) {
		if t := keys[0].Type(); t == vector.Time || t == vector.Date {
			if x, err = b.readText(x, vector.IntervalType); err != nil {
				return query.Value{}, err
			}
		}
	}
	if !exec.IsConst(x) {
		return query.Value{}, unsupported(e, "the offset of a frame that is not constant")
	}
	v, err := exec.EvalConst(b.ctx, x, b.env())
	if err != nil {
		return v, err
	}
	wrong := func(want string) error {
		return query.Errorf(e, query.CodeType, "the offset of the frame wants %s, not %s", want, typeName(&exec.Const{Value: v, T: x.Type()}))
	}
	negative := query.Errorf(e, query.CodeOutOfRange, "the offset of a frame must not be negative")
	if v.Kind() == query.KindBig {
		if v.String()[0] == '-' {
			return v, negative
		}
		return v, query.Errorf(e, query.CodeOutOfRange, "the offset of a frame goes up to 9223372036854775807")
	}
	if v.Kind() == query.KindInt && v.Int() < 0 || v.Kind() == query.KindDouble && v.Double() < 0 || v.Kind() == query.KindInterval && exec.IntervalNegative(v) {
		return v, negative
	}
	if q.Unit != query.FrameRange {
		if v.Kind() != query.KindInt {
			return v, wrong("an integer")
		}
		return v, nil
	}
	t := keys[0].Type()
	number := v.Kind() == query.KindInt || v.Kind() == query.KindDouble
	switch {
	case v.Kind() == query.KindDouble && v.Double() != v.Double():
		return v, query.Errorf(e, query.CodeOutOfRange, "the offset of a frame must be a number")
	case isNumber(t):
		if !number {
			return v, wrong("a number")
		}
	case t == vector.Time:
		if v.Kind() != query.KindInterval {
			return v, wrong("an INTERVAL")
		}
	case t == vector.Date:
		if v.Kind() != query.KindInterval && v.Kind() != query.KindInt {
			return v, wrong("an INTERVAL or an integer")
		}
	case t.Dynamic():
		if !number && v.Kind() != query.KindInterval {
			return v, wrong("a number or an INTERVAL")
		}
	default:
		return v, query.Errorf(keys[0], query.CodeType, "RANGE with an offset cannot order by a %s", t).WithHint("use ROWS or GROUPS")
	}
	return v, nil
}

// windows puts the nodes of a block's windows above a tree.
func (b *binder) windows(s *scope, tree node, agg *aggregateNode) (node, error) {
	for _, w := range s.windows.windows {
		if agg != nil {
			if err := w.rewrite(func(x exec.Expr) (exec.Expr, error) { return b.overGroups(agg, s, x) }); err != nil {
				return nil, err
			}
		}
		var err error
		if tree, err = b.place(s, tree, agg, w.exprs()...); err != nil {
			return nil, err
		}
		w.in = tree
		tree = w
	}
	return tree, nil
}
