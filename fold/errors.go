package fold

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed69692123/netdb/redex"
)

// Conditions a caller decides on. Errors of this package wrap them with the fold, the log and the sequence concerned.
var (
	ErrClosed         = errors.New("fold: closed")                        // returned by every wait, watch and change feed after Close, of the handle or of its store
	ErrFoldStopped    = errors.New("fold: stopped")                       // the fold has stopped before the position asked for; see StoppedError
	ErrSkipped        = errors.New("fold: event skipped")                 // Wait: the token's own event did not change the state; see SkippedError
	ErrTooManyWaiters = errors.New("fold: too many waiters")              // Wait: refused before waiting, the limit of Options.MaxWaiters or of its WaitLimit is reached
	ErrWrongOrigin    = errors.New("fold: token of another store or log") // Wait: this fold can never include the token's event
	ErrToken          = errors.New("fold: malformed token")               // ParseToken: the text is not one that a token prints
	ErrUndecodable    = errors.New("fold: undecodable event")             // Apply returns it (see Undecodable) for an event that is skipped under every policy
	ErrName           = errors.New("fold: invalid definition")            // Open: the definition is incomplete or contradicts itself
	ErrOpen           = errors.New("fold: is open already")               // Open, Import: the store has a fold of that name that is not closed yet
	ErrLayout         = errors.New("fold: state has another layout")      // Import, and the reason of a rebuild: the state was written by another version or type
	ErrCheckpoint     = errors.New("fold: checkpoint cannot be used")     // the reason of a rebuild, and Import: the bytes are damaged or belong to another history
	ErrNoCheckpoint   = errors.New("fold: state cannot be written")       // Export: the state's type has no codec, see Handle.Stats
	ErrPastCut        = errors.New("fold: already past the cut")          // Pin.Reach: the cut is older than the fold's state
	ErrDuplicateTable = errors.New("fold: two tables have the same name") // Open: table names are unique in a fold
	ErrEpoch          = redex.ErrEpoch                                    // Wait: the token's event was lost at the end of its epoch
	errNoProgress     = errors.New("fold: checkpoint moved by another fold of this name")
)

// StoppedError says why and where a fold stopped. The state stays readable and includes everything before Seq of Log.
type StoppedError struct {
	Fold  string
	Log   string    // the log whose event or tail stopped the fold; empty when no single log did
	Seq   redex.Seq // the first sequence of Log that is not in the state
	Cause error     // what Apply returned, a *PanicError, or what ended the log's tail
}

func (e *StoppedError) Error() string {
	return fmt.Sprintf("fold: %q stopped at sequence %d of log %q: %v", e.Fold, e.Seq, e.Log, e.Cause)
}

// Is reports whether target is ErrFoldStopped.
func (e *StoppedError) Is(target error) bool { return target == ErrFoldStopped }

// Unwrap returns the cause.
func (e *StoppedError) Unwrap() error { return e.Cause }

// SkippedError says that an event is covered by the fold's position but did not change the state.
type SkippedError struct {
	Fold string
	Log  string
	Seq  redex.Seq
	// Reason is what Apply said of the event. It is nil when only the fact is still known.
	Reason error
	// Forgotten means that Seq lies among sequences so old that the fold no longer knows which of them it skipped.
	Forgotten bool
}

func (e *SkippedError) Error() string {
	switch {
	case e.Forgotten:
		return fmt.Sprintf("fold: %q no longer knows whether it skipped sequence %d of log %q", e.Fold, e.Seq, e.Log)
	case e.Reason == nil:
		return fmt.Sprintf("fold: %q skipped sequence %d of log %q", e.Fold, e.Seq, e.Log)
	}
	return fmt.Sprintf("fold: %q skipped sequence %d of log %q: %v", e.Fold, e.Seq, e.Log, e.Reason)
}

// Is reports whether target is ErrSkipped.
func (e *SkippedError) Is(target error) bool { return target == ErrSkipped }

// Unwrap returns the reason.
func (e *SkippedError) Unwrap() error { return e.Reason }

// WaitError is a wait that ended without its event: by its context (errors.Is finds context.DeadlineExceeded or
// context.Canceled), by ErrTooManyWaiters, ErrWrongOrigin, ErrEpoch or ErrClosed.
type WaitError struct {
	Fold  string
	Token WriteToken
	Next  redex.Seq // the fold's position in the token's log when the wait ended: the first sequence not yet folded
	Err   error
}

func (e *WaitError) Error() string {
	return fmt.Sprintf("fold: wait of %q for sequence %d (folded below %d): %v", e.Fold, e.Token.pos.Seq, e.Next, e.Err)
}

// Unwrap returns what ended the wait.
func (e *WaitError) Unwrap() error { return e.Err }

// Timeout reports whether the wait's deadline passed.
func (e *WaitError) Timeout() bool { return errors.Is(e.Err, context.DeadlineExceeded) }

// PanicError is a panic of user code: of Apply, of an index or of a codec.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the panic's value when it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

type undecodable struct{ err error }

func (e *undecodable) Error() string        { return "undecodable event: " + e.err.Error() }
func (e *undecodable) Is(target error) bool { return target == ErrUndecodable }
func (e *undecodable) Unwrap() error        { return e.err }

// Undecodable marks err, for Apply to return, as "these bytes are not an event of mine": the event is skipped and counted
// under every policy, so that one bad event in a log that nobody can edit does not stop a fold for ever. A fold must decode
// before it changes its state: a state that is not made of tables is not rolled back.
func Undecodable(err error) error {
	if err == nil {
		err = ErrUndecodable
	}
	return &undecodable{err}
}
