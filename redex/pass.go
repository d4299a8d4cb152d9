package redex

import (
	"bufio"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed69692123/netdb/redex/internal/kv"
	"github.com/seed69692123/netdb/redex/journal"
	"github.com/seed69692123/netdb/redex/sealed"
)

// pass is one pass.
type pass struct {
	s      *Store
	t      mark
	batch  *kv.Batch
	logs   []*sealedLog
	files  map[uint64]fileChange // row files in which other runs live than before
	dead   []uint64              // row files in which nothing lives any more
	sparse []uint64              // and those of which less than half does
	loose  []uint64              // and new ones that are to be packed

	n     uint64 // of the row file
	file  vfs.File
	buf   *bufio.Writer
	w     *sealed.Writer
	inRun bool
	size  int64 // of the row file

	rewrites bool // it writes what was sealed before
	packed   bool // the row file is

	ev     Event
	row    sealed.Row
	sbuf   []byte // of spans
	frames journal.Frames
	spans  []span // of a chunk
	kbuf   []byte
	moved  []Seq // rows of the catalog that went to a run
}

// sealedLog is what a pass does to one log.
type sealedLog struct {
	log      *Log
	rec      logRecord // before, and then after
	base     bool      // the catalog has a record
	name     string    // after
	named    string    // in the catalog, before
	deleted  bool
	isNew    bool       // made after T
	grown    bool       // it has events to seal
	spans    []hotChunk // up to T
	from     Seq        // of the first event of spans that is not sealed
	numbers  map[Origin][]remembered
	madeRuns int   // in this pass
	sparse   bool  // a restored log has gaps from compaction
	cover    Seq   // and the next run answers for the sequences from here on
	redacts  []Seq // to be taken out of what is there, ascending
}

// add takes in the changes of one log up to T.
func (p *pass) add(l *Log) error {
	d := &sealedLog{log: l}
	l.mu.Lock()
	d.rec, d.named, d.name = l.sealed, l.named, l.named
	d.base = len(l.changes) == 0 || l.changes[0].typ != partCreate
	for _, c := range l.changes {
		if c.ordinal > p.t.ordinal {
			d.isNew = d.isNew || c.typ == partCreate
			break
		}
		switch c.typ {
		case partDelete:
			d.deleted = true
		case partSettings:
			d.rec.options = c.options
		case partFloor:
			d.rec.floor = max(d.rec.floor, c.floor)
		case partRename:
			d.name = c.name
		case partRedact:
			d.redacts = append(d.redacts, c.floor)
		}
	}
	next, ok := l.hot.nextAt(p.t.ordinal)
	if ok {
		d.spans = l.hot.below(next)
	}
	l.floor = max(l.floor, d.rec.floor) // T is durable, and what is below goes with this pass
	l.mu.Unlock()
	if d.isNew {
		return nil
	}
	p.logs = append(p.logs, d)
	if d.deleted {
		return p.delete(d)
	}
	d.from = d.rec.next
	if ok {
		d.grown, d.rec.next = next > d.from, next
	}
	if err := p.trim(d); err != nil {
		return err
	}
	if err := p.redact(d); err != nil {
		return err
	}
	if err := p.move(d); err != nil {
		return err
	}
	if err := p.windows(d); err != nil {
		return err
	}
	if err := p.cursors(d); err != nil {
		return err
	}
	return p.settings(d)
}

// settings writes what the catalog says of a log by its id. Its name comes last, in finishNames.
func (p *pass) settings(d *sealedLog) error {
	errs := []error{p.batch.Set(idKey(d.log.id), []byte(d.name))}
	if d.name != d.named && d.base {
		errs = append(errs, p.batch.Delete(nameKey(d.named)))
	}
	switch now, before := d.rec.options.Retention.any(), d.base && d.log.retained(); {
	case now && !before:
		errs = append(errs, p.batch.Set(retainKey(d.log.id), nil))
	case before && !now:
		errs = append(errs, p.batch.Delete(retainKey(d.log.id)))
	}
	return errors.Join(errs...)
}

