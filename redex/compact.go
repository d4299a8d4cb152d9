package redex

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/seed69692123/netdb/redex/sealed"
)

// Compaction keeps of each key the newest event only, as a log that is a table's history needs it. The zero value keeps all.
//
// What goes is older than another sealed event of its key. Events without a key stay, and so does the newest event of a log.
// Sequences stay what they are: a reader passes those that are gone, Read of one returns ErrCompacted. A reader that began before
// may still see them; one whose range ends before the newer event of a key may see neither. Store.PinCut holds that up.
type Compaction struct {
	ByKey bool
	// TombstonesFor is how long a tombstone stays, at least, after the events that it deletes were taken. So a reader that needs
	// less for the whole log never sees an event and misses its deletion (Kafka's delete.retention.ms, KIP-534). Compactions after
	// that take the tombstone too. Default 24 hours.
	TombstonesFor time.Duration
}

func (c Compaction) validate() error {
	if c.TombstonesFor < 0 {
		return fmt.Errorf("%w: negative TombstonesFor", ErrOptions)
	}
	if !c.ByKey && c.TombstonesFor != 0 {
		return fmt.Errorf("%w: TombstonesFor without ByKey", ErrOptions)
	}
	return nil
}

// defaultTombstones is the default of Compaction.TombstonesFor.
const defaultTombstones = 24 * time.Hour

// compactBytes is how many bytes of events that were not compacted together with the others start a compaction in the background,
// when those others are not more: so an event is written again about once each time its log doubles.
const compactBytes = 1 << 20

// compactKeys bounds the keys a compaction keeps in memory, at about 50 bytes each. A log that got more since the last one is
// compacted in several steps.
const compactKeys = 1 << 20

// keyHash names a key by 128 bits under random seeds: that two keys of a log have the same one does not happen.
type keyHash [2]uint64

// keyMap has the newest sequence of each key in a part of a log.
type keyMap struct {
	seeds  [2]maphash.Seed
	newest map[keyHash]Seq
}

