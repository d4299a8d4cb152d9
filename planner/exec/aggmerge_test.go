package exec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// aggCase is an aggregate to be computed in parts. Columns of the test's rows are its arguments and keys.
type aggCase struct {
	*Aggregate
	near func(a, b float64, values []float64) bool // nil: results are the same exactly
}

// The columns of the rows: payload values of all types, integers and doubles with and without NULLs, text, booleans, payload
// numbers.
const (
	mixedCol = iota
	wholeCol
	doubleCol
	plainIntCol
	plainDoubleCol
	wordCol
	flagCol
	numberCol
)

var aggColTypes = []vector.Type{vector.Any, vector.Int, vector.Float, vector.Int, vector.Float, vector.Text, vector.Bool, vector.Any}

func aggCol(i int) Expr { return &Col{Index: i, T: aggColTypes[i]} }

// randomColumns makes n rows. Values are few, so that there are ties; doubles have long fractions and very different sizes.
func randomColumns(r *rand.Rand, n int) []*vector.Vector {
	cols := make([]*vector.Vector, len(aggColTypes))
	for c, t := range aggColTypes {
		cols[c] = vector.New(t, n)
	}
	double := func() float64 { return (r.Float64() - 0.4) * math.Pow(10, float64(r.IntN(6))) }
	for range n {
		switch v := cols[mixedCol]; r.IntN(10) {
		case 0:
			v.AppendNull()
		case 1:
			v.AppendExplicitNull()
		case 2:
			v.AppendBool(r.IntN(2) == 0)
		case 3:
			v.AppendText([]byte{'a' + byte(r.IntN(3))})
		case 4:
			v.AppendFloat(float64(r.IntN(5)))
		case 5:
			v.AppendFloat(math.Copysign(0, -1))
		case 6:
			v.AppendBytes(vector.ClassBig, fmt.Appendf(nil, "1844674407370955161%d", r.IntN(3)))
		case 7:
			v.AppendBytes(vector.ClassArray, fmt.Appendf(nil, "[%d]", r.IntN(3)))
		default:
			v.AppendInt(int64(r.IntN(5)))
		}
		whole := func(v *vector.Vector) {
			if r.IntN(30) == 0 {
				v.AppendInt(math.MaxInt64 - int64(r.IntN(1000)))
				return
			}
			v.AppendInt(int64(r.IntN(20)) - 5)
		}
		whole(cols[plainIntCol])
		cols[plainDoubleCol].AppendFloat(double())
		if r.IntN(6) == 0 {
			cols[wholeCol].AppendNull()
			cols[doubleCol].AppendNull()
			cols[wordCol].AppendNull()
			cols[flagCol].AppendNull()
			cols[numberCol].AppendText([]byte("x"))
			continue
		}
		whole(cols[wholeCol])
		cols[doubleCol].AppendFloat(double())
		cols[wordCol].AppendText(fmt.Appendf(nil, "w%d", r.IntN(8)))
		cols[flagCol].AppendBool(r.IntN(5) > 0)
		if r.IntN(2) == 0 {
			cols[numberCol].AppendInt(int64(r.IntN(9)))
		} else {
			cols[numberCol].AppendFloat(double())
		}
	}
	return cols
}

// near allows 1e-13 of the sum of magnitudes.
func near(a, b float64, values []float64) bool {
	sum := 0.0
	for _, x := range values {
		sum += math.Abs(x)
	}
	return math.Abs(a-b) <= 1e-13*sum
}

// nearly allows 1e-13 of the result.
func nearly(a, b float64, _ []float64) bool { return math.Abs(a-b) <= 1e-13*math.Abs(a) }

// aggCases has each aggregate over each kind of column that it is defined for, with and without modifiers.
func aggCases(t *testing.T) []aggCase {
	var cases []aggCase
	for _, f := range AggregateFunctions() {
		if len(f.Settings) > 0 && settingsOf[f.Name] == nil {
			t.Errorf("%s: the test does not know its settings", f.Name)
			continue
		}
		n := f.Arity - len(f.Settings)
		for c := range aggColTypes {
			if p := f.Param(0); p.Type() != vector.Any && p.Type() != aggColTypes[c] {
				continue
			}
			if c == mixedCol && failsOnBig[f.Name] {
				continue
			}
			args := []Expr{aggCol(c)}
			for len(args) < n {
				args = append(args, aggCol((c+3)%len(aggColTypes)))
			}
			settings := settingsOf[f.Name]
			if settings == nil {
				settings = [][]Expr{nil}
			}
			for _, s := range settings {
				a := Aggregate{Fn: f, Args: append(slices.Clone(args), s...)}
				var ok bool
				if a.T, ok = f.Result(a.Args); !ok {
					continue
				}
				var compare func(a, b float64, values []float64) bool
				switch {
				case nearOf[f.Name] != nil:
					compare = nearOf[f.Name]
				case f.Name == "sum" || f.Name == "avg":
					compare = near
				}
				add := func(a Aggregate) { cases = append(cases, aggCase{&a, compare}) }
				add(a)
				d := a
				d.Distinct = true
				add(d)
				if f.Ordered {
					o := a
					o.OrderBy = []SortKey{{Expr: aggCol(wordCol), Desc: true, NullsFirst: true}, {Expr: aggCol(flagCol)}}
					add(o)
					d.OrderBy = []SortKey{{Expr: args[0], Desc: true}}
					add(d)
				}
			}
		}
		if f.Name == "count" {
			cases = append(cases, aggCase{Aggregate: &Aggregate{Fn: f, T: vector.Int}})
		}
	}
	return cases
}

