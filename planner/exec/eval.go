package exec

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/seed69692123/netdb/planner/spill"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// Env is what expressions and operators know beside their input.
type Env struct {
	// Now is the time of now(), fixed for a query.
	Now time.Time
	// Zone is the session's time zone; nil is UTC.
	Zone *time.Location
	// BatchRows is the greatest number of rows in a batch that an operator makes; 0 means vector.MaxRows.
	BatchRows int
	// Budget is what operators count their memory against; nil is without a limit.
	Budget *Budget
	// Answers are the queries used as values, by their numbers.
	Answers []*Answer
	// Spill is where operators put rows above the budget; nil ends the query there.
	Spill *spill.Dir
	// GiveWay, when set, is called now and then by operators: it lets more urgent work have the processor. It is safe for concurrent use.
	GiveWay func()
	// share is what an operator that another one runs inside may hold; 0 is its part of the budget.
	share int64
}

func (e *Env) batchRows() int {
	if e.BatchRows <= 0 {
		return vector.MaxRows
	}
	return e.BatchRows
}

// rowError is an error of an expression at one row of the batch. The error is a *query.Error at the expression.
type rowError struct {
	row int
	err error
}

func (e *rowError) Error() string { return e.err.Error() }
func (e *rowError) Unwrap() error { return e.err }

// errorAt places a kernel's error at the expression that asked for it.
func errorAt(at query.Span, err error) error {
	var re *rowError
	if errors.As(err, &re) {
		return err
	}
	row := 0
	var ve *vector.RowError
	if errors.As(err, &ve) {
		row, err = ve.Row, ve.Err
	}
	return &rowError{row, &ValueError{Err: query.ErrorAt(at, codeOf(err), "%s", err.Error()), Cause: err}}
}

// ValueError is the failure of an expression on a value: an overflow, a cast, a division by zero. It carries the place in the
// statement (a *query.Error) and the cause; errors.Is and errors.As find both.
type ValueError struct {
	Err   *query.Error
	Cause error
}

func (e *ValueError) Error() string { return e.Err.Error() }

// Unwrap returns the error with its place, and the cause.
func (e *ValueError) Unwrap() []error { return []error{e.Err, e.Cause} }

func codeOf(err error) query.Code {
	switch {
	case errors.Is(err, vector.ErrDivideByZero):
		return query.CodeDivideByZero
	case errors.Is(err, vector.ErrOverflow), errors.Is(err, vector.ErrBigArithmetic), errors.Is(err, vector.ErrTimeRange),
		errors.Is(err, vector.ErrValueTooLarge):
		return query.CodeOutOfRange
	}
	return query.CodeBadValue
}

// evaluator computes an expression for the rows sel of a batch (nil: all). The vector it returns is defined on these rows, is
// valid until the next call, and must not be changed: it may be a column of the batch.
type evaluator interface {
	eval(b *vector.Batch, sel vector.Sel) (*vector.Vector, error)
}

// compile makes the evaluator of an expression whose columns are positions in the batch.
func (s *evalState) compile(e Expr) evaluator {
	switch e := e.(type) {
	case *Col:
		return colEval(e.Index)
	case *Const:
		return &constEval{v: constVector(e)}
	case *Compare:
		c := &compareEval{s: s, op: e.Op, l: s.compile(e.L), r: s.compile(e.R)}
		s.output(&c.out, e.Type())
		return c
	case *Arith:
		c := &arithEval{s: s, e: e, l: s.compile(e.L), r: s.compile(e.R)}
		s.output(&c.out, e.T)
		return c
	case *Logic:
		c := &logicEval{s: s, or: e.Or, args: s.compileAll(e.Args)}
		s.output(&c.acc, vector.Bool)
		s.output(&c.bool, vector.Bool)
		return c
	case *Not:
		c := &notEval{s: s, x: s.compile(e.X)}
		s.output(&c.out, vector.Bool)
		return c
	case *Is:
		c := &isEval{s: s, e: e, x: s.compile(e.X)}
		s.output(&c.out, vector.Bool)
		return c
	case *In:
		return s.compileIn(e)
	case *Like:
		return s.compileLike(e)
	case *Case:
		c := &caseEval{s: s, t: e.T, whens: s.compileAll(e.Whens), thens: s.compileAll(e.Thens)}
		if e.Else != nil {
			c.other = s.compile(e.Else)
		}
		s.output(&c.out, e.T)
		return c
	case *Coalesce:
		c := &coalesceEval{s: s, t: e.T, args: s.compileAll(e.Args)}
		last := e.Args[len(e.Args)-1]
		if w, ok := last.(*Widen); ok {
			last = w.X
		}
		if k, ok := last.(*Const); ok && len(e.Args) == 2 && k.Value.Kind() == query.KindText && len(k.Value.Text()) < partBytes {
			c.text = constVector(k)
		}
		s.output(&c.out, e.T)
		return c
	case *Cast:
		c := &castEval{s: s, e: e, x: s.compile(e.X)}
		s.output(&c.out, e.To)
		return c
	case *Narrow:
		c := &narrowEval{s: s, t: e.T, x: s.compile(e.X)}
		s.output(&c.out, e.T)
		return c
	case *Widen:
		c := &widenEval{s: s, t: e.T, x: s.compile(e.X)}
		s.output(&c.out, e.T)
		return c
	case *Bucket:
		return s.compileBucket(e)
	case *Call:
		return s.compileCall(e)
	case *Query:
		return s.compileQuery(e)
	}
	panic("exec: unknown expression")
}

