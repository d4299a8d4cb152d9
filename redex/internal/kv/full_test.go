package kv

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
)

// smallDisk counts allocations, which are everything that may find no room, and is full from one of them on. Removing a file
// makes room for as many bytes, unless others on the disk take it at once.
type smallDisk struct {
	*vfs.MemFS
	greedy bool                   // others take what is given up
	until  func(path string) bool // when not nil: the disk becomes full at the first allocation for such a path
	before func(path string)      // when not nil: called before each write

	mu     sync.Mutex
	fullAt int // this allocation
	allocs int
	full   bool
	hit    string // the allocation that was refused first
	room   int64  // bytes, while it is full
	sizes  map[string]int64
	tables int // allocations for tables while the ballast was given up
	tries  int // to make it again
}

func newSmallDisk(fullAt int, greedy bool) *smallDisk {
	return &smallDisk{MemFS: vfs.NewCrashableMem(), fullAt: fullAt, greedy: greedy, sizes: map[string]int64{}}
}

// heal ends the lack of room.
func (d *smallDisk) heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full, d.fullAt, d.until = false, 0, nil
}

// fill makes the disk full now.
func (d *smallDisk) fill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full, d.room = true, 0
}

// fillAt makes the disk full when one of the files is next written.
func (d *smallDisk) fillAt(file func(path string) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.until = file
}

func (d *smallDisk) refused() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hit
}

// take returns how many of n bytes there is room for. A name takes one.
func (d *smallDisk) take(op, path string, n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.allocs++
	torn := false
	if !d.full && (d.allocs == d.fullAt || d.until != nil && d.until(path)) {
		d.full, d.room, torn = true, 0, n > 1
	}
	if d.full {
		if torn { // the first write that is refused is half done
			d.room = int64(n / 2)
		}
		if _, ok := d.sizes[filepath.Join("catalog", ballastName)]; !ok && roleOf(path, "") == compacted {
			d.tables++
		}
		if filepath.Base(path) == ballastName {
			d.tries++
		}
		got := int(min(int64(n), d.room))
		d.room -= int64(got)
		if got < n && d.hit == "" {
			d.hit = op + " " + path
		}
		n = got
	}
	d.sizes[path] += int64(n)
	return n
}

func (d *smallDisk) name(op, path string) error {
	if d.take(op, path, 1) == 0 {
		return &os.PathError{Op: op, Path: path, Err: syscall.ENOSPC}
	}
	return nil
}

func (d *smallDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.name("create", name); err != nil {
		return nil, err
	}
	f, err := d.MemFS.Create(name, c)
	if err != nil {
		return nil, err
	}
	return &smallFile{f, d, name}, nil
}

func (d *smallDisk) MkdirAll(dir string, perm os.FileMode) error {
	if err := d.name("mkdir", dir); err != nil {
		return err
	}
	return d.MemFS.MkdirAll(dir, perm)
}

func (d *smallDisk) Rename(a, b string) error {
	if err := d.name("rename", b); err != nil {
		return err
	}
	return d.MemFS.Rename(a, b)
}

func (d *smallDisk) Link(a, b string) error {
	if err := d.name("link", b); err != nil {
		return err
	}
	return d.MemFS.Link(a, b)
}

func (d *smallDisk) Lock(name string) (io.Closer, error) {
	if err := d.name("lock", name); err != nil {
		return nil, err
	}
	return d.MemFS.Lock(name)
}

