package exec

import (
	"math/rand/v2"
	"testing"

	"github.com/seed69692123/netdb/planner/vector"
)

// TestDistinctTexts counts texts that are in many groups: of columns with and without a dictionary, by one accumulator, or by three that are merged.
func TestDistinctTexts(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 1))
	s := newEvalState(&Env{})
	s.begin(t.Context())
	acct := newAccount(s.env, "test")
	g := &storeGate{s, &acct}
	call := &Aggregate{Fn: FindAggregate("count"), Args: []Expr{&Col{T: vector.Any}}, Distinct: true, T: vector.Int}
	const groups = 20
	var accs []accumulator
	for range 4 {
		a := newAccumulator(g, call)
		a.grow(groups)
		accs = append(accs, a)
	}
	want := map[int32]map[string]bool{}
	same := make([]int32, groups)
	for k := range same {
		same[k] = int32(k)
		want[int32(k)] = map[string]bool{}
	}
	for k := range 60 {
		n := 500
		v := randomKeys(rnd, []string{"coded", "texts", "mixed"}[k%3], n)
		of := make([]int32, n)
		for i := range of {
			of[i] = rnd.Int32N(groups)
			if !v.Null(i) {
				want[of[i]][string(vector.AppendKey(nil, v, i))] = true
			}
		}
		for _, a := range []accumulator{accs[0], accs[1+k/20]} {
			if err := a.add([]*vector.Vector{v}, of, nil, n); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, a := range accs[2:] {
		if err := accs[1].merge(a, same); err != nil {
			t.Fatal(err)
		}
	}
	for name, a := range map[string]accumulator{"one": accs[0], "merged": accs[1]} {
		for k := range groups {
			out := vector.New(vector.Int, 0)
			if err := a.result(out, k); err != nil {
				t.Fatal(err)
			}
			if out.Ints[0] != int64(len(want[int32(k)])) {
				t.Errorf("%s: group %d has %d texts, not %d", name, k, out.Ints[0], len(want[int32(k)]))
			}
		}
	}
}
