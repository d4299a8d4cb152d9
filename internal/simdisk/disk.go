package simdisk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	pageBytes   = 4096
	sectorBytes = 512
)

// ErrPowerOff is returned by every write and sync after the cut.
var ErrPowerOff = errors.New("simdisk: power is off")

// Disk is a simulated disk.
type Disk struct {
	off chan struct{} // closed when the power is cut or the process killed

	mu    sync.Mutex // held during every operation
	rng   *rand.Rand
	boot  [16]byte
	ops   int64
	cutAt int64
	endAt int64 // the process dies there
	fail  map[int64]Fault
	judge func(Call) Fault
	calls [kinds]int64 // by kind, since judge was set
	plain bool         // files of the journal are not memory
	full  bool
	freed int // operations for which there is room although the disk is full
	dead  bool
	after *image // what survived, once the power was cut
	trace func(op int64, what string)

	files   map[string]*file // the journal's directory as the program sees it
	synced  map[string]*file // as it is on the medium
	changes []change         // from synced to files
	mem     *vfs.MemFS
	locks   map[string]bool
}

// file is a file of the journal's directory.
type file struct {
	mem     []byte         // what the program sees
	medium  []byte         // what is on the disk
	dropped map[int64]bool // pages that a failed sync took for written: no sync writes them, they may leave memory
}

// change is an operation on the directory: creation (from is empty), removal (to is empty) or renaming.
type change struct {
	from, to string
	f        *file
}

// image is the content of a disk.
type image struct {
	files map[string][]byte
	mem   *vfs.MemFS
}

// New returns an empty disk. All chance comes from seed.
func New(seed uint64) *Disk {
	d := newDisk(seed)
	d.mem = vfs.NewCrashableMem()
	return d
}

func newDisk(seed uint64) *Disk {
	d := &Disk{
		off: make(chan struct{}), rng: rand.New(rand.NewPCG(seed, 0x5eed)), fail: make(map[int64]Fault),
		files: make(map[string]*file), synced: make(map[string]*file), locks: make(map[string]bool),
	}
	for i := range d.boot {
		d.boot[i] = byte(1 + d.rng.IntN(255))
	}
	return d
}

// Ops returns the number of operations done so far.
func (d *Disk) Ops() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// CutAt cuts the power at the n-th operation, before it has an effect; the first is 1. A frame placed in memory is an
// operation that has had its effect already.
func (d *Disk) CutAt(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cutAt = n
}

// KillAt makes the process die at the n-th operation, before it has an effect; Kill then returns the disk as it was.
func (d *Disk) KillAt(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.endAt = n
}

// FailAt makes the n-th operation fail. A sync that fails leaves the pages in memory as they are and on the disk as they
// were, and the system takes them for written.
func (d *Disk) FailAt(n int64, f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail[n] = f
}

// Mend takes back what FailAt has asked for.
func (d *Disk) Mend() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.fail)
}

// On a full disk the removal of a file of freedBytes or more makes room for freedOps operations.
const (
	freedBytes = 1 << 20
	freedOps   = 64
)

// SetFull makes every operation that needs room fail, or no longer. Removing a large file, a ballast, makes room for a few.
func (d *Disk) SetFull(full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full, d.freed = full, 0
}

// Trace calls f, which must not use the disk, at each operation; nil ends it.
func (d *Disk) Trace(f func(op int64, what string)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trace = f
}

// Off is closed when the power is cut or the process killed.
func (d *Disk) Off() <-chan struct{} { return d.off }

// Cut cuts the power now, if it is on.
func (d *Disk) Cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cutLocked()
}

// Restart returns the disk after the power failed, with another boot id. It cuts the power if that was not done.
func (d *Disk) Restart(seed uint64) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cutLocked()
	n := newDisk(seed)
	n.boot = d.boot
	binary.BigEndian.PutUint64(n.boot[:], binary.BigEndian.Uint64(d.boot[:])+1) // never one of before
	if d.after == nil {
		panic("simdisk: restart of a disk whose process was killed")
	}
	for name, b := range d.after.files {
		f := &file{mem: clone(b), medium: clone(b), dropped: make(map[int64]bool)}
		n.files[name], n.synced[name] = f, f
	}
	n.mem = d.after.mem.CrashClone(vfs.CrashCloneCfg{})
	return n
}

