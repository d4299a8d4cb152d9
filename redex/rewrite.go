package redex

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed69692123/netdb/redex/sealed"
)

// A rewrite reads runs, which are neighbours in their log, and writes what is to stay of them to a new row file. It is how runs
// are merged, moved out of files that are mostly dead, compacted by key and freed of redacted payloads.
//
// It reads and writes without a lock, from files that do not change, and then takes the lock of the passes and looks whether the
// catalog still names what it has read: a pass may have given up runs meanwhile, or the log. What it does to the catalog is one
// batch, which moves no ordinal. As with a pass the file is durable before the batch, the batch is flushed before files are removed
// that nothing lives in any more, and a file that the catalog does not name is removed at open.
type rewrite struct {
	s     *Store
	tasks []*rewriteTask // ascending by log, then sequence
	pace  *pacer         // nil: as fast as it goes
	p     *pass
	row   sealed.Row
}

// rewriteTask is a rewrite of runs that are neighbours.
type rewriteTask struct {
	log    *Log
	old    []catalogRun // ascending; each begins where the one before ends
	drop   func(*sealed.Row) bool
	strip  []Seq // whose payload and headers go, ascending
	redact []Seq // whose payloads are in no file any more, ascending: their records go
	// Of compaction: what the log's record says afterwards.
	compacted Seq
	horizon   horizon

	made    []catalogRun
	dropped int64
	done    bool
}

// catalogRun is a run as the catalog names it.
type catalogRun struct {
	first Seq
	rec   runRecord
}

// next returns the sequence after the last one the run answers for.
func (r *catalogRun) next() Seq { return r.rec.last + 1 }

// errGaveWay is returned by a rewrite whose runs were changed by a pass meanwhile.
var errGaveWay = errors.New("runs changed meanwhile")

// rewriteRuns does the tasks, which are ascending by log and sequence, and returns how many events they dropped. Damage of the runs
// of a task leaves them as they are, and is returned after the other tasks are done.
func (s *Store) rewriteRuns(ctx context.Context, tasks []*rewriteTask, pace *pacer) (dropped int64, err error) {
	w := &rewrite{s: s, pace: pace, p: &pass{s: s, batch: s.kv.NewBatch(), files: map[uint64]fileChange{}, rewrites: true}}
	defer func() { err = errors.Join(err, w.p.batch.Close()) }()
	var damage error
	for _, t := range tasks {
		terr := w.task(ctx, t)
		switch {
		case terr == nil:
			w.tasks = append(w.tasks, t)
		case errors.Is(terr, ErrCorrupt):
			damage = errors.Join(damage, fmt.Errorf("log %q: %w", t.log.Name(), terr))
		case errors.Is(terr, errMoved): // a pass gave them up
		default:
			return 0, errors.Join(terr, w.p.abandon())
		}
	}
	if len(w.tasks) == 0 {
		return 0, errors.Join(damage, w.p.abandon())
	}
	if err := w.p.finishFile(); err != nil {
		return 0, errors.Join(err, w.p.abandon())
	}
	if err := w.commit(ctx); err != nil {
		return 0, errors.Join(damage, err)
	}
	for _, t := range w.tasks {
		t.done = true
		dropped += t.dropped
	}
	return dropped, damage
}

// task writes what stays of the runs of a task.
func (w *rewrite) task(ctx context.Context, t *rewriteTask) error {
	if len(t.old) == 0 {
		return nil
	}
	b := runBuilder{w: w, t: t, first: t.old[0].first}
	for i := range t.old {
		if err := w.run(ctx, &b, &t.old[i]); err != nil {
			if b.open { // what it holds is never named
				_, eerr := w.p.w.EndRun()
				err = errors.Join(err, eerr)
			}
			return err
		}
	}
	return b.end(t.old[len(t.old)-1].rec.last)
}

