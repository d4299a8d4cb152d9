package planner

import (
	"strings"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// unnestNode gives each row of its input once for each element of its lists; see exec.Unnest.
type unnestNode struct {
	unary
	lists []unnestList
	ids   []int // the elements
	outer bool  // rows without elements come once
}

// unnestList is a JSON array, or the first value, the last one and the step of a series.
type unnestList struct {
	at        query.Span
	exprs     []exec.Expr
	inclusive bool
	typ       vector.Type
}

func (l unnestList) series() bool { return len(l.exprs) > 1 }

// canFail reports whether the list itself can be an error: a step of zero.
func (l unnestList) canFail() bool {
	if !l.series() {
		return false
	}
	c, ok := l.exprs[2].(*exec.Const)
	return !ok || l.typ != vector.Int || c.Value.IsNull() || c.Value.Int() == 0
}

func (n *unnestNode) outputs() []int { return append(append([]int(nil), n.in.outputs()...), n.ids...) }

func (n *unnestNode) exprs() (out []exec.Expr) {
	for _, l := range n.lists {
		out = append(out, l.exprs...)
	}
	return out
}

// describe writes the node for EXPLAIN.
func (n *unnestNode) describe(list func([]exec.Expr, string) string) string {
	parts := make([]string, len(n.lists))
	for i, l := range n.lists {
		if parts[i] = list(l.exprs, ", "); l.series() {
			parts[i] = "series(" + parts[i] + ")"
		}
	}
	if n.outer {
		parts[len(parts)-1] += " outer"
	}
	return strings.Join(parts, ", ")
}

// push moves predicates on the columns of the input below it.
func (n *unnestNode) push(b *binder, preds []exec.Expr) node {
	ids := n.in.outputs()
	down, rest := b.split(preds, func(x exec.Expr) bool { return within(x, ids) })
	for _, l := range n.lists {
		if l.canFail() { // it would run on fewer rows
			down, rest = nil, preds
		}
	}
	n.in = b.push(n.in, down)
	return b.wrap(n, rest)
}

// unnest makes the operator.
func (b *builder) unnest(n *unnestNode) exec.Operator {
	outs := n.in.outputs()
	p := &exec.Project{In: b.build(n.in), Env: b.env}
	for i, id := range outs {
		p.Exprs = append(p.Exprs, &exec.Col{Index: i, Name: b.plan.cols[id].name, T: b.plan.cols[id].typ})
	}
	op := &exec.Unnest{In: p, Keep: len(outs), Outer: n.outer, Env: b.env}
	for _, l := range n.lists {
		op.Lists = append(op.Lists, exec.List{Span: l.at, Col: len(p.Exprs), Series: l.series(), Inclusive: l.inclusive, T: l.typ})
		p.Exprs = append(p.Exprs, placeAll(l.exprs, outs)...)
	}
	return op
}

// lateral returns the call of a table function that sees the tables before it: unnest, generate_series and range.
func lateral(ref query.TableRef) *query.TableFunc {
	f, ok := ref.(*query.TableFunc)
	if !ok || len(f.Call.Name) != 1 {
		return nil
	}
	switch strings.ToLower(f.Call.Name[0].Name) {
	case "unnest", "generate_series", "range":
		return f
	}
	return nil
}

// rowsOf binds a lateral function over the rows of tree, whose tables s has; without tree over one row.
func (b *binder) rowsOf(s *scope, tree node, ref *query.TableFunc) (*unnestNode, *table, error) {
	name := strings.ToLower(ref.Call.Name[0].Name)
	call := ref.Call
	if call.Star || call.Distinct || call.Over != nil || call.Filter != nil || len(call.OrderBy) > 0 || len(call.WithinGroup) > 0 {
		return nil, nil, query.Errorf(call, query.CodeSyntax, "%s takes only arguments", name)
	}
	if tree == nil {
		tree = &valuesNode{rows: [][]exec.Expr{{}}, note: "one row"}
	}
	args := make([]exec.Expr, len(call.Args))
	for i, a := range call.Args {
		if b.hasQuery(a) {
			return nil, nil, unsupported(a, "a query as an argument of a table function")
		}
		x, err := b.expr(s, a)
		if err != nil {
			return nil, nil, err
		}
		args[i] = x
	}
	n := &unnestNode{unary: unary{in: tree}}
	t := &table{name: name}
	add := func(l unnestList) {
		id := b.newColumn(name, l.typ)
		n.lists, n.ids = append(n.lists, l), append(n.ids, id)
		t.cols = append(t.cols, outCol{name, id})
	}
	if name == "unnest" {
		if len(args) == 0 {
			return nil, nil, arity(call, name, "at least 1 argument", 0)
		}
		for i, x := range args {
			l, err := b.list(call.Args[i], x)
			if err != nil {
				return nil, nil, err
			}
			add(l)
		}
	} else {
		l, err := b.series(call, name, args)
		if err != nil {
			return nil, nil, err
		}
		add(l)
	}
	if a := ref.Alias; a != nil {
		t.name = a.Name.Name
		if len(a.Columns) > len(t.cols) {
			return nil, nil, query.Errorf(a, query.CodeSyntax, "table %q has %d columns but %d names", t.name, len(t.cols), len(a.Columns))
		}
		if len(a.Columns) == 0 && len(t.cols) == 1 {
			t.cols[0].name = t.name // as in PostgreSQL
		}
		for i, c := range a.Columns {
			t.cols[i].name = c.Name
		}
		for _, c := range t.cols {
			b.cols[c.id].name = c.name
		}
	}
	return n, t, nil
}

// list takes an expression for a JSON array.
func (b *binder) list(at query.Node, x exec.Expr) (unnestList, error) {
	if !x.Type().Dynamic() {
		y, err := b.argument("unnest", exec.JSONParam, x)
		if err != nil {
			return unnestList{}, err
		}
		if _, ok := y.(*exec.Widen); ok {
			return unnestList{}, query.Errorf(at, query.CodeType, "unnest wants a JSON array, not %s", typeName(x)).WithHint("use CAST(… AS JSON)")
		}
		x = y
	}
	return unnestList{at: at.At(), exprs: []exec.Expr{x}, typ: vector.Any}, nil
}

// series binds the arguments of generate_series and range: range(n) begins with 0 and, as all ranges, ends before its end.
func (b *binder) series(call *query.Call, name string, args []exec.Expr) (unnestList, error) {
	l := unnestList{at: call.Span, inclusive: name == "generate_series", typ: vector.Int}
	num := func(i int64) exec.Expr {
		return &exec.Const{Span: call.Span, Value: query.Int(i), T: vector.Int}
	}
	if len(args) == 1 {
		args = []exec.Expr{num(0), args[0]}
	}
	if len(args) < 2 || len(args) > 3 {
		return l, arity(call, name, "1 to 3 arguments", len(args))
	}
	params := []exec.Param{exec.IntParam, exec.IntParam, exec.IntParam}
	for _, x := range args[:2] {
		if t := x.Type(); t == vector.Time || t == vector.Date {
			l.typ = vector.Time
			params = []exec.Param{exec.TimeParam, exec.TimeParam, exec.IntervalParam}
		}
	}
	if len(args) == 2 {
		if l.typ == vector.Time {
			return l, query.Errorf(call, query.CodeType, "%s of times wants a step", name).WithHint("INTERVAL '1 day'")
		}
		args = append(args, num(1))
	}
	for i, x := range args {
		y, err := b.argument(name, params[i], x)
		if err != nil {
			return l, err
		}
		l.exprs = append(l.exprs, y)
	}
	return l, nil
}

// fromRows binds a lateral function in FROM behind other tables.
func (b *binder) fromRows(s *scope, tree node, ref *query.TableFunc) (node, error) {
	if b.reads++; b.reads > maxTables {
		return nil, query.Errorf(ref, query.CodeTooDeep, "the statement reads more than %d tables", maxTables)
	}
	n, t, err := b.rowsOf(s, tree, ref)
	if err != nil {
		return nil, err
	}
	return n, s.addTable(ref, t)
}

// joinRows binds a join whose right side is a lateral function. It is one of the left rows, each with its own elements, so only inner and
// cross joins are, and left joins without a condition.
func (b *binder) joinRows(s *scope, j *query.Join, ref *query.TableFunc) (node, error) {
	left := j.Kind == query.JoinLeft
	switch {
	case j.Asof, j.Natural, len(j.Using) > 0:
		return nil, unsupported(j, "this join with the rows of a function")
	case j.Kind != query.JoinInner && j.Kind != query.JoinCross && !left:
		return nil, unsupported(j, "this join with the rows of a function").WithHint("CROSS JOIN, JOIN … ON and LEFT JOIN … ON true are")
	}
	ls := &scope{where: "FROM", ctes: s.ctes}
	in, err := b.tableRef(ls, j.L)
	if err != nil {
		return nil, err
	}
	n, t, err := b.rowsOf(ls, in, ref)
	if err != nil {
		return nil, err
	}
	n.outer = left
	if err := ls.addTable(ref, t); err != nil {
		return nil, err
	}
	for _, t := range ls.tables {
		if err := s.addTable(j, t); err != nil {
			return nil, err
		}
	}
	s.merged = append(s.merged, ls.merged...)
	if j.On == nil {
		return n, nil
	}
	ls.where = "ON"
	on, err := b.condition(ls, j.On)
	if err != nil {
		return nil, err
	}
	if left {
		if c, ok := on.(*exec.Const); !ok || c.Value.IsNull() || !c.Value.Bool() {
			return nil, unsupported(j.On, "a condition of a LEFT JOIN with the rows of a function").WithHint("ON true, and the condition in WHERE")
		}
		return n, nil
	}
	return &filterNode{unary: unary{in: n}, preds: conjuncts(on)}, nil
}

// unnestItem binds unnest(list) in a select list: the row comes once for each element. Several are taken side by side.
func (b *binder) unnestItem(s *scope, e *query.Call, args []exec.Expr) (exec.Expr, error) {
	if s.where != "SELECT" || s.unnests == nil {
		return nil, query.Errorf(e, query.CodeUnsupported, "unnest stands in FROM or in the select list")
	}
	if len(args) != 1 {
		return nil, arity(e, "unnest", "1 argument", len(args))
	}
	if b.hasQuery(e.Args[0]) {
		return nil, unsupported(e, "unnest of a query in the select list").WithHint("FROM (query) t, unnest(t.x)")
	}
	l, err := b.list(e.Args[0], args[0])
	if err != nil {
		return nil, err
	}
	set := map[int]bool{}
	exec.Columns(args[0], set)
	for _, id := range s.unnests.ids {
		if set[id] {
			return nil, unsupported(e, "unnest of unnest in the select list").WithHint("FROM t, unnest(t.x) AS a, unnest(a) AS b")
		}
	}
	id := b.newColumn("unnest", l.typ)
	s.unnests.lists, s.unnests.ids = append(s.unnests.lists, l), append(s.unnests.ids, id)
	return b.col(id, e.Span), nil
}

// over puts the lists of a select list above its tables.
func (n *unnestNode) over(tree node) node {
	if len(n.lists) == 0 {
		return tree
	}
	n.in = tree
	return n
}
