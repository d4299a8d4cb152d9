package exec

import (
	"math"
	"slices"
	"strings"

	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner/vector"
)

// elementBytes is about what an element of an array takes while the array is sorted or turned round.
const elementBytes = 96

// listFunctions are the functions on JSON arrays. Elements are counted from 1, from the end when negative, as in DuckDB; -> counts
// from 0.
func listFunctions() []*Function {
	// of calls f with an array; another value is NULL.
	of := func(f func(c *call, i int, list payload.Value) error) func(c *call, i int) error {
		return func(c *call, i int) error {
			if c.args[0].Class(i) != vector.ClassArray {
				if c.args[0].Class(i) != vector.ClassNull {
					c.OtherType++
				}
				c.out.SetNull(i)
				return nil
			}
			return f(c, i, c.payloadOf(c.args[0], i))
		}
	}
	listAny, list := []Param{JSONParam, AnyParam}, []Param{JSONParam}
	// copied writes the elements of lists one behind the other.
	add := func(c *call, w *sink, next func() error, list payload.Value) error {
		return c.members(list, func(_ []byte, _ bool, v payload.Value) error {
			if err := next(); err != nil {
				return err
			}
			return w.addElement(&v)
		})
	}
	return []*Function{
		{
			Name: "array_to_string", Aliases: []string{"list_to_string"}, Params: []Param{JSONParam, TextParam, TextParam}, Min: 2, result: gives(vector.Text), CanFail: true,
			row: of(arrayToString),
			Doc: "array_to_string(list, separator [, null]): the elements as text with separators between; those that are null are left out, or are the text null", Example: "array_to_string([1, NULL, 'x'], '-')", Answer: "1-x",
		},
		{
			Name: "list_append", Aliases: []string{"array_append", "array_push_back"}, Params: listAny, nulls: true, result: gives(vector.JSON), CanFail: true,
			row: of(func(c *call, i int, list payload.Value) error {
				return c.list(i, func(w *sink, next func() error) error {
					if err := add(c, w, next, list); err != nil {
						return err
					}
					if err := next(); err != nil {
						return err
					}
					return w.addValue(c.args[1], i)
				})
			}),
			Doc: "list_append(list, x): with x behind", Example: "list_append([1, 2], 3)", Answer: "[1,2,3]",
		},
		{
			Name: "list_concat", Aliases: []string{"array_concat", "list_cat", "array_cat"}, Params: []Param{JSONParam, JSONParam}, result: gives(vector.JSON), CanFail: true,
			row: of(func(c *call, i int, list payload.Value) error {
				if c.args[1].Class(i) != vector.ClassArray {
					c.other(i)
					return nil
				}
				other := c.payloadOf(c.args[1], i)
				return c.list(i, func(w *sink, next func() error) error {
					if err := add(c, w, next, list); err != nil {
						return err
					}
					return add(c, w, next, other)
				})
			}),
			Doc: "list_concat(a, b): the elements of both", Example: "list_concat([1], [2, 3])", Answer: "[1,2,3]",
		},
		{
			Name: "list_contains", Aliases: []string{"array_contains", "list_has", "array_has"}, Params: listAny, result: gives(vector.Bool),
			row: of(func(c *call, i int, list payload.Value) error {
				at, err := c.position(list, i)
				c.out.Bools[i] = at > 0
				return err
			}),
			Doc: "list_contains(list, x): whether x is an element", Example: "list_contains(['a', 'b'], 'b')", Answer: "true",
		},
		{
			Name: "list_distinct", Aliases: []string{"array_distinct"}, Params: list, result: gives(vector.JSON), CanFail: true,
			row: of(func(c *call, i int, list payload.Value) error {
				es, err := c.elements(list)
				if err != nil {
					return err
				}
				tmp, err := c.column(es)
				if err != nil {
					return err
				}
				order, err := c.sortedRows(tmp, func(a, b int32) int { return c.CompareTotal(tmp, int(a), tmp, int(b), false) })
				if err != nil {
					return err
				}
				first := make([]bool, len(es))
				for k, r := range order {
					if es[r].Class != payload.Null && (k == 0 || c.CompareTotal(tmp, int(order[k-1]), tmp, int(r), false) != 0) {
						first[r] = true
					}
				}
				return c.list(i, func(w *sink, next func() error) error {
					for k := range es {
						if !first[k] {
							continue
						}
						if err := next(); err != nil {
							return err
						}
						if err := w.addElement(&es[k]); err != nil {
							return err
						}
					}
					return nil
				})
			}),
			Doc: "list_distinct(list): each element once, in the order of their first, without nulls", Example: "list_distinct([2, 1, 2, NULL, 1.0])", Answer: "[2,1]",
		},
		{
			Name: "list_extract", Aliases: []string{"array_extract", "list_element"}, Params: []Param{JSONParam, IntParam}, result: gives(vector.JSON),
			row: of(func(c *call, i int, list payload.Value) error {
				n := c.args[1].Int(i)
				var x payload.Value
				if n > 0 {
					n--
				} else if n == 0 {
					n = math.MaxInt64
				}
				if n >= math.MinInt32 && n <= math.MaxInt32 {
					x = payload.ElementPaced(list, int(n), c.pace)
				}
				return c.setPayload(i, &x)
			}),
			Doc: "list_extract(list, n): the n-th element, from 1, from the end when negative", Example: "list_extract(['a', 'b'], -1)", Answer: `"b"`,
		},
		{
			Name: "list_position", Aliases: []string{"array_position", "list_indexof", "array_indexof"}, Params: listAny, result: gives(vector.Int),
			row: of(func(c *call, i int, list payload.Value) error {
				at, err := c.position(list, i)
				if c.out.Ints[i] = at; at == 0 {
					c.out.SetNull(i)
				}
				return err
			}),
			Doc: "list_position(list, x): which element x is, from 1; NULL when it is none", Example: "list_position(['a', 'b'], 'b')", Answer: "2",
		},
		{
			Name: "list_prepend", Aliases: []string{"array_prepend", "array_push_front"}, Params: []Param{AnyParam, JSONParam}, nulls: true, result: gives(vector.JSON), CanFail: true,
			row: func(c *call, i int) error {
				if c.args[1].Class(i) != vector.ClassArray {
					c.other(i)
					return nil
				}
				list := c.payloadOf(c.args[1], i)
				return c.list(i, func(w *sink, next func() error) error {
					if err := next(); err != nil {
						return err
					}
					if err := w.addValue(c.args[0], i); err != nil {
						return err
					}
					return add(c, w, next, list)
				})
			},
			Doc: "list_prepend(x, list): with x in front", Example: "list_prepend(1, [2, 3])", Answer: "[1,2,3]",
		},
		{
			Name: "list_reverse", Aliases: []string{"array_reverse"}, Params: list, result: gives(vector.JSON), CanFail: true,
			row: of(func(c *call, i int, list payload.Value) error {
				es, err := c.elements(list)
				if err != nil {
					return err
				}
				slices.Reverse(es)
				return c.elementList(i, es)
			}),
			Doc: "list_reverse(list): backwards", Example: "list_reverse([1, 2])", Answer: "[2,1]",
		},
		{
			Name: "list_slice", Aliases: []string{"array_slice"}, Params: []Param{JSONParam, IntParam, IntParam}, result: gives(vector.JSON), CanFail: true,
			row: of(func(c *call, i int, list payload.Value) error {
				from, to := c.args[1].Int(i), c.args[2].Int(i)
				if from < 0 || to < 0 {
					n := int64(payload.LengthPaced(list, c.pace))
					if from < 0 {
						from = max(from+n+1, 1)
					}
					if to < 0 {
						to += n + 1
					}
				}
				return c.list(i, func(w *sink, next func() error) error {
					k := int64(0)
					return c.members(list, func(_ []byte, _ bool, v payload.Value) error {
						if k++; k > to {
							return errEnough
						}
						if k < from {
							return nil
						}
						if err := next(); err != nil {
							return err
						}
						return w.addElement(&v)
					})
				})
			}),
			Doc: "list_slice(list, from, to): the elements from one to another, both counted from 1, from the end when negative", Example: "list_slice([1, 2, 3, 4], 2, -2)", Answer: "[2,3]",
		},
		{
			Name: "list_sort", Aliases: []string{"array_sort"}, Params: []Param{JSONParam, TextParam}, Min: 1, result: gives(vector.JSON), CanFail: true, row: of(listSort),
			Doc: "list_sort(list [, 'desc']): in the order of ORDER BY", Example: "list_sort([3, NULL, 1.5, 'a', 2])", Answer: `[1.5,2,3,"a",null]`,
		},
	}
}