func textConst(s string) Expr { return &Const{Value: query.Text(s), T: vector.Text} }

// settingsOf are the settings that functions are tested with.
var settingsOf = map[string][][]Expr{
	"string_agg":      {{textConst(", ")}, {}},
	"quantile_cont":   {{fraction(query.Double(0.37))}, {fraction(query.JSON("[0,0.5,-0.9,1]"))}},
	"approx_quantile": {{fraction(query.Double(0.37))}, {fraction(query.Double(-0.05))}},
	"quantile_disc":   {{fraction(query.Double(0.37))}, {fraction(query.JSON("[0,0.5,-0.9,1]"))}},
}

func fraction(v query.Value) Expr {
	if v.Kind() == query.KindJSON {
		return &Const{Value: v, T: vector.JSON}
	}
	return &Const{Value: v, T: vector.Float}
}

// failsOnBig are the aggregates that calculate, which integers beyond BIGINT do not allow.
var failsOnBig = map[string]bool{
	"sum": true, "avg": true, "median": true, "quantile_cont": true, "approx_quantile": true, "stddev_pop": true, "stddev_samp": true, "var_pop": true, "var_samp": true,
}

var nearOf = map[string]func(a, b float64, values []float64) bool{
	"stddev_pop": nearly, "stddev_samp": nearly, "var_pop": nearly, "var_samp": nearly, "approx_quantile": nearRank,
}

// nearRank allows as many values between two quantiles as a centroid may have, which is a sixtieth of all, and one.
func nearRank(a, b float64, values []float64) bool {
	between := 0
	for _, x := range values {
		if x > min(a, b) && x < max(a, b) {
			between++
		}
	}
	return between <= len(values)/60+1
}

// aggRun feeds rows to one accumulator.
type aggRun struct {
	t   *testing.T
	env *Env
}

func (x aggRun) start(a *Aggregate) accumulator {
	s := newEvalState(x.env)
	s.begin(x.t.Context())
	acct := newAccount(x.env, "aggregate")
	return newAccumulator(&storeGate{s, &acct}, a)
}

// feed adds the rows [from, to) in batches; groupOf gives each row's group.
func (x aggRun) feed(r *rand.Rand, acc accumulator, a *Aggregate, cols []*vector.Vector, from, to int, groupOf func(row int) int) {
	for from < to {
		n := min(to-from, 1+r.IntN(60))
		idx, sel, groups := []int32{}, vector.Sel{}, []int32{}
		for k := range n {
			for r.IntN(4) == 0 { // a row that is not alive
				idx, groups = append(idx, 0), append(groups, 0)
			}
			idx, groups = append(idx, int32(from+k)), append(groups, int32(groupOf(from+k)))
			sel = append(sel, int32(len(idx)-1))
		}
		if len(sel) == len(idx) {
			sel = nil
		}
		var args []*vector.Vector
		for _, e := range a.Inputs() {
			v := &vector.Vector{}
			v.Gather(cols[e.(*Col).Index], idx)
			args = append(args, v)
		}
		if err := acc.add(args, groups, sel, len(idx)); err != nil {
			x.t.Fatal(err)
		}
		from += n
	}
}

func (x aggRun) results(acc accumulator, a *Aggregate, groups int) []query.Value {
	var out []query.Value
	for g := range groups {
		v := vector.New(a.T, 1)
		size := acc.size(g)
		if err := acc.result(v, g); err != nil {
			out = append(out, query.Text("error: "+err.Error())) // of parts the same as of the whole
			continue
		}
		if v.Len != 1 {
			x.t.Fatalf("%d results of a group", v.Len)
		}
		if n := v.DataLen(0); n > size {
			x.t.Fatalf("a result of %d bytes was said to have %d", n, size)
		}
		out = append(out, ValueAt(v, 0))
	}
	return out
}

// same compares results of two runs; values are the numbers of each group's first argument.
func (c aggCase) same(a, b []query.Value, values [][]float64) bool {
	for g := range a {
		if a[g] == b[g] {
			continue
		}
		if c.near == nil || a[g].Kind() != query.KindDouble || b[g].Kind() != query.KindDouble || !c.near(a[g].Double(), b[g].Double(), values[g]) {
			return false
		}
	}
	return true
}

