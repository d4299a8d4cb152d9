package query

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// E is an expression that is being built. Its methods take operands of any of
// these kinds: an E, an Expr, a Value, a *Query (as a subquery), or a Go value
// that has a literal: nil, a boolean, an integer, a float, a string (always a
// TEXT, never a name), []byte, time.Time or time.Duration. Anything else is an
// error that Build returns.
type E struct {
	x     Expr
	err   error
	alias string
	desc  bool
	nulls NullsOrder
}

// ErrBuild is returned by Build when a part of a query cannot be built.
var ErrBuild = errors.New("query: cannot build")

func buildErr(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrBuild}, args...)...)
}

// newIdent makes a name that matches exactly as it is spelt if it needs quotes.
func newIdent(name string) Ident { return Ident{Name: name, Quoted: NeedsQuotes(name)} }

func newIdents(names []string) ([]Ident, error) {
	if len(names) == 0 {
		return nil, buildErr("a name without parts")
	}
	ids := make([]Ident, len(names))
	for i, n := range names {
		if n == "" || !utf8.ValidString(n) {
			return nil, buildErr("the name %q", n)
		}
		ids[i] = newIdent(n)
	}
	return ids, nil
}

// Col is a column by name, or a path by its parts: Col("meta", "zone").
func Col(path ...string) E {
	ids, err := newIdents(path)
	return E{x: &Name{Parts: ids}, err: err}
}

// Lit is a constant: see E for what v may be.
func Lit(v any) E { return operand(v) }

// Arg is the parameter $n, from 1.
func Arg(n int) E {
	if n < 1 || n > MaxParams {
		return E{err: buildErr("the parameter $%d", n)}
	}
	return E{x: &Param{Index: n}}
}

// Named is the parameter :name.
func Named(name string) E {
	if !IsPlain(name) {
		return E{err: buildErr("the parameter :%s", name)}
	}
	return E{x: &Param{Name: name}}
}

// Fn is a call of a function or an aggregate.
func Fn(name string, args ...any) E {
	ids, err := newIdents([]string{name})
	c := &Call{Name: ids}
	if err == nil && IsFuncKeyword(name) {
		c.Name[0].Quoted = false
	}
	e := E{x: c, err: err}
	for _, a := range args {
		c.Args = append(c.Args, e.take(a))
	}
	return e
}

// Count is count(*).
func Count() E { return E{x: &Call{Name: []Ident{{Name: "count"}}, Star: true}} }

// All is *, or t.* of a table.
func All(table ...string) E {
	if table == nil {
		return E{x: &Star{}}
	}
	ids, err := newIdents(table)
	return E{x: &Star{Table: ids}, err: err}
}

// Expr returns the expression, or why it cannot be built.
func (e E) Expr() (Expr, error) { return e.x, e.err }

// take makes an Expr of an operand and keeps its error.
func (e *E) take(v any) Expr {
	o := operand(v)
	if e.err == nil {
		e.err = o.err
	}
	return o.x
}

func operand(v any) E {
	switch v := v.(type) {
	case E:
		if v.x == nil && v.err == nil {
			v.err = buildErr("an expression is empty")
		}
		return v
	case Expr:
		return E{x: v}
	case *Query:
		return E{x: &Subquery{Query: v}}
	case Value:
		return literal(v)
	case nil:
		return literal(Null())
	case bool:
		return literal(Bool(v))
	case int:
		return literal(Int(int64(v)))
	case int64:
		return literal(Int(v))
	case int32:
		return literal(Int(int64(v)))
	case uint32:
		return literal(Int(int64(v)))
	case uint64:
		n, _ := ParseInteger(fmt.Sprint(v))
		return literal(n)
	case float64:
		return literal(Double(v))
	case float32:
		return literal(Double(float64(v)))
	case string:
		if !utf8.ValidString(v) {
			return E{err: buildErr("a text that is not UTF-8")}
		}
		return literal(Text(v))
	case []byte:
		return literal(Blob(v))
	case time.Duration:
		return literal(Interval(0, 0, int64(v)))
	case time.Time:
		t, ok := TimeOf(v)
		if !ok {
			return E{err: buildErr("the time %v is out of range", v)}
		}
		return literal(t)
	}
	return E{err: buildErr("a value of type %T", v)}
}

func literal(v Value) E { return E{x: &Literal{Value: v}} }

func (e E) binary(op Op, v any) E {
	r := e.take(v)
	return E{x: &Binary{Op: op, L: e.x, R: r}, err: e.err}
}

// Eq is e = v.
func (e E) Eq(v any) E { return e.binary(OpEq, v) }

// Ne is e <> v.
func (e E) Ne(v any) E { return e.binary(OpNe, v) }

// Lt is e < v.
func (e E) Lt(v any) E { return e.binary(OpLt, v) }

// Le is e <= v.
func (e E) Le(v any) E { return e.binary(OpLe, v) }

// Gt is e > v.
func (e E) Gt(v any) E { return e.binary(OpGt, v) }

