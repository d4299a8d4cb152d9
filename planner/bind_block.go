package planner

import (
	"slices"
	"strings"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/query"
)

// item is an entry of the select list after `*` was expanded.
type item struct {
	name string
	expr exec.Expr
	at   query.Span
}

// block binds SELECT … FROM … WHERE … GROUP BY … HAVING … with the order and limit that stand after it.
//
// The tree is, from below: FROM, filter (WHERE), aggregate, filter (HAVING), windows, filter (QUALIFY), then without DISTINCT sort, limit, project, and
// with it project, distinct, sort, limit. Projecting last means that an item that can fail is computed only for rows that are
// in the answer.
func (b *binder) block(q *query.Block, order []*query.Order, limit, offset int64, ctes *cteScope) (bound, error) {
	s := &scope{where: "FROM", ctes: ctes, outer: b.enclosing}
	tree, err := b.from(s, q.From)
	if err != nil {
		return bound{}, err
	}
	s.applies = &applies{}
	switch {
	case q.Where == nil:
	case b.hasQuery(q.Where):
		s.where = "WHERE"
		if tree, err = b.where(s, tree, q.Where); err != nil {
			return bound{}, err
		}
	default:
		s.where = "WHERE"
		cond, err := b.condition(s, q.Where)
		if err != nil {
			return bound{}, err
		}
		tree = &filterNode{unary: unary{in: tree}, preds: conjuncts(cond)}
	}
	s.where = "an aggregate"
	inner := *s
	inner.aliases = nil
	s.aggs = &aggCollector{inner: &inner}
	s.windows = &windowCollector{named: q.Windows}
	s.where, s.unnests = "SELECT", &unnestNode{}
	if err := b.namedWindows(s, q.Windows); err != nil {
		return bound{}, err
	}
	items, err := b.items(s, q)
	if err != nil {
		return bound{}, err
	}
	tree = s.unnests.over(tree)
	aliases := make([]aliasItem, len(items))
	for i, it := range items {
		aliases[i] = aliasItem{it.name, it.expr}
	}
	keys, err := b.groupKeys(s, q, items, aliases)
	if err != nil {
		return bound{}, err
	}
	var having exec.Expr
	if q.Having != nil {
		s.where, s.aliases = "HAVING", aliases
		hs := *s
		hs.windows = nil
		if having, err = b.condition(&hs, q.Having); err != nil {
			return bound{}, err
		}
		if s.windows.in(having) {
			return bound{}, query.Errorf(q.Having, query.CodeWindow, "HAVING cannot use a window function").WithHint("use QUALIFY")
		}
	}
	var qualify exec.Expr
	if q.Qualify != nil {
		s.where, s.aliases = "QUALIFY", aliases
		if qualify, err = b.condition(s, q.Qualify); err != nil {
			return bound{}, err
		}
		if len(s.windows.windows) == 0 {
			return bound{}, query.Errorf(q.Qualify, query.CodeWindow, "QUALIFY needs a window function").WithHint("use WHERE")
		}
	}
	s.where = "ORDER BY"
	sortKeys, err := b.orderBy(s, order, aliases)
	if err != nil {
		return bound{}, err
	}

	on, err := b.distinctOn(s, q, aliases)
	if err != nil {
		return bound{}, err
	}

	var agg *aggregateNode
	if len(keys) > 0 || len(s.aggs.aggs) > 0 || having != nil {
		below := append(slices.Clone(keys), aggExprs(s.aggs.aggs)...)
		if tree, err = b.place(s, tree, nil, below...); err != nil {
			return bound{}, err
		}
		agg = &aggregateNode{unary: unary{in: tree}, keys: keys, aggs: s.aggs.aggs, aggIDs: s.aggs.ids}
		for _, k := range keys {
			name := ""
			if c, ok := k.(*exec.Col); ok {
				name = c.Name
			}
			agg.keyIDs = append(agg.keyIDs, b.newColumn(name, k.Type()))
		}
		tree = agg
		for i := range items {
			if items[i].expr, err = b.overGroups(agg, s, items[i].expr); err != nil {
				return bound{}, err
			}
		}
		for i := range sortKeys {
			if sortKeys[i].Expr, err = b.overGroups(agg, s, sortKeys[i].Expr); err != nil {
				return bound{}, err
			}
		}
		for i := range on {
			if on[i], err = b.overGroups(agg, s, on[i]); err != nil {
				return bound{}, err
			}
		}
		if qualify != nil {
			if qualify, err = b.overGroups(agg, s, qualify); err != nil {
				return bound{}, err
			}
		}
		if having != nil {
			if having, err = b.overGroups(agg, s, having); err != nil {
				return bound{}, err
			}
			if tree, err = b.place(s, tree, agg, having); err != nil {
				return bound{}, err
			}
			tree = &filterNode{unary: unary{in: tree}, preds: conjuncts(having)}
		}
	}

	if tree, err = b.windows(s, tree, agg); err != nil {
		return bound{}, err
	}
	if qualify != nil {
		if tree, err = b.place(s, tree, agg, qualify); err != nil {
			return bound{}, err
		}
		tree = &filterNode{unary: unary{in: tree}, preds: conjuncts(qualify)}
	}

	p := &projectNode{}
	var out []outCol
	for _, it := range items {
		id := b.newColumn(it.name, it.expr.Type())
		p.exprs, p.ids = append(p.exprs, it.expr), append(p.ids, id)
		out = append(out, outCol{it.name, id})
	}
	if !q.Distinct || len(on) > 0 {
		if len(sortKeys) > 0 {
			for _, k := range sortKeys {
				if tree, err = b.place(s, tree, agg, k.Expr); err != nil {
					return bound{}, err
				}
			}
			tree = &sortNode{unary: unary{in: tree}, keys: sortKeys}
		}
		if len(on) > 0 {
			if tree, err = b.place(s, tree, agg, on...); err != nil {
				return bound{}, err
			}
			tree = &distinctOnNode{unary: unary{in: tree}, keys: on}
		}
		p.in, err = b.place(s, withLimit(tree, limit, offset), agg, p.exprs...)
		return bound{p, out}, err
	}
	if p.in, err = b.place(s, tree, agg, p.exprs...); err != nil {
		return bound{}, err
	}
	tree = &distinctNode{unary: unary{in: p}, cols: p.ids}
	if len(sortKeys) > 0 {
		for i, k := range sortKeys {
			at := slices.IndexFunc(p.exprs, func(x exec.Expr) bool { return exec.Equal(x, k.Expr) })
			if at < 0 {
				return bound{}, query.Errorf(order[i], query.CodeGrouping, "with SELECT DISTINCT, ORDER BY can only use columns of the select list")
			}
			sortKeys[i].Expr = b.col(p.ids[at], k.Expr.At())
		}
		tree = &sortNode{unary: unary{in: tree}, keys: sortKeys}
	}
	return bound{withLimit(tree, limit, offset), out}, nil
}

