package exec

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// poisoned gives rows of one BIGINT and one TEXT column and spoils each batch as soon as the next is asked for, as its owner
// may. After fail rows it fails.
type poisoned struct {
	n, size, fail int
	at            int
	old           *vector.Batch
	opened        int
	closed        int
}

var errPoison = errors.New("the input failed")

func (p *poisoned) Open(context.Context) error { p.opened++; return nil }
func (p *poisoned) Close() error               { p.closed++; return nil }
func (p *poisoned) Stats() Stats               { return Stats{} }

func (p *poisoned) Next(ctx context.Context) (*vector.Batch, error) {
	if p.old != nil {
		for i := range p.old.Cols[0].Ints {
			p.old.Cols[0].Ints[i] = -999
		}
		copy(p.old.Cols[1].Data, strings.Repeat("#", len(p.old.Cols[1].Data)))
		for i := range p.old.Sel {
			p.old.Sel[i] = 0
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p.fail > 0 && p.at >= p.fail {
		return nil, errPoison
	}
	if p.at == p.n {
		return nil, nil
	}
	b := &vector.Batch{Cols: []*vector.Vector{vector.New(vector.Int, 0), vector.New(vector.Text, 0)}, Sel: vector.Sel{}}
	for len(b.Sel) < p.size && p.at < p.n {
		// Every row is followed by one that is not alive.
		b.Sel = append(b.Sel, int32(b.N))
		for _, x := range []int{p.at, -1} {
			b.Cols[0].AppendInt(int64(x))
			b.Cols[1].AppendText(fmt.Appendf(nil, "t%d", x%3))
			b.N++
		}
		p.at++
	}
	p.old = b
	return b, nil
}

func intCol(i int) Expr  { return &Col{Index: i, Name: "i", T: vector.Int} }
func textCol(i int) Expr { return &Col{Index: i, Name: "t", T: vector.Text} }

func intConst(x int64) Expr { return &Const{Value: query.Int(x), T: vector.Int} }

// plans are trees over poisoned inputs, with the rows they give of seven input rows.
func plans(env *Env, in func() *poisoned) map[string]struct {
	op   Operator
	want string
} {
	type plan = struct {
		op   Operator
		want string
	}
	less := &Compare{Op: vector.Lt, L: intCol(0), R: intConst(4)}
	types := []vector.Type{vector.Int, vector.Text}
	return map[string]plan{
		"filter":   {&Filter{In: in(), Preds: []Expr{less}, Env: env}, "0,t0 1,t1 2,t2 3,t0"},
		"project":  {&Project{In: in(), Exprs: []Expr{&Arith{Op: vector.Multiply, L: intCol(0), R: intConst(2), T: vector.Int}}, Env: env}, "0 2 4 6 8 10 12"},
		"limit":    {&Limit{In: in(), Count: 3, Offset: 2}, "2,t2 3,t0 4,t1"},
		"distinct": {&Distinct{In: in(), Cols: []int{1}, Env: env}, "t0 t1 t2"},
		"sort":     {&Sort{In: in(), Keys: []SortKey{{Expr: textCol(1)}}, Env: env}, "0,t0 3,t0 6,t0 1,t1 4,t1 2,t2 5,t2"},
		"desc":     {&Sort{In: in(), Keys: []SortKey{{Expr: textCol(1), Desc: true}}, Env: env}, "2,t2 5,t2 1,t1 4,t1 0,t0 3,t0 6,t0"},
		"top":      {&Sort{In: in(), Keys: []SortKey{{Expr: textCol(1), Desc: true}}, Limit: 3, Env: env}, "2,t2 5,t2 1,t1"},
		"ties":     {&TieOrder{In: &Sort{In: in(), Keys: []SortKey{{Expr: textCol(1), Desc: true}}, Env: env}, Col: 1, Env: env}, "5,t2 2,t2 4,t1 1,t1 6,t0 3,t0 0,t0"},
		"group": {&HashAggregate{
			In: in(), Keys: []Expr{textCol(1)}, Env: env,
			Aggs: []*Aggregate{{Fn: FindAggregate("sum"), Args: []Expr{intCol(0)}, T: vector.Int}, {Fn: FindAggregate("max"), Args: []Expr{intCol(0)}, T: vector.Int}},
		}, "t0,9,6 t1,5,4 t2,7,5"},
		"total": {&HashAggregate{In: in(), Env: env, Aggs: []*Aggregate{
			{Fn: FindAggregate("count"), T: vector.Int}, {Fn: FindAggregate("last"), Args: []Expr{textCol(1)}, T: vector.Text},
		}}, "7,t0"},
		"join": {&Join{
			Left: in(), Right: &Filter{In: in(), Preds: []Expr{less}, Env: env}, LeftKeys: []Expr{textCol(1)}, RightKeys: []Expr{textCol(1)},
			Residual: []Expr{&Compare{Op: vector.Lt, L: intCol(0), R: intCol(2)}}, LeftTypes: types, RightTypes: types, Env: env,
		}, "0,t0,3,t0"},
		"left join": {&Join{
			Left: in(), Right: &Filter{In: in(), Preds: []Expr{less}, Env: env}, Kind: JoinLeft, LeftKeys: []Expr{intCol(0)}, RightKeys: []Expr{intCol(0)},
			LeftTypes: types, RightTypes: types, Env: env,
		}, "0,t0,0,t0 1,t1,1,t1 2,t2,2,t2 3,t0,3,t0 4,t1,NULL,NULL 5,t2,NULL,NULL 6,t0,NULL,NULL"},
		"build left": {&Join{
			Left: &Limit{In: in(), Count: 2}, Right: in(), BuildLeft: true, LeftKeys: []Expr{textCol(1)}, RightKeys: []Expr{textCol(1)},
			LeftTypes: types, RightTypes: types, Env: env,
		}, "0,t0,0,t0 1,t1,1,t1 0,t0,3,t0 1,t1,4,t1 0,t0,6,t0"},
		"union": {&Union{Ins: []Operator{&Limit{In: in(), Count: 1}, &Limit{In: in(), Count: 2, Offset: 1}}, Maps: [][]int{{1, 0}, {1, 0}}}, "t0,0 t1,1 t2,2"},
	}
}

func drain(ctx context.Context, op Operator) (string, error) {
	var rows []string
	for {
		b, err := op.Next(ctx)
		if err != nil || b == nil {
			return strings.Join(rows, " "), err
		}
		if b.Rows() == 0 {
			return "", errors.New("a batch without rows")
		}
		for k := range b.Rows() {
			var cells []string
			for _, c := range b.Cols {
				cells = append(cells, ValueAt(c, b.Row(k)).String())
			}
			rows = append(rows, strings.Join(cells, ","))
		}
	}
}

// TestOperators runs each operator over inputs whose batches do not outlive the next call.
func TestOperators(t *testing.T) {
	for _, size := range []int{1, 3, 2048} {
		budget := NewBudget(1 << 20)
		env := &Env{BatchRows: size, Budget: budget}
		var inputs []*poisoned
		in := func() *poisoned {
			inputs = append(inputs, &poisoned{n: 7, size: size})
			return inputs[len(inputs)-1]
		}
		for name, p := range plans(env, in) {
			if err := p.op.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			got, err := drain(t.Context(), p.op)
			if err != nil || got != p.want {
				t.Errorf("%s, batches of %d: got %s, %v\nwant %s", name, size, got, err, p.want)
			}
			if b, err := p.op.Next(t.Context()); b != nil || err != nil {
				t.Errorf("%s: after the end: %v %v", name, b, err)
			}
			for range 2 {
				if err := p.op.Close(); err != nil {
					t.Errorf("%s: close: %v", name, err)
				}
			}
		}
		for _, i := range inputs {
			if i.opened != 1 || i.closed == 0 {
				t.Errorf("input opened %d times, closed %d", i.opened, i.closed)
			}
		}
		if budget.Used() != 0 {
			t.Errorf("%d bytes still held", budget.Used())
		}
	}
}

// TestInputFails: an error of the input comes out, again and again, and everything is given back.
func TestInputFails(t *testing.T) {
	budget := NewBudget(0)
	env := &Env{BatchRows: 2, Budget: budget}
	for name, p := range plans(env, func() *poisoned { return &poisoned{n: 7, size: 2, fail: 2} }) {
		if name == "build left" || name == "union" {
			continue // their limits stop before the input fails
		}
		if err := p.op.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := drain(t.Context(), p.op); !errors.Is(err, errPoison) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if err := p.op.Close(); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
	}
	if budget.Used() != 0 {
		t.Errorf("%d bytes still held", budget.Used())
	}
}

// TestCancelled: a context that is cancelled ends every operator.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, p := range plans(&Env{}, func() *poisoned { return &poisoned{n: 7, size: 2} }) {
		if err := p.op.Open(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := drain(ctx, p.op); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", name, err)
		}
		if err := p.op.Close(); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
	}
}

