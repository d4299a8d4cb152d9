package kv

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
)

const scriptBatches = 60

// script is a workload that flushes, compacts, rotates manifests and deletes ranges. step is called after each batch with its
// number, from 1 on, and flushed after each Flush that returned nil with the number of the last batch before it. The first
// error ends it.
func script(t testing.TB, db *DB, step, flushed func(n int)) error {
	return scriptPart(t, db, 1, scriptBatches, step, flushed)
}

// scriptPart is the batches from one to another of the script.
func scriptPart(t testing.TB, db *DB, from, to int, step, flushed func(n int)) (err error) {
	b := db.NewBatch()
	defer func() { err = errors.Join(err, b.Close()) }()
	for n := from; n <= to; n++ {
		if err := scriptBatch(b, n); err != nil {
			return err
		}
		if err := db.Apply(t.Context(), b); err != nil {
			return err
		}
		step(n)
		if n%4 == 0 {
			if err := db.Flush(t.Context()); err != nil {
				return err
			}
			flushed(n)
		}
	}
	return nil
}

func scriptBatch(b *Batch, n int) error {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	errs := []error{b.Set([]byte("n"), fmt.Append(nil, n))}
	for range 8 {
		errs = append(errs, b.Set(fmt.Appendf(nil, "k/%03d", rng.IntN(200)), fmt.Appendf(nil, "%d %0200d", n, rng.Uint32())))
	}
	if n%5 == 0 {
		from := rng.IntN(200)
		errs = append(errs, b.DeleteRange(fmt.Appendf(nil, "k/%03d", from), fmt.Appendf(nil, "k/%03d", from+rng.IntN(60))))
	}
	errs = append(errs, b.Delete(fmt.Appendf(nil, "k/%03d", rng.IntN(200))))
	return errors.Join(errs...)
}

// scriptStates returns what the map holds after each batch of the script: states[n] after n batches.
func scriptStates(t testing.TB) []map[string]string {
	db, err := Open(vfs.NewMem(), "catalog", Options{BallastBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	states := []map[string]string{{}}
	err = script(t, db, func(int) {
		m, err := dump(db, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, m)
	}, func(int) {})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return states
}

// isPrefix opens what a crash left and checks that it is the state after some batch in [least, most].
func isPrefix(t *testing.T, what string, fs vfs.FS, states []map[string]string, least, most int) {
	t.Helper()
	db, err := Open(fs, "catalog", Options{BallastBytes: -1})
	if err != nil {
		t.Errorf("%s: open: %v", what, err)
		return
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Errorf("%s: close: %v", what, err)
		}
	}()
	got, err := dump(db, nil, nil)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	n := 0
	if s := got["n"]; s != "" {
		if _, err := fmt.Sscan(s, &n); err != nil {
			t.Fatal(err)
		}
	}
	if n < least || n > most {
		t.Errorf("%s: state after batch %d, want %d to %d", what, n, least, most)
		return
	}
	if d := cmp.Diff(states[n], got); d != "" {
		t.Errorf("%s: not the state after batch %d: %s", what, n, d)
	}
}

// TestCrash cuts power before and after every sync of the script, with none or a random half of what is unsynced on disk.
func TestCrash(t *testing.T) {
	states := scriptStates(t)
	mem := vfs.NewCrashableMem()
	var applied, flushed atomic.Int64
	type clone struct {
		what        string
		fs          vfs.FS
		least, upTo int
	}
	var mu sync.Mutex
	var clones []clone
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	take := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		for _, percent := range []int{0, 50} {
			c := clone{what: fmt.Sprintf("%d: %s, %d %% of unsynced", len(clones), what, percent), fs: mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})}
			c.least = int(flushed.Load())
			c.upTo = int(applied.Load()) + 1 // the batch under way may be in already
			clones = append(clones, c)
		}
	}
	fs := newFaultFS(mem, func(op, path string) error {
		if op == "sync" || op == "remove" {
			take(op + " " + filepath.Base(path))
		}
		return nil
	})
	db := open(t, fs, Options{BallastBytes: -1, MemtableBytes: 256 << 10, manifestBytes: 600})
	err := script(t, db, func(n int) { applied.Store(int64(n)) }, func(n int) { flushed.Store(int64(n)); take("flushed") })
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(clones) < 100 {
		t.Fatalf("only %d crashes", len(clones))
	}
	for _, c := range clones {
		isPrefix(t, c.what, c.fs, states, c.least, min(c.upTo, len(states)-1))
	}
	t.Logf("%d crashes", len(clones))
}

var errDevice = errors.New("device gone")

