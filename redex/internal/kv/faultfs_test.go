package kv

import (
	"path/filepath"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// faultFS calls a hook before every call that changes something, which may make the call fail, and limits the room there is.
type faultFS struct {
	vfs.FS
	hook func(op, path string) error

	mu   sync.Mutex
	room int64 // bytes left; negative means no limit
	size map[string]int64
}

func newFaultFS(fs vfs.FS, hook func(op, path string) error) *faultFS {
	return &faultFS{FS: fs, hook: hook, room: -1, size: map[string]int64{}}
}

func (f *faultFS) take(path string, n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.room >= 0 {
		n = int(min(int64(n), f.room))
		f.room -= int64(n)
	}
	f.size[path] += int64(n)
	return n
}

func (f *faultFS) setRoom(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.room = n
}

func (f *faultFS) wrap(file vfs.File, path string, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &faultFile{file, f, path}, nil
}

func (f *faultFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.hook("create", name); err != nil {
		return nil, err
	}
	file, err := f.FS.Create(name, c)
	return f.wrap(file, name, err)
}

func (f *faultFS) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	return f.wrap(file, name, err)
}

func (f *faultFS) Remove(name string) error {
	if err := f.hook("remove", name); err != nil {
		return err
	}
	f.mu.Lock()
	if f.room >= 0 && filepath.Base(name) == ballastName {
		f.room += f.size[name]
	}
	delete(f.size, name)
	f.mu.Unlock()
	return f.FS.Remove(name)
}

func (f *faultFS) Link(a, b string) error {
	if err := f.hook("link", b); err != nil {
		return err
	}
	return f.FS.Link(a, b)
}

func (f *faultFS) Rename(a, b string) error {
	if err := f.hook("rename", b); err != nil {
		return err
	}
	return f.FS.Rename(a, b)
}

type faultFile struct {
	vfs.File
	fs   *faultFS
	path string
}

func (f *faultFile) Write(b []byte) (int, error) {
	if err := f.fs.hook("write", f.path); err != nil {
		return 0, err
	}
	n := f.fs.take(f.path, len(b))
	m, err := f.File.Write(b[:n])
	if err == nil && n < len(b) {
		err = syscall.ENOSPC
	}
	return m, err
}

func (f *faultFile) Sync() error {
	if err := f.fs.hook("sync", f.path); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *faultFile) SyncData() error {
	if err := f.fs.hook("sync", f.path); err != nil {
		return err
	}
	return f.File.SyncData()
}

func (f *faultFile) SyncTo(int64) (bool, error) { return false, nil }
