package exec

import (
	"bytes"
	"errors"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner/vector"
)

var (
	errPairs   = errors.New("json_object wants names and values in turns, and names that are text")
	errNotJSON = errors.New("the text is no JSON")
)

// buildFunctions look into JSON by paths, compare it and make it.
func buildFunctions() []*Function {
	jsonKey := []Param{JSONParam, AnyParam}
	json2 := []Param{JSONParam, JSONParam}
	return []*Function{
		{
			Name: "json", Params: []Param{AnyParam}, result: gives(vector.JSON), CanFail: true,
			row: func(c *call, i int) error {
				v := c.args[0]
				if v.Class(i) != vector.ClassText {
					return c.SetFrom(&c.out, i, v, i)
				}
				s := v.Bytes(i)
				if _, err := payload.CheckPaced(payload.JSON, s, c.pace); err != nil {
					return errNotJSON
				}
				x := payload.TopPaced(payload.JSON, s, c.pace)
				if x.Class == payload.Array || x.Class == payload.Object {
					class := vector.ClassArray
					if x.Class == payload.Object {
						class = vector.ClassObject
					}
					return c.writeAs(class, i, len(x.Raw), func(dst []byte) ([]byte, error) { return payload.AppendCompact(dst, x.Raw), c.Step(len(x.Raw)) })
				}
				return c.setPayload(i, &x)
			},
			Doc: "json(text): the JSON value that a text is, without spaces between its parts", Example: "json('{\"a\": [1, 2]}')", Answer: `{"a":[1,2]}`,
		},
		{
			Name: "json_array", Aliases: []string{"list_value"}, Params: []Param{AnyParam}, Min: -1, Rest: true, nulls: true, result: gives(vector.JSON), CanFail: true,
			row: func(c *call, i int) error {
				return c.list(i, func(w *sink, next func() error) error {
					for _, v := range c.args {
						if err := next(); err != nil {
							return err
						}
						if err := w.addValue(v, i); err != nil {
							return err
						}
					}
					return nil
				})
			},
			Doc: "json_array(a, b, …): a JSON array of the values; also [a, b, …]", Example: "json_array(1, 'x', NULL)", Answer: `[1,"x",null]`,
		},
		{
			Name: "json_contains", Params: json2, result: gives(vector.Bool),
			row: func(c *call, i int) error {
				ok, err := c.contains(c.payloadOf(c.args[0], i), c.payloadOf(c.args[1], i))
				c.out.Bools[i] = ok
				return err
			},
			Doc: "json_contains(x, part): x @> part: whether all members and elements of part are in x", Example: "json_contains('{\"a\": [1, 2], \"b\": 3}', '{\"a\": [2]}')", Answer: "true",
		},
		{
			Name: "json_exists", Params: jsonKey, result: gives(vector.Bool), CanFail: true,
			row: func(c *call, i int) error {
				x, err := c.atPath(i)
				c.out.Bools[i] = x.Class != payload.Missing
				return err
			},
			Doc: "json_exists(x, path): whether there is something, be it null", Example: "json_exists('{\"a\": null}', '$.a')", Answer: "true",
		},
		{
			Name: "json_extract", Aliases: []string{"json_extract_path"}, Params: jsonKey, result: gives(vector.JSON), CanFail: true,
			row: func(c *call, i int) error {
				x, err := c.atPath(i)
				if err != nil {
					return err
				}
				return c.setPayload(i, &x)
			},
			Doc: "json_extract(x, path): what is at a path such as $.name[0], $.list[-1] or /name/0; a text that begins otherwise is a name, a BIGINT the number of an element", Example: "json_extract('{\"a\": [1, {\"b\": 2}]}', '$.a[1].b')", Answer: "2",
		},
		{
			Name: "json_extract_string", Aliases: []string{"json_extract_path_text"}, Params: jsonKey, result: gives(vector.Text), CanFail: true, row: jsonExtractText,
			Doc: "json_extract_string(x, path): the same as text", Example: "json_extract_string('{\"a\": [\"x\"]}', '/a/0')", Answer: "x",
		},
		{
			Name: "json_keys", Params: []Param{JSONParam}, result: gives(vector.JSON), CanFail: true,
			row: func(c *call, i int) error {
				if c.args[0].Class(i) != vector.ClassObject {
					c.other(i)
					return nil
				}
				x := c.payloadOf(c.args[0], i)
				return c.list(i, func(w *sink, next func() error) error {
					return c.members(x, func(key []byte, _ bool, _ payload.Value) error {
						if err := next(); err != nil {
							return err
						}
						return w.addElement(&payload.Value{Class: payload.Text, Format: payload.JSON, Raw: key})
					})
				})
			},
			Doc: "json_keys(x): a JSON array of the names of an object's members", Example: "json_keys('{\"a\": 1, \"b\": 2}')", Answer: `["a","b"]`,
		},
		{
			Name: "json_merge_patch", Params: json2, result: gives(vector.JSON), CanFail: true,
			row: func(c *call, i int) error {
				x, patch := c.payloadOf(c.args[0], i), c.payloadOf(c.args[1], i)
				if patch.Class != payload.Object {
					return c.SetFrom(&c.out, i, c.args[1], i)
				}
				return c.build(i, vector.ClassObject, func(w *sink) error { return w.addMerged(x, patch) })
			},
			Doc: "json_merge_patch(x, patch): x with the members of patch, without those that are null there (RFC 7396)", Example: "json_merge_patch('{\"a\": 1, \"b\": 2}', '{\"b\": null, \"c\": 3}')", Answer: `{"a":1,"c":3}`,
		},
		{
			Name: "json_object", Params: []Param{AnyParam}, Min: -1, Rest: true, nulls: true, result: gives(vector.JSON), CanFail: true, row: jsonObject,
			Doc: "json_object(name, value, …): a JSON object", Example: "json_object('a', 1, 'b', [2, 3])", Answer: `{"a":1,"b":[2,3]}`,
		},
		{
			Name: "json_valid", Params: []Param{TextParam}, result: gives(vector.Bool),
			row: func(c *call, i int) error {
				_, err := payload.CheckPaced(payload.JSON, c.args[0].Bytes(i), c.pace)
				c.out.Bools[i] = err == nil
				return c.Step(0)
			},
			Doc: "json_valid(text): whether a text is JSON", Example: "json_valid('{a}')", Answer: "false",
		},
	}
}