// items binds the select list.
func (b *binder) items(s *scope, q *query.Block) ([]item, error) {
	var items []item
	for _, it := range q.Items {
		if star, ok := it.Expr.(*query.Star); ok {
			cols, err := b.expandStar(s, star)
			if err != nil {
				return nil, err
			}
			for _, c := range cols {
				items = append(items, item{c.name, b.col(c.id, star.Span), star.Span})
			}
			continue
		}
		x, err := b.expr(s, it.Expr)
		if err != nil {
			return nil, err
		}
		items = append(items, item{itemName(it, x), x, it.Expr.At()})
	}
	if len(items) == 0 {
		return nil, query.Errorf(q, query.CodeSyntax, "SELECT gives no column")
	}
	return items, nil
}

// itemName is the name of a result column: the alias, the last part of a name, or the text of the expression.
func itemName(it *query.Item, x exec.Expr) string {
	if it.Alias.Is() {
		return it.Alias.Name
	}
	switch e := it.Expr.(type) {
	case *query.Name:
		last := e.Parts[len(e.Parts)-1].Name
		if c, ok := x.(*exec.Col); ok && len(e.Parts) == 1 && strings.EqualFold(c.Name, last) {
			return c.Name // as it is spelled where it was found
		}
		return last
	case *query.Field:
		return e.Name.Name
	}
	return it.Expr.String()
}

