package redex

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed69692123/netdb/redex/journal"
	"github.com/seed69692123/netdb/redex/sealed"
)

func bodyOf(id LogID, first Seq, es ...Entry) []byte {
	b := appendPart(nil, partEvents, id, first, len(es))
	for i := range es {
		b = append(appendEntryHead(b, &es[i]), es[i].Payload...)
	}
	endPart(b, 0)
	return b
}

func sampleEntries() []Entry {
	return []Entry{
		{},
		{Payload: []byte("x")},
		{Kind: 1<<32 - 1, Encoding: Msgpack, Origin: 1<<64 - 1, Idempotency: 1<<64 - 1, Tombstone: true, SchemaVersion: 1<<32 - 1, Key: []byte{}, Payload: []byte("{}")},
		{Encoding: JSON, Key: []byte("key"), Headers: []Header{{"a", []byte("b")}, {"", nil}}, Payload: bytes.Repeat([]byte("p"), 300)},
	}
}

// decodeBody decodes a body as replay does, into entries.
func decodeBody(body []byte) (parts []part, entries []Event, err error) {
	for off := 0; off < len(body); {
		p, next, err := nextPart(body, off)
		if err != nil {
			return parts, entries, err
		}
		off = next
		parts = append(parts, p)
		rest := p.data
		for k := uint32(0); p.typ == partEvents && k < p.count; k++ {
			var ev Event
			headers, after, err := decodeEntry(rest, &ev)
			if err == nil {
				ev.Headers, err = decodeHeaders(headers, nil)
			}
			if err != nil {
				return parts, entries, err
			}
			if skipped, err := skipEntry(rest); err != nil || len(skipped) != len(after) {
				return parts, entries, fmt.Errorf("skipped to %d, decoded to %d: %w", len(skipped), len(after), err)
			}
			rest = after
			entries = append(entries, ev)
		}
		if p.typ == partCreate || p.typ == partSettings {
			if _, _, err := decodeCatalogPart(p); err != nil {
				return parts, entries, err
			}
		}
	}
	return parts, entries, nil
}

func toEntry(ev *Event) Entry {
	return Entry{
		Kind: ev.Kind, Encoding: ev.Encoding, Origin: ev.Origin, Idempotency: ev.Idempotency, Tombstone: ev.Tombstone,
		SchemaVersion: ev.SchemaVersion, Key: ev.Key, Headers: ev.Headers, Payload: ev.Payload,
	}
}

