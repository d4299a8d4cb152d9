package exec

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"

	"github.com/seed69692123/netdb/planner/vector"
)

var errBuckets = errors.New("width_bucket wants at least one bucket and bounds that differ")

// mathFunctions are the functions of mathematics, and those on the bits of integers.
func mathFunctions() []*Function {
	// float is a function that is NaN only where it is not defined: that is an error.
	float := func(name, doc, example, answer string, f func(x float64) float64, aliases ...string) *Function {
		return &Function{
			Name: name, Aliases: aliases, Params: []Param{FloatParam}, result: gives(vector.Float), CanFail: true,
			row: func(c *call, i int) error {
				x := c.args[0].Float(i)
				y := f(x)
				if y != y && x == x {
					return errDomain
				}
				c.out.Floats[i] = y
				return nil
			},
			Doc: doc, Example: example, Answer: answer,
		}
	}
	test := func(name, doc, example, answer string, f func(x float64) bool) *Function {
		return &Function{
			Name: name, Params: []Param{FloatParam}, result: gives(vector.Bool),
			row: func(c *call, i int) error {
				c.out.Bools[i] = f(c.args[0].Float(i))
				return nil
			},
			Doc: doc, Example: example, Answer: answer,
		}
	}
	ints := func(name, doc, example, answer string, f func(a, b int64) (int64, error)) *Function {
		return &Function{
			Name: name, Params: []Param{IntParam, IntParam}, result: gives(vector.Int), CanFail: true,
			row: func(c *call, i int) (err error) {
				c.out.Ints[i], err = f(c.args[0].Int(i), c.args[1].Int(i))
				return err
			},
			Doc: doc, Example: example, Answer: answer,
		}
	}
	return []*Function{
		ints("&", "a & b: the bits that are set in both", "6 & 3", "2", func(a, b int64) (int64, error) { return a & b, nil }),
		ints("<<", "a << n: the bits moved n places up", "1 << 4", "16", func(a, n int64) (int64, error) {
			if n < 0 {
				return 0, errDomain
			}
			if n > 62 && a != 0 || a<<n>>n != a {
				return 0, vector.ErrOverflow
			}
			return a << n, nil
		}),
		ints(">>", "a >> n: the bits moved n places down", "-17 >> 2", "-5", func(a, n int64) (int64, error) {
			if n < 0 {
				return 0, errDomain
			}
			return a >> min(n, 63), nil
		}),
		ints("|", "a | b: the bits that are set in one of both", "6 | 3", "7", func(a, b int64) (int64, error) { return a | b, nil }),
		float("acos", "acos(x): the angle whose cosine is x", "acos(1)", "0.0", math.Acos),
		float("acosh", "acosh(x): the inverse of cosh", "acosh(1)", "0.0", math.Acosh),
		float("asin", "asin(x): the angle whose sine is x", "asin(0)", "0.0", math.Asin),
		float("asinh", "asinh(x): the inverse of sinh", "asinh(0)", "0.0", math.Asinh),
		float("atan", "atan(x): the angle whose tangent is x", "round(atan(1), 4)", "0.7854", math.Atan),
		{
			Name: "atan2", Params: []Param{FloatParam, FloatParam}, result: gives(vector.Float),
			row: func(c *call, i int) error {
				c.out.Floats[i] = math.Atan2(c.args[0].Float(i), c.args[1].Float(i))
				return nil
			},
			Doc: "atan2(y, x): the angle of a point", Example: "round(atan2(1, -1), 4)", Answer: "2.3562",
		},
		float("atanh", "atanh(x): the inverse of tanh", "atanh(0)", "0.0", math.Atanh),
		{
			Name: "bit_count", Params: []Param{IntParam}, result: gives(vector.Int),
			row: func(c *call, i int) error {
				c.out.Ints[i] = int64(bits.OnesCount64(uint64(c.args[0].Int(i))))
				return nil
			},
			Doc: "bit_count(n): how many of the 64 bits of n are set", Example: "bit_count(255)", Answer: "8",
		},
		float("cbrt", "cbrt(x): the cube root", "cbrt(27)", "3.0", math.Cbrt),
		float("cos", "cos(x): the cosine of an angle", "cos(0)", "1.0", math.Cos),
		float("cosh", "cosh(x): the hyperbolic cosine", "cosh(0)", "1.0", math.Cosh),
		float("cot", "cot(x): the cotangent of an angle", "round(cot(1), 4)", "0.6421", func(x float64) float64 { return 1 / math.Tan(x) }),
		float("degrees", "degrees(x): an angle in degrees", "degrees(pi())", "180.0", func(x float64) float64 { return x * 180 / math.Pi }),
		{
			Name: "factorial", Params: []Param{IntParam}, result: gives(vector.Int), CanFail: true,
			row: func(c *call, i int) error {
				n := c.args[0].Int(i)
				switch {
				case n < 0:
					return errDomain
				case n > 20:
					return vector.ErrOverflow
				}
				x := int64(1)
				for k := int64(2); k <= n; k++ {
					x *= k
				}
				c.out.Ints[i] = x
				return nil
			},
			Doc: "factorial(n): 1 * 2 * … * n", Example: "factorial(5)", Answer: "120",
		},
		ints("gcd", "gcd(a, b): the greatest integer that divides both", "gcd(12, 18)", "6", gcd),
		{
			Name: "hash", Params: []Param{AnyParam}, nulls: true, Rest: true, result: gives(vector.Int), CanFail: true, row: hashRow,
			Doc: "hash(a, b, …): a BIGINT that is always the same for equal values", Example: "hash(1) = hash(1.0)", Answer: "true",
		},
		test("isfinite", "isfinite(x): whether x is neither infinite nor NaN", "isfinite(1)", "true", func(x float64) bool { return x-x == 0 }),
		test("isinf", "isinf(x): whether x is infinite", "isinf(DOUBLE '-inf')", "true", func(x float64) bool { return math.IsInf(x, 0) }),
		test("isnan", "isnan(x): whether x is NaN", "isnan(DOUBLE 'NaN')", "true", math.IsNaN),
		ints("lcm", "lcm(a, b): the least integer that both divide", "lcm(4, 6)", "12", func(a, b int64) (int64, error) {
			if a == 0 || b == 0 {
				return 0, nil
			}
			g, err := gcd(a, b)
			if err != nil {
				return 0, err
			}
			a /= g
			if a == math.MinInt64 || b == math.MinInt64 {
				return 0, vector.ErrOverflow
			}
			hi, lo := bits.Mul64(uint64(max(a, -a)), uint64(max(b, -b)))
			if hi != 0 || lo > math.MaxInt64 {
				return 0, vector.ErrOverflow
			}
			return int64(lo), nil
		}),
		{
			Name: "log", Params: []Param{FloatParam, FloatParam}, Min: 1, result: gives(vector.Float), CanFail: true,
			row: func(c *call, i int) error {
				x := c.args[len(c.args)-1].Float(i)
				if x <= 0 {
					return errDomain
				}
				if len(c.args) == 1 {
					c.out.Floats[i] = math.Log10(x)
					return nil
				}
				base := c.args[0].Float(i)
				if base <= 0 || base == 1 {
					return errDomain
				}
				switch base { // these are exact for powers
				case 2:
					c.out.Floats[i] = math.Log2(x)
				case 10:
					c.out.Floats[i] = math.Log10(x)
				default:
					c.out.Floats[i] = math.Log(x) / math.Log(base)
				}
				return nil
			},
			Doc: "log([base, ] x): the logarithm, to base 10 if none is given", Example: "log(1000) + log(2, 8)", Answer: "6.0",
		},
		float("log2", "log2(x): the logarithm to base 2", "log2(8)", "3.0", func(x float64) float64 {
			if x == 0 {
				return math.NaN()
			}
			return math.Log2(x)
		}),
		{
			Name: "pi", Params: nil, result: gives(vector.Float),
			row: func(c *call, i int) error {
				c.out.Floats[i] = math.Pi
				return nil
			},
			Doc: "pi(): 3.14159…", Example: "pi()", Answer: "3.141592653589793",
		},
		float("radians", "radians(x): an angle of degrees in radians", "radians(180) = pi()", "true", func(x float64) float64 { return x * math.Pi / 180 }),
		float("sin", "sin(x): the sine of an angle", "sin(0)", "0.0", math.Sin),
		float("sinh", "sinh(x): the hyperbolic sine", "sinh(0)", "0.0", math.Sinh),
		float("tan", "tan(x): the tangent of an angle", "tan(0)", "0.0", math.Tan),
		float("tanh", "tanh(x): the hyperbolic tangent", "tanh(0)", "0.0", math.Tanh),
		{
			Name: "width_bucket", Params: []Param{FloatParam, FloatParam, FloatParam, IntParam}, result: gives(vector.Int), CanFail: true,
			row: func(c *call, i int) error {
				x, lo, hi, n := c.args[0].Float(i), c.args[1].Float(i), c.args[2].Float(i), c.args[3].Int(i)
				if n < 1 || lo == hi || n >= 1<<31 || hi-lo-(hi-lo) != 0 || x != x {
					return errBuckets
				}
				below := x < lo
				above := x >= hi
				if lo > hi {
					below, above = x > lo, x <= hi
				}
				switch {
				case below:
					c.out.Ints[i] = 0
				case above:
					c.out.Ints[i] = n + 1
				default:
					c.out.Ints[i] = min(int64((x-lo)/(hi-lo)*float64(n)), n-1) + 1
				}
				return nil
			},
			Doc: "width_bucket(x, from, to, n): in which of n equal parts x lies; 0 before them, n+1 behind", Example: "width_bucket(5.5, 0, 10, 5)", Answer: "3",
		},
		ints("xor", "xor(a, b): the bits that are set in one of both", "xor(6, 3)", "5", func(a, b int64) (int64, error) { return a ^ b, nil }),
	}
}

func gcd(a, b int64) (int64, error) {
	for b != 0 {
		if b == -1 {
			return 1, nil // the least integer cannot be divided by it
		}
		a, b = b, a%b
	}
	if a == math.MinInt64 {
		return 0, vector.ErrOverflow
	}
	return max(a, -a), nil
}

// hashRow is FNV-1a over the bytes by which values are grouped, so that equal values have the same hash in every process.
func hashRow(c *call, i int) error {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for _, v := range c.args {
		key, err := c.AppendSortKey(nil, v, i, false)
		if err != nil {
			return err
		}
		key = binary.LittleEndian.AppendUint32(key, uint32(len(key)))
		for _, b := range key {
			h = (h ^ uint64(b)) * prime
		}
		if err := c.Step(len(key)); err != nil {
			return err
		}
	}
	// The low bits of FNV are weak: a modulus takes them.
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	h ^= h >> 32
	c.out.Ints[i] = int64(h)
	return nil
}
