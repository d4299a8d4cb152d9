package exec

import (
	"context"
	"errors"
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
)

// JoinKind is the kind of a join.
type JoinKind uint8

// The kinds of join. Inner, left and full ones are done by Join: in a left join the left rows without a partner are kept, with
// NULLs on the right, in a full one those of both sides. Semi to first are done by Lookup, group by GroupJoin.
const (
	JoinInner JoinKind = iota
	JoinLeft
	JoinFull
	JoinSemi   // left rows that have a partner
	JoinAnti   // left rows that have none
	JoinMark   // all left rows, with a BOOLEAN that says whether they have one
	JoinSingle // all left rows with their one partner and such a BOOLEAN; two partners are an error
	JoinFirst  // the same with the first partner
	JoinGroup  // all left rows, with aggregates of their partners
)

// String returns the name of the kind as EXPLAIN shows it.
func (k JoinKind) String() string {
	return [...]string{"INNER", "LEFT", "FULL", "SEMI", "ANTI", "MARK", "SINGLE", "FIRST", "GROUP"}[k]
}

// Join joins two inputs: it keeps all rows of the build side, by hash of their keys, and goes through the probe side. Without
// keys each probe row meets every build row. Rows whose key is NULL meet none, and are kept where their side is preserved.
// The output has the left columns, then the right ones; its rows are in the order of the probe side, and for one probe row in
// the order of the build side.
type Join struct {
	Left, Right         Operator
	Kind                JoinKind
	LeftKeys, RightKeys []Expr
	// Residual is the rest of the condition, over the output's columns, evaluated on the pairs whose keys are equal.
	Residual []Expr
	// BuildLeft keeps the left side instead of the right; only for inner joins.
	BuildLeft bool
	// Cols are the columns of the pairs that come out; nil for all. Only of inner, left and full joins.
	Cols []int
	// Filter, when set, is told the keys there are, unless they are on disk: rows of the probe side with others may be left out.
	Filter *vector.KeyFilter
	// Table, when set, has the rows of the build side, whose operator is not needed then. Not of full joins.
	Table *JoinTable
	// LeftTypes and RightTypes are the types of the columns, which are needed where a side has no row.
	LeftTypes, RightTypes []vector.Type
	Env                   *Env

	s     *evalState
	build buildSide
	give  vector.Batch
	read  bool  // the build side was
	alone bool  // there is no probe side: it is that of a JoinTable
	most  int64 // what the build side may be then; 0 for any size
	acct  account
	gate  *storeGate

	probe   []evaluator
	in      *vector.Batch // part of a batch of the probe side
	keys    []*vector.Vector
	hashes  []uint64
	codes   keyCodes // of the rows of in
	find    joinFind
	k       int   // next row of in, counted in its selection
	chain   int32 // next build row for row k; -1 at the end
	begun   bool  // chain is set
	matched bool  // row k has had a partner that passed the residual

	p       []int32      // pairs: rows of in
	b       []vector.Loc // and of the build side
	refs    []int32      // numbers of the build rows; only in a full join
	last    []bool       // the pair is the last of its probe row
	at      int          // pairs that were given out
	res     predicates
	out     vector.Batch
	probeC  []*vector.Vector // columns of out that come from the probe side
	buildC  []*vector.Vector
	full    fullSide
	pending error
	err     error
	stats   Stats

	spill spiller
	disk  *joinDisk // when the build side is on disk
	part  joinPart  // of a join that this one is a part of
	outer joinOuter // the operator around this one, if there is one
}

// Open opens both inputs.
func (j *Join) Open(ctx context.Context) error {
	j.prepare()
	if j.Table != nil {
		j.build, j.read = j.Table.shared(), true
		_, probe, _ := j.sides()
		return probe.Open(ctx)
	}
	if err := j.Left.Open(ctx); err != nil {
		return err
	}
	return j.Right.Open(ctx)
}

