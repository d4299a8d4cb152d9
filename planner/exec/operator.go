package exec

import (
	"context"
	"errors"
	"time"

	"github.com/seed69692123/netdb/planner/vector"
)

// Operator is a step of a running plan. It is used by one goroutine: Open once, Next until it returns nil or an error, Close.
type Operator interface {
	// Open prepares the operator and everything below it. It reads no rows.
	Open(ctx context.Context) error
	// Next returns the next batch, which has at least one row that is alive, or nil at the end. The batch, its vectors and
	// their slices are valid until the next call of Next or Close; the caller may set its selection. After an error Next
	// returns that error again. A cancelled ctx ends it between batches and inside long work, with the context's error.
	Next(ctx context.Context) (*vector.Batch, error)
	// Close frees what the operator and everything below it holds, and waits for goroutines. It may be called at any time,
	// also twice, and after a failed Open.
	Close() error
	// Stats returns what the operator counted; it may be called after Close.
	Stats() Stats
}

// Stats is what an operator counts for EXPLAIN ANALYZE.
type Stats struct {
	Rows      int64 // rows it gave
	Nanos     int64 // time spent in it and everything below it
	OtherType int64 // values that were NULL because they were of another type than wanted
	PeakBytes int64 // the most memory it held
	RowsRead  int64 // rows a scan looked at
	BytesRead int64
	Skipped   int64 // rows a scan excluded without looking
	Chunks    int64 // chunks of columns in its range
	Pruned    int64 // chunks excluded without looking
	// Keyed is rows that a scan excluded because a join has no partner for them, KeyedChunks chunks excluded for that without looking.
	Keyed, KeyedChunks int64
	// SpillBytes is what was written to temporary files, SpillPasses how many times a row was written at most.
	SpillBytes  int64
	SpillPasses int64
}

// Add adds what another operator counted that did a part of the same work.
func (s *Stats) Add(o Stats) {
	s.Rows += o.Rows
	s.Nanos += o.Nanos
	s.OtherType += o.OtherType
	s.PeakBytes += o.PeakBytes
	s.RowsRead += o.RowsRead
	s.BytesRead += o.BytesRead
	s.Skipped += o.Skipped
	s.Chunks += o.Chunks
	s.Pruned += o.Pruned
	s.Keyed += o.Keyed
	s.KeyedChunks += o.KeyedChunks
	s.SpillBytes += o.SpillBytes
	s.SpillPasses = max(s.SpillPasses, o.SpillPasses)
}

// Iterator gives the batches of a scan; see planner.Iterator.
type Iterator interface {
	Next(ctx context.Context) (*vector.Batch, error)
	Close() error
}

// Scan is the operator that reads a source.
type Scan struct {
	// Start begins the scan.
	Start func(ctx context.Context) (Iterator, error)
	// Count, when set, gives what the iterator counted.
	Count func(it Iterator) Stats

	it    Iterator
	stats Stats
}

// Open starts the scan.
func (s *Scan) Open(ctx context.Context) error {
	var err error
	s.it, err = s.Start(ctx)
	return err
}

// Next returns the scan's next batch.
func (s *Scan) Next(ctx context.Context) (*vector.Batch, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b, err := s.it.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		if n := b.Rows(); n > 0 {
			s.stats.Rows += int64(n)
			return b, nil
		}
	}
}

// Close ends the scan.
func (s *Scan) Close() error {
	if s.it == nil {
		return nil
	}
	err := s.it.Close()
	if s.Count != nil {
		counts := s.Count(s.it)
		counts.Rows = s.stats.Rows
		s.stats = counts
	}
	return err
}

// Stats returns what the scan counted.
func (s *Scan) Stats() Stats { return s.stats }

// Filter keeps the rows on which every predicate is true. Predicates run in order, each on the rows that passed those before.
type Filter struct {
	In    Operator
	Preds []Expr
	// Cols are the columns of the input that come out; nil for all.
	Cols []int
	Env  *Env

	p     predicates
	out   vector.Batch
	err   error
	stats Stats
}

// Open prepares the predicates.
func (f *Filter) Open(ctx context.Context) error {
	f.p = newPredicates(f.Preds, f.Env)
	return f.In.Open(ctx)
}

