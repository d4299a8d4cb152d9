package vector

import (
	"fmt"
	"testing"
)

// BenchmarkKernels reports ns/row over batches of 2,048 rows.
func BenchmarkKernels(b *testing.B) {
	const n = MaxRows
	ints, floats, dyn, texts, bools := New(Int, n), New(Float, n), New(Any, n), New(Text, n), New(Bool, n)
	for i := range n {
		ints.AppendInt(int64(i * 7919 % n))
		floats.AppendFloat(float64(i) / 3)
		dyn.AppendInt(int64(i * 7919 % n))
		texts.AppendText(fmt.Appendf(nil, "path/to/file%d.go", i%50))
		bools.AppendBool(i%3 == 0)
	}
	c := New(Int, 1)
	c.AppendInt(n / 2)
	c.Const = true
	ct := New(Text, 1)
	ct.AppendText([]byte("path/to/file7.go"))
	ct.Const = true
	var s State
	var out Vector
	like, err := CompileLike([]byte("%file1%"), 0, false)
	if err != nil {
		b.Fatal(err)
	}
	set := NewSet(ints)
	sel := make(Sel, 0, n)
	hash := make([]uint64, n)
	key := make([]byte, 0, 64)
	for _, k := range []struct {
		name string
		f    func()
	}{
		{"compare/int-const", func() { s.Compare(Lt, ints, c, &out, nil, n) }},
		{"compare/int-int", func() { s.Compare(Lt, ints, ints, &out, nil, n) }},
		{"compare/float-const", func() { s.Compare(Ge, floats, c, &out, nil, n) }},
		{"compare/dynamic-const", func() { s.Compare(Lt, dyn, c, &out, nil, n) }},
		{"compare/dynamic-dynamic", func() { s.Compare(Lt, dyn, dyn, &out, nil, n) }},
		{"compare/text-const", func() { s.Compare(Eq, texts, ct, &out, nil, n) }},
		{"and", func() { s.Truth(bools, &out, nil, n); out.AndRows(bools, nil, n) }},
		{"select", func() { sel = s.SelectTrue(bools, nil, n, sel[:0]) }},
		{"add/int", func() { _ = s.Arith(Add, ints, c, &out, nil, n) }},
		{"add/dynamic", func() { _ = s.Arith(Add, dyn, c, &out, nil, n) }},
		{"multiply/float", func() { _ = s.Arith(Multiply, floats, floats, &out, nil, n) }},
		{"like/contains", func() { s.Like(texts, like, false, &out, nil, n) }},
		{"in/int", func() { s.In(ints, set, false, &out, nil, n) }},
		{"hash/int", func() { s.Hash([]*Vector{ints}, nil, n, hash) }},
		{"hash/text", func() { s.Hash([]*Vector{texts}, nil, n, hash) }},
		{"hash/dynamic", func() { s.Hash([]*Vector{dyn}, nil, n, hash) }},
		{"key/int", func() {
			for i := range n {
				key = AppendKey(key[:0], ints, i)
			}
		}},
		{"cast/int-text", func() { _ = s.Cast(ints, Text, false, &out, nil, n) }},
	} {
		b.Run(k.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				k.f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
		})
	}
}
