package query

// Span is the byte range [Pos, End) of a node in the text it was parsed from.
// The zero Span means that the node did not come from text.
type Span struct {
	Pos, End int
}

// At returns the span. Every node has it by embedding Span.
func (s Span) At() Span { return s }

// IsZero reports whether the span is unknown.
func (s Span) IsZero() bool { return s == Span{} }

// move sets the span. Every node has it by embedding Span.
func (s *Span) move(to Span) { *s = to }

// To returns the span from the start of s to the end of t.
func (s Span) To(t Span) Span { return Span{s.Pos, t.End} }

// Node is any part of the tree. All nodes are pointers.
type Node interface {
	// At is the byte range of the node in its source text.
	At() Span
	// String prints the node as canonical SQL.
	String() string

	fields(visitor)
	tag() tag
	clone() Node
	move(Span)
}

// Expr is a node with a value: a literal, a name, an operator, a call.
type Expr interface {
	Node
	exprNode()
}

// Stmt is a whole statement: *Query, *Explain, *Insert, *Subscribe, *Describe,
// *Summarize, *Show, *ShowCreate, *Set, *CreateView, *CreateIndex or *Drop.
type Stmt interface {
	Node
	stmtNode()
}

// Body is what a Query orders and limits: *Block, *SetOp, *ValuesList, or a
// *Query in parentheses that has an order, a limit or a WITH of its own.
type Body interface {
	Node
	bodyNode()
}

// TableRef is an entry of FROM: *TableName, *TableFunc, *TableQuery or *Join.
type TableRef interface {
	Node
	tableNode()
}

// Ident is one name as it was spelled. A quoted name matches exactly; an
// unquoted one matches exactly first, else the only name that differs in case.
// Ident is a value, not a Node.
type Ident struct {
	Span
	Name   string
	Quoted bool
}

// Is reports whether the name is set.
func (id Ident) Is() bool { return id.Name != "" || id.Quoted }
