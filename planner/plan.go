package planner

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// Options say how a statement is planned. The zero value has no parameters and the clock's time.
type Options struct {
	// Text is what the statement was parsed from; errors then show line, column and source.
	Text string
	// Args are the values of $1, $2 and so on; Named those of :name.
	Args  []query.Value
	Named map[string]query.Value
	// Unbound plans a statement whose parameters have no values yet, to check it: they are NULL.
	Unbound bool
	// Now is the time of now(); zero is the time of planning.
	Now time.Time
	// Zone is the session's time zone, in which times are read and cut; nil is UTC.
	Zone *time.Location
}

// ResultColumn is a column of a result. Names may occur twice.
type ResultColumn struct {
	Name string
	// Type is the static type; vector.Any for payload fields and what is computed from them, whose rows have a type each.
	Type vector.Type
}

// Plan is a statement that is ready to run. It is immutable and safe for concurrent use, and as good as the Catalog it was
// made with: it reads at that catalog's cut.
type Plan struct {
	root    node
	columns []ResultColumn
	outs    []int // column numbers of the result
	cols    []column
	opts    Options
	explain *query.Explain
	insert  *Insert      // what the rows are for; nil for the answer to a query
	summary []summaryRow // of SUMMARIZE: what the columns of the plan's one row are
	sources []Source
	spent   time.Duration
	nodes   int
}

// Columns are the columns of the result.
func (p *Plan) Columns() []ResultColumn {
	if p.explain != nil {
		return []ResultColumn{{"plan", vector.Text}}
	}
	if p.summary != nil {
		return summaryColumns()
	}
	return p.columns
}

// Positions returns the positions of the tables the plan reads that have one, such as folds, by Title.
func (p *Plan) Positions() map[string]string {
	out := map[string]string{}
	for _, s := range p.sources {
		if ps, ok := s.(Positioned); ok {
			out[s.Title()] = ps.Position()
		}
	}
	return out
}

// Make plans a statement. What is wrong with the statement is a *query.Error with its place; other errors come from the
// catalog, or from ctx.
func Make(ctx context.Context, cat Catalog, stmt query.Stmt, o Options) (*Plan, error) {
	start := time.Now()
	if o.Now.IsZero() {
		o.Now = start
	}
	b := &binder{ctx: ctx, cat: cat, opts: o}
	p, err := b.plan(stmt)
	if err != nil {
		return nil, locate(err, o.Text)
	}
	p.spent = time.Since(start)
	return p, nil
}

// locate fills in line and column of a query error.
func locate(err error, text string) error {
	var qe *query.Error
	if text != "" && errors.As(err, &qe) {
		qe.In(text)
	}
	return err
}

func (b *binder) plan(stmt query.Stmt) (*Plan, error) {
	p := &Plan{opts: b.opts}
	switch s := stmt.(type) {
	case *query.Explain:
		if _, ok := s.Stmt.(*query.Explain); ok {
			return nil, query.Errorf(s.Stmt, query.CodeSyntax, "EXPLAIN of EXPLAIN")
		}
		p.explain = s
		stmt = s.Stmt
	}
	query.Walk(stmt, func(n query.Node) bool {
		_, ok := n.(*query.Query)
		b.nested = b.nested || ok && n != query.Node(stmt)
		return !b.nested
	})
	var res bound
	var err error
	switch s := stmt.(type) {
	case *query.Query:
		res, err = b.query(s, nil)
	case *query.Describe:
		res, err = b.describe(s)
	case *query.Show:
		res, err = b.show(s)
	case *query.ShowCreate:
		res, err = b.showCreate(s)
	case *query.Summarize:
		res, err = b.summarize(p, s)
	case *query.CreateView, *query.CreateIndex, *query.Drop:
		return nil, unsupported(s, "a statement that defines something").WithHint("it is run by the database, and has no plan")
	case *query.Insert:
		res, err = b.insert(s, p)
	case *query.Subscribe:
		return nil, unsupported(s, "SUBSCRIBE").WithHint("follow a log with its Tail")
	case *query.Set:
		return nil, unsupported(s, "SET").WithHint("the time zone is an option of the database: Options.Zone")
	default:
		return nil, unsupported(stmt, "this statement")
	}
	if err != nil {
		return nil, err
	}
	if err := b.checkParams(stmt); err != nil {
		return nil, err
	}
	for _, c := range res.cols {
		p.columns = append(p.columns, ResultColumn{c.name, b.cols[c.id].typ})
		p.outs = append(p.outs, c.id)
	}
	if p.root, err = b.optimize(b.withDefs(res.node), p.outs); err != nil {
		return nil, err
	}
	if p.explain != nil {
		if err := findIndexes(b.ctx, p.root); err != nil {
			return nil, err
		}
	}
	p.dropProject()
	p.cols = b.cols
	number(p.root, &p.nodes)
	p.sources = sourcesOf(p.root, nil)
	return p, nil
}