// Ge is e >= v.
func (e E) Ge(v any) E { return e.binary(OpGe, v) }

// Same is e IS NOT DISTINCT FROM v: NULL is the same as NULL.
func (e E) Same(v any) E { return e.binary(OpIsNotDistinct, v) }

// Add is e + v.
func (e E) Add(v any) E { return e.binary(OpAdd, v) }

// Sub is e - v.
func (e E) Sub(v any) E { return e.binary(OpSub, v) }

// Mul is e * v.
func (e E) Mul(v any) E { return e.binary(OpMul, v) }

// Div is e / v, always a DOUBLE.
func (e E) Div(v any) E { return e.binary(OpDiv, v) }

// IntDiv is e // v, on integers.
func (e E) IntDiv(v any) E { return e.binary(OpIntDiv, v) }

// Mod is e % v, on integers.
func (e E) Mod(v any) E { return e.binary(OpMod, v) }

// Concat is e || v.
func (e E) Concat(v any) E { return e.binary(OpConcat, v) }

// And is e AND v.
func (e E) And(v any) E { return e.binary(OpAnd, v) }

// Or is e OR v.
func (e E) Or(v any) E { return e.binary(OpOr, v) }

// Get is e -> key: JSON.
func (e E) Get(key any) E { return e.binary(OpArrow, key) }

// GetText is e ->> key: TEXT.
func (e E) GetText(key any) E { return e.binary(OpArrowText, key) }

// Not is NOT e.
func (e E) Not() E { return E{x: &Unary{Op: OpNot, Expr: e.x}, err: e.err} }

// IsNull is e IS NULL.
func (e E) IsNull() E { return E{x: &Is{Expr: e.x}, err: e.err} }

// IsNotNull is e IS NOT NULL.
func (e E) IsNotNull() E { return E{x: &Is{Expr: e.x, Not: true}, err: e.err} }

// In is e IN (values), or IN (query) when the one value is a *Query. Without a
// value it is FALSE.
func (e E) In(values ...any) E {
	if len(values) == 0 {
		return E{x: &Literal{Value: Bool(false)}, err: e.err}
	}
	in := &In{Expr: e.x}
	if q, ok := values[0].(*Query); ok && len(values) == 1 {
		in.Query = q
		return E{x: in, err: e.err}
	}
	for _, v := range values {
		in.List = append(in.List, e.take(v))
	}
	return E{x: in, err: e.err}
}

// Between is e BETWEEN lo AND hi, both included.
func (e E) Between(lo, hi any) E {
	b := &Between{Expr: e.x, Lo: e.take(lo), Hi: e.take(hi)}
	return E{x: b, err: e.err}
}

// Like is e LIKE pattern.
func (e E) Like(pattern any) E {
	l := &Like{Expr: e.x, Pattern: e.take(pattern)}
	return E{x: l, err: e.err}
}

// ILike is e ILIKE pattern: case does not count.
func (e E) ILike(pattern any) E {
	l := &Like{Expr: e.x, Pattern: e.take(pattern), Fold: true}
	return E{x: l, err: e.err}
}

// Cast is CAST(e AS t); a DECIMAL has 18 digits, 3 of them behind the point.
func (e E) Cast(t Type) E { return e.cast(t, false) }

// TryCast is TRY_CAST(e AS t): NULL where Cast fails.
func (e E) TryCast(t Type) E { return e.cast(t, true) }

func (e E) cast(t Type, try bool) E {
	n := &TypeName{Type: t}
	if t == TypeDecimal {
		n.Precision, n.Scale = 18, 3
	}
	if t == TypeNone || t >= typeEnd {
		return E{err: buildErr("a cast to no type")}
	}
	return E{x: &Cast{Expr: e.x, Type: n, Try: try}, err: e.err}
}

// Distinct makes an aggregate take each value once.
func (e E) Distinct() E {
	return e.call(func(c *Call) { c.Distinct = true })
}

// Filter makes an aggregate take only rows for which cond is true.
func (e E) Filter(cond E) E {
	x := e.take(cond)
	return e.call(func(c *Call) { c.Filter = x })
}

func (e E) call(change func(*Call)) E {
	c, ok := e.x.(*Call)
	if !ok {
		return E{err: errors.Join(e.err, buildErr("an aggregate is wanted"))}
	}
	fresh := *c
	change(&fresh)
	return E{x: &fresh, err: e.err}
}

// As names e in a select list.
func (e E) As(name string) E { e.alias = name; return e }

// Desc orders by e from the greatest down.
func (e E) Desc() E { e.desc = true; return e }

// NullsFirst orders NULLs before everything else.
func (e E) NullsFirst() E { e.nulls = NullsFirst; return e }

// limitExpr is a LIMIT or OFFSET.
func limitExpr(n int64) (Expr, error) {
	if n < 0 || n > math.MaxInt64-1 {
		return nil, buildErr("a limit or offset of %d", n)
	}
	return &Literal{Value: Int(n)}, nil
}
