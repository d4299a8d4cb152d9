package fold

import (
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"github.com/vmihailenco/msgpack/v5"
)

// tableRef is a *Table of any type, inside a state.
type tableRef interface {
	attach(name string) tableCore
	content() tableCore
	adopt(c tableCore)
}

// tableCore is a table's content, of any type.
type tableCore interface {
	tableName() string
	commit()
	rollback()
	frozenForm() tableCore
	view() TableView
	layout() (string, error)
	encode(w *streamWriter) error
	decode(r *recordReader, rows uint64) error
	len() int
}

// tables knows where a state's tables are: the state itself, or the fields of a struct. It is nil for any other state.
type tables[S any] struct {
	fields []int // of the struct; nil when the state is the table
}

// tablesOf returns nil, nil for a state type without tables.
func tablesOf[S any]() (*tables[S], error) {
	var s S
	if _, ok := any(&s).(tableRef); ok {
		return &tables[S]{}, nil
	}
	t := reflect.TypeFor[S]()
	if t.Kind() != reflect.Struct {
		return nil, nil
	}
	b := &tables[S]{fields: []int{}}
	other := ""
	for i := range t.NumField() {
		f := t.Field(i)
		_, isTable := reflect.New(f.Type).Interface().(tableRef)
		switch {
		case !isTable:
			other = f.Name
		case !f.IsExported():
			return nil, fmt.Errorf("%w: state %v: table %s must be an exported field", ErrName, t, f.Name)
		default:
			b.fields = append(b.fields, i)
		}
	}
	switch {
	case len(b.fields) == 0:
		return nil, nil
	case other != "":
		return nil, fmt.Errorf("%w: state %v has tables and other fields (%s): put those into a table", ErrName, t, other)
	}
	return b, nil
}

func (b *tables[S]) refs(s *S) []tableRef {
	if b.fields == nil {
		return []tableRef{any(s).(tableRef)}
	}
	out := make([]tableRef, len(b.fields))
	v := reflect.ValueOf(s).Elem()
	for i, f := range b.fields {
		out[i] = v.Field(f).Addr().Interface().(tableRef)
	}
	return out
}

// attach readies a new state's tables and returns their contents.
func (b *tables[S]) attach(s *S, fold string) ([]tableCore, error) {
	names := map[string]bool{}
	var out []tableCore
	for i, r := range b.refs(s) {
		name := fold
		if b.fields != nil {
			name = snake(reflect.TypeFor[S]().Field(b.fields[i]).Name)
		}
		c := r.attach(name)
		if names[c.tableName()] {
			return nil, fmt.Errorf("%w: %q", ErrDuplicateTable, c.tableName())
		}
		names[c.tableName()] = true
		out = append(out, c)
	}
	return out, nil
}

// freeze returns a state whose tables do not change.
func (b *tables[S]) freeze(live []tableCore) *S {
	s := new(S)
	for i, r := range b.refs(s) {
		r.adopt(live[i].frozenForm())
	}
	return s
}

