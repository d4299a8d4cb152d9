package netdb

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"time"

	"github.com/seed69692123/netdb/query"
)

// Select runs a query and returns its rows as values of T, one after the other; an error is the last pair. Breaking out ends
// the query.
//
// A struct (other than time.Time and those with a Scan method) takes each column in the exported field whose tag
// `netdb:"name"` is the column's name, or else in the one whose name equals it when case and underscores are ignored; a column
// without a field is an error, a field without a column keeps its zero value, the tag "-" hides a field. Any other T takes the
// single column of the result. Values are stored by these rules: numbers only where they fit exactly (a BIGINT also in a
// float), times in time.Time, JSON in strings and bytes as text and in anything else through encoding/json, every type in
// strings as text and in any, NULL in pointers, slices, maps, sql.Null and any; else it is an error.
func Select[T any](ctx context.Context, db *DB, sql string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		rows, err := db.Query(ctx, sql, args...)
		if err != nil {
			yield(zero, err)
			return
		}
		defer rows.Close()
		store, err := storer[T](rows.Columns())
		if err != nil {
			yield(zero, err)
			return
		}
		for rows.Next() {
			var v T
			if err := store(&v, rows.Values(), rows.zone); err != nil {
				yield(zero, doing(fmt.Sprintf("Select into %T", v), err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(zero, err)
		}
	}
}

// storer returns the function that stores a row in a T.
func storer[T any](columns []Column) (func(*T, []query.Value, *time.Location) error, error) {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct || t == timeType || reflect.PointerTo(t).Implements(scannerType) {
		if len(columns) != 1 {
			return nil, fmt.Errorf("netdb: Select into %s: the result has %d columns, not one", t, len(columns))
		}
		return func(dst *T, row []query.Value, zone *time.Location) error {
			if err := assign(dst, row[0], zone); err != nil {
				return fmt.Errorf("column %q: %w", columns[0].Name, err)
			}
			return nil
		}, nil
	}
	fields := map[string][]int{}
	for _, f := range reflect.VisibleFields(t) {
		tag := f.Tag.Get("netdb")
		if !f.IsExported() || tag == "-" || f.Anonymous || throughPointer(t, f.Index) {
			continue
		}
		if tag != "" {
			fields["="+tag] = f.Index
		} else {
			fields[foldName(f.Name)] = f.Index
		}
	}
	index := make([][]int, len(columns))
	for i, c := range columns {
		ix, ok := fields["="+c.Name]
		if !ok {
			ix, ok = fields[foldName(c.Name)]
		}
		if !ok {
			return nil, fmt.Errorf("netdb: Select into %s: no field for column %q", t, c.Name)
		}
		index[i] = ix
	}
	return func(dst *T, row []query.Value, zone *time.Location) error {
		d := reflect.ValueOf(dst).Elem()
		for i, ix := range index {
			if err := assign(d.FieldByIndex(ix).Addr().Interface(), row[i], zone); err != nil {
				return fmt.Errorf("column %q: %w", columns[i].Name, err)
			}
		}
		return nil
	}, nil
}

// throughPointer reports whether a field is reached through an embedded pointer, which may be nil.
func throughPointer(t reflect.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		f := t.Field(i)
		if f.Type.Kind() == reflect.Pointer {
			return true
		}
		t = f.Type
	}
	return false
}

func foldName(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
