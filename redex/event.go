package redex

import (
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// MaxNameBytes is the longest log name, in bytes.
const MaxNameBytes = 255

// MaxPayloadBytes is the largest payload of one event.
const MaxPayloadBytes = 16 << 20

// Seq is an event's position in its log. The first is 0, numbers are given densely and kept when compaction by key takes events
// between, and the greatest is 2^63-1.
type Seq uint64

// LogID identifies a log for the life of a store. A log that is deleted and made again under the same name has another id.
type LogID uint64

// Ordinal is the position of a frame (one append: an event or a batch) in the store's journal. The first is 1; 0 is before
// everything.
type Ordinal uint64

// Epoch counts the times a store may have lost visible events (an unclean open after a power loss, a restore). The first is 1.
type Epoch uint64

// Kind is an application's number for the type of an event. 0 is "none".
type Kind uint32

// Origin identifies the writer of an event, and scopes idempotency numbers. 0 is "unnamed".
type Origin uint64

// String returns the origin as 16 hexadecimal digits.
func (o Origin) String() string { return fmt.Sprintf("%016x", uint64(o)) }

// StoreID is a store's identity: made at random when it is created, kept by restores.
type StoreID [16]byte

// String returns the id as 32 hexadecimal digits.
func (id StoreID) String() string { return hex.EncodeToString(id[:]) }

// Encoding says what a payload's bytes are.
type Encoding uint8

// The encodings of a payload.
const (
	Raw     Encoding = iota // opaque bytes
	JSON                    // one JSON text (RFC 8259)
	Msgpack                 // one MessagePack value
)

// String returns "raw", "json" or "msgpack".
func (e Encoding) String() string {
	switch e {
	case Raw:
		return "raw"
	case JSON:
		return "json"
	case Msgpack:
		return "msgpack"
	}
	return fmt.Sprintf("encoding(%d)", uint8(e))
}

// Header is one name and value beside an event's payload.
type Header struct {
	Name  string
	Value []byte
}

// Entry is an event to be appended. The store copies what it needs before Append returns.
type Entry struct {
	Kind     Kind
	Encoding Encoding
	Origin   Origin
	// Idempotency, when not 0, makes a retry of this entry harmless: a second append with the same log, origin and number
	// returns the first one's result.
	Idempotency uint64
	// Tombstone marks the event as the deletion of its key, for compaction by key.
	Tombstone     bool
	SchemaVersion uint32
	Key           []byte
	Headers       []Header
	Payload       []byte
}

// Event is one entry of a log as it was stored.
type Event struct {
	Log           LogID
	Seq           Seq
	Time          int64   // arrival, Unix nanoseconds; strictly increasing from frame to frame over all logs of a store
	Ordinal       Ordinal // of its frame while the event is in the journal; 0 once it is sealed, and so durable
	Kind          Kind
	Encoding      Encoding
	Tombstone     bool
	Origin        Origin
	Idempotency   uint64
	SchemaVersion uint32
	Redacted      bool // its payload and headers were taken out by Log.Redact
	Key           []byte
	Headers       []Header
	Payload       []byte
}

// Arrival returns the event's time in UTC.
func (e *Event) Arrival() time.Time { return time.Unix(0, e.Time).UTC() }

// Clone returns a copy that shares no memory with e.
func (e *Event) Clone() Event {
	c := *e
	c.Key = slices.Clone(e.Key)
	c.Payload = slices.Clone(e.Payload)
	c.Headers = slices.Clone(e.Headers)
	for i := range c.Headers {
		c.Headers[i].Value = slices.Clone(c.Headers[i].Value)
	}
	return c
}

// Position names one event of one store, and the moment in the store's history at which it became visible.
type Position struct {
	Store   StoreID
	Log     LogID
	Epoch   Epoch
	Ordinal Ordinal
	Seq     Seq
}

// Cut is a moment in a store's history: every frame up to Ordinal, and so every event with a time up to Time.
type Cut struct {
	Ordinal Ordinal
	Time    int64
}

// Bounds are the sequences of a log that can be read: [Floor, Next).
type Bounds struct {
	Floor Seq // lowest readable; greater than 0 after retention
	Next  Seq // sequence the next event will get
}

// Len returns the number of sequences that can be read: of events, where compaction by key took none.
func (b Bounds) Len() int64 { return int64(b.Next - b.Floor) }
