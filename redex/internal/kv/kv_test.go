package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
)

func open(t testing.TB, fs vfs.FS, o Options) *DB {
	t.Helper()
	db, err := Open(fs, "catalog", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func set(t testing.TB, db *DB, pairs ...string) {
	t.Helper()
	b := db.NewBatch()
	for i := 0; i < len(pairs); i += 2 {
		if err := b.Set([]byte(pairs[i]), []byte(pairs[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if !b.Empty() {
		t.Fatal("batch not emptied")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, db *DB, key string) string {
	t.Helper()
	v, ok, err := db.Get([]byte(key), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !ok {
		return "-"
	}
	return string(v)
}

func dump(db *DB, from, to []byte) (map[string]string, error) {
	it, err := db.NewIter(from, to)
	if err != nil {
		return nil, err
	}
	m := map[string]string{}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.Value()
		if err != nil {
			return nil, errors.Join(err, it.Close())
		}
		m[string(it.Key())] = string(v)
	}
	return m, it.Close()
}

func TestBasics(t *testing.T) {
	db := open(t, vfs.NewMem(), Options{BallastBytes: -1})
	set(t, db, "a", "1", "b", "2", "c", "3", "d", "4")
	if got := get(t, db, "b"); got != "2" {
		t.Error(got)
	}
	if got := get(t, db, "x"); got != "-" {
		t.Error(got)
	}
	if got, ok, err := db.Get([]byte("a"), []byte("prefix ")); string(got) != "prefix 1" || !ok || err != nil {
		t.Errorf("%q %v %v", got, ok, err)
	}
	if _, ok, err := db.GetFlushed([]byte("a"), nil); ok || err != nil {
		t.Errorf("flushed before Flush: %v %v", ok, err)
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.Flush(t.Context()); err != nil { // nothing to do
		t.Fatal(err)
	}
	set(t, db, "a", "9")
	if v, ok, err := db.GetFlushed([]byte("a"), nil); string(v) != "1" || !ok || err != nil {
		t.Errorf("flushed: %q %v %v", v, ok, err)
	}
	b := db.NewBatch()
	if err := errors.Join(b.DeleteRange([]byte("a"), []byte("c")), b.Delete([]byte("d")), b.Set([]byte("e"), nil)); err != nil {
		t.Fatal(err)
	}
	if b.Empty() || b.Len() == 0 {
		t.Error("batch is empty")
	}
	if err := db.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	got, err := dump(db, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"c": "3", "e": ""}, got); d != "" {
		t.Error(d)
	}
	deadline := time.Now().Add(20 * time.Second)
	for m := db.Metrics(); m.Flushes == 0 || m.DiskBytes == 0; m = db.Metrics() { // those of before, while the manifest is written
		if time.Now().After(deadline) {
			t.Fatalf("%+v", m)
		}
		runtime.Gosched()
	}
}

func TestIterator(t *testing.T) {
	db := open(t, vfs.NewMem(), Options{BallastBytes: -1})
	for i := range 10 {
		set(t, db, fmt.Sprint("k", i), fmt.Sprint(i))
	}
	it, err := db.NewIter([]byte("k2"), []byte("k8"))
	if err != nil {
		t.Fatal(err)
	}
	at := func(what string, ok bool, want string) {
		t.Helper()
		got := ""
		if ok {
			v, err := it.Value()
			if err != nil {
				t.Fatal(err)
			}
			got = string(it.Key()) + "=" + string(v)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	at("first", it.First(), "k2=2")
	at("prev", it.Prev(), "")
	at("last", it.Last(), "k7=7")
	at("next", it.Next(), "")
	at("seek", it.SeekGE([]byte("k45")), "k5=5")
	at("seek below", it.SeekGE([]byte("a")), "k2=2")
	at("seek lt", it.SeekLT([]byte("k5")), "k4=4")
	at("seek past", it.SeekGE([]byte("z")), "")
	set(t, db, "k5", "changed")
	at("snapshot", it.SeekGE([]byte("k5")), "k5=5")
	if err := errors.Join(it.Err(), it.Close(), it.Close()); err != nil {
		t.Error(err)
	}
	if it.First() {
		t.Error("moves after Close")
	}
}

func TestLimits(t *testing.T) {
	db := open(t, vfs.NewMem(), Options{BallastBytes: -1})
	b := db.NewBatch()
	long, key := make([]byte, MaxValueBytes+1), make([]byte, MaxKeyBytes+1)
	for what, err := range map[string]error{
		"value": b.Set([]byte("k"), long), "key": b.Set(key, nil), "delete": b.Delete(key),
		"range from": b.DeleteRange(key, []byte("z")), "range to": b.DeleteRange([]byte("a"), key),
	} {
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if !b.Empty() {
		t.Error("something was added")
	}
	if err := errors.Join(b.Set(key[1:], long[1:]), db.Apply(t.Context(), b)); err != nil {
		t.Error(err)
	}
}

// TestLargeBatch applies a batch larger than a memtable, in one piece, and uses the batch again.
func TestLargeBatch(t *testing.T) {
	fs := vfs.NewCrashableMem()
	db := open(t, fs, Options{BallastBytes: -1, MemtableBytes: 256 << 10})
	b := db.NewBatch()
	for round := range 3 {
		for i := range 200 {
			if err := b.Set(fmt.Appendf(nil, "%d/%d", round, i), make([]byte, 10_000)); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Apply(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := open(t, fs.CrashClone(vfs.CrashCloneCfg{}), Options{BallastBytes: -1})
	got, err := dump(again, nil, nil)
	if err != nil || len(got) != 600 {
		t.Errorf("%d keys, %v", len(got), err)
	}
}

// TestRoomWasMade: figures may be older than the change that made room. Who got them does not wait for another change.
func TestRoomWasMade(t *testing.T) {
	db := open(t, vfs.NewMem(), Options{BallastBytes: -1})
	ask := db.ask
	for range 64 {
		asked := 0
		db.ask = func() (<-chan *pebble.Metrics, error) {
			if asked++; asked > 1 {
				return ask()
			}
			old := &pebble.Metrics{}
			old.MemTable.Size = 1 << 40
			got := make(chan *pebble.Metrics, 1)
			got <- old
			db.state.changed()
			return got, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if err := db.makeRoom(ctx, 1<<30); err != nil || asked < 2 {
			t.Fatal(asked, err)
		}
		cancel()
	}
}

func TestClosed(t *testing.T) {
	db, err := Open(vfs.NewMem(), "catalog", Options{})
	if err != nil {
		t.Fatal(err)
	}
	set(t, db, "a", "1", "b", "2")
	it, err := db.NewIter(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !it.First() {
		t.Fatal("empty")
	}
	b := db.NewBatch()
	if err := b.Set([]byte("c"), nil); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	if it.Next() || !errors.Is(it.Err(), ErrClosed) || !errors.Is(it.Close(), ErrClosed) {
		t.Errorf("iterator: %v", it.Err())
	}
	if string(it.Key()) != "" && string(it.Key()) != "a" {
		t.Errorf("key %q", it.Key())
	}
	_, _, e1 := db.Get(nil, nil)
	_, _, e2 := db.GetFlushed([]byte("a"), nil)
	_, e3 := db.NewIter(nil, nil)
	for i, err := range []error{e1, e2, e3, db.Apply(t.Context(), b), db.Flush(t.Context()), db.Checkpoint(t.Context(), "elsewhere")} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if m := db.Metrics(); m != (Metrics{}) {
		t.Errorf("%+v", m)
	}
}

func TestContext(t *testing.T) {
	db := open(t, vfs.NewMem(), Options{BallastBytes: -1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	set(t, db, "a", "1")
	if err := db.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestLocked(t *testing.T) {
	fs := vfs.NewMem()
	open(t, fs, Options{})
	if _, err := Open(fs, "catalog", Options{}); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
}

// TestCheckpoint reads a checkpoint, twice at once and read-only, and checks that nothing in it changes.
func TestCheckpoint(t *testing.T) {
	for name, fs := range map[string]vfs.FS{"memory": vfs.NewMem(), "disk": vfs.Default} {
		t.Run(name, func(t *testing.T) {
			dir, to := "catalog", "copy"
			if fs == vfs.Default {
				tmp := t.TempDir()
				dir, to = tmp+"/catalog", tmp+"/copy"
			}
			db, err := Open(fs, dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			set(t, db, "a", "1")
			if err := db.Checkpoint(t.Context(), dir+"/sub"); err == nil {
				t.Error("checkpoint inside of the directory")
			}
			if err := db.Checkpoint(t.Context(), to); err != nil {
				t.Fatal(err)
			}
			if err := db.Checkpoint(t.Context(), to); err == nil {
				t.Error("checkpoint over another")
			}
			set(t, db, "a", "2")
			before, err := fs.List(to)
			if err != nil {
				t.Fatal(err)
			}
			var dbs []*DB
			for range 2 {
				r, err := Open(fs, to, Options{ReadOnly: true})
				if err != nil {
					t.Fatal(err)
				}
				dbs = append(dbs, r)
			}
			for _, r := range dbs {
				if got := get(t, r, "a"); got != "1" {
					t.Error(got)
				}
				b := r.NewBatch()
				if err := errors.Join(b.Set([]byte("a"), nil)); err != nil {
					t.Fatal(err)
				}
				for _, err := range []error{r.Apply(t.Context(), b), r.Flush(t.Context())} {
					if !errors.Is(err, ErrReadOnly) {
						t.Error(err)
					}
				}
				if err := errors.Join(b.Close(), r.Close()); err != nil {
					t.Error(err)
				}
			}
			after, err := fs.List(to)
			slices.Sort(before)
			slices.Sort(after)
			if d := cmp.Diff(before, after); d != "" || err != nil {
				t.Error(d, err)
			}
		})
	}
}

func TestReadOnlyNeedsMap(t *testing.T) {
	fs := vfs.NewMem()
	if db, err := Open(fs, "nothing", Options{ReadOnly: true}); err == nil {
		t.Error("opened", db.Close())
	}
	if l, _ := fs.List("/"); len(l) != 0 {
		t.Errorf("made %v", l)
	}
}

// TestReopen closes and opens on a real file system: what was flushed is there.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		db, err := Open(vfs.Default, dir+"/catalog", Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := dump(db, nil, nil)
		if err != nil || len(got) != i {
			t.Fatalf("open %d: %v %v", i, got, err)
		}
		set(t, db, fmt.Sprint(i), "x")
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		set(t, db, "unflushed", "x")
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestConcurrent writes, reads, iterates and flushes from many goroutines while memory for writes is short, closes in the
// middle, and finds no goroutine of Pebble left.
func TestConcurrent(t *testing.T) {
	db, err := Open(vfs.NewMem(), "catalog", Options{MemtableBytes: 256 << 10, CacheBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	check := func(err error) bool {
		if err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		return err == nil
	}
	var applied sync.WaitGroup
	for g := range 4 {
		applied.Add(1)
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(g)))
			b := db.NewBatch()
			for i := 0; ; i++ {
				for range 20 {
					if err := b.Set(fmt.Appendf(nil, "%d/%d", g, rng.IntN(5000)), make([]byte, rng.IntN(3000))); err != nil {
						t.Error(err)
					}
				}
				if !check(db.Apply(t.Context(), b)) {
					check(b.Close())
					return
				}
				if i == 300 {
					applied.Done()
				}
			}
		})
	}
	wg.Go(func() {
		for check(db.Flush(t.Context())) {
			db.Metrics()
			runtime.Gosched()
		}
	})
	wg.Go(func() {
		for {
			it, err := db.NewIter([]byte("1"), []byte("2"))
			if !check(err) {
				return
			}
			last := ""
			for ok := it.First(); ok; ok = it.Next() {
				if k := string(it.Key()); k <= last {
					t.Errorf("%q after %q", k, last)
				} else {
					last = k
				}
				if _, err := it.Value(); !check(err) {
					break
				}
			}
			if !check(it.Close()) {
				return
			}
		}
	})
	applied.Wait()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	noGoroutines(t)
}

// noGoroutines waits until no goroutine runs Pebble's code, for as long as the test may take.
func noGoroutines(t *testing.T) {
	t.Helper()
	buf := make([]byte, 1<<20)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		all := string(buf[:runtime.Stack(buf, true)])
		n := 0
		for g := range strings.SplitSeq(all, "\n\n") {
			if strings.Contains(g, "cockroachdb/pebble") && !strings.Contains(g, "kv.Test") {
				n++
			}
		}
		if n == 0 {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("goroutines left:\n%s", buf)
}

func TestValuesAreCopies(t *testing.T) {
	db := open(t, vfs.NewMem(), Options{})
	k, v := []byte("key"), []byte("value")
	b := db.NewBatch()
	if err := b.Set(k, v); err != nil {
		t.Fatal(err)
	}
	copy(k, "xxx")
	copy(v, "xxxxx")
	if err := db.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	got, _, err := db.Get([]byte("key"), nil)
	if err != nil || !bytes.Equal(got, []byte("value")) {
		t.Errorf("%q %v", got, err)
	}
}

// TestOpenFails makes the manifest unreadable for want of a permission, which is no damage, and then the lock, which is nobody's.
func TestOpenFails(t *testing.T) {
	fs := &deniedFS{FS: vfs.NewMem()}
	db, err := Open(fs, "catalog", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, fs.lock = range []bool{false, true} {
		_, err = Open(fs, "catalog", Options{MustExist: true})
		if !errors.Is(err, os.ErrPermission) || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrLocked) {
			t.Error(err)
		}
	}
}

// deniedFS refuses to open manifests for reading, and maybe the lock.
type deniedFS struct {
	vfs.FS
	lock bool
}

func (f *deniedFS) Lock(name string) (io.Closer, error) {
	if f.lock {
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrPermission}
	}
	return f.FS.Lock(name)
}

func (f *deniedFS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	if isManifest(name) {
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrPermission}
	}
	return f.FS.Open(name, o...)
}
