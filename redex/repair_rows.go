package redex

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// mendRows takes what can be read out of damaged row files, and writes down what is lost. It is a pass that goes no further than the
// last one did: it changes where events are, not which there are.
type mendRows struct {
	r   *repairer
	s   *Store
	bad map[uint64]error // row files with damage
	p   *pass
}

func (m *mendRows) run(ctx context.Context) error {
	s := m.s
	s.seal.mu.Lock()
	defer s.seal.mu.Unlock()
	b, _, err := s.kv.Get(metaKey(), nil)
	if err != nil {
		return s.wrap("catalog", err)
	}
	meta, err := decodeMeta(b)
	if err != nil {
		return s.badRecord(metaKey(), err)
	}
	m.p = &pass{s: s, batch: s.kv.NewBatch(), files: map[uint64]fileChange{}, t: mark{ordinal: meta.ordinal, time: meta.time}}
	var all []*Log
	for info, err := range s.Logs("") {
		if err != nil {
			return err
		}
		l, err := s.Log(info.Name)
		if err != nil {
			return err
		}
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b *Log) int { return int(int64(a.id - b.id)) }) // runs of one file ascend
	for _, l := range all {
		if err := m.log(ctx, l); err != nil {
			return errors.Join(fmt.Errorf("log %q: %w", l.Name(), err), m.p.abandon(), m.p.batch.Close())
		}
	}
	if err := errors.Join(m.p.finishFile(), m.p.finishBatch()); err != nil {
		return errors.Join(err, m.p.abandon(), m.p.batch.Close())
	}
	if err := s.kv.Apply(ctx, m.p.batch); err != nil {
		return s.wrap("catalog", err)
	}
	m.p.install()
	if err := errors.Join(m.p.batch.Close(), s.kv.Flush(ctx)); err != nil {
		return s.wrap("flush", err)
	}
	for _, n := range m.p.dead {
		if err := s.rows.evict(n); err != nil {
			return err
		}
		if m.bad[n] == nil {
			s.seal.dead = append(s.seal.dead, n) // goes with the next pass
			continue
		}
		err := m.r.moveAside(rowsDir + "/" + rowFileName(n))
		if err != nil && !isNotExist(err) { // what is missing is all there is of it
			return err
		}
	}
	return nil
}

