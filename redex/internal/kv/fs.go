package kv

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const ballastName = "ballast"

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
//   - when the disk is full, a manifest write gives up the ballast file and is repeated;
//   - with readOnly nothing is changed, and the lock is not taken.
//
// Paths outside of the directory (checkpoints) are passed on.
type guardFS struct {
	vfs.FS
	dir      string
	readOnly bool
	s        *state

	lockFailed atomic.Bool

	ballastMu sync.Mutex
	ballast   int64 // its size; 0 when there is none
	released  bool
}

func newGuardFS(fs vfs.FS, dir string, readOnly bool, s *state) *guardFS {
	g := &guardFS{FS: fs, dir: filepath.Clean(dir), readOnly: readOnly, s: s}
	if !readOnly {
		g.ballast = max(s.ballastBytes, 0)
	}
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
	other    role = iota
	table         // may be lost, and is written again
	manifest      // or the marker that names it
	wal           // not used
)

func roleOf(path string) role {
	name := filepath.Base(path)
	switch {
	case strings.HasPrefix(name, "MANIFEST-"), isMarker(name):
		return manifest
	case strings.HasSuffix(name, ".sst"), strings.HasSuffix(name, ".blob"):
		return table
	case strings.HasSuffix(name, ".log"):
		return wal
	}
	return other
}

func isMarker(path string) bool { return strings.HasPrefix(filepath.Base(path), "marker.") }

func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
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
	if noRoom(err) {
		g.s.setFull(true)
	}
	switch r {
	case manifest:
		return g.s.poison(op+" "+path, err)
	case table:
		g.s.tableWrite(err)
	}
	return err
}

func (g *guardFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	r := roleOf(name)
	if r == table && g.inside(name) {
		if err := g.s.throttle(); err != nil {
			return nil, err
		}
	}
	if r == manifest && g.inside(name) && !g.readOnly {
		return g.createManifest(name, c), nil
	}
	if err := g.before(name); err != nil {
		return nil, err
	}
	f, err := g.FS.Create(name, c)
	if err = g.after("create", name, r, err); err != nil {
		return nil, err
	}
	return g.wrap(f, name, r), nil
}

// createManifest creates a manifest or marker, or something that takes all that is written to it once the DB is poisoned.
func (g *guardFS) createManifest(name string, c vfs.DiskWriteCategory) vfs.File {
	if strings.HasPrefix(filepath.Base(name), "marker.manifest.") {
		g.syncDir()
	}
	if g.s.failure() == nil {
		f, err := g.FS.Create(name, c)
		if err != nil && noRoom(err) && g.releaseBallast() {
			f, err = g.FS.Create(name, c)
		}
		if err = g.after("create", name, manifest, err); err == nil {
			return g.wrap(f, name, manifest)
		}
	}
	return &guardFile{File: vfs.NewMemFile(nil), g: g, name: name, role: manifest}
}

func (g *guardFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	if err := g.before(name); err != nil {
		return nil, err
	}
	f, err := g.FS.OpenReadWrite(name, c, o...)
	if err = g.after("open", name, roleOf(name), err); err != nil {
		return nil, err
	}
	return g.wrap(f, name, roleOf(name)), nil
}

func (g *guardFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := errors.Join(g.before(oldname), g.before(newname)); err != nil {
		return nil, err
	}
	f, err := g.FS.ReuseForWrite(oldname, newname, c)
	if err = g.after("reuse", newname, roleOf(newname), err); err != nil {
		return nil, err
	}
	return g.wrap(f, newname, roleOf(newname)), nil
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
	return g.after("link", newname, roleOf(newname), g.FS.Link(oldname, newname))
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
	return g.after("rename", newname, roleOf(newname), g.FS.Rename(oldname, newname))
}

func (g *guardFS) MkdirAll(dir string, perm os.FileMode) error {
	if err := g.before(dir); err != nil {
		return err
	}
	return g.FS.MkdirAll(dir, perm)
}

func (g *guardFS) Lock(name string) (io.Closer, error) {
	if g.readOnly && g.inside(name) {
		return noLock{}, nil
	}
	c, err := g.FS.Lock(name)
	if err != nil {
		g.lockFailed.Store(true)
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
	d, err := g.FS.OpenDir(g.dir)
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		_ = g.s.poison("sync "+g.dir, err) // kept in the state
	}
}

func (g *guardFS) ballastPath() string { return g.FS.PathJoin(g.dir, ballastName) }

// makeBallast makes the ballast file unless it is there, and reports whether it is there afterwards, or not wanted.
func (g *guardFS) makeBallast() bool {
	g.ballastMu.Lock()
	defer g.ballastMu.Unlock()
	if g.ballast == 0 || g.s.failure() != nil {
		return true
	}
	if i, err := g.FS.Stat(g.ballastPath()); err == nil && i.Size() == g.ballast {
		g.released = false
		return true
	}
	err := g.writeBallast()
	if err == nil {
		g.released = false
		return true
	}
	if noRoom(err) {
		g.s.setFull(true)
	}
	g.s.log.Warn("key-value map: no ballast", "err", err)
	_ = g.FS.Remove(g.ballastPath()) // a part of it is of no use and takes room
	g.released = true
	return false
}

