package planner

import (
	"slices"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/query"
)

// A query used as a value that depends on the row becomes a join: the rows around it are the left side, what it reads the right
// one, and its WHERE the condition. The join gives each left row once and adds columns, which the expression then uses.

// apply is such a join, whose left side is not known yet.
type apply struct {
	join   *joinNode
	outs   []int // columns it adds
	placed bool
}

// applies are those of a block, in the order of the text: an expression of one may use columns that an earlier one adds.
type applies struct{ list []*apply }

// applyJoin adds a join to those of the scope's block.
func (b *binder) applyJoin(s *scope, at query.Node, n *joinNode) error {
	if s.applies == nil {
		return unsupported(at, "a query in "+s.where+" that uses columns of the query around it")
	}
	if len(s.guards) > 0 && (planFails(n.right) || slices.ContainsFunc(n.exprs(), exec.CanFail) || n.kind == exec.JoinSingle || aggsFail(n.aggs)) {
		// It counts only where SQL gets to it.
		if planFails(n.right) {
			return unsupported(at, "a query that can fail in its FROM, where not every row gets to it")
		}
		n.residual = append(slices.Clone(s.guards), n.residual...)
	}
	a := &apply{join: n}
	switch n.kind {
	case exec.JoinMark:
		a.outs = []int{n.mark}
	case exec.JoinGroup:
		a.outs = n.aggIDs
	default:
		a.outs = append(slices.Clone(n.right.outputs()), n.mark)
	}
	s.applies.list = append(s.applies.list, a)
	return nil
}

// place puts the joins that expressions need above a tree, unless that has been done. agg is the aggregate that stands below,
// if any: columns of the rows around become those of groups.
func (b *binder) place(s *scope, tree node, agg *aggregateNode, xs ...exec.Expr) (node, error) {
	if s.applies == nil || len(s.applies.list) == 0 {
		return tree, nil
	}
	need := map[int]bool{}
	for _, x := range xs {
		exec.Columns(x, need)
	}
	var take []*apply
	for _, a := range slices.Backward(s.applies.list) {
		if a.placed || !slices.ContainsFunc(a.outs, func(id int) bool { return need[id] }) {
			continue
		}
		take = append(take, a)
		for _, x := range a.join.exprs() {
			exec.Columns(x, need)
		}
	}
	for _, a := range slices.Backward(take) {
		a.placed = true
		if agg != nil {
			if err := b.joinOverGroups(agg, a); err != nil {
				return nil, err
			}
		}
		a.join.left = tree
		tree = a.join
	}
	return tree, nil
}

// late reports whether a column comes from a join that is not placed yet.
func (a *applies) late(id int) bool {
	return a != nil && slices.ContainsFunc(a.list, func(a *apply) bool { return !a.placed && slices.Contains(a.outs, id) })
}

// joinOverGroups rewrites what a join uses of the rows around to columns of groups.
func (b *binder) joinOverGroups(agg *aggregateNode, a *apply) error {
	n := a.join
	own := append(slices.Clone(n.right.outputs()), a.outs...)
	var rewrite func(x exec.Expr) (exec.Expr, error)
	rewrite = func(x exec.Expr) (exec.Expr, error) {
		if !hasCols(x) || within(x, own) {
			return x, nil
		}
		if c, ok := x.(*exec.Col); ok && b.earlier[c.Index] {
			return x, nil // of a join that stands below
		}
		if !usesAny(x, ids(own)) && !usesAny(x, b.earlier) {
			return b.overGroups(agg, nil, x)
		}
		return exec.MapArgs(x, rewrite)
	}
	var err error
	all := func(xs []exec.Expr) {
		for i := range xs {
			if err == nil {
				xs[i], err = rewrite(xs[i])
			}
		}
	}
	n.residual = slices.Clone(n.residual)
	all(n.residual)
	if n.test != nil && err == nil {
		n.test, err = rewrite(n.test)
	}
	aggs := n.aggs
	n.aggs = nil
	for _, g := range aggs {
		n.aggs = append(n.aggs, g.Map(func(x exec.Expr) exec.Expr {
			one := []exec.Expr{x}
			all(one)
			return one[0]
		}))
	}
	if b.earlier == nil {
		b.earlier = map[int]bool{}
	}
	for _, id := range a.outs {
		b.earlier[id] = true
	}
	return err
}

func ids(list []int) map[int]bool {
	set := make(map[int]bool, len(list))
	for _, id := range list {
		set[id] = true
	}
	return set
}

// usesAny reports whether a column of x is in a set, onlyOf whether all are.
func usesAny(x exec.Expr, set map[int]bool) bool {
	cols := map[int]bool{}
	exec.Columns(x, cols)
	for id := range cols {
		if set[id] {
			return true
		}
	}
	return false
}

func onlyOf(x exec.Expr, set map[int]bool) bool {
	cols := map[int]bool{}
	exec.Columns(x, cols)
	for id := range cols {
		if !set[id] {
			return false
		}
	}
	return true
}

