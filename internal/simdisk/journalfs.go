package simdisk

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"

	"github.com/seed69692123/netdb/redex/journal"
)

// Journal returns the directory of the journal.
func (d *Disk) Journal() journal.FS { return journalFS{d} }

type journalFS struct{ d *Disk }

func sortedNames(dir map[string]*file) []string { return slices.Sorted(maps.Keys(dir)) }

func (j journalFS) BootID() [16]byte { return j.d.boot }

func (j journalFS) List() ([]string, error) {
	j.d.mu.Lock()
	defer j.d.mu.Unlock()
	if err := j.d.lookLocked(List, "the directory"); err != nil {
		return nil, err
	}
	return sortedNames(j.d.files), nil
}

func (j journalFS) Create(name string, size int64) (journal.File, error) {
	d := j.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.opLocked(Create, name, true); err != nil {
		return nil, err
	}
	if d.files[name] != nil {
		return nil, fmt.Errorf("create %s: %w", name, fs.ErrExist)
	}
	f := &file{mem: make([]byte, size), medium: make([]byte, size), dropped: make(map[int64]bool)}
	d.change(change{to: name, f: f})
	return &handle{d: d, f: f, name: name, plain: d.plain}, nil
}

// change changes the directory; it is at risk until SyncDir.
func (d *Disk) change(c change) {
	c.apply(d.files)
	d.changes = append(d.changes, c)
}

func (j journalFS) Open(name string, write bool) (journal.File, error) {
	j.d.mu.Lock()
	defer j.d.mu.Unlock()
	if err := j.d.lookLocked(Open, name); err != nil {
		return nil, err
	}
	f := j.d.files[name]
	if f == nil {
		return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	return &handle{d: j.d, f: f, name: name, plain: j.d.plain}, nil
}

func (j journalFS) Remove(name string) error {
	d := j.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.opLocked(Remove, name, false); err != nil {
		return err
	}
	f := d.files[name]
	if f == nil {
		return fmt.Errorf("remove %s: %w", name, fs.ErrNotExist)
	}
	d.change(change{from: name, f: f})
	return nil
}

func (j journalFS) Rename(from, to string) error {
	d := j.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.opLocked(Rename, from, true); err != nil {
		return err
	}
	f := d.files[from]
	if f == nil {
		return fmt.Errorf("rename %s: %w", from, fs.ErrNotExist)
	}
	d.change(change{from: from, to: to, f: f})
	return nil
}

// Recyclable reports whether files are mapped.
func (j journalFS) Recyclable(journal.File) (bool, error) { return !j.d.plain, nil }

// Recycle is Rename of a file that is open.
func (j journalFS) Recycle(f journal.File, from, to string) error {
	f.(*handle).name = to
	return j.Rename(from, to)
}

func (j journalFS) SyncDir() error {
	d := j.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.opLocked(Sync, "the directory", false); err != nil {
		return err
	}
	d.synced = maps.Clone(d.files)
	d.changes = nil
	return nil
}

// handle is an open file of the journal's directory.
type handle struct {
	d     *Disk
	f     *file
	name  string
	plain bool // to be written with WriteAt
}

func (h *handle) Size() int64 { return int64(len(h.f.mem)) }

func (h *handle) Map() []byte {
	if h.plain {
		return nil
	}
	return h.f.mem
}

func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	return h.d.readLocked(h.name, p, func() (int, error) {
		n := copy(p, h.f.mem[min(off, int64(len(h.f.mem))):])
		if n < len(p) {
			return n, io.EOF
		}
		return n, nil
	})
}

func (h *handle) WriteAt(p []byte, off int64) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	err := h.d.opLocked(Write, h.name, true)
	switch {
	case short(err):
		p = p[:len(p)/2]
	case err != nil:
		return 0, err
	}
	if off+int64(len(p)) > int64(len(h.f.mem)) {
		return 0, io.ErrShortWrite
	}
	h.f.dirtied(off, int64(len(p)))
	return copy(h.f.mem[off:], p), err
}

// dirtied notes that pages were written again after a failed sync.
func (f *file) dirtied(off, n int64) {
	for p := off / pageBytes; p*pageBytes < off+n && len(f.dropped) > 0; p++ {
		delete(f.dropped, p)
	}
}

// BeginWrite keeps syncs and cuts away while the program writes to memory.
func (h *handle) BeginWrite() { h.d.mu.Lock() }

// EndWrite ends a write to memory, and counts it.
func (h *handle) EndWrite(off, n int64) {
	defer h.d.mu.Unlock()
	h.f.dirtied(off, n)
	_ = h.d.opLocked(Place, h.name, false) // memory takes it though the power is off: nobody will see it
}

func (h *handle) Populate(off, n int64) (int64, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.d.opLocked(Populate, h.name, true); err != nil {
		return 0, err
	}
	return off + n, nil
}

func (h *handle) SyncRange(off, n int64) error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	err := h.d.opLocked(Sync, h.name, false)
	if h.d.dead {
		return err
	}
	for p := off / pageBytes; p*pageBytes < off+n; p++ {
		if err != nil {
			if string(page(h.f.mem, p)) != string(page(h.f.medium, p)) {
				h.f.dropped[p] = true
			}
			continue
		}
		if !h.f.dropped[p] { // the system takes it for written
			copy(page(h.f.medium, p), page(h.f.mem, p))
		}
	}
	return err
}

func (h *handle) Truncate(size int64) error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if err := h.d.opLocked(Truncate, h.name, false); err != nil {
		return err
	}
	h.f.mem, h.f.medium = clone(h.f.mem[:size]), clone(h.f.medium[:size])
	return nil
}

func (h *handle) Close() error { return nil }

// Corrupt changes one byte of a file of the journal's directory, in memory and on the disk.
func (d *Disk) Corrupt(name string, off int64, xor byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[name]
	f.mem[off] ^= xor
	f.medium[off] = f.mem[off]
}
