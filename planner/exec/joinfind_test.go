package exec

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/seed69692123/netdb/planner/vector"
)

// oneBatch is an operator that gives one batch.
type oneBatch struct{ b *vector.Batch }

func (o *oneBatch) Open(context.Context) error { return nil }
func (o *oneBatch) Next(context.Context) (*vector.Batch, error) {
	b := o.b
	o.b = nil
	return b, nil
}
func (o *oneBatch) Close() error { return nil }
func (o *oneBatch) Stats() Stats { return Stats{} }

// TestJoinFindsFirst: the partner that is found for a row is the first whose key is equal, also where all keys have one hash.
func TestJoinFindsFirst(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 1))
	for _, kind := range []string{"mixed", "texts", "coded", "codes only", "integers"} {
		for _, collide := range []bool{false, true} {
			const n = 900
			build, probe := randomKeys(rnd, kind, n), randomKeys(rnd, kind, n)
			key := []Expr{&Col{T: build.Type}}
			j := &Join{
				Left: &oneBatch{}, Right: &oneBatch{&vector.Batch{Cols: []*vector.Vector{build}, N: n}}, LeftKeys: key, RightKeys: key,
				LeftTypes: []vector.Type{build.Type}, RightTypes: []vector.Type{build.Type}, Env: &Env{},
			}
			if err := j.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			j.s.begin(t.Context())
			if err := j.readBuild(t.Context()); err != nil {
				t.Fatal(err)
			}
			j.read = true
			sel := vector.Sel{}
			for i := range n {
				if !probe.Null(i) && rnd.IntN(5) > 0 {
					sel = append(sel, int32(i))
				}
			}
			j.keys = []*vector.Vector{probe}
			j.hashes = make([]uint64, n)
			j.s.Hash(j.keys, sel, n, j.hashes)
			if collide {
				for i := range j.hashes {
					j.hashes[i] = 77
				}
				for k := range j.build.refs.n {
					*j.build.refs.at(k) = buildRef{hash: 77, loc: j.build.refs.at(k).loc}
				}
				j.build.heads = paged[int32]{}
				if err := j.chains(); err != nil {
					t.Fatal(err)
				}
			}
			if err := j.findAll(sel, n); err != nil {
				t.Fatal(err)
			}
			found := 0
			for _, i := range sel {
				want := int32(-1)
				for k := n - 1; k >= 0; k-- {
					if !build.Null(k) && j.s.EqualValues(probe, int(i), build, k) {
						want = int32(k)
					}
				}
				if got := j.find.first[i]; got != want {
					t.Fatalf("%s: row %d finds %d, not %d", kind, i, got, want)
				}
				if want >= 0 {
					found++
				}
			}
			if found == 0 {
				t.Fatalf("%s: no row has a partner", kind)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
