package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/seed69692123/netdb/internal/payload"
	"github.com/seed69692123/netdb/redex"
)

func readAll(t *testing.T, name string, stdin io.Reader) (string, error) {
	t.Helper()
	s, err := openSource(t.Context(), name, newFeed(stdin))
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(s)
	return string(b), errors.Join(err, s.Close())
}

func TestOpenSource(t *testing.T) {
	const text = "{\"a\":1}\n{\"b\":2}\n"
	var gz, zs bytes.Buffer
	zw := gzip.NewWriter(&gz)
	io.WriteString(zw, text)
	zw.Close()
	long, err := zstd.NewWriter(&zs, zstd.WithWindowSize(zstdWindow))
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(long, text)
	long.Close()
	skippable := append([]byte{0x53, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 'x', 'y'}, zs.Bytes()...)
	for name, content := range map[string][]byte{"plain": []byte(text), "gzip": gz.Bytes(), "zstd": zs.Bytes(), "zstd after a skippable frame": skippable} {
		file := filepath.Join(t.TempDir(), "data") // no ending says what it is
		if err := os.WriteFile(file, content, 0o666); err != nil {
			t.Fatal(err)
		}
		if got, err := readAll(t, file, nil); got != text || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if got, err := readAll(t, "-", bytes.NewReader(content)); got != text || err != nil {
			t.Errorf("%s from stdin: %q, %v", name, got, err)
		}
		if name == "plain" {
			continue
		}
		if got, err := readAll(t, "-", bytes.NewReader(content[:len(content)-3])); err == nil {
			t.Errorf("%s cut short is read as %q without an error", name, got)
		}
	}
	if got, err := readAll(t, "-", strings.NewReader("")); got != "" || err != nil {
		t.Errorf("nothing: %q, %v", got, err)
	}
	if _, err := readAll(t, t.TempDir(), nil); err == nil {
		t.Error("a directory is read")
	}
	if _, err := readAll(t, filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

// collect imports a text and returns the payloads that were kept.
func collect(ctx context.Context, r io.Reader) ([]string, int64, error) {
	var got []string
	kept, err := importLines(ctx, newLineReader(r), func(_ context.Context, entries []redex.Entry, total int64) error {
		for _, e := range entries {
			got = append(got, string(e.Payload))
		}
		if int64(len(got)) != total {
			return fmt.Errorf("total %d, want %d", total, len(got))
		}
		return nil
	})
	if int64(len(got)) != kept {
		err = errors.Join(err, fmt.Errorf("kept %d, want %d", kept, len(got)))
	}
	return got, kept, err
}

func TestImportLines(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
		err  string
	}{
		"empty":           {"", nil, ""},
		"plain":           {"{\"a\":1}\n\n \t{\"b\":2} \r\n{}", []string{`{"a":1}`, `{"b":2}`, `{}`}, ""},
		"byte order mark": {"\ufeff{\"a\":1}\n", []string{`{"a":1}`}, ""},
		"not JSON":        {"{}\n\n{\"a\":}\n{}", []string{"{}"}, "line 3: column 6: invalid character '}' looking for beginning of value"},
		"cut line":        {"{}\n{\"a\":1", []string{"{}"}, "line 2: column 6: unexpected end of JSON input"},
		"two on a line":   {"{}{}\n", nil, "line 1: column 3: invalid character '{' after top-level value"},
		"no object":       {"{}\n[1]\n", []string{"{}"}, "line 2: not a JSON object"},
		"not UTF-8":       {"{}\n{\"a\":\"\xff\"}\n", []string{"{}"}, "line 2: column 7: byte 0xff is not UTF-8"},
		"array on top of": {"{}\n[1] x\n", []string{"{}"}, "line 2: column 5: invalid character 'x' after top-level value"},
		"torn bytes":      {"{}\n\xfe\n", []string{"{}"}, "line 2: column 1: byte 0xfe is not UTF-8"},
		"mark inside":     {"{}\n\ufeff{}\n", []string{"{}"}, "line 2: column 1: unexpected character '\\ufeff'"},
		"deepest":         {`{"a":` + strings.Repeat("[", 511) + strings.Repeat("]", 511) + "}", []string{`{"a":` + strings.Repeat("[", 511) + strings.Repeat("]", 511) + "}"}, ""},
		"too deep":        {"{}\n{\"a\":" + strings.Repeat("[", 512) + strings.Repeat("]", 512) + "}", []string{"{}"}, "line 2: column 517: nested too deep"},
		"far too deep":    {strings.Repeat(`{"a":`, 100_000), nil, "line 1: column 2561: nested too deep"},
		"first line":      {"x", nil, "line 1: column 1: invalid character 'x' looking for beginning of value"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.text), iotest.OneByteReader(strings.NewReader(c.text))} {
				got, _, err := collect(t.Context(), r)
				if d := cmp.Diff(c.want, got); d != "" {
					t.Error(d)
				}
				if (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
					t.Errorf("error %v, want %q", err, c.err)
				}
			}
		})
	}
}

