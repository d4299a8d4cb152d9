package redex

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/seed69692123/netdb/redex/internal/kv"
	"github.com/seed69692123/netdb/redex/sealed"
)

// Names of the catalog while it is made anew: unfinished, and finished but not yet in its place.
const (
	catalogBegun = "catalog.tmp"
	catalogDone  = "catalog.new"
)

// foundRun is a run that a catalog or a row file tells of.
type foundRun struct {
	first Seq
	rec   runRecord
}

// foundLog is what is known of a log.
type foundLog struct {
	id       LogID
	name     string     // "" when nothing tells it
	rec      *logRecord // nil: its record is lost
	runs     []foundRun // of the old catalog, by first sequence
	more     []foundRun // of row files
	rowFirst Seq        // of the rows, when there are any
	rowEnd   Seq
	rows     int64
	rowTime  int64         // of the newest
	redact   int64         // events in runs whose payloads are still to be taken out
	rowsLen  map[Seq]int64 // of logs whose record has to be made
	made     *journalMade  // what the journal says
}

// journalMade is what frames of the journal say of a log.
type journalMade struct {
	name    string
	options LogOptions
	created int64
	deleted Ordinal // 0: it is not
	parts   []journalPart
}

// journalPart is events of a log in one frame.
type journalPart struct {
	ordinal    Ordinal
	first, end Seq
}

// mendCatalog makes a catalog anew.
type mendCatalog struct {
	r        *repairer
	ctx      context.Context // of the repair, which it does not outlive
	id       identity
	old      *kv.DB // nil: it cannot be opened
	made     *kv.DB
	batch    *kv.Batch
	bad      map[byte]bool // kinds of keys some of which cannot be read
	meta     *metaRecord
	logs     map[LogID]*foundLog
	names    map[string]LogID
	files    map[uint64]int64 // lengths of the row files
	rowFiles map[uint64][]sealed.RunInfo
	held     Ordinal // the first frame the journal holds, 0: none
	times    map[Ordinal]int64
	epochs   []epochStart
}