func (s *evalState) compileAll(es []Expr) []evaluator {
	out := make([]evaluator, len(es))
	for i, e := range es {
		out[i] = s.compile(e)
	}
	return out
}

type colEval int

func (c colEval) eval(b *vector.Batch, _ vector.Sel) (*vector.Vector, error) { return b.Cols[c], nil }

type constEval struct{ v *vector.Vector }

func (c *constEval) eval(*vector.Batch, vector.Sel) (*vector.Vector, error) { return c.v, nil }

// constVector makes a constant vector of one row.
func constVector(e *Const) *vector.Vector {
	v := vector.New(e.T, 1)
	AppendValue(v, e.Value)
	v.Const = true
	return v
}

// AppendValue appends a value to a vector of its type, or a dynamic one. A value that has no place in the type is NULL.
func AppendValue(v *vector.Vector, x query.Value) {
	t := v.Type
	fits := func(u vector.Type) bool { return t == u || t.Dynamic() }
	switch k := x.Kind(); {
	case k == query.KindBool && fits(vector.Bool):
		v.AppendBool(x.Bool())
	case k == query.KindInt && fits(vector.Int):
		v.AppendInt(x.Int())
	case k == query.KindInt && t == vector.Float:
		v.AppendFloat(float64(x.Int()))
	case k == query.KindBig && t.Dynamic():
		v.AppendBytes(vector.ClassBig, []byte(x.Text()))
	case k == query.KindDouble && fits(vector.Float):
		v.AppendFloat(x.Double())
	case k == query.KindText && fits(vector.Text):
		v.AppendText([]byte(x.Text()))
	case k == query.KindBlob && fits(vector.Blob):
		v.AppendBlob([]byte(x.Text()))
	case k == query.KindTime && fits(vector.Time):
		v.AppendTime(x.Nanos())
	case k == query.KindDate && fits(vector.Date):
		v.AppendDate(x.Days())
	case k == query.KindInterval && fits(vector.IntervalType):
		m, d, ns := x.Interval()
		v.AppendInterval(vector.Interval{Months: m, Days: d, Nanos: ns})
	case k == query.KindJSON && t.Dynamic():
		appendJSON(v, x.Text())
	default:
		v.AppendNull()
	}
}

// appendJSON appends well-formed JSON text as the value it stands for.
func appendJSON(v *vector.Vector, text string) {
	src := vector.New(vector.Text, 1)
	src.AppendText([]byte(text))
	var out vector.Vector
	var st vector.State
	if err := st.Cast(src, vector.JSON, true, &out, nil, 1); err != nil {
		v.AppendNull()
		return
	}
	v.AppendFrom(&out, 0)
}

