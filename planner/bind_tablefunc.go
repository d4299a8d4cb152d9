package planner

import (
	"slices"
	"strings"
	"time"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// tableForm is a function in FROM: how it is called, and what it gives.
type tableForm struct{ call, doc string }

// tableFuncs are the functions in FROM. Those that may use the tables before them are bound by rowsOf.
var tableFuncs = []tableForm{
	{"logs('pattern')", "all logs of a pattern as one table, with a column _log"},
	{"tumble(table, time, size [, origin])", "the rows with the window that each is in, from window_start to window_end"},
	{"hop(table, time, slide, size [, origin])", "the rows once for each window they are in, which begin a slide apart"},
	{"session(table, time, gap [, keys …])", "the rows with the session they are in, which a gap without rows ends"},
	{"lineage(log, seq [, direction => 'forward'] [, depth => n] [, parents => 'field'])", "the events that an event comes from, or that come from it"},
	{"unnest(list, …)", "a row for each element of lists, side by side"},
	{"generate_series(from, to [, step])", "numbers or times from one to the other, both included"},
	{"range(from, to [, step])", "numbers or times from one to the other, that left out; range(n) is range(0, n)"},
}

// tableCall returns how a function in FROM is called, nothing when there is none of that name.
func tableCall(name string) string {
	for _, f := range tableFuncs {
		if n, _, _ := strings.Cut(f.call, "("); n == name {
			return f.call
		}
	}
	return ""
}

// tableFunc binds a function in FROM.
func (b *binder) tableFunc(s *scope, ref *query.TableFunc) (node, error) {
	if ref.Lateral {
		return nil, unsupported(ref, "LATERAL")
	}
	if f := lateral(ref); f != nil {
		return b.fromRows(s, nil, f)
	}
	call := ref.Call
	name := strings.ToLower(call.Name[len(call.Name)-1].Name)
	if len(call.Name) == 1 && name == "table" && len(call.Args) == 1 { // the standard's TABLE(f(…))
		inner := tableOf(call.Args[0])
		if f, ok := inner.(*query.TableFunc); ok {
			f.Alias, f.Span = ref.Alias, ref.Span
			return b.tableFunc(s, f)
		}
	}
	if len(call.Name) != 1 || tableCall(name) == "" {
		name := call.Name[len(call.Name)-1].Name
		e := query.Errorf(call, query.CodeUnknownFunc, "no table function %q", clip(name))
		var names []string
		for _, f := range tableFuncs {
			n, _, _ := strings.Cut(f.call, "(")
			names = append(names, n)
		}
		slices.Sort(names)
		if near := query.Nearest(name, names); near != "" {
			e = e.WithHint("did you mean %s?", tableCall(near))
		}
		return nil, e
	}
	if call.Star || call.Distinct || call.Over != nil || call.Filter != nil || len(call.OrderBy) > 0 || len(call.WithinGroup) > 0 {
		return nil, query.Errorf(call, query.CodeSyntax, "%s is a table", name).WithHint("%s", tableCall(name))
	}
	switch name {
	case "logs":
		return b.logsFunc(s, ref)
	case "session":
		return b.sessionFunc(s, ref)
	case "lineage":
		return b.lineageFunc(s, ref)
	}
	return b.gridFunc(s, ref, name)
}

// tableOf returns the table that an argument of a table function names: a table, a query in parentheses, another such function,
// or one of these in TABLE(…); nil when it is none.
func tableOf(e query.Expr) query.TableRef {
	switch e := e.(type) {
	case *query.Name:
		return &query.TableName{Span: e.Span, Parts: e.Parts}
	case *query.Subquery:
		return &query.TableQuery{Span: e.Span, Query: e.Query}
	case *query.Call:
		if len(e.Name) == 1 && strings.EqualFold(e.Name[0].Name, "table") && len(e.Args) == 1 {
			return tableOf(e.Args[0])
		}
		return &query.TableFunc{Span: e.Span, Call: e}
	case *query.NamedArg:
		return tableOf(e.Expr)
	}
	return nil
}

// tableNameOf returns the name of which tableOf makes a table.
func tableNameOf(e query.Expr) *query.Name {
	switch e := e.(type) {
	case *query.Name:
		return e
	case *query.Call:
		return tableNameOf(e.Args[0])
	case *query.NamedArg:
		return tableNameOf(e.Expr)
	}
	return nil
}

// tableOfFunc returns the table that a call in FROM reads, as far as it is one by name; nil for others.
func tableOfFunc(f *query.TableFunc) query.TableRef {
	for len(f.Call.Args) > 0 {
		t := tableOf(f.Call.Args[0])
		inner, ok := t.(*query.TableFunc)
		if !ok {
			return t
		}
		f = inner
	}
	return nil
}

// funcArgs assigns the arguments of a call to parameters, by place or by name; more, if it is not nil, takes those behind the last.
func funcArgs(call *query.Call, name string, params []string, must int, more *[]query.Expr) ([]query.Expr, error) {
	out := make([]query.Expr, len(params))
	for i, a := range call.Args {
		at := i
		if n, ok := a.(*query.NamedArg); ok {
			if at = slices.IndexFunc(params, func(p string) bool { return strings.EqualFold(p, n.Name.Name) }); at < 0 {
				return nil, query.Errorf(n, query.CodeSyntax, "%s has no argument %q", name, clip(n.Name.Name)).WithHint("%s", tableCall(name))
			}
			a = n.Expr
		}
		switch {
		case at >= len(params) && more != nil:
			*more = append(*more, a)
			continue
		case at >= len(params):
			return nil, query.Errorf(a, query.CodeSyntax, "%s has too many arguments", name).WithHint("%s", tableCall(name))
		case out[at] != nil:
			return nil, query.Errorf(a, query.CodeSyntax, "%s gets the argument %q twice", name, params[at]).WithHint("%s", tableCall(name))
		}
		out[at] = a
	}
	for i, a := range out[:must] {
		if a == nil {
			return nil, query.Errorf(call, query.CodeSyntax, "%s wants the argument %q", name, params[i]).WithHint("%s", tableCall(name))
		}
	}
	return out, nil
}

// windowInput is the table of a window function and its time.
type windowInput struct {
	node  node
	table *table
	scope *scope
	x     exec.Expr
}

// windowInput binds the table and the time of a window function. sizes are its other arguments, all of them intervals or all numbers.
func (b *binder) windowInput(s *scope, ref *query.TableFunc, name string, data, timecol query.Expr) (windowInput, error) {
	in := b.tableArg(data)
	if in == nil {
		return windowInput{}, query.Errorf(data, query.CodeSyntax, "%s wants a table here", name).WithHint("%s", tableCall(name))
	}
	if a := ref.Alias; a != nil { // its columns are shown by that name
		plain := &query.Alias{Span: a.Span, Name: a.Name}
		switch in := in.(type) {
		case *query.TableName:
			in.Alias = plain
		case *query.TableQuery:
			in.Alias = plain
		case *query.TableFunc:
			in.Alias = plain
		}
	}
	w := windowInput{scope: &scope{where: "the arguments of " + name, ctes: s.ctes}}
	var err error
	if w.node, err = b.tableRef(w.scope, in); err != nil {
		return w, err
	}
	w.table = w.scope.tables[0]
	if call, ok := timecol.(*query.Call); ok && len(call.Name) == 1 && len(call.Args) == 1 && strings.EqualFold(call.Name[0].Name, "descriptor") {
		timecol = call.Args[0]
	}
	w.x, err = b.expr(w.scope, timecol)
	w.x = plain(w.x)
	return w, err
}

// line brings the time of a window function to a type that a grid divides.
func (b *binder) line(x exec.Expr, numbers bool, name string) (exec.Expr, error) {
	t := x.Type()
	switch {
	case t.Dynamic(), numbers && isNumber(t), !numbers && t == vector.Time:
		return x, nil
	case !numbers && t == vector.Date:
		return b.fold(&exec.Cast{Span: x.At(), X: x, To: vector.Time}), nil
	case numbers:
		return nil, query.Errorf(x, query.CodeType, "%s by a number wants a number here, not %s", name, typeName(x)).
			WithHint("or a size that is an INTERVAL")
	}
	return nil, query.Errorf(x, query.CodeType, "%s by an INTERVAL wants a TIMESTAMPTZ here, not %s", name, typeName(x)).
		WithHint("TRY_CAST(… AS TIMESTAMP) makes one of a text, to_timestamp(…) of a number; or give a size that is a number")
}

// length evaluates the size of windows. A number has Units only.
func (b *binder) length(e query.Expr, what string) (step exec.Step, numbers bool, err error) {
	v, err := b.constant(e, what)
	if err != nil {
		return step, false, err
	}
	if v.Kind() == query.KindText { // '15 minutes'
		if v, err = query.ParseInterval(v.Text()); err != nil {
			return step, false, query.Errorf(e, query.CodeBadValue, "%s: %v", what, err)
		}
	}
	switch {
	case v.IsNull() && b.opts.Unbound:
		return exec.Step{Units: int64(time.Hour)}, false, nil
	case v.Kind() == query.KindInterval:
		if step, err = exec.StepOf(v.Interval()); err != nil {
			return step, false, query.Errorf(e, query.CodeBadValue, "%s: %v", what, err)
		}
		return step, false, nil
	case v.Kind() == query.KindInt && v.Int() > 0:
		return exec.Step{Units: v.Int()}, true, nil
	case v.Kind() == query.KindInt:
		return step, false, query.Errorf(e, query.CodeBadValue, "%s: it must be greater than 0", what)
	}
	return step, false, query.Errorf(e, query.CodeType, "%s must be an INTERVAL or a BIGINT, not %s", what, v.Kind().Type())
}

// grid makes the grid of slides and sizes; origin may be nil.
func (b *binder) grid(name string, slide, size, origin query.Expr) (*exec.Grid, error) {
	what := "the size of " + name
	if slide != size {
		what = "the slide of " + name
	}
	step, numbers, err := b.length(slide, what)
	if err != nil {
		return nil, err
	}
	window := step
	if size != slide {
		var sameKind bool
		if window, sameKind, err = b.length(size, "the size of "+name); err != nil {
			return nil, err
		}
		if numbers != sameKind {
			return nil, query.Errorf(size, query.CodeType, "the slide and the size of %s are both INTERVAL or both BIGINT", name)
		}
	}
	if step.Units > 0 && window.Units == 0 {
		fixed, ok := window.Fixed()
		if !ok {
			return nil, query.Errorf(size, query.CodeBadValue, "the size of %s: months have no fixed length, so the slide must be months or days", name)
		}
		window = fixed
	}
	zone := b.opts.Zone
	if zone == nil {
		zone = time.UTC
	}
	at := int64(0)
	if !numbers {
		at = exec.DefaultOrigin(step, zone)
	}
	if origin != nil {
		if at, err = b.gridOrigin(origin, name, numbers, at); err != nil {
			return nil, err
		}
	}
	g := exec.NewNumberGrid(step.Units, window.Units, at)
	if !numbers {
		g = exec.NewGrid(step, window, at, zone)
	}
	if g.Hops() > exec.MaxHops {
		return nil, query.Errorf(size, query.CodeOutOfRange, "%s: a row would be in more than %d windows", name, exec.MaxHops)
	}
	return g, nil
}

// gridOrigin evaluates where a window starts.
func (b *binder) gridOrigin(e query.Expr, name string, numbers bool, none int64) (int64, error) {
	x, err := b.expr(&scope{where: "the origin of " + name}, e)
	if err != nil {
		return 0, err
	}
	if !numbers && (isTextConst(x) || x.Type() == vector.Date) {
		x = &exec.Cast{Span: x.At(), X: x, To: vector.Time}
	}
	if !exec.IsConst(x) {
		return 0, query.Errorf(e, query.CodeType, "the origin of %s must be constant", name)
	}
	v, err := exec.EvalConst(b.ctx, x, b.env())
	switch {
	case err != nil:
		return 0, err
	case v.IsNull() && b.opts.Unbound:
		return none, nil
	case numbers && v.Kind() == query.KindInt:
		return v.Int(), nil
	case !numbers && v.Kind() == query.KindTime:
		return v.Nanos(), nil
	case numbers:
		return 0, query.Errorf(e, query.CodeType, "the origin of %s by a number must be a BIGINT, not %s", name, v.Kind().Type())
	}
	return 0, query.Errorf(e, query.CodeType, "the origin of %s must be a TIMESTAMPTZ, not %s", name, v.Kind().Type())
}

// gridFunc binds tumble and hop.
func (b *binder) gridFunc(s *scope, ref *query.TableFunc, name string) (node, error) {
	params, must := []string{"data", "timecol", "size", "origin"}, 3
	if name == "hop" {
		params, must = []string{"data", "timecol", "slide", "size", "origin"}, 4
	}
	args, err := funcArgs(ref.Call, name, params, must, nil)
	if err != nil {
		return nil, err
	}
	w, err := b.windowInput(s, ref, name, args[0], args[1])
	if err != nil {
		return nil, err
	}
	g, err := b.grid(name, args[2], args[must-1], args[must])
	if err != nil {
		return nil, err
	}
	if w.x, err = b.line(w.x, g.Numbers, name); err != nil {
		return nil, err
	}
	cols := b.windowColumns(g.Type())
	var n node
	if name == "hop" {
		n = &hopNode{unary: unary{in: w.node}, x: w.x, grid: g, windowColumns: cols}
	} else {
		from, to := g.Bounds()
		n = &computeNode{
			unary: unary{in: &filterNode{unary: unary{in: w.node}, preds: b.between64(w.x, g.Type(), from, to)}},
			exprs: []exec.Expr{&exec.Bucket{Span: w.x.At(), X: w.x, Grid: g}, &exec.Bucket{Span: w.x.At(), X: w.x, Grid: g, End: true}},
			ids:   cols.ids,
		}
	}
	return b.windowTable(s, ref, w, n, cols)
}

// between64 are the predicates from <= x < to.
func (b *binder) between64(x exec.Expr, t vector.Type, from, to int64) []exec.Expr {
	value := query.Int
	if t == vector.Time {
		value = query.Nanos
	}
	cmp := func(op vector.CompareOp, v int64) exec.Expr {
		return &exec.Compare{Span: x.At(), Op: op, L: x, R: &exec.Const{Span: x.At(), Value: value(v), T: t}}
	}
	return []exec.Expr{cmp(vector.Ge, from), cmp(vector.Lt, to)}
}

// timeBucket binds time_bucket(width, x [, origin]), the start of the window that tumble gives x.
func (b *binder) timeBucket(e *query.Call, name string, args []exec.Expr) (exec.Expr, error) {
	if len(args) != 2 && len(args) != 3 {
		return nil, arity(e, name, "2 to 3 arguments", len(args))
	}
	var origin query.Expr
	if len(args) == 3 {
		origin = e.Args[2]
	}
	g, err := b.grid(name, e.Args[0], e.Args[0], origin)
	if err != nil {
		return nil, err
	}
	x := args[1]
	switch {
	case isNullConst(x):
		return &exec.Const{Span: e.Span, T: g.Type()}, nil
	case !g.Numbers && isTextConst(x):
		if x, err = b.readText(x, vector.Time); err != nil {
			return nil, err
		}
	}
	if x, err = b.line(plain(x), g.Numbers, name); err != nil {
		return nil, err
	}
	return &exec.Bucket{Span: e.Span, X: x, Grid: g}, nil
}

// windowColumns are the columns that a window function adds: ends says of each whether it is an end or a start.
type windowColumns struct {
	ids  []int
	ends []bool
}

func (b *binder) windowColumns(t vector.Type) windowColumns {
	return windowColumns{[]int{b.newColumn("window_start", t), b.newColumn("window_end", t)}, []bool{false, true}}
}

// prune drops the columns that nobody needs.
func (w *windowColumns) prune(need map[int]bool) {
	k := 0
	for i, id := range w.ids {
		if need[id] {
			w.ids[k], w.ends[k] = id, w.ends[i]
			k++
		}
	}
	w.ids, w.ends = w.ids[:k], w.ends[:k]
}

func (n *hopNode) outputs() []int     { return append(slices.Clone(n.in.outputs()), n.ids...) }
func (n *sessionNode) outputs() []int { return append(slices.Clone(n.in.outputs()), n.ids...) }

// windowTable adds the table of a window function to the scope: the columns of its input, then those of the window.
func (b *binder) windowTable(s *scope, ref *query.TableFunc, w windowInput, n node, cols windowColumns) (node, error) {
	t := w.table
	if t.name == "" {
		t.name = strings.ToLower(ref.Call.Name[0].Name)
	}
	added := []outCol{{"window_start", cols.ids[0]}, {"window_end", cols.ids[1]}}
	if t.scan == nil {
		t.cols = append(slices.Clone(t.cols), added...)
	} else {
		t.extra = append(slices.Clone(t.extra), added...)
	}
	if a := ref.Alias; a != nil && len(a.Columns) > 0 {
		out, err := b.star(t)
		if err != nil {
			return nil, err
		}
		return b.derived(s, ref, bound{n, out}, t.name, a)
	}
	return n, s.addTable(ref, t)
}

// inExtra looks parts up among the columns that table functions add to a scan. They go before a payload's fields of the same name.
func (b *binder) inExtra(t *table, n *query.Name, parts []query.Ident) (candidate, bool) {
	if len(t.extra) == 0 {
		return candidate{}, false
	}
	c, err := b.inQuery(&table{cols: t.extra}, n, parts)
	c.t = t
	return c, err == nil && c.kind != noMatch
}

// sessionFunc binds session.
func (b *binder) sessionFunc(s *scope, ref *query.TableFunc) (node, error) {
	const name = "session"
	var keyArgs []query.Expr
	args, err := funcArgs(ref.Call, name, []string{"data", "timecol", "gap", "partition_by"}, 3, &keyArgs)
	if err != nil {
		return nil, err
	}
	if k := args[3]; k != nil {
		if list, ok := k.(*query.Tuple); ok {
			keyArgs = append(slices.Clone(list.Items), keyArgs...)
		} else {
			keyArgs = append([]query.Expr{k}, keyArgs...)
		}
	}
	w, err := b.windowInput(s, ref, name, args[0], args[1])
	if err != nil {
		return nil, err
	}
	gap, numbers, err := b.length(args[2], "the gap of session")
	if err != nil {
		return nil, err
	}
	gap, ok := gap.Fixed()
	if !ok {
		return nil, query.Errorf(args[2], query.CodeBadValue, "the gap of session: months have no fixed length")
	}
	if w.x, err = b.line(w.x, numbers, name); err != nil {
		return nil, err
	}
	t := vector.Time
	if numbers {
		t = vector.Int
	}
	if w.x.Type() == vector.Float {
		w.x = exec.NewWiden(w.x, vector.Any)
	}
	if w.x.Type() != t {
		w.x = exec.NewNarrow(w.x, t)
	}
	compute := &computeNode{}
	column := func(x exec.Expr, e query.Expr) int {
		if c, ok := x.(*exec.Col); ok {
			return c.Index
		}
		id := b.newColumn(clip(e.String()), x.Type())
		compute.exprs, compute.ids = append(compute.exprs, x), append(compute.ids, id)
		return id
	}
	n := &sessionNode{gap: gap.Units}
	n.x = column(w.x, args[1])
	var order []exec.SortKey
	for _, k := range keyArgs {
		x, err := b.expr(w.scope, k)
		if err != nil {
			return nil, err
		}
		if _, ok := x.(*exec.Const); ok {
			continue
		}
		id := column(plain(x), k)
		n.keys = append(n.keys, id)
		order = append(order, exec.SortKey{Expr: b.col(id, k.At())})
	}
	order = append(order, exec.SortKey{Expr: b.col(n.x, w.x.At())})
	in := w.node
	if len(compute.ids) > 0 {
		compute.in = in
		in = compute
	}
	// Later times have no session that ends within the values of the type.
	last := &exec.Const{Span: w.x.At(), Value: query.Nanos(exec.LastStart(gap.Units)), T: t}
	if numbers {
		last.Value = query.Int(exec.LastStart(gap.Units))
	}
	in = &filterNode{unary: unary{in: in}, preds: []exec.Expr{&exec.Compare{Span: w.x.At(), Op: vector.Le, L: b.col(n.x, w.x.At()), R: last}}}
	n.in = &sortNode{unary: unary{in: in}, keys: order}
	n.windowColumns = b.windowColumns(t)
	return b.windowTable(s, ref, w, n, n.windowColumns)
}

// session makes the operator of a sessionNode.
func (b *builder) session(n *sessionNode) exec.Operator {
	outs := n.in.outputs()
	op := &exec.Session{In: b.build(n.in), X: slices.Index(outs, n.x), Gap: n.gap, Ends: n.ends, Env: b.env}
	for _, id := range n.keys {
		op.Keys = append(op.Keys, slices.Index(outs, id))
	}
	return op
}

// sessionText says what sessions are by.
func (p *Plan) sessionText(n *sessionNode) string {
	f := p.formatter()
	name := func(id int) string { return f.Expr(&exec.Col{Index: id, Name: p.cols[id].name}) }
	v := query.Int(n.gap)
	var out strings.Builder
	out.WriteString(name(n.x) + ", ")
	if p.cols[n.x].typ == vector.Time {
		v = query.Interval(0, 0, n.gap)
		out.WriteString("INTERVAL '" + v.String() + "'")
	} else {
		out.WriteString(v.String())
	}
	for i, id := range n.keys {
		if i == 0 {
			out.WriteString(" key=")
		} else {
			out.WriteString(", ")
		}
		out.WriteString(name(id))
	}
	return out.String()
}