// TestSortIsStable sorts more rows than a run holds, by a key of few values.
func TestSortIsStable(t *testing.T) {
	const n = 5*sortRun + 17
	op := &Sort{In: &poisoned{n: n, size: 1000}, Keys: []SortKey{{Expr: textCol(1), Desc: true}}, Env: &Env{}}
	if err := op.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	rows, last, lastKey := 0, int64(-1), "t9"
	for {
		b, err := op.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			break
		}
		for k := range b.Rows() {
			i, key := b.Cols[0].Int(b.Row(k)), string(b.Cols[1].Bytes(b.Row(k)))
			if key > lastKey || key == lastKey && i <= last {
				t.Fatalf("row %d: %d %s after %d %s", rows, i, key, last, lastKey)
			}
			last, lastKey = i, key
			rows++
		}
	}
	if rows != n {
		t.Errorf("%d rows, want %d", rows, n)
	}
}

// TestFunctionTables checks what messages and documentation take from the tables.
func TestFunctionTables(t *testing.T) {
	seen := map[string]bool{}
	name := func(s, doc string, aliases []string) {
		for _, n := range append([]string{s}, aliases...) {
			if seen[n] || n != strings.ToLower(n) {
				t.Errorf("function %s: not lower case, or named twice", n)
			}
			seen[n] = true
		}
		if s[0] >= 'a' && s[0] <= 'z' && !strings.HasPrefix(doc, s+"(") {
			t.Errorf("function %s: documentation %q does not show a call", s, doc)
		}
	}
	for _, f := range Functions() {
		name(f.Name, f.Doc, f.Aliases)
		if lo, hi := f.Arity(); hi >= 0 && lo > hi {
			t.Errorf("function %s: %d to %d arguments", f.Name, lo, hi)
		}
	}
	var names []string
	for _, f := range AggregateFunctions() {
		name(f.Name, f.Doc, f.Aliases)
		names = append(names, f.Name)
	}
	if !slices.IsSorted(names) {
		t.Errorf("aggregates out of order: %v", names)
	}
}

