package netdb

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/seed69692123/netdb/internal/num"
	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/planner"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
	"github.com/seed69692123/netdb/redex"
)

// rowEncoder makes entries of the rows of an INSERT.
//
// An event is JSON, which every reader has, unless one of its values has no form there: bytes, a time, NaN or an infinity. Such
// an event is MessagePack, where each of them keeps its type. Dates and intervals have no form in either and become text, from
// which CAST reads them. NULL is written as null: what the statement names is in the event.
type rowEncoder struct {
	targets []planner.Target
	top     *member // nil when the payload comes whole, or is empty
	fields  []int   // the columns that are fields
	payload int     // the columns of an event's own values, -1 for none
	kind    int
	origin  int
	key     int
	writer  redex.Origin // of events whose origin is not given
	row     int64        // for messages, from 1
	buf     []byte
}

// member is a name in the payload: of a column's value, or of an object with more.
type member struct {
	name   []byte
	quoted []byte // as JSON, with the colon
	kids   []*member
	column int // -1: an object
}

func newRowEncoder(targets []planner.Target, writer redex.Origin) *rowEncoder {
	e := &rowEncoder{targets: targets, payload: -1, kind: -1, origin: -1, key: -1, writer: writer}
	for i, t := range targets {
		switch t.Role {
		case planner.TargetPayload:
			e.payload = i
		case planner.TargetKind:
			e.kind = i
		case planner.TargetOrigin:
			e.origin = i
		case planner.TargetKey:
			e.key = i
		default:
			if e.top == nil {
				e.top = &member{column: -1}
			}
			at := e.top
			for _, name := range t.Path {
				at = at.kid(name)
			}
			at.column = i
			e.fields = append(e.fields, i)
		}
	}
	return e
}

// kid returns the member of that name, made when there is none.
func (m *member) kid(name string) *member {
	for _, k := range m.kids {
		if string(k.name) == name {
			return k
		}
	}
	k := &member{name: []byte(name), quoted: append(payload.AppendQuoted(nil, []byte(name)), ':'), column: -1}
	m.kids = append(m.kids, k)
	return k
}

// fail is the error of a value.
func (e *rowEncoder) fail(column int, code query.Code, format string, args ...any) error {
	t := e.targets[column]
	return query.Errorf(t.Span, code, "INSERT: %s of row %d: %s", t, e.row, fmt.Sprintf(format, args...))
}

// entry makes the entry of a row. Its slices are valid until the next call.
func (e *rowEncoder) entry(cols []*vector.Vector, i int) (redex.Entry, error) {
	e.row++
	out := redex.Entry{Origin: e.writer}
	if err := e.own(&out, cols, i); err != nil {
		return out, err
	}
	var err error
	e.buf = e.buf[:0]
	if e.payload >= 0 {
		out.Encoding = redex.JSON
		err = e.whole(cols[e.payload], i)
	} else {
		out.Encoding, err = e.object(cols, i)
	}
	out.Payload = e.buf
	if err == nil && len(e.buf) > redex.MaxPayloadBytes {
		err = fmt.Errorf("row %d: %w: %d bytes, at most %d", e.row, redex.ErrTooLarge, len(e.buf), redex.MaxPayloadBytes)
	}
	return out, err
}

