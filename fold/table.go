package fold

import (
	"cmp"
	"iter"
)

// Table is a part of a fold's state: rows by key, in key order, with secondary indexes. The zero Table has no indexes and is
// ready to use; NewTable makes one with options. A Table must not be copied.
//
// In Apply, a table may be read and written, and reads see what the event has written. In a Snapshot it can only be read, by
// any number of goroutines; a write to it panics. Rows are values: what a row points to (a slice, a map) must not be changed
// once the row is in the table; Set a new row instead.
type Table[K cmp.Ordered, V any] struct {
	c *core[K, V]
}

// TableOptions describe a table. The zero value is the default of each field.
type TableOptions[K cmp.Ordered, V any] struct {
	// Name is the table's name in SQL. "" means the field's name in snake case, or the fold's name when the table is the state.
	Name string
	// Indexes are the table's secondary indexes. Their functions must depend on nothing but their arguments.
	Indexes []Index[K, V]
	// Derive, when not nil, fills fields that are not stored, from those that are: on every Set and when state is loaded.
	Derive func(k K, v *V)
	// Columns are the table's columns in SQL. Nil means "key" and the exported fields of V, or "key" and "value".
	Columns []Column[K, V]
	// Codec writes rows to checkpoints. Nil means MessagePack of the exported fields.
	Codec Codec[V]
}

// Codec writes and reads the rows of a table. It is used by several goroutines at once.
type Codec[V any] interface {
	// Append appends v's bytes to b.
	Append(b []byte, v *V) ([]byte, error)
	// Decode reads what Append wrote. It must not keep b, nor trust it.
	Decode(b []byte, v *V) error
	// Layout names the format: it must change when the format or its meaning changes.
	Layout() string
}

// NewTable makes a table.
func NewTable[K cmp.Ordered, V any](o TableOptions[K, V]) Table[K, V] {
	return Table[K, V]{newCore(&o)}
}

// Get returns the row of a key, and whether there is one.
func (t *Table[K, V]) Get(k K) (V, bool) {
	if t.c != nil {
		if e := t.c.get(k); e != nil {
			return e.val, true
		}
	}
	var zero V
	return zero, false
}

// Has reports whether there is a row of that key.
func (t *Table[K, V]) Has(k K) bool { return t.c != nil && t.c.has(k) }

// Set sets the row of a key.
func (t *Table[K, V]) Set(k K, v V) { t.live().set(k, v) }

// Delete removes the row of a key and reports whether there was one.
func (t *Table[K, V]) Delete(k K) bool { return t.live().delete(k) }

// Len returns the number of rows.
func (t *Table[K, V]) Len() int {
	if t.c == nil {
		return 0
	}
	return t.c.len()
}

// All returns the rows in key order. In Apply it returns them as they were at the call; writing meanwhile is allowed.
func (t *Table[K, V]) All() iter.Seq2[K, V] { return Query[K, V]{Limit: NoLimit}.In(t) }

// Backward returns the rows in descending key order, otherwise as All.
func (t *Table[K, V]) Backward() iter.Seq2[K, V] {
	return Query[K, V]{Desc: true, Limit: NoLimit}.In(t)
}

func (t *Table[K, V]) live() *core[K, V] {
	if t.c == nil {
		t.c = newCore(&TableOptions[K, V]{})
	}
	if t.c.frozen {
		panic("fold: write to a table of a snapshot")
	}
	return t.c
}

// fixed returns the table's content as something that does not change.
func (t *Table[K, V]) fixed() *core[K, V] { return t.live0().freeze() }

func (t *Table[K, V]) live0() *core[K, V] {
	if t.c == nil {
		return newCore(&TableOptions[K, V]{})
	}
	return t.c
}

// attach gives the table a content, if it has none yet, and a name, if it has none of its own.
func (t *Table[K, V]) attach(name string) tableCore {
	if t.c == nil {
		t.c = newCore(&TableOptions[K, V]{})
	}
	if t.c.name == "" {
		t.c.name = name
	}
	return t.c
}

func (t *Table[K, V]) content() tableCore { return t.c }

func (t *Table[K, V]) adopt(c tableCore) { t.c = c.(*core[K, V]) }

// keyRows is the primary tree: numbers of rows by key.
type keyRows[K cmp.Ordered] = tree[K, uint8, uint32]

type keyRow[K cmp.Ordered] = item[K, uint8, uint32]

type entry[K cmp.Ordered, V any] struct {
	key K
	val V
}

