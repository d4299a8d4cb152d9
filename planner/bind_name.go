package planner

import (
	"slices"
	"strings"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// pathTree is a field catalogue by name.
type pathTree struct {
	kids map[string]*pathTree
	// open: names that are not in the tree are accepted.
	open     bool
	complete bool // made from a complete catalogue
	top      []Field
	all      []Field
}

// tree returns a source's field catalogue; complete asks for one that has taken in every row.
func (b *binder) tree(src Source, complete bool) (*pathTree, error) {
	if t := b.trees[src]; t != nil && (t.complete || !complete) {
		return t, nil
	}
	c, err := src.Fields(b.ctx, complete)
	if err != nil {
		return nil, err
	}
	t := &pathTree{open: c.Open, complete: complete, all: c.Fields}
	for _, f := range c.Fields {
		at := t
		for _, p := range f.Path {
			if at.kids == nil {
				at.kids = map[string]*pathTree{}
			}
			if at.kids[p] == nil {
				at.kids[p] = &pathTree{}
			}
			at = at.kids[p]
		}
		if len(f.Path) == 1 {
			t.top = append(t.top, f)
		}
	}
	if b.trees == nil {
		b.trees = map[Source]*pathTree{}
	}
	b.trees[src] = t
	return t, nil
}

// matchKind says how well a name matched.
type matchKind uint8

const (
	noMatch   matchKind = iota
	openMatch           // only because the table accepts any name
	foldMatch           // except for case
	exactMatch
)

// find returns the path of the tree that parts name: exactly that, else the only one that differs in case only.
func (t *pathTree) find(parts []query.Ident) (path []string, kind matchKind, several bool) {
	at := t
	for _, p := range parts {
		if at = at.kids[p.Name]; at == nil {
			break
		}
	}
	if at != nil {
		return identNames(parts), exactMatch, false
	}
	var found [][]string
	var walk func(at *pathTree, i int, path []string)
	walk = func(at *pathTree, i int, path []string) {
		if len(found) > 1 {
			return
		}
		if i == len(parts) {
			found = append(found, slices.Clone(path))
			return
		}
		if parts[i].Quoted {
			if k := at.kids[parts[i].Name]; k != nil {
				walk(k, i+1, append(path, parts[i].Name))
			}
			return
		}
		for name, k := range at.kids {
			if strings.EqualFold(name, parts[i].Name) {
				walk(k, i+1, append(path, name))
			}
		}
	}
	walk(t, 0, nil)
	switch len(found) {
	case 0:
		if t.open {
			return identNames(parts), openMatch, false
		}
		return nil, noMatch, false
	case 1:
		return found[0], foldMatch, false
	}
	return nil, foldMatch, true
}

func identNames(parts []query.Ident) []string {
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = p.Name
	}
	return out
}

// candidate is a place where a name was found.
type candidate struct {
	t     *table
	kind  matchKind
	make  func() (exec.Expr, error)
	multi bool // several paths of this table differ in case only
}

// name binds a name: a path within a table that is named first, or else within exactly one table in scope.
func (b *binder) name(s *scope, n *query.Name) (exec.Expr, error) {
	if t, rest := s.qualified(n.Parts); t != nil {
		if len(rest) == 0 {
			return nil, query.Errorf(n, query.CodeUnknownColumn, "%q is a table, not a column", n.Parts[len(n.Parts)-1].Name)
		}
		return b.pick(s, n, rest, []*table{t})
	}
	if len(n.Parts) == 1 {
		for _, m := range s.merged {
			if m.name == n.Parts[0].Name || !n.Parts[0].Quoted && strings.EqualFold(m.name, n.Parts[0].Name) {
				return b.col(m.id, n.Span), nil
			}
		}
	}
	return b.pick(s, n, n.Parts, s.tables)
}