// Next returns the next batch of which a row passes.
func (f *Filter) Next(ctx context.Context) (*vector.Batch, error) {
	f.p.s.begin(ctx)
	for f.err == nil {
		b, err := f.In.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		b.Sel, f.err = f.p.apply(b)
		if n := b.Rows(); n > 0 {
			f.stats.Rows += int64(n)
			return pick(&f.out, b, f.Cols), nil
		}
	}
	return nil, f.err
}

// pick returns a batch with some columns of another one, in out; the other one when cols is nil.
func pick(out, b *vector.Batch, cols []int) *vector.Batch {
	if cols == nil {
		return b
	}
	out.N, out.Sel, out.Cols = b.N, b.Sel, out.Cols[:0]
	for _, c := range cols {
		out.Cols = append(out.Cols, b.Cols[c])
	}
	return out
}

// Close closes the input.
func (f *Filter) Close() error {
	f.p.s.close()
	return f.In.Close()
}

// Stats returns what the filter counted.
func (f *Filter) Stats() Stats {
	f.stats.OtherType = f.p.otherType()
	return f.stats
}

// predicates is a conjunction that is evaluated in order.
type predicates struct {
	s     *evalState
	evals []evaluator
	buf   vector.Sel
	// failedAt is the row at which the last apply that gave an error failed.
	failedAt int
}

func newPredicates(preds []Expr, env *Env) predicates {
	s := newEvalState(env)
	return predicates{s: s, evals: s.compileAll(preds)}
}

func (p *predicates) otherType() int64 {
	if p.s == nil {
		return 0
	}
	return p.s.OtherType
}

// apply returns the rows of the batch that pass. An error comes with the rows before the one that failed: they are given out
// first, so that which rows a query returns before it fails does not depend on the size of batches.
func (p *predicates) apply(b *vector.Batch) (vector.Sel, error) {
	rest := *b
	var failed error
	for _, e := range p.evals {
		out := p.buf[:0] // behind the rows that are still to be read, when they are in it too
		if err := p.s.each(&rest, func(part *vector.Batch) error {
			sel := part.Sel
			v, err := e.eval(part, sel)
			stop := error(nil)
			for err != nil {
				var re *rowError
				if !errors.As(err, &re) {
					return err
				}
				failed, p.failedAt, stop = re.err, re.row, errStop
				sel = before(sel, re.row)
				v, err = e.eval(part, sel)
			}
			out = p.s.SelectTrue(v, sel, b.N, out)
			return stop
		}); err != nil && !errors.Is(err, errStop) {
			return vector.Sel{}, err
		}
		p.buf, rest.Sel = out, out
		if len(out) == 0 {
			break
		}
	}
	if rest.Sel == nil {
		return b.Sel, failed
	}
	return rest.Sel, failed
}

// errStop ends the going through a batch without an error.
var errStop = errors.New("exec: no more rows")

// before returns the rows of sel before row, as a new selection.
func before(sel vector.Sel, row int) vector.Sel {
	out := vector.Sel{}
	if sel == nil {
		for i := range row {
			out = append(out, int32(i))
		}
		return out
	}
	for _, i := range sel {
		if int(i) < row {
			out = append(out, i)
		}
	}
	return out
}

// evalAll evaluates expressions on rows of the batch. On an error the result is for the rows before the one that failed, as in
// apply.
func evalAll(evals []evaluator, b *vector.Batch, sel vector.Sel, out []*vector.Vector) (vector.Sel, error) {
	var failed error
	for again := true; again; {
		again = false
		for i, e := range evals {
			v, err := e.eval(b, sel)
			if err != nil {
				var re *rowError
				if !errors.As(err, &re) {
					return vector.Sel{}, err
				}
				failed = re.err
				sel = before(sel, re.row)
				again = true
				break
			}
			out[i] = v
		}
	}
	return sel, failed
}

// Project computes expressions.
type Project struct {
	In    Operator
	Exprs []Expr
	Env   *Env

	s     *evalState
	evals []evaluator
	out   vector.Batch
	err   error
	stats Stats
}

// Open prepares the expressions.
func (p *Project) Open(ctx context.Context) error {
	p.s = newEvalState(p.Env)
	p.evals = p.s.compileAll(p.Exprs)
	p.out.Cols = make([]*vector.Vector, len(p.Exprs))
	return p.In.Open(ctx)
}

