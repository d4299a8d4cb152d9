package exec

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/seed69692123/netdb/planner/vector"
)

// TestCodedTexts compares aggregates that keep a value over columns with dictionaries that change, among batches without one, with the same values
// without dictionaries, at once and in parts that are merged.
func TestCodedTexts(t *testing.T) {
	const groups = 40
	by := &Col{Index: 1, T: vector.Any}
	for _, name := range []string{"first", "last", "any_value", "min", "max", "arg_min", "arg_max"} {
		for seed := range uint64(40) {
			r := rand.New(rand.NewPCG(seed, 9))
			agg := &Aggregate{Fn: FindAggregate(name), Args: []Expr{&Col{T: vector.Any}}, T: vector.Any}
			if agg.Fn.Arity == 2 {
				agg.Args = append(agg.Args, by)
			}
			limit := []int64{0, 1 << 30, 1 << 10}[seed%3] // the last is too little for a dictionary
			x := aggRun{t, &Env{Budget: NewBudget(limit)}}
			accs := []accumulator{x.start(agg), x.start(agg), x.start(agg)} // of all rows as they are, and of both halves by code
			for _, a := range accs {
				a.grow(groups)
			}
			var d *vector.Dict
			const batches = 12
			for k := range batches {
				if d == nil || r.IntN(3) == 0 {
					var texts []string
					for i := range 1 + r.IntN(30) {
						texts = append(texts, fmt.Sprintf("%d-%d-%0*d", r.IntN(3), i, r.IntN(20), 0))
					}
					d = dictOf(texts...)
				}
				n := 1 + r.IntN(60)
				plain, coded := []*vector.Vector{vector.New(vector.Any, n), vector.New(vector.Any, n)}, []*vector.Vector{{}, {}}
				for c := range plain {
					text := vector.New(vector.Text, 0)
					text.Dict, text.Len = d, n
					without := r.IntN(4) == 0
					for i := range n {
						code := uint32(r.IntN(len(d.Refs)))
						text.Codes = append(text.Codes, code)
						switch {
						case r.IntN(8) == 0:
							text.SetNull(i)
							plain[c].AppendNull()
						case without && r.IntN(2) == 0:
							plain[c].AppendInt(int64(code))
						default:
							plain[c].AppendText(d.Value(code))
						}
					}
					if coded[c] = text; without {
						coded[c] = plain[c]
					}
				}
				of := make([]int32, n)
				for i := range of {
					of[i] = int32(r.IntN(groups))
				}
				args := len(agg.Args)
				half := accs[1+k*2/batches]
				if err := accs[0].add(plain[:args], of, nil, n); err != nil {
					t.Fatal(err)
				}
				if err := half.add(coded[:args], of, nil, n); err != nil {
					t.Fatal(err)
				}
			}
			into := make([]int32, groups)
			for g := range into {
				into[g] = int32(g)
			}
			if err := accs[1].merge(accs[2], into); err != nil {
				t.Fatal(err)
			}
			want, got := x.results(accs[0], agg, groups), x.results(accs[1], agg, groups)
			for g := range want {
				if fmt.Sprint(want[g]) != fmt.Sprint(got[g]) {
					t.Fatalf("%s, seed %d, group %d: %v, want %v", name, seed, g, got[g], want[g])
				}
				if size := accs[1].size(g); limit == 1<<30 && size > 100 {
					t.Fatalf("%s: size %d", name, size)
				}
			}
		}
	}
}
