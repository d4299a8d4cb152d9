package query

import "strconv"

// Levels of precedence, loosest first. They are PostgreSQL's, but that -> and
// ->> bind like subscripts, tighter than arithmetic.
const (
	levelLowest = iota
	levelOr
	levelAnd
	levelNot
	levelIs
	levelCompare
	levelRange // BETWEEN, IN, LIKE
	levelOther // ||, @>, ~, &, |, <<, >>
	levelAdd
	levelMul
	levelPow
	levelUnary
	levelPostfix // ::, [], ->, ->>, .name
	levelPrimary
)

// opText is how each operator is written.
var opText = [opEnd]string{
	OpOr: "OR", OpAnd: "AND", OpNot: "NOT",
	OpEq: "=", OpNe: "<>", OpLt: "<", OpLe: "<=", OpGt: ">", OpGe: ">=",
	OpIsDistinct: "IS DISTINCT FROM", OpIsNotDistinct: "IS NOT DISTINCT FROM",
	OpAdd: "+", OpSub: "-", OpMul: "*", OpDiv: "/", OpIntDiv: "//", OpMod: "%", OpPow: "^",
	OpNeg: "-", OpPos: "+", OpConcat: "||", OpArrow: "->", OpArrowText: "->>",
	OpContains: "@>", OpContained: "<@", OpMatch: "~", OpMatchI: "~*", OpNotMatch: "!~", OpNotMatchI: "!~*",
	OpBitAnd: "&", OpBitOr: "|", OpShiftLeft: "<<", OpShiftRight: ">>",
}

// String is how the operator is written.
func (op Op) String() string {
	if op < opEnd {
		return opText[op]
	}
	return ""
}

// level is the precedence of an operator. All binary ones but comparisons group
// to the left; comparisons do not chain.
func (op Op) level() int {
	switch op {
	case OpOr:
		return levelOr
	case OpAnd:
		return levelAnd
	case OpNot:
		return levelNot
	case OpIsDistinct, OpIsNotDistinct:
		return levelIs
	case OpEq, OpNe, OpLt, OpLe, OpGt, OpGe:
		return levelCompare
	case OpAdd, OpSub:
		return levelAdd
	case OpMul, OpDiv, OpIntDiv, OpMod:
		return levelMul
	case OpPow:
		return levelPow
	case OpNeg, OpPos:
		return levelUnary
	case OpArrow, OpArrowText:
		return levelPostfix
	}
	return levelOther
}

func level(e Expr) int {
	switch e := e.(type) {
	case *Unary:
		return e.Op.level()
	case *Binary:
		return e.Op.level()
	case *Is:
		return levelIs
	case *Quantified:
		return levelCompare
	case *Like, *In, *Between:
		return levelRange
	case *Index, *Field:
		return levelPostfix
	case *Literal:
		if e.Value.isSigned() {
			return levelUnary
		}
	case *NamedArg:
		return levelLowest
	}
	return levelPrimary
}

// printer builds canonical SQL: one line, keywords in capitals, one space
// between tokens, parentheses only where the grammar needs them.
type printer struct{ b []byte }

func str(n Node) string {
	var p printer
	p.node(n)
	return string(p.b)
}

func (p *printer) put(s string) { p.b = append(p.b, s...) }

func (p *printer) int(i int) { p.b = strconv.AppendInt(p.b, int64(i), 10) }

// expr prints e, in parentheses when it binds looser than min.
func (p *printer) expr(e Expr, min int) {
	if level(e) < min {
		p.put("(")
		p.node(e)
		p.put(")")
		return
	}
	p.node(e)
}

func exprList[T Expr](p *printer, list []T) {
	for i, e := range list {
		if i > 0 {
			p.put(", ")
		}
		p.expr(e, levelLowest)
	}
}

func nodeList[T Node](p *printer, list []T) {
	for i, n := range list {
		if i > 0 {
			p.put(", ")
		}
		p.node(n)
	}
}

func (p *printer) ident(id Ident) {
	if id.Quoted || NeedsQuotes(id.Name) {
		p.b = AppendQuotedIdent(p.b, id.Name)
		return
	}
	p.put(id.Name)
}