// prepare makes what the join works with.
func (j *Join) prepare() {
	j.s = newEvalState(j.Env)
	j.acct = newAccount(j.Env, "join")
	j.gate = &storeGate{j.s, &j.acct}
	j.spill.gate = j.gate
	if j.spills() && !j.alone && j.Table == nil {
		j.spill.open(j.Env)
	}
	j.res = newPredicates(j.Residual, j.Env)
	for _, t := range append(append([]vector.Type(nil), j.LeftTypes...), j.RightTypes...) {
		j.out.Cols = append(j.out.Cols, vector.New(t, 0))
	}
	l := j.out.Cols[:len(j.LeftTypes)]
	r := j.out.Cols[len(j.LeftTypes):]
	types := j.RightTypes
	j.probeC, j.buildC = l, r
	if j.BuildLeft {
		j.probeC, j.buildC, types = r, l, j.LeftTypes
		j.probe = j.s.compileAll(j.RightKeys)
	} else {
		j.probe = j.s.compileAll(j.LeftKeys)
	}
	j.keys = make([]*vector.Vector, len(j.probe))
	j.dropUnused()
	_, _, keys := j.sides()
	types = slices.Clone(types)
	for _, k := range keys {
		if c, ok := k.(*Col); ok {
			j.build.keys = append(j.build.keys, c.Index)
			continue
		}
		j.build.keys = append(j.build.keys, len(types))
		types = append(types, k.Type())
	}
	j.build.rows = vector.NewRows(j.gate, types)
}

// dropUnused makes the columns nil that neither come out nor are in the residual.
func (j *Join) dropUnused() {
	if j.Cols == nil {
		return
	}
	used := make(map[int]bool, len(j.out.Cols))
	for _, x := range j.Residual {
		Columns(x, used)
	}
	for _, c := range j.Cols {
		used[c] = true
	}
	left, right := j.probeC, j.buildC
	if j.BuildLeft {
		left, right = j.buildC, j.probeC
	}
	l, r := slices.Clone(left), slices.Clone(right)
	for k := range j.out.Cols {
		switch {
		case used[k]:
		case k < len(l):
			l[k] = nil
		default:
			r[k-len(l)] = nil
		}
	}
	if j.probeC, j.buildC = l, r; j.BuildLeft {
		j.probeC, j.buildC = r, l
	}
}

func (j *Join) sides() (build, probe Operator, keys []Expr) {
	if j.BuildLeft {
		return j.Left, j.Right, j.LeftKeys
	}
	return j.Right, j.Left, j.RightKeys
}

// Next returns the next pairs.
func (j *Join) Next(ctx context.Context) (*vector.Batch, error) {
	if j.err != nil {
		return nil, j.err
	}
	j.s.begin(ctx)
	j.res.s.begin(ctx)
	if !j.read {
		if j.err = j.readBuild(ctx); j.err != nil {
			return nil, j.err
		}
		j.read = true
		j.s.take(nil) // rows behind a key that failed are none of the probe side
	}
	if j.disk != nil {
		var b *vector.Batch
		if b, j.err = j.nextFromDisk(ctx); b != nil {
			b = pick(&j.give, b, j.Cols)
		}
		return b, j.err
	}
	for {
		if j.err = ctx.Err(); j.err != nil {
			return nil, j.err
		}
		if j.at == len(j.p) && j.in != nil && j.k >= j.in.Rows() {
			j.in = nil
		}
		if j.in == nil {
			if j.pending != nil {
				j.err = j.pending
				return nil, j.err
			}
			if j.Kind == JoinInner && j.build.rows.Len() == 0 && j.build.err == nil {
				return nil, nil
			}
			if j.err = j.nextProbe(ctx); j.err != nil {
				return nil, j.err
			}
			if j.in == nil {
				var b *vector.Batch
				if b, j.err = j.unmatched(); b != nil {
					b = pick(&j.give, b, j.Cols)
				}
				return b, j.err
			}
		}
		if j.at == len(j.p) {
			if j.err = j.pairs(); j.err != nil {
				return nil, j.err
			}
		}
		n, err := j.emit()
		if err != nil {
			// The rows before the failure first.
			j.pending, j.in, j.at = err, nil, len(j.p)
		}
		if n > 0 {
			j.stats.Rows += int64(n)
			return pick(&j.give, &j.out, j.Cols), nil
		}
	}
}

