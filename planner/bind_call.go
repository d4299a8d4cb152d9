package planner

import (
	"strings"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// call binds a function call.
func (b *binder) call(s *scope, e *query.Call) (exec.Expr, error) {
	if len(e.Name) != 1 {
		return nil, query.Errorf(e, query.CodeUnknownFunc, "no function %s", PathText(identNames(e.Name)))
	}
	name := strings.ToLower(e.Name[0].Name)
	if e.Over != nil {
		return b.windowCall(s, e, name)
	}
	if agg := exec.FindAggregate(name); agg != nil {
		return b.aggregate(s, e, agg)
	}
	switch {
	case e.Star:
		return nil, query.Errorf(e, query.CodeSyntax, "%s(*) means nothing: only count(*) does", name)
	case e.Distinct, e.Filter != nil, len(e.OrderBy) > 0, len(e.WithinGroup) > 0:
		if exec.FindFunction(name) == nil {
			return nil, b.unknownFunction(e, name)
		}
		return nil, query.Errorf(e, query.CodeSyntax, "%s is no aggregate", name)
	}
	args := make([]exec.Expr, len(e.Args))
	for i, a := range e.Args {
		if n, ok := a.(*query.NamedArg); ok {
			return nil, query.Errorf(n, query.CodeSyntax, "%s takes no named arguments", name)
		}
		at := s
		if i > 0 && b.hasQuery(a) {
			at = s.guarded(lazyGuards(name, args[:i])...)
		}
		x, err := b.expr(at, a)
		if err != nil {
			return nil, err
		}
		args[i] = x
	}
	if name == "unnest" {
		return b.unnestItem(s, e, args)
	}
	if x, ok, err := b.form(e, name, args); ok {
		return x, err
	}
	if exec.FindFunction(name) == nil {
		return nil, b.unknownFunction(e, name)
	}
	return b.function(e.Span, name, args)
}

func (b *binder) unknownFunction(e *query.Call, name string) error {
	if exec.FindWindowFunction(name) != nil {
		return query.Errorf(e, query.CodeWindow, "%s is a window function: it needs OVER (…)", name)
	}
	if hint := refused[name]; hint != "" {
		return unsupported(e, name+"()").WithHint("%s", hint)
	}
	err := query.Errorf(e, query.CodeUnknownFunc, "no function %s", quoteName(e.Name[0].Name))
	if near := query.Nearest(name, exec.FunctionNames()); near != "" {
		return err.WithHint("did you mean %s?", near)
	}
	return err
}

// arity is the error for a wrong number of arguments.
func arity(at interface{ At() query.Span }, name string, want string, got int) error {
	return query.Errorf(at, query.CodeUnknownFunc, "%s wants %s, not %d", name, want, got)
}

func plural(n int) string {
	if n == 1 {
		return "1 argument"
	}
	return itoa(n) + " arguments"
}

// function binds a scalar function of the table to its arguments.
func (b *binder) function(at query.Span, name string, args []exec.Expr) (exec.Expr, error) {
	fn := exec.FindFunction(name)
	if n := len(args); fn.Interval != nil && n > 0 && args[n-1].Type() == vector.IntervalType {
		fn = fn.Interval
	}
	lo, hi := fn.Arity()
	if len(args) < lo || hi >= 0 && len(args) > hi {
		want := plural(lo)
		switch {
		case hi < 0:
			want = "at least " + want
		case hi > lo:
			want = itoa(lo) + " to " + plural(hi)
		}
		return nil, arity(at, name, want, len(args))
	}
	converted := make([]exec.Expr, len(args))
	for i, x := range args {
		y, err := b.argument(name, fn.Param(i), x)
		if err != nil {
			return nil, err
		}
		converted[i] = y
	}
	if fn.Unify {
		t, err := b.unify(converted, name)
		if err != nil {
			return nil, err
		}
		for i := range converted {
			if converted[i], err = b.convert(converted[i], t); err != nil {
				return nil, err
			}
		}
	}
	types := make([]vector.Type, len(converted))
	for i, x := range converted {
		types[i] = x.Type()
	}
	t, ok := fn.Result(types)
	if !ok {
		names := make([]string, len(converted))
		for i, x := range converted {
			names[i] = typeName(x)
		}
		return nil, query.ErrorAt(at, query.CodeType, "no %s for %s", name, strings.Join(names, ", ")).WithHint("%s", fn.Doc)
	}
	return &exec.Call{Span: at, Fn: fn, Args: converted, T: t}, nil
}

// argument brings an argument to the type of a parameter. A dynamic value of another type is NULL; a static one does not
// bind.
func (b *binder) argument(name string, p exec.Param, x exec.Expr) (exec.Expr, error) {
	t := x.Type()
	switch {
	case p == exec.AnyParam:
		return x, nil
	case p == exec.JSONParam:
		if t.Dynamic() {
			return x, nil
		}
		if isTextConst(x) {
			return b.fold(&exec.Cast{Span: x.At(), X: x, To: vector.JSON}), nil
		}
		return exec.NewWiden(x, vector.JSON), nil
	case p == exec.NumberParam:
		if isNumber(t) || t.Dynamic() {
			return x, nil
		}
	case p.Type() == t:
		return x, nil
	case isNullConst(x):
		return &exec.Const{Span: x.At(), T: p.Type()}, nil
	case t.Dynamic():
		return exec.NewNarrow(x, p.Type()), nil
	case p == exec.FloatParam && t == vector.Int, p == exec.TimeParam && t == vector.Date:
		return b.fold(&exec.Cast{Span: x.At(), X: x, To: p.Type()}), nil
	case isTextConst(x) && readsText(p.Type()):
		return b.readText(x, p.Type())
	}
	return nil, query.Errorf(x, query.CodeType, "%s wants %s here, not %s", name, p, typeName(x))
}

func (b *binder) coalesce(e *query.Call, name string, args []exec.Expr) (exec.Expr, error) {
	if len(args) == 0 || name == "ifnull" && len(args) != 2 {
		return nil, arity(e, name, map[string]string{"coalesce": "at least 1 argument", "ifnull": "2 arguments"}[name], len(args))
	}
	t, err := b.unify(args, name)
	if err != nil {
		return nil, err
	}
	for i := range args {
		if args[i], err = b.convert(args[i], t); err != nil {
			return nil, err
		}
	}
	return &exec.Coalesce{Span: e.Span, Args: args, T: t}, nil
}

// ifCall is CASE WHEN a THEN b ELSE c END.
func (b *binder) ifCall(e *query.Call, name string, args []exec.Expr) (exec.Expr, error) {
	if len(args) != 3 {
		return nil, arity(e, name, "3 arguments", len(args))
	}
	cond, err := b.boolean(args[0], name)
	if err != nil {
		return nil, err
	}
	t, err := b.unify(args[1:], name)
	if err != nil {
		return nil, err
	}
	then, err := b.convert(args[1], t)
	if err != nil {
		return nil, err
	}
	other, err := b.convert(args[2], t)
	if err != nil {
		return nil, err
	}
	return &exec.Case{Span: e.Span, Whens: []exec.Expr{cond}, Thens: []exec.Expr{then}, Else: other, T: t}, nil
}

// nullif is CASE WHEN a = b THEN NULL ELSE a END.
func (b *binder) nullif(e *query.Call, args []exec.Expr) (exec.Expr, error) {
	if len(args) != 2 {
		return nil, arity(e, "nullif", "2 arguments", len(args))
	}
	eq, err := b.compare(e.Span, query.OpEq, args[0], args[1])
	if err != nil {
		return nil, err
	}
	t := args[0].Type()
	null := &exec.Const{Span: e.Span, T: t}
	return &exec.Case{Span: e.Span, Whens: []exec.Expr{eq}, Thens: []exec.Expr{null}, Else: args[0], T: t}, nil
}