// qualified returns the table that the first part, or the first two, of a name mean, and the rest. A table's alias wins over
// a path; a single part is never a table.
func (s *scope) qualified(parts []query.Ident) (*table, []query.Ident) {
	if len(parts) < 2 {
		return nil, parts
	}
	find := func(same func(t *table) bool) *table {
		for _, t := range s.tables {
			if t.name != "" && same(t) {
				return t
			}
		}
		return nil
	}
	if len(parts) > 2 {
		if t := find(func(t *table) bool { return t.schema != "" && t.schema == parts[0].Name && t.name == parts[1].Name }); t != nil {
			return t, parts[2:]
		}
	}
	if t := find(func(t *table) bool { return t.name == parts[0].Name }); t != nil {
		return t, parts[1:]
	}
	if !parts[0].Quoted {
		if t := find(func(t *table) bool { return strings.EqualFold(t.name, parts[0].Name) }); t != nil {
			return t, parts[1:]
		}
	}
	return nil, parts
}

// pick finds parts in exactly one of tables. Where none has it, catalogues are completed and asked again.
func (b *binder) pick(s *scope, n *query.Name, parts []query.Ident, tables []*table) (exec.Expr, error) {
	for _, complete := range []bool{false, true} {
		var found []candidate
		best := noMatch
		for _, t := range tables {
			c, err := b.inTable(t, n, parts, complete)
			if err != nil {
				return nil, err
			}
			if c.kind == noMatch || c.kind < best {
				continue
			}
			if c.kind > best {
				found, best = found[:0], c.kind
			}
			found = append(found, c)
		}
		if !complete && (best != exactMatch || len(tables) > 1) {
			continue // rows not yet taken in may have a better match, or a second one
		}
		switch {
		case len(found) == 1 && !found[0].multi:
			return found[0].make()
		case len(found) > 0:
			return nil, b.ambiguous(n, found)
		}
	}
	return nil, b.unknownName(s, n, parts, tables)
}

// knows reports whether a table in scope has a bare name, not only because it accepts any.
func (b *binder) knows(s *scope, n *query.Name) (bool, error) {
	for _, m := range s.merged {
		if m.name == n.Parts[0].Name || !n.Parts[0].Quoted && strings.EqualFold(m.name, n.Parts[0].Name) {
			return true, nil
		}
	}
	for _, complete := range []bool{false, true} { // the second costs a walk over new rows
		for _, t := range s.tables {
			if c, err := b.inTable(t, n, n.Parts, complete); err != nil || c.kind > openMatch {
				return true, err
			}
		}
	}
	return false, nil
}

func (b *binder) ambiguous(n *query.Name, found []candidate) error {
	e := query.Errorf(n, query.CodeAmbiguous, "column %q is ambiguous", n.String())
	switch {
	case found[0].multi && found[0].kind == exactMatch:
		return e.WithHint("the query has several columns of that name: give them aliases")
	case found[0].multi:
		return e.WithHint("several names differ in case only: quote the one you mean")
	}
	var names []string
	for _, c := range found {
		if c.t.name != "" {
			names = append(names, quoteName(c.t.name)+"."+n.String())
		}
	}
	if len(names) == 0 {
		return e
	}
	return e.WithHint("write %s", strings.Join(names, " or "))
}

