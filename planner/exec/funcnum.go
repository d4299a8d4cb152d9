package exec

import (
	"errors"
	"math"

	"github.com/seed69692123/netdb/planner/vector"
)

var errDomain = errors.New("argument out of the function's domain")

// numberFunctions are the functions on numbers, and those on values of any type that compare them.
func numberFunctions() []*Function {
	float := func(name, doc, example, answer string, f func(x float64) (float64, bool)) *Function {
		return &Function{
			Name: name, Params: []Param{FloatParam}, result: gives(vector.Float), CanFail: true, Doc: doc, Example: example, Answer: answer,
			row: func(c *call, i int) error {
				y, ok := f(c.args[0].Float(i))
				if !ok {
					return errDomain
				}
				c.out.Floats[i] = y
				return nil
			},
		}
	}
	// rounding keeps integers and rounds doubles.
	rounding := func(name, doc, example, answer string, f func(float64) float64, aliases ...string) *Function {
		return &Function{
			Name: name, Aliases: aliases, Params: []Param{NumberParam}, result: firstNumber, Doc: doc, Example: example, Answer: answer,
			row: func(c *call, i int) error {
				v := c.args[0]
				switch v.Class(i) {
				case vector.ClassInt, vector.ClassBig:
					c.out.SetFrom(i, v, i)
				case vector.ClassFloat:
					c.setFloat(i, f(v.Float(i)))
				default:
					c.other(i)
				}
				return nil
			},
		}
	}
	pick := func(want int) func(c *call, i int) error {
		return func(c *call, i int) error {
			best := -1
			for k, v := range c.args {
				if !v.Null(i) && (best < 0 || c.CompareTotal(v, i, c.args[best], i, false)*want > 0) {
					best = k
				}
			}
			if best < 0 {
				c.out.SetNull(i)
				return nil
			}
			c.out.SetFrom(i, c.args[best], i)
			return nil
		}
	}
	unified := func(args []vector.Type) (vector.Type, bool) { return args[0], true }
	return []*Function{
		{
			Name: "abs", Params: []Param{NumberParam}, result: firstNumber, CanFail: true,
			row: func(c *call, i int) error {
				v := c.args[0]
				switch v.Class(i) {
				case vector.ClassInt:
					x := v.Int(i)
					if x == math.MinInt64 {
						return vector.ErrOverflow
					}
					c.setInt(i, max(x, -x))
				case vector.ClassFloat:
					c.setFloat(i, math.Abs(v.Float(i)))
				case vector.ClassBig:
					return vector.ErrBigArithmetic
				default:
					c.other(i)
				}
				return nil
			},
			Doc: "abs(x): without its sign", Example: "abs(-2)", Answer: "2",
		},
		rounding("ceil", "ceil(x): the least integer not below x, in the type of x", "ceil(1.2)", "2.0", math.Ceil, "ceiling"),
		float("exp", "exp(x): e to the power of x", "exp(0)", "1.0", func(x float64) (float64, bool) { return math.Exp(x), true }),
		rounding("floor", "floor(x): the greatest integer not above x, in the type of x", "floor(-1.2)", "-2.0", math.Floor),
		{
			Name: "greatest", Params: []Param{AnyParam}, Rest: true, Unify: true, nulls: true, result: unified, row: pick(1),
			Doc: "greatest(a, b, …): the greatest of the values; NULLs are left out", Example: "greatest(1, NULL, 3)", Answer: "3",
		},
		{
			Name: "least", Params: []Param{AnyParam}, Rest: true, Unify: true, nulls: true, result: unified, row: pick(-1),
			Doc: "least(a, b, …): the least of the values; NULLs are left out", Example: "least(1, NULL, 3)", Answer: "1",
		},
		float("ln", "ln(x): the natural logarithm", "ln(1)", "0.0", func(x float64) (float64, bool) { return math.Log(x), !(x <= 0) }),
		float("log10", "log10(x): the logarithm to base 10", "log10(1000)", "3.0", func(x float64) (float64, bool) { return math.Log10(x), !(x <= 0) }),
		{
			Name: "power", Aliases: []string{"pow"}, Params: []Param{FloatParam, FloatParam}, result: gives(vector.Float),
			row: func(c *call, i int) error {
				c.out.Floats[i] = math.Pow(c.args[0].Float(i), c.args[1].Float(i))
				return nil
			},
			Doc: "power(x, y): x to the power of y, DOUBLE", Example: "power(2, 10)", Answer: "1024.0",
		},
		{
			Name: "round", Params: []Param{NumberParam, IntParam}, Min: 1, result: firstNumber,
			row: func(c *call, i int) error {
				v, digits := c.args[0], int64(0)
				if len(c.args) > 1 {
					digits = c.args[1].Int(i)
				}
				switch v.Class(i) {
				case vector.ClassInt, vector.ClassBig:
					if digits >= 0 || v.Class(i) == vector.ClassBig {
						c.out.SetFrom(i, v, i)
						return nil
					}
					c.setInt(i, roundInt(v.Int(i), -digits))
				case vector.ClassFloat:
					c.setFloat(i, roundFloat(v.Float(i), digits))
				default:
					c.other(i)
				}
				return nil
			},
			Doc: "round(x [, digits]): rounded half away from zero, to so many digits behind the point", Example: "round(2.345, 2)", Answer: "2.35",
		},
		{
			Name: "sign", Params: []Param{NumberParam}, result: gives(vector.Int),
			row: func(c *call, i int) error {
				v := c.args[0]
				zero := [1]int64{}
				z := vector.Vector{Type: vector.Int, Len: 1, Const: true, Ints: zero[:]}
				if !v.Class(i).Number() {
					c.other(i)
					return nil
				}
				c.out.Ints[i] = int64(c.CompareTotal(v, i, &z, 0, false))
				return nil
			},
			Doc: "sign(x): -1, 0 or 1", Example: "sign(-2.5)", Answer: "-1",
		},
		float("sqrt", "sqrt(x): the square root", "sqrt(16)", "4.0", func(x float64) (float64, bool) { return math.Sqrt(x), !(x < 0) }),
		rounding("trunc", "trunc(x): without what is behind the point, in the type of x", "trunc(-1.7)", "-1.0", math.Trunc),
		{
			Name: "typeof", Params: []Param{AnyParam}, nulls: true, result: gives(vector.Text),
			row: func(c *call, i int) error {
				return c.setText(i, []byte(classType(c.args[0].Class(i))))
			},
			Doc: "typeof(x): the name of the value's SQL type", Example: "typeof(1.5)", Answer: "DOUBLE",
		},
	}
}