// log mends one log.
func (m *mendRows) log(ctx context.Context, l *Log) error {
	s, p := m.s, m.p
	l.mu.Lock()
	d := &sealedLog{log: l, rec: l.sealed, base: true, name: l.named, named: l.named}
	l.mu.Unlock()
	changed := false
	type badRun struct {
		first Seq
		key   []byte
		rec   runRecord
	}
	var bad []badRun
	err := s.eachRun(l.id, 0, maxSeq, func(first Seq, key []byte, rec runRecord) error {
		if m.bad[rec.file] != nil {
			bad = append(bad, badRun{first, slices.Clone(key), rec})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, b := range bad {
		changed = true
		p.dropRun(&b.rec)
		d.rec.withoutRun(&b.rec)
		if err := p.batch.Delete(b.key); err != nil {
			return err
		}
		d.sparse, d.cover = b.rec.sparse, b.first
		if err := m.rewrite(ctx, d, max(b.first, d.rec.floor), b.rec.last+1); err != nil {
			return err
		}
		if err := m.cover(d, &b.rec); err != nil {
			return err
		}
	}
	settled, err := m.settle(d)
	if err != nil {
		return err
	}
	if m.r.rebuilt {
		gaps, err := m.gaps(d)
		if err != nil {
			return err
		}
		changed = changed || gaps
	}
	if changed || settled {
		p.logs = append(p.logs, d)
	}
	return nil
}

// rewrite copies the events of [from, to) that can be read to the new file.
func (m *mendRows) rewrite(ctx context.Context, d *sealedLog, from, to Seq) error {
	p := m.p
	f := feed{l: d.log, at: from, to: to}
	defer func() { _ = f.close() }()
	for f.at < to {
		for f.next(ctx) {
			p.ev = f.ev
			var headers []byte
			if len(p.ev.Headers) > 0 {
				headers = appendHeaders(p.sbuf[:0], p.ev.Headers)
				p.sbuf = headers
			}
			if err := p.addRow(d, headers); err != nil {
				return err
			}
		}
		if f.err == nil {
			break
		}
		at, end := f.at, f.at+1
		if lost, ok := errors.AsType[*RangeLostError](f.err); ok { // known already
			end = max(end, lost.To)
		} else if c, ok := errors.AsType[*CorruptionError](f.err); ok {
			end = min(max(end, c.End), to)
			if err := m.lose(d, min(max(at, c.Seq), end-1), end, *c); err != nil {
				return err
			}
		} else {
			return f.err
		}
		if !d.sparse {
			if err := p.endRun(d); err != nil {
				return err
			}
		}
		_ = f.close()
		f = feed{l: d.log, at: end, to: to}
	}
	return p.endRun(d)
}

// cover has a run without events answer for what is left of a sparse run behind its last event that could be read: what is not lost there
// was taken by compaction.
func (m *mendRows) cover(d *sealedLog, old *runRecord) error {
	defer func() { d.sparse = false }()
	if !d.sparse || d.cover > old.last {
		return nil
	}
	rec := runRecord{last: old.last, min: old.min, max: old.max, sparse: true, from: d.cover, till: d.cover, gone: int64(old.last-d.cover) + 1}
	d.rec.withRun(&rec)
	return m.p.batch.Set(logSeqKey(keyRun, d.log.id, d.cover), rec.encode())
}

// lose writes down that events are gone.
func (m *mendRows) lose(d *sealedLog, from, to Seq, c CorruptionError) error {
	why := c.Err.Error()
	rec := lostRecord{end: to, file: c.File, offset: c.Offset, why: why[:min(len(why), 1024)], settled: true}
	m.told(d, from, to, fmt.Sprintf("%s at %d: %s", c.File, c.Offset, why))
	return m.p.batch.Set(logSeqKey(keyLost, d.log.id, from), rec.encode())
}

// told adds a range to the report, or to the range before it.
func (m *mendRows) told(d *sealedLog, from, to Seq, why string) {
	lost := m.r.rep.Lost
	if n := len(lost); n > 0 && lost[n-1].Log == d.name && lost[n-1].To == from && lost[n-1].Why == why {
		lost[n-1].To = to
		return
	}
	m.r.rep.Lost = append(lost, LostRange{Log: d.name, From: from, To: to, Why: why})
}

// settle makes what damage of the journal took a thing that is known.
func (m *mendRows) settle(d *sealedLog) (changed bool, err error) {
	from, to := logKeys(keyLost, d.log.id)
	it, err := m.s.kv.NewIter(from, to)
	if err != nil {
		return false, m.s.wrap("catalog", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.Value()
		if err != nil {
			return changed, m.s.wrap("catalog", err)
		}
		rec, err := decodeLost(v)
		first, err2 := keySeq(it.Key())
		if err := errors.Join(err, err2); err != nil {
			return changed, m.s.badRecord(it.Key(), err)
		}
		if rec.settled {
			continue
		}
		rec.settled, changed = true, true
		m.told(d, first, rec.end, fmt.Sprintf("%s at %d: %s", rec.file, rec.offset, rec.why))
		if err := m.p.batch.Set(it.Key(), rec.encode()); err != nil {
			return changed, err
		}
	}
	return changed, it.Err()
}

// gaps writes down what a catalog that was made anew has neither a run nor a row for.
func (m *mendRows) gaps(d *sealedLog) (changed bool, err error) {
	s := m.s
	type span struct{ from, to Seq }
	var have []span
	add := func(from, to Seq) {
		if n := len(have); n > 0 && have[n-1].to == from {
			have[n-1].to = to
			return
		}
		have = append(have, span{from, to})
	}
	err = s.eachRun(d.log.id, 0, maxSeq, func(first Seq, _ []byte, run runRecord) error {
		add(first, run.last+1)
		return nil
	})
	if err != nil {
		return false, err
	}
	if err := s.scanRows(d.log.id, 0, maxSeq, func(seq Seq, _ []byte) error {
		add(seq, seq+1)
		return nil
	}); err != nil {
		return false, err
	}
	from, to := logKeys(keyLost, d.log.id)
	it, err := s.kv.NewIter(from, to)
	if err != nil {
		return false, s.wrap("catalog", err)
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.Value()
		if err != nil {
			return false, s.wrap("catalog", err)
		}
		rec, err := decodeLost(v)
		first, err2 := keySeq(it.Key())
		if err := errors.Join(err, err2); err != nil {
			return false, s.badRecord(it.Key(), err)
		}
		add(first, rec.end)
	}
	slices.SortFunc(have, func(a, b span) int {
		switch {
		case a.from < b.from:
			return -1
		case a.from > b.from:
			return 1
		}
		return 0
	})
	at := d.rec.floor
	for _, h := range append(have, span{d.rec.next, math.MaxInt64}) {
		if h.from > at && at < d.rec.next {
			c := CorruptionError{File: s.catalogPath(), Err: errors.New("it was in the catalog only, and that part of it is lost")}
			if err := m.lose(d, at, min(h.from, d.rec.next), c); err != nil {
				return changed, err
			}
			changed = true
		}
		at = max(at, h.to)
	}
	return changed, nil
}
