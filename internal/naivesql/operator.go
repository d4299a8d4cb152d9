package naivesql

import (
	"math"
	"math/big"
	"strings"

	"github.com/seed69692123/netdb/query"
)

// both evaluates two operands, the left one first, and f on them unless one is NULL.
func both(row []value, l, r *node, f func(a, b value) (value, error)) (value, error) {
	a, err := l.eval(row)
	if err != nil {
		return nil, err
	}
	b, err := r.eval(row)
	if err != nil || isNull(a) || isNull(b) {
		return nil, err
	}
	return f(a, b)
}

// condition is x where it is a boolean, else NULL.
func condition(x *node) (*node, error) {
	if x.t != boolean && x.t != dynamic {
		return nil, fail(query.CodeType)
	}
	return &node{t: boolean, eval: func(row []value) (value, error) {
		v, err := x.eval(row)
		if b, ok := v.(bool); ok {
			return b, err
		}
		return nil, err
	}}, nil
}

func not(x *node) (*node, error) {
	x, err := condition(x)
	if err != nil {
		return nil, err
	}
	return &node{t: boolean, eval: func(row []value) (value, error) {
		v, err := x.eval(row)
		if b, ok := v.(bool); ok {
			return !b, err
		}
		return nil, err
	}}, nil
}

// logic is AND or OR: the right side is looked at only where the left one does not decide.
func logic(or bool, l, r *node) (*node, error) {
	l, err := condition(l)
	if err != nil {
		return nil, err
	}
	if r, err = condition(r); err != nil {
		return nil, err
	}
	return &node{t: boolean, eval: func(row []value) (value, error) {
		a, err := l.eval(row)
		if err != nil || a == or {
			return a, err
		}
		b, err := r.eval(row)
		if err != nil || b == or {
			return b, err
		}
		if a == nil || b == nil {
			return nil, nil
		}
		return !or, nil
	}}, nil
}

func comparable2(l, r *node) bool {
	return l.t == r.t || l.t == dynamic || r.t == dynamic || numeric(l.t) && numeric(r.t)
}

// compare gives NULL for values of different types.
func compare(op query.Op, l, r *node) (*node, error) {
	if !comparable2(l, r) {
		return nil, fail(query.CodeType)
	}
	return &node{t: boolean, eval: func(row []value) (value, error) {
		if op == query.OpIsDistinct || op == query.OpIsNotDistinct {
			a, err := l.eval(row)
			if err != nil {
				return nil, err
			}
			b, err := r.eval(row)
			return (Compare(a, b) == 0) == (op == query.OpIsNotDistinct), err
		}
		return both(row, l, r, func(a, b value) (value, error) {
			if rank(a) != rank(b) {
				return nil, nil
			}
			c := Compare(a, b)
			return map[query.Op]bool{
				query.OpEq: c == 0, query.OpNe: c != 0, query.OpLt: c < 0, query.OpLe: c <= 0, query.OpGt: c > 0, query.OpGe: c >= 0,
			}[op], nil
		})
	}}, nil
}

// arith is arithmetic. What is no number gives NULL where it is dynamic.
func arith(op query.Op, l, r *node) (*node, error) {
	whole := op == query.OpIntDiv || op == query.OpMod
	t := dynamic
	for _, x := range []*node{l, r} {
		if x.t == text || x.t == boolean || x.t == double && whole {
			return nil, fail(query.CodeType)
		}
	}
	switch {
	case op == query.OpDiv:
		t = double
	case whole || l.t == bigint && r.t == bigint:
		t = bigint
	case numeric(l.t) && numeric(r.t):
		t = double
	}
	return &node{t: t, eval: func(row []value) (value, error) {
		return both(row, l, r, func(a, b value) (value, error) {
			if rank(a) != 1 || rank(b) != 1 {
				return nil, nil
			}
			return calculate(op, a, b)
		})
	}}, nil
}

func calculate(op query.Op, a, b value) (value, error) {
	_, bigA := a.(*big.Int)
	_, bigB := b.(*big.Int)
	if bigA || bigB {
		return nil, fail(query.CodeOutOfRange)
	}
	i, intA := a.(int64)
	j, intB := b.(int64)
	if intA && intB && op != query.OpDiv {
		x, y, z := big.NewInt(i), big.NewInt(j), new(big.Int)
		switch op {
		case query.OpAdd:
			z.Add(x, y)
		case query.OpSub:
			z.Sub(x, y)
		case query.OpMul:
			z.Mul(x, y)
		case query.OpIntDiv, query.OpMod:
			if j == 0 {
				return nil, fail(query.CodeDivideByZero)
			}
			if op == query.OpIntDiv {
				z.Quo(x, y)
			} else {
				z.Rem(x, y)
			}
		}
		if !z.IsInt64() {
			return nil, fail(query.CodeOutOfRange)
		}
		return z.Int64(), nil
	}
	x, y := toFloat(a), toFloat(b)
	switch op {
	case query.OpAdd:
		return float(x + y), nil
	case query.OpSub:
		return float(x - y), nil
	case query.OpMul:
		return float(x * y), nil
	case query.OpDiv:
		if y == 0 {
			return nil, fail(query.CodeDivideByZero)
		}
		return float(x / y), nil
	}
	return nil, nil // // and % of a DOUBLE
}

