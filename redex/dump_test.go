package redex

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDump dumps a store while it is open, with its lock held, and a closed one with each file harmed. Nothing is written.
func TestDump(t *testing.T) {
	ctx := t.Context()
	dir, _ := agedStore(t)
	dump := func(path string, o DumpOptions) string {
		t.Helper()
		var b bytes.Buffer
		if err := Dump(ctx, &b, path, o); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	s := mustOpen(t, dir, Options{})
	l := mustLog(t, s, "dumped")
	e := Entry{Kind: 7, Origin: 3, Key: []byte("k\x1b"), Idempotency: 9, Payload: []byte("of\x1b today")}
	if _, err := l.Append(ctx, e, AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	text := dump(dir, DumpOptions{Payloads: true})
	sameTree(t, "a dump", before, tree(t, dir))
	for _, want := range []string{
		"netdb store", "state open", "header  number ", `create  log 4  name "dumped"`, "kind 7  encoding 0  origin 3  number 9",
		`key "k\x1b"`, `"of\x1b today"`, "run of log 1  0 to 299", "block at ", `"run event 0 "`, "footer ok", "  ok\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not told", want)
		}
	}
	if strings.ContainsAny(text, "\x1b\x00") || strings.Contains(text, "DAMAGED") {
		t.Errorf("%q", text)
	}
	if strings.Contains(dump(dir, DumpOptions{}), "today") {
		t.Error("payloads that nobody asked for")
	}
	mustClose(t, s)
	for _, sub := range []string{journalDir, rowsDir} {
		files, err := filepath.Glob(dir + "/" + sub + "/*")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(b) < 4200 && sub == journalDir {
				continue
			}
			bad := bytes.Clone(b)
			at := 40
			if sub == journalDir {
				at = 4096 + 40
			}
			if bad[at] == 0 && sub == journalDir && bytes.Count(bad[4096:4200], []byte{0}) == 104 {
				continue // an empty segment
			}
			bad[at] ^= 1
			path := t.TempDir() + "/" + filepath.Base(file)
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if text := dump(path, DumpOptions{Payloads: true}); !strings.Contains(text, "DAMAGED") {
				t.Errorf("%s: nobody noticed: %.300s", file, text)
			}
		}
	}
	if err := Dump(ctx, &bytes.Buffer{}, dir+"/"+formatName, DumpOptions{}); !errors.Is(err, ErrFormat) {
		t.Errorf("a file of another kind: %v", err)
	}
}

// FuzzDump takes any file for a segment or a row file.
func FuzzDump(f *testing.F) {
	f.Add([]byte("NDBROWS\x00"), true)
	f.Add([]byte("NETDBJNL"), false)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte, rows bool) {
		path := dir + "/x.seg"
		if rows {
			path = dir + "/x.rows"
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := Dump(t.Context(), &out, path, DumpOptions{Payloads: true}); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzDumpPart takes any body of a frame.
func FuzzDumpPart(f *testing.F) {
	f.Add(bodyOf(1, 0, sampleEntries()...))
	f.Add(appendCreate(nil, 3, "x", LogOptions{CheckJSON: true}))
	f.Fuzz(func(t *testing.T, body []byte) {
		d := newDumper(t.Context(), &bytes.Buffer{}, DumpOptions{Payloads: true})
		d.body(body)
	})
}