func TestImportManyAndLong(t *testing.T) {
	var text strings.Builder
	var want []string
	for i := range 10_000 {
		line := fmt.Sprintf(`{"n":%d,"pad":%q}`, i, strings.Repeat("x", i%700))
		want = append(want, line)
		text.WriteString(line + "\n")
	}
	big := `{"big":"` + strings.Repeat("y", 2<<20) + `"}`
	text.WriteString(big)
	want = append(want, big)
	got, kept, err := collect(t.Context(), strings.NewReader(text.String()))
	if err != nil || kept != int64(len(want)) || !cmp.Equal(want, got) {
		t.Errorf("kept %d of %d, %v", kept, len(want), err)
	}
	long := io.MultiReader(strings.NewReader("{}\n\""), io.LimitReader(endless{}, 64<<20))
	_, kept, err = collect(t.Context(), long)
	if err == nil || err.Error() != "line 2: longer than 16 MiB" || kept != 1 {
		t.Errorf("endless line: kept %d, %v", kept, err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestImportEnds(t *testing.T) {
	many := strings.Repeat("{}\n", 100_000)
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	kept, err := importLines(ctx, newLineReader(strings.NewReader(many)), func(context.Context, []redex.Entry, int64) error {
		if calls++; calls == 3 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || kept != 3*batchEvents {
		t.Errorf("cancelled: kept %d, %v", kept, err)
	}
	full := errors.New("full")
	calls = 0
	kept, err = importLines(t.Context(), newLineReader(strings.NewReader(many)), func(context.Context, []redex.Entry, int64) error {
		if calls++; calls == 3 {
			return full
		}
		return nil
	})
	if !errors.Is(err, full) || kept != 2*batchEvents {
		t.Errorf("append failed: kept %d, %v", kept, err)
	}
	torn := io.MultiReader(strings.NewReader("{}\n{}\n"), errReader{})
	if _, kept, err := collect(t.Context(), torn); kept != 2 || err == nil || err.Error() != "line 3: torn" {
		t.Errorf("torn: kept %d, %v", kept, err)
	}
}

// FuzzImportLines checks that what is kept are JSON objects, and that an import keeps every line before its error.
func FuzzImportLines(f *testing.F) {
	f.Add([]byte("{\"a\":1}\n\r\n {} \n[1]\n"))
	f.Add([]byte("\ufeff{\"a\":\"\xff\"}"))
	f.Add([]byte(strings.Repeat(`{"a":`, 600) + "1" + strings.Repeat("}", 600)))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, _, err := collect(t.Context(), bytes.NewReader(text))
		for _, p := range got {
			var m map[string]any
			if json.Unmarshal([]byte(p), &m) != nil || !payload.HasFields(payload.JSON, []byte(p)) {
				t.Fatalf("kept %q", p)
			}
		}
		lines := 0
		for line := range bytes.Lines(bytes.TrimPrefix(text, []byte("\ufeff"))) {
			if len(bytes.Trim(line, " \t\r\n")) > 0 {
				lines++
			}
		}
		if err == nil && lines != len(got) || len(got) > lines {
			t.Fatalf("kept %d of %d lines, %v", len(got), lines, err)
		}
	})
}

// FuzzSource checks that no bytes make the unpacking panic or take memory without end.
func FuzzSource(f *testing.F) {
	f.Add([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1, 0})
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 4, 0, 1, 0, 0, 0x99, 0xe9, 0xd8, 0x51})
	f.Add([]byte{0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, packed []byte) {
		s, err := openSource(t.Context(), "-", newFeed(bytes.NewReader(packed)))
		if err != nil {
			return
		}
		io.Copy(io.Discard, io.LimitReader(s, 8<<20))
		s.Close()
	})
}
