package redex

import (
	"errors"
	"fmt"
)

// Conditions a caller decides on. Errors of this package wrap them with what was attempted on which log.
var (
	ErrClosed        = errors.New("redex: store closed")          // returned by every operation after Close
	ErrLocked        = errors.New("redex: store locked")          // Open: another process has the directory open
	ErrCopied        = errors.New("redex: copy of an open store") // Open: the directory was copied while its store was open, or not closed after a crash
	ErrReadOnly      = errors.New("redex: store is read-only")    // a write to a store opened read-only, or while the disk is full
	ErrName          = errors.New("redex: invalid log name")      // the name breaks the rules of CheckName
	ErrLogExists     = errors.New("redex: log exists")            // Create: the name is taken
	ErrNoLog         = errors.New("redex: no such log")           // the name is not in the catalog
	ErrLogDeleted    = errors.New("redex: log deleted")           // an operation on a log that was deleted meanwhile
	ErrNoEvent       = errors.New("redex: no such event")         // Read: the sequence is not yet written
	ErrCompacted     = fmt.Errorf("%w: compaction by key took it", ErrNoEvent)
	ErrConflict      = errors.New("redex: log moved")                    // Append with ExpectSeq: the log's next sequence is another
	ErrQuota         = errors.New("redex: quota of the log is used up")  // Append: see QuotaError
	ErrTooOld        = errors.New("redex: idempotency number too old")   // Append: the number is below the remembered window
	ErrTooLarge      = errors.New("redex: payload too large")            // Append: an entry is over its limits
	ErrBatchTooLarge = errors.New("redex: batch too large")              // Append: a batch is over a quarter of a segment
	ErrEmptyBatch    = errors.New("redex: empty batch")                  // Append: nothing to append
	ErrRangeLost     = errors.New("redex: range lost")                   // a read or tail below the floor, or of what Repair found lost; see RangeLostError
	ErrInDoubt       = errors.New("redex: append in doubt")              // an append was placed, its durability is unknown; see InDoubtError
	ErrCorrupt       = errors.New("redex: corrupt")                      // damaged bytes; see CorruptionError
	ErrEpoch         = errors.New("redex: position lost with its epoch") // a position beyond the end of its epoch
	ErrForeign       = errors.New("redex: position of another store")
	ErrMoved         = errors.New("redex: store moved")             // the directory is elsewhere than it was opened; see MovedError
	ErrForeignFiles  = errors.New("redex: files of another store")  // Open: a part of the directory belongs elsewhere; see ForeignFilesError
	ErrOptions       = errors.New("redex: bad option")              // Open, Create: see Options.Validate
	ErrEncoding      = errors.New("redex: payload not well-formed") // Append: JSON that is none, in a log that checks it
	ErrFailed        = errors.New("redex: store failed")            // a write after a failed sync: nothing can be made durable any more; reads go on
	ErrFormat        = errors.New("redex: unknown format")          // Open: not a store, or one of a newer version
)

// RangeLostError says which sequences of a log are gone for good.
type RangeLostError struct {
	Log      string
	From, To Seq // [From, To) is lost; To is the lowest that can be read
}

func (e *RangeLostError) Error() string {
	return fmt.Sprintf("redex: log %q: sequences %d to %d are gone", e.Log, e.From, e.To)
}

// Is reports whether target is ErrRangeLost.
func (e *RangeLostError) Is(target error) bool { return target == ErrRangeLost }

// InDoubtError is returned when an append was placed and visible but the wait for its durability failed.
type InDoubtError struct {
	Position Position
	Err      error
}

func (e *InDoubtError) Error() string {
	return fmt.Sprintf("redex: append of sequence %d in doubt: %v", e.Position.Seq, e.Err)
}

// Is reports whether target is ErrInDoubt.
func (e *InDoubtError) Is(target error) bool { return target == ErrInDoubt }

// Unwrap returns the cause.
func (e *InDoubtError) Unwrap() error { return e.Err }

// ConflictError says what an append expected of its log, and what was.
type ConflictError struct {
	Log            string
	Expected, Next Seq
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("redex: append to %q expected sequence %d, the next is %d", e.Log, e.Expected, e.Next)
}

// Is reports whether target is ErrConflict.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// QuotaError says that an append would have put a log over its quota.
type QuotaError struct {
	Log           string
	Quota         Quota
	Events, Bytes int64 // the log would have had
}

func (e *QuotaError) Error() string {
	if e.Quota.Events > 0 && e.Events > e.Quota.Events {
		return fmt.Sprintf("redex: append to %q: %d events would be over its quota of %d", e.Log, e.Events, e.Quota.Events)
	}
	return fmt.Sprintf("redex: append to %q: %d bytes would be over its quota of %d", e.Log, e.Bytes, e.Quota.Bytes)
}

// Is reports whether target is ErrQuota.
func (e *QuotaError) Is(target error) bool { return target == ErrQuota }

// ForeignFilesError is returned by Open when a part of the store's directory is of another one: when directories were swapped, or
// put back from a copy of another store. Nothing was changed.
type ForeignFilesError struct {
	Path string
	Want string // the id of the store's files, in the last line of its FORMAT
	Have string // the id that is there; of a row file its first half
}

func (e *ForeignFilesError) Error() string {
	return fmt.Sprintf("redex: %s is of another store: the files of this one have the id %s, it has %s", e.Path, e.Want, e.Have)
}

// Is reports whether target is ErrForeignFiles.
func (e *ForeignFilesError) Is(target error) bool { return target == ErrForeignFiles }

// CorruptionError names damaged bytes.
type CorruptionError struct {
	Log    string // empty when the damage is not inside one log
	Seq    Seq    // first sequence affected
	End    Seq    // the one after the last affected; 0 when unknown
	File   string
	Offset int64
	Err    error
}

func (e *CorruptionError) Error() string {
	if e.Log == "" {
		return fmt.Sprintf("redex: corrupt: %s at %d: %v", e.File, e.Offset, e.Err)
	}
	return fmt.Sprintf("redex: corrupt: log %q sequence %d: %s at %d: %v", e.Log, e.Seq, e.File, e.Offset, e.Err)
}

// Is reports whether target is ErrCorrupt.
func (e *CorruptionError) Is(target error) bool { return target == ErrCorrupt }

// Unwrap returns the cause.
func (e *CorruptionError) Unwrap() error { return e.Err }
