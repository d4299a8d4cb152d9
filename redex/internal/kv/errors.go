package kv

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Conditions a caller decides on.
var (
	ErrClosed   = errors.New("kv: closed")
	ErrFailed   = errors.New("kv: failed")                 // after the first failed sync or manifest write; wraps the cause
	ErrDiskFull = errors.New("kv: disk full")              // Apply, Flush, Checkpoint, Open: until room returns
	ErrTooLarge = errors.New("kv: key or value too large") // Batch; nothing was added
	ErrReadOnly = errors.New("kv: opened read-only")
	ErrCorrupt  = errors.New("kv: corrupt") // damaged bytes in a file of the map; see CorruptError
	ErrLocked   = errors.New("kv: locked")  // Open: the directory is open already
)

// CorruptError names a damaged file of the map.
type CorruptError struct {
	Path     string
	From, To []byte // the keys that may be affected, [From, To]; nil when unknown
	Err      error
}

func (e *CorruptError) Error() string { return fmt.Sprintf("kv: corrupt: %s: %v", e.Path, e.Err) }

// Is reports whether target is ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Err }

// corrupt returns the CorruptError in err, or nil when err is none of corruption.
func corrupt(err error) *CorruptError {
	if err == nil || !pebble.IsCorruptionError(err) {
		return nil
	}
	c := &CorruptError{Err: err}
	if i := pebble.ExtractDataCorruptionInfo(err); i != nil {
		c.Path, c.From, c.To = i.Path, i.Bounds.Start, i.Bounds.End.Key
	}
	return c
}
