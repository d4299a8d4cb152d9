package netdb

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/seed69692123/netdb/internal/snapfile"
	"github.com/seed69692123/netdb/redex"
)

// The sections of a snapshot file; docs/format/snapshot.md has the bytes.
const (
	sectionHeader  = snapfile.Kind(1)
	sectionCatalog = snapfile.Kind(2)
	sectionEvents  = snapfile.Kind(3)
	sectionFold    = snapfile.Kind(4)
	sectionEnd     = snapfile.Kind(0xFF) // written and read by snapfile
)

// sectionTitle says what a section holds.
func sectionTitle(kind snapfile.Kind, name string) string {
	switch kind {
	case sectionHeader:
		return "header"
	case sectionCatalog:
		return "catalog"
	case sectionEvents:
		return fmt.Sprintf("events of log %q", name)
	case sectionFold:
		return fmt.Sprintf("state of fold %q", name)
	case sectionEnd:
		return "end"
	}
	return fmt.Sprintf("kind %d", kind)
}

// snapshotHeader is the first section.
type snapshotHeader struct {
	Store   []byte          `msgpack:"store"`
	Epoch   uint64          `msgpack:"epoch"`
	Ordinal uint64          `msgpack:"ordinal"`
	Time    int64           `msgpack:"time"`
	Made    int64           `msgpack:"made"`
	Logs    int             `msgpack:"logs"`
	Folds   int             `msgpack:"folds"`
	NextLog uint64          `msgpack:"next_log"`
	Epochs  []snapshotEpoch `msgpack:"epochs"` // up to the cut, oldest first
}

type snapshotEpoch struct {
	Epoch uint64 `msgpack:"epoch"`
	First uint64 `msgpack:"first"`
}

// snapshotLog is one entry of the catalog section.
type snapshotLog struct {
	ID        uint64     `msgpack:"id"`
	Name      string     `msgpack:"name"`
	Created   int64      `msgpack:"created"`
	Floor     uint64     `msgpack:"floor"`
	Next      uint64     `msgpack:"next"`
	Last      int64      `msgpack:"last"`
	Held      bool       `msgpack:"held"`
	CheckJSON bool       `msgpack:"check_json,omitempty"`
	Fields    [][]string `msgpack:"fields,omitempty"`
	Retention []int64    `msgpack:"retention,omitempty"` // events, bytes, age
	Quota     []int64    `msgpack:"quota,omitempty"`     // events, bytes
	Tombs     int64      `msgpack:"tombstones,omitempty"`
	ByKey     bool       `msgpack:"by_key,omitempty"`
	Compacted bool       `msgpack:"compacted,omitempty"` // its events may have gaps
}

// setOptions notes the options of a log.
func (l *snapshotLog) setOptions(o redex.LogOptions) {
	l.CheckJSON, l.Fields = o.CheckJSON, o.Fields
	if r := o.Retention; r != (redex.Retention{}) {
		l.Retention = []int64{r.Events, r.Bytes, int64(r.Age)}
	}
	if q := o.Quota; q != (redex.Quota{}) {
		l.Quota = []int64{q.Events, q.Bytes}
	}
	l.ByKey, l.Tombs = o.Compaction.ByKey, int64(o.Compaction.TombstonesFor)
}

// options returns the options of a log.
func (l *snapshotLog) options() (redex.LogOptions, error) {
	o := redex.LogOptions{CheckJSON: l.CheckJSON, Fields: l.Fields}
	o.Compaction = redex.Compaction{ByKey: l.ByKey, TombstonesFor: time.Duration(l.Tombs)}
	switch len(l.Retention) {
	case 0:
	case 3:
		o.Retention = redex.Retention{Events: l.Retention[0], Bytes: l.Retention[1], Age: time.Duration(l.Retention[2])}
	default:
		return o, fmt.Errorf("retention of %d numbers", len(l.Retention))
	}
	switch len(l.Quota) {
	case 0:
	case 2:
		o.Quota = redex.Quota{Events: l.Quota[0], Bytes: l.Quota[1]}
	default:
		return o, fmt.Errorf("quota of %d numbers", len(l.Quota))
	}
	return o, nil
}

// The flags of an event.
const (
	flagTombstone = 1
	flagRedacted  = 2
)

// maxEventBytes bounds a record of the events section: a payload, and room for key and headers within the limits of redex.
const maxEventBytes = redex.MaxPayloadBytes + 1<<20

var errEvent = errors.New("malformed event")

