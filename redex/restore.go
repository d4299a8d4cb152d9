package redex

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Seed is what a restored store begins with.
type Seed struct {
	ID      StoreID      // the identity of the store that is restored
	Epochs  []EpochStart // of it at the cut, oldest first
	Cut     Cut          // the moment that is restored; what follows begins a new epoch
	NextLog LogID        // above the id of every log that store had made; Store.NextLog says it
}

// Validate reports what is wrong with a seed.
func (seed *Seed) Validate() error {
	if seed.ID == (StoreID{}) {
		return fmt.Errorf("%w: seed without a store id", ErrOptions)
	}
	if len(seed.Epochs) == 0 {
		return fmt.Errorf("%w: seed without epochs", ErrOptions)
	}
	for i, e := range seed.Epochs {
		if e.Epoch == 0 || e.First > seed.Cut.Ordinal+1 || i > 0 && (e.Epoch <= seed.Epochs[i-1].Epoch || e.First < seed.Epochs[i-1].First) {
			return fmt.Errorf("%w: epochs of the seed are not in order", ErrOptions)
		}
	}
	return nil
}

// meta is the state of the catalog of a store that begins with the seed.
func (seed *Seed) meta() metaRecord {
	m := metaRecord{ordinal: seed.Cut.Ordinal, time: seed.Cut.Time, nextLog: max(seed.NextLog, 1), nextFile: 1}
	for _, e := range seed.Epochs {
		m.epochs = append(m.epochs, epochStart{e.Epoch, e.First})
	}
	m.epochs = newestEpochs(m.epochs)
	return m
}

// NextLog returns an id above that of every log made so far.
func (s *Store) NextLog() LogID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nextLog
}

// Restorer makes a store from what another one held: the same identity and log ids, the events with their sequences and
// times, and a new epoch that begins after the cut. The directory is a store only after Finish. It is not safe for concurrent
// use.
type Restorer struct {
	s    *Store
	seed Seed
	p    *pass
	open *RestoredLog
	last LogID // of the last run of the pass
	done bool
	err  error
}

// restoredFileBytes is the size at which a restore goes on in another row file.
const restoredFileBytes = 128 << 20

// Create begins to make a store in dir, which must not exist or be empty. Options are those the store is opened with later,
// as far as they matter for what is written.
func Create(ctx context.Context, dir string, seed Seed, o Options) (*Restorer, error) {
	if err := errors.Join(o.Validate(), seed.Validate()); err != nil {
		return nil, err
	}
	if o.ReadOnly {
		return nil, fmt.Errorf("redex: create %s: %w", dir, ErrReadOnly)
	}
	s, err := open(ctx, dir, o, &seed)
	if err != nil {
		return nil, fmt.Errorf("redex: create %s: %w", dir, err)
	}
	r := &Restorer{s: s, seed: seed}
	r.begin()
	return r, nil
}

func (r *Restorer) begin() {
	r.p = &pass{s: r.s, batch: r.s.kv.NewBatch(), files: map[uint64]fileChange{}, t: mark{ordinal: r.seed.Cut.Ordinal, time: r.seed.Cut.Time}}
	r.last = 0
}

// Store returns the store that is being made, for its Views: nothing else of it may be used before Finish.
func (r *Restorer) Store() *Store { return r.s }

// RestoredLog takes the events of one log, from its floor on.
type RestoredLog struct {
	r       *Restorer
	d       *sealedLog
	next    Seq
	rows    [][]byte // while the events are few
	bytes   int64
	asRun   bool
	windows map[Origin]*window
}

