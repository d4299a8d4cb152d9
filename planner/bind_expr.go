package planner

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

func itoa(i int) string { return strconv.Itoa(i) }

// expr binds an expression. What is constant is evaluated at once, unless that fails: then it fails where SQL reaches it.
func (b *binder) expr(s *scope, e query.Expr) (exec.Expr, error) {
	if err := b.ctx.Err(); err != nil {
		return nil, err
	}
	x, err := b.exprNode(s, e)
	if err != nil {
		return nil, err
	}
	return b.fold(x), nil
}

// fold replaces a constant expression by its value.
func (b *binder) fold(x exec.Expr) exec.Expr {
	if _, ok := x.(*exec.Const); ok || !b.isConst(x) {
		return x
	}
	env := b.env()
	env.Budget = exec.NewBudget(foldBytes)
	v, err := exec.EvalConst(b.ctx, x, env)
	if err != nil || len(v.Text()) > maxFolded {
		return x
	}
	return &exec.Const{Span: x.At(), Value: v, T: x.Type()}
}

// isConst is exec.IsConst, but does not look again at parts that are known to vary: a chain of operators may be long.
func (b *binder) isConst(x exec.Expr) bool {
	constant := true
	exec.Walk(x, func(e exec.Expr) bool {
		constant = constant && !b.varies[e] && (e == x || !isColumn(e))
		return constant
	})
	if constant && exec.IsConst(x) {
		return true
	}
	if b.varies == nil {
		b.varies = map[exec.Expr]bool{}
	}
	b.varies[x] = true
	return false
}

func isColumn(e exec.Expr) bool {
	_, ok := e.(*exec.Col)
	return ok
}

// maxFolded is the largest text that a plan keeps as a constant: longer ones are made when it runs, within its budget.
const maxFolded = 1 << 20

// foldBytes is the memory that the evaluation of a constant may take while a plan is made.
const foldBytes = 4 << 20

func (b *binder) exprNode(s *scope, e query.Expr) (exec.Expr, error) {
	switch e := e.(type) {
	case *query.Literal:
		return b.literal(e.Span, e.Value)
	case *query.Param:
		v, err := b.param(e)
		if err != nil {
			return nil, err
		}
		return b.literal(e.Span, v)
	case *query.Name:
		return b.nameOrAlias(s, e)
	case *query.Unary:
		return b.unary(s, e)
	case *query.Binary:
		return b.binary(s, e)
	case *query.Is:
		x, err := b.expr(s, e.Expr)
		if err != nil {
			return nil, err
		}
		if e.Kind != query.IsNull {
			if x, err = b.boolean(x, "IS"); err != nil {
				return nil, err
			}
		}
		return &exec.Is{Span: e.Span, X: x, Kind: e.Kind, Negate: e.Not}, nil
	case *query.Like:
		return b.like(s, e)
	case *query.In:
		return b.in(s, e)
	case *query.Between:
		return b.between(s, e)
	case *query.Case:
		return b.caseExpr(s, e)
	case *query.Cast:
		return b.cast(s, e)
	case *query.Call:
		return b.call(s, e)
	case *query.Field:
		x, err := b.expr(s, e.Expr)
		if err != nil {
			return nil, err
		}
		return b.inside(e, x, []query.Ident{e.Name})
	case *query.Index:
		x, err := b.expr(s, e.Expr)
		if err != nil {
			return nil, err
		}
		i, err := b.expr(s, e.Index)
		if err != nil {
			return nil, err
		}
		if !x.Type().Dynamic() {
			return nil, query.Errorf(e, query.CodeType, "a %s has no elements", x.Type())
		}
		return b.index(e, x, i)
	case *query.Exists:
		return b.exists(s, e)
	case *query.Subquery:
		return b.scalar(s, e)
	case *query.Quantified:
		return b.quantified(s, e)
	case *query.Tuple:
		return nil, unsupported(e, "a row value")
	case *query.Array:
		return b.array(s, e)
	case *query.Star:
		return nil, query.Errorf(e, query.CodeSyntax, "* is not a value")
	case *query.NamedArg:
		return nil, query.Errorf(e, query.CodeSyntax, "%q is an argument of a function", e.Name.Name)
	}
	return nil, unsupported(e, "this expression")
}

