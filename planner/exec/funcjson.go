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
				c.out.Ints[i] = int64(payload.Length(payload.Top(payload.JSON, c.args[0].Bytes(i))))
				return nil
			},
			Doc: "json_array_length(x): the number of elements of an array",
		},
		{
			Name: "json_get", Aliases: []string{"json_extract"}, Params: []Param{JSONParam, AnyParam}, result: gives(vector.JSON), row: jsonGet,
			Doc: "json_get(x, key): x -> key, a member of an object or an element of an array counted from 0, from the end when negative",
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
			Doc: "json_type(x): null, boolean, integer, double, text, array, object …; NULL where there is nothing",
		},
		{
			Name: "to_json", Params: []Param{AnyParam}, nulls: true, result: gives(vector.Text),
			row: func(c *call, i int) error {
				c.buf = appendJSONText(c.buf[:0], c.args[0], i)
				return c.setText(i, c.buf)
			},
			Doc: "to_json(x): the value as JSON text",
		},
	}
}

func jsonGet(c *call, i int) error {
	v, key := c.args[0], c.args[1]
	var found payload.Value
	switch k := v.Class(i); k {
	case vector.ClassObject, vector.ClassArray:
		top := payload.Top(payload.JSON, v.Bytes(i))
		switch kc := key.Class(i); {
		case k == vector.ClassObject && kc == vector.ClassText:
			found = payload.Lookup(top, key.Bytes(i))
		case k == vector.ClassArray && kc == vector.ClassInt:
			if x := key.Int(i); x >= math.MinInt32 && x <= math.MaxInt32 {
				found = payload.Element(top, int(x))
			}
		}
	default:
		c.OtherType++
	}
	setPayload(&c.out, i, &found)
	return nil
}

// setPayload writes a value found in JSON to row i of a dynamic vector.
func setPayload(out *vector.Vector, i int, x *payload.Value) {
	at := len(out.Data)
	bytes := func(c vector.Class) {
		out.Data = x.AppendBytes(out.Data)
		out.SetRef(i, c, vector.MakeRef(at, len(out.Data)-at))
	}
	switch x.Class {
	case payload.Null:
		out.SetBits(i, vector.ClassNull, 1)
	case payload.Bool:
		out.SetBits(i, vector.ClassBool, x.Bits)
	case payload.Int:
		out.SetBits(i, vector.ClassInt, x.Bits)
	case payload.Big:
		bytes(vector.ClassBig)
	case payload.Float:
		out.SetBits(i, vector.ClassFloat, x.Bits)
	case payload.Text:
		bytes(vector.ClassText)
	case payload.Blob:
		bytes(vector.ClassBlob)
	case payload.Time:
		out.SetBits(i, vector.ClassTime, x.Bits)
	case payload.Array:
		bytes(vector.ClassArray)
	case payload.Object:
		bytes(vector.ClassObject)
	default:
		out.SetBits(i, vector.ClassNull, 0)
	}
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
