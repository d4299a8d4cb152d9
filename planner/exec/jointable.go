package exec

import (
	"context"
	"errors"
	"time"
)

// JoinTable is the build side of a join whose probe side several goroutines read, each with a Join of its own. It has to fit memory.
type JoinTable struct {
	// Done, when set, is given what reading the build side took.
	Done func(Stats)

	join    *Join
	reserve spiller // counts among those who share the budget, until it is known who does
	nanos   int64
}

// NewJoinTable returns the build side of op, a Join or a Lookup, which has no probe side.
func NewJoinTable(op Operator) *JoinTable {
	if l, ok := op.(*Lookup); ok {
		l.build.once = l.decides()
		return &JoinTable{join: &l.Join}
	}
	return &JoinTable{join: op.(*Join)}
}

// open has a part of the budget.
func (t *JoinTable) open() { t.reserve.open(t.join.Env) }

// read reads the build side. It fails when that is more than its part of the budget, and when a key does.
func (t *JoinTable) read(ctx context.Context) error {
	j := t.join
	start := time.Now()
	defer func() { t.nanos = int64(time.Since(start)) }()
	j.alone, j.most = true, t.reserve.mostShared(j.Env)
	j.prepare()
	in, _, _ := j.sides()
	if err := in.Open(ctx); err != nil {
		return err
	}
	j.s.begin(ctx)
	err := j.readBuild(ctx)
	if err == nil {
		err = j.build.err
	}
	return errors.Join(err, in.Close())
}

// shared returns the rows, which nobody changes any more, for another goroutine.
func (t *JoinTable) shared() buildSide {
	b := t.join.build
	return buildSide{rows: b.rows.Reader(), keys: b.keys, refs: b.refs, heads: b.heads, mask: b.mask}
}

// close frees the rows.
func (t *JoinTable) close() error {
	err := t.reserve.close()
	if t.join.s == nil {
		return err
	}
	err = errors.Join(err, t.join.Close())
	if t.Done != nil {
		s := t.join.Stats()
		s.Nanos = t.nanos
		t.Done(s)
	}
	t.join.s = nil
	return err
}
