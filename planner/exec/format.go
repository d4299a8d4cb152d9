package exec

import (
	"strings"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// Format writes an expression as EXPLAIN shows it.
func Format(e Expr) string {
	var b strings.Builder
	format(&b, e, 0)
	return b.String()
}

// Binding strengths, loosest first.
const (
	bindOr = iota + 1
	bindAnd
	bindNot
	bindCompare
	bindAdd
	bindMul
	bindAtom
)

// format writes e, in parentheses if it binds more loosely than at.
func format(b *strings.Builder, e Expr, at int) {
	open := func(level int) func() {
		if level >= at {
			return func() {}
		}
		b.WriteByte('(')
		return func() { b.WriteByte(')') }
	}
	switch e := e.(type) {
	case *Col:
		b.WriteString(e.Name)
	case *Const:
		b.Write(e.Value.AppendSQL(nil))
	case *Compare:
		defer open(bindCompare)()
		format(b, e.L, bindAdd)
		b.WriteString([...]string{
			vector.Eq: " = ", vector.Ne: " <> ", vector.Lt: " < ", vector.Le: " <= ", vector.Gt: " > ", vector.Ge: " >= ",
			vector.IsDistinct: " IS DISTINCT FROM ", vector.IsNotDistinct: " IS NOT DISTINCT FROM ",
		}[e.Op])
		format(b, e.R, bindAdd)
	case *Arith:
		level := bindMul
		if e.Op <= vector.Subtract {
			level = bindAdd
		}
		defer open(level)()
		format(b, e.L, level)
		b.WriteString([...]string{
			vector.Add: " + ", vector.Subtract: " - ", vector.Multiply: " * ", vector.Divide: " / ", vector.IntDivide: " // ", vector.Modulo: " % ",
		}[e.Op])
		format(b, e.R, level+1)
	case *Logic:
		level, word := bindAnd, " AND "
		if e.Or {
			level, word = bindOr, " OR "
		}
		defer open(level)()
		for i, a := range e.Args {
			if i > 0 {
				b.WriteString(word)
			}
			format(b, a, level+1)
		}
	case *Not:
		defer open(bindNot)()
		b.WriteString("NOT ")
		format(b, e.X, bindNot)
	case *Is:
		defer open(bindCompare)()
		format(b, e.X, bindAdd)
		b.WriteString(" IS ")
		if e.Negate {
			b.WriteString("NOT ")
		}
		b.WriteString([...]string{query.IsNull: "NULL", query.IsTrue: "TRUE", query.IsFalse: "FALSE", query.IsUnknown: "UNKNOWN"}[e.Kind])
	case *In:
		defer open(bindCompare)()
		format(b, e.X, bindAdd)
		not(b, e.Negate)
		b.WriteString(" IN ")
		formatList(b, e.List)
	case *Like:
		defer open(bindCompare)()
		format(b, e.X, bindAdd)
		not(b, e.Negate)
		if e.Fold {
			b.WriteString(" ILIKE ")
		} else {
			b.WriteString(" LIKE ")
		}
		format(b, e.Pattern, bindAdd)
	case *Case:
		b.WriteString("CASE")
		for i := range e.Whens {
			b.WriteString(" WHEN ")
			format(b, e.Whens[i], 0)
			b.WriteString(" THEN ")
			format(b, e.Thens[i], 0)
		}
		if e.Else != nil {
			b.WriteString(" ELSE ")
			format(b, e.Else, 0)
		}
		b.WriteString(" END")
	case *Coalesce:
		b.WriteString("coalesce")
		formatList(b, e.Args)
	case *Cast:
		if e.Try {
			b.WriteString("TRY_")
		}
		b.WriteString("CAST(")
		format(b, e.X, 0)
		b.WriteString(" AS " + e.To.String() + ")")
	case *Narrow:
		format(b, e.X, at)
	case *Widen:
		format(b, e.X, at)
	case *Call:
		switch {
		case e.Fn.Name == "json_get" && len(e.Args) == 2:
			format(b, e.Args[0], bindAtom)
			b.WriteString("->")
			format(b, e.Args[1], bindAtom)
		case e.Fn.Name == "||":
			defer open(bindAdd)()
			format(b, e.Args[0], bindAdd)
			b.WriteString(" || ")
			format(b, e.Args[1], bindAdd)
		default:
			b.WriteString(e.Fn.Name)
			formatList(b, e.Args)
		}
	}
}

func not(b *strings.Builder, negate bool) {
	if negate {
		b.WriteString(" NOT")
	}
}

func formatList(b *strings.Builder, es []Expr) {
	b.WriteByte('(')
	for i, e := range es {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == 10 && len(es) > 12 {
			b.WriteString("…")
			break
		}
		format(b, e, 0)
	}
	b.WriteByte(')')
}

// String writes the call as EXPLAIN shows it.
func (a *Aggregate) String() string {
	var b strings.Builder
	b.WriteString(a.Fn.Name)
	b.WriteByte('(')
	if a.Distinct {
		b.WriteString("DISTINCT ")
	}
	if len(a.Args) == 0 {
		b.WriteByte('*')
	}
	for i, x := range a.Args {
		if i > 0 {
			b.WriteString(", ")
		}
		format(&b, x, 0)
	}
	b.WriteByte(')')
	if a.Filter != nil {
		b.WriteString(" FILTER (WHERE ")
		format(&b, a.Filter, 0)
		b.WriteByte(')')
	}
	return b.String()
}

// String writes the key as EXPLAIN shows it.
func (k SortKey) String() string {
	s := Format(k.Expr)
	if k.Desc {
		s += " DESC"
	}
	if k.NullsFirst {
		s += " NULLS FIRST"
	}
	return s
}
