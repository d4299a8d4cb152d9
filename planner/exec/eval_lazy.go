package exec

import (
	"github.com/seed69692123/netdb/planner/vector"
)

// caseEval evaluates each condition on the rows no earlier one took, and each result on the rows its condition took.
type caseEval struct {
	s            *evalState
	t            vector.Type
	whens, thens []evaluator
	other        evaluator // nil: NULL
	rest         [2]vector.Sel
	taken        vector.Sel
	out          vector.Vector
}

func (e *caseEval) eval(b *vector.Batch, sel vector.Sel) (*vector.Vector, error) {
	e.out.Resize(e.t, b.N)
	open := sel
	for i, w := range e.whens {
		if open != nil && len(open) == 0 {
			return &e.out, nil
		}
		cond, err := w.eval(b, open)
		if err != nil {
			return nil, err
		}
		e.taken = e.s.SelectTrue(cond, open, b.N, e.taken[:0])
		buf := e.s.SelectNotTrue(cond, open, b.N, e.rest[i&1][:0])
		e.rest[i&1], open = buf, buf
		if err := e.fill(b, e.thens[i], e.taken); err != nil {
			return nil, err
		}
	}
	if e.other == nil {
		open.All(b.N, e.out.SetNull)
		return &e.out, nil
	}
	if err := e.fill(b, e.other, open); err != nil {
		return nil, err
	}
	e.out.FindUniform(sel)
	return &e.out, nil
}

// fill writes a result to the rows of sel.
func (e *caseEval) fill(b *vector.Batch, x evaluator, sel vector.Sel) error {
	if sel != nil && len(sel) == 0 {
		return nil
	}
	v, err := x.eval(b, sel)
	if err != nil {
		return err
	}
	return e.s.setRows(&e.out, v, sel, b.N)
}

// coalesceEval evaluates each operand on the rows on which all before it are NULL.
type coalesceEval struct {
	s    *evalState
	t    vector.Type
	args []evaluator
	bufs [2]vector.Sel
	out  vector.Vector

	text *vector.Vector // the second and last operand, when it is a constant text
	from *vector.Dict   // that dict was made of
	dict *vector.Dict
	view vector.Vector
}

// coded evaluates texts of a dictionary and a constant: a dictionary of both; nil when that is not what there is.
func (e *coalesceEval) coded(v *vector.Vector, n int) *vector.Vector {
	x := v.Typed(&e.view)
	if e.text == nil || x.Type != vector.Text || x.Dict == nil || x.Const || len(x.Dict.Data) > partBytes {
		return nil
	}
	if e.from != x.Dict {
		e.from, e.dict = x.Dict, x.Dict.WithValue(e.text.Bytes(0))
	}
	if !e.out.FillCoded(v, e.dict, n) {
		return nil
	}
	return &e.out
}

func (e *coalesceEval) eval(b *vector.Batch, sel vector.Sel) (*vector.Vector, error) {
	e.out.Resize(e.t, b.N)
	open := sel
	for i, arg := range e.args {
		v, err := arg.eval(b, open)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			if out := e.coded(v, b.N); out != nil {
				return out, e.s.rows(sel, b.N)
			}
		}
		if err := e.s.setRows(&e.out, v, open, b.N); err != nil {
			return nil, err
		}
		if i == len(e.args)-1 {
			break
		}
		buf := vector.SelectNull(v, open, b.N, e.bufs[i&1][:0])
		e.bufs[i&1], open = buf, buf
		if len(open) == 0 {
			break
		}
	}
	e.out.FindUniform(sel)
	return &e.out, nil
}

// inEval is X IN (constants).
type inEval struct {
	s   *evalState
	not bool
	x   evaluator
	set *vector.Set
	out vector.Vector
}

func (e *inEval) eval(b *vector.Batch, sel vector.Sel) (*vector.Vector, error) {
	x, err := e.x.eval(b, sel)
	if err != nil {
		return nil, err
	}
	e.s.In(x, e.set, e.not, &e.out, sel, b.N)
	if err := e.s.Fault(); err != nil {
		return nil, err
	}
	return &e.out, e.s.rows(sel, b.N)
}