// Log begins a log. info is what the other store's Log.Info said at the cut, lastTime the time of its newest event ever. With
// Floor equal to Next the log has no events and starts at the cut. The log before must be closed. Logs in ascending order of
// id make the fewest files.
func (r *Restorer) Log(info LogInfo, lastTime int64) (*RestoredLog, error) {
	fail := func(err error) (*RestoredLog, error) {
		return nil, fmt.Errorf("redex: restore log %q: %w", info.Name, err)
	}
	switch {
	case r.done || r.err != nil:
		return fail(errors.Join(ErrClosed, r.err))
	case r.open != nil:
		return fail(errors.New("the log before is not closed"))
	case info.ID == 0 || info.Bounds.Floor > info.Bounds.Next || info.Bounds.Next > maxSeq || lastTime > r.seed.Cut.Time:
		return fail(fmt.Errorf("%w: %+v", ErrOptions, info))
	}
	if err := info.Options.validate(); err != nil {
		return fail(err)
	}
	if err := CheckName(info.Name); err != nil && info.Name != recoveredName(info.ID) {
		return fail(err)
	}
	for _, key := range [][]byte{nameKey(info.Name), idKey(info.ID)} {
		if _, ok, err := r.s.kv.Get(key, nil); err != nil {
			return fail(r.s.wrap("catalog", err))
		} else if ok {
			return fail(ErrLogExists)
		}
	}
	rec := logRecord{
		id: info.ID, options: info.Options, created: info.Created, floor: info.Bounds.Floor, next: info.Bounds.Next,
		lastTime: lastTime, rowsFrom: info.Bounds.Floor,
	}
	log := &Log{s: r.s, id: info.ID}
	log.name.Store(&info.Name)
	d := &sealedLog{log: log, rec: rec, sparse: info.Compacted, cover: rec.floor}
	r.open = &RestoredLog{r: r, next: rec.floor, windows: map[Origin]*window{}, d: d}
	return r.open, nil
}

// Append adds the next event: without a gap, unless the log's LogInfo.Compacted is set. Its slices may be reused after return. Log and Ordinal of the event are not looked at.
func (l *RestoredLog) Append(ctx context.Context, ev *Event) error {
	d := l.d
	if err := l.add(ctx, ev); err != nil {
		l.r.err = err
		return fmt.Errorf("redex: restore log %q: sequence %d: %w", d.log.Name(), ev.Seq, err)
	}
	return nil
}

func (l *RestoredLog) add(ctx context.Context, ev *Event) error {
	d, p := l.d, l.r.p
	e := Entry{
		Kind: ev.Kind, Encoding: ev.Encoding, Origin: ev.Origin, Idempotency: ev.Idempotency, Tombstone: ev.Tombstone,
		SchemaVersion: ev.SchemaVersion, Key: ev.Key, Headers: ev.Headers, Payload: ev.Payload,
	}
	switch {
	case l.r.open != l:
		return ErrClosed
	case ev.Seq < l.next || ev.Seq > l.next && !d.sparse || ev.Seq >= d.rec.next:
		return fmt.Errorf("%w: the next is %d of %d", ErrConflict, l.next, d.rec.next)
	case ev.Time > d.rec.lastTime:
		return fmt.Errorf("%w: its time is after the log's last", ErrOptions)
	}
	if err := checkEntry(&e); err != nil {
		return err
	}
	first := l.next == d.rec.floor && !l.asRun && len(l.rows) == 0
	l.next = ev.Seq + 1
	if e.Idempotency != 0 { // of frames of the past, whose ordinals nobody needs: they are all durable
		w := l.windows[e.Origin]
		if w == nil {
			w = &window{}
			l.windows[e.Origin] = w
		}
		w.add(remembered{e.Idempotency, ev.Seq, l.r.seed.Cut.Ordinal, ev.Time})
	}
	if d.sparse && first { // rows of the catalog have no gaps
		if err := l.toRun(ctx); err != nil {
			return err
		}
	}
	if !l.asRun {
		value := encodeRow(nil, ev.Time, append(appendRowHead(nil, &e, ev.Redacted), e.Payload...))
		l.rows = append(l.rows, value)
		l.bytes += int64(len(value))
		if len(value) <= maxRowValue && len(l.rows) < l.r.s.o.RunEvents && l.bytes < runBytes {
			return nil
		}
		return l.toRun(ctx)
	}
	p.ev = *ev
	var headers []byte
	if len(ev.Headers) > 0 {
		headers = appendHeaders(p.sbuf[:0], ev.Headers)
		p.sbuf = headers
	}
	return p.addRow(d, headers)
}