// TestFailedSync fails one sync after the other, and every manifest write and step of the marker: the DB says so, writes nothing
// more, reads go on, Close returns, and what is on disk is the state after some batch no older than the last Flush. With overlap,
// compactions run while the script goes on; without, nobody but the one that failed has a change under way, and none may follow.
func TestFailedSync(t *testing.T) {
	states := scriptStates(t)
	for _, overlap := range []bool{false, true} {
		t.Run(fmt.Sprintf("overlap=%v", overlap), func(t *testing.T) {
			at := 1
			for ended := false; !ended; at++ {
				synctest.Test(t, func(t *testing.T) { ended = failAt(t, at, overlap, states) })
				if t.Failed() {
					break
				}
			}
			if at < 50 {
				t.Errorf("only %d places to fail", at)
			}
			t.Logf("%d places", at)
		})
	}
	noGoroutines(t)
}

// failAt fails at one place, and reports whether the script ended before it.
func failAt(t *testing.T, at int, overlap bool, states []map[string]string) (ended bool) {
	mem := vfs.NewCrashableMem()
	count, hit, after, cleaned := 0, "", "", false
	var mu sync.Mutex
	fs := newFaultFS(mem, func(op, path string) error {
		mu.Lock()
		defer mu.Unlock()
		if hit != "" {
			if op == "remove" && !cleaned && strings.Contains(string(debug.Stack()), ".(*cleanupManager)") {
				cleaned = true // one removal of what is obsolete may be under way
			} else if after == "" && !overlap {
				after = op + " " + path
			}
			return nil
		}
		if op == "sync" || (op == "write" || op == "create") && isManifest(path) {
			if count++; count == at {
				hit = op + " " + path
				return errDevice
			}
		}
		return nil
	})
	seen := func() (string, string) {
		mu.Lock()
		defer mu.Unlock()
		return hit, after
	}
	settle := func() {
		if !overlap {
			synctest.Wait()
		}
	}
	reported := make(chan error, 2)
	db, err := Open(fs, "catalog", Options{BallastBytes: -1, MemtableBytes: 256 << 10, manifestBytes: 500, OnFailure: func(err error) { reported <- err }})
	if err != nil {
		if hit, _ := seen(); hit == "" || !errors.Is(err, errDevice) {
			t.Fatalf("failure %d (%s): open: %v", at, hit, err)
		}
		return false // nothing was there
	}
	settle()
	applied, flushed := 0, 0
	err = script(t, db, func(n int) { applied = n; settle() }, func(n int) { flushed = n; settle() })
	synctest.Wait() // a compaction may be under way
	where, _ := seen()
	if where == "" {
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		hit, _ := seen()
		return hit == "" // the last file of all is synced by Close
	}
	what := fmt.Sprintf("failure %d: %s", at, where)
	b := db.NewBatch()
	if err := b.Set([]byte("n"), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err == nil {
		// The last syncs may fail in a compaction after the script.
		err = db.Apply(t.Context(), b)
	}
	if !errors.Is(err, ErrFailed) || !errors.Is(err, errDevice) {
		t.Errorf("%s: script ended with %v", what, err)
	}
	if err := <-reported; !errors.Is(err, errDevice) {
		t.Errorf("%s: reported %v", what, err)
	}
	_, _, e := db.GetFlushed([]byte("n"), nil)
	for i, err := range []error{db.Apply(t.Context(), b), db.Flush(t.Context()), db.Checkpoint(t.Context(), "copy"), db.Err(), e} {
		if !errors.Is(err, ErrFailed) || !errors.Is(err, errDevice) {
			t.Errorf("%s: then %d: %v", what, i, err)
		}
	}
	m, err := dump(db, nil, nil)
	if err != nil || len(m) == 0 && applied > 0 {
		t.Errorf("%s: reads: %d keys, %v", what, len(m), err)
	}
	// Pebble complains of what it leaves; that Close returns is what counts.
	_ = db.Close()
	if _, after := seen(); after != "" {
		t.Errorf("%s: changed after it: %s", what, after)
	}
	isPrefix(t, what, mem.CrashClone(vfs.CrashCloneCfg{}), states, flushed, applied+1)
	isPrefix(t, what+", all on disk", mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))}), states, flushed, applied+1)
	return false
}

// TestTableWriteFails fails table writes for a time: Flush says so, nothing is poisoned, and the next Flush succeeds.
func TestTableWriteFails(t *testing.T) {
	var failing atomic.Bool
	fs := newFaultFS(vfs.NewMem(), func(op, path string) error {
		if failing.Load() && roleOf(path, "") == compacted && op == "write" {
			return errDevice
		}
		return nil
	})
	db := open(t, fs, Options{BallastBytes: -1})
	set(t, db, "a", "1")
	failing.Store(true)
	for range 3 {
		if err := db.Flush(t.Context()); !errors.Is(err, errDevice) || errors.Is(err, ErrFailed) || errors.Is(err, ErrDiskFull) {
			t.Fatal(err)
		}
	}
	failing.Store(false)
	set(t, db, "b", "2")
	if err := errors.Join(db.Flush(t.Context()), db.Err()); err != nil {
		t.Fatal(err)
	}
	if v, ok, err := db.GetFlushed([]byte("b"), nil); string(v) != "2" || !ok || err != nil {
		t.Errorf("%q %v %v", v, ok, err)
	}
}