// inTable looks parts up in one table.
func (b *binder) inTable(t *table, n *query.Name, parts []query.Ident, complete bool) (candidate, error) {
	if t.scan == nil {
		return b.inQuery(t, n, parts)
	}
	scan := t.scan
	if c, ok := b.inExtra(t, n, parts); ok {
		return c, nil
	}
	payload := -1
	for i, c := range scan.columns {
		if c.Role == RolePayload {
			payload = i
		}
	}
	// Static columns first.
	static := func(same func(string) bool, kind matchKind) (candidate, bool) {
		for i, c := range scan.columns {
			if !same(c.Name) {
				continue
			}
			if i == payload && len(parts) > 1 {
				path := parts[1:]
				return candidate{t: t, kind: kind, make: func() (exec.Expr, error) { return b.payloadField(t, n, path) }}, true
			}
			return candidate{t: t, kind: kind, make: func() (exec.Expr, error) {
				id := scan.addColumn(b, i)
				if i == payload {
					b.noteField(id, scan, nil)
				}
				return b.inside(n, b.col(id, n.Span), parts[1:])
			}}, true
		}
		return candidate{}, false
	}
	if c, ok := static(func(s string) bool { return s == parts[0].Name }, exactMatch); ok {
		return c, nil
	}
	if payload >= 0 && !strings.HasPrefix(parts[0].Name, "_") {
		tree, err := b.tree(scan.source, complete)
		if err != nil {
			return candidate{}, err
		}
		path, kind, several := tree.find(parts)
		if kind != noMatch {
			return candidate{t: t, kind: kind, multi: several, make: func() (exec.Expr, error) {
				id := scan.addField(b, path)
				b.noteField(id, scan, path)
				return b.col(id, n.Span), nil
			}}, nil
		}
	}
	if !parts[0].Quoted {
		if c, ok := static(func(s string) bool { return strings.EqualFold(s, parts[0].Name) }, foldMatch); ok {
			return c, nil
		}
	}
	return candidate{}, nil
}

// noteField remembers where a column that is a field comes from, so that -> on it can become a path.
func (b *binder) noteField(id int, scan *scanNode, path []string) {
	if b.fields == nil {
		b.fields = map[int]fieldColumn{}
	}
	b.fields[id] = fieldColumn{scan, path}
}

// payloadField binds _payload.a.b: a field that is in the catalogue, whatever it begins with.
func (b *binder) payloadField(t *table, n *query.Name, parts []query.Ident) (exec.Expr, error) {
	for _, complete := range []bool{false, true} {
		tree, err := b.tree(t.scan.source, complete)
		if err != nil {
			return nil, err
		}
		path, kind, several := tree.find(parts)
		if several {
			return nil, b.ambiguous(n, []candidate{{t: t, multi: true}})
		}
		if kind != noMatch {
			id := t.scan.addField(b, path)
			b.noteField(id, t.scan, path)
			return b.col(id, n.Span), nil
		}
	}
	return nil, b.unknownName(nil, n, parts, []*table{t})
}

// inQuery looks parts up among the columns of a query.
func (b *binder) inQuery(t *table, n *query.Name, parts []query.Ident) (candidate, error) {
	find := func(same func(string) bool, kind matchKind) candidate {
		var found []outCol
		for _, c := range t.cols {
			if same(c.name) {
				found = append(found, c)
			}
		}
		if len(found) == 0 {
			return candidate{}
		}
		c := candidate{t: t, kind: kind, multi: len(found) > 1}
		c.make = func() (exec.Expr, error) { return b.inside(n, b.col(found[0].id, n.Span), parts[1:]) }
		return c
	}
	c := find(func(s string) bool { return s == parts[0].Name }, exactMatch)
	if c.kind == noMatch && !parts[0].Quoted {
		c = find(func(s string) bool { return strings.EqualFold(s, parts[0].Name) }, foldMatch)
	}
	return c, nil
}

// inside binds the rest of a path that begins with a column: a field of a JSON value.
func (b *binder) inside(n query.Node, x exec.Expr, rest []query.Ident) (exec.Expr, error) {
	for _, id := range rest {
		if !x.Type().Dynamic() {
			return nil, query.Errorf(id, query.CodeType, "a %s has no field %q", x.Type(), id.Name)
		}
		y := b.arrow(n.At(), x, &exec.Const{Span: id.Span, Value: query.Text(id.Name), T: vector.Text})
		if plain(x).Type() == vector.Any {
			y = untyped(y) // what is inside a field is a field too, also behind a derived table
		}
		x = y
	}
	return x, nil
}

