package redex

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestSwapped swaps a directory between two stores that hold the same logs, one restored from the other, so that they have the
// same id. Neither opens, whose error names both; swapped back they hold what they held.
func TestSwapped(t *testing.T) {
	ctx := t.Context()
	o := Options{RunEvents: 4}
	for _, part := range []string{journalDir, catalogDir, rowsDir} {
		t.Run(part, func(t *testing.T) {
			base := t.TempDir()
			dirs := []string{base + "/one", base + "/two"}
			files := make([]string, 2)
			for i, dir := range dirs {
				if i > 0 {
					one := mustOpen(t, dirs[0], o)
					seed := Seed{ID: one.ID(), Epochs: []EpochStart{{1, 1}}}
					mustClose(t, one)
					r, err := Create(ctx, dir, seed, o)
					if err != nil {
						t.Fatal(err)
					}
					if err := r.Finish(ctx); err != nil {
						t.Fatal(err)
					}
				}
				s := mustOpen(t, dir, o)
				l := mustLog(t, s, "a")
				for k := range 8 {
					mustAppend(t, l, fmt.Sprintf("%d of %d", k, i))
					if k == 5 {
						if err := s.Seal(ctx); err != nil {
							t.Fatal(err)
						}
					}
				}
				files[i] = s.files.String()
				mustClose(t, s)
			}
			swap := func() {
				t.Helper()
				a, b, x := dirs[0]+"/"+part, dirs[1]+"/"+part, base+"/x"
				if err := errors.Join(os.Rename(a, x), os.Rename(b, a), os.Rename(x, b)); err != nil {
					t.Fatal(err)
				}
			}
			swap()
			for i, dir := range dirs {
				for _, readOnly := range []bool{false, true} {
					o := o
					o.ReadOnly = readOnly
					s, err := Open(ctx, dir, o)
					f, ok := errors.AsType[*ForeignFilesError](err)
					if !ok || !errors.Is(err, ErrForeignFiles) {
						if err == nil {
							mustClose(t, s)
						}
						t.Errorf("%s, read-only %v: %v", dir, readOnly, err)
						continue
					}
					if !strings.HasPrefix(f.Path, dir+"/"+part) || f.Want != files[i] || f.Have == "" || !strings.HasPrefix(files[1-i], f.Have) {
						t.Errorf("%s is %s, the other %s: %v", dir, files[i], files[1-i], err)
					}
				}
			}
			swap()
			for i, dir := range dirs {
				s := mustOpen(t, dir, o)
				if d := s.Recovery().Damage; len(d) > 0 || !s.Recovery().Clean {
					t.Errorf("%+v", s.Recovery())
				}
				for k := range 8 {
					if ev, err := mustLog(t, s, "a").Read(ctx, Seq(k)); err != nil || string(ev.Payload) != fmt.Sprintf("%d of %d", k, i) {
						t.Errorf("sequence %d: %q, %v", k, ev.Payload, err)
					}
				}
				if rep, err := s.Check(ctx); err != nil || len(rep.Damage) > 0 {
					t.Errorf("%v, %v", rep.Damage, err)
				}
				mustClose(t, s)
			}
		})
	}
}

// TestSwappedRowFiles swaps two row files of one store, in which runs lie at the same places.
func TestSwappedRowFiles(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir() + "/store"
	o := Options{RunEvents: 4, Compression: CompressNone}
	s := mustOpen(t, dir, o)
	var at []runRecord
	for i, name := range []string{"a", "b"} {
		mustAppend(t, mustLog(t, s, name), fmt.Sprintf("%d 0", i), fmt.Sprintf("%d 1", i), fmt.Sprintf("%d 2", i), fmt.Sprintf("%d 3", i))
		if err := s.Seal(ctx); err != nil {
			t.Fatal(err)
		}
		_, rec, ok, err := s.findRun(mustLog(t, s, name).id, 0)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		at = append(at, rec)
	}
	if at[0].at != at[1].at || at[0].file == at[1].file {
		t.Fatalf("the runs are not at the same place: %+v", at)
	}
	a, b := s.rows.path(at[0].file), s.rows.path(at[1].file)
	mustClose(t, s)
	if err := errors.Join(os.Rename(a, a+"x"), os.Rename(b, a), os.Rename(a+"x", b)); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir, o)
	defer mustClose(t, s)
	for i, name := range []string{"a", "b"} {
		for seq := range Seq(4) {
			if ev, err := mustLog(t, s, name).Read(ctx, seq); !named(err) {
				t.Errorf("log %q sequence %d: %q, %v", name, seq, ev.Payload, err)
			}
		}
		if seq, err := mustLog(t, s, name).SeekTime(ctx, at[i].max); !named(err) {
			t.Errorf("log %q: the newest event is %d, %v", name, seq, err)
		}
	}
}