// where binds WHERE: its conjuncts one after the other, each above the joins that it needs and those before it.
func (b *binder) where(s *scope, tree node, cond query.Expr) (node, error) {
	var list []query.Expr
	for e := cond; ; {
		and, ok := e.(*query.Binary)
		if !ok || and.Op != query.OpAnd {
			list = append(list, e)
			break
		}
		list = append(list, and.R)
		e = and.L
	}
	var preds []exec.Expr
	flush := func() {
		if len(preds) > 0 {
			tree = &filterNode{unary: unary{in: tree}, preds: preds}
		}
		preds = nil
	}
	for _, e := range slices.Backward(list) {
		var x exec.Expr
		var err error
		if in, ok := e.(*query.In); ok && in.Query != nil {
			x, err = b.inSubquery(s, in, true)
		} else {
			x, err = b.condition(s, e)
		}
		if err != nil {
			return nil, err
		}
		for _, x := range conjuncts(x) {
			if cols := map[int]bool{}; s.applies.any(x, cols) {
				flush()
				above, err := b.place(s, tree, nil, x)
				if err != nil {
					return nil, err
				}
				if tree = above; s.applies.decides(above, x) {
					continue
				}
			}
			preds = append(preds, x)
		}
	}
	flush()
	return tree, nil
}

// any reports whether an expression needs a join that is not placed yet.
func (a *applies) any(x exec.Expr, cols map[int]bool) bool {
	exec.Columns(x, cols)
	for id := range cols {
		if a.late(id) {
			return true
		}
	}
	return false
}

// decides makes a mark join a semi or an anti join where nothing but its mark is asked for, and reports whether it did.
func (a *applies) decides(n node, x exec.Expr) bool {
	j, ok := n.(*joinNode)
	if !ok || j.kind != exec.JoinMark {
		return false
	}
	kind := exec.JoinSemi
	if not, ok := x.(*exec.Not); ok {
		x, kind = not.X, exec.JoinAnti
	}
	if c, ok := x.(*exec.Col); !ok || c.Index != j.mark || kind == exec.JoinAnti && j.test != nil {
		return false // NOT IN is not true where IN is NULL
	}
	if j.kind = kind; j.test != nil {
		j.residual = append(j.residual, j.test)
		j.test = nil
	}
	return true
}

// parts are what a query that depends on the rows around is made of.
type parts struct {
	exprs    []exec.Expr // of the select list
	ids      []int
	distinct bool
	sort     []exec.SortKey
	limit    int64 // -1: all
	having   []exec.Expr
	agg      *aggregateNode
	where    []exec.Expr
	from     node
}

// item returns the expression of a column of the select list.
func (p *parts) item(id int) exec.Expr { return p.exprs[slices.Index(p.ids, id)] }

// takeApart takes the tree of a block apart, as binding has put it together. Columns of the query around may stand in its
// select list, its aggregates and its WHERE; elsewhere they are refused.
func (b *binder) takeApart(at query.Node, res bound, used map[int]bool) (*parts, error) {
	p := &parts{limit: -1}
	n := res.node
	peel := func() error {
		if l, ok := n.(*limitNode); ok {
			if l.offset > 0 {
				return unsupported(at, "OFFSET in a query that uses columns of the query around it")
			}
			p.limit, n = l.count, l.in
		}
		if s, ok := n.(*sortNode); ok {
			p.sort, n = s.keys, s.in
		}
		return nil
	}
	if err := peel(); err != nil {
		return nil, err
	}
	if d, ok := n.(*distinctNode); ok {
		p.distinct, n = true, d.in
	}
	proj, ok := n.(*projectNode)
	if !ok {
		return nil, unsupported(at, "this kind of query, with columns of the query around it")
	}
	p.exprs, p.ids, n = proj.exprs, proj.ids, proj.in
	if !p.distinct {
		if err := peel(); err != nil {
			return nil, err
		}
	}
	if f, ok := n.(*filterNode); ok {
		if a, ok := f.in.(*aggregateNode); ok {
			p.having, n = f.preds, a
		}
	}
	if a, ok := n.(*aggregateNode); ok {
		p.agg, n = a, a.in
	}
	p.from, p.where = b.lift(n, used)
	return p, b.refuseOuter(p.from, used)
}

// lift takes the predicates that use the columns around, and those that stand behind them, out of a tree: they are the
// condition of the join that it will be the right side of.
func (b *binder) lift(n node, used map[int]bool) (node, []exec.Expr) {
	switch x := n.(type) {
	case *filterNode:
		in, lifted := b.lift(x.in, used)
		at := slices.IndexFunc(x.preds, func(e exec.Expr) bool { return usesAny(e, used) })
		if len(lifted) > 0 {
			at = 0
		}
		switch {
		case at < 0:
			return n, nil
		case at > 0:
			return &filterNode{unary: unary{in: in}, preds: x.preds[:at]}, x.preds[at:]
		}
		return in, append(lifted, x.preds...)
	case *joinNode:
		// Of the joins that queries inside have become, those that cannot fail may see more rows.
		if x.kind < exec.JoinSemi || planFails(x.right) || slices.ContainsFunc(x.exprs(), exec.CanFail) || x.kind == exec.JoinSingle || aggsFail(x.aggs) {
			return n, nil
		}
		if slices.ContainsFunc(x.exprs(), func(e exec.Expr) bool { return usesAny(e, used) }) {
			return n, nil
		}
		in, lifted := b.lift(x.left, used)
		x.left = in
		return x, lifted
	}
	return n, nil
}

// refuseOuter refuses columns of the query around in a tree.
func (b *binder) refuseOuter(n node, used map[int]bool) error {
	for _, x := range nodeExprs(n) {
		var err error
		exec.Walk(x, func(e exec.Expr) bool {
			if c, ok := e.(*exec.Col); ok && used[c.Index] && err == nil {
				err = unsupported(c, "a column of the query around inside FROM, or below a query inside it,")
			}
			return err == nil
		})
		if err != nil {
			return err
		}
	}
	for _, c := range n.inputs() {
		if err := b.refuseOuter(c, used); err != nil {
			return err
		}
	}
	return nil
}
