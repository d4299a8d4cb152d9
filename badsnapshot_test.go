package netdb_test

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/internal/snapfile"
)

// part is a section of a snapshot.
type part struct {
	kind snapfile.Kind
	name string
	data []byte
}

func parts(t *testing.T, file []byte) []part {
	t.Helper()
	r, err := snapfile.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []part
	for {
		kind, name, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, part{kind, name, data})
	}
}

func joined(t *testing.T, in []part) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := snapfile.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range in {
		if err := w.Section(p.kind, p.name); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(p.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestBadSnapshotSaysWhere: a file that is refused names the section and the offset, from its very first byte on.
func TestBadSnapshotSaysWhere(t *testing.T) {
	ctx := t.Context()
	db := snapshotSource(t)
	var file bytes.Buffer
	if _, err := db.Snapshot(ctx, &file, netdb.SnapshotOptions{Logs: []string{"left"}}); err != nil {
		t.Fatal(err)
	}
	whole := file.Bytes()
	good := parts(t, whole)
	if again := joined(t, good); len(good) < 4 || len(parts(t, again)) != len(good) {
		t.Fatal("a file taken apart and put together is another one")
	}
	changed := func(at int) []byte {
		b := bytes.Clone(whole)
		b[at] ^= 0x10
		return b
	}
	other := func(change func(p []part) []part) []byte { return joined(t, change(bytesOf(good))) }
	var epochs map[string]any
	if err := msgpack.Unmarshal(good[0].data, &epochs); err != nil {
		t.Fatal(err)
	}
	epochs["epochs"] = nil
	noEpochs, err := msgpack.Marshal(epochs)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file    []byte
		section string
		offset  int64 // -1: behind 0
		text    string
	}{
		"nothing":               {nil, "head", 0, "not a snapshot file"},
		"a part of the head":    {whole[:13], "head", 13, "not a snapshot file"},
		"no zstd":               {changed(0), "head", 0, "not a snapshot file"},
		"length of the head":    {changed(4), "head", 4, "not a snapshot file"},
		"magic":                 {changed(9), "head", 8, "not a snapshot file"},
		"version":               {changed(16), "head", 16, "version 17"},
		"the head only":         {whole[:20], "head", 20, "ends early"},
		"magic of the frame":    {changed(20), "head", 20, "magic number"},
		"half":                  {whole[:len(whole)/2], "", -1, ""},
		"no header":             {other(func(p []part) []part { return p[1:] }), "section 1 (catalog)", 2, "the header was expected"},
		"nothing of the header": {other(func(p []part) []part { p[0].data = nil; return p }), "section 1 (header)", -1, "EOF"},
		"no msgpack":            {other(func(p []part) []part { p[0].data[0] = 0xc1; return p }), "section 1 (header)", -1, "msgpack"},
		"no epochs":             {other(func(p []part) []part { p[0].data = noEpochs; return p }), "section 1 (header)", -1, "epoch"},
		"catalog":               {other(func(p []part) []part { p[1].data[0] = 0xc1; return p }), "section 2 (catalog)", -1, "msgpack"},
		"unknown kind":          {other(func(p []part) []part { p[3].kind = 9; return p }), "section 4 (kind 9)", -1, "unknown"},
		"no catalog":            {other(func(p []part) []part { return p[:1] }), "section 2 (end)", -1, "the catalog is missing"},
		"events":                {other(func(p []part) []part { p[2].data[0] = 1; return p }), `section 3 (events of log "left")`, -1, "malformed event"},
		"no events":             {other(func(p []part) []part { return append(p[:2], p[3:]...) }), "section 5 (end)", -1, `"left" are missing`},
		"state":                 {other(func(p []part) []part { p[3].data[3] ^= 1; return p }), `section 4 (state of fold "totals")`, -1, "not a fold's state"},
	} {
		_, err := netdb.Restore(ctx, filepath.Join(t.TempDir(), "r"), bytes.NewReader(c.file), netdb.RestoreOptions{})
		bad, ok := errors.AsType[*netdb.SnapshotError](err)
		if !ok || !errors.Is(err, netdb.ErrSnapshot) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.section != "" && bad.Section != c.section || c.offset >= 0 && bad.Offset != c.offset || c.offset < 0 && bad.Offset <= 0 {
			t.Errorf("%s: in %s at %d: %v", name, bad.Section, bad.Offset, err)
		}
		text := err.Error()
		if !strings.Contains(text, c.text) || strings.Count(text, "netdb: ") != 1 || strings.Contains(text, "snapfile: ") || strings.Count(text, bad.Section) != 1 {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func bytesOf(in []part) []part {
	var out []part
	for _, p := range in {
		out = append(out, part{p.kind, p.name, bytes.Clone(p.data)})
	}
	return out
}

// TestErrorsNameTheirSubjectOnce: what was attempted, on what, why; each once.
func TestErrorsNameTheirSubjectOnce(t *testing.T) {
	ctx := t.Context()
	db := snapshotSource(t)
	dir := t.TempDir()
	if err := netdbError(netdb.Restore(ctx, filepath.Dir(dir), strings.NewReader(""), netdb.RestoreOptions{})); !errors.Is(err, netdb.ErrDirExists) || strings.Count(err.Error(), filepath.Dir(dir)) != 1 {
		t.Error(err)
	}
	same := killFold()
	taken := killFold()
	taken.Name = "another"
	var errs []error
	for _, p := range []string{"nosuch/*", "["} {
		_, err := db.Snapshot(ctx, io.Discard, netdb.SnapshotOptions{Logs: []string{p}})
		errs = append(errs, err)
	}
	errs = append(errs,
		netdbError(netdb.OpenFold(ctx, db, same)),
		netdbError(netdb.OpenFold(ctx, db, taken)),
		netdbError(netdb.Restore(ctx, filepath.Dir(dir), strings.NewReader(""), netdb.RestoreOptions{})),
	)
	want := []error{netdb.ErrPattern, netdb.ErrPattern, netdb.ErrFoldOpen, netdb.ErrTableTaken, netdb.ErrDirExists}
	for i, err := range errs {
		if !errors.Is(err, want[i]) {
			t.Errorf("%d: %v", i, err)
			continue
		}
		text := err.Error()
		if !strings.HasPrefix(text, "netdb: ") || strings.Count(text, "netdb: ") != 1 || strings.Contains(text, "\n") {
			t.Errorf("%d: %s", i, text)
		}
	}
	for _, sql := range []string{`SELECT 'x'`, `SELECT NULL`} {
		for _, err := range netdb.Select[int](ctx, db, sql) {
			if err == nil || !strings.HasPrefix(err.Error(), "netdb: Select into int: column ") {
				t.Error(err)
			}
		}
	}
}

func netdbError[T any](_ T, err error) error { return err }
