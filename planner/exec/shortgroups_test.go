package exec

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seed69692123/netdb/planner/vector"
)

// batchesOp gives out batches.
type batchesOp struct {
	batches []*vector.Batch
}

func (o *batchesOp) Open(context.Context) error { return nil }
func (o *batchesOp) Close() error               { return nil }
func (o *batchesOp) Stats() Stats               { return Stats{} }

func (o *batchesOp) Next(context.Context) (*vector.Batch, error) {
	if len(o.batches) == 0 {
		return nil, nil
	}
	b := o.batches[0]
	o.batches = o.batches[1:]
	return b, nil
}

// codedText returns rows of texts of a dictionary, some NULL, as a scan of columns gives them.
func codedText(r *rand.Rand, d *vector.Dict, n int, nulls bool) *vector.Vector {
	v := vector.New(vector.Any, 0)
	v.ShareDict(d)
	for i := range n {
		code := uint32(r.IntN(len(d.Refs)))
		v.Codes = append(v.Codes, code)
		if nulls && r.IntN(5) == 0 {
			v.AppendNull()
			for len(v.Nulls) <= i/64 {
				v.Nulls = append(v.Nulls, 0)
			}
			v.Nulls.Set(i)
			continue
		}
		v.AppendRef(vector.ClassText, d.Refs[code])
	}
	for len(v.Nulls) < (n+63)/64 {
		v.Nulls = append(v.Nulls, 0)
	}
	v.Uniform, v.NoNulls = vector.ClassText, !nulls
	return v
}

func dictOf(words ...string) *vector.Dict {
	d := &vector.Dict{}
	for _, w := range words {
		d.Refs = append(d.Refs, vector.MakeRef(len(d.Data), len(w)))
		d.Data = append(d.Data, w...)
	}
	return d
}

// flags returns booleans as a scan of columns gives them, some NULL.
func flags(r *rand.Rand, n int) *vector.Vector {
	v := vector.New(vector.Any, 0)
	for range n {
		if r.IntN(9) == 0 {
			v.AppendNull()
		} else {
			v.AppendBool(r.IntN(3) == 0)
		}
	}
	for i := range n {
		for len(v.Nulls) <= i/64 {
			v.Nulls = append(v.Nulls, 0)
		}
		if v.Classes[i] == vector.ClassNull {
			v.Nulls.Set(i)
		}
	}
	v.Uniform = vector.ClassBool
	return v
}

// smallInts returns integers near each other, or some far away, some NULL, which say that they are integers unless there are doubles.
func smallInts(r *rand.Rand, n int) *vector.Vector {
	v := vector.New(vector.Any, 0)
	base, far := int64(r.IntN(5000)), r.IntN(4) == 0
	for range n {
		switch {
		case r.IntN(20) == 0:
			v.AppendNull()
		case far && r.IntN(30) == 0:
			v.AppendInt(math.MinInt64 + int64(r.IntN(2)))
		case base%7 == 0 && r.IntN(10) == 0:
			v.AppendFloat(float64(base))
		default:
			v.AppendInt(base + int64(r.IntN(40)))
		}
	}
	v.FindUniform(nil)
	return v
}

// slowly returns the same rows without what they say of themselves.
func slowly(b *vector.Batch) *vector.Batch {
	c := &vector.Batch{N: b.N, Sel: b.Sel}
	for _, v := range b.Cols {
		out := vector.New(v.Type, 0)
		for i := range b.N {
			out.AppendFrom(v, i)
		}
		c.Cols = append(c.Cols, out)
	}
	return c
}

// TestShortGroups groups by texts of dictionaries and by numbers in runs, with selections and NULLs, over batches with the same dictionary
// and others: as if keys were only looked up.
func TestShortGroups(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	dicts := []*vector.Dict{dictOf("a", "b", ""), dictOf("b", "c"), dictOf("x"), dictOf("a", "b", "")}
	many := make([]string, 300) // two columns of them have more combinations than a table of all
	for i := range many {
		many[i] = fmt.Sprint("w", i)
	}
	dicts = append(dicts, dictOf(many...), dictOf(many...))
	anyCol := func(i int) Expr { return &Col{Index: i, Name: fmt.Sprint("c", i), T: vector.Any} }
	call := func(name string, args ...Expr) *Aggregate {
		a := &Aggregate{Fn: FindAggregate(name), Args: args}
		a.T, _ = a.Fn.Result(args)
		return a
	}
	distinct := call("count", anyCol(0))
	distinct.Distinct = true
	for round := range 800 {
		var fast, slow []*vector.Batch
		for range 1 + r.IntN(5) {
			n := []int{1, 40, 200, 1024}[r.IntN(4)]
			b := &vector.Batch{N: n}
			runs := vector.New(vector.Int, 0)
			for i := range n {
				runs.AppendInt(int64(i / (1 + r.IntN(30))))
			}
			b.Cols = []*vector.Vector{codedText(r, dicts[r.IntN(len(dicts))], n, r.IntN(2) == 0), codedText(r, dicts[r.IntN(len(dicts))], n, r.IntN(2) == 0), runs, flags(r, n), smallInts(r, n)}
			if r.IntN(2) == 0 {
				b.Sel = vector.Sel{}
				for i := range n {
					if r.IntN(3) > 0 {
						b.Sel = append(b.Sel, int32(i))
					}
				}
			}
			fast, slow = append(fast, b), append(slow, slowly(b))
		}
		keys := [][]Expr{nil, {anyCol(0)}, {anyCol(0), anyCol(1)}, {intCol(2)}, {intCol(2), anyCol(1)}, {anyCol(3)}, {anyCol(3), anyCol(4)}, {anyCol(4), anyCol(0), anyCol(1)}}[round%8]
		run := func(batches []*vector.Batch) string {
			h := &HashAggregate{
				In: &batchesOp{batches}, Keys: keys, Env: &Env{},
				Aggs: []*Aggregate{call("count"), call("sum", intCol(2)), call("min", anyCol(0)), call("max", intCol(2)), distinct},
			}
			if err := h.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			text, err := drain(t.Context(), h)
			if err := errors.Join(err, h.Close()); err != nil {
				t.Fatal(err)
			}
			return text
		}
		if got, want := run(fast), run(slow); got != want {
			t.Fatalf("keys %d:\n%s\nwant\n%s", len(keys), got, want)
		}
	}
}