// Kill returns the disk after the process died, with the same boot id: what was written is there and what was not synced is
// still at risk. The old disk takes no more writes.
func (d *Disk) Kill(seed uint64) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.after != nil {
		panic("simdisk: kill of a process whose power was cut")
	}
	d.stopLocked()
	n := newDisk(seed)
	n.boot = d.boot
	n.full = d.full
	copies := make(map[*file]*file)
	survive := func(f *file) *file {
		if f == nil {
			return nil
		}
		if copies[f] == nil {
			c := &file{mem: clone(f.mem), medium: clone(f.medium), dropped: make(map[int64]bool)}
			for _, p := range slices.Sorted(maps.Keys(f.dropped)) {
				if n.rng.IntN(2) == 0 {
					copy(page(c.mem, p), page(c.medium, p))
				} else {
					c.dropped[p] = true
				}
			}
			copies[f] = c
		}
		return copies[f]
	}
	for _, name := range sortedNames(d.files) {
		n.files[name] = survive(d.files[name])
	}
	for _, name := range sortedNames(d.synced) {
		n.synced[name] = survive(d.synced[name])
	}
	for _, c := range d.changes {
		n.changes = append(n.changes, change{c.from, c.to, survive(c.f)})
	}
	n.mem = d.mem
	return n
}

// opLocked counts an operation and returns how it fails.
func (d *Disk) opLocked(kind Kind, name string, room bool) error {
	what := kind.String() + " " + name
	if d.dead {
		return fmt.Errorf("%s: %w", what, ErrPowerOff)
	}
	d.ops++
	if d.trace != nil {
		d.trace(d.ops, what)
	}
	if d.ops == d.cutAt || d.ops == d.endAt {
		if d.ops == d.cutAt {
			d.cutLocked()
		}
		d.stopLocked()
		return fmt.Errorf("%s: %w", what, ErrPowerOff)
	}
	f, ok := d.fail[d.ops]
	if !ok {
		f = d.judgeLocked(kind, name)
	}
	if f != NoFault {
		return &faultError{what, f}
	}
	if d.full && room {
		if d.freed > 0 {
			d.freed--
			return nil
		}
		return &faultError{what, DiskFull}
	}
	return nil
}

// stopLocked ends all writing.
func (d *Disk) stopLocked() {
	if !d.dead {
		d.dead = true
		close(d.off)
	}
}

// cutLocked decides what survives.
func (d *Disk) cutLocked() {
	if d.dead {
		return
	}
	d.stopLocked()
	percent := []int{0, 10, 50, 90, 100}[d.rng.IntN(5)]
	dir := make(map[string]*file, len(d.synced))
	maps.Copy(dir, d.synced)
	for _, c := range d.changes {
		if d.rng.IntN(100) < percent {
			c.apply(dir)
		}
	}
	img := &image{files: make(map[string][]byte, len(dir))}
	for _, name := range sortedNames(dir) {
		img.files[name] = dir[name].survivors(d.rng, percent)
	}
	img.mem = d.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: d.rng})
	d.after = img
}

// apply does the change to a directory, if what it is about is there.
func (c change) apply(dir map[string]*file) {
	switch {
	case c.from == "":
		dir[c.to] = c.f
	case dir[c.from] == c.f:
		delete(dir, c.from)
		if c.to != "" {
			dir[c.to] = c.f
		}
	}
}

// survivors returns what is on the disk after the power failed, when percent of what was not synced was written.
func (f *file) survivors(rng *rand.Rand, percent int) []byte {
	out := clone(f.medium)
	for p := int64(0); p*pageBytes < int64(len(out)); p++ {
		if f.dropped[p] {
			continue
		}
		old, now := page(out, p), page(f.mem, p)
		if string(old) == string(now) {
			continue
		}
		if rng.IntN(8) > 0 {
			if rng.IntN(100) < percent {
				copy(old, now)
			}
			continue
		}
		for at := 0; at < len(old); at += sectorBytes {
			if rng.IntN(100) < percent {
				copy(old[at:min(at+sectorBytes, len(old))], now[at:])
			}
		}
	}
	return out
}

// page returns page p of b.
func page(b []byte, p int64) []byte {
	return b[min(p*pageBytes, int64(len(b))):min((p+1)*pageBytes, int64(len(b)))]
}

func clone(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }
