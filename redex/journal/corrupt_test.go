package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
)

// cloneMem copies a directory in memory.
func cloneMem(m *memFS) *memFS {
	m.mu.Lock() // the keeper makes a spare segment meanwhile
	defer m.mu.Unlock()
	c := &memFS{boot: m.boot, files: make(map[string]*memFile)}
	for name, f := range m.files {
		c.files[name] = &memFile{mem: bytes.Clone(f.mem)}
	}
	return c
}

// specimen is a journal to be damaged.
type specimen struct {
	name    string
	fs      *memFS
	frames  []Frame
	durable Ordinal // as far as the bytes tell
	clean   bool
}

// specimens returns a journal that was closed, one whose process died after a sync and a few frames more, and one that was
// never synced. Each has several segments and bodies of many lengths.
func specimens(t *testing.T) []specimen {
	t.Helper()
	var all []specimen
	for _, kind := range []string{"clean", "idle", "busy", "never synced"} {
		m := MemFS().(*memFS)
		o := small
		j, _, _ := mustOpen(t, m, o, 0)
		s := specimen{name: kind}
		add := func(size int) {
			p := mustAppend(t, j, size)
			s.frames = append(s.frames, Frame{Ordinal: p.Ordinal, Time: p.Time, Loc: p.Loc, Epoch: 1, Body: bodyOf(p.Ordinal, size)})
		}
		for _, size := range []int{8, 9, 16, 100, 200, 20000, 30000, 8, 30000, 64, 8, 8} {
			add(size)
		}
		if kind != "never synced" {
			if err := j.Sync(context.Background(), j.Visible()); err != nil {
				t.Fatal(err)
			}
			s.durable = j.Visible()
		}
		if kind == "busy" {
			add(300) // says that what is before it is durable
			add(24)
		}
		if kind == "clean" {
			s.clean = true
			mustClose(t, j)
			s.fs = cloneMem(m)
		} else {
			quiet(j)
			j.mu.Lock()
			s.fs = cloneMem(m)
			j.mu.Unlock()
			mustClose(t, j)
		}
		all = append(all, s)
	}
	return all
}

