package redex

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/seed69692123/netdb/internal/payload"
)

type reading struct {
	Sensor string         `msgpack:"sensor" json:"sensor"`
	Value  float64        `msgpack:"value" json:"value"`
	Count  int64          `msgpack:"count" json:"count"`
	At     time.Time      `msgpack:"at" json:"at"`
	Raw    []byte         `msgpack:"raw" json:"raw"`
	Tags   map[string]any `msgpack:"tags" json:"tags"`
	More   []reading      `msgpack:"more" json:"more"`
}

func newTyped[T any](t testing.TB, l *Log, o TypedOptions[T]) *Typed[T] {
	t.Helper()
	typed, err := NewTyped(l, o)
	if err != nil {
		t.Fatal(err)
	}
	return typed
}

func memoryLog(t testing.TB) *Log {
	t.Helper()
	s, err := OpenMemory(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return mustLog(t, s, "readings")
}

func someReading(i int) reading {
	r := reading{Sensor: fmt.Sprint("s", i), Value: float64(i) / 3, Count: int64(i) << (i % 50), At: time.Unix(int64(i)*1e9, int64(i)).UTC(), Raw: bytes.Repeat([]byte{byte(i)}, i)}
	if i%2 == 1 {
		r.Tags = map[string]any{"a": "b", "c": nil, "d": true}
		r.More = []reading{{Sensor: "inner", At: time.Unix(1, 0).UTC()}}
	}
	return r
}

// TestTyped appends in every way, with both codecs, and reads in every way, hot and sealed.
func TestTyped(t *testing.T) {
	for _, codec := range []Codec[reading]{MsgpackCodec[reading](), JSONCodec[reading]()} {
		for _, seal := range []bool{false, true} {
			t.Run(fmt.Sprintf("codec=%v/sealed=%v", codec.Encoding(), seal), func(t *testing.T) {
				ctx, l := t.Context(), memoryLog(t)
				typed := newTyped(t, l, TypedOptions[reading]{Codec: codec, Schema: 3})
				var want []reading
				var batch []TypedEntry[reading]
				for i := range 20 {
					want = append(want, someReading(i))
					if i < 10 {
						a, err := typed.Append(ctx, want[i], AppendOptions{Expect: ExpectSeq(Seq(i))})
						if err != nil || a.Seq != Seq(i) || a.Count != 1 {
							t.Fatal(a, err)
						}
						continue
					}
					batch = append(batch, TypedEntry[reading]{
						Value: want[i], Kind: Kind(i), Origin: 7, Idempotency: uint64(i), Key: []byte{byte(i)},
						Headers: []Header{{"h", []byte{byte(i)}}},
					})
				}
				if _, err := typed.Append(ctx, want[0], AppendOptions{Expect: ExpectSeq(3)}); !errors.Is(err, ErrConflict) {
					t.Fatal(err)
				}
				a, err := typed.AppendBatch(ctx, batch, AppendOptions{Durable: DurableYes})
				if err != nil || a.First != 10 || a.Count != 10 || a.Duplicates != 0 {
					t.Fatal(a, err)
				}
				again, err := typed.AppendEntry(ctx, batch[4], AppendOptions{})
				if err != nil || again.Duplicates != 1 || again.Seq != 14 {
					t.Fatal(again, err)
				}
				if _, err := typed.AppendEntry(ctx, TypedEntry[reading]{Key: []byte{1}, Tombstone: true}, AppendOptions{}); err != nil {
					t.Fatal(err)
				}
				want = append(want, reading{})
				e, err := typed.Entry(TypedEntry[reading]{Value: someReading(21)})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := l.s.Append(ctx, []Batch{{Log: l, Entries: []Entry{e}}}, AppendOptions{}); err != nil {
					t.Fatal(err)
				}
				want = append(want, someReading(21))
				if seal {
					if err := l.s.Seal(ctx); err != nil {
						t.Fatal(err)
					}
				}

				check := func(how string, ev *Event, v reading, err error) {
					t.Helper()
					if err != nil {
						t.Fatal(how, err)
					}
					if diff := cmp.Diff(want[ev.Seq], v); diff != "" {
						t.Fatalf("%s %d: %s", how, ev.Seq, diff)
					}
					if ev.SchemaVersion != 3 || ev.Time == 0 || ev.Seq >= 10 && ev.Seq < 20 && (ev.Kind != Kind(ev.Seq) || ev.Origin != 7 || ev.Key[0] != byte(ev.Seq) || ev.Headers[0].Value[0] != byte(ev.Seq)) {
						t.Fatalf("%s: %+v", how, ev)
					}
				}
				n := 0
				for ev, err := range typed.Scan(ctx, 2, 22) {
					check("scan", &ev.Event, ev.Value, err)
					n++
				}
				c := typed.Cursor(0, 99)
				for c.Next(ctx) {
					v, err := c.Value()
					check("cursor", c.Event(), v, err)
					n++
				}
				if err := errors.Join(c.Err(), c.Close()); err != nil {
					t.Fatal(err)
				}
				tail := typed.Tail(5, TailOptions{Durable: true})
				for tail.TryNext(ctx) {
					v, err := tail.Value()
					check("tail", tail.Event(), v, err)
					n++
				}
				if err := errors.Join(tail.Err(), tail.Close()); err != nil {
					t.Fatal(err)
				}
				for ev, err := range typed.Follow(ctx, 20) {
					check("follow", &ev.Event, ev.Value, err)
					if n++; ev.Seq == 21 {
						break
					}
				}
				if n != 20+22+17+2 {
					t.Fatal(n, "events read")
				}
				ev, err := typed.Read(ctx, 11)
				check("read", &ev.Event, ev.Value, err)
				ev, err = typed.Latest(ctx)
				check("latest", &ev.Event, ev.Value, err)
				if _, err := typed.Read(ctx, 22); !errors.Is(err, ErrNoEvent) || errors.Is(err, ErrDecode) {
					t.Fatal(err)
				}
			})
		}
	}
}

// TestTypedErrors: each event that cannot be decoded is one error that says why, the events around it are read.
func TestTypedErrors(t *testing.T) {
	type v2 struct{ N int }
	ctx, l := t.Context(), memoryLog(t)
	typed := newTyped(t, l, TypedOptions[v2]{Schema: 2, Upgrades: map[uint32]Upgrade[v2]{
		0: func(ev *Event) (v2, error) {
			var old struct{ Text string }
			err := DecodePayload(ev, &old)
			return v2{len(old.Text)}, err
		},
	}})
	pack := func(v any) []byte {
		b, err := msgpack.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := pack(v2{5})
	cases := []struct {
		e     Entry
		want  int
		cause error // nil for any
		text  string
	}{
		{Entry{Encoding: Msgpack, SchemaVersion: 2, Payload: good}, 5, nil, ""},
		{Entry{Encoding: Msgpack, SchemaVersion: 3, Payload: good}, 0, ErrNewerSchema, "version 3, known 2"},
		{Entry{Encoding: Msgpack, SchemaVersion: 1, Payload: good}, 0, ErrNoUpgrade, "version 1, known 2"},
		{Entry{Encoding: JSON, SchemaVersion: 2, Payload: []byte(`{"N":5}`)}, 0, ErrOtherEncoding, "(json,"},
		{Entry{Encoding: Raw, Payload: good}, 0, ErrOtherEncoding, "(raw,"},
		{Entry{Encoding: JSON, Payload: []byte(`{"Text":"abc"}`)}, 3, nil, ""},
		{Entry{Encoding: Msgpack, Payload: pack(map[string]string{"Text": "abcd"})}, 4, nil, ""},
		{Entry{Encoding: JSON, Payload: []byte(`{"Text":3}`)}, 0, nil, "Text"},
		{Entry{Encoding: Msgpack, SchemaVersion: 2, Payload: append(good[:len(good):len(good)], 0)}, 0, nil, "behind the value"},
		{Entry{Encoding: Msgpack, SchemaVersion: 2, Payload: good[:len(good)-1]}, 0, nil, "unexpected end"},
		{Entry{Encoding: Msgpack, SchemaVersion: 2}, 0, nil, "unexpected end"},
		{Entry{Encoding: Msgpack, SchemaVersion: 2, Payload: pack(map[string]string{"N": "x"})}, 0, nil, "int64"},
		{Entry{Encoding: Msgpack, SchemaVersion: 2, Payload: good}, 5, nil, ""},
	}
	for _, c := range cases {
		if _, err := l.Append(ctx, c.e, AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for ev, err := range typed.Scan(ctx, 0, Seq(len(cases))) {
		c := cases[n]
		if n++; ev.Seq != Seq(n-1) || !bytes.Equal(ev.Payload, c.e.Payload) {
			t.Fatalf("%d: event %+v", n-1, ev.Event)
		}
		_, single := typed.Read(ctx, ev.Seq)
		if (err == nil) != (single == nil) {
			t.Errorf("%d: scan %v, read %v", ev.Seq, err, single)
		}
		if c.text == "" {
			if err != nil || ev.Value.N != c.want {
				t.Errorf("%d: %v, %v", ev.Seq, ev.Value, err)
			}
			continue
		}
		d, ok := errors.AsType[*DecodeError](err)
		if !ok || !errors.Is(err, ErrDecode) || c.cause != nil && !errors.Is(err, c.cause) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%d: %v", ev.Seq, err)
			continue
		}
		if d.Log != "readings" || d.Seq != ev.Seq || d.Encoding != c.e.Encoding || d.Schema != c.e.SchemaVersion || d.Known != 2 || ev.Value.N != 0 {
			t.Errorf("%d: %+v, value %v", ev.Seq, d, ev.Value)
		}
	}
	if n != len(cases) {
		t.Errorf("the scan ended after %d of %d", n, len(cases))
	}

	// What a Log says of events that are gone is no DecodeError, and ends the scan.
	if err := l.Trim(ctx, 3); err != nil {
		t.Fatal(err)
	}
	n = 0
	for _, err := range typed.Scan(ctx, 1, 10) {
		if n++; !errors.Is(err, ErrRangeLost) || errors.Is(err, ErrDecode) {
			t.Fatal(err)
		}
	}
	if n != 1 {
		t.Fatal(n)
	}
	for _, o := range []TypedOptions[v2]{
		{Upgrades: map[uint32]Upgrade[v2]{0: func(*Event) (v2, error) { return v2{}, nil }}},
		{Schema: 1, Upgrades: map[uint32]Upgrade[v2]{0: nil}},
	} {
		if _, err := NewTyped(l, o); !errors.Is(err, ErrOptions) {
			t.Error(err)
		}
	}
}

// own is a codec that fails in every way.
type own struct{}

func (own) Encoding() Encoding { return Raw }

func (own) Append(dst []byte, v *string) ([]byte, error) {
	if *v == "refused" {
		return append(dst, "half"...), errors.New("no")
	}
	return append(dst, *v...), nil
}

func (own) Decode(p []byte, v *string) error {
	switch *v = string(p); *v {
	case "panic":
		panic(errors.ErrUnsupported)
	case "error":
		return errors.ErrUnsupported
	}
	return nil
}

// TestTypedCodec: a codec of the user's own. Its failures touch one event, also when it panics, and an entry that cannot be
// encoded leaves nothing of its batch.
func TestTypedCodec(t *testing.T) {
	ctx, l := t.Context(), memoryLog(t)
	typed := newTyped[string](t, l, TypedOptions[string]{Codec: own{}})
	if _, err := typed.Append(ctx, "refused", AppendOptions{}); !errors.Is(err, ErrEncode) {
		t.Fatal(err)
	}
	if _, err := typed.AppendBatch(ctx, []TypedEntry[string]{{Value: "a"}, {Value: "refused"}}, AppendOptions{}); !errors.Is(err, ErrEncode) {
		t.Fatal(err)
	}
	if _, err := typed.AppendBatch(ctx, nil, AppendOptions{}); !errors.Is(err, ErrEmptyBatch) {
		t.Fatal(err)
	}
	if _, err := typed.AppendBatch(ctx, make([]TypedEntry[string], 1), AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"panic", "error", "x"} {
		if _, err := typed.Append(ctx, s, AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for ev, err := range typed.Scan(ctx, 0, 4) {
		bad := ev.Seq == 1 || ev.Seq == 2
		p, panicked := errors.AsType[*PanicError](err)
		if bad != errors.Is(err, ErrDecode) || bad != errors.Is(err, errors.ErrUnsupported) || bad != (ev.Value != string(ev.Payload)) {
			t.Errorf("%d: %q, %v", ev.Seq, ev.Value, err)
		}
		if panicked != (ev.Seq == 1) || panicked && !strings.Contains(string(p.Stack), "own.Decode") {
			t.Errorf("%d: %v", ev.Seq, err)
		}
	}
	if b := l.Bounds(); b.Next != 4 {
		t.Fatal(b)
	}
	huge := []TypedEntry[string]{{Value: strings.Repeat("x", 1<<20)}}
	for range 6 {
		huge = append(huge, huge...)
	}
	if _, err := typed.AppendBatch(ctx, huge, AppendOptions{}); !errors.Is(err, ErrBatchTooLarge) {
		t.Fatal(err)
	}
	if _, err := typed.Append(ctx, strings.Repeat("x", MaxPayloadBytes+1), AppendOptions{}); !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
}

// TestTypedKeeps: values stay as they are while the reader goes on and its memory is used again.
func TestTypedKeeps(t *testing.T) {
	for _, codec := range []Codec[reading]{MsgpackCodec[reading](), JSONCodec[reading]()} {
		ctx, l := t.Context(), memoryLog(t)
		typed := newTyped(t, l, TypedOptions[reading]{Codec: codec})
		var kept []reading
		for i := range 200 {
			if _, err := typed.Append(ctx, someReading(i), AppendOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		for ev, err := range typed.Scan(ctx, 0, 200) {
			if err != nil {
				t.Fatal(err)
			}
			for i := range ev.Payload {
				ev.Payload[i] = 0xff // the reader's memory, from here on
			}
			kept = append(kept, ev.Value)
		}
		for i, r := range kept {
			if diff := cmp.Diff(someReading(i), r); diff != "" {
				t.Fatalf("%v %d: %s", codec.Encoding(), i, diff)
			}
		}
	}
}

// hostile are payloads that claim more than they have, or nest.
func hostile() [][]byte {
	long := func(head string) []byte { return append([]byte(head), "\xff\xff\xff\xff"...) }
	tags := "\x81\xa4tags"
	return [][]byte{
		long("\xdd"), long("\xdf"), long("\xc6"), long("\xdb"), long("\xc9"),
		long(tags + "\xdf"), long(tags + "\xdd"), long("\x81\xa3raw\xc6"), long("\x81\xa6sensor\xdb"), long("\x81\xa4more\xdd"),
		[]byte(tags + "\xd6\xff\xde\xff\xff\x00"),                              // a map in a timestamp
		[]byte(tags + "\xc7\x0c\xff\xdf\xff\xff\xff\xff\xa1a\xc6\xff\xff\xff"), // a long one
		[]byte(tags + "\xc7\x0c\xff\x81\xa1a\xc6\x7f\xff\xff\xff\x00\x00\x00"), // bytes in a map in a timestamp
		[]byte(tags + "\xc7\x05\x07\xdf\xff\xff\xff\xff"),                      // in another extension
		[]byte(tags + "\x81\xa1a\xd6\xff\xde\xff\xff\x00"),
		[]byte("\xd6\xff\xde\xff\xff\x00"),
		bytes.Repeat([]byte{0x91}, 1<<20), bytes.Repeat([]byte{0x81}, 1<<20),
		append([]byte(tags+"\x81\xa1a"), bytes.Repeat([]byte{0x91}, 2000)...),
	}
}

// TestHostilePayloads: lengths that are claimed are never allocated, and nothing panics or exhausts the stack.
func TestHostilePayloads(t *testing.T) {
	l := memoryLog(t)
	typed := newTyped(t, l, TypedOptions[reading]{})
	anything := newTyped(t, l, TypedOptions[any]{})
	maps := newTyped(t, l, TypedOptions[map[string]any]{})
	keys := newTyped(t, l, TypedOptions[map[any]int]{})
	try := func(i int, name string, size int, decode func() error) {
		t.Helper()
		isTime := i == 15 || i == 14 || i == 10 && name != "reading"
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := decode()
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrDecode) && (err != nil || !isTime) {
			t.Errorf("%d as %s: %v", i, name, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(64<<10+8*size) {
			t.Errorf("%d as %s: %d bytes allocated for %d", i, name, used, size)
		}
	}
	for i, p := range hostile() {
		ev := Event{Encoding: Msgpack, Payload: p}
		try(i, "reading", len(p), func() error { _, err := typed.Decode(&ev); return err })
		try(i, "map", len(p), func() error { _, err := maps.Decode(&ev); return err })
		try(i, "any", len(p), func() error { _, err := anything.Decode(&ev); return err })
	}
	unhashable := Event{Encoding: Msgpack, Payload: []byte("\x81\x91\x01\x01")}
	if _, err := keys.Decode(&unhashable); !errors.Is(err, ErrDecode) {
		t.Error(err)
	} else if _, ok := errors.AsType[*PanicError](err); !ok {
		t.Error(err)
	}
	// Times stay times.
	for _, at := range []time.Time{time.Unix(math.MaxUint32, 0), time.Unix(1<<33, 999_999_999), time.Unix(-1, 1), {}} {
		b, err := MsgpackCodec[any]().Append(nil, new(any(map[string]any{"t": at, "u": []any{at, at}})))
		if err != nil {
			t.Fatal(err)
		}
		v, err := maps.Decode(&Event{Encoding: Msgpack, Payload: b})
		if got, ok := v["t"].(time.Time); err != nil || !ok || !got.Equal(at) {
			t.Errorf("%v: %v, %v", at, v, err)
		}
	}
}

// FuzzTyped: bytes of any kind never panic and never make a decoder allocate without bound; what decodes is the same after it was
// encoded and decoded again.
func FuzzTyped(f *testing.F) {
	for _, p := range hostile() {
		if len(p) < 1000 {
			f.Add(p, true)
		}
	}
	for i := range 4 {
		r := someReading(i)
		for _, c := range []Codec[reading]{MsgpackCodec[reading](), JSONCodec[reading]()} {
			b, err := c.Append(nil, &r)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b, c.Encoding() == Msgpack)
		}
	}
	codecs := map[bool]Codec[reading]{true: MsgpackCodec[reading](), false: JSONCodec[reading]()}
	s, err := OpenMemory(context.Background(), Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	l := mustLog(f, s, "fuzz")
	typed := map[bool]*Typed[reading]{}
	loose := map[bool]*Typed[map[string]any]{}
	for pack, c := range codecs {
		typed[pack] = newTyped(f, l, TypedOptions[reading]{Codec: c})
	}
	loose[true], loose[false] = newTyped(f, l, TypedOptions[map[string]any]{}), newTyped(f, l, TypedOptions[map[string]any]{Codec: JSONCodec[map[string]any]()})
	f.Fuzz(func(t *testing.T, p []byte, pack bool) {
		if len(p) > 1<<16 {
			return
		}
		ev := Event{Encoding: JSON, Payload: p}
		if pack {
			ev.Encoding = Msgpack
			_, _ = payload.CheckLengths(p, nil)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := typed[pack].Decode(&ev)
		_, _ = loose[pack].Decode(&ev)
		runtime.ReadMemStats(&after)
		// The item of a list takes at least a byte here and a struct there.
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(256<<10+1024*len(p)) {
			t.Fatalf("%d bytes allocated for %d", used, len(p))
		}
		if err != nil {
			if !errors.Is(err, ErrDecode) {
				t.Fatal(err)
			}
			return
		}
		b, err := codecs[pack].Append(nil, &r)
		if err != nil {
			return // a time that JSON cannot say
		}
		again, err := typed[pack].Decode(&Event{Encoding: ev.Encoding, Payload: b})
		if err != nil {
			t.Fatalf("%x of %x: %v", b, p, err)
		}
		b2, err := codecs[pack].Append(nil, &again)
		if err != nil || !bytes.Equal(b, b2) {
			t.Fatalf("%x, then %x: %v", b, b2, err)
		}
	})
}

// BenchmarkTyped compares typed logs with untyped ones of the same bytes.
func BenchmarkTyped(b *testing.B) {
	type small struct {
		Sensor string  `msgpack:"sensor" json:"sensor"`
		Value  float64 `msgpack:"value" json:"value"`
		Count  int64   `msgpack:"count" json:"count"`
	}
	ctx := context.Background()
	v := small{"lidar/front", 12.75, 123456}
	for _, codec := range []Codec[small]{MsgpackCodec[small](), JSONCodec[small]()} {
		p, err := codec.Append(nil, &v)
		if err != nil {
			b.Fatal(err)
		}
		fresh := func() (*Typed[small], func()) {
			s, err := OpenMemory(ctx, Options{Sync: SyncPolicy{Mode: SyncNever}})
			if err != nil {
				b.Fatal(err)
			}
			return newTyped(b, mustLog(b, s, "a"), TypedOptions[small]{Codec: codec}), func() { mustClose(b, s) }
		}
		b.Run(fmt.Sprintf("append/%v/typed=false", codec.Encoding()), func(b *testing.B) {
			t, done := fresh()
			defer done()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := t.log.Append(ctx, Entry{Encoding: codec.Encoding(), Payload: p}, AppendOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("append/%v/typed=true", codec.Encoding()), func(b *testing.B) {
			t, done := fresh()
			defer done()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := t.Append(ctx, v, AppendOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		t, done := fresh()
		const n = 100_000
		batch := make([]TypedEntry[small], 1000)
		for i := range batch {
			batch[i].Value = v
		}
		for range n / len(batch) {
			if _, err := t.AppendBatch(ctx, batch, AppendOptions{}); err != nil {
				b.Fatal(err)
			}
		}
		for _, decode := range []bool{false, true} {
			b.Run(fmt.Sprintf("scan/%v/typed=%v", codec.Encoding(), decode), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c := t.Cursor(0, n)
					for c.Next(ctx) {
						if decode {
							if _, err := c.Value(); err != nil {
								b.Fatal(err)
							}
						}
					}
					if err := errors.Join(c.Err(), c.Close()); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/event")
			})
		}
		done()
	}
}
