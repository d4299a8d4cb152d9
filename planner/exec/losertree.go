package exec

// loserTree finds the first of many heads (Knuth, The Art of Computer Programming, 5.4.1): each inner node keeps the one that lost
// there, so that the next row costs one comparison for each level.
type loserTree struct {
	tree   []int32 // tree[0] is the winner; -1 until the first round is over
	before func(a, b int32) bool
}

// start lets n heads play. before reports whether one head comes before another.
func (t *loserTree) start(n int, before func(a, b int32) bool) {
	t.tree, t.before = make([]int32, n), before
	for i := range t.tree {
		t.tree[i] = -1
	}
	for i := range t.tree {
		t.replay(int32(i))
	}
}

// winner returns the number of the first head.
func (t *loserTree) winner() int32 { return t.tree[0] }

// replay lets one whose head is new play its way up.
func (t *loserTree) replay(w int32) {
	for node := (int(w) + len(t.tree)) / 2; node > 0; node /= 2 {
		if loser := t.tree[node]; loser < 0 || w >= 0 && t.before(loser, w) {
			w, t.tree[node] = loser, w
		}
	}
	t.tree[0] = w
}