// TestApplyWhileFlushesFail applies until memory is used up and flushes fail: Apply says why, and does not wait for ever.
func TestApplyWhileFlushesFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failing atomic.Bool
		fs := newFaultFS(vfs.NewMem(), func(op, path string) error {
			if failing.Load() && op == "create" && filepath.Ext(path) == ".sst" {
				return errDevice
			}
			return nil
		})
		db := open(t, fs, Options{BallastBytes: -1, MemtableBytes: 256 << 10})
		failing.Store(true)
		b := overfill(t, db, errDevice)
		failing.Store(false)
		if err := errors.Join(db.Flush(t.Context()), db.Apply(t.Context(), b), db.Err()); err != nil {
			t.Error(err)
		}
	})
}

// TestCheckpointFails fails every change that a checkpoint makes in turn: an error, nothing left, and the map goes on.
func TestCheckpointFails(t *testing.T) {
	var at, count atomic.Int64
	fs := newFaultFS(vfs.NewMem(), func(op, path string) error {
		// When a link fails the file is copied.
		if strings.HasPrefix(path, "copy") && op != "remove" && op != "link" && count.Add(1) == at.Load() {
			return errDevice
		}
		return nil
	})
	db := open(t, fs, Options{BallastBytes: -1})
	set(t, db, "a", "1")
	for n := int64(1); ; n++ {
		at.Store(n)
		count.Store(0)
		err := db.Checkpoint(t.Context(), "copy")
		if err == nil {
			if count.Load() >= n {
				t.Errorf("change %d failed and nobody noticed", n)
				if err := fs.RemoveAll("copy"); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if n < 8 {
				t.Errorf("only %d changes", n)
			}
			break
		}
		if !errors.Is(err, errDevice) {
			t.Errorf("change %d: %v", n, err)
		}
		if _, err := fs.Stat("copy"); err == nil {
			t.Errorf("change %d: a part of it is left", n)
		}
		if err := db.Err(); err != nil {
			t.Fatalf("change %d: %v", n, err)
		}
	}
	set(t, db, "a", "2")
	if err := db.Flush(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestCorruption changes each byte of the map's files in turn: what is read is right, or an error of corruption that was also
// reported, and nothing panics or exits.
func TestCorruption(t *testing.T) {
	mem := vfs.NewCrashableMem()
	db, err := Open(mem, "catalog", Options{BallastBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for i := range 30 {
		k, v := fmt.Sprintf("key%02d", i), fmt.Sprintf("value %d", i)
		want[k] = v
		set(t, db, k, v)
	}
	if err := errors.Join(db.Flush(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
	names, err := mem.List("catalog")
	if err != nil {
		t.Fatal(err)
	}
	detected := 0
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") && !strings.HasPrefix(name, "MANIFEST") {
			continue
		}
		info, err := mem.Stat("catalog/" + name)
		if err != nil {
			t.Fatal(err)
		}
		step := max(info.Size()/300, 1)
		for at := int64(0); at < info.Size(); at += step {
			what := fmt.Sprintf("%s byte %d of %d", name, at, info.Size())
			fs := mem.CrashClone(vfs.CrashCloneCfg{})
			flip(t, fs, "catalog/"+name, at)
			var reported atomic.Int64
			db, err := Open(fs, "catalog", Options{BallastBytes: -1, OnCorruption: func(*CorruptError) { reported.Add(1) }})
			if err != nil {
				detected++
				continue
			}
			got, err := dump(db, nil, nil)
			switch {
			case err != nil:
				detected++
				if !errors.Is(err, ErrCorrupt) || reported.Load() == 0 {
					t.Errorf("%s: %v, reported %d", what, err, reported.Load())
				}
			case name[0] == 'M' && len(got) == 0: // a manifest that is cut before its last record is one of a crash
			case !cmp.Equal(want, got):
				t.Errorf("%s: wrong data: %s", what, cmp.Diff(want, got))
			}
			set(t, db, "new", "x") // writes go on
			if got := get(t, db, "new"); got != "x" {
				t.Errorf("%s: %s", what, got)
			}
			if err := db.Close(); err != nil {
				t.Errorf("%s: close: %v", what, err)
			}
		}
	}
	if detected < 50 {
		t.Errorf("only %d detected", detected)
	}
}

func flip(t *testing.T, fs vfs.FS, path string, at int64) {
	t.Helper()
	f, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0x55
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}
