package fold

// Type is the type of a table's column in SQL.
type Type uint8

// The column types and the field of Cell that holds their values.
const (
	Bool  Type = iota + 1 // Cell.Int, 0 or 1
	Int                   // Cell.Int
	Float                 // Cell.Float
	Text                  // Cell.Text, UTF-8
	Bytes                 // Cell.Text, any bytes
	Time                  // Cell.Int, Unix nanoseconds
	JSON                  // Cell.Text, one JSON text
)

// String returns the type's name in SQL.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return typeNames[0]
}

var typeNames = [...]string{"?", "BOOLEAN", "BIGINT", "DOUBLE", "TEXT", "BLOB", "TIMESTAMPTZ", "JSON"}

// ColumnInfo is a column's name and type.
type ColumnInfo struct {
	Name string
	Type Type
}

// Cell is one value of a column. Which field holds it follows from the column's type. The zero Cell is no NULL: see Null.
type Cell struct {
	Null  bool
	Int   int64
	Float float64
	Text  string
}

// TextCell returns a cell of a Text, Bytes or JSON column.
func TextCell(s string) Cell { return Cell{Text: s} }

// IntCell returns a cell of an Int or Time column.
func IntCell(n int64) Cell { return Cell{Int: n} }

// FloatCell returns a cell of a Float column.
func FloatCell(f float64) Cell { return Cell{Float: f} }

// BoolCell returns a cell of a Bool column.
func BoolCell(b bool) Cell {
	if b {
		return Cell{Int: 1}
	}
	return Cell{}
}

// NullCell returns NULL, for a column of any type.
func NullCell() Cell { return Cell{Null: true} }

// Column is a column of a table of type Table[K, V] in SQL.
type Column[K, V any] struct {
	Name string
	Type Type
	// Cell returns the column's value of a row. It must not change or keep v.
	Cell func(k K, v *V) Cell
}

// TableView is a table of a Frozen state for readers that do not know its type. It does not change.
type TableView interface {
	// Name returns the table's name.
	Name() string
	// Columns returns names and types; the slice is shared and must not be changed.
	Columns() []ColumnInfo
	// Len returns the number of rows.
	Len() int
	// Rows returns a cursor on the rows in key order. Each caller needs its own; it needs no closing.
	Rows() Rows
}

// Rows is a cursor on a table's rows, before the first one at the beginning.
type Rows interface {
	// Next moves to the next row and reports whether there is one.
	Next() bool
	// Cell returns a column of the current row, by its place in Columns. The strings stay valid.
	Cell(column int) Cell
}