func (d *smallDisk) Remove(name string) error {
	if err := d.MemFS.Remove(name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.greedy {
		d.room += d.sizes[name]
	}
	delete(d.sizes, name)
	return nil
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	u := vfs.DiskUsage{AvailBytes: 1 << 40, TotalBytes: 1 << 41, UsedBytes: 1 << 40}
	if d.full {
		u.AvailBytes = uint64(d.room)
	}
	return u, nil
}

type smallFile struct {
	vfs.File
	d    *smallDisk
	path string
}

func (f *smallFile) Write(b []byte) (int, error) {
	if f.d.before != nil {
		f.d.before(f.path)
	}
	n := f.d.take("write", f.path, len(b))
	m, err := f.File.Write(b[:n])
	if err == nil && n < len(b) {
		err = &os.PathError{Op: "write", Path: f.path, Err: syscall.ENOSPC}
	}
	return m, err
}

// healed waits until the DB says that there is room, by itself.
func healed(t *testing.T, db *DB) {
	t.Helper()
	for {
		change := db.state.next()
		err := db.Err()
		if err == nil {
			return
		}
		if !errors.Is(err, ErrDiskFull) {
			t.Fatal(err)
		}
		select {
		case <-change:
		case <-time.After(time.Hour): // of the bubble
			t.Fatalf("still %v an hour after there was room", err)
		}
	}
}

const testBallast = 100_000

var fullOptions = Options{BallastBytes: testBallast, MemtableBytes: 256 << 10, manifestBytes: 500}

// fullCase is a way to play the script.
type fullCase struct {
	greedy  bool // others take what the ballast gives
	reopen  bool // the map is closed while the disk is full
	overlap bool // compactions run while the script goes on, by chance; otherwise before it does
}

// fullBatches is how much of the script is played on a full disk.
const fullBatches = 28

// TestFullAnywhere fills the disk at each allocation in turn, in Open and in the script, and until there is room again nothing
// more can be allocated but, unless others are quicker, what the ballast gave. Open then fails and can be repeated. An open map
// says ErrDiskFull, is never poisoned, can be read, and goes on by itself when there is room; closed and opened again it holds
// all that was flushed.
func TestFullAnywhere(t *testing.T) {
	states := scriptStates(t)
	for _, c := range []fullCase{{}, {greedy: true}, {greedy: true, reopen: true}, {greedy: true, overlap: true}} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			inOpen, later := 0, map[string]int{}
			for at := 1; ; at++ {
				disk := newSmallDisk(at, c.greedy)
				opened := true
				synctest.Test(t, func(t *testing.T) { opened = fullAt(t, disk, c, states) })
				hit := disk.refused()
				if t.Failed() {
					t.Fatalf("allocation %d: %s", at, hit)
				}
				if hit == "" {
					break
				}
				if !opened {
					inOpen++
					continue
				}
				op, path, _ := strings.Cut(hit, " ")
				name, _, _ := strings.Cut(filepath.Base(path), "-")
				if filepath.Ext(name) == ".sst" {
					name = "table"
				} else if isMarker(name) {
					name = "marker"
				}
				later[op+" "+name]++
			}
			t.Logf("%d in open, later %v", inOpen, later)
			for _, hit := range []string{"create table", "write table", "create MANIFEST", "write MANIFEST", "create marker"} {
				if later[hit] == 0 && !c.overlap {
					t.Errorf("never at %s", hit)
				}
			}
			if inOpen < 10 {
				t.Errorf("only %d in open", inOpen)
			}
		})
	}
}