// run adds the rows of one run.
func (w *rewrite) run(ctx context.Context, b *runBuilder, old *catalogRun) (err error) {
	b.gone += old.rec.gone
	b.sparse = b.sparse || old.rec.sparse
	b.time(old.rec.min, old.rec.max)
	if old.rec.file == 0 {
		return nil
	}
	t := b.t
	file, run, err := w.s.openRun(t.log.id, old.first, &old.rec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.s.rows.release(file)) }()
	c := run.Cursor(0, math.MaxUint64)
	for n, bytes := 0, 0; c.Next(); n++ {
		r := c.Row()
		if bytes += len(r.Payload) + len(r.Key) + len(r.Headers) + 16; bytes >= 64<<10 || n%4096 == 0 {
			if err := w.pace.wait(ctx, bytes); err != nil {
				return err
			}
			bytes = 0
		}
		if t.drop != nil && t.drop(r) {
			b.gone++
			t.dropped++
			b.sparse = true
			continue
		}
		w.row = *r
		if len(t.strip) > 0 {
			if _, ok := slices.BinarySearch(t.strip, Seq(r.Seq)); ok {
				w.row.Flags |= rowRedacted
				w.row.Payload, w.row.Headers, w.row.Encoding = nil, nil, uint8(Raw)
			}
		}
		if err := b.add(&w.row); err != nil {
			return err
		}
	}
	if err := c.Err(); err != nil {
		return quarantine(fileError(w.s.rows.path(old.rec.file), err), old.first, old.next())
	}
	return nil
}

// runBuilder makes runs that answer for all sequences of the old ones.
type runBuilder struct {
	w        *rewrite
	t        *rewriteTask
	first    Seq // of the run that is being made
	open     bool
	sparse   bool
	gone     int64
	min, max int64
	timed    bool
}

// time widens the times of what the run stands for.
func (b *runBuilder) time(least, greatest int64) {
	if !b.timed {
		b.min, b.max, b.timed = least, greatest, true
	}
	b.min, b.max = min(b.min, least), max(b.max, greatest)
}

func (b *runBuilder) add(r *sealed.Row) error {
	p := b.w.p
	if !b.open {
		if err := p.openFile(); err != nil {
			return err
		}
		if err := p.w.BeginRun(uint64(b.t.log.id)); err != nil {
			return fmt.Errorf("write row file: %w", err)
		}
		b.open = true
	}
	err := p.w.Add(r)
	if errors.Is(err, sealed.ErrRunFull) {
		if err = b.end(Seq(r.Seq) - 1); err != nil {
			return err
		}
		return b.add(r)
	}
	if err != nil {
		return fmt.Errorf("write row file: %w", err)
	}
	return nil
}

// end ends the run, which answers for the sequences up to last.
func (b *runBuilder) end(last Seq) error {
	made := catalogRun{first: b.first, rec: runRecord{last: last, min: b.min, max: b.max, sparse: b.sparse, gone: b.gone}}
	if b.open {
		info, err := b.w.p.w.EndRun()
		if err != nil {
			return fmt.Errorf("write row file: %w", err)
		}
		r := &made.rec
		r.file, r.rows, r.min, r.max, r.raw, r.stored, r.at = b.w.p.n, info.Rows, info.MinTime, info.MaxTime, info.RawBytes, info.StoredBytes, info.Location
		if r.from, r.till = Seq(info.First), Seq(info.Last); !r.sparse {
			// Damage may have taken what the first and the last of the old runs were.
			made.first, r.last, r.from, r.till = r.from, r.till, 0, 0
		}
	} else if !b.sparse {
		return nil // there was nothing
	}
	if made.rec.file == 0 {
		made.rec.from, made.rec.till = made.first, made.first
	}
	b.t.made = append(b.t.made, made)
	b.first, b.open, b.gone = last+1, false, 0
	return nil
}

