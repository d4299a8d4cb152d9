package naivesql

import (
	"math"
	"math/big"
	"strings"

	"github.com/seed69692123/netdb/query"
)

// aggregate is a call of one in a block.
type aggregate struct {
	name     string
	distinct bool
	args     []*node
	filter   *node
	t        typ
	text     string // of the call
}

func isAggregate(name string) bool {
	switch strings.ToLower(name) {
	case "count", "sum", "avg", "min", "max", "first", "last", "any_value", "bool_and", "bool_or", "string_agg":
		return true
	}
	return false
}

func (s *scope) aggregate(e *query.Call) (*aggregate, error) {
	a := &aggregate{name: strings.ToLower(e.Name[0].Name), distinct: e.Distinct, text: e.String()}
	args, err := s.compileAll(e.Args)
	if err != nil {
		return nil, err
	}
	a.args = args
	if e.Filter != nil {
		if a.filter, err = s.compile(e.Filter); err == nil {
			a.filter, err = condition(a.filter)
		}
		if err != nil {
			return nil, err
		}
	}
	wrong := false
	switch a.name {
	case "count":
		a.t = bigint
	case "sum", "avg":
		a.t = args[0].t
		wrong = a.t == text || a.t == boolean
		if a.name == "avg" {
			a.t = double
		}
	case "bool_and", "bool_or":
		if args[0], err = condition(args[0]); err != nil {
			return nil, err
		}
		a.t = boolean
	case "string_agg":
		wrong = args[0].t != text && args[0].t != dynamic
		a.t = text
	default:
		a.t = args[0].t
	}
	if wrong {
		return nil, fail(query.CodeType)
	}
	return a, nil
}

// group is the rows of one group, in order, and what the aggregates take from them.
type group struct {
	key   []value
	takes [][]value // by aggregate: its arguments that count
	rows  []int64   // by aggregate: how many rows it was given
}

func newGroup(key []value, n int) *group {
	return &group{key: key, takes: make([][]value, n), rows: make([]int64, n)}
}

func (g *group) add(aggs []*aggregate, row []value) error {
	for i, a := range aggs {
		if a.filter != nil {
			if v, err := a.filter.eval(row); err != nil || v != true {
				if err != nil {
					return err
				}
				continue
			}
		}
		g.rows[i]++
		if len(a.args) == 0 {
			continue
		}
		v, err := a.args[0].eval(row)
		if err != nil {
			return err
		}
		if a.name == "sum" || a.name == "avg" {
			if _, isBig := v.(*big.Int); isBig {
				return fail(query.CodeOutOfRange)
			}
		}
		if isNull(v) && a.name != "first" && a.name != "last" {
			continue
		}
		if a.distinct && find(g.takes[i], v) {
			continue
		}
		g.takes[i] = append(g.takes[i], v)
	}
	return nil
}

func find(list []value, v value) bool {
	for _, x := range list {
		if Compare(x, v) == 0 {
			return true
		}
	}
	return false
}

// result is the value of an aggregate; magnitude is what was added, without signs, of a sum or mean.
func (g *group) result(i int, a *aggregate) (v value, magnitude float64, err error) {
	list := g.takes[i]
	switch a.name {
	case "count":
		if len(a.args) == 0 {
			return g.rows[i], 0, nil
		}
		return int64(len(list)), 0, nil
	case "sum", "avg":
		return a.sum(list)
	case "first", "any_value":
		if len(list) > 0 {
			v = list[0]
		}
	case "last":
		if len(list) > 0 {
			v = list[len(list)-1]
		}
	case "min", "max":
		for _, x := range list {
			if c := Compare(x, v); isNull(v) || a.name == "min" && c < 0 || a.name == "max" && c > 0 {
				v = x
			}
		}
	case "bool_and", "bool_or":
		for _, x := range list {
			if b := x.(bool); v == nil || b == (a.name == "bool_or") {
				v = b
			}
		}
	case "string_agg":
		sep, err := a.args[1].eval(nil)
		if err != nil {
			return nil, 0, err
		}
		var parts []string
		for _, x := range list {
			if s, ok := x.(string); ok {
				parts = append(parts, s)
			}
		}
		if len(parts) > 0 {
			v = strings.Join(parts, sep.(string))
		}
	}
	return v, 0, nil
}

// sum adds exactly and rounds once.
func (a *aggregate) sum(list []value) (v value, magnitude float64, err error) {
	total, special, n, isFloat := new(big.Rat), 0.0, int64(0), a.t == double
	for _, x := range list {
		if rank(x) != 1 {
			continue
		}
		n++
		f, ok := x.(float64)
		isFloat = isFloat || ok
		if math.IsNaN(f) || math.IsInf(f, 0) {
			special += f
			continue
		}
		r, _ := exact(x)
		total.Add(total, r)
		magnitude += math.Abs(toFloat(x))
	}
	switch {
	case n == 0:
		return nil, 0, nil
	case !isFloat:
		if !total.Num().IsInt64() {
			return nil, 0, fail(query.CodeOutOfRange)
		}
		return total.Num().Int64(), 0, nil
	case special != 0: // or NaN
		return special, magnitude, nil
	}
	if a.name == "avg" {
		total.Quo(total, new(big.Rat).SetInt64(n))
	}
	f, _ := total.Float64()
	return float(f), magnitude, nil
}
