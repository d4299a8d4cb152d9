package redex

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
	"weak"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed69692123/netdb/redex/internal/kv"
	"github.com/seed69692123/netdb/redex/journal"
)

// Recovery says what Open found.
type Recovery struct {
	Clean       bool // the last writer closed the store, or there was none
	MayHaveLost bool // events that were visible and not durable may be gone; a new epoch has begun
	Replayed    int64
	Dropped     int64              // bytes at the end of the journal that were not complete frames
	Damage      []*CorruptionError // what was durable and cannot be read: frames, and records of logs that have events in the journal
}

// Recovery returns what Open found.
func (s *Store) Recovery() Recovery { return s.recovery }

// Open opens the store in dir, or creates it when dir does not exist or is empty. It returns ErrLocked while another has it
// open, ErrFormat for a directory that is not a store's or a newer one's (nothing is created in it then), ErrCorrupt when what
// must be there is damaged, ErrOptions.
//
// Network file systems are not supported, nor is use of a Store by a process that forked from the one that opened it.
func Open(ctx context.Context, dir string, o Options) (*Store, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s, err := open(ctx, dir, o, nil)
	if err != nil {
		return nil, fmt.Errorf("redex: open %s: %w", dir, err)
	}
	return s, nil
}

// OpenMemory makes a store that lives in memory and is gone with Close. Options.Disk is not used.
func OpenMemory(ctx context.Context, o Options) (*Store, error) {
	o.Disk = nil
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.ReadOnly {
		return nil, fmt.Errorf("%w: a store in memory cannot be read-only", ErrOptions)
	}
	mem := journal.MemFS()
	o.Disk = &Disk{Files: vfs.NewMem(), Journal: func(string) (journal.FS, error) { return mem, nil }}
	s, err := open(ctx, "/memory", o, nil)
	if err != nil {
		return nil, fmt.Errorf("redex: open store in memory: %w", err)
	}
	s.dir = ""
	return s, nil
}

// openLock locks a directory that exists.
func openLock(dir string, o Options) (interface{ Close() error }, error) {
	if o.Disk == nil {
		l, err := lockDir(dir, o.ReadOnly)
		if err != nil {
			return nil, err // not a nil *dirLock in an interface that is not nil
		}
		return l, nil
	}
	l, err := o.Disk.Files.Lock(o.Disk.Files.PathJoin(dir, lockName))
	if err != nil {
		return nil, errors.Join(&LockedError{Dir: dir}, err)
	}
	return l, nil
}