// catalog looks whether every record of the catalog can be read and fits the others, and makes it anew if not.
func (r *repairer) catalog(ctx context.Context) (err error) {
	lock, err := lockDir(r.dir, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := r.finishCatalog(); err != nil {
		return err
	}
	state, id, err := inspectDir(r.fs, r.dir)
	if err != nil || state != dirStore {
		return errors.Join(err, ErrFormat)
	}
	for _, n := range []string{journalDir, rowsDir} {
		if _, err := r.fs.Stat(r.path(n)); isNotExist(err) {
			r.rep.did("made the directory %s, which was missing", n)
		}
		if err := r.fs.MkdirAll(r.path(n), 0o755); err != nil {
			return err
		}
	}
	if err := r.fs.RemoveAll(r.path(columnsDir)); err != nil && !isNotExist(err) { // they are derived from what may be gone afterwards
		return err
	}
	if err := r.fs.MkdirAll(r.path(columnsDir), 0o755); err != nil {
		return err
	}
	m := &mendCatalog{
		r: r, ctx: ctx, id: id, bad: map[byte]bool{}, logs: map[LogID]*foundLog{}, names: map[string]LogID{}, files: map[uint64]int64{},
		rowFiles: map[uint64][]sealed.RunInfo{}, times: map[Ordinal]int64{},
	}
	if _, err := r.fs.Stat(r.path(catalogDir)); isNotExist(err) {
		r.rep.did("there is no catalog")
		return m.finish(m.run())
	}
	m.old, err = kv.Open(r.fs, r.path(catalogDir), kv.Options{ReadOnly: true, CacheBytes: r.o.CacheBytes / 3, Logger: r.o.Logger})
	switch {
	case errors.Is(err, kv.ErrCorrupt):
		m.old = nil
		r.rep.did("the catalog cannot be opened: %v", err)
	case err != nil:
		return err
	}
	err = m.run()
	if m.old != nil {
		err = errors.Join(err, m.old.Close())
	}
	return m.finish(err)
}

// finish puts the new catalog in its place, if one was made.
func (m *mendCatalog) finish(err error) error {
	r := m.r
	if err != nil || m.made == nil {
		return err
	}
	if err := r.fs.Rename(r.path(catalogBegun), r.path(catalogDone)); err != nil {
		return err
	}
	if err := syncDir(r.fs, r.dir); err != nil {
		return err
	}
	return r.finishCatalog()
}

// finishCatalog puts a catalog that is made in its place, also one that an interrupted repair made.
func (r *repairer) finishCatalog() error {
	if err := r.fs.RemoveAll(r.path(catalogBegun)); err != nil && !isNotExist(err) {
		return err
	}
	if _, err := r.fs.Stat(r.path(catalogDone)); isNotExist(err) {
		return nil
	} else if err != nil {
		return err
	}
	r.rebuilt = true
	if err := r.moveAside(catalogDir); err != nil && !isNotExist(err) {
		return err
	}
	if err := r.fs.Rename(r.path(catalogDone), r.path(catalogDir)); err != nil {
		return err
	}
	r.rep.did("made the catalog anew")
	return syncDir(r.fs, r.dir)
}

func (m *mendCatalog) run() error {
	// The first time only to see whether anything is wrong, the second to copy.
	if whole, err := m.read(func(_, _ []byte) error { return nil }); err != nil || whole {
		return err
	}
	clear(m.logs)
	clear(m.names)
	m.meta = nil
	var err error
	m.made, err = kv.Open(m.r.fs, m.r.path(catalogBegun), kv.Options{CacheBytes: m.r.o.CacheBytes / 3, Logger: m.r.o.Logger})
	if err != nil {
		return err
	}
	m.batch = m.made.NewBatch()
	err = m.rebuild()
	return errors.Join(err, m.batch.Close(), m.made.Close())
}

// set adds a record to the new catalog.
func (m *mendCatalog) set(k, v []byte) error {
	if err := m.batch.Set(k, v); err != nil {
		return err
	}
	if m.batch.Len() < 1<<20 {
		return nil
	}
	return m.apply()
}

func (m *mendCatalog) apply() error {
	if err := m.made.Apply(m.ctx, m.batch); err != nil {
		return err
	}
	m.batch.Reset()
	return nil
}

// read reads the old catalog. It gives what is to be copied as it is to keep, and reports whether everything can be read.
func (m *mendCatalog) read(keep func(k, v []byte) error) (whole bool, err error) {
	whole = m.old != nil
	note := func(kind byte, k []byte, err error) {
		whole = false
		if !m.bad[kind] {
			m.r.rep.did("records of kind %q in the catalog cannot be read, the first with key %x: %v", kind, k, err)
		}
		m.bad[kind] = true
	}
	for kind := range byte(255) {
		if m.old == nil {
			m.bad[kind] = true
			continue
		}
		damage, err := salvage(m.old, []byte{kind}, []byte{kind + 1}, func(k, v []byte) error {
			if err := m.ctx.Err(); err != nil {
				return err
			}
			if err := m.record(kind, k, v, keep); errors.Is(err, errRecord) {
				note(kind, k, err)
			} else if err != nil {
				return err
			}
			return nil
		})
		if err != nil {
			return false, err
		}
		for _, d := range damage {
			note(kind, nil, d)
		}
	}
	if m.old == nil {
		return false, nil
	}
	if m.meta == nil && len(m.logs)+len(m.files) > 0 { // a new store has none yet
		note(keyMeta, metaKey(), errors.New("it is missing"))
	}
	for id, l := range m.logs {
		switch {
		case l.rec == nil && (l.name != "" || len(l.runs) > 0 || l.rows > 0):
			note(keyName, idKey(id), fmt.Errorf("the record of log %d is missing", id))
		case l.rec != nil && l.name == "":
			note(keyID, idKey(id), fmt.Errorf("the name of log %d is missing", id))
		case l.rec != nil && m.names[l.name] != id:
			note(keyID, idKey(id), fmt.Errorf("log %d is called %q, as another", id, l.name))
		}
	}
	counts := map[uint64]int64{}
	for _, l := range m.logs {
		for _, run := range l.runs {
			if run.rec.file != 0 { // it has no event
				counts[run.rec.file]++
			}
		}
	}
	if !maps.Equal(counts, m.files) {
		note(keyFile, []byte{keyFile}, errors.New("they have other numbers of runs than there are"))
	}
	return whole, nil
}

func (m *mendCatalog) log(id LogID) *foundLog {
	l := m.logs[id]
	if l == nil {
		l = &foundLog{id: id}
		m.logs[id] = l
	}
	return l
}

// record takes in one record. Its error is an errRecord if the record is bad.
func (m *mendCatalog) record(kind byte, k, v []byte, keep func(k, v []byte) error) error {
	id, idErr := keyLog(k)
	seq, seqErr := keySeq(k)
	bad := func(errs ...error) error { return fmt.Errorf("%w: %w", errRecord, errors.Join(errs...)) }
	switch kind {
	case keyMeta:
		meta, err := decodeMeta(v)
		if err != nil || len(k) != 1 {
			return bad(err)
		}
		m.meta = &meta
	case keyName:
		rec, err := decodeLog(v)
		if err != nil {
			return bad(err)
		}
		m.names[string(k[1:])] = rec.id
		l := m.log(rec.id)
		if l.name == "" || l.rec == nil {
			l.rec = &rec
		}
	case keyID:
		if idErr != nil || len(v) == 0 {
			return bad(idErr)
		}
		m.log(id).name = string(v)
	case keyRun:
		rec, err := decodeRun(v)
		if err := errors.Join(err, idErr, seqErr); err != nil || rec.last < seq {
			return bad(err)
		}
		l := m.log(id)
		l.runs = append(l.runs, foundRun{seq, rec})
	case keyRow:
		var ev Event
		headers, err := decodeRow(v, &ev)
		if err == nil {
			_, err = decodeHeaders(headers, nil)
		}
		if err := errors.Join(err, idErr, seqErr); err != nil {
			return bad(err)
		}
		m.row(id, seq, ev.Time, int64(len(v)))
		return keep(k, v)
	case keyWindow:
		if err := errors.Join(decodeWindow(&window{}, v), idErr); err != nil {
			return bad(err)
		}
		return keep(k, v)
	case keyFile:
		rec, err := decodeFile(v)
		if err != nil || len(k) != 9 {
			return bad(err)
		}
		m.files[uint64(id)] = rec.runs // the number stands where a log's does
	case keyLost:
		if _, err := decodeLost(v); err != nil || seqErr != nil {
			return bad(err, seqErr)
		}
		return keep(k, v)
	case keyRetain:
	case keyRedact:
		if err := errors.Join(idErr, seqErr); err != nil {
			return bad(err)
		}
		m.log(id).redact++
		return keep(k, v)
	default:
		return keep(k, v)
	}
	return nil
}

// row notes a row of the catalog.
func (m *mendCatalog) row(id LogID, seq Seq, time, size int64) {
	l := m.log(id)
	l.rowTime = max(l.rowTime, time)
	if l.rows == 0 || seq < l.rowFirst {
		l.rowFirst = seq
	}
	l.rowEnd = max(l.rowEnd, seq+1)
	l.rows++
	if m.made != nil {
		if l.rowsLen == nil {
			l.rowsLen = map[Seq]int64{}
		}
		l.rowsLen[seq] = size
	}
}
