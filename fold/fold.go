package fold

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/seed69692123/netdb/redex"
)

// Fold turns events into state. Apply is called for each event of the fold's logs, once and in order, by one goroutine. It
// must depend on nothing but its arguments: replaying the log must give the same state. The event's slices are valid until
// Apply returns; what the state keeps of them it must copy (Decode copies).
//
// An error or a panic is handled by the fold's Policy, and everything the event had changed in tables is rolled back.
// Events that the fold does not know are no errors: return nil.
type Fold[S any] interface {
	Apply(s *S, ev redex.Event) error
}

// Func makes a function a Fold.
type Func[S any] func(s *S, ev redex.Event) error

// Apply calls f.
func (f Func[S]) Apply(s *S, ev redex.Event) error { return f(s, ev) }

// Policy says what a fold does with an event whose Apply fails.
type Policy uint8

// The policies.
const (
	// Stop ends the fold before the event. The state stays readable, waits for the event and later ones fail with
	// ErrFoldStopped. Opening the fold again goes on at the event.
	Stop Policy = iota
	// Skip rolls the event back, counts it, and goes on. Only state made of tables can be rolled back: any other stops.
	Skip
)

// String returns "stop" or "skip".
func (p Policy) String() string {
	switch p {
	case Stop:
		return "stop"
	case Skip:
		return "skip"
	}
	return fmt.Sprintf("policy(%d)", uint8(p))
}

// Definition says what a fold is. Name, Logs and Fold are required.
type Definition[S any] struct {
	// Name is the fold's name in its store and in SQL. It follows the rules of redex.CheckName and has at most 128 bytes.
	Name string
	// Version is the version of the fold's logic. State that another version wrote is rebuilt from the logs.
	Version int
	// Logs are the names of the logs the fold reads; logs that do not exist are made. The events of several logs are applied
	// in the order of their arrival, which is the same at every replay.
	Logs []string
	// Fold applies the events.
	Fold Fold[S]
	// New makes the empty state. Nil means new(S).
	New func() *S
	// Filter, when not nil, names the events that Apply is called for. Others count as applied.
	Filter func(ev *redex.Event) bool

	Options Options
}

// Options configure a fold. The zero value is the default of each field.
type Options struct {
	Policy     Policy
	Checkpoint Checkpoint
	// MaxWaiters bounds concurrent waits that have to wait. 0 means 65,536.
	MaxWaiters int
	// Waiters, when not nil, is a bound shared with other folds, taken beside MaxWaiters.
	Waiters *WaitLimit
	// SkippedKept bounds the skipped events that Skipped tells with their reason, the newest. 0 means 256.
	SkippedKept int
	// AcceptLost lets the fold start or go on although retention has removed events that it had not folded. The lost range
	// then counts as covered and is told by Stats. Without it the fold stops with a redex.RangeLostError.
	AcceptLost bool
	// Logger gets a message when a checkpoint is refused or cannot be written and when the fold stops. Nil discards.
	Logger *slog.Logger

	tail tailFunc // nil: the log's own tails
}

// Checkpoint says when a fold's state is written to the store. A checkpoint is written beside the fold's work; at most one
// at a time. Close always writes one when something changed.
type Checkpoint struct {
	Off    bool          // never, not even at Close: every Open replays the logs
	Events int64         // after that many events. 0 means 100,000
	Bytes  int64         // after that many payload bytes. 0 means 64 MiB
	Every  time.Duration // at least that long after the one before. 0 means 1 s
}

func (o *Options) setDefaults() {
	if o.MaxWaiters == 0 {
		o.MaxWaiters = 65_536
	}
	if o.SkippedKept == 0 {
		o.SkippedKept = 256
	}
	if o.Checkpoint.Events == 0 {
		o.Checkpoint.Events = 100_000
	}
	if o.Checkpoint.Bytes == 0 {
		o.Checkpoint.Bytes = 64 << 20
	}
	if o.Checkpoint.Every == 0 {
		o.Checkpoint.Every = time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}
