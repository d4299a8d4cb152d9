package planner

import (
	"context"
	"math"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// maxDepth is how deep queries may be nested in each other, through subqueries and WITH; maxTables is how many tables a
// statement may read after WITH tables have been put in where they are named, which can double at each step.
const (
	maxDepth  = 64
	maxTables = 1000
)

// binder turns a syntax tree into a logical plan: it finds tables, columns and functions and decides types. It is used for
// one statement.
type binder struct {
	ctx    context.Context
	cat    Catalog
	opts   Options
	cols   []column             // by number
	fields map[int]fieldColumn  // columns that are dynamic fields of a scan
	tables []TableName          // all tables, fetched once
	params paramUse             // parameters the statement has used
	trees  map[Source]*pathTree // field catalogues by name
	depth  int
	reads  int // tables bound so far
	asof   asOfRange
	varies map[exec.Expr]bool // expressions that are known not to be constant

	nested    bool         // there are queries in the statement
	enclosing *enclosure   // while a query used as a value is bound
	defs      []node       // what is computed once beside the plan, in the order it can be
	queries   int          // of defs
	views     []string     // that are being bound, from the outermost on
	rec       *expansions  // of a view that is being made
	earlier   map[int]bool // columns of joins that stand below, while one of a block with groups is placed
}

// column is what is known of a column number.
type column struct {
	name  string
	typ   vector.Type
	table string // of a column of a scan: the name of the table in FROM
}

// fieldColumn is where a column that is a dynamic field, or the payload itself (no path), comes from.
type fieldColumn struct {
	scan *scanNode
	path []string
}

// newColumn gives out a column number.
func (b *binder) newColumn(name string, t vector.Type) int {
	b.cols = append(b.cols, column{name: name, typ: t})
	return len(b.cols) - 1
}

// col makes an expression of a column number.
func (b *binder) col(id int, at query.Span) *exec.Col {
	return &exec.Col{Span: at, Index: id, Name: b.cols[id].name, T: b.cols[id].typ}
}

// outCol is a column of a table or of a query's result: its name and its number.
type outCol struct {
	name string
	id   int
}

// table is an entry of FROM as names see it: a scan, or a query with its columns.
type table struct {
	name   string       // alias, else the table's own name
	schema string       // views, folds, logs or netdb when the table was named with it and has no alias
	scan   *scanNode    // nil for a query
	cols   []outCol     // of a query; of a scan, columns renamed by an alias list
	extra  []outCol     // of a scan: columns that a table function adds
	merged map[int]bool // columns that USING merged with those of another table
}

// scope is what an expression can see.
type scope struct {
	tables []*table
	// merged are the columns of USING and NATURAL: a bare name finds them once.
	merged []outCol
	// aliases are the items of the select list, for GROUP BY, HAVING and ORDER BY.
	aliases []aliasItem
	// aggs collects aggregate calls; nil where none are allowed.
	aggs *aggCollector
	// windows collects calls of window functions; nil where none are allowed.
	windows *windowCollector
	// where says what is being bound, for messages: "WHERE".
	where string
	ctes  *cteScope
	// outer is what a query used as a value sees of the one around it.
	outer *enclosure
	// applies collects the joins that such queries become; nil where they must not depend on the row.
	applies *applies
	// unnests collects what unnest in the select list makes rows of; nil where it must not stand.
	unnests *unnestNode
	// guards are true where what is being bound is evaluated at all.
	guards []exec.Expr
}

type aliasItem struct {
	name string
	expr exec.Expr
}

// cteScope is a chain of WITH tables, innermost first.
type cteScope struct {
	outer *cteScope
	cte   *query.CTE
	seen  *cteScope // what the query of the CTE itself sees
	uses  int       // how often it is named
	kept  *keepNode // when it is computed once
	cols  []outCol  // of kept
}

// bound is a query that was bound: its plan and its result columns.
type bound struct {
	node node
	cols []outCol
}

// query binds a whole query.
func (b *binder) query(q *query.Query, ctes *cteScope) (bound, error) {
	if b.depth++; b.depth > maxDepth {
		return bound{}, query.Errorf(q, query.CodeTooDeep, "queries are nested more than %d deep", maxDepth)
	}
	defer func() { b.depth-- }()
	if err := b.ctx.Err(); err != nil {
		return bound{}, err
	}
	if q.With != nil {
		if q.With.Recursive {
			return bound{}, unsupported(q.With, "WITH RECURSIVE")
		}
		for _, c := range q.With.Tables {
			ctes = &cteScope{outer: ctes, cte: c, seen: ctes, uses: usesOf(q, c)}
		}
		if err := b.checkCTENames(q.With); err != nil {
			return bound{}, err
		}
	}
	if q.AsOf != nil {
		if err := b.asOf(q.AsOf); err != nil {
			return bound{}, err
		}
	}
	limit, offset, err := b.limits(q)
	if err != nil {
		return bound{}, err
	}
	if block, ok := q.Body.(*query.Block); ok {
		return b.block(block, q.OrderBy, limit, offset, ctes)
	}
	res, err := b.body(q.Body, ctes)
	if err != nil {
		return bound{}, err
	}
	if len(q.OrderBy) > 0 {
		s := &scope{tables: []*table{{cols: res.cols}}, where: "ORDER BY", ctes: ctes}
		keys, err := b.orderBy(s, q.OrderBy, b.itemsOf(res.cols))
		if err != nil {
			return bound{}, err
		}
		res.node = &sortNode{unary: unary{in: res.node}, keys: keys}
	}
	res.node = withLimit(res.node, limit, offset)
	return res, nil
}

func (b *binder) checkCTENames(w *query.With) error {
	for i, c := range w.Tables {
		for _, d := range w.Tables[:i] {
			if c.Name.Name == d.Name.Name {
				return query.Errorf(c.Name, query.CodeDuplicate, "WITH names %q twice", c.Name.Name)
			}
		}
	}
	return nil
}

func (b *binder) itemsOf(cols []outCol) []aliasItem {
	items := make([]aliasItem, len(cols))
	for i, c := range cols {
		items[i] = aliasItem{c.name, b.col(c.id, query.Span{})}
	}
	return items
}

func withLimit(n node, limit, offset int64) node {
	if limit < 0 && offset == 0 {
		return n
	}
	return &limitNode{unary: unary{in: n}, count: limit, offset: offset}
}

// limits evaluates LIMIT and OFFSET: limit is -1 for all.
func (b *binder) limits(q *query.Query) (limit, offset int64, err error) {
	limit = -1
	if q.Limit != nil {
		if limit, err = b.count(q.Limit, "LIMIT", -1); err != nil {
			return 0, 0, err
		}
	}
	if q.Offset != nil {
		if offset, err = b.count(q.Offset, "OFFSET", 0); err != nil {
			return 0, 0, err
		}
	}
	return limit, offset, nil
}

// count evaluates a constant number of rows.
func (b *binder) count(e query.Expr, what string, null int64) (int64, error) {
	v, err := b.constant(e, what)
	if err != nil {
		return 0, err
	}
	switch {
	case v.IsNull():
		return null, nil
	case v.Kind() == query.KindBig && v.String()[0] != '-':
		return 0, query.Errorf(e, query.CodeOutOfRange, "%s goes up to %d", what, int64(math.MaxInt64))
	case v.Kind() == query.KindBig, v.Kind() == query.KindInt && v.Int() < 0:
		return 0, query.Errorf(e, query.CodeOutOfRange, "%s must not be negative", what)
	case v.Kind() != query.KindInt:
		return 0, query.Errorf(e, query.CodeType, "%s wants an integer, not %s", what, v.Kind().Type())
	}
	return v.Int(), nil
}

// constant binds and evaluates an expression that must not depend on rows.
func (b *binder) constant(e query.Expr, what string) (query.Value, error) {
	x, err := b.expr(&scope{where: what}, e)
	if err != nil {
		return query.Value{}, err
	}
	if !exec.IsConst(x) {
		return query.Value{}, query.Errorf(e, query.CodeType, "%s must be constant", what)
	}
	return exec.EvalConst(b.ctx, x, b.env())
}

func (b *binder) env() exec.Env { return exec.Env{Now: b.opts.Now, Zone: b.opts.Zone} }

// body binds what is not a plain block: set operations, VALUES, a query in parentheses.
func (b *binder) body(body query.Body, ctes *cteScope) (bound, error) {
	switch body := body.(type) {
	case *query.Block:
		return b.block(body, nil, -1, 0, ctes)
	case *query.Query:
		return b.query(body, ctes)
	case *query.ValuesList:
		return b.values(body)
	case *query.SetOp:
		return b.setOp(body, ctes)
	}
	return bound{}, unsupported(body, "this kind of query")
}

// values binds VALUES (…), (…).
func (b *binder) values(list *query.ValuesList) (bound, error) {
	s := &scope{where: "VALUES"}
	rows := make([][]exec.Expr, len(list.Rows))
	for i, r := range list.Rows {
		for _, item := range r.Items {
			x, err := b.expr(s, item)
			if err != nil {
				return bound{}, err
			}
			rows[i] = append(rows[i], x)
		}
	}
	n := &valuesNode{rows: rows, note: "VALUES"}
	var out []outCol
	for k := range rows[0] {
		column := make([]exec.Expr, len(rows))
		for i := range rows {
			column[i] = rows[i][k]
		}
		t, err := b.unify(column, "VALUES")
		if err != nil {
			return bound{}, err
		}
		for i := range rows {
			if rows[i][k], err = b.convert(rows[i][k], t); err != nil {
				return bound{}, err
			}
		}
		name := "column" + itoa(k+1)
		id := b.newColumn(name, t)
		n.ids = append(n.ids, id)
		out = append(out, outCol{name, id})
	}
	return bound{n, out}, nil
}

// unsupported is the error for what the language has and the planner has not yet.
func unsupported(n interface{ At() query.Span }, what string) *query.Error {
	return query.Errorf(n, query.CodeUnsupported, "%s is not supported", what)
}
