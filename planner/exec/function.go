package exec

import (
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/seed69692123/netdb/planner/vector"
)

// Param is what an argument of a function must be.
type Param uint8

// The parameters. A dynamic argument of another type than the parameter's is NULL.
const (
	AnyParam Param = iota
	BoolParam
	IntParam
	FloatParam
	NumberParam // BIGINT or DOUBLE
	TextParam
	BlobParam
	TimeParam
	DateParam
	IntervalParam
	JSONParam
)

// Type returns the vector type of the parameter; Any for AnyParam, NumberParam and JSONParam.
func (p Param) Type() vector.Type {
	return [...]vector.Type{
		AnyParam: vector.Any, BoolParam: vector.Bool, IntParam: vector.Int, FloatParam: vector.Float, NumberParam: vector.Any,
		TextParam: vector.Text, BlobParam: vector.Blob, TimeParam: vector.Time, DateParam: vector.Date,
		IntervalParam: vector.IntervalType, JSONParam: vector.Any,
	}[p]
}

// String names the parameter's type in messages.
func (p Param) String() string {
	switch p {
	case AnyParam:
		return "any value"
	case NumberParam:
		return "a number"
	case JSONParam:
		return "JSON"
	}
	return p.Type().String()
}

// Function is an entry of the table of scalar functions, which the binder, the evaluator and the documentation share.
type Function struct {
	Name    string
	Aliases []string
	Params  []Param
	Min     int  // arguments that must be given; 0 means all of Params, less than 0 none
	Rest    bool // the last parameter may be repeated
	// Unify brings all arguments to one type.
	Unify bool
	// CanFail: some value makes it fail, so it is never evaluated on rows that SQL does not reach.
	CanFail bool
	// Volatile: it is not folded when the plan is made.
	Volatile bool
	// Doc is the form of a call, a colon and what it gives; Example a call, and Answer what that gives in UTC.
	Doc, Example, Answer string
	// Interval is the function instead of this one where the last argument is an INTERVAL.
	Interval *Function

	result func(args []vector.Type) (vector.Type, bool)
	// nulls: row is called for NULL arguments too; else their result is NULL.
	nulls bool
	row   func(c *call, i int) error
	// batch, when set, is tried first: it writes all rows, NULLs too, or reports false. Its error is a vector.RowError.
	batch func(c *call, sel vector.Sel, n int) (bool, error)
}

// Arity returns the least and the greatest number of arguments, -1 for no bound.
func (f *Function) Arity() (lo, hi int) {
	lo, hi = len(f.Params), len(f.Params)
	if f.Min != 0 {
		lo = max(f.Min, 0)
	}
	if f.Rest {
		hi = -1
	}
	return lo, hi
}

// Param returns what argument i must be.
func (f *Function) Param(i int) Param { return f.Params[min(i, len(f.Params)-1)] }

// Result returns the type of the result for arguments of these types, and whether there is one.
func (f *Function) Result(args []vector.Type) (vector.Type, bool) { return f.result(args) }

// call is a function call being evaluated: row writes row i of out, or makes it NULL.
type call struct {
	*evalState
	args []*vector.Vector
	out  vector.Vector
	kept any // what the function keeps between rows
	view vector.Vector
	sink sink
}

// setText writes a copy of text.
func (c *call) setText(i int, s []byte) error {
	r, err := c.AddData(&c.out, s)
	if err == nil {
		c.out.SetRef(i, vector.ClassText, r)
	}
	return err
}

// write has f append at most n bytes to Data and makes them the text of row i.
func (c *call) write(i, n int, f func(dst []byte) ([]byte, error)) error {
	return c.writeAs(c.out.Type.Class(), i, n, f)
}

// writeAs is write of a value of a class.
func (c *call) writeAs(class vector.Class, i, n int, f func(dst []byte) ([]byte, error)) error {
	if n > vector.MaxValueBytes {
		return vector.ErrValueTooLarge
	}
	if err := c.Room(&c.out, n); err != nil {
		return err
	}
	at := len(c.out.Data)
	dst, err := f(c.out.Data)
	if err != nil {
		return err
	}
	c.out.Data = dst
	if len(dst)-at > vector.MaxValueBytes {
		return vector.ErrValueTooLarge
	}
	c.out.SetRef(i, class, vector.MakeRef(at, len(dst)-at))
	return nil
}

