package query

// tag names a kind of node in the encoded form. Numbers are never reused.
type tag uint8

const (
	tagLiteral tag = iota + 1
	tagParam
	tagName
	tagStar
	tagUnary
	tagBinary
	tagIs
	tagLike
	tagIn
	tagBetween
	tagCase
	tagWhen
	tagCast
	tagTypeName
	tagCall
	tagNamedArg
	tagExists
	tagSubquery
	tagQuantified
	tagTuple
	tagArray
	tagIndex
	tagField
	tagWindow
	tagFrame
	tagQuery
	tagWith
	tagCTE
	tagBlock
	tagItem
	tagNamedWindow
	tagSetOp
	tagValuesList
	tagOrder
	tagAsOf
	tagAlias
	tagTableName
	tagTableFunc
	tagTableQuery
	tagJoin
	tagExplain
	tagInsert
	tagSubscribe
	tagDescribe
	tagShow
	tagSet
	tagEnd
)

// newNode makes an empty node of a kind, nil for an unknown one.
func newNode(t tag) Node {
	switch t {
	case tagLiteral:
		return new(Literal)
	case tagParam:
		return new(Param)
	case tagName:
		return new(Name)
	case tagStar:
		return new(Star)
	case tagUnary:
		return new(Unary)
	case tagBinary:
		return new(Binary)
	case tagIs:
		return new(Is)
	case tagLike:
		return new(Like)
	case tagIn:
		return new(In)
	case tagBetween:
		return new(Between)
	case tagCase:
		return new(Case)
	case tagWhen:
		return new(When)
	case tagCast:
		return new(Cast)
	case tagTypeName:
		return new(TypeName)
	case tagCall:
		return new(Call)
	case tagNamedArg:
		return new(NamedArg)
	case tagExists:
		return new(Exists)
	case tagSubquery:
		return new(Subquery)
	case tagQuantified:
		return new(Quantified)
	case tagTuple:
		return new(Tuple)
	case tagArray:
		return new(Array)
	case tagIndex:
		return new(Index)
	case tagField:
		return new(Field)
	case tagWindow:
		return new(Window)
	case tagFrame:
		return new(Frame)
	case tagQuery:
		return new(Query)
	case tagWith:
		return new(With)
	case tagCTE:
		return new(CTE)
	case tagBlock:
		return new(Block)
	case tagItem:
		return new(Item)
	case tagNamedWindow:
		return new(NamedWindow)
	case tagSetOp:
		return new(SetOp)
	case tagValuesList:
		return new(ValuesList)
	case tagOrder:
		return new(Order)
	case tagAsOf:
		return new(AsOf)
	case tagAlias:
		return new(Alias)
	case tagTableName:
		return new(TableName)
	case tagTableFunc:
		return new(TableFunc)
	case tagTableQuery:
		return new(TableQuery)
	case tagJoin:
		return new(Join)
	case tagExplain:
		return new(Explain)
	case tagInsert:
		return new(Insert)
	case tagSubscribe:
		return new(Subscribe)
	case tagDescribe:
		return new(Describe)
	case tagShow:
		return new(Show)
	case tagSet:
		return new(Set)
	}
	return nil
}

