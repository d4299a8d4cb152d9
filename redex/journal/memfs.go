package journal

import (
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"sync"
)

// MemFS returns a directory in memory, for stores that are never on disk. Its segments are slices of the heap; its files live
// as long as it does.
func MemFS() FS {
	m := &memFS{files: make(map[string]*memFile)}
	_, _ = rand.Read(m.boot[:]) // never fails
	return m
}

type memFS struct {
	boot [16]byte

	mu    sync.Mutex // guards files
	files map[string]*memFile
}

func (m *memFS) BootID() [16]byte { return m.boot }

func (m *memFS) List() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := make([]string, 0, len(m.files))
	for name := range m.files {
		names = append(names, name)
	}
	return names, nil
}

func (m *memFS) Create(name string, size int64) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[name] != nil {
		return nil, fmt.Errorf("create %s: %w", name, fs.ErrExist)
	}
	f := &memFile{mem: make([]byte, size)}
	m.files[name] = f
	return f, nil
}

func (m *memFS) Open(name string, write bool) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.files[name]
	if f == nil {
		return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	return f, nil
}

func (m *memFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[name] == nil {
		return fmt.Errorf("remove %s: %w", name, fs.ErrNotExist)
	}
	delete(m.files, name)
	return nil
}

func (m *memFS) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.files[from]
	if f == nil {
		return fmt.Errorf("rename %s: %w", from, fs.ErrNotExist)
	}
	delete(m.files, from)
	m.files[to] = f
	return nil
}

func (m *memFS) SyncDir() error { return nil }

// memFile is a file in memory. Its slice shrinks only when nobody uses it (Truncate).
type memFile struct{ mem []byte }

func (f *memFile) Size() int64 { return int64(len(f.mem)) }
func (f *memFile) Map() []byte { return f.mem }

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(f.mem)) {
		return 0, io.EOF
	}
	n := copy(p, f.mem[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > int64(len(f.mem)) {
		return 0, io.ErrShortWrite
	}
	return copy(f.mem[off:], p), nil
}

func (f *memFile) Populate(off, n int64) (int64, error) { return int64(len(f.mem)), nil }
func (f *memFile) SyncRange(off, n int64) error         { return nil }

func (f *memFile) Truncate(size int64) error {
	f.mem = append([]byte(nil), f.mem[:size]...) // a smaller slice, so that the rest can be freed
	return nil
}

func (f *memFile) Close() error { return nil }