// finishNames writes the records of logs under their names, after all names that were given up: a log may have got that of another.
func (p *pass) finishNames() error {
	for _, d := range p.logs {
		if d.deleted {
			continue
		}
		if err := p.batch.Set(nameKey(d.name), d.rec.encode()); err != nil {
			return err
		}
	}
	return nil
}

// delete takes a log out of the catalog.
func (p *pass) delete(d *sealedLog) error {
	if !d.base {
		return nil // it was never there
	}
	id := d.log.id
	if err := p.eachRun(id, 0, maxSeq, func(_ []byte, rec runRecord) error {
		p.dropRun(&rec)
		return nil
	}); p.passOver(d, err) != nil {
		return err
	}
	errs := []error{p.batch.Delete(nameKey(d.named)), p.batch.Delete(idKey(id)), p.batch.Delete(retainKey(id))}
	for _, kind := range []byte{keyRun, keyRow, keyWindow, keyLost, keyRedact, keyCursor} {
		from, to := logKeys(kind, id)
		errs = append(errs, p.batch.DeleteRange(from, to))
	}
	return errors.Join(errs...)
}

// fileChange is how the number of runs that live in a row file changes, and the bytes of those that do not.
type fileChange struct{ runs, dead int64 }

// addRun and dropRun take note that a run begins to live, or does so no more.
func (p *pass) addRun(rec *runRecord)  { p.changeFile(rec.file, fileChange{1, 0}) }
func (p *pass) dropRun(rec *runRecord) { p.changeFile(rec.file, fileChange{-1, rec.stored}) }

func (p *pass) changeFile(n uint64, by fileChange) {
	if n == 0 {
		return
	}
	c := p.files[n]
	p.files[n] = fileChange{c.runs + by.runs, c.dead + by.dead}
}

// withRun and withoutRun take a run into the log's figures, and out of them.
func (r *logRecord) withRun(run *runRecord) {
	r.runs++
	r.rawBytes += run.raw
	r.storedBytes += run.stored
	r.gone += run.gone
}

func (r *logRecord) withoutRun(run *runRecord) {
	r.runs--
	r.rawBytes -= run.raw
	r.storedBytes -= run.stored
	r.gone -= run.gone
}

// eachRun calls f for the runs of a log that begin in [from, to).
func (p *pass) eachRun(id LogID, from, to Seq, f func(key []byte, rec runRecord) error) error {
	return p.s.eachRun(id, from, to, func(_ Seq, key []byte, rec runRecord) error { return f(key, rec) })
}

func (s *Store) eachRun(id LogID, from, to Seq, f func(first Seq, key []byte, rec runRecord) error) error {
	it, err := s.kv.NewIter(logSeqKey(keyRun, id, from), logSeqKey(keyRun, id, to))
	if err != nil {
		return s.wrap("catalog", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.Value()
		if err != nil {
			return s.wrap("catalog", err)
		}
		rec, err := decodeRun(v)
		if err != nil {
			return s.badRecord(it.Key(), err)
		}
		first, err := keySeq(it.Key())
		if err != nil {
			return s.badRecord(it.Key(), err)
		}
		if err := f(first, it.Key(), rec); err != nil {
			return err
		}
	}
	if err := it.Err(); err != nil {
		return s.wrap("catalog", err)
	}
	return nil
}

var errStop = errors.New("stop")

// trim takes what is below the floor out of the catalog: whole runs, and rows.
func (p *pass) trim(d *sealedLog) error {
	floor := d.rec.floor
	if floor == 0 || floor <= d.log.sealedFloor() {
		return nil
	}
	id := d.log.id
	err := p.eachRun(id, 0, floor, func(key []byte, rec runRecord) error {
		if rec.last >= floor {
			return errStop
		}
		p.dropRun(&rec)
		d.rec.withoutRun(&rec)
		return p.batch.Delete(key)
	})
	if err != nil && !errors.Is(err, errStop) {
		if err = p.passOver(d, err); err != nil {
			return err
		}
	}
	if floor > d.rec.rowsFrom {
		// Rows are few, so they are counted anew.
		err := p.s.eachRow(id, d.rec.rowsFrom, min(floor, d.log.sealedNext()), func(_ Seq, v []byte) error {
			d.rec.rowsBytes -= int64(len(v))
			return nil
		})
		if err = p.passOver(d, err); err != nil {
			return err
		}
		d.rec.rowsFrom = floor
	}
	if err := p.batch.DeleteRange(logSeqKey(keyRow, id, 0), logSeqKey(keyRow, id, floor)); err != nil {
		return err
	}
	return p.batch.DeleteRange(logSeqKey(keyLost, id, 0), logSeqKey(keyLost, id, floor))
}

// retained reports whether the catalog has the log among those with a retention.
func (l *Log) retained() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sealed.options.Retention.any()
}