// nextProbe takes the next rows of the probe side and evaluates their keys.
func (j *Join) nextProbe(ctx context.Context) error {
	if !j.s.more() {
		_, probe, _ := j.sides()
		b, err := probe.Next(ctx)
		if err != nil || b == nil {
			return err
		}
		if j.build.err != nil {
			return j.build.err
		}
		j.s.take(b)
	}
	return j.probePart()
}

// probePart evaluates the keys of the next rows of the batch that was taken from the probe side. Without a build row there is
// no pair to evaluate them for.
func (j *Join) probePart() error {
	return j.s.part(func(b *vector.Batch) error {
		probe := j.probe
		if j.build.rows.Len() == 0 && j.disk == nil {
			probe = nil
		}
		sel, err := evalAll(probe, b, b.Sel, j.keys)
		var ve *ValueError
		if err != nil && !errors.As(err, &ve) {
			return err
		}
		if b.Sel = sel; b.Rows() == 0 {
			return err
		}
		j.pending = err
		if len(probe) > 0 {
			if j.disk == nil && j.codes.see(j.keys) {
				err = j.findCoded(b)
			} else {
				j.codes.v = nil
				err = j.findHashed(b)
			}
			if err != nil {
				return err
			}
		}
		in := *b
		j.in, j.k, j.begun, j.matched = &in, 0, false, false
		return j.s.Fault()
	})
}

// pairs collects pairs with equal keys until there are as many as a batch has rows, or the probe rows are at their end. A left
// row without any is paired with NoRow.
func (j *Join) pairs() error {
	j.p, j.b, j.last, j.at = j.p[:0], j.b[:0], j.last[:0], 0
	j.refs = j.refs[:0]
	full := j.Kind == JoinFull
	limit := j.Env.batchRows()
	for ; j.k < j.in.Rows(); j.k++ {
		i := j.in.Row(j.k)
		if !j.begun {
			j.chain, j.begun = j.first(i), true
			if j.chain < 0 && j.Kind != JoinInner {
				j.p, j.b, j.last = append(j.p, int32(i)), append(j.b, vector.NoRow), append(j.last, true)
				if full {
					j.refs = append(j.refs, -1)
				}
			}
		}
		for j.chain >= 0 {
			if len(j.p) >= limit {
				return j.s.Fault()
			}
			at := j.chain
			j.chain = j.after(i, at)
			j.p, j.b, j.last = append(j.p, int32(i)), append(j.b, j.build.refs.at(int(at)).loc), append(j.last, j.chain < 0)
			if full {
				j.refs = append(j.refs, at)
			}
		}
		j.begun = false
		if len(j.p) >= limit {
			j.k++
			break
		}
	}
	return j.s.Fault()
}

// first returns the first build row for probe row i, -1 for none.
func (j *Join) first(i int) int32 {
	switch {
	case j.build.rows.Len() == 0:
		return -1
	case len(j.probe) == 0:
		return 0
	}
	if j.codes.v != nil {
		return j.firstCoded(i)
	}
	return j.find.first[i]
}

// after returns the build row for probe row i that follows at.
func (j *Join) after(i int, at int32) int32 {
	if len(j.probe) == 0 {
		if int(at)+1 >= j.build.rows.Len() {
			return -1
		}
		return at + 1
	}
	ref := j.build.refs.at(int(at)) // whose key is that of row i
	return j.match(i, ref.next-1, ref.hash)
}

