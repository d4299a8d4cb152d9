package naivesql

import (
	"slices"
	"sort"

	"github.com/seed69692123/netdb/query"
)

// Table is rows of the columns Columns. Whole are columns that are BIGINT in every row; the others have values of any type.
type Table struct {
	Columns []string
	Whole   map[string]bool
	Rows    [][]any
}

// Tables are the tables by name.
type Tables map[string]*Table

// Answer is what a query gives.
type Answer struct {
	Rows [][]any
	// Keys are what the rows were sorted by, nil without ORDER BY. Rows of equal keys are in the order of Order.
	Keys [][]any
	// Ordered says that the rules give rows of equal keys, or all rows when there are no keys, an order.
	Ordered bool
	// Loose says that the rules leave open which of two equal values (1 and 1.0) stands for both.
	Loose bool
	// Magnitude is the largest sum of magnitudes of a DOUBLE sum or mean.
	Magnitude float64
	// Err is the error that ends the rows, an *Error or ErrUnknown.
	Err error
}

// result is the rows of a part of a query and their columns.
type result struct {
	cols    []column
	rows    [][]value
	keys    [][]value
	ordered bool
	loose   bool
	err     error // behind the rows
}

type runner struct {
	tables    Tables
	lenient   bool
	magnitude float64
}

// Run answers a query. An expression that fails is evaluated where the text of the query has it. What cannot fail may be looked
// at earlier, in joins above all, so that fewer rows fail: with lenient set, an error is passed over when a condition beside or
// above takes out its row.
func Run(tables Tables, q *query.Query, lenient bool) Answer {
	r := &runner{tables: tables, lenient: lenient}
	out, err := r.query(q)
	if err != nil {
		return Answer{Err: err}
	}
	return Answer{Rows: out.rows, Keys: out.keys, Ordered: out.ordered, Loose: out.loose, Magnitude: r.magnitude, Err: out.err}
}

func (r *runner) query(q *query.Query) (*result, error) {
	if q.With != nil || q.AsOf != nil {
		return nil, unknown(q)
	}
	limit, err := count(q.Limit, -1)
	if err != nil {
		return nil, err
	}
	offset, err := count(q.Offset, 0)
	if err != nil {
		return nil, err
	}
	switch b := q.Body.(type) {
	case *query.Block:
		return r.block(b, q.OrderBy, limit, offset)
	case *query.SetOp:
		return r.union(b, q.OrderBy, limit, offset)
	}
	return nil, unknown(q.Body)
}

func count(e query.Expr, none int64) (int64, error) {
	if e == nil {
		return none, nil
	}
	lit, ok := e.(*query.Literal)
	if !ok || lit.Value.Kind() != query.KindInt || lit.Value.Int() < 0 {
		return 0, unknown(e)
	}
	return lit.Value.Int(), nil
}

