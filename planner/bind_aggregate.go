package planner

import (
	"slices"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/query"
)

// aggCollector gathers the aggregate calls of a block.
type aggCollector struct {
	inner *scope // what their arguments see
	aggs  []*exec.Aggregate
	ids   []int
}

// aggregate binds an aggregate call: the expression is the column that will hold its result.
func (b *binder) aggregate(s *scope, e *query.Call, fn *exec.AggregateFunction) (exec.Expr, error) {
	if s.aggs == nil {
		where := s.where
		if where == "" {
			where = "this place"
		}
		err := query.Errorf(e, query.CodeGrouping, "aggregate %s is not allowed in %s", fn.Name, where)
		if s.where == "WHERE" {
			err = err.WithHint("use HAVING")
		}
		return nil, err
	}
	agg, err := b.aggregateCall(s.aggs.inner, e, fn)
	if err != nil {
		return nil, err
	}
	for i, o := range s.aggs.aggs {
		if o.Same(agg) {
			return b.col(s.aggs.ids[i], e.Span), nil
		}
	}
	id := b.newColumn(e.String(), agg.T)
	s.aggs.aggs, s.aggs.ids = append(s.aggs.aggs, agg), append(s.aggs.ids, id)
	return b.col(id, e.Span), nil
}

// aggregateCall binds what an aggregate is called with; inner is what its arguments see.
func (b *binder) aggregateCall(inner *scope, e *query.Call, fn *exec.AggregateFunction) (*exec.Aggregate, error) {
	switch {
	case len(e.WithinGroup) > 0 && fn.Setting(fn.Arity-1) != fractionSetting:
		return nil, query.Errorf(e.WithinGroup[0], query.CodeSyntax, "%s takes no WITHIN GROUP", fn.Name).WithHint("percentile_cont and percentile_disc do")
	case len(e.WithinGroup) > 0 && (len(e.WithinGroup) != 1 || len(e.Args) != 1 || len(e.OrderBy) > 0 || e.Distinct):
		return nil, query.Errorf(e.WithinGroup[0], query.CodeSyntax, "%s wants a fraction and WITHIN GROUP (ORDER BY x)", fn.Name)
	case e.Star && fn.Name != "count":
		return nil, query.Errorf(e, query.CodeSyntax, "%s(*) means nothing: only count(*) does", fn.Name)
	case e.Star && e.Distinct:
		return nil, query.Errorf(e, query.CodeSyntax, "count(DISTINCT *) is not supported").WithHint("name a column")
	}
	agg := &exec.Aggregate{Span: e.Span, Fn: fn, Distinct: e.Distinct}
	var err error
	if !e.Star {
		if fn.Name == "count" && len(e.Args) == 0 {
			// count() counts rows, as in DuckDB
		} else if agg.Args, err = b.aggregateArgs(inner, e, fn); err != nil {
			return nil, err
		}
	}
	if agg.OrderBy, err = b.aggregateOrder(inner, e, agg); err != nil {
		return nil, err
	}
	if e.Filter != nil {
		x, err := b.expr(inner, e.Filter)
		if err != nil {
			return nil, err
		}
		if agg.Filter, err = b.boolean(x, "FILTER"); err != nil {
			return nil, err
		}
	}
	var ok bool
	if agg.T, ok = fn.Result(agg.Args); !ok {
		return nil, query.Errorf(e, query.CodeType, "no %s for %s", fn.Name, typeName(agg.Args[0])).WithHint("%s", fn.Doc)
	}
	return agg, nil
}

// aggregateArgs binds the arguments of an aggregate.
func (b *binder) aggregateArgs(s *scope, e *query.Call, fn *exec.AggregateFunction) ([]exec.Expr, error) {
	from := e.Args
	if len(e.WithinGroup) > 0 {
		from = []query.Expr{e.WithinGroup[0].Expr, e.Args[0]}
	}
	lo, hi := fn.Bounds()
	if n := len(from); n < lo || n > hi {
		want := plural(hi)
		if lo < hi {
			want = itoa(lo) + " or " + want
		}
		return nil, arity(e, fn.Name, want, n)
	}
	var args []exec.Expr
	for i, a := range from {
		setting := fn.Setting(i)
		if setting == fractionSetting {
			x, err := b.fraction(s, fn.Name, a, len(e.WithinGroup) > 0 && e.WithinGroup[0].Desc)
			if err != nil {
				return nil, err
			}
			args = append(args, x)
			continue
		}
		x, err := b.expr(s, a)
		if err != nil {
			return nil, err
		}
		if x, err = b.argument(fn.Name, fn.Param(i), x); err != nil {
			return nil, err
		}
		if _, ok := x.(*exec.Const); !ok && setting != "" {
			return nil, query.Errorf(x, query.CodeType, "the %s of %s must be constant", setting, fn.Name)
		}
		args = append(args, x)
	}
	return args, nil
}

// fractionSetting is the setting of quantiles.
const fractionSetting = "fraction"

// fraction binds the fraction of a quantile, or an array of them. In descending order they count from the greatest value.
func (b *binder) fraction(s *scope, name string, e query.Expr, descending bool) (exec.Expr, error) {
	items := []query.Expr{e}
	array, list := e.(*query.Array)
	if list {
		items = array.Items
	}
	wrong := query.Errorf(e, query.CodeType, "the fraction of %s must be a constant between 0 and 1", name).
		WithHint("or an array of such; a negative one counts from the greatest value")
	var fractions []float64
	for _, item := range items {
		x, err := b.expr(s, item)
		if err != nil {
			return nil, err
		}
		c, ok := x.(*exec.Const)
		if !ok {
			return nil, wrong
		}
		some, isList, ok := exec.Fractions(c)
		if !ok || isList && list {
			return nil, wrong
		}
		fractions, list = append(fractions, some...), list || isList
	}
	if len(fractions) == 0 {
		return nil, wrong
	}
	if descending {
		for i, f := range fractions {
			if fractions[i] = -f; f == 0 {
				fractions[i] = 1 // there is no -0 in the text of a plan
			}
		}
	}
	return exec.FractionConst(e.At(), fractions, list), nil
}

// aggregateOrder binds the order of a call. Where the order of rows does not matter it is checked and left out.
func (b *binder) aggregateOrder(s *scope, e *query.Call, agg *exec.Aggregate) ([]exec.SortKey, error) {
	var keys []exec.SortKey
	for _, o := range e.OrderBy {
		x, err := b.expr(s, o.Expr)
		if err != nil {
			return nil, err
		}
		if _, ok := x.(*exec.Const); ok {
			continue // it orders nothing; also 1 is no number of an argument here
		}
		if agg.Distinct {
			at := slices.IndexFunc(agg.Args, func(a exec.Expr) bool {
				n, ok := a.(*exec.Narrow)
				return exec.Equal(a, x) || ok && exec.Equal(n.X, x)
			})
			if at < 0 {
				return nil, query.Errorf(o, query.CodeGrouping, "with DISTINCT, ORDER BY in %s can only use its arguments", agg.Fn.Name)
			}
			x = agg.Args[at]
		}
		keys = append(keys, exec.SortKey{Expr: x, Desc: o.Desc, NullsFirst: o.Nulls == query.NullsFirst})
	}
	if !agg.Fn.Ordered {
		return nil, nil
	}
	return keys, nil
}
