package journal_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/seed69692123/netdb/internal/simdisk"
	"github.com/seed69692123/netdb/redex/journal"
)

// pageFrames appends frames of one page until one is in another segment than the first, and syncs after each. It returns the
// places of the last two.
func pageFrames(t *testing.T, j *journal.Journal) (before, after journal.Placed) {
	t.Helper()
	for {
		p, err := j.Append(t.Context(), journal.Body{Head: make([]byte, 4096-32)})
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Sync(t.Context(), p.Ordinal); err != nil {
			t.Fatal(err)
		}
		if before.Loc != 0 && p.Loc.Segment() != before.Loc.Segment() {
			return before, p
		}
		before = p
	}
}

// zero clears a file, or those from it on.
func zero(t *testing.T, fsys journal.FS, loc journal.Loc) {
	t.Helper()
	name, _, _ := strings.Cut(loc.String(), "@")
	f, err := fsys.Open(name, true)
	if err != nil {
		t.Fatal(err)
	}
	clear(f.Map())
}

// TestNewestSegmentZeroed zeroes the newest segment, whose frames are durable: of a journal that was closed, whose process died,
// and whose power was cut, with a spare behind it or not. It is told, and not taken for a segment made in advance. Its frames
// are pages, so that the end frame before it is alone in its page.
func TestNewestSegmentZeroed(t *testing.T) {
	o := journal.Options{FirstSegmentBytes: 64 << 10, MaxSegmentBytes: 64 << 10, LimitBytes: -1, Sync: journal.SyncPolicy{Mode: journal.SyncNever}}
	for _, how := range []string{"closed", "killed", "power cut"} {
		for seed := range uint64(20) {
			d := simdisk.New(seed)
			j, _, err := journal.Open(t.Context(), d.Journal(), o, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			before, after := pageFrames(t, j)
			for range seed % 12 { // from the third on the keeper makes a spare
				if _, err := j.Append(t.Context(), journal.Body{Head: make([]byte, 4096-32)}); err != nil {
					t.Fatal(err)
				}
			}
			switch how {
			case "closed":
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
			case "killed":
				d = d.Kill(seed)
				_ = j.Close() // its disk is gone
			case "power cut":
				d.Cut()
				_ = j.Close()
				d = d.Restart(seed)
			}
			zero(t, d.Journal(), after.Loc)
			last := journal.Ordinal(0)
			k, rec, err := journal.Open(context.Background(), d.Journal(), o, 0, func(f journal.Frame) error {
				last = f.Ordinal
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if last != before.Ordinal || rec.Clean || !rec.MayHaveLost || !rec.NewEpoch || len(rec.Damage) != 1 ||
				!strings.HasPrefix(after.Loc.String(), rec.Damage[0].Err.File) || !errors.Is(rec.Damage[0].Err, journal.ErrCorrupt) {
				t.Fatalf("%s, seed %d: the newest segment %s is zeroed: frames up to %d of %d, %+v", how, seed, after.Loc, last, after.Ordinal, rec)
			}
			if err := k.Close(); err != nil {
				t.Fatal(err)
			}
			if k, rec, err = journal.Open(context.Background(), d.Journal(), o, 0, nil); err != nil || len(rec.Damage) > 0 || !rec.Clean {
				t.Fatalf("%s, seed %d: opened again: %+v, %v", how, seed, rec, err)
			}
			if err := k.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestOnlySegmentZeroed zeroes every segment, or takes them away, of a journal whose owner knows that there was one.
func TestOnlySegmentZeroed(t *testing.T) {
	for _, remove := range []bool{false, true} {
		m := journal.MemFS()
		o := journal.Options{Sync: journal.SyncPolicy{Mode: journal.SyncNever}}
		j, rec, err := journal.Open(t.Context(), m, o, 0, nil)
		if err != nil || len(rec.Damage) > 0 {
			t.Fatal(rec, err)
		}
		p, err := j.Append(t.Context(), journal.Body{Head: []byte("lost")})
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if zero(t, m, p.Loc); remove {
			names, err := m.List()
			if err != nil {
				t.Fatal(err)
			}
			for name := range slices.Values(names) {
				if err := m.Remove(name); err != nil {
					t.Fatal(err)
				}
			}
		}
		o.MustExist = true
		j, rec, err = journal.Open(t.Context(), m, o, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(rec.Damage) != 1 || rec.Clean || !rec.MayHaveLost {
			t.Errorf("removed %v: %+v", remove, rec)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if j, rec, err = journal.Open(t.Context(), m, o, 0, nil); err != nil || len(rec.Damage) > 0 || !rec.Clean {
			t.Errorf("removed %v, opened again: %+v, %v", remove, rec, err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestForeign opens a journal of which all segments, or the newest, are another's. It is refused, and nothing is changed.
func TestForeign(t *testing.T) {
	mine, theirs := journal.ID{1}, journal.ID{2}
	o := journal.Options{FirstSegmentBytes: 64 << 10, Sync: journal.SyncPolicy{Mode: journal.SyncNever}}
	fill := func(id journal.ID, runs int) journal.FS {
		m := journal.MemFS()
		for range runs {
			o.ID = id
			j, _, err := journal.Open(t.Context(), m, o, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := j.Append(t.Context(), journal.Body{Head: []byte("x")}); err != nil {
				t.Fatal(err)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
		}
		return m
	}
	content := func(m journal.FS) (all string) {
		names, err := m.List()
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(names)
		for _, name := range names {
			f, err := m.Open(name, false)
			if err != nil {
				t.Fatal(err)
			}
			all += name + string(f.Map())
		}
		return all
	}
	mixed := fill(mine, 2)
	newest := "0000000003.seg"
	from, err := fill(theirs, 3).Open(newest, false)
	if err != nil {
		t.Fatal(err)
	}
	to, err := mixed.Create(newest, from.Size())
	if err != nil {
		t.Fatal(err)
	}
	copy(to.Map(), from.Map())
	for _, m := range []journal.FS{fill(theirs, 2), mixed} {
		before := content(m)
		for _, readOnly := range []bool{false, true} {
			o := o
			o.ID, o.ReadOnly = mine, readOnly
			_, _, err := journal.Open(t.Context(), m, o, 0, nil)
			f, ok := errors.AsType[*journal.ForeignError](err)
			if !ok || !errors.Is(err, journal.ErrForeign) || f.Want != mine || f.Have != theirs || f.File == "" {
				t.Errorf("open: %v", err)
			}
			if content(m) != before {
				t.Error("a journal that was refused is changed")
			}
		}
	}
}