func (l *Log) sealedFloor() Seq {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sealed.floor
}

func (l *Log) sealedNext() Seq {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sealed.next
}

// move writes the events of a log that are in the journal: as rows of the catalog while they are few, else as runs, together with
// the rows there are.
func (p *pass) move(d *sealedLog) error {
	defer func() { d.spans = nil }()
	toRun := d.log.toRun.Load() && d.rec.rowsFrom < d.rec.next
	if len(d.spans) == 0 && !toRun {
		return nil
	}
	size, large := d.rec.rowsBytes, false
	for i := range d.spans {
		p.spans = d.spans[i].unpack(p.spans[:0])
		for k := range p.spans {
			sp := &p.spans[k]
			size += sp.entryBytes()
			large = large || sp.size > maxRowValue
		}
	}
	from := d.from
	if !large && !toRun && int64(d.rec.next-d.rec.rowsFrom) < int64(p.s.o.RunEvents) && size < p.runBytes() {
		return p.eachHot(d, func(entry []byte, headers []byte) error {
			p.kbuf = encodeRow(p.kbuf[:0], p.ev.Time, entry)
			d.rec.rowsBytes += int64(len(p.kbuf))
			return p.batch.Set(logSeqKey(keyRow, d.log.id, p.ev.Seq), p.kbuf)
		})
	}
	id := d.log.id
	if rows := d.rec.rowsFrom; rows < from {
		moved := rows // the sequence after the last one moved
		p.moved = p.moved[:0]
		err := p.s.eachRow(id, rows, from, func(seq Seq, v []byte) error {
			headers, err := decodeRow(v, &p.ev)
			if err != nil {
				return p.s.badRecord(logSeqKey(keyRow, id, seq), err)
			}
			if seq > moved { // what is damaged stays where it is, between two runs
				if err := p.endRun(d); err != nil {
					return err
				}
			}
			if d.redactsSeq(seq) {
				p.ev.redact()
				headers = nil
			}
			p.ev.Seq = seq
			moved = seq + 1
			p.moved = append(p.moved, seq)
			return p.addRow(d, headers)
		})
		if err == nil {
			err = p.batch.DeleteRange(logSeqKey(keyRow, id, rows), logSeqKey(keyRow, id, from))
		} else if err = p.passOver(d, err); err == nil {
			for _, seq := range p.moved {
				err = errors.Join(err, p.batch.Delete(logSeqKey(keyRow, id, seq)))
			}
			if moved < from {
				err = errors.Join(err, p.endRun(d))
			}
		}
		if err != nil {
			return err
		}
	}
	if err := p.eachHot(d, func(_ []byte, headers []byte) error { return p.addRow(d, headers) }); err != nil {
		return err
	}
	d.rec.rowsFrom, d.rec.rowsBytes = d.rec.next, 0
	return p.endRun(d)
}

// passOver returns nil for damage of the catalog. What is damaged of one log must not keep the others from being sealed: it
// stays as it is, reads of it say so, and the log goes on behind it.
func (p *pass) passOver(d *sealedLog, err error) error {
	if errors.Is(err, ErrCorrupt) {
		p.s.log.Error("redex: sealing passes over damage", "log", d.log.Name(), "err", err)
		return nil
	}
	return err
}

// runBytes is the size of a log's events that make a run, however few they are. As rows they are written once more, by the catalog's
// own compactions, and again when they move to a run.
const runBytes = 16 << 10

// runBytes returns runBytes, or less when the batch has as many rows as it may hold: it is in memory, twice.
func (p *pass) runBytes() int64 {
	if int64(p.batch.Len()) < p.s.o.SealBytes {
		return runBytes
	}
	return runBytes / 16
}

