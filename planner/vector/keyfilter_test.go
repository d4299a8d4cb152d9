package vector

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestKeySet: every key that was added passes, NULL does not, few others do, and all are within the bounds.
func TestKeySet(t *testing.T) {
	r := rand.New(rand.NewPCG(rand.Uint64(), 1))
	kinds := map[string]func(v *Vector, i int){
		"ints":  func(v *Vector, i int) { v.AppendInt(int64(i) * 7919) },
		"times": func(v *Vector, i int) { v.AppendTime(int64(i) * 1e9) },
		"texts": func(v *Vector, i int) { v.AppendText(fmt.Appendf(nil, "%x", i*7919)) },
		"empty": func(v *Vector, i int) { v.AppendText(nil) },
		"mixed": func(v *Vector, i int) {
			switch i % 4 {
			case 0:
				v.AppendFloat(float64(i) + 0.5)
			case 1:
				v.AppendText(fmt.Append(nil, i))
			default:
				v.AppendInt(int64(i))
			}
		},
	}
	for name, add := range kinds {
		for _, typ := range []Type{Any, Text} {
			if typ == Text && name != "texts" && name != "empty" {
				continue
			}
			for _, n := range []int{1, 10, 64, 65, 2000} {
				all := New(typ, 0)
				for i := range n {
					if add(all, i); r.IntN(5) == 0 {
						all.AppendNull()
						if typ == Any {
							all.AppendExplicitNull()
						}
					}
				}
				if name == "empty" || name == "texts" && r.IntN(2) == 0 {
					all = uniformText(all)
				}
				hashes := make([]uint64, all.Len)
				s := &State{}
				s.Hash([]*Vector{all}, nil, all.Len, hashes)
				set, keys := NewKeySet(1, all.Len), 0
				for i := range all.Len {
					if !all.Null(i) {
						set.Add(hashes[i], []*Vector{all}, []int{0}, i)
						keys++
					}
				}
				f := &KeyFilter{}
				f.Publish(set)
				test := KeyTest{Filter: f}
				some := Sel{}
				for i := range all.Len {
					if i%3 > 0 {
						some = append(some, int32(i))
					}
				}
				for _, sel := range []Sel{nil, some} {
					want := 0
					sel.All(all.Len, func(i int) {
						if !all.Null(i) {
							want++
						}
					})
					got := test.Apply(set, []*Vector{all}, sel, all.Len)
					if len(got) != want {
						t.Fatalf("%s, %d rows: %d keys passed, want %d", name, n, len(got), want)
					}
					for _, i := range got {
						if all.Null(int(i)) {
							t.Fatalf("%s: NULL passed", name)
						}
					}
				}
				b := &set.Bounds[0]
				for i := range all.Len {
					switch {
					case all.Null(i) || b.Class == ClassNull:
					case b.Class == ClassText:
						if least, greatest := b.Texts(); string(all.Bytes(i)) < string(least) || string(all.Bytes(i)) > string(greatest) {
							t.Fatalf("%q is not within %q and %q", all.Bytes(i), least, greatest)
						}
					case !b.Between(all.Int(i), all.Int(i)):
						t.Fatalf("%d is not within %+v", all.Int(i), b)
					}
				}
				other := New(typ, 0)
				for i := range 2000 {
					add(other, i+1_000_000)
				}
				if passed := len(test.Apply(set, []*Vector{other}, nil, other.Len)); passed > 200 && name != "empty" {
					t.Errorf("%s, %d keys: %d of 2000 others passed", name, keys, passed)
				}
			}
		}
	}
}

// uniformText returns texts as a vector that is known to have no other class.
func uniformText(v *Vector) *Vector {
	if v.Type != Any {
		return v
	}
	v.Uniform = ClassText
	v.Nulls = make(Bitmap, (v.Len+63)/64)
	for i := range v.Len {
		if v.Null(i) {
			v.Nulls.Set(i)
		}
	}
	return v
}

// TestKeyFilterGivesUp: a filter that drops few rows is not asked any more.
func TestKeyFilterGivesUp(t *testing.T) {
	for _, missing := range []int{0, 1, 8} { // of ten rows
		v, all := New(Int, 0), New(Int, 0)
		for i := range 2000 {
			if all.AppendInt(int64(i)); i%10 >= missing {
				v.AppendInt(int64(i))
			}
		}
		hashes := make([]uint64, v.Len)
		new(State).Hash([]*Vector{v}, nil, v.Len, hashes)
		f, set := &KeyFilter{}, NewKeySet(1, v.Len)
		for i, h := range hashes {
			set.Add(h, []*Vector{v}, []int{0}, i)
		}
		f.Publish(set)
		test := KeyTest{Filter: f}
		for range 2 * keyTrial / 2000 {
			test.Apply(set, []*Vector{all}, nil, all.Len)
		}
		if on := f.Set() != nil; on != (missing == 8) {
			t.Errorf("%d of 10 rows are dropped: %v", missing, on)
		}
	}
}
