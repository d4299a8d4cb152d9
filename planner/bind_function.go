package planner

import (
	"strings"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// form binds the calls that are no functions of the table; ok is false for others.
func (b *binder) form(e *query.Call, name string, args []exec.Expr) (x exec.Expr, ok bool, err error) {
	wants := func(n int) bool {
		if len(args) != n {
			err = arity(e, name, plural(n), len(args))
		}
		return err == nil
	}
	switch name {
	case "coalesce", "ifnull":
		x, err = b.coalesce(e, name, args)
	case "if", "iif":
		x, err = b.ifCall(e, name, args)
	case "nullif":
		x, err = b.nullif(e, args)
	case "time_bucket", "date_bin":
		x, err = b.timeBucket(e, name, args)
	case "mod":
		if wants(2) {
			x, err = b.arith(e.Span, query.OpMod, args[0], args[1])
		}
	case "date_add":
		if wants(2) {
			x, err = b.arith(e.Span, query.OpAdd, args[0], args[1])
		}
	case "like_escape", "ilike_escape":
		if wants(3) {
			x, err = b.likeEscape(e, name, args)
		}
	case "date_part", "datepart", "extract":
		// The one part that is no integer.
		if len(args) != 2 || !isTextConst(args[0]) || !strings.EqualFold(args[0].(*exec.Const).Value.Text(), "epoch") {
			return nil, false, nil
		}
		x, err = b.function(e.Span, "epoch", args[1:])
	case "make_timestamp":
		if len(args) != 1 {
			return nil, false, nil
		}
		x, err = b.function(e.Span, "make_timestamp_us", args)
	default:
		return nil, false, nil
	}
	return x, true, err
}

// likeEscape is LIKE with ESCAPE as a function.
func (b *binder) likeEscape(e *query.Call, name string, args []exec.Expr) (exec.Expr, error) {
	var texts [2]exec.Expr
	for i := range texts {
		var err error
		if texts[i], err = b.argument(name, exec.TextParam, args[i]); err != nil {
			return nil, err
		}
	}
	c, ok := args[2].(*exec.Const)
	if !ok || !isTextConst(c) || len([]rune(c.Value.Text())) > 1 {
		return nil, query.Errorf(args[2], query.CodeBadValue, "%s wants one character as a constant here, or '' for none", name)
	}
	like := &exec.Like{Span: e.Span, X: texts[0], Pattern: texts[1], Fold: name == "ilike_escape"}
	for _, r := range c.Value.Text() {
		like.Escape = r
	}
	return like, nil
}

// operatorCall binds the operators that are functions; ok is false for others.
func (b *binder) operatorCall(e *query.Binary, l, r exec.Expr) (x exec.Expr, ok bool, err error) {
	switch e.Op {
	case query.OpContains:
		x, err = b.function(e.Span, "json_contains", []exec.Expr{l, r})
	case query.OpContained:
		x, err = b.function(e.Span, "json_contains", []exec.Expr{r, l})
	case query.OpBitAnd, query.OpBitOr, query.OpShiftLeft, query.OpShiftRight:
		x, err = b.function(e.Span, e.Op.String(), []exec.Expr{l, r})
	case query.OpMatch, query.OpMatchI, query.OpNotMatch, query.OpNotMatchI:
		args := []exec.Expr{l, r}
		if e.Op == query.OpMatchI || e.Op == query.OpNotMatchI {
			args = append(args, &exec.Const{Span: e.Span, Value: query.Text("i"), T: vector.Text})
		}
		x, err = b.function(e.Span, "regexp_matches", args)
		if err == nil && (e.Op == query.OpNotMatch || e.Op == query.OpNotMatchI) {
			x = &exec.Not{Span: e.Span, X: x}
		}
	default:
		return nil, false, nil
	}
	return x, true, err
}

// array binds [a, b, …], a JSON array.
func (b *binder) array(s *scope, e *query.Array) (exec.Expr, error) {
	args := make([]exec.Expr, len(e.Items))
	for i, item := range e.Items {
		x, err := b.expr(s, item)
		if err != nil {
			return nil, err
		}
		args[i] = x
	}
	return b.function(e.Span, "json_array", args)
}

// refused are functions whose answers would depend on more than the rows and the statement.
var refused = map[string]string{
	"random": "hash(_seq) gives an integer that is always the same", "rand": "hash(_seq) gives an integer that is always the same",
	"setseed": "there is no random()", "uuid": "make it where the event is made", "gen_random_uuid": "make it where the event is made",
}