// compileIn looks constants up in a set; a list with other expressions is a chain of OR.
func (s *evalState) compileIn(e *In) evaluator {
	values := make([]*vector.Vector, 0, len(e.List))
	for _, x := range e.List {
		c, ok := x.(*Const)
		if !ok {
			break
		}
		values = append(values, constVector(c))
	}
	if len(values) == len(e.List) && !(len(e.List) > 0 && temporalMix(e.X, e.List)) {
		in := &inEval{s: s, not: e.Negate, x: s.compile(e.X), set: vector.NewSet(values...)}
		s.output(&in.out, vector.Bool)
		return in
	}
	or := &Logic{Span: e.Span, Or: true}
	for _, x := range e.List {
		or.Args = append(or.Args, &Compare{Span: e.Span, Op: vector.Eq, L: e.X, R: x})
	}
	if e.Negate {
		return s.compile(&Not{Span: e.Span, X: or})
	}
	return s.compile(or)
}

// temporalMix reports whether dates would be looked up among times or the other way round: they compare, but their keys
// differ.
func temporalMix(x Expr, list []Expr) bool {
	dates, times := false, false
	for _, e := range append([]Expr{x}, list...) {
		switch e.Type() {
		case vector.Date:
			dates = true
		case vector.Time:
			times = true
		}
	}
	return dates && times || x.Type().Dynamic() && (dates || times)
}

// likeEval is LIKE with a constant pattern.
type likeEval struct {
	s   *evalState
	not bool
	x   evaluator
	pat *vector.Like
	out vector.Vector
}

func (e *likeEval) eval(b *vector.Batch, sel vector.Sel) (*vector.Vector, error) {
	x, err := e.x.eval(b, sel)
	if err != nil {
		return nil, err
	}
	if err := e.s.Like(x, e.pat, e.not, &e.out, sel, b.N); err != nil {
		return nil, err
	}
	return &e.out, e.s.rows(sel, b.N)
}

// likePatternFactor bounds what a compiled pattern takes for each byte of its text.
const likePatternFactor = 64

// likeRowsEval is LIKE with a pattern for each row. The last pattern is kept compiled.
type likeRowsEval struct {
	s    *evalState
	e    *Like
	x, p evaluator
	last []byte
	pat  *vector.Like
	out  vector.Vector
}

func (e *likeRowsEval) eval(b *vector.Batch, sel vector.Sel) (*vector.Vector, error) {
	x, err := e.x.eval(b, sel)
	if err != nil {
		return nil, err
	}
	p, err := e.p.eval(b, sel)
	if err != nil {
		return nil, err
	}
	e.out.Resize(vector.Bool, b.N)
	for k := range sel.Count(b.N) {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if x.Null(i) || p.Null(i) {
			e.out.SetNull(i)
			continue
		}
		if text := p.Bytes(i); e.pat == nil || string(text) != string(e.last) {
			if len(text) > vector.LargeBytes {
				if err := e.s.Room(nil, likePatternFactor*len(text)); err != nil {
					return nil, err
				}
			}
			pat, err := vector.CompileLike(text, e.e.Escape, e.e.Fold)
			if err != nil {
				return nil, e.s.errorAt(e.e.Pattern.At(), &vector.RowError{Row: i, Err: err})
			}
			e.pat, e.last = pat, append(e.last[:0], text...)
		}
		ok, err := e.s.MatchLike(e.pat, x.Bytes(i))
		if err != nil {
			return nil, err
		}
		e.out.Bools[i] = ok != e.e.Negate
	}
	return &e.out, e.s.rows(sel, b.N)
}

func (s *evalState) compileLike(e *Like) evaluator {
	if c, ok := e.Pattern.(*Const); ok && !c.Value.IsNull() {
		if pat, err := vector.CompileLike([]byte(c.Value.Text()), e.Escape, e.Fold); err == nil {
			l := &likeEval{s: s, not: e.Negate, x: s.compile(e.X), pat: pat}
			s.output(&l.out, vector.Bool)
			return l
		}
	}
	l := &likeRowsEval{s: s, e: e, x: s.compile(e.X), p: s.compile(e.Pattern)}
	s.output(&l.out, vector.Bool)
	return l
}
