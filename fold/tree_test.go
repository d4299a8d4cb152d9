package fold

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

type testTree = tree[int, int, int]

type testItem = item[int, int, int]

func byKey(x, y testItem) int { return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)) }

// sound checks the tree's invariants and returns its items in order.
func sound(t *testing.T, tr *testTree) []testItem {
	t.Helper()
	var all []testItem
	depths := map[int]bool{}
	var visit func(n *treeNode[int, int, int], depth int)
	visit = func(n *treeNode[int, int, int], depth int) {
		if len(n.items) > nodeItems || n.kids != nil && len(n.kids) != len(n.items) || n.gen > tr.gen {
			t.Fatalf("a node of %d items, %d kids, generation %d of %d", len(n.items), len(n.kids), n.gen, tr.gen)
		}
		if n.kids == nil {
			depths[depth] = true
			all = append(all, n.items...)
			if len(n.items) == 0 && n != tr.root {
				t.Fatal("an empty leaf was left")
			}
			return
		}
		for i, kid := range n.kids {
			if from := len(all); i > 0 {
				if from > 0 && byKey(all[from-1], n.items[i]) >= 0 {
					t.Fatal("a separator is not above what comes before it")
				}
				visit(kid, depth+1)
				if len(all) > from && byKey(n.items[i], all[from]) > 0 {
					t.Fatal("a separator is above its kid")
				}
				continue
			}
			visit(kid, depth+1)
		}
	}
	if tr.root != nil {
		visit(tr.root, 0)
	}
	if len(depths) > 1 || len(all) != tr.len() {
		t.Fatal("depths", depths, "items", len(all), "of", tr.len())
	}
	return all
}

// TestTree compares trees with sorted slices, under several ways to grow and shrink, and with copies that must not change.
func TestTree(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 5))
	defer func() {
		if t.Failed() {
			t.Log("seed", seed)
		}
	}()
	for round := range 40 {
		var tr testTree
		var want []testItem
		type copied struct {
			tr   testTree
			want []testItem
		}
		var copies []copied
		space := []int{5, 60, 1000, 40_000}[r.IntN(4)]
		ascending, queue := round%3 == 0, round%4 == 1
		for op := range 4000 {
			a, b := r.IntN(space), r.IntN(3)
			if ascending {
				a, b = op/2, op%2
			}
			grow := 70
			if op > 2000 {
				grow = 20
			}
			if r.IntN(100) < grow {
				it := testItem{a, b, op}
				tr.set(a, b, op)
				if i, ok := slices.BinarySearchFunc(want, it, byKey); ok {
					want[i] = it
				} else {
					want = slices.Insert(want, i, it)
				}
			} else {
				if len(want) > 0 && r.IntN(4) > 0 {
					i := r.IntN(len(want))
					if queue {
						i = 0
					}
					a, b = want[i].a, want[i].b
				}
				tr.delete(a, b)
				if i, ok := slices.BinarySearchFunc(want, testItem{a: a, b: b}, byKey); ok {
					want = slices.Delete(want, i, i+1)
				}
			}
			if r.IntN(300) == 0 {
				copies = append(copies, copied{tr.freeze(), slices.Clone(want)})
			}
			if op%97 == 0 {
				seek(t, &tr, want, r, space)
			}
		}
		copies = append(copies, copied{tr, want})
		for i, c := range copies {
			if !slices.Equal(sound(t, &c.tr), c.want) {
				t.Fatal("round", round, "copy", i, "has changed or is wrong")
			}
			seek(t, &c.tr, c.want, r, space)
		}
		for len(want) > 0 {
			i := r.IntN(len(want))
			tr.delete(want[i].a, want[i].b)
			want = slices.Delete(want, i, i+1)
		}
		if len(sound(t, &tr)) != 0 {
			t.Fatal("not empty")
		}
	}
}

// seek compares lookups and walks from everywhere.
func seek(t *testing.T, tr *testTree, want []testItem, r *rand.Rand, space int) {
	t.Helper()
	for range 5 {
		at := testItem{a: r.IntN(space+2) - 1, b: r.IntN(4) - 1}
		i, found := slices.BinarySearchFunc(want, at, byKey)
		if p, ok := tr.get(at.a, at.b); ok != found || ok && p != want[i].p {
			t.Fatal("get", at, p, ok)
		}
		s := side(r.IntN(3) - 1)
		up, down := i, i // the first item going up; the one behind the first going down
		switch {
		case s == exact && found:
			down++
		case s != exact:
			up = 0
			for up < len(want) && (want[up].a < at.a || s == behind && want[up].a == at.a) {
				up++
			}
			down = up
		}
		limit := r.IntN(100)
		var got []testItem
		walk := func(it *testItem) bool {
			got = append(got, *it)
			return len(got) <= limit
		}
		tr.ascend(&pivot[int, int]{at.a, at.b, s}, walk)
		if !slices.Equal(got, want[up:min(len(want), up+limit+1)]) {
			t.Fatal("up from", at, s, got)
		}
		got = nil
		tr.descend(&pivot[int, int]{at.a, at.b, s}, walk)
		back := slices.Clone(want[max(0, down-limit-1):down])
		slices.Reverse(back)
		if !slices.Equal(got, back) {
			t.Fatal("down from", at, s, got)
		}
	}
}

// TestTreeFillsNodes: keys that ascend do not leave nodes half empty, and a tree that shrinks gives its nodes back.
func TestTreeFillsNodes(t *testing.T) {
	var tr testTree
	const n = 100_000
	for i := range n {
		tr.set(i, 0, i)
	}
	count := func() int {
		nodes := 0
		var visit func(*treeNode[int, int, int])
		visit = func(x *treeNode[int, int, int]) {
			nodes++
			for _, k := range x.kids {
				visit(k)
			}
		}
		visit(tr.root)
		return nodes
	}
	if full := n/nodeItems*(nodeItems+1)/nodeItems + nodeItems; count() > full {
		t.Fatal(count(), "nodes, where", full, "do")
	}
	for i := range n {
		if i%100 != 0 {
			tr.delete(i, 0)
		}
	}
	if most := n / 100 / (nodeItems / 8); count() > most {
		t.Fatal(count(), "nodes for", tr.len(), "items")
	}
	sound(t, &tr)
}
