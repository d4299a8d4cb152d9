package spill

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/seed69692123/netdb/planner/vector"
)

// Options of a Dir.
type Options struct {
	// Path is the directory. It is made with the first file.
	Path string
	// LimitBytes is what all files may have together; 0 or less is without a limit.
	LimitBytes int64
	// FS is the file system; nil is that of the system.
	FS FS
}

// Dir is a directory for the temporary files of queries. Others may use it too.
type Dir struct {
	path  string
	limit int64
	fs    FS
	used  atomic.Int64
	files atomic.Int64
	ids   atomic.Uint64
}

// The names of our files, with 32 hexadecimal digits between.
const (
	namePrefix = "netdb-spill-"
	nameSuffix = ".tmp"
	nameDigits = 32
)

// Open removes what a crash has left in the directory. It writes nothing.
func Open(o Options) *Dir {
	d := &Dir{path: o.Path, limit: o.LimitBytes, fs: o.FS}
	if d.fs == nil {
		d.fs = osFS{}
	}
	names, err := d.fs.List(d.path)
	if err != nil {
		return d // it is not needed before a query spills, and that tells
	}
	for _, n := range names {
		if ours(n) {
			_ = d.fs.Remove(d.path, n) // it fails where somebody has it open
		}
	}
	return d
}

func ours(name string) bool {
	name, pre := strings.CutPrefix(name, namePrefix)
	name, post := strings.CutSuffix(name, nameSuffix)
	_, err := hex.DecodeString(name)
	return pre && post && err == nil && len(name) == nameDigits
}

// UsedBytes returns the size of all files, Files how many are open.
func (d *Dir) UsedBytes() int64 { return d.used.Load() }

// Files returns the number of open files.
func (d *Dir) Files() int64 { return d.files.Load() }

// take counts n bytes more.
func (d *Dir) take(n int64) error {
	if used := d.used.Add(n); d.limit > 0 && used > d.limit {
		d.used.Add(-n)
		return &LimitError{NeedBytes: used, LimitBytes: d.limit}
	}
	return nil
}

// open makes a file.
func (d *Dir) open() (file, error) {
	var random [nameDigits / 2]byte
	if _, err := rand.Read(random[:]); err != nil {
		return file{}, &Error{"create", d.path, err}
	}
	f := file{dir: d, name: namePrefix + hex.EncodeToString(random[:]) + nameSuffix, id: d.ids.Add(1)}
	var err error
	if f.h, err = d.fs.Create(d.path, f.name); err != nil {
		return file{}, &Error{"create", f.path(), err}
	}
	d.files.Add(1)
	f.named = !f.remove()
	return f, nil
}

// file is an open file, which may have a name still.
type file struct {
	dir   *Dir
	h     Handle
	name  string
	named bool
	id    uint64
	size  int64
}

func (f *file) path() string { return filepath.Join(f.dir.path, f.name) }

// remove takes the file's name away and reports whether it has none now. One that somebody else has taken away, who was opening
// the directory at this moment, is fine.
func (f *file) remove() bool {
	err := f.dir.fs.Remove(f.dir.path, f.name)
	return err == nil || errors.Is(err, fs.ErrNotExist)
}

func (f *file) close() error {
	var errs []error
	if err := f.h.Close(); err != nil {
		errs = append(errs, &Error{"close", f.path(), err})
	}
	if f.named {
		if err := f.dir.fs.Remove(f.dir.path, f.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, &Error{"remove", f.path(), err})
		}
	}
	f.dir.used.Add(-f.size)
	f.dir.files.Add(-1)
	return errors.Join(errs...)
}

// Area is the files of one operator.
type Area struct {
	dir   *Dir
	gate  vector.Gate
	files map[*File]struct{}
	raw   []byte // of the chunk being made or read
	comp  []byte
	wrote int64
}

// Area returns an area without files. The gate is asked before each chunk is written or read.
func (d *Dir) Area(g vector.Gate) *Area { return &Area{dir: d, gate: g, files: map[*File]struct{}{}} }

// WrittenBytes returns how much was written, also to files that are closed.
func (a *Area) WrittenBytes() int64 { return a.wrote }

// MemoryBytes returns the memory that the area holds beside that of its files.
func (a *Area) MemoryBytes() int64 { return int64(cap(a.raw) + cap(a.comp)) }

// Close closes and removes all files.
func (a *Area) Close() error {
	var errs []error
	for f := range a.files {
		errs = append(errs, f.Close())
	}
	a.raw, a.comp = nil, nil
	return errors.Join(errs...)
}