// elements returns the elements of an array, whose memory is counted.
func (c *call) elements(list payload.Value) ([]payload.Value, error) {
	n := payload.LengthPaced(list, c.pace)
	if err := c.Step(0); err != nil {
		return nil, err
	}
	if n > vector.LargeBytes/elementBytes {
		if err := c.Room(nil, 2*n*elementBytes); err != nil {
			return nil, err
		}
	}
	es := make([]payload.Value, 0, n)
	err := c.members(list, func(_ []byte, _ bool, v payload.Value) error {
		es = append(es, v)
		return nil
	})
	return es, err
}

// column returns elements as a column, to be compared as values are.
func (c *call) column(es []payload.Value) (*vector.Vector, error) {
	size := 0
	for i := range es {
		size += len(es[i].Raw)
	}
	if size > vector.LargeBytes {
		if err := c.Room(nil, 2*len(es)*elementBytes+size); err != nil {
			return nil, err
		}
	}
	v := vector.New(vector.JSON, len(es))
	v.Grow(len(es))
	for i := range es {
		x := &es[i]
		var class vector.Class
		switch x.Class {
		case payload.Text:
			class = vector.ClassText
		case payload.Array:
			class = vector.ClassArray
		case payload.Object:
			class = vector.ClassObject
		case payload.Big:
			class = vector.ClassBig
		default:
			if err := c.putPayload(v, i, x); err != nil {
				return nil, err
			}
			continue
		}
		at := len(v.Data)
		v.Data = x.AppendBytesPaced(v.Data, c.pace)
		v.SetRef(i, class, vector.MakeRef(at, len(v.Data)-at))
		if err := c.Step(len(x.Raw)); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// sortedRows returns the rows of a column in an order; equal ones stay as they are.
func (c *call) sortedRows(v *vector.Vector, compare func(a, b int32) int) ([]int32, error) {
	order := make([]int32, v.Len)
	for k := range order {
		order[k] = int32(k)
	}
	var failed error
	slices.SortStableFunc(order, func(a, b int32) int {
		if failed != nil {
			return 0
		}
		r := compare(a, b)
		if failed = c.Fault(); failed == nil {
			failed = c.Step(compareStep)
		}
		return r
	})
	return order, failed
}

// elementList writes elements as an array.
func (c *call) elementList(i int, es []payload.Value) error {
	return c.list(i, func(w *sink, next func() error) error {
		for k := range es {
			if err := next(); err != nil {
				return err
			}
			if err := w.addElement(&es[k]); err != nil {
				return err
			}
		}
		return nil
	})
}

func listSort(c *call, i int, list payload.Value) error {
	down := false
	if len(c.args) > 1 {
		switch strings.ToLower(string(c.args[1].Bytes(i)[:min(4, len(c.args[1].Bytes(i)))])) {
		case "asc":
		case "desc":
			down = true
		default:
			return &FormatError{"the order is asc or desc"}
		}
	}
	es, err := c.elements(list)
	if err != nil {
		return err
	}
	v, err := c.column(es)
	if err != nil {
		return err
	}
	order, err := c.sortedRows(v, func(a, b int32) int { return c.CompareTotal(v, int(a), v, int(b), down) })
	if err != nil {
		return err
	}
	sorted := make([]payload.Value, len(es))
	for k, r := range order {
		sorted[k] = es[r]
	}
	return c.elementList(i, sorted)
}

// position returns which element argument 1 equals, from 1; 0 when there is none.
func (c *call) position(list payload.Value, i int) (int64, error) {
	v := c.args[1]
	class, want := v.Class(i), c.payloadOf(v, i)
	at, k := int64(0), int64(0)
	err := c.members(list, func(_ []byte, _ bool, x payload.Value) error {
		k++
		same := false
		switch {
		case x.Class == payload.Array && class == vector.ClassArray, x.Class == payload.Object && class == vector.ClassObject:
			col, err := c.column([]payload.Value{x})
			if err != nil {
				return err
			}
			same = c.EqualValues(col, 0, v, i)
			if err := c.Fault(); err != nil {
				return err
			}
		default:
			same = c.sameScalar(x, want)
		}
		if same {
			at = k
			return errEnough
		}
		return nil
	})
	return at, err
}

func arrayToString(c *call, i int, list payload.Value) error {
	sep := c.args[1].Bytes(i)
	return c.build(i, vector.ClassText, func(w *sink) error {
		first := true
		return c.members(list, func(_ []byte, _ bool, x payload.Value) error {
			if x.Class == payload.Null && len(c.args) < 3 {
				return nil
			}
			if !first {
				if err := w.add(sep); err != nil {
					return err
				}
			}
			first = false
			switch {
			case x.Class == payload.Null:
				return w.add(c.args[2].Bytes(i))
			case x.Class == payload.Text && x.Escaped:
				return w.add(x.AppendBytesPaced(nil, c.pace))
			case x.Class == payload.Text:
				return w.add(x.Raw)
			}
			return w.addElement(&x)
		})
	})
}
