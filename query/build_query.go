package query

import "time"

// Builder makes a Query without text. Its methods change it and return it; the
// first mistake is kept and returned by Build. A Builder is for one goroutine.
type Builder struct {
	q   Query
	b   *Block
	err error
}

// Select begins a query. Each item is an E, or a string: a column by name.
func Select(items ...any) *Builder {
	q := &Builder{b: &Block{}}
	q.q.Body = q.b
	for _, v := range items {
		e := q.column(v)
		it := &Item{Expr: e.x}
		if e.alias != "" {
			it.Alias = newIdent(e.alias)
		}
		q.b.Items = append(q.b.Items, it)
	}
	if len(items) == 0 {
		q.b.Items = []*Item{{Expr: &Star{}}}
	}
	return q
}

func (q *Builder) keep(err error) {
	if q.err == nil {
		q.err = err
	}
}

// column takes an E, or a string as the name of a column.
func (q *Builder) column(v any) E {
	if s, ok := v.(string); ok {
		v = Col(s)
	}
	e := operand(v)
	q.keep(e.err)
	return e
}

func (q *Builder) expr(e E) Expr {
	e = operand(e)
	q.keep(e.err)
	return e.x
}

// T is a table that is being built.
type T struct {
	ref TableRef
	err error
}

// Table is a table by name: Table("app/log"), Table("folds", "tasks").
func Table(path ...string) T {
	ids, err := newIdents(path)
	return T{&TableName{Parts: ids}, err}
}

// Logs is logs(pattern): all logs of a pattern as one table.
func Logs(pattern string) T {
	e := Fn("logs", pattern)
	c, _ := e.x.(*Call)
	return T{&TableFunc{Call: c}, e.err}
}

// Sub is a query as a table; it needs a name in most places: see As.
func Sub(q *Builder) T {
	inner, err := q.Build()
	return T{&TableQuery{Query: inner}, err}
}

// As gives the table a name.
func (t T) As(name string) T {
	if name == "" {
		t.err = buildErr("an empty alias")
		return t
	}
	a := &Alias{Name: newIdent(name)}
	switch ref := t.ref.(type) {
	case *TableName:
		t.ref = &TableName{Parts: ref.Parts, Alias: a}
	case *TableFunc:
		t.ref = &TableFunc{Call: ref.Call, Alias: a}
	case *TableQuery:
		t.ref = &TableQuery{Query: ref.Query, Alias: a}
	}
	return t
}

// table takes a T, or a string as the name of a table.
func (q *Builder) table(v any) TableRef {
	switch v := v.(type) {
	case string:
		return q.table(Table(v))
	case T:
		q.keep(v.err)
		if v.ref != nil {
			return v.ref
		}
	case TableRef:
		return v
	}
	q.keep(buildErr("a table of type %T", v))
	return nil
}

// From sets the table that is read: a T, or a string as its name.
func (q *Builder) From(table any) *Builder {
	q.b.From = []TableRef{q.table(table)}
	return q
}

// Join joins a table, where on is true.
func (q *Builder) Join(table any, on E) *Builder { return q.join(JoinInner, table, on) }

// LeftJoin joins a table and keeps rows without a match.
func (q *Builder) LeftJoin(table any, on E) *Builder { return q.join(JoinLeft, table, on) }

func (q *Builder) join(kind JoinKind, table any, on E) *Builder {
	if len(q.b.From) == 0 {
		q.keep(buildErr("a join without From before it"))
		return q
	}
	q.b.From[0] = &Join{Kind: kind, L: q.b.From[0], R: q.table(table), On: q.expr(on)}
	return q
}

// Where keeps rows for which e is true. Called again, all must be.
func (q *Builder) Where(e E) *Builder {
	q.b.Where = and(q.b.Where, q.expr(e))
	return q
}

func and(l, r Expr) Expr {
	if l == nil {
		return r
	}
	return &Binary{Op: OpAnd, L: l, R: r}
}

// GroupBy groups by items: each an E, or a string as the name of a column.
func (q *Builder) GroupBy(items ...any) *Builder {
	for _, v := range items {
		q.b.GroupBy = append(q.b.GroupBy, q.column(v).x)
	}
	return q
}

