package simdisk

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// VFS returns the rest of the disk, for Pebble and row files. It begins empty.
func (d *Disk) VFS() vfs.FS { return diskFS{d} }

// diskFS counts what is written to a crashable file system in memory. Reads are not counted and go on when the power
// is off.
type diskFS struct{ d *Disk }

var _ vfs.FS = diskFS{}

// do runs f as one operation.
func (v diskFS) do(kind Kind, name string, room bool, f func(m *vfs.MemFS) error) error {
	v.d.mu.Lock()
	defer v.d.mu.Unlock()
	if err := v.d.opLocked(kind, name, room); err != nil {
		return err
	}
	return f(v.d.mem)
}

// look runs f as an operation that changes nothing.
func (v diskFS) look(kind Kind, name string, f func(m *vfs.MemFS) error) error {
	v.d.mu.Lock()
	defer v.d.mu.Unlock()
	if err := v.d.lookLocked(kind, name); err != nil {
		return err
	}
	return f(v.d.mem)
}

func (v diskFS) open(name string, f func(m *vfs.MemFS) (vfs.File, error)) (vfs.File, error) {
	var out vfs.File
	err := v.do(Create, name, true, func(m *vfs.MemFS) error {
		inner, err := f(m)
		if err == nil {
			out = &vfsFile{File: inner, v: v, name: name}
		}
		return err
	})
	return out, err
}

func (v diskFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return v.open(name, func(m *vfs.MemFS) (vfs.File, error) { return m.Create(name, c) })
}

func (v diskFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return v.open(name, func(m *vfs.MemFS) (vfs.File, error) { return m.OpenReadWrite(name, c, opts...) })
}

func (v diskFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return v.open(newname, func(m *vfs.MemFS) (vfs.File, error) { return m.ReuseForWrite(oldname, newname, c) })
}

func (v diskFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	var out vfs.File
	err := v.look(Open, name, func(m *vfs.MemFS) error {
		f, err := m.Open(name, opts...)
		out = &vfsFile{File: f, v: v, name: name}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (v diskFS) OpenDir(name string) (vfs.File, error) {
	var out vfs.File
	err := v.look(Open, name, func(m *vfs.MemFS) error {
		f, err := m.OpenDir(name)
		out = &vfsFile{File: f, v: v, name: name}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (v diskFS) Link(oldname, newname string) error {
	return v.do(Rename, newname, true, func(m *vfs.MemFS) error { return m.Link(oldname, newname) })
}

func (v diskFS) Remove(name string) error {
	return v.do(Remove, name, false, func(m *vfs.MemFS) error {
		if i, err := m.Stat(name); err == nil && i.Size() >= freedBytes {
			v.d.freed = freedOps
		}
		return m.Remove(name)
	})
}

func (v diskFS) RemoveAll(name string) error {
	return v.do(Remove, name, false, func(m *vfs.MemFS) error { return m.RemoveAll(name) })
}

func (v diskFS) Rename(oldname, newname string) error {
	return v.do(Rename, oldname, true, func(m *vfs.MemFS) error { return m.Rename(oldname, newname) })
}

func (v diskFS) MkdirAll(dir string, perm os.FileMode) error {
	return v.do(MakeDir, dir, true, func(m *vfs.MemFS) error { return m.MkdirAll(dir, perm) })
}

// Lock locks a file among the users of this disk. The death of the process, so Kill, unlocks it.
func (v diskFS) Lock(name string) (io.Closer, error) {
	f, err := v.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	v.d.mu.Lock()
	defer v.d.mu.Unlock()
	if v.d.locks[name] {
		return nil, fmt.Errorf("lock %s: held by this process", name)
	}
	v.d.locks[name] = true
	return &lock{v.d, name}, nil
}

type lock struct {
	d    *Disk
	name string
}

func (l *lock) Close() error {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	delete(l.d.locks, l.name)
	return nil
}

func (v diskFS) List(dir string) (names []string, err error) {
	err = v.look(List, dir, func(m *vfs.MemFS) error {
		names, err = m.List(dir)
		return err
	})
	return names, err
}

func (v diskFS) Stat(name string) (info vfs.FileInfo, err error) {
	err = v.look(List, name, func(m *vfs.MemFS) error {
		info, err = m.Stat(name)
		return err
	})
	return info, err
}

func (v diskFS) PathBase(path string) string                  { return v.d.mem.PathBase(path) }
func (v diskFS) PathJoin(elem ...string) string               { return v.d.mem.PathJoin(elem...) }
func (v diskFS) PathDir(path string) string                   { return v.d.mem.PathDir(path) }
func (v diskFS) GetDiskUsage(p string) (vfs.DiskUsage, error) { return v.d.mem.GetDiskUsage(p) }
func (v diskFS) Unwrap() vfs.FS                               { return nil }

// vfsFile is a file whose writes and syncs are counted.
type vfsFile struct {
	vfs.File
	v    diskFS
	name string
}

func (f *vfsFile) Read(p []byte) (int, error) {
	f.v.d.mu.Lock()
	defer f.v.d.mu.Unlock()
	return f.v.d.readLocked(f.name, p, func() (int, error) { return f.File.Read(p) })
}

func (f *vfsFile) ReadAt(p []byte, off int64) (int, error) {
	f.v.d.mu.Lock()
	defer f.v.d.mu.Unlock()
	return f.v.d.readLocked(f.name, p, func() (int, error) { return f.File.ReadAt(p, off) })
}

func (f *vfsFile) Stat() (info vfs.FileInfo, err error) {
	err = f.v.look(List, f.name, func(*vfs.MemFS) error {
		info, err = f.File.Stat()
		return err
	})
	return info, err
}

func (f *vfsFile) Write(p []byte) (int, error) {
	return f.write(p, f.File.Write)
}

func (f *vfsFile) WriteAt(p []byte, off int64) (int, error) {
	return f.write(p, func(p []byte) (int, error) { return f.File.WriteAt(p, off) })
}

// write writes p, or the first half of it and then fails.
func (f *vfsFile) write(p []byte, write func([]byte) (int, error)) (int, error) {
	f.v.d.mu.Lock()
	defer f.v.d.mu.Unlock()
	err := f.v.d.opLocked(Write, f.name, true)
	switch {
	case short(err):
		n, werr := write(p[:len(p)/2])
		return n, errors.Join(err, werr)
	case err != nil:
		return 0, err
	}
	return write(p)
}

func (f *vfsFile) Preallocate(off, n int64) error {
	return f.v.do(Allocate, f.name, true, func(*vfs.MemFS) error { return f.File.Preallocate(off, n) })
}

func (f *vfsFile) Sync() error {
	return f.v.do(Sync, f.name, false, func(*vfs.MemFS) error { return f.File.Sync() })
}

func (f *vfsFile) SyncData() error {
	return f.v.do(Sync, f.name, false, func(*vfs.MemFS) error { return f.File.SyncData() })
}

func (f *vfsFile) SyncTo(n int64) (full bool, err error) {
	err = f.v.do(Sync, f.name, false, func(*vfs.MemFS) error {
		full, err = f.File.SyncTo(n)
		return err
	})
	return full, err
}
