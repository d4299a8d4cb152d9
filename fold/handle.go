package fold

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed69692123/netdb/redex"
)

// Handle is an open fold. It is safe for concurrent use.
type Handle[S any] struct {
	store      *redex.Store
	views      *redex.Views
	def        Definition[S]
	layout     string
	release    func() // gives up the claim on views
	unwritable error  // why the state cannot be written to checkpoints; nil when it can
	logs       []foldLog
	byID       map[redex.LogID]int
	resumed    bool
	rebuilt    error

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	src    source
	done   chan struct{} // closed by the driver when it has ended

	// The state. Only the driver changes it; a state without tables is changed under stateMu, which also guards the driver's
	// position then.
	stateMu sync.RWMutex
	state   *S
	tables  *tables[S] // nil for a state without tables
	live    []tableCore

	// Of the driver, until done is closed.
	own         own
	lost        []LostRange
	skipped     []SkippedEvent
	events      int64
	unpublished int
	hurry       bool // somebody waits for an event that is not published
	end         error
	closed      bool
	broken      bool // a rollback failed: the live tables are not to be used
	since       struct {
		events, bytes int64
		start         time.Time
	}
	pace pace

	pub       atomic.Pointer[published[S]]
	waits     *waitQueue
	limit     *WaitLimit
	waitStats struct{ waits, timeouts, refused, nanos atomic.Int64 }

	followMu  sync.Mutex
	followers map[*follower]struct{}
	following atomic.Int64

	pinMu  sync.Mutex
	pinned *sync.Cond // on pinMu: a pin was given a cut or released, or the handle closes
	pins   map[*pin[S]]struct{}
	pinsN  atomic.Int64

	// writeMu is held while a checkpoint is written.
	writeMu    sync.Mutex
	generation uint64
	written    []Mark
	released   bool // another handle may write now
	writers    sync.WaitGroup
	writing    atomic.Bool

	statMu        sync.Mutex
	checkpoints   int64
	checkpointErr error

	stopping atomic.Bool
	closing  sync.Once
	closeErr error
}

type foldLog struct {
	id   redex.LogID
	name string
	log  *redex.Log
}

// compacted reports whether compaction by key may have taken events of the log: then a tail passes them.
func (l *foldLog) compacted() bool { return l.log.Options().Compaction.ByKey || l.log.Info().Compacted }

// Open opens a fold: it loads the store's checkpoint of it, follows its logs from there in one goroutine, however many they are,
// and returns without waiting for what the logs hold: see CatchUp. A checkpoint of another version or layout, of another history
// than the store's, or with damaged bytes is not used and the state is rebuilt from the logs; Stats says why. Of each name, one
// handle can be open in a store at a time, from Open to the return of its Close: two would take away each other's checkpoints.
//
// ctx bounds the opening only. Errors wrap ErrName for a bad definition, ErrOpen, ErrDuplicateTable, and those of the store.
func Open[S any](ctx context.Context, store *redex.Store, def Definition[S]) (*Handle[S], error) {
	h := &Handle[S]{store: store, def: def, done: make(chan struct{}), followers: map[*follower]struct{}{}, pins: map[*pin[S]]struct{}{}}
	h.pinned = sync.NewCond(&h.pinMu)
	h.def.Options.setDefaults()
	h.limit = NewWaitLimit(h.def.Options.MaxWaiters)
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("fold: open %q: %w", def.Name, err)
	}
	if err := h.open(ctx); err != nil {
		if h.release != nil {
			h.release()
		}
		return nil, fmt.Errorf("fold: open %q: %w", def.Name, err)
	}
	return h, nil
}

const maxNameBytes = 128

func (h *Handle[S]) check() error {
	d := &h.def
	if err := redex.CheckName(d.Name); err != nil || len(d.Name) > maxNameBytes {
		return fmt.Errorf("%w: bad name", ErrName)
	}
	if d.Fold == nil || len(d.Logs) == 0 {
		return fmt.Errorf("%w: Fold and Logs are required", ErrName)
	}
	if d.Options.Policy > Skip {
		return fmt.Errorf("%w: %v", ErrName, d.Options.Policy)
	}
	sorted := slices.Sorted(slices.Values(d.Logs))
	if len(slices.Compact(sorted)) != len(d.Logs) {
		return fmt.Errorf("%w: a log is named twice", ErrName)
	}
	return nil
}

func (h *Handle[S]) open(ctx context.Context) error {
	var err error
	if h.tables, err = tablesOf[S](); err != nil {
		return err
	}
	if h.views, h.release, err = claim(h.store, h.def.Name); err != nil {
		return err
	}
	for _, name := range h.def.Logs {
		l, err := h.store.OpenLog(ctx, name, redex.LogOptions{})
		if err != nil {
			return err
		}
		h.logs = append(h.logs, foldLog{l.ID(), name, l})
	}
	// Events of one frame in several logs are applied in the order of the logs' ids, whatever the definition's order.
	slices.SortFunc(h.logs, func(a, b foldLog) int { return int(int64(a.id) - int64(b.id)) })
	h.byID = map[redex.LogID]int{}
	for i, l := range h.logs {
		h.byID[l.id] = i
	}
	if err := h.reset(); err != nil {
		return err
	}
	h.waits = newWaitQueue(len(h.logs))
	switch {
	case h.unwritable != nil:
	case h.def.Options.Checkpoint.Off:
		m, err := readManifest(h.views)
		if err != nil {
			return err
		}
		h.generation = m.generation
	default:
		if err := h.resume(ctx); err != nil {
			return err
		}
	}
	h.since.start = time.Now()
	h.ctx, h.cancel = context.WithCancel(context.Background())
	from := make([]redex.Seq, len(h.logs))
	for i := range from {
		from[i] = h.own.logs[i].mark.Next
	}
	h.src = newSource(h.ctx, h.def.Options.tail, h.store, h.logs, from)
	h.publish()
	go h.run()
	return nil
}

