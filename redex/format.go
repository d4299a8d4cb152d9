package redex

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/seed69692123/netdb/redex/journal"
	"github.com/seed69692123/netdb/redex/sealed"
)

// Names in a store's directory.
const (
	lockName       = "LOCK"
	formatName     = "FORMAT"
	formatNewName  = "FORMAT.new" // while the store is being made
	checkpointName = "CHECKPOINT" // in a copy, until it is opened to write
	journalDir     = "journal"
	rowsDir        = "rows"
	columnsDir     = "columns"
	catalogDir     = "catalog"
	blobsDir       = "blobs"
	rowSuffix      = ".rows"

	formatVersion  = 1
	maxFormatBytes = 4096
)

// identity is what FORMAT says: which store this is, and which files are its own. Journal, catalog and row files bear the id of
// the files, so that those of another directory are known, also of one that was restored from this store and has its id.
type identity struct {
	store StoreID
	files journal.ID
}

// owner is what row files bear of the id.
func (id *identity) owner() uint64 { return binary.LittleEndian.Uint64(id.files[:]) }

// ownerString returns as much of an id as an owner is, as the id is printed.
func ownerString(owner uint64) string {
	return hex.EncodeToString(binary.LittleEndian.AppendUint64(nil, owner))
}

// encodeFormat returns the text of the FORMAT file: four lines.
func encodeFormat(id identity) []byte {
	return fmt.Appendf(nil, "netdb store\nformat %d\nid %s\nfiles %s\n", formatVersion, id.store, id.files)
}

// decodeFormat reads the text of a FORMAT file. Later versions may add lines of their own, but keep the first two.
func decodeFormat(b []byte) (id identity, err error) {
	lines := strings.Split(string(b), "\n")
	if len(lines) < 2 || lines[0] != "netdb store" {
		return id, fmt.Errorf("%w: FORMAT is not that of a NetDB store", ErrFormat)
	}
	num, ok := strings.CutPrefix(lines[1], "format ")
	version, err := strconv.ParseUint(num, 10, 32)
	if !ok || err != nil || version == 0 {
		return id, fmt.Errorf("%w: bad version line %q in FORMAT", ErrFormat, lines[1])
	}
	if version > formatVersion {
		return id, fmt.Errorf("%w: the store has format %d, this program knows up to %d: open it with a newer program", ErrFormat, version, formatVersion)
	}
	if len(lines) != 5 || lines[4] != "" {
		return id, fmt.Errorf("%w: FORMAT of version %d has other lines than it should", ErrFormat, version)
	}
	for i, part := range []struct {
		name string
		to   []byte
	}{{"id ", id.store[:]}, {"files ", id.files[:]}} {
		text, ok := strings.CutPrefix(lines[2+i], part.name)
		raw, err := hex.DecodeString(text)
		if !ok || err != nil || len(raw) != len(part.to) {
			return id, fmt.Errorf("%w: bad line %q in FORMAT", ErrFormat, lines[2+i])
		}
		copy(part.to, raw)
	}
	return id, nil
}

// rowFileName is the name of a row file in rowsDir.
func rowFileName(n uint64) string { return fmt.Sprintf("%012d%s", n, rowSuffix) }

// parseRowFileName is the reverse of rowFileName.
func parseRowFileName(name string) (uint64, bool) {
	num, ok := strings.CutSuffix(name, rowSuffix)
	n, err := strconv.ParseUint(num, 10, 64)
	return n, ok && err == nil && n > 0 && rowFileName(n) == name
}

// The keys of the catalog, by their first byte; docs/format/catalog.md is the specification. Numbers in keys are big-endian.
const (
	keyMeta   = 'm' // -> metaRecord
	keyName   = 'n' // name -> logRecord
	keyID     = 'l' // log -> name
	keyRun    = 'r' // log, first sequence -> runRecord
	keyRow    = 't' // log, sequence -> time and entry
	keyWindow = 'w' // log, origin, piece -> a piece of a window
	keyFile   = 'f' // file -> fileRecord
	keyLost   = 'q' // log, first sequence -> lostRecord
	keyRetain = 'p' // log with a retention -> nothing
	keyRedact = 'x' // log, sequence of a redacted event whose payload may still be in a file -> nothing
	keyView   = 'v' // view name, 0, key -> a view's value
)

