package spilltest

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"sync"

	"github.com/seed69692123/netdb/planner/spill"
)

// ErrFault is what a call that was told to fail returns.
var ErrFault = errors.New("spilltest: fault")

// FS is a file system in memory. The zero value has no files and does not fail. It is safe for concurrent use.
type FS struct {
	// FailAt is the number of the call that fails, from 1 on; 0 for none. Err is its error; nil means ErrFault.
	FailAt int
	Err    error
	// FlipAt is the number of the read whose result has a bit turned; 0 for none.
	FlipAt int
	// Named has files keep their names while they are open, as some systems do.
	Named bool

	mu     sync.Mutex
	calls  int
	reads  int
	most   int // bytes of one call
	open   int
	faults int
	made   int
	names  map[string]bool // and whether the file is open
}

// call counts a call and says whether it fails.
func (f *FS) call() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls++; f.calls != f.FailAt {
		return nil
	}
	f.faults++
	if f.Err != nil {
		return f.Err
	}
	return ErrFault
}

// Calls returns the number of calls there were, Reads that of reads.
func (f *FS) Calls() (calls, reads int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls, f.reads
}

// MostBytes returns how much the largest read or write had, Faults how many calls failed or gave wrong bytes.
func (f *FS) MostBytes() int { return f.most }

// Faults returns how many calls failed or gave wrong bytes.
func (f *FS) Faults() int { return f.faults }

// Created returns how many files were made.
func (f *FS) Created() int { return f.made }

// Left returns the names there are and the number of open files.
func (f *FS) Left() (names []string, open int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n := range f.names {
		names = append(names, n)
	}
	slices.Sort(names)
	return names, f.open
}

// Put makes a file that is not open.
func (f *FS) Put(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.names == nil {
		f.names = map[string]bool{}
	}
	f.names[name] = false
}

// Create implements spill.FS.
func (f *FS) Create(_, name string) (spill.Handle, error) {
	if err := f.call(); err != nil {
		return nil, err
	}
	f.Put(name)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.names[name] = true
	f.open++
	f.made++
	return &handle{fs: f, name: name}, nil
}

// Remove implements spill.FS.
func (f *FS) Remove(_, name string) error {
	if err := f.call(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	open, ok := f.names[name]
	switch {
	case !ok:
		return fs.ErrNotExist
	case open && f.Named:
		return fs.ErrPermission
	}
	delete(f.names, name)
	return nil
}

// List implements spill.FS.
func (f *FS) List(string) ([]string, error) {
	names, _ := f.Left()
	return names, f.call()
}

type handle struct {
	fs   *FS
	name string
	mu   sync.Mutex
	b    []byte
}

func (h *handle) WriteAt(b []byte, at int64) (int, error) {
	h.fs.most = max(h.fs.most, len(b))
	if err := h.fs.call(); err != nil {
		return 0, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if grow := int(at) + len(b) - len(h.b); grow > 0 {
		h.b = append(h.b, make([]byte, grow)...)
	}
	return copy(h.b[at:], b), nil
}

func (h *handle) ReadAt(b []byte, at int64) (int, error) {
	h.fs.most = max(h.fs.most, len(b))
	if err := h.fs.call(); err != nil {
		return 0, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	n := copy(b, h.b[min(at, int64(len(h.b))):])
	if h.fs.reads++; h.fs.reads == h.fs.FlipAt && n > 0 {
		b[h.fs.reads%n] ^= 1 << (h.fs.reads % 8)
		h.fs.faults++
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) Close() error {
	err := h.fs.call()
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	h.fs.open--
	if _, ok := h.fs.names[h.name]; ok {
		h.fs.names[h.name] = false
	}
	return err
}
