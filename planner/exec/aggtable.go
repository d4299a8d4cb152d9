package exec

import (
	"slices"
	"strings"
	"sync"

	"github.com/seed69692123/netdb/planner/vector"
)

// aggregatesByName is made once from the table and never changes.
var aggregatesByName = sync.OnceValue(func() map[string]*AggregateFunction {
	m := map[string]*AggregateFunction{}
	for _, f := range aggregateTable() {
		m[f.Name] = f
		for _, a := range f.Aliases {
			m[a] = f
		}
	}
	return m
})

// aggregateTable is made once and never changes.
var aggregateTable = sync.OnceValue(func() []*AggregateFunction {
	anyParam, boolParam, textParams := []Param{AnyParam}, []Param{BoolParam}, []Param{TextParam, TextParam}
	value := func(nulls bool, takes takes) func(*storeGate, *Aggregate) accumulator {
		return func(g *storeGate, _ *Aggregate) accumulator { return &valueAcc{g: g, nulls: nulls, takes: takes} }
	}
	double := func(args []Expr) (vector.Type, bool) { return vector.Float, numeric(args[0].Type()) }
	boolean := func([]Expr) (vector.Type, bool) { return vector.Bool, true }
	text := func([]Expr) (vector.Type, bool) { return vector.Text, true }
	list := func([]Expr) (vector.Type, bool) { return vector.JSON, true }
	integer := func([]Expr) (vector.Type, bool) { return vector.Int, true }
	sum := func(args []Expr) (vector.Type, bool) {
		t := args[0].Type()
		if t == vector.JSON {
			t = vector.Any
		}
		return t, numeric(t)
	}
	table := slices.Concat(argFunctions(), varianceFunctions(), quantileFunctions(), sketchFunctions(), []*AggregateFunction{
		{
			Name: "any_value", Arity: 1, Ordered: true, params: anyParam, result: same, start: value(false, takesFirst),
			Doc: "any_value(x): the first value of x in the group that is not NULL",
		},
		{
			Name: "array_agg", Aliases: []string{"list"}, Arity: 1, Ordered: true, params: anyParam, result: list,
			start: func(g *storeGate, _ *Aggregate) accumulator { return newListAcc(g) },
			Doc:   "array_agg(x): the values as a JSON array, also those that are NULL, in the order of rows; NULL of no rows",
		},
		{
			Name: "avg", Aliases: []string{"mean"}, Arity: 1, typed: true, params: anyParam, result: double,
			start: func(g *storeGate, _ *Aggregate) accumulator { return &sumAcc{g: g, avg: true} },
			Doc:   "avg(x): the mean of the numbers, DOUBLE; other values do not count",
		},
		{
			Name: "bool_and", Aliases: []string{"every"}, Arity: 1, params: boolParam, result: boolean,
			start: func(g *storeGate, _ *Aggregate) accumulator { return &boolAcc{g: g} },
			Doc:   "bool_and(x): whether all values that are not NULL are true",
		},
		{
			Name: "bool_or", Arity: 1, params: boolParam, result: boolean,
			start: func(g *storeGate, _ *Aggregate) accumulator { return &boolAcc{g: g, or: true} },
			Doc:   "bool_or(x): whether a value is true",
		},
		{
			Name: "count", Arity: 1, typed: true, params: anyParam, result: integer,
			start: func(g *storeGate, _ *Aggregate) accumulator { return &countAcc{g: g} },
			distinct: func(g *storeGate, a *Aggregate) accumulator {
				return &distinctCount{listMemory: listMemory{g: g}, agg: a}
			},
			Doc: "count(*): the number of rows; count(x): of rows where x is not NULL",
		},
		{
			Name: "first", Arity: 1, Ordered: true, params: anyParam, result: same, start: value(true, takesFirst),
			Doc: "first(x): the value of the group's first row, which may be NULL",
		},
		{
			Name: "last", Arity: 1, Ordered: true, params: anyParam, result: same, start: value(true, takesLast),
			Doc: "last(x): the value of the group's last row, which may be NULL",
		},
		{
			Name: "max", Arity: 1, params: anyParam, result: same,
			start: value(false, takesGreater),
			Doc:   "max(x): the greatest value, in the order of ORDER BY",
		},
		{
			Name: "min", Arity: 1, params: anyParam, result: same,
			start: value(false, takesLess),
			Doc:   "min(x): the least value, in the order of ORDER BY",
		},
		{
			Name: "string_agg", Aliases: []string{"group_concat", "listagg"}, Arity: 2, Min: 1, Settings: []string{"separator"}, Ordered: true, params: textParams, result: text,
			start: func(g *storeGate, a *Aggregate) accumulator {
				sep := []byte{','}
				if len(a.Args) > 1 {
					sep = []byte(a.Args[1].(*Const).Value.Text())
				}
				return &textAcc{g: g, sep: sep}
			},
			Doc: "string_agg(x, separator): the texts joined by separator, which is a comma if it is left out, in the order of rows",
		},
		{
			Name: "sum", Arity: 1, typed: true, params: anyParam, result: sum,
			start: func(g *storeGate, _ *Aggregate) accumulator { return &sumAcc{g: g} },
			Doc:   "sum(x): the sum of the numbers: BIGINT, or DOUBLE when one of them is; NULL of none",
		},
	})
	slices.SortFunc(table, func(a, b *AggregateFunction) int { return strings.Compare(a.Name, b.Name) })
	return table
})