// own fills in what is not in the payload.
func (e *rowEncoder) own(out *redex.Entry, cols []*vector.Vector, i int) error {
	if e.kind >= 0 {
		v := cols[e.kind]
		switch c := v.Class(i); {
		case v.Null(i):
		case c == vector.ClassInt && v.Int(i) >= 0 && v.Int(i) <= math.MaxUint32:
			out.Kind = redex.Kind(v.Int(i))
		case c == vector.ClassInt, c == vector.ClassBig:
			return e.fail(e.kind, query.CodeOutOfRange, "a kind goes from 0 to %d", uint32(math.MaxUint32))
		default:
			return e.fail(e.kind, query.CodeType, "a kind is a BIGINT, not %s", c)
		}
	}
	if e.origin >= 0 {
		v := cols[e.origin]
		switch c := v.Class(i); {
		case v.Null(i):
		case c == vector.ClassText:
			n, err := strconv.ParseUint(string(v.Bytes(i)), 16, 64)
			if err != nil || len(v.Bytes(i)) != 16 {
				return e.fail(e.origin, query.CodeBadValue, "an origin is 16 hexadecimal digits")
			}
			out.Origin = redex.Origin(n)
		default:
			return e.fail(e.origin, query.CodeType, "an origin is 16 hexadecimal digits as TEXT, not %s", c)
		}
	}
	if e.key >= 0 {
		v := cols[e.key]
		switch c := v.Class(i); {
		case v.Null(i):
		case c == vector.ClassText, c == vector.ClassBlob:
			out.Key = v.Bytes(i)
			if len(out.Key) > redex.MaxKeyBytes {
				return fmt.Errorf("row %d: %w: key of %d bytes, at most %d", e.row, redex.ErrTooLarge, len(out.Key), redex.MaxKeyBytes)
			}
		default:
			return e.fail(e.key, query.CodeType, "a key is TEXT or BLOB, not %s", c).(*query.Error).WithHint("CAST makes it TEXT")
		}
	}
	return nil
}

// whole takes a payload as it is: a JSON value, or a text of one.
func (e *rowEncoder) whole(v *vector.Vector, i int) error {
	c := v.Class(i)
	switch {
	case v.Null(i) && !v.ExplicitNull(i):
		return e.fail(e.payload, query.CodeBadValue, "a payload is not NULL")
	case c == vector.ClassText && v.Type != vector.JSON:
		e.buf = append(e.buf, v.Bytes(i)...)
	case v.Type == vector.JSON, c == vector.ClassArray, c == vector.ClassObject:
		if e.valueNeedsMsgpack(v, i) {
			return e.fail(e.payload, query.CodeType, "a %s is no JSON", c)
		}
		if err := e.json(e.payload, v, i); err != nil {
			return err
		}
	default:
		return e.fail(e.payload, query.CodeType, "a payload is JSON, not %s", c).(*query.Error).WithHint("CAST makes it JSON")
	}
	if _, err := payload.Check(payload.JSON, e.buf); err != nil {
		return e.fail(e.payload, query.CodeBadValue, "%v", err)
	}
	return nil
}

// object makes the payload of the fields.
func (e *rowEncoder) object(cols []*vector.Vector, i int) (redex.Encoding, error) {
	if e.top == nil {
		e.buf = append(e.buf, "{}"...)
		return redex.JSON, nil
	}
	packed, nested := false, false
	for _, c := range e.fields {
		v := cols[c]
		packed = packed || e.valueNeedsMsgpack(v, i)
		class := v.Class(i)
		nested = nested || (class == vector.ClassArray || class == vector.ClassObject) && len(v.Bytes(i)) >= payload.MaxDepth/2
	}
	encoding, format, err := redex.JSON, payload.JSON, error(nil)
	if packed {
		encoding, format = redex.Msgpack, payload.Msgpack
		err = e.msgpackMember(e.top, cols, i)
	} else {
		err = e.jsonMember(e.top, cols, i)
	}
	if err == nil && nested {
		if _, cerr := payload.Check(format, e.buf); cerr != nil {
			err = e.fail(e.fields[0], query.CodeTooDeep, "%v", cerr)
		}
	}
	return encoding, err
}

// valueNeedsMsgpack reports whether a value has no form in JSON that keeps its type.
func (e *rowEncoder) valueNeedsMsgpack(v *vector.Vector, i int) bool {
	if v.Null(i) {
		return false
	}
	switch v.Class(i) {
	case vector.ClassBlob, vector.ClassTime:
		return true
	case vector.ClassFloat:
		f := v.Float(i)
		return f-f != 0 // NaN or infinite
	}
	return false
}

func (e *rowEncoder) jsonMember(m *member, cols []*vector.Vector, i int) error {
	if m.column >= 0 {
		return e.json(m.column, cols[m.column], i)
	}
	for k, kid := range m.kids {
		sep := byte(',')
		if k == 0 {
			sep = '{'
		}
		e.buf = append(append(e.buf, sep), kid.quoted...)
		if err := e.jsonMember(kid, cols, i); err != nil {
			return err
		}
	}
	e.buf = append(e.buf, '}')
	return nil
}

