package spill

import (
	"errors"
	"fmt"
	"slices"
)

// ErrFull is returned when spilled rows find no room: the limit of the Dir is reached (a *LimitError), or the disk is full (an
// *Error with the system's error in it).
var ErrFull = errors.New("spill: no room for temporary files")

// LimitError says that a file would grow all temporary files beyond their limit.
type LimitError struct {
	NeedBytes  int64 // of all files, with the one that grows
	LimitBytes int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("spill: temporary files would take %d of %d bytes", e.NeedBytes, e.LimitBytes)
}

// Is reports whether target is ErrFull.
func (e *LimitError) Is(target error) bool { return target == ErrFull }

// Error is a failure of the file system.
type Error struct {
	Op   string // create, write, read, remove or close
	Path string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("spill: %s %s: %v", e.Op, e.Path, e.Err) }

// Unwrap returns the system's error.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is ErrFull and the disk is.
func (e *Error) Is(target error) bool {
	return target == ErrFull && slices.ContainsFunc(fullErrnos(), func(full error) bool { return errors.Is(e.Err, full) })
}

// CorruptionError is returned when what is read is not what was written.
type CorruptionError struct {
	Path   string
	Offset int64 // of the chunk
	Err    error
}

func (e *CorruptionError) Error() string {
	return fmt.Sprintf("spill: %s is damaged at byte %d: %v", e.Path, e.Offset, e.Err)
}

// Unwrap returns what is wrong.
func (e *CorruptionError) Unwrap() error { return e.Err }