// pieces calls f with the parts of a text, each of whole characters, looking at the context between.
func (c *call) pieces(s []byte, f func(part []byte)) error {
	for len(s) > stepBytes {
		n := stepBytes
		for n > stepBytes-utf8.UTFMax && !utf8.RuneStart(s[n]) {
			n--
		}
		f(s[:n])
		if s = s[n:]; len(s) > 0 {
			if err := c.Step(n); err != nil {
				return err
			}
		}
	}
	f(s)
	return c.Step(len(s))
}

// callEval evaluates a function row by row.
type callEval struct {
	call
	e    *Call
	args []evaluator
	memo dictMemo
}

func (s *evalState) compileCall(e *Call) evaluator {
	c := &callEval{call: call{evalState: s, args: make([]*vector.Vector, len(e.Args))}, e: e, args: s.compileAll(e.Args)}
	s.output(&c.out, e.T)
	return c
}

func (e *callEval) eval(b *vector.Batch, sel vector.Sel) (*vector.Vector, error) {
	for i, a := range e.args {
		v, err := a.eval(b, sel)
		if err != nil {
			return nil, err
		}
		e.call.args[i] = v
	}
	e.out.Resize(e.e.T, b.N)
	fn := e.e.Fn
	if k := e.dictionary(sel.Count(b.N)); k >= 0 {
		return e.byCode(k, sel, b.N)
	}
	if fn.batch != nil {
		done, err := fn.batch(&e.call, sel, b.N)
		if err != nil {
			return nil, e.errorAt(e.e.Span, err)
		}
		if done {
			return &e.out, e.evalState.rows(sel, b.N)
		}
	}
rows:
	for k := range sel.Count(b.N) {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if !fn.nulls {
			for _, v := range e.call.args {
				if v.Null(i) {
					e.out.SetNull(i)
					continue rows
				}
			}
		}
		if err := fn.row(&e.call, i); err != nil {
			return nil, e.errorAt(e.e.Span, &vector.RowError{Row: i, Err: err})
		}
	}
	if err := e.Fault(); err != nil {
		return nil, err
	}
	return &e.out, e.evalState.rows(sel, b.N)
}

// functionsByName is made once from the table and never changes.
var functionsByName = sync.OnceValue(func() map[string]*Function {
	m := map[string]*Function{}
	for _, f := range Functions() {
		m[f.Name] = f
		for _, a := range f.Aliases {
			m[a] = f
		}
	}
	return m
})

// FindFunction returns the scalar function of a lower-case name, or nil.
func FindFunction(name string) *Function { return functionsByName()[name] }

// FunctionNames returns the names of all functions and aggregates, in order.
func FunctionNames() []string {
	var names []string
	for _, f := range Forms() {
		names = append(append(names, f.Name), f.Aliases...)
	}
	for name := range functionsByName() {
		if name[0] >= 'a' && name[0] <= 'z' { // no operator
			names = append(names, name)
		}
	}
	for name := range aggregatesByName() {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// gives makes a result that does not depend on the arguments.
func gives(t vector.Type) func([]vector.Type) (vector.Type, bool) {
	return func([]vector.Type) (vector.Type, bool) { return t, true }
}

// firstArg is the type of the first argument, which must be a number.
func firstNumber(args []vector.Type) (vector.Type, bool) {
	t := args[0]
	if t == vector.JSON {
		t = vector.Any
	}
	return t, numeric(t)
}

// Functions is the table of scalar functions. It is made once and must not be changed.
func Functions() []*Function { return functionTable() }

var functionTable = sync.OnceValue(func() []*Function {
	return slices.Concat(textFunctions(), splitFunctions(), encodingFunctions(), regexpFunctions(), numberFunctions(), mathFunctions(),
		timeFunctions(), partFunctions(), spanFunctions(), formatFunctions(), jsonFunctions(), buildFunctions(), listFunctions())
})