func (n *Literal) tag() tag     { return tagLiteral }
func (n *Param) tag() tag       { return tagParam }
func (n *Name) tag() tag        { return tagName }
func (n *Star) tag() tag        { return tagStar }
func (n *Unary) tag() tag       { return tagUnary }
func (n *Binary) tag() tag      { return tagBinary }
func (n *Is) tag() tag          { return tagIs }
func (n *Like) tag() tag        { return tagLike }
func (n *In) tag() tag          { return tagIn }
func (n *Between) tag() tag     { return tagBetween }
func (n *Case) tag() tag        { return tagCase }
func (n *When) tag() tag        { return tagWhen }
func (n *Cast) tag() tag        { return tagCast }
func (n *TypeName) tag() tag    { return tagTypeName }
func (n *Call) tag() tag        { return tagCall }
func (n *NamedArg) tag() tag    { return tagNamedArg }
func (n *Exists) tag() tag      { return tagExists }
func (n *Subquery) tag() tag    { return tagSubquery }
func (n *Quantified) tag() tag  { return tagQuantified }
func (n *Tuple) tag() tag       { return tagTuple }
func (n *Array) tag() tag       { return tagArray }
func (n *Index) tag() tag       { return tagIndex }
func (n *Field) tag() tag       { return tagField }
func (n *Window) tag() tag      { return tagWindow }
func (n *Frame) tag() tag       { return tagFrame }
func (n *Query) tag() tag       { return tagQuery }
func (n *With) tag() tag        { return tagWith }
func (n *CTE) tag() tag         { return tagCTE }
func (n *Block) tag() tag       { return tagBlock }
func (n *Item) tag() tag        { return tagItem }
func (n *NamedWindow) tag() tag { return tagNamedWindow }
func (n *SetOp) tag() tag       { return tagSetOp }
func (n *ValuesList) tag() tag  { return tagValuesList }
func (n *Order) tag() tag       { return tagOrder }
func (n *AsOf) tag() tag        { return tagAsOf }
func (n *Alias) tag() tag       { return tagAlias }
func (n *TableName) tag() tag   { return tagTableName }
func (n *TableFunc) tag() tag   { return tagTableFunc }
func (n *TableQuery) tag() tag  { return tagTableQuery }
func (n *Join) tag() tag        { return tagJoin }
func (n *Explain) tag() tag     { return tagExplain }
func (n *Insert) tag() tag      { return tagInsert }
func (n *Subscribe) tag() tag   { return tagSubscribe }
func (n *Describe) tag() tag    { return tagDescribe }
func (n *Show) tag() tag        { return tagShow }
func (n *Set) tag() tag         { return tagSet }

func (n *Literal) clone() Node     { c := *n; return &c }
func (n *Param) clone() Node       { c := *n; return &c }
func (n *Name) clone() Node        { c := *n; return &c }
func (n *Star) clone() Node        { c := *n; return &c }
func (n *Unary) clone() Node       { c := *n; return &c }
func (n *Binary) clone() Node      { c := *n; return &c }
func (n *Is) clone() Node          { c := *n; return &c }
func (n *Like) clone() Node        { c := *n; return &c }
func (n *In) clone() Node          { c := *n; return &c }
func (n *Between) clone() Node     { c := *n; return &c }
func (n *Case) clone() Node        { c := *n; return &c }
func (n *When) clone() Node        { c := *n; return &c }
func (n *Cast) clone() Node        { c := *n; return &c }
func (n *TypeName) clone() Node    { c := *n; return &c }
func (n *Call) clone() Node        { c := *n; return &c }
func (n *NamedArg) clone() Node    { c := *n; return &c }
func (n *Exists) clone() Node      { c := *n; return &c }
func (n *Subquery) clone() Node    { c := *n; return &c }
func (n *Quantified) clone() Node  { c := *n; return &c }
func (n *Tuple) clone() Node       { c := *n; return &c }
func (n *Array) clone() Node       { c := *n; return &c }
func (n *Index) clone() Node       { c := *n; return &c }
func (n *Field) clone() Node       { c := *n; return &c }
func (n *Window) clone() Node      { c := *n; return &c }
func (n *Frame) clone() Node       { c := *n; return &c }
func (n *Query) clone() Node       { c := *n; return &c }
func (n *With) clone() Node        { c := *n; return &c }
func (n *CTE) clone() Node         { c := *n; return &c }
func (n *Block) clone() Node       { c := *n; return &c }
func (n *Item) clone() Node        { c := *n; return &c }
func (n *NamedWindow) clone() Node { c := *n; return &c }
func (n *SetOp) clone() Node       { c := *n; return &c }
func (n *ValuesList) clone() Node  { c := *n; return &c }
func (n *Order) clone() Node       { c := *n; return &c }
func (n *AsOf) clone() Node        { c := *n; return &c }
func (n *Alias) clone() Node       { c := *n; return &c }
func (n *TableName) clone() Node   { c := *n; return &c }
func (n *TableFunc) clone() Node   { c := *n; return &c }
func (n *TableQuery) clone() Node  { c := *n; return &c }
func (n *Join) clone() Node        { c := *n; return &c }
func (n *Explain) clone() Node     { c := *n; return &c }
func (n *Insert) clone() Node      { c := *n; return &c }
func (n *Subscribe) clone() Node   { c := *n; return &c }
func (n *Describe) clone() Node    { c := *n; return &c }
func (n *Show) clone() Node        { c := *n; return &c }
func (n *Set) clone() Node         { c := *n; return &c }