// reset makes the empty state.
func (h *Handle[S]) reset() (err error) {
	defer func() {
		if r := recover(); r != nil { // New and codecs are user code
			err = newPanic(r)
		}
	}()
	h.state = new(S)
	if h.def.New != nil {
		h.state = h.def.New()
	}
	h.own, h.lost, h.skipped = newOwn(h.logs), nil, nil
	if h.tables == nil {
		h.layout, h.unwritable = layoutOf(reflect.TypeFor[S](), false)
		if h.unwritable != nil {
			h.unwritable = fmt.Errorf("%w: %w", ErrNoCheckpoint, h.unwritable)
		}
		return nil
	}
	if h.live, err = h.tables.attach(h.state, h.def.Name); err != nil {
		return err
	}
	h.layout, h.unwritable = "", nil
	for _, c := range h.live {
		l, err := c.layout()
		if err != nil {
			h.unwritable = fmt.Errorf("%w: %w", ErrNoCheckpoint, err)
		}
		h.layout += l
	}
	return nil
}

// resume loads the checkpoint, or says why it cannot be used and leaves the empty state.
func (h *Handle[S]) resume(ctx context.Context) error {
	found, err := h.load(ctx)
	switch {
	case err == nil:
		h.resumed = found
		if found {
			h.written = marksOf(h.own.logs)
		}
		return nil
	case errors.Is(err, ErrCheckpoint), errors.Is(err, ErrLayout):
		h.rebuilt = err
		h.def.Options.Logger.Warn("fold: checkpoint not used, rebuilding from the log", "fold", h.def.Name, "err", err)
		return h.reset()
	}
	return err
}

// Snapshot is a state that does not change, and its position.
type Snapshot[S any] struct {
	// State is the fold's state: its tables can be read and not be written. It is nil when S is not made of tables.
	State *S
	p     *published[S]
}

// Marks returns the state's position in each log. The slice is shared and must not be changed.
func (s Snapshot[S]) Marks() []Mark { return s.p.marks() }

// Snapshot returns the newest published state in constant time, without waiting for the fold and without holding it. It
// includes every event that a returned Wait waited for.
func (h *Handle[S]) Snapshot() Snapshot[S] {
	p := h.pub.Load()
	return Snapshot[S]{p.state, p}
}

// View calls fn with the state. A state that is made of tables is a snapshot, which fn may keep; any other is locked while fn
// runs, which holds the fold. fn must not change it.
func (h *Handle[S]) View(fn func(*S)) {
	ask(h, h.pub.Load(), func(s *S) struct{} {
		fn(s)
		return struct{}{}
	})
}

// Name implements Instance.
func (h *Handle[S]) Name() string { return h.def.Name }

// Marks implements Instance. The slice is shared and must not be changed.
func (h *Handle[S]) Marks() []Mark { return h.pub.Load().marks() }

// Skipped returns the newest skipped and undecodable events, oldest first, at most Options.SkippedKept.
func (h *Handle[S]) Skipped() []SkippedEvent {
	return slices.Clone(h.newestSkipped(h.pub.Load().skipped))
}

func (h *Handle[S]) newestSkipped(s []SkippedEvent) []SkippedEvent {
	return s[max(0, len(s)-h.def.Options.SkippedKept):]
}

// Stats implements Instance. It never waits for the fold.
func (h *Handle[S]) Stats() Stats {
	p := h.pub.Load()
	s := Stats{
		Name: h.def.Name, Marks: slices.Clone(p.marks()), Events: p.events, Lost: slices.Clone(p.lost),
		Resumed: h.resumed, Rebuilt: h.rebuilt,
		Waiting: int(h.limit.n.Load()), Waits: h.waitStats.waits.Load(), WaitTimeout: h.waitStats.timeouts.Load(),
		WaitRefused: h.waitStats.refused.Load(), WaitNanos: h.waitStats.nanos.Load(),
	}
	switch {
	case p.closed:
		s.State = Closed
	case p.end != nil:
		s.State, s.Err = Stopped, p.end
	}
	for i, l := range p.places.all() {
		s.Lag += max(0, int64(h.logs[i].log.Bounds().Next)-int64(l.mark.Next))
		s.Skipped += l.mark.Skipped - l.undecodable
		s.Undecodable += l.undecodable
	}
	h.statMu.Lock()
	s.Checkpoints, s.CheckpointErr = h.checkpoints, h.checkpointErr
	h.statMu.Unlock()
	if h.unwritable != nil {
		s.CheckpointErr = h.unwritable
	}
	return s
}

// Close implements Instance.
func (h *Handle[S]) Close() error {
	h.closing.Do(func() {
		h.stopping.Store(true)
		h.cancel()
		h.pinMu.Lock()
		h.pinned.Broadcast()
		h.pinMu.Unlock()
		<-h.done
		h.writers.Wait()
		if !h.closed { // it had stopped: from now on it is closed
			h.closed, h.end = true, ErrClosed
			h.publish()
		}
		if !h.def.Options.Checkpoint.Off && h.unwritable == nil {
			// A store that cannot be written keeps the checkpoint it has; what came after is folded again.
			if err := h.Checkpoint(context.Background()); !errors.Is(err, redex.ErrReadOnly) {
				h.closeErr = err
			}
		}
		h.writeMu.Lock()
		h.released = true
		h.writeMu.Unlock()
		h.release()
	})
	return h.closeErr
}

var _ Instance = (*Handle[int])(nil)