// snake turns a Go name into a name of SQL: OpenOrders into open_orders.
func snake(s string) string {
	var b strings.Builder
	r := []rune(s)
	for i, c := range r {
		if unicode.IsUpper(c) && i > 0 && (unicode.IsLower(r[i-1]) || i+1 < len(r) && unicode.IsLower(r[i+1]) && unicode.IsUpper(r[i-1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

func kindOf(v any) string { return reflect.TypeOf(v).Kind().String() }

func (c *core[K, V]) tableName() string     { return c.name }
func (c *core[K, V]) frozenForm() tableCore { return c.freeze() }

// layout describes how rows are stored: any change to it makes stored state unreadable, and so rebuilt.
func (c *core[K, V]) layout() (string, error) {
	var b strings.Builder
	var k K
	fmt.Fprintf(&b, "table %s\nkey %s\n", c.name, kindOf(k))
	if c.o.Codec != nil {
		fmt.Fprintf(&b, "codec %s\n", c.o.Codec.Layout())
	} else {
		l, err := layoutOf(reflect.TypeFor[V](), c.o.Derive != nil)
		if err != nil {
			return "", fmt.Errorf("table %s: %w", c.name, err)
		}
		fmt.Fprintf(&b, "row %s\n", l)
	}
	for _, ix := range c.o.Indexes {
		fmt.Fprintf(&b, "index %s\n", ix.layout())
	}
	return b.String(), nil
}

// layoutOf describes a type as MessagePack stores it. Unexported fields are not stored: they are refused, as state would be
// lost, unless derived says that they are computed.
func layoutOf(t reflect.Type, derived bool) (string, error) {
	var b strings.Builder
	err := describe(&b, t, derived, nil)
	return b.String(), err
}

var selfCoded = []reflect.Type{
	reflect.TypeFor[msgpack.CustomEncoder](), reflect.TypeFor[msgpack.Marshaler](),
	reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.TextMarshaler](),
}

func describe(b *strings.Builder, t reflect.Type, derived bool, above []reflect.Type) error {
	for _, s := range selfCoded {
		if t.Implements(s) || reflect.PointerTo(t).Implements(s) {
			fmt.Fprintf(b, "%s.%s", t.PkgPath(), t.Name())
			return nil
		}
	}
	for i, up := range above {
		if up == t {
			fmt.Fprintf(b, "^%d", len(above)-i)
			return nil
		}
	}
	above = append(above, t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		b.WriteString(map[reflect.Kind]string{reflect.Pointer: "*", reflect.Slice: "[]"}[t.Kind()])
		return describe(b, t.Elem(), derived, above)
	case reflect.Array:
		fmt.Fprintf(b, "[%d]", t.Len())
		return describe(b, t.Elem(), derived, above)
	case reflect.Map:
		b.WriteString("map[")
		if err := describe(b, t.Key(), derived, above); err != nil {
			return err
		}
		b.WriteByte(']')
		return describe(b, t.Elem(), derived, above)
	case reflect.Struct:
		b.WriteByte('{')
		for f := range t.Fields() {
			if !f.IsExported() {
				if !derived {
					return fmt.Errorf("%v: field %s is not exported and would not be stored", t, f.Name)
				}
				continue
			}
			fmt.Fprintf(b, "%s %q ", f.Name, f.Tag.Get("msgpack"))
			if err := describe(b, f.Type, derived, above); err != nil {
				return err
			}
			b.WriteByte(';')
		}
		b.WriteByte('}')
		return nil
	case reflect.Chan, reflect.Func, reflect.Interface, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128, reflect.Uintptr, reflect.Invalid:
		return fmt.Errorf("%v cannot be stored", t)
	default:
		b.WriteString(t.Kind().String())
		return nil
	}
}

// view of a frozen core.
func (c *core[K, V]) view() TableView { return &tableView[K, V]{c: c, columns: c.columns()} }

func (c *core[K, V]) columns() []Column[K, V] {
	if c.o.Columns != nil {
		return c.o.Columns
	}
	return autoColumns[K, V]()
}

type tableView[K cmp.Ordered, V any] struct {
	c       *core[K, V]
	columns []Column[K, V]
}

func (v *tableView[K, V]) Name() string { return v.c.name }
func (v *tableView[K, V]) Len() int     { return v.c.len() }

func (v *tableView[K, V]) Columns() []ColumnInfo {
	out := make([]ColumnInfo, len(v.columns))
	for i, col := range v.columns {
		out[i] = ColumnInfo{col.Name, col.Type}
	}
	return out
}

func (v *tableView[K, V]) Rows() Rows { return &rowCursor[K, V]{v: v} }

// rowCursor takes rows from the tree a batch at a time, as the tree has no cursors of its own.
type rowCursor[K cmp.Ordered, V any] struct {
	v     *tableView[K, V]
	batch []*entry[K, V]
	at    int
	done  bool
}

const cursorBatch = 256

func (r *rowCursor[K, V]) Next() bool {
	r.at++
	if r.at < len(r.batch) {
		return true
	}
	if r.done {
		r.batch, r.at = nil, 0
		return false
	}
	c := r.v.c
	var from *pivot[K, uint8]
	if n := len(r.batch); n > 0 {
		from = &pivot[K, uint8]{a: r.batch[n-1].key, side: behind}
	}
	fresh := make([]*entry[K, V], 0, min(cursorBatch, c.len()))
	c.keys.ascend(from, func(kr *keyRow[K]) bool {
		fresh = append(fresh, c.rows.get(kr.p))
		return len(fresh) < cursorBatch
	})
	r.done = len(fresh) < cursorBatch
	r.batch, r.at = fresh, 0
	return len(fresh) > 0
}

func (r *rowCursor[K, V]) Cell(column int) Cell {
	e := r.batch[r.at]
	return r.v.columns[column].Cell(e.key, &e.val)
}
