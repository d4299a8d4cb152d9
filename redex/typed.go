package redex

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"sync"
)

// Upgrade makes the value of an event that was written with an older schema version. The event's slices are valid until it
// returns; DecodePayload copies. A panic becomes an error.
type Upgrade[T any] func(old *Event) (T, error)

// TypedOptions are the choices of a typed log. The zero value is the default of each field.
type TypedOptions[T any] struct {
	Codec Codec[T] // nil means MsgpackCodec
	// Schema is the version of T, which every event tells that is appended. 0 is that of events that tell none.
	Schema uint32
	// Upgrades read the versions below Schema. An event of a version that is not among them is a DecodeError with ErrNoUpgrade.
	Upgrades map[uint32]Upgrade[T]
}

// Typed is a log of values of one type. It is safe for concurrent use, and any number of them can be made of one log; the
// log itself can be used beside them.
//
// An event that cannot be decoded, or whose schema version is unknown, is an error about this event, a DecodeError, and readers go
// on behind it. Other errors mean what they mean to readers of a Log.
type Typed[T any] struct {
	log      *Log
	codec    Codec[T]
	schema   uint32
	upgrades map[uint32]Upgrade[T]
	buffers  sync.Pool // of *[]byte, for payloads on their way into the log
}

// NewTyped returns the typed view of a log. ErrOptions is returned for an upgrade that is nil or not of a version below Schema.
func NewTyped[T any](l *Log, o TypedOptions[T]) (*Typed[T], error) {
	for v, up := range o.Upgrades {
		if v >= o.Schema || up == nil {
			return nil, fmt.Errorf("typed log %q: %w: upgrade of schema version %d to %d", l.Name(), ErrOptions, v, o.Schema)
		}
	}
	t := &Typed[T]{log: l, codec: o.Codec, schema: o.Schema, upgrades: maps.Clone(o.Upgrades)}
	if t.codec == nil {
		t.codec = MsgpackCodec[T]()
	}
	if e := t.codec.Encoding(); e > Msgpack {
		return nil, fmt.Errorf("typed log %q: %w: codec of %v", l.Name(), ErrOptions, e)
	}
	return t, nil
}

// Log returns the log.
func (t *Typed[T]) Log() *Log { return t.log }

// TypedEntry is a value to be appended, with what an Entry has beside its payload.
type TypedEntry[T any] struct {
	Value       T
	Kind        Kind
	Origin      Origin
	Idempotency uint64
	Tombstone   bool // the deletion of Key: there is no value, and Value is not looked at
	Key         []byte
	Headers     []Header
}

// entry returns the entry of e. Its payload is appended to dst, and is to be set when dst does not grow any more.
func (t *Typed[T]) entry(dst []byte, e *TypedEntry[T]) (Entry, []byte, error) {
	out := Entry{
		Kind: e.Kind, Encoding: t.codec.Encoding(), Origin: e.Origin, Idempotency: e.Idempotency, Tombstone: e.Tombstone,
		SchemaVersion: t.schema, Key: e.Key, Headers: e.Headers,
	}
	if e.Tombstone {
		out.Encoding = Raw
		return out, dst, nil
	}
	b, err := t.codec.Append(dst, &e.Value)
	if err != nil {
		return out, dst, fmt.Errorf("append to %q: %w: %w", t.log.Name(), ErrEncode, err)
	}
	return out, b, nil
}

// Entry returns the entry of a value, for an append to several logs (Store.Append). ErrEncode is returned for a value that the
// codec cannot encode.
func (t *Typed[T]) Entry(e TypedEntry[T]) (Entry, error) {
	out, b, err := t.entry(nil, &e)
	out.Payload = b
	return out, err
}

// maxTypedBuffer bounds what is kept of a payload's memory between appends.
const maxTypedBuffer = 64 << 10

