package tasks

import (
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// reference decodes by the general decoder alone.
func reference(ev *redex.Event) (change, bool) {
	var p payload
	if err := fold.Decode(ev, &p); err != nil {
		return change{}, false
	}
	titled := ev.Kind == kindCreate || ev.Kind == kindRename
	ok := p.ID != nil && *p.ID <= MaxID && (!titled || p.Title != nil && utf8.ValidString(*p.Title)) && (ev.Kind == kindDelete || p.At != nil)
	return p.change(), ok
}

// FuzzDecode: whatever the bytes, an event is decoded as the general decoder does it, or refused as it does.
func FuzzDecode(f *testing.F) {
	id, at := uint64(7), int64(-5)
	title, bad := "a title", "\xff"
	payloads := []payload{{ID: &id}, {ID: &id, At: &at}, {ID: &id, Title: &title, At: &at}, {ID: &id, Title: &bad, At: &at}, {ID: &id, Title: &title}}
	for _, p := range payloads {
		b, err := p.encode()
		if err != nil {
			f.Fatal(err)
		}
		for kind := kindCreate; kind <= kindDelete; kind++ {
			f.Add(uint8(kind), uint8(redex.Msgpack), b)
			f.Add(uint8(kind), uint8(redex.Msgpack), b[:len(b)-1])
			f.Add(uint8(kind), uint8(redex.Msgpack), append(b, 0xc0))
		}
		f.Add(uint8(kindCreate), uint8(redex.Raw), b)
	}
	for _, b := range []string{
		"\x81\xa2id\x05", "\x82\xa2id\x05\xa2id\x06", "\x82\xa2id\x05\xa1x\x01", "\x82\xa2id\xc0\xa2at\xc0", "\x81\xa2id\xff", "\x81\xa2id\xcb\x40\x00\x00\x00\x00\x00\x00\x00",
		"\x82\xa2id\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa2at\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "\x80", "\xde\x00\x01\xa2id\x05", "\xdf\xff\xff\xff\xff\xa2id\x05",
		"\x81\xc4\x02id\x05", "\x81\xd9\x02id\x05", "\x93\x01\x02\x03", "\xc0", "",
	} {
		f.Add(uint8(kindCreate), uint8(redex.Msgpack), []byte(b))
		f.Add(uint8(kindDelete), uint8(redex.Msgpack), []byte(b))
	}
	f.Add(uint8(kindCreate), uint8(redex.JSON), []byte(`{"id":5,"at":6,"title":"t","content":"c","tags":["a"],"source":"s"}`))
	f.Fuzz(func(t *testing.T, kind, encoding uint8, b []byte) {
		ev := redex.Event{Kind: kindCreate + redex.Kind(kind)%4, Encoding: redex.Encoding(encoding % 3), Payload: b}
		want, ok := reference(&ev)
		got, err := decode(&ev)
		if (err == nil) != ok {
			t.Fatalf("%v: %q decodes with %v, the general decoder: %v", ev.Kind, b, err, ok)
		}
		if ok && !reflect.DeepEqual(got, want) {
			t.Fatalf("%v: %q\n%s", ev.Kind, b, cmp.Diff(want, got, cmp.AllowUnexported(change{})))
		}
	})
}

// TestPlain: what this package writes does not take the way of the general decoder.
func TestPlain(t *testing.T) {
	id, at := uint64(1)<<40, int64(-1)<<40
	title, bad := "a title", "\xff"
	payloads := []payload{{ID: &id}, {ID: &id, At: &at}, {ID: &id, Title: &title, At: &at}, {ID: &id, Title: &bad, At: &at}, {ID: &id, Title: &title}}
	for i, p := range payloads {
		b, err := p.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, ok := plain(&redex.Event{Encoding: redex.Msgpack, Payload: b})
		if want := p.change(); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%d: %v, %v instead of %v", i, got, ok, want)
		}
	}
}
