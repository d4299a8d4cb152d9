package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLargestBody(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS) {
		ctx := context.Background()
		o := Options{Sync: SyncPolicy{Mode: SyncNever}}
		j, _, _ := mustOpen(t, fsys, o, 0)
		if j.MaxBodyBytes() < 16<<20+64<<10 {
			t.Fatalf("bodies of %d bytes", j.MaxBodyBytes())
		}
		small := mustAppend(t, j, 100)
		body := make([]byte, j.MaxBodyBytes())
		for i := range body {
			body[i] = byte(i >> 12)
		}
		large, err := j.Append(ctx, Body{Head: body[:1000], Tail: body[1000:]})
		if err != nil {
			t.Fatal(err)
		}
		if large.Loc.Segment() == small.Loc.Segment() {
			t.Fatal("a frame of 16 MiB in a segment of 1 MiB")
		}
		if st := j.Stats(); st.AllocatedBytes < 4*int64(len(body)) {
			t.Fatalf("allocated %d for a frame of %d", st.AllocatedBytes, len(body))
		}
		if _, err := j.Append(ctx, Body{Head: body, Tail: []byte("x")}); !errors.Is(err, ErrTooLarge) {
			t.Fatalf("one byte more: %v", err)
		}
		if _, err := j.Append(ctx, Body{}); !errors.Is(err, ErrEmpty) {
			t.Fatalf("nothing: %v", err)
		}
		for _, r := range [][2]int{{0, 10}, {blockBytes - 1, 2}, {5*blockBytes + 7, 3 * blockBytes}, {len(body) - 5, 5}} {
			got, err := j.Read(large.Loc, r[0], r[1], nil)
			if err != nil || !bytes.Equal(got, body[r[0]:r[0]+r[1]]) {
				t.Fatalf("read %v: %v", r, err)
			}
		}
		mustClose(t, j)
		j, _, frames := mustOpen(t, fsys, o, 0)
		if len(frames) != 2 || !bytes.Equal(frames[1].Body, body) {
			t.Fatalf("%d frames", len(frames))
		}
		mustClose(t, j)
	})
}

func TestDamagedBlock(t *testing.T) {
	m := MemFS().(*memFS)
	o := small
	o.MaxSegmentBytes = 1 << 20
	j, _, _ := mustOpen(t, m, o, 0)
	defer func() { mustClose(t, j) }()
	p := mustAppend(t, j, 3*blockBytes)
	quiet(j)
	mem := m.files[segmentName(p.Loc.Segment())].mem[p.Loc.Offset():]
	h, _ := decodeFrameHeader(mem, (*j.segments.Load())[1].salt)
	mem[h.bodyAt()+blockBytes+5] ^= 1
	for _, c := range []struct {
		off, n int
		bad    bool
	}{{0, blockBytes, false}, {blockBytes - 1, 2, true}, {blockBytes, 1, true}, {2 * blockBytes, blockBytes, false}, {0, 3 * blockBytes, true}} {
		_, err := j.Read(p.Loc, c.off, c.n, nil)
		var ce *CorruptionError
		if errors.As(err, &ce) != c.bad || c.bad && ce.Offset != p.Loc.Offset() || !c.bad && err != nil {
			t.Fatalf("read [%d, +%d): %v", c.off, c.n, err)
		}
	}
}

func TestTimeGrows(t *testing.T) {
	fsys := MemFS()
	now := time.Unix(1000, 0)
	o := small
	o.Now = func() time.Time { return now }
	var last int64
	for run := range 4 {
		j, rec, _ := mustOpen(t, fsys, o, 0)
		if rec.LastTime != last || j.LastTime() != last {
			t.Fatalf("run %d: last time %d, want %d", run, rec.LastTime, last)
		}
		for i := range 10 {
			if i%3 == 2 {
				now = now.Add(-time.Hour)
			}
			p := mustAppend(t, j, 30000)
			if p.Time <= last {
				t.Fatalf("time %d after %d", p.Time, last)
			}
			last = p.Time
		}
		now = now.Add(-24 * time.Hour)
		if run == 2 { // nothing is left but the time
			if err := j.Sync(context.Background(), j.Visible()); err != nil {
				t.Fatal(err)
			}
			if err := j.Release(j.Visible()); err != nil {
				t.Fatal(err)
			}
		}
		mustClose(t, j)
	}
	now = time.Unix(5000, 0)
	j, _, _ := mustOpen(t, fsys, o, 0)
	if p := mustAppend(t, j, 10); p.Time != now.UnixNano() {
		t.Fatalf("time %d, clock %d", p.Time, now.UnixNano())
	}
	mustClose(t, j)
}

