package kv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardFS is the file system Pebble works on. In the map's directory
//
//   - the first failed sync of any file or of the directory, and the first failed step of writing a manifest or moving the
//     marker that names it, poisons the DB, and from then on nothing in the directory is changed: calls that would fail with
//     that cause, except that
//   - for manifests, their markers and the sync of the directory Pebble is told that all went well, and nothing is done. Pebble
//     cannot go on from an error there: it panics after a failed sync of the directory, and after a failed write of the manifest
//     the figures it keeps per table are half those of a version that was never installed, and panic later. Told that it went
//     well it installs the version, whose tables are all there, so that reads go on. Nobody else is deceived: no call of the
//     DB reports success once it is poisoned;
//   - before the marker of a new manifest is made, the directory is synced, so that no crash can leave a marker whose manifest
//     has no name yet; and again before the marker of the old one is removed, so that none can leave the directory without a
//     marker: Pebble would take it for a new map. (Pebble syncs it once, at the end.);
//   - what is written to a log is dropped: Pebble makes the file but, without a log of its own, has nothing to say in it;
//   - when the disk is full, what is not a table takes the room of the ballast, and a step of writing the manifest waits for room
//     when that was not enough. No table is made or written while the ballast is not there: what room there is, is for the manifest;
//   - with readOnly nothing is changed, and the lock is not taken.
//
// Paths outside of the directory (checkpoints) are passed on.
type guardFS struct {
	vfs.FS
	dir      string
	readOnly bool
	s        *state

	ballast *ballast

	locked atomic.Bool // by another
}

func newGuardFS(fs vfs.FS, dir string, o Options, s *state) *guardFS {
	g := &guardFS{FS: fs, dir: filepath.Clean(dir), readOnly: o.ReadOnly, s: s}
	size := o.BallastBytes
	if o.ReadOnly {
		size = 0
	}
	g.ballast = newBallast(fs, g.dir, size, s)
	return g
}

// Unwrap returns the file system beneath.
func (g *guardFS) Unwrap() vfs.FS { return g.FS }

// inside reports whether a path is the map's directory or in it.
func (g *guardFS) inside(path string) bool {
	path = filepath.Clean(path)
	rest, ok := strings.CutPrefix(path, g.dir)
	return ok && (rest == "" || rest[0] == filepath.Separator || g.dir == "/" || g.dir == ".") || g.dir == "." && !filepath.IsAbs(path)
}

// role is what a file in the map's directory is to Pebble.
type role uint8

const (
	other     role = iota
	flushed        // a table of a flush: may be lost, and is written again
	compacted      // a table of a compaction: likewise
	manifest       // or the marker that names it
	wal            // not used
)

// flushCategory is Pebble's name for what a flush writes.
const flushCategory = "pebble-memtable-flush"

func roleOf(path string, c vfs.DiskWriteCategory) role {
	name := filepath.Base(path)
	switch {
	case strings.HasPrefix(name, "MANIFEST-"), isMarker(name):
		return manifest
	case strings.HasSuffix(name, ".sst"), strings.HasSuffix(name, ".blob"):
		if c == flushCategory {
			return flushed
		}
		return compacted
	case strings.HasSuffix(name, ".log"):
		return wal
	}
	return other
}

func isMarker(path string) bool { return strings.HasPrefix(filepath.Base(path), "marker.") }

func noRoom(err error) bool {
	return vfs.IsNoSpaceError(err) || errors.Is(err, syscall.EDQUOT)
}

// ours reports whether err came from the file system beneath.
func (g *guardFS) ours(err error) bool {
	_, pathErr := errors.AsType[*os.PathError](err)
	_, errno := errors.AsType[syscall.Errno](err)
	_, sync := errors.AsType[*syncError](err)
	return pathErr || errno || sync
}

// syncError marks a failed sync of a directory outside, which Pebble panics with.
type syncError struct{ err error }

func (e *syncError) Error() string { return "sync directory: " + e.err.Error() }
func (e *syncError) Unwrap() error { return e.err }

// before says whether a call that changes path may go ahead.
func (g *guardFS) before(path string) error {
	if !g.inside(path) {
		return nil
	}
	if g.readOnly {
		return ErrReadOnly
	}
	return g.s.failure()
}

// after notes how a call that changed path went, and returns its error.
func (g *guardFS) after(op, path string, r role, err error) error {
	if err == nil || !g.inside(path) {
		return err
	}
	switch {
	case r == manifest:
		return g.s.poison(op+" "+path, err)
	case r == flushed && noRoom(err): // a compaction may need more room than there is: that hinders no writes
		g.s.setFull(true)
	}
	return err
}

func (g *guardFS) Create(name string, c vfs.DiskWriteCategory) (f vfs.File, err error) {
	if !g.inside(name) {
		return g.FS.Create(name, c)
	}
	if g.readOnly {
		return nil, ErrReadOnly
	}
	create := func() (err error) {
		f, err = g.FS.Create(name, c)
		return err
	}
	r := roleOf(name, c)
	switch r {
	case manifest:
		return g.createManifest(name, create, &f), nil
	case flushed, compacted:
		if r == flushed {
			err = g.s.beforeFlush()
		}
		if err == nil {
			err = g.before(name)
		}
		if err == nil {
			g.ballast.make()
			err = g.reserved(name)
		}
		if err == nil {
			err = create()
		}
		err = g.after("create", name, r, err)
	default:
		if err = g.before(name); err == nil {
			err = g.withBallast(create)
		}
	}
	if err != nil {
		return nil, err
	}
	return g.wrap(f, name, r), nil
}

