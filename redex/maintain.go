package redex

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maintainer rewrites runs in the background: it merges small ones, moves what lives out of files that are mostly dead, compacts
// logs by key and takes redacted payloads out of their files. What there may be to do is noted by passes and rewrites.
type maintainer struct {
	mu   sync.Mutex    // one piece of work at a time; taken before seal.mu
	wait atomic.Int32  // who waits for mu in the foreground: then the background makes haste
	wake chan struct{} // of capacity 1

	dueMu  sync.Mutex
	logs   map[LogID]struct{}  // that got runs
	files  map[uint64]struct{} // of which less than half lives
	redact Ordinal             // of the newest redaction, while its event's bytes may be in the journal
	loose  map[uint64]struct{} // files to be packed
}

// noteLog takes note of what a pass did to a log.
func (m *maintainer) noteLog(d *sealedLog) {
	if d.deleted || d.madeRuns == 0 {
		return
	}
	m.dueMu.Lock()
	if m.logs == nil {
		m.logs = map[LogID]struct{}{}
	}
	m.logs[d.log.id] = struct{}{}
	m.dueMu.Unlock()
	m.kick()
}

// note takes note of the files that a pass or a rewrite left mostly dead.
func (m *maintainer) note(files []uint64) {
	if len(files) == 0 {
		return
	}
	m.dueMu.Lock()
	if m.files == nil {
		m.files = map[uint64]struct{}{}
	}
	for _, n := range files {
		m.files[n] = struct{}{}
	}
	m.dueMu.Unlock()
	m.kick()
}

// kick starts the work soon. It never blocks.
func (m *maintainer) kick() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// take returns what was noted, ascending, and forgets it.
func (m *maintainer) take() (logs []LogID, files []uint64) {
	m.dueMu.Lock()
	defer m.dueMu.Unlock()
	logs, files = slices.Sorted(maps.Keys(m.logs)), slices.Sorted(maps.Keys(m.files))
	m.logs, m.files = nil, nil
	return logs, files
}

// maintainLoop does the work in the background until the store is closed.
func (s *Store) maintainLoop() {
	defer s.wg.Done()
	var again, later <-chan time.Time
	q := quiet{s: s}
	for {
		select {
		case <-s.done:
			return
		case <-s.maintain.wake:
		case <-again:
		case <-later:
			later = s.repackTurn(&q)
			continue
		}
		again = nil
		if s.awaitLull(func() bool { return false }) != nil { // it can wait for as long as there is room
			return
		}
		s.maintain.mu.Lock()
		err := s.maintainDue(s.bg, &pacer{rate: s.o.MaintainRate, haste: &s.maintain.wait})
		s.maintain.mu.Unlock()
		if err != nil && s.closedErr() == nil {
			s.log.Error("redex: maintenance failed", "err", err)
			again = time.After(maintainRest) // there may be room then
		}
		if later == nil {
			later = s.repackTimer()
		}
	}
}

// maintainRest is how long the background waits after work that failed.
const maintainRest = 10 * time.Second

// Maintain does now what the store does in the background at its leisure: it seals, merges small runs, moves what lives out of row
// files of which less than half does, compacts logs by key that have grown enough, compresses anew what CompressAuto left, and takes
// redacted payloads off the disk.
// Damage that it meets stays where it is and is in the error; the other work is done.
func (s *Store) Maintain(ctx context.Context) error {
	if s.o.ReadOnly {
		return fmt.Errorf("maintain: %w", ErrReadOnly)
	}
	if err := s.Seal(ctx); err != nil {
		return fmt.Errorf("maintain: %w", err)
	}
	s.maintain.lock()
	defer s.maintain.mu.Unlock()
	err := errors.Join(s.maintainDue(ctx, nil), s.repackAll(ctx))
	if err == nil || errors.Is(err, ErrCorrupt) {
		err = errors.Join(err, s.sweepDerived(ctx))
	}
	if err != nil {
		return fmt.Errorf("maintain: %w", err)
	}
	return nil
}

// lock takes mu for one who waits in the foreground.
func (m *maintainer) lock() {
	m.wait.Add(1)
	m.mu.Lock()
	m.wait.Add(-1)
}

