package redex

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/seed69692123/netdb/redex/internal/kv"
	"github.com/seed69692123/netdb/redex/journal"
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
	lastTime int64
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
	if err != nil || !r.rebuilt {
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

// rebuild makes the new catalog.
func (m *mendCatalog) rebuild() error {
	m.r.rebuilt = true
	clear(m.files)
	if _, err := m.read(m.set); err != nil {
		return err
	}
	if err := errors.Join(m.readRowFiles(), m.readJournal()); err != nil {
		return err
	}
	built := m.builtFrom()
	if err := m.resolve(built.ordinal); err != nil {
		return err
	}
	if m.old == nil || m.bad[keyRow] {
		if err := m.rowsOfJournal(built.ordinal); err != nil {
			return err
		}
	}
	files := map[uint64]fileChange{}
	for _, id := range slices.Sorted(maps.Keys(m.logs)) {
		if err := m.write(m.logs[id], built.ordinal, files); err != nil {
			return err
		}
		built.nextLog = max(built.nextLog, id+1)
	}
	for n, runs := range files {
		rec := fileRecord{bytes: m.files[n], runs: runs.runs, live: runs.live}
		if err := m.set(fileKey(n), rec.encode()); err != nil {
			return err
		}
	}
	for n := range m.files {
		built.nextFile = max(built.nextFile, n+1)
	}
	if err := errors.Join(m.set(metaKey(), built.encode()), m.apply()); err != nil {
		return err
	}
	return m.made.Flush(m.ctx)
}

// readRowFiles reads the directories of the row files.
func (m *mendCatalog) readRowFiles() error {
	clear(m.files)
	names, err := m.r.fs.List(m.r.path(rowsDir))
	if err != nil {
		return err
	}
	for _, name := range names {
		n, ok := parseRowFileName(name)
		if !ok {
			continue
		}
		f, err := m.r.fs.Open(m.r.path(rowsDir + "/" + name))
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err != nil {
			return errors.Join(err, f.Close())
		}
		m.files[n] = info.Size()
		r, err := sealed.NewReader(f, info.Size(), sealed.ReaderOptions{Owner: m.id.owner()})
		if err == nil {
			for run, err := range r.Runs() {
				if err != nil {
					break // what its runs are is in the catalog, or lost
				}
				m.rowFiles[n] = append(m.rowFiles[n], run)
			}
		} else if errors.Is(err, sealed.ErrForeign) {
			return errors.Join(&ForeignFilesError{Path: m.r.path(rowsDir + "/" + name), Want: m.id.files.String()}, f.Close())
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// eachFrame calls f for the frames the journal holds.
func (m *mendCatalog) eachFrame(f func(journal.Frame) error) (journal.Recovery, error) {
	fs, err := journal.OSFS(m.r.path(journalDir))
	if err != nil {
		return journal.Recovery{}, err
	}
	j, rec, err := journal.Open(m.ctx, fs, journal.Options{ReadOnly: true, ID: m.id.files}, 0, f)
	if err != nil {
		return rec, err
	}
	return rec, j.Close()
}

// readJournal notes what frames say of logs.
func (m *mendCatalog) readJournal() error {
	rec, err := m.eachFrame(func(f journal.Frame) error {
		o := Ordinal(f.Ordinal)
		m.held = cmp.Or(m.held, o)
		m.times[o] = f.Time
		for off := 0; off < len(f.Body); {
			p, next, err := nextPart(f.Body, off)
			if err != nil {
				return err
			}
			off = next
			if p.log == 0 || p.typ > partRename {
				continue
			}
			l := m.log(p.log)
			if l.made == nil {
				l.made = &journalMade{}
			}
			switch p.typ {
			case partCreate, partRename:
				name, opts, err := decodeCatalogPart(p)
				if err != nil {
					return err
				}
				l.made.name = name
				if p.typ == partCreate {
					l.made.options, l.made.created = opts, f.Time
				}
			case partDelete:
				l.made.deleted = o
			case partEvents:
				l.made.parts = append(l.made.parts, journalPart{o, p.first, p.first + Seq(p.count)})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range rec.Epochs {
		m.epochs = append(m.epochs, epochStart{Epoch(e.Epoch), Ordinal(e.First)})
	}
	m.epochs = newestEpochs(m.epochs)
	return nil
}

// builtFrom returns the state that the catalog is to be of: that of the old one, or what can be told from what was sealed. Passes seal up
// to one frame: the last one whose events are known to be sealed.
func (m *mendCatalog) builtFrom() metaRecord {
	if m.meta != nil {
		return *m.meta
	}
	built := metaRecord{nextLog: 1, nextFile: 1, files: m.id.files, epochs: m.epochs}
	if m.held > 0 {
		built.ordinal = m.held - 1
	}
	sealedTo := map[LogID]Seq{}
	for id, l := range m.logs {
		if l.rec != nil {
			sealedTo[id] = l.rec.next
		}
		for _, run := range l.runs {
			sealedTo[id] = max(sealedTo[id], run.rec.last+1)
			built.time = max(built.time, run.rec.max)
		}
	}
	for _, runs := range m.rowFiles {
		for _, run := range runs {
			id := LogID(run.Log)
			sealedTo[id] = max(sealedTo[id], Seq(run.Last)+1)
			built.time = max(built.time, run.MaxTime)
		}
	}
	for id, l := range m.logs {
		if l.made == nil {
			continue
		}
		for _, p := range l.made.parts {
			if p.end <= sealedTo[id] {
				built.ordinal = max(built.ordinal, p.ordinal)
			}
		}
	}
	built.time = max(built.time, m.times[built.ordinal])
	return built
}

// resolve decides which logs there are, and how they are called.
func (m *mendCatalog) resolve(built Ordinal) error {
	// Where names can all be read, a log that has none was deleted.
	lostNames := m.bad[keyName] || m.bad[keyID]
	for n, runs := range m.rowFiles {
		for _, info := range runs {
			id := LogID(info.Log)
			if m.logs[id] == nil && !lostNames {
				continue
			}
			l := m.log(id)
			rec := runRecord{
				file: n, last: Seq(info.Last), rows: info.Rows, min: info.MinTime, max: info.MaxTime, raw: info.RawBytes,
				stored: info.StoredBytes, at: info.Location,
			}
			if missing := int64(info.Last-info.First) + 1 - info.Rows; missing > 0 { // compaction took them, for all that is known
				rec.sparse, rec.from, rec.till, rec.gone = true, Seq(info.First), rec.last, missing
			}
			l.more = append(l.more, foundRun{Seq(info.First), rec})
		}
	}
	taken := map[string]LogID{}
	for _, id := range slices.Sorted(maps.Keys(m.logs)) {
		l := m.logs[id]
		stored := len(l.runs)+len(l.more) > 0 || l.rows > 0
		switch {
		case l.made != nil && l.made.deleted > 0 && l.made.deleted <= built,
			l.rec == nil && l.name == "" && !(lostNames && stored):
			delete(m.logs, id) // it was deleted, or is made by a frame that is replayed
			continue
		}
		for name, of := range m.names {
			if of == id && (l.name == "" || m.names[l.name] != id) {
				l.name = name
			}
		}
		if l.name == "" && l.made != nil {
			l.name = l.made.name
		}
		if l.name == "" || taken[l.name] != 0 {
			l.name = recoveredName(id)
			m.r.rep.Recovered = append(m.r.rep.Recovered, l.name)
		}
		taken[l.name] = id
	}
	return nil
}

// rowsOfJournal makes rows of events that were sealed and are in no run, as far as the journal still holds them.
func (m *mendCatalog) rowsOfJournal(built Ordinal) error {
	_, err := m.eachFrame(func(f journal.Frame) error {
		for off := 0; off < len(f.Body) && Ordinal(f.Ordinal) <= built; {
			p, next, err := nextPart(f.Body, off)
			if err != nil {
				return err
			}
			off = next
			l := m.logs[p.log]
			if p.typ != partEvents || l == nil {
				continue
			}
			rest := p.data
			for k := range p.count {
				var ev Event
				_, after, err := decodeEntry(rest, &ev)
				if err != nil {
					return err
				}
				entry := rest[:len(rest)-len(after)]
				rest = after
				seq := p.first + Seq(k)
				if len(entry) > kv.MaxValueBytes-16 || l.rowsLen[seq] > 0 || l.holds(seq) {
					continue
				}
				v := encodeRow(nil, f.Time, entry)
				m.row(p.log, seq, f.Time, int64(len(v)))
				if err := m.set(logSeqKey(keyRow, p.log, seq), v); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return err
}

// holds reports whether a run has a sequence, or it was given up.
func (l *foundLog) holds(seq Seq) bool {
	in := func(r foundRun) bool { return r.first <= seq && seq <= r.rec.last }
	return l.rec != nil && seq < l.rec.floor || slices.ContainsFunc(l.runs, in) || slices.ContainsFunc(l.more, in)
}

// write writes the records of a log. files counts the runs of each row file.
func (m *mendCatalog) write(l *foundLog, built Ordinal, files map[uint64]fileChange) error {
	rec := logRecord{id: l.id}
	known := l.rec != nil
	if known {
		rec = *l.rec
	} else if l.made != nil {
		rec.options, rec.created = l.made.options, l.made.created
	}
	// A record that was read may be an older one, whose successor is damaged.
	runs := m.chooseRuns(l, &rec, known)
	rec.runs, rec.rawBytes, rec.storedBytes, rec.gone, rec.rowsBytes = 0, 0, 0, 0, 0
	end := Seq(0)
	for _, run := range runs {
		end = max(end, run.rec.last+1)
		rec.lastTime = max(rec.lastTime, run.rec.max)
		rec.withRun(&run.rec)
		if c := files[run.rec.file]; run.rec.file != 0 {
			files[run.rec.file] = fileChange{c.runs + 1, c.live + run.rec.stored}
		}
		if err := m.set(logSeqKey(keyRun, l.id, run.first), run.rec.encode()); err != nil {
			return err
		}
	}
	rec.next = max(rec.next, end, l.rowEnd)
	rec.lastTime, rec.redact = max(rec.lastTime, l.rowTime), l.redact
	if l.made != nil { // what is replayed follows
		for _, p := range l.made.parts {
			if p.ordinal > built {
				rec.next = p.first
				break
			}
			rec.lastTime = max(rec.lastTime, m.times[p.ordinal])
		}
	}
	if !known {
		rec.floor = rec.next
		if len(runs) > 0 {
			rec.floor = min(rec.floor, runs[0].first)
		}
		if l.rows > 0 {
			rec.floor = min(rec.floor, l.rowFirst)
		}
	}
	rec.floor = min(rec.floor, rec.next)
	if !known || rec.rowsFrom < end || rec.rowsFrom > rec.next {
		rec.rowsFrom = min(max(end, rec.floor), rec.next)
	}
	for seq, n := range l.rowsLen {
		if seq >= rec.rowsFrom {
			rec.rowsBytes += n
		}
	}
	if !known {
		m.r.rep.did("log %q: its record was lost: it is made anew, with %d events from %d on", l.name, rec.next-rec.floor, rec.floor)
	}
	errs := []error{m.set(nameKey(l.name), rec.encode()), m.set(idKey(l.id), []byte(l.name))}
	if rec.options.Retention.any() {
		errs = append(errs, m.set(retainKey(l.id), nil))
	}
	return errors.Join(errs...)
}

// chooseRuns returns the runs of a log: those that the old catalog named, and where some of its records are lost, those that row files
// have and that fit between them. Of two that have the same events the newer file's is taken.
func (m *mendCatalog) chooseRuns(l *foundLog, rec *logRecord, known bool) []foundRun {
	chosen := slices.Clone(l.runs)
	if m.old == nil || m.bad[keyRun] || !known {
		slices.SortStableFunc(l.more, func(a, b foundRun) int { return cmp.Compare(b.rec.file, a.rec.file) })
		for _, run := range l.more {
			overlaps := func(r foundRun) bool { return run.first <= r.rec.last && r.first <= run.rec.last }
			if known && run.rec.last < rec.floor || slices.ContainsFunc(chosen, overlaps) {
				continue
			}
			chosen = append(chosen, run)
		}
	}
	slices.SortFunc(chosen, func(a, b foundRun) int { return cmp.Compare(a.first, b.first) })
	return chosen
}
