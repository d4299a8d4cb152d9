package planner

import (
	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// arrowOp binds x -> key and x ->> key.
func (b *binder) arrowOp(e *query.Binary, l, r exec.Expr) (exec.Expr, error) {
	if !l.Type().Dynamic() {
		if l.Type() != vector.Text && !isNullConst(l) {
			return nil, query.Errorf(e, query.CodeType, "a %s has no fields", l.Type())
		}
		l = b.fold(&exec.Cast{Span: l.At(), X: l, To: vector.JSON})
	}
	var out exec.Expr
	var err error
	switch {
	case r.Type() == vector.Text:
		out = b.arrow(e.Span, l, r)
	case r.Type() == vector.Int, r.Type().Dynamic():
		out, err = b.index(e, l, r)
	default:
		return nil, query.Errorf(e.R, query.CodeType, "a field is named by TEXT or BIGINT, not %s", typeName(r))
	}
	if err != nil || e.Op == query.OpArrow {
		return out, err
	}
	return &exec.Cast{Span: e.Span, X: plain(out), To: vector.Text}, nil
}

// plain returns the field that x is as JSON, where it does not matter that it is JSON.
func plain(x exec.Expr) exec.Expr {
	if w, ok := x.(*exec.Widen); ok && w.X.Type().Dynamic() {
		return w.X
	}
	return x
}

// untyped returns the result of arrow as a payload field, whose values have their own types.
func untyped(x exec.Expr) exec.Expr {
	if c, ok := x.(*exec.Call); ok {
		field := *c
		field.T = vector.Any
		return &field
	}
	return plain(x)
}

// arrow is the field of x that a text names. Of a log's payload, or of a field in it, it is a field that the scan can give.
func (b *binder) arrow(at query.Span, x, key exec.Expr) exec.Expr {
	x = plain(x)
	if col, ok := x.(*exec.Col); ok && isTextConst(key) {
		if f, ok := b.fields[col.Index]; ok {
			path := append(append([]string(nil), f.path...), key.(*exec.Const).Value.Text())
			id := f.scan.addField(b, path)
			b.noteField(id, f.scan, path)
			return exec.NewWiden(b.col(id, at), vector.JSON)
		}
	}
	return &exec.Call{Span: at, Fn: exec.FindFunction("json_get"), Args: []exec.Expr{x, key}, T: vector.JSON}
}

// index is an element of an array, counted from 0, or a field where the index is text.
func (b *binder) index(at query.Node, x, i exec.Expr) (exec.Expr, error) {
	if i.Type() == vector.Text {
		return b.arrow(at.At(), x, i), nil
	}
	if i.Type() != vector.Int && !i.Type().Dynamic() {
		return nil, query.Errorf(i, query.CodeType, "an element is numbered by a BIGINT, not %s", typeName(i))
	}
	return &exec.Call{Span: at.At(), Fn: exec.FindFunction("json_get"), Args: []exec.Expr{x, i}, T: vector.JSON}, nil
}
