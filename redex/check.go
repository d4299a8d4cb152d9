package redex

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/seed69692123/netdb/redex/sealed"
)

// CheckReport says what Check saw.
type CheckReport struct {
	Logs   int64
	Events int64 // readable ones
	Runs   int64
	Rows   int64 // of the catalog
	Files  int64 // row files
	Bytes  int64 // of row files
	Lost   int64 // events that Repair found lost, and that are no damage any more
	Damage []*CorruptionError
}

// maxDamage bounds the damage a report lists; more is counted by the last entry.
const maxDamage = 1000

// checker is one Check.
type checker struct {
	s     *Store
	rep   CheckReport
	more  int
	files map[uint64]livingRuns       // of each file
	seen  map[uint64]bool             // files whose records could be read
	runs  map[uint64]map[int64]runRef // runs by file and offset
}

// livingRuns are the runs in a file that the catalog names.
type livingRuns struct{ runs, bytes int64 }

type runRef struct {
	log   LogID
	first Seq
	rec   runRecord
}

// Check reads everything and compares journal, row files and catalog with each other. It holds off sealing while it runs,
// appends and reads go on. What it finds wrong is in the report; the error says only why it could not go on.
func (s *Store) Check(ctx context.Context) (CheckReport, error) {
	s.seal.mu.Lock()
	defer s.seal.mu.Unlock()
	if err := s.closedErr(); err != nil {
		return CheckReport{}, fmt.Errorf("check: %w", err)
	}
	c := &checker{s: s, files: map[uint64]livingRuns{}, seen: map[uint64]bool{}, runs: map[uint64]map[int64]runRef{}}
	for _, step := range []func(context.Context) error{c.journal, c.catalog, c.rowFiles, c.logs} {
		if err := step(ctx); err != nil {
			return c.rep, fmt.Errorf("check: %w", err)
		}
	}
	if c.more > 0 {
		c.damage(&CorruptionError{File: s.dir, Err: fmt.Errorf("and %d more places", c.more)})
	}
	return c.rep, nil
}

func (c *checker) damage(e *CorruptionError) {
	for _, d := range c.rep.Damage {
		if d.File == e.File && d.Offset == e.Offset && d.Log == e.Log && d.Seq == e.Seq {
			return
		}
	}
	if len(c.rep.Damage) == maxDamage && c.more == 0 {
		c.more++
		return
	}
	if len(c.rep.Damage) > maxDamage {
		return
	}
	c.rep.Damage = append(c.rep.Damage, e)
}

// catalogDamage reports a fault of the catalog and lets the check go on; other errors end it.
func (c *checker) catalogDamage(err error) error {
	if e, ok := errors.AsType[*CorruptionError](err); ok {
		c.damage(e)
		return nil
	}
	return err
}

func (c *checker) bad(key []byte, format string, args ...any) {
	c.damage(c.s.badRecord(key, fmt.Errorf(format, args...)).(*CorruptionError))
}

// journal checks every frame that is held.
func (c *checker) journal(ctx context.Context) error {
	found, err := c.s.j.Check(ctx)
	if err != nil {
		return c.s.wrap("journal", err)
	}
	for _, d := range found {
		c.damage(c.s.damageError(d))
	}
	return nil
}

// each calls f for the records of a kind.
func (c *checker) each(ctx context.Context, kind byte, f func(k, v []byte) error) error {
	it, err := c.s.kv.NewIter([]byte{kind}, []byte{kind + 1})
	if err != nil {
		return c.s.wrap("catalog", err)
	}
	defer it.Close()
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		v, err := it.Value()
		if err == nil {
			err = f(it.Key(), v)
		}
		if err != nil {
			return err
		}
	}
	if err := it.Err(); err != nil {
		return c.s.wrap("catalog", err)
	}
	return nil
}

