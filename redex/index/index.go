package index

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed69692123/netdb/redex"
)

// Projection says what an event changes in the index. It is called for each event, in order, by one goroutine, and again after a
// crash for events whose changes were lost: it must depend on nothing but the event. The event's slices are valid until it returns,
// and so are ops. An error, a panic or an operation over a limit undoes what the event had changed, and is handled by Options.Policy.
type Projection func(ev *redex.Event, ops *Ops) error

// Policy says what an index does with an event whose projection fails. An event that cannot be decoded, which is an error that is
// redex.ErrDecode, is skipped under every policy, so that one bad event in a log that nobody can edit does not stop an index for
// ever; but not one of a schema that the program does not know (redex.ErrNewerSchema, redex.ErrNoUpgrade), for another program may.
type Policy uint8

// The policies.
const (
	Stop Policy = iota // the index ends before the event; opening it again goes on there
	Skip               // the event is left out, noted and counted
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

// Definition says what an index is. Name, Log and Project are required.
type Definition struct {
	// Name is the index's name in its store. It follows the rules of redex.CheckName and has at most 128 bytes.
	Name string
	// Log is the name of the log, which is made when it does not exist.
	Log string
	// Version tells projections apart, in at most 128 bytes. What another version wrote is dropped and built again from the log.
	Version string
	// From is the first sequence that is looked at. Another one is another version.
	From    redex.Seq
	Project Projection

	Options Options
}

const (
	maxNameBytes    = 128
	maxVersionBytes = 128
)

// Options configure an index. The zero value is the default of each field.
type Options struct {
	Policy Policy
	// AcceptLost lets the index go on behind events that it had not seen when retention took them or damage made them unreadable.
	// The range is noted: see Index.Lost. Without it the index stops with the redex.RangeLostError or redex.CorruptionError. An
	// index on a log with a retention needs it also to begin.
	AcceptLost bool
	// Every is the longest time between an event and its visibility in the index while nobody waits for it and the index keeps
	// up. 0 means 10 ms. Each commit makes the journal durable up to the event, so a low value costs syncs.
	Every time.Duration
	// BatchBytes bounds the operations that are gathered for a commit, apart from those of one event. 0 means 4 MiB.
	BatchBytes int
	// MaxWaiters bounds concurrent waits that have to wait. 0 means 65,536.
	MaxWaiters int
	// EventOf returns the event that an entry was made of. With it the index lets go of entries of events that are redacted, at the
	// latest with Store.Maintain, and of those that retention took, by and by and at the latest then; redacted events are not
	// projected. It must know every entry, and is called by one goroutine. Without it they stay.
	EventOf func(key, value []byte) redex.Seq
	// Logger gets a message when the index stops, is rebuilt or cannot be written. Nil discards.
	Logger *slog.Logger
}

func (o *Options) setDefaults() {
	if o.Every == 0 {
		o.Every = 10 * time.Millisecond
	}
	if o.BatchBytes == 0 {
		o.BatchBytes = 4 << 20
	}
	if o.MaxWaiters == 0 {
		o.MaxWaiters = 65_536
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func (d *Definition) check() error {
	switch o := &d.Options; {
	case redex.CheckName(d.Name) != nil || len(d.Name) > maxNameBytes:
		return fmt.Errorf("%w: bad name", ErrDefinition)
	case redex.CheckName(d.Log) != nil || d.Project == nil:
		return fmt.Errorf("%w: Log and Project are required", ErrDefinition)
	case len(d.Version) > maxVersionBytes:
		return fmt.Errorf("%w: version of %d bytes, at most %d", ErrDefinition, len(d.Version), maxVersionBytes)
	case o.Policy > Skip || o.Every < 0 || o.BatchBytes < 0 || o.BatchBytes > 1<<30 || o.MaxWaiters < 0:
		return fmt.Errorf("%w: an option is out of its range", ErrDefinition)
	}
	return nil
}

// Index is an open index. It is safe for concurrent use.
type Index struct {
	def     Definition
	store   *redex.Store
	log     *redex.Log
	views   *redex.Views
	release func() // gives up the claim on views
	resumed bool
	rebuilt error

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	done   chan struct{} // closed by the driver when it has ended

	drv   driver
	pub   atomic.Pointer[published]
	waits waitQueue

	signal atomic.Bool // Close or Rebuild were called
	lazy   atomic.Bool // the driver sleeps over a batch that is not committed

	kickMu   sync.Mutex
	sleep    context.Context // of the driver while it sleeps
	kick     context.CancelFunc
	rebuild  []chan error // that wait for a rebuild
	erasures []erasure    // that the driver has not seen

	events, commits atomic.Int64

	closing  sync.Once
	closeErr error
}

// published is what readers know of the index. It does not change.
type published struct {
	meta
	end       error // why it does not go on; nil while it does
	closed    bool
	gone      bool  // the log was deleted, and what was in the index with it
	commitErr error // of the newest commit, which is tried again
}

// Open opens an index: it goes on where the store's state of it ends, in one goroutine, and returns without waiting for what the log
// holds: see CatchUp. State of another Version or From, of a log that was deleted, of another history than the store's, or that is
// damaged is dropped and built again from the log; Stats says why. Of each name, one index can be open in a store at a time.
//
// In a store that is open read-only the index stays where it is, and waits for more are a StoppedError with redex.ErrReadOnly.
//
// ctx bounds the opening only. Errors wrap ErrDefinition, ErrOpen, ErrOtherLog and those of the store.
func Open(ctx context.Context, store *redex.Store, def Definition) (*Index, error) {
	def.Options.setDefaults()
	x := &Index{def: def, store: store, done: make(chan struct{})}
	fail := func(err error) (*Index, error) { return nil, fmt.Errorf("index: open %q: %w", def.Name, err) }
	if err := def.check(); err != nil {
		return fail(err)
	}
	x.waits.init(def.Options.MaxWaiters)
	var err error
	if x.views, x.release, err = claim(store, def.Name); err != nil {
		return fail(err)
	}
	if err := x.open(ctx); err != nil {
		x.release()
		return fail(err)
	}
	return x, nil
}

// claim takes the place in the store where an index is, for its only writer.
func claim(store *redex.Store, name string) (*redex.Views, func(), error) {
	v := store.Views("index/" + name)
	release, ok := v.Claim()
	if !ok {
		return nil, nil, ErrOpen
	}
	return v, release, nil
}

func (x *Index) open(ctx context.Context) error {
	var err error
	if x.log, err = x.store.OpenLog(ctx, x.def.Log, redex.LogOptions{}); err != nil {
		return err
	}
	// What is redacted from here on is told, or is in what is asked for below: what is erased meanwhile is in one of both.
	var redacted []redex.Seq
	var erased int64
	forgo := func() {}
	if x.def.Options.EventOf != nil {
		forgo = x.log.OnErase(x.erase)
		redacted, erased = x.log.Redacting(), x.log.Erased()
	}
	opened := false
	defer func() {
		if !opened {
			forgo()
		}
	}()
	m, found, err := readMeta(x.views)
	if err == nil && found {
		err = x.fits(&m)
	}
	var sw swept
	if err == nil && found {
		if sw, err = readSwept(x.views); err == nil && sw.erased < erased {
			err = fmt.Errorf("%w: events were redacted that may be in it", ErrUnusable)
		}
	}
	readOnly := false
	switch {
	case err == nil && found:
		x.resumed = true
	case err == nil, errors.Is(err, ErrChanged), errors.Is(err, ErrUnusable):
		if x.rebuilt = err; err != nil {
			x.def.Options.Logger.Warn("index: built again from the log", "index", x.def.Name, "err", err)
		}
		m, sw = x.empty(), x.sweptNow(erased, found)
		if err := dropAll(ctx, x.views, &m, &sw, 0); err != nil {
			return err
		}
	default:
		return err
	}
	// Nothing is written: it only asks whether something may be.
	if err = x.views.Commit(ctx, &redex.ViewBatch{}, 0); errors.Is(err, redex.ErrReadOnly) {
		readOnly = true
	} else if err != nil {
		return err
	}
	x.ctx, x.cancel = context.WithCancel(context.Background())
	x.sleep, x.kick = context.WithCancel(x.ctx)
	x.drv = driver{x: x, at: m, saved: m, swept: sw}
	p := &published{meta: m}
	if readOnly {
		p.end = &StoppedError{Index: x.def.Name, Log: x.def.Log, Seq: m.next, Cause: redex.ErrReadOnly}
		x.drv.end = p.end
	}
	x.pub.Store(p)
	if readOnly {
		close(x.done)
		return nil
	}
	opened = true
	release := x.release
	x.release = func() { forgo(); release() }
	if len(redacted) > 0 && m.next > m.from {
		x.drv.beginSweep(redacted, 0, nil)
	}
	go x.drv.run()
	return nil
}

func (x *Index) empty() meta {
	return meta{version: x.def.Version, from: x.def.From, store: x.store.ID(), log: x.log.ID(), epoch: x.store.Epoch(), next: x.def.From}
}

// metaKey is the key of where the index is.
var metaKey = []byte{keyMeta}

// readMeta returns where the index in a view is, if there is one. ErrUnusable means that what there is cannot be used.
func readMeta(v *redex.Views) (meta, bool, error) {
	b, err := v.Get(metaKey)
	switch {
	case errors.Is(err, redex.ErrCorrupt):
		return meta{}, true, fmt.Errorf("%w: %w", ErrUnusable, err)
	case err != nil || b == nil:
		return meta{}, false, err
	}
	m, err := parseMeta(b)
	if err != nil {
		return meta{}, true, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	return m, true, nil
}

// readSwept returns what of the erasures the index in a view has done.
func readSwept(v *redex.Views) (swept, error) {
	b, err := v.Get(sweptKey)
	if err == nil || errors.Is(err, redex.ErrCorrupt) {
		var s swept
		if err == nil {
			s, err = parseSwept(b)
		}
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrUnusable, err)
		}
		return s, err
	}
	return swept{}, err
}

// dropAll empties the view and leaves m in it, if that is not nil.
func dropAll(ctx context.Context, v *redex.Views, m *meta, sw *swept, derivedFrom redex.Ordinal) error {
	var b redex.ViewBatch
	b.DeleteRange(nil, nil)
	if m != nil {
		b.Set(metaKey, m.append(nil))
	}
	if sw != nil && *sw != (swept{}) {
		b.Set(sweptKey, sw.append(nil))
	}
	return v.Commit(ctx, &b, derivedFrom)
}

// Drop removes what a store holds of an index that is not open: ErrOpen when it is. Without an index of that name it does nothing.
func Drop(ctx context.Context, store *redex.Store, name string) error {
	v, release, err := claim(store, name)
	if err == nil {
		defer release()
		err = dropAll(ctx, v, nil, nil, 0)
	}
	if err != nil {
		return fmt.Errorf("index: drop %q: %w", name, err)
	}
	return nil
}

// sweptNow is swept of an empty index. Of one that lets nothing go it is the zero value, and not stored.
func (x *Index) sweptNow(erased int64, unpacked bool) swept {
	if x.def.Options.EventOf == nil {
		return swept{}
	}
	return swept{erased: erased, floor: x.log.Bounds().Floor, unpacked: unpacked}
}

// fits checks that a state is of this index as it is defined now, and of the history of the store and the log as they are now.
func (x *Index) fits(m *meta) error {
	unusable := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrUnusable}, args...)...)
	}
	if m.store != x.store.ID() {
		return unusable("it is of store %v", m.store)
	}
	if m.log != x.log.ID() {
		switch other, err := x.store.LogByID(m.log); {
		case err == nil:
			return fmt.Errorf("%w: %q", ErrOtherLog, other.Name())
		case errors.Is(err, redex.ErrLogDeleted), errors.Is(err, redex.ErrNoLog):
			return unusable("it is of log %d: %w", m.log, err)
		default:
			return err
		}
	}
	switch next := x.log.Bounds().Next; {
	case m.version != x.def.Version:
		return fmt.Errorf("%w: version %q, was %q", ErrChanged, x.def.Version, m.version)
	case m.from != x.def.From:
		return fmt.Errorf("%w: it began at sequence %d, not at %d", ErrChanged, m.from, x.def.From)
	case m.next > max(next, m.from):
		return unusable("it is ahead of the log: at %d of %d", m.next, next)
	case m.epoch > x.store.Epoch():
		return unusable("it is of epoch %d, the store of epoch %d", m.epoch, x.store.Epoch())
	}
	// Of an epoch that ended, only what was placed before the next one began is still there. Ordinal 0 is of sealed events, which
	// no epoch loses.
	epochs := x.store.Epochs()
	if epochs[0].Epoch > m.epoch+1 && m.ordinal > 0 {
		return unusable("the end of epoch %d is forgotten: %w", m.epoch, redex.ErrEpoch)
	}
	for _, e := range epochs {
		if e.Epoch > m.epoch && m.ordinal >= e.First {
			return unusable("it has what was lost at the end of epoch %d: %w", m.epoch, redex.ErrEpoch)
		}
	}
	return nil
}