// createManifest creates a manifest or marker in f, or something that takes all that is written to it once the DB is poisoned.
func (g *guardFS) createManifest(name string, create func() error, f *vfs.File) vfs.File {
	if strings.HasPrefix(filepath.Base(name), "marker.manifest.") {
		g.syncDir()
	}
	if g.s.failure() == nil {
		if err := g.after("create", name, manifest, g.manifestStep(create)); err == nil {
			return g.wrap(*f, name, manifest)
		}
	}
	return &guardFile{File: vfs.NewMemFile(nil), g: g, name: name, role: manifest}
}

func (g *guardFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	if err := g.before(name); err != nil {
		return nil, err
	}
	f, err := g.FS.OpenReadWrite(name, c, o...)
	r := roleOf(name, c)
	if err = g.after("open", name, r, err); err != nil {
		return nil, err
	}
	return g.wrap(f, name, r), nil
}

func (g *guardFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := errors.Join(g.before(oldname), g.before(newname)); err != nil {
		return nil, err
	}
	f, err := g.FS.ReuseForWrite(oldname, newname, c)
	r := roleOf(newname, c)
	if err = g.after("reuse", newname, r, err); err != nil {
		return nil, err
	}
	return g.wrap(f, newname, r), nil
}

func (g *guardFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &guardDir{File: f, g: g, name: name, inside: g.inside(name)}, nil
}

func (g *guardFS) Link(oldname, newname string) error {
	if err := g.before(newname); err != nil {
		return err
	}
	return g.after("link", newname, roleOf(newname, ""), g.FS.Link(oldname, newname))
}

func (g *guardFS) Remove(name string) error {
	if err := g.before(name); err != nil {
		return err
	}
	if g.inside(name) && isMarker(name) {
		g.syncDir()
		if err := g.before(name); err != nil {
			return err
		}
	}
	return g.FS.Remove(name)
}

func (g *guardFS) RemoveAll(name string) error {
	if err := g.before(name); err != nil {
		return err
	}
	return g.FS.RemoveAll(name)
}

func (g *guardFS) Rename(oldname, newname string) error {
	if err := errors.Join(g.before(oldname), g.before(newname)); err != nil {
		return err
	}
	rename := func() error { return g.FS.Rename(oldname, newname) }
	if g.inside(newname) {
		return g.after("rename", newname, roleOf(newname, ""), g.withBallast(rename))
	}
	return rename()
}

func (g *guardFS) MkdirAll(dir string, perm os.FileMode) error {
	if err := g.before(dir); err != nil {
		return err
	}
	mkdir := func() error { return g.FS.MkdirAll(dir, perm) }
	if g.inside(dir) {
		return g.withBallast(mkdir)
	}
	return mkdir()
}

func (g *guardFS) Lock(name string) (io.Closer, error) {
	if g.readOnly && g.inside(name) {
		return noLock{}, nil
	}
	var c io.Closer
	err := g.withBallast(func() (err error) {
		c, err = g.FS.Lock(name)
		return err
	})
	// That the file cannot be made has a path; that another holds it has none.
	if _, cannot := errors.AsType[*os.PathError](err); err != nil && !cannot && !noRoom(err) {
		g.locked.Store(true)
	}
	return c, err
}

type noLock struct{}

func (noLock) Close() error { return nil }

// syncDir syncs the map's directory, or poisons the DB.
func (g *guardFS) syncDir() {
	if g.s.failure() != nil {
		return
	}
	g.s.manifestBusy(1)
	defer g.s.manifestBusy(-1)
	d, err := g.FS.OpenDir(g.dir)
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		_ = g.s.poison("sync "+g.dir, err) // kept in the state
	}
}

// tableDone is called when a flush has written and synced a table.
func (g *guardFS) tableDone() {
	if g.s.diskFull() && g.ballast.whole() {
		g.s.setFull(false)
	}
}

// withBallast does what needs room, for something small that is not a table: if there is none, that of the ballast.
func (g *guardFS) withBallast(do func() error) error {
	for {
		err := do()
		if !noRoom(err) {
			return err
		}
		g.s.setFull(true)
		if !g.ballast.give() {
			return err
		}
	}
}

// manifestStep does a step of writing a manifest or marker. When there is no room for it, it waits, so that it is not lost and the
// DB not with it: until there is, or the DB is closed or fails.
func (g *guardFS) manifestStep(do func() error) error {
	g.s.manifestBusy(1)
	defer g.s.manifestBusy(-1)
	for n := 1; ; n++ {
		a := g.s.begin()
		err := g.withBallast(do)
		if err == nil && n > 1 && !g.ballast.wanted() {
			g.s.setFull(false) // with a ballast, when that is there again
		}
		if !noRoom(err) || !g.s.waitForRoom(n, a, err) {
			return err
		}
	}
}

// reserved returns an error while the room there is, is kept for the manifest.
func (g *guardFS) reserved(name string) error {
	if g.ballast.whole() {
		return nil
	}
	return fmt.Errorf("write %s: what room there is, is for the manifest: %w", name, syscall.ENOSPC)
}

func (g *guardFS) wrap(f vfs.File, name string, r role) vfs.File {
	if !g.inside(name) {
		return f
	}
	return &guardFile{File: f, g: g, name: name, role: r}
}
