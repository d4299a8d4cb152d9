package redex

import (
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed69692123/netdb/redex/journal"
)

// MovedError is returned when a directory of an open store is no longer where it was opened: it was moved, or something else was
// put in its place. Nothing is done there: it may be another store's. Events that are in segments already made can be read and
// synced, because these are open; with the directory back all goes on.
type MovedError struct {
	Dir string
}

func (e *MovedError) Error() string {
	return fmt.Sprintf("redex: directory %s was moved while its store is open", e.Dir)
}

// Is reports whether target is ErrMoved.
func (e *MovedError) Is(target error) bool { return target == ErrMoved }

// place is the directories of an open store. Files are opened, made and removed by path, so before each of these it is looked
// whether the path still leads there. That leaves an instant between look and deed.
type place []placedDir

type placedDir struct {
	path string
	info os.FileInfo
}

// newPlace notes where directories are.
func newPlace(paths ...string) (place, error) {
	var p place
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		p = append(p, placedDir{path, info})
	}
	return p, nil
}

// check returns a MovedError when one of the directories is elsewhere.
func (p place) check() error {
	for _, d := range p {
		if info, err := os.Stat(d.path); isNotExist(err) || err == nil && !os.SameFile(info, d.info) {
			return &MovedError{d.path}
		} else if err != nil {
			return err
		}
	}
	return nil
}

// placedFS is a file system that is used while the store is in its place.
type placedFS struct {
	vfs.FS
	p place
}

func (f *placedFS) Unwrap() vfs.FS { return f.FS }

// placed calls do when the store is in its place.
func placed[T any](p place, do func() (T, error)) (T, error) {
	if err := p.check(); err != nil {
		var none T
		return none, err
	}
	return do()
}

func (p place) do(do func() error) error {
	if err := p.check(); err != nil {
		return err
	}
	return do()
}

func (f *placedFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return placed(f.p, func() (vfs.File, error) { return f.FS.Create(name, c) })
}

func (f *placedFS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	return placed(f.p, func() (vfs.File, error) { return f.FS.Open(name, o...) })
}

func (f *placedFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return placed(f.p, func() (vfs.File, error) { return f.FS.OpenReadWrite(name, c, o...) })
}

func (f *placedFS) OpenDir(name string) (vfs.File, error) {
	return placed(f.p, func() (vfs.File, error) { return f.FS.OpenDir(name) })
}

func (f *placedFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return placed(f.p, func() (vfs.File, error) { return f.FS.ReuseForWrite(from, to, c) })
}

func (f *placedFS) Lock(name string) (io.Closer, error) {
	return placed(f.p, func() (io.Closer, error) { return f.FS.Lock(name) })
}

func (f *placedFS) List(dir string) ([]string, error) {
	return placed(f.p, func() ([]string, error) { return f.FS.List(dir) })
}

func (f *placedFS) Stat(name string) (vfs.FileInfo, error) {
	return placed(f.p, func() (vfs.FileInfo, error) { return f.FS.Stat(name) })
}

func (f *placedFS) Link(from, to string) error {
	return f.p.do(func() error { return f.FS.Link(from, to) })
}

func (f *placedFS) Remove(name string) error {
	return f.p.do(func() error { return f.FS.Remove(name) })
}

func (f *placedFS) RemoveAll(name string) error {
	return f.p.do(func() error { return f.FS.RemoveAll(name) })
}

func (f *placedFS) Rename(from, to string) error {
	return f.p.do(func() error { return f.FS.Rename(from, to) })
}

func (f *placedFS) MkdirAll(dir string, perm os.FileMode) error {
	return f.p.do(func() error { return f.FS.MkdirAll(dir, perm) })
}

// placedJournal is the same for the journal's directory.
type placedJournal struct {
	journal.FS
	p place
}

func (f *placedJournal) List() ([]string, error) { return placed(f.p, f.FS.List) }

func (f *placedJournal) Create(name string, size int64) (journal.File, error) {
	return placed(f.p, func() (journal.File, error) { return f.FS.Create(name, size) })
}

func (f *placedJournal) Open(name string, write bool) (journal.File, error) {
	return placed(f.p, func() (journal.File, error) { return f.FS.Open(name, write) })
}

func (f *placedJournal) Remove(name string) error {
	return f.p.do(func() error { return f.FS.Remove(name) })
}

func (f *placedJournal) Rename(from, to string) error {
	return f.p.do(func() error { return f.FS.Rename(from, to) })
}

func (f *placedJournal) Recyclable(file journal.File) (bool, error) {
	r, ok := f.FS.(journal.Recycler)
	if !ok {
		return false, nil
	}
	return r.Recyclable(file)
}

func (f *placedJournal) Recycle(file journal.File, from, to string) error {
	return f.p.do(func() error { return f.FS.(journal.Recycler).Recycle(file, from, to) })
}

func (f *placedJournal) SyncDir() error { return f.p.do(f.FS.SyncDir) }
