package redex

import (
	"bufio"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed69692123/netdb/redex/sealed"
)

// openFile begins the row file, if that was not done.
func (p *pass) openFile() error {
	if p.w != nil {
		return nil
	}
	p.n = p.s.seal.takeFile()
	f, err := p.s.fs.Create(p.s.rows.path(p.n), vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("create row file: %w", err)
	}
	p.file, p.buf = f, bufio.NewWriterSize(f, 256<<10)
	how := p.s.o.Compression
	if how == CompressAuto && p.rewrites {
		how = CompressZstd
	}
	p.packed = how != CompressAuto
	if p.w, err = sealed.NewWriter(p.buf, sealed.WriterOptions{Compression: sealedCompression(how), Owner: p.s.rows.owner}); err != nil {
		return fmt.Errorf("write row file: %w", err)
	}
	return nil
}

// beginRun begins a run, and the pass's row file with its first run.
func (p *pass) beginRun(d *sealedLog) error {
	if err := p.openFile(); err != nil {
		return err
	}
	if err := p.w.BeginRun(uint64(d.log.id)); err != nil {
		return fmt.Errorf("write row file: %w", err)
	}
	p.inRun = true
	return nil
}

func sealedCompression(c Compression) sealed.Compression {
	switch c {
	case CompressZstd:
		return sealed.Zstd
	case CompressNone:
		return sealed.None
	}
	return sealed.S2
}

// toRow makes an event a row.
func toRow(ev *Event, headers []byte, r *sealed.Row) {
	flags := uint8(0)
	if ev.Tombstone {
		flags |= rowTombstone
	}
	if ev.Redacted {
		flags |= rowRedacted
	}
	*r = sealed.Row{
		Seq: uint64(ev.Seq), Time: ev.Time, Origin: uint64(ev.Origin), Idempotency: ev.Idempotency, Kind: uint32(ev.Kind),
		SchemaVersion: ev.SchemaVersion, Encoding: uint8(ev.Encoding), Flags: flags, Key: ev.Key, Headers: headers, Payload: ev.Payload,
	}
}

// addRow adds p.ev to the run, or to a next one when it is full.
func (p *pass) addRow(d *sealedLog, headers []byte) error {
	if !p.inRun {
		if err := p.beginRun(d); err != nil {
			return err
		}
	}
	toRow(&p.ev, headers, &p.row)
	err := p.w.Add(&p.row)
	if errors.Is(err, sealed.ErrRunFull) {
		if err = p.endRun(d); err == nil {
			err = p.beginRun(d)
		}
		if err == nil {
			err = p.w.Add(&p.row)
		}
	}
	if err != nil {
		return fmt.Errorf("write row file: %w", err)
	}
	return nil
}

// endRun ends the run, if there is one, and names it in the batch.
func (p *pass) endRun(d *sealedLog) error {
	if !p.inRun {
		return nil
	}
	p.inRun = false
	info, err := p.w.EndRun()
	if err != nil {
		return fmt.Errorf("write row file: %w", err)
	}
	rec := runRecord{
		file: p.n, last: Seq(info.Last), rows: info.Rows, min: info.MinTime, max: info.MaxTime,
		raw: info.RawBytes, stored: info.StoredBytes, at: info.Location,
	}
	first := Seq(info.First)
	if d.sparse {
		rec.sparse, rec.from, rec.till, first = true, first, rec.last, d.cover
		rec.gone = int64(rec.last-first) + 1 - rec.rows
		d.cover = rec.last + 1
	}
	d.rec.withRun(&rec)
	d.madeRuns++
	p.addRun(&rec)
	return p.batch.Set(logSeqKey(keyRun, d.log.id, first), rec.encode())
}

// finishFile makes the row file and its name durable.
func (p *pass) finishFile() error {
	if p.w == nil {
		return nil
	}
	info, err := p.w.Finish()
	if err == nil {
		err = p.buf.Flush()
	}
	if err == nil {
		err = p.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("write row file: %w", err)
	}
	p.size = info.Bytes
	f := p.file
	p.file = nil
	if err := f.Close(); err != nil {
		return fmt.Errorf("write row file: %w", err)
	}
	if err := syncDir(p.s.fs, p.s.rows.dir); err != nil {
		return fmt.Errorf("sync directory of row files: %w", err)
	}
	return nil
}

// abandon removes what a pass that failed has written.
func (p *pass) abandon() error {
	if p.w == nil {
		return nil
	}
	var err error
	if p.file != nil {
		err = p.file.Close()
		p.file = nil
	}
	return errors.Join(err, p.s.rows.remove(p.n))
}

// finishBatch adds what the batch says about files and about the store.
func (p *pass) finishBatch() error {
	s := p.s
	if err := errors.Join(p.fileRecords(), p.finishNames()); err != nil {
		return err
	}
	nextLog := s.seal.nextLog
	for _, d := range p.logs {
		nextLog = max(nextLog, d.log.id+1)
	}
	m := metaRecord{ordinal: p.t.ordinal, time: p.t.time, nextLog: nextLog, nextFile: s.seal.nextFile.Load(), epochs: s.epochs, files: s.files}
	if err := p.batch.Set(metaKey(), m.encode()); err != nil {
		return err
	}
	s.seal.nextLog = nextLog
	return nil
}

// fileRecords adds the records of the row files whose number of living runs changes. What is damaged stays as it is.
func (p *pass) fileRecords() error {
	for n, change := range p.files {
		rec := fileRecord{bytes: p.size, packed: p.packed}
		if n != p.n || p.w == nil {
			var err error
			if rec, err = p.s.readFile(n); err != nil {
				if err = p.s.fileDamaged(n, err); err != nil {
					return err
				}
				continue
			}
		}
		rec.runs += change.runs
		rec.dead += change.dead
		var err error
		switch {
		case rec.runs < 0:
			err = p.s.fileDamaged(n, p.s.badRecord(fileKey(n), fmt.Errorf("%w: fewer runs than there were", errRecord)))
		case rec.runs == 0:
			p.dead = append(p.dead, n)
			err = p.batch.Delete(fileKey(n))
		default:
			if rec.dead > rec.bytes/2 {
				p.sparse = append(p.sparse, n)
			}
			if n == p.n && rec.loose() {
				p.loose = append(p.loose, n)
			}
			err = p.batch.Set(fileKey(n), rec.encode())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readFile reads the record of a row file that something lives in.
func (s *Store) readFile(n uint64) (fileRecord, error) {
	b, ok, err := s.kv.Get(fileKey(n), nil)
	if err != nil {
		return fileRecord{}, s.wrap("catalog", err)
	}
	rec, err := fileRecord{}, fmt.Errorf("%w: it is missing", errRecord)
	if ok {
		rec, err = decodeFile(b)
	}
	if err != nil {
		return rec, s.badRecord(fileKey(n), err)
	}
	return rec, nil
}
