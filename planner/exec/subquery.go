package exec

import (
	"context"
	"errors"
	"slices"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// QueryKind says what of a query's answer an expression takes.
type QueryKind uint8

// A query as a value: its one value, whether it has a row, or a comparison with any of its values.
const (
	QueryValue QueryKind = iota
	QueryExists
	QueryAny
)

// Query is a query used as a value that does not depend on the row. It is run when the first row asks for it, and once.
type Query struct {
	query.Span
	Kind QueryKind
	ID   int // in Env.Answers
	// X Op ANY (query), of QueryAny: true where it is true of one value, else NULL where it is NULL of one, else false.
	X     Expr
	Op    vector.CompareOp
	T     vector.Type
	Fails bool // running it may be an error
}

// Type is that of the query's column, or BOOLEAN.
func (e *Query) Type() vector.Type { return e.T }

func (e *Query) args() []Expr {
	if e.X == nil {
		return nil
	}
	return []Expr{e.X}
}

func (e *Query) with(a []Expr) Expr {
	c := *e
	if e.X != nil {
		c.X = a[0]
	}
	return &c
}

// Answer runs a query that is used as a value, and keeps what was asked of it. It is shared by the evaluators of one run, and
// stands in the tree of operators to be closed and counted: as an operator it gives no rows.
type Answer struct {
	In   Operator
	Col  int // of the query's column in its batches
	Kind QueryKind
	Type vector.Type
	At   query.Span
	Env  *Env

	done    bool
	err     error
	s       *evalState
	acct    account
	value   *vector.Vector // of QueryValue: constant
	exists  bool
	values  *groupTable // of QueryAny: each once, without NULL
	null    bool        // there is a NULL
	classes []vector.Class
	stats   Stats
}

// Open does nothing: the query is opened when it is asked.
func (a *Answer) Open(context.Context) error { return nil }

// Next gives no rows.
func (a *Answer) Next(context.Context) (*vector.Batch, error) { return nil, nil }

// Stats returns what was counted.
func (a *Answer) Stats() Stats { return a.stats }

// Close frees what is kept.
func (a *Answer) Close() error {
	if a.s == nil {
		return nil
	}
	a.acct.release()
	a.s.close()
	a.values, a.value = nil, nil
	return nil
}

// run gets the answer, the first time it is called.
func (a *Answer) run(ctx context.Context) error {
	if a.done {
		return a.err
	}
	a.done = true
	a.s = newEvalState(a.Env)
	a.s.begin(ctx)
	a.acct = newAccount(a.Env, "subquery")
	if a.Kind == QueryAny {
		a.values = newGroupTable(a.s, &storeGate{a.s, &a.acct}, []vector.Type{a.Type})
	}
	a.err = a.In.Open(ctx)
	for a.err == nil {
		var b *vector.Batch
		if b, a.err = a.In.Next(ctx); a.err != nil || b == nil {
			break
		}
		a.stats.Rows += int64(b.Rows())
		var enough bool
		if enough, a.err = a.take(b); enough {
			break
		}
	}
	if a.value == nil && a.Kind == QueryValue {
		a.value = constVector(&Const{T: a.Type})
	}
	a.stats.PeakBytes = a.acct.peak
	a.err = joined(a.err, a.In.Close())
	return a.err
}

// joined is errors.Join that leaves a single error as it is.
func joined(err, also error) error {
	if also == nil {
		return err
	}
	return errors.Join(err, also)
}

// take takes in a batch, and reports whether no more is needed.
func (a *Answer) take(b *vector.Batch) (enough bool, err error) {
	switch a.Kind {
	case QueryExists:
		a.exists = true
		return true, nil
	case QueryValue:
		if a.value != nil || b.Rows() > 1 {
			e := query.ErrorAt(a.At, query.CodeCardinality, "the query gives more than one row")
			return true, &ValueError{Err: e, Cause: ErrCardinality}
		}
		v, i := b.Cols[a.Col], b.Row(0)
		if err := a.acct.set(int64(v.DataLen(i))); err != nil {
			return true, err
		}
		a.value = vector.New(a.Type, 1)
		a.value.AppendFrom(v, i)
		a.value.Const = true
		return false, nil
	}
	cols := []*vector.Vector{b.Cols[a.Col]}
	hashes, err := a.values.hash(cols, b.Sel, b.N)
	if err != nil {
		return true, err
	}
	for k := range b.Rows() {
		i := b.Row(k)
		if cols[0].Null(i) {
			a.null = true
			continue
		}
		_, fresh, err := a.values.add(cols, i, hashes[i])
		if err != nil {
			return true, err
		}
		if fresh {
			a.noteClass(cols[0].Class(i))
		}
	}
	return false, a.acct.set(a.values.bytes())
}

// noteClass remembers which values that do not compare with each other there are.
func (a *Answer) noteClass(c vector.Class) {
	if slices.ContainsFunc(a.classes, c.Comparable) {
		return
	}
	a.classes = append(a.classes, c)
}

// queryEval evaluates a Query.
type queryEval struct {
	s   *evalState
	e   *Query
	x   evaluator
	out vector.Vector
}

func (s *evalState) compileQuery(e *Query) evaluator {
	q := &queryEval{s: s, e: e}
	if e.X != nil {
		q.x = s.compile(e.X)
	}
	s.output(&q.out, e.T)
	return q
}

func (q *queryEval) eval(b *vector.Batch, sel vector.Sel) (*vector.Vector, error) {
	var x *vector.Vector
	if q.x != nil {
		var err error
		if x, err = q.x.eval(b, sel); err != nil {
			return nil, err
		}
	}
	if sel.Count(b.N) == 0 {
		q.out.Resize(q.e.T, b.N)
		return &q.out, nil // nobody asks
	}
	a := q.s.env.Answers[q.e.ID]
	if err := a.run(q.s.ctx); err != nil {
		var ve *ValueError
		if !errors.As(err, &ve) {
			return nil, err
		}
		row := 0
		if sel != nil {
			row = int(sel[0])
		}
		return nil, &rowError{row, err}
	}
	if q.e.Kind == QueryValue {
		return a.value, nil
	}
	q.out.Resize(vector.Bool, b.N)
	if q.e.Kind == QueryExists {
		sel.All(b.N, func(i int) { q.out.Bools[i] = a.exists })
		return &q.out, nil
	}
	return &q.out, q.any(a, x, sel, b.N)
}

// any compares x with the values.
func (q *queryEval) any(a *Answer, x *vector.Vector, sel vector.Sel, n int) error {
	var hashes []uint64
	a.s.begin(q.s.ctx)
	if q.e.Op == vector.Eq {
		var err error
		if hashes, err = a.values.hash([]*vector.Vector{x}, sel, n); err != nil {
			return err
		}
	}
	for k := range sel.Count(n) {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		truth, null := false, a.null
		switch {
		case a.values.len() == 0 && !a.null:
		case x.Null(i):
			null = true
		case q.e.Op == vector.Eq:
			truth = a.values.find([]*vector.Vector{x}, i, hashes[i]) >= 0
			same := false
			for _, c := range a.classes {
				ok := c.Comparable(x.Class(i))
				same, null = same || ok, null || !ok
			}
			if !truth && !same && len(a.classes) > 0 {
				q.s.OtherType++
			}
		default:
			for g := 0; g < a.values.len() && !truth; g++ {
				cols, row := a.values.rows.Row(a.values.refs.at(g).loc)
				if !cols[0].Class(row).Comparable(x.Class(i)) {
					null = true
					continue
				}
				truth = holds(q.e.Op, q.s.CompareTotal(x, i, cols[0], row, false))
				if err := q.s.Step(compareStep); err != nil {
					return err
				}
			}
		}
		if q.out.Bools[i] = truth; !truth && null {
			q.out.SetNull(i)
		}
	}
	if err := a.s.Fault(); err != nil {
		return err
	}
	if err := q.s.Fault(); err != nil {
		return err
	}
	return q.s.rows(sel, n)
}

// holds reports whether a comparison that gave c is true.
func holds(op vector.CompareOp, c int) bool {
	switch op {
	case vector.Eq:
		return c == 0
	case vector.Ne:
		return c != 0
	case vector.Lt:
		return c < 0
	case vector.Le:
		return c <= 0
	case vector.Gt:
		return c > 0
	}
	return c >= 0
}

// With runs queries and tables that others use beside the plan that uses them: it gives the rows of Main and closes all.
type With struct {
	Main Operator
	Used []Operator
}

// Open opens the plan. What the others run is opened when they are used.
func (w *With) Open(ctx context.Context) error {
	for _, u := range w.Used {
		if err := u.Open(ctx); err != nil {
			return err
		}
	}
	return w.Main.Open(ctx)
}

// Next returns the plan's next batch.
func (w *With) Next(ctx context.Context) (*vector.Batch, error) { return w.Main.Next(ctx) }

// Close closes everything.
func (w *With) Close() error {
	err := w.Main.Close()
	for _, u := range w.Used {
		err = joined(err, u.Close())
	}
	return err
}

// Stats returns what the plan counted.
func (w *With) Stats() Stats { return Stats{Rows: w.Main.Stats().Rows} }
