package query

// Query is a whole query: what it reads (Body) and how the answer is ordered
// and cut. It is also a Stmt, and a Body when it stands in parentheses inside
// another one.
type Query struct {
	Span
	With    *With
	Body    Body
	OrderBy []*Order
	Limit   Expr // nil: all
	Offset  Expr
	AsOf    *AsOf // the cut; at most one in a statement is of use
}

// With is the list of common table expressions before a query.
type With struct {
	Span
	Recursive bool
	Tables    []*CTE
}

// Materialize is what WITH says about keeping a common table expression.
type Materialize uint8

// AS, AS MATERIALIZED and AS NOT MATERIALIZED.
const (
	MaterializeDefault Materialize = iota
	MaterializeAlways
	MaterializeNever
	materializeEnd
)

// CTE is one common table expression.
type CTE struct {
	Span
	Name        Ident
	Columns     []Ident
	Materialize Materialize
	Query       *Query
}

// Block is SELECT … FROM … WHERE … GROUP BY … HAVING … QUALIFY ….
type Block struct {
	Span
	Distinct   bool
	DistinctOn []Expr // only with Distinct
	Items      []*Item
	From       []TableRef // entries separated by commas
	Where      Expr
	GroupBy    []Expr
	GroupByAll bool
	Having     Expr
	Windows    []*NamedWindow
	Qualify    Expr
}

// Item is one entry of a select list. Expr may be a *Star.
type Item struct {
	Span
	Expr  Expr
	Alias Ident
}

// NamedWindow is one entry of WINDOW.
type NamedWindow struct {
	Span
	Name   Ident
	Window *Window
}

// SetKind is the kind of a SetOp.
type SetKind uint8

// Set operations.
const (
	Union SetKind = iota
	Intersect
	Except
	setEnd
)

// SetOp is L UNION|INTERSECT|EXCEPT [ALL] R.
type SetOp struct {
	Span
	Kind SetKind
	All  bool
	L, R Body
}

// ValuesList is VALUES (…), (…). All rows have the same length.
type ValuesList struct {
	Span
	Rows []*Tuple
}

// NullsOrder says where NULLs stand in an order.
type NullsOrder uint8

// NullsDefault is NULLS LAST, in both directions.
const (
	NullsDefault NullsOrder = iota
	NullsFirst
	NullsLast
	nullsEnd
)

// Order is one key of an ORDER BY.
type Order struct {
	Span
	Expr  Expr
	Desc  bool
	Nulls NullsOrder
}

// AsOfKind says what an AsOf counts.
type AsOfKind uint8

// AS OF TIMESTAMP and AS OF SEQ.
const (
	AsOfTimestamp AsOfKind = iota
	AsOfSeq
	asOfEnd
)

// AsOf moves the cut of a query into the past.
type AsOf struct {
	Span
	Kind AsOfKind
	Expr Expr
}

// Alias is AS name (columns) after a table.
type Alias struct {
	Span
	Name    Ident
	Columns []Ident
}

// TableName is a table by name: orders, "app/log", logs."x", folds.x, views.x,
// netdb.logs.
type TableName struct {
	Span
	Parts []Ident
	Alias *Alias
}

// TableFunc is a function that gives rows: logs('sensors/**').
type TableFunc struct {
	Span
	Lateral bool
	Call    *Call
	Alias   *Alias
}

// TableQuery is a query in FROM.
type TableQuery struct {
	Span
	Lateral bool
	Query   *Query
	Alias   *Alias
}

// JoinKind is the kind of a Join.
type JoinKind uint8

// Kinds of joins.
const (
	JoinInner JoinKind = iota
	JoinLeft
	JoinRight
	JoinFull
	JoinCross
	JoinSemi
	JoinAnti
	joinEnd
)

// Join joins two tables. An inner, left, right or full one has exactly one of
// On, Using and Natural; a cross join has none. Asof takes, for each left row,
// the nearest right row that the one inequality in On admits.
type Join struct {
	Span
	Kind    JoinKind
	Asof    bool
	Natural bool
	L, R    TableRef
	On      Expr
	Using   []Ident
}

func (*Block) bodyNode()      {}
func (*SetOp) bodyNode()      {}
func (*ValuesList) bodyNode() {}
func (*Query) bodyNode()      {}

func (*TableName) tableNode()  {}
func (*TableFunc) tableNode()  {}
func (*TableQuery) tableNode() {}
func (*Join) tableNode()       {}