// literal makes a constant.
func (b *binder) literal(at query.Span, v query.Value) (exec.Expr, error) {
	t, ok := typeOfKind(v.Kind())
	if !ok {
		return nil, query.Errorf(at, query.CodeUnsupported, "%s values are not supported", v.Kind().Type())
	}
	return &exec.Const{Span: at, Value: v, T: t}, nil
}

// nameOrAlias binds a name, looking at the aliases of the select list where they count.
func (b *binder) nameOrAlias(s *scope, n *query.Name) (exec.Expr, error) {
	if len(n.Parts) == 1 && len(s.aliases) > 0 {
		// A table that accepts any name, as an empty log does, does not keep an alias from being one.
		if a := findAlias(s.aliases, n.Parts[0]); a != nil {
			if known, err := b.knows(s, n); err != nil || !known {
				return a, err
			}
		}
	}
	if s.outer != nil && s.aliasOutside(n.Parts) {
		if x, err := b.outerName(s, n); x != nil || err != nil {
			return x, err
		}
	}
	x, err := b.name(s, n)
	if err == nil {
		return x, nil
	}
	if len(n.Parts) != 1 || findAlias(s.aliases, n.Parts[0]) == nil {
		if outer, oerr := b.outerName(s, n); isUnknownColumn(err) && (outer != nil || oerr != nil) {
			return outer, oerr
		}
	}
	if len(n.Parts) != 1 {
		return nil, err
	}
	if a := findAlias(s.aliases, n.Parts[0]); a != nil {
		return a, nil
	}
	switch name := strings.ToLower(n.Parts[0].Name); name {
	case "current_timestamp", "current_date":
		if !n.Parts[0].Quoted {
			return b.function(n.Span, name, nil)
		}
	}
	return nil, err
}

// findAlias returns the item an alias names: exactly, else the only one that differs in case; nil where several different
// ones have the name.
func findAlias(items []aliasItem, id query.Ident) exec.Expr {
	find := func(same func(name string) bool) (found exec.Expr, several bool) {
		for _, it := range items {
			switch {
			case !same(it.name):
			case found == nil:
				found = it.expr
			case !exec.Equal(found, it.expr):
				return nil, true
			}
		}
		return found, false
	}
	found, several := find(func(name string) bool { return name == id.Name })
	if found == nil && !several && !id.Quoted {
		found, _ = find(func(name string) bool { return strings.EqualFold(name, id.Name) })
	}
	return found
}

func isNullConst(x exec.Expr) bool {
	c, ok := x.(*exec.Const)
	return ok && c.Value.IsNull()
}

// boolean makes x a condition: BOOLEAN, or a dynamic value that counts where it is one.
func (b *binder) boolean(x exec.Expr, what string) (exec.Expr, error) {
	switch {
	case x.Type() == vector.Bool:
		return x, nil
	case isNullConst(x):
		return &exec.Const{Span: x.At(), T: vector.Bool}, nil
	case x.Type().Dynamic():
		return exec.NewNarrow(x, vector.Bool), nil
	}
	return nil, query.Errorf(x, query.CodeType, "%s wants a BOOLEAN, not %s", what, typeName(x))
}

// typeName names an expression's type in messages.
func typeName(x exec.Expr) string {
	if isNullConst(x) {
		return "NULL"
	}
	if x.Type() == vector.Any {
		return "a payload field"
	}
	return x.Type().String()
}

// condition binds an expression used as a condition.
func (b *binder) condition(s *scope, e query.Expr) (exec.Expr, error) {
	x, err := b.expr(s, e)
	if err != nil {
		return nil, err
	}
	return b.boolean(x, s.where)
}

