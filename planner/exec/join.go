package exec

import (
	"context"
	"errors"
	"math"

	"github.com/seed69692123/netdb/planner/vector"
)

// JoinKind is the kind of a join.
type JoinKind uint8

// The kinds of join. In a left join, the left rows without a partner are kept, with NULLs on the right.
const (
	JoinInner JoinKind = iota
	JoinLeft
)

// String returns INNER or LEFT.
func (k JoinKind) String() string { return [...]string{"INNER", "LEFT"}[k] }

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
	// LeftTypes and RightTypes are the types of the columns, which are needed where a side has no row.
	LeftTypes, RightTypes []vector.Type
	Env                   *Env

	s     *evalState
	build buildSide
	acct  account

	probe   []evaluator
	in      *vector.Batch // of the probe side
	keys    []*vector.Vector
	hashes  []uint64
	k       int   // next row of in, counted in its selection
	chain   int32 // next build row for row k; -1 at the end
	begun   bool  // chain is set
	matched bool  // row k has had a partner that passed the residual

	p, b    []int32 // pairs: rows of in and of the build side
	last    []bool  // the pair is the last of its probe row
	res     predicates
	out     vector.Batch
	probeC  []*vector.Vector // columns of out that come from the probe side
	buildC  []*vector.Vector
	pending error
	err     error
	stats   Stats
}

// buildSide is the rows kept.
type buildSide struct {
	cols  []*vector.Vector
	keys  []*vector.Vector
	n     int
	next  []int32 // chain of rows in one bucket, in order; -1 ends it
	hash  []uint64
	heads []int32 // by hash; -1 is none
	err   error   // a key failed; it counts once there is a probe row
}

// Open opens both inputs.
func (j *Join) Open(ctx context.Context) error {
	j.s = newEvalState(j.Env)
	j.acct = newAccount(j.Env, "join")
	j.res = newPredicates(j.Residual, j.Env)
	j.p, j.b = nil, nil
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
	for _, t := range types {
		j.build.cols = append(j.build.cols, vector.New(t, 0))
	}
	if err := j.Left.Open(ctx); err != nil {
		return err
	}
	return j.Right.Open(ctx)
}

func (j *Join) sides() (build, probe Operator, keys []Expr) {
	if j.BuildLeft {
		return j.Left, j.Right, j.LeftKeys
	}
	return j.Right, j.Left, j.RightKeys
}

// read takes in the build side.
func (j *Join) read(ctx context.Context) error {
	in, _, keys := j.sides()
	evals := j.s.compileAll(keys)
	for _, k := range keys {
		j.build.keys = append(j.build.keys, vector.New(k.Type(), 0))
	}
	bs := &j.build
	for {
		b, err := in.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			break
		}
		if int64(bs.n)+int64(b.Rows()) > math.MaxInt32 {
			return errTooManyRows
		}
		vecs := make([]*vector.Vector, len(evals))
		sel, err := evalAll(evals, b, vecs)
		if err != nil {
			if bs.err == nil {
				bs.err = err
			}
			break
		}
		if len(evals) > 0 {
			if cap(j.hashes) < b.N {
				j.hashes = make([]uint64, b.N)
			}
			j.s.Hash(vecs, sel, b.N, j.hashes[:b.N])
			for k := range b.Rows() {
				bs.hash = append(bs.hash, j.hashes[b.Row(k)])
			}
			for k, v := range vecs {
				bs.keys[k].AppendRows(v, sel, b.N)
			}
		}
		for k, c := range b.Cols {
			bs.cols[k].AppendRows(c, sel, b.N)
		}
		bs.n += b.Rows()
		if err := j.acct.set(bs.bytes()); err != nil {
			return err
		}
		j.stats.PeakBytes = j.acct.peak
	}
	if len(evals) == 0 {
		return nil
	}
	size := 64
	for size < 2*bs.n {
		size *= 2
	}
	if err := j.acct.set(bs.bytes() + int64(size*4+bs.n*4)); err != nil {
		return err
	}
	j.stats.PeakBytes = j.acct.peak
	bs.heads, bs.next = make([]int32, size), make([]int32, bs.n)
	for i := range bs.heads {
		bs.heads[i] = -1
	}
	// Backwards, so that each chain is in order.
	for i := bs.n - 1; i >= 0; i-- {
		if i&(mergeStep-1) == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		null := false
		for _, k := range bs.keys {
			null = null || k.Null(i)
		}
		if null {
			continue
		}
		at := bs.hash[i] & uint64(size-1)
		bs.next[i], bs.heads[at] = bs.heads[at], int32(i)
	}
	return nil
}

func (s *buildSide) bytes() int64 {
	n := int64(cap(s.next)*4 + cap(s.hash)*8 + cap(s.heads)*4)
	for _, c := range s.cols {
		n += c.MemoryBytes()
	}
	for _, c := range s.keys {
		n += c.MemoryBytes()
	}
	return n
}

// Next returns the next pairs.
func (j *Join) Next(ctx context.Context) (*vector.Batch, error) {
	if j.err != nil {
		return nil, j.err
	}
	if j.keys == nil {
		if j.err = j.read(ctx); j.err != nil {
			return nil, j.err
		}
		j.keys = make([]*vector.Vector, len(j.probe))
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if j.in == nil {
			if j.pending != nil {
				j.err = j.pending
				return nil, j.err
			}
			if j.Kind == JoinInner && j.build.n == 0 && j.build.err == nil {
				return nil, nil
			}
			if j.err = j.nextProbe(ctx); j.err != nil || j.in == nil {
				return nil, j.err
			}
		}
		j.pairs()
		n, err := j.emit()
		if err != nil {
			// The rows before the failure first.
			j.pending, j.in = err, nil
		}
		if n > 0 {
			j.stats.Rows += int64(n)
			return &j.out, nil
		}
	}
}