// eventEncoder writes events of one log, in order.
type eventEncoder struct {
	next redex.Seq
	time int64
	buf  []byte
	head []byte
}

func (e *eventEncoder) write(w io.Writer, ev *redex.Event) error {
	b := binary.AppendUvarint(e.buf[:0], uint64(ev.Seq-e.next))
	b = binary.AppendUvarint(b, uint64(ev.Time-e.time))
	var flags byte
	if ev.Tombstone {
		flags |= flagTombstone
	}
	if ev.Redacted {
		flags |= flagRedacted
	}
	b = append(b, flags, byte(ev.Encoding))
	for _, n := range []uint64{uint64(ev.Kind), uint64(ev.Origin), ev.Idempotency, uint64(ev.SchemaVersion)} {
		b = binary.AppendUvarint(b, n)
	}
	b = appendBytes(b, ev.Key)
	b = binary.AppendUvarint(b, uint64(len(ev.Headers)))
	for _, h := range ev.Headers {
		b = appendBytes(b, []byte(h.Name))
		b = appendBytes(b, h.Value)
	}
	b = append(b, ev.Payload...)
	e.buf, e.next, e.time = b, ev.Seq+1, ev.Time
	e.head = binary.AppendUvarint(e.head[:0], uint64(len(b)))
	if _, err := w.Write(e.head); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}

func appendBytes(b, s []byte) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }

// eventDecoder reads what eventEncoder wrote.
type eventDecoder struct {
	r    *bufio.Reader
	log  redex.LogID
	next redex.Seq
	end  redex.Seq
	time int64
	buf  []byte
}

// read returns the next event, valid until the next call, or io.EOF.
func (d *eventDecoder) read() (redex.Event, error) {
	n, err := binary.ReadUvarint(d.r)
	if err != nil {
		return redex.Event{}, err
	}
	if n > maxEventBytes {
		return redex.Event{}, fmt.Errorf("%w: %d bytes", errEvent, n)
	}
	if uint64(cap(d.buf)) < n {
		d.buf = make([]byte, n)
	}
	d.buf = d.buf[:n]
	if _, err := io.ReadFull(d.r, d.buf); err != nil {
		return redex.Event{}, err
	}
	f := fields{b: d.buf}
	gap, age := f.uvarint(), f.uvarint()
	flags, encoding := f.byte(), f.byte()
	kind, origin, idempotency, schema := f.uvarint(), f.uvarint(), f.uvarint(), f.uvarint()
	ev := redex.Event{
		Log: d.log, Tombstone: flags&flagTombstone != 0, Redacted: flags&flagRedacted != 0, Encoding: redex.Encoding(encoding), Kind: redex.Kind(kind),
		Origin: redex.Origin(origin), Idempotency: idempotency, SchemaVersion: uint32(schema), Key: f.bytes(),
	}
	headers := f.uvarint()
	if headers > uint64(len(f.b)) {
		f.bad = true
	}
	for range headers {
		if f.bad {
			break
		}
		ev.Headers = append(ev.Headers, redex.Header{Name: string(f.bytes()), Value: f.bytes()})
	}
	switch {
	case f.bad, flags&^(flagTombstone|flagRedacted) != 0, encoding > byte(redex.Msgpack), kind > 1<<32-1, schema > 1<<32-1:
		return redex.Event{}, errEvent
	case gap >= uint64(d.end-d.next):
		return redex.Event{}, fmt.Errorf("%w: sequence beyond the log's end", errEvent)
	case age > uint64(1<<63-1-d.time):
		return redex.Event{}, fmt.Errorf("%w: time out of range", errEvent)
	}
	ev.Payload = f.b
	ev.Seq, ev.Time = d.next+redex.Seq(gap), d.time+int64(age)
	d.next, d.time = ev.Seq+1, ev.Time
	return ev, nil
}

// fields takes a record apart. After a short or bad field bad is set and every further field is zero.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) uvarint() uint64 {
	n, k := binary.Uvarint(f.b)
	if k <= 0 {
		f.bad, f.b = true, nil
		return 0
	}
	f.b = f.b[k:]
	return n
}

func (f *fields) byte() byte {
	if len(f.b) == 0 {
		f.bad = true
		return 0
	}
	c := f.b[0]
	f.b = f.b[1:]
	return c
}

func (f *fields) bytes() []byte {
	n := f.uvarint()
	if n > uint64(len(f.b)) {
		f.bad, f.b = true, nil
		return nil
	}
	s := f.b[:n:n]
	f.b = f.b[n:]
	if n == 0 {
		return nil
	}
	return s
}