// maxRowValue bounds the value of a row that is kept in the catalog; longer events always go to a row file.
const maxRowValue = 8 << 10

// The flags of a row in a row file.
const (
	rowTombstone = 1 << 0
	rowRedacted  = 1 << 1
)

// windowPiece bounds a piece of a window; more go to the next.
const windowPiece = 24 << 10

var errRecord = errors.New("bad catalog record")

func be(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, v) }

func metaKey() []byte { return []byte{keyMeta} }

func nameKey(name string) []byte { return append([]byte{keyName}, name...) }

func redactKey(id LogID, seq Seq) []byte { return logSeqKey(keyRedact, id, seq) }

func retainKey(id LogID) []byte { return be([]byte{keyRetain}, uint64(id)) }

func idKey(id LogID) []byte { return be([]byte{keyID}, uint64(id)) }

func logSeqKey(kind byte, id LogID, seq Seq) []byte {
	return be(be(append(make([]byte, 0, 17), kind), uint64(id)), uint64(seq))
}

// logKeys returns the range [from, to) of all keys of a kind that begin with the log.
func logKeys(kind byte, id LogID) (from, to []byte) {
	return be([]byte{kind}, uint64(id)), be([]byte{kind}, uint64(id)+1)
}

func windowKey(id LogID, o Origin, piece uint8) []byte {
	return append(be(be([]byte{keyWindow}, uint64(id)), uint64(o)), piece)
}

func fileKey(n uint64) []byte { return be([]byte{keyFile}, n) }

// keySeq returns the sequence at the end of a key made by logSeqKey.
func keySeq(k []byte) (Seq, error) {
	if len(k) != 17 {
		return 0, errRecord
	}
	return Seq(binary.BigEndian.Uint64(k[9:])), nil
}

// keyLog returns the log at the start of a key.
func keyLog(k []byte) (LogID, error) {
	if len(k) < 9 {
		return 0, errRecord
	}
	return LogID(binary.BigEndian.Uint64(k[1:])), nil
}