// errEnough ends the going through elements without an error.
var errEnough = errors.New("exec: enough elements")

// members calls f with each element or member, and ends with the first error, or without one behind errEnough.
func (c *call) members(x payload.Value, f func(key []byte, escaped bool, v payload.Value) error) error {
	var failed error
	payload.EachPaced(x, c.pace, func(key []byte, escaped bool, v payload.Value) bool {
		failed = f(key, escaped, v)
		return failed == nil
	})
	if failed != nil && !errors.Is(failed, errEnough) {
		return failed
	}
	return c.Step(0)
}

// name is a member's name without escapes.
func (c *call) name(key []byte, escaped bool) []byte {
	if escaped {
		return num.UnquotePaced(nil, key, c.pace)
	}
	return key
}

func jsonExtractText(c *call, i int) error {
	x, err := c.atPath(i)
	if err != nil {
		return err
	}
	switch x.Class {
	case payload.Missing, payload.Null:
		c.out.SetNull(i)
		return nil
	case payload.Text, payload.Array, payload.Object, payload.Big:
		return c.write(i, len(x.Raw), func(dst []byte) ([]byte, error) {
			return x.AppendBytesPaced(dst, c.pace), c.Step(0)
		})
	}
	var small [smallText]byte
	return c.setText(i, x.AppendJSON(small[:0]))
}

func jsonObject(c *call, i int) error {
	if len(c.args)%2 != 0 {
		return errPairs
	}
	return c.build(i, vector.ClassObject, func(w *sink) error {
		for k := 0; k < len(c.args); k += 2 {
			if c.args[k].Class(i) != vector.ClassText {
				return errPairs
			}
			sep := ","
			if k == 0 {
				sep = "{"
			}
			if err := w.addString(sep); err != nil {
				return err
			}
			if err := w.addQuoted(c.args[k].Bytes(i)); err != nil {
				return err
			}
			if err := w.addString(":"); err != nil {
				return err
			}
			if err := w.addValue(c.args[k+1], i); err != nil {
				return err
			}
		}
		if len(c.args) == 0 {
			return w.addString("{}")
		}
		return w.addString("}")
	})
}

