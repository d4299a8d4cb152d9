package planner

import (
	"slices"
	"strings"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// described is what DESCRIBE says of a column.
type described struct {
	name    string
	typ     vector.Type
	types   []vector.Type // that its values have had, when they are several
	notNull bool
}

// describe gives the columns of a table, or of a query's result.
func (b *binder) describe(d *query.Describe) (bound, error) {
	var cols []described
	var err error
	if d.Query != nil {
		cols, err = b.describeQuery(d.Query)
	} else {
		cols, err = b.describeTable(d.Table)
	}
	if err != nil {
		return bound{}, err
	}
	var rows [][]string
	for _, c := range cols {
		null := "YES"
		if c.notNull {
			null = "NO"
		}
		rows = append(rows, []string{c.name, typeText(c.typ), null, typesText(c.typ, c.types)})
	}
	return b.textRows(rows, "column_name", "column_type", "null", "types"), nil
}

// describeTable gives all columns that a table has, those too that are not part of `*`.
func (b *binder) describeTable(t *query.TableName) ([]described, error) {
	name, err := b.lookup(t)
	if err != nil {
		return nil, err
	}
	if name.Kind == KindView {
		return b.describeQuery(selectAll(t))
	}
	src, err := b.cat.Table(b.ctx, name)
	if err != nil {
		return nil, err
	}
	if src == nil {
		return nil, query.Errorf(t, query.CodeUnknownTable, "table %q is gone", name.Name)
	}
	var out []described
	for _, c := range src.Columns() {
		out = append(out, described{name: c.Name, typ: c.Type, notNull: c.NotNull})
	}
	tree, err := b.tree(src, true)
	if err != nil {
		return nil, err
	}
	for _, f := range tree.all {
		out = append(out, described{name: SQLPath(f.Path), typ: f.Type, types: f.Types})
	}
	return out, nil
}

// selectAll is SELECT * FROM a table.
func selectAll(t *query.TableName) *query.Query {
	return &query.Query{Span: t.Span, Body: &query.Block{Span: t.Span, Items: []*query.Item{{Expr: &query.Star{}}}, From: []query.TableRef{t}}}
}

func (b *binder) describeQuery(q *query.Query) ([]described, error) {
	res, err := b.query(q, nil)
	if err != nil {
		return nil, err
	}
	var out []described
	for _, c := range res.cols {
		d := described{name: c.name, typ: b.cols[c.id].typ}
		if err := b.origin(&d, res.node, c.id); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// origin completes what is known of a result column that is a table's as it is.
func (b *binder) origin(d *described, n node, id int) error {
	for {
		switch x := n.(type) {
		case *projectNode:
			c, ok := x.exprs[slices.Index(x.ids, id)].(*exec.Col)
			if !ok {
				return nil
			}
			n, id = x.in, c.Index
			continue
		case *filterNode, *sortNode, *limitNode, *distinctNode, *distinctOnNode:
			n = n.inputs()[0]
			continue
		case *scanNode:
			if i := slices.Index(x.ids, id); i >= 0 && x.outs[i].Column >= 0 {
				d.notNull = x.columns[x.outs[i].Column].NotNull
			}
		}
		break
	}
	f, ok := b.fields[id]
	if !ok || len(f.path) == 0 {
		return nil
	}
	tree, err := b.tree(f.scan.source, true)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(tree.all, func(x Field) bool { return samePath(x.Path, f.path) }); i >= 0 {
		d.typ, d.types = tree.all[i].Type, tree.all[i].Types
	}
	return nil
}

// SQLPath returns a path as a statement can name it, as PathText does but for letters beyond ASCII.
func SQLPath(path []string) string {
	n := &query.Name{}
	for _, p := range path {
		n.Parts = append(n.Parts, newIdent(p))
	}
	return n.String()
}

// typeText is the type that a column has where one is needed beforehand: JSON for values of several types.
func typeText(t vector.Type) string {
	if t == vector.Any {
		t = vector.JSON
	}
	return t.String()
}

// typesText lists the types that the values of a column have had.
func typesText(t vector.Type, types []vector.Type) string {
	if types == nil {
		return typeText(t)
	}
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.String()
	}
	return strings.Join(names, ", ")
}

// show lists tables, indexes or functions.
func (b *binder) show(s *query.Show) (bound, error) {
	kinds := []TableKind{KindView, KindFold, KindLog, KindSystem}
	switch strings.ToLower(s.What.Name) {
	case "tables":
	case "logs":
		kinds = []TableKind{KindLog}
	case "folds":
		kinds = []TableKind{KindFold}
	case "views":
		kinds = []TableKind{KindView}
	case "indexes":
		ref := &query.TableName{Span: s.Span, Parts: []query.Ident{{Name: KindSystem.String()}, {Name: "indexes"}}}
		return b.query(selectAll(ref), nil)
	case "functions":
		return b.showFunctions(), nil
	default:
		return bound{}, unsupported(s, "SHOW "+s.What.Name).
			WithHint("SHOW TABLES, LOGS, FOLDS, VIEWS, INDEXES, FUNCTIONS, COLUMNS FROM a table or CREATE VIEW a view")
	}
	all, err := b.allTables()
	if err != nil {
		return bound{}, err
	}
	var rows [][]string
	for _, t := range all {
		if slices.Contains(kinds, t.Kind) {
			rows = append(rows, []string{t.Name, strings.TrimSuffix(t.Kind.String(), "s")})
		}
	}
	return b.textRows(rows, "name", "kind"), nil
}

// showFunctions lists the functions by name, with what they are good for.
func (b *binder) showFunctions() bound {
	var rows [][]string
	add := func(kind, doc string, names ...string) {
		for _, n := range names {
			rows = append(rows, []string{n, kind, doc})
		}
	}
	for _, f := range exec.Functions() {
		add("scalar", f.Doc, append([]string{f.Name}, f.Aliases...)...)
	}
	for _, f := range exec.Forms() {
		add("scalar", f.Doc, append([]string{f.Name}, f.Aliases...)...)
	}
	for _, f := range exec.AggregateFunctions() {
		add("aggregate", f.Doc, append([]string{f.Name}, f.Aliases...)...)
	}
	for _, f := range exec.WindowFunctions() {
		add("window", f.Doc, f.Name)
	}
	for _, form := range tableFuncs {
		name, _, _ := strings.Cut(form.call, "(")
		add("table", form.call+": "+form.doc, name)
	}
	slices.SortStableFunc(rows, func(x, y []string) int { return strings.Compare(x[0], y[0]) })
	return b.textRows(rows, "name", "kind", "description")
}

// textRows makes a table of text columns.
func (b *binder) textRows(rows [][]string, names ...string) bound {
	n := &valuesNode{note: "catalog"}
	var out []outCol
	for _, name := range names {
		id := b.newColumn(name, vector.Text)
		n.ids = append(n.ids, id)
		out = append(out, outCol{name, id})
	}
	for _, r := range rows {
		var row []exec.Expr
		for _, s := range r {
			row = append(row, &exec.Const{Value: query.Text(s), T: vector.Text})
		}
		n.rows = append(n.rows, row)
	}
	return bound{n, out}
}
