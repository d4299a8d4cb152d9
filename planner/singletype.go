package planner

import (
	"context"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
)

// SingleTypes returns one type for each column of the result, for readers that need it before the rows: the static one, and of a
// payload field the one that all its values have, DOUBLE for mixed numbers. Where there is none, and where it cannot be told from
// the fields that a value is computed from, it is JSON. Rows that field catalogues have not taken in are walked. Catalogues know
// every value there ever was, so a field whose values of another type are gone, or came after the cut, is JSON too.
func (p *Plan) SingleTypes(ctx context.Context) ([]vector.Type, error) {
	t := singleTypes{ctx: ctx, plan: p, known: map[int]vector.Type{}, fields: map[Source]map[string]vector.Type{}}
	out := make([]vector.Type, len(p.Columns()))
	if p.explain != nil {
		out[0] = vector.Text
		return out, nil
	}
	for i, id := range p.outs {
		out[i] = t.column(id)
		if out[i] == vector.Any {
			out[i] = vector.JSON
		}
	}
	return out, t.err
}

// singleTypes finds the single types of a plan's columns.
type singleTypes struct {
	ctx    context.Context
	plan   *Plan
	known  map[int]vector.Type // of columns; Any while a column is looked at and where there is none
	fields map[Source]map[string]vector.Type
	err    error
}

// column returns the type of a column, Any where there is none.
func (t *singleTypes) column(id int) vector.Type {
	if s := t.plan.cols[id].typ; s != vector.Any {
		return s
	}
	if s, ok := t.known[id]; ok {
		return s
	}
	t.known[id] = vector.Any
	s := t.defined(t.plan.root, id)
	t.known[id] = s
	return s
}

// defined returns the type of a column from the node below n that makes it.
func (t *singleTypes) defined(n node, id int) vector.Type {
	at := func(ids []int) int {
		for i, x := range ids {
			if x == id {
				return i
			}
		}
		return -1
	}
	switch n := n.(type) {
	case *scanNode:
		if i := at(n.ids); i >= 0 {
			return t.output(n, n.outs[i])
		}
	case *projectNode:
		if i := at(n.ids); i >= 0 {
			return t.expr(n.exprs[i])
		}
	case *computeNode:
		if i := at(n.ids); i >= 0 {
			return t.expr(n.exprs[i])
		}
	case *aggregateNode:
		if i := at(n.keyIDs); i >= 0 {
			return t.expr(n.keys[i])
		}
		if i := at(n.aggIDs); i >= 0 {
			return t.aggregate(n.aggs[i])
		}
	case *joinNode:
		if i := at(n.aggIDs); i >= 0 {
			return t.aggregate(n.aggs[i])
		}
	case *keptNode:
		if i := at(n.ids); i >= 0 {
			return t.column(n.from[i])
		}
	case *unionNode:
		if i := at(n.ids); i >= 0 {
			return t.several(n.maps, i)
		}
	case *setNode:
		if i := at(n.ids); i >= 0 {
			return t.several(n.maps, i)
		}
	}
	for _, c := range n.inputs() {
		if s := t.defined(c, id); s != vector.Any {
			return s
		}
	}
	return vector.Any
}

// several returns the type of column i of a set operation.
func (t *singleTypes) several(maps [][]int, i int) vector.Type {
	out := t.column(maps[0][i])
	for _, m := range maps[1:] {
		out = together(out, t.column(m[i]))
	}
	return out
}

// together returns the one type of values of two.
func together(a, b vector.Type) vector.Type {
	switch {
	case a == b:
		return a
	case isNumber(a) && isNumber(b):
		return vector.Float
	}
	return vector.Any
}

// output returns the type of a column of a scan.
func (t *singleTypes) output(n *scanNode, o Output) vector.Type {
	if o.Column >= 0 {
		if n.columns[o.Column].Type == vector.Any { // a key: text as a rule, bytes else
			return vector.Text
		}
		return n.columns[o.Column].Type
	}
	types := t.fields[n.source]
	if types == nil {
		types = map[string]vector.Type{}
		t.fields[n.source] = types
		c, err := n.source.Fields(t.ctx, true)
		if err != nil {
			t.err = err
			return vector.Any
		}
		if !c.Open { // an open catalogue does not know all paths, or has no rows
			for _, f := range c.Fields {
				types[PathText(f.Path)] = f.Type
			}
		}
	}
	return types[PathText(o.Path)] // Any when there is no such field
}

// expr returns the type of an expression's values.
func (t *singleTypes) expr(e exec.Expr) vector.Type {
	if e.Type() != vector.Any {
		return e.Type()
	}
	switch e := e.(type) {
	case *exec.Col:
		return t.column(e.Index)
	case *exec.Widen:
		return t.expr(e.X)
	case *exec.Const:
		if s, ok := typeOfKind(e.Value.Kind()); ok {
			return s
		}
	case *exec.Arith:
		if l, r := t.expr(e.L), t.expr(e.R); isNumber(l) && isNumber(r) {
			return together(l, r)
		}
	case *exec.Coalesce:
		return t.all(e.Args)
	case *exec.Case:
		results := e.Thens[:len(e.Thens):len(e.Thens)]
		if e.Else != nil {
			results = append(results, e.Else)
		}
		return t.all(results)
	}
	return vector.Any
}

// all returns the one type of several expressions; NULLs have any.
func (t *singleTypes) all(es []exec.Expr) vector.Type {
	out, have := vector.Any, false
	for _, e := range es {
		if isNullConst(e) {
			continue
		}
		if s := t.expr(e); have {
			out = together(out, s)
		} else {
			out, have = s, true
		}
	}
	return out
}

// aggregate returns the type of an aggregate: that of the function for arguments of their single types.
func (t *singleTypes) aggregate(a *exec.Aggregate) vector.Type {
	if a.T != vector.Any {
		return a.T
	}
	args := make([]exec.Expr, len(a.Args))
	for i, x := range a.Args {
		args[i] = x
		if s := t.expr(x); s != vector.Any {
			args[i] = &exec.Col{T: s}
		}
	}
	if s, ok := a.Fn.Result(args); ok {
		return s
	}
	return vector.Any
}