// Name returns the index's name.
func (x *Index) Name() string { return x.def.Name }

// Lag is how far an index is behind its log.
type Lag struct {
	Next   redex.Seq // the first sequence that is not in the index
	End    redex.Seq // of the log: the sequence that its next event gets
	Events int64     // End - Next
}

// Lag returns how far the index is behind its log. It never waits.
func (x *Index) Lag() Lag {
	p := x.pub.Load()
	end := max(x.log.Bounds().Next, p.next)
	return Lag{Next: p.next, End: end, Events: int64(end - p.next)}
}

// Err returns why the index does not go on: a StoppedError, an error that is redex.ErrLogDeleted, ErrClosed; nil while it does.
func (x *Index) Err() error { return x.pub.Load().end }

// Stats are an index's counters and its condition.
type Stats struct {
	Lag
	Err       error // see Index.Err
	CommitErr error // of a commit that is tried again, as on a full disk; nil after a success
	Keys      int64 // exactly, as of Next
	Values    int64 // of all keys together
	Skipped   int64 // events that failed or could not be decoded, since the index began
	Lost      int64 // ranges that AcceptLost passed, since the index began

	Resumed bool  // Open went on from what the store held
	Rebuilt error // why Open dropped what the store held: ErrChanged or ErrUnusable
	Events  int64 // projected since Open
	Commits int64 // since Open

	Waiting     int   // waits that wait now
	WaitRefused int64 // waits refused with ErrTooManyWaiters
}

