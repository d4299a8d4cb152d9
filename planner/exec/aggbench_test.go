package exec

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// replayed gives the same batches each time it is opened.
type replayed struct {
	batches []*vector.Batch
	at      int
	out     vector.Batch
}

func (r *replayed) Open(context.Context) error { r.at = 0; return nil }
func (r *replayed) Close() error               { return nil }
func (r *replayed) Stats() Stats               { return Stats{} }
func (r *replayed) Next(context.Context) (*vector.Batch, error) {
	if r.at == len(r.batches) {
		return nil, nil
	}
	r.out = *r.batches[r.at]
	r.at++
	return &r.out, nil
}

// benchRows are n rows: a key of 400 values, a random integer, a random double.
func benchRows(n int) []*vector.Batch {
	r := rand.New(rand.NewPCG(1, 1))
	var out []*vector.Batch
	for ; n > 0; n -= vector.MaxRows {
		b := &vector.Batch{N: min(n, vector.MaxRows), Cols: []*vector.Vector{vector.New(vector.Int, 0), vector.New(vector.Int, 0), vector.New(vector.Float, 0)}}
		for range b.N {
			b.Cols[0].AppendInt(int64(r.IntN(400)))
			b.Cols[1].AppendInt(int64(r.IntN(1_000_000)))
			b.Cols[2].AppendFloat(r.Float64())
		}
		out = append(out, b)
	}
	return out
}

// BenchmarkAggregates runs one aggregate over a million rows, as one group and as 400: less what count(*) takes it is the
// aggregate's own time.
func BenchmarkAggregates(b *testing.B) {
	const n = 1_000_000
	in := &replayed{batches: benchRows(n)}
	whole, double := &Col{Index: 1, T: vector.Int}, &Col{Index: 2, T: vector.Float}
	half := FractionConst(query.Span{}, []float64{0.5}, false)
	for _, tt := range []struct {
		name string
		agg  Aggregate
	}{
		{"count(*)", Aggregate{Fn: FindAggregate("count")}},
		{"sum(int)", Aggregate{Fn: FindAggregate("sum"), Args: []Expr{whole}}},
		{"sum(double)", Aggregate{Fn: FindAggregate("sum"), Args: []Expr{double}}},
		{"max(int)", Aggregate{Fn: FindAggregate("max"), Args: []Expr{whole}}},
		{"max(double)", Aggregate{Fn: FindAggregate("max"), Args: []Expr{double}}},
		{"count(distinct int)", Aggregate{Fn: FindAggregate("count"), Args: []Expr{whole}, Distinct: true}},
		{"stddev(int)", Aggregate{Fn: FindAggregate("stddev"), Args: []Expr{whole}}},
		{"stddev(double)", Aggregate{Fn: FindAggregate("stddev"), Args: []Expr{double}}},
		{"median(int)", Aggregate{Fn: FindAggregate("median"), Args: []Expr{whole}}},
		{"median(double)", Aggregate{Fn: FindAggregate("median"), Args: []Expr{double}}},
		{"quantile_disc(int)", Aggregate{Fn: FindAggregate("quantile_disc"), Args: []Expr{whole, half}}},
		{"approx_quantile(double)", Aggregate{Fn: FindAggregate("approx_quantile"), Args: []Expr{double, half}}},
		{"approx_count_distinct(int)", Aggregate{Fn: FindAggregate("approx_count_distinct"), Args: []Expr{whole}}},
		{"first(int order by double)", Aggregate{Fn: FindAggregate("first"), Args: []Expr{whole}, OrderBy: []SortKey{{Expr: double}}}},
		{"array_agg(int)", Aggregate{Fn: FindAggregate("array_agg"), Args: []Expr{whole}}},
		{"array_agg(int order by double)", Aggregate{Fn: FindAggregate("array_agg"), Args: []Expr{whole}, OrderBy: []SortKey{{Expr: double}}}},
	} {
		tt.agg.T, _ = tt.agg.Fn.Result(tt.agg.Args)
		for _, groups := range []int{1, 400} {
			b.Run(fmt.Sprintf("agg=%s/groups=%d", tt.name, groups), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					h := &HashAggregate{In: in, Aggs: []*Aggregate{&tt.agg}, Env: &Env{}}
					if groups > 1 {
						h.Keys = []Expr{&Col{Index: 0, T: vector.Int}}
					}
					if err := h.Open(b.Context()); err != nil {
						b.Fatal(err)
					}
					rows := 0
					for {
						out, err := h.Next(b.Context())
						if err != nil {
							b.Fatal(err)
						}
						if out == nil {
							break
						}
						rows += out.Rows()
					}
					if err := h.Close(); err != nil || rows != groups {
						b.Fatal(rows, err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
			})
		}
	}
}
