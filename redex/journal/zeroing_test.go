package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// zeroFS is memory that has to be populated. PopulateUnits looks at what it writes zeros to: nobody may have written there, and,
// as the race detector sees, nobody may use it meanwhile.
type zeroFS struct {
	*memFS
	t     *testing.T
	units atomic.Int64
}

type zeroFile struct {
	*memFile
	fs *zeroFS
}

func (z *zeroFS) Create(name string, size int64) (File, error) {
	f, err := z.memFS.Create(name, size)
	if err != nil {
		return nil, err
	}
	return &zeroFile{f.(*memFile), z}, nil
}

func (f *zeroFile) Populate(off, n int64) (int64, error) {
	f.wholePages(off, n)
	return off + n, nil
}

// wholePages fails the test if a range is not whole pages, of the largest size a system has.
func (f *zeroFile) wholePages(off, n int64) {
	const page = 64 << 10
	if end := off + n; off%page != 0 || end%page != 0 && end != f.Size() {
		f.fs.t.Errorf("populating [%d, %d) of %d bytes: no whole pages", off, end, f.Size())
	}
}

func (f *zeroFile) PopulateUnits(off, n int64, unit int) (int64, error) {
	f.fs.units.Add(1)
	f.wholePages(off, n)
	part := f.mem[off : off+n]
	if !allZero(part) {
		f.fs.t.Errorf("populating [%d, %d) meets what is written there", off, off+n)
	}
	clear(part)
	return off + n, nil
}

// TestPopulateLarge appends frames longer than what is populated at a time.
func TestPopulateLarge(t *testing.T) {
	z := &zeroFS{memFS: MemFS().(*memFS), t: t}
	j, _, err := Open(t.Context(), z, Options{FirstSegmentBytes: 1 << 20, MaxSegmentBytes: 16 << 20, LimitBytes: -1}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		mustAppend(t, j, 100_000+i*12_345)
	}
	mustClose(t, j)
}

// TestPopulateMeetsNothing appends, syncs (which writes marks), reads, begins epochs and closes while memory is populated by
// writing zeros to it, by the keeper and by those who wait.
func TestPopulateMeetsNothing(t *testing.T) {
	const writers, most = 4, 150
	body := func(n uint64, size int) []byte {
		b := bytes.Repeat([]byte{byte(n) | 1}, size)
		binary.LittleEndian.PutUint64(b, n)
		return b
	}
	ctx := context.Background()
	for _, closeEarly := range []bool{false, true} {
		z := &zeroFS{memFS: MemFS().(*memFS), t: t}
		o := Options{FirstSegmentBytes: 1 << 20, MaxSegmentBytes: 8 << 20, LimitBytes: -1, Sync: SyncPolicy{Mode: SyncNever}}
		j, _, err := Open(ctx, z, o, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		placed := map[Ordinal][]byte{}
		var locs []Loc
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(w), 5))
				for i := range most {
					b := body(uint64(w*most+i), 8+r.IntN(200<<r.IntN(12)))
					p, err := j.Append(ctx, Body{Head: b})
					if err != nil {
						if !closeEarly || !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
					mu.Lock()
					placed[p.Ordinal] = b
					locs = append(locs, p.Loc)
					at := locs[r.IntN(len(locs))]
					mu.Unlock()
					if _, n, err := j.Stat(at); err == nil {
						_, err = j.Read(at, 0, n, nil)
						if err != nil && !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
					}
					if r.IntN(60) == 0 {
						if err := j.Sync(ctx, p.Ordinal); err != nil && !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
					}
					if w == 0 && i%50 == 20 {
						if _, err := j.NewEpoch(ctx); err != nil && !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
					}
					if closeEarly && w == 1 && i >= most/2 && z.units.Load() > 0 {
						if err := j.Close(); err != nil {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		wg.Wait()
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if z.units.Load() == 0 {
			t.Error("nothing was populated by zeros")
		}
		j, rec, frames := mustOpen(t, z, o, 0)
		if len(frames) != len(placed) || !rec.Clean || len(rec.Damage) > 0 {
			t.Errorf("%d frames of %d, %+v", len(frames), len(placed), rec)
		}
		for _, f := range frames {
			if !slices.Equal(f.Body, placed[f.Ordinal]) {
				t.Errorf("frame %d is not what was appended", f.Ordinal)
			}
		}
		mustClose(t, j)
	}
}

// TestNoSegmentEndsWhilePopulating wants a new segment while somebody writes zeros behind the last frame, where the end frame
// may go.
func TestNoSegmentEndsWhilePopulating(t *testing.T) {
	j, _, _ := mustOpen(t, MemFS(), small, 0)
	defer mustClose(t, j)
	mustAppend(t, j, 100)
	quiet(j)
	j.mu.Lock()
	j.populating = true
	s := j.active
	j.mu.Unlock()
	done := make(chan error, 1)
	go func() {
		_, err := j.NewEpoch(context.Background())
		done <- err
	}()
	for waiting := 0; waiting < 2; runtime.Gosched() { // NewEpoch for the keeper, and the keeper
		select {
		case err := <-done:
			t.Fatalf("an epoch began: %v", err)
		default:
		}
		j.mu.Lock()
		waiting = j.waiting
		if s.ended {
			t.Error("the segment ended")
		}
		j.mu.Unlock()
	}
	j.mu.Lock()
	j.populating = false
	j.broadcastLocked()
	j.mu.Unlock()
	if err := <-done; err != nil {
		t.Error(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !s.ended || j.active == s {
		t.Error("the segment goes on")
	}
}
