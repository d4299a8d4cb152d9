package simdisk

import (
	"errors"
	"io"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/seed69692123/netdb/redex/journal"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put writes to the memory of a journal's file.
func put(f journal.File, off int64, s string) {
	o := f.(journal.WriteObserver)
	o.BeginWrite()
	copy(f.Map()[off:], s)
	o.EndWrite(off, int64(len(s)))
}

func read(t *testing.T, d *Disk, name string, n int) string {
	t.Helper()
	f, err := d.VFS().Open(name)
	must(t, err)
	b, err := io.ReadAll(f)
	must(t, err)
	must(t, f.Close())
	return string(b[:min(n, len(b))])
}

func TestSyncedSurvivesOnBothSides(t *testing.T) {
	lostPage, keptPage, lostFile := false, false, false
	for seed := range uint64(60) {
		d := New(seed)
		f, err := d.Journal().Create("a", 3*pageBytes)
		must(t, err)
		must(t, d.Journal().SyncDir())
		_, err = d.Journal().Create("unsynced", pageBytes)
		must(t, err)
		put(f, 0, "synced")
		must(t, f.SyncRange(0, 10))
		put(f, pageBytes, "at risk")
		w, err := d.VFS().Create("b", vfs.WriteCategoryUnspecified)
		must(t, err)
		_, err = w.Write([]byte("hello"))
		must(t, err)
		must(t, w.Sync())
		dir, err := d.VFS().OpenDir("/")
		must(t, err)
		must(t, dir.Sync())

		d.CutAt(d.Ops() + 1)
		if err := f.SyncRange(pageBytes, 10); !errors.Is(err, ErrPowerOff) {
			t.Fatalf("sync at the cut: %v", err)
		}
		select {
		case <-d.Off():
		default:
			t.Fatal("power is on")
		}
		if _, err := w.Write([]byte("x")); !errors.Is(err, ErrPowerOff) {
			t.Fatalf("write after the cut: %v", err)
		}
		put(f, 0, "nobody sees this")
		for range 2 { // the image is the same each time
			r := d.Restart(seed + 100)
			if r.Journal().BootID() == d.Journal().BootID() {
				t.Fatal("same boot id")
			}
			g, err := r.Journal().Open("a", true)
			must(t, err)
			if got := string(g.Map()[:6]); got != "synced" {
				t.Fatalf("seed %d: synced page is %q", seed, got)
			}
			if g.Map()[pageBytes] == 'a' {
				keptPage = true
			} else {
				lostPage = true
			}
			if _, err := r.Journal().Open("unsynced", true); err != nil {
				lostFile = true
			}
			if got := read(t, r, "b", 5); got != "hello" {
				t.Fatalf("seed %d: synced file is %q", seed, got)
			}
		}
	}
	if !lostPage || !keptPage || !lostFile {
		t.Fatalf("chance never decided: lost page %v, kept page %v, lost file %v", lostPage, keptPage, lostFile)
	}
}

func TestKillKeepsWhatWasWrittenAtRisk(t *testing.T) {
	lost := false
	for seed := range uint64(40) {
		d := New(seed)
		f, err := d.Journal().Create("a", pageBytes)
		must(t, err)
		must(t, d.Journal().SyncDir())
		put(f, 0, "visible")
		d.KillAt(d.Ops() + 1)
		if err := f.SyncRange(0, 1); !errors.Is(err, ErrPowerOff) {
			t.Fatal(err)
		}
		k := d.Kill(seed)
		if k.Journal().BootID() != d.Journal().BootID() {
			t.Fatal("another boot id")
		}
		g, err := k.Journal().Open("a", true)
		must(t, err)
		if string(g.Map()[:7]) != "visible" {
			t.Fatal("lost by the death of a process")
		}
		r := k.Restart(seed)
		h, err := r.Journal().Open("a", true)
		must(t, err)
		lost = lost || string(h.Map()[:7]) != "visible"
	}
	if !lost {
		t.Fatal("never lost by the power failing afterwards")
	}
}

func TestFaults(t *testing.T) {
	d := New(1)
	f, err := d.Journal().Create("a", 2*pageBytes)
	must(t, err)
	must(t, d.Journal().SyncDir())
	put(f, 0, "one")
	d.FailAt(d.Ops()+1, IOError)
	if err := f.SyncRange(0, pageBytes); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	must(t, f.SyncRange(0, pageBytes)) // a lie, as systems tell it
	if string(f.Map()[:3]) != "one" {
		t.Fatal("memory changed")
	}
	gone, kept := false, false
	for seed := range uint64(20) {
		d := New(seed)
		f, err := d.Journal().Create("a", 2*pageBytes)
		must(t, err)
		must(t, d.Journal().SyncDir())
		put(f, 0, "one")
		d.FailAt(d.Ops()+1, IOError)
		if err := f.SyncRange(0, pageBytes); !errors.Is(err, syscall.EIO) {
			t.Fatal(err)
		}
		k := d.Kill(seed)
		g, err := k.Journal().Open("a", true)
		must(t, err)
		if g.Map()[0] == 0 {
			gone = true
			continue
		}
		kept = true
		must(t, g.SyncRange(0, pageBytes)) // another lie
		h, err := k.Restart(seed).Journal().Open("a", true)
		must(t, err)
		if h.Map()[0] != 0 {
			t.Fatal("a sync wrote a page that it takes for written")
		}
	}
	if !gone || !kept {
		t.Fatalf("page of a failed sync: gone %v, kept %v", gone, kept)
	}

	d = New(2)
	d.SetFull(true)
	if _, err := d.Journal().Create("x", 1); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if _, err := d.VFS().Create("x", vfs.WriteCategoryUnspecified); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	d.SetFull(false)
	_, err = d.Journal().Create("x", 1)
	must(t, err)
}

func TestLockEndsWithTheProcess(t *testing.T) {
	d := New(3)
	l, err := d.VFS().Lock("LOCK")
	must(t, err)
	if _, err := d.VFS().Lock("LOCK"); err == nil {
		t.Fatal("locked twice")
	}
	k := d.Kill(4)
	l2, err := k.VFS().Lock("LOCK")
	must(t, err)
	must(t, l.Close())
	if _, err := k.VFS().Lock("LOCK"); err == nil {
		t.Fatal("unlocked by another process")
	}
	must(t, l2.Close())
}
