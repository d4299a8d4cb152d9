//go:build linux

package redex

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFileChangedBelow has somebody cut a segment short, or punch a hole into it, while the store has it open, and mapped where
// that is so: reads of what was there say so and nothing crashes, what lies elsewhere is read, and the next open names the damage
// and goes on.
func TestFileChangedBelow(t *testing.T) {
	harms := map[string]func(f *os.File) error{
		"cut": func(f *os.File) error { return f.Truncate(4096) },
		"punch": func(f *os.File) error {
			return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 4096, 60<<10)
		},
	}
	for name, harm := range harms {
		t.Run(name, func(t *testing.T) { changeBelow(t, harm) })
	}
}

func changeBelow(t *testing.T, harm func(*os.File) error) {
	ctx := t.Context()
	dir := t.TempDir() + "/store"
	o := Options{RunEvents: 4}
	s := mustOpen(t, dir, o)
	safe, hot := mustLog(t, s, "safe"), mustLog(t, s, "hot")
	mustAppend(t, safe, "0", "1", "2", "3", "4")
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		mustAppend(t, hot, fmt.Sprint(i))
	}
	paths, err := filepath.Glob(dir + "/journal/*.seg")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(harm(f), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	readSafe := func(s *Store) {
		t.Helper()
		l := mustLog(t, s, "safe")
		for seq := range Seq(5) {
			if ev, err := l.Read(ctx, seq); err != nil || string(ev.Payload) != fmt.Sprint(seq) {
				t.Errorf("sequence %d of the other log: %q, %v", seq, ev.Payload, err)
			}
		}
	}
	for seq := range Seq(5) {
		_, err := hot.Read(ctx, seq)
		if c, ok := errors.AsType[*CorruptionError](err); !ok || c.File == "" {
			t.Errorf("sequence %d of what was cut away: %v", seq, err)
		}
	}
	readSafe(s)
	rep, err := s.Check(ctx)
	if err != nil || len(rep.Damage) == 0 {
		t.Errorf("check: %v, %v", rep.Damage, err)
	}
	_, err = hot.Append(ctx, Entry{Payload: []byte("after")}, AppendOptions{Durable: DurableYes})
	if err != nil && !errors.Is(err, ErrFailed) {
		t.Errorf("append: %v", err)
	}
	readSafe(s)
	if err := s.Close(); err != nil && !errors.Is(err, ErrFailed) && !errors.Is(err, ErrCorrupt) {
		t.Errorf("close: %v", err)
	}

	s = mustOpen(t, dir, o)
	defer mustClose(t, s)
	if len(s.Recovery().Damage) == 0 && !s.Recovery().MayHaveLost {
		t.Errorf("recovery says nothing: %+v", s.Recovery())
	}
	readSafe(s)
	a := mustAppend(t, mustLog(t, s, "hot"), "goes on")
	if ev, err := mustLog(t, s, "hot").Read(ctx, a.Seq); err != nil || string(ev.Payload) != "goes on" {
		t.Errorf("%q, %v", ev.Payload, err)
	}
	if err := s.Seal(ctx); err != nil {
		t.Error(err)
	}
}