// verify opens a damaged copy of s and checks that every frame is right or known to be missing.
func (s *specimen) verify(t *testing.T, label string, m *memFS, tornIsLost bool) {
	t.Helper()
	m.boot[0]++ // the machine was restarted
	var got []Frame
	j, rec, err := Open(context.Background(), m, small, 0, func(f Frame) error {
		f.Body = bytes.Clone(f.Body)
		got = append(got, f)
		return nil
	})
	if err != nil {
		var c *CorruptionError
		if !errors.As(err, &c) || c.File == "" {
			t.Fatalf("%s: open: %v", label, err)
		}
		return
	}
	defer mustClose(t, j)
	missing := make(map[Ordinal]bool)
	unknown := false
	for _, d := range rec.Damage {
		if d.Err == nil || d.Err.File == "" {
			t.Fatalf("%s: damage without a place: %+v", label, d)
		}
		unknown = unknown || d.To == 0
		for o := d.From; o > 0 && o <= d.To; o++ {
			missing[o] = true
		}
	}
	have := make(map[Ordinal]bool)
	var last Ordinal
	for _, f := range got {
		if f.Ordinal <= last || int(f.Ordinal) > len(s.frames) {
			t.Fatalf("%s: ordinal %d after %d", label, f.Ordinal, last)
		}
		last = f.Ordinal
		want := s.frames[f.Ordinal-1]
		if !bytes.Equal(f.Body, want.Body) || f.Time != want.Time || f.Loc != want.Loc {
			t.Fatalf("%s: wrong data for ordinal %d", label, f.Ordinal)
		}
		have[f.Ordinal] = true
	}
	for o := Ordinal(1); o <= rec.Last; o++ {
		if have[o] == missing[o] {
			t.Fatalf("%s: ordinal %d recovered %v and damaged %v; last %d", label, o, have[o], missing[o], rec.Last)
		}
	}
	if rec.Last < s.durable && !tornIsLost && !unknown {
		t.Fatalf("%s: recovered up to %d, durable is %d", label, rec.Last, s.durable)
	}
	if rec.Last < Ordinal(len(s.frames)) && !rec.NewEpoch {
		t.Fatalf("%s: %d frames lost in one epoch", label, Ordinal(len(s.frames))-rec.Last)
	}
	for _, f := range s.frames {
		body, err := j.Read(f.Loc, 0, len(f.Body), nil)
		switch {
		case err == nil && !bytes.Equal(body, f.Body):
			t.Fatalf("%s: wrong data read for ordinal %d", label, f.Ordinal)
		case err == nil && !have[f.Ordinal] && f.Ordinal > rec.Last:
			t.Fatalf("%s: read ordinal %d, recovered up to %d", label, f.Ordinal, rec.Last)
		case err != nil && have[f.Ordinal]:
			t.Fatalf("%s: ordinal %d recovered but not read: %v", label, f.Ordinal, err)
		}
	}
	damage, err := j.Check(context.Background())
	if err != nil || len(damage) > 0 != (len(rec.Damage) > 0) {
		t.Fatalf("%s: check %v, %v; at open %v", label, damage, err, rec.Damage)
	}
	// The store goes on, and next time it is the same.
	p := mustAppend(t, j, 50)
	if p.Ordinal != rec.Last+1 {
		t.Fatalf("%s: next ordinal %d after %d", label, p.Ordinal, rec.Last)
	}
	mustClose(t, j)
	k, rec2, again := mustOpen(t, m, small, 0)
	defer mustClose(t, k)
	if len(again) != len(got)+1 || rec2.Last != p.Ordinal || len(rec2.Damage) != len(rec.Damage)-btoi(unknown) || !rec2.Clean {
		t.Fatalf("%s: reopened: %d frames after %d, %+v", label, len(again), len(got), rec2)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// used returns the length of what was written to a segment.
func used(b []byte) int {
	n := len(b)
	for n > 0 && b[n-1] == 0 {
		n--
	}
	return min(n+40, len(b))
}

// places returns the offsets to try in a segment of n used bytes: all of the header's fields and of the first and last frames,
// and samples of what is between.
func places(n int) []int {
	var all []int
	for off := range n {
		in := off % headerCopyAt // the header's copies are alike
		switch {
		case off < headerPageBytes && (in < headerFixed+20 || in > headerBytes-8 && in < headerBytes+8 || off%61 == 0):
		case off >= headerPageBytes && (off < headerPageBytes+800 || off > n-400 || off%211 == 0):
		default:
			continue
		}
		all = append(all, off)
	}
	return all
}

func TestEveryByteCorrupted(t *testing.T) {
	for _, s := range specimens(t) {
		if testing.Short() && s.name != "busy" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			for _, name := range slices.Sorted(maps.Keys(s.fs.files)) {
				for _, off := range places(used(s.fs.files[name].mem)) {
					m := cloneMem(s.fs)
					m.files[name].mem[off] ^= 1 << (off % 8)
					s.verify(t, fmt.Sprintf("%s at %d", name, off), m, false)
				}
			}
		})
	}
}

func TestEveryLengthTruncated(t *testing.T) {
	for _, s := range specimens(t) {
		if testing.Short() && s.name != "busy" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			for _, name := range slices.Sorted(maps.Keys(s.fs.files)) {
				for _, size := range places(used(s.fs.files[name].mem)) {
					m := cloneMem(s.fs)
					m.files[name].mem = m.files[name].mem[:size]
					s.verify(t, fmt.Sprintf("%s cut to %d", name, size), m, true)
				}
			}
		})
	}
}