func (t *Typed[T]) buffer() *[]byte {
	if b, ok := t.buffers.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

func (t *Typed[T]) putBuffer(b *[]byte) {
	if cap(*b) <= maxTypedBuffer {
		t.buffers.Put(b)
	}
}

// Append appends a value. See Log.Append for what it returns. ErrEncode is returned for a value that the codec cannot encode;
// nothing is appended then.
func (t *Typed[T]) Append(ctx context.Context, v T, o AppendOptions) (Appended, error) {
	return t.AppendEntry(ctx, TypedEntry[T]{Value: v}, o)
}

// AppendEntry is Append of a value with a key, kind, headers or idempotency number, or of the deletion of a key.
func (t *Typed[T]) AppendEntry(ctx context.Context, e TypedEntry[T], o AppendOptions) (Appended, error) {
	buf := t.buffer()
	defer t.putBuffer(buf)
	out, b, err := t.entry((*buf)[:0], &e)
	if err != nil {
		return Appended{}, err
	}
	*buf, out.Payload = b, b
	return t.log.Append(ctx, out, o)
}

// AppendBatch appends values as one frame: all of them or none. See Log.AppendBatch for what it returns, and Append for ErrEncode.
func (t *Typed[T]) AppendBatch(ctx context.Context, entries []TypedEntry[T], o AppendOptions) (Appended, error) {
	buf := t.buffer()
	defer t.putBuffer(buf)
	b := (*buf)[:0]
	limit := t.log.s.j.MaxBodyBytes()
	out := make([]Entry, len(entries))
	ends := make([]int, len(entries))
	for i := range entries {
		var err error
		if out[i], b, err = t.entry(b, &entries[i]); err != nil {
			return Appended{}, fmt.Errorf("entry %d: %w", i, err)
		}
		if ends[i] = len(b); len(b) > limit {
			return Appended{}, fmt.Errorf("append to %q: %w: over %d bytes", t.log.Name(), ErrBatchTooLarge, limit)
		}
	}
	*buf = b
	start := 0
	for i, end := range ends {
		out[i].Payload = b[start:end:end]
		start = end
	}
	return t.log.AppendBatch(ctx, out, o)
}

// Decode returns the value of an event of the log, wherever it was read: in a fold, an index, a query. The value shares no memory
// with the event, unless the codec is at fault. The error is a DecodeError. A tombstone has the zero value.
func (t *Typed[T]) Decode(ev *Event) (T, error) {
	var v T
	if ev.Tombstone {
		return v, nil
	}
	err := guard(func() (err error) {
		switch {
		case ev.SchemaVersion > t.schema:
			return ErrNewerSchema
		case ev.SchemaVersion < t.schema:
			up := t.upgrades[ev.SchemaVersion]
			if up == nil {
				return ErrNoUpgrade
			}
			v, err = up(ev)
			return err
		case ev.Encoding != t.codec.Encoding():
			return ErrOtherEncoding
		}
		return t.codec.Decode(ev.Payload, &v)
	})
	if err == nil {
		return v, nil
	}
	var zero T // not what was decoded before the fault
	e := &DecodeError{Log: t.log.Name(), Seq: ev.Seq, Encoding: ev.Encoding, Schema: ev.SchemaVersion, Known: t.schema, Err: err}
	if d, ok := errors.AsType[*DecodeError](err); ok && d.Log == "" && d.Seq == ev.Seq { // an upgrade's, of DecodePayload
		e.Err = d.Err
	}
	return zero, e
}

// TypedEvent is an event of a typed log: what it was stored with, and its value. Event.Payload is still encoded.
type TypedEvent[T any] struct {
	Event
	Value T
}

// Read returns a copy of one event: ErrNoEvent above the end, ErrRangeLost below the floor. With a DecodeError comes the event
// without its value.
func (t *Typed[T]) Read(ctx context.Context, seq Seq) (TypedEvent[T], error) {
	ev, err := t.log.Read(ctx, seq)
	return t.typed(ev, err)
}

// Latest returns a copy of the newest event, or ErrNoEvent when there is none. With a DecodeError comes the event without its
// value.
func (t *Typed[T]) Latest(ctx context.Context) (TypedEvent[T], error) {
	ev, err := t.log.Latest(ctx)
	return t.typed(ev, err)
}

func (t *Typed[T]) typed(ev Event, err error) (TypedEvent[T], error) {
	if err != nil {
		return TypedEvent[T]{}, err
	}
	v, err := t.Decode(&ev)
	return TypedEvent[T]{ev, v}, err
}

// Scan returns the events of [from, to) that exist now, in order. An event that cannot be decoded comes without its value and with
// a DecodeError, and the scan goes on; any other error is the last pair. An event's slices are valid until the next one, its value
// for good.
func (t *Typed[T]) Scan(ctx context.Context, from, to Seq) iter.Seq2[TypedEvent[T], error] {
	return t.each(t.log.Scan(ctx, from, to))
}

// Follow returns the events from sequence from on, first history, then live, as Log.Follow does, with values and errors as Scan
// gives them.
func (t *Typed[T]) Follow(ctx context.Context, from Seq) iter.Seq2[TypedEvent[T], error] {
	return t.each(t.log.Follow(ctx, from))
}

func (t *Typed[T]) each(events iter.Seq2[Event, error]) iter.Seq2[TypedEvent[T], error] {
	return func(yield func(TypedEvent[T], error) bool) {
		for ev, err := range events {
			if !yield(t.typed(ev, err)) {
				return
			}
		}
	}
}

// TypedCursor is a Cursor whose events have values.
type TypedCursor[T any] struct {
	*Cursor
	t *Typed[T]
}

// Cursor returns a cursor on the events of [from, to) that exist now. It must be closed.
func (t *Typed[T]) Cursor(from, to Seq) *TypedCursor[T] {
	return &TypedCursor[T]{t.log.Cursor(from, to), t}
}

// Value decodes the current event, anew at each call. After a DecodeError the cursor goes on.
func (c *TypedCursor[T]) Value() (T, error) { return c.t.Decode(c.Event()) }

// TypedTail is a Tail whose events have values.
type TypedTail[T any] struct {
	*Tail
	t *Typed[T]
}

// Tail returns a tail from sequence from on, which may be above the end. It must be closed.
func (t *Typed[T]) Tail(from Seq, o TailOptions) *TypedTail[T] {
	return &TypedTail[T]{t.log.Tail(from, o), t}
}

// Value decodes the current event, anew at each call. After a DecodeError the tail goes on.
func (c *TypedTail[T]) Value() (T, error) { return c.t.Decode(c.Event()) }