// Next returns the expressions of the next batch, or of a part of it.
func (p *Project) Next(ctx context.Context) (*vector.Batch, error) {
	if p.err != nil {
		return nil, p.err
	}
	p.s.begin(ctx)
	if !p.s.more() {
		b, err := p.In.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		p.s.take(b)
	}
	p.err = p.s.part(func(b *vector.Batch) error {
		var err error
		p.out.N = b.N
		p.out.Sel, err = evalAll(p.evals, b, b.Sel, p.out.Cols)
		return err
	})
	n := p.out.Rows()
	if n == 0 {
		return nil, p.err
	}
	p.stats.Rows += int64(n)
	return &p.out, nil
}

// Close closes the input.
func (p *Project) Close() error {
	p.s.close()
	return p.In.Close()
}

// Stats returns what the operator counted.
func (p *Project) Stats() Stats {
	if p.s != nil {
		p.stats.OtherType = p.s.OtherType
	}
	return p.stats
}

// Limit passes Count rows after the first Offset ones; Count is -1 for all. It asks for no more than it needs.
type Limit struct {
	In            Operator
	Count, Offset int64

	skipped, given int64
	buf            vector.Sel
	stats          Stats
}

// Open opens the input.
func (l *Limit) Open(ctx context.Context) error { return l.In.Open(ctx) }

// Next returns the next batch within the limit.
func (l *Limit) Next(ctx context.Context) (*vector.Batch, error) {
	for l.Count < 0 || l.given < l.Count {
		b, err := l.In.Next(ctx)
		if err != nil || b == nil {
			return nil, err
		}
		n := int64(b.Rows())
		skip := min(n, l.Offset-l.skipped)
		l.skipped += skip
		take := n - skip
		if l.Count >= 0 {
			take = min(take, l.Count-l.given)
		}
		if take == 0 {
			continue
		}
		l.given += take
		if skip > 0 || take < n {
			l.buf = l.buf[:0]
			for k := skip; k < skip+take; k++ {
				l.buf = append(l.buf, int32(b.Row(int(k))))
			}
			b.Sel = l.buf
		}
		l.stats.Rows += take
		return b, nil
	}
	return nil, nil
}

// Close closes the input.
func (l *Limit) Close() error { return l.In.Close() }

// Stats returns what the operator counted.
func (l *Limit) Stats() Stats { return l.stats }

// Union gives the rows of its inputs one after the other. Maps[i] are the positions of the output columns in input i.
type Union struct {
	Ins  []Operator
	Maps [][]int

	at    int
	out   vector.Batch
	stats Stats
}

// Open opens all inputs.
func (u *Union) Open(ctx context.Context) error {
	for _, in := range u.Ins {
		if err := in.Open(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Next returns the next batch of the current input.
func (u *Union) Next(ctx context.Context) (*vector.Batch, error) {
	for ; u.at < len(u.Ins); u.at++ {
		b, err := u.Ins[u.at].Next(ctx)
		if err != nil {
			return nil, err
		}
		if b == nil {
			continue
		}
		u.out.Cols = u.out.Cols[:0]
		for _, p := range u.Maps[u.at] {
			u.out.Cols = append(u.out.Cols, b.Cols[p])
		}
		u.out.N, u.out.Sel = b.N, b.Sel
		u.stats.Rows += int64(b.Rows())
		return &u.out, nil
	}
	return nil, nil
}

// Close closes all inputs.
func (u *Union) Close() error {
	var errs []error
	for _, in := range u.Ins {
		errs = append(errs, in.Close())
	}
	return errors.Join(errs...)
}

// Stats returns what the operator counted.
func (u *Union) Stats() Stats { return u.stats }

// Timed measures an operator.
type Timed struct {
	Operator
	nanos int64
}

// Open opens the operator.
func (t *Timed) Open(ctx context.Context) error {
	start := time.Now()
	defer func() { t.nanos += int64(time.Since(start)) }()
	return t.Operator.Open(ctx)
}

// Next returns the operator's next batch.
func (t *Timed) Next(ctx context.Context) (*vector.Batch, error) {
	start := time.Now()
	b, err := t.Operator.Next(ctx)
	t.nanos += int64(time.Since(start))
	return b, err
}

// Stats returns what the operator counted, with the time.
func (t *Timed) Stats() Stats {
	s := t.Operator.Stats()
	s.Nanos += t.nanos // beside that of goroutines
	return s
}