// label prints a name where no keyword can be meant: after a dot or after AS.
func (p *printer) label(id Ident) {
	if id.Quoted || !IsPlain(id.Name) {
		p.b = AppendQuotedIdent(p.b, id.Name)
		return
	}
	p.put(id.Name)
}

func (p *printer) path(parts []Ident) {
	for i, id := range parts {
		if i == 0 {
			p.ident(id)
			continue
		}
		p.put(".")
		p.label(id)
	}
}

func (p *printer) identList(ids []Ident) {
	for i, id := range ids {
		if i > 0 {
			p.put(", ")
		}
		p.ident(id)
	}
}

func (p *printer) not(b bool) {
	if b {
		p.put("NOT ")
	}
}

func (p *printer) query(q *Query) {
	p.put("(")
	p.node(q)
	p.put(")")
}

// node prints one node. Statements and the parts of a query are in
// print_query.go.
func (p *printer) node(n Node) {
	switch n := n.(type) {
	case *Literal:
		p.b = n.Value.AppendSQL(p.b)
	case *Param:
		if n.Name != "" {
			p.put(":")
			p.put(n.Name)
		} else {
			p.put("$")
			p.int(n.Index)
		}
	case *Name:
		p.path(n.Parts)
	case *Star:
		if n.Table != nil {
			p.path(n.Table)
			p.put(".")
		}
		p.put("*")
		if n.Exclude != nil {
			p.put(" EXCLUDE (")
			p.identList(n.Exclude)
			p.put(")")
		}
	case *Unary:
		p.unary(n)
	case *Binary:
		p.binary(n)
	case *Is:
		p.expr(n.Expr, levelIs+1)
		p.put(" IS ")
		p.not(n.Not)
		p.put([isEnd]string{"NULL", "TRUE", "FALSE", "UNKNOWN"}[n.Kind])
	case *Like:
		p.expr(n.Expr, levelRange+1)
		p.put(" ")
		p.not(n.Not)
		if n.Fold {
			p.put("I")
		}
		p.put("LIKE ")
		p.expr(n.Pattern, levelRange+1)
		if n.Escape != nil {
			p.put(" ESCAPE ")
			p.expr(n.Escape, levelRange+1)
		}
	case *In:
		p.expr(n.Expr, levelRange+1)
		p.put(" ")
		p.not(n.Not)
		p.put("IN (")
		if n.Query != nil {
			p.node(n.Query)
		} else {
			exprList(p, n.List)
		}
		p.put(")")
	case *Between:
		p.expr(n.Expr, levelRange+1)
		p.put(" ")
		p.not(n.Not)
		p.put("BETWEEN ")
		p.expr(n.Lo, levelRange+1)
		p.put(" AND ")
		p.expr(n.Hi, levelRange+1)
	case *Case:
		p.put("CASE ")
		if n.Operand != nil {
			p.expr(n.Operand, levelLowest)
			p.put(" ")
		}
		for _, w := range n.Whens {
			p.node(w)
			p.put(" ")
		}
		if n.Else != nil {
			p.put("ELSE ")
			p.expr(n.Else, levelLowest)
			p.put(" ")
		}
		p.put("END")
	case *When:
		p.put("WHEN ")
		p.expr(n.Cond, levelLowest)
		p.put(" THEN ")
		p.expr(n.Then, levelLowest)
	case *Cast:
		if n.Try {
			p.put("TRY_")
		}
		p.put("CAST(")
		p.expr(n.Expr, levelLowest)
		p.put(" AS ")
		p.node(n.Type)
		p.put(")")
	case *TypeName:
		p.typeName(n)
	case *Call:
		p.call(n)
	case *NamedArg:
		p.ident(n.Name)
		p.put(" => ")
		p.expr(n.Expr, levelLowest+1)
	case *Exists:
		p.put("EXISTS ")
		p.query(n.Query)
	case *Subquery:
		p.query(n.Query)
	case *Quantified:
		p.expr(n.Expr, levelCompare+1)
		p.put(" ")
		p.put(n.Op.String())
		if n.All {
			p.put(" ALL (")
		} else {
			p.put(" ANY (")
		}
		if n.Query != nil {
			p.node(n.Query)
		} else {
			p.expr(n.Array, levelLowest)
		}
		p.put(")")
	case *Tuple:
		if len(n.Items) < 2 {
			p.put("ROW")
		}
		p.put("(")
		exprList(p, n.Items)
		p.put(")")
	case *Array:
		p.put("ARRAY[")
		exprList(p, n.Items)
		p.put("]")
	case *Index:
		p.expr(n.Expr, levelPostfix)
		p.put("[")
		p.expr(n.Index, levelLowest)
		p.put("]")
	case *Field:
		p.field(n)
	default:
		p.queryNode(n)
	}
}