func (n *Literal) fields(v visitor) {
	v.value(&n.Value)
}

func (n *Param) fields(v visitor) {
	v.number(&n.Index)
	v.text(&n.Name)
}

func (n *Name) fields(v visitor) {
	idents(v, &n.Parts)
}

func (n *Star) fields(v visitor) {
	idents(v, &n.Table)
	idents(v, &n.Exclude)
}

func (n *Unary) fields(v visitor) {
	enum(v, &n.Op, opEnd)
	child(v, &n.Expr)
}

func (n *Binary) fields(v visitor) {
	enum(v, &n.Op, opEnd)
	child(v, &n.L)
	v.span(&n.OpSpan)
	child(v, &n.R)
}

func (n *Is) fields(v visitor) {
	child(v, &n.Expr)
	enum(v, &n.Kind, isEnd)
	v.flag(&n.Not)
}

func (n *Like) fields(v visitor) {
	child(v, &n.Expr)
	child(v, &n.Pattern)
	child(v, &n.Escape)
	v.flag(&n.Fold)
	v.flag(&n.Not)
}

func (n *In) fields(v visitor) {
	child(v, &n.Expr)
	children(v, &n.List)
	child(v, &n.Query)
	v.flag(&n.Not)
}

func (n *Between) fields(v visitor) {
	child(v, &n.Expr)
	child(v, &n.Lo)
	child(v, &n.Hi)
	v.flag(&n.Not)
}

func (n *Case) fields(v visitor) {
	child(v, &n.Operand)
	children(v, &n.Whens)
	child(v, &n.Else)
}

func (n *When) fields(v visitor) {
	child(v, &n.Cond)
	child(v, &n.Then)
}

func (n *Cast) fields(v visitor) {
	child(v, &n.Expr)
	child(v, &n.Type)
	v.flag(&n.Try)
}

func (n *TypeName) fields(v visitor) {
	enum(v, &n.Type, typeEnd)
	v.number(&n.Precision)
	v.number(&n.Scale)
}

func (n *Call) fields(v visitor) {
	idents(v, &n.Name)
	v.flag(&n.Star)
	v.flag(&n.Distinct)
	children(v, &n.Args)
	children(v, &n.OrderBy)
	children(v, &n.WithinGroup)
	child(v, &n.Filter)
	child(v, &n.Over)
}

func (n *NamedArg) fields(v visitor) {
	ident(v, &n.Name)
	child(v, &n.Expr)
}

func (n *Exists) fields(v visitor) {
	child(v, &n.Query)
}

func (n *Subquery) fields(v visitor) {
	child(v, &n.Query)
}

func (n *Quantified) fields(v visitor) {
	enum(v, &n.Op, opEnd)
	child(v, &n.Expr)
	v.flag(&n.All)
	child(v, &n.Array)
	child(v, &n.Query)
}

func (n *Tuple) fields(v visitor) {
	children(v, &n.Items)
}

func (n *Array) fields(v visitor) {
	children(v, &n.Items)
}

func (n *Index) fields(v visitor) {
	child(v, &n.Expr)
	child(v, &n.Index)
}

func (n *Field) fields(v visitor) {
	child(v, &n.Expr)
	ident(v, &n.Name)
}