// contains reports whether all of part is in x: the members of an object by name, the elements of an array anywhere; an array also
// contains a single value.
func (c *call) contains(x, part payload.Value) (bool, error) {
	switch {
	case x.Class == payload.Object && part.Class == payload.Object:
		all := true
		err := c.members(part, func(key []byte, escaped bool, v payload.Value) error {
			ok, err := c.contains(payload.LookupPaced(x, c.name(key, escaped), c.pace), v)
			if all = ok; !ok && err == nil {
				err = errEnough
			}
			return err
		})
		return all, err
	case x.Class == payload.Array && part.Class == payload.Array:
		all := true
		err := c.members(part, func(_ []byte, _ bool, v payload.Value) error {
			ok, err := c.hasElement(x, v)
			if all = ok; !ok && err == nil {
				err = errEnough
			}
			return err
		})
		return all, err
	case x.Class == payload.Array && part.Class != payload.Object && part.Class != payload.Missing:
		return c.hasElement(x, part)
	}
	return c.sameScalar(x, part), c.Step(0)
}

func (c *call) hasElement(x, part payload.Value) (bool, error) {
	found := false
	err := c.members(x, func(_ []byte, _ bool, v payload.Value) error {
		if v.Class == payload.Array && part.Class != payload.Array {
			return nil
		}
		ok, err := c.contains(v, part)
		if found = ok; ok && err == nil {
			err = errEnough
		}
		return err
	})
	return found, err
}

// sameScalar reports whether two values that are no arrays or objects are equal: numbers by value.
func (c *call) sameScalar(x, y payload.Value) bool {
	number := func(k payload.Class) bool { return k == payload.Int || k == payload.Float || k == payload.Big }
	switch {
	case x.Class == payload.Missing || x.Class == payload.Array || x.Class == payload.Object:
		return false
	case number(x.Class) && number(y.Class):
		switch {
		case x.Class == payload.Int && y.Class == payload.Int:
			return x.Bits == y.Bits
		case x.Class == payload.Float && y.Class == payload.Float:
			return num.CompareFloats(x.Float(), y.Float()) == 0
		case x.Class == payload.Int && y.Class == payload.Float:
			return num.CompareIntFloat(x.Int(), y.Float()) == 0
		case x.Class == payload.Float && y.Class == payload.Int:
			return num.CompareIntFloat(y.Int(), x.Float()) == 0
		case x.Class == payload.Big && y.Class == payload.Big:
			return num.CompareBigs(x.Raw, y.Raw) == 0
		case x.Class == payload.Big && y.Class == payload.Float:
			return num.CompareBigFloat(x.Raw, y.Float()) == 0
		case x.Class == payload.Float && y.Class == payload.Big:
			return num.CompareBigFloat(y.Raw, x.Float()) == 0
		}
		return false
	case x.Class != y.Class:
		return false
	case x.Class == payload.Text:
		if !x.Escaped && !y.Escaped {
			return bytes.Equal(x.Raw, y.Raw)
		}
		return bytes.Equal(x.AppendBytesPaced(nil, c.pace), y.AppendBytesPaced(nil, c.pace))
	}
	return x.Bits == y.Bits
}

// addMerged adds x, where patch, an object, is put over it.
func (w *sink) addMerged(x, patch payload.Value) error {
	c, first := w.c, true
	put := func(key []byte, add func() error) error {
		sep := ","
		if first {
			sep, first = "{", false
		}
		if err := w.addString(sep); err != nil {
			return err
		}
		if err := w.addElement(&payload.Value{Class: payload.Text, Format: payload.JSON, Raw: key}); err != nil {
			return err
		}
		if err := w.addString(":"); err != nil {
			return err
		}
		return add()
	}
	merged := func(old, v payload.Value) error {
		if v.Class == payload.Object {
			return w.addMerged(old, v)
		}
		return w.addElement(&v)
	}
	if x.Class == payload.Object {
		err := c.members(x, func(key []byte, escaped bool, old payload.Value) error {
			v := payload.LookupPaced(patch, c.name(key, escaped), c.pace)
			switch v.Class {
			case payload.Missing:
				return put(key, func() error { return w.addElement(&old) })
			case payload.Null:
				return nil
			}
			return put(key, func() error { return merged(old, v) })
		})
		if err != nil {
			return err
		}
	}
	err := c.members(patch, func(key []byte, escaped bool, v payload.Value) error {
		if v.Class == payload.Null || x.Class == payload.Object && payload.LookupPaced(x, c.name(key, escaped), c.pace).Class != payload.Missing {
			return nil
		}
		return put(key, func() error { return merged(payload.Value{}, v) })
	})
	if err != nil {
		return err
	}
	if first {
		return w.addString("{}")
	}
	return w.addString("}")
}
