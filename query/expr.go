package query

// Literal is a constant.
type Literal struct {
	Span
	Value Value
}

// Param is a value given with the statement: $1 has Index 1, :name has Name.
// Exactly one of the two is set.
type Param struct {
	Span
	Index int
	Name  string
}

// Name is a column or a path: a, t.a, a.b.c. What the first parts mean (a table
// alias or a field) is for the binder.
type Name struct {
	Span
	Parts []Ident
}

// Star is * or t.* in a select list, less the names of Exclude.
type Star struct {
	Span
	Table   []Ident // nil for a plain *
	Exclude []Ident
}

// Op is an operator of Unary, Binary or Quantified. Numbers are part of the
// encoded form: new ones are added at the end.
type Op uint8

// Operators, by falling looseness within each group.
const (
	OpInvalid Op = iota
	OpOr
	OpAnd
	OpNot // unary
	OpEq
	OpNe
	OpLt
	OpLe
	OpGt
	OpGe
	OpIsDistinct    // IS DISTINCT FROM
	OpIsNotDistinct // IS NOT DISTINCT FROM
	OpAdd
	OpSub
	OpMul
	OpDiv    // always DOUBLE
	OpIntDiv // the operator //
	OpMod
	OpPow
	OpNeg // unary
	OpPos // unary
	OpConcat
	OpArrow     // ->  gives JSON
	OpArrowText // ->> gives TEXT
	OpContains  // @>
	OpContained // <@
	OpMatch     // ~
	OpMatchI    // ~*
	OpNotMatch  // !~
	OpNotMatchI // !~*
	OpBitAnd
	OpBitOr
	OpShiftLeft
	OpShiftRight
	opEnd
)

// Unary is NOT x, -x or +x. A minus before a number literal is folded into it.
type Unary struct {
	Span
	Op   Op
	Expr Expr
}

// Binary is L Op R. IS [NOT] DISTINCT FROM is one too. OpSpan is where the
// operator stands.
type Binary struct {
	Span
	Op     Op
	L, R   Expr
	OpSpan Span
}

// IsKind is what Is tests for.
type IsKind uint8

// What IS tests for.
const (
	IsNull IsKind = iota
	IsTrue
	IsFalse
	IsUnknown
	isEnd
)

// Is is x IS [NOT] NULL, TRUE, FALSE or UNKNOWN. It is never NULL.
type Is struct {
	Span
	Expr Expr
	Kind IsKind
	Not  bool
}

// Like is x [NOT] LIKE pattern [ESCAPE e]; Fold makes it ILIKE. Without Escape
// (nil) the escape character is the backslash.
type Like struct {
	Span
	Expr, Pattern, Escape Expr
	Fold                  bool
	Not                   bool
}

// In is x [NOT] IN (list) or x [NOT] IN (query). One of List and Query is set.
type In struct {
	Span
	Expr  Expr
	List  []Expr
	Query *Query
	Not   bool
}

// Between is x [NOT] BETWEEN lo AND hi, both ends included.
type Between struct {
	Span
	Expr, Lo, Hi Expr
	Not          bool
}

// Case is CASE [operand] WHEN … THEN … [ELSE …] END. Operand and Else may be nil.
type Case struct {
	Span
	Operand Expr
	Whens   []*When
	Else    Expr
}

// When is one arm of a Case.
type When struct {
	Span
	Cond, Then Expr
}

// Cast is CAST(x AS type), x::type, or TRY_CAST(x AS type), which gives NULL
// where CAST fails.
type Cast struct {
	Span
	Expr Expr
	Type *TypeName
	Try  bool
}

// Call is a function call, with what aggregates and windows add to it.
type Call struct {
	Span
	Name        []Ident // usually one part
	Args        []Expr  // may hold *NamedArg
	Star        bool    // count(*)
	Distinct    bool
	OrderBy     []*Order // inside the parentheses
	WithinGroup []*Order
	Filter      Expr
	Over        *Window // nil unless it is a window function
}

// NamedArg is name => value in the arguments of a call.
type NamedArg struct {
	Span
	Name Ident
	Expr Expr
}

// Exists is EXISTS (query).
type Exists struct {
	Span
	Query *Query
}

// Subquery is (query) used as a value.
type Subquery struct {
	Span
	Query *Query
}

// Quantified is x op ANY (…) or x op ALL (…), over an array or a query. One of
// Array and Query is set.
type Quantified struct {
	Span
	Op    Op
	Expr  Expr
	All   bool
	Array Expr
	Query *Query
}

// Tuple is (a, b, …) with at least two items, or ROW(…).
type Tuple struct {
	Span
	Items []Expr
}

// Array is ARRAY[…] or […].
type Array struct {
	Span
	Items []Expr
}

// Index is x[i].
type Index struct {
	Span
	Expr, Index Expr
}

// Field is x.name where x is no plain name, as in (a->'b').c or a[1].b.
type Field struct {
	Span
	Expr Expr
	Name Ident
}

// Window is what follows OVER, or the definition of a name in WINDOW.
type Window struct {
	Span
	Name        Ident // the WINDOW entry that this one is, or builds on
	Bare        bool  // OVER w, without parentheses
	PartitionBy []Expr
	OrderBy     []*Order
	Frame       *Frame
}

// FrameUnit says what the bounds of a Frame count.
type FrameUnit uint8

// Units of a frame.
const (
	FrameRows FrameUnit = iota
	FrameRange
	FrameGroups
	frameUnitEnd
)

// BoundKind is the kind of one end of a Frame.
type BoundKind uint8

// Ends of a frame.
const (
	UnboundedPreceding BoundKind = iota
	Preceding
	CurrentRow
	Following
	UnboundedFollowing
	boundEnd
)

// FrameExclude is the EXCLUDE part of a frame.
type FrameExclude uint8

// What a frame leaves out.
const (
	ExcludeNothing FrameExclude = iota
	ExcludeCurrentRow
	ExcludeGroup
	ExcludeTies
	excludeEnd
)

// Frame is the frame of a window. StartOffset and EndOffset are set only for
// Preceding and Following.
type Frame struct {
	Span
	Unit                   FrameUnit
	Start, End             BoundKind
	StartOffset, EndOffset Expr
	Exclude                FrameExclude
}

func (*Literal) exprNode()    {}
func (*Param) exprNode()      {}
func (*Name) exprNode()       {}
func (*Star) exprNode()       {}
func (*Unary) exprNode()      {}
func (*Binary) exprNode()     {}
func (*Is) exprNode()         {}
func (*Like) exprNode()       {}
func (*In) exprNode()         {}
func (*Between) exprNode()    {}
func (*Case) exprNode()       {}
func (*Cast) exprNode()       {}
func (*Call) exprNode()       {}
func (*NamedArg) exprNode()   {}
func (*Exists) exprNode()     {}
func (*Subquery) exprNode()   {}
func (*Quantified) exprNode() {}
func (*Tuple) exprNode()      {}
func (*Array) exprNode()      {}
func (*Index) exprNode()      {}
func (*Field) exprNode()      {}
