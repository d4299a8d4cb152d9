package sealed

import "github.com/seed69692123/netdb/internal/payload"

// Limits of a chunk of columns.
const (
	ColumnBlockRows = 1024    // rows of a block of a column, the unit of reading
	MaxChunkRows    = 1 << 16 // rows of a chunk
	MaxColumns      = 512     // columns of a chunk; what is beyond them is in the payloads only

	// maxColumnValue is the longest text or blob of a column; longer ones are in the payloads only.
	maxColumnValue = 1024
	maxColumnName  = 20 << 10
	maxDirectory   = 32 << 20
	maxDictionary  = 1 << 15
	boundBytes     = 64 // of a least or greatest text
)

// ColumnName names a column of a chunk: a path inside payloads, or, when Own is set, one of the events' own columns.
type ColumnName struct {
	Path []string
	Own  bool
}

// key is the name as bytes that differ when names do.
func (n *ColumnName) key() string {
	b := make([]byte, 0, 32)
	if n.Own {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return string(appendPath(b, n.Path))
}

// InRow is the class of a value that a chunk does not hold: long text, an array, an object. It is in the row's payload.
const InRow payload.Class = 15

// ColumnStats is what a chunk knows about the values of a column without reading them.
type ColumnStats struct {
	// Counts is how many rows have a value of each payload.Class; those of Missing are not counted.
	Counts [16]int64
	// Ints bounds the values of Int and Time, Floats those of Float that are not NaN.
	Ints   [2]int64
	Floats [2]float64
	NaNs   int64
	// Texts bounds the values of Text: cut off after 64 bytes, so that the greatest may begin with Texts[1] and go on.
	Texts [2][]byte
	// Ascends: all rows have a value, all of class Int or all of class Time, and none is below the one before.
	Ascends bool
	// InRows: the column is not in the chunk, because too many values are of another kind than most, or large. Payloads have it.
	InRows bool
}

// Values is how many rows have a value or an explicit null.
func (s *ColumnStats) Values() (n int64) {
	for _, c := range s.Counts[:InRow] {
		n += c
	}
	return n
}

// Exception is a value that is not of the kind of its column.
type Exception struct {
	Row   int // in its block
	Class payload.Class
	Bits  uint64 // as in payload.Value
	Bytes []byte // of Text, Blob, Big
}

// ColumnBlock is a decoded block. Its slices are reused by the next Decode into it.
type ColumnBlock struct {
	Rows int
	// Class is that of every row that is not absent, floating or an exception; Missing when there is none.
	Class payload.Class
	// Absent has a bit for each row without a value, Null for those among them that are an explicit null, Floating for those that are
	// Float among integers. Nil means none.
	Absent, Null, Floating []uint64
	Exceptions             []Exception

	// Bits are the values of Bool, Int, Float and Time. Those of absent rows and exceptions mean nothing.
	Bits []uint64
	// Coded says that text and blobs are Codes into the column's dictionary; else row i is Data[Ends[i-1]:Ends[i]].
	Coded bool
	Codes []uint32
	Ends  []uint32
	Data  []byte
}

// Dictionary is the distinct texts or blobs of a column: value i is Data[Ends[i-1]:Ends[i]].
type Dictionary struct {
	Ends []uint32
	Data []byte
}

// Value returns value i.
func (d *Dictionary) Value(i int) []byte {
	from := uint32(0)
	if i > 0 {
		from = d.Ends[i-1]
	}
	return d.Data[from:d.Ends[i]:d.Ends[i]]
}

func bitOf(set []uint64, i int) bool { return i>>6 < len(set) && set[i>>6]>>(i&63)&1 != 0 }

func isBytes(c payload.Class) bool { return c == payload.Text || c == payload.Blob }

// kindOf is which values a column holds side by side: integers and floats are one kind.
func kindOf(c payload.Class) payload.Class {
	if c == payload.Float {
		return payload.Int
	}
	return c
}