func TestReleaseAndReopen(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS) {
		ctx := context.Background()
		j, _, _ := mustOpen(t, fsys, small, 0)
		var all []Placed
		for range 30 {
			all = append(all, mustAppend(t, j, 20000))
		}
		if err := j.Sync(ctx, 30); err != nil {
			t.Fatal(err)
		}
		// A reader inside keeps its segment's memory.
		held := (*j.segments.Load())[0]
		if !held.hold() {
			t.Fatal("not held")
		}
		before := j.Stats()
		if err := j.Release(15); err != nil {
			t.Fatal(err)
		}
		after := j.Stats()
		if after.Segments >= before.Segments || after.First > 16 || after.First == 1 || after.Bytes >= before.Bytes {
			t.Fatalf("before %+v, after %+v", before, after)
		}
		if h, ok, err := held.headerAt(all[0].Loc.Offset()); err != nil || !ok || h.ordinal != 1 {
			t.Fatalf("held segment: %v %v", ok, err)
		}
		held.drop()
		for _, p := range all {
			got, err := j.Read(p.Loc, 0, 5, nil)
			switch {
			case p.Ordinal < after.First && !errors.Is(err, ErrReleased):
				t.Fatalf("read of released %d: %v", p.Ordinal, err)
			case p.Ordinal >= after.First && (err != nil || !bytes.Equal(got, bodyOf(p.Ordinal, 20000)[:5])):
				t.Fatalf("read of %d: %v", p.Ordinal, err)
			}
		}
		if err := j.FreeSpace(); err != nil {
			t.Fatal(err)
		}
		names, err := fsys.List()
		if err != nil || len(names) > after.Segments+1 {
			t.Fatalf("files %v, %d segments", names, after.Segments)
		}
		mustClose(t, j)
		// The owner has more than was released: the lowest segments may be gone, in any order.
		j, rec, frames := mustOpen(t, fsys, small, 20)
		if len(frames) != 10 || frames[0].Ordinal != 21 || len(rec.Damage) > 0 || !rec.Clean {
			t.Fatalf("%d frames, %+v", len(frames), rec)
		}
		mustClose(t, j)
		// One that has less is told what is gone.
		j, rec, frames = mustOpen(t, fsys, small, 0)
		if len(rec.Damage) != 1 || rec.Damage[0].From != 1 || rec.Damage[0].To != after.First-1 || Ordinal(len(frames)) != 31-after.First {
			t.Fatalf("%d frames, %+v", len(frames), rec)
		}
		mustClose(t, j)
	})
}

