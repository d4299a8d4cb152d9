package exec

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/seed69692123/netdb/planner/vector"
)

// TestGroupsOfMany looks for the groups of whole batches in a table that is large enough for that: numbers are those of the order of first rows,
// whatever the keys are and however many have one hash.
func TestGroupsOfMany(t *testing.T) {
	const seed = 7
	for _, hashes := range []uint64{^uint64(0), 0xfc000000000003ff} {
		for _, first := range []string{"mixed", "coded", "codes only", "texts", "integers"} {
			t.Run(fmt.Sprintf("%s/%x", first, hashes), func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 1))
				s := newEvalState(&Env{})
				s.begin(t.Context())
				acct := newAccount(s.env, "test")
				table := newGroupTable(s, &storeGate{s, &acct}, []vector.Type{vector.Any, vector.Any})
				want := map[string]int32{}
				for range 40 {
					n := 1 + rnd.IntN(vector.MaxRows)
					cols := []*vector.Vector{randomKeys(rnd, first, n), randomKeys(rnd, "mixed", n)}
					if rnd.IntN(4) == 0 {
						one := &vector.Vector{}
						one.CopyFrom(cols[1], 1)
						one.Const = true
						cols[1] = one
					}
					var sel vector.Sel
					if rnd.IntN(2) == 0 {
						sel = vector.Sel{}
						for i := range n {
							if rnd.IntN(3) > 0 {
								sel = append(sel, int32(i))
							}
						}
					}
					h, err := table.hash(cols, sel, n)
					if err != nil {
						t.Fatal(err)
					}
					for i := range h {
						h[i] &= hashes
					}
					groups := make([]int32, n)
					before, fresh := len(want), 0
					if err := table.addAll(cols, sel, n, h, groups, func(g int32, i int) {
						if int(g) != before+fresh || groups[i] != g {
							t.Errorf("group %d of row %d is new behind %d", g, i, before+fresh)
						}
						fresh++
					}); err != nil {
						t.Fatal(err)
					}
					sel.All(n, func(i int) {
						key := string(vector.AppendKey(vector.AppendKey(nil, cols[0], i), cols[1], i))
						g, ok := want[key]
						if !ok {
							g = int32(len(want))
							want[key] = g
						}
						if found := table.find(cols, i, h[i]); groups[i] != g || found != g {
							t.Fatalf("row %d has group %d, then %d, not %d", i, groups[i], found, g)
						}
					})
					if fresh != len(want)-before {
						t.Fatalf("%d groups are new, not %d", fresh, len(want)-before)
					}
				}
				if table.slots < worthSearch {
					t.Fatalf("%d slots: no batch was looked up at once", table.slots)
				}
			})
		}
	}
}

// randomKeys returns a column of keys many of which are equal.
func randomKeys(rnd *rand.Rand, kind string, n int) *vector.Vector {
	v := vector.New(vector.Any, 0)
	switch kind {
	case "integers":
		v = vector.New(vector.Int, 0)
		for range n {
			v.AppendInt(int64(rnd.IntN(3000)))
		}
	case "coded":
		d := &vector.Dict{}
		for k := range 500 {
			text := fmt.Appendf(nil, "text %d", (k+rnd.IntN(4)*500)*3)
			d.Refs = append(d.Refs, vector.MakeRef(len(d.Data), len(text)))
			d.Data = append(d.Data, text...)
		}
		v = vector.New(vector.Text, 0)
		v.Len = n
		v.ShareDict(d)
		for range n {
			v.Codes = append(v.Codes, uint32(rnd.IntN(len(d.Refs))))
		}
		for i := range n {
			if rnd.IntN(50) == 0 {
				v.SetNull(i)
			}
		}
	case "codes only":
		t := randomKeys(rnd, "coded", n)
		v = &vector.Vector{Type: vector.Any, Len: n, Dict: t.Dict, Codes: t.Codes, CodesOnly: true, Classes: make([]vector.Class, n)}
		for i := range n {
			if v.Classes[i] = vector.ClassText; t.Null(i) {
				v.Classes[i] = vector.ClassNull
			}
		}
	case "texts":
		for range n {
			v.AppendBytes(vector.ClassText, fmt.Appendf(nil, "%0*d", rnd.IntN(3), rnd.IntN(3000)))
		}
	default:
		for range n {
			switch x := rnd.IntN(40); rnd.IntN(5) {
			case 0:
				v.AppendNull()
			case 1:
				v.AppendInt(int64(x))
			case 2:
				v.AppendFloat(float64(x) / 2)
			case 3:
				v.AppendBytes(vector.ClassText, fmt.Appendf(nil, "%d", x))
			default:
				v.AppendBytes(vector.ClassBlob, fmt.Appendf(nil, "%d", x))
			}
		}
	}
	return v
}