func TestDamageIsTold(t *testing.T) {
	for _, s := range specimens(t) {
		t.Run(s.name, func(t *testing.T) {
			for _, f := range s.frames {
				m := cloneMem(s.fs)
				m.boot[0]++
				m.files[segmentName(f.Loc.Segment())].mem[f.Loc.Offset()+frameHeaderBytes] ^= 0x40
				j, rec, frames := mustOpen(t, m, small, 0)
				if f.Ordinal <= s.durable {
					if len(rec.Damage) != 1 || rec.Damage[0].From != f.Ordinal || rec.Damage[0].To != f.Ordinal ||
						rec.Damage[0].Err.Offset != f.Loc.Offset() || rec.Damage[0].Err.Segment != f.Loc.Segment() {
						t.Fatalf("ordinal %d at %v: damage %+v", f.Ordinal, f.Loc, rec.Damage)
					}
					if len(frames) != len(s.frames)-1 {
						t.Fatalf("ordinal %d: %d of %d frames left", f.Ordinal, len(frames), len(s.frames))
					}
					if _, err := j.Read(f.Loc, 0, 8, nil); !errors.Is(err, ErrCorrupt) {
						t.Fatalf("read of damage: %v", err)
					}
					// An owner that has the frame does not care.
					mustClose(t, j)
					j, rec, _ = mustOpen(t, m, small, f.Ordinal)
					if len(rec.Damage) != 0 {
						t.Fatalf("damage told though not needed: %+v", rec.Damage)
					}
				} else if len(rec.Damage) != 0 || rec.Last != f.Ordinal-1 || rec.Cut == nil || rec.Cut.Offset != f.Loc.Offset() {
					t.Fatalf("ordinal %d, durable %d: %+v", f.Ordinal, s.durable, rec)
				}
				mustClose(t, j)
			}
		})
	}
}

func TestBothHeadersLost(t *testing.T) {
	for _, s := range specimens(t) {
		t.Run(s.name, func(t *testing.T) {
			names := slices.Sorted(maps.Keys(s.fs.files))
			for _, name := range names {
				m := cloneMem(s.fs)
				clear(m.files[name].mem[:headerPageBytes])
				s.verify(t, name, m, true)
			}
			for _, name := range names[:len(names)-1] {
				m := cloneMem(s.fs)
				delete(m.files, name)
				s.verify(t, "without "+name, m, true)
			}
		})
	}
}

// TestGapsBehindDurable has torn frames with whole ones behind them: what survives is a prefix all the same.
func TestGapsBehindDurable(t *testing.T) {
	m := MemFS().(*memFS)
	j, _, _ := mustOpen(t, m, small, 0)
	var locs []Loc
	for i := range 10 {
		locs = append(locs, mustAppend(t, j, 100).Loc)
		if i == 3 {
			if err := j.Sync(context.Background(), 4); err != nil {
				t.Fatal(err)
			}
		}
	}
	quiet(j)
	// Frames 5 to 10 say that 4 is durable. Of 3 the body is lost, of 5 and 6 everything.
	at := func(i int) []byte { return m.files[segmentName(locs[i].Segment())].mem[locs[i].Offset():] }
	for _, c := range []struct {
		name   string
		clear  [][]byte
		last   Ordinal
		damage []Ordinal
	}{
		{"torn", [][]byte{at(4)[:264]}, 4, nil},
		{"damaged", [][]byte{at(2)[40:44]}, 10, []Ordinal{3, 3}},
		{"damaged and torn apart", [][]byte{at(2)[40:44], at(5)[:32]}, 5, []Ordinal{3, 3}},
		{"damaged and torn in one gap", [][]byte{at(3)[:264]}, 4, []Ordinal{4, 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var saved [][]byte
			for _, b := range c.clear {
				saved = append(saved, bytes.Clone(b))
				clear(b)
			}
			copyOf := cloneMem(m)
			for i, b := range c.clear {
				copy(b, saved[i])
			}
			k, rec, _ := mustOpen(t, copyOf, small, 0)
			defer mustClose(t, k)
			if rec.Last != c.last || len(rec.Damage) > 0 != (c.damage != nil) || rec.SameBoot && c.last < 10 && !rec.NewEpoch {
				t.Fatalf("%+v", rec)
			}
			if c.damage != nil && (rec.Damage[0].From != c.damage[0] || rec.Damage[0].To != c.damage[1]) {
				t.Fatalf("damage %+v", rec.Damage)
			}
		})
	}
	mustClose(t, j)
}

