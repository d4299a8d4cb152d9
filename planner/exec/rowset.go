package exec

import (
	"github.com/seed69692123/netdb/planner/vector"
)

// rowSet is distinct rows in memory, each with a counter. When they are more than memory it is frozen: no row is added any more, and
// those that are not in it are divided by hash to disk by whoever asks. Each part is then a set of its own, which takes in its first
// batch in any case, so there are fewer rows left after each.
type rowSet struct {
	s      *evalState
	acct   account
	gate   *storeGate
	spill  spiller
	types  []vector.Type
	table  *groupTable
	count  paged[int64]
	frozen bool
}

func (t *rowSet) open(env *Env, name string, types []vector.Type) {
	t.s = newEvalState(env)
	t.acct = newAccount(env, name)
	t.gate = &storeGate{t.s, &t.acct}
	t.spill.gate = t.gate
	t.spill.open(env)
	t.types = types
	t.reset()
}

// reset makes the set empty.
func (t *rowSet) reset() {
	t.table, t.count, t.frozen = newGroupTable(t.s, t.gate, t.types), paged[int64]{}, false
}

// room freezes the set when there is no memory for the rows of a batch: a value that is large may be refused in the middle of one.
func (t *rowSet) room(b *vector.Batch) {
	t.frozen = t.frozen || t.table.len() > 0 && t.spill.crowded(b, nil)
}

// add returns the number of row i of cols and whether it is new; of one that is not in a frozen set -1.
func (t *rowSet) add(cols []*vector.Vector, i int, h uint64) (g int32, fresh bool, err error) {
	if t.frozen {
		g, err = t.table.groupOf(cols, i, h)
		return g, false, err
	}
	if g, fresh, err = t.table.add(cols, i, h); fresh {
		t.count.grow(int(g) + 1)
	}
	return g, fresh, err
}

// hold sets the account to what is held, with the buffers of files, and freezes the set when it is too large.
func (t *rowSet) hold(buffers int64) error {
	n := t.table.bytes() + t.count.bytes()
	t.spill.base = n + buffers
	full, err := t.spill.hold(n + buffers + t.spill.memory())
	if err == nil && t.spill.can() {
		t.frozen = t.frozen || full || n > t.spill.share()/4*3
	}
	return err
}

// done frees the rows before those on disk are merged.
func (t *rowSet) done() {
	t.reset()
	t.spill.base = 0
	t.acct.force(t.spill.memory())
}

// close frees all.
func (t *rowSet) close() error {
	t.acct.release()
	t.s.close()
	t.table, t.count = nil, paged[int64]{}
	return t.spill.close()
}

// numberColumn is a column with the number of the row at hand, whichever of a batch it is.
type numberColumn struct{ v vector.Vector }

// of returns the column for number n.
func (r *numberColumn) of(n int64) *vector.Vector {
	if r.v.Len == 0 {
		r.v.Resize(vector.Int, 1)
		r.v.Const = true
	}
	r.v.Ints[0] = n
	return &r.v
}