// catalog checks that every record can be read and that they agree with each other.
func (c *checker) catalog(ctx context.Context) error {
	s := c.s
	b, ok, err := s.kv.Get(metaKey(), nil)
	switch {
	case err != nil:
		if err := c.catalogDamage(s.wrap("catalog", err)); err != nil {
			return err
		}
	case ok:
		m, err := decodeMeta(b)
		switch {
		case err != nil:
			c.bad(metaKey(), "%w", err)
		case m.ordinal > Ordinal(s.j.Durable()):
			c.bad(metaKey(), "built from frame %d, durable are those up to %d", m.ordinal, s.j.Durable())
		case m.ordinal != s.seal.applied:
			c.bad(metaKey(), "built from frame %d, readers know of %d", m.ordinal, s.seal.applied)
		}
	}
	steps := []error{
		c.each(ctx, keyID, func(k, v []byte) error {
			id, err := keyLog(k)
			if err != nil {
				c.bad(k, "%w", err)
				return nil
			}
			rec, ok, err := s.readLog(string(v))
			switch {
			case err != nil:
				return c.catalogDamage(err)
			case !ok || rec.id != id:
				c.bad(k, "name %q is not that of log %d", v, id)
			}
			return nil
		}),
		c.each(ctx, keyRun, func(k, v []byte) error {
			rec, err := decodeRun(v)
			id, err1 := keyLog(k)
			first, err2 := keySeq(k)
			if err := errors.Join(err, err1, err2); err != nil {
				c.bad(k, "%w", err)
				return nil
			}
			c.rep.Runs++
			if rec.file == 0 { // all of it was compacted away
				return c.owner(k, id)
			}
			has := c.files[rec.file]
			c.files[rec.file] = livingRuns{has.runs + 1, has.bytes + rec.stored}
			if c.runs[rec.file] == nil {
				c.runs[rec.file] = map[int64]runRef{}
			}
			c.runs[rec.file][rec.at.Offset] = runRef{id, first, rec}
			return c.owner(k, id)
		}),
		c.each(ctx, keyRow, func(k, _ []byte) error {
			c.rep.Rows++
			id, err := keyLog(k)
			if err != nil {
				c.bad(k, "%w", err)
				return nil
			}
			return c.owner(k, id)
		}),
		c.each(ctx, keyWindow, func(k, v []byte) error {
			if err := decodeWindow(&window{}, v); err != nil {
				c.bad(k, "%w", err)
			}
			id, err := keyLog(k)
			if err != nil {
				c.bad(k, "%w", err)
				return nil
			}
			return c.owner(k, id)
		}),
		c.each(ctx, keyLost, func(k, v []byte) error {
			rec, err := decodeLost(v)
			id, err1 := keyLog(k)
			first, err2 := keySeq(k)
			if err := errors.Join(err, err1, err2); err != nil {
				c.bad(k, "%w", err)
				return nil
			}
			if rec.settled {
				c.rep.Lost += int64(rec.end - first)
				return nil
			}
			l, err := s.byID(id)
			if err != nil || l == nil {
				return c.catalogDamage(err)
			}
			c.damage(&CorruptionError{Log: l.Name(), Seq: first, End: rec.end, File: rec.file, Offset: rec.offset, Err: errors.New(rec.why)})
			return nil
		}),
		c.each(ctx, keyFile, func(k, v []byte) error {
			rec, err := decodeFile(v)
			if err != nil || len(k) != 9 {
				c.bad(k, "%w", errors.Join(errRecord, err))
				return nil
			}
			n := uint64(0)
			for _, b := range k[1:] {
				n = n<<8 | uint64(b)
			}
			c.rep.Files++
			c.rep.Bytes += rec.bytes
			has, ok := c.files[n]
			if rec.runs != has.runs {
				c.bad(k, "file %s: %d runs, the catalog names %d", rowFileName(n), rec.runs, has.runs)
			}
			if rec.dead+has.bytes > rec.bytes {
				c.bad(k, "file %s: of %d bytes %d are dead, and the catalog names %d", rowFileName(n), rec.bytes, rec.dead, has.bytes)
			}
			c.seen[n] = true
			if !ok {
				c.files[n] = livingRuns{}
			}
			c.size(n, rec.bytes)
			return nil
		}),
		c.fileRecords(),
		c.cursors(ctx),
		c.each(ctx, keyView, func(_, _ []byte) error { return nil }),
	}
	for _, err := range steps {
		if err != nil {
			if err := c.catalogDamage(err); err != nil {
				return err
			}
		}
	}
	return nil
}

// fileRecords tells of the files with runs whose records are missing or cannot be read.
func (c *checker) fileRecords() error {
	for n := range c.files {
		if c.seen[n] {
			continue
		}
		if _, err := c.s.readFile(n); err != nil {
			if err := c.catalogDamage(err); err != nil {
				return err
			}
		}
	}
	return nil
}

// owner checks that a record belongs to a log there is.
func (c *checker) owner(k []byte, id LogID) error {
	_, ok, err := c.s.kv.Get(idKey(id), nil)
	if err != nil {
		return c.catalogDamage(c.s.wrap("catalog", err))
	}
	if !ok {
		c.bad(k, "log %d is not in the catalog", id)
	}
	return nil
}