// expandStar returns the columns that `*` or `t.*` stands for.
func (b *binder) expandStar(s *scope, star *query.Star) ([]outCol, error) {
	var cols []outCol
	var err error
	switch {
	case len(star.Table) > 0:
		t := s.starTable(star.Table)
		if t == nil {
			names := make([]string, 0, len(s.tables))
			for _, o := range s.tables {
				names = append(names, o.name)
			}
			e := query.Errorf(star, query.CodeUnknownTable, "no table %s in FROM", PathText(identNames(star.Table)))
			if near := query.Nearest(star.Table[0].Name, names); near != "" {
				e = e.WithHint("did you mean %s?", near)
			}
			return nil, e
		}
		cols, err = b.star(t)
	case len(s.tables) == 0:
		return nil, query.Errorf(star, query.CodeSyntax, "* needs a table in FROM")
	default:
		cols, err = b.starAll(s)
	}
	if err != nil {
		return nil, err
	}
	cols = slices.Clone(cols)
	for _, id := range star.Exclude {
		n := len(cols)
		cols = slices.DeleteFunc(cols, func(c outCol) bool { return c.name == id.Name })
		if len(cols) == n && !id.Quoted {
			cols = slices.DeleteFunc(cols, func(c outCol) bool { return strings.EqualFold(c.name, id.Name) })
		}
		if len(cols) == n {
			return nil, query.Errorf(id, query.CodeUnknownColumn, "* has no column %q to exclude", id.Name)
		}
	}
	if b.rec != nil {
		err = b.rec.star(b, s, star, cols)
	}
	return cols, err
}

// starTable finds the table of t.*.
func (s *scope) starTable(parts []query.Ident) *table {
	for _, t := range s.tables {
		if len(parts) == 1 && t.name == parts[0].Name || len(parts) == 2 && t.schema == parts[0].Name && t.name == parts[1].Name {
			return t
		}
	}
	for _, t := range s.tables {
		if len(parts) == 1 && !parts[0].Quoted && strings.EqualFold(t.name, parts[0].Name) {
			return t
		}
	}
	return nil
}

// groupKeys binds GROUP BY: a column, an alias, the number of an item, an expression, or ALL.
func (b *binder) groupKeys(s *scope, q *query.Block, items []item, aliases []aliasItem) ([]exec.Expr, error) {
	var keys []exec.Expr
	add := func(x exec.Expr) {
		if _, ok := x.(*exec.Const); ok {
			return // one group
		}
		if !slices.ContainsFunc(keys, func(k exec.Expr) bool { return exec.Equal(k, x) }) {
			keys = append(keys, x)
		}
	}
	aggregated := func(x exec.Expr) bool {
		found := false
		exec.Walk(x, func(x exec.Expr) bool {
			if c, ok := x.(*exec.Col); ok && slices.Contains(s.aggs.ids, c.Index) {
				found = true
			}
			return !found
		})
		return found
	}
	if q.GroupByAll {
		for _, it := range items {
			if !aggregated(it.expr) && !s.windows.in(it.expr) {
				add(it.expr)
			}
		}
	}
	ks := *s
	ks.aggs, ks.windows, ks.where, ks.aliases = nil, nil, "GROUP BY", aliases
	constant := false
	for _, g := range q.GroupBy {
		x, ordinal, err := b.ordinal(g, items, "GROUP BY")
		if err != nil {
			return nil, err
		}
		if !ordinal {
			if x, err = b.expr(&ks, g); err != nil {
				return nil, err
			}
		}
		if aggregated(x) {
			return nil, query.Errorf(g, query.CodeGrouping, "GROUP BY cannot use an aggregate")
		}
		if s.windows.in(x) {
			return nil, query.Errorf(g, query.CodeWindow, "GROUP BY cannot use a window function")
		}
		_, isConst := x.(*exec.Const)
		constant = constant || isConst
		add(x)
	}
	if len(keys) == 0 && constant {
		// GROUP BY a constant alone: one group, and none when there is no row.
		c := &exec.Const{Span: q.GroupBy[0].At(), Value: query.Int(1)}
		c.T, _ = typeOfKind(query.KindInt)
		keys = append(keys, c)
	}
	return keys, nil
}

