package exec

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/seed69692123/netdb/planner/vector"
)

// TestCodedJoins: joins on texts of dictionaries find what joins on the texts themselves do, for dictionaries that follow each other and share texts.
func TestCodedJoins(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	dicts := []*vector.Dict{dictOf("a", "b", "c", "d"), dictOf("d", "e", "a"), dictOf("x"), dictOf("b", "a", "y", "z", "c")}
	side := func() (fast, slow []*vector.Batch) {
		id := int64(0)
		for range r.IntN(4) {
			n := 1 + r.IntN(12)
			ids := vector.New(vector.Int, 0)
			for range n {
				ids.AppendInt(id)
				id++
			}
			b := &vector.Batch{N: n, Cols: []*vector.Vector{codedText(r, dicts[r.IntN(len(dicts))], n, r.IntN(2) == 0), ids}}
			if r.IntN(3) == 0 {
				b.Sel = vector.Sel{int32(r.IntN(n))}
			}
			fast, slow = append(fast, b), append(slow, slowly(b))
		}
		return fast, slow
	}
	types := []vector.Type{vector.Any, vector.Int}
	key := []Expr{&Col{Index: 0, T: vector.Any}}
	for round := range 3000 {
		lf, ls := side()
		rf, rs := side()
		kind := []JoinKind{JoinInner, JoinLeft, JoinFull, JoinSemi, JoinAnti, JoinMark, JoinFirst}[round%7]
		run := func(left, right []*vector.Batch) string {
			j := Join{
				Left: &batchesOp{left}, Right: &batchesOp{right}, Kind: kind, LeftKeys: key, RightKeys: key,
				LeftTypes: types, RightTypes: types, Env: &Env{BatchRows: 1 + round%5},
			}
			var op Operator = &j
			if kind >= JoinSemi {
				op = &Lookup{Join: j}
			}
			if err := op.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			text, err := drain(context.Background(), op)
			if err := errors.Join(err, op.Close()); err != nil {
				t.Fatal(err)
			}
			return text
		}
		if got, want := run(lf, rf), run(ls, rs); got != want {
			t.Fatalf("round %d, %v:\n%s\nwant\n%s", round, kind, got, want)
		}
	}
}
