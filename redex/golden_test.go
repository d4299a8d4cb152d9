package redex

import (
	"archive/tar"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

// Golden stores are stores as a release wrote them, which every later one opens. They are never written again. When a format
// changes, new ones are made beside them:
//
//	go test ./redex -run TestGolden -redex.newgolden=format-2
//
// writes format-2-clean, format-2-killed and format-2-damaged, each an archive and a listing of what is in it, and fails when one of
// them is there already.
var newGolden = flag.String("redex.newgolden", "", "prefix of the names of golden stores to make")

const goldenDir = "testdata/golden"

var goldenOptions = Options{RunEvents: 4, SegmentBytes: 64 << 10, JournalBytes: 1 << 20, SealBytes: 128 << 10, Sync: SyncPolicy{Mode: SyncNever}}

func TestGolden(t *testing.T) {
	if *newGolden != "" {
		makeGolden(t, *newGolden)
	}
	all, err := filepath.Glob(goldenDir + "/*.tar.zst")
	if err != nil || len(all) < 3 {
		t.Fatalf("%d golden stores, %v", len(all), err)
	}
	for _, path := range all {
		name := strings.TrimSuffix(filepath.Base(path), ".tar.zst")
		t.Run(name, func(t *testing.T) { openGolden(t, name) })
	}
}

// openGolden opens a golden store, compares it with its listing, goes on in it and opens it again.
func openGolden(t *testing.T, name string) {
	ctx := t.Context()
	dir := t.TempDir() + "/store"
	unpack(t, goldenDir+"/"+name+".tar.zst", dir)
	want, err := os.ReadFile(goldenDir + "/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	damaged := strings.HasSuffix(name, "-damaged")
	before := ""
	for _, o := range []Options{{ReadOnly: true}, goldenOptions} {
		s := mustOpen(t, dir, o)
		if before = listing(t, s); before != string(want) {
			t.Fatalf("read-only %v: %s", o.ReadOnly, cmp.Diff(string(want), before))
		}
		if rep, err := s.Check(ctx); err != nil || len(rep.Damage) > 0 != damaged {
			t.Fatalf("check: %v, %v", rep.Damage, err)
		}
		if s.Recovery().Clean == strings.HasSuffix(name, "-killed") || len(s.Recovery().Damage) > 0 != damaged {
			t.Fatalf("recovery: %+v", s.Recovery())
		}
		if !o.ReadOnly {
			goOnGolden(t, s)
		}
		mustClose(t, s)
	}
	s := mustOpen(t, dir, goldenOptions)
	defer mustClose(t, s)
	after := listing(t, s)
	for line := range strings.Lines(before) {
		if strings.HasPrefix(line, "  ") && !strings.Contains(after, line) && !strings.Contains(line, "kept") {
			t.Errorf("after an append and a reopen this is gone: %s", line)
		}
	}
	if n := strings.Count(after, `"goes on"`); n != strings.Count(before, "\nlog ")+1 {
		t.Errorf("%d logs went on", n)
	}
}

// goOnGolden appends to each log, repeats an append whose number is known, makes a log, and seals.
func goOnGolden(t *testing.T, s *Store) {
	ctx := t.Context()
	ids := map[LogID]bool{}
	for info, err := range s.Logs("") {
		if err != nil {
			t.Fatal(err)
		}
		ids[info.ID] = true
		l := mustLog(t, s, info.Name)
		if a := mustAppend(t, l, "goes on"); a.Seq != info.Bounds.Next {
			t.Errorf("log %q goes on at %d, it ended at %d", info.Name, a.Seq, info.Bounds.Next)
		}
	}
	a, err := mustLog(t, s, "plain").Append(ctx, Entry{Origin: 7, Idempotency: 100, Payload: []byte("numbered")}, AppendOptions{})
	if err != nil || a.Duplicates != 1 {
		t.Errorf("an append whose number is known: %+v, %v", a, err)
	}
	l, err := s.Create(ctx, "made/now", LogOptions{})
	if err != nil || ids[l.ID()] {
		t.Fatalf("a new log: %v", err)
	}
	mustAppend(t, l, "goes on")
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
}

// listing writes down everything that a store holds, a line for each event.
func listing(t *testing.T, s *Store) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "store %s\n", s.ID())
	for info, err := range s.Logs("") {
		if err != nil {
			t.Fatal(err)
		}
		l, err := s.Log(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		o := info.Options
		fmt.Fprintf(&b, "log %d %q made %d from %d to %d: check %v fields %q retention %d %d %d quota %d %d\n", info.ID, info.Name, info.Created,
			info.Bounds.Floor, info.Bounds.Next, o.CheckJSON, o.Fields, o.Retention.Events, o.Retention.Bytes, o.Retention.Age, o.Quota.Events, o.Quota.Bytes)
		for seq := info.Bounds.Floor; seq < info.Bounds.Next; seq++ {
			ev, err := l.Read(t.Context(), seq)
			if errors.Is(err, ErrCorrupt) {
				fmt.Fprintf(&b, "  %s %d damaged\n", info.Name, seq)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "  %s %d at %d: kind %d encoding %d origin %d number %d schema %d tombstone %v key %q headers %q payload %.60q of %d\n", info.Name,
				ev.Seq, ev.Time, ev.Kind, ev.Encoding, ev.Origin, ev.Idempotency, ev.SchemaVersion, ev.Tombstone, ev.Key, ev.Headers, ev.Payload, len(ev.Payload))
		}
	}
	for k, v := range s.Views("golden").Scan(nil, nil) {
		if v.Err != nil {
			t.Fatal(v.Err)
		}
		fmt.Fprintf(&b, "view %q %q\n", k, v.Bytes)
	}
	return b.String()
}

// makeGolden makes golden stores.
func makeGolden(t *testing.T, prefix string) {
	dir := t.TempDir() + "/store"
	s := mustOpen(t, dir, goldenOptions)
	fillGolden(t, s)
	text := listing(t, s)
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	pack(t, dir, prefix+"-killed", text)
	mustClose(t, s)
	pack(t, dir, prefix+"-clean", text)

	rot := func(pattern, what string) {
		t.Helper()
		files, err := filepath.Glob(dir + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if at := bytes.Index(b, []byte(what)); at >= 0 {
				b[at] ^= 1
				if err := os.WriteFile(name, b, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
		}
		t.Fatalf("no %q in %s", what, pattern)
	}
	rot("/rows/*", "sealed: rots")
	rot("/journal/*", "hot: rots")
	packed := t.TempDir() + "/packed"
	copyTree(t, dir, packed)
	s = mustOpen(t, dir, Options{ReadOnly: true})
	text = listing(t, s)
	mustClose(t, s)
	pack(t, packed, prefix+"-damaged", text)
}

// fillGolden appends something of everything a store of today can hold.
func fillGolden(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	rich := func(i int, payload string) Entry {
		return Entry{
			Kind: Kind(i), Encoding: Encoding(i % 3), Origin: 7, Idempotency: uint64(100 + i), Tombstone: i%3 == 1, SchemaVersion: uint32(i),
			Key: fmt.Appendf(nil, "key/%d", i), Headers: []Header{{Name: "trace", Value: fmt.Append(nil, i)}}, Payload: []byte(payload),
		}
	}
	plain, few, rots := mustLog(t, s, "plain"), mustLog(t, s, "few"), mustLog(t, s, "rots")
	renamed, deleted := mustLog(t, s, "renamed/before"), mustLog(t, s, "deleted")
	trimmed := mustLog(t, s, "trimmed")
	kept, err := s.Create(ctx, "kept", LogOptions{CheckJSON: true, Fields: [][]string{{"a", "b"}}, Retention: Retention{Events: 5}, Quota: Quota{Events: 1000}})
	must(err)
	for i := range 10 {
		_, err := plain.Append(ctx, rich(i, fmt.Sprintf(`{"a":{"b":%d}}`, i)), AppendOptions{})
		must(err)
		mustAppend(t, rots, fmt.Sprint("sealed: rots ", i))
		mustAppend(t, kept, fmt.Sprintf(`{"a":{"b":%d}}`, i))
		mustAppend(t, trimmed, fmt.Sprint("trimmed ", i))
	}
	mustAppend(t, few, "one", "two")
	mustAppend(t, renamed, "by another name", "1", "2", "3", "4", "5")
	mustAppend(t, deleted, "1", "2", "3", "4", "5")
	must(trimmed.Trim(ctx, 7))
	must(s.Seal(ctx))
	_, err = s.Retain(ctx, "")
	must(err)
	b := &ViewBatch{}
	b.Set([]byte("at"), []byte("a value of a view"))
	must(s.Views("golden").Commit(ctx, b, s.Cut().Ordinal))
	must(s.Seal(ctx))
	must(s.Rename(ctx, "renamed/before", "renamed/after"))
	must(s.Delete(ctx, "deleted"))
	mustAppend(t, mustLog(t, s, "deleted"), "another log of that name")
	_, err = plain.AppendBatch(ctx, []Entry{rich(10, "hot"), rich(11, "hot, in a batch"), {Payload: bytes.Repeat([]byte("large "), 4000)}}, AppendOptions{})
	must(err)
	for i := range 3 {
		mustAppend(t, rots, fmt.Sprint("hot: rots ", i))
	}
	mustAppend(t, rots, "after it")
	_, err = s.Append(ctx, []Batch{{Log: few, Entries: []Entry{{Payload: []byte("both")}}}, {Log: trimmed, Entries: []Entry{{Payload: []byte("both")}}}}, AppendOptions{})
	must(err)
}

// pack writes an archive of a directory, without LOCK, and a listing. Neither may be there.
func pack(t *testing.T, dir, name, text string) {
	t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(path, dir+"/")
		if err != nil || path == dir || rel == lockName || strings.Contains(rel, "ballast") {
			return err
		}
		h := &tar.Header{Name: rel, Mode: 0o644, Typeflag: tar.TypeReg}
		if d.IsDir() {
			return w.WriteHeader(&tar.Header{Name: rel, Mode: 0o755, Typeflag: tar.TypeDir})
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		h.Size = int64(len(content))
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	if err := errors.Join(err, w.Close(), z.Close(), os.MkdirAll(goldenDir, 0o755)); err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string][]byte{name + ".tar.zst": b.Bytes(), name + ".txt": []byte(text)} {
		f, err := os.OpenFile(filepath.Join(goldenDir, file), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err) // one that is there is never written again
		}
		_, err = f.Write(content)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// unpack is the reverse of pack.
func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var names []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, h.Name)
		if h.Typeflag == tar.TypeDir {
			err = os.Mkdir(path, 0o755)
		} else {
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, b, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	if !slices.Contains(names, formatName) {
		t.Fatalf("no store in %s: %v", archive, names)
	}
}
