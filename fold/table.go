package fold

import (
	"cmp"
	"iter"
)

// Table is a part of a fold's state: rows by key, in key order, with secondary indexes. The zero Table has no indexes and is
// ready to use in a fold; NewTable makes one with options. Only Apply may write to it.
type Table[K cmp.Ordered, V any] struct {
	rows map[K]V
}

// TableOptions describe a table. The zero value is the default of each field.
type TableOptions[K cmp.Ordered, V any] struct {
	// Name is the table's name in SQL. "" means the field's name in lower case, or the fold's when it is the only table.
	Name string
	// Columns are the table's columns in SQL. Nil means "key" and the exported fields of V.
	Columns []Column[K, V]
}

// NewTable makes a table.
func NewTable[K cmp.Ordered, V any](o TableOptions[K, V]) Table[K, V] { return Table[K, V]{} }

// Get returns the row of a key.
func (t *Table[K, V]) Get(k K) (V, bool) { v, ok := t.rows[k]; return v, ok }

// Set sets the row of a key.
func (t *Table[K, V]) Set(k K, v V) {}

// Delete removes the row of a key and reports whether there was one.
func (t *Table[K, V]) Delete(k K) bool { return false }

// Len returns the number of rows.
func (t *Table[K, V]) Len() int { return len(t.rows) }

// All returns the rows in key order.
func (t *Table[K, V]) All() iter.Seq2[K, V] { return nil }
