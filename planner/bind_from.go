package planner

import (
	"path"
	"slices"
	"strings"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/query"
)

// from binds the entries of FROM to one tree and adds their tables to the scope.
func (b *binder) from(s *scope, refs []query.TableRef) (node, error) {
	var tree node
	for _, ref := range refs {
		if f := lateral(ref); f != nil {
			var err error
			if tree, err = b.fromRows(s, tree, f); err != nil {
				return nil, err
			}
			continue
		}
		n, err := b.tableRef(s, ref)
		if err != nil {
			return nil, err
		}
		if tree == nil {
			tree = n
		} else {
			tree = &joinNode{left: tree, right: n, kind: exec.JoinInner}
		}
	}
	if tree == nil {
		tree = &valuesNode{rows: [][]exec.Expr{{}}, note: "one row"}
	}
	return tree, nil
}

// tableRef binds one entry of FROM.
func (b *binder) tableRef(s *scope, ref query.TableRef) (node, error) {
	if b.reads++; b.reads > maxTables {
		return nil, query.Errorf(ref, query.CodeTooDeep, "the statement reads more than %d tables", maxTables)
	}
	switch ref := ref.(type) {
	case *query.TableName:
		return b.tableName(s, ref)
	case *query.TableQuery:
		if ref.Lateral {
			return nil, unsupported(ref, "LATERAL")
		}
		res, err := b.query(ref.Query, s.ctes)
		if err != nil {
			return nil, err
		}
		return b.derived(s, ref, res, "", ref.Alias)
	case *query.TableFunc:
		return b.tableFunc(s, ref)
	case *query.Join:
		return b.join(s, ref)
	}
	return nil, unsupported(ref, "this kind of table")
}

// derived adds the result of a query to the scope as a table.
func (b *binder) derived(s *scope, at query.Node, res bound, name string, alias *query.Alias) (node, error) {
	t := &table{name: name, cols: slices.Clone(res.cols)}
	if alias != nil {
		t.name = alias.Name.Name
		if len(alias.Columns) > len(t.cols) {
			return nil, query.Errorf(alias, query.CodeSyntax, "table %q has %d columns but %d names", t.name, len(t.cols), len(alias.Columns))
		}
		for i, c := range alias.Columns {
			t.cols[i].name = c.Name
		}
	}
	return res.node, s.addTable(at, t)
}

// addTable adds a table to the scope; two of one name are an error.
func (s *scope) addTable(at query.Node, t *table) error {
	for _, o := range s.tables {
		if t.name != "" && o.name == t.name && o.schema == t.schema {
			return query.Errorf(at, query.CodeDuplicate, "table %q stands twice in FROM", t.name).WithHint("give one of them an alias")
		}
	}
	s.tables = append(s.tables, t)
	return nil
}

// tableName binds a table by name: CTE, view, fold, log.
func (b *binder) tableName(s *scope, ref *query.TableName) (node, error) {
	if len(ref.Parts) == 1 {
		if c := s.ctes.find(ref.Parts[0]); c != nil {
			return b.cteTable(s, ref, c)
		}
	}
	name, err := b.lookup(ref)
	if err != nil {
		return nil, err
	}
	if b.rec != nil {
		b.rec.tables[ref] = name
	}
	if name.Kind == KindView {
		return b.viewTable(s, ref, name.Name)
	}
	src, err := b.cat.Table(b.ctx, name)
	if err != nil {
		return nil, err
	}
	if src == nil {
		return nil, query.Errorf(ref, query.CodeUnknownTable, "table %q is gone", name.Name)
	}
	schema := ""
	if len(ref.Parts) > 1 {
		schema = ref.Parts[0].Name
	}
	return b.scan(s, ref, src, name.Name, schema, ref.Alias)
}

// scan adds a source to the scope as a table.
func (b *binder) scan(s *scope, at query.Node, src Source, name, schema string, alias *query.Alias) (node, error) {
	n := &scanNode{source: src, columns: src.Columns()}
	t := &table{name: name, schema: schema, scan: n}
	n.alias = name
	if err := b.restrict(n, at); err != nil {
		return nil, err
	}
	if alias != nil {
		t.name, t.schema, n.alias = alias.Name.Name, "", alias.Name.Name
		if len(alias.Columns) > 0 {
			// Renamed columns make a table of exactly its `*` columns.
			cols, err := b.star(t)
			if err != nil {
				return nil, err
			}
			return b.derived(s, at, bound{n, cols}, t.name, alias)
		}
	}
	return n, s.addTable(at, t)
}

// find returns the innermost WITH table of a name: exactly that, else the only one that differs in case.
func (c *cteScope) find(id query.Ident) *cteScope {
	var fold *cteScope
	for at := c; at != nil; at = at.outer {
		if at.cte.Name.Name == id.Name {
			return at
		}
		if fold == nil && !id.Quoted && strings.EqualFold(at.cte.Name.Name, id.Name) {
			fold = at
		}
	}
	return fold
}

