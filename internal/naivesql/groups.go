package naivesql

import (
	"github.com/seed69692123/netdb/query"
)

// grouping is the groups of a block. A row of it is the values of its keys, then of its aggregates.
type grouping struct {
	names  []string // the text of each key
	keys   []*node
	aggs   []*aggregate
	always bool // there is a group also without rows
	groups []*group
}

// grouping returns nil for a block without groups.
func (r *runner) grouping(b *query.Block, s *scope, aliases map[string]query.Expr, by []*query.Order) (*grouping, error) {
	g := &grouping{}
	if b.GroupByAll {
		return nil, unknown("GROUP BY ALL")
	}
	for _, e := range b.GroupBy {
		x, err := item(b.Items, e)
		if err != nil {
			return nil, err
		}
		if n, ok := x.(*query.Name); ok && len(n.Parts) == 1 && aliases[n.Parts[0].Name] != nil && !s.has(n.Parts[0].Name) {
			x = aliases[n.Parts[0].Name]
		}
		k, err := s.compile(x)
		if err != nil {
			return nil, err
		}
		g.names, g.keys = append(g.names, x.String()), append(g.keys, k)
	}
	var exprs []query.Expr
	for _, it := range b.Items {
		exprs = append(exprs, it.Expr)
	}
	for _, t := range by {
		exprs = append(exprs, t.Expr)
	}
	if b.Having != nil {
		exprs = append(exprs, b.Having)
	}
	if b.Qualify != nil {
		exprs = append(exprs, b.Qualify)
	}
	nodes := make([]query.Node, 0, len(exprs)+len(b.Windows))
	for _, e := range exprs {
		nodes = append(nodes, e)
	}
	for _, w := range b.Windows {
		nodes = append(nodes, w)
	}
	var failed error
	for _, e := range nodes {
		query.Walk(e, func(n query.Node) bool {
			c, ok := n.(*query.Call)
			if !ok || len(c.Name) != 1 || !isAggregate(c.Name[0].Name) || c.Over != nil {
				return true
			}
			for _, a := range g.aggs {
				if a.text == c.String() {
					return false
				}
			}
			a, err := s.aggregate(c)
			if err == nil {
				g.aggs = append(g.aggs, a)
			} else if failed == nil {
				failed = err
			}
			return false
		})
	}
	switch {
	case failed != nil:
		return nil, failed
	case len(g.keys) == 0 && len(g.aggs) == 0 && b.Having == nil:
		return nil, nil
	}
	if g.always = len(g.keys) == 0; g.always {
		g.groups = append(g.groups, newGroup(nil, len(g.aggs)))
	}
	return g, nil
}

func (s *scope) has(name string) bool {
	for _, c := range s.cols {
		if c.name == name {
			return true
		}
	}
	return false
}

// scope is what expressions over groups see.
func (g *grouping) scope() *scope {
	return &scope{instead: func(e query.Expr) (*node, error) {
		text := e.String()
		for i, name := range g.names {
			if name == text {
				return &node{t: g.keys[i].t, eval: func(row []value) (value, error) { return row[i], nil }}, nil
			}
		}
		for i, a := range g.aggs {
			if a.text == text {
				return &node{t: a.t, eval: func(row []value) (value, error) { return row[len(g.keys)+i], nil }}, nil
			}
		}
		return nil, nil
	}}
}

func (g *grouping) add(row []value) error {
	key, err := keysOf(g.keys, row)
	if err != nil {
		return err
	}
	for _, o := range g.groups {
		if equal(o.key, key) {
			return o.add(g.aggs, row)
		}
	}
	o := newGroup(key, len(g.aggs))
	g.groups = append(g.groups, o)
	return o.add(g.aggs, row)
}

// rows returns a row for each group.
func (g *grouping) rows(r *runner) ([][]value, error) {
	var out [][]value
	for _, o := range g.groups {
		row := append([]value(nil), o.key...)
		for i, a := range g.aggs {
			v, magnitude, err := o.result(i, a)
			if err != nil {
				return nil, err
			}
			r.magnitude = max(r.magnitude, magnitude)
			row = append(row, v)
		}
		out = append(out, row)
	}
	return out, nil
}
