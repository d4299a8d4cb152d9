package query

// Summarize is SUMMARIZE table or SUMMARIZE query. One of the two is set.
type Summarize struct {
	Span
	Table *TableName
	Query *Query
}

// CreateView is CREATE [OR REPLACE] VIEW [IF NOT EXISTS] name [(columns)] AS
// query.
type CreateView struct {
	Span
	Replace     bool
	IfNotExists bool // not with Replace
	Name        *TableName
	Columns     []Ident
	Query       *Query
}

// CreateIndex is CREATE INDEX [IF NOT EXISTS] [name] ON log (path).
type CreateIndex struct {
	Span
	IfNotExists bool
	Name        Ident // may be none
	Table       *TableName
	Path        *Name
}

// DropKind is what a Drop removes.
type DropKind uint8

// DROP VIEW and DROP INDEX.
const (
	DropView DropKind = iota
	DropIndex
	dropEnd
)

// String returns VIEW or INDEX.
func (k DropKind) String() string { return [dropEnd]string{"VIEW", "INDEX"}[k] }

// Drop is DROP VIEW|INDEX [IF EXISTS] name.
type Drop struct {
	Span
	Kind     DropKind
	IfExists bool
	Name     *TableName
}

// ShowCreate is SHOW CREATE VIEW name.
type ShowCreate struct {
	Span
	Name *TableName
}

func (*Summarize) stmtNode()   {}
func (*CreateView) stmtNode()  {}
func (*CreateIndex) stmtNode() {}
func (*Drop) stmtNode()        {}
func (*ShowCreate) stmtNode()  {}

// definition prints the statements that define things.
func (p *printer) definition(n Node) {
	switch n := n.(type) {
	case *CreateView:
		p.put("CREATE ")
		if n.Replace {
			p.put("OR REPLACE ")
		}
		p.put("VIEW ")
		if n.IfNotExists {
			p.put("IF NOT EXISTS ")
		}
		p.node(n.Name)
		if n.Columns != nil {
			p.put(" (")
			p.identList(n.Columns)
			p.put(")")
		}
		p.put(" AS ")
		p.node(n.Query)
	case *CreateIndex:
		p.put("CREATE INDEX ")
		if n.IfNotExists {
			p.put("IF NOT EXISTS ")
		}
		if n.Name.Is() {
			p.ident(n.Name)
			p.put(" ")
		}
		p.put("ON ")
		p.node(n.Table)
		p.put(" (")
		p.node(n.Path)
		p.put(")")
	case *Drop:
		p.put("DROP ")
		p.put(n.Kind.String())
		p.put(" ")
		if n.IfExists {
			p.put("IF EXISTS ")
		}
		p.node(n.Name)
	case *ShowCreate:
		p.put("SHOW CREATE VIEW ")
		p.node(n.Name)
	}
}