// Having keeps groups for which e is true. Called again, all must be.
func (q *Builder) Having(e E) *Builder {
	q.b.Having = and(q.b.Having, q.expr(e))
	return q
}

// Distinct leaves out repeated rows.
func (q *Builder) Distinct() *Builder {
	q.b.Distinct = true
	return q
}

// OrderBy orders by keys: each an E, with Desc and NullsFirst, or a string as
// the name of a column.
func (q *Builder) OrderBy(keys ...any) *Builder {
	for _, v := range keys {
		e := q.column(v)
		q.q.OrderBy = append(q.q.OrderBy, &Order{Expr: e.x, Desc: e.desc, Nulls: e.nulls})
	}
	return q
}

// Limit returns at most n rows.
func (q *Builder) Limit(n int64) *Builder {
	x, err := limitExpr(n)
	q.keep(err)
	q.q.Limit = x
	return q
}

// Offset leaves out the first n rows.
func (q *Builder) Offset(n int64) *Builder {
	x, err := limitExpr(n)
	q.keep(err)
	q.q.Offset = x
	return q
}

// AsOfSeq reads the log as it was when n was its last sequence number.
func (q *Builder) AsOfSeq(n int64) *Builder {
	x, err := limitExpr(n)
	q.keep(err)
	q.q.AsOf = &AsOf{Kind: AsOfSeq, Expr: x}
	return q
}

// AsOfTime reads everything as it was at t.
func (q *Builder) AsOfTime(t time.Time) *Builder {
	e := operand(t)
	q.keep(e.err)
	q.q.AsOf = &AsOf{Expr: e.x}
	return q
}

// Build returns the query, or an error that is ErrBuild. The builder may be used
// on; it shares no node with what it returned.
func (q *Builder) Build() (*Query, error) {
	if q.err != nil {
		return nil, q.err
	}
	built := Clone(&q.q)
	var bad Node
	Walk(built, func(n Node) bool {
		if bad == nil && !complete(n) {
			bad = n
		}
		return bad == nil
	})
	if bad != nil {
		return nil, buildErr("an incomplete %T", bad)
	}
	return built, nil
}

// InsertBuilder makes an Insert without text.
type InsertBuilder struct {
	s    Insert
	rows ValuesList
	err  error
}

// InsertInto begins an insert of events into a log. Columns are names of top-level
// fields, or _kind, _origin and _key.
func InsertInto(log string, columns ...string) *InsertBuilder {
	b := &InsertBuilder{}
	t := Table(log)
	b.err = t.err
	b.s.Table, _ = t.ref.(*TableName)
	for _, c := range columns {
		e := Col(c)
		if b.err == nil {
			b.err = e.err
		}
		b.s.Columns = append(b.s.Columns, e.x.(*Name))
	}
	return b
}

// Values adds one event: one operand for each column.
func (b *InsertBuilder) Values(values ...any) *InsertBuilder {
	row := &Tuple{}
	for _, v := range values {
		e := operand(v)
		if b.err == nil {
			b.err = e.err
		}
		row.Items = append(row.Items, e.x)
	}
	if b.err == nil && (len(values) == 0 || b.s.Columns != nil && len(values) != len(b.s.Columns)) {
		b.err = buildErr("%d values for %d columns", len(values), len(b.s.Columns))
	}
	b.rows.Rows = append(b.rows.Rows, row)
	return b
}

// Build returns the insert, or an error that is ErrBuild.
func (b *InsertBuilder) Build() (*Insert, error) {
	switch {
	case b.err != nil:
		return nil, b.err
	case len(b.rows.Rows) == 0:
		return nil, buildErr("an insert without values")
	}
	for _, row := range b.rows.Rows {
		if len(row.Items) != len(b.rows.Rows[0].Items) {
			return nil, buildErr("rows of %d and %d values", len(b.rows.Rows[0].Items), len(row.Items))
		}
	}
	b.s.Source = &Query{Body: &b.rows}
	return Clone(&b.s), nil
}