func TestUnlinksComeBack(t *testing.T) {
	m := MemFS().(*memFS)
	j, _, _ := mustOpen(t, m, small, 0)
	for range 30 {
		mustAppend(t, j, 20000)
	}
	if err := j.Sync(context.Background(), 30); err != nil {
		t.Fatal(err)
	}
	quiet(j)
	old := cloneMem(m)
	if err := j.Release(25); err != nil {
		t.Fatal(err)
	}
	mustClose(t, j)
	var gone []string
	for name := range old.files {
		if m.files[name] == nil {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	if len(gone) < 3 {
		t.Fatalf("released %v", gone)
	}
	m.files[gone[0]] = old.files[gone[0]] // the last of them did not reach the disk
	k, rec, frames := mustOpen(t, m, small, 25)
	if len(frames) != 5 || len(rec.Damage) > 0 || rec.MayHaveLost {
		t.Fatalf("%d frames, %+v", len(frames), rec)
	}
	if m.files[gone[0]] != nil {
		t.Fatal("a leftover stays")
	}
	mustClose(t, k)
}

func TestEpochs(t *testing.T) {
	ctx := context.Background()
	fsys := MemFS()
	// A restored store begins where its snapshot ended.
	known := []EpochStart{{1, 1}, {2, 40}}
	o := small
	o.Epochs = known
	j, rec, _ := mustOpen(t, fsys, o, 100)
	if !rec.NewEpoch || j.Epoch() != 3 || !slices.Equal(rec.Epochs, []EpochStart{{1, 1}, {2, 40}, {3, 101}}) {
		t.Fatalf("%+v", rec)
	}
	if p := mustAppend(t, j, 10); p.Ordinal != 101 {
		t.Fatalf("placed %+v", p)
	}
	e, err := j.NewEpoch(ctx)
	if err != nil || e != (EpochStart{4, 102}) {
		t.Fatalf("%+v %v", e, err)
	}
	mustAppend(t, j, 10)
	mustClose(t, j)
	j, rec, frames := mustOpen(t, fsys, small, 100)
	if rec.NewEpoch || len(frames) != 2 || frames[0].Epoch != 3 || frames[1].Epoch != 4 || len(j.Epochs()) != 4 {
		t.Fatalf("%+v %+v", rec, frames)
	}
	for range maxHeaderEpochs + 5 {
		if e, err = j.NewEpoch(ctx); err != nil {
			t.Fatal(err)
		}
	}
	mustClose(t, j)
	j, rec, _ = mustOpen(t, fsys, o, 100)
	if last := rec.Epochs[len(rec.Epochs)-1]; last != e || rec.Epochs[0] != known[0] {
		t.Fatalf("epochs %v, last %v", rec.Epochs, e)
	}
	mustClose(t, j)
	// The owner has frames that the journal has not: it begins above them, and says so.
	j, rec, _ = mustOpen(t, fsys, small, 500)
	if !rec.NewEpoch || rec.Last != 500 || j.Epoch() != e.Epoch+1 {
		t.Fatalf("%+v", rec)
	}
	mustAppend(t, j, 10)
	mustClose(t, j)
	j, rec, frames = mustOpen(t, fsys, small, 500)
	if rec.NewEpoch || len(frames) != 1 || frames[0].Ordinal != 501 || len(rec.Damage) > 0 {
		t.Fatalf("%+v %d", rec, len(frames))
	}
	mustClose(t, j)
}

func TestReadOnly(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS) {
		ctx := context.Background()
		o := small
		o.ReadOnly = true
		j, rec, _ := mustOpen(t, fsys, o, 0)
		if names, _ := fsys.List(); len(names) > 0 || !rec.Clean || rec.Last != 0 {
			t.Fatalf("files %v, %+v", names, rec)
		}
		mustClose(t, j)
		w, _, _ := mustOpen(t, fsys, small, 0)
		for range 10 {
			mustAppend(t, w, 20000)
		}
		// Beside a writer, which is not supported but must do no harm; what is read is what it had.
		before, err := fsys.List()
		if err != nil {
			t.Fatal(err)
		}
		j, rec, frames := mustOpen(t, fsys, o, 0)
		if len(frames) != 10 || rec.Clean || !rec.SameBoot || rec.NewEpoch {
			t.Fatalf("%d frames, %+v", len(frames), rec)
		}
		for _, f := range frames {
			if got, err := j.Read(f.Loc, 0, 20000, nil); err != nil || !bytes.Equal(got, f.Body) {
				t.Fatal(err)
			}
		}
		if _, err := j.Append(ctx, Body{Head: []byte("x")}); !errors.Is(err, ErrReadOnly) {
			t.Fatalf("append: %v", err)
		}
		if err := j.Sync(ctx, 10); !errors.Is(err, ErrReadOnly) {
			t.Fatalf("sync: %v", err)
		}
		if err := j.Release(1); !errors.Is(err, ErrReadOnly) {
			t.Fatalf("release: %v", err)
		}
		if _, err := j.NewEpoch(ctx); !errors.Is(err, ErrReadOnly) {
			t.Fatalf("epoch: %v", err)
		}
		mustClose(t, j)
		after, err := fsys.List()
		slices.Sort(before)
		slices.Sort(after)
		if err != nil || !slices.Equal(before, after) {
			t.Fatalf("files %v, before %v", after, before)
		}
		mustClose(t, w)
	})
}

func TestNewerVersion(t *testing.T) {
	m := MemFS().(*memFS)
	j, _, _ := mustOpen(t, m, small, 0)
	mustAppend(t, j, 10)
	mustClose(t, j)
	for _, f := range m.files {
		for _, page := range [][]byte{f.mem, f.mem[headerCopyAt:]} {
			binary.LittleEndian.PutUint32(page[8:], version+1)
			binary.LittleEndian.PutUint32(page[headerBytes-4:], crc32.Checksum(page[:headerBytes-4], castagnoli))
		}
	}
	before := cloneMem(m)
	if _, _, err := Open(context.Background(), m, small, 0, nil); !errors.Is(err, ErrFormat) {
		t.Fatalf("open: %v", err)
	}
	for name, f := range before.files {
		if !bytes.Equal(f.mem, m.files[name].mem) {
			t.Fatalf("%s was changed", name)
		}
	}
}

