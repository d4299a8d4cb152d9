package snapfile

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

type section struct {
	kind Kind
	name string
	data []byte
}

func encode(t testing.TB, sections []section) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sections {
		if err := w.Section(s.kind, s.name); err != nil {
			t.Fatal(err)
		}
		for d := s.data; len(d) > 0; {
			n := min(len(d), 70000)
			if _, err := w.Write(d[:n]); err != nil {
				t.Fatal(err)
			}
			d = d[n:]
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// decode returns the sections that were verified before the first error; err is nil for a file that is whole.
func decode(b []byte) ([]section, error) {
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []section
	var pending *section
	for {
		kind, name, err := r.Next()
		if pending != nil && (err == nil || err == io.EOF) {
			out = append(out, *pending)
		}
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return out, err
		}
		pending = &section{kind, name, data}
	}
}

func equal(a, b []section) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].kind != b[i].kind || a[i].name != b[i].name || !bytes.Equal(a[i].data, b[i].data) {
			return false
		}
	}
	return true
}

func samples() []section {
	r := rand.NewChaCha8([32]byte{1})
	big := make([]byte, 3<<20+17)
	r.Read(big)
	return []section{{1, "header", []byte("x")}, {2, "empty", nil}, {2, "a/b", big}, {7, "", bytes.Repeat([]byte("abc"), 1000)}}
}

func TestRoundTrip(t *testing.T) {
	for _, in := range [][]section{nil, samples()} {
		out, err := decode(encode(t, in))
		if err != nil || !equal(in, out) {
			t.Fatalf("got %d sections, error %v", len(out), err)
		}
	}
}

func TestSkippingSectionsVerifiesThem(t *testing.T) {
	r, err := NewReader(bytes.NewReader(encode(t, samples())))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for {
		if _, _, err = r.Next(); err != nil {
			break
		}
		n++
	}
	if err != io.EOF || n != 4 {
		t.Fatalf("%d sections, %v", n, err)
	}
}

// TestEveryByte damages and truncates a file at every byte: a file that is not whole is never accepted.
func TestEveryByte(t *testing.T) {
	in := []section{{1, "header", []byte("one")}, {2, "log", bytes.Repeat([]byte("event "), 40)}}
	whole := encode(t, in)
	for i := range whole {
		if _, err := decode(whole[:i]); err == nil {
			t.Fatalf("accepted the first %d of %d bytes", i, len(whole))
		}
		for _, bit := range []byte{1, 0x80} {
			bad := bytes.Clone(whole)
			bad[i] ^= bit
			if out, err := decode(bad); err == nil && !equal(in, out) {
				t.Fatalf("wrong data accepted with byte %d changed", i)
			}
		}
	}
	if _, err := decode(append(bytes.Clone(whole), 0)); err == nil {
		t.Fatal("accepted trailing data")
	}
}

// TestAbort checks that a file that was given up is not accepted, whatever was written to it.
func TestAbort(t *testing.T) {
	for _, in := range [][]section{nil, samples()} {
		var file bytes.Buffer
		w, err := NewWriter(&file)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range in {
			if err := w.Section(s.kind, s.name); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(s.data); err != nil {
				t.Fatal(err)
			}
		}
		w.Abort()
		if out, err := decode(file.Bytes()); err == nil {
			t.Errorf("%d sections of an aborted file are accepted", len(out))
		}
		if err := w.Close(); err == nil {
			t.Error("an aborted file is closed as if it were whole")
		}
		if out, err := decode(file.Bytes()); err == nil {
			t.Errorf("%d sections are accepted after Close", len(out))
		}
	}
}

func TestNotASnapshot(t *testing.T) {
	for _, s := range []string{"", "short", "SQLite format 3\x00 and more bytes than a preamble"} {
		if _, err := NewReader(bytes.NewReader([]byte(s))); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", s, err)
		}
	}
	newer := preamble()
	newer[16] = 2
	if _, err := NewReader(bytes.NewReader(newer)); !errors.Is(err, ErrVersion) {
		t.Errorf("newer version: %v", err)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(encode(f, samples()[:2]))
	f.Add(preamble())
	f.Fuzz(func(t *testing.T, b []byte) {
		if out, err := decode(b); err == nil {
			again, err := decode(encode(t, out))
			if err != nil || !equal(out, again) {
				t.Fatalf("decode(encode(x)) is not x: %v", err)
			}
		}
	})
}
