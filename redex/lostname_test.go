package redex

import (
	"errors"
	"os"
	"testing"

	"github.com/seed69692123/netdb/redex/journal"
)

// harmFrame damages a frame of a closed store's journal.
func harmFrame(t *testing.T, dir string, s *Store, ordinal journal.Ordinal) {
	t.Helper()
	fs, err := journal.OSFS(dir + "/" + journalDir)
	if err != nil {
		t.Fatal(err)
	}
	var at journal.Loc
	j, _, err := journal.Open(t.Context(), fs, journal.Options{ReadOnly: true, ID: s.files}, 0, func(f journal.Frame) error {
		if f.Ordinal == ordinal {
			at = f.Loc
		}
		return nil
	})
	if err != nil || at == 0 {
		t.Fatal(at, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	name := at.String()[:len("0000000001.seg")]
	f, err := os.OpenFile(dir+"/"+journalDir+"/"+name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("harm"), at.Offset()+40); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLostCreation loses the frame that made a log, of id 1. It gets a name that nobody else can have: not the log that has the
// name it got in the past, and was made before or after it.
func TestLostCreation(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir() + "/store"
	s := mustOpen(t, dir, Options{})
	l := mustLog(t, s, "a")
	mustAppend(t, l, "of a")
	mustAppend(t, mustLog(t, s, "recovered/1"), "of the user's")
	mustClose(t, s)
	harmFrame(t, dir, s, 1)
	const name = "recovered:1"
	for i := range 3 { // from the journal, then from the catalog
		s = mustOpen(t, dir, Options{})
		if i == 0 && len(s.Recovery().Damage) == 0 {
			t.Error("the damage is not told")
		}
		for name, want := range map[string]string{name: "of a", "recovered/1": "of the user's"} {
			l, err := s.Log(name)
			if err != nil {
				t.Fatalf("log %q: %v", name, err)
			}
			if ev, err := l.Read(ctx, 0); err != nil || string(ev.Payload) != want {
				t.Errorf("log %q: %q, %v", name, ev.Payload, err)
			}
			mustAppend(t, l, "more")
		}
		n := 0
		for info, err := range s.Logs("") {
			if err != nil || info.ID != 1 && info.ID != 2 {
				t.Errorf("%+v, %v", info, err)
			}
			n++
		}
		if n != 2 {
			t.Errorf("%d logs", n)
		}
		if _, err := s.Create(ctx, name, LogOptions{}); !errors.Is(err, ErrName) {
			t.Errorf("create %q: %v", name, err)
		}
		if err := s.Seal(ctx); err != nil {
			t.Fatal(err)
		}
		if rep, err := s.Check(ctx); err != nil || i > 0 && len(rep.Damage) > 0 {
			t.Errorf("check: %v, %v", rep.Damage, err)
		}
		mustClose(t, s)
	}

	// It is restored under its name.
	s = mustOpen(t, dir, Options{})
	l, err := s.Log(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Create(ctx, t.TempDir()+"/restored", Seed{ID: s.ID(), Epochs: s.Epochs(), Cut: s.Cut(), NextLog: s.NextLog()}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	info := l.Info()
	info.Bounds.Floor = info.Bounds.Next
	rl, err := r.Log(info, l.Stats().LastTime)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(rl.Close(ctx), r.Finish(ctx)); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, name); err != nil {
		t.Error(err)
	}
	mustClose(t, s)
}

// TestLostDeletion loses the frame that deleted a log, whose name another has now.
func TestLostDeletion(t *testing.T) {
	ctx := t.Context()
	for _, sealed := range []bool{false, true} {
		dir := t.TempDir() + "/store"
		s := mustOpen(t, dir, Options{RunEvents: 1})
		mustAppend(t, mustLog(t, s, "a"), "old")
		if sealed {
			if err := s.Seal(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Delete(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, mustLog(t, s, "a"), "new")
		mustClose(t, s)
		harmFrame(t, dir, s, 3)
		for i := range 3 {
			s = mustOpen(t, dir, Options{RunEvents: 1})
			if l := mustLog(t, s, "a"); l.ID() != 2 || l.Bounds().Next != 1 {
				t.Errorf("log %d, %v", l.ID(), l.Bounds())
			} else if ev, err := l.Read(ctx, 0); err != nil || string(ev.Payload) != "new" {
				t.Errorf("%q, %v", ev.Payload, err)
			}
			if _, err := s.LogByID(1); !errors.Is(err, ErrLogDeleted) {
				t.Errorf("the log that was deleted: %v", err)
			}
			if err := s.Seal(ctx); err != nil {
				t.Fatal(err)
			}
			if rep, err := s.Check(ctx); err != nil || i > 0 && len(rep.Damage) > 0 {
				t.Errorf("sealed %v, open %d: %v, %v", sealed, i, rep.Damage, err)
			}
			mustClose(t, s)
		}
	}
}