func (b *binder) unary(s *scope, e *query.Unary) (exec.Expr, error) {
	x, err := b.expr(s, e.Expr)
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case query.OpNot:
		if x, err = b.boolean(x, "NOT"); err != nil {
			return nil, err
		}
		return &exec.Not{Span: e.Span, X: x}, nil
	case query.OpNeg, query.OpPos:
		zero := &exec.Const{Span: e.Span, Value: query.Int(0), T: vector.Int}
		if x.Type() == vector.IntervalType {
			zero = &exec.Const{Span: e.Span, Value: query.Interval(0, 0, 0), T: vector.IntervalType}
		}
		if e.Op == query.OpNeg {
			return b.arith(e.Span, query.OpSub, zero, x)
		}
		return b.arith(e.Span, query.OpAdd, zero, x)
	}
	return nil, unsupported(e, "the operator "+e.Op.String())
}

var compareOps = map[query.Op]vector.CompareOp{
	query.OpEq: vector.Eq, query.OpNe: vector.Ne, query.OpLt: vector.Lt, query.OpLe: vector.Le, query.OpGt: vector.Gt,
	query.OpGe: vector.Ge, query.OpIsDistinct: vector.IsDistinct, query.OpIsNotDistinct: vector.IsNotDistinct,
}

func (b *binder) binary(s *scope, e *query.Binary) (exec.Expr, error) {
	if e.Op == query.OpAnd || e.Op == query.OpOr {
		return b.logic(s, e)
	}
	l, err := b.expr(s, e.L)
	if err != nil {
		return nil, err
	}
	r, err := b.expr(s, e.R)
	if err != nil {
		return nil, err
	}
	if _, ok := compareOps[e.Op]; ok {
		return b.compare(e.Span, e.Op, l, r)
	}
	switch e.Op {
	case query.OpAdd, query.OpSub, query.OpMul, query.OpDiv, query.OpIntDiv, query.OpMod:
		return b.arith(e.Span, e.Op, l, r)
	case query.OpPow:
		return b.function(e.Span, "power", []exec.Expr{l, r})
	case query.OpConcat:
		return b.concat(e, l, r)
	case query.OpArrow, query.OpArrowText:
		return b.arrowOp(e, l, r)
	}
	if x, ok, err := b.operatorCall(e, l, r); ok {
		return x, err
	}
	at := e.OpSpan
	if at.IsZero() {
		at = e.Span
	}
	return nil, unsupported(at, "the operator "+e.Op.String())
}

// logic binds a chain of AND or OR to one node, in the order of the text. The chain is taken apart in a loop: it may be long.
func (b *binder) logic(s *scope, e *query.Binary) (exec.Expr, error) {
	var operands []query.Expr
	var at query.Expr = e
	for {
		bin, ok := at.(*query.Binary)
		if !ok || bin.Op != e.Op {
			operands = append(operands, at)
			break
		}
		operands = append(operands, bin.R)
		at = bin.L
	}
	out := &exec.Logic{Span: e.Span, Or: e.Op == query.OpOr}
	name := "AND"
	if out.Or {
		name = "OR"
	}
	open := s
	for i := len(operands) - 1; i >= 0; i-- {
		if len(out.Args) > 0 && b.hasQuery(operands[i]) {
			open = s.guarded(b.open(out)...)
		}
		x, err := b.expr(open, operands[i])
		open = s
		if err != nil {
			return nil, err
		}
		if x, err = b.boolean(x, name); err != nil {
			return nil, err
		}
		if l, ok := x.(*exec.Logic); ok && l.Or == out.Or {
			out.Args = append(out.Args, l.Args...)
			continue
		}
		out.Args = append(out.Args, x)
	}
	return out, nil
}

// compare binds a comparison.
func (b *binder) compare(at query.Span, op query.Op, l, r exec.Expr) (exec.Expr, error) {
	l, r, err := b.comparable(at, l, r)
	if err != nil {
		return nil, err
	}
	return &exec.Compare{Span: at, Op: compareOps[op], L: l, R: r}, nil
}