func TestBody(t *testing.T) {
	es := sampleEntries()
	body := bodyOf(7, 9, es...)
	body = appendCreate(body, 8, "a/b", LogOptions{CheckJSON: true})
	body = appendSettings(body, 8, LogOptions{})
	parts, got, err := decodeBody(body)
	if err != nil {
		t.Fatal(err)
	}
	var back []Entry
	for i := range got {
		back = append(back, toEntry(&got[i]))
	}
	if d := cmp.Diff(es, back, cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
	if back[2].Key == nil || back[1].Key != nil {
		t.Error("an empty key and none are not told apart")
	}
	if len(parts) != 3 || parts[0].log != 7 || parts[0].first != 9 || parts[0].count != 4 {
		t.Errorf("%+v", parts)
	}
	name, o, err := decodeCatalogPart(parts[1])
	if name != "a/b" || !o.CheckJSON || err != nil {
		t.Error(name, o, err)
	}
	patchFirst(body, 0, 1234)
	if p, _, err := nextPart(body, 0); err != nil || p.first != 1234 {
		t.Error(p, err)
	}
}

// TestUnknown has fields and flags of a later version.
func TestUnknown(t *testing.T) {
	later := func(tag byte) []byte { return []byte{7, 0 | entryFields, 4, tag, 2, 'h', 'i', 'p'} }
	var ev Event
	if _, rest, err := decodeEntry(later(tagOptional), &ev); err != nil || len(rest) != 0 || string(ev.Payload) != "p" {
		t.Error("an optional field was refused", err, rest, ev.Payload)
	}
	if _, _, err := decodeEntry(later(tagOptional-1), &ev); !errors.Is(err, ErrFormat) {
		t.Error("a field that must be understood was passed over", err)
	}
	if _, _, err := decodeEntry([]byte{1, 3 << entryEncoding}, &ev); !errors.Is(err, ErrFormat) {
		t.Error("an unknown encoding was taken", err)
	}
	if _, err := decodeMeta([]byte{recordVersion + 1}); !errors.Is(err, ErrFormat) {
		t.Error("a record of a later version was read", err)
	}
}

func FuzzBody(f *testing.F) {
	f.Add(bodyOf(1, 0, sampleEntries()...))
	f.Add(appendSettings(appendCreate(nil, 1, "log", LogOptions{CheckJSON: true, Fields: [][]string{{"a", "b"}}}), 1, LogOptions{}))
	f.Add(appendSettings(appendRename(nil, 1, "b"), 1, LogOptions{Retention: Retention{Events: 7, Age: 1 << 40}, Quota: Quota{Bytes: 9}}))
	f.Add(appendPart(nil, partDelete, 3, 9, 0))
	f.Add(appendSettings(appendPart(nil, partRedact, 3, 9, 0), 3, LogOptions{Compaction: Compaction{ByKey: true, TombstonesFor: 7}}))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, body []byte) {
		parts, got, err := decodeBody(body)
		if err != nil || len(parts) != 1 || parts[0].typ != partEvents {
			return
		}
		var es []Entry
		for i := range got {
			if checkEntry(new(toEntry(&got[i]))) != nil {
				return
			}
			es = append(es, toEntry(&got[i]))
		}
		_, again, err := decodeBody(bodyOf(parts[0].log, parts[0].first, es...))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(got, again, cmpopts.EquateEmpty()); d != "" {
			t.Fatal(d)
		}
	})
}

func sampleWindow() *window {
	w := &window{}
	for i := range uint64(windowNumbers + 5) {
		w.add(remembered{i*1e15 + 3, Seq(i), Ordinal(i * i), int64(i) * 1e9})
	}
	return w
}

