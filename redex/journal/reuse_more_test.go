package journal_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/seed69692123/netdb/internal/simdisk"
	"github.com/seed69692123/netdb/redex/journal"
)

// holdsEarlier tells files that have frames of r up to the last one.
func (r reuse) holdsEarlier(t *testing.T, dir string, last journal.Ordinal) {
	t.Helper()
	for name, b := range segmentContents(t, dir) {
		for n := range last {
			if bytes.Contains(b, r.body(n + 1)[:300]) {
				t.Errorf("%s has bytes of frame %d", name, n+1)
				break
			}
		}
	}
}

// forget has a journal let go everything there is.
func forget(ctx context.Context, t *testing.T, j *journal.Journal) journal.Ordinal {
	t.Helper()
	last, err := j.Roll(ctx)
	if err == nil {
		err = j.Sync(t.Context(), last)
	}
	if err == nil {
		err = j.Release(last)
	}
	if err != nil {
		t.Error(err)
	}
	return last
}

// TestRollOfEmpty forgets everything while the active segment is empty, but its file has what was there before.
func TestRollOfEmpty(t *testing.T) {
	r := reuse{128}
	dir := t.TempDir()
	fsys, err := journal.OSFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	j, _ := r.reopened(t, fsys, 0, 0)
	defer j.Close()
	r.fillAndRelease(t, j, 60)
	if _, err := j.NewEpoch(t.Context()); err != nil {
		t.Fatal(err)
	}
	forget(t.Context(), t, j)
	r.holdsEarlier(t, dir, 60)
}

// gateFS stops one sync of a segment's header, when it is armed, until goOn is closed.
type gateFS struct {
	journal.FS
	journal.Recycler
	armed       atomic.Bool
	began, goOn chan struct{}
}

type gateFile struct {
	journal.File
	fs *gateFS
}

func (g *gateFS) Create(name string, size int64) (journal.File, error) {
	f, err := g.FS.Create(name, size)
	if err != nil {
		return nil, err
	}
	return &gateFile{f, g}, nil
}

func (g *gateFS) Recyclable(f journal.File) (bool, error) {
	return g.Recycler.Recyclable(f.(*gateFile).File)
}

func (g *gateFS) Recycle(f journal.File, from, to string) error {
	return g.Recycler.Recycle(f.(*gateFile).File, from, to)
}

func (f *gateFile) SyncRange(off, n int64) error {
	if off == 0 && n == 4096 && f.fs.armed.CompareAndSwap(true, false) {
		close(f.fs.began)
		<-f.fs.goOn
	}
	return f.File.SyncRange(off, n)
}

// TestRollWhileRolling forgets everything while the journal goes on in a file that was used before.
func TestRollWhileRolling(t *testing.T) {
	r := reuse{128}
	dir := t.TempDir()
	osfs, err := journal.OSFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	fsys := &gateFS{FS: osfs, Recycler: osfs.(journal.Recycler), began: make(chan struct{}), goOn: make(chan struct{})}
	j, _ := r.reopened(t, fsys, 0, 0)
	defer j.Close()
	r.fillAndRelease(t, j, 60)
	fsys.armed.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() { // has the journal go on in the next segment
		for range 4 {
			if _, err := j.Append(t.Context(), journal.Body{Tail: r.body(9999)}); err != nil {
				t.Error(err)
			}
		}
	})
	<-fsys.began
	ctx := &askedContext{Context: t.Context(), asked: make(chan struct{})}
	wg.Go(func() { forget(ctx, t, j) })
	<-ctx.asked // it waits
	close(fsys.goOn)
	wg.Wait()
	r.holdsEarlier(t, dir, 60)
}

// askedContext tells when somebody waits for its end.
type askedContext struct {
	context.Context
	once  sync.Once
	asked chan struct{}
}

func (c *askedContext) Done() <-chan struct{} {
	c.once.Do(func() { close(c.asked) })
	return c.Context.Done()
}

// TestForgottenFileComesBack loses the removal of a file, as a power loss may. It is not used again when the journal is opened.
func TestForgottenFileComesBack(t *testing.T) {
	r := reuse{128}
	dir := t.TempDir()
	fsys, err := journal.OSFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	j, _ := r.reopened(t, fsys, 0, 0)
	r.fillAndRelease(t, j, 13)
	if err := j.Sync(t.Context(), 13); err != nil {
		t.Fatal(err)
	}
	files := segmentContents(t, dir)
	last := forget(t.Context(), t, j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	there := segmentFiles(t, dir)
	for name, b := range files {
		if string(b[:8]) == "NETDBJNL" && name != there[0].Name() {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	j, _ = r.reopened(t, fsys, last, last)
	defer j.Close()
	for range 9 {
		p, err := j.Append(t.Context(), journal.Body{Tail: r.body(9999)})
		if err == nil {
			err = j.Sync(t.Context(), p.Ordinal)
		}
		if err == nil {
			err = j.Release(p.Ordinal)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r.holdsEarlier(t, dir, 13)
}

// narrowFS is a directory with room for so many bytes of files.
type narrowFS struct {
	journal.FS
	journal.Recycler
	dir  string
	room int64
}

func (n *narrowFS) Create(name string, size int64) (journal.File, error) {
	infos, err := os.ReadDir(n.dir)
	if err != nil {
		return nil, err
	}
	left := n.room
	for _, e := range infos {
		if info, err := e.Info(); err == nil {
			left -= info.Size()
		}
	}
	if n.room > 0 && size > left {
		return nil, syscall.ENOSPC
	}
	return n.FS.Create(name, size)
}

// TestFullDiskTakesKeptFiles has no room for the next segment but that of an earlier run's files, which are of another size.
func TestFullDiskTakesKeptFiles(t *testing.T) {
	dir := t.TempDir()
	osfs, err := journal.OSFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	fsys := &narrowFS{FS: osfs, Recycler: osfs.(journal.Recycler), dir: dir}
	o := journal.Options{FirstSegmentBytes: 64 << 10, MaxSegmentBytes: 1 << 20, LimitBytes: -1, Sync: journal.SyncPolicy{Mode: journal.SyncNever}}
	j, _, err := journal.Open(t.Context(), fsys, o, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	body := journal.Body{Tail: bytes.Repeat([]byte("x"), 50<<10)}
	for range 100 {
		if _, err := j.Append(t.Context(), body); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, _, err = journal.Open(t.Context(), fsys, o, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	fsys.room = 2<<20 + 64<<10 // for the active segment and what is kept
	if err := j.Release(100); err != nil {
		t.Fatal(err)
	}
	for n := range 8 { // the first segment has room for one
		if _, err := j.Append(t.Context(), body); err != nil {
			t.Fatalf("append %d: %v with %+v", n, err, j.Stats())
		}
	}
}

// TestCutReused cuts power when everything is durable, and nothing was dropped therefore, though the disk does not have the zeros behind it.
func TestCutReused(t *testing.T) {
	for seed := range uint64(8) {
		r := reuse{128}
		d := simdisk.New(seed)
		j, _ := r.reopened(t, d.Journal(), 0, 0)
		r.fillAndRelease(t, j, 60)
		if err := j.Sync(t.Context(), 60); err != nil {
			t.Fatal(err)
		}
		d.Cut()
		_ = j.Close() // it knows of nothing
		j, rec := r.reopened(t, d.Restart(seed).Journal(), 57, 60)
		if rec.Cut != nil {
			t.Errorf("seed %d: dropped %d bytes at %d of %s", seed, rec.Cut.Bytes, rec.Cut.Offset, rec.Cut.File)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