// size checks the length of a row file.
func (c *checker) size(n uint64, want int64) {
	path := c.s.rows.path(n)
	info, err := c.s.fs.Stat(path)
	switch {
	case err != nil:
		c.damage(&CorruptionError{File: path, Err: err})
	case info.Size() != want:
		c.damage(&CorruptionError{File: path, Err: fmt.Errorf("%d bytes, the catalog says %d", info.Size(), want)})
	}
}

// rowFiles checks every row file, and that it holds what the catalog says.
func (c *checker) rowFiles(ctx context.Context) error {
	s := c.s
	for _, n := range slices.Sorted(maps.Keys(c.files)) {
		path := s.rows.path(n)
		f, err := s.rows.acquire(n)
		if err != nil {
			if err := c.catalogDamage(err); err != nil {
				return err
			}
			continue
		}
		err = f.r.Check(ctx, func(info sealed.RunInfo, e *sealed.CorruptError) {
			d := &CorruptionError{File: path, Offset: e.Offset, Err: e.Err}
			if ref, ok := c.runs[n][info.Location.Offset]; ok {
				if l, err := s.byID(ref.log); err == nil && l != nil {
					d.Log, d.Seq, d.End = l.Name(), ref.first, ref.rec.last+1
				}
			}
			c.damage(d)
		})
		if err == nil {
			err = c.directory(n, f)
		}
		if err := errors.Join(err, s.rows.release(f)); err != nil {
			return err
		}
	}
	return nil
}

// directory compares what a file says of its runs with the catalog.
func (c *checker) directory(n uint64, f *rowFile) error {
	left := maps.Clone(c.runs[n])
	for info, err := range f.r.Runs() {
		if errors.Is(err, sealed.ErrCorrupt) {
			return nil // reported already
		}
		if err != nil {
			return err
		}
		ref, ok := left[info.Location.Offset]
		if !ok {
			continue // it lives no more
		}
		delete(left, info.Location.Offset)
		if !ref.rec.is(ref.log, ref.first, info) {
			c.bad(logSeqKey(keyRun, ref.log, ref.first), "run is %+v, file %s says %+v", ref.rec, rowFileName(n), info)
		}
	}
	for _, ref := range left {
		c.bad(logSeqKey(keyRun, ref.log, ref.first), "run is not in file %s", rowFileName(n))
	}
	return nil
}

// logs reads every event of every log.
func (c *checker) logs(ctx context.Context) error {
	for info, err := range c.s.Logs("") {
		if err != nil {
			return c.catalogDamage(err)
		}
		l, err := c.s.Log(info.Name)
		if errors.Is(err, ErrNoLog) {
			continue // deleted meanwhile
		}
		if err != nil {
			if err := c.catalogDamage(err); err != nil {
				return err
			}
			continue
		}
		c.rep.Logs++
		if err := c.log(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) log(ctx context.Context, l *Log) error {
	b := l.Bounds()
	var time int64
	f := feed{l: l, at: b.Floor, to: b.Next}
	defer func() { _ = f.close() }()
	for f.at < f.to {
		for f.next(ctx) {
			c.rep.Events++
			if f.ev.Time < time {
				c.damage(&CorruptionError{Log: l.Name(), Seq: f.ev.Seq, File: c.s.catalogPath(), Err: errors.New("time goes backwards")})
			}
			time = f.ev.Time
		}
		if f.err == nil {
			break
		}
		d, ok := errors.AsType[*CorruptionError](f.err)
		switch {
		case errors.Is(f.err, ErrLogDeleted):
			return nil
		case errors.Is(f.err, ErrRangeLost):
			next := max(l.Bounds().Floor, f.at+1)
			if lost, ok := errors.AsType[*RangeLostError](f.err); ok {
				next = max(next, lost.To)
			}
			_ = f.close()
			f = feed{l: l, at: next, to: b.Next}
			continue
		case !ok:
			return f.err
		}
		c.damage(d)
		next := max(d.End, f.at+1) // what is beyond the damage can be read
		_ = f.close()
		f = feed{l: l, at: next, to: b.Next}
	}
	st := l.Stats()
	if st.LastTime < time {
		c.damage(&CorruptionError{Log: l.Name(), File: c.s.catalogPath(), Err: fmt.Errorf("the last time is %d, an event has %d", st.LastTime, time)})
	}
	return nil
}