// open opens or creates a store. A seed is what a restored store begins with; dir must then be empty.
func open(ctx context.Context, dir string, o Options, seed *Seed) (_ *Store, err error) {
	o = o.withDefaults()
	s := &Store{o: o, dir: dir, log: o.Logger, done: make(chan struct{}), dirtyGen: 1}
	s.bg, s.stop = context.WithCancelCause(context.Background())
	s.seal.wake, s.retain.wake, s.maintain.wake = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{}, 1)
	clock := o.clock
	if clock == nil {
		clock = time.Now
	}
	s.now = func() int64 { return journal.UnixNano(clock()) }
	s.reg = &registry{logs: map[LogID]weak.Pointer[Log]{}, names: map[string]pendingName{}}
	var openJournal func(string) (journal.FS, error)
	s.fs = vfs.Default
	if o.Disk != nil {
		s.fs, openJournal = o.Disk.Files, o.Disk.Journal
	} else if s.dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	dir = s.dir
	defer func() {
		if err != nil {
			err = errors.Join(err, s.abandon())
		}
	}()
	state, _, err := inspectDir(s.fs, dir)
	if err != nil {
		return nil, err
	}
	switch {
	case seed != nil && state == dirStore:
		return nil, fmt.Errorf("%w: there is a store already", os.ErrExist)
	case o.ReadOnly && state != dirStore:
		return nil, fmt.Errorf("%w: no store to read", ErrFormat)
	case state != dirStore:
		if err := s.fs.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	if s.lock, err = openLock(dir, o); err != nil {
		return nil, err
	}
	state, id, err := inspectDir(s.fs, dir) // again: another may have made the store before the lock was ours
	if err != nil {
		return nil, err
	}
	if state != dirStore {
		if id = newIdentity(); seed != nil {
			id.store = seed.ID
		}
		if err := beginDir(s.fs, dir, id); err != nil {
			return nil, err
		}
	} else {
		for _, n := range []string{journalDir, rowsDir, catalogDir} {
			if _, err := s.fs.Stat(s.fs.PathJoin(dir, n)); err != nil {
				return nil, &CorruptionError{File: s.fs.PathJoin(dir, n), Err: err}
			}
		}
	}
	if o.Disk == nil {
		parts := []string{dir}
		for _, n := range []string{journalDir, rowsDir, catalogDir} {
			parts = append(parts, s.fs.PathJoin(dir, n))
		}
		p, err := newPlace(parts...)
		if err != nil {
			return nil, err
		}
		s.fs = &placedFS{s.fs, p}
		openJournal = func(dir string) (journal.FS, error) {
			fs, err := journal.OSFS(dir)
			return &placedJournal{fs, p}, err
		}
	}
	s.id, s.files = id.store, id.files
	s.rows = newRowFiles(s.fs, s.fs.PathJoin(dir, rowsDir), o.OpenFiles, o.CacheBytes*2/3)
	s.rows.owner = id.owner()
	s.columns = newColumns(s, s.fs.PathJoin(dir, columnsDir), id.owner())
	s.kv, err = kv.Open(s.fs, s.catalogPath(), kv.Options{
		ReadOnly: o.ReadOnly, MustExist: state == dirStore, CacheBytes: o.CacheBytes / 3, Logger: o.Logger,
		OnCorruption: func(e *kv.CorruptError) { s.log.Error("redex: catalog damaged", "err", e) },
		OnFailure:    func(err error) { s.log.Error("redex: catalog failed", "err", err) },
	})
	if errors.Is(err, kv.ErrLocked) {
		return nil, errors.Join(&LockedError{Dir: dir}, err)
	}
	if err != nil {
		return nil, s.wrap("catalog", err)
	}
	meta, err := s.readMeta(seed)
	if err != nil {
		return nil, err
	}
	jfs, err := openJournal(s.fs.PathJoin(dir, journalDir))
	if err != nil {
		return nil, err
	}
	if state != dirStore {
		if err := emptyJournal(jfs); err != nil {
			return nil, err
		}
	}
	if s.copied, err = s.isCheckpoint(); err != nil {
		return nil, err
	}
	if err := s.openJournal(ctx, jfs, meta, state == dirStore); err != nil {
		return nil, err
	}
	if state != dirStore {
		if err := s.j.Stats().DiskFull; err != nil { // a store has at least one segment
			return nil, s.wrap("journal", err)
		}
	}
	if seed != nil {
		return s, nil // its Restorer goes on
	}
	if state != dirStore {
		if err := finishDir(s.fs, dir); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(s.leaveCheckpoint(), s.removeCopies(), s.sweep()); err != nil {
		return nil, err
	}
	if !o.ReadOnly {
		if err := s.noteAll(); err != nil {
			return nil, err
		}
		s.wg.Add(2)
		go s.sealLoop()
		go s.retainLoop()
		if o.MaintainRate >= 0 {
			s.wg.Add(1)
			go s.maintainLoop()
		}
		s.seal.kick() // what was replayed may be enough for a pass
	}
	return s, nil
}

// abandon frees what a failed open holds.
func (s *Store) abandon() error {
	s.stop(ErrClosed)
	var errs []error
	if s.j != nil {
		errs = append(errs, s.j.Close())
	}
	if s.kv != nil {
		errs = append(errs, s.kv.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// readMeta reads the state of the catalog, which is empty in a new store.
func (s *Store) readMeta(seed *Seed) (metaRecord, error) {
	b, ok, err := s.kv.Get(metaKey(), nil)
	switch {
	case err != nil:
		return metaRecord{}, s.wrap("catalog", err)
	case ok:
		m, err := decodeMeta(b)
		if err != nil {
			return m, s.badRecord(metaKey(), err)
		}
		if m.files != s.files {
			return m, &ForeignFilesError{Path: s.catalogPath(), Want: s.files.String(), Have: m.files.String()}
		}
		return m, nil
	case seed != nil:
		return seed.meta(), nil
	}
	return metaRecord{nextLog: 1, nextFile: 1}, nil
}

// openJournal recovers the journal: what the catalog lacks is replayed into memory. One that must exist has a segment.
func (s *Store) openJournal(ctx context.Context, fs journal.FS, meta metaRecord, mustExist bool) error {
	s.nextLog, s.seal.nextLog = meta.nextLog, meta.nextLog
	s.seal.nextFile.Store(meta.nextFile)
	s.seal.applied, s.seal.flushed = meta.ordinal, meta.ordinal
	s.seal.ordinal.Store(uint64(meta.ordinal))
	known := make([]journal.EpochStart, len(meta.epochs))
	for i, e := range meta.epochs {
		known[i] = journal.EpochStart{Epoch: journal.Epoch(e.epoch), First: journal.Ordinal(e.first)}
	}
	o := journal.Options{
		Lock: &s.mu,
		Sync: journal.SyncPolicy{
			Mode: journal.SyncMode(s.o.Sync.Mode), Every: s.o.Sync.Every, Events: s.o.Sync.Events, Bytes: s.o.Sync.Bytes,
		},
		FirstSegmentBytes: min(1<<20, s.o.SegmentBytes), MaxSegmentBytes: s.o.SegmentBytes, LimitBytes: s.o.JournalBytes,
		ReadOnly: s.o.ReadOnly, Epochs: known, LastTime: meta.time, OnSync: s.durable.wake, ID: s.files, MustExist: mustExist, Now: s.o.clock,
	}
	r := &replay{s: s, last: meta.ordinal, time: meta.time}
	j, rec, err := journal.Open(ctx, fs, o, journal.Ordinal(meta.ordinal), r.frame)
	if err != nil {
		return s.wrap("journal", err)
	}
	s.j = j
	if Ordinal(rec.Last) < meta.ordinal && meta.ordinal > 0 && rec.Last > 0 && len(rec.Damage) == 0 {
		s.log.Warn("redex: the journal ends before the catalog", "journal", rec.Last, "catalog", meta.ordinal)
	}
	if (s.copied || lostInEpoch(j, rec.Damage) || len(r.damage) > 0) && !s.o.ReadOnly && !rec.NewEpoch {
		// The lost frames may have given sequences that nothing tells of any more, and that will be given again. Those of a copy are
		// given by the other store too.
		if _, err := j.NewEpoch(ctx); err != nil {
			return s.wrap("journal", err)
		}
	}
	s.epoch = Epoch(j.Epoch())
	for _, e := range j.Epochs() {
		s.epochs = append(s.epochs, epochStart{Epoch(e.Epoch), Ordinal(e.First)})
	}
	s.epochs = newestEpochs(s.epochs)
	s.recovery.Clean, s.recovery.MayHaveLost, s.recovery.Replayed = rec.Clean, rec.MayHaveLost, r.frames
	if rec.Cut != nil {
		s.recovery.Dropped = rec.Cut.Bytes
	}
	for _, d := range rec.Damage {
		s.recovery.Damage = append(s.recovery.Damage, s.damageError(d))
	}
	s.recovery.Damage = append(s.recovery.Damage, r.damage...)
	if err := r.finish(rec.Damage); err != nil {
		return err
	}
	s.publishLocked(max(r.last, Ordinal(j.Visible())), max(r.time, j.LastTime()))
	return s.cutCursors(ctx)
}

// lostInEpoch reports whether frames of the current epoch are damaged. When it began after all of them, their sequences will be
// given again in another epoch as it is: so it was when the damage was found the last time.
func lostInEpoch(j *journal.Journal, damage []journal.Damage) bool {
	epochs := j.Epochs()
	return slices.ContainsFunc(damage, func(d journal.Damage) bool { return d.To == 0 || d.To >= epochs[len(epochs)-1].First })
}

func (s *Store) damageError(d journal.Damage) *CorruptionError {
	which := fmt.Sprintf("frames %d to %d", d.From, d.To)
	if d.To == 0 {
		which = "the newest frames"
	}
	return &CorruptionError{File: s.journalPath(d.Err.File), Offset: d.Err.Offset, Err: fmt.Errorf("%s: %w", which, d.Err.Err)}
}

// replay brings frames that the catalog lacks into memory. It runs before anyone else has the store, so it takes the locks
// that the functions it calls want only where they say so.
type replay struct {
	s      *Store
	last   Ordinal // of the last frame
	time   int64
	frames int64
	lost   map[LogID]bool // logs whose creation was lost to damage
	gaps   []gap

	replaced int                // logs whose deletion was lost to damage
	orphans  int                // changes of consumers whose creation was
	rebuilt  map[LogID]bool     // logs whose records were
	damage   []*CorruptionError // of the catalog
}

// gap is a range of a log's sequences that the journal should hold and does not.
type gap struct {
	log     *Log
	ordinal Ordinal // of the frame after it
}

func (r *replay) frame(f journal.Frame) error {
	s := r.s
	for off := 0; off < len(f.Body); {
		p, next, err := nextPart(f.Body, off)
		if err == nil {
			err = r.part(f, p)
		}
		if err != nil {
			return &CorruptionError{File: s.fs.PathJoin(s.dir, journalDir), Offset: int64(uint32(f.Loc)), Err: fmt.Errorf("frame %d: %w", f.Ordinal, err)}
		}
		off = next
	}
	r.last, r.time = Ordinal(f.Ordinal), f.Time
	r.frames++
	s.placed += int64(len(f.Body)) + frameOverhead
	s.unsealed += int64(len(f.Body)) + frameOverhead
	if n := len(s.marks); n == 0 || s.placed-s.marks[n-1].placed >= s.o.SealBytes/4 {
		s.marks = append(s.marks, mark{r.last, r.time, s.placed})
	}
	return nil
}

func (r *replay) part(f journal.Frame, p part) error {
	s := r.s
	at := Ordinal(f.Ordinal)
	if p.typ == partCreate {
		name, o, err := decodeCatalogPart(p)
		if err != nil {
			return err
		}
		if p.log == 0 {
			return errors.New("log 0")
		}
		if err := r.replace(name, p.log, at); err != nil {
			return err
		}
		s.createLocked(name, p.log, o, at, f.Time)
		return nil
	}
	switch p.typ {
	case partEvents, partDelete, partSettings, partFloor, partRename, partRedact, partCursor:
	default:
		if p.flags&partOptional != 0 {
			return nil
		}
		return fmt.Errorf("%w: part of type %d", ErrFormat, p.typ)
	}
	l, err := r.log(p.log, at, f.Time)
	if err != nil {
		return err
	}
	switch p.typ {
	case partEvents:
		return r.events(f, p, l)
	case partDelete:
		s.deleteLocked(l, at)
	case partSettings:
		_, o, err := decodeCatalogPart(p)
		if err != nil {
			return err
		}
		l.setOptionsLocked(o, at)
	case partRename:
		name, _, err := decodeCatalogPart(p)
		if err != nil {
			return err
		}
		if err := r.replace(name, p.log, at); err != nil {
			return err
		}
		s.renameLocked(l, name, at)
	case partCursor:
		return r.cursor(p, l, at, f.Time)
	case partFloor:
		l.addChangeLocked(change{ordinal: at, typ: partFloor, floor: p.first})
		l.raiseFloor(p.first)
	case partRedact:
		if p.first >= l.next {
			return fmt.Errorf("sequence %d of log %d is redacted, the next is %d", p.first, p.log, l.next)
		}
		l.addChangeLocked(change{ordinal: at, typ: partRedact, floor: p.first})
		l.mask(p.first)
		s.maintain.setRedact(at)
	}
	return nil
}

// replace deletes the log that has the name that another is given: damage has taken the frame that deleted or renamed it.
func (r *replay) replace(name string, id LogID, at Ordinal) error {
	l, err := r.s.find(name)
	switch {
	case errors.Is(err, ErrCorrupt): // the new log's record takes the place of what cannot be read
		r.s.log.Error("redex: the record of an older log of the name is damaged", "log", name, "err", err)
		return nil
	case err != nil || l == nil:
		return err
	case l.id == id:
		return fmt.Errorf("log %d has the name %q already", id, name)
	}
	r.replaced++
	r.s.deleteLocked(l, at)
	return nil
}

// log returns a log that frames speak of. When damage has taken the frame that made it, it gets a name that says so.
func (r *replay) log(id LogID, at Ordinal, time int64) (*Log, error) {
	l, err := r.s.byID(id)
	if errors.Is(err, ErrCorrupt) {
		return r.rebuild(id, time, err)
	}
	if err != nil || l != nil {
		return l, err
	}
	if r.lost == nil {
		r.lost = map[LogID]bool{}
	}
	r.lost[id] = true
	return r.s.createLocked(recoveredName(id), id, LogOptions{}, at, time), nil
}

// events indexes the entries of a part.
func (r *replay) events(f journal.Frame, p part, l *Log) error {
	s := r.s
	r.resume(l, p.first)
	if l.gone || p.first < l.next {
		return fmt.Errorf("sequence %d of log %d, expected %d", p.first, p.log, l.next)
	}
	if p.first > l.next {
		r.gaps = append(r.gaps, gap{l, Ordinal(f.Ordinal)})
		// The span points to no damage yet: finish has it point to what the journal reports.
		l.addHotLocked(&span{first: l.next, count: uint32(p.first - l.next), ordinal: Ordinal(f.Ordinal), time: f.Time, damage: uint32(len(r.gaps))})
	}
	open := span{first: p.first, ordinal: Ordinal(f.Ordinal), time: f.Time, loc: f.Loc, off: uint32(p.off)}
	alone := p.count == 1 && p.off == partHeaderSize && len(f.Body) == p.off+len(p.data) && len(p.data) <= spanFramesBytes/2
	rest := p.data
	var ev Event
	for k := range p.count {
		headers, next, err := decodeEntry(rest, &ev)
		if err == nil && len(headers) > 0 {
			_, err = decodeHeaders(headers, nil)
		}
		if err != nil {
			return err
		}
		size := len(rest) - len(next)
		if open.count > 0 && (open.count == spanEntries || int(open.size)+size > spanBytes) {
			l.addHotLocked(&open)
			open.first, open.off, open.count, open.size = p.first+Seq(k), open.off+open.size, 0, 0
		}
		open.count++
		open.size += uint32(size)
		rest = next
		if ev.Idempotency != 0 {
			w := l.windows[ev.Origin]
			if w == nil {
				if w, err = s.keptWindow(l, ev.Origin); err != nil {
					return err
				}
				s.addWindowLocked(l, ev.Origin, w)
			}
			before := len(w.list)
			w.add(remembered{ev.Idempotency, p.first + Seq(k), Ordinal(f.Ordinal), f.Time})
			s.windows.numbers += len(w.list) - before
		}
	}
	if len(rest) != 0 {
		return fmt.Errorf("%d bytes after the entries", len(rest))
	}
	if alone {
		open.size, open.frames = uint32(journal.FrameBytes(len(f.Body))), true
	}
	l.addHotLocked(&open)
	l.next = p.first + Seq(p.count)
	return nil
}

// finish explains the gaps by the damage that the journal reports. A gap that no damage explains means that the store is not
// what was written.
func (r *replay) finish(damage []journal.Damage) error {
	s := r.s
	for _, g := range r.gaps {
		var cause *CorruptionError
		for _, d := range damage {
			if Ordinal(d.From) < g.ordinal {
				cause = s.damageError(d)
			}
		}
		if cause == nil {
			return &CorruptionError{Log: g.log.Name(), Seq: g.log.sealedNext(), File: s.fs.PathJoin(s.dir, journalDir), Err: fmt.Errorf("frames before %d are missing", g.ordinal)}
		}
		s.damages = append(s.damages, *cause)
	}
	if len(r.lost) > 0 && len(damage) == 0 {
		return &CorruptionError{File: s.fs.PathJoin(s.dir, journalDir), Err: fmt.Errorf("the frames that made %d logs are missing", len(r.lost))}
	}
	if r.replaced > 0 && len(damage) == 0 {
		return &CorruptionError{File: s.fs.PathJoin(s.dir, journalDir), Err: fmt.Errorf("the frames that deleted %d logs are missing", r.replaced)}
	}
	if r.orphans > 0 && len(damage) == 0 {
		return &CorruptionError{File: s.fs.PathJoin(s.dir, journalDir), Err: fmt.Errorf("%d changes of consumers that nothing made", r.orphans)}
	}
	return nil
}