func (p *printer) typeName(t *TypeName) {
	p.put(t.Type.String())
	if t.Type == TypeDecimal && t.Precision > 0 {
		p.put("(")
		p.int(t.Precision)
		p.put(", ")
		p.int(t.Scale)
		p.put(")")
	}
}

func (p *printer) unary(n *Unary) {
	p.put(n.Op.String())
	if n.Op == OpNot {
		p.put(" ")
		p.expr(n.Expr, levelNot)
		return
	}
	// A sign before a number would be read as part of it, and two as a comment.
	switch e := n.Expr.(type) {
	case *Literal:
		if e.Value.isNumber() {
			p.put("(")
			p.node(e)
			p.put(")")
			return
		}
	case *Unary:
		p.put("(")
		p.node(e)
		p.put(")")
		return
	}
	at := len(p.b)
	p.expr(n.Expr, levelUnary)
	if at < len(p.b) && (p.b[at] == '-' || p.b[at] == '+' || p.b[at] >= '0' && p.b[at] <= '9') {
		p.b = append(p.b[:at], '(')
		p.node(n.Expr)
		p.put(")")
	}
}

func (p *printer) binary(n *Binary) {
	at := n.Op.level()
	switch n.Op {
	case OpArrow, OpArrowText:
		p.expr(n.L, levelPostfix)
		p.put(n.Op.String())
		if l, ok := n.R.(*Literal); ok && l.Value.Kind() == KindInt {
			p.node(n.R) // -> -1 needs no parentheses
			return
		}
		p.expr(n.R, levelPrimary)
		return
	case OpEq, OpNe, OpLt, OpLe, OpGt, OpGe, OpIsDistinct, OpIsNotDistinct:
		p.expr(n.L, at+1)
	default:
		p.expr(n.L, at)
	}
	p.put(" ")
	p.put(n.Op.String())
	p.put(" ")
	p.expr(n.R, at+1)
}

// field prints x.name. A plain name before the dot would read as a path.
func (p *printer) field(n *Field) {
	switch n.Expr.(type) {
	case *Index, *Field:
		p.node(n.Expr)
	default:
		p.put("(")
		p.node(n.Expr)
		p.put(")")
	}
	p.put(".")
	p.label(n.Name)
}

func (p *printer) call(n *Call) {
	if len(n.Name) == 1 && !n.Name[0].Quoted && IsFuncKeyword(n.Name[0].Name) {
		p.put(n.Name[0].Name)
	} else {
		p.path(n.Name)
	}
	p.put("(")
	if n.Distinct {
		p.put("DISTINCT ")
	}
	if n.Star {
		p.put("*")
	}
	exprList(p, n.Args)
	if n.OrderBy != nil {
		p.put(" ORDER BY ")
		nodeList(p, n.OrderBy)
	}
	p.put(")")
	if n.WithinGroup != nil {
		p.put(" WITHIN GROUP (ORDER BY ")
		nodeList(p, n.WithinGroup)
		p.put(")")
	}
	if n.Filter != nil {
		p.put(" FILTER (WHERE ")
		p.expr(n.Filter, levelLowest)
		p.put(")")
	}
	if n.Over != nil {
		p.put(" OVER ")
		p.node(n.Over)
	}
}
