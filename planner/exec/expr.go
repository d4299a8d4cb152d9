package exec

import (
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// Expr is a bound expression: names are columns, types are known, functions are found. Expressions are immutable and may be
// shared by plans and goroutines; what evaluation needs beside them is made by compile.
type Expr interface {
	// Type is the type of the vectors the expression gives.
	Type() vector.Type
	// At is where the expression stands in the statement.
	At() query.Span
	// args are the direct operands.
	args() []Expr
	// with returns a copy with other operands, as many as args gave.
	with(args []Expr) Expr
}

type (
	// Col is a column of the input. While a plan is being made, Index is the column's number within the plan; the operator
	// tree has it replaced by the position in the batch.
	Col struct {
		query.Span
		Index int
		Name  string
		T     vector.Type
	}

	// Const is a value that was known when the plan was made. T may be a wider type than the value's own: a NULL has any.
	Const struct {
		query.Span
		Value query.Value
		T     vector.Type
	}

	// Compare is L Op R. Where one side is dynamic and a row of it has a class that cannot be compared with the other side,
	// the row is NULL.
	Compare struct {
		query.Span
		Op   vector.CompareOp
		L, R Expr
	}

	// Arith is L Op R on numbers, times and intervals. T is the type of the result.
	Arith struct {
		query.Span
		Op   vector.ArithOp
		L, R Expr
		T    vector.Type
	}

	// Logic is a conjunction or a disjunction. An operand is evaluated on the rows that those before it left open.
	Logic struct {
		query.Span
		Or   bool
		Args []Expr
	}

	// Not negates a BOOLEAN.
	Not struct {
		query.Span
		X Expr
	}

	// Is is X IS [NOT] NULL, TRUE, FALSE or UNKNOWN.
	Is struct {
		query.Span
		X      Expr
		Kind   query.IsKind
		Negate bool
	}

	// In is X [NOT] IN (List).
	In struct {
		query.Span
		X      Expr
		List   []Expr
		Negate bool
	}

	// Like is X [NOT] LIKE Pattern [ESCAPE Escape]; Fold makes it ILIKE. A nil Escape is the backslash.
	Like struct {
		query.Span
		X, Pattern Expr
		Escape     rune
		Fold       bool
		Negate     bool
	}

	// Case is CASE WHEN … THEN … ELSE …: Whens[i] goes with Thens[i]. Else may be nil.
	Case struct {
		query.Span
		Whens, Thens []Expr
		Else         Expr
		T            vector.Type
	}

	// Coalesce is the first operand that is not NULL; later ones are evaluated where the earlier are NULL.
	Coalesce struct {
		query.Span
		Args []Expr
		T    vector.Type
	}

	// Cast is CAST(X AS To), or TRY_CAST.
	Cast struct {
		query.Span
		X   Expr
		To  vector.Type
		Try bool
	}

	// Narrow takes a dynamic X for a value of one type: a value of another class is NULL, and counted. A whole DOUBLE is taken
	// for a BIGINT and a BIGINT for a DOUBLE.
	Narrow struct {
		query.Span
		X Expr
		T vector.Type
	}

	// Widen makes a typed X dynamic.
	Widen struct {
		query.Span
		X Expr
		T vector.Type
	}

	// Call is a scalar function.
	Call struct {
		query.Span
		Fn   *Function
		Args []Expr
		T    vector.Type
	}
)

// Type is the column's type.
func (e *Col) Type() vector.Type { return e.T }

// Type is the constant's type.
func (e *Const) Type() vector.Type { return e.T }

// Type is BOOLEAN.
func (e *Compare) Type() vector.Type { return vector.Bool }

// Type is the result's type.
func (e *Arith) Type() vector.Type { return e.T }

// Type is BOOLEAN.
func (e *Logic) Type() vector.Type { return vector.Bool }

// Type is BOOLEAN.
func (e *Not) Type() vector.Type { return vector.Bool }

// Type is BOOLEAN.
func (e *Is) Type() vector.Type { return vector.Bool }

// Type is BOOLEAN.
func (e *In) Type() vector.Type { return vector.Bool }

// Type is BOOLEAN.
func (e *Like) Type() vector.Type { return vector.Bool }

// Type is the type all branches have been brought to.
func (e *Case) Type() vector.Type { return e.T }

// Type is the type all operands have been brought to.
func (e *Coalesce) Type() vector.Type { return e.T }

// Type is the target of the cast.
func (e *Cast) Type() vector.Type { return e.To }

// Type is the type X is taken for.
func (e *Narrow) Type() vector.Type { return e.T }

// Type is a dynamic type.
func (e *Widen) Type() vector.Type { return e.T }

// Type is the function's result for its operands.
func (e *Call) Type() vector.Type { return e.T }

func (e *Col) args() []Expr     { return nil }
func (e *Const) args() []Expr   { return nil }
func (e *Compare) args() []Expr { return []Expr{e.L, e.R} }
func (e *Arith) args() []Expr   { return []Expr{e.L, e.R} }
func (e *Logic) args() []Expr   { return e.Args }
func (e *Not) args() []Expr     { return []Expr{e.X} }
func (e *Is) args() []Expr      { return []Expr{e.X} }
func (e *In) args() []Expr      { return append([]Expr{e.X}, e.List...) }
func (e *Like) args() []Expr    { return []Expr{e.X, e.Pattern} }
func (e *Case) args() []Expr {
	out := append(append([]Expr(nil), e.Whens...), e.Thens...)
	if e.Else != nil {
		out = append(out, e.Else)
	}
	return out
}
func (e *Coalesce) args() []Expr { return e.Args }
func (e *Cast) args() []Expr     { return []Expr{e.X} }
func (e *Narrow) args() []Expr   { return []Expr{e.X} }
func (e *Widen) args() []Expr    { return []Expr{e.X} }
func (e *Call) args() []Expr     { return e.Args }

func (e *Col) with([]Expr) Expr   { c := *e; return &c }
func (e *Const) with([]Expr) Expr { c := *e; return &c }
func (e *Compare) with(a []Expr) Expr {
	c := *e
	c.L, c.R = a[0], a[1]
	return &c
}

func (e *Arith) with(a []Expr) Expr {
	c := *e
	c.L, c.R = a[0], a[1]
	return &c
}

func (e *Logic) with(a []Expr) Expr {
	c := *e
	c.Args = a
	return &c
}

func (e *Not) with(a []Expr) Expr {
	c := *e
	c.X = a[0]
	return &c
}

func (e *Is) with(a []Expr) Expr {
	c := *e
	c.X = a[0]
	return &c
}

func (e *In) with(a []Expr) Expr {
	c := *e
	c.X, c.List = a[0], a[1:]
	return &c
}

func (e *Like) with(a []Expr) Expr {
	c := *e
	c.X, c.Pattern = a[0], a[1]
	return &c
}

func (e *Case) with(a []Expr) Expr {
	c := *e
	n := len(e.Whens)
	c.Whens, c.Thens = a[:n], a[n:2*n]
	if e.Else != nil {
		c.Else = a[2*n]
	}
	return &c
}

func (e *Coalesce) with(a []Expr) Expr {
	c := *e
	c.Args = a
	return &c
}

func (e *Cast) with(a []Expr) Expr {
	c := *e
	c.X = a[0]
	return &c
}

func (e *Narrow) with(a []Expr) Expr {
	c := *e
	c.X = a[0]
	return &c
}

func (e *Widen) with(a []Expr) Expr {
	c := *e
	c.X = a[0]
	return &c
}

func (e *Call) with(a []Expr) Expr {
	c := *e
	c.Args = a
	return &c
}

// Walk calls f with e and everything below it, parents first, and goes below a node only if f returns true.
func Walk(e Expr, f func(Expr) bool) {
	if e == nil || !f(e) {
		return
	}
	for _, a := range e.args() {
		Walk(a, f)
	}
}

// Rewrite replaces e and everything below it, operands first, by what f returns for them. Nodes without changes are shared.
func Rewrite(e Expr, f func(Expr) Expr) Expr {
	old := e.args()
	if len(old) > 0 {
		changed := false
		next := make([]Expr, len(old))
		for i, a := range old {
			next[i] = Rewrite(a, f)
			changed = changed || next[i] != a
		}
		if changed {
			e = e.with(next)
		}
	}
	return f(e)
}

// NewNarrow returns x taken for a value of type t.
func NewNarrow(x Expr, t vector.Type) Expr { return &Narrow{Span: x.At(), X: x, T: t} }

// NewWiden returns x as a dynamic value.
func NewWiden(x Expr, t vector.Type) Expr {
	if x.Type() == t {
		return x
	}
	return &Widen{Span: x.At(), X: x, T: t}
}

// MapArgs returns e with every direct operand replaced by what f returns for it.
func MapArgs(e Expr, f func(Expr) (Expr, error)) (Expr, error) {
	old := e.args()
	if len(old) == 0 {
		return e, nil
	}
	next := make([]Expr, len(old))
	for i, a := range old {
		var err error
		if next[i], err = f(a); err != nil {
			return nil, err
		}
	}
	return e.with(next), nil
}

// Columns adds the Index of every column in e to set.
func Columns(e Expr, set map[int]bool) {
	Walk(e, func(e Expr) bool {
		if c, ok := e.(*Col); ok {
			set[c.Index] = true
		}
		return true
	})
}

// CanFail reports whether evaluating e can give an error for some row. Such an expression is never moved to where it would
// run on more rows than the text says.
func CanFail(e Expr) bool {
	fails := false
	Walk(e, func(e Expr) bool {
		switch e := e.(type) {
		case *Arith:
			fails = true
		case *Cast:
			fails = fails || !e.Try && !castIsSafe(e.X.Type(), e.To)
		case *Call:
			fails = fails || e.Fn.CanFail
		case *Query:
			fails = fails || e.Fails
		case *Like:
			if _, ok := e.Pattern.(*Const); !ok {
				fails = true // a pattern may end inside an escape
			}
		}
		return !fails
	})
	return fails
}

// castIsSafe reports whether every value of the type from has a form in the type to.
func castIsSafe(from, to vector.Type) bool {
	switch {
	case from == to, to == vector.Text, to == vector.JSON && from != vector.Text && from != vector.Any:
		return true
	case from == vector.Int && to == vector.Float, from == vector.Time && to == vector.Date:
		return true
	}
	return false
}

// CanCast reports whether CAST from one type to the other can give a value at all.
func CanCast(from, to vector.Type) bool { return vector.Castable(from, to) }

// IsConst reports whether e has the same value for every row of every query of the plan, so that it can be folded.
func IsConst(e Expr) bool {
	constant := true
	Walk(e, func(e Expr) bool {
		switch e := e.(type) {
		case *Col:
			constant = false
		case *Query:
			constant = false
		case *Call:
			constant = constant && !e.Fn.Volatile
		}
		return constant
	})
	return constant
}

// Equal reports whether two expressions compute the same, by structure.
func Equal(a, b Expr) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	switch x := a.(type) {
	case *Col:
		y, ok := b.(*Col)
		return ok && x.Index == y.Index
	case *Const:
		y, ok := b.(*Const)
		return ok && x.Value == y.Value && x.T == y.T
	case *Compare:
		y, ok := b.(*Compare)
		return ok && x.Op == y.Op && equalArgs(x, y)
	case *Arith:
		y, ok := b.(*Arith)
		return ok && x.Op == y.Op && equalArgs(x, y)
	case *Logic:
		y, ok := b.(*Logic)
		return ok && x.Or == y.Or && equalArgs(x, y)
	case *Not:
		y, ok := b.(*Not)
		return ok && equalArgs(x, y)
	case *Is:
		y, ok := b.(*Is)
		return ok && x.Kind == y.Kind && x.Negate == y.Negate && equalArgs(x, y)
	case *In:
		y, ok := b.(*In)
		return ok && x.Negate == y.Negate && equalArgs(x, y)
	case *Like:
		y, ok := b.(*Like)
		return ok && x.Escape == y.Escape && x.Fold == y.Fold && x.Negate == y.Negate && equalArgs(x, y)
	case *Case:
		y, ok := b.(*Case)
		return ok && len(x.Whens) == len(y.Whens) && equalArgs(x, y)
	case *Coalesce:
		y, ok := b.(*Coalesce)
		return ok && equalArgs(x, y)
	case *Cast:
		y, ok := b.(*Cast)
		return ok && x.To == y.To && x.Try == y.Try && equalArgs(x, y)
	case *Narrow:
		y, ok := b.(*Narrow)
		return ok && x.T == y.T && equalArgs(x, y)
	case *Widen:
		y, ok := b.(*Widen)
		return ok && x.T == y.T && equalArgs(x, y)
	case *Bucket:
		y, ok := b.(*Bucket)
		return ok && x.End == y.End && x.Grid.Equal(y.Grid) && equalArgs(x, y)
	case *Query:
		y, ok := b.(*Query)
		return ok && x.ID == y.ID && equalArgs(x, y)
	case *Call:
		y, ok := b.(*Call)
		return ok && x.Fn == y.Fn && x.T == y.T && equalArgs(x, y)
	}
	return false
}

func equalArgs(a, b Expr) bool {
	x, y := a.args(), b.args()
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if !Equal(x[i], y[i]) {
			return false
		}
	}
	return true
}