// fullAt plays the script on a disk that becomes full, and reports whether it did after the map was open.
func fullAt(t *testing.T, disk *smallDisk, c fullCase, states []map[string]string) (opened bool) {
	db, err := Open(disk, "catalog", fullOptions)
	if err != nil {
		if !errors.Is(err, ErrDiskFull) || errors.Is(err, ErrLocked) || errors.Is(err, ErrCorrupt) {
			t.Fatalf("open: %v", err)
		}
		disk.heal()
		if db, err = Open(disk, "catalog", fullOptions); err != nil {
			t.Fatalf("open with room: %v", err)
		}
	} else {
		opened = disk.refused() == ""
	}
	applied, flushed := 0, 0
	settle := func() {
		if !c.overlap {
			synctest.Wait()
		}
	}
	step, done := func(n int) { applied = n; settle() }, func(n int) { flushed = n; settle() }
	settle()
	err = scriptPart(t, db, 1, fullBatches, step, done)
	if err != nil && (!errors.Is(err, ErrDiskFull) || errors.Is(err, ErrFailed)) {
		t.Fatalf("script after batch %d: %v", applied, err)
	}
	if err := db.Err(); err != nil && (!errors.Is(err, ErrDiskFull) || errors.Is(err, ErrFailed)) {
		t.Fatal(err)
	}
	got, err := dump(db, nil, nil)
	if d := cmp.Diff(states[applied], got); d != "" || err != nil {
		t.Fatalf("read on a full disk: %v %s", err, d)
	}
	db.Metrics() // returns
	isPrefix(t, "crash on a full disk", disk.CrashClone(vfs.CrashCloneCfg{}), states, flushed, applied)
	if c.reopen {
		if err := db.Close(); err != nil {
			t.Fatalf("close on a full disk: %v", err)
		}
		disk.heal()
		if db, err = Open(disk, "catalog", fullOptions); err != nil {
			t.Fatalf("open with room: %v", err)
		}
		was := applied
		applied = 0
		if s := get(t, db, "n"); s != "-" {
			if _, err := fmt.Sscan(s, &applied); err != nil {
				t.Fatal(err)
			}
		}
		if applied < flushed || applied > was {
			t.Fatalf("after batch %d, want %d to %d", applied, flushed, was)
		}
	} else {
		disk.heal()
	}
	healed(t, db)
	if err := scriptPart(t, db, applied+1, fullBatches, step, done); err != nil {
		t.Fatalf("script goes on: %v", err)
	}
	if err := errors.Join(db.Flush(t.Context()), db.Err()); err != nil {
		t.Fatal(err)
	}
	got, err = dump(db, nil, nil)
	if d := cmp.Diff(states[fullBatches], got); d != "" || err != nil {
		t.Fatalf("at the end: %v %s", err, d)
	}
	if i, err := disk.Stat("catalog/ballast"); err != nil || i.Size() != testBallast || db.Metrics().BallastReleased {
		t.Fatalf("ballast: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	isPrefix(t, "at the end", disk.CrashClone(vfs.CrashCloneCfg{}), states, fullBatches, fullBatches)
	return opened
}

func isManifest(path string) bool { return roleOf(path, "") == manifest }

// TestDiskFull fills the disk just before a manifest is written: the ballast makes room for that, no table takes it, writes are
// taken until memory for them is used up, and all goes on when room returns, with a new ballast.
func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newSmallDisk(0, false)
		db := open(t, disk, fullOptions)
		set(t, db, "a", "1")
		disk.fillAt(isManifest)
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !isManifest(disk.refused()) || !db.Metrics().BallastReleased || !errors.Is(db.Err(), ErrDiskFull) {
			t.Fatalf("%s: %v", disk.refused(), db.Err())
		}
		set(t, db, "b", "2")
		if err := db.Flush(t.Context()); !errors.Is(err, ErrDiskFull) {
			t.Fatal(err)
		}
		b := overfill(t, db, ErrDiskFull)
		time.Sleep(time.Hour)
		if disk.tables != 0 {
			t.Errorf("the room for the manifest was used %d times for tables", disk.tables)
		}
		if disk.tries != 0 {
			t.Errorf("took the last room %d times for a part of the ballast", disk.tries)
		}
		if got := get(t, db, "a") + get(t, db, "b"); got != "12" {
			t.Error(got)
		}
		again := open(t, disk.CrashClone(vfs.CrashCloneCfg{}), Options{BallastBytes: -1})
		if got := get(t, again, "a"); got != "1" {
			t.Error(got)
		}
		disk.heal()
		healed(t, db)
		if err := errors.Join(db.Apply(t.Context(), b), db.Flush(t.Context()), db.Err()); err != nil {
			t.Fatal(err)
		}
		if i, err := disk.Stat("catalog/ballast"); err != nil || i.Size() != testBallast || db.Metrics().BallastReleased {
			t.Errorf("ballast: %v", err)
		}
	})
}

// TestTableStopsForTheManifest gives up the ballast in the middle of a flush, as a compaction's manifest would: the flush leaves
// the room alone.
func TestTableStopsForTheManifest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newSmallDisk(0, false)
		db := open(t, disk, fullOptions)
		rng := rand.New(rand.NewPCG(1, 2))
		for i := range 1000 {
			set(t, db, fmt.Sprintf("%03d", i), fmt.Sprint(rng.Uint64(), rng.Uint64()))
		}
		tables := 0
		disk.before = func(path string) {
			if filepath.Ext(path) != ".sst" {
				return
			}
			if tables++; tables == 2 {
				disk.fill()
				if !db.fs.ballast.give() {
					t.Error("no ballast")
				}
			}
		}
		if err := db.Flush(t.Context()); !errors.Is(err, ErrDiskFull) {
			t.Error(err)
		}
		if disk.tables != 1 { // the write that was past the check
			t.Errorf("%d allocations for tables", disk.tables)
		}
		disk.heal()
		healed(t, db)
		if err := db.Flush(t.Context()); err != nil || tables < 5 {
			t.Errorf("%d writes, %v", tables, err)
		}
	})
}

// overfill applies batches until one is refused, which it returns.
func overfill(t *testing.T, db *DB, want error) *Batch {
	t.Helper()
	b := db.NewBatch()
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		v := make([]byte, 30_000)
		for j := range v {
			v[j] = byte(rng.Uint32())
		}
		if err := b.Set(fmt.Appendf(nil, "big/%d", i), v); err != nil {
			t.Fatal(err)
		}
		if err := db.Apply(t.Context(), b); err != nil {
			if !errors.Is(err, want) || errors.Is(err, ErrFailed) {
				t.Fatal(err)
			}
			return b
		}
	}
	t.Fatal("no back pressure")
	return nil
}

