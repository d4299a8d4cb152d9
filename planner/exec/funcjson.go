package exec

import (
	"math"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner/vector"
)

// jsonFunctions are the functions on JSON and payload values, whose arrays and objects are kept as JSON text.
func jsonFunctions() []*Function {
	return []*Function{
		{
			Name: "json_array_length", Params: []Param{JSONParam}, result: gives(vector.Int),
			row: func(c *call, i int) error {
				if c.args[0].Class(i) != vector.ClassArray {
					c.other(i)
					return nil
				}
				top := payload.TopPaced(payload.JSON, c.args[0].Bytes(i), c.pace)
				c.out.Ints[i] = int64(payload.LengthPaced(top, c.pace))
				return c.Step(0)
			},
			Doc: "json_array_length(x): the number of elements of an array", Example: "json_array_length('[1, 2]')", Answer: "2",
		},
		{
			Name: "json_get", Params: []Param{JSONParam, AnyParam}, result: gives(vector.JSON), row: jsonGet,
			Doc: "json_get(x, key): x -> key, a member of an object or an element of an array counted from 0, from the end when negative", Example: "json_get('{\"a\": [1, 2]}', 'a')", Answer: "[1, 2]",
		},
		{
			Name: "json_type", Params: []Param{JSONParam}, nulls: true, result: gives(vector.Text),
			row: func(c *call, i int) error {
				v := c.args[0]
				k := v.Class(i)
				if k == vector.ClassNull && !v.ExplicitNull(i) {
					c.out.SetNull(i)
					return nil
				}
				return c.setText(i, []byte(k.String()))
			},
			Doc: "json_type(x): null, boolean, integer, double, text, array, object …; NULL where there is nothing", Example: "json_type('[1]')", Answer: "array",
		},
		{
			Name: "to_json", Params: []Param{AnyParam}, nulls: true, result: gives(vector.Text),
			row: func(c *call, i int) error {
				n, err := c.jsonTextBytes(c.args[0], i)
				if err != nil {
					return err
				}
				return c.write(i, n, func(dst []byte) ([]byte, error) {
					if v := c.args[0]; v.Class(i) == vector.ClassText && v.DataLen(i) > stepBytes {
						return c.appendQuoted(dst, v.Bytes(i))
					}
					return appendJSONText(dst, c.args[0], i), nil
				})
			},
			Doc: "to_json(x): the value as JSON text", Example: "to_json('a\"b')", Answer: "\"a\\\"b\"",
		},
	}
}

func jsonGet(c *call, i int) error {
	v, key := c.args[0], c.args[1]
	var found payload.Value
	switch k := v.Class(i); k {
	case vector.ClassObject, vector.ClassArray:
		top := payload.TopPaced(payload.JSON, v.Bytes(i), c.pace)
		switch kc := key.Class(i); {
		case k == vector.ClassObject && kc == vector.ClassText:
			found = payload.LookupPaced(top, key.Bytes(i), c.pace)
		case k == vector.ClassArray && kc == vector.ClassInt:
			if x := key.Int(i); x >= math.MinInt32 && x <= math.MaxInt32 {
				found = payload.ElementPaced(top, int(x), c.pace)
			}
		}
	default:
		c.OtherType++
	}
	return c.setPayload(i, &found)
}

// setPayload writes a value found in JSON to row i.
func (c *call) setPayload(i int, x *payload.Value) error { return c.putPayload(&c.out, i, x) }

// putPayload writes a value found in JSON to a row of a dynamic vector.
func (c *evalState) putPayload(out *vector.Vector, i int, x *payload.Value) error {
	var class vector.Class
	switch x.Class {
	case payload.Null:
		out.SetBits(i, vector.ClassNull, 1)
	case payload.Bool:
		out.SetBits(i, vector.ClassBool, x.Bits)
	case payload.Int:
		out.SetBits(i, vector.ClassInt, x.Bits)
	case payload.Big:
		class = vector.ClassBig
	case payload.Float:
		out.SetBits(i, vector.ClassFloat, x.Bits)
	case payload.Text:
		class = vector.ClassText
	case payload.Blob:
		class = vector.ClassBlob
	case payload.Time:
		out.SetBits(i, vector.ClassTime, x.Bits)
	case payload.Array:
		class = vector.ClassArray
	case payload.Object:
		class = vector.ClassObject
	default:
		out.SetBits(i, vector.ClassNull, 0)
	}
	if class == vector.ClassNull {
		return c.Step(0)
	}
	if !x.Escaped {
		r, err := c.AddData(out, x.Raw)
		out.SetRef(i, class, r)
		return err
	}
	if err := c.Room(out, len(x.Raw)); err != nil {
		return err
	}
	at := len(out.Data)
	out.Data = x.AppendBytesPaced(out.Data, c.pace)
	out.SetRef(i, class, vector.MakeRef(at, len(out.Data)-at))
	return c.Step(0)
}

// appendQuoted appends a large text as a JSON string.
func (c *call) appendQuoted(dst, s []byte) ([]byte, error) {
	dst = append(dst, '"')
	err := c.pieces(s, func(part []byte) {
		at := len(dst)
		dst = payload.AppendQuoted(dst, part)
		n := copy(dst[at:], dst[at+1:len(dst)-1]) // without the quotes of the part
		dst = dst[:at+n]
	})
	return append(dst, '"'), err
}

// jsonTextBytes bounds the length of a value as JSON text: that of a text is counted, for some characters need six bytes.
func (c *call) jsonTextBytes(v *vector.Vector, i int) (int, error) {
	n := v.DataLen(i)
	switch v.Class(i) {
	case vector.ClassText:
		size := n + 2
		err := c.pieces(v.Bytes(i), func(part []byte) {
			for _, b := range part {
				switch {
				case b < ' ':
					size += 5
				case b == '"' || b == '\\':
					size++
				}
			}
		})
		return size, err
	case vector.ClassBlob:
		return 2*n + 5, nil
	}
	return n + smallText, nil
}

// appendJSONText appends a value as JSON text. Infinities and NaN, which JSON has not, are null.
func appendJSONText(dst []byte, v *vector.Vector, i int) []byte {
	switch v.Class(i) {
	case vector.ClassNull:
		return append(dst, "null"...)
	case vector.ClassBool, vector.ClassInt, vector.ClassBig, vector.ClassArray, vector.ClassObject:
		var st vector.State
		return st.AppendText(dst, v, i)
	case vector.ClassFloat:
		if f := v.Float(i); math.IsNaN(f) || math.IsInf(f, 0) {
			return append(dst, "null"...)
		}
		return num.AppendFloat(dst, v.Float(i))
	case vector.ClassText:
		return payload.AppendQuoted(dst, v.Bytes(i))
	}
	var st vector.State
	return payload.AppendQuoted(dst, st.AppendText(nil, v, i))
}