// nextProbe takes the next batch of the probe side and evaluates its keys.
func (j *Join) nextProbe(ctx context.Context) error {
	_, probe, _ := j.sides()
	b, err := probe.Next(ctx)
	if err != nil || b == nil {
		return err
	}
	if j.build.err != nil {
		return j.build.err
	}
	b.Sel, j.pending = evalAll(j.probe, b, j.keys)
	if b.Rows() == 0 {
		return j.pending
	}
	if len(j.probe) > 0 {
		if cap(j.hashes) < b.N {
			j.hashes = make([]uint64, b.N)
		}
		j.hashes = j.hashes[:b.N]
		j.s.Hash(j.keys, b.Sel, b.N, j.hashes)
	}
	j.in, j.k, j.begun, j.matched = b, 0, false, false
	return nil
}

// pairs collects pairs with equal keys until there are as many as a batch has rows, or the probe batch is at its end. A left
// row without any is paired with -1.
func (j *Join) pairs() {
	j.p, j.b, j.last = j.p[:0], j.b[:0], j.last[:0]
	limit := j.Env.batchRows()
	for ; j.k < j.in.Rows(); j.k++ {
		i := j.in.Row(j.k)
		if !j.begun {
			j.chain, j.begun = j.first(i), true
			if j.chain < 0 && j.Kind == JoinLeft {
				j.p, j.b, j.last = append(j.p, int32(i)), append(j.b, -1), append(j.last, true)
			}
		}
		for j.chain >= 0 {
			if len(j.p) >= limit {
				return
			}
			at := j.chain
			j.chain = j.after(i, at)
			j.p, j.b, j.last = append(j.p, int32(i)), append(j.b, at), append(j.last, j.chain < 0)
		}
		j.begun = false
		if len(j.p) >= limit {
			j.k++
			break
		}
	}
	if j.k >= j.in.Rows() {
		j.k = math.MaxInt
	}
}

// first returns the first build row for probe row i, -1 for none.
func (j *Join) first(i int) int32 {
	if len(j.probe) == 0 {
		if j.build.n == 0 {
			return -1
		}
		return 0
	}
	for _, k := range j.keys {
		if k.Null(i) {
			return -1
		}
	}
	return j.match(i, j.build.heads[j.hashes[i]&uint64(len(j.build.heads)-1)])
}

// after returns the build row for probe row i that follows at.
func (j *Join) after(i int, at int32) int32 {
	if len(j.probe) == 0 {
		if int(at)+1 >= j.build.n {
			return -1
		}
		return at + 1
	}
	return j.match(i, j.build.next[at])
}

// match returns the first row of the chain from at on whose keys equal those of probe row i.
func (j *Join) match(i int, at int32) int32 {
	for at >= 0 && !(j.build.hash[at] == j.hashes[i] && j.s.EqualRows(j.keys, i, j.build.keys, int(at))) {
		at = j.build.next[at]
	}
	return at
}

// emit makes the output of the pairs that pass the residual. Left rows whose pairs all failed are put in where they belong.
func (j *Join) emit() (int, error) {
	j.gather(j.p, j.b)
	var err error
	if len(j.Residual) > 0 && len(j.p) > 0 {
		j.out.Sel, err = j.residual()
	}
	if j.k == math.MaxInt && err == nil {
		j.in = nil
	}
	return j.out.Rows(), err
}

func (j *Join) gather(p, b []int32) {
	if len(p) > 0 {
		for k, c := range j.probeC {
			c.Gather(j.in.Cols[k], p)
		}
	}
	for k, c := range j.buildC {
		c.Gather(j.build.cols[k], b)
	}
	j.out.N, j.out.Sel = len(p), nil
}

// residual filters the pairs in out.
func (j *Join) residual() (vector.Sel, error) {
	if j.Kind == JoinInner {
		return j.res.apply(&j.out)
	}
	// Pairs with -1 pass as they are; the others are tested.
	test := vector.Sel{}
	for k, b := range j.b {
		if b >= 0 {
			test = append(test, int32(k))
		}
	}
	j.out.Sel = test
	passed, err := j.res.apply(&j.out)
	end := len(j.p)
	if err != nil {
		end = j.res.failedAt // what comes before the pair that failed is given out
	}
	p, b := make([]int32, 0, len(j.p)), make([]int32, 0, len(j.b))
	at := 0
	for k := range end {
		if j.b[k] < 0 {
			p, b = append(p, j.p[k]), append(b, -1)
			continue
		}
		if at < len(passed) && int(passed[at]) == k {
			p, b = append(p, j.p[k]), append(b, j.b[k])
			j.matched = true
			at++
		}
		if j.last[k] {
			if !j.matched {
				p, b = append(p, j.p[k]), append(b, -1)
			}
			j.matched = false
		}
	}
	j.gather(p, b)
	return nil, err
}

// Close frees the build side and closes both inputs.
func (j *Join) Close() error {
	j.acct.release()
	j.s.close()
	j.res.s.close()
	j.build = buildSide{}
	j.in = nil
	return errors.Join(j.Left.Close(), j.Right.Close())
}

// Stats returns what the operator counted.
func (j *Join) Stats() Stats {
	if j.s != nil {
		j.stats.OtherType = j.s.OtherType + j.res.otherType()
	}
	return j.stats
}