// prefixEnd returns the first key after all keys that begin with prefix, or nil when there is none.
func prefixEnd(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// recordVersion begins every record of the catalog.
const recordVersion = 1

// fields writes and reads a record: its version, then integers and byte strings in an order that is fixed by the record.
type fields struct {
	b   []byte
	err error
}

func newRecord() *fields { return &fields{b: []byte{recordVersion}} }

func readRecord(b []byte) *fields {
	if len(b) == 0 {
		return &fields{err: errRecord}
	}
	if b[0] != recordVersion {
		return &fields{err: fmt.Errorf("%w: catalog record of version %d", ErrFormat, b[0])}
	}
	return &fields{b: b[1:]}
}

func (f *fields) putUint(v uint64)  { f.b = binary.AppendUvarint(f.b, v) }
func (f *fields) putInt(v int64)    { f.b = binary.AppendVarint(f.b, v) }
func (f *fields) putBytes(v []byte) { f.b = appendLengthPrefixed(f.b, v) }

func (f *fields) uint() uint64 {
	v, rest, err := uvarint(f.b)
	if err != nil {
		f.fail()
		return 0
	}
	f.b = rest
	return v
}

// count reads an integer that is at most 2^63-1.
func (f *fields) count() int64 {
	v := f.uint()
	if v > math.MaxInt64 {
		f.fail()
		return 0
	}
	return int64(v)
}

func (f *fields) int() int64 {
	v, n := binary.Varint(f.b)
	if n <= 0 {
		f.fail()
		return 0
	}
	f.b = f.b[n:]
	return v
}

func (f *fields) bytes() []byte {
	v, rest, err := lengthPrefixed(f.b)
	if err != nil {
		f.fail()
		return nil
	}
	f.b = rest
	return v
}

func (f *fields) fail() {
	f.b = nil
	if f.err == nil {
		f.err = errRecord
	}
}

// done returns the first fault, or one for bytes that are left.
func (f *fields) done() error {
	if f.err == nil && len(f.b) != 0 {
		f.err = errRecord
	}
	return f.err
}

// epochStart is the first ordinal of an epoch.
type epochStart struct {
	epoch Epoch
	first Ordinal
}

// maxEpochs is how many epochs a store remembers, the newest ones, so that their list is never too long for the catalog. A
// position of an older one gets ErrEpoch, whether or not its event is still there.
const maxEpochs = 1024

// newestEpochs returns the epochs to remember of an ascending list.
func newestEpochs(all []epochStart) []epochStart { return all[max(0, len(all)-maxEpochs):] }

// metaRecord is the state of the whole store at one ordinal.
type metaRecord struct {
	ordinal  Ordinal // the catalog holds everything up to this frame
	time     int64   // of that frame
	nextLog  LogID
	nextFile uint64
	epochs   []epochStart // ascending
	files    journal.ID   // of identity
}

func (m *metaRecord) encode() []byte {
	f := newRecord()
	f.putUint(uint64(m.ordinal))
	f.putInt(m.time)
	f.putUint(uint64(m.nextLog))
	f.putUint(m.nextFile)
	f.putUint(uint64(len(m.epochs)))
	for _, e := range m.epochs {
		f.putUint(uint64(e.epoch))
		f.putUint(uint64(e.first))
	}
	f.putBytes(m.files[:])
	return f.b
}

func decodeMeta(b []byte) (metaRecord, error) {
	f := readRecord(b)
	m := metaRecord{ordinal: Ordinal(f.uint()), time: f.int(), nextLog: LogID(f.uint()), nextFile: f.uint()}
	n := f.uint()
	if n > uint64(len(f.b)) {
		f.fail()
		n = 0
	}
	for range n {
		m.epochs = append(m.epochs, epochStart{Epoch(f.uint()), Ordinal(f.uint())})
	}
	if copy(m.files[:], f.bytes()) != len(m.files) {
		f.fail()
	}
	return m, f.done()
}

// logRecord is a log at the ordinal of the catalog.
type logRecord struct {
	id          LogID
	options     LogOptions
	created     int64 // time of its create frame
	floor, next Seq
	lastTime    int64
	rowsFrom    Seq // sequences from here to next are rows of the catalog, those before are in runs
	rowsBytes   int64
	runs        int64
	rawBytes    int64 // payload, key and header bytes of the events in runs
	storedBytes int64 // bytes of its runs in row files

	compacted Seq   // what lies below was compacted by key together
	gone      int64 // events that compaction took out of its runs
	redact    int64 // keyRedact records
	horizon   horizon
	erased    int64 // redacted events whose keyRedact records went, since the log began
}

func (r *logRecord) encode() []byte {
	f := newRecord()
	f.putUint(uint64(r.id))
	f.putBytes(appendOptions(nil, r.options))
	f.putInt(r.created)
	f.putUint(uint64(r.floor))
	f.putUint(uint64(r.next))
	f.putInt(r.lastTime)
	f.putUint(uint64(r.rowsFrom))
	f.putUint(uint64(r.rowsBytes))
	f.putUint(uint64(r.runs))
	f.putUint(uint64(r.rawBytes))
	f.putUint(uint64(r.storedBytes))
	if r.compacted != 0 || r.gone != 0 || r.redact != 0 || r.horizon != (horizon{}) || r.erased != 0 {
		f.putUint(uint64(r.compacted))
		f.putUint(uint64(r.gone))
		f.putUint(uint64(r.redact))
		f.putUint(uint64(r.horizon.seq))
		f.putInt(r.horizon.time)
		if r.erased != 0 {
			f.putUint(uint64(r.erased))
		}
	}
	return f.b
}

func decodeLog(b []byte) (logRecord, error) {
	f := readRecord(b)
	r := logRecord{id: LogID(f.uint())}
	var err error
	if r.options, err = decodeOptions(f.bytes()); err != nil && f.err == nil {
		f.err = err
	}
	r.created = f.int()
	r.floor, r.next = Seq(f.count()), Seq(f.count())
	r.lastTime = f.int()
	r.rowsFrom = Seq(f.count())
	r.rowsBytes, r.runs, r.rawBytes, r.storedBytes = f.count(), f.count(), f.count(), f.count()
	if len(f.b) > 0 {
		r.compacted, r.gone, r.redact = Seq(f.count()), f.count(), f.count()
		r.horizon = horizon{Seq(f.count()), f.int()}
		if len(f.b) > 0 {
			r.erased = f.count()
		}
	}
	if r.id == 0 || r.floor > r.next || r.rowsFrom > r.next || r.compacted > r.next {
		f.fail()
	}
	return r, f.done()
}

// runRecord says where a run is. The log and the first sequence are in its key. A run answers for all sequences from first to
// last: those it does not hold were taken by compaction when it is sparse, else by damage.
type runRecord struct {
	file   uint64 // 0: it holds none
	last   Seq
	rows   int64
	min    int64 // times
	max    int64
	raw    int64
	stored int64
	at     sealed.Location

	sparse     bool
	from, till Seq   // the first and the last event it holds, when it is sparse
	gone       int64 // events that compaction took
}

func (r *runRecord) encode() []byte {
	f := newRecord()
	f.putUint(r.file)
	f.putUint(uint64(r.last))
	f.putUint(uint64(r.rows))
	f.putInt(r.min)
	f.putUint(uint64(r.max - r.min))
	f.putUint(uint64(r.raw))
	f.putUint(uint64(r.stored))
	f.putUint(uint64(r.at.Offset))
	f.putUint(uint64(r.at.Length))
	if r.sparse {
		f.putUint(uint64(r.from))
		f.putUint(uint64(r.till))
		f.putUint(uint64(r.gone))
	}
	return f.b
}

func decodeRun(b []byte) (runRecord, error) {
	f := readRecord(b)
	r := runRecord{file: f.uint(), last: Seq(f.count()), rows: f.count(), min: f.int()}
	r.max = r.min + f.count()
	r.raw, r.stored, r.at.Offset = f.count(), f.count(), f.count()
	length := f.uint()
	if len(f.b) > 0 {
		r.sparse = true
		r.from, r.till, r.gone = Seq(f.count()), Seq(f.count()), f.count()
		if r.from > r.till || r.till > r.last || (r.file == 0) != (r.rows == 0) {
			f.fail()
		}
	}
	if length > math.MaxUint32 || r.max < r.min || r.file == 0 && !r.sparse {
		f.fail()
	}
	r.at.Length = uint32(length)
	return r, f.done()
}

// is reports whether a run in a row file is the one that the record, of that log and first sequence, names.
func (r *runRecord) is(id LogID, first Seq, i sealed.RunInfo) bool {
	last := r.last
	if r.sparse {
		first, last = r.from, r.till
	}
	return i.Log == uint64(id) && i.First == uint64(first) && i.Last == uint64(last) && i.Rows == r.rows &&
		i.MinTime == r.min && i.MaxTime == r.max && i.Location == r.at
}

// fileRecord is a row file that something lives in.
type fileRecord struct {
	bytes int64
	runs  int64 // runs that live in it; the file goes with the last
	dead  int64 // bytes of the runs that do so no more
	// packed says that its blocks are compressed as they are to stay (see repack.go).
	packed bool
}

func (r *fileRecord) encode() []byte {
	f := newRecord()
	f.putUint(uint64(r.bytes))
	f.putUint(uint64(r.runs))
	f.putUint(uint64(r.dead))
	if r.packed {
		f.putUint(filePacked)
	}
	return f.b
}

// filePacked is the flag of a fileRecord, which has no flags unless one is set.
const filePacked = 1

func decodeFile(b []byte) (fileRecord, error) {
	f := readRecord(b)
	r := fileRecord{bytes: f.count(), runs: f.count()}
	if len(f.b) > 0 { // those of the first stores do not say
		r.dead = f.count()
	}
	if len(f.b) > 0 {
		if r.packed = f.uint() == filePacked; !r.packed {
			f.fail()
		}
	}
	return r, f.done()
}

// lostRecord is a range of sequences that damage in the journal took. The log and the first sequence are in its key.
type lostRecord struct {
	end    Seq // after the last one lost
	offset int64
	file   string
	why    string
	// settled is set by Repair: the events are known to be gone, so reading them is a RangeLostError, and no damage.
	settled bool
}

func (r *lostRecord) encode() []byte {
	f := newRecord()
	f.putUint(uint64(r.end))
	f.putUint(uint64(r.offset))
	f.putBytes([]byte(r.file))
	f.putBytes([]byte(r.why))
	if r.settled {
		f.putUint(lostSettled)
	}
	return f.b
}

// lostSettled is the flag of a lostRecord, which has no flags unless one is set.
const lostSettled = 1

func decodeLost(b []byte) (lostRecord, error) {
	f := readRecord(b)
	r := lostRecord{end: Seq(f.count()), offset: f.count(), file: string(f.bytes()), why: string(f.bytes())}
	if f.err == nil && len(f.b) > 0 {
		if f.uint() != lostSettled {
			f.fail()
		}
		r.settled = true
	}
	return r, f.done()
}

// encodeRow is the value of a row that is kept in the catalog: time, then the entry as in a frame.
func encodeRow(dst []byte, time int64, entry []byte) []byte {
	dst = append(dst, recordVersion)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(time))
	return append(dst, entry...)
}

