package sealed

import (
	"errors"
	"fmt"
)

// MaxRowBytes bounds the payload, key and header bytes of one row together.
const MaxRowBytes = 20 << 20

// Row is one event. Flags, Kind, Encoding, SchemaVersion, Origin, Idempotency and the bytes of Headers mean what the caller
// wants them to. A nil Key is kept apart from an empty one; Headers and Payload come back nil when they are empty.
type Row struct {
	Seq           uint64
	Time          int64 // Unix nanoseconds
	Origin        uint64
	Idempotency   uint64
	Kind          uint32
	SchemaVersion uint32
	Encoding      uint8
	Flags         uint8
	Key           []byte
	Headers       []byte
	Payload       []byte
}

// Location is where a run's index lies in its file. It is what a caller keeps to open a run without the footer.
type Location struct {
	Offset int64
	Length uint32
}

// RunInfo describes a run.
type RunInfo struct {
	Log         uint64
	First, Last uint64 // sequences of the first and the last row
	Rows        int64
	MinTime     int64 // Unix nanoseconds, over all rows
	MaxTime     int64
	RawBytes    int64 // payload, key and header bytes before compression
	StoredBytes int64 // bytes of its blocks and index in the file
	Location    Location
}

// BlockInfo describes a block of a run: enough to skip it.
type BlockInfo struct {
	Offset      int64 // in the file
	StoredBytes int64
	Rows        int
	First, Last uint64 // sequences
	MinTime     int64
	MaxTime     int64
}

// FileInfo describes a file.
type FileInfo struct {
	Bytes    int64 // its length
	Runs     int64
	Rows     int64
	RawBytes int64
	MinTime  int64
	MaxTime  int64
}

// Compression says how blocks are compressed.
type Compression uint8

// The compressions. A block that does not become at least a sixteenth smaller is stored as it is.
const (
	S2   Compression = iota // fast; the default
	Zstd                    // smaller
	None
)

// Conditions a caller decides on.
var (
	ErrCorrupt  = errors.New("sealed: corrupt")                           // bytes that are not what a Writer wrote; see CorruptError
	ErrForeign  = errors.New("sealed: row file of another owner")         // NewReader: see ForeignError
	ErrFormat   = errors.New("sealed: not a row file of a known version") // NewReader: another kind of file or a newer one
	ErrRunFull  = errors.New("sealed: run is full")                       // Writer.Add: end this run, begin another and add the row again
	ErrOrder    = errors.New("sealed: out of order")                      // Writer: runs or rows are not in ascending order
	ErrTooLarge = errors.New("sealed: row too large")                     // Writer.Add: over MaxRowBytes
)

// ForeignError is returned by NewReader for a file whose owner is not that of the options.
type ForeignError struct {
	Want, Have uint64
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("sealed: row file of owner %016x, not of %016x", e.Have, e.Want)
}

// Is reports whether target is ErrForeign.
func (e *ForeignError) Is(target error) bool { return target == ErrForeign }

// CorruptError names damaged bytes of a file.
type CorruptError struct {
	Offset int64 // of the block, index, page or footer that is damaged
	Err    error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("sealed: corrupt at %d: %v", e.Offset, e.Err)
}

// Is reports whether target is ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Err }
