package query

// The encoded form is msgpack, each value in its shortest form, so that equal
// trees have equal bytes:
//
//	statement  [version, node]
//	node       [tag, field, …], the fields in the order of the node's method
//	           fields; nil where a node is absent
//	list       [entry, …]
//	name       "a"; ["a"] for a quoted one; nil for none
//	value      [kind, …]: [0] NULL, [1, bool], [2, int], [3, digits],
//	           [4, float64], [5, digits, scale], [6, text], [7, bytes],
//	           [8, nanoseconds], [9, days], [10, months, days, nanoseconds],
//	           [11, json]
//
// Spans are left out. A change of a node's fields makes a new version.

// Version is the version of the encoded form that Encode writes.
const Version = 1

// Limits of Decode.
const (
	maxDecodeDepth = 6000    // nodes above one another: more than the parser makes
	maxDecodeNodes = 1 << 22 // nodes in all
)

// tag names a kind of node in the encoded form. Numbers are never reused.
type tag uint8

const (
	tagLiteral tag = iota + 1
	tagParam
	tagName
	tagStar
	tagUnary
	tagBinary
	tagIs
	tagLike
	tagIn
	tagBetween
	tagCase
	tagWhen
	tagCast
	tagTypeName
	tagCall
	tagNamedArg
	tagExists
	tagSubquery
	tagQuantified
	tagTuple
	tagArray
	tagIndex
	tagField
	tagWindow
	tagFrame
	tagQuery
	tagWith
	tagCTE
	tagBlock
	tagItem
	tagNamedWindow
	tagSetOp
	tagValuesList
	tagOrder
	tagAsOf
	tagAlias
	tagTableName
	tagTableFunc
	tagTableQuery
	tagJoin
	tagExplain
	tagInsert
	tagSubscribe
	tagDescribe
	tagShow
	tagSet
	tagSummarize
	tagCreateView
	tagCreateIndex
	tagDrop
	tagShowCreate
	tagEnd
)

// newNode makes an empty node of a kind, nil for an unknown one.
func newNode(t tag) Node {
	switch t {
	case tagLiteral:
		return new(Literal)
	case tagParam:
		return new(Param)
	case tagName:
		return new(Name)
	case tagStar:
		return new(Star)
	case tagUnary:
		return new(Unary)
	case tagBinary:
		return new(Binary)
	case tagIs:
		return new(Is)
	case tagLike:
		return new(Like)
	case tagIn:
		return new(In)
	case tagBetween:
		return new(Between)
	case tagCase:
		return new(Case)
	case tagWhen:
		return new(When)
	case tagCast:
		return new(Cast)
	case tagTypeName:
		return new(TypeName)
	case tagCall:
		return new(Call)
	case tagNamedArg:
		return new(NamedArg)
	case tagExists:
		return new(Exists)
	case tagSubquery:
		return new(Subquery)
	case tagQuantified:
		return new(Quantified)
	case tagTuple:
		return new(Tuple)
	case tagArray:
		return new(Array)
	case tagIndex:
		return new(Index)
	case tagField:
		return new(Field)
	case tagWindow:
		return new(Window)
	case tagFrame:
		return new(Frame)
	case tagQuery:
		return new(Query)
	case tagWith:
		return new(With)
	case tagCTE:
		return new(CTE)
	case tagBlock:
		return new(Block)
	case tagItem:
		return new(Item)
	case tagNamedWindow:
		return new(NamedWindow)
	case tagSetOp:
		return new(SetOp)
	case tagValuesList:
		return new(ValuesList)
	case tagOrder:
		return new(Order)
	case tagAsOf:
		return new(AsOf)
	case tagAlias:
		return new(Alias)
	case tagTableName:
		return new(TableName)
	case tagTableFunc:
		return new(TableFunc)
	case tagTableQuery:
		return new(TableQuery)
	case tagJoin:
		return new(Join)
	case tagExplain:
		return new(Explain)
	case tagInsert:
		return new(Insert)
	case tagSubscribe:
		return new(Subscribe)
	case tagDescribe:
		return new(Describe)
	case tagShow:
		return new(Show)
	case tagSet:
		return new(Set)
	case tagSummarize:
		return new(Summarize)
	case tagCreateView:
		return new(CreateView)
	case tagCreateIndex:
		return new(CreateIndex)
	case tagDrop:
		return new(Drop)
	case tagShowCreate:
		return new(ShowCreate)
	}
	return nil
}
