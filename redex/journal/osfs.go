package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
)

// OSFS returns the directory dir of the operating system, which must exist. Its files are mapped where that is known to be
// safe (see DESIGN.md), and written with WriteAt elsewhere.
func OSFS(dir string) (FS, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s: %w", dir, syscall.ENOTDIR)
	}
	return &osFS{dir: dir, mapped: mapsSafely(dir), boot: bootID()}, nil
}

// WriteAtFS is OSFS that never maps.
func WriteAtFS(dir string) (FS, error) {
	f, err := OSFS(dir)
	if err != nil {
		return nil, err
	}
	f.(*osFS).mapped = false
	return f, nil
}

// IsDiskFull reports whether err says that there is no room: the disk is full or a quota is used up.
func IsDiskFull(err error) bool {
	if errors.Is(err, ErrDiskFull) {
		return true
	}
	for _, e := range fullErrnos() {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

type osFS struct {
	dir    string
	mapped bool
	boot   [16]byte
}

func (o *osFS) BootID() [16]byte { return o.boot }

func (o *osFS) List() ([]string, error) {
	entries, err := os.ReadDir(o.dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (o *osFS) Create(name string, size int64) (File, error) {
	path := filepath.Join(o.dir, name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if size > 0 {
		err = allocate(f, size)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create %s: %w", path, err), f.Close(), os.Remove(path))
	}
	w, err := o.wrap(f, size, true)
	if err != nil {
		return nil, err
	}
	if err := noReadAhead(w.mem); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (o *osFS) Open(name string, write bool) (File, error) {
	flag := os.O_RDONLY
	if write {
		flag = os.O_RDWR
	}
	f, err := os.OpenFile(filepath.Join(o.dir, name), flag, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return o.wrap(f, info.Size(), write)
}

func (o *osFS) wrap(f *os.File, size int64, write bool) (*osFile, error) {
	w := &osFile{f: f, name: f.Name(), size: size}
	if o.mapped && size > 0 {
		m, err := mapFile(f, size, write)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("map %s: %w", f.Name(), err), f.Close())
		}
		w.mem = m
	}
	return w, nil
}

func (o *osFS) Remove(name string) error { return os.Remove(filepath.Join(o.dir, name)) }

func (o *osFS) Rename(from, to string) error {
	return os.Rename(filepath.Join(o.dir, from), filepath.Join(o.dir, to))
}

// Recyclable looks for a second link to the file.
func (o *osFS) Recyclable(f File) (bool, error) {
	if !o.mapped {
		return false, nil
	}
	return onlyName(f.(*osFile).f)
}

// Recycle keeps the mapping of the file, but no page in it: where readers have mapped some, each would be made writable by a fault of its
// own (2 µs), instead of as many at once as the system manages together.
func (o *osFS) Recycle(f File, from, to string) error {
	w := f.(*osFile)
	w.name = filepath.Join(o.dir, to)
	return errors.Join(forgetMapped(w.mem), o.Rename(from, to))
}

func (o *osFS) SyncDir() error { return syncDir(o.dir) }

// osFile is a file of the operating system. Its memory is mapped from the moment it is opened until Truncate or Close.
type osFile struct {
	f    *os.File
	name string
	size int64
	mem  []byte

	zeros []byte // of PopulateUnits, one call at a time
}

func (f *osFile) Size() int64                              { return f.size }
func (f *osFile) Map() []byte                              { return f.mem }
func (f *osFile) ReadAt(p []byte, off int64) (int, error)  { return f.f.ReadAt(p, off) }
func (f *osFile) WriteAt(p []byte, off int64) (int, error) { return f.f.WriteAt(p, off) }

func (f *osFile) Populate(off, n int64) (int64, error) {
	if f.mem == nil {
		return f.size, nil
	}
	if err := populate(f.mem[off : off+n]); err != nil {
		return 0, fmt.Errorf("populate %s at %d: %w", f.name, off, err)
	}
	return off + n, nil
}

// PopulateUnits writes zeros first: a file system that can manages pages in pieces as long as the writes that made them, and
// then makes and maps a piece at once. Measured on ext4: 0.4 µs for a page by pieces of 512 KiB, 0.8 by 64, 1.1 to 2.9 by
// Populate alone.
func (f *osFile) PopulateUnits(off, n int64, unit int) (int64, error) {
	if f.mem == nil {
		return f.size, nil
	}
	if f.zeros == nil {
		f.zeros = make([]byte, populateStep)
	}
	for at := off; at < off+n; {
		to := min((at/int64(unit)+1)*int64(unit), off+n, at+int64(len(f.zeros)))
		if _, err := f.f.WriteAt(f.zeros[:to-at], at); err != nil {
			return 0, fmt.Errorf("populate %s at %d: %w", f.name, at, err)
		}
		at = to
	}
	if err := touch(f.mem[off : off+n]); err != nil {
		return 0, fmt.Errorf("populate %s at %d: %w", f.name, off, err)
	}
	return off + n, nil
}

// touch writes a zero to each page of m, where nobody else writes yet.
func touch(m []byte) (err error) {
	defer faulted(debug.SetPanicOnFault(true), &err)
	for i := 0; i < len(m); i += 4096 {
		m[i] = 0
	}
	return nil
}

func (f *osFile) SyncRange(off, n int64) error {
	if f.mem == nil {
		return syncData(f.f)
	}
	page := int64(os.Getpagesize())
	from := off &^ (page - 1)
	if whole := (off + n) &^ (page - 1); whole-from >= unmapFrom*page {
		if err := forgetMapped(f.mem[from:whole]); err != nil {
			return err
		}
	}
	return syncMapped(f.mem[from : off+n])
}

// unmapFrom is how many whole pages of a range make it worth to take them out of the page table before they are synced. A sync
// makes each mapped page read-only first, one after the other, and interrupts every processor that runs this process for each
// of them: measured on two processors, 11 to 20 µs a page, and a thread on the other one at 40 to 60 % of its speed. Taken out
// together they cost 0.2 µs a page, and the sync 2 to 4. Who reads them afterwards maps 16 with one fault.
const unmapFrom = 4

func (f *osFile) unmap() error {
	m := f.mem
	f.mem = nil
	if m == nil {
		return nil
	}
	return unmapFile(m)
}

func (f *osFile) Truncate(size int64) error {
	if err := f.unmap(); err != nil {
		return err
	}
	if err := f.f.Truncate(size); err != nil {
		return err
	}
	f.size = size
	return f.f.Sync()
}

func (f *osFile) Close() error {
	err := errors.Join(f.unmap(), f.f.Close())
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	return err
}
