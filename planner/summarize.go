package planner

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// maxSummary is how many columns SUMMARIZE takes: each has a sketch of 16 KiB and a digest.
const maxSummary = 1000

// summaryRow is a row of SUMMARIZE, made of columns of its plan's one row. -1 is none.
type summaryRow struct {
	name, typ string
	time      bool // what is calculated is in nanoseconds
	count     int
	distinct  int
	least     int
	greatest  int
	avg, std  int
	quantiles int
}

// summaryColumns are those of DuckDB's SUMMARIZE. Values keep their types, where DuckDB makes texts of them.
func summaryColumns() []ResultColumn {
	return []ResultColumn{
		{"column_name", vector.Text},
		{"column_type", vector.Text},
		{"min", vector.Any},
		{"max", vector.Any},
		{"approx_unique", vector.Int},
		{"avg", vector.Float},
		{"std", vector.Float},
		{"q25", vector.Any},
		{"q50", vector.Any},
		{"q75", vector.Any},
		{"count", vector.Int},
		{"null_percentage", vector.Float},
	}
}

// summarize binds the aggregates of all columns of a table or query, which one pass computes. Its result is one row, which
// runSummary turns into one for each column.
func (b *binder) summarize(p *Plan, s *query.Summarize) (bound, error) {
	q := s.Query
	if q == nil {
		q = selectAll(s.Table)
	}
	// The columns are needed before what is computed of them can be written.
	look := &binder{ctx: b.ctx, cat: b.cat, opts: b.opts, nested: true}
	cols, err := look.describeQuery(q)
	if err != nil {
		return bound{}, err
	}
	if len(cols) > maxSummary {
		return bound{}, query.Errorf(s, query.CodeTooDeep, "SUMMARIZE takes up to %d columns, not %d", maxSummary, len(cols)).
			WithHint("select those that are of interest")
	}
	b.nested = true
	inner := *q
	outer := &query.Query{Span: s.Span, AsOf: q.AsOf}
	inner.AsOf = nil
	m := summary{at: s.Span}
	m.item(&query.Call{Name: []query.Ident{{Name: "count"}}, Star: true})
	for i, c := range cols {
		p.summary = append(p.summary, m.column("c"+itoa(i), "n"+itoa(i), c))
	}
	values := &query.TableQuery{Query: &inner, Alias: &query.Alias{Name: query.Ident{Name: "of"}, Columns: m.names}}
	numbers := &query.TableQuery{Query: &query.Query{Body: &query.Block{Items: m.inner, From: []query.TableRef{values}}}}
	outer.Body = &query.Block{Items: m.outer, From: []query.TableRef{numbers}}
	if len(cols) == 0 {
		p.summary = []summaryRow{}
		outer.Body = &query.Block{Items: m.outer, From: []query.TableRef{values}}
	}
	return b.query(outer, nil)
}

// summary gathers the select lists of SUMMARIZE: inner gives each column and, where numbers can be in it, those; outer
// aggregates them.
type summary struct {
	at           query.Span
	names        []query.Ident
	inner, outer []*query.Item
}

func (m *summary) item(e query.Expr) int {
	m.outer = append(m.outer, &query.Item{Expr: e, Alias: query.Ident{Name: "a" + itoa(len(m.outer))}})
	return len(m.outer) - 1
}

