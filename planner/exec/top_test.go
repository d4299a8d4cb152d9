package exec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seed69692123/netdb/planner/vector"
)

// TestTopBound: the rows that a full heap does not look at are none that it would keep. Every limit is the first rows of the whole order, for
// integers, texts of dictionaries and NULLs among them, in both directions, at the ends of the range, and when the class changes on the way.
func TestTopBound(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	dicts := []*vector.Dict{dictOf("b", "a", "", "zz", "a\x00"), dictOf("c", "aa", "b"), dictOf("y")}
	edges := []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64}
	batches := func(seed uint64) *batchesOp {
		r := rand.New(rand.NewPCG(seed, 1))
		op := &batchesOp{}
		spread := []int64{2, 100, math.MaxInt64}[r.IntN(3)]
		id := int64(0)
		for range 12 {
			n := 1 + r.IntN(200)
			key := vector.New(vector.Any, 0)
			switch kind := r.IntN(6); kind {
			case 0, 1:
				key = codedText(r, dicts[r.IntN(len(dicts))], n, kind == 0)
			default:
				for range n {
					switch {
					case kind == 2 && r.IntN(4) == 0:
						key.AppendNull()
					case r.IntN(10) == 0:
						key.AppendInt(edges[r.IntN(len(edges))])
					default:
						key.AppendInt(r.Int64N(spread) - spread/2)
					}
				}
				if kind != 2 {
					key.FindUniform(nil)
				}
			}
			ids := vector.New(vector.Int, 0)
			for range n {
				ids.AppendInt(id)
				id++
			}
			b := &vector.Batch{Cols: []*vector.Vector{key, ids}, N: n}
			if r.IntN(3) == 0 {
				b.Sel = vector.Sel{}
				for i := range n {
					if r.IntN(2) == 0 {
						b.Sel = append(b.Sel, int32(i))
					}
				}
			}
			if b.Rows() > 0 {
				op.batches = append(op.batches, b)
			}
		}
		return op
	}
	for range 400 {
		seed := r.Uint64()
		key := SortKey{Expr: &Col{Index: 0, T: vector.Any}, Desc: r.IntN(2) == 0, NullsFirst: r.IntN(2) == 0}
		limit := int64(1 + r.IntN(40))
		ids := func(limit int64) []int64 {
			s := &Sort{In: batches(seed), Keys: []SortKey{key, {Expr: &Col{Index: 1, T: vector.Int}, Desc: true}}, Limit: limit, Env: &Env{}}
			if err := s.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var out []int64
			for {
				b, err := s.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if b == nil {
					return out
				}
				for k := range b.Rows() {
					out = append(out, b.Cols[1].Int(b.Row(k)))
				}
			}
		}
		all := ids(0)
		if got, want := fmt.Sprint(ids(limit)), fmt.Sprint(all[:min(int(limit), len(all))]); got != want {
			t.Fatalf("seed %d, %+v, limit %d: %s, want %s", seed, key, limit, got, want)
		}
	}
}