// commit has the catalog name the new runs instead of the old ones.
func (w *rewrite) commit(ctx context.Context) error {
	s := w.s
	sl := &s.seal
	sl.mu.Lock()
	defer sl.mu.Unlock()
	fail := func(err error) error { return errors.Join(err, w.p.abandon()) }
	if err := s.closedErr(); err != nil {
		return fail(err)
	}
	if sl.flushed < sl.applied {
		if err := s.finishPass(ctx); err != nil {
			return fail(err)
		}
	}
	recs := map[*Log]logRecord{}
	var order []*Log
	done := w.tasks[:0]
	for _, t := range w.tasks {
		rec, ok := recs[t.log]
		t.log.mu.Lock()
		if !ok {
			rec = t.log.sealed
		}
		deleted := t.log.deleted
		t.log.mu.Unlock()
		if deleted { // its name may be another's
			continue
		}
		err := w.replace(t, &rec)
		if errors.Is(err, errGaveWay) {
			continue
		}
		if err != nil {
			return fail(err)
		}
		if !ok {
			order = append(order, t.log)
		}
		recs[t.log] = rec
		done = append(done, t)
	}
	if w.tasks = done; len(done) == 0 {
		return fail(nil)
	}
	for _, l := range order {
		l.mu.Lock()
		name := l.named
		l.mu.Unlock()
		rec := recs[l]
		if err := w.p.batch.Set(nameKey(name), rec.encode()); err != nil {
			return fail(err)
		}
	}
	if err := errors.Join(w.p.fileRecords(), w.nextFile()); err != nil {
		return fail(err)
	}
	if err := w.editColumns(); err != nil {
		return fail(err)
	}
	if err := s.applyBatch(ctx, w.p); err != nil {
		return err
	}
	sl.dead = append(sl.dead, w.p.dead...)
	for _, l := range order {
		l.mu.Lock()
		l.sealed = recs[l]
		l.mu.Unlock()
	}
	for _, t := range done {
		t.log.unmask(t.redact)
	}
	s.maintain.note(w.p.sparse)
	s.rewrites.Add(1)
	return errors.Join(w.editColumns(), s.finishPass(ctx))
}

// editColumns has the column files go of events that the tasks change.
func (w *rewrite) editColumns() error {
	var errs []error
	for _, t := range w.tasks {
		if t.drop != nil && len(t.old) > 0 {
			errs = append(errs, w.s.columns.edited(t.log.id, t.old[0].first, t.old[len(t.old)-1].next()))
		}
		for _, seqs := range [...][]Seq{t.strip, t.redact} {
			if len(seqs) > 0 {
				errs = append(errs, w.s.columns.edited(t.log.id, seqs[0], seqs[len(seqs)-1]+1))
			}
		}
	}
	return errors.Join(errs...)
}

// replace puts the runs of a task in the place of the old ones, if those are there.
func (w *rewrite) replace(t *rewriteTask, rec *logRecord) error {
	s, id := w.s, t.log.id
	for i := range t.old {
		v, ok, err := s.kv.Get(logSeqKey(keyRun, id, t.old[i].first), nil)
		if err != nil {
			return s.wrap("catalog", err)
		}
		if !ok {
			return errGaveWay
		}
		if now, err := decodeRun(v); err != nil || now != t.old[i].rec {
			return errGaveWay
		}
	}
	for i := range t.old {
		w.p.dropRun(&t.old[i].rec)
		rec.withoutRun(&t.old[i].rec)
		if err := w.p.batch.Delete(logSeqKey(keyRun, id, t.old[i].first)); err != nil {
			return err
		}
	}
	for i := range t.made {
		w.p.addRun(&t.made[i].rec)
		rec.withRun(&t.made[i].rec)
		if err := w.p.batch.Set(logSeqKey(keyRun, id, t.made[i].first), t.made[i].rec.encode()); err != nil {
			return err
		}
	}
	for _, seq := range t.redact {
		_, ok, err := s.kv.Get(redactKey(id, seq), nil)
		if err != nil {
			return s.wrap("catalog", err)
		}
		if ok {
			rec.redact--
			rec.erased++
		}
		if err := w.p.batch.Delete(redactKey(id, seq)); err != nil {
			return err
		}
	}
	if rec.compacted = max(rec.compacted, t.compacted); t.compacted != 0 {
		rec.horizon = t.horizon
	}
	return nil
}

// nextFile writes that the number of the new file is taken. Passes say so too, but none need come before a crash.
func (w *rewrite) nextFile() error {
	b, ok, err := w.s.kv.Get(metaKey(), nil)
	if err != nil {
		return w.s.wrap("catalog", err)
	}
	m := metaRecord{}
	if err = errRecord; ok {
		m, err = decodeMeta(b)
	}
	if err != nil {
		return w.s.badRecord(metaKey(), err)
	}
	m.nextFile = w.s.seal.nextFile.Load()
	return w.p.batch.Set(metaKey(), m.encode())
}
