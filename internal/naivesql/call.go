package naivesql

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed69692123/netdb/query"
)

// call is a function of values; aggregates are taken out before.
func (s *scope) call(e *query.Call) (*node, error) {
	if len(e.Name) != 1 || e.Star || e.Distinct || e.Filter != nil || e.Over != nil {
		return nil, unknown(e)
	}
	args, err := s.compileAll(e.Args)
	if err != nil {
		return nil, err
	}
	name := strings.ToLower(e.Name[0].Name)
	switch name {
	case "coalesce":
		t, err := unify(args)
		if err != nil {
			return nil, err
		}
		return &node{t: t, eval: func(row []value) (value, error) {
			for _, a := range args {
				if v, err := a.eval(row); err != nil || !isNull(v) {
					return as(v, t), err
				}
			}
			return nil, nil
		}}, nil
	case "nullif":
		eq, err := compare(query.OpEq, args[0], args[1])
		if err != nil {
			return nil, err
		}
		return choose([]*node{eq}, []*node{constant(dynamic, nil)}, args[0])
	case "if":
		when, err := condition(args[0])
		if err != nil {
			return nil, err
		}
		return choose([]*node{when}, []*node{args[1]}, args[2])
	case "greatest", "least":
		t, err := unify(args)
		if err != nil {
			return nil, err
		}
		return &node{t: t, eval: func(row []value) (value, error) {
			var best value
			for _, a := range args {
				v, err := a.eval(row)
				if err != nil {
					return nil, err
				}
				v = as(v, t)
				if c := Compare(v, best); !isNull(v) && (isNull(best) || name == "greatest" && c > 0 || name == "least" && c < 0) {
					best = v
				}
			}
			return best, nil
		}}, nil
	}
	one := func(result typ, wants []typ, f func(v value) (value, error)) (*node, error) {
		if len(args) != 1 {
			return nil, unknown(e)
		}
		x, ok := args[0], args[0].t == dynamic
		for _, t := range wants {
			ok = ok || x.t == t
		}
		if !ok {
			return nil, fail(query.CodeType)
		}
		return &node{t: result, eval: func(row []value) (value, error) {
			v, err := x.eval(row)
			if err != nil || isNull(v) && name != "json_type" {
				return nil, err
			}
			return f(v)
		}}, nil
	}
	ofText := func(result typ, f func(string) value) (*node, error) {
		return one(result, []typ{text}, func(v value) (value, error) {
			if s, ok := v.(string); ok {
				return f(s), nil
			}
			return nil, nil
		})
	}
	switch name {
	case "lower":
		return ofText(text, func(s string) value { return strings.ToLower(s) })
	case "upper":
		return ofText(text, func(s string) value { return strings.ToUpper(s) })
	case "length":
		return ofText(bigint, func(s string) value { return int64(utf8.RuneCountInString(s)) })
	case "abs":
		t := dynamic
		if len(args) == 1 {
			t = args[0].t
		}
		return one(t, []typ{bigint, double}, func(v value) (value, error) {
			switch v := v.(type) {
			case int64:
				if v == math.MinInt64 {
					return nil, fail(query.CodeOutOfRange)
				}
				return max(v, -v), nil
			case *big.Int:
				return nil, fail(query.CodeOutOfRange)
			case float64:
				return math.Abs(v), nil
			}
			return nil, nil
		})
	case "json_type":
		return one(text, []typ{boolean, bigint, double}, func(v value) (value, error) {
			switch v.(type) {
			case Null:
				return "null", nil
			case bool:
				return "boolean", nil
			case int64, *big.Int:
				return "integer", nil
			case float64:
				return "double", nil
			case string:
				return "text", nil
			case Array:
				return "array", nil
			case Object:
				return "object", nil
			}
			return nil, nil
		})
	}
	return s.textCall(e, name, args)
}

func (s *scope) cast(e *query.Cast) (*node, error) {
	x, err := s.compile(e.Expr)
	if err != nil {
		return nil, err
	}
	t, ok := map[query.Type]typ{
		query.TypeBoolean: boolean, query.TypeBigint: bigint, query.TypeDouble: double, query.TypeText: text,
	}[e.Type.Type]
	if !ok {
		return nil, unknown(e)
	}
	return &node{t: t, eval: func(row []value) (value, error) {
		v, err := x.eval(row)
		if err != nil || isNull(v) {
			return nil, err
		}
		out, ok := convert(v, t)
		switch {
		case ok:
			return out, nil
		case e.Try:
			return nil, nil
		}
		return nil, fail(query.CodeBadValue)
	}}, nil
}

var (
	integers = regexp.MustCompile(`^[+-]?[0-9]+$`)
	floats   = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)
	named    = regexp.MustCompile(`^(?i)[+-]?(nan|inf|infinity)$`)
)

// convert gives a value in another type, where it has a form there.
func convert(v value, t typ) (value, bool) {
	if t == text {
		return Text(v), true
	}
	if s, ok := v.(string); ok {
		s = strings.Trim(s, " \t\n\v\f\r")
		if t == boolean {
			switch strings.ToLower(s) {
			case "true", "t", "yes", "y", "on", "1":
				return true, true
			case "false", "f", "no", "n", "off", "0":
				return false, true
			}
			return nil, false
		}
		switch {
		case integers.MatchString(s):
			v = number(strings.TrimPrefix(s, "+"))
		case floats.MatchString(s), named.MatchString(s):
			f, _ := strconv.ParseFloat(s, 64) // beyond the range it is an infinity
			v = float(f)
		default:
			return nil, false
		}
	}
	switch x := v.(type) {
	case bool:
		switch {
		case t == boolean:
			return x, true
		case x && t == bigint:
			return int64(1), true
		case t == bigint:
			return int64(0), true
		case x:
			return 1.0, true
		}
		return 0.0, true
	case int64:
		switch t {
		case boolean:
			return x != 0, true
		case bigint:
			return x, true
		}
		return float64(x), true
	case *big.Int:
		return toFloat(x), t == double
	case float64:
		switch t {
		case boolean:
			return x != 0, true
		case double:
			return x, true
		}
		f := math.RoundToEven(x)
		if !(f >= -1<<63 && f < 1<<63) {
			return nil, false
		}
		return int64(f), true
	}
	return nil, false
}
