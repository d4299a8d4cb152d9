package sql

// kw is a keyword; 0 is none. Most keywords are reserved only where the grammar
// needs them: see query.IsReserved.
type kw uint8

const (
	kwNone kw = iota
	kwAll
	kwAlter
	kwAnalyze
	kwAnd
	kwAnti
	kwAny
	kwArray
	kwAs
	kwAsc
	kwAsof
	kwAt
	kwBegin
	kwBetween
	kwBigint
	kwBlob
	kwBoolean
	kwBoth
	kwBy
	kwCase
	kwCast
	kwCollate
	kwColumns
	kwCommit
	kwCreate
	kwCross
	kwCube
	kwCurrent
	kwCurrentDate
	kwCurrentTimestamp
	kwDate
	kwDecimal
	kwDelete
	kwDesc
	kwDescribe
	kwDistinct
	kwDouble
	kwDrop
	kwElse
	kwEnd
	kwEscape
	kwExcept
	kwExclude
	kwExists
	kwExplain
	kwExtract
	kwFalse
	kwFetch
	kwFilter
	kwFirst
	kwFolds
	kwFollowing
	kwFor
	kwFormat
	kwFrom
	kwFull
	kwGroup
	kwGrouping
	kwGroups
	kwHaving
	kwIf
	kwIlike
	kwIn
	kwIndex
	kwInner
	kwInsert
	kwIntersect
	kwInterval
	kwInto
	kwIs
	kwJoin
	kwJson
	kwLast
	kwLateral
	kwLeading
	kwLeft
	kwLike
	kwLimit
	kwLogs
	kwMaterialized
	kwMerge
	kwNatural
	kwNext
	kwNo
	kwNot
	kwNull
	kwNulls
	kwOf
	kwOffset
	kwOn
	kwOnly
	kwOr
	kwOrder
	kwOthers
	kwOuter
	kwOver
	kwPartition
	kwPosition
	kwPreceding
	kwPrecision
	kwQualify
	kwRange
	kwRecursive
	kwReplace
	kwReturning
	kwRight
	kwRollback
	kwRollup
	kwRow
	kwRows
	kwSelect
	kwSemi
	kwSeq
	kwSet
	kwSets
	kwShow
	kwSimilar
	kwSnapshot
	kwSome
	kwStart
	kwSubscribe
	kwSubstring
	kwSummarize
	kwTables
	kwText
	kwThen
	kwTies
	kwTime
	kwTimestamp
	kwTimestamptz
	kwTo
	kwTrailing
	kwTrim
	kwTrue
	kwTruncate
	kwTryCast
	kwUnbounded
	kwUnion
	kwUnknown
	kwUpdate
	kwUsing
	kwValues
	kwVarying
	kwView
	kwWhen
	kwWhere
	kwWindow
	kwWith
	kwWithin
	kwWithout
	kwZone
)

// kwNames are the keywords, in order.
var kwNames = [...]string{
	"", "ALL", "ALTER", "ANALYZE", "AND", "ANTI", "ANY", "ARRAY", "AS", "ASC", "ASOF", "AT", "BEGIN", "BETWEEN",
	"BIGINT", "BLOB", "BOOLEAN", "BOTH", "BY", "CASE", "CAST", "COLLATE", "COLUMNS", "COMMIT", "CREATE", "CROSS", "CUBE",
	"CURRENT", "CURRENT_DATE", "CURRENT_TIMESTAMP", "DATE", "DECIMAL", "DELETE", "DESC", "DESCRIBE", "DISTINCT",
	"DOUBLE", "DROP", "ELSE", "END", "ESCAPE", "EXCEPT", "EXCLUDE", "EXISTS", "EXPLAIN", "EXTRACT", "FALSE", "FETCH",
	"FILTER", "FIRST", "FOLDS", "FOLLOWING", "FOR", "FORMAT", "FROM", "FULL", "GROUP", "GROUPING", "GROUPS", "HAVING", "IF",
	"ILIKE", "IN", "INDEX", "INNER", "INSERT", "INTERSECT", "INTERVAL", "INTO", "IS", "JOIN", "JSON", "LAST", "LATERAL",
	"LEADING", "LEFT", "LIKE", "LIMIT", "LOGS", "MATERIALIZED", "MERGE", "NATURAL", "NEXT", "NO", "NOT", "NULL",
	"NULLS", "OF", "OFFSET", "ON", "ONLY", "OR", "ORDER", "OTHERS", "OUTER", "OVER", "PARTITION", "POSITION",
	"PRECEDING", "PRECISION", "QUALIFY", "RANGE", "RECURSIVE", "REPLACE", "RETURNING", "RIGHT", "ROLLBACK", "ROLLUP", "ROW",
	"ROWS", "SELECT", "SEMI", "SEQ", "SET", "SETS", "SHOW", "SIMILAR", "SNAPSHOT", "SOME", "START", "SUBSCRIBE",
	"SUBSTRING", "SUMMARIZE", "TABLES", "TEXT", "THEN", "TIES", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "TO", "TRAILING", "TRIM", "TRUE",
	"TRUNCATE", "TRY_CAST", "UNBOUNDED", "UNION", "UNKNOWN", "UPDATE", "USING", "VALUES", "VARYING", "VIEW", "WHEN", "WHERE",
	"WINDOW", "WITH", "WITHIN", "WITHOUT", "ZONE",
}

// reserved marks the keywords that cannot be names: those of query.IsReserved.
var reserved = [...]bool{
	kwAll: true, kwAnd: true, kwAny: true, kwArray: true, kwAs: true, kwBetween: true, kwCase: true, kwCast: true,
	kwCross: true, kwDistinct: true, kwElse: true, kwEnd: true, kwExcept: true, kwExists: true, kwFalse: true,
	kwFetch: true, kwFrom: true, kwFull: true, kwGroup: true, kwHaving: true, kwIlike: true, kwIn: true, kwInner: true,
	kwIntersect: true, kwIs: true, kwJoin: true, kwLateral: true, kwLeft: true, kwLike: true, kwLimit: true,
	kwNatural: true, kwNot: true, kwNull: true, kwOffset: true, kwOn: true, kwOr: true, kwOrder: true, kwOuter: true,
	kwQualify: true, kwReturning: true, kwRight: true, kwSelect: true, kwSome: true, kwThen: true, kwTrue: true,
	kwTryCast: true, kwUnion: true, kwUsing: true, kwWhen: true, kwWhere: true, kwWindow: true, kwWith: true,
}

func (k kw) isReserved() bool { return int(k) < len(reserved) && reserved[k] }

func (k kw) String() string { return kwNames[k] }

// maxKeyword is the length of the longest keyword.
const maxKeyword = 17

// lookup finds the keyword that s is, in any case.
func lookup(s string) kw {
	if len(s) < 2 || len(s) > maxKeyword {
		return kwNone
	}
	var up [maxKeyword]byte
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		up[i] = c
	}
	word := up[:len(s)]
	lo, hi := 1, len(kwNames)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if kwNames[mid] < string(word) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(kwNames) && kwNames[lo] == string(word) {
		return kw(lo)
	}
	return kwNone
}

// Keywords returns every word that the grammar knows, in capitals and in order,
// for highlighting and completion.
func Keywords() []string { return append([]string(nil), kwNames[1:]...) }