// maintainDue does what was noted. What it could not do, but for damage, is noted again. The caller has mu.
func (s *Store) maintainDue(ctx context.Context, pace *pacer) (err error) {
	m := &s.maintain
	logs, files := m.take()
	defer func() {
		if err != nil && !errors.Is(err, ErrCorrupt) && s.closedErr() == nil {
			m.putBack(logs, files)
		}
	}()
	var damage []error
	pass := func(err error) error {
		switch {
		case errors.Is(err, ErrCorrupt):
			damage = append(damage, err)
		case !errors.Is(err, ErrLogDeleted):
			return err
		}
		return nil
	}
	if err := pass(s.erase(ctx, pace)); err != nil {
		return err
	}
	if err := s.columns.sweep(); err != nil {
		return err
	}
	var merges []*rewriteTask
	var size int64
	flush := func() error {
		tasks := merges
		merges, size = nil, 0
		_, err := s.rewriteRuns(ctx, tasks, pace)
		return pass(err)
	}
	for _, id := range logs {
		l, err := s.byID(id)
		if err == nil && l != nil {
			_, err = s.compact(ctx, l, false, pace)
		}
		if err := pass(err); err != nil {
			return err
		}
		if l == nil {
			continue
		}
		tasks, err := s.mergeable(l)
		if err := pass(err); err != nil {
			return err
		}
		for _, t := range tasks {
			for i := range t.old {
				size += t.old[i].rec.raw
			}
			if merges = append(merges, t); size >= rewriteBytes {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	for _, n := range files {
		if err := pass(s.moveOut(ctx, n, pace, nil)); err != nil && !errors.Is(err, errGaveWay) {
			return err
		}
	}
	return errors.Join(damage...)
}

func (m *maintainer) putBack(logs []LogID, files []uint64) {
	m.dueMu.Lock()
	defer m.dueMu.Unlock()
	if m.logs == nil {
		m.logs = map[LogID]struct{}{}
	}
	if m.files == nil {
		m.files = map[uint64]struct{}{}
	}
	for _, id := range logs {
		m.logs[id] = struct{}{}
	}
	for _, n := range files {
		m.files[n] = struct{}{}
	}
}

// rewriteBytes is about how many bytes of events one rewrite takes.
const rewriteBytes = 32 << 20

// Runs are merged by size, as in a log-structured merge tree with tiers: when mergeRuns neighbours are each below a limit, they
// become one. With two limits a byte is written again twice at most on its way from a run of runBytes to one that stays.
const (
	mergeRuns   = 8
	mergeWindow = 64 // the newest runs that are looked at
)

var mergeLimits = [...]int64{512 << 10, 4 << 20}

// mergeable returns tasks that merge small runs of a log.
func (s *Store) mergeable(l *Log) ([]*rewriteTask, error) {
	runs, err := s.lastRuns(l.id, mergeWindow)
	if err != nil {
		return nil, err
	}
	for i := len(mergeLimits) - 1; i >= 0; i-- {
		var tasks []*rewriteTask
		for at := 0; at < len(runs); {
			n, raw := 0, int64(0)
			for ; at+n < len(runs) && runs[at+n].rec.raw < mergeLimits[i] && raw < rewriteBytes; n++ {
				if n > 0 && runs[at+n].first != runs[at+n-1].next() {
					break
				}
				raw += runs[at+n].rec.raw
			}
			if n >= mergeRuns {
				tasks = append(tasks, &rewriteTask{log: l, old: slices.Clone(runs[at : at+n])})
			}
			at += max(n, 1)
		}
		if len(tasks) > 0 {
			return tasks, nil
		}
	}
	return nil, nil
}

// lastRuns returns the last n runs of a log, ascending.
func (s *Store) lastRuns(id LogID, n int) ([]catalogRun, error) {
	it, err := s.kv.NewIter(logKeys(keyRun, id))
	if err != nil {
		return nil, s.wrap("catalog", err)
	}
	defer it.Close()
	var runs []catalogRun
	for ok := it.Last(); ok && len(runs) < n; ok = it.Prev() {
		v, err := it.Value()
		if err != nil {
			return nil, s.wrap("catalog", err)
		}
		rec, err := decodeRun(v)
		first, kerr := keySeq(it.Key())
		if err := errors.Join(err, kerr); err != nil {
			return nil, s.badRecord(it.Key(), err)
		}
		runs = append(runs, catalogRun{first, rec})
	}
	if err := it.Err(); err != nil {
		return nil, s.wrap("catalog", err)
	}
	slices.Reverse(runs)
	return runs, nil
}

// moveOut moves the runs that live in a file to another, without redacted payloads: if less than half of it lives, or if there are
// such payloads. It returns errGaveWay when some stayed because a pass changed them.
func (s *Store) moveOut(ctx context.Context, n uint64, pace *pacer, what redacted) error {
	_, ok, err := s.kv.Get(fileKey(n), nil)
	if err != nil {
		return s.wrap("catalog", err)
	}
	if !ok {
		return nil // it is gone
	}
	if rec, err := s.readFile(n); err != nil || what == nil && rec.dead <= rec.bytes/2 {
		return err
	}
	return s.moveRuns(ctx, n, pace, what)
}

// moveRuns is moveOut whatever lives in the file.
func (s *Store) moveRuns(ctx context.Context, n uint64, pace *pacer, what redacted) error {
	var tasks []*rewriteTask
	var size int64
	var damage error
	flush := func() error {
		_, err := s.rewriteRuns(ctx, tasks, pace)
		if errors.Is(err, ErrCorrupt) {
			damage, err = errors.Join(damage, err), nil
		} else if err == nil && slices.ContainsFunc(tasks, func(t *rewriteTask) bool { return !t.done }) {
			err = errGaveWay
		}
		tasks, size = nil, 0
		return err
	}
	file, err := s.rows.acquire(n)
	if err != nil {
		return err
	}
	defer func() { _ = s.rows.release(file) }() // only read from
	for info, err := range file.r.Runs() {
		if err != nil {
			return errors.Join(damage, fileError(s.rows.path(n), err))
		}
		first, rec, found, err := s.findRun(LogID(info.Log), Seq(info.First))
		switch {
		case errors.Is(err, ErrCorrupt):
			damage = errors.Join(damage, err)
			continue
		case err != nil:
			return err
		case !found || rec.file != n || rec.at != info.Location:
			continue
		}
		l, err := s.byID(LogID(info.Log))
		if err != nil || l == nil {
			damage = errors.Join(damage, err)
			continue
		}
		t := len(tasks) - 1
		if t < 0 || tasks[t].log != l || tasks[t].old[len(tasks[t].old)-1].next() != first {
			tasks = append(tasks, &rewriteTask{log: l})
			t++
		}
		tasks[t].old = append(tasks[t].old, catalogRun{first, rec})
		tasks[t].strip = append(tasks[t].strip, what.within(l.id, first, rec.last)...)
		if size += rec.raw; size >= rewriteBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return errors.Join(flush(), damage)
}

// noteAll notes at open what an earlier run of the program left to do: files that are mostly dead, and redactions.
func (s *Store) noteAll() error {
	var files, loose []uint64
	it, err := s.kv.NewIter([]byte{keyFile}, []byte{keyFile + 1})
	if err != nil {
		return s.wrap("catalog", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.Value()
		if err != nil {
			break // told by those who need it
		}
		n, kerr := keyLog(it.Key())
		rec, err := decodeFile(v)
		switch {
		case err != nil || kerr != nil:
		case rec.dead > rec.bytes/2:
			files = append(files, uint64(n))
		case s.o.Compression == CompressAuto && rec.loose():
			loose = append(loose, uint64(n))
		}
	}
	s.maintain.note(files)
	s.maintain.noteLoose(loose)
	redact, err := s.kv.NewIter([]byte{keyRedact}, []byte{keyRedact + 1})
	if err != nil {
		return s.wrap("catalog", err)
	}
	defer redact.Close()
	if redact.First() {
		s.maintain.setRedact(max(s.seal.applied, 1))
	}
	return nil
}

// pacer holds work in the background down to a rate. A nil one does not.
type pacer struct {
	rate  int64         // bytes a second
	haste *atomic.Int32 // not 0: do not wait
	busy  func() bool   // nil, or says that others have work, and takes a quarter of the rate
	start time.Time
	done  int64
}

// wait returns when n more bytes may be worked on, or why not.
func (p *pacer) wait(ctx context.Context, n int) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if p == nil || p.haste.Load() > 0 {
		return nil
	}
	if p.start.IsZero() {
		p.start = time.Now()
	}
	if p.done += int64(n); p.busy != nil && p.busy() {
		p.done += 3 * int64(n)
	}
	ahead := time.Duration(float64(p.done)/float64(p.rate)*float64(time.Second)) - time.Since(p.start)
	if ahead < 0 { // it was idle, or the machine is slow: that is not made up for
		p.start, p.done = time.Now(), 0
		return nil
	}
	if ahead < lullTime {
		return nil
	}
	t := time.NewTimer(ahead)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
