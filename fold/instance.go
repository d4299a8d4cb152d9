package fold

import (
	"context"
	"io"

	"github.com/seed69692123/netdb/redex"
)

// Instance is an open fold of any state type, as its owner keeps it in a list. *Handle implements it.
type Instance interface {
	// Name returns the fold's name.
	Name() string
	// Marks returns the fold's position in each of its logs, as one consistent set.
	Marks() []Mark
	// Wait returns when the state includes the token's event. See Handle.Wait.
	Wait(ctx context.Context, t WriteToken) error
	// CatchUp returns when the state includes everything that was visible at the call.
	CatchUp(ctx context.Context) error
	// Stats returns counters and the fold's condition.
	Stats() Stats
	// Frozen returns the newest state. It does not wait, except for a state that is not made of tables.
	Frozen() (Frozen, error)
	// Pin holds the fold back, so that it can be brought to exactly one cut. See AtCut.
	Pin() Pin
	// Checkpoint writes the newest state to the store.
	Checkpoint(ctx context.Context) error
	// Close stops the fold, writes a last checkpoint and ends waits and watches with ErrClosed. It is idempotent.
	Close() error
}

// Mark is a fold's position in one log.
type Mark struct {
	Log  redex.LogID
	Name string
	// Next is the first sequence not yet folded: every event below it has been applied, skipped, or was declared lost.
	Next redex.Seq
	// Applied is the sequence after the newest event that was applied without an error, at most Next. It says nothing of
	// single events below it: a skipped event does not freeze it.
	Applied redex.Seq
	Ordinal redex.Ordinal // highest ordinal among the folded events; 0 when they all came from sealed files
	Time    int64         // arrival of the newest folded event, Unix nanoseconds; 0 before the first
	Skipped int64         // events below Next that were skipped
}

// Frozen is a fold's state at one moment. It does not change and may be used by many goroutines; it needs no closing.
type Frozen interface {
	// Fold returns the fold's name.
	Fold() string
	// Marks returns the position the state is at.
	Marks() []Mark
	// Tables returns the state's tables in the order of their declaration; none when the state is not made of tables.
	Tables() []TableView
	// Export writes state and position in the format of checkpoints, for Import. It returns ErrNoCheckpoint when the state's
	// type cannot be written.
	Export(w io.Writer) error
}

// Pin holds a fold back. It is got from Instance.Pin and must be released.
type Pin interface {
	// Reach lets the fold go on to exactly the cut and returns its state there. The cut must have been taken after the pin.
	// It fails with ErrFoldStopped, ErrClosed, ErrPastCut or the context's error.
	Reach(ctx context.Context, c redex.Cut) (Frozen, error)
	// Release lets the fold go on. It is idempotent.
	Release()
}

// AtCut brings folds to exactly one cut: it holds them, calls cut, lets each go on to the cut and returns their states there
// in the order given. The folds go on before AtCut returns. cut is usually (*redex.Store).Cut; all folds must be of its store.
func AtCut(ctx context.Context, cut func() redex.Cut, folds ...Instance) (redex.Cut, []Frozen, error) {
	pins := make([]Pin, len(folds))
	for i, f := range folds {
		pins[i] = f.Pin()
		defer pins[i].Release()
	}
	c := cut()
	out := make([]Frozen, len(folds))
	for i, p := range pins {
		var err error
		if out[i], err = p.Reach(ctx, c); err != nil {
			return c, nil, err
		}
		p.Release()
	}
	return c, out, nil
}

// State is a fold's condition.
type State uint8

// The conditions of a fold.
const (
	Running State = iota
	Stopped       // by an error; see Stats.Err
	Closed
)

// String returns "running", "stopped" or "closed".
func (s State) String() string { return [...]string{"running", "stopped", "closed"}[min(s, 2)] }

// Stats are a fold's counters since it was opened, and its condition.
type Stats struct {
	Name    string
	State   State
	Err     error // why it stopped
	Marks   []Mark
	Lag     int64 // events that are in the logs and not yet folded
	Events  int64 // events folded since Open
	Skipped int64 // events skipped under the policy, in the whole history of the state
	// Undecodable counts events that Apply could not decode, in the whole history of the state. They are not in Skipped.
	Undecodable int64
	Lost        []LostRange // ranges that retention removed unfolded and AcceptLost let pass

	Resumed       bool  // Open went on from a checkpoint
	Rebuilt       error // why Open did not use the checkpoint it found; nil when it did or there was none
	Checkpoints   int64 // written since Open
	CheckpointErr error // of the last one that failed; nil after a success. ErrNoCheckpoint when the state cannot be written

	Waiting     int   // waits that wait now
	Waits       int64 // waits that had to wait
	WaitTimeout int64 // of them, those that their context ended
	WaitRefused int64 // waits refused with ErrTooManyWaiters
	WaitNanos   int64 // time spent in waits
}

// LostRange names sequences [From, To) of a log.
type LostRange struct {
	Log      string
	From, To redex.Seq
}

// SkippedEvent is an event that did not change the state.
type SkippedEvent struct {
	Log         string
	Seq         redex.Seq
	Undecodable bool
	Reason      string
}