// TestManifestWaits takes away what the ballast gives: the manifest waits for room, nothing else waits with it, and nothing is
// lost.
func TestManifestWaits(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		t.Run(fmt.Sprintf("reopen=%v", reopen), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk := newSmallDisk(0, true)
				db := open(t, disk, fullOptions)
				set(t, db, "a", "1")
				if err := db.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				for db.Metrics().Flushes == 0 { // figures of before, while the manifest is written
					runtime.Gosched()
				}
				set(t, db, "b", "2")
				disk.fillAt(isManifest)
				for range 3 {
					if err := db.Flush(t.Context()); !errors.Is(err, ErrDiskFull) {
						t.Fatal(err)
					}
				}
				if _, stuck := db.state.manifest(); !stuck || !errors.Is(db.Err(), ErrDiskFull) {
					t.Fatalf("%v, %v", stuck, db.Err())
				}
				before := db.Metrics()
				if _, stuck := db.state.manifest(); !stuck || before.Flushes == 0 {
					t.Errorf("%+v", before)
				}
				overfill(t, db, ErrDiskFull)
				if got := get(t, db, "a") + get(t, db, "b"); got != "12" {
					t.Error(got)
				}
				if _, ok, err := db.GetFlushed([]byte("b"), nil); ok || err != nil {
					t.Errorf("%v %v", ok, err)
				}
				time.Sleep(time.Hour)
				want := "2"
				if reopen {
					if err := db.Close(); err != nil {
						t.Fatal(err)
					}
					disk.heal()
					db = open(t, disk, fullOptions)
					want = "-"
				}
				disk.heal()
				healed(t, db)
				if err := errors.Join(db.Flush(t.Context()), db.Err()); err != nil {
					t.Fatal(err)
				}
				if got := get(t, db, "a") + get(t, db, "b"); got != "1"+want {
					t.Error(got)
				}
			})
		})
	}
}

// TestCompactWhileManifestWaits compacts while a compaction before it waits for room to note what it did, which it gets from the
// ballast at last: no call waits with it.
func TestCompactWhileManifestWaits(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			disk := newSmallDisk(0, true)
			db := open(t, disk, fullOptions)
			for _, value := range []string{"1", "2"} {
				set(t, db, "a", value)
				if err := db.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				if value == "1" {
					if err := db.Compact(t.Context(), []byte("a"), []byte("b")); err != nil {
						t.Fatal(err)
					}
				}
			}
			disk.fillAt(isManifest)
			for range 3 {
				if err := db.Compact(t.Context(), []byte("a"), []byte("b")); err != nil && !errors.Is(err, ErrDiskFull) {
					t.Fatal(err)
				}
			}
			disk.heal()
			healed(t, db)
			if err := db.Compact(t.Context(), []byte("a"), []byte("b")); err != nil {
				t.Error(err)
			}
			if got := get(t, db, "a"); got != "2" {
				t.Error(got)
			}
		})
	}
}

// TestManifestFirst gives room for no more than the ballast, at different moments, to a manifest that waits and a ballast that is
// to be made: the manifest gets it.
func TestManifestFirst(t *testing.T) {
	for phase := range 20 {
		synctest.Test(t, func(t *testing.T) {
			disk := newSmallDisk(0, true)
			db := open(t, disk, fullOptions)
			set(t, db, "a", "1")
			disk.fillAt(isManifest)
			if err := db.Flush(t.Context()); !errors.Is(err, ErrDiskFull) {
				t.Fatal(err)
			}
			time.Sleep(time.Hour + time.Duration(phase)*100*time.Millisecond)
			disk.mu.Lock()
			disk.room = testBallast
			disk.mu.Unlock()
			time.Sleep(mostRest + time.Millisecond)
			if _, ok, err := db.GetFlushed([]byte("a"), nil); !ok || err != nil {
				t.Errorf("phase %d: %v %v", phase, ok, err)
			}
			disk.heal()
			healed(t, db)
		})
	}
}

// TestFlushesOnAFullDisk flushes again and again: that takes no memory.
func TestFlushesOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := newSmallDisk(0, false)
		db := open(t, disk, Options{})
		set(t, db, "a", "1")
		disk.fill()
		for range 100 {
			if err := db.Flush(t.Context()); !errors.Is(err, ErrDiskFull) {
				t.Fatal(err)
			}
		}
		if m := db.Metrics(); m.MemtableBytes > 1<<20 {
			t.Errorf("%d bytes of memtables", m.MemtableBytes)
		}
		disk.heal()
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// TestCloseWhileFull closes while Pebble waits for room.
func TestCloseWhileFull(t *testing.T) {
	disk := newSmallDisk(0, false)
	db, err := Open(disk, "catalog", Options{})
	if err != nil {
		t.Fatal(err)
	}
	set(t, db, "a", "1")
	disk.fill()
	if err := db.Flush(t.Context()); !errors.Is(err, ErrDiskFull) {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	noGoroutines(t)
}