// keysOf evaluates expressions.
func keysOf(xs []*node, row []value) ([]value, error) {
	out := make([]value, len(xs))
	for i, x := range xs {
		var err error
		if out[i], err = x.eval(row); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// order compares rows by keys.
type order struct {
	keys  []*node
	terms []*query.Order
}

func (o *order) compare(a, b []value) int {
	for i, t := range o.terms {
		x, y := a[i], b[i]
		if isNull(x) || isNull(y) {
			c := 0
			switch {
			case isNull(x) && isNull(y):
				continue
			case isNull(x):
				c = 1
			default:
				c = -1
			}
			if t.Nulls == query.NullsFirst {
				c = -c
			}
			return c
		}
		if c := Compare(x, y); c != 0 {
			if t.Desc {
				return -c
			}
			return c
		}
	}
	return 0
}

// item returns the item of the select list that a number stands for.
func item(items []*query.Item, e query.Expr) (query.Expr, error) {
	lit, ok := e.(*query.Literal)
	if !ok || lit.Value.Kind() != query.KindInt {
		return e, nil
	}
	n := lit.Value.Int()
	if n < 1 || n > int64(len(items)) {
		return nil, fail(query.CodeOutOfRange)
	}
	return items[n-1].Expr, nil
}

// block answers SELECT … FROM … WHERE … GROUP BY … HAVING … with the order and limit behind it. Items are evaluated last, for
// rows of the answer only; with DISTINCT first.
func (r *runner) block(b *query.Block, by []*query.Order, limit, offset int64) (*result, error) {
	in, err := r.from(b.From, b.Where)
	if err != nil {
		return nil, err
	}
	c, err := r.prepare(b, by, in)
	if err != nil {
		return nil, err
	}
	out := &result{cols: c.cols, loose: in.loose, ordered: in.ordered && c.groups == nil}
	if limit == 0 {
		return out, nil
	}
	if limit > 0 && by == nil && c.groups == nil {
		c.enough = limit + offset
	}
	failed := c.read(in)
	if failed == nil && c.groups != nil {
		var rows [][]value
		if rows, failed = c.groups.rows(r); failed == nil {
			failed = c.take(rows, c.having)
		}
	}
	if c.windows != nil {
		if failed = c.window(failed); failed != nil && !r.lenient {
			return &result{cols: c.cols, err: failed}, nil
		}
	}
	if failed != nil && (by != nil || c.groups != nil) {
		return &result{cols: c.cols, err: failed}, nil
	}
	out.keys = c.keys
	for i, row := range out.cut(c.kept, c.order, limit, offset) {
		values := row
		if !b.Distinct {
			if values, err = keysOf(c.items, row); err != nil {
				failed = err
				if out.keys != nil {
					out.keys = out.keys[:i]
				}
				break
			}
		}
		out.rows = append(out.rows, values)
	}
	out.err = failed
	return out, nil
}

// compiled is a block made ready for its rows, and what it kept of them.
type compiled struct {
	r             *runner
	cols          []column
	where, having []*node
	items         []*node
	distinct      bool
	groups        *grouping
	windows       *windowing
	qualify       []*node
	below         [][]value // rows that windows are computed of
	order         *order
	places        []int // with DISTINCT: the items that are the keys of the order
	enough        int64 // rows that are as many as wanted, -1 for all
	kept          [][]value
	keys          [][]value
}

func (r *runner) prepare(b *query.Block, by []*query.Order, in *result) (*compiled, error) {
	c := &compiled{r: r, distinct: b.Distinct, order: &order{terms: by}, enough: -1}
	s := &scope{cols: in.cols}
	aliases := map[string]query.Expr{}
	for _, it := range b.Items {
		if it.Alias.Is() {
			aliases[it.Alias.Name] = it.Expr
		}
	}
	var err error
	if c.where, err = conditions(s, b.Where); err != nil {
		return nil, err
	}
	if c.groups, err = r.grouping(b, s, aliases, by); err != nil {
		return nil, err
	}
	above := s
	if c.groups != nil {
		above = c.groups.scope()
	}
	if c.windows, err = r.windowing(b, above, by, in.width(c.groups)); err != nil {
		return nil, err
	}
	grouped := above
	if c.windows != nil {
		above = c.windows.scope(above)
	}
	for _, it := range b.Items {
		x, err := above.compile(it.Expr)
		if err != nil {
			return nil, err
		}
		c.items = append(c.items, x)
		name := it.Alias.Name
		if n, ok := it.Expr.(*query.Name); ok && name == "" {
			name = n.Parts[len(n.Parts)-1].Name
		}
		c.cols = append(c.cols, column{name: name, t: x.t})
	}
	behind := *above
	behind.aliases = aliases
	having := *grouped
	having.aliases = aliases
	if c.having, err = conditions(&having, b.Having); err != nil {
		return nil, err
	}
	if c.qualify, err = conditions(&behind, b.Qualify); err != nil {
		return nil, err
	}
	for _, t := range by {
		x, err := item(b.Items, t.Expr)
		if err != nil {
			return nil, err
		}
		if n, ok := x.(*query.Name); ok && len(n.Parts) == 1 && aliases[n.Parts[0].Name] != nil {
			x = aliases[n.Parts[0].Name]
		}
		if b.Distinct {
			at := slices.IndexFunc(b.Items, func(it *query.Item) bool { return it.Expr.String() == x.String() })
			if at < 0 {
				return nil, fail(query.CodeGrouping)
			}
			c.places = append(c.places, at)
			continue
		}
		k, err := behind.compile(x)
		if err != nil {
			return nil, err
		}
		c.order.keys = append(c.order.keys, k)
	}
	return c, nil
}

// read takes in the rows that pass WHERE, until there are enough.
func (c *compiled) read(in *result) error {
	for _, row := range in.rows {
		if c.windows == nil && c.full() {
			return nil
		}
		if c.groups == nil {
			if err := c.take([][]value{row}, c.where); err != nil {
				return err
			}
			continue
		}
		ok, err := c.r.holds(c.where, row)
		if err == nil && ok {
			err = c.groups.add(row)
		}
		if err != nil {
			return err
		}
	}
	if c.windows == nil && c.full() {
		return nil
	}
	return in.err
}

// width is the number of columns of a row, or of a group.
func (d *result) width(g *grouping) int {
	if g != nil {
		return len(g.keys) + len(g.aggs)
	}
	return len(d.cols)
}

// window computes the windows of the rows that were taken, which are followed by an error or not, and takes those that pass QUALIFY.
func (c *compiled) window(failed error) error {
	if failed != nil && !c.r.lenient {
		return failed
	}
	windows := c.windows
	c.windows = nil
	rows, errs := windows.compute(c.r, c.below)
	for i, row := range rows {
		if at := slices.IndexFunc(errs, func(err error) bool { return err != nil }); at >= 0 && (at == i || !c.r.lenient) {
			return errs[at]
		}
		if c.full() {
			return nil
		}
		if err := c.take([][]value{row}, c.qualify); err != nil {
			return err
		}
	}
	return failed
}

func (c *compiled) full() bool { return c.enough >= 0 && int64(len(c.kept)) >= c.enough }

// take keeps the rows that pass conditions; with DISTINCT their items, unless there are equal ones.
func (c *compiled) take(rows [][]value, conds []*node) error {
	for _, row := range rows {
		ok, err := c.r.holds(conds, row)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if c.windows != nil {
			c.below = append(c.below, row)
			continue
		}
		var keys []value
		if c.distinct {
			if row, err = keysOf(c.items, row); err != nil {
				return err
			}
			if slices.ContainsFunc(c.kept, func(o []value) bool { return equal(o, row) }) {
				continue
			}
			for _, at := range c.places {
				keys = append(keys, row[at])
			}
		} else if keys, err = keysOf(c.order.keys, row); err != nil {
			return err
		}
		c.kept = append(c.kept, row)
		if c.order.terms != nil {
			c.keys = append(c.keys, keys)
		}
	}
	return nil
}

func equal(a, b []value) bool {
	for i := range a {
		if Compare(a[i], b[i]) != 0 {
			return false
		}
	}
	return true
}

// cut sorts rows and their keys, and takes LIMIT and OFFSET.
func (d *result) cut(rows [][]value, o *order, limit, offset int64) [][]value {
	if len(o.terms) > 0 {
		at := make([]int, len(rows))
		for i := range at {
			at[i] = i
		}
		sort.SliceStable(at, func(i, j int) bool { return o.compare(d.keys[at[i]], d.keys[at[j]]) < 0 })
		sorted, keys := make([][]value, len(rows)), make([][]value, len(rows))
		for i, k := range at {
			sorted[i], keys[i] = rows[k], d.keys[k]
		}
		rows, d.keys = sorted, keys
	}
	from := min(offset, int64(len(rows)))
	to := int64(len(rows))
	if limit >= 0 {
		to = min(to, from+limit)
	}
	if d.keys != nil {
		d.keys = d.keys[from:to]
	}
	return rows[from:to]
}