// TestFunctionsOnAnything calls every function with values of every class: no panic, and each error is about the value.
func TestFunctionsOnAnything(t *testing.T) {
	var values []Expr
	for _, v := range []query.Value{
		query.Null(), query.Bool(true), query.Int(-2), query.Int(1 << 62), query.Int(-1 << 63), query.JSON("9223372036854775808"), query.Double(1e300), query.Double(0.5), query.Text(""), query.Text("é,b"),
		query.Blob([]byte{0xff}), query.Nanos(1e18), query.Date(20000), query.Interval(1, 2, 3), query.JSON(`{"a":[1]}`), query.JSON(`[1,null]`), query.JSON("null"),
	} {
		values = append(values, &Const{Value: v, T: vector.Any})
	}
	calls := 0
	rng := rand.New(rand.NewPCG(1, 2))
	try := func(f *Function, args []Expr) {
		types := make([]vector.Type, len(args))
		bound := make([]Expr, len(args))
		for i, a := range args {
			if bound[i] = a; f.Param(i).Type() != vector.Any {
				bound[i] = NewNarrow(a, f.Param(i).Type())
			}
			types[i] = bound[i].Type()
		}
		typ, ok := f.Result(types)
		if !ok {
			t.Errorf("%s has no result for dynamic values", f.Name)
			return
		}
		calls++
		_, err := EvalConst(t.Context(), &Call{Fn: f, Args: bound, T: typ}, Env{})
		var ve *ValueError
		if err != nil && (!errors.As(err, &ve) || !f.CanFail) {
			t.Errorf("%s: %v (CanFail %v)", f.Name, err, f.CanFail)
		}
	}
	for _, f := range Functions() {
		lo, _ := f.Arity()
		for n := lo; n <= max(lo, len(f.Params)); n++ {
			args := make([]Expr, n)
			if n > 3 { // too many for all
				for range 3000 {
					for i := range args {
						args[i] = values[rng.IntN(len(values))]
					}
					try(f, args)
				}
				continue
			}
			var fill func(i int)
			fill = func(i int) {
				if i == n {
					try(f, args)
					return
				}
				for _, v := range values {
					args[i] = v
					fill(i + 1)
				}
			}
			fill(0)
		}
	}
	if calls < 10_000 {
		t.Errorf("only %d calls", calls)
	}
}
