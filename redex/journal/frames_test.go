package journal

import (
	"bytes"
	"errors"
	"testing"
)

// TestReadFrames reads a range of frames whole, and then with each byte of it damaged: every frame is what it was or named as
// damaged, none is passed over, and damage reaches no further than the next good header.
func TestReadFrames(t *testing.T) {
	m := MemFS().(*memFS)
	j, _, _ := mustOpen(t, m, small, 0)
	defer func() { mustClose(t, j) }()
	const count = 9
	var placed []Placed
	var want [][]byte
	n := 0
	for i := range count {
		body := bodyOf(j.Visible()+1, 20+7*i)
		p, err := j.Append(t.Context(), Body{Head: body})
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && p.Loc != placed[i-1].Loc.Next(FrameBytes(len(want[i-1]))) {
			t.Fatalf("frame %d at %v does not follow the one at %v", i, p.Loc, placed[i-1].Loc)
		}
		placed, want = append(placed, p), append(want, body)
		n += FrameBytes(len(body))
	}
	quiet(j)
	check := func(damaged int) (lost int) {
		t.Helper()
		var f Frames
		if _, err := j.ReadFrames(&f, placed[0].Loc, n, placed[0].Ordinal, count, nil); err != nil {
			t.Fatal(err)
		}
		next := placed[0].Ordinal
		for f.Next() {
			if f.Ordinal != next || f.Until <= f.Ordinal || f.Until > placed[0].Ordinal+count {
				t.Fatalf("byte %d: frames [%d, %d) after those below %d", damaged, f.Ordinal, f.Until, next)
			}
			next = f.Until
			i := int(f.Ordinal - placed[0].Ordinal)
			if f.Err == nil {
				if f.Until != f.Ordinal+1 || !bytes.Equal(f.Body, want[i]) || f.Time != placed[i].Time || f.Loc != placed[i].Loc {
					t.Fatalf("byte %d: frame %d is not what was appended", damaged, i)
				}
				continue
			}
			lost += int(f.Until - f.Ordinal)
			c, ok := errors.AsType[*CorruptionError](f.Err)
			if !ok || f.Body != nil || c.Offset != placed[i].Loc.Offset() || damaged < 0 {
				t.Fatalf("byte %d: frame %d: %v", damaged, i, f.Err)
			}
		}
		if next != placed[0].Ordinal+count {
			t.Fatalf("byte %d: ended before frame %d", damaged, next)
		}
		return lost
	}
	if lost := check(-1); lost != 0 {
		t.Fatalf("%d frames lost without damage", lost)
	}
	mem := m.files[segmentName(placed[0].Loc.Segment())].mem[placed[0].Loc.Offset():]
	for i := range n {
		mem[i] ^= 0x40
		if lost := check(i); lost > 1 {
			t.Fatalf("byte %d: %d frames lost", i, lost)
		}
		mem[i] ^= 0x40
	}
	clear(mem[:n])
	if lost := check(0); lost != count {
		t.Fatalf("all zeros: %d frames lost", lost)
	}
	var f Frames
	if _, err := j.ReadFrames(&f, placed[0].Loc, 1<<30, placed[0].Ordinal, count, nil); !errors.Is(err, ErrRange) {
		t.Fatalf("read beyond the segment: %v", err)
	}
}
