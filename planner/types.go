package planner

import (
	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// typeOf returns the vector type of a type of the language; DECIMAL has none.
func typeOf(t query.Type) (vector.Type, bool) {
	switch t {
	case query.TypeBoolean:
		return vector.Bool, true
	case query.TypeBigint:
		return vector.Int, true
	case query.TypeDouble:
		return vector.Float, true
	case query.TypeText:
		return vector.Text, true
	case query.TypeBlob:
		return vector.Blob, true
	case query.TypeTimestamp:
		return vector.Time, true
	case query.TypeDate:
		return vector.Date, true
	case query.TypeInterval:
		return vector.IntervalType, true
	case query.TypeJSON:
		return vector.JSON, true
	}
	return vector.Any, false
}

// typeOfKind returns the type of a constant. An integer beyond BIGINT and NULL have none of their own: they are dynamic.
func typeOfKind(k query.Kind) (vector.Type, bool) {
	switch k {
	case query.KindNull, query.KindBig:
		return vector.Any, true
	}
	return typeOf(k.Type())
}

// unify returns the one type that expressions standing for one column can be brought to: their own, DOUBLE for numbers,
// TIMESTAMPTZ for dates and times, dynamic where one of them is. NULLs and text constants follow the others.
func (b *binder) unify(xs []exec.Expr, what string) (vector.Type, error) {
	t, have := vector.Any, false
	var first exec.Expr
	take := func(x exec.Expr) error {
		u := x.Type()
		switch {
		case !have:
			t, have, first = u, true, x
		case t == u:
		case t.Dynamic() || u.Dynamic():
			t = vector.Any
		case isNumber(t) && isNumber(u):
			t = vector.Float
		case (t == vector.Date || t == vector.Time) && (u == vector.Date || u == vector.Time):
			t = vector.Time
		default:
			return query.Errorf(x, query.CodeType, "%s mixes %s and %s", what, typeName(first), typeName(x)).WithHint("use CAST")
		}
		return nil
	}
	var texts []exec.Expr
	for _, x := range xs {
		switch {
		case isNullConst(x):
		case isTextConst(x):
			texts = append(texts, x)
		default:
			if err := take(x); err != nil {
				return 0, err
			}
		}
	}
	for _, x := range texts {
		if have && readsText(t) {
			continue
		}
		if err := take(x); err != nil {
			return 0, err
		}
	}
	return t, nil
}

// convert brings an expression to the type that unify gave.
func (b *binder) convert(x exec.Expr, t vector.Type) (exec.Expr, error) {
	switch {
	case x.Type() == t:
		return x, nil
	case isNullConst(x):
		return &exec.Const{Span: x.At(), T: t}, nil
	case t.Dynamic():
		return exec.NewWiden(x, t), nil
	case isTextConst(x) && readsText(t):
		return b.readText(x, t)
	}
	return b.fold(&exec.Cast{Span: x.At(), X: x, To: t}), nil
}
