package journal

import (
	"errors"
	"fmt"
)

// Conditions a caller decides on. Errors of this package wrap them.
var (
	ErrClosed   = errors.New("journal: closed")                 // every operation after Close
	ErrReadOnly = errors.New("journal: read-only")              // a write to a journal opened read-only
	ErrTooLarge = errors.New("journal: body too large")         // Append: over Journal.MaxBodyBytes
	ErrEmpty    = errors.New("journal: empty body")             // Append: a body of no bytes
	ErrBusy     = errors.New("journal: would wait")             // TryAppend: call Ready, then try again
	ErrDiskFull = errors.New("journal: disk full")              // Append, Open: no room for the next frames; a later Append may succeed
	ErrPoisoned = errors.New("journal: poisoned")               // after a failed sync; see PoisonedError
	ErrTime     = errors.New("journal: no later time")          // Append: times grow, and the last frame has the greatest there is
	ErrReleased = errors.New("journal: segment released")       // Read: the frame's segment was released
	ErrCorrupt  = errors.New("journal: corrupt")                // damaged bytes; see CorruptionError
	ErrRange    = errors.New("journal: out of range")           // Read: bytes outside the body; Sync, Release: an ordinal not yet visible or durable
	ErrForeign  = errors.New("journal: of another owner")       // Open: a segment has another id; see ForeignError
	ErrFormat   = errors.New("journal: unknown format version") // Open: a segment was written by a newer version
)

// PoisonedError is returned by every write after a sync failed. The frames above Durable may or may not be on disk.
type PoisonedError struct {
	Durable Ordinal // everything up to it is on disk
	Err     error   // what failed first
}

func (e *PoisonedError) Error() string {
	return fmt.Sprintf("journal: poisoned above ordinal %d: %v", e.Durable, e.Err)
}

// Is reports whether target is ErrPoisoned.
func (e *PoisonedError) Is(target error) bool { return target == ErrPoisoned }

// Unwrap returns the cause.
func (e *PoisonedError) Unwrap() error { return e.Err }

// ForeignError is returned by Open when a segment is of another journal. Nothing was changed.
type ForeignError struct {
	File       string // of the segment
	Want, Have ID     // Options.ID, and what the segment says
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("journal: segment %s is of journal %s, this is %s", e.File, e.Have, e.Want)
}

// Is reports whether target is ErrForeign.
func (e *ForeignError) Is(target error) bool { return target == ErrForeign }

// CorruptionError names damaged bytes of a segment.
type CorruptionError struct {
	Segment uint32 // number of the segment
	File    string // its file name
	Offset  int64  // of the frame or header that is damaged
	Err     error
}

func (e *CorruptionError) Error() string {
	return fmt.Sprintf("journal: corrupt: %s at %d: %v", e.File, e.Offset, e.Err)
}

// Is reports whether target is ErrCorrupt.
func (e *CorruptionError) Is(target error) bool { return target == ErrCorrupt }

// Unwrap returns the cause.
func (e *CorruptionError) Unwrap() error { return e.Err }
