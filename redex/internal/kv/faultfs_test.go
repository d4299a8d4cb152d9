package kv

import "github.com/cockroachdb/pebble/v2/vfs"

// faultFS calls a hook before every call that changes something, which may make the call fail.
type faultFS struct {
	vfs.FS
	hook func(op, path string) error
}

func newFaultFS(fs vfs.FS, hook func(op, path string) error) *faultFS {
	return &faultFS{FS: fs, hook: hook}
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
	return f.File.Write(b)
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