// core is a table's content. Every row has a number; the primary tree maps keys to numbers, the row map numbers to entries,
// and bitmap indexes hold numbers. Entries are never changed. What a frozen core shares with the live one is copied by the
// live one before it changes it.
type core[K cmp.Ordered, V any] struct {
	o       *TableOptions[K, V]
	name    string
	keys    keyRows[K]
	rows    rowMap[K, V]
	indexes []indexCore[K, V]
	next    uint32   // the lowest row number never used
	free    []uint32 // row numbers below next that are not in use

	frozen bool
	last   *core[K, V] // the newest frozen form; nil when something changed since

	// Of the current event.
	undo         []undo[K, V]
	taken, freed []uint32
}

type undo[K cmp.Ordered, V any] struct {
	key K
	row uint32
	old *entry[K, V] // nil: the key had no row
}

func newCore[K cmp.Ordered, V any](o *TableOptions[K, V]) *core[K, V] {
	c := &core[K, V]{o: o, name: o.Name}
	for _, ix := range o.Indexes {
		c.indexes = append(c.indexes, ix.make())
	}
	return c
}

func (c *core[K, V]) get(k K) *entry[K, V] {
	if row, ok := c.keys.get(k, 0); ok {
		return c.rows.get(row)
	}
	return nil
}

func (c *core[K, V]) has(k K) bool {
	_, ok := c.keys.get(k, 0)
	return ok
}

func (c *core[K, V]) set(k K, v V) {
	e := &entry[K, V]{k, v}
	if c.o.Derive != nil {
		c.o.Derive(k, &e.val)
	}
	row, ok := c.keys.get(k, 0)
	if ok {
		c.replace(k, row, c.rows.get(row), e)
		return
	}
	row = c.next
	if n := len(c.free); n > 0 {
		row = c.free[n-1]
	}
	c.replace(k, row, nil, e)
	// The number is taken only now: an index function may panic before anything has changed.
	if n := len(c.free); n > 0 {
		c.free = c.free[:n-1]
	} else {
		c.next++
	}
	c.taken = append(c.taken, row)
}

func (c *core[K, V]) delete(k K) bool {
	row, ok := c.keys.get(k, 0)
	if !ok {
		return false
	}
	c.replace(k, row, c.rows.get(row), nil)
	c.freed = append(c.freed, row)
	return true
}

// replace makes e the entry of a row, instead of old; either may be nil. User code runs before the first change.
func (c *core[K, V]) replace(k K, row uint32, old, e *entry[K, V]) {
	for _, ix := range c.indexes {
		ix.prepare(k, old, e)
	}
	c.undo = append(c.undo, undo[K, V]{k, row, old})
	c.install(k, row, old, e)
}

func (c *core[K, V]) install(k K, row uint32, old, e *entry[K, V]) {
	c.last = nil
	switch {
	case e == nil:
		c.keys.delete(k, 0)
	case old == nil:
		c.keys.set(k, 0, row)
	}
	c.rows.set(row, e)
	for _, ix := range c.indexes {
		ix.apply(k, row)
	}
}

// commit makes the event's changes final.
func (c *core[K, V]) commit() {
	if len(c.undo) == 0 {
		return
	}
	c.free = append(c.free, c.freed...)
	c.reset()
}

// rollback undoes the event's changes.
func (c *core[K, V]) rollback() {
	for i := len(c.undo) - 1; i >= 0; i-- {
		u := c.undo[i]
		cur := c.get(u.key)
		for _, ix := range c.indexes {
			ix.prepare(u.key, cur, u.old)
		}
		c.install(u.key, u.row, cur, u.old)
	}
	c.free = append(c.free, c.taken...)
	c.reset()
}

func (c *core[K, V]) reset() {
	const keep = 1024
	if cap(c.undo) > keep {
		c.undo, c.taken, c.freed = nil, nil, nil
		return
	}
	clear(c.undo)
	c.undo, c.taken, c.freed = c.undo[:0], c.taken[:0], c.freed[:0]
}

// freeze returns the present content as a core that does not change, in time independent of the number of rows.
func (c *core[K, V]) freeze() *core[K, V] {
	if c.frozen {
		return c
	}
	if c.last == nil {
		f := &core[K, V]{o: c.o, name: c.name, keys: c.keys.freeze(), rows: c.rows.freeze(), frozen: true}
		f.indexes = make([]indexCore[K, V], len(c.indexes))
		for i, ix := range c.indexes {
			f.indexes[i] = ix.freeze()
		}
		c.last = f
	}
	return c.last
}

func (c *core[K, V]) index(ix Index[K, V]) indexCore[K, V] {
	for i, have := range c.o.Indexes {
		if have == ix {
			return c.indexes[i]
		}
	}
	panic("fold: index " + ix.indexName() + " is not one of table " + c.name)
}
