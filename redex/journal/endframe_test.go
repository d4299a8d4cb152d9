package journal

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
)

// fillSegment appends frames, syncing each, until one lies in a new segment. That one is not synced.
func fillSegment(t *testing.T, j *Journal) Placed {
	t.Helper()
	before := mustAppend(t, j, 8000)
	for {
		if err := j.Sync(t.Context(), j.Visible()); err != nil {
			t.Fatal(err)
		}
		p := mustAppend(t, j, 8000)
		if p.Loc.Segment() != before.Loc.Segment() {
			return p
		}
	}
}

// TestReleasedWithEndFrame releases segments whose end frames are not synced: nothing waits for them.
func TestReleasedWithEndFrame(t *testing.T) {
	j, _, _ := mustOpen(t, MemFS(), small, 0)
	defer mustClose(t, j)
	for range 10 {
		fillSegment(t, j)
		if err := j.Release(j.Durable()); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Sync(t.Context(), j.Visible()); err != nil {
		t.Fatal(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if n := len(j.unsynced); n > 1 {
		t.Errorf("%d segments wait for a sync", n)
	}
}

// fullFS has no room for new files while full.
type fullFS struct {
	FS
	full atomic.Bool
}

func (f *fullFS) Create(name string, size int64) (File, error) {
	if f.full.Load() && strings.HasSuffix(name, segmentSuffix) {
		return nil, ErrDiskFull
	}
	return f.FS.Create(name, size)
}

// TestEndFrameAfterFullDisk opens a journal on a full disk. The segment that is begun when there is room again is missing
// later, which is told though the one before it had been closed.
func TestEndFrameAfterFullDisk(t *testing.T) {
	m := MemFS().(*memFS)
	j, _, _ := mustOpen(t, m, small, 0)
	mustAppend(t, j, 100)
	mustClose(t, j)
	f := &fullFS{FS: m}
	f.full.Store(true)
	j, _, _ = mustOpen(t, f, small, 0)
	if _, err := j.TryAppend(Body{Head: []byte("x")}); !errors.Is(err, ErrBusy) {
		t.Fatalf("append to a full disk: %v", err)
	}
	quiet(j)
	f.full.Store(false)
	p := mustAppend(t, j, 100)
	if err := j.Sync(t.Context(), p.Ordinal); err != nil {
		t.Fatal(err)
	}
	quiet(j)
	bad := cloneMem(m)
	mustClose(t, j)
	clear(bad.files[segmentName(p.Loc.Segment())].mem)
	j, rec, _ := mustOpen(t, bad, small, 0)
	defer mustClose(t, j)
	if rec.Clean || !rec.NewEpoch || len(rec.Damage) != 1 || rec.Last != p.Ordinal-1 {
		t.Errorf("%+v", rec)
	}
}