func (g *guardFS) writeBallast() error {
	f, err := g.FS.Create(g.ballastPath(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	// Bytes that neither compress nor repeat, so that the file takes the room it claims.
	block := make([]byte, 64<<10)
	x := uint64(0x9e3779b97f4a7c15)
	for at := int64(0); at < g.ballast && err == nil; at += int64(len(block)) {
		block = block[:min(int64(len(block)), g.ballast-at)]
		for i := range block {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			block[i] = byte(x)
		}
		_, err = f.Write(block)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// releaseBallast removes the ballast and reports whether that made room.
func (g *guardFS) releaseBallast() bool {
	g.ballastMu.Lock()
	defer g.ballastMu.Unlock()
	if g.ballast == 0 || g.released {
		return false
	}
	g.released = true
	if err := g.FS.Remove(g.ballastPath()); err != nil {
		return false
	}
	g.s.log.Warn("key-value map: disk full, ballast given up")
	return true
}

func (g *guardFS) ballastReleased() bool {
	g.ballastMu.Lock()
	defer g.ballastMu.Unlock()
	return g.released
}

// tableDone is called when a table was written and synced.
func (g *guardFS) tableDone() {
	g.s.tableWrite(nil)
	if g.s.diskFull() && g.makeBallast() {
		g.s.setFull(false)
	}
}

func (g *guardFS) wrap(f vfs.File, name string, r role) vfs.File {
	if !g.inside(name) {
		return f
	}
	return &guardFile{File: f, g: g, name: name, role: r}
}

// guardFile is a file in the map's directory that is open for writing.
type guardFile struct {
	vfs.File
	g      *guardFS
	name   string
	role   role
	failed atomic.Bool // a write did
}

func (f *guardFile) Write(b []byte) (int, error) {
	switch f.role {
	case wal:
		return len(b), nil
	case manifest:
		f.writeManifest(b)
		return len(b), nil
	}
	if err := f.g.before(f.name); err != nil {
		return 0, err
	}
	n, err := f.File.Write(b)
	if err != nil {
		f.failed.Store(true)
	}
	return n, f.g.after("write", f.name, f.role, err)
}

// writeManifest writes, or poisons the DB.
func (f *guardFile) writeManifest(b []byte) {
	if f.g.s.failure() != nil {
		return
	}
	n, err := f.File.Write(b)
	if err != nil && noRoom(err) && f.g.releaseBallast() {
		f.g.s.setFull(true)
		_, err = f.File.Write(b[n:])
	}
	_ = f.g.after("write", f.name, manifest, err) // kept in the state
}

func (f *guardFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.g.before(f.name); err != nil {
		return 0, err
	}
	n, err := f.File.WriteAt(b, off)
	return n, f.g.after("write", f.name, f.role, err)
}

func (f *guardFile) Preallocate(off, n int64) error {
	if f.role == wal || f.role == manifest {
		return nil
	}
	if err := f.g.before(f.name); err != nil {
		return err
	}
	return f.File.Preallocate(off, n)
}

// sync runs one of the three kinds of sync.
func (f *guardFile) sync(do func() error) error {
	if f.role == wal {
		return nil
	}
	err := f.g.before(f.name)
	if err == nil {
		if err = do(); err != nil {
			err = f.g.s.poison("sync "+f.name, err)
		}
	}
	if f.role == manifest {
		return nil
	}
	if err != nil {
		return err
	}
	if f.role == table && !f.failed.Load() {
		f.g.tableDone()
	}
	return nil
}

func (f *guardFile) Sync() error     { return f.sync(f.File.Sync) }
func (f *guardFile) SyncData() error { return f.sync(f.File.SyncData) }

func (f *guardFile) SyncTo(n int64) (full bool, err error) {
	err = f.sync(func() (err error) {
		full, err = f.File.SyncTo(n)
		return err
	})
	return full && err == nil, err
}

// guardDir is an open directory.
type guardDir struct {
	vfs.File
	g      *guardFS
	name   string
	inside bool
}

// Sync syncs the directory. When that fails in the map's directory the DB is poisoned and nil is returned; see guardFS.
func (d *guardDir) Sync() error {
	if !d.inside {
		if err := d.File.Sync(); err != nil {
			return &syncError{err}
		}
		return nil
	}
	if d.g.readOnly || d.g.s.failure() != nil {
		return nil
	}
	if err := d.File.Sync(); err != nil {
		_ = d.g.s.poison("sync "+d.name, err) // kept in the state
	}
	return nil
}
