package query

// Type is a type that SQL can name. Numbers are part of the encoded form.
type Type uint8

// The types.
const (
	TypeNone Type = iota
	TypeBoolean
	TypeBigint
	TypeDouble
	TypeDecimal
	TypeText
	TypeBlob
	TypeTimestamp // TIMESTAMPTZ: nanoseconds, UTC
	TypeDate
	TypeInterval
	TypeJSON
	typeEnd
)

// String is the name that SQL uses for the type.
func (t Type) String() string {
	switch t {
	case TypeBoolean:
		return "BOOLEAN"
	case TypeBigint:
		return "BIGINT"
	case TypeDouble:
		return "DOUBLE"
	case TypeDecimal:
		return "DECIMAL"
	case TypeText:
		return "TEXT"
	case TypeBlob:
		return "BLOB"
	case TypeTimestamp:
		return "TIMESTAMPTZ"
	case TypeDate:
		return "DATE"
	case TypeInterval:
		return "INTERVAL"
	case TypeJSON:
		return "JSON"
	}
	return "NULL"
}

// MaxPrecision is the greatest number of digits of a DECIMAL.
const MaxPrecision = 38

// TypeName is a type as written in CAST. Precision and Scale are 0 unless the
// type is DECIMAL(p, s); DECIMAL alone is DECIMAL(18, 3), as in DuckDB.
type TypeName struct {
	Span
	Type             Type
	Precision, Scale int
}