// Stats never waits for the index.
func (x *Index) Stats() Stats {
	p := x.pub.Load()
	return Stats{
		Lag: x.Lag(), Err: p.end, CommitErr: p.commitErr, Keys: p.keys, Values: p.values, Skipped: p.skipped, Lost: p.lost,
		Resumed: x.resumed, Rebuilt: x.rebuilt, Events: x.events.Load(), Commits: x.commits.Load(),
		Waiting: int(x.waits.n.Load()), WaitRefused: x.waits.refused.Load(),
	}
}

// Rebuild drops what the index holds and begins again at its first sequence, also when it had stopped. It returns when the old is
// gone; CatchUp waits for the new. Until then readers see what is there so far. When ctx ends first it may still happen.
func (x *Index) Rebuild(ctx context.Context) error {
	fail := func(err error) error { return fmt.Errorf("index: rebuild %q: %w", x.def.Name, err) }
	answer := make(chan error, 1)
	x.kickMu.Lock()
	x.rebuild = append(x.rebuild, answer)
	x.signal.Store(true)
	x.kick()
	x.kickMu.Unlock()
	select {
	case err := <-answer:
		if err != nil {
			return fail(err)
		}
		return nil
	case <-ctx.Done():
		return fail(ctx.Err())
	case <-x.done:
	}
	select {
	case err := <-answer: // in the last moment
		if err == nil {
			return nil
		}
		return fail(err)
	default:
		return fail(x.pub.Load().end)
	}
}

// Close commits what the index has, and ends its waits with ErrClosed. It is idempotent: later calls return what the first did.
// Close the index before its store, or what was not committed is projected again at the next Open.
func (x *Index) Close() error {
	x.closing.Do(func() {
		x.cancel()
		x.signal.Store(true)
		<-x.done
		x.closeErr = x.drv.closeErr
		if p := x.pub.Load(); !p.closed { // it had no driver any more
			x.publish(&published{meta: p.meta, end: ErrClosed, closed: true})
		}
		x.release()
	})
	return x.closeErr
}

// publish tells readers and those who wait.
func (x *Index) publish(p *published) {
	x.pub.Store(p)
	x.waits.wake(p.next, p.end != nil)
}
