package naivesql

import (
	"errors"
	"fmt"

	"github.com/seed69692123/netdb/query"
)

// ErrUnknown is returned for what the package does not know.
var ErrUnknown = errors.New("naivesql: not known here")

// Error is an error that the rules ask for, by the code that the engine gives it.
type Error struct{ Code query.Code }

func (e *Error) Error() string { return "naivesql: error " + string(e.Code) }

func fail(c query.Code) error { return &Error{c} }

func unknown(what any) error { return fmt.Errorf("%w: %v", ErrUnknown, what) }

// typ is what is known of an expression without a row.
type typ uint8

const (
	dynamic typ = iota // each value has its own
	boolean
	bigint
	double
	text
)

func numeric(t typ) bool { return t == bigint || t == double }

// node is an expression: its type, and its value for a row.
type node struct {
	t       typ
	null    bool // the literal NULL
	literal value
	eval    func(row []value) (value, error)
}

func constant(t typ, v value) *node {
	return &node{t: t, null: isNull(v), literal: v, eval: func([]value) (value, error) { return v, nil }}
}

// column is a column of the rows an expression sees.
type column struct {
	table, name string
	t           typ
}

// scope is what an expression sees.
type scope struct {
	cols []column
	// instead, when not nil, may say what stands for a part of an expression: columns of groups.
	instead func(query.Expr) (*node, error)
	aliases map[string]query.Expr
}

func (s *scope) compileAll(list []query.Expr) ([]*node, error) {
	out := make([]*node, len(list))
	for i, e := range list {
		var err error
		if out[i], err = s.compile(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *scope) compile(e query.Expr) (*node, error) {
	if s.instead != nil {
		if n, err := s.instead(e); n != nil || err != nil {
			return n, err
		}
	}
	switch e := e.(type) {
	case *query.Literal:
		return literal(e.Value)
	case *query.Name:
		return s.name(e)
	case *query.Unary:
		x, err := s.compile(e.Expr)
		if err != nil {
			return nil, err
		}
		switch e.Op {
		case query.OpNot:
			return not(x)
		case query.OpNeg:
			return arith(query.OpSub, constant(bigint, int64(0)), x)
		case query.OpPos:
			return arith(query.OpAdd, constant(bigint, int64(0)), x)
		}
	case *query.Binary:
		return s.binary(e)
	case *query.Is:
		return s.is(e)
	case *query.Like:
		return s.like(e)
	case *query.In:
		return s.in(e)
	case *query.Between:
		x, err := s.compileAll([]query.Expr{e.Expr, e.Lo, e.Hi})
		if err != nil {
			return nil, err
		}
		ge, err := compare(query.OpGe, x[0], x[1])
		if err != nil {
			return nil, err
		}
		le, err := compare(query.OpLe, x[0], x[2])
		if err != nil {
			return nil, err
		}
		both, err := logic(false, ge, le)
		if err != nil || !e.Not {
			return both, err
		}
		return not(both)
	case *query.Case:
		return s.caseOf(e)
	case *query.Cast:
		return s.cast(e)
	case *query.Call:
		return s.call(e)
	}
	return nil, unknown(e)
}

func literal(v query.Value) (*node, error) {
	switch v.Kind() {
	case query.KindNull:
		return constant(dynamic, nil), nil
	case query.KindBool:
		return constant(boolean, v.Bool()), nil
	case query.KindInt:
		return constant(bigint, v.Int()), nil
	case query.KindBig:
		return constant(dynamic, number(v.Text())), nil
	case query.KindDouble:
		return constant(double, float(v.Double())), nil
	case query.KindText:
		return constant(text, v.Text()), nil
	}
	return nil, unknown(v)
}

// name is a column, or a path in one.
func (s *scope) name(e *query.Name) (*node, error) {
	parts := make([]string, len(e.Parts))
	for i, p := range e.Parts {
		parts[i] = p.Name
	}
	find := func(table string, rest []string) (*node, error) {
		at := -1
		for i, c := range s.cols {
			if c.name == rest[0] && (table == "" || c.table == table) {
				if at >= 0 {
					return nil, fail(query.CodeAmbiguous)
				}
				at = i
			}
		}
		if at < 0 {
			return nil, nil
		}
		n := &node{t: s.cols[at].t}
		n.eval = func(row []value) (value, error) {
			v := row[at]
			for _, key := range rest[1:] {
				o, _ := v.(Object)
				v = o.Members[key]
			}
			return v, nil
		}
		return n, nil
	}
	if len(parts) > 1 {
		if n, err := find(parts[0], parts[1:]); n != nil || err != nil {
			return n, err
		}
	}
	if n, err := find("", parts); n != nil || err != nil {
		return n, err
	}
	if x, ok := s.aliases[parts[0]]; ok && len(parts) == 1 {
		return s.compile(x)
	}
	return nil, fail(query.CodeUnknownColumn)
}

func (s *scope) binary(e *query.Binary) (*node, error) {
	l, err := s.compile(e.L)
	if err != nil {
		return nil, err
	}
	r, err := s.compile(e.R)
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case query.OpAnd, query.OpOr:
		return logic(e.Op == query.OpOr, l, r)
	case query.OpAdd, query.OpSub, query.OpMul, query.OpDiv, query.OpIntDiv, query.OpMod:
		return arith(e.Op, l, r)
	case query.OpConcat:
		return &node{t: text, eval: func(row []value) (value, error) {
			return both(row, l, r, func(a, b value) (value, error) { return Text(a) + Text(b), nil })
		}}, nil
	case query.OpEq, query.OpNe, query.OpLt, query.OpLe, query.OpGt, query.OpGe, query.OpIsDistinct, query.OpIsNotDistinct:
		return compare(e.Op, l, r)
	}
	return nil, unknown(e)
}