// match returns the first row of the chain from at on whose keys equal those of probe row i, which have a hash.
func (j *Join) match(i int, at int32, hash uint64) int32 {
	for at >= 0 {
		ref := j.build.refs.at(int(at))
		if ref.hash == hash && j.equal(i, ref.loc) {
			break
		}
		at = ref.next - 1
	}
	return at
}

// equal reports whether the keys of a probe row and of a build row are.
func (j *Join) equal(i int, l vector.Loc) bool {
	cols, row := j.build.rows.Row(l)
	for k, at := range j.build.keys {
		if !j.s.EqualValues(j.keys[k], i, cols[at], row) {
			return false
		}
	}
	return true
}

// emit makes the output of the next pairs that pass the residual, no more than their bytes allow. Left rows whose pairs all
// failed are put in where they belong.
func (j *Join) emit() (int, error) {
	n := j.build.rows.Fit(j.buildC, j.b[j.at:], partBytes)
	p, b, last := j.p[j.at:j.at+n], j.b[j.at:j.at+n], j.last[j.at:j.at+n]
	j.at += n
	j.gather(p, b)
	var err error
	switch {
	case n == 0:
	case len(j.Residual) > 0:
		j.out.Sel, err = j.residual(p, b, last)
	case j.Kind == JoinFull:
		for _, ref := range j.refs[j.at-n : j.at] {
			j.full.match(ref)
		}
	}
	j.part.note(j, p, err)
	return j.out.Rows(), err
}

func (j *Join) gather(p []int32, b []vector.Loc) {
	j.out.N, j.out.Sel = len(p), nil
	if len(p) == 0 {
		return
	}
	for k, c := range j.probeC {
		if c != nil {
			c.Gather(j.in.Cols[k], p)
		}
	}
	j.build.rows.Gather(j.buildC, b)
}

// residual filters the pairs in out.
func (j *Join) residual(p []int32, b []vector.Loc, last []bool) (vector.Sel, error) {
	if j.Kind == JoinInner {
		return j.res.apply(&j.out)
	}
	// Pairs with NoRow pass as they are; the others are tested.
	test := vector.Sel{}
	for k, loc := range b {
		if loc != vector.NoRow {
			test = append(test, int32(k))
		}
	}
	var passed vector.Sel
	var err error
	if j.out.Sel = test; len(test) > 0 {
		passed, err = j.res.apply(&j.out)
	}
	end := len(p)
	if err != nil {
		end = j.res.failedAt // what comes before the pair that failed is given out
	}
	outP, outB := make([]int32, 0, len(p)), make([]vector.Loc, 0, len(b))
	at := 0
	for k := range end {
		if b[k] == vector.NoRow {
			outP, outB = append(outP, p[k]), append(outB, vector.NoRow)
			continue
		}
		if at < len(passed) && int(passed[at]) == k {
			outP, outB = append(outP, p[k]), append(outB, b[k])
			j.matched = true
			if j.Kind == JoinFull {
				j.full.match(j.refs[j.at-len(p)+k])
			}
			at++
		}
		if last[k] {
			if !j.matched {
				outP, outB = append(outP, p[k]), append(outB, vector.NoRow)
			}
			j.matched = false
		}
	}
	j.gather(outP, outB)
	return nil, err
}

// Close frees the build side and closes both inputs.
func (j *Join) Close() error {
	j.acct.release()
	j.s.close()
	j.res.s.close()
	j.build, j.full = buildSide{}, fullSide{}
	j.in = nil
	errs := []error{j.closeDisk()}
	for _, in := range []Operator{j.Left, j.Right} {
		if in != nil {
			errs = append(errs, in.Close())
		}
	}
	return errors.Join(errs...)
}

// Stats returns what the operator counted.
func (j *Join) Stats() Stats {
	if j.s != nil {
		j.stats.OtherType = j.s.OtherType + j.res.otherType() + j.part.otherType
	}
	j.spill.count(&j.stats)
	return j.stats
}
