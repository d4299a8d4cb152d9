package planner

import (
	"context"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// TableKind says where a table's name was looked up.
type TableKind uint8

// The kinds of table, in the order a bare name is looked up. A name that is two of view, fold and log is ambiguous.
const (
	KindView TableKind = iota
	KindFold
	KindLog
	KindSystem // netdb.logs and its like
)

// String returns the schema that names the kind explicitly: views, folds, logs or netdb.
func (k TableKind) String() string { return [...]string{"views", "folds", "logs", "netdb"}[k] }

// TableName is a table of a Catalog.
type TableName struct {
	Kind TableKind
	Name string // without the schema
}

// Catalog resolves table names at one cut: every Source it returns for one value of Catalog shows the same moment. The
// binder does the rules (order of kinds, ambiguity, case, near names); a Catalog answers by exact name. Implementations are
// safe for concurrent use and are kept until every Source of them is closed by the end of the query.
type Catalog interface {
	// Tables lists all tables, in any order.
	Tables(ctx context.Context) ([]TableName, error)
	// Has reports whether Tables has exactly that one, without listing the others, of which there may be a million.
	Has(ctx context.Context, t TableName) (bool, error)
	// Table returns the source of exactly that table, or nil and no error when there is none.
	Table(ctx context.Context, t TableName) (Source, error)
}

// Role marks a column the planner knows more about.
type Role uint8

// The roles of a column.
const (
	RoleNone Role = iota
	// RoleSeq: a BIGINT, unique, ascending in scan order. Predicates on it become Request.Seq.
	RoleSeq
	// RoleTime: a time that never descends in scan order. Predicates on it become Request.Time.
	RoleTime
	// RolePayload: the JSON column that the dynamic fields are inside of, so that _payload.x is the field x.
	RolePayload
)

// Column is a column that a source has whatever its rows are.
type Column struct {
	Name string
	Type vector.Type
	Role Role
	// InStar: the column is part of `*`. On a log these are _seq and _ts; the dynamic fields follow.
	InStar bool
	// NotNull: it is never NULL.
	NotNull bool
}

// Field is an entry of a field catalogue: a path some row has had.
type Field struct {
	Path []string
	// Type is the type that all values seen at the path have, or vector.Any for several. It informs (.schema, drivers); the
	// scan delivers dynamic fields as vector.Any in any case.
	Type vector.Type
	// Types are the types that values at the path have had, when they are several.
	Types []vector.Type
}

// Catalogue is a source's field catalogue.
type Catalogue struct {
	Fields []Field // in order of first sequence; an object's own path comes before those inside it
	// Open: names not in Fields are accepted and NULL (an empty log, or one over the catalogue's limit).
	Open bool
}

// Range is a part of a source by sequence and time. The zero value is everything.
type Range struct {
	Seq  Interval
	Time Interval // Unix nanoseconds
}

// Interval is the integers of [From, To), or all of them when Bounded is false. To = math.MaxInt64 has no integer above it:
// it includes math.MaxInt64 itself.
type Interval struct {
	From, To int64
	Bounded  bool
}

// All is the interval of all integers.
func All() Interval { return Interval{From: math.MinInt64, To: math.MaxInt64} }

// Bounds returns the interval's ends, math.MinInt64 and math.MaxInt64 when it is not bounded.
func (v Interval) Bounds() (from, to int64) {
	if !v.Bounded {
		return math.MinInt64, math.MaxInt64
	}
	return v.From, v.To
}

// Empty reports whether no integer is in the interval.
func (v Interval) Empty() bool { return v.Bounded && v.From >= v.To && v.To != math.MaxInt64 }

// Contains reports whether x is in the interval.
func (v Interval) Contains(x int64) bool {
	return !v.Bounded || x >= v.From && (x < v.To || v.To == math.MaxInt64)
}

// Intersect returns the integers in both.
func (v Interval) Intersect(w Interval) Interval {
	if !v.Bounded {
		return w
	}
	if !w.Bounded {
		return v
	}
	return Interval{From: max(v.From, w.From), To: min(v.To, w.To), Bounded: true}
}

// Output names one column of a scan's batches: a static column by index, or a dynamic field by path.
type Output struct {
	Column int      // index in Columns(); -1 for a dynamic field
	Path   []string // of a dynamic field, inside the payload
}

// Hint is a predicate Output Op Value. It is not satisfied where the column is NULL or of another class of type than Value.
type Hint struct {
	Output int              // index in Request.Outputs
	Op     vector.CompareOp // Eq, Lt, Le, Gt or Ge
	Value  query.Value      // not NULL
}

// KeyHint is a join of the outputs, that are its key, with what a filter knows.
type KeyHint struct {
	Outputs []int // indexes in Request.Outputs
	Filter  *vector.KeyFilter
}

// Request says what a scan is to deliver.
type Request struct {
	// Outputs are the columns of every batch, in this order. None is fine: batches then carry row counts only.
	Outputs []Output
	Range   Range
	// Where are predicates that every row the query can use satisfies. A source with statistics or indexes may leave out
	// rows that do not; it need not, the planner looks at each row again.
	Where []Hint
	// Matches are predicates of the same kind for which indexes have the rows.
	Matches []Match
	// Keys are joins whose rows without a partner the query cannot use. A source may leave those out, as with Where.
	Keys []KeyHint
	// Reverse delivers rows in descending order of scan.
	Reverse bool
	// Limit is the number of rows the query can use, 0 for all. A scan may stop after as many and need not.
	Limit int64
	// BatchRows is the greatest number of rows in a batch, at least 1. 0 means 2,048.
	BatchRows int
	// Threads is the number of goroutines the scan may use, at least 1. Rows come in order whatever it is.
	Threads int
	// Columns says whether rows are read by column.
	Columns ColumnUse
	// Within is the range of the scan that this one is a part of; the zero value is Range.
	Within Range
	// Once says that the query's answer is the same however often each row comes, if it comes where it first came: a source may leave out
	// rows that are equal to an earlier one in all outputs.
	Once bool
	// Hold, when set, is told how many bytes the scan holds now beside its batches, and refuses more than the query may.
	Hold func(bytes int64) error
}

// ColumnUse says whether the rows of a log are read by column. Answers do not depend on it.
type ColumnUse uint8

// The uses of columns.
const (
	// ColumnsAuto: columns are read where there are any, and made of rows when a scan wants enough of them.
	ColumnsAuto ColumnUse = iota
	// ColumnsNever: rows are read.
	ColumnsNever
	// ColumnsAlways: columns are made of all rows a scan wants, however few.
	ColumnsAlways
)

// Estimate is what a source knows about its rows without reading them.
type Estimate struct {
	Rows  int64
	Exact bool // Rows is the number of rows a scan of the range delivers
}

// Iterator is a scan in progress, used by one goroutine.
type Iterator interface {
	// Next returns the next batch, or nil at the end. The batch and its vectors are valid until the next call of Next or
	// Close, and the caller may set its selection. It returns soon after ctx is cancelled, with the context's error.
	Next(ctx context.Context) (*vector.Batch, error)
	// Close ends the scan and its goroutines, and waits for them. It may be called twice and before the end.
	Close() error
}

// ScanStats is what an Iterator may count for EXPLAIN ANALYZE.
type ScanStats struct {
	RowsRead    int64 // rows looked at
	BytesRead   int64
	RowsSkipped int64 // rows excluded without reading them
	// Chunks is how many chunks of columns the range has, ChunksPruned those of them that statistics exclude as a whole.
	Chunks, ChunksPruned int64
	// RowsKeyed is how many rows that were looked at the keys of joins excluded, ChunksKeyed how many chunks without looking.
	RowsKeyed, ChunksKeyed int64
}

// StatsIterator is an Iterator that counts. ScanStats may be called after the end.
type StatsIterator interface {
	Iterator
	ScanStats() ScanStats
}

// Source is a table at one cut. It is safe for concurrent use; two scans of it see the same rows.
type Source interface {
	// Title names the table as EXPLAIN shows it, such as LogScan "app/log".
	Title() string
	// Columns are the static columns.
	Columns() []Column
	// Fields returns the field catalogue; a source without dynamic fields returns the zero Catalogue. With complete set,
	// rows that the catalogue has not yet taken in are walked first; the binder asks for it once before it calls a name
	// unknown. The result must not be changed.
	Fields(ctx context.Context, complete bool) (Catalogue, error)
	// Estimate returns the number of rows in a range. It must be cheap: bounds and indexes, no scan.
	Estimate(ctx context.Context, r Range) (Estimate, error)
	// Scan starts a scan. Rows come in the source's order (ascending RoleSeq where there is one), in reverse on demand.
	Scan(ctx context.Context, r Request) (Iterator, error)
}

// Positioned is a Source that can say which state it shows, such as a fold's watermark.
type Positioned interface {
	Source
	// Position returns the position in its text form.
	Position() string
}

// PathText returns a path as SQL would write it: parts that are plain names bare, others and reserved words quoted, joined by dots.
func PathText(path []string) string {
	var b strings.Builder
	for i, p := range path {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(quoteName(p))
	}
	return b.String()
}

func quoteName(s string) string {
	plain := s != ""
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || i > 0 && c >= '0' && c <= '9' {
			continue
		}
		plain = false
		break
	}
	if plain && !query.IsReserved(s) {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// clipAt is the most bytes of a name that a message shows.
const clipAt = 200

// clip shortens a name for a message.
func clip(s string) string {
	if len(s) <= clipAt {
		return s
	}
	cut := clipAt
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