// comparable brings two operands to types that compare: equal ones, numbers, or anything beside a dynamic value. A text
// constant beside a time, date, interval or blob is read as one. Other static types do not compare.
func (b *binder) comparable(at query.Span, l, r exec.Expr) (exec.Expr, exec.Expr, error) {
	var err error
	l, r = plain(l), plain(r)
	lt, rt := l.Type(), r.Type()
	switch {
	case lt == rt, lt.Dynamic(), rt.Dynamic(), isNullConst(l), isNullConst(r), isNumber(lt) && isNumber(rt):
		return l, r, nil
	case readsText(lt) && isTextConst(r):
		r, err = b.readText(r, lt)
		return l, r, err
	case readsText(rt) && isTextConst(l):
		l, err = b.readText(l, rt)
		return l, r, err
	case lt == vector.Date && rt == vector.Time:
		return b.fold(&exec.Cast{Span: l.At(), X: l, To: vector.Time}), r, nil
	case lt == vector.Time && rt == vector.Date:
		return l, b.fold(&exec.Cast{Span: r.At(), X: r, To: vector.Time}), nil
	}
	e := query.ErrorAt(at, query.CodeType, "cannot compare %s with %s", typeName(l), typeName(r))
	if (lt == vector.Text) != (rt == vector.Text) {
		return nil, nil, e.WithHint("use CAST, or write the constant in the other type")
	}
	return nil, nil, e
}

func isNumber(t vector.Type) bool { return t == vector.Int || t == vector.Float }

// readsText reports whether a text constant is taken for a value of the type.
func readsText(t vector.Type) bool {
	return t == vector.Time || t == vector.Date || t == vector.IntervalType || t == vector.Blob
}

func isTextConst(x exec.Expr) bool {
	c, ok := x.(*exec.Const)
	return ok && c.T == vector.Text
}

// readText turns a text constant into one of another type.
func (b *binder) readText(x exec.Expr, t vector.Type) (exec.Expr, error) {
	v, err := exec.EvalConst(b.ctx, &exec.Cast{Span: x.At(), X: x, To: t}, b.env())
	if err != nil {
		return nil, err
	}
	return &exec.Const{Span: x.At(), Value: v, T: t}, nil
}

var arithOps = map[query.Op]vector.ArithOp{
	query.OpAdd: vector.Add, query.OpSub: vector.Subtract, query.OpMul: vector.Multiply, query.OpDiv: vector.Divide,
	query.OpIntDiv: vector.IntDivide, query.OpMod: vector.Modulo,
}

// arith binds arithmetic.
func (b *binder) arith(at query.Span, op query.Op, l, r exec.Expr) (exec.Expr, error) {
	var err error
	// A text constant beside a time is read as an interval, as in now() - '1 hour'.
	if op == query.OpAdd || op == query.OpSub {
		if isTextConst(r) && (l.Type() == vector.Time || l.Type() == vector.Date) {
			if r, err = b.readText(r, vector.IntervalType); err != nil {
				return nil, err
			}
		}
	}
	t, ok := vector.ArithType(arithOps[op], l.Type(), r.Type())
	if !ok {
		return nil, query.ErrorAt(at, query.CodeType, "no operator %s for %s and %s", opText(op), typeName(l), typeName(r))
	}
	return &exec.Arith{Span: at, Op: arithOps[op], L: l, R: r, T: t}, nil
}

func opText(op query.Op) string {
	return map[query.Op]string{
		query.OpAdd: "+", query.OpSub: "-", query.OpMul: "*", query.OpDiv: "/", query.OpIntDiv: "//", query.OpMod: "%",
	}[op]
}

// concat binds a || b: text, or blobs.
func (b *binder) concat(e *query.Binary, l, r exec.Expr) (exec.Expr, error) {
	return b.function(e.Span, "||", []exec.Expr{l, r})
}