func newKeyMap() *keyMap {
	return &keyMap{[2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, map[keyHash]Seq{}}
}

func (m *keyMap) hash(key []byte) keyHash {
	return keyHash{maphash.Bytes(m.seeds[0], key), maphash.Bytes(m.seeds[1], key)}
}

// Compact compacts the log by key now, whatever its size: everything visible at the call is sealed, and of each key the newest event
// is left. It returns how many events went. A log without Compaction.ByKey gets ErrOptions.
func (l *Log) Compact(ctx context.Context) (int64, error) {
	s := l.s
	fail := func(n int64, err error) (int64, error) { return n, fmt.Errorf("compact %q: %w", l.Name(), err) }
	if s.o.ReadOnly {
		return fail(0, ErrReadOnly)
	}
	if !l.Options().Compaction.ByKey {
		return fail(0, fmt.Errorf("%w: the log is not compacted by key", ErrOptions))
	}
	if err := s.Seal(ctx); err != nil {
		return fail(0, err)
	}
	s.maintain.lock()
	defer s.maintain.mu.Unlock()
	if err := s.rowsToRun(ctx, l); err != nil {
		return fail(0, err)
	}
	n, err := s.compact(ctx, l, true, nil)
	if err == nil {
		err = l.endErr()
	}
	if err != nil {
		return fail(n, err)
	}
	return n, nil
}

// rowsToRun has the rows that a log has in the catalog become a run.
func (s *Store) rowsToRun(ctx context.Context, l *Log) error {
	s.seal.mu.Lock()
	defer s.seal.mu.Unlock()
	l.mu.Lock()
	none := l.deleted || l.sealed.rowsFrom == l.sealed.next
	l.mu.Unlock()
	if none {
		return nil
	}
	l.toRun.Store(true)
	defer l.toRun.Store(false)
	for range 2 { // the first may have to finish an earlier pass
		s.mu.Lock()
		l.markDirtyLocked()
		s.mu.Unlock()
		if err := s.sealPass(ctx, s.seal.applied); err != nil {
			return err
		}
		l.mu.Lock()
		none := l.deleted || l.sealed.rowsFrom == l.sealed.next
		l.mu.Unlock()
		if none {
			break
		}
	}
	return nil
}

// compact compacts a log by key when it is due, or wanted. The caller has the maintainer's lock.
func (s *Store) compact(ctx context.Context, l *Log, wanted bool, pace *pacer) (dropped int64, err error) {
	c := l.Options().Compaction
	for c.ByKey {
		if err := l.endErr(); err != nil {
			return dropped, err
		}
		limit, pinned, err := s.compactLimit(ctx, l)
		if err != nil {
			return dropped, err
		}
		runs, err := s.runsOf(l.id)
		if err != nil {
			return dropped, err
		}
		l.mu.Lock()
		rec := l.sealed
		l.mu.Unlock()
		var fresh, old int64
		for i := range runs {
			if runs[i].rec.last >= rec.compacted {
				fresh += runs[i].rec.raw
			} else {
				old += runs[i].rec.raw
			}
		}
		if len(runs) == 0 || !wanted && (fresh < max(old, compactBytes) || limit <= rec.compacted) {
			return dropped, nil
		}
		k := &compaction{s: s, l: l, runs: runs, pace: pace, keys: newKeyMap(), from: rec.compacted, limit: limit}
		k.setHorizon(&rec, cmp.Or(c.TombstonesFor, defaultTombstones), pinned)
		n, err := k.do(ctx)
		dropped += n
		if errors.Is(err, errGaveWay) { // what the newer events supersede is not all gone: they are needed again
			continue
		}
		if err != nil || k.upTo >= limit || k.upTo <= rec.compacted {
			return dropped, err
		}
	}
	return dropped, nil
}

// runsOf returns the runs of a log, ascending.
func (s *Store) runsOf(id LogID) (runs []catalogRun, err error) {
	err = s.eachRun(id, 0, maxSeq, func(first Seq, _ []byte, rec runRecord) error {
		runs = append(runs, catalogRun{first, rec})
		return nil
	})
	return runs, err
}

// compaction is one step of the compaction of a log: its keys from one sequence up to another are taken into memory, and then all
// runs below the latter lose what those keys supersede.
type compaction struct {
	s     *Store
	l     *Log
	runs  []catalogRun
	pace  *pacer
	keys  *keyMap
	from  Seq  // what lies below was compacted together
	limit Seq  // what lies from here on supersedes nothing yet
	upTo  Seq  // how far this step goes
	kept  bool // a run could not be compacted: it may have what a tombstone deletes
	next  horizon
	tombs Seq // tombstones below go
}

// horizon is up to where, and when, a log was compacted: tombstones below have nothing to delete since.
type horizon struct {
	seq  Seq
	time int64
}

// setHorizon decides which tombstones go: those below the log's horizon, when that is older than they are to stay, and than every
// reader who holds a cut.
func (k *compaction) setHorizon(rec *logRecord, stay time.Duration, pinned int64) {
	now := k.s.now()
	k.next = rec.horizon
	switch h := rec.horizon; {
	case h.seq == 0 || h.time > now: // the clock was ahead: begin anew
		k.next = horizon{time: now}
	case now-h.time >= int64(stay) && h.time < pinned:
		k.tombs = h.seq
		k.next = horizon{time: now}
	}
}

func (k *compaction) do(ctx context.Context) (dropped int64, err error) {
	if err := k.read(ctx); err != nil {
		return 0, err
	}
	last := k.runs[len(k.runs)-1].rec.last // the newest event in a run stays: readers find their end by it
	var task *rewriteTask
	var size int64
	var damage error
	flush := func() error {
		t := task
		task, size = nil, 0
		if t == nil {
			return nil
		}
		n, err := k.s.rewriteRuns(ctx, []*rewriteTask{t}, k.pace)
		dropped += n
		if errors.Is(err, ErrCorrupt) {
			damage, err = errors.Join(damage, err), nil
		} else if err == nil && !t.done {
			err = errGaveWay
		}
		k.kept = k.kept || !t.done
		return err
	}
	for i := range k.runs {
		run := &k.runs[i]
		if run.first >= k.upTo {
			break
		}
		any, err := k.dropsAny(ctx, run, last)
		if errors.Is(err, ErrCorrupt) {
			damage, k.kept, any = errors.Join(damage, err), true, false
		} else if errors.Is(err, errMoved) {
			any, k.kept = false, true // given up meanwhile
		} else if err != nil {
			return dropped, err
		}
		if task != nil && (!any || task.old[len(task.old)-1].next() != run.first || size >= rewriteBytes) {
			if err := flush(); err != nil {
				return dropped, err
			}
		}
		if !any {
			continue
		}
		if task == nil {
			kept := k.kept
			task = &rewriteTask{log: k.l, drop: func(r *sealed.Row) bool { return k.drops(r, last, kept) }}
		}
		task.old = append(task.old, *run)
		size += run.rec.raw
	}
	if err := flush(); err != nil {
		return dropped, err
	}
	if k.next.seq == 0 && !k.kept {
		k.next = horizon{k.upTo, k.s.now()}
	}
	_, err = k.s.rewriteRuns(ctx, []*rewriteTask{{log: k.l, compacted: k.upTo, horizon: k.next}}, nil)
	return dropped, errors.Join(err, damage)
}

// read takes the keys from from on into memory, up to limit, or until there are compactKeys.
func (k *compaction) read(ctx context.Context) error {
	k.upTo = k.limit
	for i := range k.runs {
		run := &k.runs[i]
		if run.rec.last < k.from {
			continue
		}
		if run.first >= k.limit || len(k.keys.newest) >= compactKeys {
			k.upTo = min(run.first, k.limit)
			break
		}
		err := k.each(ctx, run, k.from, k.limit, func(r *sealed.Row) bool {
			if r.Key != nil {
				k.keys.newest[k.keys.hash(r.Key)] = Seq(r.Seq)
			}
			return true
		})
		if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, errMoved) {
			return err
		}
	}
	return nil
}

