package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed69692123/netdb/query"
)

// View is a query with a name, as it stands in a catalog. It is immutable.
type View struct {
	Name string
	// Columns are the names of its columns. As in any query, a name may occur twice, and is ambiguous then.
	Columns []string
	// Query names every table with its schema and has no `*` whose columns could change.
	Query *query.Query
}

// ViewCatalog is a Catalog with views. Its Tables lists them, and its Table is not asked for them.
type ViewCatalog interface {
	Catalog
	// View returns the view of exactly that name, or nil and no error when there is none.
	View(ctx context.Context, name string) (*View, error)
}

// maxViews is how many views may be built on each other.
const maxViews = 32

// MakeView checks CREATE VIEW against the tables there are and returns the view. Its query is that of the statement with `*`
// written out and tables named in full, so that new fields and tables do not change what it means. A view that would read
// itself is an error.
func MakeView(ctx context.Context, cat Catalog, s *query.CreateView, o Options) (*View, error) {
	v, err := makeView(ctx, cat, s, o)
	if err != nil {
		return nil, locate(err, o.Text)
	}
	return v, nil
}

func makeView(ctx context.Context, cat Catalog, s *query.CreateView, o Options) (*View, error) {
	name, err := definedName(s.Name, KindView)
	if err != nil {
		return nil, err
	}
	var bad *query.Error
	query.Walk(s.Query, func(n query.Node) bool {
		switch n := n.(type) {
		case *query.Param:
			bad = query.Errorf(n, query.CodeUnsupported, "a view has no parameters")
		case *query.Join:
			if n.Natural {
				bad = query.Errorf(n, query.CodeUnsupported, "NATURAL JOIN in a view is not supported").
					WithHint("USING names the columns, which new fields do not change")
			}
		}
		return bad == nil
	})
	if bad != nil {
		return nil, bad
	}
	q := query.Clone(s.Query)
	rec := &expansions{stars: map[*query.Star][]*query.Item{}, tables: map[*query.TableName]TableName{}, args: map[*query.Name]*query.TableName{}}
	if _, err := bindView(ctx, cat, name, q, rec, o); err != nil {
		return nil, err
	}
	rec.write(q)
	res, err := bindView(ctx, cat, name, q, nil, o) // as it will be
	if err != nil {
		return nil, err
	}
	if len(s.Columns) > len(res.cols) {
		return nil, query.Errorf(s.Columns[len(res.cols)], query.CodeSyntax, "the query has %d columns, not %d", len(res.cols), len(s.Columns))
	}
	v := &View{Name: name, Query: q}
	for i, c := range res.cols {
		if i < len(s.Columns) {
			c.name = s.Columns[i].Name
		}
		v.Columns = append(v.Columns, c.name)
	}
	return v, nil
}

// bindView binds the query of a view that is being made.
func bindView(ctx context.Context, cat Catalog, name string, q *query.Query, rec *expansions, o Options) (bound, error) {
	b := &binder{ctx: ctx, cat: cat, opts: o, nested: true, rec: rec, views: []string{name}}
	b.depth++ // AS OF belongs to the statement that reads the view
	return b.query(q, nil)
}

// definedName returns the name that a statement gives to what it defines.
func definedName(t *query.TableName, k TableKind) (string, error) {
	if len(t.Parts) == 2 {
		if kind, ok := schemaKind(t.Parts[0]); ok && kind == k {
			return t.Parts[1].Name, nil
		}
	}
	if len(t.Parts) != 1 {
		return "", query.Errorf(t, query.CodeSyntax, "a name like %s cannot be given", t).
			WithHint("a name with a dot in it needs double quotes")
	}
	return t.Parts[0].Name, nil
}

// DefinedName returns the name that CREATE or DROP of a view or index gives or names.
func DefinedName(t *query.TableName, k TableKind, text string) (string, error) {
	name, err := definedName(t, k)
	return name, locate(err, text)
}

// expansions are what the stars and the table names of a query stand for.
type expansions struct {
	stars  map[*query.Star][]*query.Item
	tables map[*query.TableName]TableName
	args   map[*query.Name]*query.TableName // tables that table functions get
}

// write puts them into the query.
func (r *expansions) write(q *query.Query) {
	query.Walk(q, func(n query.Node) bool {
		switch n := n.(type) {
		case *query.Block:
			var items []*query.Item
			for _, it := range n.Items {
				if star, ok := it.Expr.(*query.Star); ok && r.stars[star] != nil {
					items = append(items, r.stars[star]...)
				} else {
					items = append(items, it)
				}
			}
			n.Items = items
		case *query.TableName:
			if t, ok := r.tables[n]; ok {
				n.Parts = inFull(t, n.Parts)
			}
		case *query.Name:
			if t, ok := r.tables[r.args[n]]; ok {
				n.Parts = inFull(t, n.Parts)
			}
		}
		return true
	})
}

// inFull returns the name of a table with its schema, where parts stand.
func inFull(t TableName, parts []query.Ident) []query.Ident {
	at := parts[len(parts)-1].Span
	return []query.Ident{{Span: at, Name: t.Kind.String()}, {Span: at, Name: t.Name, Quoted: query.NeedsQuotes(t.Name)}}
}

// tableArg is tableOf, for an argument that is bound then.
func (b *binder) tableArg(e query.Expr) query.TableRef {
	ref := tableOf(e)
	if t, ok := ref.(*query.TableName); ok && b.rec != nil {
		b.rec.args[tableNameOf(e)] = t
	}
	return ref
}