// classType is the SQL type of a value.
func classType(c vector.Class) string {
	switch c {
	case vector.ClassNull:
		return "NULL"
	case vector.ClassBool:
		return "BOOLEAN"
	case vector.ClassInt, vector.ClassBig:
		return "BIGINT"
	case vector.ClassFloat:
		return "DOUBLE"
	case vector.ClassText:
		return "TEXT"
	case vector.ClassBlob:
		return "BLOB"
	case vector.ClassTime:
		return "TIMESTAMPTZ"
	case vector.ClassDate:
		return "DATE"
	case vector.ClassInterval:
		return "INTERVAL"
	}
	return "JSON"
}

func (c *call) setInt(i int, x int64) {
	if c.out.Type == vector.Int {
		c.out.Ints[i] = x
		return
	}
	c.out.SetBits(i, vector.ClassInt, uint64(x))
}

func (c *call) setFloat(i int, x float64) {
	if c.out.Type == vector.Float {
		c.out.Floats[i] = x
		return
	}
	c.out.SetBits(i, vector.ClassFloat, math.Float64bits(x))
}

// other makes a row NULL because its value was of another type than wanted.
func (c *call) other(i int) {
	c.OtherType++
	c.out.SetNull(i)
}

// roundInt rounds to a multiple of 10^n, half away from zero; beyond int64 the result is 0.
func roundInt(x, n int64) int64 {
	if n > 18 {
		return 0
	}
	p := int64(1)
	for range n {
		p *= 10
	}
	r := x % p
	x -= r
	if (r >= p-p/2 || -r >= p-p/2) && p > 1 {
		step := p
		if r < 0 {
			step = -p
		}
		if y := x + step; (y > x) == (step > 0) {
			return y
		}
	}
	return x
}

func roundFloat(x float64, digits int64) float64 {
	if digits == 0 {
		return math.Round(x)
	}
	if digits > 300 {
		return x
	}
	if digits < -300 {
		return 0
	}
	p := math.Pow(10, math.Abs(float64(digits)))
	if digits < 0 {
		return math.Round(x/p) * p
	}
	if y := math.Round(x*p) / p; !math.IsInf(y, 0) && !math.IsNaN(y) {
		return y
	}
	return x
}