// TestCopyOfTheSegmentInside has a payload that holds whole frames of its own segment. When its frame is damaged they are not
// taken for frames.
func TestCopyOfTheSegmentInside(t *testing.T) {
	m := MemFS().(*memFS)
	j, _, _ := mustOpen(t, m, small, 0)
	for range 5 {
		mustAppend(t, j, 100)
	}
	quiet(j)
	j.mu.Lock()
	body := bytes.Clone(m.files[segmentName(1)].mem[headerPageBytes:j.tail])
	j.mu.Unlock()
	p, err := j.Append(context.Background(), Body{Head: body})
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, 100)
	mustClose(t, j)
	m.files[segmentName(1)].mem[p.Loc.Offset()+3] ^= 1
	k, rec, frames := mustOpen(t, m, small, 0)
	defer mustClose(t, k)
	if len(frames) != 6 || frames[5].Ordinal != 7 || len(rec.Damage) != 1 || rec.Damage[0].From != 6 || rec.Damage[0].To != 6 {
		t.Fatalf("%d frames, %+v", len(frames), rec)
	}
}

// TestLastSegmentGone takes away the newest segment, with the frames that were acknowledged last, of a journal that was closed
// and of one that was not. Nothing in the others tells how far it went, but that it was there.
func TestLastSegmentGone(t *testing.T) {
	for _, clean := range []bool{true, false} {
		m := MemFS().(*memFS)
		for range 3 {
			j, _, _ := mustOpen(t, m, small, 0)
			mustAppend(t, j, 100)
			mustClose(t, j)
		}
		j, _, _ := mustOpen(t, m, small, 0)
		p := mustAppend(t, j, 100)
		if err := j.Sync(t.Context(), p.Ordinal); err != nil {
			t.Fatal(err)
		}
		if clean {
			mustClose(t, j)
		}
		quiet(j)
		j.mu.Lock()
		bad := cloneMem(m)
		j.mu.Unlock()
		mustClose(t, j)
		for name := range bad.files {
			if n, _ := parseSegmentName(name); n >= p.Loc.Segment() {
				delete(bad.files, name)
			}
		}
		j, rec, _ := mustOpen(t, bad, small, 0)
		if rec.Clean || !rec.MayHaveLost || !rec.NewEpoch || len(rec.Damage) != 1 || rec.Last != p.Ordinal-1 {
			t.Errorf("closed=%v: %+v", clean, rec)
		}
		mustClose(t, j)
	}
}

// TestBeginningGone opens a journal for an owner that has less than what was released.
func TestBeginningGone(t *testing.T) {
	m := MemFS().(*memFS)
	for after := range Ordinal(3) { // the last segment no longer has a predecessor
		j, _, _ := mustOpen(t, m, small, after)
		mustAppend(t, j, 100)
		mustClose(t, j)
		j, _, _ = mustOpen(t, m, small, after+1)
		if err := j.Release(after + 1); err != nil {
			t.Fatal(err)
		}
		mustClose(t, j)
	}
	j, _, _ := mustOpen(t, m, small, 3)
	mustClose(t, j)
	j, rec, _ := mustOpen(t, m, small, 1)
	defer mustClose(t, j)
	if len(rec.Damage) != 1 || rec.Damage[0].From != 2 || rec.Damage[0].To != 3 {
		t.Errorf("%+v", rec)
	}
}
