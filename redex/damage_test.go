package redex

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var (
	byteSeed   = flag.Uint64("redex.byteseed", 3, "seed of the one byte test")
	bytePoints = flag.Int("redex.bytepoints", 10, "positions of each file in the one byte test")
)

// storeTree builds a closed store with hot, row and run events, and returns its directory and what its logs hold.
func storeTree(t *testing.T) (dir string, want map[string][]string) {
	t.Helper()
	ctx := context.Background()
	dir = t.TempDir() + "/store"
	s, err := Open(ctx, dir, Options{RunEvents: 20, SegmentBytes: 64 << 10, Sync: SyncPolicy{Mode: SyncNever}})
	if err != nil {
		t.Fatal(err)
	}
	want = map[string][]string{}
	add := func(name string, n int) {
		l, err := s.OpenLog(ctx, name, LogOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			p := fmt.Sprintf("%s event %d %s", name, len(want[name]), strings.Repeat("x", len(want[name])%90))
			if _, err := l.Append(ctx, Entry{Payload: []byte(p)}, AppendOptions{}); err != nil {
				t.Fatal(err)
			}
			want[name] = append(want[name], p)
		}
	}
	add("run", 300)
	add("rows", 5)
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	add("run", 100)
	add("rows", 3)
	add("hot", 200)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, want
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// TestOneByte damages one byte of a store at a time. What is read is then right, or an error that names the place: never
// something else, and never a panic.
func TestOneByte(t *testing.T) {
	ctx := context.Background()
	dir, want := storeTree(t)
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Base(path) != lockName && !strings.Contains(filepath.Base(path), "ballast") {
			files = append(files, strings.TrimPrefix(path, dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("seed: -redex.byteseed=%d", *byteSeed)
	r := rand.New(rand.NewPCG(*byteSeed, 3))
	found := 0
	for _, file := range files {
		info, err := os.Stat(dir + file)
		if err != nil {
			t.Fatal(err)
		}
		points := []int64{0, info.Size() - 1, info.Size() / 2}
		used := info.Size()
		if strings.HasPrefix(file, "/"+journalDir) {
			used = min(used, 40<<10) // the rest is empty
		}
		for range *bytePoints {
			if used == 0 {
				break
			}
			points = append(points, r.Int64N(used))
		}
		for _, at := range points {
			if info.Size() == 0 {
				break
			}
			t.Run(fmt.Sprintf("%s@%d", file, at), func(t *testing.T) {
				bad := t.TempDir() + "/store"
				copyTree(t, dir, bad)
				f, err := os.OpenFile(bad+file, os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				b := make([]byte, 1)
				if _, err := f.ReadAt(b, at); err != nil {
					t.Fatal(err)
				}
				b[0] ^= byte(1 + r.IntN(255))
				if _, err := f.WriteAt(b, at); err != nil {
					t.Fatal(err)
				}
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
				if readDamaged(t, ctx, bad, want) {
					found++
				}
			})
		}
	}
	t.Logf("%d files, damage was seen %d times", len(files), found)
	if found == 0 {
		t.Error("no damage was seen at all")
	}
}

// named reports whether an error says where the damage is.
func named(err error) bool {
	c, ok := errors.AsType[*CorruptionError](err)
	return ok && c.File != "" || errors.Is(err, ErrFormat)
}

// readDamaged opens and reads a store of which one byte was changed, and reports whether that was noticed.
func readDamaged(t *testing.T, ctx context.Context, dir string, want map[string][]string) (noticed bool) {
	t.Helper()
	s, err := Open(ctx, dir, Options{})
	if err != nil {
		if !named(err) {
			t.Fatalf("open: %v", err)
		}
		return true
	}
	rep, err := s.Check(ctx)
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	for _, d := range rep.Damage {
		if !named(d) {
			t.Fatalf("check: %v", d)
		}
		noticed = true
	}
	for name, payloads := range want {
		l, err := s.Log(name)
		if err != nil {
			if !named(err) && !(errors.Is(err, ErrNoLog) && (noticed || s.Recovery().MayHaveLost)) {
				t.Fatalf("log %q: %v", name, err)
			}
			noticed = true
			continue
		}
		b := l.Bounds()
		if b.Next < Seq(len(payloads)) && !noticed && !s.Recovery().MayHaveLost && s.Recovery().Dropped == 0 {
			t.Fatalf("log %q ends at %d of %d, and nothing says why", name, b.Next, len(payloads))
		}
		for seq := b.Floor; seq < b.Next; seq++ {
			ev, err := l.Read(ctx, seq)
			switch {
			case err == nil:
				if string(ev.Payload) != payloads[seq] {
					t.Fatalf("log %q sequence %d: wrong data %q", name, seq, ev.Payload)
				}
			case !named(err):
				t.Fatalf("log %q sequence %d: %v", name, seq, err)
			default:
				noticed = true
				c, _ := errors.AsType[*CorruptionError](err)
				if c.Log != name {
					t.Fatalf("log %q sequence %d: error of log %q: %v", name, seq, c.Log, err)
				}
			}
		}
		// What is damaged does not keep anyone from writing.
		a, err := l.Append(ctx, Entry{Payload: []byte("after")}, AppendOptions{})
		if err != nil {
			if !errors.Is(err, ErrFailed) && !named(err) {
				t.Fatalf("append to %q: %v", name, err)
			}
			continue
		}
		if ev, err := l.Read(ctx, a.Seq); err != nil || string(ev.Payload) != "after" {
			t.Fatalf("log %q: read back %q, %v", name, ev.Payload, err)
		}
	}
	if err := s.Seal(ctx); err != nil && !named(err) && !errors.Is(err, ErrFailed) {
		t.Fatalf("seal: %v", err)
	}
	if err := s.Close(); err != nil && !named(err) && !errors.Is(err, ErrFailed) {
		t.Fatalf("close: %v", err)
	}
	return noticed
}