// decodeRow decodes a row of the catalog into ev, as decodeEntry does, and returns the bytes for decodeHeaders.
func decodeRow(b []byte, ev *Event) (headers []byte, err error) {
	if len(b) < 9 {
		return nil, errRecord
	}
	if b[0] != recordVersion {
		return nil, fmt.Errorf("%w: catalog row of version %d", ErrFormat, b[0])
	}
	ev.Time = int64(binary.LittleEndian.Uint64(b[1:]))
	ev.Ordinal = 0
	headers, rest, err := decodeEntry(b[9:], ev)
	if err == nil && len(rest) != 0 {
		err = errRecord
	}
	return headers, err
}

// encodeWindow returns the pieces of a window.
func encodeWindow(w *window) [][]byte {
	var pieces [][]byte
	f := newRecord()
	f.putUint(w.forgotten)
	var last remembered
	for _, r := range w.list {
		if len(f.b) > windowPiece {
			pieces = append(pieces, f.b)
			f = newRecord()
			f.putUint(w.forgotten)
			last = remembered{}
		}
		f.putUint(r.number - last.number)
		f.putInt(int64(r.seq - last.seq))
		f.putInt(int64(r.ordinal - last.ordinal))
		f.putInt(r.time - last.time)
		last = r
	}
	return append(pieces, f.b)
}

// decodeWindow adds a piece to a window. Pieces come in order.
func decodeWindow(w *window, b []byte) error {
	f := readRecord(b)
	w.forgotten = f.uint()
	var last remembered
	for len(f.b) > 0 {
		r := remembered{number: last.number + f.uint()}
		r.seq = last.seq + Seq(f.int())
		r.ordinal = last.ordinal + Ordinal(f.int())
		r.time = last.time + f.int()
		if n := len(w.list); f.err == nil && (r.number == 0 || r.seq > maxSeq || n >= windowNumbers || n > 0 && r.number <= w.list[n-1].number) {
			f.fail()
		}
		if f.err != nil {
			break
		}
		w.list = append(w.list, r)
		w.last = max(w.last, r.ordinal)
		last = r
	}
	return f.done()
}

// appendView appends the key of a view's value.
func appendView(dst []byte, view string, key []byte) []byte {
	dst = append(append(append(dst, keyView), view...), 0)
	return append(dst, key...)
}
