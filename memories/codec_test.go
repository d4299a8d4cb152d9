package memories

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
	ok := p.ID != nil && *p.ID <= MaxID
	for _, s := range []*string{p.Content, p.Source} {
		ok = ok && (s == nil || utf8.ValidString(*s))
	}
	if p.Tags != nil {
		for _, tag := range *p.Tags {
			ok = ok && utf8.ValidString(tag)
		}
	}
	switch ev.Kind {
	case kindStore:
		ok = ok && p.Content != nil && p.Tags != nil && p.Source != nil && p.At != nil
	case kindRetag:
		ok = ok && p.Tags != nil && p.At != nil
	case kindPin, kindUnpin:
		ok = ok && p.At != nil
	}
	return p.change(), ok
}

// samplePayloads are payloads of this package, some with texts that are not UTF-8.
func samplePayloads(id uint64, at int64) []payload {
	text, bad := "a text", "\xff"
	tags, none, wrong := []string{"a", "", "b", "a"}, []string{}, []string{"a", "\xff"}
	return []payload{
		{ID: &id},
		{ID: &id, At: &at},
		{ID: &id, Tags: &tags, At: &at},
		{ID: &id, Tags: &none, At: &at},
		{ID: &id, Tags: &wrong, At: &at},
		{ID: &id, Content: &text, Tags: &tags, Source: &text, At: &at},
		{ID: &id, Content: &bad, Tags: &tags, Source: &text, At: &at},
		{ID: &id, Content: &text, Tags: &tags, Source: &bad, At: &at},
	}
}

// FuzzDecode: whatever the bytes, an event is decoded as the general decoder does it, or refused as it does.
func FuzzDecode(f *testing.F) {
	payloads := samplePayloads(7, -5)
	for _, p := range payloads {
		b, err := p.encode()
		if err != nil {
			f.Fatal(err)
		}
		for kind := kindStore; kind <= kindDelete; kind++ {
			f.Add(uint8(kind), uint8(redex.Msgpack), b)
			f.Add(uint8(kind), uint8(redex.Msgpack), b[:len(b)-1])
			f.Add(uint8(kind), uint8(redex.Msgpack), append(b, 0xc0))
		}
		f.Add(uint8(kindStore), uint8(redex.Raw), b)
	}
	for _, b := range []string{
		"\x81\xa2id\x05", "\x82\xa2id\x05\xa2id\x06", "\x82\xa2id\x05\xa1x\x01", "\x82\xa2id\xc0\xa2at\xc0", "\x81\xa2id\xff", "\x81\xa2id\xcb\x40\x00\x00\x00\x00\x00\x00\x00",
		"\x82\xa2id\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa2at\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "\x80", "\xde\x00\x01\xa2id\x05", "\xdf\xff\xff\xff\xff\xa2id\x05",
		"\x81\xc4\x02id\x05", "\x81\xd9\x02id\x05", "\x93\x01\x02\x03", "\xc0", "",
	} {
		f.Add(uint8(kindStore), uint8(redex.Msgpack), []byte(b))
		f.Add(uint8(kindDelete), uint8(redex.Msgpack), []byte(b))
	}
	f.Add(uint8(kindStore), uint8(redex.JSON), []byte(`{"id":5,"at":6,"title":"t","content":"c","tags":["a"],"source":"s"}`))
	f.Fuzz(func(t *testing.T, kind, encoding uint8, b []byte) {
		ev := redex.Event{Kind: kindStore + redex.Kind(kind)%5, Encoding: redex.Encoding(encoding % 3), Payload: b}
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
	payloads := samplePayloads(1<<40, -1<<40)
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
