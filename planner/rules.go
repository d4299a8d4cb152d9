package planner

import (
	"math"
	"slices"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// optimize rewrites a bound plan. outs are the columns the result needs.
func (b *binder) optimize(n node, outs []int) (node, error) {
	n = b.push(n, nil)
	n = b.windowKeys(b.order(n))
	need := map[int]bool{}
	for _, id := range outs {
		need[id] = true
	}
	prune(n, need)
	n = b.endRows(n, false)
	if err := b.estimate(n); err != nil {
		return nil, err
	}
	n = b.countFromBounds(n)
	pushLimit(n)
	hints(n)
	once(n)
	b.eager(n)
	keyFilters(n)
	return n, nil
}

// push moves predicates down to where they exclude rows soonest. preds stand above n, in the order of the text, on columns of
// n. A predicate that can fail is never moved below a join, an aggregate or a DISTINCT, and never ahead of one that stood
// before it.
func (b *binder) push(n node, preds []exec.Expr) node {
	switch preds = b.unbucket(preds); n := n.(type) {
	case *filterNode:
		return b.push(n.in, append(slices.Clone(n.preds), preds...))
	case *scanNode:
		return b.wrap(n, n.takeRange(preds))
	case *projectNode:
		return b.pushProject(n, preds)
	case *aggregateNode:
		return b.pushGroups(n, preds)
	case *distinctNode:
		down, rest := b.split(preds, byValue)
		n.in = b.push(n.in, down)
		return b.wrap(n, rest)
	case *sortNode:
		n.in = b.push(n.in, preds)
		return n
	case *limitNode:
		n.in = b.push(n.in, nil)
		return b.wrap(n, preds)
	case *joinNode:
		return b.pushJoin(b.connect(n, preds), preds)
	case *windowNode:
		return n.push(b, preds)
	case *computeNode:
		down, rest := b.split(preds, func(x exec.Expr) bool { return !exec.CanFail(substitute(x, n.ids, n.exprs)) })
		for i, x := range down {
			down[i] = b.fold(substitute(x, n.ids, n.exprs))
		}
		n.in = b.push(n.in, down)
		return b.wrap(n, rest)
	case *unnestNode:
		return n.push(b, preds)
	case *withNode:
		for i, in := range n.ins {
			n.ins[i] = b.push(in, nil)
		}
		return b.wrap(n, preds)
	case *defNode, *keepNode:
		n.setInput(0, b.push(n.inputs()[0], nil))
		return n
	case *distinctOnNode:
		n.in = b.push(n.in, nil)
		return b.wrap(n, preds)
	case *setNode: // equal rows may differ in form: 1 and 1.0
		for i, in := range n.ins {
			n.ins[i] = b.push(in, nil)
		}
		return b.wrap(n, preds)
	case *unionNode:
		down, rest := b.split(preds, func(exec.Expr) bool { return true })
		for i, in := range n.ins {
			mine := make([]exec.Expr, len(down))
			for k, x := range down {
				mine[k] = exec.Rewrite(x, func(e exec.Expr) exec.Expr {
					if c, ok := e.(*exec.Col); ok {
						return b.col(n.maps[i][slices.Index(n.ids, c.Index)], c.Span)
					}
					return e
				})
			}
			n.ins[i] = b.push(in, mine)
		}
		return b.wrap(n, rest)
	}
	return b.pushWindows(n, preds)
}

// wrap puts a filter above n: none when nothing is left to test, no rows when a predicate is never true.
func (b *binder) wrap(n node, preds []exec.Expr) node {
	var keep []exec.Expr
	for _, x := range preds {
		c, ok := x.(*exec.Const)
		switch {
		case !ok:
			keep = append(keep, x)
		case c.Value.Kind() == query.KindBool && c.Value.Bool():
		default:
			return &valuesNode{ids: n.outputs(), note: "no rows"}
		}
	}
	if s, ok := n.(*scanNode); ok && (s.rng.Seq.Empty() || s.rng.Time.Empty()) {
		return &valuesNode{ids: n.outputs(), note: "no rows"}
	}
	if len(keep) == 0 {
		return n
	}
	return &filterNode{unary: unary{in: n}, preds: keep}
}

// split divides predicates into those that cannot fail and that may go down, and the rest.
func (b *binder) split(preds []exec.Expr, may func(exec.Expr) bool) (down, rest []exec.Expr) {
	for _, x := range preds {
		if !exec.CanFail(x) && may(x) {
			down = append(down, x)
		} else {
			rest = append(rest, x)
		}
	}
	return down, rest
}

// within reports whether every column of x is among ids.
func within(x exec.Expr, ids []int) bool {
	set := map[int]bool{}
	exec.Columns(x, set)
	for id := range set {
		if !slices.Contains(ids, id) {
			return false
		}
	}
	return true
}

// substitute replaces the columns ids in x by expressions.
func substitute(x exec.Expr, ids []int, by []exec.Expr) exec.Expr {
	return exec.Rewrite(x, func(e exec.Expr) exec.Expr {
		if c, ok := e.(*exec.Col); ok {
			if i := slices.Index(ids, c.Index); i >= 0 {
				return by[i]
			}
		}
		return e
	})
}

func (b *binder) pushProject(n *projectNode, preds []exec.Expr) node {
	var down, rest []exec.Expr
	for _, x := range preds {
		y := b.fold(substitute(x, n.ids, n.exprs))
		if exec.CanFail(y) {
			rest = append(rest, x)
		} else {
			down = append(down, y)
		}
	}
	n.in = b.push(n.in, down)
	return b.wrap(n, rest)
}

// takeRange turns predicates on the sequence and the time of a log into the scan's range, and returns the others.
func (n *scanNode) takeRange(preds []exec.Expr) []exec.Expr {
	var rest []exec.Expr
	for _, x := range preds {
		role, r, exact := n.rangeOfPred(x)
		switch role {
		case RoleSeq:
			n.rng.Seq = n.rng.Seq.Intersect(r)
		case RoleTime:
			n.rng.Time = n.rng.Time.Intersect(r)
		}
		if role == RoleNone || !exact {
			rest = append(rest, x)
		}
	}
	return rest
}

// rangeOfPred returns the range that a predicate on a sequence or time column stands for; exact means that it says no more
// than the range.
func (n *scanNode) rangeOfPred(x exec.Expr) (Role, Interval, bool) {
	switch x := x.(type) {
	case *exec.Compare:
		l, r, op := x.L, x.R, x.Op
		if _, ok := l.(*exec.Const); ok {
			l, r, op = r, l, op.Swap()
		}
		col, ok := l.(*exec.Col)
		if !ok {
			break
		}
		role := n.role(col.Index)
		if v, ok := pointOf(role, r); ok {
			if iv, ok := rangeOf(op, v); ok {
				return role, iv, true
			}
		}
	case *exec.In:
		col, ok := x.X.(*exec.Col)
		if !ok || x.Negate || len(x.List) == 0 {
			break
		}
		role := n.role(col.Index)
		lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
		for _, item := range x.List {
			v, ok := pointOf(role, item)
			if !ok {
				return RoleNone, Interval{}, false
			}
			lo, hi = min(lo, v), max(hi, v)
		}
		from, _ := rangeOf(vector.Ge, lo)
		to, _ := rangeOf(vector.Le, hi)
		return role, from.Intersect(to), len(x.List) == 1
	}
	return RoleNone, Interval{}, false
}

// pointOf returns the integer that a constant beside a column of that role is.
func pointOf(role Role, x exec.Expr) (int64, bool) {
	c, ok := x.(*exec.Const)
	if !ok {
		return 0, false
	}
	switch {
	case role == RoleSeq && c.Value.Kind() == query.KindInt:
		return c.Value.Int(), true
	case role == RoleSeq && c.Value.Kind() == query.KindDouble:
		f := c.Value.Double()
		return int64(f), f == math.Trunc(f) && f >= -1<<63 && f < 1<<63
	case role == RoleTime && c.Value.Kind() == query.KindTime:
		return c.Value.Nanos(), true
	}
	return 0, false
}

// rangeOf returns the integers for which `i op v` is true, where that is one range.
func rangeOf(op vector.CompareOp, v int64) (Interval, bool) {
	all := All()
	all.Bounded = true
	none := Interval{Bounded: true}
	switch op {
	case vector.Eq, vector.IsNotDistinct:
		if v == math.MaxInt64 {
			return Interval{From: v, To: v, Bounded: true}, true
		}
		return Interval{From: v, To: v + 1, Bounded: true}, true
	case vector.Lt:
		if v == math.MaxInt64 {
			return Interval{}, false // a bound of MaxInt64 would include it
		}
		all.To = v
	case vector.Le:
		if v < math.MaxInt64 {
			all.To = v + 1
		}
	case vector.Gt:
		if v == math.MaxInt64 {
			return none, true
		}
		all.From = v + 1
	case vector.Ge:
		all.From = v
	default:
		return Interval{}, false
	}
	return all, true
}

// order removes sorts by the order in which a log is read anyway, forwards or backwards.
func (b *binder) order(n node) node {
	for i, c := range n.inputs() {
		n.setInput(i, b.order(c))
	}
	if w, ok := n.(*windowNode); ok {
		w.inOrder()
	}
	if f, ok := n.(*filterNode); ok {
		if n := b.endRow(f); n != node(f) {
			return n
		}
		return latestFirst(f)
	}
	s, ok := n.(*sortNode)
	if !ok {
		return n
	}
	// A sort by constants keeps the order.
	s.keys = slices.DeleteFunc(s.keys, func(k exec.SortKey) bool {
		_, ok := k.Expr.(*exec.Const)
		return ok
	})
	if len(s.keys) == 0 {
		return s.in
	}
	keys, at, forwards := orderBelow(s.keys, s.in)
	scan, ok := at.(*scanNode)
	if !ok || scan.reverse || forwards && keys[0].Desc {
		return n
	}
	role := func(i int) Role {
		if i < len(keys) {
			if c, ok := keys[i].Expr.(*exec.Col); ok {
				return scan.role(c.Index)
			}
		}
		return RoleNone
	}
	switch {
	case role(0) == RoleSeq:
		scan.reverse = keys[0].Desc
		return s.in
	case role(0) == RoleTime && role(1) == RoleSeq && keys[0].Desc == keys[1].Desc:
		scan.reverse = keys[0].Desc
		return s.in
	case role(0) == RoleTime && len(keys) == 1 && !keys[0].Desc:
		return s.in
	case role(0) == RoleTime && len(keys) == 1:
		scan.reverse = true
		s.ties = true
	}
	return n
}

// prune removes columns that nobody above needs.
func prune(n node, need map[int]bool) {
	add := func(to map[int]bool, xs ...exec.Expr) map[int]bool {
		for _, x := range xs {
			if x != nil {
				exec.Columns(x, to)
			}
		}
		return to
	}
	clone := func() map[int]bool {
		c := make(map[int]bool, len(need))
		for id := range need {
			c[id] = true
		}
		return c
	}
	switch n := n.(type) {
	case *scanNode:
		k := 0
		for i, id := range n.ids {
			if need[id] {
				n.ids[k], n.outs[k] = id, n.outs[i]
				k++
			}
		}
		n.ids, n.outs = n.ids[:k], n.outs[:k]
	case *filterNode:
		prune(n.in, add(clone(), n.preds...))
		n.outs = needed(n.in.outputs(), need)
	case *projectNode:
		k := 0
		for i, id := range n.ids {
			if need[id] {
				n.ids[k], n.exprs[k] = id, n.exprs[i]
				k++
			}
		}
		n.ids, n.exprs = n.ids[:k], n.exprs[:k]
		prune(n.in, add(map[int]bool{}, n.exprs...))
	case *aggregateNode:
		k := 0
		for i, id := range n.aggIDs {
			if need[id] {
				n.aggIDs[k], n.aggs[k] = id, n.aggs[i]
				k++
			}
		}
		n.aggIDs, n.aggs = n.aggIDs[:k], n.aggs[:k]
		below := add(map[int]bool{}, n.keys...)
		for _, a := range n.aggs {
			add(below, a.Args...)
			for _, k := range a.OrderBy {
				add(below, k.Expr)
			}
			add(below, a.Filter)
		}
		prune(n.in, below)
	case *distinctNode:
		below := map[int]bool{}
		for _, id := range n.cols {
			below[id] = true
		}
		prune(n.in, below)
	case *sortNode:
		below := clone()
		for _, k := range n.keys {
			add(below, k.Expr)
		}
		prune(n.in, below)
	case *limitNode:
		prune(n.in, need)
	case *windowNode:
		n.prune(need)
		prune(n.in, add(clone(), n.exprs()...))
	case *computeNode:
		k := 0
		for i, id := range n.ids {
			if need[id] {
				n.ids[k], n.exprs[k] = id, n.exprs[i]
				k++
			}
		}
		n.ids, n.exprs = n.ids[:k], n.exprs[:k]
		prune(n.in, add(clone(), n.exprs...))
	case *endRowNode:
		prune(n.in, n.prune(need))
	case *hopNode, *sessionNode:
		prune(n.inputs()[0], pruneWindows(n, clone()))
	case *unnestNode:
		prune(n.in, add(clone(), n.exprs()...))
	case *joinNode:
		below := add(clone(), n.exprs()...)
		prune(n.left, below)
		prune(n.right, below)
		if n.asof == nil && (n.kind == exec.JoinInner || n.kind == exec.JoinLeft || n.kind == exec.JoinFull) {
			n.outs = needed(n.pairs(), need)
		}
	case *withNode:
		// Backwards: what is used stands before what uses it.
		for i, in := range slices.Backward(n.ins) {
			if i < len(n.ins)-1 {
				need = nil
			}
			prune(in, need)
		}
	case *keptNode:
		n.prune(need)
	case *keepNode:
		n.prune()
	case *distinctOnNode:
		prune(n.in, add(clone(), n.keys...))
	case *setNode:
		for i, in := range n.ins {
			prune(in, ids(n.maps[i]))
		}
	case *defNode:
		if n.col >= 0 {
			need = map[int]bool{n.col: true}
		}
		prune(n.in, need)
	case *unionNode:
		below := make([]map[int]bool, len(n.ins))
		k := 0
		for i, id := range n.ids {
			if !need[id] {
				continue
			}
			n.ids[k] = id
			for j := range n.maps {
				if below[j] == nil {
					below[j] = map[int]bool{}
				}
				n.maps[j][k] = n.maps[j][i]
				below[j][n.maps[j][k]] = true
			}
			k++
		}
		n.ids = n.ids[:k]
		for j, in := range n.ins {
			n.maps[j] = n.maps[j][:k]
			prune(in, below[j])
		}
	}
}

// needed returns those columns of ids that are needed; nil for all.
func needed(ids []int, need map[int]bool) []int {
	out := make([]int, 0, len(ids))
	for _, id := range ids {
		if need[id] {
			out = append(out, id)
		}
	}
	if len(out) == len(ids) {
		return nil
	}
	return out
}

// countFromBounds answers count(*) of a whole range of a table without reading it.
func (b *binder) countFromBounds(n node) node {
	for i, c := range n.inputs() {
		n.setInput(i, b.countFromBounds(c))
	}
	a, ok := n.(*aggregateNode)
	if !ok || len(a.keys) > 0 || len(a.aggs) == 0 {
		return n
	}
	for _, g := range a.aggs {
		if g.Fn.Name != "count" || len(g.Args) > 0 || g.Filter != nil {
			return n
		}
	}
	at := a.in
	for {
		p, ok := at.(*projectNode)
		if !ok {
			break
		}
		at = p.in
	}
	scan, ok := at.(*scanNode)
	if !ok || !scan.exact {
		return n
	}
	v := &valuesNode{ids: a.aggIDs, note: "count of " + scan.source.Title() + " from its bounds"}
	var row []exec.Expr
	for range a.aggIDs {
		row = append(row, &exec.Const{Value: query.Int(scan.est), T: vector.Int})
	}
	v.rows, v.est = [][]exec.Expr{row}, 1
	return v
}

func wants(n node, rows int64) {
	if rows == 0 {
		return // nothing will be asked for
	}
	switch n := n.(type) {
	case *projectNode:
		wants(n.in, rows)
	case *sortNode:
		n.limit = rows
	case *scanNode:
		if n.limit == 0 || rows < n.limit {
			n.limit = rows
		}
	case *limitNode:
		if n.count < 0 && rows <= math.MaxInt64-n.offset {
			wants(n.in, rows+n.offset)
		}
	case *unionNode:
		for _, in := range n.ins {
			wants(in, rows)
		}
	}
}

// hints tells scans what the filter directly above them asks of single columns.
func hints(n node) {
	for _, c := range n.inputs() {
		hints(c)
	}
	f, ok := n.(*filterNode)
	if !ok {
		return
	}
	scan, ok := f.in.(*scanNode)
	if !ok {
		return
	}
	for _, x := range f.preds {
		if exec.CanFail(x) {
			return // rows that a later hint excludes might be ones that an earlier predicate fails on
		}
		scan.match(x)
		c, ok := x.(*exec.Compare)
		if !ok || c.Op > vector.Ge || c.Op == vector.Ne {
			continue
		}
		l, r, op := c.L, c.R, c.Op
		if _, ok := l.(*exec.Const); ok {
			l, r, op = r, l, op.Swap()
		}
		col, ok1 := l.(*exec.Col)
		v, ok2 := r.(*exec.Const)
		if ok1 && ok2 && !v.Value.IsNull() {
			if i := slices.Index(scan.ids, col.Index); i >= 0 {
				scan.hints = append(scan.hints, Hint{Output: i, Op: op, Value: v.Value})
			}
		}
	}
}
