package netdb

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/seed69692123/netdb/query"
)

// anyOf returns a value in its Go form: nil, bool, int64, float64, string, []byte, time.Time (in zone; midnight in UTC of a date), json.RawMessage; a
// string of digits for integers beyond int64 and the SQL text of an interval.
func anyOf(v query.Value, zone *time.Location) any {
	switch v.Kind() {
	case query.KindNull:
		return nil
	case query.KindBool:
		return v.Bool()
	case query.KindInt:
		return v.Int()
	case query.KindDouble:
		return v.Double()
	case query.KindText, query.KindBig, query.KindDecimal:
		return v.Text()
	case query.KindBlob:
		return v.Bytes()
	case query.KindTime:
		return v.Time().In(zone)
	case query.KindDate: // midnight in another zone may be another day
		return v.Time()
	case query.KindJSON:
		return json.RawMessage(v.Text())
	}
	return textOf(v, zone)
}

// assign stores v in what dest points to. NULL clears pointers, slices and any, is handled by sql.Scanner, and is an error for
// other kinds. Nothing is rounded or cut: a number that does not fit is an error. A JSON value goes into a string or []byte as
// text, and into any other kind through encoding/json.
func assign(dest any, v query.Value, zone *time.Location) error {
	switch d := dest.(type) {
	case *any:
		*d = anyOf(v, zone)
		return nil
	case *query.Value:
		*d = v
		return nil
	case *json.RawMessage:
		*d = nil
		if v.Kind() != query.KindNull {
			*d = jsonOf(v, zone)
		}
		return nil
	case sql.Scanner:
		a := anyOf(v, zone)
		if raw, ok := a.(json.RawMessage); ok {
			a = []byte(raw)
		}
		return d.Scan(a)
	}
	p := reflect.ValueOf(dest)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("destination %T is not a pointer to a value", dest)
	}
	return assignValue(p.Elem(), v, zone)
}

var (
	timeType    = reflect.TypeFor[time.Time]()
	scannerType = reflect.TypeFor[sql.Scanner]()
)

func assignValue(d reflect.Value, v query.Value, zone *time.Location) error {
	if d.CanAddr() && d.Addr().Type().Implements(scannerType) {
		return assign(d.Addr().Interface(), v, zone)
	}
	if v.Kind() == query.KindNull {
		switch d.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
			d.SetZero()
			return nil
		}
		return fmt.Errorf("NULL into %s: use a pointer, sql.Null or any", d.Type())
	}
	mismatch := func() error { return fmt.Errorf("%s %s into %s", v.Kind().Type(), textOf(v, zone), d.Type()) }
	if d.Type() == timeType {
		if v.Kind() != query.KindTime && v.Kind() != query.KindDate {
			return mismatch()
		}
		t := v.Time()
		if v.Kind() == query.KindTime {
			t = t.In(zone)
		}
		d.Set(reflect.ValueOf(t))
		return nil
	}
	switch d.Kind() {
	case reflect.Pointer:
		d.Set(reflect.New(d.Type().Elem()))
		return assignValue(d.Elem(), v, zone)
	case reflect.Interface:
		if d.NumMethod() == 0 {
			d.Set(reflect.ValueOf(anyOf(v, zone)))
			return nil
		}
		return mismatch()
	case reflect.Bool:
		if v.Kind() != query.KindBool {
			return mismatch()
		}
		d.SetBool(v.Bool())
		return nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, ok := wholeNumber(v)
		if !ok || d.OverflowInt(n) {
			return mismatch()
		}
		d.SetInt(n)
		return nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		n, ok := wholeNumber(v)
		if !ok || n < 0 || d.OverflowUint(uint64(n)) {
			return mismatch()
		}
		d.SetUint(uint64(n))
		return nil
	case reflect.Float32, reflect.Float64:
		switch v.Kind() {
		case query.KindInt:
			d.SetFloat(float64(v.Int()))
		case query.KindDouble:
			d.SetFloat(v.Double())
		default:
			return mismatch()
		}
		return nil
	case reflect.String:
		if v.Kind() == query.KindBlob {
			d.SetString(string(v.Bytes()))
		} else {
			d.SetString(textOf(v, zone))
		}
		return nil
	case reflect.Slice:
		if d.Type().Elem().Kind() == reflect.Uint8 {
			if v.Kind() == query.KindBlob {
				d.SetBytes(v.Bytes())
			} else {
				d.SetBytes([]byte(textOf(v, zone)))
			}
			return nil
		}
	}
	if v.Kind() == query.KindJSON {
		return json.Unmarshal([]byte(v.Text()), d.Addr().Interface())
	}
	return mismatch()
}

