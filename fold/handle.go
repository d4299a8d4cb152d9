package fold

import (
	"context"
	"io"
	"iter"

	"github.com/seed69692123/netdb/redex"
)

// Handle is an open fold. It is safe for concurrent use.
type Handle[S any] struct {
	store *redex.Store
	def   Definition[S]
}

// Open opens a fold: it loads the newest usable checkpoint and follows the logs from there, in one goroutine, until Close.
// It does not wait for the logs to be folded: see CatchUp. A checkpoint of another version or layout, of another history or
// with damaged bytes is not used (Stats says why) and the state is rebuilt from the logs.
func Open[S any](ctx context.Context, store *redex.Store, def Definition[S]) (*Handle[S], error) {
	return &Handle[S]{store: store, def: def}, nil
}

// Import puts a state that Frozen.Export wrote into the store as the checkpoint of the fold of that name, before it is
// opened. The state is verified while it is read and is not visible before all of it is in. Open still checks that it fits
// the fold's layout and the logs.
func Import(ctx context.Context, store *redex.Store, name string, r io.Reader) error { return nil }

// Snapshot is a state that does not change, and its position.
type Snapshot[S any] struct {
	// State is the fold's state: its tables can be read and not be written. It is nil when S is not made of tables.
	State *S
	marks []Mark
}

// Marks returns the state's position in each log.
func (s Snapshot[S]) Marks() []Mark { return s.marks }

// Snapshot returns the newest published state in constant time, without waiting for the fold and without holding it. It
// includes everything that a Wait that has returned waited for.
func (h *Handle[S]) Snapshot() Snapshot[S] { return Snapshot[S]{} }

// View calls fn with the state and returns when fn has. A state that is made of tables is a snapshot; any other is locked
// while fn runs, which holds the fold. fn must not change the state, nor keep it unless it is made of tables.
func (h *Handle[S]) View(fn func(*S)) {}

// Name implements Instance.
func (h *Handle[S]) Name() string { return h.def.Name }

// Marks implements Instance.
func (h *Handle[S]) Marks() []Mark { return nil }

// Wait returns nil when the local state includes the token's event.
func (h *Handle[S]) Wait(ctx context.Context, t WriteToken) error { return nil }

// CatchUp implements Instance.
func (h *Handle[S]) CatchUp(ctx context.Context) error { return nil }

// Stats implements Instance.
func (h *Handle[S]) Stats() Stats { return Stats{} }

// Skipped returns the newest skipped events, oldest first, at most Options.SkippedKept.
func (h *Handle[S]) Skipped() []SkippedEvent { return nil }

// Frozen implements Instance.
func (h *Handle[S]) Frozen() (Frozen, error) { return nil, nil }

// Pin implements Instance.
func (h *Handle[S]) Pin() Pin { return nil }

// Checkpoint implements Instance.
func (h *Handle[S]) Checkpoint(ctx context.Context) error { return nil }

// Close implements Instance.
func (h *Handle[S]) Close() error { return nil }

// Change says that a fold has moved.
type Change struct {
	Marks  []Mark // the newest position
	Events int64  // events folded since the change before, or since the feed began: over 1 when changes were merged
}

// Changes follows the fold from now on. A slow reader gets one change for all it missed, never a queue of them. The last
// pair is an error, the reason of the end: ErrFoldStopped, ErrClosed or the context's error; every position the fold reached
// is told before.
func (h *Handle[S]) Changes(ctx context.Context) iter.Seq2[Change, error] { return nil }

// Watch follows a query on a fold's state: it yields the query's answer at once, and then whenever it is another one.
func Watch[S, R any](ctx context.Context, h *Handle[S], query func(*S) R, equal func(a, b R) bool) iter.Seq2[R, error] {
	return nil
}

// SnapshotAndWatch returns the query's answer now and a watch that yields every later state whose answer differs.
func SnapshotAndWatch[S, R any](ctx context.Context, h *Handle[S], query func(*S) R, equal func(a, b R) bool) (R, iter.Seq2[R, error]) {
	return query(nil), nil
}

// WaitLimit bounds the waits of several folds together.
type WaitLimit struct{ n chan struct{} }

// NewWaitLimit returns a bound of n concurrent waits, at least 1.
func NewWaitLimit(n int) *WaitLimit { return &WaitLimit{make(chan struct{}, max(n, 1))} }

var _ Instance = (*Handle[int])(nil)