// column adds a column's aggregates.
func (m *summary) column(name, number string, c described) summaryRow {
	call := func(fn string, args ...query.Expr) *query.Call {
		return &query.Call{Name: []query.Ident{{Name: fn}}, Args: args}
	}
	col := func(name string) query.Expr { return &query.Name{Parts: []query.Ident{{Name: name}}} }
	lit := func(v query.Value) query.Expr { return &query.Literal{Value: v} }
	m.names = append(m.names, query.Ident{Name: name})
	m.inner = append(m.inner, &query.Item{Expr: col(name)})
	r := summaryRow{
		name: c.name, typ: typeText(c.typ), avg: -1, std: -1, quantiles: -1,
		count:    m.item(call("count", col(name))),
		distinct: m.item(call("approx_count_distinct", col(name))),
		least:    m.item(call("min", col(name))),
		greatest: m.item(call("max", col(name))),
	}
	asDouble := func(x query.Expr) query.Expr {
		return &query.Cast{Expr: x, Type: &query.TypeName{Type: query.TypeDouble}, Try: true}
	}
	var x query.Expr
	switch c.typ {
	case vector.Int, vector.Float, vector.Any, vector.JSON:
		// Numbers of any form, those beyond BIGINT too, of which avg makes an error.
		x = asDouble(&query.Case{Whens: []*query.When{{
			Cond: &query.In{Expr: call("typeof", col(name)), List: []query.Expr{lit(query.Text("BIGINT")), lit(query.Text("DOUBLE"))}},
			Then: col(name),
		}}})
	case vector.Time:
		r.time = true
		x = call("epoch_ns", col(name))
	default:
		return r
	}
	m.inner = append(m.inner, &query.Item{Expr: x, Alias: query.Ident{Name: number}})
	if !r.time {
		r.avg = m.item(call("avg", col(number)))
		r.std = m.item(call("stddev_samp", col(number)))
	}
	r.quantiles = m.item(call("approx_quantile", col(number), &query.Array{
		Items: []query.Expr{lit(query.Double(0.25)), lit(query.Double(0.5)), lit(query.Double(0.75))},
	}))
	return r
}

// runSummary runs the plan of SUMMARIZE and gives its row column by column.
func (p *Plan) runSummary(ctx context.Context, o RunOptions) (*Result, error) {
	r, _, err := p.start(ctx, o, false)
	if err != nil {
		return nil, err
	}
	batch, err := r.Next(ctx)
	if err != nil {
		return nil, err
	}
	one := make([]query.Value, len(batch.Cols))
	for i, c := range batch.Cols {
		one[i] = exec.ValueAt(c, batch.Row(0))
	}
	v := &exec.Values{Env: &exec.Env{BatchRows: o.BatchRows}}
	columns := summaryColumns()
	out := &Result{plan: p, op: v}
	for i, c := range columns {
		v.Types = append(v.Types, c.Type)
		out.pos = append(out.pos, i)
	}
	for _, s := range p.summary {
		var row []exec.Expr
		values, err := s.values(one)
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		for i, x := range values {
			row = append(row, &exec.Const{Value: x, T: columns[i].Type})
		}
		v.Rows = append(v.Rows, row)
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	return out, v.Open(ctx)
}

// values makes the row from that of the plan.
func (s *summaryRow) values(one []query.Value) ([]query.Value, error) {
	at := func(i int) query.Value {
		if i < 0 {
			return query.Null()
		}
		return one[i]
	}
	rows, nulls := one[0].Int(), query.Null()
	if rows > 0 {
		nulls = query.Double(100 * float64(rows-at(s.count).Int()) / float64(rows))
	}
	q := []query.Value{query.Null(), query.Null(), query.Null()}
	if list := at(s.quantiles); !list.IsNull() {
		var texts []json.RawMessage
		if err := json.Unmarshal([]byte(list.String()), &texts); err != nil || len(texts) != len(q) {
			return nil, errors.Join(errors.New("planner: quantiles of SUMMARIZE: "+list.String()), err)
		}
		for i, t := range texts {
			x, err := query.ParseValue(strings.Trim(string(t), `"`), query.TypeDouble, nil)
			switch {
			case err != nil:
			case s.time:
				q[i] = query.Nanos(int64(x.Double()))
			default:
				q[i] = x
			}
		}
	}
	return []query.Value{
		query.Text(s.name), query.Text(s.typ), at(s.least), at(s.greatest), at(s.distinct), at(s.avg), at(s.std),
		q[0], q[1], q[2], query.Int(rows), nulls,
	}, nil
}