// dropProject removes a projection at the top that only picks columns.
func (p *Plan) dropProject() {
	with, beside := p.root.(*withNode)
	root := p.root
	if beside {
		root = with.ins[len(with.ins)-1]
	}
	top, ok := root.(*projectNode)
	if !ok {
		return
	}
	outs := make([]int, len(p.outs))
	for i, id := range p.outs {
		c, ok := top.exprs[slices.Index(top.ids, id)].(*exec.Col)
		if !ok {
			return
		}
		outs[i] = c.Index
	}
	if p.outs = outs; beside {
		with.ins[len(with.ins)-1] = top.in
		return
	}
	p.root = top.in
}

func sourcesOf(n node, out []Source) []Source {
	if s, ok := n.(*scanNode); ok && !slices.Contains(out, s.source) {
		out = append(out, s.source)
	}
	for _, c := range n.inputs() {
		out = sourcesOf(c, out)
	}
	return out
}

func number(n node, next *int) {
	n.common().id = *next
	*next++
	for _, c := range n.inputs() {
		number(c, next)
	}
}

// paramUse is which parameters a statement has used.
type paramUse struct {
	index map[int]bool
	name  map[string]bool
}

// param returns the value of a parameter.
func (b *binder) param(e *query.Param) (query.Value, error) {
	if b.params.index == nil {
		b.params = paramUse{map[int]bool{}, map[string]bool{}}
	}
	if e.Name != "" {
		b.params.name[e.Name] = true
		v, ok := b.opts.Named[e.Name]
		if !ok && !b.opts.Unbound {
			err := query.Errorf(e, query.CodeUnknownParam, "no value for :%s", e.Name)
			var names []string
			for n := range b.opts.Named {
				names = append(names, n)
			}
			slices.Sort(names)
			if near := query.Nearest(e.Name, names); near != "" {
				err = err.WithHint("there is one for :%s", near)
			}
			return v, err
		}
		return v, nil
	}
	b.params.index[e.Index] = true
	switch {
	case e.Index >= 1 && e.Index <= len(b.opts.Args):
		return b.opts.Args[e.Index-1], nil
	case b.opts.Unbound:
		return query.Null(), nil
	}
	return query.Value{}, query.Errorf(e, query.CodeUnknownParam, "no value for $%d: %s given", e.Index, were(len(b.opts.Args)))
}

func were(n int) string {
	if n == 1 {
		return "1 was"
	}
	return itoa(n) + " were"
}

