package flatmap

import (
	"bytes"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

type record struct {
	U *uint64   `msgpack:"u"`
	I *int64    `msgpack:"i"`
	T *string   `msgpack:"t"`
	L *[]string `msgpack:"l"`
}

// read reads a record, or gives up.
func read(b []byte) (record, bool) {
	var v record
	r := Read(b)
	for r.Next() {
		switch string(r.Key()) {
		case "u":
			v.U = new(r.Uint())
		case "i":
			v.I = new(r.Int())
		case "t":
			v.T = new(string(r.Text()))
		case "l":
			v.L = new(r.Texts())
		default:
			r.GiveUp()
		}
	}
	return v, r.OK()
}

func samples(t testing.TB) [][]byte {
	t.Helper()
	var out [][]byte
	many := make([]string, 70_000)
	for _, v := range []any{
		map[string]any{},
		map[string]any{"u": uint64(5), "i": int64(-5), "t": "text", "l": []string{"a", "", "b"}},
		map[string]any{"u": uint64(1) << 63, "i": int64(math.MinInt64), "t": strings.Repeat("x", 40), "l": []string{}},
		map[string]any{"u": uint64(200), "i": int64(200), "t": strings.Repeat("x", 300)},
		map[string]any{"u": uint64(70_000), "i": int64(-70_000), "t": strings.Repeat("x", 70_000)},
		map[string]any{"u": uint32(9), "i": int16(-300), "l": many[:20]},
		map[string]any{"i": int8(-100), "l": many},
		map[string]any{"i": uint16(50_000)},
		map[string]any{"i": int64(math.MaxInt64)},
	} {
		for _, compact := range []bool{true, false} {
			var b bytes.Buffer
			enc := msgpack.NewEncoder(&b)
			enc.UseCompactInts(compact)
			if err := enc.Encode(v); err != nil {
				t.Fatal(err)
			}
			out = append(out, b.Bytes())
		}
	}
	return append(out, []byte("\xde\x00\x01\xa1u\x07"), []byte("\xdf\x00\x00\x00\x01\xa1i\xff"))
}

// TestPlain: the plain forms are read, whatever their width, and no part of one is taken for the whole.
func TestPlain(t *testing.T) {
	for i, b := range samples(t) {
		var want record
		if err := msgpack.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		if got, ok := read(b); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%d: %v, %v instead of %v", i, got, ok, want)
		}
		for n := range min(len(b), 400) {
			if _, ok := read(b[:n]); ok {
				t.Fatal(i, "a part of", n, "bytes was taken for the whole")
			}
		}
		if _, ok := read(append(bytes.Clone(b), 0xc0)); ok {
			t.Error(i, "something behind the map was taken")
		}
	}
}

// TestGivesUp: the rest is left to the general decoder.
func TestGivesUp(t *testing.T) {
	for _, b := range []string{
		"", "\xc0", "\x90", "\x81\xa1u\xc0", "\x81\xa1u\xff", "\x81\xa1u\xd0\x05", "\x81\xa1i\xcf\x80\x00\x00\x00\x00\x00\x00\x00",
		"\x81\xa1t\xc4\x01x", "\x81\xa1t\x01", "\x81\xa1l\xc0", "\x81\xa1l\x91\x01", "\x81\xa1z\x01", "\x81\x01\x01", "\x81\xa1u\xc1", "\x81\xc4\x01u\x01",
		"\x81\xa1l\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\x81\xa1u\xca\x00\x00\x00\x00",
	} {
		if v, ok := read([]byte(b)); ok {
			t.Errorf("%q was taken as %v", b, v)
		}
	}
}

// TestBoundedMemory: a number of texts that a payload cannot have takes no memory for them.
func TestBoundedMemory(t *testing.T) {
	b := append([]byte("\x81\xa1l\xdd\x00\x10\x00\x00"), make([]byte, 1<<20)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, ok := read(b)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; ok || took > 1<<20 {
		t.Fatal(ok, took, "bytes")
	}
}

// FuzzRead: what is taken is what the general decoder takes it for.
func FuzzRead(f *testing.F) {
	for _, b := range samples(f) {
		if len(b) < 1000 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, ok := read(b)
		if !ok {
			return
		}
		var want record
		if err := msgpack.Unmarshal(b, &want); err != nil {
			t.Fatalf("%q was taken: %v", b, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q is %v, not %v", b, want, got)
		}
	})
}