// unknownName says that a column is unknown and what was probably meant.
func (b *binder) unknownName(s *scope, n *query.Name, parts []query.Ident, tables []*table) error {
	first := clip(parts[0].Name)
	dotted := clip(PathText(identNames(parts)))
	e := query.Errorf(n, query.CodeUnknownColumn, "no column %s", dotted)
	if len(tables) == 0 {
		if s != nil && s.where != "" {
			return query.Errorf(n, query.CodeUnknownColumn, "no column %s: there is no table here", dotted)
		}
		return e
	}
	var candidates []string
	var dynamic *table // the first table with fields
	for _, t := range tables {
		for _, c := range append(t.cols[:len(t.cols):len(t.cols)], t.extra...) {
			candidates = append(candidates, c.name)
		}
		if t.scan == nil {
			continue
		}
		payload := false
		for _, c := range t.scan.columns {
			candidates = append(candidates, c.Name)
			payload = payload || c.Role == RolePayload
		}
		if !payload {
			continue
		}
		if dynamic == nil {
			dynamic = t
		}
		tree, err := b.tree(t.scan.source, true)
		if err != nil {
			return err
		}
		if tree.kids[parts[0].Name] != nil && strings.HasPrefix(first, "_") {
			return query.Errorf(n, query.CodeUnknownColumn, "no column %s of the log's own", first).
				WithHint("the payload's field is _payload.%s", dotted)
		}
		for _, f := range tree.all {
			candidates = append(candidates, strings.Join(f.Path, "."))
		}
	}
	near := query.Nearest(clip(strings.Join(identNames(parts), ".")), candidates)
	safe := ""
	if dynamic != nil && len(dotted) < clipAt { // a longer one would be no help
		safe = "_payload"
		if s != nil && len(s.tables) > 1 && dynamic.name != "" {
			safe = quoteName(dynamic.name) + "._payload"
		}
		for i, p := range parts {
			op := "->"
			if i == len(parts)-1 {
				op = "->>"
			}
			safe += op + "'" + strings.ReplaceAll(p.Name, "'", "''") + "'"
		}
	}
	switch {
	case safe != "" && strings.HasPrefix(first, "_"):
		return e.WithHint("a payload's own field of that name is _payload.%s; %s is NULL where there is none", dotted, safe)
	case near != "" && safe != "":
		return e.WithHint("did you mean %s? %s is NULL where there is no such field", near, safe)
	case near != "":
		return e.WithHint("did you mean %s?", near)
	case safe != "":
		return e.WithHint("%s is NULL where there is no such field", safe)
	}
	return e
}

// star returns the columns of t.*, adding them to its scan: a log's own, then top-level fields in the order of the
// catalogue.
func (b *binder) star(t *table) ([]outCol, error) {
	if t.scan == nil {
		return t.cols, nil
	}
	var out []outCol
	payload := false
	for i, c := range t.scan.columns {
		payload = payload || c.Role == RolePayload
		if c.InStar {
			out = append(out, outCol{c.Name, t.scan.addColumn(b, i)})
		}
	}
	if !payload {
		return append(out, t.extra...), nil
	}
	tree, err := b.tree(t.scan.source, true)
	if err != nil {
		return nil, err
	}
	for _, f := range tree.top {
		id := t.scan.addField(b, f.Path)
		b.noteField(id, t.scan, f.Path)
		out = append(out, outCol{f.Path[0], id})
	}
	return append(out, t.extra...), nil
}

// starAll returns the columns of a plain `*`: those that USING merged first, then each table's.
func (b *binder) starAll(s *scope) ([]outCol, error) {
	out := slices.Clone(s.merged)
	for _, t := range s.tables {
		cols, err := b.star(t)
		if err != nil {
			return nil, err
		}
		for _, c := range cols {
			if !t.merged[c.id] {
				out = append(out, c)
			}
		}
	}
	return out, nil
}
