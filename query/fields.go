package query

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
func (n *Summarize) tag() tag   { return tagSummarize }
func (n *CreateView) tag() tag  { return tagCreateView }
func (n *CreateIndex) tag() tag { return tagCreateIndex }
func (n *Drop) tag() tag        { return tagDrop }
func (n *ShowCreate) tag() tag  { return tagShowCreate }

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
func (n *Summarize) clone() Node   { c := *n; return &c }
func (n *CreateView) clone() Node  { c := *n; return &c }
func (n *CreateIndex) clone() Node { c := *n; return &c }
func (n *Drop) clone() Node        { c := *n; return &c }
func (n *ShowCreate) clone() Node  { c := *n; return &c }

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
	maybe(v, &n.Escape)
	v.flag(&n.Fold)
	v.flag(&n.Not)
}

func (n *In) fields(v visitor) {
	child(v, &n.Expr)
	children(v, &n.List)
	maybe(v, &n.Query)
	v.flag(&n.Not)
}

func (n *Between) fields(v visitor) {
	child(v, &n.Expr)
	child(v, &n.Lo)
	child(v, &n.Hi)
	v.flag(&n.Not)
}

func (n *Case) fields(v visitor) {
	maybe(v, &n.Operand)
	children(v, &n.Whens)
	maybe(v, &n.Else)
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
	maybe(v, &n.Filter)
	maybe(v, &n.Over)
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
	maybe(v, &n.Array)
	maybe(v, &n.Query)
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
	maybe(v, &n.Frame)
}

func (n *Frame) fields(v visitor) {
	enum(v, &n.Unit, frameUnitEnd)
	enum(v, &n.Start, boundEnd)
	maybe(v, &n.StartOffset)
	enum(v, &n.End, boundEnd)
	maybe(v, &n.EndOffset)
	enum(v, &n.Exclude, excludeEnd)
}

func (n *Query) fields(v visitor) {
	maybe(v, &n.With)
	child(v, &n.Body)
	children(v, &n.OrderBy)
	maybe(v, &n.Limit)
	maybe(v, &n.Offset)
	maybe(v, &n.AsOf)
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
	maybe(v, &n.Where)
	children(v, &n.GroupBy)
	v.flag(&n.GroupByAll)
	maybe(v, &n.Having)
	children(v, &n.Windows)
	maybe(v, &n.Qualify)
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
	maybe(v, &n.Alias)
}

func (n *TableFunc) fields(v visitor) {
	v.flag(&n.Lateral)
	child(v, &n.Call)
	maybe(v, &n.Alias)
}

func (n *TableQuery) fields(v visitor) {
	v.flag(&n.Lateral)
	child(v, &n.Query)
	maybe(v, &n.Alias)
}

func (n *Join) fields(v visitor) {
	enum(v, &n.Kind, joinEnd)
	v.flag(&n.Asof)
	v.flag(&n.Natural)
	child(v, &n.L)
	child(v, &n.R)
	maybe(v, &n.On)
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
	maybe(v, &n.Seq)
	child(v, &n.Query)
}

func (n *Describe) fields(v visitor) {
	maybe(v, &n.Table)
	maybe(v, &n.Query)
}

func (n *Show) fields(v visitor) {
	ident(v, &n.What)
}

func (n *Set) fields(v visitor) {
	ident(v, &n.Name)
	child(v, &n.Value)
}

func (n *Summarize) fields(v visitor) {
	maybe(v, &n.Table)
	maybe(v, &n.Query)
}

func (n *CreateView) fields(v visitor) {
	v.flag(&n.Replace)
	v.flag(&n.IfNotExists)
	child(v, &n.Name)
	idents(v, &n.Columns)
	child(v, &n.Query)
}

func (n *CreateIndex) fields(v visitor) {
	v.flag(&n.IfNotExists)
	ident(v, &n.Name)
	child(v, &n.Table)
	child(v, &n.Path)
}

func (n *Drop) fields(v visitor) {
	enum(v, &n.Kind, dropEnd)
	v.flag(&n.IfExists)
	child(v, &n.Name)
}

func (n *ShowCreate) fields(v visitor) {
	child(v, &n.Name)
}
