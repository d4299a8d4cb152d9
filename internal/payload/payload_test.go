package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

func pack(t testing.TB, v any) []byte {
	t.Helper()
	b, err := msgpack.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCheckJSON(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, c := range []struct {
		in   string
		want Class // Missing for not well-formed
	}{
		{`{}`, Object},
		{" {\n\t\"a\" : [ 1 , 2 ] , \"b\":{} }\r", Object},
		{`[]`, Array},
		{`"x"`, Text},
		{`1`, Float},
		{`-0.5e+10`, Float},
		{`true`, Bool},
		{`null`, Null},
		{``, Missing},
		{` `, Missing},
		{`{`, Missing},
		{`{"a"}`, Missing},
		{`{"a":}`, Missing},
		{`{"a":1,}`, Missing},
		{`{a:1}`, Missing},
		{`[1,]`, Missing},
		{`[1 2]`, Missing},
		{`{"a":1}x`, Missing},
		{`{} {}`, Missing},
		{`tru`, Missing},
		{`nul`, Missing},
		{`True`, Missing},
		{`01`, Missing},
		{`+1`, Missing},
		{`1.`, Missing},
		{`.1`, Missing},
		{`-`, Missing},
		{`1e`, Missing},
		{`"`, Missing},
		{`"\`, Missing},
		{`"\x"`, Missing},
		{`"\u12"`, Missing},
		{`"\u12g4"`, Missing},
		{`"\u1234"`, Text},
		{`"\ud800"`, Text},
		{"\"a\nb\"", Missing},
		{"\"abcdefgh\x01\"", Missing},
		{"\"\xff\"", Missing},
		{"\"abcdefghi\xc3\x28\"", Missing},
		{"\"\xed\xa0\x80\"", Missing},
		{`"ä😀"`, Text},
		{"\ufeff{}", Missing},
		{"\"\x7f\"", Text},
		{deep(MaxDepth), Array},
		{deep(MaxDepth + 1), Missing},
		{strings.Repeat("[", 1<<20), Missing},
		{strings.Repeat(`{"a":`, 1<<18), Missing},
		{`NaN`, Missing},
		{"{}\x00", Missing},
		{"\v{}", Missing},
	} {
		got, err := Check(JSON, []byte(c.in))
		if got != c.want || (err != nil) != (c.want == Missing) {
			t.Errorf("%.40q: %v %v, want %v", c.in, got, err, c.want)
		}
	}
	var se *SyntaxError
	if _, err := Check(JSON, []byte(`{"a":1,"b":x}`)); !errors.As(err, &se) || se.Offset != 11 {
		t.Errorf("error %v, want one at byte 11", err)
	}
}

func TestCheckMsgpack(t *testing.T) {
	deep := func(n int) []byte { return append(bytes.Repeat([]byte{0x91}, n), 0xc0) }
	for _, c := range []struct {
		in   []byte
		want Class
	}{
		{pack(t, map[string]any{"a": 1, "b": []any{1.5, "x", nil, true}}), Object},
		{[]byte{0x80}, Object},
		{[]byte{0x90}, Array},
		{[]byte{0xc0}, Null},
		{[]byte{5}, Int},
		{[]byte{0xff}, Int},
		{pack(t, time.Unix(5, 6)), Time},
		{[]byte{0xd4, 5, 1}, Blob},
		{[]byte{0xd6, 0xff, 0, 0, 0, 1}, Time},
		{pack(t, uint64(math.MaxUint64)), Big},
		{nil, Missing},
		{[]byte{0xc1}, Missing},
		{[]byte{0x81}, Missing},
		{[]byte{0x81, 0xa1, 'a'}, Missing},
		{[]byte{0x80, 0x80}, Missing},
		{[]byte{0xa2, 'a'}, Missing},
		{[]byte{0xa1, 0xff}, Missing},
		{[]byte{0xdf, 0xff, 0xff, 0xff, 0xff}, Missing},
		{[]byte{0xdd, 0xff, 0xff, 0xff, 0xff, 1}, Missing},
		{[]byte{0xc6, 0xff, 0xff, 0xff, 0xff, 1}, Missing},
		{[]byte{0xcf, 1, 2}, Missing},
		{[]byte{0xd8, 1}, Missing},
		{[]byte{0xd4}, Missing},
		{[]byte{0xc7, 1}, Missing},
		{deep(MaxDepth), Array},
		{deep(MaxDepth + 1), Missing},
		{bytes.Repeat([]byte{0x91}, 1<<20), Missing},
		{append([]byte{0xd7, 0xff}, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0), Blob}, // 1.07e9 nanoseconds
	} {
		got, err := Check(Msgpack, c.in)
		if got != c.want || (err != nil) != (c.want == Missing) {
			t.Errorf("%.40x: %v %v, want %v", c.in, got, err, c.want)
		}
	}
}

// show writes a value as class and text.
func show(v Value) string {
	switch v.Class {
	case Missing, Null:
		return v.Class.String()
	case Time:
		return "time " + time.Unix(0, v.Int()).UTC().Format(time.RFC3339Nano)
	case Blob:
		return fmt.Sprintf("blob %x", v.Raw)
	}
	if v.Class == Text {
		return "text " + string(v.AppendBytes(nil))
	}
	return v.Class.String() + " " + string(v.AppendJSON(nil))
}

func TestFind(t *testing.T) {
	paths := [][]string{{"a"}, {"b", "c"}, {"b"}, {"b", "c", "d"}, {"a"}, {"ä\n"}, {""}, {"z"}}
	for _, c := range []struct {
		in   string
		want []string
	}{
		{`{}`, []string{"missing", "missing", "missing", "missing", "missing", "missing", "missing", "missing"}},
		{
			`{"a":1,"b":{"c":{"d":"x"}},"\u00e4\n":true,"":null,"z":[1]}`,
			[]string{"integer 1", `object {"d":"x"}`, `object {"c":{"d":"x"}}`, "text x", "integer 1", "boolean true", "null", "array [1]"},
		},
		{
			`{"a":-0.0,"a":2,"b":{"c":1},"b":{"c":{"d":5}},"z":"\ud83d\ude00"}`,
			[]string{"double 0.0", "integer 1", `object {"c":1}`, "missing", "double 0.0", "missing", "missing", "text 😀"},
		},
		{
			` { "q" : "a\"b" , "b" : { "x" : [ { "c" : 1 } ] , "c" : false } , "a" : 123456789012345678901234567890 } `,
			[]string{"integer 123456789012345678901234567890", "boolean false", `object { "x" : [ { "c" : 1 } ] , "c" : false }`, "missing", "integer 123456789012345678901234567890", "missing", "missing", "missing"},
		},
		{
			`{"b":5,"b":{"c":1},"a":1e999}`,
			[]string{"double 1e999", "missing", "integer 5", "missing", "double 1e999", "missing", "missing", "missing"},
		},
	} {
		s := NewSelector(paths)
		out := make([]Value, len(paths))
		for range 2 {
			s.Find(JSON, []byte(c.in), out)
			for k, v := range out {
				if got := show(v); got != c.want[k] {
					t.Errorf("%s: %q = %s, want %s", c.in, paths[k], got, c.want[k])
				}
			}
		}
	}
}

func TestFindMsgpack(t *testing.T) {
	long := strings.Repeat("n", 300)
	m := msgpack.RawMessage(nil)
	// A map with a key that is no string, one that occurs twice and long names.
	m = append(m, 0x8b-1)
	add := func(k, v any) { m = append(append(m, pack(t, k)...), pack(t, v)...) }
	add(int8(5), map[string]any{"x": 1})
	add([]byte("bin"), 2)
	add("a", int64(-5))
	add("a", 7)
	add(long, float32(0.5))
	add("o", map[string]any{"p": map[string]any{"q": uint64(math.MaxUint64)}})
	add("t", time.Unix(1, 2))
	add("b", []byte{1, 2})
	add("n", nil)
	add("l", []any{int16(300), "x", map[string]any{"k": false}})
	if _, err := Check(Msgpack, m); err != nil {
		t.Fatal(err)
	}
	paths := [][]string{{"a"}, {long}, {"o", "p", "q"}, {"t"}, {"b"}, {"n"}, {"l"}, {"o", "p"}, {"5"}, {"bin"}, {"o", "x"}, {}}
	want := []string{
		"integer -5", "double 0.5", "integer 18446744073709551615", "time 1970-01-01T00:00:01.000000002Z", "blob 0102", "null", `array [300,"x",{"k":false}]`,
		`object {"q":18446744073709551615}`, "missing", "missing", "missing",
		`object {"5":{"x":1},"\\x62696e":2,"a":-5,"a":7,"` + long + `":0.5,"o":{"p":{"q":18446744073709551615}},"t":"1970-01-01T00:00:01.000000002Z","b":"\\x0102","n":null,"l":[300,"x",{"k":false}]}`,
	}
	s := NewSelector(paths)
	out := make([]Value, len(paths))
	s.Find(Msgpack, m, out)
	for k, v := range out {
		if got := show(v); got != want[k] {
			t.Errorf("%q = %s, want %s", paths[k], got, want[k])
		}
	}
}

func TestLookupAndElement(t *testing.T) {
	doc := `{"a":["1",{"b":"x"},[]],"\u0062":true, "b":2}`
	var tree any
	if err := json.Unmarshal([]byte(`{"a":["1",{"b":"x"},[]],"b":true}`), &tree); err != nil {
		t.Fatal(err)
	}
	for f, p := range map[Format][]byte{JSON: []byte(doc), Msgpack: pack(t, tree)} {
		top := Top(f, p)
		a := Lookup(top, []byte("a"))
		if Length(a) != 3 || show(Lookup(top, []byte("b"))) != "boolean true" || show(Lookup(Element(a, 1), []byte("b"))) != "text x" {
			t.Errorf("format %d: %s", f, show(top))
		}
		for i, want := range map[int]string{0: "1", -1: "array []", 2: "array []", 3: "missing", -3: "1", -4: "missing"} {
			if got := show(Element(a, i)); !strings.HasSuffix(got, want) {
				t.Errorf("format %d: element %d is %s", f, i, got)
			}
		}
		if show(Lookup(a, []byte("b"))) != "missing" || show(Element(top, 0)) != "missing" {
			t.Errorf("format %d: a member of an array or an element of an object", f)
		}
	}
}

func TestWalk(t *testing.T) {
	doc := `{"a":1,"o":{"x":{"y":[{"z":1}]},"s":"t"},"e":{},"n":null,"f":1.5,"a":"again"}`
	var got []string
	names := []string{""}
	Walk(JSON, []byte(doc), func(node int32, name []byte, c Class) int32 {
		got = append(got, names[node]+"/"+string(name)+" "+c.String())
		names = append(names, names[node]+"/"+string(name))
		return int32(len(names) - 1)
	})
	want := []string{"/a integer", "/o object", "/o/x object", "/o/x/y array", "/o/s text", "/e object", "/n null", "/f double", "/a text"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	got = nil
	Walk(JSON, []byte(doc), func(node int32, name []byte, _ Class) int32 {
		got = append(got, string(name))
		return -1
	})
	if strings.Join(got, " ") != "a o e n f a" {
		t.Errorf("%q", got)
	}
}

const event = `{"seq":1,"repo":"moby/moby","sha":"dae652e2e5e47d99c8febd5bc81df0a3269beb74","author":"eb3f4d2944de","ts":1591290668,"author_ts":1590505104,` +
	`"parents":1,"is_merge":false,"files":3,"ins":67,"del":3,"subj_len":83,"top_dir":"daemon","owner":{"name":"someone","id":77},"labels":["a","bb","ccc"]}`

func TestFindAllocatesNothing(t *testing.T) {
	var m map[string]any
	if err := json.Unmarshal([]byte(event), &m); err != nil {
		t.Fatal(err)
	}
	s := NewSelector([][]string{{"ins"}, {"owner", "id"}, {"top_dir"}})
	out := make([]Value, 3)
	for f, p := range map[Format][]byte{JSON: []byte(event), Msgpack: pack(t, m)} {
		if n := testing.AllocsPerRun(10, func() {
			s.Find(f, p, out)
			if !HasFields(f, p) {
				t.Fatal("no fields")
			}
		}); n != 0 {
			t.Errorf("format %d: %v allocations", f, n)
		}
	}
}

func BenchmarkPayload(b *testing.B) {
	var m map[string]any
	if err := json.Unmarshal([]byte(event), &m); err != nil {
		b.Fatal(err)
	}
	out := make([]Value, 4)
	for name, f := range map[string]Format{"json": JSON, "msgpack": Msgpack} {
		p := []byte(event)
		if f == Msgpack {
			var buf bytes.Buffer
			e := msgpack.NewEncoder(&buf)
			e.SetSortMapKeys(true)
			e.UseCompactInts(true)
			e.UseCompactFloats(true)
			if err := e.Encode(m); err != nil {
				b.Fatal(err)
			}
			p = buf.Bytes()
		}
		run := func(name string, f func()) {
			b.Run(name, func(b *testing.B) {
				b.SetBytes(int64(len(p)))
				b.ReportAllocs()
				for b.Loop() {
					f()
				}
			})
		}
		run("op=check/format="+name, func() { _, _ = Check(f, p) })
		for _, fields := range [][][]string{{{"ts"}}, {{"ins"}}, {{"top_dir"}}, {{"ts"}, {"ins"}, {"top_dir"}, {"owner", "id"}}} {
			s := NewSelector(fields)
			run(fmt.Sprintf("op=find/format=%s/fields=%d/first=%s", name, len(fields), fields[0][0]), func() { s.Find(f, p, out[:len(fields)]) })
		}
		run("op=walk/format="+name, func() { Walk(f, p, func(int32, []byte, Class) int32 { return 1 }) })
	}
	v := Value{Class: Object, Format: Msgpack, Raw: pack(b, m)}
	dst := v.AppendJSON(nil)
	b.Run("op=json/format=msgpack", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = v.AppendJSON(dst[:0])
		}
	})
}
