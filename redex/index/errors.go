package index

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed69692123/netdb/redex"
)

// Conditions a caller decides on. Errors of this package wrap them with the index, the log and the sequence concerned. A log that
// was deleted is redex.ErrLogDeleted, a range that retention took redex.ErrRangeLost, a context that ended its own error.
var (
	ErrClosed         = errors.New("index: closed")                // returned by everything after Close, of the index or of its store
	ErrStopped        = errors.New("index: stopped")               // waits for an event at or behind the one the index stopped at; see StoppedError
	ErrSkipped        = errors.New("index: event skipped")         // waits: the event is not in the index, its projection failed; see SkippedError
	ErrTooManyWaiters = errors.New("index: too many waiters")      // waits: refused before waiting, Options.MaxWaiters is reached
	ErrDefinition     = errors.New("index: invalid definition")    // Open: the definition is incomplete
	ErrOpen           = errors.New("index: is open already")       // Open, Drop: the store has an index of that name that is not closed yet
	ErrOtherLog       = errors.New("index: is of another log")     // Open: and that log still exists; Drop the index first
	ErrTooLarge       = errors.New("index: too large")             // a projection or a read: a key, a value or all of one event are over their limits
	ErrChanged        = errors.New("index: definition changed")    // the reason of a rebuild: another Version or From
	ErrUnusable       = errors.New("index: state cannot be used")  // the reason of a rebuild: it is damaged or of another history
	ErrForeign        = errors.New("index: position of elsewhere") // Wait: of another store or log
)

// StoppedError says why and where an index stopped. It can still be read, and holds everything before Seq. Rebuild begins anew,
// opening it again goes on at Seq.
type StoppedError struct {
	Index string
	Log   string
	Seq   redex.Seq // of the first event that is not in the index
	Cause error     // of the projection, a *redex.PanicError, what ended the log's tail, or what the store said to a commit
}

func (e *StoppedError) Error() string {
	return fmt.Sprintf("index: %q stopped at sequence %d of log %q: %v", e.Index, e.Seq, e.Log, e.Cause)
}

// Is reports whether target is ErrStopped.
func (e *StoppedError) Is(target error) bool { return target == ErrStopped }

// Unwrap returns the cause.
func (e *StoppedError) Unwrap() error { return e.Cause }

// SkippedError says that the index is past an event and holds nothing of it.
type SkippedError struct {
	Index  string
	Log    string
	Seq    redex.Seq
	Reason string // what the projection said, at most 256 bytes
}

func (e *SkippedError) Error() string {
	return fmt.Sprintf("index: %q skipped sequence %d of log %q: %s", e.Index, e.Seq, e.Log, e.Reason)
}

// Is reports whether target is ErrSkipped.
func (e *SkippedError) Is(target error) bool { return target == ErrSkipped }

// WaitError is a wait that ended without its event, by its context (errors.Is finds context.DeadlineExceeded or context.Canceled),
// by ErrTooManyWaiters, ErrForeign, ErrClosed, or by redex.ErrLogDeleted or ErrEpoch.
type WaitError struct {
	Index string
	Seq   redex.Seq
	Next  redex.Seq // where the index was when the wait ended: the first sequence that it does not have
	Err   error
}

func (e *WaitError) Error() string {
	return fmt.Sprintf("index: wait of %q for sequence %d (it is at %d): %v", e.Index, e.Seq, e.Next, e.Err)
}

// Unwrap returns what ended the wait.
func (e *WaitError) Unwrap() error { return e.Err }

// Timeout reports whether the wait's deadline passed.
func (e *WaitError) Timeout() bool { return errors.Is(e.Err, context.DeadlineExceeded) }
