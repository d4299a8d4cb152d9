package planner

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"time"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// Result is a running query: a stream of batches. It is used by one goroutine.
type Result struct {
	plan  *Plan
	held  *exec.Holder // by who reads the result
	op    exec.Operator
	pos   []int // positions of the result's columns in the operator's batches
	out   vector.Batch
	ended bool
	err   error
}

// Run starts a plan. The caller closes the Result, also after an error of Next.
func Run(ctx context.Context, p *Plan, o RunOptions) (*Result, error) {
	if p.explain != nil {
		return p.runExplain(ctx, o)
	}
	if p.summary != nil {
		return p.runSummary(ctx, o)
	}
	r, _, err := p.start(ctx, o, false)
	return r, err
}

// start makes and opens the operators.
func (p *Plan) start(ctx context.Context, o RunOptions, timed bool) (*Result, *builder, error) {
	b := &builder{plan: p, opts: o, timed: timed, ops: make([]exec.Operator, p.nodes), kept: map[*keepNode]*exec.Kept{}, keys: map[*scanNode][]KeyHint{}}
	b.env = &exec.Env{Now: p.opts.Now, Zone: p.opts.Zone, BatchRows: o.BatchRows, Budget: exec.NewBudget(o.MemoryBytes), Spill: o.Spill, GiveWay: o.GiveWay}
	r := &Result{plan: p, op: b.build(p.root), held: exec.NewHolder(b.env.Budget, "insert")}
	outs := p.root.outputs()
	for _, id := range p.outs {
		r.pos = append(r.pos, slices.Index(outs, id))
	}
	if err := opened(ctx, r.op); err != nil {
		return nil, nil, errors.Join(locate(err, p.opts.Text), closed(r.op))
	}
	return r, b, nil
}

// Hold counts n bytes that the reader of an INSERT's rows keeps of them to the query's memory, in the place of what it said before:
// ErrBudget when that is too much.
func (r *Result) Hold(n int64) error { return r.held.Set(n) }

// Columns are the columns of every batch.
func (r *Result) Columns() []ResultColumn { return r.plan.Columns() }

// Positions returns the positions of the tables that have one; see Plan.Positions.
func (r *Result) Positions() map[string]string { return r.plan.Positions() }

// Next returns the next batch, which has at least one row, or nil at the end. It is valid until the next call of Next or
// Close; rows that are not in its selection are not part of the result. After the end or an error nothing is held any more.
func (r *Result) Next(ctx context.Context) (*vector.Batch, error) {
	if r.ended {
		return nil, r.err
	}
	b, err := r.next(ctx)
	if err == nil && b != nil {
		r.out.Cols = r.out.Cols[:0]
		for _, p := range r.pos {
			r.out.Cols = append(r.out.Cols, b.Cols[p])
		}
		r.out.N, r.out.Sel = b.N, b.Sel
		return &r.out, nil
	}
	r.ended = true
	r.err = errors.Join(locate(err, r.plan.opts.Text), closed(r.op))
	if joined, ok := r.err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) == 1 {
		r.err = joined.Unwrap()[0]
	}
	return nil, r.err
}

// Close ends the query. It may be called at any time, also twice.
func (r *Result) Close() error {
	if r.ended {
		return nil
	}
	r.ended = true
	return closed(r.op)
}

func (r *Result) next(ctx context.Context) (b *vector.Batch, err error) {
	defer guard(&err)
	return r.op.Next(ctx)
}

func opened(ctx context.Context, op exec.Operator) (err error) {
	defer guard(&err)
	return op.Open(ctx)
}

func closed(op exec.Operator) (err error) {
	defer guard(&err)
	return op.Close()
}

// PanicError is a panic of an operator, a defect of this library: the query ends with it, and nothing else does.
type PanicError = exec.PanicError

// guard makes a panic the error of the query.
func guard(err *error) {
	r := recover()
	if r == nil {
		return
	}
	pe, ok := r.(*exec.PanicError) // of another goroutine
	if !ok {
		pe = &exec.PanicError{Value: r, Stack: debug.Stack()}
	}
	*err = pe
}

// runExplain gives the text of a plan; with ANALYZE it runs it first.
func (p *Plan) runExplain(ctx context.Context, o RunOptions) (*Result, error) {
	var run *analysis
	if p.explain.Analyze {
		var err error
		if run, err = p.analyze(ctx, o); err != nil {
			return nil, err
		}
	}
	var lines []string
	if p.explain.Format == query.ExplainJSON {
		text, err := p.explainJSON(run)
		if err != nil {
			return nil, err
		}
		lines = []string{text}
	} else {
		lines = p.explainText(run)
	}
	v := &exec.Values{Types: []vector.Type{vector.Text}, Env: &exec.Env{BatchRows: o.BatchRows}}
	for _, l := range lines {
		v.Rows = append(v.Rows, []exec.Expr{&exec.Const{Value: query.Text(l), T: vector.Text}})
	}
	r := &Result{plan: p, op: v, pos: []int{0}}
	return r, v.Open(ctx)
}

// analysis is what a run of a plan measured.
type analysis struct {
	stats []exec.Stats // by node number
	rows  int64
	spent time.Duration
	peak  int64
}

// analyze runs the plan and drops its rows.
func (p *Plan) analyze(ctx context.Context, o RunOptions) (*analysis, error) {
	start := time.Now()
	r, b, err := p.start(ctx, o, true)
	if err != nil {
		return nil, err
	}
	a := &analysis{}
	for {
		batch, err := r.Next(ctx)
		if err != nil {
			return nil, err
		}
		if batch == nil {
			break
		}
		a.rows += int64(batch.Rows())
	}
	a.spent = time.Since(start)
	for _, op := range b.ops {
		a.stats = append(a.stats, op.Stats())
	}
	a.peak = b.env.Budget.Peak()
	return a, nil
}
