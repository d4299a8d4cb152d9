package exec

import (
	"strconv"
	"strings"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// Formatter writes expressions as EXPLAIN shows them. Name gives the name of a column.
type Formatter struct{ Name func(*Col) string }

// Expr writes an expression.
func (f Formatter) Expr(e Expr) string {
	b := printer{name: f.Name}
	b.format(e, 0)
	return b.String()
}

// printer is an expression being written.
type printer struct {
	strings.Builder
	name func(*Col) string
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

var compareText = [...]string{
	vector.Eq: " = ", vector.Ne: " <> ", vector.Lt: " < ", vector.Le: " <= ", vector.Gt: " > ", vector.Ge: " >= ",
	vector.IsDistinct: " IS DISTINCT FROM ", vector.IsNotDistinct: " IS NOT DISTINCT FROM ",
}

// format writes e, in parentheses if it binds more loosely than at.
func (b *printer) format(e Expr, at int) {
	open := func(level int) func() {
		if level >= at {
			return func() {}
		}
		b.WriteByte('(')
		return func() { b.WriteByte(')') }
	}
	switch e := e.(type) {
	case *Col:
		b.WriteString(b.name(e))
	case *Const:
		b.Write(e.Value.AppendSQL(nil))
	case *Compare:
		defer open(bindCompare)()
		b.format(e.L, bindAdd)
		b.WriteString(compareText[e.Op])
		b.format(e.R, bindAdd)
	case *Arith:
		level := bindMul
		if e.Op <= vector.Subtract {
			level = bindAdd
		}
		defer open(level)()
		b.format(e.L, level)
		b.WriteString([...]string{
			vector.Add: " + ", vector.Subtract: " - ", vector.Multiply: " * ", vector.Divide: " / ", vector.IntDivide: " // ", vector.Modulo: " % ",
		}[e.Op])
		b.format(e.R, level+1)
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
			b.format(a, level+1)
		}
	case *Not:
		defer open(bindNot)()
		b.WriteString("NOT ")
		b.format(e.X, bindNot)
	case *Is:
		defer open(bindCompare)()
		b.format(e.X, bindAdd)
		b.WriteString(" IS ")
		if e.Negate {
			b.WriteString("NOT ")
		}
		b.WriteString([...]string{query.IsNull: "NULL", query.IsTrue: "TRUE", query.IsFalse: "FALSE", query.IsUnknown: "UNKNOWN"}[e.Kind])
	case *In:
		defer open(bindCompare)()
		b.format(e.X, bindAdd)
		b.not(e.Negate)
		b.WriteString(" IN ")
		b.list(e.List)
	case *Like:
		defer open(bindCompare)()
		b.format(e.X, bindAdd)
		b.not(e.Negate)
		if e.Fold {
			b.WriteString(" ILIKE ")
		} else {
			b.WriteString(" LIKE ")
		}
		b.format(e.Pattern, bindAdd)
	case *Bucket:
		e.format(b)
	case *Query:
		text := "(query " + strconv.Itoa(e.ID+1) + ")"
		switch e.Kind {
		case QueryExists:
			b.WriteString("EXISTS ")
		case QueryAny:
			defer open(bindCompare)()
			b.format(e.X, bindAdd)
			b.WriteString(compareText[e.Op] + "ANY ")
		}
		b.WriteString(text)
	case *Case:
		b.WriteString("CASE")
		for i := range e.Whens {
			b.WriteString(" WHEN ")
			b.format(e.Whens[i], 0)
			b.WriteString(" THEN ")
			b.format(e.Thens[i], 0)
		}
		if e.Else != nil {
			b.WriteString(" ELSE ")
			b.format(e.Else, 0)
		}
		b.WriteString(" END")
	case *Coalesce:
		b.WriteString("coalesce")
		b.list(e.Args)
	case *Cast:
		if e.Try {
			b.WriteString("TRY_")
		}
		b.WriteString("CAST(")
		b.format(e.X, 0)
		b.WriteString(" AS " + e.To.String() + ")")
	case *Narrow:
		b.format(e.X, at)
	case *Widen:
		b.format(e.X, at)
	case *Call:
		switch {
		case e.Fn.Name == "json_get" && len(e.Args) == 2:
			b.format(e.Args[0], bindAtom)
			b.WriteString("->")
			b.format(e.Args[1], bindAtom)
		case e.Fn.Name[0] > 'z' || e.Fn.Name[0] < 'a':
			defer open(bindAdd)()
			b.format(e.Args[0], bindAdd)
			b.WriteString(" " + e.Fn.Name + " ")
			b.format(e.Args[1], bindAdd)
		default:
			b.WriteString(e.Fn.Name)
			b.list(e.Args)
		}
	}
}

func (b *printer) not(negate bool) {
	if negate {
		b.WriteString(" NOT")
	}
}

func (b *printer) list(es []Expr) {
	b.WriteByte('(')
	for i, e := range es {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == 10 && len(es) > 12 {
			b.WriteString("…")
			break
		}
		b.format(e, 0)
	}
	b.WriteByte(')')
}

// Aggregate writes an aggregate call.
func (f Formatter) Aggregate(a *Aggregate) string {
	b := printer{name: f.Name}
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
		b.format(x, 0)
	}
	for i, k := range a.OrderBy {
		b.WriteString([...]string{" ORDER BY ", ", "}[min(i, 1)])
		b.WriteString(f.SortKey(k))
	}
	b.WriteByte(')')
	if a.Filter != nil {
		b.WriteString(" FILTER (WHERE ")
		b.format(a.Filter, 0)
		b.WriteByte(')')
	}
	return b.String()
}

// WindowCall writes the call of a window function, without the window but for its frame.
func (f Formatter) WindowCall(c *WindowCall) string {
	if c.Agg != nil {
		return f.Aggregate(c.Agg) + f.frame(&c.Frame)
	}
	args := make([]string, len(c.Args))
	for i, x := range c.Args {
		args[i] = f.Expr(x)
	}
	s := c.Fn.Name + "(" + strings.Join(args, ", ") + ")"
	if c.Fn.Framed {
		s += f.frame(&c.Frame)
	}
	return s
}

// frame writes a frame, unless it is the one that a window has when none is written.
func (f Formatter) frame(w *Frame) string {
	if w.Exclude == query.ExcludeNothing && w.Unit == query.FrameRange && w.Start == query.UnboundedPreceding &&
		(w.End == query.CurrentRow || w.End == query.UnboundedFollowing) {
		return ""
	}
	bound := func(k query.BoundKind, v query.Value) string {
		name := [...]string{"UNBOUNDED PRECEDING", " PRECEDING", "CURRENT ROW", " FOLLOWING", "UNBOUNDED FOLLOWING"}[k]
		if k == query.Preceding || k == query.Following {
			return v.String() + name
		}
		return name
	}
	s := [...]string{" ROWS", " RANGE", " GROUPS"}[w.Unit] + " BETWEEN " + bound(w.Start, w.From) + " AND " + bound(w.End, w.To)
	return s + [...]string{"", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"}[w.Exclude]
}

// SortKey writes a key of an order.
func (f Formatter) SortKey(k SortKey) string {
	s := f.Expr(k.Expr)
	if k.Desc {
		s += " DESC"
	}
	if k.NullsFirst {
		s += " NULLS FIRST"
	}
	return s
}