func (n *Window) fields(v visitor) {
	ident(v, &n.Name)
	v.flag(&n.Bare)
	children(v, &n.PartitionBy)
	children(v, &n.OrderBy)
	child(v, &n.Frame)
}

func (n *Frame) fields(v visitor) {
	enum(v, &n.Unit, frameUnitEnd)
	enum(v, &n.Start, boundEnd)
	child(v, &n.StartOffset)
	enum(v, &n.End, boundEnd)
	child(v, &n.EndOffset)
	enum(v, &n.Exclude, excludeEnd)
}

func (n *Query) fields(v visitor) {
	child(v, &n.With)
	child(v, &n.Body)
	children(v, &n.OrderBy)
	child(v, &n.Limit)
	child(v, &n.Offset)
	child(v, &n.AsOf)
}

func (n *With) fields(v visitor) {
	v.flag(&n.Recursive)
	children(v, &n.Tables)
}

func (n *CTE) fields(v visitor) {
	ident(v, &n.Name)
	idents(v, &n.Columns)
	enum(v, &n.Materialize, materializeEnd)
	child(v, &n.Query)
}

func (n *Block) fields(v visitor) {
	v.flag(&n.Distinct)
	children(v, &n.DistinctOn)
	children(v, &n.Items)
	children(v, &n.From)
	child(v, &n.Where)
	children(v, &n.GroupBy)
	v.flag(&n.GroupByAll)
	child(v, &n.Having)
	children(v, &n.Windows)
	child(v, &n.Qualify)
}

func (n *Item) fields(v visitor) {
	child(v, &n.Expr)
	ident(v, &n.Alias)
}

func (n *NamedWindow) fields(v visitor) {
	ident(v, &n.Name)
	child(v, &n.Window)
}

func (n *SetOp) fields(v visitor) {
	enum(v, &n.Kind, setEnd)
	v.flag(&n.All)
	child(v, &n.L)
	child(v, &n.R)
}

func (n *ValuesList) fields(v visitor) {
	children(v, &n.Rows)
}

func (n *Order) fields(v visitor) {
	child(v, &n.Expr)
	v.flag(&n.Desc)
	enum(v, &n.Nulls, nullsEnd)
}

func (n *AsOf) fields(v visitor) {
	enum(v, &n.Kind, asOfEnd)
	child(v, &n.Expr)
}

func (n *Alias) fields(v visitor) {
	ident(v, &n.Name)
	idents(v, &n.Columns)
}

func (n *TableName) fields(v visitor) {
	idents(v, &n.Parts)
	child(v, &n.Alias)
}

func (n *TableFunc) fields(v visitor) {
	v.flag(&n.Lateral)
	child(v, &n.Call)
	child(v, &n.Alias)
}

func (n *TableQuery) fields(v visitor) {
	v.flag(&n.Lateral)
	child(v, &n.Query)
	child(v, &n.Alias)
}

func (n *Join) fields(v visitor) {
	enum(v, &n.Kind, joinEnd)
	v.flag(&n.Asof)
	v.flag(&n.Natural)
	child(v, &n.L)
	child(v, &n.R)
	child(v, &n.On)
	idents(v, &n.Using)
}

func (n *Explain) fields(v visitor) {
	v.flag(&n.Analyze)
	enum(v, &n.Format, explainEnd)
	child(v, &n.Stmt)
}

func (n *Insert) fields(v visitor) {
	child(v, &n.Table)
	children(v, &n.Columns)
	child(v, &n.Source)
	children(v, &n.Returning)
}

func (n *Subscribe) fields(v visitor) {
	enum(v, &n.From, subscribeEnd)
	child(v, &n.Seq)
	child(v, &n.Query)
}

func (n *Describe) fields(v visitor) {
	child(v, &n.Table)
	child(v, &n.Query)
}

func (n *Show) fields(v visitor) {
	ident(v, &n.What)
}

func (n *Set) fields(v visitor) {
	ident(v, &n.Name)
	child(v, &n.Value)
}