// toFloat is a number as the nearest DOUBLE.
func toFloat(v value) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		return f
	case float64:
		return v
	}
	return math.NaN()
}

func (s *scope) is(e *query.Is) (*node, error) {
	x, err := s.compile(e.Expr)
	if err != nil {
		return nil, err
	}
	if e.Kind != query.IsNull {
		if x, err = condition(x); err != nil {
			return nil, err
		}
	}
	return &node{t: boolean, eval: func(row []value) (value, error) {
		v, err := x.eval(row)
		is := isNull(v)
		switch e.Kind {
		case query.IsTrue:
			is = v == true
		case query.IsFalse:
			is = v == false
		}
		return is != e.Not, err
	}}, nil
}

// in is x = a OR x = b OR …
func (s *scope) in(e *query.In) (*node, error) {
	if e.Query != nil {
		return nil, unknown(e)
	}
	x, err := s.compile(e.Expr)
	if err != nil {
		return nil, err
	}
	var out *node
	for _, item := range e.List {
		y, err := s.compile(item)
		if err != nil {
			return nil, err
		}
		eq, err := compare(query.OpEq, x, y)
		if err == nil && out != nil {
			eq, err = logic(true, out, eq)
		}
		if err != nil {
			return nil, err
		}
		out = eq
	}
	if e.Not {
		return not(out)
	}
	return out, nil
}

// unify returns the type of a column that each of the expressions may give.
func unify(xs []*node) (typ, error) {
	var t typ
	have := false
	for _, x := range xs {
		switch {
		case x.null:
		case !have:
			t, have = x.t, true
		case t == x.t:
		case t == dynamic || x.t == dynamic:
			t = dynamic
		case numeric(t) && numeric(x.t):
			t = double
		default:
			return 0, fail(query.CodeType)
		}
	}
	return t, nil
}

// as brings a value to the type that unify gave.
func as(v value, t typ) value {
	if i, ok := v.(int64); ok && t == double {
		return float64(i)
	}
	return v
}

func (s *scope) caseOf(e *query.Case) (*node, error) {
	var operand *node
	var err error
	if e.Operand != nil {
		if operand, err = s.compile(e.Operand); err != nil {
			return nil, err
		}
	}
	var whens, thens []*node
	for _, w := range e.Whens {
		when, err := s.compile(w.Cond)
		if err != nil {
			return nil, err
		}
		if operand != nil {
			when, err = compare(query.OpEq, operand, when)
		} else {
			when, err = condition(when)
		}
		if err != nil {
			return nil, err
		}
		then, err := s.compile(w.Then)
		if err != nil {
			return nil, err
		}
		whens, thens = append(whens, when), append(thens, then)
	}
	other := constant(dynamic, nil)
	if e.Else != nil {
		if other, err = s.compile(e.Else); err != nil {
			return nil, err
		}
	}
	return choose(whens, thens, other)
}

// choose gives the first of thens whose when is true, else other.
func choose(whens, thens []*node, other *node) (*node, error) {
	t, err := unify(append(append([]*node(nil), thens...), other))
	if err != nil {
		return nil, err
	}
	return &node{t: t, eval: func(row []value) (value, error) {
		take := other
		for i, w := range whens {
			v, err := w.eval(row)
			if err != nil {
				return nil, err
			}
			if v == true {
				take = thens[i]
				break
			}
		}
		v, err := take.eval(row)
		return as(v, t), err
	}}, nil
}

// like matches one character at a time.
func (s *scope) like(e *query.Like) (*node, error) {
	x, err := s.compileAll([]query.Expr{e.Expr, e.Pattern})
	if err != nil {
		return nil, err
	}
	for _, n := range x {
		if n.t != text && n.t != dynamic {
			return nil, fail(query.CodeType)
		}
	}
	escape := '\\'
	if e.Escape != nil {
		lit, ok := e.Escape.(*query.Literal)
		if !ok || len([]rune(lit.Value.Text())) != 1 {
			return nil, unknown(e)
		}
		escape = []rune(lit.Value.Text())[0]
	}
	return &node{t: boolean, eval: func(row []value) (value, error) {
		return both(row, x[0], x[1], func(a, b value) (value, error) {
			s, isText := a.(string)
			p, isPattern := b.(string)
			if !isText || !isPattern {
				return nil, nil
			}
			if e.Fold {
				s, p = strings.ToLower(s), strings.ToLower(p)
			}
			return matches([]rune(s), []rune(p), escape) != e.Not, nil
		})
	}}, nil
}

func matches(s, p []rune, escape rune) bool {
	switch {
	case len(p) == 0:
		return len(s) == 0
	case p[0] == '%':
		return matches(s, p[1:], escape) || len(s) > 0 && matches(s[1:], p, escape)
	case p[0] == '_':
		return len(s) > 0 && matches(s[1:], p[1:], escape)
	case p[0] == escape && len(p) > 1:
		p = p[1:]
	}
	return len(s) > 0 && s[0] == p[0] && matches(s[1:], p[1:], escape)
}
