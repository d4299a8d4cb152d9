package payload

import (
	"math"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

// TestAppendMsgpack checks each form of each kind of value against another encoder's reading, and by reading it back here.
func TestAppendMsgpack(t *testing.T) {
	ints := []int64{0, 1, 127, 128, 255, 256, 65535, 65536, math.MaxUint32, math.MaxUint32 + 1, math.MaxInt64, -1, -32, -33, -128, -129, -32768, -32769, math.MinInt32, math.MinInt32 - 1, math.MinInt64}
	for _, n := range ints {
		p := AppendMsgpackInt(nil, n)
		var got int64
		if err := msgpack.Unmarshal(p, &got); err != nil || got != n {
			t.Errorf("%d: %d, %v", n, got, err)
		}
		if v := Top(Msgpack, p); v.Class != Int || v.Int() != n {
			t.Errorf("%d is read as %v %d", n, v.Class, v.Int())
		}
	}
	for digits, want := range map[string]bool{
		"18446744073709551615": true, "18446744073709551616": false, "9223372036854775808": true, "-9223372036854775809": false,
		"99999999999999999999": false, "184467440737095516150": false, "": false,
	} {
		p, ok := AppendMsgpackBig(nil, []byte(digits))
		if ok != want {
			t.Errorf("%s: %v", digits, ok)
		}
		if v := Top(Msgpack, p); ok && (v.Class != Big || string(v.AppendBytes(nil)) != digits) {
			t.Errorf("%s is read as %v %s", digits, v.Class, v.AppendBytes(nil))
		}
	}
	for _, ns := range []int64{0, 1, -1, 1e9, -1e9, 1_700_000_000_123_456_789, math.MaxUint32 * 1e9, (math.MaxUint32 + 1) * 1e9, math.MaxInt64 - 2e9, math.MinInt64 + 2e9} {
		p := AppendMsgpackTime(nil, ns)
		if c, err := Check(Msgpack, p); c != Time || err != nil {
			t.Errorf("time %d: %v %v", ns, c, err)
		}
		if v := Top(Msgpack, p); v.Class != Time || v.Int() != ns {
			t.Errorf("time %d is read as %v %d", ns, v.Class, v.Int())
		}
	}
	for _, n := range []int{0, 31, 32, 255, 256, 65535, 65536} {
		s := strings.Repeat("x", n)
		for p, want := range map[string]Class{string(AppendMsgpackText(nil, []byte(s))): Text, string(AppendMsgpackBlob(nil, []byte(s))): Blob} {
			if c, err := Check(Msgpack, []byte(p)); c != want || err != nil {
				t.Errorf("%v of %d bytes: %v %v", want, n, c, err)
			}
			if v := Top(Msgpack, []byte(p)); string(v.AppendBytes(nil)) != s {
				t.Errorf("%v of %d bytes is read as %d", want, n, len(v.Raw))
			}
		}
	}
	for _, n := range []int{0, 15, 16, 65535, 65536} {
		p := AppendMsgpackArray(nil, n)
		for range n {
			p = AppendMsgpackNull(p)
		}
		if c, err := Check(Msgpack, p); c != Array || err != nil || Length(Top(Msgpack, p)) != n {
			t.Errorf("array of %d: %v %v", n, c, err)
		}
	}
	for _, f := range []float64{0, 1.5, math.Inf(1), math.Inf(-1), math.MaxFloat64} {
		if v := Top(Msgpack, AppendMsgpackFloat(nil, f)); v.Class != Float || v.Float() != f {
			t.Errorf("%v is read as %v", f, v.Float())
		}
	}
}

// FuzzJSONToMsgpack checks that what JSON text says is the same once it is MessagePack.
func FuzzJSONToMsgpack(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,"x\n\u00e9",null,true,{"b":18446744073709551615}],"a":1,"\u0061":-9223372036854775808}`, `1e999`, `"\ud800"`, `99999999999999999999`, `[]`, ` { } `} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := Check(JSON, text); err != nil {
			return
		}
		top := Top(JSON, text)
		p, ok := top.AppendMsgpack(nil)
		if !ok {
			return
		}
		if _, err := Check(Msgpack, p); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		sameValue(t, top, Top(Msgpack, p))
	})
}

func sameValue(t *testing.T, a, b Value) {
	t.Helper()
	if a.Class != b.Class || a.Class != Array && a.Class != Object && a.Class != Big && a.Bits != b.Bits {
		t.Fatalf("%v %x became %v %x", a.Class, a.Bits, b.Class, b.Bits)
	}
	if a.Class == Array || a.Class == Object {
		var keys []string
		var members []Value
		each(a, nil, func(key []byte, escaped bool, v Value) bool {
			k := Value{Class: Text, Format: JSON, Raw: key, Escaped: escaped}
			keys, members = append(keys, string(k.AppendBytes(nil))), append(members, v)
			return true
		})
		i := 0
		each(b, nil, func(key []byte, _ bool, v Value) bool {
			if string(key) != keys[i] {
				t.Fatalf("key %q became %q", keys[i], key)
			}
			sameValue(t, members[i], v)
			i++
			return true
		})
		if i != len(members) {
			t.Fatalf("%d members became %d", len(members), i)
		}
		return
	}
	if string(a.AppendBytes(nil)) != string(b.AppendBytes(nil)) {
		t.Fatalf("%q became %q", a.AppendBytes(nil), b.AppendBytes(nil))
	}
}
