package exec

import "github.com/seed69692123/netdb/planner/vector"

// dictMemo keeps what a function gave for the values of a dictionary, so that it runs once for each and not for each row.
type dictMemo struct {
	dict  *vector.Dict
	place []int32       // by code: 1 more than the row of out that has its result
	arg   vector.Vector // the value that each row of out is of
	out   vector.Vector
	other vector.Bitmap // rows of out whose value was of another type
}

// memoCodes is the greatest dictionary for which results are kept.
const memoCodes = 1 << 16

// dictionary returns which argument of a call has a dictionary, when all others are constants; -1 when the function is to be called
// for each of the n rows.
func (e *callEval) dictionary(n int) int {
	if e.e.Fn.Volatile || e.e.Fn.nulls || n < 2 {
		return -1
	}
	found := -1
	for k, v := range e.call.args {
		switch {
		case v.Const:
		case v.Dict != nil && found < 0 && !v.Type.Dynamic() && len(v.Dict.Refs) <= memoCodes:
			found = k
		default:
			return -1
		}
	}
	return found
}

// byCode evaluates the function once for each value of a dictionary that a row has. An error is that of the first row with its value.
func (e *callEval) byCode(k int, sel vector.Sel, n int) (*vector.Vector, error) {
	m, d := &e.memo, e.call.args[k]
	if m.dict != d.Dict || len(m.out.Data) > partBytes {
		if m.dict == nil {
			e.output(&m.out, e.e.T)
		}
		m.dict = d.Dict
		m.place = append(m.place[:0], make([]int32, len(d.Dict.Refs))...)
		m.arg = vector.Vector{Type: d.Type, Dict: d.Dict, Codes: m.arg.Codes[:0]}
		m.out.Reset(e.e.T)
		m.other = m.other[:0]
	}
	// The function reads the memo's argument and writes to its results.
	e.call.args[k] = &m.arg
	e.out, m.out = m.out, e.out
	row, err := e.newCodes(d, sel, n)
	e.out, m.out = m.out, e.out
	if err != nil {
		return nil, e.errorAt(e.e.Span, &vector.RowError{Row: row, Err: err})
	}
	if err := e.Fault(); err != nil {
		return nil, err
	}
	e.out.ShareData(&m.out)
	sel.All(n, func(i int) {
		if d.Null(i) {
			e.out.SetNull(i)
			return
		}
		at := int(m.place[d.Codes[i]]) - 1
		e.out.Take(i, &m.out, at)
		if m.other.Get(at) {
			e.OtherType++
		}
	})
	return &e.out, e.evalState.rows(sel, n)
}

// newCodes evaluates the function for the values that have no result yet. It returns the row of an error.
func (e *callEval) newCodes(d *vector.Vector, sel vector.Sel, n int) (int, error) {
	m := &e.memo
	for k := range sel.Count(n) {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if d.Null(i) {
			continue
		}
		code := d.Codes[i]
		if m.place[code] != 0 {
			continue
		}
		at := e.out.Len
		e.out.Grow(1)
		m.arg.Codes = append(m.arg.Codes, code)
		m.arg.Len = len(m.arg.Codes)
		if w := at >> 6; w >= len(m.other) {
			m.other = append(m.other, 0)
		}
		other := e.OtherType
		if e.constNull(at) {
			e.out.SetNull(at)
		} else if err := e.e.Fn.row(&e.call, at); err != nil {
			return i, err
		}
		if e.OtherType != other {
			e.OtherType = other // counted for each row
			m.other.Set(at)
		}
		m.place[code] = int32(at) + 1
	}
	return 0, nil
}

// constNull reports whether an argument is NULL.
func (e *callEval) constNull(i int) bool {
	for _, v := range e.call.args {
		if v.Null(i) {
			return true
		}
	}
	return false
}
