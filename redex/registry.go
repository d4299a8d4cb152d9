package redex

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"weak"

	"github.com/seed69692123/netdb/redex/journal"
)

// A Log is in memory while someone holds it: a caller, a cursor or tail, the list of logs with unsealed changes. The registry
// holds weak pointers, so a million idle logs cost nothing, and two holders of one log always have the same Log.

// registry finds logs. The runtime keeps it for the cleanups of logs, so there must be no way from it to a Log that keeps that
// alive: neither could ever be freed.
type registry struct {
	sync.Mutex
	logs  map[LogID]weak.Pointer[Log]
	names map[string]pendingName // changes of names that the catalog lacks
}

// newLogLocked makes a Log from its record and registers it. The registry's lock must be held.
func (s *Store) newLogLocked(name string, rec logRecord) *Log {
	l := &Log{s: s, id: rec.id, created: rec.created, next: rec.next, floor: rec.floor, sealed: rec, named: name}
	l.name.Store(&name)
	l.checkJSON.Store(rec.options.CheckJSON)
	l.options.Store(&rec.options)
	l.quota = rec.options.quota()
	if rec.redact > 0 {
		var err error
		if l.masked, err = s.redactions(rec.id, maxSeq); err != nil { // rather too little is shown than too much
			s.log.Error("redex: redactions of a log cannot be read: none of its payloads are shown", "log", name, "err", err)
			l.maskAll = true
		}
	}
	s.reg.logs[rec.id] = weak.Make(l)
	runtime.AddCleanup(l, s.reg.forget, rec.id)
	return l
}

// forget takes a Log that nobody holds any more out of the registry, unless it was made anew meanwhile.
func (r *registry) forget(id LogID) {
	r.Lock()
	defer r.Unlock()
	if p, ok := r.logs[id]; ok && p.Value() == nil {
		delete(r.logs, id)
	}
}

// liveLocked returns the Log of an id if it is in memory.
func (s *Store) liveLocked(id LogID) *Log {
	p, ok := s.reg.logs[id]
	if !ok {
		return nil
	}
	return p.Value()
}

// readLog reads the record of a name from the catalog.
func (s *Store) readLog(name string) (logRecord, bool, error) {
	b, ok, err := s.kv.Get(nameKey(name), nil)
	if err != nil || !ok {
		if err != nil {
			err = s.wrap("catalog", err)
		}
		return logRecord{}, false, err
	}
	rec, err := decodeLog(b)
	if err != nil {
		return rec, false, s.badRecord(nameKey(name), err)
	}
	return rec, true, nil
}