// allTables returns the catalog's tables.
func (b *binder) allTables() ([]TableName, error) {
	if b.tables == nil {
		t, err := b.cat.Tables(b.ctx)
		if err != nil {
			return nil, err
		}
		b.tables = slices.Clone(t)
		slices.SortFunc(b.tables, func(x, y TableName) int {
			if c := int(x.Kind) - int(y.Kind); c != 0 {
				return c
			}
			return strings.Compare(x.Name, y.Name)
		})
	}
	return b.tables, nil
}

// lookup finds the table that a name means.
func (b *binder) lookup(ref *query.TableName) (TableName, error) {
	var kinds []TableKind // none: no table can be meant
	id := ref.Parts[len(ref.Parts)-1]
	switch len(ref.Parts) {
	case 1:
		kinds = []TableKind{KindView, KindFold, KindLog}
	case 2:
		if k, ok := schemaKind(ref.Parts[0]); ok {
			kinds = []TableKind{k}
		}
	}
	var found []TableName
	for _, k := range kinds {
		t := TableName{k, id.Name}
		if has, err := b.cat.Has(b.ctx, t); err != nil {
			return TableName{}, err
		} else if has {
			found = append(found, t)
		}
	}
	if len(found) == 0 {
		all, err := b.allTables()
		if err != nil {
			return TableName{}, err
		}
		for _, t := range all {
			if !id.Quoted && slices.Contains(kinds, t.Kind) && strings.EqualFold(t.Name, id.Name) {
				found = append(found, t)
			}
		}
		if len(found) == 0 {
			return TableName{}, b.unknownTable(ref, all)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	}
	var names []string
	for _, t := range found {
		names = append(names, t.Kind.String()+"."+quoteTable(t))
	}
	return TableName{}, query.Errorf(ref, query.CodeAmbiguousTable, "table %q is ambiguous", id.Name).
		WithHint("write %s", strings.Join(names, " or "))
}

// schemaKind returns the kind a schema names.
func schemaKind(id query.Ident) (TableKind, bool) {
	for _, k := range []TableKind{KindView, KindFold, KindLog, KindSystem} {
		if id.Name == k.String() || !id.Quoted && strings.EqualFold(id.Name, k.String()) {
			return k, true
		}
	}
	return 0, false
}

// quoteTable writes a table's name as SQL after its schema; logs are always quoted, their names are rarely plain.
func quoteTable(t TableName) string {
	if t.Kind == KindLog {
		return `"` + strings.ReplaceAll(t.Name, `"`, `""`) + `"`
	}
	return quoteName(t.Name)
}

// unknownTable says that a table is unknown and what was probably meant.
func (b *binder) unknownTable(ref *query.TableName, all []TableName) error {
	parts := make([]string, len(ref.Parts))
	for i, p := range ref.Parts {
		parts[i] = p.Name
	}
	name := strings.Join(parts, ".")
	e := query.Errorf(ref, query.CodeUnknownTable, "no table %q", clip(name))
	var candidates []string
	for _, t := range all {
		if t.Name == name || t.Name == strings.Join(parts, "/") {
			return e.WithHint("quote the name: %s", `"`+strings.ReplaceAll(t.Name, `"`, `""`)+`"`)
		}
		if len(parts) == 2 {
			if k, ok := schemaKind(ref.Parts[0]); ok && t.Kind != k {
				continue
			}
		}
		if t.Kind != KindSystem {
			candidates = append(candidates, t.Name)
		}
		candidates = append(candidates, t.Kind.String()+"."+t.Name)
	}
	near := query.Nearest(name, candidates)
	if near == "" && len(parts) == 2 {
		near = query.Nearest(parts[1], candidates)
	}
	if near != "" {
		return e.WithHint("did you mean %s?", near)
	}
	return e
}

// logsFunc binds logs('pattern').
func (b *binder) logsFunc(s *scope, ref *query.TableFunc) (node, error) {
	call := ref.Call
	if len(call.Args) != 1 || call.Star || call.Distinct || call.Over != nil || call.Filter != nil {
		return nil, query.Errorf(call, query.CodeSyntax, "logs wants one pattern").WithHint("logs('sensors/**')")
	}
	v, err := b.constant(call.Args[0], "the pattern of logs")
	if err != nil {
		return nil, err
	}
	if b.opts.Unbound && v.IsNull() {
		v = query.Text("**")
	}
	if v.Kind() != query.KindText {
		return nil, query.Errorf(call.Args[0], query.CodeType, "logs wants a pattern of type TEXT")
	}
	if _, err := path.Match(v.Text(), ""); err != nil {
		return nil, query.Errorf(call.Args[0], query.CodeBadValue, "pattern %q is not well-formed", v.Text())
	}
	all, err := b.allTables()
	if err != nil {
		return nil, err
	}
	p := &patternSource{pattern: v.Text()}
	for _, t := range all {
		if t.Kind != KindLog || !MatchLog(v.Text(), t.Name) {
			continue
		}
		src, err := b.cat.Table(b.ctx, t)
		if err != nil {
			return nil, err
		}
		if src != nil {
			p.names, p.sources = append(p.names, t.Name), append(p.sources, src)
		}
	}
	if len(p.sources) == 0 {
		return nil, query.Errorf(call.Args[0], query.CodeUnknownTable, "no log matches %q", v.Text())
	}
	return b.scan(s, ref, p, "logs", "", ref.Alias)
}
