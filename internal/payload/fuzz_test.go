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
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
)

// tree decodes a value with what this package found, to compare with the tree of another decoder.
func tree(v Value) any {
	switch v.Class {
	case Bool:
		return v.Bits != 0
	case Int:
		return json.Number(v.AppendJSON(nil))
	case Big:
		return json.Number(v.AppendBytes(nil))
	case Float:
		return v.Float()
	case Text, Blob:
		return string(v.AppendBytes(nil))
	case Time:
		return time.Unix(0, v.Int()).UTC()
	case Array:
		a := []any{}
		each(v, nil, func(_ []byte, _ bool, e Value) bool { a = append(a, tree(e)); return true })
		return a
	case Object:
		m := map[string]any{}
		each(v, nil, func(key []byte, escaped bool, e Value) bool {
			k := Value{Class: Text, Raw: key, Escaped: escaped}
			name := string(k.AppendBytes(nil))
			if _, dup := m[name]; !dup {
				m[name] = tree(e)
			}
			return true
		})
		return m
	}
	return nil
}

// stdTree makes the same of what encoding/json decoded.
func stdTree(v any) any {
	switch v := v.(type) {
	case json.Number:
		if strings.ContainsAny(string(v), ".eE") {
			f, _ := v.Float64()
			return f
		}
		if v == "-0" {
			return json.Number("0")
		}
		return v
	case []any:
		for i := range v {
			v[i] = stdTree(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = stdTree(v[k])
		}
	}
	return v
}

func seedsJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":1,"b":{"c":[1,2,{"d":null}]},"e":"\u00e4\ud83d\ude00","f":-1.5e10,"g":12345678901234567890}`, ` [ 1 , "x" , true ] `, `{"a":{"a":{"a":{}}}}`, `"\ud800"`, `{"":""}`,
		"\"\xff\"", `{"a":1`, `[[[[`, `{"k\"":1}`, `{"a":1,"a":2}`, `{"`, `{"a`, `{"a":`, `{"a":"`, `{"a":t`, `{"a"  `, "\\",
	} {
		f.Add([]byte(s))
	}
}

// FuzzJSON compares with encoding/json, and asks about malformed payloads too: nothing may panic.
func FuzzJSON(f *testing.F) {
	seedsJSON(f)
	f.Fuzz(func(t *testing.T, p []byte) {
		exercise(JSON, p)
		_, err := Check(JSON, p)
		valid := json.Valid(p) && utf8.Valid(p)
		if (err == nil) != valid {
			if err != nil && strings.Contains(err.Error(), "too deep") {
				return
			}
			t.Fatalf("%q: %v, encoding/json says %v", p, err, valid)
		}
		if err != nil {
			return
		}
		var std any
		d := json.NewDecoder(bytes.NewReader(p))
		d.UseNumber()
		if err := d.Decode(&std); err != nil {
			t.Fatal(err)
		}
		top := Top(JSON, p)
		if !hasDuplicates(top) {
			if got, want := tree(top), stdTree(std); !reflect.DeepEqual(got, want) {
				t.Fatalf("%q: %#v, want %#v", p, got, want)
			}
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, p); err != nil {
			t.Fatal(err)
		}
		if got := AppendCompact(nil, p); !bytes.Equal(got, compact.Bytes()) {
			t.Fatalf("%q compacts to %q, want %q", p, got, compact.Bytes())
		}
		findAgrees(t, JSON, p)
	})
}

func hasDuplicates(v Value) bool {
	dup := false
	seen := map[string]bool{}
	each(v, nil, func(key []byte, escaped bool, e Value) bool {
		if v.Class == Object {
			k := Value{Class: Text, Raw: key, Escaped: escaped}
			name := string(k.AppendBytes(nil))
			dup = dup || seen[name]
			seen[name] = true
		}
		dup = dup || hasDuplicates(e)
		return !dup
	})
	return dup
}

// findAgrees finds every path of a payload, one by one and all at once, and compares with lookups.
func findAgrees(t *testing.T, f Format, p []byte) {
	t.Helper()
	top := Top(f, p)
	if top.Class != Object {
		return
	}
	var paths [][]string
	nodes := [][]string{nil}
	Walk(f, p, func(node int32, name []byte, _ Class) int32 {
		path := append(nodes[node][:len(nodes[node]):len(nodes[node])], string(name))
		if len(paths) < 100 {
			paths = append(paths, path)
		}
		nodes = append(nodes, path)
		return int32(len(nodes) - 1)
	})
	all := make([]Value, len(paths))
	NewSelector(paths).Find(f, p, all)
	for k, path := range paths {
		want := top
		for _, name := range path {
			want = Lookup(want, []byte(name))
		}
		one := make([]Value, 1)
		NewSelector(paths[k:k+1]).Find(f, p, one)
		if !reflect.DeepEqual(all[k], want) || !reflect.DeepEqual(one[0], want) {
			t.Fatalf("%q: %q is %+v, alone %+v, want %+v", p, path, all[k], one[0], want)
		}
	}
}

// exercise calls everything on bytes that may be anything.
func exercise(f Format, p []byte) {
	top := Top(f, p)
	top.AppendJSON(nil)
	top.AppendBytes(nil)
	Length(top)
	Element(top, -1)
	Lookup(top, []byte("a"))
	out := make([]Value, 4)
	NewSelector([][]string{{"a"}, {"a", "a"}, {}, {"b", "c"}}).Find(f, p, out)
	for i := range out {
		out[i].AppendBytes(nil)
		out[i].AppendJSON(nil)
	}
	n := int32(0)
	Walk(f, p, func(int32, []byte, Class) int32 { n++; return n })
	if f == JSON {
		AppendCompact(nil, p)
	}
}