// eachHot reads the events in a log's spans: p.ev, its entry and its headers. Damage is noted in the catalog and passed over.
func (p *pass) eachHot(d *sealedLog, f func(entry, headers []byte) error) error {
	for i := range d.spans {
		p.spans = d.spans[i].unpack(p.spans[:0])
		for chunk := p.spans; len(chunk) > 0; {
			_, n := joinSpans(chunk, maxSeq)
			if err := p.eachEntry(d, chunk[:n], f); err != nil {
				return err
			}
			chunk = chunk[n:]
		}
	}
	return nil
}

// eachEntry is eachHot for spans that can be read as one.
func (p *pass) eachEntry(d *sealedLog, spans []span, f func(entry, headers []byte) error) error {
	sp, _ := joinSpans(spans, maxSeq)
	d.rec.lastTime = max(d.rec.lastTime, sp.time)
	switch {
	case sp.damage != 0:
		return p.addLost(d, sp.first, sp.end(), p.s.damages[sp.damage-1])
	case sp.frames:
		return p.eachFrame(d, &sp, f)
	}
	buf, err := p.s.readSpan(&sp, p.sbuf[:0])
	if len(spans) == 1 && errors.Is(err, ErrCorrupt) {
		buf, err = p.s.readSpan(&sp, p.sbuf[:0])
	}
	if c, ok := errors.AsType[*CorruptionError](err); ok {
		if len(spans) == 1 {
			return p.addUnread(d, &sp, sp.first, sp.end(), c)
		}
		for i := range spans { // not all of them need be damaged
			if err := p.eachEntry(d, spans[i:i+1], f); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	p.sbuf = buf
	for k := range sp.count {
		rest, err := p.entry(d, &sp, buf, sp.first+Seq(k), sp.ordinal, sp.time, f)
		if err != nil {
			return err
		}
		buf = rest
	}
	return nil
}

// eachFrame is eachEntry for frames with one entry each.
func (p *pass) eachFrame(d *sealedLog, sp *span, f func(entry, headers []byte) error) error {
	return p.eachFrameFrom(d, sp, d.from, true, f)
}

// eachFrameFrom is eachFrame from a sequence on. With again set, it reads all once more when something cannot be read.
func (p *pass) eachFrameFrom(d *sealedLog, sp *span, from Seq, again bool, f func(entry, headers []byte) error) (err error) {
	if p.sbuf, err = p.s.readFrames(&p.frames, sp, p.sbuf); err != nil {
		c, ok := errors.AsType[*CorruptionError](err)
		switch {
		case ok && again:
			return p.eachFrameFrom(d, sp, from, false, f)
		case ok:
			return p.addUnread(d, sp, max(sp.first, from), sp.end(), c)
		}
		return err
	}
	for fr := &p.frames; fr.Next(); {
		seq := sp.first + Seq(Ordinal(fr.Ordinal)-sp.ordinal)
		if fr.Err != nil {
			err := p.s.frameErr(sp, fr)
			if c, ok := errors.AsType[*CorruptionError](err); ok && c.End <= from {
				continue
			} else if ok && again {
				return p.eachFrameFrom(d, sp, max(seq, from), false, f)
			} else if ok {
				err = p.addUnread(d, sp, max(seq, from), c.End, c)
			}
			if err != nil {
				return err
			}
			continue
		}
		if seq < from {
			continue
		}
		d.rec.lastTime = max(d.rec.lastTime, fr.Time)
		rest, err := p.entry(d, sp, fr.Body[min(partHeaderSize, len(fr.Body)):], seq, Ordinal(fr.Ordinal), fr.Time, f)
		if err == nil && len(rest) > 0 {
			err = p.s.badEntry(sp, errors.New("bytes after the entry"))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// entry decodes one entry into p.ev, takes note of it and gives it to f. It returns what follows it in b.
func (p *pass) entry(d *sealedLog, sp *span, b []byte, seq Seq, o Ordinal, time int64, f func(entry, headers []byte) error) (rest []byte, err error) {
	headers, rest, err := decodeEntry(b, &p.ev)
	if err != nil {
		return nil, p.s.badEntry(sp, err)
	}
	p.ev.Seq, p.ev.Time = seq, time
	if n := p.ev.Idempotency; n != 0 {
		if d.numbers == nil {
			d.numbers = map[Origin][]remembered{}
		}
		d.numbers[p.ev.Origin] = append(d.numbers[p.ev.Origin], remembered{n, seq, o, time})
	}
	if seq < d.rec.floor {
		return rest, nil
	}
	entry := b[:len(b)-len(rest)]
	if d.redactsSeq(seq) {
		p.ev.redact()
		entry, headers = redactedEntry(&p.ev), nil
	}
	return rest, f(entry, headers)
}

// addUnread is addLost for what could not be read, twice. When the disk gives nothing else of the segment either, the pass fails
// instead: the events stay where they are, until it does.
func (p *pass) addUnread(d *sealedLog, sp *span, from, to Seq, c *CorruptionError) error {
	if err := p.s.j.Probe(sp.loc); err != nil {
		return p.s.wrap("journal", err)
	}
	return p.addLost(d, from, to, *c)
}

// addLost notes in the catalog that the events [from, to) are lost to damage.
func (p *pass) addLost(d *sealedLog, from, to Seq, c CorruptionError) error {
	if to <= max(d.rec.floor, from) {
		return nil
	}
	p.s.log.Error("redex: events lost to damage", "log", d.log.Name(), "from", from, "to", to, "file", c.File, "offset", c.Offset, "err", c.Err)
	why := c.Err.Error()
	rec := lostRecord{end: to, file: c.File, offset: c.Offset, why: why[:min(len(why), 1024)]}
	return p.batch.Set(logSeqKey(keyLost, d.log.id, from), rec.encode())
}

// windows folds the idempotency numbers of a log into the catalog.
func (p *pass) windows(d *sealedLog) error {
	for origin, numbers := range d.numbers {
		w, err := p.s.keptWindow(d.log, origin)
		if err != nil {
			return err
		}
		for _, r := range numbers {
			w.add(r)
		}
		if err := p.putWindow(d.log.id, origin, w); err != nil {
			return err
		}
	}
	return nil
}

// putWindow replaces a window of the catalog.
func (p *pass) putWindow(id LogID, o Origin, w *window) error {
	if err := p.batch.DeleteRange(windowKey(id, o, 0), windowKey(id, o, 255)); err != nil {
		return err
	}
	for i, piece := range encodeWindow(w) {
		if err := p.batch.Set(windowKey(id, o, uint8(i)), piece); err != nil {
			return err
		}
	}
	return nil
}

// install tells readers where the events are now.
func (p *pass) install() {
	s := p.s
	for _, d := range p.logs {
		l := d.log
		l.mu.Lock()
		freed, before := int64(0), l.sealed.next
		if d.deleted {
			freed = l.hot.drop(maxSeq)
			l.changes, l.cursors = nil, nil
		} else {
			freed = l.hot.drop(d.rec.next)
			l.sealed, l.named = d.rec, d.name
			l.floor = max(l.floor, d.rec.floor)
			if len(d.redacts) > 0 { // who asked for it may have gone before it was durable
				l.maskLocked(d.redacts)
				s.maintain.setRedact(p.t.ordinal)
			}
			l.changes = slices.DeleteFunc(l.changes, func(c change) bool { return c.ordinal <= p.t.ordinal })
			l.installCursorsLocked(p.t.ordinal)
		}
		l.mu.Unlock()
		s.seal.hotBytes.Add(-freed)
		if n := len(d.redacts); n > 0 && !d.deleted {
			if err := s.columns.edited(l.id, d.redacts[0], d.redacts[n-1]+1); err != nil {
				s.log.Error("redex: a column file of redacted events stays until they are erased", "err", err)
			}
		}
		if !d.deleted {
			s.columns.sealedTo(l.id, before, d.rec.next)
		}
	}
	s.reg.Lock()
	defer s.reg.Unlock()
	for n, c := range s.reg.names {
		if c.ordinal <= p.t.ordinal {
			delete(s.reg.names, n)
		}
	}
}
