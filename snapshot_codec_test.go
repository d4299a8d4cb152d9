package netdb

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seed69692123/netdb/redex"
)

func encodeEvents(t testing.TB, floor redex.Seq, events []redex.Event) []byte {
	t.Helper()
	var b bytes.Buffer
	e := eventEncoder{next: floor}
	for i := range events {
		if err := e.write(&b, &events[i]); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func decodeEvents(b []byte, log redex.LogID, floor, end redex.Seq) ([]redex.Event, error) {
	d := eventDecoder{r: bufio.NewReader(bytes.NewReader(b)), log: log, next: floor, end: end}
	var out []redex.Event
	for {
		ev, err := d.read()
		if err != nil {
			return out, err
		}
		out = append(out, ev.Clone())
	}
}

func sampleEvents() []redex.Event {
	return []redex.Event{
		{Log: 3, Seq: 5, Time: 100, Payload: []byte("a")},
		{Log: 3, Seq: 6, Time: 100, Encoding: redex.JSON, Kind: 1<<32 - 1, Origin: 1<<64 - 1, Idempotency: 9, SchemaVersion: 2, Tombstone: true, Key: []byte("k")},
		{Log: 3, Seq: 9, Time: 1 << 62, Headers: []redex.Header{{Name: "h", Value: []byte("v")}, {Name: "e"}}, Payload: bytes.Repeat([]byte("p"), 70000)},
	}
}

func TestEventsOfSnapshots(t *testing.T) {
	in := sampleEvents()
	b := encodeEvents(t, 5, in)
	out, err := decodeEvents(b, 3, 5, 10)
	if err != io.EOF {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in, out, cmpopts.EquateEmpty()); diff != "" {
		t.Fatal(diff)
	}
	if _, err := decodeEvents(b, 3, 5, 9); !errors.Is(err, errEvent) {
		t.Fatalf("an event beyond the log's end: %v", err)
	}
}

func FuzzEventsOfSnapshots(f *testing.F) {
	f.Add(encodeEvents(f, 0, sampleEvents()))
	f.Add([]byte{3, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := decodeEvents(b, 1, 0, 1<<62)
		if err != io.EOF {
			return
		}
		again, err := decodeEvents(encodeEvents(t, 0, out), 1, 0, 1<<62)
		if diff := cmp.Diff(out, again, cmpopts.EquateEmpty()); err != io.EOF || diff != "" {
			t.Fatalf("decode(encode(x)) is not x: %v %s", err, diff)
		}
	})
}