func (c aggCase) String() string {
	return fmt.Sprint(Formatter{Name: func(c *Col) string { return fmt.Sprintf("c%d", c.Index) }}.Aggregate(c.Aggregate))
}

// TestMergeOfParts splits rows at random places, aggregates each part with group numbers of its own, and merges the parts in
// order: the answer is that of one pass.
func TestMergeOfParts(t *testing.T) {
	const groups = 4
	for _, c := range aggCases(t) {
		for seed := range uint64(8) {
			r := rand.New(rand.NewPCG(seed, 3))
			n := r.IntN(300)
			cols := randomColumns(r, n)
			groupOf, values := make([]int, n), make([][]float64, groups)
			for i := range n {
				groupOf[i] = r.IntN(groups - int(seed%2)) // sometimes a group has no rows
				if args := c.Inputs(); len(args) > 0 {
					switch v := cols[args[0].(*Col).Index]; v.Class(i) {
					case vector.ClassInt:
						values[groupOf[i]] = append(values[groupOf[i]], float64(v.Int(i)))
					case vector.ClassFloat:
						values[groupOf[i]] = append(values[groupOf[i]], v.Float(i))
					}
				}
			}
			x := aggRun{t, &Env{Budget: NewBudget(0)}}
			whole := x.start(c.Aggregate)
			whole.grow(groups)
			x.feed(r, whole, c.Aggregate, cols, 0, n, func(i int) int { return groupOf[i] })
			want := x.results(whole, c.Aggregate, groups)

			cuts := []int{0, n}
			for range r.IntN(8) {
				cuts = append(cuts, r.IntN(n+1))
			}
			slices.Sort(cuts)
			var parts []accumulator
			var maps [][]int32
			for k := range len(cuts) - 1 {
				part, local := x.start(c.Aggregate), r.Perm(groups)
				part.grow(groups)
				x.feed(r, part, c.Aggregate, cols, cuts[k], cuts[k+1], func(i int) int { return local[groupOf[i]] })
				into := make([]int32, groups)
				for g, l := range local {
					into[l] = int32(g)
				}
				parts, maps = append(parts, part), append(maps, into)
			}
			// Merging changes neither the parts nor what took them in before, nor do rows that follow.
			merged := func(order []int) accumulator {
				all := x.start(c.Aggregate)
				all.grow(groups)
				for _, k := range order {
					if err := all.merge(parts[k], maps[k]); err != nil {
						t.Fatal(err)
					}
				}
				if len(order) > 0 && all.bytes() <= 0 {
					t.Errorf("%s: no bytes", c)
				}
				return all
			}
			inOrder := make([]int, len(parts))
			for k := range inOrder {
				inOrder[k] = k
			}
			last := len(parts) - 1
			first, other := merged(inOrder[:last]), merged(inOrder[:last])
			x.feed(r, first, c.Aggregate, cols, cuts[last], cuts[last+1], func(i int) int { return groupOf[i] })
			x.feed(r, other, c.Aggregate, cols, 0, cuts[last], func(i int) int { return groupOf[i] })
			for _, all := range []accumulator{first, merged(inOrder)} {
				if got := x.results(all, c.Aggregate, groups); !c.same(want, got, values) {
					t.Fatalf("%s, seed %d, %d parts:\n got %v\nwant %v", c, seed, len(parts), got, want)
				}
			}
			// A group that is left out is not merged.
			some := x.start(c.Aggregate)
			some.grow(groups)
			into := slices.Clone(maps[0])
			for l, g := range into {
				if g != 1 {
					into[l] = -1
				}
			}
			if err := some.merge(parts[0], into); err != nil {
				t.Fatal(err)
			}
			none := x.start(c.Aggregate)
			none.grow(groups)
			got, empty := x.results(some, c.Aggregate, groups), x.results(none, c.Aggregate, groups)
			for g := range groups {
				if g != 1 && got[g] != empty[g] {
					t.Fatalf("%s: group %d, which was left out, is %v", c, g, got[g])
				}
			}
		}
	}
}

// TestMergeAtOnce has two merge the same part at the same time: under the race detector it shows that the part is only read.
func TestMergeAtOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	cols := randomColumns(r, 100)
	for _, c := range aggCases(t) {
		x := aggRun{t, &Env{Budget: NewBudget(0)}}
		part := x.start(c.Aggregate)
		part.grow(1)
		x.feed(r, part, c.Aggregate, cols, 0, 100, func(int) int { return 0 })
		var all [2]accumulator
		var errs [2]error
		var wg sync.WaitGroup
		for k := range all {
			all[k] = x.start(c.Aggregate)
			all[k].grow(1)
			wg.Go(func() { errs[k] = all[k].merge(part, []int32{0}) })
		}
		wg.Wait()
		if errs[0] != nil || errs[1] != nil {
			t.Fatal(errs)
		}
		if a, b := x.results(all[0], c.Aggregate, 1), x.results(all[1], c.Aggregate, 1); a[0] != b[0] {
			t.Errorf("%s: %v and %v", c, a, b)
		}
	}
}