// star notes what a star stands for: the columns of tables by name, those that USING merged without.
func (r *expansions) star(b *binder, s *scope, star *query.Star, cols []outCol) error {
	var items []*query.Item
	for _, c := range cols {
		var parts []query.Ident
		add := func(names ...string) {
			for _, n := range names {
				parts = append(parts, query.Ident{Span: star.Span, Name: n, Quoted: query.NeedsQuotes(n)})
			}
		}
		if !slices.ContainsFunc(s.merged, func(m outCol) bool { return m.id == c.id }) {
			t, err := b.ownerOf(s, c)
			if err != nil {
				return err
			}
			if t.name != "" {
				add(t.name)
			}
			if t.scan != nil && c.id != t.scan.staticID(c.name) && slices.ContainsFunc(t.scan.columns, func(o Column) bool { return o.Name == c.name }) {
				add("_payload") // a field with the name of a column of the log
			}
		}
		add(c.name)
		items = append(items, &query.Item{Span: star.Span, Expr: &query.Name{Span: star.Span, Parts: parts}})
	}
	r.stars[star] = items
	return nil
}

// ownerOf returns the table that a column of a star is of.
func (b *binder) ownerOf(s *scope, c outCol) (*table, error) {
	for _, t := range s.tables {
		cols, err := b.star(t)
		if err != nil {
			return nil, err
		}
		if slices.Contains(cols, c) {
			return t, nil
		}
	}
	return &table{}, nil
}

// staticID returns the number of a column that the scan's table has whatever its rows are, -1 when it is not read.
func (n *scanNode) staticID(name string) int {
	for i, o := range n.outs {
		if o.Column >= 0 && n.columns[o.Column].Name == name {
			return n.ids[i]
		}
	}
	return -1
}

// viewTable adds a view to the scope: its query in its place, with nothing in sight of what stands around it.
func (b *binder) viewTable(s *scope, ref *query.TableName, name string) (node, error) {
	if slices.Contains(b.views, name) {
		return nil, query.Errorf(ref, query.CodeUnsupported, "view %q reads itself", clip(name))
	}
	if len(b.views) >= maxViews {
		return nil, query.Errorf(ref, query.CodeTooDeep, "views are built on each other more than %d deep", maxViews)
	}
	var v *View
	if cat, ok := b.cat.(ViewCatalog); ok {
		var err error
		if v, err = cat.View(b.ctx, name); err != nil {
			return nil, err
		}
	}
	if v == nil {
		return nil, query.Errorf(ref, query.CodeUnknownTable, "view %q is gone", clip(name))
	}
	enclosing, nested, rec := b.enclosing, b.nested, b.rec
	b.enclosing, b.nested, b.rec = nil, true, nil
	b.views = append(b.views, name)
	res, err := b.query(query.Moved(v.Query, ref.Span), nil)
	b.views = b.views[:len(b.views)-1]
	b.enclosing, b.nested, b.rec = enclosing, nested, rec
	if err != nil {
		return nil, inView(ref, name, err)
	}
	if len(res.cols) != len(v.Columns) {
		return nil, query.Errorf(ref, query.CodeUnsupported, "view %q: its query has %d columns, and had %d", clip(name), len(res.cols), len(v.Columns)).
			WithHint("make it again with CREATE OR REPLACE VIEW")
	}
	for i := range res.cols {
		res.cols[i].name = v.Columns[i]
	}
	return b.derived(s, ref, res, name, ref.Alias)
}

// inView says which view an error is in, at the place where the statement names it.
func inView(ref query.Node, name string, err error) error {
	var qe *query.Error
	if !errors.As(err, &qe) {
		return fmt.Errorf("view %q: %w", name, err)
	}
	e := query.Errorf(ref, qe.Code, "view %q: %s", clip(name), qe.Msg)
	e.Hint = qe.Hint
	return e
}

// showCreate gives the statement that makes a view.
func (b *binder) showCreate(s *query.ShowCreate) (bound, error) {
	all, err := b.allTables()
	if err != nil {
		return bound{}, err
	}
	name, err := definedName(s.Name, KindView)
	if err != nil {
		return bound{}, err
	}
	ref := &query.TableName{Span: s.Name.Span, Parts: []query.Ident{{Name: KindView.String()}, s.Name.Parts[len(s.Name.Parts)-1]}}
	t, err := b.lookup(ref)
	if err != nil {
		return bound{}, query.Errorf(s.Name, query.CodeUnknownTable, "no view %q", clip(name)).WithHint("%s", viewsHint(all))
	}
	var v *View
	if cat, ok := b.cat.(ViewCatalog); ok {
		if v, err = cat.View(b.ctx, t.Name); err != nil {
			return bound{}, err
		}
	}
	if v == nil {
		return bound{}, query.Errorf(s.Name, query.CodeUnknownTable, "view %q is gone", clip(name))
	}
	return b.textRows([][]string{{v.Name, v.Text()}}, "name", "statement"), nil
}

func viewsHint(all []TableName) string {
	if slices.ContainsFunc(all, func(t TableName) bool { return t.Kind == KindView }) {
		return "SHOW VIEWS lists them"
	}
	return "there is none"
}

// Text returns the statement that makes the view.
func (v *View) Text() string {
	s := &query.CreateView{Name: &query.TableName{Parts: []query.Ident{newIdent(v.Name)}}, Query: v.Query}
	for _, c := range v.Columns {
		s.Columns = append(s.Columns, newIdent(c))
	}
	return s.String()
}

// newIdent is a name that matches exactly.
func newIdent(name string) query.Ident {
	return query.Ident{Name: name, Quoted: query.NeedsQuotes(name)}
}
