package planner

import (
	"errors"
	"slices"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// enclosure is the query around one that is used as a value: what the inner one can name, and which columns it did.
type enclosure struct {
	s    *scope
	used map[int]bool
}

// hasQuery reports whether an expression has a query in it.
func (b *binder) hasQuery(e query.Node) bool {
	if !b.nested {
		return false
	}
	found := false
	query.Walk(e, func(n query.Node) bool {
		if _, ok := n.(*query.Query); ok {
			found = true
		}
		return !found
	})
	return found
}

// outerName looks a name up in the queries around the one of the scope.
func (b *binder) outerName(s *scope, n *query.Name) (exec.Expr, error) {
	for e, level := s.outer, 1; e != nil; e, level = e.s.outer, level+1 {
		x, err := b.name(e.s, n)
		if isUnknownColumn(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if level > 1 {
			return nil, unsupported(n, "a column of a query that is not the next one around")
		}
		exec.Columns(x, e.used)
		return x, nil
	}
	return nil, nil
}

func isUnknownColumn(err error) bool {
	var qe *query.Error
	return errors.As(err, &qe) && qe.Code == query.CodeUnknownColumn
}

// aliasOutside reports whether a name begins with a table of a query around, and none of its own: such a table is meant, not a
// field of that name.
func (s *scope) aliasOutside(parts []query.Ident) bool {
	if t, _ := s.qualified(parts); t != nil {
		return false
	}
	for e := s.outer; e != nil; e = e.s.outer {
		if t, _ := e.s.qualified(parts); t != nil {
			return true
		}
	}
	return false
}

// inner binds a query that is used as a value within a scope, and tells which columns of the scope it uses.
func (b *binder) inner(s *scope, q *query.Query) (bound, map[int]bool, error) {
	saved := b.enclosing
	e := &enclosure{s: s, used: map[int]bool{}}
	b.enclosing = e
	res, err := b.query(q, s.ctes)
	b.enclosing = saved
	return res, e.used, err
}

// one returns the only column of a query used as a value.
func (b *binder) one(q *query.Query, res bound) (outCol, error) {
	if len(res.cols) != 1 {
		return outCol{}, query.Errorf(q, query.CodeType, "a query used as a value gives one column, not %d", len(res.cols))
	}
	return res.cols[0], nil
}

// asked adds a query that does not depend on the row to those that are run once.
func (b *binder) asked(at query.Span, kind exec.QueryKind, res bound, id int, t vector.Type) *exec.Query {
	if kind == exec.QueryExists {
		res.node = &limitNode{unary: unary{in: res.node}, count: 1}
	}
	d := &defNode{unary: unary{in: res.node}, kind: kind, number: b.queries, col: id, at: at}
	b.queries++
	b.defs = append(b.defs, d)
	return &exec.Query{
		Span: at, Kind: kind, ID: d.number, T: t, Fails: planFails(res.node) || kind == exec.QueryValue && !atMostOne(res.node),
	}
}

// scalar binds (query) as a value.
func (b *binder) scalar(s *scope, e *query.Subquery) (exec.Expr, error) {
	res, used, err := b.inner(s, e.Query)
	if err != nil {
		return nil, err
	}
	c, err := b.one(e.Query, res)
	if err != nil {
		return nil, err
	}
	if len(used) == 0 {
		return b.asked(e.Span, exec.QueryValue, res, c.id, b.cols[c.id].typ), nil
	}
	p, err := b.takeApart(e, res, used)
	if err != nil {
		return nil, err
	}
	if p.limit == 0 {
		return &exec.Const{Span: e.Span, T: b.cols[c.id].typ}, nil
	}
	item := p.item(c.id)
	n := &joinNode{right: p.from, residual: p.where, kind: exec.JoinSingle, at: e.Span}
	switch {
	case p.agg != nil:
		if len(p.agg.keys) > 0 {
			return nil, unsupported(e, "GROUP BY in a query that uses columns of the query around it")
		}
		n.kind, n.aggs, n.aggIDs = exec.JoinGroup, p.agg.aggs, p.agg.aggIDs
		for _, a := range n.aggs {
			outer := func(x exec.Expr) bool { return hasCols(x) && onlyOf(x, used) }
			if slices.ContainsFunc(a.Args, outer) && !slices.ContainsFunc(a.Args, func(x exec.Expr) bool { return hasCols(x) && !outer(x) }) {
				return nil, unsupported(a.Args[0], "an aggregate of the columns of the query around")
			}
		}
		if len(p.having) > 0 {
			item = &exec.Case{Span: e.Span, Whens: []exec.Expr{conjunction(p.having)}, Thens: []exec.Expr{item}, T: item.Type()}
		}
		return item, b.applyJoin(s, e, n)
	case p.distinct:
		return nil, unsupported(e, "DISTINCT in a query that uses columns of the query around it")
	case p.limit == 1:
		n.kind = exec.JoinFirst
		if len(p.sort) > 0 {
			n.right = &sortNode{unary: unary{in: n.right}, keys: p.sort}
			for _, k := range p.sort {
				if exec.CanFail(k.Expr) || usesAny(k.Expr, used) {
					return nil, unsupported(k.Expr, "this ORDER BY in a query that uses columns of the query around it")
				}
			}
		}
	}
	n.mark = b.newColumn("found", vector.Bool)
	if col, ok := item.(*exec.Col); !ok || used[col.Index] {
		// NULL where there is no row.
		item = &exec.Case{Span: e.Span, Whens: []exec.Expr{b.col(n.mark, e.Span)}, Thens: []exec.Expr{item}, T: item.Type()}
	}
	return item, b.applyJoin(s, e, n)
}

// exists binds EXISTS (query).
func (b *binder) exists(s *scope, e *query.Exists) (exec.Expr, error) {
	res, used, err := b.inner(s, e.Query)
	if err != nil {
		return nil, err
	}
	if len(used) == 0 {
		return b.asked(e.Span, exec.QueryExists, res, -1, vector.Bool), nil
	}
	p, err := b.takeApart(e, res, used)
	switch {
	case err != nil:
		return nil, err
	case p.limit == 0:
		return &exec.Const{Span: e.Span, Value: query.Bool(false), T: vector.Bool}, nil
	case p.agg != nil:
		return nil, unsupported(e, "EXISTS of groups with columns of the query around it")
	}
	n := &joinNode{right: p.from, residual: p.where, kind: exec.JoinMark, mark: b.newColumn("exists", vector.Bool), at: e.Span}
	return b.col(n.mark, e.Span), b.applyJoin(s, e, n)
}

// anyOf binds x op ANY (query): IN is x = ANY, and op ALL is NOT of ANY with the opposite op. top says that the expression is
// a conjunct of WHERE, which only asks whether it is true.
func (b *binder) anyOf(s *scope, e query.Expr, left query.Expr, op query.Op, q *query.Query, top bool) (exec.Expr, error) {
	x, err := b.expr(s, left)
	if err != nil {
		return nil, err
	}
	res, used, err := b.inner(s, q)
	if err != nil {
		return nil, err
	}
	c, err := b.one(q, res)
	if err != nil {
		return nil, err
	}
	if len(used) == 0 {
		l, r, err := b.comparable(e.At(), x, b.col(c.id, q.At()))
		if err != nil {
			return nil, err
		}
		if col, ok := r.(*exec.Col); !ok || col.Index != c.id {
			id := b.newColumn(c.name, r.Type())
			res.node, c.id = &projectNode{unary: unary{in: res.node}, exprs: []exec.Expr{r}, ids: []int{id}}, id
		}
		// As a join; but one over columns of the query around could not become part of another.
		if top && op == query.OpEq && s.applies != nil && !planFails(res.node) && (s.outer == nil || !usesAny(l, s.outer.used)) {
			n := &joinNode{right: res.node, kind: exec.JoinMark, mark: b.newColumn("in", vector.Bool), at: e.At()}
			n.test = &exec.Compare{Span: e.At(), Op: vector.Eq, L: l, R: b.col(c.id, q.At())}
			return b.col(n.mark, e.At()), b.applyJoin(s, e, n)
		}
		out := b.asked(e.At(), exec.QueryAny, res, c.id, vector.Bool)
		out.X, out.Op = l, compareOps[op]
		return out, nil
	}
	p, err := b.takeApart(e, res, used)
	switch {
	case err != nil:
		return nil, err
	case p.agg != nil:
		return nil, unsupported(e, "IN, ANY and ALL of aggregates with columns of the query around them")
	case p.limit >= 0:
		return nil, unsupported(e, "LIMIT in IN, ANY and ALL with columns of the query around them")
	}
	test, err := b.compare(e.At(), op, x, p.item(c.id))
	if err != nil {
		return nil, err
	}
	n := &joinNode{right: p.from, residual: p.where, test: test, kind: exec.JoinMark, mark: b.newColumn("in", vector.Bool), at: e.At()}
	return b.col(n.mark, e.At()), b.applyJoin(s, e, n)
}

// inSubquery binds x [NOT] IN (query).
func (b *binder) inSubquery(s *scope, e *query.In, top bool) (exec.Expr, error) {
	x, err := b.anyOf(s, e, e.Expr, query.OpEq, e.Query, top && !e.Not)
	if err != nil || !e.Not {
		return x, err
	}
	return &exec.Not{Span: e.Span, X: x}, nil
}

// quantified binds x op ANY (query) and x op ALL (query).
func (b *binder) quantified(s *scope, e *query.Quantified) (exec.Expr, error) {
	if e.Query == nil {
		return nil, unsupported(e, "ANY and ALL of an array").WithHint("use IN (…)")
	}
	opposite := map[query.Op]query.Op{
		query.OpEq: query.OpNe, query.OpNe: query.OpEq, query.OpLt: query.OpGe, query.OpGe: query.OpLt, query.OpGt: query.OpLe, query.OpLe: query.OpGt,
	}
	op, ok := e.Op, false
	if _, ok = opposite[op]; !ok {
		return nil, unsupported(e, "the operator "+op.String()+" with ANY and ALL")
	}
	if e.All {
		op = opposite[op]
	}
	x, err := b.anyOf(s, e, e.Expr, op, e.Query, false)
	if err != nil || !e.All {
		return x, err
	}
	return &exec.Not{Span: e.Span, X: x}, nil
}

// planFails reports whether running a plan can give an error of a value.
func planFails(n node) bool {
	if u, ok := n.(*unnestNode); ok && slices.ContainsFunc(u.lists, unnestList.canFail) {
		return true
	}
	if slices.ContainsFunc(nodeExprs(n), exec.CanFail) {
		return true
	}
	switch n := n.(type) {
	case *aggregateNode:
		if aggsFail(n.aggs) {
			return true
		}
	case *joinNode:
		if n.kind == exec.JoinSingle || aggsFail(n.aggs) {
			return true
		}
	}
	if w, ok := n.(*windowNode); ok && slices.ContainsFunc(w.calls, (*exec.WindowCall).CanFail) {
		return true
	}
	if k, ok := n.(*keptNode); ok {
		return planFails(k.of.in)
	}
	return slices.ContainsFunc(n.inputs(), planFails)
}

// aggsFail reports whether one of the aggregates can fail on values that are fine.
func aggsFail(aggs []*exec.Aggregate) bool {
	return slices.ContainsFunc(aggs, func(a *exec.Aggregate) bool {
		switch a.Fn.Name {
		case "count", "min", "max", "avg", "any_value", "first", "last", "bool_and", "bool_or":
			return false
		}
		return true
	})
}

// aggExprs are the expressions of aggregates.
func aggExprs(aggs []*exec.Aggregate) []exec.Expr {
	var out []exec.Expr
	for _, a := range aggs {
		out = append(out, a.Args...)
		for _, k := range a.OrderBy {
			out = append(out, k.Expr)
		}
		if a.Filter != nil {
			out = append(out, a.Filter)
		}
	}
	return out
}

// atMostOne reports whether a plan gives no more than one row.
func atMostOne(n node) bool {
	switch n := n.(type) {
	case *aggregateNode:
		return len(n.keys) == 0
	case *limitNode:
		return n.count >= 0 && n.count <= 1 || atMostOne(n.in)
	case *valuesNode:
		return len(n.rows) <= 1
	case *projectNode, *filterNode, *sortNode, *distinctNode, *distinctOnNode, *computeNode, *windowNode:
		return atMostOne(n.inputs()[0])
	}
	return false
}

// nodeExprs are the expressions of a node itself.
func nodeExprs(n node) []exec.Expr {
	switch n := n.(type) {
	case *valuesNode:
		return slices.Concat(n.rows...)
	case *filterNode:
		return n.preds
	case *projectNode:
		return n.exprs
	case *computeNode:
		return n.exprs
	case *hopNode:
		return []exec.Expr{n.x}
	case *unnestNode:
		return n.exprs()
	case *aggregateNode:
		return append(slices.Clone(n.keys), aggExprs(n.aggs)...)
	case *distinctOnNode:
		return n.keys
	case *sortNode:
		var out []exec.Expr
		for _, k := range n.keys {
			out = append(out, k.Expr)
		}
		return out
	case *joinNode:
		return n.exprs()
	case *windowNode:
		return n.exprs()
	}
	return nil
}

// withDefs puts what is computed once beside the plan that uses it.
func (b *binder) withDefs(n node) node {
	if len(b.defs) == 0 {
		return n
	}
	return &withNode{ins: append(slices.Clone(b.defs), n)}
}

// conjunction is a condition that is true where all of the conditions are.
func conjunction(xs []exec.Expr) exec.Expr {
	if len(xs) == 1 {
		return xs[0]
	}
	return &exec.Logic{Span: xs[0].At(), Args: xs}
}