// toRun writes the events so far to a run.
func (l *RestoredLog) toRun(ctx context.Context) error {
	r, d := l.r, l.d
	if d.rec.id < r.last { // runs of one file ascend by log
		if err := r.flush(ctx, true); err != nil {
			return err
		}
	}
	l.asRun, r.last = true, d.rec.id
	p := r.p
	for i, value := range l.rows {
		headers, err := decodeRow(value, &p.ev)
		if err != nil {
			return err
		}
		p.ev.Seq = l.next - Seq(len(l.rows)-i)
		if err := p.addRow(d, headers); err != nil {
			return err
		}
	}
	l.rows = nil
	return nil
}

// Close ends the log: all its events must be there.
func (l *RestoredLog) Close(ctx context.Context) error {
	if err := l.close(ctx); err != nil {
		l.r.err = err
		return fmt.Errorf("redex: restore log %q: %w", l.d.log.Name(), err)
	}
	return nil
}

func (l *RestoredLog) close(ctx context.Context) error {
	d, r := l.d, l.r
	p := r.p
	if r.open != l {
		return ErrClosed
	}
	if l.next != d.rec.next {
		return fmt.Errorf("%w: events end at %d, the log at %d", ErrConflict, l.next, d.rec.next)
	}
	r.open = nil
	if l.asRun {
		d.rec.rowsFrom = d.rec.next
		if err := p.endRun(d); err != nil {
			return err
		}
	}
	for i, value := range l.rows {
		d.rec.rowsBytes += int64(len(value))
		if err := p.batch.Set(logSeqKey(keyRow, d.rec.id, d.rec.floor+Seq(i)), value); err != nil {
			return err
		}
	}
	for origin, w := range l.windows {
		if err := p.putWindow(d.rec.id, origin, w); err != nil {
			return err
		}
	}
	err := errors.Join(
		p.batch.Set(nameKey(d.log.Name()), d.rec.encode()),
		p.batch.Set(idKey(d.rec.id), []byte(d.log.Name())),
	)
	if d.rec.options.Retention.any() {
		err = errors.Join(err, p.batch.Set(retainKey(d.rec.id), nil))
	}
	if err != nil {
		return err
	}
	r.s.seal.nextLog = max(r.s.seal.nextLog, d.rec.id+1)
	return r.flush(ctx, p.batch.Len() >= 4<<20 || p.w != nil && p.w.Offset() >= restoredFileBytes)
}

// flush writes out what is gathered, if it is wanted now.
func (r *Restorer) flush(ctx context.Context, now bool) error {
	if !now {
		return nil
	}
	p := r.p
	if err := p.finishFile(); err != nil {
		return err
	}
	if err := p.finishBatch(); err != nil {
		return err
	}
	if err := r.s.kv.Apply(ctx, p.batch); err != nil {
		return r.s.wrap("catalog", err)
	}
	if err := p.batch.Close(); err != nil {
		return err
	}
	r.begin()
	return nil
}

// Finish makes the store durable and closes it. Afterwards it can be opened.
func (r *Restorer) Finish(ctx context.Context) error {
	if r.done || r.err != nil || r.open != nil {
		err := errors.Join(r.err, r.Abort())
		return fmt.Errorf("redex: finish restore: %w", errors.Join(ErrClosed, err))
	}
	err := r.flush(ctx, true)
	if err == nil {
		if err = r.s.kv.Flush(ctx); err != nil {
			err = r.s.wrap("catalog", err)
		}
	}
	if err != nil {
		r.err = err
		return fmt.Errorf("redex: finish restore: %w", errors.Join(err, r.Abort()))
	}
	r.done = true
	lock := r.s.lock
	r.s.lock = nil // held until the directory is a store
	err = r.s.Close()
	if err == nil {
		err = finishDir(r.s.fs, r.s.dir)
	}
	if l, ok := lock.(*dirLock); ok && err == nil {
		err = l.closed()
	}
	if lock != nil {
		err = errors.Join(err, lock.Close())
	}
	if err != nil {
		return fmt.Errorf("redex: finish restore: %w", err)
	}
	return nil
}

// Abort gives up. The directory is left unfinished: Open and Create begin anew in it, and its owner may remove it. After Finish
// it does nothing.
func (r *Restorer) Abort() error {
	if r.done {
		return nil
	}
	r.done = true
	err := errors.Join(r.p.abandon(), r.p.batch.Close())
	if cerr := r.s.Close(); cerr != nil && !errors.Is(cerr, os.ErrClosed) {
		err = errors.Join(err, cerr)
	}
	return err
}
