package index

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/seed69692123/netdb/redex"
)

func sampleMeta() meta {
	return meta{version: "v1", from: 3, store: redex.StoreID{1, 2}, log: 4, epoch: 5, ordinal: 1 << 40, next: 77, keys: 6, values: 8, skipped: 9, lost: 1}
}

// FuzzMeta: no bytes panic, and what is read is what would be written.
func FuzzMeta(f *testing.F) {
	m := sampleMeta()
	good := m.append(nil)
	for _, b := range [][]byte{good, good[:len(good)-1], {}, []byte(metaMagic), append([]byte(metaMagic), 0xff, 0xff, 0xff, 0xff, 0x0f)} {
		f.Add(b)
	}
	if back, err := parseMeta(good); err != nil || back != m {
		f.Fatal(back, err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		if _, err := parseMeta(bad); err == nil {
			f.Fatalf("byte %d changed and nobody saw it", i)
		}
	}
	for _, m := range []meta{{next: 1, from: 2}, {keys: 2, values: 1}, {next: 1 << 63}, {version: strings.Repeat("v", maxVersionBytes+1)}} {
		if _, err := parseMeta(m.append(nil)); err == nil {
			f.Fatalf("%+v was read", m)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if seq, err := parseSeqKey(b); err == nil && !bytes.Equal(seqKey(b[0], seq), b) {
			t.Fatalf("%x is read as sequence %d", b, seq)
		}
		m, err := parseMeta(b)
		if err == nil && !bytes.Equal(m.append(nil), b) {
			t.Fatalf("%x, read as %+v, is written as %x", b, m, m.append(nil))
		}
	})
}

// FuzzSwept reads what the index has let go.
func FuzzSwept(f *testing.F) {
	w := swept{300, 1 << 40, true}
	good := w.append(nil)
	for _, b := range [][]byte{good, good[:len(good)-1], {}, (&swept{}).append(nil), (&swept{erased: -1}).append(nil)} {
		f.Add(b)
	}
	if back, err := parseSwept(good); err != nil || back != w {
		f.Fatal(back, err)
	}
	if _, err := parseSwept((&swept{erased: -1}).append(nil)); err == nil {
		f.Fatal("a negative number was read")
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if w, err := parseSwept(b); err == nil && len(b) > 0 {
			if back, err := parseSwept(w.append(nil)); err != nil || back != w {
				t.Fatalf("%x: %+v became %+v, %v", b, w, back, err)
			}
		}
	})
}

// FuzzEntry: keys of entries are in the order of keys and values, and what is read is what was written, whatever bytes they are.
func FuzzEntry(f *testing.F) {
	for _, s := range []string{"", "\x00", "\x00\x01", "\x00\xff", "a", "a\x00", "\xff\xff", strings.Repeat("v", inlineBytes+1)} {
		f.Add([]byte(s), []byte(s), []byte("a"), []byte("b"))
	}
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2 []byte) {
		e1, long1 := appendValue(appendPrefix(nil, k1), v1)
		e2, long2 := appendValue(appendPrefix(nil, k2), v2)
		k, v, long, err := parseEntry(e1, nil)
		if err != nil || !bytes.Equal(k, k1) || long != long1 || !long && !bytes.Equal(v, v1) {
			t.Fatalf("%x, %x: %x, %x, %v, %v", k1, v1, k, v, long, err)
		}
		if long && len(v1) <= MaxValueBytes && checkLong(v, v1) != nil || long && checkLong(v, append(v1[:len(v1)-1:len(v1)-1], v1[len(v1)-1]+1)) == nil {
			t.Fatalf("long value %x", v1)
		}
		want := bytes.Compare(k1, k2)
		if want == 0 && !long1 && !long2 {
			want = bytes.Compare(v1, v2)
		}
		if want != 0 && bytes.Compare(e1, e2) != want {
			t.Fatalf("%x and %x are in another order than %x, %x and %x, %x", e1, e2, k1, v1, k2, v2)
		}
		if len(k1) < 100 { // as an entry
			if k, v, long, err := parseEntry(k1, nil); err == nil && !long {
				if e, _ := appendValue(appendPrefix(nil, k), v); !bytes.Equal(e, k1) {
					t.Fatalf("%x is read as %x, %x, which is %x", k1, k, v, e)
				}
			}
		}
	})
}

// TestLongestEntry: the longest entry fits a key of the catalog.
func TestLongestEntry(t *testing.T) {
	s, err := redex.OpenMemory(t.Context(), redex.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, err := s.OpenLog(t.Context(), "in", redex.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), redex.Entry{}, redex.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	key, value := make([]byte, MaxKeyBytes), make([]byte, MaxValueBytes)
	x, err := Open(t.Context(), s, Definition{Name: strings.Repeat("n", maxNameBytes), Log: "in", Project: func(_ *redex.Event, ops *Ops) error {
		ops.Insert(key, value)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := x.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := x.Get(t.Context(), key); err != nil || len(got) != 1 || !bytes.Equal(got[0], value) {
		t.Fatal(len(got), err)
	}
}

func TestCoders(t *testing.T) {
	check(t, Signed[int8]{}, -128, -1, 0, 1, 127)
	check(t, Signed[int64]{}, math.MinInt64, -1, 0, 1, math.MaxInt64)
	check(t, Unsigned[uint16]{}, 0, 1, math.MaxUint16)
	check(t, Seqs{}, 0, 1, math.MaxUint64)
	check(t, Text[string]{}, "", "\x00", "a", "b")
	for _, b := range [][]byte{nil, make([]byte, 7), make([]byte, 9)} {
		if _, err := (Signed[int]{}).Decode(b); err == nil {
			t.Error(b)
		}
		if _, err := (Unsigned[uint]{}).Decode(b); err == nil {
			t.Error(b)
		}
	}
	if _, err := (Unsigned[uint8]{}).Decode(Unsigned[uint16]{}.Append(nil, 256)); err == nil {
		t.Error("256 is a byte")
	}
	if _, err := (Signed[int8]{}).Decode(Signed[int]{}.Append(nil, -129)); err == nil {
		t.Error("-129 is a signed byte")
	}
}

// check takes values in ascending order.
func check[T comparable](t *testing.T, c Coder[T], values ...T) {
	t.Helper()
	var last []byte
	for i, v := range values {
		b := c.Append(nil, v)
		if back, err := c.Decode(b); err != nil || back != v {
			t.Errorf("%v: %v, %v", v, back, err)
		}
		if i > 0 && bytes.Compare(last, b) >= 0 {
			t.Errorf("%v is not after the one before", v)
		}
		last = b
	}
}

// TestSpecification compares the constants in docs/format/index.md with those of the code.
func TestSpecification(t *testing.T) {
	text, err := os.ReadFile("../../docs/format/index.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("| key bytes | %d |", MaxKeyBytes),
		fmt.Sprintf("| value bytes | %d |", MaxValueBytes),
		fmt.Sprintf("| value bytes in a key | %d |", inlineBytes),
		fmt.Sprintf("| version bytes | %d |", maxVersionBytes),
		fmt.Sprintf("| reason bytes | %d |", maxReason),
		"| meta magic | `NDBX\\1` |",
		fmt.Sprintf("| `%c` |", keyMeta), fmt.Sprintf("| `%c`, ", keyEntry), fmt.Sprintf("| `%c`, ", keySkipped), fmt.Sprintf("| `%c`, ", keyLost),
	} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("docs/format/index.md does not say %q", want)
		}
	}
	if metaMagic != "NDBX\x01" {
		t.Error(metaMagic)
	}
}
