package query

// ExplainFormat is the form of an explanation.
type ExplainFormat uint8

// Forms of EXPLAIN.
const (
	ExplainText ExplainFormat = iota
	ExplainJSON
	explainEnd
)

// Explain is EXPLAIN [ANALYZE] [(FORMAT JSON)] statement.
type Explain struct {
	Span
	Analyze bool
	Format  ExplainFormat
	Stmt    Stmt
}

// Insert is INSERT INTO log (paths) VALUES … | query [RETURNING …].
type Insert struct {
	Span
	Table     *TableName
	Columns   []*Name // paths; nil when the statement names none
	Source    *Query
	Returning []*Item
}

// SubscribeFrom is where a Subscribe begins.
type SubscribeFrom uint8

// Beginnings of a subscription.
const (
	SubscribeNow SubscribeFrom = iota
	SubscribeStart
	SubscribeSeq
	SubscribeSnapshot
	subscribeEnd
)

// Subscribe is SUBSCRIBE [FROM START | FROM SEQ n | WITH SNAPSHOT] query.
type Subscribe struct {
	Span
	From  SubscribeFrom
	Seq   Expr // only for SubscribeSeq
	Query *Query
}

// Describe is DESCRIBE table or DESCRIBE query. One of the two is set.
type Describe struct {
	Span
	Table *TableName
	Query *Query
}

// Show is SHOW TABLES, LOGS, FOLDS, VIEWS, INDEXES or FUNCTIONS.
type Show struct {
	Span
	What Ident
}

// Set is SET name = value. SET TIME ZONE z is Set of timezone.
type Set struct {
	Span
	Name  Ident
	Value Expr
}

func (*Query) stmtNode()     {}
func (*Explain) stmtNode()   {}
func (*Insert) stmtNode()    {}
func (*Subscribe) stmtNode() {}
func (*Describe) stmtNode()  {}
func (*Show) stmtNode()      {}
func (*Set) stmtNode()       {}