// ValueAt returns row i of a vector as a value that shares no memory with it. Arrays and objects are JSON values; so is
// everything in a vector of type JSON, but NULL.
func ValueAt(v *vector.Vector, i int) query.Value {
	c := v.Class(i)
	if v.Type == vector.JSON && c != vector.ClassNull {
		return query.JSON(string(appendJSONText(nil, v, i)))
	}
	switch c {
	case vector.ClassBool:
		return query.Bool(v.Bool(i))
	case vector.ClassInt:
		return query.Int(v.Int(i))
	case vector.ClassBig:
		if x, ok := query.ParseInteger(string(v.Bytes(i))); ok {
			return x
		}
		return query.JSON(string(v.Bytes(i))) // more digits than a Value of a number keeps
	case vector.ClassFloat:
		return query.Double(v.Float(i))
	case vector.ClassText:
		return query.Text(string(v.Bytes(i)))
	case vector.ClassBlob:
		return query.Blob(v.Bytes(i))
	case vector.ClassTime:
		return query.Nanos(v.Int(i))
	case vector.ClassDate:
		return query.Date(v.Int(i))
	case vector.ClassInterval:
		iv := v.Interval(i)
		return query.Interval(iv.Months, iv.Days, iv.Nanos)
	case vector.ClassArray, vector.ClassObject:
		return query.JSON(string(v.Bytes(i)))
	}
	return query.Null()
}

// EvalConst evaluates an expression without columns. A JSON null is given as such.
func EvalConst(ctx context.Context, e Expr, env Env) (query.Value, error) {
	if c, ok := e.(*Const); ok {
		return c.Value, nil
	}
	if err := ctx.Err(); err != nil {
		return query.Value{}, err
	}
	env.BatchRows = 1
	s := newEvalState(&env)
	defer s.close()
	s.begin(ctx)
	v, err := s.compile(e).eval(&vector.Batch{N: 1}, nil)
	if err != nil {
		var re *rowError
		if errors.As(err, &re) {
			return query.Value{}, re.err
		}
		return query.Value{}, err
	}
	if v.ExplicitNull(0) {
		return query.JSON("null"), nil // NULL everywhere but to json_type
	}
	return ValueAt(v, 0), nil
}

type compareEval struct {
	s    *evalState
	op   vector.CompareOp
	l, r evaluator
	out  vector.Vector
}

func (e *compareEval) eval(b *vector.Batch, sel vector.Sel) (*vector.Vector, error) {
	l, err := e.l.eval(b, sel)
	if err != nil {
		return nil, err
	}
	r, err := e.r.eval(b, sel)
	if err != nil {
		return nil, err
	}
	e.s.Compare(e.op, l, r, &e.out, sel, b.N)
	if err := e.s.Fault(); err != nil {
		return nil, err
	}
	return &e.out, e.s.rows(sel, b.N)
}

type arithEval struct {
	s    *evalState
	e    *Arith
	l, r evaluator
	out  vector.Vector
}

func (e *arithEval) eval(b *vector.Batch, sel vector.Sel) (*vector.Vector, error) {
	l, err := e.l.eval(b, sel)
	if err != nil {
		return nil, err
	}
	r, err := e.r.eval(b, sel)
	if err != nil {
		return nil, err
	}
	if err := e.s.Arith(e.e.Op, l, r, &e.out, sel, b.N); err != nil {
		return nil, e.s.errorAt(e.e.Span, err)
	}
	return &e.out, e.s.rows(sel, b.N)
}

// logicEval evaluates each operand only on the rows that are still open: in AND those not yet false, in OR those not yet true.
type logicEval struct {
	s    *evalState
	or   bool
	args []evaluator
	bufs [2]vector.Sel
	acc  vector.Vector
	bool vector.Vector // an operand, when it is dynamic
}

func (e *logicEval) eval(b *vector.Batch, sel vector.Sel) (*vector.Vector, error) {
	res, err := e.args[0].eval(b, sel)
	if err != nil {
		return nil, err
	}
	if len(e.args) == 1 {
		return res, nil
	}
	// acc starts as the first operand on all rows; later operands overwrite it on the rows that are open.
	acc := &e.acc
	e.s.Truth(res, acc, sel, b.N)
	open := sel
	for i, arg := range e.args[1:] {
		buf := e.bufs[i&1][:0]
		if e.or {
			buf = e.s.SelectNotTrue(acc, open, b.N, buf)
		} else {
			buf = e.s.SelectNotFalse(acc, open, b.N, buf)
		}
		e.bufs[i&1], open = buf, buf
		if len(open) == 0 {
			break
		}
		v, err := arg.eval(b, open)
		if err != nil {
			return nil, err
		}
		if v.Type != vector.Bool || v.Const {
			e.s.Truth(v, &e.bool, open, b.N)
			v = &e.bool
		}
		if e.or {
			acc.OrRows(v, open, b.N)
		} else {
			acc.AndRows(v, open, b.N)
		}
	}
	return acc, nil
}