func (e *rowEncoder) msgpackMember(m *member, cols []*vector.Vector, i int) error {
	if m.column >= 0 {
		return e.msgpack(m.column, cols[m.column], i)
	}
	e.buf = payload.AppendMsgpackObject(e.buf, len(m.kids))
	for _, kid := range m.kids {
		e.buf = payload.AppendMsgpackText(e.buf, kid.name)
		if err := e.msgpackMember(kid, cols, i); err != nil {
			return err
		}
	}
	return nil
}

// json appends a value that JSON has a form for.
func (e *rowEncoder) json(column int, v *vector.Vector, i int) error {
	if v.Null(i) {
		e.buf = append(e.buf, "null"...)
		return nil
	}
	switch c := v.Class(i); c {
	case vector.ClassBool:
		e.buf = strconv.AppendBool(e.buf, v.Bool(i))
	case vector.ClassInt:
		e.buf = strconv.AppendInt(e.buf, v.Int(i), 10)
	case vector.ClassFloat:
		e.buf = num.AppendFloat(e.buf, v.Float(i))
	case vector.ClassBig, vector.ClassArray, vector.ClassObject:
		e.buf = append(e.buf, v.Bytes(i)...)
	default:
		text, err := e.text(column, v, i)
		if err != nil {
			return err
		}
		e.buf = payload.AppendQuoted(e.buf, text)
	}
	return nil
}

// msgpack appends a value as MessagePack.
func (e *rowEncoder) msgpack(column int, v *vector.Vector, i int) error {
	if v.Null(i) {
		e.buf = payload.AppendMsgpackNull(e.buf)
		return nil
	}
	ok := true
	switch c := v.Class(i); c {
	case vector.ClassBool:
		e.buf = payload.AppendMsgpackBool(e.buf, v.Bool(i))
	case vector.ClassInt:
		e.buf = payload.AppendMsgpackInt(e.buf, v.Int(i))
	case vector.ClassFloat:
		f := v.Float(i)
		if f == 0 {
			f = 0 // -0 is 0
		}
		e.buf = payload.AppendMsgpackFloat(e.buf, f)
	case vector.ClassBlob:
		e.buf = payload.AppendMsgpackBlob(e.buf, v.Bytes(i))
	case vector.ClassTime:
		at := len(e.buf)
		e.buf = payload.AppendMsgpackTime(e.buf, v.Int(i))
		if back := payload.Top(payload.Msgpack, e.buf[at:]); back.Class != payload.Time {
			return e.fail(column, query.CodeOutOfRange, "%s is beyond the times that a payload keeps", query.Nanos(v.Int(i)))
		}
	case vector.ClassBig:
		e.buf, ok = payload.AppendMsgpackBig(e.buf, v.Bytes(i))
	case vector.ClassArray, vector.ClassObject:
		x := payload.Top(payload.JSON, v.Bytes(i))
		e.buf, ok = x.AppendMsgpack(e.buf)
	default:
		text, err := e.text(column, v, i)
		if err != nil {
			return err
		}
		e.buf = payload.AppendMsgpackText(e.buf, text)
	}
	if !ok {
		return e.fail(column, query.CodeOutOfRange, "an integer of so many digits needs JSON, which has no form for the bytes, times, NaN or infinities beside it").(*query.Error).
			WithHint("CAST one of them AS TEXT")
	}
	return nil
}

// text returns a text, or what stands for a value that no encoding has a form for.
func (e *rowEncoder) text(column int, v *vector.Vector, i int) ([]byte, error) {
	switch c := v.Class(i); c {
	case vector.ClassText:
		if !utf8.Valid(v.Bytes(i)) {
			return nil, e.fail(column, query.CodeBadValue, "the text is not UTF-8")
		}
		return v.Bytes(i), nil
	case vector.ClassDate:
		return []byte(query.Date(v.Int(i)).String()), nil
	case vector.ClassInterval:
		iv := v.Interval(i)
		return []byte(query.Interval(iv.Months, iv.Days, iv.Nanos).String()), nil
	default:
		return nil, e.fail(column, query.CodeType, "a %s cannot be kept in an event", c)
	}
}
