package redex

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/seed69692123/netdb/redex/internal/kv"
	"github.com/seed69692123/netdb/redex/journal"
	"github.com/seed69692123/netdb/redex/sealed"
)

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
	files := map[uint64]livingRuns{}
	for _, id := range slices.Sorted(maps.Keys(m.logs)) {
		if err := m.write(m.logs[id], built.ordinal, files); err != nil {
			return err
		}
		built.nextLog = max(built.nextLog, id+1)
	}
	for n, runs := range files {
		rec := fileRecord{bytes: m.files[n], runs: runs.runs, dead: max(m.files[n]-runs.bytes, 0)}
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
func (m *mendCatalog) write(l *foundLog, built Ordinal, files map[uint64]livingRuns) error {
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
			files[run.rec.file] = livingRuns{c.runs + 1, c.bytes + run.rec.stored}
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