func FuzzMsgpack(f *testing.F) {
	for _, v := range []any{
		map[string]any{"a": 1, "b": map[string]any{"c": []any{1.5, nil, true, "x"}}},
		[]any{uint64(math.MaxUint64), int64(math.MinInt64), float32(1.5)},
		time.Unix(1, 2), time.Unix(-1, 0),
		[]byte{1, 2, 3},
		strings.Repeat("x", 300),
		map[string]any{strings.Repeat("k", 40): strings.Repeat("v", 70000)},
	} {
		f.Add(pack(f, v))
	}
	f.Add([]byte{0x82, 0xa1, 'a', 0xc1})
	f.Add([]byte{0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1})
	f.Add([]byte{0x81, 5, 0x81, 0xc4, 1, 0, 0xd4, 7, 1})
	f.Fuzz(func(t *testing.T, p []byte) {
		exercise(Msgpack, p)
		class, err := Check(Msgpack, p)
		std, stdErr := oracleMsgpack(p)
		switch {
		case err == nil && stdErr != nil:
			t.Fatalf("%x: well-formed, but the oracle says %v", p, stdErr)
		case err != nil && stdErr == nil && !strings.Contains(err.Error(), "too deep"):
			t.Fatalf("%x: %v, but the oracle reads it", p, err)
		case err != nil:
			return
		}
		top := Top(Msgpack, p)
		if top.Class != class {
			t.Fatalf("%x: top is %v, Check says %v", p, top.Class, class)
		}
		if !hasDuplicates(top) {
			if got := tree(top); !reflect.DeepEqual(got, std) && fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", std) {
				t.Fatalf("%x: %#v, want %#v", p, got, std)
			}
		}
		text := top.AppendJSON(nil)
		if _, err := Check(JSON, text); err != nil && !strings.Contains(err.Error(), "too deep") {
			t.Fatalf("%x: its JSON %q: %v", p, text, err)
		}
		findAgrees(t, Msgpack, p)
	})
}

// oracleMsgpack decodes with the low-level functions of vmihailenco/msgpack, which knows neither our rule about UTF-8 nor about
// what is behind the value.
func oracleMsgpack(p []byte) (any, error) {
	r := bytes.NewReader(p)
	d := msgpack.NewDecoder(r)
	v, err := oracleValue(d, r, 0)
	if err == nil && r.Len() > 0 {
		err = errors.New("something behind")
	}
	return v, err
}

// oracleBytes is Decoder.DecodeBytes, which sets gigabytes aside for a length that nothing follows.
func oracleBytes(d *msgpack.Decoder, r *bytes.Reader) ([]byte, error) {
	n, err := d.DecodeBytesLen()
	if err != nil {
		return nil, err
	}
	if n > r.Len() {
		return nil, errors.New("short")
	}
	b := make([]byte, max(n, 0))
	return b, d.ReadFull(b)
}

func oracleValue(d *msgpack.Decoder, r *bytes.Reader, depth int) (any, error) {
	if depth > MaxDepth+1 {
		return nil, errors.New("deep")
	}
	c, err := d.PeekCode()
	if err != nil {
		return nil, err
	}
	switch {
	case c < 0x80 || c >= 0xe0 || c >= 0xcc && c <= 0xd3:
		if c == 0xcf {
			u, err := d.DecodeUint64()
			return json.Number(fmt.Sprint(u)), err
		}
		i, err := d.DecodeInt64()
		return json.Number(fmt.Sprint(i)), err
	case c == 0xc0:
		return nil, d.DecodeNil()
	case c == 0xc2 || c == 0xc3:
		return d.DecodeBool()
	case c == 0xca || c == 0xcb:
		return d.DecodeFloat64()
	case c >= 0xa0 && c < 0xc0 || c >= 0xd9 && c <= 0xdb:
		b, err := oracleBytes(d, r)
		if err == nil && !utf8.Valid(b) {
			err = errors.New("not UTF-8")
		}
		return string(b), err
	case c >= 0xc4 && c <= 0xc6:
		b, err := oracleBytes(d, r)
		return string(b), err
	case c >= 0x90 && c < 0xa0 || c == 0xdc || c == 0xdd:
		n, err := d.DecodeArrayLen()
		if err != nil {
			return nil, err
		}
		a := []any{}
		for range n {
			e, err := oracleValue(d, r, depth+1)
			if err != nil {
				return nil, err
			}
			a = append(a, e)
		}
		return a, nil
	case c >= 0x80 && c < 0x90 || c == 0xde || c == 0xdf:
		n, err := d.DecodeMapLen()
		if err != nil {
			return nil, err
		}
		m := map[string]any{}
		for range n {
			kc, err := d.PeekCode()
			if err != nil {
				return nil, err
			}
			k, err := oracleValue(d, r, depth+1)
			if err != nil {
				return nil, err
			}
			e, err := oracleValue(d, r, depth+1)
			if err != nil {
				return nil, err
			}
			if s, ok := k.(string); ok && (kc >= 0xa0 && kc < 0xc0 || kc >= 0xd9 && kc <= 0xdb) {
				if _, dup := m[s]; !dup {
					m[s] = e
				}
			}
		}
		return m, nil
	case c >= 0xc7 && c <= 0xc9 || c >= 0xd4 && c <= 0xd8:
		id, n, err := d.DecodeExtHeader()
		if err != nil {
			return nil, err
		}
		if n > r.Len() {
			return nil, errors.New("short")
		}
		b := make([]byte, n)
		if err := d.ReadFull(b); err != nil {
			return nil, err
		}
		if ns, ok := timestamp(id, b); ok {
			return time.Unix(0, ns).UTC(), nil
		}
		return string(b), nil
	}
	return nil, errors.New("invalid byte")
}