// each calls f for the rows of a run in [from, to) until it returns false.
func (k *compaction) each(ctx context.Context, run *catalogRun, from, to Seq, f func(*sealed.Row) bool) (err error) {
	if run.rec.file == 0 {
		return nil
	}
	file, r, err := k.s.openRun(k.l.id, run.first, &run.rec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.s.rows.release(file)) }()
	c := r.Cursor(uint64(from), uint64(to))
	for c.NextBlock() {
		b, at, end := c.Block()
		if err := k.pace.wait(ctx, len(b.Seq)*16+int(b.SizeBytes())); err != nil {
			return err
		}
		for ; at < end; at++ {
			if c.Next(); !f(c.Row()) {
				return nil
			}
		}
	}
	if err := c.Err(); err != nil {
		return quarantine(fileError(k.s.rows.path(run.rec.file), err), run.first, run.next())
	}
	return nil
}

// dropsAny reports whether a run has what goes.
func (k *compaction) dropsAny(ctx context.Context, run *catalogRun, last Seq) (any bool, err error) {
	err = k.each(ctx, run, 0, math.MaxInt64, func(r *sealed.Row) bool {
		any = k.drops(r, last, k.kept)
		return !any
	})
	return any, err
}

// drops reports whether an event goes.
func (k *compaction) drops(r *sealed.Row, last Seq, kept bool) bool {
	seq := Seq(r.Seq)
	if r.Key == nil || seq >= k.upTo || seq == last {
		return false
	}
	if newest, ok := k.keys.newest[k.keys.hash(r.Key)]; ok && newest > seq {
		return true
	}
	return r.Flags&rowTombstone != 0 && seq < k.tombs && !kept
}

// pins are the cuts that readers hold.
type pins struct {
	mu   sync.Mutex
	cuts map[int]Cut
	id   int
}

// PinCut returns the present moment, and keeps compaction from taking events for the sake of later ones until unpin is called, which
// is idempotent: so who reads up to the cut finds the newest event of each key before it.
func (s *Store) PinCut() (c Cut, unpin func()) {
	p := &s.pins
	p.mu.Lock()
	defer p.mu.Unlock()
	c = s.Cut()
	p.id++
	id := p.id
	if p.cuts == nil {
		p.cuts = map[int]Cut{}
	}
	p.cuts[id] = c
	return c, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.cuts, id)
	}
}

// compactLimit returns the first sequence that supersedes nothing yet, because it is not sealed, or beyond a pinned cut, and the
// time of the first of those cuts.
func (s *Store) compactLimit(ctx context.Context, l *Log) (limit Seq, pinned int64, err error) {
	s.pins.mu.Lock()
	l.mu.Lock()
	limit = l.sealed.rowsFrom
	l.mu.Unlock()
	pinned = math.MaxInt64
	cuts := slices.Collect(maps.Values(s.pins.cuts))
	s.pins.mu.Unlock()
	if len(cuts) > 0 {
		least := slices.MinFunc(cuts, func(a, b Cut) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
		b, err := l.BoundsAt(ctx, least)
		if err != nil {
			return 0, 0, err
		}
		limit, pinned = min(limit, b.Next), least.Time
	}
	return limit, pinned, nil
}
