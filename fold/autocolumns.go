package fold

import (
	"cmp"
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

// autoColumns makes the columns of a table that declares none: "key" and one per exported field of V, or "value".
func autoColumns[K cmp.Ordered, V any]() []Column[K, V] {
	kt, vt := reflect.TypeFor[K](), reflect.TypeFor[V]()
	keyType, keyCell := autoCell(kt)
	out := []Column[K, V]{{Name: "key", Type: keyType, Cell: func(k K, _ *V) Cell { return keyCell(reflect.ValueOf(k)) }}}
	if vt.Kind() != reflect.Struct || vt == reflect.TypeFor[time.Time]() {
		typ, cell := autoCell(vt)
		return append(out, Column[K, V]{Name: "value", Type: typ, Cell: func(_ K, v *V) Cell { return cell(reflect.ValueOf(v).Elem()) }})
	}
	seen := map[string]bool{"key": true}
	for i := range vt.NumField() {
		f := vt.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("msgpack"), ",")
		if name == "" {
			name = snake(f.Name)
		}
		if !f.IsExported() || name == "-" || seen[name] {
			continue
		}
		seen[name] = true
		typ, cell := autoCell(f.Type)
		out = append(out, Column[K, V]{Name: name, Type: typ, Cell: func(_ K, v *V) Cell {
			return cell(reflect.ValueOf(v).Elem().Field(i))
		}})
	}
	return out
}

func autoCell(t reflect.Type) (Type, func(reflect.Value) Cell) {
	if t == reflect.TypeFor[time.Time]() {
		return Time, func(v reflect.Value) Cell {
			at := v.Interface().(time.Time)
			if at.IsZero() {
				return NullCell()
			}
			return IntCell(at.UnixNano())
		}
	}
	switch t.Kind() {
	case reflect.Pointer:
		typ, cell := autoCell(t.Elem())
		return typ, func(v reflect.Value) Cell {
			if v.IsNil() {
				return NullCell()
			}
			return cell(v.Elem())
		}
	case reflect.Bool:
		return Bool, func(v reflect.Value) Cell { return BoolCell(v.Bool()) }
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return Int, func(v reflect.Value) Cell { return IntCell(v.Int()) }
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return Int, func(v reflect.Value) Cell { return IntCell(int64(v.Uint())) }
	case reflect.Uint, reflect.Uint64, reflect.Uintptr:
		// BIGINT has no numbers above 2^63-1: they are NULL, never another number.
		return Int, func(v reflect.Value) Cell {
			if v.Uint() > 1<<63-1 {
				return NullCell()
			}
			return IntCell(int64(v.Uint()))
		}
	case reflect.Float32, reflect.Float64:
		return Float, func(v reflect.Value) Cell { return FloatCell(v.Float()) }
	case reflect.String:
		return Text, func(v reflect.Value) Cell { return TextCell(v.String()) }
	}
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
		return Bytes, func(v reflect.Value) Cell { return TextCell(string(v.Bytes())) }
	}
	return JSON, func(v reflect.Value) Cell {
		b, err := json.Marshal(v.Interface())
		if err != nil {
			return NullCell()
		}
		return TextCell(string(b))
	}
}
