package journal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/seed69692123/netdb/redex/journal"
)

// reuse is a journal with segments of 64 KiB, times scale, that hold seven frames.
type reuse struct{ scale int }

func (r reuse) options() journal.Options {
	size := int64(r.scale) * 64 << 10
	return journal.Options{FirstSegmentBytes: size, MaxSegmentBytes: size, LimitBytes: -1, Sync: journal.SyncPolicy{Mode: journal.SyncNever}}
}

func (r reuse) body(n journal.Ordinal) []byte {
	return bytes.Repeat([]byte{byte(n), byte(n >> 8), 'x'}, r.scale*3000)
}

// fillAndRelease appends, and releases all but the newest frames every now and then.
func (r reuse) fillAndRelease(t *testing.T, j *journal.Journal, to journal.Ordinal) {
	t.Helper()
	for n := j.Visible() + 1; n <= to; n++ {
		p, err := j.Append(t.Context(), journal.Body{Tail: r.body(n)})
		if err != nil || p.Ordinal != n {
			t.Fatalf("append %d: %d, %v", n, p.Ordinal, err)
		}
		if n%5 == 0 {
			if err := j.Sync(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			if err := j.Release(n - 3); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// reopened opens a journal and checks the frames it recovers: those after a release of the first ones, up to the last one.
func (r reuse) reopened(t *testing.T, fsys journal.FS, after, last journal.Ordinal) (*journal.Journal, journal.Recovery) {
	t.Helper()
	next := after + 1
	j, rec, err := journal.Open(t.Context(), fsys, r.options(), after, func(f journal.Frame) error {
		if f.Ordinal != next || !bytes.Equal(f.Body, r.body(next)) {
			t.Errorf("recovered %d with %d bytes, want %d", f.Ordinal, len(f.Body), next)
		}
		next++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if next != last+1 || len(rec.Damage) > 0 {
		t.Fatalf("recovered up to %d, want %d: %+v", next-1, last, rec)
	}
	return j, rec
}

// segmentFiles returns the files there are. One may get another name meanwhile, to be used again.
func segmentFiles(t *testing.T, dir string) []os.FileInfo {
	t.Helper()
	names, err := filepath.Glob(dir + "/*.seg")
	if err != nil {
		t.Fatal(err)
	}
	infos := make([]os.FileInfo, 0, len(names))
	for _, name := range names {
		info, err := os.Stat(name)
		switch {
		case err == nil:
			infos = append(infos, info)
		case !errors.Is(err, fs.ErrNotExist):
			t.Fatal(err)
		}
	}
	return infos
}

// segmentContents returns what they hold.
func segmentContents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	contents := map[string][]byte{}
	for _, f := range segmentFiles(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		switch {
		case err == nil:
			contents[f.Name()] = b
		case !errors.Is(err, fs.ErrNotExist):
			t.Fatal(err)
		}
	}
	return contents
}

// TestReuse checks that files of released segments are used again, that a journal made of them is recovered like any other, and
// that files with a second name are left as they are.
func TestReuse(t *testing.T) {
	r := reuse{128} // so that much of a file is as it was when it is used again
	dir := t.TempDir()
	fsys, err := journal.OSFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := fsys.(journal.Recycler); !ok {
		t.Fatal("files cannot be used again")
	}
	j, _ := r.reopened(t, fsys, 0, 0)
	r.fillAndRelease(t, j, 30)
	files := segmentFiles(t, dir)
	r.fillAndRelease(t, j, 60)
	again := func(infos []os.FileInfo) (n int) {
		for _, a := range segmentFiles(t, dir) {
			if slices.ContainsFunc(infos, func(b os.FileInfo) bool { return os.SameFile(a, b) && a.Name() != b.Name() }) {
				n++
			}
		}
		return n
	}
	if n := again(files); n == 0 && mapped(t, fsys) {
		t.Error("no file was used again")
	}
	// A file that somebody else has a link to stays as it is.
	kept := map[string][]byte{}
	for _, f := range segmentFiles(t, dir) {
		name := filepath.Join(dir, f.Name())
		if err := os.Link(name, name+".kept"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	r.fillAndRelease(t, j, 90)
	names, err := filepath.Glob(dir + "/*.kept")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if kept[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	r.fillAndRelease(t, j, 150)
	for name, was := range kept {
		b, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(b, was) {
			t.Errorf("%s has changed, %v", filepath.Base(name), err)
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	// Bytes of what is forgotten are in no file any more.
	secret := []byte("a secret that is forgotten")
	if _, err := j.Append(t.Context(), journal.Body{Tail: secret}); err != nil {
		t.Fatal(err)
	}
	last := forget(t.Context(), t, j)
	for name, b := range segmentContents(t, dir) {
		if bytes.Contains(b, secret) {
			t.Errorf("%s has what was forgotten", name)
		}
	}
	r.holdsEarlier(t, dir, 150)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, rec := r.reopened(t, fsys, last, last)
	if !rec.Clean {
		t.Errorf("%+v", rec)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// mapped reports whether files of fsys are.
func mapped(t *testing.T, fsys journal.FS) bool {
	t.Helper()
	f, err := fsys.Create("probe", 4096)
	if err != nil {
		t.Fatal(err)
	}
	is := f.Map() != nil
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := fsys.Remove("probe"); err != nil {
		t.Fatal(err)
	}
	return is
}

// TestReusedHeader looks at a file that gets its second header when power fails: whichever sectors of it reach the disk, the file was
// made in advance, and nothing is damaged or lost. Without both copies of a header that was in use frames are lost, and it says so.
func TestReusedHeader(t *testing.T) {
	const page, sector, markAt = 4096, 512, 4064
	r := reuse{1}
	dir := t.TempDir()
	fsys, err := journal.OSFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !mapped(t, fsys) {
		return // files are not used again
	}
	j, _ := r.reopened(t, fsys, 0, 0)
	r.fillAndRelease(t, j, 98) // of which 92 are released
	defer j.Close()
	files := segmentContents(t, dir)
	newest := "" // with a header
	for name, b := range files {
		if string(b[:8]) == "NETDBJNL" {
			newest = max(newest, name)
		}
	}
	b := files[newest]
	maps.DeleteFunc(files, func(name string, _ []byte) bool { return name > newest })
	if string(b[markAt:markAt+8]) != "NETDBUSE" {
		t.Fatalf("%s was not used before", newest)
	}
	const spare = "0000009999.seg"
	mark := []byte("NETDBUSE\x0f\x27\x00\x00")
	mark = binary.LittleEndian.AppendUint32(mark, crc32.Checksum(mark, crc32.MakeTable(crc32.Castagnoli)))
	recovered := func(content []byte) journal.Recovery {
		t.Helper()
		to := t.TempDir()
		for name, b := range files {
			if err := os.WriteFile(filepath.Join(to, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(to, spare), content, 0o600); err != nil {
			t.Fatal(err)
		}
		fsys, err := journal.OSFS(to)
		if err != nil {
			t.Fatal(err)
		}
		j, rec, err := journal.Open(t.Context(), fsys, r.options(), 92, func(journal.Frame) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if last := j.Visible(); last != 98 {
			t.Fatalf("recovered up to %d", last)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		return rec
	}
	made := bytes.Repeat(b[2*page:3*page], len(b)/page) // full of frames of an earlier use
	clear(made[:2*page])
	copy(made[markAt:], mark)
	for torn := range 1 << (page / sector) {
		content := bytes.Clone(made)
		for s := range page / sector {
			if torn&(1<<s) != 0 {
				copy(content[s*sector:(s+1)*sector], b[s*sector:])
			}
		}
		content[12]++ // this header's checksums are wrong, as those of a torn one are
		content[page/2+12]++
		copy(content[markAt:], mark) // every header of the file repeats it
		if rec := recovered(content); len(rec.Damage) > 0 || rec.NewEpoch {
			t.Fatalf("sectors %b: %+v", torn, rec)
		}
	}
	used := bytes.Clone(b)
	clear(used[:markAt])
	copy(used[markAt:], mark)
	if rec := recovered(used); len(rec.Damage) != 1 || !rec.NewEpoch {
		t.Errorf("a lost header: %+v", rec)
	}
	other := bytes.Clone(made)
	clear(other[markAt:page])
	if rec := recovered(other); len(rec.Damage) != 1 {
		t.Errorf("frames without header or mark: %+v", rec)
	}
}
