package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// small are options under which a few kilobytes make several segments.
var small = Options{FirstSegmentBytes: 64 << 10, MaxSegmentBytes: 128 << 10, LimitBytes: -1, Sync: SyncPolicy{Mode: SyncNever}}

// bodyOf returns a body that says which ordinal it is for.
func bodyOf(o Ordinal, size int) []byte {
	return []byte((fmt.Sprintf("%d:", o) + strings.Repeat(string(rune('a'+o%26)), size))[:max(size, 8)])
}

func mustOpen(t testing.TB, fsys FS, o Options, after Ordinal) (*Journal, Recovery, []Frame) {
	t.Helper()
	var frames []Frame
	j, rec, err := Open(context.Background(), fsys, o, after, func(f Frame) error {
		f.Body = bytes.Clone(f.Body)
		frames = append(frames, f)
		return nil
	})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return j, rec, frames
}

// quiet returns when nobody makes segments or memory, so that a test may look into the files of an open journal.
func quiet(j *Journal) {
	for range 1_000_000 {
		j.mu.Lock()
		idle := j.stop != nil || j.active == nil || !j.kept && !j.populating && !j.sparing && (j.spareFailed || !j.spareDueLocked())
		j.mu.Unlock()
		if idle {
			return
		}
		runtime.Gosched()
	}
}

func mustAppend(t testing.TB, j *Journal, size int) Placed {
	t.Helper()
	p, err := j.Append(context.Background(), Body{Head: bodyOf(j.Visible()+1, size)})
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	return p
}

func mustClose(t testing.TB, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// eachFS runs a test on every kind of directory.
func eachFS(t *testing.T, f func(t *testing.T, fsys FS)) {
	t.Run("fs=mem", func(t *testing.T) { f(t, MemFS()) })
	t.Run("fs=os", func(t *testing.T) {
		fsys, err := OSFS(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		f(t, fsys)
	})
	t.Run("fs=writeat", func(t *testing.T) {
		fsys, err := WriteAtFS(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		f(t, fsys)
	})
}

func TestAppendReadReopen(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS) {
		ctx := context.Background()
		sizes := []int{8, 31, 32, 33, 1000, 40000, 64 << 10, 64<<10 + 1, 90000}
		o := small
		o.MaxSegmentBytes = 1 << 20
		var all []Placed
		var last int64
		for run := range 3 {
			j, rec, frames := mustOpen(t, fsys, o, 0)
			if !rec.Clean || rec.MayHaveLost || rec.NewEpoch || rec.Cut != nil || len(rec.Damage) > 0 {
				t.Fatalf("run %d: recovery %+v", run, rec)
			}
			if len(frames) != len(all) || rec.Last != Ordinal(len(all)) {
				t.Fatalf("run %d: %d frames recovered up to %d, want %d", run, len(frames), rec.Last, len(all))
			}
			for i, f := range frames {
				if f.Ordinal != all[i].Ordinal || f.Time != all[i].Time || f.Loc != all[i].Loc || !bytes.Equal(f.Body, bodyOf(f.Ordinal, sizes[i%len(sizes)])) {
					t.Fatalf("run %d: frame %d differs: %+v", run, i, f.Ordinal)
				}
			}
			for range 4 * len(sizes) {
				size := sizes[len(all)%len(sizes)]
				body := bodyOf(j.Visible()+1, size)
				p, err := j.Append(ctx, Body{Head: body[:size/3], Tail: body[size/3:]})
				if err != nil {
					t.Fatal(err)
				}
				if p.Ordinal != Ordinal(len(all)+1) || p.Time <= last || j.Visible() != p.Ordinal {
					t.Fatalf("placed %+v after time %d, visible %d", p, last, j.Visible())
				}
				last = p.Time
				all = append(all, p)
			}
			if err := j.Sync(ctx, j.Visible()); err != nil {
				t.Fatal(err)
			}
			for i, p := range all {
				want := bodyOf(p.Ordinal, sizes[i%len(sizes)])
				for _, r := range [][2]int{{0, len(want)}, {1, len(want) - 1}, {len(want) / 2, 1}, {len(want) - 1, 1}, {3, 0}} {
					got, err := j.Read(p.Loc, r[0], r[1], []byte("x"))
					if err != nil || !bytes.Equal(got[1:], want[r[0]:r[0]+r[1]]) {
						t.Fatalf("read %v %v: %v", p.Loc, r, err)
					}
				}
				if st, n, err := j.Stat(p.Loc); err != nil || st != p || n != len(want) {
					t.Fatalf("stat %v: %+v %d %v", p.Loc, st, n, err)
				}
				if _, err := j.Read(p.Loc, 0, len(want)+1, nil); !errors.Is(err, ErrRange) {
					t.Fatalf("read over the end: %v", err)
				}
			}
			if d, err := j.Check(ctx); err != nil || len(d) > 0 {
				t.Fatalf("check: %v %v", d, err)
			}
			mustClose(t, j)
			if _, err := j.Append(ctx, Body{Head: []byte("x")}); !errors.Is(err, ErrClosed) {
				t.Fatalf("append after close: %v", err)
			}
			if _, err := j.Read(all[0].Loc, 0, 1, nil); !errors.Is(err, ErrClosed) {
				t.Fatalf("read after close: %v", err)
			}
			mustClose(t, j)
		}
	})
}