// Log returns the log of that name, or ErrNoLog.
func (s *Store) Log(name string) (*Log, error) {
	l, err := s.find(name)
	if err == nil && l == nil {
		err = fmt.Errorf("open %q: %w", name, ErrNoLog)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// find returns the log of that name, or nil.
func (s *Store) find(name string) (*Log, error) {
	if err := s.closedErr(); err != nil {
		return nil, fmt.Errorf("open %q: %w", name, err)
	}
	s.reg.Lock()
	defer s.reg.Unlock()
	if p, ok := s.reg.names[name]; ok {
		if p.id == 0 {
			return nil, nil
		}
		return s.liveLocked(p.id), nil // on the list of dirty logs, so held
	}
	rec, ok, err := s.readLog(name)
	if err != nil || !ok {
		return nil, err
	}
	if l := s.liveLocked(rec.id); l != nil {
		return l, nil
	}
	return s.newLogLocked(name, rec), nil
}

// LogByID returns the log with that id: ErrLogDeleted if there was one, ErrNoLog if there never was.
func (s *Store) LogByID(id LogID) (*Log, error) {
	if err := s.closedErr(); err != nil {
		return nil, fmt.Errorf("open log %d: %w", id, err)
	}
	l, err := s.byID(id)
	switch {
	case err != nil:
		return nil, err
	case l != nil:
		if err := l.endErr(); err != nil {
			return nil, fmt.Errorf("open log %d: %w", id, err)
		}
		return l, nil
	}
	s.mu.Lock()
	next := s.nextLog
	s.mu.Unlock()
	if id != 0 && id < next {
		return nil, fmt.Errorf("open log %d: %w", id, ErrLogDeleted)
	}
	return nil, fmt.Errorf("open log %d: %w", id, ErrNoLog)
}

// byID returns the log with that id, or nil.
func (s *Store) byID(id LogID) (*Log, error) {
	s.reg.Lock()
	defer s.reg.Unlock()
	if l := s.liveLocked(id); l != nil {
		return l, nil
	}
	b, ok, err := s.kv.Get(idKey(id), nil)
	if err != nil {
		return nil, s.wrap("catalog", err)
	}
	if !ok {
		return nil, nil
	}
	name := string(b)
	rec, ok, err := s.readLog(name)
	if err != nil {
		return nil, err
	}
	if !ok || rec.id != id {
		return nil, s.badRecord(idKey(id), fmt.Errorf("%w: name %q is not this log's", errRecord, name))
	}
	return s.newLogLocked(name, rec), nil
}

// Create makes a log. It returns ErrName, ErrLogExists. The log is as durable as the store's policy says.
func (s *Store) Create(ctx context.Context, name string, o LogOptions) (*Log, error) {
	l, made, err := s.create(ctx, name, o)
	if err != nil {
		return nil, err
	}
	if !made {
		return nil, fmt.Errorf("create %q: %w", name, ErrLogExists)
	}
	return l, nil
}

// OpenLog returns the log of that name and makes it when it does not exist. Options apply only to a log that is made.
func (s *Store) OpenLog(ctx context.Context, name string, o LogOptions) (*Log, error) {
	if l, err := s.find(name); l != nil || err != nil {
		return l, err
	}
	l, _, err := s.create(ctx, name, o)
	return l, err
}

// create makes the log of that name, or returns the one there is.
func (s *Store) create(ctx context.Context, name string, o LogOptions) (l *Log, made bool, err error) {
	if err := errors.Join(CheckName(name), o.validate()); err != nil {
		return nil, false, err
	}
	s.createMu.Lock()
	l, err = s.find(name)
	if err != nil || l != nil {
		s.createMu.Unlock()
		return l, false, err
	}
	var placed Ordinal
	err = s.catalogFrame(ctx, func() ([]byte, error) {
		if s.closed {
			return nil, ErrClosed
		}
		return appendCreate(nil, s.nextLog, name, o), nil
	}, func(p journal.Placed) {
		placed = Ordinal(p.Ordinal)
		l = s.createLocked(name, s.nextLog, o, placed, p.Time)
	})
	s.createMu.Unlock()
	if err != nil {
		return nil, false, fmt.Errorf("create %q: %w", name, err)
	}
	if err := s.settle(ctx, DurableByPolicy, placed); err != nil {
		return nil, false, &InDoubtError{Position: Position{Store: s.id, Log: l.id, Epoch: s.epoch, Ordinal: placed}, Err: err}
	}
	return l, true, nil
}

// createLocked brings a log into memory that a frame made.
func (s *Store) createLocked(name string, id LogID, o LogOptions, ordinal Ordinal, time int64) *Log {
	s.nextLog = max(s.nextLog, id+1)
	s.reg.Lock()
	l := s.newLogLocked(name, logRecord{id: id, options: o, created: time})
	s.reg.names[name] = pendingName{id, ordinal}
	s.reg.Unlock()
	l.addChangeLocked(change{ordinal: ordinal, typ: partCreate, options: o})
	return l
}

// addChangeLocked notes a change that sealing is to write to the catalog.
func (l *Log) addChangeLocked(c change) {
	l.mu.Lock()
	l.changes = append(l.changes, c)
	l.mu.Unlock()
	l.markDirtyLocked()
}

// catalogFrame places a frame that changes the catalog. body and apply are called under the append lock, body perhaps more
// than once. It does not wait for durability.
func (s *Store) catalogFrame(ctx context.Context, body func() ([]byte, error), apply func(journal.Placed)) error {
	if s.o.ReadOnly {
		return ErrReadOnly
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.mu.Lock()
		b, err := body()
		if err != nil {
			s.mu.Unlock()
			return err
		}
		jb := journal.Body{Head: b}
		var placed journal.Placed
		if err = s.j.TryAppendLocked(&jb, &placed); err == nil {
			apply(placed)
			s.placedLocked(placed, len(b))
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		if !errors.Is(err, journal.ErrBusy) {
			return s.wrap("append", err)
		}
		if err := s.waitReady(ctx, jb); err != nil {
			return err
		}
	}
}

// changeLog places a frame that changes one log. It returns when the change is as durable as the policy says.
func (s *Store) changeLog(ctx context.Context, op string, l *Log, body func() ([]byte, error), apply func(Ordinal)) error {
	var placed Ordinal
	err := s.catalogFrame(ctx, func() ([]byte, error) {
		switch {
		case s.closed:
			return nil, ErrClosed
		case l.gone:
			return nil, ErrLogDeleted
		}
		return body()
	}, func(p journal.Placed) {
		placed = Ordinal(p.Ordinal)
		apply(placed)
	})
	if err != nil {
		return fmt.Errorf("%s %q: %w", op, l.Name(), err)
	}
	l.wakeTails() // one that apply woke may have looked before the frame was visible; followers wait for the lock it is under
	if err := s.settle(ctx, DurableByPolicy, placed); err != nil {
		return &InDoubtError{Position: Position{Store: s.id, Log: l.id, Epoch: s.epoch, Ordinal: placed}, Err: err}
	}
	return nil
}

// Delete deletes a log. Readers of it get ErrLogDeleted. A log that is made again under the name is another one.
func (s *Store) Delete(ctx context.Context, name string) error {
	l, err := s.Log(name)
	if err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	err = s.changeLog(ctx, "delete", l, func() ([]byte, error) {
		if l.Name() != name { // renamed meanwhile
			return nil, ErrNoLog
		}
		return appendPart(nil, partDelete, l.id, l.next, 0), nil
	}, func(o Ordinal) {
		s.deleteLocked(l, o)
	})
	if l.endErr() != nil {
		s.consumers.logDeleted(l.id)
	}
	return err
}

// deleteLocked takes a log away that a frame deleted.
func (s *Store) deleteLocked(l *Log, o Ordinal) {
	l.gone = true
	s.reg.Lock()
	s.reg.names[l.Name()] = pendingName{0, o}
	s.reg.Unlock()
	l.addChangeLocked(change{ordinal: o, typ: partDelete})
	l.mu.Lock()
	l.deleted = true
	l.mu.Unlock()
	l.wake()
}

// Rename gives a log another name: ErrName, ErrNoLog, ErrLogExists. Handles stay good, readers and positions notice nothing, the
// old name is free. Whatever knows the log by name, a fold's definition or a view, has to be told by its owner.
func (s *Store) Rename(ctx context.Context, from, to string) error {
	if err := CheckName(to); err != nil {
		return fmt.Errorf("rename %q: %w", from, err)
	}
	s.createMu.Lock()
	l, placed, err := s.rename(ctx, from, to)
	s.createMu.Unlock()
	if err != nil {
		return fmt.Errorf("rename %q to %q: %w", from, to, err)
	}
	if err := s.settle(ctx, DurableByPolicy, placed); err != nil {
		return &InDoubtError{Position: Position{Store: s.id, Log: l.id, Epoch: s.epoch, Ordinal: placed}, Err: err}
	}
	return nil
}

func (s *Store) rename(ctx context.Context, from, to string) (l *Log, placed Ordinal, err error) {
	if l, err = s.Log(from); err != nil {
		return nil, 0, err
	}
	if other, err := s.find(to); err != nil || other != nil {
		return nil, 0, cmp.Or(err, ErrLogExists)
	}
	err = s.catalogFrame(ctx, func() ([]byte, error) {
		switch {
		case s.closed:
			return nil, ErrClosed
		case l.gone:
			return nil, ErrLogDeleted
		}
		return appendRename(nil, l.id, to), nil
	}, func(p journal.Placed) {
		placed = Ordinal(p.Ordinal)
		s.renameLocked(l, to, placed)
	})
	return l, placed, err
}

// renameLocked gives a log the name that a frame gave it.
func (s *Store) renameLocked(l *Log, name string, o Ordinal) {
	s.reg.Lock()
	s.reg.names[l.Name()] = pendingName{0, o}
	s.reg.names[name] = pendingName{l.id, o}
	l.name.Store(&name)
	s.reg.Unlock()
	l.addChangeLocked(change{ordinal: o, typ: partRename, name: name})
}

// SetOptions replaces a log's options.
func (s *Store) SetOptions(ctx context.Context, name string, o LogOptions) error {
	if err := o.validate(); err != nil {
		return fmt.Errorf("set options of %q: %w", name, err)
	}
	l, err := s.Log(name)
	if err != nil {
		return fmt.Errorf("set options: %w", err)
	}
	return s.changeLog(ctx, "set options of", l, func() ([]byte, error) {
		return appendSettings(nil, l.id, o), nil
	}, func(at Ordinal) {
		l.setOptionsLocked(o, at)
		if o.Retention.any() {
			s.retain.kick(l.id)
		}
	})
}

func (l *Log) setOptionsLocked(o LogOptions, at Ordinal) {
	l.checkJSON.Store(o.CheckJSON)
	l.options.Store(&o)
	l.quota = o.quota()
	l.addChangeLocked(change{ordinal: at, typ: partSettings, options: o})
}

// Trim gives up the events of a log below sequence before, which is at most the next one. Readers behind it get ErrRangeLost.
// It is durable when Trim returns, whatever the policy; the room is given back with sealing. A floor never goes down.
func (l *Log) Trim(ctx context.Context, before Seq) error {
	s := l.s
	var placed Ordinal
	err := s.changeLog(ctx, "trim", l, func() ([]byte, error) {
		if before > l.next {
			return nil, fmt.Errorf("below sequence %d: %w", before, ErrNoEvent)
		}
		return appendPart(nil, partFloor, l.id, before, 0), nil
	}, func(o Ordinal) {
		placed = o
		l.addChangeLocked(change{ordinal: o, typ: partFloor, floor: before})
	})
	if err != nil {
		return err
	}
	// What cannot be undone waits for durability: until then readers have the events, and so they have after a crash.
	if err := s.SyncTo(ctx, placed); err != nil {
		return &InDoubtError{Position: Position{Store: s.id, Log: l.id, Epoch: s.epoch, Ordinal: placed}, Err: err}
	}
	l.raiseFloor(before)
	return nil
}

// raiseFloor lets readers see a floor that is durable.
func (l *Log) raiseFloor(floor Seq) {
	l.mu.Lock()
	l.floor = max(l.floor, floor)
	l.mu.Unlock()
	l.wake()
}

// LogInfo describes a log.
type LogInfo struct {
	ID      LogID
	Name    string
	Options LogOptions
	Created int64 // Unix nanoseconds
	Bounds  Bounds
	// Compacted says that compaction by key took events, Events how many are left: fewer by those it took below the floor, until
	// their run goes.
	Compacted bool
	Events    int64
}

// count fills in Compacted and Events.
func (i *LogInfo) count(rec *logRecord) {
	i.Compacted, i.Events = rec.gone > 0, max(i.Bounds.Len()-rec.gone, 0)
}

// listPage is how many names are read from the catalog at a time.
const listPage = 256

// Logs returns the logs whose names begin with prefix, in name order. It reads the catalog page by page: logs made or deleted
// during the iteration may be in it or not, all others are, once.
func (s *Store) Logs(prefix string) iter.Seq2[LogInfo, error] {
	return func(yield func(LogInfo, error) bool) {
		if err := s.closedErr(); err != nil {
			yield(LogInfo{}, fmt.Errorf("list logs: %w", err))
			return
		}
		// Names that the catalog lacks come first into view: what is sealed meanwhile is then seen here, or there, or both.
		s.reg.Lock()
		pending := make(map[string]bool)
		var names []string
		for n, p := range s.reg.names {
			if strings.HasPrefix(n, prefix) {
				pending[n] = true
				if p.id != 0 {
					names = append(names, n)
				}
			}
		}
		s.reg.Unlock()
		slices.Sort(names)
		from, end := nameKey(prefix), prefixEnd(nameKey(prefix))
		for {
			page, next, err := s.listPage(from, end)
			if err != nil {
				yield(LogInfo{}, fmt.Errorf("list logs: %w", err))
				return
			}
			for _, info := range page {
				for len(names) > 0 && names[0] < info.Name {
					if !s.yieldPending(names[0], yield) {
						return
					}
					names = names[1:]
				}
				if !pending[info.Name] && !yield(info, nil) {
					return
				}
			}
			if next == nil {
				break
			}
			from = next
		}
		for _, n := range names {
			if !s.yieldPending(n, yield) {
				return
			}
		}
	}
}

func (s *Store) yieldPending(name string, yield func(LogInfo, error) bool) bool {
	l, err := s.find(name)
	switch {
	case err != nil:
		yield(LogInfo{}, fmt.Errorf("list logs: %w", err))
		return false
	case l == nil: // deleted meanwhile
		return true
	}
	return yield(l.Info(), nil)
}

// Info describes the log.
func (l *Log) Info() LogInfo {
	visible := Ordinal(l.s.visible.Load())
	l.mu.Lock()
	defer l.mu.Unlock()
	i := LogInfo{ID: l.id, Name: l.Name(), Options: l.Options(), Created: l.created, Bounds: l.boundsLocked(visible)}
	i.count(&l.sealed)
	return i
}

// listPage reads a page of names from the catalog, and says where the next one begins, or nil.
func (s *Store) listPage(from, end []byte) (page []LogInfo, next []byte, err error) {
	it, err := s.kv.NewIter(from, end)
	if err != nil {
		return nil, nil, s.wrap("catalog", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if len(page) == listPage {
			return page, slices.Clone(it.Key()), nil
		}
		v, err := it.Value()
		if err != nil {
			return nil, nil, s.wrap("catalog", err)
		}
		rec, err := decodeLog(v)
		if err != nil {
			return nil, nil, s.badRecord(it.Key(), err)
		}
		info := LogInfo{ID: rec.id, Name: string(it.Key()[1:]), Options: rec.options, Created: rec.created, Bounds: Bounds{rec.floor, rec.next}}
		info.count(&rec)
		s.reg.Lock()
		l := s.liveLocked(rec.id)
		s.reg.Unlock()
		if l != nil {
			name := info.Name
			info = l.Info()
			info.Name = name // if it gets another, that is listed or not, as those of logs made meanwhile
		}
		page = append(page, info)
	}
	if err := it.Err(); err != nil {
		return nil, nil, s.wrap("catalog", err)
	}
	return page, nil, nil
}