// TestFaultIsAnError shortens a mapped file: what is gone faults when it is touched.
func TestFaultIsAnError(t *testing.T) {
	dir := t.TempDir()
	fsys, err := OSFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	j, _, _ := mustOpen(t, fsys, small, 0)
	if !j.Stats().Mapped {
		if runtime.GOOS == "linux" {
			t.Logf("%s is not on a file system that is mapped", dir)
		}
		mustClose(t, j)
		return
	}
	first := mustAppend(t, j, 100)
	second := mustAppend(t, j, 30000)
	if err := os.Truncate(filepath.Join(dir, segmentName(second.Loc.Segment())), 8192); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Read(first.Loc, 0, 8, nil); err != nil {
		t.Fatalf("read of what is there: %v", err)
	}
	if _, err := j.Read(second.Loc, 0, 30000, nil); !errors.Is(err, errFault) || !errors.Is(err, ErrCorrupt) {
		t.Fatalf("read of what is gone: %v", err)
	}
	if d, err := j.Check(context.Background()); err != nil || len(d) != 1 || d[0].From != 2 || d[0].To != 2 {
		t.Fatalf("check: %v %v", d, err)
	}
	if _, err := j.Append(context.Background(), Body{Head: make([]byte, 10)}); !errors.Is(err, ErrPoisoned) || !errors.Is(err, errFault) {
		t.Fatalf("append to what is gone: %v", err)
	}
	if err := j.Close(); !errors.Is(err, ErrPoisoned) {
		t.Fatalf("close: %v", err)
	}
}

// TestConcurrent has appenders, syncers, readers, releases and checks at once. It runs on the heap, so that the race detector
// sees the journal's memory.
func TestConcurrent(t *testing.T) {
	eachFS(t, func(t *testing.T, fsys FS) {
		ctx := context.Background()
		o := small
		o.Sync = SyncPolicy{Mode: SyncInterval, Events: 50, Every: time.Millisecond}
		o.LimitBytes = 1 << 20
		j, _, _ := mustOpen(t, fsys, o, 0)
		n := 400
		if testing.Short() {
			n = 100
		}
		type written struct {
			p    Placed
			body []byte
		}
		placed := make(chan written, 64)
		var writers, readers sync.WaitGroup
		for g := range 4 {
			writers.Go(func() {
				for i := range n {
					body := fmt.Appendf(nil, "%d %d %s", g, i, strings.Repeat("y", (i*37)%3000))
					p, err := j.Append(ctx, Body{Head: body})
					if err != nil {
						t.Error(err)
						return
					}
					if i%5 == g {
						if err := j.Sync(ctx, p.Ordinal); err != nil || j.Durable() < p.Ordinal {
							t.Error(err)
						}
					}
					placed <- written{p, body}
				}
			})
		}
		for range 2 {
			readers.Go(func() {
				for w := range placed {
					got, err := j.Read(w.p.Loc, 0, len(w.body), nil)
					if err != nil && !errors.Is(err, ErrReleased) || err == nil && !bytes.Equal(got, w.body) {
						t.Errorf("read %d: %v", w.p.Ordinal, err)
					}
					if w.p.Ordinal%20 == 0 {
						if err := j.Release(j.Durable()); err != nil {
							t.Error(err)
						}
						_ = j.Stats()
					}
					if w.p.Ordinal%100 == 0 {
						if d, err := j.Check(ctx); err != nil || len(d) > 0 {
							t.Errorf("check: %v %v", d, err)
						}
					}
				}
			})
		}
		writers.Wait()
		close(placed)
		readers.Wait()
		if j.Visible() != Ordinal(4*n) {
			t.Errorf("visible %d", j.Visible())
		}
		mustClose(t, j)
		if j.Durable() != Ordinal(4*n) {
			t.Errorf("durable %d", j.Durable())
		}
	})
}

func TestOptions(t *testing.T) {
	if err := (Options{}).Validate(); err != nil {
		t.Fatal(err)
	}
	bad := Options{FirstSegmentBytes: 1, MaxSegmentBytes: 2 << 30, LimitBytes: 5, Sync: SyncPolicy{Mode: 9, Every: -1}}
	err := bad.Validate()
	if err == nil || strings.Count(err.Error(), "\n") != 4 {
		t.Fatalf("faults: %v", err)
	}
	if _, _, err := Open(context.Background(), MemFS(), bad, 0, nil); err == nil {
		t.Fatal("opened")
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Open(gone, MemFS(), Options{}, 0, nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	fsys := MemFS()
	j, _, _ := mustOpen(t, fsys, small, 0)
	if _, err := j.Append(gone, Body{Head: []byte("x")}); !errors.Is(err, context.Canceled) || j.Visible() != 0 {
		t.Fatal(err)
	}
	mustAppend(t, j, 10)
	mustClose(t, j)
	stop := errors.New("stop")
	if _, _, err := Open(context.Background(), fsys, small, 0, func(Frame) error { return stop }); !errors.Is(err, stop) {
		t.Fatal(err)
	}
}