func TestRecords(t *testing.T) {
	meta := metaRecord{ordinal: 9, time: -5, nextLog: 4, nextFile: 3, epochs: []epochStart{{1, 1}, {2, 7}}}
	if m, err := decodeMeta(meta.encode()); err != nil || !reflect.DeepEqual(m, meta) {
		t.Error(m, err)
	}
	options := LogOptions{
		CheckJSON: true, Fields: [][]string{{"a", "b c"}, {""}}, Retention: Retention{1, 1 << 40, 1<<63 - 1}, Quota: Quota{0, 300},
		Compaction: Compaction{true, 5},
	}
	log := logRecord{id: 3, options: options, created: 7, floor: 2, next: 1 << 40, lastTime: -1, rowsFrom: 99, rowsBytes: 5, runs: 6, rawBytes: 7, storedBytes: 8}
	compacted := log
	compacted.compacted, compacted.gone, compacted.redact, compacted.horizon = 1<<40, 3, 2, horizon{1 << 39, -4}
	for _, log := range []logRecord{log, compacted} {
		if l, err := decodeLog(log.encode()); err != nil || !reflect.DeepEqual(l, log) {
			t.Error(l, err)
		}
	}
	run := runRecord{file: 3, last: 9, rows: 4, min: -7, max: 1 << 60, raw: 5, stored: 6, at: sealed.Location{Offset: 1 << 40, Length: 1<<32 - 1}}
	sparse, none := run, runRecord{last: 9, min: 1, max: 2, sparse: true, from: 4, till: 4, gone: 5}
	sparse.sparse, sparse.from, sparse.till, sparse.gone = true, 5, 8, 2
	for _, run := range []runRecord{run, sparse, none} {
		if r, err := decodeRun(run.encode()); err != nil || r != run {
			t.Error(r, err)
		}
	}
	if r, err := decodeFile([]byte{recordVersion, 7, 1}); err != nil || r != (fileRecord{bytes: 7, runs: 1}) {
		t.Error("a record of an earlier version", r, err)
	}
	file := fileRecord{bytes: 5, runs: 6, dead: 4, packed: true}
	if r, err := decodeFile(file.encode()); err != nil || r != file {
		t.Error(r, err)
	}
	lost := lostRecord{9, 8, "f", "why", true}
	if r, err := decodeLost(lost.encode()); err != nil || r != lost {
		t.Error(r, err)
	}
	w, back := sampleWindow(), &window{}
	for i, piece := range encodeWindow(w) {
		if len(piece) > 32<<10 || i > 250 {
			t.Error("a piece is too large", len(piece))
		}
		if err := decodeWindow(back, piece); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(w.list, back.list) || w.forgotten != back.forgotten || w.last != back.last {
		t.Error("window differs")
	}
	id := newIdentity()
	if got, err := decodeFormat(encodeFormat(id)); got != id || err != nil {
		t.Error(got, err)
	}
}

func FuzzRecords(f *testing.F) {
	f.Add((&metaRecord{ordinal: 1, epochs: []epochStart{{1, 1}}}).encode())
	f.Add((&logRecord{id: 1, next: 5}).encode())
	f.Add((&runRecord{file: 1, last: 3}).encode())
	f.Add((&runRecord{last: 9, max: 2, sparse: true, from: 4, till: 4, gone: 5}).encode())
	f.Add((&logRecord{id: 1, next: 5, compacted: 4, gone: 2, horizon: horizon{3, 9}}).encode())
	f.Add((&fileRecord{bytes: 1, runs: 2, dead: 1}).encode())
	f.Add((&fileRecord{bytes: 1, runs: 2, packed: true}).encode())
	f.Add((&lostRecord{1, 2, "a", "b", false}).encode())
	f.Add(encodeWindow(sampleWindow())[0][:200])
	f.Add(encodeRow(nil, 5, redactedEntry(&Event{Key: []byte("k"), Kind: 3})))
	f.Add(encodeRow(nil, 5, bodyOf(1, 0, Entry{Payload: []byte("x")})[partHeaderSize:]))
	f.Add(encodeFormat(identity{StoreID{1}, journal.ID{2}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := decodeMeta(b); err == nil {
			if n, err := decodeMeta(m.encode()); err != nil || !reflect.DeepEqual(m, n) {
				t.Error(m, n, err)
			}
		}
		if l, err := decodeLog(b); err == nil {
			if n, err := decodeLog(l.encode()); err != nil || !reflect.DeepEqual(n, l) {
				t.Error(l, n, err)
			}
		}
		if r, err := decodeRun(b); err == nil {
			if n, err := decodeRun(r.encode()); err != nil || n != r {
				t.Error(r, n, err)
			}
		}
		if r, err := decodeFile(b); err == nil {
			if n, err := decodeFile(r.encode()); err != nil || n != r {
				t.Error(r, n, err)
			}
		}
		if r, err := decodeLost(b); err == nil {
			if n, err := decodeLost(r.encode()); err != nil || n != r {
				t.Error(r, n, err)
			}
		}
		_ = decodeWindow(&window{}, b)
		var ev Event
		if headers, err := decodeRow(b, &ev); err == nil {
			_, _ = decodeHeaders(headers, nil)
		}
		if id, err := decodeFormat(b); err == nil && !bytes.Equal(encodeFormat(id), bytes.ToLower(b)) {
			t.Errorf("%q", b)
		}
	})
}

// TestFormatPages compares the constants that the pages name with those of the code.
func TestFormatPages(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile("../docs/format/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	events, catalog := read("events.md"), read("catalog.md")
	number := func(n int) string { // with separators
		s := fmt.Sprint(n)
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	}
	for _, want := range []string{
		fmt.Sprintf("header of %d bytes", partHeaderSize),
		fmt.Sprintf("| %d | 8 | first sequence |", partFirstAt),
		fmt.Sprintf("| %d | 4 | count |", partCountAt),
		fmt.Sprintf("| %d | events |", partEvents), fmt.Sprintf("| %d | create |", partCreate), fmt.Sprintf("| %d | delete |", partDelete),
		fmt.Sprintf("| %d | settings |", partSettings), fmt.Sprintf("| %d | floor |", partFloor),
		fmt.Sprintf("| %d | rename |", partRename), fmt.Sprintf("| %d | redact |", partRedact), fmt.Sprintf("| %d | redacted |", tagRedacted),
		fmt.Sprintf("%d, *compaction by key*", tagCompact), fmt.Sprintf("%d, *retention*", tagRetention), fmt.Sprintf("%d, *quota*", tagQuota),
		fmt.Sprintf("| %d | cursor |", partCursor),
		fmt.Sprintf("| %d | consumer options |", tagCursorOptions), fmt.Sprintf("| %d | begin |", tagCursorBegin), fmt.Sprintf("| %d | end |", tagCursorEnd),
		fmt.Sprintf("| %d | cut |", tagCursorCut), fmt.Sprintf("| %d | settled |", tagCursorSettled), fmt.Sprintf("| %d | attempts |", tagCursorAttempts),
		fmt.Sprintf("| %d | clear |", tagCursorClear), fmt.Sprintf("| %d | reserve |", tagCursorReserve), fmt.Sprintf("| %d | counts |", tagCursorCounts),
		fmt.Sprintf("%d, *ack wait*", tagAckWait), fmt.Sprintf("%d, *attempts*", tagMaxAttempts), fmt.Sprintf("%d, *backoff*", tagBackoff),
		fmt.Sprintf("%d, *dead-letter log*", tagDeadLetter), fmt.Sprintf("%d, *in flight*", tagMaxInFlight), fmt.Sprintf("%d, *look-ahead*", tagLookahead),
		fmt.Sprintf("%d, *order* (%d by key, %d strict)", tagOrder, OrderByKey, OrderStrict), fmt.Sprintf("%d, *hold retention*", tagHold),
		deadLog, deadLogID, deadConsumer, deadSeq, deadTime, deadAttempts, deadReason, deadOmitted,
		fmt.Sprintf("| %d | key | bytes, at most %s", tagKey, number(MaxKeyBytes)), fmt.Sprintf("| %d | idempotency number", tagIdempotency),
		fmt.Sprintf("| %d | headers | uvarint number of headers, 1 to %d", tagHeaders, MaxHeaders), fmt.Sprintf("| %d | schema version", tagSchema),
		fmt.Sprintf("Unknown tags from %d on", tagOptional), number(MaxPayloadBytes), number(MaxHeaderBytes),
		fmt.Sprintf("name (%d), options (%d)", tagName, tagOptions), fmt.Sprintf("%d, *check JSON*", tagCheckJSON), fmt.Sprintf("%d, *declared fields*", tagFields),
	} {
		if !strings.Contains(events, want) {
			t.Errorf("events.md does not say %q", want)
		}
	}
	for kind, want := range map[byte]string{
		keyMeta: "| meta |", keyName: " name | log |", keyID: " log | the name |", keyRun: " log, first sequence | run |", keyRow: " log, sequence | row |",
		keyWindow: " log, origin, piece (1 byte) |", keyFile: " file | file |", keyLost: " log, first sequence | lost range |", keyView: " view name, 0 byte, key |",
		keyRetain: " log | empty", keyRedact: " log, sequence | empty", keyCursor: " log, consumer, 0 byte, piece (2 bytes) |",
	} {
		if line := fmt.Sprintf("| `%c`%s", kind, want); !strings.Contains(catalog, line) && !strings.Contains(catalog, fmt.Sprintf("| `%c` %s", kind, want)) {
			t.Errorf("catalog.md does not say %q", line)
		}
	}
	for _, want := range []string{"`netdb store`, `format 1`", "`%012d" + rowSuffix + "`", number(maxRowValue), number(windowNumbers), number(cursorPiece), lockName, formatName, formatNewName, journalDir, rowsDir, columnsDir, catalogDir, blobsDir} {
		if !strings.Contains(catalog, want) {
			t.Errorf("catalog.md does not say %q", want)
		}
	}
}