// checkParams refuses values that no parameter stands for. Parameters in parts that were not bound count too.
func (b *binder) checkParams(stmt query.Stmt) error {
	if b.opts.Unbound {
		return nil
	}
	index, name := map[int]bool{}, map[string]bool{}
	last := 0
	query.Walk(stmt, func(n query.Node) bool {
		if p, ok := n.(*query.Param); ok {
			index[p.Index], name[p.Name] = true, true
			last = max(last, p.Index)
		}
		return true
	})
	for i := range b.opts.Args {
		if !index[i+1] {
			if i >= last {
				return query.Errorf(stmt, query.CodeUnknownParam, "%d values were given, the statement has parameters up to $%d", len(b.opts.Args), last)
			}
			return query.Errorf(stmt, query.CodeUnknownParam, "a value was given for $%d, which the statement does not have", i+1)
		}
	}
	var extra []string
	for n := range b.opts.Named {
		if !name[n] {
			extra = append(extra, ":"+n)
		}
	}
	if len(extra) > 0 {
		slices.Sort(extra)
		return query.Errorf(stmt, query.CodeUnknownParam, "the statement does not have %s", strings.Join(extra, ", "))
	}
	return nil
}

// asOfRange is what AS OF leaves of each table.
type asOfRange struct {
	set  bool
	kind query.AsOfKind
	at   int64
	logs int // that AS OF SEQ was applied to
}

// asOf evaluates AS OF. It holds for the whole statement, so it stands at its end.
func (b *binder) asOf(a *query.AsOf) error {
	if b.depth > 1 || b.reads > 0 {
		return query.Errorf(a, query.CodeUnsupported, "AS OF holds for a whole statement and stands at its end")
	}
	x, err := b.expr(&scope{where: "AS OF"}, a.Expr)
	if err != nil {
		return err
	}
	if a.Kind == query.AsOfTimestamp && (isTextConst(x) || x.Type() == vector.Date) {
		x = &exec.Cast{Span: x.At(), X: x, To: vector.Time}
	}
	if !exec.IsConst(x) {
		return query.Errorf(a.Expr, query.CodeType, "AS OF must be constant")
	}
	v, err := exec.EvalConst(b.ctx, x, b.env())
	if err != nil {
		return err
	}
	b.asof = asOfRange{set: true, kind: a.Kind}
	switch {
	case v.IsNull() && b.opts.Unbound:
		b.asof.set = false
	case a.Kind == query.AsOfTimestamp && v.Kind() == query.KindTime:
		b.asof.at = v.Nanos()
	case a.Kind == query.AsOfSeq && v.Kind() == query.KindInt && v.Int() < 0:
		return query.Errorf(a.Expr, query.CodeOutOfRange, "AS OF SEQ must not be negative")
	case a.Kind == query.AsOfSeq && v.Kind() == query.KindInt:
		b.asof.at = v.Int()
	case a.Kind == query.AsOfTimestamp:
		return query.Errorf(a.Expr, query.CodeType, "AS OF TIMESTAMP wants a TIMESTAMPTZ, not %s", v.Kind().Type())
	case v.Kind() == query.KindBig:
		return query.Errorf(a.Expr, query.CodeOutOfRange, "AS OF SEQ goes from 0 to %d", int64(math.MaxInt64))
	default:
		return query.Errorf(a.Expr, query.CodeType, "AS OF SEQ wants a BIGINT, not %s", v.Kind().Type())
	}
	return nil
}

// restrict applies AS OF to a table.
func (b *binder) restrict(n *scanNode, at query.Node) error {
	if !b.asof.set {
		return nil
	}
	role, clause := RoleTime, "AS OF TIMESTAMP"
	if b.asof.kind == query.AsOfSeq {
		role, clause = RoleSeq, "AS OF SEQ"
		if b.asof.logs++; b.asof.logs > 1 {
			return query.Errorf(at, query.CodeUnsupported, "AS OF SEQ reads one log only").WithHint("use AS OF TIMESTAMP")
		}
	}
	if !slices.ContainsFunc(n.columns, func(c Column) bool { return c.Role == role }) {
		return query.Errorf(at, query.CodeUnsupported, "%s cannot be read %s: it is no log", n.source.Title(), clause)
	}
	upTo, _ := rangeOf(vector.Le, b.asof.at)
	if role == RoleSeq {
		n.rng.Seq = n.rng.Seq.Intersect(upTo)
	} else {
		n.rng.Time = n.rng.Time.Intersect(upTo)
	}
	return nil
}
