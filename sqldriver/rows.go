package sqldriver

import (
	"database/sql"
	"database/sql/driver"
	"io"
	"math"
	"reflect"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/query"
)

// rows is a driver.Rows.
type rows struct {
	conn  *Conn
	r     *netdb.Rows
	names []string
}

var (
	_ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
	_ driver.RowsColumnTypeScanType         = (*rows)(nil)
	_ driver.RowsColumnTypeNullable         = (*rows)(nil)
	_ driver.RowsColumnTypeLength           = (*rows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*rows)(nil)
)

func newRows(c *Conn, r *netdb.Rows) *rows {
	out := &rows{conn: c, r: r, names: make([]string, len(r.Columns()))}
	for i, col := range r.Columns() {
		out.names[i] = col.Name
	}
	return out
}

// Columns implements driver.Rows.
func (r *rows) Columns() []string { return r.names }

// Close implements driver.Rows.
func (r *rows) Close() error { return r.r.Close() }

// Next implements driver.Rows.
func (r *rows) Next(dest []driver.Value) error {
	if !r.r.Next() {
		if err := r.conn.note(nil, r.r.Err()); err != nil {
			return err
		}
		return io.EOF
	}
	for i, v := range r.r.Values() {
		dest[i] = r.value(v)
	}
	return nil
}

// value returns a value as one of those that database/sql knows.
func (r *rows) value(v query.Value) driver.Value {
	switch v.Kind() {
	case query.KindNull:
		return nil
	case query.KindBool:
		return v.Bool()
	case query.KindInt:
		return v.Int()
	case query.KindDouble:
		return v.Double()
	case query.KindBlob:
		return v.Bytes()
	case query.KindTime:
		return v.Time().In(r.r.Zone())
	case query.KindDate: // midnight in another zone may be another day
		return v.Time()
	case query.KindJSON:
		return []byte(v.Text())
	case query.KindText, query.KindBig, query.KindDecimal:
		return v.Text()
	}
	return v.String()
}

// ColumnTypeDatabaseTypeName implements driver.RowsColumnTypeDatabaseTypeName: the SQL type.
func (r *rows) ColumnTypeDatabaseTypeName(i int) string { return r.r.Columns()[i].Type }

var scanTypes = map[string]reflect.Type{
	"BOOLEAN": reflect.TypeFor[sql.NullBool](), "BIGINT": reflect.TypeFor[sql.NullInt64](), "DOUBLE": reflect.TypeFor[sql.NullFloat64](),
	"TEXT": reflect.TypeFor[sql.NullString](), "INTERVAL": reflect.TypeFor[sql.NullString](),
	"TIMESTAMPTZ": reflect.TypeFor[sql.NullTime](), "DATE": reflect.TypeFor[sql.NullTime](),
	"BLOB": reflect.TypeFor[[]byte](), "JSON": reflect.TypeFor[[]byte](),
}

// ColumnTypeScanType implements driver.RowsColumnTypeScanType: types that take NULL, since every column may be that.
func (r *rows) ColumnTypeScanType(i int) reflect.Type {
	if t := scanTypes[r.r.Columns()[i].Type]; t != nil {
		return t
	}
	return reflect.TypeFor[any]()
}

// ColumnTypeNullable implements driver.RowsColumnTypeNullable. Every column may be NULL as far as is known here: no field has to be
// in an event.
func (r *rows) ColumnTypeNullable(int) (nullable, ok bool) { return true, true }

// ColumnTypeLength implements driver.RowsColumnTypeLength: texts and the like have no limit of their own.
func (r *rows) ColumnTypeLength(i int) (length int64, ok bool) {
	switch r.r.Columns()[i].Type {
	case "TEXT", "BLOB", "JSON":
		return math.MaxInt64, true
	}
	return 0, false
}

// ColumnTypePrecisionScale implements driver.RowsColumnTypePrecisionScale. Only a DECIMAL has both.
func (r *rows) ColumnTypePrecisionScale(int) (precision, scale int64, ok bool) { return 0, 0, false }
