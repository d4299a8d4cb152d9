package query

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"
)

func mustBuild(t testing.TB, b *Builder) *Query {
	t.Helper()
	q, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// TestCodecValues sends every kind of value, and the edges of each integer form,
// through the encoded form.
func TestCodecValues(t *testing.T) {
	var values []Value
	for _, list := range inOrder() {
		values = append(values, list...)
	}
	for shift := range 64 {
		for _, d := range []int64{-1, 0, 1} {
			values = append(values, Int(int64(1)<<shift+d), Int(-(int64(1)<<shift)+d))
		}
	}
	for _, n := range []int{0, 1, 31, 32, 255, 256, 65535, 65536} {
		values = append(values, Text(strings.Repeat("x", n)), Blob(make([]byte, n)))
	}
	seen := map[string]Value{}
	for _, v := range values {
		b := Encode(&Literal{Value: v})
		n, err := Decode(b)
		if err != nil {
			t.Errorf("%.40v: %v", v, err)
			continue
		}
		if got := n.(*Literal).Value; got != v {
			t.Errorf("%.40v is decoded as %.40v", v, got)
		}
		if was, ok := seen[string(b)]; ok && was != v {
			t.Errorf("%.40v and %.40v have equal bytes", v, was)
		}
		seen[string(b)] = v
	}
}

func TestCodecSpans(t *testing.T) {
	a := &Name{Span: Span{3, 9}, Parts: []Ident{{Span: Span{3, 9}, Name: "a"}}}
	b := &Name{Parts: []Ident{{Name: "a"}}}
	if !SameTree(a, b) {
		t.Error("spans show in the encoded form")
	}
	for _, other := range []*Name{
		{Parts: []Ident{{Name: "A"}}},
		{Parts: []Ident{{Name: "a", Quoted: true}}},
		{Parts: []Ident{{Name: "a"}, {Name: "a"}}},
	} {
		if SameTree(a, other) {
			t.Errorf("%v and %v have equal bytes", a, other)
		}
	}
}

// TestMoved moves all parts of a statement to one place.
func TestMoved(t *testing.T) {
	at := Span{7, 9}
	in := mustBuild(t, Select("a", Count().As("n")).From(Table("t").As("u")).Where(Col("b").Eq(1)).OrderBy("a"))
	out := Moved(in, at)
	if !SameTree(in, out) {
		t.Errorf("%v is not %v", out, in)
	}
	n := 0
	Walk(out, func(x Node) bool {
		n++
		if x.At() != at {
			t.Errorf("%v is at %v", x, x.At())
		}
		if name, ok := x.(*Name); ok && name.Parts[0].Span != at {
			t.Errorf("the name %v is at %v", x, name.Parts[0].Span)
		}
		if b, ok := x.(*Binary); ok && b.OpSpan != at {
			t.Errorf("the operator of %v is at %v", x, b.OpSpan)
		}
		return true
	})
	Walk(in, func(x Node) bool {
		n--
		if x.At() == at {
			t.Errorf("%v was moved", x)
		}
		return true
	})
	if n != 0 {
		t.Errorf("%d nodes more", n)
	}
}

func TestDecodeErrors(t *testing.T) {
	good := Encode(mustBuild(t, Select("a").From("t").Where(Col("a").Eq(1))))
	for i := range good {
		if n, err := Decode(good[:i]); err == nil {
			t.Errorf("the first %d bytes give %v", i, n)
		}
	}
	if _, err := Decode(append(bytes.Clone(good), 0)); !errors.Is(err, ErrEncoding) {
		t.Errorf("a byte too many: %v", err)
	}
	newer := bytes.Clone(good)
	newer[1]++
	if _, err := Decode(newer); !errors.Is(err, ErrVersion) {
		t.Errorf("a newer version: %v", err)
	}
	incomplete := []Node{
		&Query{}, &Query{Body: &Block{}}, &Name{}, &Unary{Op: OpEq, Expr: &Star{}}, &Binary{Op: OpEq, L: &Star{}},
		&Binary{L: &Star{}, R: &Star{}}, &In{Expr: &Star{}}, &Case{}, &Cast{Expr: &Star{}, Type: &TypeName{}}, &Param{},
		&Param{Index: 1, Name: "x"}, &Call{}, &Tuple{}, &ValuesList{}, &TableName{}, &With{}, &Join{Kind: JoinCross},
		&Literal{Value: Value{kind: KindBig, s: "12"}}, &Literal{Value: Value{kind: KindJSON, s: "{"}},
		&Literal{Value: Value{kind: KindText, s: "\xff"}}, &Literal{Value: Value{kind: KindDate, n: math.MaxInt64}},
		&Literal{Value: Value{kind: KindDecimal, s: "-0", days: 1}}, &Literal{Value: Value{kind: KindDecimal, s: "x"}},
		&Literal{Value: Value{kind: kindEnd}}, &Name{Parts: []Ident{{}}},
	}
	for _, n := range incomplete {
		if got, err := Decode(Encode(n)); !errors.Is(err, ErrEncoding) {
			t.Errorf("%#v is decoded as %v, %v", n, got, err)
		}
	}
}

// TestDecodeBounds gives heads that promise far more than follows, and trees
// that are too deep.
func TestDecodeBounds(t *testing.T) {
	deep := func(levels int) []byte {
		var e Expr = &Literal{Value: Int(1)}
		for range levels {
			e = &Unary{Op: OpNeg, Expr: e}
		}
		return Encode(e)
	}
	if _, err := Decode(deep(maxDecodeDepth - 1)); err != nil {
		t.Errorf("below the limit: %v", err)
	}
	if _, err := Decode(deep(maxDecodeDepth)); !errors.Is(err, ErrEncoding) {
		t.Errorf("above the limit: %v", err)
	}
	if _, err := Decode(deep(1 << 18)); !errors.Is(err, ErrEncoding) {
		t.Errorf("far above the limit: %v", err)
	}
	// Lists inside lists, each of which claims all bytes that follow.
	nested := []byte{0x92, Version}
	for range 2000 {
		nested = append(nested, 0x92, byte(tagTuple), 0xdc, 0xff, 0x00)
	}
	nested = append(nested, make([]byte, 1<<16)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Decode(nested); !errors.Is(err, ErrEncoding) {
		t.Errorf("nested lists: %v", err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 64*uint64(len(nested)) {
		t.Errorf("%d bytes made Decode allocate %d", len(nested), got)
	}
}

// TestNodes makes one of each kind of node and asserts that the kinds are told
// apart and have room for their fields.
func TestNodes(t *testing.T) {
	for k := tag(1); k < tagEnd; k++ {
		n := newNode(k)
		if n == nil || n.tag() != k {
			t.Errorf("newNode(%d) = %T", k, n)
			continue
		}
		e := encoder{}
		e.node(n)
		if fields := int(e.b[0] & 0x0f); e.b[0]&0xf0 != 0x90 || fields < 1 {
			t.Errorf("%T begins with %#x", n, e.b[0])
		}
	}
	if newNode(0) != nil || newNode(tagEnd) != nil {
		t.Error("an unknown tag makes a node")
	}
}

func FuzzDecode(f *testing.F) {
	seeds := []*Builder{
		Select(), Select("a", Count().As("n")).From("t").GroupBy("a").OrderBy(Count().Desc()).Limit(3),
		Select(All("t")).From(Table("logs", "x").As("t")).LeftJoin("u", Col("t", "a").Eq(Col("u", "a"))).Where(Col("b").In(1, "x", nil)),
		Select(Col("a").Cast(TypeDecimal), Lit(1.5), Lit([]byte("x"))).From(Logs("x/**")).Distinct().AsOfSeq(7),
	}
	for _, b := range seeds {
		f.Add(Encode(mustBuild(f, b)))
	}
	for k := tag(1); k < tagEnd; k++ {
		f.Add(Encode(newNode(k)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := Decode(b)
		if err != nil {
			return
		}
		if again := Encode(n); !bytes.Equal(again, b) {
			t.Errorf("%x is encoded as %x", b, again)
		}
		_ = n.String()
		if !SameTree(n, Clone(n)) {
			t.Errorf("%v differs from its clone", n)
		}
		Params(n)
	})
}