func (b *binder) like(s *scope, e *query.Like) (exec.Expr, error) {
	out := &exec.Like{Span: e.Span, Escape: '\\', Fold: e.Fold, Negate: e.Not}
	var err error
	if out.X, err = b.textOperand(s, e.Expr, "LIKE"); err != nil {
		return nil, err
	}
	if out.Pattern, err = b.textOperand(s, e.Pattern, "LIKE"); err != nil {
		return nil, err
	}
	if e.Escape != nil {
		v, err := b.constant(e.Escape, "ESCAPE")
		if err != nil {
			return nil, err
		}
		if v.Kind() != query.KindText || utf8.RuneCountInString(v.Text()) > 1 {
			return nil, query.Errorf(e.Escape, query.CodeBadValue, "ESCAPE wants one character, or '' for none")
		}
		out.Escape = 0
		if v.Text() != "" {
			out.Escape, _ = utf8.DecodeRuneInString(v.Text())
		}
	}
	return out, nil
}

// textOperand binds an operand that must be text.
func (b *binder) textOperand(s *scope, e query.Expr, what string) (exec.Expr, error) {
	x, err := b.expr(s, e)
	if err != nil {
		return nil, err
	}
	switch {
	case x.Type() == vector.Text:
		return x, nil
	case isNullConst(x):
		return &exec.Const{Span: x.At(), T: vector.Text}, nil
	case x.Type().Dynamic():
		return exec.NewNarrow(x, vector.Text), nil
	}
	return nil, query.Errorf(e, query.CodeType, "%s wants TEXT, not %s", what, typeName(x))
}

func (b *binder) in(s *scope, e *query.In) (exec.Expr, error) {
	if e.Query != nil {
		return b.inSubquery(s, e, false)
	}
	x, err := b.expr(s, e.Expr)
	if err != nil {
		return nil, err
	}
	x = plain(x)
	out := &exec.In{Span: e.Span, X: x, Negate: e.Not}
	for _, item := range e.List {
		y, err := b.expr(s, item)
		if err != nil {
			return nil, err
		}
		l, r, err := b.comparable(item.At(), x, y)
		if err != nil {
			return nil, err
		}
		if l != x {
			return nil, query.Errorf(item, query.CodeType, "cannot compare %s with %s", typeName(x), typeName(y)).
				WithHint("use CAST")
		}
		out.List = append(out.List, r)
	}
	return out, nil
}

// between is x >= lo AND x <= hi.
func (b *binder) between(s *scope, e *query.Between) (exec.Expr, error) {
	x, err := b.expr(s, e.Expr)
	if err != nil {
		return nil, err
	}
	lo, err := b.expr(s, e.Lo)
	if err != nil {
		return nil, err
	}
	hi, err := b.expr(s, e.Hi)
	if err != nil {
		return nil, err
	}
	ge, err := b.compare(e.Span, query.OpGe, x, lo)
	if err != nil {
		return nil, err
	}
	le, err := b.compare(e.Span, query.OpLe, x, hi)
	if err != nil {
		return nil, err
	}
	var out exec.Expr = &exec.Logic{Span: e.Span, Args: []exec.Expr{ge, le}}
	if e.Not {
		out = &exec.Not{Span: e.Span, X: out}
	}
	return out, nil
}

func (b *binder) cast(s *scope, e *query.Cast) (exec.Expr, error) {
	x, err := b.expr(s, e.Expr)
	if err != nil {
		return nil, err
	}
	to, ok := typeOf(e.Type.Type)
	if !ok {
		return nil, unsupported(e.Type, e.Type.Type.String())
	}
	if !exec.CanCast(x.Type(), to) && !isNullConst(x) {
		return nil, query.Errorf(e, query.CodeType, "cannot cast %s to %s", typeName(x), to)
	}
	return &exec.Cast{Span: e.Span, X: x, To: to, Try: e.Try}, nil
}
