package planner

import (
	"slices"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// This file is about operands that are not evaluated for every row: a query there must not fail for the others.

// guarded is the scope of an operand that is only evaluated where the guards are true.
func (s *scope) guarded(guards ...exec.Expr) *scope {
	if s.applies == nil || len(guards) == 0 {
		return s
	}
	g := *s
	g.guards = append(slices.Clone(s.guards), guards...)
	return &g
}

// isTrue and isNotTrue are guards.
func isTrue(x exec.Expr) exec.Expr { return &exec.Is{Span: x.At(), X: x, Kind: query.IsTrue} }

func isNotTrue(x exec.Expr) exec.Expr {
	return &exec.Is{Span: x.At(), X: x, Kind: query.IsTrue, Negate: true}
}

func isNotFalse(x exec.Expr) exec.Expr {
	return &exec.Is{Span: x.At(), X: x, Kind: query.IsFalse, Negate: true}
}

// open says where the next operand of a chain of AND or OR is evaluated.
func (b *binder) open(l *exec.Logic) []exec.Expr {
	out := make([]exec.Expr, len(l.Args))
	for i, x := range l.Args {
		if out[i] = isNotFalse(x); l.Or {
			out[i] = isNotTrue(x)
		}
	}
	return out
}

// notBefore says where CASE gets behind these conditions.
func notBefore(whens []exec.Expr) []exec.Expr {
	out := make([]exec.Expr, len(whens))
	for i, x := range whens {
		out[i] = isNotTrue(x)
	}
	return out
}

// lazyGuards says where a function gets to its next argument.
func lazyGuards(name string, before []exec.Expr) []exec.Expr {
	switch name {
	case "coalesce", "ifnull":
		out := make([]exec.Expr, len(before))
		for i, x := range before {
			out[i] = &exec.Is{Span: x.At(), X: x, Kind: query.IsNull}
		}
		return out
	case "if", "iif":
		if before[0].Type() != vector.Bool {
			before[0] = exec.NewNarrow(before[0], vector.Bool)
		}
		if len(before) == 1 {
			return []exec.Expr{isTrue(before[0])}
		}
		return []exec.Expr{isNotTrue(before[0])}
	}
	return nil
}

// caseExpr binds CASE.
func (b *binder) caseExpr(s *scope, e *query.Case) (exec.Expr, error) {
	out := &exec.Case{Span: e.Span}
	var operand exec.Expr
	var err error
	if e.Operand != nil {
		if operand, err = b.expr(s, e.Operand); err != nil {
			return nil, err
		}
	}
	outer := s
	for _, w := range e.Whens {
		if b.hasQuery(w) {
			s = outer.guarded(notBefore(out.Whens)...)
		}
		cond, err := b.expr(s, w.Cond)
		if err != nil {
			return nil, err
		}
		if operand != nil {
			cond, err = b.compare(w.Cond.At(), query.OpEq, operand, cond)
		} else {
			cond, err = b.boolean(cond, "WHEN")
		}
		if err != nil {
			return nil, err
		}
		if b.hasQuery(w.Then) {
			s = s.guarded(isTrue(cond))
		}
		then, err := b.expr(s, w.Then)
		if err != nil {
			return nil, err
		}
		s = outer
		out.Whens, out.Thens = append(out.Whens, cond), append(out.Thens, then)
	}
	results := append([]exec.Expr(nil), out.Thens...)
	if e.Else != nil {
		if b.hasQuery(e.Else) {
			s = outer.guarded(notBefore(out.Whens)...)
		}
		x, err := b.expr(s, e.Else)
		if err != nil {
			return nil, err
		}
		results = append(results, x)
	}
	if out.T, err = b.unify(results, "CASE"); err != nil {
		return nil, err
	}
	for i := range results {
		if results[i], err = b.convert(results[i], out.T); err != nil {
			return nil, err
		}
	}
	out.Thens = results[:len(out.Thens)]
	if e.Else != nil {
		out.Else = results[len(results)-1]
	}
	return out, nil
}