// textOf returns a value as text, times in zone.
func textOf(v query.Value, zone *time.Location) string { return string(v.AppendText(nil, zone)) }

// jsonOf returns a value as JSON text: numbers and booleans as such, doubles that JSON has no form for as null, anything else
// as a string.
func jsonOf(v query.Value, zone *time.Location) json.RawMessage {
	switch v.Kind() {
	case query.KindNull:
		return json.RawMessage("null")
	case query.KindJSON, query.KindBool, query.KindInt, query.KindBig, query.KindDecimal:
		return json.RawMessage(textOf(v, zone))
	case query.KindDouble:
		if f := v.Double(); math.IsNaN(f) || math.IsInf(f, 0) {
			return json.RawMessage("null")
		}
		return json.RawMessage(textOf(v, zone))
	}
	b, err := json.Marshal(textOf(v, zone))
	if err != nil {
		panic("netdb: a string has no JSON form: " + err.Error())
	}
	return b
}

// wholeNumber returns v as an int64 if it is exactly one.
func wholeNumber(v query.Value) (int64, bool) {
	switch v.Kind() {
	case query.KindInt:
		return v.Int(), true
	case query.KindDouble:
		if f := v.Double(); f == math.Trunc(f) && f >= -1<<63 && f < 1<<63 {
			return int64(f), true
		}
	}
	return 0, false
}

// valueOf returns a Go argument of a query as a value.
func valueOf(a any) (query.Value, error) {
	switch x := a.(type) {
	case nil:
		return query.Null(), nil
	case query.Value:
		return x, nil
	case time.Time:
		ns := x.UnixNano() // wraps beyond the years 1678 to 2262
		if !time.Unix(0, ns).Equal(x) {
			return query.Value{}, fmt.Errorf("time %s is beyond what nanoseconds reach", x)
		}
		return query.Nanos(ns), nil
	case time.Duration:
		return query.Interval(0, 0, int64(x)), nil
	case json.RawMessage:
		if !json.Valid(x) || !utf8.Valid(x) {
			return query.Value{}, fmt.Errorf("json.RawMessage is not well-formed JSON")
		}
		return query.JSON(string(x)), nil
	case []byte:
		if x == nil {
			return query.Null(), nil
		}
		return query.Blob(x), nil
	}
	r := reflect.ValueOf(a)
	switch r.Kind() {
	case reflect.Bool:
		return query.Bool(r.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return query.Int(r.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if u := r.Uint(); u > math.MaxInt64 {
			v, _ := query.ParseInteger(strconv.FormatUint(u, 10))
			return v, nil
		}
		return query.Int(int64(r.Uint())), nil
	case reflect.Float32, reflect.Float64:
		return query.Double(r.Float()), nil
	case reflect.String:
		if !utf8.ValidString(r.String()) {
			return query.Value{}, fmt.Errorf("%s is not UTF-8: pass bytes as []byte", r.Type())
		}
		return query.Text(r.String()), nil
	case reflect.Pointer:
		if r.IsNil() {
			return query.Null(), nil
		}
		return valueOf(r.Elem().Interface())
	}
	return query.Value{}, fmt.Errorf("argument of type %T has no SQL type", a)
}