// ordinal binds an integer literal that numbers an item of the select list.
func (b *binder) ordinal(e query.Expr, items []item, what string) (exec.Expr, bool, error) {
	lit, ok := e.(*query.Literal)
	if !ok || lit.Value.Kind() != query.KindInt {
		return nil, false, nil
	}
	k := lit.Value.Int()
	if k < 1 || k > int64(len(items)) {
		return nil, false, query.Errorf(e, query.CodeOutOfRange, "%s %d: the select list has %d columns", what, k, len(items))
	}
	return items[k-1].expr, true, nil
}

// orderBy binds ORDER BY: an alias, the number of an item, or an expression.
func (b *binder) orderBy(s *scope, order []*query.Order, aliases []aliasItem) ([]exec.SortKey, error) {
	var keys []exec.SortKey
	items := make([]item, len(aliases))
	for i, a := range aliases {
		items[i] = item{name: a.name, expr: a.expr}
	}
	for _, o := range order {
		x, ok, err := b.ordinal(o.Expr, items, "ORDER BY")
		if err != nil {
			return nil, err
		}
		if n, isName := o.Expr.(*query.Name); !ok && isName && len(n.Parts) == 1 {
			if a := findAlias(aliases, n.Parts[0]); a != nil {
				x, ok = a, true
			}
		}
		if !ok {
			saved := s.aliases
			s.aliases = aliases
			x, err = b.expr(s, o.Expr)
			s.aliases = saved
			if err != nil {
				return nil, err
			}
		}
		keys = append(keys, exec.SortKey{Expr: x, Desc: o.Desc, NullsFirst: o.Nulls == query.NullsFirst})
	}
	return keys, nil
}

// overGroups rewrites an expression over rows to one over groups: parts equal to a key become the key's column; what is left
// of the input is an error.
func (b *binder) overGroups(agg *aggregateNode, s *scope, x exec.Expr) (exec.Expr, error) {
	for i, k := range agg.keys {
		if exec.Equal(k, x) {
			return b.col(agg.keyIDs[i], x.At()), nil
		}
	}
	if c, ok := x.(*exec.Col); ok {
		if slices.Contains(agg.aggIDs, c.Index) || s != nil && (s.applies.late(c.Index) || s.windows.has(c.Index)) {
			return x, nil
		}
		return nil, query.Errorf(c, query.CodeGrouping, "column %s must stand in GROUP BY or in an aggregate", c.Name).
			WithHint("any_value(%s) takes one of the group's values", c.Name)
	}
	return exec.MapArgs(x, func(a exec.Expr) (exec.Expr, error) { return b.overGroups(agg, s, a) })
}

// conjuncts takes a condition apart at its ANDs, in the order of the text.
func conjuncts(x exec.Expr) []exec.Expr {
	if l, ok := x.(*exec.Logic); ok && !l.Or {
		var out []exec.Expr
		for _, a := range l.Args {
			out = append(out, conjuncts(a)...)
		}
		return out
	}
	return []exec.Expr{x}
}
