package naivesql

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"sort"
	"strconv"
	"strings"
)

// A value is nil (missing), Null, bool, int64, *big.Int (beyond int64), float64, string, Array or Object.
type value = any

// Null is an explicit null of a payload. To everything but json_type it is the same as nothing.
type Null struct{}

// Array is a JSON array and its text.
type Array struct {
	Text  string
	Items []value
}

// Object is a JSON object and its text. The first of equal names counts.
type Object struct {
	Text    string
	Members map[string]value
}

func isNull(v value) bool { return v == nil || v == Null{} }

// Decode reads JSON.
func Decode(text []byte) (any, error) {
	text = bytes.TrimSpace(text)
	if !json.Valid(text) {
		return nil, fmt.Errorf("naivesql: no JSON: %q", text)
	}
	switch text[0] {
	case '{', '[':
		d := json.NewDecoder(bytes.NewReader(text))
		if _, err := d.Token(); err != nil {
			return nil, err
		}
		a, o := Array{Text: string(text)}, Object{Text: string(text), Members: map[string]value{}}
		for d.More() {
			name := ""
			if text[0] == '{' {
				t, err := d.Token()
				if err != nil {
					return nil, err
				}
				name = t.(string)
			}
			var raw json.RawMessage
			if err := d.Decode(&raw); err != nil {
				return nil, err
			}
			v, err := Decode(raw)
			if err != nil {
				return nil, err
			}
			a.Items = append(a.Items, v)
			if _, ok := o.Members[name]; !ok {
				o.Members[name] = v
			}
		}
		if text[0] == '{' {
			return o, nil
		}
		return a, nil
	case '"':
		var s string
		err := json.Unmarshal(text, &s)
		return s, err
	case 't':
		return true, nil
	case 'f':
		return false, nil
	case 'n':
		return Null{}, nil
	}
	return number(string(text)), nil
}

// number reads digits: an integer without point and exponent, else a float.
func number(text string) value {
	if strings.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil && !math.IsInf(f, 0) {
			return nil
		}
		return float(f)
	}
	i, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return nil
	}
	return integer(i)
}

func integer(i *big.Int) value {
	if i.IsInt64() {
		return i.Int64()
	}
	return i
}

// float is f without a sign of zero.
func float(f float64) value {
	if f == 0 {
		return 0.0
	}
	return f
}

// rank is the place of a value's type in the order of all.
func rank(v value) int {
	switch v.(type) {
	case bool:
		return 0
	case int64, *big.Int, float64:
		return 1
	case string:
		return 2
	case Array:
		return 3
	case Object:
		return 4
	}
	return 9
}

// Compare orders all values: booleans, numbers, text, arrays, objects, and NULL last.
func Compare(a, b any) int {
	if ra, rb := rank(a), rank(b); ra != rb {
		return sign(ra - rb)
	}
	switch x := a.(type) {
	case bool:
		y := b.(bool)
		switch {
		case x == y:
			return 0
		case x:
			return 1
		}
		return -1
	case string:
		return strings.Compare(x, b.(string))
	case Array:
		return compareLists(x.Items, b.(Array).Items)
	case Object:
		return compareLists(x.list(), b.(Object).list())
	case int64, *big.Int, float64:
		return compareNumbers(a, b)
	}
	return 0
}

// list is the members of an object, names and values in turn, in the order of the names.
func (o Object) list() []value {
	var names []string
	for name := range o.Members {
		names = append(names, name)
	}
	sort.Strings(names)
	var out []value
	for _, name := range names {
		out = append(out, name, o.Members[name])
	}
	return out
}

func compareLists(a, b []value) int {
	for i := range min(len(a), len(b)) {
		if c := Compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return sign(len(a) - len(b))
}

func sign(i int) int {
	switch {
	case i < 0:
		return -1
	case i > 0:
		return 1
	}
	return 0
}

// compareNumbers compares by exact value. NaN equals itself and is the largest.
func compareNumbers(a, b value) int {
	switch x := a.(type) {
	case int64:
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y)
		}
	case float64:
		if y, ok := b.(float64); ok && x == x && y == y {
			return cmp.Compare(x, y)
		}
	}
	x, xs := exact(a)
	y, ys := exact(b)
	if xs != 0 || ys != 0 {
		return sign(xs - ys)
	}
	return x.Cmp(y)
}

// exact is a number as a fraction, or where it stands beside all of them: -1 and 1 for the infinities, 2 for NaN.
func exact(v value) (r *big.Rat, special int) {
	switch v := v.(type) {
	case int64:
		return new(big.Rat).SetInt64(v), 0
	case *big.Int:
		return new(big.Rat).SetInt(v), 0
	}
	switch f := v.(float64); {
	case math.IsNaN(f):
		return nil, 2
	case math.IsInf(f, 0):
		return nil, int(math.Copysign(1, f))
	default:
		return new(big.Rat).SetFloat64(f), 0
	}
}

// Text is a value as CAST to TEXT has it.
func Text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case Array:
		return v.Text
	case Object:
		return v.Text
	case float64:
		return floatText(v)
	}
	if isNull(v) {
		return "NULL"
	}
	return fmt.Sprint(v)
}

// floatText is the shortest text that reads back the same, with a point or an exponent.
func floatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		return "0.0"
	}
	if a := math.Abs(f); a < 1e-5 || a >= 1e16 {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
