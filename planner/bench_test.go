package planner

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed69692123/netdb/planner/vector"
)

// benchTable gives the same batch of payload fields many times: the cost left is that of the operators.
type benchTable struct {
	memTable
	batches int
}

type benchScan struct {
	b       *benchTable
	out     vector.Batch
	batches int
}

func newBenchTable(batches int) *benchTable {
	t := &benchTable{batches: batches}
	t.cols = []Column{
		{Name: "zone", Type: vector.Any, InStar: true},
		{Name: "n", Type: vector.Any, InStar: true},
		{Name: "i", Type: vector.Int, InStar: true},
		{Name: "key", Type: vector.Any, InStar: true},
	}
	return t
}

func (t *benchTable) Scan(_ context.Context, r Request) (Iterator, error) {
	s := &benchScan{b: t, batches: t.batches}
	s.out.N = vector.MaxRows
	for _, o := range r.Outputs {
		v := vector.New(t.cols[o.Column].Type, s.out.N)
		for i := range s.out.N {
			switch o.Column {
			case 0:
				v.AppendText(fmt.Appendf(nil, "zone-%d", i*7%50))
			case 1:
				v.AppendInt(int64(i * 31 % 1000))
			case 2:
				v.AppendInt(int64(i))
			case 3:
				v.AppendText(fmt.Appendf(nil, "%040x", i))
			}
		}
		s.out.Cols = append(s.out.Cols, v)
	}
	return s, nil
}

func (s *benchScan) Close() error { return nil }
func (s *benchScan) Next(context.Context) (*vector.Batch, error) {
	if s.batches == 0 {
		return nil, nil
	}
	s.batches--
	s.out.Sel = nil
	return &s.out, nil
}

func BenchmarkOperators(b *testing.B) {
	for name, text := range map[string]string{
		"filter":   "SELECT n FROM big WHERE n > 500 AND zone = 'zone-7'",
		"like":     "SELECT count(*) FROM big WHERE zone LIKE '%-4%'",
		"group":    "SELECT zone, count(*), sum(n) FROM big GROUP BY zone",
		"groupint": "SELECT i, count(*) FROM big GROUP BY i",
		"sum":      "SELECT sum(n), sum(i) FROM big",
		"top":      "SELECT n, key FROM big ORDER BY n DESC LIMIT 10",
		"sort":     "SELECT n, key FROM big ORDER BY n",
		"join":     "SELECT count(*) FROM big JOIN small ON big.key = small.key",
		"project":  "SELECT lower(key), i + 1 FROM big",
	} {
		b.Run("query="+name, func(b *testing.B) {
			const batches = 100
			c := memCatalog{
				TableName{KindFold, "big"}:   newBenchTable(batches),
				TableName{KindFold, "small"}: newBenchTable(1),
			}
			p, err := planSQL(b.Context(), c, text, Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				r, err := Run(b.Context(), p, RunOptions{})
				if err != nil {
					b.Fatal(err)
				}
				for {
					batch, err := r.Next(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					if batch == nil {
						break
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batches*vector.MaxRows), "ns/row")
		})
	}
}
