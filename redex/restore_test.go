package redex

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
)

// copyStore restores everything that s holds into dir.
func copyStore(t *testing.T, s *Store, dir string) {
	t.Helper()
	ctx := context.Background()
	seed := Seed{ID: s.ID(), Epochs: s.Epochs(), Cut: s.Cut(), NextLog: s.NextLog()}
	r, err := Create(ctx, dir, seed, Options{RunEvents: 10})
	if err != nil {
		t.Fatal(err)
	}
	for info, err := range s.Logs("") {
		if err != nil {
			t.Fatal(err)
		}
		l, err := s.Log(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Name == "cut" {
			info.Bounds.Floor, info.Events = info.Bounds.Next, 0
		}
		rl, err := r.Log(info, l.Stats().LastTime)
		if err != nil {
			t.Fatal(err)
		}
		for ev, err := range l.Scan(ctx, info.Bounds.Floor, info.Bounds.Next) {
			if err != nil {
				t.Fatal(err)
			}
			if err := rl.Append(ctx, &ev); err != nil {
				t.Fatal(err)
			}
		}
		if err := rl.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Finish(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestRestore(t *testing.T) {
	ctx := context.Background()
	s, err := OpenMemory(ctx, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, name := range []string{"z", "few", "many", "cut", "empty", "a"} {
		l, err := s.Create(ctx, name, LogOptions{CheckJSON: i%2 == 0})
		if err != nil {
			t.Fatal(err)
		}
		for n := range []int{30, 3, 500, 20, 0, 40}[i] {
			e := Entry{Payload: fmt.Appendf(nil, "%s %d", name, n), Key: []byte("k"), Headers: []Header{{"h", []byte("v")}}, Origin: 7, Idempotency: uint64(n + 1)}
			if _, err := l.Append(ctx, e, AppendOptions{Durable: DurableNo}); err != nil {
				t.Fatal(err)
			}
		}
	}
	many, _ := s.Log("many")
	if err := many.Trim(ctx, 100); err != nil {
		t.Fatal(err)
	}
	last := Position{Store: s.ID(), Log: many.ID(), Epoch: s.Epoch(), Ordinal: s.Cut().Ordinal, Seq: 499}
	dir := t.TempDir() + "/copy"
	copyStore(t, s, dir)
	if _, err := Create(ctx, dir, Seed{ID: s.ID(), Epochs: s.Epochs(), Cut: s.Cut()}, Options{}); err == nil {
		t.Fatal("restored over a store")
	}
	c, err := Open(ctx, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.ID() != s.ID() || c.Epoch() != s.Epoch()+1 || c.Cut() != s.Cut() {
		t.Fatalf("restored as %s epoch %d cut %v, want %s, %d, %v", c.ID(), c.Epoch(), c.Cut(), s.ID(), s.Epoch()+1, s.Cut())
	}
	if err := c.CheckPosition(last); err != nil {
		t.Fatal(err)
	}
	late := last
	late.Ordinal++
	if err := c.CheckPosition(late); !errors.Is(err, ErrEpoch) {
		t.Fatalf("position after the cut: %v", err)
	}
	rep, err := c.Check(ctx)
	if err != nil || len(rep.Damage) > 0 {
		t.Fatal(rep, err)
	}
	for info, err := range s.Logs("") {
		if err != nil {
			t.Fatal(err)
		}
		l, err := c.LogByID(info.ID)
		if err != nil {
			t.Fatal(err)
		}
		got := l.Info()
		if info.Name == "cut" {
			info.Bounds.Floor, info.Events = info.Bounds.Next, 0
		}
		if !reflect.DeepEqual(got, info) {
			t.Fatalf("restored %+v, want %+v", got, info)
		}
		was, _ := s.Log(info.Name)
		next := info.Bounds.Floor
		for ev, err := range l.Scan(ctx, next, maxSeq) {
			if err != nil {
				t.Fatal(err)
			}
			want, err := was.Read(ctx, next)
			if err != nil {
				t.Fatal(err)
			}
			want.Ordinal, ev.Ordinal = 0, 0
			if d := cmp.Diff(want, ev); d != "" {
				t.Fatalf("log %q sequence %d (-want +got):\n%s", info.Name, next, d)
			}
			next++
		}
		if next != info.Bounds.Next {
			t.Fatalf("log %q ends at %d, want %d", info.Name, next, info.Bounds.Next)
		}
		if next == 0 {
			continue
		}
		// Numbers are known as far as the events are there.
		a, err := l.Append(ctx, Entry{Payload: []byte("x"), Origin: 7, Idempotency: uint64(next)}, AppendOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if dup := a.Duplicates == 1 && a.Seq == next-1; dup == (info.Name == "cut") {
			t.Fatalf("log %q: repeated append: %+v", info.Name, a)
		}
		if a, err = l.Append(ctx, Entry{Payload: []byte("new")}, AppendOptions{}); err != nil {
			t.Fatal(err)
		}
		if a.Time <= s.Cut().Time || a.Ordinal <= last.Ordinal {
			t.Fatalf("append after the restore at %d, %d", a.Time, a.Ordinal)
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	ctx := context.Background()
	id := newIdentity().store
	seed := Seed{ID: id, Epochs: []EpochStart{{1, 1}}, Cut: Cut{10, 1000}, NextLog: 5}
	dir := t.TempDir() + "/s"
	r, err := Create(ctx, dir, seed, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Fatalf("open while restoring: %v", err)
	}
	info := LogInfo{ID: 1, Name: "a", Bounds: Bounds{3, 5}}
	l, err := r.Log(info, 900)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(ctx, &Event{Seq: 3, Time: 800}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(ctx); !errors.Is(err, ErrConflict) {
		t.Fatalf("log that ends early: %v", err)
	}
	if err := r.Finish(ctx); err == nil {
		t.Fatal("finished a restore that failed")
	}
	if state, _, err := inspectDir(vfs.Default, dir); err != nil || state != dirBegun {
		t.Fatalf("directory after a failed restore: %v, %v", state, err)
	}
	for _, bad := range []Seed{{}, {ID: id}, {ID: id, Epochs: []EpochStart{{2, 1}, {1, 1}}}, {ID: id, Epochs: []EpochStart{{1, 9}}}} {
		if _, err := Create(ctx, dir, bad, Options{}); !errors.Is(err, ErrOptions) {
			t.Errorf("seed %+v: %v", bad, err)
		}
	}
	s, err := Open(ctx, dir, Options{}) // begins anew
	if err != nil {
		t.Fatal(err)
	}
	if s.ID() == id || s.Epoch() != 1 {
		t.Fatalf("store %s in epoch %d", s.ID(), s.Epoch())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestManyEpochs has a store begin after more power losses than its catalog can list.
func TestManyEpochs(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir() + "/store"
	seed := Seed{ID: newIdentity().store, Cut: Cut{Ordinal: 1 << 40, Time: 1 << 40}, NextLog: 1}
	for e := range 10_000 {
		seed.Epochs = append(seed.Epochs, EpochStart{Epoch: Epoch(e + 1), First: Ordinal(1<<39 + e)})
	}
	r, err := Create(ctx, dir, seed, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir, Options{})
	defer mustClose(t, s)
	mustAppend(t, mustLog(t, s, "a"), "x")
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	if s.Epoch() != 10_001 || len(s.Epochs()) != maxEpochs {
		t.Errorf("epoch %d of %d", s.Epoch(), len(s.Epochs()))
	}
	for e, want := range map[Epoch]error{1: ErrEpoch, 9_900: nil} {
		p := Position{Store: s.ID(), Log: 1, Epoch: e, Ordinal: Ordinal(1<<39 + e - 1)}
		if err := s.CheckPosition(p); !errors.Is(err, want) {
			t.Errorf("position of epoch %d: %v", e, err)
		}
	}
}
