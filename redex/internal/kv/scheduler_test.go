package kv

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// readFaultFS makes reads of tables fail while failing is set.
type readFaultFS struct {
	vfs.FS
	failing atomic.Bool
}

type readFaultFile struct {
	vfs.File
	fs *readFaultFS
}

func (f *readFaultFS) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.Open(name, o...)
	if err != nil || filepath.Ext(name) != ".sst" {
		return file, err
	}
	return &readFaultFile{file, f}, nil
}

func (f *readFaultFile) ReadAt(b []byte, off int64) (int, error) {
	if f.fs.failing.Load() {
		return 0, errDevice
	}
	return f.File.ReadAt(b, off)
}

// behind makes tables of the same keys that no compaction has seen, and closes the map.
func behind(t *testing.T, fs vfs.FS, tables int) {
	t.Helper()
	db, err := Open(fs, "catalog", Options{BallastBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	db.compactions.mu.Lock()
	db.compactions.open = false
	db.compactions.mu.Unlock()
	for i := range tables {
		set(t, db, "a", fmt.Sprint(i), "z", "x")
		if err := db.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if m := db.Metrics(); m.Tables != int64(tables) {
		t.Fatalf("%d tables, want %d", m.Tables, tables)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCompactsAfterOpen opens a map whose compactions were behind when it was closed: they catch up, without a write.
func TestCompactsAfterOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		behind(t, fs, 10)
		db := open(t, fs, Options{BallastBytes: -1})
		synctest.Wait()
		if m := db.Metrics(); m.Compactions == 0 || m.Tables > 2 {
			t.Errorf("%d tables after %d compactions", m.Tables, m.Compactions)
		}
		if got := get(t, db, "a"); got != "9" {
			t.Error(got)
		}
	})
}

// TestCompactionFails makes compactions fail for an hour: they are not tried again at once and for ever, writes go on meanwhile,
// and compactions when the fault is over.
func TestCompactionFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := &readFaultFS{FS: vfs.NewMem()}
		behind(t, fs, 10)
		fs.failing.Store(true)
		db := open(t, fs, Options{BallastBytes: -1})
		time.Sleep(time.Hour)
		failed := db.Metrics().Compactions
		if failed < 10 || failed > 100 {
			t.Errorf("%d compactions failed in an hour", failed)
		}
		set(t, db, "a", "new")
		if err := errors.Join(db.Flush(t.Context()), db.Err()); err != nil {
			t.Error(err)
		}
		fs.failing.Store(false)
		time.Sleep(2 * time.Minute)
		if m := db.Metrics(); m.Tables > 2 {
			t.Errorf("%d tables after %d compactions", m.Tables, m.Compactions-failed)
		}
		if got := get(t, db, "a"); got != "new" {
			t.Error(got)
		}
	})
}
