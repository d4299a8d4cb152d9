package redex

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/seed69692123/netdb/internal/payload"
)

// Codec turns values into payloads and back. It is used by several goroutines at once.
type Codec[T any] interface {
	// Encoding says what the payloads are. Events of another encoding are not given to Decode.
	Encoding() Encoding
	// Append appends the payload of v to dst.
	Append(dst []byte, v *T) ([]byte, error)
	// Decode reads a payload into v, which is zero. It must take any bytes, refuse what it would not write, keep nothing of
	// payload, and allocate no more than payload warrants. A panic becomes an error.
	Decode(payload []byte, v *T) error
}

// MsgpackCodec returns the codec of MessagePack, by the rules and tags of github.com/vmihailenco/msgpack/v5: structs are maps by
// field name, unknown fields are ignored. Of the extensions only timestamps are read.
func MsgpackCodec[T any]() Codec[T] { return msgpackCodec[T]{} }

// JSONCodec returns the codec of encoding/json.
func JSONCodec[T any]() Codec[T] { return jsonCodec[T]{} }

// DecodePayload reads an event's payload into v, a pointer, with the codec of its encoding, MessagePack or JSON, whatever its
// schema version is. v shares no memory with the event. It is what upgrades are made of. The error is a DecodeError without the
// log's name.
func DecodePayload(ev *Event, v any) error {
	err := guard(func() error {
		switch ev.Encoding {
		case Msgpack:
			return decodeMsgpack(ev.Payload, v)
		case JSON:
			return json.Unmarshal(ev.Payload, v)
		}
		return ErrOtherEncoding
	})
	if err != nil {
		return &DecodeError{Seq: ev.Seq, Encoding: ev.Encoding, Schema: ev.SchemaVersion, Err: err}
	}
	return nil
}

// guard returns the error of decode, also when it panics: bytes from outside must not.
func guard(decode func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &PanicError{Value: r, Stack: debug.Stack()}
		}
	}()
	return decode()
}

type jsonCodec[T any] struct{}

func (jsonCodec[T]) Encoding() Encoding { return JSON }

func (jsonCodec[T]) Append(dst []byte, v *T) ([]byte, error) {
	b, err := json.Marshal(v)
	return append(dst, b...), err
}

func (jsonCodec[T]) Decode(payload []byte, v *T) error { return json.Unmarshal(payload, v) }

type msgpackCodec[T any] struct{}

func (msgpackCodec[T]) Encoding() Encoding { return Msgpack }

func (msgpackCodec[T]) Append(dst []byte, v *T) ([]byte, error) {
	w := appender{dst}
	enc := msgpack.GetEncoder()
	enc.Reset(&w)
	enc.UseCompactInts(true)
	enc.SetSortMapKeys(true)
	err := enc.Encode(v)
	msgpack.PutEncoder(enc)
	return w.b, err
}

func (msgpackCodec[T]) Decode(payload []byte, v *T) error { return decodeMsgpack(payload, v) }

// appender is a slice that an encoder writes to.
type appender struct{ b []byte }

func (w *appender) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

func (w *appender) WriteByte(c byte) error {
	w.b = append(w.b, c)
	return nil
}

// keptDecoder is the longest payload whose decoder is used again: it keeps memory for the longest text it has read.
const keptDecoder = 64 << 10

// decodeMsgpack reads exactly one value, whose lengths are looked at before anything is allocated for them.
func decodeMsgpack(p []byte, v any) error {
	starts, err := payload.CheckLengths(p, nil)
	if err != nil {
		return err
	}
	r := timeReader{starts: starts}
	r.Reset(p)
	dec := msgpack.GetDecoder()
	dec.Reset(&r)
	err = dec.Decode(v)
	if len(p) <= keptDecoder { // not after a panic either
		msgpack.PutDecoder(dec)
	}
	if err == nil && r.Len() > 0 {
		err = fmt.Errorf("%d bytes behind the value", r.Len())
	}
	return err
}

// timeReader reads a payload that may have timestamps. A decoder reads their data as a whole, except that it takes an extension in the
// place of a map for a header to be passed over, and reads its data as the map: lengths that nobody has looked at. That is
// refused.
type timeReader struct {
	bytes.Reader
	starts []int // where data of timestamps begin, ascending
}

var errTimeAsMap = errors.New("a timestamp in the place of a map")

// ReadByte refuses the first byte of a timestamp's data.
func (r *timeReader) ReadByte() (byte, error) {
	at := int(r.Size()) - r.Len()
	for len(r.starts) > 0 && r.starts[0] < at {
		r.starts = r.starts[1:]
	}
	if len(r.starts) > 0 && r.starts[0] == at {
		return 0, errTimeAsMap
	}
	return r.Reader.ReadByte()
}

var _ io.ByteScanner = (*timeReader)(nil)