type notEval struct {
	s   *evalState
	x   evaluator
	out vector.Vector
}

func (e *notEval) eval(b *vector.Batch, sel vector.Sel) (*vector.Vector, error) {
	x, err := e.x.eval(b, sel)
	if err != nil {
		return nil, err
	}
	e.s.Not(x, &e.out, sel, b.N)
	return &e.out, nil
}

type isEval struct {
	s   *evalState
	e   *Is
	x   evaluator
	out vector.Vector
}

func (e *isEval) eval(b *vector.Batch, sel vector.Sel) (*vector.Vector, error) {
	x, err := e.x.eval(b, sel)
	if err != nil {
		return nil, err
	}
	switch e.e.Kind {
	case query.IsTrue, query.IsFalse:
		e.s.IsTruth(x, &e.out, e.e.Kind == query.IsTrue, e.e.Negate, sel, b.N)
	default: // NULL, and UNKNOWN of a BOOLEAN
		vector.IsNull(x, &e.out, e.e.Negate, sel, b.N)
	}
	return &e.out, nil
}

type castEval struct {
	s   *evalState
	e   *Cast
	x   evaluator
	out vector.Vector
}

func (e *castEval) eval(b *vector.Batch, sel vector.Sel) (*vector.Vector, error) {
	x, err := e.x.eval(b, sel)
	if err != nil {
		return nil, err
	}
	if err := e.s.Cast(x, e.e.To, e.e.Try, &e.out, sel, b.N); err != nil {
		return nil, e.s.errorAt(e.e.Span, err)
	}
	return &e.out, e.s.rows(sel, b.N)
}

// narrowEval takes dynamic values for values of one type.
type narrowEval struct {
	s    *evalState
	t    vector.Type
	x    evaluator
	view vector.Vector
	out  vector.Vector
}

func (e *narrowEval) eval(b *vector.Batch, sel vector.Sel) (*vector.Vector, error) {
	x, err := e.x.eval(b, sel)
	if err != nil {
		return nil, err
	}
	if y := x.Typed(&e.view); y.Type == e.t && !y.Const {
		return y, nil
	}
	e.out.Resize(e.t, b.N)
	e.out.ShareData(x)
	want := e.t.Class()
	sel.All(b.N, func(i int) {
		switch c := x.Class(i); {
		case c == want:
			e.out.Take(i, x, i)
		case c == vector.ClassNull:
			e.out.SetNull(i)
		case c == vector.ClassInt && e.t == vector.Float:
			e.out.Floats[i] = float64(x.Int(i))
		case c == vector.ClassFloat && e.t == vector.Int && isWhole(x.Float(i)):
			e.out.Ints[i] = int64(x.Float(i))
		default:
			e.s.OtherType++
			e.out.SetNull(i)
		}
	})
	return &e.out, nil
}

// isWhole reports whether a DOUBLE is an integer of int64.
func isWhole(f float64) bool { return f == math.Trunc(f) && f >= -1<<63 && f < 1<<63 }

// widenEval makes typed values dynamic.
type widenEval struct {
	s   *evalState
	t   vector.Type
	x   evaluator
	out vector.Vector
}

func (e *widenEval) eval(b *vector.Batch, sel vector.Sel) (*vector.Vector, error) {
	x, err := e.x.eval(b, sel)
	if err != nil {
		return nil, err
	}
	if x.Const {
		e.out.Reset(e.t)
		e.out.AppendFrom(x, 0)
		e.out.Const = true
		return &e.out, nil
	}
	e.out.Resize(e.t, b.N)
	if e.out.CopyRows(x, sel, b.N) {
		e.out.FindUniform(sel)
		return &e.out, nil
	}
	if x.Dict == nil {
		e.out.ShareData(x)
		sel.All(b.N, func(i int) { e.out.Take(i, x, i) })
		return &e.out, nil
	}
	return &e.out, e.s.setRows(&e.out, x, sel, b.N)
}

// setRows copies the rows of sel.
func (s *evalState) setRows(out, v *vector.Vector, sel vector.Sel, n int) error {
	if out.CopyRows(v, sel, n) {
		return s.rows(sel, n)
	}
	for k := range sel.Count(n) {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if err := s.SetFrom(out, i, v, i); err != nil {
			return err
		}
	}
	return s.rows(sel, n)
}
